"""What the owner of a vehicle decides of ISO 15118-20."""

from __future__ import annotations

import msgspec

from hlc.rules.iso15118_20.services import Control, Mobility


class Settings20(msgspec.Struct, frozen=True, kw_only=True):
    """All of it can be left as it is."""

    control: Control = Control.SCHEDULED
    """Whether the vehicle chooses the power, or leaves it to the station."""
    mobility: Mobility = Mobility.EVCC
    """Whether the station may say when the user leaves and how much he needs."""
    standby: bool = False
    """Stand by while the schedule allows no power for long. Not every station of the field can."""
