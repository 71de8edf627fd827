"""A recorded vehicle drives our station, and a recorded station drives our vehicle, in ISO 15118-20: see `replay`. The
recording is encrypted and holds its secrets."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from replay import TO_THE_END, End, Recorded, RecordedOutlet, drive, load

import exi
from exi.messages.iso15118_20 import dc
from exi.messages.iso15118_20.common import ServiceSelectionReq, SessionSetupReq
from hlc import evcc, sap
from hlc.evcc.iso15118_20.settings import Settings20 as VehicleSettings20
from hlc.flow import Send, Transport
from hlc.rules.iso15118_20.services import Control
from hlc.secc import Settings, Station
from hlc.secc.iso15118_20.settings import Settings20
from hlc.trace.events import Blame, Event, Fault, Side

CAPTURE = "ISO-20_TLS13_DC_DS5366_Josev.pcapng"
SCHEMAS = sap.ISO15118_20_DC.schemas
STEP_S = 0.1
"""Between requests."""


@pytest.fixture(scope="module")
def recorded(reference: Path) -> Recorded:
    """The session."""
    [session] = load(reference / "captures", [CAPTURE], "iso15118_20_dc")[CAPTURE]
    return session


class Outlet(RecordedOutlet):
    """Its meter has no second register."""

    def returned_wh(self) -> float:
        return 0.0


def test_a_recorded_vehicle_is_served_to_the_end(recorded: Recorded) -> None:
    outlet = Outlet()
    events: list[Event] = []
    # The recorded station's first parameter set was one of dynamic control.
    settings = Settings(iso15118_20=Settings20(controls=(Control.DYNAMIC, Control.SCHEDULED)))
    station = Station(
        outlet,
        random=lambda count: bytes(range(1, count + 1)),
        clock=lambda: 1_700_000_000.0,
        protocols=(sap.ISO15118_20_DC,),
        settings=settings,
        trace=events.append,
    )
    now = 0.0
    station.start(now, Transport("1.3", b"the recorded vehicle"))
    heard = recorded.heard
    requests = [index for index, message in enumerate(heard) if message.side is Side.EVCC]
    assert len(requests) == len(heard) // 2 > 50
    for index in requests:
        payload_type, request = heard[index].payload_type, deepcopy(heard[index].body)
        outlet.answer = heard[index + 1].body
        if station.session_id is not None and not isinstance(request, SessionSetupReq):
            request.Header.SessionID = station.session_id
        now += STEP_S
        while (deadline := station.next_deadline()) is not None and deadline <= now:
            station.expire(deadline)
        schema = exi.schema(SCHEMAS.get(payload_type, "sap"))
        effects = station.receive(payload_type, schema.encode(request), now)
        [sent] = [effect for effect in effects if isinstance(effect, Send)]
        answer: Any = schema.decode(sent.payload)
        assert type(answer) is type(outlet.answer)
        assert answer.ResponseCode is outlet.answer.ResponseCode, answer
        assert getattr(answer, "EVSEProcessing", None) == getattr(outlet.answer, "EVSEProcessing", None)
    assert station.good, station.reason
    assert not [event for event in events if isinstance(event, Fault) and event.blame is Blame.LOCAL]


def test_a_recorded_station_is_asked_to_the_end(recorded: Recorded) -> None:
    settings = evcc.Settings(iso15118_20=VehicleSettings20(control=Control.DYNAMIC))
    driven = drive(recorded, Transport("1.3", b"the recorded station"), settings)
    assert driven.trace.faults() == []
    End("SessionStopReq", "", "recorded driver", TO_THE_END).holds(driven)
    # As the recorded vehicle did.
    [mine] = [request for request in driven.asked if isinstance(request, ServiceSelectionReq)]
    [theirs] = recorded.all("ServiceSelectionReq")
    assert mine.SelectedEnergyTransferService == theirs.SelectedEnergyTransferService
    modes = {type(each.CLReqControlMode) for each in driven.asked if isinstance(each, dc.DC_ChargeLoopReq)}
    assert modes == {dc.Dynamic_DC_CLReqControlMode}


def test_a_recorded_station_is_left_that_does_not_keep_to_the_selected_control(recorded: Recorded) -> None:
    """What is recorded is dynamic control; a vehicle that has selected the other one gets no schedule."""
    driven = drive(recorded, Transport("1.3", b"the recorded station"))
    [mine] = [request for request in driven.asked if isinstance(request, ServiceSelectionReq)]
    assert mine.SelectedEnergyTransferService.ParameterSetID == 2
    End("SessionStopReq", "", "the station sends no schedules", "it was recorded in dynamic control").holds(driven)
    assert [fault.blame for fault in driven.trace.faults()] == [Blame.REMOTE]
