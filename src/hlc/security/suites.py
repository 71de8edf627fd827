"""What is offered and accepted in TLS, as data, and which certificate is shown to whom.

ISO 15118-2 is spoken over TLS 1.2 with certificates on secp256r1, ISO 15118-20 over TLS 1.3 with certificates on
secp521r1 or Ed448. (ISO 15118-2 7.7.3; ISO 15118-20 7.7.3, [V2G20-1634], [V2G20-1667], [V2G20-1856], [V2G20-2458] and
following)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from enum import IntEnum
from hashlib import sha1
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from hlc.security.certificate import Curve, key_of
from hlc.security.handshake import Accepted, Hello, IdentifierType, TrustedAuthority, Version
from hlc.security.pki import Credential


class Scheme(IntEnum):
    """Signature algorithms, each with the one kind of key that it goes with."""

    ECDSA_SECP256R1_SHA256 = 0x0403
    ECDSA_SECP521R1_SHA512 = 0x0603
    ED448 = 0x0808

    def __str__(self) -> str:
        return self.name.lower()


BY_CURVE: Final = {
    Curve.P256: Scheme.ECDSA_SECP256R1_SHA256,
    Curve.P521: Scheme.ECDSA_SECP521R1_SHA512,
    Curve.ED448: Scheme.ED448,
}


class Profile(NamedTuple):
    """What one version of TLS offers, the best first, in OpenSSL's names."""

    version: Version
    suites: dict[int, str]
    groups: tuple[str, ...]
    schemes: tuple[Scheme, ...]


TLS12: Final = Profile(
    Version.TLS12,
    # The other one of ISO 15118-2, ECDH with a static key (0xC025), is in no library any more; some cars leave it.
    {0xC023: "ECDHE-ECDSA-AES128-SHA256"},
    ("secp256r1",),
    (Scheme.ECDSA_SECP256R1_SHA256,),
)
TLS13: Final = Profile(
    Version.TLS13,
    {0x1302: "TLS_AES_256_GCM_SHA384", 0x1303: "TLS_CHACHA20_POLY1305_SHA256"},
    ("secp521r1", "x448"),
    (Scheme.ECDSA_SECP521R1_SHA512, Scheme.ED448),
)
TLS13_P256: Final = TLS13._replace(
    groups=(*TLS13.groups, "secp256r1"), schemes=(*TLS13.schemes, Scheme.ECDSA_SECP256R1_SHA256)
)
"""For a PKI that has nothing but secp256r1, as test PKIs of the field do. ISO 15118-20 does not know it."""


class Choice(NamedTuple):
    """What a station shows to a vehicle. `note` says what is worth knowing about it."""

    profile: Profile
    credential: Credential
    note: str = ""


class NothingInCommon(Exception):  # noqa: N818 - it says what is the case
    """What a vehicle offers suits nothing that the station has. The text says what."""


def scheme(credential: Credential) -> Scheme | None:
    """The signature algorithm that a credential signs with; None: none of those that are spoken."""
    curve, _ = key_of(credential.chain[0].public_key())
    return BY_CURVE.get(curve) if curve is not None else None


def tls13(credentials: Iterable[Credential]) -> Profile:
    """The profile of TLS 1.3 for who has these: that of the standard, unless they are all on secp256r1."""
    return TLS13 if any(scheme(credential) in TLS13.schemes for credential in credentials) else TLS13_P256


