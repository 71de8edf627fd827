"""The ClientHello and the messages with certificates: read however they are cut, and whatever else comes is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlc.security import handshake
from hlc.security.handshake import (
    MAX_HELLO,
    Accepted,
    Certificates,
    HandshakeError,
    Hello,
    HelloReader,
    TrustedAuthority,
)


def vector(size: int, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return len(data).to_bytes(size, "big") + data


def extension(kind: int, *parts: bytes) -> bytes:
    return kind.to_bytes(2, "big") + vector(2, *parts)


def numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


NAME = b"\x30\x00"
AUTHORITIES = (
    TrustedAuthority(0, b""),
    TrustedAuthority(1, b"k" * 20),
    TrustedAuthority(2, NAME),
    TrustedAuthority(3, b"c" * 20),
)
EXTENSIONS = b"".join(
    (
        extension(43, vector(1, numbers(0x0304, 0x0303))),
        extension(13, vector(2, numbers(0x0603, 0x0808))),
        extension(3, handshake.trusted_ca_keys(AUTHORITIES)),
        extension(47, vector(2, vector(2, NAME), vector(2, b"another"))),
        extension(5, b"\x01\x00\x00\x00\x00"),
        extension(17, b"whatever"),
        extension(10, vector(2, numbers(0x0019, 0x001E))),
        extension(0, vector(2, b"\0", vector(2, b"a.station"))),
        extension(0xFAFA, b""),
    )
)
OFFER = Hello(
    versions=(0x0304, 0x0303),
    cipher_suites=(0x1302, 0x1303, 0xC023),
    signature_algorithms=(0x0603, 0x0808),
    trusted_ca_keys=AUTHORITIES,
    authorities=(NAME, b"another"),
    status_request=True,
    status_request_v2=True,
    groups=(0x0019, 0x001E),
    server_name=True,
    random=bytes(range(32)),
)


def client_hello(extensions: bytes | None = EXTENSIONS) -> bytes:
    body = (
        numbers(0x0303)
        + bytes(range(32))
        + vector(1, bytes(32))
        + vector(2, numbers(0x1302, 0x1303, 0xC023))
        + b"\x01\x00"
    )
    return body if extensions is None else body + vector(2, extensions)


def records(body: bytes, size: int = 1 << 14) -> bytes:
    message = b"\x01" + vector(3, body)
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + vector(2, piece) for piece in pieces)


def test_an_offer_is_read() -> None:
    assert handshake.client_hello(client_hello()) == OFFER


def test_an_old_offer_without_extensions() -> None:
    hello = handshake.client_hello(client_hello(None))
    assert (hello.versions, hello.signature_algorithms, hello.status_request) == ((0x0303,), (), False)


@given(st.integers(1, 400), st.lists(st.integers(1, 60), min_size=1))
def test_records_and_segments_may_be_cut_anywhere(size: int, cuts: list[int]) -> None:
    data = records(client_hello(), size)
    reader, at, read = HelloReader(), 0, None
    while read is None:
        step = cuts[at % len(cuts)]
        read = reader.feed(data[at : at + step])
        at += step
    assert read == OFFER
    assert at >= len(data)
    assert reader.data == data


def test_what_follows_the_hello_is_kept_for_the_library() -> None:
    reader = HelloReader()
    assert reader.feed(records(client_hello()) + b"more") == OFFER
    assert reader.data.endswith(b"more")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (bytes.fromhex("01FE8001"), "it begins with unencrypted V2G messages"),
        (b"GET / HTTP/1.1\r\n", "it begins with octet 0x47"),
        (bytes.fromhex("160301") + b"\xff\xff", "its first record has 65535 octets"),
        (bytes.fromhex("1603010000"), "its first record has 0 octets"),
        (records(bytes(MAX_HELLO + 1)), "its ClientHello has 16385 octets"),
        (bytes.fromhex("1603010004") + b"\x02\x00\x00\x00", "handshake message 2, and not with a ClientHello"),
        (records(client_hello() + b"x"), "1 octets too many"),
        (records(client_hello(extension(5, b"") * 2)), "extension 5 comes twice"),
        (records(client_hello(extension(13, vector(2, b"odd")))), "a list of two-octet numbers has an odd length"),
        (records(client_hello()[:60]), "octets are announced where"),
    ],
)
def test_what_is_no_hello_is_refused_by_name(data: bytes, why: str) -> None:
    with pytest.raises(HandshakeError, match=why):
        HelloReader().feed(data)


def test_a_peer_that_cuts_too_fine_is_refused() -> None:
    """Records of one octet each: six for one. What is kept has a bound."""
    reader = HelloReader()
    data = records(bytes(MAX_HELLO), 1)
    chunks = [data[at : at + 1000] for at in range(0, len(data), 1000)]
    with pytest.raises(HandshakeError, match="no ClientHello within"):
        assert not any(map(reader.feed, chunks))
    assert len(reader.data) <= 2 * MAX_HELLO + 1000


@given(st.binary(max_size=300))
def test_garbage_is_an_error_or_waits(data: bytes) -> None:
    for prefix in (b"", b"\x16\x03\x01\x01\x00\x01\x00\x00\x80"):
        with contextlib.suppress(HandshakeError):
            assert HelloReader().feed(prefix + data) is None


@given(st.data())
def test_a_damaged_hello_is_read_or_refused(data: st.DataObject) -> None:
    body = bytearray(client_hello())
    for at in data.draw(st.lists(st.integers(0, len(body) - 1), min_size=1, max_size=4)):
        body[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(HandshakeError):
        assert isinstance(handshake.client_hello(bytes(body)), Hello)


def test_an_unknown_way_to_name_a_root_ends_the_list() -> None:
    """Its length cannot be known. (RFC 6066 6)"""
    content = vector(2, b"\x03" + b"c" * 20, b"\x09what", b"\x01" + b"k" * 20)
    hello = handshake.client_hello(client_hello(extension(3, content)))
    assert hello.trusted_ca_keys == (TrustedAuthority(3, b"c" * 20),)


def test_certificates_of_both_versions() -> None:
    old = vector(3, vector(3, b"leaf"), vector(3, b"sub"))
    assert handshake.certificate(old, 0x0303) == Certificates((b"leaf", b"sub"), (None, None))
    status = b"\x01" + vector(3, b"response")
    new = b"\x00" + vector(
        3, vector(3, b"leaf"), vector(2, extension(5, status)), vector(3, b"sub"), vector(2, extension(18, b""))
    )
    assert handshake.certificate(new, 0x0304) == Certificates((b"leaf", b"sub"), (b"response", None))
    assert handshake.certificate_status(status) == b"response"
    assert handshake.certificate_status(b"\x02" + vector(3, b"many")) is None


def test_a_request_for_a_certificate() -> None:
    body = b"\x00" + vector(2, extension(13, vector(2, numbers(0x0808))), extension(47, vector(2, vector(2, NAME))))
    assert handshake.certificate_request(body) == Accepted((0x0808,), (NAME,))


@given(st.binary(max_size=100), st.sampled_from([0x0303, 0x0304]))
def test_garbage_in_messages_with_certificates(data: bytes, version: int) -> None:
    for read in (
        lambda: handshake.certificate(data, version),
        lambda: handshake.certificate_request(data),
        lambda: handshake.certificate_status(data),
    ):
        with contextlib.suppress(HandshakeError):
            read()
