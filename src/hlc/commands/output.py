"""Where the events of a live session go: a log for a reader on standard error; on standard output JSON lines, or a
summary of each session.

Neither holds the session up: an answer leaves before anything is written about it, and a stalled reader loses lines.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from hlc.trace.console import Console, Paint, colours_wanted
from hlc.trace.events import Event, SessionEnded, Trace
from hlc.trace.jsonl import JsonLines
from hlc.trace.output import BackgroundWriter, Deferred, fan_out
from hlc.trace.summary import Summary

STDOUT: Final = 1
STDERR: Final = 2


class Output:
    """The trace of a live session, and what is written besides."""

    def __init__(self, *, json: bool, results: BackgroundWriter, log: BackgroundWriter) -> None:
        loop = asyncio.get_running_loop()
        self._results = results
        self._json = json
        self._began = loop.time()
        self._summary: Summary | None = None
        """Of the session of which `session_begins` told."""
        self._sessions = 0
        self._going_on = 0
        self.console = Console(log, began=self._began, clock=time.monotonic, faults_only=json)
        consumers: list[Trace] = [self.console, self._collect]
        if json:
            consumers.append(JsonLines(results))
        self._deferred = Deferred(fan_out(*consumers), loop.call_soon)
        self.trace: Trace = self._deferred

    def session(self) -> Trace:
        """The trace of one of several sessions: when it has ended, what it came to is told. One that begins while
        another goes on has its number before every line of the log, and before what is told."""
        begun: list[Trace] = []

        def trace(event: Event) -> None:
            if not begun:
                begun.append(self._session_begins())
            begun[0](event)

        return self._deferred.to(trace)

    def _session_begins(self) -> Trace:
        self._sessions += 1
        self._going_on += 1
        summary, console, number = Summary(), self.console, ""
        if self._going_on > 1:
            number = f"[{self._sessions}] "
            console = Console(Numbered(console, number), began=self._began, faults_only=self._json)

        def end(event: Event) -> None:
            if isinstance(event, SessionEnded):
                self._going_on -= 1
                self._tell(summary, number)

        return fan_out(console, summary, *[JsonLines(self._results, self._sessions)] * self._json, end)

    def session_begins(self) -> None:
        """What follows belongs to a new session."""
        self._deferred.flush()
        self._summary = Summary()

    def session_ended(self) -> None:
        """Tell what the session came to."""
        self._deferred.flush()
        if self._summary is not None:
            self._tell(self._summary)

    def result(self, lines: Sequence[str]) -> None:
        """Lines for a reader on standard output; with JSON the events have said it."""
        self._deferred.flush()
        if not self._json:
            self._results.write("\n".join([*lines, ""]))

    def close(self) -> None:
        """Hand on what waits."""
        self._deferred.flush()
        self.console.finish()

    def _collect(self, event: Event) -> None:
        if self._summary is not None:
            self._summary(event)

    def _tell(self, summary: Summary, number: str = "") -> None:
        if not self._json:
            paint = Paint(colours_wanted(self._results))
            unicode = "utf" in self._results.encoding.lower()
            lines = summary.lines(paint, unicode=unicode)
            self._results.write("\n".join([*(f"{number}{line}" for line in lines), "", ""]))


class Numbered:
    """A stream for the log of one of several sessions: its lines go among those of `console`, with a number."""

    encoding = "utf-8"

    def __init__(self, console: Console, number: str) -> None:
        self._console = console
        self._number = number

    def write(self, text: str) -> int:
        """One line."""
        self._console.text(f"{self._number}{text.rstrip()}")
        return len(text)

    def flush(self) -> None:
        """There is nothing to flush."""

    def isatty(self) -> bool:
        """No line is rewritten here."""
        return False


@contextmanager
def output(*, json: bool) -> Iterator[Output]:
    """The output of a live session; what waits is written when this ends. With `json` the log has faults only."""
    with ExitStack() as closing:
        writers = {}
        for descriptor in (STDOUT, STDERR):
            writers[descriptor] = BackgroundWriter(descriptor)
            closing.callback(writers[descriptor].close)
        made = Output(json=json, results=writers[STDOUT], log=writers[STDERR])
        closing.callback(made.close)
        yield made


def say(command: str, text: str) -> None:
    """A line of log."""
    print(f"hlc {command}: {text}", file=sys.stderr, flush=True)
