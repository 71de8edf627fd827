"""The invariants see what they are there for: each is broken once, by hand, in the simulated world."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hlc.ports import ControlPilot
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.invariants import Stage
from hlc.sim.pair import Pair

World = Pair


def at(stage: Stage, *, ready: bool = True, locked: bool = True) -> World:
    """A world in which the two have agreed so far, and nothing has been switched on."""
    pair = Pair(SimulatedVehicle(Battery(soc=50.0)), SimulatedOutlet())
    pair.cable.advance(0.0)
    pair.invariants.stage, pair.invariants.authorized = stage, True
    pair.ev.show_ready(ready=ready)
    pair.ev.locked = locked
    return pair


def charging(amps: float = 50.0) -> World:
    """A world in which energy flows."""
    pair = at(Stage.DELIVERY)
    pair.outlet.output(pair.ev.battery_volts(), 2.0)
    pair.cable.advance(1.0)
    pair.ev.close_contactors()
    pair.cable.advance(1.1)
    pair.outlet.output(420.0, amps)
    pair.cable.advance(2.0)
    return pair


def voltage_too_early() -> World:
    pair = at(Stage.PARAMETERS)
    pair.outlet.output(200.0, 2.0)
    return pair


def voltage_too_late() -> World:
    pair = at(Stage.ENDED)
    pair.outlet.output(200.0, 2.0)
    return pair


def voltage_too_high() -> World:
    pair = at(Stage.ISOLATION_PROVEN)
    pair.outlet.output(480.0, 2.0)
    return pair


def voltage_for_a_stranger() -> World:
    pair = at(Stage.ISOLATION_PROVEN)
    pair.invariants.authorized = False
    pair.outlet.output(400.0, 2.0)
    return pair


def voltage_without_state_c() -> World:
    pair = at(Stage.ISOLATION_PROVEN, ready=False)
    pair.outlet.output(400.0, 2.0)
    return pair


def voltage_after_state_c() -> World:
    pair = at(Stage.ISOLATION_PROVEN)
    pair.outlet.output(400.0, 2.0)
    pair.cable.advance(0.5)
    pair.ev.show_ready(ready=False)
    return pair


def voltage_at_an_open_lock() -> World:
    pair = at(Stage.CABLE_CHECK, locked=False)
    pair.outlet.output(400.0, 2.0)
    return pair


def current_before_power() -> World:
    pair = charging()
    pair.invariants.stage = Stage.ISOLATION_PROVEN
    return pair


def current_after_power() -> World:
    pair = charging()
    pair.invariants.stage = Stage.ENDED
    return pair


def too_many_amperes() -> World:
    pair = charging()
    pair.outlet.output(420.0, 140.0)
    return pair


def too_much_power() -> World:
    pair = charging(125.0)
    pair.invariants._limits = pair.invariants._limits and pair.invariants._limits._replace(watts=40_000.0)
    return pair


def contactors_far_apart() -> World:
    pair = at(Stage.ISOLATION_PROVEN)
    pair.ev._apart = lambda: 0.0  # type: ignore[method-assign]
    pair.ev.close_contactors()
    return pair


def contactors_told_far_apart() -> World:
    pair = at(Stage.ISOLATION_PROVEN)
    pair.ev.apart_at_order = 100.0
    pair.ev.contactors = True
    return pair


def contactors_under_load() -> World:
    pair = charging()
    pair.ev.contactors = False
    pair.ev.opened_under_load = True
    return pair


def state_c_too_early() -> World:
    return at(Stage.NOTHING)


def station_gone() -> World:
    pair = charging()
    pair.station.closed = True
    return pair


def vehicle_gone() -> World:
    pair = charging()
    pair.vehicle.closed = True
    return pair


@pytest.mark.parametrize(
    ("world", "text"),
    [
        (voltage_too_early, "before the cable check"),
        (voltage_too_late, "after power delivery has ended"),
        (voltage_too_high, "480 V ordered, 420 V are allowed"),
        (voltage_for_a_stranger, "for who was not authorized"),
        (voltage_without_state_c, "before the vehicle has shown state C"),
        (voltage_after_state_c, "does not show state C"),
        (voltage_at_an_open_lock, "not locked"),
        (current_before_power, "before power delivery was agreed"),
        (current_after_power, "a current flows after power delivery"),
        (too_many_amperes, "above 125 A"),
        (too_much_power, "above 40000 W"),
        (contactors_far_apart, "V apart"),
        (contactors_told_far_apart, "100 V apart"),
        (contactors_under_load, "under load"),
        (state_c_too_early, "before the parameters"),
        (station_gone, "after the station's end"),
        (vehicle_gone, "after the vehicle's end"),
    ],
)
def test_a_broken_rule_is_seen(world: Callable[[], World], text: str) -> None:
    pair = world()
    before = list(pair.invariants.violations)
    assert not before
    pair.cable.advance(pair.cable.now + 3.0)
    assert any(text in violation for violation in pair.invariants.violations), pair.invariants.violations


def test_a_voltage_left_at_the_contacts_is_seen() -> None:
    pair = at(Stage.ENDED)
    pair.station.closed = pair.vehicle.closed = True
    pair.ev.show_ready(ready=False)
    pair.ev.welded = False
    pair.cable.volts = 300.0
    pair.cable._without_battery = lambda outlet, dt: None  # type: ignore[method-assign]
    pair.cable.advance(5.0)
    assert "a voltage at the contacts" in pair.invariants.violations[-1]


def test_a_good_charge_breaks_none() -> None:
    pair = charging()
    pair.cable.advance(10.0)
    assert pair.ev.state is ControlPilot.C
    assert not pair.invariants.violations
