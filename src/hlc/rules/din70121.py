"""DIN SPEC 70121 as data: DC charging, paid externally, over plain TCP; one charge loop, no pause.

Deadlines: DIN SPEC 70121 table 75 and 9.6. The station's share of the phases is the vehicle's less the time in which
its answer still arrives.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from exi.messages import din70121
from exi.messages.din70121 import (
    CableCheckReq,
    CableCheckRes,
    ChargeParameterDiscoveryReq,
    ChargeParameterDiscoveryRes,
    ContractAuthenticationReq,
    ContractAuthenticationRes,
    CurrentDemandReq,
    CurrentDemandRes,
    DC_EVSEStatus,
    PowerDeliveryReq,
    PowerDeliveryRes,
    PreChargeReq,
    PreChargeRes,
    ServiceDiscoveryReq,
    ServiceDiscoveryRes,
    ServicePaymentSelectionReq,
    ServicePaymentSelectionRes,
    SessionSetupReq,
    SessionSetupRes,
    SessionStopReq,
    SessionStopRes,
    WeldingDetectionReq,
    WeldingDetectionRes,
)
from hlc.ids import ChargePointState as Secc
from hlc.ids import VehicleState as Evcc
from hlc.rules import SETUP, Kind, Phase, Rule, Rules, answers
from hlc.rules.answers import energy_offered, finished, isolation_proven
from hlc.rules.envelope import unwrap, wrapping
from hlc.v2gtp import PayloadType

row = partial(Rule, payload_type=PayloadType.EXI)

NONE: Final[frozenset[Kind]] = frozenset()
STOP: Final[frozenset[Kind]] = frozenset({SessionStopReq})


def then(*kinds: Kind) -> frozenset[Kind]:
    """What may follow before the flow of energy: `kinds`, and the end. [V2G-DC-437] to [V2G-DC-459]

    Cars stop in cable check and precharge too (Tesla Model Y does); a station that calls it a sequence error keeps
    their connector locked.
    """
    return frozenset((*kinds, SessionStopReq))


def status_of(message: Any) -> DC_EVSEStatus | None:
    """The outlet's status in a response, if it is one of DC."""
    found = answers.status_of(message)
    return found if isinstance(found, DC_EVSEStatus) else None


wrap: Final = wrapping(din70121)

