"""A copy of a capture: the same frames with the same times, and the secrets of TLS in it."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from talk import Talk, announcement, datagram, frames

from hlc import cli, v2gtp
from hlc.capture import blocks
from hlc.capture.copying import GATHERED, FrameWriter
from hlc.capture.files import Capture
from hlc.security.handshake import Version

SAP = v2gtp.frame(0x8001, bytes.fromhex("8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040"))
SUITES = {Version.TLS12: "ECDHE-ECDSA-AES128-SHA256", Version.TLS13: "TLS_AES_256_GCM_SHA384"}
Pcap = Callable[..., bytes]


def content(data: bytes) -> list[tuple[int, int, int, bytes]]:
    capture = Capture(BytesIO(data), "")
    return [(each.link, *capture.stamp, each.data) for each in capture]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = cli.main(["decode", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture(params=list(Version))
def talk(request: pytest.FixtureRequest) -> Talk:
    """A vehicle offers its protocols over TLS."""
    found = Talk(request.param, SUITES[request.param])
    found.say(True, SAP)
    found.close()
    return found


def mixed() -> bytes:
    """A pcapng with links of three kinds, nanoseconds, an offset, a frame without a time and one that is cut."""
    frame = bytes(range(60))
    capture = blocks.section() + blocks.interface(1, 9) + blocks.interface(101, 6) + blocks.packet(0, 5, frame)
    capture += blocks.packet(1, 1_700_000_000_123_456, frame[:40], 1500)
    capture += blocks.packet(0, 1_700_000_000_123_456_789, frame)
    capture += blocks.block(3, struct.pack("<I", len(frame)) + frame)
    option = struct.pack("<HHq", 14, 8, 1_000_000_000) + bytes(4)
    capture += blocks.block(1, struct.pack("<HHI", 113, 0, 0) + option)
    return capture + blocks.packet(2, 7, frame)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("nano", [False, True])
def test_frames_and_times_are_kept(order: str, nano: bool, to_pcap: Pcap, tmp_path: Path, capsys: Any) -> None:
    source, copy = tmp_path / "in.pcap", tmp_path / "out.pcapng"
    source.write_bytes(to_pcap([(1.7e9 + 0.000001, bytes(60)), (1.7e9 + 1, bytes(70))], order, nano))
    code, _, err = run(capsys, source, "--write", copy)
    assert (code, err) == (0, "")
    assert content(copy.read_bytes()) == content(source.read_bytes()) != []


def test_links_and_what_was_cut_are_kept(tmp_path: Path, capsys: Any) -> None:
    source, copy = tmp_path / "in.pcapng", tmp_path / "out.pcapng"
    source.write_bytes(mixed())
    run(capsys, source, "--write", copy)
    found = content(copy.read_bytes())
    assert found == content(mixed())
    assert [link for link, *_ in found] == [1, 101, 1, 1, 113]
    assert [at for _, at, *_ in found] == [
        5,
        1_700_000_000_123_456_000,
        1_700_000_000_123_456_789,
        1_700_000_000_123_456_789,
        1_000_000_000_000_007_000,
    ]
    assert found[1][2] == 1500


@pytest.mark.parametrize("late", [False, True])
def test_a_copy_decrypts_itself(talk: Talk, late: bool, to_pcap: Pcap, tmp_path: Path, capsys: Any) -> None:
    """Whether the secrets come from a key log, or from a datagram at the very end of the file; also from a pipe."""
    source, keys, copy = tmp_path / "in.pcap", tmp_path / "keys.log", tmp_path / "out.pcapng"
    found = [announcement(), *frames(talk.heard)] + [datagram(talk.secrets, 1, 2)] * late
    source.write_bytes(to_pcap([(1.7e9 + n / 100, frame) for n, frame in enumerate(found)]))
    other = "".join(f"CLIENT_RANDOM {n:064x} {n:096x}\n" for n in range(9))
    keys.write_text(other + ("" if late else talk.secrets.decode()))
    run(capsys, source, "--keylog", keys, "--write", copy)
    code, out, err = run(capsys, copy)
    assert (code, err) == (0, "")
    assert "1 messages decoded" in out
    assert "supportedAppProtocolReq" in out
    assert f"{1:064x}".encode() not in copy.read_bytes()  # secrets of others stay where they are
    if shutil.which("tshark") is None:
        pytest.skip("no tshark, which is to decrypt it, too")
    command = ["tshark", "-r", str(copy), "-q", "-z", "follow,tls,raw,0"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert SAP.hex() in text


def test_what_is_read_is_not_written_over(talk: Talk, to_pcap: Pcap, tmp_path: Path, capsys: Any) -> None:
    source, other = tmp_path / "in.pcap", tmp_path / "other.pcap"
    source.write_bytes(to_pcap([(1.7e9, bytes(60))]))
    before = source.read_bytes()
    other.hardlink_to(source)
    code, _, err = run(capsys, source, "--write", other)
    assert (code, err) == (2, f"hlc decode: --write {other} is what is read: name another file\n")
    keys = tmp_path / "keys.log"
    keys.write_bytes(talk.secrets)
    code, _, err = run(capsys, source, "--keylog", keys, "--write", keys)
    assert code == 2
    assert (source.read_bytes(), keys.read_bytes()) == (before, talk.secrets)


def test_what_cannot_be_written_is_said(to_pcap: Pcap, tmp_path: Path, capsys: Any) -> None:
    source = tmp_path / "in.pcap"
    source.write_bytes(to_pcap([(1.7e9, bytes(60))] * 5))
    code, _, err = run(capsys, source, "--write", tmp_path / "no" / "where.pcapng")
    assert (code, err.count("\n")) == (2, 1)
    assert "No such file or directory" in err
    code, out, err = run(capsys, source, "--write", "/dev/full")
    assert (code, err) == (1, "hlc decode: /dev/full is not complete: No space left on device\n")
    assert "5 frames" in out
    code, _, err = run(capsys, "809a0211", "--write", tmp_path / "x")
    assert (code, err) == (2, "hlc decode: --write is for captures; this is one payload\n")


# As it is used live

LINE = b"CLIENT_RANDOM " + b"ab" * 32 + b" " + b"cd" * 48 + b"\n"


def kinds(path: Path) -> list[int]:
    """The kind of each block."""
    octets, found = path.read_bytes(), []
    while octets:
        kind, size = struct.unpack_from("<II", octets)
        found.append(kind)
        octets = octets[size:]
    return found


def test_it_is_a_capture_from_the_first_moment_and_whole_after_each_flush(tmp_path: Path) -> None:
    path = tmp_path / "growing.pcapng"
    writer = FrameWriter(path)
    assert content(path.read_bytes()) == []
    for n in range(3):
        writer.frame(1, n, 61, bytes(61))
        assert len(content(path.read_bytes())) == n
        writer.flush()
        assert len(content(path.read_bytes())) == n + 1
    writer.close()
    writer.close()
    assert writer.error is None


def test_what_is_gathered_is_bounded(tmp_path: Path) -> None:
    writer = FrameWriter(tmp_path / "growing.pcapng")
    for _ in range(300):
        writer.frame(1, 1, 60_000, bytes(60_000))
        assert len(writer._waiting) < GATHERED
    writer.close()
    assert len(content(writer.path.read_bytes())) == writer.frames == 300


def test_secrets_stand_before_the_frames_that_were_gathered(tmp_path: Path) -> None:
    path = tmp_path / "growing.pcapng"
    writer = FrameWriter(path)
    writer.frame(1, 1, 60, bytes(60))
    writer.flush()
    writer.frame(1, 2, 60, bytes(60))
    writer.flush(LINE)
    writer.close(dropped=7)
    assert kinds(path) == [0x0A0D0D0A, 1, 6, 10, 6, 5]
    disclosed: list[bytes] = []
    assert len(list(Capture(BytesIO(path.read_bytes()), "", lambda text: disclosed.append(text) or b""))) == 2
    assert b"".join(disclosed) == LINE
    assert struct.unpack("<HHQHHQ", path.read_bytes()[-32:-8]) == (4, 8, 9, 5, 8, 7)


def test_a_full_disk_is_kept_as_an_error_and_raises_nothing() -> None:
    writer = FrameWriter("/dev/full")
    for n in range(3):
        writer.frame(1, n, 60, bytes(60))
        writer.flush()
    writer.close(dropped=0)
    assert writer.error is not None
    assert writer.error.strerror == "No space left on device"
    assert not writer._waiting
