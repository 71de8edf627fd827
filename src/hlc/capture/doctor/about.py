"""What the rules on sessions ask of a session's facts again and again."""

from __future__ import annotations

from typing import Final

from hlc import rules
from hlc.capture import protocol
from hlc.capture.session import Alarm, Closing, Phase, Session
from hlc.trace.describe import leaves
from hlc.trace.events import Side

DISCOVERY: Final = "ChargeParameterDiscoveryReq"
PEER: Final = {Side.EVCC: "vehicle", Side.SECC: "station"}


def alarms(session: Session, *kinds: str) -> list[Alarm]:
    """What was reported in elements of these names."""
    return [alarm for alarm in session.alarms if alarm.kind in kinds]


def first_closing(session: Session) -> Closing | None:
    """Who ended the connection first."""
    return min(session.closings, key=lambda closing: closing.where, default=None)


def the_phase(session: Session, name: str) -> Phase | None:
    """The exchanges of this name, or of the same name with the energy mode in front, as ISO 15118-20 has them."""
    for known, phase in session.phases.items():
        if known == name or known.endswith(f"_{name}"):
            return phase
    return None


def deadline_of(session: Session, begins: str) -> rules.Phase | None:
    """The deadline over several exchanges that a request begins, whatever the energy mode."""
    known = protocol.rules(session.protocol or "")
    if known is None:
        return None
    found = [
        phase
        for kind, rows in known.beginning.items()
        if kind is not None and (kind.__name__ == begins or kind.__name__.endswith(f"_{begins}"))
        for phase in rows
    ]
    return found[0] if found else None


def before_stop(session: Session) -> str:
    """The last exchange before SessionStop."""
    names = [name for name in session.phases if name != "SessionStop"]
    return max(names, key=lambda name: session.phases[name].last) if names else "the handshake"


def bidirectional(session: Session) -> bool:
    """Whether energy may flow back (BPT): then a station lowers its limits to get some."""
    return any(
        "EVMaximumDischargePower" in leaves(kept.body) for name, kept in session.first.items() if DISCOVERY in name
    )


def went_well(session: Session) -> bool:
    """Whether energy flowed and the session was ended in order."""
    return session.charged and session.stop_answered.startswith("OK")
