"""The figures of a message, by one table for every protocol and mode."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec
import pytest

from exi.messages import din70121 as din
from exi.messages import iso15118_2 as iso2
from exi.messages.iso15118_20 import ac, acdp, common, dc, types, wpt
from exi.messages.iso15118_20.types import MessageHeader, RationalNumber, ResponseCode
from hlc.trace.values import COLUMNS, Values, values

HEADER = MessageHeader(SessionID=bytes(8), TimeStamp=0)


def physical(value: int, multiplier: int = 0, unit: Any = None) -> din.PhysicalValue:
    return din.PhysicalValue(Multiplier=multiplier, Unit=unit, Value=value)


def rational(value: int, exponent: int = 0) -> RationalNumber:
    return RationalNumber(Exponent=exponent, Value=value)


def said(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(values(message))
    return found


def test_every_element_is_one_of_a_schema() -> None:
    """A name that no schema has would never be found, and nobody would miss it."""
    names = {
        name
        for module in (din, iso2, common, ac, dc, wpt, acdp, types)
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, msgspec.Struct)
        for name in kind.__struct_fields__
    }
    assert set(COLUMNS) <= names
    assert set(COLUMNS.values()) == set(Values.__struct_fields__)


def test_a_charge_loop_of_din_70121() -> None:
    demand = din.CurrentDemandReq(
        DC_EVStatus=din.DC_EVStatus(EVReady=True, EVErrorCode=din.DC_EVErrorCode.NO_ERROR, EVRESSSOC=43),
        EVTargetCurrent=physical(120, -1),
        EVMaximumPowerLimit=physical(980, 2),
        ChargingComplete=False,
        RemainingTimeToFullSoC=physical(17, 0, din.UnitSymbol.m),
        EVTargetVoltage=physical(395),
    )
    document = din.V2G_Message(Header=din.MessageHeader(SessionID=bytes(8)), Body=din.Body(BodyElement=demand))
    assert said(document) == {
        "ev_error": "NO_ERROR",
        "soc": 43,
        "target_amps": 12,
        "target_volts": 395,
        "ev_max_watts": 98_000,
        "complete": False,
        "remaining_s": 1020,
    }


def test_power_follows_from_voltage_and_current() -> None:
    status = iso2.DC_EVSEStatus(
        NotificationMaxDelay=0,
        EVSENotification=iso2.EVSENotification.None_,
        EVSEIsolationStatus=iso2.IsolationLevel.Valid,
        EVSEStatusCode=iso2.DC_EVSEStatusCode.EVSE_Ready,
    )
    answer = iso2.CurrentDemandRes(
        ResponseCode=iso2.ResponseCode.OK,
        DC_EVSEStatus=status,
        EVSEPresentVoltage=iso2.PhysicalValue(Multiplier=-1, Unit=iso2.UnitSymbol.V, Value=4000),
        EVSEPresentCurrent=iso2.PhysicalValue(Multiplier=0, Unit=iso2.UnitSymbol.A, Value=-25),
        EVSECurrentLimitAchieved=True,
        EVSEVoltageLimitAchieved=False,
        EVSEPowerLimitAchieved=False,
        EVSEID="DE*1",
        SAScheduleTupleID=1,
        MeterInfo=iso2.MeterInfo(MeterID="M", MeterReading=1234),
    )
    found = said(iso2.V2G_Message(Header=iso2.MessageHeader(SessionID=b""), Body=iso2.Body(BodyElement=answer)))
    assert (found["evse_volts"], found["evse_amps"], found["evse_watts"]) == (400.0, -25.0, -10_000.0)
    assert (found["isolation"], found["current_limited"], found["meter_wh"]) == ("Valid", True, 1234)


def test_powers_of_phases_are_added_up() -> None:
    mode = ac.BPT_Scheduled_AC_CLReqControlMode(
        EVPresentActivePower=rational(37, 2),
        EVPresentActivePower_L2=rational(36, 2),
        EVPresentActivePower_L3=rational(-1, 2),
        EVMaximumChargePower=rational(11, 3),
        EVMaximumDischargePower=rational(5, 3),
        EVMaximumDischargePower_L2=rational(5, 3),
    )
    found = said(ac.AC_ChargeLoopReq(Header=HEADER, MeterInfoRequested=False, CLReqControlMode=mode))
    assert found == {"ev_watts": 7200, "ev_max_watts": 11_000, "ev_max_discharge_watts": 10_000}


def test_dynamic_control_and_discharging_of_iso_15118_20() -> None:
    mode = dc.BPT_Dynamic_DC_CLResControlMode(
        EVSEMaximumChargePower=rational(150, 3),
        EVSEMinimumChargePower=rational(75),
        EVSEMaximumChargeCurrent=rational(400),
        EVSEMaximumVoltage=rational(500),
        EVSEMaximumDischargePower=rational(10, 3),
        EVSEMinimumDischargePower=rational(0),
        EVSEMaximumDischargeCurrent=rational(30),
        EVSEMinimumVoltage=rational(150),
    )
    answer = dc.DC_ChargeLoopRes(
        Header=HEADER,
        ResponseCode=ResponseCode.OK,
        EVSEPresentCurrent=rational(-2914, -2),
        EVSEPresentVoltage=rational(343),
        EVSEPowerLimitAchieved=True,
        EVSECurrentLimitAchieved=False,
        EVSEVoltageLimitAchieved=False,
        CLResControlMode=mode,
    )
    found = said(answer)
    assert found["evse_watts"] == pytest.approx(-29.14 * 343)
    assert (found["evse_max_amps"], found["evse_max_watts"]) == (400, 150_000)
    assert (found["evse_max_discharge_amps"], found["evse_max_discharge_watts"]) == (30, 10_000)


def test_the_largest_exponents_end_in_numbers() -> None:
    answer = dc.DC_ChargeLoopRes(
        Header=HEADER,
        ResponseCode=ResponseCode.OK,
        EVSEPresentCurrent=rational(32767, 127),
        EVSEPresentVoltage=rational(-32768, 127),
        EVSEPowerLimitAchieved=True,
        EVSECurrentLimitAchieved=False,
        EVSEVoltageLimitAchieved=False,
        CLResControlMode=None,  # type: ignore[arg-type]
    )
    assert values(answer).evse_watts == pytest.approx(-1.0737e263, rel=1e-3)


def test_what_is_no_message_has_none() -> None:
    assert values(None) == Values()
    assert values("text") == Values()
