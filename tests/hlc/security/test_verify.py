"""Chains of peers: what is found in those that are wrong, and that nothing which is sent breaks the finding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from hlc.security import hierarchy, pki
from hlc.security.certificate import Curve, PkiError, der, parse, read
from hlc.security.profiles import Role
from hlc.security.verify import MOST_SENT, Finding, Rule, build, verify

NOW = datetime(2030, 6, 15, 12, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())


@cache
def made() -> pki.Pki:
    return hierarchy.throw_away(NOW)


def chain(role: Role, curve: Curve = Curve.P256) -> tuple[Certificate, ...]:
    return next(one.chain for one in made().credentials(role) if one.curve is curve)


def rules(findings: Sequence[Finding], *, fatal: bool | None = None) -> list[Rule]:
    return [finding.rule for finding in findings if fatal is None or finding.fatal is fatal]


def judged(sent: Sequence[Certificate], role: Role, **options: Any) -> list[Finding]:
    return verify(sent, made().anchors(role), NOW, role, **options)


def issued(
    issuer: Certificate | None = None,
    signer: Any = KEY,
    *,
    key: Any = KEY,
    common: str = "X",
    change: Callable[[x509.CertificateBuilder], x509.CertificateBuilder] = lambda builder: builder,
    algorithm: Any = None,
) -> Certificate:
    """A certificate of no profile."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    builder = x509.CertificateBuilder(
        issuer.subject if issuer is not None else name,
        name,
        key.public_key(),
        x509.random_serial_number(),
        NOW - timedelta(days=1),
        NOW + timedelta(days=1),
    )
    return change(builder).sign(signer, algorithm or hashes.SHA256())


def authority(path_length: int | None = None, *, critical: bool = True) -> Callable[[Any], Any]:
    basic = x509.BasicConstraints(ca=True, path_length=path_length)
    return lambda builder: builder.add_extension(basic, critical=critical)


# --- paths ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("curve", Curve)
def test_the_order_after_the_leaf_does_not_matter(curve: Curve) -> None:
    leaf, *subs = chain(Role.SECC, curve)
    assert judged([leaf, *reversed(subs)], Role.SECC) == []


def test_a_root_that_is_sent_is_noted_and_gains_no_trust() -> None:
    sent = chain(Role.SECC)
    [root] = [one for one in made().roots("v2g") if one.subject == sent[-1].issuer]
    assert rules(judged([*sent, root], Role.SECC), fatal=True) == []
    assert rules(judged([*sent, root], Role.SECC)) == [Rule.ROOT_SENT]
    [finding] = verify([*sent, root], [], NOW, Role.SECC)
    assert (finding.rule, finding.fatal) == (Rule.UNTRUSTED, True)
    assert finding.text == "its root V2G Root CA P-256 is not trusted"


def test_nothing_sent() -> None:
    [finding] = judged([], Role.SECC)
    assert (finding.rule, finding.fatal) == (Rule.ISSUER, True)


def test_a_certificate_that_signed_itself_is_nobody() -> None:
    findings = judged([issued()], Role.SECC)
    assert findings[0].rule is Rule.UNTRUSTED
    assert findings[0].fatal


def test_a_leaf_can_issue_nothing() -> None:
    """Whoever holds a station's key could else make stations."""
    credential = made().credentials("secc")[0]
    stolen = issued(credential.chain[0], credential.key)
    findings = judged([stolen, *credential.chain], Role.SECC)
    assert Rule.CA in rules(findings, fatal=True)
    assert Rule.KEY_USAGE in rules(findings, fatal=True)
    assert Rule.PATH_LENGTH in rules(findings, fatal=True)


def test_a_circle_comes_to_an_end() -> None:
    one = issued(common="one", change=authority())
    two = issued(one, common="two", change=authority())
    again = issued(two, common="one", change=authority())
    findings = judged([issued(two, common="leaf"), two, again, one], Role.SECC)
    assert rules(findings, fatal=True)


def test_a_flood_of_certificates_is_cut_off() -> None:
    authorities = [issued(common="same", change=authority()) for _ in range(30)]
    findings = judged([issued(authorities[0]), *authorities], Role.SECC)
    assert findings[0].text == f"31 certificates were sent, {MOST_SENT} are looked at"
    assert len(build([issued(authorities[0]), *authorities], []).links) <= MOST_SENT


