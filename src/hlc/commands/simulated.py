"""Which simulated hardware the options ask for."""

from __future__ import annotations

from typing import Any

from hlc.commands.options import words
from hlc.runtime.errors import WrongUsage
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.ac import SimulatedAcOutlet, SimulatedAcVehicle


def outlet(options: Any) -> Any:
    """An outlet for these modes. Raises `WrongUsage`."""
    return SimulatedAcOutlet() if _ac(options) else SimulatedOutlet()


def vehicle(options: Any) -> Any:
    """A vehicle for these modes. Raises `WrongUsage`."""
    battery, target = Battery(soc=options.soc), options.target_soc
    ac = _ac(options)
    return SimulatedAcVehicle(battery, target_soc=target) if ac else SimulatedVehicle(battery, target_soc=target)


def _ac(options: Any) -> bool:
    modes = words(options.modes)
    ac = [mode for mode in modes if mode.startswith("ac") and not mode.startswith("acdp")]
    if ac and ac != modes:
        raise WrongUsage("what is simulated charges with AC or with DC: name one of them with --modes")
    if ac and "din70121" in words(options.protocols):
        raise WrongUsage("DIN 70121 knows DC alone: with --modes ac leave it out of --protocols")
    return bool(ac)
