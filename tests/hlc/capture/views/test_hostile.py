"""Captures that are damaged anywhere: every view says what it can, and never fails."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

Run = Callable[..., Any]
VIEWS = ("--timeline", "--timing", "--csv", "--summary")


@pytest.mark.parametrize("seed", range(6))
def test_octets_that_are_wrong(hlc_decode: Run, charge: tuple[bytes, list[str]], tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    data = bytearray(charge[0])
    for _ in range(10 ** random.randrange(1, 4)):
        data[random.randrange(28, len(data))] = random.randrange(256)
    path = tmp_path / "damaged.pcapng"
    path.write_bytes(data)
    for view in VIEWS:
        found = hlc_decode(path, view)
        assert found.code in (0, 1)
        assert "internal error" not in found.err
    for number in (1, 20, 60):
        assert "internal error" not in hlc_decode(path, "--frame", number).err


@pytest.mark.parametrize("at", [0, 2**31, 2**32 - 1])
def test_times_that_jump(
    hlc_decode: Run, frames: list[tuple[float, bytes]], tmp_path: Path, at: int, to_pcap: Callable[..., bytes]
) -> None:
    """A clock that jumps forth and back, also in the middle of a session."""
    data = bytearray(to_pcap(frames))
    place, number = 24, 0
    while place < len(data):
        if number % 3 == 0:
            struct.pack_into("<I", data, place, at)
        place += 16 + struct.unpack_from("<I", data, place + 8)[0]
        number += 1
    path = tmp_path / "jumps.pcap"
    path.write_bytes(data)
    for view in VIEWS:
        found = hlc_decode(path, view)
        assert found.code in (0, 1)
        assert "internal error" not in found.err


@pytest.mark.parametrize("options", [["--plot", "out.svg"], ["--parquet", "out.parquet"]])
def test_files_too(hlc_decode: Run, charge: tuple[bytes, list[str]], tmp_path: Path, options: list[str]) -> None:
    pytest.importorskip({"--plot": "matplotlib", "--parquet": "pyarrow"}[options[0]], reason="an extra")
    random = Random(1)
    data = bytearray(charge[0])
    for _ in range(20):
        data[random.randrange(28, len(data))] = random.randrange(256)
    path = tmp_path / "damaged.pcapng"
    path.write_bytes(data)
    found = hlc_decode(path, options[0], tmp_path / options[1])
    assert found.code in (0, 1)
    assert "internal error" not in found.err
    assert not list(tmp_path.glob("*.part"))


def test_a_session_of_which_one_direction_is_heard(
    hlc_decode: Run, frames: list[tuple[float, bytes]], to_pcap: Callable[..., bytes], tmp_path: Path
) -> None:
    """Only the station's frames: no state of the vehicle is known."""
    pytest.importorskip("matplotlib", reason="pip install 'openhlc[plot]'")
    station = next(frame[6:12] for _, frame in frames if b"\x01\xfe\x90\x01" in frame)
    path = tmp_path / "half.pcap"
    path.write_bytes(to_pcap([(at, frame) for at, frame in frames if frame[6:12] == station]))
    for view in (*VIEWS, "--plot"):
        found = hlc_decode(path, view, *([tmp_path / "out.svg"] if view == "--plot" else []))
        assert found.code == 0
        assert "internal error" not in found.err
