"""Physical values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import exi
from exi.messages import din70121 as din
from hlc import decisions
from hlc.rules.din70121 import wrap


@given(st.floats(-32_767_000, 32_767_000))
def test_a_scaled_value_keeps_four_digits_and_fits_the_schema(number: float) -> None:
    multiplier, mantissa = decisions.scaled(number)
    physical = din.PhysicalValue(Multiplier=multiplier, Unit=din.UnitSymbol.W, Value=mantissa)
    assert decisions.value(physical) == pytest.approx(number, rel=2e-4, abs=0.051)
    request = din.PreChargeReq(
        DC_EVStatus=din.DC_EVStatus(EVReady=True, EVErrorCode=din.DC_EVErrorCode.NO_ERROR, EVRESSSOC=1),
        EVTargetVoltage=physical,
        EVTargetCurrent=physical,
    )
    assert exi.schema("din70121").encode(wrap(b"\1", request))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (400.0, (-1, 4000)),
        (0.04, (-1, 0)),
        (50_000.0, (1, 5000)),
        (1e9, (3, 32767)),
        (-1e9, (3, -32767)),
        (3276.7, (-1, 32767)),
    ],
)
def test_scaled(number: float, expected: tuple[int, int]) -> None:
    assert decisions.scaled(number) == expected


@pytest.mark.parametrize("multiplier", range(-3, 4))
def test_value(multiplier: int) -> None:
    assert decisions.value(din.PhysicalValue(Multiplier=multiplier, Value=7)) == pytest.approx(7 * 10.0**multiplier)


@pytest.mark.parametrize(("number", "expected"), [(150_000, 32767), (11_000.4, 11000), (-99_999, -32767)])
def test_int16(number: float, expected: int) -> None:
    assert decisions.int16(number) == expected
