/* The fuzz target of the C engine, for libFuzzer with ASan and UBSan.
 *
 * An input is one octet that picks the schema, documents or fragments, and the form of list ends (exi.codec.FORMS),
 * and then what arrives from the network. Whatever that is:
 *
 *   - the engine reads and writes no octet that is not its own, and does nothing that C leaves undefined;
 *   - it says yes or no, and raises nothing;
 *   - what it reads it writes again; those bytes are read as an equal message and written as the same bytes;
 *   - no reference and no block of memory stays behind;
 *   - where an allocation fails (one that the input picks), it raises MemoryError, or does not need the memory.
 *
 * With FUZZ_ENGINES=both the Python engine reads and writes the same: see `compare` in agreement.py. That is
 * several times slower.
 */
#include "table.h"

#include <malloc.h>
#include <sanitizer/lsan_interface.h>
#include <stdio.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
PyMODINIT_FUNC PyInit__native(void);

enum { SCHEMAS = 32, LONGEST = 1 << 14, COUNTERS = 1 << 17 };
enum { FRAGMENT = 1, FORM_SHIFT = 1, FORMS = 3, SCHEMA_SHIFT = 3 }; /* of the first octet; see corpus.py too */
enum { PATIENCE = 4, REFUSALS = 16, KEPT_LISTS = 80 /* by Python */, OVERHEAD = 400 /* of a call */ };

static size_t schemas;
static PyObject *names[SCHEMAS];
static PyObject *grammars[SCHEMAS];
static PyObject *forms[FORMS];
static PyObject *decode, *document, *encode; /* the names of the methods */
static PyObject *excuse;          /* of agreement.py */
static PyObject *compare;         /* of agreement.py; NULL where only the C engine runs */

static void finding(const char *what)
{
    fprintf(stderr, "FINDING: %s\n", what);
    if (PyErr_Occurred())
        PyErr_Print();
    abort();
}

static void expect(bool good, const char *what)
{
    if (!good)
        finding(what);
}

/* Which productions were reached: by this input, for libFuzzer, and by any. */

__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t now[COUNTERS];
static uint8_t ever[COUNTERS];
static size_t first_production[SCHEMAS + 1], readable, current;

void reached(size_t production)
{
    size_t at = (first_production[current] + production) % COUNTERS;
    Event event = ((Grammar *)grammars[current])->productions[production].event;

    now[at] = event <= ANY; /* wildcards are of interest to the Python engine */
    ever[at] = event < ANY;
}

/* How many productions can be reached from a state without a wildcard. */
static size_t reachable(const Grammar *g, uint32_t at, bool *seen)
{
    const State *state = &g->states[at];
    size_t count = 0;

    if (seen[at])
        return 0;
    seen[at] = true;
    for (const Production *p = &g->productions[state->first], *end = p + state->count; p < end; p++) {
        const Field *f = p->field == ABSENT ? NULL : &g->fields[p->field];
        if (p->event >= ANY)
            continue;
        count++;
        if (p->type)
            count += reachable(g, p->type->first_state, seen);
        if (f)
            count += reachable(g, p->next, seen);
        if (f && f->counted && f->minimum > 1)
            count += reachable(g, p->again, seen);
        if (f && f->counted && f->maximum != ABSENT)
            count += reachable(g, p->full, seen);
    }
    return count;
}

static void print_reached(void)
{
    size_t count = 0;

    for (size_t i = 0; i < COUNTERS; i++)
        count += ever[i];
    fprintf(stderr, "REACHED: %zu of %zu productions\n", count, readable);
}

/* Python's memory, counted, and refused on demand. Each block is one of malloc (PYTHONMALLOC=malloc). */

static PyMemAllocatorEx plain[3];
static size_t asked, refuse_at = SIZE_MAX;
static ptrdiff_t live, octets; /* blocks and octets, since they are counted */

static bool refused(void)
{
    return asked++ == refuse_at;
}

static void *counted_malloc(void *domain, size_t size)
{
    PyMemAllocatorEx *under = domain;
    void *found = refused() ? NULL : under->malloc(under->ctx, size);

    live += found != NULL;
    octets += (ptrdiff_t)malloc_usable_size(found);
    return found;
}

