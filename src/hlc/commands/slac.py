"""`hlc slac`: matching alone, as a vehicle or as an outlet."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from hlc.commands.output import Output, output, say
from hlc.runtime.matching import ASSUMED, Matching, Outcome, opened
from hlc.runtime.signals import interrupts
from hlc.trace.events import Trace
from slac.effects import Failed, Linked, Reason, Unlinked
from slac.ev import Ev
from slac.link import Link

EXAMPLES: Final = """\
examples:
  sudo hlc slac ev eth1             be a vehicle: which outlet is it plugged into, and does the link come up?
  sudo hlc slac evse eth1           be an outlet: wait for a vehicle, give it the key, see whether it joins
  sudo hlc slac evse eth1 --stay    go on watching the link until Ctrl-C, then leave the network
  sudo hlc slac ev eth1 --json      what happened, for a program

It ends with the first link, which stays up: programs with --no-slac can use it; or with the diagnosis, and exit code 1.
An outlet waits for its vehicle until Ctrl-C, and says so every 40 s: there is time to plug in.
Without an outlet and a vehicle of your own: hlc powerline --help shows how to simulate the line.

It needs CAP_NET_RAW: run it as root, or give that to the Python that runs it. No control pilot is read or driven:
state B with 5 % is assumed for as long as it runs."""

MAKE: Final[Mapping[str, Callable[[Link, Trace, Callable[[Outcome], None]], Matching]]] = {
    "ev": Matching.of_vehicle,
    "evse": Matching.of_outlet,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hlc slac`."""
    parser.epilog = EXAMPLES
    parser.add_argument("role", metavar="ev|evse", choices=list(MAKE), help="be a vehicle, or an outlet")
    parser.add_argument("interface", metavar="INTERFACE", help="where the modem is: eth1")
    parser.add_argument(
        "--stay", action="store_true", help="watch the link until Ctrl-C, and match again when it is lost"
    )
    parser.add_argument("--json", action="store_true", help="trace events on standard output, a JSON object per line")


def run(options: Any) -> int:
    """Match; the exit code."""
    with opened(options.interface) as link:
        return asyncio.run(_match(options, link))


async def _match(options: Any, link: Link) -> int:
    with output(json=options.json) as out:
        say("slac", ASSUMED)
        outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        with MAKE[options.role](link, out.trace, outcomes.put_nowait) as matching:
            task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]

            def end() -> None:
                task.cancel()

            with interrupts(end, lambda: None):  # leaving takes a second at most
                return await _until_known(matching, outcomes, out, stay=options.stay)


async def _until_known(matching: Matching, outcomes: asyncio.Queue[Outcome], out: Output, *, stay: bool) -> int:
    """Run until there is a result, or with `stay` until Ctrl-C; the exit code."""
    linked = False
    matching.start()
    try:
        while True:
            outcome = await matching.unless_broken(outcomes.get())
            if isinstance(outcome, Unlinked):
                continue
            if isinstance(outcome, Failed) and outcome.reason is Reason.NO_EV:  # the log has said it
                matching.again()
                continue
            linked = isinstance(outcome, Linked)
            out.result(described(matching, outcome))
            if not stay:
                return 0 if linked else 1
            if not linked:
                matching.again()
    except asyncio.CancelledError:
        if stay:
            await matching.leave()
        elif not linked:
            say("slac", "stopped before there was a link")
        return 0 if linked else 1


def described(matching: Matching, outcome: Outcome) -> Sequence[str]:
    """What matching came to."""
    lines = []
    if isinstance(outcome, Linked):
        decibels = "" if outcome.attenuation_db is None else f" at {outcome.attenuation_db:.1f} dB"
        lines += [f"matched with {outcome.peer.hex(':')}{decibels}", f"  NID     {outcome.nid.hex().upper()}"]
        lines += [f"  run id  {outcome.run_id.hex().upper()}"]
    elif not isinstance(outcome, Unlinked):
        lines += [f"not matched: {outcome.reason}", f"  {outcome.text}"]
    if isinstance(matching.machine, Ev):
        for each in sorted(matching.machine.candidates.values(), key=lambda each: each.average):
            near = (
                f"{each.average:5.1f} dB in {len(each.groups)} groups, {each.sounds} sounds"
                if each.groups
                else "no attenuation"
            )
            lines.append(f"  heard   {each.mac.hex(':')}  {near}  {each.verdict}".rstrip())
    return lines
