"""Trace events as JSON, one object per line: for machines.

Every object has "event" and "at"; the rest are the event's fields. States are given by code and name, octets in
hexadecimal, messages by the standard's own element names, without the elements that are absent.
"""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv6Address
from typing import Any, Protocol

import msgspec

from hlc.ids import ChargePointState, VehicleState
from hlc.trace.events import Event


class Writer(Protocol):
    """What a consumer writes to."""

    def write(self, text: str, /) -> object: ...


class JsonLines:
    """A trace that writes each event as one line of JSON."""

    def __init__(self, stream: Writer) -> None:
        self._stream = stream
        self._encoder = msgspec.json.Encoder()

    def __call__(self, event: Event) -> None:
        self._stream.write(self._encoder.encode(plain_event(event)).decode() + "\n")


def plain_event(event: Event) -> dict[str, Any]:
    """An event as numbers, text, lists and mappings."""
    fields = {name: plain(getattr(event, name)) for name in event.__struct_fields__}
    return {"event": type(event).__name__.lower(), **fields}


def plain(value: Any) -> Any:
    """A value as numbers, text, lists and mappings."""
    match value:
        case VehicleState() | ChargePointState():
            return {"code": int(value), "name": value.label}
        case Enum():
            return value.value if isinstance(value, str) else value.name
        case bytes():
            return value.hex()
        case IPv6Address():
            return str(value)
        case float():
            return round(value, 6)
        case list() | tuple():
            return [plain(item) for item in value]
        case msgspec.Struct():
            return {
                element_name(value, name): plain(item)
                for name in value.__struct_fields__
                if (item := getattr(value, name)) is not None
            }
        case _:
            return value


def element_name(parent: msgspec.Struct, field: str) -> str:
    """The name under which a field's value stands in the message: a member of a substitution group bears its own."""
    kind = type(getattr(parent, field))
    heads = {base.__name__ for base in kind.__mro__[1:]}
    return kind.__name__ if field in heads else field
