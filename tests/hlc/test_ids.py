"""The documented numbers, spot-checked at both ends of each range, and free of contradictions."""

from __future__ import annotations

import pytest

from hlc import ids
from hlc.ids import ChargePointState, VehicleState, message_id


@pytest.mark.parametrize(
    ("schema", "name", "number"),
    [
        ("slac", "CM_SLAC_PARM.REQ", 1),
        ("slac", "VS_HOST_ACTION.IND", 16),
        ("sdp", "SECCDiscoveryReq", 50),
        ("sdp", "SECCDiscoveryWirelessRes", 53),
        ("sap", "supportedAppProtocolRes", 81),
        ("din70121", "SessionSetupReq", 100),
        ("din70121", "SessionStopRes", 113),
        ("din70121", "CurrentDemandReq", 118),
        ("din70121", "WeldingDetectionRes", 121),
        ("iso15118_2", "CertificateInstallationRes", 223),
        ("iso15118_2", "WeldingDetectionRes", 233),
        ("iso15118_20_common", "VehicleCheckOutRes", 325),
        ("iso15118_20_ac", "AC_ChargeLoopRes", 329),
        ("iso15118_20_dc", "DC_WeldingDetectionRes", 339),
        ("iso15118_20_wpt", "WPT_ChargeLoopRes", 359),
        ("schedule_renegotiation", "WPT_ChargeParameterDiscoveryRes", 409),
        ("iso15118_20_common", "MeteringConfirmationRes", 451),
        ("vendor", "VS_SET_PWM_CONF.CNF", 1426),
        ("lumissil", "HOST_MESSAGE.IND", 1504),
        ("iso15118_20_acdp", "ACDP_ConnectReq", None),
        ("din70121", "NoSuchReq", None),
    ],
)
def test_ccs_binding(schema: str, name: str, number: int | None) -> None:
    assert message_id(schema, name) == number


def test_no_number_of_the_ccs_binding_is_given_twice() -> None:
    numbers = [number for table in ids.CCS.values() for number in table.values()]
    assert len(numbers) == len(set(numbers)) == 154


def test_modelling_numbers() -> None:
    assert len(set(ids.MODELLING.values())) == len(ids.MODELLING) == 95
    assert (ids.MODELLING["Invalid"], ids.MODELLING["VsResetCnf"]) == (0, 310)
    assert ids.MODELLING["CmStaIdentifyRsp"] == 210


def test_ocpp_ranges_are_consecutive_and_end_as_documented() -> None:
    assert list(ids.OCPP16.values()) == list(range(100, 178))
    assert list(ids.OCPP201.values()) == list(range(200, 328))
    assert ids.OCPP16["UpdateFirmwareRequest"] == 176
    assert ids.OCPP201["UpdateFirmwareRequest"] == 326
    # Distances within the lists: a word lost and another invented would not show at the ends.
    assert ids.OCPP16["MeterValuesRequest"] == 144
    assert ids.OCPP201["NotifyReportResponse"] == 279


def test_states_carry_code_and_documented_name() -> None:
    assert [state.value for state in VehicleState] == [*range(18), 200]
    assert [state.value for state in ChargePointState] == [*range(19), 200, 201, 300]
    assert VehicleState(13).label == "Current Demand"
    assert ChargePointState(13).label == "Current Demand"
    assert ChargePointState.SESSION_STOP == 17
    assert VehicleState.SESSION_STOP == 15
