"""TLS that was ended by an alert: whose fault it is by what the alert says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlc.capture.finding import Evidence, Finding, Rule, Severity, Who
from hlc.capture.session import Session
from hlc.capture.tls_facts import AlertSeen, TlsFacts
from hlc.security.alerts import MEANINGS, Alert, name
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


RULES: Final = (
    Rule(
        "tls_alert",
        "A side ends TLS with a fatal alert.",
        alerted,
        "Compare what the two offer, and look at the certificates: hlc pki show explains any.",
    ),
)
"""Of TLS."""
