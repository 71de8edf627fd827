"""Many vehicles in the charge loop of one station at once: answer times, and memory for each session.

`hlc secc` runs as it is, on the loopback interface, where each vehicle has a simulated outlet of its own. The vehicles
are this process: each goes through the set-up by itself, and then repeats one request of its charge loop, as the octets
that it is, so that the load weighs little. Measured is from a request's last octet to its answer's first, against an
echo server under the same load.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import Any

from station_latency import PROTOCOLS, LeftError, Station, arrive, at, conditions, echo, station, verdict

LIMIT_P99_MS, LIMIT_MIB = 25.0, 1.0


class Count:
    """What is measured while it is on: the answers to the requests sent meanwhile, and no others."""

    def __init__(self) -> None:
        self.on = False
        self.asked = 0
        self.times: list[float] = []
        """Milliseconds until the answer."""

    async def during(self, seconds: float) -> None:
        """Measure for so long, and wait for what is outstanding then."""
        self.on = True
        await asyncio.sleep(seconds)
        self.on = False
        await asyncio.sleep(1.0)


class Repeating(asyncio.Protocol):
    """A vehicle that repeats a request."""

    def __init__(self, data: bytes, every_s: float, count: Count) -> None:
        self.lost = False
        self.late = 0
        """Requests that were not sent when they were due: the answer before was outstanding still."""
        self.data = data
        self._every_s = every_s
        self._count = count
        self._counts = False
        """Whether the request that is outstanding is measured."""
        self._transport: Any = None
        self._asked: float | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, transport: asyncio.BaseTransport, after_s: float = 0.0) -> None:
        self._transport = transport
        self._timer = self._loop.call_later(after_s, self._ask, self._loop.time() + after_s)

    def _ask(self, due: float) -> None:
        if self._asked is None:
            self._counts = self._count.on
            self._count.asked += self._counts
            self._transport.write(self.data)
            self._asked = time.perf_counter()
        elif self._count.on:
            self.late += 1
        due += self._every_s
        self._timer = self._loop.call_at(due, self._ask, due)

    def data_received(self, data: bytes) -> None:
        if self._asked is not None and self._counts:
            self._count.times.append((time.perf_counter() - self._asked) * 1000)
        self._asked = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._timer is not None:
            self._timer.cancel()


async def load(made: Station, name: str, options: Any) -> tuple[Count, list[float], list[Repeating]]:
    """Let the vehicles arrive; their answers; memory with one and with all of them, and CPU; the vehicles."""
    count = Count()
    vehicles: list[Repeating] = []

    async def vehicle(number: int) -> None:
        await asyncio.sleep(number * options.arrive)
        transport, data = await arrive(made.port, PROTOCOLS[name])
        vehicles.append(Repeating(data, options.interval, count))
        transport.set_protocol(vehicles[-1])
        vehicles[-1].begin(transport)

    await vehicle(0)
    await asyncio.sleep(1.0)
    memory = [made.memory_mib()]
    await asyncio.gather(*(vehicle(number) for number in range(1, options.vehicles)))
    await asyncio.sleep(1.0)
    began, before = time.monotonic(), made.cpu_s()
    await count.during(options.seconds)
    took = time.monotonic() - began
    cpu = [(now - then) / took for now, then in zip(made.cpu_s(), before, strict=True)]
    return count, [*memory, made.memory_mib(), *cpu], vehicles


async def load_echo(port: int, data: bytes, options: Any) -> Count:
    """The answers of an echo server under the same load."""
    count = Count()
    for number in range(options.vehicles):
        vehicle = Repeating(data, options.interval, count)
        transport, _ = await asyncio.get_running_loop().create_connection(lambda vehicle=vehicle: vehicle, "::1", port)
        vehicle.begin(transport, number * options.interval / options.vehicles)
    await asyncio.sleep(1.0)
    await count.during(options.seconds / 2)
    return count


async def both(made: Station, echo_port: int, name: str, options: Any) -> None:
    """The table."""
    ours, (first, all_of_them, cpu, waited), vehicles = await load(made, name, options)
    lost, late = sum(vehicle.lost for vehicle in vehicles), sum(vehicle.late for vehicle in vehicles)
    floor = await load_echo(echo_port, vehicles[0].data, options)
    print(
        f"{options.vehicles} vehicles of {name}, a request of each every {options.interval * 1000:g} ms for "
        f"{options.seconds:g} s: {len(ours.times)} answers to {ours.asked} requests ({conditions()})\n"
    )
    print(f"{'':<26}{'station':>11}{'echo':>12}   limit")
    for quantile, share, limit in (("p50", 0.5, None), ("p99", 0.99, LIMIT_P99_MS), ("worst", 1.0, None)):
        own, base = at(ours.times, share), at(floor.times, share)
        bound = "" if limit is None else verdict(own, limit)
        print(f"answer time {quantile:<14}{own:>8.3f} ms{base:>9.3f} ms   {bound}")
    each = (all_of_them - first) / max(options.vehicles - 1, 1)
    print(f"memory with one session   {first:>8.1f} MiB")
    print(f"each one more             {each:>8.3f} MiB{'':>11}{verdict(each, LIMIT_MIB)}")
    print(f"CPU of the station        {cpu:>8.0%}   (it waited for a core {waited:.0%} of the time)")
    if lost or late:
        print(f"{lost} sessions were lost, {late} requests waited for the answer before")
    print()


def main() -> int:
    parser = argparse.ArgumentParser(description="Many vehicles in the charge loop of one station at once.")
    parser.add_argument("--protocol", choices=PROTOCOLS, help="default: one after the other")
    parser.add_argument("--vehicles", type=int, default=200)
    parser.add_argument("--interval", type=float, default=0.25, help="seconds from a request to the next")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long it is measured")
    parser.add_argument("--arrive", type=float, default=0.1, help="seconds from the arrival of a vehicle to the next")
    options = parser.parse_args()
    for name in [options.protocol] if options.protocol else PROTOCOLS:
        with station(name) as made, echo() as port:
            try:
                asyncio.run(both(made, port, name, options))
            except LeftError as error:
                raise SystemExit(str(error)) from error
    return 0


if __name__ == "__main__":
    sys.exit(main())
