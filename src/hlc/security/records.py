"""Records of TLS 1.2 and 1.3 opened by the secrets of a key log: key schedules and record protection, nothing else.

No I/O and no state beyond the keys: who asks says which record it is. (RFC 5246 6, RFC 5288, RFC 6655, RFC 7366, RFC
7905; RFC 8446 5 and 7)
"""

from __future__ import annotations

import hmac
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from hlc.security.registry import SUITES

TAG: Final = 16
"""Octets of the tag of an AEAD cipher, and of a block."""
SECRET: Final = {"sha256": 32, "sha384": 48}
"""Octets of a secret of TLS 1.3, by the hash of its suite."""
MACS: Final = {"SHA": "sha1", "SHA256": "sha256", "SHA384": "sha384"}


class Suite(NamedTuple):
    """How a suite protects records."""

    cipher: str
    """"GCM", "CCM", "CCM_8", "CHACHA20" or "CBC"."""
    key: int
    """Octets of the key of the cipher."""
    hash: str
    """Of the key schedule."""
    mac: str = ""
    """Hash of the MAC, where there is one."""


class Opened(NamedTuple):
    """What was in a record."""

    kind: int
    """Content type."""
    data: bytes


def suite(number: int) -> Suite | None:
    """How this suite protects records; None where it is not known. Its name says everything."""
    name = SUITES.get(number, "")
    hashed = "sha384" if name.endswith("SHA384") else "sha256"
    if "CHACHA20" in name:
        return Suite("CHACHA20", 32, hashed)
    key = 32 if "AES_256" in name else 16
    for cipher in ("GCM", "CCM_8", "CCM"):
        if f"_{cipher}" in name:
            return Suite(cipher, key, hashed)
    if "_CBC_" in name:
        return Suite("CBC", key, hashed, MACS[name.rpartition("_")[2]])
    return None


class Keys:
    """The keys of one direction until they change. `secret` is the traffic secret they were made of, in TLS 1.3."""

    secret: bytes = b""

    def open(self, sequence: int, header: bytes, body: bytes) -> Opened | None:
        """The record with this number under these keys; None where it is another one, or was changed."""
        raise NotImplementedError


class Modern(Keys):
    """TLS 1.3. (RFC 8446 5.2 and 7.3)"""

    def __init__(self, suite: Suite, secret: bytes) -> None:
        self.secret = secret
        self._suite = suite
        self._aead = _aead(suite, _expand(suite, secret, "key", suite.key))
        self._iv = int.from_bytes(_expand(suite, secret, "iv", 12), "big")

    def open(self, sequence: int, header: bytes, body: bytes) -> Opened | None:
        nonce = (self._iv ^ sequence).to_bytes(12, "big")
        data = _decrypted(self._aead, nonce, body, header)
        if data is None:
            return None
        inner = data.rstrip(b"\0")  # the content type stands behind the data, padding behind that
        return Opened(inner[-1], inner[:-1]) if inner else None

    def updated(self) -> Modern:
        """The keys after a KeyUpdate. (RFC 8446 7.2)"""
        return Modern(self._suite, _expand(self._suite, self.secret, "traffic upd", len(self.secret)))


class Aead(Keys):
    """TLS 1.2 with an AEAD cipher. (RFC 5246 6.2.3.3)"""

    def __init__(self, suite: Suite, key: bytes, iv: bytes) -> None:
        self._aead = _aead(suite, key)
        self._iv = iv
        self._explicit = 8 if len(iv) == 4 else 0
        self._tag = 8 if suite.cipher == "CCM_8" else TAG

    def open(self, sequence: int, header: bytes, body: bytes) -> Opened | None:
        size = len(body) - self._explicit - self._tag
        if size < 0:
            return None
        if self._explicit:
            nonce = self._iv + body[:8]
        else:
            nonce = (int.from_bytes(self._iv, "big") ^ sequence).to_bytes(12, "big")
        about = sequence.to_bytes(8, "big") + header[:3] + size.to_bytes(2, "big")
        data = _decrypted(self._aead, nonce, body[self._explicit :], about)
        return None if data is None else Opened(header[0], data)


