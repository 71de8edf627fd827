"""TLS in memory: both ends of each profile, what each refuses and how it says so, and hostile input."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from hlc.security import handshake, hierarchy, openssl, suites
from hlc.security.alerts import Alert
from hlc.security.certificate import Curve, der
from hlc.security.handshake import Hello, HelloReader, Version
from hlc.security.hierarchy import Bent
from hlc.security.layer import Received, TlsError
from hlc.security.pki import Credential, Pki, load
from hlc.security.profiles import Role, Root
from hlc.security.suites import NothingInCommon, Scheme
from hlc.security.tls import ClientTls, ServerTls, _Tls, check
from hlc.security.trust import Trust

NOW = datetime(2030, 1, 1, tzinfo=UTC)
OLD, NEW = (Version.TLS12,), (Version.TLS13,)
BOTH = (Version.TLS13, Version.TLS12)
P256, P521, ED448 = (Curve.P256,), (Curve.P521,), (Curve.ED448,)

GOOD = hierarchy.throw_away(NOW)
OTHER = hierarchy.throw_away(NOW)


def of(pki: Pki, role: Role, curves: Sequence[Curve] = tuple(Curve)) -> tuple[Credential, ...]:
    return tuple(one for one in pki.credentials(role) if one.curve in curves)


def station(
    pki: Pki = GOOD,
    curves: Sequence[Curve] = tuple(Curve),
    *,
    now: datetime = NOW,
    credentials: Sequence[Credential] | None = None,
    mutual: bool = True,
    keylog: Callable[[str], None] | None = None,
) -> ServerTls:
    shown = of(pki, Role.SECC, curves) if credentials is None else credentials
    roots = pki.anchors(Role.VEHICLE)
    p256 = suites.tls13(shown) is suites.TLS13_P256
    return ServerTls(shown, roots, Trust(Role.VEHICLE, roots, lambda: now, p256=p256) if mutual else None, keylog)


def vehicle(
    versions: Sequence[Version],
    pki: Pki = GOOD,
    curves: Sequence[Curve] = tuple(Curve),
    *,
    now: datetime = NOW,
    credentials: Sequence[Credential] | None = None,
    strict: bool = False,
    keylog: Callable[[str], None] | None = None,
) -> ClientTls:
    shown = of(pki, Role.VEHICLE, curves) if credentials is None else credentials
    roots = pki.roots(Root.V2G)
    p256 = suites.tls13(shown) is suites.TLS13_P256
    return ClientTls(versions, shown, roots, Trust(Role.SECC, roots, lambda: now, p256=p256, strict=strict), keylog)


class Failure(Exception):  # noqa: N818 - it is what is expected
    """What each end says when the handshake fails: the vehicle, the station."""

    def __init__(self, client: str, server: str) -> None:
        super().__init__(client, server)
        self.client, self.server = client, server


def connect(client: _Tls, server: _Tls, bend: Callable[[bytes, int], bytes] = lambda data, n: data) -> None:
    """Carry what each says to the other until both are silent. Raises `Failure`."""
    ends: tuple[_Tls, _Tls] = (client, server)
    said = ["", ""]
    flying = [(1, client.start())]
    flights = 0
    while flying:
        to, data = flying.pop(0)
        if not data or said[to]:
            continue
        data, flights = bend(data, flights), flights + 1
        try:
            out = ends[to].receive(data).to_send
        except TlsError as error:
            said[to], out = str(error), error.to_send
        flying.append((1 - to, out))
    if any(said):
        raise Failure(*said)


@pytest.mark.parametrize(
    ("versions", "at_station", "at_vehicle", "version", "shown"),
    [
        (OLD, P256, (), Version.TLS12, Curve.P256),
        (OLD, tuple(Curve), tuple(Curve), Version.TLS12, Curve.P256),
        (NEW, P521, P521, Version.TLS13, Curve.P521),
        (NEW, ED448, ED448, Version.TLS13, Curve.ED448),
        (NEW, P521, ED448, Version.TLS13, Curve.P521),
        (BOTH, tuple(Curve), tuple(Curve), Version.TLS13, Curve.P521),
        (BOTH, (Curve.P256, Curve.ED448), P521, Version.TLS13, Curve.ED448),
        (NEW, P256, P256, Version.TLS13, Curve.P256),
    ],
)
def test_both_ends_of_every_profile(
    versions: Sequence[Version],
    at_station: Sequence[Curve],
    at_vehicle: Sequence[Curve],
    version: Version,
    shown: Curve,
) -> None:
    server, client = station(GOOD, at_station), vehicle(versions, GOOD, at_vehicle)
    connect(client, server)
    assert client.established
    assert server.established
    assert client.version is server.version is version
    assert server.credential is not None
    assert server.credential.curve is shown
    assert client.certificates.chain == tuple(der(one) for one in server.credential.chain)
    assert client.certificates.ocsp[0] == server.credential.ocsp[0]
    if version is Version.TLS12:
        assert (client.cipher, client.group) == ("ECDHE-ECDSA-AES128-SHA256", "secp256r1")
        assert server.peer_certificate == b""  # a vehicle of ISO 15118-2 shows none
    else:
        assert (client.cipher, client.group) == ("TLS_AES_256_GCM_SHA384", "secp521r1")
        assert server.peer_certificate == der(
            of(GOOD, Role.VEHICLE, at_vehicle)[-1 if len(at_vehicle) == 1 else 1].chain[0]
        )
    odd = [note for end in (client, server) for note in end.notes if "secp256r1" in note]
    assert bool(odd) is (version is Version.TLS13 and shown is Curve.P256)


def test_what_is_sent_arrives_and_the_end_is_told() -> None:
    server, client = station(), vehicle(BOTH)
    connect(client, server)
    text = bytes(range(256)) * 400
    assert server.receive(client.send(text)) == Received(b"", text)
    assert client.receive(server.send(b"answer")).plaintext == b"answer"
    assert not server.ended
    server.receive(client.close())
    assert server.ended
    client.receive(server.close())
    assert client.ended


def test_octet_by_octet() -> None:
    server, client = station(), vehicle(NEW)
    to_server, to_client = client.start(), b""
    while to_server or to_client:
        to_client += b"".join(server.receive(bytes([octet])).to_send for octet in to_server)
        to_server = b"".join(client.receive(bytes([octet])).to_send for octet in to_client)
        to_client = b""
    assert server.established
    assert client.established


@pytest.mark.parametrize("versions", [OLD, NEW])
@pytest.mark.parametrize(
    ("kind", "client", "server"),
    [
        ("expired", "expired on", "alert certificate_expired: our certificate"),
        ("not-yet-valid", "not valid before", "alert certificate_expired"),
        ("wrong-purpose", "it is for OCSPSigning, not for serverAuth", "alert unsupported_certificate"),
        ("swapped-roles", "credentials were mixed up", "alert unsupported_certificate"),
        ("wrong-root", "is not by the key of the trusted root", "alert bad_certificate"),
        ("revoked", "revoked on", "alert bad_certificate_status_response"),
    ],
)
def test_a_bad_station_is_refused_and_told_why(
    versions: Sequence[Version], kind: str, client: str, server: str
) -> None:
    bad = load(hierarchy.files(NOW, bad=Bent(kind, Role.SECC)))
    with pytest.raises(Failure) as failure:
        connect(vehicle(versions, bad), station(bad))
    assert failure.value.client.startswith("the station is not accepted: ")
    assert client in failure.value.client
    assert failure.value.server.startswith("the vehicle ended the TLS handshake with the ")
    assert server in failure.value.server


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("expired", "expired on"),
        ("swapped-roles", "it is an OEM provisioning certificate, not a vehicle's"),
        ("wrong-root", "is not by the key of the trusted root"),
    ],
)
def test_a_bad_vehicle_is_refused(kind: str, text: str) -> None:
    bad = load(hierarchy.files(NOW, bad=Bent(kind, Role.VEHICLE)))
    client, server = vehicle(NEW, bad), station(bad)
    with pytest.raises(Failure) as failure:
        connect(client, server)
    assert failure.value.server.startswith("the vehicle is not accepted: ")
    assert text in failure.value.server
    # In TLS 1.3 the vehicle has finished its part by then.
    assert failure.value.client.startswith("the station ended TLS with the alert ")


def test_a_root_that_the_vehicle_does_not_have() -> None:
    few = GOOD._replace(trusted={Root.V2G: GOOD.roots(Root.V2G)[:1]})
    with pytest.raises(Failure) as failure:
        connect(vehicle(NEW, few), station())
    assert "its issuer V2G Root CA P-521 was not sent and is no trusted root" in failure.value.client
    assert "alert unknown_ca: it does not have our root" in failure.value.server


def test_a_vehicle_without_certificate_has_no_tls_13() -> None:
    with pytest.raises(Failure) as failure:
        connect(vehicle(NEW, credentials=()), station())
    assert "it sent no certificate, and ISO 15118-20 wants that of the vehicle" in failure.value.server
    assert "alert certificate_required" in failure.value.client


def test_secp256r1_in_tls_13_is_refused_by_who_has_better() -> None:
    with pytest.raises(Failure) as failure:
        connect(vehicle(BOTH), station(GOOD, P256))
    assert "its key is P-256, where P-521 or Ed448 is prescribed" in failure.value.client


def test_a_test_hierarchy_may_show_the_provisioning_certificate() -> None:
    server = station(GOOD, P256)
    connect(vehicle(NEW, GOOD, credentials=of(GOOD, Role.PROVISIONING, P256)), server)
    assert any("it is an OEM provisioning certificate" in note for note in server.notes)


@pytest.mark.parametrize(
    ("versions", "server", "text"),
    [
        (OLD, station(GOOD, P521), "TLS 1.2 needs a certificate on secp256r1, and there is none"),
        (NEW, station(GOOD, mutual=False), "TLS 1.3 needs roots for vehicle certificates"),
    ],
)
def test_nothing_in_common(versions: Sequence[Version], server: ServerTls, text: str) -> None:
    with pytest.raises(Failure) as failure:
        connect(vehicle(versions), server)
    assert failure.value.server.startswith(f"nothing in common with the vehicle: {text}")
    assert "alert handshake_failure" in failure.value.client


def test_without_vehicle_roots_a_dual_vehicle_falls_back_to_tls_12() -> None:
    server, client = station(mutual=False), vehicle(BOTH)
    connect(client, server)
    assert client.version is Version.TLS12


# OCSP


@pytest.mark.parametrize("versions", [OLD, NEW])
def test_a_missing_ocsp_response_is_noted_or_refused(versions: Sequence[Version]) -> None:
    bare = [one._replace(ocsp=(None,) * 3) for one in of(GOOD, Role.SECC)]
    client = vehicle(versions)
    connect(client, station(credentials=bare))
    assert any("no OCSP response tells whether it is revoked" in note for note in client.notes)
    with pytest.raises(Failure) as failure:
        connect(vehicle(versions, strict=True), station(credentials=bare))
    assert "no OCSP response tells whether it is revoked" in failure.value.client
    assert "alert bad_certificate_status_response" in failure.value.server


@pytest.mark.parametrize("versions", [OLD, NEW])
def test_a_strict_vehicle_accepts_a_good_response(versions: Sequence[Version]) -> None:
    client = vehicle(versions, strict=True)
    connect(client, station())
    assert client.established


def test_a_response_that_is_too_old() -> None:
    with pytest.raises(Failure, match="its OCSP response is out of date"):
        connect(vehicle(NEW, strict=True, now=NOW + timedelta(days=8)), station(now=NOW + timedelta(days=8)))


# Which certificate


def hello(**fields: Any) -> Hello:
    offer = {
        "versions": (Version.TLS13, Version.TLS12),
        "cipher_suites": (0x1302, 0xC023),
        "signature_algorithms": tuple(Scheme),
        "trusted_ca_keys": (),
        "authorities": (),
        "status_request": True,
        "status_request_v2": False,
    }
    return Hello(**{**offer, **fields})


TWO = (*of(GOOD, Role.SECC), *of(OTHER, Role.SECC))
ROOTS = (*GOOD.roots(Root.V2G), *OTHER.roots(Root.V2G))


@pytest.mark.parametrize("kind", [0, 1])
def test_trusted_ca_keys_choose_the_chain(kind: int) -> None:
    """[V2G2-871]"""
    [root] = [one for one in OTHER.roots(Root.V2G) if one.subject == of(OTHER, Role.SECC, P256)[0].chain[-1].issuer]
    offer = hello(versions=(Version.TLS12,), trusted_ca_keys=(suites.identifiers(root)[kind],))
    choice = suites.choose(offer, TWO, ROOTS, mutual=True)
    assert choice.credential is of(OTHER, Role.SECC, P256)[0]
    assert choice.note == ""


def test_a_vehicle_sends_its_roots_and_the_station_heeds_them() -> None:
    server, client = station(credentials=TWO), vehicle(OLD, OTHER)
    server._roots = ROOTS
    connect(client, server)
    assert server.credential is of(OTHER, Role.SECC, P256)[0]


def test_roots_that_are_not_there() -> None:
    """Another chain is sent, and the vehicle decides. [V2G2-923]"""
    stranger = handshake.TrustedAuthority(handshake.IdentifierType.CERT_SHA1_HASH, bytes(20))
    choice = suites.choose(hello(versions=(Version.TLS12,), trusted_ca_keys=(stranger,)), TWO, ROOTS, mutual=True)
    assert choice.credential is TWO[0]
    assert choice.note == "the vehicle trusts none of the roots that this station has a certificate under"


def test_signature_algorithms_and_authorities_choose_in_tls_13() -> None:
    """[V2G20-2379]"""
    offer = hello(signature_algorithms=(Scheme.ED448,))
    assert suites.choose(offer, TWO, ROOTS, mutual=True).credential.curve is Curve.ED448
    [ed448] = [one for one in GOOD.roots(Root.V2G) if one.subject == of(GOOD, Role.SECC, ED448)[0].chain[-1].issuer]
    offer = hello(authorities=(ed448.subject.public_bytes(),))
    assert suites.choose(offer, TWO, ROOTS, mutual=True).credential.curve is Curve.ED448
    assert suites.choose(hello(), TWO, ROOTS, mutual=True).credential.curve is Curve.P521


def test_a_station_speaks_only_the_versions_of_its_protocols() -> None:
    choice = suites.choose(hello(), TWO, ROOTS, (Version.TLS12,), mutual=True)
    assert choice.profile is suites.TLS12
    with pytest.raises(NothingInCommon, match=r"it does not offer TLS 1\.3"):
        suites.choose(hello(versions=(Version.TLS12,)), TWO, ROOTS, (Version.TLS13,), mutual=True)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"versions": ()}, "it does not offer TLS 1.2 or TLS 1.3"),
        ({"versions": (0x0302,)}, "it does not offer TLS 1.2 or TLS 1.3"),
        ({"versions": (0x0304,), "cipher_suites": (0x1301,)}, "neither suite of ISO 15118-20"),
        ({"versions": (0x0303,), "cipher_suites": (0xC02B,)}, "no suite of ISO 15118-2"),
        ({"versions": (0x0304,), "signature_algorithms": (0x0804,)}, r"can sign as it wants in TLS 1.3 \(0x0804\)"),
    ],
)
def test_why_there_is_nothing_in_common(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(NothingInCommon, match=why):
        suites.choose(hello(**fields), TWO, ROOTS, mutual=True)


def test_a_vehicle_offers_what_the_standards_have() -> None:
    offer = HelloReader().feed(vehicle(BOTH).start())
    assert offer is not None
    assert offer.versions == (0x0304, 0x0303)
    assert [suite for suite in offer.cipher_suites if suite != 0x00FF] == [0x1302, 0x1303, 0xC023]
    assert offer.signature_algorithms == (0x0603, 0x0808, 0x0403)
    assert len(offer.trusted_ca_keys) == 3
    assert offer.status_request
    only = HelloReader().feed(vehicle(NEW).start())
    assert only is not None
    assert (only.versions, only.signature_algorithms, only.trusted_ca_keys) == ((0x0304,), (0x0603, 0x0808), ())


# Key log


@pytest.mark.parametrize(("versions", "labels"), [(OLD, {"CLIENT_RANDOM"}), (NEW, None)])
def test_both_ends_log_the_same_keys(versions: Sequence[Version], labels: set[str] | None) -> None:
    ours: list[str] = []
    theirs: list[str] = []
    client = vehicle(versions, keylog=ours.append)
    connect(client, station(keylog=theirs.append))
    assert set(ours) == set(theirs)
    found = {line.split(" ")[0] for line in ours}
    assert found == labels if labels else {"CLIENT_TRAFFIC_SECRET_0", "SERVER_HANDSHAKE_TRAFFIC_SECRET"} <= found


# Hostile input


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (bytes.fromhex("01FE800100000001"), "does not begin with TLS: it begins with unencrypted V2G messages"),
        (b"\x16\x03\x01\xff\xff", "its first record has 65535 octets"),
        (b"\x80\x2e\x01\x00\x02", "it begins with octet 0x80"),
    ],
)
def test_what_is_no_tls_is_answered_with_an_alert(data: bytes, text: str) -> None:
    with pytest.raises(TlsError, match=text) as error:
        station().receive(data)
    assert error.value.to_send == bytes([21, 3, 3, 0, 2, 2, Alert.DECODE_ERROR])


@pytest.mark.parametrize(
    "record",
    [b"\x17\x03\x03\xff\xff" + bytes(65535), b"\x17\x03\x03\x00\x20" + bytes(32), bytes.fromhex("01FE800100000001")],
)
def test_garbage_after_the_handshake(record: bytes) -> None:
    server, client = station(), vehicle(NEW)
    connect(client, server)
    with pytest.raises(TlsError, match="TLS with the vehicle failed"):
        server.receive(record)


def test_a_library_that_cannot_is_found_out_at_once() -> None:
    check((suites.TLS12, suites.TLS13))
    with pytest.raises(TlsError, match="cannot do what V2G wants: OpenSSL knows not all of the groups nonesuch"):
        check((suites.TLS13._replace(groups=("nonesuch",)),))
    with pytest.raises(TlsError, match="cannot do what V2G wants"):
        check((suites.TLS12._replace(suites={1: "NONESUCH"}),))


def test_no_renegotiation() -> None:
    """A client that asks for it is told no, and is served on."""
    server = station(GOOD, P256)
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(b"ECDHE-ECDSA-AES128-SHA256")
    openssl.set_groups(context, ["secp256r1"])
    other = SSL.Connection(context, None)
    other.set_connect_state()

    def step() -> bytes:
        with contextlib.suppress(SSL.WantReadError):
            other.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            return other.bio_read(65536)
        return b""

    for _ in range(3):
        if data := server.receive(step()).to_send:
            other.bio_write(data)
    assert server.established
    other.renegotiate()
    said = server.receive(step())
    assert said.plaintext == b""
    other.bio_write(said.to_send)
    with pytest.raises(SSL.Error, match="no renegotiation"):
        other.do_handshake()


@settings(max_examples=60, deadline=None)
@given(
    versions=st.sampled_from([OLD, NEW]),
    spoilt=st.integers(0, 3),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=3),
)
def test_a_damaged_handshake_ends_in_a_sentence(
    versions: Sequence[Version], spoilt: int, changes: list[tuple[float, int]]
) -> None:
    """Whatever is changed in one flight, nothing but a `TlsError` comes of it."""

    def bend(flight: bytes, n: int) -> bytes:
        bent = bytearray(flight)
        if n == spoilt:
            for at, change in changes:
                bent[int(at * len(bent))] ^= change
        return bytes(bent)

    with contextlib.suppress(Failure):
        connect(vehicle(versions), station(), bend)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_at_either_end(data: bytes) -> None:
    client = vehicle(NEW)
    client.start()
    for end in (client, station()):
        with contextlib.suppress(TlsError):
            assert not end.receive(data).plaintext
