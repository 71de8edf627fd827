"""A table in characters that is as wide as the terminal allows: columns that matter less give way, text is cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

GAP: Final = 2
"""Columns of the terminal between those of a table."""
NARROWEST: Final = 12
"""A column of text is not cut below."""


class Column(NamedTuple):
    """A column. The first to give way is the one of the highest `rank`; of rank 0, none does."""

    title: str
    right: bool = False
    rank: int = 0
    elastic: bool = False
    """Text that may be cut."""


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int, *, unicode: bool = True) -> list[str]:
    """The lines of a table, its titles first, none wider than `width` where the columns of rank 0 allow it.

    A column without any entry is left out.
    """
    shown = [place for place in range(len(columns)) if not rows or any(row[place] for row in rows)]
    widths = [max([len(column.title), *(len(row[place]) for row in rows)]) for place, column in enumerate(columns)]
    least = [min(wide, NARROWEST) if columns[place].elastic else wide for place, wide in enumerate(widths)]
    while sum(least[place] + GAP for place in shown) - GAP > width:
        lowest = max(shown, key=lambda place: (columns[place].rank, place))
        if not columns[lowest].rank:
            break
        shown.remove(lowest)
    spare = max(0, width - sum(least[place] + GAP for place in shown) + GAP)
    hungry = [place for place in shown if least[place] < widths[place]]
    while spare and hungry:
        share = max(1, spare // len(hungry))
        for place in list(hungry):
            given = min(spare, share, widths[place] - least[place])
            least[place] += given
            spare -= given
            if least[place] == widths[place]:
                hungry.remove(place)
    more = "…" if unicode else "~"

    def line(cells: Sequence[str]) -> str:
        parts = []
        for place in shown:
            cell, wide = cells[place], least[place]
            cell = cell if len(cell) <= wide else cell[: wide - 1] + more
            parts.append(cell.rjust(wide) if columns[place].right else cell.ljust(wide))
        return (" " * GAP).join(parts).rstrip()

    return [line([column.title for column in columns]), *(line(row) for row in rows)]
