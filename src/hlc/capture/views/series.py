"""A curve of any length in bounded memory: what is drawn of it looks as if nothing had been left out."""

from __future__ import annotations

from typing import Final

BINS: Final = 2000
"""Twice as many pieces, at most, are kept of a curve: more than a picture has columns."""

Point = tuple[float, float]


class Series:
    """Points in the order of time. Of each piece the first, the last, the lowest and the highest are kept."""

    def __init__(self) -> None:
        self.count = 0
        self._each = 1
        """Points in a piece."""
        self._filled = 0
        """Points in the last one."""
        self._pieces: list[tuple[Point, Point, Point, Point]] = []

    def add(self, at: float, value: float) -> None:
        """A point."""
        point = at, value
        self.count += 1
        if self._pieces and self._filled < self._each:
            self._pieces[-1] = _joined(self._pieces[-1], (point, point, point, point))
            self._filled += 1
            return
        if len(self._pieces) >= 2 * BINS:
            self._pieces = [_joined(*self._pieces[n : n + 2]) for n in range(0, len(self._pieces), 2)]
            self._each *= 2
        self._pieces.append((point, point, point, point))
        self._filled = 1

    def points(self) -> list[Point]:
        """What is to be drawn."""
        return [point for piece in self._pieces for point in sorted(set(piece))]

    def last(self) -> float | None:
        """The last value."""
        return self._pieces[-1][3][1] if self._pieces else None

    def extremes(self) -> tuple[float, float]:
        """The lowest and the highest value; of none, zeros."""
        lowest = min((piece[1][1] for piece in self._pieces), default=0.0)
        return lowest, max((piece[2][1] for piece in self._pieces), default=0.0)


def _joined(
    first: tuple[Point, Point, Point, Point], second: tuple[Point, Point, Point, Point]
) -> tuple[Point, Point, Point, Point]:
    """Two pieces as one: first point, lowest, highest, last."""
    lowest = min(first[1], second[1], key=lambda point: point[1])
    highest = max(first[2], second[2], key=lambda point: point[1])
    return first[0], lowest, highest, second[3]
