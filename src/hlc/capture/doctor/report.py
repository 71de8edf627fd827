"""What `hlc decode --doctor` prints: of each plug-in a verdict and its numbered findings, for people or as one JSON
object. Nothing is found out here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from textwrap import wrap
from typing import Any, Final

import msgspec

from hlc.capture.conversation import address, title
from hlc.capture.doctor.table import judge_capture
from hlc.capture.finding import EVIDENCE, Finding, Severity, Verdict
from hlc.capture.plugin import PlugIn
from hlc.capture.report import Report, clock
from hlc.capture.session import Session
from hlc.capture.totals import Totals
from hlc.capture.where import NOWHERE, Where
from hlc.trace.console import Paint
from hlc.trace.describe import clean, mac

COLOURS: Final = {"good": "green", "poor": "yellow", "unfinished": "yellow", "failed": "red"}
OF_SEVERITY: Final = {Severity.CAUSE: "red", Severity.POOR: "yellow", Severity.REMARK: "dim"}
NARROWEST: Final = 60
WIDEST: Final = 110
INDENT: Final = 6
LABEL: Final = 10
SHOWN: Final = 12
"""Findings of a plug-in that are shown in full; of further ones the number is told."""
PLUG_INS: Final = 1000
"""Plug-ins of which JSON tells."""


class DoctorReport(Report):
    """The report of the doctor. Lines are `width` columns wide at most."""

    def __init__(self, out: Callable[[str], None], *, json: bool, paint: Paint, width: int) -> None:
        super().__init__(out)
        self._json = json
        self._paint = paint
        self._width = max(NARROWEST, min(width, WIDEST))
        self._plug_ins: list[dict[str, Any]] = []
        self._outcomes: Counter[str] = Counter()

    def plugged(self, plug: PlugIn, verdict: Verdict) -> None:
        self._outcomes[verdict.outcome] += 1
        if self._json:
            if len(self._plug_ins) < PLUG_INS:
                self._plug_ins.append(self._record(plug, verdict))
            return
        if sum(self._outcomes.values()) > 1:
            self.out("")
        self._say(self._paint("bold", f"Plug-in {plug.number}: {clock(plug.start.at)}{_parties(plug)}"))
        self._wrapped(f"{verdict.outcome.upper()}: {verdict.reason}", 2, COLOURS[verdict.outcome])
        for line in _story(plug):
            self._wrapped(line, 2, "dim")
        self._findings(verdict.findings)

    def totals(self, totals: Totals, damage: list[str]) -> None:
        overall = judge_capture(totals)
        if self._json:
            self.out(msgspec.json.encode(self._summary(totals, overall, damage)).decode())
            return
        if overall:
            if self._outcomes:
                self.out("")
            self._say(self._paint("bold", "The capture as a whole"))
            self._findings(overall)
        if sum(self._outcomes.values()) > 1:
            told = ", ".join(f"{count} {outcome}" for outcome, count in self._outcomes.most_common())
            self.out("")
            self._say(f"{sum(self._outcomes.values())} plug-ins: {told}")

    # For people

    def _findings(self, findings: list[Finding]) -> None:
        for number, finding in enumerate(findings[:SHOWN], start=1):
            self.out("")
            self._finding(number, finding)
        if len(findings) > SHOWN:
            self.out("")
            self._say(f"  and {len(findings) - SHOWN} more findings: --doctor --json has them all")

    def _finding(self, number: int, finding: Finding) -> None:
        head = f"{number:3}. {self._paint(OF_SEVERITY[finding.severity], finding.severity.word)}"
        self._say(f"{head}  {finding.rule}  {self._paint('dim', f'({finding.who})')}")
        self._wrapped(_sentence(finding.text), INDENT)
        for seen in finding.evidence[:EVIDENCE]:
            self._labelled(self._place(seen.where), seen.text)
        if len(finding.evidence) > EVIDENCE:
            self._labelled("", f"and {len(finding.evidence) - EVIDENCE} more")
        if finding.deadline is not None:
            self._labelled("timer", finding.deadline.text)
        if finding.clause and (finding.deadline is None or finding.clause != finding.deadline.timer):
            self._labelled("rule", finding.clause)
        if finding.advice:
            self._labelled("advice", finding.advice)

    def _place(self, where: Where) -> str:
        return f"frame {where.frame}, {where.at - (self.zero or 0.0):.3f} s"

    def _labelled(self, label: str, text: str) -> None:
        label = f"{label:<{LABEL - 2}}  "
        lines = wrap(clean(text), max(20, self._width - INDENT - len(label)))
        for number, line in enumerate(lines or [""]):
            before = self._paint("dim", label) if not number else " " * len(label)
            self.out(f"{' ' * INDENT}{before}{line}".rstrip())

    def _wrapped(self, text: str, indent: int, colour: str = "") -> None:
        for line in wrap(clean(text), self._width - indent):
            self.out(" " * indent + (self._paint(colour, line) if colour else line))

    def _say(self, line: str) -> None:
        self.out(line)

    # For machines

    def _summary(self, totals: Totals, overall: list[Finding], damage: list[str]) -> dict[str, Any]:
        return {
            "frames": totals.frames,
            "outcomes": dict(self._outcomes),
            "plug_ins": self._plug_ins,
            "capture": [self._of(finding) for finding in overall],
            "damage": damage,
        }

    def _record(self, plug: PlugIn, verdict: Verdict) -> dict[str, Any]:
        run = plug.linked
        return {
            "number": plug.number,
            "start": plug.start.at,
            "end": plug.end.at,
            "first_frame": plug.start.frame,
            "last_frame": plug.end.frame,
            "ev": mac(plug.ev) if plug.ev else None,
            "evse": mac(run.giver.mac) if run is not None and run.giver is not None else None,
            "evcc": _address(plug) or None,
            "outcome": verdict.outcome,
            "reason": verdict.reason,
            "matchings": [matching.number for matching, _ in plug.matchings],
            "sessions": [
                {"number": session.number, "protocol": session.protocol, "outcome": judged.outcome}
                for session, judged in plug.sessions
            ],
            "left_out": dict(plug.left_out),
            "findings": [self._of(finding) for finding in verdict.findings],
        }

    def _of(self, finding: Finding) -> dict[str, Any]:
        deadline = finding.deadline
        return {
            "rule": finding.rule,
            "severity": finding.severity.word,
            "who": finding.who,
            "text": finding.text,
            **self._moment(finding.where),
            "evidence": [{**self._moment(seen.where), "text": seen.text} for seen in finding.evidence],
            "timer": {"name": deadline.timer, "used_s": round(deadline.used_s, 6), "limit_s": deadline.limit_s}
            if deadline is not None
            else None,
            "clause": finding.clause or None,
            "advice": finding.advice,
        }

    def _moment(self, where: Where) -> dict[str, Any]:
        if where is NOWHERE:
            return {"frame": None, "time": None, "after_s": None}
        return {"frame": where.frame, "time": where.at, "after_s": round(where.at - (self.zero or 0.0), 3)}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _address(plug: PlugIn) -> str:
    return address((plug.address, 0)).rsplit(":", 1)[0] if plug.address else ""


def _parties(plug: PlugIn) -> str:
    """Vehicle and station, as far as they are known."""
    run = plug.linked
    vehicle = mac(plug.ev) if plug.ev else _address(plug)
    station = mac(run.giver.mac) if run is not None and run.giver is not None else ""
    return (f"  EV {vehicle}" if vehicle else "") + (f"  EVSE {station}" if station else "")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _story(plug: PlugIn) -> Iterator[str]:
    """What happened, a line for each thing."""
    for run, verdict in plug.matchings:
        yield f"matching {run.number}: {verdict.outcome}" + (
            f" {verdict.reason}" if verdict.outcome == "matched" else ""
        )
    if plug.left_out["matchings"]:
        yield f"and {plug.left_out['matchings']} more matching runs"
    found = plug.discovery
    if found.requests or found.answers:
        offers = ", ".join(dict.fromkeys(offer.station for offer in found.offers[:3]))
        yield f"SDP: {_counted(found.requests, 'request')}, {_counted(found.answers, 'answer')}" + (
            f", station {offers}" if offers else ""
        )
    for session, verdict in plug.sessions:
        yield _told(session, verdict)
    if plug.left_out["sessions"]:
        yield f"and {plug.left_out['sessions']} more sessions or attempts"


def _told(session: Session, verdict: Verdict) -> str:
    attempts = session.attempts
    if attempts is not None:
        times = f", {attempts.count} times" if attempts.count > 1 else ""
        return f"TCP to {attempts.station}: {attempts.outcome}{times}"
    state = session.electrical
    facts = [title(session.protocol)] if session.protocol else []
    facts.append(f"{session.messages} messages in {session.end.at - session.start.at:.1f} s")
    if session.charged:
        facts.append(f"{state.energy_wh:.0f} Wh")
    return f"session {session.number}: {verdict.outcome} ({', '.join(facts)})"
