"""What watches over a simulated session: the base of the invariants of each way to transfer energy."""

from __future__ import annotations

from typing import Final

from hlc.flow import Machine
from hlc.sim.cable import SimulatedCable
from hlc.trace.events import Event

LOOKS_S: Final = 0.15
"""What a machine can see is acted upon after this time (two looks, and a margin)."""
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
        self._said: set[str] = set()
        self._began: dict[str, float] = {}

    def message(self, event: Event) -> None:
        """Follow what is said. Call it with the events of both sides, each message once."""

    def step(self, cable: SimulatedCable) -> None:
        """Look at the world after a step."""

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
