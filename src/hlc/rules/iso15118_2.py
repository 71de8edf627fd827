"""ISO 15118-2:2014 as data: AC and DC charging, paid externally or by a contract, renegotiation, pause.

One table for AC and DC: which half a session takes is said by ChargeParameterDiscoveryReq, and from then on by the
kind of status in the answers. Deadlines: tables 109 to 111.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from exi.messages import iso15118_2
from exi.messages.iso15118_2 import (
    AC_EVSEStatus,
    AuthorizationReq,
    AuthorizationRes,
    CableCheckReq,
    CableCheckRes,
    CertificateInstallationReq,
    CertificateInstallationRes,
    CertificateUpdateReq,
    CertificateUpdateRes,
    ChargeParameterDiscoveryReq,
    ChargeParameterDiscoveryRes,
    ChargeProgress,
    ChargingStatusReq,
    ChargingStatusRes,
    CurrentDemandReq,
    CurrentDemandRes,
    EnergyTransferMode,
    EVSEProcessing,
    MeteringReceiptReq,
    MeteringReceiptRes,
    PaymentDetailsReq,
    PaymentDetailsRes,
    PaymentOption,
    PaymentServiceSelectionReq,
    PaymentServiceSelectionRes,
    PowerDeliveryReq,
    PowerDeliveryRes,
    PreChargeReq,
    PreChargeRes,
    ServiceDetailReq,
    ServiceDetailRes,
    ServiceDiscoveryReq,
    ServiceDiscoveryRes,
    SessionSetupReq,
    SessionSetupRes,
    SessionStopReq,
    SessionStopRes,
    WeldingDetectionReq,
    WeldingDetectionRes,
)
from hlc.ids import ChargePointState as Secc
from hlc.ids import VehicleState as Evcc
from hlc.rules import Kind, Phase, Rule, Rules
from hlc.rules.answers import energy_offered, finished, isolation_proven
from hlc.rules.envelope import unwrap, wrapping
from hlc.v2gtp import PayloadType

row = partial(Rule, payload_type=PayloadType.EXI)
slow = partial(row, performance_s=4.5, timeout_s=5.0)
fast = partial(row, performance_s=0.025, timeout_s=0.25)

CERTIFICATE_SERVICE: Final = 2
NONE: Final[frozenset[Kind]] = frozenset()
STOP: Final[frozenset[Kind]] = frozenset({SessionStopReq})
AC_MODES: Final = frozenset({EnergyTransferMode.AC_single_phase_core, EnergyTransferMode.AC_three_phase_core})


def then(*kinds: Kind) -> frozenset[Kind]:
    """`kinds`, and the end."""
    return frozenset((*kinds, SessionStopReq))


def after_selection(request: PaymentServiceSelectionReq) -> frozenset[Kind]:
    """External payment goes on to the authorization. A contract is shown first, and fetched before that where the
    certificate service was selected."""
    if request.SelectedPaymentOption is PaymentOption.ExternalPayment:
        return then(AuthorizationReq)
    chosen = {service.ServiceID for service in request.SelectedServiceList.SelectedService}
    if CERTIFICATE_SERVICE in chosen:
        return then(PaymentDetailsReq, CertificateInstallationReq, CertificateUpdateReq)
    return then(PaymentDetailsReq)


def after_parameters(request: ChargeParameterDiscoveryReq, response: ChargeParameterDiscoveryRes) -> frozenset[Kind]:
    """AC goes on to PowerDelivery, DC to the cable check. A station without energy waives both, and the vehicle may
    agree on the end before it leaves or pauses (IEC 61851-23:2023 CC.5.3.2)."""
    if not finished(response):
        return then(ChargeParameterDiscoveryReq)
    if request.RequestedEnergyTransferMode in AC_MODES or not energy_offered(response):
        return then(PowerDeliveryReq)
    return then(CableCheckReq)


def is_ac(response: Any) -> bool:
    """Whether an answer's EVSEStatus is that of AC."""
    return isinstance(response.EVSEStatus, AC_EVSEStatus)


