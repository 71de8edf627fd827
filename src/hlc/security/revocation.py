"""What an OCSP response says of a certificate, and whether it is to be believed. (RFC 6960)"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp

from hlc.security.certificate import ALGORITHMS, LONGEST, Facts, quiet, read, signed

MOST_SINGLE: Final = 16
"""Answers of one response that are looked at."""
MOST_DELEGATES: Final = 4
SLACK: Final = timedelta(minutes=5)
"""A responder's clock may be ahead of ours by this much."""


class State(Enum):
    """What is known of a certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


class Answer(NamedTuple):
    """What a response says, and why it says no more."""

    state: State
    text: str


def judge(response: bytes | None, subject: Facts, issuer: Facts, now: datetime) -> Answer:
    """What a response, or none, says of a certificate. Never raises."""
    if response is None:
        return Answer(State.UNKNOWN, "no OCSP response tells whether it is revoked")
    if len(response) > LONGEST:
        return Answer(State.UNKNOWN, f"an OCSP response of {len(response)} octets is not looked at")
    try:
        with quiet():
            return _judge(response, subject, issuer, now)
    except Exception:  # whatever the library cannot read in what was sent
        return Answer(State.UNKNOWN, "its OCSP response cannot be read")


def _judge(response: bytes, subject: Facts, issuer: Facts, now: datetime) -> Answer:
    loaded = ocsp.load_der_ocsp_response(response)
    if loaded.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return Answer(State.UNKNOWN, f"its OCSP responder answered {loaded.response_status.name.lower()}")
    if not _signed(loaded, issuer, now):
        return Answer(State.UNKNOWN, "its OCSP response is not signed by its issuer or one whom that has delegated")
    single = _single(loaded, subject, issuer)
    if single is None:
        return Answer(State.UNKNOWN, "its OCSP response is about another certificate")
    if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        # Revoked stays revoked, however old the answer.
        when = single.revocation_time_utc
        return Answer(State.REVOKED, f"revoked on {when:%Y-%m-%d %H:%M} UTC" if when else "revoked")
    if single.certificate_status is not ocsp.OCSPCertStatus.GOOD:
        return Answer(State.UNKNOWN, "its OCSP responder does not know it")
    if single.this_update_utc > now + SLACK:
        return Answer(State.UNKNOWN, f"its OCSP response is from the future ({single.this_update_utc:%Y-%m-%d %H:%M})")
    if single.next_update_utc is None or single.next_update_utc < now:
        until = "" if single.next_update_utc is None else f" since {single.next_update_utc:%Y-%m-%d %H:%M} UTC"
        return Answer(State.UNKNOWN, f"its OCSP response is out of date{until}")
    return Answer(State.GOOD, f"not revoked, by an OCSP response good until {single.next_update_utc:%Y-%m-%d}")


def about(response: bytes, subject: Facts, issuer: Facts | None) -> bool:
    """Whether a response is about this certificate; by its serial number alone without its issuer. Never raises."""
    try:
        with quiet():
            loaded = ocsp.load_der_ocsp_response(response)
            return _single(loaded, subject, issuer) is not None
    except Exception:  # it cannot be read: about none
        return False


def _single(loaded: ocsp.OCSPResponse, subject: Facts, issuer: Facts | None) -> ocsp.OCSPSingleResponse | None:
    """The answer about this certificate: by its serial number and its issuer's key."""
    for _, single in zip(range(MOST_SINGLE), loaded.responses, strict=False):
        if single.serial_number != subject.serial:
            continue
        if issuer is None or single.issuer_key_hash == _key_hash(issuer, single.hash_algorithm):
            return single
    return None


def _signed(loaded: ocsp.OCSPResponse, issuer: Facts, now: datetime) -> bool:
    """Whether the issuer, or a responder to whom it has given a certificate for that, has signed the response."""
    if _by(loaded, issuer):
        return True
    for certificate in loaded.certificates[:MOST_DELEGATES]:
        delegate = read(certificate)
        if (
            "OCSPSigning" in (delegate.purposes or ())
            and delegate.not_before is not None
            and delegate.not_after is not None
            and delegate.not_before <= now <= delegate.not_after
            and signed(delegate, issuer)
            and _by(loaded, delegate)
        ):
            return True
    return False


def _by(loaded: ocsp.OCSPResponse, signer: Facts) -> bool:
    if loaded.signature_algorithm_oid.dotted_string not in ALGORITHMS:
        return False
    public = signer.certificate.public_key()
    algorithm = loaded.signature_hash_algorithm
    try:
        match public:
            case ec.EllipticCurvePublicKey() if algorithm is not None:
                public.verify(loaded.signature, loaded.tbs_response_bytes, ec.ECDSA(algorithm))
            case ed448.Ed448PublicKey():
                public.verify(loaded.signature, loaded.tbs_response_bytes)
            case _:
                return False
    except Exception:  # a wrong signature, or a hash that is not known
        return False
    return True


def _key_hash(facts: Facts, algorithm: hashes.HashAlgorithm) -> bytes:
    """The hash of a public key without its algorithm, as a CertID has it."""
    digest = hashes.Hash(algorithm)
    match facts.certificate.public_key():
        case ec.EllipticCurvePublicKey() as public:
            digest.update(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
        case ed448.Ed448PublicKey() as public:
            digest.update(public.public_bytes_raw())
    return digest.finalize()
