"""A simulated DC outlet: supply with limited slew, relays, isolation monitor, user, emergency button."""

from __future__ import annotations

from typing import Final

from hlc.ports import COMMUNICATION, ControlPilot, Isolation, Mode, SupplyLimits
from hlc.sim.cable import PRECHARGE_AMPS, SimulatedCable
from hlc.sim.premises import Plugged

ISOLATION_FAULT_OHM: Final = 100_000.0
"""Below this the isolation has failed (IEC 61851-23)."""
ISOLATION_WARNING_OHM: Final = 500_000.0


class SimulatedOutlet(Plugged):
    """An outlet of so many kilowatts. Its wishes for trouble are attributes: set them at any time."""

    def __init__(
        self,
        *,
        kilowatts: float = 50.0,
        max_volts: float = 500.0,
        max_amps: float = 125.0,
        authorization_s: float = 0.5,
        preparation_s: float = 0.3,
        isolation_test_s: float = 1.0,
        modes: frozenset[Mode] = frozenset({Mode.DC}),
        back_kilowatts: float = 0.0,
    ) -> None:
        super().__init__(modes=modes, authorization_s=authorization_s, preparation_s=preparation_s)
        self.supply = SupplyLimits(
            max_volts=max_volts,
            max_amps=max_amps,
            max_watts=kilowatts * 1000,
            min_volts=150.0,
            min_amps=0.5,
            ripple_amps=1.0,
            tolerance_amps=1.0,
            max_discharge_amps=max_amps if back_kilowatts else 0.0,
            max_discharge_watts=back_kilowatts * 1000,
        )
        self.isolation_test_s = isolation_test_s
        self.isolation_ohm = 2_000_000.0
        self.precharge_stuck_at: float | None = None
        """In precharge the supply does not get beyond this voltage."""
        # What the session has ordered
        self.set_volts = 0.0
        self.set_amps = 0.0
        self.releasing = False
        """The relays open as soon as the current is gone."""
        self.cut = False
        """Switched off as fast as the hardware can, until the next order."""
        self.cable = SimulatedCable()
        self.cable.outlet = self
        self._tested_at: float | None = None

    # Port

    def limits(self) -> SupplyLimits:
        return self.supply

    def isolation(self) -> Isolation:
        if self._tested_at is None or self.cable.now < self._tested_at:
            return Isolation.UNKNOWN
        if self.isolation_ohm < ISOLATION_FAULT_OHM:
            return Isolation.FAULT
        return Isolation.WARNING if self.isolation_ohm < ISOLATION_WARNING_OHM else Isolation.VALID

    def start_isolation_test(self) -> None:
        self._tested_at = self.cable.now + self.isolation_test_s

    def output(self, volts: float, amps: float) -> None:
        if self.broken:
            return
        if self.precharge_stuck_at is not None and self._tested_at is not None and amps <= PRECHARGE_AMPS:
            volts = min(volts, self.precharge_stuck_at)
        self.set_volts, self.set_amps = volts, amps
        self.relays, self.releasing, self.cut = True, False, False

    def off(self, *, emergency: bool) -> None:
        self.set_volts = self.set_amps = 0.0
        self.releasing = self.relays
        self.cut = self.cut or emergency
        self.cable.switch_off()

    def show_pilot(self, shown: ControlPilot | float) -> None:
        super().show_pilot(shown)
        if shown == COMMUNICATION:
            self._tested_at = None
