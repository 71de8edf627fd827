"""ISO 15118-20: the messages that all ways to transfer energy share.

The XML schema set `urn:iso:std:iso:15118:-20:CommonMessages` with the common types and XML Signature. A session begins
and ends with these messages; charge parameters, cable check and charge loop are in the modules of AC, DC, WPT and
ACDP. The lists have fixed maxima, the largest 2,048 entries.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from exi.declare import (
    Byte,
    Int,
    Integer,
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
    occurs,
    string,
)
from exi.messages import xmldsig
from exi.messages.iso15118_20 import types
from exi.messages.iso15118_20.types import (
    Description,
    EVSEStatus,
    Identifier,
    ListOfRootCertificateIDs,
    MeterInfo,
    Name,
    NumericID,
    PercentValue,
    Processing,
    RationalNumber,
    Receipt,
    SessionID,
    V2GRequest,
    V2GResponse,
)

CM = Namespace("urn:iso:std:iso:15118:-20:CommonMessages", prefix="cm", qualified_attributes=True)

# Identifiers and simple types

GenChallenge = Annotated[bytes, base64_binary(16, 16)]
ServiceID = UnsignedShort
MaxSupportingPointsScheduleTuple = Annotated[int, Integer(12, 1024)]
DHPublicKey = Annotated[bytes, base64_binary(133, 133)]
SECP521_EncryptedPrivateKey = Annotated[bytes, base64_binary(94, 94)]
X448_EncryptedPrivateKey = Annotated[bytes, base64_binary(84, 84)]
TPM_EncryptedPrivateKey = Annotated[bytes, base64_binary(206, 206)]
Currency = Annotated[str, string(3)]
Language = Annotated[str, string(3)]
Certificate = Annotated[bytes, base64_binary(1600)]

# Further names, for classes in which another field hides the first one
FiniteString = Name
ParameterSetID = ServiceID


class Authorization(StrEnum):
    """How the user is authorized: by external means, such as a card (EIM), or by a contract in the vehicle (PnC)."""

    EIM = "EIM"
    PnC = "PnC"


class ChargeProgress(StrEnum):
    """What the vehicle wants of the flow of energy."""

    Start = "Start"
    Stop = "Stop"
    Standby = "Standby"
    ScheduleRenegotiation = "ScheduleRenegotiation"


class ChannelSelection(StrEnum):
    """The direction in use where charging and discharging have channels of their own."""

    Charge = "Charge"
    Discharge = "Discharge"


class ECDHCurve(StrEnum):
    """The curve of the key agreement that protects a contract's private key."""

    SECP521 = "SECP521"
    X448 = "X448"


class ChargingSession(StrEnum):
    """What becomes of the session: it rests, it ends, or it goes on with another choice of services."""

    Pause = "Pause"
    Terminate = "Terminate"
    ServiceRenegotiation = "ServiceRenegotiation"


class EVCheckInStatus(StrEnum):
    """How far the vehicle is with its check-in to a parking place."""

    CheckIn = "CheckIn"
    Processing = "Processing"
    Completed = "Completed"


class EVCheckOutStatus(StrEnum):
    """How far the vehicle is with its check-out of a parking place."""

    CheckOut = "CheckOut"
    Processing = "Processing"
    Completed = "Completed"


class EVSECheckOutStatus(StrEnum):
    """Whether the vehicle may leave later or now."""

    Scheduled = "Scheduled"
    Completed = "Completed"


class ParkingMethod(StrEnum):
    """How the vehicle is parked: by itself, by a driver who is guided, or by a driver alone."""

    AutoParking = "AutoParking"
    MVGuideManual = "MVGuideManual"
    Manual = "Manual"


class PowerToleranceAcceptance(StrEnum):
    """Whether the vehicle stays within the tolerance of the power schedule."""

    PowerToleranceNotConfirmed = "PowerToleranceNotConfirmed"
    PowerToleranceConfirmed = "PowerToleranceConfirmed"


# Certificates


@CM.type
class EMAIDList(Message, kw_only=True):
    """Contracts by their eMobility account identifiers."""

    EMAID: Annotated[list[Identifier], occurs(1, 8)]


@CM.type
class SubCertificates(Message, kw_only=True):
    """Intermediate certificates, DER."""

    Certificate: Annotated[list[Certificate], occurs(1, 3)]


