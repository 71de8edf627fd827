"""Streams grown from the grammar: random ones that together take every way through it.

Where the fuzzer begins. Changing what others have recorded does not get it everywhere in nine schemas.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import exi
from exi.bits import BitWriter
from exi.codec import HEADER, Cursor, write
from exi.grammar import Event, Grammar, Kind, Production, Simple, TypeGrammar

LONG = 200
"""Octets after which a stream takes the shortest way to its end."""
TRIES = 3
"""Streams with nothing new after which a root element has been grown."""

VALUES = {
    Kind.BOOLEAN: lambda rng, _: rng.random() < 0.5,
    Kind.BITS: lambda rng, simple: rng.randint(simple.minimum, simple.maximum),
    Kind.UNSIGNED: lambda rng, simple: number(rng, simple),
    Kind.INTEGER: lambda rng, simple: number(rng, simple),
    Kind.ENUM: lambda rng, simple: rng.choice(simple.members),
    Kind.STRING: lambda rng, simple: "".join(rng.choices("aZ0 é€😀", k=length(rng, simple))),
    Kind.BINARY: lambda rng, simple: rng.randbytes(length(rng, simple)),
}


def number(rng: random.Random, simple: Simple) -> int:
    low = -(2**70) if simple.minimum is None else simple.minimum
    high = 2**70 if simple.maximum is None else simple.maximum
    near = [n for n in (-(2**15), -1, 0, 1, 127, 128, 2**16, 2**63) if low <= n <= high]
    return rng.choice([low, high, rng.randint(low, high), *near])


def length(rng: random.Random, simple: Simple) -> int:
    least = simple.minimum or 0
    return rng.randint(least, min(least + 3, simple.maximum or least + 3))


class DeadEndError(Exception):
    """Only a wildcard leads on from here, and none is grown."""


class Growing:
    """One stream."""

    def __init__(self, rng: random.Random, reached: set[int]) -> None:
        self.rng = rng
        self.reached = reached
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
        value: Any = VALUES[simple.kind](self.rng, simple)
        write(self.writer, simple, value)
        if element:
            self.writer.bits(0, 1)

    def message(self, grammar: TypeGrammar) -> None:
        cursor = Cursor(grammar.start)
        while True:
            state = cursor.state
            code = self.choose(state.productions)
            production = state.productions[code]
            self.new |= id(production) not in self.reached
            self.reached.add(id(production))
            self.writer.bits(code, state.bits)
            if production.event is Event.END:
                return
            cursor.advance(production)
            self.item(production)

    def choose(self, productions: list[Production]) -> int:
        """The code of a production that was never taken; else of any; in the end of that which leads to the end."""
        codes = [code for code, p in enumerate(productions) if p.event not in (Event.ANY, Event.REFUSED)]
        if self.writer.bit > 8 * LONG:
            onward = [code for code in codes if productions[code].event is not Event.MIXED]
            if not onward:
                raise DeadEndError
            return onward[-1]
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
                found.append((fragment, stream.root(grammar, code, fragment)))
                tries = 0 if stream.new else tries + 1
    return found
