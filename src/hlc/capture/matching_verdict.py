"""How a recorded matching run went, step by step, how it ended, and why. Pure: facts go in, rows and findings come out.

What the standard's time-outs (TT_) allow is held against what was taken; performance times (TP_) are not, for real
vehicles and stations exceed them. A half that the capture does not have is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from hlc.capture.matching import TIMING, USUAL, Matching, Station, Took
from hlc.capture.session import Where
from hlc.capture.verdict import Finding, Verdict
from hlc.trace.describe import mac, text
from hlc.trace.events import Side

SIMILAR_DB: Final = 5.0
"""Stations whose attenuation differs by less cannot be told apart."""
FAR_DB: Final = 40.0
"""A station with more attenuation is hardly the one that the vehicle is plugged in at."""
SLOW_S: Final = 0.1
"""Sounds further apart are worth a word; the standard has them 20 to 50 ms apart."""
INIT_S: Final = 50.0
"""The longest TT_EVSE_SLAC_init."""


class Row(NamedTuple):
    """A step of the run."""

    at: float
    """Time of capture of its first message."""
    name: str
    what: str
    took_s: float | None = None
    """How long it took after the step that its time-out counts from."""
    limit_s: float | None = None
    timer: str = ""


def times(count: int) -> str:
    """A number of times, in words."""
    return "once" if count == 1 else f"{count} times"


def many(count: int, thing: str) -> str:
    """A number of things."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def timeline(run: Matching) -> list[Row]:
    """The steps that were seen, in the order of the standard."""
    rows = [*_search(run), *_sounding(run), *_decision(run)]
    if run.link is not None and run.giver is not None and run.giver.give is not None:
        took = run.link.where.at - run.giver.give.first.at
        known = took <= TIMING.TT_match_join or _was_missing(run)
        limit, timer = (TIMING.TT_match_join, "TT_match_join") if known else (None, "")
        rows.append(Row(run.link.where.at, "link", run.link.text, took, limit, timer))
    return rows


def _was_missing(run: Matching) -> bool:
    """Whether a modem said so when the time for the link was over; a link that is seen late may have stood long."""
    if run.unlinked is None or run.giver is None or run.giver.give is None:
        return False
    return run.unlinked.at - run.giver.give.first.at > TIMING.TT_match_join


def _search(run: Matching) -> Iterator[Row]:
    request = run.request
    if request is not None:
        lasted = request.last.at - request.first.at
        what = times(request.count) + (f" in {lasted:.1f} s" if lasted > 0.1 else "")
        pilot = run.pilot
        waited = request.first.at - pilot.where.at if pilot is not None else 0.0
        if pilot is not None and pilot.digital and 0 <= waited < 2 * INIT_S:
            yield Row(pilot.where.at, "control pilot", str(pilot))
            yield Row(request.first.at, "CM_SLAC_PARM.REQ", what, waited, INIT_S, "TT_EVSE_SLAC_init")
        else:
            yield Row(request.first.at, "CM_SLAC_PARM.REQ", what)
    answered = [station for station in run.stations.values() if station.answer is not None]
    if answered:
        first = min(station.answer.first.at for station in answered if station.answer)
        what = f"by {many(len(answered), 'station')}"
        yield _row(first, "CM_SLAC_PARM.CNF", what, [each.answered for each in answered], "TT_match_response")


def _sounding(run: Matching) -> Iterator[Row]:
    start = run.announcement
    if start is not None:
        yield _row(start.first.at, "CM_START_ATTEN_CHAR.IND", times(start.count), [run.started], "TT_match_sequence")
    sounding = run.sounding
    if sounding is not None:
        what = f"{len(run.sounds)} of {many(run.announced.sounds, 'sound')}"
        took = [Took(sounding.last.at - start.first.at, sounding.last)] if start is not None else []
        yield _row(sounding.first.at, "CM_MNBC_SOUND.IND", what, took, "TT_EVSE_match_MNBC")
    reporting = [station for station in run.stations.values() if station.report is not None]
    if reporting:
        first = min(station.report.first.at for station in reporting if station.report)
        what = f"by {many(len(reporting), 'station')}"
        yield _row(first, "CM_ATTEN_CHAR.IND", what, [each.reported for each in reporting], "TT_EV_atten_results")
    confirmed = [station for station in run.stations.values() if station.confirm is not None]
    if confirmed:
        first = min(station.confirm.first.at for station in confirmed if station.confirm)
        what = f"to {many(len(confirmed), 'station')}"
        yield _row(first, "CM_ATTEN_CHAR.RSP", what, [each.confirmed for each in confirmed], "TT_match_response")


