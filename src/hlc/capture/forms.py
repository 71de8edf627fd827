"""Which of the reports on a capture the options ask for, and which options have no meaning together."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from typing import Any, Final

from hlc.capture import single
from hlc.capture.folded import FoldedLines
from hlc.capture.lines import Lines
from hlc.capture.report import JsonLines, JsonSummary, Print, Report, Several, XmlLines
from hlc.trace.console import Paint, colours_wanted
from hlc.trace.screen import Screen

VIEWS: Final = ("summary", "doctor", "timeline", "timing", "csv", "frame")
"""Options that choose what of a capture is shown; without one it is every message."""
FILES: Final = ("plot", "parquet")
"""Options that write a file, beside what is shown."""
NO_JSON: Final = {"csv": "--csv is a form of its own"}
"""Views that have no JSON, and why."""
LINES: Final = 512
"""So many lines are written at once at most."""


def add_arguments(parser: argparse.ArgumentParser, write: str, *, recorded: bool = False) -> None:
    """The options that choose a report; `write` is what `--write` writes. Some are for recordings only."""
    views = parser.add_argument_group("what to show of a capture (without one of these: every message)")
    shown = views.add_mutually_exclusive_group()
    shown.add_argument("--summary", action="store_true", help="counts, and how each matching and session went")
    shown.add_argument("--doctor", action="store_true", help="what went wrong, why, by whom, and what to do about it")
    shown.add_argument("--timeline", action="store_true", help="the states of either side against time, as a chart")
    shown.add_argument("--timing", action="store_true", help="how long everything took, against what is allowed")
    shown.add_argument("--csv", action="store_true", help="a row per message, with its figures, for analysis")
    if recorded:
        shown.add_argument("--frame", type=int, metavar="N", help="the messages of one frame, whole, as a tree")

    files = parser.add_argument_group("files to write (--plot and --parquet: instead of showing every message)")
    files.add_argument("--plot", metavar="FILE", help="a picture (png, svg, pdf) of each session")
    files.add_argument("--write", metavar="FILE", help=write)
    if recorded:
        files.add_argument("--redact", action="store_true", help="of --write: a copy that does not tell whose it is")
    files.add_argument("--parquet", metavar="FILE", help="a row per message, with its figures and the whole message")

    written = parser.add_argument_group("in which form")
    form = written.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="JSON: an object per line and message, or one for all")
    form.add_argument("--xml", action="store_true", help="XML: one line per message, in the notation of the schema")

    secrets = parser.add_argument_group("of TLS")
    secrets.add_argument("--keylog", metavar="FILE", help="secrets of TLS (NSS key log) besides those in the capture")


def view(args: argparse.Namespace) -> str:
    """The option for captures only that is given; ""."""
    return next((name for name in (*VIEWS, *FILES) if getattr(args, name, None)), "")


def conflict(args: argparse.Namespace) -> str:
    """What is wrong with the options, in one line; empty where nothing is."""
    asked = next((name for name in VIEWS if getattr(args, name, None)), "")
    number = getattr(args, "frame", None)
    if number is not None and number < 1:
        return f"--frame {number}: frames are counted from 1, as Wireshark does"
    if args.xml and asked == "summary":
        return "a summary has no XML form: use --summary with --json, or --xml alone"
    if args.xml and asked not in ("", "frame"):
        return f"--{asked} has no XML form: leave out --xml"
    if args.json and asked in NO_JSON:
        return f"{NO_JSON[asked]}: leave out --json"
    written = next((name for name in FILES if getattr(args, name)), "")
    if written and not asked and (args.json or args.xml):
        form = "--json" if args.json else "--xml"
        return f"--{written} writes a file and shows nothing: {form} needs --summary, --timeline or --timing beside it"
    if args.xml and getattr(args, "bits", False):
        return "--bits has no XML form: use it with --json, or alone"
    if args.plot and os.path.splitext(args.plot)[1].lower() not in SUFFIXES:
        return f"--plot draws PNG, SVG or PDF: name a file that ends in {', '.join(SUFFIXES)}, and not {args.plot}"
    return ""


SUFFIXES: Final = (".png", ".svg", ".pdf")
"""Of pictures."""


def shows(args: argparse.Namespace) -> bool:
    """Whether anything goes to standard output."""
    return any(getattr(args, name, None) for name in VIEWS) or not any(getattr(args, name) for name in FILES)


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


def report(
    args: argparse.Namespace, out: Print, source: str, remark: Callable[[str], None], screen: Screen | None = None
) -> Report:
    """The report that the options ask for on the capture `source`; `remark` tells of files that are written; `screen`
    is that on which it is read while it happens.

    Raises `MissingError` where a library for it is, and `OSError` where a file cannot be written.
    """
    reports: list[Report] = []
    try:
        if args.plot:
            from hlc.capture.views.plot import PlotReport

            reports.append(PlotReport(args.plot, remark))
        if args.parquet:
            from pathlib import Path

            from hlc.capture.views.parquet import ParquetRows

            reports.append(ParquetRows(Path(args.parquet), source))
        if shows(args):
            reports.append(shown(args, out, screen))
    except BaseException:
        for begun in reports:
            begun.abandon()
        raise
    return reports[0] if len(reports) == 1 else Several(reports)


def shown(args: argparse.Namespace, out: Print, screen: Screen | None = None) -> Report:
    """The report that goes to standard output."""
    if getattr(args, "frame", None):
        from hlc.capture.views.frame import FrameReport

        form: Any = "json" if args.json else "xml" if args.xml else "tree"
        return FrameReport(args.frame, single.Wanted(form=form, bits=args.bits), out)
    if args.csv:
        from hlc.capture.views.rows import CsvRows

        return CsvRows(out)
    colour = colours_wanted(sys.stdout)
    unicode = "utf" in (sys.stdout.encoding or "").lower()
    width = shutil.get_terminal_size().columns
    if args.doctor:
        from hlc.capture.doctor.report import DoctorReport

        return DoctorReport(out, json=args.json, paint=Paint(colour), width=width)
    if args.timeline:
        from hlc.capture.views.timeline import TimelineReport

        return TimelineReport(out, json=args.json, paint=Paint(colour), width=width, unicode=unicode)
    if args.timing:
        from hlc.capture.views.timing import TimingReport

        return TimingReport(out, json=args.json, paint=Paint(colour), width=width, unicode=unicode)
    if args.xml:
        return XmlLines(out)
    if args.json:
        return JsonSummary(out) if args.summary else JsonLines(out)
    if screen is not None and screen.live and not args.summary:
        return FoldedLines(screen, colour=colour, width=width, unicode=unicode)
    live, wrapped = screen is not None, sys.stdout.isatty()
    return Lines(out, colour=colour, summary=args.summary, width=width, unicode=unicode, wrapped=wrapped, live=live)
