"""Golden bytes from independent codecs: read, written, and read when they are damaged."""

from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import exi

VECTORS = Path(__file__).parent.parent / "vectors"
SAMPLE = 6
"""Places at which the Python engine reads a vector damaged."""
LARGE = 600
"""Places at which the C engine does."""


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


ROWS = [row for path in sorted(VECTORS.glob("*.jsonl")) for row in rows(path)]
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
    fragment = row["kind"] == "fragment"
    examine = schema.examine_fragment if fragment else schema.examine
    encode: Callable[[Any], bytes] = schema.encode_fragment if fragment else schema.encode
    data = bytes.fromhex(row["exi"])
    payload = bytes.fromhex(row.get("payload", row["exi"]))
    want = infoset(row["xml"])
    found = examine(data)
    assert infoset(schema.to_xml(found.message)) == want
    assert found.surplus == 0
    assert not found.lenient
    assert encode(found.message) == data
    from_xml = schema.from_xml(row["xml"])
    assert from_xml == found.message
    assert encode(from_xml) == data
    assert examine(payload) == found._replace(surplus=len(payload) - len(data))
    for other in row.get("alt", []):
        assert examine(bytes.fromhex(other["exi"])).message == found.message


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
    fragment = row["kind"] == "fragment"
    found = read_natively(row["schema"], data, fragment)
    if "wildcard" in row.get("tags", ()):
        assert found is False
        return
    assert found
    assert write(row["schema"], found.message, fragment) == data


@pytest.mark.parametrize("name", ["real", "real_fragments"])
def test_recorded_messages(reference: Path, engine: Any, name: str) -> None:
    """What real cars and chargers sent, and the fragments that they signed."""
    recorded = rows(reference / "vectors" / "exi" / f"{name}.jsonl")
    assert len(recorded) > (900 if name == "real" else 10)
    for row in recorded:
        try:
            check(exi.schema(row["schema"], engine), row)
        except (AssertionError, exi.ExiError) as error:
            error.add_note(f"{row['id']} {row['root']} of {row['capture']}")
            raise


def damaged(data: bytes, places: Iterable[int], rng: random.Random) -> Iterator[tuple[int, bytes]]:
    """The document truncated at some octets, and with any one of them changed: by a bit, in full, and at random."""
    for at in places:
        yield at, data[:at]
        for mask in (1 << rng.randrange(8), 0xFF, rng.randrange(1, 0xFF)):
            yield at, data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


@by_id
def test_damaged_vector(
    row: dict[str, Any],
    read: Callable[..., Any],
    read_natively: Callable[..., Any] | None,
    thorough: bool,
) -> None:
    """A message or a DecodeError, the same on both engines, and nothing else.

    The C engine reads them damaged at every place, up to `LARGE` octets. The Python engine, some hundred times slower,
    reads a sample. With --thorough both read all.
    """
    data = bytes.fromhex(row["exi"])
    fragment = row["kind"] == "fragment"
    rng = random.Random(row["id"])
    places = range(len(data)) if thorough else sorted(rng.sample(range(len(data)), min(len(data), LARGE)))
    sample = frozenset(places if thorough else rng.sample(places, min(len(places), SAMPLE)))
    for at, case in damaged(data, places, rng):
        if at in sample:
            found = read(row["schema"], case, fragment)
            if not isinstance(found, exi.Examined):
                _, bit, reason = found
                assert reason
                assert bit is None or 0 <= bit <= 8 * len(case)
        elif read_natively is not None:
            found = read_natively(row["schema"], case, fragment)
            assert not found or found.surplus >= 0


def test_an_error_is_the_same_on_both_engines(engine: Any) -> None:
    """As a caller sees it: path, bit and reason."""
    rng = random.Random(70121)
    for row in ROWS:
        if row["kind"] == "fragment":
            continue
        data = bytes.fromhex(row["exi"])
        case = data[: rng.randrange(len(data))]
        with pytest.raises(exi.DecodeError) as caught:
            exi.schema(row["schema"], engine).decode(case)
        with pytest.raises(exi.DecodeError) as expected:
            exi.schema(row["schema"], "python").decode(case)
        assert str(caught.value) == str(expected.value)
