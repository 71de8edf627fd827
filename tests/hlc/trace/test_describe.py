"""The line that a message gets: physical units, what matters, trouble told."""

from __future__ import annotations

import json
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest

import exi
from exi.messages import din70121 as din
from exi.messages.din70121 import PhysicalValue, UnitSymbol
from exi.messages.iso15118_20 import acdp, wpt
from exi.messages.iso15118_20.types import MessageHeader, Processing, RationalNumber, ResponseCode
from hlc import sdp
from hlc.trace.describe import Quantity, alarm, describe, document, headline, quantity
from hlc.trace.events import Message, Side

READY = din.DC_EVStatus(EVReady=True, EVErrorCode=din.DC_EVErrorCode.NO_ERROR, EVRESSSOC=43)


def physical(value: int, multiplier: int = 0, unit: UnitSymbol | None = None) -> PhysicalValue:
    return PhysicalValue(Multiplier=multiplier, Unit=unit, Value=value)


def status(code: din.DC_EVSEStatusCode = din.DC_EVSEStatusCode.EVSE_Ready) -> din.DC_EVSEStatus:
    return din.DC_EVSEStatus(EVSEStatusCode=code, NotificationMaxDelay=0, EVSENotification=din.EVSENotification.None_)


def said(element: Any, session_id: bytes = bytes(8), schema: str = "din70121", number: int | None = 1) -> Message:
    whole = element
    if schema == "din70121":
        header = din.MessageHeader(SessionID=session_id)
        whole = din.V2G_Message(Header=header, Body=din.Body(BodyElement=element))
    name = getattr(element, "name", type(element).__name__)
    return Message(at=0.0, side=Side.EVCC, schema=schema, name=name, id=number, message=whole)


def demand(**others: Any) -> din.CurrentDemandReq:
    return din.CurrentDemandReq(
        DC_EVStatus=others.pop("status", READY),
        EVTargetCurrent=physical(120, -1, UnitSymbol.A),
        EVTargetVoltage=physical(395),
        EVMaximumCurrentLimit=physical(100),
        ChargingComplete=False,
        **others,
    )


def demanded(code: din.ResponseCode = din.ResponseCode.OK) -> din.CurrentDemandRes:
    return din.CurrentDemandRes(
        ResponseCode=code,
        DC_EVSEStatus=status(),
        EVSEPresentVoltage=physical(3944, -1, UnitSymbol.V),
        EVSEPresentCurrent=physical(119, -1, UnitSymbol.A),
        EVSECurrentLimitAchieved=True,
        EVSEVoltageLimitAchieved=False,
        EVSEPowerLimitAchieved=False,
    )


def test_the_charge_loop() -> None:
    assert describe(said(demand())) == "EV target 395.0 V 12.0 A  SoC 43 %"
    assert describe(said(demanded())) == "EVSE 394.4 V 11.9 A  current limit reached"


def test_headlines() -> None:
    assert headline(said(demand(), number=118)) == "118 CurrentDemandReq"
    assert headline(said(demand(), number=None)) == "  - CurrentDemandReq"


def test_trouble_is_told() -> None:
    failed = said(demanded(din.ResponseCode.FAILED_SequenceError))
    assert alarm(failed) == "FAILED_SequenceError"
    assert describe(failed).startswith("FAILED_SequenceError")
    assert alarm(said(demanded())) is None
    emergency = demanded()
    emergency.DC_EVSEStatus = status(din.DC_EVSEStatusCode.EVSE_EmergencyShutdown)
    assert alarm(said(emergency)) == "EVSE_EmergencyShutdown"
    assert "EVSE_EmergencyShutdown" in describe(said(emergency))
    hot = din.DC_EVStatus(EVReady=False, EVErrorCode=din.DC_EVErrorCode.FAILED_RESSTemperatureInhibit, EVRESSSOC=43)
    assert alarm(said(demand(status=hot))) == "FAILED_RESSTemperatureInhibit"
    assert "EV not ready  FAILED_RESSTemperatureInhibit" in describe(said(demand(status=hot)))
    broken = said(demand())
    broken.message.Header.Notification = din.Notification(FaultCode=din.FaultCode.ParsingError, FaultMsg="what?")
    assert alarm(broken) == "ParsingError"
    assert "header says ParsingError what?" in describe(broken)


def test_set_up() -> None:
    setup = din.SessionSetupReq(EVCCID=bytes.fromhex("98ed5cdad998"))
    assert describe(said(setup)) == "EVCCID 98:ED:5C:DA:D9:98"
    code = din.ResponseCode.OK_NewSessionEstablished
    answer = said(din.SessionSetupRes(ResponseCode=code, EVSEID=b"\x00"), bytes.fromhex("0102"))
    assert describe(answer) == "OK_NewSessionEstablished  EVSEID 00  SessionID 0102"
    assert alarm(answer) is None
    assert describe(said(din.SessionStopReq())) == ""


def test_discovery_and_handshake() -> None:
    found = sdp.SdpResponse(address=IPv6Address("fe80::1"), port=50000)
    assert describe(said(found, schema="sdp")) == "security NONE  transport TCP  SECC fe80::1  port 50000"
    data = "8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040"
    offer = exi.schema("sap").decode(bytes.fromhex(data))
    expected = "offers urn:din:70121:2012:MsgDef 2.0 (SchemaID 1, priority 1)"
    assert describe(said(offer, schema="sap")) == expected


