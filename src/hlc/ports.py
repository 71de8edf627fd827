"""What an outlet and a vehicle must offer to a session: what all have in common, then DC and AC.

Getters answer at once, with the last known value. Actions start something and return; what became of it is seen by a
later getter. `tick` is called with the time before every look, so that a simulation can move on and a driver can
poll; it too returns at once. All values: volts, amperes, watts, watt-hours, percent, seconds.

The hardware keeps its own safety: an emergency button, a lost pilot or a ground fault must cut the current by itself
within the times of IEC 61851-23. The session orders the same, but it is the second to know.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple, Protocol

COMMUNICATION: Final = 5.0
"""Duty cycle of the control pilot, %, that asks for digital communication."""
NO_PWM: Final = 100.0
"""A pilot that does not oscillate."""


class Mode(Enum):
    """How energy is transferred; BPT in both directions."""

    AC = "ac"
    AC_BPT = "ac_bpt"
    DC = "dc"
    DC_BPT = "dc_bpt"
    MCS = "mcs"
    MCS_BPT = "mcs_bpt"
    WPT = "wpt"
    ACDP = "acdp"
    ACDP_BPT = "acdp_bpt"

    @property
    def bidirectional(self) -> bool:
        """Whether the vehicle may give energy back."""
        return self.value.endswith("_bpt")


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


class PilotSignal(NamedTuple):
    """The control pilot as it is measured at a vehicle."""

    state: ControlPilot
    duty: float
    """%; `NO_PWM` where it does not oscillate."""

    @property
    def usable(self) -> bool:
        """Whether there is a station that may give energy. No: unplugged, no oscillator, state E or F."""
        return self.state.connected and 0.0 < self.duty < NO_PWM


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
    """What a DC outlet can deliver."""

    max_volts: float
    max_amps: float
    max_watts: float
    min_volts: float
    min_amps: float
    ripple_amps: float
    """Peak to peak."""
    tolerance_amps: float
    max_discharge_amps: float = 0.0
    max_discharge_watts: float = 0.0


class BatteryLimits(NamedTuple):
    """What a vehicle accepts in DC charging."""

    max_volts: float
    max_amps: float
    max_watts: float
    capacity_wh: float
    min_volts: float = 0.0
    min_amps: float = 0.0
    max_discharge_amps: float = 0.0
    max_discharge_watts: float = 0.0


class AcLimits(NamedTuple):
    """What an AC outlet can deliver, or the charger on board of a vehicle accepts: currents per phase."""

    volts: float
    """Nominal, phase to neutral."""
    phases: int
    """1 or 3."""
    max_amps: float
    min_amps: float
    max_discharge_amps: float = 0.0
    hertz: float = 50.0

    @property
    def max_watts(self) -> float:
        """Of all phases."""
        return self.volts * self.max_amps * self.phases


class SetPoint(NamedTuple):
    """What a vehicle wants, or a supply is told to hold."""

    volts: float
    amps: float


class Outlet(Protocol):
    """What every outlet has: relays towards the vehicle, meter, control pilot, user authorization."""

    def tick(self, now: float) -> None:
        """The time of the looks and actions that follow, monotonic."""

    def modes(self) -> frozenset[Mode]:
        """How this outlet transfers energy."""

    def volts(self) -> float:
        """DC: between the contacts, on the vehicle's side of the relays. AC: phase to neutral."""

    def amps(self) -> float:
        """Towards the vehicle, in all phases together; negative: from it."""

    def energy_wh(self) -> float:
        """Delivered in all."""

    def returned_wh(self) -> float:
        """Taken from vehicles in all."""

    def relays_closed(self) -> bool: ...

    def control_pilot(self) -> ControlPilot | None:
        """None where no pilot is wired, as in a simulation that runs alone: then it is no objection to anything."""

    def authorization(self) -> Authorization: ...

    def ready(self) -> bool:
        """Whether the limits are known and the outlet can start."""

    def energy_available(self) -> bool:
        """False: there is no power to give now. A session that has not begun to deliver is then ended in order."""

    def wanted_watts(self) -> float | None:
        """What the energy management wants to flow now, negative from the vehicle; None: what the vehicle wants."""

    def trouble(self) -> Trouble | None:
        """None: all is well. EMERGENCY and MALFUNCTION have already cut the current."""

    def off(self, *, emergency: bool) -> None:
        """No current, then open the relays: in order, or in an emergency as fast as the hardware can."""

    def show_pilot(self, shown: ControlPilot | float) -> None:
        """On the control pilot from now on: a duty cycle in %, `NO_PWM` for none, and the vehicle decides on the state;
        or E or F, whatever the vehicle does."""


