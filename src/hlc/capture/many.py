"""Many captures: which ones, and what is told of all of them. Each is decoded by `each.run`, by whichever worker.

The order of everything is that of the names. A capture that is damaged is named, with its reason, and the others go on.
With `--parquet DIR` the messages of each go to DIR/messages/NAME.parquet and all sessions to DIR/sessions.parquet.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from hlc.capture import files
from hlc.capture.each import Job, Result, printable
from hlc.capture.progress import Progress
from hlc.capture.views import sessions, timing
from hlc.capture.views.parquet import part
from hlc.capture.workers import in_order, workers
from hlc.trace.console import Paint, colours_wanted
from hlc.trace.describe import clean

SUFFIXES: Final = (".pcap", ".pcapng", ".cap", ".dmp", ".ntar")
MAGIC: Final = (*files.PCAP, files.PCAPNG)
"""How captures begin that bear another suffix."""
ONE_ONLY: Final = ("doctor", "timeline", "csv", "frame", "plot", "write", "xml", "schema", "bits", "fragment")
"""Options that have a meaning for one capture, or one payload, only."""
RULES: Final = 12
"""Rules of which is told how many sessions broke them."""

INDEX: Final[dict[str, type]] = {
    "file": str, "number": int, "matching": int, "start": float, "end": float, "evcc": str, "secc": str,
    "protocol": str, "mode": str, "tls": str, "session_id": str, "outcome": str, "rule": str, "reason": str,
    "messages": int, "undecoded": int, "closed_by": str, "soc_start": float, "soc_end": float, "energy_wh": float,
    "peak_voltage": float, "peak_current": float, "messages_file": str,
}  # fmt: skip
"""The columns of sessions.parquet."""


def conflict(args: argparse.Namespace) -> str:
    """What is wrong with the options for several captures; empty where nothing is."""
    for name in ONE_ONLY:
        if getattr(args, name):
            return f"--{name} is for one capture at a time"
    if args.json and not (args.summary or args.timing):
        return "--json of several captures needs --summary or --timing beside it"
    return ""


def found(names: list[str]) -> list[str]:
    """The captures that are named, and those in directories that are; each once, in the order of their paths."""
    paths: dict[str, str] = {}
    for name in names:
        for path in _below(name) if os.path.isdir(name) else (name,):
            paths.setdefault(os.path.realpath(path), path)
    return sorted(paths.values())


def _below(directory: str) -> Iterator[str]:
    for folder, folders, names in os.walk(directory):
        folders.sort()
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and (name.lower().endswith(SUFFIXES) or _begins_as_one(path)):
                yield path


def _begins_as_one(path: str) -> bool:
    try:
        if not os.path.getsize(path):  # what the kernel makes up on reading may take no end
            return False
        with open(path, "rb") as stream:
            return stream.read(4) in MAGIC
    except OSError:
        return False


def decode(args: argparse.Namespace, names: list[str], complain: Callable[[str], None]) -> int:
    """Decode several captures. The exit code: 1 where one was damaged."""
    paths = found(names)
    if not paths:
        complain(f"{' '.join(names)}: no capture in there (pcap or pcapng)")
        return 1
    if args.keylog is not None and not os.access(args.keylog, os.R_OK):
        complain(f"--keylog {args.keylog}: it cannot be read")
        return 2
    out = Path(args.parquet) if args.parquet is not None else None
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            complain(f"--parquet {out}: {error.strerror or error}; of several captures it is a directory")
            return 2
    jobs = _jobs(args, paths, out)
    told = Told(args, out, dict(zip((job.name for job in jobs), paths, strict=True)), complain)
    crew = workers(len(jobs), args.dask)
    try:
        for result in in_order(crew, jobs, told.tick):
            told.result(result)
        told.end()
    finally:
        crew.close()
        told.abandon()
        _clear(jobs)
    return 1 if told.damaged else 0


def _clear(jobs: list[Job]) -> None:
    """Take away what a process that was stopped had no time to: it may be at any step of writing a file."""
    for path in [Path(job.parquet) for job in jobs if job.parquet is not None]:
        with suppress(OSError):
            part(path).unlink()


def _jobs(args: argparse.Namespace, paths: list[str], out: Path | None) -> list[Job]:
    whole = [os.path.abspath(path) for path in paths]
    base = os.path.commonpath([os.path.dirname(path) for path in whole])
    keylog = os.path.abspath(args.keylog) if args.keylog is not None else None
    jobs = []
    for path in whole:
        name = os.path.relpath(path, base)
        parquet = os.path.abspath(out / "messages" / f"{name}.parquet") if out is not None else None
        jobs.append(Job(path, name, keylog, parquet, args.summary and args.json, args.timing))
    return jobs


class Told:
    """What is told of the results: a table and totals, or a line of JSON for each, or the times of all together."""

    def __init__(
        self, args: argparse.Namespace, out: Path | None, paths: dict[str, str], complain: Callable[[str], None]
    ) -> None:
        self.damaged = 0
        self._args = args
        self._paths = paths
        self._complain = complain
        self._quiet = out is not None and not (args.summary or args.timing)
        """Files are written, and nothing is shown."""
        self._table: list[dict[str, Any]] = []
        self._timing = timing.Timing()
        self._index: Any = None
        if out is not None:
            from hlc.capture.views.parquet import Writer

            self._index = Writer(out / "sessions.parquet", INDEX, ("start", "end"))
        self._done = 0
        self._octets = 0
        self._messages = 0
        self._sessions: Counter[str] = Counter()
        self._rules: Counter[str] = Counter()
        self._without = 0
        self._energy_wh = 0.0
        self._sizes = {name: _size(path) for name, path in paths.items()}
        self._whole = sum(self._sizes.values())
        self._began = time.monotonic()
        self._progress = Progress(max(1, self._whole), beside=args.json and args.summary)

    def tick(self) -> None:
        """Nothing has happened, but time has passed."""
        took = max(1e-3, time.monotonic() - self._began)
        left = took * (self._whole - self._octets) / self._octets if self._octets else 0.0
        more = f"{self._done} of {len(self._paths)} captures, {self._messages} messages, {self._messages / took:.0f}/s"
        self._progress.show(self._octets, f"{more}, {_clock(left)} to go" if left else more)

    def result(self, result: Result) -> None:
        """The next result."""
        self._done += 1
        self._octets += self._sizes[result.name]
        self._messages += result.messages
        self._tell_damage(result)
        rows = result.sessions or [_without_session(result)]
        self._without += not result.sessions
        for entry in result.sessions:
            self._sessions[entry["outcome"]] += 1
            self._rules.update(finding["rule"] for finding in entry["findings"])
            self._energy_wh += entry["energy_wh"]
        if self._index is not None:
            for entry in rows:
                self._index.add(_index_row(result, entry))
        if self._args.timing:
            self._timing.add(result.timing)
        elif self._args.json:
            whole = {"file": printable(result.name), "error": result.error or None, **(result.summary or {})}
            sys.stdout.write(msgspec.json.encode(whole).decode() + "\n")
        elif not self._quiet:
            self._table += [entry | {"file": result.name} for entry in rows]
        self.tick()

    def end(self) -> None:
        """All results were told."""
        self._progress.clear()
        if self._index is not None:
            self._index.close()
            self._complain(f"{self._index.path}: {self._sessions.total()} sessions of {self._done} captures")
        for line, colour in self._lines():
            sys.stdout.write(Paint(colours_wanted(sys.stdout))(colour, line) + "\n" if colour else line + "\n")

    def abandon(self) -> None:
        """Whatever happened: leave nothing half-written behind."""
        self._progress.clear()
        if self._index is not None:
            self._index.abandon()

    def _lines(self) -> Iterator[tuple[str, str]]:
        if self._quiet or (self._args.json and not self._args.timing):
            return
        width = shutil.get_terminal_size().columns
        unicode = "utf" in (sys.stdout.encoding or "").lower()
        if self._args.timing and self._args.json:
            yield msgspec.json.encode(timing.record(self._timing, frames=False)).decode(), ""
        elif self._args.timing:
            yield from timing.lines(self._timing, width, unicode=unicode, frames=False)
        else:
            yield from sessions.lines(self._table, width, unicode=unicode)
            yield "", ""
            for line in self._totals():
                yield line, ""

    def _totals(self) -> Iterator[str]:
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in self._sessions.most_common())
        without = f", {self._without} without a session" if self._without else ""
        damaged = f", {self.damaged} damaged" if self.damaged else ""
        yield f"{self._done} captures{without}{damaged}; {self._messages} messages"
        if self._sessions:
            energy = f", {self._energy_wh / 1000:.2f} kWh" if self._energy_wh else ""
            yield f"{self._sessions.total()} sessions: {outcomes}{energy}"
        for rule, count in self._rules.most_common(RULES):
            yield f"{count:8}  {rule}"

    def _tell_damage(self, result: Result) -> None:
        self.damaged += result.damaged
        path = self._paths[result.name]
        if result.damaged:
            self._progress.clear()
        if result.error:
            self._complain(result.error if path in result.error else f"{path}: {result.error}")
        for line in result.damage:
            self._complain(f"{path} is damaged: {line}")
        if result.broken:
            self._complain(f"{path}: {result.broken} messages in it are not what their protocol prescribes")


def _without_session(result: Result) -> dict[str, Any]:
    """The row of a capture that has no session."""
    nothing: dict[str, Any] = dict.fromkeys(INDEX)
    reason = result.error or (result.notes[-1] if result.notes else "no session")
    outcome = "unread" if result.error else "none"
    return nothing | {"outcome": outcome, "reason": reason, "findings": [], "messages": result.messages}


def _index_row(result: Result, entry: dict[str, Any]) -> list[Any]:
    file = printable(result.name)
    tls = entry["tls"]
    more = {
        "file": file,
        "tls": tls["version"] if tls is not None else None,
        "rule": next((finding["rule"] for finding in entry["findings"]), None),
        "reason": clean(entry["reason"]),
        "protocol": clean(entry["protocol"]) if entry["protocol"] else None,
        "messages_file": f"messages/{file}.parquet" if result.written else None,
    }
    return [more[name] if name in more else entry[name] for name in INDEX]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _clock(time_s: float) -> str:
    minutes, seconds = divmod(round(time_s), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else f"{minutes}:{seconds:02}"
