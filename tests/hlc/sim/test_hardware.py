"""Hardware by its modes; what is not asked for is not loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hlc.ports import Mode
from hlc.sim import hardware
from hlc.sim.battery import Battery


@pytest.mark.parametrize("mode", Mode)
def test_every_mode_has_hardware_of_one_kind(mode: Mode) -> None:
    assert len([kind for kind in hardware.KINDS if mode in kind]) == 1
    assert mode in hardware.outlet(frozenset({mode})).modes()
    assert mode in hardware.vehicle(frozenset({mode}), Battery(soc=20.0)).modes()


NEEDLESS = {"secc": ("hlc.evcc.", "slac.ev.", "scapy."), "evcc": ("hlc.secc.", "slac.evse.", "scapy.")}


@pytest.mark.parametrize(("command", "needless"), NEEDLESS.items())
def test_a_command_loads_what_it_needs(command: str, needless: tuple[str, ...]) -> None:
    code = f"import sys, hlc.commands.{command}; print(*[f'{{name}}.' for name in sys.modules], sep='\\n')"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if name.startswith(needless)] == []
