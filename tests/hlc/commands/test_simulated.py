"""The simulated hardware that the options ask for."""

from __future__ import annotations

from argparse import Namespace

import pytest

from hlc.commands import simulated
from hlc.runtime.errors import WrongUsage
from hlc.sim import SimulatedOutlet, SimulatedVehicle
from hlc.sim.ac import SimulatedAcOutlet, SimulatedAcVehicle


def options(modes: str, protocols: str = "iso15118-2") -> Namespace:
    return Namespace(modes=modes, protocols=protocols, soc=20.0, target_soc=70.0)


@pytest.mark.parametrize(
    ("modes", "outlet", "vehicle"),
    [("dc", SimulatedOutlet, SimulatedVehicle), ("ac", SimulatedAcOutlet, SimulatedAcVehicle)],
)
def test_the_kind_follows_the_mode(modes: str, outlet: type, vehicle: type) -> None:
    assert type(simulated.outlet(options(modes))) is outlet
    ev = simulated.vehicle(options(modes))
    assert type(ev) is vehicle
    assert (ev.soc(), ev.target_soc()) == (20.0, 70.0)


@pytest.mark.parametrize(
    ("modes", "protocols", "why"), [("ac,dc", "iso15118-2", "AC or with DC"), ("ac", "din70121,iso15118-2", "DC alone")]
)
def test_what_does_not_go_together(modes: str, protocols: str, why: str) -> None:
    with pytest.raises(WrongUsage, match=why):
        simulated.outlet(options(modes, protocols))
