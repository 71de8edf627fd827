"""Whole sessions of `hlc secc` and `hlc evcc`, as processes, at the pace of life: between two network namespaces with
multicast to the end of the charge, and on loopback until Ctrl-C. Both run at once; after them the other protocols do,
over TLS. The tests look at what became of them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hlc.cli import main
from hlc.security.profiles import BY_NAME

SRC = Path(__file__).parents[3] / "src"


class Command:
    """A command that runs in a network namespace."""

    def __init__(self, folder: Path, namespace: str, *arguments: str) -> None:
        from pyroute2 import netns

        self.out, self.log = folder / "out", folder / "log"
        folder.mkdir()
        with self.out.open("w") as out, self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hlc.cli", *arguments, "--once", "--json", "--no-slac"],
                stdout=out,
                stderr=log,
                preexec_fn=lambda: netns.setns(namespace),
                env={**os.environ, "PYTHONPATH": str(SRC)},
            )

    def until(self, path: Path, text: str) -> None:
        """Wait until this is written."""
        give_up = time.monotonic() + 20
        while text not in path.read_text():
            if time.monotonic() > give_up or self.process.poll() is not None:
                pytest.fail(f"no {text} in {path.read_text()}")
            time.sleep(0.02)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def messages(self, side: str) -> list[str]:
        return [event["name"] for event in self.events if event["event"] == "message" and event["side"] == side]

    @property
    def end(self) -> dict[str, Any]:
        return next(event for event in self.events if event["event"] == "sessionended")


@pytest.fixture(scope="module")
def sessions(
    link: tuple[str, str], own_network: str | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Command]]:
    assert own_network is not None
    folder = tmp_path_factory.mktemp("sessions")
    commands: dict[str, Command] = {}

    def start(name: str, namespace: str, *arguments: str) -> None:
        commands[name] = Command(folder / name, namespace, *arguments)

    try:
        start("lo.secc", own_network, "secc", "--interface", "lo")
        start("plc.secc", link[1], "secc", "--interface", "plc")
        for name in ("lo.secc", "plc.secc"):
            commands[name].until(commands[name].log, "waiting for vehicles")
        start("lo.evcc", own_network, "evcc", "--interface", "lo")
        start("plc.evcc", link[0], "evcc", "--interface", "plc", "--soc", "50", "--target-soc", "50.02")
        commands["lo.evcc"].until(commands["lo.evcc"].out, "CurrentDemandRes")
        commands["lo.secc"].process.send_signal(signal.SIGINT)
        for command in commands.values():
            command.process.wait(30)
        pki = str(folder / "pki")
        assert main(["pki", "create", pki]) == 0
        secured = ("--tls", "require", "--pki", pki)
        ac = ("--interface", "lo", "--protocols", "iso15118-2", "--modes", "ac", *secured)
        back = (
            "--interface",
            "plc",
            "--protocols",
            "iso15118-20",
            "--modes",
            "dc_bpt",
            "--control",
            "dynamic",
            *secured,
        )
        start("ac.secc", own_network, "secc", *ac)
        start("back.secc", link[1], "secc", *back)
        for name in ("ac.secc", "back.secc"):
            commands[name].until(commands[name].log, "waiting for vehicles")
        start("ac.evcc", own_network, "evcc", *ac, "--soc", "50", "--target-soc", "50.02")
        start("back.evcc", link[0], "evcc", *back, "--soc", "50", "--target-soc", "50.02")
        for command in commands.values():
            command.process.wait(30)
        yield commands
    finally:
        for command in commands.values():
            command.process.kill()


@pytest.mark.parametrize("name", [f"{name}.{end}" for name in ("plc", "lo", "ac", "back") for end in ("secc", "evcc")])
def test_every_session_ends_well(sessions: dict[str, Command], name: str) -> None:
    command = sessions[name]
    assert command.end["good"], command.end
    assert command.process.returncode == 0
    assert "Traceback" not in command.log.read_text()
    assert [event["text"] for event in command.events if event["event"] == "fault"] == []
    assert command.end["energy_wh"] > 0.1
    assert command.messages("EVCC")[-1] == "SessionStopReq"
    assert command.messages("SECC")[-1] == "SessionStopRes"


@pytest.mark.parametrize(
    ("name", "version", "schema"), [("ac", "1.2", "iso15118_2"), ("back", "1.3", "iso15118_20_dc")]
)
def test_other_protocols_are_spoken_over_tls(
    sessions: dict[str, Command], name: str, version: str, schema: str
) -> None:
    for end in ("secc", "evcc"):
        events = sessions[f"{name}.{end}"].events
        notes = [event["text"] for event in events if event["event"] == "note"]
        assert any(note.startswith(f"TLS {version} with ") for note in notes)
        assert schema in {event["schema"] for event in events if event["event"] == "message"}
    if name == "back":
        [request] = [event for event in sessions["back.secc"].events if event.get("name") == "SessionSetupReq"]
        assert request["message"]["EVCCID"] == BY_NAME["vehicle"].common_name


def test_both_ends_tell_the_same_messages(sessions: dict[str, Command]) -> None:
    secc, evcc = sessions["plc.secc"], sessions["plc.evcc"]
    for side in ("EVCC", "SECC"):
        seen = [name for name in secc.messages(side) if not name.startswith("SECCDiscovery")]
        assert seen == [name for name in evcc.messages(side) if not name.startswith("SECCDiscovery")]
    found = next(event for event in evcc.events if event.get("name") == "SECCDiscoveryRes")
    assert found["message"]["address"].startswith("fe80::")
    assert evcc.end["reason"] == "charging complete"


def test_the_vehicle_is_known_by_the_address_of_its_modem(sessions: dict[str, Command]) -> None:
    def evccid(name: str) -> str:
        request = next(event for event in sessions[name].events if event.get("name") == "SessionSetupReq")
        return str(request["message"]["Body"]["SessionSetupReq"]["EVCCID"])

    assert len(evccid("plc.secc")) == 12
    assert evccid("lo.secc") == "020000000001"  # loopback has no hardware address
    assert evccid("plc.secc") != evccid("lo.secc")


def test_ctrl_c_at_the_station_stops_the_charge_in_order(sessions: dict[str, Command]) -> None:
    secc = sessions["lo.secc"]
    assert secc.end["reason"] == "stopped by the operator"
    assert "ending the session; Ctrl-C again to end it at once" in secc.log.read_text()
    codes = [event["state"]["code"] for event in secc.events if event["event"] == "stateentered"]
    assert codes == [0, 1, 2, 3, 6, 7, 11, 12, 8, 13, 8, 14, 17, 201]


def test_the_log_says_first_that_the_hardware_is_simulated(sessions: dict[str, Command]) -> None:
    simulated = "hlc secc: without --config the outlet is simulated"
    assert sessions["plc.secc"].log.read_text().startswith(f"{simulated}\n")
    assert sessions["lo.secc"].log.read_text().startswith(f"{simulated}, one for each vehicle\n")
    assert sessions["lo.evcc"].log.read_text().startswith("hlc evcc: without --config the vehicle is simulated\n")
