"""The TLS handshake messages that are read here, before or beside the library: the ClientHello, by which a station
chooses what it shows, and the messages that bear certificates, their OCSP responses and what the peer accepts. For a
listener, who has no library, also what the server chooses.

Octets in, values out; every length is checked against what is there, and what does not fit is a `HandshakeError`.
Writing, cryptography and the order of messages are the library's. (RFC 8446 4, RFC 5246 7.4, RFC 6066 6 and 8, RFC
6961)
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

MAX_HELLO: Final = 16 * 1024
"""Octets of a ClientHello. Those of vehicles have some hundred; ten roots by name add two thousand."""
MAX_RECORD: Final = 1 << 14
RECORD_HEADER: Final = 5
RETRY: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random of a HelloRetryRequest."""
HANDSHAKE: Final = 22
"""Content type of a record; the first octet on a connection that begins with TLS."""
V2GTP: Final = 0x01
"""The first octet on a connection that begins without."""

NAMED_CURVE: Final = 3
"""Kind of the parameters of a key exchange by elliptic curves."""


class HandshakeError(Exception):
    """What the peer sent is no such message. The text says why."""


class Version(IntEnum):
    """Protocol versions that are of interest."""

    TLS12 = 0x0303
    TLS13 = 0x0304

    def __str__(self) -> str:
        return "TLS 1.2" if self is Version.TLS12 else "TLS 1.3"


class Extension(IntEnum):
    """Extensions that are read or sent."""

    SERVER_NAME = 0
    TRUSTED_CA_KEYS = 3
    STATUS_REQUEST = 5
    SUPPORTED_GROUPS = 10
    SIGNATURE_ALGORITHMS = 13
    STATUS_REQUEST_V2 = 17
    ENCRYPT_THEN_MAC = 22
    SUPPORTED_VERSIONS = 43
    CERTIFICATE_AUTHORITIES = 47
    KEY_SHARE = 51


class HandshakeType(IntEnum):
    """Handshake messages that are read."""

    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    CERTIFICATE = 11
    SERVER_KEY_EXCHANGE = 12
    CERTIFICATE_REQUEST = 13
    CERTIFICATE_VERIFY = 15
    FINISHED = 20
    CERTIFICATE_STATUS = 22
    KEY_UPDATE = 24


class IdentifierType(IntEnum):
    """How trusted_ca_keys names a root. (RFC 6066 6)"""

    PRE_AGREED = 0
    KEY_SHA1_HASH = 1
    X509_NAME = 2
    CERT_SHA1_HASH = 3


class TrustedAuthority(NamedTuple):
    """A root that the peer trusts, by hash or by name."""

    kind: int
    identifier: bytes


class Hello(NamedTuple):
    """What a ClientHello offers."""

    versions: tuple[int, ...]
    cipher_suites: tuple[int, ...]
    signature_algorithms: tuple[int, ...]
    trusted_ca_keys: tuple[TrustedAuthority, ...]
    authorities: tuple[bytes, ...]
    """certificate_authorities: distinguished names, DER."""
    status_request: bool
    """It asks for the OCSP response of the leaf, and in TLS 1.3 for those above it."""
    status_request_v2: bool
    """It asks for all of them, in TLS 1.2."""
    groups: tuple[int, ...] = ()
    server_name: bool = False
    random: bytes = b""


class ServerHello(NamedTuple):
    """What a ServerHello chooses."""

    version: int
    random: bytes
    cipher_suite: int
    group: int | None
    """Of the key exchange; in TLS 1.2 the ServerKeyExchange tells it."""
    encrypt_then_mac: bool
    retry: bool
    """It is a HelloRetryRequest: another ClientHello is wanted. (RFC 8446 4.1.4)"""


class Accepted(NamedTuple):
    """What a CertificateRequest of TLS 1.3 accepts."""

    signature_algorithms: tuple[int, ...]
    authorities: tuple[bytes, ...]


class Certificates(NamedTuple):
    """What a Certificate message bears: certificates as they were sent, DER, and the OCSP response of each."""

    chain: tuple[bytes, ...]
    ocsp: tuple[bytes | None, ...]


