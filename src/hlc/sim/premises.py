"""What is around every simulated outlet: a user to be authorized, an energy management, an emergency button. And what
those have alike that are plugged in: relays, and a cable behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlc.ports import COMMUNICATION, NO_PWM, Authorization, ControlPilot, Mode, Trouble

if TYPE_CHECKING:
    from hlc.sim.cable import SimulatedCable


class Premises:
    """The part of an outlet that is the same in all. Its wishes for trouble are attributes: set them at any time."""

    def __init__(self, *, authorization_s: float, preparation_s: float) -> None:
        self.authorization_s = authorization_s
        """Until the user is authorized, from when it is first asked."""
        self.preparation_s = preparation_s
        """Until the limits are known."""
        self.refused = False
        self.no_energy = False
        self.fault: Trouble | None = None
        self.managed_watts: float | None = None
        """What the energy management wants to flow."""
        self.managed_until = float("inf")
        """From then on it wants nothing of its own."""
        self.shown: ControlPilot | float = NO_PWM
        """On the control pilot, where there is one."""
        self._delivered = 0.0
        self._returned = 0.0
        self._authorization_at: float | None = None
        self._ready_at: float | None = None

    @property
    def now(self) -> float:
        """The time of the world."""
        raise NotImplementedError

    def press_emergency_stop(self) -> None:
        """Somebody hits the button: the hardware cuts the current, the session learns of it."""
        self.fault = Trouble.EMERGENCY
        self.off(emergency=True)

    @property
    def broken(self) -> bool:
        """Whether it gives no energy, whatever is ordered."""
        return self.fault in (Trouble.EMERGENCY, Trouble.MALFUNCTION)

    def deliver(self, watt_hours: float) -> None:
        """The world counts what went through; negative: back."""
        if watt_hours >= 0:
            self._delivered += watt_hours
        else:
            self._returned -= watt_hours

    # Port

    def energy_wh(self) -> float:
        return self._delivered

    def returned_wh(self) -> float:
        return self._returned

    def wanted_watts(self) -> float | None:
        return self.managed_watts if self.now < self.managed_until else None

    def authorization(self) -> Authorization:
        if self._authorization_at is None:
            self._authorization_at = self.now + self.authorization_s
        if self.now < self._authorization_at:
            return Authorization.PENDING
        return Authorization.REFUSED if self.refused else Authorization.GRANTED

    def ready(self) -> bool:
        if self._ready_at is None:
            self._ready_at = self.now + self.preparation_s
        return self.now >= self._ready_at

    def energy_available(self) -> bool:
        return not self.no_energy

    def trouble(self) -> Trouble | None:
        return self.fault

    def off(self, *, emergency: bool) -> None:
        raise NotImplementedError

    def show_pilot(self, shown: ControlPilot | float) -> None:
        self.shown = shown
        if shown == COMMUNICATION:  # a new session: the user is asked again
            self._authorization_at = self._ready_at = None


class Plugged(Premises):
    """The part of an outlet that is the same in all with relays and a cable."""

    cable: SimulatedCable
    """Its other end may be a simulated vehicle."""

    def __init__(self, *, modes: frozenset[Mode], authorization_s: float, preparation_s: float) -> None:
        super().__init__(authorization_s=authorization_s, preparation_s=preparation_s)
        self.served = modes
        self.relays = False
        """Whether they are closed."""

    @property
    def now(self) -> float:
        return self.cable.now

    # Port

    def tick(self, now: float) -> None:
        self.cable.advance(now)

    def modes(self) -> frozenset[Mode]:
        return self.served

    def volts(self) -> float:
        return self.cable.volts

    def amps(self) -> float:
        return self.cable.amps

    def relays_closed(self) -> bool:
        return self.relays

    def control_pilot(self) -> ControlPilot | None:
        return self.cable.pilot()
