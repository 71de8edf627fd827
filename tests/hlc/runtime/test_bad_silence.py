"""Who has a session and falls silent must not keep the outlet, over real sockets, in each protocol, with TLS and
without: it makes way as soon as a vehicle waits. Nobody who goes on talking does, nor while anything is live."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Final

import pytest
from attacked import SPEECHES, WITHIN_S, Attacked, Peer, Play, Speech, attacked, soon, within

from hlc.trace.events import Note, SessionEnded
from hlc.v2gtp import frame

SILENT_S: Final = 0.1
"""In place of what a vehicle has."""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    soon(monkeypatch)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is noticed soon."""
    monkeypatch.setattr("hlc.secc.station.TALKING_S", SILENT_S)
    monkeypatch.setattr("hlc.runtime.station.LOOK_S", 0.01)


@pytest.fixture(params=SPEECHES.values(), ids=SPEECHES.keys())
def speech(request: pytest.FixtureRequest) -> Speech:
    found: Speech = request.param
    return found


STAGES: Final = ("supportedAppProtocolReq", "SessionSetupReq", "the request after")
WAY: Final = "the peer fell silent, and another session waits for the hardware"


async def holds(made: Attacked, stage: str = STAGES[1]) -> Peer:
    """Somebody who comes so far, and then says nothing."""
    peer = await made.arrives()
    speech = made.speech
    for request in (speech.sap, speech.setup, speech.message(speech.next))[: STAGES.index(stage) + 1]:
        await peer.send(request)
        assert await peer.answer()
    return peer


def test_a_good_vehicle_that_comes_at_the_worst_moment_is_served_within_a_second(
    loopback: str, play: Play, speech: Speech
) -> None:
    """With the times of a real station."""

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            await holds(made)
            await made.serves()
            assert made.faults == [WAY]

    play(test())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("stage", STAGES)
def test_who_falls_silent_makes_way(loopback: str, play: Play, speech: Speech, stage: str) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            silent = await holds(made, stage)
            await made.serves()
            assert made.faults == [WAY]
            assert await silent.closed()
            ended = [event for event in made.events if isinstance(event, SessionEnded)]
            assert [(event.good, event.reason) for event in ended] == [(False, WAY)]

    play(test())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("stage", STAGES[:2])
def test_a_crowd_of_20_that_falls_silent(loopback: str, play: Play, speech: Speech, stage: str) -> None:
    """One of them has the outlet, and 19 wait for it when the vehicle comes. It is the first whose turn it is."""

    async def crowd(made: Attacked) -> None:
        with suppress(OSError, AssertionError):  # it came too late
            peer = await made.arrives()
            await peer.send(speech.sap + (speech.setup if stage == STAGES[1] else b""))

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            await asyncio.gather(*(crowd(made) for _ in range(20)))
            await made.serves()
            assert WAY in made.faults

    play(test())


@pytest.mark.usefixtures("quick")
def test_a_waiting_vehicle_gets_the_outlet_that_becomes_free(loopback: str, play: Play, speech: Speech) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            first = await holds(made)
            vehicle = asyncio.create_task(made.serves())
            await asyncio.sleep(SILENT_S / 5)
            await first.send(speech.message(speech.session_stop))
            assert speech.code(await first.answer()) == "OK"
            await vehicle
            assert made.faults == []

    play(test())


