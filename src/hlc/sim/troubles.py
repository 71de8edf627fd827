"""What may befall a vehicle that is plugged in, or its outlet: a table of troubles.

Each is a function that prepares its scene and tells the reasons that must then be given, where the line loses nothing;
an empty set: whatever may happen, be it a match.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from random import Random
from typing import Any, Final, NamedTuple

from hlc.sim.site import Outlet, Site, Vehicle
from slac.effects import Reason

FOREVER: Final = 1e6
NAMES: Final = (
    "CM_SLAC_PARM.REQ",
    "CM_SLAC_PARM.CNF",
    "CM_START_ATTEN_CHAR.IND",
    "CM_MNBC_SOUND.IND",
    "CM_ATTEN_PROFILE.IND",
    "CM_ATTEN_CHAR.IND",
    "CM_ATTEN_CHAR.RSP",
    "CM_VALIDATE.REQ",
    "CM_VALIDATE.CNF",
    "CM_SLAC_MATCH.REQ",
    "CM_SLAC_MATCH.CNF",
    "CM_SET_KEY.CNF",
)


class Trouble(StrEnum):
    NONE = "none"
    LOST = "a message is lost"
    LOST_ALWAYS = "a message is always lost"
    LATE = "a message is late"
    REPEATED = "messages come twice and out of order"
    UNCONFIRMED = "the modem does not confirm its key"
    UNMEASURED = "the outlet's modem measures nothing"
    PROFILES = "profiles are missing"
    NO_JOIN = "the vehicle's modem does not join"
    WRONG_ROLE = "the vehicle's modem is configured for an outlet"
    VEHICLE_OFF = "the vehicle's modem has no power"
    OUTLET_OFF = "the outlet's modem has no power"
    RESET = "a modem restarts"
    CUT = "the line is cut for a while"
    LINK_LOST = "the line is cut for a while after the match"
    REPLUGGED = "the plug is pulled and put in again"
    DEAF = "frames pass in one direction only"


class Scene(NamedTuple):
    """Where trouble strikes."""

    site: Site
    car: Vehicle
    outlet: Outlet
    random: Random
    plugged_at: float

    def later(self, latest_s: float, action: Callable[[], None]) -> float:
        """Do something at a random time, so many seconds after plugging in at most."""
        at = self.plugged_at + self.random.uniform(0.0, latest_s)
        self.site.at(at, action)
        return at


def _lost(scene: Scene) -> set[Reason]:
    name = scene.random.choice(NAMES)
    numbers = range(scene.random.randint(1, 4), scene.random.randint(2, 6))
    scene.site.line.fault(name, numbers, drop=True)
    return set()


def _lost_always(scene: Scene) -> set[Reason]:
    name = scene.random.choice(NAMES)
    one = scene.random.choice((scene.car, scene.outlet)).modem
    scene.site.line.fault(name, range(1, 1 << 30), drop=True, receiver=one)
    return set()


def _late(scene: Scene) -> set[Reason]:
    numbers = range(1, scene.random.randint(2, 8))
    scene.site.line.fault(scene.random.choice(NAMES), numbers, late_s=scene.random.uniform(0.05, 4.0))
    return set()


def _repeated(scene: Scene) -> set[Reason]:
    conditions = scene.site.line.conditions
    conditions.duplicate, conditions.reorder = scene.random.uniform(0.0, 0.5), scene.random.uniform(0.0, 0.3)
    return set()


def _unconfirmed(scene: Scene) -> set[Reason]:
    _quirk(scene.car, set_key_result=scene.random.choice((0, None)))
    return set()


def _unmeasured(scene: Scene) -> set[Reason]:
    _quirk(scene.outlet, groups=0)
    return {Reason.NO_ATTENUATION}


def _profiles(scene: Scene) -> set[Reason]:
    _quirk(scene.outlet, profile_loss=scene.random.uniform(0.3, 1.0))
    return set()


def _no_join(scene: Scene) -> set[Reason]:
    _quirk(scene.car, join_s=FOREVER)
    return {Reason.LINK_NOT_UP}


def _wrong_role(scene: Scene) -> set[Reason]:
    scene.car.modem.role, scene.car.modem.coordinator = "evse", scene.car.modem
    return {Reason.WRONG_ROLE}


def _vehicle_off(scene: Scene) -> set[Reason]:
    scene.car.modem.power(False, scene.site.now)
    if scene.random.random() < 0.5:
        scene.later(10.0, lambda: scene.car.modem.power(True, scene.site.now))
        return set()
    return {Reason.NO_MODEM}


def _outlet_off(scene: Scene) -> set[Reason]:
    scene.outlet.modem.power(False, scene.site.now)
    if scene.random.random() < 0.5:
        scene.later(10.0, lambda: scene.outlet.modem.power(True, scene.site.now))
    return set()


def _reset(scene: Scene) -> set[Reason]:
    one = scene.random.choice((scene.car, scene.outlet)).modem
    scene.later(8.0, lambda: one.reset(scene.site.now))
    return set()


def _cut(scene: Scene) -> set[Reason]:
    _cut_at(scene, scene.random.uniform(0.0, 6.0))
    return set()


def _link_lost(scene: Scene) -> set[Reason]:
    _cut_at(scene, scene.random.uniform(12.0, 40.0))
    return set()


def _cut_at(scene: Scene, after_s: float) -> None:
    site, car, outlet = scene.site, scene.car, scene.outlet
    path = site.line.path(car.modem, outlet.modem)
    assert path is not None
    site.at(scene.plugged_at + after_s, lambda: site.line.cut(car.modem, outlet.modem, site.now))
    back = scene.plugged_at + after_s + scene.random.uniform(0.1, 20.0)
    site.at(back, lambda: site.line.rewire(car.modem, outlet.modem, path.db, site.now))


def _replugged(scene: Scene) -> set[Reason]:
    site, car, outlet = scene.site, scene.car, scene.outlet
    at = scene.plugged_at
    for _ in range(scene.random.randint(1, 4)):
        at += scene.random.choice((0.02, 0.5, 2.0, 8.0)) * scene.random.random()
        site.at(at, lambda: site.unplug(car))
        at += scene.random.choice((0.02, 0.5, 2.0, 8.0)) * scene.random.random()
        site.at(at, lambda: site.plug(car, outlet))
    return set()


def _deaf(scene: Scene) -> set[Reason]:
    ends = [scene.car.modem, scene.outlet.modem]
    scene.random.shuffle(ends)
    scene.site.line.disturb(*ends, loss=1.0)
    return set()


def _quirk(end: Vehicle | Outlet, **quirks: Any) -> None:
    end.modem.family = end.modem.family._replace(**quirks)


STRIKE: Final[dict[Trouble, Callable[[Scene], set[Reason]]]] = {
    Trouble.NONE: lambda scene: set(),
    Trouble.LOST: _lost,
    Trouble.LOST_ALWAYS: _lost_always,
    Trouble.LATE: _late,
    Trouble.REPEATED: _repeated,
    Trouble.UNCONFIRMED: _unconfirmed,
    Trouble.UNMEASURED: _unmeasured,
    Trouble.PROFILES: _profiles,
    Trouble.NO_JOIN: _no_join,
    Trouble.WRONG_ROLE: _wrong_role,
    Trouble.VEHICLE_OFF: _vehicle_off,
    Trouble.OUTLET_OFF: _outlet_off,
    Trouble.RESET: _reset,
    Trouble.CUT: _cut,
    Trouble.LINK_LOST: _link_lost,
    Trouble.REPLUGGED: _replugged,
    Trouble.DEAF: _deaf,
}

__all__ = ["STRIKE", "Scene", "Trouble"]
