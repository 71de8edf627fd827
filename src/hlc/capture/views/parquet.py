"""`--parquet FILE`: a row per message for analysis, with the whole message as JSON; and the sessions of many captures.

Rows are written in groups of bounded size: memory does not grow with the capture. A file bears its name only when it
is complete.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Final

import msgspec

from hlc.capture.doctor import Verdict
from hlc.capture.report import Report
from hlc.capture.seen import Seen, Unread
from hlc.capture.session import Session
from hlc.capture.views.extras import load
from hlc.capture.views.rows import COLUMNS, Rows
from hlc.trace import homeplug
from hlc.trace.events import Message, Mme
from hlc.trace.plain import plain

GROUP: Final = 20_000
"""Rows in a group."""
GROUP_OCTETS: Final = 16 << 20
"""Octets of JSON in a group."""
MICROSECONDS: Final = 10**6
LATEST_S: Final = 2**62 / MICROSECONDS
"""A time beyond cannot be written; damaged captures have such."""
REPEATED: Final = frozenset(
    """
    file side schema name undecoded response_code processing progress evse_status ev_error isolation notification
    protocol outcome evcc secc
    """.split()
)
"""Columns with few different texts: they are kept as numbers with a dictionary."""


def library() -> Any:
    """The library. Raises `MissingError`."""
    pyarrow = load("pyarrow", "--parquet")
    load("pyarrow.parquet", "--parquet")
    return pyarrow


def part(path: Path) -> Path:
    """The name of a file that is not complete."""
    return path.with_name(path.name + ".part")


class Writer:
    """A Parquet file that grows row by row. `columns` are types by name; `time_columns` are seconds since 1970.

    Raises `OSError` where it cannot be written.
    """

    def __init__(self, path: Path, columns: dict[str, type], time_columns: tuple[str, ...] = ("time",)) -> None:
        self._pyarrow = pyarrow = library()
        moment = pyarrow.timestamp("us", "UTC")
        words = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
        kinds = {float: pyarrow.float64(), int: pyarrow.int64(), str: pyarrow.string(), bool: pyarrow.bool_()}
        self._times = [place for place, name in enumerate(columns) if name in time_columns]
        self._schema = pyarrow.schema(
            [
                (name, moment if name in time_columns else words if kind is str and name in REPEATED else kinds[kind])
                for name, kind in columns.items()
            ]
        )
        self.path = path
        self._part = part(path)
        self._writer = pyarrow.parquet.ParquetWriter(self._part, self._schema, compression="zstd")
        self._columns: list[list[Any]] = [[] for _ in columns]
        self._octets = 0

    def add(self, row: list[Any], octets: int = 0) -> None:
        """A row; `octets` is about how long its text is."""
        for place in self._times:
            at = row[place]
            row[place] = round(at * MICROSECONDS) if at is not None and abs(at) < LATEST_S else None
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        self._octets += octets
        if len(self._columns[0]) >= GROUP or self._octets >= GROUP_OCTETS:
            self._flush()

    def close(self) -> None:
        """The file is complete: it gets its name."""
        self._flush()
        self._writer.close()
        self._part.replace(self.path)

    def abandon(self) -> None:
        """The file will not be complete: take it away."""
        with contextlib.suppress(Exception):
            self._writer.close()
        with contextlib.suppress(OSError):
            self._part.unlink()

    def _flush(self) -> None:
        if self._columns[0]:
            arrays = [
                self._pyarrow.array(column, field.type)
                for column, field in zip(self._columns, self._schema, strict=True)
            ]
            self._writer.write_table(self._pyarrow.Table.from_arrays(arrays, schema=self._schema))
        for column in self._columns:
            column.clear()
        self._octets = 0


class ParquetRows(Report):
    """Writes the messages of a capture. `source` is what it is called in the column `file`."""

    def __init__(self, path: Path, source: str) -> None:
        super().__init__(lambda line: None)
        self._writer = Writer(path, {"file": str, **COLUMNS, "message": str})
        self._source = source
        self._rows = Rows()
        self._closed = False

    def event(self, seen: Seen) -> None:
        row = self._rows.row(seen)
        if row is None:
            return
        text = _json(seen.event)
        self._writer.add([self._source, *row, text], len(text))

    def finished(self, session: Session, verdict: Verdict) -> None:
        self._rows.finished(session)

    def totals(self, *_: Any) -> None:
        self._writer.close()
        self._closed = True

    def abandon(self) -> None:
        if not self._closed:
            self._writer.abandon()


def _json(event: Any) -> str:
    """The message as in the lines of --json."""
    if isinstance(event, Message):
        told: Any = plain(event.message)
    elif isinstance(event, Mme):
        told = homeplug.record(event)
    else:
        assert isinstance(event, Unread)
        told = {"payload_type": f"0x{event.payload_type:04X}", "payload": event.payload.hex().upper()}
    return msgspec.json.encode(told).decode()
