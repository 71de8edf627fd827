"""Decisions that the protocols share: physical values, isolation test, precharge, limits. Each is tested once; a
protocol's handler only phrases them.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, NamedTuple

from hlc.ports import BatteryLimits, Isolation, Outlet, SetPoint, SupplyLimits

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

CABLE_CHECK_LOWER_S: Final = 3.0
"""How long a voltage that should not be there may take to fall before the test, and the test voltage after it."""

INT16_MAX: Final = 32767


def scaled(value: float) -> tuple[int, int]:
    """Multiplier and value of a PhysicalValue: tenths where they fit in 16 bits, coarser where they do not; clamped."""
    for multiplier in (-1, 0, 1, 2):
        mantissa = round(value * 10.0**-multiplier)
        if -INT16_MAX <= mantissa <= INT16_MAX:
            return multiplier, mantissa
    return 3, max(-INT16_MAX, min(INT16_MAX, round(value / 1000)))


TENS: Final = (1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)


def value(physical: Any) -> float:
    """The number in a PhysicalValue, in its unit."""
    number: float = physical.Value * TENS[physical.Multiplier + 3]
    return number


def int16(number: float) -> int:
    """The nearest value of 16 bits: PMax of DIN 70121 bears no multiplier."""
    return max(-INT16_MAX, min(INT16_MAX, round(number)))


# --- isolation --------------------------------------------------------------------------------------------------------


def cable_check_volts(ev_max: float, evse_max: float) -> float:
    """Test voltage of the cable check (IEC 61851-23:2023 CC.4.1.2)."""
    if ev_max <= 500:
        return min(500.0, ev_max + 50, evse_max)
    return min(evse_max, 1.1 * ev_max)


class CableCheckState(Enum):
    """How far a cable check is."""

    ONGOING = "ongoing"
    VALID = "valid"
    WARNING = "warning"
    FAULT = "isolation fault"
    NOT_READY = "the vehicle did not show state C in time"
    LIVE = "there was a voltage at the contacts before the test"

    @property
    def proven(self) -> bool:
        """Whether the isolation is good enough for precharge."""
        return self in (CableCheckState.VALID, CableCheckState.WARNING)


class CableCheck:
    """One isolation test of cable and vehicle: state C, contacts without voltage, test voltage, measurement, back
    below 60 V.

    `look(now)` moves it on as far as it can go and says where it is; it never waits.
    """

    def __init__(self, outlet: Outlet, volts: float, now: float, *, pilot_s: float) -> None:
        self.outlet = outlet
        self.test_volts = volts
        self.state = CableCheckState.ONGOING
        self._steps = iter((self._await_ready, self._await_dead, self._rise, self._measure, self._fall))
        self._step = next(self._steps)
        self._deadline = now + pilot_s
        self._result = CableCheckState.ONGOING

    def look(self, now: float) -> CableCheckState:
        """The state of the test at this time."""
        while self.state is CableCheckState.ONGOING and self._step(now):
            following = next(self._steps, None)
            if following is None:
                self.state = self._result
            else:
                self._step = following
        return self.state

    @property
    def measured(self) -> bool:
        """Whether the isolation has been measured, well or not."""
        return self._result is not CableCheckState.ONGOING or self.state is CableCheckState.FAULT

    def _fail(self, state: CableCheckState) -> bool:
        self.state = state
        self.outlet.off(emergency=state is CableCheckState.FAULT)
        return False

    def _await_ready(self, now: float) -> bool:
        pilot = self.outlet.control_pilot()
        if pilot is not None and not pilot.ready:
            return self._fail(CableCheckState.NOT_READY) if now >= self._deadline else False
        self._deadline = now + CABLE_CHECK_LOWER_S
        return True

    def _await_dead(self, now: float) -> bool:
        if self.outlet.volts() >= SAFE_VOLTS:
            return self._fail(CableCheckState.LIVE) if now >= self._deadline else False
        self.outlet.output(self.test_volts, PRECHARGE_AMPS)
        return True

    def _rise(self, now: float) -> bool:
        if self.outlet.volts() < 0.95 * self.test_volts:
            return False
        self.outlet.start_isolation_test()
        return True

    def _measure(self, now: float) -> bool:
        match self.outlet.isolation():
            case Isolation.UNKNOWN:
                return False
            case Isolation.FAULT:
                return self._fail(CableCheckState.FAULT)
            case Isolation.WARNING:
                self._result = CableCheckState.WARNING
            case Isolation.VALID:
                self._result = CableCheckState.VALID
        # Cars close their contactors at a voltage left from the test: bring it down before precharge.
        self.outlet.output(0.0, 0.0)
        return True

    def _fall(self, now: float) -> bool:
        return self.outlet.volts() < SAFE_VOLTS


# --- precharge and limits ---------------------------------------------------------------------------------------------


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


class Granted(NamedTuple):
    """A set-point within both sides' limits, and what held the wish back at the station."""

    volts: float
    amps: float
    current_limited: bool
    voltage_limited: bool
    power_limited: bool


def grant(wanted: SetPoint, ev: BatteryLimits, supply: SupplyLimits, present_volts: float) -> Granted:
    """What of a wish is fulfilled. A vehicle may ask for more than either side allows (many do); it does not get it.

    The power limit acts on the current at the voltage present now.
    """
    volts = min(wanted.volts, ev.max_volts, supply.max_volts)
    amps = max(0.0, min(wanted.amps, ev.max_amps, supply.max_amps))
    by_power = min(ev.max_watts, supply.max_watts) / max(present_volts, supply.min_volts, 1.0)
    return Granted(
        volts=volts,
        amps=min(amps, by_power),
        current_limited=wanted.amps > supply.max_amps,
        voltage_limited=wanted.volts > supply.max_volts,
        power_limited=amps > by_power and supply.max_watts <= ev.max_watts,
    )


def plausible(wanted: SetPoint, last: SetPoint, supply: SupplyLimits) -> SetPoint:
    """A wish made sane: a voltage that the outlet cannot give at all is ignored for the last one, a negative current
    is none.

    Cars send such values for a moment (Skoda Enyaq, BMW i3 REX).
    """
    volts = wanted.volts if wanted.volts >= supply.min_volts else last.volts
    return SetPoint(volts, max(0.0, wanted.amps))
