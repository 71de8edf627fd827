"""Decisions that the protocols share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import exi
from exi.messages import din70121 as din
from hlc import decisions
from hlc.decisions import CableCheck, CableCheckState
from hlc.ports import BatteryLimits, ControlPilot, Isolation, SetPoint, SupplyLimits
from hlc.rules.din70121 import wrap
from hlc.sim import SimulatedOutlet

SUPPLY = SupplyLimits(500.0, 125.0, 50_000.0, 150.0, 0.5, 1.0, 1.0)
EV = BatteryLimits(420.0, 200.0, 80_000.0, 60_000.0)


@given(st.floats(-32_767_000, 32_767_000))
def test_a_scaled_value_keeps_four_digits_and_fits_the_schema(number: float) -> None:
    multiplier, mantissa = decisions.scaled(number)
    physical = din.PhysicalValue(Multiplier=multiplier, Unit=din.UnitSymbol.W, Value=mantissa)
    assert decisions.value(physical) == pytest.approx(number, rel=2e-4, abs=0.051)
    request = din.PreChargeReq(
        DC_EVStatus=din.DC_EVStatus(EVReady=True, EVErrorCode=din.DC_EVErrorCode.NO_ERROR, EVRESSSOC=1),
        EVTargetVoltage=physical,
        EVTargetCurrent=physical,
    )
    assert exi.schema("din70121").encode(wrap(b"\1", request))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (400.0, (-1, 4000)),
        (0.04, (-1, 0)),
        (50_000.0, (1, 5000)),
        (1e9, (3, 32767)),
        (-1e9, (3, -32767)),
        (3276.7, (-1, 32767)),
    ],
)
def test_scaled(number: float, expected: tuple[int, int]) -> None:
    assert decisions.scaled(number) == expected


@pytest.mark.parametrize("multiplier", range(-3, 4))
def test_value(multiplier: int) -> None:
    assert decisions.value(din.PhysicalValue(Multiplier=multiplier, Value=7)) == pytest.approx(7 * 10.0**multiplier)


@pytest.mark.parametrize(("number", "expected"), [(150_000, 32767), (11_000.4, 11000), (-99_999, -32767)])
def test_int16(number: float, expected: int) -> None:
    assert decisions.int16(number) == expected


@pytest.mark.parametrize(
    ("ev_max", "evse_max", "expected"),
    [(400, 1000, 450), (460, 1000, 500), (500, 1000, 500), (420, 450, 450), (800, 1000, 880), (950, 1000, 1000)],
)
def test_the_voltage_of_the_cable_check(ev_max: float, evse_max: float, expected: float) -> None:
    assert decisions.cable_check_volts(ev_max, evse_max) == pytest.approx(expected)


@pytest.mark.parametrize(("volts", "match"), [(380.1, True), (419.9, True), (380.0, False), (420.0, False)])
def test_matched(volts: float, match: bool) -> None:
    assert decisions.matched(volts, 400.0) is match


@pytest.mark.parametrize(
    "ev",
    [
        EV._replace(max_volts=0.0),
        EV._replace(max_amps=-1.0),
        EV._replace(max_watts=0.0),
        EV._replace(max_volts=149.0),
        EV._replace(max_amps=0.4),
    ],
)
def test_vehicles_that_cannot_be_charged_here(ev: BatteryLimits) -> None:
    assert decisions.incompatible(EV, SUPPLY) is None
    assert decisions.incompatible(ev, SUPPLY)


numbers = st.floats(-2000, 2000)


@given(numbers, numbers, st.floats(0, 1000), st.floats(1, 1000), st.floats(0, 600), st.floats(1, 400_000))
def test_a_grant_is_never_beyond_either_side(
    volts: float, amps: float, present: float, ev_volts: float, ev_amps: float, ev_watts: float
) -> None:
    ev = BatteryLimits(ev_volts, ev_amps, ev_watts, 1.0)
    wish = decisions.plausible(SetPoint(volts, amps), SetPoint(300.0, 10.0), SUPPLY)
    granted = decisions.grant(wish, ev, SUPPLY, present)
    assert granted.volts <= min(ev_volts, SUPPLY.max_volts)
    assert 0 <= granted.amps <= min(ev_amps, SUPPLY.max_amps)
    assert granted.amps * present <= min(ev_watts, SUPPLY.max_watts) * 1.000001
    assert granted.amps <= max(wish.amps, 0.0)


def test_an_implausible_voltage_keeps_the_last() -> None:
    last = SetPoint(380.0, 50.0)
    assert decisions.plausible(SetPoint(10.0, 40.0), last, SUPPLY) == SetPoint(380.0, 40.0)
    assert decisions.plausible(SetPoint(400.0, -3.0), last, SUPPLY) == SetPoint(400.0, 0.0)


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
