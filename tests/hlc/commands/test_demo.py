"""The demo: a whole charge told to a reader, at any pace, stopped on request."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hlc.cli import main
from hlc.commands import charge, demo
from hlc.ids import VehicleState
from hlc.ports import Mode
from hlc.rules.iso15118_20.services import Control
from hlc.sim.cable import SimulatedCable
from hlc.sim.pair import Pair
from hlc.sim.worlds import FAMILIES, WORLDS, World
from hlc.sim.wpt import AirGap
from hlc.trace.events import Event, Note, Side, StateEntered


@pytest.fixture
def _small_battery(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = charge.hardware

    def hardware(mode: Mode) -> tuple[Any, Any]:
        ev, outlet = whole(mode)
        ev.battery.capacity_wh /= 100.0
        return ev, outlet

    monkeypatch.setattr(charge, "hardware", hardware)
    monkeypatch.setattr(charge, "RETURN_S", 20.0)


def name(value: object) -> str:
    return value.name if isinstance(value, World) else "tls" if value else "plain"


class Integral:
    """What flows through the cable, watched from outside: Wh to the vehicle, and back."""

    def __init__(self, pair: Pair) -> None:
        self.to = self.back = 0.0
        self._cable, self._watch, self._then = pair.cable, pair.cable.observer, pair.cable.now
        pair.cable.observer = self.step

    def step(self, cable: SimulatedCable) -> None:
        watts = cable.pad.field_watts if isinstance(cable, AirGap) and cable.pad else cable.volts * cable.amps
        watt_hours = watts * (cable.now - self._then) / 3600.0
        self._then = cable.now
        self.to += max(0.0, watt_hours)
        self.back += max(0.0, -watt_hours)
        assert self._watch is not None
        self._watch(cable)


@pytest.mark.usefixtures("_small_battery")
@pytest.mark.parametrize("tls", [True, False], ids=name)
@pytest.mark.parametrize("world", WORLDS, ids=name)
def test_it_charges_in_every_protocol_and_mode(
    world: World, tls: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Pair, Integral]] = []

    def watched(*words: Any, **others: Any) -> charge.Charge:
        shown = charge.charge(*words, **others)
        seen.append((shown.pair, Integral(shown.pair)))
        return shown

    monkeypatch.setattr(demo, "charge", watched)
    control = [] if world.control is None else ["--control", world.control.name.lower()]
    options = ["--protocol", world.protocol, "--mode", world.mode.value, *control, *([] if tls else ["--no-tls"])]
    assert main(["demo", "--speed", "0", *options]) == 0
    told = capsys.readouterr().out
    [(pair, integral)] = seen
    assert pair.invariants.violations == []
    assert "ended well: " in told
    # The title
    version = charge.VERSIONS.get(world.protocol) if tls else None
    carrier = "plain TCP" if version is None else f"TLS {version}"
    title = told.splitlines()[0]
    assert title.endswith(f", {carrier}. Both are simulated.")
    assert f"{FAMILIES[world.protocol]}, {world.mode.value.upper().replace('_', ' ')}, " in title
    assert (f"note TLS {version} with " in told) is (version is not None)
    # The summary
    assert f"  Energy      {integral.to / 1000:.3f} kWh by the station's meter, " in told
    assert integral.to > 5.0
    if world.mode.bidirectional:
        assert f"  Returned    {integral.back / 1000:.3f} kWh by the station's meter, " in told
        assert integral.back > 2.0
        assert " kW back" in told
    else:
        assert integral.back == 0.0
        assert "Returned" not in told
    assert re.search(r"  Peak +\d+\.\d kW, \d+\.\d V, \d+\.\d A", told)
    if world.control is Control.DYNAMIC:
        assert "  Schedule    none, the station chooses the power" in told
    elif world.control is Control.SCHEDULED or world.protocol == "iso15118-2":
        assert "  Schedule    number 1 of 1 on offer" in told
    assert f"  Battery     {72 if world.mode.value in ('ac', 'ac_bpt', 'wpt') else 25}.0 % to " in told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mode", "ac"], "DIN SPEC 70121 knows DC alone: name another --protocol with --mode ac"),
        (
            ["--protocol", "iso15118-2", "--mode", "wpt"],
            "ISO 15118-2 knows DC and AC alone: name another --protocol with --mode wpt",
        ),
        (["--control", "dynamic"], "DIN SPEC 70121 knows no --control: leave it out"),
    ],
)
def test_what_a_protocol_cannot_do(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", *options]) == 2
    assert capsys.readouterr().err == f"hlc demo: {said}\n"


@pytest.mark.usefixtures("_small_battery")
def test_a_charge_from_discovery_to_stop(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--speed", "0"]) == 0
    told, log = capsys.readouterr()
    assert log == ""
    assert "\x1b" not in told  # it is no terminal
    for words in (
        "EVCC       link matched with 02:e5:00:00:00:01, NID ",
        "50 SECCDiscoveryReq",
        "Cable Check\n     2.66 s  EVCC  11  114 CableCheckReq",
        "Finished  isolation Valid",
        "the session ended well: charging complete",
        "Battery     25.0 % to 9",
        "Session Stop                       15    17",
    ):
        assert words in told
    # The loop is folded: only what is new is told.
    assert told.count("CurrentDemandReq") <= 4


@pytest.mark.usefixtures("_small_battery")
def test_it_writes_a_capture_that_decodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "session.pcapng"
    assert main(["demo", "--speed", "0", "--write", str(path)]) == 0
    capsys.readouterr()
    assert main(["decode", str(path), "--summary"]) == 0
    told = capsys.readouterr().out
    assert "0 not decoded" in told
    assert "CM_SLAC_MATCH.CNF" in told


@pytest.mark.usefixtures("_small_battery")
def test_ctrl_c_stops_as_a_driver_would(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    paced = demo.paced

    def interrupted(events: Iterator[Event], speed: float | None) -> Iterator[Event]:
        for event in paced(events, speed):
            if isinstance(event, StateEntered) and event.state is VehicleState.CURRENT_DEMAND:
                os.kill(os.getpid(), signal.SIGINT)
            yield event

    monkeypatch.setattr(demo, "paced", interrupted)
    assert main(["demo", "--speed", "0"]) == 0
    assert "the session ended well: stopped by the driver" in capsys.readouterr().out


@pytest.mark.usefixtures("_small_battery")
def test_a_second_ctrl_c_leaves(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(events: Iterator[Event], speed: float | None) -> Iterator[Event]:
        for event in events:
            os.kill(os.getpid(), signal.SIGINT)
            yield event

    monkeypatch.setattr(demo, "paced", interrupted)
    assert main(["demo", "--speed", "0"]) == 130
    assert capsys.readouterr().err == "hlc demo: interrupted\n"


@pytest.mark.usefixtures("_small_battery")
def test_a_capture_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--write", "/nonesuch/x.pcapng"]) == 1
    assert capsys.readouterr().err == "hlc demo: cannot write /nonesuch/x.pcapng: No such file or directory\n"
    if Path("/dev/full").exists():
        assert main(["demo", "--speed", "0", "--write", "/dev/full"]) == 1
        assert capsys.readouterr().err == "hlc demo: /dev/full is not complete: No space left on device\n"


class Clock:
    """Time that moves when somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def notes(*times: float) -> list[Event]:
    return [Note(at=at, side=Side.EVCC, text="") for at in times]


