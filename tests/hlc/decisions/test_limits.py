"""Precharge and limits."""

from __future__ import annotations

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
