"""What the writer writes reads like a real capture: to this program, and to Wireshark's."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from hlc import sdp
from hlc.capture.files import Capture
from hlc.capture.headers import Flags, Tcp, parse
from hlc.capture.writer import SEGMENT, PcapngWriter
from hlc.trace.events import Frame, SessionEnded, Side

Charge = tuple[bytes, list[str]]
NOW = 1_700_000_000.0


def frame(at: float, side: Side, payload: bytes, kind: int = 0x8001) -> Frame:
    return Frame(at=at, side=side, payload_type=kind, payload=payload)


def ended(at: float) -> SessionEnded:
    return SessionEnded(at=at, side=Side.EVCC, good=True, reason="", energy_wh=0.0)


def segments(path: Path) -> list[Tcp]:
    with path.open("rb") as stream:
        parsed = [parse(captured.link, captured.data) for captured in Capture(stream, "it")]
    return [tcp for tcp in parsed if isinstance(tcp, Tcp)]


def test_a_charge_reads_back(charge: Charge, decode: Callable[..., Any]) -> None:
    result = decode(charge[0])
    assert not result.damage
    assert {name.partition(":")[2]: count for name, count in result.messages.items()} == Counter(charge[1])
    assert result.totals.sdp == 2
    ((session, verdict),) = result.sessions
    assert verdict.outcome == "good"
    assert session.whole
    assert not session.lost
    assert session.secc == "[fe80::2:1]:50000"  # as SDP announced


def test_segments_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "it.pcapng"
    writer = PcapngWriter(path, wall=lambda: NOW)
    for session in range(2):
        at = 10.0 * session
        writer(frame(at, Side.EVCC, bytes(3 * SEGMENT)))
        writer(frame(at + 1, Side.SECC, bytes(50)))
        for _ in range(40):  # more than a window without an answer
            writer(frame(at + 2, Side.SECC, bytes(2000)))
        writer(ended(at + 3))
        writer(SessionEnded(at=at + 3.1, side=Side.SECC, good=True, reason="", energy_wh=0.0))
    writer.close()
    writer.close()
    writer(frame(30.0, Side.EVCC, b"late"))
    expected: dict[tuple[bytes, int], int] = {}
    openings = closings = 0
    for tcp in segments(path):
        if tcp.flags & Flags.SYN:
            expected[tcp.source] = tcp.sequence
            openings += 1
        assert tcp.sequence == expected[tcp.source]
        assert len(tcp.data) <= SEGMENT
        if tcp.flags & Flags.ACK:
            assert tcp.acknowledged == expected[tcp.destination]
        closings += bool(tcp.flags & Flags.FIN)
        expected[tcp.source] += len(tcp.data) + bool(tcp.flags & (Flags.SYN | Flags.FIN))
    assert (openings, closings) == (4, 4)
    assert len(expected) == 3  # the station's port, and a port of the vehicle for each session


def test_an_interrupted_run_leaves_a_valid_file(tmp_path: Path) -> None:
    path = tmp_path / "it.pcapng"
    writer = PcapngWriter(path, wall=lambda: NOW)
    for number in range(3):
        writer(frame(float(number), Side.EVCC, bytes(9)))
        with path.open("rb") as stream:
            capture = Capture(stream, "it")
            assert len(list(capture)) == 4 + number
            assert not capture.damage
    writer.close()


def test_times(tmp_path: Path) -> None:
    """A monotonic clock is set to the wall's; recorded times stay; time never goes back."""
    for first, expected in ((5.0, NOW), (1.5e9, 1.5e9)):
        path = tmp_path / f"{first}.pcapng"
        writer = PcapngWriter(path, wall=lambda: NOW)
        for at in (first, first + 1.25, first + 1.0):
            writer(frame(at, Side.EVCC, b"x"))
        writer.close()
        times = [captured.at for captured in Capture(BytesIO(path.read_bytes()), "it")]
        assert times == pytest.approx([expected] * 4 + [expected + 1.25] * 2, abs=1e-5)


def test_discovery_without_a_session(tmp_path: Path, decode: Callable[..., Any]) -> None:
    path = tmp_path / "it.pcapng"
    writer = PcapngWriter(path)
    for number in range(3):
        writer(frame(number * 0.25, Side.EVCC, sdp.SdpRequest().build(), 0x9000))
    writer.close()
    result = decode(path)
    assert (result.totals.sdp, result.sessions) == (3, [])


def test_a_full_disk_ends_no_session(charge: Charge) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    writer = PcapngWriter("/dev/full")
    writer(frame(0.0, Side.EVCC, b"x"))
    writer.close()
    assert writer.error is not None


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        PcapngWriter(tmp_path / "missing" / "it.pcapng")


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_finds_nothing_to_complain_of(charge: Charge, tmp_path: Path) -> None:
    path = tmp_path / "it.pcapng"
    path.write_bytes(charge[0])
    checks = ["-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
    complaints = "_ws.expert.severity >= 0x00400000 or tcp.checksum.status == 0 or udp.checksum.status == 0"
    ran = subprocess.run(
        ["tshark", "-r", str(path), *checks, "-Y", complaints], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0
    assert [line for line in ran.stdout.splitlines() if "FIN" not in line] == []
