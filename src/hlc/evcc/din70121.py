"""DIN SPEC 70121, what the vehicle asks: per answer, the choice among the requests that `rules` allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from exi.messages.din70121 import (
    CableCheckReq,
    CableCheckRes,
    ChargeParameterDiscoveryReq,
    ChargeParameterDiscoveryRes,
    ContractAuthenticationReq,
    ContractAuthenticationRes,
    CurrentDemandReq,
    CurrentDemandRes,
    DC_EVChargeParameter,
    DC_EVErrorCode,
    DC_EVPowerDeliveryParameter,
    DC_EVSEChargeParameter,
    DC_EVSEStatusCode,
    DC_EVStatus,
    EVRequestedEnergyTransfer,
    EVSENotification,
    PaymentOption,
    PhysicalValue,
    PowerDeliveryReq,
    PowerDeliveryRes,
    PreChargeReq,
    PreChargeRes,
    SelectedService,
    SelectedServiceList,
    ServiceCategory,
    ServiceDiscoveryReq,
    ServiceDiscoveryRes,
    ServicePaymentSelectionReq,
    ServicePaymentSelectionRes,
    SessionSetupReq,
    SessionSetupRes,
    SessionStopReq,
    UnitSymbol,
    WeldingDetectionReq,
    WeldingDetectionRes,
)
from hlc import decisions
from hlc.decisions import value
from hlc.evcc import conversation
from hlc.ports import BatteryLimits, DcEV, SetPoint, SupplyLimits
from hlc.rules import Kind
from hlc.rules.answers import finished
from hlc.rules.din70121 import RULES, status_of
from hlc.trace.events import Blame

if TYPE_CHECKING:
    from hlc.evcc.vehicle import Vehicle

PACES: Final[Mapping[Kind, float]] = {
    ContractAuthenticationReq: 0.25,
    ChargeParameterDiscoveryReq: 0.25,
    CableCheckReq: 0.25,
    PreChargeReq: 0.1,
    CurrentDemandReq: 0.1,
    WeldingDetectionReq: 0.1,
}
"""s between repeated requests. Cars of the field take about these times; answers come faster and must not flood the
line."""
WELDING_DETECTION_S: Final = 3.0
"""So long the voltage at the inlet is awaited to fall: some stations hold it for ever."""
RAMP_DOWN_S: Final = 3.0
"""So long the current is awaited to fall after 0 A was asked for."""
RAMPED_AMPS: Final = 2.0
"""Below this the ramp has ended. Contactors wait for less; but some stations show an ampere where there is none."""
OPENING_S: Final = 1.0
"""So long the contactors are awaited to open."""

GO_ON: Final = frozenset(
    {
        DC_EVSEStatusCode.EVSE_Ready,
        DC_EVSEStatusCode.EVSE_NotReady,
        DC_EVSEStatusCode.EVSE_IsolationMonitoringActive,
    }
)
ABORT: Final = frozenset({DC_EVSEStatusCode.EVSE_EmergencyShutdown, DC_EVSEStatusCode.EVSE_Malfunction})
NOTHING: Final = SupplyLimits(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def physical(number: float, unit: UnitSymbol) -> PhysicalValue:
    """A quantity."""
    multiplier, mantissa = decisions.scaled(number)
    return PhysicalValue(Multiplier=multiplier, Unit=unit, Value=mantissa)


class Conversation(conversation.Conversation):
    """One session of DIN SPEC 70121 in the vehicle."""

    rules = RULES

    def choices(self) -> Mapping[Kind, Callable[[Any, Any], Kind | None]]:
        """What follows each answer, while nothing asks for an end."""
        return {
            SessionSetupRes: lambda req, res: ServiceDiscoveryReq,
            ServiceDiscoveryRes: self.after_service_discovery,
            ServicePaymentSelectionRes: lambda req, res: ContractAuthenticationReq,
            ContractAuthenticationRes: self.after_contract_authentication,
            ChargeParameterDiscoveryRes: self.after_charge_parameter_discovery,
            CableCheckRes: self.after_cable_check,
            PreChargeRes: self.after_pre_charge,
            PowerDeliveryRes: self.after_power_delivery,
            CurrentDemandRes: self.after_current_demand,
            WeldingDetectionRes: self.after_welding_detection,
        }

    def requests(self) -> Mapping[Kind, Callable[[], Any]]:
        """How each request is filled."""
        return {
            SessionSetupReq: self.session_setup,
            ServiceDiscoveryReq: self.service_discovery,
            ServicePaymentSelectionReq: self.service_payment_selection,
            ContractAuthenticationReq: ContractAuthenticationReq,
            ChargeParameterDiscoveryReq: self.charge_parameter_discovery,
            CableCheckReq: self.cable_check,
            PreChargeReq: self.pre_charge,
            PowerDeliveryReq: self.power_delivery,
            CurrentDemandReq: self.current_demand,
            WeldingDetectionReq: self.welding_detection,
            SessionStopReq: SessionStopReq,
        }

    def __init__(self, vehicle: Vehicle) -> None:
        super().__init__(vehicle)
        self.ev = cast(DcEV, vehicle.ev)
        self.supply = NOTHING
        """What the station can give, as it said last."""
        self.delivering = False
        """Whether PowerDelivery has begun and not been ended."""
        self._choices = self.choices()
        self._requests = self.requests()
        self._since: dict[str, float] = {}

    # Choices

    def choose(self, request: Any, response: Any, allowed: frozenset[Kind]) -> Kind | None:
        if self.vehicle.stopping is not None and not self.delivering and SessionStopReq in allowed:
            return self._end_before_delivery(request, response)
        return self._choices[type(response)](request, response)

    def _end_before_delivery(self, request: Any, response: Any) -> Kind | None:
        """No power was agreed: contactors open (in precharge they may be closed already), then SessionStopReq. State B
        comes after it: stations take it for an emergency while they hold a voltage."""
        if isinstance(response, PowerDeliveryRes | WeldingDetectionRes):
            return self._choices[type(response)](request, response)
        self.ev.open_contactors(emergency=False)
        if self.ev.contactors_closed() and self._waited("opening") < OPENING_S:
            return None
        return SessionStopReq

    def after_service_discovery(self, request: Any, response: ServiceDiscoveryRes) -> Kind | None:
        if PaymentOption.ExternalPayment not in response.PaymentOptions.PaymentOption:
            return self._leave("the station does not offer external payment")
        offered = response.ChargeService.EnergyTransferType
        if "DC" not in offered.value:
            return self._leave(f"the station offers {offered.value}, this vehicle takes DC")
        return ServicePaymentSelectionReq

    def after_contract_authentication(self, request: Any, response: ContractAuthenticationRes) -> Kind | None:
        return ChargeParameterDiscoveryReq if finished(response) else ContractAuthenticationReq

    def after_charge_parameter_discovery(self, request: Any, response: ChargeParameterDiscoveryRes) -> Kind | None:
        if not finished(response):
            return ChargeParameterDiscoveryReq
        highest, battery = self.supply.max_volts, self.ev.battery_volts()
        if 0 < highest < battery:
            return self._leave(f"the station gives {highest:g} V at most, the battery is at {battery:.0f} V")
        self.ev.lock_connector()
        if not self.ev.connector_locked():
            return None
        # State C now, not earlier: stations go to fault where it comes before the cable check (ABB).
        self.vehicle.go_live()
        return CableCheckReq

    def after_cable_check(self, request: Any, response: CableCheckRes) -> Kind | None:
        if not finished(response):
            return CableCheckReq
        if PreChargeReq not in RULES.then(request, response):
            status = response.DC_EVSEStatus
            return self._leave(f"cable check: isolation {status.EVSEIsolationStatus}, {status.EVSEStatusCode}")
        return PreChargeReq

    def after_pre_charge(self, request: Any, response: PreChargeRes) -> Kind | None:
        if self.ev.contactors_closed():
            self.delivering = True
            return PowerDeliveryReq
        # The inlet decides, not what the station says that it measures.
        if decisions.matched(self.ev.inlet_volts(), self.ev.battery_volts()):
            self.ev.close_contactors()
        return PreChargeReq

    def after_power_delivery(self, request: PowerDeliveryReq, response: PowerDeliveryRes) -> Kind | None:
        if request.ReadyToChargeState:
            return CurrentDemandReq
        # The station has switched off: state B, then contactors, then see whether they have opened.
        self.vehicle.make_safe(emergency=False)
        if self.ev.contactors_closed() and self._waited("opening") < OPENING_S:
            return None
        return WeldingDetectionReq

    def after_current_demand(self, request: CurrentDemandReq, response: CurrentDemandRes) -> Kind | None:
        if not self._ending():
            return CurrentDemandReq
        asked_for_none = value(request.EVTargetCurrent) <= 0
        current = self.ev.amps() >= RAMPED_AMPS
        if not asked_for_none or (current and self._waited("ramp") < RAMP_DOWN_S):
            return CurrentDemandReq
        self.delivering = False
        return PowerDeliveryReq

    def after_welding_detection(self, request: Any, response: WeldingDetectionRes) -> Kind | None:
        if self.ev.inlet_volts() < decisions.SAFE_VOLTS:
            return SessionStopReq
        if self._waited("welding") < WELDING_DETECTION_S:
            return WeldingDetectionReq
        self.vehicle.note(f"the inlet is still at {self.ev.inlet_volts():.0f} V after {WELDING_DETECTION_S:g} s")
        return SessionStopReq

    # What an answer says beside its purpose

    def answered(self, request: Any, response: Any) -> None:
        if isinstance(response, PreChargeRes | WeldingDetectionRes):
            self.ev.reported(value(response.EVSEPresentVoltage), None)
            self.vehicle.measured()
        elif isinstance(response, CurrentDemandRes):
            self.ev.reported(value(response.EVSEPresentVoltage), value(response.EVSEPresentCurrent))
            self._supply_limits(response)
            self.vehicle.measured()
        elif isinstance(response, ChargeParameterDiscoveryRes):
            if isinstance(response.EVSEChargeParameter, DC_EVSEChargeParameter):
                self._supply_limits(response.EVSEChargeParameter)
            elif finished(response):
                self._leave("the station sends no parameters of a DC outlet")
        self._heed(response)

    def _heed(self, response: Any) -> None:
        """Stations say that they stop by the status code, by the notification or by both: look at both, in every
        answer."""
        status = status_of(response)
        if status is None or isinstance(response, WeldingDetectionRes):
            return
        code, notification = status.EVSEStatusCode, status.EVSENotification
        if code in ABORT:
            if self.vehicle.live or self.vehicle.stopping is None:
                self.vehicle.emergency(Blame.REMOTE, f"the station reports {code.value}")
        elif self.vehicle.stopping is not None or self._over(response):
            return
        elif code not in GO_ON or notification is EVSENotification.StopCharging:
            self.vehicle.stopping = f"stopped by the station ({code.value}, {notification.value})"
            self.vehicle.note(self.vehicle.stopping)

    def _over(self, response: Any) -> bool:
        """Whether this is the answer to the end of power delivery: there a shutdown is what was asked for."""
        return isinstance(response, PowerDeliveryRes) and not self.delivering

    def _supply_limits(self, said: Any) -> None:
        """Take over the station's limits as far as a message carries them. EVSEMaximumPowerLimit is optional."""
        old = self.supply
        given = [
            value(limit) if limit is not None else None
            for limit in (said.EVSEMaximumVoltageLimit, said.EVSEMaximumCurrentLimit, said.EVSEMaximumPowerLimit)
        ]
        self.supply = old._replace(
            max_volts=old.max_volts if given[0] is None else given[0],
            max_amps=old.max_amps if given[1] is None else given[1],
            max_watts=old.max_watts if given[2] is None else given[2],
        )

    def look(self) -> None:
        error = self.ev.error()
        if error != DC_EVErrorCode.NO_ERROR and self.vehicle.stopping is None:
            self.vehicle.fault(Blame.SETUP, f"the vehicle reports {error}")
            self.vehicle.stopping = f"the vehicle reports {error}"

    def _leave(self, reason: str) -> Kind:
        """Nothing to be had here: end in order."""
        if self.vehicle.stopping is None:
            self.vehicle.fault(Blame.REMOTE, reason)
            self.vehicle.stopping = reason
        return SessionStopReq

    def _ending(self) -> bool:
        """Whether the flow of energy is to end."""
        return self.vehicle.stopping is not None or self._complete()

    def _complete(self) -> bool:
        return self.ev.soc() >= self.ev.target_soc()

    def _waited(self, what: str) -> float:
        """Seconds since this was first waited for."""
        return self.vehicle.now - self._since.setdefault(what, self.vehicle.now)

    # Requests

    def pace_s(self, kind: Kind) -> float:
        return PACES.get(kind, 0.0)

    def build(self, kind: Kind) -> Any:
        return self._requests[kind]()

    def session_setup(self) -> SessionSetupReq:
        return SessionSetupReq(EVCCID=self.vehicle.settings.EVCCID)

    def service_discovery(self) -> ServiceDiscoveryReq:
        return ServiceDiscoveryReq(ServiceCategory=ServiceCategory.EVCharging)

    def service_payment_selection(self) -> ServicePaymentSelectionReq:
        return ServicePaymentSelectionReq(
            SelectedPaymentOption=PaymentOption.ExternalPayment,
            SelectedServiceList=SelectedServiceList(SelectedService=[SelectedService(ServiceID=1)]),
        )

    def charge_parameter_discovery(self) -> ChargeParameterDiscoveryReq:
        limits = self.ev.limits()
        wanted_wh = max(0.0, self.ev.target_soc() - self.ev.soc()) / 100 * limits.capacity_wh
        return ChargeParameterDiscoveryReq(
            EVRequestedEnergyTransferType=EVRequestedEnergyTransfer.DC_extended,
            # All that is known: stations end the session where optional values are missing.
            EVChargeParameter=DC_EVChargeParameter(
                DC_EVStatus=self._status(),
                EVMaximumCurrentLimit=physical(limits.max_amps, UnitSymbol.A),
                EVMaximumPowerLimit=physical(limits.max_watts, UnitSymbol.W),
                EVMaximumVoltageLimit=physical(limits.max_volts, UnitSymbol.V),
                EVEnergyCapacity=physical(limits.capacity_wh, UnitSymbol.Wh),
                EVEnergyRequest=physical(wanted_wh, UnitSymbol.Wh),
                FullSOC=100,
                BulkSOC=round(self.ev.bulk_soc()),
            ),
        )

    def cable_check(self) -> CableCheckReq:
        return CableCheckReq(DC_EVStatus=self._status())

    def pre_charge(self) -> PreChargeReq:
        return PreChargeReq(
            DC_EVStatus=self._status(),
            EVTargetVoltage=physical(self.ev.battery_volts(), UnitSymbol.V),
            EVTargetCurrent=physical(min(1.0, decisions.PRECHARGE_AMPS), UnitSymbol.A),
        )

    def power_delivery(self) -> PowerDeliveryReq:
        return PowerDeliveryReq(
            ReadyToChargeState=self.delivering,
            EVPowerDeliveryParameter=DC_EVPowerDeliveryParameter(
                DC_EVStatus=self._status(),
                BulkChargingComplete=self._bulk_complete(),
                ChargingComplete=self._complete(),
            ),
        )

    def current_demand(self) -> CurrentDemandReq:
        limits, target = self.ev.limits(), self._target()
        return CurrentDemandReq(
            DC_EVStatus=self._status(),
            EVTargetCurrent=physical(target.amps, UnitSymbol.A),
            # Stations exist that deliver nothing where these are missing.
            EVMaximumVoltageLimit=physical(limits.max_volts, UnitSymbol.V),
            EVMaximumCurrentLimit=physical(limits.max_amps, UnitSymbol.A),
            EVMaximumPowerLimit=physical(limits.max_watts, UnitSymbol.W),
            BulkChargingComplete=self._bulk_complete(),
            ChargingComplete=self._complete(),
            RemainingTimeToFullSoC=self._remaining(100.0, limits),
            RemainingTimeToBulkSoC=self._remaining(self.ev.bulk_soc(), limits),
            EVTargetVoltage=physical(target.volts, UnitSymbol.V),
        )

    def welding_detection(self) -> WeldingDetectionReq:
        return WeldingDetectionReq(DC_EVStatus=self._status())

    def _status(self) -> DC_EVStatus:
        return DC_EVStatus(
            EVReady=self.vehicle.live,
            EVErrorCode=DC_EVErrorCode(self.ev.error()),
            EVRESSSOC=min(100, max(0, int(self.ev.soc()))),
        )

    def _target(self) -> SetPoint:
        """What to ask for: the battery's wish within the station's limits, no current where the end has come."""
        wish, supply = self.ev.target(), self.supply
        volts = min(wish.volts, supply.max_volts) if supply.max_volts > 0 else wish.volts
        amps = 0.0 if self._ending() else max(0.0, wish.amps)
        if supply.max_amps > 0:
            amps = min(amps, supply.max_amps)
        if supply.max_watts > 0:
            amps = min(amps, supply.max_watts / self.ev.battery_volts())
        return SetPoint(volts, amps)

    def _bulk_complete(self) -> bool:
        return self.ev.soc() >= self.ev.bulk_soc()

    def _remaining(self, soc: float, limits: BatteryLimits) -> PhysicalValue:
        """Time to a state of charge at the present power, s; at most a day."""
        missing_wh = max(0.0, soc - self.ev.soc()) / 100 * limits.capacity_wh
        power = max(self.ev.amps() * self.ev.battery_volts(), 1.0)
        return physical(min(86400.0, missing_wh / power * 3600), UnitSymbol.s)
