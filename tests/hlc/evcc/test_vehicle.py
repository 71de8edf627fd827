"""What every exchange repeats at the vehicle: negotiation, timeouts, session ID, useless answers, our own errors."""

from __future__ import annotations

from typing import Any

import pytest

from exi.messages import din70121 as din
from exi.messages.sap import ResponseCode as SapCode
from hlc.rules.din70121 import RULES
from hlc.trace.events import Blame, SessionEnded

Host = Any
"""The `Host` of conftest.py, which no test can import."""

STATES = list(RULES.by_request)
EXI = 0x8001
"""Payload type."""


def is_safe(host: Host) -> bool:
    """Within the time that is given: contactors open, state B."""
    host.wait(1.0)
    return not host.ev.contactors and not host.ev.state.ready


def test_a_whole_session_goes_through_the_documented_states(host: Host) -> None:
    host.reach(din.SessionStopReq)
    host.answer()
    host.wait(1.0)
    assert host.states() == [0, 1, 2, 4, 6, 7, 11, 12, 8, 13, 8, 14, 15]
    assert host.vehicle.good
    assert host.vehicle.finished
    [ended] = [event for event in host.events if isinstance(event, SessionEnded)]
    assert ended.good
    assert ended.reason == "the driver stops"


@pytest.mark.parametrize("length", range(1, 9))
def test_the_session_id_is_echoed_as_it_came(length: int, host: Host) -> None:
    host.hello()
    given = bytes(range(1, length + 1))
    for _ in range(4):
        host.answer(session_id=given)
    assert host.session_ids == [bytes(8), *[given] * 4]


def test_a_session_without_id_is_none(host: Host) -> None:
    host.hello()
    host.answer(session_id=b"")
    assert host.closes


def test_a_missing_schema_id_means_the_only_offer(host: Host) -> None:
    host.hello(schema_id=None)
    assert isinstance(host.request, din.SessionSetupReq)


@pytest.mark.parametrize(
    ("schema_id", "code"), [(7, SapCode.OK_SuccessfulNegotiation), (None, SapCode.Failed_NoNegotiation)]
)
def test_what_was_not_offered_is_left(schema_id: int | None, code: SapCode, host: Host) -> None:
    host.hello(schema_id, code)
    assert host.closes == ["no protocol in common"]


@pytest.mark.parametrize("state", STATES, ids=lambda kind: kind.__name__)
def test_every_answer_in_every_state_is_taken_or_ends_the_session(state: Any, make_host: Any) -> None:
    for kind in RULES.by_request:
        host = make_host()
        host.reach(state)
        response = host.answers()[kind]
        host.answer(response)
        if kind is state:
            assert not host.faults()
            assert bool(host.closes) is (state is din.SessionStopReq)
        else:
            assert len(host.closes) == 1
            assert "in answer to" in host.closes[0]
            assert is_safe(host)
            assert host.vehicle.finished
            assert not host.vehicle.good


@pytest.mark.parametrize("state", STATES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "code", [code for code in din.ResponseCode if code.value.startswith("FAILED")], ids=lambda code: code.value
)
def test_every_failed_answer_ends_the_session(state: Any, code: Any, host: Host) -> None:
    host.reach(state)
    response = host.answers()[state]
    response.ResponseCode = code
    host.answer(response)
    assert host.closes == [f"{type(response).__name__}: {code.value}"]
    assert host.faults()[-1].clause == "V2G-DC-665"
    assert is_safe(host)


@pytest.mark.parametrize("state", STATES, ids=lambda kind: kind.__name__)
def test_an_answer_that_does_not_come_ends_the_session_in_its_time(state: Any, host: Host) -> None:
    host.reach(state)
    asked = host.now
    while not host.closes:
        host.wait_once()
    assert host.timers() == ["V2G_EVCC_Msg_Timeout"]
    assert host.now - asked == pytest.approx(RULES.by_request[state].timeout_s)
    assert is_safe(host)


def test_an_unanswered_offer_ends_in_two_seconds(host: Host) -> None:
    host.wait(1.9)
    assert not host.closes
    host.wait(0.2)
    assert host.timers() == ["V2G_EVCC_Msg_Timeout"]


def test_patience_is_added_to_every_timeout(make_host: Any) -> None:
    from hlc.evcc import Settings

    host = make_host(settings=Settings(patience_s=5.0))
    host.reach(din.PowerDeliveryReq)
    host.wait(6.9)
    assert not host.closes
    host.wait(0.2)
    assert host.closes


