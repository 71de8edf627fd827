/* Bit reader and writer: the twins of BitReader and BitWriter in exi/bits.py. */
#ifndef OPENHLC_BITS_H
#define OPENHLC_BITS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BIG = 585 }; /* octets of the longest number that is read or written: 4,095 bits */

typedef struct {
    const uint8_t *data;
    size_t bit, size; /* both in bits */
} Reader;

/* Eight octets as a big-endian number. */
static inline uint64_t load_window(const uint8_t *at)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t window;

    memcpy(&window, at, 8);
    return __builtin_bswap64(window);
#else
    uint64_t window = 0;

    for (unsigned i = 0; i < 8; i++)
        window = window << 8 | at[i];
    return window;
#endif
}

/* BitReader.bits, for count <= 32. */
static inline bool read_bits(Reader *r, unsigned count, uint32_t *value)
{
    size_t byte = r->bit >> 3, bytes = r->size >> 3;
    uint64_t window = 0;

    if (count > r->size - r->bit)
        return false;
    if (bytes - byte >= 8)
        window = load_window(r->data + byte);
    else
        for (unsigned i = 0; i < 8; i++)
            window = window << 8 | (byte + i < bytes ? r->data[byte + i] : 0);
    *value = count ? (uint32_t)(window << (r->bit & 7) >> (64 - count)) : 0;
    r->bit += count;
    return true;
}

static inline size_t octets_left(const Reader *r)
{
    return (r->size - r->bit) >> 3;
}

/* BitReader.octets: copies count octets, which the caller has found to be there. */
static inline void read_octets(Reader *r, uint8_t *out, size_t count)
{
    const uint8_t *from = r->data + (r->bit >> 3);
    unsigned shift = r->bit & 7;

    r->bit += count * 8;
    if (!shift) {
        memcpy(out, from, count);
        return;
    }
    for (size_t i = 0; i < count; i++)
        out[i] = (uint8_t)(from[i] << shift | from[i + 1] >> (8 - shift));
}

/* BitReader.unsigned: at most 64 bits. */
static inline bool read_unsigned(Reader *r, uint64_t *value)
{
    uint32_t octet;

    *value = 0;
    for (unsigned place = 0; place < 10; place++) {
        if (!read_bits(r, 8, &octet))
            return false;
        if (place == 9 && octet > 1) /* the 64th bit, and no more */
            return false;
        *value |= (uint64_t)(octet & 0x7F) << (7 * place);
        if (octet < 0x80)
            return true;
    }
    return false;
}

typedef struct {
    uint8_t *data;
    size_t length, capacity;
    uint64_t window; /* the `held` lowest bits are still to be stored; always fewer than 8 between calls */
    unsigned held;
    uint8_t local[512];
} Writer;

static inline void writer_start(Writer *w)
{
    w->data = w->local;
    w->length = 0;
    w->capacity = sizeof w->local;
    w->window = 0;
    w->held = 0;
}

static inline void writer_free(Writer *w)
{
    if (w->data != w->local)
        free(w->data);
}

/* Makes room for count more octets, and one that is not full. */
static inline bool writer_reserve(Writer *w, size_t count)
{
    size_t wanted = w->length + count + 1, capacity = w->capacity;
    uint8_t *data;

    if (wanted <= capacity)
        return true;
    while (capacity < wanted)
        capacity *= 2;
    data = w->data == w->local ? malloc(capacity) : realloc(w->data, capacity);
    if (!data)
        return false;
    if (w->data == w->local)
        memcpy(data, w->local, w->length);
    w->data = data;
    w->capacity = capacity;
    return true;
}

/* BitWriter.bits, for count <= 32; value has no bits above them. */
static inline bool write_bits(Writer *w, uint32_t value, unsigned count)
{
    if (!writer_reserve(w, 5))
        return false;
    w->window = w->window << count | value;
    w->held += count;
    while (w->held >= 8) {
        w->held -= 8;
        w->data[w->length++] = (uint8_t)(w->window >> w->held);
    }
    return true;
}

/* BitWriter.octets */
static inline bool write_octets(Writer *w, const uint8_t *from, size_t count)
{
    if (!writer_reserve(w, count))
        return false;
    if (!w->held) {
        memcpy(w->data + w->length, from, count);
        w->length += count;
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        w->window = w->window << 8 | from[i];
        w->data[w->length++] = (uint8_t)(w->window >> w->held);
    }
    return true;
}

/* BitWriter.unsigned */
static inline bool write_unsigned(Writer *w, uint64_t value)
{
    while (value >= 0x80) {
        if (!write_bits(w, (uint32_t)(value & 0x7F) | 0x80, 8))
            return false;
        value >>= 7;
    }
    return write_bits(w, (uint32_t)value, 8);
}

/* The last octet, padded with zero bits. */
static inline void writer_finish(Writer *w)
{
    if (w->held) /* writer_reserve has kept room for it */
        w->data[w->length++] = (uint8_t)(w->window << (8 - w->held));
    w->held = 0;
}

#endif
