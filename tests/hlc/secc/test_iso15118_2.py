"""ISO 15118-2 at the station: every handler, every refusal, every order of requests."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from iso2 import (
    DONE,
    OK,
    RENEGOTIATE,
    REQUESTS,
    START,
    STOP,
    Talk,
    ac_parameter,
    dc_parameter,
    demand,
    discovery,
    physical,
    power,
    selection,
)

from exi.messages import iso15118_2 as iso
from hlc.decisions import value
from hlc.decisions.schedules import Slot
from hlc.flow import Transport
from hlc.ports import ControlPilot, Trouble
from hlc.rules.iso15118_2 import RULES
from hlc.secc import Service
from hlc.secc.iso15118_2 import Conversation

CODES = iso.ResponseCode
HOUR = 3600.0
BOTH = pytest.mark.parametrize("ac", [False, True], ids=["dc", "ac"])


def refused(talk: Talk, request: Any, code: str, clause: str | None = None) -> Any:
    """The request is refused with this code, and everything is off."""
    response = talk.ask(request)
    assert response.ResponseCode == code
    assert talk.station.closed
    assert not talk.station.good
    assert talk.is_off
    if clause is not None:
        assert clause in talk.clauses()
    return response


# From the setup to the authorization


def test_a_session_is_set_up() -> None:
    talk = Talk(EVSEID=b"DE*ABC*E1234")
    response = talk.ask(REQUESTS[iso.SessionSetupReq])
    assert response.ResponseCode is CODES.OK_NewSessionEstablished
    assert (response.EVSEID, response.EVSETimeStamp) == ("DE*ABC*E1234", 1_700_000_000)
    assert talk.station.session_id == bytes(range(1, 9))


@pytest.mark.parametrize("setting", [b"", b"short", b"\xff" * 10, b"x" * 38, b"+49*123*456789"])
def test_an_evse_id_of_another_form_is_not_sent(setting: bytes) -> None:
    assert Talk(EVSEID=setting).ask(REQUESTS[iso.SessionSetupReq]).EVSEID == "ZZ00000"


@pytest.mark.parametrize(
    ("ac", "modes"), [(False, ["DC_extended"]), (True, ["AC_three_phase_core", "AC_single_phase_core"])]
)
def test_what_is_offered(ac: bool, modes: list[str]) -> None:
    talk = Talk(ac=ac)
    talk.reach(iso.ServiceDiscoveryReq)
    response = talk.ask(iso.ServiceDiscoveryReq())
    assert response.PaymentOptionList.PaymentOption == ["ExternalPayment"]
    assert response.ChargeService.ServiceID == 1
    assert response.ChargeService.SupportedEnergyTransferMode.EnergyTransferMode == modes
    assert response.ServiceList is None


ALL = frozenset(Service)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [3, 4]),
        ({"ServiceCategory": iso.ServiceCategory.Internet}, [3]),
        ({"ServiceCategory": iso.ServiceCategory.OtherCustom}, [4]),
        ({"ServiceCategory": iso.ServiceCategory.EVCharging}, []),
        ({"ServiceScope": "elsewhere"}, []),
    ],
)
def test_services_are_filtered_and_charging_is_always_among_them(wanted: Any, found: list[int]) -> None:
    talk = Talk(services=ALL)
    talk.reach(iso.ServiceDiscoveryReq)
    response = talk.ask(iso.ServiceDiscoveryReq(**wanted))
    assert response.ChargeService.ServiceID == 1
    services = response.ServiceList.Service if response.ServiceList is not None else []
    assert [service.ServiceID for service in services] == found


def test_the_parameters_of_a_service() -> None:
    talk = Talk(services=ALL)
    talk.reach(iso.ServiceDetailReq)
    sets = talk.ask(iso.ServiceDetailReq(ServiceID=3)).ServiceParameterList.ParameterSet
    values = [(each.ParameterSetID, each.Parameter[0].stringValue, each.Parameter[1].intValue) for each in sets]
    assert values == [(1, "ftp", 20), (2, "ftp", 21), (3, "http", 80), (4, "https", 443)]
    assert talk.ask(iso.ServiceDetailReq(ServiceID=4)).ServiceParameterList is None
    assert talk.ask(iso.ServiceDetailReq(ServiceID=1)).ResponseCode is OK


@pytest.mark.parametrize("service", [2, 3, 60000])
def test_details_of_what_is_not_offered(service: int) -> None:
    talk = Talk(services=frozenset({Service.USE_CASE}))
    talk.reach(iso.ServiceDetailReq)
    refused(talk, iso.ServiceDetailReq(ServiceID=service), "FAILED_ServiceIDInvalid", "V2G2-464")


@pytest.mark.parametrize("chosen", [[(1, None)], [(1, 1)], [(3, 4), (1, None)], [(1, None), (3, 1), (4, None)]])
def test_services_that_may_be_selected(chosen: Any) -> None:
    talk = Talk(services=ALL)
    talk.reach(iso.PaymentServiceSelectionReq)
    assert talk.ask(selection(*chosen)).ResponseCode is OK


@pytest.mark.parametrize(
    ("request_", "code", "clause"),
    [
        (selection((1, None), payment="Contract"), "FAILED_PaymentSelectionInvalid", "V2G2-465"),
        (selection((3, 1)), "FAILED_NoChargeServiceSelected", "V2G2-804"),
        (selection((1, None), (2, 1)), "FAILED_ServiceSelectionInvalid", "V2G2-467"),
        (selection((1, None), (3, 5)), "FAILED_ServiceSelectionInvalid", "V2G2-467"),
        (selection((1, None), (3, None)), "FAILED_ServiceSelectionInvalid", "V2G2-467"),
        (selection((1, None), (4, 1)), "FAILED_ServiceSelectionInvalid", "V2G2-467"),
    ],
)
def test_selections_that_are_refused(request_: Any, code: str, clause: str) -> None:
    talk = Talk(services=ALL)
    talk.reach(iso.PaymentServiceSelectionReq)
    refused(talk, request_, code, clause)


def test_a_user_who_is_awaited_may_take_any_time() -> None:
    talk = Talk()
    talk.outlet.authorization_s = 200.0
    talk.reach(iso.AuthorizationReq)
    for _ in range(6):
        assert talk.ask(iso.AuthorizationReq()).EVSEProcessing == "Ongoing_WaitingForCustomerInteraction"
        talk.wait(30.0)
    talk.wait(20.0)
    assert talk.ask(iso.AuthorizationReq()).EVSEProcessing is DONE
    assert talk.timers() == []


def test_a_user_who_is_refused() -> None:
    talk = Talk()
    talk.outlet.refused = True
    talk.reach(iso.AuthorizationReq)
    assert refused(talk, iso.AuthorizationReq(), "FAILED").EVSEProcessing is DONE


@BOTH
@pytest.mark.parametrize("strict", [False, True])
def test_state_c_before_the_authorization(ac: bool, strict: bool) -> None:
    talk = Talk(ac=ac, strict=strict)
    talk.outlet.pilot = ControlPilot.C
    talk.reach(iso.AuthorizationReq)
    if strict:
        refused(talk, iso.AuthorizationReq(), "FAILED", "V2G2-852")
    else:
        assert talk.ask(iso.AuthorizationReq()).ResponseCode is OK
        assert talk.notes().count("the vehicle is in state C before it is authorized") == 1


# Charge parameters


def test_dc_parameters() -> None:
    talk = Talk()
    talk.reach(iso.ChargeParameterDiscoveryReq)
    response = talk.repeat(discovery("DC_extended"))
    parameter = response.EVSEChargeParameter
    assert value(parameter.EVSEMaximumVoltageLimit) == 500.0
    assert value(parameter.EVSEMaximumPowerLimit) == 50_000.0
    [schedule] = response.SASchedules.SAScheduleTuple
    [entry] = schedule.PMaxSchedule.PMaxScheduleEntry
    assert (schedule.SAScheduleTupleID, value(entry.PMax)) == (1, 50_000.0)
    assert (entry.TimeInterval.start, entry.TimeInterval.duration) == (0, 86400)
    assert schedule.SalesTariff is None


@pytest.mark.parametrize(("mode", "watts"), [("AC_three_phase_core", 22_080.0), ("AC_single_phase_core", 7360.0)])
def test_ac_parameters(mode: str, watts: float) -> None:
    talk = Talk(ac=True)
    talk.reach(iso.ChargeParameterDiscoveryReq)
    response = talk.repeat(discovery(mode))
    parameter = response.EVSEChargeParameter
    assert (value(parameter.EVSENominalVoltage), value(parameter.EVSEMaxCurrent)) == (230.0, 32.0)
    [schedule] = response.SASchedules.SAScheduleTuple
    assert value(schedule.PMaxSchedule.PMaxScheduleEntry[0].PMax) == watts


def test_while_the_outlet_is_not_ready_there_is_no_schedule() -> None:
    talk = Talk()
    talk.outlet.preparation_s = 1.0
    talk.reach(iso.ChargeParameterDiscoveryReq)
    response = talk.ask(discovery("DC_extended"))
    assert (response.EVSEProcessing, response.SASchedules) == ("Ongoing", None)
    assert talk.repeat(discovery("DC_extended")).SASchedules is not None


def test_an_outlet_that_never_gets_ready_fails_in_its_time() -> None:
    talk = Talk()
    talk.outlet.preparation_s = 1000.0
    talk.reach(iso.ChargeParameterDiscoveryReq)
    for _ in range(600):
        response = talk.ask(discovery("DC_extended"))
        if talk.station.closed:
            break
    assert response.ResponseCode is CODES.FAILED
    assert talk.timers() == ["V2G_SECC_Ongoing_Performance_Time"]


@pytest.mark.parametrize(
    ("ac", "request_", "code", "clause"),
    [
        (False, discovery("AC_three_phase_core"), "FAILED_WrongEnergyTransferMode", "V2G2-476"),
        (True, discovery("DC_extended"), "FAILED_WrongEnergyTransferMode", "V2G2-476"),
        (False, discovery("DC_extended", ac_parameter()), "FAILED_WrongChargeParameter", "V2G2-477"),
        (True, discovery("AC_single_phase_core", dc_parameter()), "FAILED_WrongChargeParameter", "V2G2-477"),
        (False, discovery("DC_core", dc_parameter(volts=0)), "FAILED_WrongChargeParameter", "V2G2-477"),
        (False, discovery("DC_core", dc_parameter(amps=-1)), "FAILED_WrongChargeParameter", "V2G2-477"),
        (False, discovery("DC_core", dc_parameter(volts=100)), "FAILED_WrongChargeParameter", "V2G2-477"),
        (True, discovery("AC_three_phase_core", ac_parameter(amps=0)), "FAILED_WrongChargeParameter", "V2G2-477"),
        (True, discovery("AC_three_phase_core", ac_parameter(volts=110)), "FAILED_WrongChargeParameter", "V2G2-477"),
        (True, discovery("AC_three_phase_core", ac_parameter(least=33)), "FAILED_WrongChargeParameter", "V2G2-477"),
    ],
)
def test_parameters_that_are_refused(ac: bool, request_: Any, code: str, clause: str) -> None:
    talk = Talk(ac=ac)
    talk.reach(iso.ChargeParameterDiscoveryReq)
    refused(talk, request_, code, clause)


def test_three_phases_are_not_offered_where_there_is_one() -> None:
    talk = Talk(ac=True)
    talk.outlet.supply = talk.outlet.supply._replace(phases=1)
    talk.reach(iso.ChargeParameterDiscoveryReq)
    refused(talk, discovery("AC_three_phase_core"), "FAILED_WrongEnergyTransferMode")


@pytest.mark.parametrize("mode", ["DC_core", "DC_combo_core", "DC_unique"])
def test_old_cars_name_other_dc_modes(mode: str) -> None:
    talk = Talk()
    talk.reach(iso.ChargeParameterDiscoveryReq)
    assert talk.repeat(discovery(mode)).ResponseCode is OK


@BOTH
def test_without_energy_the_vehicle_may_stop_or_pause_in_order(ac: bool) -> None:
    talk = Talk(ac=ac)
    talk.outlet.no_energy = True
    talk.reach(iso.PowerDeliveryReq)
    assert talk.ask(power(STOP)).ResponseCode is OK
    pause = iso.SessionStopReq(ChargingSession=iso.ChargingSession.Pause)
    assert talk.ask(pause).ResponseCode is OK
    assert talk.station.good
    assert talk.station.paused is not None


@BOTH
def test_without_energy_there_is_no_start(ac: bool) -> None:
    talk = Talk(ac=ac)
    talk.outlet.no_energy = True
    talk.reach(iso.PowerDeliveryReq)
    refused(talk, power(START), "FAILED_PowerDeliveryNotApplied")


# Schedules

CHEAP = (Slot(2 * HOUR, 5000.0, 1.0), Slot(22 * HOUR, 50_000.0, 2.0))
DEAR = (Slot(24 * HOUR, 11_000.0, 3.0),)


def offered(talk: Talk, request: Any) -> list[Any]:
    talk.reach(iso.ChargeParameterDiscoveryReq)
    found: list[Any] = talk.repeat(request).SASchedules.SAScheduleTuple
    return found


def entries(schedule: Any) -> list[tuple[int, int | None, float]]:
    return [
        (entry.TimeInterval.start, entry.TimeInterval.duration, value(entry.PMax))
        for entry in schedule.PMaxSchedule.PMaxScheduleEntry
    ]


def test_the_operators_schedules_are_offered_with_price_levels() -> None:
    one, two = offered(Talk(schedules=(CHEAP, DEAR)), discovery("DC_extended"))
    assert entries(one) == [(0, None, 5000.0), (7200, 79_200, 50_000.0)]
    assert entries(two) == [(0, 86_400, 11_000.0)]
    levels = [entry.EPriceLevel for entry in one.SalesTariff.SalesTariffEntry]
    assert (one.SalesTariff.NumEPriceLevels, levels) == (3, [1, 2])
    assert two.SalesTariff.SalesTariffEntry[0].EPriceLevel == 3


def test_all_schedules_have_a_tariff_or_none() -> None:
    free = (Slot(24 * HOUR, 11_000.0),)
    assert [each.SalesTariff for each in offered(Talk(schedules=(CHEAP, free)), discovery("DC_extended"))] == [None] * 2


@pytest.mark.parametrize("departure", [600, 7200, 86_400, 200_000])
def test_a_schedule_lasts_until_the_departure(departure: int) -> None:
    parameter = dc_parameter(DepartureTime=departure)
    [schedule] = offered(Talk(schedules=(CHEAP,)), discovery("DC_extended", parameter))
    start, duration, _ = entries(schedule)[-1]
    assert duration is not None
    assert start + duration == departure


def test_a_departure_that_is_not_known() -> None:
    request = discovery("DC_extended", dc_parameter(DepartureTime=2**32 - 1))
    [schedule] = offered(Talk(schedules=(CHEAP,)), request)
    start, duration, _ = entries(schedule)[-1]
    assert start + (duration or 0) == 7 * 86_400


@pytest.mark.parametrize(("entries_max", "days"), [(1, 1), (2, 2), (3, 3), (9, 7), (None, 7)])
def test_days_ahead_take_entries_too(entries_max: int | None, days: int) -> None:
    many = tuple(Slot(600.0, 1000.0 * number) for number in range(1, 40))
    request = discovery("DC_extended", dc_parameter(DepartureTime=2**32 - 1), MaxEntriesSAScheduleTuple=entries_max)
    [schedule] = offered(Talk(schedules=(many,)), request)
    told = entries(schedule)
    assert len(told) <= (entries_max or 12)
    assert told[-1][0] + (told[-1][1] or 0) == days * 86_400
    assert all(stop[0] - start[0] <= 86_400 for start, stop in pairwise(told))


def test_a_schedule_has_no_more_entries_than_the_vehicle_can_hold() -> None:
    many = tuple(Slot(600.0, 1000.0 * number) for number in range(1, 40))
    [schedule] = offered(Talk(schedules=(many,)), discovery("DC_extended", MaxEntriesSAScheduleTuple=3))
    assert len(entries(schedule)) == 3
    [schedule] = offered(Talk(schedules=(many,)), discovery("DC_extended"))
    assert len(entries(schedule)) == 12


def test_the_power_of_the_schedule_is_kept() -> None:
    talk = Talk(schedules=((Slot(2.0, 50_000.0), Slot(24 * HOUR, 2000.0)),))
    talk.deliver()
    response = talk.ask(demand(amps=100))
    assert value(response.EVSEMaximumPowerLimit) == 2000.0
    assert talk.outlet.set_amps * value(response.EVSEPresentVoltage) == pytest.approx(2000.0, rel=0.01)
    assert response.EVSEPowerLimitAchieved


def test_the_energy_management_is_kept() -> None:
    talk = Talk(ac=True)
    talk.deliver()
    talk.outlet.managed_watts = 6900.0
    assert value(talk.ask(iso.ChargingStatusReq()).EVSEMaxCurrent) == 10.0
    talk.outlet.available = 8.06
    assert value(talk.ask(iso.ChargingStatusReq()).EVSEMaxCurrent) == 8.0


@BOTH
@pytest.mark.parametrize("strict", [False, True])
def test_a_profile_above_its_schedule(ac: bool, strict: bool) -> None:
    talk = Talk(ac=ac, strict=strict)
    talk.reach(iso.PowerDeliveryReq)
    request = power(START, 1, (0, 1000), (60, 90_000))
    if strict:
        refused(talk, request, "FAILED_ChargingProfileInvalid", "V2G2-478")
    else:
        assert talk.ask(request).ResponseCode is OK
        [note] = [each for each in talk.notes() if "schedule 1 allows" in each]
        assert "90000 W from 60 s on" in note


@pytest.mark.parametrize(("start", "fits"), [(600, True), (585, True), (500, False)])
def test_a_profile_may_count_from_either_message(start: int, fits: bool) -> None:
    """Power may go up after ten minutes; some 15 s of them have passed with the cable check."""
    talk = Talk(strict=True, schedules=((Slot(600.0, 1000.0), Slot(80_000.0, 50_000.0)),))
    talk.reach(iso.CableCheckReq)
    talk.wait(15.0)
    talk.reach(iso.PowerDeliveryReq)
    request = power(START, 1, (0, 1000), (start, 40_000))
    if fits:
        assert talk.ask(request).ResponseCode is OK
    else:
        refused(talk, request, "FAILED_ChargingProfileInvalid", "V2G2-478")


@BOTH
def test_a_schedule_that_was_not_offered(ac: bool) -> None:
    talk = Talk(ac=ac)
    talk.reach(iso.PowerDeliveryReq)
    refused(talk, power(START, 9), "FAILED_TariffSelectionInvalid", "V2G2-479")


# Power


def test_precharge_is_refused_nothing_but_the_current() -> None:
    talk = Talk()
    talk.reach(iso.PreChargeReq)
    talk.ask(REQUESTS[iso.PreChargeReq])
    assert (talk.outlet.set_volts, talk.outlet.set_amps) == (400.0, 2.0)


def test_state_c_is_awaited_in_the_cable_check() -> None:
    talk = Talk()
    talk.outlet.pilot = ControlPilot.B
    talk.reach(iso.CableCheckReq)
    for _ in range(30):
        response = talk.ask(REQUESTS[iso.CableCheckReq])
        if talk.station.closed:
            break
    assert response.ResponseCode is CODES.FAILED
    assert "V2G2-918" in talk.clauses()
    assert talk.is_off


def test_power_without_precharge_is_not_applied() -> None:
    talk = Talk()
    talk.reach(iso.PowerDeliveryReq)
    talk.outlet.relays = False
    refused(talk, power(START), "FAILED_PowerDeliveryNotApplied", "V2G2-480")


@BOTH
@pytest.mark.parametrize("progress", [START, RENEGOTIATE])
def test_what_may_not_be_asked_of_power(ac: bool, progress: Any) -> None:
    talk = Talk(ac=ac)
    if progress is START:
        talk.deliver()
    else:
        talk.reach(iso.PowerDeliveryReq)
    refused(talk, power(progress), "FAILED", "V2G2-812")


def test_what_a_dc_vehicle_is_told_in_the_loop() -> None:
    talk = Talk(MeterID="METER-1")
    response = talk.deliver()
    assert (response.EVSEID, response.SAScheduleTupleID) == ("ZZ00000", 1)
    assert response.ReceiptRequired is False
    assert (response.MeterInfo.MeterID, response.MeterInfo.TMeter) == ("METER-1", 1_700_000_000)
    assert response.MeterInfo.MeterReading == int(talk.outlet.energy_wh())
    assert value(response.EVSEMaximumCurrentLimit) == 125.0


def test_what_an_ac_vehicle_is_told_in_the_loop() -> None:
    response = Talk(ac=True).deliver()
    assert value(response.EVSEMaxCurrent) == 32.0
    assert response.ReceiptRequired is False
    assert response.AC_EVSEStatus == iso.AC_EVSEStatus(
        NotificationMaxDelay=0, EVSENotification=iso.EVSENotification.None_, RCD=False
    )


def test_the_contactor_closes_behind_state_c() -> None:
    talk = Talk(ac=True)
    talk.outlet.pilot = ControlPilot.B
    talk.reach(iso.PowerDeliveryReq)
    assert talk.send(power(START)) == []
    talk.wait(0.3)
    assert not talk.outlet.relays
    talk.outlet.pilot = ControlPilot.C
    before = len(talk.effects)
    talk.wait(0.3)
    [answer] = talk.answers(talk.effects[before:])
    assert answer.ResponseCode is OK
    assert talk.outlet.relays


def test_a_vehicle_that_does_not_come_to_state_c() -> None:
    talk = Talk(ac=True)
    talk.outlet.pilot = ControlPilot.B
    talk.reach(iso.PowerDeliveryReq)
    refused(talk, power(START), "FAILED", "V2G2-847")


@pytest.mark.parametrize(("wish", "clause"), [(START, "V2G2-860"), (STOP, "V2G2-862")])
def test_a_contactor_that_does_not_move(wish: Any, clause: str) -> None:
    talk = Talk(ac=True)
    if wish is STOP:
        talk.deliver()
        talk.outlet.welded = True
    else:
        talk.reach(iso.PowerDeliveryReq)
        talk.outlet.stuck = True
    began = talk.now
    response = talk.ask(power(wish))
    assert response.ResponseCode is CODES.FAILED_ContactorError
    assert clause in talk.clauses()
    assert talk.now - began < RULES.by_request[iso.PowerDeliveryReq].performance_s


def test_the_rcd_is_told() -> None:
    talk = Talk(ac=True)
    talk.deliver()
    talk.outlet.trip_rcd()
    response = refused(talk, iso.ChargingStatusReq(), "FAILED")
    assert response.AC_EVSEStatus.RCD
    assert response.AC_EVSEStatus.EVSENotification == "StopCharging"


def test_a_vehicle_that_reports_an_error_in_the_loop_may_end_in_order() -> None:
    talk = Talk()
    talk.deliver()
    broken = iso.DC_EVStatus(EVReady=True, EVErrorCode=iso.DC_EVErrorCode.FAILED_EVRESSMalfunction, EVRESSSOC=50)
    response = talk.ask(demand(status=broken))
    assert response.ResponseCode is OK
    assert response.DC_EVSEStatus.EVSENotification == "StopCharging"
    assert talk.outlet.set_amps == 0.0
    assert talk.ask(power(STOP)).ResponseCode is OK


# Renegotiation


def test_ac_renegotiates_with_the_contactor_closed() -> None:
    talk = Talk(ac=True)
    talk.outlet.pilot = ControlPilot.C
    talk.deliver()
    assert talk.ask(power(RENEGOTIATE)).ResponseCode is OK
    assert talk.outlet.relays
    assert talk.repeat(discovery("AC_three_phase_core")).ResponseCode is OK
    assert talk.outlet.relays
    assert talk.ask(power(START)).ResponseCode is OK
    assert talk.ask(iso.ChargingStatusReq()).ResponseCode is OK
    assert talk.faults() == []


def test_dc_renegotiates_from_the_cable_check_on() -> None:
    talk = Talk()
    talk.deliver()
    assert talk.ask(power(RENEGOTIATE)).ResponseCode is OK
    talk.wait(0.5)
    assert talk.is_off
    assert talk.repeat(discovery("DC_extended")).ResponseCode is OK
    assert talk.station.expected == {iso.CableCheckReq, iso.SessionStopReq}
    talk.deliver()
    assert talk.faults() == []


@BOTH
def test_the_station_asks_for_a_renegotiation(ac: bool) -> None:
    talk = Talk(ac=ac)
    response = talk.deliver()
    talk.took(talk.station.renegotiate(talk.now, "the operator has less"))
    loop = iso.ChargingStatusReq() if ac else demand()

    def notification(response: Any) -> tuple[str, int]:
        status = response.AC_EVSEStatus if ac else response.DC_EVSEStatus
        return status.EVSENotification, status.NotificationMaxDelay

    assert notification(response) == ("None", 0)
    assert notification(talk.ask(loop)) == ("ReNegotiation", 10)
    assert talk.ask(power(RENEGOTIATE)).EVSEStatus.EVSENotification == "None"
    response = talk.repeat(discovery("AC_three_phase_core" if ac else "DC_extended"))
    assert talk.station.renegotiation is None
    assert notification(talk.deliver()) == ("None", 0)


def test_at_the_end_of_the_schedule_another_one_is_wanted() -> None:
    talk = Talk(ac=True)
    talk.reach(iso.ChargeParameterDiscoveryReq)
    talk.repeat(discovery("AC_three_phase_core", ac_parameter(DepartureTime=20)))
    talk.deliver()
    talk.wait(30.0)
    assert talk.ask(iso.ChargingStatusReq()).AC_EVSEStatus.EVSENotification == "ReNegotiation"


# Ends


@BOTH
def test_the_operator_stops(ac: bool) -> None:
    talk = Talk(ac=ac)
    talk.deliver()
    talk.took(talk.station.stop(talk.now, "the operator stops"))
    response = talk.ask(iso.ChargingStatusReq() if ac else demand())
    status = response.AC_EVSEStatus if ac else response.DC_EVSEStatus
    assert (response.ResponseCode, status.EVSENotification) == (OK, "StopCharging")
    assert talk.ask(power(STOP)).ResponseCode is OK
    assert talk.ask(REQUESTS[iso.SessionStopReq]).ResponseCode is OK
    assert talk.station.good


@BOTH
def test_a_vehicle_may_stop_out_of_the_loop(ac: bool) -> None:
    talk = Talk(ac=ac)
    talk.deliver()
    assert talk.ask(REQUESTS[iso.SessionStopReq]).ResponseCode is OK
    talk.wait(1.0)
    assert talk.is_off
    assert talk.station.good


@BOTH
def test_state_b_ends_the_flow_at_once(ac: bool) -> None:
    talk = Talk(ac=ac)
    talk.outlet.pilot = ControlPilot.C
    talk.deliver()
    talk.outlet.pilot = ControlPilot.B
    talk.wait(0.2)
    assert talk.is_off
    # In AC a vehicle may leave state C before its request arrives; in DC it is an emergency.
    assert talk.ask(power(STOP)).ResponseCode is OK
    assert talk.ask(REQUESTS[iso.SessionStopReq]).ResponseCode is OK
    assert talk.station.good is ac


@BOTH
@pytest.mark.parametrize("trouble", [Trouble.EMERGENCY, Trouble.MALFUNCTION])
def test_trouble_ends_the_flow_at_once(ac: bool, trouble: Trouble) -> None:
    talk = Talk(ac=ac)
    talk.deliver()
    talk.outlet.fault = trouble
    talk.wait(0.2)
    assert talk.is_off
    refused(talk, iso.ChargingStatusReq() if ac else demand(), "FAILED")


# Pause


def pause(talk: Talk) -> Any:
    return talk.ask(iso.SessionStopReq(ChargingSession=iso.ChargingSession.Pause))


@BOTH
def test_a_session_pauses_and_goes_on(ac: bool) -> None:
    schedules = (CHEAP, DEAR)
    first = Talk(ac=ac, schedules=schedules)
    first.reach(iso.PowerDeliveryReq)
    first.ask(power(START, 2))
    first.ask(REQUESTS[iso.ChargingStatusReq if ac else iso.CurrentDemandReq])
    first.ask(power(STOP, 2))
    assert pause(first).ResponseCode is OK
    assert first.station.good
    session_id = first.station.session_id

    second = Talk(ac=ac, sessions=first.sessions, schedules=schedules, now=first.now + HOUR)
    second.outlet.authorization_s = 1e9
    response = second.ask(REQUESTS[iso.SessionSetupReq], session_id)
    assert response.ResponseCode is CODES.OK_OldSessionJoined
    assert second.station.session_id == session_id
    second.reach(iso.AuthorizationReq)
    assert second.ask(iso.AuthorizationReq()).EVSEProcessing is DONE  # it was authorized before
    mode = "AC_three_phase_core" if ac else "DC_extended"
    [schedule] = second.repeat(discovery(mode)).SASchedules.SAScheduleTuple
    assert schedule.SAScheduleTupleID == 2
    third = Talk(ac=ac, sessions=first.sessions)
    assert third.ask(REQUESTS[iso.SessionSetupReq], session_id).ResponseCode is CODES.OK_NewSessionEstablished


def test_the_operators_schedules_go_on_in_a_pause() -> None:
    first = Talk(schedules=(CHEAP,))
    first.deliver()
    first.ask(power(STOP))
    pause(first)
    second = Talk(sessions=first.sessions, schedules=(CHEAP,), now=first.now + HOUR)
    second.ask(REQUESTS[iso.SessionSetupReq], first.station.session_id)
    [schedule] = offered(second, discovery("DC_extended"))
    assert entries(schedule)[1][0] == pytest.approx(HOUR, abs=20)


@BOTH
def test_a_pause_wants_the_end_of_power_before_it(ac: bool) -> None:
    talk = Talk(ac=ac)
    talk.deliver()
    refused(talk, iso.SessionStopReq(ChargingSession=iso.ChargingSession.Pause), "FAILED", "V2G2-740")
    assert talk.sessions.take(bytes(range(1, 9)), "iso15118_2", b"") is None


def test_a_paused_session_of_another_vehicle_is_not_joined() -> None:
    first = Talk(transport=Transport("1.2", b"certificate"))
    first.deliver()
    first.ask(power(STOP))
    pause(first)
    other = Talk(sessions=first.sessions, transport=Transport("1.2", b"other"))
    response = other.ask(REQUESTS[iso.SessionSetupReq], first.station.session_id)
    assert response.ResponseCode is CODES.OK_NewSessionEstablished


# Metering receipts belong to contracts: the handler is reached when one is required.


@BOTH
@pytest.mark.parametrize("right", [True, False])
def test_a_receipt_must_be_of_the_last_reading(ac: bool, right: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Conversation.loop
    monkeypatch.setattr(Conversation, "loop", lambda self: {**loop(self), "ReceiptRequired": True})
    talk = Talk(ac=ac)
    response = talk.deliver()
    assert talk.station.expected == {iso.MeteringReceiptReq}
    meter = response.MeterInfo if right else iso.MeterInfo(MeterID="another")
    assert talk.station.session_id is not None
    request = iso.MeteringReceiptReq(SessionID=talk.station.session_id, SAScheduleTupleID=1, MeterInfo=meter)
    if right:
        assert talk.ask(request).ResponseCode is OK
        assert iso.PowerDeliveryReq in talk.station.expected
    else:
        refused(talk, request, "FAILED")


# Every message at every moment


@BOTH
@pytest.mark.parametrize("kind", list(REQUESTS), ids=lambda kind: kind.__name__)
def test_every_request_out_of_sequence_is_answered_and_ends(ac: bool, kind: Any) -> None:
    moments = [type(request) for request in Talk(ac=ac).order]
    for moment in dict.fromkeys(moments):
        talk = Talk(ac=ac)
        talk.reach(moment)
        if kind in talk.station.expected:
            continue
        response = refused(talk, REQUESTS[kind], "FAILED_SequenceError", "V2G2-459")
        assert isinstance(response, RULES.by_request[kind].response)


@BOTH
@pytest.mark.parametrize("session_id", [bytes(8), b"", b"\1", bytes(range(2, 10))])
def test_another_session_is_unknown_everywhere(ac: bool, session_id: bytes) -> None:
    for request in Talk(ac=ac).order[1:]:
        talk = Talk(ac=ac)
        talk.reach(type(request))
        assert talk.ask(request, session_id).ResponseCode is CODES.FAILED_UnknownSession
        assert talk.station.closed
        assert talk.is_off


@BOTH
def test_silence_ends_the_session_everywhere(ac: bool) -> None:
    for request in Talk(ac=ac).order:
        talk = Talk(ac=ac)
        talk.reach(type(request))
        talk.wait(61.0)
        assert talk.station.closed
        assert talk.is_off
        assert talk.timers()[-1] in ("V2G_SECC_Sequence_Timeout", "V2G_SECC_CommunicationSetup_Performance_Time")


def test_certificates_are_answered_with_what_the_schema_wants() -> None:
    talk = Talk()
    talk.reach(iso.PaymentServiceSelectionReq)
    response = refused(talk, REQUESTS[iso.CertificateInstallationReq], "FAILED_SequenceError")
    assert response.ContractSignatureCertChain.Certificate == b""


def test_what_the_vehicle_wants_is_limited() -> None:
    talk = Talk()
    talk.deliver()
    talk.ask(demand(volts=1000, amps=1000, EVMaximumCurrentLimit=physical(50, "A")))
    assert (talk.outlet.set_volts, talk.outlet.set_amps) == (420.0, 50.0)


def test_no_voltage_above_that_of_the_cable_check() -> None:
    talk = Talk()
    talk.deliver()
    talk.ask(demand(volts=480, amps=50, EVMaximumVoltageLimit=physical(490, "V")))
    assert talk.outlet.set_volts == 470.0  # 50 V above what the vehicle said before
