"""A recorded vehicle drives our station in ISO 15118-20: see `replay`. The recording is encrypted; tshark reads it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from replay import RecordedOutlet

import exi
from exi.messages.iso15118_20.common import SessionSetupReq
from hlc import sap
from hlc.flow import Send, Transport
from hlc.rules.iso15118_20.services import Control
from hlc.secc import Settings, Station
from hlc.secc.iso15118_20.settings import Settings20
from hlc.trace.events import Blame, Event, Fault
from hlc.v2gtp import Splitter

CAPTURE = "ISO-20_TLS13_DC_DS5366_Josev.pcapng"
STEP_S = 0.1
"""Between requests; what tshark gives has no times."""


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
    if shutil.which("tshark") is None:
        pytest.skip("no tshark, which decrypts the recording")
    command = ["tshark", "-r", str(path), "-o", f"tls.keylog_file:{path}.keylog", "-q", "-z", "follow,tls,raw,0"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    readers = {True: Splitter(), False: Splitter()}
    found = []
    for line in text.splitlines():
        # The side that tshark indents is the second that it names: here the vehicle.
        of_vehicle = line.startswith("\t")
        try:
            data = bytes.fromhex(line.strip())
        except ValueError:
            continue  # its own words
        for payload_type, payload in readers[of_vehicle].feed(data):
            schema = sap.ISO15118_20_DC.schemas.get(payload_type, "sap")
            found.append(Heard(of_vehicle, payload_type, exi.schema(schema).decode(payload)))
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
        schema = exi.schema(sap.ISO15118_20_DC.schemas.get(payload_type, "sap"))
        effects = station.receive(payload_type, schema.encode(request), now)
        [sent] = [effect for effect in effects if isinstance(effect, Send)]
        answer: Any = schema.decode(sent.payload)
        assert type(answer) is type(outlet.answer)
        assert answer.ResponseCode is outlet.answer.ResponseCode, answer
        assert getattr(answer, "EVSEProcessing", None) == getattr(outlet.answer, "EVSEProcessing", None)
    assert station.good, station.reason
    assert not [event for event in events if isinstance(event, Fault) and event.blame is Blame.LOCAL]
