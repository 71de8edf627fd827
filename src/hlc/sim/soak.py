"""Thousands of simulated sessions with a fault at every message: `python -m hlc.sim.soak --sessions 10000 [--seed N]`.

Every session is made from one number: worlds, batteries, outlets, latencies, the kind of fault and the message that it
strikes. Each must come to an end, end on either side as its fault demands, and hold the invariants all the time. What
does not is printed with its number; `--seed N --sessions 1` repeats that session alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from random import Random
from typing import Any, Final, NamedTuple, TextIO

from hlc.sim.battery import Battery
from hlc.sim.faults import Expected, Kind, Striker
from hlc.sim.outlet import SimulatedOutlet
from hlc.sim.pair import Hang, Pair
from hlc.sim.vehicle import SimulatedVehicle
from hlc.trace.events import Blame, Event, Fault, Side

KINDS: Final = tuple(Kind)
MESSAGES: Final = 110
"""Faults strike up to this message; sessions are of 60 to 150."""
LATEST_S: Final = 400.0
"""Every session is over by then: the longest that one of these may wait is 150 s to be ready, 60 s for a request."""


class Outcome(NamedTuple):
    """What became of one session. `problems` is empty when it ended as it should."""

    seed: int
    kind: Kind
    struck: str | None
    problems: tuple[str, ...]
    story: str


def play(seed: int) -> Outcome:
    """The session of this number."""
    random = Random(seed)
    striker = Striker(random.choice(KINDS), random.randrange(MESSAGES), random)
    pair, faults = make(random, striker)
    problems: list[str] = []
    try:
        pair.run()
    except Hang as hang:
        problems.append(f"hangs: {hang}")
    except Exception as error:  # a defect: what goes wrong inside a machine ends there
        problems.append(f"{type(error).__name__}: {error}")
    problems += pair.invariants.violations
    problems += unexpected(pair, striker.expected)
    local = [fault.text for fault in faults if fault.blame is Blame.LOCAL]
    if local and striker.kind not in (Kind.BROKEN_OUTLET, Kind.BROKEN_VEHICLE):
        problems += [f"fault of our own: {text}" for text in local]
    if pair.now > LATEST_S:
        problems.append(f"took {pair.now:.0f} s")
    story = f"{pair.station.reason} | {pair.vehicle.reason} | {pair}"
    return Outcome(seed, striker.kind, striker.struck, tuple(problems), story)


def make(random: Random, striker: Striker) -> tuple[Pair, list[Fault]]:
    """A random world, and the list that its faults will be in."""
    high = random.random() < 0.4
    soc = random.uniform(3.0, 95.0)
    capacity = random.uniform(15_000.0, 100_000.0)
    battery = Battery(
        soc=soc,
        capacity_wh=capacity,
        cells=random.randrange(170, 199) if high else random.randrange(84, 109),
        max_amps=random.uniform(20.0, 500.0),
        max_watts=random.uniform(20_000.0, 350_000.0),
        resistance=random.uniform(0.02, 0.2),
    )
    # A charge of a few watt-hours: the loop is where most time would go.
    ev = SimulatedVehicle(battery, target_soc=soc + random.uniform(0.1, 8.0) * 100.0 / capacity)
    outlet = SimulatedOutlet(
        kilowatts=random.uniform(20.0, 350.0),
        max_volts=1000.0 if high else random.choice((500.0, 1000.0)),
        max_amps=random.uniform(60.0, 500.0),
        authorization_s=random.uniform(0.0, 2.0),
        preparation_s=random.uniform(0.0, 1.0),
        isolation_test_s=random.uniform(0.2, 3.0),
    )
    faults: list[Fault] = []

    def trace(event: Event) -> None:
        if isinstance(event, Fault):
            faults.append(event)

    pair = Pair(
        ev, outlet, trace=trace, tamper=striker, latency_s=random.uniform(0.0005, 0.02), seed=random.getrandbits(32)
    )
    return pair, faults


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


def soak(sessions: int, seed: int, progress: TextIO | None = None) -> list[Outcome]:
    """Play the sessions from `seed` on; the outcomes of all."""
    outcomes = []
    for number in range(seed, seed + sessions):
        outcomes.append(play(number))
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
    messages: dict[Kind, set[Any]] = {kind: set() for kind in KINDS}
    for outcome in outcomes:
        messages[outcome.kind].add(outcome.struck)
    lines = [f"{struck[kind]:6} {kind.value}, at {len(messages[kind] - {None})} kinds of message" for kind in KINDS]
    for outcome in outcomes:
        for problem in outcome.problems:
            lines.append(f"seed {outcome.seed}: {outcome.kind.value} at {outcome.struck}: {problem} ({outcome.story})")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Play and report; 0 when every session ended as it should."""
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--sessions", type=int, default=10_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="number of the first session")
    options = parser.parse_args(arguments)
    sys.stdout.write(f"{options.sessions} sessions from seed {options.seed} on\n")
    outcomes = soak(options.sessions, options.seed, sys.stderr if sys.stderr.isatty() else None)
    bad = [outcome for outcome in outcomes if outcome.problems]
    sys.stdout.write(report(outcomes) + "\n")
    sys.stdout.write(f"{len(outcomes) - len(bad)} ended as they should, {len(bad)} did not\n")
    return 1 if bad else 0


__all__ = ["Outcome", "main", "play", "soak"]

if __name__ == "__main__":
    sys.exit(main())
