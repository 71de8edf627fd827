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
from typing import TYPE_CHECKING, Any, Final

import msgspec

from hlc.commands import options as shared
from hlc.commands.charge import Charge, charge
from hlc.ids import VehicleState
from hlc.runtime.errors import SetupError
from hlc.sim.arrival import Arrival
from hlc.sim.pair import Pair
from hlc.trace.console import Console, Paint, colours_wanted
from hlc.trace.events import Event, Side, StateEntered, Trace
from hlc.trace.summary import Summary, clock

if TYPE_CHECKING:
    from hlc.capture.writer import PcapngWriter

EXAMPLES: Final = """\
examples:
  hlc demo                              watch it; it takes about 15 s
  hlc demo --protocol iso15118-2 --mode ac
  hlc demo --protocol iso15118-20 --mode wpt --control dynamic
  hlc demo --speed 1                    in real time
  hlc demo --speed 0 --write s.pcapng   as fast as possible, with a capture to look at: hlc decode s.pcapng
  hlc demo --speed 0 | less             as plain lines

Ctrl-C stops the charge as a driver would; a second Ctrl-C leaves."""

TALK_SPEED: Final = 2.0
"""Without --speed: how much faster than life the talk before and after the charge is shown."""
CHARGE_SPEED: Final = 80.0
"""Without --speed: how much faster than life the charge loop is shown."""
CHARGE_STATES: Final = (VehicleState.CURRENT_DEMAND, VehicleState.CHARGING_STATUS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hlc demo`."""
    parser.epilog = EXAMPLES
    parser.add_argument("--protocol", metavar="NAME", default="din70121", help=shared.taking("protocol"))
    parser.add_argument("--mode", metavar="MODE", default="dc", help=shared.taking("mode"))
    parser.add_argument("--control", metavar="WORD", help=f"in ISO 15118-20, {shared.taking('control')}")
    parser.add_argument("--auth", metavar="WORD", default="eim", help=shared.taking("auth"))
    parser.add_argument("--no-tls", action="store_true", help="plain TCP, without TLS (DIN 70121 knows nothing else)")
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
    arrival = Arrival()
    shown = charge(options.protocol, options.mode, options.control, tls=not options.no_tls)
    pair = shown.pair
    stream = sys.stdout
    paint = Paint(colours_wanted(stream))
    console = Console(stream, clock=time.monotonic)
    summary = Summary()
    consumers: list[Trace] = [summary, console]
    if options.write is not None:
        writer = opened(options.write)
        consumers.insert(0, writer)
    began = time.monotonic()
    battery, target = pair.ev.battery, pair.ev.target_soc()
    console.text(paint("bold", f"A car charges at a station: {shown.title}. Both are simulated."))
    console.text(f"{battery.capacity_wh / 1000:g} kWh battery from {battery.soc:g} % to {target:g} %")
    console.text()
    try:
        with stopping(pair) as stop_if_asked:
            for event in paced(whole(arrival, shown), options.speed):
                for consumer in consumers:
                    consumer(event)
                stop_if_asked()
    finally:
        if options.write is not None:
            writer.close()
    console.finish()
    for line in summary.lines(paint, unicode="utf" in (stream.encoding or "").lower()):
        console.text(line)
    console.text()
    console.text(f"  Shown in {clock(time.monotonic() - began)}; in life it takes {clock(summary.ended)}.")
    if options.write is not None:
        if writer.error is not None:
            stream.flush()
            raise SetupError(f"{options.write} is not complete: {writer.error.strerror or writer.error}")
        console.text(f"  Written to {options.write}: hlc decode {options.write}, or Wireshark, reads it.")
    stream.flush()
    return 0 if summary.good else 1


def whole(arrival: Arrival, shown: Charge) -> Iterator[Event]:
    """From the plug, or where there is none from discovery, to the end of the session."""
    pair = shown.pair
    if not shown.wireless:
        yield from arrival.events()
        if not arrival.matched:
            return
        pair.now = arrival.now
        pair.vehicle.settings = msgspec.structs.replace(pair.vehicle.settings, EVCCID=arrival.vehicle.mac)
    yield from pair.events()


def opened(path: Path) -> PcapngWriter:
    """A capture to write. Raises `SetupError`."""
    from hlc.capture.writer import PcapngWriter

    try:
        return PcapngWriter(path)
    except OSError as error:
        raise SetupError(f"cannot write {path}: {error.strerror or error}") from error


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
                rate = CHARGE_SPEED if event.state in CHARGE_STATES else TALK_SPEED
        yield event


SHORTEST_SLEEP_S: Final = 0.005
LATE_S: Final = 0.5
"""A slow machine is not chased: what it is late by more than this is forgotten."""


@contextmanager
def stopping(pair: Pair) -> Iterator[Callable[[], None]]:
    """While this lasts Ctrl-C asks the vehicle to stop as soon as it has a session; a second one raises
    `KeyboardInterrupt`.

    What is given is to be called between events.
    """
    asked = 0

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise KeyboardInterrupt

    def stop_if_asked() -> None:
        if asked and pair.vehicle.state is not None and not pair.vehicle.stopping:
            pair.stop(Side.EVCC, "stopped by the driver")

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield stop_if_asked
    finally:
        signal.signal(signal.SIGINT, before)
