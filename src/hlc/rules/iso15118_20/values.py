"""Quantities of ISO 15118-20: numbers to RationalNumber and back."""

from __future__ import annotations

from typing import Any, Final

from exi.messages.iso15118_20.types import RationalNumber

INT16_MAX: Final = 32767
EXPONENTS: Final = range(-3, 4)
"""The schema allows more; peers of the field expect no other ones."""


def rational(number: float) -> RationalNumber:
    """The nearest RationalNumber, as fine as fits in 16 bits; clamped."""
    if number == 0:
        return RationalNumber(Exponent=0, Value=0)
    for exponent in EXPONENTS:
        mantissa = round(number * 10.0**-exponent)
        if abs(mantissa) <= INT16_MAX:
            break
    return RationalNumber(Exponent=exponent, Value=max(-INT16_MAX, min(INT16_MAX, mantissa)))


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