def _decision(run: Matching) -> Iterator[Row]:
    for station in run.stations.values():
        name = mac(station.mac)
        if station.validate is not None:
            yield Row(station.validate.first.at, "CM_VALIDATE.REQ", f"to {name}, {times(station.validate.count)}")
        if station.validated is not None:
            toggles = f", {many(station.toggles, 'toggle')}" if station.toggles else ""
            result = VALIDATION.get(station.validation, f"result {station.validation}")
            yield Row(station.validated.first.at, "CM_VALIDATE.CNF", f"by {name}: {result}{toggles}")
    for station in run.stations.values():
        name = mac(station.mac)
        if station.ask is not None:
            what = f"to {name}" + (f", {times(station.ask.count)}" if station.ask.count > 1 else "")
            yield _row(station.ask.first.at, "CM_SLAC_MATCH.REQ", what, [station.asked], "TT_EVSE_match_session")
        if station.give is not None:
            what = f"by {name}" + (f", {times(station.give.count)}" if station.give.count > 1 else "")
            yield _row(station.give.first.at, "CM_SLAC_MATCH.CNF", what, [station.given], "TT_match_response")
    for key in run.keys.values():
        what = f"by {mac(key.host)}, " + ("confirmed" if key.modem is not None else "not answered")
        took = [Took(key.where.at - run.giver.give.first.at, key.where)] if run.giver and run.giver.give else []
        yield _row(key.where.at, "CM_SET_KEY.REQ", what, took, "")


def _row(at: float, name: str, what: str, took: Sequence[Took | None], timer: str) -> Row:
    """A row with the longest time that was taken."""
    worst = max((each.seconds for each in took if each is not None), default=None)
    limit = getattr(TIMING, timer) if timer and worst is not None else None
    return Row(at, name, what, worst, limit, timer if limit is not None else "")


VALIDATION: Final = {None: "", 0: "not ready", 1: "ready", 2: "success", 3: "failure", 4: "not required"}


def judge(run: Matching, last_at: float) -> Verdict:
    """The verdict on a run; `last_at` is the time of the last frame of the capture so far."""
    notes = [finding for look in LOOKS for finding in look(run)]
    giver = run.giver
    if run.link is not None and giver is not None and giver.give is not None:
        took = run.link.where.at - giver.give.first.at
        return Verdict("matched", f"with {_at(giver)}, link seen after {took:.1f} s ({run.link.text})", notes)
    cause = _unlinked(run, giver, last_at) if giver is not None else _unmatched(run, last_at)
    if isinstance(cause, str):
        return Verdict("unfinished", cause, notes)
    return Verdict("failed", cause.text, [cause, *notes])


def _at(station: Station) -> str:
    """A station and its attenuation."""
    return mac(station.mac) + (f" at {station.attenuation:.1f} dB" if station.attenuation is not None else "")


def _unlinked(run: Matching, giver: Station, last_at: float) -> Finding | str:
    """The key was given, and no link was seen: why the run failed, or why that is not known."""
    assert giver.give is not None
    given = giver.give.first
    key = f"{mac(giver.mac)} gave the key"
    if run.ended is not None:
        told = f"{run.ended.text} after {run.ended.where.at - given.at:.1f} s"
        return Finding(run.ended.where, run.ended.side, f"{key}, but the link did not come up: {told}")
    if run.unlinked is not None and _was_missing(run):
        after = run.unlinked.at - given.at
        told = f"after {after:.1f} s there is still no link, {TIMING.TT_match_join:g} s allowed"
        return Finding(run.unlinked, Side.SECC, f"{key}, but {told}")
    if last_at - given.at <= TIMING.TT_match_join:
        return f"{key}; the capture ends before the link"
    return f"{key}; nothing in the capture tells whether the link came up"


