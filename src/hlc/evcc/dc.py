"""The vehicle's part of DC charging, in the words that DIN SPEC 70121 and ISO 15118-2 share: cable check, precharge,
charge loop, welding detection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final

from hlc import decisions
from hlc.decisions import value
from hlc.evcc.inlet import Inlet
from hlc.evcc.session import Session
from hlc.ports import BatteryLimits, SetPoint, SupplyLimits
from hlc.rules import Kind
from hlc.rules.answers import finished

NOTHING: Final = SupplyLimits(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Dc:
    """`leaving()` says whether the charge loop is to be left, for whatever reason; `watts()` what the vehicle's own
    profile allows now."""

    def __init__(
        self, session: Session, *, leaving: Callable[[], bool], watts: Callable[[], float] = lambda: inf
    ) -> None:
        self.session = session
        self.vehicle = session.vehicle
        self.messages = session.messages
        self.inlet = Inlet(session)
        self.ev = self.inlet.ev
        self.leaving = leaving
        self.allowed_watts = watts
        self.supply = NOTHING
        """What the station can give, as it said last."""

    def choices(self) -> Mapping[Kind, Callable[[Any, Any], Kind | None]]:
        """What follows each answer of DC."""
        m = self.messages
        return {
            m.CableCheckRes: self.after_cable_check,
            m.PreChargeRes: self.after_pre_charge,
            m.CurrentDemandRes: self.after_current_demand,
            m.WeldingDetectionRes: self.after_welding_detection,
        }

    def requests(self) -> Mapping[Kind, Callable[[], Any]]:
        """How each request of DC is filled."""
        m = self.messages
        return {
            m.CableCheckReq: lambda: m.CableCheckReq(DC_EVStatus=self.status()),
            m.PreChargeReq: self.pre_charge,
            m.CurrentDemandReq: self.current_demand,
            m.WeldingDetectionReq: lambda: m.WeldingDetectionReq(DC_EVStatus=self.status()),
        }

    # Choices

    def begin(self) -> Kind | None:
        """The parameters stand: to the cable check, with the connector locked."""
        return self.inlet.begin(self.supply.max_volts, self._kind("CableCheckReq"))

    def after_cable_check(self, request: Any, response: Any) -> Kind | None:
        if not finished(response):
            return type(request)
        following, status = self._kind("PreChargeReq"), response.DC_EVSEStatus
        proven = following in self.session.rules.then(request, response)
        if self.vehicle.settings.strict:  # where others are content with what does not say no
            proven = proven and status.EVSEIsolationStatus is not None and status.EVSEStatusCode == "EVSE_Ready"
        if not proven:
            return self.session.leave(f"cable check: isolation {status.EVSEIsolationStatus}, {status.EVSEStatusCode}")
        return following

    def after_pre_charge(self, request: Any, response: Any) -> Kind | None:
        if self.ev.contactors_closed():
            self.session.delivering = True
            return self._kind("PowerDeliveryReq")
        self.inlet.close()
        return type(request)

    def after_current_demand(self, request: Any, response: Any) -> Kind | None:
        if not self.leaving():
            return type(request)
        if value(request.EVTargetCurrent) > 0 or not self.inlet.resting():
            return type(request)
        self.session.delivering = False
        return self._kind("PowerDeliveryReq")

    def after_end(self) -> Kind | None:
        """What follows the end of power delivery, when the contactors have opened."""
        if not self.inlet.opened():
            return None
        return self._kind("WeldingDetectionReq" if self.vehicle.settings.welding_detection else "SessionStopReq")

    def after_welding_detection(self, request: Any, response: Any) -> Kind | None:
        return self._kind("SessionStopReq") if self.inlet.dead() else type(request)

    # What an answer says beside its purpose

    def answered(self, response: Any) -> None:
        """Take in what the station measures, and its limits."""
        m = self.messages
        if isinstance(response, m.PreChargeRes | m.WeldingDetectionRes):
            self.ev.reported(value(response.EVSEPresentVoltage), None)
            self.vehicle.measured()
        elif isinstance(response, m.CurrentDemandRes):
            self.ev.reported(value(response.EVSEPresentVoltage), value(response.EVSEPresentCurrent))
            self._supply_limits(response)
            self.vehicle.measured()
        elif isinstance(response, m.ChargeParameterDiscoveryRes):
            if isinstance(response.EVSEChargeParameter, m.DC_EVSEChargeParameter):
                self._supply_limits(response.EVSEChargeParameter)
            elif finished(response):
                self.session.leave("the station sends no parameters of a DC outlet")

    def _supply_limits(self, said: Any) -> None:
        """Take over the station's limits as far as a message carries them. EVSEMaximumPowerLimit is optional."""
        old = self.supply
        given = [
            value(limit) if limit is not None else None
            for limit in (said.EVSEMaximumVoltageLimit, said.EVSEMaximumCurrentLimit, said.EVSEMaximumPowerLimit)
        ]
        self.supply = old._replace(
            max_volts=old.max_volts if given[0] is None else given[0],
            max_amps=old.max_amps if given[1] is None else given[1],
            max_watts=old.max_watts if given[2] is None else given[2],
        )

    # Requests

    def parameter(self, **others: Any) -> Any:
        """What ChargeParameterDiscoveryReq says: all that is known, for stations end the session where optional values
        are missing."""
        limits, physical = self.ev.limits(), self.session.physical
        return self.messages.DC_EVChargeParameter(
            DC_EVStatus=self.status(),
            EVMaximumCurrentLimit=physical(limits.max_amps, "A"),
            EVMaximumPowerLimit=physical(limits.max_watts, "W"),
            EVMaximumVoltageLimit=physical(limits.max_volts, "V"),
            EVEnergyCapacity=physical(limits.capacity_wh, "Wh"),
            EVEnergyRequest=physical(self.session.wanted_wh(), "Wh"),
            FullSOC=100,
            BulkSOC=round(self.ev.bulk_soc()),
            **others,
        )

    def pre_charge(self) -> Any:
        return self.messages.PreChargeReq(
            DC_EVStatus=self.status(),
            EVTargetVoltage=self.session.physical(self.ev.battery_volts(), "V"),
            EVTargetCurrent=self.session.physical(min(1.0, decisions.PRECHARGE_AMPS), "A"),
        )

    def power_delivery_parameter(self) -> Any:
        """The vehicle's status as PowerDeliveryReq has it."""
        return self.messages.DC_EVPowerDeliveryParameter(
            DC_EVStatus=self.status(),
            BulkChargingComplete=self._bulk_complete(),
            ChargingComplete=self.session.complete(),
        )

    def current_demand(self) -> Any:
        limits, target, physical = self.ev.limits(), self._target(), self.session.physical
        return self.messages.CurrentDemandReq(
            DC_EVStatus=self.status(),
            EVTargetCurrent=physical(target.amps, "A"),
            # Stations exist that deliver nothing where these are missing.
            EVMaximumVoltageLimit=physical(limits.max_volts, "V"),
            EVMaximumCurrentLimit=physical(limits.max_amps, "A"),
            EVMaximumPowerLimit=physical(limits.max_watts, "W"),
            BulkChargingComplete=self._bulk_complete(),
            ChargingComplete=self.session.complete(),
            RemainingTimeToFullSoC=self._remaining(100.0, limits),
            RemainingTimeToBulkSoC=self._remaining(self.ev.bulk_soc(), limits),
            EVTargetVoltage=physical(target.volts, "V"),
        )

    def status(self) -> Any:
        """The vehicle as it is."""
        return self.messages.DC_EVStatus(
            EVReady=self.vehicle.live,
            EVErrorCode=self.messages.DC_EVErrorCode(self.ev.error()),
            EVRESSSOC=min(100, max(0, int(self.ev.soc()))),
        )

    def _target(self) -> SetPoint:
        """What to ask for: the battery's wish within the station's limits, no current where the end has come."""
        wish, supply = self.ev.target(), self.supply
        volts = min(wish.volts, decisions.highest_volts(supply.max_volts))
        amps = 0.0 if self.leaving() else max(0.0, wish.amps)
        if supply.max_amps > 0:
            amps = min(amps, supply.max_amps)
        watts = min(self.allowed_watts(), supply.max_watts) if supply.max_watts > 0 else self.allowed_watts()
        return SetPoint(volts, min(amps, max(0.0, watts) / self.ev.battery_volts()))

    def _bulk_complete(self) -> bool:
        return self.ev.soc() >= self.ev.bulk_soc()

    def _remaining(self, soc: float, limits: BatteryLimits) -> Any:
        """Time to a state of charge at the present power, s; at most a day."""
        missing_wh = max(0.0, soc - self.ev.soc()) / 100 * limits.capacity_wh
        power = max(self.ev.amps() * self.ev.battery_volts(), 1.0)
        return self.session.physical(min(86400.0, missing_wh / power * 3600), "s")

    def _kind(self, name: str) -> Kind:
        kind: Kind = getattr(self.messages, name)
        return kind
