"""ISO 15118-20, DC charging: limits, cable check, precharge, charge loop and welding detection, also bidirectional.

The XML schema `urn:iso:std:iso:15118:-20:DC`; megawatt charging (MCS) uses the same messages. The rest of a DC session
(session set-up, services, schedules, power delivery) is in `common`. BPT is bidirectional power transfer. Limits for
discharging are positive.
"""

from __future__ import annotations

from typing import Annotated

from exi.declare import Message, Namespace, SchemaSet, ref
from exi.messages.iso15118_20.types import (
    CT,
    ChargeLoopReq,
    ChargeLoopRes,
    ChargeParameterDiscoveryReq,
    ChargeParameterDiscoveryRes,
    CLReqControlMode,
    CLResControlMode,
    Dynamic_CLReqControlMode,
    Dynamic_CLResControlMode,
    PercentValue,
    Processing,
    RationalNumber,
    Scheduled_CLReqControlMode,
    Scheduled_CLResControlMode,
    V2GRequest,
    V2GResponse,
)
from exi.messages.xmldsig import DS

DC = Namespace("urn:iso:std:iso:15118:-20:DC", prefix="dc", qualified_attributes=True)


@DC.element
class DC_CPDReqEnergyTransferMode(Message, kw_only=True):
    """What the vehicle can take from a DC outlet."""

    EVMaximumChargePower: RationalNumber
    """W."""
    EVMinimumChargePower: RationalNumber
    """W."""
    EVMaximumChargeCurrent: RationalNumber
    """A."""
    EVMinimumChargeCurrent: RationalNumber
    """A."""
    EVMaximumVoltage: RationalNumber
    """V."""
    EVMinimumVoltage: RationalNumber
    """V."""
    TargetSOC: PercentValue | None = None
    """State of charge that the vehicle wants to reach, %."""


@DC.element
class DC_CPDResEnergyTransferMode(Message, kw_only=True):
    """What a DC outlet can deliver."""

    EVSEMaximumChargePower: RationalNumber
    """W."""
    EVSEMinimumChargePower: RationalNumber
    """W."""
    EVSEMaximumChargeCurrent: RationalNumber
    """A."""
    EVSEMinimumChargeCurrent: RationalNumber
    """A."""
    EVSEMaximumVoltage: RationalNumber
    """V."""
    EVSEMinimumVoltage: RationalNumber
    """V."""
    EVSEPowerRampLimitation: RationalNumber | None = None
    """Fastest change of power, % per minute."""


@DC.element
class BPT_DC_CPDReqEnergyTransferMode(DC_CPDReqEnergyTransferMode, kw_only=True):
    """What the vehicle can take from a DC outlet and feed back."""

    EVMaximumDischargePower: RationalNumber
    """W."""
    EVMinimumDischargePower: RationalNumber
    """W."""
    EVMaximumDischargeCurrent: RationalNumber
    """A."""
    EVMinimumDischargeCurrent: RationalNumber
    """A."""


@DC.element
class BPT_DC_CPDResEnergyTransferMode(DC_CPDResEnergyTransferMode, kw_only=True):
    """What a DC outlet can deliver and take back."""

    EVSEMaximumDischargePower: RationalNumber
    """W."""
    EVSEMinimumDischargePower: RationalNumber
    """W."""
    EVSEMaximumDischargeCurrent: RationalNumber
    """A."""
    EVSEMinimumDischargeCurrent: RationalNumber
    """A."""


@DC.element
class Scheduled_DC_CLReqControlMode(Scheduled_CLReqControlMode, kw_only=True):
    """Scheduled mode: the current and voltage that the vehicle wants, and limits that have changed."""

    EVTargetCurrent: RationalNumber
    """A."""
    EVTargetVoltage: RationalNumber
    """V."""
    EVMaximumChargePower: RationalNumber | None = None
    """W."""
    EVMinimumChargePower: RationalNumber | None = None
    """W."""
    EVMaximumChargeCurrent: RationalNumber | None = None
    """A."""
    EVMaximumVoltage: RationalNumber | None = None
    """V."""
    EVMinimumVoltage: RationalNumber | None = None
    """V."""


@DC.element
class Scheduled_DC_CLResControlMode(Scheduled_CLResControlMode, kw_only=True):
    """Scheduled mode: the station's limits where they have changed."""

    EVSEMaximumChargePower: RationalNumber | None = None
    """W."""
    EVSEMinimumChargePower: RationalNumber | None = None
    """W."""
    EVSEMaximumChargeCurrent: RationalNumber | None = None
    """A."""
    EVSEMaximumVoltage: RationalNumber | None = None
    """V."""


@DC.element
class BPT_Scheduled_DC_CLReqControlMode(Scheduled_DC_CLReqControlMode, kw_only=True):
    """Scheduled mode, bidirectional: the vehicle's limits for discharging too."""

    EVMaximumDischargePower: RationalNumber | None = None
    """W."""
    EVMinimumDischargePower: RationalNumber | None = None
    """W."""
    EVMaximumDischargeCurrent: RationalNumber | None = None
    """A."""


@DC.element
class BPT_Scheduled_DC_CLResControlMode(Scheduled_DC_CLResControlMode, kw_only=True):
    """Scheduled mode, bidirectional: the station's limits for discharging too."""

    EVSEMaximumDischargePower: RationalNumber | None = None
    """W."""
    EVSEMinimumDischargePower: RationalNumber | None = None
    """W."""
    EVSEMaximumDischargeCurrent: RationalNumber | None = None
    """A."""
    EVSEMinimumVoltage: RationalNumber | None = None
    """V."""


