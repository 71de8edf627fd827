"""The vehicle's half of a matching (ISO 15118-3 annex A, DIN SPEC 70121): which outlet are we plugged into?

A run, with a run id of its own, goes through the steps of `Step`. All outlets that can be heard take part; the nearest
one is chosen, by the attenuation that they report. Where that is not clear, the vehicle toggles its control pilot and
asks who saw it, or gives up. `machine` has the link, `modem` the key.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from enum import StrEnum
from math import ceil
from typing import Any, Final, NamedTuple

from slac import keys
from slac.choice import Candidate, Choice, Limits, choose
from slac.effects import ControlPilot, Kind, Linked, Reason, State, Toggle, failure
from slac.families import BROADCAST, Purpose
from slac.machine import Machine
from slac.mme import Mme
from slac.modem import Answer, KeySet
from slac.timing import Timing


class Step(StrEnum):
    """Of a run."""

    NONE = "none"
    MODEM = "waiting for the modem to take a key"
    REQUEST = "asking for EVSEs"
    ANSWERED = "hearing more EVSEs"
    START = "announcing sounds"
    SOUND = "sounding"
    RESULTS = "collecting attenuations"
    VALIDATE_READY = "asking an EVSE whether it can validate"
    VALIDATE = "toggling"
    MATCH = "asking the chosen EVSE for its key"
    PAUSE = "before another run"
    DIAGNOSIS = "asking the modem what it hears"


MEASURING: Final = (Step.REQUEST, Step.ANSWERED, Step.START, Step.SOUND, Step.RESULTS)

HEARS: Final[Mapping[str, Callable[[Ev, Mme], None]]] = {
    "CM_SLAC_PARM.CNF": lambda ev, mme: ev.parm_confirmed(mme),
    "CM_ATTEN_CHAR.IND": lambda ev, mme: ev.attenuation(mme),
    "CM_VALIDATE.CNF": lambda ev, mme: ev.validate_confirmed(mme),
    "CM_SLAC_MATCH.CNF": lambda ev, mme: ev.match_confirmed(mme),
}
"""What outlets say."""

OTHERS: Final = (
    "CM_SLAC_PARM.REQ",
    "CM_START_ATTEN_CHAR.IND",
    "CM_MNBC_SOUND.IND",
    "CM_ATTEN_PROFILE.IND",
    "CM_ATTEN_CHAR.RSP",
    "CM_VALIDATE.REQ",
    "CM_SLAC_MATCH.REQ",
)
"""What vehicles say: modems configured for a vehicle do not show it."""

TIMERS: Final[Mapping[str, Callable[[Ev], None]]] = {
    "TT_match_response": lambda ev: ev.unanswered(),
    "TP_match_sequence": lambda ev: ev.announce(),
    "TP_EV_batch_msg_interval": lambda ev: ev.announce(),
    "TT_EV_atten_results": lambda ev: ev.decide(),
    "TP_EV_match_session": lambda ev: ev.decide(),
    "EVSE not ready to validate": lambda ev: ev.ask_to_validate(),
    "TT_matching_rate": lambda ev: ev.run(),
    "T_conn_max_comm": lambda ev: ev.no_duty_cycle(),
    "T_conn_resetup": lambda ev: ev.no_new_phase(),
}


class EvSettings(NamedTuple):
    limits: Limits = Limits()
    validation: bool = False
    """Whether the hardware can carry `Toggle` out."""
    amp_map: tuple[int, ...] = ()
    """Reduction of power for each carrier, 0 to 15, to ask the outlet for; empty: none."""
    accepted: tuple[int, ...] = (0, 1)
    """Results in CM_SET_KEY.CNF that mean success."""
    timing: Timing = Timing()


class Ev(Machine):
    """A vehicle. `candidates`: what was heard in this run, by MAC address."""

    def __init__(self, mac: bytes, random: Callable[[int], bytes], settings: EvSettings | None = None) -> None:
        self.settings = settings = settings or EvSettings()
        super().__init__(mac, random, settings.timing, accepted=settings.accepted, amp_map=settings.amp_map)
        self.step = Step.NONE
        self.run_id: bytes | None = None
        self.candidates: dict[bytes, Candidate] = {}
        self.chosen: Candidate | None = None
        self._tries = 0
        self._count = 0
        self._to_validate: list[Candidate] = []
        self._unable: list[Candidate] = []
        self._toggles = 0
        self._busy_tries = 0
        self._strangers = 0
        self._matchings = 0
        self._repeat_until = 0.0
        self._resetups = 0
        self._retriggered = False
        self._woken = False
        self._ending: tuple[Reason, str] | None = None
        self._diagnosis: dict[Purpose, Any] = {}

    # Control pilot and modem: when a run begins and when it is over

    def _offered(self, state: ControlPilot, duty: float) -> bool:
        """Whether the outlet asks for digital communication."""
        return state.connected and 3.0 <= duty <= 7.0

    def _plugged(self, before: tuple[ControlPilot, float]) -> None:
        was, offered = self._offered(*before), self._offered(self.cp, self.duty)
        if self.cp is ControlPilot.A:
            self._resetups = 0
            self._ending = None
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
        if self._ending:
            self.fail(failure(self._ending[0], f"{self._ending[1]}; now {shown}"))
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

    # A run

    def _begin(self) -> None:
        if self.modem.identity is None:
            return
        self._matchings = self._strangers = 0
        self.failed = None
        self._repeat_until = self.now + self.timing.TT_matching_repetition
        self.enter(State.MATCHING)
        self.run()

    def run(self) -> None:
        """Begin a run."""
        self._said.clear()
        self.candidates, self.chosen = {}, None
        self.run_id = None
        self.step = Step.MODEM
        if not self.modem.busy:
            self._request_first()

    def _key_set(self, answer: KeySet) -> None:
        if self.step is Step.MODEM:
            self._request_first()
        elif self.link and answer.nmk == self.link.nmk:
            self.watch(self.timing.poll_joining)

    def _request_first(self) -> None:
        self.run_id = self.random(8)
        self._go(Step.REQUEST)
        self._request()

    def _go(self, step: Step) -> None:
        self.step = step
        self._tries = 1 + self.timing.C_EV_match_retry
        self.remark(Kind.STEP, step)

    def _request(self) -> None:
        """Send the request of this step, once more."""
        self._tries -= 1
        if self.step is Step.REQUEST:
            self.send("CM_SLAC_PARM.REQ", BROADCAST, run_id=self.run_id)
        elif self.step is Step.VALIDATE_READY:
            self.send("CM_VALIDATE.REQ", self._to_validate[0].mac, timer=0)
        elif self.chosen:
            mac = self.chosen.mac
            self.send("CM_SLAC_MATCH.REQ", mac, pev_mac=self.mac, evse_mac=mac, run_id=self.run_id)
        self.timers.start("TT_match_response", self.now, self.timing.TT_match_response)

    def unanswered(self) -> None:
        if self.step is Step.VALIDATE:  # it must count from the beginning again
            self.step = Step.VALIDATE_READY
        if self._tries:
            self.remark(Kind.TIMER, f"TT_match_response while {self.step}: asked again")
            self._request()
        elif self.step is Step.REQUEST:
            tries = 1 + self.timing.C_EV_match_retry
            self._run_failed(Reason.NO_EVSE, f"no EVSE answered {tries} CM_SLAC_PARM.REQ")
        elif self.step is Step.VALIDATE_READY:
            self._cannot_validate("does not answer CM_VALIDATE.REQ")
        elif self.step is Step.MATCH:
            self._run_failed(Reason.PEER_SILENT, f"{self.chosen} did not answer CM_SLAC_MATCH.REQ")

    def _hear(self, mme: Mme) -> None:
        if mme.name in OTHERS:
            self.foreign(mme, "another vehicle's, which a modem configured for a vehicle does not show")
        elif mme.name not in HEARS:
            return
        elif self.run_id is None or self.state is State.MATCHED:
            self.unexpected(mme)
        elif mme.fields.get("run_id", self.run_id) != self.run_id:
            self._strangers += 1
            self.foreign(mme, "another run id")
        elif mme.fields.get("application_type", 0) or mme.fields.get("security_type", 0):
            self.remark(Kind.INVALID, f"{mme.name}: application or security type not 0; ignored", once=mme.source)
        else:
            HEARS[mme.name](self, mme)

    def parm_confirmed(self, mme: Mme) -> None:
        if self.step not in MEASURING:
            self.unexpected(mme)
            return
        fields = mme.fields
        if (fields["num_sounds"], fields["time_out"], fields["resp_type"]) != (10, 6, 1):
            self.remark(
                Kind.INVALID, "CM_SLAC_PARM.CNF: not 10 sounds, 600 ms, response type 1; taken", once=mme.source
            )
        self._candidate(mme.source).answered = True
        if self.step is Step.REQUEST:
            self._go(Step.ANSWERED)
            self.timers.cancel("TT_match_response")
            self.timers.start("TP_match_sequence", self.now, self.timing.TP_match_sequence)

    def _candidate(self, mac: bytes) -> Candidate:
        return self.candidates.setdefault(mac, Candidate(mac))

    def announce(self) -> None:
        """The next CM_START_ATTEN_CHAR.IND or sound; after the last one, wait for results."""
        if self.step is Step.ANSWERED:
            self._go(Step.START)
            self._count = self.timing.C_EV_start_atten_char_inds
            self.timers.start("TT_EV_atten_results", self.now, self.timing.TT_EV_atten_results)
        elif self.step is Step.START and not self._count:
            self._go(Step.SOUND)
            self._count = self.timing.C_EV_match_MNBC
        self._count -= 1
        if self.step is Step.START:
            self.send("CM_START_ATTEN_CHAR.IND", BROADCAST, forwarding_sta=self.mac, run_id=self.run_id)
        else:
            self.send("CM_MNBC_SOUND.IND", BROADCAST, cnt=self._count, run_id=self.run_id, rnd=self.random(16))
        if self.step is Step.SOUND and not self._count:
            self._go(Step.RESULTS)
            self._look_at_results()
        else:
            self.timers.start("TP_EV_batch_msg_interval", self.now, self.timing.TP_EV_batch_msg_interval)

    def attenuation(self, mme: Mme) -> None:
        """Whoever reports is thanked, whenever and how often it does."""
        fields, mac = mme.fields, mme.source
        if fields["source_address"] != self.mac:
            self.foreign(mme, "about another vehicle")
            return
        if self.step in (Step.REQUEST, Step.ANSWERED):
            self.unexpected(mme)
            return
        self.send("CM_ATTEN_CHAR.RSP", mac, source_address=self.mac, run_id=self.run_id)
        groups = tuple(fields["aag"])
        if self.step not in (Step.START, Step.SOUND, Step.RESULTS):
            self.remark(Kind.REPEATED, f"CM_ATTEN_CHAR.IND of {mac.hex(':')} after the decision; answered")
            return
        if mac not in self.candidates:
            # Its CM_SLAC_PARM.CNF was lost. It may well be the outlet.
            self.remark(Kind.CANDIDATE, f"{mac.hex(':')} reports without having answered CM_SLAC_PARM.REQ")
        candidate = self._candidate(mac)
        if candidate.groups is not None:
            self.remark(Kind.REPEATED, f"CM_ATTEN_CHAR.IND of {mac.hex(':')} again; answered again")
        if groups or not candidate.groups:
            candidate.sounds, candidate.groups = fields["num_sounds"], groups
        if not groups:
            self.remark(Kind.NO_GROUPS, f"{mac.hex(':')} reports no groups: its modem measures nothing")
        self.remark(Kind.CANDIDATE, str(candidate), groups=groups, sounds=candidate.sounds)
        self._look_at_results()

    def _look_at_results(self) -> None:
        """Decide at once where it is clear. Otherwise give those whose answer was lost the time that is allowed."""
        if self.step is not Step.RESULTS or not all(each.groups is not None for each in self.candidates.values()):
            return
        if self._choice().certain:
            self.decide()
        else:
            self.timers.start("TP_EV_match_session", self.now, self.timing.TP_EV_match_session)

    def _choice(self) -> Choice:
        return choose(self.candidates.values(), self.settings.limits, validation=self.settings.validation)

    def decide(self) -> None:
        """Which outlet is it?"""
        self.timers.cancel("TT_EV_atten_results", "TP_EV_match_session", "TP_EV_batch_msg_interval")
        choice = self._choice()
        if choice.found:
            self._match(choice.found, choice.why)
        elif choice.reason:
            self._run_failed(choice.reason, choice.why)
        else:
            self._to_validate, self._unable = list(choice.possible), []
            self._validate()

    # Validation

    def _validate(self) -> None:
        """Ask the next one."""
        self._busy_tries = self.timing.C_validation_busy
        if self._to_validate:
            self.ask_to_validate()
        elif self._unable and len(self.candidates) == 1:
            self._match(self._unable[0], "the only one, though it cannot validate")
        else:
            verdicts = ", ".join(f"{each} {each.verdict}" for each in self.candidates.values() if each.verdict)
            reason = Reason.AMBIGUOUS if self._unable else Reason.NOT_VALIDATED
            self._run_failed(reason, verdicts)

    def ask_to_validate(self) -> None:
        self._go(Step.VALIDATE_READY)
        self._request()

    def _cannot_validate(self, why: str) -> None:
        candidate = self._to_validate.pop(0)
        candidate.verdict = why
        self._unable.append(candidate)
        self._validate()

    def _exclude(self, why: str) -> None:
        """Not the outlet we are plugged into, as far as validation tells."""
        self._to_validate.pop(0).verdict = why
        self._validate()

    def validate_confirmed(self, mme: Mme) -> None:
        if self.step not in (Step.VALIDATE_READY, Step.VALIDATE) or mme.source != self._to_validate[0].mac:
            self.unexpected(mme)
            return
        self.timers.cancel("TT_match_response")
        candidate, result, seen = self._to_validate[0], mme.fields["result"], mme.fields["toggle_num"]
        if result == 4:
            self._match(candidate, "it requires no validation")
        elif self.step is Step.VALIDATE:
            if result == 2 and seen == self._toggles:
                self._match(candidate, f"it saw {seen} toggles")
            else:
                self._exclude(f"saw {seen} of {self._toggles} toggles" if result == 2 else "failed to validate")
        elif result == 1:
            self._toggle(candidate)
        elif result == 0 and self._busy_tries:
            self._busy_tries -= 1
            self.timers.start("EVSE not ready to validate", self.now, self.timing.validation_busy)
        else:
            self._cannot_validate("cannot validate" if result else "was never ready to validate")

    def _toggle(self, candidate: Candidate) -> None:
        """Toggle a number of times that a neighbour does not toggle by chance, and wait for what it saw."""
        timing = self.timing
        self.step = Step.VALIDATE  # with the tries that are left
        self._toggles = 1 + self.random(1)[0] % timing.C_EV_vald_nb_toggles
        length = 2 * self._toggles * timing.TP_EV_vald_state_duration + timing.T_vald_detect_time
        steps = ceil(max(length, timing.TP_EV_vald_toggle) * 10 - 1e-6)
        self.send("CM_VALIDATE.REQ", candidate.mac, timer=steps - 1)
        self.effect(Toggle(self._toggles, timing.TP_EV_vald_state_duration))
        self.timers.start("TT_match_response", self.now, steps / 10 + timing.TT_match_response)

    # The end of a run

    def _match(self, candidate: Candidate, why: str) -> None:
        self.chosen = candidate
        candidate.verdict = "chosen"
        self.remark(Kind.DECISION, f"{candidate}: {why}")
        self._go(Step.MATCH)
        self._request()

    def match_confirmed(self, mme: Mme) -> None:
        fields = mme.fields
        if self.step is not Step.MATCH or self.chosen is None:
            self.unexpected(mme)
            return
        if mme.source != self.chosen.mac or fields["pev_mac"] != self.mac or fields["evse_mac"] != self.chosen.mac:
            self.foreign(mme, "not of the EVSE that was chosen, or not for us")
            return
        assert self.run_id is not None
        nid, nmk = fields["nid"], fields["nmk"]
        if nid[6] & 0xC0:
            self.remark(Kind.INVALID, "the two top bits of the NID are not 0; taken as it is")
        if nid != keys.nid_from_nmk(nmk):
            text = "the NID does not derive from the NMK; it is used as it was given"
            self.remark(Kind.NID_NOT_DERIVED, text, nid=nid, derived=keys.nid_from_nmk(nmk))
        self.timers.cancel("TT_match_response")
        self.step = Step.NONE
        self.link = Linked(self.chosen.mac, self.run_id, nid, nmk, self.chosen.average)
        self._ending = None
        self.join()
        self._modem(self.modem.set_key(nid, nmk, self.now))

    def _run_failed(self, reason: Reason, what: str) -> None:
        """Try again in a new run while that is allowed; otherwise find out more and give up."""
        # Unanswered requests are no matchings: an outlet's modem may still be restarting, and vehicles ask for long.
        self._matchings += bool(self.candidates)
        self._ending = (reason, what)
        if self.now < self._repeat_until and self._matchings < self.timing.C_conn_max_match:
            self.remark(Kind.RETRY, what, reason=reason)
            self.step = Step.PAUSE
            self.timers.start("TT_matching_rate", self.now, self.timing.TT_matching_rate)
            return
        self.step = Step.DIAGNOSIS
        self._diagnosis = {}
        self._modem(self.modem.ask(Purpose.NEIGHBOURS, self.now))
        self._modem(self.modem.ask(Purpose.NETWORK, self.now))

    def _diagnosed(self, answer: Answer) -> None:
        self._diagnosis[answer.purpose] = answer.value
        if self.step is not Step.DIAGNOSIS or len(self._diagnosis) < 2 or self._ending is None:
            return
        self.step = Step.NONE
        reason, what = self._ending
        network, neighbours = self._diagnosis[Purpose.NETWORK], self._diagnosis[Purpose.NEIGHBOURS]
        if reason is not Reason.NO_EVSE or self.candidates:
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
        self.fail(failure(reason, what))

    def _timeout(self, name: str, of: Hashable) -> None:
        TIMERS[name](self)
