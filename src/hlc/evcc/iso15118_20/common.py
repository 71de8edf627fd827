"""ISO 15118-20, what the vehicle asks in every energy mode: per answer, the choice among the requests that `rules`
allows.

A mode's file adds its own messages, and says how energy begins and ends to flow: `parameters_known`, `approach`,
`loop`, `stopped`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from exi.messages.iso15118_20 import common as messages
from exi.messages.iso15118_20.common import (
    Authorization,
    AuthorizationReq,
    AuthorizationRes,
    AuthorizationSetupReq,
    AuthorizationSetupRes,
    ChannelSelection,
    ChargeProgress,
    ChargingSession,
    Dynamic_SEReqControlMode,
    EIM_AReqAuthorizationMode,
    EVPowerProfile,
    PowerDeliveryReq,
    PowerDeliveryRes,
    Scheduled_SEReqControlMode,
    ScheduleExchangeReq,
    ScheduleExchangeRes,
    SelectedService,
    ServiceDetailReq,
    ServiceDetailRes,
    ServiceDiscoveryReq,
    ServiceDiscoveryRes,
    ServiceSelectionReq,
    ServiceSelectionRes,
    SessionSetupReq,
    SessionSetupRes,
    SessionStopReq,
    SessionStopRes,
)
from exi.messages.iso15118_20.types import (
    ChargeLoopRes,
    DisplayParameters,
    EVSENotification,
    EVSEStatus,
    MessageHeader,
    MeterInfo,
    Processing,
    ResponseCode,
)
from hlc.evcc.iso15118_20.beside import Beside
from hlc.evcc.iso15118_20.plans import Plan, anything, choose
from hlc.evcc.iso15118_20.services import Choice, Chosen
from hlc.evcc.session import Session
from hlc.flow import Paused
from hlc.ports import Mode
from hlc.rules import Kind
from hlc.rules.answers import finished
from hlc.rules.iso15118_20.common import warns
from hlc.rules.iso15118_20.services import Channel, Control, Intended, Service
from hlc.rules.iso15118_20.values import rational

if TYPE_CHECKING:
    from hlc.evcc.vehicle import Vehicle

POINTS: Final = 1024
"""Entries of a schedule that the vehicle can take."""
DAY_S: Final = 86400
METER_S: Final = 10.0
"""So often the vehicle wants to know the meter's reading."""
STANDBY_S: Final = 60.0
"""A schedule that allows no power for so long is worth a standby."""
EXPLANATION: Final = 160
"""Characters that EVTerminationExplanation has room for."""


