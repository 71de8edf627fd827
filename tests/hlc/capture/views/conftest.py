"""`hlc decode` on captures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from hlc.capture.writer import PcapngWriter
from hlc.cli import main
from hlc.sim.battery import Battery
from hlc.sim.outlet import SimulatedOutlet
from hlc.sim.pair import Pair
from hlc.sim.vehicle import SimulatedVehicle


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
def charge_20_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of a simulated charge by ISO 15118-20."""
    path = tmp_path_factory.mktemp("views") / "charge-20.pcapng"
    writer = PcapngWriter(path, wall=lambda: 1_700_000_000.0)
    battery = Battery(soc=79.9, capacity_wh=60_000.0, max_amps=350.0, max_watts=120_000.0)
    outlet = SimulatedOutlet(kilowatts=150.0, max_volts=500.0, max_amps=400.0)
    for event in Pair(SimulatedVehicle(battery, target_soc=80.0), outlet, protocol="iso15118_20_dc").events():
        writer(event)
    writer.close()
    return path


@pytest.fixture(scope="session")
def charge_path(charge: tuple[bytes, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of a simulated charge."""
    path = tmp_path_factory.mktemp("views") / "charge.pcapng"
    path.write_bytes(charge[0])
    return path
