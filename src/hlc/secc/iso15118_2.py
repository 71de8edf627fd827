"""ISO 15118-2, what the station answers: the handlers that AC and DC have in common. Payment is external.

The half that differs is a part of its own, `dc.Dc` or `iso15118_2_ac.Ac`, by what the outlet is.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exi.messages import iso15118_2
from exi.messages.iso15118_2 import (
    AuthorizationReq,
    AuthorizationRes,
    CableCheckReq,
    ChargeParameterDiscoveryReq,
    ChargeParameterDiscoveryRes,
    ChargeProgress,
    ChargeService,
    ChargingProfile,
    ChargingSession,
    ChargingStatusReq,
    CurrentDemandReq,
    EnergyTransferMode,
    EVSEProcessing,
    MeterInfo,
    MeteringReceiptReq,
    MeteringReceiptRes,
    PaymentOption,
    PaymentOptionList,
    PaymentServiceSelectionReq,
    PaymentServiceSelectionRes,
    PowerDeliveryReq,
    PowerDeliveryRes,
    PreChargeReq,
    ResponseCode,
    ServiceCategory,
    ServiceDetailReq,
    ServiceDetailRes,
    ServiceDiscoveryReq,
    ServiceDiscoveryRes,
    ServiceList,
    SessionSetupReq,
    SessionSetupRes,
    SessionStopReq,
    SessionStopRes,
    SupportedEnergyTransferMode,
    WeldingDetectionReq,
)
from hlc.decisions import schedules, value
from hlc.decisions.schedules import Schedule
from hlc.flow import Paused, Refusal
from hlc.ports import Mode
from hlc.rules import Kind
from hlc.rules.iso15118_2 import AC_MODES, CP_OSCILLATOR_RETAIN_S, CP_STATE_DETECTION_S, RULES
from hlc.secc import conversation
from hlc.secc.conversation import LATER, Handler
from hlc.secc.dc import Dc
from hlc.secc.iso15118_2_ac import Ac
from hlc.secc.iso15118_2_phrases import (
    CHARGE_SERVICE,
    ENTRIES,
    LONGEST_ENTRY_S,
    PARAMETER_SETS,
    REFUSALS,
    schedule_list,
    wanted_services,
)

if TYPE_CHECKING:
    from hlc.secc.station import Station

OK: Final = ResponseCode.OK
LONGEST_S: Final = 7 * 86400
"""No schedule is longer; at its end there is another one. [V2G2-305]"""
NOTIFICATION_S: Final = 10
"""So much time a vehicle has to come and renegotiate."""


class Memory(NamedTuple):
    """What outlives a pause. [V2G2-741]"""

    schedule_id: int
    began: float
    """When the operator's schedules began to hold."""