class DcOutlet(Outlet, Protocol):
    """Power supply and isolation monitor."""

    def limits(self) -> SupplyLimits:
        """What the outlet can deliver: its capability, not what is left at this moment."""

    def isolation(self) -> Isolation: ...

    def start_isolation_test(self) -> None:
        """Measure the isolation at the present voltage."""

    def output(self, volts: float, amps: float) -> None:
        """Close the relays and hold `volts`, delivering at most `amps`; negative: taking as many from the vehicle. 0 V
        discharges the contacts."""


class AcOutlet(Outlet, Protocol):
    """A contactor to the mains. It cannot limit a current: the vehicle follows what it is told."""

    def limits(self) -> AcLimits:
        """What the outlet can deliver."""

    def available_amps(self) -> float:
        """What it can deliver per phase at this moment."""

    def rcd_tripped(self) -> bool:
        """Whether the residual current device has."""

    def close(self) -> None:
        """Close the contactor; `relays_closed` tells when it has."""


class EV(Protocol):
    """What every vehicle has: battery, lock, control pilot, contactors or a charger on board."""

    def tick(self, now: float) -> None:
        """The time of the looks and actions that follow, monotonic."""

    def modes(self) -> frozenset[Mode]:
        """How this vehicle can be charged."""

    def capacity_wh(self) -> float: ...

    def soc(self) -> float:
        """State of charge, %."""

    def target_soc(self) -> float:
        """Where this charge ends, %."""

    def minimum_soc(self) -> float:
        """Below this no energy is given back, %."""

    def inlet_volts(self) -> float:
        """DC: between the contacts. AC: phase to neutral."""

    def amps(self) -> float:
        """Into the vehicle, in all phases together; negative: out of it."""

    def energy_wh(self) -> float:
        """Received in all."""

    def returned_wh(self) -> float:
        """Given back in all."""

    def error(self) -> str:
        """What is wrong with the vehicle, by the name that DC_EVErrorCode gives it; "NO_ERROR"."""

    def control_pilot(self) -> PilotSignal | None:
        """What is seen on it; None where no pilot is wired, as in a simulation that runs alone."""

    def connector_locked(self) -> bool: ...

    def contactors_closed(self) -> bool:
        """DC: the contactors. AC: the charger on board takes or gives power."""

    def lock_connector(self) -> None: ...

    def unlock_connector(self) -> None:
        """Unlock as soon as the inlet is below 60 V."""

    def show_ready(self, *, ready: bool) -> None:
        """Control pilot to state C, or back to B."""

    def open_contactors(self, *, emergency: bool) -> None:
        """Open once the current is gone; in an emergency open without waiting for long. AC: the charger stops."""


class DcEV(EV, Protocol):
    """A battery behind contactors."""

    def limits(self) -> BatteryLimits: ...

    def bulk_soc(self) -> float:
        """Where fast charging ends, %."""

    def target(self) -> SetPoint:
        """What the battery wants now."""

    def battery_volts(self) -> float: ...

    def close_contactors(self) -> None:
        """Close, unless inlet and battery are apart by the time the contactors would touch."""

    def reported(self, volts: float, amps: float | None) -> None:
        """What the station says that it measures: a hint. A simulation that runs alone takes it for its inlet."""


class AcEV(EV, Protocol):
    """A charger on board."""

    def limits(self) -> AcLimits:
        """What it accepts; `volts` and `hertz` are nominal."""

    def target_watts(self) -> float:
        """What the battery wants now, in all phases."""

    def draw(self, watts: float) -> None:
        """Take at most so much in all phases, where the mains are there; negative: give as much back."""


class Offset(NamedTuple):
    """How far a vehicle is off the place where it is charged, mm: along it (positive: too far ahead) and across it."""

    x: float
    y: float


class WptMethods(NamedTuple):
    """How a device can be positioned, paired and checked for alignment, by the standard's names, the best first."""

    positioning: tuple[str, ...]
    pairing: tuple[str, ...]
    alignment: tuple[str, ...]


class WptSupplyLimits(NamedTuple):
    """What a primary device can transmit, and over what gap."""

    max_watts: float
    min_watts: float
    max_coil_amps: float
    min_coil_amps: float
    max_clearance_mm: float
    min_clearance_mm: float
    hertz: float
    """Operating frequency."""


