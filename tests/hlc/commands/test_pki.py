"""`hlc pki`: what it makes, what it says, and its exit codes."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from hlc.cli import main
from hlc.runtime import pki as reading
from hlc.security import pki
from hlc.security.bad import BAD
from hlc.security.profiles import Role

SAID = {
    "expired": "leaf DEOHCSECC0001: expired on ",
    "not-yet-valid": "leaf DEOHCSECC0001: not valid before ",
    "revoked": "leaf DEOHCSECC0001: revoked on ",
    "wrong-usage": "leaf DEOHCSECC0001: it may not sign: keyUsage nonRepudiation",
    "wrong-purpose": "leaf DEOHCSECC0001: it is for OCSPSigning, not for serverAuth",
    "wrong-domain": "leaf DEOHCSECC0001: it is a provisioning service's (CPS), not a station's (SECC)",
    "wrong-root": "Sub-CA CPO Sub-CA 1 P-256: its signature is not by the key of the trusted root V2G Root CA P-256",
    "wrong-key": "secc.key.pem does not belong to the first certificate of secc.chain.pem",
    "swapped-roles": "leaf WMI00000000000001X: it is an OEM provisioning certificate, not a vehicle's (TLS client)",
    "weak-curve": "leaf DEOHCSECC0001: its key is secp224r1, where P-256 or P-521 or Ed448 is prescribed",
    "path-length": "Sub-CA CPO Sub-CA 1 P-256: 1 CA below it, where its path length allows 0",
    "bad-signature": "leaf DEOHCSECC0001: its signature is not by the key of CPO Sub-CA 2 P-256, which",
    "no-sub-cas": "leaf DEOHCSECC0001: its issuer CPO Sub-CA 2 P-256 was not sent and is no trusted root",
}


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["pki", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_create_and_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "create", tmp_path / "pki")
    assert (code, err) == (0, "")
    assert "a TEST hierarchy, 78 files" in out
    loaded = pki.load(reading.read(tmp_path / "pki"))
    assert loaded.problems == ()
    assert [len(loaded.credentials(role)) for role in Role] == [3] * 5
    code, out, err = run(capsys, "show", tmp_path / "pki")
    assert (code, err) == (0, "")
    assert out.startswith("a TEST hierarchy (openhlc TEST PKI): nothing outside a test bench may trust it\n")
    assert "secc.p521.chain.pem: a station's (SECC); its key fits\n  V2G Root CA P-521  P-521  " in out
    assert "  └ CPO Sub-CA 1 P-521  P-521  " in out
    assert "eMAID DEOHC1A2B3C4D5C" in out
    assert out.endswith("\nnothing is wrong\n")


def test_keys_are_their_owners_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "create", tmp_path / "pki")[0] == 0
    for path in (tmp_path / "pki").rglob("*"):
        if path.is_file():
            open_to_others = stat.S_IMODE(path.stat().st_mode) & 0o077
            assert (b"PRIVATE KEY" in path.read_bytes()) == path.name.endswith(".key.pem")
            assert not (open_to_others and path.name.endswith(".key.pem")), path


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert run(capsys, "create", tmp_path / "empty")[0] == 0
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    for name in ("empty", "file", "full"):
        code, out, err = run(capsys, "create", tmp_path / name)
        assert (code, out) == (1, "")
        assert "is there already and nothing is overwritten: name another, or remove it\n" in err
    assert (tmp_path / "full" / "file").read_text() == "mine"
    code, _, err = run(capsys, "create", tmp_path / "file" / "below")
    assert (code, err) == (1, f"hlc pki: {tmp_path / 'file' / 'below'}: Not a directory\n")


@pytest.mark.parametrize("kind", BAD)
def test_each_bad_kind_is_found(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "create", tmp_path / "pki", "--bad", kind)
    assert (code, err) == (0, "")
    assert out.endswith(f"Bad on request: {BAD[kind].role}: {BAD[kind].text}.\n")
    code, out, err = run(capsys, "show", tmp_path / "pki")
    assert (code, err) == (1, "")
    wrong = [line.strip() for line in out.splitlines() if line.strip().startswith("wrong: ")]
    assert wrong[0].startswith(f"wrong: {SAID[kind]}")
    assert wrong[-1].startswith("wrong: 3 things")  # one for each kind of key
    code, out, err = run(capsys, "show", tmp_path / "pki", "--json")
    assert (code, err) == (1, "")
    assert json.loads(out)["wrong"] == 3


def test_the_page_tells_every_kind() -> None:
    page = (Path(__file__).parents[3] / "docs" / "pki.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| ([a-z]+) \| (.*) \|$", page, re.MULTILINE)
    assert rows == [(kind, str(bad.role), bad.text) for kind, bad in BAD.items()]


def test_files_are_put_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = tmp_path / "pki"
    run(capsys, "create", made)
    chain = made / "secc.chain.pem"
    code, out, _ = run(capsys, "show", chain)
    assert code == 0
    assert "nothing is wrong, noted: 1 thing\n" in out
    code, out, _ = run(capsys, "show", chain, made / "roots", made / "secc.key.pem")
    assert code == 0
    assert f"{chain}: a station's (SECC); its key is {made / 'secc.key.pem'}\n" in out
    assert "roots that no chain here ends in\n" in out
    assert out.endswith("nothing is wrong\n")
    code, out, _ = run(capsys, "show", chain, made / "vehicle.key.pem")
    assert code == 1
    assert f"wrong: {made / 'vehicle.key.pem'}: a private key that belongs to no certificate here\n" in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("create x --bad ugly", 2, "there is no kind 'ugly' of bad credential: it is one of expired, "),
        ("create x --bad wrong-purpose:cps", 2, "wrong-purpose is for secc, vehicle, not for 'cps'"),
        ("create x y", 2, "create makes one directory"),
        ("create x --json", 2, "--json is for show"),
        ("show x --bad expired", 2, "--bad is for create"),
        ("show nowhere", 2, "nowhere: there is no such file or directory"),
        ("show empty", 1, "empty holds no certificates and no keys"),
    ],
)
def test_misuse_gets_one_line(
    arguments: str,
    code: int,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    got, out, err = run(capsys, *arguments.split())
    assert (got, out) == (code, "")
    assert err.startswith(f"hlc pki: {words}")
    assert err.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_what_is_no_certificate_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a\x1b[31m.pem"
    path.write_bytes(b"hello")
    code, out, _ = run(capsys, "show", path)
    assert code == 1
    assert out.startswith(f"wrong: {tmp_path}/a\\x1b[31m.pem: neither PEM nor certificate in DER: ")
