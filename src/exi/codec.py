"""The Python engine: the reference that the C engine is held against, and the one that explains errors.

Both engines walk the tables of `exi.grammar` in the same way. A document is bit-packed, schema-informed and not
strict, with default fidelity options and without string tables (EXI 1.0; ISO 15118-2, 7.9.1.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, Final

from exi.bits import BIG_BITS, BitReader, BitWriter, Malformed
from exi.declare import Message
from exi.errors import DecodeError, EncodeError
from exi.grammar import ITEM, Event, Field, Grammar, Kind, Production, Simple, State, TypeGrammar
from exi.wildcard import WildReader, WildWriter

HEADER: Final = 0x80
"""Distinguishing bits 10, no options, final version 1."""

MAX_DEPTH: Final = 64
"""Of elements in elements. Only wildcards come near it."""

ROOM: Final = 64
"""Octets of memory that a message may take for each octet of the document that it comes in."""

SURROGATE: Final = re.compile("[\ud800-\udfff]")

SHORT: Final = {
    Event.ELEMENT: "SE",
    Event.ATTRIBUTE: "AT",
    Event.TEXT: "CH",
    Event.MIXED: "CH",
    Event.ANY: "SE",
    Event.END: "EE",
}
"""The names of the events in EXI."""

FORMS: Final = (0, 16, 1)
"""How a list ends that holds as many items as the schema allows. 0: with one bit, as EXI has it. Some peers write two
there, after lists with room for at least so many items: the codec of the package iso15118 after some of 16 and more,
libcbv2g after all."""

EMPTY_VALUE_BITS: Final = 3
"""Width of the second-level event codes before an element's value; code 0 is the end of the element."""


class Cursor:
    """Where one reads or writes in a type's automaton: the state, and how many items of a counted list there are."""

    __slots__ = ("count", "field", "lenient", "state")

    def __init__(self, start: State, *, lenient: int = 0) -> None:
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
            elif self.count == field.maximum and not 0 < self.lenient <= field.maximum:
                after = production.full
        assert after is not None
        self.state = after


