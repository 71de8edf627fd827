"""Which of the reports on a capture the options ask for, and which options have no meaning together."""

from __future__ import annotations

import argparse
import shutil
import sys
from typing import Final

from hlc.capture.report import JsonLines, JsonSummary, Lines, Report, XmlLines
from hlc.trace.console import Paint, colours_wanted

VIEWS: Final = ("summary", "timeline", "timing")
"""Options that choose what of a capture is shown; without one it is every message."""

LINES: Final = 512
"""So many lines are written at once at most."""


def view(args: argparse.Namespace) -> str:
    """The view that is asked for: its option, or ""."""
    return next((name for name in VIEWS if getattr(args, name)), "")


def conflict(args: argparse.Namespace) -> str:
    """What is wrong with the options, in one line; empty where nothing is."""
    asked = view(args)
    if args.xml and asked == "summary":
        return "a summary has no XML form: use --summary with --json, or --xml alone"
    if args.xml and asked:
        return f"--{asked} has no XML form: leave out --xml, or use --json"
    if args.xml and args.bits:
        return "--bits has no XML form: use it with --json, or alone"
    return ""


class Output:
    """Lines to standard output, many at a time: whoever reads the input flushes before it waits for more."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def __call__(self, line: str) -> None:
        self._lines.append(line)
        if len(self._lines) >= LINES:
            self.flush()

    def flush(self) -> None:
        """Write what there is."""
        if self._lines:
            self._lines.append("")
            text = "\n".join(self._lines)
            self._lines.clear()
            sys.stdout.write(text)
            sys.stdout.flush()


def report(args: argparse.Namespace, out: Output) -> Report:
    """The report that the options ask for."""
    colour = colours_wanted(sys.stdout)
    unicode = "utf" in (sys.stdout.encoding or "").lower()
    width = shutil.get_terminal_size().columns
    asked = view(args)
    if asked == "timeline":
        from hlc.capture.views.timeline import TimelineReport

        return TimelineReport(out, json=args.json, paint=Paint(colour), width=width, unicode=unicode)
    if asked == "timing":
        from hlc.capture.views.timing import TimingReport

        return TimingReport(out, json=args.json, paint=Paint(colour), width=width, unicode=unicode)
    if args.xml:
        return XmlLines(out)
    if args.json:
        return JsonSummary(out) if args.summary else JsonLines(out)
    return Lines(out, colour=colour, summary=args.summary, width=width, unicode=unicode)
