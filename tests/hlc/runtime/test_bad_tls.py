"""What is bad about TLS itself must not trouble a station, over real sockets: `test_bad_input` has the rest."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import suppress
from typing import Final

import pytest
from attacked import (
    DIN,
    HANDSHAKE_S,
    SILENCE_S,
    SPEECHES,
    WITHIN_S,
    Attacked,
    Peer,
    Play,
    Speech,
    attacked,
    protected,
    soon,
    within,
)

from hlc.security.layer import PLAIN

SECURE: Final = {name: speech for name, speech in SPEECHES.items() if speech.tls is not None}
CLIENT_HELLO: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
"""How one begins."""
ALERT: Final = 0x15


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    soon(monkeypatch)


@pytest.fixture(params=SECURE.values(), ids=SECURE.keys())
def speech(request: pytest.FixtureRequest) -> Speech:
    found: Speech = request.param
    return found


def hello(speech: Speech) -> bytes:
    """The first that a good vehicle says."""
    security = speech.at_vehicle()
    assert security is not None
    assert security.tls is not None
    return security.tls().start()


async def rest(peer: Peer) -> bytes:
    """What comes until the station closes."""
    said = b""
    with suppress(ConnectionResetError):  # it has not read all that it was sent
        async with within(WITHIN_S):
            while data := await peer.loop.sock_recv(peer.sock, 65536):
                said += data
    return said


PLAIN_BYTES: Final = {
    "a V2G message": DIN.sap,
    "random bytes": bytes(range(1, 200)) * 5,
    "HTTP": b"GET / HTTP/1.1\r\nHost: station\r\n\r\n",
    "zeroes": bytes(100),
}


@pytest.mark.parametrize("data", PLAIN_BYTES.values(), ids=PLAIN_BYTES.keys())
def test_plain_bytes_on_the_tls_port(loopback: str, play: Play, speech: Speech, data: bytes) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            peer = await made.connect()
            await peer.put(data)
            assert (await rest(peer))[0] == ALERT
            assert made.faults

    play(test())


def test_tls_on_the_plain_port(loopback: str, play: Play, speech: Speech) -> None:
    async def test() -> None:
        async with attacked(loopback, DIN, PLAIN) as made:
            for data in (hello(speech), hello(speech)[:5], CLIENT_HELLO + bytes(40)):
                peer = await made.connect()
                await peer.put(data)
                if len(data) < 8:  # it may be the beginning of something else still
                    continue
                assert await rest(peer) == b""
                assert made.faults[-1] == "it begins with TLS, which is not offered here: see --tls and --pki"

    play(test())


TOO_LITTLE: Final = {
    "nothing": b"",
    "one octet": b"\x16",
    "a record header": b"\x16\x03\x01\x02\x00",
    "the beginning of a ClientHello": CLIENT_HELLO + bytes(100),
}


@pytest.mark.parametrize("said", TOO_LITTLE.values(), ids=TOO_LITTLE.keys())
@pytest.mark.parametrize("plain", [True, False], ids=["allow", "require"])
def test_a_handshake_that_does_not_go_on_keeps_nobody_out(
    loopback: str, play: Play, speech: Speech, plain: bool, said: bytes
) -> None:
    async def test() -> None:
        async with attacked(loopback, speech, protected(plain=plain)) as made:
            stuck = [await made.connect() for _ in range(20)]
            for peer in stuck:
                await peer.put(said)
            await made.serves()
            for peer in stuck:
                assert await rest(peer) == b""
            assert set(made.faults) == {f"the handshake of TLS was not over after {HANDSHAKE_S:g} s"}

    play(test())


@pytest.mark.parametrize("share", [0.0, 0.99], ids=["nothing", "all but the end"])
def test_a_handshake_that_stops_in_the_second_flight_keeps_nobody_out(
    loopback: str, play: Play, speech: Speech, share: float
) -> None:
    """So much is said of what follows the station's own flight."""

    async def attack(made: Attacked) -> Peer:
        peer = await made.connect()
        security = speech.at_vehicle()
        assert security is not None
        assert security.tls is not None
        layer = security.tls()
        await peer.put(layer.start())
        data, flight = b"more", b""
        while share and data and not flight:
            data = await peer.loop.sock_recv(peer.sock, 65536)
            flight = layer.receive(data).to_send
        with suppress(OSError):  # on a busy machine it comes too late
            await peer.put(flight[: int(share * len(flight))])
        return peer

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            stuck = [await attack(made) for _ in range(20)]
            await made.serves()
            for peer in stuck:
                assert (await rest(peer))[:1] in (b"", b"\x16")  # the station's own flight, and no more
            assert set(made.faults) == {f"the handshake of TLS was not over after {HANDSHAKE_S:g} s"}

    play(test())


