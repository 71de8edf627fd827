"""A row per message, for analysis: who said what when, how long it took, and every figure in it with its unit.

The columns are those of `COLUMNS` in this order, in CSV and in Parquet alike; their types follow from it.
"""

from __future__ import annotations

import csv
import io
import types
import typing
from collections.abc import Iterable
from typing import Any, Final

from hlc.capture.doctor import Verdict
from hlc.capture.exchanges import Exchanges, state
from hlc.capture.report import Print, Report
from hlc.capture.seen import Seen, Unread
from hlc.capture.session import Session
from hlc.trace import homeplug
from hlc.trace.describe import clean
from hlc.trace.events import Message, Mme
from hlc.trace.values import Values, values

HEAD: Final[dict[str, type]] = {
    "time": float,  # seconds since 1970
    "frame": int,
    "session": int,
    "matching": int,
    "side": str,
    "schema": str,
    "name": str,
    "id": int,
    "state": int,  # documented code of the sender's state
    "response_s": float,  # of an answer: since its request
    "pause_s": float,  # of a request: since the answer before it
    "undecoded": str,  # why it was not
}
"""What is known of every message."""


def _type(hint: Any) -> type:
    kind: type = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    return kind


COLUMNS: Final[dict[str, type]] = HEAD | {name: _type(hint) for name, hint in typing.get_type_hints(Values).items()}
FIGURES: Final = tuple(Values.__struct_fields__)


class Rows:
    """Events of a capture to rows: lists in the order of `COLUMNS`; None where a message does not say."""

    def __init__(self) -> None:
        self._exchanges = Exchanges()

    def row(self, seen: Seen) -> list[Any] | None:
        """The row of an event; None where it is no message."""
        event, session = seen.event, seen.session
        number = session.number if session is not None else None
        matching = session.matching if session is not None else None
        if isinstance(event, Message):
            exchange = self._exchanges.message(seen, event)
            code = state(session, event) if session is not None else None
            found = values(event.message)
            return [
                event.at,
                seen.frame,
                number,
                matching,
                event.side.value,
                event.schema,
                event.name,
                event.id,
                int(code) if code is not None else None,
                _rounded(exchange.response_s) if exchange is not None else None,
                _rounded(exchange.pause_s) if exchange is not None else None,
                None,
                *[getattr(found, name) for name in FIGURES],
            ]
        if isinstance(event, Mme):
            run = seen.matching.number if seen.matching is not None else None
            side = homeplug.side(event.name)
            who = [side.value if side is not None else None, "mme", event.name or None, homeplug.message_id(event.name)]
            said = [event.at, seen.frame, None, run, *who, None, None, None, event.fault or None]
        elif isinstance(event, Unread):
            who = [event.side.value, None, None, None]
            said = [event.at, seen.frame, number, matching, *who, None, None, None, clean(event.text)]
        else:
            return None
        return said + [None] * len(FIGURES)

    def finished(self, session: Session) -> None:
        """A session is over."""
        self._exchanges.over(session)


def _rounded(time_s: float | None) -> float | None:
    """A time without the digits that the clock of a capture has not."""
    return round(time_s, 6) if time_s is not None else None


def shown(row: Iterable[Any]) -> list[Any]:
    """A row as text: floats to a millionth, nothing where there is nothing."""
    return ["" if value is None else _text(value) for value in row]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else repr(value)
    return str(value)


class CsvRows(Report):
    """Prints a line of CSV for each message, their titles first."""

    def __init__(self, out: Print) -> None:
        super().__init__(out)
        self._rows = Rows()
        self._line = io.StringIO()
        self._writer = csv.writer(self._line, lineterminator="")
        self._print(list(COLUMNS))

    def event(self, seen: Seen) -> None:
        row = self._rows.row(seen)
        if row is not None:
            self._print(shown(row))

    def finished(self, session: Session, verdict: Verdict) -> None:
        self._rows.finished(session)

    def _print(self, cells: list[Any]) -> None:
        self._writer.writerow(cells)
        self.out(self._line.getvalue())
        self._line.seek(0)
        self._line.truncate()
