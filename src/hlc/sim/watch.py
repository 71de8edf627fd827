"""What watches over a simulated session: the base of the invariants of each way to transfer energy."""

from __future__ import annotations

from typing import Any, Final

from hlc.flow import Machine
from hlc.rules.answers import finished
from hlc.sim.cable import SimulatedCable
from hlc.trace.events import Event, Message

LOOKS_S: Final = 0.15
"""What a machine can see is acted upon after this time (two looks, and a margin)."""
AUTHORIZATION: Final = ("AuthorizationRes", "ContractAuthenticationRes")
DIGITS: Final = str.maketrans("", "", "0123456789")


class Watch:
    """Watches one session. `station` and `vehicle` are its machines."""

    def __init__(self, station: Machine, vehicle: Machine) -> None:
        self.station = station
        self.vehicle = vehicle
        self.violations: list[str] = []
        """Each kind once, when it was first seen."""
        self.told = True
        """Whether the station was told the vehicle's limits as they are; else its own alone bind it."""
        self.authorized = False
        """Whether the user was, in this session or in the one that it goes on with."""
        self._said: set[str] = set()
        self._began: dict[str, float] = {}

    def message(self, event: Event) -> None:
        """Follow what is said. Call it with the events of both sides, each message once."""
        if not isinstance(event, Message) or self.station.rules is None or event.schema == "sap":
            return
        body: Any = self.station.rules.unwrap(event.message)[1]
        if event.name in AUTHORIZATION:
            self.authorized |= finished(body) and body.ResponseCode == "OK"
        elif event.name == "SessionSetupRes":
            self.authorized |= body.ResponseCode == "OK_OldSessionJoined"

    def step(self, cable: SimulatedCable) -> None:
        """Look at the world after a step."""

    def _powered(self, cable: SimulatedCable) -> None:
        """The outlet is switched on."""
        if not self.authorized:
            self._say(cable, "power is switched on for who was not authorized")

    def _since(self, what: str, now: float) -> float:
        """Seconds since this was first so."""
        return now - self._began.setdefault(what, now)

    def _lasting(self, what: str, now: float, *, so: bool) -> float:
        """Seconds for which this has been so without a break; 0: it is not."""
        if not so:
            self._began.pop(what, None)
            return 0.0
        return self._since(what, now)

    def _say(self, cable: SimulatedCable, text: str) -> None:
        kind = text.translate(DIGITS)
        if kind not in self._said:
            self._said.add(kind)
            self.violations.append(f"{cable.now:.3f} s, {cable.volts:.0f} V, {cable.amps:.1f} A: {text}")
