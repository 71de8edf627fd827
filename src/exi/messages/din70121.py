"""DIN SPEC 70121: every message of the schema, in its own spelling.

The XML schema set `urn:din:70121:2012:{MsgDef,MsgHeader,MsgBody,MsgDataTypes}` with XML Signature. It is an early
relative of ISO 15118-2 with the same names but other content. DC charging uses the messages up to
WeldingDetectionRes; the AC, contract and certificate messages belong to the schema but not to the sessions of
DIN 70121. Lists are unbounded.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from exi.declare import (
    Byte,
    Int,
    Integer,
    Long,
    Message,
    Namespace,
    SchemaSet,
    Short,
    UnsignedByte,
    UnsignedInt,
    UnsignedShort,
    attribute,
    base64_binary,
    choice,
    hex_binary,
    occurs,
    ref,
    string,
)
from exi.messages import xmldsig
from exi.messages.xmldsig import Signature

DEF = Namespace("urn:din:70121:2012:MsgDef", prefix="v2g")
HEADER = Namespace("urn:din:70121:2012:MsgHeader", prefix="hd")
BODY = Namespace("urn:din:70121:2012:MsgBody", prefix="bd")
DATA = Namespace("urn:din:70121:2012:MsgDataTypes", prefix="dt")

# Identifiers and simple types

MeterStatus = Short
PMax = Short
PercentValue = Annotated[int, Integer(0, 100)]
FaultMsg = Annotated[str, string(64)]
ServiceName = Annotated[str, string(32)]
ServiceScope = Annotated[str, string(32)]
GenChallenge = str
Certificate = Annotated[bytes, base64_binary(1200)]
RootCertificateID = Annotated[str, string(40)]
DHParams = Annotated[bytes, base64_binary(256)]
PrivateKey = Annotated[bytes, base64_binary(128)]
SigMeterReading = Annotated[bytes, base64_binary(32)]
SessionID = Annotated[bytes, hex_binary(8)]
EvccID = Annotated[bytes, hex_binary(8)]
EvseID = Annotated[bytes, hex_binary(32)]
ServiceID = UnsignedShort
ContractID = Annotated[str, string(24)]
MeterID = Annotated[str, string(32)]
SAID = Short
TariffDescription = Annotated[str, string(32)]
UnitMultiplier = Annotated[int, Integer(-3, 3)]


class ParameterValue(StrEnum):
    """Which branch of a `Parameter` is in use."""

    bool = "bool"
    byte = "byte"
    short = "short"
    int = "int"
    physicalValue = "physicalValue"
    string = "string"


class EVSEProcessing(StrEnum):
    """Whether the station has its final answer, or wants to be asked again."""

    Finished = "Finished"
    Ongoing = "Ongoing"


class EVSENotification(StrEnum):
    """What the station wants the vehicle to do next."""

    None_ = "None"
    StopCharging = "StopCharging"
    ReNegotiation = "ReNegotiation"


class ServiceCategory(StrEnum):
    """What kind of service a service tag describes."""

    EVCharging = "EVCharging"
    Internet = "Internet"
    ContractCertificate = "ContractCertificate"
    OtherCustom = "OtherCustom"


class EVSESupportedEnergyTransfer(StrEnum):
    """What the outlet can deliver. DC charging over Combo pins is DC_extended."""

    AC_single_phase_core = "AC_single_phase_core"
    AC_three_phase_core = "AC_three_phase_core"
    DC_core = "DC_core"
    DC_extended = "DC_extended"
    DC_combo_core = "DC_combo_core"
    DC_dual = "DC_dual"
    AC_core1p_DC_extended = "AC_core1p_DC_extended"
    AC_single_DC_core = "AC_single_DC_core"
    AC_single_phase_three_phase_core_DC_extended = "AC_single_phase_three_phase_core_DC_extended"
    AC_core3p_DC_extended = "AC_core3p_DC_extended"


class EVRequestedEnergyTransfer(StrEnum):
    """What the vehicle wants to receive."""

    AC_single_phase_core = "AC_single_phase_core"
    AC_three_phase_core = "AC_three_phase_core"
    DC_core = "DC_core"
    DC_extended = "DC_extended"
    DC_combo_core = "DC_combo_core"
    DC_unique = "DC_unique"


class CostKind(StrEnum):
    """What the cost figures of a tariff entry count."""

    relativePricePercentage = "relativePricePercentage"
    RenewableGenerationPercentage = "RenewableGenerationPercentage"
    CarbonDioxideEmission = "CarbonDioxideEmission"


class PaymentOption(StrEnum):
    """How the session is paid for. DIN 70121 uses ExternalPayment alone [V2G-DC-252]."""

    Contract = "Contract"
    ExternalPayment = "ExternalPayment"


class FaultCode(StrEnum):
    """Why a peer could not process a message; carried in the header."""

    ParsingError = "ParsingError"
    NoTLSRootCertificatAvailable = "NoTLSRootCertificatAvailable"
    UnknownError = "UnknownError"


class ResponseCode(StrEnum):
    """The outcome of a request. Everything that begins with FAILED ends the session [V2G-DC-665]."""

    OK = "OK"
    OK_NewSessionEstablished = "OK_NewSessionEstablished"
    OK_OldSessionJoined = "OK_OldSessionJoined"
    OK_CertificateExpiresSoon = "OK_CertificateExpiresSoon"
    FAILED = "FAILED"
    FAILED_SequenceError = "FAILED_SequenceError"
    FAILED_ServiceIDInvalid = "FAILED_ServiceIDInvalid"
    FAILED_UnknownSession = "FAILED_UnknownSession"
    FAILED_ServiceSelectionInvalid = "FAILED_ServiceSelectionInvalid"
    FAILED_PaymentSelectionInvalid = "FAILED_PaymentSelectionInvalid"
    FAILED_CertificateExpired = "FAILED_CertificateExpired"
    FAILED_SignatureError = "FAILED_SignatureError"
    FAILED_NoCertificateAvailable = "FAILED_NoCertificateAvailable"
    FAILED_CertChainError = "FAILED_CertChainError"
    FAILED_ChallengeInvalid = "FAILED_ChallengeInvalid"
    FAILED_ContractCanceled = "FAILED_ContractCanceled"
    FAILED_WrongChargeParameter = "FAILED_WrongChargeParameter"
    FAILED_PowerDeliveryNotApplied = "FAILED_PowerDeliveryNotApplied"
    FAILED_TariffSelectionInvalid = "FAILED_TariffSelectionInvalid"
    FAILED_ChargingProfileInvalid = "FAILED_ChargingProfileInvalid"
    FAILED_EVSEPresentVoltageToLow = "FAILED_EVSEPresentVoltageToLow"
    FAILED_MeteringSignatureNotValid = "FAILED_MeteringSignatureNotValid"
    FAILED_WrongEnergyTransferType = "FAILED_WrongEnergyTransferType"


class UnitSymbol(StrEnum):
    """The unit of a `PhysicalValue`."""

    h = "h"
    m = "m"
    s = "s"
    A = "A"
    Ah = "Ah"
    V = "V"
    VA = "VA"
    W = "W"
    W_per_s = "W/s"
    Wh = "Wh"


class DC_EVSEStatusCode(StrEnum):
    """The state of the DC supply as the vehicle must act on it."""

    EVSE_NotReady = "EVSE_NotReady"
    EVSE_Ready = "EVSE_Ready"
    EVSE_Shutdown = "EVSE_Shutdown"
    EVSE_UtilityInterruptEvent = "EVSE_UtilityInterruptEvent"
    EVSE_IsolationMonitoringActive = "EVSE_IsolationMonitoringActive"
    EVSE_EmergencyShutdown = "EVSE_EmergencyShutdown"
    EVSE_Malfunction = "EVSE_Malfunction"
    Reserved_8 = "Reserved_8"
    Reserved_9 = "Reserved_9"
    Reserved_A = "Reserved_A"
    Reserved_B = "Reserved_B"
    Reserved_C = "Reserved_C"


class IsolationLevel(StrEnum):
    """Result of the isolation test between the DC conductors and earth."""

    Invalid = "Invalid"
    Valid = "Valid"
    Warning = "Warning"
    Fault = "Fault"


class DC_EVErrorCode(StrEnum):
    """The vehicle's own view of what is wrong with it."""

    NO_ERROR = "NO_ERROR"
    FAILED_RESSTemperatureInhibit = "FAILED_RESSTemperatureInhibit"
    FAILED_EVShiftPosition = "FAILED_EVShiftPosition"
    FAILED_ChargerConnectorLockFault = "FAILED_ChargerConnectorLockFault"
    FAILED_EVRESSMalfunction = "FAILED_EVRESSMalfunction"
    FAILED_ChargingCurrentdifferential = "FAILED_ChargingCurrentdifferential"
    FAILED_ChargingVoltageOutOfRange = "FAILED_ChargingVoltageOutOfRange"
    Reserved_A = "Reserved_A"
    Reserved_B = "Reserved_B"
    Reserved_C = "Reserved_C"
    FAILED_ChargingSystemIncompatibility = "FAILED_ChargingSystemIncompatibility"
    NoData = "NoData"


