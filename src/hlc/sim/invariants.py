"""The safety order as invariants, held against the simulated world at every step of a session.

Nothing here knows how a machine decides: it looks at voltages, currents, contactors and the pilot, and at the
messages on the wire to know how far the two have agreed. A violation is one line of text; `violations` is empty when
all is well.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

from exi.messages.din70121 import EVSEProcessing
from hlc import decisions
from hlc.flow import Machine, failed
from hlc.sim.cable import SimulatedCable
from hlc.trace.events import Event, Message

PILOT_S: Final = 0.15
"""A station that sees the pilot leave state C has no voltage switched on after this time (two looks, and a margin)."""
TOLERANCE: Final = 1.01


class Stage(IntEnum):
    """How far the two have agreed, by what was said."""

    NOTHING = 0
    PARAMETERS = 1
    """ChargeParameterDiscovery has finished."""
    CABLE_CHECK = 2
    ISOLATION_PROVEN = 3
    DELIVERY = 4
    ENDED = 5


class Invariants:
    """Watches one session. `station` and `vehicle` are its machines."""

    def __init__(self, station: Machine, vehicle: Machine) -> None:
        self.station = station
        self.vehicle = vehicle
        self.violations: list[str] = []
        self.stage = Stage.NOTHING
        self._not_ready_since: float | None = None
        self._ended_at: dict[str, float] = {}
        self._contactors = False
        self._demanded = False
        self._contactors_at_demand: bool | None = None

    def message(self, event: Event) -> None:
        """Follow what is said. Call it with the events of both sides, each message once."""
        if not isinstance(event, Message) or event.schema == "sap":
            return
        body: Any = event.message.Body.BodyElement
        if event.name == "CableCheckReq":
            self.stage = max(self.stage, Stage.CABLE_CHECK)
        elif event.name == "CurrentDemandReq" and not self._demanded:
            self._demanded = True
            self._contactors_at_demand = self._contactors
        elif event.name.endswith("Res") and not failed(body):
            if event.name == "ChargeParameterDiscoveryRes" and body.EVSEProcessing is EVSEProcessing.Finished:
                self.stage = max(self.stage, Stage.PARAMETERS)
            elif event.name == "CableCheckRes" and body.EVSEProcessing is EVSEProcessing.Finished:
                self.stage = max(self.stage, Stage.ISOLATION_PROVEN)
            elif event.name == "PowerDeliveryRes":
                self.stage = Stage.DELIVERY if self.stage is Stage.ISOLATION_PROVEN else Stage.ENDED

    def step(self, cable: SimulatedCable) -> None:
        """Look at the world after a step."""
        outlet, vehicle = cable.outlet, cable.vehicle
        assert outlet is not None
        assert vehicle is not None
        now, stage = cable.now, self.stage
        driving = outlet.relays and not outlet.cut and outlet.set_volts > 0
        # Station
        if driving:
            self._hold(stage >= Stage.CABLE_CHECK, cable, "a voltage is switched on before the cable check has begun")
            self._hold(stage < Stage.ENDED, cable, "a voltage is switched on after power delivery has ended")
            if stage < Stage.ISOLATION_PROVEN:
                limit = decisions.cable_check_volts(vehicle.limits().max_volts, outlet.supply.max_volts)
            else:
                limit = min(vehicle.limits().max_volts, outlet.supply.max_volts)
            self._hold(
                outlet.set_volts <= limit * TOLERANCE, cable, f"{outlet.set_volts:.0f} V ordered above {limit:.0f} V"
            )
        ready = cable.pilot() is not None and vehicle.state.ready and cable.plugged
        if ready or not driving:
            self._not_ready_since = None
        elif self._not_ready_since is None:
            self._not_ready_since = now
        else:
            late = now - self._not_ready_since > PILOT_S
            self._hold(not late, cable, "a voltage is switched on though the vehicle does not show state C")
        if stage != Stage.DELIVERY and not self._recently_ended(now):
            limit = decisions.PRECHARGE_AMPS * TOLERANCE if stage < Stage.DELIVERY else decisions.NO_CURRENT_AMPS
            self._hold(cable.amps <= limit, cable, "a current flows before power delivery was agreed, or after it")
        most = min(vehicle.limits().max_amps, outlet.supply.max_amps)
        self._hold(cable.amps <= most * TOLERANCE, cable, f"the current is above {most:.0f} A")
        power = min(vehicle.limits().max_watts, outlet.supply.max_watts)
        self._hold(cable.amps * cable.volts <= power * 1.05, cable, f"the power is above {power:.0f} W")
        # Vehicle
        if vehicle.contactors and not self._contactors:
            apart = abs(cable.volts - vehicle.battery.volts())
            self._hold(apart < decisions.MATCH_VOLTS, cable, f"contactors closed {apart:.0f} V apart")
        if self._contactors and not vehicle.contactors:
            fine = vehicle.emergency or not vehicle.opened_under_load
            self._hold(fine, cable, "contactors opened under load without an emergency")
        self._contactors = vehicle.contactors
        if self._contactors_at_demand is False:
            self._contactors_at_demand = None
            self._hold(False, cable, "CurrentDemandReq before the contactors were closed")
        if cable.plugged and cable.volts >= decisions.SAFE_VOLTS:
            self._hold(vehicle.locked, cable, "a voltage at a connector that is not locked")
        if vehicle.state.ready:
            self._hold(stage >= Stage.PARAMETERS, cable, "state C before the parameters were agreed")
        # The end
        if self.station.closed and self._since_end("station", now) > decisions.EMERGENCY_S:
            self._hold(cable.amps < decisions.NO_CURRENT_AMPS, cable, "a current flows after the station's end")
            self._hold(not outlet.relays, cable, "the relays are closed after the station's end")
        if self.vehicle.closed and self._since_end("vehicle", now) > decisions.EMERGENCY_S:
            self._hold(
                vehicle.welded or not vehicle.contactors, cable, "the contactors are closed after the vehicle's end"
            )
            self._hold(not vehicle.state.ready, cable, "state C after the vehicle's end")
        ended = [self._since_end(name, now) for name, machine in self._machines() if machine.closed]
        if len(ended) == 2 and min(ended) > decisions.EMERGENCY_S + decisions.DISCHARGE_S:
            dead = vehicle.welded or cable.volts < decisions.SAFE_VOLTS
            self._hold(dead, cable, "a voltage at the contacts after both have ended")

    def _machines(self) -> tuple[tuple[str, Machine], ...]:
        return ("station", self.station), ("vehicle", self.vehicle)

    def _recently_ended(self, now: float) -> bool:
        """The current after PowerDelivery has its time to fall too."""
        return self.stage is Stage.ENDED and self._since_end("delivery", now) <= decisions.EMERGENCY_S

    def _since_end(self, what: str, now: float) -> float:
        return now - self._ended_at.setdefault(what, now)

    def _hold(self, true: bool, cable: SimulatedCable, text: str) -> None:
        if not true and len(self.violations) < 20:
            self.violations.append(f"{cable.now:.3f} s, {cable.volts:.0f} V, {cable.amps:.1f} A: {text}")
