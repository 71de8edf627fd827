"""Golden bytes from independent codecs: read, written, and read when they are damaged."""

from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import exi

VECTORS = Path(__file__).parent.parent / "vectors"
SMALL = 64
"""Octets up to which the Python engine reads a vector damaged at every place."""
SAMPLE = 12
"""Places at which it reads larger vectors damaged."""


def rows(path: Path, *schemas: str) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [row for line in lines if (row := json.loads(line))["schema"] in schemas]


ROWS = [row for name in ("sap", "din70121") for row in rows(VECTORS / f"{name}.jsonl", name)]
by_id = pytest.mark.parametrize("row", ROWS, ids=[f"{row['root']}-{row['id']}" for row in ROWS])


def infoset(text: str) -> Any:
    """What XML says, whatever its prefixes, the order of its attributes, and the white space between elements."""

    def walk(element: ElementTree.Element) -> Any:
        own = element.text or ""
        return (
            element.tag,
            frozenset(element.attrib.items()),
            own.strip() if len(element) else own,
            tuple((walk(child), (child.tail or "").strip()) for child in element),
        )

    return walk(ElementTree.fromstring(text))


def check(schema: exi.Schema, row: dict[str, Any]) -> None:
    """One vector there and back again."""
    data = bytes.fromhex(row["exi"])
    payload = bytes.fromhex(row.get("payload", row["exi"]))
    want = infoset(row["xml"])
    found = schema.examine(data)
    assert infoset(schema.to_xml(found.message)) == want
    assert found.surplus == 0
    assert not found.lenient
    assert schema.encode(found.message) == data
    from_xml = schema.from_xml(row["xml"])
    assert from_xml == found.message
    assert schema.encode(from_xml) == data
    assert schema.examine(payload) == found._replace(surplus=len(payload) - len(data))
    for other in row.get("alt", []):
        assert schema.decode(bytes.fromhex(other["exi"] if isinstance(other, dict) else other)) == found.message


def test_that_the_infoset_sees_a_difference() -> None:
    same = '<p:a xmlns:p="u" x="1" y="2"><p:b>c</p:b> </p:a>'
    assert infoset(same) == infoset('<a xmlns="u" y="2" x="1"><b>c</b></a>')
    for other in (same.replace('"u"', '"v"'), same.replace(">c<", "> c<"), same.replace("</p:b> ", "</p:b>d")):
        assert infoset(other) != infoset(same)


@by_id
def test_vector(row: dict[str, Any], engine: Any) -> None:
    check(exi.schema(row["schema"], engine), row)


@by_id
def test_the_native_engine_serves_by_itself(row: dict[str, Any], read_natively: Any, write: Any) -> None:
    """It leaves to the Python engine what it refuses: for a good vector that would be a defect that nobody sees."""
    if read_natively is None:
        pytest.skip("the C engine was not built")
    data = bytes.fromhex(row["exi"])
    found = read_natively(row["schema"], data)
    assert found is not None
    assert write(row["schema"], found.message) == data


def test_recorded_messages(reference: Path, engine: Any) -> None:
    """What real cars and chargers sent."""
    recorded = rows(reference / "vectors" / "exi" / "real.jsonl", "sap", "din70121")
    assert len(recorded) > 400
    for row in recorded:
        try:
            check(exi.schema(row["schema"], engine), row)
        except (AssertionError, exi.ExiError) as error:
            error.add_note(f"{row['id']} {row['root']} of {row['capture']}")
            raise


def damaged(data: bytes, rng: random.Random) -> Iterator[tuple[int, bytes]]:
    """The document truncated at every octet, and with any one octet changed: by a bit, in full, and at random."""
    for at in range(len(data)):
        yield at, data[:at]
        for mask in (1 << rng.randrange(8), 0xFF, rng.randrange(1, 0xFF)):
            yield at, data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


@by_id
def test_damaged_vector(
    row: dict[str, Any],
    read: Callable[[str, bytes], Any],
    read_natively: Callable[[str, bytes], Any] | None,
    thorough: bool,
) -> None:
    """A message or a DecodeError, the same on both engines, and nothing else.

    The C engine reads all of them. The Python engine, some hundred times slower, reads a sample of the larger ones
    unless --thorough is given.
    """
    data = bytes.fromhex(row["exi"])
    rng = random.Random(row["id"])
    exhaustive = thorough or len(data) <= SMALL
    sample = frozenset(range(len(data)) if exhaustive else rng.sample(range(len(data)), SAMPLE))
    for at, case in damaged(data, rng):
        if at in sample:
            found = read(row["schema"], case)
            if not isinstance(found, exi.Examined):
                _, bit, reason = found
                assert reason
                assert bit is None or 0 <= bit <= 8 * len(case)
        elif read_natively is not None:
            found = read_natively(row["schema"], case)
            assert found is None or found.surplus >= 0


def test_an_error_is_the_same_on_both_engines(engine: Any) -> None:
    """As a caller sees it: path, bit and reason."""
    rng = random.Random(70121)
    for row in ROWS:
        data = bytes.fromhex(row["exi"])
        case = data[: rng.randrange(len(data))]
        with pytest.raises(exi.DecodeError) as caught:
            exi.schema(row["schema"], engine).decode(case)
        with pytest.raises(exi.DecodeError) as expected:
            exi.schema(row["schema"], "python").decode(case)
        assert str(caught.value) == str(expected.value)
