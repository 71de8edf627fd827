"""The vehicle's part of AC charging in ISO 15118-2: state C, the charger on board, the charge loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from exi.messages.iso15118_2 import (
    AC_EVChargeParameter,
    AC_EVSEChargeParameter,
    ChargeParameterDiscoveryRes,
    ChargingStatusReq,
    ChargingStatusRes,
    EnergyTransferMode,
    PowerDeliveryReq,
)
from hlc.decisions import value
from hlc.evcc.charger import Charger
from hlc.evcc.session import Session
from hlc.ports import AcEV, AcLimits
from hlc.rules import Kind
from hlc.rules.answers import finished, status_of
from hlc.trace.events import Blame


class Ac:
    """`charging()` says whether the station has agreed to deliver; `leaving()` whether the charge loop is to be left,
    for whatever reason; `ending()` whether the charger is to stop; `watts()` what the vehicle's own profile allows
    now."""

    def __init__(
        self,
        session: Session,
        *,
        charging: Callable[[], bool],
        leaving: Callable[[], bool],
        ending: Callable[[], bool],
        watts: Callable[[], float],
    ) -> None:
        self.session = session
        self.vehicle = session.vehicle
        self.ev = cast(AcEV, session.vehicle.ev)
        self.charging = charging
        self.leaving = leaving
        self.ending = ending
        self.allowed_watts = watts
        self.phases = 1
        """Those that are used."""
        self.supply = AcLimits(0.0, 1, 0.0, 0.0)
        """What the station can give, as it said last, on these phases."""
        self.charger = Charger(session, charging=charging, wanted=self.wanted)

    def choices(self) -> Mapping[Kind, Callable[[Any, Any], Kind | None]]:
        """What follows the answer of AC."""
        return {ChargingStatusRes: self.after_charging_status}

    def requests(self) -> Mapping[Kind, Callable[[], Any]]:
        """How the request of AC is filled."""
        return {ChargingStatusReq: ChargingStatusReq}

    def modes(self) -> tuple[EnergyTransferMode, ...]:
        """What the vehicle can use, the best first. One phase can be had from an outlet that offers three alone."""
        single, three = EnergyTransferMode.AC_single_phase_core, EnergyTransferMode.AC_three_phase_core
        return (three, single) if self.ev.limits().phases == 3 else (single, three)

    def use(self, mode: EnergyTransferMode) -> None:
        """The mode is chosen."""
        self.phases = self.ev.limits().phases if mode is EnergyTransferMode.AC_three_phase_core else 1

    # Choices

    def begin(self) -> Kind | None:
        """The parameters stand: the contactor is asked for, with the connector locked."""
        self.ev.lock_connector()
        if not self.ev.connector_locked():
            return None
        self.session.delivering = True
        return PowerDeliveryReq

    def after_charging_status(self, request: Any, response: ChargingStatusRes) -> Kind | None:
        if not self.leaving():
            return ChargingStatusReq
        if self.ending() and not self.charger.resting():
            return ChargingStatusReq
        self.session.delivering = not self.ending()
        return PowerDeliveryReq

    # What an answer says beside its purpose

    def answered(self, response: Any) -> None:
        """Take in the station's limits, and follow them."""
        if isinstance(response, ChargeParameterDiscoveryRes):
            said = response.EVSEChargeParameter
            if isinstance(said, AC_EVSEChargeParameter):
                volts, amps = value(said.EVSENominalVoltage), value(said.EVSEMaxCurrent)
                self.supply = AcLimits(volts, self.phases, amps, 0.0)
                if volts <= 0:
                    self.session.leave(f"the station says that its mains have {volts:g} V")
            elif finished(response):
                self.session.leave("the station sends no parameters of an AC outlet")
        elif isinstance(response, ChargingStatusRes):
            if response.EVSEMaxCurrent is not None:
                self.supply = self.supply._replace(max_amps=value(response.EVSEMaxCurrent))
            self.charger.follow()
            self.vehicle.measured()
        if getattr(status_of(response), "RCD", False) and self.vehicle.live:
            self.vehicle.emergency(Blame.REMOTE, "the residual current device of the station has tripped")

    def look(self) -> None:
        """Between messages."""
        self.charger.look()

    def wanted(self) -> float:
        """What all allow: battery, charger, profile, station. Less than the charger's least is nothing."""
        limits, supply = self.ev.limits(), self.supply
        amps = min(limits.max_amps, supply.max_amps, self.allowed_watts() / (supply.volts * supply.phases))
        if self.ending() or amps < limits.min_amps:
            return 0.0
        return min(amps * supply.volts * supply.phases, self.ev.target_watts())

    # Requests

    def parameter(self, **others: Any) -> AC_EVChargeParameter:
        """What ChargeParameterDiscoveryReq says."""
        limits, physical = self.ev.limits(), self.session.physical
        return AC_EVChargeParameter(
            EAmount=physical(self.session.wanted_wh(), "Wh"),
            EVMaxVoltage=physical(limits.volts, "V"),
            EVMaxCurrent=physical(limits.max_amps, "A"),
            EVMinCurrent=physical(limits.min_amps, "A"),
            **others,
        )

    def power_delivery_parameter(self) -> None:
        """AC has none."""

    def watts(self) -> tuple[float, float]:
        """What the vehicle can take here at most, and at least.

        A station that has too little for it now may have more later, and tells in the charge loop: no plan forbids it.
        """
        limits, supply = self.ev.limits(), self.supply
        volts = supply.volts * supply.phases
        amps = supply.max_amps if supply.max_amps >= limits.min_amps else limits.max_amps
        return volts * min(limits.max_amps, amps), volts * limits.min_amps
