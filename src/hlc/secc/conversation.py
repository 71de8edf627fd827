"""What the station's engine asks of a protocol's file: the base of every session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from hlc.flow import Refusal
from hlc.ports import Authorization
from hlc.rules import Kind, Phase, Rules
from hlc.trace.events import Blame

if TYPE_CHECKING:
    from hlc.secc.station import Station

Handler = Callable[[Any], Any]
"""From a request to its answer. One whose answer is a failed one raises `Refusal`."""
LATER: Final = object()
"""What a handler returns that cannot answer yet, because a contactor moves: it is called again soon, with the same
request. How long that may take is the handler's to decide."""


class Conversation:
    """One session in one protocol, the station's part."""

    rules: Rules
    oscillator_retain_s = 0.0
    """So long the pilot's oscillator goes on after the end of the session."""
    delivering = False
    """Whether the flow of energy has been agreed and not ended."""
    energy_refused = False
    """Whether the session is to end because there is no energy."""
    stops_by_pilot = False
    """Whether a vehicle may leave state C while energy flows, and say afterwards that it stops, as in AC."""

    hasty = False
    """Whether the vehicle was seen in state C too early."""

    def __init__(self, station: Station) -> None:
        self.station = station

    def handlers(self) -> Mapping[Kind, Handler]:
        """The answer to each request of the main stream."""
        raise NotImplementedError

    def aside_handlers(self) -> Mapping[int, Mapping[Kind, Handler]]:
        """For each side stream, the answer to each request in it."""
        return {}

    def opens(self, stream: int) -> frozenset[Kind]:
        """What may be asked now in a side stream in which no exchange is going on."""
        return frozenset()

    def joins(self, session_id: bytes) -> bool:
        """Whether a first request takes up the paused session with this ID. Called before its handler."""
        return False

    def refuse(self, request: Any, code: str) -> Any | None:
        """The shortest answer to a request with this response code; None: it is no request of the schema."""
        raise NotImplementedError

    def winding_down(self, request: Any) -> bool:
        """Whether a request leads to the end anyway, and so is answered whatever happened before."""
        raise NotImplementedError

    def can_tell(self, request: Any) -> bool:
        """Whether the answer to a request has room to say that the station wants to stop."""
        raise NotImplementedError

    def late_code(self, phase: Phase) -> str:
        """The response code that says that the station did not keep the deadline of a phase."""
        return "FAILED"

    def look(self) -> None:
        """Move on what is running between messages."""

    # What the protocols decide alike

    def authorized(self) -> bool:
        """Whether the user may charge; False: it is not known yet. Raises `Refusal`."""
        found = self.station.outlet.authorization()
        if found is Authorization.REFUSED:
            raise Refusal("FAILED", "the user is not authorized", blame=Blame.SETUP)
        return found is Authorization.GRANTED

    def prepared(self) -> bool:
        """Whether the vehicle can be told what there is. Where there is no energy it is told to end in order, and may
        come again, or pause (IEC 61851-23:2023 CC.5.3.2)."""
        outlet = self.station.outlet
        ready = outlet.ready()
        if ready and not outlet.energy_available():
            self.energy_refused = True
            self.station.note("no energy is available")
        return ready or self.station.stopping is not None

    def expect_state_b(self, before: str, clause: str) -> None:
        """State C comes with the cable check or with the wish for power, not before what `before` says. Raises
        `Refusal`."""
        pilot = self.station.outlet.control_pilot()
        if pilot is None or not pilot.ready or self.hasty:
            return
        self.hasty = True
        text = f"the vehicle is in state {pilot.value} before {before}"
        if self.station.settings.strict:
            raise Refusal("FAILED", text, clause)
        self.station.note(text)

    @property
    def ending(self) -> bool:
        """Whether the vehicle is to stop."""
        return self.station.stopping is not None or self.station.doomed is not None or self.energy_refused

    def reached(self, request: Any) -> None:
        """The station has done its share of the phases that began with requests like this one."""
        for phase in self.rules.beginning[type(request)]:
            self.station.kept(phase, request)

    def leaves_loop(self) -> None:
        """A vehicle stops the session: from the charge loop only Volkswagens do it, and no text allows it. Raises
        `Refusal`."""
        if not self.delivering:
            return
        text = "the vehicle stops out of the charge loop, without PowerDeliveryReq"
        if self.station.settings.strict:
            raise Refusal("FAILED_SequenceError", text, self.rules.clauses["sequence"])
        self.station.note(text)

    def settled(self) -> bool:
        """After the end, when the outlet is safe: do what is left to be done. Whether it is."""
        return True
