"""A station that is ill-treated over real sockets, in each protocol, with TLS and without: who talks to it, and what
must hold when that is over."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from weakref import WeakSet

import pytest

import exi
from exi.messages import din70121 as din
from exi.messages import iso15118_2 as iso2
from exi.messages.iso15118_20 import common as iso20
from exi.messages.iso15118_20.types import MessageHeader
from hlc import sap, sdp
from hlc.rules.din70121 import wrap as in_din
from hlc.rules.iso15118_2 import wrap as in_iso2
from hlc.runtime import connection as connections
from hlc.runtime import station as stations
from hlc.runtime.interfaces import find
from hlc.runtime.station import StationServer
from hlc.runtime.tls import station_security, vehicle_security
from hlc.secc import Station
from hlc.security import hierarchy
from hlc.security.handshake import Version
from hlc.security.layer import PLAIN, Layer, Security
from hlc.sim import SimulatedOutlet
from hlc.trace.events import Blame, Event, Fault
from hlc.v2gtp import PayloadType, Splitter, frame, unframe

Play = Callable[[Coroutine[Any, Any, None]], None]

HANDSHAKE_S, SILENCE_S, LINGER_S, OSCILLATOR_S = 0.4, 0.3, 0.02, 0.02
"""In place of the times of a real station."""
WITHIN_S: Final = 1.0
"""So long a good vehicle may wait."""
NEW, MINE = bytes(8), b"7" * 8
"""Session IDs: of who has none yet, and the one that the station gives."""
NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)
PKI: Final = hierarchy.throw_away(NOW)
BOTH: Final = (Version.TLS13, Version.TLS12)


def lost_s() -> float:
    """For how long this thread could have run and others did, so far."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """It must not take longer, beside what other programs take of the time on a busy machine."""
    began, before = time.monotonic(), lost_s()
    async with asyncio.timeout(20 * seconds):
        yield
    took = time.monotonic() - began - (lost_s() - before)
    if took > seconds:
        raise TimeoutError(f"{took:.2f} s instead of {seconds:g} s")


def in_iso20(session_id: bytes, request: Any) -> Any:
    request.Header = MessageHeader(SessionID=session_id, TimeStamp=1_900_000_000)
    return request


HEADER: Final = MessageHeader(SessionID=NEW, TimeStamp=0)


class Speech(NamedTuple):
    """A protocol, as far as a vehicle speaks it here."""

    protocol: sap.Protocol
    schema: str
    payload_type: PayloadType
    wrap: Callable[[bytes, Any], Any]
    session_setup: Any
    next: Any
    """The request that may follow."""
    out_of_sequence: Any
    """One that may not."""
    session_stop: Any
    tls: Version | None = None

    @property
    def sap(self) -> bytes:
        return frame(PayloadType.EXI, exi.schema("sap").encode(sap.offer([self.protocol])))

    @property
    def setup(self) -> bytes:
        return self.message(self.session_setup, NEW)

    def message(self, request: Any, session_id: bytes = MINE) -> bytes:
        return frame(self.payload_type, exi.schema(self.schema).encode(self.wrap(session_id, request)))

    def code(self, payload: bytes) -> str:
        """The response code of an answer."""
        answer: Any = exi.schema(self.schema).decode(payload)
        return str((answer if self.wrap is in_iso20 else answer.Body.BodyElement).ResponseCode.value)

    def at_vehicle(self) -> Security | None:
        return None if self.tls is None else vehicle_security(PKI, [self.tls], now=lambda: NOW)

    def at_station(self) -> Security:
        return PLAIN if self.tls is None else protected(plain=False)


DIN: Final = Speech(
    sap.DIN70121,
    "din70121",
    PayloadType.EXI,
    in_din,
    din.SessionSetupReq(EVCCID=b"\x02\0\0\0\0\x01"),
    din.ServiceDiscoveryReq(),
    din.PowerDeliveryReq(ReadyToChargeState=True),
    din.SessionStopReq(),
)
ISO2: Final = Speech(
    sap.ISO15118_2,
    "iso15118_2",
    PayloadType.EXI,
    in_iso2,
    iso2.SessionSetupReq(EVCCID=b"\x02\0\0\0\0\x01"),
    iso2.ServiceDiscoveryReq(),
    iso2.AuthorizationReq(),
    iso2.SessionStopReq(ChargingSession=iso2.ChargingSession.Terminate),
)
ISO20: Final = Speech(
    sap.ISO15118_20_DC,
    "iso15118_20_common",
    PayloadType.MAINSTREAM,
    in_iso20,
    iso20.SessionSetupReq(Header=HEADER, EVCCID="DEOHCEVCC0001"),
    iso20.AuthorizationSetupReq(Header=HEADER),
    iso20.ServiceDiscoveryReq(Header=HEADER),
    iso20.SessionStopReq(Header=HEADER, ChargingSession=iso20.ChargingSession.Terminate),
)
SPEECHES: Final = {
    "DIN 70121": DIN,
    "ISO 15118-2": ISO2,
    "ISO 15118-2 over TLS 1.2": ISO2._replace(tls=Version.TLS12),
    "ISO 15118-20 over TLS 1.3": ISO20._replace(tls=Version.TLS13),
}


def protected(*, plain: bool) -> Security:
    """TLS at the station."""
    return station_security(PKI, BOTH, plain=plain, now=lambda: NOW)


def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience is short."""
    monkeypatch.setattr(connections, "HANDSHAKE_S", HANDSHAKE_S)
    monkeypatch.setattr(connections, "SILENCE_S", SILENCE_S)
    monkeypatch.setattr(stations, "LINGER_S", LINGER_S)
    for protocol in ("din70121", "iso15118_2", "iso15118_20.dc"):
        monkeypatch.setattr(f"hlc.secc.{protocol}.Conversation.oscillator_retain_s", OSCILLATOR_S)


