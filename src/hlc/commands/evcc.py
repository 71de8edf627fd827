"""`hlc evcc`: a vehicle on an interface."""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import ExitStack
from typing import Any, Final

from msgspec.structs import replace

from hlc import quirks, sap
from hlc.commands import options as shared
from hlc.commands import simulated, transport
from hlc.commands.output import Output, output, say
from hlc.evcc import Vehicle
from hlc.evcc.vehicle import MESSAGE
from hlc.runtime.connection import Connection
from hlc.runtime.discovery import Found, discover
from hlc.runtime.errors import SetupError, WrongUsage
from hlc.runtime.interfaces import Interface, find, names
from hlc.runtime.matching import ASSUMED, Matching, Outcome, opened
from hlc.runtime.policy import Policy
from hlc.runtime.signals import interrupts
from hlc.runtime.vehicle import connect
from hlc.sdp import MAX_REQUESTS
from hlc.security.layer import PLAIN, Security
from hlc.trace.events import Event, SessionEnded
from slac.effects import Failed, Linked, Reason, Unlinked

EXAMPLES: Final = """\
examples:
  hlc evcc --interface lo --once                       charge at the station on this machine (hlc secc --interface lo)
  hlc evcc --interface eth1 --soc 35 --target-soc 80   from 35 % to 80 %
  hlc evcc --interface eth1 --max-time 60              stop in order after a minute
  hlc evcc --interface eth1 --no-slac                  the powerline link stands already
  hlc evcc --secc '[fe80::1%eth1]:50000'               without discovery

Matching (SLAC) comes first, then discovery and the session. It needs CAP_NET_RAW: run it as root, or give that to the
Python that runs it. On loopback there is no powerline. A link that is lost ends the session.

Without --once a session that fails is tried again, three times in all. Ctrl-C ends the charge in order; a second
Ctrl-C does not wait for the station."""

ATTEMPTS: Final = 3
RETRY_AFTER_S: Final = 2.0
LOSS_S: Final = 2.5
"""The own modem is asked twice a second for the link, and is not believed at once when it denies it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hlc evcc`."""
    parser.epilog = EXAMPLES
    shared.add_session_arguments(parser, "vehicle")
    transport.add_arguments(parser)
    percent = shared.number(0, 100, "a percentage from 0 to 100")
    parser.add_argument("--secc", metavar="[ADDR]:PORT", type=shared.address, help="the station, without discovery")
    parser.add_argument("--soc", metavar="PERCENT", type=percent, default=20.0, help="state of charge (default: 20)")
    parser.add_argument("--target-soc", metavar="PERCENT", type=percent, default=80.0, help="charge to (default: 80)")
    parser.add_argument(
        "--max-time",
        metavar="S",
        type=shared.number(0, 1e6, "a time from 0 to 1000000 s"),
        help="stop in order after this many seconds",
    )


def run(options: Any) -> int:
    """Charge; the exit code."""
    shared.check_choices(options)
    transport.policy(options)
    if options.interface is not None:
        if len(options.interface) > 1:
            raise WrongUsage("a vehicle has one inlet: give one --interface")
        (options.interface,) = options.interface
    elif options.secc is not None and options.secc.zone:
        options.interface = options.secc.zone
    if options.interface is None and (options.secc is None or options.secc.address.is_link_local):
        why = "a link-local address needs its interface" if options.secc is not None else "say where"
        raise WrongUsage(f"{why}: --interface IF; this machine has {', '.join(names())}")
    return asyncio.run(_charge(options))


async def _charge(options: Any) -> int:
    interface = await find(options.interface) if options.interface is not None else None
    with output(json=options.json) as out:
        say("evcc", "without --config the vehicle is simulated")
        with ExitStack() as closing:
            charge = Charge(options, interface, out, transport.of_vehicle(options, closing))
            if shared.slac_wanted(options, "evcc", interface) and interface is not None:
                link = closing.enter_context(opened(interface.name, shared.OR_NO_SLAC))
                matching = Matching.of_vehicle(link, out.trace, charge.told, charge.ev)
                charge.matching = closing.enter_context(matching)
                if not matching.wired:
                    say("evcc", ASSUMED)
            with interrupts(charge.ask, charge.force):
                return await charge.run()


