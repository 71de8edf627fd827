"""Quantiles of many times in little memory."""

from __future__ import annotations

import pickle
from random import Random

import pytest

from hlc.capture.sketch import EXACT, WIDTH, Sketch


def exactly(times: list[float], share: float) -> float:
    ranked = sorted(times)
    return ranked[max(1, -(-int(share * len(times) * 1000) // 1000)) - 1]


def sketch(times: list[float]) -> Sketch:
    made = Sketch()
    for time_s in times:
        made.add(time_s)
    return made


def test_few_times_are_exact() -> None:
    times = [Random(1).expovariate(20) for _ in range(EXACT)]
    made = sketch(times)
    assert made.exact
    assert made.quantile(0.5) == exactly(times, 0.5)
    assert made.quantile(0.99) == exactly(times, 0.99)
    assert made.quantile(1.0) == made.worst_s == max(times)


def test_many_times_are_near_and_take_no_more_room() -> None:
    random = Random(2)
    times = [random.lognormvariate(-4, 2) for _ in range(50_000)]
    made = sketch(times)
    assert not made.exact
    assert made.worst_s == max(times)
    for share in (0.01, 0.5, 0.9, 0.99, 0.999):
        assert made.quantile(share) == pytest.approx(exactly(times, share), rel=WIDTH)
    assert len(pickle.dumps(made)) < 10_000


@pytest.mark.parametrize("split", [(10, 20), (EXACT, EXACT), (5000, 10), (10, 5000), (4000, 4000)])
def test_two_are_added_up(split: tuple[int, int]) -> None:
    random = Random(3)
    first, second = ([random.expovariate(5) for _ in range(count)] for count in split)
    made = sketch(first)
    made.merge(sketch(second))
    whole = sketch(first + second)
    assert (made.count, made.worst_s, made.exact) == (whole.count, whole.worst_s, whole.exact)
    assert made.quantile(0.9) == whole.quantile(0.9)


def test_time_that_goes_back_counts_as_none() -> None:
    made = sketch([-5.0, 0.0])
    assert (made.count, made.worst_s, made.quantile(0.5)) == (2, 0.0, 0.0)
    assert Sketch().quantile(0.5) == 0.0
