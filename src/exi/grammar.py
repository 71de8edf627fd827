"""The compiled grammar: tables that both engines, the XML reader and the C packer walk. `exi.compiler` makes them.

A type becomes a small automaton: a `State` lists, in the order of their event codes, the `Production`s that may come
next; the escape code of the non-strict grammar follows the last of them (EXI 1.0, 8.5.4.4).
"""

from __future__ import annotations

import functools
from enum import Enum, IntEnum
from typing import Any, Final

import msgspec

from exi.bits import Malformed
from exi.declare import HOME, Element, Message, Namespace

QName = tuple[str, str]
"""Local name and namespace URI: the order in which EXI sorts names."""

NUMBER: Final = 32
TEXT: Final = 80
OCTETS: Final = 48
LIST: Final = 64
ITEM: Final = 16
"""Octets of memory that values and lists take at most, without their characters, octets and items."""


class Kind(IntEnum):
    """How a simple value is coded."""

    BOOLEAN = 0
    BITS = 1
    """A narrow integer: n bits, offset by the minimum."""
    UNSIGNED = 2
    INTEGER = 3
    ENUM = 4
    STRING = 5
    BINARY = 6


class Event(IntEnum):
    """What a production stands for."""

    ATTRIBUTE = 0
    ELEMENT = 1
    TEXT = 2
    """The value of an element with simple content."""
    MIXED = 3
    """Characters between the children of an element with mixed content."""
    END = 4
    ANY = 5
    """A wildcard: `exi.wildcard` reads and writes what comes there. The namespace of its name is the excluded one."""
    REFUSED = 6
    """Has an event code, but may not come: a global element that is no document."""


class Simple(msgspec.Struct, frozen=True):
    """A simple type. `minimum` and `maximum` bound the value of a number and the length of anything else."""

    kind: Kind
    minimum: int | None = None
    maximum: int | None = None
    bits: int = 0
    members: tuple[Enum, ...] = ()
    hexadecimal: bool = False

    def cost(self, value: Any) -> int:
        """Octets of memory that a value takes at most. What Python keeps one of for all takes none."""
        if self.kind in (Kind.UNSIGNED, Kind.INTEGER) or (self.kind is Kind.BITS and self.bits > 8):
            return NUMBER
        if not value or self.kind not in (Kind.STRING, Kind.BINARY):
            return 0
        return TEXT + 4 * len(value) if self.kind is Kind.STRING else OCTETS + len(value)


class Field(msgspec.Struct):
    """A field of a message class. `maximum` is 1 and `repeated` false for what occurs once."""

    name: str
    index: int
    repeated: bool = False
    minimum: int = 1
    maximum: int = 1
    counted: bool = False
    """Whether `minimum` and `maximum` decide on the state after an item (else the content model alone does)."""


class Production(msgspec.Struct):
    """One alternative at a state. A repeated field's item leads to `again`, `next` or `full` by the number of items."""

    event: Event
    name: QName
    field: Field | None = None
    simple: Simple | None = None
    type: TypeGrammar | None = None
    next: State | None = None
    again: State | None = None
    full: State | None = None

    def __repr__(self) -> str:  # of the whole graph it would be as long as the schema, many times over
        return f"Production({self.event!r}, {self.name!r})"


class State(msgspec.Struct):
    """Productions in the order of their event codes, and the width of the code, the escape included."""

    productions: list[Production] = []
    bits: int = 0

    def __post_init__(self) -> None:
        self.bits = len(self.productions).bit_length()


class TypeGrammar(msgspec.Struct):
    """The grammar of one message class."""

    cls: type[Message]
    namespace: Namespace
    fields: list[Field] = []
    start: State = msgspec.field(default_factory=State)

    @property
    def cost(self) -> int:
        """Octets of memory that an instance takes with empty lists, but without its values."""
        return self.cls.__basicsize__ + LIST * sum(f.repeated for f in self.fields)


class Grammar(msgspec.Struct, dict=True):
    """The compiled grammar of a schema."""

    name: str
    document: State
    """Every global element, sorted; those that are no document are refused. The escape code stands for SE(*)."""
    fragment: State
    """Every element name of the schema, sorted; then SE(*), then the end."""
    types: list[TypeGrammar]
    globals: dict[QName, TypeGrammar]
    """The type of every global element."""
    namespaces: tuple[Namespace, ...]
    known_names: dict[str, list[str] | None] | None = None
    """For `exi.wildcard`, which makes it when first needed."""

    @property
    def fragment_bits(self) -> int:
        return (len(self.fragment.productions) + 1).bit_length()

    @property
    def fragment_end(self) -> int:
        return len(self.fragment.productions) + 1

    @functools.cached_property
    def own_names(self) -> dict[type[Message], int]:
        """The fragment's code of the element that a message stands for by its class: the global element of the
        class's name, or else the only one of its type."""
        found: dict[type[Message], list[int]] = {}
        for code, production in enumerate(self.fragment.productions):
            if production.type is not None:
                found.setdefault(production.type.cls, []).append(code)
        own: dict[type[Message], int] = {}
        for cls, codes in found.items():
            codes = [c for c in codes if self.fragment.productions[c].name == qname(cls)] or codes
            if len(codes) == 1:
                own[cls] = codes[0]
        return own

    def named(self, code: int, value: Any) -> Message | Element:
        """An element as the user gets it: the message alone where that tells the element's name."""
        if self.own_names.get(type(value)) == code:
            message: Message = value
            return message
        local, uri = self.fragment.productions[code].name
        return Element(local, value, uri)

    def element(self, element: Message | Element) -> tuple[int, Any]:
        """The fragment's code of an element, and its value. Raises `Malformed` where the schema has no such element."""
        if not isinstance(element, Element):
            code = self.own_names.get(type(element))
            if code is not None:
                return code, element
            names = [p.name[0] for p in self.fragment.productions if p.type and p.type.cls is type(element)]
            if not names:
                raise Malformed(f"{type(element).__name__} is no element of {self.name}")
            raise Malformed(
                f"{type(element).__name__} is the type of {', '.join(names)}: say which by exi.Element(name, value)"
            )
        local, value, uri = element
        codes = [
            code for code, p in enumerate(self.fragment.productions) if p.name[0] == local and uri in (None, p.name[1])
        ]
        if len(codes) != 1:
            found = "several elements" if codes else "no element"
            raise Malformed(f"{self.name} has {found} of the name {local}")
        production = self.fragment.productions[codes[0]]
        if production.type is not None and type(value) is not production.type.cls:
            raise Malformed(f"{local} holds {production.type.cls.__name__}, not {type(value).__name__}")
        return codes[0], value


def qname(cls: type[Message]) -> QName:
    """The name of a class as an element: a global one, or the local one of a repeated choice."""
    return cls.__name__, HOME[cls].uri


def states_of(grammar: TypeGrammar) -> list[State]:
    """Every state of a type that can be reached, the first one first."""
    found = [grammar.start]
    seen = {id(grammar.start)}
    for state in found:
        for production in state.productions:
            for after in (production.next, production.again, production.full):
                if after is not None and id(after) not in seen:
                    seen.add(id(after))
                    found.append(after)
    return found
