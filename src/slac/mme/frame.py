"""Whole frames: `parse` what was received, `make` what is sent."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import msgspec
from construct import ConstructError, Container
from msgspec.structs import replace

from slac.mme import header, registry
from slac.mme.fields import Filled
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
    filler: Mapping[str, bytes] = {}
    """What stands behind the text of a text field, by the field's name, where that is not zeros alone."""
    note: str = ""
    """Why there is only a payload; otherwise empty."""

    def build(self) -> bytes:
        """The octets of the frame, without FCS. Raises `ValueError` for values that do not fit."""
        try:
            head = Header(
                self.destination, self.source, self.vlan, self.mmv, self.mmtype, self.fragment, self.fmsn
            ).build()
            return head + (self.oui or b"") + self._body() + self.tail
        except ConstructError as error:
            raise ValueError(f"{self.name}: {_place(error)}: {str(error).splitlines()[-1]}") from error
        except (struct.error, ValueError, TypeError, LookupError, AttributeError) as error:
            raise ValueError(f"{self.name}: {error}") from error

    def _body(self) -> bytes:
        if "payload" in self.fields:
            return bytes(self.fields["payload"])
        found = registry.find(self.mmtype, self.oui, self.mmv)
        if found is None or found.layout is None:
            raise ValueError('its fields are not known: it has a "payload"')
        texts = {name: Filled(self.fields.get(name, ""), filler) for name, filler in self.filler.items()}
        return bytes(found.layout.build({**self.fields, **texts}))


def parse(frame: bytes) -> Mme:
    """The message in an Ethernet frame without FCS. Raises `MmeError`, and nothing else.

    A message that nobody knows, one of which only the number is known, and a fragment are no errors: all their octets
    are under "payload", and `note` says why.
    """
    frame = bytes(frame)
    head, offset = header.parse(frame)
    number, of = head.fragment
    oui = None if number else registry.vendor(head.mmtype, head.mmv, frame[offset:])
    body = frame[offset + len(oui or b"") :]
    known = registry.find(head.mmtype, oui, head.mmv)
    name = known.name if known else registry.plain_name(head.mmtype)
    message = Mme(**head._asdict(), name=name, oui=oui)
    if not head.whole:
        return replace(message, fields={"payload": body}, note=f"fragment {number + 1} of {of}")
    if known is None:
        return replace(message, fields={"payload": body}, note=UNKNOWN)
    if known.layout is None:
        return replace(message, fields={"payload": body}, note=NUMBER_ONLY)
    try:
        read = known.layout.parse(body)
    except ConstructError as error:
        raise MmeError(f"{_place(error)} is cut off: {len(body)} octets follow the header", name) from None
    fields, filler = _plain(read), {}
    for key, value in fields.items():
        if isinstance(value, Filled):
            fields[key], filler[key] = str(value), value.filler
    return replace(message, fields=fields, filler=filler, tail=body[read._io.tell() :])


def _plain(value: Any) -> Any:
    """Without construct's own classes, and without fields that this form of the message does not have."""
    if isinstance(value, Container):
        return {key: _plain(each) for key, each in value.items() if key != "_io" and each is not None}
    if isinstance(value, list):
        return [_plain(each) for each in value] if value and isinstance(value[0], Container) else list(value)
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


def _place(error: ConstructError) -> str:
    """The field where construct failed."""
    return (error.path or "").partition(" -> ")[2].replace(" -> ", ".") or "the message"
