"""ISO 15118-20, what the station answers in AC and AC_BPT: limits, contactor, charge loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from exi.messages.iso15118_20.ac import (
    AC_ChargeLoopReq,
    AC_ChargeLoopRes,
    AC_ChargeParameterDiscoveryReq,
    AC_ChargeParameterDiscoveryRes,
    AC_CPDReqEnergyTransferMode,
    AC_CPDResEnergyTransferMode,
    BPT_AC_CPDReqEnergyTransferMode,
    BPT_AC_CPDResEnergyTransferMode,
    BPT_Dynamic_AC_CLReqControlMode,
    BPT_Dynamic_AC_CLResControlMode,
    BPT_Scheduled_AC_CLReqControlMode,
    BPT_Scheduled_AC_CLResControlMode,
    Dynamic_AC_CLReqControlMode,
    Dynamic_AC_CLResControlMode,
    Scheduled_AC_CLReqControlMode,
    Scheduled_AC_CLResControlMode,
)
from exi.messages.iso15118_20.common import (
    ChargeProgress,
    PowerDeliveryReq,
    ScheduleExchangeReq,
    ScheduleExchangeRes,
)
from exi.messages.iso15118_20.types import CLResControlMode, ResponseCode
from hlc import decisions
from hlc.flow import Refusal
from hlc.ports import AcOutlet, Mode
from hlc.rules import Kind
from hlc.rules.iso15118_20.ac import RULES
from hlc.rules.iso15118_20.common import CP_OSCILLATOR_RETAIN_S
from hlc.rules.iso15118_20.services import AC_SINGLE_PHASE, AC_THREE_PHASE, Service
from hlc.rules.iso15118_20.values import number, rational, total
from hlc.secc.contactor import Contactor
from hlc.secc.conversation import LATER, Handler
from hlc.secc.iso15118_20 import common
from hlc.secc.iso15118_20.modes import Types, least_energy

if TYPE_CHECKING:
    from hlc.secc.station import Station

OK: Final = ResponseCode.OK
PILOT_S: Final = 1.0
"""So long state C is awaited after PowerDeliveryReq(Start). The vehicle has 250 ms [V2G20-847]; cars take longer."""
CONTACTOR_S: Final = 0.9
"""So long the contactor may move. The text gives it 3 s [V2G20-860], and 1.5 s to the answer that waits for it."""
ANSWER_S: Final = 1.4
"""So long pilot and contactor may take together."""


ONE_WAY: Final = Types(AC_CPDReqEnergyTransferMode, Scheduled_AC_CLReqControlMode, Dynamic_AC_CLReqControlMode)
BOTH_WAYS: Final = Types(
    BPT_AC_CPDReqEnergyTransferMode, BPT_Scheduled_AC_CLReqControlMode, BPT_Dynamic_AC_CLReqControlMode
)


class Range(NamedTuple):
    """What may flow, W in all phases: to the vehicle, and from it."""

    to: float
    back: float


class Conversation(common.Conversation):
    """One session of AC charging in ISO 15118-20 at the station."""

    rules = RULES
    modes = frozenset({Mode.AC, Mode.AC_BPT})
    oscillator_retain_s = CP_OSCILLATOR_RETAIN_S
    discovery = AC_ChargeParameterDiscoveryReq
    stops_by_pilot = True

    def __init__(self, station: Station) -> None:
        self.outlet = cast(AcOutlet, station.outlet)
        super().__init__(station)
        self.vehicle = Range(0.0, 0.0)
        """What the vehicle accepts, as it said last."""
        self.bounds = self.vehicle
        """What it accepts at most, as it said in AC_ChargeParameterDiscoveryReq."""
        self.target = 0.0
        """What it was told to draw last."""
        self.contactor = Contactor(
            self,
            self.outlet,
            pilot_s=PILOT_S,
            contactor_s=CONTACTOR_S,
            answer_s=ANSWER_S,
            allowed=self._amps,
            clauses={"pilot": "V2G20-847", "closing": "V2G20-860"},
            excess_code=ResponseCode.FAILED_EVPowerProfileViolation,
        )

    def handlers(self) -> Mapping[Kind, Handler]:
        return {
            **super().handlers(),
            AC_ChargeParameterDiscoveryReq: self.charge_parameter_discovery,
            AC_ChargeLoopReq: self.charge_loop,
        }

    # Handlers

    def charge_parameter_discovery(self, request: AC_ChargeParameterDiscoveryReq) -> AC_ChargeParameterDiscoveryRes:
        if not self.delivering:
            self.expect_state_b("it asks for power", "V2G20-1617")
        said = request.AC_CPDReqEnergyTransferMode
        self.types.check_parameters(said)
        most, least = total(said, "EVMaximumChargePower"), total(said, "EVMinimumChargePower")
        if most <= 0 or least > self.max_watts():
            text = f"the vehicle takes {least:g} W to {most:g} W, the outlet gives {self.max_watts():g} W"
            raise Refusal(ResponseCode.FAILED_WrongChargeParameter, text, "V2G20-2272")
        self.vehicle = self.bounds = Range(most, max(0.0, total(said, "EVMaximumDischargePower")))
        return self._parameters(OK)

    def schedule_exchange(self, request: ScheduleExchangeReq) -> ScheduleExchangeRes:
        if not self.delivering:
            self.expect_state_b("it asks for power", "V2G20-1617")
        return super().schedule_exchange(request)

    def power_delivery(self, request: PowerDeliveryReq) -> Any:
        if request.ChargeProgress is ChargeProgress.Stop:
            self.delivering = False
            if not self.contactor.open():
                return LATER
        return super().power_delivery(request)

    def charge_loop(self, request: AC_ChargeLoopReq) -> AC_ChargeLoopRes:
        mode = request.CLReqControlMode
        self.types.check_mode(mode, dynamic=self.dynamic)
        fields = self.loop_fields(request)
        self.vehicle = Range(
            min(self.bounds.to, max(0.0, total(mode, "EVMaximumChargePower", self.vehicle.to))),
            min(self.bounds.back, max(0.0, total(mode, "EVMaximumDischargePower", self.vehicle.back))),
        )
        self.target = self._choose(mode) if isinstance(mode, Dynamic_AC_CLReqControlMode) else self._range().to
        self.station.measured()
        return AC_ChargeLoopRes(**fields, CLResControlMode=self._control())

    # What the common part asks

    def connector(self, service: Service) -> int | None:
        return AC_THREE_PHASE if self.outlet.limits().phases == 3 else AC_SINGLE_PHASE

    def nominal_volts(self) -> float:
        return self.outlet.limits().volts

    def max_watts(self) -> float:
        return self.outlet.limits().max_watts

    def max_watts_back(self) -> float:
        limits = self.outlet.limits()
        return limits.volts * limits.max_discharge_amps * limits.phases

    def begin(self) -> bool:
        return self.contactor.close()

    def rest(self) -> None:
        """The vehicle is told to draw nothing, in the charge loop."""

    def loop_code(self) -> ResponseCode:
        return ResponseCode.WARNING_EVPowerProfileViolation if self.contactor.exceeded else OK

    def look(self) -> None:
        self.contactor.look()

    @property
    def types(self) -> Types:
        """The types of the selected service."""
        return BOTH_WAYS if self.bidirectional else ONE_WAY

    # Power

    def _range(self) -> Range:
        """What may flow now: what the outlet can, within what is agreed and what the energy management wants."""
        limits = self.outlet.limits()
        to = min(self.ceiling(), self.outlet.available_amps() * limits.volts * limits.phases)
        return Range(max(0.0, to), min(self.limit_back(), self.max_watts_back()))

    def _choose(self, mode: Dynamic_AC_CLReqControlMode) -> float:
        """What a vehicle that leaves the power to the station shall draw; negative: give back."""
        managed, allowed = self.outlet.wanted_watts(), self._range()
        watts = allowed.to if managed is None else managed
        room, spare = number(mode.EVMaximumEnergyRequest), -number(least_energy(mode))
        watts = decisions.directed(watts, room_wh=room, spare_wh=spare)
        return max(-min(allowed.back, self.vehicle.back), min(watts, allowed.to, self.vehicle.to))

    def _amps(self) -> tuple[float, float]:
        """What may flow now, A in all phases."""
        volts, allowed = self.nominal_volts(), self._range()
        if self.dynamic:
            return max(0.0, self.target) / volts, max(0.0, -self.target) / volts
        return allowed.to / volts, allowed.back / volts

    # Phrases

    def refusals(self) -> Mapping[Kind, Callable[[ResponseCode], Any]]:
        return {
            **super().refusals(),
            AC_ChargeParameterDiscoveryReq: self._parameters,
            AC_ChargeLoopReq: lambda code: AC_ChargeLoopRes(
                Header=self.header(), ResponseCode=code, EVSEStatus=self.status(), CLResControlMode=self._control()
            ),
        }

    def _parameters(self, code: ResponseCode) -> AC_ChargeParameterDiscoveryRes:
        limits = self.outlet.limits()
        fields: dict[str, Any] = {
            "EVSEMaximumChargePower": rational(limits.max_watts),
            "EVSEMinimumChargePower": rational(limits.min_amps * limits.volts),
            "EVSENominalFrequency": rational(limits.hertz),
        }
        mode = AC_CPDResEnergyTransferMode(**fields)
        if self.bidirectional:
            mode = BPT_AC_CPDResEnergyTransferMode(
                **fields,
                EVSEMaximumDischargePower=rational(self.max_watts_back()),
                EVSEMinimumDischargePower=rational(0.0),
            )
        return AC_ChargeParameterDiscoveryRes(Header=self.header(), ResponseCode=code, AC_CPDResEnergyTransferMode=mode)

    def _control(self) -> CLResControlMode:
        """What the vehicle is to draw, in the words of the control mode. Under a schedule it is told where it may draw
        less than was agreed."""
        present = rational(self.outlet.volts() * self.outlet.amps())
        if self.dynamic:
            dynamic = BPT_Dynamic_AC_CLResControlMode if self.bidirectional else Dynamic_AC_CLResControlMode
            return dynamic(EVSETargetActivePower=rational(self.target), EVSEPresentActivePower=present)
        less = self.target < min(self.limit(), self.max_watts())
        scheduled = BPT_Scheduled_AC_CLResControlMode if self.bidirectional else Scheduled_AC_CLResControlMode
        return scheduled(EVSETargetActivePower=rational(self.target) if less else None, EVSEPresentActivePower=present)
