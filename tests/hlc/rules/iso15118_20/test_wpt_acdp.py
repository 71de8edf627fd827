"""The rules of WPT and ACDP as data: what may follow what."""

from __future__ import annotations

from typing import Any

import pytest

from exi.messages.iso15118_20 import acdp, common, dc, wpt
from exi.messages.iso15118_20.types import MessageHeader, Processing, RationalNumber, ResponseCode
from hlc import sap
from hlc.ids import message_id
from hlc.rules import Rules
from hlc.rules.iso15118_20.acdp import RULES as ACDP
from hlc.rules.iso15118_20.wpt import RULES as WPT

HEADER = MessageHeader(SessionID=bytes(8), TimeStamp=0)
OK, WARNING = ResponseCode.OK, ResponseCode.WARNING_WPT
DONE, ONGOING = Processing.Finished, Processing.Ongoing
SUCCESS, FAILED = wpt.WPT_EVResult.EVResultSuccess, wpt.WPT_EVResult.EVResultFailed
HOME, MOVING, END = acdp.MechanicalChargingDeviceStatus
STATE_B = acdp.ElectricalChargingDeviceStatus.State_B
ZERO = RationalNumber(Exponent=0, Value=0)
STOP = common.SessionStopReq


@pytest.mark.parametrize("rules", [WPT, ACDP], ids=lambda rules: rules.name)
def test_every_message_of_the_schema_has_its_row_and_payload_type(rules: Rules) -> None:
    module: Any = wpt if rules is WPT else acdp
    of_mode = {kind for rule in rules.all_rows for kind in (rule.request, rule.response)} & set(module.SCHEMA.roots)
    assert of_mode == set(module.SCHEMA.roots)
    schemas = sap.PROTOCOLS[rules.name].schemas
    for rule in rules.all_rows:
        assert rule.response.__name__ == rule.request.__name__[:-3] + "Res"
        assert rule.performance_s < rule.timeout_s
        if rule.payload_type != 0x8101:  # there the root decides
            assert message_id(schemas[rule.payload_type], rule.request.__name__) or "ACDP" in rule.request.__name__


@pytest.mark.parametrize("rules", [WPT, ACDP], ids=lambda rules: rules.name)
def test_the_station_s_share_of_a_phase_is_the_shorter(rules: Rules) -> None:
    for phase in rules.phases:
        assert phase.secc is None or 0 < phase.performance_s < phase.timeout_s


def test_a_charge_loop_is_fast_and_its_silence_short() -> None:
    for rules, kind in ((WPT, wpt.WPT_ChargeLoopReq), (ACDP, dc.DC_ChargeLoopReq)):
        rule = rules.by_request[kind]
        assert (rule.performance_s, rule.timeout_s, rule.sequence_s) == (0.25, 0.5, 0.5)


def set_up(code: ResponseCode) -> common.SessionSetupRes:
    return common.SessionSetupRes(Header=HEADER, ResponseCode=code, EVSEID="ZZ")


def positioning(processing: Any, *, there: bool) -> acdp.ACDP_VehiclePositioningRes:
    return acdp.ACDP_VehiclePositioningRes(
        Header=HEADER,
        ResponseCode=OK,
        EVSEProcessing=processing,
        EVSEPositioningSupport=True,
        EVRelativeXDeviation=0,
        EVRelativeYDeviation=0,
        ContactWindowXc=0,
        ContactWindowYc=0,
        EVInChargePosition=there,
    )


def moved(kind: Any, processing: Any, where: Any) -> Any:
    return kind(
        Header=HEADER,
        ResponseCode=OK,
        EVSEProcessing=processing,
        EVSEElectricalChargingDeviceStatus=STATE_B,
        EVSEMechanicalChargingDeviceStatus=where,
    )


SETUP = common.SessionSetupReq(Header=HEADER, EVCCID="")
POSITIONING = acdp.ACDP_VehiclePositioningReq(Header=HEADER, EVMobilityStatus=False, EVPositioningSupport=True)
CONNECT = acdp.ACDP_ConnectReq(Header=HEADER, EVElectricalChargingDeviceStatus=STATE_B)
DISCONNECT = acdp.ACDP_DisconnectReq(Header=HEADER, EVElectricalChargingDeviceStatus=STATE_B)


@pytest.mark.parametrize(
    ("request_", "response", "allowed"),
    [
        (SETUP, set_up(ResponseCode.OK_NewSessionEstablished), {acdp.ACDP_VehiclePositioningReq}),
        (SETUP, set_up(ResponseCode.OK_OldSessionJoined), {dc.DC_ChargeParameterDiscoveryReq}),
        (POSITIONING, positioning(ONGOING, there=True), {acdp.ACDP_VehiclePositioningReq}),
        (POSITIONING, positioning(DONE, there=False), {acdp.ACDP_VehiclePositioningReq}),
        (POSITIONING, positioning(DONE, there=True), {common.AuthorizationSetupReq}),
        (
            CONNECT,
            moved(acdp.ACDP_ConnectRes, ONGOING, MOVING),
            {acdp.ACDP_ConnectReq, acdp.ACDP_DisconnectReq},
        ),
        (CONNECT, moved(acdp.ACDP_ConnectRes, DONE, MOVING), {acdp.ACDP_ConnectReq, acdp.ACDP_DisconnectReq}),
        (CONNECT, moved(acdp.ACDP_ConnectRes, DONE, END), {dc.DC_CableCheckReq, acdp.ACDP_DisconnectReq}),
        (DISCONNECT, moved(acdp.ACDP_DisconnectRes, ONGOING, MOVING), {acdp.ACDP_DisconnectReq}),
        (DISCONNECT, moved(acdp.ACDP_DisconnectRes, DONE, HOME), set()),
        (
            dc.DC_WeldingDetectionReq(Header=HEADER, EVProcessing=DONE),
            dc.DC_WeldingDetectionRes(Header=HEADER, ResponseCode=OK, EVSEPresentVoltage=ZERO),
            {acdp.ACDP_DisconnectReq},
        ),
    ],
)
def test_what_follows_in_acdp(request_: Any, response: Any, allowed: set[Any]) -> None:
    assert ACDP.then(request_, response) == allowed | {STOP}


