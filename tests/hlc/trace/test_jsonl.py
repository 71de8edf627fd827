"""Events as JSON lines."""

from __future__ import annotations

import io
import json
from ipaddress import IPv6Address
from typing import Any

import pytest

import slac
from exi.messages import din70121 as din
from exi.messages import xmldsig
from hlc.ids import ChargePointState
from hlc.sdp import SdpResponse
from hlc.trace.events import Blame, Event, Fault, Frame, Measurement, Message, Side, StateEntered
from hlc.trace.homeplug import record
from hlc.trace.jsonl import JsonLines
from hlc.trace.matching import mme_event
from hlc.trace.plain import tree
from hlc.v2gtp import PayloadType

KEY = bytes.fromhex("00112233445566778899AABBCCDDEEFF")


def written(*events: Event) -> list[dict[str, Any]]:
    stream = io.StringIO()
    trace = JsonLines(stream)
    for event in events:
        trace(event)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_plain_events() -> None:
    state = StateEntered(at=1.5, side=Side.SECC, state=ChargePointState.CABLE_CHECK)
    fault = Fault(at=2.0, side=Side.EVCC, blame=Blame.REMOTE, text="x")
    assert written(
        Frame(at=1.23456789, side=Side.EVCC, payload_type=0x8001, payload=b"\x80\x01"),
        state,
        fault,
        Measurement(at=3.0, side=Side.SECC, volts=400.0, amps=1.0),
    ) == [
        {"event": "frame", "at": 1.234568, "side": "EVCC", "payload_type": 0x8001, "payload": "8001"},
        {"event": "stateentered", "at": 1.5, "side": "SECC", "state": {"code": 11, "name": "Cable Check"}},
        {"event": "fault", "at": 2.0, "side": "EVCC", "blame": "remote", "text": "x", "clause": None},
        {"event": "measurement", "at": 3.0, "side": "SECC", "volts": 400.0, "amps": 1.0, "soc": None},
    ]


def test_a_payload_type_is_its_number_whoever_sent_the_frame() -> None:
    for payload_type in (PayloadType.EXI, 0x8001):
        (line,) = written(Frame(at=0.0, side=Side.SECC, payload_type=payload_type, payload=b""))
        assert line["payload_type"] == 0x8001


def test_messages_bear_the_names_of_their_elements() -> None:
    document = din.V2G_Message(
        Header=din.MessageHeader(SessionID=b"\xab\xcd"),
        Body=din.Body(BodyElement=din.SessionSetupRes(ResponseCode=din.ResponseCode.OK, EVSEID=b"\x00")),
    )
    message = Message(at=0.0, side=Side.SECC, schema="din70121", name="SessionSetupRes", id=101, message=document)
    (line,) = written(message)
    assert line["message"] == {
        "Header": {"SessionID": "ABCD"},
        "Body": {"SessionSetupRes": {"ResponseCode": "OK", "EVSEID": "00"}},
    }


def test_substituted_elements_bear_their_own_name() -> None:
    schedules = din.SAScheduleList(SAScheduleTuple=[])
    parameters = din.ChargeParameterDiscoveryRes(
        ResponseCode=din.ResponseCode.OK,
        EVSEProcessing=din.EVSEProcessing.Ongoing,
        SASchedules=schedules,
        EVSEChargeParameter=din.EVSEChargeParameter(),
    )
    (line,) = written(Message(at=0.0, side=Side.SECC, schema="din70121", name="x", id=None, message=parameters))
    assert line["message"]["SAScheduleList"] == {"SAScheduleTuple": []}
    assert line["message"]["EVSEChargeParameter"] == {}


def test_discovery() -> None:
    response = SdpResponse(address=IPv6Address("fe80::1"), port=50000)
    (line,) = written(Message(at=0.0, side=Side.SECC, schema="sdp", name=response.name, id=51, message=response))
    assert line["message"] == {"address": "fe80::1", "port": 50000, "security": "NONE", "transport": "TCP"}


def test_alternatives_bear_their_names() -> None:
    key = xmldsig.KeyInfo(content=["before", xmldsig.KeyName(value="k"), xmldsig.MgmtData(value="m")])
    (line,) = written(Message(at=0.0, side=Side.EVCC, schema="xmldsig", name="KeyInfo", id=None, message=key))
    assert line["message"] == {"content": ["before", {"KeyName": {"value": "k"}}, {"MgmtData": {"value": "m"}}]}
    assert list(tree("KeyInfo", key)) == [
        "KeyInfo",
        "  content: before",
        "  KeyName",
        "    value: k",
        "  MgmtData",
        "    value: m",
    ]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("CM_SLAC_MATCH.CNF", {"nmk": KEY, "nid": bytes(7)}),
        ("CM_SET_KEY.REQ", {"new_key": KEY, "nid": bytes(7)}),
        ("CM_GET_KEY.CNF", {"key": KEY, "nid": bytes(7)}),
        ("VS_SET_KEY.REQ", {"nmk": KEY, "dak": KEY}),
    ],
)
def test_a_log_holds_no_network_key(name: str, fields: dict[str, Any]) -> None:
    frame = slac.make(name, destination=b"\2" * 6, source=b"\4" * 6, **fields)
    [told] = written(mme_event(frame, 1.0))
    assert told["name"] == name
    assert ("nid" in told["fields"]) is ("nid" in fields)
    assert KEY in frame
    assert KEY.hex() not in json.dumps(told).lower()
    assert KEY.hex() in json.dumps(record(mme_event(frame, 1.0))).lower()  # as `hlc decode` tells it
