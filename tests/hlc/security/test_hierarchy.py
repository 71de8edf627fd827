"""The hierarchy that we make: by the profiles, good under every judge, and bad in just the way that was asked for."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from hlc.security import hierarchy, pki
from hlc.security.bad import BAD
from hlc.security.certificate import Curve, PkiError, read
from hlc.security.hierarchy import Bent
from hlc.security.pki import Pki
from hlc.security.profiles import BY_NAME, TEST_MARK, THROW_AWAY_MARK, Role, Root
from hlc.security.verify import Finding, Rule, verify

NOW = datetime(2030, 6, 15, 12, tzinfo=UTC)


def found(directory: Pki, role: Role, now: datetime = NOW) -> list[list[Finding]]:
    """What is wrong with each credential of a role."""
    return [verify(one.chain, directory.anchors(role), now, role, ocsp=one.ocsp) for one in directory.credentials(role)]


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return hierarchy.files(NOW)


def test_every_role_has_a_credential_of_each_kind_and_nothing_is_wrong(files: dict[str, bytes]) -> None:
    loaded = pki.load(files)
    assert loaded.problems == ()
    assert [len(loaded.roots(kind)) for kind in Root] == [3, 3, 3]
    for role in Role:
        assert [one.curve for one in loaded.credentials(role)] == [Curve.P256, Curve.P521, Curve.ED448]
        assert found(loaded, role) == [[], [], []]
        assert all(None not in one.ocsp for one in loaded.credentials(role))


def test_certificates_are_as_the_table_says(files: dict[str, bytes]) -> None:
    for role in Role:
        for credential in pki.load(files).credentials(role):
            profile = BY_NAME[role]
            for certificate in credential.chain:
                facts = read(certificate)
                assert facts.unread == ()
                assert facts.organization == TEST_MARK
                assert facts.domains == ((profile.domain,) if profile.domain else ())
                cannot = {"keyAgreement", "keyEncipherment"} if credential.curve is Curve.ED448 else set()
                assert facts.usage == profile.usage - cannot
                assert (facts.ca, facts.path_length) == (profile.ca, profile.path_length)
                assert facts.purposes == (frozenset({profile.purpose}) if profile.purpose else None)
                assert facts.size <= (800 if credential.curve is Curve.P256 else 1600)
                assert facts.not_after is not None
                assert facts.not_before is not None
                assert facts.not_after - facts.not_before == timedelta(days=profile.days)
                assert facts.responders == (hierarchy.RESPONDER,)
                profile = BY_NAME[profile.issuer or ""]


def test_a_vehicle_certificate_has_its_identifier_and_its_maker_alone(files: dict[str, bytes]) -> None:
    for credential in pki.load(files).credentials("vehicle"):
        names = [attribute.rfc4514_attribute_name for attribute in credential.chain[0].subject]
        assert names == ["CN", "O"]


def test_subject_key_identifiers(files: dict[str, bytes]) -> None:
    """[V2G20-2492] builds on eight octets; ISO 15118-2 on RFC 5280's usual twenty."""
    for credential in pki.load(files).credentials("contract"):
        found = credential.chain[0].extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        assert len(found) == (20 if credential.curve is Curve.P256 else 8)


def test_roots_of_different_keys_have_different_names(files: dict[str, bytes]) -> None:
    roots = [root.subject for kind in Root for root in pki.load(files).roots(kind)]
    assert len(set(roots)) == len(roots) == 9


BROKEN = {
    "expired": (Rule.EXPIRED, "expired on 2030-06-14 12:00 UTC, 24 h ago"),
    "not-yet-valid": (Rule.NOT_YET_VALID, "not valid before 2030-07-14 12:00 UTC, in 29 days"),
    "revoked": (Rule.REVOKED, "revoked on 2030-06-15 11:00 UTC"),
    "wrong-usage": (Rule.KEY_USAGE, "it may not sign: keyUsage nonRepudiation"),
    "wrong-purpose": (Rule.PURPOSE, "it is for OCSPSigning, not for "),
    "wrong-domain": (Rule.ROLE, "it is a "),
    "wrong-root": (Rule.SIGNATURE, "its signature is not by the key of the trusted root "),
    "swapped-roles": (Rule.ROLE, "it is a"),
    "weak-curve": (Rule.CURVE, "its key is secp224r1, where "),
    "path-length": (Rule.PATH_LENGTH, "1 CA below it, where its path length allows 0"),
    "bad-signature": (Rule.SIGNATURE, "its signature is not by the key of "),
    "no-sub-cas": (Rule.ISSUER, "was not sent and is no trusted root"),
}
"""For each kind that `verify` finds: the rule and the words. A wrong key is found on loading."""
KINDS = [(kind, role) for kind, bad in BAD.items() for role in bad.roles]


def test_every_kind_is_held_here() -> None:
    assert set(BROKEN) | {"wrong-key"} == set(BAD)


