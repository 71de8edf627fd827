"""What the vehicle's engine asks of a protocol's file: the base of every session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hlc.rules import Kind, Rules

if TYPE_CHECKING:
    from hlc.evcc.vehicle import Vehicle


class Conversation:
    """One session in one protocol, the vehicle's part."""

    rules: Rules

    def __init__(self, vehicle: Vehicle) -> None:
        self.vehicle = vehicle

    def build(self, kind: Kind) -> Any:
        """A request of this kind, with the values of this moment."""
        raise NotImplementedError

    def pace_s(self, kind: Kind) -> float:
        """Time between two requests of this kind, from one to the next."""
        return 0.0

    def answered(self, request: Any, response: Any) -> None:
        """Once per answer that is none of FAILED: take in what the station says."""

    def unfit(self, response: Any) -> str | None:
        """Why an answer of the wanted kind cannot be used at all, whatever it says; None: it can."""
        return None

    def choose(self, request: Any, response: Any, allowed: frozenset[Kind]) -> Kind | None:
        """What to ask next; None: look again soon. It may be called many times for one answer."""
        raise NotImplementedError

    def asides(self) -> Iterable[tuple[int, Kind]]:
        """What to ask now in side streams, as payload type and kind. A stream in which an answer is awaited is passed
        over."""
        return ()

    def build_aside(self, stream: int, kind: Kind) -> Any:
        """A request of a side stream."""
        raise NotImplementedError

    def answered_aside(self, stream: int, request: Any, response: Any) -> None:
        """Once per answer in a side stream that is none of FAILED."""

    def look(self) -> None:
        """Look at the vehicle between messages."""
