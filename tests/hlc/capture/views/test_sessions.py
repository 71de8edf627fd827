"""The table of sessions with which a summary begins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def thrice(
    frames: list[tuple[float, bytes]], to_pcap: Callable[..., bytes], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A capture of a charge, one that is cut off, and a charge again."""
    path = tmp_path_factory.mktemp("sessions") / "thrice.pcap"
    again = [(at + 1000, frame) for at, frame in frames[:60]] + [(at + 2000, frame) for at, frame in frames]
    path.write_bytes(to_pcap(frames + again))
    return path


def test_a_summary_of_several_sessions_begins_with_them(hlc_decode: Run, thrice: Path) -> None:
    lines = hlc_decode(thrice, "--summary").out.splitlines()
    assert lines[0].split() == ["#", "start", "UTC", "lasts", "protocol", "mode", "outcome", "SoC", "%", "kWh",
                                "max", "V", "max", "A", "reason"]  # fmt: skip
    assert [line.split()[0] for line in lines[1:4]] == ["1", "2", "3"]
    assert lines[1].split()[6:8] == ["DC", "good"]
    assert "good" not in lines[2]
    assert lines[4] == ""
    assert "Session 1:" in "\n".join(lines[5:])


def test_one_session_needs_no_table(hlc_decode: Run, charge_path: Path) -> None:
    assert hlc_decode(charge_path, "--summary").out.startswith("\nSession 1:")


@pytest.mark.parametrize("columns", [60, 80, 100, 160])
def test_it_fits_the_terminal(hlc_decode: Run, thrice: Path, columns: int) -> None:
    rows = hlc_decode(thrice, "--summary", columns=columns).out.splitlines()[:4]
    assert max(map(len, rows)) <= columns
    assert "failed" in rows[2] or "unfinished" in rows[2]


def test_the_mode_is_told_to_machines_too(hlc_decode: Run, thrice: Path) -> None:
    sessions = json.loads(hlc_decode(thrice, "--summary", "--json").out)["sessions"]
    assert [session["mode"] for session in sessions] == ["DC", "DC", "DC"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("2026-02-03_pyPLC_FoccciCape_with_Ioniq_runs_10_minutes.pcap", ["DIN", "10:08", "378"]),
        ("vw-ac-iso2.pcap", ["15118-2", "AC", "failed"]),
        ("2023-04-19_compleo_pyPlc_lightbulb_failedBadRegulation.pcapng", ["DIN", "failed"]),
    ],
)
def test_real_ones(hlc_decode: Run, reference: Path, name: str, words: list[str]) -> None:
    out = hlc_decode(reference / "captures" / name, "--summary").out
    table = out.partition("\n\n")[0]
    assert table.startswith("#")
    for word in words:
        assert word in table
