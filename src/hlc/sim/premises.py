"""What is around every simulated outlet: a user to be authorized, an energy management, an emergency button."""

from __future__ import annotations

from hlc.ports import COMMUNICATION, NO_PWM, Authorization, ControlPilot, Trouble


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
