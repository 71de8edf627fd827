"""ISO 15118-20, what the station answers in wireless power transfer: charge parameters and charge loop. How the vehicle
came to stand there is in `approach`.

Power is transmitted between PowerDelivery(Start) and its end, while the vehicle stands over the device and nothing lies
between the two. Where one of them ends, the coil is off before the next message, and the vehicle hears WARNING_WPT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from exi.messages.iso15118_20.common import ChargeProgress, PowerDeliveryReq, PowerDeliveryRes
from exi.messages.iso15118_20.types import Processing, ResponseCode
from exi.messages.iso15118_20.wpt import (
    WPT_AlignmentCheckReq,
    WPT_AlignmentCheckRes,
    WPT_ChargeLoopReq,
    WPT_ChargeLoopRes,
    WPT_ChargeParameterDiscoveryReq,
    WPT_ChargeParameterDiscoveryRes,
    WPT_EVPCChargeDiagnostics,
    WPT_PowerClass,
    WPT_SPCChargeDiagnostics,
    WPT_SPCPowerControlParameter,
)
from hlc.flow import Refusal
from hlc.ports import Mode, WptOutlet
from hlc.rules import Kind
from hlc.rules.iso15118_20.values import number, rational
from hlc.rules.iso15118_20.wpt import RULES
from hlc.secc.conversation import Handler
from hlc.secc.iso15118_20 import common
from hlc.secc.iso15118_20.approach import Approach
from hlc.trace.events import Blame

if TYPE_CHECKING:
    from hlc.secc.station import Station

POWER_CLASSES: Final = (
    (3_700.0, WPT_PowerClass.MF_WPT1),
    (7_700.0, WPT_PowerClass.MF_WPT2),
    (11_100.0, WPT_PowerClass.MF_WPT3),
)
"""Highest input power of each class, W (IEC 61980-1); what is above is of the last one."""
CONSUMED: Final = 1.05
"""What a device consumes of what it transmits, about: the class is that of its input."""


class Conversation(common.Conversation):
    """One session of wireless power transfer at the station."""

    rules = RULES
    modes = frozenset({Mode.WPT})
    discovery = WPT_ChargeParameterDiscoveryReq

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.outlet = cast(WptOutlet, station.outlet)
        self.approach = Approach(self, self.outlet, self.header)
        self.receivable_watts = 0.0
        """What the vehicle accepts, as it said."""

    def handlers(self) -> Mapping[Kind, Handler]:
        return {
            **super().handlers(),
            **self.approach.handlers(),
            WPT_AlignmentCheckReq: self.alignment_check,
            WPT_ChargeParameterDiscoveryReq: self.charge_parameter_discovery,
            WPT_ChargeLoopReq: self.charge_loop,
        }

    def joins(self, session_id: bytes) -> bool:
        # The same vehicle by its certificate: it is paired, but where it stands now the alignment check must tell.
        self.approach.paired = super().joins(session_id)
        return self.approach.paired

    # What the mode says

    def max_watts(self) -> float:
        return self.outlet.limits().max_watts

    def begin(self) -> bool:
        if not self.outlet.ready():
            raise Refusal(ResponseCode.FAILED_PowerDeliveryNotApplied, "the outlet is not ready", blame=Blame.SETUP)
        self.station.go_live()
        return True

    def rest(self) -> None:
        self.outlet.transmit(0.0)

    def renew(self) -> None:
        super().renew()
        self.approach.lost()

    def look(self) -> None:
        if (self.delivering or self.approach.trial) and (obstacle := self.approach.obstacle()):
            self._interrupt(obstacle)
        self.approach.look()

    def _interrupt(self, obstacle: str) -> None:
        self.station.note(f"{obstacle}: the power is off")
        self.approach.lost()
        self.delivering = self.standing_by = False
        self.station.make_safe(emergency=True)

    # Handlers

    def charge_parameter_discovery(self, request: WPT_ChargeParameterDiscoveryReq) -> WPT_ChargeParameterDiscoveryRes:
        limits, watts = self.outlet.limits(), number(request.EVPCMaxReceivablePower)
        if watts < limits.min_watts:
            text = f"the vehicle receives {watts:g} W at most, the outlet gives {limits.min_watts:g} W at least"
            raise Refusal(ResponseCode.FAILED_WrongChargeParameter, text, "V2G20-2272")
        lowest, highest = request.SDMinGroundClearence, request.SDMaxGroundClearence
        if lowest > limits.max_clearance_mm or highest < limits.min_clearance_mm or highest < lowest:
            text = (
                f"a ground clearance of {lowest} to {highest} mm, the outlet serves {limits.min_clearance_mm:g} to "
                f"{limits.max_clearance_mm:g} mm"
            )
            raise Refusal(ResponseCode.FAILED_WrongChargeParameter, text, "V2G20-2272")
        self.receivable_watts = watts
        return self._parameters(ResponseCode.OK)

    def alignment_check(self, request: WPT_AlignmentCheckReq) -> WPT_AlignmentCheckRes:
        if self.selected is None:  # it may follow pairing directly in a session that has been authorized before
            text = "an alignment check before services were selected"
            raise Refusal(ResponseCode.FAILED_SequenceError, text, "V2G20-459")
        return self.approach.alignment_check(request)

    def power_delivery(self, request: PowerDeliveryReq) -> Any:
        starts = request.ChargeProgress is ChargeProgress.Start and request.EVProcessing is Processing.Finished
        if starts:
            obstacle = self.approach.obstacle()
            if obstacle is None and not self.approach.aligned:
                obstacle = "the alignment has not been checked"
            if obstacle is not None:  # [V2G20-5061]
                self.station.note(obstacle)
                self.approach.lost()
                return PowerDeliveryRes(Header=self.header(), ResponseCode=ResponseCode.WARNING_WPT)
        return super().power_delivery(request)

    def charge_loop(self, request: WPT_ChargeLoopReq) -> WPT_ChargeLoopRes:
        if not self.approach.aligned:  # [V2G20-5058]
            return self._loop(request, {"Header": self.header(), "ResponseCode": ResponseCode.WARNING_WPT})
        fields = self.loop_fields(request)
        wanted = number(request.EVPCPowerRequest)
        if request.EVPCChargeDiagnostics is not WPT_EVPCChargeDiagnostics.EVPCNoIssue:
            wanted = 0.0
            self.station.stop_for_vehicle(f"the vehicle reports {request.EVPCChargeDiagnostics.value}")
        granted = min(wanted, self._ceiling())
        self.outlet.transmit(granted if granted >= self.outlet.limits().min_watts else 0.0)
        self.station.measured()
        return self._loop(request, fields)

    def _ceiling(self) -> float:
        """What may be transmitted now, W."""
        return max(0.0, min(self.outlet.limits().max_watts, self.receivable_watts, self.ceiling()))

    # Phrases

    def _parameters(self, code: ResponseCode) -> WPT_ChargeParameterDiscoveryRes:
        limits = self.outlet.limits()
        consumed = CONSUMED * limits.max_watts
        return WPT_ChargeParameterDiscoveryRes(
            Header=self.header(),
            ResponseCode=code,
            PDInputPowerClass=next((each for most, each in POWER_CLASSES if consumed <= most), WPT_PowerClass.MF_WPT4),
            SDMinOutputPower=rational(limits.min_watts),
            SDMaxOutputPower=rational(limits.max_watts),
            SDMaxGroundClearanceSupport=round(limits.max_clearance_mm),
            SDMinGroundClearanceSupport=round(limits.min_clearance_mm),
            PDMinCoilCurrent=rational(limits.min_coil_amps),
            PDMaxCoilCurrent=rational(limits.max_coil_amps),
        )

    def _loop(self, request: WPT_ChargeLoopReq, fields: dict[str, Any]) -> WPT_ChargeLoopRes:
        limits = self.outlet.limits()
        return WPT_ChargeLoopRes(
            **fields,
            EVPCPowerRequest=request.EVPCPowerRequest,
            SDPowerInput=rational(self.outlet.volts() * self.outlet.amps()),
            SPCMaxOutputPowerLimit=rational(self._ceiling()),
            SPCMinOutputPowerLimit=rational(limits.min_watts),
            SPCChargeDiagnostics=WPT_SPCChargeDiagnostics(self.outlet.diagnosis()),
            SPCOperatingFrequency=rational(limits.hertz),
            SPCPowerControlParameter=WPT_SPCPowerControlParameter(
                SPCPrimaryDeviceCoilCurrentInformation=rational(self.outlet.coil_amps())
            ),
        )

    def refusals(self) -> Mapping[Kind, Callable[[ResponseCode], Any]]:
        return {
            **super().refusals(),
            **self.approach.refusals(),
            WPT_ChargeParameterDiscoveryReq: self._parameters,
            WPT_ChargeLoopReq: self._refused_loop,
        }

    def _refused_loop(self, code: ResponseCode) -> WPT_ChargeLoopRes:
        nothing = rational(0.0)
        return WPT_ChargeLoopRes(
            Header=self.header(),
            ResponseCode=code,
            EVPCPowerRequest=nothing,
            SPCMaxOutputPowerLimit=nothing,
            SPCMinOutputPowerLimit=nothing,
            SPCChargeDiagnostics=WPT_SPCChargeDiagnostics(self.outlet.diagnosis()),
        )
