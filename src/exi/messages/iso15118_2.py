"""ISO 15118-2:2014: every message of the schema, in its own spelling.

The XML schema set `urn:iso:15118:2:2013:{MsgDef,MsgHeader,MsgBody,MsgDataTypes}` with XML Signature. A session charges
with AC (ChargingStatus) or DC (CableCheck to WeldingDetection), and is paid for at the station or by a contract. All
lists are bounded, and attributes bear the namespace of their schema. An `Id` is what a `Reference` in the header's
signature points to.
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
    UnsignedLong,
    UnsignedShort,
    attribute,
    base64_binary,
    choice,
    hex_binary,
    occurs,
    ref,
    simple_content,
    string,
)
from exi.messages import xmldsig
from exi.messages.xmldsig import Signature, X509IssuerSerial

DEF = Namespace("urn:iso:15118:2:2013:MsgDef", prefix="v2g", qualified_attributes=True)
HEADER = Namespace("urn:iso:15118:2:2013:MsgHeader", prefix="hd", qualified_attributes=True)
BODY = Namespace("urn:iso:15118:2:2013:MsgBody", prefix="bd", qualified_attributes=True)
DATA = Namespace("urn:iso:15118:2:2013:MsgDataTypes", prefix="dt", qualified_attributes=True)

# Identifiers and simple types

PercentValue = Annotated[int, Integer(0, 100)]
FaultMsg = Annotated[str, string(64)]
ServiceName = Annotated[str, string(32)]
ServiceScope = Annotated[str, string(64)]
MaxNumPhases = Annotated[int, Integer(1, 3)]
MeterStatus = Short
GenChallenge = Annotated[bytes, base64_binary(16, 16)]
Certificate = Annotated[bytes, base64_binary(800)]
DHpublickey = Annotated[bytes, base64_binary(65)]
PrivateKey = Annotated[bytes, base64_binary(48)]
SigMeterReading = Annotated[bytes, base64_binary(64)]
SessionID = Annotated[bytes, hex_binary(8)]
EvccID = Annotated[bytes, hex_binary(6)]
EvseID = Annotated[str, string(37, 7)]
ServiceID = UnsignedShort
eMAID = Annotated[str, string(15, 14)]
MeterID = Annotated[str, string(32)]
SAID = Annotated[int, Integer(1, 255)]
TariffDescription = Annotated[str, string(32)]
UnitMultiplier = Annotated[int, Integer(-3, 3)]


class EVSEProcessing(StrEnum):
    """Whether the station has its final answer, or wants to be asked again: now, or when the user has acted."""

    Finished = "Finished"
    Ongoing = "Ongoing"
    Ongoing_WaitingForCustomerInteraction = "Ongoing_WaitingForCustomerInteraction"


class EVSENotification(StrEnum):
    """What the station wants the vehicle to do next."""

    None_ = "None"
    StopCharging = "StopCharging"
    ReNegotiation = "ReNegotiation"


class ChargeProgress(StrEnum):
    """What the vehicle does with the flow of energy: start it, stop it, or agree on a new schedule while it goes on."""

    Start = "Start"
    Stop = "Stop"
    Renegotiate = "Renegotiate"


class ChargingSession(StrEnum):
    """Whether the session ends for good, or may be joined again under its SessionID."""

    Terminate = "Terminate"
    Pause = "Pause"


class ServiceCategory(StrEnum):
    """What kind of service a service is."""

    EVCharging = "EVCharging"
    Internet = "Internet"
    ContractCertificate = "ContractCertificate"
    OtherCustom = "OtherCustom"


class EnergyTransferMode(StrEnum):
    """How energy flows. DC charging over Combo pins is DC_extended; the vehicle takes a mode on offer [V2G2-476]."""

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
    """How the session is paid for. Contract needs TLS."""

    Contract = "Contract"
    ExternalPayment = "ExternalPayment"


class FaultCode(StrEnum):
    """Why a peer could not process a message; carried in the header."""

    ParsingError = "ParsingError"
    NoTLSRootCertificatAvailable = "NoTLSRootCertificatAvailable"
    UnknownError = "UnknownError"


class ResponseCode(StrEnum):
    """The outcome of a request. With a code that begins with FAILED the rest of a response means nothing [V2G2-735]."""

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
    FAILED_MeteringSignatureNotValid = "FAILED_MeteringSignatureNotValid"
    FAILED_NoChargeServiceSelected = "FAILED_NoChargeServiceSelected"
    FAILED_WrongEnergyTransferMode = "FAILED_WrongEnergyTransferMode"
    FAILED_ContactorError = "FAILED_ContactorError"
    FAILED_CertificateNotAllowedAtThisEVSE = "FAILED_CertificateNotAllowedAtThisEVSE"
    FAILED_CertificateRevoked = "FAILED_CertificateRevoked"


class UnitSymbol(StrEnum):
    """The unit of a `PhysicalValue`."""

    h = "h"
    m = "m"
    s = "s"
    A = "A"
    V = "V"
    W = "W"
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
    """Result of the isolation test between the DC conductors and earth. No_IMD: the station cannot measure it."""

    Invalid = "Invalid"
    Valid = "Valid"
    Warning = "Warning"
    Fault = "Fault"
    No_IMD = "No_IMD"


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
    """Header of every message: whose session it is, and who signed it."""

    SessionID: SessionID
    """All zero in the SessionSetupReq of a new session."""
    Notification: Notification | None = None
    Signature: Annotated[Signature | None, ref] = None


@BODY.element
class BodyElement(Message, kw_only=True):
    """Head of the substitution group of all requests and responses."""


@BODY.type
class Body(Message, kw_only=True):
    """Body of a message; empty is allowed."""

    BodyElement: Annotated[BodyElement | None, ref] = None


@DEF.element
class V2G_Message(Message, kw_only=True):
    """The document: one header, one request or response."""

    Header: MessageHeader
    Body: Body


@DATA.type
class Service(Message, kw_only=True):
    """A service and whether it is free of charge."""

    ServiceID: ServiceID
    ServiceName: ServiceName | None = None
    ServiceCategory: ServiceCategory
    ServiceScope: ServiceScope | None = None
    FreeService: bool


@DATA.type
class ServiceList(Message, kw_only=True):
    """Services that the station offers besides charging."""

    Service: Annotated[list[Service], occurs(1, 8)]


@DATA.type
class SelectedService(Message, kw_only=True):
    """One service that the vehicle chooses."""

    ServiceID: ServiceID
    ParameterSetID: Short | None = None


@DATA.type
class SelectedServiceList(Message, kw_only=True):
    """The services that the vehicle chooses; charging must be among them [V2G2-804]."""

    SelectedService: Annotated[list[SelectedService], occurs(1, 16)]


@DATA.type
class PhysicalValue(Message, kw_only=True):
    """A measured or wanted quantity: Value times ten to the power of Multiplier, in Unit."""

    Multiplier: UnitMultiplier
    Unit: UnitSymbol
    Value: Short


@DATA.type
class Parameter(Message, kw_only=True):
    """One named parameter of a service: exactly one of the values."""

    Name: Annotated[str, attribute]
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
    Parameter: Annotated[list[Parameter], occurs(1, 16)]


@DATA.type
class ServiceParameterList(Message, kw_only=True):
    """The parameter sets of a service."""

    ParameterSet: Annotated[list[ParameterSet], occurs(1, 255)]


@DATA.type
class SupportedEnergyTransferMode(Message, kw_only=True):
    """The energy transfer modes of an outlet."""

    EnergyTransferMode: Annotated[list[EnergyTransferMode], occurs(1, 6)]


@DATA.type
class ChargeService(Service, kw_only=True):
    """The charging service and the energy transfer it offers."""

    SupportedEnergyTransferMode: SupportedEnergyTransferMode


@DATA.type
class PaymentOptionList(Message, kw_only=True):
    """The payment options on offer."""

    PaymentOption: Annotated[list[PaymentOption], occurs(1, 2)]


@DATA.type
class ContractSignatureEncryptedPrivateKey(Message, kw_only=True):
    """The private key of a contract certificate, encrypted for one vehicle: 16 octets of IV, 32 of AES-CBC."""

    Id: Annotated[str, attribute]
    value: Annotated[PrivateKey, simple_content]


@DATA.type
class DiffieHellmanPublickey(Message, kw_only=True):
    """The sender's one-time ECDH public key: a point of secp256r1, uncompressed."""

    Id: Annotated[str, attribute]
    value: Annotated[DHpublickey, simple_content]