@CM.type
class CertificateChain(Message, kw_only=True):
    """A leaf certificate and what leads to its root, DER."""

    Certificate: Certificate
    SubCertificates: SubCertificates | None = None


@CM.type
class SignedCertificateChain(Message, kw_only=True):
    """A chain that the header's signature covers, DER."""

    Id: Annotated[str, attribute]
    Certificate: Certificate
    SubCertificates: SubCertificates | None = None


@CM.type
class ContractCertificateChain(Message, kw_only=True):
    """A contract certificate and what leads to its root, DER."""

    Certificate: Certificate
    SubCertificates: SubCertificates


# Authorization


@CM.type
class SupportedProvidersList(Message, kw_only=True):
    """Mobility providers whose contracts the station takes."""

    ProviderID: Annotated[list[Name], occurs(1, 128)]


@CM.type
class PnC_ASResAuthorizationMode(Message, kw_only=True):
    """What a vehicle with a contract needs for its AuthorizationReq."""

    GenChallenge: GenChallenge
    """Random octets that the vehicle must sign."""
    SupportedProviders: SupportedProvidersList | None = None


@CM.type
class EIM_ASResAuthorizationMode(Message, kw_only=True):
    """Says that authorization comes from outside; nothing else is needed."""


@CM.type
class PnC_AReqAuthorizationMode(Message, kw_only=True):
    """The contract that pays, and the challenge. The header's signature covers this element."""

    Id: Annotated[str, attribute]
    GenChallenge: GenChallenge
    """As in AuthorizationSetupRes."""
    ContractCertificateChain: ContractCertificateChain


@CM.type
class EIM_AReqAuthorizationMode(Message, kw_only=True):
    """Says that authorization comes from outside."""


# Services


@CM.type
class ServiceIDList(Message, kw_only=True):
    """Services by number."""

    ServiceID: Annotated[list[ServiceID], occurs(1, 16)]


@CM.type
class Service(Message, kw_only=True):
    """A service on offer, and whether it is free of charge."""

    ServiceID: ServiceID
    FreeService: bool


@CM.type
class ServiceList(Message, kw_only=True):
    """The services on offer."""

    Service: Annotated[list[Service], occurs(1, 8)]


@CM.type
class SelectedService(Message, kw_only=True):
    """A service that the vehicle chooses, with one of its parameter sets."""

    ServiceID: ServiceID
    ParameterSetID: ParameterSetID


@CM.type
class SelectedServiceList(Message, kw_only=True):
    """The services that the vehicle chooses."""

    SelectedService: Annotated[list[SelectedService], occurs(1, 16)]


@CM.type
class Parameter(Message, kw_only=True):
    """One named parameter of a service: exactly one of the values."""

    Name: Annotated[Name, attribute]
    boolValue: Annotated[bool | None, choice("value")] = None
    byteValue: Annotated[Byte | None, choice("value")] = None
    shortValue: Annotated[Short | None, choice("value")] = None
    intValue: Annotated[Int | None, choice("value")] = None
    rationalNumber: Annotated[RationalNumber | None, choice("value")] = None
    finiteString: Annotated[FiniteString | None, choice("value")] = None


@CM.type
class ParameterSet(Message, kw_only=True):
    """Parameters that belong together and are chosen together."""

    ParameterSetID: ParameterSetID
    Parameter: Annotated[list[Parameter], occurs(1, 32)]


@CM.type
class ServiceParameterList(Message, kw_only=True):
    """The parameter sets of a service."""

    ParameterSet: Annotated[list[ParameterSet], occurs(1, 32)]


# Power schedules


@CM.type
class PowerScheduleEntry(Message, kw_only=True):
    """The power limit of an interval. Where L2 and L3 are given, Power is that of L1. Negative power discharges."""

    Duration: UnsignedInt
    """s."""
    Power: RationalNumber
    """W."""
    Power_L2: RationalNumber | None = None
    """W."""
    Power_L3: RationalNumber | None = None
    """W."""


@CM.type
class PowerScheduleEntryList(Message, kw_only=True):
    """Power limits, one interval after the other."""

    PowerScheduleEntry: Annotated[list[PowerScheduleEntry], occurs(1, 1024)]


@CM.type
class PowerSchedule(Message, kw_only=True):
    """Power limits over time."""

    TimeAnchor: UnsignedLong
    """Start of the first interval, seconds since 1970."""
    AvailableEnergy: RationalNumber | None = None
    """Wh."""
    PowerTolerance: RationalNumber | None = None
    """How far the vehicle may stray from its power profile, W."""
    PowerScheduleEntries: PowerScheduleEntryList


