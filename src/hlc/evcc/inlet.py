"""The DC inlet of a vehicle: when the cable check may begin, when the contactors close, how the current ends, and when
the inlet is without voltage again."""

from __future__ import annotations

from typing import Final, cast

from hlc import decisions
from hlc.evcc.session import Session
from hlc.ports import DcEV
from hlc.rules import Kind

WELDING_DETECTION_S: Final = 3.0
"""So long the voltage at the inlet is awaited to fall: some stations hold it for ever."""
RAMP_DOWN_S: Final = 3.0
"""So long the current is awaited to fall after 0 A was asked for."""
RAMPED_AMPS: Final = 2.0
"""Below this the ramp has ended. Contactors wait for less; but some stations show an ampere where there is none."""


class Inlet:
    """Of one session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.vehicle = session.vehicle
        self.ev = cast(DcEV, session.vehicle.ev)

    def begin(self, max_volts: float, cable_check: Kind) -> Kind | None:
        """To the cable check of a station that says so many volts; None: not yet, the connector is to be locked
        first."""
        battery = self.ev.battery_volts()
        if decisions.highest_volts(max_volts) < battery:
            text = f"the station gives {max_volts:g} V at most, the battery is at {battery:.0f} V"
            return self.session.leave(text)
        self.ev.lock_connector()
        if not self.ev.connector_locked():
            return None
        if 0 < max_volts < decisions.SAFE_VOLTS:
            self.vehicle.note(f"the station says that it gives {max_volts:g} V at most: not believed")
        # State C now, not earlier: stations go to fault where it comes before the cable check (ABB).
        self.vehicle.go_live()
        return cable_check

    def close(self) -> None:
        """Close the contactors if the voltage fits. The inlet decides, not what the station says that it measures."""
        if decisions.matched(self.ev.inlet_volts(), self.ev.battery_volts()):
            self.ev.close_contactors()

    def resting(self) -> bool:
        """After no current was asked for: whether there is none, or there always will be some."""
        return abs(self.ev.amps()) < RAMPED_AMPS or self.session.waited("ramp") >= RAMP_DOWN_S

    def opened(self) -> bool:
        """After the station has switched off: state B, then contactors; whether they have opened, or never will."""
        self.ev.show_ready(ready=False)
        return self.session.opened()

    def dead(self) -> bool:
        """In the welding detection: whether the inlet is without voltage, or never will be."""
        volts = self.ev.inlet_volts()
        if volts < decisions.SAFE_VOLTS:
            return True
        if self.session.waited("welding") < WELDING_DETECTION_S:
            return False
        self.vehicle.note(f"the inlet is still at {volts:.0f} V after {WELDING_DETECTION_S:g} s")
        return True
