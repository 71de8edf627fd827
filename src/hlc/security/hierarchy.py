"""A whole test hierarchy, made by the table of profiles: for the files of a directory, or to be thrown away after use.

The keys are made by the library; the time is handed in. Everything bears a mark in its subject that tells it from real
certificates: whoever holds the files could sign in its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import Certificate, ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from hlc.security.bad import BAD, SWAPS, Draft, another
from hlc.security.certificate import KEY_USAGES, PURPOSES, USAGE_NAMES, Curve, PkiError, der, parse
from hlc.security.pki import Credential, Pki
from hlc.security.profiles import BY_NAME, OCSP_DAYS, PROFILES, TEST_MARK, THROW_AWAY_MARK, Profile, Role, Root

BACKDATED: Final = timedelta(days=1)
"""Validity begins this long ago: the clock of a controller on a bench may be behind."""
RESPONDER: Final = "http://ocsp.invalid/"
"""In every certificate that can be revoked. No such host can exist; the responses are stapled."""

HASHES: Final[dict[Curve, hashes.SHA256 | hashes.SHA512 | None]] = {
    Curve.P256: hashes.SHA256(),
    Curve.P521: hashes.SHA512(),
    Curve.ED448: None,
}
"""What is hashed before it is signed."""


class Bent(NamedTuple):
    """Which credential is made bad, and how."""

    kind: str
    role: Role


class Issued(NamedTuple):
    """A certificate and its key."""

    certificate: Certificate
    key: Any


def bent(text: str) -> Bent:
    """What KIND or KIND:NAME asks for. Raises `PkiError`."""
    kind, colon, name = text.partition(":")
    if kind not in BAD:
        raise PkiError(f"there is no kind {kind!r} of bad credential: it is one of {', '.join(BAD)}")
    bad = BAD[kind]
    if not colon:
        return Bent(kind, bad.role)
    if name not in bad.roles:
        raise PkiError(f"{kind} is for {', '.join(bad.roles)}, not for {name!r}")
    return Bent(kind, Role(name))


def throw_away(now: datetime, curves: Sequence[Curve] = tuple(Curve)) -> Pki:
    """A hierarchy for one run of a simulation: no directory holds its keys, and no directory that holds its roots is
    believed."""
    made = {curve: _generation(curve, now, THROW_AWAY_MARK, None) for curve in curves}
    return Pki(
        {root: tuple(made[curve][root].certificate for curve in curves) for root in Root},
        {role: tuple(_credential(made[curve], role, curve, now, None) for curve in curves) for role in Role},
    )


def files(now: datetime, curves: Sequence[Curve] = tuple(Curve), bad: Bent | None = None) -> dict[str, bytes]:
    """A hierarchy as the files of a directory, by their names. Those of keys end in .key.pem."""
    made = {curve: _generation(curve, now, TEST_MARK, bad) for curve in curves}
    found = {f"roots/{root}.pem": b"".join(_pem(made[curve][root].certificate) for curve in curves) for root in Root}
    for role in Role:
        for curve in curves:
            stem = f"{role}.{curve.tag}" if curve.tag else str(role)
            credential = _credential(made[curve], role, curve, now, bad)
            found[f"{stem}.chain.pem"] = b"".join(_pem(one) for one in credential.chain)
            found[f"{stem}.key.pem"] = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            for n, response in enumerate(credential.ocsp):
                if response is not None:
                    found[f"{stem}.ocsp/{n}.der"] = response
    return found


def _pem(certificate: Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


# --- certificates -----------------------------------------------------------------------------------------------------


def _generation(curve: Curve, now: datetime, organization: str, bad: Bent | None) -> dict[str, Issued]:
    """Every certificate with one kind of key, by its name."""
    made: dict[str, Issued] = {}
    spoilt = _lineage(bad.role)[BAD[bad.kind].above] if bad is not None else None
    for profile in PROFILES:
        issuer = made[profile.issuer] if profile.issuer is not None else None
        key = _key(curve)
        begins = now.replace(microsecond=0) - BACKDATED
        draft = Draft(profile, begins, begins + timedelta(days=profile.days), key, issuer.key if issuer else key)
        change = BAD[bad.kind].change if bad is not None else None
        if profile.name == spoilt and change is not None:
            draft = change(draft)
        made[profile.name] = Issued(_issue(draft, curve, organization, issuer), draft.key)
    return made


def _lineage(role: Role) -> list[str]:
    """The certificates of a chain by name, from the leaf to the root."""
    names = [str(role)]
    while above := BY_NAME[names[-1]].issuer:
        names.append(above)
    return names


def _key(curve: Curve) -> Any:
    match curve:
        case Curve.P256:
            return ec.generate_private_key(ec.SECP256R1())
        case Curve.P521:
            return ec.generate_private_key(ec.SECP521R1())
        case Curve.ED448:
            return ed448.Ed448PrivateKey.generate()


def _issue(draft: Draft, curve: Curve, organization: str, issuer: Issued | None) -> Certificate:
    profile, public = draft.profile, draft.key.public_key()
    subject = _subject(profile, curve, organization)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer is not None else subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(draft.not_before)
        .not_valid_after(draft.not_after)
        .add_extension(x509.BasicConstraints(ca=profile.ca, path_length=profile.path_length), critical=True)
        .add_extension(_usage(profile, curve), critical=True)
        .add_extension(_identifier(public, curve), critical=False)
    )
    # ISO 15118-2 asks for no extended key usage and forbids none; TLS libraries are content with it.
    if profile.purpose is not None:
        builder = builder.add_extension(_purpose(profile.purpose), critical=False)
    if issuer is not None:
        above = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(RESPONDER))
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above), critical=False
        ).add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    return builder.sign(draft.signer, HASHES[curve])


def _subject(profile: Profile, curve: Curve, organization: str) -> x509.Name:
    # Roots are chosen by name [V2G20-1006]: those of different keys need different names.
    common = f"{profile.common_name} {curve.value}" if profile.ca else profile.common_name
    parts = [
        x509.NameAttribute(NameOID.COMMON_NAME, common),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
    ]
    if profile.domain is not None:
        parts.append(x509.NameAttribute(NameOID.DOMAIN_COMPONENT, profile.domain))
    return x509.Name(parts)


def _usage(profile: Profile, curve: Curve) -> x509.KeyUsage:
    # A key for Ed448 agrees on nothing and enciphers nothing (RFC 8410 5).
    cannot = {"keyAgreement", "keyEncipherment"} if curve is Curve.ED448 else set()
    named = {name: USAGE_NAMES[name] in profile.usage - cannot for name in KEY_USAGES}
    return x509.KeyUsage(**named, encipher_only=False, decipher_only=False)


def _purpose(name: str) -> x509.ExtendedKeyUsage:
    oids = {known: x509.ObjectIdentifier(dotted) for dotted, known in PURPOSES.items()}
    return x509.ExtendedKeyUsage([oids[name]])


def _identifier(public: Any, curve: Curve) -> x509.SubjectKeyIdentifier:
    """ISO 15118-2 by method 1 of RFC 5280, ISO 15118-20 by method 2, eight octets [V2G20-2492]."""
    whole = x509.SubjectKeyIdentifier.from_public_key(public)
    if curve is Curve.P256:
        return whole
    return x509.SubjectKeyIdentifier(bytes([0x40 | whole.digest[-8] & 0x0F]) + whole.digest[-7:])


# --- credentials ------------------------------------------------------------------------------------------------------


def _credential(made: dict[str, Issued], role: Role, curve: Curve, now: datetime, bad: Bent | None) -> Credential:
    kind = bad.kind if bad is not None and bad.role is role else None
    *names, root = _lineage(SWAPS[role] if kind == "swapped-roles" else role)
    line = [made[name] for name in (*names, root)]
    chain = [one.certificate for one in line[:-1]]
    responses: list[bytes | None] = [
        _response(subject, issuer, curve, now, revoked=kind == "revoked" and n == 0)
        for n, (subject, issuer) in enumerate(pairwise(line))
    ]
    key = line[0].key
    if kind == "bad-signature":
        octets = der(chain[0])
        chain[0] = parse(octets[:-1] + bytes([octets[-1] ^ 1]))
    if kind == "wrong-key":
        key = another(key)
    if kind == "no-sub-cas":
        chain, responses = chain[:1], responses[:1]
    return Credential(tuple(chain), key, tuple(responses))


def _response(subject: Issued, issuer: Issued, curve: Curve, now: datetime, *, revoked: bool) -> bytes:
    """An OCSP response by the issuer itself."""
    since = now.replace(microsecond=0) - timedelta(hours=1)
    response = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            subject.certificate,
            issuer.certificate,
            hashes.SHA256(),
            ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
            since,
            since + timedelta(days=OCSP_DAYS),
            since if revoked else None,
            x509.ReasonFlags.key_compromise if revoked else None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, issuer.certificate)
        .sign(issuer.key, HASHES[curve])
    )
    return response.public_bytes(Encoding.DER)
