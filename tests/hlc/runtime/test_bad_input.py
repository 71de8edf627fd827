"""What must not trouble a station, over real sockets, in each protocol, with TLS and without: whatever comes in, the
next good vehicle is found and served within a second, and nothing is kept of the rest. Valid input is answered however
it is cut. `test_bad_tls` has what is bad about TLS itself, `test_bad_sdp` what is bad about discovery."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from typing import Any, Final

import pytest
from attacked import (
    DIN,
    ISO2,
    ISO20,
    SILENCE_S,
    SPEECHES,
    WITHIN_S,
    Attacked,
    Peer,
    Play,
    Speech,
    attacked,
    soon,
    within,
)

import exi
from hlc import sap
from hlc.trace.events import Note, SessionEnded
from hlc.v2gtp import PayloadType, frame


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    soon(monkeypatch)


@pytest.fixture(params=SPEECHES.values(), ids=SPEECHES.keys())
def speech(request: pytest.FixtureRequest) -> Any:
    return request.param


NOISE: Final = random.Random(15118)
SAP: Final = DIN.sap
HEADER: Final = 8
"""Octets."""


def header(payload_type: int, length: int) -> bytes:
    return struct.pack("!BBHI", 1, 0xFE, payload_type, length)


UNREADABLE: Final = {
    "random bytes": NOISE.randbytes(1000),
    "wrong version": b"\x02\xfd" + SAP[2:],
    "wrong inverse version": b"\x01\xff" + SAP[2:],
    "length FFFFFFFF": header(PayloadType.EXI, 0xFFFFFFFF) + bytes(1000),
    "length FFFFFFFF of an unknown payload type": header(0x1234, 0xFFFFFFFF) + bytes(1000),
    "length one above what is accepted": header(PayloadType.EXI, 0x10001),
    "length too short for what follows": header(PayloadType.EXI, len(SAP) - 17) + SAP[HEADER:],
    "garbage EXI": frame(PayloadType.EXI, NOISE.randbytes(100)),
    "garbage behind an EXI header": frame(PayloadType.EXI, b"\x80" + NOISE.randbytes(100)),
    "empty EXI": frame(PayloadType.EXI, b""),
    "truncated EXI": frame(PayloadType.EXI, SAP[HEADER:-10]),
    "an answer instead of a request": frame(
        PayloadType.EXI, exi.schema("sap").encode(sap.negotiate(sap.offer([sap.DIN70121]), [sap.DIN70121])[0])
    ),
    "HTTP": b"GET / HTTP/1.1\r\nHost: station\r\n\r\n",
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_unreadable(loopback: str, play: Play, speech: Speech, data: bytes) -> None:
    """As the first that is said, and in a session."""

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            for greet in (made.arrives, made.serves):
                peer = await greet()
                await peer.send(data)
                async with within(WITHIN_S):
                    assert await peer.closed()
                assert made.faults
                made.events.clear()

    play(test())


def test_garbage_exi_and_truncated_exi_of_the_protocol_spoken(loopback: str, play: Play, speech: Speech) -> None:
    """A good request, cut, or bent in the middle."""
    good = speech.message(speech.next)[HEADER:]
    bad = [good[:-octets] for octets in (1, 3, len(good) - 1)]
    bad += [good[: len(good) // 2] + NOISE.randbytes(octets) for octets in (1, 3, 30)]

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            for data in bad:
                peer = await made.serves()
                await peer.send(frame(speech.payload_type, data) * 2)
                async with within(WITHIN_S):
                    while answer := await peer.answer():
                        assert speech.code(answer).startswith(("OK", "FAILED"))  # garbage may be a message
                assert made.faults
                await made.leave()

    play(test())


def test_the_message_of_another_protocol(loopback: str, play: Play, speech: Speech) -> None:
    """Before the protocol is agreed, and after."""
    others = [other for other in (DIN, ISO2, ISO20) if other.schema != speech.schema]

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            for data in (speech.setup, *(other.setup for other in others)):
                peer = await made.arrives()
                # Before, a payload type of ISO 15118-20 means nothing; what follows then is read.
                await peer.send(data + frame(PayloadType.EXI, b""))
                async with within(WITHIN_S):
                    assert await peer.closed()
            for other in others:
                if other.payload_type is speech.payload_type:
                    peer = await made.serves()
                    await peer.send(other.setup)
                    async with within(WITHIN_S):
                        while answer := await peer.answer():
                            assert speech.code(answer).startswith("FAILED")

    play(test())


def test_an_unknown_payload_type_is_passed_over(loopback: str, play: Play, speech: Speech) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            peer = await made.arrives()
            for kind in (0x0000, 0x8002, 0x9000, 0x1234, 0xFFFF):
                await peer.send(frame(kind, b"whatever"))
            await peer.send(speech.sap)
            assert await peer.answer()
            await peer.send(frame(0x8FFF, b"") + speech.setup)
            assert speech.code(await peer.answer()) == "OK_NewSessionEstablished"
            await peer.send(frame(0xA000, bytes(0x10000)) + speech.message(speech.next))
            assert speech.code(await peer.answer()) == "OK"
            assert len([event for event in made.events if isinstance(event, Note) and "discarded" in event.text]) == 7

    play(test())


def test_a_split_header_is_answered(loopback: str, play: Play, speech: Speech) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            peer = await made.arrives()
            for length, data in ((1, speech.sap), (4, speech.setup), (7, speech.message(speech.next))):
                await peer.send(data[:length])
                await asyncio.sleep(0.002)
                await peer.send(data[length:])
                assert await peer.answer()

    play(test())


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_a_cut_header_or_message(loopback: str, play: Play, speech: Speech, how: str) -> None:
    """Nobody sends the rest. Who says so at once was no session."""
    opening, further = speech.sap, speech.message(speech.next)

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            for length in (1, 7, 8, len(opening) - 1):
                peer = await made.arrives()
                await peer.send(opening[:length])
                await hang_up(peer, how)
            assert not [event for event in made.events if isinstance(event, SessionEnded)]
            for length in (1, 7, 8, len(further) - 1):
                peer = await made.serves()
                await peer.send(further[:length])
                await hang_up(peer, how)

    play(test())


async def hang_up(peer: Peer, how: str) -> None:
    if how == "closed":
        peer.sock.shutdown(socket.SHUT_WR)
        assert await peer.closed()
    else:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.sock.close()
        await asyncio.sleep(0.01)


def test_a_message_byte_by_byte_is_answered(loopback: str, play: Play, speech: Speech) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            peer = await made.arrives()
            for data in (speech.sap, speech.setup, speech.message(speech.next)):
                for octet in peer.sealed(data):
                    await peer.put(bytes([octet]))
                    await asyncio.sleep(0)
                assert await peer.answer()

    play(test())


def test_two_messages_in_one_segment_are_both_answered(loopback: str, play: Play, speech: Speech) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            peer = await made.arrives()
            further = speech.message(speech.next)
            await peer.send(speech.sap + speech.setup + further[:12])
            assert await peer.answer()
            assert speech.code(await peer.answer()) == "OK_NewSessionEstablished"
            await peer.send(further[12:])
            assert speech.code(await peer.answer()) == "OK"

    play(test())


def test_a_message_out_of_sequence(loopback: str, play: Play, speech: Speech) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            for request in (speech.out_of_sequence, speech.session_setup):
                peer = await made.serves()
                await peer.send(speech.message(request))
                assert speech.code(await peer.answer()) == "FAILED_SequenceError"
                assert await peer.closed()

    play(test())


def test_a_wrong_session_id(loopback: str, play: Play, speech: Speech) -> None:
    wrong = [bytes(8), b"6" * 8, b"7" * 4, b""]
    if speech.payload_type is not PayloadType.EXI:
        wrong = wrong[:2]  # shorter ones cannot be said

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            for session_id in wrong:
                peer = await made.serves()
                await peer.send(speech.message(speech.next, session_id))
                assert speech.code(await peer.answer()) == "FAILED_UnknownSession"
                assert await peer.closed()

    play(test())


def test_a_good_end_is_answered(loopback: str, play: Play, speech: Speech) -> None:
    """What the two tests before must not be mistaken for."""

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            peer = await made.serves()
            await peer.send(speech.message(speech.session_stop))
            assert speech.code(await peer.answer()) == "OK"
            assert await peer.closed()
            assert made.faults == []

    play(test())


SAYS_LITTLE: Final = {
    "silence": b"",
    "a cut header": SAP[:1],
    "a cut message": SAP[:-1],
    "a length too long for what follows": header(PayloadType.EXI, len(SAP) - HEADER + 9) + SAP[HEADER:],
    "an unknown payload type and a cut message": frame(0x1234, b"") + SAP[:-1],
}


def test_silence_and_a_length_too_long(loopback: str, play: Play, speech: Speech) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            quiet = []
            for said in SAYS_LITTLE.values():
                quiet.append(await made.arrives())
                await quiet[-1].send(said)
            await asyncio.sleep(0.01)
            vehicle = await made.serves()  # before anybody loses patience with the silent ones
            for peer in quiet:
                assert await peer.closed()
            assert made.faults == [f"nothing whole was said for {SILENCE_S:g} s"] * len(quiet)
            await vehicle.send(speech.message(speech.next))
            assert speech.code(await vehicle.answer()) == "OK"

    play(test())


def test_a_slow_sender_keeps_nobody_out_and_is_dropped(loopback: str, play: Play, speech: Speech) -> None:
    async def slowly(peer: Peer) -> None:
        for octet in peer.sealed(speech.sap * 100):
            try:
                await peer.put(bytes([octet]))
            except OSError:
                return
            await asyncio.sleep(SILENCE_S / 10)

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            slow = [asyncio.create_task(slowly(await made.arrives())) for _ in range(20)]
            await made.serves()
            await asyncio.wait_for(asyncio.gather(*slow), 2)

    play(test())


CROWDS: Final = {
    **{f"{name} say {what}": (SPEECHES[name], said) for name in ("DIN 70121", "ISO 15118-20 over TLS 1.3")
       for what, said in (("nothing", b""), ("a cut message", SAP[:-1]), ("garbage EXI", UNREADABLE["garbage EXI"]))},
    **{f"{name} say random bytes": (speech, UNREADABLE["random bytes"]) for name, speech in SPEECHES.items()},
}  # fmt: skip


@pytest.mark.parametrize(("speech", "said"), CROWDS.values(), ids=CROWDS.keys())
def test_200_connections_at_once(loopback: str, play: Play, speech: Speech, said: bytes) -> None:
    async def attack(made: Attacked) -> None:
        await (await made.connect()).put(said)

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            # The good vehicle comes among them, and one more behind them.
            crowd = [asyncio.create_task(attack(made)) for _ in range(100)]
            vehicle = asyncio.create_task(made.serves())
            crowd += [asyncio.create_task(attack(made)) for _ in range(100)]
            peer = await vehicle
            await asyncio.gather(*crowd)
            await peer.send(speech.message(speech.session_stop))
            assert speech.code(await peer.answer()) == "OK"

    play(test())


def test_a_session_is_answered_while_others_attack(loopback: str, play: Play, speech: Speech) -> None:
    async def attack(made: Attacked, said: bytes) -> None:
        while True:
            peer = await made.connect()
            try:
                await peer.put(said)
                await peer.closed()
            except OSError:
                pass
            finally:
                peer.sock.close()

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            vehicle = await made.serves()
            crowd = [asyncio.create_task(attack(made, data)) for data in UNREADABLE.values()]
            for _ in range(20):
                await asyncio.sleep(0.01)
                async with within(WITHIN_S):
                    await vehicle.send(frame(0x1234, b""))
            async with within(WITHIN_S):
                await vehicle.send(speech.message(speech.next))
                assert speech.code(await vehicle.answer()) == "OK"
            vehicle.sock.close()
            await made.serves()
            for task in crowd:
                task.cancel()
            await asyncio.gather(*crowd, return_exceptions=True)
            assert len([event for event in made.events if isinstance(event, Note)]) < 200

    play(test())


def test_20_connections_on_which_nothing_is_said(loopback: str, play: Play, speech: Speech) -> None:
    """Nor is the handshake of TLS begun. They hang on before and during two sessions."""

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            for _ in range(2):
                for _ in range(20):
                    await made.connect()
                vehicle = await made.serves()
                async with within(WITHIN_S):
                    await vehicle.send(speech.message(speech.session_stop))
                    assert speech.code(await vehicle.answer()) == "OK"

    play(test())


def test_20_half_open_connections(loopback: str, play: Play, speech: Speech, own_network: str | None) -> None:
    """Their third segment never comes: the addresses from which they were opened do not exist."""
    if own_network is None:
        pytest.skip("raw sockets need root")
    from scapy.layers.inet import TCP
    from scapy.layers.inet6 import IPv6

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
                for number in range(20):
                    syn = IPv6(src=f"fd00::{number + 1:x}", dst="::1") / TCP(
                        sport=40000 + number, dport=made.server.port, flags="S", seq=number
                    )
                    raw.sendto(bytes(syn), ("::1", 0))
            await made.serves()

    play(test())