def _unmatched(run: Matching, last_at: float) -> Finding | str:
    """No key was given: which step is missing, or why that is not known."""
    stations = run.stations.values()
    answering = [station for station in stations if station.answer is not None]
    if not run.vehicle_heard:
        return "only a station's half is in the capture, and no key in it"
    if not stations and run.announcement is not None:
        return "the vehicle went on with a station that is not heard here"
    missing, limit, side = _missing(run, answering)
    if limit and last_at - run.end.at <= limit and run.ended is None:
        return f"the capture ends before it was decided: {missing}"
    after = f"; {run.ended.text}" if run.ended is not None else ""
    return Finding(_last_step(run), side, f"{missing}{after}")


def _missing(run: Matching, answering: list[Station]) -> tuple[str, float, Side]:
    """What did not come, how long it is waited for, and who owed it."""
    asked = [station for station in run.stations.values() if station.ask is not None]
    if asked:
        told = f"{mac(asked[-1].mac)} did not answer CM_SLAC_MATCH.REQ"
        return f"{told}: it gave no key", TIMING.TT_match_response, Side.SECC
    reporting = [station for station in run.stations.values() if station.report is not None]
    if any(station.confirm for station in reporting):
        return f"the vehicle asked for no match{_why_none(run)}", TIMING.TT_EVSE_match_session, Side.EVCC
    if reporting:
        return (
            f"the vehicle did not answer CM_ATTEN_CHAR.IND of {_list(reporting)}",
            TIMING.TT_match_response,
            Side.EVCC,
        )
    if run.sounding is not None:
        return f"no station reported an attenuation{_why_unreported(run)}", TIMING.TT_EV_atten_results, Side.SECC
    if run.announcement is not None:
        return (
            "no CM_MNBC_SOUND.IND followed CM_START_ATTEN_CHAR.IND",
            TIMING.TT_EVSE_match_MNBC,
            Side.EVCC,
        )
    if answering:
        return (
            f"the vehicle did not go on after CM_SLAC_PARM.CNF of {_list(answering)}",
            TIMING.TT_match_sequence,
            Side.EVCC,
        )
    request = run.request
    sent = "CM_SLAC_PARM.REQ"
    if request is not None:
        lasted = request.last.at - request.first.at
        sent += f" ({times(request.count)}" + (f" in {lasted:.1f} s)" if lasted > 0.1 else ")")
    strange = [(sender, run_id) for name, sender, run_id in run.foreign if name == "CM_SLAC_PARM.CNF"]
    if strange:
        sender, run_id = strange[0]
        told = f"{mac(sender)} answered {sent} with another run id, {text(run_id)}"
        return f"{told}: the vehicle, whose run id is {text(run.run_id)}, ignores that", 0.0, Side.SECC
    return f"no station answered {sent}", TIMING.TT_match_response, Side.SECC


def _why_none(run: Matching) -> str:
    """Why a vehicle may have chosen no station."""
    ranking = run.ranking
    if not ranking:
        return ": no station measured anything"
    failed = [station for station in ranking if station.validation in (0, 3)]
    if failed:
        return f": {_list(failed)} did not validate its toggles"
    rivals = _rivals(run)
    if rivals:
        return f": stations at similar attenuation, {', '.join(_at(each) for each in [ranking[0], *rivals])}"
    nearest = ranking[0].attenuation
    if nearest is not None and nearest > FAR_DB:
        return f": none is near enough, {_at(ranking[0])}"
    return f" with {', '.join(_at(each) for each in ranking)}: it may have chosen a station that is not heard here"


