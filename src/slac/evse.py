"""The outlet's half of a matching (ISO 15118-3 annex A, DIN SPEC 70121).

Every vehicle in range gets a session, by MAC address and run id; the one that asks for the key is matched, and the
others are dropped. The control pilot asks for digital communication by 5 %, and for a new attempt by E or F before it.
The key is drawn when nobody waits for it: at the start, and as soon as one that was given away is needed no more.
`machine` has the link, `session` what a vehicle's sounds gave.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Final, NamedTuple

from slac.effects import ControlPilot, Effect, Kind, Linked, Pilot, Reason, Send, State, failure
from slac.families import Purpose
from slac.machine import Machine
from slac.mme import Mme
from slac.modem import Answer, KeySet
from slac.session import FAILURES, WITH_RESULTS, Key, Session, Step, average
from slac.timing import Timing
from slac.toggles import Toggles

HEARS: Final[Mapping[str, Callable[[Evse, Mme, Session], None]]] = {
    "CM_START_ATTEN_CHAR.IND": lambda evse, mme, session: evse.announced(mme, session),
    "CM_MNBC_SOUND.IND": lambda evse, mme, session: evse.sound(session),
    "CM_ATTEN_CHAR.RSP": lambda evse, mme, session: evse.thanked(mme, session),
    "CM_SLAC_MATCH.REQ": lambda evse, mme, session: evse.match(mme, session),
}
"""What a vehicle says in a session. CM_SLAC_PARM.REQ opens one; the others below come without run id."""

PROFILES: Final = ("CM_ATTEN_PROFILE.IND", "VS_ATTENUATION_CHARACTERISTICS.IND")
"""What the own modem says of a sound."""

OTHERS: Final = ("CM_SLAC_PARM.CNF", "CM_ATTEN_CHAR.IND", "CM_VALIDATE.CNF", "CM_SLAC_MATCH.CNF")
"""What outlets say: modems configured for an outlet do not show it."""

TIMERS: Final[Mapping[str, Callable[[Evse], None]]] = {
    "TT_EVSE_SLAC_init": lambda evse: evse.no_request(),
    "control pilot": lambda evse: evse.next_show(),
}
SESSION_TIMERS: Final[Mapping[str, Callable[[Evse, Session], None]]] = {
    "TT_match_sequence": lambda evse, session: evse.session_over(session),
    "TT_EVSE_match_MNBC": lambda evse, session: evse.report(session),
    "TT_match_response": lambda evse, session: evse.not_thanked(session),
    "TT_EVSE_match_session": lambda evse, session: evse.session_over(session),
    "TT_EVSE_vald_toggle": lambda evse, session: evse.toggles.counted(session),
}

COMMUNICATION: Final = Pilot(None, 5.0)
IDLE: Final = Pilot(None, 100.0)


class EvseSettings(NamedTuple):
    validation: bool = False
    """Whether the control pilot is watched closely enough to count toggles; if not, a vehicle that asks is told that
    validation failed."""
    offset_db: int = 0
    """Added to the attenuation: what cable and coupling of this outlet take off."""
    unmeasured_db: int | None = None
    """Attenuation to report where sounds came and the modem measures none. None: no report; then a vehicle does not
    come here, and does not come here by mistake either."""
    keep_key: bool = False
    """DIN SPEC 70121: NID and NMK stay the same from plugging in to unplugging."""
    retrigger: ControlPilot = ControlPilot.F
    """E or F: which of them starts vehicles again."""
    amp_map: tuple[int, ...] = ()
    """Reduction of power for each carrier, 0 to 15, to ask the vehicle for; empty: none."""
    accepted: tuple[int, ...] = (0, 1)
    """Results in CM_SET_KEY.CNF that mean success."""
    timing: Timing = Timing()


class Evse(Machine):
    """An outlet. `sessions`: the vehicles that were heard, while they are of interest."""

    def __init__(self, mac: bytes, random: Callable[[int], bytes], settings: EvseSettings | None = None) -> None:
        self.settings = settings = settings or EvseSettings()
        super().__init__(mac, random, settings.timing, accepted=settings.accepted, amp_map=settings.amp_map)
        self.key = (b"", b"")
        """NID and NMK."""
        self.sessions: dict[Key, Session] = {}
        self._given: bytes | None = None
        """The vehicle that was given the key."""
        self._shown: Pilot | None = None
        self._fault = Pilot(settings.retrigger, 0.0)
        self._shows: list[tuple[Pilot, float]] = []
        self._offering = True
        self._attempts = self.timing.C_sequ_retry
        self._last = (Reason.NO_EV, "")
        self._diagnosing = False
        self._woken = False
        self.toggles: Toggles = Toggles(self)

    # The key

    def _ready(self) -> None:
        self._new_key()

    def _new_key(self) -> None:
        self.key = self.new_key()
        self._given = None
        self.remark(Kind.KEY, "a new key", nid=self.key[0])
        self._modem(self.modem.set_key(*self.key, self.now, verify=True))

    def _key_set(self, answer: KeySet) -> None:
        if answer.nmk != self.key[1] or self.link is not None:
            return
        if answer.verified is False or not (answer.confirmed or answer.verified):
            self._stop("the modem does not take the key")
            silent = not answer.confirmed and answer.verified is None
            self._no_modem("the modem does not answer" if silent else "the modem answers, and does not take a key")
        elif self.state is State.STARTING or self.absent:
            self.failed = None
            self.enter(State.UNMATCHED)
            self._show(IDLE)
            if self.cp.connected:
                self._offer()

    # The control pilot, and what is begun and ended by it

    def _show(self, pilot: Pilot) -> None:
        if pilot != self._shown:
            self._shown = pilot
            self.effect(pilot)

    def _show_all(self, *shows: tuple[Pilot, float]) -> None:
        """One after the other, each for so many seconds; after the last one matching begins, where that is 5 %."""
        self._shows = list(shows)
        self.next_show()

    def next_show(self) -> None:
        if self._shows:
            pilot, seconds = self._shows.pop(0)
            self._show(pilot)
            self.timers.start("control pilot", self.now, seconds)
        elif self._shown == COMMUNICATION:
            self._offer()

    @property
    def _showing(self) -> bool:
        """Whether the control pilot goes through steps of ours."""
        return "control pilot" in self.timers

    def _plugged(self, before: tuple[ControlPilot, float]) -> None:
        was = before[0]
        if was is ControlPilot.C and self.cp is ControlPilot.B:
            self.toggles.seen()
        ready = self.state is not State.STARTING and not self.absent
        if self.cp is ControlPilot.A or not (self.cp.connected or self._showing):
            self._stop(
                "unplugged" if self.cp is ControlPilot.A else f"control pilot in state {self.cp}", unplugged=True
            )
            self._offering = True
            if ready:
                self._show(IDLE)
        elif self.cp.connected and not was.connected and self._offering and self.state is State.UNMATCHED:
            self._attempts = self.timing.C_sequ_retry
            self._offer()

    def _offer(self) -> None:
        """5 %: wait for a vehicle."""
        self.enter(State.MATCHING)
        self._said.clear()
        self._show(COMMUNICATION)
        self.timers.start("TT_EVSE_SLAC_init", self.now, self.timing.TT_EVSE_SLAC_init)

    def no_request(self) -> None:
        """No vehicle, or none any more."""
        if self._last[0] is Reason.NO_EV:
            text = f"no CM_SLAC_PARM.REQ in {self.timing.TT_EVSE_SLAC_init:g} s of 5 %"
            self._last = (Reason.NO_EV, text)
        self._again_or_fail()

    def _again_or_fail(self) -> None:
        """Ask for another attempt by E or F, and give up when that did not help."""
        reason, what = self._last
        if self._attempts > 0:
            self._attempts -= 1
            self.remark(Kind.RETRY, f"{what}: {self.settings.retrigger} on the control pilot", reason=reason)
            self.enter(State.MATCHING)
            timing = self.timing
            self._show_all((self._fault, timing.T_step_EF), (IDLE, timing.X1_after_EF), (COMMUNICATION, 0.0))
        else:
            self._diagnosing = True
            self._modem(self.modem.ask(Purpose.NETWORK, self.now))

    def _diagnosed(self, answer: Answer) -> None:
        if not self._diagnosing or answer.purpose is not Purpose.NETWORK:
            return
        self._diagnosing = False
        (reason, what), network = self._last, answer.value
        if network is None and reason is Reason.NO_EV:
            self._show(IDLE)
            self._no_modem("the modem does not answer any more")
            return
        if reason is Reason.NO_EV and network is not None and not network.coordinator:
            reason = Reason.WRONG_ROLE
            what = f"{what}, and the own modem does not coordinate a network"
        self._stop(what)
        self.fail(failure(reason, what))
        self._show(IDLE)

    def _stop(self, reason: str, *, unplugged: bool = False) -> None:
        """End whatever goes on; the key is not used again."""
        for session in list(self.sessions.values()):
            self._drop(session)
        self._shows = []
        self.timers.cancel(*TIMERS)
        self._diagnosing = False
        self._last = (Reason.NO_EV, "")
        self.drop_link(reason)
        if self._given is not None and (unplugged or not self.settings.keep_key):
            self._new_key()
        if self.state is not State.STARTING and not self.absent:
            self.enter(State.UNMATCHED)

    def _terminate(self) -> None:
        """Nothing is offered before `resume` or the next vehicle."""
        self._stop("terminated")
        self._offering = False
        self._show(IDLE)

    def _error(self) -> None:
        self._stop("error")
        self._attempts = self.timing.C_sequ_retry
        self._last = (Reason.LINK_LOST, "the session ended with an error")
        if self.cp.connected and self.state is State.UNMATCHED:
            self._again_or_fail()

    def _pause(self) -> None:
        super()._pause()
        if self.state is State.PAUSED:
            self._show(IDLE)

    def _resume(self) -> None:
        """Wake the vehicle: by 5 %, with the old key; or begin anew."""
        if self.state is State.PAUSED:
            self._woken = True
            self._show(COMMUNICATION)
            super()._resume()
        elif self.state in (State.UNMATCHED, State.FAILED) and self.cp.connected and self.modem.identity:
            self._attempts = self.timing.C_sequ_retry
            self._offering = True
            self._offer()

    def basic(self, duty: float, now: float) -> list[Effect]:
        """Basic charging with this duty cycle instead, because the user was authorised otherwise (AC)."""
        return self._run(now, lambda: self._basic(duty))

    def _basic(self, duty: float) -> None:
        started = bool(self.sessions or self.link)
        self._stop("basic charging")
        self._offering = False
        if self.cp.connected:
            first = (IDLE, self.timing.T_step_X1) if started else (self._fault, self.timing.T_step_EF)
            self._show_all(first, (Pilot(None, duty), 0.0))

    def _gone(self, reason: Reason, what: str) -> None:
        woken, self._woken = self._woken, False
        self._stop(what)
        self._last = (reason, what)
        if woken and reason is Reason.LINK_LOST:
            self._offer()
        elif self.cp.connected:
            self._again_or_fail()

    # Sessions

    def _hear(self, mme: Mme) -> None:
        if mme.name in OTHERS:
            self.foreign(mme, "another outlet's, which a modem configured for an outlet does not show")
        elif mme.name in PROFILES:
            self._profile(mme)
        elif mme.name == "CM_SLAC_PARM.REQ":
            self._requested(mme)
        elif mme.name == "CM_VALIDATE.REQ":
            self.toggles.asked(mme)
        elif mme.name in HEARS:
            session = self.sessions.get((mme.source, mme.fields["run_id"]))
            if session is None:
                self.foreign(mme, "no session of ours")
            elif self._sound_types(mme):
                HEARS[mme.name](self, mme, session)

    def _sound_types(self, mme: Mme) -> bool:
        if mme.fields["application_type"] or mme.fields["security_type"]:
            self.remark(Kind.INVALID, f"{mme.name}: application or security type not 0; ignored", once=mme.source)
            return False
        return True

    def _requested(self, mme: Mme) -> None:
        """CM_SLAC_PARM.REQ. A neighbour's never disturbs a vehicle that has the key."""
        key = (mme.source, mme.fields["run_id"])
        if self.link is not None and mme.source != self.link.peer:
            self.foreign(mme, "another vehicle is matched")
        elif self.state is State.MATCHED or self._showing:
            self.unexpected(mme)
        elif self.state not in (State.MATCHING, State.JOINING, State.RESUMING, State.PAUSED):
            self.foreign(mme, "no vehicle is plugged in here that was offered communication")
        elif self._sound_types(mme):
            if self.link is not None:
                self.remark(Kind.REPEATED, "the vehicle that has the key begins a new run")
                self.drop_link("the vehicle matches again")
                self.sessions.clear()
                self.enter(State.MATCHING)
                self._show(COMMUNICATION)
            self._open(key)

    def _open(self, key: Key) -> None:
        if key in self.sessions:
            self.remark(Kind.REPEATED, f"{self.sessions[key]} begins again")
            self._drop(self.sessions[key])
        if len(self.sessions) >= self.timing.C_EVSE_match_parallel:  # the oldest goes that has not come far
            waiting = [each for each in self.sessions.values() if each.step is Step.START]
            self._drop((waiting or list(self.sessions.values()))[0])
        session = self.sessions[key] = Session(key)
        self.remark(Kind.STEP, f"{session}: {session.step}", once=session.key)
        self.timers.cancel("TT_EVSE_SLAC_init")
        self.send("CM_SLAC_PARM.CNF", session.ev, forwarding_sta=session.ev, run_id=session.run_id)
        self.wait(session, Step.START, "TT_match_sequence", self.timing.TT_match_sequence)

    def wait(self, session: Session, step: Step, timer: str, seconds: float) -> None:
        """The session is at this step, and goes on or ends within so many seconds."""
        session.step = step
        self.timers.cancel_of(session)
        self.timers.start(timer, self.now, seconds, of=session)

    def _drop(self, session: Session) -> None:
        self.timers.cancel_of(session)
        self.sessions.pop(session.key, None)

    def session_over(self, session: Session) -> None:
        """What was waited for did not come."""
        reason, what = FAILURES[session.step]
        self._drop(session)
        self._last = (reason, f"the vehicle {session} {what}{session.why}")
        self.remark(Kind.RETRY, self._last[1], once=session.key, reason=reason)
        if not self.sessions and self.state is State.MATCHING:
            self.timers.start("TT_EVSE_SLAC_init", self.now, self.timing.TT_EVSE_SLAC_init)

    def announced(self, mme: Mme, session: Session) -> None:
        """The first of the three counts."""
        if session.step is not Step.START:
            if session.step is not Step.SOUNDS:
                self.unexpected(mme)
            return
        timing, asked = self.timing, mme.fields["time_out"] / 10
        window = min(max(asked, timing.TT_EVSE_match_MNBC), timing.MNBC_limit)
        if mme.fields["num_sounds"] != timing.C_EV_match_MNBC or asked != timing.TT_EVSE_match_MNBC:
            text = f"{session} announces {mme.fields['num_sounds']} sounds in {asked:g} s; {window:g} s are given"
            self.remark(Kind.INVALID, text, once=session)
        session.expected = mme.fields["num_sounds"] or timing.C_EV_match_MNBC
        self.wait(session, Step.SOUNDS, "TT_EVSE_match_MNBC", window + timing.MNBC_grace)

    def sound(self, session: Session) -> None:
        session.sounds += session.step is Step.SOUNDS

    def _profile(self, mme: Mme) -> None:
        """Without run id: it counts for all runs of that vehicle."""
        identity = self.modem.identity
        if identity and mme.source != identity.mac:
            self.foreign(mme, "not our modem's")
            return
        for session in list(self.sessions.values()):
            if session.ev == mme.fields["pev_mac"] and session.step is Step.SOUNDS:
                session.profile(mme.name, mme.fields["aag"])
                if session.complete:
                    self.report(session)

    def report(self, session: Session) -> None:
        """Average what has come and tell the vehicle."""
        profiles, groups = session.best, average(session.best, self.settings.offset_db)
        if session.unmeasured and not profiles:
            text = "the modem reports no groups: it measures nothing"
            self.remark(Kind.NO_GROUPS, text, profiles=session.unmeasured)
        if not groups and self.settings.unmeasured_db is not None and (session.sounds or session.unmeasured):
            groups = (self.settings.unmeasured_db,) * 58
        if not groups:
            self.session_over(session)
            return
        session.groups = groups
        count = len(profiles) or session.sounds or session.unmeasured
        text = f"{session}: {session.decibels:.1f} dB, {count} of {session.expected} sounds"
        self.remark(Kind.CANDIDATE, text, groups=groups, sounds=count)
        session.answer = self.send(
            "CM_ATTEN_CHAR.IND",
            session.ev,
            source_address=session.ev,
            run_id=session.run_id,
            num_sounds=min(count, 255),
            aag=groups,
        )
        session.tries = self.timing.C_EV_match_retry
        self.wait(session, Step.RESPONSE, "TT_match_response", self.timing.TT_match_response)

    def not_thanked(self, session: Session) -> None:
        if session.tries:
            session.tries -= 1
            self.remark(Kind.TIMER, f"{session}: no CM_ATTEN_CHAR.RSP, told again")
            self.effect(Send(session.answer))
            self.timers.start("TT_match_response", self.now, self.timing.TT_match_response, of=session)
        else:
            self.session_over(session)

    def thanked(self, mme: Mme, session: Session) -> None:
        if session.step is not Step.RESPONSE:
            if session.step is Step.START:
                self.unexpected(mme)
        elif mme.fields["source_address"] != session.ev:
            self.foreign(mme, "about another vehicle")
        else:
            if mme.fields["result"]:
                self.remark(Kind.INVALID, f"CM_ATTEN_CHAR.RSP with result {mme.fields['result']}; taken as success")
            self.wait(session, Step.REQUEST, "TT_EVSE_match_session", self.timing.TT_EVSE_match_session)

    # Matching

    def match(self, mme: Mme, session: Session) -> None:
        fields = mme.fields
        if fields["pev_mac"] != mme.source or fields["evse_mac"] != self.mac:
            self.foreign(mme, "of another vehicle, or for another outlet")
        elif session.step is Step.LINK:
            if self.state is State.JOINING:
                self.remark(Kind.REPEATED, f"{session} asks for the key again; answered again")
                self.effect(Send(session.answer))
            else:
                self.unexpected(mme)
        elif session.step not in WITH_RESULTS:
            self.unexpected(mme)
        else:
            if fields["mvf_length"] != 0x3E:
                self.remark(Kind.INVALID, f"CM_SLAC_MATCH.REQ with MVFLength {fields['mvf_length']}, not 62; taken")
            self._give(session)

    def _give(self, session: Session) -> None:
        """The key to this vehicle, and to no other."""
        if self._given not in (None, session.ev):
            self._new_key()
        self._given = session.ev
        for other in list(self.sessions.values()):
            if other is not session:
                if other.step is not Step.START:
                    self.remark(Kind.DECISION, f"{other} is dropped: {session} asked for the key")
                self._drop(other)
        self.timers.cancel_of(session)
        session.step = Step.LINK
        nid, nmk = self.key
        ev, run_id = session.key
        session.answer = self.send(
            "CM_SLAC_MATCH.CNF", ev, pev_mac=ev, evse_mac=self.mac, run_id=run_id, nid=nid, nmk=nmk
        )
        self.link = Linked(ev, run_id, nid, nmk, session.decibels)
        self.join()
        self.watch(self.timing.poll_joining)

    def _timeout(self, name: str, of: Hashable) -> None:
        if isinstance(of, Session):
            SESSION_TIMERS[name](self, of)
        else:
            TIMERS[name](self)
