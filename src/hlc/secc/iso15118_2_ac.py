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
from hlc.secc.conversation import Conversation, Handler
from hlc.secc.iso15118_2_phrases import amps, volts
from hlc.trace.events import Blame

PILOT_S: Final = 1.0
"""So long state C is awaited after PowerDeliveryReq(Start). The vehicle has 250 ms [V2G2-847]; cars take longer, and
the contactor still has its 3 s before the answer is due."""
EXCESS: Final = 1.1
"""A vehicle that takes more than so much of what it may does not follow."""
EXCESS_AMPS: Final = 1.0
"""And this much is a matter of measurement."""
EXCESS_S: Final = 10.0
"""After this time the contactor opens: IEC 61851-1 gives a vehicle 5 s to follow, and meters are slow."""
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
        self.contract = False
        """Paid by contract the schedule is the only limit."""
        self._deadline: float | None = None
        self._closing = False
        self._excess_since: float | None = None

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
        return self._charging_status_res("OK")

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
        now, pilot = self.station.now, self.outlet.control_pilot()
        if self.conversation.delivering:  # a renegotiation: it has never been open
            return True
        if not self.outlet.ready() or not self.outlet.energy_available():
            raise Refusal("FAILED_PowerDeliveryNotApplied", "the outlet is not ready", "V2G2-480", blame=Blame.SETUP)
        if self._deadline is None:
            self._deadline = now + PILOT_S
        if not self._closing and (pilot is None or pilot.ready):
            self._closing, self._deadline = True, now + CONTACTOR_S
            self.outlet.close()
            self.station.go_live()
        if self._closing and self.outlet.relays_closed():
            self._deadline, self._closing = None, False
            self.conversation.delivering = True
            return True
        if now >= self._deadline:
            if self._closing:
                text = f"the contactor has not closed within {CONTACTOR_S:g} s"
                raise Refusal("FAILED_ContactorError", text, "V2G2-860", blame=Blame.SETUP)
            raise Refusal("FAILED", f"the vehicle did not show state C within {PILOT_S:g} s", "V2G2-847")
        return False

    def stop(self) -> bool:
        """Open the contactor; False: it is not open yet. Raises `Refusal`."""
        self.conversation.delivering = False
        self._closing = False
        if self._deadline is None:
            self._deadline = self.station.now + CONTACTOR_S
            self.station.make_safe(emergency=False)
        if self.outlet.relays_closed():
            if self.station.now >= self._deadline:
                text = f"the contactor has not opened within {CONTACTOR_S:g} s"
                raise Refusal("FAILED_ContactorError", text, "V2G2-862", blame=Blame.SETUP)
            return False
        self._deadline = None
        return True

    def renegotiate(self) -> None:
        """The contactor stays closed, and the vehicle in state C. [V2G2-849]"""

    # Between messages

    def look(self) -> None:
        """Contactor and current, while energy flows."""
        if not self.conversation.delivering:
            return
        if not self.outlet.relays_closed():
            self.station.doom(Blame.SETUP, "the contactor opened while energy flowed")  # [V2G2-853]
            return
        present, limit = self.outlet.amps() / self.phases, self.amps()
        if present <= limit * EXCESS + EXCESS_AMPS:
            self._excess_since = None
        elif self._excess_since is None:
            self._excess_since = self.station.now
        elif self.station.now - self._excess_since > EXCESS_S:
            self.station.doom(Blame.REMOTE, f"the vehicle takes {present:.1f} A per phase of {limit:.1f} A")

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
            EVSENominalVoltage=volts(limits.volts),
            EVSEMaxCurrent=amps(limits.max_amps),
        )

    def refusals(self) -> Mapping[Kind, Callable[[str], Any]]:
        """The failed answer to the request of AC."""
        return {ChargingStatusReq: self._charging_status_res}

    def _charging_status_res(self, code: str) -> ChargingStatusRes:
        return ChargingStatusRes(
            ResponseCode=ResponseCode(code),
            # Never rounded up; left out with a contract.
            EVSEMaxCurrent=None if self.contract else amps(floor(self.amps() * 10) / 10),
            AC_EVSEStatus=self.status(),
            **self.loop(),
        )