class Cbc(Keys):
    """TLS 1.2 with a block cipher and a MAC: of the plaintext, or (`outside`) of what was encrypted. (RFC 5246 6.2.3.2,
    RFC 7366)"""

    def __init__(self, suite: Suite, key: bytes, mac_key: bytes, *, outside: bool) -> None:
        self._key = algorithms.AES(key)
        self._mac_key = mac_key
        self._mac = suite.mac
        self._outside = outside

    def open(self, sequence: int, header: bytes, body: bytes) -> Opened | None:
        size = len(self._mac_key)
        about = sequence.to_bytes(8, "big") + header[:3]
        if self._outside:
            body, mac = body[:-size], body[-size:]
            if not hmac.compare_digest(mac, self._authenticated(about, body)):
                return None
        if len(body) < 2 * TAG or len(body) % TAG:
            return None
        decryptor = Cipher(self._key, modes.CBC(body[:TAG])).decryptor()
        data = decryptor.update(body[TAG:]) + decryptor.finalize()
        padding = data[-1] + 1
        if data[-padding:] != bytes([padding - 1]) * padding:
            return None
        data = data[:-padding]
        if self._outside:
            return Opened(header[0], data)
        if len(data) < size:
            return None
        data, mac = data[:-size], data[-size:]
        return Opened(header[0], data) if hmac.compare_digest(mac, self._authenticated(about, data)) else None

    def _authenticated(self, about: bytes, data: bytes) -> bytes:
        return hmac.digest(self._mac_key, about + len(data).to_bytes(2, "big") + data, self._mac)


def keys12(suite: Suite, master: bytes, client: bytes, server: bytes, *, outside: bool) -> tuple[Keys, Keys]:
    """The keys of a client and of a server in TLS 1.2, by the master secret and the randoms of both. `outside`: they
    agreed on encrypt-then-MAC. (RFC 5246 6.3)"""
    mac = hmac.new(b"", b"", suite.mac).digest_size if suite.mac else 0
    iv = 0 if suite.mac else 12 if suite.cipher == "CHACHA20" else 4
    block = _prf(suite, master, b"key expansion" + server + client, 2 * (mac + suite.key + iv))

    def cut(start: int, size: int) -> tuple[bytes, bytes]:
        return block[start : start + size], block[start + size : start + 2 * size]

    keys, ivs = cut(2 * mac, suite.key), cut(2 * (mac + suite.key), iv)
    if suite.mac:
        first, second = (Cbc(suite, key, own, outside=outside) for key, own in zip(keys, cut(0, mac), strict=True))
        return first, second
    return Aead(suite, keys[0], ivs[0]), Aead(suite, keys[1], ivs[1])


def _prf(suite: Suite, secret: bytes, seed: bytes, size: int) -> bytes:
    """The pseudo-random function of TLS 1.2. (RFC 5246 5)"""
    result, link = b"", seed
    while len(result) < size:
        link = hmac.digest(secret, link, suite.hash)
        result += hmac.digest(secret, link + seed, suite.hash)
    return result[:size]


def _expand(suite: Suite, secret: bytes, label: str, size: int) -> bytes:
    """HKDF-Expand-Label with an empty context. (RFC 8446 7.1)"""
    full = b"tls13 " + label.encode()
    info = size.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0"
    algorithm = SHA384() if suite.hash == "sha384" else SHA256()
    return HKDFExpand(algorithm, size, info).derive(secret)


def _aead(suite: Suite, key: bytes) -> Any:
    match suite.cipher:
        case "GCM":
            return AESGCM(key)
        case "CHACHA20":
            return ChaCha20Poly1305(key)
        case "CCM_8":
            return AESCCM(key, 8)
    return AESCCM(key, TAG)


def _decrypted(aead: Any, nonce: bytes, data: bytes, about: bytes) -> bytes | None:
    try:
        plain: bytes = aead.decrypt(nonce, data, about)
    except (InvalidTag, ValueError):
        return None
    return plain
