"""One of many captures, decoded wherever a process for it is found: a `Job` goes there, a `Result` comes back.

Nothing is raised: what is wrong with a capture is said in its result, and the others go on.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hlc.capture import one
from hlc.capture.doctor import Verdict
from hlc.capture.files import CaptureError
from hlc.capture.matching import Matching
from hlc.capture.report import JsonSummary, Report, Several, overall, row
from hlc.capture.secrets import take_file
from hlc.capture.seen import Seen
from hlc.capture.session import Session
from hlc.capture.totals import Totals
from hlc.capture.views.timing import Key, Row, Timing


class Job(NamedTuple):
    """A capture to decode."""

    path: str
    """Absolute: another process or machine may have another directory."""
    name: str
    """As it is told, and as it is called in tables: the path below what all captures have in common."""
    keylog: str | None = None
    parquet: str | None = None
    """Where the rows of its messages go."""
    json: bool = False
    """Whether the whole summary is wanted."""
    timing: bool = False


class Result(msgspec.Struct):
    """What came of it."""

    name: str
    error: str = ""
    """Why nothing of it was read."""
    damage: list[str] = []
    messages: int = 0
    undecoded: int = 0
    broken: int = 0
    """Payloads that are not what their protocol prescribes."""
    notes: list[str] = []
    sessions: list[dict[str, Any]] = []
    summary: dict[str, Any] | None = None
    timing: dict[Key, Row] = {}
    written: bool = False
    """The rows of its messages are in their file."""

    @property
    def damaged(self) -> bool:
        """Whether it was not read as a whole."""
        return bool(self.error or self.damage or self.broken)


class Collected(JsonSummary):
    """Collects a result."""

    def __init__(self, result: Result, job: Job) -> None:
        super().__init__(lambda line: None)
        self._result = result
        self._json = job.json
        self._timing = Timing() if job.timing else None

    def event(self, seen: Seen) -> None:
        if self._timing is not None:
            self._timing.event(seen)

    def finished(self, session: Session, verdict: Verdict) -> None:
        if self._json:
            super().finished(session, verdict)
        if self._timing is not None:
            self._timing.finished(session)
        self._result.sessions.append(row(session, verdict, self.zero or 0.0))

    def matched(self, run: Matching, verdict: Verdict) -> None:
        if self._json:
            super().matched(run, verdict)

    def totals(self, totals: Totals, damage: list[str]) -> None:
        result = self._result
        result.damage = list(damage)
        result.messages = sum(count for name, count in totals.messages.items() if not name.startswith("sdp:"))
        result.undecoded = totals.undecoded.total()
        result.broken = totals.damaged
        result.notes = overall(totals)
        if self._json:
            result.summary = self.summary(totals, damage)
        if self._timing is not None:
            result.timing = self._timing.rows


def run(job: Job) -> Result:
    """Decode a capture."""
    result = Result(job.name)
    try:
        _run(job, result)
    except CaptureError as error:
        result.error = str(error)
    except OSError as error:
        where = f"{error.filename}: " if error.filename not in (None, job.path) else ""
        result.error = f"{where}{error.strerror or error}"
    except Exception as error:
        if getattr(error, "exit_code", None) is not None:
            result.error = str(error)
        else:
            result.error = f"internal error: {type(error).__name__}: {error}"
    return result


def _run(job: Job, result: Result) -> None:
    with open(job.path, "rb", buffering=0) as stream:
        capture, secrets = one.opened(stream, job.path)
        if job.keylog is not None:
            take_file(job.keylog, secrets)
        report: Report = Collected(result, job)
        if job.parquet is not None:
            from hlc.capture.views.parquet import ParquetRows

            os.makedirs(os.path.dirname(job.parquet), exist_ok=True)
            report = Several([ParquetRows(Path(job.parquet), printable(job.name)), report])
        one.read(capture, secrets, report)
        result.written = job.parquet is not None


def printable(name: str) -> str:
    """A file's name as text that every encoding of Unicode can carry."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
