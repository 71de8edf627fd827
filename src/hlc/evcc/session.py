"""What a vehicle does alike in DIN SPEC 70121 and ISO 15118-2: how it chooses, and how it leaves.

Both schemas have the same messages, as far as they are named here; `messages` is the module of the one that is spoken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

from hlc import decisions
from hlc.evcc import conversation
from hlc.rules import Kind
from hlc.rules.answers import status_of
from hlc.trace.events import Blame

if TYPE_CHECKING:
    from hlc.evcc.vehicle import Vehicle

OPENING_S: Final = 1.0
"""So long the contactors are awaited to open."""
GO_ON: Final = frozenset({"EVSE_Ready", "EVSE_NotReady", "EVSE_IsolationMonitoringActive", None})
ABORT: Final = frozenset({"EVSE_EmergencyShutdown", "EVSE_Malfunction"})
"""Status codes of a DC outlet; an AC outlet has none."""


class Session(conversation.Conversation):
    """One session. A subclass gives its choices and requests."""

    messages: ClassVar[Any]
    paces: ClassVar[Mapping[Kind, float]]
    """s between repeated requests. Cars of the field take about these times; answers come faster and must not flood the
    line."""

    def __init__(self, vehicle: Vehicle) -> None:
        super().__init__(vehicle)
        self.delivering = False
        """Whether PowerDelivery has begun and not been ended."""
        self._since: dict[str, float] = {}

    def choices(self) -> Mapping[Kind, Callable[[Any, Any], Kind | None]]:
        """What follows each answer, while nothing asks for an end."""
        raise NotImplementedError

    def requests(self) -> Mapping[Kind, Callable[[], Any]]:
        """How each request is filled."""
        raise NotImplementedError

    # What the engine asks

    def pace_s(self, kind: Kind) -> float:
        return self.paces.get(kind, 0.0)

    def build(self, kind: Kind) -> Any:
        return self.requests()[kind]()

    def choose(self, request: Any, response: Any, allowed: frozenset[Kind]) -> Kind | None:
        if self.vehicle.stopping is not None and not self.delivering and self.messages.SessionStopReq in allowed:
            return self.end_before_delivery(request, response, allowed)
        return self.choices()[type(response)](request, response)

    def end_before_delivery(self, request: Any, response: Any, allowed: frozenset[Kind]) -> Kind | None:
        """No power was agreed: contactors open (in precharge they may be closed already), then SessionStopReq. State B
        comes after it: stations take it for an emergency while they hold a voltage."""
        if isinstance(response, self.messages.PowerDeliveryRes | self.messages.WeldingDetectionRes):
            return self.choices()[type(response)](request, response)
        if not self.opened():
            return None
        kind: Kind = self.messages.SessionStopReq
        return kind

    def opened(self) -> bool:
        """Open the contactors; whether they have opened, or never will."""
        self.vehicle.ev.open_contactors(emergency=False)
        return not self.vehicle.ev.contactors_closed() or self.waited("opening") >= OPENING_S

    def look(self) -> None:
        error = self.vehicle.ev.error()
        if error != "NO_ERROR" and self.vehicle.stopping is None:
            self.vehicle.fault(Blame.SETUP, f"the vehicle reports {error}")
            self.vehicle.stopping = f"the vehicle reports {error}"

    # What the subclasses need

    def heed(self, response: Any) -> None:
        """Stations say that they stop by the status code, by the notification or by both: look at both, in every
        answer."""
        status = status_of(response)
        if status is None or isinstance(response, self.messages.WeldingDetectionRes):
            return
        code: Any = getattr(status, "EVSEStatusCode", None)
        notification = status.EVSENotification
        if code in ABORT:
            if self.vehicle.live or self.vehicle.stopping is None:
                self.vehicle.emergency(Blame.REMOTE, f"the station reports {code.value}")
        elif self.vehicle.stopping is not None or self._over(response):
            return
        elif code not in GO_ON or notification == "StopCharging":
            said = [each.value for each in (code, notification) if each is not None]
            self.vehicle.stopping = f"stopped by the station ({', '.join(said)})"
            self.vehicle.note(self.vehicle.stopping)

    def _over(self, response: Any) -> bool:
        """Whether this is the answer to the end of power delivery: there a shutdown is what was asked for."""
        return isinstance(response, self.messages.PowerDeliveryRes) and not self.delivering

    def leave(self, reason: str) -> Kind:
        """Nothing to be had here: end in order."""
        if self.vehicle.stopping is None:
            self.vehicle.fault(Blame.REMOTE, reason)
            self.vehicle.stopping = reason
        kind: Kind = self.messages.SessionStopReq
        return kind

    def ending(self) -> bool:
        """Whether the flow of energy is to end."""
        return self.vehicle.stopping is not None or self.complete()

    def complete(self) -> bool:
        """Whether the battery has what it is to have."""
        return self.vehicle.ev.soc() >= self.vehicle.ev.target_soc()

    def wanted_wh(self) -> float:
        """What is missing to that."""
        ev = self.vehicle.ev
        return max(0.0, ev.target_soc() - ev.soc()) / 100 * ev.capacity_wh()

    def waited(self, what: str) -> float:
        """Seconds since this was first waited for."""
        return self.vehicle.now - self._since.setdefault(what, self.vehicle.now)

    @cached_property
    def physical(self) -> Callable[[float, str], Any]:
        """How a number and the symbol of its unit become a PhysicalValue."""
        return decisions.quantities(self.messages)

    def forget(self, *what: str) -> None:
        """What was waited for may be waited for anew."""
        for each in what:
            self._since.pop(each, None)
