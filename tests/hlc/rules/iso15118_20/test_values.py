"""Numbers as ISO 15118-20 writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exi.messages.iso15118_20.ac import AC_CPDReqEnergyTransferMode
from hlc.rules.iso15118_20.values import number, rational, total


@pytest.mark.parametrize("value", [3_750_000.0, 1250.0, -400.0, 0.001])
def test_as_fine_as_fits(value: float) -> None:
    found = rational(value)
    assert found.Value * 10**found.Exponent == pytest.approx(value)
    assert abs(found.Value) <= 32767
    assert -3 <= found.Exponent <= 3


def test_zero_is_plain() -> None:
    assert (rational(0.0).Exponent, rational(0.0).Value) == (0, 0)


@given(st.floats(-3e7, 3e7))
def test_there_and_back(value: float) -> None:
    found = rational(value)
    assert number(found) == pytest.approx(value, rel=2e-4, abs=6e-4)


def test_what_is_too_much_is_clamped() -> None:
    assert number(rational(1e12)) == 32_767_000.0
    assert number(rational(-1e12)) == -32_767_000.0


def test_a_power_in_all_phases() -> None:
    three = AC_CPDReqEnergyTransferMode(
        EVMaximumChargePower=rational(3000.0),
        EVMaximumChargePower_L2=rational(2000.0),
        EVMaximumChargePower_L3=rational(1000.0),
        EVMinimumChargePower=rational(1380.0),
    )
    assert total(three, "EVMaximumChargePower") == pytest.approx(6000.0)
    assert total(three, "EVMinimumChargePower") == pytest.approx(1380.0)
    assert total(three, "EVMaximumDischargePower", 7.0) == 7.0
