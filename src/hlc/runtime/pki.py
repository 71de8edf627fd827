"""The files of a PKI directory, read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from hlc.runtime.errors import SetupError, WrongUsage

LARGEST: Final = 1 << 18
"""Octets of a file that may belong to a PKI."""
MOST_FILES: Final = 1000
DEEPEST: Final = 3
"""Folders below the directory that are looked into."""
KINDS: Final = (".pem", ".der", ".crt", ".cer", ".key", ".password", ".txt")
"""Names that end so are read; others are no certificates, keys or passwords."""


def read(directory: Path) -> dict[str, bytes]:
    """Every file of a directory that may belong to a PKI, by its name relative to it. Raises `SetupError`."""
    if not directory.exists():
        raise WrongUsage(f"{directory}: there is no such directory; hlc pki create {directory} makes one for tests")
    if not directory.is_dir():
        raise WrongUsage(f"{directory} is no directory")
    found: dict[str, bytes] = {}
    for folder, below, names in os.walk(directory):
        here = Path(folder).relative_to(directory)
        if len(here.parts) >= DEEPEST:
            below.clear()
        below.sort()
        for name in sorted(names):
            path = directory / here / name
            if not name.lower().endswith(KINDS) or not path.is_file():
                continue
            if len(found) == MOST_FILES:
                raise SetupError(f"{directory} holds more than {MOST_FILES} files: a PKI directory holds a few dozen")
            found[(here / name).as_posix()] = octets(path)
    return found


def octets(path: Path) -> bytes:
    """The octets of one file. Raises `SetupError`."""
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise SetupError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > LARGEST:
        raise SetupError(f"{path}: more than {LARGEST} octets; no certificate or key has so many")
    return data
