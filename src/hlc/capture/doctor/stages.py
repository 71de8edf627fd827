"""Where a matching run that came to no link stopped, and why as far as the run shows it.

A half that the capture does not have is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, NamedTuple

from hlc.capture.finding import Evidence, Finding, Verdict, Who
from hlc.capture.matching import TIMING, Matching, Station, Step
from hlc.capture.matching_steps import FAR_DB, times, was_missing
from hlc.capture.where import Where
from hlc.trace.describe import mac, text

SIMILAR_DB: Final = 5.0
"""Stations whose attenuation differs by less cannot be told apart."""


class Stage(Enum):
    """What a run that came to no link lacked."""

    ANSWER = auto()
    OTHER_RUN = auto()
    START = auto()
    SOUNDS = auto()
    REPORT = auto()
    CONFIRMATION = auto()
    CHOICE = auto()
    KEY = auto()
    LINK = auto()
    UNKNOWN = auto()
    """The capture does not show enough of it."""


class Stop(NamedTuple):
    """Where a run stopped: what is missing in words, and whether that is certain."""

    stage: Stage
    text: str
    who: Who = Who.EITHER
    timer: str = ""
    """That of whoever waited, a name of `slac.timing`; empty: none."""
    open: bool = False
    """The capture ends before it was decided."""


def verdict(run: Matching, findings: list[Finding], last_at: float) -> Verdict:
    """How a run ended."""
    giver = run.giver
    if linked(run) and giver is not None and giver.give is not None and run.link is not None:
        took = run.link.where.at - giver.give.first.at
        return Verdict("matched", f"with {at_station(giver)}, link seen after {took:.1f} s ({run.link.text})", findings)
    for finding in findings:
        if finding.cause:
            return Verdict("failed", finding.text, findings)
    stop = stopped(run, last_at)
    undecided = stop.open and stop.stage not in (Stage.UNKNOWN, Stage.LINK)
    return Verdict(
        "unfinished", f"the capture ends before it was decided: {stop.text}" if undecided else stop.text, findings
    )


def linked(run: Matching) -> bool:
    """Whether the run led to a link."""
    return run.link is not None and run.giver is not None and run.giver.give is not None


def stopped(run: Matching, last_at: float) -> Stop:
    """Where a run without a link stopped."""
    giver = run.giver
    stop = _unlinked(run, giver, last_at) if giver is not None else _unmatched(run)
    limit = getattr(TIMING, stop.timer) if stop.timer else 0.0
    if giver is None and limit and last_at - run.end.at <= limit and run.ended is None:
        return stop._replace(open=True)
    return stop


def _unlinked(run: Matching, giver: Station, last_at: float) -> Stop:
    """The key was given, and no link was seen."""
    assert giver.give is not None
    given = giver.give.first
    key = f"{mac(giver.mac)} gave the key"
    if run.ended is not None:
        told = f"{run.ended.text} after {run.ended.where.at - given.at:.1f} s"
        return Stop(Stage.LINK, f"{key}, but the link did not come up: {told}", Who.of(run.ended.side))
    if run.unlinked is not None and was_missing(run):
        after = run.unlinked.at - given.at
        told = f"after {after:.1f} s there is still no link, {TIMING.TT_match_join:g} s allowed"
        return Stop(Stage.LINK, f"{key}, but {told}", Who.LINK)
    if last_at - given.at <= TIMING.TT_match_join:
        return Stop(Stage.LINK, f"{key}; the capture ends before the link", open=True)
    return Stop(Stage.LINK, f"{key}; nothing in the capture tells whether the link came up", open=True)


def _unmatched(run: Matching) -> Stop:
    """No key was given: which step is missing."""
    stations = list(run.stations.values())
    if not run.vehicle_heard:
        return Stop(Stage.UNKNOWN, "only a station's half is in the capture, and no key in it", open=True)
    if not stations and run.announcement is not None:
        return Stop(Stage.UNKNOWN, "the vehicle went on with a station that is not heard here", open=True)
    stop = _missing(run, stations)
    return stop._replace(text=f"{stop.text}; {run.ended.text}") if run.ended is not None else stop


def _missing(run: Matching, stations: list[Station]) -> Stop:
    asked = [station for station in stations if station.ask is not None]
    if asked:
        told = f"{mac(asked[-1].mac)} did not answer CM_SLAC_MATCH.REQ: it gave no key"
        return Stop(Stage.KEY, told, Who.STATION, "TT_match_response")
    reporting = [station for station in stations if station.report is not None]
    if any(station.confirm for station in reporting):
        told = f"the vehicle asked for no match{_why_none(run)}"
        return Stop(Stage.CHOICE, told, Who.VEHICLE, "TT_EVSE_match_session")
    if reporting:
        told = f"the vehicle did not answer CM_ATTEN_CHAR.IND of {_list(reporting)}"
        return Stop(Stage.CONFIRMATION, told, Who.VEHICLE, "TT_match_response")
    if run.sounding is not None:
        told = f"no station reported an attenuation{_why_unreported(run)}"
        return Stop(Stage.REPORT, told, Who.STATION, "TT_EV_atten_results")
    if run.announcement is not None:
        told = "no CM_MNBC_SOUND.IND followed CM_START_ATTEN_CHAR.IND"
        return Stop(Stage.SOUNDS, told, Who.VEHICLE, "TT_EVSE_match_MNBC")
    answering = [station for station in stations if station.answer is not None]
    if answering:
        told = f"the vehicle did not go on after CM_SLAC_PARM.CNF of {_list(answering)}"
        return Stop(Stage.START, told, Who.VEHICLE, "TT_match_sequence")
    request = run.request
    sent = "CM_SLAC_PARM.REQ"
    if request is not None:
        lasted = request.last.at - request.first.at
        sent += f" ({times(request.count)}" + (f" in {lasted:.1f} s)" if lasted > 0.1 else ")")
    strange = [(sender, run_id) for name, sender, run_id in run.foreign if name == "CM_SLAC_PARM.CNF"]
    if strange:
        sender, run_id = strange[0]
        told = f"{mac(sender)} answered {sent} with another run id, {text(run_id)}"
        told = f"{told}: the vehicle, whose run id is {text(run.run_id)}, ignores that"
        return Stop(Stage.OTHER_RUN, told, Who.STATION)
    return Stop(Stage.ANSWER, f"no station answered {sent}", Who.STATION, "TT_match_response")


def _why_none(run: Matching) -> str:
    """Why a vehicle may have chosen no station."""
    ranking = run.ranking
    if not ranking:
        return ": no station measured anything"
    failed = unvalidated(run)
    if failed:
        return f": {_list(failed)} did not validate its toggles"
    rivals = alike_to_nearest(run)
    if rivals:
        return f": stations at similar attenuation, {', '.join(at_station(each) for each in [ranking[0], *rivals])}"
    nearest = ranking[0].attenuation
    if nearest is not None and nearest > FAR_DB:
        return f": none is near enough, {at_station(ranking[0])}"
    return (
        f" with {', '.join(at_station(each) for each in ranking)}: it may have chosen a station that is not heard here"
    )


def _why_unreported(run: Matching) -> str:
    modems = list(run.modems.values())
    if not modems:
        return ": no modem told of sounds that it heard"
    measuring = [modem for modem in modems if modem.attenuation is not None]
    if not measuring:
        return f": modem {mac(modems[0].mac)} heard the sounds and measured nothing"
    return f", though modem {mac(measuring[0].mac)} measured {measuring[0].attenuation:.1f} dB"


def at_station(station: Station) -> str:
    """A station and its attenuation."""
    return mac(station.mac) + (f" at {station.attenuation:.1f} dB" if station.attenuation is not None else "")


def _list(stations: list[Station]) -> str:
    return " and ".join(mac(station.mac) for station in stations[:4]) + (" and others" if len(stations) > 4 else "")


def unvalidated(run: Matching) -> list[Station]:
    return [station for station in run.ranking if station.validation in (0, 3)]


def alike_to_nearest(run: Matching) -> list[Station]:
    """Those that are hardly farther than the nearest."""
    ranking = run.ranking
    limit = (ranking[0].attenuation or 0.0) + SIMILAR_DB if ranking else 0.0
    return [each for each in ranking[1:] if each.attenuation is not None and each.attenuation < limit]


def last_step(run: Matching) -> Where:
    """The last message of the run itself."""
    return max((step.last for _, step in _steps(run)), key=lambda where: where.at, default=run.end)


def _steps(run: Matching) -> Iterator[tuple[str, Step]]:
    """The messages of the run that were seen, with who sent them where that is a station."""
    yield from run.steps.items()
    for station in run.stations.values():
        for name, step in (
            ("CM_SLAC_PARM.CNF", station.answer),
            ("CM_ATTEN_CHAR.IND", station.report),
            ("CM_ATTEN_CHAR.RSP", station.confirm),
            ("CM_VALIDATE.REQ", station.validate),
            ("CM_VALIDATE.CNF", station.validated),
            ("CM_SLAC_MATCH.REQ", station.ask),
            ("CM_SLAC_MATCH.CNF", station.give),
        ):
            if step is not None:
                yield name, step


def evidence_of(run: Matching) -> tuple[Evidence, ...]:
    """The last steps that were seen, the last one last."""
    seen = sorted(_steps(run), key=lambda named: named[1].last.at)
    return tuple(Evidence(step.last, f"{name}, {times(step.count)}") for name, step in seen[-4:])
