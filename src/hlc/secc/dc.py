"""The station's part of DC charging, in the words that DIN SPEC 70121 and ISO 15118-2 share: cable check, precharge,
charge loop, welding detection.

Both schemas have the same messages; `messages` is the module of the one that is spoken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from math import inf
from typing import Any, Final

from hlc import decisions
from hlc.decisions import CableCheckState, value
from hlc.flow import Refusal
from hlc.ports import BatteryLimits, SetPoint, Trouble
from hlc.rules import Kind
from hlc.secc.conversation import Conversation, Handler
from hlc.secc.supply import Supply

STATUS_BY_TROUBLE: Final = {
    Trouble.EMERGENCY: "EVSE_EmergencyShutdown",
    Trouble.MALFUNCTION: "EVSE_Malfunction",
    Trouble.UTILITY: "EVSE_UtilityInterruptEvent",
}
ISOLATION: Final[Mapping[CableCheckState | None, str]] = {
    CableCheckState.VALID: "Valid",
    CableCheckState.WARNING: "Warning",
    CableCheckState.FAULT: "Fault",
}


@cache
def made_status(messages: Any, level: str, code: str, notification: str, delay: int) -> Any:
    """A DC_EVSEStatus of these messages. A session says the same few in all its answers: each is made once."""
    return messages.DC_EVSEStatus(
        EVSEIsolationStatus=messages.IsolationLevel(level),
        EVSEStatusCode=messages.DC_EVSEStatusCode(code),
        NotificationMaxDelay=delay,
        EVSENotification=messages.EVSENotification(notification),
    )


class Dc:
    """`notification()` is what the station wants of the vehicle, as EVSENotification and NotificationMaxDelay;
    `watts()` what may flow beside the limits of outlet and vehicle; `loop()` gives what CurrentDemandRes has beyond
    that of DIN SPEC 70121."""

    def __init__(
        self,
        conversation: Conversation,
        messages: Any,
        *,
        notification: Callable[[], tuple[str, int]],
        watts: Callable[[], float] = lambda: inf,
        loop: Callable[[], dict[str, Any]] = dict,
        pilot_s: float,
    ) -> None:
        self.conversation = conversation
        self.station = conversation.station
        self.messages = messages
        self.physical = decisions.quantities(messages)
        self.ok = messages.ResponseCode.OK
        self.notification = notification
        self.allowed_watts = watts
        self.loop = loop
        self.clauses = conversation.rules.clauses
        self.supply = Supply(conversation, pilot_s=pilot_s)
        self.outlet = self.supply.outlet

    def handlers(self) -> Mapping[Kind, Handler]:
        """The answers to the requests of DC."""
        m = self.messages
        return {
            m.CableCheckReq: self.cable_check,
            m.PreChargeReq: self.pre_charge,
            m.CurrentDemandReq: self.current_demand,
            m.WeldingDetectionReq: self.welding_detection,
        }

    # Handlers

    def cable_check(self, request: Any) -> Any:
        self.heed(request.DC_EVStatus)
        return self._cable_check_res(self.ok, finished=self.supply.cable_check())

    def pre_charge(self, request: Any) -> Any:
        self.heed(request.DC_EVStatus)
        self.supply.pre_charge(request, wish(request))
        return self._pre_charge_res(self.ok)

    def current_demand(self, request: Any) -> Any:
        limits = self.outlet.limits()
        if (allowed := self.allowed_watts()) < limits.max_watts:
            limits = limits._replace(max_watts=allowed)
        self.take_limits(request.EVMaximumVoltageLimit, request.EVMaximumCurrentLimit, request.EVMaximumPowerLimit)
        self.supply.want(wish(request))
        if error := self._error(request.DC_EVStatus):
            # The vehicle ends in order after its next request or two (Hyundai Ioniq); FAILED would cut it off.
            self.supply.wanted = self.supply.wanted._replace(amps=0.0)
            self.station.stop_for_vehicle(error)
        granted = self.supply.deliver(limits)
        return self._current_demand_res(
            self.ok,
            EVSECurrentLimitAchieved=granted.current_limited,
            EVSEVoltageLimitAchieved=granted.voltage_limited,
            EVSEPowerLimitAchieved=granted.power_limited,
            # Vehicles want them in every answer.
            EVSEMaximumVoltageLimit=self.physical(limits.max_volts, "V"),
            EVSEMaximumCurrentLimit=self.physical(limits.max_amps, "A"),
            EVSEMaximumPowerLimit=self.physical(limits.max_watts, "W"),
        )

    def welding_detection(self, request: Any) -> Any:
        self.supply.welding_detection(request)
        return self._welding_detection_res(self.ok)

    # Steps of the messages that have other contents as well

    def discover(self, parameter: Any) -> None:
        """Take in the parameters of ChargeParameterDiscoveryReq. Raises `Refusal`."""
        if not isinstance(parameter, self.messages.DC_EVChargeParameter):
            text = f"{type(parameter).__name__} instead of the parameters of a DC vehicle"
            raise Refusal("FAILED_WrongChargeParameter", text, self.clauses["parameter"])
        self.take_limits(
            parameter.EVMaximumVoltageLimit, parameter.EVMaximumCurrentLimit, parameter.EVMaximumPowerLimit
        )
        if misfit := decisions.incompatible(self.supply.vehicle, self.outlet.limits()):
            raise Refusal("FAILED_WrongChargeParameter", misfit, self.clauses["parameter"])
        self.heed(parameter.DC_EVStatus)
        self.supply.renew()

    def max_watts(self) -> float:
        """What the outlet can deliver: not what is left at this moment, for vehicles take it for the whole session."""
        return self.outlet.limits().max_watts

    def start(self, parameter: Any) -> bool:
        """Power is delivered from now on; it takes no time. Raises `Refusal`."""
        self.supply.begin()
        self.heed(getattr(parameter, "DC_EVStatus", None))
        self.conversation.delivering = True
        return True

    def stop(self) -> bool:
        """No power from now on; it takes no time. What is to follow begins with a cable check."""
        self.conversation.delivering = False
        self.station.make_safe(emergency=False)
        return True

    def renegotiate(self) -> None:
        """As at an end: the cable check, which follows, wants no voltage at the contacts."""
        self.stop()

    def look(self) -> None:
        """Move on what is running between messages."""
        self.supply.look()

    # What the vehicle says

    def heed(self, status: Any) -> None:
        """Refuse to go on with a vehicle that reports an error."""
        if error := self._error(status):
            raise Refusal("FAILED", error)

    def _error(self, status: Any) -> str | None:
        if status is None or status.EVErrorCode == "NO_ERROR":
            return None
        return f"the vehicle reports {status.EVErrorCode}"

    def take_limits(self, max_volts: Any, max_amps: Any, max_watts: Any) -> None:
        """Take over the limits that a message carries. A power limit that was never given is the product of the others.

        In the charge loop a limit of zero is nonsense and ignored; in ChargeParameterDiscovery `incompatible` judges
        it.
        """
        old = self.supply.vehicle
        new_volts = value(max_volts) if max_volts is not None else old.max_volts
        new_amps = value(max_amps) if max_amps is not None else old.max_amps
        new_watts = value(max_watts) if max_watts is not None else old.max_watts or new_volts * new_amps
        if not self.conversation.delivering:
            self.supply.vehicle = BatteryLimits(new_volts, new_amps, new_watts, 0.0)
        else:
            self.supply.vehicle = BatteryLimits(
                new_volts if new_volts > 0 else old.max_volts,
                max(new_amps, 0.0),
                new_watts if new_watts > 0 else old.max_watts,
                0.0,
            )

    # Phrases

    def status(self, *, ended: bool = False) -> Any:
        """The outlet as it is. Vehicles look at the code, at the notification or at both: who stops says both."""
        trouble = self.outlet.trouble()
        notification, delay = self.notification()
        code = "EVSE_Ready"
        if trouble is not None:
            code, notification = STATUS_BY_TROUBLE[trouble], "StopCharging"
        elif ended or notification == "StopCharging":  # IEC 61851-23:2023 CC.7.5.19
            code = "EVSE_Shutdown"
        elif self.supply.checked is CableCheckState.ONGOING:
            code = "EVSE_IsolationMonitoringActive"
        elif not self.outlet.ready():
            code = "EVSE_NotReady"
        return made_status(self.messages, ISOLATION.get(self.supply.checked, "Invalid"), code, notification, delay)

    def parameter(self) -> Any:
        """What the outlet can deliver, as ChargeParameterDiscoveryRes has it."""
        limits = self.outlet.limits()
        return self.messages.DC_EVSEChargeParameter(
            DC_EVSEStatus=self.status(),
            EVSEMaximumCurrentLimit=self.physical(limits.max_amps, "A"),
            EVSEMaximumPowerLimit=self.physical(limits.max_watts, "W"),
            EVSEMaximumVoltageLimit=self.physical(limits.max_volts, "V"),
            EVSEMinimumCurrentLimit=self.physical(limits.min_amps, "A"),
            EVSEMinimumVoltageLimit=self.physical(limits.min_volts, "V"),
            EVSECurrentRegulationTolerance=self.physical(limits.tolerance_amps, "A"),
            EVSEPeakCurrentRipple=self.physical(limits.ripple_amps, "A"),
        )

    def refusals(self) -> Mapping[Kind, Callable[[Any], Any]]:
        """The failed answers to the requests of DC."""
        m = self.messages
        return {
            m.CableCheckReq: lambda code: self._cable_check_res(code, finished=True),
            m.PreChargeReq: self._pre_charge_res,
            m.CurrentDemandReq: lambda code: self._current_demand_res(
                code, EVSECurrentLimitAchieved=False, EVSEVoltageLimitAchieved=False, EVSEPowerLimitAchieved=False
            ),
            m.WeldingDetectionReq: self._welding_detection_res,
        }

    def _answer(self, code: Any, *, ended: bool) -> dict[str, Any]:
        """What every answer of DC has."""
        return {
            "ResponseCode": code,
            "DC_EVSEStatus": self.status(ended=ended or code.startswith("FAILED")),
        }

    def _cable_check_res(self, code: Any, *, finished: bool) -> Any:
        processing = self.messages.EVSEProcessing("Finished" if finished else "Ongoing")
        return self.messages.CableCheckRes(**self._answer(code, ended=False), EVSEProcessing=processing)

    def _pre_charge_res(self, code: Any) -> Any:
        return self.messages.PreChargeRes(
            **self._answer(code, ended=False), EVSEPresentVoltage=self.physical(self.outlet.volts(), "V")
        )

    def _current_demand_res(self, code: Any, **limits: Any) -> Any:
        return self.messages.CurrentDemandRes(
            **self._answer(code, ended=False),
            EVSEPresentVoltage=self.physical(self.outlet.volts(), "V"),
            EVSEPresentCurrent=self.physical(self.outlet.amps(), "A"),
            **limits,
            **self.loop(),
        )

    def _welding_detection_res(self, code: Any) -> Any:
        return self.messages.WeldingDetectionRes(
            **self._answer(code, ended=True), EVSEPresentVoltage=self.physical(self.outlet.volts(), "V")
        )


def wish(request: Any) -> SetPoint:
    """What a request of the vehicle wants."""
    return SetPoint(value(request.EVTargetVoltage), value(request.EVTargetCurrent))