def test_what_belongs_to_no_part_is_noted() -> None:
    findings = judged([*chain(Role.SECC), chain(Role.CPS)[1]], Role.SECC)
    assert rules(findings, fatal=True) == []
    assert findings[0].text == "it belongs to no part of the chain"


def test_three_sub_cas_are_noted_and_bounds_are_kept() -> None:
    root = issued(common="root", change=authority())
    first = issued(root, common="first", change=authority())
    second = issued(first, common="second", change=authority(1))
    third = issued(second, common="third", change=authority(0))
    leaf = issued(third, common="DEOHC1A2B3C4D5C")
    found = verify([leaf, third, second, first], [root], NOW, Role.CONTRACT)
    assert rules(found, fatal=True) == []
    assert "3 Sub-CAs, where the standards have at most 2" in [one.text for one in found]
    low = issued(root, common="first", change=authority(1))
    second = issued(low, common="second", change=authority())
    third = issued(second, common="third", change=authority())
    found = verify([issued(third, common="DEOHC1A2B3C4D5C"), third, second, low], [root], NOW, Role.CONTRACT)
    assert [one.text for one in found if one.fatal] == ["2 CAs below it, where its path length allows 1"]


# --- keys and algorithms ----------------------------------------------------------------------------------------------


def test_each_protocol_has_its_curves() -> None:
    assert judged(chain(Role.SECC), Role.SECC, curves=(Curve.P256,)) == []
    assert judged(chain(Role.SECC, Curve.ED448), Role.SECC, curves=(Curve.P521, Curve.ED448)) == []
    [finding] = judged(chain(Role.SECC), Role.SECC, curves=(Curve.P521, Curve.ED448))
    assert finding.rule is Rule.CURVE
    assert finding.text == "its key is P-256, where P-521 or Ed448 is prescribed"


def test_a_chain_of_mixed_keys_is_noted() -> None:
    root, other = ec.generate_private_key(ec.SECP521R1()), issued
    top = other(None, root, key=root, common="root", change=authority(), algorithm=hashes.SHA512())
    leaf = other(top, root, common="DEOHC1A2B3C4D5C", algorithm=hashes.SHA256())
    found = verify([leaf], [top], NOW, Role.CONTRACT)
    assert rules(found, fatal=True) == []
    assert {Rule.CURVE, Rule.ALGORITHM} <= set(rules(found))


def test_rsa_is_not_believed() -> None:
    key = rsa.generate_private_key(65537, 1024)
    root = issued(None, key, key=key, common="root", change=authority())
    found = verify([issued(root, key)], [root], NOW, Role.CONTRACT)
    assert found[0].rule is Rule.ALGORITHM
    assert found[0].fatal


def test_other_hashes_are_not_believed() -> None:
    root = issued(common="root", change=authority())
    leaf = issued(root, common="DEOHC1A2B3C4D5C", algorithm=hashes.SHA256())
    assert rules(verify([leaf], [root], NOW, Role.CONTRACT), fatal=True) == []
    weak = issued(root, common="DEOHC1A2B3C4D5C", algorithm=hashes.SHA384())
    assert rules(verify([weak], [root], NOW, Role.CONTRACT), fatal=True)[0] is Rule.ALGORITHM


# --- roles ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", Role)
@pytest.mark.parametrize("wanted", Role)
@pytest.mark.parametrize("curve", Curve)
def test_no_credential_passes_for_another(shown: Role, wanted: Role, curve: Curve) -> None:
    """Even under a root that is trusted for both."""
    every = [root for kind in ("v2g", "oem", "mo") for root in made().roots(kind)]
    findings = verify(chain(shown, curve), every, NOW, wanted)
    assert (Rule.ROLE in rules(findings, fatal=True)) is (shown is not wanted)


def test_what_bears_no_mark_is_no_station_and_no_provisioning_service() -> None:
    root = issued(common="root", change=authority())
    leaf = issued(root, common="nobody")
    for role in Role:
        fatal = Rule.ROLE in rules(verify([leaf], [root], NOW, role), fatal=True)
        assert fatal is (role in (Role.SECC, Role.CPS)), role


