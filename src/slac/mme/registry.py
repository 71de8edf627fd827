"""Which format an MME has: by MMTYPE, and by OUI where the message carries one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from slac.mme import dspace, lumissil, management, matching, qualcomm, st, vertexcom
from slac.mme.fields import VARIANTS, Format

FORMATS: Final[list[Format]] = [
    format for each in (matching, management, qualcomm, vertexcom, lumissil, st, dspace) for format in each.FORMATS
]

CATEGORIES: Final = {0x0: "CC", 0x2: "CP", 0x4: "NN", 0x6: "CM", 0x8: "MS", 0xA: "VS"}
"""By the three high bits: station to CCo, proxy, CCo to CCo, station to station, manufacturer's, vendor's."""


def vendor(mmtype: int, mmv: int, body: bytes) -> bytes | None:
    """The OUI in front of a manufacturer's or vendor's message; None where there is none.

    It decides on the meaning: one MMTYPE stands for different messages of different vendors.
    """
    if CATEGORIES.get(mmtype >> 12 & 0xE) not in ("MS", "VS") or len(body) < 3:
        return None
    return None if lumissil.is_d_link_ready(mmtype, mmv, body) else body[:3]


def _by_number(formats: Iterable[Format]) -> dict[tuple[int, bytes | None], list[Format]]:
    found: dict[tuple[int, bytes | None], list[Format]] = {}
    for each in formats:
        found.setdefault((each.mmtype, each.oui), []).append(each)
    return found


def _by_name(formats: Iterable[Format]) -> dict[str, list[Format]]:
    found: dict[str, list[Format]] = {}
    for each in formats:
        found.setdefault(each.name, []).append(each)
    return found


BY_NUMBER: Final = _by_number(FORMATS)
BY_NAME: Final = _by_name(FORMATS)
"""One name may stand for several formats: of other vendors, or of other versions."""


def find(mmtype: int, oui: bytes | None, mmv: int) -> Format | None:
    """The format of a received message; None where not even the number is known."""
    return next((each for each in BY_NUMBER.get((mmtype, oui), ()) if mmv in each.versions), None)


def choose(name: str, oui: bytes | None, mmv: int | None) -> Format:
    """The format of a message to send: the first under that name, or a vendor's or version's. Raises `ValueError`."""
    for each in BY_NAME.get(name, ()):
        if (oui is None or oui == each.oui) and (mmv is None or mmv in each.versions):
            return each
    raise ValueError(f"no message {name!r} of this vendor and version is known")


def plain_name(mmtype: int) -> str:
    """A name for a message of which only the number is known."""
    category = CATEGORIES.get(mmtype >> 12 & 0xE, "MME")
    return f"{category}_0x{mmtype:04X}.{VARIANTS[mmtype & 3]}"
