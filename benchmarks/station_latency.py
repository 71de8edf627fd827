"""How soon a station is ready, how fast it answers in the charge loop of each protocol, and how much memory it takes.

`hlc secc` runs as it is, on the loopback interface, with its log written to a file. A vehicle of ours goes through the
set-up into the charge loop; from there on one of its requests is repeated as the octets that it is, and measured is
from the request's last octet to the answer's first. An echo server over sockets of the same kind is measured in turns
with it: the rest is the station's own. Beside it: the time from the start of the program to its first answer to SDP,
and its resident memory.

The requests come back to back, which the limits are for, and with a pause before each. A machine with nothing else to
do sleeps in the pause: it wakes late and with cold caches, and the echo server tells how much of that is the machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import exi
from hlc import sap, sdp
from hlc.evcc import Vehicle
from hlc.flow import Effect, Send
from hlc.sim import Battery, SimulatedVehicle
from hlc.trace.events import Event, Message, Side
from hlc.v2gtp import Splitter, frame, unframe

LIMIT_P50_MS, LIMIT_P99_MS, LIMIT_READY_S, LIMIT_RSS_MIB = 0.3, 2.0, 1.0, 80.0
ROUNDS = 20
PACES: Final = {"back to back": 0.0, "every 2 ms": 0.002}
"""Seconds between an answer and the next request."""
Times = tuple[list[float], list[float]]
"""Of the station, and of the echo server."""
PROTOCOLS: Final = {
    "din70121": sap.DIN70121,
    "iso15118-2": sap.ISO15118_2,
    "iso15118-20": sap.PROTOCOLS["iso15118_20_dc"],
}
LOOP: Final = ("CurrentDemandReq", "DC_ChargeLoopReq")

ECHO: Final = """
import asyncio

class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "::1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


class LeftError(Exception):
    """A session did not come so far."""


class Traveller(asyncio.Protocol):
    """A vehicle on its way into the charge loop; `arrived` is done when its first request there, which is to be
    repeated, has been answered."""

    def __init__(self, protocol: sap.Protocol) -> None:
        self.arrived: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.transport: Any = None
        self._loop = asyncio.get_running_loop()
        vehicle = SimulatedVehicle(Battery(soc=20.0), target_soc=90.0)
        self._machine = Vehicle(vehicle, protocols=[protocol], clock=time.time, trace=self._traced)
        self._splitter = Splitter()
        self._timer: asyncio.TimerHandle | None = None
        self._asked = ""
        self._repeated = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._carry_out(self._machine.start(self._loop.time()))

    def data_received(self, data: bytes) -> None:
        if self._repeated:
            if not self.arrived.done():
                self.arrived.set_result(self._repeated)
            return
        for payload_type, payload in self._splitter.feed(data):
            self._carry_out(self._machine.receive(payload_type, payload, self._loop.time()))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.arrived.done():
            reason = self._machine.faulty or exc or "closed"
            self.arrived.set_exception(LeftError(f"a vehicle did not reach the charge loop: {self._asked}, {reason}"))

    def _traced(self, event: Event) -> None:
        if isinstance(event, Message) and event.side is Side.EVCC:
            self._asked = event.name

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if not isinstance(effect, Send):
                self.transport.close()
                continue
            data = frame(effect.payload_type, effect.payload)
            self.transport.write(data)
            if self._asked in LOOP:
                self._repeated = data
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._machine.next_deadline()
        if deadline is not None and not self._repeated:
            self._timer = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._carry_out(self._machine.expire(self._loop.time()))


async def arrive(port: int, protocol: sap.Protocol) -> tuple[asyncio.Transport, bytes]:
    """A connection whose vehicle is in the charge loop, and the request to repeat."""
    transport, traveller = await asyncio.get_running_loop().create_connection(lambda: Traveller(protocol), "::1", port)
    return transport, await traveller.arrived


class Station:
    """`hlc secc` on loopback, and how it started."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        began = time.monotonic()
        self._process = process
        self.port = listening(log)
        answers_sdp(self.port)
        self.ready_s = time.monotonic() - began
        self.ready_mib = self.memory_mib()

    def memory_mib(self) -> float:
        """Resident memory."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self._process.pid}/status").read_text())
        assert found is not None
        return int(found[1]) / 1024

    def cpu_s(self) -> tuple[float, float]:
        """CPU time that it has used, and time for which it could have and others did."""
        used, waited = Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[:2]
        return int(used) / 1e9, int(waited) / 1e9


