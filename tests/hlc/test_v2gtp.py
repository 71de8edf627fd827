"""Frames survive any tearing of the stream; what is no frame is one class of error."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlc.v2gtp import PayloadType, Splitter, V2gtpError, frame, unframe

FRAMES = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=300)), max_size=8)


def test_frame_layout() -> None:
    assert frame(PayloadType.EXI, b"\x80\x40") == bytes.fromhex("01 FE 80 01 00 00 00 02 80 40")


@given(FRAMES, st.data())
def test_any_pieces_give_the_same_frames(frames: list[tuple[int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(frame(*one) for one in frames)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=10).map(sorted))
    splitter = Splitter()
    received = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += splitter.feed(stream[start:end])
    assert received == frames
    assert splitter.pending == 0


def test_pending_counts_the_unfinished_frame() -> None:
    splitter = Splitter()
    assert splitter.feed(frame(0x8001, b"abc") + b"\x01\xfe\x80") == [(0x8001, b"abc")]
    assert splitter.pending == 3


def test_payload_of_length_zero() -> None:
    assert Splitter().feed(frame(0x8001, b"")) == [(0x8001, b"")]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("02 FE 8001 00000000", "version 0x02 0xFE"),
        ("01 FF 8001 00000000", "version 0x01 0xFF"),
        ("01 FE 8001 00010001", "65537 octets announced, at most 65536"),
        ("01 FE 8001 FFFFFFFF", "4294967295 octets announced"),
    ],
)
def test_fault_ends_the_stream_but_keeps_the_frames_before_it(header: str, reason: str) -> None:
    splitter = Splitter()
    with pytest.raises(V2gtpError, match=reason) as caught:
        splitter.feed(frame(0x8001, b"good") + bytes.fromhex(header))
    assert caught.value.frames == [(0x8001, b"good")]
    assert splitter.pending == 0
    with pytest.raises(V2gtpError, match=reason) as caught:
        splitter.feed(frame(0x8001, b"too late"))
    assert caught.value.frames == []


def test_longest_payload_passes() -> None:
    assert len(Splitter(max_payload=1000).feed(frame(0x8001, bytes(1000)))[0][1]) == 1000


@given(st.binary(max_size=64))
def test_garbage_is_a_frame_or_a_v2gtp_error(data: bytes) -> None:
    for take in (unframe, Splitter().feed):
        with contextlib.suppress(V2gtpError):
            take(data)


def test_unframe_ignores_what_follows_and_refuses_what_lacks() -> None:
    datagram = frame(PayloadType.SDP_REQUEST, b"\x10\x00")
    assert unframe(datagram + b"tail") == (0x9000, b"\x10\x00")
    for end in range(len(datagram)):
        with pytest.raises(V2gtpError):
            unframe(datagram[:end])
