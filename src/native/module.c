/* The Python face of the engine: exi._native.Grammar(words, objects) with decode and encode.
 *
 * Both methods return None for "no"; the Python engine tells why. They raise MemoryError alone. */
#include "table.h"

#include <structmember.h> /* PyMemberDef, before Python 3.12 */

static bool load(Grammar *g, const uint8_t *words, Py_ssize_t size);

static void grammar_dealloc(Grammar *g)
{
    PyTypeObject *type = Py_TYPE(g);

    PyMem_Free(g->types);
    PyMem_Free(g->fields);
    PyMem_Free(g->states);
    PyMem_Free(g->productions);
    PyMem_Free(g->simples);
    Py_XDECREF(g->objects);
    type->tp_free(g);
    Py_DECREF(type);
}

static PyObject *grammar_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    const char *words;
    Py_ssize_t size;
    PyObject *objects;
    Grammar *g;

    if (kwargs && PyDict_GET_SIZE(kwargs)) {
        PyErr_SetString(PyExc_TypeError, "Grammar() takes no keywords");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "y#O!", &words, &size, &PyTuple_Type, &objects))
        return NULL;
    g = (Grammar *)type->tp_alloc(type, 0);
    if (!g)
        return NULL;
    g->objects = Py_NewRef(objects);
    if (!load(g, (const uint8_t *)words, size)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "not a packed grammar");
        Py_DECREF(g);
        return NULL;
    }
    return (PyObject *)g;
}

/* None for "no"; an exception where there is one. */
static PyObject *no(void)
{
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *grammar_decode(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Found found;
    unsigned long lenient = count == 3 ? PyLong_AsUnsignedLong(args[2]) : 0;

    if (count != 3 || PyErr_Occurred() || lenient > UINT32_MAX || !PyBytes_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "decode(data: bytes, fragment: bool, lenient: int)");
        return NULL;
    }
    if (!decode_root((Grammar *)self, (const uint8_t *)PyBytes_AS_STRING(args[0]), (size_t)PyBytes_GET_SIZE(args[0]),
                     args[1] == Py_True, (uint32_t)lenient, &found)) {
        if (found.wildcard && !PyErr_Occurred())
            Py_RETURN_FALSE;
        return no();
    }
    return Py_BuildValue("(NnIO)", found.value, (Py_ssize_t)found.bits, found.code,
                         found.exact ? Py_True : Py_False);
}

/* What decode would give for nearly every message of a session, at the least expense. */
static PyObject *grammar_document(PyObject *self, PyObject *data)
{
    Found found;

    if (!PyBytes_Check(data))
        Py_RETURN_NONE;
    if (!decode_root((Grammar *)self, (const uint8_t *)PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data), false, 0,
                     &found))
        return no();
    if (found.exact)
        return found.value;
    Py_DECREF(found.value);
    Py_RETURN_NONE;
}

static PyObject *grammar_encode(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    PyObject *data;
    unsigned long code = count == 3 ? PyLong_AsUnsignedLong(args[1]) : 0;

    if (count != 3 || PyErr_Occurred() || code > UINT32_MAX) {
        PyErr_SetString(PyExc_TypeError, "encode(value, code: int, fragment: bool)");
        return NULL;
    }
    return encode_root((Grammar *)self, args[0], (uint32_t)code, args[2] == Py_True, &data) ? data : no();
}

/* The table, out of its words. Every index is checked here, so that no engine has to. */

typedef struct {
    const uint8_t *at, *end;
    bool good;
} Words;

static uint32_t word(Words *w)
{
    uint32_t value;

    if (w->end - w->at < 4) {
        w->good = false;
        return 0;
    }
    value = (uint32_t)w->at[0] | (uint32_t)w->at[1] << 8 | (uint32_t)w->at[2] << 16 | (uint32_t)w->at[3] << 24;
    w->at += 4;
    return value;
}

/* An index below limit. */
static uint32_t indexed(Words *w, uint32_t limit)
{
    uint32_t value = word(w);

    if (value >= limit) {
        w->good = false;
        return 0;
    }
    return value;
}

