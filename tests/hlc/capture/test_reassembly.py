"""However the octets of a connection come, the same V2GTP frames come out."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlc import v2gtp
from hlc.capture.reassembly import PATIENCE_S, SEGMENTS, WAITING, Framing, Piece, Stream, is_tls, plausible

PAYLOADS = st.lists(st.binary(min_size=1, max_size=90), min_size=1, max_size=12)
KINDS = (0x8001, 0x8002, 0x8004)


def stream_of(payloads: list[bytes]) -> bytes:
    return b"".join(v2gtp.frame(KINDS[index % 3], payload) for index, payload in enumerate(payloads))


def read(pieces: list[Piece], framing: Framing | None = None) -> list[bytes]:
    framing = framing or Framing()
    found = [entry for piece in pieces for entry in framing.feed(piece)]
    return [entry.payload for entry in found + framing.close()]


@given(PAYLOADS, st.randoms(use_true_random=False), st.integers(0, 2**32 - 1))
def test_any_segmentation_order_and_repetition(payloads: list[bytes], random: Random, start: int) -> None:
    octets = stream_of(payloads)
    cuts = sorted({0, len(octets), *(random.randrange(len(octets) + 1) for _ in range(random.randrange(12)))})
    segments = [(begin, octets[begin:end]) for begin, end in pairwise(cuts)]
    for _ in range(random.randrange(6)):  # retransmissions, cut otherwise than at first
        begin = random.randrange(len(octets))
        segments.append((begin, octets[begin : begin + random.randrange(1, 60)]))
    random.shuffle(segments)
    stream = Stream()
    stream.synchronize(start - 1 & 0xFFFFFFFF)
    pieces = []
    for number, (offset, data) in enumerate(segments):
        pieces += stream.segment(start + offset & 0xFFFFFFFF, data, float(number), number)
    assert b"".join(piece.data for piece in pieces) == octets
    assert not stream.close()
    assert read(pieces) == payloads


@given(PAYLOADS, st.integers(1, 7))
def test_octet_by_octet(payloads: list[bytes], size: int) -> None:
    octets = stream_of(payloads)
    pieces = [Piece(octets[at : at + size], 0.0, at) for at in range(0, len(octets), size)]
    assert read(pieces) == payloads


@given(st.lists(st.binary(min_size=9, max_size=60), min_size=3, max_size=9), st.data())
def test_a_lost_segment_costs_its_own_messages_only(payloads: list[bytes], data: st.DataObject) -> None:
    frames = [v2gtp.frame(0x8001, payload) for payload in payloads]
    lost = data.draw(st.integers(0, len(frames) - 1))
    stream = Stream()
    stream.synchronize(999)
    sequence, pieces = 1000, []
    for number, frame in enumerate(frames):
        if number != lost:
            pieces += stream.segment(sequence, frame, number * 0.01, number)
        sequence += len(frame)
    # the receiver has it all: first that is heard of, then patience ends
    pieces += stream.acknowledged(sequence, 1.0)
    pieces += stream.acknowledged(sequence, 1.0 + PATIENCE_S)
    assert read(pieces) == payloads[:lost] + payloads[lost + 1 :]


@given(PAYLOADS, st.binary(min_size=1, max_size=40).filter(lambda junk: b"\x01" not in junk))
def test_a_capture_that_begins_inside_a_message(payloads: list[bytes], junk: bytes) -> None:
    stream = Stream()
    octets = junk + stream_of(payloads)
    pieces = stream.segment(77, octets, 0.0, 1)
    assert pieces[0].lost == -1
    framing = Framing()
    assert read(pieces, framing) == payloads
    assert framing.skipped == len(junk)


@given(st.lists(st.binary(min_size=4, max_size=60), min_size=2, max_size=6), st.data())
def test_a_damaged_length_costs_one_message(payloads: list[bytes], data: st.DataObject) -> None:
    """Each message comes in a segment of its own, as they do; one header claims too much or too little."""
    frames = [bytearray(v2gtp.frame(0x8001, payload)) for payload in payloads]
    which = data.draw(st.integers(0, len(frames) - 1))
    bit = data.draw(st.integers(0, 31))
    frames[which][4 + bit // 8] ^= 1 << bit % 8
    found = read([Piece(bytes(frame), float(number), number) for number, frame in enumerate(frames)])
    for number, payload in enumerate(payloads):
        if number != which and b"\x01\xfe" not in payloads[which]:
            assert payload in found


def test_memory_is_bounded() -> None:
    stream = Stream()
    stream.synchronize(0)
    held = 0
    for number in range(2, 2000):
        pieces = stream.segment(number * 1000, bytes(900), float(number), number)
        held += 900 - sum(len(piece.data) for piece in pieces)
        assert held <= WAITING + 900
    assert stream.segment(1 << 30, b"far away", 0.0, 1) == []


def test_many_small_segments_behind_a_hole_are_given_out() -> None:
    """Each one that comes is looked for among those that wait, so these are few."""
    stream = Stream()
    stream.synchronize(0)
    pieces = []
    for number in range(2, 3 * SEGMENTS):
        pieces += stream.segment(number, b"x", float(number), number)
    assert pieces[0].lost == 1
    assert sum(len(piece.data) for piece in pieces) > SEGMENTS


def of(segments: list[tuple[int, bytes]], acknowledged: int | None = None) -> list[tuple[int, bytes]]:
    """What a stream that begins at 1000 makes of segments: how many octets were missing, and the octets."""
    stream = Stream()
    stream.synchronize(999)
    pieces = []
    for number, (sequence, data) in enumerate(segments):
        pieces += stream.segment(sequence & 0xFFFFFFFF, data, number * 0.01, number)
    if acknowledged is not None:
        pieces += stream.acknowledged(acknowledged, 1.0)
    return [(piece.lost, piece.data) for piece in pieces + stream.close()]


@pytest.mark.parametrize("off", [-(1 << 31), -(1 << 24), -5000, 1 << 24, 1 << 30])
def test_one_segment_in_a_wrong_place_is_nothing(off: int) -> None:
    assert of([(1000, b"one"), (1003 + off, b"two"), (1006, b"three")]) == [(0, b"one"), (3, b"three")]


@pytest.mark.parametrize("off", [-(1 << 31), -(1 << 24), -5000, 1 << 24, 1 << 30])
def test_two_segments_that_fit_each_other_tell_where_the_stream_is(off: int) -> None:
    found = of([(1000 + off, b"one"), (1003 + off, b"two"), (1006 + off, b"three")])
    assert found == [(-1, b"one"), (0, b"two"), (0, b"three")]
    assert of([(1000 + off, b"one")], acknowledged=1003 + off & 0xFFFFFFFF) == [(-1, b"one")]


def test_a_hole_that_was_given_up_may_still_be_filled() -> None:
    stream = Stream()
    stream.synchronize(999)
    assert not stream.segment(1006, b"three", 0.0, 3)
    assert [piece.lost for piece in stream.close()] == [6]  # a session ended
    pieces = stream.segment(1000, b"one", 1.0, 1) + stream.segment(1003, b"two", 1.1, 2)
    assert [(piece.lost, piece.data) for piece in pieces] == [(-1, b"one"), (0, b"two")]
    assert not stream.retransmitted


def test_segments_that_contradict_each_other_are_both_given() -> None:
    """One of them is in a wrong place, and nobody can say which."""
    found = of([(1010, b"WRONG PLACE"), (1005, b"right place"), (1016, b"and on")], acknowledged=1022)
    assert sorted(data for _, data in found) == [b"WRONG PLACE", b"and on", b"right place"]


def test_a_segment_that_is_covered_by_one_in_a_wrong_place_is_given() -> None:
    """It comes after that one was taken for the next."""
    found = of([(1006, b"WRONG PLACE"), (1000, b"the first"), (1009, b"the next"), (1017, b"and on")])
    assert [data for _, data in found] == [b"the first", b"WRONG PLACE", b"the next", b"and on"]


def test_a_question_whether_anybody_is_alive_is_no_data() -> None:
    assert of([(999, b"\0"), (1000, b"one"), (1002, b"e"), (1003, b"two")]) == [(0, b"one"), (0, b"two")]


def test_headers_are_told_from_other_octets() -> None:
    assert plausible(v2gtp.frame(0x8001, b"x"))
    assert plausible(b"\x01")
    assert plausible(b"\x01\xfe\x80")
    assert not plausible(b"\x01\xfe\x12\x34")
    assert not plausible(b"\x01\xff\x80\x01")
    assert not plausible(b"\x01\xfe\x80\x01\xff\x00\x00\x00")
    assert is_tls(bytes.fromhex("160301"))
    assert not is_tls(v2gtp.frame(0x8001, b"x"))
