"""ISO 15118-20, wireless power transfer: positioning, pairing, alignment check, limits and charge loop.

The XML schema `urn:iso:std:iso:15118:-20:WPT`. The rest of a session (services, schedules, power delivery) is in
`common`. The primary device (PD) belongs to the station, the secondary device is on the vehicle; their power circuits
are SPC and EVPC. SD stands for the supply device where it is about power, for the secondary device where it is about
ground clearance. LF is the low-frequency system that guides the vehicle into place.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from exi.declare import (
    Message,
    Namespace,
    SchemaSet,
    Short,
    UnsignedByte,
    UnsignedShort,
    base64_binary,
    choice,
    occurs,
    string,
)
from exi.messages.iso15118_20.types import (
    CT,
    ChargeLoopReq,
    ChargeLoopRes,
    ChargeParameterDiscoveryReq,
    ChargeParameterDiscoveryRes,
    Identifier,
    NumericID,
    Processing,
    RationalNumber,
    V2GRequest,
    V2GResponse,
)
from exi.messages.xmldsig import DS

WPT = Namespace("urn:iso:std:iso:15118:-20:WPT", prefix="wpt", qualified_attributes=True)

Bssid = Annotated[str, string(12)]
"""MAC address of an access point: 12 hexadecimal digits in upper case."""
Ipaddress = Annotated[str, string(39)]
"""IPv6 address with colons, in upper case."""
WPT_DataContainer = Annotated[bytes, base64_binary(256)]


class WPT_FinePositioningMethod(StrEnum):
    """How the vehicle finds its place over the primary device."""

    Manual = "Manual"
    LF_TxEV = "LF_TxEV"
    LF_TxPrimaryDevice = "LF_TxPrimaryDevice"
    LPE = "LPE"
    Proprietary = "Proprietary"


class WPT_PairingMethod(StrEnum):
    """How both sides make sure that the vehicle stands over the device it talks to."""

    External_confirmation = "External confirmation"
    LPE = "LPE"
    LF_TxEV = "LF_TxEV"
    LF_TxPrimaryDevice = "LF_TxPrimaryDevice"
    Optical = "Optical"
    Proprietary = "Proprietary"


class WPT_AlignmentCheckMethod(StrEnum):
    """How both sides check that the two coils face each other."""

    PowerCheck = "PowerCheck"
    LPE = "LPE"
    Proprietary = "Proprietary"


class WPT_EVPCChargeDiagnostics(StrEnum):
    """What is wrong with the vehicle's power circuit, if anything."""

    EVPCNoIssue = "EVPCNoIssue"
    EVPCTempOverheatDetected = "EVPCTempOverheatDetected"
    EVPCPowerTransferAnomalyDetected = "EVPCPowerTransferAnomalyDetected"
    EVPCAnomalyDetected = "EVPCAnomalyDetected"


class WPT_SPCChargeDiagnostics(StrEnum):
    """What is wrong with the station's power circuit, if anything: FOD is a foreign object, LOP a living one."""

    SPCNoIssue = "SPCNoIssue"
    SPCFODDetected = "SPCFODDetected"
    SPCLOPDetected = "SPCLOPDetected"
    SPCTempOverheatDetected = "SPCTempOverheatDetected"
    SPCPowerTransferAnomalyDetected = "SPCPowerTransferAnomalyDetected"
    SPCAnomalyDetected = "SPCAnomalyDetected"


class WPT_PowerClass(StrEnum):
    """Input power class of the primary device."""

    MF_WPT1 = "MF-WPT1"
    MF_WPT2 = "MF-WPT2"
    MF_WPT3 = "MF-WPT3"
    MF_WPT4 = "MF-WPT4"


class WPT_EVResult(StrEnum):
    """What came of positioning, pairing or the alignment check, as the vehicle sees it."""

    EVResultUnknown = "EVResultUnknown"
    EVResultSuccess = "EVResultSuccess"
    EVResultFailed = "EVResultFailed"


@WPT.type
class WPT_FinePositioningMethodList(Message, kw_only=True):
    """The positioning methods on offer; one is left when the station has chosen."""

    WPT_FinePositioningMethod: Annotated[list[WPT_FinePositioningMethod], occurs(1, 8)]


@WPT.type
class WPT_PairingMethodList(Message, kw_only=True):
    """The pairing methods on offer; one is left when the station has chosen."""

    WPT_PairingMethod: Annotated[list[WPT_PairingMethod], occurs(1, 8)]