def after_power_delivery(request: PowerDeliveryReq, response: PowerDeliveryRes) -> frozenset[Kind]:
    """DC renegotiates from the cable check on: there is no short cut as in AC. [V2G2-813], [V2G2-841]"""
    match request.ChargeProgress:
        case ChargeProgress.Renegotiate:
            return then(ChargeParameterDiscoveryReq)
        case ChargeProgress.Start:
            # Only the loop may follow by the text. In AC stations let a vehicle change its mind, and a Volkswagen did,
            # with SessionStopReq.
            return then(ChargingStatusReq, PowerDeliveryReq) if is_ac(response) else frozenset({CurrentDemandReq})
    # The AC table leaves the way back to the parameters open.
    return then(ChargeParameterDiscoveryReq) if is_ac(response) else then(WeldingDetectionReq)


def in_loop(response: Any, kind: Kind) -> frozenset[Kind]:
    """In the charge loop, of requests of this kind: a receipt first where one is required. [V2G2-795], [V2G2-797]

    SessionStopReq here is not in the text: Volkswagens stop so. The station stops the current and says OK.
    """
    return frozenset({MeteringReceiptReq}) if response.ReceiptRequired else then(kind, PowerDeliveryReq)


def stops(message: Any) -> bool:
    """Whether a message ends every phase."""
    return isinstance(message, SessionStopReq)


wrap: Final = wrapping(iso15118_2)

