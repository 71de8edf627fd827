"""What a capture does not show, and what in it could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from hlc.capture.doctor.about import PEER, went_well
from hlc.capture.finding import Deadline, Evidence, Finding, Rule, Severity, Who
from hlc.capture.matching import TIMING, Matching
from hlc.capture.matching_steps import many as counted
from hlc.capture.plugin import PlugIn
from hlc.capture.session import Session
from hlc.capture.totals import Totals
from hlc.capture.where import NOWHERE
from hlc.trace.describe import mac

AMPS_PER_PERCENT: Final = 0.6
"""What a duty cycle of 10 to 85 % offers for basic charging (IEC 61851-1)."""
SETUP_S: Final = 20.0
"""V2G_EVCC_CommunicationSetup_Timeout."""

# Of sessions


def holes(session: Session, last_at: float) -> Iterator[Finding]:
    if session.lost:
        text = f"{session.lost} octets of the connection are not in the capture or belong to no message"
        where = session.lost_at if session.lost_at is not NOWHERE else session.end
        seen = (Evidence(where, "the first of them are missing before this frame"),)
        yield Finding(where, Who.LISTENER, text, Severity.REMARK, evidence=seen)


def unreadable(session: Session, last_at: float) -> Iterator[Finding]:
    if not session.unread:
        return
    where, side, reason = session.unread[-1]
    count = sum(1 for each in session.unread if each[2] == reason)
    whose = PEER[side]
    text = f"the {whose} sent what is no message: {reason}"
    if len(session.unread) > 1:
        text = f"{len(session.unread)} payloads are no message; {text}" if count > 1 else text
    severity = Severity.REMARK if went_well(session) or session.lost else Severity.CAUSE
    seen = tuple(Evidence(place, f"of the {PEER[sender]}: {why}") for place, sender, why in session.unread)
    yield Finding(where, Who.of(side), text, severity, evidence=seen)


def undecoded(session: Session, last_at: float) -> Iterator[Finding]:
    if session.unread:
        return
    for reason, count in session.undecoded.items():
        text = f"{count} message{'s' if count > 1 else ''} not decoded: {reason}"
        seen = (Evidence(session.end, "the last message"),)
        yield Finding(session.end, Who.EITHER, text, Severity.REMARK, evidence=seen)


def one_direction(session: Session, last_at: float) -> Iterator[Finding]:
    asked = any(phase.requests for phase in session.phases.values()) or bool(session.last_request)
    answered = bool(session.last_answer)
    if not session.messages or asked is answered:
        return
    half = "requests" if asked else "answers"
    text = f"only one direction of the connection was heard: {session.messages} messages, all of them {half}"
    seen = (Evidence(session.end, f"the last of them, {session.last_request or session.last_answer}"),)
    if asked and session.closings:
        return  # the station may not have answered
    yield Finding(session.end, Who.LISTENER, text, evidence=seen)


# Of plug-ins


def _listener(run: Matching) -> bool:
    """Whether the capture was made at neither end: nobody's key was set in it, or that of a third host."""
    ends = (run.ev, run.giver.mac if run.giver is not None else b"")
    return not any(host in ends for host in run.keys) and (bool(run.keys) or not run.vehicle_heard)


class Unheard(NamedTuple):
    """A run after whose key nothing was heard above the link."""

    run: Matching
    given: Evidence
    """When the key was given."""

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        seen = [self.given]
        for key in list(self.run.keys.values())[:2]:
            seen.append(Evidence(key.where, f"CM_SET_KEY.REQ: {mac(key.host)} sets it in its modem"))
        if self.run.link is not None:
            seen.append(Evidence(self.run.link.where, f"the modems are in one network: {self.run.link.text}"))
        return tuple(seen)


def _unheard(plug: PlugIn) -> Unheard | None:
    run = plug.linked or plug.run
    if run is None or run.giver is None or run.giver.give is None or plug.talked:
        return None
    given = Evidence(run.giver.give.last, f"CM_SLAC_MATCH.CNF: {mac(run.giver.mac)} gives the key")
    return Unheard(run, given)


def broadcasts_only(plug: PlugIn, last_at: float) -> Iterator[Finding]:
    unheard = _unheard(plug)
    many = sum(count for (_, group), count in plug.heard.items() if group)
    one = sum(count for (_, group), count in plug.heard.items() if not group)
    if unheard is None or not _listener(unheard.run) or not many or one:
        return
    text = (
        f"after the key this listener heard {counted(many, 'frame')} that vehicle or station sent to all, and none "
        "from one to the other: its modem hands on no traffic between others, so no session is in the capture"
    )
    yield Finding(unheard.given.where, Who.LISTENER, text, evidence=unheard.evidence)


