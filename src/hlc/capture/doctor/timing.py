"""Deadlines that were not kept, and answers and requests that never came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlc.capture import protocol
from hlc.capture.doctor.about import PEER, first_closing
from hlc.capture.finding import Deadline, Evidence, Finding, Rule, Severity, Who
from hlc.capture.session import Session


def unanswered(session: Session, last_at: float) -> Iterator[Finding]:
    pending = session.pending
    if pending is None:
        return
    closing = first_closing(session)
    limit = f", {pending.limit_s:g} s allowed" if pending.limit_s is not None else ""
    seen = [Evidence(pending.where, f"{pending.name}, the last request")]
    if closing is not None and closing.where.at >= pending.where.at:
        waited = closing.where.at - pending.where.at
        end = f"the {PEER[closing.side]} {closing.how} the connection after {waited:.2f} s"
        seen.append(Evidence(closing.where, f"the {PEER[closing.side]} {closing.how} the connection"))
        who = Who.of(closing.side)
        text = f"{pending.name} got no answer: {end}{limit}"
    elif closing is None and pending.limit_s is not None and last_at - pending.where.at > pending.limit_s:
        waited = last_at - pending.where.at
        who = Who.STATION
        text = f"{pending.name} got no answer in {waited:.1f} s{limit}"
    else:
        return
    deadline = None
    if pending.limit_s is not None:
        deadline = Deadline("V2G_EVCC_Msg_Timeout", waited, pending.limit_s)
    yield Finding(pending.where, who, text, deadline=deadline, evidence=tuple(seen))


def silence(session: Session, last_at: float) -> Iterator[Finding]:
    known = protocol.rules(session.protocol or "")
    if known is None or session.closings or session.pending is not None or session.stop_answered:
        return
    waited = last_at - session.end.at
    if waited > known.sequence_timeout_s:
        limit = f"{known.sequence_timeout_s:g} s (V2G_SECC_Sequence_Timeout)"
        text = f"no request followed {session.last_answer} in {limit}"
        deadline = Deadline("V2G_SECC_Sequence_Timeout", waited, known.sequence_timeout_s)
        seen = (Evidence(session.end, f"{session.last_answer}, the last message"),)
        yield Finding(session.end, Who.VEHICLE, text, deadline=deadline, evidence=seen)


def overruns(session: Session, last_at: float) -> Iterator[Finding]:
    for over in session.overruns:
        phase = over.phase
        text = f"{phase.evcc}: {over.took_s:.1f} s, {phase.timeout_s:g} s allowed"
        deadline = Deadline(phase.evcc, over.took_s, phase.timeout_s)
        seen = (Evidence(over.began, "it began"), Evidence(over.ended, f"{over.by} ended it at last"))
        yield Finding(over.ended, Who.STATION, text, Severity.REMARK, phase.clause or "", deadline, seen)


def slow_answers(session: Session, last_at: float) -> Iterator[Finding]:
    for name, phase in session.phases.items():
        rule = protocol.rule(session.protocol or "", name + "Req")
        if phase.slow and rule is not None:
            text = (
                f"{phase.slow} of {phase.answers} {name}Res came later than the vehicle's timeout of "
                f"{rule.timeout_s:g} s, the latest after {phase.worst_s:.2f} s"
            )
            deadline = Deadline("V2G_EVCC_Msg_Timeout", phase.worst_s, rule.timeout_s)
            seen = (Evidence(phase.worst, f"{name}Res after {phase.worst_s:.2f} s"),)
            yield Finding(phase.worst, Who.STATION, text, Severity.REMARK, "", deadline, seen)


# fmt: off
RULES: Final = (
    Rule("unanswered", "The last request has no answer.", unanswered,
         "See what the side at fault did at this moment: a program that crashed or hung, an answer that took too long, "
         "a control pilot that changed.", symptom=True),
    Rule("silence", "The vehicle's next request never comes, and nobody closes.", silence,
         "See whether the link was lost or the vehicle's program hangs; a station closes after its sequence timeout.",
         symptom=True),
    Rule("phase_overrun", "A deadline over several exchanges is not kept.", overruns,
         "Finish the phase within the station's performance time, or end it with FAILED."),
    Rule("slow_answers", "Answers later than the vehicle's timeout.", slow_answers,
         "Answer at once with EVSEProcessing Ongoing, and do slow work meanwhile."),
)
# fmt: on
"""Of deadlines."""
