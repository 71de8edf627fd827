"""The rules of DIN SPEC 70121 as data."""

from __future__ import annotations

from typing import Any

import pytest
from din import REQUESTS

from exi.messages import din70121 as din
from hlc.ids import ChargePointState, VehicleState, message_id
from hlc.rules.answers import isolation_proven
from hlc.rules.din70121 import RULES, status_of, unwrap, wrap
from hlc.secc import Station
from hlc.secc.din70121 import Conversation as StationConversation
from hlc.sim import SimulatedOutlet

STOP = din.SessionStopReq
OK = din.ResponseCode.OK
DONE, ONGOING = din.EVSEProcessing.Finished, din.EVSEProcessing.Ongoing


def status(level: Any = din.IsolationLevel.Valid, code: Any = din.DC_EVSEStatusCode.EVSE_Ready) -> din.DC_EVSEStatus:
    return din.DC_EVSEStatus(
        EVSEIsolationStatus=level,
        EVSEStatusCode=code,
        NotificationMaxDelay=0,
        EVSENotification=din.EVSENotification.None_,
    )


def cable_check(processing: Any, **others: Any) -> din.CableCheckRes:
    return din.CableCheckRes(ResponseCode=OK, DC_EVSEStatus=status(**others), EVSEProcessing=processing)


def authentication(processing: Any) -> din.ContractAuthenticationRes:
    return din.ContractAuthenticationRes(ResponseCode=OK, EVSEProcessing=processing)


@pytest.mark.parametrize("rule", RULES.rows, ids=lambda rule: rule.request.__name__)
def test_a_row_has_a_pair_numbers_states_a_clause_and_deadlines(rule: Any) -> None:
    name = rule.request.__name__
    assert rule.response.__name__ == name[:-3] + "Res"
    request, response = message_id("din70121", name), message_id("din70121", rule.response.__name__)
    assert request is not None
    assert response == request + 1
    assert rule.clause.startswith("V2G-DC-")
    assert isinstance(rule.secc, ChargePointState)
    assert isinstance(rule.evcc, VehicleState)
    assert 0 < rule.performance_s < rule.timeout_s  # its FAILED must still arrive
    assert rule.payload_type == 0x8001


def test_every_message_has_its_row_and_every_row_its_handler() -> None:
    assert len(RULES.rows) == 11
    assert set(RULES.by_request) == {cls for cls in REQUESTS if cls in RULES.by_request}
    assert RULES.by_name["PreChargeRes"] is RULES.by_name["PreChargeReq"] is RULES.by_request[din.PreChargeReq]
    assert RULES.by_response[din.PreChargeRes] is RULES.by_request[din.PreChargeReq]
    handlers = StationConversation(Station(SimulatedOutlet(), random=bytes)).handlers()
    assert set(handlers) == set(RULES.by_request)
    assert len({handler.__name__ for handler in handlers.values()}) == 11


@pytest.mark.parametrize("phase", RULES.phases, ids=lambda phase: phase.evcc)
def test_the_station_s_share_of_a_phase_is_the_shorter(phase: Any) -> None:
    assert phase.timeout_s > 0
    if phase.secc is not None:
        assert 0 < phase.performance_s < phase.timeout_s


@pytest.mark.parametrize(
    ("kind", "timeout", "performance"),
    [
        (din.SessionSetupReq, 2.0, 1.5),
        (din.PowerDeliveryReq, 2.0, 1.5),
        (din.CurrentDemandReq, 0.25, 0.025),
        (din.SessionStopReq, 2.0, 1.5),
    ],
)
def test_deadlines(kind: Any, timeout: float, performance: float) -> None:
    assert (RULES.by_request[kind].timeout_s, RULES.by_request[kind].performance_s) == (timeout, performance)
    assert RULES.sequence_timeout_s == 60.0
    assert RULES.sequence_performance_s == 40.0


@pytest.mark.parametrize(
    ("request_", "response", "expected"),
    [
        (din.ContractAuthenticationReq(), authentication(ONGOING), {din.ContractAuthenticationReq, STOP}),
        (din.ContractAuthenticationReq(), authentication(DONE), {din.ChargeParameterDiscoveryReq, STOP}),
        (REQUESTS[din.CableCheckReq], cable_check(ONGOING), {din.CableCheckReq, STOP}),
        (REQUESTS[din.CableCheckReq], cable_check(DONE), {din.PreChargeReq, STOP}),
        (REQUESTS[din.CableCheckReq], cable_check(DONE, level=din.IsolationLevel.Fault), {STOP}),
        (REQUESTS[din.CableCheckReq], cable_check(DONE, level=din.IsolationLevel.Invalid), {STOP}),
        (REQUESTS[din.PreChargeReq], None, {din.PreChargeReq, din.PowerDeliveryReq, STOP}),
        (din.PowerDeliveryReq(ReadyToChargeState=True), None, {din.CurrentDemandReq}),
        (din.PowerDeliveryReq(ReadyToChargeState=False), None, {din.WeldingDetectionReq, STOP}),
        (REQUESTS[din.CurrentDemandReq], None, {din.CurrentDemandReq, din.PowerDeliveryReq, STOP}),
        (REQUESTS[din.WeldingDetectionReq], None, {din.WeldingDetectionReq, STOP}),
        (din.SessionStopReq(), None, set()),
        (din.ServiceDetailReq(ServiceID=1), None, set()),
    ],
)
def test_what_may_follow(request_: Any, response: Any, expected: set[Any]) -> None:
    assert RULES.then(request_, response) == expected


@pytest.mark.parametrize(
    ("level", "code", "proven"),
    [
        (din.IsolationLevel.Valid, "EVSE_Ready", True),
        (din.IsolationLevel.Warning, "EVSE_Ready", True),
        (None, "EVSE_NotReady", True),
        (din.IsolationLevel.Valid, "EVSE_Shutdown", False),
        (din.IsolationLevel.Fault, "EVSE_Ready", False),
    ],
)
def test_isolation_proven(level: Any, code: str, proven: bool) -> None:
    assert isolation_proven(cable_check(DONE, level=level, code=din.DC_EVSEStatusCode(code))) is proven


def test_the_status_is_found_wherever_it_sits() -> None:
    assert status_of(cable_check(DONE)) == status()
    assert status_of(din.PowerDeliveryRes(ResponseCode=OK, EVSEStatus=status())) == status()
    assert status_of(authentication(DONE)) is None


def test_wrap_and_unwrap() -> None:
    assert unwrap(wrap(b"\1\2", din.SessionStopReq())) == (b"\1\2", din.SessionStopReq())