def deaf(plug: PlugIn, last_at: float) -> Iterator[Finding]:
    unheard = _unheard(plug)
    if unheard is None or not _listener(unheard.run) or plug.heard:
        return
    after = last_at - unheard.given.where.at
    if after < TIMING.TT_match_join:
        return
    text = (
        f"after the key nothing of vehicle and station was heard for {after:.0f} s: this listener's modem is not in "
        "their network, or the link did not come up"
    )
    yield Finding(unheard.given.where, Who.LISTENER, text, evidence=unheard.evidence)


def nothing_said(plug: PlugIn, last_at: float) -> Iterator[Finding]:
    unheard = _unheard(plug)
    if unheard is None or unheard.run.link is None or _listener(unheard.run):
        return
    link = unheard.run.link
    if last_at - link.where.at <= SETUP_S:
        return
    waited = last_at - link.where.at
    text = f"the link stood, and the vehicle sent no SDP request in {waited:.0f} s"
    deadline = Deadline("V2G_EVCC_CommunicationSetup_Timeout", waited, SETUP_S)
    seen = (Evidence(link.where, f"the link: {link.text}"),)
    yield Finding(link.where, Who.VEHICLE, text, deadline=deadline, evidence=seen)


# Of captures


def pilot(totals: Totals, last_at: float) -> Iterator[Finding]:
    if not totals.duties or totals.plug_ins:
        return
    shown = ", ".join(f"{duty:g} %" for duty in sorted(totals.duties))
    where = NOWHERE
    if any(duty <= 7 for duty in totals.duties):
        text = f"the control pilot offered digital communication ({shown}), but no vehicle began to match"
        yield Finding(where, Who.VEHICLE, text)
        return
    amps = max(totals.duties) * AMPS_PER_PERCENT
    basic = f"basic charging, up to {amps:.1f} A" if max(totals.duties) <= 85 else "basic charging"
    text = f"the control pilot showed {shown} and never 5 %: {basic}, for which no matching is needed"
    yield Finding(where, Who.EITHER, text, Severity.REMARK)


def nothing(totals: Totals, last_at: float) -> Iterator[Finding]:
    if totals.plug_ins or totals.duties:
        return
    what = f"{sum(totals.mme.values())} HomePlug frames, but " if totals.mme else ""
    text = f"{what}no SDP and no session: the link was not made, or this listener could not hear what was said on it"
    yield Finding(NOWHERE, Who.LISTENER, text)


def unknown_links(totals: Totals, last_at: float) -> Iterator[Finding]:
    for link, count in totals.unknown_links.items():
        text = f"{count} frames of link type {link}, which is not known here, were passed over"
        yield Finding(NOWHERE, Who.LISTENER, text, Severity.REMARK)


# fmt: off
SESSION: Final = (
    Rule("one_direction", "Only requests or only answers are in the capture.", one_direction,
         "Capture at the vehicle or at the station, or at a tap that sees both directions: a powerline modem hands on "
         "nothing that goes between two others."),
    Rule("hole", "Octets of the connection are not in the capture.", holes,
         "Capture nearer to the link, or with a larger buffer."),
    Rule("unreadable", "What is sent is no message of its protocol.", unreadable,
         "Compare the payload with the schema: `hlc decode HEX --schema NAME --bits` shows where it goes wrong."),
    Rule("undecoded", "Messages that were not decoded.", undecoded,
         "See what they are: `hlc decode FILE` shows why each was not decoded."),
)
PLUG_IN: Final = (
    Rule("listener_broadcasts_only", "A listener hears what goes to many, and nothing between vehicle and station.",
         broadcasts_only,
         "Capture at the vehicle or at the station: joined to their network or not, a modem hands on no traffic that "
         "goes between two others."),
    Rule("listener_deaf", "A listener hears nothing of vehicle and station after the key.", deaf,
         "Set the key and the NID that were given in the listener's modem, and capture at one of the ends to see what "
         "goes between them."),
    Rule("nothing_said", "The link stands, and the vehicle does not ask for a station.", nothing_said,
         "See whether the vehicle's network interface on the powerline is up and has its link-local address."),
)
CAPTURE: Final = (
    Rule("pilot", "No matching, and what the control pilot showed instead.", pilot,
         "Digital communication needs 5 % duty cycle; a vehicle begins to match within 10 s of it.",
         "IEC 61851-1, ISO 15118-3"),
    Rule("nothing_heard", "Neither matching nor discovery nor a session.", nothing,
         "Capture on the interface of the powerline modem, from before the plug is put in."),
    Rule("unknown_link", "Frames of a link type that is not known here.", unknown_links,
         "Capture Ethernet frames, or cooked ones (Linux SLL)."),
)
# fmt: on
