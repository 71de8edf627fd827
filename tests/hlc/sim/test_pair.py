"""Two real machines talk in memory, in virtual time; thousands of times, with every fault."""

from __future__ import annotations

import pytest

from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.faults import BAD, WELL, Kind
from hlc.sim.pair import Delivery, Pair
from hlc.sim.soak import KINDS, MESSAGES, main, play
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


@pytest.mark.parametrize("seed", range(0, 400, 25))
def test_faulty_sessions_end_as_they_should(seed: int) -> None:
    for number in range(seed, seed + 25):
        outcome = play(number)
        assert not outcome.problems, outcome


def test_every_fault_strikes_and_a_seed_is_one_session() -> None:
    assert len(KINDS) == len(set(KINDS)) == len(Kind)
    assert MESSAGES > 60
    assert play(3) == play(3)
    assert WELL != BAD
    assert {play(seed).kind for seed in range(200)} == set(Kind)


def test_the_command_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sessions", "3", "--seed", "11"]) == 0
    written = capsys.readouterr().out
    assert "3 sessions from seed 11" in written
    assert "3 ended as they should, 0 did not" in written


def test_a_session_that_does_not_end_as_it_should_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hlc.sim.soak.unexpected", lambda pair, expected: ["a defect"])
    assert main(["--sessions", "1", "--seed", "5"]) == 1
    assert "seed 5: " in capsys.readouterr().out
