"""What the doctor says: findings with their evidence, and what a rule of the table is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum, StrEnum
from typing import Any, Final, NamedTuple

from hlc.capture.where import Where
from hlc.trace.events import Blame, Event, Fault, Note, Side

EVIDENCE: Final = 5
"""Pieces of evidence that are shown of one finding."""


class Severity(IntEnum):
    """How much a finding matters, the worst first."""

    CAUSE = 0
    """It ended the session or kept it from its purpose."""
    POOR = 1
    """The session served its purpose, but badly."""
    REMARK = 2
    """Worth knowing only."""

    @property
    def word(self) -> str:
        return self.name.lower()


class Who(StrEnum):
    """At whose side the fault is."""

    VEHICLE = "vehicle"
    STATION = "station"
    LINK = "link"
    """What lies between the two: line, modems, plug."""
    LISTENER = "listener"
    """Whoever made the capture."""
    EITHER = "either side"
    """The capture does not tell which."""

    @property
    def side(self) -> Side | None:
        return {Who.VEHICLE: Side.EVCC, Who.STATION: Side.SECC}.get(self)

    @staticmethod
    def of(side: Side) -> Who:
        """Who a side is."""
        return Who.VEHICLE if side is Side.EVCC else Who.STATION


class Evidence(NamedTuple):
    """A place in the capture, and what stands there."""

    where: Where
    text: str


class Deadline(NamedTuple):
    """A timer of a standard, and how much of it was used."""

    timer: str
    used_s: float
    limit_s: float

    @property
    def text(self) -> str:
        return f"{self.timer}: {self.used_s:.3g} s used, {self.limit_s:g} s allowed"


class Finding(NamedTuple):
    """Something that a reader should know. Name of the rule, clause and advice come from the row where empty."""

    where: Where
    who: Who
    text: str
    """What happened, in one sentence."""
    severity: Severity = Severity.CAUSE
    clause: str = ""
    deadline: Deadline | None = None
    evidence: tuple[Evidence, ...] = ()
    advice: str = ""
    rule: str = ""
    symptom: bool = False
    """It tells how the session ended, and not why."""

    @property
    def cause(self) -> bool:
        """It ended the session or kept it from its purpose."""
        return self.severity is Severity.CAUSE

    @property
    def rank(self) -> tuple[int, bool, float]:
        """Findings by how much they matter: severity, then what says why before what says how it ended, then time."""
        return self.severity, self.symptom, self.where.at

    def event(self) -> Event:
        """As a trace event."""
        side = self.who.side or Side.SECC
        if not self.cause:
            return Note(at=self.where.at, side=side, text=self.text)
        return Fault(at=self.where.at, side=side, blame=Blame.REMOTE, text=self.text, clause=self.clause or None)


class Verdict(NamedTuple):
    """The end of a session or matching run. `outcome` is "good", "matched", "failed", or "unfinished" where the capture
    does not show the end. `findings` are in the order of their rank."""

    outcome: str
    reason: str
    findings: list[Finding]

    @property
    def causes(self) -> list[Finding]:
        """The findings that made it fail, the most telling first."""
        return [finding for finding in self.findings if finding.cause]

    @property
    def good(self) -> bool:
        return self.outcome == "good"


class Rule(NamedTuple):
    """A row of the table: `look(subject, last_at)` gives its findings on a subject, `last_at` being the time of the
    last frame of the capture so far."""

    name: str
    """Stable: machines go by it."""
    about: str
    """What it looks for, in one sentence."""
    look: Callable[[Any, float], Iterator[Finding]]
    advice: str
    """What to do about it, where the finding itself says nothing better."""
    clause: str = ""
    """The rule or timer of a standard that is broken, where it is always the same."""
    symptom: bool = False
    """It tells how a session ended, and not why: it ranks behind what says why."""

    def findings(self, subject: Any, last_at: float) -> Iterator[Finding]:
        """What it finds, with what the row says of all its findings."""
        for found in self.look(subject, last_at):
            yield found._replace(
                rule=self.name,
                clause=found.clause or self.clause,
                advice=found.advice or self.advice,
                symptom=found.symptom or self.symptom,
                evidence=tuple(sorted(found.evidence, key=lambda each: each.where)),
            )


def ranked(findings: list[Finding]) -> list[Finding]:
    """In the order of how much they matter; in the order of the table where that is the same."""
    return sorted(findings, key=lambda finding: finding.rank)
