"""A charging site in virtual time: outlets in a row and vehicles at them, matching over a simulated powerline.

    site = Site(seed=1)
    outlet, car = site.outlet(), site.vehicle()
    site.plug(car, outlet)
    site.run(30.0)
    assert car.machine.state is State.MATCHED and car.link.peer == outlet.mac

Each has its machine and its modem on the line; vehicle and outlet have the control pilot in common. The same seed and
the same calls give the same story.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial
from math import inf
from random import Random
from typing import Any, Final, NamedTuple

from slac.effects import Effect, Failed, Linked, Pilot, Send, State, Toggle, Unlinked
from slac.ev import Ev
from slac.evse import Evse, EvseSettings
from slac.powerline import PilotWire, Powerline, SimulatedModem
from slac.run import EvSettings

CABLE_DB: Final = 12.0
NEIGHBOURS_DB: Final = 25.0
"""Crosstalk from an outlet to the next."""
STEPS: Final = 1_000_000
"""Who does more within one `run` turns in circles."""


class Happened(NamedTuple):
    """What a machine asked for or reported."""

    at: float
    who: str
    effect: Effect


class Hang(Exception):  # noqa: N818
    """A machine that does something again and again without an end."""


class End:
    """An outlet or a vehicle: machine, modem, and what is connected."""

    def __init__(self, site: Site, name: str, machine: Ev | Evse, modem: SimulatedModem, wire: PilotWire) -> None:
        self.site = site
        self.name = name
        self.machine = machine
        self.modem = modem
        self.wire = wire
        """The control pilot as it is measured here."""
        self.mac = machine.mac
        self.link: Linked | None = None
        """While there is one."""
        self.linked_at: float | None = None
        """When it last came up."""
        self.failures: list[Failed] = []
        wire.observers.append(lambda now: site.soon(self._tell_pilot))

    def __repr__(self) -> str:
        return f"<{self.name} {self.machine.state}>"

    def _tell_pilot(self) -> None:
        self.carry_out(self.machine.pilot(self.wire.state, self.wire.duty, self.site.now))

    def carry_out(self, effects: list[Effect]) -> None:
        """Do what the machine asks for."""
        for effect in effects:
            self.site.story.append(Happened(self.site.now, self.name, effect))
            match effect:
                case Send(frame):
                    self.modem.from_host(frame, self.site.now)
                case Linked():
                    self.link, self.linked_at = effect, self.site.now
                case Unlinked():
                    self.link = None
                case Failed():
                    self.failures.append(effect)
                case Toggle() | Pilot():
                    self.pilot(effect)
        self.site.waits(self)

    def pilot(self, effect: Toggle | Pilot) -> None:
        """Move the control pilot."""
        raise NotImplementedError


class Outlet(End):
    """An outlet. Nobody is plugged in: state A."""

    machine: Evse

    def __init__(self, site: Site, name: str, machine: Evse, modem: SimulatedModem) -> None:
        self.vehicle: Vehicle | None = None
        self._fault: str | None = None
        self._duty = 100.0
        super().__init__(site, name, machine, modem, modem.pilot)

    def pilot(self, effect: Toggle | Pilot) -> None:
        assert isinstance(effect, Pilot)
        self._fault, self._duty = effect.state, effect.duty
        self.show()

    def show(self) -> None:
        """What is on the wire now, at either end."""
        state = self._fault or (self.vehicle.wants if self.vehicle is not None else "A")
        self.wire.change(self.site.now, state=str(state), duty=self._duty)
        if self.vehicle is not None:
            self.vehicle.wire.change(self.site.now, state=str(state), duty=self._duty)


class Vehicle(End):
    """A vehicle. Not plugged in it sees no pilot: state A."""

    machine: Ev

    def __init__(self, site: Site, name: str, machine: Ev, modem: SimulatedModem) -> None:
        self.outlet: Outlet | None = None
        self.wants = "B"
        """The state that it pulls the pilot to."""
        super().__init__(site, name, machine, modem, modem.pilot)

    def pilot(self, effect: Toggle | Pilot) -> None:
        assert isinstance(effect, Toggle)
        for half in range(2 * effect.times):
            self.site.at(self.site.now + half * effect.half_period_s, partial(self.want, "CB"[half % 2]))

    def want(self, state: str) -> None:
        """Pull the pilot to this state."""
        self.wants = state
        if self.outlet is not None:
            self.outlet.show()


class Site:
    """Outlets and vehicles, and the time. The options are those of `Powerline`."""

    def __init__(self, *, seed: int = 1, **options: Any) -> None:
        self.random = Random(seed)
        self.line = Powerline(seed=self.random.getrandbits(32), **options)
        self.now = 0.0
        self.outlets: list[Outlet] = []
        self.vehicles: list[Vehicle] = []
        self.story: list[Happened] = []
        self._ends: dict[SimulatedModem, Outlet | Vehicle] = {}
        self._deadlines: dict[End, float] = {}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    # Building

    def outlet(
        self, *, settings: EvseSettings | None = None, neighbour_db: float = NEIGHBOURS_DB, **modem: Any
    ) -> Outlet:
        """One more outlet in the row, beside the last. `modem` is as for `Powerline.modem`."""
        name = f"outlet{len(self.outlets) + 1}"
        mac = bytes([2, 0xE5, 0, 0, 0, len(self.outlets) + 1])
        machine = Evse(mac, self.random.randbytes, **({} if settings is None else {"settings": settings}))
        made = Outlet(
            self,
            name,
            machine,
            self.line.modem(modem.pop("role", "evse"), host_mac=mac, name=name, pilot=PilotWire("A", 100.0), **modem),
        )
        if self.outlets:
            self.line.attenuation(self.outlets[-1].modem, made.modem, neighbour_db)
        self.outlets.append(made)
        self._ends[made.modem] = made
        self.soon(lambda: made.carry_out(machine.start(self.now)))
        return made

    def vehicle(self, *, settings: EvSettings | None = None, **modem: Any) -> Vehicle:
        """One more vehicle, not plugged in yet."""
        name = f"vehicle{len(self.vehicles) + 1}"
        mac = bytes([2, 0xE7, 0, 0, 0, len(self.vehicles) + 1])
        machine = Ev(mac, self.random.randbytes, **({} if settings is None else {"settings": settings}))
        made = Vehicle(
            self,
            name,
            machine,
            self.line.modem(modem.pop("role", "ev"), host_mac=mac, name=name, pilot=PilotWire("A", 100.0), **modem),
        )
        self.vehicles.append(made)
        self._ends[made.modem] = made
        self.soon(lambda: made.carry_out(machine.start(self.now)))
        return made

    # What people do

    def plug(self, vehicle: Vehicle, outlet: Outlet, *, db: float = CABLE_DB, tilt_db: float = 0.0) -> None:
        """Plug a vehicle in."""
        vehicle.outlet, outlet.vehicle = outlet, vehicle
        self.line.rewire(vehicle.modem, outlet.modem, db, self.now, tilt_db=tilt_db)
        vehicle.wants = "B"
        outlet.show()

    def unplug(self, vehicle: Vehicle) -> None:
        """Pull the plug out."""
        outlet, vehicle.outlet = vehicle.outlet, None
        if outlet is not None:
            outlet.vehicle = None
            self.line.cut(vehicle.modem, outlet.modem, self.now)
            outlet.show()
        vehicle.wire.change(self.now, state="A", duty=100.0)

    # Time

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do something at a time."""
        self._number += 1
        heapq.heappush(self._agenda, (when, self._number, action))

    def soon(self, action: Callable[[], None]) -> None:
        """Do something now, after what is being done."""
        self.at(self.now, action)

    def run(self, seconds: float, *, until: Callable[[], bool] | None = None) -> Site:
        """Let time pass, so long or until a condition holds. Raises `Hang`."""
        end = self.now + seconds
        for _ in range(STEPS):
            if until is not None and until():
                return self
            if not self._step(end):
                self.now = end
                return self
        raise Hang(f"no end at {self.now:.3f} s: {', '.join(map(repr, self._ends.values()))}")

    def waits(self, end: End) -> None:
        """Look at what a machine waits for, whenever it has been asked for anything."""
        deadline = end.machine.next_deadline()
        self._deadlines[end] = inf if deadline is None else deadline

    def settled(self) -> bool:
        """Whether every vehicle that is plugged in has its link or has given up."""
        return all(
            vehicle.machine.state in (State.MATCHED, State.FAILED) for vehicle in self.vehicles if vehicle.outlet
        )

    def _step(self, end: float) -> bool:
        """The next thing that happens until then; False: nothing."""
        at, who = min(((at, end) for end, at in self._deadlines.items()), key=lambda each: each[0], default=(inf, None))
        line = self.line.next_deadline()
        if line is not None and line <= at:
            at, who = line, None
        planned = bool(self._agenda) and self._agenda[0][0] <= at
        if planned:
            at = self._agenda[0][0]
        if at > end:
            return False
        self.now = max(self.now, at)
        if planned:
            heapq.heappop(self._agenda)[2]()
        elif who is not None:
            who.carry_out(who.machine.expire(self.now))
        else:
            self._deliver()
        return True

    def _deliver(self) -> None:
        for modem, frame in self.line.expire(self.now):
            end = self._ends[modem]
            end.carry_out(end.machine.receive(frame, self.now))


__all__ = ["End", "Hang", "Happened", "Outlet", "Site", "Vehicle"]
