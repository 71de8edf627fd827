"""The engines of the codec, and what they make of bytes."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest

import exi
from exi.declare import Message
from exi.engine import EngineName

HAVE_NATIVE = importlib.util.find_spec("exi._native") is not None

Outcome = exi.Examined | tuple[str, int | None, str]
"""What a decoder makes of bytes: the message, or path, bit and reason of the error."""


@pytest.fixture(params=["python", "native"])
def engine(request: pytest.FixtureRequest) -> EngineName:
    """Every engine that there is."""
    if request.param == "native" and not HAVE_NATIVE:
        pytest.skip("the C engine was not built")
    return request.param


@pytest.fixture(scope="session")
def read() -> Callable[[str, bytes], Outcome]:
    """`read(schema, data)`: what both engines make of the bytes, having made the same of them."""
    return read_with_both


@pytest.fixture(scope="session")
def read_natively() -> Callable[[str, bytes], exi.Examined | None] | None:
    """`read_natively(schema, data)`: what the C engine alone reads, None for what it refuses. None if not built."""
    return natively if HAVE_NATIVE else None


@pytest.fixture(scope="session")
def write() -> Callable[[str, Message], bytes]:
    """`write(schema, message)`: the bytes that both engines give. Raises `EncodeError` where both refuse."""
    return write_with_both


def read_with_both(name: str, data: bytes) -> Outcome:
    """The C engine says yes or no, and the Python engine explains the no. So C is asked directly here: the explanation
    would hide that it refuses what the Python engine reads."""
    found: Outcome
    try:
        found = exi.schema(name, "python").examine(data)
    except exi.DecodeError as error:
        found = (error.path, error.bit, error.reason)
    if HAVE_NATIVE:
        native = natively(name, data)
        if isinstance(found, exi.Examined):
            assert native == found, f"{name}: {data.hex()}"
        else:
            assert native is None, f"{name}: {data.hex()}: read in C, refused in Python: {found}"
    return found


def write_with_both(name: str, message: Message) -> bytes:
    native = exi.schema(name, "native")._native.encode(message, False) if HAVE_NATIVE else None
    try:
        data = exi.schema(name, "python").encode(message)
    except exi.EncodeError:
        assert native is None, f"{name}: {message}: written in C, refused in Python"
        raise
    assert not HAVE_NATIVE or native == data, f"{name}: {message}"
    return data


def natively(name: str, data: bytes) -> exi.Examined | None:
    grammar = exi.schema(name, "native")._native
    for lenient in (False, True):
        if found := grammar.decode(data, False, lenient):
            message, bits = found
            return exi.Examined(message, len(data) - (bits + 7) // 8, lenient)
    return None