class _Octets:
    """Reads from the front; every read is checked."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise HandshakeError(f"{count} octets are announced where {len(taken)} are left")
        self._at += count
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """A vector whose length has `size` octets."""
        return self.take(self.number(size))

    def numbers(self, size: int) -> tuple[int, ...]:
        """A vector of 16-bit numbers."""
        data = self.vector(size)
        if len(data) % 2:
            raise HandshakeError("a list of two-octet numbers has an odd length")
        return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))

    def done(self) -> None:
        if self:
            raise HandshakeError(f"{len(self._data) - self._at} octets too many")


class HelloReader:
    """Collects the records of a ClientHello as they arrive. `data` is all that came, for the library to read again."""

    def __init__(self) -> None:
        self.data = b""
        self._message = b""
        self._read = 0

    def feed(self, data: bytes) -> Hello | None:
        """The ClientHello once it is complete. Raises `HandshakeError`."""
        self.data += data
        while header := self.data[self._read : self._read + RECORD_HEADER]:
            if header[0] != HANDSHAKE:
                what = "unencrypted V2G messages" if header[0] == V2GTP else f"octet 0x{header[0]:02X}"
                raise HandshakeError(f"it begins with {what}, and not with a TLS handshake")
            if len(header) < RECORD_HEADER:
                break
            size = int.from_bytes(header[3:], "big")
            if not 0 < size <= MAX_RECORD:
                raise HandshakeError(f"its first record has {size} octets")
            record = self.data[self._read + RECORD_HEADER : self._read + RECORD_HEADER + size]
            if len(record) < size:
                break
            self._read += RECORD_HEADER + size
            self._message += record
            if (hello := self._complete()) is not None:
                return hello
        if len(self.data) > 2 * MAX_HELLO:
            raise HandshakeError(f"no ClientHello within {2 * MAX_HELLO} octets")
        return None

    def _complete(self) -> Hello | None:
        if self._message[0] != HandshakeType.CLIENT_HELLO:
            raise HandshakeError(f"it begins with handshake message {self._message[0]}, and not with a ClientHello")
        if len(self._message) < 4:
            return None
        size = int.from_bytes(self._message[1:4], "big")
        if size > MAX_HELLO:
            raise HandshakeError(f"its ClientHello has {size} octets, more than {MAX_HELLO}")
        return client_hello(self._message[4 : 4 + size]) if len(self._message) >= 4 + size else None


def client_hello(body: bytes) -> Hello:
    """A ClientHello without its header. Raises `HandshakeError`."""
    octets = _Octets(body)
    legacy = octets.number(2)
    random = octets.take(32)
    octets.vector(1)
    suites = octets.numbers(2)
    octets.vector(1)
    found = _extensions(octets.vector(2)) if octets else {}
    octets.done()
    versions: tuple[int, ...] = (legacy,)
    if (data := found.get(Extension.SUPPORTED_VERSIONS)) is not None:
        versions = _all(data, 1)
    return Hello(
        versions=versions,
        cipher_suites=suites,
        signature_algorithms=_all(found.get(Extension.SIGNATURE_ALGORITHMS)),
        trusted_ca_keys=_trusted(found.get(Extension.TRUSTED_CA_KEYS)),
        authorities=_names(found.get(Extension.CERTIFICATE_AUTHORITIES)),
        status_request=Extension.STATUS_REQUEST in found,
        status_request_v2=Extension.STATUS_REQUEST_V2 in found,
        groups=_all(found.get(Extension.SUPPORTED_GROUPS)),
        server_name=Extension.SERVER_NAME in found,
        random=random,
    )


def server_hello(body: bytes) -> ServerHello:
    """A ServerHello without its header. Raises `HandshakeError`."""
    octets = _Octets(body)
    version, random = octets.number(2), octets.take(32)
    octets.vector(1)
    suite = octets.number(2)
    octets.take(1)
    found = _extensions(octets.vector(2)) if octets else {}
    octets.done()
    if (data := found.get(Extension.SUPPORTED_VERSIONS)) is not None:
        version = _Octets(data).number(2)
    share = found.get(Extension.KEY_SHARE)
    group = None if share is None else _Octets(share).number(2)
    return ServerHello(version, random, suite, group, Extension.ENCRYPT_THEN_MAC in found, random == RETRY)


def server_key_exchange(body: bytes) -> tuple[int | None, int | None]:
    """The group and the signature algorithm in a ServerKeyExchange of TLS 1.2 by elliptic curves. Raises
    `HandshakeError`. (RFC 8422 5.4)"""
    octets = _Octets(body)
    if octets.number(1) != NAMED_CURVE:
        return None, None
    group = octets.number(2)
    octets.vector(1)
    return group, octets.number(2) if octets else None


def signature_algorithm(body: bytes) -> int:
    """The signature algorithm of a CertificateVerify. Raises `HandshakeError`."""
    return _Octets(body).number(2)


def certificate_request(body: bytes) -> Accepted:
    """A CertificateRequest of TLS 1.3 without its header. Raises `HandshakeError`."""
    octets = _Octets(body)
    octets.vector(1)
    found = _extensions(octets.vector(2))
    octets.done()
    names = _names(found.get(Extension.CERTIFICATE_AUTHORITIES))
    return Accepted(_all(found.get(Extension.SIGNATURE_ALGORITHMS)), names)


def certificate(body: bytes, version: int) -> Certificates:
    """A Certificate message without its header. Raises `HandshakeError`."""
    octets = _Octets(body)
    if version >= Version.TLS13:
        octets.vector(1)
    entries = _Octets(octets.vector(3))
    octets.done()
    chain: list[bytes] = []
    ocsp: list[bytes | None] = []
    while entries:
        chain.append(entries.vector(3))
        response = None
        if version >= Version.TLS13:
            response = _extensions(entries.vector(2)).get(Extension.STATUS_REQUEST)
        ocsp.append(certificate_status(response) if response is not None else None)
    return Certificates(tuple(chain), tuple(ocsp))


def certificate_status(body: bytes) -> bytes | None:
    """The OCSP response in a CertificateStatus; None where it is of another kind. Raises `HandshakeError`."""
    octets = _Octets(body)
    kind = octets.number(1)
    if kind != 1:
        return None
    response = octets.vector(3)
    octets.done()
    return response or None


def trusted_ca_keys(authorities: tuple[TrustedAuthority, ...]) -> bytes:
    """The content of the extension trusted_ca_keys."""
    entries = b""
    for kind, identifier in authorities:
        size = len(identifier).to_bytes(2, "big") if kind == IdentifierType.X509_NAME else b""
        entries += bytes([kind]) + size + identifier
    return len(entries).to_bytes(2, "big") + entries


def _extensions(data: bytes) -> dict[int, bytes]:
    octets = _Octets(data)
    found: dict[int, bytes] = {}
    while octets:
        kind, content = octets.number(2), octets.vector(2)
        if kind in found:
            raise HandshakeError(f"extension {kind} comes twice")
        found[kind] = content
    return found


def _all(data: bytes | None, size: int = 2) -> tuple[int, ...]:
    """A vector of 16-bit numbers that is all there is; none where there is nothing."""
    if data is None:
        return ()
    octets = _Octets(data)
    found = octets.numbers(size)
    octets.done()
    return found


def _names(data: bytes | None) -> tuple[bytes, ...]:
    if data is None:
        return ()
    octets = _Octets(data)
    entries = _Octets(octets.vector(2))
    octets.done()
    found = []
    while entries:
        found.append(entries.vector(2))
    return tuple(found)


def _trusted(data: bytes | None) -> tuple[TrustedAuthority, ...]:
    if data is None:
        return ()
    octets = _Octets(data)
    entries = _Octets(octets.vector(2))
    octets.done()
    found = []
    while entries:
        match kind := entries.number(1):
            case IdentifierType.PRE_AGREED:
                identifier = b""
            case IdentifierType.KEY_SHA1_HASH | IdentifierType.CERT_SHA1_HASH:
                identifier = entries.take(20)
            case IdentifierType.X509_NAME:
                identifier = entries.vector(2)
            case _:
                break  # its length is not known: what follows cannot be read
        found.append(TrustedAuthority(kind, identifier))
    return tuple(found)
