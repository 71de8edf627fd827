/* Encoding: the twin of exi.codec.Encoder. */
#include "table.h"
#include "bits.h"

typedef struct {
    const Grammar *g;
    Writer w;
    size_t cost; /* octets of memory that who reads the message will need */
} Encoder;

/* One function per kind of value. Each returns false where the schema forbids the value. */

static bool write_boolean(Encoder *e, PyObject *value)
{
    return (value == Py_True || value == Py_False) && write_bits(&e->w, value == Py_True, 1);
}

static bool write_narrow(Encoder *e, const Simple *s, PyObject *value)
{
    int overflow;
    int64_t number;

    if (!PyLong_CheckExact(value))
        return false;
    number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow || number < (int64_t)s->minimum || number > (int64_t)s->maximum)
        return false;
    return write_bits(&e->w, (uint32_t)(number - (int64_t)s->minimum), s->bits);
}

/* BitWriter.unsigned, for a number of more than 64 bits: its octets, seven bits at a time. */
static bool write_big(Encoder *e, PyObject *value)
{
    PyObject *length = PyObject_CallMethod(value, "bit_length", NULL), *octets = NULL;
    size_t bits = length ? PyLong_AsSize_t(length) : (size_t)-1;
    bool good = false;

    Py_XDECREF(length);
    if (bits > BIG * 7) /* an error of PyLong_AsSize_t too */
        return false;
    octets = PyObject_CallMethod(value, "to_bytes", "ns", (Py_ssize_t)(bits / 8 + 2), "little");
    if (octets) {
        const uint8_t *number = (const uint8_t *)PyBytes_AS_STRING(octets);
        good = true;
        for (size_t at = 0; good && (at < bits || at == 0); at += 7) {
            uint32_t group = ((uint32_t)number[at >> 3] | (uint32_t)number[(at >> 3) + 1] << 8) >> (at & 7) & 0x7F;
            good = write_bits(&e->w, group | (at + 7 < bits ? 0x80 : 0), 8);
        }
        Py_DECREF(octets);
    }
    return good;
}

static bool write_whole_unsigned(Encoder *e, const Simple *s, PyObject *value)
{
    int overflow;
    uint64_t number;

    if (!PyLong_CheckExact(value))
        return false;
    number = (uint64_t)PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow < 0 || (!overflow && number > INT64_MAX))
        return false; /* negative */
    if (overflow) {
        number = PyLong_AsUnsignedLongLong(value);
        if (PyErr_Occurred()) {
            PyErr_Clear(); /* longer than 64 bits */
            return !s->has_maximum && write_big(e, value);
        }
    }
    if (number < s->minimum || (s->has_maximum && number > s->maximum))
        return false;
    return write_unsigned(&e->w, number);
}

static bool write_whole(Encoder *e, const Simple *s, PyObject *value)
{
    int overflow;
    int64_t number;

    if (!PyLong_CheckExact(value))
        return false;
    number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow) {
        PyObject *magnitude;
        bool good;
        if (s->has_minimum || s->has_maximum)
            return false;
        magnitude = overflow < 0 ? PyNumber_Invert(value) : Py_NewRef(value);
        good = magnitude && write_bits(&e->w, overflow < 0, 1) && write_big(e, magnitude);
        Py_XDECREF(magnitude);
        return good;
    }
    if ((s->has_minimum && number < (int64_t)s->minimum) || (s->has_maximum && number > (int64_t)s->maximum))
        return false;
    return write_bits(&e->w, number < 0, 1) && write_unsigned(&e->w, (uint64_t)(number < 0 ? -(number + 1) : number));
}

static bool write_enum(Encoder *e, const Simple *s, PyObject *value)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(s->members); i++)
        if (PyTuple_GET_ITEM(s->members, i) == value)
            return write_bits(&e->w, (uint32_t)i, s->bits);
    return false;
}

static bool length_allowed(const Simple *s, size_t length)
{
    return !(s->has_maximum && length > s->maximum) && !(s->has_minimum && length < s->minimum);
}

static bool write_string(Encoder *e, const Simple *s, PyObject *value)
{
    size_t length;

    if (!PyUnicode_CheckExact(value))
        return false;
    length = (size_t)PyUnicode_GET_LENGTH(value);
    e->cost += value_cost(s, length);
    if (!length_allowed(s, length) || !write_unsigned(&e->w, length + 2))
        return false;
    if (PyUnicode_IS_ASCII(value))
        return write_octets(&e->w, PyUnicode_1BYTE_DATA(value), length);
    for (size_t i = 0; i < length; i++) {
        Py_UCS4 point = PyUnicode_READ_CHAR(value, (Py_ssize_t)i);
        if ((point >= 0xD800 && point < 0xE000) || !write_unsigned(&e->w, point))
            return false;
    }
    return true;
}

static bool write_binary(Encoder *e, const Simple *s, PyObject *value)
{
    size_t length;

    if (!PyBytes_CheckExact(value))
        return false;
    length = (size_t)PyBytes_GET_SIZE(value);
    e->cost += value_cost(s, length);
    return length_allowed(s, length) && write_unsigned(&e->w, length) &&
           write_octets(&e->w, (const uint8_t *)PyBytes_AS_STRING(value), length);
}

