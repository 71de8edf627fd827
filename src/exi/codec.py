"""The Python engine: the reference that the C engine is held against, and the one that explains errors.

Both engines walk the tables of `exi.grammar` in the same way. A document is bit-packed, schema-informed and not
strict, with default fidelity options and without string tables (EXI 1.0; ISO 15118-2, 7.9.1.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from exi.bits import BIG_BITS, BitReader, BitWriter, Malformed
from exi.declare import Message
from exi.errors import DecodeError, EncodeError
from exi.grammar import Event, Field, Grammar, Kind, Production, Simple, State, TypeGrammar

HEADER: Final = 0x80
"""Distinguishing bits 10, no options, final version 1."""

SURROGATE: Final = re.compile("[\ud800-\udfff]")

EMPTY_VALUE_BITS: Final = 3
"""Width of the second-level event codes before an element's value; code 0 is the end of the element."""


class Cursor:
    """Where one reads or writes in a type's automaton: the state, and how many items of a counted list there are."""

    __slots__ = ("count", "field", "lenient", "state")

    def __init__(self, start: State, *, lenient: bool = False) -> None:
        self.state = start
        self.field: Field | None = None
        self.count = 0
        self.lenient = lenient

    def advance(self, production: Production) -> None:
        """Step over a production."""
        after, field = production.next, production.field
        if field is not None and field.counted:
            self.count = self.count + 1 if field is self.field else 1
            self.field = field
            if self.count > field.maximum:
                raise Malformed(f"more than {field.maximum} items")
            if self.count < field.minimum:
                after = production.again
            elif self.count == field.maximum and not self.lenient:
                after = production.full
        assert after is not None
        self.state = after


class Decoder:
    """Reads one document. `lenient` expects the two-bit code that some peers write after a full list."""

    def __init__(self, grammar: Grammar, data: bytes, *, lenient: bool = False) -> None:
        self.grammar = grammar
        self.reader = BitReader(data)
        self.lenient = lenient
        self.path: list[str] = []
        self.start = 0
        """Where the event code or value began that is being read."""

    def document(self) -> Message:
        return self.guard(self.grammar.document, self.grammar.document.bits, None)

    def fragment(self) -> Message:
        return self.guard(self.grammar.fragment, self.grammar.fragment_bits, self.grammar.fragment_end)

    def guard(self, state: State, bits: int, end: int | None) -> Message:
        try:
            if self.reader.bits(8) != HEADER:
                raise Malformed("not an EXI document: it does not begin with the octet 80")
            message: Message = self.element(self.production(state, bits))
            if end is not None:
                self.start = self.reader.bit
                if self.reader.bits(bits) != end:
                    raise Malformed("the fragment does not end after its element")
            return message
        except Malformed as error:
            raise DecodeError(".".join(self.path), str(error), self.start) from None

    def production(self, state: State, bits: int) -> Production:
        """Read an event code."""
        self.start = self.reader.bit
        code = self.reader.bits(bits)
        if code >= len(state.productions):
            raise Malformed(f"event code {code} stands for nothing in the schema here")
        production = state.productions[code]
        if production.event is Event.REFUSED:
            raise Malformed(f"event code {code} stands for {describe(production)}, which is not read here")
        return production

    def element(self, production: Production) -> Any:
        """Read what follows SE(name): a value or a type."""
        self.path.append(production.name[0])
        value = self.message(production.type) if production.type else self.simple_element(production.simple)
        self.path.pop()
        return value

    def message(self, grammar: TypeGrammar) -> Message:
        values: dict[str, Any] = {f.name: [] for f in grammar.fields if f.repeated}
        cursor = Cursor(grammar.start, lenient=self.lenient)
        while True:
            state = cursor.state
            if self.empty_value(state):
                field = state.productions[-1].field
                assert field is not None
                values[field.name] = self.nothing(state.productions[-1].simple)
                break
            production = self.production(state, state.bits)
            if production.event is Event.END:
                break
            field = production.field
            assert field is not None
            cursor.advance(production)
            if production.event is Event.ELEMENT:
                value = self.element(production)
            else:
                self.path.append(field.name)
                value = self.value(production.simple)
                self.path.pop()
            if field.repeated:
                values[field.name].append(value)
            else:
                values[field.name] = value
        return grammar.cls(**{f.name: values.get(f.name) for f in grammar.fields})

    def simple_element(self, simple: Simple | None) -> Any:
        """CH, the value, EE: each a lone production of one bit. Or EE at once, for the empty value."""
        self.start = self.reader.bit
        if self.reader.bits(1):
            self.reader.bit -= 1
            if not self.second_level_end(1):
                raise Malformed("event code 1 stands for nothing in the schema here")
            return self.nothing(simple)
        value = self.value(simple)
        self.start = self.reader.bit
        if self.reader.bits(1):
            raise Malformed("event code 1 stands for nothing in the schema here")
        return value

    def empty_value(self, state: State) -> bool:
        """Whether an element with simple content ends here without its value."""
        if not state.productions or state.productions[-1].event is not Event.TEXT:
            return False
        self.start = self.reader.bit
        if self.second_level_end(state.bits, len(state.productions)):
            return True
        self.reader.bit = self.start
        return False

    def second_level_end(self, bits: int, escape: int = 1) -> bool:
        """Read the escape and the second-level EE that EXIficient writes for an empty value."""
        reader = self.reader
        if reader.bit + bits + EMPTY_VALUE_BITS > reader.size:
            return False
        return reader.bits(bits) == escape and reader.bits(EMPTY_VALUE_BITS) == 0

    def nothing(self, simple: Simple | None) -> str | bytes:
        """The empty value of a simple type."""
        if simple is None or simple.kind not in (Kind.STRING, Kind.BINARY) or simple.minimum:
            raise Malformed("the value is missing")
        return "" if simple.kind is Kind.STRING else b""

    def value(self, simple: Simple | None) -> Any:
        assert simple is not None
        self.start = self.reader.bit
        value = self.read(simple)
        check(simple, value)
        return value

    def read(self, simple: Simple) -> Any:
        reader, kind = self.reader, simple.kind
        if kind is Kind.BOOLEAN:
            return reader.bits(1) == 1
        if kind is Kind.BITS:
            assert simple.minimum is not None
            return reader.bits(simple.bits) + simple.minimum
        if kind is Kind.UNSIGNED:
            return reader.unsigned() if simple.maximum is not None else reader.unbounded()
        if kind is Kind.INTEGER:
            return reader.integer(bounded=simple.maximum is not None)
        if kind is Kind.ENUM:
            index = reader.bits(simple.bits)
            if index >= len(simple.members):
                raise Malformed(f"value {index} of an enumeration of {len(simple.members)}")
            return simple.members[index]
        if kind is Kind.STRING:
            return reader.string(simple.maximum)
        length = reader.unsigned()
        if simple.maximum is not None and length > simple.maximum:
            raise Malformed(f"{length} octets, more than {simple.maximum}")
        return reader.octets(length)


