"""What the two matching machines have in common: the own modem, the link, and the frame around every step.

    machine = Ev(mac, random)                       or Evse(mac, random)
    effects = machine.start(now)                    finds the modem
    effects = machine.pilot("B", 5.0, now)          the control pilot changed: state, duty cycle in percent
    effects = machine.receive(frame, now)           an Ethernet frame arrived
    effects = machine.expire(now)                   when now >= machine.next_deadline()
    effects = machine.terminate(now), .pause(now), .resume(now), .error(now)

Without I/O, clock or chance: `now` is in seconds, monotonic, and `random(n)` gives n random octets.
`next_deadline()` is None only where nothing but the control pilot or a call can change anything.

The link: JOINING, after the key is known at both ends, until the own modem says that it is in the network with that
NID and not alone. Then both may send an amplitude map, then MATCHED. A link that is lost, or that was paused, is
RESUMING: the key is kept, and for T_conn_resume the link may come back without matching.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final

from slac import keys
from slac.effects import ControlPilot, Effect, Failed, Kind, Linked, Reason, Remark, Send, State, Unlinked, failure
from slac.families import Identity, Network, Purpose
from slac.mme import Mme, MmeError, make, parse
from slac.modem import HEARD, Answer, Heard, KeySet, Modem
from slac.timing import Timers, Timing

IDENTIFY_AGAIN_S: Final = 2.0
"""A modem that is not there is looked for so often."""
AMP_MAP: Final = "amplitude map"
REMARKS: Final = 200
"""So many different things are remarked once in a run: enough for any neighbourhood, and not for a flood."""


class Machine:
    """One end. Subclasses have `_hear`, `_timeout`, `_ready`, `_plugged`, `_key_set`, `_diagnosed`, `_gone`."""

    def __init__(
        self,
        mac: bytes,
        random: Callable[[int], bytes],
        timing: Timing,
        *,
        accepted: tuple[int, ...],
        amp_map: tuple[int, ...],
    ) -> None:
        self.mac = mac
        self.random = random
        self.timing = timing
        self.amp_map = amp_map
        self.modem = Modem(mac, accepted)
        self.timers = Timers()
        self.now = 0.0
        self.state = State.STARTING
        self.cp = ControlPilot.A
        self.duty = 100.0
        self.link: Linked | None = None
        """From the moment when both ends know the key."""
        self.failed: Failed | None = None
        """The last failure."""
        self._effects: list[Effect] = []
        self._said: set[Hashable] = set()
        self._arrived = False
        self._checking = False
        self._amp_map_tries = 0
        self._bad_polls = 0

    # The face

    def start(self, now: float) -> list[Effect]:
        """Find the modem."""
        return self._run(now, lambda: self._modem(self.modem.identify(self.now)))

    def pilot(self, state: str, duty: float, now: float) -> list[Effect]:
        """The control pilot, whenever it changed: "A" to "F"; duty cycle in percent, 100 for no PWM."""
        return self._run(now, lambda: self._pilot(ControlPilot(state), duty))

    def receive(self, frame: bytes, now: float) -> list[Effect]:
        """An Ethernet frame arrived; whatever it is, this does not raise."""
        return self._run(now, lambda: self._receive(frame))

    def expire(self, now: float) -> list[Effect]:
        """Time has passed: call it when `now >= next_deadline()`; earlier it does nothing."""
        return self._run(now, self._expire)

    def next_deadline(self) -> float | None:
        """When to call `expire`; None: nothing is waited for but the control pilot or a call."""
        return min((at for at in (self.timers.next(), self.modem.next_deadline()) if at is not None), default=None)

    def terminate(self, now: float) -> list[Effect]:
        """D-LINK_TERMINATE: leave the network. Nothing begins again before the next plug-in or 5 % phase."""
        return self._run(now, self._terminate)

    def error(self, now: float) -> list[Effect]:
        """D-LINK_ERROR: leave the network and match again."""
        return self._run(now, self._error)

    def pause(self, now: float) -> list[Effect]:
        """D-LINK_PAUSE: the modems may sleep, the key is kept. Only a link that stands can pause."""
        return self._run(now, self._pause)

    def resume(self, now: float) -> list[Effect]:
        """Wake up."""
        return self._run(now, self._resume)

    # What subclasses fill in

    def _hear(self, mme: Mme) -> None:
        raise NotImplementedError

    def _timeout(self, name: str, of: Hashable) -> None:
        raise NotImplementedError

    def _ready(self) -> None:
        """The modem was found."""
        raise NotImplementedError

    def _plugged(self, before: tuple[ControlPilot, float]) -> None:
        """The control pilot changed."""
        raise NotImplementedError

    def _key_set(self, answer: KeySet) -> None:
        """The modem has been given a key."""
        raise NotImplementedError

    def _diagnosed(self, answer: Answer) -> None:
        """The modem told of its surroundings."""
        raise NotImplementedError

    def _gone(self, reason: Reason, what: str) -> None:
        """The link did not come up, or did not come back."""
        raise NotImplementedError

    def _terminate(self) -> None:
        raise NotImplementedError

    def _error(self) -> None:
        raise NotImplementedError

    # The frame around every step

    def _run(self, now: float, step: Callable[[], None]) -> list[Effect]:
        self.now = max(now, self.now)
        step()
        effects, self._effects = self._effects, []
        return effects

    def _expire(self) -> None:
        self._modem(self.modem.expire(self.now))
        while passed := self.timers.pop(self.now):
            name, of = passed
            if name == "identify again":
                self._modem(self.modem.identify(self.now))
            elif name == "TT_match_join":
                self._gone(Reason.LINK_NOT_UP, f"the key was set, and no link within {self.timing.TT_match_join:g} s")
            elif name == "T_conn_resume":
                self._gone(Reason.LINK_LOST, f"the link did not come back within {self.timing.T_conn_resume:g} s")
            elif name == "set the key again":
                self._rejoin()
            elif name == "TT_amp_map_exchange":
                self._amp_map_over()
            elif name == AMP_MAP:
                self._amp_map_silence()
            else:
                self._timeout(name, of)

    def _receive(self, frame: bytes) -> None:
        try:
            mme = parse(frame)
        except MmeError as error:
            self.remark(Kind.BAD_FRAME, str(error), once=(error.name, frame[6:12]))
            return
        if mme.source == self.mac or mme.source[0] & 1 or not (mme.destination == self.mac or mme.destination[0] & 1):
            return
        if mme.fragment != (0, 1) or "payload" in mme.fields:
            return  # nothing that is wanted here comes in fragments, or in a format that is not known
        if mme.name in HEARD:
            self._modem(self.modem.receive(mme, self.now))
        elif mme.name == "CM_AMP_MAP.REQ":
            self._amp_map_asked(mme)
        elif mme.name == "CM_AMP_MAP.CNF":
            self._amp_map_confirmed(mme)
        else:
            self._hear(mme)

    def _pilot(self, state: ControlPilot, duty: float) -> None:
        before = (self.cp, self.duty)
        self.cp, self.duty = state, duty
        if before != (state, duty):
            self._plugged(before)

    def effect(self, effect: Effect) -> None:
        self._effects.append(effect)

    def send(self, name: str, destination: bytes, *, mmv: int | None = None, **fields: Any) -> bytes:
        """Send a message; the frame, to send it again."""
        frame = make(name, destination=destination, source=self.mac, mmv=mmv, **fields)
        self.effect(Send(frame))
        return frame

    def remark(self, kind: Kind, text: str, *, once: Hashable = None, **data: object) -> None:
        """For the trace. `once`: what is remarked once in a run only, so that nobody floods the trace."""
        if once is not None:
            if (kind, once) in self._said or len(self._said) >= REMARKS:
                return
            self._said.add((kind, once))
        self.effect(Remark(kind, text, data))

    def foreign(self, mme: Mme, why: str) -> None:
        self.remark(Kind.FOREIGN, f"{mme.name} of {mme.source.hex(':')}: {why}; ignored", once=(mme.name, mme.source))

    def unexpected(self, mme: Mme) -> None:
        text = f"{mme.name} of {mme.source.hex(':')} while {self.state}; ignored"
        self.remark(Kind.UNEXPECTED, text, once=(mme.name, mme.source, self.state))

    def enter(self, state: State) -> None:
        if state is not self.state:
            self.remark(Kind.STATE, f"{self.state} -> {state}")
            self.state = state

    def fail(self, failed: Failed) -> None:
        """Matching is given up."""
        self.failed = failed
        self.enter(State.FAILED)
        self.effect(failed)

    def new_key(self) -> tuple[bytes, bytes]:
        """NID and NMK, drawn."""
        nmk = self.random(16)
        return keys.nid_from_nmk(nmk), nmk

    # The modem

    @property
    def absent(self) -> bool:
        """Whether the modem is missing, or useless."""
        return self.state is State.FAILED and self.failed is not None and self.failed.reason is Reason.NO_MODEM

    def _modem(self, heard: list[Heard]) -> None:
        for each in heard:
            if isinstance(each, Answer):
                self._answered(each)
            elif isinstance(each, Remark):
                self.remark(each.kind, each.text, once=each.text)
            else:
                self.effect(each)

    def _answered(self, answer: Answer) -> None:
        value = answer.value
        if isinstance(value, Identity):
            self.remark(Kind.MODEM, f"{value.family.name} modem {value.mac.hex(':')}, {value.version}")
            self._ready()
        elif answer.purpose is Purpose.IDENTIFY:
            self._no_modem("no modem answers on this interface")
        elif isinstance(value, KeySet):
            if not value.confirmed and value.verified is not True:
                self.remark(Kind.KEY, "the modem did not confirm the key; the link will show whether it has it")
            self._key_set(value)
        elif answer.purpose is Purpose.LINK:
            self._look(value)
        elif answer.purpose is Purpose.NETWORK and self._checking:
            self._checked(value)
        else:
            self._diagnosed(answer)

    def _no_modem(self, what: str) -> None:
        """It is looked for again and again."""
        self.timers.start("identify again", self.now, IDENTIFY_AGAIN_S)
        if self.modem.wants in (0, 4):
            what += ", but one asks for its firmware: it has not booted"
        if not self.absent:
            self.fail(failure(Reason.NO_MODEM, what))

    def watch(self, every_s: float | None) -> None:
        self._bad_polls = 0
        self._modem(self.modem.watch(every_s, self.now))

    # The link

    def join(self) -> None:
        """Both ends know the key: wait for the link. Its own modem's key is the caller's."""
        self.enter(State.JOINING)
        self._arrived = self._checking = False
        self.timers.start("TT_match_join", self.now, self.timing.TT_match_join)

    def resume_link(self) -> None:
        """Wait for the link to come back, with the key that both ends know."""
        self.enter(State.RESUMING)
        self._arrived = self._checking = False
        self.timers.start("T_conn_resume", self.now, self.timing.T_conn_resume)
        self.timers.start("set the key again", self.now, self.timing.T_conn_resume / 3)
        self.watch(self.timing.poll_joining)

    def drop_link(self, reason: str) -> bool:
        """Forget the link and its key; tell whether there was one."""
        if self.link is None:
            return False
        if self.state is State.MATCHED:
            self.effect(Unlinked(reason))
        self.link = None
        self._arrived = self._checking = False
        self.timers.cancel("TT_match_join", "T_conn_resume", "set the key again", "TT_amp_map_exchange", AMP_MAP)
        self.watch(None)
        return True

    def _look(self, up: bool | None) -> None:
        """The modem says whether there is a link; None: it says nothing."""
        if self.state in (State.JOINING, State.RESUMING):
            if up and not (self._arrived or self._checking):
                self._checking = True
                self._modem(self.modem.ask(Purpose.NETWORK, self.now))
        elif self.state is State.MATCHED:
            self._bad_polls = 0 if up else self._bad_polls + 1
            if self._bad_polls >= self.timing.polls_lost + (up is None):
                self._lost("the modem stopped answering" if up is None else "the modem reports no link any more")

    def _checked(self, network: Network | None) -> None:
        """The link is the one that is waited for, not that of a network in which the modem was before."""
        self._checking = False
        if self.link is None or self.state not in (State.JOINING, State.RESUMING):
            return
        if network is not None and network.nid != self.link.nid:
            text = "the modem is still in another network" if network.nid else "the modem is still in no network"
            self.remark(Kind.MODEM, text, once="another network")
            return
        self._arrived = True
        self.timers.cancel("TT_match_join", "T_conn_resume", "set the key again")
        self.watch(None)
        if self.state is State.RESUMING:
            self._matched()
            return
        self.timers.start("TT_amp_map_exchange", self.now, self.timing.TT_amp_map_exchange)
        if self.amp_map:
            self._amp_map_tries = 1 + self.timing.C_EV_match_retry
            self._send_amp_map()

    def _matched(self) -> None:
        assert self.link is not None
        self.enter(State.MATCHED)
        self.effect(self.link)
        self.watch(self.timing.poll_matched)

    def _lost(self, why: str) -> None:
        self.effect(Unlinked(why))
        self.resume_link()

    def _rejoin(self) -> None:
        """Perhaps the modem forgot the key while it slept or restarted."""
        if self.link is not None:
            self.remark(Kind.KEY, "the link is not back: the same key is set again")
            self._modem(self.modem.set_key(self.link.nid, self.link.nmk, self.now))

    def _pause(self) -> None:
        if self.state in (State.MATCHED, State.RESUMING):
            if self.state is State.MATCHED:
                self.effect(Unlinked("paused"))
            self.timers.cancel("T_conn_resume", "set the key again")
            self.watch(None)
            self.enter(State.PAUSED)

    def _resume(self) -> None:
        if self.state is State.PAUSED:
            self.resume_link()

    # The amplitude map

    def _send_amp_map(self) -> None:
        assert self.link is not None
        self._amp_map_tries -= 1
        self.send("CM_AMP_MAP.REQ", self.link.peer, am_data=self.amp_map)
        self.timers.start(AMP_MAP, self.now, self.timing.TT_match_response)

    def _amp_map_silence(self) -> None:
        """The peer did not answer ours."""
        if self._amp_map_tries:
            self._send_amp_map()
        else:
            self.remark(Kind.AMP_MAP, "the peer did not confirm the amplitude map")
            self._amp_map_over()

    def _amp_map_confirmed(self, mme: Mme) -> None:
        if self.link is None or mme.source != self.link.peer:
            self.foreign(mme, "not the peer")
        elif AMP_MAP not in self.timers:
            self.unexpected(mme)
        else:
            if mme.fields["result"]:
                self.remark(Kind.AMP_MAP, f"the peer refused the amplitude map: result {mme.fields['result']}")
            self.timers.cancel(AMP_MAP)
            self._amp_map_over()

    def _amp_map_asked(self, mme: Mme) -> None:
        """The peer's is confirmed and remarked. It is not handed to the own modem: no source that is known here says
        that a modem of any family takes an amplitude map from its host."""
        if self.link is None or mme.source != self.link.peer:
            self.foreign(mme, "not the peer")
        elif not self._arrived:
            self.unexpected(mme)
        elif not mme.fields["am_len"]:
            self.remark(Kind.INVALID, "an amplitude map without carriers is not answered")
        else:
            self.send("CM_AMP_MAP.CNF", mme.source, mmv=mme.mmv, result=0)
            self.remark(Kind.AMP_MAP, "the peer asks for less power", am_data=mme.fields["am_data"])

    def _amp_map_over(self) -> None:
        """The time for the peer's, or the answer to ours: the link is ready after both."""
        if self.state is State.JOINING and "TT_amp_map_exchange" not in self.timers and AMP_MAP not in self.timers:
            self._matched()
