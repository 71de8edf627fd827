/* The packed grammar: what exi.pack lays out and this engine walks.
 *
 * Five counts, then five sections, all of little-endian 32-bit words. ABSENT stands for "none".
 *
 *   type        class object | first state | first field | number of fields | cost in octets of memory
 *   field       name object  | flags (1 repeated, 2 counted) | minOccurs | maxOccurs
 *   state       first production | number of productions | width of the event code in bits
 *   production  event, plus 0x100 where target is a type | field | target: type or simple type | next | again | full
 *   simple      kind | bits | flags (1 minimum, 2 maximum) | minimum, low word, high word | maximum, low, high |
 *               members object
 *
 * State 0 is the document, state 1 the fragment. Objects are indexes into the tuple that comes with the words.
 */
#ifndef OPENHLC_TABLE_H
#define OPENHLC_TABLE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#define ABSENT 0xFFFFFFFFu
#define MAX_FIELDS 64 /* of one type */
#define MAX_DEPTH 64  /* of elements in elements; no V2G schema comes near it */
#define ROOM 64       /* octets of memory that a message may take for each octet of its document */

enum { TYPE_WORDS = 5, FIELD_WORDS = 4, STATE_WORDS = 3, PRODUCTION_WORDS = 6, SIMPLE_WORDS = 8, SECTIONS = 5 };

typedef enum { BOOLEAN, BITS, UNSIGNED, INTEGER, ENUM, STRING, BINARY } Kind;

typedef enum { ATTRIBUTE, ELEMENT, TEXT, MIXED, END, ANY, REFUSED } Event;

enum { DOCUMENT_STATE = 0, FRAGMENT_STATE = 1 };

typedef struct {
    Kind kind;
    uint32_t bits;
    bool has_minimum, has_maximum;
    uint64_t minimum, maximum; /* two's complement, where the kind is signed */
    PyObject *members;         /* ENUM: a tuple, borrowed from Grammar.objects */
} Simple;

/* Simple.cost: octets of memory that a value takes at most; the length is that of text or octets. */
static inline size_t value_cost(const Simple *s, size_t length)
{
    switch (s->kind) {
    case UNSIGNED:
    case INTEGER:
        return 32;
    case BITS:
        return s->bits > 8 ? 32 : 0;
    case STRING:
        return length ? 80 + 4 * length : 0;
    case BINARY:
        return length ? 48 + length : 0;
    default:
        return 0;
    }
}

enum { ITEM_COST = 16 }; /* of an item's place in a list */

typedef struct {
    PyTypeObject *cls; /* borrowed from Grammar.objects */
    uint32_t first_state, first_field, fields, cost;
} Type;

typedef struct {
    Py_ssize_t offset; /* of the slot in an instance */
    bool repeated, counted;
    uint32_t minimum, maximum;
} Field;

typedef struct {
    uint32_t first, count, bits;
    bool text; /* the last production is an element's value */
} State;

typedef struct {
    Event event;
    uint32_t field;     /* index in Grammar.fields, or ABSENT */
    const Type *type;   /* what an element holds: a type, */
    const Simple *simple; /* or a simple type */
    uint32_t next, again, full;
} Production;

typedef struct {
    PyObject_HEAD
    PyObject *objects;
    uint32_t counts[SECTIONS]; /* of types, fields, states, productions, simple types */
    Type *types;
    Field *fields;
    State *states;
    Production *productions;
    Simple *simples;
} Grammar;

#ifndef REACHED /* tests/fuzz/reached.h counts the productions that are reached */
#define REACHED(grammar, production) ((void)0)
#endif

typedef struct {
    PyObject *value;
    size_t bits;   /* read */
    uint32_t code; /* of the root element */
    bool exact;    /* nothing is left but the zero bits that fill the last octet */
    bool wildcard; /* nothing was read, since something stands for a wildcard */
} Found;

/* Both return false without a Python exception where the schema or the input says no, and with one where memory ran
 * out. Why the answer is no is for the Python engine to tell, which alone reads and writes what stands for a wildcard. */
bool decode_root(const Grammar *g, const uint8_t *data, size_t size, bool fragment, uint32_t lenient, Found *found);
bool encode_root(const Grammar *g, PyObject *value, uint32_t code, bool fragment, PyObject **data);

#endif
