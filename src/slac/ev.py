"""The vehicle's half of a matching (ISO 15118-3 annex A, DIN SPEC 70121): when it begins and when it is over.

It begins when the outlet shows 5 %, and goes through one run after the other (`run`), each with a run id of its own,
until an outlet is found or the time for it is over. `machine` has the link, `modem` the key.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

from slac import run
from slac.effects import ControlPilot, Kind, Reason, State, failure
from slac.families import Purpose
from slac.modem import Answer
from slac.run import EvSettings, Run, Step

TIMERS: Final[Mapping[str, Callable[[Ev], None]]] = {
    **run.TIMERS,
    "TT_matching_rate": lambda ev: ev.run(),
    "T_conn_max_comm": lambda ev: ev.no_duty_cycle(),
    "T_conn_resetup": lambda ev: ev.no_new_phase(),
}


class Ev(Run):
    """A vehicle."""

    def __init__(self, mac: bytes, random: Callable[[int], bytes], settings: EvSettings | None = None) -> None:
        super().__init__(mac, random, settings)
        self._matchings = 0
        self._repeat_until = 0.0
        self._resetups = 0
        self._retriggered = False
        self._woken = False
        self._ending: tuple[Reason, str] | None = None
        """Of the last run since plugging in that heard an outlet."""
        self._nobody = ""
        """What became of the last run, if it heard none."""
        self._diagnosis: dict[Purpose, Any] = {}

    def _offered(self, state: ControlPilot, duty: float) -> bool:
        """Whether the outlet asks for digital communication."""
        return state.connected and 3.0 <= duty <= 7.0

    def _plugged(self, before: tuple[ControlPilot, float]) -> None:
        was, offered = self._offered(*before), self._offered(self.cp, self.duty)
        if self.cp is ControlPilot.A:
            self._resetups = 0
            self._ending, self._nobody = None, ""
            self._retriggered = False
            self._stop("unplugged")
        elif not self.cp.connected:
            self._retriggered = True
            if self.state in (State.MATCHING, State.JOINING):
                self._stop(f"the outlet shows state {self.cp}")
        elif offered and not was:
            self._new_phase()
        elif was and not offered and self.state is State.MATCHING:
            self._stop("the outlet ended the 5 % duty cycle")
        if self.cp.connected and not offered and self.state is State.UNMATCHED:
            if "T_conn_max_comm" not in self.timers:
                self.timers.start("T_conn_max_comm", self.now, self.timing.T_conn_max_comm)
        else:
            self.timers.cancel("T_conn_max_comm")

    def _new_phase(self) -> None:
        again, self._retriggered = self._retriggered, False
        self.timers.cancel("T_conn_resetup")
        if self.state in (State.MATCHED, State.RESUMING) and again:
            self._stop("the outlet asks for a new matching")
        if self.state in (State.UNMATCHED, State.FAILED):
            self._begin()
        elif self.state is State.PAUSED:
            self._woken = True
            self.resume_link()

    def _ready(self) -> None:
        self.failed = None
        self.enter(State.UNMATCHED)
        if self._offered(self.cp, self.duty):
            self._begin()

    def no_duty_cycle(self) -> None:
        """The outlet never offered communication, or gave it up after runs that failed."""
        shown = f"the control pilot is in state {self.cp} with {self.duty:g} %"
        if self._ending or self._nobody:
            reason, what = self._told
            self.fail(failure(reason, f"{what}; now {shown}"))
        else:
            self.fail(failure(Reason.NO_DUTY_CYCLE, shown))

    def no_new_phase(self) -> None:
        what = f"the link was lost, and the outlet began no new 5 % phase in {self.timing.T_conn_resetup:g} s"
        self.fail(failure(Reason.LINK_LOST, what))

    def _stop(self, reason: str) -> None:
        """End whatever goes on, forget the key."""
        for timer in TIMERS:
            self.timers.cancel(timer)
        self.step, self.run_id = Step.NONE, None
        if self.drop_link(reason):
            self.remark(Kind.KEY, "the modem gets a random key: it leaves the network")
            self._modem(self.modem.set_key(*self.new_key(), self.now))
        if self.modem.identity:
            self.enter(State.UNMATCHED)

    def _terminate(self) -> None:
        self._stop("terminated")

    def _error(self) -> None:
        self._resetups += self.link is not None
        self._stop("error")
        if self._resetups > self.timing.C_conn_max_match:
            self.fail(failure(Reason.LINK_LOST, f"the link was lost {self._resetups} times"))
        elif self.cp.connected:
            self.timers.start("T_conn_resetup", self.now, self.timing.T_conn_resetup)

    def _resume(self) -> None:
        self._woken = self.state is State.PAUSED
        super()._resume()

    def _gone(self, reason: Reason, what: str) -> None:
        woken, self._woken = self._woken, False
        if reason is Reason.LINK_LOST and not (woken and self._offered(self.cp, self.duty)):
            self._error()
        elif reason is Reason.LINK_LOST:
            self._stop(what)
            self._begin()
        else:
            self._stop(what)
            self.enter(State.MATCHING)
            self._repeat_until = self.now + self.timing.TT_matching_repetition
            self._run_failed(reason, f"{what}: {self.chosen}")

    def _matched(self) -> None:
        self._ending, self._nobody = None, ""
        super()._matched()

    # Runs

    def _begin(self) -> None:
        if self.modem.identity is None:
            return
        self._matchings = self._strangers = 0
        self._excluded, self._doubtful = {}, {}
        self._nobody = ""
        self.failed = None
        self._repeat_until = self.now + self.timing.TT_matching_repetition
        self.enter(State.MATCHING)
        self.run()

    def _run_failed(self, reason: Reason, what: str) -> None:
        """Try again in a new run while that is allowed; otherwise find out more and give up."""
        # Unanswered requests are no matchings: an outlet's modem may still be restarting, and vehicles ask for long.
        self._matchings += bool(self.candidates)
        if self.candidates:
            self._ending, self._nobody = (reason, what), ""
        else:
            self._nobody = what
        if self.now < self._repeat_until and self._matchings < self.timing.C_conn_max_match:
            self.remark(Kind.RETRY, what, reason=reason)
            self.step = Step.PAUSE
            self.timers.start("TT_matching_rate", self.now, self.timing.TT_matching_rate)
            return
        self.step = Step.DIAGNOSIS
        self._diagnosis = {}
        self._modem(self.modem.ask(Purpose.NEIGHBOURS, self.now))
        self._modem(self.modem.ask(Purpose.NETWORK, self.now))

    @property
    def _told(self) -> tuple[Reason, str]:
        """Why matching failed: that an outlet was heard tells more than that later runs heard none."""
        if self._ending is None:
            return Reason.NO_EVSE, self._nobody
        reason, what = self._ending
        return reason, f"{what}; later {self._nobody}" if self._nobody else what

    def _diagnosed(self, answer: Answer) -> None:
        self._diagnosis[answer.purpose] = answer.value
        if answer.purpose is Purpose.NEIGHBOURS:
            self._around = answer.value
        if self.step is not Step.DIAGNOSIS or len(self._diagnosis) < 2:
            return
        self.step = Step.NONE
        reason, what = Reason.NO_EVSE, self._nobody
        network, neighbours = self._diagnosis[Purpose.NETWORK], self._diagnosis[Purpose.NEIGHBOURS]
        if not what:
            pass
        elif network is None and neighbours is None:
            self._no_modem("the modem does not answer any more")
            return
        elif network and network.coordinator:
            reason, what = Reason.WRONG_ROLE, f"{what}, and the own modem coordinates a network itself"
        elif self._strangers:
            reason, what = Reason.INTERFERENCE, f"{what}, but {self._strangers} frames of other runs were heard"
        elif neighbours is not None and not any(neighbours):
            reason, what = Reason.NO_CCO, f"{what}, and the modem hears no other modem"
        self._nobody = what
        if self._ending:
            reason, what = self._told
        self.fail(failure(reason, what))

    def _timeout(self, name: str, of: Hashable) -> None:
        TIMERS[name](self)
