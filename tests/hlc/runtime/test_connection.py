"""Whatever happens on a connection reaches the machine, and what the machine wants reaches the connection."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hlc.flow import PLAIN, Close, Effect, Send, Transport
from hlc.runtime.connection import MAX_UNSENT, Connection
from hlc.trace.events import Blame, Event, Fault, Side
from hlc.v2gtp import frame


class FakeMachine:
    """Answers every frame with the same frame, and writes down what it is told."""

    side = Side.SECC

    def __init__(self) -> None:
        self.told: list[str] = []
        self.closed = self.finished = self.good = False
        self.reason = ""
        self.deadline: float | None = None
        self.expired_at: float | None = None
        self.breaks_at = ""
        self.transport: Transport | None = None

    def _note(self, what: str) -> None:
        self.told.append(what)
        if what.startswith(self.breaks_at or "never"):
            raise ZeroDivisionError("a bug")

    def _end(self, reason: str) -> list[Effect]:
        if self.closed:
            return []
        self.closed = self.finished = True
        self.deadline = None
        return [Close(reason)]

    def start(self, now: float, transport: Transport = PLAIN) -> list[Effect]:
        self.transport = transport
        self._note("start")
        return []

    def receive(self, payload_type: int, payload: bytes, now: float) -> list[Effect]:
        if self.closed:
            return []
        self._note(f"receive {payload_type:x} {payload!r}")
        return self._end("asked to") if payload == b"close" else [Send(payload_type, payload)]

    def expire(self, now: float) -> list[Effect]:
        self._note("expire")
        self.expired_at = now
        return self._end("timeout")

    def lost(self, now: float, reason: str) -> list[Effect]:
        if not self.closed:
            self._note(f"lost {reason}")
        return self._end(reason)

    def stop(self, now: float, reason: str) -> list[Effect]:
        self._note(f"stop {reason}")
        return self._end(reason)

    def next_deadline(self) -> float | None:
        return self.deadline


class Line:
    """A connection under test and its other end."""

    def __init__(self, machine: FakeMachine) -> None:
        self.machine = machine
        self.events: list[Event] = []
        self.peer: socket.socket
        self.connection: Connection

    async def read(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.peer, 65536)

    @property
    def faults(self) -> list[Fault]:
        return [event for event in self.events if isinstance(event, Fault)]


@asynccontextmanager
async def line(machine: FakeMachine, linger_s: float = 0.0) -> AsyncIterator[Line]:
    made = Line(machine)
    ours, made.peer = socket.socketpair(socket.AF_UNIX)
    made.peer.setblocking(False)

    def factory() -> Connection:
        return Connection(machine, made.events.append, linger_s=linger_s)  # type: ignore[arg-type]

    _, made.connection = await asyncio.get_running_loop().create_connection(factory, sock=ours)
    try:
        async with asyncio.timeout(5):
            yield made
    finally:
        made.peer.close()
        made.connection.drop("the test is over")


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def test_frames_in_pieces_reach_the_machine_and_answers_the_peer() -> None:
    async def test() -> None:
        async with line(FakeMachine()) as made:
            data = frame(0x8001, b"one") + frame(0x8002, b"two")
            for octet in data:
                made.peer.send(bytes([octet]))
                await asyncio.sleep(0)
            answer = b""
            while len(answer) < len(data):
                answer += await made.read()
            assert answer == data
            assert made.machine.told == ["start", "receive 8001 b'one'", "receive 8002 b'two'"]

    run(test)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "lost the peer closed it"),
        (b"\x02\xfe" + bytes(6), "lost V2GTP version 0x02 0xFE, expected 0x01 0xFE"),
        (struct.pack("!BBHI", 1, 0xFE, 0x8001, 1 << 30), "lost V2GTP payload of 1073741824 octets"),
    ],
)
def test_end_of_stream_and_garbage(data: bytes, told: str) -> None:
    async def test() -> None:
        async with line(FakeMachine()) as made:
            if data:
                made.peer.send(frame(0x8001, b"good") + data)
            else:
                made.peer.shutdown(socket.SHUT_WR)
            await made.connection.closed
            assert made.machine.told[-1].startswith(told)
            assert [fault.blame for fault in made.faults] == ([Blame.REMOTE] if data else [])
            if data:
                assert "receive 8001 b'good'" in made.machine.told

    run(test)


def test_reset_of_the_connection() -> None:
    async def test() -> None:
        async with line(FakeMachine()) as made:
            made.peer.close()
            await made.connection.closed
            assert [told for told in made.machine.told if told.startswith("lost")] == [made.machine.told[-1]]

    run(test)


def test_frames_after_the_end_are_ignored() -> None:
    async def test() -> None:
        async with line(FakeMachine()) as made:
            made.peer.send(frame(0x8001, b"close") + frame(0x8001, b"more"))
            assert await made.read() == b""
            assert made.machine.told[1:] == ["receive 8001 b'close'"]

    run(test)


def test_deadline_is_kept_and_may_move_either_way() -> None:
    async def test() -> None:
        machine = FakeMachine()
        async with line(machine) as made:
            now = asyncio.get_running_loop().time()
            machine.deadline = now + 60
            made.peer.send(frame(0x8001, b"x"))
            await made.read()
            machine.deadline = now + 0.03
            made.peer.send(frame(0x8001, b"x"))
            await made.read()
            machine.deadline = now + 0.06  # later again: the timer that is armed must not fire the machine
            await made.connection.closed
            assert machine.told.count("expire") == 1
            assert machine.expired_at is not None
            assert machine.expired_at >= now + 0.06

    run(test)


def test_machine_goes_on_until_it_is_safe_after_the_connection_has_gone() -> None:
    async def test() -> None:
        machine = FakeMachine()

        def close_but_settle(now: float, reason: str) -> list[Effect]:
            if not machine.closed:
                machine.closed = True
                machine.deadline = now + 0.02
            return []

        def settled(now: float) -> list[Effect]:
            machine.finished, machine.deadline = True, None
            return []

        machine.lost, machine.expire = close_but_settle, settled  # type: ignore[method-assign]
        async with line(machine) as made:
            made.peer.close()
            await asyncio.sleep(0.005)
            assert not made.connection.closed.done()
            await made.connection.closed
            assert machine.finished

    run(test)


@pytest.mark.parametrize("breaks_at", ["start", "receive", "expire"])
def test_a_bug_of_ours_makes_safe_and_closes_this_connection_only(breaks_at: str) -> None:
    async def test() -> None:
        machine = FakeMachine()
        machine.breaks_at = breaks_at
        machine.deadline = asyncio.get_running_loop().time() + 0.02
        async with line(machine) as made:
            with contextlib.suppress(BrokenPipeError):  # it breaks at once
                made.peer.send(frame(0x8001, b"x"))
            await made.connection.closed
            assert machine.told[-1] == "lost internal error: ZeroDivisionError: a bug"
            assert [(fault.blame, fault.text) for fault in made.faults] == [
                (Blame.LOCAL, "internal error: ZeroDivisionError: a bug")
            ]

    run(test)


def test_a_bug_in_making_safe_still_closes() -> None:
    async def test() -> None:
        machine = FakeMachine()
        machine.breaks_at = "lost"
        async with line(machine) as made:
            made.peer.close()
            await made.connection.closed
            assert [fault.blame for fault in made.faults] == [Blame.LOCAL, Blame.LOCAL]

    run(test)


def test_station_waits_for_the_vehicle_to_close_but_not_for_ever() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        async with line(FakeMachine(), linger_s=0.03) as made:
            made.peer.send(frame(0x8001, b"close"))
            assert await made.read() == b""  # our end is closed
            asked = loop.time()
            assert not made.connection.closed.done()
            await made.connection.closed
            assert loop.time() - asked >= 0.02
        async with line(FakeMachine(), linger_s=60.0) as made:
            made.peer.send(frame(0x8001, b"close"))
            await made.read()
            made.peer.close()
            await made.connection.closed

    run(test)


def test_a_peer_that_has_closed_before_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may know of it before asyncio does."""

    async def test() -> None:
        async with line(FakeMachine(), linger_s=60.0) as made:

            def gone(transport: asyncio.Transport) -> None:
                raise OSError(107, "Transport endpoint is not connected")

            monkeypatch.setattr(type(made.connection._transport), "write_eof", gone)
            made.peer.send(frame(0x8001, b"close"))
            await made.connection.finished
            made.peer.close()
            await made.connection.closed
            assert made.faults == []
            assert made.machine.told == ["start", "receive 8001 b'close'"]

    run(test)


def test_a_peer_that_does_not_read_is_lost() -> None:
    async def test() -> None:
        async with line(FakeMachine()) as made:
            loop = asyncio.get_running_loop()
            data = frame(0x8001, bytes(60000))

            async def talk() -> None:
                for _ in range(4 * MAX_UNSENT // len(data) + 40):
                    await loop.sock_sendall(made.peer, data)

            talking = asyncio.create_task(talk())
            await made.connection.closed
            talking.cancel()
            assert made.faults[0].text == "the peer does not read what it is sent"
            await asyncio.gather(talking, return_exceptions=True)

    run(test)


def test_stop_and_drop() -> None:
    async def test() -> None:
        async with line(FakeMachine()) as made:
            made.connection.stop("enough")
            await made.connection.closed
            assert made.machine.told == ["start", "stop enough"]
        async with line(FakeMachine()) as made:
            made.connection.drop("now")
            await made.connection.closed
            assert made.machine.told == ["start", "lost now"]

    run(test)
