"""SDP over real sockets: on loopback, and by multicast between two network namespaces."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from ipaddress import IPv6Address
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from hlc import sdp, v2gtp
from hlc.runtime.discovery import DiscoveryServer, Found, discover
from hlc.runtime.errors import SetupError, WrongUsage
from hlc.runtime.interfaces import ADDRESSES, Interface, find, link_local
from hlc.runtime.policy import Policy
from hlc.trace.events import Event, Message, Note, Side

Play = Callable[[Coroutine[Any, Any, None]], None]
REQUEST = sdp.SdpRequest().frame()
OFFERS = {
    Policy.NEVER: (sdp.Security.NONE,),
    Policy.ALLOW: (sdp.Security.TLS, sdp.Security.NONE),
    Policy.REQUIRE: (sdp.Security.TLS,),
}
GARBAGE = [
    b"",
    b"\x01",
    bytes(2000),
    v2gtp.frame(0x9000, b"\x10"),
    v2gtp.frame(0x9000, b"\x10\x01"),
    v2gtp.frame(0x8001, b"\x80"),
    sdp.SdpResponse(address=IPv6Address("::1"), port=50000).frame(),
]


def ask(datagram: bytes) -> socket.socket:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.sendto(datagram, ("::1", sdp.PORT))
    return sock


def test_every_valid_request_is_answered_whatever_comes_between(loopback: str, play: Play) -> None:
    async def test() -> None:
        events: list[Event] = []
        server = DiscoveryServer(await find(loopback), 50000, events.append)
        serving = asyncio.create_task(server.run())
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        for datagram in GARBAGE:
            ask(datagram).close()
        for security in (sdp.Security.TLS, sdp.Security.NONE, sdp.Security.NONE):
            with ask(sdp.SdpRequest(security=security).frame()) as sock:
                answer = await loop.sock_recv(sock, 100)
            assert sdp.parse(*v2gtp.unframe(answer)) == sdp.SdpResponse(address=IPv6Address("::1"), port=50000)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        names = [event.name for event in events if isinstance(event, Message)]
        assert names == ["SECCDiscoveryReq", "SECCDiscoveryRes"] * 3
        assert len([event for event in events if isinstance(event, Note)]) == 1  # garbage does not fill the log

    play(test())


def test_vehicle_finds_station_on_loopback(loopback: str, play: Play) -> None:
    async def test() -> None:
        interface = await find(loopback)
        serving = asyncio.create_task(DiscoveryServer(interface, 51234, lambda event: None).run())
        events: list[Event] = []
        assert await discover(interface, events.append) == Found("::1", 51234, 0)
        assert [event.id for event in events if isinstance(event, Message)] == [50, 51]
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    play(test())


@pytest.mark.parametrize(
    ("station", "vehicle", "found"),
    [
        (Policy.NEVER, Policy.NEVER, False),
        (Policy.NEVER, Policy.ALLOW, False),
        (Policy.NEVER, Policy.REQUIRE, "speaks without TLS, and --tls require is for the opposite"),
        (Policy.ALLOW, Policy.NEVER, False),
        (Policy.ALLOW, Policy.ALLOW, True),
        (Policy.ALLOW, Policy.REQUIRE, True),
        (Policy.REQUIRE, Policy.NEVER, "speaks only with TLS, and --tls never is for the opposite"),
        (Policy.REQUIRE, Policy.ALLOW, True),
        (Policy.REQUIRE, Policy.REQUIRE, True),
    ],
)
def test_tls_is_agreed_or_refused_by_name(
    loopback: str, play: Play, station: Policy, vehicle: Policy, found: bool | str
) -> None:
    async def test() -> None:
        interface = await find(loopback)
        server = DiscoveryServer(interface, 51234, lambda event: None, offers=OFFERS[station])
        serving = asyncio.create_task(server.run())
        if isinstance(found, str):
            with pytest.raises(SetupError, match=f"the station at ::1 {found}"):
                await discover(interface, lambda event: None, vehicle)
        else:
            assert await discover(interface, lambda event: None, vehicle) == Found("::1", 51234, 0, found)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    play(test())


def test_a_station_that_hears_only_requests_without_tls_is_found(
    loopback: str, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deaf(request: sdp.SdpRequest, *, address: IPv6Address, port: int, **other: Any) -> sdp.SdpResponse | None:
        tls = request.security is sdp.Security.TLS
        return None if tls else sdp.SdpResponse(address=address, port=port)

    monkeypatch.setattr(sdp, "answer", deaf)
    monkeypatch.setattr(sdp, "REQUEST_INTERVAL_S", 0.05)
    events: list[Event] = []

    async def test() -> None:
        interface = await find(loopback)
        serving = asyncio.create_task(DiscoveryServer(interface, 51234, lambda event: None).run())
        assert await discover(interface, events.append, Policy.ALLOW) == Found("::1", 51234, 0)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    play(test())
    asked = [event.message.security for event in events if isinstance(event, Message) and event.side is Side.EVCC]
    assert asked == [sdp.Security.TLS] * 4 + [sdp.Security.NONE]


def test_wireless_discovery_waits_until_paired(loopback: str, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = sdp.answer
    statuses = [sdp.DiagStatus.ONGOING, sdp.DiagStatus.ERROR_NO_SECC]

    def pairing(request: sdp.SdpMessage, **said: Any) -> Any:
        response = answer(request, **said)
        return msgspec.structs.replace(response, diag_status=statuses.pop()) if statuses else response

    monkeypatch.setattr(sdp, "answer", pairing)
    monkeypatch.setattr(sdp, "REQUEST_INTERVAL_S", 0.05)
    events: list[Event] = []
    wanted = sdp.SdpWirelessRequest(positioning=sdp.Positioning.WPT_LF_EV, coupling=sdp.Coupling.WPT)

    async def test() -> None:
        interface = await find(loopback)
        server = DiscoveryServer(interface, 51234, events.append, offers=OFFERS[Policy.ALLOW], wireless=True)
        serving = asyncio.create_task(server.run())
        found = await discover(interface, lambda event: None, Policy.REQUIRE, wireless=wanted)
        assert found == Found("::1", 51234, 0, tls=True)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    play(test())
    said = [event.message for event in events if isinstance(event, Message)]
    assert said[0::2] == [msgspec.structs.replace(wanted, security=sdp.Security.TLS)] * 3
    assert [message.diag_status for message in said[1::2]] == [
        sdp.DiagStatus.ERROR_NO_SECC,
        sdp.DiagStatus.ONGOING,
        sdp.DiagStatus.FINISHED_WITHOUT_EVSEID,
    ]
    assert said[1].coupling is sdp.Coupling.WPT


def test_vehicle_gives_up_after_50_requests(loopback: str, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """[V2G2-161]"""
    assert sdp.MAX_REQUESTS == 50
    monkeypatch.setattr(sdp, "REQUEST_INTERVAL_S", 0.001)
    monkeypatch.setattr(sdp, "PORT", 1)  # nobody is there
    events: list[Event] = []

    async def test() -> None:
        assert await discover(await find(loopback), events.append) is None

    play(test())
    assert len([event for event in events if isinstance(event, Message)]) == 50


class Garbage(asyncio.DatagramProtocol):
    """Answers everything at once, and nonsense."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        for datagram in (*GARBAGE[:-1], data, sdp.SdpRequest(transport=sdp.Transport.UDP).frame()):
            self._transport.sendto(datagram, addr)