@WPT.type
class WPT_AlignmentCheckMethodList(Message, kw_only=True):
    """The alignment check methods on offer; one is left when the station has chosen."""

    WPT_AlignmentCheckMethod: Annotated[list[WPT_AlignmentCheckMethod], occurs(1, 8)]


@WPT.type
class WPT_EVPCPowerControlParameter(Message, kw_only=True):
    """Coil current that the vehicle asks for, and what its power circuit measures."""

    EVPCCoilCurrentRequest: RationalNumber
    """A."""
    EVPCCoilCurrentInformation: RationalNumber
    """A."""
    EVPCCurrentOutputInformation: RationalNumber
    """A."""
    EVPCVoltageOutputInformation: RationalNumber
    """V."""


@WPT.type
class WPT_SPCPowerControlParameter(Message, kw_only=True):
    """What the station's power circuit measures."""

    SPCPrimaryDeviceCoilCurrentInformation: RationalNumber
    """A."""


@WPT.type
class WPT_LF_SystemSetupData(Message, kw_only=True):
    """The low-frequency antennas of one side: either those that transmit or those that receive."""

    LF_TransmitterSetupData: Annotated[WPT_LF_TransmitterData | None, choice("data")] = None
    LF_ReceiverSetupData: Annotated[WPT_LF_ReceiverData | None, choice("data")] = None


@WPT.type
class WPT_LF_TransmitterData(Message, kw_only=True):
    """Antennas that transmit, and how."""

    NumberOfTransmitters: UnsignedByte
    SignalFrequency: RationalNumber
    """Hz."""
    TxSpecData: Annotated[list[WPT_TxRxSpecData], occurs(2, 255)]
    TxPackageSpecData: WPT_TxRxPackageSpecData | None = None


@WPT.type
class WPT_LF_ReceiverData(Message, kw_only=True):
    """Antennas that receive."""

    NumberOfReceivers: UnsignedByte
    RxSpecData: Annotated[list[WPT_TxRxSpecData], occurs(2, 255)]


@WPT.type
class WPT_TxRxSpecData(Message, kw_only=True):
    """Where an antenna is and where it points."""

    TxRxIdentifier: NumericID
    TxRxPosition: WPT_CoordinateXYZ
    """mm from the centre of the device."""
    TxRxOrientation: WPT_CoordinateXYZ
    """Unit vector; all zero for an antenna without direction."""


@WPT.type
class WPT_CoordinateXYZ(Message, kw_only=True):
    """A point or a direction in space."""

    Coord_X: Short
    Coord_Y: Short
    Coord_Z: Short


@WPT.type
class WPT_TxRxPackageSpecData(Message, kw_only=True):
    """The pulses that the antennas transmit one after the other, and their timing."""

    PulseSequenceOrder: Annotated[list[WPT_TxRxPulseOrder], occurs(2, 255)]
    PulseSeparationTime: UnsignedShort
    """ms between two pulses of a package."""
    PulseDuration: UnsignedShort
    """ms."""
    PackageSeparationTime: UnsignedShort
    """ms between two packages."""


@WPT.type
class WPT_TxRxPulseOrder(Message, kw_only=True):
    """Which antenna transmits at a place in the order."""

    IndexNumber: UnsignedShort
    """Place in the order."""
    TxRxIdentifier: NumericID


@WPT.type
class WPT_LF_TxDataList(Message, kw_only=True):
    """What was transmitted; the schema allows one item."""

    WPT_LF_TxDataList: WPT_LF_TxData


@WPT.type
class WPT_LF_TxData(Message, kw_only=True):
    """The strength at which an antenna transmitted."""

    TxIdentifier: NumericID
    EIRP: RationalNumber
    """Radiated power of the signal."""


@WPT.type
class WPT_LF_RxDataList(Message, kw_only=True):
    """What was received; the schema allows one item."""

    WPT_LF_RxDataList: WPT_LF_RxData


@WPT.type
class WPT_LF_RxData(Message, kw_only=True):
    """What one antenna received."""

    RxIdentifier: NumericID
    RSSIData: WPT_LF_RxRSSIList


@WPT.type
class WPT_LF_RxRSSIList(Message, kw_only=True):
    """Received signals; the schema allows one item."""

    RSSIDataList: WPT_LF_RxRSSI


