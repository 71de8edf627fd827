"""Whole frames: `parse` what was received, `make` what is sent."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import msgspec
from construct import ConstructError, Container

from slac.mme import header, registry
from slac.mme.header import Header, MmeError

UNKNOWN = "unknown message"
NUMBER_ONLY = "only the number of this message is known"


class Mme(msgspec.Struct, frozen=True, kw_only=True):
    """A management message in its frame. `build()` gives the octets it was parsed from."""

    name: str
    """As in "CM_SLAC_PARM.REQ"; "VS_0xA0F8.REQ" where only the number is known."""
    mmtype: int
    mmv: int = 1
    """0 AV 1.0, 1 AV 1.1 and Green PHY, 2 AV 2.0."""
    destination: bytes
    source: bytes
    vlan: int | None = None
    """Priority and number of an 802.1Q tag, 16 bits."""
    fragment: tuple[int, int] = (0, 1)
    """This fragment's number, from 0, and how many there are. Fragments are not put together."""
    fmsn: int = 0
    """Sequence number that the fragments of a message share."""
    oui: bytes | None = None
    """The vendor, 3 octets."""
    fields: Mapping[str, Any] = {}
    """By name: numbers, octet strings and MAC addresses as `bytes`, text, lists of numbers or of mappings.

    Where the layout is not known, and in fragments, all octets are under "payload".
    """
    tail: bytes = b""
    """Octets after the last field: zero padding, or more."""
    note: str = ""
    """Why there is only a payload; otherwise empty."""

    def build(self) -> bytes:
        """The octets of the frame, without FCS. Raises `ValueError` for values that do not fit."""
        try:
            head = Header(
                self.destination, self.source, self.vlan, self.mmv, self.mmtype, self.fragment, self.fmsn
            ).build()
            return head + (self.oui or b"") + self._body() + self.tail
        except (ConstructError, struct.error, ValueError, TypeError, LookupError, AttributeError) as error:
            raise ValueError(f"{self.name}: {_one_line(error)}") from error

    def _body(self) -> bytes:
        if "payload" in self.fields:
            return bytes(self.fields["payload"])
        found = registry.find(self.mmtype, self.oui, self.mmv)
        if found is None or found.layout is None:
            return b""
        return bytes(found.layout.build(self.fields))


def parse(frame: bytes) -> Mme:
    """The message in an Ethernet frame without FCS. Raises `MmeError`, and nothing else.

    A message that nobody knows, one of which only the number is known, and a fragment are no errors: all their octets
    are under "payload", and `note` says why.
    """
    frame = bytes(frame)
    head, offset = header.parse(frame)
    first = head.fragment[0] == 0
    oui = frame[offset : offset + 3] if registry.carries_oui(head.mmtype) and first else None
    if oui is not None and len(oui) < 3:
        oui = None
    found = registry.find(head.mmtype, oui, head.mmv)
    offset += len(oui or b"")
    name = found.name if found else registry.plain_name(head.mmtype)
    note, tail, fields = "", b"", {}
    if not head.whole:
        note = f"fragment {head.fragment[0] + 1} of {head.fragment[1]}"
    elif found is None:
        note = UNKNOWN
    elif found.layout is None:
        note = NUMBER_ONLY
    if note or found is None:
        fields = {"payload": frame[offset:]}
    else:
        fields, tail = _read(found.name, found.layout, frame[offset:])
    return Mme(**head._asdict(), name=name, oui=oui, fields=fields, tail=tail, note=note)


def _read(name: str, layout: Any, body: bytes) -> tuple[dict[str, Any], bytes]:
    """The fields, and what follows the last."""
    try:
        read = layout.parse(body)
    except ConstructError as error:
        where = (error.path or "").removeprefix("(parsing) -> ").replace(" -> ", ".")
        raise MmeError(f"{where or 'it'} is cut off: {len(body)} octets follow the header", name) from None
    end = read._io.tell()
    return _plain(read), body[end:]


def _plain(value: Any) -> Any:
    """Without construct's own classes, and without fields that this form of the message does not have."""
    if isinstance(value, Container):
        return {key: _plain(each) for key, each in value.items() if key != "_io" and each is not None}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


def make(
    name: str,
    /,
    *,
    destination: bytes,
    source: bytes,
    vlan: int | None = None,
    oui: bytes | None = None,
    mmv: int | None = None,
    tail: bytes = b"",
    **fields: Any,
) -> bytes:
    """A frame to send, filled up to 60 octets. Raises `ValueError` for names and values that do not fit.

    Fields left out are zero, or the constant that the standard gives. `oui` and `mmv` choose where a name stands for
    several formats; otherwise they are the usual ones.
    """
    format = registry.choose(name, oui, mmv)
    known = {each.name for each in format.layout.subcons} if format.layout else {"payload"}
    if unknown := sorted(fields.keys() - known):
        raise ValueError(f"{name} has no field {', '.join(unknown)}; its fields: {', '.join(sorted(known)) or 'none'}")
    message = Mme(
        name=name,
        mmtype=format.mmtype,
        mmv=format.mmv if mmv is None else mmv,
        destination=destination,
        source=source,
        vlan=vlan,
        oui=format.oui,
        fields=fields,
        tail=tail,
    )
    return message.build().ljust(header.MINIMUM, b"\0")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