@DATA.type
class Notification(Message, kw_only=True):
    """Header element that reports a fault in the message before."""

    FaultCode: FaultCode
    FaultMsg: FaultMsg | None = None


@HEADER.type
class MessageHeader(Message, kw_only=True):
    """Header of every message: whose session it is."""

    SessionID: SessionID
    Notification: Notification | None = None
    Signature: Annotated[Signature | None, ref] = None


@DEF.element
class BodyElement(Message, kw_only=True):
    """Head of the substitution group of all requests and responses."""


@DEF.type
class Body(Message, kw_only=True):
    """Body of a message; empty is allowed."""

    BodyElement: Annotated[BodyElement | None, ref] = None


@DEF.element
class V2G_Message(Message, kw_only=True):
    """The document: one header, one request or response."""

    Header: MessageHeader
    Body: Body


@DATA.type
class ServiceTag(Message, kw_only=True):
    """Identity of a service."""

    ServiceID: ServiceID
    ServiceName: ServiceName | None = None
    ServiceCategory: ServiceCategory
    ServiceScope: ServiceScope | None = None


@DATA.type
class Service(Message, kw_only=True):
    """A service and whether it is free of charge."""

    ServiceTag: ServiceTag
    FreeService: bool


@DATA.type
class ServiceTagList(Message, kw_only=True):
    """Further services that the station offers."""

    Service: Annotated[list[Service], occurs(1)]


