"""Physical values of the messages: numbers to multiplier and value, and back."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

INT16_MAX: Final = 32767
MULTIPLIERS: Final = ((-1, 10.0), (0, 1.0), (1, 0.1), (2, 0.01))
"""The finest first, with what a number is multiplied by."""


def scaled(value: float) -> tuple[int, int]:
    """Multiplier and value of a PhysicalValue: tenths where they fit in 16 bits, coarser where they do not; clamped."""
    for multiplier, factor in MULTIPLIERS:
        mantissa = round(value * factor)
        if -INT16_MAX <= mantissa <= INT16_MAX:
            return multiplier, mantissa
    return 3, int16(value / 1000)


SAID_AGAIN: Final = 256
"""So many quantities are kept, for a charge loop says the same limits in every message."""


def quantities(messages: Any) -> Callable[[float, str], Any]:
    """How a number and the symbol of its unit become a PhysicalValue of these messages, a module."""
    kind, units = messages.PhysicalValue, {unit.value: unit for unit in messages.UnitSymbol}

    @lru_cache(SAID_AGAIN)
    def physical(number: float, unit: str) -> Any:
        multiplier, mantissa = scaled(number)
        return kind(Multiplier=multiplier, Unit=units[unit], Value=mantissa)

    return physical


TENS: Final = (1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)


def value(physical: Any) -> float:
    """The number in a PhysicalValue, in its unit."""
    number: float = physical.Value * TENS[physical.Multiplier + 3]
    return number


def int16(number: float) -> int:
    """The nearest value of 16 bits: PMax of DIN 70121 bears no multiplier."""
    return max(-INT16_MAX, min(INT16_MAX, round(number)))
