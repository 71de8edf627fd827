"""An event of a capture with its place, and the kinds of events that only a listener has."""

from __future__ import annotations

import msgspec

from hlc.capture.matching import Matching
from hlc.capture.session import Session
from hlc.trace.events import Event, Side


class Unread(Event, frozen=True, kw_only=True):
    """A V2GTP frame whose payload was not decoded."""

    side: Side
    payload_type: int
    payload: bytes
    reason: str
    """What undecoded payloads are counted by: "ISO 15118-2 is not built yet"."""
    detail: str = ""
    damaged: bool = False
    """The payload is not what its protocol prescribes, as opposed to one that cannot be read here."""

    @property
    def text(self) -> str:
        """One line for a person."""
        detail = f": {self.detail}" if self.detail else ""
        octets = f"payload type 0x{self.payload_type:04X}, {len(self.payload)} octets"
        return f"{octets} not decoded: {self.reason}{detail}"


class Tls(Event, frozen=True, kw_only=True):
    """A message of TLS itself, or what there is to say of a TLS connection."""

    side: Side
    name: str
    """"ClientHello", "ServerHello", "alert", or "note"."""
    text: str
    grave: bool = False
    """It ends the connection."""


class Seen(msgspec.Struct, frozen=True):
    """An event of a capture: from which frame, and of whose session or matching run. SDP belongs to none."""

    frame: int
    session: Session | None
    event: Event
    matching: Matching | None = None
    payload: bytes | None = None
    """Of a message in EXI: what it was decoded from."""
