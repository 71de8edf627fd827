"""One certificate, read: who, which key, how long, for what.

Everything is read at once and nothing here raises on what a peer sent: a part that cannot be read is None and named in
`unread`. Whether it is good is not decided here; see `verify`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from typing import Any, Final, NamedTuple, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    ExtensionOID,
    NameOID,
    SignatureAlgorithmOID,
)

from hlc.trace.describe import clean

LONGEST: Final = 1 << 16
"""Octets of a certificate or a PEM file beyond which it is not even looked at."""
LONGEST_NAME: Final = 64
"""Characters of a name that are shown (the bound of RFC 5280 for a common name)."""


class PkiError(Exception):
    """What was given is no certificate, key or set of certificates. The text says what, why, and what to do."""


class Curve(Enum):
    """The keys that the standards know; each is a generation of certificates with its own roots."""

    P256 = "P-256"  # ISO 15118-2
    P521 = "P-521"  # [V2G20-2674]
    ED448 = "Ed448"  # [V2G20-2319]

    @property
    def tag(self) -> str:
        """The part of a file's name that tells the curve; P-256 has none."""
        return "" if self is Curve.P256 else self.value.lower().replace("-", "")


PrivateKey = ec.EllipticCurvePrivateKey | ed448.Ed448PrivateKey

KEY_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
USAGE_NAMES: Final = {
    "digital_signature": "digitalSignature",
    "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
}
"""Names of the library to those of RFC 5280, which is what a person reads."""
PURPOSES: Final = {
    ExtendedKeyUsageOID.SERVER_AUTH.dotted_string: "serverAuth",
    ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string: "clientAuth",
    ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string: "OCSPSigning",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string: "any",
}


ALGORITHMS: Final = {
    SignatureAlgorithmOID.ECDSA_WITH_SHA256.dotted_string: Curve.P256,
    SignatureAlgorithmOID.ECDSA_WITH_SHA512.dotted_string: Curve.P521,
    SignatureAlgorithmOID.ED448.dotted_string: Curve.ED448,
}
"""The signature algorithms of the profiles, and the key that each belongs to."""

UNDERSTOOD: Final = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.CERTIFICATE_POLICIES,
}
"""Extensions that may be critical: they are judged, or take nothing away where no policy is asked for."""


class Facts(NamedTuple):
    """What a certificate says of itself."""

    certificate: Certificate
    size: int
    """Octets in DER, as messages carry it."""
    subject: x509.Name | None
    issuer: x509.Name | None
    name: str
    """The common name, else the whole subject; never empty, fit to be printed."""
    common_name: str | None
    organization: str | None
    domains: tuple[str, ...]
    serial: int
    curve: Curve | None
    key: str
    """The key in words: P-256, RSA 2048, secp224r1."""
    algorithm: str
    """OID of the signature's algorithm, dotted."""
    not_before: datetime | None
    not_after: datetime | None
    ca: bool
    path_length: int | None
    usage: frozenset[str] | None
    """By the names of RFC 5280. None: the extension is missing."""
    purposes: frozenset[str] | None
    """Extended key usage: by name where known, else dotted. None: the extension is missing."""
    uncritical: tuple[str, ...]
    """Extensions that must be critical and are not."""
    foreign: tuple[str, ...]
    """Critical extensions that are not understood, by OID."""
    responders: tuple[str, ...]
    """OCSP responders (AIA)."""
    unread: tuple[str, ...]
    """Parts that could not be read, and why."""

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer are the same, as in a root."""
        return self.subject is not None and self.subject == self.issuer


@contextmanager
def quiet() -> Iterator[None]:
    """The library warns of odd certificates where it accepts them; what is odd is our own to say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def parse(der: bytes) -> Certificate:
    """A certificate from DER. Raises `PkiError`."""
    if len(der) > LONGEST:
        raise PkiError(f"no certificate: {len(der)} octets are more than any certificate has")
    try:
        with quiet():
            return x509.load_der_x509_certificate(der)
    except Exception as error:  # whatever the library thinks of hostile octets
        raise PkiError(f"no certificate in DER: {_why(error)}") from None


def der(certificate: Certificate) -> bytes:
    """The octets of a certificate."""
    return certificate.public_bytes(Encoding.DER)


