"""`hlc decode --doctor` as people and programs read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hlc.cli import main

Frames = list[tuple[float, bytes]]


@pytest.fixture
def cut(frames: Frames, to_pcap: Callable[..., bytes], tmp_path: Path) -> str:
    """A charge whose station stops answering in the middle of it."""
    path = tmp_path / "cut.pcap"
    frame = frames[60][0] + 3.0, b"\xff" * 12 + b"\x08\x06" + bytes(30)
    path.write_bytes(to_pcap([*frames[:60], frame]))
    return str(path)


@pytest.fixture
def good(charge: tuple[bytes, list[str]], tmp_path: Path) -> str:
    path = tmp_path / "good.pcapng"
    path.write_bytes(charge[0])
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["decode", *arguments])
    out, err = capsys.readouterr()
    assert not err
    return code, out


def test_of_a_good_session_it_says_that_nothing_is_wrong(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, good, "--doctor")
    assert code == 0
    assert out.startswith("Plug-in 1: 2023-11-14 22:13:20")
    assert "\n  GOOD: nothing wrong\n" in out
    assert "  1. " not in out


def test_a_failed_session_is_explained(cut: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Reading it is what was asked for: the exit code is 0 though the session failed."""
    code, out = run(capsys, cut, "--doctor")
    assert code == 0
    assert "FAILED: " in out
    assert "  1. cause  unanswered  (station)\n" in out
    assert "timer     V2G_EVCC_Msg_Timeout: 3" in out
    assert "advice    See what the station did at this moment" in out
    assert "frame 60, " in out
    assert all(len(line) <= 110 for line in out.splitlines())


def test_for_machines(cut: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, cut, "--doctor", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["outcomes"] == {"failed": 1}
    assert told["capture"] == []
    (plug,) = told["plug_ins"]
    first = plug["findings"][0]
    assert (plug["outcome"], first["rule"], first["severity"], first["who"]) == (
        "failed",
        "unanswered",
        "cause",
        "station",
    )
    assert first["timer"]["used_s"] > first["timer"]["limit_s"]
    assert first["evidence"][0]["frame"] == first["frame"] == 60
    assert plug["sessions"] == [{"number": 1, "protocol": "din70121", "outcome": "failed"}]


def test_what_is_not_for_captures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "809a0211d01808000000000000000000", "--doctor"]) == 2
    assert "--doctor is for captures" in capsys.readouterr().err


def test_a_capture_with_nothing_in_it(to_pcap: Callable[..., Any], tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "nothing.pcap"
    path.write_bytes(to_pcap([(1.0, b"\xff" * 12 + b"\x08\x06" + bytes(30))]))
    code, out = run(capsys, str(path), "--doctor")
    assert code == 0
    assert "nothing_heard" in out
