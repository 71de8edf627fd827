"""How a recorded session ended, and why. Pure: the facts of a session go in, findings with their evidence come out.

`JUDGES` is the order of causes: the first finding that is a cause is the reason. Each judge looks at one kind of
trouble and says what happened, when, who did it and which rule it breaks; the deadlines come from `hlc.rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from hlc.capture import protocol
from hlc.capture.explain import RESPONSE, STATUS, VEHICLE
from hlc.capture.session import Alarm, Closing, Session, Where
from hlc.decisions import MATCH_VOLTS
from hlc.trace.describe import text as shown
from hlc.trace.events import Blame, Event, Fault, Note, Side

OVERSHOOT_VOLTS: Final = 20.0
"""Reported voltage above the target from which on a station is said to regulate badly."""
SILENT_RETRANSMISSIONS: Final = 3
"""Unanswered retransmissions from which on a peer is said to be gone."""
PEER: Final = {Side.EVCC: "vehicle", Side.SECC: "station"}


class Finding(NamedTuple):
    """Something that a reader should know of a session."""

    where: Where
    side: Side
    """Who did it."""
    text: str
    clause: str | None = None
    cause: bool = True
    """It ended the session or kept it from its purpose; else it is worth knowing only."""

    def event(self) -> Event:
        """As a trace event."""
        if not self.cause:
            return Note(at=self.where.at, side=self.side, text=self.text)
        return Fault(at=self.where.at, side=self.side, blame=Blame.REMOTE, text=self.text, clause=self.clause)


class Verdict(NamedTuple):
    """The end of a session. `outcome` is "good", "failed", or "unfinished" where the capture does not show the end."""

    outcome: str
    reason: str
    findings: list[Finding]

    @property
    def causes(self) -> list[Finding]:
        """The findings that made it fail, the most telling first."""
        return [finding for finding in self.findings if finding.cause]

    @property
    def good(self) -> bool:
        return self.outcome == "good"


def judge(session: Session, last_at: float) -> Verdict:
    """The verdict on a session; `last_at` is the time of the last frame of the capture so far."""
    findings = [finding for look in JUDGES for finding in look(session, last_at)]
    for finding in findings:
        if finding.cause:
            return Verdict("failed", finding.text, findings)
    if session.stop_answered.startswith("OK") and session.charged:
        if session.stop_asked is not None:
            return Verdict("good", "the station asked to stop, the vehicle ended the session in order", findings)
        return Verdict("good", "the vehicle ended the session in order", findings)
    if session.encrypted:
        return Verdict("unfinished", "the session is encrypted (TLS) and not decoded", findings)
    if session.undecoded and not session.talked():
        return Verdict("unfinished", f"not decoded: {session.undecoded.most_common(1)[0][0]}", findings)
    if not session.whole:
        return Verdict("unfinished", "the capture shows only a part of the session", findings)
    return Verdict("unfinished", f"the capture ends after {session.last_answer or 'the connection was made'}", findings)


def judge_attempts(outcome: str, count: int, first: Where, station: str, announced: Iterable[str]) -> Verdict:
    """The verdict on TCP connections to `station` that carried nothing: "refused", "unanswered", ..."""
    times = f", {count} times" if count > 1 else ""
    text = f"the vehicle's TCP connection to {station} was {outcome}{times}"
    if outcome.startswith(("closed", "left")):
        text = f"the TCP connection to {station} was {outcome}{times}"
    elsewhere = [known for known in announced if known != station]
    if elsewhere and station not in announced:
        finding = Finding(first, Side.EVCC, f"{text}: SDP had announced {elsewhere[-1]}, the vehicle went elsewhere")
    else:
        finding = Finding(first, Side.EVCC if outcome == "left without a message" else Side.SECC, text)
    return Verdict("failed", finding.text, [finding])


# Judges


def no_protocol(session: Session, last_at: float) -> Iterator[Finding]:
    if session.refused:
        offers = ", ".join(session.offered) or "nothing that the capture shows"
        yield Finding(session.end, Side.SECC, f"no common protocol: the vehicle offered {offers}", "V2G2-172")


def failed_answers(session: Session, last_at: float) -> Iterator[Finding]:
    """FAILED codes, with what led to them where that can be seen."""
    for alarm in _alarms(session, "ResponseCode"):
        text = f"{alarm.message} says {alarm.value}: {RESPONSE.get(alarm.value, 'the station gives no reason')}"
        side = Side.SECC
        request = alarm.message.removesuffix("Res") + "Req"
        for wrong in session.sequence:
            if wrong.request == request and wrong.where.at <= alarm.first.at:
                side = Side.EVCC
                text = f"{text}. {_sequence(session, wrong.request, wrong.after, wrong.allowed)}"
                break
        kind = {"FAILED_SequenceError": "sequence", "FAILED_UnknownSession": "session"}.get(alarm.value, "failed")
        known = protocol.rules(session.protocol or "")
        yield Finding(alarm.first, side, text, known.clauses.get(kind) if known is not None else None)


def out_of_sequence(session: Session, last_at: float) -> Iterator[Finding]:
    """Wrong requests that were not answered by a FAILED code."""
    if session.disordered or session.lost:
        return  # the capture does not show what came after what
    answered = {alarm.message.removesuffix("Res") + "Req" for alarm in _alarms(session, "ResponseCode")}
    for wrong in session.sequence:
        if wrong.request not in answered:
            text = _sequence(session, wrong.request, wrong.after, wrong.allowed)
            yield Finding(wrong.where, Side.EVCC, text, wrong.clause)


def _sequence(session: Session, request: str, after: str, allowed: tuple[str, ...]) -> str:
    text = f"{request} came after {after}, where {' or '.join(allowed) or 'nothing'} may follow"
    if after == "PowerDeliveryRes" and request == "CurrentDemandReq" and session.last_ready is False:
        frame = session.last_ready_at.frame
        said = "ReadyToChargeState false, which means stop" if session.protocol == "din70121" else "Stop"
        text += f": the PowerDeliveryReq in frame {frame} said {said}"
    return text


def foreign_session(session: Session, last_at: float) -> Iterator[Finding]:
    if session.foreign_id is not None and not _alarms(session, "ResponseCode"):
        side, name, other, where = session.foreign_id
        ours = shown(session.session_id or b"")
        yield Finding(where, side, f"{name} bears session ID {shown(other)}, the session's is {ours}", "V2G-DC-391")


def precharge(session: Session, last_at: float) -> Iterator[Finding]:
    """Precharge that did not lead to power delivery."""
    phase = session.phases.get("PreCharge")
    state = session.electrical
    if phase is None or not phase.answers or "PowerDelivery" in session.phases or state.nearest_volts is None:
        return
    took = (session.end.at if session.last_request == "PreChargeReq" else phase.last.at) - phase.first.at
    length = f"{phase.requests} PreCharge exchanges in {took:.1f} s"
    limit = _limit(session, "PreChargeReq")
    if limit is not None and took > limit:
        length += f" ({limit:g} s allowed)"
    target, nearest = state.nearest_target, state.nearest_volts
    if state.matched is None:
        text = f"precharge never reached its voltage: {nearest:.1f} V where {target:.1f} V were asked for, {length}"
        yield Finding(state.nearest, Side.SECC, text)
    elif session.last_request == "SessionStopReq":
        first = state.matched.at - phase.first.at
        text = (
            f"the vehicle stopped in precharge instead of asking for power: {length}; the station reported a voltage "
            f"within {MATCH_VOLTS:g} V of the target of {target:.1f} V from {first:.1f} s on, so "
            f"the vehicle either measured another voltage at its inlet or found something else wrong"
        )
        yield Finding(phase.last, Side.EVCC, text)


def overshoot(session: Session, last_at: float) -> Iterator[Finding]:
    worst = session.electrical.overshoot
    if worst is None or worst[0] - worst[1] <= OVERSHOOT_VOLTS:
        return
    volts, target, where = worst
    text = f"bad regulation: the station reported {volts:.1f} V where the vehicle asked for {target:.1f} V"
    yield Finding(where, Side.SECC, text, cause=bool(_alarms(session, "EVSEStatusCode", "EVErrorCode")))


def station_status(session: Session, last_at: float) -> Iterator[Finding]:
    """Status codes by which the station ended the session, other than an orderly stop."""
    said: dict[str, Alarm] = {}
    for alarm in _alarms(session, "EVSEStatusCode"):
        said.setdefault(alarm.value, alarm)
    for value, alarm in said.items():
        orderly = value == "EVSE_Shutdown"
        text = f"the station reports {value} in {alarm.message}: {STATUS.get(value, '')}"
        yield Finding(alarm.first, Side.SECC, text, cause=not orderly)
    for alarm in _alarms(session, "EVSEIsolationStatus"):
        yield Finding(alarm.first, Side.SECC, f"{alarm.message} reports an isolation fault")


def vehicle_error(session: Session, last_at: float) -> Iterator[Finding]:
    said: dict[str, Alarm] = {}
    for alarm in _alarms(session, "EVErrorCode"):
        said.setdefault(alarm.value, alarm)
    for value, alarm in said.items():
        meaning = VEHICLE.get(value)
        text = f"the vehicle reports {value} in {alarm.message}" + (f": {meaning}" if meaning else "")
        yield Finding(alarm.first, Side.EVCC, text)


def header_notification(session: Session, last_at: float) -> Iterator[Finding]:
    for alarm in _alarms(session, "Notification"):
        text = f"{alarm.message} carries the notification {alarm.value}: its sender could not process what it got"
        yield Finding(alarm.first, alarm.side, text)


def unanswered(session: Session, last_at: float) -> Iterator[Finding]:
    """A request without an answer at the end."""
    pending = session.pending
    if pending is None:
        return
    closing = _first(session.closings)
    limit = f", {pending.limit_s:g} s allowed" if pending.limit_s is not None else ""
    if closing is not None and closing.where.at >= pending.where.at:
        waited = closing.where.at - pending.where.at
        end = f"the {PEER[closing.side]} {closing.how} the connection after {waited:.2f} s"
        text = f"{pending.name} got no answer: {end}"
        yield Finding(pending.where, closing.side, text + limit)
    elif closing is None and pending.limit_s is not None and last_at - pending.where.at > pending.limit_s:
        text = f"{pending.name} got no answer in {last_at - pending.where.at:.1f} s{limit}"
        yield Finding(pending.where, Side.SECC, text)


def gone(session: Session, last_at: float) -> Iterator[Finding]:
    """A peer that no longer acknowledges."""
    if not session.last_request or not session.last_answer:
        return  # one direction is not in the capture at all
    for sender, count in session.unacknowledged.items():
        if count >= SILENT_RETRANSMISSIONS:
            other = Side.SECC if sender is Side.EVCC else Side.EVCC
            last = session.last_answer if sender is Side.SECC else session.last_request
            text = (
                f"the {PEER[other]} fell silent: {last} was retransmitted {count} times without acknowledgement "
                "(link lost, unplugged, or switched off)"
            )
            yield Finding(session.end, other, text)


def closed_early(session: Session, last_at: float) -> Iterator[Finding]:
    """The connection ended without SessionStop."""
    closing = _first(session.closings)
    if closing is None or session.stop_answered or session.pending is not None or session.refused:
        return
    if session.undecoded and not session.talked():
        return  # how it ended cannot be read here
    if not session.phases:
        if not session.encrypted and session.whole:
            yield Finding(closing.where, closing.side, f"the {PEER[closing.side]} {closing.how} the connection at once")
        return
    text = (
        f"the {PEER[closing.side]} {closing.how} the connection after {session.last_answer or session.last_request}, "
        "without SessionStop"
    )
    yield Finding(closing.where, closing.side, text, cause=session.whole or closing.how == "reset")


def silence(session: Session, last_at: float) -> Iterator[Finding]:
    """The vehicle's next request never came, and nobody closed."""
    known = protocol.rules(session.protocol or "")
    if known is None or session.closings or session.pending is not None or session.stop_answered:
        return
    if last_at - session.end.at > known.sequence_timeout_s:
        limit = f"{known.sequence_timeout_s:g} s (V2G_SECC_Sequence_Timeout)"
        text = f"no request followed {session.last_answer} in {limit}"
        yield Finding(session.end, Side.EVCC, text)


