"""A curve of any length in bounded memory."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from hlc.capture.views.series import BINS, Series


def made(count: int) -> Series:
    series = Series()
    for n in range(count):
        series.add(n / 10, math.sin(n / 500))
    return series


def test_a_short_curve_is_kept_as_it_is() -> None:
    series = made(2 * BINS)
    assert series.points() == [(n / 10, math.sin(n / 500)) for n in range(2 * BINS)]


@pytest.mark.parametrize("count", [2 * BINS + 1, 4 * BINS, 50_000, 123_457])
def test_a_long_one_keeps_its_shape(count: int) -> None:
    series = made(count)
    points = series.points()
    assert series.count == count
    assert len(points) <= 8 * BINS
    assert points == sorted(points)
    assert points[0] == (0.0, 0.0)
    assert points[-1] == ((count - 1) / 10, math.sin((count - 1) / 500))
    assert max(b[0] - a[0] for a, b in pairwise(points)) < 0.1 * (count / BINS + 2)


def test_no_peak_is_lost() -> None:
    series = Series()
    for n in range(100_000):
        series.add(float(n), {31_415: 1000.0, 77_777: -1000.0}.get(n, 1.0))
    assert (31_415.0, 1000.0) in series.points()
    assert (77_777.0, -1000.0) in series.points()
    assert series.extremes() == (-1000.0, 1000.0)


def test_no_points() -> None:
    assert Series().points() == []
    assert Series().extremes() == (0.0, 0.0)
