"""ISO 15118-20, DC as data: DC, DC_BPT, MCS and MCS_BPT, which differ in services and types of the messages only."""

from __future__ import annotations

from functools import partial
from typing import Final

from exi.messages.iso15118_20.common import PowerDeliveryReq, SessionStopReq
from exi.messages.iso15118_20.dc import (
    DC_CableCheckReq,
    DC_CableCheckRes,
    DC_ChargeLoopReq,
    DC_ChargeLoopRes,
    DC_ChargeParameterDiscoveryReq,
    DC_ChargeParameterDiscoveryRes,
    DC_PreChargeReq,
    DC_PreChargeRes,
    DC_WeldingDetectionReq,
    DC_WeldingDetectionRes,
)
from exi.messages.iso15118_20.types import Processing
from hlc.ids import ChargePointState as Secc
from hlc.ids import VehicleState as Evcc
from hlc.rules import Phase, Rule
from hlc.rules.answers import finished
from hlc.rules.iso15118_20 import common
from hlc.rules.iso15118_20.common import then
from hlc.v2gtp import PayloadType

row = partial(Rule, payload_type=PayloadType.DC_MAINSTREAM)
DISCOVERY: Final = common.charge_parameters(
    DC_ChargeParameterDiscoveryReq, DC_ChargeParameterDiscoveryRes, PayloadType.DC_MAINSTREAM
)

# fmt: off
CABLE_CHECK: Final = row(
    DC_CableCheckReq, DC_CableCheckRes, secc=Secc.CABLE_CHECK, evcc=Evcc.CABLE_CHECK, clause="V2G20-1317",
    then=lambda req, res: then(DC_PreChargeReq if finished(res) else DC_CableCheckReq))
PRE_CHARGE: Final = row(  # the vehicle says when it has done, and only then goes on
    DC_PreChargeReq, DC_PreChargeRes, secc=Secc.PRE_CHARGE, evcc=Evcc.PRE_CHARGE, clause="V2G20-2005, V2G20-2006",
    then=lambda req, res: then(PowerDeliveryReq if req.EVProcessing is Processing.Finished else DC_PreChargeReq))
CHARGE_LOOP: Final = common.loop(  # SessionStopReq here is not in the text: as in DIN 70121, the current is stopped
    DC_ChargeLoopReq, DC_ChargeLoopRes, PayloadType.DC_MAINSTREAM, secc=Secc.CURRENT_DEMAND,
    evcc=Evcc.CURRENT_DEMAND, clause="V2G20-1500",
    then=lambda req, res: then(DC_ChargeLoopReq, PowerDeliveryReq))
WELDING_DETECTION: Final = row(
    DC_WeldingDetectionReq, DC_WeldingDetectionRes, secc=Secc.WELDING_DETECTION, evcc=Evcc.WELDING_DETECTION,
    clause="8.6",
    then=lambda req, res: then() if req.EVProcessing is Processing.Finished else then(DC_WeldingDetectionReq))

PHASES: Final = (
    Phase(DC_CableCheckReq,
          lambda m: isinstance(m, SessionStopReq) or (isinstance(m, DC_CableCheckRes) and finished(m)),
          evcc="V2G_EVCC_CableCheck_Timeout", timeout_s=40.0,
          secc="V2G_SECC_CableCheck_Performance_Time", performance_s=38.0),
    # The station's share ends when the voltage is there.
    Phase(DC_PreChargeReq, lambda m: isinstance(m, PowerDeliveryReq | SessionStopReq),
          evcc="V2G_EVCC_PreCharge_Timeout", timeout_s=10.0,
          secc="V2G_SECC_PreCharge_Performance_Time", performance_s=8.0),
)

RULES: Final = common.rules(
    name="iso15118_20_dc",
    rows=(
        *common.opening(DC_ChargeParameterDiscoveryReq),
        DISCOVERY,
        common.schedule_exchange(DC_CableCheckReq),
        CABLE_CHECK,
        PRE_CHARGE,
        common.power_delivery(DC_ChargeLoopReq, DC_WeldingDetectionReq),
        CHARGE_LOOP,
        WELDING_DETECTION,
        common.session_stop(),
    ),
    phases=(*common.PHASES, *PHASES),
    side=common.side(DISCOVERY),
)
# fmt: on
