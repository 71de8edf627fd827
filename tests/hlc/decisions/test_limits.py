"""Precharge and limits."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlc import decisions
from hlc.ports import BatteryLimits, SetPoint, SupplyLimits

SUPPLY = SupplyLimits(500.0, 125.0, 50_000.0, 150.0, 0.5, 1.0, 1.0)
EV = BatteryLimits(420.0, 200.0, 80_000.0, 60_000.0)


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


@pytest.mark.parametrize(("said", "highest"), [(500.0, 500.0), (60.0, 60.0), (59.9, inf), (40.0, inf), (0.0, inf)])
def test_a_voltage_that_may_be_touched_limits_no_charger(said: float, highest: float) -> None:
    assert decisions.highest_volts(said) == highest


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


BACK_SUPPLY = SUPPLY._replace(max_discharge_amps=20.0, max_discharge_watts=6000.0)
BACK_EV = EV._replace(min_volts=270.0, max_discharge_amps=30.0, max_discharge_watts=9000.0)


@given(st.floats(-1000, -0.01), st.floats(150, 500))
def test_never_back_beyond_either_side(amps: float, volts: float) -> None:
    granted = decisions.grant(SetPoint(400.0, amps), BACK_EV, BACK_SUPPLY, volts)
    assert 0 >= granted.amps >= max(amps, -20.0)
    assert -granted.amps * volts <= 6000.0 * 1.0001
    assert granted.volts == 270.0
    assert granted.current_limited is (amps < -20.0)


@pytest.mark.parametrize("least", [430.0, 501.0, 2.77e6])
def test_a_voltage_that_must_not_be_left_is_no_higher_than_the_highest(least: float) -> None:
    ev = BACK_EV._replace(min_volts=least)
    assert decisions.grant(SetPoint(400.0, -10.0), ev, BACK_SUPPLY, 400.0).volts == 420.0


@pytest.mark.parametrize(("ev", "supply"), [(EV, BACK_SUPPLY), (BACK_EV, SUPPLY)])
def test_nothing_back_where_one_side_does_not(ev: BatteryLimits, supply: SupplyLimits) -> None:
    assert decisions.grant(SetPoint(400.0, -10.0), ev, supply, 400.0).amps == 0.0


@pytest.mark.parametrize(
    ("watts", "room_wh", "spare_wh", "amps"),
    [
        (None, 1.0, 0.0, 200.0),
        (None, 0.0, 1.0, 0.0),
        (8000.0, 1.0, 0.0, 20.0),
        (8000.0, 0.0, 0.0, 0.0),
        (-4000.0, 0.0, 1.0, -10.0),
        (-4000.0, 1.0, 0.0, 0.0),
    ],
)
def test_where_a_vehicle_is_run_that_leaves_it_to_the_station(
    watts: float | None, room_wh: float, spare_wh: float, amps: float
) -> None:
    point = decisions.operating_point(watts, BACK_EV, 400.0, room_wh=room_wh, spare_wh=spare_wh)
    assert point == SetPoint(420.0, amps)


def test_a_negative_wish_is_plausible_where_energy_may_flow_back() -> None:
    last = SetPoint(390.0, 0.0)
    assert decisions.plausible(SetPoint(0.0, -5.0), last, SUPPLY, back=True) == SetPoint(390.0, -5.0)
    assert decisions.plausible(SetPoint(0.0, -5.0), last, SUPPLY) == SetPoint(390.0, 0.0)
