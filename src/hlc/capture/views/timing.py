"""`--timing`: how long everything took, against both halves of its deadline.

Three tables: the station's answers, the vehicle's pauses between an answer and its next request, and the phases over
several exchanges. The times of a row are a `Sketch`: memory does not grow with the capture, and tables of several
captures can be added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from hlc.capture.doctor import Verdict
from hlc.capture.exchanges import Exchange, Exchanges, Passed
from hlc.capture.report import Print, Report
from hlc.capture.seen import Seen
from hlc.capture.session import Session
from hlc.capture.sketch import EXACT, WIDTH, Sketch
from hlc.capture.totals import Totals
from hlc.capture.views.sessions import protocol_name
from hlc.capture.views.table import Column, table
from hlc.trace.events import Message

HANDSHAKE_S: Final = (1.5, 2.0)
"""Performance time and timeout of supportedAppProtocol, in every protocol."""


class Key(NamedTuple):
    """What a row is about."""

    kind: str
    """ "answer", "pause" or "phase"."""
    protocol: str
    name: str


class Row(msgspec.Struct):
    """All times of one kind."""

    performance_s: float | None
    """What the side that acts must keep."""
    timeout_s: float | None
    """What the other side waits."""
    partly: bool = False
    """The performance time is of one side's share of what is measured: it cannot be held against it."""
    times: Sketch = msgspec.field(default_factory=Sketch)
    slow: int = 0
    """Longer than the performance time."""
    late: int = 0
    """Longer than the timeout."""
    open: int = 0
    """Phases that had not ended when the session did."""
    frame: int = 0
    """Where the worst one ended."""

    def add(self, time_s: float, frame: int) -> None:
        """Take in a time."""
        if time_s >= self.times.worst_s:
            self.frame = frame
        self.times.add(time_s)
        self.slow += self.performance_s is not None and time_s > self.performance_s and not self.partly
        self.late += self.timeout_s is not None and time_s > self.timeout_s

    def merge(self, other: Row) -> None:
        """Take in the times of the same row of another capture."""
        self.times.merge(other.times)
        self.slow += other.slow
        self.late += other.late
        self.open += other.open

    @property
    def used(self) -> float | None:
        """The worst time as a share of the performance time, or of the timeout where only that can be held."""
        limit = self.timeout_s if self.partly else self.performance_s
        return self.times.worst_s / limit if limit else None


class Timing:
    """Collects the times of any number of sessions."""

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self._exchanges = Exchanges()

    def event(self, seen: Seen) -> None:
        """An event of a capture."""
        event = seen.event
        if not isinstance(event, Message):
            return
        exchange = self._exchanges.message(seen, event)
        if exchange is None:
            return
        protocol = self._protocol(exchange)
        if exchange.response_s is not None:
            rule = exchange.rule
            limits = (rule.performance_s, rule.timeout_s) if rule is not None else (None, None)
            if event.schema == "sap":
                protocol, limits = "", HANDSHAKE_S
            self._row("answer", protocol, event.name, *limits).add(exchange.response_s, seen.frame)
        if exchange.pause_s is not None:
            self._paused(exchange, protocol, seen.frame)
        self._passed(exchange.passed, protocol, seen.frame)

    def finished(self, session: Session) -> None:
        """A session is over."""
        self._passed(self._exchanges.over(session), session.protocol or "", session.end.frame)

    def add(self, rows: Mapping[Key, Row]) -> None:
        """Take in the rows of another capture; frames are then of no meaning."""
        for key, row in rows.items():
            self._row(*key, row.performance_s, row.timeout_s, row.partly).merge(row)

    def of(self, kind: str) -> Iterator[tuple[Key, Row]]:
        """The rows of a kind."""
        return ((key, row) for key, row in self.rows.items() if key.kind == kind and row.times.count)

    @staticmethod
    def _protocol(exchange: Exchange) -> str:
        return exchange.rules.name if exchange.rules is not None else ""

    def _row(
        self,
        kind: str,
        protocol: str,
        name: str,
        performance_s: float | None,
        timeout_s: float | None,
        partly: bool = False,
    ) -> Row:
        return self.rows.setdefault(Key(kind, protocol, name), Row(performance_s, timeout_s, partly))

    def _paused(self, exchange: Exchange, protocol: str, frame: int) -> None:
        known, after = exchange.rules, exchange.after
        if known is None or after is None or exchange.pause_s is None:
            return
        performance = after.sequence_performance_s or known.sequence_performance_s
        timeout = after.sequence_s or known.sequence_timeout_s
        self._row("pause", protocol, after.response.__name__, performance, timeout).add(exchange.pause_s, frame)

    def _passed(self, passed: list[Passed], protocol: str, frame: int) -> None:
        for phase, took_s, ended in passed:
            row = self._row("phase", protocol, phase_name(phase), phase.performance_s or None, phase.timeout_s, True)
            row.add(took_s, frame)
            row.open += not ended


