"""A bar chart in characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

BLOCKS: Final = " ▁▂▃▄▅▆▇█"
STEPS: Final = (1, 2, 5, 10, 20, 50, 100)
"""Of the scale, from row to row."""
ROWS: Final = 8
"""The highest chart."""
MARGIN: Final = 8
"""Columns to the left of the bars."""


def bars(values: Sequence[float], unit: str, width: int, *, top: float = 0.0, unicode: bool = True) -> list[str]:
    """A column for each value, none below zero; for several where `width` is too narrow, with their average.

    The scale is chosen as if `top` were among the values: charts with the same one can be compared.
    """
    if not values:
        return []
    together = -(-len(values) // max(8, width - MARGIN))
    parts = [values[place : place + together] for place in range(0, len(values), together)]
    columns = [sum(part) / len(part) for part in parts]
    highest = max(columns)
    step = next((step for step in STEPS if max(top, highest) <= step * ROWS), STEPS[-1])
    rows = min(ROWS, max(1, -(-round(highest) // step)))
    lines = []
    for row in range(rows, 0, -1):
        filled = "".join(_cell(value / step - (row - 1), unicode) for value in columns)
        name = f"{row * step:>4} {unit}" if row == rows else f"{row * step:>4}"
        lines.append(f"{name:<{MARGIN - 1}}|{filled}".rstrip())
    lines.append(" " * (MARGIN - 1) + "+" + "-" * len(columns))
    axis = " " * MARGIN
    for number in (1, *range(10, len(values) + 1, 10)):
        place = MARGIN + (number - 1) // together
        if place >= len(axis.rstrip()) + 1:
            axis = axis.ljust(place)[:place] + str(number)
    lines.append(axis)
    return lines


def _cell(filled: float, unicode: bool) -> str:
    """A character that is so full."""
    share = min(max(filled, 0.0), 1.0)
    if unicode:
        return BLOCKS[round(share * 8)]
    return "#" if share >= 0.5 else " "