@DATA.type
class SelectedService(Message, kw_only=True):
    """One service that the vehicle chooses."""

    ServiceID: ServiceID
    ParameterSetID: Short | None = None


@DATA.type
class SelectedServiceList(Message, kw_only=True):
    """The services that the vehicle chooses."""

    SelectedService: Annotated[list[SelectedService], occurs(1)]


@DATA.type
class PhysicalValue(Message, kw_only=True):
    """A measured or wanted quantity: Value times ten to the power of Multiplier, in Unit."""

    Multiplier: UnitMultiplier
    Unit: UnitSymbol | None = None
    Value: Short


@DATA.type
class Parameter(Message, kw_only=True):
    """One named parameter of a service: exactly one of the values."""

    Name: Annotated[str, attribute]
    ValueType: Annotated[ParameterValue, attribute]
    boolValue: Annotated[bool | None, choice("value")] = None
    byteValue: Annotated[Byte | None, choice("value")] = None
    shortValue: Annotated[Short | None, choice("value")] = None
    intValue: Annotated[Int | None, choice("value")] = None
    physicalValue: Annotated[PhysicalValue | None, choice("value")] = None
    stringValue: Annotated[str | None, choice("value")] = None


@DATA.type
class ParameterSet(Message, kw_only=True):
    """Parameters that belong together and are chosen together."""

    ParameterSetID: Short
    Parameter: Annotated[list[Parameter], occurs(1)]


