"""The control pilot beside the sessions. During a matching, at either end: what is seen on it, and what the machine
wants of it. At an outlet always: paused sessions are over when the vehicle is unplugged."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from hlc.ports import EV, NO_PWM, ControlPilot, Outlet, PilotSignal
from hlc.trace.events import Note, Side, Trace
from slac.effects import Pilot, Toggle

if TYPE_CHECKING:
    from hlc.secc import PausedSessions

LOOK_S: Final = 0.05
"""The control pilot is looked at so often: a state that a vehicle toggles to lasts 0.2 s at least."""

log = logging.getLogger(__name__)


async def forget_unplugged(outlet: Outlet, sessions: PausedSessions, trace: Trace) -> None:
    """Forget the paused sessions of an outlet whenever its vehicle is unplugged, until cancelled.

    Where no control pilot is wired, as for a vehicle without a plug, nobody can tell: then they are kept.
    """
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(LOOK_S)
        if sessions.known and unplugged(outlet, loop.time()):
            text = f"the vehicle was unplugged: its paused sessions are forgotten ({sessions.known})"
            trace(Note(at=loop.time(), side=Side.SECC, text=text))
            sessions.forget()


def unplugged(outlet: Outlet, now: float) -> bool:
    """Whether the control pilot says so."""
    try:
        outlet.tick(now)
        return outlet.control_pilot() is ControlPilot.A
    except Exception as error:  # a driver's: the next session or matching tells of it
        log.debug("exception of a control pilot", exc_info=error)
        return False


class OutletPilot:
    """At an outlet: the state is measured, the duty cycle is the one that is shown."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._shown: ControlPilot | float = NO_PWM

    def seen(self, now: float) -> PilotSignal | None:
        """What is on the wire; None: there is none."""
        self._outlet.tick(now)
        state = self._outlet.control_pilot()
        if state is None:
            return None
        return PilotSignal(state, 0.0 if isinstance(self._shown, ControlPilot) else self._shown)

    def carry_out(self, effect: Pilot | Toggle) -> None:
        """Show what the machine wants."""
        assert isinstance(effect, Pilot)
        self._shown = effect.duty if effect.state is None else ControlPilot(effect.state)
        self.renew()

    def renew(self) -> None:
        """Show it once more: a session that ended meanwhile has switched the oscillator off."""
        self._outlet.show_pilot(self._shown)

    def rest(self) -> None:
        """Nothing here moves by itself."""


class VehiclePilot:
    """At a vehicle: state and duty cycle are measured, the state is changed by S2."""

    def __init__(self, ev: EV) -> None:
        self._ev = ev
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.TimerHandle | None = None

    def seen(self, now: float) -> PilotSignal | None:
        """What is on the wire; None: there is none."""
        self._ev.tick(now)
        return self._ev.control_pilot()

    def carry_out(self, effect: Pilot | Toggle) -> None:
        """Toggle as the machine wants."""
        assert isinstance(effect, Toggle)
        self.rest()
        self._half(2 * effect.times, effect.half_period_s)

    def renew(self) -> None:
        """Nothing here is shown for long."""

    def rest(self) -> None:
        """Back to B, if it toggles."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
            self._ready(False)

    def _half(self, left: int, seconds: float) -> None:
        """So many halves are left; C is the first of two."""
        self._next = self._loop.call_later(seconds, self._half, left - 1, seconds) if left > 1 else None
        self._ready(left % 2 == 0)

    def _ready(self, ready: bool) -> None:
        self._ev.tick(self._loop.time())
        self._ev.show_ready(ready=ready)
