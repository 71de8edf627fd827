"""Two real machines talk ISO 15118-2 in memory: renegotiation, pause and schedules, DC and AC."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest

from hlc import evcc, secc
from hlc.decisions.schedules import Slot
from hlc.flow import Transport
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.ac import SimulatedAcOutlet, SimulatedAcVehicle
from hlc.sim.pair import Delivery, Pair
from hlc.trace.events import Event, Message, SessionEnded, Side

BOTH = pytest.mark.parametrize("ac", [False, True], ids=["dc", "ac"])
Act = Callable[[Pair], object]


def charge(*, ac: bool, act: Act | None = None, at: int = 100, soc: float = 79.7, **others: Any) -> Pair:
    """A short charge; `act` happens with message `at`."""

    def tamper(pair: Pair, number: int, delivery: Delivery) -> None:
        if number == at and act is not None:
            pair.later(lambda: act(pair))

    battery = Battery(soc=soc)
    ev: Any = SimulatedAcVehicle(battery) if ac else SimulatedVehicle(battery)
    outlet: Any = SimulatedAcOutlet() if ac else SimulatedOutlet()
    return Pair(ev, outlet, protocol="iso15118_2", tamper=tamper, **others)


def asked(pair: Pair) -> list[str]:
    """The requests, without repetitions."""
    return [name for name, _ in groupby(each for each in pair.messages if each.endswith("Req"))]


def well(pair: Pair) -> bool:
    return pair.station.good and pair.vehicle.good and pair.invariants.violations == []


def renegotiate(side: Side) -> Act:
    return lambda pair: pair._carry_out(side, pair.machines[side].renegotiate(pair.now, "somebody wants it"))


@BOTH
def test_a_charge(ac: bool) -> None:
    events: list[Event] = []
    pair = charge(ac=ac, trace=events.append).run()
    assert well(pair)
    assert pair.ev.soc() == pytest.approx(80.0, abs=0.02)
    energies = {event.side: event.energy_wh for event in events if isinstance(event, SessionEnded)}
    assert energies[Side.SECC] == pytest.approx(energies[Side.EVCC], rel=0.01)
    assert energies[Side.EVCC] > 100


@BOTH
@pytest.mark.parametrize("side", list(Side)[:2])
def test_a_renegotiation_from_either_side(ac: bool, side: Side) -> None:
    pair = charge(ac=ac, act=renegotiate(side)).run()
    assert well(pair)
    again = ["PowerDeliveryReq", "ChargeParameterDiscoveryReq"]
    again += [] if ac else ["CableCheckReq", "PreChargeReq"]
    again += ["PowerDeliveryReq", "ChargingStatusReq" if ac else "CurrentDemandReq"]
    names = asked(pair)
    first = names.index("PowerDeliveryReq") + 2
    assert names[first : first + len(again)] == again
    assert pair.ev.soc() == pytest.approx(80.0, abs=0.02)


@BOTH
@pytest.mark.parametrize("at", range(40, 130, 4))
def test_a_renegotiation_may_be_wanted_at_any_time(ac: bool, at: int) -> None:
    for side in (Side.EVCC, Side.SECC):
        assert well(charge(ac=ac, act=renegotiate(side), at=at).run())


@BOTH
def test_a_station_with_less_power_renegotiates_to_it(ac: bool) -> None:
    least = 5000.0
    settings = secc.Settings(schedules=((Slot(8.0, 50_000.0), Slot(86_400.0, least)),))
    pair = charge(ac=ac, soc=79.6, station_settings=settings, act=renegotiate(Side.SECC), at=90)
    powers: list[float] = []
    observer = pair.cable.observer
    assert observer is not None

    def observe(cable: Any) -> None:
        observer(cable)
        if cable.now > 30.0:
            powers.append(cable.volts * cable.amps)

    pair.cable.observer = observe
    pair.run()
    assert well(pair)
    assert max(powers) == pytest.approx(least, rel=0.03)


@BOTH
def test_a_pause_and_what_goes_on_after_it(ac: bool) -> None:
    sessions = secc.PausedSessions()
    first = charge(
        ac=ac,
        sessions=sessions,
        vehicle_settings=evcc.Settings(departure_s=7200.0),
        act=lambda pair: pair._carry_out(Side.EVCC, pair.vehicle.stop(pair.now, "a pause", pause=True)),
    ).run()
    assert well(first)
    paused = first.vehicle.paused
    assert paused is not None
    assert first.station.paused is not None
    soc = first.ev.soc()
    assert soc < 79.99
    events: list[Event] = []
    second = charge(
        ac=ac, soc=soc, sessions=sessions, resume=paused, start=first.now + 1800.0, seed=2, trace=events.append
    ).run()
    assert well(second)
    assert second.station.session_id == paused.session_id == second.vehicle.session_id
    said = [event.message.Body.BodyElement for event in events if isinstance(event, Message) and event.schema != "sap"]
    assert said[1].ResponseCode == "OK_OldSessionJoined"
    departure = next(each.EVChargeParameter.DepartureTime for each in said if hasattr(each, "EVChargeParameter"))
    assert departure == pytest.approx(7200 - 1800 - first.now, abs=5)


def test_the_cheap_hour_is_awaited() -> None:
    settings = secc.Settings(schedules=((Slot(400.0, 22_000.0, 2.0), Slot(20 * 3600.0, 22_000.0, 1.0)),))
    pair = charge(
        ac=True,
        soc=79.7,
        station_settings=settings,
        vehicle_settings=evcc.Settings(departure_s=3600.0),
        transport=Transport("1.2"),
    )
    flowed: list[float] = []
    observer = pair.cable.observer
    assert observer is not None

    def observe(cable: Any) -> None:
        observer(cable)
        if cable.amps > 1.0:
            flowed.append(cable.now)

    pair.cable.observer = observe
    pair.run()
    assert well(pair)
    assert flowed[0] == pytest.approx(400.0, abs=5.0)


@BOTH
@pytest.mark.parametrize("at", range(2, 120, 6))
def test_whoever_stops_whenever_it_is_safe(ac: bool, at: int) -> None:
    for side in (Side.EVCC, Side.SECC):
        pair = charge(ac=ac, act=lambda pair, side=side: pair.stop(side, "enough"), at=at).run()  # type: ignore[misc]
        assert pair.invariants.violations == []
        assert not pair.outlet.relays
        assert not pair.ev.contactors_closed()
