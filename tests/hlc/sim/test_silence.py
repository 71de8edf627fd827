"""Silence at every message of every protocol: each end waits as long as the standard says, no longer, and is safe."""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

import pytest

from hlc.rules import MAIN
from hlc.sim.course import Wishes, course, spoken
from hlc.sim.pair import Delivery, Pair
from hlc.sim.worlds import WORLDS, World
from hlc.trace.events import Event, Side, TimerExpired

CHOSEN: Final = [
    world
    for world in WORLDS
    if world.name
    in (
        "din70121 dc",
        "iso15118-2 dc",
        "iso15118-2 ac",
        "iso15118-20 ac dynamic",
        "iso15118-20 dc_bpt scheduled",
        "iso15118-20 wpt scheduled",
        "iso15118-20 acdp dynamic",
    )
]
SETUP: Final = "V2G_SECC_CommunicationSetup_Performance_Time"
SEQUENCE: Final = "V2G_SECC_Sequence_Timeout"
MESSAGE: Final = "V2G_EVCC_Msg_Timeout"


class Silence(NamedTuple):
    """A session in which nothing arrives from one message on."""

    pair: Pair
    timers: list[TimerExpired]
    """That passed."""
    asked: tuple[str, float]
    """The vehicle's last request of the main stream, and when."""
    answered: tuple[str, float]
    """The station's last answer."""


def silence(world: World, name: str) -> Silence | None:
    """From the first message of this name on; None: it did not come, or is none of the main stream."""
    timers: list[TimerExpired] = []
    last = {Side.SECC: ("", 0.0), Side.EVCC: ("", 0.0)}
    main = True

    def tamper(pair: Pair, number: int, delivery: Delivery) -> None:
        nonlocal main
        message, rules = pair.said[number], pair.station.rules
        aside = rules is not None and rules.stream(delivery.payload_type) != MAIN
        if not aside:
            last[message.side] = message.name, pair.now
        if message.name == name:
            pair.silent, main = True, not aside

    pair = course(world, Random(world.name), Wishes(), tamper).pair
    trace = pair.trace

    def tracing(event: Event) -> None:
        trace(event)
        if isinstance(event, TimerExpired):
            timers.append(event)

    pair.trace = tracing
    pair.run()
    return Silence(pair, timers, last[Side.EVCC], last[Side.SECC]) if pair.silent and main else None


@pytest.mark.parametrize("world", CHOSEN, ids=lambda world: world.name)
def test_each_end_waits_as_long_as_it_should(world: World) -> None:
    names = dict.fromkeys(spoken(world).messages)
    met = {name: found for name in names if (found := silence(world, name)) is not None}
    assert len(met) >= 18
    for name, (pair, timers, (request, asked), (answer, answered)) in met.items():
        assert pair.ended, name
        assert pair.invariants.violations == [], name
        rules = pair.station.rules or pair.vehicle.rules
        by_name = rules.by_name if rules is not None else {}
        # The vehicle
        waits = by_name[request].timeout_s if request in by_name else 2.0
        [late] = [each for each in timers if each.timer == MESSAGE]
        assert (late.limit_s, late.at) == (waits, pytest.approx(asked + waits)), name
        # The station
        found = [each for each in timers if each.timer in (SETUP, SEQUENCE)]
        if answer == "SessionStopRes":
            assert found == [], name
        elif name in ("supportedAppProtocolReq", "supportedAppProtocolRes", "SessionSetupReq"):
            assert [(each.timer, each.limit_s, each.at) for each in found] == [(SETUP, 18.0, 18.0)], name
        else:
            waits = by_name[answer].sequence_s or 60.0
            assert [(each.timer, each.limit_s) for each in found] == [(SEQUENCE, waits)], name
            assert found[0].at == pytest.approx(answered + waits), name
