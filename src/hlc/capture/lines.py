"""What `hlc decode` prints for people: a line for each message, a verdict for each session and matching run.

Everything here consumes events and finished sessions; nothing is found out here.
"""

from __future__ import annotations

from textwrap import wrap
from typing import Any, Final

from hlc.capture import matching_report, tls_report
from hlc.capture.doctor import OF_PLUG_IN, Finding, Verdict
from hlc.capture.matching import Matching
from hlc.capture.plugin import PlugIn
from hlc.capture.report import Print, Report, clock, facts, overall, row
from hlc.capture.seen import Seen, Tls, Unread
from hlc.capture.session import Session
from hlc.capture.totals import Totals
from hlc.trace import homeplug
from hlc.trace.console import Paint
from hlc.trace.describe import alarm, clean, describe, headline, mac, text
from hlc.trace.events import Message, Mme, Note, StateEntered

RED, GREEN, YELLOW, BOLD, DIM = "31", "32", "33", "1", "2"
COLOURS: Final = {"good": GREEN, "matched": GREEN, "failed": RED, "unfinished": YELLOW}
LEAST_ROOM: Final = 36
"""Columns for the values of a message; with less they go below its name."""
HELD: Final = 1 << 16
"""Lines of a summary that are held back for the table of its sessions; then it is told, of those that there are."""
BELOW: Final = 30
"""The column in which they then begin."""