@pytest.mark.parametrize("answered", [False, True], ids=["silence", "garbage"])
def test_vehicle_waits_250_ms_for_an_answer_whatever_comes_instead(
    loopback: str, play: Play, monkeypatch: pytest.MonkeyPatch, answered: bool
) -> None:
    """[V2G2-159]"""
    assert sdp.REQUEST_INTERVAL_S == 0.25
    monkeypatch.setattr(sdp, "REQUEST_INTERVAL_S", 0.02)
    monkeypatch.setattr(sdp, "MAX_REQUESTS", 5)
    events: list[Event] = []

    async def test() -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            Garbage if answered else asyncio.DatagramProtocol, local_addr=("::1", 0)
        )
        monkeypatch.setattr(sdp, "PORT", transport.get_extra_info("sockname")[1])
        began = loop.time()
        assert await discover(await find(loopback), events.append) is None
        assert loop.time() - began >= 5 * 0.02
        transport.close()

    play(test())
    asked = [event.at for event in events if isinstance(event, Message)]
    assert len(asked) == 5
    assert min(later - earlier for earlier, later in pairwise(asked)) >= 0.0195  # the loop's clock is coarse


def test_an_answer_to_an_earlier_request_is_an_answer(
    loopback: str, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A station may be slower than 250 ms."""

    class Slow(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self._transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            answer = sdp.SdpResponse(address=IPv6Address("::1"), port=50000).frame()
            asyncio.get_running_loop().call_later(0.07, self._transport.sendto, answer, addr)

    monkeypatch.setattr(sdp, "REQUEST_INTERVAL_S", 0.02)

    async def test() -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Slow, local_addr=("::1", 0))
        monkeypatch.setattr(sdp, "PORT", transport.get_extra_info("sockname")[1])
        assert await discover(await find(loopback), lambda event: None) == Found("::1", 50000, 0)
        transport.close()

    play(test())


def test_port_of_discovery_in_use(loopback: str, play: Play) -> None:
    async def test() -> None:
        interface = await find(loopback)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:  # without SO_REUSEADDR
            try:
                other.bind(("::", sdp.PORT))
            except OSError:
                pytest.skip("port 15118 is in use on this machine")
            with pytest.raises(SetupError, match="UDP port 15118 is in use"):
                DiscoveryServer(interface, 50000, lambda event: None)

    play(test())


def test_unknown_interface_names_those_that_exist(play: Play) -> None:
    async def test() -> None:
        with pytest.raises(WrongUsage, match=r"no interface nonesuch; this machine has .*lo"):
            await find("nonesuch")

    play(test())


def test_interface_without_address(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hlc.runtime.interfaces.PATIENCE_S", 0.0)
    monkeypatch.setattr("hlc.runtime.interfaces.link_local", lambda name: None)

    async def test() -> None:
        with pytest.raises(SetupError, match="no IPv6 link-local address: bring it up"):
            await find("lo")

    play(test())


def test_addresses_of_the_kernel(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "if_inet6"
    table.write_text(
        "fd000000000000000000000000000002 04 40 00 82     eth0\n"
        "fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n"
        "fe8000000000000000fc00fffe000002 05 40 20 c0     eth1\n"
        "00000000000000000000000000000001 01 80 10 80       lo\n"
    )
    monkeypatch.setattr("hlc.runtime.interfaces.ADDRESSES", table)
    assert link_local("eth0") == IPv6Address("fe80::fc:ff:fe00:1")
    assert link_local("eth1") is None  # tentative
    assert link_local("lo") == IPv6Address("::1")
    assert Interface("lo", 1, IPv6Address("::1")).scope == 0
    assert Interface("eth0", 4, IPv6Address("fe80::1")).scope == 4
    assert ADDRESSES.name == "if_inet6"
