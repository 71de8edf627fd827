"""Interfaces that come and go, and a station on several of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Coroutine
from ipaddress import IPv6Address
from typing import Any

import pytest

from hlc import sap
from hlc.cli import parser_for
from hlc.commands import secc
from hlc.evcc import Vehicle
from hlc.ids import VehicleState
from hlc.runtime import discovery
from hlc.runtime.connection import Connection
from hlc.runtime.discovery import DiscoveryServer, Found, discover
from hlc.runtime.errors import SetupError
from hlc.runtime.interfaces import Interface, find, watch
from hlc.runtime.vehicle import connect
from hlc.sim import Battery, SimulatedVehicle
from hlc.trace.events import ignore

Play = Callable[[Coroutine[Any, Any, None]], None]
Cable = Callable[..., Coroutine[Any, Any, None]]


def test_an_interface_that_is_gone_or_another_is_told(
    cable: Cable, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hlc.runtime.interfaces.WATCH_S", 0.01)

    async def test() -> None:
        await cable("a")
        interface = await find("a0")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watch(interface), 0.05)
        await cable("a", cut=True)
        with pytest.raises(SetupError, match="interface a0 is gone"):
            await watch(interface)
        await cable("a")
        with pytest.raises(SetupError, match="interface a0 is another now"):
            await watch(interface)

    play(test())


def test_an_interface_that_is_down_may_come_up_again(loopback: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lo = Interface("lo", 1, IPv6Address("::1"))
    assert lo.changed() == ""
    monkeypatch.setattr("hlc.runtime.interfaces.addresses", lambda name: [])
    assert lo.changed() == ""
    monkeypatch.setattr("hlc.runtime.interfaces.addresses", lambda name: [IPv6Address("fe80::1")])
    assert lo.changed() == "interface lo is another now, or has another address"


def test_a_request_that_came_by_another_interface_is_for_another_to_answer(
    cable: Cable, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel does not let us bind a socket to an interface, every server hears every request."""
    monkeypatch.setattr(discovery.socket, "SO_BINDTODEVICE", -1, raising=False)  # type: ignore[attr-defined]
    setsockopt = discovery.socket.socket.setsockopt  # type: ignore[attr-defined]

    def unprivileged(sock: Any, level: int, option: int, *value: Any) -> None:
        if option == -1:
            raise PermissionError
        setsockopt(sock, level, option, *value)

    monkeypatch.setattr(discovery.socket.socket, "setsockopt", unprivileged)  # type: ignore[attr-defined]

    async def test() -> None:
        await cable("a")
        await cable("b")
        stations = {name: await find(f"{name}0") for name in "ab"}
        serving = [
            asyncio.create_task(DiscoveryServer(stations[name], port, ignore).run())
            for name, port in (("a", 50000), ("b", 50001))
        ]
        await asyncio.sleep(0.01)
        for name, port in (("a", 50000), ("b", 50001)):
            vehicle = await find(f"{name}1")
            for _ in range(5):
                assert await discover(vehicle, ignore) == Found(str(stations[name].address), port, vehicle.index)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    play(test())


async def arrive(interface: str) -> Connection:
    """A vehicle comes there, and sets up a session."""
    here = await find(interface)
    found = await discover(here, ignore)
    assert found is not None
    machine = Vehicle(SimulatedVehicle(Battery()), protocols=[sap.DIN70121], clock=time.time)
    connection = await connect(found, machine, ignore)
    while machine.state in (None, VehicleState.INITIAL, VehicleState.SESSION_SETUP):
        assert not connection.closed.done()
        await asyncio.sleep(0.01)
    return connection


@pytest.mark.parametrize("json_", [True, False])
def test_a_station_on_several_interfaces_outlives_one_of_them(
    cable: Cable,
    play: Play,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    json_: bool,
) -> None:
    monkeypatch.setattr("hlc.runtime.interfaces.WATCH_S", 0.05)
    monkeypatch.setattr(secc, "RETRY_S", 0.1)
    monkeypatch.setattr("hlc.secc.din70121.Conversation.oscillator_retain_s", 0.02)
    arguments = ["secc", *("--interface", "a0", "--interface", "b0", "--no-slac"), *["--json"] * json_]
    codes: list[int] = []

    async def test() -> None:
        await cable("a")
        await cable("b")
        serving = asyncio.create_task(secc._serve(parser_for(arguments).parse_args(arguments)))
        first, second = await asyncio.gather(arrive("a1"), arrive("b1"))
        assert first.peer != second.peer
        await cable("a", cut=True)
        await asyncio.sleep(0.2)
        first.drop("the cable was cut")
        assert not second.closed.done()
        second.stop("that was it")
        await second.closed
        assert second.machine.good
        await cable("a")
        third = await arrive("a1")
        third.stop("that was it")
        await third.closed
        await asyncio.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)
        codes.append(await serving)

    play(test())
    assert codes == [0]
    out, log = capfd.readouterr()
    assert "Traceback" not in log
    assert "hlc secc: interface a0 is gone; trying again every 0.1 s\n" in log
    assert log.count("waiting for vehicles on a0") == 2
    assert log.count("waiting for vehicles on b0") == 1
    if json_:
        events = [json.loads(line) for line in out.splitlines()]
        ends = [(event["interface"], event["session"], event["good"]) for event in events if "energy_wh" in event]
        assert sorted(ends, key=lambda end: end[1]) == [("a0", 1, False), ("b0", 2, True), ("a0", 3, True)]
        assert {event["interface"] for event in events if event.get("name") == "SECCDiscoveryReq"} == {"a0", "b0"}
    else:
        told = [line for line in log.splitlines() if not line.startswith("hlc secc: ")]
        assert told
        assert all(line.startswith(("[a0] ", "[b0] ")) for line in told)
        assert [line.partition("  ")[0] for line in out.splitlines() if "  Session  " in line] == [
            "[a0]",
            "[b0]",
            "[a0]",
        ]
