"""A simulated DC outlet: supply with limited slew, relays, isolation monitor, user, emergency button."""

from __future__ import annotations

from typing import Final

from hlc.ports import COMMUNICATION, NO_PWM, Authorization, ControlPilot, Isolation, Mode, SupplyLimits, Trouble
from hlc.sim.cable import PRECHARGE_AMPS, SimulatedCable

ISOLATION_FAULT_OHM: Final = 100_000.0
"""Below this the isolation has failed (IEC 61851-23)."""
ISOLATION_WARNING_OHM: Final = 500_000.0


class SimulatedOutlet:
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
    ) -> None:
        self.supply = SupplyLimits(
            max_volts=max_volts,
            max_amps=max_amps,
            max_watts=kilowatts * 1000,
            min_volts=150.0,
            min_amps=0.5,
            ripple_amps=1.0,
            tolerance_amps=1.0,
        )
        self.authorization_s = authorization_s
        """Until the user is authorized, from when it is first asked."""
        self.preparation_s = preparation_s
        """Until the limits are known."""
        self.isolation_test_s = isolation_test_s
        self.refused = False
        self.no_energy = False
        self.isolation_ohm = 2_000_000.0
        self.precharge_stuck_at: float | None = None
        """In precharge the supply does not get beyond this voltage."""
        self.fault: Trouble | None = None
        # What the session has ordered
        self.set_volts = 0.0
        self.set_amps = 0.0
        self.relays = False
        self.releasing = False
        """The relays open as soon as the current is gone."""
        self.cut = False
        """Switched off as fast as the hardware can, until the next order."""
        self.shown: ControlPilot | float = NO_PWM
        """On the control pilot."""
        self.cable = SimulatedCable()
        self.cable.outlet = self
        self._delivered = 0.0
        self._authorization_at: float | None = None
        self._ready_at: float | None = None
        self._tested_at: float | None = None

    def press_emergency_stop(self) -> None:
        """Somebody hits the button: the hardware cuts the current, the session learns of it."""
        self.fault = Trouble.EMERGENCY
        self.off(emergency=True)

    def deliver(self, watt_hours: float) -> None:
        """The cable counts what went through."""
        self._delivered += watt_hours

    # Port

    def tick(self, now: float) -> None:
        self.cable.advance(now)

    def modes(self) -> frozenset[Mode]:
        return frozenset({Mode.DC})

    def limits(self) -> SupplyLimits:
        return self.supply

    def volts(self) -> float:
        return self.cable.volts

    def amps(self) -> float:
        return self.cable.amps

    def energy_wh(self) -> float:
        return self._delivered

    def returned_wh(self) -> float:
        return 0.0

    def wanted_watts(self) -> float | None:
        return None

    def relays_closed(self) -> bool:
        return self.relays

    def control_pilot(self) -> ControlPilot | None:
        return self.cable.pilot()

    def authorization(self) -> Authorization:
        if self._authorization_at is None:
            self._authorization_at = self.cable.now + self.authorization_s
        if self.cable.now < self._authorization_at:
            return Authorization.PENDING
        return Authorization.REFUSED if self.refused else Authorization.GRANTED

    def ready(self) -> bool:
        if self._ready_at is None:
            self._ready_at = self.cable.now + self.preparation_s
        return self.cable.now >= self._ready_at

    def energy_available(self) -> bool:
        return not self.no_energy

    def isolation(self) -> Isolation:
        if self._tested_at is None or self.cable.now < self._tested_at:
            return Isolation.UNKNOWN
        if self.isolation_ohm < ISOLATION_FAULT_OHM:
            return Isolation.FAULT
        return Isolation.WARNING if self.isolation_ohm < ISOLATION_WARNING_OHM else Isolation.VALID

    def trouble(self) -> Trouble | None:
        return self.fault

    def start_isolation_test(self) -> None:
        self._tested_at = self.cable.now + self.isolation_test_s

    def output(self, volts: float, amps: float) -> None:
        if self.fault in (Trouble.EMERGENCY, Trouble.MALFUNCTION):
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
        self.shown = shown
        if shown == COMMUNICATION:  # a new session: the user is asked again
            self._authorization_at = self._ready_at = self._tested_at = None
