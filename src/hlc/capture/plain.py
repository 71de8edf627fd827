"""A message as plain data: for JSON, and as a tree for a reader. Elements bear the names that they have on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import msgspec

from hlc.trace.describe import quantity, text


def element_name(field: str, value: Any) -> str:
    """The name of the element in a field: where a head stands in the schema, that of the member in its place."""
    kind = type(value)
    return kind.__name__ if any(base.__name__ == field for base in kind.__mro__[1:]) else field


def plain(value: Any) -> Any:
    """Structs as dictionaries without what is absent, octets as hexadecimal, addresses as text; the rest as it is."""
    if isinstance(value, msgspec.Struct):
        return {
            element_name(name, item): plain(item)
            for name in value.__struct_fields__
            if (item := getattr(value, name)) is not None
        }
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value if isinstance(value.value, str) else value.name
    return value if isinstance(value, (str, int, float, bool)) else str(value)


def tree(name: str, value: Any, depth: int = 0) -> Iterator[str]:
    """A message as indented lines, quantities in physical units."""
    indent = "  " * depth
    number = quantity(value, name) if isinstance(value, msgspec.Struct) else None
    if number is not None:
        yield f"{indent}{name}: {number}"
    elif isinstance(value, msgspec.Struct):
        yield f"{indent}{name}"
        for field in value.__struct_fields__:
            item = getattr(value, field)
            if item is not None and item != []:
                yield from tree(element_name(field, item), item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from tree(name, item, depth)
    else:
        yield f"{indent}{name}: {text(value)}"
