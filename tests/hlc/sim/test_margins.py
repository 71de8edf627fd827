"""Every deadline that is met is traced, with the time used of the time allowed."""

from __future__ import annotations

import pytest

from hlc.ids import VehicleState
from hlc.rules import Rule
from hlc.rules.iso15118_20.services import Control
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle, worlds
from hlc.sim.pair import Pair
from hlc.trace.events import Event, Margin, Side

LATENCY_S = 0.01


def margins(timer: str) -> list[Margin]:
    events: list[Event] = []
    pair = Pair(SimulatedVehicle(Battery(soc=79.9)), SimulatedOutlet(), trace=events.append, latency_s=LATENCY_S)
    pair.run()
    assert pair.vehicle.good
    return [event for event in events if isinstance(event, Margin) and event.timer == timer]


def test_each_answer_tells_how_long_it_took() -> None:
    found = margins("V2G_EVCC_Msg_Timeout")
    assert [each.of for each in found][:3] == ["supportedAppProtocolRes", "SessionSetupRes", "ServiceDiscoveryRes"]
    assert {each.side for each in found} == {Side.EVCC}
    assert all(each.used_s == pytest.approx(2 * LATENCY_S) for each in found)
    assert {each.limit_s for each in found if each.of == "CurrentDemandRes"} == {0.25}


def test_each_request_tells_how_long_it_took() -> None:
    found = margins("V2G_SECC_Sequence_Timeout")
    loop = [each.used_s for each in found if each.of == "CurrentDemandReq"]
    assert {each.side for each in found} == {Side.SECC}
    assert loop[1:] == pytest.approx([0.1] * len(loop[1:]))


@pytest.mark.parametrize("phase", ["V2G_EVCC_CableCheck_Timeout", "V2G_SECC_CableCheck_Performance_Time"])
def test_each_phase_tells_how_long_it_took(phase: str) -> None:
    (found,) = margins(phase)
    assert 1.0 < found.used_s < found.limit_s
    assert found.of == "CableCheckRes"


def test_a_decision_that_takes_time_tells_how_long_it_took() -> None:
    """The contactors open before the vehicle asks on."""
    found = margins("V2G_EVCC_Sequence_Performance_Time")
    assert {(each.side, each.limit_s) for each in found} == {(Side.EVCC, 40.0)}
    assert "WeldingDetectionReq" in {each.of for each in found}
    assert all(0.0 < each.used_s < 1.0 for each in found)


def allowed_s(rule: Rule) -> float:
    """How long a vehicle may take to its next request in the charge loop. Where the text says nothing, as long as it
    waits for the answer."""
    return rule.timeout_s if rule.sequence_s is None else 0.25  # [V2G20-1499]


SCHEDULED = [world for world in worlds.WORLDS if world.control is not Control.DYNAMIC]
PACES = {"din70121 dc": 0.125, "iso15118-2 dc": 0.125, "iso15118-2 ac": 1.0}
"""Half of what is allowed, s; in ISO 15118-20 the same for all modes."""


@pytest.mark.parametrize("world", SCHEDULED, ids=[world.name for world in SCHEDULED])
def test_the_vehicle_keeps_the_loop_at_half_of_the_time_it_has(world: worlds.World) -> None:
    events: list[Event] = []
    pair = Pair(
        worlds.vehicle(world.mode, Battery(soc=79.5)),
        worlds.outlet(world.mode),
        protocol=world.negotiated,
        vehicle_settings=world.vehicle_settings(),
        trace=events.append,
        latency_s=LATENCY_S,
    )
    pair.run()
    assert pair.vehicle.good
    assert pair.vehicle.rules is not None
    loops = {VehicleState.CURRENT_DEMAND, VehicleState.CHARGING_STATUS}
    rows = {rule.request.__name__: rule for rule in pair.vehicle.rules.rows if rule.evcc in loops}
    found = [
        event
        for event in events
        if isinstance(event, Margin) and event.timer == "V2G_SECC_Sequence_Timeout" and event.of in rows
    ][1:]  # the first one comes from elsewhere
    assert len(found) > 5
    assert {allowed_s(rows[each.of]) / 2 for each in found} == {PACES.get(world.name, 0.125)}
    assert max(each.used_s for each in found) <= PACES.get(world.name, 0.125)