class Peer:
    """Whoever talks to the station, with TLS once it stands."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.loop = asyncio.get_running_loop()
        self.layer: Layer | None = None
        self._splitter = Splitter()
        self._frames: list[tuple[int, bytes]] = []

    async def secure(self, security: Security) -> None:
        """The handshake of TLS."""
        assert security.tls is not None
        self.layer = security.tls()
        await self.put(self.layer.start())
        while not self.layer.established:
            assert await self._more()

    def sealed(self, data: bytes) -> bytes:
        """As it goes over the wire."""
        return data if self.layer is None else self.layer.send(data)

    async def put(self, data: bytes) -> None:
        """Send these very octets."""
        await self.loop.sock_sendall(self.sock, data)

    async def send(self, data: bytes) -> None:
        await self.put(self.sealed(data))

    async def answer(self) -> bytes:
        """The payload of the next frame; empty where the station has closed instead."""
        while not self._frames and await self._more():
            pass
        return self._frames.pop(0)[1] if self._frames else b""

    async def closed(self) -> bool:
        """The station says no more."""
        return await self.answer() == b""

    async def _more(self) -> bool:
        try:
            data = await self.loop.sock_recv(self.sock, 65536)
        except ConnectionResetError:
            return False
        if data and self.layer is not None:
            received = self.layer.receive(data)
            if received.to_send:
                await self.put(received.to_send)
            data = b"" if self.layer.ended else data
            self._frames += self._splitter.feed(received.plaintext)
        else:
            self._frames += self._splitter.feed(data)
        return bool(data)


class Attacked:
    """A station with one outlet in service."""

    def __init__(self, interface: Any, speech: Speech, security: Security) -> None:
        self.speech = speech
        self.events: list[Event] = []
        self.outlet = SimulatedOutlet()
        self.machines: WeakSet[Station] = WeakSet()
        """Those that are still in memory: of every connection that is."""
        self.server = StationServer(interface, self._machine, self.events.append, security=security)
        self._peers: list[Peer] = []

    def _machine(self) -> Station:
        protocols = [self.speech.protocol]
        machine = Station(
            self.outlet, random=b"7".__mul__, clock=NOW.timestamp, protocols=protocols, trace=self.events.append
        )
        self.machines.add(machine)
        return machine

    async def connect(self) -> Peer:
        """A connection, without TLS so far."""
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        sock.setblocking(False)
        peer = Peer(sock)
        self._peers.append(peer)
        await peer.loop.sock_connect(sock, ("::1", self.server.port))
        return peer

    async def arrives(self) -> Peer:
        """A connection that is ready for messages."""
        peer = await self.connect()
        security = self.speech.at_vehicle()
        if security is not None:
            await peer.secure(security)
        return peer

    async def serves(self) -> Peer:
        """A good vehicle comes, and is served soon."""
        async with within(WITHIN_S):
            vehicle = await self.arrives()
            await vehicle.send(self.speech.sap)
            assert await vehicle.answer()
            await vehicle.send(self.speech.setup)
            assert self.speech.code(await vehicle.answer()) == "OK_NewSessionEstablished"
        return vehicle

    async def discovered(self) -> bool:
        """Whether a good request is answered soon, sent as a vehicle repeats it."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            async with within(WITHIN_S):
                while True:
                    sock.sendto(sdp.SdpRequest().frame(), ("::1", sdp.PORT))
                    try:
                        async with asyncio.timeout(sdp.REQUEST_INTERVAL_S):
                            answer = sdp.parse(*unframe(await loop.sock_recv(sock, 100)))
                    except TimeoutError:
                        continue
                    return isinstance(answer, sdp.SdpResponse) and answer.port == self.server.port

    async def until_nobody_is_left(self) -> None:
        async with within(2):
            while self.machines:
                while not self.server.ended.empty():
                    self.server.ended.get_nowait()
                await asyncio.sleep(0.02)
                gc.collect()

    async def leave(self) -> None:
        """Everybody hangs up."""
        while self._peers:
            self._peers.pop().sock.close()
        while any(not session.over for session in self.server.sessions):  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    @property
    def faults(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Fault)]


@asynccontextmanager
async def attacked(loopback: str, speech: Speech = DIN, security: Security | None = None) -> AsyncIterator[Attacked]:
    """A station to be ill-treated. When that is over, it is found, a good vehicle comes and is served, and nothing is
    left of the others."""
    made = Attacked(await find(loopback), speech, speech.at_station() if security is None else security)
    serving = asyncio.create_task(made.server.run())
    await asyncio.sleep(0)
    try:
        yield made
        assert not serving.done()
        await made.leave()
        assert await made.discovered()
        await made.serves()
        await made.leave()
        await made.until_nobody_is_left()
        assert [event.text for event in made.events if isinstance(event, Fault) and event.blame is Blame.LOCAL] == []
    finally:
        await made.leave()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        for session in made.server.sessions:
            session.drop("the test is over")
            await session.closed
