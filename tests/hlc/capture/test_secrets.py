"""A key log that grows while it is read: nothing twice, nothing half, whatever becomes of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlc.capture import secrets as module
from hlc.capture.secrets import GrowingLog
from hlc.security.keylog import CLIENT_RANDOM, Secrets


def line(number: int) -> bytes:
    return b"CLIENT_RANDOM %064x %096x\n" % (number, number)


def found(secrets: Secrets, *numbers: int) -> bool:
    return all(secrets.find(number.to_bytes(32, "big"), CLIENT_RANDOM) is not None for number in numbers)


def test_what_is_added_is_taken(tmp_path: Path) -> None:
    path, secrets = tmp_path / "keys.log", Secrets()
    log = GrowingLog(path, secrets)
    log.look()
    assert log.trouble == "No such file or directory"
    path.write_bytes(line(1) + line(2)[:70])
    log.look()
    assert (log.trouble, secrets.count) == ("", 1)
    with path.open("ab") as stream:
        stream.write(line(2)[70:] + b"a comment\n")
    log.look()
    log.look()
    assert secrets.count == 2
    assert found(secrets, 1, 2)


def test_a_file_that_is_cut_or_replaced_is_read_from_its_beginning(tmp_path: Path) -> None:
    path, secrets = tmp_path / "keys.log", Secrets()
    log = GrowingLog(path, secrets)
    path.write_bytes(line(1) + line(2))
    log.look()
    path.write_bytes(line(3))
    log.look()
    assert found(secrets, 1, 2, 3)
    (tmp_path / "new").write_bytes(line(4) + line(5))
    (tmp_path / "new").rename(path)
    log.look()
    assert found(secrets, 4, 5)
    path.unlink()
    log.look()
    assert log.trouble


def test_a_long_one_is_read_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 100)
    path, secrets = tmp_path / "keys.log", Secrets()
    path.write_bytes(b"".join(map(line, range(10))))
    log = GrowingLog(path, secrets)
    for _ in range(18):
        log.look()
    assert found(secrets, *range(10))


def test_a_file_without_lines_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 100)
    path = tmp_path / "keys.log"
    path.write_bytes(b"x" * 10_000)
    log = GrowingLog(path, Secrets())
    log.look()
    assert len(log._rest) == 100