@DATA.type
class ServiceParameterList(Message, kw_only=True):
    """The parameter sets of a service."""

    ParameterSet: Annotated[list[ParameterSet], occurs(1)]


@DATA.element
class ServiceCharge(Service, kw_only=True):
    """The charging service and the energy transfer it offers."""

    EnergyTransferType: EVSESupportedEnergyTransfer


@DATA.type
class SubCertificates(Message, kw_only=True):
    """Intermediate certificates, DER."""

    Certificate: Annotated[list[Certificate], occurs(1)]


@DATA.type
class CertificateChain(Message, kw_only=True):
    """A leaf certificate and what leads to its root, DER."""

    Certificate: Certificate
    SubCertificates: SubCertificates | None = None


@DATA.type
class ListOfRootCertificateIDs(Message, kw_only=True):
    """Root certificates that the vehicle has."""

    RootCertificateID: Annotated[list[RootCertificateID], occurs(1)]


@DATA.type
class MeterInfo(Message, kw_only=True):
    """A reading of the station's meter."""

    MeterID: MeterID
    MeterReading: PhysicalValue | None = None
    """Energy, Wh."""
    SigMeterReading: SigMeterReading | None = None
    MeterStatus: MeterStatus | None = None
    TMeter: Long | None = None
    """Time of the reading, seconds since 1970."""


@DATA.element
class SASchedules(Message, kw_only=True):
    """Head of the schedule lists. Stations send it empty while EVSEProcessing is Ongoing."""


@DATA.element
class TimeInterval(Message, kw_only=True):
    """Head of the time intervals."""


@DATA.element
class Entry(Message, kw_only=True):
    """Head of the schedule and tariff entries."""

    TimeInterval: Annotated[TimeInterval, ref]


@DATA.element
class PMaxScheduleEntry(Entry, kw_only=True):
    """The power limit from a point in time on."""

    PMax: PMax
    """W."""


@DATA.type
class PMaxSchedule(Message, kw_only=True):
    """Power limits over time."""

    PMaxScheduleID: SAID
    PMaxScheduleEntry: Annotated[list[PMaxScheduleEntry], ref, occurs(1)]


@DATA.type
class Cost(Message, kw_only=True):
    """One cost figure of a tariff entry."""

    costKind: CostKind
    amount: UnsignedInt
    amountMultiplier: UnitMultiplier | None = None


@DATA.type
class ConsumptionCost(Message, kw_only=True):
    """Costs from a given consumption on."""

    startValue: UnsignedInt
    Cost: Annotated[list[Cost], occurs(0)] = []


@DATA.element
class SalesTariffEntry(Entry, kw_only=True):
    """Price level from a point in time on."""

    EPriceLevel: UnsignedByte
    ConsumptionCost: Annotated[list[ConsumptionCost], occurs(0)] = []


@DATA.type
class SalesTariff(Message, kw_only=True):
    """Prices over time; not used in DIN 70121 [V2G-DC-554]."""

    Id: Annotated[str, attribute]
    SalesTariffID: SAID
    SalesTariffDescription: TariffDescription | None = None
    NumEPriceLevels: UnsignedByte
    SalesTariffEntry: Annotated[list[SalesTariffEntry], ref, occurs(1)]


@DATA.type
class SAScheduleTuple(Message, kw_only=True):
    """One schedule that the vehicle may choose."""

    SAScheduleTupleID: SAID
    PMaxSchedule: PMaxSchedule
    SalesTariff: SalesTariff | None = None


@DATA.element
class SAScheduleList(SASchedules, kw_only=True):
    """The schedules that the vehicle may choose from."""

    SAScheduleTuple: Annotated[list[SAScheduleTuple], occurs(1)]


