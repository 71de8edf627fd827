"""What the rules on sessions ask of a session's facts again and again."""

from __future__ import annotations

from typing import Final

from hlc.capture import protocol
from hlc.capture.session import Alarm, Closing, Session
from hlc.rules import Phase
from hlc.trace.events import Side

PEER: Final = {Side.EVCC: "vehicle", Side.SECC: "station"}


def alarms(session: Session, *kinds: str) -> list[Alarm]:
    """What was reported in elements of these names."""
    return [alarm for alarm in session.alarms if alarm.kind in kinds]


def first_closing(session: Session) -> Closing | None:
    """Who ended the connection first."""
    return min(session.closings, key=lambda closing: closing.where, default=None)


def phase_of(session: Session, begins: str) -> Phase | None:
    """The deadline over several exchanges that a request begins."""
    known = protocol.rules(session.protocol or "")
    if known is None:
        return None
    phases = [phase for kind, rows in known.beginning.items() if kind and kind.__name__ == begins for phase in rows]
    return phases[0] if phases else None


def before_stop(session: Session) -> str:
    """The last exchange before SessionStop."""
    names = [name for name in session.phases if name != "SessionStop"]
    return max(names, key=lambda name: session.phases[name].last) if names else "the handshake"
