"""What a SLAC machine asks for and reports, as trace events: the same for a live matching and a simulated one."""

from __future__ import annotations

from hlc.trace.events import Event, Matched, MatchingFailed, MatchingRemark, MatchingState, Side, Unmatched
from slac.effects import Effect, Failed, Kind, Linked, Remark, Unlinked


def event_of(effect: Effect, *, at: float, side: Side) -> Event | None:
    """None: it is to be carried out, and tells nothing."""
    match effect:
        case Remark(Kind.STATE, text):
            return MatchingState(at=at, side=side, state=text.rpartition(" -> ")[2])
        case Remark(kind, text, data):
            return MatchingRemark(at=at, side=side, kind=kind.value, text=text, data=dict(data))
        case Linked(peer, run_id, nid, _, decibels):
            return Matched(at=at, side=side, peer=peer, run_id=run_id, nid=nid, attenuation_db=decibels)
        case Unlinked(reason):
            return Unmatched(at=at, side=side, reason=reason)
        case Failed(why, text):
            return MatchingFailed(at=at, side=side, reason=why.value, text=text)
        case _:
            return None
