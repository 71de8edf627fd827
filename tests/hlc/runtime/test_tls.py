"""TLS on connections: what starts a session and what ends it before it has begun; and TLS from a PKI directory."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hlc.evcc import Vehicle
from hlc.flow import PLAIN, Close, Effect, Send, Transport
from hlc.runtime import connection as under_test
from hlc.runtime.connection import Connection
from hlc.runtime.discovery import Found
from hlc.runtime.errors import SetupError
from hlc.runtime.interfaces import find
from hlc.runtime.pki import read
from hlc.runtime.station import StationServer
from hlc.runtime.tls import KeyLogFile, station_security, vehicle_security
from hlc.runtime.vehicle import connect
from hlc.secc import Station
from hlc.security import hierarchy
from hlc.security.certificate import Curve, der
from hlc.security.handshake import Version
from hlc.security.layer import Security
from hlc.security.pki import load
from hlc.security.profiles import Role
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.trace.events import Event, Fault, Note, Side

Play = Callable[[Coroutine[Any, Any, None]], None]
NOW = datetime(2030, 1, 1, tzinfo=UTC)
PKI = hierarchy.throw_away(NOW)
BOTH = (Version.TLS13, Version.TLS12)


def at_station(*, plain: bool = True) -> Security:
    return station_security(PKI, BOTH, plain=plain, now=lambda: NOW)


def at_vehicle(versions: tuple[Version, ...] = BOTH) -> Security:
    return vehicle_security(PKI, versions, now=lambda: NOW)


class Machine:
    """Says hello if it is a vehicle, answers every frame, and writes down what it is told."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.transport: Transport | None = None
        self.told: list[str] = []
        self.closed = self.finished = self.good = False

    def start(self, now: float, transport: Transport = PLAIN) -> list[Effect]:
        self.transport = transport
        return [Send(0x8001, b"hello")] if self.side is Side.EVCC else []

    def receive(self, payload_type: int, payload: bytes, now: float) -> list[Effect]:
        self.told.append(payload.decode())
        if self.side is Side.SECC:
            return [Send(payload_type, payload.upper() * 5000)]
        return self._end("good-bye")

    def lost(self, now: float, reason: str) -> list[Effect]:
        if not self.closed:
            self.told.append(f"lost: {reason}")
        return self._end(reason)

    def stop(self, now: float, reason: str) -> list[Effect]:
        return self._end(reason)

    def next_deadline(self) -> float | None:
        return None

    def _end(self, reason: str) -> list[Effect]:
        if self.closed:
            return []
        self.closed = self.finished = True
        return [Close(reason)]


@dataclass
class Two:
    """Two connections, one at each end of a socket."""

    station: Connection
    vehicle: Connection
    events: list[Event] = field(default_factory=list)

    @property
    def faults(self) -> list[tuple[Side, str]]:
        return [(event.side, event.text) for event in self.events if isinstance(event, Fault)]


async def joined(station: Security, vehicle: Security) -> Two:
    loop = asyncio.get_running_loop()
    ends = socket.socketpair()
    events: list[Event] = []
    made = [
        (await loop.create_connection(lambda: Connection(machine, events.append, security=security), sock=end))[1]  # type: ignore[arg-type]  # noqa: B023
        for end, machine, security in zip(
            ends, (Machine(Side.SECC), Machine(Side.EVCC)), (station, vehicle), strict=True
        )
    ]
    async with asyncio.timeout(5):
        for end in made:
            await end.closed
    return Two(made[0], made[1], events)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(("versions", "tls"), [(BOTH, "1.3"), ((Version.TLS12,), "1.2")])
def test_a_session_starts_when_tls_stands(play: Play, plain: bool, versions: tuple[Version, ...], tls: str) -> None:
    async def test() -> None:
        two = await joined(at_station(plain=plain), at_vehicle(versions))
        assert two.faults == []
        assert two.station.machine.told[0] == "hello"  # type: ignore[attr-defined]
        assert two.vehicle.machine.told == ["HELLO" * 5000]  # type: ignore[attr-defined]
        number = 1 if tls == "1.3" else 0
        shown = der(PKI.credentials(Role.SECC)[number].chain[0])
        name = "HLCV0000000000000001" if tls == "1.3" else ""
        assert two.vehicle.machine.transport == Transport(tls, shown, name)
        mine = der(PKI.credentials(Role.VEHICLE)[1].chain[0]) if tls == "1.3" else b""
        assert two.station.machine.transport == Transport(tls, mine)
        notes = {event.side: event.text for event in two.events if isinstance(event, Note) and " with " in event.text}
        assert notes.keys() == {Side.SECC, Side.EVCC}
        assert notes[Side.SECC].startswith(f"TLS {tls} with ")

    play(test())


def test_a_station_that_has_both_takes_a_vehicle_without(play: Play) -> None:
    async def test() -> None:
        two = await joined(at_station(), Security())
        assert two.faults == []
        assert two.station.machine.transport == two.vehicle.machine.transport == PLAIN
        assert two.vehicle.machine.told == ["HELLO" * 5000]  # type: ignore[attr-defined]

    play(test())


