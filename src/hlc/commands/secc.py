"""`hlc secc`: a station on an interface, or on several with an outlet each."""

from __future__ import annotations

import argparse
import asyncio
import gc
import secrets
import time
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import ExitStack, suppress
from math import inf
from typing import Any, Final, Self

import exi
from hlc import quirks, sap
from hlc.commands import options as shared
from hlc.commands import simulated, transport
from hlc.commands.output import Served, output, say
from hlc.flow import Machine
from hlc.ports import Outlet
from hlc.runtime.connection import Connection
from hlc.runtime.errors import SetupError, WrongUsage
from hlc.runtime.interfaces import find, names
from hlc.runtime.matching import ASSUMED, Matching, Outcome, opened
from hlc.runtime.pilot import forget_unplugged
from hlc.runtime.signals import interrupts
from hlc.runtime.station import StationServer
from hlc.secc import PausedSessions, Station
from hlc.security.layer import Security
from hlc.trace.events import Trace
from slac.effects import Failed, Linked, Reason, Unlinked
from slac.link import Link

EXAMPLES: Final = """\
examples:
  hlc secc --interface eth1                    serve vehicles on eth1 until Ctrl-C
  hlc secc --interface lo --once               one session on this machine (then: hlc evcc --interface lo)
  hlc secc --interface eth1 --no-slac          the powerline link stands already
  hlc secc --interface eth1 --interface eth2   two outlets, each behind a modem of its own
  hlc secc --interface eth1 --json > log.jsonl

Matching (SLAC) comes first: nobody is served who is not matched, and a link that is lost ends the session. It needs
CAP_NET_RAW: run it as root, or give that to the Python that runs it. On loopback there is no powerline,
and each vehicle has a simulated outlet of its own: many may charge at once.

An interface that fails is tried again while there is another to serve. With --once the first session on any of them
is the one.

Ctrl-C ends the session in order and makes the outlet safe; a second Ctrl-C does not wait for the vehicle."""


OUTLETS: Final = 256
"""So many are simulated at once."""
RETRY_S: Final = 5.0
"""So long after a failure an interface is tried again."""


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
    interfaces = list(dict.fromkeys(options.interface))
    with output(json=options.json) as out, ExitStack() as closing:
        security = transport.of_station(options, closing)
        several = len(interfaces) > 1
        bays = [Bay(name, options, out.of(name, several=several), security, alone=not several) for name in interfaces]
        prepare(shared.protocols(options))
        # What is there now stays: the collector need not look at it in the middle of a session.
        gc.collect()
        gc.freeze()
        return await _until_done(bays, once=options.once)


class Bay:
    """An interface that is served: its outlet, the matching, the servers, and the sessions until they have ended."""

    def __init__(self, name: str, options: Any, out: Served, security: Security, *, alone: bool) -> None:
        self.name = name
        self.server: StationServer | None = None
        self.plug: Plug | None = None
        self.trouble = ""
        """Why it is not served at the moment."""
        self._options = options
        self._out = out
        self._security = security
        self._once = options.once and alone
        self._outlet = simulated.outlet(options)
        self._paused = PausedSessions()
        self._closing = ExitStack()

    @property
    def sessions(self) -> list[Connection]:
        """Those that go on."""
        return [] if self.server is None else self.server.sessions

    async def keep(self, bays: Sequence[Bay], ended: asyncio.Queue[bool]) -> None:
        """Serve until cancelled, or with `once` until matching has failed; `ended` is told of each session whether it
        ended well. A failure is for the next attempt to better, as long as there is another of the `bays` that has
        none: else `SetupError` is raised."""
        while True:
            try:
                await self._serve(ended)
                return
            except SetupError as error:
                before, self.trouble = self.trouble, str(error)
                if all(bay.trouble for bay in bays):
                    raise
                if self.trouble != before:
                    say("secc", f"{error}; trying again every {RETRY_S:g} s")
            await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        """Leave the powerline network, and the interface."""
        if self.plug is not None:
            await self.plug.matching.leave()
        self.server = self.plug = None
        self._closing.close()

    async def open(self) -> None:
        """Make ready for vehicles. Raises `SetupError`."""
        options, out = self._options, self._out
        interface = await find(self.name)
        known = [] if options.strict else quirks.known("station")
        many = interface.loopback  # there is no cable by which only one vehicle could come
        say("secc", "without --config the outlet is simulated" + ", one for each vehicle" * many)
        plug: Plug | None = None
        if shared.slac_wanted(options, "secc", interface):
            link = self._closing.enter_context(opened(interface.name, shared.OR_NO_SLAC))
            plug = self._closing.enter_context(Plug(link, out.trace, self._outlet, once=self._once))
            if not plug.matching.wired:
                say("secc", ASSUMED)

        def machine() -> Machine:
            return Station(
                simulated.outlet(options) if many else self._outlet,
                random=secrets.token_bytes,
                clock=time.time,
                protocols=shared.protocols(options),
                settings=simulated.station_settings(options),
                sessions=self._paused,
                quirks=known,
                trace=out.session(),
            )

        self.server = StationServer(
            interface,
            machine,
            out.trace,
            port=options.port,
            security=self._security,
            wireless=bool(shared.WIRELESS.intersection(shared.modes(options))),
            linked=plug.linked if plug is not None else always,
            outlets=OUTLETS if many else 1,
        )
        self.plug = plug
        say("secc", f"waiting for vehicles on {interface.name}, [{interface.address}]:{self.server.port}; Ctrl-C ends")

    async def _serve(self, ended: asyncio.Queue[bool]) -> None:
        try:
            await self.open()
            self.trouble = ""
            assert self.server is not None
            unplugging = forget_unplugged(self._outlet, self._paused, self._out.trace)
            work = [self.server.run(), self._pass_on(self.server, ended), unplugging]
            if self.plug is not None:
                self.plug.start(self.server)
                work.append(self.plug.until_given_up())
            await _first(work)
        except SetupError as error:
            await self._drop(str(error), ended)
            await self.close()
            raise

    async def _pass_on(self, server: StationServer, ended: asyncio.Queue[bool]) -> None:
        while True:
            machine = await server.ended.get()
            if self.plug is not None:
                self.plug.session_ended(good=machine.good, paused=machine.paused is not None)
            ended.put_nowait(machine.good)

    async def _drop(self, why: str, ended: asyncio.Queue[bool]) -> None:
        """End the sessions at once, and tell."""
        for session in (left := self.sessions):
            session.drop(why)
        for session in left:
            await session.closed
        await asyncio.sleep(0)  # the server hears of that too
        while self.server is not None and not self.server.ended.empty():
            ended.put_nowait(self.server.ended.get_nowait().good)


