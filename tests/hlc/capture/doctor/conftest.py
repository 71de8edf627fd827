"""Recordings of simulated sessions, as a tap on the line would have made them: what arrives, not what was meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest
from script import Writer

from hlc.sim import soak
from hlc.sim.course import Wishes, course, spoken
from hlc.sim.faults import Kind, Place, Striker
from hlc.sim.pair import Delivery, Pair
from hlc.sim.wire_faults import WIRE
from hlc.sim.world_faults import WORLD
from hlc.sim.worlds import World
from hlc.trace.events import Event, Frame, SessionEnded, Side

AFTER_S = 70.0
"""The tap goes on for longer than any side waits for the other."""


class Recorded(NamedTuple):
    """A session with a fault: the recording, the two machines, and whether the fault came up."""

    path: Path
    pair: Pair
    struck: bool


def record(path: Path, world: World, kind: Kind, place: Place, seed: int = 1) -> Recorded:
    """Play a session of `world` in which the fault strikes at `place`, and write what was on the line."""
    random = Random(f"{world.name} {seed}")

    def strike(hit: Any) -> Any:
        if kind in WIRE:
            return WIRE[kind](hit, spoken(world).utterances)
        return None, WORLD[kind](hit)

    striker = Striker(strike, place, random)
    tap = Tap(striker)
    pair = course(world, random, Wishes(), striker).pair
    pair.tamper = tap
    events = [event for event in pair.events() if not isinstance(event, Frame) or event.payload_type >= 0x9000]
    list(soak.run(pair))
    lost = pair.silent or tap.broken
    ended = [event for event in events if isinstance(event, SessionEnded)]
    # Who lost the connection did not close it; after a good session the vehicle closes.
    closing = next(
        (event for event in ended if not event.good and not event.reason.startswith("connection lost")), None
    )
    if closing is None:
        closing = next(event for event in ended if event.side is Side.EVCC)
    closed = closing.at + pair.latency_s
    events = [event for event in events if not isinstance(event, SessionEnded)]
    frames = [frame for frame in tap.frames if frame.at <= closed]
    if lost:  # nobody is heard to close
        frames = [frame for frame in tap.frames if frame.at <= tap.last]
    else:
        events.append(msgspec.structs.replace(closing, at=closed))
    everything: list[Event] = sorted([*events, *frames], key=lambda event: (event.at, isinstance(event, SessionEnded)))
    writer = Writer(path, closing.side)
    for event in everything:
        writer(event)
    writer.close()
    with path.open("ab") as file:  # something else is heard much later
        file.write(later(round((1_700_000_000.0 + pair.now + AFTER_S) * 1e6)))
    return Recorded(path, pair, striker.struck)


def later(us: int) -> bytes:
    """A pcapng block with a frame that concerns nobody."""
    frame = b"\xff" * 6 + bytes(6) + b"\x08\x06" + bytes(46)
    body = b"".join(word.to_bytes(4, "little") for word in (0, us >> 32, us & 0xFFFFFFFF, len(frame), len(frame)))
    body += frame + bytes(-len(frame) % 4)
    size = (len(body) + 12).to_bytes(4, "little")
    return (6).to_bytes(4, "little") + size + body + size


class Tap:
    """Tampers, and notes what arrives."""

    def __init__(self, striker: Striker) -> None:
        self.striker = striker
        self.frames: list[Frame] = []
        self.broken = False
        self.last = 0.0

    def __call__(self, pair: Pair, number: int, delivery: Delivery) -> list[tuple[float, Delivery]] | None:
        arriving = self.striker(pair, number, delivery)
        self.broken |= arriving == []
        if pair.silent:
            return arriving
        for delay, item in [(0.0, delivery)] if arriving is None else arriving:
            sender = Side.SECC if item.to is Side.EVCC else Side.EVCC
            at = pair.now + delay + pair.latency_s / 2
            self.frames.append(Frame(at=at, side=sender, payload_type=item.payload_type, payload=item.payload))
            self.last = max(self.last, at if delay < 1 else 0.0)
        return arriving


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., Recorded]:
    """Record a session with a fault."""

    def make(world: World, kind: Kind, name: str, nth: int = 1, seed: int = 1) -> Recorded:
        return record(tmp_path / "session.pcapng", world, kind, Place(name, nth), seed)

    return make
