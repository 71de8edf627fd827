"""Schedules of power over time: what a station offers, which one a vehicle takes, and what it makes of it.

A schedule is a list of slots one after the other from now on; after its end the last slot goes on. Every protocol says
the same in other words: ISO 15118-2 with starts, ISO 15118-20 with durations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

DAY_S: Final = 86400.0
"""So long a schedule lasts at least where no departure is known. [V2G2-304]"""
MARGIN: Final = 1.1
"""A plan provides for so much of the energy: near its end a battery takes less than the plan thinks."""
TOLERANCE: Final = 1.001
"""A profile is above its schedule from here on: both are rounded on the wire."""


class Slot(NamedTuple):
    """So long, at most so much power."""

    seconds: float
    watts: float
    price: float | None = None
    """Of a kWh, or a price level; within a list of schedules all are of one kind."""


class Schedule(NamedTuple):
    """One of those on offer, by the ID under which it is chosen."""

    id: int
    slots: tuple[Slot, ...]


class Plan(NamedTuple):
    """What a vehicle makes of a schedule."""

    schedule: Schedule
    profile: tuple[Slot, ...]
    missing_wh: float
    """What is not delivered before the departure."""
    cost: float
    """Energy by price: it has a meaning only beside other plans."""
    finished_s: float
    """When the energy is there."""


def length(slots: Iterable[Slot]) -> float:
    """Of the whole, s."""
    return sum(slot.seconds for slot in slots)


def starts(slots: Sequence[Slot]) -> list[float]:
    """When each slot begins."""
    found, start = [], 0.0
    for slot in slots:
        found.append(start)
        start += slot.seconds
    return found


def from_starts(entries: Sequence[tuple[float, float]], end: float) -> tuple[Slot, ...]:
    """Slots of entries of start and power; the first one holds from now on, the last one until `end`. An entry that
    begins no later than the one before it replaces that one."""
    kept: list[tuple[float, float]] = []
    for start, watts in entries:
        while kept and kept[-1][0] >= start:
            kept.pop()
        kept.append((start, watts))
    bounds = [0.0, *(start for start, _ in kept[1:]), max(end, kept[-1][0] if kept else 0.0)]
    return tuple(Slot(bounds[i + 1] - bounds[i], watts) for i, (_, watts) in enumerate(kept))


def at(slots: Sequence[Slot], seconds: float) -> Slot:
    """The slot that holds at this time; before the beginning the first, after the end the last."""
    for slot in slots:
        if seconds < slot.seconds:
            return slot
        seconds -= slot.seconds
    return slots[-1]


def after(slots: Sequence[Slot], seconds: float) -> tuple[Slot, ...]:
    """What is left when so much time has passed: at least something of the last slot."""
    left = list(slots)
    while len(left) > 1 and left[0].seconds <= seconds:
        seconds -= left.pop(0).seconds
    return (left[0]._replace(seconds=max(1.0, left[0].seconds - seconds)), *left[1:])


def lasting(slots: Sequence[Slot], seconds: float) -> tuple[Slot, ...]:
    """Cut or lengthened to this time."""
    found: list[Slot] = []
    left = seconds
    for slot in slots:
        if left <= 0:
            break
        found.append(slot._replace(seconds=min(slot.seconds, left)))
        left -= slot.seconds
    if left > 0:
        found[-1] = found[-1]._replace(seconds=found[-1].seconds + left)
    return tuple(found)


def priced(slots: Sequence[Slot], prices: Sequence[tuple[float, float]]) -> tuple[Slot, ...]:
    """Slots with the prices of a list of its own, as (seconds, price); the last price goes on."""
    tariff = [Slot(seconds, 0.0, price) for seconds, price in prices]
    return tuple(
        Slot(stop - start, at(slots, start).watts, at(tariff, start).price if tariff else None)
        for start, stop in pairwise(_bounds(slots, tariff, until=length(slots)))
    )


def capped(slots: Iterable[Slot], watts: float) -> tuple[Slot, ...]:
    """No slot above this power."""
    return tuple(slot._replace(watts=min(slot.watts, watts)) for slot in slots)


def lowest(*each: Sequence[Slot]) -> tuple[Slot, ...]:
    """Nowhere above any of these; without prices."""
    bounds = pairwise(_bounds(*each, until=max(length(slots) for slots in each)))
    return _joined(Slot(stop - start, min(at(slots, start).watts for slots in each)) for start, stop in bounds)


def coarsened(slots: Sequence[Slot], entries: int) -> tuple[Slot, ...]:
    """At most so many slots, nowhere above the given ones. What joins is what loses least energy; the price of a joint
    slot is the higher one."""
    found = list(slots)
    losses = [_loss(one, other) for one, other in pairwise(found)]
    while len(found) > max(1, entries):
        best = min(range(len(losses)), key=losses.__getitem__)
        one, other = found[best : best + 2]
        prices = [price for price in (one.price, other.price) if price is not None]
        joint = Slot(one.seconds + other.seconds, min(one.watts, other.watts), max(prices, default=None))
        found[best : best + 2] = [joint]
        around = range(max(0, best - 1), min(best + 1, len(found) - 1))
        losses[max(0, best - 1) : best + 2] = [_loss(found[i], found[i + 1]) for i in around]
    return tuple(found)


def _loss(one: Slot, other: Slot) -> tuple[float, bool]:
    """What is lost where two slots are joined: energy; of those that lose as much, rather one between equal prices."""
    return abs(one.watts - other.watts) * _higher(one, other).seconds, one.price != other.price


def _higher(one: Slot, other: Slot) -> Slot:
    """The slot that would lose power where both are joined: the one with more."""
    return one if one.watts > other.watts else other


# --- the station ------------------------------------------------------------------------------------------------------


def offered(
    settings: Sequence[Sequence[Slot]],
    *,
    watts: float,
    departure_s: float | None,
    elapsed_s: float = 0.0,
    entries: int | None = None,
    least_s: float = DAY_S,
) -> list[Schedule]:
    """The schedules to offer: those that the operator has set, which hold since `elapsed_s`, or else one with all the
    power the outlet has. They last until the departure, or for `least_s` where none is known."""
    span = least_s if departure_s is None or departure_s <= 0 else departure_s
    found = []
    for number, slots in enumerate([each for each in settings if each] or [(Slot(span, watts),)], start=1):
        wanted = lasting(after(slots, elapsed_s), span)
        found.append(Schedule(number, coarsened(capped(wanted, watts), entries or len(wanted))))
    return found


def misfit(profile: Sequence[Slot], schedule: Schedule) -> str | None:
    """Where a vehicle's profile leaves its schedule; None: nowhere.

    The last entry of a profile has no end: beyond the end of the schedule nothing is judged.
    """
    end, begins, now = length(schedule.slots), starts(schedule.slots), 0
    for start, slot in zip(starts(profile), profile, strict=True):
        if start > end:
            return f"the profile goes on at {start:g} s, schedule {schedule.id} ends at {end:g} s"
        stop = min(start + slot.seconds, end)
        while now + 1 < len(begins) and begins[now + 1] <= start:
            now += 1
        for begin, limit in zip(begins[now:], schedule.slots[now:], strict=True):
            moment = max(start, begin)
            if moment >= stop:
                break
            if slot.watts > limit.watts * TOLERANCE:
                return f"{slot.watts:g} W from {moment:g} s on, schedule {schedule.id} allows {limit.watts:g} W"
    return None


# --- the vehicle ------------------------------------------------------------------------------------------------------


def planned(
    schedule: Schedule, *, watts: float, energy_wh: float, departure_s: float | None = None, least_watts: float = 0.0
) -> Plan:
    """A profile within a schedule and the vehicle's own `watts`.

    Without departure, or where nothing tells the slots apart, it charges at once. With both it takes the cheapest slots
    that deliver the energy in time, whole, and pauses in the others; after the departure nothing is held back. A slot
    below `least_watts` is of no use to the vehicle.
    """
    departs = departure_s if departure_s is not None and departure_s > 0 else float("inf")
    usable = [
        slot._replace(watts=power if (power := min(slot.watts, watts)) >= least_watts else 0.0)
        for slot in _split(lasting(schedule.slots, max(length(schedule.slots), 1.0)), departs)
    ]
    begin = starts(usable)
    early = [i for i in range(len(usable)) if begin[i] < departs]
    prices = [slot.price for slot in usable]
    order = early
    if departs < float("inf") and None not in prices:
        order = sorted(early, key=lambda i: (prices[i] or 0.0, i))
    needed, spare, cost, used = energy_wh, energy_wh * (MARGIN - 1), 0.0, set[int]()
    finished = 0.0
    for i in order:
        if needed + spare <= 0:
            break
        slot = usable[i]
        got = slot.watts * slot.seconds / 3600.0
        taken = max(0.0, min(got, needed))
        if taken > 0:
            finished = max(finished, begin[i] + taken / slot.watts * 3600.0)
            cost += taken * (slot.price or 0.0)
        needed -= taken
        spare -= got - taken
        used.add(i)
    waiting = set(early) - used if order is not early else set[int]()
    profile = [slot._replace(watts=0.0) if i in waiting else slot for i, slot in enumerate(usable)]
    return Plan(schedule, _joined(profile), max(0.0, needed), cost, finished)


def chosen(
    schedules: Iterable[Schedule],
    *,
    watts: float,
    energy_wh: float,
    departure_s: float | None = None,
    least_watts: float = 0.0,
) -> Plan:
    """The plan to follow: it delivers most before the departure, then costs least, then ends first. Where a price is
    missing anywhere the price is no criterion."""
    plans = [
        planned(each, watts=watts, energy_wh=energy_wh, departure_s=departure_s, least_watts=least_watts)
        for each in schedules
    ]
    comparable = all(slot.price is not None for plan in plans for slot in plan.schedule.slots)
    return min(
        plans, key=lambda plan: (round(plan.missing_wh), plan.cost if comparable else 0.0, round(plan.finished_s))
    )


def _bounds(*schedules: Sequence[Slot], until: float) -> list[float]:
    """The moments at which any of the schedules changes, from 0 to `until`."""
    moments = {start for slots in schedules for start in starts(slots) if start < until}
    return [*sorted({0.0, *moments}), until]


def _split(slots: Sequence[Slot], moment: float) -> list[Slot]:
    """With a bound at this moment."""
    found = []
    for start, slot in zip(starts(slots), slots, strict=True):
        if start < moment < start + slot.seconds:
            found += [slot._replace(seconds=moment - start), slot._replace(seconds=start + slot.seconds - moment)]
        else:
            found.append(slot)
    return found


def _joined(slots: Iterable[Slot]) -> tuple[Slot, ...]:
    """Neighbours of equal power and price as one."""
    found: list[Slot] = []
    for slot in slots:
        if found and found[-1][1:] == slot[1:]:
            found[-1] = found[-1]._replace(seconds=found[-1].seconds + slot.seconds)
        else:
            found.append(slot)
    return tuple(found)