@contextmanager
def station(protocol: str) -> Iterator[Station]:
    """A station that speaks this protocol."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "secc.log"
        with log.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "hlc.cli", "secc", "--interface", "lo", "--no-slac", "--protocols", protocol],
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )
        try:
            yield Station(process, log)
        finally:
            process.kill()
            process.wait()


@contextmanager
def echo() -> Iterator[int]:
    """The port of an echo server."""
    process = subprocess.Popen([sys.executable, "-c", ECHO], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def listening(log: Path) -> int:
    """The port that the station tells in its log."""
    for _ in range(2000):
        found = re.search(r"\[::1\]:(\d+)", log.read_text())
        if found is not None:
            return int(found[1])
        time.sleep(0.005)
    raise SystemExit(f"the station did not start:\n{log.read_text()}")


def answers_sdp(port: int) -> None:
    """Wait until this station answers to SDP. Others may run on this machine."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.01)
        for _ in range(500):
            sock.sendto(sdp.SdpRequest().frame(), ("::1", sdp.PORT))
            with suppress(TimeoutError):
                answer = sdp.parse(*unframe(sock.recv(1000)))
                if isinstance(answer, sdp.SdpResponse) and answer.port == port:
                    return
    raise SystemExit("the station does not answer to SDP")


def measure(sock: socket.socket, data: bytes, count: int, pace_s: float) -> list[float]:
    """Milliseconds from the last octet of `data` to the first of its answer, `count` times."""
    out = []
    for _ in range(count):
        time.sleep(pace_s)
        began = time.perf_counter_ns()
        sock.sendall(data)
        sock.recv(65536)
        out.append((time.perf_counter_ns() - began) / 1e6)
    return out


async def in_turns(station_port: int, echo_port: int, name: str, exchanges: int) -> dict[str, Times]:
    """The answer times of a station in the charge loop and of the echo server, by pace."""
    transport, data = await arrive(station_port, PROTOCOLS[name])
    transport.pause_reading()
    with (
        socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as ours,
        socket.create_connection(("::1", echo_port)) as other,
    ):
        ours.setblocking(True)
        other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        each = max(1, exchanges // ROUNDS)
        measured: dict[str, Times] = {}
        for words, pace_s in PACES.items():
            measure(ours, data, 50, pace_s)
            own, floor = measured[words] = [], []
            for _ in range(ROUNDS):
                own += measure(ours, data, each, pace_s)
                # The station is to hear of the vehicle meanwhile: ISO 15118-20 wants the next request after 0.5 s.
                for _ in range(5):
                    floor += measure(other, data, each // 5, pace_s)
                    measure(ours, data, 1, pace_s)
        transport.abort()
    return measured


def at(values: list[float], quantile: float) -> float:
    """The value at a quantile."""
    ordered = sorted(values)
    return ordered[min(int(quantile * len(ordered)), len(ordered) - 1)]


def verdict(value: float, limit: float) -> str:
    """A limit, and whether it is kept."""
    return f"{limit:g} {'ok' if value <= limit else 'OVER'}"


def conditions() -> str:
    """What the figures depend on."""
    return f"{exi.engine} engine, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def report(name: str, measured: dict[str, Times], made: Station, memory: float) -> None:
    """The table."""
    count = len(next(iter(measured.values()))[0])
    print(f"Station in the charge loop of {name}, {count} exchanges over loopback ({conditions()})\n")
    print(f"{'answer time':<26}{'station':>11}{'echo':>12}{'ratio':>8}   limit")
    for words, (ours, floor) in measured.items():
        for quantile, share, limit in (("p50", 0.5, LIMIT_P50_MS), ("p99", 0.99, LIMIT_P99_MS), ("worst", 1.0, None)):
            own, base = at(ours, share), at(floor, share)
            bound = "" if limit is None or PACES[words] else verdict(own, limit)
            print(f"{words:<14}{quantile:<12}{own:>8.3f} ms{base:>9.3f} ms{own / base:>8.1f}   {bound}")
    print(f"ready for SDP after       {made.ready_s:>8.3f} s{'':>20}   {verdict(made.ready_s, LIMIT_READY_S)}")
    print(f"memory when ready         {made.ready_mib:>8.1f} MiB{'':>18}   {verdict(made.ready_mib, LIMIT_RSS_MIB)}")
    print(f"memory in a session       {memory:>8.1f} MiB\n")


def main() -> int:
    parser = argparse.ArgumentParser(description="Start, latency and memory of a station in the charge loop.")
    parser.add_argument("--protocol", choices=PROTOCOLS, help="default: one after the other")
    parser.add_argument("--exchanges", type=int, default=2000)
    options = parser.parse_args()
    for name in [options.protocol] if options.protocol else PROTOCOLS:
        with station(name) as made, echo() as port:
            measured = asyncio.run(in_turns(made.port, port, name, options.exchanges))
            report(name, measured, made, made.memory_mib())
    return 0


if __name__ == "__main__":
    sys.exit(main())
