"""DIN SPEC 70121, what the vehicle asks: per answer, the choice among the requests that `rules` allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from exi.messages import din70121
from exi.messages.din70121 import (
    CableCheckReq,
    ChargeParameterDiscoveryReq,
    ChargeParameterDiscoveryRes,
    ContractAuthenticationReq,
    ContractAuthenticationRes,
    CurrentDemandReq,
    EVRequestedEnergyTransfer,
    PaymentOption,
    PowerDeliveryReq,
    PowerDeliveryRes,
    PreChargeReq,
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
    WeldingDetectionReq,
)
from hlc.evcc.dc import Dc
from hlc.evcc.session import Session
from hlc.rules import Kind
from hlc.rules.answers import finished
from hlc.rules.din70121 import RULES

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


class Conversation(Session):
    """One session of DIN SPEC 70121 in the vehicle."""

    rules = RULES
    messages: ClassVar[Any] = din70121
    paces = PACES

    def __init__(self, vehicle: Vehicle) -> None:
        super().__init__(vehicle)
        self.dc = Dc(self, leaving=self.ending)
        self._choices: Mapping[Kind, Callable[[Any, Any], Kind | None]] = {
            SessionSetupRes: lambda req, res: ServiceDiscoveryReq,
            ServiceDiscoveryRes: self.after_service_discovery,
            ServicePaymentSelectionRes: lambda req, res: ContractAuthenticationReq,
            ContractAuthenticationRes: self.after_contract_authentication,
            ChargeParameterDiscoveryRes: self.after_charge_parameter_discovery,
            PowerDeliveryRes: self.after_power_delivery,
            **self.dc.choices(),
        }
        self._requests: Mapping[Kind, Callable[[], Any]] = {
            SessionSetupReq: self.session_setup,
            ServiceDiscoveryReq: self.service_discovery,
            ServicePaymentSelectionReq: self.service_payment_selection,
            ContractAuthenticationReq: ContractAuthenticationReq,
            ChargeParameterDiscoveryReq: self.charge_parameter_discovery,
            PowerDeliveryReq: self.power_delivery,
            SessionStopReq: SessionStopReq,
            **self.dc.requests(),
        }

    def choices(self) -> Mapping[Kind, Callable[[Any, Any], Kind | None]]:
        return self._choices

    def requests(self) -> Mapping[Kind, Callable[[], Any]]:
        return self._requests

    # Choices

    def after_service_discovery(self, request: Any, response: ServiceDiscoveryRes) -> Kind | None:
        if PaymentOption.ExternalPayment not in response.PaymentOptions.PaymentOption:
            return self.leave("the station does not offer external payment")
        offered = response.ChargeService.EnergyTransferType
        if "DC" not in offered.value:
            return self.leave(f"the station offers {offered.value}, this vehicle takes DC")
        return ServicePaymentSelectionReq

    def after_contract_authentication(self, request: Any, response: ContractAuthenticationRes) -> Kind | None:
        return ChargeParameterDiscoveryReq if finished(response) else ContractAuthenticationReq

    def after_charge_parameter_discovery(self, request: Any, response: ChargeParameterDiscoveryRes) -> Kind | None:
        return self.dc.begin() if finished(response) else ChargeParameterDiscoveryReq

    def after_power_delivery(self, request: PowerDeliveryReq, response: PowerDeliveryRes) -> Kind | None:
        if request.ReadyToChargeState:
            return CurrentDemandReq
        # The station has switched off: state B, then contactors, then see whether they have opened.
        self.vehicle.make_safe(emergency=False)
        return self.dc.after_end()

    # What an answer says beside its purpose

    def answered(self, request: Any, response: Any) -> None:
        self.dc.answered(response)
        self.heed(response)

    # Requests

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
        return ChargeParameterDiscoveryReq(
            EVRequestedEnergyTransferType=EVRequestedEnergyTransfer.DC_extended, EVChargeParameter=self.dc.parameter()
        )

    def power_delivery(self) -> PowerDeliveryReq:
        return PowerDeliveryReq(
            ReadyToChargeState=self.delivering, EVPowerDeliveryParameter=self.dc.power_delivery_parameter()
        )
