"""The sessions of one capture or of many, a row each: when, what, and how it ended.

It is made of what `report.record` says of a session, so that it can come from another process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from hlc.capture.views.table import Column, table
from hlc.trace.describe import clean

SHORT: Final = {"din70121": "DIN 70121", "iso15118_2": "15118-2"}
"""Protocols in few columns; those of ISO 15118-20 differ in their mode."""
COLOURS: Final = {"good": "green", "failed": "red", "unfinished": "yellow"}
COLUMNS: Final = (
    Column("#", right=True),
    Column("file", elastic=True),
    Column("start UTC", rank=4),
    Column("lasts", right=True, rank=2),
    Column("protocol"),
    Column("mode", rank=1),
    Column("TLS", rank=6),
    Column("outcome"),
    Column("SoC %", right=True, rank=5),
    Column("kWh", right=True, rank=3),
    Column("max V", right=True, rank=7),
    Column("max A", right=True, rank=7),
    Column("reason", elastic=True),
)

ROOM: Final = 125
"""Narrower than that, reasons are told by the name of their rule: there would be no room for a sentence."""

Entry = Mapping[str, Any]


def lines(entries: Sequence[Entry], width: int, *, unicode: bool = True) -> Iterator[tuple[str, str]]:
    """Lines for a reader, each with its colour. An entry of many captures has its `file`, and the date is shown."""
    many = any("file" in entry for entry in entries)
    cells = [_cells(entry, many, short=width < ROOM) for entry in entries]
    head, *rows = table(COLUMNS, cells, width, unicode=unicode)
    yield head, "dim"
    for entry, row in zip(entries, rows, strict=True):
        yield row, COLOURS.get(entry["outcome"], "")


def _cells(entry: Entry, many: bool, short: bool) -> list[str]:
    if entry["number"] is None:  # a capture without a session
        return ["", clean(entry["file"]), *[""] * 5, entry["outcome"], *[""] * 4, clean(entry["reason"])]
    charged = entry["peak_voltage"] or entry["peak_current"] or entry["energy_wh"]
    protocol = entry["protocol"] or ""
    tls = entry["tls"]
    return [
        str(entry["number"]),
        clean(entry.get("file", "")),
        _moment(entry["start"], "%Y-%m-%d %H:%M" if many else "%H:%M:%S"),
        _length(entry["end"] - entry["start"]),
        protocol_name(protocol),
        entry["mode"] or "",
        "" if tls is None else (tls["version"] or "?").removeprefix("TLS "),
        entry["outcome"],
        _span(entry["soc_start"], entry["soc_end"]),
        f"{entry['energy_wh'] / 1000:.2f}" if charged else "",
        f"{entry['peak_voltage']:.0f}" if entry["peak_voltage"] else "",
        f"{entry['peak_current']:.0f}" if charged else "",
        clean(_reason(entry, short)),
    ]


def protocol_name(protocol: str) -> str:
    """A protocol in few columns."""
    return SHORT.get(protocol, "15118-20" if protocol.startswith("iso15118_20") else clean(protocol)[:20])


def _reason(entry: Entry, short: bool) -> str:
    """Why it ended so: in a sentence, or by the name of the rule that was broken."""
    causes = [finding["rule"] for finding in entry["findings"] if finding["cause"]]
    return str(causes[0].replace("_", " ") if short and causes else entry["reason"])


def _span(first: Any, last: Any) -> str:
    if first is None:
        return ""
    return f"{first:g}" if first == last else f"{first:g}-{last:g}"


def _moment(at: float, form: str) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime(form)
    except (OverflowError, ValueError, OSError):
        return f"{at:.0f} s"


def _length(time_s: float) -> str:
    """A duration: "0.4 s", "53.8 s", "10:08", "1:02:03"."""
    if time_s < 100:
        return f"{max(0.0, time_s):.1f} s"
    whole = round(time_s)
    hours, minutes, seconds = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