@WPT.type
class WPT_LF_RxRSSI(Message, kw_only=True):
    """The strength at which the signal of a transmitter arrived."""

    TxIdentifier: NumericID
    RSSI: RationalNumber
    """Strength of the received signal."""


@WPT.type
class WPT_LF_DataPackageList(Message, kw_only=True):
    """Measured pulse packages; the schema allows one item."""

    NumPackages: UnsignedByte
    WPT_LF_DataPackage: WPT_LF_DataPackage


@WPT.type
class WPT_LF_DataPackage(Message, kw_only=True):
    """One pulse package: either what was transmitted or what was received."""

    PackageIndex: UnsignedByte
    LF_TxData: Annotated[WPT_LF_TxDataList | None, choice("data")] = None
    LF_RxData: Annotated[WPT_LF_RxDataList | None, choice("data")] = None


@WPT.type
class AlternativeSECCList(Message, kw_only=True):
    """Stations nearby that the vehicle may stand at instead."""

    AlternativeSECC: Annotated[list[AlternativeSECC], occurs(1, 8)]


@WPT.type
class AlternativeSECC(Message, kw_only=True):
    """How to reach another station."""

    SSID: Identifier | None = None
    BSSID: Bssid | None = None
    IPAddress: Ipaddress | None = None
    Port: UnsignedShort | None = None
    """TCP port."""


@WPT.element
class WPT_FinePositioningSetupReq(V2GRequest, kw_only=True):
    """The vehicle offers its methods of positioning; repeated until EVProcessing is Finished."""

    EVProcessing: Processing
    EVDeviceFinePositioningMethodList: WPT_FinePositioningMethodList
    EVDevicePairingMethodList: WPT_PairingMethodList
    EVDeviceAlignmentCheckMethodList: WPT_AlignmentCheckMethodList
    NaturalOffset: UnsignedShort
    VendorSpecificDataContainer: Annotated[list[WPT_DataContainer], occurs(0, 16)] = []
    LF_SystemSetupData: WPT_LF_SystemSetupData | None = None


@WPT.element
class WPT_FinePositioningSetupRes(V2GResponse, kw_only=True):
    """The station offers its methods, and in the end one of each kind."""

    PrimaryDeviceFinePositioningMethodList: WPT_FinePositioningMethodList
    PrimaryDevicePairingMethodList: WPT_PairingMethodList
    PrimaryDeviceAlignmentCheckMethodList: WPT_AlignmentCheckMethodList
    NaturalOffset: UnsignedShort
    VendorSpecificDataContainer: Annotated[list[WPT_DataContainer], occurs(0, 16)] = []
    LF_SystemSetupData: WPT_LF_SystemSetupData | None = None


@WPT.element
class WPT_FinePositioningReq(V2GRequest, kw_only=True):
    """The vehicle moves into place; repeated on the way."""

    EVProcessing: Processing
    EVResultCode: WPT_EVResult
    VendorSpecificDataContainer: Annotated[list[WPT_DataContainer], occurs(0, 16)] = []
    WPT_LF_DataPackageList: WPT_LF_DataPackageList | None = None


@WPT.element
class WPT_FinePositioningRes(V2GResponse, kw_only=True):
    """The station supports the positioning."""

    EVSEProcessing: Processing
    VendorSpecificDataContainer: Annotated[list[WPT_DataContainer], occurs(0, 16)] = []
    WPT_LF_DataPackageList: WPT_LF_DataPackageList | None = None


@WPT.element
class WPT_PairingReq(V2GRequest, kw_only=True):
    """The vehicle tells what it has seen of the primary device's identity; repeated until both sides are done."""

    EVProcessing: Processing
    ObservedIDCode: NumericID | None = None
    EVResultCode: WPT_EVResult
    VendorSpecificDataContainer: Annotated[list[WPT_DataContainer], occurs(0, 16)] = []


@WPT.element
class WPT_PairingRes(V2GResponse, kw_only=True):
    """The station tells what it has seen, or names other stations."""

    EVSEProcessing: Processing
    ObservedIDCode: NumericID | None = None
    AlternativeSECCList: AlternativeSECCList | None = None
    VendorSpecificDataContainer: Annotated[list[WPT_DataContainer], occurs(0, 16)] = []


