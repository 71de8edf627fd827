/* Decoding: the twin of exi.codec.Decoder. */
#include "table.h"
#include "bits.h"

typedef struct {
    const Grammar *g;
    Reader r;
    uint32_t lenient; /* see exi.codec.FORMS */
    unsigned depth;
    bool wildcard;
    size_t room; /* octets of memory that may still be taken */
} Decoder;

/* Decoder.take */
static bool take(Decoder *d, size_t octets)
{
    if (octets > d->room)
        return false;
    d->room -= octets;
    return true;
}

/* One function per kind of value. Each returns a new reference, or NULL where the input or the schema says no. */

static PyObject *read_boolean(Decoder *d)
{
    uint32_t value;

    return read_bits(&d->r, 1, &value) ? PyBool_FromLong((long)value) : NULL;
}

static PyObject *read_narrow(Decoder *d, const Simple *s)
{
    uint32_t value;

    if (!read_bits(&d->r, s->bits, &value) || value > s->maximum - s->minimum)
        return NULL;
    return PyLong_FromLongLong((int64_t)s->minimum + value);
}

/* BitReader.unbounded */
static PyObject *read_big(Decoder *d)
{
    Reader ahead = d->r;
    uint32_t octet;
    size_t count = 0, length;
    uint8_t number[BIG] = {0}; /* little-endian */

    do {
        if (count++ == BIG || !read_bits(&ahead, 8, &octet))
            return NULL;
    } while (octet >= 0x80);
    length = (count * 7 + 7) / 8;
    for (size_t i = 0; i < count; i++) {
        read_bits(&d->r, 8, &octet);
        uint32_t group = (octet & 0x7F) << (i * 7 & 7);
        number[i * 7 >> 3] |= (uint8_t)group;
        if (group > 0xFF)
            number[(i * 7 >> 3) + 1] |= (uint8_t)(group >> 8);
    }
    return PyObject_CallMethod((PyObject *)&PyLong_Type, "from_bytes", "y#s", (char *)number, (Py_ssize_t)length,
                               "little");
}

static PyObject *read_whole_unsigned(Decoder *d, const Simple *s)
{
    uint64_t value;

    if (!s->has_maximum)
        return read_big(d);
    if (!read_unsigned(&d->r, &value) || value > s->maximum || value < s->minimum)
        return NULL;
    return PyLong_FromUnsignedLongLong(value);
}

static PyObject *read_whole(Decoder *d, const Simple *s)
{
    uint32_t negative;
    uint64_t magnitude;
    int64_t value;

    if (!read_bits(&d->r, 1, &negative))
        return NULL;
    if (!s->has_maximum) {
        PyObject *big = read_big(d), *inverse;
        if (!big || !negative)
            return big;
        inverse = PyNumber_Invert(big);
        Py_DECREF(big);
        return inverse;
    }
    if (!read_unsigned(&d->r, &magnitude) || magnitude > INT64_MAX)
        return NULL;
    value = negative ? -(int64_t)magnitude - 1 : (int64_t)magnitude;
    if (value > (int64_t)s->maximum || (s->has_minimum && value < (int64_t)s->minimum))
        return NULL;
    return PyLong_FromLongLong(value);
}

static PyObject *read_enum(Decoder *d, const Simple *s)
{
    uint32_t index;
    PyObject *member;

    if (!read_bits(&d->r, s->bits, &index) || index >= PyTuple_GET_SIZE(s->members))
        return NULL;
    member = PyTuple_GET_ITEM(s->members, index);
    Py_INCREF(member);
    return member;
}

/* The length of text or octets: within the facets, and no more than the input still holds. */
static bool read_length(Decoder *d, const Simple *s, uint64_t offset, uint64_t *length)
{
    if (!read_unsigned(&d->r, length) || *length < offset)
        return false;
    *length -= offset;
    return !(s->has_maximum && *length > s->maximum) && !(s->has_minimum && *length < s->minimum) &&
           *length <= octets_left(&d->r) && take(d, value_cost(s, (size_t)*length));
}

