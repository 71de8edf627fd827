"""Which simulated hardware the options ask for, and what its owner decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hlc.commands import options as shared
from hlc.ports import Mode
from hlc.rules.iso15118_20.services import Control
from hlc.runtime.errors import WrongUsage
from hlc.sim import hardware
from hlc.sim.battery import Battery

if TYPE_CHECKING:
    from hlc import evcc, secc

BACK_KILOWATTS: Final = 11.0
BACK_AMPS: Final = 16.0
"""What is given back and taken back."""


def outlet(options: Any) -> Any:
    """An outlet for these modes. Raises `WrongUsage`."""
    modes = _modes(options)
    if not any(mode.bidirectional for mode in modes):
        return hardware.outlet(modes)
    if modes <= hardware.AC:
        return hardware.outlet(modes, back_amps=BACK_AMPS)
    return hardware.outlet(modes, back_kilowatts=BACK_KILOWATTS)


def vehicle(options: Any) -> Any:
    """A vehicle for these modes. Raises `WrongUsage`."""
    modes = _modes(options)
    back = any(mode.bidirectional for mode in modes)
    battery = Battery(soc=options.soc, max_discharge_amps=50.0 * back, max_discharge_watts=BACK_KILOWATTS * 1000 * back)
    others = {"max_discharge_amps": BACK_AMPS} if back and modes <= hardware.AC else {}
    return hardware.vehicle(modes, battery, target_soc=options.target_soc, **others)


# Imported late: a station does without the vehicle's protocols, and a vehicle without the station's.


def station_settings(options: Any) -> secc.Settings:
    """What the operator decides."""
    from hlc.secc import Settings
    from hlc.secc.iso15118_20.settings import Settings20

    control = shared.control(options)
    controls = tuple(Control) if control is None else (control,)
    return Settings(strict=options.strict, iso15118_20=Settings20(controls=controls))


def vehicle_settings(options: Any, **others: Any) -> evcc.Settings:
    """What the owner decides, with these `others`."""
    from hlc.evcc import Settings
    from hlc.evcc.iso15118_20.settings import Settings20

    control = shared.control(options) or Control.SCHEDULED
    return Settings(strict=options.strict, iso15118_20=Settings20(control=control), **others)


def _modes(options: Any) -> frozenset[Mode]:
    modes = frozenset(shared.modes(options))
    spoken = shared.words(options.protocols)
    if not any(modes <= kind for kind in hardware.KINDS):
        raise WrongUsage("what is simulated transfers energy in one way, and back: name one kind of --modes")
    if Mode.DC not in modes and "din70121" in spoken:
        raise WrongUsage(f"DIN 70121 knows DC alone: with --modes {options.modes} leave it out of --protocols")
    if not modes & {Mode.DC, Mode.AC} and "iso15118-2" in spoken:
        raise WrongUsage(f"ISO 15118-2 knows AC and DC alone: with --modes {options.modes} leave it out of --protocols")
    return modes
