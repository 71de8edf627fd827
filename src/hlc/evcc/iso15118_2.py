"""ISO 15118-2, what the vehicle asks: the choices that AC and DC have in common. Payment is external.

The half that differs is a part of its own, `dc.Dc` or `iso15118_2_ac.Ac`, by what the vehicle is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil, floor
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from exi.messages import iso15118_2
from exi.messages.iso15118_2 import (
    AuthorizationReq,
    AuthorizationRes,
    CableCheckReq,
    ChargeParameterDiscoveryReq,
    ChargeParameterDiscoveryRes,
    ChargeProgress,
    ChargingProfile,
    ChargingSession,
    ChargingStatusReq,
    ChargingStatusRes,
    CurrentDemandReq,
    CurrentDemandRes,
    EnergyTransferMode,
    MeterInfo,
    MeteringReceiptReq,
    MeteringReceiptRes,
    PaymentOption,
    PaymentServiceSelectionReq,
    PaymentServiceSelectionRes,
    PowerDeliveryReq,
    PowerDeliveryRes,
    PreChargeReq,
    ProfileEntry,
    ResponseCode,
    SAScheduleList,
    SelectedService,
    SelectedServiceList,
    ServiceDetailReq,
    ServiceDetailRes,
    ServiceDiscoveryReq,
    ServiceDiscoveryRes,
    SessionSetupReq,
    SessionSetupRes,
    SessionStopReq,
    SessionStopRes,
    WeldingDetectionReq,
)
from hlc.decisions import schedules
from hlc.decisions.schedules import Plan, Schedule, Slot
from hlc.evcc.dc import Dc
from hlc.evcc.iso15118_2_ac import Ac
from hlc.evcc.iso15118_2_schedules import read
from hlc.evcc.session import Session
from hlc.flow import Paused
from hlc.ports import Mode
from hlc.rules import Kind
from hlc.rules.answers import finished, status_of
from hlc.rules.iso15118_2 import RULES, is_ac

if TYPE_CHECKING:
    from hlc.evcc.vehicle import Vehicle

PACES: Final[Mapping[Kind, float]] = {
    AuthorizationReq: 0.25,
    ChargeParameterDiscoveryReq: 0.25,
    CableCheckReq: 0.25,
    PreChargeReq: 0.1,
    CurrentDemandReq: 0.1,
    ChargingStatusReq: 0.5,
    WeldingDetectionReq: 0.1,
}
DC_MODES: Final = (
    EnergyTransferMode.DC_extended,
    EnergyTransferMode.DC_core,
    EnergyTransferMode.DC_combo_core,
    EnergyTransferMode.DC_unique,
)
"""What a vehicle with Combo contacts can use, the best first."""
PROFILE_ENTRIES: Final = 24
RENEGOTIATION_S: Final = 10.0
"""So long a station is not listened to that wants to renegotiate again."""


class Memory(NamedTuple):
    """What outlives a pause."""

    departs_at: float | None
    """By the vehicle's clock."""


