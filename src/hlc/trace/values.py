"""What a message says in figures, as one flat record with units, the same for every protocol and energy mode.

`COLUMNS` is the whole knowledge: which element becomes which value. An element is found by its name wherever it sits
in the message, so DIN SPEC 70121, ISO 15118-2 and every mode of ISO 15118-20 are read by one table. Powers of single
phases are added up. Tables for analysis, plots and whoever compares a value with a limit read from here.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec

from hlc.trace.describe import DEEPEST, document, quantity


class Values(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The values of one message; None: it does not say. Volts, amps, watts, watt hours, seconds and per cent.

    Power and current towards the vehicle are positive. `evse_` is what the station measures or allows, `ev_` what the
    vehicle does.
    """

    response_code: str | None = None
    processing: str | None = None
    """Whether the sender needs more time: "Ongoing", "Finished", ..."""
    progress: str | None = None
    """What a PowerDeliveryReq wants: "Start", "Stop", "Renegotiate", ..."""
    evse_status: str | None = None
    ev_error: str | None = None
    isolation: str | None = None
    notification: str | None = None
    soc: float | None = None
    """State of charge of the battery, %."""
    target_soc: float | None = None
    target_volts: float | None = None
    """What the vehicle asks for."""
    target_amps: float | None = None
    target_watts: float | None = None
    """What the vehicle asks for where it asks for power (wireless)."""
    evse_target_watts: float | None = None
    """What the station asks the vehicle to draw (AC of ISO 15118-20)."""
    evse_volts: float | None = None
    evse_amps: float | None = None
    evse_watts: float | None = None
    """Measured by the station; of DC the product of its voltage and current."""
    ev_volts: float | None = None
    ev_amps: float | None = None
    ev_watts: float | None = None
    ev_min_volts: float | None = None
    ev_max_volts: float | None = None
    ev_min_amps: float | None = None
    ev_max_amps: float | None = None
    """In AC of each phase."""
    ev_min_watts: float | None = None
    ev_max_watts: float | None = None
    ev_max_discharge_amps: float | None = None
    ev_max_discharge_watts: float | None = None
    evse_min_volts: float | None = None
    evse_max_volts: float | None = None
    evse_nominal_volts: float | None = None
    """Of the mains, in AC of ISO 15118-2."""
    evse_min_amps: float | None = None
    evse_max_amps: float | None = None
    evse_min_watts: float | None = None
    evse_max_watts: float | None = None
    evse_max_discharge_amps: float | None = None
    evse_max_discharge_watts: float | None = None
    ripple_amps: float | None = None
    current_limited: bool | None = None
    """The station says that its limit is reached."""
    voltage_limited: bool | None = None
    power_limited: bool | None = None
    complete: bool | None = None
    """The vehicle says that charging is complete."""
    capacity_wh: float | None = None
    wanted_wh: float | None = None
    remaining_s: float | None = None
    meter_wh: float | None = None
    """Reading of the station's meter."""
    meter_back_wh: float | None = None
    """Reading of the meter for what came from vehicles."""


PHASES: Final = ("", "_L2", "_L3")

