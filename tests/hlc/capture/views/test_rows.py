"""A row per message, as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hlc.capture.views.rows import COLUMNS, shown

Run = Callable[..., Any]


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_for_each_message(hlc_decode: Run, charge_path: Path, charge: tuple[bytes, list[str]]) -> None:
    found = hlc_decode(charge_path, "--csv")
    assert found.code == 0
    rows = read(found.out)
    assert list(rows[0]) == list(COLUMNS)
    assert [row["name"] for row in rows if row["schema"] != "sdp"] == charge[1]
    demand, answer = (next(row for row in rows if row["name"] == f"CurrentDemand{end}") for end in ("Req", "Res"))
    assert (demand["side"], demand["id"], demand["state"]) == ("EVCC", "118", "13")
    assert float(demand["target_volts"]) > 300
    assert 0 < float(demand["pause_s"]) < 1
    assert demand["evse_volts"] == demand["response_s"] == ""
    assert answer["response_code"] == "OK"
    assert 0 < float(answer["response_s"]) < 0.025
    assert float(answer["evse_volts"]) * float(answer["evse_amps"]) == pytest.approx(float(answer["evse_watts"]))
    assert answer["current_limited"] in ("true", "false")


def test_the_figures_are_those_of_the_messages(hlc_decode: Run, charge_path: Path) -> None:
    rows = read(hlc_decode(charge_path, "--csv").out)
    lines = [json.loads(line) for line in hlc_decode(charge_path, "--json").out.splitlines()]
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        assert (int(row["frame"]), row["name"]) == (line["frame"], line["name"])
        assert float(row["time"]) == pytest.approx(line["time"], abs=1e-6)
        target = line["message"].get("Body", {}).get("CurrentDemandReq", {}).get("EVTargetCurrent")
        if target is not None:
            assert float(row["target_amps"]) == pytest.approx(target["Value"] * 10 ** target["Multiplier"])


def test_iso_15118_20(hlc_decode: Run, charge_20_path: Path) -> None:
    rows = read(hlc_decode(charge_20_path, "--csv").out)
    loop = [row for row in rows if row["name"] == "DC_ChargeLoopRes"]
    assert loop
    assert all(row["state"] == "13" and float(row["evse_max_volts"]) == 500 for row in loop)
    assert max(float(row["evse_watts"]) for row in loop) > 10_000


def test_csv_is_a_form_of_its_own(hlc_decode: Run, charge_path: Path) -> None:
    for other in ("--json", "--xml", "--summary"):
        found = hlc_decode(charge_path, "--csv", other)
        assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)


def test_real_ones(hlc_decode: Run, reference: Path) -> None:
    path = reference / "captures" / "2023-05-24_pyPlc_with_Ioniq93prcSoc.pcapng"
    rows = read(hlc_decode(path, "--csv").out)
    assert {row["soc"] for row in rows} >= {"93"}
    assert any(row["schema"] == "mme" and row["name"] == "CM_SLAC_PARM.REQ" and row["id"] == "1" for row in rows)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), (0.1 + 0.2, "0.3"), (1e-9, "0"), (12.0, "12"), (1e263, "1e+263"), ("a,b", "a,b")],
)
def test_cells(value: Any, text: str) -> None:
    assert shown([value]) == [text]
