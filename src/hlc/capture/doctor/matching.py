"""Why a vehicle and a station did not match (SLAC), and what of a run was out of order.

A run that came to nothing stopped at one step: each rule of a failure looks at one of them. What the standard's
time-outs (TT_) allow is held against what was taken; performance times (TP_) are not, for real vehicles and stations
exceed them. A half that the capture does not have is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlc.capture.doctor.stages import (
    Stage,
    Stop,
    alike_to_nearest,
    at_station,
    evidence_of,
    last_step,
    linked,
    stopped,
    unvalidated,
)
from hlc.capture.finding import Deadline, Evidence, Finding, Rule, Severity, Who
from hlc.capture.matching import TIMING, USUAL, Matching
from hlc.capture.matching_steps import many, times, was_missing
from hlc.capture.where import Where
from hlc.trace.describe import mac, text

SLOW_S: Final = 0.1
"""Sounds further apart are worth a word; the standard has them 20 to 50 ms apart."""


# Failures: what is missing


def _stop(run: Matching, last_at: float, *stages: Stage) -> Iterator[tuple[Stop, Finding]]:
    if linked(run):
        return
    stop = stopped(run, last_at)
    if stop.stage in stages and not stop.open:
        where = last_step(run)
        if stop.stage is Stage.LINK:
            where = run.ended.where if run.ended is not None else run.unlinked or where
        deadline = None
        if stop.timer:
            deadline = Deadline(stop.timer, last_at - last_step(run).at, getattr(TIMING, stop.timer))
            if run.ended is not None:
                deadline = deadline._replace(used_s=run.ended.where.at - last_step(run).at)
        if deadline is not None and deadline.used_s <= deadline.limit_s:
            deadline = None
        yield stop, Finding(where, stop.who, stop.text, deadline=deadline, evidence=evidence_of(run))


def unanswered(run: Matching, last_at: float) -> Iterator[Finding]:
    for _, finding in _stop(run, last_at, Stage.ANSWER):
        yield finding


def other_run_id(run: Matching, last_at: float) -> Iterator[Finding]:
    for _, finding in _stop(run, last_at, Stage.OTHER_RUN):
        seen = tuple(
            Evidence(step.first, f"{name} of {mac(sender)} with run id {text(run_id)}, {times(step.count)}")
            for (name, sender, run_id), step in run.foreign.items()
        )
        yield finding._replace(evidence=finding.evidence + seen[:2])


def vehicle_left(run: Matching, last_at: float) -> Iterator[Finding]:
    for _, finding in _stop(run, last_at, Stage.START):
        yield finding


def no_sounds(run: Matching, last_at: float) -> Iterator[Finding]:
    for _, finding in _stop(run, last_at, Stage.SOUNDS):
        yield finding


def unreported(run: Matching, last_at: float) -> Iterator[Finding]:
    for _, finding in _stop(run, last_at, Stage.REPORT):
        yield finding


def unconfirmed(run: Matching, last_at: float) -> Iterator[Finding]:
    for _, finding in _stop(run, last_at, Stage.CONFIRMATION):
        yield finding


def not_validated(run: Matching, last_at: float) -> Iterator[Finding]:
    if unvalidated(run):
        for _, finding in _stop(run, last_at, Stage.CHOICE):
            yield finding._replace(who=Who.STATION)


def alike(run: Matching, last_at: float) -> Iterator[Finding]:
    if alike_to_nearest(run) and not unvalidated(run):
        for _, finding in _stop(run, last_at, Stage.CHOICE):
            yield finding


def no_choice(run: Matching, last_at: float) -> Iterator[Finding]:
    if not alike_to_nearest(run) and not unvalidated(run):
        for _, finding in _stop(run, last_at, Stage.CHOICE):
            yield finding


def no_key(run: Matching, last_at: float) -> Iterator[Finding]:
    for _, finding in _stop(run, last_at, Stage.KEY):
        yield finding


def no_link(run: Matching, last_at: float) -> Iterator[Finding]:
    for _, finding in _stop(run, last_at, Stage.LINK):
        unset = [mac(host) for host in (run.ev, run.giver.mac if run.giver else b"") if host and host not in run.keys]
        advice = ""
        if unset and len(run.keys) < 2:
            advice = (
                f"The capture shows no CM_SET_KEY.REQ of {' nor of '.join(unset)}: see whether it sets the key in its "
                "modem, and whether the modem leaves its old network."
            )
        yield finding._replace(advice=advice)


# What is worth knowing of any run


def _note(where: Where, who: Who, words: str, seen: str, deadline: Deadline | None = None) -> Finding:
    """`seen` stands in the frame that is meant."""
    return Finding(where, who, words, Severity.REMARK, deadline=deadline, evidence=(Evidence(where, seen),))


def late(run: Matching, last_at: float) -> Iterator[Finding]:
    stations = list(run.stations.values())
    for name, timer, who, taken in (
        ("CM_SLAC_PARM.CNF", "TT_match_response", Who.STATION, [each.answered for each in stations]),
        ("CM_START_ATTEN_CHAR.IND", "TT_match_sequence", Who.VEHICLE, [run.started]),
        ("CM_ATTEN_CHAR.IND", "TT_EV_atten_results", Who.STATION, [each.reported for each in stations]),
        ("CM_ATTEN_CHAR.RSP", "TT_match_response", Who.VEHICLE, [each.confirmed for each in stations]),
        ("CM_SLAC_MATCH.REQ", "TT_EVSE_match_session", Who.VEHICLE, [each.asked for each in stations]),
        ("CM_SLAC_MATCH.CNF", "TT_match_response", Who.STATION, [each.given for each in stations]),
    ):
        limit = getattr(TIMING, timer)
        worst = max((each for each in taken if each is not None), key=lambda each: each.seconds, default=None)
        if worst is not None and worst.seconds > limit:
            told = f"{name} took {worst.seconds:.3f} s, {limit:g} s allowed ({timer})"
            yield _note(worst.where, who, told, name, Deadline(timer, worst.seconds, limit))
    if run.link is not None and run.giver is not None and run.giver.give is not None:
        took = run.link.where.at - run.giver.give.first.at
        if took > TIMING.TT_match_join and was_missing(run):
            told = f"the link came {took:.1f} s after the key, {TIMING.TT_match_join:g} s allowed (TT_match_join)"
            deadline = Deadline("TT_match_join", took, TIMING.TT_match_join)
            yield _note(run.link.where, Who.LINK, told, run.link.text, deadline)


def unusual_sounding(run: Matching, last_at: float) -> Iterator[Finding]:
    announced = run.announced
    if run.announcement is not None and announced != USUAL:
        told = f"CM_START_ATTEN_CHAR.IND announces {announced}, where {USUAL} is usual: some stations ignore that"
        yield _note(run.announcement.first, Who.VEHICLE, told, "CM_START_ATTEN_CHAR.IND")
    for station in run.stations.values():
        if station.answer is not None and station.offer != USUAL:
            told = f"{mac(station.mac)} wants {station.offer}, where {USUAL} is usual: some vehicles ignore that"
            yield _note(station.answer.first, Who.STATION, told, f"CM_SLAC_PARM.CNF of {mac(station.mac)}")


def sounds(run: Matching, last_at: float) -> Iterator[Finding]:
    sounding, announced = run.sounding, run.announced
    if sounding is None:
        return
    if len(run.sounds) < announced.sounds:
        told = f"{len(run.sounds)} of {many(announced.sounds, 'sound')} are in the capture"
        yield _note(sounding.last, Who.VEHICLE, told, "CM_MNBC_SOUND.IND, the last one")
    if run.gap is not None and run.gap.seconds > SLOW_S:
        told = f"{run.gap.seconds:.3f} s between two sounds, 0.02 to 0.05 s are usual (TP_EV_batch_msg_interval)"
        yield _note(run.gap.where, Who.VEHICLE, told, "CM_MNBC_SOUND.IND after this time")
    if run.late_sounds:
        told = f"{many(run.late_sounds, 'sound')} came later than {TIMING.TT_EVSE_match_MNBC:g} s after"
        told = f"{told} CM_START_ATTEN_CHAR.IND, too late to count (TT_EVSE_match_MNBC)"
        yield _note(sounding.last, Who.VEHICLE, told, "CM_MNBC_SOUND.IND, the last one")


def attenuation(run: Matching, last_at: float) -> Iterator[Finding]:
    blind = [modem for modem in run.modems.values() if modem.attenuation is None]
    for station in run.stations.values():
        if station.report is None:
            continue
        where, seen = station.report.first, f"CM_ATTEN_CHAR.IND of {mac(station.mac)}"
        if not station.groups:
            told = f"{mac(station.mac)} reports no groups of carriers: nothing was measured"
            yield _note(where, Who.STATION, told, seen)
        elif not any(station.groups):
            told = f"{mac(station.mac)} reports 0 dB in every group; some vehicles hang at that"
            yield _note(where, Who.STATION, told, seen)
        elif blind and len(blind) == len(run.modems) and len(run.stations) == 1:
            told = f"modem {mac(blind[0].mac)} measured nothing, so what {mac(station.mac)} reports was not measured"
            yield _note(where, Who.STATION, told, seen)
        if station.sounds < len(run.sounds):
            told = f"{mac(station.mac)} counts {station.sounds} of {many(len(run.sounds), 'sound')}"
            yield _note(where, Who.STATION, told, seen)


def report_repeated(run: Matching, last_at: float) -> Iterator[Finding]:
    for station in run.stations.values():
        if station.report is None or station.report.count < 2:
            continue
        told = f"{mac(station.mac)} sent CM_ATTEN_CHAR.IND {times(station.report.count)} until it was answered"
        if station.confirm is None:
            told = f"{mac(station.mac)} sent CM_ATTEN_CHAR.IND {times(station.report.count)}, without answer"
        seen = f"CM_ATTEN_CHAR.IND of {mac(station.mac)}, the last one"
        yield _note(station.report.last, Who.VEHICLE, told, seen)


def choice(run: Matching, last_at: float) -> Iterator[Finding]:
    giver, ranking = run.giver, run.ranking
    if giver is None or giver.give is None or giver.attenuation is None:
        return
    nearer = [each for each in ranking if each.attenuation is not None and each.attenuation < giver.attenuation]
    seen = f"CM_SLAC_MATCH.CNF of {mac(giver.mac)}"
    rivals = [each for each in alike_to_nearest(run) if each is not giver]
    if nearer:
        told = f"the vehicle chose {at_station(giver)}, though {at_station(nearer[0])} is nearer"
        yield _note(giver.give.first, Who.VEHICLE, told, seen)
    elif rivals:
        told = f"{', '.join(at_station(each) for each in rivals)} is hardly farther than {at_station(giver)}"
        yield _note(giver.give.first, Who.LINK, f"{told}: the wrong one may have been chosen", seen)


def network(run: Matching, last_at: float) -> Iterator[Finding]:
    giver = run.giver
    if giver is None or giver.give is None:
        return
    where, seen = giver.give.first, f"CM_SLAC_MATCH.CNF of {mac(giver.mac)}"
    if not run.derived and not linked(run):  # half of the field's stations choose one, and vehicles take what is given
        told = "the NID does not follow from the NMK: the vehicle must use the one it is given"
        yield _note(where, Who.STATION, told, seen)
    if run.earlier is not None and (run.earlier.nid, run.earlier.nmk) != (run.nid, run.nmk):
        told = f"{mac(giver.mac)} gave another key than it last set in its modem, in frame {run.earlier.where.frame}"
        yield _note(where, Who.STATION, told, seen)


def keys(run: Matching, last_at: float) -> Iterator[Finding]:
    giver = run.giver
    if giver is None:
        return
    for key in run.keys.values():
        seen = f"CM_SET_KEY.REQ of {mac(key.host)}"
        if key.host not in (run.ev, giver.mac):
            told = f"{mac(key.host)} set this key in its modem; it is neither the vehicle nor the station"
            yield _note(key.where, Who.LISTENER, told, seen)
        if key.modem is None:
            yield _note(key.where, Who.VEHICLE, f"no modem answered {seen}", seen)


def foreign(run: Matching, last_at: float) -> Iterator[Finding]:
    answered = any(station.answer is not None for station in run.stations.values())
    for (name, sender, run_id), step in run.foreign.items():
        if name == "CM_SLAC_PARM.CNF" and not answered:
            continue  # it is the reason
        told = f"{name} of {mac(sender)} with another run id, {text(run_id)}, {times(step.count)}"
        yield _note(step.first, Who.STATION, told, f"{name} of {mac(sender)}")


# fmt: off
RULES: Final = (
    Rule("slac_unanswered", "No station answers the vehicle's CM_SLAC_PARM.REQ.", unanswered,
         "See whether the station's modem has power and its key is set, whether it offers 5 % duty cycle, and whether "
         "its SLAC runs as soon as the plug is in.", "TT_match_response"),
    Rule("slac_other_run_id", "The station answers with another run id than the vehicle's.", other_run_id,
         "The station must echo the run id of each CM_SLAC_PARM.REQ, not one of an earlier run or of its own.",
         "V2G3-A09-16"),
    Rule("slac_vehicle_left", "The vehicle does not go on after CM_SLAC_PARM.CNF.", vehicle_left,
         "See what the station says in CM_SLAC_PARM.CNF: vehicles accept 10 sounds, time-out 6, response type 1 and "
         "their own MAC address as FORWARDING_STA, and little else.", "TT_match_sequence"),
    Rule("slac_no_sounds", "The vehicle announces sounds and sends none.", no_sounds,
         "See whether the vehicle's modem lets broadcasts through.", "TT_EVSE_match_MNBC"),
    Rule("slac_no_attenuation", "The vehicle sounds, and no station reports an attenuation.", unreported,
         "See whether the station's modem measures sounds (CM_ATTEN_PROFILE.IND with groups); modems made for homes do "
         "not.", "TT_EV_atten_results"),
    Rule("slac_not_confirmed", "The vehicle does not answer CM_ATTEN_CHAR.IND.", unconfirmed,
         "See whether the report reaches the vehicle: it goes to its MAC address alone, and bears its run id.",
         "TT_match_response"),
    Rule("slac_not_validated", "A station did not see the vehicle's toggles on the control pilot.", not_validated,
         "See whether the station watches the control pilot from CM_VALIDATE.REQ on, and counts B-C-B toggles.",
         "TT_EVSE_match_session"),
    Rule("slac_alike", "The vehicle finds several stations equally near and chooses none.", alike,
         "Reduce the crosstalk between neighbouring stations (cable routing, ferrites, transmit power), or support "
         "validation by the control pilot.", "TT_EVSE_match_session"),
    Rule("slac_no_choice", "The vehicle has heard the attenuation and asks for no match.", no_choice,
         "See whether the attenuation is plausible: 8 to 25 dB on one's own cable; above 40 dB a vehicle finds nobody.",
         "TT_EVSE_match_session"),
    Rule("slac_no_key", "CM_SLAC_MATCH.REQ has no answer.", no_key,
         "See whether the station accepts the request: run id, both MAC addresses, MVFLength 0x3E little endian.",
         "TT_match_response"),
    Rule("slac_no_link", "The key was given, and the modems did not get into one network.", no_link,
         "See whether both hosts set the key and the NID that was given in their modems, and how long the modems take "
         "to join.", "TT_match_join"),
    Rule("slac_late", "A message of matching came later than its receiver must wait.", late,
         "Answers are due within 100 ms: see what holds the host up."),
    Rule("slac_unusual_sounding", "Other sounding parameters than all others use.", unusual_sounding,
         "Use 10 sounds, time-out 6 (600 ms) and response type 1."),
    Rule("slac_sounds", "Sounds are missing, far apart or late.", sounds,
         "See what keeps the vehicle's host or modem from sending sounds every 20 to 50 ms."),
    Rule("slac_attenuation", "An attenuation that was not measured, or counts too few sounds.", attenuation,
         "See whether the station's modem measures every sound."),
    Rule("slac_report_repeated", "CM_ATTEN_CHAR.IND had to be repeated.", report_repeated,
         "See whether the frames to the vehicle get lost, or its host is slow."),
    Rule("slac_wrong_choice", "The vehicle may have chosen a neighbour's station.", choice,
         "Reduce the crosstalk between neighbouring stations, or support validation by the control pilot."),
    Rule("slac_network", "Something odd about the network's key.", network,
         "Derive the NID from the NMK, and give the key that is set in the station's modem."),
    Rule("slac_key_setting", "A key that a third party sets, or that no modem confirms.", keys,
         "See whose host that is, and whether its modem runs."),
    Rule("slac_stranger", "Messages to the vehicle with another run id.", foreign,
         "A station must echo the run id of the request."),
)
# fmt: on
"""Of matching runs."""