COLUMNS: Final[Mapping[str, str]] = {
    "ResponseCode": "response_code",
    "EVSEProcessing": "processing",
    "EVProcessing": "processing",
    "ReadyToChargeState": "progress",
    "ChargeProgress": "progress",
    "EVSEStatusCode": "evse_status",
    "EVErrorCode": "ev_error",
    "EVSEIsolationStatus": "isolation",
    "EVSENotification": "notification",
    "EVRESSSOC": "soc",
    "PresentSOC": "soc",
    "EVSOC": "soc",
    "TargetSOC": "target_soc",
    # what is asked for
    "EVTargetVoltage": "target_volts",
    "EVTargetCurrent": "target_amps",
    "EVPCPowerRequest": "target_watts",
    **{f"EVSETargetActivePower{phase}": "evse_target_watts" for phase in PHASES},
    # what is measured
    "EVSEPresentVoltage": "evse_volts",
    "EVSEPresentCurrent": "evse_amps",
    **{f"EVSEPresentActivePower{phase}": "evse_watts" for phase in PHASES},
    "SDPowerInput": "evse_watts",
    "EVPresentVoltage": "ev_volts",
    "EVPCVoltageOutputInformation": "ev_volts",
    "EVPCCurrentOutputInformation": "ev_amps",
    **{f"EVPresentActivePower{phase}": "ev_watts" for phase in PHASES},
    "EVPCPowerOutput": "ev_watts",
    "EVSEPeakCurrentRipple": "ripple_amps",
    # limits of the vehicle: of DC, of AC, of ISO 15118-20, of wireless
    "EVMaximumVoltageLimit": "ev_max_volts",
    "EVMaximumCurrentLimit": "ev_max_amps",
    "EVMaximumPowerLimit": "ev_max_watts",
    "EVMaxVoltage": "ev_max_volts",
    "EVMaxCurrent": "ev_max_amps",
    "EVMinCurrent": "ev_min_amps",
    "EVMaximumVoltage": "ev_max_volts",
    "EVMinimumVoltage": "ev_min_volts",
    "EVMaximumChargeCurrent": "ev_max_amps",
    "EVMinimumChargeCurrent": "ev_min_amps",
    **{f"EVMaximumChargePower{phase}": "ev_max_watts" for phase in PHASES},
    **{f"EVMinimumChargePower{phase}": "ev_min_watts" for phase in PHASES},
    "EVMaximumDischargeCurrent": "ev_max_discharge_amps",
    **{f"EVMaximumDischargePower{phase}": "ev_max_discharge_watts" for phase in PHASES},
    "EVPCMaxReceivablePower": "ev_max_watts",
    # limits of the station
    "EVSEMaximumVoltageLimit": "evse_max_volts",
    "EVSEMaximumCurrentLimit": "evse_max_amps",
    "EVSEMaximumPowerLimit": "evse_max_watts",
    "EVSEMinimumVoltageLimit": "evse_min_volts",
    "EVSEMinimumCurrentLimit": "evse_min_amps",
    "EVSEMaxVoltage": "evse_max_volts",
    "EVSENominalVoltage": "evse_nominal_volts",
    "EVSEMaxCurrent": "evse_max_amps",
    "EVSEMinCurrent": "evse_min_amps",
    "EVSEMaximumVoltage": "evse_max_volts",
    "EVSEMinimumVoltage": "evse_min_volts",
    "EVSEMaximumChargeCurrent": "evse_max_amps",
    "EVSEMinimumChargeCurrent": "evse_min_amps",
    **{f"EVSEMaximumChargePower{phase}": "evse_max_watts" for phase in PHASES},
    **{f"EVSEMinimumChargePower{phase}": "evse_min_watts" for phase in PHASES},
    "EVSEMaximumDischargeCurrent": "evse_max_discharge_amps",
    **{f"EVSEMaximumDischargePower{phase}": "evse_max_discharge_watts" for phase in PHASES},
    "SDMinOutputPower": "evse_min_watts",
    "SDMaxOutputPower": "evse_max_watts",
    "SPCMinOutputPowerLimit": "evse_min_watts",
    "SPCMaxOutputPowerLimit": "evse_max_watts",
    # whether one is reached
    "EVSECurrentLimitAchieved": "current_limited",
    "EVSEVoltageLimitAchieved": "voltage_limited",
    "EVSEPowerLimitAchieved": "power_limited",
    "ChargingComplete": "complete",
    # energy and time
    "EVEnergyCapacity": "capacity_wh",
    "BatteryEnergyCapacity": "capacity_wh",
    "EVEnergyRequest": "wanted_wh",
    "EAmount": "wanted_wh",
    "EVTargetEnergyRequest": "wanted_wh",
    "RemainingTimeToFullSoC": "remaining_s",
    "RemainingTimeToTargetSOC": "remaining_s",
    "MeterReading": "meter_wh",
    "ChargedEnergyReadingWh": "meter_wh",
    "BPT_DischargedEnergyReadingWh": "meter_back_wh",
}
"""The value that an element is."""

UNITS: Final = {"h": 3600.0, "m": 60.0, "W_s": 1 / 3600}
"""Units in which DIN SPEC 70121 and ISO 15118-2 may give time and energy, in seconds and watt hours."""

KINDS: Final = {name: typing.get_args(hint)[0] for name, hint in typing.get_type_hints(Values).items()}
"""The type of each value."""


def values(message: Any) -> Values:
    """The values of a decoded document. An SDP message, or anything that is no message, has none."""
    found: dict[str, Any] = {}
    _collect(document(message)[1], found, 0)
    volts, amps = found.get("evse_volts"), found.get("evse_amps")
    if volts is not None and amps is not None and "evse_watts" not in found:
        found["evse_watts"] = volts * amps
    return Values(**found)


def _collect(element: Any, found: dict[str, Any], depth: int) -> None:
    kind: Any = type(element)
    for name, column, read in _parts(kind):
        value = getattr(element, name)
        if value is None:
            continue
        if read is None:
            if depth < DEEPEST:
                _collect(value, found, depth + 1)
        elif (said := read(value)) is not None:
            if name.endswith(PHASES[1:]) and column in found:
                found[column] += said
            else:
                found.setdefault(column, said)


class Part(NamedTuple):
    """A field of a message class: the value that it is and how it is read, or no way to read: look into it."""

    name: str
    column: str
    read: Callable[[Any], Any] | None


@cache
def _parts(kind: Any) -> tuple[Part, ...]:
    """The fields of a class that are values, or may hold some. Lists hold schedules and offers, and none."""
    parts = []
    hints = typing.get_type_hints(kind) if issubclass(kind, msgspec.Struct) else {}
    for name in getattr(kind, "__struct_fields__", ()):
        column = COLUMNS.get(name)
        if column is not None:
            parts.append(Part(name, column, READERS[KINDS[column]]))
        elif name not in ("Header", "Signature") and _is_element(hints[name]):
            parts.append(Part(name, "", None))
    return tuple(parts)


def _is_element(hint: Any) -> bool:
    """Whether a field of this type holds one element with fields of its own."""
    return any(isinstance(part, type) and issubclass(part, msgspec.Struct) for part in (hint, *typing.get_args(hint)))


def _number(value: Any) -> float | None:
    if isinstance(value, msgspec.Struct):
        number = quantity(value)
        return None if number is None else number.value * UNITS.get(number.unit, 1.0)
    return float(value) if isinstance(value, int | float) else None


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "Start" if value else "Stop"
    return str(value.value) if isinstance(value, Enum) else str(value)


READERS: Final[Mapping[type, Callable[[Any], Any]]] = {float: _number, str: _word, bool: bool}