def phase_name(phase: Any) -> str:
    """A phase by its timer, and where several have the same one, by what begins it."""
    name: str = phase.evcc.removeprefix("V2G_EVCC_").removesuffix("_Timeout")
    begins = phase.begins.__name__.removesuffix("Req") if phase.begins is not None else ""
    return f"{name} ({begins})" if name == "Ongoing" else name


TABLES: Final = (
    (
        "answer",
        "answer",
        "Answers of the station, from request to answer",
        "allowed: the station; timeout: so long the vehicle waits",
    ),
    (
        "pause",
        "after",
        "Pauses of the vehicle, from answer to next request",
        "allowed: the vehicle; timeout: so long the station waits",
    ),
    ("phase", "phase", "Phases, by the vehicle's timers", "allowed: the station's share; used: of the timeout"),
)
"""Kind, title of the first column, heading, and what to know about the deadlines."""


def lines(timing: Timing, width: int, *, unicode: bool = True, frames: bool = True) -> Iterator[tuple[str, str]]:
    """Lines for a reader, each with its colour or none. `frames`: whether it is of one capture only."""
    binned = False
    several = len({key.protocol for key in timing.rows if key.protocol}) > 1
    for kind, first, heading, remark in TABLES:
        found = list(timing.of(kind))
        if not found:
            continue
        columns = [
            Column(first),
            Column("protocol"),
            Column("count", right=True, rank=3),
            Column("p50", right=True),
            Column("p99", right=True, rank=4),
            Column("worst", right=True),
            Column("frame", right=True, rank=6),
            Column("open", right=True, rank=2),
            Column("allowed", right=True),
            Column("over", right=True, rank=5),
            Column("timeout", right=True),
            Column("late", right=True, rank=5),
            Column("used", right=True),
        ]
        head, *body = table(columns, [_cells(*entry, frames, several) for entry in found], width, unicode=unicode)
        yield heading, "bold"
        yield f"({remark})", "dim"
        yield head, "dim"
        for (_, row), line in zip(found, body, strict=True):
            yield line, "red" if row.late else "yellow" if row.slow else ""
            binned |= not row.times.exact
        yield "", ""
    if binned:
        yield f"p50 and p99 of more than {EXACT} times are within {WIDTH / 2:.0%}; all else is exact", "dim"
    if not timing.rows:
        yield "no request with its answer was decoded", ""


def _cells(key: Key, row: Row, frames: bool, several: bool) -> list[str]:
    return [
        key.name.removesuffix("Res"),
        protocol_name(key.protocol) if several else "",
        str(row.times.count),
        duration(row.times.quantile(0.5)),
        duration(row.times.quantile(0.99)),
        duration(row.times.worst_s),
        str(row.frame) if frames else "",
        str(row.open or ""),
        duration(row.performance_s),
        str(row.slow or ""),
        duration(row.timeout_s),
        str(row.late or ""),
        f"{row.used:.0%}" if row.used is not None else "",
    ]


def duration(time_s: float | None) -> str:
    """A time with the digits that matter: "0.4 ms", "25 ms", "1.5 s"; empty where there is none."""
    if time_s is None:
        return ""
    if time_s < 0.9995:
        return f"{time_s * 1000:.1f} ms" if time_s < 0.00995 else f"{time_s * 1000:.0f} ms"
    return f"{time_s:.3g} s" if time_s < 100 else f"{time_s:.0f} s"


def record(timing: Timing, *, frames: bool = True) -> dict[str, list[dict[str, Any]]]:
    """The tables as plain data, times in seconds."""
    return {
        f"{kind}s": [
            {
                "protocol": key.protocol or None,
                "name": key.name,
                "count": row.times.count,
                "p50": row.times.quantile(0.5),
                "p99": row.times.quantile(0.99),
                "worst": row.times.worst_s,
                "exact": row.times.exact,
                "frame": row.frame if frames else None,
                "performance_time": row.performance_s,
                "beyond_performance_time": row.slow,
                "timeout": row.timeout_s,
                "beyond_timeout": row.late,
                "unfinished": row.open,
            }
            for key, row in timing.of(kind)
        ]
        for kind, *_ in TABLES
    }


class TimingReport(Report):
    """Prints the tables at the end of the capture."""

    def __init__(self, out: Print, *, json: bool, paint: Callable[[str, str], str], width: int, unicode: bool) -> None:
        super().__init__(out)
        self._timing = Timing()
        self._json = json
        self._paint = paint
        self._width = width
        self._unicode = unicode

    def event(self, seen: Seen) -> None:
        self._timing.event(seen)

    def finished(self, session: Session, verdict: Verdict) -> None:
        self._timing.finished(session)

    def totals(self, totals: Totals, damage: list[str]) -> None:
        if self._json:
            self.out(msgspec.json.encode(record(self._timing)).decode())
            return
        for line, colour in lines(self._timing, self._width, unicode=self._unicode):
            self.out(self._paint(colour, line) if colour else line)
