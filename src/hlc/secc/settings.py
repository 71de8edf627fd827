"""What the operator of an outlet decides."""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

from hlc.decisions.schedules import Slot
from hlc.secc.iso15118_20.settings import Settings20

UNKNOWN_EVSEID: Final = "ZZ00000"


class Service(Enum):
    """A service beside charging."""

    INTERNET = "internet"
    USE_CASE = "use case"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator of an outlet decides."""

    EVSEID: bytes = b"ZZ00000"
    """In the form of ISO 15118, 7 to 37 characters, or in that of DIN SPEC 91286 ("+49*123*456789"). Each protocol is
    told what has its own form, and otherwise that there is none."""
    FreeService: bool = False
    strict: bool = False
    """Refuse what vehicles of the field do against the letter of the standards, and what is noted only otherwise."""
    patience_s: float = 0.0
    """Granted to every request beyond the standard's sequence timeout."""
    pace_s: float = 0.0
    """The answer to a repeated request comes so long after the one before, at least. Not above 0.15: vehicles wait
    0.25 s in the charge loop."""
    MeterID: str = "0"
    services: frozenset[Service] = frozenset()
    """Offered beside charging, free of charge."""
    schedules: tuple[tuple[Slot, ...], ...] = ()
    """Up to three to choose from, counted from the beginning of a session; none: all the outlet's power at any time.
    Their prices are price levels, the smaller the cheaper."""
    iso15118_20: Settings20 = Settings20()

    def evse_id(self) -> str:
        """The EVSEID in the form of ISO 15118; where it does not have it, that of an unknown one."""
        text = self.EVSEID.decode("ascii", errors="replace")
        fits = 7 <= len(text) <= 37 and text[:2].isalpha() and text.isprintable() and text.isascii()
        return text if fits else UNKNOWN_EVSEID
