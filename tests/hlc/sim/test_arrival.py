"""A simulated matching as trace events: what is on the line, what both ends say, and how it ends."""

from __future__ import annotations

from hlc.sim.arrival import Arrival
from hlc.trace.events import Matched, MatchingFailed, MatchingRemark, MatchingState, Mme, Side
from slac.powerline import FAMILIES


def test_a_matching_is_told_in_its_order() -> None:
    arrival = Arrival()
    events = list(arrival.events())
    assert arrival.matched
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert events[0].at >= 0.0
    assert events[-1].at <= arrival.now < 3.0
    names = [event.name for event in events if isinstance(event, Mme)]
    assert names[:2] == ["CM_SLAC_PARM.REQ", "CM_SLAC_PARM.CNF"]
    assert names.count("CM_MNBC_SOUND.IND") == 10
    assert names[-2:] == ["CM_SLAC_MATCH.REQ", "CM_SLAC_MATCH.CNF"]
    ends = {event.side: event for event in events if isinstance(event, Matched)}
    assert ends[Side.EVCC].peer == arrival.outlet.mac
    assert ends[Side.SECC].peer == arrival.vehicle.mac
    assert ends[Side.EVCC].nid == ends[Side.SECC].nid
    states = [event.state for event in events if isinstance(event, MatchingState) and event.side is Side.EVCC]
    assert states == ["matching", "joining", "matched"]
    assert any(
        event.kind == "candidate" and event.data["groups"] for event in events if isinstance(event, MatchingRemark)
    )


def test_the_same_seed_gives_the_same_story() -> None:
    assert [event.at for event in Arrival(seed=3).events()] == [event.at for event in Arrival(seed=3).events()]


def test_what_fails_says_why() -> None:
    arrival = Arrival()
    arrival.vehicle.modem.family = FAMILIES["qca7000"]._replace(join_s=1e6)
    events = list(arrival.events())
    assert not arrival.matched
    failed = {event.side: event for event in events if isinstance(event, MatchingFailed)}
    assert set(failed) == set(Side)
    assert failed[Side.SECC].reason == "key set, link not up"
