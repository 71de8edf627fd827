"""The control pilot of one cable, as far as modems measure it (IEC 61851-1 annex A)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

VOLTS: Final = {"A": 12.0, "B": 9.0, "C": 6.0, "D": 3.0, "E": 0.0, "F": -12.0}
"""Of the positive half wave, by state."""
FREQUENCY_HZ: Final = 1000


class PilotWire:
    """State, "A" to "F", and duty cycle in percent: 5 asks for digital communication, 100 is no oscillation.

    `observers` are called with the time after every change.
    """

    def __init__(self, state: str = "B", duty: float = 5.0) -> None:
        self.state = state
        self.duty = duty
        self.observers: list[Callable[[float], None]] = []

    @property
    def oscillating(self) -> bool:
        return 0.0 < self.duty < 100.0 and self.state not in ("E", "F")

    @property
    def volts(self) -> float:
        return VOLTS[self.state]

    def change(self, now: float, *, state: str | None = None, duty: float | None = None) -> None:
        """Either end moves it."""
        state, duty = state or self.state, self.duty if duty is None else duty
        if (state, duty) == (self.state, self.duty):
            return
        if state not in VOLTS:
            raise ValueError(f"the control pilot has no state {state!r}")
        self.state, self.duty = state, duty
        for observer in self.observers:
            observer(now)


__all__ = ["FREQUENCY_HZ", "PilotWire"]
