"""What a matching reports, for a reader and for a program."""

from __future__ import annotations

import io
import json
from typing import Any

import slac
from hlc.trace.console import Console
from hlc.trace.events import Event, Side
from hlc.trace.jsonl import JsonLines
from hlc.trace.matching import event_of, mme_event
from slac.effects import Effect, Failed, Kind, Linked, Pilot, Reason, Remark, Send, Toggle, Unlinked

EFFECTS: tuple[Effect, ...] = (
    Remark(Kind.STATE, "matching -> joining"),
    Remark(Kind.CANDIDATE, "somebody at 12.0 dB", {"groups": (11, 13)}),
    Remark(Kind.FOREIGN, "somebody else's frame; ignored"),
    Linked(bytes.fromhex("020000000002"), bytes(8), bytes.fromhex("B0F2E695666B03"), bytes(16), 12.0),
    Unlinked("the modem reports no link any more"),
    Failed(Reason.NO_EVSE, "no EVSE answered. Check that it runs."),
)


def events() -> list[Event]:
    return [event for effect in EFFECTS if (event := event_of(effect, at=1.0, side=Side.EVCC)) is not None]


def test_for_a_reader() -> None:
    stream = io.StringIO()
    for event in events():
        Console(stream)(event)
    assert [line.split("EVCC")[1].strip() for line in stream.getvalue().splitlines()] == [
        "slac joining",
        "slac somebody at 12.0 dB",
        "note somebody else's frame; ignored",
        "link matched with 02:00:00:00:00:02, NID B0F2E695666B03, attenuation 12.0 dB",
        "link down: the modem reports no link any more",
        "slac no EVSE in range: no EVSE answered. Check that it runs.",
    ]


def test_a_failure_is_told_where_only_faults_are() -> None:
    stream = io.StringIO()
    for event in events():
        Console(stream, faults_only=True)(event)
    assert stream.getvalue().count("\n") == 1


def test_for_a_program() -> None:
    stream = io.StringIO()
    frame = slac.make(
        "CM_SLAC_PARM.REQ", destination=b"\xff" * 6, source=bytes.fromhex("020000000001"), run_id=bytes(8)
    )
    for event in [*events(), mme_event(frame, 2.0)]:
        JsonLines(stream)(event)
    told: list[dict[str, Any]] = [json.loads(line) for line in stream.getvalue().splitlines()]
    kinds = "matchingstate matchingremark matchingremark matched unmatched matchingfailed mme".split()
    assert [event["event"] for event in told] == kinds
    assert told[1]["data"] == {"groups": [11, 13]}
    assert told[3]["nid"] == "B0F2E695666B03"
    assert "nmk" not in told[3]
    assert told[5]["reason"] == "no EVSE in range"
    assert (told[6]["name"], told[6]["at"], told[6]["source"]) == ("CM_SLAC_PARM.REQ", 2.0, "02:00:00:00:00:01")


def test_what_is_only_to_be_done_tells_nothing() -> None:
    for effect in (Send(b""), Toggle(1, 0.2), Pilot(None, 5.0)):
        assert event_of(effect, at=0.0, side=Side.SECC) is None
