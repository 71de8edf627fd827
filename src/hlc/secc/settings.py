"""What the operator of an outlet decides."""

from __future__ import annotations

from enum import Enum

import msgspec

from hlc.decisions.schedules import Slot
from hlc.secc.iso15118_20.settings import Settings20


class Service(Enum):
    """A service beside charging."""

    INTERNET = "internet"
    USE_CASE = "use case"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator of an outlet decides."""

    EVSEID: bytes = b"ZZ00000"
    """At most 32 octets. Cars that check it at all want it not empty. ISO 15118 wants 7 to 37 characters."""
    FreeService: bool = False
    strict: bool = False
    """Refuse a charging profile above the schedule. Many cars send such ones: they are only noted otherwise."""
    MeterID: str = "0"
    services: frozenset[Service] = frozenset()
    """Offered beside charging, free of charge."""
    schedules: tuple[tuple[Slot, ...], ...] = ()
    """Up to three to choose from, counted from the beginning of a session; none: all the outlet's power at any time.
    Their prices are price levels, the smaller the cheaper."""
    iso15118_20: Settings20 = Settings20()