@DATA.type
class EMAID(Message, kw_only=True):
    """A contract's e-mobility account identifier where it is signed; elsewhere it is a plain `eMAID`."""

    Id: Annotated[str, attribute]
    value: Annotated[eMAID, simple_content]


@DATA.type
class SubCertificates(Message, kw_only=True):
    """Intermediate certificates, DER."""

    Certificate: Annotated[list[Certificate], occurs(1, 4)]


@DATA.type
class CertificateChain(Message, kw_only=True):
    """A leaf certificate and what leads to its root, DER."""

    Id: Annotated[str | None, attribute] = None
    Certificate: Certificate
    SubCertificates: SubCertificates | None = None


@DATA.type
class ListOfRootCertificateIDs(Message, kw_only=True):
    """Root certificates that the vehicle has, by issuer and number."""

    RootCertificateID: Annotated[list[X509IssuerSerial], occurs(1, 20)]


@DATA.type
class MeterInfo(Message, kw_only=True):
    """A reading of the station's meter, as the meter gives it [V2G2-902]."""

    MeterID: MeterID
    MeterReading: UnsignedLong | None = None
    """Energy, Wh."""
    SigMeterReading: SigMeterReading | None = None
    MeterStatus: MeterStatus | None = None
    TMeter: Long | None = None
    """Time of the reading, seconds since 1970."""


