"""`hlc decode` on captures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from hlc.cli import main


class Ran(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str


@pytest.fixture
def hlc_decode(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run `hlc decode` in a terminal so many columns wide."""

    def run(*arguments: str | Path, columns: int = 100) -> Ran:
        monkeypatch.setenv("COLUMNS", str(columns))
        try:
            code = main(["decode", *map(str, arguments)])
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Ran(code, out, err)

    return run


@pytest.fixture(scope="session")
def charge_path(charge: tuple[bytes, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of a simulated charge."""
    path = tmp_path_factory.mktemp("views") / "charge.pcapng"
    path.write_bytes(charge[0])
    return path
