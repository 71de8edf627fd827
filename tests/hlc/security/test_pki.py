"""A PKI directory: what is read from its files, and one clear line for each that is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from hlc.security import hierarchy, pki
from hlc.security.certificate import Curve, PkiError
from hlc.security.profiles import Role

NOW = datetime(2030, 6, 15, 12, tzinfo=UTC)


@cache
def files() -> dict[str, bytes]:
    return hierarchy.files(NOW)


def plain(name: str) -> dict[str, bytes]:
    """A directory with plain names alone, whose station's files are those of another kind of key."""
    return {
        "roots/v2g.pem": files()["roots/v2g.pem"],
        "secc.chain.pem": files()[f"{name}.chain.pem"],
        "secc.key.pem": files()[f"{name}.key.pem"],
    }


@pytest.mark.parametrize(("name", "curve"), [("secc", "P-256"), ("secc.p521", "P-521"), ("secc.ed448", "Ed448")])
def test_the_key_and_not_the_name_of_its_file_tells_what_it_is(name: str, curve: str) -> None:
    loaded = pki.load(plain(name))
    assert loaded.problems == ()
    [credential] = loaded.credentials("secc")
    assert credential.curve is Curve(curve)
    assert credential.ocsp == (None, None, None)
    assert loaded.credentials("vehicle") == ()
    assert loaded.roots("oem") == ()
    assert loaded.anchors("contract") == loaded.roots("v2g")


def test_tags_that_nobody_knows_come_last() -> None:
    given = dict(files())
    for part in ("chain", "key"):
        given[f"secc.a.{part}.pem"] = given[f"secc.{part}.pem"]
    curves = [one.curve for one in pki.load(given).credentials("secc")]
    assert curves == [Curve.P256, Curve.P521, Curve.ED448, Curve.P256]


def test_files_of_other_names_are_left_alone() -> None:
    given = {**files(), "README.txt": b"x", "backup/secc.chain.pem": b"x", "car.chain.pem": b"x", "x.ocsp/0.der": b""}
    assert pki.load(given).problems == ()


@pytest.mark.parametrize("mark", ["", "\n", "\r\n"])
def test_a_password(mark: str) -> None:
    key = load_pem_private_key(files()["secc.key.pem"], None)
    octets = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret word"))
    given = plain("secc") | {"secc.key.pem": octets, "secc.key.password": f"secret word{mark}".encode()}
    loaded = pki.load(given)
    assert loaded.problems == ()
    assert len(loaded.credentials("secc")) == 1
    wrong = pki.load(given | {"secc.key.password": b"word"})
    assert wrong.problems == ("secc.key.pem: the password in secc.key.password does not open it, or it is damaged",)
    del given["secc.key.password"]
    assert pki.load(given).problems == ("secc.key.pem is encrypted: put its password into secc.key.password",)


def test_a_password_for_a_key_without_one_does_no_harm() -> None:
    assert pki.load(plain("secc") | {"secc.key.password": b"word"}).problems == ()


RSA = rsa.generate_private_key(65537, 1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("secc.key.pem", None, "secc.key.pem is missing: secc.chain.pem cannot be shown without its key"),
        ("secc.chain.pem", None, "secc.chain.pem is missing: secc.key.pem is of no use without its certificates"),
        ("secc.chain.pem", b"", "secc.chain.pem is empty: it should hold certificates in PEM"),
        ("secc.chain.pem", b"hello", "secc.chain.pem: neither PEM nor certificate in DER: "),
        ("secc.chain.pem", b"0" * (1 << 19), "secc.chain.pem: 524288 octets are more than any chain has"),
        ("secc.chain.pem", CERTIFICATE, "secc.chain.pem: its PEM is damaged: copy it anew from where it was made"),
        ("secc.chain.pem", RSA, "secc.chain.pem: no certificate in it but private key"),
        ("secc.key.pem", b"hello", "secc.key.pem: no private key in PEM or DER"),
        ("secc.key.pem", CERTIFICATE, "secc.key.pem: no private key in it but a certificate"),
        ("secc.key.pem", RSA, "secc.key.pem: its key is RSA 1024, where P-256 or P-521 or Ed448 is prescribed"),
        ("roots/v2g.pem", b"hello", "roots/v2g.pem: neither PEM nor certificate in DER: "),
    ],
)
def test_each_problem_is_one_line_and_takes_nothing_else_with_it(name: str, data: bytes | None, problem: str) -> None:
    given = {**files(), name: data if data is not None else b""}
    if data is None:
        del given[name]
    loaded = pki.load(given)
    [told] = loaded.problems
    assert told.startswith(problem)
    assert told.isprintable()
    assert len(loaded.credentials("secc")) == (3 if name.startswith("roots") else 2)
    assert [len(loaded.credentials(role)) for role in Role if role is not Role.SECC] == [3] * 4


def test_the_leaf_comes_first() -> None:
    leaf, first, second = pki.certificates("x", files()["secc.chain.pem"])
    octets = b"".join(one.public_bytes(Encoding.PEM) for one in (second, first, leaf))
    [problem] = pki.load(plain("secc") | {"secc.chain.pem": octets}).problems
    assert problem == (
        "secc.key.pem does not belong to the first certificate of secc.chain.pem: "
        "it belongs to certificate 3 of it: the leaf comes first"
    )


def test_what_is_no_root_is_not_trusted() -> None:
    loaded = pki.load(plain("secc") | {"roots/v2g.pem": files()["secc.chain.pem"]})
    assert loaded.roots("v2g") == ()
    assert len(loaded.problems) == 3
    assert loaded.problems[0] == (
        "roots/v2g.pem: DEOHCSECC0001 is no root: a root is a CA that has signed itself: not trusted"
    )


def test_an_empty_directory_says_what_belongs_there() -> None:
    [problem] = pki.load({}).problems
    assert "roots/v2g.pem" in problem
    assert "NAME.chain.pem" in problem


def test_responses_find_their_certificates_by_what_they_say() -> None:
    given = plain("secc") | {f"secc.ocsp/{n}.der": files()[f"secc.ocsp/{2 - n}.der"] for n in range(3)}
    given |= {"secc.ocsp/x.der": b"garbage", "secc.ocsp/a.der": files()["vehicle.ocsp/0.der"]}
    [credential] = pki.load(given).credentials("secc")
    assert credential.ocsp == tuple(files()[f"secc.ocsp/{n}.der"] for n in range(3))


@given(st.data())
def test_no_file_breaks_the_loading(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["secc.chain.pem", "secc.key.pem", "roots/v2g.pem", "secc.ocsp/0.der"]))
    octets = bytearray(files()[name])
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    loaded = pki.load(plain("secc") | {name: bytes(octets)})
    assert all(problem.isprintable() for problem in loaded.problems)


@given(st.binary(max_size=200), st.one_of(st.none(), st.binary(max_size=20)))
def test_no_octets_break_the_reading_of_a_key(data: bytes, password: bytes | None) -> None:
    with pytest.raises(PkiError):
        pki.private_key("x", data, password)