/* The same, or ABSENT. */
static uint32_t optional_index(Words *w, uint32_t limit)
{
    uint32_t value = word(w);

    if (value != ABSENT && value >= limit) {
        w->good = false;
        return ABSENT;
    }
    return value;
}

static PyObject *object(Grammar *g, Words *w)
{
    uint32_t index = indexed(w, (uint32_t)PyTuple_GET_SIZE(g->objects));

    return w->good ? PyTuple_GET_ITEM(g->objects, index) : NULL;
}

static uint64_t bound(Words *w)
{
    uint64_t low = word(w);

    return low | (uint64_t)word(w) << 32;
}

static bool load_type(Grammar *g, Words *w, Type *t)
{
    PyObject *cls = object(g, w);

    t->first_state = indexed(w, g->counts[2]);
    t->first_field = word(w);
    t->fields = word(w);
    t->cost = word(w);
    if (!w->good || !PyType_Check(cls) || t->fields > MAX_FIELDS ||
        (uint64_t)t->first_field + t->fields > g->counts[1])
        return false;
    t->cls = (PyTypeObject *)cls;
    return true;
}

/* Where the instances of a class keep the field: msgspec declares its fields as __slots__ do. */
static bool find_slot(const Type *t, PyObject *name, Field *f)
{
    PyObject *descriptor = PyObject_GetAttr((PyObject *)t->cls, name);
    const PyMemberDef *member;
    bool good;

    if (!descriptor)
        return false;
    good = PyObject_TypeCheck(descriptor, &PyMemberDescr_Type);
    if (good) {
        member = ((PyMemberDescrObject *)descriptor)->d_member;
        f->offset = member->offset;
        good = f->offset >= (Py_ssize_t)sizeof(PyObject) &&
               f->offset + (Py_ssize_t)sizeof(PyObject *) <= t->cls->tp_basicsize;
    }
    Py_DECREF(descriptor);
    return good;
}

static bool load_fields(Grammar *g, Words *w)
{
    for (uint32_t i = 0, type = 0; i < g->counts[1]; i++) {
        Field *f = &g->fields[i];
        PyObject *name = object(g, w);
        uint32_t flags = word(w);

        f->repeated = flags & 1;
        f->counted = flags & 2;
        f->minimum = word(w);
        f->maximum = word(w);
        while (type < g->counts[0] && i >= g->types[type].first_field + g->types[type].fields)
            type++;
        if (!w->good || type == g->counts[0] || !find_slot(&g->types[type], name, f))
            return false;
    }
    return true;
}

static bool load_state(Grammar *g, Words *w, State *s)
{
    s->first = word(w);
    s->count = word(w);
    s->bits = word(w);
    return w->good && s->bits <= 32 && (uint64_t)s->first + s->count <= g->counts[3];
}

static bool load_production(Grammar *g, Words *w, Production *p)
{
    uint32_t event = word(w), target;

    p->event = (Event)(event & 0xFF);
    p->field = optional_index(w, g->counts[1]);
    target = optional_index(w, event & 0x100 ? g->counts[0] : g->counts[4]);
    p->next = optional_index(w, g->counts[2]);
    p->again = optional_index(w, g->counts[2]);
    p->full = optional_index(w, g->counts[2]);
    if (!w->good || p->event > REFUSED)
        return false;
    if (target != ABSENT && event & 0x100)
        p->type = &g->types[target];
    else if (target != ABSENT)
        p->simple = &g->simples[target];
    return true;
}

static bool load_simple(Grammar *g, Words *w, Simple *s)
{
    uint32_t flags;
    uint32_t members;

    s->kind = (Kind)word(w);
    s->bits = word(w);
    flags = word(w);
    s->has_minimum = flags & 1;
    s->has_maximum = flags & 2;
    s->minimum = bound(w);
    s->maximum = bound(w);
    members = optional_index(w, (uint32_t)PyTuple_GET_SIZE(g->objects));
    if (!w->good || s->kind > BINARY || s->bits > 32)
        return false;
    if (members != ABSENT)
        s->members = PyTuple_GET_ITEM(g->objects, members);
    return s->kind != ENUM || (s->members && PyTuple_Check(s->members));
}

