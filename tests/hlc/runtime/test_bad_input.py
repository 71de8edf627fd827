"""What must not trouble a station, over real sockets: whatever comes in, the next good vehicle is served within a
second, and nothing is kept of the rest. Valid input is answered however it is cut."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final
from weakref import WeakSet

import pytest

import exi
from exi.messages import din70121 as din
from hlc import sap, sdp
from hlc.rules.din70121 import wrap
from hlc.runtime import connection as connections
from hlc.runtime import station as stations
from hlc.runtime.interfaces import find
from hlc.runtime.station import StationServer
from hlc.runtime.tls import station_security
from hlc.secc import Station
from hlc.security import hierarchy
from hlc.security.handshake import Version
from hlc.security.layer import PLAIN, Security
from hlc.sim import SimulatedOutlet
from hlc.trace.events import Blame, Event, Fault, Note, SessionEnded
from hlc.v2gtp import PayloadType, Splitter, frame, unframe

Play = Callable[[Coroutine[Any, Any, None]], None]

SAP: Final = frame(PayloadType.EXI, exi.schema("sap").encode(sap.offer([sap.DIN70121])))
SETUP: Final = din.SessionSetupReq(EVCCID=b"\x02\0\0\0\0\x01")
HANDSHAKE_S, SILENCE_S, LINGER_S, OSCILLATOR_S = 0.4, 0.3, 0.02, 0.02
"""In place of the times of a real station."""
WITHIN_S: Final = 1.0
"""So long a good vehicle may wait."""


def message(request: Any, session_id: bytes = bytes(8)) -> bytes:
    return frame(PayloadType.EXI, exi.schema("din70121").encode(wrap(session_id, request)))


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HANDSHAKE_S", HANDSHAKE_S)
    monkeypatch.setattr(connections, "SILENCE_S", SILENCE_S)
    monkeypatch.setattr(stations, "LINGER_S", LINGER_S)
    monkeypatch.setattr("hlc.secc.din70121.Conversation.oscillator_retain_s", OSCILLATOR_S)


class Peer:
    """Whoever talks to the station."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.loop = asyncio.get_running_loop()
        self._splitter = Splitter()
        self._frames: list[tuple[int, bytes]] = []

    async def send(self, data: bytes) -> None:
        await self.loop.sock_sendall(self.sock, data)

    async def answer(self) -> bytes:
        """The payload of the next frame; empty where the station has closed instead."""
        while not self._frames:
            try:
                data = await self.loop.sock_recv(self.sock, 65536)
            except ConnectionResetError:
                return b""
            if not data:
                return b""
            self._frames += self._splitter.feed(data)
        return self._frames.pop(0)[1]

    async def body(self) -> Any:
        answer: Any = exi.schema("din70121").decode(await self.answer())
        return answer.Body.BodyElement

    async def closed(self) -> bool:
        """The station says no more."""
        return await self.answer() == b""


class Attacked:
    """A station with one outlet in service."""

    def __init__(self, interface: Any, security: Security) -> None:
        self.events: list[Event] = []
        self.outlet = SimulatedOutlet()
        self.machines: WeakSet[Station] = WeakSet()
        """Those that are still in memory: of every connection that is."""
        self.server = StationServer(interface, self._machine, self.events.append, security=security)
        self._peers: list[Peer] = []

    def _machine(self) -> Station:
        machine = Station(self.outlet, random=b"7".__mul__, trace=self.events.append)
        self.machines.add(machine)
        return machine

    async def connect(self) -> Peer:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        sock.setblocking(False)
        peer = Peer(sock)
        self._peers.append(peer)
        await peer.loop.sock_connect(sock, ("::1", self.server.port))
        return peer

    async def serves(self) -> Peer:
        """A good vehicle comes, and is served soon."""
        async with asyncio.timeout(WITHIN_S):
            vehicle = await self.connect()
            await vehicle.send(SAP)
            assert await vehicle.answer()
            await vehicle.send(message(SETUP))
            assert (await vehicle.body()).ResponseCode is din.ResponseCode.OK_NewSessionEstablished
        return vehicle

    async def until_nobody_is_left(self) -> None:
        async with asyncio.timeout(2):
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
async def attacked(loopback: str, security: Security = PLAIN, *, good: bool = True) -> AsyncIterator[Attacked]:
    """A station to be ill-treated. When that is over, a good vehicle comes, and nothing must be left of the others."""
    made = Attacked(await find(loopback), security)
    serving = asyncio.create_task(made.server.run())
    await asyncio.sleep(0)
    try:
        yield made
        assert not serving.done()
        await made.leave()
        if good:
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


