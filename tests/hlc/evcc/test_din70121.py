"""What the vehicle asks: its choices, what it sends with them, how it heeds the station, when its contactors move."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from exi.messages import din70121 as din
from exi.messages.din70121 import DC_EVSEStatusCode as Code
from exi.messages.din70121 import EVSENotification as Notification
from hlc.decisions import value
from hlc.ports import ControlPilot

Host = Any
"""The `Host` of conftest.py, which no test can import."""


def test_state_c_and_the_lock_come_with_the_cable_check(host: Host) -> None:
    host.reach(din.ChargeParameterDiscoveryReq)
    assert not host.ev.locked
    assert host.ev.state is ControlPilot.B
    host.reach(din.CableCheckReq)
    assert host.ev.locked
    assert host.ev.state is ControlPilot.C
    assert host.request.DC_EVStatus.EVReady


def test_all_that_is_known_is_told(host: Host) -> None:
    parameter = host.reach(din.ChargeParameterDiscoveryReq).EVChargeParameter
    assert value(parameter.EVMaximumPowerLimit) == 80_000
    assert value(parameter.EVEnergyCapacity) == 60_000
    assert value(parameter.EVEnergyRequest) == 18_000
    assert (parameter.FullSOC, parameter.BulkSOC) == (100, 80)
    assert value(parameter.EVMaximumVoltageLimit) >= host.ev.battery.max_volts + 14.9
    demand = host.reach(din.CurrentDemandReq)
    assert value(demand.EVMaximumCurrentLimit) == 200
    assert value(demand.EVMaximumVoltageLimit) == value(parameter.EVMaximumVoltageLimit)
    assert value(demand.EVMaximumPowerLimit) == 80_000
    assert demand.BulkChargingComplete is False
    assert value(demand.RemainingTimeToFullSoC) > 0


def test_contactors_close_when_inlet_and_battery_match_and_before_power(host: Host, say: Any) -> None:
    host.reach(din.PreChargeReq)
    battery = host.ev.battery_volts()
    answer = host.answers()[din.PreChargeReq]
    for apart in (200, 50, 21, -21):
        answer.EVSEPresentVoltage = say.volts(battery - apart)
        assert isinstance(host.answer(answer), din.PreChargeReq)
        host.wait(0.05)
        assert not host.ev.contactors
    answer.EVSEPresentVoltage = say.volts(battery - 15)
    while isinstance(host.answer(answer), din.PreChargeReq):
        pass
    assert isinstance(host.request, din.PowerDeliveryReq)
    assert host.request.ReadyToChargeState
    assert host.ev.contactors


def test_the_target_of_precharge_is_the_battery(host: Host) -> None:
    request = host.reach(din.PreChargeReq)
    assert value(request.EVTargetVoltage) == pytest.approx(host.ev.battery_volts(), abs=0.1)
    assert 0 < value(request.EVTargetCurrent) <= 2


def test_the_loop_is_paced(host: Host) -> None:
    host.reach(din.CurrentDemandReq)
    for _ in range(5):
        host.answer()
    times = host.asked_at[-6:]
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps == pytest.approx([0.1] * 5)


def test_a_slow_station_is_asked_again_at_once(host: Host) -> None:
    host.reach(din.CurrentDemandReq)
    host.now += 0.2
    host.answer()
    assert host.asked_at[-1] == pytest.approx(host.now)


def test_the_end_is_a_ramp_then_power_delivery_then_contactors(host: Host) -> None:
    host.reach(din.CurrentDemandReq)
    for _ in range(3):
        host.answer()
    host.vehicle.stop(host.now, "the driver stops")
    host.answer()
    assert value(host.request.EVTargetCurrent) == 0
    assert host.ev.contactors
    host.answer()
    assert isinstance(host.request, din.PowerDeliveryReq)
    assert not host.request.ReadyToChargeState
    assert host.ev.contactors
    assert host.ev.state is ControlPilot.C
    host.answer()
    assert isinstance(host.request, din.WeldingDetectionReq)
    assert host.ev.state is ControlPilot.B
    assert not host.ev.contactors
    assert not host.ev.opened_under_load


def test_a_current_that_does_not_fall_is_awaited_for_three_seconds(host: Host, say: Any) -> None:
    host.reach(din.CurrentDemandReq)
    answer = host.answers()[din.CurrentDemandReq]
    answer.EVSEPresentCurrent = say.amps(50)
    host.overrides[din.CurrentDemandReq] = answer
    host.answer()
    host.vehicle.stop(host.now, "the driver stops")
    begun = host.now
    host.reach(din.PowerDeliveryReq, ready=False)
    assert 2.9 <= host.now - begun <= 3.4


@pytest.mark.parametrize(
    ("code", "notification"),
    [
        (Code.EVSE_Shutdown, Notification.None_),
        (Code.EVSE_Ready, Notification.StopCharging),
        (Code.EVSE_UtilityInterruptEvent, Notification.None_),
        (Code.Reserved_A, Notification.None_),
    ],
)
def test_the_station_s_wish_to_stop_is_heeded_in_whatever_form(
    code: Code, notification: Notification, host: Host, say: Any
) -> None:
    host.reach(din.CurrentDemandReq)
    answer = host.answers()[din.CurrentDemandReq]
    answer.DC_EVSEStatus = say.status(code, notification)
    host.answer(answer)
    assert value(host.request.EVTargetCurrent) == 0
    host.reach(din.SessionStopReq)
    host.answer()
    assert host.vehicle.good
    assert "stopped by the station" in host.vehicle.reason


@pytest.mark.parametrize("code", [Code.EVSE_NotReady, Code.EVSE_Ready, Code.EVSE_IsolationMonitoringActive])
def test_other_codes_do_not_stop(code: Code, host: Host, say: Any) -> None:
    host.reach(din.CurrentDemandReq)
    answer = host.answers()[din.CurrentDemandReq]
    answer.DC_EVSEStatus = say.status(code)
    assert value(host.answer(answer).EVTargetCurrent) > 0


@pytest.mark.parametrize("code", [Code.EVSE_EmergencyShutdown, Code.EVSE_Malfunction])
@pytest.mark.parametrize("state", [din.CableCheckReq, din.PreChargeReq, din.PowerDeliveryReq, din.CurrentDemandReq])
def test_an_emergency_of_the_station_opens_the_contactors_at_once(code: Code, state: Any, host: Host, say: Any) -> None:
    host.reach(state)
    answer = host.answers()[state]
    name = "EVSEStatus" if state is din.PowerDeliveryReq else "DC_EVSEStatus"
    setattr(answer, name, say.status(code))
    host.answer(answer)
    host.wait(0.25)
    assert not host.ev.contactors
    assert host.ev.state is ControlPilot.B
    assert code.value in host.faults()[0].text
    assert not host.vehicle.good


@pytest.mark.parametrize("level", [din.IsolationLevel.Fault, din.IsolationLevel.Invalid], ids=lambda level: level.value)
def test_an_isolation_that_is_not_proven_ends_in_order(level: Any, host: Host, say: Any) -> None:
    host.reach(din.CableCheckReq)
    answer = host.answers()[din.CableCheckReq]
    answer.DC_EVSEStatus = say.status(level=level)
    assert isinstance(host.answer(answer), din.SessionStopReq)
    host.answer()
    assert not host.vehicle.good


@pytest.mark.parametrize("level", [din.IsolationLevel.Warning, None])
def test_a_warning_or_nothing_is_enough(level: Any, host: Host, say: Any) -> None:
    host.reach(din.CableCheckReq)
    answer = host.answers()[din.CableCheckReq]
    answer.DC_EVSEStatus = say.status(level=level)
    assert isinstance(host.answer(answer), din.PreChargeReq)


@pytest.mark.parametrize(
    "state",
    [
        din.ServiceDiscoveryReq,
        din.ServicePaymentSelectionReq,
        din.ContractAuthenticationReq,
        din.ChargeParameterDiscoveryReq,
        din.CableCheckReq,
        din.PreChargeReq,
    ],
)
def test_the_driver_may_stop_before_power_by_session_stop(state: Any, host: Host) -> None:
    host.reach(state)
    host.vehicle.stop(host.now, "the driver stops")
    assert isinstance(host.answer(), din.SessionStopReq)
    host.answer()
    assert host.vehicle.good
    assert host.closes == ["the driver stops"]
    host.wait(1.0)
    assert not host.ev.locked


def test_a_stop_after_power_was_agreed_goes_through_the_loop(host: Host) -> None:
    host.reach(din.PowerDeliveryReq, ready=True)
    host.vehicle.stop(host.now, "the driver stops")
    assert isinstance(host.answer(), din.CurrentDemandReq)
    assert value(host.request.EVTargetCurrent) == 0
    assert isinstance(host.answer(), din.PowerDeliveryReq)


def test_a_full_battery_ends_the_charge(make_host: Any) -> None:
    host = make_host(target_soc=50.01)
    host.reach(din.CurrentDemandReq)
    while isinstance(host.answer(), din.CurrentDemandReq):
        pass
    assert isinstance(host.request, din.PowerDeliveryReq)
    assert host.request.EVPowerDeliveryParameter.ChargingComplete
    host.reach(din.SessionStopReq)
    host.answer()
    assert host.closes == ["charging complete"]


def test_welding_detection_lasts_three_seconds_at_most(host: Host, say: Any) -> None:
    host.reach(din.WeldingDetectionReq)
    host.ev.cable.volts = 300.0
    host.ev.cable._step = lambda dt: None  # type: ignore[method-assign]
    begun = host.now
    host.reach(din.SessionStopReq)
    assert 3.0 <= host.now - begun <= 3.3
    assert "still at 300 V" in host.notes()[-1]


def test_no_more_is_asked_than_the_station_gives(host: Host, say: Any) -> None:
    host.reach(din.CurrentDemandReq)
    assert value(host.request.EVTargetCurrent) <= 125
    answer = host.answers()[din.CurrentDemandReq]
    answer.EVSEMaximumCurrentLimit = say.amps(40)
    assert value(host.answer(answer).EVTargetCurrent) == 40
    answer.EVSEMaximumPowerLimit = say.volts(1000)
    assert value(host.answer(answer).EVTargetCurrent) == pytest.approx(2.8)  # 1 kW
    answer.EVSEMaximumVoltageLimit = say.volts(380)
    assert value(host.answer(answer).EVTargetVoltage) == 380


def test_a_station_below_the_battery_is_left(host: Host, say: Any) -> None:
    host.reach(din.ChargeParameterDiscoveryReq)
    answer = host.answers()[din.ChargeParameterDiscoveryReq]
    answer.EVSEChargeParameter = say.parameter(max_volts=200)
    assert isinstance(host.answer(answer), din.SessionStopReq)
    host.answer()
    assert not host.vehicle.good


def test_a_limit_that_no_charger_has_is_noted_and_does_not_count(host: Host, say: Any) -> None:
    host.overrides[din.ChargeParameterDiscoveryReq] = host.answers()[din.ChargeParameterDiscoveryReq]
    host.overrides[din.ChargeParameterDiscoveryReq].EVSEChargeParameter = say.parameter(max_volts=40)
    host.reach(din.CableCheckReq)
    assert host.notes() == ["the station says that it gives 40 V at most: not believed"]
    assert value(host.reach(din.CurrentDemandReq).EVTargetVoltage) == pytest.approx(host.ev.target().volts, abs=0.1)


def test_a_station_without_energy_is_left_in_order(host: Host, say: Any) -> None:
    host.reach(din.ChargeParameterDiscoveryReq)
    answer = host.answers()[din.ChargeParameterDiscoveryReq]
    answer.EVSEChargeParameter = say.parameter(status=say.status(Code.EVSE_Shutdown, Notification.StopCharging))
    assert isinstance(host.answer(answer), din.SessionStopReq)
    host.answer()
    assert host.vehicle.good


@pytest.mark.parametrize(
    ("payment", "transfer"),
    [
        (din.PaymentOption.Contract, din.EVSESupportedEnergyTransfer.DC_extended),
        (din.PaymentOption.ExternalPayment, din.EVSESupportedEnergyTransfer.AC_three_phase_core),
    ],
)
def test_services_that_are_of_no_use_are_left(payment: Any, transfer: Any, host: Host) -> None:
    host.reach(din.ServiceDiscoveryReq)
    answer = host.answers()[din.ServiceDiscoveryReq]
    answer.PaymentOptions.PaymentOption = [payment]
    answer.ChargeService.EnergyTransferType = transfer
    assert isinstance(host.answer(answer), din.SessionStopReq)


def test_an_error_of_the_vehicle_ends_in_order_and_not_well(host: Host) -> None:
    host.reach(din.CurrentDemandReq)
    host.ev.trouble = "FAILED_EVRESSMalfunction"
    host.answer()
    assert host.request.DC_EVStatus.EVErrorCode is din.DC_EVErrorCode.FAILED_EVRESSMalfunction
    assert value(host.request.EVTargetCurrent) == 0
    host.reach(din.SessionStopReq)
    host.answer()
    assert not host.vehicle.good
