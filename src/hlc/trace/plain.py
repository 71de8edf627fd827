"""A message or event as plain data: for JSON, and as a tree for a reader. Elements bear the names that they have on the
wire, octets are hexadecimal in capitals, and what is absent is left out. `hlc.trace.record` reads messages back.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

import msgspec

from hlc.ids import ChargePointState, VehicleState
from hlc.trace.describe import quantity, text
from hlc.v2gtp import PayloadType

ALTERNATIVES: Final = "content"
"""The field of elements that hold a choice of children, in any number: there a child's class is its name."""


def element_name(field: str, value: Any) -> str:
    """The name of the element in a field: where a head stands in the schema, that of the member in its place."""
    kind = type(value)
    return kind.__name__ if any(base.__name__ == field for base in kind.__mro__[1:]) else field


def plain(value: Any) -> Any:
    """Numbers, text, lists and mappings, ready for JSON. States are given by code and name."""
    match value:
        case msgspec.Struct():
            return {element_name(name, item): _field(name, item) for name, item in _present(value)}
        case VehicleState() | ChargePointState():
            return {"code": int(value), "name": value.label}
        case PayloadType():
            return int(value)
        case Enum():
            return value.value if isinstance(value.value, str) else value.name
        case bytes():
            return value.hex().upper()
        case list() | tuple():
            return [plain(item) for item in value]
        case dict():
            return {name: plain(item) for name, item in value.items()}
        case float():
            return round(value, 6)
        case str() | int() | None:
            return value
        case _:
            return str(value)


def _present(value: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """The fields of a message that are there."""
    for name in value.__struct_fields__:
        item = getattr(value, name)
        if item is not None:
            yield name, item


def _field(name: str, value: Any) -> Any:
    if name != ALTERNATIVES or not isinstance(value, list):
        return plain(value)
    return [{type(item).__name__: plain(item)} if isinstance(item, msgspec.Struct) else item for item in value]


def tree(name: str, value: Any, depth: int = 0) -> Iterator[str]:
    """A message as indented lines, quantities in physical units."""
    indent = "  " * depth
    number = quantity(value, name) if isinstance(value, msgspec.Struct) else None
    if number is not None:
        yield f"{indent}{name}: {number}"
    elif isinstance(value, msgspec.Struct):
        yield f"{indent}{name}"
        for field, item in _present(value):
            yield from tree(element_name(field, item), item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            alternative = name == ALTERNATIVES and isinstance(item, msgspec.Struct)
            yield from tree(type(item).__name__ if alternative else name, item, depth)
    else:
        yield f"{indent}{name}: {text(value)}"