NOISE: Final = random.Random(15118)

UNREADABLE: Final = {
    "random octets": NOISE.randbytes(1000),
    "wrong version": b"\x02\xfd" + SAP[2:],
    "wrong inverse version": b"\x01\xff" + SAP[2:],
    "length FFFFFFFF": struct.pack("!BBHI", 1, 0xFE, PayloadType.EXI, 0xFFFFFFFF) + bytes(1000),
    "length a little too long": struct.pack("!BBHI", 1, 0xFE, PayloadType.EXI, 0x10001),
    "a length too short for what follows": SAP[:7] + bytes([len(SAP) - 8 - 9]) + SAP[8:],
    "garbage EXI": frame(PayloadType.EXI, NOISE.randbytes(100)),
    "empty EXI": frame(PayloadType.EXI, b""),
    "truncated EXI": frame(PayloadType.EXI, SAP[8:-10]),
    "an answer instead of a request": frame(
        PayloadType.EXI, exi.schema("sap").encode(sap.negotiate(sap.offer([sap.DIN70121]), [sap.DIN70121])[0])
    ),
    "another protocol's message": message(SETUP),
    "HTTP": b"GET / HTTP/1.1\r\nHost: station\r\n\r\n",
    "TLS on a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("when", ["first", "in a session"])
def test_unreadable(loopback: str, play: Play, when: str, data: bytes) -> None:
    async def test() -> None:
        async with attacked(loopback) as made:
            peer = await (made.connect() if when == "first" else made.serves())
            await peer.send(data)
            async with asyncio.timeout(WITHIN_S):
                if when == "in a session" and data == message(SETUP):
                    assert (await peer.body()).ResponseCode.value.startswith("FAILED")  # out of sequence
                assert await peer.closed()
            assert made.faults

    play(test())


def test_a_payload_type_that_means_nothing_is_passed_over(loopback: str, play: Play) -> None:
    async def test() -> None:
        async with attacked(loopback) as made:
            peer = await made.connect()
            for kind in (0x0000, 0x8002, 0x9000, 0x1234, 0xFFFF):
                await peer.send(frame(kind, b"whatever"))
            await peer.send(SAP)
            assert await peer.answer()
            await peer.send(frame(0x8004, b"") + message(SETUP))
            assert (await peer.body()).ResponseCode is din.ResponseCode.OK_NewSessionEstablished
            assert len([event for event in made.events if isinstance(event, Note) and "discarded" in event.text]) == 6

    play(test())


@pytest.mark.parametrize("length", [1, 4, 7])
def test_a_header_in_two_pieces_is_answered(loopback: str, play: Play, length: int) -> None:
    async def test() -> None:
        async with attacked(loopback) as made:
            peer = await made.connect()
            for data in (SAP, message(SETUP)):
                await peer.send(data[:length])
                await asyncio.sleep(0.002)
                await peer.send(data[length:])
                assert await peer.answer()

    play(test())


@pytest.mark.parametrize("length", [1, 7, 8, len(SAP) - 1])
def test_cut_off(loopback: str, play: Play, length: int) -> None:
    async def test() -> None:
        async with attacked(loopback) as made:
            peer = await made.connect()
            await peer.send(SAP[:length])
            peer.sock.shutdown(socket.SHUT_WR)
            assert await peer.closed()
            assert not [event for event in made.events if isinstance(event, SessionEnded)]

    play(test())


def test_a_message_octet_by_octet_is_answered(loopback: str, play: Play) -> None:
    async def test() -> None:
        async with attacked(loopback) as made:
            peer = await made.connect()
            for data in (SAP, message(SETUP)):
                for octet in data:
                    await peer.send(bytes([octet]))
                    await asyncio.sleep(0)
                assert await peer.answer()

    play(test())


def test_two_messages_in_one_segment_are_both_answered(loopback: str, play: Play) -> None:
    async def test() -> None:
        async with attacked(loopback) as made:
            peer = await made.connect()
            await peer.send(SAP + message(SETUP) + message(din.ServiceDiscoveryReq(), b"7" * 8)[:20])
            assert await peer.answer()
            assert (await peer.body()).ResponseCode is din.ResponseCode.OK_NewSessionEstablished
            await peer.send(message(din.ServiceDiscoveryReq(), b"7" * 8)[20:])
            assert (await peer.body()).ResponseCode is din.ResponseCode.OK

    play(test())


@pytest.mark.parametrize(
    ("request_", "session_id", "code"),
    [
        (din.SessionStopReq(), b"7" * 8, "OK"),
        (din.PowerDeliveryReq(ReadyToChargeState=True), b"7" * 8, "FAILED_SequenceError"),
        (din.ServiceDiscoveryReq(), bytes(8), "FAILED_UnknownSession"),
        (din.ServiceDiscoveryReq(), b"6" * 8, "FAILED_UnknownSession"),
        (din.ServiceDiscoveryReq(), b"7" * 4, "FAILED_UnknownSession"),
    ],
)
def test_out_of_sequence_and_wrong_session_id(
    loopback: str, play: Play, request_: Any, session_id: bytes, code: str
) -> None:
    async def test() -> None:
        async with attacked(loopback) as made:
            peer = await made.serves()
            await peer.send(message(request_, session_id))
            assert (await peer.body()).ResponseCode.value == code
            assert await peer.closed()

    play(test())


@pytest.mark.parametrize("said", [b"", SAP[:1], SAP[:-1]])
def test_silence(loopback: str, play: Play, said: bytes) -> None:
    async def test() -> None:
        async with attacked(loopback) as made:
            peer = await made.connect()
            await peer.send(said)
            await made.serves()  # before anybody loses patience with the silent one
            assert await peer.closed()
            assert made.faults[0] == f"nothing whole was said for {SILENCE_S:g} s"

    play(test())


def test_a_slow_sender_keeps_nobody_out_and_is_dropped(loopback: str, play: Play) -> None:
    async def slowly(peer: Peer) -> None:
        for octet in SAP * 1000:
            try:
                await peer.send(bytes([octet]))
            except OSError:
                return
            await asyncio.sleep(SILENCE_S / 10)

    async def test() -> None:
        async with attacked(loopback) as made:
            slow = [asyncio.create_task(slowly(await made.connect())) for _ in range(20)]
            await made.serves()
            await asyncio.wait_for(asyncio.gather(*slow), 2)

    play(test())


@pytest.mark.parametrize("said", [b"", SAP[:-1], UNREADABLE["random octets"], UNREADABLE["garbage EXI"]])
def test_200_connections_at_once(loopback: str, play: Play, said: bytes) -> None:
    async def attack(made: Attacked) -> None:
        peer = await made.connect()
        await peer.send(said)

    async def test() -> None:
        async with attacked(loopback) as made:
            # The good vehicle comes among them, and one more behind them.
            crowd = [asyncio.create_task(attack(made)) for _ in range(100)]
            vehicle = asyncio.create_task(made.serves())
            crowd += [asyncio.create_task(attack(made)) for _ in range(100)]
            peer = await vehicle
            await asyncio.gather(*crowd)
            await peer.send(message(din.SessionStopReq(), b"7" * 8))
            assert (await peer.body()).ResponseCode is din.ResponseCode.OK

    play(test())


def test_a_session_is_answered_while_others_attack(loopback: str, play: Play) -> None:
    async def attack(made: Attacked, said: bytes) -> None:
        while True:
            peer = await made.connect()
            try:
                await peer.send(said)
                await peer.closed()
            except OSError:
                pass
            finally:
                peer.sock.close()

    async def test() -> None:
        async with attacked(loopback) as made:
            vehicle = await made.serves()
            crowd = [asyncio.create_task(attack(made, data)) for data in UNREADABLE.values()]
            for _ in range(20):
                await asyncio.sleep(0.01)
                async with asyncio.timeout(WITHIN_S):
                    await vehicle.send(frame(0x1234, b""))
            async with asyncio.timeout(WITHIN_S):
                await vehicle.send(message(din.ServiceDiscoveryReq(), b"7" * 8))
                assert (await vehicle.body()).ResponseCode is din.ResponseCode.OK
            vehicle.sock.close()
            await made.serves()
            for task in crowd:
                task.cancel()
            await asyncio.gather(*crowd, return_exceptions=True)
            assert len([event for event in made.events if isinstance(event, Note)]) < 200

    play(test())


def test_20_half_open_connections(loopback: str, play: Play, own_network: str | None) -> None:
    """Their third segment never comes: the addresses from which they were opened do not exist."""
    if own_network is None:
        pytest.skip("raw sockets need root")
    from scapy.layers.inet import TCP
    from scapy.layers.inet6 import IPv6

    async def test() -> None:
        async with attacked(loopback) as made:
            with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
                for number in range(20):
                    syn = IPv6(src=f"fd00::{number + 1:x}", dst="::1") / TCP(
                        sport=40000 + number, dport=made.server.port, flags="S", seq=number
                    )
                    raw.sendto(bytes(syn), ("::1", 0))
            await made.serves()

    play(test())


# TLS

NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)
PKI: Final = hierarchy.throw_away(NOW)
CLIENT_HELLO: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
"""How one begins."""


