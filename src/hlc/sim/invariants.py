"""The safety order as invariants, held against the simulated world at every step of a session.

Nothing here knows how a machine decides: it looks at voltages, currents, contactors and the pilot, and at the
messages on the wire to know how far the two have agreed. A violation is one line of text; `violations` is empty when
all is well.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, NamedTuple

from hlc import decisions
from hlc.flow import Machine, failed
from hlc.rules.answers import finished
from hlc.sim.cable import SimulatedCable
from hlc.sim.outlet import SimulatedOutlet
from hlc.sim.vehicle import SimulatedVehicle
from hlc.sim.watch import LOOKS_S, Watch
from hlc.trace.events import Event, Message

TOLERANCE: Final = 1.01
READY: Final = ("Start", "Standby", "ScheduleRenegotiation")
"""Values of ChargeProgress in which energy may flow, or the voltage stays."""


class Stage(IntEnum):
    """How far the two have agreed, by what was said."""

    NOTHING = 0
    PARAMETERS = 1
    """ChargeParameterDiscovery has finished."""
    CABLE_CHECK = 2
    ISOLATION_PROVEN = 3
    DELIVERY = 4
    ENDED = 5


class Limits(NamedTuple):
    """The lower one of both sides' limits."""

    volts: float
    amps: float
    watts: float
    test_volts: float
    """What the cable check may apply."""
    back_amps: float
    back_watts: float
    """What may be taken from the vehicle."""

    @classmethod
    def of(cls, vehicle: SimulatedVehicle, outlet: SimulatedOutlet) -> Limits:
        """Of this pair."""
        ev, supply = vehicle.battery.limits(), outlet.supply
        return cls(
            volts=min(ev.max_volts, supply.max_volts),
            amps=min(ev.max_amps, supply.max_amps),
            watts=min(ev.max_watts, supply.max_watts),
            test_volts=decisions.cable_check_volts(ev.max_volts, supply.max_volts),
            back_amps=min(ev.max_discharge_amps, supply.max_discharge_amps),
            back_watts=min(ev.max_discharge_watts, supply.max_discharge_watts),
        )