/* Text that is not ASCII: code points of one to three octets each. */
static PyObject *read_wide_string(Decoder *d, size_t length)
{
    Py_UCS4 *points = PyMem_New(Py_UCS4, length);
    PyObject *text = NULL;
    uint64_t point;
    size_t i;

    if (!points)
        return PyErr_NoMemory();
    for (i = 0; i < length; i++) {
        if (!read_unsigned(&d->r, &point) || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
            break;
        points[i] = (Py_UCS4)point;
    }
    if (i == length)
        text = PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, points, (Py_ssize_t)length);
    PyMem_Free(points);
    return text;
}

static PyObject *read_string(Decoder *d, const Simple *s)
{
    uint64_t length;
    size_t start;
    PyObject *text;
    uint8_t *characters, wide = 0;

    if (!read_length(d, s, 2, &length))
        return NULL;
    start = d->r.bit;
    text = PyUnicode_New((Py_ssize_t)length, 127);
    if (!text || !length)
        return text;
    characters = PyUnicode_1BYTE_DATA(text);
    read_octets(&d->r, characters, (size_t)length);
    for (size_t i = 0; i < length; i++)
        wide |= characters[i];
    if (wide < 0x80)
        return text;
    memset(characters, 0, (size_t)length);
    Py_DECREF(text);
    d->r.bit = start;
    return read_wide_string(d, (size_t)length);
}

static PyObject *read_binary(Decoder *d, const Simple *s)
{
    uint64_t length;
    PyObject *octets;

    if (!read_length(d, s, 0, &length))
        return NULL;
    octets = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (octets)
        read_octets(&d->r, (uint8_t *)PyBytes_AS_STRING(octets), (size_t)length);
    return octets;
}

static PyObject *read_value(Decoder *d, const Simple *s)
{
    switch (s->kind) {
    case BOOLEAN:
        return read_boolean(d);
    case BITS:
        return take(d, value_cost(s, 0)) ? read_narrow(d, s) : NULL;
    case UNSIGNED:
        return take(d, value_cost(s, 0)) ? read_whole_unsigned(d, s) : NULL;
    case INTEGER:
        return take(d, value_cost(s, 0)) ? read_whole(d, s) : NULL;
    case ENUM:
        return read_enum(d, s);
    case STRING:
        return read_string(d, s);
    case BINARY:
        return read_binary(d, s);
    }
    return NULL;
}

/* Decoder.nothing */
static PyObject *nothing(const Simple *s)
{
    if ((s->kind != STRING && s->kind != BINARY) || s->minimum)
        return NULL;
    return s->kind == STRING ? PyUnicode_New(0, 127) : PyBytes_FromStringAndSize(NULL, 0);
}

/* Decoder.second_level_end: the escape code and three zero bits, as EXIficient ends an element without a value. */
static bool second_level_end(Decoder *d, uint32_t bits, uint32_t escape)
{
    Reader ahead = d->r;
    uint32_t code, second;

    if (!read_bits(&ahead, bits, &code) || code != escape || !read_bits(&ahead, 3, &second) || second != 0)
        return false;
    d->r = ahead;
    return true;
}

/* Decoder.simple_element */
static PyObject *read_simple_element(Decoder *d, const Simple *s)
{
    uint32_t code;
    PyObject *value;

    if (!read_bits(&d->r, 1, &code))
        return NULL;
    if (code) {
        d->r.bit--;
        return second_level_end(d, 1, 1) ? nothing(s) : NULL;
    }
    value = read_value(d, s);
    if (value && (!read_bits(&d->r, 1, &code) || code))
        Py_CLEAR(value);
    return value;
}

static PyObject *read_message(Decoder *d, const Type *t);

/* Decoder.element */
static PyObject *read_element(Decoder *d, const Production *p)
{
    return p->type ? read_message(d, p->type) : read_simple_element(d, p->simple);
}

static PyObject **slot(PyObject *message, const Field *f)
{
    return (PyObject **)((char *)message + f->offset);
}

/* Puts a new value into its field. Takes the reference. */
static bool store(PyObject *message, const Field *f, PyObject *value)
{
    PyObject **place = slot(message, f);
    bool stored;

    if (!f->repeated) {
        Py_XSETREF(*place, value);
        return true;
    }
    if (!*place && !(*place = PyList_New(0))) {
        Py_DECREF(value);
        return false;
    }
    stored = PyList_Append(*place, value) == 0;
    Py_DECREF(value);
    return stored;
}

