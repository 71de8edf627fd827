"""`hlc sniff` as it is used: on interfaces of our own where we may make some; what goes wrong, everywhere."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hlc.capture.files import Capture
from hlc.capture.writer import PcapngWriter
from hlc.cli import main
from hlc.commands.sniff import instead
from hlc.sim.battery import Battery
from hlc.sim.outlet import SimulatedOutlet
from hlc.sim.pair import Pair
from hlc.sim.vehicle import SimulatedVehicle
from slac import link
from slac.link import Link

SRC = Path(__file__).parents[3] / "src"
SPACE = f"openhlc-{os.getpid()}-sniff"
PATIENCE_S = 20.0

Frames = list[bytes]


@pytest.fixture(scope="module")
def charge(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """The frames of a simulated charge."""
    path = tmp_path_factory.mktemp("charge") / "charge.pcapng"
    writer = PcapngWriter(path)
    battery = Battery(soc=79.9, capacity_wh=60_000.0, max_amps=350.0, max_watts=120_000.0)
    outlet = SimulatedOutlet(kilowatts=150.0, max_volts=500.0, max_amps=400.0)
    for event in Pair(SimulatedVehicle(battery, target_soc=80.0), outlet, protocol="din70121").events():
        writer(event)
    writer.close()
    return [captured.data for captured in Capture(BytesIO(path.read_bytes()), "charge")]


@pytest.fixture(scope="module")
def space() -> Iterator[Any]:
    """A network namespace of our own with two joined interfaces, left and right; the tests run in it."""
    if os.geteuid() != 0:
        pytest.skip("interfaces of our own need root")
    from pyroute2 import NetNS, netns

    try:
        netns.create(SPACE)
    except OSError as error:
        pytest.skip(f"network namespaces cannot be made here: {error}")
    try:
        with NetNS(SPACE) as space:
            netns.pushns(SPACE)
            try:
                yield space
            finally:
                netns.popns()
    finally:
        netns.remove(SPACE)


@pytest.fixture
def wire(space: Any) -> Iterator[Any]:
    """The namespace with the two interfaces, made anew for each test. Nobody but us speaks on them."""
    space.link("add", ifname="left", kind="veth", peer={"ifname": "right"})
    for name in ("left", "right"):
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
        space.link("set", index=space.link_lookup(ifname=name)[0], state="up", mtu=9000)
    yield space
    for index in space.link_lookup(ifname="left"):
        space.link("del", index=index)


class Sniff:
    """A running `hlc sniff`."""

    def __init__(self, *arguments: str, **options: Any) -> None:
        self.errors: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hlc.cli", "sniff", *arguments],
            env={**os.environ, "PYTHONPATH": str(SRC)},
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options},
        )
        self.until("listening on")

    def until(self, words: str) -> None:
        """Read its log up to a line with these words."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors.append(line)
            if words in line:
                return
        raise AssertionError(f"it never said {words!r}: {self.errors}")

    def ends(self, number: int | None = signal.SIGINT) -> tuple[int, str, str]:
        """End it by a signal, or wait for its end: exit code, standard output, standard error."""
        if number is not None:
            time.sleep(0.3)  # what was sent is there at once, but it may be busy
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        log = "".join(self.errors) + err
        assert "Traceback" not in log
        assert "internal error" not in log
        return self.process.returncode, out or "", log


@pytest.fixture
def sniff() -> Iterator[Callable[..., Sniff]]:
    running: list[Sniff] = []

    def start(*arguments: str, **options: Any) -> Sniff:
        running.append(Sniff(*arguments, **options))
        return running[-1]

    yield start
    for each in running:
        with suppress(ProcessLookupError):
            each.process.kill()
        each.process.communicate()


def send(frames: Frames) -> None:
    with Link("left") as left:
        for frame in frames:
            left.send(frame)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_session_is_told_and_written(
    wire: Any, sniff: Callable[..., Sniff], charge: Frames, tmp_path: Path, number: signal.Signals
) -> None:
    path = tmp_path / "heard.pcapng"
    running = sniff("right", "--write", str(path))
    send(charge)
    code, out, _ = running.ends(number)
    assert code == 0
    assert "118 CurrentDemandReq" in out
    assert "good: the vehicle ended the session in order" in out
    assert out.splitlines()[-1].startswith(f"{len(charge)} frames, ")
    with path.open("rb") as stream:
        capture = Capture(stream, "heard")
        found = list(capture)
    assert capture.damage == []
    assert [captured.data for captured in found] == charge
    assert abs(time.time() - found[-1].at) < 60


