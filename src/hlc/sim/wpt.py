"""Simulated wireless charging: a pad in the ground, a vehicle with a coil under it, and the gap between the two.

Alone, the pad assumes a vehicle that stands well, and the vehicle assumes a pad that transmits what it says.
"""

from __future__ import annotations

from math import hypot
from typing import Final

from hlc.ports import ControlPilot, Mode, Offset, WptMethods, WptReceiverLimits, WptSupplyLimits
from hlc.sim.battery import Battery
from hlc.sim.cable import SimulatedCable
from hlc.sim.premises import Premises
from hlc.sim.vehicle import CLOSE_S, SimulatedVehicle

METHODS: Final = WptMethods(
    positioning=("LPE", "Manual"), pairing=("LPE", "External confirmation"), alignment=("PowerCheck", "LPE")
)
ALONE: Final = METHODS._replace(pairing=("External confirmation",))
"""Without the other device in the simulation there is no code to be seen."""
TOLERANCE_MM: Final = 100.0
"""How far a vehicle may be off for power to be transferred."""
PAIRING_MM: Final = 300.0
"""So near the devices see one another's codes."""
PAIRING_S: Final = 0.5
DRIVE_MM_PER_S: Final = 400.0
ROLL_MM_PER_S: Final = 150.0
EFFICIENCY: Final = 0.93
"""Of the gap, where both devices face each other."""
NO_FIELD_MM: Final = 450.0
"""From here nothing arrives any more."""
WATTS_PER_S: Final = 10_000.0
FALL_WATTS_PER_S: Final = 50_000.0
WATTS_PER_COIL_AMP: Final = 150.0
TRIAL_COIL_AMPS: Final = 2.0
SUPPLY_VOLTS: Final = 400.0
"""In front of the inverter."""


class AirGap(SimulatedCable):
    """What lies between pad and vehicle. `volts` and `amps` are those at the output of the vehicle's device."""

    def __init__(self) -> None:
        super().__init__()
        self.pad: SimulatedPad | None = None
        self.crossed = False
        """Each device sees the code of another one."""
        self.told_watts = 0.0
        """What a station that is not simulated says that it transmits."""

    def place(self) -> Offset:
        """Where the vehicle's device is."""
        vehicle = self.vehicle
        return vehicle.place if isinstance(vehicle, SimulatedReceiver) else Offset(0.0, 0.0)

    def distance_mm(self) -> float:
        """Between the two devices, on the ground."""
        return hypot(*self.place())

    def arriving_watts(self) -> float:
        """What the vehicle's device takes out of the field."""
        field_watts = self.told_watts if self.pad is None else self.pad.field_watts
        return field_watts * EFFICIENCY * max(0.0, 1.0 - (self.distance_mm() / NO_FIELD_MM) ** 2)

    def _step(self, dt: float) -> None:
        vehicle = self.vehicle
        if self.pad is not None:
            self.pad.drive(dt)
        if isinstance(vehicle, SimulatedReceiver):
            vehicle.drive(dt)
            self.volts = vehicle.battery.volts() if vehicle.contactors else 0.0
            self.amps = self.arriving_watts() / self.volts if vehicle.contactors else 0.0
            if self.amps > 0.0:
                vehicle.take(self.amps, dt)
            vehicle.step(self.now)


class SimulatedPad(Premises):
    """A primary device. Its wishes for trouble are attributes: set them at any time."""

    def __init__(
        self, *, kilowatts: float = 11.0, authorization_s: float = 0.5, preparation_s: float = 0.3, code: int = 4711
    ) -> None:
        super().__init__(authorization_s=authorization_s, preparation_s=preparation_s)
        watts = kilowatts * 1000
        self.supply = WptSupplyLimits(
            max_watts=watts,
            min_watts=100.0,
            max_coil_amps=watts / WATTS_PER_COIL_AMP,
            min_coil_amps=1.0,
            max_clearance_mm=250.0,
            min_clearance_mm=100.0,
            hertz=85_000.0,
        )
        self.own_code = code
        self.foreign_object = False
        self.living_object = False
        self.blind = False
        """It does not see where the vehicle is."""
        self.set_watts = 0.0
        self.field_watts = 0.0
        """What leaves the coil."""
        self.gap = AirGap()
        self.gap.pad = self
        self._pairing_since: float | None = None

    def drive(self, dt: float) -> None:
        """The inverter follows what it was told."""
        if self.set_watts > self.field_watts:
            self.field_watts = min(self.set_watts, self.field_watts + WATTS_PER_S * dt)
        else:
            self.field_watts = max(self.set_watts, self.field_watts - FALL_WATTS_PER_S * dt)
        self.deliver(self.field_watts * dt / 3600.0)

    @property
    def now(self) -> float:
        return self.gap.now

    # Port

    def tick(self, now: float) -> None:
        self.gap.advance(now)

    def modes(self) -> frozenset[Mode]:
        return frozenset({Mode.WPT})

    def limits(self) -> WptSupplyLimits:
        return self.supply

    def methods(self) -> WptMethods:
        return ALONE if self.gap.vehicle is None else METHODS

    def natural_offset_mm(self) -> float:
        return 0.0

    def volts(self) -> float:
        return SUPPLY_VOLTS if self.field_watts > 0.0 else 0.0

    def amps(self) -> float:
        return self.field_watts / SUPPLY_VOLTS

    def relays_closed(self) -> bool:
        return self.field_watts > 0.0

    def control_pilot(self) -> ControlPilot | None:
        return None

    def positioned(self) -> bool:
        return not self.blind and self.gap.distance_mm() <= TOLERANCE_MM

    def code(self) -> int:
        return self.own_code

    def observed_code(self) -> int | None:
        vehicle = self.gap.vehicle
        if not isinstance(vehicle, SimulatedReceiver):
            return None
        return _seen(vehicle.own_code, self._pairing_since, self.gap)

    def start_pairing(self) -> None:
        self._pairing_since = self.now

    def excite(self, coil_amps: float) -> None:
        self.transmit(min(coil_amps, TRIAL_COIL_AMPS) * WATTS_PER_COIL_AMP)

    def transmit(self, watts: float) -> None:
        if not self.broken:
            self.set_watts = watts

    def coil_amps(self) -> float:
        return self.field_watts / WATTS_PER_COIL_AMP

    def transmitted_watts(self) -> float:
        return self.field_watts

    def diagnosis(self) -> str:
        if self.living_object:
            return "SPCLOPDetected"
        return "SPCFODDetected" if self.foreign_object else "SPCNoIssue"

    def off(self, *, emergency: bool) -> None:
        self.set_watts = 0.0
        if emergency:
            self.field_watts = 0.0


