"""What one frame carries."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def entry(hlc_decode: Run, charge_path: Path) -> dict[str, Any]:
    """The first CurrentDemandReq."""
    lines = [json.loads(line) for line in hlc_decode(charge_path, "--json").out.splitlines()]
    found: dict[str, Any] = next(line for line in lines if line["name"] == "CurrentDemandReq")
    return found


def test_a_tree(hlc_decode: Run, charge_path: Path, entry: dict[str, Any]) -> None:
    found = hlc_decode(charge_path, "--frame", entry["frame"])
    assert (found.code, found.err) == (0, "")
    head, name, *tree = found.out.splitlines()
    assert head.startswith(f"frame {entry['frame']}, ")
    assert head.endswith("EVCC, session 1, state 13 Current Demand")
    assert name == "din70121: 118 CurrentDemandReq"
    assert any(line.strip().startswith("EVTargetVoltage: ") and line.endswith(" V") for line in tree)


def test_json_xml_and_bits(hlc_decode: Run, charge_path: Path, entry: dict[str, Any]) -> None:
    number = entry["frame"]
    assert [json.loads(hlc_decode(charge_path, "--frame", number, "--json").out)] == [entry]
    [xml] = hlc_decode(charge_path, "--frame", number, "--xml").out.splitlines()
    assert "CurrentDemandReq" in xml
    bits = hlc_decode(charge_path, "--frame", number, "--bits").out
    assert "EVTargetVoltage" in bits
    assert bits.startswith("din70121: ")
    lines = [
        json.loads(line) for line in hlc_decode(charge_path, "--frame", number, "--bits", "--json").out.splitlines()
    ]
    assert lines[0]["bits"] == "10000000"
    assert hlc_decode(charge_path, "--frame", number, "--bits", "--xml").code == 2


def test_a_frame_without_a_message(hlc_decode: Run, charge_path: Path) -> None:
    numbers = [json.loads(line)["frame"] for line in hlc_decode(charge_path, "--json").out.splitlines()]
    empty = next(number for number in range(1, max(numbers)) if number not in numbers)
    found = hlc_decode(charge_path, "--frame", empty)
    assert (found.code, found.out) == (1, "")
    after = next(number for number in numbers if number > empty)
    assert f"frame {empty} carries no message" in found.err
    assert f"the next one is in frame {after}" in found.err
    found = hlc_decode(charge_path, "--frame", 10**9)
    assert f"the one before is in frame {numbers[-1]}" in found.err


def test_discovery(hlc_decode: Run, charge_path: Path) -> None:
    first = json.loads(hlc_decode(charge_path, "--json").out.splitlines()[0])
    found = hlc_decode(charge_path, "--frame", first["frame"])
    assert "sdp: 50 SECCDiscoveryReq" in found.out
    found = hlc_decode(charge_path, "--frame", first["frame"], "--bits")
    assert (found.code, found.out) == (1, "")
    assert "is no EXI: --bits has nothing to show" in found.err


def test_wrong_usage(hlc_decode: Run, charge_path: Path) -> None:
    found = hlc_decode(charge_path, "--frame", "0")
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert hlc_decode(charge_path, "--frame", "x").code == 2
    assert hlc_decode(charge_path, "--frame", "1", "--summary").code == 2
    found = hlc_decode(charge_path, "--bits")
    assert (found.code, found.out) == (2, "")
    assert "--frame N says which message" in found.err
    assert "--frame is for captures" in hlc_decode("809a0211d01808000000000000000000", "--frame", "1").err


def test_reading_ends_where_nothing_more_can_come(
    hlc_decode: Run, charge_path: Path, monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any]
) -> None:
    """Of a long capture not everything is decoded for one message at its beginning."""
    from hlc.capture.decoder import Decoder

    decoded = []
    frame = Decoder.frame
    monkeypatch.setattr(Decoder, "frame", lambda self, captured: (decoded.append(captured), frame(self, captured))[1])
    monkeypatch.setattr("hlc.capture.views.frame.PATIENCE", 3)
    assert hlc_decode(charge_path, "--frame", entry["frame"]).code == 0
    assert decoded[-1].number == entry["frame"] + 3


@pytest.mark.parametrize(("frame", "name"), [(94, "mme: CM_SLAC_MATCH.CNF"), (154, "109 ChargeParameterDiscoveryRes")])
def test_real_ones(hlc_decode: Run, reference: Path, frame: int, name: str) -> None:
    path = reference / "captures" / "2023-05-24_pyPlc_with_Ioniq93prcSoc.pcapng"
    assert name in hlc_decode(path, "--frame", frame).out
