"""The invariants over a pad and under a pantograph see what they are there for: each is broken once, by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hlc.ports import Offset
from hlc.sim import Battery
from hlc.sim.acdp import SimulatedBus, SimulatedPantograph
from hlc.sim.invariants import Stage
from hlc.sim.pair import Pair
from hlc.sim.wpt import SimulatedPad, SimulatedReceiver


def over_pad(watts: float = 5000.0) -> Pair:
    """A world in which power flows as was agreed."""
    pair = Pair(SimulatedReceiver(Battery(soc=50.0)), SimulatedPad(), protocol="iso15118_20_wpt")
    pair.cable.advance(0.0)
    pair.ev.place = Offset(10.0, 10.0)
    pair.ev.locked = True
    watch: Any = pair.invariants
    watch.paired = watch.aligned = watch.delivery = watch.authorized = True
    pair.ev.receive()  # type: ignore[attr-defined]
    pair.outlet.transmit(watts)
    pair.cable.advance(2.0)
    return pair


def off_place() -> Pair:
    pair = over_pad()
    pair.ev.place = Offset(150.0, 0.0)
    return pair


def with_an_object() -> Pair:
    pair = over_pad()
    pair.outlet.foreign_object = True
    return pair


def without(what: str, watts: float = 5000.0) -> Callable[[], Pair]:
    def world() -> Pair:
        pair = over_pad(watts)
        setattr(pair.invariants, what, False)
        return pair

    return world


def let_go() -> Pair:
    pair = over_pad()
    pair.ev.locked = False
    return pair


def too_much_for_the_vehicle() -> Pair:
    pair = over_pad()
    pair.outlet.transmit(10_500.0)
    return pair


def closed(side: str) -> Callable[[], Pair]:
    def world() -> Pair:
        pair = over_pad()
        getattr(pair, side).closed = True
        return pair

    return world


def connected_without_delivery() -> Pair:
    pair = over_pad()
    pair.outlet.transmit(0.0)
    pair.invariants.delivery = False
    return pair


def under_pantograph() -> Pair:
    """A world in which energy flows as was agreed."""
    pair = Pair(SimulatedBus(Battery(soc=50.0)), SimulatedPantograph(), protocol="iso15118_20_acdp")
    pair.cable.advance(0.0)
    bus: Any = pair.ev
    bus.place, bus.driving, bus.locked = Offset(0.0, 0.0), False, True
    pair.outlet.connect()
    pair.cable.advance(4.5)
    pair.invariants.stage, pair.invariants.authorized = Stage.DELIVERY, True
    bus.show_ready(ready=True)
    pair.outlet.output(bus.battery_volts(), 2.0)
    pair.cable.advance(5.5)
    bus.close_contactors()
    pair.cable.advance(5.6)
    pair.outlet.output(420.0, 50.0)
    pair.cable.advance(6.5)
    return pair


def moved_under_current() -> Pair:
    pair = under_pantograph()
    pair.outlet.way = 0.99
    pair.outlet.contact = lambda: True
    return pair


def without_contact() -> Pair:
    pair = under_pantograph()
    pair.outlet.lifted = True
    return pair


def another_vehicle() -> Pair:
    pair = under_pantograph()
    pair.outlet.other_vehicle = True
    return pair


def moving() -> Pair:
    pair = under_pantograph()
    pair.ev.moving = lambda: True  # type: ignore[attr-defined]
    return pair


def not_called_home() -> Pair:
    pair = under_pantograph()
    pair.outlet.off(emergency=True)
    pair.station.closed = True
    return pair


def onto_a_free_vehicle() -> Pair:
    pair = Pair(SimulatedBus(), SimulatedPantograph(), protocol="iso15118_20_acdp")
    pair.cable.advance(0.0)
    pair.outlet.connect()
    return pair


def ready_at_home() -> Pair:
    pair = Pair(SimulatedBus(), SimulatedPantograph(), protocol="iso15118_20_acdp")
    pair.cable.advance(0.0)
    pair.invariants.stage = Stage.PARAMETERS
    pair.ev.show_ready(ready=True)
    return pair


@pytest.mark.parametrize(
    ("world", "text"),
    [
        (off_place, "off its place"),
        (with_an_object, "something lies in the field"),
        (without("paired"), "are not paired"),
        (without("paired", 200.0), "are not paired"),
        (without("aligned"), "alignment is not proven"),
        (without("delivery"), "power delivery is not agreed"),
        (let_go, "not held in its place"),
        (too_much_for_the_vehicle, "10000 W are allowed"),
        (closed("station"), "the station's session is over"),
        (closed("vehicle"), "the vehicle's session is over"),
        (connected_without_delivery, "connected to the battery, and power delivery is not agreed"),
        (moved_under_current, "move under current"),
        (moved_under_current, "while the relays are closed"),
        (without_contact, "the contacts do not touch"),
        (another_vehicle, "another vehicle stands there"),
        (moving, "the vehicle moves"),
        (not_called_home, "not called home"),
        (onto_a_free_vehicle, "not immobilised"),
        (ready_at_home, "the contacts are at home"),
    ],
)
def test_a_broken_rule_is_seen(world: Callable[[], Pair], text: str) -> None:
    pair = world()
    assert not pair.invariants.violations
    pair.cable.advance(pair.cable.now + 4.0)
    assert any(text in violation for violation in pair.invariants.violations), pair.invariants.violations


@pytest.mark.parametrize("world", [over_pad, under_pantograph])
def test_a_good_charge_breaks_none(world: Callable[[], Pair]) -> None:
    pair = world()
    pair.cable.advance(pair.cable.now + 10.0)
    assert pair.ev.energy_wh() > 0.0
    assert not pair.invariants.violations


def test_a_trial_needs_pairing_alone() -> None:
    pair = over_pad(200.0)
    watch: Any = pair.invariants
    watch.aligned = watch.delivery = False
    pair.ev.contactors = False
    pair.cable.advance(pair.cable.now + 4.0)
    assert not pair.invariants.violations


def test_power_is_for_who_was_authorized() -> None:
    pair = over_pad()
    pair.invariants.authorized = False
    pair.cable.advance(pair.cable.now + 1.0)
    assert any("for who was not authorized" in each for each in pair.invariants.violations)
