"""What both engines make of the same input: the same, and the C engine does so by itself.

The C engine says yes or no, and where it says no the Python engine reads the input again and explains. That would hide
that C refuses what Python reads, so C is asked directly here. It may leave to Python only what comes in the place of a
wildcard.
"""

from __future__ import annotations

import importlib.util
import typing
from collections.abc import Iterator
from copy import copy
from enum import Enum, IntEnum
from typing import Any, Literal

import exi
from exi.codec import FORMS, Decoder, Encoder
from exi.compiler import alternatives, unwrap
from exi.declare import AnyElement, Message

HAVE_NATIVE = importlib.util.find_spec("exi._native") is not None

Outcome = exi.Examined | tuple[str, int | None, str]
"""What a decoder makes of bytes: the message, or path, bit and reason of the error."""


def read_with_both(name: str, data: bytes, fragment: bool = False) -> Outcome:
    """What both engines make of a document or a fragment. Raises `AssertionError` where they disagree."""
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
    """The bytes that both engines give. Raises `EncodeError` where both refuse."""
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
    """The bytes by the C engine alone; None where it refuses."""
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


# For the fuzzer


def compare(name: str, data: bytes, fragment: bool, form: int) -> None:
    """Hold the engines against each other: each reads, writes, reads and writes the input, and then is to write what
    nobody may write, spoiled as the octets after the message say. Raises where they disagree."""
    if form == FORMS[0]:
        read_with_both(name, data, fragment)
    found = read(name, data, fragment, form)
    if found is None:
        return
    message, bit = found
    try:
        written = write_with_both(name, message, fragment)
    except exi.EncodeError as error:
        if short_of_room(error):
            return
        raise
    again = read(name, written, fragment, FORMS[0])
    assert again is not None, f"{message}: what was written is not read"
    assert again[0] == message, f"{message}: what was written is another message"
    assert (again[1] + 7) // 8 == len(written), f"{message}: octets behind what was written"
    assert write_with_both(name, again[0], fragment) == written, f"{message}: other bytes"
    for holder, field, value in spoil(message, data[(bit + 7) // 8 :]):
        before = getattr(holder, field)
        setattr(holder, field, value)
        try:
            spoiled = write_with_both(name, message, fragment)
        except exi.EncodeError:
            pass
        else:
            assert read(name, spoiled, fragment, FORMS[0]) is not None, f"{message}: written, but not read"
        setattr(holder, field, before)


def read(name: str, data: bytes, fragment: bool, form: int) -> tuple[Any, int] | None:
    """The message and the bit after it, read in one of the forms by both engines; None where both refuse."""
    schema = exi.schema(name, "native" if HAVE_NATIVE else "python")
    native = schema._native.decode(data, fragment, form) if HAVE_NATIVE else False
    decoder = Decoder(schema.grammar, data, lenient=form)
    failure = None
    try:
        code, value = decoder.root(fragment=fragment)
    except exi.DecodeError as error:
        failure = error
    if failure is not None:
        assert failure.reason, f"{failure!r}"
        assert failure.bit is not None, f"{failure!r}"
        assert 0 <= failure.bit <= 8 * len(data), f"{failure!r}"
        assert not native, f"read in C, refused in Python: {failure}"
        return None
    message = schema.grammar.named(code, value) if fragment else value
    if native is not False:
        found = value, decoder.reader.bit, code, decoder.reader.finished
        assert native == found, f"in C {native}, in Python {found}"
    elif HAVE_NATIVE:
        assert holds_wildcard(message), f"{message}: left to Python without need"
    return message, decoder.reader.bit


def excuse(name: str, found: tuple[Any, int, int, bool], fragment: bool) -> bool:
    """Whether the Python engine refuses to write what C has read, and refuses it for want of room."""
    value, _, code, _ = found
    try:
        Encoder(exi.schema(name).grammar).root(code, value, fragment=fragment)
    except exi.EncodeError as error:
        if short_of_room(error):
            return True
        raise
    return False


def short_of_room(error: exi.EncodeError) -> bool:
    """A message may take more room than its document gives it where the input was longer than that: by octets behind
    the message, or by numbers with leading zeros."""
    return "times the memory" in error.reason


class Alien(IntEnum):
    """Not an enumeration of any schema."""

    ONE = 1


class Text(str):
    """Not quite text."""


ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 7, 255, 256, 4096, 3.5, Alien.ONE, object()),
    *(sign * 2**power - carry for sign in (1, -1) for power in (7, 8, 15, 16, 31, 32, 63, 64) for carry in (0, 1)),
    *(2**160, -(2**160), 2**4095 - 1, 2**4095, -(2**4095), -(2**4095) - 1),
    *("", "x", "é€😀", "\ud800", "x" * 70, "x" * 5000, Text("x")),
    *(b"", b"x", bytes(9), bytes(70), bytes(5000), bytearray(b"x")),
    *([], [None], [1], ["x"], [b"x"], [[]], ()),
]
"""Values that stand in the wrong place almost anywhere."""

SPOILED = 4
"""Spoilings of one message at most."""


def spoil(message: Any, recipe: bytes) -> Iterator[tuple[Message, str, Any]]:
    """Fields of a message and its parts, and values for them: odd ones, and items left out or repeated."""
    parts = list(messages(message))
    fields = [(part, field) for part in parts for field in part.__struct_fields__]
    for at in range(0, min(len(recipe) - 2, 3 * SPOILED), 3):
        place, what = int.from_bytes(recipe[at : at + 2], "big"), recipe[at + 2]
        if not fields:
            return
        holder, field = fields[place % len(fields)]
        value = getattr(holder, field)
        others = [copy(parts[-1])]  # the last part has no parts
        if isinstance(value, Enum):
            others += [*type(value), value.value]
        if isinstance(value, list):
            others += [value[1:], value[:-1], value + value[:1], value * 2, value[::-1], [*value, None], tuple(value)]
        choices = [*others, *ODD]
        yield holder, field, choices[what % len(choices)]


def messages(item: Any) -> Iterator[Message]:
    """A message and the messages in it."""
    if isinstance(item, exi.Element):
        yield from messages(item.value)
    elif isinstance(item, Message):
        yield item
        for field in item.__struct_fields__:
            yield from messages(getattr(item, field))
    elif isinstance(item, list):
        for each in item:
            yield from messages(each)
