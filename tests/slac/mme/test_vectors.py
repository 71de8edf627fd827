"""The golden frames: each parses to the name and fields given, and builds to the same octets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import slac
from slac import Mme

LONGER = {"DSPACE_SCS_DIAG.IND", "VS_HOST_ACTION.IND"}
"""Of these the vectors give fields that reach beyond the end of the payload as it is given there."""


@pytest.fixture(scope="module")
def rows(reference: Path) -> list[dict[str, Any]]:
    lines = (reference / "vectors/mme/mme.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def told(value: Any) -> Any:
    """Fields as the vectors write them, MAC addresses without colons."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [told(each) for each in value]
    if isinstance(value, dict):
        return {key: told(each) for key, each in value.items()}
    if isinstance(value, str) and len(value) == 17 and value.count(":") == 5:
        return value.replace(":", "")
    return value


def faults(row: dict[str, Any], mme: Mme) -> Iterator[str]:
    header = {
        "name": mme.name,
        "mmtype": f"0x{mme.mmtype:04X}",
        "mmv": mme.mmv,
        "dst": mme.destination.hex(":"),
        "src": mme.source.hex(":"),
        "vlan_tci": mme.vlan,
        "fmi_nf": mme.fragment[1] - 1 if mme.mmv else None,
        "fmi_fn": mme.fragment[0] if mme.mmv else None,
        "fmsn": mme.fmsn if mme.mmv else None,
        "oui": mme.oui and mme.oui.hex(),
    }
    yield from (f"{key} {value}" for key, value in header.items() if row.get(key) != value)
    if "fields" not in row:
        if list(mme.fields) != ["payload"] or not mme.note:
            yield "a layout nobody gave"
        return
    if told(mme.fields) != told(row["fields"]):
        yield f"fields {mme.fields}"
    if mme.name not in LONGER and len(mme.build()) - len(mme.tail) != row["payload_end"]:
        yield f"{len(mme.tail)} octets of tail"


def test_every_frame_parses_to_what_is_given(rows: list[dict[str, Any]]) -> None:
    assert len(rows) > 900
    found = [(row["id"], fault) for row in rows for fault in faults(row, slac.parse(bytes.fromhex(row["hex"])))]
    assert found == []


def test_every_frame_builds_to_the_same_octets(rows: list[dict[str, Any]]) -> None:
    assert [row["id"] for row in rows if slac.parse(bytes.fromhex(row["hex"])).build().hex() != row["hex"]] == []


def test_every_frame_is_made_from_its_fields(rows: list[dict[str, Any]]) -> None:
    """What `parse` gives is what `make` takes, apart from what stands behind the text of a text field."""
    for row in rows:
        mme = slac.parse(bytes.fromhex(row["hex"]))
        made = slac.make(
            mme.name,
            destination=mme.destination,
            source=mme.source,
            vlan=mme.vlan,
            oui=mme.oui,
            mmv=mme.mmv,
            tail=mme.tail,
            **mme.fields,
        )
        assert mme.filler or made.hex() == row["hex"], row["id"]


def test_frames_of_whole_runs_are_understood(reference: Path) -> None:
    for line in (reference / "vectors/mme/sequences.jsonl").read_text(encoding="utf-8").splitlines():
        sequence = json.loads(line)
        for frame in sequence["frames"]:
            mme = slac.parse(bytes.fromhex(frame["hex"]))
            assert mme.name == frame["name"], sequence["id"]
            assert mme.build().hex() == frame["hex"]
