"""Simulated AC charging: an outlet that is a contactor to the mains, and a vehicle with a charger on board.

Alone, the outlet assumes a vehicle that takes what it may, and the vehicle mains that are there while it shows state C.
"""

from __future__ import annotations

from typing import Final

from hlc.ports import AcLimits, Mode
from hlc.sim.battery import Battery
from hlc.sim.cable import SimulatedCable
from hlc.sim.premises import Plugged, Premises
from hlc.sim.vehicle import SimulatedVehicle

CONTACTOR_S: Final = 0.1
"""The contactor's own time, either way."""
EMERGENCY_OPEN_S: Final = 0.03
MAINS_VOLTS: Final = 230.0
AMPS_PER_S: Final = 20.0
"""Rise of a charger's current, in all phases together; it falls faster."""
FALL_AMPS_PER_S: Final = 100.0
EFFICIENCY: Final = 0.92
"""Of the charger on board, either way."""
LEAST_AMPS: Final = 6.0
"""Per phase: with less no vehicle charges (IEC 61851-1)."""


class MainsCable(SimulatedCable):
    """An AC cable. `volts` is phase to neutral behind the contactor, `amps` that of all phases together."""

    def __init__(self) -> None:
        super().__init__()
        self.socket: SimulatedAcOutlet | None = None
        self.car: SimulatedAcVehicle | None = None

    def _premises(self) -> Premises | None:
        return self.socket

    @property
    def energized(self) -> bool:
        """Whether the mains are at the vehicle."""
        if self.socket is not None:
            return self.socket.relays
        return self.car is not None and self.car.state.ready

    def _step(self, dt: float) -> None:
        if self.socket is not None:
            self.socket.move(self.now)
        self.volts = (self.socket.supply.volts if self.socket is not None else MAINS_VOLTS) if self.energized else 0.0
        wanted = 0.0
        if self.volts > 0.0 and self.plugged:
            wanted = self.car.wanted_amps(self.volts) if self.car is not None else self._assumed_amps()
        rises = abs(wanted) > abs(self.amps)
        most = (AMPS_PER_S if rises else FALL_AMPS_PER_S) * dt
        self.amps += min(most, max(-most, wanted - self.amps))
        if self.volts == 0.0 or not self.plugged:
            self.amps = 0.0
        watt_hours = self.volts * self.amps * dt / 3600.0
        if self.socket is not None:
            self.socket.deliver(watt_hours)
        if self.car is not None:
            self.car.convert(watt_hours, dt)
            self.car.step(self.now)

    def _assumed_amps(self) -> float:
        assert self.socket is not None
        return self.socket.available_amps() * self.socket.supply.phases


class SimulatedAcOutlet(Plugged):
    """A contactor to the mains. Its wishes for trouble are attributes: set them at any time."""

    def __init__(
        self,
        *,
        amps: float = 32.0,
        phases: int = 3,
        volts: float = MAINS_VOLTS,
        authorization_s: float = 0.5,
        preparation_s: float = 0.3,
        modes: frozenset[Mode] = frozenset({Mode.AC}),
        back_amps: float = 0.0,
    ) -> None:
        super().__init__(modes=modes, authorization_s=authorization_s, preparation_s=preparation_s)
        self.supply = AcLimits(volts, phases, amps, LEAST_AMPS, max_discharge_amps=back_amps)
        self.available: float | None = None
        """A per phase, where it is less than the outlet could."""
        self.stuck = False
        """The contactor does not close any more."""
        self.welded = False
        """The contactor does not open any more."""
        self.rcd = False
        self.ordered = False
        """What the contactor was last told, closed or not."""
        cable = MainsCable()
        self.cable, cable.socket = cable, self
        self._moves_at: float | None = None

    def trip_rcd(self) -> None:
        """The residual current device cuts the mains off, and stays so."""
        self.rcd, self.relays, self._moves_at = True, False, None

    def move(self, now: float) -> None:
        """The contactor follows its order in its own time."""
        if self._moves_at is None or now < self._moves_at:
            return
        self._moves_at = None
        if self.ordered:
            self.relays = not self.stuck and not self.rcd
        elif not self.welded:
            self.relays = False

    # Port

    def limits(self) -> AcLimits:
        return self.supply

    def available_amps(self) -> float:
        return self.supply.max_amps if self.available is None else min(self.available, self.supply.max_amps)

    def rcd_tripped(self) -> bool:
        return self.rcd

    def close(self) -> None:
        if not self.broken and not self.relays:
            self.ordered, self._moves_at = True, self.now + CONTACTOR_S

    def off(self, *, emergency: bool) -> None:
        if not self.ordered and not self.relays:
            return
        opens_at = self.now + (EMERGENCY_OPEN_S if emergency else CONTACTOR_S)
        self._moves_at = opens_at if self.ordered or self._moves_at is None else min(opens_at, self._moves_at)
        self.ordered = False


class SimulatedAcVehicle(SimulatedVehicle):
    """A vehicle with a charger on board. Its wishes for trouble are attributes: set them at any time."""

    def __init__(
        self,
        battery: Battery | None = None,
        *,
        target_soc: float = 80.0,
        amps: float = 16.0,
        phases: int = 3,
        minimum_soc: float = 0.0,
        max_discharge_amps: float = 0.0,
        modes: frozenset[Mode] = frozenset({Mode.AC}),
    ) -> None:
        super().__init__(battery, target_soc=target_soc, minimum_soc=minimum_soc, modes=modes)
        self.charger = AcLimits(MAINS_VOLTS, phases, amps, LEAST_AMPS, max_discharge_amps=max_discharge_amps)
        self.set_watts = 0.0
        """What the charger was told."""
        self.greedy = False
        """The charger takes what it can, whatever it was told."""
        self.cable: SimulatedCable = MainsCable()
        self._join(self.cable)

    def _join(self, cable: SimulatedCable) -> None:
        assert isinstance(cable, MainsCable)
        cable.car = cable.vehicle = self
        self.cable = cable

    def wanted_amps(self, volts: float) -> float:
        """What the charger takes from mains of this voltage, in all phases."""
        if not self.state.ready:
            return 0.0
        most, back = (each * self.charger.phases for each in (self.charger.max_amps, self.charger.max_discharge_amps))
        return most if self.greedy else max(-back, min(most, self.set_watts / volts))

    def convert(self, watt_hours: float, seconds: float) -> None:
        """Through the charger: from the mains into the battery, or back."""
        if watt_hours == 0.0:
            return
        inside = watt_hours * EFFICIENCY if watt_hours > 0 else watt_hours / EFFICIENCY
        self.battery.charge(inside * 3600.0 / seconds / self.battery.volts(), seconds)
        if watt_hours > 0:
            self._received += watt_hours
        else:
            self._returned -= watt_hours

    # Port

    def limits(self) -> AcLimits:  # type: ignore[override]
        return self.charger

    def target_watts(self) -> float:
        wish = self.battery.target()
        return min(self.charger.max_watts, wish.amps * self.battery.volts() / EFFICIENCY)

    def amps(self) -> float:
        return self.cable.amps

    def contactors_closed(self) -> bool:
        return abs(self.cable.amps) > 0.1

    def draw(self, watts: float) -> None:
        self.set_watts = watts

    def open_contactors(self, *, emergency: bool) -> None:
        self.set_watts = 0.0
        if emergency:
            self.cable.amps = 0.0


def link(outlet: SimulatedAcOutlet, vehicle: SimulatedAcVehicle) -> MainsCable:
    """Plug the vehicle into the outlet."""
    cable = MainsCable()
    cable.socket = outlet
    outlet.cable = cable
    vehicle._join(cable)
    return cable
