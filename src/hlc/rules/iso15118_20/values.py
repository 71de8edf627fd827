"""Quantities of ISO 15118-20: numbers to RationalNumber and back."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from exi.messages.iso15118_20.types import RationalNumber

INT16_MAX: Final = 32767
ROUNDED: Final = INT16_MAX + 0.5
"""Below this a number is not rounded to more than that."""
EXPONENTS: Final = tuple((exponent, 10.0**-exponent) for exponent in range(-3, 3))
"""The finest first, with what a number is multiplied by; the coarsest is 3. The schema allows more; peers of the field
expect no other ones."""
SAID_AGAIN: Final = 256
"""So many quantities are kept, for a charge loop says the same limits in every message."""


@lru_cache(SAID_AGAIN)
def rational(number: float) -> RationalNumber:
    """The nearest RationalNumber, as fine as fits in 16 bits; clamped."""
    if number == 0:
        return RationalNumber(Exponent=0, Value=0)
    for exponent, factor in EXPONENTS:
        mantissa = number * factor
        if -ROUNDED < mantissa < ROUNDED:
            return RationalNumber(Exponent=exponent, Value=round(mantissa))
    return RationalNumber(Exponent=3, Value=max(-INT16_MAX, min(INT16_MAX, round(number / 1000))))


def number(rational: RationalNumber) -> float:
    """The number that is meant."""
    return rational.Value * 10.0**rational.Exponent


def maybe(rational: RationalNumber | None, otherwise: float) -> float:
    """The number of an optional element."""
    return otherwise if rational is None else number(rational)


def total(said: Any, name: str, otherwise: float = 0.0) -> float:
    """A power in all phases, by the name of its element: L1 alone where those of the other phases stand beside it."""
    first = maybe(getattr(said, name, None), otherwise)
    return first + sum(maybe(getattr(said, f"{name}_L{phase}", None), 0.0) for phase in (2, 3))
