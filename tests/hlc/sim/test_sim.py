"""Battery, outlet, vehicle and cable: simple, but physical."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlc.ports import COMMUNICATION, NO_PWM, ControlPilot, Isolation, PilotSignal
from hlc.sim import Battery, SimulatedCable, SimulatedOutlet, SimulatedVehicle, link


@given(st.floats(0, 100), st.floats(0, 100))
def test_the_voltage_rises_with_the_charge(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert Battery(soc=low).volts() <= Battery(soc=high).volts()
    assert 96 * 3.0 <= Battery(soc=low).volts() <= Battery().max_volts


@given(st.floats(0, 100))
def test_the_battery_never_wants_more_than_it_bears(soc: float) -> None:
    battery = Battery(soc=soc)
    wish = battery.target()
    assert 0 <= wish.amps <= battery.max_amps
    assert wish.amps * battery.volts() <= battery.max_watts * 1.0001
    assert battery.volts() + wish.amps * battery.resistance <= battery.max_volts + 0.001


def test_an_hour_at_one_c_is_a_full_charge() -> None:
    battery = Battery(soc=10.0, capacity_wh=50_000.0)
    energy = sum(battery.charge(100.0, 1.0) for _ in range(600))
    stored = (battery.soc - 10.0) / 100 * 50_000
    lost = 100.0**2 * battery.resistance * 600 / 3600
    assert energy == pytest.approx(stored + lost, rel=1e-6)


def plugged() -> tuple[SimulatedOutlet, SimulatedVehicle, SimulatedCable]:
    outlet, vehicle = SimulatedOutlet(), SimulatedVehicle()
    cable = link(outlet, vehicle)
    cable.advance(0.0)
    return outlet, vehicle, cable


def test_the_voltage_takes_its_time_and_falls_when_switched_off() -> None:
    outlet, _, cable = plugged()
    outlet.output(400.0, 2.0)
    cable.advance(0.25)
    assert outlet.volts() == pytest.approx(200.0)
    cable.advance(1.0)
    assert outlet.volts() == 400.0
    outlet.off(emergency=False)
    cable.advance(1.1)
    assert not outlet.relays_closed()
    cable.advance(1.6)
    assert outlet.volts() < 60


def test_a_current_flows_only_into_closed_contactors_and_ramps() -> None:
    outlet, vehicle, cable = plugged()
    battery = vehicle.battery_volts()
    outlet.output(battery, 2.0)
    cable.advance(1.0)
    vehicle.close_contactors()
    cable.advance(1.1)
    assert vehicle.contactors_closed()
    assert outlet.amps() == 0
    outlet.output(420.0, 100.0)
    cable.advance(1.3)
    assert 0 < outlet.amps() <= 60
    cable.advance(3.0)
    assert outlet.amps() == 100.0 == vehicle.amps()
    assert outlet.volts() == pytest.approx(vehicle.battery_volts() + 100 * vehicle.battery.resistance)
    assert outlet.energy_wh() == pytest.approx(vehicle.energy_wh(), rel=0.01)
    outlet.off(emergency=False)
    cable.advance(3.05)
    assert 0 < outlet.amps() < 100
    assert outlet.relays_closed()
    cable.advance(3.2)
    assert outlet.amps() == 0
    assert not outlet.relays_closed()


def test_an_emergency_cuts_at_once() -> None:
    outlet, vehicle, cable = plugged()
    outlet.output(vehicle.battery_volts(), 2.0)
    cable.advance(1.0)
    vehicle.close_contactors()
    cable.advance(1.1)
    outlet.output(420.0, 100.0)
    cable.advance(3.0)
    outlet.press_emergency_stop()
    assert outlet.amps() == 0
    assert not outlet.relays_closed()
    outlet.output(400.0, 10.0)
    cable.advance(4.0)
    assert outlet.amps() == 0
    assert not outlet.relays_closed()


def test_contactors_wait_for_the_current_to_go_short_of_an_emergency() -> None:
    for emergency in (False, True):
        outlet, vehicle, cable = plugged()
        outlet.output(vehicle.battery_volts(), 2.0)
        cable.advance(1.0)
        vehicle.close_contactors()
        cable.advance(1.1)
        outlet.output(420.0, 100.0)
        cable.advance(3.0)
        vehicle.open_contactors(emergency=emergency)
        cable.advance(4.0)
        assert vehicle.contactors_closed() is not emergency
        assert vehicle.opened_under_load is emergency


def test_contactors_do_not_close_onto_a_difference() -> None:
    outlet, vehicle, cable = plugged()
    vehicle.close_contactors()
    cable.advance(1.0)
    assert not vehicle.contactors_closed()
    assert outlet.volts() == 0


def test_the_lock_opens_below_60_volts() -> None:
    outlet, vehicle, cable = plugged()
    vehicle.lock_connector()
    assert not vehicle.connector_locked()
    cable.advance(0.5)
    assert vehicle.connector_locked()
    outlet.output(400.0, 2.0)
    cable.advance(2.0)
    vehicle.unlock_connector()
    cable.advance(2.5)
    assert vehicle.connector_locked()
    outlet.off(emergency=False)
    cable.advance(4.0)
    assert not vehicle.connector_locked()


def test_the_pilot_is_seen_from_both_ends() -> None:
    outlet, vehicle, cable = plugged()
    assert vehicle.control_pilot() == (ControlPilot.B, NO_PWM)
    outlet.show_pilot(COMMUNICATION)
    assert outlet.control_pilot() is ControlPilot.B
    vehicle.show_ready(ready=True)
    assert outlet.control_pilot() is ControlPilot.C
    assert vehicle.control_pilot() == (ControlPilot.C, COMMUNICATION)
    outlet.show_pilot(ControlPilot.F)
    assert outlet.control_pilot() is ControlPilot.F
    assert vehicle.control_pilot() == (ControlPilot.F, 0.0)
    outlet.show_pilot(COMMUNICATION)
    cable.plugged = False
    assert outlet.control_pilot() is ControlPilot.A
    assert vehicle.control_pilot() == (ControlPilot.A, NO_PWM)


@pytest.mark.parametrize(
    ("state", "duty", "usable"),
    [("B", 5.0, True), ("C", 5.0, True), ("D", 53.0, True), ("B", NO_PWM, False), ("B", 0.0, False)]
    + [(state, 5.0, False) for state in "AEF"],
)
def test_which_pilot_a_vehicle_can_charge_by(state: str, duty: float, usable: bool) -> None:
    assert PilotSignal(ControlPilot(state), duty).usable is usable


def test_an_isolation_test_takes_its_time() -> None:
    outlet, _, cable = plugged()
    outlet.start_isolation_test()
    cable.advance(0.9)
    assert outlet.isolation() is Isolation.UNKNOWN
    cable.advance(1.1)
    assert outlet.isolation() is Isolation.VALID


def test_an_outlet_alone_has_no_pilot_and_charges_an_assumed_battery() -> None:
    outlet = SimulatedOutlet()
    outlet.tick(0.0)
    assert outlet.control_pilot() is None
    assert SimulatedVehicle().control_pilot() is None
    outlet.output(400.0, 2.0)
    outlet.tick(1.0)
    assert outlet.volts() == 400.0
    outlet.output(420.0, 50.0)
    outlet.tick(2.0)
    assert outlet.amps() == 50.0
    assert 380 < outlet.volts() < 420
    outlet.off(emergency=False)
    outlet.tick(4.0)
    assert outlet.volts() < 60


def test_a_vehicle_alone_believes_the_station() -> None:
    vehicle = SimulatedVehicle()
    vehicle.tick(0.0)
    vehicle.show_ready(ready=True)
    vehicle.reported(vehicle.battery_volts(), None)
    vehicle.tick(0.1)
    assert vehicle.inlet_volts() == vehicle.battery_volts()
    vehicle.close_contactors()
    vehicle.tick(0.3)
    vehicle.reported(400.0, 80.0)
    vehicle.tick(0.4)
    vehicle.tick(36.4)
    assert vehicle.amps() == 80.0
    assert vehicle.energy_wh() == pytest.approx(36 * 80 * (vehicle.battery_volts() + 6.4) / 3600, rel=0.01)


def precharged(vehicle: SimulatedVehicle, volts: Callable[[float], float], seconds: float) -> float:
    """The voltage at the inlet of a vehicle alone, after so long a precharge of a station that reports this."""
    vehicle.tick(0.0)
    vehicle.show_ready(ready=True)
    for step in range(round(seconds * 10) + 1):
        vehicle.tick(step / 10)
        vehicle.reported(volts(step / 10), None)
    return vehicle.inlet_volts()


def test_a_station_that_measures_nothing_is_assumed_to_give_what_is_asked_for() -> None:
    vehicle = SimulatedVehicle()
    assert precharged(vehicle, lambda now: 1.0, 2.9) == 1.0
    vehicle = SimulatedVehicle()
    assert precharged(vehicle, lambda now: 1.0, 3.1) == vehicle.battery_volts()


@pytest.mark.parametrize("top", [60.0, 200.0])
def test_a_station_whose_voltage_rises_is_believed_however_far_it_comes(top: float) -> None:
    assert precharged(SimulatedVehicle(), lambda now: min(top, 50.0 * now), 20.0) == top
    assert precharged(SimulatedVehicle(), lambda now: top if now < 1.0 else 1.0, 20.0) == 1.0


def test_each_precharge_is_given_its_time() -> None:
    vehicle = SimulatedVehicle()
    precharged(vehicle, lambda now: 1.0, 2.0)
    vehicle.show_ready(ready=False)
    vehicle.tick(2.5)
    vehicle.show_ready(ready=True)
    vehicle.reported(1.0, None)
    vehicle.tick(4.0)
    assert vehicle.inlet_volts() == 1.0


def test_long_times_pass_quickly() -> None:
    outlet, _, cable = plugged()
    cable.advance(1e6)
    assert cable.now == 1e6
    cable.advance(5.0)
    assert cable.now == 1e6
    assert outlet.volts() == 0
