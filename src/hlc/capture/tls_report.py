"""What is known of a TLS connection, as a line and as data."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable, Mapping
from typing import Any

from hlc.capture.seen import Tls
from hlc.capture.tls_facts import TlsFacts
from hlc.capture.totals import Totals
from hlc.security import alerts
from hlc.security.registry import GROUPS, SCHEMES, SUITES, VERSIONS, named


def line(event: Tls) -> str:
    """What happened, in the columns of a message."""
    name = "" if event.name == "note" else f" {event.name}"
    return f"{'TLS' + name:<32} {event.text}"


def overall(totals: Totals) -> list[str]:
    """What is to be said of the TLS connections of a capture that were not read."""
    lines = []
    for reason, count in totals.encrypted.items():
        what = f"{count} TLS connection{'s' if count > 1 else ''} not decrypted: {reason or 'no secret'}"
        lines.append(f"{what}; give --keylog FILE" if reason.startswith("no secret") else what)
    return lines


def record(facts: TlsFacts) -> dict[str, Any]:
    """As plain data: numbers by their names, certificates as base64 of DER."""
    hello = facts.hello
    return {
        "version": _name(facts.version, VERSIONS),
        "suite": _name(facts.suite, SUITES),
        "group": _name(facts.group, GROUPS),
        "offered": None
        if hello is None
        else {
            "versions": _names(hello.versions, VERSIONS),
            "suites": _names(hello.cipher_suites, SUITES),
            "groups": _names(hello.groups, GROUPS),
            "signature_algorithms": _names(hello.signature_algorithms, SCHEMES),
            "server_name": hello.server_name,
            "ocsp": hello.status_request or hello.status_request_v2,
        },
        "client_random": hello.random.hex().upper() if hello is not None else None,
        "retried": facts.retried,
        "signatures": {side: named(scheme, SCHEMES) for side, scheme in sorted(facts.schemes.items())},
        "certificates": {
            side: [b2a_base64(der, newline=False).decode() for der in shown.chain]
            for side, shown in sorted(facts.chains.items())
        },
        "ocsp_stapled": any(any(shown.ocsp) for shown in facts.chains.values()),
        "certificate_asked": facts.certificate_asked,
        "finished": sorted(facts.finished),
        "alerts": [
            {
                "frame": alert.where.frame,
                "time": alert.where.at,
                "side": alert.side,
                "fatal": alert.fatal,
                "alert": None if alert.description is None else alerts.name(alert.description),
            }
            for alert in facts.alerts
        ],
        "records": facts.opened,
        "undecrypted": facts.unopened,
        "reason": facts.reason or None,
    }


def _name(number: int | None, registry: Mapping[int, str]) -> str | None:
    return None if number is None else named(number, registry)


def _names(numbers: Iterable[int], registry: Mapping[int, str]) -> list[str]:
    return [named(number, registry) for number in numbers]
