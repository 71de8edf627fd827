"""`--timeline`: both state machines against time, a chart in characters for each session.

A row for each documented state that a side enters: its code and name, when, for how long, and a bar. Where nothing
changes for most of the session, as in a long charge loop, the axis leaves out the middle of it and says so: otherwise
everything before and after would share one column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from textwrap import wrap
from typing import Any, Final, NamedTuple

import msgspec

from hlc.capture.conversation import title
from hlc.capture.doctor import Verdict
from hlc.capture.report import Print, Report, clock
from hlc.capture.seen import Seen
from hlc.capture.session import Session
from hlc.capture.views.timing import duration
from hlc.trace.describe import clean
from hlc.trace.events import Side, StateEntered

STAYS: Final = 500
"""States entered that are kept of a side; a charge loop with receipts enters thousands."""
LABEL: Final = 34
"""The longest name of a state that is shown whole."""
FIGURES: Final = 6 + 11 + 9 + 2
"""Columns for everything besides the name of a state and its bar."""
WIDE: Final = 40
"""Names of states are cut where the bars would have less room."""
LEAST_BAR: Final = 16
"""A chart narrower than that is left out: the figures stand alone."""
CUT: Final = 0.5
"""Share of the session from which on a time without change is cut short."""
LEAST_S: Final = 1e-6
"""Shorter sessions are drawn as if they lasted so long."""
GAP: Final = 3
"""Columns that show where the axis is cut."""


class Stay(NamedTuple):
    """A state that a side was in."""

    code: int
    label: str
    began: float
    frame: int


class Course(msgspec.Struct):
    """The states of a session."""

    stays: dict[Side, list[Stay]] = msgspec.field(default_factory=lambda: {side: [] for side in Side})
    more: dict[Side, int] = msgspec.field(default_factory=lambda: dict.fromkeys(Side, 0))
    """States entered beyond those that are kept."""

    def enter(self, event: StateEntered, frame: int) -> None:
        """A side enters a state."""
        stays = self.stays[event.side]
        if len(stays) < STAYS:
            stays.append(Stay(int(event.state), event.state.label, event.at, frame))
        else:
            self.more[event.side] += 1


class Axis:
    """Moments to columns: even, except that one stretch may be left out."""

    def __init__(self, began: float, ended: float, changes: list[float], columns: int) -> None:
        self.began, self.ended, self.columns = began, max(ended, began + LEAST_S), columns
        self.cut: tuple[float, float] | None = None
        whole = self.ended - began
        moments = sorted({began, *(min(max(at, began), self.ended) for at in changes), self.ended})
        quiet = max(pairwise(moments), key=lambda pair: pair[1] - pair[0], default=(0.0, 0.0))
        if quiet[1] - quiet[0] > CUT * whole:
            rest = whole - (quiet[1] - quiet[0])
            margin = max(0.2 * rest, LEAST_S)
            if quiet[1] - quiet[0] > 4 * margin:
                self.cut = quiet[0] + margin, quiet[1] - margin
        left_out = self.cut[1] - self.cut[0] if self.cut else 0.0
        self._scale = (columns - (GAP if self.cut else 0)) / max(whole - left_out, LEAST_S)

    def column(self, at: float) -> float:
        """Where a moment is, in columns from the left; clocks that jump lead to either end."""
        return min(self._column(min(max(at, self.began), self.ended)), float(self.columns))

    def _column(self, at: float) -> float:
        if self.cut is None or at <= self.cut[0]:
            return (at - self.began) * self._scale
        edge = (self.cut[0] - self.began) * self._scale
        if at < self.cut[1]:
            return edge + GAP * (at - self.cut[0]) / (self.cut[1] - self.cut[0])
        return edge + GAP + (at - self.cut[1]) * self._scale

    def gap(self) -> range:
        """The columns that stand for what is left out."""
        first = round((self.cut[0] - self.began) * self._scale) if self.cut else 0
        return range(first, first + GAP) if self.cut else range(0)

    def bar(self, began: float, ended: float, unicode: bool) -> str:
        """The bar of a stay; however short, it is seen."""
        full, thin, left_out = ("█", "▏", "┄") if unicode else ("#", "|", ".")
        first, last = self.column(began), self.column(ended)
        start = min(int(first), self.columns - 1)
        end = min(max(round(last), start), self.columns)
        if end == start:
            return " " * start + thin
        gap = self.gap()
        return " " * start + "".join(left_out if place in gap else full for place in range(start, end))

    def ruler(self) -> str:
        """The times at either end and at the cut, in seconds from the beginning."""
        line = [" "] * self.columns

        def put(place: int, text: str) -> None:
            place = max(0, min(place, self.columns - len(text)))
            if all(cell == " " for cell in line[max(0, place - 1) : place + len(text) + 1]):
                line[place : place + len(text)] = text

        put(0, "0")
        put(self.columns, duration(self.ended - self.began))
        if self.cut:
            left_out = duration(self.cut[1] - self.cut[0])
            put(self.gap().start + GAP // 2 - len(left_out) // 2, left_out)
        return "".join(line).rstrip()


def lines(
    course: Course, session: Session, verdict: Verdict, width: int, *, unicode: bool = True
) -> Iterator[tuple[str, str]]:
    """The chart of a session, each line with its colour or none."""
    stays = [stay for side in Side for stay in course.stays[side]]
    whole = session.end.at - session.start.at
    said = f"{title(session.protocol)}, " if session.protocol else ""
    yield f"Session {session.number}: {clock(session.start.at)}", "bold"
    for line in wrap(f"{said}{duration(whole)}, {verdict.outcome}: {verdict.reason}", max(width - 2, LEAST_BAR)):
        yield f"  {clean(line)}", "" if verdict.good else "yellow"
    if not stays:
        yield "  no state is known: no message of it was decoded", ""
        return
    longest = max(len(stay.label) for stay in stays)
    label = max(min(longest, width // 4), min(longest, LABEL, width - FIGURES - WIDE))
    columns = width - FIGURES - label - 1
    chart = columns >= LEAST_BAR
    axis = Axis(session.start.at, session.end.at, [stay.began for stay in stays], max(columns, 1))
    for side in Side:
        mine = course.stays[side]
        if not mine:
            continue
        head = f"  {side.value:<{label + 4}}{'began s':>11}{'lasted':>9}  {axis.ruler() if chart else ''}"
        yield head.rstrip(), "dim"
        for stay, following in zip(mine, [*mine[1:], None], strict=True):
            ended = following.began if following is not None else session.end.at
            if following is None and course.more[side]:
                ended = stay.began
            name = stay.label if len(stay.label) <= label else stay.label[: label - 1] + ("…" if unicode else "~")
            lasted = f"{stay.began - session.start.at:11.3f}{duration(ended - stay.began):>9}"
            bar = axis.bar(stay.began, ended, unicode) if chart else ""
            line = f"  {stay.code:>3} {name:<{label}}{lasted}  {bar}"
            yield line.rstrip(), "red" if stay.code == 200 else side.value
        if course.more[side]:
            yield f"      and {course.more[side]} more", "dim"
    if axis.cut and chart:
        mark = "┄" if unicode else "."
        yield f"  {mark * GAP} stands for {axis.cut[1] - axis.cut[0]:.1f} s without a change", "dim"


def record(course: Course, session: Session) -> dict[str, Any]:
    """The states of a session as plain data; times in seconds since 1970."""
    return {
        "session": session.number,
        "protocol": session.protocol,
        "start": session.start.at,
        "end": session.end.at,
        "states": {
            side.value: [
                {"code": stay.code, "name": stay.label, "time": stay.began, "frame": stay.frame}
                for stay in course.stays[side]
            ]
            for side in Side
        },
        "more": {side.value: course.more[side] for side in Side},
    }


class TimelineReport(Report):
    """Prints a chart for each session when it is over."""

    def __init__(self, out: Print, *, json: bool, paint: Callable[[str, str], str], width: int, unicode: bool) -> None:
        super().__init__(out)
        self._courses: dict[int, Course] = {}
        self._json = json
        self._paint = paint
        self._width = width
        self._unicode = unicode

    def event(self, seen: Seen) -> None:
        if isinstance(seen.event, StateEntered) and seen.session is not None:
            self._courses.setdefault(seen.session.number, Course()).enter(seen.event, seen.frame)

    def finished(self, session: Session, verdict: Verdict) -> None:
        course = self._courses.pop(session.number, Course())
        if self._json:
            self.out(msgspec.json.encode(record(course, session)).decode())
            return
        for line, colour in lines(course, session, verdict, self._width, unicode=self._unicode):
            self.out(self._paint(colour, line) if colour else line)
        self.out("")