def no_charge(session: Session, last_at: float) -> Iterator[Finding]:
    """An orderly end that no energy came before."""
    if session.stop_answered.startswith("OK") and not session.charged and session.whole:
        text = f"the vehicle stopped the session after {_before_stop(session)}, before any energy flowed"
        yield Finding(session.end, Side.EVCC, text)


def no_current(session: Session, last_at: float) -> Iterator[Finding]:
    state = session.electrical
    if session.charged and state.asked_amps >= 2 and state.peak_amps < 0.25 * state.asked_amps:
        text = f"the vehicle asked for up to {state.asked_amps:.1f} A, at most {state.peak_amps:.1f} A flowed"
        yield Finding(session.end, Side.SECC, text, cause=False)


def overruns(session: Session, last_at: float) -> Iterator[Finding]:
    for over in session.overruns:
        text = f"{over.timer}: {over.took_s:.1f} s, {over.limit_s:g} s allowed"
        yield Finding(over.where, Side.SECC, text, over.clause, cause=False)


def slow_answers(session: Session, last_at: float) -> Iterator[Finding]:
    for name, phase in session.phases.items():
        rule = protocol.rule(session.protocol or "", name + "Req")
        if phase.slow and rule is not None:
            text = (
                f"{phase.slow} of {phase.answers} {name}Res came later than the vehicle's timeout of "
                f"{rule.timeout_s:g} s, the latest after {phase.worst_s:.2f} s"
            )
            yield Finding(phase.worst, Side.SECC, text, cause=False)


