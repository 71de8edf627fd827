"""Thousands of simulated sessions with a fault at every message: `python -m hlc.sim.soak --sessions 10000 [--seed N]`.

So many in every protocol, in its modes by turns. Every session is made from its world and one number: batteries,
outlets, latencies, what the two sides want beside the charge, the kind of fault and the message that it strikes. Each
must come to an end, end on either side as its fault demands, and hold the invariants all the time. What does not is
printed with the options that repeat that session alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any, Final, NamedTuple, TextIO

from hlc.rules.iso15118_20.services import Control
from hlc.sim.course import course, spoken, wishes
from hlc.sim.faults import Expected, Hit, Kind, Place, Striker, kinds
from hlc.sim.pair import Hang, Pair
from hlc.sim.wire_faults import WIRE
from hlc.sim.world_faults import WORLD
from hlc.sim.worlds import SERVED, WORLDS, World
from hlc.trace.events import Blame, Side

LATEST_S: Final = 700.0
"""Every session is over by then: the longest that one of these may wait is 600 s for a vehicle to be parked."""


class Outcome(NamedTuple):
    """What became of one session. `problems` is empty when it ended as it should."""

    world: World
    seed: int
    kind: Kind
    struck: str | None
    """Name of the message; None: it did not come up."""
    problems: tuple[str, ...]
    story: str


def play(world: World, seed: int, fault: Kind | None = None) -> Outcome:
    """The session of this number; with this fault, where one is given."""
    random = Random(f"{world.name} {seed}")
    drawn, place = random.choice(kinds(world.mode)), _place(world, random)
    kind = fault or drawn
    striker = Striker(lambda hit: _strike(kind, world, hit), place, random)
    # What a fault of the world leads to depends on how often energy begins to flow.
    wanted = wishes(world, random, twice=kind in WIRE or kind is Kind.NOTHING)
    played = course(world, random, wanted, striker)
    pair = played.pair
    problems = list(run(pair))
    problems += pair.invariants.violations
    problems += unexpected(pair, striker.expected)
    local = [fault.text for fault in played.faults if fault.blame is Blame.LOCAL]
    if local and kind not in (Kind.BROKEN_OUTLET, Kind.BROKEN_VEHICLE):
        problems += [f"fault of our own: {text}" for text in local]
    if pair.now > LATEST_S:
        problems.append(f"took {pair.now:.0f} s")
    story = f"{place.nth} | {pair.station.reason} | {pair.vehicle.reason} | {pair}"
    return Outcome(world, seed, kind, place.name if striker.struck else None, tuple(problems), story)


def _place(world: World, random: Random) -> Place:
    """Every kind of message is struck as often as any other; of those that are repeated most often the first ones."""
    names = Counter(spoken(world).messages)
    name = random.choice(list(names))
    return Place(name, random.choice((1, 1, 2, 3, random.randint(1, names[name]))))


def _strike(kind: Kind, world: World, hit: Hit) -> Any:
    if kind in WIRE:
        return WIRE[kind](hit, spoken(world).utterances)
    return None, WORLD[kind](hit)


def run(pair: Pair) -> Iterable[str]:
    """Play the session; what went wrong with that."""
    try:
        pair.run()
    except Hang as hang:
        yield f"hangs: {hang}"
    except Exception as error:  # a defect: what goes wrong inside a machine ends there
        yield f"{type(error).__name__}: {error}"


def unexpected(pair: Pair, expected: Expected) -> list[str]:
    """How the sides ended otherwise than expected."""
    found = []
    for side, good in zip((Side.SECC, Side.EVCC), expected, strict=True):
        machine = pair.machines[side]
        if not machine.finished:
            found.append(f"{side} has not finished")
        elif good is not None and machine.good is not good:
            found.append(f"{side} ended {'well' if machine.good else 'badly'}: {machine.reason}")
        if not machine.reason:
            found.append(f"{side} gives no reason")
    return found


def soak(worlds: Sequence[World], sessions: int, seed: int, progress: TextIO | None = None) -> list[Outcome]:
    """Play the sessions from `seed` on, in these worlds by turns; the outcomes of all."""
    outcomes = []
    for number in range(seed, seed + sessions):
        outcomes.append(play(worlds[number % len(worlds)], number))
        if progress is not None and len(outcomes) % 50 == 0:
            bad = sum(1 for outcome in outcomes if outcome.problems)
            progress.write(f"\r{len(outcomes)} of {sessions} sessions, {bad} not as they should")
            progress.flush()
    if progress is not None:
        progress.write("\r\033[K")
    return outcomes


def report(outcomes: list[Outcome]) -> str:
    """A table of kinds, and every session that did not end as it should."""
    struck = Counter(outcome.kind for outcome in outcomes if outcome.struck is not None)
    lines = []
    for kind in struck:
        messages = {outcome.struck for outcome in outcomes if outcome.kind is kind} - {None}
        lines.append(f"{struck[kind]:6} {kind.value}, at {len(messages)} kinds of message")
    for outcome in outcomes:
        for problem in outcome.problems:
            what = f"{outcome.kind.value} at {outcome.struck}: {problem} ({outcome.story})"
            lines.append(f"{options_of(outcome.world)} --seed {outcome.seed} --sessions 1: {what}")
    return "\n".join(lines)


def options_of(world: World) -> str:
    """What to say to play in this world alone."""
    control = "" if world.control is None else f" --control {world.control.name.lower()}"
    return f"--protocol {world.protocol} --mode {world.mode.value}{control}"


def main(arguments: list[str] | None = None) -> int:
    """Play and report; 0 when every session ended as it should."""
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--sessions", type=int, default=10_000, metavar="N", help="so many in each protocol")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="number of the first session")
    parser.add_argument("--protocol", choices=SERVED, help="this one alone")
    parser.add_argument("--mode", choices=sorted({world.mode.value for world in WORLDS}), help="this one alone")
    parser.add_argument("--control", choices=[control.name.lower() for control in Control], help="this one alone")
    options = parser.parse_args(arguments)
    bad = 0
    for protocol in SERVED:
        worlds = [world for world in WORLDS if world.protocol == protocol and _wanted(world, options)]
        if worlds:
            bad += _soak(protocol, worlds, options)
    return 1 if bad else 0


def _wanted(world: World, options: argparse.Namespace) -> bool:
    control = None if world.control is None else world.control.name.lower()
    return (
        options.protocol in (None, world.protocol)
        and options.mode in (None, world.mode.value)
        and options.control in (None, control)
    )


def _soak(protocol: str, worlds: Sequence[World], options: argparse.Namespace) -> int:
    modes = ", ".join(dict.fromkeys(world.mode.value for world in worlds))
    sys.stdout.write(f"{protocol} ({modes}): {options.sessions} sessions from seed {options.seed} on\n")
    outcomes = soak(worlds, options.sessions, options.seed, sys.stderr if sys.stderr.isatty() else None)
    bad = sum(1 for outcome in outcomes if outcome.problems)
    sys.stdout.write(f"{report(outcomes)}\n{len(outcomes) - bad} ended as they should, {bad} did not\n")
    sys.stdout.flush()
    return bad


__all__ = ["Outcome", "main", "play", "soak"]

if __name__ == "__main__":
    sys.exit(main())
