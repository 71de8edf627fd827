"""A vehicle is plugged in at an outlet: SLAC over a simulated powerline in virtual time, as trace events.

    arrival = Arrival()
    for event in arrival.events(): ...
    assert arrival.matched

What is on the line is told as well (`Mme`). The time is 0 when the plug goes in; the modems are ready by then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlc.sim.site import Site
from hlc.trace.events import Event, Side
from hlc.trace.matching import event_of, mme_event
from slac.effects import State
from slac.powerline import Carried
from slac.powerline import Event as OnTheLine

READY_S: Final = 60.0
"""By then every modem is ready."""
SILENT_S: Final = 1.0
"""A modem that has taken a key hears nothing for a while."""
LATEST_S: Final = 60.0
STEP_S: Final = 0.02


class Arrival:
    """One vehicle, one outlet. `seed` makes keys, noise and delays."""

    def __init__(self, *, seed: int = 1) -> None:
        # Modems that are quick to take a key: the silence of 6 s of some would be nothing to watch.
        self.site = site = Site(seed=seed)
        self.outlet = site.outlet(restart_s=0.1, join_s=0.5)
        self.vehicle = site.vehicle(restart_s=0.1, join_s=0.5)
        self._ends = {self.outlet.name: Side.SECC, self.vehicle.name: Side.EVCC}
        ready = (self.outlet.machine, self.vehicle.machine)
        site.run(READY_S, until=lambda: all(machine.state is State.UNMATCHED for machine in ready))
        site.run(SILENT_S)
        self._zero = site.now
        self._told = len(site.story)
        self._fresh: list[Event] = []
        site.line.observer = self._on_the_line

    @property
    def now(self) -> float:
        return self.site.now - self._zero

    @property
    def matched(self) -> bool:
        """Whether the link stands at both ends."""
        return all(end.machine.state is State.MATCHED for end in (self.outlet, self.vehicle))

    def events(self) -> Iterator[Event]:
        """Plug in; everything until the link stands, or both have given up."""
        self.site.plug(self.vehicle, self.outlet)
        while not self._over():
            self.site.run(STEP_S, until=self._over)
            yield from self._take()

    def _over(self) -> bool:
        given_up = all(end.machine.state is State.FAILED for end in (self.outlet, self.vehicle))
        return self.matched or given_up or self.now > LATEST_S

    def _take(self) -> list[Event]:
        for happened in self.site.story[self._told :]:
            event = event_of(happened.effect, at=happened.at - self._zero, side=self._ends[happened.who])
            if event is not None:
                self._fresh.append(event)
        self._told = len(self.site.story)
        events, self._fresh = sorted(self._fresh, key=lambda event: event.at), []
        return events

    def _on_the_line(self, event: OnTheLine) -> None:
        if isinstance(event, Carried):
            self._fresh.append(mme_event(event.frame, event.at - self._zero))
