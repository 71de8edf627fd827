"""A PKI directory: the roots that are trusted and the credentials that are shown, from the files of a directory.

    roots/v2g.pem roots/oem.pem roots/mo.pem     one file each, any number of roots in it
    NAME.chain.pem                               the leaf first, then its Sub-CAs, no root
    NAME.key.pem                                 the leaf's key
    NAME.key.password                            its password, if it has one
    NAME.ocsp/ANYTHING.der                       OCSP responses about certificates of the chain

NAME is secc, vehicle, contract, provisioning or cps. Credentials with other keys for the same role bear a tag, as in
secc.p521.chain.pem, secc.p521.key.pem, secc.p521.ocsp/; the tag is only a name, the key tells what it is. Files are
handed in by their names; whoever reads them from a disk is somewhere else. What is wrong with one file is told in
`problems` and takes nothing else with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.x509 import Certificate

from hlc.security import revocation
from hlc.security.certificate import LONGEST, Curve, PkiError, PrivateKey, key_of, parse, quiet, read
from hlc.security.profiles import ANCHORS, THROW_AWAY_MARK, Role, Root

MOST_CERTIFICATES: Final = 64
"""Certificates of one PEM file."""

CHAIN: Final = re.compile(rf"({'|'.join(Role)})((?:\.[a-z0-9_-]+)?)\.chain\.pem")
"""The file of a chain: whose, and its tag."""
ROOTS: Final = {f"roots/{kind}.pem": kind for kind in Root}


class Credential(NamedTuple):
    """A chain with the key of its leaf: what one end shows to the other."""

    chain: tuple[Certificate, ...]
    """The leaf first, no root."""
    key: PrivateKey
    ocsp: tuple[bytes | None, ...]
    """For each certificate of the chain its OCSP response."""

    @property
    def curve(self) -> Curve | None:
        """The leaf's kind of key."""
        return read(self.chain[0]).curve


class Pki(NamedTuple):
    """Roots and credentials."""

    trusted: Mapping[Root, tuple[Certificate, ...]]
    shown: Mapping[Role, tuple[Credential, ...]]
    problems: tuple[str, ...] = ()
    """What is wrong with the directory, a line each."""

    def roots(self, kind: str) -> tuple[Certificate, ...]:
        """The roots of a kind: v2g, oem, mo."""
        return self.trusted.get(Root(kind), ())

    def anchors(self, role: str) -> tuple[Certificate, ...]:
        """The roots under which a chain of this role may stand."""
        return tuple(one for kind in ANCHORS[Role(role)] for one in self.roots(kind))

    def credentials(self, name: str) -> tuple[Credential, ...]:
        """The credentials of a role: secc, vehicle, contract, provisioning, cps; ISO 15118-2's first."""
        return self.shown.get(Role(name), ())


def is_directory(names: Iterable[str]) -> bool:
    """Whether files bear the names of a PKI directory."""
    return any(CHAIN.fullmatch(name) or name in ROOTS for name in names)


def load(files: Mapping[str, bytes]) -> Pki:
    """Roots and credentials from the files of a directory, by their names relative to it. Never raises."""
    problems: list[str] = []
    trusted = {}
    for name, kind in ROOTS.items():
        if name in files:
            trusted[kind] = tuple(_roots(name, files[name], problems))
    shown: dict[Role, tuple[Credential, ...]] = {}
    # Plain names first, then P-521 before Ed448: the order of preference of ISO 15118-20 [V2G20-2461].
    for name in sorted(files, key=rank):
        found = CHAIN.fullmatch(name)
        if found is None:
            continue
        role = Role(found[1])
        try:
            credential = _credential(f"{role}{found[2]}", files)
        except PkiError as error:
            problems.append(str(error))
        else:
            shown[role] = (*shown.get(role, ()), credential)
    for name in sorted(files):
        stem = name.removesuffix(".key.pem")
        if stem != name and CHAIN.fullmatch(f"{stem}.chain.pem") and f"{stem}.chain.pem" not in files:
            problems.append(f"{stem}.chain.pem is missing: {name} is of no use without its certificates")
    if not is_directory(files):
        problems.append("no roots/v2g.pem, roots/oem.pem, roots/mo.pem and no NAME.chain.pem: no PKI directory")
    return Pki(trusted, shown, tuple(problems))


def rank(name: str) -> tuple[int, str]:
    """Where the file of a chain stands among those of its role: by its tag."""
    tags = [f".{curve.tag}." for curve in Curve if curve.tag]
    found = CHAIN.fullmatch(name)
    if found is None or not found[2]:
        return 0, name
    return next((n for n, tag in enumerate(tags, start=1) if tag == f"{found[2]}."), len(tags) + 1), name


