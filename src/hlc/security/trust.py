"""Whom an end of TLS lets in: the rules of `verify` on what the peer showed, and the alert that tells it why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from cryptography.x509 import Certificate

from hlc.security.alerts import Alert
from hlc.security.certificate import Curve, PkiError, parse
from hlc.security.handshake import Certificates, Version
from hlc.security.profiles import Role
from hlc.security.tls import Verdict
from hlc.security.verify import MOST_SENT, Finding, Rule, verify

ALERTS: Final = {
    Rule.ISSUER: Alert.UNKNOWN_CA,
    Rule.THROW_AWAY: Alert.UNKNOWN_CA,
    Rule.EXPIRED: Alert.CERTIFICATE_EXPIRED,
    Rule.NOT_YET_VALID: Alert.CERTIFICATE_EXPIRED,
    Rule.REVOKED: Alert.CERTIFICATE_REVOKED,
    Rule.KEY_USAGE: Alert.UNSUPPORTED_CERTIFICATE,
    Rule.PURPOSE: Alert.UNSUPPORTED_CERTIFICATE,
    Rule.ROLE: Alert.UNSUPPORTED_CERTIFICATE,
    Rule.CURVE: Alert.UNSUPPORTED_CERTIFICATE,
}
"""What the peer is told; of other rules that its certificate is bad."""
CURVES: Final = {Version.TLS12: (Curve.P256,), Version.TLS13: (Curve.P521, Curve.ED448)}
REVOCATION: Final = (Rule.REVOKED, Rule.REVOCATION_UNKNOWN)
MOST_NOTES: Final = 4


class Trust(NamedTuple):
    """Judges what a peer of this role shows.

    `now` gives the time, aware of its zone. `p256`: TLS 1.3 with secp256r1 is accepted too, for test hierarchies that
    have nothing else. `strict`: whoever shows no good OCSP response of its own certificate is refused. [V2G2-873]
    """

    role: Role
    roots: Sequence[Certificate]
    now: Callable[[], datetime]
    p256: bool = False
    strict: bool = False

    def chain(self, certificates: Certificates, version: int) -> Verdict:
        """On the chain. Never raises."""
        found = self._findings(certificates, version)
        return found if isinstance(found, Verdict) else _verdict(found)

    def revocation(self, certificates: Certificates, version: int) -> Verdict:
        """On the OCSP responses. Never raises."""
        count = len(certificates.chain)
        ocsp = (*certificates.ocsp, *[None] * count)[:count]
        found = self._findings(certificates, version, ocsp)
        if isinstance(found, Verdict):
            return found
        about = [finding for finding in found if finding.rule in REVOCATION]
        if self.strict:
            about = [
                finding._replace(fatal=finding.fatal or finding.certificate.startswith("leaf")) for finding in about
            ]
        return _verdict(about)

    def _findings(
        self, certificates: Certificates, version: int, ocsp: Sequence[bytes | None] | None = None
    ) -> list[Finding] | Verdict:
        try:
            chain = [parse(der) for der in certificates.chain[:MOST_SENT]]
        except PkiError as error:
            return Verdict(f"it sent {error}", Alert.BAD_CERTIFICATE)
        curves = CURVES[Version.TLS13 if version >= Version.TLS13 else Version.TLS12]
        if self.p256 and Curve.P256 not in curves:
            curves = (*curves, Curve.P256)
        return verify(chain, self.roots, self.now(), self.role, curves=curves, ocsp=ocsp)


def _verdict(findings: Sequence[Finding]) -> Verdict:
    fatal = [finding for finding in findings if finding.fatal]
    notes = tuple(str(finding) for finding in findings if not finding.fatal)[:MOST_NOTES]
    if not fatal:
        return Verdict(notes=notes)
    worst = fatal[0]
    return Verdict(str(worst), ALERTS.get(worst.rule, Alert.BAD_CERTIFICATE), notes)
