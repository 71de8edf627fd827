"""The isolation test before a DC charge."""

from __future__ import annotations

from enum import Enum
from typing import Final

from hlc.decisions.limits import PRECHARGE_AMPS, SAFE_VOLTS
from hlc.ports import DcOutlet, Isolation

CABLE_CHECK_LOWER_S: Final = 3.0
"""How long a voltage that should not be there may take to fall before the test, and the test voltage after it."""


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

    def __init__(self, outlet: DcOutlet, volts: float, now: float, *, pilot_s: float) -> None:
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