def _why_unreported(run: Matching) -> str:
    modems = list(run.modems.values())
    if not modems:
        return ": no modem told of sounds that it heard"
    measuring = [modem for modem in modems if modem.attenuation is not None]
    if not measuring:
        return f": modem {mac(modems[0].mac)} heard the sounds and measured nothing"
    return f", though modem {mac(measuring[0].mac)} measured {measuring[0].attenuation:.1f} dB"


def _last_step(run: Matching) -> Where:
    """The last message of the run itself."""
    moments = [step.last for step in run.steps.values()]
    for station in run.stations.values():
        seen = station.answer, station.report, station.confirm, station.validate, station.validated, station.ask
        moments += [step.last for step in seen if step is not None]
    return max(moments, key=lambda where: where.at, default=run.end)


def _list(stations: list[Station]) -> str:
    return " and ".join(mac(station.mac) for station in stations[:4]) + (" and others" if len(stations) > 4 else "")


def _rivals(run: Matching) -> list[Station]:
    """Those that are hardly farther than the nearest."""
    ranking = run.ranking
    limit = (ranking[0].attenuation or 0.0) + SIMILAR_DB if ranking else 0.0
    return [each for each in ranking[1:] if each.attenuation is not None and each.attenuation < limit]


# What is worth knowing of any run


def _note(where: Where, side: Side, words: str, clause: str | None = None) -> Finding:
    return Finding(where, side, words, clause, cause=False)


def _late(run: Matching) -> Iterator[Finding]:
    """Answers later than the other side waits."""
    stations = list(run.stations.values())
    for name, timer, side, taken in (
        ("CM_SLAC_PARM.CNF", "TT_match_response", Side.SECC, [each.answered for each in stations]),
        ("CM_START_ATTEN_CHAR.IND", "TT_match_sequence", Side.EVCC, [run.started]),
        ("CM_ATTEN_CHAR.IND", "TT_EV_atten_results", Side.SECC, [each.reported for each in stations]),
        ("CM_ATTEN_CHAR.RSP", "TT_match_response", Side.EVCC, [each.confirmed for each in stations]),
        ("CM_SLAC_MATCH.REQ", "TT_EVSE_match_session", Side.EVCC, [each.asked for each in stations]),
        ("CM_SLAC_MATCH.CNF", "TT_match_response", Side.SECC, [each.given for each in stations]),
    ):
        limit = getattr(TIMING, timer)
        worst = max((each for each in taken if each is not None), key=lambda each: each.seconds, default=None)
        if worst is not None and worst.seconds > limit:
            yield _note(worst.where, side, f"{name} took {worst.seconds:.3f} s, {limit:g} s allowed ({timer})")
    if run.link is not None and run.giver is not None and run.giver.give is not None:
        took = run.link.where.at - run.giver.give.first.at
        if took > TIMING.TT_match_join and _was_missing(run):
            told = f"the link came {took:.1f} s after the key, {TIMING.TT_match_join:g} s allowed (TT_match_join)"
            yield _note(run.link.where, Side.SECC, told)


def _sounds(run: Matching) -> Iterator[Finding]:
    sounding, announced = run.sounding, run.announced
    if run.announcement is not None and announced != USUAL:
        told = f"CM_START_ATTEN_CHAR.IND announces {announced}, where {USUAL} is usual: some stations ignore that"
        yield _note(run.announcement.first, Side.EVCC, told)
    for station in run.stations.values():
        if station.answer is not None and station.offer != USUAL:
            told = f"{mac(station.mac)} wants {station.offer}, where {USUAL} is usual: some vehicles ignore that"
            yield _note(station.answer.first, Side.SECC, told)
    if sounding is None:
        return
    if len(run.sounds) < announced.sounds:
        told = f"{len(run.sounds)} of {many(announced.sounds, 'sound')} are in the capture"
        yield _note(sounding.last, Side.EVCC, told)
    if run.gap is not None and run.gap.seconds > SLOW_S:
        told = f"{run.gap.seconds:.3f} s between two sounds, 0.02 to 0.05 s are usual (TP_EV_batch_msg_interval)"
        yield _note(run.gap.where, Side.EVCC, told)
    if run.late_sounds:
        told = f"{many(run.late_sounds, 'sound')} came later than {TIMING.TT_EVSE_match_MNBC:g} s after"
        yield _note(sounding.last, Side.EVCC, f"{told} CM_START_ATTEN_CHAR.IND, too late to count (TT_EVSE_match_MNBC)")


