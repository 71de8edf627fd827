"""What the station answers: every request in every state, every response code, every limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from din import REQUESTS

from exi.messages import din70121 as din
from exi.messages.din70121 import ResponseCode
from hlc.decisions import value
from hlc.flow import failed
from hlc.ports import ControlPilot, Trouble
from hlc.rules.din70121 import RULES
from hlc.secc import Settings
from hlc.trace.events import Blame

Talk = Any
"""The `Talk` of conftest.py, which no test can import."""

STATUS = din.DC_EVStatus(EVReady=True, EVErrorCode=din.DC_EVErrorCode.NO_ERROR, EVRESSSOC=50)
ILL = din.DC_EVStatus(EVReady=True, EVErrorCode=din.DC_EVErrorCode.FAILED_EVRESSMalfunction, EVRESSSOC=50)
UNUSED = {
    din.ServiceDetailReq: din.ServiceDetailReq(ServiceID=1),
    din.PaymentDetailsReq: din.PaymentDetailsReq(
        ContractID="X", ContractSignatureCertChain=din.CertificateChain(Certificate=b"\0")
    ),
    din.ChargingStatusReq: din.ChargingStatusReq(),
    din.MeteringReceiptReq: din.MeteringReceiptReq(SessionID=b"\1", MeterInfo=din.MeterInfo(MeterID="1")),
    din.CertificateUpdateReq: din.CertificateUpdateReq(
        ContractSignatureCertChain=din.CertificateChain(Certificate=b"\0"),
        ContractID="X",
        ListOfRootCertificateIDs=din.ListOfRootCertificateIDs(RootCertificateID=["X"]),
        DHParams=b"\0",
    ),
    din.CertificateInstallationReq: din.CertificateInstallationReq(
        OEMProvisioningCert=b"\0",
        ListOfRootCertificateIDs=din.ListOfRootCertificateIDs(RootCertificateID=["X"]),
        DHParams=b"\0",
    ),
}
EVERY: dict[Any, Any] = {**REQUESTS, **UNUSED}


def volts(number: int) -> din.PhysicalValue:
    return din.PhysicalValue(Multiplier=0, Unit=din.UnitSymbol.V, Value=number)


def amps(number: int) -> din.PhysicalValue:
    return din.PhysicalValue(Multiplier=0, Unit=din.UnitSymbol.A, Value=number)


def watts(number: int) -> din.PhysicalValue:
    return din.PhysicalValue(Multiplier=3, Unit=din.UnitSymbol.W, Value=number)


def demand(target_volts: int = 400, target_amps: int = 10, **others: Any) -> din.CurrentDemandReq:
    return din.CurrentDemandReq(
        DC_EVStatus=STATUS,
        EVTargetVoltage=volts(target_volts),
        EVTargetCurrent=amps(target_amps),
        ChargingComplete=False,
        **others,
    )


def parameters(max_volts: int = 420, max_amps: int = 200, **others: Any) -> din.ChargeParameterDiscoveryReq:
    wanted = others.pop("transfer", din.EVRequestedEnergyTransfer.DC_extended)
    return din.ChargeParameterDiscoveryReq(
        EVRequestedEnergyTransferType=wanted,
        EVChargeParameter=din.DC_EVChargeParameter(
            DC_EVStatus=others.pop("status", STATUS),
            EVMaximumCurrentLimit=amps(max_amps),
            EVMaximumVoltageLimit=volts(max_volts),
            **others,
        ),
    )


def stop_delivery() -> din.PowerDeliveryReq:
    return din.PowerDeliveryReq(ReadyToChargeState=False)


def test_every_request_of_the_schema_is_among_those_tested() -> None:
    requests = {cls for cls in vars(din).values() if isinstance(cls, type) and cls.__name__.endswith("Req")}
    assert requests == set(EVERY)


@pytest.mark.parametrize("state", list(RULES.by_request), ids=lambda kind: kind.__name__)
def test_every_request_in_every_state_is_answered_by_its_pair(state: Any, fresh: Callable[[], Talk]) -> None:
    for kind, request in EVERY.items():
        talk = fresh()
        talk.reach(state)
        allowed = kind in talk.station.expected
        response = talk.ask(request)
        assert type(response).__name__ == kind.__name__[:-3] + "Res"
        if allowed:
            assert response.ResponseCode is not ResponseCode.FAILED_SequenceError
        else:
            assert response.ResponseCode is ResponseCode.FAILED_SequenceError
            assert talk.faults()[-1].clause == "V2G-DC-390"
        if failed(response):
            assert len(talk.closes) == 1
            assert talk.is_off
            assert not talk.station.good
        talk.wait(5.0)
        assert talk.station.finished is bool(talk.closes)


@pytest.mark.parametrize("state", list(RULES.by_request)[1:], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("session_id", [bytes(8), b"\0", b"", b"\1\2\3\4", b"\1\2\3\4\5\6\7\x09"], ids=bytes.hex)
def test_a_foreign_session_is_unknown_even_out_of_sequence(state: Any, session_id: bytes, talk: Talk) -> None:
    talk.reach(state)
    for request in (REQUESTS[state],):
        response = talk.ask(request, session_id)
        assert response.ResponseCode is ResponseCode.FAILED_UnknownSession
        assert talk.faults()[-1].clause == "V2G-DC-391"
        assert talk.closes
        assert talk.is_off


def test_an_unknown_session_wins_over_a_wrong_sequence(talk: Talk) -> None:
    talk.reach(din.ServiceDiscoveryReq)
    assert talk.ask(demand(), b"\7").ResponseCode is ResponseCode.FAILED_UnknownSession


@pytest.mark.parametrize(
    ("setting", "sent"),
    [
        (b"+49*89*6360", "49A89A6360"),
        (b"49*89*6360", "49A89A6360"),
        (b"+49*8*6360", "00"),  # half an octet is left
        (b"+49*89*636*", "00"),
        (b"DE*PNX*E12345*1", "00"),
        (b"123456", "00"),
        (b"", "00"),
        (b"1*" + b"2" * 64, "00"),
    ],
)
def test_an_evse_id_has_the_form_of_din_91286_or_is_zero(setting: bytes, sent: str, talk: Talk) -> None:
    talk.station.settings = Settings(EVSEID=setting)
    talk.hello()
    assert talk.ask(din.SessionSetupReq(EVCCID=b"\1")).EVSEID.hex().upper() == sent


def test_session_setup_gives_a_new_session_whatever_id_it_brings(talk: Talk) -> None:
    talk.hello()
    response = talk.ask(din.SessionSetupReq(EVCCID=b"\1" * 8), session_id=b"\x99" * 8)
    assert response.ResponseCode is ResponseCode.OK_NewSessionEstablished
    assert response.EVSEID == b"\0"
    assert response.DateTimeNow == 1_700_000_000
    assert talk.station.session_id == bytes(range(1, 9))


def test_a_session_id_of_zeros_is_drawn_again(talk: Talk) -> None:
    draws = iter([bytes(8), b"\0\0\0\0\0\0\0\1"])
    talk.station.random = lambda count: next(draws)
    talk.reach(din.ServiceDiscoveryReq)
    assert talk.station.session_id == b"\0\0\0\0\0\0\0\1"


def test_the_services_are_one_dc_service_paid_externally(talk: Talk) -> None:
    talk.reach(din.ServiceDiscoveryReq)
    response = talk.ask(din.ServiceDiscoveryReq())
    assert response.PaymentOptions.PaymentOption == [din.PaymentOption.ExternalPayment]
    assert response.ChargeService.ServiceTag.ServiceID == 1
    assert response.ChargeService.EnergyTransferType is din.EVSESupportedEnergyTransfer.DC_extended


@pytest.mark.parametrize(
    ("payment", "services", "code"),
    [
        (din.PaymentOption.Contract, [1], ResponseCode.FAILED_PaymentSelectionInvalid),
        (din.PaymentOption.ExternalPayment, [2], ResponseCode.FAILED_ServiceSelectionInvalid),
        (din.PaymentOption.ExternalPayment, [1, 2], ResponseCode.FAILED_ServiceSelectionInvalid),
        (din.PaymentOption.ExternalPayment, [1], ResponseCode.OK),
    ],
)
def test_payment_and_service(payment: Any, services: list[int], code: ResponseCode, talk: Talk) -> None:
    talk.reach(din.ServicePaymentSelectionReq)
    chosen = din.SelectedServiceList(SelectedService=[din.SelectedService(ServiceID=number) for number in services])
    request = din.ServicePaymentSelectionReq(SelectedPaymentOption=payment, SelectedServiceList=chosen)
    assert talk.ask(request).ResponseCode is code


def test_the_user_is_awaited_then_accepted_or_refused(fresh: Callable[[], Talk]) -> None:
    for refused, code in ((False, ResponseCode.OK), (True, ResponseCode.FAILED)):
        talk = fresh()
        talk.outlet.authorization_s, talk.outlet.refused = 1.0, refused
        talk.reach(din.ContractAuthenticationReq)
        first = talk.ask(din.ContractAuthenticationReq())
        assert (first.ResponseCode, first.EVSEProcessing) == (ResponseCode.OK, din.EVSEProcessing.Ongoing)
        last = talk.repeat(din.ContractAuthenticationReq())
        assert (last.ResponseCode, last.EVSEProcessing) == (code, din.EVSEProcessing.Finished)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (parameters(), ResponseCode.OK),
        (parameters(transfer=din.EVRequestedEnergyTransfer.DC_core), ResponseCode.OK),
        (parameters(transfer=din.EVRequestedEnergyTransfer.DC_unique), ResponseCode.OK),
        (
            parameters(transfer=din.EVRequestedEnergyTransfer.AC_three_phase_core),
            ResponseCode.FAILED_WrongEnergyTransferType,
        ),
        (parameters(max_volts=100), ResponseCode.FAILED_WrongChargeParameter),
        (parameters(max_amps=0), ResponseCode.FAILED_WrongChargeParameter),
        (parameters(max_volts=-400), ResponseCode.FAILED_WrongChargeParameter),
        (parameters(status=ILL), ResponseCode.FAILED),
    ],
)
def test_charge_parameters(request_: Any, code: ResponseCode, talk: Talk) -> None:
    talk.reach(din.ChargeParameterDiscoveryReq)
    assert talk.ask(request_).ResponseCode is code


def test_parameters_of_an_ac_vehicle_are_wrong(talk: Talk) -> None:
    talk.reach(din.ChargeParameterDiscoveryReq)
    request = parameters()
    request.EVChargeParameter = din.AC_EVChargeParameter(
        DepartureTime=0, EAmount=watts(1), EVMaxVoltage=volts(230), EVMaxCurrent=amps(16), EVMinCurrent=amps(6)
    )
    assert talk.ask(request).ResponseCode is ResponseCode.FAILED_WrongChargeParameter


def test_the_schedule_lasts_a_day_and_its_power_fits_16_bits(talk: Talk) -> None:
    talk.reach(din.ChargeParameterDiscoveryReq)
    response = talk.ask(parameters())
    [offered] = response.SASchedules.SAScheduleTuple
    [entry] = offered.PMaxSchedule.PMaxScheduleEntry
    assert (entry.TimeInterval.start, entry.TimeInterval.duration, entry.PMax) == (0, 86400, 32767)
    assert value(response.EVSEChargeParameter.EVSEMaximumPowerLimit) == 50_000


def test_parameters_are_ongoing_until_the_outlet_is_ready(talk: Talk) -> None:
    talk.outlet.preparation_s = 1.0
    talk.reach(din.ChargeParameterDiscoveryReq)
    first = talk.ask(parameters())
    assert first.EVSEProcessing is din.EVSEProcessing.Ongoing
    assert isinstance(first.SASchedules, din.SAScheduleList)  # vehicles refuse the empty head
    assert talk.repeat(parameters()).ResponseCode is ResponseCode.OK


def test_without_energy_only_the_end_may_follow(talk: Talk) -> None:
    talk.outlet.no_energy = True
    talk.reach(din.ChargeParameterDiscoveryReq)
    response = talk.ask(parameters())
    status = response.EVSEChargeParameter.DC_EVSEStatus
    assert response.ResponseCode is ResponseCode.OK
    assert response.EVSEProcessing is din.EVSEProcessing.Finished
    assert status.EVSENotification is din.EVSENotification.StopCharging
    assert talk.station.expected == {din.SessionStopReq}
    assert talk.ask(din.SessionStopReq()).ResponseCode is ResponseCode.OK
    assert talk.station.good


# --- cable check and precharge ----------------------------------------------------------------------------------------


def check() -> din.CableCheckReq:
    return din.CableCheckReq(DC_EVStatus=STATUS)


def precharge(target: int = 400) -> din.PreChargeReq:
    return din.PreChargeReq(DC_EVStatus=STATUS, EVTargetVoltage=volts(target), EVTargetCurrent=amps(1))


def test_nothing_is_switched_on_before_the_vehicle_shows_state_c(talk: Talk) -> None:
    talk.outlet.pilot = ControlPilot.B
    talk.reach(din.CableCheckReq)
    response = talk.ask(check())
    assert response.EVSEProcessing is din.EVSEProcessing.Ongoing
    assert talk.is_off
    talk.outlet.pilot = ControlPilot.C
    response = talk.ask(check())
    assert talk.outlet.relays
    assert talk.outlet.set_volts == 450  # 400 V + 50 V
    assert talk.outlet.set_amps == 2
    status = response.DC_EVSEStatus
    assert status.EVSEStatusCode is din.DC_EVSEStatusCode.EVSE_IsolationMonitoringActive
    assert status.EVSEIsolationStatus is din.IsolationLevel.Invalid
    response = talk.repeat(check())
    assert response.DC_EVSEStatus.EVSEIsolationStatus is din.IsolationLevel.Valid
    assert response.DC_EVSEStatus.EVSEStatusCode is din.DC_EVSEStatusCode.EVSE_Ready
    assert talk.outlet.volts() < 60


def test_state_c_is_awaited_for_one_and_a_half_seconds(talk: Talk) -> None:
    talk.outlet.pilot = ControlPilot.B
    talk.reach(din.CableCheckReq)
    begun = talk.now
    while not talk.closes:
        response = talk.ask(check())
    assert response.ResponseCode is ResponseCode.FAILED
    assert 1.5 <= talk.now - begun <= 1.75
    assert talk.faults()[-1].clause == "V2G-DC-547"


@pytest.mark.parametrize(
    ("ohms", "code", "level"),
    [
        (2e6, ResponseCode.OK, din.IsolationLevel.Valid),
        (2e5, ResponseCode.OK, din.IsolationLevel.Warning),
        (5e4, ResponseCode.FAILED, din.IsolationLevel.Fault),
    ],
)
def test_the_isolation_decides(ohms: float, code: ResponseCode, level: Any, talk: Talk) -> None:
    talk.outlet.isolation_ohm = ohms
    talk.reach(din.CableCheckReq)
    response = talk.repeat(check())
    assert response.ResponseCode is code
    assert response.DC_EVSEStatus.EVSEIsolationStatus is level
    assert talk.is_off is (code is ResponseCode.FAILED)


def test_a_voltage_before_the_cable_check_ends_the_session(talk: Talk) -> None:
    talk.reach(din.CableCheckReq)
    talk.outlet.volts = lambda: 100.0  # type: ignore[method-assign]
    assert talk.repeat(check()).ResponseCode is ResponseCode.FAILED
    assert "before the test" in talk.faults()[-1].text
    assert talk.is_off


def test_a_cable_check_that_does_not_end_is_failed_after_38_seconds(talk: Talk) -> None:
    talk.outlet.isolation_test_s = 1000.0
    talk.reach(din.CableCheckReq)
    begun = talk.now
    while not talk.closes:
        response = talk.ask(check())
    assert response.ResponseCode is ResponseCode.FAILED
    assert talk.timers() == ["V2G_SECC_CableCheck_Performance_Time"]
    assert 38.0 <= talk.now - begun <= 38.4


def test_precharge_follows_every_target_with_two_amperes(talk: Talk) -> None:
    talk.reach(din.PreChargeReq)
    for target in (350, 410, 390):
        response = talk.ask(precharge(target))
        assert response.ResponseCode is ResponseCode.OK
        assert (talk.outlet.set_volts, talk.outlet.set_amps) == (min(target, 400), 2)  # the vehicle's limit is 400 V
    assert value(talk.ask(precharge(390)).EVSEPresentVoltage) > 0


def test_a_precharge_that_does_not_match_is_failed_after_5_seconds(talk: Talk) -> None:
    talk.outlet.precharge_stuck_at = 200.0
    talk.reach(din.PreChargeReq)
    begun = talk.now
    while not talk.closes:
        response = talk.ask(precharge())
    assert response.ResponseCode is ResponseCode.FAILED_EVSEPresentVoltageToLow
    assert talk.timers() == ["V2G_SECC_PreCharge_Performance_Time"]
    assert 5.0 <= talk.now - begun <= 5.3


def test_a_vehicle_may_stay_in_precharge_once_it_matches(talk: Talk) -> None:
    talk.reach(din.PreChargeReq)
    for _ in range(120):
        assert talk.ask(precharge()).ResponseCode is ResponseCode.OK


@pytest.mark.parametrize("state", [check(), precharge()], ids=["CableCheck", "PreCharge"])
def test_an_error_of_the_vehicle_before_delivery_is_failed(state: Any, talk: Talk) -> None:
    talk.reach(type(state))
    state = type(state)(**{**{name: getattr(state, name) for name in state.__struct_fields__}, "DC_EVStatus": ILL})
    assert talk.ask(state).ResponseCode is ResponseCode.FAILED


# --- power ------------------------------------------------------------------------------------------------------------


def test_power_is_not_delivered_by_an_outlet_that_is_not_ready(talk: Talk) -> None:
    talk.reach(din.PowerDeliveryReq)
    talk.outlet.ready = lambda: False  # type: ignore[method-assign]
    response = talk.ask(din.PowerDeliveryReq(ReadyToChargeState=True))
    assert response.ResponseCode is ResponseCode.FAILED_PowerDeliveryNotApplied


@pytest.mark.parametrize(("schedule", "code"), [(1, ResponseCode.OK), (7, ResponseCode.FAILED_TariffSelectionInvalid)])
def test_the_schedule_must_have_been_offered(schedule: int, code: ResponseCode, talk: Talk) -> None:
    talk.reach(din.PowerDeliveryReq)
    entry = din.ProfileEntry(ChargingProfileEntryStart=0, ChargingProfileEntryMaxPower=11_000)
    profile = din.ChargingProfile(SAScheduleTupleID=schedule, ProfileEntry=[entry])
    assert talk.ask(din.PowerDeliveryReq(ReadyToChargeState=True, ChargingProfile=profile)).ResponseCode is code


@pytest.mark.parametrize(
    ("strict", "code"), [(False, ResponseCode.OK), (True, ResponseCode.FAILED_ChargingProfileInvalid)]
)
def test_a_profile_above_the_schedule_is_noted_or_refused(strict: bool, code: ResponseCode, talk: Talk) -> None:
    talk.station.settings = Settings(strict=strict)
    talk.outlet.supply = talk.outlet.supply._replace(max_watts=20_000.0)
    talk.reach(din.PowerDeliveryReq)
    entry = din.ProfileEntry(ChargingProfileEntryStart=0, ChargingProfileEntryMaxPower=30_000)
    profile = din.ChargingProfile(SAScheduleTupleID=1, ProfileEntry=[entry])
    response = talk.ask(din.PowerDeliveryReq(ReadyToChargeState=True, ChargingProfile=profile))
    assert response.ResponseCode is code
    assert "profile exceeds" in (talk.faults()[-1].text if strict else talk.notes()[-1])


def test_power_cannot_be_agreed_twice(talk: Talk) -> None:
    talk.reach(din.CurrentDemandReq)
    talk.ask(demand())
    assert talk.ask(din.PowerDeliveryReq(ReadyToChargeState=True)).ResponseCode is ResponseCode.FAILED
    assert talk.is_off


def test_power_may_be_declined_out_of_precharge(talk: Talk) -> None:
    talk.reach(din.PowerDeliveryReq)
    assert talk.ask(stop_delivery()).ResponseCode is ResponseCode.OK
    assert talk.is_off
    assert din.WeldingDetectionReq in talk.station.expected


@pytest.mark.parametrize(
    ("wish", "ordered", "flags"),
    [
        (demand(400, 10), (400, 10), (False, False, False)),
        (demand(400, 300), (400, 10), (True, False, False)),  # the vehicle's own limit holds too
        # The cable check was for 50 V more than the vehicle said then.
        (demand(600, 10, EVMaximumVoltageLimit=volts(900)), (450, 10), (False, True, False)),
        (demand(400, 125, EVMaximumCurrentLimit=amps(200), EVMaximumPowerLimit=watts(90)), None, (False, False, True)),
        (demand(400, -10), (400, 0), (False, False, False)),
        (demand(0, 10), (400, 10), (False, False, False)),
    ],
    ids=["granted", "amps", "volts", "watts", "negative", "implausible"],
)
def test_wishes_are_kept_within_both_sides_limits(
    wish: Any, ordered: tuple[float, float] | None, flags: tuple[bool, bool, bool], talk: Talk
) -> None:
    talk.outlet.supply = talk.outlet.supply._replace(max_watts=40_000.0)
    talk.reach(din.CurrentDemandReq)
    for _ in range(10):
        talk.ask(demand(400, 5))
    response = talk.ask(wish)
    if ordered is not None:
        assert (talk.outlet.set_volts, talk.outlet.set_amps) == ordered
    else:
        assert talk.outlet.set_amps * talk.outlet.volts() <= 40_400  # one percent, until the next request
    assert flags == (
        response.EVSECurrentLimitAchieved,
        response.EVSEVoltageLimitAchieved,
        response.EVSEPowerLimitAchieved,
    )
    assert value(response.EVSEMaximumVoltageLimit) == 500
    assert value(response.EVSEMaximumCurrentLimit) == 125
    assert value(response.EVSEMaximumPowerLimit) == 40_000


def test_the_end_of_delivery_switches_off_and_shows_shutdown(talk: Talk) -> None:
    talk.reach(din.CurrentDemandReq)
    for _ in range(10):
        talk.ask(demand())
    assert talk.outlet.amps() == pytest.approx(10, abs=0.1)
    response = talk.ask(stop_delivery())
    assert response.EVSEStatus.EVSEStatusCode is din.DC_EVSEStatusCode.EVSE_Shutdown
    assert talk.outlet.amps() == 0
    assert talk.is_off
    welding = talk.ask(din.WeldingDetectionReq(DC_EVStatus=STATUS))
    assert welding.DC_EVSEStatus.EVSEStatusCode is din.DC_EVSEStatusCode.EVSE_Shutdown
    assert talk.ask(din.SessionStopReq()).ResponseCode is ResponseCode.OK
    assert talk.station.good


def test_a_stop_out_of_the_loop_stops_the_current_first(talk: Talk) -> None:
    talk.reach(din.CurrentDemandReq)
    talk.ask(demand())
    assert talk.ask(din.SessionStopReq()).ResponseCode is ResponseCode.OK
    assert talk.is_off
    assert talk.station.good


def test_an_error_of_the_vehicle_in_the_loop_takes_the_current_and_lets_it_end(talk: Talk) -> None:
    talk.reach(din.CurrentDemandReq)
    talk.ask(demand())
    ill = demand()
    ill.DC_EVStatus = ILL
    response = talk.ask(ill)
    assert response.ResponseCode is ResponseCode.OK
    assert response.DC_EVSEStatus.EVSENotification is din.EVSENotification.StopCharging
    assert talk.outlet.set_amps == 0
    assert talk.ask(stop_delivery()).ResponseCode is ResponseCode.OK
    assert talk.ask(din.SessionStopReq()).ResponseCode is ResponseCode.OK
    assert not talk.station.good


# --- stop, trouble, pilot ---------------------------------------------------------------------------------------------


def test_an_operator_s_stop_is_said_by_code_and_by_notification(talk: Talk) -> None:
    talk.reach(din.CurrentDemandReq)
    talk.ask(demand())
    talk.station.stop(talk.now, "closing time")
    status = talk.ask(demand()).DC_EVSEStatus
    assert status.EVSEStatusCode is din.DC_EVSEStatusCode.EVSE_Shutdown
    assert status.EVSENotification is din.EVSENotification.StopCharging
    talk.ask(stop_delivery())
    talk.ask(din.SessionStopReq())
    assert talk.station.good
    assert talk.closes == ["closing time"]


def test_an_operator_s_stop_before_the_parameters_can_only_fail(talk: Talk) -> None:
    talk.reach(din.ContractAuthenticationReq)
    talk.station.stop(talk.now, "closing time")
    assert talk.ask(din.ContractAuthenticationReq()).ResponseCode is ResponseCode.FAILED


def test_a_vehicle_that_does_not_heed_a_stop_is_switched_off(talk: Talk) -> None:
    talk.reach(din.CurrentDemandReq)
    talk.station.stop(talk.now, "closing time")
    begun = talk.now
    while not talk.closes:
        response = talk.ask(demand())
    assert response.ResponseCode is ResponseCode.FAILED
    assert 15.0 <= talk.now - begun <= 15.3
    assert talk.is_off


def test_a_silent_vehicle_is_not_awaited_after_a_stop(talk: Talk) -> None:
    talk.reach(din.CurrentDemandReq)
    talk.station.stop(talk.now, "closing time")
    talk.wait(15.1)
    assert talk.closes
    assert talk.is_off


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (Trouble.EMERGENCY, din.DC_EVSEStatusCode.EVSE_EmergencyShutdown),
        (Trouble.MALFUNCTION, din.DC_EVSEStatusCode.EVSE_Malfunction),
    ],
)
def test_trouble_switches_off_between_messages_and_fails_the_next(trouble: Trouble, code: Any, talk: Talk) -> None:
    talk.reach(din.CurrentDemandReq)
    talk.ask(demand())
    talk.outlet.fault = trouble
    talk.wait(0.06)
    assert talk.is_off
    assert not talk.closes
    response = talk.ask(demand())
    assert response.ResponseCode is ResponseCode.FAILED
    assert response.DC_EVSEStatus.EVSEStatusCode is code
    assert talk.closes


def test_a_utility_interrupt_ends_in_order(talk: Talk) -> None:
    talk.reach(din.CurrentDemandReq)
    talk.outlet.fault = Trouble.UTILITY
    response = talk.ask(demand())
    assert response.ResponseCode is ResponseCode.OK
    assert response.DC_EVSEStatus.EVSEStatusCode is din.DC_EVSEStatusCode.EVSE_UtilityInterruptEvent


@pytest.mark.parametrize(
    ("pilot", "closes"),
    [(ControlPilot.B, False), (ControlPilot.A, True), (ControlPilot.E, True), (ControlPilot.F, True)],
)
def test_the_pilot_is_faster_than_any_message(pilot: ControlPilot, closes: bool, talk: Talk) -> None:
    talk.outlet.pilot = ControlPilot.C
    talk.reach(din.CurrentDemandReq)
    talk.ask(demand())
    talk.outlet.pilot = pilot
    talk.wait(0.06)
    assert talk.is_off
    assert bool(talk.closes) is closes
    if not closes:
        assert talk.ask(demand()).ResponseCode is ResponseCode.FAILED


def test_a_vehicle_that_leaves_state_c_before_delivery_may_still_stop_well(talk: Talk) -> None:
    talk.outlet.pilot = ControlPilot.C
    talk.reach(din.PreChargeReq)
    talk.ask(precharge())
    talk.outlet.pilot = ControlPilot.B
    talk.wait(0.06)
    assert talk.is_off
    assert talk.ask(din.SessionStopReq()).ResponseCode is ResponseCode.OK
    assert talk.station.good
    assert talk.station.reason


def test_failed_answers_carry_what_is_mandatory_and_no_more(talk: Talk) -> None:
    talk.reach(din.ServiceDiscoveryReq)
    response = talk.ask(demand())
    assert response.ResponseCode is ResponseCode.FAILED_SequenceError
    assert response.EVSEMaximumCurrentLimit is None
    assert [fault.blame for fault in talk.faults()] == [Blame.REMOTE]