def test_lines_come_while_it_goes_on(wire: Any, sniff: Callable[..., Sniff], charge: Frames) -> None:
    running = sniff("right", "--json")
    send(charge[: len(charge) // 2])
    assert running.process.stdout is not None
    assert json.loads(running.process.stdout.readline())["name"] == "SECCDiscoveryReq"
    send(charge[len(charge) // 2 :])
    code, out, _ = running.ends()
    assert code == 0
    assert json.loads(out.splitlines()[-1])["name"] == "SessionStopRes"


def test_an_open_session_is_judged_at_the_end(wire: Any, sniff: Callable[..., Sniff], charge: Frames) -> None:
    running = sniff("right", "--summary", "--json")
    send(charge[: len(charge) // 2])
    code, out, _ = running.ends()
    assert code == 0
    (session,) = json.loads(out)["sessions"]
    assert session["outcome"] == "failed"
    assert re.match(r"CurrentDemandReq got no answer in [\d.]+ s", session["reason"])


@pytest.mark.parametrize("view", ["--doctor", "--timing", "--timeline", "--csv", "--summary"])
def test_every_view_of_a_recording_is_there(wire: Any, sniff: Callable[..., Sniff], charge: Frames, view: str) -> None:
    running = sniff("right", view)
    send(charge)
    code, out, err = running.ends()
    assert code == 0
    assert out
    assert err.count("\n") == 1


def test_silence_is_not_success(wire: Any, sniff: Callable[..., Sniff]) -> None:
    code, out, err = sniff("right").ends()
    assert code == 1
    assert out.splitlines()[-2].startswith("0 frames")
    assert err.endswith("hlc sniff: no HomePlug and no IPv6 frame was heard on right\n")


def test_nonsense_and_giants_do_no_harm(wire: Any, sniff: Callable[..., Sniff], charge: Frames, tmp_path: Path) -> None:
    dice = random.Random(1)
    nonsense = [
        b"\xff" * 6 + dice.randbytes(6) + struct.pack("!H", kind) + dice.randbytes(dice.randrange(46, size))
        for kind in (0x88E1, 0x86DD, 0x8100)
        for size in (60, 1500, 9000)
        for _ in range(200)
    ]
    damaged = []
    for frame in charge:
        octets = bytearray(frame)
        octets[dice.randrange(len(octets))] ^= 1 << dice.randrange(8)
        damaged.append(bytes(octets))
    running = sniff("right", "--write", str(tmp_path / "heard.pcapng"))
    send([*nonsense, *damaged])
    code, out, err = running.ends()
    assert code == 0
    assert " messages decoded, " in out
    with (tmp_path / "heard.pcapng").open("rb") as stream:
        found = [captured.data for captured in Capture(stream, "heard")]
    known = {b"\x88\xe1", b"\x86\xdd"}
    expected = [
        each
        for each in nonsense + damaged
        if each[12:14] in known or (each[12:14] in (b"\x81\x00", b"\x88\xa8") and each[16:18] in known)
    ]
    assert found == expected
    assert "lost" not in err


def test_an_interface_that_is_taken_away_ends_it_in_order(
    wire: Any, sniff: Callable[..., Sniff], charge: Frames, tmp_path: Path
) -> None:
    path = tmp_path / "heard.pcapng"
    running = sniff("right", "--write", str(path))
    send(charge)
    time.sleep(0.3)
    wire.link("del", index=wire.link_lookup(ifname="left")[0])
    code, out, err = running.ends(None)
    assert code == 1
    assert "good: the vehicle ended the session in order" in out
    assert err.endswith("hlc sniff: interface right is gone\n")
    with path.open("rb") as stream:
        assert len(list(Capture(stream, "heard"))) == len(charge)


def test_an_interface_that_is_down_for_a_while(wire: Any, sniff: Callable[..., Sniff], charge: Frames) -> None:
    running = sniff("right")
    index = wire.link_lookup(ifname="right")[0]
    send(charge[:2])
    wire.link("set", index=index, state="down")
    running.until("interface right went down: Network is down; waiting until it is up again")
    wire.link("set", index=index, state="up")
    running.until("interface right is up again")
    send(charge[2:])
    code, out, _ = running.ends()
    assert code == 0
    assert out.splitlines()[-1].startswith(f"{len(charge)} frames, ")


def test_a_reader_that_has_seen_enough_ends_it(
    wire: Any, sniff: Callable[..., Sniff], charge: Frames, tmp_path: Path
) -> None:
    path = tmp_path / "heard.pcapng"
    reading, writing = os.pipe()
    running = sniff("right", "--write", str(path), stdout=writing)
    os.close(writing)
    os.close(reading)
    send(charge)
    code, _, err = running.ends(None)
    assert code == 0
    assert err == "hlc sniff: listening on right; Ctrl-C ends\n"
    with path.open("rb") as stream:
        assert len(list(Capture(stream, "heard"))) == len(charge)


def test_a_disk_that_is_full_is_told_and_listening_goes_on(
    wire: Any, sniff: Callable[..., Sniff], charge: Frames
) -> None:
    running = sniff("right", "--write", "/dev/full")
    running.until("/dev/full is not complete: No space left on device")
    send(charge)
    code, out, _ = running.ends()
    assert code == 1
    assert "good: the vehicle ended the session in order" in out


# What is wrong from the beginning


def test_an_unknown_interface(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sniff", "nowhere0"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("hlc sniff: there is no interface nowhere0; this machine has ")
    assert told.count("\n") == 1


def test_no_permission(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(link.socket, "socket", refuse)
    assert main(["sniff", "lo"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("hlc sniff: raw Ethernet on lo is not permitted: it needs CAP_NET_RAW")
    assert told.count("\n") == 1


def test_a_file_that_cannot_be_written(space: Any, wire: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sniff", "right", "--write", "/nowhere/heard.pcapng"]) == 2
    assert capsys.readouterr().err == "hlc sniff: cannot write /nowhere/heard.pcapng: No such file or directory\n"


def test_views_that_have_no_xml(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sniff", "lo", "--xml", "--summary"]) == 2
    assert "a summary has no XML form" in capsys.readouterr().err


def test_lost_lines_are_told_in_the_form_of_the_output() -> None:
    told = [
        instead(SimpleNamespace(json=form == "json", xml=form == "xml", csv=form == "csv"))(3)
        for form in ("json", "xml", "csv", "")
    ]
    lines = "(3 lines lost: the reader was too slow)"
    assert told == ['{"lost_lines":3}', f"<!-- {lines} -->", f"# {lines}", lines]
