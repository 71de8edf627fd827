"""The safety order of AC charging as invariants, held against the simulated world at every step."""

from __future__ import annotations

from typing import Any, Final

from hlc import decisions
from hlc.flow import Machine, failed
from hlc.rules.iso15118_20.values import number
from hlc.sim.ac import CONTACTOR_S, MainsCable
from hlc.sim.cable import SimulatedCable
from hlc.sim.watch import LOOKS_S, Watch
from hlc.trace.events import Event, Message

FOLLOW_S: Final = 5.0
"""So long a vehicle has to follow a lower limit (IEC 61851-1)."""
TOLERANCE: Final = 1.02


class AcInvariants(Watch):
    """By what was said power is asked for, agreed, ended; by what is so, the contactor is closed, a current flows."""

    def __init__(self, station: Machine, vehicle: Machine) -> None:
        super().__init__(station, vehicle)
        self.asked = self.agreed = False
        self.limit_amps: float | None = None
        """Per phase, as it was told last."""
        self._target_watts: float | None = None
        """The same in ISO 15118-20, in all phases."""
        self._both_ways = False
        """Whether parameters for both directions were exchanged last."""
        self._progress = ""
        self._was_closed = False

    def message(self, event: Event) -> None:
        super().message(event)
        if not isinstance(event, Message) or event.schema == "sap":
            return
        document: Any = event.message
        body = document.Body.BodyElement if hasattr(document, "Body") else document
        if event.name == "PowerDeliveryReq":
            self._progress = str(body.ChargeProgress.value)
            if self._progress == "Start":
                self.asked = True
        elif event.name.endswith("Res") and failed(body):
            self.agreed = self.asked = False
        elif event.name == "PowerDeliveryRes" and self._progress == "Start":
            self.agreed = True
        elif (event.name == "PowerDeliveryRes" and self._progress == "Stop") or event.name == "SessionStopRes":
            self.agreed = self.asked = False
        elif event.name == "ChargingStatusRes" and body.EVSEMaxCurrent is not None:
            self.limit_amps = decisions.value(body.EVSEMaxCurrent)
        elif event.name == "AC_ChargeLoopRes":
            target = body.CLResControlMode.EVSETargetActivePower
            self._target_watts = None if target is None else abs(number(target))
        elif event.name == "AC_ChargeParameterDiscoveryRes":
            self._both_ways = type(body.AC_CPDResEnergyTransferMode).__name__.startswith("BPT")

    def step(self, cable: SimulatedCable) -> None:
        assert isinstance(cable, MainsCable)
        outlet, vehicle, now = cable.socket, cable.car, cable.now
        assert outlet is not None
        assert vehicle is not None
        ready = vehicle.state.ready and cable.plugged
        if outlet.relays and not self._was_closed and not self.asked:
            self._say(cable, "the contactor closes before power delivery was asked for")
        self._was_closed = outlet.relays
        if outlet.relays:
            self._powered(cable)
        for what, so in (
            ("the vehicle does not show state C", not ready),
            ("power delivery is not asked for", not self.asked),
        ):
            if self._lasting(what, now, so=so and outlet.relays) > LOOKS_S + CONTACTOR_S and not outlet.welded:
                self._say(cable, f"the contactor is closed, and {what}")
        self._flowing(cable)
        if self._lasting("ready", now, so=vehicle.state.ready and not self.asked) > LOOKS_S:
            self._say(cable, "state C without power delivery asked for")
        late = self.station.closed and self._since("station", now) > decisions.EMERGENCY_S
        if late and outlet.relays and not outlet.welded:
            self._say(cable, "the contactor is closed after the station's end")
        if self.vehicle.closed and self._since("vehicle", now) > decisions.EMERGENCY_S:
            if abs(cable.amps) > decisions.NO_CURRENT_AMPS and not vehicle.greedy:
                self._say(cable, "a current flows after the vehicle's end")
            if vehicle.state.ready:
                self._say(cable, "state C after the vehicle's end")

    def _flowing(self, cable: MainsCable) -> None:
        """A current flows."""
        outlet, vehicle = cable.socket, cable.car
        assert outlet is not None
        assert vehicle is not None
        amps = abs(cable.amps) / vehicle.charger.phases
        if self._lasting("early", cable.now, so=amps > 0.5 and not self.agreed) > LOOKS_S:
            self._say(cable, "a current flows before power delivery was agreed, or after its end")
        limit = min(outlet.supply.max_amps, vehicle.charger.max_amps)
        if cable.amps < 0.0:
            limit = min(outlet.supply.max_discharge_amps, vehicle.charger.max_discharge_amps)
            self._flowing_back(cable)
        if amps > limit * TOLERANCE and not vehicle.greedy:
            self._say(cable, f"the current is above {limit:.0f} A")
        told = self.limit_amps if self.limit_amps is not None and self.told else limit
        if self._target_watts is not None and self.told:
            told = self._target_watts / (outlet.supply.volts * vehicle.charger.phases)
        above = amps > max(told, 0.0) * TOLERANCE + 0.1
        if self._lasting("above", cable.now, so=above) > FOLLOW_S and not vehicle.greedy:
            self._say(cable, f"the current stays above the {told:.0f} A that were told")

    def _flowing_back(self, cable: MainsCable) -> None:
        """The vehicle gives energy back."""
        vehicle = cable.car
        assert vehicle is not None
        if not self._both_ways:
            self._say(cable, "energy flows back, and no service for that was selected")
        if vehicle.battery.soc < vehicle.least_soc - 0.1:
            self._say(cable, "energy flows back from a battery that is at its least")