class Lines(Report):
    """For people: a line for each message, a verdict for each session and matching run.

    `summary` leaves out the messages. Charts are `width` columns wide at most, in ASCII unless `unicode`; and `wrapped`
    lines too. `live`: a summary tells each session when it is over, and has no table of them all.
    """

    def __init__(
        self,
        out: Print,
        *,
        colour: bool,
        summary: bool,
        width: int = 80,
        unicode: bool = True,
        wrapped: bool = False,
        live: bool = False,
    ) -> None:
        super().__init__(out)
        self._wrapped = wrapped
        self._colour = colour
        self._summary = summary
        self._width = width
        self._unicode = unicode
        self._begun = 0
        self._matching = 0
        self._columns = False
        self._apart = False
        """Whether an empty line is due."""
        self._told: set[tuple[int, str]] = set()
        self._held: list[str] | None = [] if summary and not live else None
        """Of a summary, what is told behind the table of its sessions."""
        self._rows: list[dict[str, Any]] = []
        """Of that table."""

    def _say(self, line: str, colour: str = "", hang: int = 0) -> None:
        """A line. What a terminal has no room for goes on below it, in column `hang`."""
        if self._held is not None and len(self._held) >= HELD:
            self._table()
        out = self.out if self._held is None else self._held.append
        if self._apart and line:
            out("")
        self._apart = False
        line = clean(line)
        lines = [line]
        if self._wrapped and len(line) > self._width:
            indent = hang or len(line) - len(line.lstrip()) + 4
            lines = wrap(line, self._width, subsequent_indent=" " * indent, break_on_hyphens=False)
        for line in lines:
            out(f"\x1b[{colour}m{line}\x1b[0m" if self._colour and colour else line)

    def _table(self) -> None:
        """The sessions of a summary as a table, where there are several; then what was held back for it."""
        if self._held is None:
            return
        held, self._held = self._held, None
        rows, self._rows = self._rows, []
        if len(rows) > 1:
            from hlc.capture.views import sessions

            paint = Paint(self._colour)
            for line, colour in sessions.lines(rows, self._width, unicode=self._unicode):
                self.out(paint(colour, line) if colour else line)
        for line in held:
            self.out(line)

    def _at(self, at: float) -> str:
        return f"{at - (self.zero or 0.0):11.3f}"

    def event(self, seen: Seen) -> None:
        if self._summary:
            return
        event, session = seen.event, seen.session
        if isinstance(event, Message):
            if session is not None and session.number != self._begun:
                self._begun = session.number
                self._begin(session)
            self._line(seen, event.side, headline(event), describe(event), RED if alarm(event) else "")
        elif isinstance(event, Mme):
            if seen.matching is not None and seen.matching.number > self._matching:
                self._matching = seen.matching.number
                self._begin_matching(seen.matching)
            elif not self._columns:
                self._head()
            side = homeplug.side(event.name) or ""
            colour = RED if event.message is None else ""
            self._line(seen, side, homeplug.headline(event), homeplug.describe(event), colour)
        elif isinstance(event, StateEntered):
            label = getattr(event.state, "label", event.state.name)
            self._say(f"{'':21}{event.side:<4} enters state {event.state.value} {label}", DIM)
        elif isinstance(event, Note) and seen.matching is None and not (session is not None and session.over):
            # of a session that is over, and of a matching run, they are told with the verdict
            self._say(f"{seen.frame:7} {self._at(event.at)}  {event.side:<4}     {event.text}", YELLOW, BELOW)
        elif isinstance(event, Tls):
            if session is not None and session.number != self._begun:
                self._begun = session.number
                self._begin(session)
            line = f"{seen.frame:7} {self._at(event.at)}  {event.side:<4}     {tls_report.line(event)}"
            self._say(line, RED if event.grave else YELLOW if event.name == "note" else "", BELOW)
        elif isinstance(event, Unread):
            key = (session.number if session is not None else 0, event.reason)
            if event.damaged or key not in self._told:  # what is not built is said once for a session
                self._told.add(key)
                line = f"{seen.frame:7} {self._at(event.at)}  {event.side:<4}     {event.text}"
                self._say(line, RED if event.damaged else YELLOW, BELOW)

    def _line(self, seen: Seen, side: str, name: str, said: str, colour: str) -> None:
        """A message. On a terminal what does not fit goes on below its values, or below its name in a narrow one."""
        line = f"{seen.frame:7} {self._at(seen.event.at)}  {side:<4} {name:<32} "
        if not self._wrapped or len(line) + len(said) <= self._width:
            self._say((line + said).rstrip(), colour)
            return
        indent = len(line)
        if self._width - indent < LEAST_ROOM:
            self._say(line.rstrip(), colour)
            indent = BELOW
            line = " " * indent
        for part in broken(said, max(self._width - indent, LEAST_ROOM)):
            self._say(line + part, colour)
            line = " " * indent

    def _begin(self, session: Session) -> None:
        part = "" if session.whole else " (the capture begins inside it)"
        self._say("")
        self._say(f"Session {session.number}: {clock(session.start.at)}{part}", BOLD)
        self._say(f"  EVCC {session.evcc}  SECC {session.secc}{_link(session)}")
        self._head()

    def _begin_matching(self, run: Matching) -> None:
        self._say("")
        self._say(f"Matching {run.number}: {clock(run.start.at)}", BOLD)
        self._say(f"  EV {mac(run.ev)}  run {text(run.run_id)}")
        self._head()

    def _head(self) -> None:
        self._columns = True
        self._say(f"  frame      time s  who   id message{'':25}what matters", DIM)

    def matched(self, run: Matching, verdict: Verdict) -> None:
        self._say("")
        if self._summary:
            self._say(f"Matching {run.number}: {clock(run.start.at)}", BOLD)
            self._say(f"  EV {mac(run.ev)}  run {text(run.run_id)}")
        else:
            self._say(f"Matching {run.number}: EV {mac(run.ev)}  run {text(run.run_id)}", BOLD)
        said = verdict.outcome if verdict.causes else f"{verdict.outcome}: {verdict.reason}"
        self._say(f"  {said}", COLOURS[verdict.outcome] + ";1")
        if not self._summary:
            for line in matching_report.steps(run):
                self._say(line)
        for line in matching_report.parties(run):
            self._say(line)
        self._findings(verdict.findings)
        if not self._summary:
            for line in matching_report.charts(run, self._width, unicode=self._unicode):
                self._say(line)
            self._apart = True

    def finished(self, session: Session, verdict: Verdict) -> None:
        if self._held is not None:
            self._rows.append(row(session, verdict, self.zero or 0.0))
        self._told = {key for key in self._told if key[0] != session.number}
        if self._begun != session.number:
            self._begun = session.number
            what = (
                f"Session {session.number}"
                if session.messages or session.undecoded or session.encrypted
                else "No session"
            )
            self._say("")
            self._say(f"{what}: {clock(session.start.at)}", BOLD)
            self._say(f"  EVCC {session.evcc or 'unknown'}  SECC {session.secc or 'unknown'}{_link(session)}")
        told = ", ".join(facts(session))
        said = f"{verdict.outcome} ({told})" if verdict.causes else f"{verdict.outcome}: {verdict.reason} ({told})"
        self._say(f"  {said}", COLOURS[verdict.outcome] + ";1")
        self._findings(verdict.findings)

    def plugged(self, plug: PlugIn, verdict: Verdict) -> None:
        super().plugged(plug, verdict)
        own = [finding for finding in verdict.findings if finding.rule in OF_PLUG_IN]
        if own:
            self._say("")
            self._say(f"Plug-in {plug.number}: {clock(plug.start.at)}", BOLD)
            self._findings(own)

    def _findings(self, findings: list[Finding]) -> None:
        for finding in findings:
            clause = f" [{finding.clause}]" if finding.clause else ""
            mark = "!" if finding.cause else "-"
            place = f"{self._at(finding.where.at).strip()} s, frame {finding.where.frame}"
            self._say(f"  {mark} {place}: {finding.text}{clause}", RED if finding.cause else YELLOW)

    def totals(self, totals: Totals, damage: list[str]) -> None:
        self._table()
        self._say("")
        messages = sum(totals.messages.values()) - sum(
            count for name, count in totals.messages.items() if name.startswith("sdp:")
        )
        parts = [
            f"{totals.frames} frames",
            f"{messages} messages decoded",
            f"{sum(totals.undecoded.values())} not decoded",
            f"{totals.sdp} SDP frames",
            f"{sum(totals.mme.values())} HomePlug frames",
        ]
        self._say(", ".join(parts))
        if self._summary:
            for name, count in [*sorted(totals.messages.items()), *sorted(totals.mme.items())]:
                self._say(f"{count:8}  {name}")
        for line in overall(totals):
            self._say(line)


def broken(said: str, width: int) -> list[str]:
    """Values on as many lines as they need; those that are longer than a line are broken between words."""
    lines = [""]
    for part in said.split("  "):
        if lines[-1] and len(lines[-1]) + 2 + len(part) <= width:
            lines[-1] += "  " + part
        else:
            lines += wrap(part, width, break_on_hyphens=False)
    return [line for line in lines if line]


def _link(session: Session) -> str:
    """Which matching run made the link of a session."""
    return f"  link by matching {session.matching}" if session.matching is not None else ""