def _attenuation(run: Matching) -> Iterator[Finding]:
    blind = [modem for modem in run.modems.values() if modem.attenuation is None]
    for station in run.stations.values():
        if station.report is None:
            continue
        where = station.report.first
        if not station.groups:
            yield _note(where, Side.SECC, f"{mac(station.mac)} reports no groups of carriers: nothing was measured")
        elif not any(station.groups):
            yield _note(where, Side.SECC, f"{mac(station.mac)} reports 0 dB in every group; some vehicles hang at that")
        elif blind and len(blind) == len(run.modems) and len(run.stations) == 1:
            told = f"modem {mac(blind[0].mac)} measured nothing, so what {mac(station.mac)} reports was not measured"
            yield _note(where, Side.SECC, told)
        if station.sounds < len(run.sounds):
            told = f"{mac(station.mac)} counts {station.sounds} of {many(len(run.sounds), 'sound')}"
            yield _note(where, Side.SECC, told)
        if station.report.count > 1:
            told = f"{mac(station.mac)} sent CM_ATTEN_CHAR.IND {times(station.report.count)} until it was answered"
            if station.confirm is None:
                told = f"{mac(station.mac)} sent CM_ATTEN_CHAR.IND {times(station.report.count)}, without answer"
            yield _note(station.report.last, Side.SECC, told)


def _choice(run: Matching) -> Iterator[Finding]:
    """Whether the vehicle could tell the stations apart, and what it made of that."""
    giver, ranking = run.giver, run.ranking
    if giver is None or giver.give is None or giver.attenuation is None:
        return
    nearer = [each for each in ranking if each.attenuation is not None and each.attenuation < giver.attenuation]
    rivals = [each for each in _rivals(run) if each is not giver]
    if nearer:
        told = f"the vehicle chose {_at(giver)}, though {_at(nearer[0])} is nearer"
        yield _note(giver.give.first, Side.EVCC, told)
    elif rivals:
        told = f"{', '.join(_at(each) for each in rivals)} is hardly farther than {_at(giver)}"
        yield _note(giver.give.first, Side.SECC, f"{told}: the wrong one may have been chosen")


def _network(run: Matching) -> Iterator[Finding]:
    giver = run.giver
    if giver is None or giver.give is None:
        return
    where = giver.give.first
    if not run.derived:
        yield _note(where, Side.SECC, "the NID does not follow from the NMK: the vehicle must use the one it is given")
    if run.earlier is not None and (run.earlier.nid, run.earlier.nmk) != (run.nid, run.nmk):
        told = f"{mac(giver.mac)} gave another key than it last set in its modem, in frame {run.earlier.where.frame}"
        yield _note(where, Side.SECC, told)
    for key in run.keys.values():
        if key.host not in (run.ev, giver.mac):
            told = f"{mac(key.host)} set this key in its modem; it is neither the vehicle nor the station"
            yield _note(key.where, Side.EVCC, told)
        if key.modem is None:
            yield _note(key.where, Side.EVCC, f"no modem answered CM_SET_KEY.REQ of {mac(key.host)}")


def _foreign(run: Matching) -> Iterator[Finding]:
    answered = any(station.answer is not None for station in run.stations.values())
    for (name, sender, run_id), step in run.foreign.items():
        if name == "CM_SLAC_PARM.CNF" and not answered:
            continue  # it is the reason
        told = f"{name} of {mac(sender)} with another run id, {text(run_id)}, {times(step.count)}"
        yield _note(step.first, Side.SECC, told)


LOOKS: Final = (_foreign, _sounds, _attenuation, _late, _choice, _network)