class Conversation(Session):
    """One session of ISO 15118-2 in the vehicle."""

    rules = RULES
    messages: ClassVar[Any] = iso15118_2
    paces = PACES

    def __init__(self, vehicle: Vehicle) -> None:
        super().__init__(vehicle)
        departure_s = vehicle.settings.departure_s
        self.departs_at = None if departure_s is None else vehicle.now + departure_s
        self.power: Dc | Ac
        if Mode.AC in vehicle.ev.modes():
            self.power = Ac(
                self,
                charging=lambda: self.charging,
                leaving=self.leaving,
                ending=self.ending,
                watts=self.allowed_watts,
            )
            self.in_loop: Kind = ChargingStatusReq
        else:
            self.power = Dc(self, leaving=self.leaving, watts=self.allowed_watts)
            self.in_loop = CurrentDemandReq
        self.mode = EnergyTransferMode.DC_extended
        self.charge_service = 1
        self.services: list[SelectedService] = []
        """Those that are taken beside charging."""
        self.details: list[int] = []
        """Services of which the parameters are not known yet."""
        self.plan: Plan | None = None
        """The schedule that was chosen, and what is made of it."""
        self.planned_at = vehicle.now
        self.renegotiated_at: float | None = None
        self.wish: tuple[float, float | None] | None = None
        """Target and departure on which the plan rests."""
        self.progress = ChargeProgress.Start
        """What PowerDeliveryReq is to say."""
        self.charging = False
        """The station has agreed to deliver."""
        self.pausable = False
        """Power delivery has ended in order."""
        self.meter: tuple[MeterInfo, int] | None = None
        """The reading for which a receipt is wanted, and its schedule."""
        self.told: tuple[Any, Any] = (None, None)
        """The last exchange of the charge loop."""
        self._choices: Mapping[Kind, Callable[[Any, Any], Kind | None]] = {
            SessionSetupRes: lambda req, res: ServiceDiscoveryReq,
            ServiceDiscoveryRes: self.after_service_discovery,
            ServiceDetailRes: lambda req, res: self._details_or_selection(),
            PaymentServiceSelectionRes: lambda req, res: AuthorizationReq,
            AuthorizationRes: lambda req, res: ChargeParameterDiscoveryReq if finished(res) else AuthorizationReq,
            ChargeParameterDiscoveryRes: self.after_charge_parameter_discovery,
            PowerDeliveryRes: self.after_power_delivery,
            MeteringReceiptRes: self.after_metering_receipt,
            **self.power.choices(),
        }
        self._requests: Mapping[Kind, Callable[[], Any]] = {
            SessionSetupReq: lambda: SessionSetupReq(EVCCID=self.vehicle.settings.EVCCID),
            ServiceDiscoveryReq: ServiceDiscoveryReq,
            ServiceDetailReq: lambda: ServiceDetailReq(ServiceID=self.details[0]),
            PaymentServiceSelectionReq: self.payment_service_selection,
            AuthorizationReq: AuthorizationReq,  # unsigned and empty with external payment
            ChargeParameterDiscoveryReq: self.charge_parameter_discovery,
            PowerDeliveryReq: self.power_delivery,
            MeteringReceiptReq: self.metering_receipt,
            SessionStopReq: self.session_stop,
            **self.power.requests(),
        }

    def choices(self) -> Mapping[Kind, Callable[[Any, Any], Kind | None]]:
        return self._choices

    def requests(self) -> Mapping[Kind, Callable[[], Any]]:
        return self._requests

    # Choices

    def choose(self, request: Any, response: Any, allowed: frozenset[Kind]) -> Kind | None:
        if allowed == {MeteringReceiptReq}:
            return MeteringReceiptReq
        following = super().choose(request, response, allowed)
        if following is PowerDeliveryReq:
            self._decide_progress()
        return following

    def unfit(self, response: Any) -> str | None:
        # What may follow is said by the kind of status.
        other = isinstance(self.power, Dc)
        if isinstance(response, PowerDeliveryRes | MeteringReceiptRes) and is_ac(response) is other:
            return f"{type(response.EVSEStatus).__name__} in {self.mode.value}"
        return None

    def _decide_progress(self) -> None:
        if not self.delivering:
            renegotiating = self.charging and not self.ending()
            self.progress = ChargeProgress.Renegotiate if renegotiating else ChargeProgress.Stop
        elif self.charging and self.vehicle.renegotiation is not None:
            self.progress = ChargeProgress.Renegotiate
        else:
            self.progress = ChargeProgress.Start

    def end_before_delivery(self, request: Any, response: Any, allowed: frozenset[Kind]) -> Kind | None:
        # A pause wants the end of power delivery to be agreed, though it never began.
        if self.vehicle.pausing and not self.pausable and PowerDeliveryReq in allowed:
            return PowerDeliveryReq
        return super().end_before_delivery(request, response, allowed)

    def after_service_discovery(self, request: Any, response: ServiceDiscoveryRes) -> Kind | None:
        if PaymentOption.ExternalPayment not in response.PaymentOptionList.PaymentOption:
            return self.leave("the station does not offer external payment")
        offered = response.ChargeService.SupportedEnergyTransferMode.EnergyTransferMode
        usable = [mode for mode in self._modes() if mode in offered]
        if not usable:
            return self.leave(f"the station offers {', '.join(offered)}, this vehicle takes {self._modes()[0]}")
        self.mode = usable[0]
        if isinstance(self.power, Ac):
            self.power.use(self.mode)
        self.charge_service = response.ChargeService.ServiceID
        services = response.ServiceList.Service if response.ServiceList is not None else []
        self.details = [each.ServiceID for each in services if each.ServiceID in self.vehicle.settings.services]
        return self._details_or_selection()

    def _details_or_selection(self) -> Kind:
        return ServiceDetailReq if self.details else PaymentServiceSelectionReq

    def after_charge_parameter_discovery(self, request: Any, response: ChargeParameterDiscoveryRes) -> Kind | None:
        if not finished(response):
            return ChargeParameterDiscoveryReq
        if self.charging:  # AC goes on with a new schedule
            self.delivering = not self.ending()
            return PowerDeliveryReq
        return self.power.begin()

    def after_power_delivery(self, request: PowerDeliveryReq, response: PowerDeliveryRes) -> Kind | None:
        match request.ChargeProgress:
            case ChargeProgress.Start:
                return self.in_loop
            case ChargeProgress.Renegotiate:
                if isinstance(self.power, Dc):
                    # The cable check, which follows, wants state B before it and no voltage at the contacts.
                    # [V2G2-920]
                    self.vehicle.live = False
                    if not self.power.inlet.opened():
                        return None
                return ChargeParameterDiscoveryReq
        self.vehicle.make_safe(emergency=False)
        return self.power.after_end() if isinstance(self.power, Dc) else SessionStopReq

    def after_metering_receipt(self, request: Any, response: MeteringReceiptRes) -> Kind | None:
        """What was due before the receipt: stations that want one every time would keep the vehicle for ever."""
        asked, answer = self.told
        return self.in_loop if asked is None else self._choices[type(answer)](asked, answer)

    # What an answer says beside its purpose

    def answered(self, request: Any, response: Any) -> None:
        self.power.answered(response)
        if isinstance(response, SessionSetupRes):
            self._joined(response)
        elif isinstance(response, ServiceDetailRes):
            self._detail(response)
        elif isinstance(response, ChargeParameterDiscoveryRes) and finished(response):
            self._plan(response)
        elif isinstance(response, PowerDeliveryRes):
            self._agreed(request)
        elif isinstance(response, CurrentDemandRes | ChargingStatusRes):
            self.told = (request, response)
            self._told(response)
        elif isinstance(response, SessionStopRes) and request.ChargingSession is ChargingSession.Pause:
            assert self.vehicle.session_id is not None
            memory = Memory(self.departs_at)
            self.vehicle.paused = Paused(self.vehicle.session_id, RULES.name, self.vehicle.transport.peer, memory)
        self.heed(response)

    def _joined(self, response: SessionSetupRes) -> None:
        resume = self.vehicle.resume
        memory = resume.memory if resume is not None else None
        if resume is None or not isinstance(memory, Memory):
            return
        joined = response.ResponseCode is ResponseCode.OK_OldSessionJoined
        if joined and self.vehicle.session_id == resume.session_id:
            self.departs_at = memory.departs_at
        else:
            self.vehicle.note("the station does not know the paused session: this is a new one")

    def _detail(self, response: ServiceDetailRes) -> None:
        """Take the service, with its last parameter set: of internet access that is HTTPS."""
        known = response.ServiceParameterList
        chosen = known.ParameterSet[-1].ParameterSetID if known is not None else None
        self.services.append(SelectedService(ServiceID=self.details.pop(0), ParameterSetID=chosen))

    def _agreed(self, request: PowerDeliveryReq) -> None:
        start = request.ChargeProgress is ChargeProgress.Start
        keeps_on = request.ChargeProgress is ChargeProgress.Renegotiate and isinstance(self.power, Ac)
        self.charging = start or keeps_on
        self.pausable = request.ChargeProgress is ChargeProgress.Stop
        if start:
            self.forget("ramp", "opening", "mains")

    def _told(self, response: Any) -> None:
        """What the answers in the loop have in common."""
        if response.ReceiptRequired and response.MeterInfo is not None:
            self.meter = response.MeterInfo, response.SAScheduleTupleID
        vehicle, status = self.vehicle, status_of(response)
        lately = self.renegotiated_at is not None and vehicle.now - self.renegotiated_at < RENEGOTIATION_S
        if vehicle.renegotiation is not None or self.ending():
            return
        if status is not None and status.EVSENotification == "ReNegotiation" and not lately:
            vehicle.renegotiation = "the station wants it"
        elif self.wish is not None and self.wish != self._wish():
            vehicle.renegotiation = "the driver wants something else"
        if vehicle.renegotiation is not None:
            vehicle.note(f"renegotiating: {vehicle.renegotiation}")

    def look(self) -> None:
        super().look()
        if isinstance(self.power, Ac):
            self.power.look()

    # Schedules

    def _plan(self, response: ChargeParameterDiscoveryRes) -> None:
        """Choose a schedule and make the profile."""
        offered: list[Schedule] = []
        if isinstance(response.SASchedules, SAScheduleList):
            # Without TLS nobody says whose a tariff is. [V2G2-905]
            offered = read(response.SASchedules, tariffs=bool(self.vehicle.transport.tls))
        if not offered:
            self.vehicle.note("the station sends no schedule: taken as one without limit")
            offered = [Schedule(1, (Slot(schedules.DAY_S, float(10**6)),))]
        watts, least = self._watts()
        departure = self._departure_s()
        self.plan = schedules.chosen(
            offered, watts=watts, least_watts=least, energy_wh=self.wanted_wh(), departure_s=departure
        )
        if self.plan.missing_wh > 0 and departure is not None:
            self.vehicle.note(f"{self.plan.missing_wh / 1000:.1f} kWh will be missing at the departure")
        self.planned_at, self.wish = self.vehicle.now, self._wish()
        if self.vehicle.renegotiation is not None:
            self.vehicle.renegotiation, self.renegotiated_at = None, self.vehicle.now

    def _watts(self) -> tuple[float, float]:
        """What the vehicle can take here at most, and at least."""
        if isinstance(self.power, Ac):
            return self.power.watts()
        ours, theirs = self.power.ev.limits().max_watts, self.power.supply.max_watts
        return min(ours, theirs) if theirs > 0 else ours, 0.0

    def _departure_s(self) -> float | None:
        return None if self.departs_at is None else max(0.0, self.departs_at - self.vehicle.now)

    def _wish(self) -> tuple[float, float | None]:
        return self.vehicle.ev.target_soc(), self.departs_at

    def allowed_watts(self) -> float:
        """What the profile allows now."""
        if self.plan is None:
            return float("inf")
        return schedules.at(self.plan.profile, self.vehicle.now - self.planned_at).watts

    def leaving(self) -> bool:
        """Whether the charge loop is to be left: for good, or to renegotiate."""
        return self.ending() or self.vehicle.renegotiation is not None

    def _modes(self) -> tuple[EnergyTransferMode, ...]:
        return self.power.modes() if isinstance(self.power, Ac) else DC_MODES

    # Requests

    def payment_service_selection(self) -> PaymentServiceSelectionReq:
        return PaymentServiceSelectionReq(
            SelectedPaymentOption=PaymentOption.ExternalPayment,
            SelectedServiceList=SelectedServiceList(
                SelectedService=[SelectedService(ServiceID=self.charge_service), *self.services]
            ),
        )

    def charge_parameter_discovery(self) -> ChargeParameterDiscoveryReq:
        departure = self._departure_s()
        return ChargeParameterDiscoveryReq(
            RequestedEnergyTransferMode=self.mode,
            EVChargeParameter=self.power.parameter(DepartureTime=None if departure is None else int(departure)),
        )

    def power_delivery(self) -> PowerDeliveryReq:
        plan = self.plan
        if self.progress is ChargeProgress.Start and isinstance(self.power, Ac):
            self.power.charger.start()
        elif self.progress is ChargeProgress.Stop and isinstance(self.power, Ac):
            self.power.charger.stop()
        return PowerDeliveryReq(
            ChargeProgress=self.progress,
            SAScheduleTupleID=plan.schedule.id if plan is not None else 1,
            ChargingProfile=self._profile(plan) if plan is not None and self.progress is ChargeProgress.Start else None,
            EVPowerDeliveryParameter=self.power.power_delivery_parameter(),
        )

    def _profile(self, plan: Plan) -> ChargingProfile:
        """The plan on the wire, as coarse as that allows.

        Its times are counted from now on, those of the schedule from its own message on. Most stations take both for
        the same: the profile keeps to the schedule whichever is meant.
        """
        passed = self.vehicle.now - self.planned_at
        ways = [schedules.after(plan.profile, seconds) for seconds in (0.0, float(floor(passed)), float(ceil(passed)))]
        slots = schedules.coarsened(schedules.lowest(*ways), PROFILE_ENTRIES)
        phases = self.power.phases if isinstance(self.power, Ac) else None
        return ChargingProfile(
            ProfileEntry=[
                ProfileEntry(
                    ChargingProfileEntryStart=int(start),
                    ChargingProfileEntryMaxPower=self.physical(slot.watts, "W"),
                    ChargingProfileEntryMaxNumberOfPhasesInUse=phases,
                )
                for start, slot in zip(schedules.starts(slots), slots, strict=True)
            ]
        )

    def metering_receipt(self) -> MeteringReceiptReq:
        """Unsigned: with external payment there is nothing to sign with. A station that wants a receipt all the same
        gets one."""
        assert self.vehicle.session_id is not None
        meter, schedule_id = self.meter or (MeterInfo(MeterID=""), 1)
        return MeteringReceiptReq(SessionID=self.vehicle.session_id, SAScheduleTupleID=schedule_id, MeterInfo=meter)

    def session_stop(self) -> SessionStopReq:
        pause = self.vehicle.pausing and self.pausable
        return SessionStopReq(ChargingSession=ChargingSession.Pause if pause else ChargingSession.Terminate)
