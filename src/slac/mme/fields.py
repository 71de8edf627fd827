"""The words in which the layouts of MMEs are declared: construct's, with a default for every field.

Integers are little endian. What is left out when a message is built is zero, or the constant that the declaration
gives. Octet strings (run ids, NID, NMK, nonces, station ids) and MAC addresses are `bytes`, never swapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from construct import (
    Adapter,
    Array,
    Bytes,
    Construct,
    Default,
    GreedyBytes,
    If,
    Int8ul,
    Int16ul,
    Int32ul,
    Int64sl,
    Int64ul,
    Struct,
)

U8: Final = Default(Int8ul, 0)
U16: Final = Default(Int16ul, 0)
U32: Final = Default(Int32ul, 0)
U64: Final = Default(Int64ul, 0)
I64: Final = Default(Int64sl, 0)
MAC: Final = Default(Bytes(6), bytes(6))
NID: Final = Default(Bytes(7), bytes(7))
"""54 bits."""
KEY: Final = Default(Bytes(16), bytes(16))
"""NMK or DAK."""
NONCE: Final = Default(Bytes(4), bytes(4))
BROADCAST: Final = bytes.fromhex("FFFFFFFFFFFF")
EMPTY: Final = Struct()
"""A message that is its header alone."""


def octets(length: int) -> Any:
    """An octet string of fixed length."""
    return Default(Bytes(length), bytes(length))


def octets_of(length: str) -> Any:
    """An octet string as long as the field `length` says."""
    return Default(Bytes(lambda this: this[length]), b"")


def count(of: str, kind: Any = Int8ul) -> Any:
    """How many entries or octets follow under the name `of`. Left out, it is counted."""
    return Default(kind, lambda this: len(this.get(of) or ()))


def several(length: str, kind: Any) -> Any:
    """A list, as long as the field `length` says."""
    return Default(Array(lambda this: this[length], kind), ())


def entries(length: str, *fields: Any) -> Any:
    """A list of mappings, as long as the field `length` says."""
    return several(length, Struct(*fields))


class _Numbers(Adapter):  # type: ignore[misc]  # construct has no types
    def _decode(self, obj: bytes, context: Any, path: str) -> list[int]:
        return list(obj)

    def _encode(self, obj: Iterable[int], context: Any, path: str) -> bytes:
        return bytes(obj)


def numbers(length: str) -> Any:
    """A list of numbers of one octet, as long as the field `length` says. `several` is much slower."""
    return Default(_Numbers(Bytes(lambda this: this[length])), ())


def optional(name: str, kind: Any, behind: int = 0) -> Any:
    """A field of the longer form of a message: there where `behind` more octets follow it.

    When a message is built it is written where a value is given.
    """

    def present(this: Any) -> bool:
        if not this._parsing:
            return this.get(name) is not None
        left = this._io.getbuffer().nbytes - this._io.tell()
        return bool(left >= kind.sizeof() + behind)

    return name / If(present, kind)


class _Rest(Construct):  # type: ignore[misc]  # construct has no types
    """An octet string of a length up to a limit: what there is."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def _parse(self, stream: Any, context: Any, path: str) -> bytes:
        return bytes(stream.read(self.limit))

    def _build(self, obj: bytes, stream: Any, context: Any, path: str) -> bytes:
        if len(obj) > self.limit:
            raise ValueError(f"{len(obj)} octets, at most {self.limit} fit")
        stream.write(obj)
        return obj


def rest(limit: int) -> Any:
    """An octet string of at most `limit` octets that ends with the frame at the latest."""
    return Default(_Rest(limit), b"")


class Filled(str):
    """Text of a field, and what stands in the field behind it where that is not zeros alone."""

    filler: bytes

    def __new__(cls, text: str, filler: bytes) -> Filled:
        self = super().__new__(cls, text)
        self.filler = filler
        return self


class _Text(Adapter):  # type: ignore[misc]  # construct has no types
    def __init__(self, subcon: Any, size: int) -> None:
        super().__init__(subcon)
        self.size = size

    def _decode(self, obj: bytes, context: Any, path: str) -> str:
        data = obj.split(b"\0", 1)[0]
        text = data.decode("latin-1")
        return text if obj == data.ljust(self.size, b"\0") else Filled(text, obj[len(data) :])

    def _encode(self, obj: str, context: Any, path: str) -> bytes:
        data = obj.encode("latin-1")
        return data + obj.filler if isinstance(obj, Filled) else data.ljust(self.size, b"\0")


def text(size: int) -> Any:
    """Text that ends with a NUL or with its field of `size` octets (or, at the end of a frame, what there is of it)."""
    return Default(_Text(_Rest(size), size), "")


REMAINING_TEXT: Final = Default(_Text(GreedyBytes, 0), "")
"""Text to the end of the frame, or to a NUL."""


class Format(NamedTuple):
    """How one MME looks after the header (and the OUI)."""

    name: str
    mmtype: int
    layout: Any = None
    """A `Struct`; None where only the number is known."""
    oui: bytes | None = None
    """Vendor, in messages that carry one."""
    mmv: int = 1
    """The management message version in which it is sent."""
    versions: range = range(256)
    """The versions for which the layout holds."""


VARIANTS: Final = ("REQ", "CNF", "IND", "RSP")
"""The two low bits of an MMTYPE."""


def message(
    name: str, number: int, *, oui: bytes | None = None, mmv: int = 1, versions: range = range(256), **layouts: Any
) -> list[Format]:
    """The formats of a message's variants REQ, CNF, IND, RSP. `number` is the MMTYPE of the first one given."""
    return [
        Format(f"{name}.{variant}", number & ~3 | VARIANTS.index(variant), layout, oui, mmv, versions)
        for variant, layout in layouts.items()
    ]


def of_vendor(oui: bytes, mmv: int) -> Callable[..., list[Format]]:
    """`message` for a vendor's messages, sent in this management message version."""

    def vendor_message(name: str, number: int, **rest: Any) -> list[Format]:
        return message(name, number, **{"oui": oui, "mmv": mmv, **rest})

    return vendor_message
