"""The distribution of many times in little memory: exact while they are few, in bins of a fixed width afterwards."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

EXACT: Final = 1000
"""Times that are kept one by one."""
WIDTH: Final = 0.02
"""Width of a bin, as a share of the times in it: a quantile from bins is wrong by half of it at most."""
LEAST_S: Final = 1e-6
"""Times are not told apart below; captures do not either."""
SCALE: Final = math.log1p(WIDTH)


class Sketch:
    """Count, quantiles and extremes of times in seconds. Two of them can be added up."""

    def __init__(self) -> None:
        self.count = 0
        self.worst_s = 0.0
        self._times: list[float] = []
        self._bins: Counter[int] = Counter()

    @property
    def exact(self) -> bool:
        """Whether quantiles are exact."""
        return not self._bins

    def add(self, time_s: float) -> None:
        """Take in a time; what goes back in time counts as none."""
        time_s = max(0.0, time_s)
        self.count += 1
        self.worst_s = max(self.worst_s, time_s)
        if self._bins:
            self._bins[_bin(time_s)] += 1
        else:
            self._times.append(time_s)
            self._condense()

    def merge(self, other: Sketch) -> None:
        """Take in the times of another one."""
        self.count += other.count
        self.worst_s = max(self.worst_s, other.worst_s)
        self._times += other._times
        if self._bins or other._bins:
            self._bins.update(map(_bin, self._times))
            self._bins.update(other._bins)
            self._times.clear()
        self._condense()

    def quantile(self, share: float) -> float:
        """The time that so large a share of all times does not exceed."""
        rank = max(1, math.ceil(share * self.count))
        if not self._bins:
            return sorted(self._times)[rank - 1] if self._times else 0.0
        for number in sorted(self._bins):
            rank -= self._bins[number]
            if rank <= 0:
                return min(self.worst_s, LEAST_S * math.exp((number - 0.5) * SCALE)) if number else 0.0
        return self.worst_s

    def _condense(self) -> None:
        if len(self._times) > EXACT:
            self._bins.update(map(_bin, self._times))
            self._times.clear()


def _bin(time_s: float) -> int:
    """The number of a time's bin; 0 is below all that is told apart."""
    return math.ceil(math.log(time_s / LEAST_S) / SCALE) if time_s > LEAST_S else 0
