"""`hlc secc`: a station on an interface."""

from __future__ import annotations

import argparse
import asyncio
import gc
import secrets
import time
from contextlib import ExitStack, suppress
from math import inf
from typing import Any, Final, Self

import exi
from hlc import sap
from hlc.commands import options as shared
from hlc.commands import simulated, transport
from hlc.commands.output import output, say
from hlc.flow import Machine
from hlc.ports import Outlet
from hlc.runtime import quirks
from hlc.runtime.errors import WrongUsage
from hlc.runtime.interfaces import find, names
from hlc.runtime.matching import ASSUMED, Matching, Outcome, opened
from hlc.runtime.signals import interrupts
from hlc.runtime.station import StationServer
from hlc.secc import PausedSessions, Station
from hlc.trace.events import Trace
from slac.effects import Failed, Linked, Reason, Unlinked
from slac.link import Link

EXAMPLES: Final = """\
examples:
  hlc secc --interface eth1                    serve vehicles on eth1 until Ctrl-C
  hlc secc --interface lo --once               one session on this machine (then: hlc evcc --interface lo)
  hlc secc --interface eth1 --no-slac          the powerline link stands already
  hlc secc --interface eth1 --json > log.jsonl

Matching (SLAC) comes first: nobody is served who is not matched, and a link that is lost ends the session. It needs
CAP_NET_RAW: run it as root, or give that to the Python that runs it. On loopback there is no powerline,
and each vehicle has a simulated outlet of its own: many may charge at once.

Ctrl-C ends the session in order and makes the outlet safe; a second Ctrl-C does not wait for the vehicle."""


OUTLETS: Final = 256
"""So many are simulated at once."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hlc secc`."""
    parser.epilog = EXAMPLES
    shared.add_session_arguments(parser, "outlet")
    transport.add_arguments(parser)
    parser.add_argument("--port", metavar="N", type=shared.port, help="TCP port, 49152 to 65535 (default: a free one)")


def run(options: Any) -> int:
    """Serve; the exit code."""
    shared.check_choices(options)
    transport.policy(options)
    if options.interface is None:
        raise WrongUsage(f"say where: --interface IF; this machine has {', '.join(names())}")
    return asyncio.run(_serve(options))


async def _serve(options: Any) -> int:
    interface = await find(options.interface)
    with output(json=options.json) as out, ExitStack() as closing:
        security = transport.of_station(options, closing)
        outlet, sessions = simulated.outlet(options), PausedSessions()
        known = [] if options.strict else quirks.known("station")
        many = interface.loopback  # there is no cable by which only one vehicle could come
        say("secc", "without --config the outlet is simulated" + ", one for each vehicle" * many)
        plug: Plug | None = None
        if shared.slac_wanted(options, "secc", interface):
            link = closing.enter_context(opened(interface.name, shared.OR_NO_SLAC))
            plug = closing.enter_context(Plug(link, out.trace, outlet, once=options.once))
            if not plug.matching.wired:
                say("secc", ASSUMED)

        def machine() -> Machine:
            return Station(
                simulated.outlet(options) if many else outlet,
                random=secrets.token_bytes,
                clock=time.time,
                protocols=shared.protocols(options),
                settings=simulated.station_settings(options),
                sessions=sessions,
                quirks=known,
                trace=out.session(),
            )

        server = StationServer(
            interface,
            machine,
            out.trace,
            port=options.port,
            security=security,
            wireless=bool(shared.WIRELESS.intersection(shared.modes(options))),
            linked=plug.linked if plug is not None else always,
            outlets=OUTLETS if many else 1,
        )
        say("secc", f"waiting for vehicles on {interface.name}, [{interface.address}]:{server.port}; Ctrl-C ends")
        prepare(shared.protocols(options))
        # What is there now stays: the collector need not look at it in the middle of a session.
        gc.collect()
        gc.freeze()
        return await _until_done(server, once=options.once, plug=plug)


def always() -> bool:
    """Without SLAC the link stands."""
    return True