/* What the engines rely on: a production that reads something has its field, its target and its next states; only
 * those of the document and the fragment stand alone. */
static bool consistent(const Grammar *g)
{
    for (uint32_t i = 0; i < g->counts[2]; i++) {
        const State *s = &g->states[i];
        for (uint32_t j = s->first; j < s->first + s->count; j++) {
            const Production *p = &g->productions[j];
            if (p->event >= END)
                continue;
            if ((!p->type && !p->simple) || (i == DOCUMENT_STATE && !p->type))
                return false;
            if (i <= FRAGMENT_STATE)
                continue;
            if (p->field == ABSENT || p->next == ABSENT ||
                (g->fields[p->field].counted && (p->again == ABSENT || p->full == ABSENT)))
                return false;
        }
    }
    return true;
}

static bool load(Grammar *g, const uint8_t *words, Py_ssize_t size)
{
    Words w = {.at = words, .end = words + size, .good = true};

    for (int i = 0; i < SECTIONS; i++) {
        static const uint32_t widths[SECTIONS] = {TYPE_WORDS, FIELD_WORDS, STATE_WORDS, PRODUCTION_WORDS, SIMPLE_WORDS};
        g->counts[i] = word(&w) / widths[i];
        if (g->counts[i] > (uint64_t)size)
            return false;
    }
    g->types = PyMem_Calloc(g->counts[0] + 1, sizeof *g->types);
    g->fields = PyMem_Calloc(g->counts[1] + 1, sizeof *g->fields);
    g->states = PyMem_Calloc(g->counts[2] + 1, sizeof *g->states);
    g->productions = PyMem_Calloc(g->counts[3] + 1, sizeof *g->productions);
    g->simples = PyMem_Calloc(g->counts[4] + 1, sizeof *g->simples);
    if (!g->types || !g->fields || !g->states || !g->productions || !g->simples) {
        PyErr_NoMemory();
        return false;
    }
    if (!w.good || g->counts[2] <= FRAGMENT_STATE)
        return false;
    for (uint32_t i = 0; i < g->counts[0]; i++)
        if (!load_type(g, &w, &g->types[i]))
            return false;
    if (!load_fields(g, &w))
        return false;
    for (uint32_t i = 0; i < g->counts[2]; i++)
        if (!load_state(g, &w, &g->states[i]))
            return false;
    for (uint32_t i = 0; i < g->counts[3]; i++)
        if (!load_production(g, &w, &g->productions[i]))
            return false;
    for (uint32_t i = 0; i < g->counts[4]; i++)
        if (!load_simple(g, &w, &g->simples[i]))
            return false;
    for (uint32_t i = 0; i < g->counts[2]; i++) {
        State *s = &g->states[i];
        s->text = s->count && g->productions[s->first + s->count - 1].event == TEXT;
    }
    return consistent(g);
}

static PyMethodDef grammar_methods[] = {
    {"decode", (PyCFunction)(void (*)(void))grammar_decode, METH_FASTCALL,
     "decode(data, fragment, lenient) -> (value, bits, code, exact); None where the input is no such document, False "
     "where it holds something for a wildcard"},
    {"document", grammar_document, METH_O,
     "document(data) -> the message in one EXI document that fills the data, or None where decode might tell more"},
    {"encode", (PyCFunction)(void (*)(void))grammar_encode, METH_FASTCALL,
     "encode(value, code, fragment) -> bytes, or None where the schema forbids the value"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot grammar_slots[] = {
    {Py_tp_doc, "Grammar(words, objects): a grammar as exi.pack lays it out"},
    {Py_tp_new, grammar_new},
    {Py_tp_dealloc, grammar_dealloc},
    {Py_tp_methods, grammar_methods},
    {0, NULL},
};

static PyType_Spec grammar_spec = {
    .name = "exi._native.Grammar",
    .basicsize = sizeof(Grammar),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = grammar_slots,
};

static int module_exec(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&grammar_spec);
    int failed = !type || PyModule_AddObjectRef(module, "Grammar", type) < 0;

    Py_XDECREF(type);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static PyModuleDef module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "exi._native",
    .m_doc = "The C engine of the EXI codec.",
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&module);
}
