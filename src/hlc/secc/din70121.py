"""DIN SPEC 70121, what the station answers: one handler per request; which request may come when is in `rules`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from exi.messages.din70121 import (
    AC_EVSEStatus,
    CableCheckReq,
    CableCheckRes,
    CertificateChain,
    CertificateInstallationReq,
    CertificateInstallationRes,
    CertificateUpdateReq,
    CertificateUpdateRes,
    ChargeParameterDiscoveryReq,
    ChargeParameterDiscoveryRes,
    ChargingProfile,
    ChargingStatusReq,
    ChargingStatusRes,
    ContractAuthenticationReq,
    ContractAuthenticationRes,
    CurrentDemandReq,
    CurrentDemandRes,
    DC_EVChargeParameter,
    DC_EVErrorCode,
    DC_EVSEChargeParameter,
    DC_EVSEStatus,
    DC_EVSEStatusCode,
    DC_EVStatus,
    EVRequestedEnergyTransfer,
    EVSENotification,
    EVSEProcessing,
    EVSESupportedEnergyTransfer,
    IsolationLevel,
    MeteringReceiptReq,
    MeteringReceiptRes,
    PaymentDetailsReq,
    PaymentDetailsRes,
    PaymentOption,
    PaymentOptions,
    PhysicalValue,
    PMaxSchedule,
    PMaxScheduleEntry,
    PowerDeliveryReq,
    PowerDeliveryRes,
    PreChargeReq,
    PreChargeRes,
    RelativeTimeInterval,
    ResponseCode,
    SAScheduleList,
    SAScheduleTuple,
    ServiceCategory,
    ServiceCharge,
    ServiceDetailReq,
    ServiceDetailRes,
    ServiceDiscoveryReq,
    ServiceDiscoveryRes,
    ServicePaymentSelectionReq,
    ServicePaymentSelectionRes,
    ServiceTag,
    SessionSetupReq,
    SessionSetupRes,
    SessionStopReq,
    SessionStopRes,
    UnitSymbol,
    WeldingDetectionReq,
    WeldingDetectionRes,
)
from hlc import decisions
from hlc.decisions import CableCheck, CableCheckState, value
from hlc.flow import Refusal
from hlc.ports import Authorization, BatteryLimits, DcOutlet, SetPoint, Trouble
from hlc.rules import Kind, Phase
from hlc.rules.din70121 import CP_OSCILLATOR_RETAIN_S, CP_STATE_DETECTION_S, RULES
from hlc.secc import conversation
from hlc.trace.events import Blame

if TYPE_CHECKING:
    from hlc.secc.station import Station

OK: Final = ResponseCode.OK
CHARGE_SERVICE: Final = 1
SCHEDULE: Final = 1
"""ID of the one schedule that is offered."""
DAY_S: Final = 86400

DC_TYPES: Final = frozenset(
    {
        EVRequestedEnergyTransfer.DC_extended,
        EVRequestedEnergyTransfer.DC_core,
        # Old cars ask for these over the same contacts.
        EVRequestedEnergyTransfer.DC_combo_core,
        EVRequestedEnergyTransfer.DC_unique,
    }
)
STATUS_BY_TROUBLE: Final = {
    Trouble.EMERGENCY: DC_EVSEStatusCode.EVSE_EmergencyShutdown,
    Trouble.MALFUNCTION: DC_EVSEStatusCode.EVSE_Malfunction,
    Trouble.UTILITY: DC_EVSEStatusCode.EVSE_UtilityInterruptEvent,
}
ISOLATION: Final = {
    CableCheckState.VALID: IsolationLevel.Valid,
    CableCheckState.WARNING: IsolationLevel.Warning,
    CableCheckState.FAULT: IsolationLevel.Fault,
}


def physical(number: float, unit: UnitSymbol) -> PhysicalValue:
    """A quantity."""
    multiplier, mantissa = decisions.scaled(number)
    return PhysicalValue(Multiplier=multiplier, Unit=unit, Value=mantissa)


volts = partial(physical, unit=UnitSymbol.V)
amps = partial(physical, unit=UnitSymbol.A)
watts = partial(physical, unit=UnitSymbol.W)


class Conversation(conversation.Conversation):
    """One session of DIN SPEC 70121 at the station."""

    rules = RULES
    oscillator_retain_s = CP_OSCILLATOR_RETAIN_S

    def handlers(self) -> Mapping[Kind, Callable[[Any], Any]]:
        """The answer to each request."""
        return {
            SessionSetupReq: self.session_setup,
            ServiceDiscoveryReq: self.service_discovery,
            ServicePaymentSelectionReq: self.service_payment_selection,
            ContractAuthenticationReq: self.contract_authentication,
            ChargeParameterDiscoveryReq: self.charge_parameter_discovery,
            CableCheckReq: self.cable_check,
            PreChargeReq: self.pre_charge,
            PowerDeliveryReq: self.power_delivery,
            CurrentDemandReq: self.current_demand,
            WeldingDetectionReq: self.welding_detection,
            SessionStopReq: self.session_stop,
        }

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.outlet: DcOutlet = cast(DcOutlet, station.outlet)
        self.vehicle = BatteryLimits(0.0, 0.0, 0.0, 0.0)
        """What the vehicle accepts, as it said last."""
        self.check: CableCheck | None = None
        self.wanted = SetPoint(0.0, 0.0)
        """The last plausible wish."""
        self.delivering = False
        self.energy_refused = False

    # Handlers

    def session_setup(self, request: SessionSetupReq) -> SessionSetupRes:
        clock = self.station.clock
        return SessionSetupRes(
            ResponseCode=ResponseCode.OK_NewSessionEstablished,  # [V2G-DC-393]; resuming is not part of DIN 70121
            EVSEID=self.station.settings.EVSEID,
            DateTimeNow=None if clock is None else int(clock()),
        )

    def service_discovery(self, request: ServiceDiscoveryReq) -> ServiceDiscoveryRes:
        return self._services(OK)

    def service_payment_selection(self, request: ServicePaymentSelectionReq) -> ServicePaymentSelectionRes:
        if request.SelectedPaymentOption is not PaymentOption.ExternalPayment:  # [V2G-DC-395]
            text = f"the payment option {request.SelectedPaymentOption} was not offered"
            raise Refusal(ResponseCode.FAILED_PaymentSelectionInvalid, text, "V2G-DC-395")
        chosen = [service.ServiceID for service in request.SelectedServiceList.SelectedService]
        if chosen != [CHARGE_SERVICE]:  # [V2G-DC-635], [V2G-DC-396]
            text = f"services {chosen} selected, offered is {CHARGE_SERVICE} alone"
            raise Refusal(ResponseCode.FAILED_ServiceSelectionInvalid, text, "V2G-DC-396")
        return ServicePaymentSelectionRes(ResponseCode=OK)

    def contract_authentication(self, request: ContractAuthenticationReq) -> ContractAuthenticationRes:
        authorization = self.outlet.authorization()
        if authorization is Authorization.REFUSED:
            raise Refusal(ResponseCode.FAILED, "the user is not authorized", blame=Blame.SETUP)
        granted = authorization is Authorization.GRANTED
        return ContractAuthenticationRes(ResponseCode=OK, EVSEProcessing=_processing(finished=granted))

    def charge_parameter_discovery(self, request: ChargeParameterDiscoveryReq) -> ChargeParameterDiscoveryRes:
        wanted = request.EVRequestedEnergyTransferType
        if wanted not in DC_TYPES:  # [V2G-DC-397]
            text = f"{wanted} is asked for, this is a DC outlet"
            raise Refusal(ResponseCode.FAILED_WrongEnergyTransferType, text, "V2G-DC-397")
        parameter = request.EVChargeParameter
        if not isinstance(parameter, DC_EVChargeParameter):
            text = f"{type(parameter).__name__} instead of the parameters of a DC vehicle"
            raise Refusal(ResponseCode.FAILED_WrongChargeParameter, text, "V2G-DC-398")
        self._vehicle_limits(
            parameter.EVMaximumVoltageLimit, parameter.EVMaximumCurrentLimit, parameter.EVMaximumPowerLimit
        )
        if misfit := decisions.incompatible(self.vehicle, self.outlet.limits()):  # [V2G-DC-398]
            raise Refusal(ResponseCode.FAILED_WrongChargeParameter, misfit, "V2G-DC-398")
        if error := self._vehicle_error(parameter.DC_EVStatus):
            raise Refusal(ResponseCode.FAILED, error)
        ready = self.outlet.ready()
        if ready and not self.outlet.energy_available():
            # Ends in order: the vehicle's next request is SessionStopReq (IEC 61851-23:2023 CC.5.3.2).
            self.energy_refused = True
            self.station.note("no energy is available")
        return self._parameters(OK, finished=ready or self.station.stopping is not None)

    def cable_check(self, request: CableCheckReq) -> CableCheckRes:
        if error := self._vehicle_error(request.DC_EVStatus):
            raise Refusal(ResponseCode.FAILED, error)
        if self.check is None:
            test_volts = decisions.cable_check_volts(self.vehicle.max_volts, self.outlet.limits().max_volts)
            self.check = CableCheck(self.outlet, test_volts, self.station.now, pilot_s=CP_STATE_DETECTION_S)
            self.station.go_live()
        state = self.check.look(self.station.now)
        if state is CableCheckState.ONGOING or state.proven:
            processing = _processing(finished=state.proven)
            return CableCheckRes(ResponseCode=OK, DC_EVSEStatus=self._status(), EVSEProcessing=processing)
        if state is CableCheckState.NOT_READY:
            raise Refusal(ResponseCode.FAILED, state.value, "V2G-DC-547")
        raise Refusal(ResponseCode.FAILED, state.value, blame=Blame.SETUP)

    def pre_charge(self, request: PreChargeReq) -> PreChargeRes:
        if error := self._vehicle_error(request.DC_EVStatus):
            raise Refusal(ResponseCode.FAILED, error)
        self._want(request.EVTargetVoltage, request.EVTargetCurrent)
        # The target is followed in every request: the first one may be wrong (BMW i3 REX). The current limit is ours:
        # cars ask for 0 A here and mean the voltage (Tesla Model Y, Polestar 2).
        target = min(self.wanted.volts, self.vehicle.max_volts, self.outlet.limits().max_volts)
        self.outlet.output(target, decisions.PRECHARGE_AMPS)
        present = self.outlet.volts()
        if decisions.matched(present, target):
            for phase in RULES.beginning[PreChargeReq]:
                self.station.kept(phase, request)
        self.station.measured()
        return PreChargeRes(ResponseCode=OK, DC_EVSEStatus=self._status(), EVSEPresentVoltage=volts(present))

    def power_delivery(self, request: PowerDeliveryReq) -> PowerDeliveryRes:
        if not request.ReadyToChargeState:
            self.delivering = False
            self.station.make_safe(emergency=False)
            return PowerDeliveryRes(ResponseCode=OK, EVSEStatus=self._status(ended=True))
        if self.delivering:
            raise Refusal(ResponseCode.FAILED, "power is already delivered")
        self._judge_profile(request.ChargingProfile)
        if not self.station.live or not self.outlet.relays_closed() or not self.outlet.ready():  # [V2G-DC-401]
            raise Refusal(ResponseCode.FAILED_PowerDeliveryNotApplied, "the outlet is not ready")
        parameter = request.EVPowerDeliveryParameter
        if error := self._vehicle_error(getattr(parameter, "DC_EVStatus", None)):
            raise Refusal(ResponseCode.FAILED, error)
        self.delivering = True
        return PowerDeliveryRes(ResponseCode=OK, EVSEStatus=self._status())

    def current_demand(self, request: CurrentDemandReq) -> CurrentDemandRes:
        limits = self.outlet.limits()
        self._vehicle_limits(request.EVMaximumVoltageLimit, request.EVMaximumCurrentLimit, request.EVMaximumPowerLimit)
        self._want(request.EVTargetVoltage, request.EVTargetCurrent)
        if error := self._vehicle_error(request.DC_EVStatus):
            # The vehicle ends in order after its next request or two (Hyundai Ioniq); FAILED would cut it off.
            self.wanted = SetPoint(self.wanted.volts, 0.0)
            self.station.stop_for_vehicle(error)
        granted = decisions.grant(self.wanted, self.vehicle, limits, self.outlet.volts())
        self.outlet.output(granted.volts, granted.amps)
        self.station.measured()
        return CurrentDemandRes(
            ResponseCode=OK,
            DC_EVSEStatus=self._status(),
            EVSEPresentVoltage=volts(self.outlet.volts()),
            EVSEPresentCurrent=amps(self.outlet.amps()),
            EVSECurrentLimitAchieved=granted.current_limited,
            EVSEVoltageLimitAchieved=granted.voltage_limited,
            EVSEPowerLimitAchieved=granted.power_limited,
            # Vehicles want them in every answer.
            EVSEMaximumVoltageLimit=volts(limits.max_volts),
            EVSEMaximumCurrentLimit=amps(limits.max_amps),
            EVSEMaximumPowerLimit=watts(limits.max_watts),
        )

    def welding_detection(self, request: WeldingDetectionReq) -> WeldingDetectionRes:
        pilot = self.outlet.control_pilot()
        if pilot is not None and pilot.ready:
            self.station.note("WeldingDetectionReq while the pilot is still in state C [V2G-DC-556]")
        if self.outlet.relays_closed():
            self.station.note("the relays are still closed")
        self.station.measured()
        return WeldingDetectionRes(
            ResponseCode=OK, DC_EVSEStatus=self._status(ended=True), EVSEPresentVoltage=volts(self.outlet.volts())
        )

    def session_stop(self, request: SessionStopReq) -> SessionStopRes:
        # Legal in every state before the flow of energy; from the charge loop Volkswagens do it: no current first.
        if self.delivering:
            self.station.note("the vehicle stops out of the charge loop, without PowerDeliveryReq")
        self.delivering = False
        self.station.make_safe(emergency=False)
        return SessionStopRes(ResponseCode=OK)

    # What the engine asks

    def winding_down(self, request: Any) -> bool:
        return isinstance(request, SessionStopReq | WeldingDetectionReq) or (
            isinstance(request, PowerDeliveryReq) and not request.ReadyToChargeState
        )

    def can_tell(self, request: Any) -> bool:
        return not isinstance(
            request,
            SessionSetupReq | ServiceDiscoveryReq | ServicePaymentSelectionReq | ContractAuthenticationReq,
        )

    def late_code(self, phase: Phase) -> str:
        if phase.begins is PreChargeReq and self.outlet.volts() < self.wanted.volts:
            return ResponseCode.FAILED_EVSEPresentVoltageToLow
        return ResponseCode.FAILED

    def look(self) -> None:
        if self.check is not None:
            self.check.look(self.station.now)

    # Phrases

    def refuse(self, request: Any, code: str) -> Any | None:
        """The shortest answer with this code: mandatory elements only. [V2G-DC-665]"""
        phrase = REFUSALS.get(type(request))
        return None if phrase is None else phrase(self, ResponseCode(code))

    def _status(self, *, ended: bool = False) -> DC_EVSEStatus:
        """The outlet as it is. Vehicles look at the code, at the notification or at both: who stops says both."""
        trouble = self.outlet.trouble()
        code, notification = DC_EVSEStatusCode.EVSE_Ready, EVSENotification.None_
        if trouble is not None:
            code, notification = STATUS_BY_TROUBLE[trouble], EVSENotification.StopCharging
        elif self.station.stopping is not None or self.station.doomed is not None or self.energy_refused:
            code, notification = DC_EVSEStatusCode.EVSE_Shutdown, EVSENotification.StopCharging
        elif ended:  # IEC 61851-23:2023 CC.7.5.19
            code = DC_EVSEStatusCode.EVSE_Shutdown
        elif self.check is not None and self.check.state is CableCheckState.ONGOING:
            code = DC_EVSEStatusCode.EVSE_IsolationMonitoringActive
        elif not self.outlet.ready():
            code = DC_EVSEStatusCode.EVSE_NotReady
        level = (
            IsolationLevel.Invalid if self.check is None else ISOLATION.get(self.check.state, IsolationLevel.Invalid)
        )
        return DC_EVSEStatus(
            EVSEIsolationStatus=level, EVSEStatusCode=code, NotificationMaxDelay=0, EVSENotification=notification
        )

    def _services(self, code: ResponseCode) -> ServiceDiscoveryRes:
        return ServiceDiscoveryRes(
            ResponseCode=code,
            PaymentOptions=PaymentOptions(PaymentOption=[PaymentOption.ExternalPayment]),  # [V2G-DC-252]
            ChargeService=ServiceCharge(  # ServiceName and ServiceScope are not used [V2G-DC-628], [V2G-DC-629]
                ServiceTag=ServiceTag(ServiceID=CHARGE_SERVICE, ServiceCategory=ServiceCategory.EVCharging),
                FreeService=self.station.settings.FreeService,
                EnergyTransferType=EVSESupportedEnergyTransfer.DC_extended,
            ),
        )

    def _parameters(self, code: ResponseCode, *, finished: bool) -> ChargeParameterDiscoveryRes:
        limits = self.outlet.limits()
        entry = PMaxScheduleEntry(
            TimeInterval=RelativeTimeInterval(start=0, duration=DAY_S), PMax=decisions.int16(limits.max_watts)
        )
        schedule = PMaxSchedule(PMaxScheduleID=SCHEDULE, PMaxScheduleEntry=[entry])
        schedules = SAScheduleList(SAScheduleTuple=[SAScheduleTuple(SAScheduleTupleID=SCHEDULE, PMaxSchedule=schedule)])
        return ChargeParameterDiscoveryRes(
            ResponseCode=code,
            EVSEProcessing=_processing(finished=finished),
            # While Ongoing too: the schema wants the element, and its head is abstract. Stations of the field send the
            # empty head, and vehicles whose codec binds XML types end there (EcoG iso15118).
            SASchedules=schedules,
            EVSEChargeParameter=DC_EVSEChargeParameter(
                DC_EVSEStatus=self._status(),
                EVSEMaximumCurrentLimit=amps(limits.max_amps),
                EVSEMaximumPowerLimit=watts(limits.max_watts),
                EVSEMaximumVoltageLimit=volts(limits.max_volts),
                EVSEMinimumCurrentLimit=amps(limits.min_amps),
                EVSEMinimumVoltageLimit=volts(limits.min_volts),
                EVSECurrentRegulationTolerance=amps(limits.tolerance_amps),
                EVSEPeakCurrentRipple=amps(limits.ripple_amps),
            ),
        )

    # What the vehicle says

    def _vehicle_limits(
        self, max_volts: PhysicalValue | None, max_amps: PhysicalValue | None, max_watts: PhysicalValue | None
    ) -> None:
        """Take over the limits that a message carries. A power limit that was never given is the product of the others.

        In the charge loop a limit of zero is nonsense and ignored; in ChargeParameterDiscovery `incompatible` judges
        it.
        """
        old = self.vehicle
        new_volts = value(max_volts) if max_volts is not None else old.max_volts
        new_amps = value(max_amps) if max_amps is not None else old.max_amps
        new_watts = value(max_watts) if max_watts is not None else old.max_watts or new_volts * new_amps
        if not self.delivering:
            self.vehicle = BatteryLimits(new_volts, new_amps, new_watts, 0.0)
        else:
            self.vehicle = BatteryLimits(
                new_volts if new_volts > 0 else old.max_volts,
                max(new_amps, 0.0),
                new_watts if new_watts > 0 else old.max_watts,
                0.0,
            )

    def _want(self, target_volts: PhysicalValue, target_amps: PhysicalValue) -> None:
        wish = SetPoint(value(target_volts), value(target_amps))
        self.wanted = decisions.plausible(wish, self.wanted, self.outlet.limits())
        if self.wanted != wish:
            self.station.note(f"implausible wish of {wish.volts:g} V, {wish.amps:g} A ignored")

    def _vehicle_error(self, status: DC_EVStatus | None) -> str | None:
        """What the vehicle says is wrong with it."""
        if status is None or status.EVErrorCode is DC_EVErrorCode.NO_ERROR:
            return None
        return f"the vehicle reports {status.EVErrorCode}"

    def _judge_profile(self, profile: ChargingProfile | None) -> None:
        """Refuse a profile of an unknown schedule; one above PMax is noted only, unless the station is strict."""
        if profile is None:
            return
        if profile.SAScheduleTupleID != SCHEDULE:
            text = f"schedule {profile.SAScheduleTupleID} was not offered"
            raise Refusal(ResponseCode.FAILED_TariffSelectionInvalid, text, "V2G-DC-400")
        limit = decisions.int16(self.outlet.limits().max_watts)
        if any(entry.ChargingProfileEntryMaxPower > limit for entry in profile.ProfileEntry):
            text = f"the charging profile exceeds the {limit} W offered"
            if self.station.settings.strict:
                raise Refusal(ResponseCode.FAILED_ChargingProfileInvalid, text, "V2G-DC-399")
            self.station.note(text)


def _processing(*, finished: bool) -> EVSEProcessing:
    return EVSEProcessing.Finished if finished else EVSEProcessing.Ongoing


AC_STATUS: Final = AC_EVSEStatus(
    PowerSwitchClosed=False, RCD=False, NotificationMaxDelay=0, EVSENotification=EVSENotification.None_
)
EMPTY_CHAIN: Final = CertificateChain(Certificate=b"")

REFUSALS: Final[Mapping[Kind, Callable[[Conversation, ResponseCode], Any]]] = {
    SessionSetupReq: lambda c, code: SessionSetupRes(ResponseCode=code, EVSEID=b"\0"),
    ServiceDiscoveryReq: lambda c, code: c._services(code),
    ServicePaymentSelectionReq: lambda c, code: ServicePaymentSelectionRes(ResponseCode=code),
    ContractAuthenticationReq: lambda c, code: ContractAuthenticationRes(
        ResponseCode=code, EVSEProcessing=EVSEProcessing.Finished
    ),
    ChargeParameterDiscoveryReq: lambda c, code: c._parameters(code, finished=True),
    CableCheckReq: lambda c, code: CableCheckRes(
        ResponseCode=code, DC_EVSEStatus=c._status(ended=True), EVSEProcessing=EVSEProcessing.Finished
    ),
    PreChargeReq: lambda c, code: PreChargeRes(
        ResponseCode=code, DC_EVSEStatus=c._status(ended=True), EVSEPresentVoltage=volts(c.outlet.volts())
    ),
    PowerDeliveryReq: lambda c, code: PowerDeliveryRes(ResponseCode=code, EVSEStatus=c._status(ended=True)),
    CurrentDemandReq: lambda c, code: CurrentDemandRes(
        ResponseCode=code,
        DC_EVSEStatus=c._status(ended=True),
        EVSEPresentVoltage=volts(c.outlet.volts()),
        EVSEPresentCurrent=amps(c.outlet.amps()),
        EVSECurrentLimitAchieved=False,
        EVSEVoltageLimitAchieved=False,
        EVSEPowerLimitAchieved=False,
    ),
    WeldingDetectionReq: lambda c, code: WeldingDetectionRes(
        ResponseCode=code, DC_EVSEStatus=c._status(ended=True), EVSEPresentVoltage=volts(c.outlet.volts())
    ),
    SessionStopReq: lambda c, code: SessionStopRes(ResponseCode=code),
    # Messages of the schema that no session of DIN SPEC 70121 uses: they are always out of sequence.
    ServiceDetailReq: lambda c, code: ServiceDetailRes(ResponseCode=code, ServiceID=CHARGE_SERVICE),
    PaymentDetailsReq: lambda c, code: PaymentDetailsRes(ResponseCode=code, GenChallenge="", DateTimeNow=0),
    ChargingStatusReq: lambda c, code: ChargingStatusRes(
        ResponseCode=code, EVSEID=b"\0", SAScheduleTupleID=0, ReceiptRequired=False, AC_EVSEStatus=AC_STATUS
    ),
    MeteringReceiptReq: lambda c, code: MeteringReceiptRes(ResponseCode=code, AC_EVSEStatus=AC_STATUS),
    CertificateUpdateReq: lambda c, code: CertificateUpdateRes(
        Id="id",
        ResponseCode=code,
        ContractSignatureCertChain=EMPTY_CHAIN,
        ContractSignatureEncryptedPrivateKey=b"",
        DHParams=b"",
        ContractID="",
        RetryCounter=0,
    ),
    CertificateInstallationReq: lambda c, code: CertificateInstallationRes(
        Id="id",
        ResponseCode=code,
        ContractSignatureCertChain=EMPTY_CHAIN,
        ContractSignatureEncryptedPrivateKey=b"",
        DHParams=b"",
        ContractID="",
    ),
}
"""The failed answer that is paired with each request."""
