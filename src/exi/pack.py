"""The compiled grammar laid out for the C engine: 32-bit words as drawn in `native/table.h`, and the Python objects
that they refer to by index."""

from __future__ import annotations

import struct
from typing import Any, Final

from exi.declare import UNBOUNDED
from exi.grammar import Field, Grammar, Simple, State, states_of

NONE: Final = UNBOUNDED
"""No such thing, in a word of the packed table."""


def pack(grammar: Grammar) -> tuple[bytes, tuple[Any, ...]]:
    """Lay a grammar out for the C engine: words as drawn in `native/table.h`, and the Python objects they refer to."""
    objects: list[Any] = []
    types = grammar.types
    type_index = {id(t): i for i, t in enumerate(types)}
    states: list[State] = [grammar.document, grammar.fragment]
    fields: list[Field] = []
    field_index: dict[int, int] = {}
    type_words: list[int] = []
    for t in types:
        type_words += [len(objects), len(states), len(fields), len(t.fields), t.cost]
        objects.append(t.cls)
        for f in t.fields:
            field_index[id(f)] = len(fields)
            fields.append(f)
        states += states_of(t)
    state_index = {id(s): i for i, s in enumerate(states)}
    state_words: list[int] = []
    production_words: list[int] = []
    simple_words: list[int] = []
    simple_index: dict[Simple, int] = {}
    for state in states:
        state_words += [len(production_words) // 6, len(state.productions), state.bits]
        for p in state.productions:
            if p.simple is not None and p.simple not in simple_index:
                simple_index[p.simple] = len(simple_index)
                simple_words += pack_simple(p.simple, objects)
            production_words += [
                p.event | (0x100 if p.type is not None else 0),
                NONE if p.field is None else field_index[id(p.field)],
                type_index[id(p.type)] if p.type is not None else NONE if p.simple is None else simple_index[p.simple],
                *(NONE if s is None else state_index[id(s)] for s in (p.next, p.again, p.full)),
            ]
    field_words: list[int] = []
    for f in fields:
        field_words += [len(objects), int(f.repeated) | int(f.counted) << 1, f.minimum, f.maximum]
        objects.append(f.name)
    sections = (type_words, field_words, state_words, production_words, simple_words)
    words = [len(section) for section in sections] + [w for section in sections for w in section]
    return struct.pack(f"<{len(words)}I", *words), tuple(objects)


def pack_simple(simple: Simple, objects: list[Any]) -> list[int]:
    """Kind and bounds; a bound is two words, an absent bound is told by a flag."""
    low = 0 if simple.minimum is None else simple.minimum & (2**64 - 1)
    high = 0 if simple.maximum is None else simple.maximum & (2**64 - 1)
    flags = (simple.minimum is not None) | (simple.maximum is not None) << 1
    members = NONE
    if simple.members:
        members = len(objects)
        objects.append(simple.members)
    return [simple.kind, simple.bits, flags, low & NONE, low >> 32, high & NONE, high >> 32, members]
