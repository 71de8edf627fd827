"""A simulated pantograph over a simulated bus: a DC outlet whose contacts move, a vehicle that must stand still.

Alone, the outlet assumes a vehicle that stands in its place, and the vehicle assumes that it is where the station says
and that the contacts touch.
"""

from __future__ import annotations

from typing import Any, Final

from hlc.ports import ControlPilot, Mode, Offset, Pantograph, PilotSignal
from hlc.sim.battery import Battery
from hlc.sim.cable import SimulatedCable
from hlc.sim.outlet import SimulatedOutlet
from hlc.sim.vehicle import SimulatedVehicle

ONE_WAY: Final = frozenset({Mode.ACDP})
MOVE_S: Final = 4.0
"""From home to the vehicle."""
DRIVE_MM_PER_S: Final = 300.0
ROLL_MM_PER_S: Final = 200.0
STOPS_WITHIN_MM: Final = 60.0
"""Who drives stops when the station sees the vehicle no further off."""
WINDOW: Final = Offset(150.0, 100.0)


class PantographCable(SimulatedCable):
    """The conductors from the supply to the rails, where the contacts touch."""

    def pilot(self) -> ControlPilot | None:
        return None

    def pilot_signal(self) -> PilotSignal | None:
        return None

    def _step(self, dt: float) -> None:
        outlet, vehicle = self.outlet, self.vehicle
        if isinstance(vehicle, SimulatedBus):
            vehicle.drive(dt)
        if isinstance(outlet, SimulatedPantograph):
            outlet.move(dt)
            self.plugged = outlet.contact()
        super()._step(dt)


class SimulatedPantograph(SimulatedOutlet):
    """An outlet with a pantograph. Its wishes for trouble are attributes: set them at any time."""

    def __init__(self, *, modes: frozenset[Mode] = ONE_WAY, **others: Any) -> None:
        super().__init__(modes=modes, **others)
        self.cable: SimulatedCable = PantographCable()
        self.cable.outlet = self
        self.stuck_at: float | None = None
        """The way, from 0 to 1, at which it moves no further."""
        self.lifted = False
        """A gust, or a fault of the drive: the contacts do not touch, wherever the drive says that they are."""
        self.other_vehicle = False
        """The vehicle that talks is not the one that stands here."""
        self.way = 0.0
        """0 is home, 1 is at the vehicle."""
        self.goal = 0.0

    def move(self, dt: float) -> None:
        """The drive moves on."""
        if self.stuck_at is not None and abs(self.way - self.stuck_at) < dt / MOVE_S:
            return
        if self.goal > self.way:
            self.way = min(self.goal, self.way + dt / MOVE_S)
        else:
            self.way = max(self.goal, self.way - dt / MOVE_S)

    # Port

    def vehicle_offset(self) -> Offset | None:
        vehicle = self.cable.vehicle
        return vehicle.place if isinstance(vehicle, SimulatedBus) else Offset(0.0, 0.0)

    def contact_window(self) -> Offset:
        return WINDOW

    def in_position(self) -> bool:
        offset = self.vehicle_offset()
        return offset is not None and abs(offset.x) <= WINDOW.x and abs(offset.y) <= WINDOW.y

    def associated(self) -> bool:
        return not self.other_vehicle

    def pantograph(self) -> Pantograph:
        if self.way <= 0.0:
            return Pantograph.HOME
        return Pantograph.END_POSITION if self.way >= 1.0 else Pantograph.MOVING

    def contact(self) -> bool:
        return self.way >= 1.0 and not self.lifted and self.in_position()

    def connect(self) -> None:
        self.goal = 1.0

    def disconnect(self) -> None:
        self.goal = 0.0


class SimulatedBus(SimulatedVehicle):
    """A vehicle with contact rails, on its way to the pantograph. Its wishes for trouble are attributes."""

    def __init__(
        self,
        battery: Battery | None = None,
        *,
        modes: frozenset[Mode] = ONE_WAY,
        from_mm: float = -900.0,
        **others: Any,
    ) -> None:
        super().__init__(battery, modes=modes, **others)
        self.cable: SimulatedCable = PantographCable()
        self.cable.vehicle = self
        self.place = Offset(from_mm, 40.0)
        self.driving = True
        self.rolls = False
        """It moves though it is immobilised."""

    def drive(self, dt: float) -> None:
        """The vehicle moves on."""
        if self.rolls:
            self.place = self.place._replace(x=self.place.x + ROLL_MM_PER_S * dt)
        elif self.driving and not self.locked:
            self.place = self.place._replace(x=self.place.x + DRIVE_MM_PER_S * dt)

    def _released(self) -> bool:
        outlet = self.cable.outlet
        away = not isinstance(outlet, SimulatedPantograph) or outlet.pantograph() is Pantograph.HOME
        return away and super()._released()

    # Port

    def moving(self) -> bool:
        return self.rolls or (self.driving and not self.locked)

    def guided(self, offset: Offset) -> None:
        self.driving = self.driving and offset.x < -STOPS_WITHIN_MM

    def contact(self) -> bool:
        return self.cable.outlet is None or self.cable.plugged


def link(outlet: SimulatedPantograph, vehicle: SimulatedBus) -> PantographCable:
    """Send the vehicle to the outlet."""
    cable = PantographCable()
    cable.outlet, cable.vehicle = outlet, vehicle
    outlet.cable = vehicle.cable = cable
    cable.plugged = False
    return cable
