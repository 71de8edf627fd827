"""ISO 15118-20: the types that all its message sets share (`urn:iso:std:iso:15118:-20:CommonTypes`).

Every message inherits `V2GRequest` or `V2GResponse`, so Header and ResponseCode are declared here once. The message
sets derive their charge loops, charge parameter discoveries and control modes from the classes here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from exi.declare import (
    Byte,
    Integer,
    Message,
    Namespace,
    Short,
    UnsignedInt,
    UnsignedLong,
    UnsignedShort,
    base64_binary,
    hex_binary,
    occurs,
    ref,
    string,
)
from exi.messages.xmldsig import Signature, X509IssuerSerial

CT = Namespace("urn:iso:std:iso:15118:-20:CommonTypes", prefix="ct", qualified_attributes=True)

# Identifiers and simple types

NumericID = Annotated[int, Integer(1, 2**32 - 1)]
SessionID = Annotated[bytes, hex_binary(8, 8)]
PercentValue = Annotated[int, Integer(0, 100)]
Identifier = Annotated[str, string(255)]
Name = Annotated[str, string(80)]
Description = Annotated[str, string(160)]
MeterID = Annotated[str, string(32)]
MeterSignature = Annotated[bytes, base64_binary(64)]


class EVSENotification(StrEnum):
    """What the station wants the vehicle to do next. There is no value for "nothing": EVSEStatus is then absent."""

    Pause = "Pause"
    ExitStandby = "ExitStandby"
    Terminate = "Terminate"
    ScheduleRenegotiation = "ScheduleRenegotiation"
    ServiceRenegotiation = "ServiceRenegotiation"
    MeteringConfirmation = "MeteringConfirmation"


class Processing(StrEnum):
    """Whether the sender has its final answer, or needs more rounds of the same message."""

    Finished = "Finished"
    Ongoing = "Ongoing"
    Ongoing_WaitingForCustomerInteraction = "Ongoing_WaitingForCustomerInteraction"


class ResponseCode(StrEnum):
    """The outcome of a request. FAILED and everything that begins with it ends the session; a WARNING does not."""

    OK = "OK"
    OK_CertificateExpiresSoon = "OK_CertificateExpiresSoon"
    OK_NewSessionEstablished = "OK_NewSessionEstablished"
    OK_OldSessionJoined = "OK_OldSessionJoined"
    OK_PowerToleranceConfirmed = "OK_PowerToleranceConfirmed"
    WARNING_AuthorizationSelectionInvalid = "WARNING_AuthorizationSelectionInvalid"
    WARNING_CertificateExpired = "WARNING_CertificateExpired"
    WARNING_CertificateNotYetValid = "WARNING_CertificateNotYetValid"
    WARNING_CertificateRevoked = "WARNING_CertificateRevoked"
    WARNING_CertificateValidationError = "WARNING_CertificateValidationError"
    WARNING_ChallengeInvalid = "WARNING_ChallengeInvalid"
    WARNING_EIMAuthorizationFailure = "WARNING_EIMAuthorizationFailure"
    WARNING_eMSPUnknown = "WARNING_eMSPUnknown"
    WARNING_EVPowerProfileViolation = "WARNING_EVPowerProfileViolation"
    WARNING_GeneralPnCAuthorizationError = "WARNING_GeneralPnCAuthorizationError"
    WARNING_NoCertificateAvailable = "WARNING_NoCertificateAvailable"
    WARNING_NoContractMatchingPCIDFound = "WARNING_NoContractMatchingPCIDFound"
    WARNING_PowerToleranceNotConfirmed = "WARNING_PowerToleranceNotConfirmed"
    WARNING_ScheduleRenegotiationFailed = "WARNING_ScheduleRenegotiationFailed"
    WARNING_StandbyNotAllowed = "WARNING_StandbyNotAllowed"
    WARNING_WPT = "WARNING_WPT"
    FAILED = "FAILED"
    FAILED_AssociationError = "FAILED_AssociationError"
    FAILED_ContactorError = "FAILED_ContactorError"
    FAILED_EVPowerProfileInvalid = "FAILED_EVPowerProfileInvalid"
    FAILED_EVPowerProfileViolation = "FAILED_EVPowerProfileViolation"
    FAILED_MeteringSignatureNotValid = "FAILED_MeteringSignatureNotValid"
    FAILED_NoEnergyTransferServiceSelected = "FAILED_NoEnergyTransferServiceSelected"
    FAILED_NoServiceRenegotiationSupported = "FAILED_NoServiceRenegotiationSupported"
    FAILED_PauseNotAllowed = "FAILED_PauseNotAllowed"
    FAILED_PowerDeliveryNotApplied = "FAILED_PowerDeliveryNotApplied"
    FAILED_PowerToleranceNotConfirmed = "FAILED_PowerToleranceNotConfirmed"
    FAILED_ScheduleRenegotiation = "FAILED_ScheduleRenegotiation"
    FAILED_ScheduleSelectionInvalid = "FAILED_ScheduleSelectionInvalid"
    FAILED_SequenceError = "FAILED_SequenceError"
    FAILED_ServiceIDInvalid = "FAILED_ServiceIDInvalid"
    FAILED_ServiceSelectionInvalid = "FAILED_ServiceSelectionInvalid"
    FAILED_SignatureError = "FAILED_SignatureError"
    FAILED_UnknownSession = "FAILED_UnknownSession"
    FAILED_WrongChargeParameter = "FAILED_WrongChargeParameter"


# Complex types


@CT.type
class RationalNumber(Message, kw_only=True):
    """A measured or wanted quantity: Value times ten to the power of Exponent. The field says the unit."""

    Exponent: Byte
    Value: Short


@CT.type
class DisplayParameters(Message, kw_only=True):
    """What the vehicle lets the station show to its user."""

    PresentSOC: PercentValue | None = None
    """%."""
    MinimumSOC: PercentValue | None = None
    """%."""
    TargetSOC: PercentValue | None = None
    """%."""
    MaximumSOC: PercentValue | None = None
    """%."""
    RemainingTimeToMinimumSOC: UnsignedInt | None = None
    """s."""
    RemainingTimeToTargetSOC: UnsignedInt | None = None
    """s."""
    RemainingTimeToMaximumSOC: UnsignedInt | None = None
    """s."""
    ChargingComplete: bool | None = None
    BatteryEnergyCapacity: RationalNumber | None = None
    """Wh."""
    InletHot: bool | None = None
    """Whether the inlet is so hot that it holds the vehicle back."""


@CT.type
class EVSEStatus(Message, kw_only=True):
    """What the station wants of the vehicle; absent in normal operation."""

    NotificationMaxDelay: UnsignedShort
    """s until the notification is to be followed; 0 is now."""
    EVSENotification: EVSENotification


@CT.type
class MeterInfo(Message, kw_only=True):
    """A reading of the station's meter. The registers count over the meter's life, not over the session."""

    MeterID: MeterID
    ChargedEnergyReadingWh: UnsignedLong
    """Energy to vehicles, Wh."""
    BPT_DischargedEnergyReadingWh: UnsignedLong | None = None
    """Energy from vehicles, Wh."""
    CapacitiveEnergyReadingVARh: UnsignedLong | None = None
    """VARh."""
    BPT_InductiveEnergyReadingVARh: UnsignedLong | None = None
    """VARh."""
    MeterSignature: MeterSignature | None = None
    MeterStatus: Short | None = None
    MeterTimestamp: UnsignedLong | None = None
    """Time of the reading, seconds since 1970."""


@CT.type
class DetailedCost(Message, kw_only=True):
    """One cost item of a receipt."""

    Amount: RationalNumber
    """In the currency of the price schedule."""
    CostPerUnit: RationalNumber
    """In the same currency, for one unit of what is counted."""


@CT.type
class DetailedTax(Message, kw_only=True):
    """What one tax rule adds to a receipt."""

    TaxRuleID: NumericID
    """The rule in the price schedule."""
    Amount: RationalNumber
    """In the currency of the price schedule."""


@CT.type
class Receipt(Message, kw_only=True):
    """The costs so far, by kind."""

    TimeAnchor: UnsignedLong
    """Seconds since 1970."""
    EnergyCosts: DetailedCost | None = None
    OccupancyCosts: DetailedCost | None = None
    AdditionalServicesCosts: DetailedCost | None = None
    OverstayCosts: DetailedCost | None = None
    TaxCosts: Annotated[list[DetailedTax], occurs(0, 10)] = []


@CT.type
class ListOfRootCertificateIDs(Message, kw_only=True):
    """Root certificates that the vehicle has."""

    RootCertificateID: Annotated[list[X509IssuerSerial], occurs(1, 20)]


# Bases of the messages


@CT.type
class MessageHeader(Message, kw_only=True):
    """Header of every message: whose session it is, and when it was made."""

    SessionID: SessionID
    """8 zero octets ask for a new session."""
    TimeStamp: UnsignedLong
    """Seconds since 1970."""
    Signature: Annotated[Signature | None, ref] = None


@CT.type
class V2GMessage(Message, kw_only=True):
    """Base of every message."""

    Header: MessageHeader


@CT.type
class V2GRequest(V2GMessage, kw_only=True):
    """Base of every request."""


@CT.type
class V2GResponse(V2GMessage, kw_only=True):
    """Base of every response."""

    ResponseCode: ResponseCode


@CT.type
class ChargeParameterDiscoveryReq(V2GRequest, kw_only=True):
    """Base of the requests in which the vehicle tells its limits."""


@CT.type
class ChargeParameterDiscoveryRes(V2GResponse, kw_only=True):
    """Base of the responses in which the station tells its limits."""


@CT.type
class ChargeLoopReq(V2GRequest, kw_only=True):
    """Base of the requests that are repeated while energy flows."""

    DisplayParameters: DisplayParameters | None = None
    MeterInfoRequested: bool
    """Whether the response must have MeterInfo."""


@CT.type
class ChargeLoopRes(V2GResponse, kw_only=True):
    """Base of the responses that are repeated while energy flows."""

    EVSEStatus: EVSEStatus | None = None
    MeterInfo: MeterInfo | None = None
    Receipt: Receipt | None = None


# Control modes of the charge loop


@CT.element
class CLReqControlMode(Message, kw_only=True):
    """Head of the control modes in a charge loop request."""


@CT.element
class CLResControlMode(Message, kw_only=True):
    """Head of the control modes in a charge loop response."""


@CT.type
class Scheduled_CLReqControlMode(CLReqControlMode, kw_only=True):
    """Base of the requests under a schedule that was agreed before. Energies may be negative where it can flow back."""

    EVTargetEnergyRequest: RationalNumber | None = None
    """Energy up to the target state of charge, Wh."""
    EVMaximumEnergyRequest: RationalNumber | None = None
    """Energy that the battery can still take, Wh."""
    EVMinimumEnergyRequest: RationalNumber | None = None
    """Energy up to the least state of charge that the user accepts, Wh."""


@CT.type
class Scheduled_CLResControlMode(CLResControlMode, kw_only=True):
    """Base of the responses under a schedule that was agreed before."""


@CT.type
class Dynamic_CLReqControlMode(CLReqControlMode, kw_only=True):
    """Base of the requests where the station chooses the power. Energies may be negative where it can flow back."""

    DepartureTime: UnsignedInt | None = None
    """s from the message's TimeStamp."""
    EVTargetEnergyRequest: RationalNumber
    """Energy up to the target state of charge, Wh."""
    EVMaximumEnergyRequest: RationalNumber
    """Energy that the battery can still take, Wh."""
    EVMinimumEnergyRequest: RationalNumber
    """Energy up to the least state of charge that the user accepts, Wh."""


@CT.type
class Dynamic_CLResControlMode(CLResControlMode, kw_only=True):
    """Base of the responses where the station chooses the power."""

    DepartureTime: UnsignedInt | None = None
    """s from the message's TimeStamp."""
    MinimumSOC: PercentValue | None = None
    """%."""
    TargetSOC: PercentValue | None = None
    """%."""
    AckMaxDelay: UnsignedShort | None = None
    """s in which the vehicle must follow a new operating point."""
