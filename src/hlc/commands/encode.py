"""`hlc encode`: messages in XML or JSON to EXI in hexadecimal, one line each: the way back of `hlc decode`.

Exit code 0 when all were encoded, 1 when one is forbidden by its schema or cannot be read, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import exi
from exi.declare import HOME
from hlc.capture import reading
from hlc.runtime.errors import SetupError, WrongUsage
from hlc.trace.describe import clean
from hlc.trace.record import from_record

EXAMPLES: Final = """\
examples:
  hlc encode message.xml                                 EXI in hexadecimal; the root tells the schema
  hlc encode message.json                                the JSON that hlc decode --json prints
  hlc decode 809a0211... --json | hlc encode -           there and back again
  hlc decode session.pcapng --json | grep CurrentDemandReq | hlc encode -    a line for each message
  hlc encode signed_info.xml --schema xmldsig --fragment    as it is signed"""

MOST: Final = 1 << 24
"""Octets of input that are read."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hlc encode`."""
    parser.epilog = EXAMPLES
    parser.add_argument("input", metavar="FILE|-", help="a file with a message in XML or JSON, or - for standard input")
    parser.add_argument("--schema", metavar="NAME", help="the schema, where the message does not tell it")
    parser.add_argument("--fragment", action="store_true", help="encode as an EXI fragment, as it is signed")


def run(options: Any) -> int:
    """Encode; the exit code. Raises `SetupError`."""
    if options.schema is not None and not reading.built(options.schema):
        raise WrongUsage(reading.unknown(options.schema))
    for place, text in messages(options.input):
        try:
            data = encoded(text, options.schema, fragment=options.fragment)
        except exi.ExiError as error:
            raise SetupError(clean(f"{place}: {error}")) from None
        except Unclear as error:
            raise WrongUsage(clean(f"{place}: {error}")) from None
        print(data.hex())
    return 0


class Unclear(Exception):  # noqa: N818 - it names what the input is
    """The schema or the form of a message is not known."""


def messages(name: str) -> Iterator[tuple[str, str]]:
    """Place and text of each message in the input: the whole of it, or each line where JSON goes on for several."""
    name, octets = ("standard input", sys.stdin.buffer.read(MOST + 1)) if name == "-" else (name, contents(name))
    if len(octets) > MOST:
        raise WrongUsage(f"{name}: longer than any messages to encode")
    try:
        text = octets.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise WrongUsage(f"{name}: no text in UTF-8; hlc encode takes XML or JSON, hlc decode takes EXI") from None
    if not text.startswith(("<", "{")):
        what = "is empty" if not text else f"begins with {text[:12]!r}"
        raise WrongUsage(f"{name} {what}: a message in XML begins with <, one in JSON with {{")
    lines = text.splitlines()
    if text.startswith("{") and len(lines) > 1 and all(line.startswith("{") for line in lines if line.strip()):
        yield from ((f"{name}, line {n}", line) for n, line in enumerate(lines, start=1) if line.strip())
    else:
        yield name, text


def contents(name: str) -> bytes:
    try:
        with Path(name).open("rb") as stream:
            return stream.read(MOST + 1)
    except (OSError, ValueError) as error:
        raise WrongUsage(f"{name}: {getattr(error, 'strerror', None) or error}") from None


def encoded(text: str, schema: str | None, *, fragment: bool) -> bytes:
    """The EXI of one message. Raises `exi.ExiError` for what the schema forbids, `Unclear` where it is not known."""
    if text.startswith("<"):
        codec = exi.schema(schema or schema_of_xml(text))
        message: Any = codec.from_xml(text)
    else:
        entry = parsed(text)
        fragment = entry["fragment"] = fragment or entry.get("fragment") is True
        codec = exi.schema(schema or schema_of_record(entry))
        message = from_record(codec, entry)
    return codec.encode_fragment(message) if fragment else codec.encode(message)


def parsed(text: str) -> dict[str, Any]:
    try:
        entry = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise exi.DecodeError("", f"no well-formed JSON: {error}") from None
    if not isinstance(entry, dict):
        raise exi.DecodeError("", "a message in JSON is an object")
    return entry


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names come once each."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name} comes twice in one object")
        found[name] = value
    return found


def schema_of_record(entry: dict[str, Any]) -> str:
    name = entry.get("schema")
    if name is None:
        raise Unclear(f"it has no field schema: add --schema NAME, one of {', '.join(exi.schema_names())}")
    if not isinstance(name, str) or not reading.built(name):
        raise Unclear(reading.unknown(str(name)))
    return name


def schema_of_xml(text: str) -> str:
    """The schema of which the root is a message."""
    try:
        tag = ElementTree.fromstring(text).tag
    except (ElementTree.ParseError, ValueError) as error:
        raise exi.DecodeError("", f"no well-formed XML: {error}") from None
    for name in exi.schema_names():
        for cls in exi.schema(name).roots:
            if f"{{{HOME[cls].uri}}}{cls.__name__}" == tag:
                return name
    raise Unclear(f"{tag} is the root of no message: add --schema NAME, one of {', '.join(exi.schema_names())}")
