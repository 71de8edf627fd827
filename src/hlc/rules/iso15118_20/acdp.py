"""ISO 15118-20, ACDP as data: a pantograph or the like brings the contacts, and the energy flows as in DC.

Positioning comes after SessionSetup, the contacts come before the cable check and leave after the welding detection;
beside them goes the status of both sides on a payload type of its own. No source gives deadlines for connecting and
disconnecting: they have those of every exchange that is repeated while the other side is busy. The messages have no
documented state codes; the nearest ones stand for them.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from exi.messages.iso15118_20.acdp import (
    ACDP_ConnectReq,
    ACDP_ConnectRes,
    ACDP_DisconnectReq,
    ACDP_DisconnectRes,
    ACDP_SystemStatusReq,
    ACDP_SystemStatusRes,
    ACDP_VehiclePositioningReq,
    ACDP_VehiclePositioningRes,
    MechanicalChargingDeviceStatus,
)
from exi.messages.iso15118_20.common import AuthorizationSetupReq, SessionStopReq
from exi.messages.iso15118_20.dc import DC_CableCheckReq, DC_ChargeLoopReq, DC_WeldingDetectionReq
from exi.messages.iso15118_20.types import Processing
from hlc.ids import ChargePointState as Secc
from hlc.ids import VehicleState as Evcc
from hlc.rules import Phase, Rule
from hlc.rules.answers import finished
from hlc.rules.iso15118_20 import common, dc
from hlc.rules.iso15118_20.common import NONE, then
from hlc.v2gtp import PayloadType

row = partial(Rule, payload_type=PayloadType.ACDP_MAINSTREAM)


def positioned(response: ACDP_VehiclePositioningRes) -> bool:
    """Whether the vehicle stands where the contacts reach it."""
    return finished(response) and response.EVInChargePosition


def connected(response: ACDP_ConnectRes) -> bool:
    """Whether the contacts have come to the vehicle."""
    arrived = response.EVSEMechanicalChargingDeviceStatus is MechanicalChargingDeviceStatus.EndPosition
    return finished(response) and arrived


# fmt: off
RULES: Final = common.rules(
    name="iso15118_20_acdp",
    rows=(
        *common.opening(dc.DISCOVERY.request, first=ACDP_VehiclePositioningReq),
        row(ACDP_VehiclePositioningReq, ACDP_VehiclePositioningRes, secc=Secc.SESSION_SETUP, evcc=Evcc.SESSION_SETUP,
            clause="8.6",
            then=lambda req, res: then(AuthorizationSetupReq if positioned(res) else ACDP_VehiclePositioningReq)),
        dc.DISCOVERY,
        common.schedule_exchange(ACDP_ConnectReq),
        # DisconnectReq here is not in the text: a vehicle that does not charge after all wants to get away.
        row(ACDP_ConnectReq, ACDP_ConnectRes, secc=Secc.CABLE_CHECK, evcc=Evcc.CABLE_CHECK, clause="V2G20-4071",
            then=lambda req, res: then(DC_CableCheckReq if connected(res) else ACDP_ConnectReq, ACDP_DisconnectReq)),
        dc.CABLE_CHECK,
        dc.PRE_CHARGE,
        common.power_delivery(DC_ChargeLoopReq, DC_WeldingDetectionReq),
        dc.CHARGE_LOOP,
        dc.WELDING_DETECTION._replace(
            then=lambda req, res: then(ACDP_DisconnectReq if req.EVProcessing is Processing.Finished
                                       else DC_WeldingDetectionReq)),
        row(ACDP_DisconnectReq, ACDP_DisconnectRes, secc=Secc.WELDING_DETECTION, evcc=Evcc.WELDING_DETECTION,
            clause="8.6",
            then=lambda req, res: then() if finished(res) else then(ACDP_DisconnectReq)),
        common.session_stop(),
    ),
    phases=(
        *common.PHASES,
        *dc.PHASES,
        Phase(ACDP_ConnectReq,
              lambda m: isinstance(m, DC_CableCheckReq | ACDP_DisconnectReq | SessionStopReq)
                        or (isinstance(m, ACDP_ConnectRes) and connected(m)),
              evcc="V2G_EVCC_Ongoing_Timeout", timeout_s=60.0,
              secc="V2G_SECC_Ongoing_Performance_Time", performance_s=55.0),
        Phase(ACDP_DisconnectReq,
              lambda m: isinstance(m, SessionStopReq) or (isinstance(m, ACDP_DisconnectRes) and finished(m)),
              evcc="V2G_EVCC_Ongoing_Timeout", timeout_s=60.0,
              secc="V2G_SECC_Ongoing_Performance_Time", performance_s=55.0),
    ),
    side={
        **common.side(dc.DISCOVERY),
        # Cyclic from connecting to disconnecting.
        PayloadType.ACDP_SYSTEM_STATUS: (
            Rule(ACDP_SystemStatusReq, ACDP_SystemStatusRes, PayloadType.ACDP_SYSTEM_STATUS, secc=Secc.CABLE_CHECK,
                 evcc=Evcc.CABLE_CHECK, clause="8.6", then=lambda req, res: NONE),
        ),
    },
)
# fmt: on
