"""How many HomePlug frames a second the raw Ethernet link takes without loss, while the program does other things.

Two interfaces that are joined, in a network namespace of our own; a process sends numbered frames on one, an asyncio
loop hears them on the other. Needs root.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from slac.link import Link

REQUIRED = 1000.0
"""Frames a second that must come without loss."""
BUSY_S = 0.2
"""The program does something else for so long, after every half second."""
LAST = 1 << 31
"""Marks the number in the last frame."""


class Result(NamedTuple):
    asked: float
    """Frames a second; 0: as fast as one process can send."""
    sent: int
    heard: int
    in_order: bool
    seconds: float
    cpu_s: float


@contextmanager
def wire() -> Iterator[None]:
    """A network namespace with the interfaces left and right."""
    from pyroute2 import NetNS, netns

    name = f"openhlc-bench-{os.getpid()}"
    netns.create(name)
    try:
        with NetNS(name) as space:
            space.link("add", ifname="left", kind="veth", peer={"ifname": "right"})
            for end in ("left", "right"):
                space.link("set", index=space.link_lookup(ifname=end)[0], state="up")
            netns.pushns(name)
            try:
                yield
            finally:
                netns.popns()
    finally:
        netns.remove(name)


def speak(rate: float, seconds: float) -> None:
    """Send numbered frames at this rate; the last has the number of them all."""
    with Link("left") as left:
        head = b"\xff" * 6 + left.mac + b"\x88\xe1"
        began, n = time.monotonic(), 0
        while (now := time.monotonic() - began) < seconds:
            if rate and n >= now * rate:
                time.sleep(0.0005)
                continue
            left.send(head + n.to_bytes(4, "big") + bytes(42))
            n += 1
        time.sleep(0.3)
        left.send(head + (n | LAST).to_bytes(4, "big") + bytes(42))


def measure(rate: float, seconds: float) -> Result:
    """Let the other process speak, and count what arrives."""
    cpu, began = time.process_time(), time.monotonic()
    with Link("right") as right:
        speaker = subprocess.Popen([sys.executable, __file__, "--speak", str(rate), str(seconds)])
        numbers, sent = asyncio.run(hear(right, speaker))
        return Result(
            rate,
            sent,
            len(numbers),
            numbers == sorted(numbers),
            time.monotonic() - began,
            time.process_time() - cpu,
        )


async def hear(right: Link, speaker: subprocess.Popen[bytes]) -> tuple[list[int], int]:
    """The numbers that arrive, and how many were sent."""
    numbers: list[int] = []
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def receive(octets: bytes) -> None:
        number = int.from_bytes(octets[14:18], "big")
        if number & LAST:
            done.set_result(number & ~LAST)
        else:
            numbers.append(number)

    right.listen(receive, done.set_exception)
    while not done.done() and speaker.poll() is None:
        await asyncio.sleep(0.5)
        time.sleep(BUSY_S)  # noqa: ASYNC251 - the point: nobody reads now
    async with asyncio.timeout(1):
        return numbers, await done


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--speak", nargs=2, type=float, metavar=("RATE", "SECONDS"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.speak:
        speak(*options.speak)
        return 0
    if os.geteuid() != 0:
        print("link rate: not measured, it needs root")
        return 0
    print(
        f"link: HomePlug frames over a veth pair for {options.seconds:g} s, "
        f"the reader away {BUSY_S:g} s of every {0.5 + BUSY_S:g} s"
    )
    print(f"{'frames/s':>10} {'sent':>8} {'heard':>8} {'lost':>6} {'order':>6} {'CPU':>6}")
    ok = True
    with wire():
        for rate in (REQUIRED, 5 * REQUIRED, 0.0):
            result = measure(rate, options.seconds)
            if rate == REQUIRED:
                ok = result.heard == result.sent > 0 and result.in_order
            print(
                f"{rate or result.sent / options.seconds:>10.0f} {result.sent:>8} {result.heard:>8} "
                f"{result.sent - result.heard:>6} {'kept' if result.in_order else 'BROKEN':>6} "
                f"{result.cpu_s / result.seconds:>6.1%}" + ("" if rate else "   (as fast as one process can)")
            )
    print(f"limit: no loss at {REQUIRED:g} frames/s: {'ok' if ok else 'NOT MET'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