@DATA.element
class RelativeTimeInterval(TimeInterval, kw_only=True):
    """An interval counted from now."""

    start: UnsignedInt
    """s from now."""
    duration: UnsignedInt | None = None
    """s; without it the interval lasts until the next one."""


@DATA.element
class EVSEStatus(Message, kw_only=True):
    """Head of the station's status elements."""


@DATA.element
class AC_EVSEStatus(EVSEStatus, kw_only=True):
    """Status of an AC outlet."""

    PowerSwitchClosed: bool
    RCD: bool
    NotificationMaxDelay: UnsignedInt
    """s until the notification is to be followed."""
    EVSENotification: EVSENotification


@DATA.element
class EVStatus(Message, kw_only=True):
    """Head of the vehicle's status elements."""


@DATA.element
class DC_EVSEStatus(EVSEStatus, kw_only=True):
    """Status of a DC outlet."""

    EVSEIsolationStatus: IsolationLevel | None = None
    EVSEStatusCode: DC_EVSEStatusCode
    NotificationMaxDelay: UnsignedInt
    """s until the notification is to be followed; 0 is now."""
    EVSENotification: EVSENotification


@DATA.element
class DC_EVStatus(EVStatus, kw_only=True):
    """Status of the vehicle while charging with DC."""

    EVReady: bool
    EVCabinConditioning: bool | None = None
    EVRESSConditioning: bool | None = None
    EVErrorCode: DC_EVErrorCode
    EVRESSSOC: PercentValue
    """State of charge of the battery, %."""


@DATA.element
class EVChargeParameter(Message, kw_only=True):
    """Head of the vehicle's charge parameters."""


@DATA.element
class AC_EVChargeParameter(EVChargeParameter, kw_only=True):
    """What a vehicle wants of an AC outlet."""

    DepartureTime: UnsignedInt
    """s from now."""
    EAmount: PhysicalValue
    """Wh."""
    EVMaxVoltage: PhysicalValue
    """V."""
    EVMaxCurrent: PhysicalValue
    """A."""
    EVMinCurrent: PhysicalValue
    """A."""


@DATA.element
class DC_EVChargeParameter(EVChargeParameter, kw_only=True):
    """Limits and needs of a vehicle at a DC outlet."""

    DC_EVStatus: DC_EVStatus
    EVMaximumCurrentLimit: PhysicalValue
    """A."""
    EVMaximumPowerLimit: PhysicalValue | None = None
    """W."""
    EVMaximumVoltageLimit: PhysicalValue
    """V."""
    EVEnergyCapacity: PhysicalValue | None = None
    """Wh."""
    EVEnergyRequest: PhysicalValue | None = None
    """Wh."""
    FullSOC: PercentValue | None = None
    """State of charge that the vehicle calls full, %."""
    BulkSOC: PercentValue | None = None
    """State of charge at which fast charging ends, %."""


@DATA.element
class EVSEChargeParameter(Message, kw_only=True):
    """Head of the station's charge parameters."""


@DATA.element
class AC_EVSEChargeParameter(EVSEChargeParameter, kw_only=True):
    """What an AC outlet can deliver."""

    AC_EVSEStatus: AC_EVSEStatus
    EVSEMaxVoltage: PhysicalValue
    """V."""
    EVSEMaxCurrent: PhysicalValue
    """A."""
    EVSEMinCurrent: PhysicalValue
    """A."""


@DATA.element
class DC_EVSEChargeParameter(EVSEChargeParameter, kw_only=True):
    """What a DC outlet can deliver."""

    DC_EVSEStatus: DC_EVSEStatus
    EVSEMaximumCurrentLimit: PhysicalValue
    """A."""
    EVSEMaximumPowerLimit: PhysicalValue | None = None
    """W."""
    EVSEMaximumVoltageLimit: PhysicalValue
    """V."""
    EVSEMinimumCurrentLimit: PhysicalValue
    """A."""
    EVSEMinimumVoltageLimit: PhysicalValue
    """V."""
    EVSECurrentRegulationTolerance: PhysicalValue | None = None
    """A."""
    EVSEPeakCurrentRipple: PhysicalValue
    """A, peak to peak."""
    EVSEEnergyToBeDelivered: PhysicalValue | None = None
    """Wh."""


