"""What people see: whole charges between a simulated car and a simulated station, told in the words of the field."""

from __future__ import annotations

import pytest

from hlc.ports import Trouble
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.pair import Delivery, Pair
from hlc.trace.events import Event, Fault, Measurement, Side


def when(name: str, count: int, action: object) -> object:
    """A tamper that acts when the message of this name is sent for the count-th time."""
    seen = 0

    def tamper(pair: Pair, number: int, delivery: Delivery) -> None:
        nonlocal seen
        if pair.messages[-1] == name:
            seen += 1
            if seen == count:
                action(pair)  # type: ignore[operator]

    return tamper


def play(soc: float = 50.0, *, target: float = 80.0, outlet: SimulatedOutlet | None = None, **others: object) -> Pair:
    pair = Pair(
        SimulatedVehicle(Battery(soc=soc), target_soc=target),
        outlet or SimulatedOutlet(),
        **others,  # type: ignore[arg-type]
    )
    pair.run()
    assert pair.invariants.violations == []
    return pair


def both_good(pair: Pair) -> bool:
    return pair.station.good and pair.vehicle.good


@pytest.mark.parametrize("cells", [96, 192])
def test_cars_of_400_and_800_volts_charge(cells: int) -> None:
    battery = Battery(soc=79.95, cells=cells)
    pair = Pair(SimulatedVehicle(battery), SimulatedOutlet(max_volts=1000.0)).run()
    assert both_good(pair)
    assert not pair.invariants.violations


def test_a_charge_from_nearly_empty_to_80_percent() -> None:
    highest: list[float] = []

    def trace(event: Event) -> None:
        if isinstance(event, Measurement) and event.side is Side.EVCC:
            highest.append(event.volts * event.amps)

    battery = Battery(soc=10.0, capacity_wh=2_000.0, max_amps=125.0)
    pair = Pair(SimulatedVehicle(battery, target_soc=80.0), SimulatedOutlet(kilowatts=40.0), trace=trace).run()
    assert both_good(pair)
    assert not pair.invariants.violations
    assert battery.soc == pytest.approx(80.0, abs=0.2)
    assert 38_000 < max(highest) < 40_500


def test_a_car_that_is_full_stops_after_one_request() -> None:
    pair = play(90.0, target=80.0)
    assert both_good(pair)
    assert pair.messages.count("CurrentDemandReq") <= 2
    assert pair.vehicle.reason == "charging complete"


def test_the_operator_stops_the_charge() -> None:
    pair = play(
        tamper=when("CurrentDemandReq", 20, lambda pair: pair.later(lambda: pair.stop(Side.SECC, "closing time")))
    )
    assert both_good(pair)
    assert pair.station.reason == "closing time"
    assert "stopped by the station" in pair.vehicle.reason
    assert pair.messages[-1] == "SessionStopRes"


def test_somebody_hits_the_emergency_button() -> None:
    pair = play(tamper=when("CurrentDemandReq", 20, lambda pair: pair.outlet.press_emergency_stop()))
    assert not pair.station.good
    assert not pair.vehicle.good
    assert pair.outlet.amps() == 0
    assert not pair.ev.contactors


def test_the_grid_wants_its_power_back() -> None:
    pair = play(tamper=when("CurrentDemandReq", 20, lambda pair: setattr(pair.outlet, "fault", Trouble.UTILITY)))
    assert both_good(pair)


def test_the_connector_is_pulled_out() -> None:
    def pull(pair: Pair) -> None:
        pair.cable.plugged = False
        pair.silent = True

    pair = play(tamper=when("CurrentDemandReq", 20, pull))
    assert not pair.station.good
    assert pair.station.reason == "the vehicle was unplugged"
    assert pair.vehicle.reason in ("the control pilot is gone", "V2G_EVCC_Msg_Timeout")


def test_a_bad_cable_is_found_before_any_power() -> None:
    outlet = SimulatedOutlet()
    outlet.isolation_ohm = 20_000.0
    pair = play(outlet=outlet)
    assert "PreChargeReq" not in pair.messages
    assert pair.vehicle.reason == "CableCheckRes: FAILED"


def test_a_user_who_may_not_charge() -> None:
    outlet = SimulatedOutlet()
    outlet.refused = True
    pair = play(outlet=outlet)
    assert pair.vehicle.reason == "ContractAuthenticationRes: FAILED"


def test_a_station_without_power_says_so() -> None:
    outlet = SimulatedOutlet()
    outlet.no_energy = True
    pair = play(outlet=outlet)
    assert both_good(pair)
    assert "CableCheckReq" not in pair.messages


def test_a_user_who_takes_long() -> None:
    pair = play(79.99, outlet=SimulatedOutlet(authorization_s=30.0))
    assert both_good(pair)
    assert pair.messages.count("ContractAuthenticationReq") > 100


def test_a_user_who_never_comes() -> None:
    pair = play(79.99, outlet=SimulatedOutlet(authorization_s=1e9))
    assert pair.vehicle.reason == "V2G_EVCC_Ongoing_Timeout"


def test_a_supply_that_cannot_precharge() -> None:
    outlet = SimulatedOutlet()
    outlet.precharge_stuck_at = 150.0
    faults: list[Fault] = []
    pair = play(outlet=outlet, trace=lambda event: faults.append(event) if isinstance(event, Fault) else None)
    assert "V2G_SECC_PreCharge_Performance_Time: not done within 5 s" in [fault.text for fault in faults]
    assert pair.vehicle.reason == "PreChargeRes: FAILED_EVSEPresentVoltageToLow"
    assert "PowerDeliveryReq" not in pair.messages


def test_contactors_that_stick_are_noticed() -> None:
    pair = play(79.99, tamper=when("CurrentDemandReq", 1, lambda pair: setattr(pair.ev, "welded", True)))
    assert pair.station.good
    assert not pair.vehicle.good
    assert pair.messages.count("WeldingDetectionReq") > 10
