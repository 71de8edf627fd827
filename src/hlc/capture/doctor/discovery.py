"""How vehicle and station found each other by SDP, or did not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlc import sdp
from hlc.capture.finding import Deadline, Evidence, Finding, Rule, Severity, Who
from hlc.capture.plugin import Answer, PlugIn

WAIT_S: Final = 0.25
"""A vehicle waits so long for the answer before it asks again. [V2G2-159]"""
TRIES: Final = 50
"""[V2G2-161]"""
SETUP_S: Final = 20.0
"""V2G_EVCC_CommunicationSetup_Timeout: from the link to SessionSetupRes."""
PORTS: Final = range(49152, 65536)
PATIENCE_S: Final = 5.0
"""A capture that goes on so long without a connection shows that there is none."""


def unanswered(plug: PlugIn, last_at: float) -> Iterator[Finding]:
    found = plug.discovery
    if not found.requests or found.answers or plug.connected or last_at - found.last.at <= WAIT_S:
        return
    took = found.last.at - found.first.at
    times = (
        f"{found.requests} SDP requests in {took:.1f} s, none answered"
        if found.requests > 1
        else ("the SDP request was not answered")
    )
    text = f"{times}: no station was found"
    seen = [Evidence(found.first, f"the first request, security {' and '.join(found.asked)}")]
    if found.requests > 1:
        seen.append(Evidence(found.last, f"the last one, number {found.requests}"))
    deadline = Deadline("V2G_EVCC_CommunicationSetup_Timeout", took, SETUP_S) if took > SETUP_S else None
    yield Finding(found.first, Who.STATION, text, deadline=deadline, evidence=tuple(seen))


def refused(plug: PlugIn, last_at: float) -> Iterator[Finding]:
    where = plug.discovery.refused
    if where is not None:
        text = "the station answers that it has no controller for this vehicle (DiagStatus 0x10)"
        severity = Severity.REMARK if plug.connected else Severity.CAUSE
        yield Finding(where, Who.STATION, text, severity, evidence=(Evidence(where, text),))


def slow(plug: PlugIn, last_at: float) -> Iterator[Finding]:
    for offer in plug.discovery.offers:
        if offer.took_s is not None and offer.took_s > WAIT_S:
            text = f"the SDP answer came after {offer.took_s:.2f} s; a vehicle waits {WAIT_S:g} s before it asks again"
            deadline = Deadline("SDP response", offer.took_s, WAIT_S)
            yield Finding(offer.slowest, Who.STATION, text, Severity.REMARK, "", deadline, (_seen(offer),))


def wrong_address(plug: PlugIn, last_at: float) -> Iterator[Finding]:
    for offer in plug.discovery.offers:
        if offer.loopback:  # both are on one machine, for a test
            continue
        if not offer.link_local:
            text = f"SDP announces {offer.station}, which is no link-local address"
            severity = Severity.REMARK if plug.charged or _sessions(plug) else Severity.CAUSE
            yield Finding(offer.first, Who.STATION, text, severity, evidence=(_seen(offer),))
        elif offer.port == 0:
            text = f"SDP announces {offer.station}: port 0 is none"
            yield Finding(offer.first, Who.STATION, text, evidence=(_seen(offer),))
        elif offer.port not in PORTS:
            text = f"SDP announces port {offer.port}; some vehicles accept none outside 49152 to 65535"
            yield Finding(offer.first, Who.STATION, text, Severity.REMARK, evidence=(_seen(offer),))


def downgraded(plug: PlugIn, last_at: float) -> Iterator[Finding]:
    for offer in plug.discovery.offers:
        if offer.asked is sdp.Security.TLS and offer.security is sdp.Security.NONE:
            text = "the vehicle asked for TLS, the station offers plain TCP: no Plug & Charge, and no ISO 15118-20"
            severity = Severity.REMARK if plug.connected else Severity.CAUSE
            who = Who.STATION if plug.connected else Who.EITHER
            yield Finding(offer.first, who, text, severity, evidence=(_seen(offer),))


def upgraded(plug: PlugIn, last_at: float) -> Iterator[Finding]:
    for offer in plug.discovery.offers:
        if offer.asked is sdp.Security.NONE and offer.security is sdp.Security.TLS:
            text = "the vehicle asked for plain TCP, the station offers TLS alone"
            severity = Severity.REMARK if _sessions(plug) else Severity.CAUSE
            yield Finding(offer.first, Who.STATION, text, severity, evidence=(_seen(offer),))


def not_connected(plug: PlugIn, last_at: float) -> Iterator[Finding]:
    found = plug.discovery
    if plug.connected or not found.offers or found.refused is not None:
        return
    last = max(offer.first for offer in found.offers)
    if last_at - last.at < PATIENCE_S:
        return
    text = "a station was found by SDP, but no TCP connection to it is in the capture"
    yield Finding(last, Who.VEHICLE, text, evidence=tuple(_seen(offer) for offer in found.offers[:3]))


def contract_without_tls(plug: PlugIn, last_at: float) -> Iterator[Finding]:
    if not plug.discovery.offers or any(offer.security is sdp.Security.TLS for offer in plug.discovery.offers):
        return
    for session, _ in plug.sessions:
        kept = session.last.get("PaymentServiceSelectionReq")
        if kept is None or session.tls is not None or str(kept.body.SelectedPaymentOption) != "Contract":
            continue
        text = "a contract is used over plain TCP: Plug & Charge needs TLS"
        severity = Severity.REMARK if session.charged else Severity.CAUSE
        seen = (_seen(plug.discovery.offers[0]), Evidence(kept.where, "SelectedPaymentOption Contract"))
        yield Finding(kept.where, Who.VEHICLE, text, severity, evidence=seen)


def malformed(plug: PlugIn, last_at: float) -> Iterator[Finding]:
    for where, side, reason in plug.discovery.malformed[:2]:
        severity = Severity.REMARK if plug.connected or plug.discovery.offers else Severity.CAUSE
        text = f"a datagram of SDP that cannot be read: {reason}"
        yield Finding(where, Who.of(side), text, severity, evidence=(Evidence(where, reason),))


def setup_late(plug: PlugIn, last_at: float) -> Iterator[Finding]:
    run = plug.linked
    began = run.link.where if run is not None and run.link is not None else plug.discovery.first
    if not began.frame:
        return
    for session, _ in plug.sessions:
        setup = session.phases.get("SessionSetup")
        if setup is None or not setup.answers:
            continue
        took = session.first["SessionSetupRes"].where.at - began.at if "SessionSetupRes" in session.first else 0.0
        if took > SETUP_S:
            text = f"the session was set up {took:.1f} s after the link, {SETUP_S:g} s allowed"
            deadline = Deadline("V2G_EVCC_CommunicationSetup_Timeout", took, SETUP_S)
            seen = (Evidence(began, "the link, or the first SDP request"), Evidence(setup.last, "SessionSetupRes"))
            yield Finding(setup.last, Who.EITHER, text, Severity.REMARK, "", deadline, seen)
        return  # later sessions of the plug-in are another matter


def _sessions(plug: PlugIn) -> bool:
    return any(session.attempts is None for session, _ in plug.sessions)


def _seen(offer: Answer) -> Evidence:
    asked = f", {offer.asked.name} was asked for" if offer.asked is not None else ""
    return Evidence(offer.first, f"SECCDiscoveryRes: {offer.station}, security {offer.security.name}{asked}")


# fmt: off
RULES: Final = (
    Rule("sdp_unanswered", "SDP requests without an answer.", unanswered,
         "See whether the station's SDP server listens on UDP port 15118 of the interface with the powerline modem, "
         "and has joined ff02::1 there; it must answer from the moment of the link on.", "V2G2-159, V2G2-161"),
    Rule("sdp_refused", "A wireless station has no controller for the vehicle.", refused,
         "See how station and vehicle are paired: EVID, coupling type, position."),
    Rule("sdp_slow", "An SDP answer later than a vehicle waits.", slow,
         "Answer SDP at once: it needs nothing but address and port.", "V2G2-159"),
    Rule("sdp_address", "SDP announces an address or port that a vehicle may not use.", wrong_address,
         "Announce the link-local address (fe80::) of the interface, and a port of 49152 to 65535."),
    Rule("sdp_downgrade", "TLS is asked for and plain TCP answered.", downgraded,
         "Give the station a certificate and serve TLS, or accept what goes without: payment by card or app."),
    Rule("sdp_tls_only", "Plain TCP is asked for and TLS answered.", upgraded,
         "Serve plain TCP too, unless the site demands TLS: many vehicles know nothing else."),
    Rule("sdp_not_connected", "A station is found, and the vehicle makes no connection.", not_connected,
         "See whether the vehicle accepts the answer: its security, its port, the scope of its address."),
    Rule("contract_without_tls", "A contract is used without TLS.", contract_without_tls,
         "Use TLS, or pay externally.", "V2G2-828"),
    Rule("sdp_malformed", "A datagram of SDP that cannot be read.", malformed,
         "Send V2GTP header 01 FE, payload type 0x9000 with 2 octets or 0x9001 with 20."),
    Rule("setup_late", "Communication setup took longer than a vehicle must wait.", setup_late,
         "See which step took the time: link, SDP, TCP, TLS or SessionSetup.", "V2G2-714"),
)
# fmt: on
"""Of discovery."""
