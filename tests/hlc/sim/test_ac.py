"""The simulated AC outlet and vehicle, and whole AC sessions between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hlc.ports import COMMUNICATION, ControlPilot
from hlc.sim import Battery
from hlc.sim.ac import CONTACTOR_S, MAINS_VOLTS, MainsCable, SimulatedAcOutlet, SimulatedAcVehicle, link
from hlc.sim.ac_invariants import AcInvariants
from hlc.sim.pair import Delivery, Pair
from hlc.trace.events import Event, Fault, SessionEnded, Side


def plugged(**vehicle: Any) -> tuple[SimulatedAcOutlet, SimulatedAcVehicle, MainsCable]:
    outlet, ev = SimulatedAcOutlet(), SimulatedAcVehicle(**vehicle)
    cable = link(outlet, ev)
    cable.advance(0.0)
    return outlet, ev, cable


def charging(**vehicle: Any) -> tuple[SimulatedAcOutlet, SimulatedAcVehicle, MainsCable]:
    outlet, ev, cable = plugged(**vehicle)
    ev.show_ready(ready=True)
    outlet.close()
    ev.draw(11_040.0)
    cable.advance(5.0)
    return outlet, ev, cable


def test_the_pilot_goes_through_the_cable() -> None:
    outlet, ev, cable = plugged()
    outlet.show_pilot(COMMUNICATION)
    assert outlet.control_pilot() is ControlPilot.B
    signal = ev.control_pilot()
    assert signal is not None
    assert signal.usable
    ev.show_ready(ready=True)
    assert outlet.control_pilot() is ControlPilot.C
    cable.plugged = False
    assert outlet.control_pilot() is ControlPilot.A


def test_the_contactor_takes_its_time_either_way() -> None:
    outlet, ev, cable = plugged()
    outlet.close()
    cable.advance(CONTACTOR_S / 2)
    assert not outlet.relays_closed()
    cable.advance(CONTACTOR_S + 0.05)
    assert outlet.relays_closed()
    assert ev.inlet_volts() == MAINS_VOLTS
    outlet.off(emergency=False)
    outlet.off(emergency=False)
    assert outlet.relays_closed()
    cable.advance(0.5)
    assert not outlet.relays_closed()
    assert ev.inlet_volts() == 0.0


def test_an_order_to_open_overtakes_one_to_close() -> None:
    outlet, _, cable = plugged()
    outlet.close()
    outlet.off(emergency=True)
    cable.advance(1.0)
    assert not outlet.relays_closed()


def test_the_current_rises_slowly_and_is_counted_at_both_ends() -> None:
    outlet, ev, cable = charging()
    assert cable.amps == pytest.approx(48.0)
    before = ev.soc()
    cable.advance(3605.0)
    assert outlet.energy_wh() == pytest.approx(11_040.0, rel=0.01)
    assert ev.energy_wh() == outlet.energy_wh()
    assert (ev.soc() - before) / 100 * ev.capacity_wh() == pytest.approx(0.92 * 11_040, rel=0.01)


def test_a_vehicle_that_gives_back() -> None:
    outlet, ev, cable = charging(max_discharge_amps=10.0)
    ev.draw(-11_040.0)
    cable.advance(20.0)
    assert cable.amps == pytest.approx(-30.0)
    before = ev.soc()
    cable.advance(3620.0)
    assert outlet.returned_wh() == pytest.approx(6900.0, rel=0.01)
    assert ev.returned_wh() == outlet.returned_wh()
    assert (before - ev.soc()) / 100 * ev.capacity_wh() == pytest.approx(6900.0 / 0.92, rel=0.01)


def test_without_state_c_or_mains_no_current_flows() -> None:
    outlet, ev, cable = charging()
    ev.show_ready(ready=False)
    cable.advance(7.0)
    assert cable.amps == 0.0
    ev.show_ready(ready=True)
    cable.advance(10.0)
    outlet.trip_rcd()
    cable.advance(10.1)
    assert (cable.amps, outlet.rcd_tripped(), outlet.relays_closed()) == (0.0, True, False)
    outlet.close()
    cable.advance(11.0)
    assert not outlet.relays_closed()


def test_each_end_works_alone() -> None:
    outlet = SimulatedAcOutlet(amps=16.0, phases=1)
    outlet.tick(0.0)
    outlet.close()
    outlet.tick(5.0)
    assert outlet.amps() == pytest.approx(16.0)
    assert outlet.control_pilot() is None
    ev = SimulatedAcVehicle(phases=1)
    ev.tick(0.0)
    ev.show_ready(ready=True)
    ev.draw(2300.0)
    ev.tick(5.0)
    assert ev.amps() == pytest.approx(10.0)


# Whole sessions

Act = Callable[[Pair], object]


def charge(act: Act | None = None, *, at: int = 80, protocol: str = "iso15118_2", **others: Any) -> Pair:
    """A short charge; `act` happens with message `at`."""

    def tamper(pair: Pair, number: int, delivery: Delivery) -> None:
        if number == at and act is not None:
            pair.later(lambda: act(pair))

    ev = SimulatedAcVehicle(Battery(soc=79.8), phases=others.pop("phases", 3))
    outlet = SimulatedAcOutlet(phases=others.pop("outlet_phases", 3))
    for name in others.pop("outlet", ()):
        setattr(outlet, name, True)
    for name in others.pop("vehicle", ()):
        setattr(ev, name, True)
    return Pair(ev, outlet, protocol=protocol, tamper=tamper, **others)


def test_a_charge() -> None:
    pair = charge().run()
    assert (pair.station.good, pair.vehicle.good) == (True, True)
    assert pair.invariants.violations == []
    assert pair.states[Side.EVCC] == [0, 1, 2, 4, 6, 7, 8, 9, 8, 15]
    assert pair.states[Side.SECC] == [0, 1, 2, 3, 6, 7, 8, 9, 8, 17, 201]
    assert pair.ev.soc() == pytest.approx(80.0, abs=0.01)
    assert not pair.ev.locked


def test_both_meters_agree() -> None:
    events: list[Event] = []
    charge(trace=events.append).run()
    energies = {event.side: event.energy_wh for event in events if isinstance(event, SessionEnded)}
    assert energies[Side.SECC] == pytest.approx(energies[Side.EVCC], rel=0.01)
    assert energies[Side.EVCC] > 100


@pytest.mark.parametrize(("outlet_phases", "phases"), [(1, 3), (3, 1), (1, 1)])
def test_one_phase(outlet_phases: int, phases: int) -> None:
    pair = charge(outlet_phases=outlet_phases, phases=phases).run()
    assert (pair.station.good, pair.vehicle.good, pair.invariants.violations) == (True, True, [])


def available(amps: float) -> Act:
    return lambda pair: setattr(pair.outlet, "available", amps)


def test_the_vehicle_follows_the_station() -> None:
    fast, slow = charge().run(), charge(available(8.0)).run()
    assert (slow.station.good, slow.vehicle.good, slow.invariants.violations) == (True, True, [])
    assert slow.now > fast.now + 20


def test_too_little_to_charge_with_is_nothing() -> None:
    seen: list[float] = []

    def look(pair: Pair) -> None:
        seen.append(pair.cable.amps)
        available(16.0)(pair)

    pair = charge(look, at=120)
    available(5.0)(pair)
    pair.run()
    assert seen == [0.0]
    assert pair.vehicle.good


@pytest.mark.parametrize(
    ("act", "good"),
    [
        (lambda pair: pair.stop(Side.SECC, "the operator stops"), True),
        (lambda pair: pair.stop(Side.EVCC, "the driver stops"), True),
        (lambda pair: pair.outlet.press_emergency_stop(), False),
        (lambda pair: pair.outlet.trip_rcd(), False),
        (lambda pair: setattr(pair.cable, "plugged", False), False),
        (lambda pair: pair.break_connection(), False),
        (lambda pair: setattr(pair, "silent", True), False),
        (lambda pair: pair.ev.show_ready(ready=False), False),
        (lambda pair: setattr(pair.outlet, "welded", True), False),
        (lambda pair: setattr(pair.ev, "trouble", "FAILED_EVRESSMalfunction"), None),
    ],
)
@pytest.mark.parametrize("at", range(4, 100, 5))
def test_however_it_ends_it_is_safe(act: Act, good: bool | None, at: int) -> None:
    pair = charge(act, at=at).run()
    assert pair.invariants.violations == []
    assert not pair.outlet.relays or pair.outlet.welded
    if good is not None and at > 20:
        assert (pair.station.good, pair.vehicle.good) == (good, good)


@pytest.mark.parametrize(
    ("others", "code"),
    [
        ({"outlet": ["stuck"]}, "FAILED_ContactorError"),
        ({"outlet": ["welded"]}, "FAILED_ContactorError"),
        ({"vehicle": ["never_ready"]}, "state C"),
        ({"outlet": ["refused"]}, "not authorized"),
    ],
)
def test_what_does_not_work(others: Any, code: str) -> None:
    events: list[Event] = []
    pair = charge(trace=events.append, **others).run()
    assert (pair.station.good, pair.vehicle.good) == (False, False)
    assert any(code in event.text for event in events if isinstance(event, Fault))
    assert pair.invariants.violations == []


def test_without_energy_it_ends_in_order() -> None:
    pair = charge(outlet=["no_energy"]).run()
    assert (pair.station.good, pair.vehicle.good) == (True, True)
    assert "PowerDeliveryReq" not in pair.messages
    assert pair.ev.energy_wh() == 0.0


def test_a_vehicle_that_takes_more_than_it_may_is_switched_off() -> None:
    def act(pair: Pair) -> None:
        pair.ev.greedy = True  # type: ignore[attr-defined]
        pair.outlet.available = 8.0

    pair = charge(act).run()
    assert not pair.station.good
    assert pair.station.reason.startswith("the vehicle takes")


@pytest.mark.parametrize(
    ("broken", "violation"),
    [
        (lambda pair: pair.outlet.close(), "the contactor closes before power delivery was asked for"),
        (lambda pair: pair.ev.show_ready(ready=True), "state C without power delivery asked for"),
    ],
)
def test_the_invariants_see_what_is_wrong(broken: Act, violation: str) -> None:
    pair = charge(broken, at=6).run()
    assert any(violation in each for each in pair.invariants.violations)


def test_the_invariants_see_currents_that_may_not_flow() -> None:
    def act(pair: Pair) -> None:
        pair.outlet.available = 8.0
        pair.ev.set_watts = 11_040.0  # type: ignore[attr-defined]
        pair.ev.draw = lambda watts: None  # type: ignore[attr-defined]

    pair = charge(act).run()
    assert any("stays above the 8 A" in each for each in pair.invariants.violations)


def test_the_invariants_follow_the_messages_of_both_ends() -> None:
    cable = charging()[2]
    pair = charge()
    watch = AcInvariants(pair.station, pair.vehicle)
    cable.observer = watch.step
    cable.advance(6.0)
    assert any("and power delivery is not asked for" in each for each in watch.violations)
    assert any("a current flows before power delivery" in each for each in watch.violations)


def test_the_contactor_is_for_who_was_authorized() -> None:
    one = charge()
    one.cable.advance(0.0)
    one.outlet.close()
    one.cable.advance(1.0)
    assert any("for who was not authorized" in each for each in one.invariants.violations)
