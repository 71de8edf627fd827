"""The story of a matching run: lines for people, with the attenuation as a chart, and plain data for machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hlc.capture.doctor import Verdict
from hlc.capture.matching import Matching, Station
from hlc.capture.matching_steps import FAR_DB, Row, many, timeline
from hlc.trace.chart import bars
from hlc.trace.describe import mac, text

CHARTS: Final = 4
"""Stations whose attenuation is drawn, the nearest first."""


def steps(run: Matching) -> Iterator[str]:
    """A line for each step: when, what, and how long it took of the time that is allowed."""
    for row in timeline(run):
        yield f"  {row.at - run.start.at:9.3f} s  {row.name:<24} {row.what:<36} {_took(row)}".rstrip()


def _took(row: Row) -> str:
    if row.took_s is None:
        return ""
    if row.limit_s is None:
        return f"{row.took_s:6.3f} s"
    return f"{row.took_s:6.3f} of {row.limit_s:g} s  {row.timer}" + ("  LATE" if row.took_s > row.limit_s else "")


def parties(run: Matching) -> Iterator[str]:
    """The stations, their modems, and the key."""
    for station in sorted(run.stations.values(), key=lambda each: (each.attenuation is None, each.attenuation or 0.0)):
        facts = (
            [_attenuation(station.groups, station.attenuation)] if station.report is not None else ["no attenuation"]
        )
        if station.report is not None:
            facts.append(many(station.sounds, "sound"))
        if station.answer is None:
            facts.append("did not answer CM_SLAC_PARM.REQ in this capture")
        if station.ask is not None or station is run.giver:
            facts.append("chosen")
        yield _party("station", station.mac, station.vlan, facts)
    for modem in run.modems.values():
        best = modem.best
        facts = [f"{modem.attenuation:.1f} dB" if modem.attenuation is not None else "measured nothing"]
        facts.append(many(best.count, "sound"))
        yield _party("modem", modem.mac, modem.vlan, facts)
    if run.giver is not None:
        follows = "  (the NID follows from the NMK)" if run.derived else ""
        yield f"  key      NID {text(run.nid)}  NMK {text(run.nmk)}{follows}"


def _party(kind: str, address: bytes, vlan: int | None, facts: list[str]) -> str:
    return f"  {kind:<8} {mac(address)}  {'' if vlan is None else f'VLAN {vlan}, '}{', '.join(facts)}"


def _attenuation(groups: tuple[int, ...], average: float | None) -> str:
    return "no groups" if average is None else f"{average:.1f} dB ({min(groups)} to {max(groups)})"


def charts(run: Matching, width: int, *, unicode: bool) -> Iterator[str]:
    """The attenuation of each group of carriers, as the stations report it."""
    ranking = run.ranking
    top = max((max(station.groups) for station in ranking[:CHARTS]), default=0.0)
    for station in ranking[:CHARTS]:
        yield f"  attenuation in each of {len(station.groups)} groups of carriers, as {mac(station.mac)} reports it"
        yield from bars(station.groups, "dB", width, top=max(FAR_DB, top), unicode=unicode)
    if len(ranking) > CHARTS:
        yield f"  and {len(ranking) - CHARTS} more stations"


def record(run: Matching, verdict: Verdict, findings: list[dict[str, Any]]) -> dict[str, Any]:
    """A finished run as plain data; times in seconds since 1970, octets in hexadecimal."""
    giver, link = run.giver, run.link
    given = giver.give.first.at if giver is not None and giver.give is not None else run.start.at
    entry: dict[str, Any] = {
        "number": run.number,
        "start": run.start.at,
        "end": link.where.at if link is not None else run.end.at,
        "first_frame": run.start.frame,
        "last_frame": link.where.frame if link is not None else run.end.frame,
        "ev": mac(run.ev),
        "run_id": text(run.run_id),
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "control_pilot": {"state": run.pilot.state or None, "duty": run.pilot.duty} if run.pilot else None,
        "requests": run.request.count if run.request else 0,
        "sounds": len(run.sounds),
        "stations": [_station(station, run) for station in run.stations.values()],
        "modems": [
            {
                "mac": mac(modem.mac),
                "vlan": modem.vlan,
                "sounds": modem.best.count,
                "measured": modem.best.measured,
                "attenuation_db": _rounded(modem.attenuation),
            }
            for modem in run.modems.values()
        ],
        "evse": mac(giver.mac) if giver is not None else None,
        "nid": text(run.nid) if giver is not None else None,
        "nmk": text(run.nmk) if giver is not None else None,
        "nid_derived": run.derived if giver is not None else None,
        "key_set_by": [
            {
                "host": mac(key.host),
                "after_s": round(key.where.at - given, 6),
                "modem": mac(key.modem) if key.modem is not None else None,
                "result": key.result,
            }
            for key in run.keys.values()
        ],
        "link": {"after_s": round(link.where.at - given, 6), "evidence": link.text} if link is not None else None,
        "steps": [
            {
                "name": row.name,
                "what": row.what,
                "after_s": round(row.at - run.start.at, 6),
                "took_s": None if row.took_s is None else round(row.took_s, 6),
                "limit_s": row.limit_s,
                "timer": row.timer or None,
            }
            for row in timeline(run)
        ],
        "findings": findings,
    }
    return entry


def _station(station: Station, run: Matching) -> dict[str, Any]:
    return {
        "mac": mac(station.mac),
        "vlan": station.vlan,
        "answered": station.answer is not None,
        "attenuation_db": _rounded(station.attenuation),
        "groups": list(station.groups),
        "sounds": station.sounds,
        "confirmed": station.confirm is not None,
        "validation": station.validation,
        "chosen": station.ask is not None or station is run.giver,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
