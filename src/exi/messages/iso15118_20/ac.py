"""ISO 15118-20, AC charging: limits and charge loop, one-way and bidirectional (BPT).

The XML schema `urn:iso:std:iso:15118:-20:AC`. The rest of an AC session (session set-up, services, schedules, power
delivery) is in `common`. A power without suffix is the sum of all phases, or that of L1 where values with the suffixes
_L2 and _L3 come with it. Limits for discharging are positive.
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
    RationalNumber,
    Scheduled_CLReqControlMode,
    Scheduled_CLResControlMode,
)
from exi.messages.xmldsig import DS

AC = Namespace("urn:iso:std:iso:15118:-20:AC", prefix="ac", qualified_attributes=True)


@AC.element
class AC_CPDReqEnergyTransferMode(Message, kw_only=True):
    """What the vehicle can take from an AC outlet."""

    EVMaximumChargePower: RationalNumber
    """W."""
    EVMaximumChargePower_L2: RationalNumber | None = None
    """W."""
    EVMaximumChargePower_L3: RationalNumber | None = None
    """W."""
    EVMinimumChargePower: RationalNumber
    """W."""
    EVMinimumChargePower_L2: RationalNumber | None = None
    """W."""
    EVMinimumChargePower_L3: RationalNumber | None = None
    """W."""


@AC.element
class AC_CPDResEnergyTransferMode(Message, kw_only=True):
    """What an AC outlet can deliver."""

    EVSEMaximumChargePower: RationalNumber
    """W."""
    EVSEMaximumChargePower_L2: RationalNumber | None = None
    """W."""
    EVSEMaximumChargePower_L3: RationalNumber | None = None
    """W."""
    EVSEMinimumChargePower: RationalNumber
    """W."""
    EVSEMinimumChargePower_L2: RationalNumber | None = None
    """W."""
    EVSEMinimumChargePower_L3: RationalNumber | None = None
    """W."""
    EVSENominalFrequency: RationalNumber
    """Hz."""
    MaximumPowerAsymmetry: RationalNumber | None = None
    """Largest difference of power between two phases."""
    EVSEPowerRampLimitation: RationalNumber | None = None
    """Fastest change of power, % per minute."""
    EVSEPresentActivePower: RationalNumber | None = None
    """W."""
    EVSEPresentActivePower_L2: RationalNumber | None = None
    """W."""
    EVSEPresentActivePower_L3: RationalNumber | None = None
    """W."""


@AC.element
class BPT_AC_CPDReqEnergyTransferMode(AC_CPDReqEnergyTransferMode, kw_only=True):
    """What the vehicle can take from an AC outlet and feed back."""

    EVMaximumDischargePower: RationalNumber
    """W."""
    EVMaximumDischargePower_L2: RationalNumber | None = None
    """W."""
    EVMaximumDischargePower_L3: RationalNumber | None = None
    """W."""
    EVMinimumDischargePower: RationalNumber
    """W."""
    EVMinimumDischargePower_L2: RationalNumber | None = None
    """W."""
    EVMinimumDischargePower_L3: RationalNumber | None = None
    """W."""


@AC.element
class BPT_AC_CPDResEnergyTransferMode(AC_CPDResEnergyTransferMode, kw_only=True):
    """What an AC outlet can deliver and take back."""

    EVSEMaximumDischargePower: RationalNumber
    """W."""
    EVSEMaximumDischargePower_L2: RationalNumber | None = None
    """W."""
    EVSEMaximumDischargePower_L3: RationalNumber | None = None
    """W."""
    EVSEMinimumDischargePower: RationalNumber
    """W."""
    EVSEMinimumDischargePower_L2: RationalNumber | None = None
    """W."""
    EVSEMinimumDischargePower_L3: RationalNumber | None = None
    """W."""


@AC.element
class Scheduled_AC_CLReqControlMode(Scheduled_CLReqControlMode, kw_only=True):
    """Scheduled mode: what the vehicle draws now, and its limits where they have changed."""

    EVMaximumChargePower: RationalNumber | None = None
    """W."""
    EVMaximumChargePower_L2: RationalNumber | None = None
    """W."""
    EVMaximumChargePower_L3: RationalNumber | None = None
    """W."""
    EVMinimumChargePower: RationalNumber | None = None
    """W."""
    EVMinimumChargePower_L2: RationalNumber | None = None
    """W."""
    EVMinimumChargePower_L3: RationalNumber | None = None
    """W."""
    EVPresentActivePower: RationalNumber
    """W."""
    EVPresentActivePower_L2: RationalNumber | None = None
    """W."""
    EVPresentActivePower_L3: RationalNumber | None = None
    """W."""
    EVPresentReactivePower: RationalNumber | None = None
    """VAr."""
    EVPresentReactivePower_L2: RationalNumber | None = None
    """VAr."""
    EVPresentReactivePower_L3: RationalNumber | None = None
    """VAr."""


@AC.element
class Scheduled_AC_CLResControlMode(Scheduled_CLResControlMode, kw_only=True):
    """Scheduled mode: what the station asks the vehicle to draw, if anything."""

    EVSETargetActivePower: RationalNumber | None = None
    """W."""
    EVSETargetActivePower_L2: RationalNumber | None = None
    """W."""
    EVSETargetActivePower_L3: RationalNumber | None = None
    """W."""
    EVSETargetReactivePower: RationalNumber | None = None
    """VAr."""
    EVSETargetReactivePower_L2: RationalNumber | None = None
    """VAr."""
    EVSETargetReactivePower_L3: RationalNumber | None = None
    """VAr."""
    EVSEPresentActivePower: RationalNumber | None = None
    """W."""
    EVSEPresentActivePower_L2: RationalNumber | None = None
    """W."""
    EVSEPresentActivePower_L3: RationalNumber | None = None
    """W."""


@AC.element
class BPT_Scheduled_AC_CLReqControlMode(Scheduled_AC_CLReqControlMode, kw_only=True):
    """Scheduled mode, bidirectional: the limits for discharging too."""

    EVMaximumDischargePower: RationalNumber | None = None
    """W."""
    EVMaximumDischargePower_L2: RationalNumber | None = None
    """W."""
    EVMaximumDischargePower_L3: RationalNumber | None = None
    """W."""
    EVMinimumDischargePower: RationalNumber | None = None
    """W."""
    EVMinimumDischargePower_L2: RationalNumber | None = None
    """W."""
    EVMinimumDischargePower_L3: RationalNumber | None = None
    """W."""


@AC.element
class BPT_Scheduled_AC_CLResControlMode(Scheduled_AC_CLResControlMode, kw_only=True):
    """Scheduled mode, bidirectional: nothing more than in one direction."""


@AC.element
class Dynamic_AC_CLReqControlMode(Dynamic_CLReqControlMode, kw_only=True):
    """Dynamic mode: the range in which the station may choose, and what the vehicle draws now."""

    EVMaximumChargePower: RationalNumber
    """W."""
    EVMaximumChargePower_L2: RationalNumber | None = None
    """W."""
    EVMaximumChargePower_L3: RationalNumber | None = None
    """W."""
    EVMinimumChargePower: RationalNumber
    """W."""
    EVMinimumChargePower_L2: RationalNumber | None = None
    """W."""
    EVMinimumChargePower_L3: RationalNumber | None = None
    """W."""
    EVPresentActivePower: RationalNumber
    """W."""
    EVPresentActivePower_L2: RationalNumber | None = None
    """W."""
    EVPresentActivePower_L3: RationalNumber | None = None
    """W."""
    EVPresentReactivePower: RationalNumber
    """VAr."""
    EVPresentReactivePower_L2: RationalNumber | None = None
    """VAr."""
    EVPresentReactivePower_L3: RationalNumber | None = None
    """VAr."""


@AC.element
class Dynamic_AC_CLResControlMode(Dynamic_CLResControlMode, kw_only=True):
    """Dynamic mode: the power at which the vehicle is to charge."""

    EVSETargetActivePower: RationalNumber
    """W."""
    EVSETargetActivePower_L2: RationalNumber | None = None
    """W."""
    EVSETargetActivePower_L3: RationalNumber | None = None
    """W."""
    EVSETargetReactivePower: RationalNumber | None = None
    """VAr."""
    EVSETargetReactivePower_L2: RationalNumber | None = None
    """VAr."""
    EVSETargetReactivePower_L3: RationalNumber | None = None
    """VAr."""
    EVSEPresentActivePower: RationalNumber | None = None
    """W."""
    EVSEPresentActivePower_L2: RationalNumber | None = None
    """W."""
    EVSEPresentActivePower_L3: RationalNumber | None = None
    """W."""


@AC.element
class BPT_Dynamic_AC_CLReqControlMode(Dynamic_AC_CLReqControlMode, kw_only=True):
    """Dynamic mode, bidirectional: the range for discharging too."""

    EVMaximumDischargePower: RationalNumber
    """W."""
    EVMaximumDischargePower_L2: RationalNumber | None = None
    """W."""
    EVMaximumDischargePower_L3: RationalNumber | None = None
    """W."""
    EVMinimumDischargePower: RationalNumber
    """W."""
    EVMinimumDischargePower_L2: RationalNumber | None = None
    """W."""
    EVMinimumDischargePower_L3: RationalNumber | None = None
    """W."""
    EVMaximumV2XEnergyRequest: RationalNumber | None = None
    """Wh; comes together with the minimum or not at all."""
    EVMinimumV2XEnergyRequest: RationalNumber | None = None
    """Wh."""


@AC.element
class BPT_Dynamic_AC_CLResControlMode(Dynamic_AC_CLResControlMode, kw_only=True):
    """Dynamic mode, bidirectional: nothing more than in one direction."""


@AC.element
class AC_ChargeParameterDiscoveryReq(ChargeParameterDiscoveryReq, kw_only=True):
    """The vehicle states its limits for AC charging."""

    AC_CPDReqEnergyTransferMode: Annotated[AC_CPDReqEnergyTransferMode, ref]


@AC.element
class AC_ChargeParameterDiscoveryRes(ChargeParameterDiscoveryRes, kw_only=True):
    """The station states its limits for AC charging."""

    AC_CPDResEnergyTransferMode: Annotated[AC_CPDResEnergyTransferMode, ref]


@AC.element
class AC_ChargeLoopReq(ChargeLoopReq, kw_only=True):
    """The vehicle reports what it draws and needs; repeated while charging."""

    CLReqControlMode: Annotated[CLReqControlMode, ref]


@AC.element
class AC_ChargeLoopRes(ChargeLoopRes, kw_only=True):
    """The station answers with its targets."""

    EVSETargetFrequency: RationalNumber | None = None
    """Hz."""
    CLResControlMode: Annotated[CLResControlMode, ref]


SCHEMA = SchemaSet(
    "iso15118_20_ac",
    roots=(
        AC_ChargeParameterDiscoveryReq,
        AC_ChargeParameterDiscoveryRes,
        AC_ChargeLoopReq,
        AC_ChargeLoopRes,
    ),
    namespaces=(AC, CT, DS),
)
