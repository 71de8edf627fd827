"""Which simulated hardware the options ask for, and what its owner decides."""

from __future__ import annotations

from typing import Any, Final

from hlc import evcc, secc
from hlc.commands import options as shared
from hlc.evcc.iso15118_20.settings import Settings20 as VehicleSettings20
from hlc.ports import Mode
from hlc.rules.iso15118_20.services import Control
from hlc.runtime.errors import WrongUsage
from hlc.secc.iso15118_20.settings import Settings20 as StationSettings20
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.ac import SimulatedAcOutlet, SimulatedAcVehicle
from hlc.sim.acdp import SimulatedBus, SimulatedPantograph
from hlc.sim.wpt import SimulatedPad, SimulatedReceiver

KINDS: Final = (
    frozenset({Mode.DC, Mode.DC_BPT, Mode.MCS, Mode.MCS_BPT}),
    frozenset({Mode.AC, Mode.AC_BPT}),
    frozenset({Mode.WPT}),
    frozenset({Mode.ACDP, Mode.ACDP_BPT}),
)
"""Modes that one piece of hardware can have."""
BACK_KILOWATTS: Final = 11.0
BACK_AMPS: Final = 16.0
"""What is given back and taken back."""


def outlet(options: Any) -> Any:
    """An outlet for these modes. Raises `WrongUsage`."""
    modes = _modes(options)
    back = any(mode.bidirectional for mode in modes)
    if modes & KINDS[1]:
        return SimulatedAcOutlet(modes=modes, back_amps=BACK_AMPS * back)
    if modes & KINDS[2]:
        return SimulatedPad()
    kind = SimulatedPantograph if modes & KINDS[3] else SimulatedOutlet
    return kind(modes=modes, back_kilowatts=BACK_KILOWATTS * back)


def vehicle(options: Any) -> Any:
    """A vehicle for these modes. Raises `WrongUsage`."""
    modes, target = _modes(options), options.target_soc
    back = any(mode.bidirectional for mode in modes)
    battery = Battery(soc=options.soc, max_discharge_amps=50.0 * back, max_discharge_watts=BACK_KILOWATTS * 1000 * back)
    if modes & KINDS[1]:
        amps = BACK_AMPS * back
        return SimulatedAcVehicle(battery, target_soc=target, modes=modes, max_discharge_amps=amps)
    if modes & KINDS[2]:
        return SimulatedReceiver(battery, target_soc=target)
    kind = SimulatedBus if modes & KINDS[3] else SimulatedVehicle
    return kind(battery, target_soc=target, modes=modes)


def station_settings(options: Any) -> secc.Settings:
    """What the operator decides."""
    control = shared.control(options)
    controls = tuple(Control) if control is None else (control,)
    return secc.Settings(strict=options.strict, iso15118_20=StationSettings20(controls=controls))


def vehicle_settings(options: Any, **others: Any) -> evcc.Settings:
    """What the owner decides, with these `others`."""
    control = shared.control(options) or Control.SCHEDULED
    return evcc.Settings(strict=options.strict, iso15118_20=VehicleSettings20(control=control), **others)


def _modes(options: Any) -> frozenset[Mode]:
    modes = frozenset(shared.modes(options))
    spoken = shared.words(options.protocols)
    if not any(modes <= kind for kind in KINDS):
        raise WrongUsage("what is simulated transfers energy in one way, and back: name one kind of --modes")
    if Mode.DC not in modes and "din70121" in spoken:
        raise WrongUsage(f"DIN 70121 knows DC alone: with --modes {options.modes} leave it out of --protocols")
    if not modes & {Mode.DC, Mode.AC} and "iso15118-2" in spoken:
        raise WrongUsage(f"ISO 15118-2 knows AC and DC alone: with --modes {options.modes} leave it out of --protocols")
    return modes
