"""Connections that came to nothing, and how those ended that carried a session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlc import sap
from hlc.capture.doctor.about import PEER, first_closing
from hlc.capture.doctor.timing import timed_out
from hlc.capture.finding import Evidence, Finding, Rule, Severity, Who
from hlc.capture.session import STALE, Attempts, Session
from hlc.trace.events import Side

SILENT_RETRANSMISSIONS: Final = 3
"""Unanswered retransmissions from which on a peer is said to be gone."""


def _tried(attempts: Attempts) -> str:
    """What was tried and how it went."""
    times = f", {attempts.count} times" if attempts.count > 1 else ""
    whose = "the TCP connection" if attempts.outcome.startswith(("closed", "left")) else "the vehicle's TCP connection"
    return f"{whose} to {attempts.station} was {attempts.outcome}{times}"


def _seen(attempts: Attempts) -> tuple[Evidence, ...]:
    first = Evidence(attempts.first, f"TCP SYN to {attempts.station}: {attempts.outcome}")
    if attempts.count == 1:
        return (first,)
    return first, Evidence(attempts.last, f"the last of {attempts.count} such attempts")


def elsewhere(session: Session, last_at: float) -> Iterator[Finding]:
    attempts = session.attempts
    if attempts is None or not attempts.announced or attempts.station in attempts.announced:
        return
    text = f"{_tried(attempts)}: SDP had announced {attempts.announced[-1]}, the vehicle went elsewhere"
    yield Finding(attempts.first, Who.VEHICLE, text, evidence=_seen(attempts))


def unreached(session: Session, last_at: float) -> Iterator[Finding]:
    attempts = session.attempts
    if attempts is None or (attempts.announced and attempts.station not in attempts.announced):
        return
    who = Who.VEHICLE if attempts.outcome in {"left without a message", STALE} else Who.STATION
    advice = "Connect from another port each time: the station still held a connection from this one."
    yield Finding(
        attempts.first,
        who,
        _tried(attempts),
        evidence=_seen(attempts),
        advice=advice if attempts.outcome == STALE else "",
    )


def no_protocol(session: Session, last_at: float) -> Iterator[Finding]:
    if session.refused:
        offers = ", ".join(session.offered) or "nothing that the capture shows"
        text = f"no common protocol: the vehicle offered {offers}"
        who, why = _why_none(session)
        request, answer = session.last.get("supportedAppProtocolReq"), session.last.get("supportedAppProtocolRes")
        seen = [Evidence(request.where, f"offered: {offers}")] if request is not None else []
        if answer is not None:
            seen.append(Evidence(answer.where, f"supportedAppProtocolRes: {answer.body.ResponseCode}"))
        yield Finding(session.end, who, text + why, evidence=tuple(seen))


def _why_none(session: Session) -> tuple[Who, str]:
    """What is wrong with an offer, where that can be seen."""
    by_space = {protocol.namespace: protocol for protocol in sap.PROTOCOLS.values()}
    for offer in session.offered:
        namespace, _, version = offer.rpartition(" ")
        known = by_space.get(namespace)
        if known is not None and version.partition(".")[0] != str(known.major):
            return Who.VEHICLE, f": {namespace} has version {known.major}.{known.minor}"
        if "CommonMessages" in namespace or "CommonTypes" in namespace:
            return Who.VEHICLE, f": {namespace} is never offered, but the namespace of an energy mode"
    spaces = [offer.rpartition(" ")[0] for offer in session.offered]
    found = [by_space[space] for space in spaces if space in by_space]
    if session.offered and not found:
        return Who.VEHICLE, ": none of them is a protocol of the standards"
    if found and all(protocol.tls_only for protocol in found) and session.tls is None:
        return Who.VEHICLE, ": ISO 15118-20 is spoken over TLS 1.3 only, and this is plain TCP [V2G20-1237]"
    if found and all(protocol is sap.DIN70121 for protocol in found) and session.tls is not None:
        return Who.EITHER, ": DIN 70121 knows no TLS"
    return Who.STATION, ""


def unoffered(session: Session, last_at: float) -> Iterator[Finding]:
    request, answer = session.last.get("supportedAppProtocolReq"), session.last.get("supportedAppProtocolRes")
    if request is None or answer is None or session.refused or not hasattr(request.body, "AppProtocol"):
        return
    chosen = getattr(answer.body, "SchemaID", None)
    offered = {entry.SchemaID for entry in request.body.AppProtocol}
    if chosen in offered or (chosen is None and len(offered) == 1):
        return
    text = f"the station chose SchemaID {chosen}, where {', '.join(map(str, sorted(offered)))} was offered"
    severity = Severity.REMARK if session.charged else Severity.CAUSE
    seen = (
        Evidence(request.where, f"offered: {', '.join(session.offered)}"),
        Evidence(answer.where, f"SchemaID {chosen}"),
    )
    yield Finding(answer.where, Who.STATION, text, severity, evidence=seen)


def gone(session: Session, last_at: float) -> Iterator[Finding]:
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
            seen = (Evidence(session.end, f"{last}, the last message, and {count} copies of it"),)
            yield Finding(session.end, Who.of(other), text, evidence=seen)


def closed_early(session: Session, last_at: float) -> Iterator[Finding]:
    closing = first_closing(session)
    if closing is None or session.stop_answered or session.pending is not None or session.refused:
        return
    if timed_out(session, last_at):
        return
    if session.undecoded and not session.talked():
        return  # how it ended cannot be read here
    who = Who.of(closing.side)
    if not session.phases:
        if not session.encrypted and session.whole:
            said = f"the {PEER[closing.side]} {closing.how} the connection"
            yield Finding(closing.where, who, f"{said} at once", evidence=(Evidence(closing.where, said),))
        return
    text = (
        f"the {PEER[closing.side]} {closing.how} the connection after {session.last_answer or session.last_request}, "
        "without SessionStop"
    )
    severity = Severity.CAUSE if session.whole or closing.how == "reset" else Severity.REMARK
    seen = (
        Evidence(session.end, f"{session.last_answer or session.last_request}, the last message"),
        Evidence(closing.where, f"the {PEER[closing.side]} {closing.how} the connection"),
    )
    yield Finding(closing.where, who, text, severity, evidence=seen)


# fmt: off
RULES: Final = (
    Rule("tcp_elsewhere", "The vehicle connects to another address or port than SDP announced, and is not let in.",
         elsewhere,
         "Connect to address and port of the SDP response, not to 15118."),
    Rule("tcp_failed", "A TCP connection to the station is refused, unanswered, reset, or left without a message.",
         unreached,
         "See whether the station's server listens on the address and port that SDP announces before it answers SDP, "
         "and goes on after a connection that failed."),
    Rule("no_common_protocol", "The station speaks none of the protocols that the vehicle offers.", no_protocol,
         "Offer what both speak; DIN 70121 is what nearly every DC vehicle and station understands. Versions are 2.0 "
         "for DIN 70121 and ISO 15118-2, 1.0 for ISO 15118-20.", "V2G2-172"),
    Rule("protocol_not_offered", "The station chooses a protocol that was not offered.", unoffered,
         "Echo the SchemaID of the entry that was chosen; it is neither the place in the list nor the priority.",
         "V2G2-169"),
    Rule("peer_gone", "A peer no longer acknowledges what is sent to it.", gone,
         "See whether the plug was pulled, a fuse or the control pilot ended the link, or the modem lost its network."),
    Rule("closed_early", "A side closes the connection without SessionStop.", closed_early,
         "Ask the side that closed for its log at this moment: it gave no reason on the wire.", symptom=True),
)
# fmt: on
"""Of connections."""