async def _first(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Until one of them ends, which ends the others. Raises what it raises."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()


def always() -> bool:
    """Without SLAC the link stands."""
    return True


class Plug:
    """The powerline link of an outlet: a session ends with it, and after a session it is left."""

    def __init__(self, link: Link, trace: Trace, outlet: Outlet, *, once: bool) -> None:
        self.matching = Matching.of_outlet(link, trace, self._told, outlet, wait_s=inf)
        self._gave_up = asyncio.Event()
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
        self.matching.start()

    async def until_given_up(self) -> None:
        """Until matching has failed, with `once`. Raises `SetupError` when the interface is gone."""
        await self.matching.unless_broken(self._gave_up.wait())

    def session_ended(self, *, good: bool, paused: bool = False) -> None:
        """Leave the network, and be ready for the next vehicle, or after a failure for the same; unless one has come
        already. A vehicle that has paused finds it again."""
        if self._once or self.server is None or self.server.sessions:
            return
        link = self.matching.machine.link
        if link is None or link.run_id != self._run_id:
            self.matching.renew_pilot()
        elif paused:
            self.matching.pause()
        elif good:
            self.matching.part()
        else:
            self.matching.again()

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
                self._gave_up.set()
            elif not self.matching.wired and outcome.reason is not Reason.NO_MODEM:
                # The machine looks by itself for a modem; a control pilot tells when it is to begin again.
                asyncio.get_running_loop().call_soon(self.matching.again)


def prepare(protocols: list[sap.Protocol]) -> None:
    """Compile the grammars, which the first message of a kind does otherwise: no vehicle is to wait for that."""
    for name in {"sap"}.union(*(protocol.schemas.values() for protocol in protocols)):
        with suppress(exi.DecodeError):
            exi.schema(name).decode(b"")


async def _until_done(bays: Sequence[Bay], *, once: bool) -> int:
    """Serve until Ctrl-C, or with `once` until the first session has ended; what goes on then is ended in order. The
    exit code."""
    asked = asyncio.Event()
    ended: asyncio.Queue[bool] = asyncio.Queue()

    def sessions() -> list[Connection]:
        return [session for bay in bays for session in bay.sessions]

    def ask() -> None:
        asked.set()
        if sessions():
            say("secc", "ending the session; Ctrl-C again to end it at once")
        for session in sessions():
            session.stop("stopped by the operator")

    def force() -> None:
        for session in sessions():
            session.drop("stopped by the operator, at once")

    with interrupts(ask, force):
        asking = asyncio.create_task(asked.wait())
        serving = [asyncio.create_task(bay.keep(bays, ended)) for bay in bays]
        good: bool | None = None
        while not asked.is_set() and not (once and good is not None):
            session = asyncio.create_task(ended.get())
            done, _ = await asyncio.wait({*serving, asking, session}, return_when=asyncio.FIRST_COMPLETED)
            if session in done:
                good = session.result()
            session.cancel()
            if not done.isdisjoint(serving):
                break
        for task in (asking, *serving):
            task.cancel()
        await asyncio.wait(serving)  # nobody new comes
        left = sessions()
        for other in left:
            other.stop("the station ends")  # if the operator has not said so already
        for other in left:
            await other.closed
        if asked.is_set() and any(other.started for other in left):
            good = all(other.machine.good for other in left if other.started)
        await asyncio.gather(*(bay.close() for bay in bays))
    for task in serving:
        if not task.cancelled():
            task.result()  # raises what ended it
    if once:
        return 0 if good else 1
    return 0 if good is not False else 1
