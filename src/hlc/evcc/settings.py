"""What the owner of a vehicle decides."""

from __future__ import annotations

import msgspec

from hlc.evcc.iso15118_20.settings import Settings20


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner of a vehicle decides."""

    EVCCID: bytes = bytes.fromhex("020000000001")
    """The MAC address of the vehicle's modem. Some stations end the session where it is empty."""
    patience_s: float = 0.0
    """Granted to every answer beyond the standard's timeout. Stations of the field exceed it at
    ChargeParameterDiscovery, PowerDelivery and in the charge loop."""
    strict: bool = False
    """Leave stations that do not keep to the letter of the standards, where that is noted only otherwise."""
    welding_detection: bool = True
    """Look after the charge whether the station's relays have opened. A vehicle need not."""
    departure_s: float | None = None
    """The vehicle leaves so long after the beginning of the session; None: it is not known, and charges at once."""
    services: frozenset[int] = frozenset()
    """IDs of services beside charging that are taken where they are offered."""
    iso15118_20: Settings20 = Settings20()