class SimulatedReceiver(SimulatedVehicle):
    """A vehicle with a secondary device, on its way to the pad. Its wishes for trouble are attributes."""

    def __init__(
        self, battery: Battery | None = None, *, target_soc: float = 80.0, max_watts: float = 10_000.0, code: int = 815
    ) -> None:
        super().__init__(battery, target_soc=target_soc)
        self.device = WptReceiverLimits(
            max_watts=max_watts, max_clearance_mm=210.0, min_clearance_mm=140.0, hertz=85_000.0
        )
        self.own_code = code
        self.place = Offset(-1500.0, 15.0)
        self.parks_at = [Offset(25.0, 15.0)]
        """Where each attempt to park ends; the last one is repeated."""
        self.rolls = False
        """It moves though it is held in its place."""
        self.overheated = False
        self.gap = AirGap()
        self.gap.vehicle = self
        self.cable: SimulatedCable = self.gap
        self._goal: Offset | None = None
        self._pairing_since: float | None = None

    def drive(self, dt: float) -> None:
        """The vehicle moves on."""
        if self.rolls:
            self.place = self.place._replace(x=self.place.x + ROLL_MM_PER_S * dt)
        elif self._goal is not None and not self.locked and self.place != self._goal:
            left = self._goal.x - self.place.x
            step = DRIVE_MM_PER_S * dt
            self.place = (
                self._goal if abs(left) <= step else self.place._replace(x=self.place.x + (step if left > 0 else -step))
            )

    def _released(self) -> bool:
        return not self.contactors and self.received_watts() <= 0.0

    def _apart(self) -> float:
        return 0.0  # there is no voltage before the battery is connected

    # Port

    def modes(self) -> frozenset[Mode]:
        return frozenset({Mode.WPT})

    def limits(self) -> WptReceiverLimits:  # type: ignore[override]
        return self.device

    def methods(self) -> WptMethods:
        return ALONE if self.gap.pad is None else METHODS

    def natural_offset_mm(self) -> float:
        return 0.0

    def start_positioning(self) -> None:
        self._goal = self.parks_at.pop(0) if len(self.parks_at) > 1 else self.parks_at[0]

    def positioned(self) -> bool | None:
        if self.rolls or self._goal is None or self.place != self._goal:
            return None
        return hypot(*self.place) <= TOLERANCE_MM

    def code(self) -> int:
        return self.own_code

    def observed_code(self) -> int | None:
        return None if self.gap.pad is None else _seen(self.gap.pad.own_code, self._pairing_since, self.gap)

    def start_pairing(self) -> None:
        self._pairing_since = self.cable.now

    def received_watts(self) -> float:
        return self.gap.arriving_watts()

    def target_watts(self) -> float:
        wish = self.battery.target()
        return min(self.device.max_watts, wish.amps * self.battery.volts())

    def receive(self) -> None:
        if not self.contactors and self._closed_at is None:
            self._closed_at = self.cable.now + CLOSE_S
            self._open_by = None

    def told(self, watts: float) -> None:
        self.gap.told_watts = watts

    def diagnosis(self) -> str:
        return "EVPCTempOverheatDetected" if self.overheated else "EVPCNoIssue"


def _seen(code: int, since: float | None, gap: AirGap) -> int | None:
    """What a device sees of the code of the other one."""
    if since is None or gap.now - since < PAIRING_S or gap.distance_mm() > PAIRING_MM:
        return None
    return code + 1 if gap.crossed else code


def link(pad: SimulatedPad, vehicle: SimulatedReceiver) -> AirGap:
    """Send the vehicle to the pad."""
    gap = AirGap()
    gap.pad, gap.vehicle = pad, vehicle
    pad.gap = vehicle.gap = vehicle.cable = gap
    return gap
