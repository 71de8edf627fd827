"""Every way in which a TCP segment may be wrapped, and nothing else."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlc.capture import headers
from hlc.capture.headers import HomePlug, Tcp, Udp, parse

TCP = struct.pack("!HHIIBBHHH", 50000, 15118, 7, 9, 6 << 4, 0x18, 1000, 0, 0) + b"\x01\x01\x01\x00" + b"data"
SIX = struct.pack("!IHBB", 6 << 28, len(TCP), 6, 64) + bytes(15) + b"\x01" + bytes(15) + b"\x02" + TCP
FOUR = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(TCP), 0, 0x4000, 64, 6, 0, b"\x0a\0\0\1", b"\x0a\0\0\2") + TCP
MACS = bytes(12)


def six(protocol: int, content: bytes) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(content), protocol, 64) + bytes(32) + content


WRAPPED = {
    "ethernet": (headers.ETHERNET, MACS + b"\x86\xdd" + SIX),
    "ethernet IPv4": (headers.ETHERNET, MACS + b"\x08\x00" + FOUR),
    "ethernet with padding": (headers.ETHERNET, MACS + b"\x86\xdd" + SIX + bytes(6)),
    "VLAN": (headers.ETHERNET, MACS + b"\x81\x00\x00\x05\x86\xdd" + SIX),
    "VLAN in VLAN": (headers.ETHERNET, MACS + b"\x88\xa8\x00\x05\x81\x00\x00\x05\x86\xdd" + SIX),
    "Linux cooked": (headers.SLL, bytes(14) + b"\x86\xdd" + SIX),
    "Linux cooked v2": (headers.SLL2, b"\x86\xdd" + bytes(18) + SIX),
    "raw": (headers.RAW, SIX),
    "raw IPv4": (headers.RAW_IPV4, FOUR),
    "loopback": (headers.NULL, b"\x1e\0\0\0" + SIX),
    "hop-by-hop": (headers.RAW, six(0, bytes([60, 0]) + bytes(6) + bytes([6, 1]) + bytes(14) + TCP)),
    "whole fragment": (headers.RAW, six(44, bytes([6, 0, 0, 0]) + bytes(4) + TCP)),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_tcp_is_found(name: str) -> None:
    link, frame = WRAPPED[name]
    found = parse(link, frame)
    assert isinstance(found, Tcp)
    assert (found.source[1], found.destination[1], found.sequence, found.acknowledged) == (50000, 15118, 7, 9)
    assert (found.flags, found.data, found.cut) == (0x18, b"data", 0)


@pytest.mark.parametrize("name", [name for name in WRAPPED if "padding" not in name])
def test_a_cut_frame_says_how_much_is_missing(name: str) -> None:
    link, frame = WRAPPED[name]
    found = parse(link, frame[:-3])
    assert isinstance(found, Tcp)
    assert (found.data, found.cut) == (b"d", 3)


def test_udp() -> None:
    datagram = struct.pack("!HHHH", 49152, 15118, 8 + 3, 0) + b"sdp"
    found = parse(headers.RAW, six(17, datagram))
    assert isinstance(found, Udp)
    assert found.data == b"sdp"


@pytest.mark.parametrize(
    ("link", "header", "frame"),
    [
        (headers.ETHERNET, "AAAAAAAAAAAA BBBBBBBBBBBB 88E1", "AAAAAAAAAAAA BBBBBBBBBBBB 88E1"),
        (headers.ETHERNET, "AAAAAAAAAAAA BBBBBBBBBBBB 8100 0001 88E1", "AAAAAAAAAAAA BBBBBBBBBBBB 8100 0001 88E1"),
        (
            headers.ETHERNET,
            "AAAAAAAAAAAA BBBBBBBBBBBB 88A8 0007 8100 0001 88E1",
            "AAAAAAAAAAAA BBBBBBBBBBBB 8100 0001 88E1",
        ),
        (headers.SLL, "0001 0001 0006 BBBBBBBBBBBB 0000 88E1", "FFFFFFFFFFFF BBBBBBBBBBBB 88E1"),
        (headers.SLL, "0004 0001 0006 BBBBBBBBBBBB 0000 8100 0001 88E1", "000000000000 BBBBBBBBBBBB 8100 0001 88E1"),
        (headers.SLL2, "88E1 0000 00000001 0001 01 06 BBBBBBBBBBBB 0000", "FFFFFFFFFFFF BBBBBBBBBBBB 88E1"),
        (headers.SLL2, "88E1 0000 00000001 0001 00 06 BBBBBBBBBBBB 0000", "000000000000 BBBBBBBBBBBB 88E1"),
    ],
)
def test_homeplug_comes_as_an_ethernet_frame(link: int, header: str, frame: str) -> None:
    message = b"\x01\x64\x60\0\0rest"
    assert parse(link, bytes.fromhex(header) + message) == HomePlug(bytes.fromhex(frame) + message)


def test_what_is_nothing_of_charging() -> None:
    assert parse(headers.ETHERNET, MACS + b"\x08\x06" + bytes(28)) is None
    assert parse(headers.RAW, six(58, bytes(8))) is None
    assert parse(headers.RAW, six(44, bytes([6, 0, 0, 9]) + bytes(4) + TCP)) is None  # part of a datagram
    assert parse(147, SIX) is None


@given(st.sampled_from(sorted(headers.KNOWN_LINKS)), st.binary(max_size=120))
def test_random_octets_raise_nothing(link: int, octets: bytes) -> None:
    parse(link, octets)


@given(st.sampled_from(sorted(WRAPPED)), st.data())
def test_damage_raises_nothing(name: str, data: st.DataObject) -> None:
    link, frame = WRAPPED[name]
    octets = bytearray(frame)
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    parse(link, bytes(octets[: data.draw(st.integers(0, len(octets)))]))
