"""What stands where: every bit is told of, also of what cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import exi
from exi.declare import AnyElement
from exi.messages import xmldsig

VECTORS = Path(__file__).parent.parent / "vectors"
CABLE_CHECK = bytes.fromhex("809a01c00000000000001010471900")


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (VECTORS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def without_gaps(records: list[exi.Read]) -> int:
    """The bit after the last record, where each begins at the end of the one before."""
    bit = 0
    for piece in records:
        assert piece.bit == bit < piece.end
        bit = piece.end
    return bit


@pytest.mark.parametrize("name", ["sap", "din70121"])
def test_every_bit_is_told_of(name: str) -> None:
    schema = exi.schema(name)
    for row in rows(name):
        data = bytes.fromhex(row["exi"])
        traced = schema.trace(data)
        assert traced.error is None
        assert traced.message == schema.decode(data)
        assert without_gaps(traced.records) == 8 * len(data)
        opened: list[str] = []
        for piece in traced.records:
            if piece.event == "SE":
                opened.append(piece.path[-1])
                assert piece.path == tuple(opened)
            elif piece.event == "EE":
                assert piece.path == tuple(opened)
                opened.pop()
        assert opened == []


def test_pieces_of_a_message() -> None:
    records = exi.schema("din70121").trace(CABLE_CHECK).records
    status = ("V2G_Message", "Body", "CableCheckReq", "DC_EVStatus")
    assert records[:2] == [exi.Read(0, 8, "header", ()), exi.Read(8, 15, "SE", ("V2G_Message",), 77)]
    start = records.index(exi.Read(105, 106, "SE", (*status, "EVRESSSOC"), 0))
    assert records[start + 1 : start + 5] == [
        exi.Read(106, 107, "CH", (*status, "EVRESSSOC"), 0),
        exi.Read(107, 114, "value", (*status, "EVRESSSOC"), None, 100),
        exi.Read(114, 115, "EE", (*status, "EVRESSSOC"), 0),
        exi.Read(115, 116, "EE", status, 0),
    ]
    assert records[-1] == exi.Read(119, 120, "padding", ())


def test_the_same_up_to_a_failure() -> None:
    schema = exi.schema("din70121")
    whole = schema.trace(CABLE_CHECK).records
    for size in range(len(CABLE_CHECK)):
        traced = schema.trace(CABLE_CHECK[:size])
        assert traced.message is None
        assert traced.error is not None
        assert traced.records == whole[: len(traced.records)]
        assert without_gaps(traced.records) == traced.error.bit
        with pytest.raises(exi.DecodeError) as caught:
            schema.decode(CABLE_CHECK[:size])
        assert str(caught.value) == str(traced.error)
    assert schema.trace(b"no EXI").records == []


def test_a_value_that_is_forbidden_is_told_of() -> None:
    """EVRESSSOC has seven bits: 127 is above 100."""
    wrong = bytearray(CABLE_CHECK)
    wrong[13] |= 0x1F
    wrong[14] |= 0xC0
    traced = exi.schema("din70121").trace(bytes(wrong))
    assert traced.error is not None
    assert traced.error.reason == "127 is above 100"
    assert traced.records[-1].value == 127
    assert traced.records[-1].bit == traced.error.bit == 107


def test_an_empty_value_in_the_form_of_a_peer() -> None:
    """The second-level EE in the place of CH, the value and EE."""
    row = next(row for row in rows("sap") + rows("din70121") if "empty_value" in row.get("tags", ()) and row.get("alt"))
    schema = exi.schema(row["schema"])
    traced = schema.trace(bytes.fromhex(row["alt"][0]["exi"]))
    assert traced.message == schema.decode(bytes.fromhex(row["exi"]))
    assert any(piece.event == "EE" and piece.code is None for piece in traced.records)


def test_surplus_octets() -> None:
    traced = exi.schema("din70121").trace(CABLE_CHECK + b"\0\0")
    assert traced.error is None
    assert traced.records[-1] == exi.Read(120, 136, "surplus", ())


def test_a_fragment_and_a_wildcard_in_it() -> None:
    schema = exi.schema("xmldsig")
    unknown = AnyElement(tag="{urn:x}y", attributes={"a": "b"}, content=["text"])
    element = xmldsig.CanonicalizationMethod(Algorithm="urn:a", content=["before", unknown, "after"])
    data = schema.encode_fragment(element)
    traced = schema.trace(data, fragment=True)
    assert traced.message == element
    assert without_gaps(traced.records) == 8 * len(data)
    assert [piece.event for piece in traced.records if piece.event in ("wildcard", "ED")] == ["wildcard", "ED"]
    assert [piece.value for piece in traced.records if piece.event == "value"] == ["urn:a", "before", "after"]
