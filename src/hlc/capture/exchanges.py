"""Which answer belongs to which request, and which phases began and ended: the times between the messages of a capture.

Memory is bounded by the names of messages and phases, and by the sessions that go on.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hlc import rules
from hlc.capture import protocol
from hlc.capture.seen import Seen
from hlc.capture.session import Session
from hlc.ids import ChargePointState, VehicleState
from hlc.trace.events import Message, Side


class Passed(NamedTuple):
    """A phase of the session ended, or the session did before it."""

    phase: rules.Phase
    took_s: float
    ended: bool


class Exchange(NamedTuple):
    """A message of a session, and how long it took."""

    rules: rules.Rules | None
    rule: rules.Rule | None
    """The row of the message."""
    after: rules.Rule | None
    """Of a request: the row of the answer before it."""
    response_s: float | None
    """Of an answer: the time since its request."""
    pause_s: float | None
    """Of a request: the time since the answer before it."""
    passed: list[Passed]


class _Open:
    """What is open in one session."""

    def __init__(self) -> None:
        self.asked: dict[str, float] = {}
        self.answered: tuple[str, float] | None = None
        self.phases: dict[rules.Phase, float] = {}
        self.begun = False


class Exchanges:
    """Follows every session of a capture."""

    def __init__(self) -> None:
        self._sessions: dict[int, _Open] = {}

    def message(self, seen: Seen, event: Message) -> Exchange | None:
        """A message as it comes; None where it belongs to no session."""
        session = seen.session
        if session is None:
            return None
        open_ = self._sessions.setdefault(session.number, _Open())
        known = protocol.rules(session.protocol or "")
        rule = row(session, event)
        base = event.name.removesuffix("Req").removesuffix("Res")
        response_s = pause_s = after = None
        if event.name.endswith("Req"):
            open_.asked[base] = event.at
            if open_.answered is not None:
                name, at = open_.answered
                after = protocol.rule(session.protocol or "", name)
                pause_s = event.at - at
            open_.answered = None
        else:
            asked = open_.asked.pop(base, None)
            response_s = event.at - asked if asked is not None else None
            open_.answered = (event.name, event.at)
        return Exchange(known, rule, after, response_s, pause_s, self._phases(open_, known, session, event))

    def over(self, session: Session) -> list[Passed]:
        """A session is over: the phases that had not ended by then."""
        open_ = self._sessions.pop(session.number, None)
        if open_ is None:
            return []
        return [Passed(phase, session.end.at - began, False) for phase, began in open_.phases.items()]

    def _phases(self, open_: _Open, known: rules.Rules | None, session: Session, event: Message) -> list[Passed]:
        if known is None or event.schema == "sap":
            return []
        body: Any = protocol.body(event.message)
        if not open_.begun:
            open_.begun = True
            if session.whole:
                open_.phases.update(dict.fromkeys(known.beginning.get(None, ()), session.start.at))
        passed = []
        for phase, began in list(open_.phases.items()):
            if phase.ends(body):
                del open_.phases[phase]
                passed.append(Passed(phase, event.at - began, True))
        for phase in known.beginning.get(type(body), ()):
            if not phase.ends(body):
                open_.phases.setdefault(phase, event.at)
        return passed


def row(session: Session, event: Message) -> rules.Rule | None:
    """The row of the rules that a message belongs to."""
    return protocol.rule(session.protocol or "", event.name) if event.schema != "sap" else None


def state(session: Session, event: Message) -> VehicleState | ChargePointState | None:
    """The documented state that the sender of a message is in; None where no rule gives it one."""
    rule = row(session, event)
    if rule is None:
        return None
    if event.side is Side.EVCC:
        return rule.evcc
    code = str(getattr(protocol.body(event.message), "ResponseCode", ""))
    return ChargePointState.ERROR if code.startswith("FAILED") else rule.secc
