"""The sessions of a soak as they would go without a fault: random hardware of one world, and what the two sides want
beside the charge.

`spoken` is a session of each world in which everything is wanted that can be: what may be struck, and what may be said
at the wrong moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from random import Random
from typing import Any, Final, NamedTuple

from exi.messages.iso15118_20.types import EVSENotification
from hlc.decisions.schedules import DAY_S, Slot
from hlc.ports import Mode
from hlc.rules.iso15118_20.services import Control, Intended, Service
from hlc.secc.iso15118_20.common import Conversation as Conversation20
from hlc.sim.battery import Battery
from hlc.sim.faults import LOOPS, body
from hlc.sim.pair import Delivery, Pair, Tamper
from hlc.sim.wire_faults import Utterance
from hlc.sim.worlds import World, outlet, vehicle
from hlc.trace.events import Event, Fault, Side

RETURN_S: Final = 6.0
"""So long the grid wants energy back, where it does: from when the parameters are likely to be known."""
SETTLED_S: Final = 6.0


class Course(NamedTuple):
    """A session to be played, and the list that its faults will be in."""

    pair: Pair
    faults: list[Fault]


class Wishes(NamedTuple):
    """What is wanted beside the charge, by the turn of the charge loop at which it is wanted."""

    metering_at: int | None = None
    schedule_at: int | None = None
    services_at: int | None = None
    parking: Intended | None = None
    """What is told of the parking place: a vehicle selects one of the two."""
    returns: bool = False
    """The grid wants energy back first."""


def wishes(world: World, random: Random, *, twice: bool, all_of_them: bool = False) -> Wishes:
    """Random ones that this world knows. `twice`: services may be chosen a second time, and energy begin to flow."""
    if world.control is None:
        return Wishes()

    def turn(likely: float) -> int | None:
        return random.randrange(1, 4) if all_of_them or random.random() < likely else None

    return Wishes(
        metering_at=turn(0.3),
        schedule_at=turn(0.3) if world.control is Control.SCHEDULED else None,
        services_at=turn(0.2) if twice else None,
        parking=random.choice((Intended.CHECK_IN, Intended.CHECK_OUT, None, None))
        if not all_of_them
        else Intended(world.control),
        returns=world.mode.bidirectional and (all_of_them or random.random() < 0.6),
    )


def course(world: World, random: Random, wanted: Wishes, tamper: Tamper) -> Course:
    """A session in this world."""
    ev, hardware = _hardware(world.mode, random)
    if wanted.returns:
        ev.least_soc = ev.soc() - random.uniform(0.0, 5.0) * 100.0 / ev.capacity_wh()
    schedules: tuple[tuple[Slot, ...], ...] = ()
    if wanted.returns and world.control is Control.SCHEDULED:
        schedules = ((Slot(RETURN_S, 0.0, 1.0), Slot(DAY_S, 1e6, 1.0)),)
    elif wanted.returns:
        hardware.managed_watts = -random.uniform(2_000.0, 50_000.0)
        hardware.managed_until = RETURN_S + SETTLED_S
    intended = () if wanted.parking is None else (wanted.parking,)
    services = frozenset({int(Service.PARKING_STATUS)} if intended else ())
    faults: list[Fault] = []

    def trace(event: Event) -> None:
        if isinstance(event, Fault):
            faults.append(event)

    pair = Pair(
        ev,
        hardware,
        protocol=world.negotiated,
        trace=trace,
        tamper=_Tampers(wanted, tamper),
        latency_s=random.uniform(0.0005, 0.02),
        seed=random.getrandbits(32),
        station_settings=world.station_settings(schedules=schedules, intended=intended),
        vehicle_settings=world.vehicle_settings(services=services),
    )
    return Course(pair, faults)


class _Tampers:
    """Lets what is wanted be wanted in its turn, then tampers."""

    def __init__(self, wanted: Wishes, tamper: Tamper) -> None:
        self.wanted = wanted
        self.tamper = tamper
        self._turns = 0

    def __call__(self, pair: Pair, number: int, delivery: Delivery) -> list[tuple[float, Delivery]] | None:
        if pair.messages[number][:-3] in LOOPS and delivery.to is Side.EVCC:
            self._turns += 1
            for at, want in self._wants():
                if at == self._turns:
                    want(pair)
        return self.tamper(pair, number, delivery)

    def _wants(self) -> list[tuple[int | None, Callable[[Pair], object]]]:
        def ask(notice: EVSENotification) -> Callable[[Pair], object]:
            def asking(pair: Pair) -> None:
                assert isinstance(pair.station.conversation, Conversation20)
                pair.station.conversation.ask(notice)

            return asking

        return [
            (self.wanted.metering_at, ask(EVSENotification.MeteringConfirmation)),
            (self.wanted.services_at, ask(EVSENotification.ServiceRenegotiation)),
            (
                self.wanted.schedule_at,
                lambda pair: pair.later(lambda: pair.renegotiate(Side.SECC, "the price has changed")),
            ),
        ]


def _hardware(mode: Mode, random: Random) -> tuple[Any, Any]:
    """A vehicle and an outlet. The charge is one of a few watt-hours: the loop is where most time would go."""
    both_ways = mode.bidirectional
    soc = random.uniform(3.0, 95.0)
    capacity = random.uniform(15_000.0, 100_000.0)
    premises = {"authorization_s": random.uniform(0.0, 2.0), "preparation_s": random.uniform(0.0, 1.0)}
    mega = mode in (Mode.MCS, Mode.MCS_BPT)
    high = mega or random.random() < 0.4
    battery = Battery(
        soc=soc,
        capacity_wh=capacity * (10.0 if mega else 1.0),
        cells=random.randrange(170, 199) if high else random.randrange(84, 109),
        max_amps=random.uniform(20.0, 1500.0 if mega else 500.0),
        max_watts=random.uniform(20_000.0, 1_000_000.0 if mega else 350_000.0),
        resistance=random.uniform(0.02, 0.2),
        max_discharge_amps=random.uniform(10.0, 200.0) if both_ways else 0.0,
        max_discharge_watts=random.uniform(5_000.0, 100_000.0) if both_ways else 0.0,
    )
    target = soc + random.uniform(0.1, 8.0) * 100.0 / battery.capacity_wh
    if mode in (Mode.AC, Mode.AC_BPT):
        back = random.uniform(6.0, 32.0) if both_ways else 0.0
        ev = vehicle(
            mode,
            battery,
            target_soc=target,
            amps=random.uniform(6.0, 32.0),
            phases=random.choice((1, 3)),
            max_discharge_amps=back,
        )
        supply = outlet(mode, amps=random.uniform(6.0, 63.0), phases=random.choice((1, 3)), back_amps=back, **premises)
        return ev, supply
    if mode is Mode.WPT:
        ev = vehicle(mode, battery, target_soc=target, max_watts=random.uniform(1_000.0, 22_000.0))
        return ev, outlet(mode, kilowatts=random.uniform(1.0, 22.0), **premises)
    ev = vehicle(mode, battery, target_soc=target)
    supply = outlet(
        mode,
        kilowatts=random.uniform(20.0, 1000.0 if mega else 350.0),
        max_volts=1250.0 if mega else 1000.0 if high else random.choice((500.0, 1000.0)),
        max_amps=random.uniform(60.0, 1500.0 if mega else 500.0),
        isolation_test_s=random.uniform(0.2, 3.0),
        back_kilowatts=random.uniform(5.0, 150.0) if both_ways else 0.0,
        **premises,
    )
    return ev, supply


class Spoken(NamedTuple):
    """What was said in a good session of a world."""

    messages: tuple[str, ...]
    """Names in their order."""
    utterances: Mapping[str, Utterance]
    """The last message of each name."""


@cache
def spoken(world: World) -> Spoken:
    """A session in which everything is wanted."""
    found: dict[str, Utterance] = {}

    def listen(pair: Pair, number: int, delivery: Delivery) -> None:
        message = pair.said[number]
        found[message.name] = Utterance(delivery.to, message.schema, delivery.payload_type, body(pair, message))

    random = Random(world.name)
    pair = course(world, random, wishes(world, random, twice=False, all_of_them=True), listen).pair.run()
    return Spoken(tuple(pair.messages), found)


__all__ = ["Course", "Spoken", "Wishes", "course", "spoken", "wishes"]
