"""What is told of a directory, and of a heap of files of any maker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from hlc.security import hierarchy, pki, show
from hlc.security.certificate import der
from hlc.security.profiles import Role

NOW = datetime(2030, 6, 15, 12, tzinfo=UTC)


@cache
def files() -> dict[str, bytes]:
    return hierarchy.files(NOW)


def scattered(*names: str) -> dict[str, bytes]:
    """Credentials as other makers lay them down: a file for each certificate, in DER, and the keys elsewhere."""
    found = {}
    for name in names:
        for n, one in enumerate(pki.certificates(name, files()[f"{name}.chain.pem"])):
            found[f"certs/{name}{n}.der"] = der(one)
        found[f"keys/{name}.key"] = files()[f"{name}.key.pem"]
    return found


def test_a_directory() -> None:
    report = show.report(files(), NOW)
    assert (report.wrong, report.noted, report.test) == (0, 0, True)
    assert [chain.files[0] for chain in report.chains[:4]] == [
        "secc.chain.pem",
        "secc.p521.chain.pem",
        "secc.ed448.chain.pem",
        "vehicle.chain.pem",
    ]
    assert {chain.role for chain in report.chains} == set(Role)
    assert all(len(chain.links) == 4 and len(chain.revocation) == 3 for chain in report.chains)
    assert len(report.roots) == 9


def test_what_is_wrong_with_a_directory() -> None:
    given = dict(files())
    given["secc.key.pem"] = given["vehicle.key.pem"]
    given["cps.chain.pem"] = b"hello"
    report = show.report(given, NOW + timedelta(days=61))
    assert [problem.split(":")[0] for problem in report.problems] == [
        "cps.chain.pem",
        "secc.key.pem does not belong to the first certificate of secc.chain.pem",
    ]
    station = report.chains[0]
    assert station.key == "no key that fits"
    assert [one.text for one in station.findings if one.fatal] == ["expired on 2030-08-13 12:00 UTC, 2 days ago"]
    assert report.wrong == 2 + 3  # the station's certificates with the three kinds of key have expired


def test_a_root_that_no_chain_ends_in_is_looked_at_too() -> None:
    report = show.report({"roots/mo.pem": files()["roots/mo.pem"]}, NOW + timedelta(days=365 * 41))
    assert report.wrong == 3
    assert report.problems[0].startswith("roots/mo.pem: root MO Root CA P-256: expired on 2070-")


def test_a_directory_without_the_roots_of_a_chain_is_not_wrong_for_that() -> None:
    given = {name: files()[name] for name in ("secc.chain.pem", "secc.key.pem", "roots/mo.pem")}
    report = show.report(given, NOW)
    assert report.wrong == 0
    assert [one.do for one in report.chains[0].findings] == ["to check the chain to its end, give that one too"]
    # A root of another hierarchy is something else: the chain does not end where it should.
    given["roots/v2g.pem"] = hierarchy.files(NOW)["roots/v2g.pem"]
    assert show.report(given, NOW).wrong == 1


def test_a_heap_is_put_together() -> None:
    given = scattered("secc", "contract", "provisioning")
    for root in ("v2g", "mo", "oem"):
        given[f"certs/{root}.crt"] = files()[f"roots/{root}.pem"]
    report = show.report(given, NOW)
    assert (report.wrong, report.noted) == (0, 0)
    assert {(chain.role, chain.files, chain.key) for chain in report.chains} == {
        (role, (f"certs/{role}0.der",), f"its key is keys/{role}.key")
        for role in (Role.SECC, Role.CONTRACT, Role.PROVISIONING)
    }
    assert all(len(chain.links) == 4 for chain in report.chains)


def test_a_heap_with_passwords() -> None:
    key = load_pem_private_key(files()["secc.key.pem"], None)
    octets = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"12345"))
    given = scattered("secc") | {"keys/secc.key": octets}
    assert show.report(given, NOW).problems == (
        "keys/secc.key is encrypted: put its password into a file with password in its name",
    )
    report = show.report(given | {"keys/password1.txt": b"67890", "keys/seccPassword.txt": b"12345\n"}, NOW)
    assert report.wrong == 0
    assert report.chains[0].key == "its key is keys/secc.key"


def test_a_sub_ca_without_a_leaf_is_shown_and_not_wrong() -> None:
    given = scattered("secc")
    report = show.report({name: given[name] for name in ("certs/secc1.der", "certs/secc2.der")}, NOW)
    [chain] = report.chains
    assert chain.what == "a CA without a leaf"
    assert [link.facts.name for link in chain.links] == ["CPO Sub-CA 2 P-256", "CPO Sub-CA 1 P-256"]
    assert (report.wrong, report.noted) == (0, 1)


def test_a_key_that_fits_nothing() -> None:
    given = scattered("secc") | {"other.key": files()["vehicle.key.pem"]}
    assert show.report(given, NOW).problems == ("other.key: a private key that belongs to no certificate here",)
    report = show.report({"other.key": files()["vehicle.key.pem"]}, NOW)
    assert (report.wrong, report.notes) == (0, ("other.key: a private key, and no certificate beside it",))


def test_files_bear_names_of_a_directory_by_chance() -> None:
    """A chain shown alone is a file, not a directory without a key."""
    report = show.heap({"secc.chain.pem": files()["secc.chain.pem"]}, NOW)
    assert report.wrong == 0


def test_for_machines() -> None:
    made = show.record(show.report(hierarchy.files(NOW, bad=hierarchy.bent("expired")), NOW), NOW)
    read = msgspec.json.decode(msgspec.json.encode(made))
    assert (read["wrong"], read["test"]) == (3, True)
    station = read["chains"][0]
    assert (station["role"], station["key"], station["files"]) == ("secc", "its key fits", ["secc.chain.pem"])
    leaf = station["certificates"][0]
    assert (leaf["place"], leaf["SECC ID"], leaf["key"], leaf["days_left"]) == ("leaf", "DEOHCSECC0001", "P-256", -1)
    assert leaf["extended_key_usage"] == ["serverAuth"]
    [finding] = station["findings"]
    assert (finding["rule"], finding["wrong"]) == ("expired", True)
    names = {chain["role"]: chain["certificates"][0] for chain in read["chains"]}
    assert names["contract"]["eMAID"] == "DEOHC1A2B3C4D5C"
    assert names["vehicle"]["EVCCID"] == "HLCV0000000000000001"
    assert names["provisioning"]["PCID"] == "WMI00000000000001X"


@given(st.data())
def test_no_file_breaks_it(data: st.DataObject) -> None:
    heap = scattered("secc") | {"root.pem": files()["roots/v2g.pem"]}
    name = data.draw(st.sampled_from(sorted(heap)))
    octets = bytearray(heap[name])
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    report = show.report(heap | {name: bytes(octets)}, NOW)
    msgspec.json.encode(show.record(report, NOW))