class Decoder:
    """Reads one document in one of the `FORMS`."""

    def __init__(self, grammar: Grammar, data: bytes, *, lenient: int = 0) -> None:
        self.grammar = grammar
        self.reader = BitReader(data)
        self.lenient = lenient
        self.room = ROOM * len(data)
        self.full = False
        """Whether a list held as many items as the schema allows."""
        self.path: list[str] = []
        self.start = 0
        """Where the event code or value began that is being read."""
        self.note: Callable[[str, str, int | None, Any], None] | None = None
        """Told of each event code and value when it is read: event, name, code, value. See `exi.bitmap`."""

    def enter(self, cost: int) -> None:
        """Hold a message that begins against the limits of depth and memory."""
        if len(self.path) > MAX_DEPTH:
            raise Malformed(f"elements are nested deeper than {MAX_DEPTH}")
        self.take(cost)

    def take(self, octets: int) -> None:
        """Hold the memory that something takes against what is left."""
        self.room -= octets
        if self.room < 0:
            raise Malformed(f"the message would take more than {ROOM} times the memory of the input")

    @cached_property
    def wild(self) -> WildReader:
        """Reads what comes in the place of wildcards."""
        return WildReader(self)

    def root(self, *, fragment: bool) -> tuple[int, Any]:
        """The event code of a document's or a fragment's element, and its value."""
        grammar = self.grammar
        state = grammar.fragment if fragment else grammar.document
        bits = grammar.fragment_bits if fragment else state.bits
        try:
            if self.reader.bits(8) != HEADER:
                raise Malformed("not an EXI document: it does not begin with the octet 80")
            code, production = self.production(state, bits)
            value = self.element(production)
            if fragment:
                self.start = self.reader.bit
                if self.reader.bits(bits) != grammar.fragment_end:
                    raise Malformed("the fragment does not end after its element")
                if self.note is not None:
                    self.note("ED", "", grammar.fragment_end, None)
            return code, value
        except Malformed as error:
            raise DecodeError(".".join(self.path), str(error), self.start) from None

    def production(self, state: State, bits: int) -> tuple[int, Production]:
        """Read an event code."""
        self.start = self.reader.bit
        code = self.reader.bits(bits)
        if code >= len(state.productions):
            raise Malformed(f"event code {code} stands for nothing in the schema here")
        production = state.productions[code]
        if production.event is Event.REFUSED:
            raise Malformed(f"event code {code} stands for {describe(production)}, which may not come here")
        if self.note is not None:
            self.note(SHORT[production.event], production.name[0], code, None)
        return code, production

    def element(self, production: Production) -> Any:
        """Read what follows SE(name): a value or a type."""
        self.path.append(production.name[0])
        value = self.message(production.type) if production.type else self.simple_element(production.simple)
        self.path.pop()
        return value

    def message(self, grammar: TypeGrammar) -> Message:
        self.enter(grammar.cost)
        values: dict[str, Any] = {f.name: [] for f in grammar.fields if f.repeated}
        cursor = Cursor(grammar.start, lenient=self.lenient)
        while True:
            state = cursor.state
            if self.empty_value(state):
                field = state.productions[-1].field
                assert field is not None
                values[field.name] = self.nothing(state.productions[-1].simple)
                break
            _, production = self.production(state, state.bits)
            if production.event is Event.END:
                break
            field = production.field
            assert field is not None
            cursor.advance(production)
            self.full |= field.counted and cursor.count == field.maximum
            if production.event is Event.ELEMENT:
                value = self.element(production)
            elif production.event is Event.ANY:
                value = self.wild.read(production.name[1])
            else:
                self.path.append(field.name)
                value = self.value(production.simple)
                self.path.pop()
            if field.repeated:
                self.take(ITEM)
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
        if self.note is not None:
            self.note("CH", "", 0, None)
        value = self.value(simple)
        self.start = self.reader.bit
        if self.reader.bits(1):
            raise Malformed("event code 1 stands for nothing in the schema here")
        if self.note is not None:
            self.note("EE", "", 0, None)
        return value

    def empty_value(self, state: State) -> bool:
        """Whether an element with simple content ends here without its value."""
        if state.productions[-1].event is not Event.TEXT:
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
        if self.note is not None:
            self.note("EE", "", None, None)
        return "" if simple.kind is Kind.STRING else b""

    def value(self, simple: Simple | None) -> Any:
        assert simple is not None
        self.start = self.reader.bit
        value = self.read(simple)
        if self.note is not None:
            self.note("value", "", None, value)
        check(simple, value)
        self.take(simple.cost(value))
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
    return {"*": "a wildcard", "": "text or the end"}.get(production.name[0], production.name[0])


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
    if production.event is Event.ANY:
        return isinstance(item, Message)
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
        self.cost = 0
        self.path: list[str] = []

    def root(self, code: int, value: Any, *, fragment: bool) -> bytes:
        """A document or a fragment, from the event code of its element and the value of that."""
        grammar = self.grammar
        state = grammar.fragment if fragment else grammar.document
        bits = grammar.fragment_bits if fragment else state.bits
        try:
            self.writer.bits(HEADER, 8)
            self.writer.bits(code, bits)
            self.item(state.productions[code], value)
            if fragment:
                self.writer.bits(grammar.fragment_end, bits)
            data = self.writer.bytes()
            if self.cost > ROOM * len(data):
                raise Malformed(f"who reads the message would need more than {ROOM} times the memory of its document")
        except Malformed as error:
            raise EncodeError(".".join(self.path), str(error)) from None
        return data

    @cached_property
    def wild(self) -> WildWriter:
        """Writes what comes in the place of wildcards."""
        return WildWriter(self)

    def item(self, production: Production, item: Any) -> None:
        """Write what a production carries."""
        if production.event is Event.ANY:
            self.wild.write(item, production.name[1])
            return
        writer = self.writer
        self.path.append(production.name[0] or (production.field.name if production.field else ""))
        if production.type is not None:
            self.message(production.type, item)
        else:
            assert production.simple is not None
            check(production.simple, item)
            self.cost += production.simple.cost(item)
            element = production.event is Event.ELEMENT
            if element:
                writer.bits(0, 1)
            write(writer, production.simple, item)
            if element:
                writer.bits(0, 1)
        self.path.pop()

    def enter(self, cost: int) -> None:
        """Count what a message will cost who reads it; `guard` holds the sum against the octets written."""
        if len(self.path) > MAX_DEPTH:
            raise Malformed(f"elements are nested deeper than {MAX_DEPTH}")
        self.cost += cost

    def message(self, grammar: TypeGrammar, message: Message) -> None:
        """Write the content of a message."""
        self.enter(grammar.cost)
        for state, code, production, item in walk(grammar, message):
            self.writer.bits(code, state.bits)
            if production.field is not None:
                self.cost += ITEM * production.field.repeated
                self.item(production, item)