def imperfect_capture(session: Session, last_at: float) -> Iterator[Finding]:
    if session.lost:
        text = f"{session.lost} octets of the connection are not in the capture or belong to no message"
        yield Finding(session.end, Side.SECC, text, cause=False)
    for reason, count in session.undecoded.items():
        text = f"{count} message{'s' if count > 1 else ''} not decoded: {reason}"
        yield Finding(session.end, Side.SECC, text, cause=False)


JUDGES: Final[tuple[Callable[[Session, float], Iterator[Finding]], ...]] = (
    no_protocol,
    failed_answers,
    out_of_sequence,
    foreign_session,
    precharge,
    overshoot,
    station_status,
    vehicle_error,
    header_notification,
    gone,
    unanswered,
    closed_early,
    silence,
    no_charge,
    no_current,
    overruns,
    slow_answers,
    imperfect_capture,
)


def _alarms(session: Session, *kinds: str) -> list[Alarm]:
    return [alarm for alarm in session.alarms if alarm.kind in kinds]


def _first(closings: list[Closing]) -> Closing | None:
    return min(closings, key=lambda closing: closing.where, default=None)


def _limit(session: Session, begins: str) -> float | None:
    """The vehicle's deadline for the phase that a request begins."""
    known = protocol.rules(session.protocol or "")
    if known is None:
        return None
    phases = [phase for kind, rows in known.beginning.items() if kind and kind.__name__ == begins for phase in rows]
    return phases[0].timeout_s if phases else None


def _before_stop(session: Session) -> str:
    """The last exchange before SessionStop."""
    names = [name for name in session.phases if name != "SessionStop"]
    return max(names, key=lambda name: session.phases[name].last) if names else "the handshake"
