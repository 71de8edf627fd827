"""The isolation test."""

from __future__ import annotations

import pytest

from hlc import decisions
from hlc.decisions import CableCheck, CableCheckState
from hlc.ports import ControlPilot, Isolation
from hlc.sim import SimulatedOutlet


@pytest.mark.parametrize(
    ("ev_max", "evse_max", "expected"),
    [(400, 1000, 450), (460, 1000, 500), (500, 1000, 500), (420, 450, 450), (800, 1000, 880), (950, 1000, 1000)],
)
def test_the_voltage_of_the_cable_check(ev_max: float, evse_max: float, expected: float) -> None:
    assert decisions.cable_check_volts(ev_max, evse_max) == pytest.approx(expected)


class Bench(SimulatedOutlet):
    """An outlet whose voltage and isolation a test sets."""

    def __init__(self) -> None:
        super().__init__()
        self.now_volts = 0.0
        self.level = Isolation.UNKNOWN
        self.pilot: ControlPilot | None = ControlPilot.C

    def volts(self) -> float:
        return self.now_volts

    def isolation(self) -> Isolation:
        return self.level

    def control_pilot(self) -> ControlPilot | None:
        return self.pilot


def test_the_steps_of_a_cable_check() -> None:
    outlet = Bench()
    outlet.pilot = ControlPilot.B
    check = CableCheck(outlet, 450.0, 0.0, pilot_s=1.5)
    assert check.look(1.4) is CableCheckState.ONGOING
    assert not outlet.relays
    outlet.pilot, outlet.now_volts = ControlPilot.D, 70.0
    assert check.look(1.45) is CableCheckState.ONGOING
    assert not outlet.relays
    outlet.now_volts = 20.0
    check.look(1.5)
    assert (outlet.relays, outlet.set_volts, outlet.set_amps) == (True, 450.0, 2.0)
    outlet.now_volts, outlet.level = 300.0, Isolation.VALID
    check.look(1.6)
    assert not check.measured
    outlet.now_volts = 449.0
    assert check.look(1.7) is CableCheckState.ONGOING
    assert check.measured
    assert (outlet.relays, outlet.set_volts) == (True, 0.0)
    outlet.now_volts = 61.0
    assert check.look(1.8) is CableCheckState.ONGOING
    outlet.now_volts = 59.0
    assert check.look(1.9) is CableCheckState.VALID
    assert check.look(99.0) is CableCheckState.VALID


@pytest.mark.parametrize(
    ("pilot", "volts", "level", "expected"),
    [
        (ControlPilot.B, 0.0, Isolation.VALID, CableCheckState.NOT_READY),
        (ControlPilot.C, 100.0, Isolation.VALID, CableCheckState.LIVE),
    ],
)
def test_what_ends_a_cable_check_before_it_begins(
    pilot: ControlPilot, volts: float, level: Isolation, expected: CableCheckState
) -> None:
    outlet = Bench()
    outlet.pilot, outlet.now_volts, outlet.level = pilot, volts, level
    check = CableCheck(outlet, 450.0, 0.0, pilot_s=1.5)
    check.look(0.0)
    assert check.look(10.0) is expected
    assert not outlet.relays


def test_an_isolation_fault_switches_off_at_once() -> None:
    outlet = Bench()
    check = CableCheck(outlet, 450.0, 0.0, pilot_s=1.5)
    check.look(0.0)
    outlet.now_volts, outlet.level = 450.0, Isolation.FAULT
    assert check.look(0.5) is CableCheckState.FAULT
    assert not outlet.relays
    assert outlet.cut
    assert not check.state.proven