def test_a_contract_needs_an_emaid_and_its_check_digit_is_noted() -> None:
    root = issued(common="root", change=authority())
    assert Rule.IDENTIFIER in rules(verify([issued(root)], [root], NOW, Role.CONTRACT), fatal=True)
    wrong = verify([issued(root, common="DE-OHC-1A2B3C4D5-X")], [root], NOW, Role.CONTRACT)
    assert Rule.IDENTIFIER in rules(wrong, fatal=False)
    assert "the check digit of its eMAID DEOHC1A2B3C4D5X is wrong" in [one.text for one in wrong]


def test_a_ca_is_no_leaf() -> None:
    assert Rule.CA in rules(judged(chain(Role.SECC)[1:], Role.SECC), fatal=True)
    assert verify(chain(Role.SECC)[1:], made().anchors("secc"), NOW, None) == []


def test_extensions_that_are_not_critical_and_sizes_are_noted() -> None:
    root = issued(common="root", change=authority(critical=False))
    wide = x509.SubjectAlternativeName([x509.DNSName("a" * 60 + f".{n}") for n in range(20)])
    leaf = issued(root, common="DEOHC1A2B3C4D5C", change=lambda builder: builder.add_extension(wide, critical=False))
    found = verify([leaf], [root], NOW, Role.CONTRACT)
    assert rules(found, fatal=True) == []
    assert {Rule.SIZE, Rule.CA} <= set(rules(found))


def test_a_critical_extension_that_is_not_understood_is_refused() -> None:
    """A CA for certain names alone would else be one for all."""
    name = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "others")]))
    bounds = x509.NameConstraints(permitted_subtrees=[name], excluded_subtrees=None)
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    root = issued(common="root", change=authority())
    for extension in (bounds, unknown):
        for critical in (True, False):

            def add(
                builder: x509.CertificateBuilder, extension: Any = extension, critical: bool = critical
            ) -> x509.CertificateBuilder:
                return builder.add_extension(extension, critical=critical)

            sub = issued(root, common="sub", change=lambda builder, add=add: add(authority()(builder)))
            found = verify([issued(sub, common="DEOHC1A2B3C4D5C"), sub], [root], NOW, Role.CONTRACT)
            assert rules(found, fatal=True) == ([Rule.EXTENSION] if critical else [])


# --- time and revocation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "rule"),
    [
        (NOW - timedelta(days=1, seconds=1), Rule.NOT_YET_VALID),
        (NOW - timedelta(days=1), None),
        (NOW + timedelta(days=59), None),
        (NOW + timedelta(days=59, seconds=1), Rule.EXPIRED),
    ],
)
def test_validity_to_the_second(moment: datetime, rule: Rule | None) -> None:
    found = verify(chain(Role.SECC), made().anchors("secc"), moment, Role.SECC)
    assert set(rules(found)) == ({rule} if rule else set())


def test_a_root_that_has_expired_carries_nothing() -> None:
    found = verify(chain(Role.SECC), made().anchors("secc"), NOW + timedelta(days=365 * 41), Role.SECC)
    assert [one.certificate for one in found if one.rule is Rule.EXPIRED][-1] == "root V2G Root CA P-256"


@pytest.mark.parametrize("curve", Curve)
def test_ocsp_responses(curve: Curve) -> None:
    credential = next(one for one in made().credentials("secc") if one.curve is curve)
    leaf, first, second = credential.ocsp
    assert leaf is not None

    def said(ocsp: Sequence[bytes | None], now: datetime = NOW) -> list[tuple[str, str]]:
        found = verify(credential.chain, made().anchors("secc"), now, Role.SECC, ocsp=ocsp)
        assert all(not one.fatal and one.rule is Rule.REVOCATION_UNKNOWN for one in found)
        return [(one.certificate.split()[0], one.text) for one in found]

    assert said(credential.ocsp) == []
    assert said([leaf, None, second]) == [("Sub-CA", "no OCSP response tells whether it is revoked")]
    assert said([leaf]) == [("Sub-CA", "no OCSP response tells whether it is revoked")] * 2
    assert said([first, first, second]) == [
        ("leaf", "its OCSP response is not signed by its issuer or one whom that has delegated")
    ]
    assert said([b"\x30\x00", first, second]) == [("leaf", "its OCSP response cannot be read")]
    assert said([bytes(1 << 17), first, second])[0][1] == "an OCSP response of 131072 octets is not looked at"
    altered = leaf[:-1] + bytes([leaf[-1] ^ 1])
    assert said([altered, first, second])[0][0] == "leaf"
    later = said(credential.ocsp, NOW + timedelta(days=7))
    assert later == [(place, "its OCSP response is out of date since 2030-06-22 11:00 UTC") for place, _ in later]
    assert len(later) == 3
    early = said(credential.ocsp, NOW - timedelta(hours=2))
    assert early[0][1] == "its OCSP response is from the future (2030-06-15 11:00)"


