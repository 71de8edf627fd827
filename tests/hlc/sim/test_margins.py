"""Every deadline that is met is traced, with the time used of the time allowed."""

from __future__ import annotations

import pytest

from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
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