static bool write_value(Encoder *e, const Simple *s, PyObject *value)
{
    e->cost += value_cost(s, 0); /* text and octets add theirs */
    switch (s->kind) {
    case BOOLEAN:
        return write_boolean(e, value);
    case BITS:
        return write_narrow(e, s, value);
    case UNSIGNED:
        return write_whole_unsigned(e, s, value);
    case INTEGER:
        return write_whole(e, s, value);
    case ENUM:
        return write_enum(e, s, value);
    case STRING:
        return write_string(e, s, value);
    case BINARY:
        return write_binary(e, s, value);
    }
    return false;
}

static bool write_message(Encoder *e, const Type *t, PyObject *message, unsigned depth);

/* Encoder.item */
static bool write_item(Encoder *e, const Production *p, PyObject *item, unsigned depth)
{
    if (p->type)
        return write_message(e, p->type, item, depth + 1);
    if (p->event != ELEMENT)
        return write_value(e, p->simple, item);
    return write_bits(&e->w, 0, 1) && write_value(e, p->simple, item) && write_bits(&e->w, 0, 1);
}

static PyObject *field_value(PyObject *message, const Field *f)
{
    return *(PyObject **)((char *)message + f->offset);
}

/* How many items a message holds; false where a field is unset or a list is none. */
static bool count_items(const Grammar *g, const Type *t, PyObject *message, size_t *items)
{
    *items = 0;
    for (uint32_t i = 0; i < t->fields; i++) {
        const Field *f = &g->fields[t->first_field + i];
        PyObject *value = field_value(message, f);
        if (!value || (f->repeated && !PyList_CheckExact(value)))
            return false;
        if (f->repeated)
            *items += (size_t)PyList_GET_SIZE(value);
        else if (value != Py_None)
            *items += 1;
    }
    return true;
}

/* pending and fits: the next item of a production's field that the production can carry; borrowed, or NULL. */
static PyObject *fitting_item(const Grammar *g, const Production *p, PyObject *message, uint32_t done)
{
    const Field *f = &g->fields[p->field];
    PyObject *item = field_value(message, f);

    if (f->repeated) {
        if (done >= (size_t)PyList_GET_SIZE(item))
            return NULL;
        item = PyList_GET_ITEM(item, done);
    } else if (done || item == Py_None) {
        return NULL;
    }
    if (p->event == MIXED && !PyUnicode_CheckExact(item))
        return NULL;
    if (p->type && Py_TYPE(item) != p->type->cls)
        return NULL;
    return item;
}

/* walk and Encoder.item for a type */
static bool write_message(Encoder *e, const Type *t, PyObject *message, unsigned depth)
{
    const Grammar *g = e->g;
    uint32_t at = t->first_state, done[MAX_FIELDS];
    size_t left;

    memset(done, 0, t->fields * sizeof *done);
    e->cost += t->cost;
    if (depth > MAX_DEPTH || !count_items(g, t, message, &left))
        return false;
    for (;;) {
        const State *state = &g->states[at];
        const Production *p = NULL;
        const Field *f;
        PyObject *item = NULL;
        uint32_t code, count;

        for (code = 0; code < state->count; code++) {
            p = &g->productions[state->first + code];
            if (p->event == END && left == 0)
                return write_bits(&e->w, code, state->bits);
            if (p->event >= END)
                continue;
            if ((item = fitting_item(g, p, message, done[p->field - t->first_field])))
                break;
        }
        if (!item || !write_bits(&e->w, code, state->bits) || !write_item(e, p, item, depth))
            return false;
        left--;
        f = &g->fields[p->field];
        e->cost += f->repeated ? ITEM_COST : 0;
        count = ++done[p->field - t->first_field];
        at = p->next;
        if (f->counted) { /* Cursor.advance */
            if (count > f->maximum)
                return false;
            if (count < f->minimum)
                at = p->again;
            else if (count == f->maximum)
                at = p->full;
        }
    }
}

bool encode_root(const Grammar *g, PyObject *value, uint32_t code, bool fragment, PyObject **data)
{
    Encoder e; /* its buffer is not worth clearing */
    const State *root = &g->states[fragment ? FRAGMENT_STATE : DOCUMENT_STATE];
    const Production *p;
    bool good;

    if (code >= root->count)
        return false;
    p = &g->productions[root->first + code];
    if (p->event != ELEMENT || (p->type && Py_TYPE(value) != p->type->cls))
        return false;
    e.g = g;
    e.cost = 0;
    writer_start(&e.w);
    good = write_bits(&e.w, 0x80, 8) && write_bits(&e.w, code, root->bits) && write_item(&e, p, value, 0) &&
           (!fragment || write_bits(&e.w, root->count + 1, root->bits));
    if (good) {
        writer_finish(&e.w);
        good = e.cost <= e.w.length * ROOM;
    }
    if (good) {
        *data = PyBytes_FromStringAndSize((const char *)e.w.data, (Py_ssize_t)e.w.length);
        good = *data != NULL;
    }
    writer_free(&e.w);
    return good;
}
