"""The station's part of AC charging in ISO 15118-2: the contactor, the pilot, the charge loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import floor
from typing import Any, Final, cast

from exi.messages.iso15118_2 import (
    AC_EVChargeParameter,
    AC_EVSEChargeParameter,
    AC_EVSEStatus,
    ChargingStatusReq,
    ChargingStatusRes,
    EnergyTransferMode,
    EVSENotification,
    ResponseCode,
)
from hlc.decisions import value
from hlc.flow import Refusal
from hlc.ports import AcOutlet
from hlc.rules import Kind
from hlc.rules.iso15118_2 import CONTACTOR_S
from hlc.secc.contactor import Contactor
from hlc.secc.conversation import Conversation, Handler
from hlc.secc.iso15118_2_phrases import physical

PILOT_S: Final = 1.0
"""So long state C is awaited after PowerDeliveryReq(Start). The vehicle has 250 ms [V2G2-847]; cars take longer, and
the contactor still has its 3 s before the answer is due."""
UNDERVOLTAGE: Final = 0.85
"""A vehicle that does not take this much of the nominal voltage cannot be charged."""


class Ac:
    """`notification()` is what the station wants of the vehicle, as EVSENotification and NotificationMaxDelay;
    `watts()` what the schedule and the energy management allow now; `loop()` gives what the answers of both loops
    have."""

    def __init__(
        self,
        conversation: Conversation,
        *,
        notification: Callable[[], tuple[str, int]],
        watts: Callable[[], float],
        loop: Callable[[], dict[str, Any]],
    ) -> None:
        self.conversation = conversation
        self.station = conversation.station
        self.outlet = cast(AcOutlet, conversation.station.outlet)
        self.notification = notification
        self.watts = watts
        self.loop = loop
        self.phases = self.outlet.limits().phases
        """Those that the vehicle uses."""
        self.contactor = Contactor(
            conversation,
            self.outlet,
            pilot_s=PILOT_S,
            contactor_s=CONTACTOR_S,
            answer_s=PILOT_S + CONTACTOR_S,
            allowed=lambda: (self.amps() * self.phases, 0.0),
            clauses={"pilot": "V2G2-847", "closing": "V2G2-860", "opening": "V2G2-862", "not applied": "V2G2-480"},
        )

    def handlers(self) -> Mapping[Kind, Handler]:
        """The answer to the request of AC."""
        return {ChargingStatusReq: self.charging_status}

    def modes(self) -> list[EnergyTransferMode]:
        """What is offered: three phases serve a vehicle with one."""
        single, three = EnergyTransferMode.AC_single_phase_core, EnergyTransferMode.AC_three_phase_core
        return [three, single] if self.outlet.limits().phases == 3 else [single]

    # Handlers

    def charging_status(self, request: ChargingStatusReq) -> ChargingStatusRes:
        self.station.measured()
        return self._charging_status_res(ResponseCode.OK)

    def discover(self, parameter: Any, mode: EnergyTransferMode) -> None:
        """Take in the parameters of ChargeParameterDiscoveryReq. Raises `Refusal`."""
        if not isinstance(parameter, AC_EVChargeParameter):
            text = f"{type(parameter).__name__} instead of the parameters of an AC vehicle"
            raise Refusal("FAILED_WrongChargeParameter", text, "V2G2-477")
        limits = self.outlet.limits()
        highest, least = value(parameter.EVMaxCurrent), value(parameter.EVMinCurrent)
        text = ""
        if highest <= 0 or least < 0 or value(parameter.EVMaxVoltage) <= 0 or value(parameter.EAmount) < 0:
            text = "the vehicle's limits are not above zero"
        elif least > limits.max_amps:
            text = f"the vehicle takes {least:g} A at least, the outlet gives {limits.max_amps:g} A at most"
        elif value(parameter.EVMaxVoltage) < UNDERVOLTAGE * limits.volts:
            text = f"the vehicle accepts {value(parameter.EVMaxVoltage):g} V at most, the mains have {limits.volts:g} V"
        if text:
            raise Refusal("FAILED_WrongChargeParameter", text, "V2G2-477")
        self.phases = limits.phases if mode is EnergyTransferMode.AC_three_phase_core else 1

    def max_watts(self) -> float:
        """What the outlet can deliver on the phases that the vehicle uses."""
        limits = self.outlet.limits()
        return limits.volts * limits.max_amps * self.phases

    def start(self, parameter: Any) -> bool:
        """Close the contactor behind state C; False: not yet. Raises `Refusal`."""
        if not self.conversation.delivering:  # in a renegotiation it has never been open
            self.conversation.delivering = self.contactor.close()
        return self.conversation.delivering

    def stop(self) -> bool:
        """Open the contactor; False: it is not open yet. Raises `Refusal`."""
        self.conversation.delivering = False
        return self.contactor.open()

    def renegotiate(self) -> None:
        """The contactor stays closed, and the vehicle in state C. [V2G2-849]"""

    # Between messages

    def look(self) -> None:
        """Contactor and current, while energy flows."""
        self.contactor.look()

    def amps(self) -> float:
        """What the vehicle may take per phase now."""
        limits = self.outlet.limits()
        by_power = max(0.0, self.watts()) / (limits.volts * self.phases)
        return min(limits.max_amps, self.outlet.available_amps(), by_power)

    # Phrases

    def status(self, *, ended: bool = False) -> AC_EVSEStatus:
        """The outlet as it is."""
        notification, delay = self.notification()
        if self.outlet.trouble() is not None:
            notification = "StopCharging"
        return AC_EVSEStatus(
            NotificationMaxDelay=delay, EVSENotification=EVSENotification(notification), RCD=self.outlet.rcd_tripped()
        )

    def parameter(self) -> AC_EVSEChargeParameter:
        """What the outlet can deliver, as ChargeParameterDiscoveryRes has it: not what is left at this moment."""
        limits = self.outlet.limits()
        return AC_EVSEChargeParameter(
            AC_EVSEStatus=self.status(),
            EVSENominalVoltage=physical(limits.volts, "V"),
            EVSEMaxCurrent=physical(limits.max_amps, "A"),
        )

    def refusals(self) -> Mapping[Kind, Callable[[ResponseCode], Any]]:
        """The failed answer to the request of AC."""
        return {ChargingStatusReq: self._charging_status_res}

    def _charging_status_res(self, code: ResponseCode) -> ChargingStatusRes:
        return ChargingStatusRes(
            ResponseCode=code,
            EVSEMaxCurrent=physical(floor(self.amps() * 10) / 10, "A"),  # never rounded up
            AC_EVSEStatus=self.status(),
            **self.loop(),
        )
