"""The safety order of wireless power transfer as invariants, held against the simulated world at every step."""

from __future__ import annotations

from typing import Any, Final

from exi.messages.iso15118_20.common import ChargeProgress
from hlc import decisions
from hlc.flow import Machine, failed
from hlc.rules.iso15118_20.wpt import both_finished, misaligned
from hlc.sim.cable import SimulatedCable
from hlc.sim.watch import LOOKS_S, Watch
from hlc.sim.wpt import TOLERANCE_MM, TRIAL_COIL_AMPS, WATTS_PER_COIL_AMP, AirGap
from hlc.trace.events import Event, Message

TRIAL_WATTS: Final = TRIAL_COIL_AMPS * WATTS_PER_COIL_AMP * 1.01
"""What an alignment check may transmit."""
FALL_S: Final = 0.3
"""So long the field may take to fall in order, after the end of power delivery was agreed."""
ANSWER_S: Final = 2.0 + decisions.EMERGENCY_S
"""A vehicle that does not hear that power delivery has ended waits for the answer, and then ends."""


class WptInvariants(Watch):
    """By what was said the two are paired, aligned, in delivery; by what is so, the vehicle stands in its place."""

    def __init__(self, station: Machine, vehicle: Machine) -> None:
        super().__init__(station, vehicle)
        self.paired = self.aligned = self.delivery = False
        self._requests: dict[str, Any] = {}
        """The last one of each kind."""

    def message(self, event: Event) -> None:
        super().message(event)
        if not isinstance(event, Message) or event.schema == "sap":
            return
        body: Any = event.message
        if event.name.endswith("Req"):
            self._requests[event.name[:-3]] = body
            return
        request = self._requests.get(event.name[:-3])
        if request is None:  # an answer to nothing: of a peer that is not ours
            return
        if failed(body):
            self.aligned = self.delivery = False
            return
        match event.name:
            case "SessionSetupRes":
                self.paired = body.ResponseCode == "OK_OldSessionJoined"
            case "WPT_FinePositioningSetupRes":
                self.paired = self.aligned = self.delivery = False
            case "WPT_PairingRes":
                self.paired = _succeeded(request, body)
            case "WPT_AlignmentCheckRes":
                self.aligned = _succeeded(request, body)
            case "WPT_ChargeLoopRes" if misaligned(body):
                self.aligned = self.delivery = False
            case "PowerDeliveryRes":
                starts = request.ChargeProgress is not ChargeProgress.Stop
                self.delivery = starts and not misaligned(body)
            case "SessionStopRes":
                self.delivery = False

    def step(self, cable: SimulatedCable) -> None:
        assert isinstance(cable, AirGap)
        pad, vehicle, now = cable.pad, cable.vehicle, cable.now
        assert pad is not None
        assert vehicle is not None
        watts = pad.field_watts
        if watts > 0.0:
            self._driven(cable, watts)
        object_there = pad.foreign_object or pad.living_object
        for what, so, limit in (
            ("the vehicle is off its place", cable.distance_mm() > TOLERANCE_MM, LOOKS_S),
            ("something lies in the field", object_there, LOOKS_S),
            ("the two are not paired", not self.paired and watts > 0.0, LOOKS_S),
            ("power delivery is not agreed", not self.delivery and watts > TRIAL_WATTS, FALL_S),
            ("the alignment is not proven", not self.aligned and watts > TRIAL_WATTS, FALL_S),
            ("the station's session is over", self.station.closed, decisions.EMERGENCY_S),
        ):
            if self._lasting(what, now, so=so) > limit and watts > 0.0:
                self._say(cable, f"{watts:.0f} W leave the coil, and {what}")
        connected = vehicle.contactors and not vehicle.welded
        for what, so, limit in (
            ("power delivery is not agreed", not self.delivery, ANSWER_S),
            ("the vehicle's session is over", self.vehicle.closed, decisions.EMERGENCY_S),
        ):
            if self._lasting(f"connected, {what}", now, so=so and connected) > limit:
                self._say(cable, f"the device is connected to the battery, and {what}")

    def _driven(self, cable: AirGap, watts: float) -> None:
        """The coil is driven."""
        pad, vehicle = cable.pad, cable.vehicle
        assert pad is not None
        assert vehicle is not None
        self._powered(cable)
        if not vehicle.locked:
            self._say(cable, "the coil is driven under a vehicle that is not held in its place")
        accepted = getattr(vehicle, "device", None)
        most = min(pad.supply.max_watts, accepted.max_watts if accepted is not None and self.told else float("inf"))
        if watts > most * 1.01:
            self._say(cable, f"{watts:.0f} W leave the coil, {most:.0f} W are allowed")


def _succeeded(request: Any, response: Any) -> bool:
    success = request.EVResultCode == "EVResultSuccess"
    return success and both_finished(request, response) and not misaligned(response)
