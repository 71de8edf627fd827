"""The simulated pad and the vehicle over it obey their physics."""

from __future__ import annotations

import pytest

from hlc.ports import COMMUNICATION, Authorization, Offset
from hlc.sim import Battery
from hlc.sim.wpt import AirGap, SimulatedPad, SimulatedReceiver, link


def parked(**others: float) -> tuple[AirGap, SimulatedPad, SimulatedReceiver]:
    pad, vehicle = SimulatedPad(**others), SimulatedReceiver(Battery(soc=50.0))
    gap = link(pad, vehicle)
    gap.advance(0.0)
    vehicle.start_positioning()
    gap.advance(6.0)
    return gap, pad, vehicle


def test_a_vehicle_drives_into_its_place_and_stays_there_while_it_is_held() -> None:
    pad, vehicle = SimulatedPad(), SimulatedReceiver(Battery(soc=50.0))
    gap = link(pad, vehicle)
    gap.advance(0.0)
    assert vehicle.positioned() is None
    vehicle.start_positioning()
    gap.advance(1.0)
    assert vehicle.positioned() is None
    assert not pad.positioned()
    gap.advance(6.0)
    assert vehicle.positioned()
    assert pad.positioned()
    vehicle.lock_connector()
    gap.advance(7.0)
    vehicle.start_positioning()
    gap.advance(9.0)
    assert vehicle.connector_locked()
    assert vehicle.positioned()
    vehicle.unlock_connector()
    gap.advance(9.1)
    assert not vehicle.connector_locked()


def test_who_parks_badly_may_try_again() -> None:
    gap, pad, vehicle = parked()
    vehicle.parks_at = [Offset(200.0, 15.0), Offset(0.0, 15.0)]
    vehicle.start_positioning()
    gap.advance(9.0)
    assert vehicle.positioned() is False
    vehicle.start_positioning()
    gap.advance(12.0)
    assert vehicle.positioned() is True
    assert pad.positioned()


def test_energy_goes_through_the_gap_and_some_of_it_is_lost() -> None:
    gap, pad, vehicle = parked()
    soc = vehicle.soc()
    pad.transmit(8000.0)
    gap.advance(7.0)
    assert pad.transmitted_watts() == pytest.approx(8000.0)
    assert vehicle.amps() == 0.0  # the battery is not connected
    vehicle.receive()
    gap.advance(67.0)
    assert vehicle.contactors_closed()
    assert 0.9 * 8000 < vehicle.received_watts() < 8000
    assert vehicle.amps() * vehicle.inlet_volts() == pytest.approx(vehicle.received_watts())
    assert 0 < vehicle.energy_wh() < pad.energy_wh()
    assert vehicle.soc() > soc
    assert pad.volts() * pad.amps() == pytest.approx(8000.0)


def test_the_further_off_the_less_arrives() -> None:
    gap, pad, vehicle = parked()
    pad.transmit(5000.0)
    gap.advance(7.0)
    near = vehicle.received_watts()
    vehicle.rolls = True
    gap.advance(8.0)
    assert vehicle.positioned() is None
    assert not pad.positioned()
    assert vehicle.received_watts() < near
    gap.advance(12.0)
    assert vehicle.received_watts() == 0.0


def test_off_is_off() -> None:
    gap, pad, _ = parked()
    pad.transmit(5000.0)
    gap.advance(7.0)
    pad.off(emergency=False)
    assert pad.relays_closed()
    gap.advance(7.2)
    assert not pad.relays_closed()
    pad.transmit(5000.0)
    gap.advance(8.0)
    pad.press_emergency_stop()
    assert not pad.relays_closed()
    pad.transmit(5000.0)
    gap.advance(9.0)
    assert pad.transmitted_watts() == 0.0


def test_a_trial_is_weak() -> None:
    gap, pad, vehicle = parked()
    pad.excite(50.0)
    gap.advance(7.0)
    assert 0 < pad.transmitted_watts() <= 300.0
    assert 0 < pad.coil_amps() <= 2.0
    assert vehicle.received_watts() > 0.8 * pad.transmitted_watts()


def test_devices_see_one_another_s_code_when_both_look_and_are_near() -> None:
    gap, pad, vehicle = parked()
    pad.start_pairing()
    vehicle.start_pairing()
    assert (pad.observed_code(), vehicle.observed_code()) == (None, None)
    gap.advance(7.0)
    assert (pad.observed_code(), vehicle.observed_code()) == (vehicle.code(), pad.code())
    gap.crossed = True
    assert vehicle.observed_code() != pad.code()
    vehicle.rolls = True
    gap.advance(12.0)
    assert vehicle.observed_code() is None


def test_what_is_wrong_has_the_standard_s_names() -> None:
    _, pad, vehicle = parked()
    assert (pad.diagnosis(), vehicle.diagnosis()) == ("SPCNoIssue", "EVPCNoIssue")
    pad.foreign_object = vehicle.overheated = True
    assert (pad.diagnosis(), vehicle.diagnosis()) == ("SPCFODDetected", "EVPCTempOverheatDetected")
    pad.living_object = True
    assert pad.diagnosis() == "SPCLOPDetected"


def test_a_vehicle_alone_takes_the_station_s_word() -> None:
    vehicle = SimulatedReceiver()
    vehicle.tick(0.0)
    vehicle.start_positioning()
    vehicle.tick(6.0)
    assert vehicle.positioned()
    assert vehicle.methods().pairing == ("External confirmation",)
    vehicle.told(1000.0)
    vehicle.receive()
    vehicle.tick(7.0)
    assert vehicle.received_watts() > 900.0
    assert vehicle.amps() > 0.0


def test_a_pad_alone_assumes_a_vehicle() -> None:
    pad = SimulatedPad()
    pad.show_pilot(COMMUNICATION)
    pad.tick(0.0)
    assert pad.positioned()
    assert pad.observed_code() is None
    assert pad.methods().pairing == ("External confirmation",)
    assert pad.authorization() is Authorization.PENDING
    pad.tick(1.0)
    assert pad.authorization() is Authorization.GRANTED