class Invariants(Watch):
    """Those of DC."""

    def __init__(self, station: Machine, vehicle: Machine) -> None:
        super().__init__(station, vehicle)
        self.stage = Stage.NOTHING
        self._was_ready = False
        self._not_ready_since: float | None = None
        self._contactors = False
        self._ready = False
        self._both_ways = False
        """Whether parameters for both directions were exchanged last."""
        self._demanded = False
        self._demanded_open = False
        self._limits: Limits | None = None

    def message(self, event: Event) -> None:
        super().message(event)
        if not isinstance(event, Message) or event.schema == "sap":
            return
        assert self.station.rules is not None
        body: Any = self.station.rules.unwrap(event.message)[1]
        name = event.name.removeprefix("DC_")
        if name == "CableCheckReq":
            self.stage = max(self.stage, Stage.CABLE_CHECK)
        elif name == "PowerDeliveryReq":
            self._ready = getattr(body, "ReadyToChargeState", False) or getattr(body, "ChargeProgress", "") in READY
        elif name in ("CurrentDemandReq", "ChargeLoopReq") and not self._demanded:
            self._demanded = True
            self._demanded_open = not self._contactors
        elif name.endswith("Res") and not failed(body):
            if name == "ChargeParameterDiscoveryRes" and (not hasattr(body, "EVSEProcessing") or finished(body)):
                if self.stage is Stage.ENDED:  # a renegotiation: what begins again is held against the same order
                    self.stage = Stage.NOTHING
                    self._began.pop("delivery", None)
                self.stage = max(self.stage, Stage.PARAMETERS)
                mode = getattr(body, "DC_CPDResEnergyTransferMode", None)
                self._both_ways = type(mode).__name__.startswith("BPT")
            elif name == "CableCheckRes" and finished(body):
                self.stage = max(self.stage, Stage.ISOLATION_PROVEN)
            elif name == "PowerDeliveryRes":
                self.stage = Stage.DELIVERY if self._ready else Stage.ENDED

    def step(self, cable: SimulatedCable) -> None:
        outlet, vehicle = cable.outlet, cable.vehicle
        assert outlet is not None
        assert vehicle is not None
        now, volts, amps = cable.now, cable.volts, cable.amps
        if self._limits is None:
            self._limits = Limits.of(vehicle, outlet)
        if not self.told:
            supply = outlet.supply
            self._limits = Limits(*supply[:3], supply.max_volts, supply.max_discharge_amps, supply.max_discharge_watts)
        self._was_ready |= vehicle.state.ready
        if outlet.relays and not outlet.cut and outlet.set_volts > 0:
            self._driven(cable, outlet.set_volts, ready=cable.plugged and vehicle.state.ready)
        else:
            self._not_ready_since = None
        if amps != 0.0:
            self._flowing(cable, abs(amps))
        if amps < 0.0:
            self._flowing_back(cable, -amps)
        if vehicle.contactors is not self._contactors:
            self._contactors = vehicle.contactors
            apart = max(abs(volts - vehicle.battery.volts()), vehicle.apart_at_order)
            if vehicle.contactors and apart >= decisions.MATCH_VOLTS:
                self._say(cable, f"contactors closed {apart:.0f} V apart")
            if not vehicle.contactors and vehicle.opened_under_load and not vehicle.emergency:
                self._say(cable, "contactors opened under load without an emergency")
        if self._demanded_open:
            self._demanded_open = False
            self._say(cable, "CurrentDemandReq before the contactors were closed")
        if volts >= decisions.SAFE_VOLTS and cable.plugged and not vehicle.locked:
            self._say(cable, "a voltage at a connector that is not locked")
        if vehicle.state.ready and self.stage < Stage.PARAMETERS:
            self._say(cable, "state C before the parameters were agreed")
        if self.station.closed or self.vehicle.closed:
            self._after(cable, now)

    def _driven(self, cable: SimulatedCable, ordered: float, *, ready: bool) -> None:
        """The supply holds a voltage."""
        assert self._limits is not None
        self._powered(cable)
        if self.stage < Stage.CABLE_CHECK:
            self._say(cable, "a voltage is switched on before the cable check has begun")
        if self.stage is Stage.ENDED:
            self._say(cable, "a voltage is switched on after power delivery has ended")
        limit = self._limits.volts if self.stage >= Stage.ISOLATION_PROVEN else self._limits.test_volts
        if ordered > limit * TOLERANCE:
            self._say(cable, f"{ordered:.0f} V ordered, {limit:.0f} V are allowed")
        if ready:
            self._not_ready_since = None
        elif not self._was_ready:
            self._say(cable, "a voltage is switched on before the vehicle has shown state C")
        elif self._not_ready_since is None:
            self._not_ready_since = cable.now
        elif cable.now - self._not_ready_since > LOOKS_S:
            self._say(cable, "a voltage is switched on though the vehicle does not show state C")

    def _flowing(self, cable: SimulatedCable, amps: float) -> None:
        """The supply delivers a current."""
        assert self._limits is not None
        if self.stage < Stage.DELIVERY and amps > decisions.PRECHARGE_AMPS * TOLERANCE:
            self._say(cable, "a current flows before power delivery was agreed")
        # After PowerDelivery too, the current has its time to fall.
        ended = self.stage is Stage.ENDED and self._since("delivery", cable.now) > decisions.EMERGENCY_S
        if ended and amps >= decisions.NO_CURRENT_AMPS:
            self._say(cable, "a current flows after power delivery has ended")
        if cable.amps > self._limits.amps * TOLERANCE:
            self._say(cable, f"the current is above {self._limits.amps:.0f} A")
        if cable.amps * cable.volts > self._limits.watts * 1.05:
            self._say(cable, f"the power is above {self._limits.watts:.0f} W")

    def _flowing_back(self, cable: SimulatedCable, amps: float) -> None:
        """The supply takes a current from the vehicle."""
        assert self._limits is not None
        assert cable.vehicle is not None
        if not self._both_ways:
            self._say(cable, "energy flows back, and no service for that was selected")
        if amps > self._limits.back_amps * TOLERANCE:
            self._say(cable, f"the current back is above {self._limits.back_amps:.0f} A")
        if amps * cable.volts > self._limits.back_watts * 1.05:
            self._say(cable, f"the power back is above {self._limits.back_watts:.0f} W")
        if cable.vehicle.battery.soc < cable.vehicle.least_soc - 0.1:
            self._say(cable, "energy flows back from a battery that is at its least")

    def _after(self, cable: SimulatedCable, now: float) -> None:
        """A side has ended: whatever led there, within the times of IEC 61851-23 nothing is dangerous any more."""
        outlet, vehicle = cable.outlet, cable.vehicle
        assert outlet is not None
        assert vehicle is not None
        if self.station.closed and self._since("station", now) > decisions.EMERGENCY_S:
            if abs(cable.amps) >= decisions.NO_CURRENT_AMPS:
                self._say(cable, "a current flows after the station's end")
            if outlet.relays:
                self._say(cable, "the relays are closed after the station's end")
        if self.vehicle.closed and self._since("vehicle", now) > decisions.EMERGENCY_S:
            if vehicle.contactors and not vehicle.welded:
                self._say(cable, "the contactors are closed after the vehicle's end")
            if vehicle.state.ready:
                self._say(cable, "state C after the vehicle's end")
        if self.station.closed and self.vehicle.closed:
            late = self._since("both", now) > decisions.EMERGENCY_S + decisions.DISCHARGE_S
            if late and cable.volts >= decisions.SAFE_VOLTS and not vehicle.welded:
                self._say(cable, "a voltage at the contacts after both have ended")
