"""The safety order under a pantograph as invariants: that of DC, without a pilot, and with contacts that move."""

from __future__ import annotations

from typing import Final

from hlc import decisions
from hlc.flow import Machine
from hlc.ports import Pantograph
from hlc.sim.acdp import SimulatedBus, SimulatedPantograph
from hlc.sim.cable import SimulatedCable
from hlc.sim.invariants import Invariants
from hlc.sim.watch import LOOKS_S

TOLD_S: Final = 1.2
"""What the vehicle alone knows reaches the station with its next status or message, at the latest so much later."""


class AcdpInvariants(Invariants):
    """`step` looks at the mechanics as well."""

    def __init__(self, station: Machine, vehicle: Machine) -> None:
        super().__init__(station, vehicle)
        self._way = 0.0

    def _driven(self, cable: SimulatedCable, ordered: float, *, ready: bool) -> None:
        # Without a pilot the station sees the contact; whether the vehicle is ready it is told.
        super()._driven(cable, ordered, ready=cable.plugged)

    def step(self, cable: SimulatedCable) -> None:
        super().step(cable)
        outlet, bus, now = cable.outlet, cable.vehicle, cable.now
        assert isinstance(outlet, SimulatedPantograph)
        assert isinstance(bus, SimulatedBus)
        driven = outlet.relays and not outlet.cut and outlet.set_volts > 0
        if outlet.way != self._way:
            self._way = outlet.way
            if abs(cable.amps) >= decisions.NO_CURRENT_AMPS:
                self._say(cable, "the contacts move under current")
            if outlet.relays:
                self._say(cable, "the contacts move while the relays are closed")
            if outlet.goal > 0.0 and not bus.locked:
                self._say(cable, "the contacts come to a vehicle that is not immobilised")
        for what, so, limit in (
            ("the contacts do not touch", not cable.plugged, LOOKS_S),
            ("another vehicle stands there", outlet.other_vehicle, LOOKS_S),
            ("the vehicle moves", bus.moving(), TOLD_S),
        ):
            if self._lasting(what, now, so=so and driven) > limit:
                self._say(cable, f"a voltage is switched on, and {what}")
        if bus.state.ready and outlet.pantograph() is Pantograph.HOME:
            self._say(cable, "the vehicle is ready for energy and the contacts are at home")
        if self.station.closed and self._since("home", now) > decisions.EMERGENCY_S and outlet.goal > 0.0:
            self._say(cable, "the contacts are not called home after the station's end")