@WPT.element
class WPT_ChargeParameterDiscoveryReq(ChargeParameterDiscoveryReq, kw_only=True):
    """The vehicle states its limits for wireless charging."""

    EVPCMaxReceivablePower: RationalNumber
    """W."""
    SDMaxGroundClearence: UnsignedShort
    """mm."""
    SDMinGroundClearence: UnsignedShort
    """mm."""
    EVPCNaturalFrequency: RationalNumber
    """Frequency at which the vehicle's circuit resonates."""
    EVPCDeviceLocalControl: bool
    VendorSpecificDataContainer: Annotated[list[WPT_DataContainer], occurs(0, 16)] = []


@WPT.element
class WPT_ChargeParameterDiscoveryRes(ChargeParameterDiscoveryRes, kw_only=True):
    """The station states its limits for wireless charging."""

    PDInputPowerClass: WPT_PowerClass
    SDMinOutputPower: RationalNumber
    """W."""
    SDMaxOutputPower: RationalNumber
    """W."""
    SDMaxGroundClearanceSupport: UnsignedShort
    """mm."""
    SDMinGroundClearanceSupport: UnsignedShort
    """mm."""
    PDMinCoilCurrent: RationalNumber
    """A."""
    PDMaxCoilCurrent: RationalNumber
    """A."""
    SDManufacturerSpecificDataContainer: Annotated[list[WPT_DataContainer], occurs(0, 16)] = []


@WPT.element
class WPT_AlignmentCheckReq(V2GRequest, kw_only=True):
    """The vehicle asks for a trial of the power transfer; repeated until both sides are done."""

    EVProcessing: Processing
    TargetCoilCurrent: RationalNumber | None = None
    """A."""
    EVResultCode: WPT_EVResult
    VendorSpecificDataContainer: Annotated[list[WPT_DataContainer], occurs(0, 16)] = []


@WPT.element
class WPT_AlignmentCheckRes(V2GResponse, kw_only=True):
    """What the station transmits in the trial."""

    EVSEProcessing: Processing
    PowerTransmitted: RationalNumber | None = None
    """W."""
    SupplyDeviceCurrent: RationalNumber | None = None
    """A."""
    VendorSpecificDataContainer: Annotated[list[WPT_DataContainer], occurs(0, 16)] = []


@WPT.element
class WPT_ChargeLoopReq(ChargeLoopReq, kw_only=True):
    """The vehicle asks for power; repeated while charging."""

    EVPCPowerRequest: RationalNumber
    """W; 0 is allowed."""
    EVPCPowerOutput: RationalNumber
    """W."""
    EVPCChargeDiagnostics: WPT_EVPCChargeDiagnostics
    EVPCOperatingFrequency: RationalNumber | None = None
    """Frequency of the power transfer, as the vehicle sees it."""
    EVPCPowerControlParameter: WPT_EVPCPowerControlParameter | None = None
    ManufacturerSpecificDataContainer: Annotated[list[WPT_DataContainer], occurs(0, 16)] = []


@WPT.element
class WPT_ChargeLoopRes(ChargeLoopRes, kw_only=True):
    """What the station can transmit, and whether something is wrong."""

    EVPCPowerRequest: RationalNumber
    """W; what the vehicle asked for."""
    SDPowerInput: RationalNumber | None = None
    """W; what the supply device consumes."""
    SPCMaxOutputPowerLimit: RationalNumber
    """W."""
    SPCMinOutputPowerLimit: RationalNumber
    """W."""
    SPCChargeDiagnostics: WPT_SPCChargeDiagnostics
    SPCOperatingFrequency: RationalNumber | None = None
    """Frequency of the power transfer, as the station sees it."""
    SPCPowerControlParameter: WPT_SPCPowerControlParameter | None = None
    ManufacturerSpecificDataContainer: Annotated[list[WPT_DataContainer], occurs(0, 16)] = []


SCHEMA = SchemaSet(
    "iso15118_20_wpt",
    roots=(
        WPT_FinePositioningSetupReq,
        WPT_FinePositioningSetupRes,
        WPT_FinePositioningReq,
        WPT_FinePositioningRes,
        WPT_PairingReq,
        WPT_PairingRes,
        WPT_ChargeParameterDiscoveryReq,
        WPT_ChargeParameterDiscoveryRes,
        WPT_AlignmentCheckReq,
        WPT_AlignmentCheckRes,
        WPT_ChargeLoopReq,
        WPT_ChargeLoopRes,
    ),
    namespaces=(WPT, CT, DS),
)
