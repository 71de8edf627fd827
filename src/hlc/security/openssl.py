"""What pyOpenSSL does not offer of OpenSSL: groups, signature algorithms, a look at handshake messages, a verdict of
our own on certificates, the choice of a client's certificate, and the extension trusted_ca_keys.

All of it goes by the binding that pyOpenSSL itself stands on. Whoever calls keeps what is returned as long as the
context lives: OpenSSL calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from cryptography import x509
from OpenSSL import SSL, crypto
from OpenSSL._util import ffi, lib

from hlc.security.alerts import Alert
from hlc.security.handshake import Extension

ALERT: Final = 21
"""Content type of alerts."""
FATAL: Final = 2
"""Level of an alert that ends the connection."""
VERDICTS: Final = {
    Alert.CERTIFICATE_EXPIRED: lib.X509_V_ERR_CERT_HAS_EXPIRED,
    Alert.CERTIFICATE_REVOKED: lib.X509_V_ERR_CERT_REVOKED,
    Alert.UNKNOWN_CA: lib.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
    Alert.UNSUPPORTED_CERTIFICATE: lib.X509_V_ERR_INVALID_PURPOSE,
    Alert.BAD_CERTIFICATE: lib.X509_V_ERR_CERT_REJECTED,
}
"""The verdicts on a certificate that make OpenSSL send these alerts."""

Held = Any
"""What OpenSSL calls, to be kept."""


def set_groups(context: SSL.Context, groups: Sequence[str]) -> None:
    """The groups of the key exchange, the best first."""
    if lib.SSL_CTX_set1_curves_list(_raw(context), ":".join(groups).encode()) != 1:
        raise ValueError(f"OpenSSL knows not all of the groups {', '.join(groups)}")


def set_signature_algorithms(context: SSL.Context, names: Sequence[str]) -> None:
    """The signature algorithms that are accepted and used, the best first."""
    if lib.SSL_CTX_set1_sigalgs_list(_raw(context), ":".join(names).encode()) != 1:
        raise ValueError(f"OpenSSL knows not all of the signature algorithms {', '.join(names)}")


def watch(context: SSL.Context, look: Callable[[bool, int, int, bytes], None]) -> Held:
    """Show `look(ours, version, content_type, message)` every handshake message and alert, unencrypted."""

    def called(ours: int, version: int, kind: int, data: Any, size: int, ssl: Any, argument: Any) -> None:
        look(bool(ours), version, kind, bytes(ffi.buffer(data, size)))

    held = ffi.callback("void(int, int, int, const void *, size_t, SSL *, void *)", called)
    lib.SSL_CTX_set_msg_callback(_raw(context), held)
    return held


def verify(context: SSL.Context, judge: Callable[[], Alert | None]) -> Held:
    """Demand a certificate of the peer, and ask `judge` about it, once, in the place of OpenSSL's own rules."""
    verdicts: list[Alert | None] = []

    def called(good: int, store: Any) -> int:
        if not verdicts:
            verdicts.append(judge())
        alert = verdicts[0]
        code = lib.X509_V_OK if alert is None else VERDICTS.get(alert, lib.X509_V_ERR_CERT_REJECTED)
        lib.X509_STORE_CTX_set_error(store, code)
        return alert is None

    held = ffi.callback("int(int, X509_STORE_CTX *)", called, error=0)
    lib.SSL_CTX_set_verify(_raw(context), lib.SSL_VERIFY_PEER | lib.SSL_VERIFY_FAIL_IF_NO_PEER_CERT, held)
    return held


def on_request(context: SSL.Context, answer: Callable[[], None]) -> Held:
    """Call `answer` when the server has asked for a certificate: then is the time to `show` one, or none."""

    def called(ssl: Any, argument: Any) -> int:
        answer()
        return 1

    held = ffi.callback("int(SSL *, void *)", called, error=0)
    lib.SSL_CTX_set_cert_cb(_raw(context), held, ffi.NULL)
    return held


def show(connection: SSL.Connection, chain: Sequence[x509.Certificate], key: Any) -> None:
    """Use this chain on a connection, the only one of its context."""
    connection.use_certificate(chain[0])
    connection.use_privatekey(key)
    for certificate in chain[1:]:
        copy = lib.X509_dup(crypto.X509.from_cryptography(certificate)._x509)
        lib.SSL_CTX_add_extra_chain_cert(_raw(connection.get_context()), copy)


def send_trusted_ca_keys(context: SSL.Context, content: bytes) -> Held:
    """Send the extension in a ClientHello that offers TLS 1.2. (RFC 6066 6)"""
    octets = ffi.new("unsigned char[]", content)

    def add(ssl: Any, kind: int, out: Any, size: Any, alert: Any, argument: Any) -> int:
        out[0], size[0] = octets, len(content)
        return 1

    held = ffi.callback(ADD, add, error=-1)
    added = lib.SSL_CTX_add_client_custom_ext(
        _raw(context), Extension.TRUSTED_CA_KEYS, held, ffi.NULL, ffi.NULL, ffi.NULL, ffi.NULL
    )
    if added != 1:
        raise ValueError("OpenSSL does not send the extension trusted_ca_keys")
    return held, octets


def answer_trusted_ca_keys(context: SSL.Context) -> Held:
    """Say in a ServerHello of TLS 1.2 that the extension was heeded: empty, and only where it was received."""

    def add(ssl: Any, kind: int, out: Any, size: Any, alert: Any, argument: Any) -> int:
        out[0], size[0] = ffi.NULL, 0
        return 1

    def parse(ssl: Any, kind: int, data: Any, size: int, alert: Any, argument: Any) -> int:
        return 1

    held = ffi.callback(ADD, add, error=-1), ffi.callback(PARSE, parse, error=0)
    lib.SSL_CTX_add_server_custom_ext(
        _raw(context), Extension.TRUSTED_CA_KEYS, held[0], ffi.NULL, ffi.NULL, held[1], ffi.NULL
    )
    return held


ADD: Final = "int(SSL *, unsigned int, const unsigned char **, size_t *, int *, void *)"
PARSE: Final = "int(SSL *, unsigned int, const unsigned char *, size_t, int *, void *)"


def _raw(context: SSL.Context) -> Any:
    return context._context