# Prices


@CM.type
class PriceSchedule(Message, kw_only=True):
    """Base of the price schedules."""

    TimeAnchor: UnsignedLong
    """Start of the first interval, seconds since 1970."""
    PriceScheduleID: NumericID
    PriceScheduleDescription: Description | None = None


@CM.type
class PriceLevelScheduleEntry(Message, kw_only=True):
    """The price level of an interval."""

    Duration: UnsignedInt
    """s."""
    PriceLevel: UnsignedByte
    """0 is the cheapest."""


@CM.type
class PriceLevelScheduleEntryList(Message, kw_only=True):
    """Price levels, one interval after the other."""

    PriceLevelScheduleEntry: Annotated[list[PriceLevelScheduleEntry], occurs(1, 1024)]


@CM.type
class PriceLevelSchedule(PriceSchedule, kw_only=True):
    """Prices over time by their order alone, without amounts."""

    Id: Annotated[str | None, attribute] = None
    NumberOfPriceLevels: UnsignedByte
    PriceLevelScheduleEntries: PriceLevelScheduleEntryList


@CM.type
class TaxRule(Message, kw_only=True):
    """A tax and the fees to which it applies."""

    TaxRuleID: NumericID
    TaxRuleName: Name | None = None
    TaxRate: RationalNumber
    """%."""
    TaxIncludedInPrice: bool | None = None
    AppliesToEnergyFee: bool
    AppliesToParkingFee: bool
    AppliesToOverstayFee: bool
    AppliesMinimumMaximumCost: bool


@CM.type
class TaxRuleList(Message, kw_only=True):
    """The taxes."""

    TaxRule: Annotated[list[TaxRule], occurs(1, 10)]


@CM.type
class PriceRule(Message, kw_only=True):
    """The fees from a given power on."""

    EnergyFee: RationalNumber
    """Currency per kWh."""
    ParkingFee: RationalNumber | None = None
    """Currency per ParkingFeePeriod."""
    ParkingFeePeriod: UnsignedInt | None = None
    """s."""
    CarbonDioxideEmission: UnsignedShort | None = None
    """g per kWh."""
    RenewableGenerationPercentage: UnsignedByte | None = None
    """%."""
    PowerRangeStart: RationalNumber
    """W."""


@CM.type
class PriceRuleStack(Message, kw_only=True):
    """The price rules of an interval, by rising power; the first begins at 0."""

    Duration: UnsignedInt
    """s."""
    PriceRule: Annotated[list[PriceRule], occurs(1, 8)]


@CM.type
class PriceRuleStackList(Message, kw_only=True):
    """Price rules, one interval after the other."""

    PriceRuleStack: Annotated[list[PriceRuleStack], occurs(1, 1024)]


@CM.type
class OverstayRule(Message, kw_only=True):
    """The fee for a vehicle that stays after charging, from a point in time on."""

    OverstayRuleDescription: Description | None = None
    StartTime: UnsignedInt
    """s from the start of overstay."""
    OverstayFee: RationalNumber
    """Currency per OverstayFeePeriod."""
    OverstayFeePeriod: UnsignedInt
    """s."""


@CM.type
class OverstayRuleList(Message, kw_only=True):
    """When overstay begins and what it costs."""

    OverstayTimeThreshold: UnsignedInt | None = None
    """s until overstay begins."""
    OverstayPowerThreshold: RationalNumber | None = None
    """The power below which the vehicle counts as charged, W."""
    OverstayRule: Annotated[list[OverstayRule], occurs(1, 5)]


@CM.type
class AdditionalService(Message, kw_only=True):
    """A further service that is paid for."""

    ServiceName: Name
    ServiceFee: RationalNumber
    """Currency."""


@CM.type
class AdditionalServiceList(Message, kw_only=True):
    """Further services that are paid for."""

    AdditionalService: Annotated[list[AdditionalService], occurs(1, 5)]


