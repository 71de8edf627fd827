"""SLAC on an interface: a machine of `slac` on raw Ethernet, its effects carried out and reported.

Here frames, the control pilot and the time go into the machine, and what it asks for comes out. Whoever holds a
`Matching` is told of the link: `told` is called with `Linked`, `Unlinked` and `Failed`.

Where no control pilot is wired, state B with 5 % is assumed: a plug is in for as long as this runs.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from hlc.ports import COMMUNICATION, EV, NO_PWM, ControlPilot, Outlet, PilotSignal
from hlc.runtime.errors import SetupError
from hlc.runtime.interfaces import known
from hlc.runtime.pilot import LOOK_S, OutletPilot, VehiclePilot
from hlc.trace.events import MatchingRemark, Side, Trace
from hlc.trace.matching import event_of, mme_event
from slac.effects import Effect, Failed, Linked, Pilot, Send, State, Toggle, Unlinked
from slac.link import Link, LinkError
from slac.timing import Timing

if TYPE_CHECKING:
    from slac.ev import Ev
    from slac.evse import Evse

LEAVE_S: Final = Timing().TP_match_leave
"""To leave the network at the end."""
ASSUMED: Final = "no control pilot is wired: state B with 5 % is assumed while this runs"

log = logging.getLogger(__name__)

Outcome = Linked | Unlinked | Failed
T = TypeVar("T")


def opened(interface: str, advice: str = "") -> Link:
    """The raw interface. Raises `SetupError`, with `advice` behind it."""
    known(interface)
    try:
        return Link(interface)
    except LinkError as error:
        raise SetupError(f"{error}{advice}") from error


class Matching:
    """One end. `machine` is an `Ev` or an `Evse` with the MAC address of the interface; `pilot` is None where none is
    wired."""

    def __init__(
        self,
        side: Side,
        machine: Ev | Evse,
        link: Link,
        trace: Trace,
        told: Callable[[Outcome], None],
        pilot: OutletPilot | VehiclePilot | None = None,
    ) -> None:
        self.machine = machine
        self.side = side
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises `SetupError` when the interface is gone."""
        self._link = link
        self._trace = trace
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._pilot = pilot
        self._looking: asyncio.TimerHandle | None = None
        self._seen = PilotSignal(ControlPilot.A, NO_PWM)
        """On the control pilot, last."""
        self._settled = asyncio.Event()
        """The modem has no new key that it has not confirmed."""

    @classmethod
    def of_vehicle(cls, link: Link, trace: Trace, told: Callable[[Outcome], None], ev: EV | None = None) -> Matching:
        """The vehicle's end. It validates by toggling where a control pilot is wired."""
        from slac.ev import Ev  # either end does without the other's machine
        from slac.run import EvSettings

        pilot = wired(VehiclePilot(ev)) if ev is not None else None
        settings = EvSettings(validation=pilot is not None)
        return cls(Side.EVCC, Ev(link.mac, secrets.token_bytes, settings), link, trace, told, pilot)

    @classmethod
    def of_outlet(
        cls,
        link: Link,
        trace: Trace,
        told: Callable[[Outcome], None],
        outlet: Outlet | None = None,
        *,
        wait_s: float = Timing().TT_EVSE_SLAC_init,
    ) -> Matching:
        """The outlet's end. Where no control pilot tells that a vehicle is there, it is waited for so long."""
        from slac.evse import Evse, EvseSettings

        pilot = wired(OutletPilot(outlet)) if outlet is not None else None
        if pilot is not None:
            settings = EvseSettings(validation=True)
        else:  # what cannot show E or F need not try to start a vehicle again by them
            settings = EvseSettings(timing=Timing(TT_EVSE_SLAC_init=wait_s, C_sequ_retry=0))
        return cls(Side.SECC, Evse(link.mac, secrets.token_bytes, settings), link, trace, told, pilot)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Find the modem, and match as soon as it is ready and a plug is in."""
        self._link.listen(self._heard, lambda error: self._broken(str(error)))
        self._run(self.machine.start)
        if self._pilot is None:
            self._feel(PilotSignal(ControlPilot.B, COMMUNICATION))
        else:
            self._look()

    @property
    def wired(self) -> bool:
        """Whether there is a control pilot."""
        return self._pilot is not None

    def again(self) -> None:
        """Leave the network and match anew, unless a new matching goes on already.

        Where a control pilot is wired the outlet starts it, by E or F before 5 %; otherwise it is as if the plug was
        pulled and put in.
        """
        if self._pilot is None:
            self._feel(PilotSignal(ControlPilot.A, NO_PWM))
            self._feel(PilotSignal(ControlPilot.B, COMMUNICATION))
        elif self.machine.state not in (State.MATCHING, State.JOINING):
            self._run(self.machine.error)

    def part(self) -> None:
        """Leave the network; where a control pilot is wired, until the next plug or until the vehicle wakes us."""
        if self._pilot is None:
            self.again()
        else:
            self._run(self.machine.terminate)

    def pause(self) -> None:
        """The vehicle has paused its session, and is to find the same network when it wakes. Where no control pilot is
        wired nobody would tell of that: then the link stays as it is."""
        if self._pilot is not None:
            self._run(self.machine.pause)

    def renew_pilot(self) -> None:
        """Show on the control pilot once more what is to be shown: a session that ended has switched it off."""
        if self._pilot is not None:
            self._pilot.renew()

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
        """Hear and do nothing any more."""
        for timer in (self._timer, self._looking):
            if timer is not None:
                timer.cancel()
        if self._pilot is not None:
            self._pilot.rest()
        self._link.close()
        if self.failure.done() and not self.failure.cancelled():
            self.failure.exception()  # whoever waited for it has been told

    # How the machine is run

    def _heard(self, frame: bytes) -> None:
        self._trace(mme_event(frame, self._loop.time()))
        self._run(lambda now: self.machine.receive(frame, now))

    def _broken(self, why: str) -> None:
        if not self.failure.done():
            self.failure.set_exception(SetupError(why))

    def _look(self) -> None:
        """At the control pilot, now and then again."""
        assert self._pilot is not None
        try:
            signal = self._pilot.seen(self._loop.time())
        except Exception as error:  # a driver's
            log.debug("exception of a control pilot", exc_info=error)
            self._broken(f"the control pilot cannot be read: {type(error).__name__}: {error}")
            return
        self._looking = self._loop.call_later(LOOK_S, self._look)
        if signal is not None and signal != self._seen:
            self._tell(signal)
            self._feel(signal)

    def _tell(self, signal: PilotSignal) -> None:
        """In the trace, without what a measurement wavers."""
        if (signal.state, round(signal.duty)) != (self._seen.state, round(self._seen.duty)):
            duty = f" with {signal.duty:.0f} %" if signal.state.connected else ""
            text = f"control pilot in state {signal.state.value}{duty}"
            data = {"state": signal.state.value, "duty": signal.duty}
            at = self._loop.time()
            self._trace(MatchingRemark(at=at, side=self.side, kind="control pilot", text=text, data=data))

    def _feel(self, signal: PilotSignal) -> None:
        """The control pilot has changed."""
        before, self._seen = self._seen.state, signal
        self._run(lambda now: self.machine.pilot(signal.state.value, signal.duty, now))
        # A vehicle that wants to talk again after its session toggles, as long as nothing is offered to it.
        woken = before is ControlPilot.B and signal.state is ControlPilot.C and self.side is Side.SECC
        idle = self.machine.state in (State.UNMATCHED, State.FAILED, State.PAUSED)
        if woken and idle and not self.machine.absent:
            self._run(self.machine.resume)

    def _run(self, step: Callable[[float], Sequence[Effect]]) -> None:
        for effect in step(self._loop.time()):
            self._carry_out(effect)
        if self.machine.modem.busy:
            self._settled.clear()
        else:
            self._settled.set()
        if self._pilot is not None and self.machine.state is not State.MATCHING:
            self._pilot.rest()  # the plug was pulled, or the link needs no toggles any more
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
                    self._broken(str(error))
            case Pilot() | Toggle() if self._pilot is not None:
                self._pilot.carry_out(effect)
            case Linked() | Unlinked() | Failed():
                self._told(effect)
            case _:
                pass


P = TypeVar("P", OutletPilot, VehiclePilot)


def wired(pilot: P) -> P | None:
    """None: there is nothing on that port."""
    return None if pilot.seen(asyncio.get_running_loop().time()) is None else pilot
