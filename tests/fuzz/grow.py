"""Streams grown from the grammar: random ones that together take every way through it, some with values that are
forbidden, some with long lists.

Where the fuzzer begins. Changing what others have recorded does not get it everywhere in nine schemas.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import exi
from exi.bits import BitWriter
from exi.codec import HEADER, Cursor, write
from exi.grammar import Event, Field, Grammar, Kind, Production, Simple, TypeGrammar

LONG = 200
"""Octets after which a stream takes the shortest way to its end."""
TRIES = 3
"""Streams with nothing new after which a root element has been grown."""


def write_good(rng: random.Random, writer: BitWriter, simple: Simple) -> None:
    """A value that the schema allows."""
    value: Any
    if simple.kind is Kind.BOOLEAN:
        value = rng.random() < 0.5
    elif simple.kind is Kind.ENUM:
        value = rng.choice(simple.members)
    elif simple.kind in (Kind.STRING, Kind.BINARY):
        least = simple.minimum or 0
        length = rng.randint(least, min(least + 3, simple.maximum or least + 3))
        value = "".join(rng.choices("aZ0 é€😀", k=length)) if simple.kind is Kind.STRING else rng.randbytes(length)
    else:
        low = -(2**70) if simple.minimum is None else simple.minimum
        high = 2**70 if simple.maximum is None else simple.maximum
        near = [n for n in (-(2**15), -1, 0, 1, 127, 128, 2**16, 2**63) if low <= n <= high]
        value = rng.choice([low, high, rng.randint(low, high), *near])
    write(writer, simple, value)


def write_bad(rng: random.Random, writer: BitWriter, simple: Simple) -> None:
    """A value that the schema forbids, or nearly so."""
    large = rng.choice([simple.maximum or 0, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**70, 2**4095 - 1, 2**4095])
    large += rng.choice([0, 1])
    if simple.kind is Kind.STRING:
        points = rng.choices(
            [0xD7FF, 0xD800, 0xDFFF, 0xE000, 0x10FFFF, 0x110000, 2**32, 0x61, 0x80], k=rng.randint(0, 3)
        )
        writer.unsigned(rng.choice([len(points) + 2, large, 0, 1]))
        for point in points:
            writer.unsigned(point)
    elif simple.kind is Kind.BINARY:
        writer.unsigned(rng.choice([0, 1, large]))
    elif simple.kind is Kind.UNSIGNED:
        writer.unsigned(large)
    elif simple.kind is Kind.INTEGER:
        writer.integer(rng.choice([large, ~large]))
    else:
        writer.bits((1 << simple.bits) - 1, simple.bits)


class DeadEndError(Exception):
    """Only a wildcard leads on from here, and none is grown."""


class Growing:
    """One stream."""

    def __init__(self, rng: random.Random, reached: set[int], *, bad: float = 0, stay: float = 0) -> None:
        """`bad` values among 1, and how often a list gets one more item."""
        self.rng = rng
        self.reached = reached
        self.bad = bad
        self.stay = stay
        self.new = False
        self.writer = BitWriter()

    def root(self, grammar: Grammar, code: int, fragment: bool) -> bytes:
        state = grammar.fragment if fragment else grammar.document
        bits = grammar.fragment_bits if fragment else state.bits
        self.writer.bits(HEADER, 8)
        self.writer.bits(code, bits)
        with suppress(DeadEndError):
            self.item(state.productions[code])
            if fragment:
                self.writer.bits(grammar.fragment_end, bits)
        return self.writer.bytes()

    def item(self, production: Production) -> None:
        if production.type is not None:
            self.message(production.type)
            return
        element = production.event is Event.ELEMENT
        if element:
            self.writer.bits(0, 1)
        simple = production.simple
        assert simple is not None
        (write_bad if self.rng.random() < self.bad else write_good)(self.rng, self.writer, simple)
        if element:
            self.writer.bits(0, 1)

    def message(self, grammar: TypeGrammar) -> None:
        cursor = Cursor(grammar.start)
        field = None
        while True:
            state = cursor.state
            code = self.choose(state.productions, field)
            production = state.productions[code]
            self.new |= id(production) not in self.reached
            self.reached.add(id(production))
            self.writer.bits(code, state.bits)
            if production.event is Event.END:
                return
            cursor.advance(production)
            field = production.field
            self.item(production)

    def choose(self, productions: list[Production], field: Field | None) -> int:
        """The code of a production that was never taken; else of any; in the end of that which leads to the end."""
        codes = [code for code, p in enumerate(productions) if p.event not in (Event.ANY, Event.REFUSED)]
        if self.writer.bit > 8 * LONG:
            onward = [code for code in codes if productions[code].event is not Event.MIXED]
            if not onward:
                raise DeadEndError
            return onward[-1]
        same = [code for code in codes if productions[code].field is field is not None]
        if same and self.rng.random() < self.stay:
            return self.rng.choice(same)
        unseen = [code for code in codes if id(productions[code]) not in self.reached]
        return self.rng.choice(unseen or codes)


def grow(name: str, seed: int = 0) -> list[tuple[bool, bytes]]:
    """Fragments and documents of a schema, whether each is a fragment first."""
    rng = random.Random(seed)
    grammar = exi.schema(name).grammar
    reached: set[int] = set()
    found = []
    for fragment in (False, True):
        for code, production in enumerate((grammar.fragment if fragment else grammar.document).productions):
            if production.event is not Event.ELEMENT:
                continue
            tries = 0
            while tries < TRIES:
                stream = Growing(rng, reached)
                data = stream.root(grammar, code, fragment)
                if stream.new:
                    found.append((fragment, data))
                tries = 0 if stream.new else tries + 1
            for stream in Growing(rng, reached, bad=0.1), Growing(rng, reached, stay=0.99):
                found.append((fragment, stream.root(grammar, code, fragment)))
    return found