@DATA.element
class SASchedules(Message, kw_only=True):
    """Head of the schedule lists."""


@DATA.element
class TimeInterval(Message, kw_only=True):
    """Head of the time intervals."""


@DATA.element
class RelativeTimeInterval(TimeInterval, kw_only=True):
    """An interval counted from now."""

    start: Annotated[int, Integer(0, 16777214)]
    """s from now."""
    duration: Annotated[int | None, Integer(0, 86400)] = None
    """s; without it the interval lasts until the next one."""


@DATA.element
class Entry(Message, kw_only=True):
    """Head of the schedule and tariff entries."""

    TimeInterval: Annotated[TimeInterval, ref]


@DATA.element
class PMaxScheduleEntry(Entry, kw_only=True):
    """The power limit from a point in time on."""

    PMax: PhysicalValue
    """W."""


@DATA.type
class PMaxSchedule(Message, kw_only=True):
    """Power limits over time."""

    PMaxScheduleEntry: Annotated[list[PMaxScheduleEntry], ref, occurs(1, 1024)]


@DATA.type
class Cost(Message, kw_only=True):
    """One cost figure of a tariff entry: amount times ten to the power of amountMultiplier."""

    costKind: CostKind
    amount: UnsignedInt
    """% of the base price, % from renewable sources, or g of carbon dioxide per kWh, as costKind says."""
    amountMultiplier: UnitMultiplier | None = None


@DATA.type
class ConsumptionCost(Message, kw_only=True):
    """Costs from a given consumption on."""

    startValue: PhysicalValue
    """W."""
    Cost: Annotated[list[Cost], occurs(1, 3)]


@DATA.element
class SalesTariffEntry(Entry, kw_only=True):
    """Price level and costs from a point in time on."""

    EPriceLevel: UnsignedByte | None = None
    """The smaller, the cheaper."""
    ConsumptionCost: Annotated[list[ConsumptionCost], occurs(0, 3)] = []