def test_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    shown = [(event.at, clock.now - 100.0) for event in demo.paced(iter(notes(0.0, 1.0, 1.0, 10.0)), 4.0)]
    assert shown == [(0.0, 0.0), (1.0, 0.25), (1.0, 0.25), (10.0, 2.5)]
    clock = Clock(monkeypatch)
    assert len(list(demo.paced(iter(notes(0.0, 1000.0)), 0.0))) == 2
    assert clock.now == 100.0


def test_pace_without_speed_slows_down_for_the_talk(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    def state(at: float, state: VehicleState) -> Event:
        return StateEntered(at=at, side=Side.EVCC, state=state)

    events = [state(2.0, VehicleState.CURRENT_DEMAND), state(1102.0, VehicleState.POWER_DELIVERY), *notes(1104.0)]
    shown = [clock.now - 100.0 for _ in demo.paced(iter(events), None)]
    talk, charge = demo.TALK_SPEED, demo.CHARGE_SPEED
    assert shown == pytest.approx([2 / talk, 2 / talk + 1100 / charge, 4 / talk + 1100 / charge])


def test_a_slow_machine_is_not_chased(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    shown = []
    for event in demo.paced(iter(notes(1.0, 2.0, 3.0)), 1.0):
        shown.append(clock.now - 100.0)
        if event.at == 1.0:
            clock.now += 60.0
    assert shown == [1.0, 61.0, 61.5]