GARBAGE: Final = {
    "a ClientHello of garbage": b"\x16\x03\x01\x00\x64\x01\x00\x00\x60" + bytes(range(96)),
    "a ClientHello of one octet": b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03",
    "an empty record": b"\x16\x03\x01\x00\x00",
    "a record of 64 KiB": b"\x16\x03\x01\xff\xff" + bytes(65535),
    "an alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "application data": b"\x17\x03\x03\x00\x20" + bytes(32),
    "a ClientHello of 16 MiB": b"\x16\x03\x01\x40\x00\x01\xff\xff\xff"
    + bytes(16380)
    + (b"\x16\x03\x01\x40\x00" + bytes(16384)) * 8,
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize("plain", [True, False], ids=["allow", "require"])
def test_a_handshake_of_garbage(loopback: str, play: Play, plain: bool, data: bytes) -> None:
    async def test() -> None:
        async with attacked(loopback, SECURE["ISO 15118-2 over TLS 1.2"], protected(plain=plain)) as made:
            for after in (b"", hello(SECURE["ISO 15118-2 over TLS 1.2"])):
                peer = await made.connect()
                with suppress(OSError):  # it closes while we are still talking
                    await peer.put(data + after)
                await rest(peer)
            assert made.faults

    play(test())


def test_a_handshake_byte_by_byte_is_answered(loopback: str, play: Play, speech: Speech) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            peer = await made.connect()
            put = peer.put

            async def slowly(data: bytes) -> None:
                for octet in data:
                    await put(bytes([octet]))
                    await asyncio.sleep(0)

            peer.put = slowly  # type: ignore[method-assign]
            security = speech.at_vehicle()
            assert security is not None
            async with within(WITHIN_S):
                await peer.secure(security)
                await peer.send(speech.sap)
                assert await peer.answer()

    play(test())


def test_a_slow_handshake_is_dropped(loopback: str, play: Play, speech: Speech) -> None:
    async def slowly(peer: Peer) -> None:
        for octet in hello(speech):
            try:
                await peer.put(bytes([octet]))
            except OSError:
                return
            await asyncio.sleep(HANDSHAKE_S / 10)
        raise AssertionError("it was never dropped")

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            slow = [asyncio.create_task(slowly(await made.connect())) for _ in range(20)]
            await made.serves()
            await asyncio.wait_for(asyncio.gather(*slow), 4 * HANDSHAKE_S)
            assert "the handshake of TLS was not over" in made.faults[0]

    play(test())


def test_silence_after_the_handshake(loopback: str, play: Play, speech: Speech) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            peer = await made.arrives()
            await made.serves()
            assert await peer.closed()
            assert made.faults == [f"nothing whole was said for {SILENCE_S:g} s"]

    play(test())


async def no_more(peer: Peer) -> None:
    """The station ends the connection, by an alert perhaps."""
    assert (await rest(peer))[:1] in (b"", bytes([ALERT]), b"\x17")


def test_garbage_records_in_a_session(loopback: str, play: Play, speech: Speech) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            for kind in ("plain V2G", "random bytes", "too long", "bent", "a handshake anew", "a bad alert"):
                peer = await made.serves()
                sealed = peer.sealed(speech.message(speech.next))
                await peer.put(
                    {
                        "plain V2G": speech.message(speech.next),
                        "random bytes": bytes(range(1, 200)),
                        "too long": b"\x17\x03\x03\xff\xff" + bytes(70000),
                        "bent": sealed[:-1] + bytes([sealed[-1] ^ 1]),
                        "a handshake anew": hello(speech),
                        "a bad alert": b"\x15\x03\x03\x00\x02\x02\x28",
                    }[kind]
                )
                await no_more(peer)
                assert made.faults, kind
                made.events.clear()

    play(test())


def test_two_records_in_one_segment_and_a_record_in_two_are_answered(loopback: str, play: Play, speech: Speech) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            peer = await made.arrives()
            await peer.put(peer.sealed(speech.sap) + peer.sealed(speech.setup[:5]) + peer.sealed(speech.setup[5:]))
            assert await peer.answer()
            assert speech.code(await peer.answer()) == "OK_NewSessionEstablished"
            sealed = peer.sealed(speech.message(speech.next))
            for length in (3, 5, 20):
                await peer.put(sealed[:length])
                sealed = sealed[length:]
                await asyncio.sleep(0.002)
            await peer.put(sealed)
            assert speech.code(await peer.answer()) == "OK"

    play(test())


@pytest.mark.parametrize("how", ["close_notify", "FIN alone", "close_notify and more"])
def test_an_end_of_tls(loopback: str, play: Play, speech: Speech, how: str) -> None:
    async def test() -> None:
        async with attacked(loopback, speech) as made:
            for greet in (made.arrives, made.serves):
                peer = await greet()
                assert peer.layer is not None
                if how == "FIN alone":
                    peer.sock.shutdown(1)
                else:
                    await peer.put(peer.layer.close() + b"\x17\x03\x03\x00\x01\x00" * (how != "close_notify"))
                await no_more(peer)

    play(test())


def test_the_memory_of_tls_is_given_back_at_once(loopback: str, play: Play, speech: Speech) -> None:
    """Not when the collector of Python comes round: each connection has a tenth of a MiB of OpenSSL's."""

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            await made.arrives()
            await made.serves()
            gc.disable()
            try:
                ours = [weakref.ref(connection.tls._connection) for connection in made.server._open]  # type: ignore[union-attr]
                assert len(ours) == 2
                await made.leave()
                async with within(WITHIN_S):
                    while any(each() is not None for each in ours):  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
            finally:
                gc.enable()

    play(test())


def test_200_handshakes_at_once(loopback: str, play: Play, speech: Speech) -> None:
    """Each takes milliseconds. A good vehicle comes behind them, and is heard first."""
    said = hello(speech)

    async def attack(made: Attacked) -> None:
        await (await made.connect()).put(said)

    async def test() -> None:
        async with attacked(loopback, speech) as made:
            await asyncio.gather(*(attack(made) for _ in range(200)))
            await made.serves()

    play(test())