@DATA.element
class EVPowerDeliveryParameter(Message, kw_only=True):
    """Head of the vehicle's parameters at the start and end of power delivery."""


@DATA.element
class DC_EVPowerDeliveryParameter(EVPowerDeliveryParameter, kw_only=True):
    """Status of a DC vehicle at the start and end of power delivery."""

    DC_EVStatus: DC_EVStatus
    BulkChargingComplete: bool | None = None
    ChargingComplete: bool


@DATA.type
class ProfileEntry(Message, kw_only=True):
    """The power the vehicle will draw at most from a point in time on."""

    ChargingProfileEntryStart: UnsignedInt
    """s from now."""
    ChargingProfileEntryMaxPower: PMax
    """W."""


@DATA.type
class ChargingProfile(Message, kw_only=True):
    """What the vehicle makes of the schedule it chose."""

    SAScheduleTupleID: SAID
    ProfileEntry: Annotated[list[ProfileEntry], occurs(1)]


@DATA.type
class PaymentOptions(Message, kw_only=True):
    """The payment options on offer."""

    PaymentOption: Annotated[list[PaymentOption], occurs(1)]


@BODY.element
class SessionSetupReq(BodyElement, kw_only=True):
    """The vehicle opens a session. EVCCID is its MAC address; real vehicles send 0 to 8 octets."""

    EVCCID: EvccID


@BODY.element
class SessionSetupRes(BodyElement, kw_only=True):
    """The station gives the session its ID (in the header)."""

    ResponseCode: ResponseCode
    EVSEID: EvseID
    DateTimeNow: Long | None = None
    """Seconds since 1970."""


@BODY.element
class ServiceDiscoveryReq(BodyElement, kw_only=True):
    """The vehicle asks what the station offers."""

    ServiceScope: ServiceScope | None = None
    ServiceCategory: ServiceCategory | None = None


@BODY.element
class ServiceDiscoveryRes(BodyElement, kw_only=True):
    """The station offers its charging service and payment options."""

    ResponseCode: ResponseCode
    PaymentOptions: PaymentOptions
    ChargeService: ServiceCharge
    ServiceList: ServiceTagList | None = None


@BODY.element
class ServiceDetailReq(BodyElement, kw_only=True):
    """The vehicle asks for the parameters of a service; not used in DIN 70121."""

    ServiceID: ServiceID


@BODY.element
class ServiceDetailRes(BodyElement, kw_only=True):
    """The parameters of a service; not used in DIN 70121."""

    ResponseCode: ResponseCode
    ServiceID: ServiceID
    ServiceParameterList: ServiceParameterList | None = None


@BODY.element
class ServicePaymentSelectionReq(BodyElement, kw_only=True):
    """The vehicle chooses payment and services."""

    SelectedPaymentOption: PaymentOption
    SelectedServiceList: SelectedServiceList


@BODY.element
class ServicePaymentSelectionRes(BodyElement, kw_only=True):
    """The station accepts the choice or refuses it."""

    ResponseCode: ResponseCode


@BODY.element
class PaymentDetailsReq(BodyElement, kw_only=True):
    """The vehicle presents its contract; not used in DIN 70121."""

    ContractID: ContractID
    ContractSignatureCertChain: CertificateChain


@BODY.element
class PaymentDetailsRes(BodyElement, kw_only=True):
    """The station challenges the contract; not used in DIN 70121."""

    ResponseCode: ResponseCode
    GenChallenge: GenChallenge
    DateTimeNow: Long
    """Seconds since 1970."""


@BODY.element
class ContractAuthenticationReq(BodyElement, kw_only=True):
    """The vehicle asks whether its user is authorized; repeated until the answer is Finished."""

    Id: Annotated[str | None, attribute] = None
    GenChallenge: GenChallenge | None = None


