"""What came out of order, and whose messages they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlc.capture import protocol
from hlc.capture.doctor.about import alarms, went_well
from hlc.capture.electrical import LOOP_ANSWERS
from hlc.capture.finding import Evidence, Finding, Rule, Severity, Who
from hlc.capture.session import Alarm, OutOfSequence, Session
from hlc.trace.describe import text as shown


def _request(alarm: Alarm) -> str:
    return alarm.message.removesuffix("Res") + "Req"


def _wrong(session: Session, alarm: Alarm) -> OutOfSequence | None:
    """The request out of order that an answer refuses."""
    for wrong in session.sequence:
        if wrong.request == _request(alarm) and wrong.where == alarm.asked:
            return wrong
    return None


def _clause(session: Session, kind: str) -> str:
    known = protocol.rules(session.protocol or "")
    return known.clauses.get(kind, "") if known is not None else ""


def _order(wrong: OutOfSequence) -> str:
    text = f"{wrong.request} came after {wrong.after}, where {' or '.join(wrong.allowed) or 'nothing'} may follow"
    return f"{text}: {wrong.because}" if wrong.because else text


def _refusals(session: Session) -> list[Alarm]:
    return [alarm for alarm in alarms(session, "ResponseCode") if alarm.value == "FAILED_SequenceError"]


def refused(session: Session, last_at: float) -> Iterator[Finding]:
    for alarm in _refusals(session):
        wrong = _wrong(session, alarm)
        if wrong is None:
            continue
        text = f"{alarm.message} says FAILED_SequenceError: {_order(wrong)}"
        seen = (
            Evidence(wrong.where, f"{wrong.request} after {wrong.after}"),
            Evidence(alarm.first, f"{alarm.message}: FAILED_SequenceError"),
        )
        yield Finding(alarm.first, Who.VEHICLE, text, clause=_clause(session, "sequence"), evidence=seen)


def strictly_refused(session: Session, last_at: float) -> Iterator[Finding]:
    for alarm in _refusals(session):
        where = _beside_the_text(session, alarm)
        if _wrong(session, alarm) is None and where:
            text = (
                f"{alarm.message} says FAILED_SequenceError: the vehicle sent {_request(alarm)} {where}, without "
                "PowerDeliveryReq (stop) before it"
            )
            seen = (Evidence(alarm.asked, _request(alarm)), Evidence(alarm.first, f"{alarm.message}: {alarm.value}"))
            yield Finding(alarm.first, Who.VEHICLE, text, clause=_clause(session, "sequence"), evidence=seen)


def _beside_the_text(session: Session, alarm: Alarm) -> str:
    """Where a request was sent that the text does not have there, though stations should take it (see the rules)."""
    if _request(alarm) != "SessionStopReq":
        return ""
    before = {name: phase for name, phase in session.phases.items() if name != "SessionStop"}
    last = max(before, key=lambda name: before[name].last, default="")
    if f"{last}Res" in LOOP_ANSWERS:
        return "from the charge loop"
    if last == "PowerDelivery" and session.last_ready:
        return "after PowerDeliveryReq (start)"
    return ""


def wrongly_refused(session: Session, last_at: float) -> Iterator[Finding]:
    for alarm in _refusals(session):
        if _wrong(session, alarm) is not None or _beside_the_text(session, alarm):
            continue
        seen = (Evidence(alarm.asked, _request(alarm)), Evidence(alarm.first, f"{alarm.message}: {alarm.value}"))
        clause = _clause(session, "sequence")
        if alarm.allowed:
            text = f"{alarm.message} says FAILED_SequenceError, though {_request(alarm)} may follow here"
            yield Finding(alarm.first, Who.STATION, text, clause=clause, evidence=seen)
        else:
            text = f"{alarm.message} says FAILED_SequenceError; what came before is not in the capture"
            yield Finding(alarm.first, Who.EITHER, text, clause=clause, evidence=seen)


def out_of_sequence(session: Session, last_at: float) -> Iterator[Finding]:
    if session.disordered or session.lost:
        return  # the capture does not show what came after what
    answered = {alarm.asked for alarm in alarms(session, "ResponseCode") if alarm.value.startswith("FAILED")}
    severity = Severity.REMARK if went_well(session) else Severity.CAUSE
    for wrong in session.sequence:
        if wrong.where not in answered:
            seen = (Evidence(wrong.where, f"{wrong.request} after {wrong.after}"),)
            yield Finding(wrong.where, Who.VEHICLE, _order(wrong), severity, wrong.clause, evidence=seen)


def foreign_session(session: Session, last_at: float) -> Iterator[Finding]:
    if session.foreign_id is None:
        return
    side, name, other, where = session.foreign_id
    ours = session.session_id or b""
    text = f"{name} bears session ID {shown(other)}, the session's is {shown(ours)}"
    if len(other) != len(ours) and other.strip(b"\0") == ours.strip(b"\0"):
        text += ": the length matters too"
    refusal = next((alarm for alarm in alarms(session, "ResponseCode") if alarm.value == "FAILED_UnknownSession"), None)
    seen = [Evidence(where, text)]
    if refusal is not None:
        seen.append(Evidence(refusal.first, f"{refusal.message}: FAILED_UnknownSession"))
        text = f"{refusal.message} says FAILED_UnknownSession: {text}"
    severity = Severity.REMARK if went_well(session) else Severity.CAUSE
    yield Finding(where, Who.of(side), text, severity, _clause(session, "session"), evidence=tuple(seen))


def unknown_session(session: Session, last_at: float) -> Iterator[Finding]:
    if session.foreign_id is not None:
        return
    for alarm in alarms(session, "ResponseCode"):
        if alarm.value == "FAILED_UnknownSession":
            text = f"{alarm.message} says FAILED_UnknownSession, though the vehicle echoed the session ID"
            seen = (Evidence(alarm.asked, _request(alarm)), Evidence(alarm.first, f"{alarm.message}: {alarm.value}"))
            who = Who.STATION if session.whole else Who.EITHER
            yield Finding(alarm.first, who, text, clause=_clause(session, "session"), evidence=seen)


def wrong_answer(session: Session, last_at: float) -> Iterator[Finding]:
    if session.lost or went_well(session) or not session.mismatched:
        return
    where, request, answer = session.mismatched[-1]
    if session.last.get(answer) is None or session.last[answer].where != where or session.messages < 2:
        return
    if session.disordered > len(session.mismatched) + 1 or where.at < session.end.at:
        return  # the capture is not in order
    text = f"{request} was answered by {answer}"
    yield Finding(where, Who.STATION, text, evidence=(Evidence(where, f"{answer}, where {request} waits"),))


# fmt: off
RULES: Final = (
    Rule("sequence_error", "A request out of order, which the station refuses.", refused,
         "Mend the order of the vehicle's requests."),
    Rule("stopped_without_power_delivery", "The vehicle stops right from the charge loop, and the station refuses.",
         strictly_refused,
         "Send PowerDeliveryReq to stop before SessionStopReq; a station should stop the current and say OK all the "
         "same, for cars do this."),
    Rule("wrong_sequence_error", "The station calls a request out of order that is in order.", wrongly_refused,
         "Mend the station's table of what may follow: SessionStopReq, too, may come in every state before the charge "
         "loop."),
    Rule("out_of_sequence", "A request out of order, which the station did not refuse.", out_of_sequence,
         "Mend the order of the vehicle's requests; the station must answer FAILED_SequenceError, not nothing."),
    Rule("wrong_answer", "A request is answered by the answer to another one.", wrong_answer,
         "Answer each request with the response that is paired to it, also where it is refused.", "V2G-DC-390"),
    Rule("foreign_session_id", "A message bears another session ID than the station gave.", foreign_session,
         "Echo the session ID of SessionSetupRes octet for octet, in its length."),
    Rule("wrong_unknown_session", "The station does not know the session ID that it gave.", unknown_session,
         "See how the station compares session IDs: octet for octet, in their length, in one place."),
)
# fmt: on
"""Of the order of messages."""
