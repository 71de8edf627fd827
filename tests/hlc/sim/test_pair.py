"""Two real machines talk in memory, in virtual time."""

from __future__ import annotations

import pytest

from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.pair import Delivery, Pair
from hlc.trace.events import Event, Frame, Measurement, Message, SessionEnded, Side


def charge(**others: object) -> Pair:
    """A short charge."""
    return Pair(SimulatedVehicle(Battery(soc=79.9)), SimulatedOutlet(), **others)  # type: ignore[arg-type]


def test_a_charge() -> None:
    pair = charge().run()
    assert pair.station.good
    assert pair.vehicle.good
    assert not pair.invariants.violations
    assert pair.states[Side.EVCC] == [0, 1, 2, 4, 6, 7, 11, 12, 8, 13, 8, 14, 15]
    assert pair.states[Side.SECC] == [0, 1, 2, 3, 6, 7, 11, 12, 8, 13, 8, 14, 17, 201]
    assert pair.ev.soc() == pytest.approx(80.0, abs=0.02)
    assert not pair.ev.locked


def test_the_same_arguments_give_the_same_octets() -> None:
    def octets() -> list[tuple[float, bytes]]:
        events: list[Event] = []
        charge(trace=events.append, seed=7).run()
        return [(event.at, event.payload) for event in events if isinstance(event, Frame)]

    assert octets() == octets()


def test_both_meters_agree() -> None:
    events: list[Event] = []
    charge(trace=events.append).run()
    energies = {event.side: event.energy_wh for event in events if isinstance(event, SessionEnded)}
    assert energies[Side.SECC] == pytest.approx(energies[Side.EVCC], rel=0.01)
    assert energies[Side.EVCC] > 50


def test_events_come_in_time_each_message_once_after_discovery() -> None:
    pair = charge()
    events = list(pair.events())
    assert [event.at for event in events] == sorted(event.at for event in events)
    names = [event.name for event in events if isinstance(event, Message)]
    assert names[:4] == ["SECCDiscoveryReq", "SECCDiscoveryRes", "supportedAppProtocolReq", "supportedAppProtocolRes"]
    assert names[2:] == pair.messages
    frames = [event.side for event in events if isinstance(event, Frame)]
    assert frames == [event.side for event in events if isinstance(event, Message)]
    assert any(isinstance(event, Measurement) and event.amps > 50 for event in events)
    assert sum(isinstance(event, SessionEnded) for event in events) == 2


def test_a_driver_may_stop_between_events() -> None:
    pair = charge()
    for event in pair.events():
        if isinstance(event, Message) and event.name == "CurrentDemandRes":
            pair.stop(Side.EVCC, "the driver stops")
    assert pair.vehicle.good
    assert pair.station.good
    assert pair.messages.count("CurrentDemandReq") < 10


def test_nothing_overtakes_on_the_line() -> None:
    def slow(pair: Pair, number: int, delivery: Delivery) -> list[tuple[float, Delivery]] | None:
        return [(0.2, delivery)] if number % 2 else None

    pair = charge(tamper=slow).run()
    assert pair.vehicle.good
