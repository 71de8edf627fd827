"""The words in which the layouts of MMEs are declared: construct's, with a default for every field.

Integers are little endian. What is left out when a message is built is zero, or the constant that the table of the
reference gives. Octet strings (run ids, NID, NMK, nonces, station ids) and MAC addresses are `bytes`, never swapped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from construct import Adapter, Array, Bytes, Default, Int8ul, Int16ul, Int32ul, Int64sl, Int64ul, Struct

U8: Final = Default(Int8ul, 0)
U16: Final = Default(Int16ul, 0)
U32: Final = Default(Int32ul, 0)
U64: Final = Default(Int64ul, 0)
I64: Final = Default(Int64sl, 0)
MAC: Final = Default(Bytes(6), bytes(6))
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
    """The number of entries of the list or octet string that follows under the name `of`."""
    return Default(kind, lambda this: len(this.get(of) or ()))


class _Numbers(Adapter):  # type: ignore[misc]  # construct has no types
    """A list of numbers of one octet each."""

    def _decode(self, obj: bytes, context: Any, path: str) -> list[int]:
        return list(obj)

    def _encode(self, obj: Iterable[int], context: Any, path: str) -> bytes:
        return bytes(obj)


def numbers(length: str) -> Any:
    """A list of numbers of one octet, as many as the field `length` says."""
    return Default(_Numbers(Bytes(lambda this: this[length])), ())


def entries(length: str, *fields: Any) -> Any:
    """A list of mappings, as many as the field `length` says."""
    return Default(Array(lambda this: this[length], Struct(*fields)), ())


class _Text(Adapter):  # type: ignore[misc]  # construct has no types
    """Text filled up with NUL. What stands behind a NUL within the text stays in it: nothing is lost."""

    def _decode(self, obj: bytes, context: Any, path: str) -> str:
        return obj.decode("latin-1").rstrip("\0")

    def _encode(self, obj: str, context: Any, path: str) -> bytes:
        data = obj.encode("latin-1")
        return data.ljust(self.subcon.length, b"\0") if isinstance(self.subcon, Bytes) else data


def text(length: int) -> Any:
    """Text in a field of fixed length."""
    return Default(_Text(Bytes(length)), "")


class Format(NamedTuple):
    """How one MME looks after the header (and the OUI)."""

    name: str
    mmtype: int
    layout: Any = None
    """A `Struct`; None where only the number is known."""
    oui: bytes | None = None
    """Vendor, for messages that carry one."""
    mmv: int = 1
    """The management message version in which it is sent."""
    versions: range = range(256)
    """The versions for which the layout holds."""


VARIANTS: Final = ("REQ", "CNF", "IND", "RSP")
"""The two low bits of an MMTYPE."""


def message(
    name: str, number: int, *, oui: bytes | None = None, mmv: int = 1, versions: range = range(256), **layouts: Any
) -> list[Format]:
    """The formats of a message's variants, from the MMTYPE of its REQ."""
    return [
        Format(f"{name}.{variant}", number | VARIANTS.index(variant), layout, oui, mmv, versions)
        for variant, layout in layouts.items()
    ]
