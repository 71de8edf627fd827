"""The steps of a recorded matching run, and how long each took. Pure: facts go in, rows come out.

What the standard's time-outs (TT_) allow is held against what was taken; performance times (TP_) are not, for real
vehicles and stations exceed them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from hlc.capture.matching import TIMING, Matching, Took
from hlc.trace.describe import mac

FAR_DB: Final = 40.0
"""A station with more attenuation is hardly the one that the vehicle is plugged in at."""
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
        known = took <= TIMING.TT_match_join or was_missing(run)
        limit, timer = (TIMING.TT_match_join, "TT_match_join") if known else (None, "")
        rows.append(Row(run.link.where.at, "link", run.link.text, took, limit, timer))
    return rows


def was_missing(run: Matching) -> bool:
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
