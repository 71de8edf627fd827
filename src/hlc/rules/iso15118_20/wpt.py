"""ISO 15118-20, WPT as data: wireless power transfer.

Positioning and pairing come after SessionSetup, the alignment check after the charge parameters. Its exact place is not
known here: what is sent is the order of the rows, what is accepted is the check before the schedules or after them. The
messages have no documented state codes; the nearest ones stand for them.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from exi.messages.iso15118_20.common import AuthorizationSetupReq, PowerDeliveryReq, ScheduleExchangeReq, SessionStopReq
from exi.messages.iso15118_20.types import Processing, ResponseCode
from exi.messages.iso15118_20.wpt import (
    WPT_AlignmentCheckReq,
    WPT_AlignmentCheckRes,
    WPT_ChargeLoopReq,
    WPT_ChargeLoopRes,
    WPT_ChargeParameterDiscoveryReq,
    WPT_ChargeParameterDiscoveryRes,
    WPT_EVResult,
    WPT_FinePositioningReq,
    WPT_FinePositioningRes,
    WPT_FinePositioningSetupReq,
    WPT_FinePositioningSetupRes,
    WPT_PairingReq,
    WPT_PairingRes,
)
from hlc.ids import ChargePointState as Secc
from hlc.ids import VehicleState as Evcc
from hlc.rules import Kind, Phase, Rule
from hlc.rules.answers import finished
from hlc.rules.iso15118_20 import common
from hlc.rules.iso15118_20.common import then
from hlc.v2gtp import PayloadType

row = partial(Rule, payload_type=PayloadType.WPT_MAINSTREAM)


def misaligned(response: Any) -> bool:
    """Whether the station says that no energy can flow as the vehicle stands, or with what lies under it."""
    return response.ResponseCode is ResponseCode.WARNING_WPT


def both_finished(request: Any, response: Any) -> bool:
    """Whether neither side needs another round of this exchange."""
    return request.EVProcessing is Processing.Finished and finished(response)


def _step(again: Kind, *after: Kind) -> Any:
    """A step of the approach: asked again until both sides are done; where it fails, the vehicle positions itself
    anew."""

    def following(request: Any, response: Any) -> frozenset[Kind]:
        if misaligned(response):
            return then(WPT_FinePositioningSetupReq)
        if not both_finished(request, response):
            return then(again)
        if request.EVResultCode is WPT_EVResult.EVResultFailed:
            return then(WPT_FinePositioningSetupReq)
        return then(*after)

    return following


def _after_power_delivery(request: Any, response: Any) -> frozenset[Kind]:
    if misaligned(response):  # [V2G20-5061]
        return then(WPT_FinePositioningSetupReq)
    return POWER_DELIVERY.then(request, response)


# fmt: off
DISCOVERY: Final = common.charge_parameters(
    WPT_ChargeParameterDiscoveryReq, WPT_ChargeParameterDiscoveryRes, PayloadType.WPT_MAINSTREAM)._replace(
    then=lambda req, res: then(WPT_ChargeParameterDiscoveryReq, WPT_AlignmentCheckReq, ScheduleExchangeReq))
POWER_DELIVERY: Final = common.power_delivery(WPT_ChargeLoopReq)

RULES: Final = common.rules(
    name="iso15118_20_wpt",
    rows=(
        *common.opening(WPT_ChargeParameterDiscoveryReq, first=WPT_FinePositioningSetupReq),
        row(WPT_FinePositioningSetupReq, WPT_FinePositioningSetupRes, secc=Secc.SESSION_SETUP, evcc=Evcc.SESSION_SETUP,
            clause="V2G20-5043, V2G20-5006",
            then=lambda req, res: then(WPT_FinePositioningReq if req.EVProcessing is Processing.Finished
                                       else WPT_FinePositioningSetupReq)),
        row(WPT_FinePositioningReq, WPT_FinePositioningRes, secc=Secc.SESSION_SETUP, evcc=Evcc.SESSION_SETUP,
            clause="8.6",
            then=_step(WPT_FinePositioningReq, WPT_PairingReq)),
        # Authorization and services stay valid for the session: who pairs again goes on where it left.
        row(WPT_PairingReq, WPT_PairingRes, secc=Secc.SESSION_SETUP, evcc=Evcc.SESSION_SETUP, clause="8.6",
            then=_step(WPT_PairingReq, AuthorizationSetupReq, WPT_AlignmentCheckReq)),
        DISCOVERY,
        row(WPT_AlignmentCheckReq, WPT_AlignmentCheckRes, secc=Secc.CABLE_CHECK, evcc=Evcc.CABLE_CHECK, clause="8.6",
            then=_step(WPT_AlignmentCheckReq, ScheduleExchangeReq, PowerDeliveryReq)),
        common.schedule_exchange(PowerDeliveryReq, WPT_AlignmentCheckReq),
        POWER_DELIVERY._replace(then=_after_power_delivery),
        common.loop(  # SessionStopReq here is not in the text: the power is stopped and OK said
            WPT_ChargeLoopReq, WPT_ChargeLoopRes, PayloadType.WPT_MAINSTREAM, secc=Secc.CURRENT_DEMAND,
            evcc=Evcc.CURRENT_DEMAND, clause="V2G20-5058, V2G20-5070",
            then=lambda req, res: then(WPT_AlignmentCheckReq, WPT_PairingReq) if misaligned(res) else
                                  then(WPT_ChargeLoopReq, PowerDeliveryReq)),
        common.session_stop(),
    ),
    phases=(
        *common.PHASES,
        # How long a driver takes to park is nobody's affair: positioning has no deadline.
        Phase(WPT_PairingReq,
              lambda m: isinstance(m, SessionStopReq | WPT_FinePositioningSetupReq | AuthorizationSetupReq
                                      | WPT_AlignmentCheckReq),
              evcc="V2G_EVCC_Ongoing_Timeout", timeout_s=60.0,
              secc="V2G_SECC_Ongoing_Performance_Time", performance_s=55.0),
        Phase(WPT_AlignmentCheckReq,
              lambda m: isinstance(m, SessionStopReq | WPT_FinePositioningSetupReq | ScheduleExchangeReq
                                      | PowerDeliveryReq),
              evcc="V2G_EVCC_Ongoing_Timeout", timeout_s=60.0,
              secc="V2G_SECC_Ongoing_Performance_Time", performance_s=55.0),
    ),
    side=common.side(DISCOVERY),
)
# fmt: on
