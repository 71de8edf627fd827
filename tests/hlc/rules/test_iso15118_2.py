"""The rules of ISO 15118-2 as data."""

from __future__ import annotations

from typing import Any

import pytest
from iso2 import AC, DC, OK, RENEGOTIATE, REQUESTS, START, STOP, ac_status, dc_status, parameters, power, selection

from exi.messages import iso15118_2 as iso
from hlc.ids import ChargePointState, VehicleState, message_id
from hlc.rules import MAIN
from hlc.rules.iso15118_2 import RULES

END = iso.SessionStopReq


@pytest.mark.parametrize("rule", RULES.rows, ids=lambda rule: rule.request.__name__)
def test_a_row_has_a_pair_numbers_states_a_clause_and_deadlines(rule: Any) -> None:
    name = rule.request.__name__
    assert rule.response.__name__ == name[:-3] + "Res"
    request, response = message_id("iso15118_2", name), message_id("iso15118_2", rule.response.__name__)
    assert request is not None
    assert response == request + 1
    assert rule.clause.startswith("V2G2-")
    assert isinstance(rule.secc, ChargePointState)
    assert isinstance(rule.evcc, VehicleState)
    assert 0 < rule.performance_s < rule.timeout_s
    assert rule.payload_type == 0x8001


def test_every_request_of_the_schema_has_its_row() -> None:
    assert set(RULES.by_request) == set(REQUESTS)
    assert len(RULES.rows) == 17
    assert set(RULES.streams) == {MAIN}


@pytest.mark.parametrize("phase", RULES.phases, ids=lambda phase: phase.evcc)
def test_the_station_s_share_of_a_phase_is_the_shorter(phase: Any) -> None:
    assert 0 < phase.performance_s < phase.timeout_s


@pytest.mark.parametrize(
    ("kind", "timeout", "performance"),
    [
        (iso.SessionSetupReq, 2.0, 1.5),
        (iso.ServiceDetailReq, 5.0, 4.5),
        (iso.PaymentDetailsReq, 5.0, 4.5),
        (iso.CertificateInstallationReq, 5.0, 4.5),
        (iso.CertificateUpdateReq, 5.0, 4.5),
        (iso.PowerDeliveryReq, 5.0, 4.5),
        (iso.CurrentDemandReq, 0.25, 0.025),
        (iso.ChargingStatusReq, 2.0, 1.5),
        (iso.MeteringReceiptReq, 2.0, 1.5),
    ],
)
def test_deadlines(kind: Any, timeout: float, performance: float) -> None:
    assert (RULES.by_request[kind].timeout_s, RULES.by_request[kind].performance_s) == (timeout, performance)
    assert (RULES.sequence_timeout_s, RULES.sequence_performance_s) == (60.0, 40.0)


def authorized(processing: str) -> iso.AuthorizationRes:
    return iso.AuthorizationRes(ResponseCode=OK, EVSEProcessing=iso.EVSEProcessing(processing))


def checked(processing: str, **status: Any) -> iso.CableCheckRes:
    return iso.CableCheckRes(
        ResponseCode=OK, DC_EVSEStatus=dc_status(**status), EVSEProcessing=iso.EVSEProcessing(processing)
    )


def agreed(status: Any) -> iso.PowerDeliveryRes:
    return iso.PowerDeliveryRes(ResponseCode=OK, EVSEStatus=status)


def looped(receipt: bool | None) -> iso.ChargingStatusRes:
    return iso.ChargingStatusRes(
        ResponseCode=OK, EVSEID="ZZ00000", SAScheduleTupleID=1, ReceiptRequired=receipt, AC_EVSEStatus=ac_status()
    )


CPD_AC, CPD_DC = AC[4], DC[4]
CABLE_CHECK = REQUESTS[iso.CableCheckReq]