/* Fields that did not occur: None, or an empty list. */
static bool complete(const Grammar *g, const Type *t, PyObject *message)
{
    for (uint32_t i = 0; i < t->fields; i++) {
        const Field *f = &g->fields[t->first_field + i];
        PyObject **place = slot(message, f);
        if (*place)
            continue;
        if (f->repeated)
            *place = PyList_New(0);
        else
            *place = Py_NewRef(Py_None);
        if (!*place)
            return false;
    }
    return true;
}

/* Decoder.message, after the instance is made */
static bool read_fields(Decoder *d, const Type *t, PyObject *message)
{
    const Grammar *g = d->g;
    uint32_t at = t->first_state, counting = ABSENT, count = 0;

    for (;;) {
        const State *state = &g->states[at];
        const Production *p;
        const Field *f;
        uint32_t code;
        PyObject *value;

        if (state->text && second_level_end(d, state->bits, state->count)) {
            p = &g->productions[state->first + state->count - 1];
            value = nothing(p->simple);
            return value && store(message, &g->fields[p->field], value);
        }
        if (!read_bits(&d->r, state->bits, &code) || code >= state->count)
            return false;
        p = &g->productions[state->first + code];
        REACHED(g, p);
        if (p->event == END)
            return true;
        if (p->event >= ANY) {
            d->wildcard = p->event == ANY;
            return false;
        }
        f = &g->fields[p->field];
        at = p->next;
        if (f->counted) { /* Cursor.advance */
            count = p->field == counting ? count + 1 : 1;
            counting = p->field;
            if (count > f->maximum)
                return false;
            if (count < f->minimum)
                at = p->again;
            else if (count == f->maximum && !(d->lenient && f->maximum >= d->lenient))
                at = p->full;
        }
        if (f->repeated && !take(d, ITEM_COST))
            return false;
        value = p->event == ELEMENT ? read_element(d, p) : read_value(d, p->simple);
        if (!value || !store(message, f, value))
            return false;
    }
}

static PyObject *read_message(Decoder *d, const Type *t)
{
    PyObject *message;
    bool good;

    if (d->depth >= MAX_DEPTH || !take(d, t->cost)) /* Decoder.enter */
        return NULL;
    message = t->cls->tp_alloc(t->cls, 0);
    if (!message)
        return NULL;
    d->depth++;
    good = read_fields(d, t, message) && complete(d->g, t, message);
    d->depth--;
    if (!good)
        Py_CLEAR(message);
    return message;
}

/* BitReader.finished */
static bool finished(const Reader *r)
{
    size_t left = r->size - r->bit;

    return left < 8 && !(left && r->data[r->bit >> 3] & ((1u << left) - 1));
}

static bool read_root(Decoder *d, bool fragment, Found *found)
{
    const State *root = &d->g->states[fragment ? FRAGMENT_STATE : DOCUMENT_STATE];
    const Production *p;
    uint32_t header, end;

    if (!read_bits(&d->r, 8, &header) || header != 0x80)
        return false;
    if (!read_bits(&d->r, root->bits, &found->code) || found->code >= root->count)
        return false;
    p = &d->g->productions[root->first + found->code];
    REACHED(d->g, p);
    if (p->event != ELEMENT || !(found->value = read_element(d, p)))
        return false;
    /* after a fragment's element: SE(*) has the code after the elements, the end the one after that */
    if (fragment && (!read_bits(&d->r, root->bits, &end) || end != root->count + 1)) {
        Py_CLEAR(found->value);
        return false;
    }
    found->bits = d->r.bit;
    found->exact = finished(&d->r);
    return true;
}

/* Decoder.root */
bool decode_root(const Grammar *g, const uint8_t *data, size_t size, bool fragment, uint32_t lenient, Found *found)
{
    Decoder d = {.g = g, .r = {.data = data, .size = size * 8}, .lenient = lenient, .room = size * ROOM};
    bool good = read_root(&d, fragment, found);

    found->wildcard = d.wildcard;
    return good;
}
