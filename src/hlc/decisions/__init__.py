"""Decisions that the protocols share. Each is tested once; a protocol's handler only phrases them."""

from hlc.decisions.isolation import CableCheck, CableCheckState, cable_check_volts
from hlc.decisions.limits import (
    DISCHARGE_S,
    EMERGENCY_S,
    MATCH_VOLTS,
    NO_CURRENT_AMPS,
    PRECHARGE_AMPS,
    SAFE_VOLTS,
    Granted,
    directed,
    grant,
    highest_volts,
    incompatible,
    matched,
    operating_point,
    plausible,
)
from hlc.decisions.values import int16, quantities, scaled, value

__all__ = [
    "DISCHARGE_S",
    "EMERGENCY_S",
    "MATCH_VOLTS",
    "NO_CURRENT_AMPS",
    "PRECHARGE_AMPS",
    "SAFE_VOLTS",
    "CableCheck",
    "CableCheckState",
    "Granted",
    "cable_check_volts",
    "directed",
    "grant",
    "highest_volts",
    "incompatible",
    "int16",
    "matched",
    "operating_point",
    "plausible",
    "quantities",
    "scaled",
    "value",
]