@CM.type
class AbsolutePriceSchedule(PriceSchedule, kw_only=True):
    """Prices over time in a currency, with taxes and fees."""

    Id: Annotated[str | None, attribute] = None
    Currency: Currency
    """ISO 4217."""
    Language: Language
    """Language of the texts, ISO 639."""
    PriceAlgorithm: Identifier
    """URN that says how costs follow from the rules."""
    MinimumCost: RationalNumber | None = None
    """Currency."""
    MaximumCost: RationalNumber | None = None
    """Currency."""
    TaxRules: TaxRuleList | None = None
    PriceRuleStacks: PriceRuleStackList
    OverstayRules: OverstayRuleList | None = None
    AdditionalSelectedServices: AdditionalServiceList | None = None


# The vehicle's offer of energy


@CM.type
class EVPowerScheduleEntry(Message, kw_only=True):
    """The power that the vehicle offers in an interval."""

    Duration: UnsignedInt
    """s."""
    Power: RationalNumber
    """W."""


@CM.type
class EVPowerScheduleEntryList(Message, kw_only=True):
    """Power on offer, one interval after the other."""

    EVPowerScheduleEntry: Annotated[list[EVPowerScheduleEntry], occurs(1, 1024)]


@CM.type
class EVPowerSchedule(Message, kw_only=True):
    """Power on offer over time."""

    TimeAnchor: UnsignedLong
    """Start of the first interval, seconds since 1970."""
    EVPowerScheduleEntries: EVPowerScheduleEntryList


@CM.type
class EVPriceRule(Message, kw_only=True):
    """The price that the vehicle asks from a given power on."""

    EnergyFee: RationalNumber
    """Currency per kWh."""
    PowerRangeStart: RationalNumber
    """W."""


@CM.type
class EVPriceRuleStack(Message, kw_only=True):
    """The price rules of an interval, by power."""

    Duration: UnsignedInt
    """s."""
    EVPriceRule: Annotated[list[EVPriceRule], occurs(1, 8)]


@CM.type
class EVPriceRuleStackList(Message, kw_only=True):
    """Price rules, one interval after the other."""

    EVPriceRuleStack: Annotated[list[EVPriceRuleStack], occurs(1, 1024)]


@CM.type
class EVAbsolutePriceSchedule(Message, kw_only=True):
    """The prices that the vehicle asks over time."""

    TimeAnchor: UnsignedLong
    """Start of the first interval, seconds since 1970."""
    Currency: Currency
    """ISO 4217."""
    PriceAlgorithm: Identifier
    """URN that says how costs follow from the rules."""
    EVPriceRuleStacks: EVPriceRuleStackList


@CM.type
class EVEnergyOffer(Message, kw_only=True):
    """Energy that the vehicle would give back, and its price."""

    EVPowerSchedule: EVPowerSchedule
    EVAbsolutePriceSchedule: EVAbsolutePriceSchedule


# Schedule exchange


@CM.type
class ChargingSchedule(Message, kw_only=True):
    """Power limits over time, and at most one price schedule."""

    PowerSchedule: PowerSchedule
    AbsolutePriceSchedule: Annotated[AbsolutePriceSchedule | None, choice("price", optional=True)] = None
    PriceLevelSchedule: Annotated[PriceLevelSchedule | None, choice("price", optional=True)] = None


DischargingSchedule = ChargingSchedule  # `ScheduleTuple` has a field that hides the first name


@CM.type
class ScheduleTuple(Message, kw_only=True):
    """One schedule that the vehicle may choose."""

    ScheduleTupleID: NumericID
    ChargingSchedule: ChargingSchedule
    DischargingSchedule: DischargingSchedule | None = None


@CM.type
class Scheduled_SEReqControlMode(Message, kw_only=True):
    """The vehicle wants to choose a schedule: its needs."""

    DepartureTime: UnsignedInt | None = None
    """s from the message's TimeStamp."""
    EVTargetEnergyRequest: RationalNumber | None = None
    """Energy up to the target state of charge, Wh."""
    EVMaximumEnergyRequest: RationalNumber | None = None
    """Energy that the battery can still take, Wh."""
    EVMinimumEnergyRequest: RationalNumber | None = None
    """Energy up to the least state of charge that the user accepts, Wh."""
    EVEnergyOffer: EVEnergyOffer | None = None


@CM.type
class Scheduled_SEResControlMode(Message, kw_only=True):
    """The schedules that the vehicle may choose from."""

    ScheduleTuple: Annotated[list[ScheduleTuple], occurs(1, 3)]