static void *counted_calloc(void *domain, size_t count, size_t size)
{
    PyMemAllocatorEx *under = domain;
    void *found = refused() ? NULL : under->calloc(under->ctx, count, size);

    live += found != NULL;
    octets += (ptrdiff_t)malloc_usable_size(found);
    return found;
}

static void *counted_realloc(void *domain, void *old, size_t size)
{
    PyMemAllocatorEx *under = domain;
    size_t before = malloc_usable_size(old);
    void *found = refused() ? NULL : under->realloc(under->ctx, old, size);

    live += found != NULL && old == NULL;
    octets += found ? (ptrdiff_t)malloc_usable_size(found) - (ptrdiff_t)before : 0;
    return found;
}

static void counted_free(void *domain, void *block)
{
    PyMemAllocatorEx *under = domain;

    live -= block != NULL;
    octets -= (ptrdiff_t)malloc_usable_size(block);
    under->free(under->ctx, block);
}

static void count_memory(void)
{
    static const PyMemAllocatorDomain domains[] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};

    for (int i = 0; i < 3; i++) {
        PyMemAllocatorEx counted = {&plain[i], counted_malloc, counted_calloc, counted_realloc, counted_free};
        PyMem_GetAllocator(domains[i], &plain[i]);
        PyMem_SetAllocator(domains[i], &counted);
    }
}

typedef struct {
    PyObject *grammar, *data, *fragment, *form; /* all borrowed */
    size_t refused; /* the allocation that is refused */
} Work;

/* The engine, as Python calls it. Both give a new reference, or NULL for "no". */

static bool starved; /* an allocation is refused in this run */

static PyObject *answer(PyObject *given)
{
    if (!given) {
        expect(starved && PyErr_ExceptionMatches(PyExc_MemoryError), "an exception out of the engine");
        PyErr_Clear();
        return NULL;
    }
    if (given != Py_None)
        return given;
    Py_DECREF(given);
    return NULL;
}

/* A tuple of value, bits read, event code of the root, and whether nothing is left. */
static PyObject *read_with(const Work *work, PyObject *data, PyObject *form)
{
    ptrdiff_t before = octets;
    PyObject *found = answer(PyObject_CallMethodObjArgs(work->grammar, decode, data, work->fragment, form, NULL));
    size_t size = (size_t)PyBytes_GET_SIZE(data);

    if (found == Py_False) { /* what comes in the place of a wildcard is left to the Python engine */
        Py_DECREF(found);
        return NULL;
    }
    if (found) {
        expect(PyLong_AsSize_t(PyTuple_GET_ITEM(found, 1)) <= size * 8, "the message ends after the input");
        expect(octets - before <= (ptrdiff_t)(size * ROOM + OVERHEAD), "more memory than the input gives room for");
    }
    return found;
}

/* The quick way gives what decode has found, or nothing where decode may tell more. */
static void read_quickly(const Work *work, PyObject *found)
{
    bool exact = found && PyTuple_GET_ITEM(found, 3) == Py_True;
    PyObject *message;

    if (work->fragment == Py_True || work->form != forms[0])
        return;
    message = answer(PyObject_CallMethodOneArg(work->grammar, document, work->data));
    if (!starved)
        expect(message ? exact && PyObject_RichCompareBool(message, PyTuple_GET_ITEM(found, 0), Py_EQ) == 1 : !exact,
               "the quick way gives another message");
    Py_XDECREF(message);
}

static PyObject *write_with(const Work *work, PyObject *found)
{
    return answer(PyObject_CallMethodObjArgs(work->grammar, encode, PyTuple_GET_ITEM(found, 0),
                                             PyTuple_GET_ITEM(found, 2), work->fragment, NULL));
}

/* Whether the Python engine does not write it either, since the document has less room for it than the input had. */
static bool excused(const Work *work, PyObject *found)
{
    PyObject *answered = PyObject_CallFunctionObjArgs(excuse, names[current], found, work->fragment, NULL);

    expect(answered != NULL, "what was read is not written");
    Py_DECREF(answered);
    return answered == Py_True;
}

