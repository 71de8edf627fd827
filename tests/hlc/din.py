"""Talking DIN SPEC 70121 by hand: good requests."""

from __future__ import annotations

from typing import Any

from exi.messages import din70121 as din

STATUS = din.DC_EVStatus(EVReady=True, EVErrorCode=din.DC_EVErrorCode.NO_ERROR, EVRESSSOC=50)
VOLTS = din.PhysicalValue(Multiplier=0, Unit=din.UnitSymbol.V, Value=400)
AMPS = din.PhysicalValue(Multiplier=0, Unit=din.UnitSymbol.A, Value=10)
SERVICES = din.SelectedServiceList(SelectedService=[din.SelectedService(ServiceID=1)])
PARAMETER = din.DC_EVChargeParameter(DC_EVStatus=STATUS, EVMaximumCurrentLimit=AMPS, EVMaximumVoltageLimit=VOLTS)

REQUESTS: dict[Any, Any] = {
    type(request): request
    for request in (
        din.SessionSetupReq(EVCCID=b"\1"),
        din.ServiceDiscoveryReq(),
        din.ServicePaymentSelectionReq(
            SelectedPaymentOption=din.PaymentOption.ExternalPayment, SelectedServiceList=SERVICES
        ),
        din.ContractAuthenticationReq(),
        din.ChargeParameterDiscoveryReq(
            EVRequestedEnergyTransferType=din.EVRequestedEnergyTransfer.DC_extended, EVChargeParameter=PARAMETER
        ),
        din.CableCheckReq(DC_EVStatus=STATUS),
        din.PreChargeReq(DC_EVStatus=STATUS, EVTargetVoltage=VOLTS, EVTargetCurrent=AMPS),
        din.PowerDeliveryReq(ReadyToChargeState=True),
        din.CurrentDemandReq(DC_EVStatus=STATUS, EVTargetCurrent=AMPS, ChargingComplete=False, EVTargetVoltage=VOLTS),
        din.WeldingDetectionReq(DC_EVStatus=STATUS),
        din.SessionStopReq(),
        din.ServiceDetailReq(ServiceID=1),
        din.ChargingStatusReq(),
    )
}
"""A request of every kind that a session uses, and two that none uses."""
