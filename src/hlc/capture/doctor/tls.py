"""TLS that was ended by an alert: whose fault it is by what the alert says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlc.capture.doctor.about import PEER, first_closing
from hlc.capture.finding import Evidence, Finding, Rule, Severity, Who
from hlc.capture.session import Session
from hlc.capture.tls_facts import AlertSeen, TlsFacts
from hlc.security.alerts import MEANINGS, Alert, name
from hlc.security.handshake import Version
from hlc.security.registry import SCHEMES, SUITES, VERSIONS, listed, named
from hlc.trace.events import Side

PEER_AT_FAULT: Final = frozenset(
    {
        Alert.BAD_CERTIFICATE,
        Alert.UNSUPPORTED_CERTIFICATE,
        Alert.CERTIFICATE_REVOKED,
        Alert.DECRYPT_ERROR,
        Alert.BAD_CERTIFICATE_STATUS_RESPONSE,
        Alert.CERTIFICATE_REQUIRED,
        Alert.UNEXPECTED_MESSAGE,
        Alert.DECODE_ERROR,
        Alert.ILLEGAL_PARAMETER,
    }
)
"""Alerts about what the other side showed or sent. With all others either side may be wrong: unknown_ca is one root too
few here or a wrong chain there, certificate_expired may be the clock."""
PROFILES: Final = {Version.TLS12: frozenset({0xC023, 0xC025}), Version.TLS13: frozenset({0x1302, 0x1303})}
"""Cipher suites of ISO 15118-2 and ISO 15118-20."""
HANDSHAKE_RECORDS: Final = 8
"""So many records of a handshake may be encrypted; what is beyond that are messages."""
ABOUT_CERTIFICATES: Final = frozenset(
    {Alert.BAD_CERTIFICATE, Alert.CERTIFICATE_EXPIRED, Alert.CERTIFICATE_UNKNOWN, Alert.HANDSHAKE_FAILURE}
)
"""Alerts that may be about the time of a certificate."""
EPOCH: Final = 1_000_000_000.0
"""Captures with times below have no wall clock."""
ENDS: Final = frozenset({Alert.CLOSE_NOTIFY, Alert.USER_CANCELED})
"""Alerts that accuse nobody."""
OTHER: Final = {Side.EVCC: Side.SECC, Side.SECC: Side.EVCC}


def alerted(session: Session, last_at: float) -> Iterator[Finding]:
    facts = session.tls
    if facts is None:
        return
    for alert in facts.alerts:
        if alert.fatal and alert.description is not None and alert.description not in ENDS:
            severity = Severity.REMARK if session.stop_answered else Severity.CAUSE
            yield _finding(facts, alert, alert.description, severity)
            return  # what follows answers this one


def _finding(facts: TlsFacts, alert: AlertSeen, description: int, severity: Severity) -> Finding:
    known = Alert(description) if description in set(Alert) else None
    sender, other = Who.of(alert.side), Who.of(OTHER[alert.side])
    who = other if known in PEER_AT_FAULT else sender if known is Alert.INTERNAL_ERROR else Who.EITHER
    when = "" if len(facts.finished) == 2 else " in the handshake"
    meaning = MEANINGS.get(known) if known is not None else None
    advice = f"To the {other} this alert means: {meaning}." if meaning else ""
    return Finding(
        alert.where,
        who,
        f"the {sender} ends TLS{when} with the alert {name(description)}",
        severity,
        evidence=(*_seen(facts), Evidence(alert.where, f"fatal alert {name(description)} of the {sender}")),
        advice=advice,
    )


def _seen(facts: TlsFacts) -> Iterator[Evidence]:
    """What was offered and chosen before."""
    if facts.hello is not None:
        versions = listed(sorted(facts.hello.versions, reverse=True), VERSIONS)
        signed = listed(facts.hello.signature_algorithms, SCHEMES)
        suites = listed(facts.hello.cipher_suites, SUITES)
        yield Evidence(facts.hello_at, f"offered: {versions} with {suites}; {signed}")
    if facts.version is not None and facts.suite is not None:
        yield Evidence(facts.chosen_at, f"chosen: {named(facts.version, VERSIONS)} {named(facts.suite, SUITES)}")


def unfinished(session: Session, last_at: float) -> Iterator[Finding]:
    facts = session.tls
    if facts is None or session.messages or facts.opened or any(alert.fatal for alert in facts.alerts):
        return
    closing = first_closing(session)
    if closing is None or facts.unopened or (facts.version is None and facts.hello is None):
        return
    side, how, where = closing
    answered = "after the ServerHello" if facts.version is not None else "after the ClientHello"
    text = f"the {PEER[side]} {how} the connection in the TLS handshake, {answered}, without an alert"
    seen = (*_seen(facts), Evidence(where, f"the {PEER[side]} {how} the connection"))
    yield Finding(where, Who.of(side), text, evidence=seen)


def _went_on(session: Session, facts: TlsFacts) -> bool:
    """Whether messages followed the handshake, read or not."""
    return bool(session.messages or facts.opened) or facts.unopened > HANDSHAKE_RECORDS


def version(session: Session, last_at: float) -> Iterator[Finding]:
    facts = session.tls
    if not (session.protocol or "").startswith("iso15118_20"):
        return
    if facts is None:
        yield Finding(
            session.start,
            Who.EITHER,
            "ISO 15118-20 is spoken over plain TCP; it is spoken over TLS 1.3 only",
            Severity.REMARK,
            evidence=(Evidence(session.start, "the first message, not encrypted"),),
            advice="Speak it over TLS 1.3. Copies by --redact and captures by hlc demo hold the messages without TLS.",
        )
    elif facts.version is not None and facts.version != Version.TLS13:
        text = f"ISO 15118-20 is spoken over {named(facts.version, VERSIONS)}; it is spoken over TLS 1.3 only"
        severity = Severity.REMARK if session.charged else Severity.CAUSE
        yield Finding(facts.chosen_at, Who.EITHER, text, severity, evidence=tuple(_seen(facts)))


def suite(session: Session, last_at: float) -> Iterator[Finding]:
    facts = session.tls
    if facts is None or facts.suite is None or facts.version is None:
        return
    good = PROFILES.get(Version(facts.version)) if facts.version in set(Version) else None
    if good is not None and facts.suite not in good:
        text = f"the station chose {named(facts.suite, SUITES)}, which the standards do not have for this version"
        yield Finding(facts.chosen_at, Who.STATION, text, Severity.REMARK, evidence=tuple(_seen(facts)))


def no_staple(session: Session, last_at: float) -> Iterator[Finding]:
    facts = session.tls
    shown = facts.chains.get(Side.SECC) if facts is not None else None
    if facts is None or shown is None or facts.hello is None or any(shown.ocsp):
        return
    asked = facts.hello.status_request_v2 if facts.version == Version.TLS12 else facts.hello.status_request
    if asked:
        text = "the vehicle asked for OCSP responses, and the station stapled none: a strict vehicle leaves"
        severity = Severity.REMARK if _went_on(session, facts) else Severity.CAUSE
        yield Finding(facts.chosen_at, Who.STATION, text, severity, evidence=tuple(_seen(facts)))


def certificates(session: Session, last_at: float) -> Iterator[Finding]:
    facts = session.tls
    if facts is None:
        return
    said = {alert.description for alert in facts.alerts if alert.fatal}
    harmless = _went_on(session, facts) or (said and not said & ABOUT_CERTIFICATES)
    severity = Severity.REMARK if harmless else Severity.CAUSE
    for side, shown in sorted(facts.chains.items()):
        who = Who.of(side)
        seen = (Evidence(facts.chosen_at, f"certificates of the {who}: {len(shown.chain)}"),)
        if len(shown.chain) == 1:
            text = f"the {who} shows its own certificate alone, without the Sub-CAs between it and a root"
            yield Finding(facts.chosen_at, who, text, severity, evidence=seen)
        for der in shown.chain:
            text = _outdated(der, facts.chosen_at.at)
            if text:
                yield Finding(facts.chosen_at, who, f"the {who} shows {text}", severity, evidence=seen)


def _outdated(der: bytes, at: float) -> str:
    """What is wrong with the time of a certificate; empty: nothing, or nothing that can be read."""
    from hlc.security import certificate  # it loads the library of certificates, which few captures need

    try:
        facts = certificate.read(certificate.parse(der))
    except certificate.PkiError:
        return "a certificate that cannot be read"
    if at < EPOCH or facts.not_before is None or facts.not_after is None:
        return ""
    if at > facts.not_after.timestamp():
        return f"the certificate {facts.name}, which was valid until {facts.not_after:%Y-%m-%d}"
    if at < facts.not_before.timestamp():
        return f"the certificate {facts.name}, which is valid from {facts.not_before:%Y-%m-%d} on"
    return ""


def vehicle_certificate(session: Session, last_at: float) -> Iterator[Finding]:
    facts = session.tls
    if facts is None or facts.version != Version.TLS13 or not facts.opened or facts.certificate_asked:
        return
    if (session.protocol or "").startswith("iso15118_20") and len(facts.finished) == 2:
        text = "the station did not ask for the vehicle's certificate"
        yield Finding(facts.chosen_at, Who.STATION, text, Severity.REMARK, evidence=tuple(_seen(facts)))


def not_decrypted(session: Session, last_at: float) -> Iterator[Finding]:
    facts = session.tls
    if facts is not None and facts.closed and not session.messages:
        text = f"the session is encrypted and was not read: {facts.reason or 'no secret'}"
        seen = (Evidence(facts.start, "the connection begins"),)
        yield Finding(facts.start, Who.LISTENER, text, Severity.REMARK, evidence=seen)


RULES: Final = (
    Rule(
        "tls_alert",
        "A side ends TLS with a fatal alert.",
        alerted,
        "Compare what the two offer, and look at the certificates: hlc pki show explains any.",
    ),
    Rule(
        "tls_unfinished",
        "A side leaves in the TLS handshake without an alert.",
        unfinished,
        "Ask the side that left for its log: certificates, suites or OCSP that it does not accept, or a time-out.",
    ),
    Rule(
        "tls_version",
        "ISO 15118-20 over another version than TLS 1.3, or over plain TCP.",
        version,
        "Offer and choose TLS 1.3, or speak ISO 15118-2.",
        "V2G20-1237, V2G20-2356",
    ),
    Rule(
        "tls_suite",
        "A cipher suite that the standards do not have.",
        suite,
        "Choose ECDHE-ECDSA-AES128-CBC-SHA256 with TLS 1.2, AES-256-GCM or ChaCha20-Poly1305 with TLS 1.3.",
        "V2G2-602, V2G20-2458",
    ),
    Rule(
        "tls_no_ocsp",
        "OCSP responses are asked for, and none is stapled.",
        no_staple,
        "Staple an OCSP response for each certificate of the station's chain, and renew them weekly.",
        "V2G2-873, V2G20-2388",
    ),
    Rule(
        "tls_certificate",
        "A chain that is not complete, or a certificate out of its time.",
        certificates,
        "Send the leaf and both Sub-CAs without the root; renew certificates in time, and see whether clocks agree.",
        "V2G2-875, V2G20-2409",
    ),
    Rule(
        "tls_no_client_certificate",
        "A station of ISO 15118-20 does not ask for the vehicle's certificate.",
        vehicle_certificate,
        "Always send a CertificateRequest with TLS 1.3.",
        "V2G20-2400",
    ),
    Rule(
        "tls_not_read",
        "An encrypted session that could not be read.",
        not_decrypted,
        "Give the TLS secrets by --keylog FILE; most stacks write them where SSLKEYLOGFILE says.",
    ),
)
"""Of TLS."""