def _roots(name: str, data: bytes, problems: list[str]) -> Iterable[Certificate]:
    try:
        found = certificates(name, data)
    except PkiError as error:
        problems.append(str(error))
        return
    for one in found:
        facts = read(one)
        if facts.organization == THROW_AWAY_MARK:
            problems.append(f"{name}: {facts.name} is the root of a simulation's throw-away hierarchy: not trusted")
        elif not facts.self_issued or not facts.ca:
            problems.append(f"{name}: {facts.name} is no root: a root is a CA that has signed itself: not trusted")
        else:
            yield one


def _credential(stem: str, files: Mapping[str, bytes]) -> Credential:
    name, key_name = f"{stem}.chain.pem", f"{stem}.key.pem"
    chain = certificates(name, files[name])
    if key_name not in files:
        raise PkiError(f"{key_name} is missing: {name} cannot be shown without its key")
    password = files.get(f"{stem}.key.password")
    key = private_key(key_name, files[key_name], password, f"{stem}.key.password")
    if not matches(key, chain[0]):
        other = next((f"certificate {n} of it" for n, one in enumerate(chain, start=1) if matches(key, one)), None)
        why = f"it belongs to {other}: the leaf comes first" if other else "they are not of one pair"
        raise PkiError(f"{key_name} does not belong to the first certificate of {name}: {why}")
    prefix = f"{stem}.ocsp/"
    responses = [files[one] for one in sorted(files) if one.startswith(prefix) and one.endswith(".der")]
    return Credential(chain, key, tuple(_responses(chain, responses)))


def _responses(chain: tuple[Certificate, ...], responses: list[bytes]) -> Iterable[bytes | None]:
    """For each certificate the response about it. The issuer of the last, a root, is not there: its serial tells."""
    facts = [read(one) for one in chain]
    for n, one in enumerate(facts):
        issuer = facts[n + 1] if n + 1 < len(facts) else None
        yield next((response for response in responses if revocation.about(response, one, issuer)), None)


# --- files ------------------------------------------------------------------------------------------------------------


def certificates(name: str, data: bytes) -> tuple[Certificate, ...]:
    """The certificates of a file in PEM, or the one of a file in DER. Raises `PkiError`."""
    if len(data) > LONGEST * 4:
        raise PkiError(f"{name}: {len(data)} octets are more than any chain has")
    if b"-----BEGIN" not in data:
        if not data.strip():
            raise PkiError(f"{name} is empty: it should hold certificates in PEM")
        try:
            return (parse(data),)
        except PkiError as error:
            raise PkiError(f"{name}: neither PEM nor {str(error).removeprefix('no ')}") from None
    if b"-----BEGIN CERTIFICATE-----" not in data:
        kind = re.search(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----", data)
        what = kind[1].decode().lower() if kind else "something else"
        raise PkiError(f"{name}: no certificate in it but {what}")
    try:
        with quiet():
            found = x509.load_pem_x509_certificates(data)
    except Exception:  # whatever the library thinks of broken PEM
        raise PkiError(f"{name}: its PEM is damaged: copy it anew from where it was made") from None
    if len(found) > MOST_CERTIFICATES:
        raise PkiError(f"{name}: {len(found)} certificates are more than any chain has")
    return tuple(found)


def private_key(name: str, data: bytes, password: bytes | None, where: str = "its .password file") -> PrivateKey:
    """A private key in PEM or DER; `where` its password is looked for. Raises `PkiError`."""
    secret = password.strip(b"\r\n") if password is not None else None
    read_key: Any = load_pem_private_key if b"-----BEGIN" in data else load_der_private_key
    if b"-----BEGIN CERTIFICATE-----" in data and b"PRIVATE KEY-----" not in data:
        raise PkiError(f"{name}: no private key in it but a certificate")
    try:
        try:
            key = read_key(data, secret or None)
        except TypeError:
            if secret:  # a password for a key that needs none does no harm
                key = read_key(data, None)
            else:
                raise PkiError(f"{name} is encrypted: put its password into {where}") from None
    except PkiError:
        raise
    except Exception:  # the library does not tell a wrong password from a damaged key
        if secret:
            raise PkiError(f"{name}: the password in {where} does not open it, or it is damaged") from None
        raise PkiError(f"{name}: no private key in PEM or DER") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed448.Ed448PrivateKey):
        _, kind = key_of(key.public_key())
        raise PkiError(f"{name}: its key is {kind}, where {' or '.join(one.value for one in Curve)} is prescribed")
    return key


def matches(key: PrivateKey, certificate: Certificate) -> bool:
    """Whether a private key belongs to a certificate. Never raises."""
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    try:
        return key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)
    except Exception:  # the certificate's key cannot be read
        return False
