"""SLAC on an interface: a machine of `slac` on raw Ethernet, its effects carried out and reported.

Here frames and the time go into the machine, and what it asks for comes out. Whoever holds a `Matching` is told of the
link: `told` is called with `Linked`, `Unlinked` and `Failed`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from hlc.runtime.errors import SetupError, WrongUsage
from hlc.runtime.interfaces import names
from hlc.trace.events import Side, Trace
from hlc.trace.matching import event_of, mme_event
from slac.effects import ControlPilot, Effect, Failed, Linked, Send, State, Unlinked
from slac.ev import Ev
from slac.evse import Evse, EvseSettings
from slac.link import Link, LinkError
from slac.timing import Timing

COMMUNICATION: Final = 5.0
"""Duty cycle, %, that asks for digital communication."""
LEAVE_S: Final = Timing().TP_match_leave
"""To leave the network at the end."""
ASSUMED: Final = "no control pilot is wired: state B with 5 % is assumed while this runs"

Outcome = Linked | Unlinked | Failed
T = TypeVar("T")


def opened(interface: str, advice: str = "") -> Link:
    """The raw interface. Raises `SetupError`, with `advice` behind it."""
    if interface not in names():
        raise WrongUsage(f"there is no interface {interface}; this machine has {', '.join(names())}")
    try:
        return Link(interface)
    except LinkError as error:
        raise SetupError(f"{error}{advice}") from error


class Matching:
    """One end. `machine` is an `Ev` or an `Evse` with the MAC address of the interface."""

    def __init__(self, machine: Ev | Evse, link: Link, trace: Trace, told: Callable[[Outcome], None]) -> None:
        self.machine = machine
        self.side = Side.EVCC if isinstance(machine, Ev) else Side.SECC
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises `SetupError` when the interface is gone."""
        self._link = link
        self._trace = trace
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._settled = asyncio.Event()
        """The modem has no new key that it has not confirmed."""

    @classmethod
    def of_vehicle(cls, link: Link, trace: Trace, told: Callable[[Outcome], None]) -> Matching:
        """The vehicle's end, with nothing wired to the control pilot."""
        return cls(Ev(link.mac, secrets.token_bytes), link, trace, told)

    @classmethod
    def of_outlet(
        cls,
        link: Link,
        trace: Trace,
        told: Callable[[Outcome], None],
        *,
        wait_s: float = Timing().TT_EVSE_SLAC_init,
    ) -> Matching:
        """The outlet's end, with nothing wired to the control pilot. A vehicle is waited for so long."""
        # What cannot show E or F need not try to start a vehicle again by them.
        settings = EvseSettings(timing=Timing(TT_EVSE_SLAC_init=wait_s, C_sequ_retry=0))
        return cls(Evse(link.mac, secrets.token_bytes, settings), link, trace, told)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Find the modem, and match as soon as it is ready: a plug is assumed to be in."""
        self._link.listen(self._heard, self._broken)
        self._run(self.machine.start)
        self.plug()

    def plug(self) -> None:
        """As if the plug was pulled, if it was in, and put in: the network is left, and matching begins anew."""
        self._run(lambda now: self.machine.pilot(ControlPilot.A, 100.0, now))
        self._run(lambda now: self.machine.pilot(ControlPilot.B, COMMUNICATION, now))

    @property
    def linked(self) -> bool:
        """Whether the peer may come over the link. Each end learns by itself that it is up, the peer perhaps first."""
        return self.machine.state in (State.JOINING, State.MATCHED)

    async def unless_broken(self, waiting: Coroutine[Any, Any, T]) -> T:
        """What is waited for. Raises `SetupError` when the interface is gone before."""
        task = asyncio.ensure_future(waiting)
        try:
            await asyncio.wait((task, self.failure), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                self.failure.result()
            return task.result()
        finally:
            task.cancel()

    async def leave(self) -> None:
        """Leave the network, in the time that the standard gives for it."""
        self._run(self.machine.terminate)
        with suppress(TimeoutError, SetupError):
            await self.unless_broken(asyncio.wait_for(self._settled.wait(), LEAVE_S))

    def close(self) -> None:
        """Hear nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._link.close()
        if self.failure.done() and not self.failure.cancelled():
            self.failure.exception()  # whoever waited for it has been told

    # How the machine is run

    def _heard(self, frame: bytes) -> None:
        self._trace(mme_event(frame, self._loop.time()))
        self._run(lambda now: self.machine.receive(frame, now))

    def _broken(self, error: LinkError) -> None:
        if not self.failure.done():
            self.failure.set_exception(SetupError(str(error)))

    def _run(self, step: Callable[[float], Sequence[Effect]]) -> None:
        for effect in step(self._loop.time()):
            self._carry_out(effect)
        if self.machine.modem.busy:
            self._settled.clear()
        else:
            self._settled.set()
        if self._timer is not None:
            self._timer.cancel()
        deadline = self.machine.next_deadline()
        # The loop may be early by its clock's resolution, so the machine is told the time that it waited for.
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._expire, deadline)

    def _expire(self, deadline: float) -> None:
        self._run(lambda now: self.machine.expire(max(now, deadline)))

    def _carry_out(self, effect: Effect) -> None:
        event = event_of(effect, at=self._loop.time(), side=self.side)
        if event is not None:
            self._trace(event)
        match effect:
            case Send(frame):
                self._trace(mme_event(frame, self._loop.time()))
                try:
                    self._link.send(frame)
                except LinkError as error:
                    self._broken(error)
            case Linked() | Unlinked() | Failed():
                self._told(effect)
            case _:  # Pilot: nothing is wired. Toggle: is not asked for without a pilot.
                pass
