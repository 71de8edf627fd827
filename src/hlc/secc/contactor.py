"""The contactor of an AC outlet: behind state C it closes, and is watched while energy flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hlc.flow import Refusal
from hlc.ports import AcOutlet
from hlc.secc.conversation import Conversation
from hlc.trace.events import Blame

EXCESS: Final = 1.1
"""A vehicle that takes more than so much of what it may does not follow."""
EXCESS_AMPS: Final = 1.0
"""And this much, in each phase, is a matter of measurement."""
FOLLOW_S: Final = 5.0
"""So long a vehicle may take to follow (IEC 61851-1)."""
EXCESS_S: Final = 10.0
"""After this time the contactor opens: meters are slow."""


class Contactor:
    """Of one session. It closes within `contactor_s` after state C, which is awaited for `pilot_s`, and both within
    `answer_s`: then the answer is due. `allowed()` is what may flow to the vehicle and from it now, A in all phases
    together; `clauses` are those of "pilot", "closing", "opening" and "not applied"."""

    def __init__(
        self,
        conversation: Conversation,
        outlet: AcOutlet,
        *,
        pilot_s: float,
        contactor_s: float,
        answer_s: float,
        allowed: Callable[[], tuple[float, float]],
        clauses: Mapping[str, str],
        excess_code: str = "FAILED",
    ) -> None:
        self.conversation = conversation
        self.station = conversation.station
        self.outlet = outlet
        self.pilot_s = pilot_s
        self.contactor_s = contactor_s
        self.answer_s = answer_s
        self.allowed = allowed
        self.clauses = clauses
        self.excess_code = excess_code
        """What a vehicle hears that goes on to take more than it may."""
        self._deadline: float | None = None
        self._closing = False
        self._excess_since: float | None = None

    def close(self) -> bool:
        """Close the contactor behind state C; False: not yet. Raises `Refusal`."""
        now, pilot = self.station.now, self.outlet.control_pilot()
        if not self.outlet.ready() or not self.outlet.energy_available():
            raise self._refusal("not applied", "the outlet is not ready", "FAILED_PowerDeliveryNotApplied")
        if self._deadline is None:
            self._deadline = now + self.pilot_s
        if not self._closing and (pilot is None or pilot.ready):
            due = self._deadline - self.pilot_s + self.answer_s
            self._closing, self._deadline = True, min(now + self.contactor_s, due)
            self.outlet.close()
            self.station.go_live()
        if self._closing and self.outlet.relays_closed():
            self._deadline, self._closing = None, False
            return True
        if now < self._deadline:
            return False
        if self._closing:
            raise self._refusal("closing", "the contactor has not closed in time")
        text = f"the vehicle did not show state C within {self.pilot_s:g} s"
        raise Refusal("FAILED", text, self.clauses.get("pilot"))

    def open(self) -> bool:
        """Open the contactor; False: it is not open yet. Raises `Refusal`."""
        self._closing = False
        if self._deadline is None:
            self._deadline = self.station.now + self.contactor_s
            self.station.make_safe(emergency=False)
        if not self.outlet.relays_closed():
            self._deadline = None
            return True
        if self.station.now < self._deadline:
            return False
        raise self._refusal("opening", f"the contactor has not opened within {self.contactor_s:g} s")

    def _refusal(self, clause: str, text: str, code: str = "FAILED_ContactorError") -> Refusal:
        return Refusal(code, text, self.clauses.get(clause), blame=Blame.SETUP)

    @property
    def exceeded(self) -> bool:
        """Whether the vehicle has had the time to follow, and does not."""
        return self._excess_since is not None and self.station.now - self._excess_since > FOLLOW_S

    def look(self) -> None:
        """Contactor and current, while energy flows."""
        if not self.conversation.delivering:
            return
        if not self.outlet.relays_closed():
            self.station.doom(Blame.SETUP, "the contactor opened while energy flowed")
            return
        to, back = self.allowed()
        present, measured = self.outlet.amps(), EXCESS_AMPS * self.outlet.limits().phases
        if -back * EXCESS - measured <= present <= to * EXCESS + measured:
            self._excess_since = None
        elif self._excess_since is None:
            self._excess_since = self.station.now
        elif self.station.now - self._excess_since > EXCESS_S:
            allowed = to if present > 0 else back
            reason = f"the vehicle takes {present:.1f} A in all phases, of {allowed:.1f} A"
            self.station.doom(Blame.REMOTE, reason, self.excess_code)
