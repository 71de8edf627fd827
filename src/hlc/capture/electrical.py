"""Voltage, current and energy of a recorded session: the facts that findings are made of. Pure: values go in.

Bounded: last and greatest values, sums, and of each kind of excess over a limit the worst.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from hlc.capture.where import NOWHERE, Where
from hlc.decisions import matched

METER_GAP_S: Final = 5.0
"""Energy is not integrated across longer silences."""
SETTLED_S: Final = 2.0
"""So long a value may exceed a limit or target that was just set: supplies take their time."""
STEADY_VOLTS: Final = 5.0
VOLTS: Final = (0.02, 10.0)
AMPS: Final = (0.05, 2.5)
WATTS: Final = (0.05, 1000.0)
"""How far a value may exceed its limit: a share of the limit, and so much in any case. Meters and set-points of the
field differ by that."""

LIMITS: Final = {
    "EVMaximumVoltageLimit": "ev_volts",
    "EVMaximumVoltage": "ev_volts",
    "EVMaximumCurrentLimit": "ev_amps",
    "EVMaximumChargeCurrent": "ev_amps",
    "EVMaximumPowerLimit": "ev_watts",
    "EVMaximumChargePower": "ev_watts",
    "EVSEMaximumVoltageLimit": "evse_volts",
    "EVSEMaximumVoltage": "evse_volts",
    "EVSEMaximumCurrentLimit": "evse_amps",
    "EVSEMaximumChargeCurrent": "evse_amps",
    "EVSEMaxCurrent": "ac_amps",
    "EVSEMaximumPowerLimit": "evse_watts",
    "EVSEMaximumChargePower": "evse_watts",
}
"""Elements with limits, and what they limit."""
LOOPS: Final = ("CurrentDemand", "ChargingStatus", "DC_ChargeLoop", "AC_ChargeLoop", "WPT_ChargeLoop")
"""Exchanges in which energy flows."""
LOOP_REQUESTS: Final = frozenset(f"{name}Req" for name in LOOPS)
LOOP_ANSWERS: Final = frozenset(f"{name}Res" for name in LOOPS)
FLAGS: Final = {
    "EVSECurrentLimitAchieved": "current",
    "EVSEVoltageLimitAchieved": "voltage",
    "EVSEPowerLimitAchieved": "power",
}


class Reading(NamedTuple):
    """A value against what it was to keep, and where."""

    value: float
    limit: float
    where: Where

    @property
    def over(self) -> float:
        return self.value - self.limit


class Excess(msgspec.Struct):
    """A value above its limit, by more than the tolerance."""

    since: Where | None = None
    """Since when without a break; None: not now."""
    worst: Reading | None = None
    """Of what lasted longer than `SETTLED_S`."""
    first: Where = NOWHERE
    lasted_s: float = 0.0

    def look(self, value: float, limit: float, tolerance: tuple[float, float], where: Where) -> None:
        """Hold a value against a limit."""
        if value - limit <= max(tolerance[0] * abs(limit), tolerance[1]):
            self.since = None
            return
        if self.since is None:
            self.since = where
        lasts = where.at - self.since.at
        if lasts >= SETTLED_S:
            if self.worst is None:
                self.first = self.since
            self.lasted_s = max(self.lasted_s, lasts)
            if self.worst is None or value - limit > self.worst.over:
                self.worst = Reading(value, limit, where)


class Precharge(msgspec.Struct):
    """How the voltage came to its target before the contactors closed."""

    first_volts: float | None = None
    first: Where = NOWHERE
    most_volts: float = 0.0
    nearest: Reading | None = None
    """The reported voltage that came nearest to the target then asked for."""
    matched: Where | None = None
    """When the reported voltage first came within the limit of the target."""
    over: Reading | None = None
    """The worst excess over the target."""
    moved: bool = False
    """The vehicle asked for different voltages."""
    last_volts: float = 0.0
    steady: bool = False
    """The last two values that were reported hardly differ."""


class Electrical(msgspec.Struct):
    """Electrical values over a session."""

    soc_first: int | None = None
    soc_last: int | None = None
    target_volts: float | None = None
    target_amps: float | None = None
    loop_volts: float | None = None
    """The voltage asked for in the charge loop; in dynamic control there is none."""
    volts: float | None = None
    amps: float | None = None
    peak_volts: float = 0.0
    peak_amps: float = 0.0
    asked_amps: float = 0.0
    """Most that the vehicle asked for in the charge loop."""
    energy_wh: float = 0.0
    """Integral of what the station reports; in AC, by its meter or of what the vehicle reports."""
    meter_first: int | None = None
    """The first reading of that meter, Wh."""
    watts: float | None = None
    """Power that an AC or wireless vehicle reports."""
    metered_at: float | None = None
    precharge: Precharge = msgspec.field(default_factory=Precharge)
    overshoot: Reading | None = None
    """The worst excess of the reported voltage over the target in the charge loop."""
    limits: dict[str, float] = {}
    """The last ones that were told: "ev_volts", "evse_amps", ..."""
    first_limits: dict[str, float] = {}
    """The first ones."""
    least: dict[str, Reading] = {}
    """In the charge loop, the least of each limit of the station, against the first one."""
    excess: dict[str, Excess] = {}
    """What exceeded what: "amps > ev_amps", ..."""
    loops: int = 0
    """Answers of the charge loop."""
    limited: dict[str, int] = {}
    """In how many of them a limit was said to be reached: "current", "voltage", "power"."""
    charging_s: float = 0.0
    asked_as: float = 0.0
    """Ampere seconds that were asked for while that was measured, and those that flowed."""
    flowed_as: float = 0.0
    last_flow: Where | None = None
    """When more than 1 A flowed last."""
    welding_volts: Reading | None = None
    """The last voltage of the welding detection, against 60 V."""

    def vehicle(self, values: Mapping[str, Any], name: str, where: Where) -> None:
        """A request, by its values as `describe.figures` gives them."""
        soc = values.get("EVRESSSOC", values.get("PresentSOC"))
        if isinstance(soc, int):
            self.soc_first = soc if self.soc_first is None else self.soc_first
            self.soc_last = soc
        limits = self.limits
        for element, value in values.items():
            if (what := LIMITS.get(element)) is not None:
                limits[what] = value
                self.first_limits.setdefault(what, value)
        if "EVTargetVoltage" in values:
            volts = values["EVTargetVoltage"]
            if name.endswith("PreChargeReq") and self.target_volts is not None:
                self.precharge.moved |= abs(volts - self.target_volts) > 1.0
            self.target_volts = volts
            if name in LOOP_REQUESTS:
                self.loop_volts = volts
            if "ev_volts" in limits:
                self._look("target volts > ev_volts", volts, limits["ev_volts"], VOLTS, where)
            if limits.get("evse_volts", 0.0) > 0:
                self._look("target volts > evse_volts", volts, limits["evse_volts"], VOLTS, where)
        if "EVTargetCurrent" in values:
            amps = values["EVTargetCurrent"]
            self.target_amps = amps
            if name in LOOP_REQUESTS:
                self.asked_amps = max(self.asked_amps, amps)
                if "ev_amps" in limits:
                    self._look("target amps > ev_amps", amps, limits["ev_amps"], AMPS, where)
                if "evse_amps" in limits:
                    self._look("target amps > evse_amps", amps, limits["evse_amps"], AMPS, where)
        for element in ("EVPresentActivePower", "EVPCPowerOutput"):
            if element in values and name in LOOP_REQUESTS:
                watts = values[element] + sum(
                    values[f"{element}_L{phase}"] for phase in (2, 3) if f"{element}_L{phase}" in values
                )
                if self.watts is not None and self.metered_at is not None:
                    hours = min(max(0.0, where.at - self.metered_at), METER_GAP_S) / 3600
                    self.energy_wh += (self.watts + watts) / 2 * hours
                self.watts, self.metered_at = watts, where.at

    def station(self, values: Mapping[str, Any], name: str, where: Where) -> None:
        """An answer, likewise."""
        limits = self.limits
        looping = name in LOOP_ANSWERS
        self.loops += looping
        for element, value in values.items():
            if (what := LIMITS.get(element)) is not None:
                limits[what] = value
                first = self.first_limits.setdefault(what, value)
                if looping and (what not in self.least or value < self.least[what].value):
                    self.least[what] = Reading(value, first, where)
            elif value is True and looping and (what := FLAGS.get(element)) is not None:
                self.limited[what] = self.limited.get(what, 0) + 1
        if name == "ChargingStatusRes" and isinstance(reading := values.get("MeterReading"), int):
            self.meter_first = reading if self.meter_first is None else self.meter_first
            self.energy_wh = max(0.0, float(reading - self.meter_first))
        if "EVSEPresentVoltage" not in values:
            return
        volts = values["EVSEPresentVoltage"]
        if "EVSEPresentCurrent" in values:
            self._flows(volts, values["EVSEPresentCurrent"], where)
        self.volts = volts
        self.peak_volts = max(self.peak_volts, volts)
        target = self.target_volts
        if name.endswith("WeldingDetectionRes"):
            self.welding_volts = Reading(volts, 60.0, where)
        if target is None:
            return
        if name.endswith("PreChargeRes"):
            self._precharges(volts, target, where)
        elif looping:
            asked = self.loop_volts
            # Where energy is to flow back, the voltage asked for is the least.
            if (
                asked
                and (self.target_amps or 0.0) >= 0
                and (self.overshoot is None or volts - asked > self.overshoot.over)
            ):
                self.overshoot = Reading(volts, asked, where)
            if "ev_volts" in limits:
                self._look("volts > ev_volts", volts, limits["ev_volts"], VOLTS, where)

    def _flows(self, volts: float, amps: float, where: Where) -> None:
        """Current was measured."""
        if self.metered_at is not None and self.volts is not None and self.amps is not None:
            seconds = min(max(0.0, where.at - self.metered_at), METER_GAP_S)
            self.energy_wh += (self.volts * self.amps + volts * amps) / 2 * seconds / 3600
            if self.target_amps is not None:
                self.charging_s += seconds
                self.asked_as += self.target_amps * seconds
                self.flowed_as += (self.amps + amps) / 2 * seconds
        self.metered_at = where.at
        self.amps = amps
        self.peak_amps = max(self.peak_amps, amps)
        if abs(amps) > 1.0:
            self.last_flow = where
        limits = self.limits
        if "ev_amps" in limits:
            self._look("amps > ev_amps", amps, limits["ev_amps"], AMPS, where)
        if "evse_amps" in limits:
            self._look("amps > evse_amps", amps, limits["evse_amps"], AMPS, where)
        if self.target_amps is not None and self.target_amps >= 0:
            self._look("amps > target amps", amps, self.target_amps, AMPS, where)

    def _precharges(self, volts: float, target: float, where: Where) -> None:
        state = self.precharge
        if state.first_volts is None:
            state.first_volts, state.first = volts, where
        state.steady = abs(volts - state.last_volts) < STEADY_VOLTS
        state.last_volts = volts
        state.most_volts = max(state.most_volts, volts)
        if state.nearest is None or abs(volts - target) < abs(state.nearest.over):
            state.nearest = Reading(volts, target, where)
        if state.matched is None and matched(volts, target):
            state.matched = where
        if state.over is None or volts - target > state.over.over:
            state.over = Reading(volts, target, where)

    def _look(self, what: str, value: float, limit: float, tolerance: tuple[float, float], where: Where) -> None:
        excess = self.excess.get(what)
        if excess is None:
            if value <= limit:
                return
            excess = self.excess[what] = Excess()
        excess.look(value, limit, tolerance, where)
