"""The message of dSPACE charger and vehicle emulators: diagnosis as text, four words and JSON between bars."""

from __future__ import annotations

from typing import Final

from construct import Struct

from slac.mme.fields import REMAINING_TEXT, Format, message

DSPACE: Final = bytes.fromhex("644D70")

FORMATS: Final[list[Format]] = message("DSPACE_SCS_DIAG", 0x8002, oui=DSPACE, IND=Struct("text" / REMAINING_TEXT))