/* What is read is written, and what is written is read as the same message and written as the same bytes. */
static void there_and_back(const Work *work)
{
    PyObject *found = read_with(work, work->data, work->form), *again = NULL, *written = NULL, *rewritten = NULL;

    read_quickly(work, found);
    if (!found)
        return;
    if (!(written = write_with(work, found))) {
        expect(starved || excused(work, found), "what was read is not written");
        goto done;
    }
    if (!(again = read_with(work, written, forms[0]))) {
        expect(starved, "what was written is not read");
        goto done;
    }
    if (!starved) {
        expect(PyObject_RichCompareBool(PyTuple_GET_ITEM(found, 0), PyTuple_GET_ITEM(again, 0), Py_EQ) == 1,
               "what was written is another message");
        expect(PyTuple_GET_ITEM(again, 3) == Py_True, "something is left behind what was written");
    }
    if (!(rewritten = write_with(work, again))) {
        expect(starved, "what was written once is not written again");
        goto done;
    }
    expect(PyObject_RichCompareBool(written, rewritten, Py_EQ) == 1, "the same message, other bytes");
done:
    Py_DECREF(found);
    Py_XDECREF(again);
    Py_XDECREF(written);
    Py_XDECREF(rewritten);
}

/* Whether a run leaves more blocks of memory behind each time. Python keeps names of methods in a cache, so that is
 * emptied where the first run looks bad. */
static bool leaks(void (*run)(const Work *), const Work *work)
{
    for (int times = 0; times < PATIENCE; times++) {
        ptrdiff_t before = live;
        run(work);
        if (times)
            PyType_ClearCache();
        if (live <= before)
            return false;
        PyType_ClearCache();
    }
    return true;
}

/* Lists that Python has freed and kept would do without an allocation: they are taken first. */
static void there_and_back_starved(const Work *work)
{
    PyObject *kept[KEPT_LISTS];

    for (int i = 0; i < KEPT_LISTS; i++)
        kept[i] = PyList_New(0);
    starved = true;
    refuse_at = asked + work->refused;
    there_and_back(work);
    refuse_at = SIZE_MAX;
    starved = false;
    for (int i = 0; i < KEPT_LISTS; i++)
        Py_DECREF(kept[i]);
}

/* Every fourth input, with a few of its allocations refused, one at a time. */
static void with_too_little_memory(Work work)
{
    size_t number = 5381, count = asked, step;

    for (Py_ssize_t i = 0; i < PyBytes_GET_SIZE(work.data); i++)
        number = number * 33 + (uint8_t)PyBytes_AS_STRING(work.data)[i];
    if (number % 4)
        return;
    work.refused = SIZE_MAX / 2; /* none: they are only counted */
    there_and_back_starved(&work);
    count = asked - count;
    step = count / REFUSALS + 1;
    for (work.refused = number / 4 % step; work.refused < count; work.refused += step)
        expect(!leaks(there_and_back_starved, &work), "memory stays behind when an allocation fails");
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    Work work = {0};

    if (!size)
        return -1;
    current = (size_t)(input[0] >> SCHEMA_SHIFT) % schemas;
    work.grammar = grammars[current];
    work.fragment = input[0] & FRAGMENT ? Py_True : Py_False;
    work.form = forms[(input[0] >> FORM_SHIFT & 3) % FORMS];
    work.data = PyBytes_FromStringAndSize((const char *)input + 1, (Py_ssize_t)size - 1);
    expect(work.data != NULL, "no memory for the input");
    if (compare) {
        PyObject *same =
            PyObject_CallFunctionObjArgs(compare, names[current], work.data, work.fragment, work.form, NULL);
        expect(same != NULL, "the engines disagree");
        Py_DECREF(same);
    } else {
        expect(!leaks(there_and_back, &work), "memory stays behind");
        with_too_little_memory(work);
    }
    Py_DECREF(work.data);
    return 0;
}

