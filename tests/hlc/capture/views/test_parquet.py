"""A row per message, as Parquet."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hlc.capture.views import parquet
from hlc.capture.views.rows import COLUMNS

pq = pytest.importorskip("pyarrow.parquet", reason="pip install 'openhlc[parquet]'")

Run = Callable[..., Any]


def test_the_same_rows_as_in_csv_and_the_messages(hlc_decode: Run, charge_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    found = hlc_decode(charge_path, "--parquet", path)
    assert (found.code, found.out, found.err) == (0, "", "")
    table = pq.read_table(path)
    assert table.column_names == ["file", *COLUMNS, "message"]
    rows = table.to_pylist()
    lines = list(csv.DictReader(io.StringIO(hlc_decode(charge_path, "--csv").out)))
    objects = [json.loads(line) for line in hlc_decode(charge_path, "--json").out.splitlines()]
    assert len(rows) == len(lines) == len(objects)
    for row, line, entry in zip(rows, lines, objects, strict=True):
        assert row["file"] == str(charge_path)
        assert json.loads(row["message"]) == entry["message"]
        assert row["time"] == datetime.fromtimestamp(entry["time"], UTC)
        assert {name: row[name] for name in ("frame", "session", "side", "name", "id")} == {
            name: entry[name] for name in ("frame", "session", "side", "name", "id")
        }
        for name in ("evse_volts", "target_amps", "soc", "response_s"):
            assert row[name] == (pytest.approx(float(line[name]), abs=1e-6) if line[name] else None)
        assert row["current_limited"] is {"true": True, "false": False, "": None}[line["current_limited"]]


def test_row_groups_are_bounded(
    hlc_decode: Run, charge_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "GROUP", 10)
    path = tmp_path / "out.parquet"
    hlc_decode(charge_path, "--parquet", path)
    about = pq.ParquetFile(path).metadata
    assert about.num_row_groups == -(-about.num_rows // 10) > 3
    monkeypatch.setattr(parquet, "GROUP_OCTETS", 1)
    hlc_decode(charge_path, "--parquet", path)
    assert pq.ParquetFile(path).metadata.num_row_groups == about.num_rows


def test_times_that_no_calendar_has(tmp_path: Path) -> None:
    writer = parquet.Writer(tmp_path / "out.parquet", {"time": float})
    for at in (1e19, -1e19, 0.5, None):
        writer.add([at])
    writer.close()
    times = pq.read_table(tmp_path / "out.parquet").column("time").to_pylist()
    assert times == [None, None, datetime(1970, 1, 1, 0, 0, 0, 500_000, UTC), None]


def test_no_file_is_left_where_reading_fails(
    hlc_decode: Run, charge_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(parquet.ParquetRows, "finished", interrupted)
    found = hlc_decode(charge_path, "--parquet", tmp_path / "out.parquet")
    assert found.code == 130
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_be_written(hlc_decode: Run, charge_path: Path, tmp_path: Path) -> None:
    found = hlc_decode(charge_path, "--parquet", tmp_path / "nowhere" / "out.parquet")
    assert (found.code, found.err.count("\n")) == (1, 1)
    assert "No such file or directory" in found.err


def test_without_the_library(charge_path: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['pyarrow'] = None; from hlc.cli import main;"
        f"sys.exit(main(['decode', {str(charge_path)!r}, '--parquet', {str(tmp_path / 'out')!r}]))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr == ("hlc decode: --parquet needs pyarrow, which is not installed: pip install pyarrow\n")
