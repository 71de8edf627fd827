"""A simulated vehicle: battery, contactors, inlet lock, control pilot."""

from __future__ import annotations

from typing import Final

from hlc.ports import BatteryLimits, ControlPilot, Mode, PilotSignal, SetPoint
from hlc.sim.battery import Battery
from hlc.sim.cable import SimulatedCable

LOCK_S: Final = 0.2
CLOSE_S: Final = 0.05
EMERGENCY_OPEN_S: Final = 0.2
"""In an emergency the contactors wait so long for the current to go; then they open under load."""
NO_CURRENT_AMPS: Final = 1.0
MATCH_VOLTS: Final = 20.0


class SimulatedVehicle:
    """A vehicle around a battery. Its wishes for trouble are attributes: set them at any time."""

    def __init__(
        self,
        battery: Battery | None = None,
        *,
        target_soc: float = 80.0,
        bulk_soc: float = 80.0,
        minimum_soc: float = 0.0,
        modes: frozenset[Mode] = frozenset({Mode.DC}),
    ) -> None:
        self.battery = battery or Battery()
        self.taken = modes
        self.least_soc = minimum_soc
        self.wanted_soc = target_soc
        self.bulk = bulk_soc
        self.trouble = "NO_ERROR"
        self.welded = False
        """The contactors do not open any more."""
        self.never_ready = False
        """State C is ordered in vain."""
        self.state = ControlPilot.B
        self.contactors = False
        self.locked = False
        self.apart_at_order = 0.0
        """V between inlet and battery when the contactors were last told to close."""
        self.opened_under_load = False
        """In the last opening, the current had not gone."""
        self.emergency = False
        """The last opening was ordered as an emergency."""
        self.cable = SimulatedCable()
        self.cable.vehicle = self
        self._received = 0.0
        self._returned = 0.0
        self._locked_at: float | None = None
        self._closed_at: float | None = None
        self._open_by: float | None = None
        self._unlocking = False

    def step(self, now: float) -> None:
        """Move the mechanics on: lock, contactors."""
        if self._locked_at is not None and now >= self._locked_at:
            self.locked, self._locked_at = True, None
        if self._closed_at is not None and now >= self._closed_at:
            self._closed_at = None
            # They close in their own time; what drives them does not close them onto a voltage that went meanwhile.
            self.contactors = self._apart() < MATCH_VOLTS
        if self._open_by is not None and (abs(self.cable.amps) < NO_CURRENT_AMPS or now >= self._open_by):
            self.opened_under_load = self.contactors and abs(self.cable.amps) >= NO_CURRENT_AMPS
            self._open_by = None
            if not self.welded:
                self.contactors = False
        if self._unlocking and self._released():
            self.locked = self._unlocking = False

    def _released(self) -> bool:
        """Whether nothing holds the lock any more."""
        return self.cable.volts < 60.0

    def _apart(self) -> float:
        return abs(self.cable.volts - self.battery.volts())

    def take(self, amps: float, seconds: float) -> None:
        """The cable lets a current flow into the battery, or out of it where it is negative."""
        watt_hours = self.battery.charge(amps, seconds)
        if watt_hours >= 0:
            self._received += watt_hours
        else:
            self._returned -= watt_hours

    # Port

    def tick(self, now: float) -> None:
        self.cable.advance(now)

    def modes(self) -> frozenset[Mode]:
        return self.taken

    def capacity_wh(self) -> float:
        return self.battery.capacity_wh

    def limits(self) -> BatteryLimits:
        return self.battery.limits()

    def soc(self) -> float:
        return self.battery.soc

    def bulk_soc(self) -> float:
        return self.bulk

    def target_soc(self) -> float:
        return self.wanted_soc

    def minimum_soc(self) -> float:
        return self.least_soc

    def target(self) -> SetPoint:
        return self.battery.target()

    def battery_volts(self) -> float:
        return self.battery.volts()

    def inlet_volts(self) -> float:
        return self.cable.volts

    def amps(self) -> float:
        return self.cable.amps if self.contactors else 0.0

    def energy_wh(self) -> float:
        return self._received

    def returned_wh(self) -> float:
        return self._returned

    def error(self) -> str:
        return self.trouble

    def control_pilot(self) -> PilotSignal | None:
        return self.cable.pilot_signal()

    def connector_locked(self) -> bool:
        return self.locked

    def contactors_closed(self) -> bool:
        return self.contactors

    def lock_connector(self) -> None:
        self._unlocking = False
        if not self.locked and self._locked_at is None:
            self._locked_at = self.cable.now + LOCK_S

    def unlock_connector(self) -> None:
        self._locked_at = None
        self._unlocking = self.locked

    def show_ready(self, *, ready: bool) -> None:
        self.state = ControlPilot.C if ready and not self.never_ready else ControlPilot.B

    def close_contactors(self) -> None:
        if not self.contactors and self._closed_at is None:
            self.apart_at_order = self._apart()
            self._closed_at = self.cable.now + CLOSE_S
            self._open_by = None

    def open_contactors(self, *, emergency: bool) -> None:
        self._closed_at = None
        if not self.contactors:
            return
        by = self.cable.now + EMERGENCY_OPEN_S if emergency else float("inf")
        self._open_by = by if self._open_by is None else min(by, self._open_by)
        self.emergency = emergency or (self.emergency and self._open_by < float("inf"))

    def reported(self, volts: float, amps: float | None) -> None:
        self.cable.report(volts, amps)
