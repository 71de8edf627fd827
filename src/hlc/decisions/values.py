"""Physical values of the messages: numbers to multiplier and value, and back."""

from __future__ import annotations

from typing import Any, Final

INT16_MAX: Final = 32767


def scaled(value: float) -> tuple[int, int]:
    """Multiplier and value of a PhysicalValue: tenths where they fit in 16 bits, coarser where they do not; clamped."""
    for multiplier in (-1, 0, 1, 2):
        mantissa = round(value * 10.0**-multiplier)
        if -INT16_MAX <= mantissa <= INT16_MAX:
            return multiplier, mantissa
    return 3, max(-INT16_MAX, min(INT16_MAX, round(value / 1000)))


TENS: Final = (1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)


def value(physical: Any) -> float:
    """The number in a PhysicalValue, in its unit."""
    number: float = physical.Value * TENS[physical.Multiplier + 3]
    return number


def int16(number: float) -> int:
    """The nearest value of 16 bits: PMax of DIN 70121 bears no multiplier."""
    return max(-INT16_MAX, min(INT16_MAX, round(number)))