@BODY.element
class ContractAuthenticationRes(BodyElement, kw_only=True):
    """Whether the user is authorized yet."""

    ResponseCode: ResponseCode
    EVSEProcessing: EVSEProcessing


@BODY.element
class ChargeParameterDiscoveryReq(BodyElement, kw_only=True):
    """The vehicle states its limits; repeated until the answer is Finished."""

    EVRequestedEnergyTransferType: EVRequestedEnergyTransfer
    EVChargeParameter: Annotated[EVChargeParameter, ref]


@BODY.element
class ChargeParameterDiscoveryRes(BodyElement, kw_only=True):
    """The station states its limits and schedule."""

    ResponseCode: ResponseCode
    EVSEProcessing: EVSEProcessing
    SASchedules: Annotated[SASchedules, ref]
    EVSEChargeParameter: Annotated[EVSEChargeParameter, ref]


@BODY.element
class PowerDeliveryReq(BodyElement, kw_only=True):
    """The vehicle starts (ReadyToChargeState true) or ends (false) the flow of energy."""

    ReadyToChargeState: bool
    ChargingProfile: ChargingProfile | None = None
    EVPowerDeliveryParameter: Annotated[EVPowerDeliveryParameter | None, ref] = None


@BODY.element
class PowerDeliveryRes(BodyElement, kw_only=True):
    """The station is ready to deliver, or has stopped."""

    ResponseCode: ResponseCode
    EVSEStatus: Annotated[EVSEStatus, ref]


@BODY.element
class ChargingStatusReq(BodyElement, kw_only=True):
    """AC only: the vehicle asks for the state of charging."""


@BODY.element
class ChargingStatusRes(BodyElement, kw_only=True):
    """AC only: the state of charging."""

    ResponseCode: ResponseCode
    EVSEID: EvseID
    SAScheduleTupleID: SAID
    EVSEMaxCurrent: PhysicalValue | None = None
    """A."""
    MeterInfo: MeterInfo | None = None
    ReceiptRequired: bool
    AC_EVSEStatus: AC_EVSEStatus


@BODY.element
class MeteringReceiptReq(BodyElement, kw_only=True):
    """The vehicle acknowledges a meter reading; not used in DIN 70121."""

    Id: Annotated[str | None, attribute] = None
    SessionID: SessionID
    SAScheduleTupleID: SAID | None = None
    MeterInfo: MeterInfo


@BODY.element
class MeteringReceiptRes(BodyElement, kw_only=True):
    """The station accepts the acknowledgement; not used in DIN 70121."""

    ResponseCode: ResponseCode
    AC_EVSEStatus: AC_EVSEStatus


@BODY.element
class SessionStopReq(BodyElement, kw_only=True):
    """The vehicle ends the session."""


@BODY.element
class SessionStopRes(BodyElement, kw_only=True):
    """The station has ended the session."""

    ResponseCode: ResponseCode


@BODY.element
class CertificateUpdateReq(BodyElement, kw_only=True):
    """The vehicle asks for a new contract certificate; not used in DIN 70121."""

    Id: Annotated[str | None, attribute] = None
    ContractSignatureCertChain: CertificateChain
    ContractID: ContractID
    ListOfRootCertificateIDs: ListOfRootCertificateIDs
    DHParams: DHParams


@BODY.element
class CertificateUpdateRes(BodyElement, kw_only=True):
    """A new contract certificate; not used in DIN 70121."""

    Id: Annotated[str, attribute]
    ResponseCode: ResponseCode
    ContractSignatureCertChain: CertificateChain
    ContractSignatureEncryptedPrivateKey: PrivateKey
    DHParams: DHParams
    ContractID: ContractID
    RetryCounter: Short
    """Days until another attempt is worth while."""


