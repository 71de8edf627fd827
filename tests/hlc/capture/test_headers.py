"""Every way in which a TCP segment may be wrapped, and nothing else."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, IPOption_Router_Alert
from scapy.layers.inet import TCP as THEIR_TCP
from scapy.layers.inet import UDP as THEIR_UDP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.l2 import CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether, Loopback, LoopbackOpenBSD

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
    "authentication": (headers.RAW, six(51, bytes([6, 4]) + bytes(22) + TCP)),
    "whole fragment": (headers.RAW, six(44, bytes([6, 0, 0, 0]) + bytes(4) + TCP)),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_tcp_is_found(name: str) -> None:
    link, frame = WRAPPED[name]
    found = parse(link, frame)
    assert isinstance(found, Tcp)
    assert (found.source[1], found.destination[1], found.sequence, found.acknowledged) == (50000, 15118, 7, 9)
    assert (found.flags, found.data, found.cut) == (0x18, b"data", 0)


INET6 = IPv6(src="fe80::1", dst="fe80::2")
INET = IP(src="10.0.0.1", dst="10.0.0.2")
PORTS = THEIR_TCP(sport=50000, dport=15118, seq=7, ack=9, flags="PA", options=[("Timestamp", (1, 2))]) / b"data"
ROUTING = IPv6ExtHdrRouting(addresses=["fe80::9"], segleft=0)
PADDING = PadN(optdata=bytes(20))
FAR = "02:00:00:00:00:02"
EXTENDED = {
    "no extension": INET6,
    "IPv4": INET,
    "IPv4 with options": IP(src="10.0.0.1", dst="10.0.0.2", options=[IPOption_Router_Alert()]),
    "hop-by-hop": INET6 / IPv6ExtHdrHopByHop(options=[PADDING]),
    "routing": INET6 / ROUTING,
    "destination options": INET6 / IPv6ExtHdrDestOpt(options=[PADDING]),
    "a whole fragment": INET6 / IPv6ExtHdrFragment(offset=0, m=0, id=77),
    "all of them": INET6
    / IPv6ExtHdrHopByHop(options=[PADDING])
    / IPv6ExtHdrDestOpt()
    / ROUTING
    / IPv6ExtHdrFragment()
    / IPv6ExtHdrDestOpt(options=[PADDING]),
}
LINKS: dict[str, tuple[int, Any]] = {
    "Ethernet": (headers.ETHERNET, Ether(dst=FAR)),
    "VLAN": (headers.ETHERNET, Ether(dst=FAR) / Dot1Q(vlan=5, prio=3)),
    "VLAN in VLAN": (headers.ETHERNET, Ether(dst=FAR) / Dot1AD(vlan=7) / Dot1Q(vlan=5)),
    "three VLANs": (headers.ETHERNET, Ether(dst=FAR) / Dot1AD(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3)),
    "Linux cooked": (headers.SLL, CookedLinux()),
    "Linux cooked with VLAN": (headers.SLL, CookedLinux() / Dot1Q(vlan=5)),
    "Linux cooked v2": (headers.SLL2, CookedLinuxV2()),
    "Linux cooked v2 with VLANs": (headers.SLL2, CookedLinuxV2(proto=0x8100) / Dot1Q(vlan=7) / Dot1Q(vlan=5)),
    "BSD loopback": (headers.NULL, Loopback()),
    "OpenBSD loopback": (headers.LOOP, LoopbackOpenBSD()),
    "raw": (headers.RAW, None),
    "raw of BSD": (headers.RAW_BSD, None),
    "raw of OpenBSD": (headers.RAW_OPENBSD, None),
    "raw IPv4": (headers.RAW_IPV4, None),
    "raw IPv6": (headers.RAW_IPV6, None),
}


@pytest.mark.parametrize("extended", EXTENDED)
@pytest.mark.parametrize("name", LINKS)
def test_scapy_finds_the_same(name: str, extended: str) -> None:
    """What scapy wrapped is found, as scapy finds it."""
    link, before = LINKS[name]
    packet = EXTENDED[extended] / PORTS
    frame = bytes(packet if before is None else before / packet)
    theirs = (packet.__class__ if before is None else before.__class__)(frame)
    found = parse(link, frame)
    assert isinstance(found, Tcp)
    network, transport = theirs[IP if "IPv4" in extended else IPv6], theirs[THEIR_TCP]
    assert [ip_address(host).compressed for host, _ in (found.source, found.destination)] == [network.src, network.dst]
    assert (found.source[1], found.destination[1]) == (transport.sport, transport.dport) == (50000, 15118)
    assert (found.sequence, found.acknowledged, found.flags) == (transport.seq, transport.ack, int(transport.flags))
    assert found.data == bytes(transport.payload) == b"data"
    if link != headers.ETHERNET:
        return
    padded = parse(link, frame + bytes(9))
    assert padded == found


def test_a_datagram_behind_extensions() -> None:
    packet = INET6 / IPv6ExtHdrHopByHop(options=[PADDING]) / IPv6ExtHdrDestOpt() / THEIR_UDP(sport=1, dport=15118)
    found = parse(headers.RAW, bytes(packet / b"sdp"))
    assert isinstance(found, Udp)
    assert (found.destination[1], found.data) == (15118, b"sdp")


@pytest.mark.parametrize("offset", [0, 1, 8191])
@pytest.mark.parametrize("more", [0, 1])
def test_a_part_of_a_packet_is_none(offset: int, more: int) -> None:
    if not offset and not more:
        return
    six_part = INET6 / IPv6ExtHdrFragment(offset=offset, m=more) / PORTS
    four_part = IP(src="10.0.0.1", dst="10.0.0.2", frag=offset, flags="MF" if more else 0) / PORTS
    assert parse(headers.RAW, bytes(six_part)) is None
    assert parse(headers.RAW, bytes(four_part)) is None


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
        (
            headers.SLL2,
            "8100 0000 00000001 0001 00 06 BBBBBBBBBBBB 0000 0001 88E1",
            "000000000000 BBBBBBBBBBBB 8100 0001 88E1",
        ),
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