@CM.type
class Dynamic_SEReqControlMode(Message, kw_only=True):
    """The vehicle leaves the power to the station: its needs."""

    DepartureTime: UnsignedInt
    """s from the message's TimeStamp."""
    MinimumSOC: PercentValue | None = None
    """%."""
    TargetSOC: PercentValue | None = None
    """%."""
    EVTargetEnergyRequest: RationalNumber
    """Energy up to the target state of charge, Wh."""
    EVMaximumEnergyRequest: RationalNumber
    """Energy that the battery can still take, Wh."""
    EVMinimumEnergyRequest: RationalNumber
    """Energy up to the least state of charge that the user accepts, Wh."""
    EVMaximumV2XEnergyRequest: RationalNumber | None = None
    """Energy up to the state of charge above which the vehicle does not cycle, Wh."""
    EVMinimumV2XEnergyRequest: RationalNumber | None = None
    """Energy up to the state of charge below which the vehicle does not cycle, Wh; goes with the maximum."""


@CM.type
class Dynamic_SEResControlMode(Message, kw_only=True):
    """What the station knows of the user's wishes, and at most one price schedule."""

    DepartureTime: UnsignedInt | None = None
    """s from the message's TimeStamp."""
    MinimumSOC: PercentValue | None = None
    """%."""
    TargetSOC: PercentValue | None = None
    """%."""
    AbsolutePriceSchedule: Annotated[AbsolutePriceSchedule | None, choice("price", optional=True)] = None
    PriceLevelSchedule: Annotated[PriceLevelSchedule | None, choice("price", optional=True)] = None


# Power delivery


@CM.type
class Scheduled_EVPPTControlMode(Message, kw_only=True):
    """The schedule that a power profile follows."""

    SelectedScheduleTupleID: NumericID
    PowerToleranceAcceptance: PowerToleranceAcceptance | None = None


@CM.type
class Dynamic_EVPPTControlMode(Message, kw_only=True):
    """Says that a power profile follows no schedule."""


@CM.type
class EVPowerProfileEntryList(Message, kw_only=True):
    """Power, one interval after the other."""

    EVPowerProfileEntry: Annotated[list[PowerScheduleEntry], occurs(1, 2048)]


@CM.type
class EVPowerProfile(Message, kw_only=True):
    """The power that the vehicle means to draw over time."""

    TimeAnchor: UnsignedLong
    """Start of the first interval, seconds since 1970."""
    Dynamic_EVPPTControlMode: Annotated[Dynamic_EVPPTControlMode | None, choice("mode")] = None
    Scheduled_EVPPTControlMode: Annotated[Scheduled_EVPPTControlMode | None, choice("mode")] = None
    EVPowerProfileEntries: EVPowerProfileEntryList


# Metering confirmation


@CM.type
class Scheduled_SMDTControlMode(Message, kw_only=True):
    """The schedule in force at a meter reading."""

    SelectedScheduleTupleID: NumericID


@CM.type
class Dynamic_SMDTControlMode(Message, kw_only=True):
    """Says that no schedule is in force."""


@CM.element
class SignedMeteringData(Message, kw_only=True):
    """The meter reading that the vehicle confirms. The header's signature covers this element."""

    Id: Annotated[str, attribute]
    SessionID: SessionID
    MeterInfo: MeterInfo
    Receipt: Receipt | None = None
    Dynamic_SMDTControlMode: Annotated[Dynamic_SMDTControlMode | None, choice("mode")] = None
    Scheduled_SMDTControlMode: Annotated[Scheduled_SMDTControlMode | None, choice("mode")] = None


# Certificate installation


@CM.element
class SignedInstallationData(Message, kw_only=True):
    """A contract and its private key, encrypted for the vehicle. The header's signature covers this element."""

    Id: Annotated[str, attribute]
    ContractCertificateChain: ContractCertificateChain
    ECDHCurve: ECDHCurve
    DHPublicKey: DHPublicKey
    SECP521_EncryptedPrivateKey: Annotated[SECP521_EncryptedPrivateKey | None, choice("key")] = None
    X448_EncryptedPrivateKey: Annotated[X448_EncryptedPrivateKey | None, choice("key")] = None
    TPM_EncryptedPrivateKey: Annotated[TPM_EncryptedPrivateKey | None, choice("key")] = None


# Vehicle check-in and check-out


@CM.type
class TargetPosition(Message, kw_only=True):
    """Where the vehicle is to stand; no message uses it. The schema does not say the unit."""

    TargetOffsetX: UnsignedShort
    TargetOffsetY: UnsignedShort


