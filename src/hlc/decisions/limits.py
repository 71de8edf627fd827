"""How much voltage and current may be: what is safe, what precharge must reach, what both sides allow."""

from __future__ import annotations

from math import inf
from typing import Final

import msgspec

from hlc.ports import BatteryLimits, SetPoint, SupplyLimits

SAFE_VOLTS: Final = 60.0
"""Below this the contacts may be touched, switched on and unplugged (IEC 61851-23)."""
PRECHARGE_AMPS: Final = 2.0
"""What flows at most before power delivery is agreed (IEC 61851-23 CC.5.1)."""
MATCH_VOLTS: Final = 20.0
"""A vehicle closes its contactors when inlet and battery differ by less."""
NO_CURRENT_AMPS: Final = 5.0
"""Below this a current counts as gone: contactors open, the flow has stopped (IEC 61851-23)."""
EMERGENCY_S: Final = 1.0
"""An error or emergency shutdown brings the current below 5 A within this time (IEC 61851-23:2014 6.4.3; domain
knowledge, not checked against the text). Hardware that sees the pilot go has 30 ms, which no message can meet."""
DISCHARGE_S: Final = 1.0
"""And the voltage at the contacts below 60 V within this time after the relays opened (same source and reservation)."""


def matched(volts: float, wanted: float) -> bool:
    """Whether a voltage is near enough to another to close contactors between them."""
    return abs(volts - wanted) < MATCH_VOLTS


def incompatible(ev: BatteryLimits, supply: SupplyLimits) -> str | None:
    """Why a vehicle cannot be charged here; None: it can."""
    if ev.max_volts <= 0 or ev.max_amps <= 0 or ev.max_watts <= 0:
        return "the vehicle's limits are not above zero"
    if ev.max_volts < supply.min_volts:
        return f"the vehicle accepts {ev.max_volts:g} V at most, the outlet gives {supply.min_volts:g} V at least"
    if ev.max_amps < supply.min_amps:
        return f"the vehicle accepts {ev.max_amps:g} A at most, the outlet gives {supply.min_amps:g} A at least"
    return None


def highest_volts(said: float) -> float:
    """What a vehicle takes for the highest voltage of a DC station: one that may be touched is none of a charger, so
    it is no limit. Stations exist that say 40 V and charge (EcoG iso15118, simulated)."""
    return said if said >= SAFE_VOLTS else inf


class Granted(msgspec.Struct, frozen=True, gc=False):
    """A set-point within both sides' limits, and what held the wish back at the station."""

    volts: float
    amps: float
    current_limited: bool
    voltage_limited: bool
    power_limited: bool


def grant(wanted: SetPoint, ev: BatteryLimits, supply: SupplyLimits, present_volts: float) -> Granted:
    """What of a wish is fulfilled. A vehicle may ask for more than either side allows (many do); it does not get it.

    The power limit acts on the current at the voltage present now. A negative current takes energy from the vehicle:
    then the voltage is the lowest to which either side may be drawn.
    """
    if wanted.amps < 0:
        return _take_back(wanted, ev, supply, present_volts)
    volts = min(wanted.volts, ev.max_volts, supply.max_volts)
    amps = max(0.0, min(wanted.amps, ev.max_amps, supply.max_amps))
    by_power = max(0.0, min(ev.max_watts, supply.max_watts)) / max(present_volts, supply.min_volts, 1.0)
    return Granted(
        volts=volts,
        amps=min(amps, by_power),
        current_limited=wanted.amps > supply.max_amps,
        voltage_limited=wanted.volts > supply.max_volts,
        power_limited=amps > by_power and supply.max_watts <= ev.max_watts,
    )


def _take_back(wanted: SetPoint, ev: BatteryLimits, supply: SupplyLimits, present_volts: float) -> Granted:
    amps = min(-wanted.amps, ev.max_discharge_amps, supply.max_discharge_amps)
    by_power = min(ev.max_discharge_watts, supply.max_discharge_watts) / max(present_volts, supply.min_volts, 1.0)
    return Granted(
        volts=min(max(ev.min_volts, supply.min_volts), ev.max_volts, supply.max_volts),
        amps=-max(0.0, min(amps, by_power)),
        current_limited=-wanted.amps > supply.max_discharge_amps,
        voltage_limited=False,
        power_limited=amps > by_power and supply.max_discharge_watts <= ev.max_discharge_watts,
    )


def directed(flow: float, *, room_wh: float, spare_wh: float) -> float:
    """What of a flow that the station chooses a battery takes part in, negative from it: `room_wh` is what it can still
    take, `spare_wh` what it may give before it is at its least. Without room it is not charged, with nothing to spare
    not discharged."""
    return 0.0 if (flow > 0 and room_wh <= 0) or (flow < 0 and spare_wh <= 0) else flow


def operating_point(
    watts: float | None, ev: BatteryLimits, present_volts: float, *, room_wh: float, spare_wh: float
) -> SetPoint:
    """Where the station runs a vehicle that leaves the power to it: at `watts`, or as high as it goes. `grant` judges
    the rest, `directed` tells of the battery."""
    amps = ev.max_amps if watts is None else watts / max(present_volts, 1.0)
    return SetPoint(ev.max_volts, directed(amps, room_wh=room_wh, spare_wh=spare_wh))


def plausible(wanted: SetPoint, last: SetPoint, supply: SupplyLimits, *, back: bool = False) -> SetPoint:
    """A wish made sane: a voltage that the outlet cannot give at all is ignored for the last one, a negative current
    is none, unless energy may flow back.

    Cars send such values for a moment (Skoda Enyaq, BMW i3 REX).
    """
    if wanted.volts >= supply.min_volts and (back or wanted.amps >= 0.0):
        return wanted
    volts = wanted.volts if wanted.volts >= supply.min_volts else last.volts
    return SetPoint(volts, wanted.amps if back else max(0.0, wanted.amps))
