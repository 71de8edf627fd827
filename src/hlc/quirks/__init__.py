"""Quirks: what a certain make of vehicle or station needs of us, as data. One file per quirk stands beside this one.

Such a file says in one sentence what the peer does and what we do about it, where that is known from, which of our ends
it concerns (`station`, `vehicle`), what the peer shows by which it is known (`shows`), and which settings of ours it
changes (`settings`, the fields of `secc.Settings` or `evcc.Settings`). What settings cannot say is no quirk: it is
tolerated of all, in the code.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

SUFFIX: Final = ".toml"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a peer has shown of itself so far."""

    protocol: str = ""
    """The one that is spoken, as in `sap.PROTOCOLS`."""
    namespaces: frozenset[str] = frozenset()
    """Those that the vehicle offers, known ones or not."""
    EVCCID: str | bytes = ""
    EVSEID: str | bytes = ""
    SessionID: bytes = b""


class Shows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By what a peer is known: by all that is said here. Of octets their hexadecimal digits are meant."""

    protocol: tuple[str, ...] = ()
    """One of these."""
    namespace: str = ""
    """The vehicle offers it."""
    EVCCID: tuple[str, ...] = ()
    """It begins with one of these: the makers of modems, where it is a MAC address."""
    EVSEID: tuple[str, ...] = ()
    """It begins with one of these."""
    SessionID: tuple[str, ...] = ()
    """The one that a station gives begins with one of these."""

    def fit(self, shown: Shown) -> bool:
        """Whether a peer is of this kind."""
        return (
            (not self.protocol or shown.protocol in self.protocol)
            and (not self.namespace or self.namespace in shown.namespaces)
            and _begins(shown.EVCCID, self.EVCCID)
            and _begins(shown.EVSEID, self.EVSEID)
            and _begins(shown.SessionID, self.SessionID)
        )


class Quirk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One quirk of one kind of peer."""

    name: str
    end: Literal["station", "vehicle"]
    """The end of ours that it concerns."""
    about: str
    source: str
    shows: Shows
    settings: dict[str, Any]


Settings = TypeVar("Settings", bound=msgspec.Struct)


@cache
def known(end: Literal["station", "vehicle"]) -> tuple[Quirk, ...]:
    """Those of the files beside this one that concern this end of ours: a part of the program, like its modules."""
    texts = {file.name: file.read_text("utf-8") for file in Path(__file__).parent.glob(f"*{SUFFIX}")}
    return tuple(quirk for quirk in read(texts) if quirk.end == end)


def read(texts: Mapping[str, str]) -> list[Quirk]:
    """Quirks from their files, by name. Raises `ValueError` for what is none."""
    found = []
    for file, text in sorted(texts.items()):
        try:
            quirk = msgspec.convert({"name": file.removesuffix(SUFFIX), **tomllib.loads(text)}, Quirk)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise ValueError(f"{file}: {error}") from None
        if quirk.shows == Shows():
            raise ValueError(f"{file}: it says nothing of what the peer shows, and would be one of all peers")
        found.append(quirk)
    return found


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Settings with these changes; those of a protocol are a table of their own. Raises `ValueError`."""
    fields = {field.name: field for field in msgspec.structs.fields(settings)}
    new = {}
    for name, value in changes.items():
        if name not in fields:
            raise ValueError(f"there is no setting {name}")
        old = getattr(settings, name)
        if isinstance(old, msgspec.Struct):
            new[name] = changed(old, value)
            continue
        try:
            new[name] = msgspec.convert(value, fields[name].type)
        except msgspec.ValidationError as error:
            raise ValueError(f"{name}: {error}") from None
    return msgspec.structs.replace(settings, **new)


def _begins(value: str | bytes, beginnings: tuple[str, ...]) -> bool:
    text = value.hex() if isinstance(value, bytes) else value
    return not beginnings or text.upper().startswith(tuple(beginning.upper() for beginning in beginnings))