@pytest.mark.parametrize(
    ("value", "multiplier", "unit", "name", "expected"),
    [
        (395, 0, UnitSymbol.V, "", "395.0 V"),
        (5, 3, UnitSymbol.W, "", "5.0 kW"),
        (28, 3, UnitSymbol.Wh, "", "28.0 kWh"),
        (7, 0, None, "EVTargetVoltage", "7.0 V"),
        (7, 0, None, "EVMaximumPowerLimit", "7 W"),
        (1234, -3, UnitSymbol.A, "", "1.2 A"),
        (-15, -1, None, "EVTargetCurrent", "-1.5 A"),
        (3, 0, UnitSymbol.s, "", "3 s"),
        (3, 0, None, "Odd", "3"),
    ],
)
def test_quantities(value: int, multiplier: int, unit: UnitSymbol | None, name: str, expected: str) -> None:
    assert str(quantity(physical(value, multiplier, unit), name)) == expected


def test_rational_numbers_of_later_protocols_are_quantities() -> None:
    assert quantity(RationalNumber(Exponent=-1, Value=4005), "EVTargetVoltage") == Quantity(400.5, "V")
    assert quantity(object()) is None


def test_wireless_power_transfer() -> None:
    header = MessageHeader(SessionID=bytes(8), TimeStamp=0)
    watts = RationalNumber(Exponent=3, Value=5)
    request = wpt.WPT_ChargeLoopReq(
        Header=header,
        MeterInfoRequested=False,
        EVPCPowerRequest=watts,
        EVPCPowerOutput=watts,
        EVPCChargeDiagnostics=wpt.WPT_EVPCChargeDiagnostics.EVPCTempOverheatDetected,
    )
    assert describe(said(request, schema="iso15118_20_wpt")) == "EV target 5.0 kW  EV 5.0 kW  EVPCTempOverheatDetected"
    pairing = wpt.WPT_PairingReq(
        Header=header,
        EVProcessing=Processing.Finished,
        EVResultCode=wpt.WPT_EVResult.EVResultSuccess,
        ObservedIDCode=17,
    )
    assert describe(said(pairing, schema="iso15118_20_wpt")) == "EVResultSuccess  sees code 17"


def test_pantographs() -> None:
    header = MessageHeader(SessionID=bytes(8), TimeStamp=0)
    told = acdp.EVTechnicalStatus(
        EVReadyToCharge=True,
        EVImmobilizationRequest=True,
        EVImmobilized=True,
        EVErrorCode=acdp.ErrorCode.OK_NoEVError,
    )
    status = said(acdp.ACDP_SystemStatusReq(Header=header, EVTechnicalStatus=told), schema="iso15118_20_acdp")
    assert (describe(status), alarm(status)) == ("", None)
    told.EVImmobilized, told.EVErrorCode = False, acdp.ErrorCode.FAILED_Breaker
    assert (describe(status), alarm(status)) == ("not immobilised  FAILED_Breaker", "FAILED_Breaker")
    connect = acdp.ACDP_ConnectRes(
        Header=header,
        ResponseCode=ResponseCode.OK,
        EVSEProcessing=Processing.Ongoing,
        EVSEElectricalChargingDeviceStatus=acdp.ElectricalChargingDeviceStatus.State_A,
        EVSEMechanicalChargingDeviceStatus=acdp.MechanicalChargingDeviceStatus.Moving,
    )
    assert describe(said(connect, schema="iso15118_20_acdp")) == "Ongoing  contacts Moving  State_A"


def test_discovery_over_wlan() -> None:
    asked = sdp.SdpWirelessRequest(coupling=sdp.Coupling.WPT)
    assert describe(said(asked, schema="sdp")) == "security TLS  transport TCP  coupling WPT"
    found = sdp.SdpWirelessResponse(
        address=IPv6Address("fe80::1"), port=50000, diag_status=sdp.DiagStatus.ONGOING, coupling=0x77
    )
    expected = "security TLS  transport TCP  coupling 119  pairing ONGOING  SECC fe80::1  port 50000"
    assert describe(said(found, schema="sdp")) == expected


def test_text_from_the_wire_does_a_terminal_no_harm() -> None:
    """Strings of a hostile peer: no escape sequence, no second line."""
    evil = said(demand())
    evil.message.Header.Notification = din.Notification(
        FaultCode=din.FaultCode.UnknownError, FaultMsg="\x1b[2J\r\nall is well \udc80\u202e"
    )
    line = describe(evil)
    assert line.isprintable()
    assert "\\x1b[2J\\r\\nall is well" in line


def test_every_message_of_the_vectors_has_a_line(reference: Path) -> None:
    for schema in ("din70121", "sap"):
        for line in (reference / "vectors" / "exi" / f"{schema}.jsonl").read_text().splitlines():
            vector = json.loads(line)
            if vector["kind"] != "document":
                continue
            message = exi.schema(schema).decode(bytes.fromhex(vector["exi"]))
            _, element = document(message)
            event = Message(at=0.0, side=Side.EVCC, schema=schema, name=vector["root"], id=None, message=message)
            assert describe(event).isprintable()
            alarm(event)
            assert "\n" not in headline(event)
            assert element is None or type(element).__name__ == vector["root"]
