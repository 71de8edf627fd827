"""A session as a listener on a WLAN hears it, and on other links that scapy reads."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dot11 import Dot11, Dot11QoS, RadioTap
from scapy.layers.l2 import LLC, SNAP, Ether
from scapy.layers.ppp import PPP

from hlc.capture import links

ETHERNET, PPP_LINK, WLAN, RADIOTAP, UNKNOWN = 1, 9, 105, 127, 147
SNAP_IPV6 = bytes(LLC() / SNAP(OUI=0, code=0x86DD))


def wlan(ethernet: bytes) -> bytes:
    """A data frame that carries what an Ethernet frame does."""
    about = Ether(ethernet)
    return bytes(Dot11(type=2, addr1=about.dst, addr2=about.src, addr3=about.src)) + SNAP_IPV6 + ethernet[14:]


def heard(ethernet: bytes) -> bytes:
    """The same with quality of service, behind what the receiver says of it."""
    about = Ether(ethernet)
    head = RadioTap() / Dot11(type=2, subtype=8, addr1=about.dst, addr2=about.src, addr3=about.src) / Dot11QoS()
    return bytes(head) + SNAP_IPV6 + ethernet[14:]


def ppp(ethernet: bytes) -> bytes:
    return bytes(PPP(proto=0x57)) + ethernet[14:]


def capture(link: int, frames: list[tuple[float, bytes]]) -> bytes:
    """A pcap file."""
    octets = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, link)
    for at, frame in frames:
        octets += struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(frame), len(frame)) + frame
    return octets


@pytest.mark.parametrize(("link", "wrapped"), [(WLAN, wlan), (RADIOTAP, heard), (PPP_LINK, ppp)])
def test_a_session_on_another_link_is_decoded(
    link: int,
    wrapped: Callable[[bytes], bytes],
    charge: tuple[bytes, list[str]],
    frames: list[tuple[float, bytes]],
    decode: Callable[..., Any],
) -> None:
    found = decode(capture(link, [(at, wrapped(frame)) for at, frame in frames]))
    assert found.messages == decode(charge[0]).messages
    assert [verdict.outcome for _, verdict in found.sessions] == ["good"]


def test_frames_of_a_link_that_nobody_knows_are_counted(decode: Callable[..., Any]) -> None:
    found = decode(capture(UNKNOWN, [(1.0, bytes(60)), (2.0, bytes(60))]))
    assert found.totals.unknown_links == {UNKNOWN: 2}


def test_an_encrypted_frame_of_a_wlan_says_nothing(frames: list[tuple[float, bytes]]) -> None:
    frame = bytearray(wlan(frames[-1][1]))
    assert links.packet(WLAN, bytes(frame)) is not None
    frame[1] |= 0x40  # protected frame
    assert links.packet(WLAN, bytes(frame)) is None
    assert links.known(WLAN)


@given(st.sampled_from((PPP_LINK, WLAN, RADIOTAP)), st.binary(max_size=300))
def test_no_octets_make_an_error(link: int, octets: bytes) -> None:
    links.packet(link, octets)