@DATA.type
class SalesTariff(Message, kw_only=True):
    """Prices over time; signed by the mobility operator."""

    Id: Annotated[str | None, attribute] = None
    SalesTariffID: SAID
    SalesTariffDescription: TariffDescription | None = None
    NumEPriceLevels: UnsignedByte | None = None
    SalesTariffEntry: Annotated[list[SalesTariffEntry], ref, occurs(1, 1024)]


@DATA.type
class SAScheduleTuple(Message, kw_only=True):
    """One schedule that the vehicle may choose."""

    SAScheduleTupleID: SAID
    PMaxSchedule: PMaxSchedule
    SalesTariff: SalesTariff | None = None


@DATA.element
class SAScheduleList(SASchedules, kw_only=True):
    """The schedules that the vehicle may choose from."""

    SAScheduleTuple: Annotated[list[SAScheduleTuple], occurs(1, 3)]


@DATA.element
class EVSEStatus(Message, kw_only=True):
    """Head of the station's status elements, and what they have in common."""

    NotificationMaxDelay: UnsignedShort
    """s until the notification is to be followed; 0 is now."""
    EVSENotification: EVSENotification


@DATA.element
class AC_EVSEStatus(EVSEStatus, kw_only=True):
    """Status of an AC outlet."""

    RCD: bool
    """Whether the residual current device has tripped."""


@DATA.element
class DC_EVSEStatus(EVSEStatus, kw_only=True):
    """Status of a DC outlet."""

    EVSEIsolationStatus: IsolationLevel | None = None
    EVSEStatusCode: DC_EVSEStatusCode


@DATA.element
class EVStatus(Message, kw_only=True):
    """Head of the vehicle's status elements."""


@DATA.element
class DC_EVStatus(EVStatus, kw_only=True):
    """Status of the vehicle while charging with DC."""

    EVReady: bool
    EVErrorCode: DC_EVErrorCode
    EVRESSSOC: PercentValue
    """State of charge of the battery, %."""


@DATA.element
class EVChargeParameter(Message, kw_only=True):
    """Head of the vehicle's charge parameters, and what they have in common."""

    DepartureTime: UnsignedInt | None = None
    """s from now."""


@DATA.element
class AC_EVChargeParameter(EVChargeParameter, kw_only=True):
    """What a vehicle wants of an AC outlet."""

    EAmount: PhysicalValue
    """Wh."""
    EVMaxVoltage: PhysicalValue
    """V."""
    EVMaxCurrent: PhysicalValue
    """A per phase."""
    EVMinCurrent: PhysicalValue
    """A per phase."""


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
    EVSENominalVoltage: PhysicalValue
    """V."""
    EVSEMaxCurrent: PhysicalValue
    """A per phase."""


@DATA.element
class DC_EVSEChargeParameter(EVSEChargeParameter, kw_only=True):
    """What a DC outlet can deliver."""

    DC_EVSEStatus: DC_EVSEStatus
    EVSEMaximumCurrentLimit: PhysicalValue
    """A."""
    EVSEMaximumPowerLimit: PhysicalValue
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
    ChargingProfileEntryMaxPower: PhysicalValue
    """W."""
    ChargingProfileEntryMaxNumberOfPhasesInUse: MaxNumPhases | None = None


@DATA.type
class ChargingProfile(Message, kw_only=True):
    """What the vehicle makes of the schedule it chose; never above its PMax."""

    ProfileEntry: Annotated[list[ProfileEntry], occurs(1, 24)]


@BODY.element
class SessionSetupReq(BodyElement, kw_only=True):
    """The vehicle opens a session, or joins a paused one by the SessionID in the header. EVCCID is its MAC address."""

    EVCCID: EvccID


@BODY.element
class SessionSetupRes(BodyElement, kw_only=True):
    """The station gives the session its ID (in the header), and says whether it is new or joined."""

    ResponseCode: ResponseCode
    EVSEID: EvseID
    EVSETimeStamp: Long | None = None
    """Seconds since 1970."""