@pytest.mark.parametrize(
    ("request_", "response", "expected"),
    [
        (REQUESTS[iso.SessionSetupReq], None, {iso.ServiceDiscoveryReq, END}),
        (iso.ServiceDiscoveryReq(), None, {iso.ServiceDetailReq, iso.PaymentServiceSelectionReq, END}),
        (iso.ServiceDetailReq(ServiceID=3), None, {iso.ServiceDetailReq, iso.PaymentServiceSelectionReq, END}),
        (selection((1, None)), None, {iso.AuthorizationReq, END}),
        (selection((1, None), payment="Contract"), None, {iso.PaymentDetailsReq, END}),
        (
            selection((1, None), (2, 1), payment="Contract"),
            None,
            {iso.PaymentDetailsReq, iso.CertificateInstallationReq, iso.CertificateUpdateReq, END},
        ),
        (REQUESTS[iso.CertificateInstallationReq], None, {iso.PaymentDetailsReq, END}),
        (REQUESTS[iso.CertificateUpdateReq], None, {iso.PaymentDetailsReq, END}),
        (REQUESTS[iso.PaymentDetailsReq], None, {iso.AuthorizationReq, END}),
        (iso.AuthorizationReq(), authorized("Ongoing"), {iso.AuthorizationReq, END}),
        (iso.AuthorizationReq(), authorized("Ongoing_WaitingForCustomerInteraction"), {iso.AuthorizationReq, END}),
        (iso.AuthorizationReq(), authorized("Finished"), {iso.ChargeParameterDiscoveryReq, END}),
        (
            CPD_AC,
            parameters(ac=True, schedules=None, processing="Ongoing"),
            {iso.ChargeParameterDiscoveryReq, END},
        ),
        (CPD_AC, parameters(ac=True, schedules=None), {iso.PowerDeliveryReq, END}),
        (CPD_DC, parameters(ac=False, schedules=None), {iso.CableCheckReq, END}),
        (
            CPD_DC,
            parameters(ac=False, schedules=None, status=dc_status(notification="StopCharging")),
            {iso.PowerDeliveryReq, END},
        ),
        (CABLE_CHECK, checked("Ongoing"), {iso.CableCheckReq, END}),
        (CABLE_CHECK, checked("Finished"), {iso.PreChargeReq, END}),
        (CABLE_CHECK, checked("Finished", level="Warning"), {iso.PreChargeReq, END}),
        (CABLE_CHECK, checked("Finished", level="Fault"), {END}),
        (CABLE_CHECK, checked("Finished", level="No_IMD"), {END}),
        (REQUESTS[iso.PreChargeReq], None, {iso.PreChargeReq, iso.PowerDeliveryReq, END}),
        (power(START), agreed(dc_status()), {iso.CurrentDemandReq}),
        (power(START), agreed(ac_status()), {iso.ChargingStatusReq, iso.PowerDeliveryReq, END}),
        (power(STOP), agreed(dc_status()), {iso.WeldingDetectionReq, END}),
        (power(STOP), agreed(ac_status()), {iso.ChargeParameterDiscoveryReq, END}),
        (power(RENEGOTIATE), agreed(dc_status()), {iso.ChargeParameterDiscoveryReq, END}),
        (power(RENEGOTIATE), agreed(ac_status()), {iso.ChargeParameterDiscoveryReq, END}),
        (iso.ChargingStatusReq(), looped(None), {iso.ChargingStatusReq, iso.PowerDeliveryReq, END}),
        (iso.ChargingStatusReq(), looped(False), {iso.ChargingStatusReq, iso.PowerDeliveryReq, END}),
        (iso.ChargingStatusReq(), looped(True), {iso.MeteringReceiptReq}),
        (
            REQUESTS[iso.MeteringReceiptReq],
            iso.MeteringReceiptRes(ResponseCode=OK, EVSEStatus=ac_status()),
            {iso.ChargingStatusReq, iso.PowerDeliveryReq, END},
        ),
        (
            REQUESTS[iso.MeteringReceiptReq],
            iso.MeteringReceiptRes(ResponseCode=OK, EVSEStatus=dc_status()),
            {iso.CurrentDemandReq, iso.PowerDeliveryReq, END},
        ),
        (REQUESTS[iso.WeldingDetectionReq], None, {iso.WeldingDetectionReq, END}),
        (REQUESTS[END], None, set()),
    ],
)
def test_what_may_follow(request_: Any, response: Any, expected: set[Any]) -> None:
    assert RULES.then(request_, response) == expected