class Plug:
    """The powerline link of an outlet: a session ends with it, and after a session it is left."""

    def __init__(self, link: Link, trace: Trace, outlet: Outlet, *, once: bool) -> None:
        self.matching = Matching.of_outlet(link, trace, self._told, outlet, wait_s=inf)
        self.gave_up = asyncio.Event()
        """The interface is gone; or, with `once`, matching has failed."""
        self.server: StationServer | None = None
        self._once = once
        self._run_id = b""
        """Of the last link."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.matching.close()

    def linked(self) -> bool:
        """Whether a matched vehicle may come."""
        return self.matching.linked

    def start(self, server: StationServer) -> None:
        """Match whoever comes."""
        self.server = server
        self.matching.failure.add_done_callback(lambda failure: self._broken())
        self.matching.start()

    def session_ended(self, *, good: bool) -> None:
        """Leave the network, and be ready for the next vehicle, or after a failure for the same; unless one has come
        already."""
        if self._once or self.server is None or self.server.sessions:
            return
        link = self.matching.machine.link
        if link is None or link.run_id != self._run_id:
            self.matching.renew_pilot()
        elif good:
            self.matching.part()
        else:
            self.matching.again()

    def _broken(self) -> None:
        self._drop(str(self.matching.failure.exception()))
        self.gave_up.set()

    def _drop(self, why: str) -> None:
        if self.server is not None:
            for session in self.server.sessions:
                session.drop(why)

    def _told(self, outcome: Outcome) -> None:
        match outcome:
            case Linked(_, run_id):
                self._run_id = run_id
            case Unlinked(reason) | Failed(reason):
                self._drop(f"the powerline link is gone: {reason}")
        if isinstance(outcome, Failed):
            if self._once:
                self.gave_up.set()
            elif not self.matching.wired and outcome.reason is not Reason.NO_MODEM:
                # The machine looks by itself for a modem; a control pilot tells when it is to begin again.
                asyncio.get_running_loop().call_soon(self.matching.again)


def prepare(protocols: list[sap.Protocol]) -> None:
    """Compile the grammars, which the first message of a kind does otherwise: no vehicle is to wait for that."""
    for name in {"sap"}.union(*(protocol.schemas.values() for protocol in protocols)):
        with suppress(exi.DecodeError):
            exi.schema(name).decode(b"")


async def _until_done(server: StationServer, *, once: bool, plug: Plug | None = None) -> int:
    """Serve until Ctrl-C, or with `once` until the first session has ended; what goes on then is ended in order. The
    exit code."""
    serving = asyncio.create_task(server.run())
    asked = asyncio.Event()

    def ask() -> None:
        asked.set()
        if server.sessions:
            say("secc", "ending the session; Ctrl-C again to end it at once")
        for session in server.sessions:
            session.stop("stopped by the operator")

    def force() -> None:
        for session in server.sessions:
            session.drop("stopped by the operator, at once")

    with interrupts(ask, force):
        asking = asyncio.create_task(asked.wait())
        ends: list[asyncio.Task[Any]] = [serving, asking]
        if plug is not None:
            plug.start(server)
            ends.append(asyncio.create_task(plug.gave_up.wait()))
        good: bool | None = None
        while not asked.is_set() and not (once and good is not None):
            session = asyncio.create_task(server.ended.get())
            await asyncio.wait({*ends, session}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()  # it never ends by itself: raises what ended it
            if session.done():
                good = session.result().good
                if plug is not None:
                    plug.session_ended(good=good)
            session.cancel()
            if plug is not None and plug.gave_up.is_set():
                break
        for end in ends:
            end.cancel()
        left = server.sessions
        for other in left:
            other.stop("the station ends")  # if the operator has not said so already
        for other in left:
            await other.closed
        if asked.is_set() and any(other.started for other in left):
            good = all(other.machine.good for other in left if other.started)
        if plug is not None:
            if plug.matching.failure.done():
                plug.matching.failure.result()  # raises what ended it
            await plug.matching.leave()
    if once:
        return 0 if good else 1
    return 0 if good is not False else 1