def test_plain_messages_where_tls_is_required(play: Play) -> None:
    async def test() -> None:
        two = await joined(at_station(plain=False), Security())
        assert (Side.SECC, "the vehicle does not begin with TLS: it begins with unencrypted V2G messages, and not with "
                "a TLS handshake") in two.faults  # fmt: skip
        assert two.station.machine.transport is None
        assert two.station.machine.told == ["lost: TLS failed"]  # type: ignore[attr-defined]

    play(test())


def test_tls_where_there_is_none(play: Play) -> None:
    async def test() -> None:
        two = await joined(Security(), at_vehicle())
        assert (Side.SECC, "it begins with TLS, which is not offered here: see --tls and --pki") in two.faults
        assert two.vehicle.machine.transport is None

    play(test())


def test_a_refusal_is_told_at_both_ends(play: Play) -> None:
    async def test() -> None:
        late = vehicle_security(PKI, BOTH, now=lambda: NOW.replace(year=2035))
        two = await joined(at_station(), late)
        told = dict(two.faults)
        assert "is not accepted: leaf DEOHCSECC0001: expired on" in told[Side.EVCC]
        assert told[Side.SECC].startswith("the vehicle ended the TLS handshake with the alert certificate_expired")
        assert not two.station.started
        assert not two.vehicle.started

    play(test())


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03"])
def test_who_says_too_little_is_dropped(play: Play, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(under_test, "HANDSHAKE_S", 0.02)

    async def test() -> None:
        ours, theirs = socket.socketpair()
        machine, events = Machine(Side.SECC), list[Event]()
        _, made = await asyncio.get_running_loop().create_connection(
            lambda: Connection(machine, events.append, security=at_station()),  # type: ignore[arg-type]
            sock=ours,
        )
        theirs.send(said)
        await made.closed
        theirs.close()
        assert machine.told == ["lost: the handshake of TLS was not over after 0.02 s"]
        assert any(isinstance(event, Fault) and "was not over after 0.02 s" in event.text for event in events)

    play(test())


def test_after_tls_that_failed_the_vehicle_may_come_without(loopback: str, play: Play) -> None:
    """One failed handshake must neither end the station's service nor count as its session."""

    async def test() -> None:
        events: list[Event] = []
        interface = await find(loopback)
        outlet = SimulatedOutlet()
        station = StationServer(
            interface,
            lambda: Station(outlet, random=lambda n: bytes([7] * n), trace=events.append),
            events.append,
            security=at_station(),
        )
        serving = asyncio.create_task(station.run())
        found = Found("::1", station.port, 0, tls=True)
        stranger = vehicle_security(hierarchy.throw_away(NOW), BOTH, now=lambda: NOW)
        first = await connect(found, Machine(Side.EVCC), events.append, stranger)  # type: ignore[arg-type]
        await first.closed
        assert not first.started
        set_up = asyncio.Event()

        def heard(event: Event) -> None:
            if getattr(event, "name", "") == "SessionSetupRes":
                set_up.set()

        vehicle = Vehicle(SimulatedVehicle(Battery(soc=20)), trace=heard)
        second = await connect(found, vehicle, events.append)
        await set_up.wait()
        second.drop("enough")
        await second.closed
        assert (await station.ended.get()).transport == PLAIN
        assert station.ended.empty()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    play(test())


# From a directory


def write(directory: Path, curves: tuple[Curve, ...] = tuple(Curve), without: str = "none") -> Path:
    for name, data in hierarchy.files(NOW, curves).items():
        if not name.startswith(without):
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return directory


def test_a_directory_serves_both_ends(tmp_path: Path, play: Play) -> None:
    pki = load(read(write(tmp_path)))
    assert pki.problems == ()
    lines = tmp_path / "keys.log"

    async def test() -> None:
        with KeyLogFile(lines) as keylog:
            station = station_security(pki, BOTH, plain=False, now=lambda: NOW, keylog=keylog)
            two = await joined(station, vehicle_security(pki, BOTH, now=lambda: NOW))
        assert two.faults == []

    play(test())
    assert {line.split()[0] for line in lines.read_text().splitlines()} >= {"CLIENT_TRAFFIC_SECRET_0"}
    assert lines.stat().st_mode & 0o777 == 0o600


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    pki = load(read(write(tmp_path / "a", without="secc")))
    with pytest.raises(SetupError, match=r"TLS needs the station's certificate, secc\.chain\.pem"):
        station_security(pki, BOTH, plain=True)
    pki = load(read(write(tmp_path / "b", without="roots/v2g")))
    with pytest.raises(SetupError, match=r"roots by which a vehicle knows a station, roots/v2g\.pem"):
        vehicle_security(pki, BOTH)
    pki = load(read(write(tmp_path / "c", without="vehicle")))
    assert vehicle_security(pki, BOTH).tls is not None  # 1.2 needs none
    with pytest.raises(SetupError, match=r"needs the vehicle's certificate, vehicle\.chain\.pem"):
        vehicle_security(pki, (Version.TLS13,))
    (tmp_path / "a" / "secc.chain.pem").write_text("nothing")
    with pytest.raises(SetupError, match=r"secc\.chain\.pem: neither PEM nor"):
        station_security(load(read(tmp_path / "a")), BOTH, plain=True)
    with pytest.raises(SetupError, match=r"cannot write --keylog .*: Is a directory"):
        KeyLogFile(tmp_path)
