"""What lies between outlet and vehicle: two DC conductors with a little capacitance, and the control pilot.

Both ends may be simulated (`link`), or one: then the other end is assumed. Behind an outlet alone there is a battery,
near the voltage of the precharge, that takes what is asked for; before a vehicle alone there is a station that does
what it says, or what it is asked for where it measures nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from hlc.ports import NO_PWM, ControlPilot, PilotSignal

if TYPE_CHECKING:
    from hlc.sim.outlet import SimulatedOutlet
    from hlc.sim.premises import Premises
    from hlc.sim.vehicle import SimulatedVehicle

STEP_S: Final = 0.02
STEPS: Final = 200
"""A long time is passed in so many longer steps: nothing then moves but slowly."""
VOLTS_PER_S: Final = 800.0
"""Rise and fall of the supply without load."""
AMPS_PER_S: Final = 200.0
"""Rise of the current; it falls as fast again (IEC 61851-23 wants 100 A/s at least in a normal stop)."""
FALL_AMPS_PER_S: Final = 1000.0
BLEED: Final = 0.15
"""Time constant, s, in which contacts without supply and battery lose their voltage."""
ASSUMED_OHMS: Final = 0.1
"""Internal resistance of the battery that is assumed behind an outlet alone."""
ASSUMED_BELOW: Final = 0.97
"""Its voltage, by that of the precharge: vehicles that ask for the same voltage afterwards get a current too."""
PRECHARGE_AMPS: Final = 2.0
SAFE_VOLTS: Final = 60.0
"""A station that reports less has not begun to raise the voltage, or measures nothing."""
UNMEASURED_S: Final = 3.0
"""So long a precharge goes on before the latter is assumed; a station that has begun is believed for good."""


class SimulatedCable:
    """The state between the contacts: `volts`, and `amps` out of the supply, negative into it. `advance(now)` moves it
    on."""

    def __init__(self) -> None:
        self.outlet: SimulatedOutlet | None = None
        self.vehicle: SimulatedVehicle | None = None
        self.now = 0.0
        self.volts = 0.0
        self.amps = 0.0
        self.plugged = True
        self.observer: Callable[[SimulatedCable], None] | None = None
        """Called after every step."""
        self._started = False
        self._assumed_volts: float | None = None
        self._reported: tuple[float, float | None] | None = None
        self._low_since: float | None = None
        """When a station that is not simulated was first heard in this precharge, while it has measured nothing."""
        self._measures = False

    # Pilot

    def pilot(self) -> ControlPilot | None:
        """What the outlet sees; None: there is no wire."""
        signal = self._signal()
        return None if signal is None else signal.state

    def pilot_signal(self) -> PilotSignal | None:
        """What the vehicle sees; None: there is no wire."""
        return self._signal() if self.plugged else PilotSignal(ControlPilot.A, NO_PWM)

    def _signal(self) -> PilotSignal | None:
        """On the outlet's side of the plug."""
        premises = self._premises()
        if premises is None or self.vehicle is None:
            return None
        if isinstance(premises.shown, ControlPilot):
            return PilotSignal(premises.shown, 0.0)
        return PilotSignal(self.vehicle.state if self.plugged else ControlPilot.A, premises.shown)

    def _premises(self) -> Premises | None:
        return self.outlet

    # Power

    def switch_off(self) -> None:
        """An emergency needs no ramp."""
        if self.outlet is not None and self.outlet.cut:
            self.amps = 0.0
            self.outlet.relays = self.outlet.releasing = False
        self._assumed_volts = None

    def report(self, volts: float, amps: float | None) -> None:
        """What a station that is not simulated says of itself."""
        if self.outlet is None:
            self._reported = (volts, amps)
            self._measures = self._measures or volts >= SAFE_VOLTS
            if self._low_since is None:
                self._low_since = self.now

    def advance(self, now: float) -> None:
        """Move on to this time. Going back does nothing."""
        if not self._started:
            self._started, self.now = True, now
        span = now - self.now
        if span <= 0:
            return
        steps = 1 if span <= STEP_S else min(STEPS, int(span / STEP_S + 0.999))
        dt = span / steps
        for _ in range(steps):
            self.now += dt
            self._step(dt)
            if self.observer is not None:
                self.observer(self)
        self.now = now

    def _step(self, dt: float) -> None:
        outlet, vehicle = self.outlet, self.vehicle
        if outlet is None:
            self._follow_reports(dt)
        else:
            battery_volts, resistance = self._battery()
            if battery_volts is None:
                self._without_battery(outlet, dt)
            else:
                self._with_battery(outlet, battery_volts, resistance, dt)
            outlet.deliver(self.volts * self.amps * dt / 3600.0)
            if outlet.releasing and abs(self.amps) < 1.0:
                outlet.relays = outlet.releasing = False
        if vehicle is not None:
            if vehicle.contactors and self.amps != 0.0:
                vehicle.take(self.amps, dt)
            vehicle.step(self.now)

    def _battery(self) -> tuple[float | None, float]:
        """Open-circuit voltage and resistance of what is connected to the contacts on the vehicle's side."""
        vehicle, outlet = self.vehicle, self.outlet
        if vehicle is not None:
            if vehicle.contactors and self.plugged:
                return vehicle.battery.volts(), vehicle.battery.resistance
            return None, 0.0
        if outlet is not None and outlet.relays and abs(outlet.set_amps) > PRECHARGE_AMPS:
            self._assumed_volts = self._assumed_volts or ASSUMED_BELOW * self.volts
        return self._assumed_volts, ASSUMED_OHMS

    def _without_battery(self, outlet: SimulatedOutlet, dt: float) -> None:
        self.amps = 0.0
        if not outlet.relays or outlet.cut:
            self.volts *= max(0.0, 1.0 - dt / BLEED)
        elif self.volts < outlet.set_volts:
            self.volts = min(outlet.set_volts, self.volts + VOLTS_PER_S * dt)
        else:
            self.volts = max(outlet.set_volts, self.volts - VOLTS_PER_S * dt)

    def _with_battery(self, outlet: SimulatedOutlet, battery_volts: float, resistance: float, dt: float) -> None:
        wanted = 0.0
        if outlet.relays and not outlet.cut:
            by_voltage = (outlet.set_volts - battery_volts) / resistance
            wanted = max(min(0.0, outlet.set_amps), min(max(0.0, outlet.set_amps), by_voltage))
        rises = abs(wanted) > abs(self.amps) and wanted * self.amps >= 0.0
        step = (AMPS_PER_S if rises else FALL_AMPS_PER_S) * dt
        self.amps = max(self.amps - step, min(self.amps + step, wanted))
        if outlet.cut:
            self.amps = 0.0
        self.volts = battery_volts + self.amps * resistance

    def _follow_reports(self, dt: float) -> None:
        """A vehicle alone: the inlet is at what the station reports, or at the battery's voltage behind closed
        contactors. Stations exist whose simulated supply reports 1 V for ever and says OK: after a while their voltage
        is taken for the one that a precharge asks for."""
        assert self.vehicle is not None
        volts, amps = self._reported or (0.0, None)
        ready = self.vehicle.state.ready
        if self.vehicle.contactors:
            self.volts = self.vehicle.battery.volts()
            self.amps = (amps or 0.0) if ready else 0.0
        elif ready:
            if not self._measures and self._low_since is not None and self.now - self._low_since >= UNMEASURED_S:
                volts = self.vehicle.battery.volts()
            self.volts, self.amps = volts, 0.0
        else:
            self._low_since = None
            self.volts, self.amps = min(volts, self.volts * max(0.0, 1.0 - dt / BLEED)), 0.0


def link(outlet: SimulatedOutlet, vehicle: SimulatedVehicle) -> SimulatedCable:
    """Plug the vehicle into the outlet."""
    cable = SimulatedCable()
    cable.outlet, cable.vehicle = outlet, vehicle
    outlet.cable = vehicle.cable = cable
    return cable
