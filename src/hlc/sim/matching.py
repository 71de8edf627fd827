"""Thousands of simulated matchings with faults: `python -m hlc.sim.matching --matches 10000 [--seed N]`.

Every site is made from one number: three outlets side by side, up to three vehicles, the families of their modems, what
lies between them, loss up to 20 %, and a trouble that befalls the first vehicle or its outlet. Every vehicle must come
to its own outlet or to a named reason, in the time that the standard's timers allow. What does not is printed with its
number; `--seed N --matches 1` repeats that site alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from itertools import product
from random import Random
from typing import Any, Final, NamedTuple, TextIO

from hlc.sim.site import End, Hang, Outlet, Site, Vehicle
from hlc.sim.troubles import STRIKE, Scene, Trouble
from slac.choice import Limits
from slac.effects import Failed, Kind, Linked, Reason, Remark, State, Toggle
from slac.evse import EvseSettings
from slac.run import EvSettings, Step

OUTLETS: Final = 3
FARTHEST_DB: Final = 32.0
"""Own outlets have been measured at 8 to 37 dB; the line adds noise and loses more with frequency."""
PASSING: Final = (Trouble.NONE, Trouble.LOST, Trouble.LATE, Trouble.REPEATED, Trouble.UNCONFIRMED)
"""Trouble in spite of which the own outlet is heard in some run."""
LATEST_S: Final = 300.0
"""By then everything is over: an outlet offers itself three times for 40 s, with E or F between."""
MARGIN: Final = 1.1
"""What a match may take, by the time that the timers allow."""


class Outcome(NamedTuple):
    """What became of the vehicles of one site. `problems` is empty when it is as it should be."""

    seed: int
    trouble: Trouble
    vehicles: int
    matched: int
    reasons: tuple[Reason, ...]
    """Of those that gave up, the last."""
    used: float
    """Of the time that a match may take, the largest part that was used where nothing is amiss but loss."""
    alike: int
    """Vehicles that were taken for another that toggled as often at the same moment: no program can tell them apart."""
    problems: tuple[str, ...]


def play(seed: int) -> Outcome:
    """The site of this number."""
    random = Random(seed)
    trouble = random.choice(tuple(Trouble))
    site = make(random, trouble)
    problems: list[str] = []
    loss = site.line.conditions.loss
    expected: set[Reason] = set()
    try:
        site.run(random.uniform(3.0, 15.0))  # the outlets' modems take their first key
        cars = random.sample(site.outlets, len(site.vehicles))
        for number, (car, outlet) in enumerate(zip(site.vehicles, cars, strict=True)):
            at = site.now + random.choice((0.0, 0.3, 3.0)) * random.random()
            farthest = min(FARTHEST_DB, car.machine.settings.limits.indirect_db - 1.0)
            db, tilt_db = random.uniform(8.0, farthest), random.uniform(-8.0, 8.0)
            car.outlet = outlet
            site.line.attenuation(car.modem, outlet.modem, db, tilt_db=tilt_db)
            if number == 0:
                expected = STRIKE[trouble](Scene(site, car, outlet, random, at))
            site.at(at, lambda car=car, outlet=outlet, db=db: site.plug(car, outlet, db=db))  # type: ignore[misc]
        pairs = list(zip(site.vehicles, cars, strict=True))
        if trouble is Trouble.LINK_LOST:
            site.run(60.0)
        site.run(10.0)
        site.run(LATEST_S, until=lambda: all(over(car, outlet) for car, outlet in pairs))
    except Hang as hang:
        problems.append(f"hangs: {hang}")
    except Exception as error:  # a defect: what goes wrong inside a machine ends there
        problems.append(f"{type(error).__name__}: {error}")
        return Outcome(seed, trouble, len(site.vehicles), 0, (), 0.0, 0, tuple(problems))
    mistaken = alike(site)
    for number, (car, outlet) in enumerate(pairs):
        problems += [text for end, text in judged(car, outlet) if end not in mistaken]
        if number == 0 and expected and not loss and not expected & named(car):
            problems.append(f"{car.name} names {', '.join(named(car)) or 'nothing'}, not {', '.join(expected)}")
        if trouble is Trouble.NONE and not loss and (car.failures or car.machine.state is not State.MATCHED):
            problems.append(f"{car.name} is {car.machine.state} though nothing is in its way")
    used, slow = times(site, disturbed=site.vehicles[0] if trouble is not Trouble.NONE else None)
    matched = sum(car.machine.state is State.MATCHED for car in site.vehicles)
    reasons = tuple(reason for car in site.vehicles if (reason := last_reason(car)))
    return Outcome(seed, trouble, len(site.vehicles), matched, reasons, used, len(mistaken) // 2, (*problems, *slow))


def make(random: Random, trouble: Trouble) -> Site:
    """Three outlets and up to three vehicles.

    Where a vehicle may hear its neighbour's outlet alone in every run, vehicles validate, or do without outlets at an
    attenuation that leaves room for doubt, or outlets are far from each other.
    """
    validation = random.random() < 0.5
    strict = random.random() < 0.5 and trouble not in PASSING
    limits = Limits(indirect_db=20.0) if strict and not validation else Limits()
    near_db = 15.0 if validation or strict or trouble in PASSING else limits.indirect_db
    site = Site(
        seed=random.getrandbits(32),
        loss=random.choice((0.0, random.uniform(0.0, 0.2), random.uniform(0.0, 0.2))),
        delay_s=random.uniform(0.0005, 0.01),
        jitter_s=random.uniform(0.0, 0.01),
        noise_db=random.uniform(0.0, 3.0),
    )
    for _ in range(OUTLETS):
        site.outlet(
            settings=EvseSettings(validation=validation),
            neighbour_db=random.uniform(near_db, 45.0),
            family=random.choice(("qca7000", "qca7000", "mse102x", "cg5317", "st")),
            **settling(random),
        )
    for _ in range(random.randint(1, 3)):
        family = random.choice(("qca7000", "qca7000", "qca7420", "mse102x", "cg5317", "st"))
        site.vehicle(settings=EvSettings(limits=limits, validation=validation), family=family, **settling(random))
    return site


def settling(random: Random) -> dict[str, Any]:
    """How long a modem is silent after a new key, and how long it takes to join."""
    return {
        "restart_s": random.uniform(0.1, 2.5),
        "join_s": random.uniform(0.5, 3.0),
        "set_key_result": random.choice((1, 1, 1, 0)),
    }


# What became of it


def over(car: Vehicle, outlet: Outlet) -> bool:
    """Whether nothing more is to be expected."""
    if car.machine.state is State.MATCHED:
        return outlet.machine.state is State.MATCHED
    return car.machine.state is State.FAILED and outlet.machine.state in (State.FAILED, State.MATCHED)


def judged(car: Vehicle, outlet: Outlet) -> list[tuple[End, str]]:
    """What is wrong with the end, and at which side."""
    problems: list[tuple[End, str]] = []
    for end, peer in ((car, outlet), (outlet, car)):
        for at, linked in links(end):
            if linked.peer != peer.mac:
                problems.append((end, f"{end.name} was matched with {linked.peer.hex(':')} at {at:.3f}"))
        if end.machine.state is State.FAILED:
            if not (end.failures and end.failures[-1].text):
                problems.append((end, f"{end.name} has failed and gives no reason"))
        elif end.machine.state is not State.MATCHED:
            problems.append((end, f"{end.name} hangs in {end.machine.state} ({end.machine.next_deadline()})"))
    if (car.machine.state is State.MATCHED) is not (outlet.machine.state is State.MATCHED):
        problems.append((car, f"{car.name} is {car.machine.state}, {outlet.name} is {outlet.machine.state}"))
    return problems


def links(end: End) -> list[tuple[float, Linked]]:
    """Its links, and when they came up."""
    return [
        (happened.at, happened.effect)
        for happened in end.site.story
        if happened.who == end.name and isinstance(happened.effect, Linked)
    ]


def validated(car: Vehicle, linked_at: float) -> bool:
    """Whether it chose the outlet of that link because toggles were seen there."""
    decisions = [
        happened.effect.text
        for happened in car.site.story
        if happened.who == car.name
        and happened.at <= linked_at
        and isinstance(happened.effect, Remark)
        and happened.effect.kind is Kind.DECISION
    ]
    return bool(decisions) and "toggles" in decisions[-1]


def alike(site: Site) -> set[End]:
    """Vehicles that came to a wrong outlet because the one that is plugged in there toggled as often as they did, at
    the same moment; and those outlets."""
    toggled = {
        car: [(each.at, each.effect) for each in site.story if each.who == car.name and isinstance(each.effect, Toggle)]
        for car in site.vehicles
    }
    mistaken: set[End] = set()
    for car in site.vehicles:
        for at, linked in links(car):
            outlet = next(each for each in site.outlets if each.mac == linked.peer)
            if outlet.vehicle in (None, car) or not validated(car, at):
                continue
            pairs = product(toggled[car], toggled[outlet.vehicle])
            if any(a == b and abs(a_at - b_at) < a.half_period_s for (a_at, a), (b_at, b) in pairs):
                mistaken |= {car, outlet}
    return mistaken


def last_reason(car: Vehicle) -> Reason | None:
    """Why it has given up, if it has."""
    return car.failures[-1].reason if car.machine.state is State.FAILED and car.failures else None


def named(car: Vehicle) -> set[Reason]:
    """All reasons that it has given, for what failed and for what it tried again."""
    tried = {
        happened.effect.data["reason"]
        for happened in car.site.story
        if happened.who == car.name and isinstance(happened.effect, Remark) and happened.effect.kind is Kind.RETRY
    }
    return tried | {failed.reason for failed in car.failures}


def allowed_s(site: Site, car: Vehicle, validations: int) -> float:
    """What the timers allow from the first request of a run to D-LINK_READY, and what the modems need."""
    timing = car.machine.timing
    tries = 1 + timing.C_EV_match_retry
    join_s = max(each.modem.family.join_s for each in (car, *site.outlets))
    return (
        tries * timing.TT_match_response  # CM_SLAC_PARM
        + 0.1  # TP_match_sequence
        + timing.TT_EV_atten_results
        + 0.5  # TP_EV_match_session
        + validations * tries * (2 * timing.TT_match_response + 3.5)  # TT_EVSE_vald_toggle
        + tries * timing.TT_match_response  # CM_SLAC_MATCH
        + car.modem.family.restart_s
        + join_s
        + 1.0  # TP_link_ready_notification
    )


def times(site: Site, *, disturbed: Vehicle | None) -> tuple[float, list[str]]:
    """Of the time that is allowed, the largest part that an undisturbed match used; and what was too slow."""
    used, slow = 0.0, []
    for car in site.vehicles:
        began: float | None = None
        validations = 0
        for happened in site.story:
            if happened.who != car.name:
                continue
            match happened.effect:
                case Remark(Kind.STEP, Step.REQUEST):
                    began, validations = happened.at, 0
                case Remark(Kind.STEP, Step.VALIDATE_READY):
                    validations += 1
                case Failed():
                    began = None
                case Linked() if began is not None:
                    took, limit = happened.at - began, allowed_s(site, car, validations)
                    if car is disturbed:
                        limit += car.machine.timing.TT_match_join
                    else:
                        used = max(used, took / limit)
                    if took > MARGIN * limit:
                        slow.append(f"{car.name} took {took:.2f} s for its match, {limit:.2f} s are allowed")
                    began = None
    return used, slow


def soak(matches: int, seed: int, progress: TextIO | None = None) -> list[Outcome]:
    """Play sites from `seed` on until there were so many vehicles; the outcomes of all."""
    outcomes: list[Outcome] = []
    done = 0
    while done < matches:
        outcomes.append(play(seed + len(outcomes)))
        done += outcomes[-1].vehicles
        if progress is not None and len(outcomes) % 20 == 0:
            bad = sum(1 for outcome in outcomes if outcome.problems)
            progress.write(f"\r{done} of {matches} matches, {bad} sites not as they should")
            progress.flush()
    if progress is not None:
        progress.write("\r\033[K")
    return outcomes


def report(outcomes: list[Outcome]) -> str:
    """A table of troubles and one of reasons, and every site that is not as it should be."""
    lines = ["trouble: sites, vehicles, matched"]
    for trouble in Trouble:
        of = [outcome for outcome in outcomes if outcome.trouble is trouble]
        vehicles, matched = sum(each.vehicles for each in of), sum(each.matched for each in of)
        lines.append(f"{len(of):6} {vehicles:6} {matched:6} {trouble.value}")
    reasons = Counter(reason for outcome in outcomes for reason in outcome.reasons)
    lines.append("not matched, because")
    lines += [f"{number:20} {reason.value}" for reason, number in reasons.most_common()]
    used = max((outcome.used for outcome in outcomes), default=0.0)
    lines.append(f"the slowest match without trouble took {used:.0%} of the time that is allowed")
    mistaken = sum(outcome.alike for outcome in outcomes)
    lines.append(f"{mistaken} vehicles were taken for a neighbour that toggled as often at the same moment")
    for outcome in outcomes:
        lines += [f"seed {outcome.seed}: {outcome.trouble.value}: {problem}" for problem in outcome.problems]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Play and report; 0 when every site is as it should be."""
    parser = argparse.ArgumentParser(prog="matching", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--matches", type=int, default=10_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="number of the first site")
    options = parser.parse_args(arguments)
    sys.stdout.write(f"{options.matches} matches from seed {options.seed} on\n")
    outcomes = soak(options.matches, options.seed, sys.stderr if sys.stderr.isatty() else None)
    bad = [outcome for outcome in outcomes if outcome.problems]
    sys.stdout.write(report(outcomes) + "\n")
    sys.stdout.write(f"{len(outcomes) - len(bad)} sites are as they should be, {len(bad)} are not\n")
    return 1 if bad else 0


__all__ = ["Outcome", "Trouble", "main", "play", "soak"]

if __name__ == "__main__":
    sys.exit(main())
