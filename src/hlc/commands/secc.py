"""`hlc secc`: a station on an interface."""

from __future__ import annotations

import argparse
import asyncio
import gc
import secrets
import time
from contextlib import suppress
from typing import Any, Final

import exi
from hlc import sap
from hlc.commands import options as shared
from hlc.commands.output import Output, output, say
from hlc.flow import Machine
from hlc.runtime.errors import WrongUsage
from hlc.runtime.interfaces import find, names
from hlc.runtime.signals import interrupts
from hlc.runtime.station import StationServer
from hlc.secc import Station
from hlc.sim import SimulatedOutlet

EXAMPLES: Final = """\
examples:
  hlc secc --interface eth1                    serve vehicles on eth1 until Ctrl-C
  hlc secc --interface lo --once               one session on this machine (then: hlc evcc --interface lo)
  hlc secc --interface eth1 --json > log.jsonl

Ctrl-C ends the session in order and makes the outlet safe; a second Ctrl-C does not wait for the vehicle."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hlc secc`."""
    parser.epilog = EXAMPLES
    shared.add_session_arguments(parser, "outlet")
    parser.add_argument("--port", metavar="N", type=shared.port, help="TCP port, 49152 to 65535 (default: a free one)")


def run(options: Any) -> int:
    """Serve; the exit code."""
    shared.check_choices(options)
    if options.interface is None:
        raise WrongUsage(f"say where: --interface IF; this machine has {', '.join(names())}")
    return asyncio.run(_serve(options))


async def _serve(options: Any) -> int:
    interface = await find(options.interface)
    with output(json=options.json) as out:
        outlet = SimulatedOutlet()

        def machine() -> Machine:
            out.session_begins()
            return Station(
                outlet,
                random=secrets.token_bytes,
                clock=time.time,
                protocols=shared.protocols(options),
                trace=out.trace,
            )

        server = StationServer(interface, machine, out.trace, port=options.port)
        say("secc", "without --config the outlet is simulated")
        if not options.no_slac:
            say("secc", "SLAC is not built yet: running without it, as with --no-slac")
        say("secc", f"waiting for vehicles on {interface.name}, [{interface.address}]:{server.port}; Ctrl-C ends")
        prepare(shared.protocols(options))
        # What is there now stays: the collector need not look at it in the middle of a session.
        gc.collect()
        gc.freeze()
        return await _until_done(server, out, once=options.once)


def prepare(protocols: list[sap.Protocol]) -> None:
    """Compile the grammars, which the first message of a kind does otherwise: no vehicle is to wait for that."""
    for name in {"sap"}.union(*(protocol.schemas.values() for protocol in protocols)):
        with suppress(exi.DecodeError):
            exi.schema(name).decode(b"")


async def _until_done(server: StationServer, out: Output, *, once: bool) -> int:
    """Serve until Ctrl-C, or with `once` until the first session has ended; the exit code."""
    serving = asyncio.create_task(server.run())
    asked = asyncio.Event()

    def ask() -> None:
        asked.set()
        if server.current is not None:
            say("secc", "ending the session; Ctrl-C again to end it at once")
            server.current.stop("stopped by the operator")

    def force() -> None:
        if server.current is not None:
            server.current.drop("stopped by the operator, at once")

    with interrupts(ask, force):
        asking = asyncio.create_task(asked.wait())
        good: bool | None = None
        while not asked.is_set() and not (once and good is not None):
            session = asyncio.create_task(server.ended.get())
            await asyncio.wait({serving, asking, session}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()  # it never ends by itself: raises what ended it
            if session.done():
                good = session.result().good
                out.session_ended()
            session.cancel()
        serving.cancel()
        asking.cancel()
        if server.current is not None:  # the operator ended it
            current = server.current
            await current.closed
            if current.spoke:
                good = current.machine.good
                out.session_ended()
    if once:
        return 0 if good else 1
    return 0 if good is not False else 1