/* An EXI document has no octets, only bits: half of the mutations take some out, put some in, or copy some over. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    static uint8_t bits[8 * LONGEST + 64];
    size_t count = size * 8, at, from, width, wider;

    srand(seed);
    if (size < 3 || size >= LONGEST || rand() % 2)
        return LLVMFuzzerMutate(data, size, most);
    for (size_t i = 0; i < count; i++)
        bits[i] = data[i / 8] >> (7 - i % 8) & 1;
    at = 16 + (size_t)rand() % (count - 16); /* the choice and the header stay */
    from = 16 + (size_t)rand() % (count - 16);
    width = 1 + (size_t)rand() % (rand() % 4 ? 8 : 64);
    wider = (size_t)rand() % 3; /* 0 take out, 1 copy over, 2 put in */
    if (at + width > count || from + width > count)
        width = 1;
    if (wider == 0) {
        memmove(bits + at, bits + at + width, count - at - width);
        count -= width;
    } else if (wider == 2) {
        memmove(bits + at + width, bits + at, count - at);
        count += width;
    }
    for (size_t i = 0; wider && i < width; i++)
        bits[at + i] = rand() % 4 ? bits[from + i] : (uint8_t)(rand() & 1);
    size = (count + 7) / 8 < most ? (count + 7) / 8 : most;
    memset(data, 0, size);
    for (size_t i = 0; i < count && i / 8 < size; i++)
        data[i / 8] |= (uint8_t)(bits[i] << (7 - i % 8));
    return size;
}

static PyObject *attribute(const char *module, const char *name)
{
    PyObject *found = PyImport_ImportModule(module), *value = found ? PyObject_GetAttrString(found, name) : NULL;

    expect(value != NULL, name);
    Py_DECREF(found);
    return value;
}

/* Python and msgspec keep some of the objects that are freed. Once they have their fill, whatever stays behind is lost. */
static const char FILL[] =
    "import exi\n"
    "from exi.declare import HOME\n"
    "kept = [[object()] for _ in range(100)], [(i, i) for i in range(5000)]\n"
    "sizes = {len(cls.__struct_fields__): cls for cls in HOME}\n"
    "kept = [cls(**dict.fromkeys(cls.__struct_fields__)) for cls in sizes.values() for _ in range(5000)]\n"
    "del kept\n";

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    PyConfig config;
    PyObject *schema, *all;
    const char *engines = getenv("FUZZ_ENGINES");

    (void)argc, (void)argv;
    __lsan_disable(); /* what Python loses track of when it starts is not ours */
    PyImport_AppendInittab("exi._native", PyInit__native);
    PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0;
    PyConfig_SetBytesString(&config, &config.program_name, PYTHON); /* the virtual environment, and what is in it */
    if (PyStatus_Exception(Py_InitializeFromConfig(&config)))
        finding("Python does not start");
    PyConfig_Clear(&config);
    decode = PyUnicode_InternFromString("decode");
    document = PyUnicode_InternFromString("document");
    encode = PyUnicode_InternFromString("encode");
    schema = attribute("exi", "schema");
    all = PyObject_CallNoArgs(attribute("exi", "schema_names"));
    expect(all && PyTuple_GET_SIZE(all) <= SCHEMAS, "too many schemas");
    schemas = (size_t)PyTuple_GET_SIZE(all);
    for (size_t i = 0; i < schemas; i++) {
        names[i] = PyTuple_GET_ITEM(all, i);
        PyObject *made = PyObject_CallFunction(schema, "Os", names[i], "native");
        grammars[i] = made ? PyObject_GetAttrString(made, "_native") : NULL;
        expect(grammars[i] != NULL, "a schema cannot be loaded");
        Grammar *g = (Grammar *)grammars[i];
        first_production[i + 1] = first_production[i] + g->counts[3];
        bool *seen = calloc(g->counts[2], sizeof *seen);
        readable += reachable(g, DOCUMENT_STATE, seen) + reachable(g, FRAGMENT_STATE, seen);
        free(seen);
    }
    for (int i = 0; i < FORMS; i++)
        forms[i] = PySequence_GetItem(attribute("exi.codec", "FORMS"), i);
    excuse = attribute("agreement", "excuse");
    if (engines && strcmp(engines, "both") == 0) {
        compare = attribute("agreement", "compare");
    } else {
        PyGC_Disable(); /* the engine makes no cycles; the collector would empty what Python keeps */
        expect(PyRun_SimpleString(FILL) == 0, "Python's free lists");
        count_memory();
    }
    atexit(print_reached);
    __lsan_enable();
    return 0;
}
