"""What was refused, what came out of order, and what the two reported of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlc.capture import protocol
from hlc.capture.doctor.about import alarms, before_stop
from hlc.capture.doctor.finding import Evidence, Finding, Rule, Severity, Who
from hlc.capture.explain import RESPONSE, STATUS, VEHICLE
from hlc.capture.session import Alarm, Session
from hlc.trace.describe import text as shown


def failed_answers(session: Session, last_at: float) -> Iterator[Finding]:
    for alarm in alarms(session, "ResponseCode"):
        text = f"{alarm.message} says {alarm.value}: {RESPONSE.get(alarm.value, 'the station gives no reason')}"
        who = Who.STATION
        request = alarm.message.removesuffix("Res") + "Req"
        seen = [Evidence(alarm.first, f"{alarm.message}: {alarm.value}")]
        for wrong in session.sequence:
            if wrong.request == request and wrong.where.at <= alarm.first.at:
                who = Who.VEHICLE
                text = f"{text}. {_sequence(session, wrong.request, wrong.after, wrong.allowed)}"
                seen.insert(0, Evidence(wrong.where, f"{wrong.request} after {wrong.after}"))
                break
        kind = {"FAILED_SequenceError": "sequence", "FAILED_UnknownSession": "session"}.get(alarm.value, "failed")
        known = protocol.rules(session.protocol or "")
        clause = known.clauses.get(kind, "") if known is not None else ""
        yield Finding(alarm.first, who, text, clause=clause, evidence=tuple(seen))


def out_of_sequence(session: Session, last_at: float) -> Iterator[Finding]:
    """Wrong requests that were not answered by a FAILED code."""
    if session.disordered or session.lost:
        return  # the capture does not show what came after what
    answered = {alarm.message.removesuffix("Res") + "Req" for alarm in alarms(session, "ResponseCode")}
    for wrong in session.sequence:
        if wrong.request not in answered:
            text = _sequence(session, wrong.request, wrong.after, wrong.allowed)
            seen = (Evidence(wrong.where, f"{wrong.request} after {wrong.after}"),)
            yield Finding(wrong.where, Who.VEHICLE, text, clause=wrong.clause, evidence=seen)


def _sequence(session: Session, request: str, after: str, allowed: tuple[str, ...]) -> str:
    text = f"{request} came after {after}, where {' or '.join(allowed) or 'nothing'} may follow"
    if after == "PowerDeliveryRes" and request == "CurrentDemandReq" and session.last_ready is False:
        frame = session.last_ready_at.frame
        said = "ReadyToChargeState false, which means stop" if session.protocol == "din70121" else "Stop"
        text += f": the PowerDeliveryReq in frame {frame} said {said}"
    return text


def foreign_session(session: Session, last_at: float) -> Iterator[Finding]:
    if session.foreign_id is not None and not alarms(session, "ResponseCode"):
        side, name, other, where = session.foreign_id
        ours = shown(session.session_id or b"")
        text = f"{name} bears session ID {shown(other)}, the session's is {ours}"
        known = protocol.rules(session.protocol or "")
        clause = known.clauses.get("session", "") if known is not None else ""
        yield Finding(where, Who.of(side), text, clause=clause, evidence=(Evidence(where, text),))


def _first_of_each(found: list[Alarm]) -> dict[str, Alarm]:
    said: dict[str, Alarm] = {}
    for alarm in found:
        said.setdefault(alarm.value, alarm)
    return said


def _reported(alarm: Alarm) -> tuple[Evidence, ...]:
    return (Evidence(alarm.first, f"{alarm.message}: {alarm.kind} {alarm.value}"),)


def station_status(session: Session, last_at: float) -> Iterator[Finding]:
    for value, alarm in _first_of_each(alarms(session, "EVSEStatusCode")).items():
        severity = Severity.REMARK if value == "EVSE_Shutdown" else Severity.CAUSE
        text = f"the station reports {value} in {alarm.message}: {STATUS.get(value, '')}"
        yield Finding(alarm.first, Who.STATION, text, severity, evidence=_reported(alarm))


def isolation_fault(session: Session, last_at: float) -> Iterator[Finding]:
    for alarm in alarms(session, "EVSEIsolationStatus"):
        text = f"{alarm.message} reports an isolation fault"
        yield Finding(alarm.first, Who.STATION, text, evidence=_reported(alarm))


def vehicle_error(session: Session, last_at: float) -> Iterator[Finding]:
    for value, alarm in _first_of_each(alarms(session, "EVErrorCode")).items():
        meaning = VEHICLE.get(value)
        text = f"the vehicle reports {value} in {alarm.message}" + (f": {meaning}" if meaning else "")
        yield Finding(alarm.first, Who.VEHICLE, text, evidence=_reported(alarm))


def header_notification(session: Session, last_at: float) -> Iterator[Finding]:
    for alarm in alarms(session, "Notification"):
        text = f"{alarm.message} carries the notification {alarm.value}: its sender could not process what it got"
        yield Finding(alarm.first, Who.of(alarm.side), text, evidence=_reported(alarm))


def no_charge(session: Session, last_at: float) -> Iterator[Finding]:
    if session.stop_answered.startswith("OK") and not session.charged and session.whole:
        text = f"the vehicle stopped the session after {before_stop(session)}, before any energy flowed"
        yield Finding(session.end, Who.VEHICLE, text)


# fmt: off
RULES: Final = (
    Rule("refused", "The station answers with a FAILED code.", failed_answers,
         "Read the station's log at this moment; the code says which of its checks failed."),
    Rule("out_of_sequence", "A request that may not follow the exchange before it.", out_of_sequence,
         "Mend the order of the vehicle's requests."),
    Rule("foreign_session_id", "A message bears another session ID than the station gave.", foreign_session,
         "Echo the session ID of SessionSetupRes octet for octet, in its length."),
    Rule("station_status", "The station reports a status code that ends a session.", station_status,
         "Read the station's log at this moment: emergency stop, its own faults, the grid."),
    Rule("isolation_fault", "The station reports an isolation fault.", isolation_fault,
         "Measure the isolation of outlet, cable and vehicle each alone; moisture in the inlet is a common reason.",
         "IEC 61851-23 CC.4.1"),
    Rule("vehicle_error", "The vehicle reports an error code.", vehicle_error,
         "Read the vehicle's fault memory."),
    Rule("header_notification", "A message's header says that what was received could not be processed.",
         header_notification,
         "Compare what was sent with the schema: `hlc decode HEX --bits` shows every bit of it."),
    Rule("no_charge", "An orderly end that no energy came before.", no_charge,
         "Ask the vehicle why: user, timer or full battery, or parameters of the station that it does not accept.",
         symptom=True),
)
# fmt: on
"""Of messages."""