class Charge:
    """A vehicle that wants to be charged: discovery, connection, session; again if that fails."""

    def __init__(self, options: Any, interface: Interface | None, out: Output, security: Security = PLAIN) -> None:
        self._options = options
        self._security = security
        self._interface = interface
        self._out = out
        self._task = asyncio.current_task()
        self._connection: Connection | None = None
        self.matching: Matching | None = None
        """None: the link stands already."""
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Why the link went, once it has."""
        self._unexplained: SessionEnded | None = None
        self._asked = False
        self.ev = simulated.vehicle(options)
        self._quirks = [] if options.strict else quirks.known("vehicle")
        mac = interface.mac() if interface is not None else None
        self._settings = simulated.vehicle_settings(options, **({} if mac is None else {"EVCCID": mac}))

    def ask(self) -> None:
        """The driver wants an end."""
        self._asked = True
        if self._connection is not None:
            say("evcc", "ending the session; Ctrl-C again to end it at once")
            self._connection.stop("stopped by the driver")
        elif self._task is not None:
            self._task.cancel()

    def force(self) -> None:
        """The driver wants it at once."""
        if self._connection is not None:
            self._connection.drop("stopped by the driver, at once")

    def told(self, outcome: Outcome) -> None:
        """What the matching came to, or that the link is gone."""
        if self._connection is None:
            self._outcomes.put_nowait(outcome)
        elif isinstance(outcome, Unlinked):
            why = f"the powerline link is gone: {outcome.reason}"
            if not self._lost.done():
                self._lost.set_result(why)
            self._connection.drop(why)

    async def run(self) -> int:
        """Charge; the exit code."""
        try:
            return await self._attempts()
        finally:
            if self.matching is not None:
                await self.matching.leave()

    async def _attempts(self) -> int:
        attempts = 1 if self._options.once else ATTEMPTS
        try:
            for attempt in range(1, attempts + 1):
                if await self._matched(attempt) and await self._session():
                    return 0
                if self._asked:
                    break
                if attempt < attempts:
                    say("evcc", f"trying again in {RETRY_AFTER_S:g} s ({attempt} of {attempts} failed)")
                    await asyncio.sleep(RETRY_AFTER_S)
        except asyncio.CancelledError:
            say("evcc", "stopped before there was a session")
        return 1

    async def _matched(self, attempt: int) -> bool:
        """Whether there is a link, after matching where that is wanted."""
        self._out.session_begins()
        if self.matching is None:
            return True
        self._outcomes = asyncio.Queue()
        if attempt == 1:
            self.matching.start()
        else:
            self.matching.again()
        while not self.matching.machine.absent:
            match await self.matching.unless_broken(self._outcomes.get()):
                case Linked():
                    return True
                case Failed(reason) if reason is not Reason.NO_MODEM:
                    return False
        failed = self.matching.machine.failed
        raise SetupError(failed.text if failed is not None else "there is no modem")

    async def _session(self) -> bool:
        """One session; whether it ended well. Where TLS fails and is no must, one without: not for ISO 15118-20."""
        policy = transport.policy(self._options)
        protocols = shared.protocols(self._options)
        found = await self._find(policy)
        good, started = await self._session_at(found, protocols)
        older = [protocol for protocol in protocols if not protocol.name.startswith("iso15118_20")]
        if started or not found.tls or policy is not Policy.ALLOW or not older or self._asked:
            return good
        say("evcc", "trying without TLS, since it is no must (--tls allow)")
        self._out.session_begins()
        found = await self._find(Policy.NEVER)
        good, _ = await self._session_at(found, older)
        return good

    async def _session_at(self, found: Found, protocols: list[sap.Protocol]) -> tuple[bool, bool]:
        """One session there; whether it ended well, and whether it came to one: TLS may fail before."""
        machine = Vehicle(
            self.ev,
            protocols=protocols,
            settings=self._settings,
            clock=time.time,
            quirks=self._quirks,
            trace=self._traced,
        )
        self._lost = asyncio.get_running_loop().create_future()
        security = self._security if found.tls else PLAIN
        connection = self._connection = await connect(found, machine, self._out.trace, security)
        limit = None
        if self._options.max_time is not None:
            reason = f"stopped after --max-time {self._options.max_time:g} s"
            limit = asyncio.get_running_loop().call_later(self._options.max_time, connection.stop, reason)
        if self.matching is None:
            await connection.closed
        else:
            await self._watched(connection, self.matching)
        if self._unexplained is not None:
            await self._explain(self._unexplained)
        self._connection = None
        if limit is not None:
            limit.cancel()
        self._out.session_ended()
        return machine.good, connection.started

    async def _watched(self, connection: Connection, matching: Matching) -> None:
        """Until the session has ended. Raises `SetupError` when the interface is gone."""
        await asyncio.wait((connection.closed, matching.failure), return_when=asyncio.FIRST_COMPLETED)
        if matching.failure.done():
            connection.drop(str(matching.failure.exception()))
        await connection.closed

    def _traced(self, event: Event) -> None:
        if self.matching is not None and isinstance(event, SessionEnded) and event.reason == MESSAGE:
            self._unexplained = event
        else:
            self._out.trace(event)

    async def _explain(self, ended: SessionEnded) -> None:
        """No answer came. That the link was lost is known later than that."""
        self._unexplained = None
        await asyncio.wait((self._lost,), timeout=LOSS_S)
        self._out.trace(replace(ended, reason=self._lost.result()) if self._lost.done() else ended)

    async def _find(self, policy: Policy) -> Found:
        """Where the station is. Raises `SetupError` if none answers."""
        secc = self._options.secc
        if secc is not None:
            scope = self._interface.index if self._interface is not None and secc.address.is_link_local else 0
            return Found(str(secc.address), secc.port, scope, policy is not Policy.NEVER)
        assert self._interface is not None
        say("evcc", f"looking for a station on {self._interface.name}")
        found = await discover(self._interface, self._out.trace, policy, wireless=transport.wireless(self._options))
        if found is None:
            raise SetupError(
                f"no station answered {MAX_REQUESTS} discovery requests on {self._interface.name}: "
                "is one running there, is the cable in, are the modems paired?"
            )
        return found
