"""Whom an end of TLS lets in: the rules of `verify` on what the peer showed, and the alert that tells it why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import zip_longest
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
    Rule.UNTRUSTED: Alert.UNKNOWN_CA,
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
MOST_NOTES: Final = 4


class Trust(NamedTuple):
    """Judges what a peer of this role shows.

    `now` gives the time, aware of its zone. `strict`: a station that shows no good OCSP response for its own
    certificate is refused. [V2G2-873] `p256`: the hierarchy has nothing but secp256r1, as test hierarchies of the field
    do; it is accepted with TLS 1.3 then, and so is the other defect that goes with it, a provisioning certificate that
    is shown as the vehicle's.
    """

    role: Role
    roots: Sequence[Certificate]
    now: Callable[[], datetime]
    p256: bool = False
    strict: bool = False

    def chain(self, certificates: Certificates, version: int) -> Verdict:
        """On the chain. Never raises."""
        try:
            found = self._findings(certificates, version)
        except PkiError as error:
            return Verdict(f"it sent {error}", Alert.BAD_CERTIFICATE)
        fatal = [finding for finding in found if finding.fatal]
        notes = tuple(str(finding) for finding in found if not finding.fatal)[:MOST_NOTES]
        if not fatal:
            return Verdict(notes=notes)
        return Verdict(str(fatal[0]), ALERTS.get(fatal[0].rule, Alert.BAD_CERTIFICATE), notes)

    def revocation(self, certificates: Certificates, version: int) -> Verdict:
        """On the OCSP responses. Never raises."""
        try:
            found = self._findings(certificates, version, revocation=True)
        except PkiError as error:
            return Verdict(f"it sent {error}", Alert.BAD_CERTIFICATE)
        for finding in found:
            if finding.rule is Rule.REVOKED:
                return Verdict(str(finding), Alert.CERTIFICATE_REVOKED)
        unknown = [finding for finding in found if finding.rule is Rule.REVOCATION_UNKNOWN]
        if self.strict and unknown and unknown[0].certificate.startswith("leaf"):
            return Verdict(str(unknown[0]), Alert.BAD_CERTIFICATE_STATUS_RESPONSE)
        return Verdict(notes=tuple(f"{finding.certificate}: {finding.text}" for finding in unknown[:1]))

    def _findings(self, certificates: Certificates, version: int, *, revocation: bool = False) -> list[Finding]:
        """What is wrong with them. Raises `PkiError` for what is no certificate."""
        # Some peers send a certificate twice: the first is the one that has its OCSP response.
        sent: dict[bytes, bytes | None] = {}
        for der, response in zip_longest(certificates.chain[:MOST_SENT], certificates.ocsp[:MOST_SENT]):
            if der is not None:
                sent.setdefault(der, response)
        chain = [parse(der) for der in sent]
        curves = CURVES[Version.TLS13 if version >= Version.TLS13 else Version.TLS12]
        if self.p256 and Curve.P256 not in curves:
            curves = (*curves, Curve.P256)
        ocsp = tuple(sent.values()) if revocation else None
        found = verify(chain, self.roots, self.now(), self.role, curves=curves, ocsp=ocsp)
        if self.p256 and self.role is Role.VEHICLE:
            found = [finding._replace(fatal=finding.fatal and finding.rule is not Rule.ROLE) for finding in found]
        return found
