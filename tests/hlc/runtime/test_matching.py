"""Matching on real interfaces: `hlc secc`, `hlc evcc`, `hlc slac` and `hlc modem` as processes, on a simulated line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import slac
from hlc.cli import main

Ends = Any
"""See conftest.py."""


@pytest.fixture(scope="module")
def ends(powerline: Callable[..., Any]) -> Iterator[Ends]:
    with powerline("mev0:ev:mse102x", "mse0:evse", "--join", "0.2", "--delay", "1") as found:
        yield found


@pytest.fixture
def play(ends: Ends, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a command at one end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(end: str, *words: str) -> subprocess.Popen[bytes]:
        started.append(ends.run(end, tmp_path, *words))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def of(kind: str, path: Path) -> list[dict[str, Any]]:
    return [event for event in events(path) if event["event"] == kind]


CHARGE = ("--interface", "plc", "--once", "--json")


def test_vehicle_and_station_match_charge_and_part(ends: Ends, play: Any, tmp_path: Path) -> None:
    station = play("outlet", "secc", *CHARGE)
    vehicle = play("car", "evcc", *CHARGE, "--soc", "50", "--target-soc", "50.02")
    logs = [tmp_path / "car.log", tmp_path / "outlet.log"]
    assert [process.wait(40) for process in (vehicle, station)] == [0, 0], [log.read_text() for log in logs]
    car, outlet = tmp_path / "car.out", tmp_path / "outlet.out"
    [here], [there] = of("matched", car), of("matched", outlet)
    assert (here["nid"], here["run_id"]) == (there["nid"], there["run_id"])
    assert here["peer"] != there["peer"]
    assert 10.0 < here["attenuation_db"] < 14.0
    kinds = [event["event"] for event in events(car)]
    assert kinds.index("matched") < kinds.index("message") < kinds.index("sessionended")
    for path in (car, outlet):
        assert of("sessionended", path)[0]["good"]
        assert of("fault", path) == []
        assert of("matchingfailed", path) == []
    for log in logs:
        assert "no control pilot is wired: state B with 5 % is assumed" in log.read_text()
        assert "Traceback" not in log.read_text()
    ends.until('"event":"left"')  # nobody stays in the network of a session that is over


def test_a_link_that_is_lost_ends_the_session(ends: Ends, play: Any, tmp_path: Path) -> None:
    station = play("outlet", "secc", *CHARGE)
    vehicle = play("car", "evcc", *CHARGE)
    ends.until("CurrentDemandRes", path=tmp_path / "car.out")
    folder = tmp_path / "besides"
    folder.mkdir()
    assert ends.run("car", folder, "modem", "plc", "set-key").wait(20) == 0  # a random key: it leaves the network
    assert [process.wait(20) for process in (vehicle, station)] == [1, 1]
    for end in ("car", "outlet"):
        [ended] = of("sessionended", tmp_path / f"{end}.out")
        assert not ended["good"]
        assert "Traceback" not in (tmp_path / f"{end}.log").read_text()
        # The vehicle misses an answer before; the station would wait for a minute for the next request.
        assert ended["reason"].endswith("the powerline link is gone: the modem reports no link any more")


def test_matching_alone_and_what_the_modems_say(ends: Ends, play: Any, tmp_path: Path) -> None:
    outlet = play("outlet", "slac", "evse", "plc")
    car = play("car", "slac", "ev", "plc")
    assert [process.wait(20) for process in (car, outlet)] == [0, 0], (tmp_path / "car.log").read_text()
    found = (tmp_path / "car.out").read_text()
    assert "matched with" in found
    assert "58 groups, 10 sounds  chosen" in found
    nid = found.split("NID")[1].split()[0]
    assert nid in (tmp_path / "outlet.out").read_text()

    # The link stays for whoever comes next.
    assert play("car", "modem", "plc", "link").wait(10) == 0
    assert (tmp_path / "car.out").read_text().split() == ["link", "yes"]
    assert play("outlet", "modem", "plc", "--json").wait(10) == 0
    told = json.loads((tmp_path / "outlet.out").read_text())
    assert (told["family"], told["role"], told["network"], told["link"]) == ("Qualcomm", "coordinator", nid, True)
    assert slac.keys.nid_from_nmk(bytes.fromhex(told["nmk"])).hex().upper() == nid
    assert (told["stations_heard"], told["networks_heard"]) == (1, 0)
    assert play("car", "modem", "plc", "pwm").wait(10) == 0
    assert "duty percent    5.0" in (tmp_path / "car.out").read_text()
    assert play("outlet", "modem", "plc", "pwm").wait(10) == 1
    log = (tmp_path / "outlet.log").read_text()
    assert log == "hlc modem: this modem (Qualcomm) does not tell the control pilot\n"
    assert play("outlet", "modem", "plc", "reset").wait(10) == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("slac ev plc", "no modem: no modem answers on this interface. Check the name of the interface"),
        ("modem plc", "hlc modem: no modem answers on plc: check its power"),
    ],
)
def test_there_is_no_modem(words: str, says: str, link: tuple[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    from pyroute2 import netns

    netns.pushns(link[0])
    try:
        assert main(words.split()) == 1
    finally:
        netns.popns()
    assert says in capfd.readouterr().err