class Conversation(conversation.Conversation):
    """One session of ISO 15118-2 at the station."""

    rules = RULES
    oscillator_retain_s = CP_OSCILLATOR_RETAIN_S

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.outlet = station.outlet
        self.EVSEID = station.settings.evse_id()
        self.memory: Memory | None = None
        """Of the session that this one goes on with."""
        self.began = station.now
        self.schedules: list[Schedule] = []
        """Those on offer, and since when."""
        self.scheduled_at = station.now
        self.schedule: Schedule | None = None
        """The one that the vehicle has chosen."""
        self.renegotiating = False
        self.stopped = False
        """The flow of energy was ended in order, so that a pause may follow."""
        self.meter: MeterInfo | None = None
        """The reading told last."""
        self._judged: PowerDeliveryReq | None = None
        self.power: Dc | Ac
        if Mode.AC in self.outlet.modes():
            self.stops_by_pilot = True
            self.power = Ac(self, notification=self.notification, watts=self.watts, loop=self.loop)
        else:
            self.power = Dc(
                self,
                iso15118_2,
                notification=self.notification,
                watts=self.watts,
                loop=self.loop,
                pilot_s=CP_STATE_DETECTION_S,
            )

    def handlers(self) -> Mapping[Kind, Handler]:
        """The answer to each request. What a contract needs is never asked in sequence."""
        return {
            SessionSetupReq: self.session_setup,
            ServiceDiscoveryReq: self.service_discovery,
            ServiceDetailReq: self.service_detail,
            PaymentServiceSelectionReq: self.payment_service_selection,
            AuthorizationReq: self.authorization,
            ChargeParameterDiscoveryReq: self.charge_parameter_discovery,
            PowerDeliveryReq: self.power_delivery,
            MeteringReceiptReq: self.metering_receipt,
            SessionStopReq: self.session_stop,
            **self.power.handlers(),
        }

    # Handlers

    def joins(self, session_id: bytes) -> bool:
        paused = self.station.sessions.take(session_id, RULES.name, self.station.transport.peer)
        if paused is not None:
            self.memory = paused.memory
            self.began = paused.memory.began
        return paused is not None

    def session_setup(self, request: SessionSetupReq) -> SessionSetupRes:
        clock, joined = self.station.clock, self.memory is not None
        return SessionSetupRes(
            ResponseCode=ResponseCode.OK_OldSessionJoined if joined else ResponseCode.OK_NewSessionEstablished,
            EVSEID=self.EVSEID,
            EVSETimeStamp=None if clock is None else int(clock()),
        )

    def service_discovery(self, request: ServiceDiscoveryReq) -> ServiceDiscoveryRes:
        return self._services(OK, request)

    def service_detail(self, request: ServiceDetailReq) -> ServiceDetailRes:
        offered = {CHARGE_SERVICE, *(service.ServiceID for service in self._offered())}
        if request.ServiceID not in offered:
            text = f"service {request.ServiceID} was not offered"
            raise Refusal("FAILED_ServiceIDInvalid", text, "V2G2-464")
        return ServiceDetailRes(
            ResponseCode=OK,
            ServiceID=request.ServiceID,
            ServiceParameterList=PARAMETER_SETS.get(request.ServiceID),
        )

    def payment_service_selection(self, request: PaymentServiceSelectionReq) -> PaymentServiceSelectionRes:
        if request.SelectedPaymentOption is not PaymentOption.ExternalPayment:
            text = f"the payment option {request.SelectedPaymentOption} was not offered"
            raise Refusal("FAILED_PaymentSelectionInvalid", text, "V2G2-465")
        offered = {service.ServiceID for service in self._offered()}
        chosen = request.SelectedServiceList.SelectedService
        for service in chosen:
            sets = PARAMETER_SETS.get(service.ServiceID)
            known = {entry.ParameterSetID for entry in sets.ParameterSet} if sets is not None else {None}
            if service.ServiceID != CHARGE_SERVICE and (
                service.ServiceID not in offered or service.ParameterSetID not in known
            ):
                text = f"service {service.ServiceID} with parameter set {service.ParameterSetID} was not offered"
                raise Refusal("FAILED_ServiceSelectionInvalid", text, "V2G2-467")
        if CHARGE_SERVICE not in [service.ServiceID for service in chosen]:
            text = f"the charge service, {CHARGE_SERVICE}, was not selected"
            raise Refusal("FAILED_NoChargeServiceSelected", text, "V2G2-804")
        return PaymentServiceSelectionRes(ResponseCode=OK)

    def authorization(self, request: AuthorizationReq) -> AuthorizationRes:
        self.expect_state_b("it is authorized", "V2G2-852")
        # A session that goes on after a pause was authorized before it.
        granted = self.memory is not None or self.authorized()
        waiting = EVSEProcessing.Ongoing_WaitingForCustomerInteraction  # [V2G2-854], [V2G2-856]
        return AuthorizationRes(ResponseCode=OK, EVSEProcessing=EVSEProcessing.Finished if granted else waiting)

    def charge_parameter_discovery(self, request: ChargeParameterDiscoveryReq) -> ChargeParameterDiscoveryRes:
        mode, parameter = request.RequestedEnergyTransferMode, request.EVChargeParameter
        dc = mode not in AC_MODES
        # Old cars ask for other DC modes over the same contacts.
        exact = not dc or self.station.settings.strict
        if dc is not isinstance(self.power, Dc) or (exact and mode not in self._modes()):
            raise Refusal("FAILED_WrongEnergyTransferMode", f"{mode} was not offered", "V2G2-476")
        if isinstance(self.power, Dc):
            self.power.discover(parameter)
        else:
            self.power.discover(parameter, mode)
        if not self.prepared():
            return self._parameters(OK, EVSEProcessing.Ongoing)
        self._plan(request)
        return self._parameters(OK, EVSEProcessing.Finished)

    def power_delivery(self, request: PowerDeliveryReq) -> Any:
        match request.ChargeProgress:
            case ChargeProgress.Start:
                if self.delivering and not self.renegotiating:
                    raise Refusal("FAILED", "power is already delivered", "V2G2-812")
                if request is not self._judged:
                    self._judged = request
                    self._judge(request)
                if not self.power.start(request.EVPowerDeliveryParameter):
                    return LATER
                self.renegotiating = self.stopped = False
            case ChargeProgress.Renegotiate:
                if not self.delivering:
                    raise Refusal("FAILED", "no power is delivered that could be renegotiated", "V2G2-812")
                self.power.renegotiate()
                self.renegotiating = True
            case ChargeProgress.Stop:
                if not self.power.stop():
                    return LATER
                self.stopped = True
        ended = request.ChargeProgress is ChargeProgress.Stop
        return PowerDeliveryRes(ResponseCode=OK, EVSEStatus=self.power.status(ended=ended))

    def metering_receipt(self, request: MeteringReceiptReq) -> MeteringReceiptRes:
        """Required with a contract only, where the signature is checked before."""
        if request.SessionID != self.station.session_id or request.MeterInfo != self.meter:
            raise Refusal("FAILED", "the receipt is not of the reading that was told last", "V2G2-904")
        return MeteringReceiptRes(ResponseCode=OK, EVSEStatus=self.power.status())

    def session_stop(self, request: SessionStopReq) -> SessionStopRes:
        # Legal in every state before the flow of energy.
        self.leaves_loop()
        if request.ChargingSession is ChargingSession.Pause:
            self._pause()
        self.delivering = False
        self.station.make_safe(emergency=False)
        return SessionStopRes(ResponseCode=OK)

    def _pause(self) -> None:
        """Keep what the session needs to go on."""
        station = self.station
        if not self.stopped:
            raise Refusal("FAILED", "a pause is possible only after power delivery has ended", "V2G2-740")
        assert station.session_id is not None
        chosen = self.schedule or self.schedules[0]
        memory = Memory(chosen.id, self.began)
        station.paused = Paused(station.session_id, RULES.name, station.transport.peer, memory)
        station.sessions.keep(station.paused)

    # What the engine asks

    def winding_down(self, request: Any) -> bool:
        return isinstance(request, SessionStopReq | WeldingDetectionReq) or (
            isinstance(request, PowerDeliveryReq) and request.ChargeProgress is ChargeProgress.Stop
        )

    def can_tell(self, request: Any) -> bool:
        return isinstance(
            request,
            ChargeParameterDiscoveryReq
            | CableCheckReq
            | PreChargeReq
            | PowerDeliveryReq
            | CurrentDemandReq
            | ChargingStatusReq
            | MeteringReceiptReq
            | WeldingDetectionReq
            | SessionStopReq,
        )

    def look(self) -> None:
        self.power.look()

    # Schedules

    def _plan(self, request: ChargeParameterDiscoveryReq) -> None:
        """Make the schedules to offer, from now on."""
        station, departure = self.station, request.EVChargeParameter.DepartureTime
        entries = min(ENTRIES, request.MaxEntriesSAScheduleTuple or ENTRIES)
        if departure is not None:  # cars that do not know it send 2**32 - 1
            departure = min(departure, LONGEST_S, entries * LONGEST_ENTRY_S)
            # The last slot may need more entries than one.
            entries -= max(0, ceil(departure / LONGEST_ENTRY_S) - 1)
        offered = schedules.offered(
            station.settings.schedules,
            watts=self.power.max_watts(),
            departure_s=departure,
            elapsed_s=station.now - self.began,
            entries=entries,
        )
        if self.memory is not None:  # the one that was chosen before the pause [V2G2-741]
            offered = [each for each in offered if each.id == self.memory.schedule_id] or offered
        self.schedules, self.schedule, self.scheduled_at = offered, None, station.now
        station.renegotiation = None

    def _judge(self, request: PowerDeliveryReq) -> None:
        """Take the chosen schedule and look at the profile. One above PMax is noted only, unless the station is
        strict."""
        found = [each for each in self.schedules if each.id == request.SAScheduleTupleID]
        if not found:
            text = f"schedule {request.SAScheduleTupleID} was not offered"
            raise Refusal("FAILED_TariffSelectionInvalid", text, "V2G2-479")
        self.schedule = found[0]
        profile = request.ChargingProfile
        if profile is None:
            return
        # Its times are counted from now on, or like those of the schedule from the message before: vehicles do either.
        left = schedules.after(self.schedule.slots, self.station.now - self.scheduled_at)
        misfit, other = (
            schedules.misfit(_slots(profile), each) for each in (self.schedule, self.schedule._replace(slots=left))
        )
        if misfit and other:
            if self.station.settings.strict:
                raise Refusal("FAILED_ChargingProfileInvalid", misfit, "V2G2-478")
            self.station.note(misfit)

    def watts(self) -> float:
        """What schedule and energy management allow now."""
        managed = self.outlet.wanted_watts()
        wanted = float("inf") if managed is None else max(0.0, managed)
        if self.schedule is None:
            return wanted
        return min(wanted, schedules.at(self.schedule.slots, self.station.now - self.scheduled_at).watts)

    def _over(self) -> bool:
        """Whether the schedule has come to its end. [V2G2-305]"""
        chosen = self.schedule
        return chosen is not None and self.station.now - self.scheduled_at >= schedules.length(chosen.slots)

    # Phrases

    def notification(self) -> tuple[str, int]:
        """What the station wants of the vehicle."""
        if self.ending:
            return "StopCharging", 0
        follows = self.delivering and not self.renegotiating
        if follows and (self.station.renegotiation is not None or self._over()):
            return "ReNegotiation", NOTIFICATION_S
        return "None", 0

    def loop(self) -> dict[str, Any]:
        """What CurrentDemandRes and ChargingStatusRes have in common."""
        station = self.station
        clock = station.clock
        self.meter = MeterInfo(
            MeterID=station.settings.MeterID,
            MeterReading=max(0, int(self.outlet.energy_wh())),
            TMeter=None if clock is None else int(clock()),
        )
        return {
            "EVSEID": self.EVSEID,
            "SAScheduleTupleID": self.schedule.id if self.schedule is not None else 1,
            "MeterInfo": self.meter,
            "ReceiptRequired": False,  # [V2G2-691]
        }

    def refuse(self, request: Any, code: str) -> Any | None:
        kind, response_code = type(request), ResponseCode(code)
        if kind is ServiceDiscoveryReq:
            return self._services(response_code, request)
        if kind is ChargeParameterDiscoveryReq:
            return self._parameters(response_code, EVSEProcessing.Finished)
        if kind is PowerDeliveryReq:
            return PowerDeliveryRes(ResponseCode=response_code, EVSEStatus=self.power.status(ended=True))
        if kind is MeteringReceiptReq:
            return MeteringReceiptRes(ResponseCode=response_code, EVSEStatus=self.power.status(ended=True))
        if phrase := self.power.refusals().get(kind):
            return phrase(response_code)
        other = REFUSALS.get(kind)
        return None if other is None else other(request, response_code)

    def _modes(self) -> list[EnergyTransferMode]:
        return [EnergyTransferMode.DC_extended] if isinstance(self.power, Dc) else self.power.modes()

    def _offered(self) -> list[iso15118_2.Service]:
        return wanted_services(self.station.settings.services, None, None)

    def _services(self, code: ResponseCode, request: ServiceDiscoveryReq) -> ServiceDiscoveryRes:
        wanted = wanted_services(self.station.settings.services, request.ServiceScope, request.ServiceCategory)
        return ServiceDiscoveryRes(
            ResponseCode=code,
            PaymentOptionList=PaymentOptionList(PaymentOption=[PaymentOption.ExternalPayment]),
            ChargeService=ChargeService(
                ServiceID=CHARGE_SERVICE,
                ServiceCategory=ServiceCategory.EVCharging,
                FreeService=self.station.settings.FreeService,
                SupportedEnergyTransferMode=SupportedEnergyTransferMode(EnergyTransferMode=self._modes()),
            ),
            ServiceList=ServiceList(Service=wanted) if wanted else None,
        )

    def _parameters(self, code: ResponseCode, processing: EVSEProcessing) -> ChargeParameterDiscoveryRes:
        ongoing = processing is EVSEProcessing.Ongoing
        return ChargeParameterDiscoveryRes(
            ResponseCode=code,
            EVSEProcessing=processing,
            SASchedules=None if ongoing or not self.schedules else schedule_list(self.schedules),
            EVSEChargeParameter=self.power.parameter(),
        )


def _slots(profile: ChargingProfile) -> tuple[schedules.Slot, ...]:
    """A profile's entries; the last one has no end."""
    entries = [
        (float(entry.ChargingProfileEntryStart), value(entry.ChargingProfileEntryMaxPower))
        for entry in profile.ProfileEntry
    ]
    return schedules.from_starts(entries, float("inf"))
