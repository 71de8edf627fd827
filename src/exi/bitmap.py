"""What stands where in an EXI document: every event code and value with its bits, also where decoding fails.

For the developer of a codec, who wants to see where two streams part. The records come from the Python engine as it
reads; nothing is read a second time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from exi.codec import FORMS, HEADER, Decoder
from exi.errors import DecodeError
from exi.grammar import Grammar


class Read(NamedTuple):
    """A piece of a document: an event code, a value, or what is around them."""

    bit: int
    """Where it begins, counted from the first bit of the document."""
    end: int
    """The bit after it."""
    event: str
    """Of an event code: SE, AT, CH, EE or ED. Else "value", "header", "padding" (to a whole octet), "surplus" (octets
    after it), or "wildcard" (what came in the place of one, as far as the schema does not know it)."""
    path: tuple[str, ...]
    """The element, from the root; of an attribute or its value, the attribute."""
    code: int | None = None
    """The event code. None for an EE of the second level, which stands for the empty value."""
    value: Any = None


class Traced(NamedTuple):
    """A document piece by piece."""

    records: list[Read]
    """Everything that was read, in order and without gaps."""
    message: Any
    """The message; None where decoding failed."""
    error: DecodeError | None
    lenient: bool
    """Whether a list of full length ended with the two-bit code that some peers write."""
    exact: bool
    """Whether nothing was left of the input."""


def trace(grammar: Grammar, data: bytes, *, fragment: bool) -> Traced:
    """Decode as `Schema.examine` does: in the form that fits best, by the specification where none does."""
    found = [_trace(grammar, data, fragment, form) for form in FORMS]
    read = [traced for traced in found if traced.error is None]
    exact = [traced for traced in read if traced.exact]
    return (exact or read or found)[0]


def _trace(grammar: Grammar, data: bytes, fragment: bool, form: int) -> Traced:
    decoder = Decoder(grammar, data, lenient=form)
    reader = decoder.reader
    records: list[Read] = []

    def note(event: str, name: str, code: int | None, value: Any) -> None:
        untold(decoder.start)
        path = (*decoder.path, name) if event in ("SE", "AT") else tuple(decoder.path)
        records.append(Read(decoder.start, reader.bit, event, path, code, value))

    def untold(bit: int) -> None:
        """What was read since the last record without being told of."""
        last = records[-1].end if records else 0
        if last < bit:
            records.append(Read(last, bit, "wildcard", tuple(decoder.path)))

    if data[:1] == bytes([HEADER]):
        records.append(Read(0, 8, "header", ()))
    decoder.note = note
    try:
        code, value = decoder.root(fragment=fragment)
    except DecodeError as error:
        untold(decoder.start)
        return Traced(records, None, error, form != FORMS[0], False)
    untold(reader.bit)
    whole = -(-reader.bit // 8) * 8
    if reader.bit < whole:
        records.append(Read(reader.bit, whole, "padding", ()))
    if whole < reader.size:
        records.append(Read(whole, reader.size, "surplus", ()))
    message = grammar.named(code, value) if fragment else value
    return Traced(records, message, None, form != FORMS[0], reader.finished)
