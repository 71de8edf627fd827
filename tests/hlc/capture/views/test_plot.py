"""Pictures of sessions: what is in them, read from the SVG."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip("matplotlib", reason="pip install 'openhlc[plot]'")

Run = Callable[..., Any]


def words(path: Path) -> set[str]:
    """The texts in an SVG."""
    return {"".join(element.itertext()).strip() for element in ElementTree.parse(path).iter() if "text" in element.tag}


def test_what_a_picture_shows(hlc_decode: Run, charge_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "charge.svg"
    found = hlc_decode(charge_path, "--plot", path)
    assert (found.code, found.out, found.err) == (0, "", f"hlc decode: {path}: session 1\n")
    shown = words(path)
    assert {"Voltage [V]", "Current [A]", "Power [kW]", "State of charge [%]", "Response time [ms]"} <= shown
    assert {"station measures", "vehicle asks for", "precharge", "charge", "timeout, 250 ms"} <= shown
    assert "time since the beginning of the session [s]" in shown
    assert any(text.startswith("DIN 70121, 2023-11-14") for text in shown)
    assert "good: the vehicle ended the session in order" in shown


def test_a_png(hlc_decode: Run, charge_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "charge.PNG"
    assert hlc_decode(charge_path, "--plot", path).code == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 20_000


def test_a_summary_besides(hlc_decode: Run, charge_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "charge.svg"
    found = hlc_decode(charge_path, "--plot", path, "--summary")
    assert path.exists()
    assert "CurrentDemandReq" in found.out


def test_several_sessions_have_a_file_each(
    hlc_decode: Run, frames: list[tuple[float, bytes]], to_pcap: Callable[..., bytes], tmp_path: Path
) -> None:
    capture = tmp_path / "twice.pcap"
    capture.write_bytes(to_pcap(frames + [(at + 1000, frame) for at, frame in frames]))
    found = hlc_decode(capture, "--plot", tmp_path / "out.svg")
    assert found.code == 0
    assert sorted(path.name for path in tmp_path.glob("*.svg")) == ["out-1.svg", "out-2.svg"]
    assert "there are several sessions" in found.err


def test_nothing_to_draw(hlc_decode: Run, to_pcap: Callable[..., bytes], tmp_path: Path) -> None:
    capture = tmp_path / "empty.pcap"
    capture.write_bytes(to_pcap([]))
    found = hlc_decode(capture, "--plot", tmp_path / "out.png")
    assert (found.code, found.out) == (1, "")
    assert found.err == "hlc decode: no message of a session was decoded: there is nothing to draw\n"


def test_wrong_usage(hlc_decode: Run, charge_path: Path, tmp_path: Path) -> None:
    found = hlc_decode(charge_path, "--plot", tmp_path / "out.bmp")
    assert found.code == 2
    assert "PNG, SVG or PDF" in found.err
    found = hlc_decode(charge_path, "--plot", tmp_path / "out.png", "--json")
    assert found.code == 2
    assert "--plot writes a file and shows nothing: --json needs" in found.err
    found = hlc_decode(charge_path, "--plot", tmp_path / "nowhere" / "out.png")
    assert (found.code, found.err.count("\n")) == (1, 1)
    assert "No such file or directory" in found.err


def test_without_the_library(charge_path: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = None; from hlc.cli import main;"
        f"sys.exit(main(['decode', {str(charge_path)!r}, '--plot', {str(tmp_path / 'out.png')!r}]))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr == ("hlc decode: --plot needs matplotlib, which is not installed: pip install matplotlib\n")


@pytest.mark.parametrize(
    ("name", "panels"),
    [
        ("porsche-taycan-4s-driverside-ac-iso2.pcap", {"Current [A]", "Energy [kWh]", "Response time [ms]"}),
        ("audi-dc-iso2.pcap", {"Voltage [V]", "Current [A]", "Power [kW]", "State of charge [%]"}),
        ("2024-04-20_ModelY_pyPLC_stop_in_precharge.pcapng", {"Voltage [V]", "Response time [ms]"}),
    ],
)
def test_real_ones(hlc_decode: Run, reference: Path, tmp_path: Path, name: str, panels: set[str]) -> None:
    path = tmp_path / "out.svg"
    assert hlc_decode(reference / "captures" / name, "--plot", path).code == 0
    [drawn] = tmp_path.glob("out*.svg")
    assert panels <= words(drawn)