# fmt: off
RULES: Final = Rules(
    name="iso15118_2", wrap=wrap, unwrap=unwrap,
    clauses={
        "sequence": "V2G2-459", "session": "V2G2-460", "failed": "V2G2-735", "parameter": "V2G2-477",
        "pilot": "V2G2-918", "not applied": "V2G2-480", "tariff": "V2G2-479", "profile": "V2G2-478",
    },
    rows=(
        row(SessionSetupReq, SessionSetupRes, secc=Secc.SESSION_SETUP, evcc=Evcc.SESSION_SETUP, clause="V2G2-543",
            then=lambda req, res: then(ServiceDiscoveryReq)),
        row(ServiceDiscoveryReq, ServiceDiscoveryRes, secc=Secc.SERVICE_DISCOVERY, evcc=Evcc.SERVICE_DISCOVERY,
            clause="V2G2-545",
            then=lambda req, res: then(ServiceDetailReq, PaymentServiceSelectionReq)),
        slow(ServiceDetailReq, ServiceDetailRes, secc=Secc.SERVICE_DISCOVERY, evcc=Evcc.SERVICE_DETAILS,
             clause="V2G2-548",
             then=lambda req, res: then(ServiceDetailReq, PaymentServiceSelectionReq)),
        row(PaymentServiceSelectionReq, PaymentServiceSelectionRes, secc=Secc.SERVICE_PAYMENT_SELECTION,
            evcc=Evcc.SERVICE_PAYMENT_SELECTION, clause="V2G2-551",
            then=lambda req, res: after_selection(req)),
        slow(CertificateInstallationReq, CertificateInstallationRes, secc=Secc.PAYMENT_DETAILS_OR_CERTIFICATE,
             evcc=Evcc.CERTIFICATE_INSTALLATION, clause="V2G2-551",
             then=lambda req, res: then(PaymentDetailsReq)),
        slow(CertificateUpdateReq, CertificateUpdateRes, secc=Secc.PAYMENT_DETAILS_OR_CERTIFICATE,
             evcc=Evcc.CERTIFICATE_UPDATE, clause="V2G2-551",
             then=lambda req, res: then(PaymentDetailsReq)),
        slow(PaymentDetailsReq, PaymentDetailsRes, secc=Secc.PAYMENT_DETAILS, evcc=Evcc.PAYMENT_DETAILS,
             clause="V2G2-551",
             then=lambda req, res: then(AuthorizationReq)),
        row(AuthorizationReq, AuthorizationRes, secc=Secc.AUTHORIZATION, evcc=Evcc.AUTHORIZATION,
            clause="V2G2-845, V2G2-854, V2G2-856",
            then=lambda req, res: then(ChargeParameterDiscoveryReq if finished(res) else AuthorizationReq)),
        row(ChargeParameterDiscoveryReq, ChargeParameterDiscoveryRes, secc=Secc.CHARGE_PARAMETER_DISCOVERY,
            evcc=Evcc.CHARGE_PARAMETER_DISCOVERY, clause="V2G2-565, V2G2-582",
            then=after_parameters),
        row(CableCheckReq, CableCheckRes, secc=Secc.CABLE_CHECK, evcc=Evcc.CABLE_CHECK, clause="V2G2-584, V2G2-621",
            then=lambda req, res: then(CableCheckReq) if not finished(res) else
                                  then(PreChargeReq) if isolation_proven(res) else STOP),
        row(PreChargeReq, PreChargeRes, secc=Secc.PRE_CHARGE, evcc=Evcc.PRE_CHARGE, clause="V2G2-587",
            then=lambda req, res: then(PreChargeReq, PowerDeliveryReq)),
        slow(PowerDeliveryReq, PowerDeliveryRes, secc=Secc.POWER_DELIVERY, evcc=Evcc.POWER_DELIVERY,
             clause="V2G2-590, V2G2-601, V2G2-813",
             then=after_power_delivery),
        fast(CurrentDemandReq, CurrentDemandRes, secc=Secc.CURRENT_DEMAND, evcc=Evcc.CURRENT_DEMAND,
             clause="V2G2-795, V2G2-797",
             then=lambda req, res: in_loop(res, CurrentDemandReq)),
        row(ChargingStatusReq, ChargingStatusRes, secc=Secc.CHARGING_STATUS, evcc=Evcc.CHARGING_STATUS,
            clause="V2G2-795, V2G2-797",
            then=lambda req, res: in_loop(res, ChargingStatusReq)),
        row(MeteringReceiptReq, MeteringReceiptRes, secc=Secc.METERING_RECEIPT, evcc=Evcc.METERING_RECEIPT,
            clause="V2G2-795, V2G2-903",
            then=lambda req, res: then(ChargingStatusReq if is_ac(res) else CurrentDemandReq, PowerDeliveryReq)),
        row(WeldingDetectionReq, WeldingDetectionRes, secc=Secc.WELDING_DETECTION, evcc=Evcc.WELDING_DETECTION,
            clause="V2G2-597, V2G2-620",
            then=lambda req, res: then(WeldingDetectionReq)),
        row(SessionStopReq, SessionStopRes, secc=Secc.SESSION_STOP, evcc=Evcc.SESSION_STOP, clause="V2G2-571",
            then=lambda req, res: NONE),
    ),
    phases=(
        Phase(None, lambda m: isinstance(m, SessionSetupRes),
              evcc="V2G_EVCC_CommunicationSetup_Timeout", timeout_s=20.0,
              secc="V2G_SECC_CommunicationSetup_Performance_Time", performance_s=18.0, clause="V2G2-714"),
        # A user who is awaited may take any time: each answer that says so ends the phase, and a request begins it.
        Phase(AuthorizationReq, lambda m: stops(m) or (isinstance(m, AuthorizationRes)
                                                       and m.EVSEProcessing is not EVSEProcessing.Ongoing),
              evcc="V2G_EVCC_Ongoing_Timeout", timeout_s=60.0,
              secc="V2G_SECC_Ongoing_Performance_Time", performance_s=55.0),
        Phase(ChargeParameterDiscoveryReq,
              lambda m: stops(m) or (isinstance(m, ChargeParameterDiscoveryRes) and finished(m)),
              evcc="V2G_EVCC_Ongoing_Timeout", timeout_s=60.0,
              secc="V2G_SECC_Ongoing_Performance_Time", performance_s=55.0),
        Phase(CableCheckReq, lambda m: stops(m) or (isinstance(m, CableCheckRes) and finished(m)),
              evcc="V2G_EVCC_CableCheck_Timeout", timeout_s=40.0,
              secc="V2G_SECC_CableCheck_Performance_Time", performance_s=38.0),
        # The station's share ends when the voltage is there.
        Phase(PreChargeReq, lambda m: isinstance(m, PowerDeliveryReq | SessionStopReq),
              evcc="V2G_EVCC_PreCharge_Timeout", timeout_s=7.0,
              secc="V2G_SECC_PreCharge_Performance_Time", performance_s=5.0),
    ),
)
# fmt: on

CP_STATE_DETECTION_S: Final = 1.5
"""So long the station waits for state C after CableCheckReq. [V2G2-917]"""
CP_OSCILLATOR_RETAIN_S: Final = 1.5
"""So long the station keeps the 5 % duty cycle after a session."""
CONTACTOR_S: Final = 3.0
"""In AC so long after state C the contactor has closed, and after PowerDeliveryReq(Stop) it has opened. [V2G2-860]"""
EV_PILOT_S: Final = 0.25
"""So long after PowerDeliveryReq an AC vehicle takes to state C, or back to B. [V2G2-847], [V2G2-848]"""
