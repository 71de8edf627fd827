"""What an outlet and a vehicle must offer to a session.

Getters answer at once, with the last known value. Actions start something and return; what became of it is seen by a
later getter. `tick` is called with the time before every look, so that a simulation can move on and a driver can
poll; it too returns at once. All values: volts, amperes, watts, watt-hours, percent, seconds.

The hardware keeps its own safety: an emergency button, a lost pilot or a ground fault must cut the current by itself
within the times of IEC 61851-23. The session orders the same, but it is the second to know.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Protocol


class ControlPilot(Enum):
    """States of the control pilot (IEC 61851-1 annex A)."""

    A = "A"
    """No vehicle."""
    B = "B"
    """Connected, not ready for energy."""
    C = "C"
    """Ready for energy."""
    D = "D"
    """Ready for energy, with ventilation."""
    E = "E"
    """Short circuit."""
    F = "F"
    """Outlet not available."""

    @property
    def ready(self) -> bool:
        """Whether the vehicle accepts energy."""
        return self in (ControlPilot.C, ControlPilot.D)

    @property
    def connected(self) -> bool:
        """Whether there is a vehicle, and a pilot that works."""
        return self in (ControlPilot.B, ControlPilot.C, ControlPilot.D)


class Authorization(Enum):
    """Whether the user may charge."""

    PENDING = "pending"
    GRANTED = "granted"
    REFUSED = "refused"


class Isolation(Enum):
    """What the isolation monitor says."""

    UNKNOWN = "unknown"
    """No test has been made since the last `start_isolation_test`, or it is running."""
    VALID = "valid"
    WARNING = "warning"
    FAULT = "fault"


class Trouble(Enum):
    """Why an outlet cannot go on."""

    EMERGENCY = "emergency stop"
    MALFUNCTION = "malfunction"
    UTILITY = "utility interrupt"
    """The grid wants an end; no danger."""


class SupplyLimits(NamedTuple):
    """What an outlet can deliver."""

    max_volts: float
    max_amps: float
    max_watts: float
    min_volts: float
    min_amps: float
    ripple_amps: float
    """Peak to peak."""
    tolerance_amps: float


class BatteryLimits(NamedTuple):
    """What a vehicle accepts."""

    max_volts: float
    max_amps: float
    max_watts: float
    capacity_wh: float


class SetPoint(NamedTuple):
    """What a vehicle wants, or a supply is told to hold."""

    volts: float
    amps: float


class Outlet(Protocol):
    """A DC outlet: power supply, relays towards the vehicle, isolation monitor, control pilot, user authorization."""

    def tick(self, now: float) -> None:
        """The time of the looks and actions that follow, monotonic."""

    def limits(self) -> SupplyLimits:
        """What the outlet can deliver: its capability, not what is left at this moment."""

    def volts(self) -> float:
        """Between the DC contacts, on the vehicle's side of the relays."""

    def amps(self) -> float: ...

    def energy_wh(self) -> float:
        """Delivered in all."""

    def relays_closed(self) -> bool: ...

    def control_pilot(self) -> ControlPilot | None:
        """None where no pilot is wired, as in a simulation that runs alone: then it is no objection to anything."""

    def authorization(self) -> Authorization: ...

    def ready(self) -> bool:
        """Whether the limits are known and the outlet can start."""

    def energy_available(self) -> bool:
        """False: there is no power to give now. A session that has not begun to deliver is then ended in order."""

    def isolation(self) -> Isolation: ...

    def trouble(self) -> Trouble | None:
        """None: all is well. EMERGENCY and MALFUNCTION have already cut the current."""

    def start_isolation_test(self) -> None:
        """Measure the isolation at the present voltage."""

    def output(self, volts: float, amps: float) -> None:
        """Close the relays and hold `volts`, delivering at most `amps`. 0 V discharges the contacts."""

    def off(self, *, emergency: bool) -> None:
        """No current, then open the relays: in order, or in an emergency as fast as the hardware can."""

    def oscillator(self, *, on: bool) -> None:
        """The 5 % duty cycle on the control pilot."""


class EV(Protocol):
    """A vehicle: battery with its management, contactors, inlet with lock, control pilot."""

    def tick(self, now: float) -> None:
        """The time of the looks and actions that follow, monotonic."""

    def limits(self) -> BatteryLimits: ...

    def soc(self) -> float:
        """State of charge, %."""

    def bulk_soc(self) -> float:
        """Where fast charging ends, %."""

    def target_soc(self) -> float:
        """Where this charge ends, %."""

    def target(self) -> SetPoint:
        """What the battery wants now."""

    def battery_volts(self) -> float: ...

    def inlet_volts(self) -> float: ...

    def amps(self) -> float:
        """Into the battery."""

    def energy_wh(self) -> float:
        """Received in all."""

    def error(self) -> str:
        """What is wrong with the vehicle, by the name that DC_EVErrorCode gives it; "NO_ERROR"."""

    def pilot_lost(self) -> bool:
        """No usable pilot from the station: unplugged, no oscillator, state E or F."""

    def connector_locked(self) -> bool: ...

    def contactors_closed(self) -> bool: ...

    def lock_connector(self) -> None: ...

    def unlock_connector(self) -> None:
        """Unlock as soon as the inlet is below 60 V."""

    def show_ready(self, *, ready: bool) -> None:
        """Control pilot to state C, or back to B."""

    def close_contactors(self) -> None:
        """Close, unless inlet and battery are apart by the time the contactors would touch."""

    def open_contactors(self, *, emergency: bool) -> None:
        """Open once the current is gone; in an emergency open without waiting for long."""

    def reported(self, volts: float, amps: float | None) -> None:
        """What the station says that it measures: a hint. A simulation that runs alone takes it for its inlet."""