@BODY.element
class ServiceDiscoveryReq(BodyElement, kw_only=True):
    """The vehicle asks what the station offers; scope and category narrow the list of further services."""

    ServiceScope: ServiceScope | None = None
    ServiceCategory: ServiceCategory | None = None


@BODY.element
class ServiceDiscoveryRes(BodyElement, kw_only=True):
    """The station offers its charging service, payment options and further services."""

    ResponseCode: ResponseCode
    PaymentOptionList: PaymentOptionList
    ChargeService: ChargeService
    ServiceList: ServiceList | None = None


@BODY.element
class ServiceDetailReq(BodyElement, kw_only=True):
    """The vehicle asks for the parameters of a service from the list; charging has none [V2G2-422]."""

    ServiceID: ServiceID


@BODY.element
class ServiceDetailRes(BodyElement, kw_only=True):
    """The parameters of a service."""

    ResponseCode: ResponseCode
    ServiceID: ServiceID
    ServiceParameterList: ServiceParameterList | None = None


@BODY.element
class PaymentServiceSelectionReq(BodyElement, kw_only=True):
    """The vehicle chooses payment and services."""

    SelectedPaymentOption: PaymentOption
    SelectedServiceList: SelectedServiceList


@BODY.element
class PaymentServiceSelectionRes(BodyElement, kw_only=True):
    """The station accepts the choice or refuses it."""

    ResponseCode: ResponseCode


@BODY.element
class PaymentDetailsReq(BodyElement, kw_only=True):
    """Contract only: the vehicle presents its contract."""

    eMAID: eMAID
    ContractSignatureCertChain: CertificateChain


@BODY.element
class PaymentDetailsRes(BodyElement, kw_only=True):
    """Contract only: the station challenges the vehicle to prove that the contract is its own."""

    ResponseCode: ResponseCode
    GenChallenge: GenChallenge
    EVSETimeStamp: Long
    """Seconds since 1970."""


@BODY.element
class AuthorizationReq(BodyElement, kw_only=True):
    """The vehicle asks whether its user is authorized; repeated until the answer is Finished.

    With a contract the first one carries the challenge and is signed; all others are empty [V2G2-684].
    """

    Id: Annotated[str | None, attribute] = None
    GenChallenge: GenChallenge | None = None


@BODY.element
class AuthorizationRes(BodyElement, kw_only=True):
    """Whether the user is authorized yet."""

    ResponseCode: ResponseCode
    EVSEProcessing: EVSEProcessing


@BODY.element
class ChargeParameterDiscoveryReq(BodyElement, kw_only=True):
    """The vehicle states its limits; repeated until the answer is Finished."""

    MaxEntriesSAScheduleTuple: UnsignedShort | None = None
    """Entries that the vehicle can hold in one schedule."""
    RequestedEnergyTransferMode: EnergyTransferMode
    EVChargeParameter: Annotated[EVChargeParameter, ref]


@BODY.element
class ChargeParameterDiscoveryRes(BodyElement, kw_only=True):
    """The station states its limits and schedules. Only an Ongoing one may lack schedules [V2G2-905]."""

    ResponseCode: ResponseCode
    EVSEProcessing: EVSEProcessing
    SASchedules: Annotated[SASchedules | None, ref] = None
    EVSEChargeParameter: Annotated[EVSEChargeParameter, ref]


@BODY.element
class PowerDeliveryReq(BodyElement, kw_only=True):
    """The vehicle starts or ends the flow of energy, or wants a new schedule."""

    ChargeProgress: ChargeProgress
    SAScheduleTupleID: SAID
    ChargingProfile: ChargingProfile | None = None
    EVPowerDeliveryParameter: Annotated[EVPowerDeliveryParameter | None, ref] = None


@BODY.element
class PowerDeliveryRes(BodyElement, kw_only=True):
    """The station is ready to deliver, or has stopped."""

    ResponseCode: ResponseCode
    EVSEStatus: Annotated[EVSEStatus, ref]