@pytest.mark.usefixtures("quick")
def test_who_fell_silent_before_comes_after_everybody_else(
    loopback: str, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where addresses tell who comes: strangers that open new connections all the time wait behind a vehicle."""
    names: dict[int, str] = {}

    def name(transport: asyncio.BaseTransport) -> str:
        return names.get(transport.get_extra_info("peername")[1], "a stranger")

    async def asks(made: Attacked, name: str) -> Peer:
        peer = await made.connect()
        names[peer.sock.getsockname()[1]] = name
        await peer.send(made.speech.sap)
        return peer

    async def test() -> None:
        async with attacked(loopback) as made:
            monkeypatch.setattr("hlc.runtime.connection.peer_address", name)
            first = await asks(made, "a stranger")
            assert await first.answer()
            second = await asks(made, "another stranger")
            assert await second.answer()  # the first has made way
            vehicle = await asks(made, "a vehicle")
            again = await asks(made, "a stranger")
            assert await vehicle.answer()
            assert made.faults == [WAY, WAY]  # of the first and the second, and of nobody who was let in before it
            await vehicle.send(made.speech.setup)
            assert made.speech.code(await vehicle.answer()) == "OK_NewSessionEstablished"
            again.sock.close()

    play(test())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("how", ["closed", "reset"])
def test_who_waits_and_hangs_up(loopback: str, play: Play, speech: Speech, how: str) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            await holds(made)
            for _ in range(20):
                peer = await made.arrives()
                await peer.send(speech.sap)
                if how == "reset":
                    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.sock.close()
            await made.serves()

    play(test())


def test_who_waits_makes_way_for_a_crowd_and_is_forgotten(
    loopback: str, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hlc.runtime.station.IDLE", 4)

    async def test() -> None:
        async with attacked(loopback) as made:
            await holds(made)
            waiting = await made.arrives()
            await waiting.send(made.speech.sap)
            await asyncio.sleep(0.01)
            assert made.server._asking
            for _ in range(5):
                await made.connect()
            assert await waiting.closed()
            await asyncio.sleep(0.1)
            assert not made.server._asking

    play(test())


@pytest.mark.usefixtures("quick")
def test_while_anything_is_live_nobody_makes_way(loopback: str, play: Play, speech: Speech) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            vehicle = await holds(made)
            waiting = await made.arrives()
            (machine,) = [each for each in made.machines if each.session_id is not None]
            machine.live = True  # as from the cable check on
            del machine
            await asyncio.sleep(2 * SILENT_S)
            await waiting.send(speech.sap)
            assert await waiting.closed()
            assert await (await made.connect()).closed()
            await vehicle.send(speech.message(speech.next))
            assert speech.code(await vehicle.answer()) == "OK"
            refused = [event.text for event in made.events if isinstance(event, Note) and "refused" in event.text]
            assert refused == ["refused a connection from ::1: the outlet serves ::1"] * 2

    play(test())


@pytest.mark.usefixtures("quick")
def test_nobody_waits_for_who_has_been_silent_for_long(loopback: str, play: Play, speech: Speech) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            for stage in STAGES:
                await holds(made, stage)
                await asyncio.sleep(SILENT_S)
                async with within(SILENT_S):
                    await made.serves()
                await made.leave()

    play(test())


@pytest.mark.usefixtures("quick")
def test_who_says_what_means_nothing_is_silent(loopback: str, play: Play, speech: Speech) -> None:
    async def hum(peer: Peer) -> None:
        while True:
            await peer.send(frame(0x1234, b"") + speech.message(speech.next)[:5])
            await asyncio.sleep(SILENT_S / 5)

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            humming = asyncio.create_task(hum(await holds(made)))
            await made.serves()
            humming.cancel()
            await asyncio.gather(humming, return_exceptions=True)

    play(test())


def test_who_goes_on_talking_is_never_displaced(loopback: str, play: Play, speech: Speech) -> None:
    """Whoever comes, and however often."""

    async def attack(made: Attacked) -> None:
        while True:
            peer = await made.arrives()
            await peer.send(speech.sap)
            assert await peer.closed()
            peer.sock.close()

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            vehicle = await holds(made, STAGES[0])
            attacks = [asyncio.create_task(attack(made)) for _ in range(3)]
            for request in (speech.setup, *[speech.message(r) for r in (speech.next, speech.session_stop)]):
                await asyncio.sleep(SILENT_S)  # a handshake, here of both ends, takes a part of the 0.6 s
                await vehicle.send(request)
                async with within(WITHIN_S):
                    assert speech.code(await vehicle.answer()).startswith("OK")
                assert made.faults == []
            for task in attacks:
                task.cancel()
            await asyncio.gather(*attacks, return_exceptions=True)

    play(test())