class Conversation(Session):
    """One session of ISO 15118-20 in the vehicle."""

    messages: ClassVar[Any] = messages
    paces: ClassVar[Mapping[Kind, float]] = {AuthorizationReq: 0.25, ScheduleExchangeReq: 0.25, PowerDeliveryReq: 0.25}
    after_stop: ClassVar[tuple[Kind, ...]] = (PowerDeliveryRes,)
    """Answers at the end of power delivery, which goes its way whatever is wanted."""
    modes: ClassVar[frozenset[Mode]]
    """Those that this protocol can serve."""
    discovery: ClassVar[Kind]
    """The mode's request for charge parameters."""

    def __init__(self, vehicle: Vehicle) -> None:
        super().__init__(vehicle)
        self.settings = vehicle.settings.iso15118_20
        wanted = [Service[mode.name] for mode in self.modes & vehicle.ev.modes()]
        self.choice = Choice(wanted, vehicle.settings.services, self.settings)
        self.began_at = vehicle.now
        self.plan: Plan | None = None
        """What the vehicle follows; None: it leaves the power to the station."""
        self.standing_by = False
        self.standby_refused = False
        self.renewing = False
        """Whether the end that is wanted is one of the choice of services alone."""
        self.progress = ChargeProgress.Start
        """Of the next PowerDeliveryReq."""
        self.beside = Beside(self)
        self._meter_asked_at = -METER_S

    # What a mode says

    def parameters_known(self) -> Kind | None:
        """What follows the charge parameters of the station."""
        return ScheduleExchangeReq

    def approach(self) -> Kind | None:
        """What follows the schedules: PowerDeliveryReq, or what comes before it. None: not yet."""
        raise NotImplementedError

    def loop(self) -> Kind:
        """The request of the charge loop."""
        raise NotImplementedError

    def stopped(self) -> Kind | None:
        """What follows the end of power delivery. None: not yet."""
        raise NotImplementedError

    def watts(self) -> float:
        """What the vehicle takes at most."""
        raise NotImplementedError

    def watts_back(self) -> float:
        """What it gives back at most."""
        return 0.0

    # Choices

    def choices(self) -> Mapping[Kind, Callable[[Any, Any], Kind | None]]:
        return {
            SessionSetupRes: self.after_session_setup,
            AuthorizationSetupRes: self.after_authorization_setup,
            AuthorizationRes: self.after_authorization,
            ServiceDiscoveryRes: self.after_service_discovery,
            ServiceDetailRes: self.after_service_detail,
            ServiceSelectionRes: lambda req, res: self.discovery,
            ScheduleExchangeRes: self.after_schedule_exchange,
            PowerDeliveryRes: self.after_power_delivery,
            SessionStopRes: lambda req, res: ServiceDiscoveryReq,
        }

    def choose(self, request: Any, response: Any, allowed: frozenset[Kind]) -> Kind | None:
        following = self._choose(request, response, allowed)
        # What is said of the parking place is said, and heard, before the end.
        return None if following is SessionStopReq and self.beside.parking is not None else following

    def _choose(self, request: Any, response: Any, allowed: frozenset[Kind]) -> Kind | None:
        ending = self.vehicle.stopping is not None or self.renewing
        if ending and not self.delivering and SessionStopReq in allowed:
            return self.end_before_delivery(request, response, allowed)
        return self.choices()[type(response)](request, response)

    def end_before_delivery(self, request: Any, response: Any, allowed: frozenset[Kind]) -> Kind | None:
        """No power was agreed, or its delivery has ended."""
        if isinstance(response, self.after_stop):
            return self.choices()[type(response)](request, response)
        return SessionStopReq if self.opened() else None

    def after_session_setup(self, request: Any, response: SessionSetupRes) -> Kind | None:
        return self.discovery if response.ResponseCode is ResponseCode.OK_OldSessionJoined else AuthorizationSetupReq

    def after_authorization_setup(self, request: Any, response: AuthorizationSetupRes) -> Kind | None:
        if Authorization.EIM not in response.AuthorizationServices:
            return self.leave("the station does not offer external payment")
        return AuthorizationReq

    def after_authorization(self, request: Any, response: AuthorizationRes) -> Kind | None:
        if not finished(response):
            return AuthorizationReq
        if warns(response):
            return self.leave(f"not authorized: {response.ResponseCode.value}")
        return ServiceDiscoveryReq

    def after_service_discovery(self, request: Any, response: ServiceDiscoveryRes) -> Kind | None:
        if self.choice.next is None and (reason := self.choice.discovered(response)):
            return self.leave(reason)
        return ServiceDetailReq

    def after_service_detail(self, request: ServiceDetailReq, response: ServiceDetailRes) -> Kind | None:
        if self.choice.next == request.ServiceID and (reason := self.choice.detailed(response)):
            return self.leave(reason)
        return ServiceDetailReq if self.choice.next is not None else ServiceSelectionReq

    def after_schedule_exchange(self, request: Any, response: ScheduleExchangeRes) -> Kind | None:
        if not finished(response):
            return ScheduleExchangeReq
        if response.GoToPause:
            self.vehicle.pausing = True
            self.vehicle.stopping = "the station sends the vehicle to pause"
            self.vehicle.note(self.vehicle.stopping)
            return SessionStopReq
        if self.plan is None and not self.take_schedules(response):
            return self.leave("the station sends no schedules")
        return self.approach()

    def after_power_delivery(self, request: PowerDeliveryReq, response: PowerDeliveryRes) -> Kind | None:
        match request.ChargeProgress:
            case ChargeProgress.Stop:
                return self.stopped()
            case ChargeProgress.Standby:
                self.standby_refused = response.ResponseCode is ResponseCode.WARNING_StandbyNotAllowed
                self.standing_by = not self.standby_refused
                return self.loop()
            case _:
                self.standing_by = False
                return self.loop()

    def after_loop(self, request: Any, response: ChargeLoopRes, *, resting: bool) -> Kind | None:
        """What follows an answer of a charge loop; `resting`: nothing flows that would have to fall first."""
        if self.leaving():
            if not resting:
                return type(request)
            self.delivering, self.standing_by = False, False
            self.progress = ChargeProgress.Stop
            return PowerDeliveryReq
        if self.standing_by is not self.worth_standby() and resting:
            self.progress = ChargeProgress.Start if self.standing_by else ChargeProgress.Standby
            return PowerDeliveryReq
        return type(request)

    def worth_standby(self) -> bool:
        """Whether the plan has no power for long."""
        plan, now = self.plan, self.vehicle.now
        if plan is None or not self.settings.standby or self.standby_refused or plan.watts(now) != 0:
            return False
        return self.standing_by or plan.next_s(now) >= STANDBY_S

    def leaving(self) -> bool:
        """Whether the charge loop is to be left."""
        return self.ending() or self.renewing

    # What an answer says beside its purpose

    def answered(self, request: Any, response: Any) -> None:
        if isinstance(response, SessionSetupRes):
            self._take_session(response)
        elif isinstance(response, ServiceSelectionRes):
            self.beside.park(Intended.CHECK_IN)
        elif isinstance(response, SessionStopRes):
            self._stopped(request)
        elif isinstance(response, PowerDeliveryRes) and request.ChargeProgress is ChargeProgress.Stop:
            self.beside.park(Intended.CHECK_OUT)
        if isinstance(response, ChargeLoopRes):
            self._heed_loop(response)
        elif isinstance(response, PowerDeliveryRes) and response.EVSEStatus is not None:
            self._notified(response.EVSEStatus, None)

    def _take_session(self, response: SessionSetupRes) -> None:
        """A session that goes on has its services, unless it is another station's. [V2G20-2539], [V2G20-2613]"""
        resume, here = self.vehicle.resume, (self.vehicle.session_id, self.vehicle.transport.peer)
        if response.ResponseCode is not ResponseCode.OK_OldSessionJoined:
            return
        known: Chosen | None = resume.memory if resume is not None else None
        if resume is None or known is None or here != (resume.session_id, resume.peer):
            self.leave("the station takes up a session that was not with it")
            return
        self.choice.chosen = known

    def _stopped(self, request: SessionStopReq) -> None:
        vehicle, chosen = self.vehicle, self.choice.chosen
        if request.ChargingSession is ChargingSession.Pause and chosen is not None and vehicle.session_id is not None:
            vehicle.paused = Paused(vehicle.session_id, self.rules.name, vehicle.transport.peer, chosen)
        elif request.ChargingSession is ChargingSession.ServiceRenegotiation:
            self.renew()

    def _heed_loop(self, response: ChargeLoopRes) -> None:
        if warns(response):
            self.vehicle.note(f"the station warns: {response.ResponseCode.value}")
        if self.vehicle.renegotiation is not None:
            self.beside.renegotiate()
        if response.EVSEStatus is not None:
            self._notified(response.EVSEStatus, response.MeterInfo)

    def _notified(self, status: EVSEStatus, reading: MeterInfo | None) -> None:
        """Do what the station wants. [V2G20-1083], [V2G20-1477], [V2G20-3308]"""
        wanted, vehicle = status.EVSENotification, self.vehicle
        if vehicle.stopping is not None or not self.delivering:
            return
        match wanted:
            case EVSENotification.Terminate | EVSENotification.Pause:
                vehicle.pausing = wanted is EVSENotification.Pause
                vehicle.stopping = f"stopped by the station ({wanted.value})"
                vehicle.note(vehicle.stopping)
            case EVSENotification.ServiceRenegotiation:
                if self.choice.chosen is not None and self.choice.chosen.renegotiable and not self.renewing:
                    self.renewing = True
                    vehicle.note("the station wants services to be chosen anew")
            case EVSENotification.ScheduleRenegotiation:
                self.beside.renegotiate()
            case EVSENotification.MeteringConfirmation:
                self.beside.to_confirm = reading
            case EVSENotification.ExitStandby:
                self.standby_refused = True

    # Side streams

    def asides(self) -> Iterable[tuple[int, Kind]]:
        return self.beside.asides()

    def build_aside(self, stream: int, kind: Kind) -> Any:
        return self.beside.build(kind)

    def answered_aside(self, stream: int, request: Any, response: Any) -> None:
        self.beside.answered(request, response)

    # Requests

    def requests(self) -> Mapping[Kind, Callable[[], Any]]:
        header = self.header
        return {
            SessionSetupReq: self.session_setup,
            AuthorizationSetupReq: lambda: AuthorizationSetupReq(Header=header()),
            AuthorizationReq: lambda: AuthorizationReq(
                Header=header(),
                SelectedAuthorizationService=Authorization.EIM,
                EIM_AReqAuthorizationMode=EIM_AReqAuthorizationMode(),
            ),
            ServiceDiscoveryReq: lambda: ServiceDiscoveryReq(Header=header()),
            ServiceDetailReq: lambda: ServiceDetailReq(Header=header(), ServiceID=int(self.choice.next or 0)),
            ServiceSelectionReq: self.service_selection,
            ScheduleExchangeReq: self.schedule_exchange,
            PowerDeliveryReq: lambda: self.power_delivery(self.progress),
            SessionStopReq: self.session_stop,
        }

    def session_setup(self) -> SessionSetupReq:
        # A vehicle is called by one name, in its certificate and here. [V2G20-2598]
        known = self.vehicle.transport.name or self.vehicle.settings.EVCCID.hex().upper()
        return SessionSetupReq(Header=self.header(), EVCCID=known)

    def service_selection(self) -> ServiceSelectionReq:
        chosen = self.choice.chosen
        assert chosen is not None
        return ServiceSelectionReq(
            Header=self.header(),
            SelectedEnergyTransferService=SelectedService(
                ServiceID=int(chosen.service), ParameterSetID=chosen.parameter_set
            ),
            SelectedVASList=self.choice.selected(),
        )

    def schedule_exchange(self) -> ScheduleExchangeReq:
        needs = self.energies()
        departure = self.departure_s()
        mode: dict[str, Any]
        if self.dynamic:
            both_ways = {}
            if self.bidirectional:
                both_ways = {
                    "EVMaximumV2XEnergyRequest": needs["EVMaximumEnergyRequest"],
                    "EVMinimumV2XEnergyRequest": needs["EVMinimumEnergyRequest"],
                }
            ev = self.vehicle.ev
            mode = {
                "Dynamic_SEReqControlMode": Dynamic_SEReqControlMode(
                    DepartureTime=DAY_S if departure is None else departure,
                    MinimumSOC=percent(ev.minimum_soc()),
                    TargetSOC=percent(ev.target_soc()),
                    **needs,
                    **both_ways,
                )
            }
        else:
            scheduled = Scheduled_SEReqControlMode(DepartureTime=departure, **needs)
            mode = {"Scheduled_SEReqControlMode": scheduled}
        return ScheduleExchangeReq(Header=self.header(), MaximumSupportingPoints=POINTS, **mode)

    def power_delivery(self, progress: ChargeProgress) -> PowerDeliveryReq:
        starts = progress in (ChargeProgress.Start, ChargeProgress.ScheduleRenegotiation)
        chosen = self.choice.chosen
        separated = chosen is not None and chosen.terms.channel is Channel.SEPARATED
        channel = None
        if separated and progress is ChargeProgress.Start:
            back = self.plan is not None and self.plan.watts(self.vehicle.now) < 0
            channel = ChannelSelection.Discharge if back else ChannelSelection.Charge
        return PowerDeliveryReq(
            Header=self.header(),
            EVProcessing=Processing.Finished,
            ChargeProgress=progress,
            EVPowerProfile=self._profile() if starts else None,
            BPT_ChannelSelection=channel,
        )

    def _profile(self) -> EVPowerProfile:
        """What the vehicle means to take. In dynamic control the station decides, and it is the most that it may
        expect; optional then, but stations exist that refuse a start without (EcoG iso15118)."""
        if self.plan is not None:
            return self.plan.message()
        departure = self.departure_s()
        return anything(self.header().TimeStamp, DAY_S if departure is None else departure, self.watts())

    def session_stop(self) -> SessionStopReq:
        kind, words = ChargingSession.Terminate, self.vehicle.stopping
        if self.vehicle.pausing:
            kind = ChargingSession.Pause
        elif self.renewing and self.vehicle.stopping is None:
            kind = ChargingSession.ServiceRenegotiation
        return SessionStopReq(
            Header=self.header(),
            ChargingSession=kind,
            EVTerminationExplanation=None if words is None else words[:EXPLANATION],
        )

    # Parts of requests

    def header(self) -> MessageHeader:
        """The header of a request."""
        return MessageHeader(SessionID=self.vehicle.own_session_id, TimeStamp=self.time())

    def time(self) -> int:
        """Seconds since 1970; where nobody knows them, since some other moment."""
        clock = self.vehicle.clock
        return int(self.vehicle.now if clock is None else clock())

    @property
    def dynamic(self) -> bool:
        """Whether the station chooses the power."""
        return self.choice.chosen is not None and self.choice.chosen.terms.control is Control.DYNAMIC

    @property
    def bidirectional(self) -> bool:
        """Whether energy may flow back."""
        return self.choice.chosen is not None and self.choice.chosen.service.bidirectional

    def departure_s(self) -> int | None:
        """From now on."""
        departure = self.vehicle.settings.departure_s
        return None if departure is None else max(0, round(self.began_at + departure - self.vehicle.now))

    def energies(self) -> dict[str, Any]:
        """What the battery needs, can take, and must have at least; below zero only where energy may flow back."""
        ev = self.vehicle.ev
        wanted = {
            "EVTargetEnergyRequest": ev.target_soc(),
            "EVMaximumEnergyRequest": 100.0,
            "EVMinimumEnergyRequest": ev.minimum_soc(),
        }
        needs = {name: (soc - ev.soc()) / 100 * ev.capacity_wh() for name, soc in wanted.items()}
        return {name: rational(wh if self.bidirectional else max(0.0, wh)) for name, wh in needs.items()}

    def loop_fields(self) -> dict[str, Any]:
        """What the requests of all charge loops have."""
        ev, now = self.vehicle.ev, self.vehicle.now
        asks = now - self._meter_asked_at >= METER_S
        if asks:
            self._meter_asked_at = now
        return {
            "Header": self.header(),
            "DisplayParameters": DisplayParameters(
                PresentSOC=percent(ev.soc()),
                MinimumSOC=percent(ev.minimum_soc()),
                TargetSOC=percent(ev.target_soc()),
                ChargingComplete=self.complete(),
                BatteryEnergyCapacity=rational(ev.capacity_wh()),
            ),
            "MeterInfoRequested": asks,
        }

    # Schedules

    def take_schedules(self, response: ScheduleExchangeRes) -> bool:
        """Choose among the schedules of an answer; False: it has none. In dynamic control there are none."""
        if self.dynamic:
            return response.Dynamic_SEResControlMode is not None
        self.plan = choose(
            response,
            self.vehicle.now,
            watts=self.watts(),
            back_watts=self.watts_back() if self.bidirectional else 0.0,
            energy_wh=self.wanted_wh(),
            departure_s=self.departure_s(),
        )
        return self.plan is not None

    def may_give(self) -> bool:
        """Whether the battery has energy to give back."""
        return self.bidirectional and self.vehicle.ev.soc() > self.vehicle.ev.minimum_soc()

    def renew(self) -> None:
        """Services are chosen anew: nothing of the last choice holds."""
        self.renewing = False
        self.plan, self.choice.chosen = None, None
        self.progress = ChargeProgress.Start
        self.standing_by = self.standby_refused = False
        self.beside = Beside(self)
        self.forget("opening", "ramp", "welding")


def percent(soc: float) -> int:
    """A state of charge as messages have it."""
    return min(100, max(0, int(soc)))
