"""A recorded vehicle drives our station in ISO 15118-20: see `replay`. The recording is encrypted and holds its
secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from replay import RecordedOutlet

import exi
from exi.messages.iso15118_20.common import SessionSetupReq
from hlc import sap
from hlc.capture.decoder import Decoder
from hlc.capture.files import Capture
from hlc.capture.seen import Seen
from hlc.flow import Send, Transport
from hlc.rules.iso15118_20.services import Control
from hlc.secc import Settings, Station
from hlc.secc.iso15118_20.settings import Settings20
from hlc.security.keylog import Secrets
from hlc.trace.events import Blame, Event, Fault, Message, Side

CAPTURE = "ISO-20_TLS13_DC_DS5366_Josev.pcapng"
SCHEMAS = sap.ISO15118_20_DC.schemas
STEP_S = 0.1
"""Between requests."""


class Heard(NamedTuple):
    """A recorded message."""

    of_vehicle: bool
    payload_type: int
    document: Any


@pytest.fixture(scope="module")
def heard(reference: Path) -> list[Heard]:
    """The messages of the session, in order."""
    path = reference / "captures" / CAPTURE
    if not path.exists():
        pytest.skip(f"no {path}")
    found: list[Heard] = []

    def take(seen: Seen) -> None:
        event = seen.event
        if isinstance(event, Message) and event.schema != "sdp":
            of_vehicle = event.side is Side.EVCC
            payload_type = next((kind for kind, name in SCHEMAS.items() if name == event.schema), 0x8001)
            found.append(Heard(of_vehicle, payload_type, event.message))

    with path.open("rb") as stream:
        secrets = Secrets()
        decoder = Decoder(take, lambda session, verdict: None, secrets=secrets)
        for captured in Capture(stream, CAPTURE, secrets.add):
            decoder.frame(captured)
        decoder.close()
    return found


class Outlet(RecordedOutlet):
    """Its meter has no second register."""

    def returned_wh(self) -> float:
        return 0.0


def test_a_recorded_vehicle_is_served_to_the_end(heard: list[Heard]) -> None:
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
    requests = [index for index, message in enumerate(heard) if message.of_vehicle]
    assert len(requests) == len(heard) // 2 > 50
    for index in requests:
        _, payload_type, request = heard[index]
        outlet.answer = heard[index + 1].document
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