@BODY.element
class CertificateInstallationReq(BodyElement, kw_only=True):
    """The vehicle asks for its first contract certificate; not used in DIN 70121."""

    Id: Annotated[str | None, attribute] = None
    OEMProvisioningCert: Certificate
    ListOfRootCertificateIDs: ListOfRootCertificateIDs
    DHParams: DHParams


@BODY.element
class CertificateInstallationRes(BodyElement, kw_only=True):
    """The first contract certificate; not used in DIN 70121."""

    Id: Annotated[str, attribute]
    ResponseCode: ResponseCode
    ContractSignatureCertChain: CertificateChain
    ContractSignatureEncryptedPrivateKey: PrivateKey
    DHParams: DHParams
    ContractID: ContractID


@BODY.element
class CableCheckReq(BodyElement, kw_only=True):
    """The vehicle has locked the connector and asks for the isolation test; repeated until the answer is Finished."""

    DC_EVStatus: DC_EVStatus


@BODY.element
class CableCheckRes(BodyElement, kw_only=True):
    """State and result of the isolation test."""

    ResponseCode: ResponseCode
    DC_EVSEStatus: DC_EVSEStatus
    EVSEProcessing: EVSEProcessing


@BODY.element
class PreChargeReq(BodyElement, kw_only=True):
    """The vehicle asks for the voltage at which it can close its contactors; repeated until it is there."""

    DC_EVStatus: DC_EVStatus
    EVTargetVoltage: PhysicalValue
    """V."""
    EVTargetCurrent: PhysicalValue
    """A; at most 2 A."""


@BODY.element
class PreChargeRes(BodyElement, kw_only=True):
    """The voltage at the outlet."""

    ResponseCode: ResponseCode
    DC_EVSEStatus: DC_EVSEStatus
    EVSEPresentVoltage: PhysicalValue
    """V."""


@BODY.element
class CurrentDemandReq(BodyElement, kw_only=True):
    """The vehicle asks for current; sent every few hundred milliseconds while charging."""

    DC_EVStatus: DC_EVStatus
    EVTargetCurrent: PhysicalValue
    """A."""
    EVMaximumVoltageLimit: PhysicalValue | None = None
    """V."""
    EVMaximumCurrentLimit: PhysicalValue | None = None
    """A."""
    EVMaximumPowerLimit: PhysicalValue | None = None
    """W."""
    BulkChargingComplete: bool | None = None
    ChargingComplete: bool
    RemainingTimeToFullSoC: PhysicalValue | None = None
    """s."""
    RemainingTimeToBulkSoC: PhysicalValue | None = None
    """s."""
    EVTargetVoltage: PhysicalValue
    """V."""


@BODY.element
class CurrentDemandRes(BodyElement, kw_only=True):
    """What the outlet delivers now and which limit holds it back."""

    ResponseCode: ResponseCode
    DC_EVSEStatus: DC_EVSEStatus
    EVSEPresentVoltage: PhysicalValue
    """V."""
    EVSEPresentCurrent: PhysicalValue
    """A."""
    EVSECurrentLimitAchieved: bool
    EVSEVoltageLimitAchieved: bool
    EVSEPowerLimitAchieved: bool
    EVSEMaximumVoltageLimit: PhysicalValue | None = None
    """V."""
    EVSEMaximumCurrentLimit: PhysicalValue | None = None
    """A."""
    EVSEMaximumPowerLimit: PhysicalValue | None = None
    """W."""


@BODY.element
class WeldingDetectionReq(BodyElement, kw_only=True):
    """The vehicle has opened its contactors and looks for welded ones; optional, repeated at will."""

    DC_EVStatus: DC_EVStatus


@BODY.element
class WeldingDetectionRes(BodyElement, kw_only=True):
    """The voltage that is left at the outlet."""

    ResponseCode: ResponseCode
    DC_EVSEStatus: DC_EVSEStatus
    EVSEPresentVoltage: PhysicalValue
    """V."""


SCHEMA = SchemaSet("din70121", roots=(V2G_Message,), namespaces=(DEF, HEADER, BODY, DATA, xmldsig.DS))
