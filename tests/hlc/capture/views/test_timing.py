"""Response times, pauses and phases against their deadlines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hlc.capture.views.timing import duration

Run = Callable[..., Any]


def rows(found: Any, kind: str) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(found.out)[kind]}


def test_each_kind_of_message_against_both_halves_of_its_deadline(
    hlc_decode: Run, charge_path: Path, charge: tuple[bytes, list[str]]
) -> None:
    found = hlc_decode(charge_path, "--timing", "--json")
    assert found.code == 0
    answers = rows(found, "answers")
    assert {name: row["count"] for name, row in answers.items()} == {
        name: charge[1].count(name) for name in charge[1] if name.endswith("Res")
    }
    demand = answers["CurrentDemandRes"]
    assert (demand["performance_time"], demand["timeout"]) == (0.025, 0.25)
    assert 0 < demand["p50"] <= demand["p99"] <= demand["worst"] < 0.025
    assert answers["CableCheckRes"]["timeout"] == 2.0
    pauses = rows(found, "pauses")
    assert (pauses["CurrentDemandRes"]["performance_time"], pauses["CurrentDemandRes"]["timeout"]) == (40, 60)
    assert pauses["CurrentDemandRes"]["p50"] > demand["p50"]
    phases = rows(found, "phases")
    assert (phases["CableCheck"]["performance_time"], phases["CableCheck"]["timeout"]) == (38, 40)
    assert phases["PreCharge"]["unfinished"] == 0
    assert phases["ReadyToCharge"]["worst"] > phases["CableCheck"]["worst"] + phases["PreCharge"]["worst"]


def test_deadlines_of_iso_15118_20(hlc_decode: Run, charge_20_path: Path) -> None:
    """Those of its charge loop are its own, of either side; messages that all modes share belong to the session's."""
    found = hlc_decode(charge_20_path, "--timing", "--json")
    answers, pauses, phases = (rows(found, kind) for kind in ("answers", "pauses", "phases"))
    loop = answers["DC_ChargeLoopRes"]
    assert (loop["protocol"], loop["performance_time"], loop["timeout"]) == ("iso15118_20_dc", 0.25, 0.5)
    assert (pauses["DC_ChargeLoopRes"]["performance_time"], pauses["DC_ChargeLoopRes"]["timeout"]) == (0.25, 0.5)
    assert answers["ServiceDetailRes"]["timeout"] == 5.0
    assert (pauses["ServiceDetailRes"]["performance_time"], pauses["ServiceDetailRes"]["timeout"]) == (40, 60)
    assert {row["protocol"] for row in answers.values()} == {None, "iso15118_20_dc"}
    assert phases["PreCharge"]["timeout"] == 10
    assert phases["Ongoing (ScheduleExchange)"]["unfinished"] == 0


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_a_reader_sees_it_in_his_terminal(hlc_decode: Run, charge_path: Path, columns: int) -> None:
    found = hlc_decode(charge_path, "--timing", columns=columns)
    assert max(map(len, found.out.splitlines())) <= columns
    assert "Answers of the station" in found.out
    titles = next(line for line in found.out.splitlines() if line.startswith("answer "))
    assert {"p50", "worst", "timeout"} <= set(titles.split())
    line = next(line for line in found.out.splitlines() if line.startswith("CurrentDemand "))
    assert "25 ms" in line
    assert "250 ms" in line
    assert "%" in line


def test_late_answers_are_counted(
    hlc_decode: Run, frames: list[tuple[float, bytes]], to_pcap: Callable[..., bytes], tmp_path: Path
) -> None:
    """The same charge, twenty times slower: answers come late, and the vehicle's phases last too long."""
    began = frames[0][0]
    path = tmp_path / "slow.pcap"
    path.write_bytes(to_pcap([(began + 20 * (at - began), frame) for at, frame in frames]))
    found = hlc_decode(path, "--timing", "--json")
    demand = rows(found, "answers")["CurrentDemandRes"]
    assert demand["beyond_performance_time"] == demand["count"]
    assert demand["beyond_timeout"] == 0
    cable_check = rows(found, "phases")["CableCheck"]
    assert cable_check["worst"] > 40
    assert cable_check["beyond_timeout"] == 1


def test_a_phase_that_never_ends_is_told(
    hlc_decode: Run, frames: list[tuple[float, bytes]], to_pcap: Callable[..., bytes], tmp_path: Path
) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(to_pcap(frames[:40]))
    phases = rows(hlc_decode(path, "--timing", "--json"), "phases")
    assert phases["CommunicationSetup"]["unfinished"] == 0
    assert phases["ReadyToCharge"]["unfinished"] == 1


def test_no_messages(hlc_decode: Run, to_pcap: Callable[..., bytes], tmp_path: Path) -> None:
    path = tmp_path / "empty.pcap"
    path.write_bytes(to_pcap([]))
    found = hlc_decode(path, "--timing")
    assert (found.code, found.out) == (0, "no request with its answer was decoded\n")


def test_real_ones(hlc_decode: Run, reference: Path) -> None:
    found = hlc_decode(reference / "captures/2026-02-03_pyPLC_FoccciCape_with_Ioniq_runs_10_minutes.pcap", "--timing")
    demand = next(line for line in found.out.splitlines() if line.startswith("CurrentDemand ")).split()
    assert demand[1] == "3428"
    assert "within 1%" in found.out


@pytest.mark.parametrize(
    ("time_s", "text"),
    [
        (None, ""),
        (0.0, "0.0 ms"),
        (0.00041, "0.4 ms"),
        (0.025, "25 ms"),
        (0.9999, "1 s"),
        (1.5, "1.5 s"),
        (59.96, "60 s"),
        (3600, "3600 s"),
    ],
)
def test_durations(time_s: float | None, text: str) -> None:
    assert duration(time_s) == text
