"""The charge that the demo shows: the car, the station and what carries their messages."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hlc.decisions.schedules import DAY_S, Slot
from hlc.ports import Mode
from hlc.rules.iso15118_20.services import Control
from hlc.runtime.errors import WrongUsage
from hlc.sim import Battery
from hlc.sim.pair import WIRELESS, Pair, Tunnel
from hlc.sim.worlds import FAMILIES, SERVED, World, outlet, vehicle

RETURN_S: Final = 120.0
"""With BPT: so long the grid wants energy back, before it gives any."""
BACK_WATTS: Final = 10_000.0
BACK_AMPS: Final = 16.0
VERSIONS: Final = {"iso15118-2": "1.2", "iso15118-20": "1.3"}
"""Of TLS."""


class Charge(NamedTuple):
    """What is shown."""

    pair: Pair
    title: str
    """Protocol, mode, control mode and transport."""
    wireless: bool
    """Whether the two talk over WLAN: nothing is plugged in."""


def charge(protocol: str, mode: str, control: str | None = None, *, tls: bool = True) -> Charge:
    """One of about a quarter of an hour, where energy flows fast; of some more with AC and WPT. Raises
    `WrongUsage`."""
    world = _world(protocol, mode, control)
    ev, supply = hardware(world.mode)
    schedules: tuple[tuple[Slot, ...], ...] = ()
    if world.mode.bidirectional and world.control is Control.SCHEDULED:
        schedules = ((Slot(RETURN_S, 0.0), Slot(DAY_S, 1e6)),)
    elif world.mode.bidirectional:
        supply.managed_watts, supply.managed_until = -BACK_WATTS, RETURN_S
    tunnel = _tunnel(protocol) if tls and protocol in VERSIONS else None
    pair = Pair(
        ev,
        supply,
        protocol=world.negotiated,
        station_settings=world.station_settings(schedules=schedules),
        vehicle_settings=world.vehicle_settings(),
        tunnel=tunnel,
    )
    wireless = pair.protocol in WIRELESS
    words = [
        f"{'WLAN' if wireless else 'SLAC'}, then {FAMILIES[protocol]}",
        world.mode.value.upper().replace("_", " "),
        *(() if world.control is None else (f"{world.control.name.lower()} control",)),
        "plain TCP" if tunnel is None else f"TLS {VERSIONS[protocol]}",
    ]
    return Charge(pair, ", ".join(words), wireless)


def _world(protocol: str, mode: str, control: str | None) -> World:
    wanted = Mode(mode.replace("-", "_"))
    if wanted not in SERVED[protocol]:
        known = " and ".join(each.value.upper() for each in SERVED[protocol])
        raise WrongUsage(f"{FAMILIES[protocol]} knows {known} alone: name another --protocol with --mode {mode}")
    if protocol == "iso15118-20":
        return World(protocol, wanted, Control[(control or "scheduled").upper()])
    if control is not None:
        raise WrongUsage(f"{FAMILIES[protocol]} knows no --control: leave it out")
    return World(protocol, wanted)


def _tunnel(protocol: str) -> Tunnel:
    from hlc.commands import tunnel  # it loads the library of TLS, which others need not wait for

    return tunnel.Tunnel(VERSIONS[protocol])


def hardware(mode: Mode) -> tuple[Any, Any]:
    """A vehicle and an outlet."""
    back = float(mode.bidirectional)
    if mode in (Mode.AC, Mode.AC_BPT, Mode.WPT):
        battery = Battery(soc=72.0, capacity_wh=35_000.0)
        if mode is Mode.WPT:
            return vehicle(mode, battery, target_soc=80.0), outlet(mode)
        ev = vehicle(mode, battery, target_soc=80.0, max_discharge_amps=BACK_AMPS * back)
        return ev, outlet(mode, back_amps=BACK_AMPS * back)
    size = 10.0 if mode in (Mode.MCS, Mode.MCS_BPT) else 1.0
    battery = Battery(
        soc=25.0,
        capacity_wh=35_000.0 * size,
        cells=96 if size == 1.0 else 192,
        max_amps=280.0 * size,
        max_watts=105_000.0 * size,
        resistance=0.08 / size,
        max_discharge_amps=100.0 * back,
        max_discharge_watts=BACK_WATTS * back,
    )
    supply = outlet(
        mode,
        kilowatts=150.0 * size,
        max_volts=500.0 if size == 1.0 else 1250.0,
        max_amps=400.0 * size,
        back_kilowatts=BACK_WATTS / 1000 * back,
    )
    return vehicle(mode, battery, target_soc=90.0), supply
