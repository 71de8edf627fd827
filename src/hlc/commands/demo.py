"""`hlc demo`: a whole charge in this process, car and station simulated, in virtual time shown at a pace to watch."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from hlc.commands import options as shared
from hlc.ids import VehicleState
from hlc.runtime.errors import SetupError
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.pair import Pair
from hlc.trace.console import Console, Paint, colours_wanted
from hlc.trace.events import Event, Side, StateEntered, Trace, ignore
from hlc.trace.summary import Summary, clock

EXAMPLES: Final = """\
examples:
  hlc demo                              watch it; it takes about 15 s
  hlc demo --speed 1                    in real time
  hlc demo --speed 0 --write s.pcapng   as fast as possible, with a capture to look at: hlc decode s.pcapng
  hlc demo --speed 0 | less             as plain lines

Ctrl-C stops the charge as a driver would; a second Ctrl-C leaves."""

TALK_SPEED: Final = 2.0
"""Without --speed: how much faster than life the talk before and after the charge is shown."""
CHARGE_SPEED: Final = 110.0
"""Without --speed: how much faster than life the charge loop is shown."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hlc demo`."""
    parser.epilog = EXAMPLES
    parser.add_argument("--protocol", metavar="NAME", default="din70121", help=f"of {', '.join(shared.PROTOCOLS)}")
    parser.add_argument("--mode", metavar="MODE", default="dc", help=f"of {', '.join(shared.MODES)}")
    parser.add_argument("--auth", metavar="WORD", default="eim", help="eim or pnc")
    parser.add_argument("--no-tls", action="store_true", help="plain TCP (DIN 70121 knows nothing else)")
    parser.add_argument(
        "--speed",
        metavar="N",
        type=shared.number(0, 1e6, "a factor from 0 to 1000000"),
        help="times faster than life; 0: as fast as possible (default: a charge takes about 15 s)",
    )
    parser.add_argument("--write", metavar="FILE.pcapng", type=Path, help="write what was on the wire")


def run(options: Any) -> int:
    """Show a charge; the exit code."""
    shared.check_choices(options)
    battery = Battery(soc=25.0, capacity_wh=50_000.0, max_amps=280.0, max_watts=105_000.0)
    ev = SimulatedVehicle(battery, target_soc=90.0)
    outlet = SimulatedOutlet(kilowatts=150.0, max_volts=500.0, max_amps=400.0)
    pair = Pair(ev, outlet, protocol=options.protocol)
    stream = sys.stdout
    console = Console(stream, clock=time.monotonic)
    paint = Paint(colours_wanted(stream))
    unicode = "utf" in (stream.encoding or "").lower()
    summary = Summary()
    began = time.monotonic()
    console.text(paint("bold", "A car charges at a station: DIN SPEC 70121, DC, plain TCP. Both are simulated."))
    console.text(f"{battery.capacity_wh / 1000:g} kWh battery from {battery.soc:g} % to {ev.target_soc():g} %")
    console.text()
    with writing(options.write) as write, stopping(pair) as stop_if_asked:
        for event in paced(pair.events(), options.speed):
            for consumer in (write, summary, console):
                consumer(event)
            stop_if_asked()
    console.finish()
    for line in summary.lines(paint, unicode=unicode):
        console.text(line)
    shown = clock(time.monotonic() - began)
    console.text()
    console.text(f"  Shown in {shown}; the charge takes {clock(summary.ended)} in life.")
    if options.write is not None:
        console.text(f"  Written to {options.write}: hlc decode {options.write}, or Wireshark, reads it.")
    stream.flush()
    return 0 if summary.good else 1


def paced(events: Iterator[Event], speed: float | None) -> Iterator[Event]:
    """The events, each when its time has come.

    `speed` is how many times faster than life that is; 0 is without waiting, None as is good to watch.
    """
    rate = TALK_SPEED if speed is None else speed
    real, virtual = time.monotonic(), 0.0
    for event in events:
        if rate:
            if event.at - virtual > 0.0:
                real = max(real + (event.at - virtual) / rate, time.monotonic() - LATE_S)
                virtual = event.at
                ahead = real - time.monotonic()
                if ahead > SHORTEST_SLEEP_S:
                    time.sleep(ahead)
            if speed is None and isinstance(event, StateEntered) and event.side is Side.EVCC:
                rate = CHARGE_SPEED if event.state is VehicleState.CURRENT_DEMAND else TALK_SPEED
        yield event


SHORTEST_SLEEP_S: Final = 0.005
LATE_S: Final = 0.5
"""A slow machine is not chased: what it is late by more than this is forgotten."""


@contextmanager
def stopping(pair: Pair) -> Iterator[Callable[[], None]]:
    """While this lasts Ctrl-C asks the vehicle to stop, and a second one raises `KeyboardInterrupt`.

    What is given is to be called between events.
    """
    asked = 0

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise KeyboardInterrupt

    def stop_if_asked() -> None:
        if asked and not pair.vehicle.stopping:
            pair.stop(Side.EVCC, "stopped by the driver")

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield stop_if_asked
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def writing(path: Path | None) -> Iterator[Trace]:
    """A trace that writes a capture; without a path one that does nothing."""
    if path is None:
        yield ignore
        return
    from hlc.capture.writer import PcapngWriter

    try:
        writer = PcapngWriter(path)
    except OSError as error:
        raise SetupError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        yield writer
    finally:
        writer.close()