# fmt: off
RULES: Final = Rules(
    name="din70121", wrap=wrap, unwrap=unwrap,
    clauses={
        "sequence": "V2G-DC-390", "session": "V2G-DC-391", "failed": "V2G-DC-665", "parameter": "V2G-DC-398",
        "pilot": "V2G-DC-547", "not applied": "V2G-DC-401", "tariff": "V2G-DC-400", "profile": "V2G-DC-399",
    },
    rows=(
        row(SessionSetupReq, SessionSetupRes, secc=Secc.SESSION_SETUP, evcc=Evcc.SESSION_SETUP, clause="V2G-DC-439",
            then=lambda req, res: then(ServiceDiscoveryReq)),
        row(ServiceDiscoveryReq, ServiceDiscoveryRes, secc=Secc.SERVICE_DISCOVERY, evcc=Evcc.SERVICE_DISCOVERY,
            clause="V2G-DC-441",
            then=lambda req, res: then(ServicePaymentSelectionReq)),
        row(ServicePaymentSelectionReq, ServicePaymentSelectionRes, secc=Secc.SERVICE_PAYMENT_SELECTION,
            evcc=Evcc.SERVICE_PAYMENT_SELECTION, clause="V2G-DC-444",
            then=lambda req, res: then(ContractAuthenticationReq)),
        row(ContractAuthenticationReq, ContractAuthenticationRes, secc=Secc.AUTHORIZATION, evcc=Evcc.AUTHORIZATION,
            clause="V2G-DC-495, V2G-DC-497",
            then=lambda req, res: then(ChargeParameterDiscoveryReq if finished(res) else ContractAuthenticationReq)),
        row(ChargeParameterDiscoveryReq, ChargeParameterDiscoveryRes, secc=Secc.CHARGE_PARAMETER_DISCOVERY,
            evcc=Evcc.CHARGE_PARAMETER_DISCOVERY, clause="V2G-DC-453, V2G-DC-498",
            then=lambda req, res: then(ChargeParameterDiscoveryReq) if not finished(res) else
                                  then(CableCheckReq) if energy_offered(res) else STOP),
        row(CableCheckReq, CableCheckRes, secc=Secc.CABLE_CHECK, evcc=Evcc.CABLE_CHECK, clause="V2G-DC-455, V2G-DC-499",
            then=lambda req, res: then(CableCheckReq) if not finished(res) else
                                  then(PreChargeReq) if isolation_proven(res) else STOP),
        row(PreChargeReq, PreChargeRes, secc=Secc.PRE_CHARGE, evcc=Evcc.PRE_CHARGE, clause="V2G-DC-458",
            then=lambda req, res: then(PreChargeReq, PowerDeliveryReq)),
        # Table 75 gives PowerDelivery 2 s; only ISO 15118-2 gives it 5 s.
        row(PowerDeliveryReq, PowerDeliveryRes, secc=Secc.POWER_DELIVERY, evcc=Evcc.POWER_DELIVERY,
            clause="V2G-DC-459, V2G-DC-462",
            then=lambda req, res: frozenset({CurrentDemandReq}) if req.ReadyToChargeState else
                                  then(WeldingDetectionReq)),
        # SessionStopReq here is not in the text: Volkswagens stop so. The station stops the current and says OK.
        row(CurrentDemandReq, CurrentDemandRes, secc=Secc.CURRENT_DEMAND, evcc=Evcc.CURRENT_DEMAND, clause="V2G-DC-465",
            then=lambda req, res: then(CurrentDemandReq, PowerDeliveryReq), performance_s=0.025, timeout_s=0.25),
        row(WeldingDetectionReq, WeldingDetectionRes, secc=Secc.WELDING_DETECTION, evcc=Evcc.WELDING_DETECTION,
            clause="V2G-DC-469",
            then=lambda req, res: then(WeldingDetectionReq)),
        row(SessionStopReq, SessionStopRes, secc=Secc.SESSION_STOP, evcc=Evcc.SESSION_STOP, clause="V2G-DC-451",
            then=lambda req, res: NONE),
    ),
    phases=(
        SETUP,
        Phase(SessionSetupRes, lambda m: isinstance(m, PowerDeliveryRes | SessionStopReq),
              evcc="V2G_EVCC_ReadyToCharge_Timeout", timeout_s=150.0,
              secc="V2G_SECC_ReadyToCharge_Performance_Time", performance_s=148.0),
        Phase(ContractAuthenticationReq, lambda m: isinstance(m, ChargeParameterDiscoveryReq | SessionStopReq),
              evcc="V2G_EVCC_Ongoing_Timeout", timeout_s=60.0),
        Phase(ChargeParameterDiscoveryReq, lambda m: isinstance(m, CableCheckReq | SessionStopReq),
              evcc="V2G_EVCC_Ongoing_Timeout", timeout_s=60.0),
        Phase(CableCheckReq, lambda m: isinstance(m, SessionStopReq) or (isinstance(m, CableCheckRes) and finished(m)),
              evcc="V2G_EVCC_CableCheck_Timeout", timeout_s=40.0,
              secc="V2G_SECC_CableCheck_Performance_Time", performance_s=38.0),
        # The station's share ends when the voltage is there: how long the vehicle then takes is not the station's
        # affair.
        Phase(PreChargeReq, lambda m: isinstance(m, PowerDeliveryReq | SessionStopReq),
              evcc="V2G_EVCC_PreCharge_Timeout", timeout_s=7.0,
              secc="V2G_SECC_PreCharge_Performance_Time", performance_s=5.0),
    ),
)
# fmt: on

CP_STATE_DETECTION_S: Final = 1.5
"""V2G_SECC_CPState_Detection_Timeout: so long the station waits for state C after CableCheckReq. [V2G-DC-547]"""
CP_OSCILLATOR_RETAIN_S: Final = 1.5
"""V2G_SECC_CPOscillator_Retain_Time: so long the station keeps the 5 % duty cycle after a session."""
