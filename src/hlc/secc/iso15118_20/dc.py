"""ISO 15118-20, what the station answers in DC, DC_BPT, MCS and MCS_BPT: limits, cable check, precharge, charge loop,
welding detection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from exi.messages.iso15118_20.dc import (
    BPT_DC_CPDReqEnergyTransferMode,
    BPT_DC_CPDResEnergyTransferMode,
    BPT_Dynamic_DC_CLReqControlMode,
    BPT_Dynamic_DC_CLResControlMode,
    BPT_Scheduled_DC_CLReqControlMode,
    BPT_Scheduled_DC_CLResControlMode,
    DC_CableCheckReq,
    DC_CableCheckRes,
    DC_ChargeLoopReq,
    DC_ChargeLoopRes,
    DC_ChargeParameterDiscoveryReq,
    DC_ChargeParameterDiscoveryRes,
    DC_CPDReqEnergyTransferMode,
    DC_CPDResEnergyTransferMode,
    DC_PreChargeReq,
    DC_PreChargeRes,
    DC_WeldingDetectionReq,
    DC_WeldingDetectionRes,
    Dynamic_DC_CLReqControlMode,
    Dynamic_DC_CLResControlMode,
    Scheduled_DC_CLReqControlMode,
    Scheduled_DC_CLResControlMode,
)
from exi.messages.iso15118_20.types import CLResControlMode, Processing, RationalNumber, ResponseCode
from hlc import decisions
from hlc.decisions import Granted
from hlc.flow import Refusal
from hlc.ports import BatteryLimits, Mode, SetPoint, SupplyLimits
from hlc.rules import Kind
from hlc.rules.iso15118_20.common import CP_OSCILLATOR_RETAIN_S
from hlc.rules.iso15118_20.dc import RULES
from hlc.rules.iso15118_20.services import DC_EXTENDED, MCS_CONNECTOR, Service
from hlc.rules.iso15118_20.values import SAID_AGAIN, number, rational
from hlc.secc import conversation
from hlc.secc.iso15118_20 import common
from hlc.secc.iso15118_20.modes import Types, least_energy
from hlc.secc.supply import NO_BATTERY, Supply

if TYPE_CHECKING:
    from hlc.secc.station import Station

OK: Final = ResponseCode.OK
CP_STATE_DETECTION_S: Final = 1.5
"""So long the station waits for state C after the first DC_CableCheckReq, as in DIN SPEC 70121."""
UPPER: Final = {
    "EVMaximumVoltage": "max_volts",
    "EVMaximumChargeCurrent": "max_amps",
    "EVMaximumChargePower": "max_watts",
    "EVMaximumDischargeCurrent": "max_discharge_amps",
    "EVMaximumDischargePower": "max_discharge_watts",
}
"""The upper limits that a charge loop request may lower, by their elements."""


ONE_WAY: Final = Types(DC_CPDReqEnergyTransferMode, Scheduled_DC_CLReqControlMode, Dynamic_DC_CLReqControlMode)
BOTH_WAYS: Final = Types(
    BPT_DC_CPDReqEnergyTransferMode, BPT_Scheduled_DC_CLReqControlMode, BPT_Dynamic_DC_CLReqControlMode
)


class Conversation(common.Conversation):
    """One session of DC charging in ISO 15118-20 at the station."""

    rules = RULES
    modes = frozenset({Mode.DC, Mode.DC_BPT, Mode.MCS, Mode.MCS_BPT})
    oscillator_retain_s = CP_OSCILLATOR_RETAIN_S
    discovery = DC_ChargeParameterDiscoveryReq

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.supply = Supply(self, pilot_s=CP_STATE_DETECTION_S)
        self.outlet = self.supply.outlet
        self.bounds = NO_BATTERY
        """What the vehicle accepts at most, as it said in DC_ChargeParameterDiscoveryReq."""

    def handlers(self) -> Mapping[Kind, conversation.Handler]:
        return {
            **super().handlers(),
            DC_ChargeParameterDiscoveryReq: self.charge_parameter_discovery,
            DC_CableCheckReq: self.cable_check,
            DC_PreChargeReq: self.pre_charge,
            DC_ChargeLoopReq: self.charge_loop,
            DC_WeldingDetectionReq: self.welding_detection,
        }

    # Handlers

    def charge_parameter_discovery(self, request: DC_ChargeParameterDiscoveryReq) -> DC_ChargeParameterDiscoveryRes:
        said = request.DC_CPDReqEnergyTransferMode
        self.types.check_parameters(said)
        battery = BatteryLimits(
            max_volts=number(said.EVMaximumVoltage),
            max_amps=number(said.EVMaximumChargeCurrent),
            max_watts=number(said.EVMaximumChargePower),
            capacity_wh=0.0,
            min_volts=number(said.EVMinimumVoltage),
            min_amps=number(said.EVMinimumChargeCurrent),
        )
        if isinstance(said, BPT_DC_CPDReqEnergyTransferMode):
            battery = battery._replace(
                max_discharge_amps=max(0.0, number(said.EVMaximumDischargeCurrent)),
                max_discharge_watts=max(0.0, number(said.EVMaximumDischargePower)),
            )
        if misfit := decisions.incompatible(battery, self.outlet.limits()):
            raise Refusal(ResponseCode.FAILED_WrongChargeParameter, misfit, "V2G20-2272")
        self.supply.vehicle = self.bounds = battery
        return self._parameters(OK)

    def cable_check(self, request: DC_CableCheckReq) -> DC_CableCheckRes:
        processing = Processing.Finished if self.supply.cable_check() else Processing.Ongoing
        return DC_CableCheckRes(Header=self.header(), ResponseCode=OK, EVSEProcessing=processing)

    def pre_charge(self, request: DC_PreChargeReq) -> DC_PreChargeRes:
        self.supply.pre_charge(request, SetPoint(number(request.EVTargetVoltage), 0.0))
        return self._pre_charge(OK)

    def charge_loop(self, request: DC_ChargeLoopReq) -> DC_ChargeLoopRes:
        mode = request.CLReqControlMode
        self.types.check_mode(mode, dynamic=self.dynamic)
        fields = self.loop_fields(request)
        limits = self.available()
        self._take_limits(mode)
        if isinstance(mode, Dynamic_DC_CLReqControlMode):
            self.supply.wanted = decisions.operating_point(
                self.outlet.wanted_watts(),
                self.supply.vehicle,
                self.outlet.volts(),
                room_wh=number(mode.EVMaximumEnergyRequest),
                spare_wh=-number(least_energy(mode)),
            )
        else:
            assert isinstance(mode, Scheduled_DC_CLReqControlMode)
            wish = SetPoint(number(mode.EVTargetVoltage), number(mode.EVTargetCurrent))
            self.supply.want(wish, back=self.bidirectional)
        return self._charge_loop(self.supply.deliver(limits), limits, fields)

    def welding_detection(self, request: DC_WeldingDetectionReq) -> DC_WeldingDetectionRes:
        self.supply.welding_detection(request)
        return self._welding_detection(OK)

    # What the common part asks

    def connector(self, service: Service) -> int | None:
        return MCS_CONNECTOR if service in (Service.MCS, Service.MCS_BPT) else DC_EXTENDED

    def max_watts(self) -> float:
        return self.outlet.limits().max_watts

    def max_watts_back(self) -> float:
        return self.outlet.limits().max_discharge_watts

    def begin(self) -> bool:
        self.supply.begin()
        return True

    def rest(self) -> None:
        if self.delivering:
            self.outlet.output(self.outlet.volts(), 0.0)

    def renew(self) -> None:
        super().renew()
        self.supply.renew()

    def winding_down(self, request: Any) -> bool:
        return isinstance(request, DC_WeldingDetectionReq) or super().winding_down(request)

    def look(self) -> None:
        self.supply.look()

    @property
    def types(self) -> Types:
        """The types of the selected service."""
        return BOTH_WAYS if self.bidirectional else ONE_WAY

    def available(self) -> SupplyLimits:
        """What may flow now: what the outlet can, within what is agreed and what the energy management wants."""
        limits = self.outlet.limits()
        most = min(limits.max_watts, self.ceiling())
        back = min(limits.max_discharge_watts, self.limit_back())
        if (most, back) == (limits.max_watts, limits.max_discharge_watts):
            return limits
        return limits._replace(max_watts=most, max_discharge_watts=back)

    # What the vehicle says

    def _take_limits(self, mode: Any) -> None:
        """Take over the limits of a charge loop request, never beyond the first ones. [V2G20-2654], [V2G20-2655]"""
        told = {}
        for element, limit in UPPER.items():
            said: RationalNumber | None = getattr(mode, element, None)
            if said is not None:
                told[limit] = min(getattr(self.bounds, limit), max(0.0, number(said)))
        if told.get("max_volts") == 0.0:  # nonsense
            del told["max_volts"]
        least: RationalNumber | None = getattr(mode, "EVMinimumVoltage", None)
        if least is not None:
            told["min_volts"] = max(number(least), self.bounds.min_volts)
        self.supply.vehicle = self.supply.vehicle._replace(**told)

    # Phrases

    def refusals(self) -> Mapping[Kind, Callable[[ResponseCode], Any]]:
        return {
            **super().refusals(),
            DC_ChargeParameterDiscoveryReq: self._parameters,
            DC_CableCheckReq: lambda code: DC_CableCheckRes(
                Header=self.header(), ResponseCode=code, EVSEProcessing=Processing.Finished
            ),
            DC_PreChargeReq: self._pre_charge,
            DC_ChargeLoopReq: lambda code: self._charge_loop(
                Granted(0.0, 0.0, False, False, False),
                self.available(),
                {"Header": self.header(), "ResponseCode": code, "EVSEStatus": self.status()},
            ),
            DC_WeldingDetectionReq: self._welding_detection,
        }

    def _parameters(self, code: ResponseCode) -> DC_ChargeParameterDiscoveryRes:
        limits = self.outlet.limits()
        fields = {
            "EVSEMaximumChargePower": rational(limits.max_watts),
            "EVSEMinimumChargePower": rational(limits.min_amps * limits.min_volts),
            "EVSEMaximumChargeCurrent": rational(limits.max_amps),
            "EVSEMinimumChargeCurrent": rational(limits.min_amps),
            "EVSEMaximumVoltage": rational(limits.max_volts),
            "EVSEMinimumVoltage": rational(limits.min_volts),
        }
        if not self.bidirectional:
            mode = DC_CPDResEnergyTransferMode(**fields)
        else:
            mode = BPT_DC_CPDResEnergyTransferMode(
                **fields,
                EVSEMaximumDischargePower=rational(limits.max_discharge_watts),
                EVSEMinimumDischargePower=rational(0.0),
                EVSEMaximumDischargeCurrent=rational(limits.max_discharge_amps),
                EVSEMinimumDischargeCurrent=rational(0.0),
            )
        return DC_ChargeParameterDiscoveryRes(Header=self.header(), ResponseCode=code, DC_CPDResEnergyTransferMode=mode)

    def _pre_charge(self, code: ResponseCode) -> DC_PreChargeRes:
        return DC_PreChargeRes(
            Header=self.header(), ResponseCode=code, EVSEPresentVoltage=rational(self.outlet.volts())
        )

    def _charge_loop(self, granted: Granted, limits: SupplyLimits, fields: dict[str, Any]) -> DC_ChargeLoopRes:
        return DC_ChargeLoopRes(
            **fields,
            EVSEPresentCurrent=rational(self.outlet.amps()),
            EVSEPresentVoltage=rational(self.outlet.volts()),
            EVSEPowerLimitAchieved=granted.power_limited,
            EVSECurrentLimitAchieved=granted.current_limited,
            EVSEVoltageLimitAchieved=granted.voltage_limited,
            CLResControlMode=offered(limits, dynamic=self.dynamic, bidirectional=self.bidirectional),
        )

    def _welding_detection(self, code: ResponseCode) -> DC_WeldingDetectionRes:
        return DC_WeldingDetectionRes(
            Header=self.header(), ResponseCode=code, EVSEPresentVoltage=rational(self.outlet.volts())
        )


@lru_cache(SAID_AGAIN)
def offered(limits: SupplyLimits, *, dynamic: bool, bidirectional: bool) -> CLResControlMode:
    """What the station can give now, in the words of the control mode. It says the same in nearly all its answers."""
    fields: dict[str, Any] = {
        "EVSEMaximumChargePower": rational(limits.max_watts),
        "EVSEMinimumChargePower": rational(min(limits.max_watts, limits.min_amps * limits.min_volts)),
        "EVSEMaximumChargeCurrent": rational(limits.max_amps),
        "EVSEMaximumVoltage": rational(limits.max_volts),
    }
    if not bidirectional:
        return (Dynamic_DC_CLResControlMode if dynamic else Scheduled_DC_CLResControlMode)(**fields)
    return (BPT_Dynamic_DC_CLResControlMode if dynamic else BPT_Scheduled_DC_CLResControlMode)(
        **fields,
        EVSEMaximumDischargePower=rational(limits.max_discharge_watts),
        EVSEMinimumDischargePower=rational(0.0),
        EVSEMaximumDischargeCurrent=rational(limits.max_discharge_amps),
        EVSEMinimumVoltage=rational(limits.min_volts),
    )
