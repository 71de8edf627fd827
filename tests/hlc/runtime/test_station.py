"""One outlet serves one vehicle: which connection is its, what happens to the others, and that the server goes on."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from ipaddress import IPv6Address
from typing import Any

import pytest

import exi
from hlc import sap
from hlc.runtime.connection import Connection
from hlc.runtime.discovery import Found
from hlc.runtime.errors import SetupError
from hlc.runtime.interfaces import Interface, find
from hlc.runtime.station import StationServer, listening_socket
from hlc.runtime.vehicle import connect
from hlc.secc import Station
from hlc.sim import SimulatedOutlet
from hlc.trace.events import Event, Note
from hlc.v2gtp import PayloadType, Splitter, frame

Play = Callable[[Coroutine[Any, Any, None]], None]
SAP_REQUEST = frame(PayloadType.EXI, exi.schema("sap").encode(sap.offer([sap.DIN70121])))


@pytest.fixture(autouse=True)
def _oscillator_off_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for which the oscillator outlives a session is none that matters here."""
    monkeypatch.setattr("hlc.secc.din70121.Conversation.oscillator_retain_s", 0.02)


class Serving:
    """A station in service, and what it told."""

    def __init__(self, interface: Interface) -> None:
        self.events: list[Event] = []
        self.outlet = SimulatedOutlet()
        self.machines: list[Station] = []
        self.server = StationServer(interface, self._machine, self.events.append)

    def _machine(self) -> Station:
        self.machines.append(Station(self.outlet, random=bytes, trace=self.events.append))
        return self.machines[-1]

    async def connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("::1", self.server.port))
        return sock

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Note)]


@asynccontextmanager
async def serving(interface: Interface) -> AsyncIterator[Serving]:
    made = Serving(interface)
    task = asyncio.create_task(made.server.run())
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if made.server.current is not None:
            made.server.current.drop("the test is over")
            await made.server.current.finished


async def handshake(sock: socket.socket) -> bool:
    """Whether a station answers on this connection."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, SAP_REQUEST)
    data = await loop.sock_recv(sock, 1000)
    return bool(data) and len(Splitter().feed(data)) == 1


def test_another_vehicle_is_refused_while_one_is_served(loopback: str, play: Play) -> None:
    async def test() -> None:
        async with serving(await find(loopback)) as made:
            with await made.connect() as first:
                assert await handshake(first)
                with await made.connect() as second:
                    assert await asyncio.get_running_loop().sock_recv(second, 100) == b""
                assert made.notes == ["refused a connection from ::1: the outlet serves ::1"]
                assert len(made.machines) == 1

    play(test())


def test_the_same_vehicle_replaces_its_old_connection(loopback: str, play: Play) -> None:
    async def test() -> None:
        interface = await find(loopback)
        async with serving(interface) as made:
            # On a real link the address tells who comes.
            made.server.interface = Interface("eth1", interface.index, IPv6Address("fe80::1"))
            with await made.connect() as first, await made.connect() as second:
                await handshake(second)
                assert made.notes[0] == "dropped the connection of ::1: the vehicle opened a new connection"
                assert [machine.closed for machine in made.machines] == [True, False]
                assert await asyncio.get_running_loop().sock_recv(first, 100) == b""

    play(test())


def test_silent_connections_do_not_hold_the_outlet(loopback: str, play: Play) -> None:
    async def test() -> None:
        async with serving(await find(loopback)) as made:
            silent = [await made.connect() for _ in range(20)]
            with await made.connect() as vehicle:
                assert await asyncio.wait_for(handshake(vehicle), 1.0)
            for sock in silent:
                sock.close()

    play(test())


def test_the_next_vehicle_is_served_after_a_session_that_broke(loopback: str, play: Play) -> None:
    async def test() -> None:
        async with serving(await find(loopback)) as made:
            (await made.connect()).close()  # a connection on which nothing is said is no session
            for data in (b"garbage of no kind", SAP_REQUEST):
                while not made.machines or not made.machines[-1].closed:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
                with await made.connect() as sock:
                    await asyncio.get_running_loop().sock_sendall(sock, data)
                assert not (await made.server.ended.get()).good
            with await made.connect() as sock:
                assert await handshake(sock)
            assert len(made.machines) == 4

    play(test())


def test_ports(loopback: str, play: Play) -> None:
    async def test() -> None:
        interface = await find(loopback)
        with listening_socket(interface, None) as sock:
            port = sock.getsockname()[1]
            assert 49152 <= port <= 65535
            with pytest.raises(SetupError, match=rf"TCP port {port} of ::1 on lo is in use .* --port"):
                listening_socket(interface, port)

    play(test())


def test_a_port_that_needs_privileges(loopback: str, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    async def test() -> None:
        interface = await find(loopback)
        monkeypatch.setattr("socket.socket.bind", refuse)
        with pytest.raises(SetupError, match="TCP port 80 of ::1 on lo needs privileges: choose one from 49152"):
            listening_socket(interface, 80)

    play(test())


def test_nobody_answers(loopback: str, play: Play) -> None:
    async def test() -> None:
        with listening_socket(await find(loopback), None) as sock:
            port = sock.getsockname()[1]
        machine = Station(SimulatedOutlet(), random=bytes)  # any machine
        with pytest.raises(SetupError, match=rf"no station answers at \[::1\]:{port}: Connection refused"):
            await connect(Found("::1", port, 0), machine, lambda event: None)

    play(test())


def test_connection_knows_its_peer(loopback: str, play: Play) -> None:
    async def test() -> None:
        async with serving(await find(loopback)) as made:
            with await made.connect() as sock:
                await handshake(sock)
                assert isinstance(made.server.current, Connection)
                assert made.server.current.peer == "::1"
                assert made.server.current.spoke

    play(test())