def describe(production: Production) -> str:
    return "a wildcard" if production.name[0] == "*" else production.name[0]


def check(simple: Simple, value: Any) -> None:
    """Hold a value against its type and facets."""
    kind = simple.kind
    if kind is Kind.BOOLEAN:
        if value is not True and value is not False:
            raise Malformed(f"{value!r} is neither true nor false")
    elif kind is Kind.ENUM:
        if not any(value is member for member in simple.members):
            names = ", ".join(str(member.value) for member in simple.members)
            raise Malformed(f"{value!r} is no {type(simple.members[0]).__name__}: {names}")
    elif kind in (Kind.STRING, Kind.BINARY):
        wanted, unit = (str, "characters") if kind is Kind.STRING else (bytes, "octets")
        if type(value) is not wanted:
            raise Malformed(f"{value!r} is not {wanted.__name__}")
        if simple.maximum is not None and len(value) > simple.maximum:
            raise Malformed(f"{len(value)} {unit}, more than {simple.maximum}")
        if simple.minimum is not None and len(value) < simple.minimum:
            raise Malformed(f"{len(value)} {unit}, less than {simple.minimum}")
        if isinstance(value, str) and SURROGATE.search(value):
            raise Malformed("half of a surrogate pair is no character")
    else:
        if type(value) is not int:
            raise Malformed(f"{value!r} is no whole number")
        if simple.maximum is None and (value if value >= 0 else ~value).bit_length() > BIG_BITS:
            raise Malformed(f"the number is longer than {BIG_BITS} bits")
        if simple.maximum is not None and value > simple.maximum:
            raise Malformed(f"{value} is above {simple.maximum}")
        if simple.minimum is not None and value < simple.minimum:
            raise Malformed(f"{value} is below {simple.minimum}")


def write(writer: BitWriter, simple: Simple, value: Any) -> None:
    """Write a value that `check` has passed."""
    kind = simple.kind
    if kind is Kind.BOOLEAN:
        writer.bits(value, 1)
    elif kind is Kind.BITS:
        writer.bits(value - simple.minimum, simple.bits)
    elif kind is Kind.UNSIGNED:
        writer.unsigned(value)
    elif kind is Kind.INTEGER:
        writer.integer(value)
    elif kind is Kind.ENUM:
        writer.bits(next(i for i, member in enumerate(simple.members) if member is value), simple.bits)
    elif kind is Kind.STRING:
        writer.string(value)
    else:
        writer.unsigned(len(value))
        writer.octets(value)


