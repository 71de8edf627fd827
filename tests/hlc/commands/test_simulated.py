"""The simulated hardware that the options ask for."""

from __future__ import annotations

from argparse import Namespace

import pytest

from hlc.commands import options as shared
from hlc.commands import simulated
from hlc.rules.iso15118_20.services import Control
from hlc.runtime.errors import WrongUsage
from hlc.sim import SimulatedOutlet, SimulatedVehicle
from hlc.sim.ac import SimulatedAcOutlet, SimulatedAcVehicle
from hlc.sim.acdp import SimulatedBus, SimulatedPantograph
from hlc.sim.wpt import SimulatedPad, SimulatedReceiver


def options(modes: str, protocols: str = "iso15118-2") -> Namespace:
    return Namespace(modes=modes, protocols=protocols, soc=20.0, target_soc=70.0, control=None, strict=False)


@pytest.mark.parametrize(
    ("modes", "outlet", "vehicle"),
    [
        ("dc", SimulatedOutlet, SimulatedVehicle),
        ("dc,mcs-bpt", SimulatedOutlet, SimulatedVehicle),
        ("ac", SimulatedAcOutlet, SimulatedAcVehicle),
        ("ac_bpt,ac", SimulatedAcOutlet, SimulatedAcVehicle),
        ("wpt", SimulatedPad, SimulatedReceiver),
        ("acdp,acdp_bpt", SimulatedPantograph, SimulatedBus),
    ],
)
def test_the_kind_follows_the_mode(modes: str, outlet: type, vehicle: type) -> None:
    assert type(simulated.outlet(options(modes, "iso15118-20"))) is outlet
    ev = simulated.vehicle(options(modes, "iso15118-20"))
    assert type(ev) is vehicle
    assert (ev.soc(), ev.target_soc()) == (20.0, 70.0)


@pytest.mark.parametrize(
    ("modes", "protocols", "why"),
    [
        ("ac,dc", "iso15118-2", "one kind of --modes"),
        ("ac", "din70121,iso15118-2", "DC alone"),
        ("mcs", "iso15118-2,iso15118-20", "AC and DC alone"),
    ],
)
def test_what_does_not_go_together(modes: str, protocols: str, why: str) -> None:
    with pytest.raises(WrongUsage, match=why):
        simulated.outlet(options(modes, protocols))


@pytest.mark.parametrize(
    ("modes", "negotiated"),
    [
        ("dc,mcs", ["iso15118_20_dc"]),
        ("ac-bpt", ["iso15118_20_ac"]),
        ("wpt,acdp", ["iso15118_20_wpt", "iso15118_20_acdp"]),
    ],
)
def test_iso15118_20_is_negotiated_by_kind(modes: str, negotiated: list[str]) -> None:
    given = options(modes, "iso15118-20")
    assert [protocol.name for protocol in shared.protocols(given)] == negotiated


def test_who_chooses_the_power() -> None:
    given = options("dc", "iso15118-20")
    assert simulated.vehicle_settings(given).iso15118_20.control is Control.SCHEDULED
    assert simulated.station_settings(given).iso15118_20.controls == tuple(Control)
    given.control = "dynamic"
    assert simulated.vehicle_settings(given, EVCCID=b"\1").iso15118_20.control is Control.DYNAMIC
    assert simulated.station_settings(given).iso15118_20.controls == (Control.DYNAMIC,)
