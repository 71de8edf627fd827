"""Sessions as they come in real captures: disordered, repeated, begun before the capture, many in one file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slac
from hlc.capture.decoder import CONNECTIONS, Decoder
from hlc.capture.files import Captured
from hlc.capture.headers import Flags, Tcp, parse

Frames = list[tuple[float, bytes]]
Charge = tuple[bytes, list[str]]


def names(result: Any) -> list[str]:
    return [seen.event.name for seen in result.seen if hasattr(seen.event, "name") and seen.event.schema != "sdp"]


def tcp(frame: bytes) -> Tcp | None:
    found = parse(1, frame)
    return found if isinstance(found, Tcp) else None


@settings(max_examples=25)
@given(data=st.data())
def test_disorder_and_repetition(
    frames: Frames, charge: Charge, to_pcap: Callable[..., bytes], decode: Callable[..., Any], data: st.DataObject
) -> None:
    """Frames swapped with neighbours and heard twice: every message, once."""
    disordered = [entry for entry in frames for _ in range(data.draw(st.integers(1, 10)) // 10 + 1)]
    place = 5  # the handshake of TCP stays: it tells where the streams begin
    while place < len(disordered) - 5:
        if data.draw(st.integers(0, 4)) == 0:
            disordered[place], disordered[place + 1] = disordered[place + 1], disordered[place]
        place += 2 + data.draw(st.integers(0, 20))
    result = decode(to_pcap([(frames[0][0] + number * 0.001, frame) for number, (_, frame) in enumerate(disordered)]))
    assert sorted(names(result)) == sorted(charge[1])
    assert len(result.sessions) == 1


@settings(max_examples=25)
@given(data=st.data())
def test_frames_that_the_capture_lacks(
    frames: Frames, charge: Charge, to_pcap: Callable[..., bytes], decode: Callable[..., Any], data: st.DataObject
) -> None:
    """Each frame of the writer holds one message: as many are lost as frames, and the rest is decoded."""
    carrying = [number for number, (_, frame) in enumerate(frames) if (found := tcp(frame)) and found.data]
    lost = data.draw(st.sets(st.sampled_from(carrying[2:-4]), min_size=1, max_size=5))
    result = decode(to_pcap([entry for number, entry in enumerate(frames) if number not in lost]))
    assert sum(result.messages.values()) == len(charge[1]) - len(lost)
    assert not result.totals.undecoded
    assert result.sessions[0][0].lost > 0


def test_a_capture_that_begins_inside_a_session(
    frames: Frames, charge: Charge, to_pcap: Callable[..., bytes], decode: Callable[..., Any]
) -> None:
    """Without SYN and handshake the schema is found by what decodes."""
    for start in (6, 9, 40, len(frames) - 8):
        result = decode(to_pcap(frames[start:]))
        ((session, _),) = result.sessions
        assert names(result) == charge[1][len(charge[1]) - len(names(result)) :]
        assert len(names(result)) >= len(frames) - start - 4
        assert not result.totals.undecoded
        assert session.protocol == "din70121"
        assert not session.whole


def test_a_capture_that_ends_inside_a_session(
    frames: Frames, to_pcap: Callable[..., bytes], decode: Callable[..., Any]
) -> None:
    ((session, verdict),) = decode(to_pcap(frames[:60])).sessions
    assert verdict.outcome == "unfinished"
    assert "the capture ends after" in verdict.reason
    assert session.whole


def test_many_sessions_on_the_same_ports(
    frames: Frames, charge: Charge, to_pcap: Callable[..., bytes], decode: Callable[..., Any]
) -> None:
    span = frames[-1][0] - frames[0][0] + 5
    repeated = [(at + number * span, frame) for number in range(4) for at, frame in frames]
    result = decode(to_pcap(repeated))
    assert [verdict.outcome for _, verdict in result.sessions] == ["good"] * 4
    assert names(result) == charge[1] * 4


def test_memory_stays_bounded(frames: Frames) -> None:
    """Connections that never end are let go; each SYN is from another port."""
    decoder = Decoder(lambda seen: None, lambda session, verdict: None)
    syn = next(frame for _, frame in frames if (found := tcp(frame)) and found.flags == Flags.SYN)
    for number in range(3 * CONNECTIONS):
        octets = bytearray(syn)
        octets[54:56] = (1024 + number).to_bytes(2, "big")
        octets[22 + 15] = number % 251  # another vehicle
        decoder.frame(Captured(number + 1, 1.0 + number * 0.001, 1, bytes(octets)))
    assert len(decoder._connections) <= CONNECTIONS
    decoder.close()
    assert not decoder._connections
    assert not decoder._active


def test_a_reset_and_a_silent_station(
    frames: Frames, to_pcap: Callable[..., bytes], decode: Callable[..., Any]
) -> None:
    """Requests without answers are named with the time that was waited and the time that is allowed."""
    requests = [
        number
        for number, (_, frame) in enumerate(frames)
        if (found := tcp(frame)) and found.data and found.destination[1] == 50000
    ]
    last = requests[6]
    at = frames[last][0]
    late = [*frames[: last + 1], (at + 2.5, b"\xff" * 12 + b"\x08\x06" + bytes(30))]
    ((_, verdict),) = decode(to_pcap(late)).sessions
    assert verdict.outcome == "failed"
    assert "got no answer in 2.5 s, 2 s allowed" in verdict.reason


@pytest.mark.parametrize("word", ["refused", "unanswered"])
def test_connections_that_come_to_nothing(
    frames: Frames, to_pcap: Callable[..., bytes], decode: Callable[..., Any], word: str
) -> None:
    discovery, syn, answer = frames[:2], frames[2], bytearray(frames[3][1])
    found = tcp(syn[1])
    assert found is not None
    assert found.flags == Flags.SYN
    answer[14 + 40 + 13] = Flags.RST | Flags.ACK
    tried = [syn, (syn[0], bytes(answer))] if word == "refused" else [syn]
    result = decode(to_pcap(discovery + tried * 3))
    ((session, verdict),) = result.sessions
    assert session.messages == 0
    assert word in verdict.reason


def test_homeplug_frames_are_counted_by_name(to_pcap: Callable[..., bytes], decode: Callable[..., Any]) -> None:
    request = slac.make("CM_SLAC_PARM.REQ", destination=bytes(6), source=bytes(6), vlan=7)
    unknown = bytes(12) + bytes.fromhex("88E1 01 9D60 0000")
    frames = [request, request, request[:25], unknown, bytes(12) + b"\x88\xe1"]
    result = decode(to_pcap([(number, frame) for number, frame in enumerate(frames)]))
    assert result.totals.mme == {"CM_SLAC_PARM.REQ": 3, "CM_0x609D.CNF": 1, "unreadable": 1}


@pytest.mark.parametrize("answered", [True, False])
def test_a_connection_to_another_port_beside_the_session(
    frames: Frames, charge: Charge, to_pcap: Callable[..., bytes], decode: Callable[..., Any], answered: bool
) -> None:
    """An Audi knocks at another port of the station while its session goes on; that ends nothing."""
    beside = []
    for (at, frame), flags in zip(frames[2:4], (Flags.SYN, Flags.RST | Flags.ACK), strict=True):
        octets = bytearray(frame)
        found = tcp(frame)
        assert found is not None
        asks = found.flags == Flags.SYN
        octets[54 + 2 * asks : 56 + 2 * asks] = (60918).to_bytes(2, "big")
        octets[67] = flags
        beside.append((at + 1.0, bytes(octets)))
    place = next(number for number, (at, _) in enumerate(frames) if at > beside[0][0])
    result = decode(to_pcap(frames[:place] + beside[: 1 + answered] + frames[place:]))
    assert [verdict.outcome for _, verdict in result.sessions] == ["good"]
    assert names(result) == charge[1]
