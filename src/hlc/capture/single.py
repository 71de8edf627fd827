"""One payload on the command line: hexadecimal text in, every plausible reading of it out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

import exi
from hlc import ids, sdp, v2gtp
from hlc.capture import reading
from hlc.trace.plain import plain, tree

SEPARATORS: Final = re.compile(r"0[xX]|\\x|[\s:,;_-]")
"""What may stand between the digits."""
HEX_DIGITS: Final = frozenset("0123456789abcdefABCDEF")


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


def decode(
    data: bytes,
    schema: str | None,
    form: str,
    out: Callable[[str], None],
    complain: Callable[[str], None],
) -> int:
    """Print the readings of `data` as a "tree", as "json" or as "xml". The exit code: 0 when it was read."""
    kind, payload, remark = unwrapped(data)
    if remark:
        complain(remark)
    if kind is not None and 0x9000 <= kind <= 0x9005:
        return _discovery(kind, payload, form, out, complain)
    if schema is not None:
        try:
            found = [reading.read(schema, payload)]
        except exi.DecodeError as error:
            complain(f"no {reading.TITLES.get(schema, schema)} message: {error}")
            return 1
    else:
        names = reading.candidates(kind)
        if not names:
            complain(f"no schema that is built fits payload type 0x{kind:04X}")
            return 1
        found = reading.plausible(reading.readings(payload, names)) or reading.readings(payload, names)
        if not found:
            complain(f"no schema that is built fits ({'; '.join(_why(name, payload) for name in names)})")
            return 1
    if form != "json" and len(found) > 1:
        complain(f"{len(found)} readings; choose one by --schema {' or '.join(reading.schema for reading in found)}")
    for entry in found:
        try:
            _show(entry.schema, entry.name, entry.message, form, out)
        except exi.EncodeError as error:
            complain(f"{entry.name} cannot be written as XML: {error}")
            return 1
        if entry.surplus:
            complain(f"{entry.surplus} surplus octets after the message were ignored")
        if entry.lenient:
            complain("a list of full length ends in the form of some peers, not as EXI says")
    return 0


def _why(schema: str, payload: bytes) -> str:
    try:
        reading.read(schema, payload)
    except exi.DecodeError as error:
        return f"{schema}: {error}"
    return schema


def _discovery(
    kind: int, payload: bytes, form: str, out: Callable[[str], None], complain: Callable[[str], None]
) -> int:
    try:
        message = sdp.parse(kind, payload)
    except sdp.SdpError as error:
        complain(str(error))
        return 1
    if form == "xml":
        complain("SDP messages have no XML form; shown as a tree")
        form = "tree"
    _show("sdp", message.name, message, form, out)
    return 0


def _show(schema: str, name: str, message: Any, form: str, out: Callable[[str], None]) -> None:
    number = ids.message_id(schema, name)
    if form == "json":
        entry = {"schema": schema, "name": name, "id": number, "message": plain(message)}
        out(msgspec.json.encode(entry).decode())
    elif form == "xml":
        out(exi.schema(schema).to_xml(message))
    else:
        out(f"{schema}: {number if number is not None else '-'} {name}")
        for line in tree(type(message).__name__, message, 1):
            out(line)
