"""The corpus of the fuzzer as text, one file a schema, and as the files that libFuzzer wants.

A line holds the kind, where lists of full length end in the form of some peers the number of that form, and the input,
hexadecimal:

    document 8098...
    fragment 16 8014...

`fixed.txt` holds what once was a finding; its lines begin with the schema, and a comment names the defect.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import exi
from exi.codec import FORMS
from grow import grow

CORPUS = Path(__file__).parent / "corpus"
FIXED = "fixed"
VECTORS = Path(__file__).parent.parent / "vectors"

FRAGMENT, FORM_SHIFT, SCHEMA_SHIFT = 1, 1, 3
"""The first octet of an input, as target.c reads it: a flag, and the indexes of the form and the schema."""


class Input(NamedTuple):
    schema: str
    fragment: bool
    form: int
    """One of `exi.codec.FORMS`."""
    data: bytes

    def line(self) -> str:
        kind = "fragment" if self.fragment else "document"
        return " ".join([kind, *[str(self.form)] * bool(self.form), self.data.hex() or "-"])

    def pack(self) -> bytes:
        """The input as the target reads it."""
        schema, form = exi.schema_names().index(self.schema), FORMS.index(self.form)
        return bytes([schema << SCHEMA_SHIFT | form << FORM_SHIFT | FRAGMENT * self.fragment]) + self.data


def parse(schema: str, line: str) -> Input:
    kind, *form, octets = line.split()
    return Input(schema, kind == "fragment", int("".join(form) or 0), bytes.fromhex(octets.strip("-")))


def unpack(data: bytes) -> Input:
    """An input of the target, in words."""
    names = exi.schema_names()
    schema, form = data[0] >> SCHEMA_SHIFT, data[0] >> FORM_SHIFT & 3
    return Input(names[schema % len(names)], bool(data[0] & FRAGMENT), FORMS[form % len(FORMS)], data[1:])


def load(schema: str) -> list[Input]:
    """The corpus of a schema."""
    path = CORPUS / f"{schema}.txt"
    return [parse(schema, line) for line in lines(path)] if path.exists() else []


def fixed() -> list[Input]:
    """What once was a finding."""
    return [parse(*line.split(maxsplit=1)) for line in lines(CORPUS / f"{FIXED}.txt")]


def everything() -> list[Input]:
    return [*(found for schema in exi.schema_names() for found in load(schema)), *fixed()]


def vectors() -> list[Input]:
    """The synthetic vectors and the other forms that peers write, as far as their schemas are built."""
    found = []
    for path in sorted(VECTORS.glob("*.jsonl")):
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            if row["schema"] in exi.schema_names():
                fragment = row["kind"] == "fragment"
                found.append(Input(row["schema"], fragment, FORMS[0], bytes.fromhex(row["exi"])))
                for other in row.get("alt", []):
                    found += [Input(row["schema"], fragment, form, bytes.fromhex(other["exi"])) for form in FORMS]
    return found


def grown() -> list[Input]:
    """What grows from the grammars."""
    return [Input(name, fragment, FORMS[0], data) for name in exi.schema_names() for fragment, data in grow(name)]


def lines(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line


def spread(inputs: Iterable[Input], folder: Path) -> None:
    """Write inputs as files."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in inputs:
        data = each.pack()
        path = folder / hashlib.sha1(data).hexdigest()
        if not path.exists():
            path.write_bytes(data)


def keep(folder: Path, most: int) -> None:
    """Make the files of a folder, up to a size, the corpus."""
    found = [unpack(path.read_bytes()) for path in folder.iterdir() if 1 <= path.stat().st_size <= most]
    CORPUS.mkdir(exist_ok=True)
    for schema in exi.schema_names():
        mine = sorted({each.line() for each in found if each.schema == schema}, key=lambda line: (len(line), line))
        (CORPUS / f"{schema}.txt").write_text("".join(f"{line}\n" for line in mine), encoding="utf-8")
