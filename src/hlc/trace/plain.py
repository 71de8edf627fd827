"""A message or event as plain data: for JSON, and as a tree for a reader. Elements bear the names that they have on the
wire, octets are hexadecimal in capitals, and what is absent is left out. `hlc.trace.record` reads messages back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, StrEnum
from functools import cache
from operator import attrgetter
from types import NoneType
from typing import Any, Final

import msgspec
from msgspec.structs import asdict

from hlc.ids import ChargePointState, VehicleState
from hlc.trace.describe import quantity, text
from hlc.v2gtp import PayloadType

ALTERNATIVES: Final = "content"
"""The field of elements that hold a choice of children, in any number: there a child's class is its name."""


def element_name(field: str, value: object) -> str:
    """The name of the element in a field: where a head stands in the schema, that of the member in its place."""
    kind: type = type(value)
    return _place(field, kind)[0]


def plain(value: object) -> Any:
    """Numbers, text, lists and mappings, ready for JSON. States are given by code and name."""
    kind: type = type(value)
    return _maker(kind)(value)


Maker = Callable[[Any], Any]


@cache
def _maker(kind: type) -> Maker:
    """How values of a class are made plain. There are as many as the messages have."""
    if issubclass(kind, msgspec.Struct):
        return _elements
    if issubclass(kind, VehicleState | ChargePointState):
        return lambda value: {"code": int(value), "name": value.label}
    if issubclass(kind, PayloadType):
        return int
    if issubclass(kind, StrEnum):
        return attrgetter("_value_")
    if issubclass(kind, Enum):
        return lambda value: value.value if isinstance(value.value, str) else value.name
    if issubclass(kind, bytes):
        return lambda value: value.hex().upper()
    if issubclass(kind, list | tuple):
        return lambda value: [plain(item) for item in value]
    if issubclass(kind, dict):
        return lambda value: {name: plain(item) for name, item in value.items()}
    if issubclass(kind, float):
        return lambda value: round(value, 6)
    if issubclass(kind, str | int | NoneType):
        return _as_it_is
    return str


@cache
def _place(field: str, kind: type) -> tuple[str, Maker]:
    """The name of the element in a field whose value is of a class, and how that is made plain."""
    name = kind.__name__ if any(base.__name__ == field for base in kind.__mro__[1:]) else field
    return name, _alternatives if field == ALTERNATIVES and issubclass(kind, list) else _maker(kind)


def _elements(value: msgspec.Struct) -> dict[str, Any]:
    """A message, or an element with others in it: those that are there."""
    found = {}
    for field, item in asdict(value).items():
        if item is not None:
            kind: type = type(item)
            name, make = _place(field, kind)
            found[name] = item if make is _as_it_is else make(item)
    return found


def _alternatives(value: list[Any]) -> list[Any]:
    return [{type(item).__name__: plain(item)} if isinstance(item, msgspec.Struct) else item for item in value]


def _as_it_is(value: Any) -> Any:
    return value


def tree(name: str, value: Any, depth: int = 0) -> Iterator[str]:
    """A message as indented lines, quantities in physical units."""
    indent = "  " * depth
    number = quantity(value, name) if isinstance(value, msgspec.Struct) else None
    if number is not None:
        yield f"{indent}{name}: {number}"
    elif isinstance(value, msgspec.Struct):
        yield f"{indent}{name}"
        for field, item in asdict(value).items():
            if item is not None:
                yield from tree(element_name(field, item), item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            alternative = name == ALTERNATIVES and isinstance(item, msgspec.Struct)
            yield from tree(type(item).__name__ if alternative else name, item, depth)
    else:
        yield f"{indent}{name}: {text(value)}"
