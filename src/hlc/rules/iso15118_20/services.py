"""Services of ISO 15118-20: their numbers, and what their parameter sets say.

The terms of energy transfer are `Terms`; `parameters` writes them as a parameter set, `terms` reads one. Names are
sent as the standard writes them; where stacks of the field disagree either name or value is understood.
(ISO 15118-20 8.4.3; amendment 1 for MCS)
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from exi.messages.iso15118_20.common import Parameter, ParameterSet
from hlc.rules.iso15118_20.values import number


class Service(IntEnum):
    """Services by number. Those of energy transfer bear the names of `ports.Mode`."""

    AC = 1
    DC = 2
    WPT = 3
    ACDP = 4
    AC_BPT = 5
    DC_BPT = 6
    ACDP_BPT = 7
    MCS = 8
    MCS_BPT = 9
    INTERNET = 65
    PARKING_STATUS = 66

    @property
    def bidirectional(self) -> bool:
        """Whether energy may flow back: then the messages have the types of BPT, and no others. [V2G20-1600]"""
        return self in BOTH_WAYS


BOTH_WAYS: Final = frozenset({Service.AC_BPT, Service.DC_BPT, Service.ACDP_BPT, Service.MCS_BPT})
ENERGY: Final = frozenset(range(1, 60))
"""Numbers of energy transfer, those too that are not known here."""


class Control(IntEnum):
    """Who chooses the power: the vehicle within a schedule, or the station from moment to moment."""

    SCHEDULED = 1
    DYNAMIC = 2


class Mobility(IntEnum):
    """Who knows when the user leaves and how much he needs."""

    EVCC = 1
    BOTH = 2
    """The station may know it too. In dynamic control only. [V2G20-2663]"""


class Pricing(IntEnum):
    """What of prices a schedule tells."""

    NONE = 0
    ABSOLUTE = 1
    LEVELS = 2


class Channel(IntEnum):
    """Whether charging and discharging share their meter and contacts."""

    UNIFIED = 1
    SEPARATED = 2


# Connector, for each service with numbers of its own
AC_SINGLE_PHASE: Final = 1
AC_THREE_PHASE: Final = 3
"""EVerest's number; Josev has 2. Nothing here depends on it."""
DC_EXTENDED: Final = 2
MCS_CONNECTOR: Final = 1

GRID_FOLLOWING: Final = 1
"""GeneratorMode."""
ACTIVE_ISLANDING_DETECTION: Final = 1


class Terms(NamedTuple):
    """What one parameter set of an energy service offers. Fields bear no more than what decides something."""

    control: Control
    mobility: Mobility = Mobility.EVCC
    pricing: Pricing = Pricing.NONE
    channel: Channel | None = None
    """None: one direction only."""
    connector: int | None = None


def parameters(service: Service, terms: Terms, *, connector: int | None, volts: float = 0.0) -> list[Parameter]:
    """A parameter set. `volts` is the nominal voltage, phase to neutral, of AC services."""
    values: dict[str, int] = {}
    if connector is not None:
        values["Connector"] = connector
    values["ControlMode"] = terms.control
    if service in (Service.AC, Service.AC_BPT):
        values["EVSENominalVoltage"] = round(volts)
    values["MobilityNeedsMode"] = terms.mobility
    values["Pricing"] = terms.pricing
    if terms.channel is not None:
        values["BPTChannel"] = terms.channel
        values["GeneratorMode"] = GRID_FOLLOWING
        if service is Service.AC_BPT:
            # Eight parameters in all: codecs of the field have room for no more. EVerest looks for
            # DetectionMethodGridCodeIslanding, and does without.
            values["GridCodeIslandingDetectionMethod"] = ACTIVE_ISLANDING_DETECTION
    return [Parameter(Name=name, intValue=int(value)) for name, value in values.items()]


def numbers(entries: Iterable[Parameter]) -> dict[str, int]:
    """The numbers among parameters, whatever type they were sent with."""
    found = {}
    for entry in entries:
        for value in (entry.intValue, entry.shortValue, entry.byteValue, entry.boolValue):
            if value is not None:
                found[entry.Name] = int(value)
        if entry.rationalNumber is not None and abs(exact := number(entry.rationalNumber)) < 2**31:
            found[entry.Name] = round(exact)
    return found


def terms(offered: ParameterSet, service: int) -> Terms | None:
    """What a parameter set of an energy service offers; None: it does not say who chooses the power, or says something
    that is not known here."""
    found = numbers(offered.Parameter)
    channel = None
    if service in list(Service) and Service(service).bidirectional:
        channel = found.get("BPTChannel", Channel.UNIFIED)
    try:
        return Terms(
            Control(found["ControlMode"]),
            Mobility(found.get("MobilityNeedsMode", Mobility.EVCC)),
            Pricing(found.get("Pricing", Pricing.NONE)),
            None if channel is None else Channel(channel),
            found.get("Connector"),
        )
    except (KeyError, ValueError):
        return None


class Intended(IntEnum):
    """IntendedService of ParkingStatus: what is told beside the charge."""

    CHECK_IN = 1
    CHECK_OUT = 2


MANUAL_EXTERNAL: Final = 4
"""ParkingStatusType: somebody drives the vehicle, and knows from outside where it stands."""
HTTPS: Final = ("https", 443)
"""Protocol and Port of Internet."""