@DC.element
class Dynamic_DC_CLReqControlMode(Dynamic_CLReqControlMode, kw_only=True):
    """Dynamic mode: the range in which the station may choose."""

    EVMaximumChargePower: RationalNumber
    """W."""
    EVMinimumChargePower: RationalNumber
    """W."""
    EVMaximumChargeCurrent: RationalNumber
    """A."""
    EVMaximumVoltage: RationalNumber
    """V."""
    EVMinimumVoltage: RationalNumber
    """V."""


@DC.element
class Dynamic_DC_CLResControlMode(Dynamic_CLResControlMode, kw_only=True):
    """Dynamic mode: the station's limits now."""

    EVSEMaximumChargePower: RationalNumber
    """W."""
    EVSEMinimumChargePower: RationalNumber
    """W."""
    EVSEMaximumChargeCurrent: RationalNumber
    """A."""
    EVSEMaximumVoltage: RationalNumber
    """V."""


@DC.element
class BPT_Dynamic_DC_CLReqControlMode(Dynamic_DC_CLReqControlMode, kw_only=True):
    """Dynamic mode, bidirectional: the range for discharging too."""

    EVMaximumDischargePower: RationalNumber
    """W."""
    EVMinimumDischargePower: RationalNumber
    """W."""
    EVMaximumDischargeCurrent: RationalNumber
    """A."""
    EVMaximumV2XEnergyRequest: RationalNumber | None = None
    """Wh; comes together with the minimum or not at all."""
    EVMinimumV2XEnergyRequest: RationalNumber | None = None
    """Wh."""


@DC.element
class BPT_Dynamic_DC_CLResControlMode(Dynamic_DC_CLResControlMode, kw_only=True):
    """Dynamic mode, bidirectional: the station's limits for discharging too."""

    EVSEMaximumDischargePower: RationalNumber
    """W."""
    EVSEMinimumDischargePower: RationalNumber
    """W."""
    EVSEMaximumDischargeCurrent: RationalNumber
    """A."""
    EVSEMinimumVoltage: RationalNumber
    """V."""


@DC.element
class DC_ChargeParameterDiscoveryReq(ChargeParameterDiscoveryReq, kw_only=True):
    """The vehicle states its limits for DC charging."""

    DC_CPDReqEnergyTransferMode: Annotated[DC_CPDReqEnergyTransferMode, ref]


@DC.element
class DC_ChargeParameterDiscoveryRes(ChargeParameterDiscoveryRes, kw_only=True):
    """The station states its limits for DC charging."""

    DC_CPDResEnergyTransferMode: Annotated[DC_CPDResEnergyTransferMode, ref]


@DC.element
class DC_CableCheckReq(V2GRequest, kw_only=True):
    """The vehicle has locked the connector and asks for the isolation test; repeated until the answer is Finished."""


@DC.element
class DC_CableCheckRes(V2GResponse, kw_only=True):
    """Whether the isolation test has passed yet. A failed test is a response code that begins with FAILED."""

    EVSEProcessing: Processing


@DC.element
class DC_PreChargeReq(V2GRequest, kw_only=True):
    """The vehicle asks for the voltage at which it can close its contactors; the last request says Finished."""

    EVProcessing: Processing
    EVPresentVoltage: RationalNumber
    """V."""
    EVTargetVoltage: RationalNumber
    """V."""


@DC.element
class DC_PreChargeRes(V2GResponse, kw_only=True):
    """The voltage at the outlet."""

    EVSEPresentVoltage: RationalNumber
    """V."""


@DC.element
class DC_ChargeLoopReq(ChargeLoopReq, kw_only=True):
    """The vehicle asks for current; repeated while charging."""

    EVPresentVoltage: RationalNumber
    """V."""
    CLReqControlMode: Annotated[CLReqControlMode, ref]


@DC.element
class DC_ChargeLoopRes(ChargeLoopRes, kw_only=True):
    """What the outlet delivers now and which limit holds it back."""

    EVSEPresentCurrent: RationalNumber
    """A."""
    EVSEPresentVoltage: RationalNumber
    """V."""
    EVSEPowerLimitAchieved: bool
    EVSECurrentLimitAchieved: bool
    EVSEVoltageLimitAchieved: bool
    CLResControlMode: Annotated[CLResControlMode, ref]


@DC.element
class DC_WeldingDetectionReq(V2GRequest, kw_only=True):
    """The vehicle has opened its contactors and looks for welded ones; the last request says Finished."""

    EVProcessing: Processing


@DC.element
class DC_WeldingDetectionRes(V2GResponse, kw_only=True):
    """The voltage that is left at the outlet."""

    EVSEPresentVoltage: RationalNumber
    """V."""


SCHEMA = SchemaSet(
    "iso15118_20_dc",
    roots=(
        DC_ChargeParameterDiscoveryReq,
        DC_ChargeParameterDiscoveryRes,
        DC_CableCheckReq,
        DC_CableCheckRes,
        DC_PreChargeReq,
        DC_PreChargeRes,
        DC_ChargeLoopReq,
        DC_ChargeLoopRes,
        DC_WeldingDetectionReq,
        DC_WeldingDetectionRes,
    ),
    namespaces=(DC, CT, DS),
)
