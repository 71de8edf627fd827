"""One outlet serves one vehicle: which connection is its, what happens to the others, and that the server goes on.
Many outlets serve as many vehicles."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

import exi
from exi.messages import din70121 as din
from hlc import sap
from hlc.rules.din70121 import wrap
from hlc.runtime.discovery import Found
from hlc.runtime.errors import SetupError
from hlc.runtime.interfaces import Interface, find
from hlc.runtime.station import TOLD_PER_S, Sparing, StationServer, listening_socket
from hlc.runtime.vehicle import connect
from hlc.secc import Station
from hlc.sim import SimulatedOutlet
from hlc.trace.events import Event, Note, Side
from hlc.v2gtp import PayloadType, Splitter, frame

Play = Callable[[Coroutine[Any, Any, None]], None]
SAP_REQUEST = frame(PayloadType.EXI, exi.schema("sap").encode(sap.offer([sap.DIN70121])))


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control pilot's oscillator need not go on for 1.5 s, nor the station wait 2 s for the vehicle to close."""
    monkeypatch.setattr("hlc.secc.din70121.Conversation.oscillator_retain_s", 0.02)
    monkeypatch.setattr("hlc.runtime.station.LINGER_S", 0.1)


class Serving:
    """A station in service, and what it told."""

    def __init__(self, interface: Interface, outlets: int = 1) -> None:
        self.events: list[Event] = []
        self.outlets = [SimulatedOutlet()]
        self.machines: list[Station] = []
        self.server = StationServer(interface, self._machine, self.events.append, outlets=outlets)
        self._many = outlets > 1

    def _machine(self) -> Station:
        if self._many:
            self.outlets.append(SimulatedOutlet())
        self.machines.append(Station(self.outlets[-1], random=b"7".__mul__, trace=self.events.append))
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
async def serving(interface: Interface, outlets: int = 1) -> AsyncIterator[Serving]:
    made = Serving(interface, outlets)
    task = asyncio.create_task(made.server.run())
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for session in made.server.sessions:
            session.drop("the test is over")
            await session.closed


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
                made.machines[0].live = True  # as while it is charged
                with await made.connect() as second:
                    assert await asyncio.get_running_loop().sock_recv(second, 100) == b""
                assert made.notes == ["refused a connection from ::1: the outlet serves ::1"]
                assert len(made.machines) == 1

    play(test())


