"""The supply of a DC outlet: cable check, precharge, what the vehicle wants and gets, welding detection."""

from __future__ import annotations

from typing import Any, Final, cast

from hlc import decisions
from hlc.decisions import CableCheck, CableCheckState, Granted
from hlc.flow import Refusal
from hlc.ports import BatteryLimits, DcOutlet, SetPoint, SupplyLimits
from hlc.secc.conversation import Conversation
from hlc.trace.events import Blame

NO_BATTERY: Final = BatteryLimits(0.0, 0.0, 0.0, 0.0)


class Supply:
    """Of one session. `pilot_s` is how long state C is awaited after the first request of the cable check."""

    def __init__(self, conversation: Conversation, *, pilot_s: float) -> None:
        self.conversation = conversation
        self.station = conversation.station
        self.outlet = cast(DcOutlet, conversation.station.outlet)
        self.clauses = conversation.rules.clauses
        self.pilot_s = pilot_s
        self.vehicle = NO_BATTERY
        """What the vehicle accepts, as it said last."""
        self.check: CableCheck | None = None
        self.wanted = SetPoint(0.0, 0.0)
        """The last plausible wish."""

    @property
    def checked(self) -> CableCheckState | None:
        """How far the cable check is; None: it has not begun."""
        return None if self.check is None else self.check.state

    def cable_check(self) -> bool:
        """Begin the cable check, or move it on; whether the isolation is proven. Raises `Refusal`."""
        if self.check is None:
            test_volts = decisions.cable_check_volts(self.vehicle.max_volts, self.outlet.limits().max_volts)
            self.check = CableCheck(self.outlet, test_volts, self.station.now, pilot_s=self.pilot_s)
            self.station.go_live()
        state = self.check.look(self.station.now)
        if state is CableCheckState.NOT_READY:
            raise Refusal("FAILED", state.value, self.clauses.get("pilot"))
        if state is not CableCheckState.ONGOING and not state.proven:
            raise Refusal("FAILED", state.value, blame=Blame.SETUP)
        return state.proven

    def pre_charge(self, request: Any, wish: SetPoint) -> None:
        """Go to the voltage that the vehicle wants.

        The target is followed in every request: the first one may be wrong (BMW i3 REX). The current limit is ours:
        cars ask for 0 A here and mean the voltage (Tesla Model Y, Polestar 2).
        """
        self.want(wish)
        target = min(self.wanted.volts, self.vehicle.max_volts, self._tested(self.outlet.limits()).max_volts)
        self.outlet.output(target, decisions.PRECHARGE_AMPS)
        if decisions.matched(self.outlet.volts(), target):
            self.conversation.reached(request)
        self.station.measured()

    def want(self, wish: SetPoint, *, back: bool = False) -> None:
        """Take in what the vehicle wants, as far as it is plausible; with `back` energy may flow from it."""
        self.wanted = decisions.plausible(wish, self.wanted, self.outlet.limits(), back=back)
        if self.wanted != wish:
            self.station.note(f"implausible wish of {wish.volts:g} V, {wish.amps:g} A ignored")

    def begin(self) -> None:
        """Energy may flow from now on. Raises `Refusal`."""
        if not self.station.live or not self.outlet.relays_closed() or not self.outlet.ready():
            clause = self.clauses.get("not applied")
            raise Refusal("FAILED_PowerDeliveryNotApplied", "the outlet is not ready", clause, blame=Blame.SETUP)

    def deliver(self, limits: SupplyLimits) -> Granted:
        """Give what the vehicle wants, within these limits and its own; what of it that is."""
        granted = decisions.grant(self.wanted, self.vehicle, self._tested(limits), self.outlet.volts())
        if self.conversation.delivering:
            self.outlet.output(granted.volts, granted.amps)
        self.station.measured()
        return granted

    def _tested(self, limits: SupplyLimits) -> SupplyLimits:
        """No voltage above that of the cable check, whatever limits the vehicle tells later."""
        if self.check is None or self.wanted.volts <= self.check.test_volts:
            return limits
        return limits._replace(max_volts=min(limits.max_volts, self.check.test_volts))

    def welding_detection(self, request: Any) -> None:
        """Note what is not as it should be. [V2G-DC-556], [V2G2-920]"""
        pilot = self.outlet.control_pilot()
        if pilot is not None and pilot.ready:
            self.station.note(f"{type(request).__name__} while the pilot is still in state C")
        if self.outlet.relays_closed():
            self.station.note("the relays are still closed")
        self.station.measured()

    def renew(self) -> None:
        """What is to follow begins with a cable check."""
        self.check = None

    def look(self) -> None:
        """Move on what is running between messages."""
        if self.check is not None:
            self.check.look(self.station.now)
