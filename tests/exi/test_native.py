"""What only the C engine can get wrong."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import exi
from exi.messages import din70121 as din

ROUNDS = 150
VECTORS = Path(__file__).parent.parent / "vectors"


@pytest.fixture(scope="module")
def documents(read_natively: Any) -> list[bytes]:
    """One document of each message of DIN 70121, the longest."""
    if read_natively is None:
        pytest.skip("the C engine was not built")
    longest: dict[str, bytes] = {}
    for line in (VECTORS / "din70121.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        data = bytes.fromhex(row["exi"])
        if len(data) > len(longest.get(row["root"], b"")):
            longest[row["root"]] = data
    return list(longest.values())


def test_nothing_leaks(documents: list[bytes]) -> None:
    """Neither from what is read and written nor from what is refused."""
    native = exi.schema("din70121", "native")._native

    def work() -> None:
        for data in documents:
            message, _, code, _ = native.decode(data, False, 0)
            assert native.encode(message, code, False) == data
            for size in range(0, len(data), 97):
                native.decode(data[:size], False, 0)
            message.Header.SessionID = bytes(9)
            assert native.encode(message, code, False) is None
            message.Header.SessionID = bytes(8)
            message.Body.BodyElement = 7
            assert native.encode(message, code, False) is None

    def blocks() -> int:
        gc.collect()
        return sys.getallocatedblocks()

    def growth() -> int:
        before = blocks()
        for _ in range(ROUNDS):
            work()
        return blocks() - before

    # The interpreter's free lists fill up slowly, the more slowly the more ran before; a leak goes on for ever.
    assert min(growth() for _ in range(4)) < ROUNDS


def test_shared_objects_keep_their_reference_counts(documents: list[bytes]) -> None:
    """None, true, false, enumerations and classes are shared: counted wrongly, they die or live for ever."""
    native = exi.schema("din70121", "native")._native
    shared = [None, True, False, 0, 1, b"", "", din.V2G_Message, din.Body, din.ResponseCode.OK, din.UnitSymbol.V]

    def counts() -> list[int]:
        gc.collect()
        return [sys.getrefcount(item) for item in shared]

    def work() -> None:
        for data in documents:
            message, _, code, _ = native.decode(data, False, 0)
            native.encode(message, code, False)
            native.decode(data[:-2], False, 0)

    work()
    before = counts()
    for _ in range(ROUNDS):
        work()
    drift = [abs(after - first) for after, first in zip(counts(), before, strict=True)]
    assert max(drift) < ROUNDS, list(zip(shared, drift, strict=True))