@BODY.element
class MeteringReceiptReq(BodyElement, kw_only=True):
    """Contract only: the vehicle acknowledges a meter reading with its signature [V2G2-903]."""

    Id: Annotated[str | None, attribute] = None
    SessionID: SessionID
    SAScheduleTupleID: SAID | None = None
    MeterInfo: MeterInfo


@BODY.element
class MeteringReceiptRes(BodyElement, kw_only=True):
    """The station accepts the acknowledgement."""

    ResponseCode: ResponseCode
    EVSEStatus: Annotated[EVSEStatus, ref]


@BODY.element
class SessionStopReq(BodyElement, kw_only=True):
    """The vehicle ends or pauses the session."""

    ChargingSession: ChargingSession


@BODY.element
class SessionStopRes(BodyElement, kw_only=True):
    """The station has ended or paused the session."""

    ResponseCode: ResponseCode


@BODY.element
class CertificateUpdateReq(BodyElement, kw_only=True):
    """The vehicle asks for a new contract certificate in place of one that expires; signed with the old one."""

    Id: Annotated[str, attribute]
    ContractSignatureCertChain: CertificateChain
    eMAID: eMAID
    ListOfRootCertificateIDs: ListOfRootCertificateIDs


@BODY.element
class CertificateUpdateRes(BodyElement, kw_only=True):
    """The new contract certificate and its private key; signed by the provisioning service.

    The signature covers the contract's chain, the encrypted key, DHpublickey and eMAID, each by its Id.
    """

    ResponseCode: ResponseCode
    SAProvisioningCertificateChain: CertificateChain
    ContractSignatureCertChain: CertificateChain
    ContractSignatureEncryptedPrivateKey: ContractSignatureEncryptedPrivateKey
    DHpublickey: DiffieHellmanPublickey
    eMAID: EMAID
    RetryCounter: Short | None = None
    """Days until another attempt is worth while."""


@BODY.element
class CertificateInstallationReq(BodyElement, kw_only=True):
    """The vehicle asks for its first contract certificate; signed with the certificate its maker gave it."""

    Id: Annotated[str, attribute]
    OEMProvisioningCert: Certificate
    ListOfRootCertificateIDs: ListOfRootCertificateIDs


@BODY.element
class CertificateInstallationRes(BodyElement, kw_only=True):
    """The first contract certificate and its private key; signed like a `CertificateUpdateRes`."""

    ResponseCode: ResponseCode
    SAProvisioningCertificateChain: CertificateChain
    ContractSignatureCertChain: CertificateChain
    ContractSignatureEncryptedPrivateKey: ContractSignatureEncryptedPrivateKey
    DHpublickey: DiffieHellmanPublickey
    eMAID: EMAID


@BODY.element
class ChargingStatusReq(BodyElement, kw_only=True):
    """AC only: the vehicle asks for the state of charging, again and again while it charges."""


@BODY.element
class ChargingStatusRes(BodyElement, kw_only=True):
    """AC only: the state of charging and the limit that holds now."""

    ResponseCode: ResponseCode
    EVSEID: EvseID
    SAScheduleTupleID: SAID
    EVSEMaxCurrent: PhysicalValue | None = None
    """A per phase; left out with a contract, where the schedule alone is the limit."""
    MeterInfo: MeterInfo | None = None
    ReceiptRequired: bool | None = None
    """Whether a MeteringReceiptReq must come next; never with external payment [V2G2-691]."""
    AC_EVSEStatus: AC_EVSEStatus


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
    EVSEID: EvseID
    SAScheduleTupleID: SAID
    MeterInfo: MeterInfo | None = None
    ReceiptRequired: bool | None = None
    """Whether a MeteringReceiptReq must come next; never with external payment [V2G2-691]."""


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


SCHEMA = SchemaSet("iso15118_2", roots=(V2G_Message,), namespaces=(DEF, HEADER, BODY, DATA, xmldsig.DS))
