"""ISO 15118-20, what the vehicle asks in wireless power transfer: charge parameters and charge loop. How it comes to
stand over the primary device is in `approach`.

Where the station warns that the vehicle is misaligned or something lies in the field, the device is disconnected from
the battery at once, and the alignment checked again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from exi.messages.iso15118_20.common import (
    ChargeProgress,
    PowerDeliveryReq,
    PowerDeliveryRes,
    ScheduleExchangeReq,
    SessionSetupRes,
    SessionStopReq,
)
from exi.messages.iso15118_20.types import ResponseCode
from exi.messages.iso15118_20.wpt import (
    WPT_AlignmentCheckReq,
    WPT_ChargeLoopReq,
    WPT_ChargeLoopRes,
    WPT_ChargeParameterDiscoveryReq,
    WPT_ChargeParameterDiscoveryRes,
    WPT_EVPCChargeDiagnostics,
    WPT_FinePositioningReq,
    WPT_FinePositioningSetupReq,
    WPT_PairingReq,
)
from hlc.evcc.iso15118_20 import common
from hlc.evcc.iso15118_20.approach import Approach
from hlc.ports import Mode, WptEV
from hlc.rules import Kind
from hlc.rules.iso15118_20.values import number, rational
from hlc.rules.iso15118_20.wpt import RULES, misaligned
from hlc.trace.events import Blame

if TYPE_CHECKING:
    from hlc.evcc.vehicle import Vehicle

NO_ISSUE: Final = "EVPCNoIssue"
RESTING_WATTS: Final = 50.0
"""Below this nothing flows that would have to fall first."""
FALL_S: Final = 3.0
"""So long the power is awaited to fall after none was asked for."""


class Conversation(common.Conversation):
    """One session of wireless power transfer in the vehicle."""

    rules = RULES
    modes = frozenset({Mode.WPT})
    discovery = WPT_ChargeParameterDiscoveryReq
    paces: ClassVar[Mapping[Kind, float]] = {
        **common.Conversation.paces,
        WPT_FinePositioningSetupReq: 0.25,
        WPT_FinePositioningReq: 0.25,
        WPT_PairingReq: 0.25,
        WPT_AlignmentCheckReq: 0.1,
        WPT_ChargeLoopReq: 0.1,
    }

    def __init__(self, vehicle: Vehicle) -> None:
        super().__init__(vehicle)
        self.ev = cast(WptEV, vehicle.ev)
        self.way = Approach(self, self.ev)
        self.supply_watts = 0.0
        """What the station can transmit, as it said last."""
        self.scheduled = False
        """Whether schedules have been exchanged: they hold when the alignment is checked again."""

    def choices(self) -> Mapping[Kind, Callable[[Any, Any], Kind | None]]:
        return {
            **super().choices(),
            **self.way.choices(),
            WPT_ChargeParameterDiscoveryRes: self.after_charge_parameter_discovery,
            WPT_ChargeLoopRes: self.after_charge_loop,
        }

    def requests(self) -> Mapping[Kind, Callable[[], Any]]:
        return {
            **super().requests(),
            **self.way.requests(),
            WPT_ChargeParameterDiscoveryReq: self.charge_parameter_discovery,
            WPT_ChargeLoopReq: self.charge_loop,
        }

    # Choices

    def after_session_setup(self, request: Any, response: SessionSetupRes) -> Kind | None:
        joined = response.ResponseCode is ResponseCode.OK_OldSessionJoined
        return super().after_session_setup(request, response) if joined else WPT_FinePositioningSetupReq

    def after_charge_parameter_discovery(self, request: Any, response: WPT_ChargeParameterDiscoveryRes) -> Kind | None:
        mine = self.ev.limits()
        low, high = response.SDMinGroundClearanceSupport, response.SDMaxGroundClearanceSupport
        if mine.min_clearance_mm > high or mine.max_clearance_mm < low:
            return self.leave(
                f"the station serves a ground clearance of {low} to {high} mm, this vehicle has "
                f"{mine.min_clearance_mm:g} to {mine.max_clearance_mm:g} mm"
            )
        self.vehicle.go_live()
        return self.way.begin_alignment_check()

    def after_alignment(self) -> Kind | None:
        """The alignment is proven."""
        return self.approach() if self.scheduled else ScheduleExchangeReq

    def approach(self) -> Kind | None:
        self.scheduled = self.delivering = True
        self.progress = ChargeProgress.Start
        return PowerDeliveryReq

    def after_power_delivery(self, request: PowerDeliveryReq, response: PowerDeliveryRes) -> Kind | None:
        if misaligned(response):  # [V2G20-5061]
            return self.way.again("the station calls the vehicle misaligned, or sees an object")
        return super().after_power_delivery(request, response)

    def loop(self) -> Kind:
        return WPT_ChargeLoopReq

    def after_charge_loop(self, request: WPT_ChargeLoopReq, response: WPT_ChargeLoopRes) -> Kind | None:
        if misaligned(response):  # [V2G20-5058]
            return self.way.begin_alignment_check()
        asked_for_none = number(request.EVPCPowerRequest) == 0
        flows = self.ev.received_watts() >= RESTING_WATTS
        resting = asked_for_none and (not flows or self.waited("fall") >= FALL_S)
        if not self.leaving():
            self.forget("fall")
        return self.after_loop(request, response, resting=resting)

    def stopped(self) -> Kind | None:
        self.vehicle.live = False
        return SessionStopReq if self.opened() else None

    # What an answer says beside its purpose

    def answered(self, request: Any, response: Any) -> None:
        super().answered(request, response)
        self.way.answered(response)
        if isinstance(response, WPT_ChargeParameterDiscoveryRes):
            self.supply_watts = number(response.SDMaxOutputPower)
        elif isinstance(response, WPT_ChargeLoopRes):
            self.supply_watts = max(0.0, number(response.SPCMaxOutputPowerLimit))
            self._flowing(request, response)
            self.vehicle.measured()
        elif isinstance(response, PowerDeliveryRes) and request.ChargeProgress is ChargeProgress.Start:
            if misaligned(response):
                self._interrupted()
            else:
                self.ev.receive()

    def _flowing(self, request: WPT_ChargeLoopReq, response: WPT_ChargeLoopRes) -> None:
        if misaligned(response):
            self.vehicle.note(f"the station has switched off: {response.SPCChargeDiagnostics.value}")
            self._interrupted()
            return
        if self.ev.received_watts() >= RESTING_WATTS:
            self.way.attempts = 1
        granted = min(number(request.EVPCPowerRequest), number(response.SPCMaxOutputPowerLimit))
        self.ev.told(max(0.0, granted))

    def _interrupted(self) -> None:
        self.delivering = self.standing_by = False
        self.way.lost()
        self.ev.told(0.0)
        self.ev.open_contactors(emergency=True)

    def look(self) -> None:
        super().look()
        if not self.delivering or not self.vehicle.live:
            return
        if self.ev.positioned() is not True:
            self.vehicle.emergency(Blame.SETUP, "the vehicle has left its place")
        elif self.ev.diagnosis() != NO_ISSUE and self.vehicle.stopping is None:
            self.vehicle.fault(Blame.SETUP, f"the vehicle reports {self.ev.diagnosis()}")
            self.vehicle.stopping = f"the vehicle reports {self.ev.diagnosis()}"

    def renew(self) -> None:
        super().renew()
        self.scheduled = False

    # Requests

    def charge_parameter_discovery(self) -> WPT_ChargeParameterDiscoveryReq:
        limits = self.ev.limits()
        return WPT_ChargeParameterDiscoveryReq(
            Header=self.header(),
            EVPCMaxReceivablePower=rational(limits.max_watts),
            SDMaxGroundClearence=round(limits.max_clearance_mm),
            SDMinGroundClearence=round(limits.min_clearance_mm),
            EVPCNaturalFrequency=rational(limits.hertz),
            EVPCDeviceLocalControl=False,
        )

    def charge_loop(self) -> WPT_ChargeLoopReq:
        return WPT_ChargeLoopReq(
            **self.loop_fields(),
            EVPCPowerRequest=rational(self._wish()),
            EVPCPowerOutput=rational(self.ev.amps() * self.ev.inlet_volts()),
            EVPCChargeDiagnostics=WPT_EVPCChargeDiagnostics(self.ev.diagnosis()),
            EVPCOperatingFrequency=rational(self.ev.limits().hertz),
        )

    def watts(self) -> float:
        return self.ev.limits().max_watts

    def _wish(self) -> float:
        """What to ask for: the plan, within the battery's wish and the station's limit; nothing for a device that is
        not connected to the battery."""
        if self.leaving() or self.standing_by or not self.ev.contactors_closed():
            return 0.0
        wish = min(self.ev.target_watts(), self.ev.limits().max_watts, self.supply_watts)
        return max(0.0, wish if self.plan is None else min(wish, self.plan.watts(self.vehicle.now)))
