"""The files of a directory, within bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlc.runtime import pki
from hlc.runtime.errors import SetupError


def test_files_by_their_names(tmp_path: Path) -> None:
    for name in ("a.pem", "roots/v2g.pem", "secc.ocsp/0.der", "1/2/3/deep.pem", "1/2/3/4/deeper.pem", "x.p12", "y"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "folder.pem").mkdir()
    (tmp_path / "dangling.pem").symlink_to(tmp_path / "nowhere")
    found = pki.read(tmp_path)
    assert found == {name: name.encode() for name in ("a.pem", "roots/v2g.pem", "secc.ocsp/0.der", "1/2/3/deep.pem")}


def test_a_directory_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path, code, words in (
        (tmp_path / "nowhere", 2, "there is no such directory; hlc pki create "),
        (tmp_path / "file", 2, "is no directory"),
    ):
        with pytest.raises(SetupError) as raised:
            pki.read(path)
        assert raised.value.exit_code == code
        assert words in str(raised.value)


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "big.pem").write_bytes(bytes(pki.LARGEST + 1))
    with pytest.raises(SetupError, match="no certificate or key has so many"):
        pki.read(tmp_path)
    (tmp_path / "big.pem").write_bytes(bytes(pki.LARGEST))
    monkeypatch.setattr(pki, "MOST_FILES", 1)
    assert len(pki.read(tmp_path)) == 1
    (tmp_path / "other.pem").write_bytes(b"")
    with pytest.raises(SetupError, match="holds more than 1 files"):
        pki.read(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.pem")
    assert pki.read(tmp_path) == {}
