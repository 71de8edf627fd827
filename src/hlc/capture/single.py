"""One payload on the command line: octets in, its plausible readings out, or every bit of one of them.

A HomePlug management message is given as an Ethernet frame.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal, NamedTuple

import msgspec

import exi
from hlc import ids, sdp, v2gtp
from hlc.capture import reading
from hlc.capture.headers import ETHERNET, HomePlug, parse
from hlc.capture.reading import Reading
from hlc.trace import homeplug
from hlc.trace.describe import clean, text
from hlc.trace.plain import plain, tree
from hlc.trace.record import record

SEPARATORS: Final = re.compile(r"0[xX]|\\x|[\s:,;_-]")
"""What may stand between the digits."""
HEX_DIGITS: Final = frozenset("0123456789abcdefABCDEF")
MARKS: Final = (b"\x80", b"\x01\xfe")
"""How EXI documents and V2GTP frames begin."""
MOST_BITS: Final = 18
"""Bits of a value that are shown one by one."""


Print = Callable[[str], None]


class Wanted(NamedTuple):
    """What is to be shown of a payload."""

    schema: str | None = None
    form: Literal["tree", "json", "xml"] = "tree"
    bits: bool = False
    """Every event code and value with its bits, instead of the message."""
    fragment: bool = False
    """The payload is an EXI fragment, as it is signed."""


class HexError(ValueError):
    """The text is no hexadecimal: one line with the position."""


def looks_like_hex(text: str) -> bool:
    """Whether a person who typed this meant octets: mostly hexadecimal digits, and several of them."""
    bare = SEPARATORS.sub("", text[:4096])
    digits = sum(character in HEX_DIGITS for character in bare)
    return len(bare) >= 2 and digits >= 0.8 * len(bare) and "/" not in bare and "." not in bare


def octets(text: str) -> bytes:
    """The octets that hexadecimal text means; white space, 0x and separators between digits are passed over."""
    digits: list[str] = []
    position = 0
    while position < len(text):
        separator = SEPARATORS.match(text, position)
        if separator is not None and not (separator[0] in ("0x", "0X") and len(digits) % 2):
            position = separator.end()
            continue
        character = text[position]
        if character not in HEX_DIGITS:
            raise HexError(f"not hexadecimal: {character!r} {place(text, position)}")
        digits.append(character)
        position += 1
    if not digits:
        raise HexError("no hexadecimal digits in it")
    if len(digits) % 2:
        raise HexError(f"{len(digits)} hexadecimal digits: an even number is needed, so one is missing or too many")
    return bytes.fromhex("".join(digits))


def place(text: str, position: int) -> str:
    """Where a character is, for a person."""
    line = text.count("\n", 0, position)
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return f"at character {column}" + (f" of line {line + 1}" if line else "")


def is_homeplug(data: bytes) -> bool:
    """Whether this is an Ethernet frame with a HomePlug message."""
    return isinstance(parse(ETHERNET, data), HomePlug)


def unwrapped(data: bytes) -> tuple[int | None, bytes, str]:
    """Payload type (None: not given), payload, and a remark on the V2GTP header, if there is one."""
    if data[:2] != b"\x01\xfe" or len(data) < v2gtp.HEADER.size:
        return None, data, ""
    _, _, kind, length = v2gtp.HEADER.unpack_from(data)
    payload = data[v2gtp.HEADER.size :]
    if len(payload) == length:
        return kind, payload, ""
    if len(payload) > length:
        return kind, payload[:length], f"{len(payload) - length} octets after the V2GTP frame were ignored"
    return kind, payload, f"the V2GTP header announces {length} octets, {len(payload)} are there"


def decode(data: bytes, wanted: Wanted, out: Print, complain: Print) -> int:
    """Print what is wanted of `data`. The exit code: 0 when it was read."""
    if wanted.schema is None and is_homeplug(data):
        return _homeplug(data, wanted, out, complain)
    kind, payload, remark = unwrapped(data)
    if remark:
        complain(remark)
    if kind is not None and 0x9000 <= kind <= 0x9005:
        return _discovery(kind, payload, wanted, out, complain)
    if wanted.schema is not None:
        return _by_schema(wanted.schema, payload, wanted, out, complain)
    names = reading.candidates(kind)
    if not names:
        complain(f"no schema that is built fits payload type 0x{kind:04X}; --schema NAME reads it all the same")
        return 1
    every = reading.readings(payload, names, fragment=wanted.fragment)
    found = reading.plausible(every) or every
    if not found:
        return _none(payload, names, wanted, out, complain)
    best = [entry for entry in found if entry.merit == found[0].merit]
    if wanted.form == "json" and not wanted.bits:
        for entry in found:
            out(_json(entry, wanted))
        return 0
    if wanted.form == "tree" and len(found) > 1:
        out(f"{len(found)} readings" + (", the best first:" if len(best) < len(found) else ", equally good:"))
        for line in _listed(found):
            out(line)
        if len(best) == 1:
            out("")
    if len(best) == 1:
        return _show(best[0], payload, wanted, out, complain)
    choose = f"{len(best)} schemas read it equally well: choose by --schema {' or '.join(e.schema for e in best)}"
    complain(choose)
    return 0 if wanted.form == "tree" and not wanted.bits else 1


def _by_schema(schema: str, payload: bytes, wanted: Wanted, out: Print, complain: Print) -> int:
    try:
        found = reading.read(schema, payload, fragment=wanted.fragment)
    except exi.DecodeError as error:
        if wanted.bits:
            show_bits(schema, payload, wanted, out)
        what = "fragment" if wanted.fragment else "message"
        complain(f"no {reading.TITLES.get(schema, schema)} {what}: {error}")
        return 1
    return _show(reading.weighed(found, payload, fragment=wanted.fragment), payload, wanted, out, complain)


def _none(payload: bytes, names: list[str], wanted: Wanted, out: Print, complain: Print) -> int:
    """No schema reads it: tell of the one that comes furthest."""
    failures: list[tuple[int, str, exi.DecodeError]] = []
    for name in names:
        try:
            reading.read(name, payload, fragment=wanted.fragment)
        except exi.DecodeError as error:
            failures.append((error.bit or 0, name, error))
    _, name, furthest = max(failures, key=lambda failure: failure[0])
    if wanted.bits:
        show_bits(name, payload, wanted, out)
    comes = f"{name} comes furthest: {furthest}" if furthest.bit else furthest.reason
    complain(f"no schema that is built fits; {comes}")
    return 1


def _listed(found: list[Reading]) -> Iterator[str]:
    """A line for each reading."""
    for entry in found:
        number = ids.message_id(entry.schema, entry.name)
        told = f"{entry.schema:<18} {number if number is not None else '-':>4} {entry.name:<34} {_weight(entry)}"
        yield f"  {told}"


def _weight(entry: Reading) -> str:
    """How plausible a reading is, in words."""
    parts = ["exact" if entry.exact else "its message encodes to other octets"]
    if entry.surplus:
        parts.append(f"{entry.surplus} surplus octet{'s' if entry.surplus > 1 else ''}")
    if entry.lenient:
        parts.append("a list ends in the form of some peers")
    return ", ".join(parts)


def _show(entry: Reading, payload: bytes, wanted: Wanted, out: Print, complain: Print) -> int:
    """The one reading that is meant."""
    if wanted.bits:
        show_bits(entry.schema, payload, wanted, out)
    elif wanted.form == "json":
        out(_json(entry, wanted))
        return 0
    elif wanted.form == "xml":
        try:
            out(exi.schema(entry.schema).to_xml(entry.message))
        except exi.EncodeError as error:
            complain(f"{entry.name} cannot be written as XML: {error}")
            return 1
    else:
        show_tree(entry.schema, entry.name, entry.message, out)
    if entry.surplus:
        complain(f"{entry.surplus} surplus octets after the message were ignored")
    if entry.lenient:
        complain("a list of full length ends in the form of some peers, not as EXI says")
    return 0


def _json(entry: Reading, wanted: Wanted) -> str:
    number = ids.message_id(entry.schema, entry.name)
    told = record(entry.schema, entry.name, number, entry.message, fragment=wanted.fragment)
    weight = {"exact": entry.exact, "surplus": entry.surplus, "lenient": entry.lenient}
    return msgspec.json.encode(told | weight).decode()


def show_tree(schema: str, name: str, message: Any, out: Print) -> None:
    """A message as a tree, its name and documented number on top."""
    number = ids.message_id(schema, name)
    out(f"{schema}: {number if number is not None else '-'} {name}")
    if isinstance(message, exi.Element):
        message = message.value
    top = type(message).__name__ if isinstance(message, msgspec.Struct) else name
    for line in tree(top, message, 1):
        out(line)


def show_bits(schema: str, payload: bytes, wanted: Wanted, out: Print) -> None:
    """Every piece of a payload with its bits, as lines or as JSON; and where it ends in an error, the error."""
    traced = exi.schema(schema).trace(payload, fragment=wanted.fragment)
    bits = "".join(f"{octet:08b}" for octet in payload)
    if wanted.form == "json":
        for piece in traced.records:
            entry = {"bit": piece.bit, "end": piece.end, "bits": bits[piece.bit : piece.end], "event": piece.event}
            if piece.code is not None:
                entry["code"] = piece.code
            entry["path"] = ".".join(piece.path)
            if piece.event == "value":
                entry["value"] = plain(piece.value)
            out(msgspec.json.encode({"schema": schema} | entry).decode())
        if traced.error is not None:
            error = {"bit": traced.error.bit, "event": "error", "path": traced.error.path}
            out(msgspec.json.encode({"schema": schema} | error | {"reason": traced.error.reason}).decode())
        return
    out(f"{schema}: {len(payload)} octet{'s' * (len(payload) != 1)}")
    out(f"{'bits':>13}  {'':{MOST_BITS + 2}} {'code':>7}  event")
    for piece in traced.records:
        out(_line(piece, bits))
    if traced.error is not None:
        bit = traced.error.bit or 0
        rest = _shortened(bits[bit:])
        out(clean(f"{f'{bit}-':>13}  {rest:{MOST_BITS + 2}} {'':>7}  error {traced.error}"))


def _line(piece: exi.Read, bits: str) -> str:
    """A piece: its bits from and to, the bits, the event code in so many bits, the event, and the element or value."""
    place = f"{piece.bit}-{piece.end - 1}" if piece.end - piece.bit > 1 else f"{piece.bit}"
    code = f"{piece.code}/{piece.end - piece.bit}" if piece.code is not None else ""
    indent = "  " * max(0, len(piece.path) - 1)
    name = "" if piece.event == "CH" or not piece.path else piece.path[-1]
    what = text(piece.value) if piece.event == "value" else name
    event = "" if piece.event == "value" else piece.event
    shown = _shortened(bits[piece.bit : piece.end])
    return clean(f"{place:>13}  {shown:{MOST_BITS + 2}} {code:>7}  {event:<5} {indent}{what}".rstrip())


def _shortened(bits: str) -> str:
    return bits if len(bits) <= MOST_BITS else bits[: MOST_BITS - 2] + ".."


def _homeplug(data: bytes, wanted: Wanted, out: Print, complain: Print) -> int:
    from hlc.trace.matching import mme_event

    if wanted.bits:
        complain("HomePlug messages are no EXI: --bits has nothing to show")
        return 2
    found = parse(ETHERNET, data)
    assert isinstance(found, HomePlug)
    event = mme_event(found.frame, 0.0)
    if wanted.form == "json":
        out(msgspec.json.encode(homeplug.record(event)).decode())
    else:
        if wanted.form == "xml":
            complain("HomePlug messages have no XML form; shown as a tree")
        for line in homeplug.tree(event):
            out(line)
    if event.message is None:
        complain(event.fault)
        return 1
    return 0


def _discovery(kind: int, payload: bytes, wanted: Wanted, out: Print, complain: Print) -> int:
    if wanted.bits:
        complain("SDP messages are no EXI: --bits has nothing to show")
        return 2
    try:
        message = sdp.parse(kind, payload)
    except sdp.SdpError as error:
        complain(str(error))
        return 1
    if wanted.form == "json":
        number = ids.message_id("sdp", message.name)
        out(msgspec.json.encode(record("sdp", message.name, number, message)).decode())
        return 0
    if wanted.form == "xml":
        complain("SDP messages have no XML form; shown as a tree")
    show_tree("sdp", message.name, message, out)
    return 0