Step = tuple[State, int, Production, Any]
"""A state, the event code chosen there, its production, and the value or message it carries."""


def walk(grammar: TypeGrammar, message: Message) -> Iterator[Step]:
    """The events of a message in document order; what the schema forbids is `Malformed`."""
    cursor = Cursor(grammar.start)
    done = [0] * len(grammar.fields)
    while True:
        for code, production in enumerate(cursor.state.productions):
            field = production.field
            if field is None:
                if production.event is not Event.END:
                    continue
                if any(waits(p, message, done) for p in cursor.state.productions[code + 1 :]):
                    continue  # the code of characters in mixed content comes after that of the end
                leftover(grammar, message, done)
                yield cursor.state, code, production, None
                return
            if not waits(production, message, done):
                continue
            item = pending(message, field, done)
            yield cursor.state, code, production, item
            done[field.index] += 1
            cursor.advance(production)
            break
        else:
            stuck(grammar, message, done, cursor.state)


ABSENT: Final = object()


def pending(message: Message, field: Field, done: list[int]) -> Any:
    """The next item of a field that is still to be written, or ABSENT."""
    value = getattr(message, field.name, ABSENT)
    if not field.repeated:
        return ABSENT if done[field.index] or value is None else value
    if type(value) is not list:
        raise Malformed(f"{field.name} is no list")
    index = done[field.index]
    return value[index] if index < len(value) else ABSENT


def waits(production: Production, message: Message, done: list[int]) -> bool:
    """Whether the next item of a production's field is there, and can be carried by it."""
    if production.field is None:
        return False
    item = pending(message, production.field, done)
    return item is not ABSENT and fits(production, item)


def fits(production: Production, item: Any) -> bool:
    if production.event is Event.REFUSED:
        return False
    if production.event is Event.MIXED:
        return type(item) is str
    return production.type is None or type(item) is production.type.cls


def leftover(grammar: TypeGrammar, message: Message, done: list[int]) -> None:
    """At the end nothing may be left that was not written."""
    for field in grammar.fields:
        if pending(message, field, done) is not ABSENT:
            if field.repeated and field.counted:
                raise Malformed(f"{field.name} has more than {field.maximum} items, or one that is not of its type")
            raise Malformed(f"{field.name} may not stand here")


def stuck(grammar: TypeGrammar, message: Message, done: list[int], state: State) -> None:
    """Say why no event of a state fits the message."""
    wanted = dict.fromkeys(p.name[0] or (p.field.name if p.field else "") for p in state.productions)
    for production in state.productions:
        field = production.field
        if field is not None:
            item = pending(message, field, done)
            if item is not ABSENT:
                raise Malformed(f"{field.name} holds {type(item).__name__}; it may hold {' or '.join(wanted)}")
    for production in state.productions:
        if production.field is not None and production.field.counted:
            raise Malformed(f"{production.field.name} has fewer than {production.field.minimum} items")
    raise Malformed(f"{' or '.join(wanted)} is missing")


class Encoder:
    """Writes one document."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.writer = BitWriter()
        self.path: list[str] = []

    def document(self, message: Message) -> bytes:
        return self.guard(self.grammar.document, self.grammar.document.bits, None, message)

    def fragment(self, message: Message) -> bytes:
        return self.guard(self.grammar.fragment, self.grammar.fragment_bits, self.grammar.fragment_end, message)

    def guard(self, state: State, bits: int, end: int | None, message: Message) -> bytes:
        codes = (c for c, p in enumerate(state.productions) if p.type is not None and type(message) is p.type.cls)
        code = next(codes, None)
        if code is None:
            raise EncodeError("", f"{type(message).__name__} is no element of {self.grammar.name}")
        production = state.productions[code]
        try:
            if production.event is Event.REFUSED:
                raise Malformed(f"{production.name[0]} is not written here")
            self.writer.bits(HEADER, 8)
            self.writer.bits(code, bits)
            self.item(production, message)
            if end is not None:
                self.writer.bits(end, bits)
        except Malformed as error:
            raise EncodeError(".".join(self.path), str(error)) from None
        return self.writer.bytes()

    def item(self, production: Production, item: Any) -> None:
        """Write what a production carries."""
        writer = self.writer
        self.path.append(production.name[0] or (production.field.name if production.field else ""))
        if production.type is not None:
            for state, code, inner, value in walk(production.type, item):
                writer.bits(code, state.bits)
                if inner.event is not Event.END:
                    self.item(inner, value)
        else:
            assert production.simple is not None
            check(production.simple, item)
            element = production.event is Event.ELEMENT
            if element:
                writer.bits(0, 1)
            write(writer, production.simple, item)
            if element:
                writer.bits(0, 1)
        self.path.pop()
