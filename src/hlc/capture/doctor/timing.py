"""Deadlines that were not kept, and answers and requests that never came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlc import rules
from hlc.capture import protocol
from hlc.capture.doctor.about import PEER, first_closing, went_well
from hlc.capture.finding import Deadline, Evidence, Finding, Rule, Severity, Who
from hlc.capture.session import Session
from hlc.capture.where import Where
from hlc.rules import MAIN
from hlc.trace.events import Side

NEARLY: Final = 0.95
"""Who closes after so large a share of a deadline closes because of it."""


def unanswered(session: Session, last_at: float) -> Iterator[Finding]:
    pending = session.pending
    if pending is None:
        return
    closing = first_closing(session)
    allowed = f", {pending.limit_s:g} s allowed" if pending.limit_s is not None else ""
    if session.unread and session.unread[-1][0] >= pending.where:
        return  # it was answered, by what is no message
    seen = [Evidence(pending.where, f"{pending.name}, the last request")]
    symptom = False
    if closing is not None and closing.where.at >= pending.where.at:
        waited = closing.where.at - pending.where.at
        seen.append(Evidence(closing.where, f"the {PEER[closing.side]} {closing.how} the connection"))
        text = (
            f"{pending.name} got no answer: the {PEER[closing.side]} {closing.how} the connection after {waited:.2f} s"
        )
        gave_up = pending.limit_s is not None and waited >= NEARLY * pending.limit_s
        who = Who.STATION if gave_up else Who.of(closing.side)
        symptom = not gave_up
    elif closing is None and pending.limit_s is not None and last_at - pending.where.at > pending.limit_s:
        waited = last_at - pending.where.at
        who = Who.STATION
        text = f"{pending.name} got no answer in {waited:.1f} s"
    else:
        return
    deadline = None
    if pending.limit_s is not None:
        deadline = Deadline("V2G_EVCC_Msg_Timeout", waited, pending.limit_s)
    yield Finding(pending.where, who, text + allowed, deadline=deadline, evidence=tuple(seen), symptom=symptom)


def sequence_timeout(session: Session, last_at: float) -> Iterator[Finding]:
    found = _silent(session, last_at)
    if found is None:
        return
    waited, limit, closed = found
    stream = session.streams[MAIN]
    assert stream.answered is not None
    text = f"no request followed {stream.answer} in {min(waited, last_at - stream.answered.at):.1f} s"
    seen = [Evidence(stream.answered, f"{stream.answer}, the last message")]
    if closed is not None:
        text += ", and the station closed the connection"
        seen.append(Evidence(closed, "the station closes"))
    deadline = Deadline("V2G_SECC_Sequence_Timeout", waited, limit)
    yield Finding(stream.answered, Who.VEHICLE, text, deadline=deadline, evidence=tuple(seen))


def _silent(session: Session, last_at: float) -> tuple[float, float, Where | None] | None:
    """How long the vehicle said nothing at the end, how long it may, and when the station had enough of it."""
    stream = session.streams.get(MAIN)
    if stream is None or stream.answered is None or stream.pending is not None or session.stop_answered:
        return None
    limit = stream.sequence_s
    if not limit or not stream.answer:
        return None
    closing = first_closing(session)
    if closing is None:
        waited = last_at - stream.answered.at
        return (waited, limit, None) if waited > limit else None
    waited = closing.where.at - stream.answered.at
    if closing.side is Side.SECC and waited >= NEARLY * limit:
        return waited, limit, closing.where
    return None


def timed_out(session: Session, last_at: float) -> bool:
    """Whether the end of the session is one of `sequence_timeout`."""
    return _silent(session, last_at) is not None


def overruns(session: Session, last_at: float) -> Iterator[Finding]:
    for over in session.overruns:
        if over.by != "SessionStopReq":
            yield _overrun(session, over.phase, over.began, over.ended, f"{over.by} ended it", Severity.REMARK)
        elif not _is_precharge(over.phase):  # which has rules of its own
            told = "the vehicle gave up: SessionStopReq"
            yield _overrun(session, over.phase, over.began, over.ended, told, Severity.CAUSE)
    closing = first_closing(session)
    end = closing.where if closing is not None else session.end
    for phase, began in session.running.items():
        took = end.at - began.at
        if phase.begins is None or _is_precharge(phase) or took < NEARLY * phase.timeout_s or went_well(session):
            continue
        yield _overrun(session, phase, began, end, "it had not ended when the session did", Severity.CAUSE)


def _is_precharge(phase: rules.Phase) -> bool:
    return phase.begins is not None and phase.begins.__name__.endswith("PreChargeReq")


def _overrun(session: Session, phase: rules.Phase, began: Where, ended: Where, how: str, severity: Severity) -> Finding:
    took = ended.at - began.at
    begins = phase.begins.__name__ if phase.begins is not None else "the connection"
    text = f"what begins with {begins} took {took:.1f} s, {phase.timeout_s:g} s allowed"
    if severity is Severity.REMARK and went_well(session):
        text += "; the vehicle had patience"
    seen = (Evidence(began, begins), Evidence(ended, how))
    deadline = Deadline(phase.evcc, took, phase.timeout_s)
    return Finding(ended, Who.STATION, text, severity, phase.clause or "", deadline, seen)


def slow_answers(session: Session, last_at: float) -> Iterator[Finding]:
    for name, phase in session.phases.items():
        rule = protocol.rule(session.protocol or "", name + "Req")
        limit = rule.timeout_s if rule is not None else 2.0 if name == "supportedAppProtocol" else None
        if limit is None or phase.worst_s <= limit:
            continue
        text = (
            f"{phase.slow} of {phase.answers} {name}Res came later than the vehicle's timeout of "
            f"{limit:g} s, the latest after {phase.worst_s:.2f} s"
        )
        if phase.answers == 1:
            text = f"{name}Res came after {phase.worst_s:.2f} s, {limit:g} s allowed"
        deadline = Deadline("V2G_EVCC_Msg_Timeout", phase.worst_s, limit)
        seen = [Evidence(phase.worst, f"{name}Res after {phase.worst_s:.2f} s")]
        closing = first_closing(session)
        severity = Severity.REMARK
        if not went_well(session) and session.last_answer == f"{name}Res" and phase.worst == phase.last:
            severity = Severity.CAUSE
            text += ", and the vehicle went no further"
            if closing is not None:
                seen.append(Evidence(closing.where, f"the {PEER[closing.side]} {closing.how} the connection"))
        yield Finding(phase.worst, Who.STATION, text, severity, "", deadline, tuple(seen))


def late_requests(session: Session, last_at: float) -> Iterator[Finding]:
    for name, phase in session.phases.items():
        if not phase.late:
            continue
        text = f"{name}Req came {phase.idle_s:.2f} s after the answer before it, {phase.idle_limit_s:g} s allowed"
        if phase.late > 1:
            text += f", and {phase.late - 1} more times too late"
        deadline = Deadline("V2G_SECC_Sequence_Timeout", phase.idle_s, phase.idle_limit_s)
        severity = Severity.REMARK if went_well(session) or phase.idle < phase.last else Severity.CAUSE
        yield Finding(phase.idle, Who.VEHICLE, text, severity, "", deadline, (Evidence(phase.idle, f"{name}Req"),))


# fmt: off
RULES: Final = (
    Rule("unanswered", "The last request has no answer.", unanswered,
         "See what the station did at this moment: a program that crashed or hung, work that should have been answered "
         "with EVSEProcessing Ongoing, a control pilot that changed.", "V2G_EVCC_Msg_Timeout"),
    Rule("sequence_timeout", "The vehicle's next request does not come.", sequence_timeout,
         "See whether the link was lost or the vehicle's program hangs; the next request is due within 40 s, in the "
         "charge loop of ISO 15118-20 within 0.25 s.", "V2G_SECC_Sequence_Timeout"),
    Rule("phase_overrun", "A deadline over several exchanges is not kept.", overruns,
         "Finish the phase within the station's performance time, or end it with FAILED: the vehicle waits no longer."),
    Rule("slow_answers", "Answers later than the vehicle's timeout.", slow_answers,
         "Answer at once with EVSEProcessing Ongoing, and do slow work meanwhile.", "V2G_EVCC_Msg_Timeout"),
    Rule("late_requests", "Requests later than the station's sequence timeout.", late_requests,
         "See what holds the vehicle up between an answer and its next request.", "V2G_SECC_Sequence_Timeout"),
)
# fmt: on
"""Of deadlines."""
