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
from hlc.trace.jsonl import JsonLines, lost_lines
from hlc.trace.output import BackgroundWriter, Deferred, fan_out, too_slow
from hlc.trace.summary import Summary

STDOUT: Final = 1
STDERR: Final = 2


class Output:
    """The trace of a live session, and what is written besides."""

    def __init__(self, *, json: bool, results: BackgroundWriter, log: BackgroundWriter) -> None:
        loop = asyncio.get_running_loop()
        self.results = results
        self.json = json
        self.began = loop.time()
        self._summary: Summary | None = None
        """Of the session of which `session_begins` told."""
        self.sessions = 0
        """So many have begun."""
        self.console = Console(log, began=self.began, clock=time.monotonic, faults_only=json)
        consumers: list[Trace] = [self.console, self._collect]
        if json:
            consumers.append(JsonLines(results))
        self.deferred = Deferred(fan_out(*consumers), loop.call_soon)
        self.trace: Trace = self.deferred

    def of(self, interface: str, *, several: bool) -> Served:
        """For the events of one interface of `several`, or of the only one."""
        return Served(self, interface, several=several)

    def session_begins(self) -> None:
        """What follows belongs to a new session."""
        self.deferred.flush()
        self._summary = Summary()

    def session_ended(self) -> None:
        """Tell what the session came to."""
        self.deferred.flush()
        if self._summary is not None:
            self.tell(self._summary)

    def result(self, lines: Sequence[str]) -> None:
        """Lines for a reader on standard output; with JSON the events have said it."""
        self.deferred.flush()
        if not self.json:
            self.results.write("\n".join([*lines, ""]))

    def close(self) -> None:
        """Hand on what waits."""
        self.deferred.flush()
        self.console.finish()

    def _collect(self, event: Event) -> None:
        if self._summary is not None:
            self._summary(event)

    def tell(self, summary: Summary, label: str = "") -> None:
        """What a session came to, each line behind a label; with JSON the events have said it."""
        if not self.json:
            paint = Paint(colours_wanted(self.results))
            unicode = "utf" in self.results.encoding.lower()
            lines = summary.lines(paint, unicode=unicode)
            self.results.write("\n".join([*(f"{label}{line}" for line in lines), "", ""]))


class Served:
    """Where the events of an interface go, and of the sessions on it. Where there are several interfaces, every line of
    the log has its name; in JSON every event has."""

    def __init__(self, out: Output, interface: str, *, several: bool) -> None:
        self._out = out
        self._interface = interface
        self._name = [interface] * several
        self._going_on = 0
        self._console = self._labelled(self._name) if several else out.console
        lines = [JsonLines(out.results, interface=interface)] * out.json
        self.trace: Trace = out.deferred.to(fan_out(self._console, *lines))
        """Of what belongs to no session."""

    def session(self) -> Trace:
        """The trace of one session: when it has ended, what it came to is told. One that begins while another goes on
        has its number before every line of the log, and before what is told."""
        begun: list[Trace] = []

        def trace(event: Event) -> None:
            if not begun:
                begun.append(self._session_begins())
            begun[0](event)

        return self._out.deferred.to(trace)

    def _session_begins(self) -> Trace:
        out, console, names = self._out, self._console, self._name
        out.sessions += 1
        self._going_on += 1
        if self._going_on > 1:
            names = [*names, str(out.sessions)]
            console = self._labelled(names)
        summary = Summary()

        def end(event: Event) -> None:
            if isinstance(event, SessionEnded):
                self._going_on -= 1
                out.tell(summary, label(names))

        lines = [JsonLines(out.results, interface=self._interface, session=out.sessions)] * out.json
        return fan_out(console, summary, *lines, end)

    def _labelled(self, names: list[str]) -> Console:
        return Console(Labelled(self._out.console, label(names)), began=self._out.began, faults_only=self._out.json)


def label(names: list[str]) -> str:
    """What stands before a line."""
    return f"[{' '.join(names)}] " if names else ""


class Labelled:
    """A stream for the log of one interface or session among several: its lines go among those of `console`, with a
    label."""

    encoding = "utf-8"

    def __init__(self, console: Console, label: str) -> None:
        self._console = console
        self._label = label

    def write(self, text: str) -> int:
        """One line."""
        self._console.text(f"{self._label}{text.rstrip()}")
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
            instead = lost_lines if json and descriptor == STDOUT else too_slow
            writers[descriptor] = BackgroundWriter(descriptor, instead)
            closing.callback(writers[descriptor].close)
        made = Output(json=json, results=writers[STDOUT], log=writers[STDERR])
        closing.callback(made.close)
        yield made


def say(command: str, text: str) -> None:
    """A line of log."""
    print(f"hlc {command}: {text}\n", end="", file=sys.stderr, flush=True)  # at one go: others write there too
