"""The engines of the codec, and what they make of bytes."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

import exi
from agreement import HAVE_NATIVE, Outcome, natively, read_with_both, write_with_both
from exi.declare import Message
from exi.engine import EngineName


@pytest.fixture(params=["python", "native"])
def engine(request: pytest.FixtureRequest) -> EngineName:
    """Every engine that there is, or the one that OPENHLC_EXI forces."""
    if os.environ.get("OPENHLC_EXI", request.param) != request.param:
        pytest.skip("OPENHLC_EXI forces the other engine")
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