class WptReceiverLimits(NamedTuple):
    """What a secondary device can receive, and over what gap."""

    max_watts: float
    max_clearance_mm: float
    min_clearance_mm: float
    hertz: float
    """Frequency at which it resonates."""


class WptOutlet(Outlet, Protocol):
    """A primary device in the ground. Its relays are closed while its coil is driven; volts and amps are those that its
    circuit consumes. There is no pilot."""

    def limits(self) -> WptSupplyLimits:
        """What it can transmit."""

    def methods(self) -> WptMethods: ...

    def natural_offset_mm(self) -> float:
        """From its geometric to its magnetic centre."""

    def positioned(self) -> bool:
        """Whether a vehicle's device is seen within the tolerance."""

    def code(self) -> int:
        """What it shows of itself while it is to be paired, 1 to 2**32 - 1."""

    def observed_code(self) -> int | None:
        """What it sees of the vehicle's device; None: nothing (yet)."""

    def start_pairing(self) -> None:
        """Show the code, and look for that of the vehicle."""

    def excite(self, coil_amps: float) -> None:
        """Drive the coil with a small current, the trial of an alignment check."""

    def transmit(self, watts: float) -> None:
        """Drive the coil so that at most so much leaves it."""

    def coil_amps(self) -> float: ...

    def transmitted_watts(self) -> float:
        """What leaves the coil."""

    def diagnosis(self) -> str:
        """What is wrong with the power circuit, or what lies in its field, by the name that WPT_SPCChargeDiagnostics
        gives it; "SPCNoIssue"."""


class WptEV(EV, Protocol):
    """A secondary device under a vehicle. What locks a connector elsewhere holds the vehicle in its place here: it is
    let go when no power arrives any more. The contactors connect the device to the battery; volts and amps are those
    at its output. There is no pilot."""

    def limits(self) -> WptReceiverLimits:
        """What it can receive."""

    def methods(self) -> WptMethods: ...

    def natural_offset_mm(self) -> float:
        """From its geometric to its magnetic centre."""

    def start_positioning(self) -> None:
        """Drive into place, or show the driver the way."""

    def positioned(self) -> bool | None:
        """Whether the vehicle stands in its place; None: it is still on its way."""

    def code(self) -> int:
        """What the device shows of itself while it is to be paired, 1 to 2**32 - 1."""

    def observed_code(self) -> int | None:
        """What it sees of the primary device; None: nothing (yet)."""

    def start_pairing(self) -> None:
        """Show the code, and look for that of the primary device."""

    def received_watts(self) -> float:
        """What the device takes out of the field, in a trial too."""

    def target_watts(self) -> float:
        """What the battery wants now."""

    def receive(self) -> None:
        """Connect the device to the battery."""

    def told(self, watts: float) -> None:
        """What the station says that it transmits: a hint. A simulation that runs alone takes it for its field."""

    def diagnosis(self) -> str:
        """What is wrong with the power circuit, by the name that WPT_EVPCChargeDiagnostics gives it;
        "EVPCNoIssue"."""


class Pantograph(Enum):
    """Where the device is that brings the contacts to a vehicle, by the names of MechanicalChargingDeviceStatus."""

    HOME = "Home"
    MOVING = "Moving"
    END_POSITION = "EndPosition"
    """At the vehicle, pressed on with its full force."""


class AcdpOutlet(DcOutlet, Protocol):
    """A DC outlet whose contacts come to the vehicle, by a pantograph or the like. There is no pilot."""

    def vehicle_offset(self) -> Offset | None:
        """None: no vehicle is seen."""

    def contact_window(self) -> Offset:
        """How far the vehicle may be off, in either direction."""

    def in_position(self) -> bool:
        """Whether a vehicle stands where the contacts reach it."""

    def associated(self) -> bool:
        """Whether the vehicle that stands there is the one with which the session is."""

    def pantograph(self) -> Pantograph: ...

    def contact(self) -> bool:
        """Whether all contacts touch."""

    def connect(self) -> None:
        """Move the contacts to the vehicle. The relays are open."""

    def disconnect(self) -> None:
        """Move them back. The relays are open."""


class AcdpEV(DcEV, Protocol):
    """A DC vehicle with contact rails. What locks a connector elsewhere immobilises the vehicle here: it is let go when
    its rails are below 60 V and the pantograph has left. `show_ready` is its electrical state C. There is no pilot."""

    def moving(self) -> bool: ...

    def guided(self, offset: Offset) -> None:
        """How far off the station sees the vehicle: for who drives it."""

    def contact(self) -> bool:
        """Whether the contacts of the station touch the rails."""
