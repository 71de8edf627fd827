"""The rows of DC and AC in ISO 15118-20."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from exi.messages.iso15118_20 import ac, common, dc
from exi.messages.iso15118_20.common import ChargeProgress, ChargingSession
from exi.messages.iso15118_20.types import Processing, ResponseCode
from hlc.rules.iso15118_20.ac import RULES as AC
from hlc.rules.iso15118_20.acdp import RULES as ACDP
from hlc.rules.iso15118_20.dc import RULES as DC
from hlc.rules.iso15118_20.wpt import RULES as WPT
from hlc.secc.station import CONVERSATIONS, Station
from hlc.sim import worlds
from hlc.v2gtp import PayloadType

DONE, ONGOING = Processing.Finished, Processing.Ongoing
STOP = common.SessionStopReq


def after(rules: Any, kind: Any, stream: int = 0, request: dict[str, Any] | None = None, **response: Any) -> set[str]:
    """Names of what may follow, by the fields that decide."""
    rule = rules.streams[stream][kind]
    answer = {"ResponseCode": ResponseCode.OK, **response}
    return {each.__name__ for each in rule.then(SimpleNamespace(**request or {}), SimpleNamespace(**answer))}


@pytest.mark.parametrize("rules", [DC, AC], ids=["dc", "ac"])
def test_a_charge_loop_is_quick(rules: Any) -> None:
    loop = next(rule for rule in rules.rows if rule.request.__name__.endswith("ChargeLoopReq"))
    assert (loop.performance_s, loop.timeout_s, loop.sequence_s) == (0.25, 0.5, 0.5)
    others = [rule for rule in rules.rows if rule is not loop]
    assert all(rule.performance_s < rule.timeout_s and rule.sequence_s is None for rule in others)


@pytest.mark.parametrize("rules", [DC, AC], ids=["dc", "ac"])
def test_a_resumed_session_goes_on_with_its_parameters(rules: Any) -> None:
    joined = after(rules, common.SessionSetupReq, ResponseCode=ResponseCode.OK_OldSessionJoined)
    assert {name.removeprefix("DC_").removeprefix("AC_") for name in joined} == {
        "ChargeParameterDiscoveryReq",
        "SessionStopReq",
    }
    fresh = after(rules, common.SessionSetupReq, ResponseCode=ResponseCode.OK_NewSessionEstablished)
    assert fresh == {"AuthorizationSetupReq", "SessionStopReq"}


def test_a_warning_lets_another_way_be_tried() -> None:
    warned = after(
        DC,
        common.AuthorizationReq,
        EVSEProcessing=DONE,
        ResponseCode=ResponseCode.WARNING_EIMAuthorizationFailure,
    )
    assert warned == {"AuthorizationReq", "CertificateInstallationReq", "SessionStopReq"}
    assert after(DC, common.AuthorizationReq, EVSEProcessing=DONE) == {"ServiceDiscoveryReq", "SessionStopReq"}


@pytest.mark.parametrize(("processing", "following"), [(ONGOING, "DC_PreChargeReq"), (DONE, "PowerDeliveryReq")])
def test_the_vehicle_says_when_precharge_is_over(processing: Processing, following: str) -> None:
    found = after(DC, dc.DC_PreChargeReq, request={"EVProcessing": processing})
    assert found == {following, "SessionStopReq"}


@pytest.mark.parametrize(
    ("progress", "following"),
    [
        (ChargeProgress.Start, {"DC_ChargeLoopReq"}),
        (ChargeProgress.ScheduleRenegotiation, {"DC_ChargeLoopReq"}),
        (ChargeProgress.Standby, {"DC_ChargeLoopReq", "PowerDeliveryReq", "SessionStopReq"}),
        (ChargeProgress.Stop, {"DC_WeldingDetectionReq", "SessionStopReq"}),
    ],
)
def test_power_delivery(progress: ChargeProgress, following: set[str]) -> None:
    said = {"EVProcessing": DONE, "ChargeProgress": progress}
    assert after(DC, common.PowerDeliveryReq, request=said) == following
    said["EVProcessing"] = ONGOING
    assert after(DC, common.PowerDeliveryReq, request=said) == {"PowerDeliveryReq", "SessionStopReq"}


def test_who_is_sent_to_pause_need_not_begin() -> None:
    assert after(DC, common.ScheduleExchangeReq, EVSEProcessing=DONE, GoToPause=None) == {
        "DC_CableCheckReq",
        "SessionStopReq",
    }
    assert "PowerDeliveryReq" in after(DC, common.ScheduleExchangeReq, EVSEProcessing=DONE, GoToPause=True)
    assert after(AC, common.ScheduleExchangeReq, EVSEProcessing=DONE, GoToPause=None) == {
        "PowerDeliveryReq",
        "SessionStopReq",
    }


@pytest.mark.parametrize(
    ("kind", "following"),
    [
        (ChargingSession.Terminate, set()),
        (ChargingSession.Pause, set()),
        (ChargingSession.ServiceRenegotiation, {"ServiceDiscoveryReq"}),
    ],
)
def test_a_choice_of_services_anew_is_no_end(kind: ChargingSession, following: set[str]) -> None:
    assert after(DC, STOP, request={"ChargingSession": kind}) == following


def test_a_schedule_is_renegotiated_beside_the_loop() -> None:
    stream = PayloadType.SCHEDULE_RENEGOTIATION
    assert after(AC, ac.AC_ChargeParameterDiscoveryReq, stream) == {
        "AC_ChargeParameterDiscoveryReq",
        "ScheduleExchangeReq",
    }
    assert after(AC, common.ScheduleExchangeReq, stream, EVSEProcessing=DONE) == {"PowerDeliveryReq"}
    failed = ResponseCode.WARNING_ScheduleRenegotiationFailed
    assert after(AC, common.ScheduleExchangeReq, stream, EVSEProcessing=DONE, ResponseCode=failed) == set()
    assert after(AC, common.PowerDeliveryReq, stream, request={"EVProcessing": DONE}) == set()


SLOW = {"ServiceDetailReq", "CertificateInstallationReq"}
LOOPS = {"AC_ChargeLoopReq", "DC_ChargeLoopReq", "WPT_ChargeLoopReq"}
EVERY = pytest.mark.parametrize("rules", [DC, AC, WPT, ACDP], ids=lambda rules: rules.name)


@EVERY
def test_deadlines(rules: Any) -> None:
    """Tables 215 to 218."""
    for rule in rules.all_rows:
        name = rule.request.__name__
        expected = (5.0, 4.5) if name in SLOW else (0.5, 0.25) if name in LOOPS else (2.0, 1.5)
        assert (rule.timeout_s, rule.performance_s) == expected, name
        assert rule.sequence_s == (0.5 if name in LOOPS else None), name
    assert (rules.sequence_timeout_s, rules.sequence_performance_s) == (60.0, 40.0)


@EVERY
def test_deadlines_of_phases(rules: Any) -> None:
    limits = {(phase.evcc, phase.timeout_s, phase.performance_s) for phase in rules.phases}
    ongoing = {("V2G_EVCC_CommunicationSetup_Timeout", 20.0, 18.0), ("V2G_EVCC_Ongoing_Timeout", 60.0, 55.0)}
    dc_only = {("V2G_EVCC_CableCheck_Timeout", 40.0, 38.0), ("V2G_EVCC_PreCharge_Timeout", 10.0, 8.0)}
    assert limits == (ongoing | dc_only if rules in (DC, ACDP) else ongoing)


@EVERY
def test_every_row_has_its_handler(rules: Any) -> None:
    mode = next(mode for mode in worlds.SERVED["iso15118-20"] if mode.value == rules.name.rpartition("_")[2])
    station = Station(worlds.outlet(mode), random=bytes)
    conversation = CONVERSATIONS[rules.name](station)
    assert conversation.handlers().keys() == rules.by_request.keys()
    beside = conversation.aside_handlers()
    assert beside.keys() == rules.side.keys()
    for stream, rows in rules.side.items():
        assert beside[stream].keys() == {row.request for row in rows}
    refusals = conversation.refusals().keys()  # type: ignore[attr-defined]
    assert refusals >= {rule.request for rule in rules.all_rows}
