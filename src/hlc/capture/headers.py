"""The headers between the link and V2GTP: Ethernet, VLAN tags, Linux cooked, loopback, IPv6, IPv4, TCP, UDP, HomePlug.

One function, `parse`: a captured frame in, what it carries out. Nothing here raises: what is cut short or unknown is
None, the sniffer's normal weather.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

import msgspec


class Flags:
    """Control bits of TCP; plain numbers, for they are looked at in every frame."""

    FIN: Final = 0x01
    SYN: Final = 0x02
    RST: Final = 0x04
    PSH: Final = 0x08
    ACK: Final = 0x10


class Tcp(msgspec.Struct, frozen=True, gc=False):
    """A TCP segment. `source` and `destination` are `(address, port)`, addresses 4 or 16 octets."""

    source: tuple[bytes, int]
    destination: tuple[bytes, int]
    sequence: int
    acknowledged: int
    flags: int
    data: bytes
    cut: int
    """Octets of data that the capture left out (snap length)."""


class Udp(msgspec.Struct, frozen=True, gc=False):
    """A UDP datagram."""

    source: tuple[bytes, int]
    destination: tuple[bytes, int]
    data: bytes


class HomePlug(msgspec.Struct, frozen=True, gc=False):
    """A HomePlug Green PHY management message; it is not read here."""

    frame: bytes
    """As an Ethernet frame with one VLAN tag or none. Addresses that the capture does not have are zero."""


Parsed = Tcp | Udp | HomePlug

IPV4, IPV6, HOMEPLUG = 0x0800, 0x86DD, 0x88E1
VLAN: Final = frozenset((0x8100, 0x88A8, 0x9100))
EXTENSIONS: Final = frozenset((0, 43, 60, 135, 139, 140))
"""IPv6 extension headers of the common layout: hop-by-hop, routing, destination options, mobility, HIP, shim6."""
FRAGMENT, AUTHENTICATION = 44, 51
TCP, UDP = 6, 17

ETHERNET, NULL, LOOP, SLL, SLL2 = 1, 0, 108, 113, 276
RAW_BSD, RAW_OPENBSD, RAW, RAW_IPV4, RAW_IPV6 = 12, 14, 101, 228, 229

_U16 = Struct("!H")
_TCP = Struct("!HHIIBB")
_UDP = Struct("!HHH")
_IP6 = Struct("!HBx16s16s")


def parse(link: int, data: bytes) -> Parsed | None:
    """What a frame of link type `link` (registry of tcpdump.org) carries; None when it is nothing of charging."""
    size = len(data)
    if link == ETHERNET:
        return _ip(data, 14) if data[12:14] == b"\x86\xdd" else _ethertype(data, 12)  # nearly every frame is IPv6
    if link == SLL:
        return _ethertype(data, 14)
    if link == SLL2 and size >= 20:
        kind, start, tag = _U16.unpack_from(data, 0)[0], 20, b""
        while kind in VLAN and size >= start + 4:
            tag, kind = b"\x81\x00" + data[start : start + 2], _U16.unpack_from(data, start + 2)[0]
            start += 4
        return _cooked(data[10], data[12:18], tag, data, start) if kind == HOMEPLUG else _content(kind, data, start)
    if link in (RAW, RAW_BSD, RAW_OPENBSD, RAW_IPV4, RAW_IPV6):
        return _ip(data, 0)
    if link in (NULL, LOOP):
        return _ip(data, 4)
    return None


KNOWN_LINKS: Final = frozenset((ETHERNET, NULL, LOOP, RAW_BSD, RAW_OPENBSD, RAW, SLL, RAW_IPV4, RAW_IPV6, SLL2))


def _ethertype(data: bytes, start: int) -> Parsed | None:
    """The EtherType at `start`, behind any VLAN tags."""
    offset = start
    while len(data) >= offset + 2:
        kind: int = _U16.unpack_from(data, offset)[0]
        if kind == HOMEPLUG:
            tag = b"\x81\x00" + data[offset - 2 : offset] if offset > start else b""
            if start == 14:
                return _cooked(data[1], data[6:12], tag, data, offset + 2)
            return HomePlug(data if offset == start else data[:12] + tag + data[offset:])
        if kind not in VLAN:
            return _content(kind, data, offset + 2)
        offset += 4
    return None


def _cooked(packet_type: int, source: bytes, tag: bytes, data: bytes, offset: int) -> HomePlug:
    """A HomePlug message of a Linux cooked capture, which has no destination; `packet_type` 1 is broadcast."""
    destination = b"\xff" * 6 if packet_type == 1 else bytes(6)
    return HomePlug(destination + source + tag + b"\x88\xe1" + data[offset:])


def _content(kind: int, data: bytes, offset: int) -> Parsed | None:
    return _ip(data, offset) if kind in (IPV6, IPV4) else None


def _ip(data: bytes, offset: int) -> Parsed | None:
    if len(data) <= offset:
        return None
    version = data[offset] >> 4
    if version == 6 and len(data) >= offset + 40:
        length, protocol, source, destination = _IP6.unpack_from(data, offset + 4)
        start = offset + 40
        end = start + length if length else len(data)
        while protocol != TCP and (protocol in EXTENSIONS or protocol in (FRAGMENT, AUTHENTICATION)):
            if len(data) < start + 8 or start >= end:
                return None
            if protocol == FRAGMENT:
                if _U16.unpack_from(data, start + 2)[0] & 0xFFF9:
                    return None  # one of several fragments: no peer of charging sends any
                protocol, start = data[start], start + 8
            elif protocol == AUTHENTICATION:
                protocol, start = data[start], start + 4 * (data[start + 1] + 2)
            else:
                protocol, start = data[start], start + 8 * (data[start + 1] + 1)
    elif version == 4 and len(data) >= offset + 20:
        start = offset + 4 * (data[offset] & 0x0F)
        length = _U16.unpack_from(data, offset + 2)[0]
        end = offset + length if length else len(data)
        if start < offset + 20 or _U16.unpack_from(data, offset + 6)[0] & 0x3FFF:
            return None
        protocol = data[offset + 9]
        source, destination = data[offset + 12 : offset + 16], data[offset + 16 : offset + 20]
    else:
        return None
    if protocol == TCP:
        return _tcp(data, start, end, source, destination)
    if protocol == UDP and len(data) >= start + 8:
        source_port, destination_port, length = _UDP.unpack_from(data, start)
        end = min(end, start + length) if length >= 8 else end
        return Udp((source, source_port), (destination, destination_port), data[start + 8 : end])
    return None


def _tcp(data: bytes, start: int, end: int, source: bytes, destination: bytes) -> Tcp | None:
    if len(data) < start + 20:
        return None
    source_port, destination_port, sequence, acknowledged, offset, flags = _TCP.unpack_from(data, start)
    body = start + 4 * (offset >> 4)
    if body < start + 20 or body > end:
        return None
    payload = data[body:end]
    cut = end - body - len(payload)
    return Tcp((source, source_port), (destination, destination_port), sequence, acknowledged, flags, payload, cut)
