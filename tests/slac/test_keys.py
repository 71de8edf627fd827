"""Keys: against the golden data, and the two values that everybody knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slac.keys import dak_from_password, nid_from_nmk, nmk_from_password


def test_golden_keys(reference: Path) -> None:
    derived = 0
    for line in (reference / "vectors/mme/keys.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        nmk = bytes.fromhex(row["nmk"])
        if row["kind"] == "password":
            assert nmk_from_password(row["password"]) == nmk
            assert dak_from_password(row["password"]).hex() == row["dak"]
            assert nid_from_nmk(nmk, level=1).hex() == row["nid_level1"]
        if row["kind"] == "capture_match_cnf":
            assert nid_from_nmk(nmk).hex() == row["nid_derived_level0"]
            assert (nid_from_nmk(nmk).hex() == row["nid"]) == row["nid_derives_from_nmk"]
        else:
            assert nid_from_nmk(nmk).hex() == row["nid_level0"]
        derived += 1
    assert derived > 30


def test_the_password_of_many_adapters() -> None:
    nmk = nmk_from_password("HomePlugAV")
    assert nmk.hex() == "50d3e4933f855b7040784df815aa8db7"
    assert nid_from_nmk(nmk).hex() == "b0f2e695666b03"
    assert dak_from_password("HomePlugAV").hex() == "689f074b8b0275a2710b0b5779ad1630"


def test_what_is_no_key() -> None:
    with pytest.raises(ValueError, match="an NMK has 16 octets, not 15"):
        nid_from_nmk(bytes(15))
    with pytest.raises(ValueError, match="security level 2"):
        nid_from_nmk(bytes(16), level=2)
