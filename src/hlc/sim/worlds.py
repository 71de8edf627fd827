"""What can be simulated as a whole: every protocol, energy mode and control mode, with hardware that fits."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hlc import evcc, secc
from hlc.evcc.iso15118_20.settings import Settings20 as VehicleSettings20
from hlc.ports import Mode
from hlc.rules.iso15118_20.services import Control, Intended
from hlc.secc.iso15118_20.settings import Settings20 as StationSettings20
from hlc.sim import hardware
from hlc.sim.battery import Battery

FAMILIES: Final = {"din70121": "DIN SPEC 70121", "iso15118-2": "ISO 15118-2", "iso15118-20": "ISO 15118-20"}
"""Protocols as people ask for them, with the names of their standards."""
SERVED: Final = {
    "din70121": (Mode.DC,),
    "iso15118-2": (Mode.DC, Mode.AC),
    "iso15118-20": tuple(Mode),
}
"""The modes of each."""


class World(NamedTuple):
    """A protocol and how it transfers energy."""

    protocol: str
    """One of `FAMILIES`."""
    mode: Mode
    control: Control | None = None
    """ISO 15118-20 alone has the choice."""

    @property
    def name(self) -> str:
        """In options' words."""
        words = (self.protocol, self.mode.value, *(() if self.control is None else (self.control.name.lower(),)))
        return " ".join(words)

    @property
    def negotiated(self) -> str:
        """The protocol's name in `sap.PROTOCOLS`: ISO 15118-20 has one for each kind of hardware."""
        family = self.protocol.replace("-", "_")
        if self.control is None:
            return family
        kind = self.mode.value.removesuffix("_bpt")
        return f"{family}_{'dc' if kind == 'mcs' else kind}"

    def station_settings(self, *, intended: tuple[Intended, ...] = (), **others: Any) -> secc.Settings:
        """What the operator decides."""
        return secc.Settings(iso15118_20=StationSettings20(intended=intended), **others)

    def vehicle_settings(self, **others: Any) -> evcc.Settings:
        """What the owner decides."""
        control = self.control or Control.SCHEDULED
        return evcc.Settings(iso15118_20=VehicleSettings20(control=control), **others)


WORLDS: Final = tuple(
    World(protocol, mode, control)
    for protocol, modes in SERVED.items()
    for mode in modes
    for control in (tuple(Control) if protocol == "iso15118-20" else (None,))
)
"""All of them."""


def outlet(mode: Mode, **others: Any) -> Any:
    """A simulated outlet of this kind; `others` are what it takes."""
    return hardware.outlet(frozenset({mode}), **others)


def vehicle(mode: Mode, battery: Battery, **others: Any) -> Any:
    """A simulated vehicle of this kind."""
    return hardware.vehicle(frozenset({mode}), battery, **others)


__all__ = ["FAMILIES", "SERVED", "WORLDS", "World", "outlet", "vehicle"]