def key_of(public: Any) -> tuple[Curve | None, str]:
    """Curve and name of a public key."""
    match public:
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
            return Curve.P256, Curve.P256.value
        case ec.EllipticCurvePublicKey(curve=ec.SECP521R1()):
            return Curve.P521, Curve.P521.value
        case ed448.Ed448PublicKey():
            return Curve.ED448, Curve.ED448.value
        case ec.EllipticCurvePublicKey():
            return None, str(public.curve.name)
    name = type(public).__name__.lstrip("_").removesuffix("PublicKey")
    return None, f"{name} {getattr(public, 'key_size', '')}".rstrip()


def shown(name: str) -> str:
    """A name out of a certificate, bounded and fit to be printed."""
    return clean(name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}...")


def read(certificate: Certificate) -> Facts:
    """What a certificate says of itself. Never raises."""
    with quiet():
        return _read(certificate)


T = TypeVar("T")


def _read(certificate: Certificate) -> Facts:
    unread: list[str] = []

    def attempt(what: str, get: Callable[[], T]) -> T | None:
        try:
            return get()
        except Exception as error:  # the library reads late, and what it reads is hostile
            unread.append(f"{what}: {_why(error)}")
            return None

    subject = attempt("subject", lambda: certificate.subject)
    extensions = attempt("extensions", lambda: certificate.extensions)

    def extension(kind: type[Any]) -> Any:
        return next((one for one in extensions or () if isinstance(one.value, kind)), None)

    public = attempt("public key", certificate.public_key)
    curve, key = (None, "a key that cannot be read") if public is None else key_of(public)
    basic, usage = extension(x509.BasicConstraints), extension(x509.KeyUsage)
    purposes, access = extension(x509.ExtendedKeyUsage), extension(x509.AuthorityInformationAccess)
    common = _attributes(subject, NameOID.COMMON_NAME)
    organization = _attributes(subject, NameOID.ORGANIZATION_NAME)
    whole = (attempt("subject", subject.rfc4514_string) if subject is not None else None) or "(no name)"
    return Facts(
        certificate=certificate,
        size=len(der(certificate)),
        subject=subject,
        issuer=attempt("issuer", lambda: certificate.issuer),
        name=shown(common[0] if common and common[0] else whole),
        common_name=common[0] if common else None,
        organization=organization[0] if organization else None,
        domains=_attributes(subject, NameOID.DOMAIN_COMPONENT),
        serial=attempt("serial number", lambda: certificate.serial_number) or 0,
        curve=curve,
        key=key,
        algorithm=attempt("signature algorithm", lambda: certificate.signature_algorithm_oid.dotted_string) or "",
        not_before=attempt("validity", lambda: certificate.not_valid_before_utc),
        not_after=attempt("validity", lambda: certificate.not_valid_after_utc),
        ca=basic is not None and basic.value.ca,
        path_length=None if basic is None else basic.value.path_length,
        usage=None
        if usage is None
        else frozenset(USAGE_NAMES[name] for name in KEY_USAGES if getattr(usage.value, name)),
        purposes=None
        if purposes is None
        else frozenset(PURPOSES.get(oid.dotted_string, oid.dotted_string) for oid in purposes.value),
        uncritical=tuple(
            name
            for name, found in (("basicConstraints", basic), ("keyUsage", usage))
            if found is not None and not found.critical
        ),
        foreign=tuple(one.oid.dotted_string for one in extensions or () if one.critical and one.oid not in UNDERSTOOD),
        responders=tuple(
            shown(str(one.access_location.value))
            for one in (access.value if access is not None else ())
            if one.access_method == AuthorityInformationAccessOID.OCSP
        ),
        unread=tuple(unread),
    )


def signed(facts: Facts, issuer: Facts) -> bool:
    """Whether a certificate's signature is by the issuer's key. Only keys of the profiles sign."""
    if issuer.curve is None or facts.algorithm not in ALGORITHMS:
        return False
    try:
        with quiet():
            facts.certificate.verify_directly_issued_by(issuer.certificate)
    except Exception:  # another's signature, or whatever the library cannot read in what was sent
        return False
    return True


def _attributes(name: x509.Name | None, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    found = () if name is None else name.get_attributes_for_oid(oid)
    return tuple(one.value if isinstance(one.value, str) else one.value.hex() for one in found)


def _why(error: Exception) -> str:
    """The library's reason in one line, without where in its own structures it was."""
    return clean(str(error).split("\n")[0][:120]) or type(error).__name__