def test_the_status_of_a_pantograph_has_a_stream_of_its_own() -> None:
    assert ACDP.stream(0x8103) == 0x8103
    assert set(ACDP.streams[0x8103]) == {acdp.ACDP_SystemStatusReq}
    assert 0x8103 not in WPT.streams


def step(kind: Any, processing: Any, result: Any) -> Any:
    return kind(Header=HEADER, EVProcessing=processing, EVResultCode=result)


def answer(kind: Any, processing: Any, code: ResponseCode = OK) -> Any:
    return kind(Header=HEADER, ResponseCode=code, EVSEProcessing=processing)


SETUP_AGAIN = {wpt.WPT_FinePositioningSetupReq}
AFTER = {
    wpt.WPT_FinePositioningReq: {wpt.WPT_PairingReq},
    wpt.WPT_PairingReq: {common.AuthorizationSetupReq, wpt.WPT_AlignmentCheckReq},
    wpt.WPT_AlignmentCheckReq: {common.ScheduleExchangeReq, common.PowerDeliveryReq},
}


@pytest.mark.parametrize("kind", AFTER)
def test_a_step_of_the_approach_takes_both_sides(kind: Any) -> None:
    response = WPT.by_request[kind].response

    def following(mine: Any, theirs: Any, result: Any = SUCCESS, code: ResponseCode = OK) -> Any:
        return WPT.then(step(kind, mine, result), answer(response, theirs, code)) - {STOP}

    assert following(DONE, DONE) == AFTER[kind]
    assert following(ONGOING, DONE) == {kind}
    assert following(DONE, ONGOING) == {kind}
    assert following(DONE, DONE, FAILED) == SETUP_AGAIN
    assert following(DONE, DONE, SUCCESS, WARNING) == SETUP_AGAIN


def delivery(code: ResponseCode, progress: common.ChargeProgress) -> Any:
    request = common.PowerDeliveryReq(Header=HEADER, EVProcessing=DONE, ChargeProgress=progress)
    return WPT.then(request, common.PowerDeliveryRes(Header=HEADER, ResponseCode=code))


def test_a_warning_leads_back_to_the_approach() -> None:
    """[V2G20-5058], [V2G20-5061]"""
    assert delivery(OK, common.ChargeProgress.Start) == {wpt.WPT_ChargeLoopReq}
    assert delivery(OK, common.ChargeProgress.Stop) == {STOP}
    assert delivery(WARNING, common.ChargeProgress.Start) == {wpt.WPT_FinePositioningSetupReq, STOP}
    loop = WPT.by_request[wpt.WPT_ChargeLoopReq]
    request = wpt.WPT_ChargeLoopReq(
        Header=HEADER,
        MeterInfoRequested=False,
        EVPCPowerRequest=ZERO,
        EVPCPowerOutput=ZERO,
        EVPCChargeDiagnostics=wpt.WPT_EVPCChargeDiagnostics.EVPCNoIssue,
    )

    def response(code: ResponseCode) -> wpt.WPT_ChargeLoopRes:
        return wpt.WPT_ChargeLoopRes(
            Header=HEADER,
            ResponseCode=code,
            EVPCPowerRequest=ZERO,
            SPCMaxOutputPowerLimit=ZERO,
            SPCMinOutputPowerLimit=ZERO,
            SPCChargeDiagnostics=wpt.WPT_SPCChargeDiagnostics.SPCNoIssue,
        )

    assert loop.then(request, response(OK)) == {wpt.WPT_ChargeLoopReq, common.PowerDeliveryReq, STOP}
    assert loop.then(request, response(WARNING)) == {wpt.WPT_AlignmentCheckReq, wpt.WPT_PairingReq, STOP}
    # Another warning is none of the device's position.
    profile = response(ResponseCode.WARNING_EVPowerProfileViolation)
    assert wpt.WPT_ChargeLoopReq in loop.then(request, profile)


def test_positioning_is_set_up_until_the_vehicle_has_finished() -> None:
    methods = wpt.WPT_FinePositioningMethodList(WPT_FinePositioningMethod=[wpt.WPT_FinePositioningMethod.Manual])
    pairing = wpt.WPT_PairingMethodList(WPT_PairingMethod=[wpt.WPT_PairingMethod.LPE])
    alignment = wpt.WPT_AlignmentCheckMethodList(WPT_AlignmentCheckMethod=[wpt.WPT_AlignmentCheckMethod.PowerCheck])

    def following(processing: Any) -> Any:
        request = wpt.WPT_FinePositioningSetupReq(
            Header=HEADER,
            EVProcessing=processing,
            EVDeviceFinePositioningMethodList=methods,
            EVDevicePairingMethodList=pairing,
            EVDeviceAlignmentCheckMethodList=alignment,
            NaturalOffset=0,
        )
        response = wpt.WPT_FinePositioningSetupRes(
            Header=HEADER,
            ResponseCode=OK,
            PrimaryDeviceFinePositioningMethodList=methods,
            PrimaryDevicePairingMethodList=pairing,
            PrimaryDeviceAlignmentCheckMethodList=alignment,
            NaturalOffset=0,
        )
        return WPT.then(request, response)

    assert following(ONGOING) == {wpt.WPT_FinePositioningSetupReq, STOP}
    assert following(DONE) == {wpt.WPT_FinePositioningReq, STOP}