# Messages


@CM.element
class SessionSetupReq(V2GRequest, kw_only=True):
    """The vehicle opens a session, or resumes the one whose ID is in the header."""

    EVCCID: Identifier


@CM.element
class SessionSetupRes(V2GResponse, kw_only=True):
    """The station gives the session its ID (in the header)."""

    EVSEID: Identifier


@CM.element
class AuthorizationSetupReq(V2GRequest, kw_only=True):
    """The vehicle asks how it may be authorized."""


@CM.element
class AuthorizationSetupRes(V2GResponse, kw_only=True):
    """The ways to be authorized, and whether a contract certificate can be installed."""

    AuthorizationServices: Annotated[list[Authorization], occurs(1, 2)]
    CertificateInstallationService: bool
    EIM_ASResAuthorizationMode: Annotated[EIM_ASResAuthorizationMode | None, choice("mode")] = None
    PnC_ASResAuthorizationMode: Annotated[PnC_ASResAuthorizationMode | None, choice("mode")] = None


@CM.element
class AuthorizationReq(V2GRequest, kw_only=True):
    """The vehicle asks for authorization; repeated until the answer is Finished."""

    SelectedAuthorizationService: Authorization
    EIM_AReqAuthorizationMode: Annotated[EIM_AReqAuthorizationMode | None, choice("mode")] = None
    PnC_AReqAuthorizationMode: Annotated[PnC_AReqAuthorizationMode | None, choice("mode")] = None


@CM.element
class AuthorizationRes(V2GResponse, kw_only=True):
    """Whether the user is authorized yet. A WARNING with Finished is a refusal; the vehicle may try another way."""

    EVSEProcessing: Processing


@CM.element
class ServiceDiscoveryReq(V2GRequest, kw_only=True):
    """The vehicle asks what the station offers; a list of services limits the answer."""

    SupportedServiceIDs: ServiceIDList | None = None


@CM.element
class ServiceDiscoveryRes(V2GResponse, kw_only=True):
    """The station offers ways to transfer energy, and value added services (VAS)."""

    ServiceRenegotiationSupported: bool
    EnergyTransferServiceList: ServiceList
    VASList: ServiceList | None = None


@CM.element
class ServiceDetailReq(V2GRequest, kw_only=True):
    """The vehicle asks for the parameters of a service, before it selects one."""

    ServiceID: ServiceID


@CM.element
class ServiceDetailRes(V2GResponse, kw_only=True):
    """The parameter sets of a service."""

    ServiceID: ServiceID
    ServiceParameterList: ServiceParameterList


@CM.element
class ServiceSelectionReq(V2GRequest, kw_only=True):
    """The vehicle chooses services, each with one parameter set."""

    SelectedEnergyTransferService: SelectedService
    SelectedVASList: SelectedServiceList | None = None


@CM.element
class ServiceSelectionRes(V2GResponse, kw_only=True):
    """The station accepts the choice or refuses it."""


@CM.element
class ScheduleExchangeReq(V2GRequest, kw_only=True):
    """The vehicle states its needs in energy and time; repeated until the answer is Finished."""

    MaximumSupportingPoints: MaxSupportingPointsScheduleTuple
    """Entries that a schedule of the answer may have."""
    Dynamic_SEReqControlMode: Annotated[Dynamic_SEReqControlMode | None, choice("mode")] = None
    Scheduled_SEReqControlMode: Annotated[Scheduled_SEReqControlMode | None, choice("mode")] = None


@CM.element
class ScheduleExchangeRes(V2GResponse, kw_only=True):
    """Schedules to choose from, or prices alone in dynamic mode."""

    EVSEProcessing: Processing
    GoToPause: bool | None = None
    """Whether the vehicle should pause instead of charging now."""
    Dynamic_SEResControlMode: Annotated[Dynamic_SEResControlMode | None, choice("mode")] = None
    Scheduled_SEResControlMode: Annotated[Scheduled_SEResControlMode | None, choice("mode")] = None


@CM.element
class PowerDeliveryReq(V2GRequest, kw_only=True):
    """The vehicle starts, stops or rests the flow of energy, or brings a new schedule into force."""

    EVProcessing: Processing
    """Ongoing: the power profile is still to come."""
    ChargeProgress: ChargeProgress
    EVPowerProfile: EVPowerProfile | None = None
    BPT_ChannelSelection: ChannelSelection | None = None


