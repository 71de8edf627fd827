"""The identifiers of contracts, vehicles and outlets: their forms, and the check digit of a contract's.

What is received is accepted with or without separators, in small letters or capitals; what is compared or sent is the
plain form without them. A check digit is never required: ISO 15118-2 allows an eMAID of 14 or 15 characters.
(ISO 15118-2 annex H; ISO 15118-20 annex C)
"""

from __future__ import annotations

import re
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BODY: Final = 14
"""Characters of an eMAID that its check digit is made of: country 2, provider 3, instance 9."""

EMAID: Final = re.compile(r"[A-Z]{2}[0-9A-Z]{3}[0-9A-Z]{9}[0-9A-Z]?")
EVSEID: Final = re.compile(r"[A-Z]{2}[0-9A-Z]{3}E[0-9A-Z][0-9A-Z*]{0,30}")
EVSEID_DIN: Final = re.compile(r"\+?[0-9]{1,3}\*[0-9]{3,6}\*[0-9][0-9*]{0,31}")
PCID: Final = re.compile(r"[0-9A-Z]{18}")
EVCCID: Final = re.compile(r"[0-9A-Z]{3}V[0-9A-Z]{1,251}")
MAC: Final = re.compile(r"[0-9A-F]{12}")


def emaid(text: str) -> str | None:
    """The plain form of an eMAID, 14 or 15 characters; None for what is none. The check digit is not checked."""
    plain = _capitals(text).replace("-", "")
    return plain if EMAID.fullmatch(plain) else None


def check_digit(text: str) -> str:
    """The 15th character of an eMAID, from the first 14 in plain form.

    Every character stands for a pair of bits and a pair of ternary digits. Those of position i are multiplied by the
    i-th power of a matrix, and the sums over all 15 must vanish: so every single error and every swap of neighbours
    is found. (ISO 15118-2 annex H.1)
    """
    bits, trits = (0, 0), (0, 0)
    first, second = (1, 0, 0, 1), (1, 0, 0, 1)
    for character in text[:BODY]:
        first, second = _product(first, (0, 1, 1, 1), 2), _product(second, (0, 1, 1, 2), 3)
        n = ALPHABET.index(character)
        bits = _sum(bits, _times(first, (n // 18, n // 9 % 2), 2), 2)
        trits = _sum(trits, _times(second, (n // 3 % 3, n % 3), 3), 3)
    first, second = _product(first, (0, 1, 1, 1), 2), _product(second, (0, 1, 1, 2), 3)
    for n, character in enumerate(ALPHABET):
        if (
            _sum(bits, _times(first, (n // 18, n // 9 % 2), 2), 2)
            == (0, 0)
            == _sum(trits, _times(second, (n // 3 % 3, n % 3), 3), 3)
        ):
            return character
    raise AssertionError("the matrices can be inverted: one character fits")


def emaid_checks(plain: str) -> bool:
    """Whether the check digit of an eMAID in plain form is right; one without a check digit has none to be wrong."""
    return len(plain) == BODY or check_digit(plain) == plain[BODY]


def evseid(text: str) -> str | None:
    """An EVSEID in the form of ISO 15118 (DE*ABC*E123 as DEABCE123) or of DIN 70121 (+49*123*456*789); else None."""
    upper = _capitals(text)
    if EVSEID_DIN.fullmatch(upper):
        return upper
    country, star, rest = upper.partition("*")
    operator, second, outlet = rest.partition("*")
    plain = f"{country}{operator}{outlet}" if star and second else upper
    return plain if EVSEID.fullmatch(plain) else None


def pcid(text: str) -> str | None:
    """A provisioning certificate ID: 18 capitals and digits, the first three the maker's WMI; else None."""
    plain = _capitals(text)
    return plain if PCID.fullmatch(plain) else None


def evccid(text: str) -> str | None:
    """The EVCCID of ISO 15118-20: the maker's WMI, a V, and a number of the maker's own; else None."""
    plain = _capitals(text)
    return plain if EVCCID.fullmatch(plain) else None


def mac(text: str) -> bytes | None:
    """The EVCCID of DIN 70121 and ISO 15118-2, a MAC address; else None."""
    plain = re.sub("[:-]", "", _capitals(text))
    return bytes.fromhex(plain) if MAC.fullmatch(plain) else None


def _capitals(text: str) -> str:
    """Capital letters do not grow in number: what is not ASCII stays as it is, and fits no form."""
    return text.strip().upper() if text.isascii() else text


Pair = tuple[int, int]
Matrix = tuple[int, int, int, int]


def _product(a: Matrix, b: Matrix, modulus: int) -> Matrix:
    return (
        (a[0] * b[0] + a[1] * b[2]) % modulus,
        (a[0] * b[1] + a[1] * b[3]) % modulus,
        (a[2] * b[0] + a[3] * b[2]) % modulus,
        (a[2] * b[1] + a[3] * b[3]) % modulus,
    )


def _times(matrix: Matrix, vector: Pair, modulus: int) -> Pair:
    return (
        (matrix[0] * vector[0] + matrix[1] * vector[1]) % modulus,
        (matrix[2] * vector[0] + matrix[3] * vector[1]) % modulus,
    )


def _sum(a: Pair, b: Pair, modulus: int) -> Pair:
    return ((a[0] + b[0]) % modulus, (a[1] + b[1]) % modulus)
