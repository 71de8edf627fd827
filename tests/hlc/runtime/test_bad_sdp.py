"""What must not trouble a station's discovery, over real sockets: whatever comes in, a good request is answered within
a second, a session that goes on is answered too, and the log is not filled."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any, Final

import pytest
from attacked import DIN, SPEECHES, WITHIN_S, Attacked, Play, attacked, protected, soon, within

from hlc import sdp, v2gtp
from hlc.runtime.discovery import NOTES_PER_S, TOLD_PER_S, DiscoveryServer, Found, discover
from hlc.runtime.interfaces import find
from hlc.trace.events import Event, Message, Note, ignore

Cable = Callable[..., Coroutine[Any, Any, None]]

REQUESTS: Final = {security: sdp.SdpRequest(security=security).frame() for security in sdp.Security}
REQUEST: Final = REQUESTS[sdp.Security.NONE]
WIRELESS: Final = sdp.SdpWirelessRequest(security=sdp.Security.NONE, coupling=sdp.Coupling.WPT).frame()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    soon(monkeypatch)


def bent(datagram: bytes) -> list[bytes]:
    """A datagram with each of its octets bent, and cut and lengthened everywhere."""
    out = [datagram[:length] for length in range(len(datagram))]
    out += [datagram + bytes(length) for length in (1, 100, 1400)]
    for place in range(len(datagram)):
        for value in (0x00, 0x01, 0x7F, 0x80, 0xFF, datagram[place] ^ 1):
            out.append(datagram[:place] + bytes([value]) + datagram[place + 1 :])
    return out


async def answers(datagrams: list[bytes], patience_s: float = 0.1) -> list[int]:
    """Which of these are answered, by their place."""
    found = []
    with ExitStack() as closing:
        socks = []
        for datagram in datagrams:
            sock = closing.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            sock.setblocking(False)
            sock.sendto(datagram, ("::1", sdp.PORT))
            socks.append(sock)
            await asyncio.sleep(0)
        await asyncio.sleep(patience_s)
        for place, sock in enumerate(socks):
            try:
                sdp.parse(*v2gtp.unframe(sock.recv(200)))
            except BlockingIOError:
                continue
            found.append(place)
    return found


def noted(made: Attacked) -> int:
    return len([event for event in made.events if isinstance(event, Note)])


def test_an_empty_datagram(loopback: str, play: Play) -> None:
    async def test() -> None:
        async with attacked(loopback) as made:
            assert await answers([b""] * 5) == []
            assert noted(made) == 1

    play(test())


def test_sdp_garbage_of_every_field(loopback: str, play: Play) -> None:
    """Only what is a request still, with whatever octets behind it, is answered."""
    datagrams = [*bent(REQUEST), *bent(WIRELESS)]
    good = [place for place, datagram in enumerate(datagrams) if datagram[: len(REQUEST)] in REQUESTS.values()]
    assert len(good) > 3

    async def test() -> None:
        clock = asyncio.get_running_loop().time
        async with attacked(loopback) as made:
            began = clock()
            assert await answers(datagrams) == good
            # Of what is no request a note a second, and one where too many are: there seconds are those of the clock.
            assert 1 <= noted(made) <= 3 + 2 * (clock() - began) / NOTES_PER_S

    play(test())


def test_sdp_garbage_of_every_field_of_the_wireless_variant(loopback: str, play: Play) -> None:
    """What is only for people to read may be anything; security, transport and the frame may not."""
    datagrams = bent(WIRELESS)
    frame, security, transport = slice(0, 8), 8, 9

    def fair(datagram: bytes) -> bool:
        whole = len(datagram) >= len(WIRELESS) and datagram[frame] == WIRELESS[frame]
        words = datagram[13:] if whole else b"\xff"
        return whole and datagram[security] in (0x00, 0x10) and datagram[transport] == 0 and max(words) < 0x80

    async def test() -> None:
        interface = await find(loopback)
        serving = asyncio.create_task(DiscoveryServer(interface, 50000, ignore, wireless=True).run())
        await asyncio.sleep(0)
        assert await answers(datagrams) == [place for place, each in enumerate(datagrams) if fair(each)]
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    play(test())


def test_answers_go_on_after_a_connection_that_failed(loopback: str, play: Play) -> None:
    """Whether TLS failed, or what was said."""
    speech = SPEECHES["ISO 15118-2 over TLS 1.2"]

    async def test() -> None:
        async with attacked(loopback, speech, protected(plain=True)) as made:
            for said in (b"", DIN.sap, b"\x16\x03\x01\x00\x05garbage", b"GET / HTTP/1.1\r\n\r\n", speech.sap):
                peer = await made.connect()
                await peer.put(said)
                assert await made.discovered()
                peer.sock.close()
                assert await made.discovered()

    play(test())


def test_a_vehicle_that_asks_with_tls_and_without_in_turns_is_answered_each_time(loopback: str, play: Play) -> None:
    """Real ones do so in one attachment. What is announced is served."""
    asked = [sdp.Security.TLS] * 3 + [sdp.Security.NONE] + [sdp.Security.TLS] * 2 + [sdp.Security.NONE] * 2

    async def test() -> None:
        loop = asyncio.get_running_loop()
        speech = SPEECHES["ISO 15118-2 over TLS 1.2"]
        async with attacked(loopback, speech, protected(plain=True)) as made:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                for security in asked:
                    sock.sendto(REQUESTS[security], ("::1", sdp.PORT))
                    async with within(WITHIN_S):
                        answer = sdp.parse(*v2gtp.unframe(await loop.sock_recv(sock, 100)))
                    assert isinstance(answer, sdp.SdpResponse)
                    assert (answer.security, answer.port) == (security, made.server.port)
                    made.speech = speech._replace(tls=speech.tls if security is sdp.Security.TLS else None)
                    await made.serves()
                    await made.leave()
            made.speech = speech

    play(test())


FLOODS: Final = {"good requests": REQUEST, "garbage": bytes(10), "empty datagrams": b"", "long ones": bytes(1400)}


@pytest.mark.parametrize("datagram", FLOODS.values(), ids=FLOODS.keys())
def test_2000_sdp_requests_in_10_ms(loopback: str, play: Play, datagram: bytes) -> None:
    """A session that goes on is answered meanwhile, and a good request soon after."""

    async def test() -> None:
        async with attacked(loopback) as made:
            vehicle = await made.serves()
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                for _ in range(2000):
                    sock.sendto(datagram, ("::1", sdp.PORT))
                async with within(WITHIN_S):
                    await vehicle.send(DIN.message(DIN.next))
                    assert DIN.code(await vehicle.answer()) == "OK"
                assert await made.discovered()
            vehicle.sock.close()
            assert noted(made) <= 3

    play(test())


def test_2000_sdp_requests_in_10_ms_from_as_many_ports_of_people_who_have_gone(loopback: str, play: Play) -> None:
    async def test() -> None:
        async with attacked(loopback) as made:
            for _ in range(2000):
                with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                    sock.sendto(REQUEST, ("::1", sdp.PORT))
            assert await made.discovered()
            await made.serves()

    play(test())


@pytest.mark.parametrize("senders", [1, 2000])
def test_2000_sdp_requests_in_10_ms_from_addresses_that_do_not_exist(cable: Cable, play: Play, senders: int) -> None:
    """What the kernel cannot deliver stays with it for three seconds: it must not stand in the way of other answers."""
    from scapy.layers.inet import UDP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether

    async def test() -> None:
        await cable("a")
        station, vehicle = await find("a0"), await find("a1")
        serving = asyncio.create_task(DiscoveryServer(station, 50000, ignore).run())
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("a1", 0))
            inner = IPv6(src="fe80::dead:0", dst=sdp.ALL_NODES, hlim=255) / UDP(sport=50000, dport=sdp.PORT) / REQUEST
            frame = bytes(Ether(src=vehicle.mac(), dst="33:33:00:00:00:01") / inner)
            for number in range(2000):
                raw.send(spoofed(frame, number % senders))
        async with within(2 * WITHIN_S):  # this test sends and serves at once
            assert await discover(vehicle, ignore) == Found(str(station.address), 50000, vehicle.index)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    play(test())


def spoofed(frame: bytes, number: int) -> bytes:
    """The frame with another source; the checksum is as good as before."""
    place = 14 + 8 + 14  # Ethernet header, place of the source in that of IPv6, its last two octets
    checksum = 14 + 40 + 6
    before = int.from_bytes(frame[checksum : checksum + 2], "big")
    after = (before - number - 1) % 0xFFFF + 1  # one's complement
    return (
        frame[:place]
        + number.to_bytes(2, "big")
        + frame[place + 2 : checksum]
        + after.to_bytes(2, "big")
        + frame[checksum + 2 :]
    )


def test_a_flood_is_answered_and_does_not_fill_the_log(loopback: str, play: Play) -> None:
    async def test() -> None:
        events: list[Event] = []
        serving = asyncio.create_task(DiscoveryServer(await find(loopback), 50000, events.append).run())
        await asyncio.sleep(0)
        assert len(await answers([REQUEST] * 150)) == 150
        assert len([event for event in events if isinstance(event, Message)]) <= 2 * 2 * TOLD_PER_S
        assert next(event.text for event in events if isinstance(event, Note)).startswith("SDP: more than 50 requests")
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    play(test())