def protected(*, plain: bool) -> Security:
    return station_security(PKI, (Version.TLS13, Version.TLS12), plain=plain, now=lambda: NOW)


@pytest.mark.parametrize("data", [SAP, UNREADABLE["random octets"], UNREADABLE["HTTP"]], ids=["SAP", "random", "HTTP"])
def test_plain_octets_on_the_tls_port(loopback: str, play: Play, data: bytes) -> None:
    async def test() -> None:
        async with attacked(loopback, protected(plain=False), good=False) as made:
            peer = await made.connect()
            await peer.send(data)
            async with asyncio.timeout(WITHIN_S):
                while await peer.loop.sock_recv(peer.sock, 1000):  # an alert may come
                    pass
            assert made.faults

    play(test())


@pytest.mark.parametrize(
    "said", [b"", b"\x16", CLIENT_HELLO, CLIENT_HELLO + bytes(508), b"\x16" + NOISE.randbytes(2000)]
)
def test_a_handshake_that_does_not_go_on_keeps_nobody_out(loopback: str, play: Play, said: bytes) -> None:
    async def test() -> None:
        async with attacked(loopback, protected(plain=True)) as made:
            for _ in range(20):
                await (await made.connect()).send(said)
            await made.serves()
            await asyncio.sleep(HANDSHAKE_S)

    play(test())


