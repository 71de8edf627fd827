"""Frames taken apart and put together again with other addresses and contents: link, IP, TCP, UDP, neighbour discovery.

What is not rebuilt is not let through: extension headers, fragments, and every option of TCP that is not of a fixed
meaning (time stamps tell how long a machine has been running).
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from hlc.capture import headers
from hlc.capture.checksum import checksum, over_ip
from hlc.capture.redact.pseudonyms import SOLICITED, Pseudonyms

ICMPV6: Final = 58
SOLICITATION, ADVERTISEMENT = 135, 136
END, NOTHING, SEGMENT_SIZE, SCALE, SACK_PERMITTED = range(5)
"""Options of TCP."""
KEPT_OPTIONS: Final = (SEGMENT_SIZE, SCALE, SACK_PERMITTED)
MULTICAST: Final = b"\x33\x33"


class Packet(NamedTuple):
    """An IP packet without extensions in its frame."""

    link: bytes
    """What stands before it, as it was."""
    version: int
    hops: int
    protocol: int
    source: bytes
    destination: bytes
    content: bytes
    """The part of it that the capture holds."""
    cut: int
    """Octets that it does not."""


def packet(link: int, data: bytes) -> Packet | None:
    """The packet in a frame; None where there is none, or one that is not rebuilt."""
    start = _network(link, data)
    if start is None or len(data) <= start:
        return None
    version = data[start] >> 4
    if version == 6 and len(data) >= start + 40:
        length, protocol, hops = struct.unpack_from("!HBB", data, start + 4)
        source, destination = data[start + 8 : start + 24], data[start + 24 : start + 40]
        begin = start + 40
        end = begin + length if length else len(data)
    elif version == 4 and len(data) >= start + 20:
        length, fragment, hops, protocol = struct.unpack_from("!2xH2xHBB", data, start)
        source, destination = data[start + 12 : start + 16], data[start + 16 : start + 20]
        begin = start + 4 * (data[start] & 15)
        end = start + length if length else len(data)
        if begin < start + 20 or fragment & 0x3FFF:
            return None
    else:
        return None
    content = data[begin:end]
    return Packet(
        data[:start], version, hops, protocol, source, destination, content, max(0, end - begin - len(content))
    )


def _network(link: int, data: bytes) -> int | None:
    """Where the packet begins."""
    if link in (headers.ETHERNET, headers.SLL):
        start = 12 if link == headers.ETHERNET else 14
        while len(data) >= start + 2:
            kind = int.from_bytes(data[start : start + 2], "big")
            if kind not in headers.VLAN:
                return start + 2 if kind in (headers.IPV4, headers.IPV6) else None
            start += 4
        return None
    if link == headers.SLL2:
        return 20 if data[:2] in (b"\x08\x00", b"\x86\xdd") else None
    return 4 if link in (headers.NULL, headers.LOOP) else 0


def link_header(names: Pseudonyms, link: int, before: bytes, destination: bytes = b"") -> bytes:
    """What stands before a packet, with other addresses. `destination` is the new address that the packet goes to."""
    if link == headers.ETHERNET:
        to = names.mac(before[:6])
        if before.startswith(MULTICAST) and len(destination) == 16:
            to = MULTICAST + destination[12:]
        return to + names.mac(before[6:12]) + before[12:]
    if link == headers.SLL:
        return before[:6] + names.mac(before[6:12]) + b"\0\0" + before[14:]
    if link == headers.SLL2:
        return before[:12] + names.mac(before[12:18]) + b"\0\0"
    return before


def built(names: Pseudonyms, link: int, old: Packet, destination: bytes, content: bytes, cut: int = 0) -> bytes:
    """A frame with `content` in the place of the packet's, whose checksum is made here; `cut` octets are missing."""
    source = names.address(old.source)
    place = {headers.TCP: 16, headers.UDP: 6, ICMPV6: 2}[old.protocol]
    content = content[:place] + bytes(2) + content[place + 2 :]
    content = content[:place] + over_ip(source, destination, old.protocol, content) + content[place + 2 :]
    length = len(content) + cut
    if old.version == 6:
        header = struct.pack("!IHBB", 6 << 28, length, old.protocol, old.hops) + source + destination
    else:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, old.hops, old.protocol, 0)
        header += source + destination
        header = header[:10] + checksum(header) + header[12:]
    return link_header(names, link, old.link, destination) + header + content


def segment(old: bytes, sequence: int, acknowledged: int, data: bytes) -> bytes:
    """A TCP segment, of which `old` is the header, with other numbers and data."""
    size = 4 * (old[12] >> 4)
    numbers = struct.pack("!II", sequence & 0xFFFFFFFF, acknowledged & 0xFFFFFFFF)
    return old[:4] + numbers + old[12:16] + bytes(2) + bytes(2) + _options(old[20:size]) + data


def _options(old: bytes) -> bytes:
    """The options of a fixed meaning, and fillers in the place of the others."""
    new, place = bytearray([NOTHING]) * len(old), 0
    while place < len(old) and old[place] != END:
        length = 1 if old[place] == NOTHING else old[place + 1] if place + 1 < len(old) else 0
        if length < 1 or place + length > len(old) or (length == 1 and old[place] != NOTHING):
            break
        if old[place] in KEPT_OPTIONS:
            new[place : place + length] = old[place : place + length]
        place += length
    return bytes(new)


def datagram(old: bytes, data: bytes) -> bytes:
    """A UDP datagram with other data."""
    return old[:4] + struct.pack("!HH", 8 + len(data), 0) + data


def neighbour(names: Pseudonyms, old: Packet) -> tuple[bytes, bytes] | None:
    """A neighbour solicitation or advertisement: where it goes to, and its content; None for anything else."""
    content = old.content
    if len(content) < 24 or content[0] not in (SOLICITATION, ADVERTISEMENT) or content[1] or old.cut:
        return None
    target = names.address(content[8:24])
    destination = names.address(old.destination)
    if old.destination.startswith(SOLICITED):
        destination = SOLICITED + target[13:]
    new, place = content[:8] + target, 24
    while place + 8 <= len(content) and content[place] in (1, 2) and content[place + 1] == 1:
        new += content[place : place + 2] + names.mac(content[place + 2 : place + 8])
        place += 8
    return destination, new
