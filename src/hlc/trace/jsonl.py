"""Trace events as JSON, one object per line: for machines.

Every object has "event" and "at"; the rest are the event's fields. States are given by code and name, octets in
hexadecimal, messages by the standard's own element names, without the elements that are absent.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import msgspec

from hlc.trace.events import Event, Mme
from hlc.trace.homeplug import record
from hlc.trace.plain import plain

KEYS: Final = {"nmk", "new_key", "key", "dak"}
"""Fields of HomePlug messages that a log does without: who has them is in the network. `hlc decode` shows them."""


class Writer(Protocol):
    """What a consumer writes to."""

    def write(self, text: str, /) -> object: ...


class JsonLines:
    """A trace that writes each event as one line of JSON, with `marks` in it: of which interface, of which session."""

    def __init__(self, stream: Writer, **marks: str | int) -> None:
        self._stream = stream
        self._marks = marks
        self._encoder = msgspec.json.Encoder()

    def __call__(self, event: Event) -> None:
        self._stream.write(self._encoder.encode({**plain_event(event), **self._marks}).decode() + "\n")


def plain_event(event: Event) -> dict[str, Any]:
    """An event as numbers, text, lists and mappings."""
    if isinstance(event, Mme):
        told = record(event)
        for name in KEYS & told.get("fields", {}).keys():
            del told["fields"][name]
        return {"event": "mme", "at": plain(event.at), **told}
    fields = {name: plain(getattr(event, name)) for name in event.__struct_fields__}
    return {"event": type(event).__name__.lower(), **fields}


def lost_lines(count: int) -> str:
    """An object that stands for so many lines that were lost."""
    return f'{{"lost_lines":{count}}}'
