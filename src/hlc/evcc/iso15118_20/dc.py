"""ISO 15118-20, what the vehicle asks in DC, DC_BPT, MCS and MCS_BPT: limits, cable check, precharge, charge loop,
welding detection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from exi.messages.iso15118_20.common import PowerDeliveryReq, PowerDeliveryRes, SessionStopReq
from exi.messages.iso15118_20.dc import (
    BPT_DC_CPDReqEnergyTransferMode,
    BPT_DC_CPDResEnergyTransferMode,
    BPT_Dynamic_DC_CLReqControlMode,
    BPT_Scheduled_DC_CLReqControlMode,
    DC_CableCheckReq,
    DC_CableCheckRes,
    DC_ChargeLoopReq,
    DC_ChargeLoopRes,
    DC_ChargeParameterDiscoveryReq,
    DC_ChargeParameterDiscoveryRes,
    DC_CPDReqEnergyTransferMode,
    DC_PreChargeReq,
    DC_PreChargeRes,
    DC_WeldingDetectionReq,
    DC_WeldingDetectionRes,
    Dynamic_DC_CLReqControlMode,
    Scheduled_DC_CLReqControlMode,
)
from exi.messages.iso15118_20.types import CLReqControlMode, Processing
from hlc import decisions
from hlc.evcc.dc import NOTHING
from hlc.evcc.inlet import Inlet
from hlc.evcc.iso15118_20 import common
from hlc.evcc.iso15118_20.common import percent
from hlc.ports import BatteryLimits, Mode, SetPoint
from hlc.rules import Kind
from hlc.rules.answers import finished
from hlc.rules.iso15118_20.dc import RULES
from hlc.rules.iso15118_20.values import maybe, number, rational

if TYPE_CHECKING:
    from hlc.evcc.vehicle import Vehicle


class Conversation(common.Conversation):
    """One session of DC charging in ISO 15118-20 in the vehicle."""

    rules = RULES
    modes = frozenset({Mode.DC, Mode.DC_BPT, Mode.MCS, Mode.MCS_BPT})
    discovery = DC_ChargeParameterDiscoveryReq
    after_stop: ClassVar[tuple[Kind, ...]] = (PowerDeliveryRes, DC_WeldingDetectionRes)
    paces: ClassVar[Mapping[Kind, float]] = {
        **common.Conversation.paces,
        DC_CableCheckReq: 0.25,
        DC_PreChargeReq: 0.1,
        DC_ChargeLoopReq: 0.1,
        DC_WeldingDetectionReq: 0.1,
    }

    def __init__(self, vehicle: Vehicle) -> None:
        super().__init__(vehicle)
        self.inlet = Inlet(self)
        self.ev = self.inlet.ev
        self.supply = NOTHING
        """What the station can give, and take, as it said last."""

    def choices(self) -> Mapping[Kind, Callable[[Any, Any], Kind | None]]:
        return {
            **super().choices(),
            DC_ChargeParameterDiscoveryRes: lambda req, res: self.parameters_known(),
            DC_CableCheckRes: lambda req, res: DC_PreChargeReq if finished(res) else DC_CableCheckReq,
            DC_PreChargeRes: self.after_pre_charge,
            DC_ChargeLoopRes: self.after_charge_loop,
            DC_WeldingDetectionRes: self.after_welding_detection,
        }

    def requests(self) -> Mapping[Kind, Callable[[], Any]]:
        return {
            **super().requests(),
            DC_ChargeParameterDiscoveryReq: self.charge_parameter_discovery,
            DC_CableCheckReq: lambda: DC_CableCheckReq(Header=self.header()),
            DC_PreChargeReq: self.pre_charge,
            DC_ChargeLoopReq: self.charge_loop,
            DC_WeldingDetectionReq: self.welding_detection,
        }

    # Choices

    def approach(self) -> Kind | None:
        return self.inlet.begin(self.supply.max_volts, DC_CableCheckReq)

    def after_pre_charge(self, request: DC_PreChargeReq, response: DC_PreChargeRes) -> Kind | None:
        if request.EVProcessing is Processing.Finished:  # [V2G20-2006]
            self.delivering = True
            return PowerDeliveryReq
        self.inlet.close()
        return DC_PreChargeReq

    def loop(self) -> Kind:
        return DC_ChargeLoopReq

    def after_charge_loop(self, request: DC_ChargeLoopReq, response: DC_ChargeLoopRes) -> Kind | None:
        resting = _target_amps(request.CLReqControlMode) == 0 and self.inlet.resting()
        if not self.leaving():
            self.forget("ramp")
        return self.after_loop(request, response, resting=resting)

    def stopped(self) -> Kind | None:
        self.vehicle.live = False
        if not self.inlet.opened():
            return None
        return DC_WeldingDetectionReq if self.vehicle.settings.welding_detection else SessionStopReq

    def after_welding_detection(self, request: DC_WeldingDetectionReq, response: DC_WeldingDetectionRes) -> Kind | None:
        return SessionStopReq if request.EVProcessing is Processing.Finished else DC_WeldingDetectionReq

    # What an answer says beside its purpose

    def answered(self, request: Any, response: Any) -> None:
        super().answered(request, response)
        if isinstance(response, DC_PreChargeRes | DC_WeldingDetectionRes):
            self.ev.reported(number(response.EVSEPresentVoltage), None)
            self.vehicle.measured()
        elif isinstance(response, DC_ChargeLoopRes):
            self.ev.reported(number(response.EVSEPresentVoltage), number(response.EVSEPresentCurrent))
            self._take_limits(response.CLResControlMode)
            self.vehicle.measured()
        elif isinstance(response, DC_ChargeParameterDiscoveryRes):
            said = response.DC_CPDResEnergyTransferMode
            if isinstance(said, BPT_DC_CPDResEnergyTransferMode) is not self.bidirectional:
                self.leave(f"the station sends {type(said).__name__} for service {self._service}")
            self._take_limits(said)

    def _take_limits(self, said: Any) -> None:
        """Take over the station's limits as far as a message carries them."""

        def told(name: str, last: float) -> float:
            return max(0.0, maybe(getattr(said, name, None), last))

        old = self.supply
        self.supply = old._replace(
            max_volts=told("EVSEMaximumVoltage", old.max_volts) or old.max_volts,
            max_amps=told("EVSEMaximumChargeCurrent", old.max_amps),
            max_watts=told("EVSEMaximumChargePower", old.max_watts),
            min_volts=told("EVSEMinimumVoltage", old.min_volts),
            max_discharge_amps=told("EVSEMaximumDischargeCurrent", old.max_discharge_amps),
            max_discharge_watts=told("EVSEMaximumDischargePower", old.max_discharge_watts),
        )

    @property
    def _service(self) -> str:
        return self.choice.chosen.service.name if self.choice.chosen is not None else "none"

    # Requests

    def charge_parameter_discovery(self) -> DC_ChargeParameterDiscoveryReq:
        limits = self.ev.limits()
        fields: dict[str, Any] = {
            "EVMaximumChargePower": rational(limits.max_watts),
            "EVMinimumChargePower": rational(limits.min_amps * limits.min_volts),
            "EVMaximumChargeCurrent": rational(limits.max_amps),
            "EVMinimumChargeCurrent": rational(limits.min_amps),
            "EVMaximumVoltage": rational(limits.max_volts),
            "EVMinimumVoltage": rational(limits.min_volts),
            "TargetSOC": percent(self.ev.target_soc()),
        }
        if not self.bidirectional:
            mode = DC_CPDReqEnergyTransferMode(**fields)
        else:
            mode = BPT_DC_CPDReqEnergyTransferMode(
                **fields,
                EVMaximumDischargePower=rational(limits.max_discharge_watts),
                EVMinimumDischargePower=rational(0.0),
                EVMaximumDischargeCurrent=rational(limits.max_discharge_amps),
                EVMinimumDischargeCurrent=rational(0.0),
            )
        return DC_ChargeParameterDiscoveryReq(Header=self.header(), DC_CPDReqEnergyTransferMode=mode)

    def pre_charge(self) -> DC_PreChargeReq:
        closed = self.ev.contactors_closed()
        return DC_PreChargeReq(
            Header=self.header(),
            EVProcessing=Processing.Finished if closed else Processing.Ongoing,
            EVPresentVoltage=rational(self.ev.inlet_volts()),
            EVTargetVoltage=rational(self.ev.battery_volts()),
        )

    def charge_loop(self) -> DC_ChargeLoopReq:
        limits = self.ev.limits()
        mode = self._dynamic(limits) if self.dynamic else self._scheduled(limits)
        return DC_ChargeLoopReq(
            **self.loop_fields(), EVPresentVoltage=rational(self.ev.inlet_volts()), CLReqControlMode=mode
        )

    def _scheduled(self, limits: BatteryLimits) -> CLReqControlMode:
        target = self._target(limits)
        fields: dict[str, Any] = {
            **self.energies(),
            "EVTargetCurrent": rational(target.amps),
            "EVTargetVoltage": rational(target.volts),
            # Stations exist that deliver nothing where these are missing.
            "EVMaximumChargePower": rational(limits.max_watts),
            "EVMaximumChargeCurrent": rational(limits.max_amps),
            "EVMaximumVoltage": rational(limits.max_volts),
            "EVMinimumVoltage": rational(limits.min_volts),
        }
        if not self.bidirectional:
            return Scheduled_DC_CLReqControlMode(**fields)
        return BPT_Scheduled_DC_CLReqControlMode(
            **fields,
            EVMaximumDischargePower=rational(limits.max_discharge_watts),
            EVMaximumDischargeCurrent=rational(limits.max_discharge_amps),
        )

    def _dynamic(self, limits: BatteryLimits) -> CLReqControlMode:
        """The range in which the station may choose: what the battery takes now, and may give."""
        volts = self.ev.battery_volts()
        amps = 0.0 if self.leaving() or self.complete() else max(0.0, self.ev.target().amps)
        gives = self.may_give() and not self.leaving()
        needs = self.energies()
        fields: dict[str, Any] = {
            **needs,
            "DepartureTime": self.departure_s(),
            "EVMaximumChargePower": rational(min(limits.max_watts, amps * volts)),
            "EVMinimumChargePower": rational(0.0),
            "EVMaximumChargeCurrent": rational(amps),
            "EVMaximumVoltage": rational(limits.max_volts),
            "EVMinimumVoltage": rational(limits.min_volts),
        }
        if not self.bidirectional:
            return Dynamic_DC_CLReqControlMode(**fields)
        return BPT_Dynamic_DC_CLReqControlMode(
            **fields,
            EVMaximumDischargePower=rational(limits.max_discharge_watts if gives else 0.0),
            EVMinimumDischargePower=rational(0.0),
            EVMaximumDischargeCurrent=rational(limits.max_discharge_amps if gives else 0.0),
            EVMaximumV2XEnergyRequest=needs["EVMaximumEnergyRequest"],
            EVMinimumV2XEnergyRequest=needs["EVMinimumEnergyRequest"],
        )

    def welding_detection(self) -> DC_WeldingDetectionReq:
        processing = Processing.Finished if self.inlet.dead() else Processing.Ongoing
        return DC_WeldingDetectionReq(Header=self.header(), EVProcessing=processing)

    def watts(self) -> float:
        limits = self.ev.limits()
        return min(limits.max_watts, limits.max_amps * self.ev.battery_volts())

    def watts_back(self) -> float:
        limits = self.ev.limits()
        return min(limits.max_discharge_watts, limits.max_discharge_amps * self.ev.battery_volts())

    def _target(self, limits: BatteryLimits) -> SetPoint:
        """What to ask for: the plan, within the battery's wish and the station's limits; negative: back."""
        wish, supply, battery = self.ev.target(), self.supply, self.ev.battery_volts()
        planned = self.plan.watts(self.vehicle.now) / battery if self.plan is not None else 0.0
        volts = min(wish.volts, decisions.highest_volts(supply.max_volts))
        if self.leaving() or self.standing_by:
            return SetPoint(volts, 0.0)
        if planned >= 0:
            return SetPoint(volts, max(0.0, min(planned, wish.amps, supply.max_amps, supply.max_watts / battery)))
        if not self.may_give():
            return SetPoint(volts, 0.0)
        most = min(limits.max_discharge_amps, supply.max_discharge_amps, supply.max_discharge_watts / battery)
        return SetPoint(max(limits.min_volts, supply.min_volts), -min(-planned, most))


def _target_amps(mode: CLReqControlMode) -> float:
    """What a request lets flow at most, in either direction."""
    if isinstance(mode, Scheduled_DC_CLReqControlMode):
        return number(mode.EVTargetCurrent)
    assert isinstance(mode, Dynamic_DC_CLReqControlMode)
    back = number(mode.EVMaximumDischargeCurrent) if isinstance(mode, BPT_Dynamic_DC_CLReqControlMode) else 0.0
    return max(number(mode.EVMaximumChargeCurrent), back)