@pytest.mark.parametrize("state", STATES[1:], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("session_id", [bytes(8), b"", b"\1\2\3\4\0", b"\0\1\2\3\4"], ids=bytes.hex)
def test_an_answer_for_another_session_ends_this_one(state: Any, session_id: bytes, host: Host) -> None:
    host.reach(state)
    host.answer(session_id=session_id)
    assert host.closes
    assert host.faults()[-1].clause == "V2G-DC-391"
    assert is_safe(host)


@pytest.mark.parametrize("state", STATES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("payload", [b"", b"\x80", b"\x80" + b"\xff" * 30], ids=bytes.hex)
def test_what_cannot_be_decoded_ends_the_session(state: Any, payload: bytes, host: Host) -> None:
    host.reach(state)
    host.vehicle.receive(EXI, payload, host.now)
    assert host.vehicle.closed
    assert is_safe(host)


def test_an_answer_to_nothing_ends_the_session(host: Host) -> None:
    host.reach(din.ContractAuthenticationReq)
    answer = host.answers()[din.ContractAuthenticationReq]
    answer.EVSEProcessing = din.EVSEProcessing.Ongoing
    import exi
    from hlc.rules.din70121 import wrap

    payload = exi.schema("din70121").encode(wrap(b"\1\2\3\4", answer))
    host.vehicle.receive(EXI, payload, host.now)
    host.vehicle.receive(EXI, payload, host.now)  # the next request is paced: nothing is asked now
    assert "nothing was asked" in host.vehicle.reason


@pytest.mark.parametrize("state", STATES, ids=lambda kind: kind.__name__)
def test_an_error_of_ours_leaves_the_vehicle_safe(state: Any, host: Host) -> None:
    host.reach(state)

    def broken(*arguments: Any) -> Any:
        raise ZeroDivisionError("a defect")

    assert host.vehicle.conversation is not None
    host.vehicle.conversation.answered = broken  # type: ignore[method-assign]
    host.answer()
    assert host.closes == ["an error in this program: a defect"]
    assert [fault.blame for fault in host.faults()] == [Blame.LOCAL]
    assert is_safe(host)


@pytest.mark.parametrize("state", STATES, ids=lambda kind: kind.__name__)
def test_a_lost_connection_leaves_the_vehicle_safe(state: Any, host: Host) -> None:
    host.reach(state)
    host.vehicle.lost(host.now, "reset")
    assert is_safe(host)
    assert host.vehicle.finished
    assert not host.vehicle.good


@pytest.mark.parametrize("kind", [din.ContractAuthenticationReq, din.ChargeParameterDiscoveryReq])
def test_ongoing_is_borne_for_60_seconds(kind: Any, host: Host) -> None:
    host.reach(kind)
    begun = host.now
    answer = host.answers()[kind]
    answer.EVSEProcessing = din.EVSEProcessing.Ongoing
    while not host.closes:
        host.answer(answer)
    assert host.timers() == ["V2G_EVCC_Ongoing_Timeout"]
    assert host.now - begun == pytest.approx(60.0, abs=0.01)


def test_a_cable_check_is_borne_for_40_seconds(host: Host) -> None:
    host.reach(din.CableCheckReq)
    begun = host.now
    answer = host.answers()[din.CableCheckReq]
    answer.EVSEProcessing = din.EVSEProcessing.Ongoing
    while not host.closes:
        host.answer(answer)
    assert host.timers() == ["V2G_EVCC_CableCheck_Timeout"]
    assert host.now - begun == pytest.approx(40.0, abs=0.01)
    assert is_safe(host)


def test_a_precharge_is_borne_for_7_seconds(host: Host) -> None:
    host.reach(din.PreChargeReq)
    begun = host.now
    answer = host.answers()[din.PreChargeReq]
    answer.EVSEPresentVoltage = din.PhysicalValue(Multiplier=0, Value=100)
    while not host.closes:
        host.answer(answer)
    assert host.timers() == ["V2G_EVCC_PreCharge_Timeout"]
    assert host.now - begun == pytest.approx(7.0, abs=0.01)
    assert is_safe(host)


def test_a_lost_pilot_ends_the_session(host: Host) -> None:
    host.reach(din.CurrentDemandReq)
    host.ev.cable.plugged = False
    host.wait(0.06)
    assert host.closes == ["the control pilot is gone"]
    assert is_safe(host)


def test_a_vehicle_that_cannot_lock_gives_up(host: Host) -> None:
    host.ev.lock_connector = lambda: None  # type: ignore[method-assign]
    host.reach(din.ChargeParameterDiscoveryReq)
    begun = host.now
    host.answer()
    assert host.closes == ["V2G_EVCC_Sequence_Performance_Time"]
    assert host.now - begun == pytest.approx(40.0, abs=0.1)
    assert host.faults()[-1].blame is Blame.SETUP
