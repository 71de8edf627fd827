"""ISO 15118-20, AC as data: AC and AC_BPT."""

from __future__ import annotations

from typing import Final

from exi.messages.iso15118_20.ac import (
    AC_ChargeLoopReq,
    AC_ChargeLoopRes,
    AC_ChargeParameterDiscoveryReq,
    AC_ChargeParameterDiscoveryRes,
)
from exi.messages.iso15118_20.common import PowerDeliveryReq
from hlc.ids import ChargePointState as Secc
from hlc.ids import VehicleState as Evcc
from hlc.rules.iso15118_20 import common
from hlc.rules.iso15118_20.common import then
from hlc.v2gtp import PayloadType

DISCOVERY: Final = common.charge_parameters(
    AC_ChargeParameterDiscoveryReq, AC_ChargeParameterDiscoveryRes, PayloadType.AC_MAINSTREAM
)
# fmt: off
CHARGE_LOOP: Final = common.loop(  # SessionStopReq here is not in the text: the contactor is opened and OK said
    AC_ChargeLoopReq, AC_ChargeLoopRes, PayloadType.AC_MAINSTREAM, secc=Secc.CHARGING_STATUS,
    evcc=Evcc.CHARGING_STATUS, clause="V2G20-1502",
    then=lambda req, res: then(AC_ChargeLoopReq, PowerDeliveryReq))

RULES: Final = common.rules(
    name="iso15118_20_ac",
    rows=(
        *common.opening(AC_ChargeParameterDiscoveryReq),
        DISCOVERY,
        common.schedule_exchange(PowerDeliveryReq),
        common.power_delivery(AC_ChargeLoopReq),
        CHARGE_LOOP,
        common.session_stop(),
    ),
    phases=common.PHASES,
    side=common.side(DISCOVERY),
)
# fmt: on
