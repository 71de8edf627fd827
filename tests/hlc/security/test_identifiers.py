"""Identifiers in every form that the field writes them, and the check digit of an eMAID."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlc.security import identifiers
from hlc.security.identifiers import ALPHABET, check_digit, emaid, emaid_checks

VECTORS = """
NN123ABCDEFGHI-T FRXYZ123456789-2 ITA1B2C3E4F5G6-4 ESZU8WOX834H1D-R PT73902837ABCZ-Z DE83DUIEN83QGZ-D DE83DUIEN83ZGQ-M
DE8AA001234567-0 DE8AACA2B3C4D5-L NL123C10028948-M
""".split()
"""Public vectors: the reference on TLS and Plug & Charge, section 3."""


@pytest.mark.parametrize("vector", VECTORS)
def test_check_digit_vectors(vector: str) -> None:
    plain = emaid(vector)
    assert plain is not None
    assert check_digit(plain) == vector[-1]
    assert emaid_checks(plain)
    assert emaid_checks(plain[:14])


@given(st.text(ALPHABET, min_size=14, max_size=14), st.data())
def test_every_single_error_and_every_swap_of_neighbours_is_found(body: str, data: st.DataObject) -> None:
    whole = body + check_digit(body)
    place = data.draw(st.integers(0, 14))
    other = data.draw(st.sampled_from(ALPHABET.replace(whole[place], "")))
    assert not emaid_checks(whole[:place] + other + whole[place + 1 :])
    if place < 14 and whole[place] != whole[place + 1]:
        swapped = whole[:place] + whole[place + 1] + whole[place] + whole[place + 2 :]
        assert not emaid_checks(swapped)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("DE-8AA-C00123456-7", "DE8AAC001234567"),
        ("de8aac12345678", "DE8AAC12345678"),
        (" DE-8AA-C12345678 ", "DE8AAC12345678"),
        ("DE8AAC1234567", None),
        ("DE8AAC1234567890", None),
        ("1E8AAC12345678", None),
        ("DE8AAC1234567ß", None),
        ("DE*8AA*C12345678", None),
        ("", None),
    ],
)
def test_emaid(text: str, plain: str | None) -> None:
    assert emaid(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("DE*ABC*E123456*1", "DEABCE123456*1"),
        ("DEABCE1", "DEABCE1"),
        ("frA23e45B*78C", "FRA23E45B*78C"),
        ("+49*123*456*789", "+49*123*456*789"),
        ("49*123*456", "49*123*456"),
        ("ZZ00000", None),  # the station does not know: a value of its own, no outlet's name
        ("DE*ABC*F1", None),
        ("DEABCE" + "1" * 32, None),
        ("", None),
    ],
)
def test_evseid(text: str, plain: str | None) -> None:
    assert identifiers.evseid(text) == plain


def test_identifiers_of_vehicles() -> None:
    assert identifiers.pcid("wmi0123456789abcde") == "WMI0123456789ABCDE"
    assert identifiers.pcid("OEMProvCert") is None
    assert identifiers.evccid("WMIV1234567890ABCDEX") == "WMIV1234567890ABCDEX"
    assert identifiers.evccid("WMI1234567890ABCDEX") is None
    assert identifiers.evccid("WMIV" + "1" * 252) is None
    assert identifiers.mac("00:7d:FA:08:1d:6F") == bytes.fromhex("007dfa081d6f")
    assert identifiers.mac("00-7D-FA-08-1D-6F") == identifiers.mac("007DFA081D6F")
    assert identifiers.mac("00:7D:FA:08:1D") is None


@given(st.text())
def test_no_text_breaks_them(text: str) -> None:
    for read in (identifiers.emaid, identifiers.evseid, identifiers.pcid, identifiers.evccid, identifiers.mac):
        read(text)
