"""A charger on board between messages: it follows what is allowed, and the pilot follows what was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from hlc.decisions import SAFE_VOLTS
from hlc.evcc.session import Session
from hlc.ports import AcEV
from hlc.trace.events import Blame

RAMP_DOWN_S: Final = 3.0
"""So long the charger is awaited to stop."""
RAMPED_AMPS: Final = 1.0
PILOT_S: Final = 0.05
"""After PowerDeliveryReq(Stop) state B: within 250 ms [V2G2-848], and not before the request has arrived."""
MAINS_S: Final = 1.0
"""Without a voltage for so long while energy should flow, the station has switched off."""


class Charger:
    """Of one session. `charging()` says whether the station has agreed to deliver; `wanted()` what is to be drawn now,
    W."""

    def __init__(self, session: Session, *, charging: Callable[[], bool], wanted: Callable[[], float]) -> None:
        self.session = session
        self.vehicle = session.vehicle
        self.ev = cast(AcEV, session.vehicle.ev)
        self.charging = charging
        self.wanted = wanted
        self._stopped_at: float | None = None

    def start(self) -> None:
        """Power is asked for: state C within 250 ms. [V2G2-847], [V2G20-847]"""
        self.vehicle.go_live()

    def stop(self) -> None:
        """The end of power is asked for."""
        self._stopped_at = self.vehicle.now

    def resting(self) -> bool:
        """Whether the charger has stopped, or never will."""
        return abs(self.ev.amps()) < RAMPED_AMPS or self.session.waited("ramp") >= RAMP_DOWN_S

    def follow(self) -> None:
        """Draw what is wanted now."""
        if self.charging():
            self.ev.draw(self.wanted())

    def look(self) -> None:
        """Between messages."""
        if self._stopped_at is not None and self.vehicle.now - self._stopped_at >= PILOT_S:
            self._stopped_at = None
            self.vehicle.make_safe(emergency=False)
        elif self.session.delivering and self.charging():
            self.follow()
            if self.ev.inlet_volts() >= SAFE_VOLTS:
                self.session.forget("mains")
            elif self.session.waited("mains") > MAINS_S and self.vehicle.stopping is None:
                self.vehicle.fault(Blame.REMOTE, "the mains are gone while energy should flow")
                self.vehicle.stopping = "the mains are gone"