def test_an_issuer_may_delegate_its_responses() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    root = issued(common="root", change=authority())
    leaf = issued(root, common="DEOHC1A2B3C4D5C")

    def said(delegate: Certificate) -> list[Rule]:
        builder = ocsp.OCSPResponseBuilder().add_response(
            leaf, root, hashes.SHA256(), ocsp.OCSPCertStatus.GOOD, NOW, NOW + timedelta(days=1), None, None
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, delegate).certificates([delegate])
        response = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
        found = verify([leaf], [root], NOW, Role.CONTRACT, ocsp=[response])
        return [rule for rule in rules(found) if rule is Rule.REVOCATION_UNKNOWN]

    signing = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
    good = issued(root, key=key, change=lambda builder: builder.add_extension(signing, critical=False))
    assert said(good) == []
    assert said(issued(root, key=key)) == [Rule.REVOCATION_UNKNOWN], "anyone under that issuer"
    alone = issued(None, key, key=key, change=lambda builder: builder.add_extension(signing, critical=False))
    assert said(alone) == [Rule.REVOCATION_UNKNOWN], "anyone at all"


def test_a_response_about_another_certificate_says_nothing() -> None:
    vehicle = made().credentials("vehicle")[0]
    responses = [vehicle.ocsp[0], *made().credentials("secc")[0].ocsp[1:]]
    found = judged(chain(Role.SECC), Role.SECC, ocsp=responses)
    assert rules(found) == [Rule.REVOCATION_UNKNOWN]


def test_revocation_is_found_although_the_root_is_missing_or_the_response_is_old() -> None:
    bent = hierarchy.Bent("revoked", Role.SECC)
    [revoked] = pki.load(hierarchy.files(NOW, [Curve.P256], bent)).credentials("secc")
    for now, roots in ((NOW, ()), (NOW + timedelta(days=30), made().anchors("secc"))):
        found = verify(revoked.chain, roots, now, Role.SECC, ocsp=revoked.ocsp)
        assert "revoked on 2030-06-15 11:00 UTC" in [one.text for one in found if one.fatal]


# --- hostile octets ---------------------------------------------------------------------------------------------------


@given(st.data())
def test_mutated_certificates_are_findings_and_never_exceptions(data: st.DataObject) -> None:
    sent = list(chain(Role.SECC, data.draw(st.sampled_from(Curve))))
    place = data.draw(st.integers(0, len(sent) - 1))
    octets = bytearray(der(sent[place]))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(octets))))
    mutated = bytes(octets[:cut])
    try:
        certificate = parse(mutated)
    except PkiError:
        return
    # What is signed counts: one signature can be written in several ways.
    original = sent[place].tbs_certificate_bytes
    sent[place] = certificate
    found = judged(sent, Role.SECC, ocsp=made().credentials("secc")[0].ocsp)
    assert all(str(finding).isprintable() for finding in found)
    if certificate.tbs_certificate_bytes != original:
        assert rules(found, fatal=True), "an altered certificate is refused"


@given(st.binary(max_size=300))
def test_garbage_is_no_certificate(data: bytes) -> None:
    with pytest.raises(PkiError) as raised:
        parse(data)
    assert str(raised.value).isprintable()


@given(st.data())
def test_mutated_ocsp_responses_never_revoke_and_never_break(data: st.DataObject) -> None:
    credential = data.draw(st.sampled_from(made().credentials("secc")))
    leaf, *others = credential.ocsp
    octets = bytearray(leaf or b"")
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place] ^= data.draw(st.integers(1, 255))
    found = judged(credential.chain, Role.SECC, ocsp=[bytes(octets), *others])
    assert rules(found, fatal=True) == []


@given(st.text(min_size=1, max_size=64).filter(lambda text: len(text.encode("utf-8", "replace")) <= 64))
def test_names_do_a_terminal_no_harm(name: str) -> None:
    try:
        certificate = issued(common=name)
    except (ValueError, UnicodeEncodeError):
        return
    assert read(certificate).name.isprintable()
    assert all(str(finding).isprintable() for finding in judged([certificate], Role.CONTRACT))
