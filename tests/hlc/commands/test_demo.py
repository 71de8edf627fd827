"""The demo: a whole charge told to a reader, at any pace, stopped on request."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hlc.cli import main
from hlc.commands import demo
from hlc.ids import VehicleState
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.pair import Pair
from hlc.trace.events import Event, Note, Side, StateEntered


@pytest.fixture
def _small_battery(monkeypatch: pytest.MonkeyPatch) -> None:
    def world(protocol: str, mode: str) -> Pair:
        return Pair(SimulatedVehicle(Battery(soc=25.0, capacity_wh=200.0), target_soc=90.0), SimulatedOutlet())

    monkeypatch.setattr(demo, "world", world)


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


@pytest.mark.parametrize(("mode", "state"), [("dc", "Current Demand"), ("ac", "Charging Status")])
def test_iso15118_2(mode: str, state: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--protocol", "iso15118-2", "--mode", mode, "--speed", "0"]) == 0
    told = capsys.readouterr().out
    for words in (f"then ISO 15118-2, {mode.upper()}", "the session ended well: charging complete", state):
        assert words in told


def test_ac_is_not_part_of_din(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--mode", "ac"]) == 2
    assert "DIN 70121 knows DC alone" in capsys.readouterr().err