@pytest.mark.parametrize(("kind", "role"), KINDS, ids=[f"{kind}-{role}" for kind, role in KINDS])
def test_a_bad_credential_is_bad_in_that_way_and_all_others_are_good(kind: str, role: Role) -> None:
    loaded = pki.load(hierarchy.files(NOW, bad=Bent(kind, role)))
    if kind == "wrong-key":
        assert loaded.credentials(role) == ()
        assert len(loaded.problems) == 3
        assert f"{role}.key.pem does not belong to the first certificate of {role}.chain.pem" in loaded.problems[0]
    else:
        assert loaded.problems == ()
        rule, words = BROKEN[kind]
        for findings in found(loaded, role):
            fatal = [finding for finding in findings if finding.fatal]
            assert rule in [finding.rule for finding in fatal]
            assert any(words in finding.text for finding in fatal if finding.rule is rule)
            if kind != "swapped-roles":  # what stands in its place departs in other things too
                assert {finding.rule for finding in fatal} == {rule}
    for other in set(Role) - {role}:
        assert found(loaded, other) == [[], [], []]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ugly", "there is no kind 'ugly' of bad credential: it is one of expired, "),
        ("expired:car", "expired is for secc, vehicle, contract, provisioning, cps, not for 'car'"),
        ("wrong-purpose:cps", "wrong-purpose is for secc, vehicle, not for 'cps'"),
        ("", "there is no kind ''"),
    ],
)
def test_kinds_that_there_are_not(text: str, words: str) -> None:
    with pytest.raises(PkiError) as raised:
        hierarchy.bent(text)
    assert words in str(raised.value)


def test_kinds_that_there_are() -> None:
    assert hierarchy.bent("revoked") == Bent("revoked", Role.SECC)
    assert hierarchy.bent("swapped-roles") == Bent("swapped-roles", Role.VEHICLE)
    assert hierarchy.bent("expired:contract") == Bent("expired", Role.CONTRACT)


def test_a_throw_away_hierarchy_is_good_in_memory_and_refused_from_files() -> None:
    made = hierarchy.throw_away(NOW)
    for role in Role:
        assert found(made, role) == [[], [], []]
    [root, *_] = made.roots("v2g")
    assert read(root).organization == THROW_AWAY_MARK
    octets = root.public_bytes(pki.Encoding.PEM)
    loaded = pki.load({"roots/v2g.pem": octets + hierarchy.files(NOW)["roots/v2g.pem"]})
    assert root not in loaded.roots("v2g")
    assert len(loaded.roots("v2g")) == 3
    [problem] = loaded.problems
    assert problem == (
        "roots/v2g.pem: V2G Root CA P-256 is the root of a simulation's throw-away hierarchy: not trusted"
    )


def test_two_hierarchies_do_not_trust_each_other() -> None:
    one, other = hierarchy.throw_away(NOW, [Curve.P256]), hierarchy.throw_away(NOW, [Curve.P256])
    [credential] = one.credentials("secc")
    findings = verify(credential.chain, other.anchors("secc"), NOW, Role.SECC)
    assert [finding.rule for finding in findings] == [Rule.SIGNATURE]


OPENSSL = shutil.which("openssl")


@pytest.mark.skipif(OPENSSL is None, reason="openssl, the independent judge, is not installed")
@pytest.mark.parametrize(
    ("role", "root", "purpose"),
    [
        ("secc", "v2g", "sslserver"),
        ("vehicle", "oem", "sslclient"),
        ("contract", "mo", "any"),
        ("provisioning", "oem", "any"),
        ("cps", "v2g", "any"),
    ],
)
def test_openssl_says_the_same(tmp_path: Path, files: dict[str, bytes], role: str, root: str, purpose: str) -> None:
    bad = hierarchy.files(NOW, bad=Bent("bad-signature", Role(role)))
    for tag in ("", ".p521", ".ed448"):
        for given, good in ((files, True), (bad, False)):
            leaf, chain, roots = tmp_path / "leaf.pem", tmp_path / "chain.pem", tmp_path / "roots.pem"
            first, *subs = pki.certificates(role, given[f"{role}{tag}.chain.pem"])
            leaf.write_bytes(first.public_bytes(pki.Encoding.PEM))
            chain.write_bytes(b"".join(one.public_bytes(pki.Encoding.PEM) for one in subs))
            roots.write_bytes(given[f"roots/{root}.pem"])
            asked = [OPENSSL or "", "verify", "-x509_strict", "-purpose", purpose, "-attime", str(int(NOW.timestamp()))]
            asked += ["-CAfile", str(roots), "-untrusted", str(chain), str(leaf)]
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
            assert (done.returncode == 0) is good, done.stderr


@pytest.mark.skipif(OPENSSL is None, reason="openssl, the independent judge, is not installed")
def test_openssl_believes_the_ocsp_responses(tmp_path: Path, files: dict[str, bytes]) -> None:
    for tag in ("", ".p521", ".ed448"):
        leaf, issuer, *_ = pki.certificates("secc", files[f"secc{tag}.chain.pem"])
        (tmp_path / "leaf.pem").write_bytes(leaf.public_bytes(pki.Encoding.PEM))
        (tmp_path / "issuer.pem").write_bytes(issuer.public_bytes(pki.Encoding.PEM))
        (tmp_path / "roots.pem").write_bytes(files["roots/v2g.pem"])
        (tmp_path / "response.der").write_bytes(files[f"secc{tag}.ocsp/0.der"])
        asked = [OPENSSL or "", "ocsp", "-respin", "response.der", "-issuer", "issuer.pem", "-sha256"]
        asked += ["-cert", "leaf.pem", "-CAfile", "roots.pem", "-verify_other", "issuer.pem", "-partial_chain"]
        asked += ["-no_check_time"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert "Response verify OK" in done.stderr, done.stderr
        assert "leaf.pem: " in done.stdout
        assert "good" in done.stdout
