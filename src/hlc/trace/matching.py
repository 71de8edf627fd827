"""Matching as trace events: HomePlug frames, and what a SLAC machine reports. The same for recorded, live and simulated
ones."""

from __future__ import annotations

import slac
from hlc.trace.events import Event, Matched, MatchingFailed, MatchingRemark, MatchingState, Mme, Side, Unmatched
from slac.effects import Effect, Failed, Kind, Linked, Remark, Unlinked


def mme_event(frame: bytes, at: float) -> Mme:
    """A HomePlug frame as an event; also one that is cut off."""
    message, name, fault = None, "", ""
    try:
        message = slac.parse(frame)
        name = message.name
    except slac.MmeError as error:
        name, fault = error.name, str(error)
    return Mme(at=at, name=name, source=frame[6:12], destination=frame[:6], frame=frame, message=message, fault=fault)


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
