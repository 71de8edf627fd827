"""ISO 15118-20, automatic connection by pantograph or the like (ACDP): positioning, connecting and device status.

The XML schema `urn:iso:std:iso:15118:-20:ACDP`. Charging itself uses the messages of `dc`, and the rest of the session
those of `common`. ACDP_SystemStatusReq and its response have a payload type of their own and run beside the others.
"""

from __future__ import annotations

from enum import StrEnum

from exi.declare import Message, Namespace, SchemaSet, Short
from exi.messages.iso15118_20.types import CT, PercentValue, Processing, RationalNumber, V2GRequest, V2GResponse
from exi.messages.xmldsig import DS

ACDP = Namespace("urn:iso:std:iso:15118:-20:ACDP", prefix="acdp", qualified_attributes=True)


class CpStatus(StrEnum):
    """The state of the control pilot as the vehicle sees it."""

    StateA = "StateA"
    StateB = "StateB"
    StateC = "StateC"
    StateD = "StateD"
    StateE = "StateE"


class ErrorCode(StrEnum):
    """The vehicle's own view of what is wrong with it."""

    OK_NoEVError = "OK_NoEVError"
    FAILED = "FAILED"
    FAILED_EmergencyEvent = "FAILED_EmergencyEvent"
    FAILED_Breaker = "FAILED_Breaker"
    FAILED_RESSTemperatureInhibit = "FAILED_RESSTemperatureInhibit"
    FAILED_RESS = "FAILED_RESS"
    FAILED_ChargingCurrentDifferential = "FAILED_ChargingCurrentDifferential"
    FAILED_ChargingVoltageOutOfRange = "FAILED_ChargingVoltageOutOfRange"
    FAILED_Reserved1 = "FAILED_Reserved1"
    FAILED_Reserved2 = "FAILED_Reserved2"


class IsolationStatus(StrEnum):
    """Result of the isolation test between the DC conductors and earth."""

    Invalid = "Invalid"
    Safe = "Safe"
    Warning = "Warning"
    Fault = "Fault"


class ElectricalChargingDeviceStatus(StrEnum):
    """Electrical state of the connection, named like the states of the control pilot."""

    State_A = "State_A"
    State_B = "State_B"
    State_C = "State_C"
    State_D = "State_D"


class MechanicalChargingDeviceStatus(StrEnum):
    """Where the connecting device is: Home is away from the vehicle, EndPosition in contact."""

    Home = "Home"
    Moving = "Moving"
    EndPosition = "EndPosition"


@ACDP.type
class EVTechnicalStatus(Message, kw_only=True):
    """The state of the vehicle."""

    EVReadyToCharge: bool
    EVImmobilizationRequest: bool
    EVImmobilized: bool | None = None
    EVWLANStrength: RationalNumber | None = None
    """Strength of the received WLAN signal."""
    EVCPStatus: CpStatus | None = None
    EVSOC: PercentValue | None = None
    """State of charge of the battery, %."""
    EVErrorCode: ErrorCode | None = None
    EVTimeout: bool | None = None


@ACDP.element
class ACDP_VehiclePositioningReq(V2GRequest, kw_only=True):
    """The vehicle says whether it still moves; repeated until it stands in position."""

    EVMobilityStatus: bool
    EVPositioningSupport: bool


@ACDP.element
class ACDP_VehiclePositioningRes(V2GResponse, kw_only=True):
    """How far the vehicle is off the charging position."""

    EVSEProcessing: Processing
    EVSEPositioningSupport: bool
    EVRelativeXDeviation: Short
    """How far the vehicle is off the charging position in X."""
    EVRelativeYDeviation: Short
    """How far the vehicle is off the charging position in Y."""
    ContactWindowXc: Short
    ContactWindowYc: Short
    EVInChargePosition: bool


@ACDP.element
class ACDP_ConnectReq(V2GRequest, kw_only=True):
    """The vehicle asks the station to make contact; repeated until the answer is Finished."""

    EVElectricalChargingDeviceStatus: ElectricalChargingDeviceStatus


@ACDP.element
class ACDP_ConnectRes(V2GResponse, kw_only=True):
    """How far the device is on its way to the vehicle; connected when it is in EndPosition."""

    EVSEProcessing: Processing
    EVSEElectricalChargingDeviceStatus: ElectricalChargingDeviceStatus
    EVSEMechanicalChargingDeviceStatus: MechanicalChargingDeviceStatus


# The schema gives these two the types of ACDP_ConnectReq and ACDP_ConnectRes. They are no subclasses of them, so that
# isinstance tells connecting from disconnecting.


@ACDP.element
class ACDP_DisconnectReq(V2GRequest, kw_only=True):
    """The vehicle asks the station to break contact; repeated until the answer is Finished."""

    EVElectricalChargingDeviceStatus: ElectricalChargingDeviceStatus


@ACDP.element
class ACDP_DisconnectRes(V2GResponse, kw_only=True):
    """How far the device is on its way back; disconnected when it is at Home."""

    EVSEProcessing: Processing
    EVSEElectricalChargingDeviceStatus: ElectricalChargingDeviceStatus
    EVSEMechanicalChargingDeviceStatus: MechanicalChargingDeviceStatus


@ACDP.element
class ACDP_SystemStatusReq(V2GRequest, kw_only=True):
    """The vehicle reports its state, from connecting to disconnecting."""

    EVTechnicalStatus: EVTechnicalStatus


@ACDP.element
class ACDP_SystemStatusRes(V2GResponse, kw_only=True):
    """The station reports its state."""

    EVSEMechanicalChargingDeviceStatus: MechanicalChargingDeviceStatus
    EVSEReadyToCharge: bool
    EVSEIsolationStatus: IsolationStatus
    EVSEDisabled: bool
    EVSEUtilityInterruptEvent: bool
    EVSEEmergencyShutdown: bool
    EVSEMalfunction: bool
    EVInChargePosition: bool
    EVAssociationStatus: bool


SCHEMA = SchemaSet(
    "iso15118_20_acdp",
    roots=(
        ACDP_VehiclePositioningReq,
        ACDP_VehiclePositioningRes,
        ACDP_ConnectReq,
        ACDP_ConnectRes,
        ACDP_DisconnectReq,
        ACDP_DisconnectRes,
        ACDP_SystemStatusReq,
        ACDP_SystemStatusRes,
    ),
    namespaces=(ACDP, CT, DS),
)
