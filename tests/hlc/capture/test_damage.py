"""Captures that are damaged anywhere: nothing raises, and no message is lost whose own octets are whole."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlc import cli
from hlc.capture.headers import ETHERNET, Flags, Tcp, parse
from hlc.trace.events import Message

Frames = list[tuple[float, bytes]]
Decode = Callable[[bytes], Any]
ToPcap = Callable[..., bytes]

TCP = 54
"""Where the header of TCP begins in a frame, and where it ends."""
DATA = 74
SEQUENCE, LENGTH = TCP + 4, DATA + 4
"""Of the segment; of the V2GTP frame in it."""


class Said(NamedTuple):
    """A message of a capture, and the number of the frame that it is in."""

    frame: int
    name: str
    payload: bytes


def said(found: Any) -> list[Said]:
    return [
        Said(seen.frame, seen.event.name, seen.payload)
        for seen in found.seen
        if isinstance(seen.event, Message) and seen.payload is not None
    ]


def lost(found: Any, whole: list[Said]) -> list[str]:
    """Messages that should be there and are not."""
    there = Counter((each.name, each.payload) for each in said(found))
    return [name for name, _ in (Counter((each.name, each.payload) for each in whole) - there).elements()]


@pytest.fixture(scope="module")
def messages(frames: Frames, to_pcap: ToPcap, decode: Decode) -> list[Said]:
    """The messages of the whole capture: each stands in a frame of its own."""
    found = said(decode(to_pcap(frames)))
    assert len({each.frame for each in found}) == len(found) > 40
    return found


def others(messages: list[Said], *frames: int) -> list[Said]:
    """The messages that stand in none of these frames, counted from 0."""
    return [each for each in messages if each.frame - 1 not in frames]


def changed(frames: Frames, number: int, place: int, octets: bytes) -> Frames:
    """The frames, with `octets` at a place in one of them."""
    at, frame = frames[number]
    return [*frames[:number], (at, frame[:place] + octets + frame[place + len(octets) :]), *frames[number + 1 :]]


def of_kind(frames: Frames, flags: int) -> int:
    """The number of the first segment with these flags."""
    for number, (_, frame) in enumerate(frames):
        tcp = parse(ETHERNET, frame)
        if isinstance(tcp, Tcp) and tcp.flags == flags:
            return number
    raise AssertionError(f"no segment with flags {flags:#x}")


# content


@settings(max_examples=150)
@given(which=st.integers(0, 40), place=st.integers(0, DATA + 7), bit=st.integers(0, 7))
def test_a_bit_of_a_header_costs_the_message_of_its_frame(
    frames: Frames, messages: list[Said], to_pcap: ToPcap, decode: Decode, which: int, place: int, bit: int
) -> None:
    number = messages[which].frame - 1
    octet = bytes([frames[number][1][place] ^ 1 << bit])
    found = decode(to_pcap(changed(frames, number, place, octet)))
    assert lost(found, others(messages, number)) == []


@pytest.mark.parametrize("flags", [Flags.SYN, Flags.SYN | Flags.ACK])
@pytest.mark.parametrize("change", [1, -1, 40, -40, 5000, -5000, 1 << 20, -1 << 20, 1 << 28, 1 << 31])
def test_a_connection_that_opens_with_a_damaged_sequence_number(
    frames: Frames, messages: list[Said], to_pcap: ToPcap, decode: Decode, flags: int, change: int
) -> None:
    number = of_kind(frames, flags)
    [sequence] = struct.unpack_from("!I", frames[number][1], SEQUENCE)
    octets = struct.pack("!I", sequence + change & 0xFFFFFFFF)
    assert lost(decode(to_pcap(changed(frames, number, SEQUENCE, octets))), messages) == []


@pytest.mark.parametrize("flags", [Flags.RST, Flags.RST | Flags.ACK, Flags.FIN, Flags.SYN, Flags.SYN | Flags.ACK])
@pytest.mark.parametrize("sequence", [None, 0, 0x77777777])
def test_a_segment_that_opens_or_closes_in_between(
    frames: Frames, messages: list[Said], to_pcap: ToPcap, decode: Decode, flags: int, sequence: int | None
) -> None:
    number = messages[20].frame - 1
    at, frame = frames[number]
    bare = bytearray(frame[:DATA])
    struct.pack_into("!H", bare, 18, DATA - TCP)
    bare[TCP + 13] = flags
    if sequence is not None:
        struct.pack_into("!I", bare, SEQUENCE, sequence)
    found = decode(to_pcap([*frames[:number], (at, bytes(bare)), *frames[number:]]))
    assert lost(found, messages) == []


@pytest.mark.parametrize("change", [-1 << 31, -3, -1, 1, 5, 200, 60_000, 70_000, 1 << 24, 1 << 30])
def test_a_length_that_lies_costs_its_message(
    frames: Frames, messages: list[Said], to_pcap: ToPcap, decode: Decode, change: int
) -> None:
    for each in messages[1::9]:
        number = each.frame - 1
        [length] = struct.unpack_from("!I", frames[number][1], LENGTH)
        octets = struct.pack("!I", length + change & 0xFFFFFFFF)
        assert lost(decode(to_pcap(changed(frames, number, LENGTH, octets))), others(messages, number)) == []


@pytest.mark.parametrize("junk", [b"\x17\x03\x03\x17\x03\x03", b"\x16\x03\x01\x40\0" + bytes(50), b"\1\xfe", bytes(9)])
def test_octets_before_the_first_message_cost_at_most_that(
    frames: Frames, messages: list[Said], to_pcap: ToPcap, decode: Decode, junk: bytes
) -> None:
    """Also such as look like TLS."""
    number = messages[0].frame - 1
    at, frame = frames[number]
    made = []
    for time, other in frames:
        tcp = parse(ETHERNET, other)
        if isinstance(tcp, Tcp) and tcp.source[1] == int.from_bytes(frame[TCP : TCP + 2], "big") and time > at:
            sequence = tcp.sequence + len(junk) & 0xFFFFFFFF
            other = other[:SEQUENCE] + struct.pack("!I", sequence) + other[SEQUENCE + 4 :]
        made.append((time, other))
    size = struct.pack("!H", len(frame) - TCP + len(junk))
    made[number] = at, frame[:18] + size + frame[20:DATA] + junk + frame[DATA:]
    found = decode(to_pcap(made))
    assert lost(found, others(messages, number)) == []
    assert [session.tls for session, _ in found.sessions] == [None]


def test_segments_that_are_missing_doubled_or_in_another_order(
    frames: Frames, messages: list[Said], to_pcap: ToPcap, decode: Decode
) -> None:
    for each in messages[::7]:
        number = each.frame - 1
        missing = decode(to_pcap(frames[:number] + frames[number + 1 :]))
        assert lost(missing, others(messages, number)) == []
        again = [(frames[number + 3][0], frame) for _, frame in frames[number - 3 : number + 3]]
        doubled = decode(to_pcap(frames[: number + 3] + again + frames[number + 3 :]))
        assert [one.name for one in said(doubled)] == [one.name for one in messages]
        moved = [(at, frame) for (at, _), (_, frame) in zip(frames[number : number + 3], again[:3:-1], strict=False)]
        late = [*frames[:number], *moved, *frames[number + len(moved) :]]
        assert lost(decode(to_pcap(late)), others(messages, *range(number, number + 3))) == []


def test_damage_of_one_connection_costs_the_other_nothing(
    frames: Frames, messages: list[Said], to_pcap: ToPcap, decode: Decode
) -> None:
    """Two stations heard by one listener; of the one connection every frame is damaged."""

    def elsewhere(frame: bytes) -> bytes:
        return frame[:23] + b"\x77" + frame[24:39] + b"\x77" + frame[40:]

    both = []
    for index, (at, frame) in enumerate(frames):
        other = bytearray(elsewhere(frame)) if frame[12:14] == b"\x86\xdd" else bytearray(frame)
        if len(other) > DATA:
            other[TCP + (index * 7) % 24] ^= 1 << index % 8
        both += [(at, frame), (at + 2e-6, bytes(other))]
    assert lost(decode(to_pcap(both)), messages) == []


# the file


def records(octets: bytes, order: str = "<") -> list[tuple[int, int]]:
    """Where each record of a pcap file begins and ends."""
    found, place = [], 24
    while place < len(octets):
        end = place + 16 + struct.unpack_from(order + "I", octets, place + 8)[0]
        found.append((place, end))
        place = end
    return found


def touched(spans: list[tuple[int, int]], start: int, end: int) -> list[int]:
    return [number for number, (first, last) in enumerate(spans) if first < end and start < last]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("size", [1, 3, 4, 8, 16, 500])
def test_octets_that_are_missing_cost_the_frames_that_they_were_of(
    frames: Frames, messages: list[Said], to_pcap: ToPcap, decode: Decode, order: str, size: int
) -> None:
    """Four octets less, and every header looks like one in a wrong place: times are lengths, and lengths are times."""
    octets = to_pcap(frames, order)
    spans = records(octets, order)
    for first, last in spans[5::23]:
        for start in (first, first + 9, last - 3, last - size):
            found = decode(octets[:start] + octets[start + size :])
            assert lost(found, others(messages, *touched(spans, start, start + size))) == []


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("size", [4, 16, 1000])
def test_zeros_before_the_first_frame_cost_nothing(
    frames: Frames, messages: list[Said], to_pcap: ToPcap, decode: Decode, order: str, size: int
) -> None:
    octets = to_pcap(frames, order)
    assert lost(decode(octets[:24] + bytes(size) + octets[24:]), messages) == []


def test_a_clock_that_leaps_is_no_damage(frames: Frames, messages: list[Said], to_pcap: ToPcap, decode: Decode) -> None:
    """A machine that begins in 1970 learns the time."""
    half = messages[20].frame
    began = frames[0][0]
    found = decode(to_pcap([(at - began + 9, frame) for at, frame in frames[:half]] + frames[half:]))
    assert lost(found, messages) == []
    assert found.damage == []


def test_a_block_that_ends_within_another_one_costs_itself(
    charge: tuple[bytes, list[str]], messages: list[Said], decode: Decode
) -> None:
    """Octets are missing, and by chance the length of another block stands where that of this one should end."""
    octets = charge[0]
    spans, place = [], 0
    while place < len(octets):
        size = struct.unpack_from("<I", octets, place + 4)[0]
        spans.append((place, size))
        place += size
    tried = 0
    for number in range(40, len(spans) - 9):
        (first, size), (behind, again) = spans[number], spans[number + 4]
        if size == again:  # then the head of the other one, 8 octets, ends where this one should
            found = decode(octets[: first + size - 8] + octets[behind:])
            whole = [each for each in messages if not number <= each.frame + 1 < number + 4]  # 2 blocks are no frames
            assert lost(found, whole) == []
            tried += 1
    assert tried > 5


VIEWS = ("", "--summary", "--doctor", "--timeline", "--timing", "--csv", "--json", "--xml", "--summary --json")


@pytest.mark.parametrize("options", [*VIEWS, "--write copy.pcapng", "--write copy.pcapng --redact"])
def test_every_view_of_a_damaged_capture(
    options: str,
    charge: tuple[bytes, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    octets = bytearray(charge[0])
    for place in range(700, len(octets), 1234):
        octets[place] ^= 1 << place % 8
    Path("damaged.pcapng").write_bytes(octets[:-7])
    assert cli.main(["decode", "damaged.pcapng", *options.split()]) == 1
    error = capsys.readouterr().err
    assert "damaged.pcapng is damaged: octet " in error
    assert "the file ends within a block" in error
    assert all(
        line.startswith(("hlc decode: damaged.pcapng", "hlc decode: copy.pcapng")) for line in error.splitlines()
    )
