"""The documented numbers of messages and states, by which test tools of this field name them.

Tables only. `message_id` answers for the CCS binding, which every traced message carries; the numbers of the modelling
libraries and of the OCPP binding are tables for whoever speaks to such tools. Where a message has no number (ACDP),
there is none here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Self


class _State(IntEnum):
    """A state code with its documented name."""

    label: str

    def __new__(cls, code: int, label: str) -> Self:
        state = int.__new__(cls, code)
        state._value_ = code
        state.label = label
        return state


class VehicleState(_State):
    """Documented states of a vehicle."""

    INITIAL = 0, "Initial"
    SESSION_SETUP = 1, "Session Setup"
    SERVICE_DISCOVERY = 2, "Service Discovery"
    SERVICE_DETAILS = 3, "Service Details"
    SERVICE_PAYMENT_SELECTION = 4, "Service / Payment Selection"
    PAYMENT_DETAILS = 5, "Payment Details"
    AUTHORIZATION = 6, "Authentication / Authorization"
    CHARGE_PARAMETER_DISCOVERY = 7, "Charge Parameter Discovery"
    POWER_DELIVERY = 8, "Power Delivery"
    CHARGING_STATUS = 9, "Charging Status"
    METERING_RECEIPT = 10, "Metering Receipt"
    CABLE_CHECK = 11, "Cable Check"
    PRE_CHARGE = 12, "PreCharge"
    CURRENT_DEMAND = 13, "Current Demand"
    WELDING_DETECTION = 14, "Welding Detection"
    SESSION_STOP = 15, "Session Stop"
    CERTIFICATE_UPDATE = 16, "CertificateUpdate"
    CERTIFICATE_INSTALLATION = 17, "CertificateInstallation"
    ERROR = 200, "Error"


class ChargePointState(_State):
    """Documented states of a charge point."""

    INITIAL = 0, "Initial"
    SESSION_SETUP = 1, "Session Setup"
    SERVICE_DISCOVERY = 2, "Service Discovery"
    SERVICE_PAYMENT_SELECTION = 3, "Service / Payment Selection"
    PAYMENT_DETAILS = 4, "Payment Details"
    PAYMENT_DETAILS_OR_CERTIFICATE = 5, "Payment Details / Certificate transfer"
    AUTHORIZATION = 6, "Authentication / Authorization"
    CHARGE_PARAMETER_DISCOVERY = 7, "Charge Parameter Discovery"
    POWER_DELIVERY = 8, "Power Delivery"
    CHARGING_STATUS = 9, "Charging Status"
    METERING_RECEIPT = 10, "Metering Receipt"
    CABLE_CHECK = 11, "Cable Check"
    PRE_CHARGE = 12, "PreCharge"
    CURRENT_DEMAND = 13, "Current Demand"
    WELDING_DETECTION = 14, "Welding Detection"
    WELDING_DETECTION_OR_RENEGOTIATION = 15, "Welding Detection or Renegotiation"
    RENEGOTIATION = 16, "Renegotiation"
    SESSION_STOP = 17, "Session Stop"
    SESSION_STOP_OR_RENEGOTIATION = 18, "Session Stop or Renegotiation"
    ERROR = 200, "Error"
    WAITING_FOR_NEW_SESSION = 201, "Waiting for new session"
    RECONNECTING = 300, "Reconnecting"


def _exchanges(requests: Mapping[str, int], *, request: str = "Req", response: str = "Res") -> dict[str, int]:
    """Names and numbers of requests and of their responses, whose number is the next one."""
    table: dict[str, int] = {}
    for name, number in requests.items():
        table[name + request] = number
        table[name + response] = number + 1
    return table


def _in_order(first: int, names: str) -> dict[str, int]:
    """Exchanges numbered consecutively from `first`, in the order of `names`."""
    return _exchanges(
        {name: first + 2 * index for index, name in enumerate(names.split())}, request="Request", response="Response"
    )


# --- CCS binding ------------------------------------------------------------------------------------------------------

SLAC = {
    "CM_SLAC_PARM.REQ": 1,
    "CM_SLAC_PARM.CNF": 2,
    "CM_START_ATTEN_CHAR.IND": 3,
    "CM_MNBC_SOUND.IND": 4,
    "CM_ATTEN_CHAR.IND": 5,
    "CM_ATTEN_CHAR.RSP": 6,
    "CM_ATTEN_PROFILE.IND": 7,
    "CM_VALIDATE.REQ": 8,
    "CM_VALIDATE.CNF": 9,
    "CM_SLAC_MATCH.REQ": 10,
    "CM_SLAC_MATCH.CNF": 11,
    "CM_SET_KEY.REQ": 12,
    "CM_SET_KEY.CNF": 13,
    "CM_AMP_MAP.REQ": 14,
    "CM_AMP_MAP.CNF": 15,
    "VS_HOST_ACTION.IND": 16,
}

VENDOR = {
    "VS_GET_PWM_STATS.IND": 1404,
    "VS_GET_STATUS.REQ": 1411,
    "VS_GET_STATUS.CNF": 1412,
    "VS_GET_VERSION.REQ": 1415,
    "VS_GET_VERSION.CNF": 1416,
    "VS_GET_PWM_CONF.REQ": 1420,
    "VS_GET_PWM_CONF.CNF": 1421,
    "VS_SET_PWM_CONF.REQ": 1425,
    "VS_SET_PWM_CONF.CNF": 1426,
}
"""MMEs of the PWM-equipped vendor set."""

LUMISSIL = {
    "GET_VERSION.REQ": 1500,
    "GET_VERSION.CNF": 1501,
    "D_LINK_STATUS.REQ": 1502,
    "D_LINK_STATUS.CNF": 1503,
    "HOST_MESSAGE.IND": 1504,
}

SDP = _exchanges({"SECCDiscovery": 50, "SECCDiscoveryWireless": 52})

SAP = {"supportedAppProtocolReq": 80, "supportedAppProtocolRes": 81}

DIN70121 = _exchanges(
    {
        "SessionSetup": 100,
        "ServiceDiscovery": 102,
        "ServicePaymentSelection": 104,
        "ContractAuthentication": 106,
        "ChargeParameterDiscovery": 108,
        "PowerDelivery": 110,
        "SessionStop": 112,
        "CableCheck": 114,
        "PreCharge": 116,
        "CurrentDemand": 118,
        "WeldingDetection": 120,
    }
)

ISO15118_2 = _exchanges(
    {
        "SessionSetup": 200,
        "ServiceDiscovery": 202,
        "ServiceDetail": 204,
        "PaymentServiceSelection": 206,
        "PaymentDetails": 208,
        "Authorization": 210,
        "ChargeParameterDiscovery": 212,
        "PowerDelivery": 214,
        "MeteringReceipt": 216,
        "SessionStop": 218,
        "CertificateUpdate": 220,
        "CertificateInstallation": 222,
        "ChargingStatus": 224,
        "CableCheck": 226,
        "PreCharge": 228,
        "CurrentDemand": 230,
        "WeldingDetection": 232,
    }
)

ISO15118_20_COMMON = _exchanges(
    {
        "SessionSetup": 300,
        "AuthorizationSetup": 302,
        "Authorization": 304,
        "ServiceDiscovery": 306,
        "ServiceDetail": 308,
        "ServiceSelection": 310,
        "ScheduleExchange": 312,
        "PowerDelivery": 314,
        "SessionStop": 318,
        "CertificateInstallation": 320,
        "VehicleCheckIn": 322,
        "VehicleCheckOut": 324,
        "MeteringConfirmation": 450,
    }
)

ISO15118_20_AC = _exchanges({"AC_ChargeParameterDiscovery": 326, "AC_ChargeLoop": 328})

ISO15118_20_DC = _exchanges(
    {
        "DC_ChargeParameterDiscovery": 330,
        "DC_CableCheck": 332,
        "DC_PreCharge": 334,
        "DC_ChargeLoop": 336,
        "DC_WeldingDetection": 338,
    }
)

ISO15118_20_WPT = _exchanges(
    {
        "WPT_FinePositioningSetup": 348,
        "WPT_FinePositioning": 350,
        "WPT_Pairing": 352,
        "WPT_ChargeParameterDiscovery": 354,
        "WPT_AlignmentCheck": 356,
        "WPT_ChargeLoop": 358,
    }
)

SCHEDULE_RENEGOTIATION = _exchanges(
    {
        "AC_ChargeParameterDiscovery": 400,
        "DC_ChargeParameterDiscovery": 402,
        "ScheduleExchange": 404,
        "PowerDelivery": 406,
        "WPT_ChargeParameterDiscovery": 408,
    }
)
"""The messages of payload type 0x8101: the same elements as in the main streams, with numbers of their own."""

CCS: Mapping[str, Mapping[str, int]] = {
    "slac": SLAC,
    "vendor": VENDOR,
    "lumissil": LUMISSIL,
    "sdp": SDP,
    "sap": SAP,
    "din70121": DIN70121,
    "iso15118_2": ISO15118_2,
    "iso15118_20_common": ISO15118_20_COMMON,
    "iso15118_20_ac": ISO15118_20_AC,
    "iso15118_20_dc": ISO15118_20_DC,
    "iso15118_20_wpt": ISO15118_20_WPT,
    "schedule_renegotiation": SCHEDULE_RENEGOTIATION,
}


def message_id(schema: str, name: str) -> int | None:
    """The documented number of a message in the CCS binding, or None where none is documented.

    `schema` is the name of an exi schema, "sdp", "slac", "vendor", "lumissil", or "schedule_renegotiation" for what
    comes with payload type 0x8101. `name` is the element's or the MME's name: "CurrentDemandReq", "CM_SLAC_PARM.REQ".
    """
    table = CCS.get(schema)
    return None if table is None else table.get(name)


# --- Modelling libraries ----------------------------------------------------------------------------------------------

MODELLING: Mapping[str, int] = (
    {"Invalid": 0}
    | _exchanges(
        {
            "SECCDiscovery": 1,
            "SupportedAppProtocol": 3,
            "SessionSetup": 5,
            "ServiceDiscovery": 7,
            "ServiceDetail": 9,
            "PaymentServiceSelection": 11,
            "PaymentDetails": 13,
            "Authorization": 15,
            "ChargeParameterDiscovery": 17,
            "PowerDelivery": 19,
            "ChargingStatus": 21,
            "MeteringReceipt": 23,
            "CableCheck": 25,
            "PreCharge": 27,
            "CurrentDemand": 29,
            "WeldingDetection": 31,
            "SessionStop": 33,
            "CertificateUpdate": 35,
            "CertificateInstallation": 37,
        }
    )
    | _exchanges(
        {
            "CmSLACParm": 101,
            "CmValidate": 113,
            "CmSLACMatch": 115,
            "CmSetKey": 117,
            "VsSetKey": 119,
            "CmAmpMap": 121,
            "VsPlLnkStatus": 123,
            "StLinkStatus": 125,
            "VsNwInfo": 127,
            "CcAssoc": 203,
            "CmBridgeInfo": 211,
            "CmHFID": 215,
            "VsGetPWMStats": 217,
            "VsGetPWMConf": 221,
            "VsSetPWMConf": 223,
            "VsGetStatus": 225,
            "VsGetEthPhy": 301,
            "VsGetNwInfo": 303,
            "VsEthStats": 305,
            "VsGetVersion": 307,
            "VsReset": 309,
        },
        response="Cnf",
    )
    | _exchanges(
        {"CmAttenChar": 111, "CmStaIdentify": 209, "CcLinkInfo": 213},
        request="Ind",
        response="Rsp",
    )
    | {
        "CmStartAttenCharInd": 103,
        "CmMNBCSoundInd": 105,
        "CmAttenProfileInd": 107,
        "VsAttenChar": 109,
        "UnassociatedStaInd": 201,
        "CcSetTeiMapInd": 205,
        "CmEncryptedPayloadInd": 207,
        "VsGetPWMStatsInd": 219,
    }
)
"""Message numbers of the modelling libraries: one numbering for discovery, sessions and MMEs."""


# --- OCPP binding -----------------------------------------------------------------------------------------------------

OCPP_COMMON: Mapping[str, int] = {"Undefined": 0, "ErrorResponse": 50}

OCPP16: Mapping[str, int] = _in_order(
    100,
    """
    Authorize BootNotification CancelReservation CertificateSigned ChangeAvailability ChangeConfiguration
    ClearCache ClearChargingProfile DataTransfer DeleteCertificate DiagnosticsStatusNotification
    ExtendedTriggerMessage FirmwareStatusNotification GetCompositeSchedule GetConfiguration GetDiagnostics
    GetInstalledCertificateIds GetLocalListVersion GetLog Heartbeat InstallCertificate LogStatusNotification
    MeterValues RemoteStartTransaction RemoteStopTransaction ReserveNow Reset SecurityEventNotification
    SendLocalList SignedFirmwareStatusNotification SetChargingProfile SignedUpdateFirmware SignCertificate
    StartTransaction StatusNotification StopTransaction TriggerMessage UnlockConnector UpdateFirmware
    """,
)

OCPP201: Mapping[str, int] = _in_order(
    200,
    """
    Authorize BootNotification CancelReservation CertificateSigned ChangeAvailability ClearCache
    ClearChargingProfile ClearDisplayMessage ClearedChargingLimit ClearVariableMonitoring CostUpdated
    CustomerInformation DataTransfer DeleteCertificate FirmwareStatusNotification Get15118EVCertificate
    GetBaseReport GetCertificateStatus GetChargingProfiles GetCompositeSchedule GetDisplayMessages
    GetInstalledCertificateIds GetLocalListVersion GetLog GetMonitoringReport GetReport GetTransactionStatus
    GetVariables Heartbeat InstallCertificate LogStatusNotification MeterValues NotifyChargingLimit
    NotifyCustomerInformation NotifyDisplayMessages NotifyEVChargingNeeds NotifyEVChargingSchedule NotifyEvent
    NotifyMonitoringReport NotifyReport PublishFirmware PublishFirmwareStatusNotification ReportChargingProfiles
    RequestStartTransaction RequestStopTransaction ReservationStatusUpdate ReserveNow Reset
    SecurityEventNotification SendLocalList SetChargingProfile SetDisplayMessage SetMonitoringBase
    SetMonitoringLevel SetNetworkProfile SetVariableMonitoring SetVariables SignCertificate StatusNotification
    TransactionEvent TriggerMessage UnlockConnector UnpublishFirmware UpdateFirmware
    """,
)