@CM.element
class PowerDeliveryRes(V2GResponse, kw_only=True):
    """The station follows, or says why not."""

    EVSEStatus: EVSEStatus | None = None


@CM.element
class MeteringConfirmationReq(V2GRequest, kw_only=True):
    """The vehicle confirms a meter reading with its signature; sent beside the charge loop."""

    SignedMeteringData: SignedMeteringData


@CM.element
class MeteringConfirmationRes(V2GResponse, kw_only=True):
    """The station accepts the confirmation or refuses it."""


@CM.element
class SessionStopReq(V2GRequest, kw_only=True):
    """The vehicle ends the session, pauses it, or goes back to the choice of services."""

    ChargingSession: ChargingSession
    EVTerminationCode: Name | None = None
    """Why the vehicle stops, for machines."""
    EVTerminationExplanation: Description | None = None
    """Why the vehicle stops, for people."""


@CM.element
class SessionStopRes(V2GResponse, kw_only=True):
    """The station has ended or paused the session, or waits for ServiceDiscoveryReq."""


@CM.element
class CertificateInstallationReq(V2GRequest, kw_only=True):
    """The vehicle asks for contract certificates, with the certificate that its maker gave it."""

    OEMProvisioningCertificateChain: SignedCertificateChain
    ListOfRootCertificateIDs: ListOfRootCertificateIDs
    MaximumContractCertificateChains: UnsignedByte
    """How many contracts the vehicle can store."""
    PrioritizedEMAIDs: EMAIDList | None = None


@CM.element
class CertificateInstallationRes(V2GResponse, kw_only=True):
    """One contract certificate; the vehicle asks again for those that remain."""

    EVSEProcessing: Processing
    CPSCertificateChain: CertificateChain
    """Whose key signed the installation data."""
    SignedInstallationData: SignedInstallationData
    RemainingContractCertificateChains: UnsignedByte
    """How many contracts are left to ask for."""


@CM.element
class VehicleCheckInReq(V2GRequest, kw_only=True):
    """The vehicle drives into a parking place; repeated until Completed. The schema does not say the units."""

    EVCheckInStatus: EVCheckInStatus
    ParkingMethod: ParkingMethod
    VehicleFrame: Short | None = None
    """Extent of the vehicle."""
    DeviceOffset: Short | None = None
    """Where in the vehicle its charging device is."""
    VehicleTravel: Short | None = None
    """How far the vehicle has moved."""


@CM.element
class VehicleCheckInRes(V2GResponse, kw_only=True):
    """Where the vehicle is to go. The schema does not say the units."""

    ParkingSpace: Short | None = None
    """Extent of the parking place."""
    DeviceLocation: Short | None = None
    """Where in the parking place the station's charging device is."""
    TargetDistance: Short | None = None
    """How far the vehicle still has to go."""


@CM.element
class VehicleCheckOutReq(V2GRequest, kw_only=True):
    """The vehicle wants to leave its parking place; repeated until Completed."""

    EVCheckOutStatus: EVCheckOutStatus
    CheckOutTime: UnsignedLong
    """Seconds since 1970."""


@CM.element
class VehicleCheckOutRes(V2GResponse, kw_only=True):
    """Whether the vehicle may leave now."""

    EVSECheckOutStatus: EVSECheckOutStatus


SCHEMA = SchemaSet(
    "iso15118_20_common",
    roots=(
        SessionSetupReq,
        SessionSetupRes,
        AuthorizationSetupReq,
        AuthorizationSetupRes,
        AuthorizationReq,
        AuthorizationRes,
        ServiceDiscoveryReq,
        ServiceDiscoveryRes,
        ServiceDetailReq,
        ServiceDetailRes,
        ServiceSelectionReq,
        ServiceSelectionRes,
        ScheduleExchangeReq,
        ScheduleExchangeRes,
        PowerDeliveryReq,
        PowerDeliveryRes,
        MeteringConfirmationReq,
        MeteringConfirmationRes,
        SessionStopReq,
        SessionStopRes,
        CertificateInstallationReq,
        CertificateInstallationRes,
        VehicleCheckInReq,
        VehicleCheckInRes,
        VehicleCheckOutReq,
        VehicleCheckOutRes,
    ),
    namespaces=(CM, types.CT, xmldsig.DS),
)
