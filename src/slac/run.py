"""One run of a vehicle's matching: from CM_SLAC_PARM.REQ to the key of an outlet, or to a reason why there is none.

All outlets that can be heard take part; the nearest one is chosen, by the attenuation that they report. Where that is
not clear, the vehicle toggles its control pilot and asks who saw it, or wants to find the same one in another run, or
gives up. `choice` and `validation` judge what outlets say; `ev` begins runs and decides what follows a failed one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from math import ceil
from typing import Final, NamedTuple

from slac import keys
from slac.choice import Candidate, Choice, Limits, choose
from slac.effects import Kind, Linked, Reason, State, Toggle
from slac.families import BROADCAST, Neighbours, Purpose
from slac.machine import Machine
from slac.mme import Mme
from slac.modem import KeySet
from slac.timing import Timing
from slac.validation import Next, Result, Validation


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

HEARS: Final[Mapping[str, Callable[[Run, Mme], None]]] = {
    "CM_SLAC_PARM.CNF": lambda run, mme: run.parm_confirmed(mme),
    "CM_ATTEN_CHAR.IND": lambda run, mme: run.attenuation(mme),
    "CM_VALIDATE.CNF": lambda run, mme: run.validate_confirmed(mme),
    "CM_SLAC_MATCH.CNF": lambda run, mme: run.match_confirmed(mme),
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

TIMERS: Final[Mapping[str, Callable[[Run], None]]] = {
    "TT_match_response": lambda run: run.unanswered(),
    "TP_match_sequence": lambda run: run.announce(),
    "request again": lambda run: run.request_again(),
    "TP_EV_batch_msg_interval": lambda run: run.announce(),
    "TT_EV_atten_results": lambda run: run.decide(),
    "TP_EV_match_session": lambda run: run.decide(),
    "EVSE not ready to validate": lambda run: run.ask_to_validate(),
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


class Run(Machine):
    """A vehicle in a run. `candidates`: what was heard in this run, by MAC address. Subclasses have `_run_failed`."""

    def __init__(self, mac: bytes, random: Callable[[int], bytes], settings: EvSettings | None = None) -> None:
        self.settings = settings = settings or EvSettings()
        super().__init__(mac, random, settings.timing, accepted=settings.accepted, amp_map=settings.amp_map)
        self.step = Step.NONE
        self.run_id: bytes | None = None
        self.candidates: dict[bytes, Candidate] = {}
        self.chosen: Candidate | None = None
        self._tries = 0
        self._count = 0
        self._strangers = 0
        self._around: Neighbours | None = None
        """What the modem hears."""
        self._validation = Validation((), 0)
        self._toggling_until = 0.0
        self._excluded: dict[bytes, str] = {}
        """Outlets that watch another vehicle, and how they showed it: for as long as this 5 % phase lasts."""
        self._doubtful: dict[bytes, float] = {}
        """What runs of this phase found, and how far, dB: not believed before another run finds it too."""

    def _run_failed(self, reason: Reason, what: str) -> None:
        raise NotImplementedError

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
        self._modem(self.modem.ask(Purpose.NEIGHBOURS, self.now))

    def _go(self, step: Step) -> None:
        self.step = step
        self._tries = 1 + self.timing.C_EV_match_retry
        self.remark(Kind.STEP, step)

    def _request(self) -> None:
        """Send the request of this step, once more."""
        self._tries -= 1
        if self.step is Step.REQUEST:
            self._request_outlets()
        elif self.step is Step.VALIDATE_READY:
            self.send("CM_VALIDATE.REQ", self._validation.waiting[0].mac, timer=0)
        elif self.chosen:
            mac = self.chosen.mac
            self.send("CM_SLAC_MATCH.REQ", mac, pev_mac=self.mac, evse_mac=mac, run_id=self.run_id)
        self.timers.start("TT_match_response", self.now, self.timing.TT_match_response)

    def _request_outlets(self) -> None:
        self.send("CM_SLAC_PARM.REQ", BROADCAST, run_id=self.run_id)

    def unanswered(self) -> None:
        if self.step is Step.VALIDATE:  # it must count from the beginning again
            self.step, self._validation.toggles = Step.VALIDATE_READY, 0
        if self._tries:
            self.remark(Kind.TIMER, f"TT_match_response while {self.step}: asked again")
            self._request()
        elif self.step is Step.REQUEST:
            tries = 1 + self.timing.C_EV_match_retry
            self._run_failed(Reason.NO_EVSE, f"no EVSE answered {tries} CM_SLAC_PARM.REQ")
        elif self.step is Step.VALIDATE_READY:
            self._validation.not_heard()
            self._validate()
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
            self.timers.start("request again", self.now, self.timing.TP_EV_batch_msg_interval)

    @property
    def _missed(self) -> bool:
        """Whether the own outlet may be one that was not heard in this run: the modem hears more networks than there
        are candidates. Outlets at which no vehicle waits are silent too. Where the modem does not tell what it hears,
        a neighbour that answered is a warning."""
        if self._around is None:
            return len(self.candidates) > 1
        return self._around.networks > len(self.candidates)

    def request_again(self) -> None:
        """For outlets that missed the request. Others begin their session again, which is allowed until sounds are
        announced; so it takes no time, and is not done where nobody is missed."""
        if self.step is Step.ANSWERED and self._missed:
            self._request_outlets()
            self.timers.start("request again", self.now, self.timing.TP_EV_batch_msg_interval)

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
        possible = [each for mac, each in self.candidates.items() if mac not in self._excluded]
        return choose(possible, self.settings.limits, validation=self.settings.validation)

    def decide(self) -> None:
        """Which outlet is it?"""
        self.timers.cancel("TT_EV_atten_results", "TP_EV_match_session", "TP_EV_batch_msg_interval")
        choice = self._choice()
        if choice.found and self._missed and not choice.certain:
            doubt = f"{choice.why}, but there are outlets that were not heard"
            self._match_found_again(choice.found, Reason.AMBIGUOUS, doubt)
        elif choice.found:
            self._match(choice.found, choice.why)
        elif self.candidates and self.candidates.keys() <= self._excluded.keys():
            self._not_validated(Reason.NOT_VALIDATED)
        elif choice.reason:
            self._run_failed(choice.reason, choice.why)
        else:
            self._validation = Validation(choice.possible, self.timing.C_validation_busy)
            self._validate()

    # Validation

    def _validate(self) -> None:
        """Ask the next one; after the last, see what is left."""
        validation = self._validation
        alone = len(self.candidates.keys() | self._excluded.keys()) == 1
        if validation.waiting:
            self.ask_to_validate()
        elif alone and validation.unable:
            self._match(validation.unable[0], "the only one, though it cannot validate")
        elif alone and validation.silent:
            [silent] = validation.silent
            self._match_found_again(silent, Reason.PEER_SILENT, f"the only one, but it {silent.verdict}")
        else:
            self._not_validated(Reason.AMBIGUOUS if validation.unable or validation.silent else Reason.NOT_VALIDATED)

    def _not_validated(self, reason: Reason) -> None:
        verdicts = {str(each): self._excluded.get(mac, each.verdict) for mac, each in self.candidates.items()}
        self._run_failed(reason, ", ".join(f"{name} {verdict}" for name, verdict in verdicts.items() if verdict))

    def ask_to_validate(self) -> None:
        self._go(Step.VALIDATE_READY)
        self._request()

    def validate_confirmed(self, mme: Mme) -> None:
        validation = self._validation
        if self.step not in (Step.VALIDATE_READY, Step.VALIDATE) or mme.source != validation.waiting[0].mac:
            self.unexpected(mme)
            return
        candidate, result = validation.waiting[0], mme.fields["result"]
        if self.step is Step.VALIDATE and (
            result in (Result.NOT_READY, Result.READY) or (result == Result.SUCCESS and self.now < self._toggling_until)
        ):  # to what was asked before, or it cannot count now: ask again when the time for toggles is over
            self.remark(Kind.REPEATED, f"CM_VALIDATE.CNF of {candidate} before it can have counted; ignored")
            return
        self.timers.cancel("TT_match_response")
        match validation.heard(result, mme.fields["toggle_num"]):
            case Next.MATCH:
                self._match(candidate, candidate.verdict)
            case Next.TOGGLE:
                self._toggle(candidate)
            case Next.WAIT:
                self.timers.start("EVSE not ready to validate", self.now, self.timing.validation_busy)
            case Next.GO_ON:
                self._excluded |= {each.mac: each.verdict for each in validation.wrong}
                self._validate()

    def _toggle(self, candidate: Candidate) -> None:
        """Toggle a number of times that a neighbour does not toggle by chance, and wait for what it saw."""
        timing = self.timing
        self.step = Step.VALIDATE  # with the tries that are left
        toggles = self._validation.toggles = 1 + self.random(1)[0] % timing.C_EV_vald_nb_toggles
        length = 2 * toggles * timing.TP_EV_vald_state_duration + timing.T_vald_detect_time
        steps = ceil(max(length, timing.TP_EV_vald_toggle) * 10 - 1e-6)
        self.send("CM_VALIDATE.REQ", candidate.mac, timer=steps - 1)
        self.effect(Toggle(toggles, timing.TP_EV_vald_state_duration))
        self._toggling_until = self.now + 2 * toggles * timing.TP_EV_vald_state_duration
        self.timers.start("TT_match_response", self.now, steps / 10 + timing.TT_match_response)

    # The key

    def _match(self, candidate: Candidate, why: str) -> None:
        self.chosen = candidate
        candidate.verdict = "chosen"
        self.remark(Kind.DECISION, f"{candidate}: {why}")
        self._go(Step.MATCH)
        self._request()

    def _match_found_again(self, candidate: Candidate, reason: Reason, doubt: str) -> None:
        """Match with what two runs have found, if none found a nearer one; otherwise that is why this run failed."""
        before, self._doubtful = self._doubtful, {**self._doubtful, candidate.mac: candidate.average}
        if candidate.mac in before and min(before, key=before.__getitem__) == candidate.mac:
            self._match(candidate, f"{doubt}; found again")
        else:
            self._run_failed(reason, f"{candidate}: {doubt}")

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
        self.join()
        self._modem(self.modem.set_key(nid, nmk, self.now))
