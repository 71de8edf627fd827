"""Which simulated hardware transfers energy in which modes. Only what is asked for is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hlc.ports import Mode

if TYPE_CHECKING:
    from hlc.sim.battery import Battery

DC: Final = frozenset({Mode.DC, Mode.DC_BPT, Mode.MCS, Mode.MCS_BPT})
AC: Final = frozenset({Mode.AC, Mode.AC_BPT})
WPT: Final = frozenset({Mode.WPT})
ACDP: Final = frozenset({Mode.ACDP, Mode.ACDP_BPT})
KINDS: Final = (DC, AC, WPT, ACDP)
"""The modes that one piece of hardware can have."""


def outlet(modes: frozenset[Mode], **others: Any) -> Any:
    """A simulated outlet for modes of one kind; `others` are what it takes besides."""
    if modes <= AC:
        from hlc.sim.ac import SimulatedAcOutlet

        return SimulatedAcOutlet(modes=modes, **others)
    if modes <= WPT:
        from hlc.sim.wpt import SimulatedPad

        return SimulatedPad(**others)
    if modes <= ACDP:
        from hlc.sim.acdp import SimulatedPantograph

        return SimulatedPantograph(modes=modes, **others)
    from hlc.sim.outlet import SimulatedOutlet

    return SimulatedOutlet(modes=modes, **others)


def vehicle(modes: frozenset[Mode], battery: Battery, **others: Any) -> Any:
    """A simulated vehicle for modes of one kind."""
    if modes <= AC:
        from hlc.sim.ac import SimulatedAcVehicle

        return SimulatedAcVehicle(battery, modes=modes, **others)
    if modes <= WPT:
        from hlc.sim.wpt import SimulatedReceiver

        return SimulatedReceiver(battery, **others)
    if modes <= ACDP:
        from hlc.sim.acdp import SimulatedBus

        return SimulatedBus(battery, modes=modes, **others)
    from hlc.sim.vehicle import SimulatedVehicle

    return SimulatedVehicle(battery, modes=modes, **others)
