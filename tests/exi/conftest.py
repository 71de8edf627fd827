"""The engines of the codec, and what they make of bytes."""

from __future__ import annotations

import importlib.util
import typing
from collections.abc import Callable
from typing import Any, Literal

import pytest

import exi
from exi.codec import FORMS
from exi.declare import AnyElement, Message
from exi.engine import EngineName
from exi.grammar import alternatives, unwrap

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


def read_with_both(name: str, data: bytes, fragment: bool = False) -> Outcome:
    """The C engine says yes or no, and the Python engine explains the no. So C is asked directly here: the explanation
    would hide that it refuses what the Python engine reads. That is right for what comes in the place of a wildcard
    alone."""
    found: Outcome
    schema = exi.schema(name, "python")
    try:
        found = schema.examine_fragment(data) if fragment else schema.examine(data)
    except exi.DecodeError as error:
        found = (error.path, error.bit, error.reason)
    if HAVE_NATIVE:
        native = natively(name, data, fragment)
        if native is False:
            return found
        if isinstance(found, exi.Examined):
            assert native == found, f"{name}: {data.hex()}"
        else:
            assert native is None, f"{name}: {data.hex()}: read in C, refused in Python: {found}"
    return found


def write_with_both(name: str, message: Any, fragment: bool = False) -> bytes:
    native = write_natively(name, message, fragment) if HAVE_NATIVE else None
    schema = exi.schema(name, "python")
    try:
        data = schema.encode_fragment(message) if fragment else schema.encode(message)
    except exi.EncodeError:
        assert native is None, f"{name}: {message}: written in C, refused in Python"
        raise
    assert not HAVE_NATIVE or native == data or (native is None and holds_wildcard(message)), f"{name}: {message}"
    return data


def natively(name: str, data: bytes, fragment: bool = False) -> exi.Examined | Literal[False] | None:
    """As `Schema.examine`, but by the C engine alone; None where it refuses, False where it leaves it to the other."""
    schema = exi.schema(name, "native")
    best = None
    for form in FORMS:
        found = schema._native.decode(data, fragment, form)
        if found is False:
            return False
        if found:
            value, bits, code, exact = found
            if exact or best is None:
                message = schema.grammar.named(code, value) if fragment else value
                best = exi.Examined(message, len(data) - (bits + 7) // 8, form != FORMS[0])
            if exact:
                break
    return best


def write_natively(name: str, message: Any, fragment: bool = False) -> bytes | None:
    schema = exi.schema(name, "native")
    code, value = schema.grammar.element(message) if fragment else (schema._documents[type(message)], message)
    data: bytes | None = schema._native.encode(value, code, fragment)
    return data


def holds_wildcard(item: Any) -> bool:
    """Whether a message holds anything in the place of a wildcard: what its list does not name."""
    if isinstance(item, exi.Element):
        return holds_wildcard(item.value)
    if isinstance(item, list):
        return any(holds_wildcard(inner) for inner in item)
    if not isinstance(item, Message):
        return False
    if isinstance(item, AnyElement):
        return True
    hints = typing.get_type_hints(type(item), include_extras=True)
    for name in item.__struct_fields__:
        value = getattr(item, name)
        if isinstance(value, list):
            branches = alternatives(typing.get_args(unwrap(hints[name])[0])[0])
            wild = any(issubclass(b, AnyElement) for b in branches)
            if wild and any(not isinstance(v, str) and type(v) not in branches for v in value):
                return True
        if holds_wildcard(value):
            return True
    return False