def test_a_handshake_octet_by_octet_is_dropped(loopback: str, play: Play) -> None:
    async def slowly(peer: Peer) -> None:
        for octet in CLIENT_HELLO + bytes(500):
            try:
                await peer.send(bytes([octet]))
            except OSError:
                return
            await asyncio.sleep(HANDSHAKE_S / 10)
        raise AssertionError("it was never dropped")

    async def test() -> None:
        async with attacked(loopback, protected(plain=True)) as made:
            slow = [asyncio.create_task(slowly(await made.connect())) for _ in range(20)]
            await made.serves()
            await asyncio.wait_for(asyncio.gather(*slow), 4 * HANDSHAKE_S)
            assert "the handshake of TLS was not over" in made.faults[0]

    play(test())


# SDP

REQUEST: Final = sdp.SdpRequest().frame()
WIRELESS: Final = sdp.SdpWirelessRequest().frame()


def bent(datagram: bytes) -> list[bytes]:
    """A datagram with each of its octets bent, and cut and lengthened everywhere."""
    out = [datagram[:length] for length in range(len(datagram))]
    out += [datagram + bytes(length) for length in (1, 100, 1400)]
    for place in range(len(datagram)):
        for value in (0x00, 0x01, 0x7F, 0x80, 0xFF, datagram[place] ^ 1):
            out.append(datagram[:place] + bytes([value]) + datagram[place + 1 :])
    return out


async def discovers(within_s: float = WITHIN_S) -> bool:
    """Whether the station answers a good request, sent as a vehicle repeats it."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        async with asyncio.timeout(within_s):
            while True:
                sock.sendto(REQUEST, ("::1", sdp.PORT))
                try:
                    async with asyncio.timeout(sdp.REQUEST_INTERVAL_S):
                        return isinstance(sdp.parse(*unframe(await loop.sock_recv(sock, 100))), sdp.SdpResponse)
                except TimeoutError:
                    continue


@pytest.mark.parametrize("datagrams", [[b""], bent(REQUEST), bent(WIRELESS)], ids=["empty", "bent", "bent wireless"])
def test_sdp_garbage(loopback: str, play: Play, datagrams: list[bytes]) -> None:
    async def test() -> None:
        async with attacked(loopback) as made:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                for datagram in datagrams:
                    sock.sendto(datagram, ("::1", sdp.PORT))
                    await asyncio.sleep(0)
            assert await discovers()
            assert len([event for event in made.events if isinstance(event, Note)]) <= 2

    play(test())


def test_2000_sdp_requests_in_10_ms(loopback: str, play: Play) -> None:
    async def test() -> None:
        async with attacked(loopback) as made:
            vehicle = await made.serves()
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                for _ in range(2000):
                    sock.sendto(REQUEST, ("::1", sdp.PORT))
                async with asyncio.timeout(WITHIN_S):
                    await vehicle.send(message(din.ServiceDiscoveryReq(), b"7" * 8))
                    assert (await vehicle.body()).ResponseCode is din.ResponseCode.OK
                assert await discovers()
            vehicle.sock.close()

    play(test())