def choose(
    hello: Hello,
    credentials: Sequence[Credential],
    roots: Sequence[x509.Certificate],
    versions: Collection[Version] = tuple(Version),
    *,
    mutual: bool,
) -> Choice:
    """What a station shows to a vehicle that says hello: TLS 1.3 where both can, and a chain under a root that the
    vehicle trusts where there is one. [V2G2-871], [V2G2-923], [V2G20-2379]

    `versions` are those that the station speaks. `mutual`: it can check certificates of vehicles, without which there
    is no TLS 1.3. Raises `NothingInCommon`.
    """
    why = []
    if Version.TLS13 in hello.versions and Version.TLS13 in versions:
        profile = tls13(credentials)
        fitting = _by_scheme(credentials, [entry for entry in profile.schemes if entry in hello.signature_algorithms])
        if not mutual:
            why.append(
                "TLS 1.3 needs roots for vehicle certificates (roots/oem.pem, roots/v2g.pem), and there are none"
            )
        elif not fitting:
            why.append(f"no certificate here can sign as it wants in TLS 1.3 ({_names(hello.signature_algorithms)})")
        elif profile.suites.keys().isdisjoint(hello.cipher_suites):
            why.append("it offers neither suite of ISO 15118-20")
        else:
            named = [entry for entry in fitting if _root_name(entry) in hello.authorities]
            note = "" if profile is TLS13 else "TLS 1.3 with secp256r1, which ISO 15118-20 does not know"
            return Choice(profile, (named or fitting)[0], note)
    if Version.TLS12 in hello.versions and Version.TLS12 in versions:
        fitting = _by_scheme(credentials, TLS12.schemes)
        if not fitting:
            why.append("TLS 1.2 needs a certificate on secp256r1, and there is none")
        elif TLS12.suites.keys().isdisjoint(hello.cipher_suites):
            why.append("it offers no suite of ISO 15118-2")
        else:
            trusted = [entry for entry in fitting if is_trusted(entry, hello.trusted_ca_keys, roots)]
            note = ""
            if hello.trusted_ca_keys and not trusted:  # [V2G2-923] any other is sent, and the vehicle decides
                note = "the vehicle trusts none of the roots that this station has a certificate under"
            return Choice(TLS12, (trusted or fitting)[0], note)
    spoken = " or ".join(str(version) for version in sorted(versions))
    raise NothingInCommon("; ".join(why) or f"it does not offer {spoken}")


def answer(accepted: Accepted, credentials: Sequence[Credential]) -> Credential | None:
    """What a vehicle shows to a station that asks for its certificate in TLS 1.3; None: nothing suits."""
    profile = tls13(credentials)
    fitting = _by_scheme(credentials, [entry for entry in profile.schemes if entry in accepted.signature_algorithms])
    named = [entry for entry in fitting if _root_name(entry) in accepted.authorities]
    return next(iter(named or fitting), None)


def is_trusted(credential: Credential, trusted: Sequence[TrustedAuthority], roots: Sequence[x509.Certificate]) -> bool:
    """Whether a chain ends under one of the roots that trusted_ca_keys names."""
    names = {TrustedAuthority(IdentifierType.PRE_AGREED, b""), _by_name(_root_name(credential))}
    for root in roots:
        if _issued(credential.chain[-1], root):
            names |= {*identifiers(root)}
    return not names.isdisjoint(trusted)


def identifiers(root: x509.Certificate) -> tuple[TrustedAuthority, ...]:
    """The ways to name a root, the one that we send first. (RFC 6066 6)"""
    key = x509.SubjectKeyIdentifier.from_public_key(root.public_key())
    return (
        TrustedAuthority(IdentifierType.CERT_SHA1_HASH, sha1(root.public_bytes(Encoding.DER)).digest()),
        TrustedAuthority(IdentifierType.KEY_SHA1_HASH, key.digest),
        _by_name(root.subject.public_bytes()),
    )


def _by_name(name: bytes) -> TrustedAuthority:
    return TrustedAuthority(IdentifierType.X509_NAME, name)


def _root_name(credential: Credential) -> bytes:
    return credential.chain[-1].issuer.public_bytes()


def _issued(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    """Two generations of a root may have the same name: the signature tells."""
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _by_scheme(credentials: Iterable[Credential], schemes: Sequence[Scheme]) -> list[Credential]:
    """Those that can sign with one of these, in their order."""
    found = [(scheme(credential), credential) for credential in credentials]
    return [credential for wanted in schemes for kind, credential in found if kind is wanted]


def _names(schemes: Iterable[int]) -> str:
    known = [str(Scheme(entry)) if entry in set(Scheme) else f"0x{entry:04X}" for entry in schemes]
    return ", ".join(known[:8]) or "none"
