"""Whatever stands behind the EtherType: an `Mme` that builds to the same octets, or `MmeError`."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

import slac
from slac import MmeError
from slac.mme.registry import FORMATS

ADDRESSES = bytes.fromhex("020000000001020000000002")
HOMEPLUG = ADDRESSES + bytes.fromhex("88E1")
TAGGED = ADDRESSES + bytes.fromhex("8100E00188E1")


def same(frame: bytes) -> bool:
    """Whether there is a message, which builds to the same octets."""
    try:
        mme = slac.parse(frame)
    except MmeError:
        return False
    assert mme.build() == frame
    return True


@given(st.sampled_from([HOMEPLUG, TAGGED, ADDRESSES, b""]), st.binary(max_size=1500))
@settings(max_examples=300)
def test_any_octets(start: bytes, octets: bytes) -> None:
    same(start + octets)


@given(
    st.sampled_from([HOMEPLUG, TAGGED]),
    st.sampled_from(FORMATS),
    st.sampled_from([0, 1, 1, 1, 2, 255]),
    st.sampled_from([b"\0\0"] * 8 + [b"\x10\1", b"\x21\1", b"\3\0"]),
    st.binary(max_size=120) | st.binary(min_size=1400, max_size=1500),
    st.integers(0, 60),
)
@settings(max_examples=2000)
def test_any_octets_behind_the_number_of_a_known_message(
    start: bytes, format: slac.mme.fields.Format, mmv: int, fragment: bytes, octets: bytes, zeros: int
) -> None:
    number = bytes([mmv]) + format.mmtype.to_bytes(2, "little")
    same(start + number + (fragment if mmv else b"") + (format.oui or b"") + bytes(zeros) + octets)


@given(st.sampled_from(FORMATS), st.data())
@settings(max_examples=500)
def test_a_damaged_message(format: slac.mme.fields.Format, data: st.DataObject) -> None:
    """Octets changed and cut off: also where counts, lengths and texts stand."""
    fields = {} if format.layout else {"payload": bytes(9)}
    frame = bytearray(
        slac.make(
            format.name, destination=bytes(6), source=bytes(6), oui=format.oui, mmv=format.mmv, tail=bytes(80), **fields
        )
    )
    for _ in range(data.draw(st.integers(1, 8))):
        frame[data.draw(st.integers(14, len(frame) - 1))] = data.draw(st.integers(0, 255))
    same(bytes(frame[: data.draw(st.integers(17, len(frame)))]))
