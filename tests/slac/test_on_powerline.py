"""The machines behind modems of every family, on the simulated powerline."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from slac.effects import Effect, Failed, Linked, Pilot, Reason, Send, State, Unlinked
from slac.ev import Ev
from slac.evse import Evse
from slac.powerline import FAMILIES, Powerline
from slac.run import EvSettings

EV_MAC, EVSE_MAC = bytes.fromhex("02ee00000001"), bytes.fromhex("025e00000001")


class Cable:
    """A vehicle and an outlet, each with a modem."""

    def __init__(self, ev: str, evse: str, seed: int = 1, settings: EvSettings | None = None, **quirks: Any) -> None:
        self.line = Powerline(seed=seed)
        modems = self.line.modem("ev", family=ev), self.line.modem("evse", family=evse, **quirks)
        self.line.attenuation(*modems, 12.0)
        random = Random(seed)
        self.ev, self.evse = Ev(EV_MAC, random.randbytes, settings), Evse(EVSE_MAC, random.randbytes)
        self.modems = {self.ev: modems[0], self.evse: modems[1]}
        self.machines = {modem: machine for machine, modem in self.modems.items()}
        self.ends: dict[Any, list[Any]] = {self.ev: [], self.evse: []}
        self.plugged = False
        self.now = 0.0
        for machine in self.modems:
            self.do(machine, machine.start(0.0))

    def do(self, machine: Any, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self.modems[machine].from_host(effect.frame, self.now)
            elif isinstance(effect, Pilot):
                self.show(effect.state or ("B" if self.plugged else "A"), effect.duty)
            elif isinstance(effect, Linked | Unlinked | Failed):
                self.ends[machine].append(effect)

    def show(self, state: str, duty: float) -> None:
        for machine in self.modems:
            self.do(machine, machine.pilot(state, duty, self.now))

    def plug(self, state: str) -> None:
        self.plugged = state != "A"
        self.show(state, self.evse.duty)

    def run(self, seconds: float, state: State | None = None) -> bool:
        end = self.now + seconds
        while state is None or any(machine.state is not state for machine in self.modems):
            deadlines = [self.line.next_deadline(), *(machine.next_deadline() for machine in self.modems)]
            first = min((at for at in deadlines if at is not None), default=end + 1)
            if first > end:
                self.now = end
                return False
            self.now = max(self.now, first)
            for modem, frame in self.line.expire(self.now):
                self.do(self.machines[modem], self.machines[modem].receive(frame, self.now))
            for machine in self.modems:
                self.do(machine, machine.expire(self.now))
        return True


@pytest.mark.parametrize("evse", sorted(FAMILIES))
@pytest.mark.parametrize("ev", sorted(FAMILIES))
def test_every_family_with_every_other(ev: str, evse: str) -> None:
    cable = Cable(ev, evse, settings=EvSettings(amp_map=(1, 2)), groups=58)
    assert cable.run(20, State.UNMATCHED)
    for _ in range(2):
        cable.plug("B")
        began = cable.now
        assert cable.run(25, State.MATCHED), (cable.ev.state, cable.evse.state, cable.ends)
        assert cable.ends[cable.ev][-1].nmk == cable.ends[cable.evse][-1].nmk == cable.modems[cable.ev].nmk
        assert cable.now - began < 2 + FAMILIES[ev].restart_s + FAMILIES[ev].join_s
        cable.plug("A")
        cable.run(1)
        assert cable.modems[cable.ev].network is None
        cable.run(8)  # both modems have new keys, and restart


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_link_loss_is_seen_with_every_family(family: str) -> None:
    cable = Cable(family, family, groups=58)
    cable.run(20, State.UNMATCHED)
    cable.plug("B")
    assert cable.run(25, State.MATCHED)
    cable.modems[cable.ev].power(False, cable.now)
    cable.run(4)
    assert isinstance(cable.ends[cable.evse][-1], Unlinked)
    assert isinstance(cable.ends[cable.ev][-1], Unlinked)
    cable.modems[cable.ev].power(True, cable.now)
    assert cable.run(60, State.MATCHED)


def test_a_modem_that_does_not_measure() -> None:
    cable = Cable("qca7000", "qca7420")
    cable.run(20)
    cable.plug("B")
    cable.run(30)
    assert cable.ends[cable.ev][-1].reason is Reason.NO_ATTENUATION
