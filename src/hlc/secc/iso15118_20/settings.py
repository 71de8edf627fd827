"""What the operator of an outlet decides of ISO 15118-20."""

from __future__ import annotations

import msgspec

from hlc.decisions.schedules import Slot
from hlc.rules.iso15118_20.services import Control, Intended, Pricing


class Settings20(msgspec.Struct, frozen=True, kw_only=True):
    """All of it can be left as it is."""

    controls: tuple[Control, ...] = (Control.SCHEDULED, Control.DYNAMIC)
    """On offer, the one that is liked best first. A station must have both [V2G20-2656]: one alone is for tests."""
    pricing: Pricing = Pricing.NONE
    Currency: str = "EUR"
    """Of absolute prices."""
    discharging: tuple[Slot, ...] = ()
    """What BPT vehicles may give back over time, with prices; empty: all that the outlet can take, at no price."""
    separated_channels: bool = False
    """BPT: energy back goes over a channel, a meter and contacts, of its own."""
    power_tolerance_watts: float | None = None
    """The vehicle is asked to stay so near to its power profile."""
    departure_s: int | None = None
    """What the station knows of the user, told where both sides may know it: when he leaves, from when it is told."""
    minimum_soc: int | None = None
    target_soc: int | None = None
    service_renegotiation: bool = True
    pause: bool = True
    standby: bool = True
    intended: tuple[Intended, ...] = ()
    """The vehicle is to check in to, or out of, its parking place."""