def test_the_same_vehicle_replaces_its_old_connection(
    loopback: str, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with serving(await find(loopback)) as made:
            monkeypatch.setattr(Interface, "loopback", False)  # on a real link the address tells who comes
            monkeypatch.setattr("hlc.runtime.station.DOUBT_S", 0.05)
            with await made.connect() as first, await made.connect() as second:
                assert await handshake(first)
                assert made.machines[0].state is not None
                assert await handshake(second)
                assert made.notes[-1] == "dropped the connection of ::1: the vehicle opened a new connection"
                assert [machine.closed for machine in made.machines] == [True, False]
                assert await asyncio.get_running_loop().sock_recv(first, 100) == b""

    play(test())


async def set_up(sock: socket.socket) -> None:
    """A session."""
    assert await handshake(sock)
    await ask(sock, din.SessionSetupReq(EVCCID=bytes(6)), bytes(8))


async def ask(sock: socket.socket, request: Any, session_id: bytes = b"7" * 8) -> str:
    loop = asyncio.get_running_loop()
    data = frame(PayloadType.EXI, exi.schema("din70121").encode(wrap(session_id, request)))
    await loop.sock_sendall(sock, data)
    answer: Any = exi.schema("din70121").decode((await loop.sock_recv(sock, 1000))[8:])
    return str(answer.Body.BodyElement.ResponseCode.value)


@pytest.mark.parametrize("alive", [True, False])
def test_who_comes_anew_during_his_session_has_lost_it_unless_it_goes_on(
    loopback: str, play: Play, monkeypatch: pytest.MonkeyPatch, alive: bool
) -> None:
    monkeypatch.setattr("hlc.runtime.station.DOUBT_S", 0.05)

    async def test() -> None:
        loop = asyncio.get_running_loop()
        async with serving(await find(loopback)) as made:
            monkeypatch.setattr(Interface, "loopback", False)
            with await made.connect() as first, await made.connect() as second:
                await set_up(first)
                await loop.sock_sendall(second, SAP_REQUEST)
                await asyncio.sleep(0.02)
                if alive:
                    assert await ask(first, din.ServiceDiscoveryReq()) == "OK"
                    assert await loop.sock_recv(second, 100) == b""
                    assert made.notes[-1].endswith("the vehicle goes on with its session on another connection")
                    payment = din.ServicePaymentSelectionReq(
                        SelectedPaymentOption=din.PaymentOption.ExternalPayment,
                        SelectedServiceList=din.SelectedServiceList(SelectedService=[din.SelectedService(ServiceID=1)]),
                    )
                    assert await ask(first, payment) == "OK"
                else:
                    assert len(Splitter().feed(await loop.sock_recv(second, 100))) == 1
                    assert await loop.sock_recv(first, 100) == b""

    play(test())


def test_noise_of_the_same_vehicle_does_not_touch_its_session(
    loopback: str, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hlc.runtime.station.DOUBT_S", 0.01)

    async def test() -> None:
        async with serving(await find(loopback)) as made:
            monkeypatch.setattr(Interface, "loopback", False)
            with await made.connect() as first:
                await set_up(first)
                for data in (b"GET / HTTP/1.1", frame(PayloadType.EXI, b"garbage"), frame(0x1234, b""), ANSWER):
                    with await made.connect() as noise:
                        await asyncio.get_running_loop().sock_sendall(noise, data)
                        noise.shutdown(socket.SHUT_WR)
                        assert await asyncio.get_running_loop().sock_recv(noise, 100) == b""
                await asyncio.sleep(0.02)
                assert await ask(first, din.ServiceDiscoveryReq()) == "OK"
            assert not (await made.server.ended.get()).good
            assert made.server.ended.empty()

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
            for data in (SAP_REQUEST + frame(PayloadType.EXI, b"garbage"), SAP_REQUEST):
                with await made.connect() as sock:
                    await asyncio.get_running_loop().sock_sendall(sock, data)
                assert not (await made.server.ended.get()).good
            with await made.connect() as sock:
                assert await handshake(sock)
            assert len(made.machines) == 3

    play(test())


ANSWER = frame(PayloadType.EXI, exi.schema("sap").encode(sap.negotiate(sap.offer([sap.DIN70121]), [])[0]))


@pytest.mark.parametrize(
    "data",
    [b"", b"garbage of no kind", SAP_REQUEST[:-1], frame(PayloadType.EXI, b"garbage"), frame(0x1234, b""), ANSWER],
    ids=["nothing", "garbage", "a cut message", "garbage EXI", "an unknown payload type", "an answer"],
)
def test_a_connection_on_which_no_vehicle_makes_itself_known_is_no_session(
    loopback: str, play: Play, data: bytes
) -> None:
    async def test() -> None:
        async with serving(await find(loopback)) as made:
            with await made.connect() as sock:
                await asyncio.get_running_loop().sock_sendall(sock, data)
                sock.shutdown(socket.SHUT_WR)
                assert await asyncio.get_running_loop().sock_recv(sock, 100) == b""
            with await made.connect() as sock:
                assert await handshake(sock)
            assert [machine.state is None for machine in made.machines] == [True, False]
            assert made.server.ended.empty()

    play(test())


def test_a_vehicle_waits_until_the_session_before_has_left_the_outlet_safe(loopback: str, play: Play) -> None:
    async def test() -> None:
        async with serving(await find(loopback)) as made:
            with await made.connect() as first, await made.connect() as second:
                assert await handshake(first)
                made.machines[0].is_safe = lambda: False  # type: ignore[method-assign]
                first.close()
                while not made.machines[0].closed:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
                answer = asyncio.create_task(handshake(second))
                await asyncio.wait([answer], timeout=0.1)
                assert made.machines[1].state is None
                made.machines[0].is_safe = lambda: True  # type: ignore[method-assign]
                assert await answer
                assert made.machines[0].finished

    play(test())


def test_many_outlets_serve_many_vehicles_and_no_more(loopback: str, play: Play) -> None:
    async def test() -> None:
        async with serving(await find(loopback), outlets=3) as made:
            vehicles = [await made.connect() for _ in range(3)]
            for vehicle in vehicles:
                assert await handshake(vehicle)
            assert len(made.server.sessions) == 3
            for machine in made.machines:
                machine.live = True
            with await made.connect() as another:
                assert await asyncio.get_running_loop().sock_recv(another, 100) == b""
            assert made.notes == ["refused a connection from ::1: all 3 outlets are taken"]
            vehicles.pop().close()
            await made.server.ended.get()
            with await made.connect() as another:
                assert await handshake(another)
            for vehicle in vehicles:
                vehicle.close()
            for _ in range(3):
                await made.server.ended.get()
            assert not made.server.sessions
            assert len({id(machine.outlet) for machine in made.machines}) == 4

    play(test())


def test_connections_without_a_session_make_way(loopback: str, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hlc.runtime.station.IDLE", 4)

    async def test() -> None:
        async with serving(await find(loopback)) as made:
            vehicle = await made.connect()
            assert await handshake(vehicle)
            await asyncio.get_running_loop().sock_sendall(vehicle, frame(PayloadType.EXI, b"garbage"))
            assert await asyncio.get_running_loop().sock_recv(vehicle, 100) == b""
            assert made.server.sessions  # it has ended; the vehicle does not close
            silent = [await made.connect() for _ in range(4)]
            assert not (await made.server.ended.get()).good
            with await made.connect() as other:
                assert await handshake(other)
                assert await asyncio.get_running_loop().sock_recv(silent[0], 100) == b""
            for sock in silent:
                sock.close()
            vehicle.close()

    play(test())


def test_who_is_no_vehicle_does_not_fill_the_log() -> None:
    told: list[Event] = []
    aside = Sparing(told.append)
    for at in (1.0, 1.9, 2.0):
        for _ in range(TOLD_PER_S):
            aside(Note(at=at, side=Side.SECC, text="refused"))
    assert [event.at for event in told] == [1.0] * TOLD_PER_S + [2.0] * TOLD_PER_S


def test_many_silent_connections_at_once(loopback: str, play: Play) -> None:
    async def test() -> None:
        async with serving(await find(loopback)) as made:
            silent = await asyncio.gather(*(made.connect() for _ in range(300)))
            with await made.connect() as vehicle:
                assert await asyncio.wait_for(handshake(vehicle), 1.0)
            for sock in silent:
                sock.close()

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
                (session,) = made.server.sessions
                assert session.peer == "::1"
                assert session.started

    play(test())
