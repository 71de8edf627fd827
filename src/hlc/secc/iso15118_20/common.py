"""ISO 15118-20, what the station answers in every energy mode: one handler per request of the common messages.

A mode's file adds the handlers of its own messages, and says how energy begins and ends to flow: `begin`, `rest`,
`halt`, `max_watts`. Which request may come when is in `rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from exi.messages.iso15118_20.common import (
    Authorization,
    AuthorizationReq,
    AuthorizationRes,
    AuthorizationSetupReq,
    AuthorizationSetupRes,
    CertificateInstallationReq,
    ChargeProgress,
    ChargingSession,
    EIM_ASResAuthorizationMode,
    PowerDeliveryReq,
    PowerDeliveryRes,
    ScheduleExchangeReq,
    ScheduleExchangeRes,
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
    VehicleCheckOutReq,
)
from exi.messages.iso15118_20.types import (
    ChargeLoopReq,
    EVSENotification,
    EVSEStatus,
    MessageHeader,
    Processing,
    ResponseCode,
)
from hlc import ports
from hlc.flow import Paused, Refusal
from hlc.ports import Mode
from hlc.rules import Kind
from hlc.rules.iso15118_20.services import Channel, Control, Service
from hlc.secc import conversation
from hlc.secc.iso15118_20.beside import Beside
from hlc.secc.iso15118_20.plans import Plans
from hlc.secc.iso15118_20.refusals import REFUSALS
from hlc.secc.iso15118_20.services import Offers, Selected
from hlc.trace.events import Blame

if TYPE_CHECKING:
    from hlc.secc.station import Station

OK: Final = ResponseCode.OK
PAUSE_DELAY_S: Final = 60
"""NotificationMaxDelay of Pause; it falls while the vehicle does not act. [V2G20-3308], [V2G20-3318]"""


class Conversation(conversation.Conversation):
    """One session of ISO 15118-20 at the station."""

    modes: ClassVar[frozenset[Mode]]
    """Those that this protocol can serve."""
    discovery: ClassVar[Kind]
    """The mode's request for charge parameters."""

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.settings = station.settings.iso15118_20
        services = [Service[mode.name] for mode in self.modes & station.outlet.modes()]
        self.offers = Offers(services, station.settings, connector=self.connector, volts=self.nominal_volts)
        self.selected: Selected | None = None
        self.joined = False
        """Whether a paused session goes on."""
        self.standing_by = False
        self.plans = Plans(self)
        self.notice: EVSENotification | None = None
        """What the station wants of the vehicle, beside an end."""
        self.beside = Beside(self)
        self._starting: tuple[PowerDeliveryReq, ResponseCode] | None = None
        """A start that is being carried out, and what will be said to it."""
        self._told_since: float | None = None

    # What a mode says

    def connector(self, service: Service) -> int | None:
        """What is plugged in, by the numbers of the service; None: the service has none."""
        return None

    def nominal_volts(self) -> float:
        """Phase to neutral, where it is AC."""
        return 0.0

    def max_watts(self) -> float:
        """What schedules offer at most."""
        raise NotImplementedError

    def max_watts_back(self) -> float:
        """What they offer in the other direction."""
        return 0.0

    def begin(self) -> bool:
        """Energy may flow from now on. False: a contactor moves, ask again. Raises `Refusal`."""
        raise NotImplementedError

    def rest(self) -> None:
        """No energy for a while, but all stays as it is."""
        raise NotImplementedError

    def halt(self) -> None:
        """No energy from now on; what is to follow begins anew."""
        self.station.make_safe(emergency=False)

    # Handlers

    def handlers(self) -> Mapping[Kind, conversation.Handler]:
        """The answer to each request that all modes have."""
        return {
            SessionSetupReq: self.session_setup,
            AuthorizationSetupReq: self.authorization_setup,
            AuthorizationReq: self.authorization,
            CertificateInstallationReq: self.certificate_installation,
            ServiceDiscoveryReq: self.service_discovery,
            ServiceDetailReq: self.service_detail,
            ServiceSelectionReq: self.service_selection,
            ScheduleExchangeReq: self.schedule_exchange,
            PowerDeliveryReq: self.power_delivery,
            SessionStopReq: self.session_stop,
        }

    def aside_handlers(self) -> Mapping[int, Mapping[Kind, conversation.Handler]]:
        return self.beside.handlers()

    def session_setup(self, request: SessionSetupReq) -> SessionSetupRes:
        code = ResponseCode.OK_OldSessionJoined if self.joined else ResponseCode.OK_NewSessionEstablished
        return self._session_setup(code)

    def authorization_setup(self, request: AuthorizationSetupReq) -> AuthorizationSetupRes:
        return AuthorizationSetupRes(
            Header=self.header(),
            ResponseCode=OK,
            AuthorizationServices=[Authorization.EIM],
            CertificateInstallationService=False,
            EIM_ASResAuthorizationMode=EIM_ASResAuthorizationMode(),
        )

    def authorization(self, request: AuthorizationReq) -> AuthorizationRes:
        code, processing = OK, Processing.Finished
        if request.EIM_AReqAuthorizationMode is None or request.SelectedAuthorizationService is not Authorization.EIM:
            self.station.note(f"{request.SelectedAuthorizationService.value} was not offered")
            code = ResponseCode.WARNING_AuthorizationSelectionInvalid  # [V2G20-2209], [V2G20-2226]
        else:
            match self.station.outlet.authorization():
                case ports.Authorization.PENDING:
                    processing = Processing.Ongoing_WaitingForCustomerInteraction
                case ports.Authorization.REFUSED:  # at once, and the vehicle may ask again [V2G20-2219], [V2G20-2230]
                    self.station.note("the user is not authorized")
                    code = ResponseCode.WARNING_EIMAuthorizationFailure
        return AuthorizationRes(Header=self.header(), ResponseCode=code, EVSEProcessing=processing)

    def certificate_installation(self, request: CertificateInstallationReq) -> Any:
        """After a warning it is another way to try, where it was offered: here it never is."""
        raise Refusal(ResponseCode.FAILED_SequenceError, "certificate installation was not offered", "V2G20-1970")

    def service_discovery(self, request: ServiceDiscoveryReq) -> ServiceDiscoveryRes:
        wanted = request.SupportedServiceIDs
        return ServiceDiscoveryRes(
            Header=self.header(),
            ResponseCode=OK,
            ServiceRenegotiationSupported=self.settings.service_renegotiation,
            EnergyTransferServiceList=self.offers.energy(),
            VASList=self.offers.others(None if wanted is None else wanted.ServiceID),
        )

    def service_detail(self, request: ServiceDetailReq) -> ServiceDetailRes:
        sets = self.offers.detail(request.ServiceID)
        return ServiceDetailRes(
            Header=self.header(), ResponseCode=OK, ServiceID=request.ServiceID, ServiceParameterList=sets
        )

    def service_selection(self, request: ServiceSelectionReq) -> ServiceSelectionRes:
        self.selected = self.offers.select(request)
        return ServiceSelectionRes(Header=self.header(), ResponseCode=OK)

    def schedule_exchange(self, request: ScheduleExchangeReq) -> ScheduleExchangeRes:
        dynamic, scheduled = request.Dynamic_SEReqControlMode, request.Scheduled_SEReqControlMode
        wanted = dynamic if self.dynamic else scheduled
        if wanted is None:
            raise Refusal(ResponseCode.FAILED, "the other control mode was selected", "V2G20-1600")
        if dynamic is not None and (dynamic.EVMaximumV2XEnergyRequest is None) is not (
            dynamic.EVMinimumV2XEnergyRequest is None
        ):
            raise Refusal(ResponseCode.FAILED, "one of the two V2X energies without the other", "V2G20-2681")
        self.done(EVSENotification.ScheduleRenegotiation)
        outlet, stopping = self.station.outlet, self.station.stopping is not None
        finished = outlet.ready() or stopping
        go_to_pause = finished and (stopping or not outlet.energy_available())
        if go_to_pause:
            self.station.note(self.station.stopping or "no energy is available: the vehicle is sent to pause")
        self.plans.prepare(wanted.DepartureTime, request.MaximumSupportingPoints)
        return self._schedule_exchange(OK, finished=finished, go_to_pause=go_to_pause)

    def power_delivery(self, request: PowerDeliveryReq) -> Any:
        code = OK
        match request.ChargeProgress:
            case ChargeProgress.Stop:
                self.standing_by = self.delivering = False
                self.done(EVSENotification.ServiceRenegotiation)
                self.halt()
            case _ if request.EVProcessing is not Processing.Finished:
                pass  # the power profile is still to come
            case ChargeProgress.Standby:
                if self.settings.standby:
                    self.standing_by = True
                    self.rest()
                else:
                    code = ResponseCode.WARNING_StandbyNotAllowed
            case ChargeProgress.ScheduleRenegotiation:
                if not self.delivering:
                    text = "no schedule is followed that could be renegotiated"
                    raise Refusal(ResponseCode.FAILED_ScheduleRenegotiation, text)
                try:
                    code = self.plans.agree(request.EVPowerProfile)
                except Refusal as refusal:  # what was agreed before goes on
                    self.station.note(refusal.text)
                    code = ResponseCode.WARNING_ScheduleRenegotiationFailed
            case ChargeProgress.Start:
                if self._starting is None or self._starting[0] is not request:
                    self._starting = request, self._start(request)
                if not self.delivering and not self.begin():
                    return conversation.LATER
                code = self._starting[1]
                self.standing_by, self.delivering = False, True
                self.done(EVSENotification.ExitStandby)
        return PowerDeliveryRes(Header=self.header(), ResponseCode=code, EVSEStatus=self.status())

    def session_stop(self, request: SessionStopReq) -> SessionStopRes:
        self.leaves_loop()
        self.standing_by = self.delivering = False
        self.halt()
        match request.ChargingSession:
            case ChargingSession.Pause:
                self._pause()
            case ChargingSession.ServiceRenegotiation:
                if not self.settings.service_renegotiation:
                    text = "service renegotiation was not offered"
                    raise Refusal(ResponseCode.FAILED_NoServiceRenegotiationSupported, text, "V2G20-1644")
                if self.selected is None:  # what follows is for who has been authorized
                    text = "no services were selected that could be renegotiated"
                    raise Refusal(ResponseCode.FAILED_SequenceError, text, "V2G20-459")
                self.renew()
            case ChargingSession.Terminate:
                words = request.EVTerminationCode, request.EVTerminationExplanation
                why = ", ".join(word for word in words if word)
                if why:
                    self.station.note(f"the vehicle ends: {why}")
        return SessionStopRes(Header=self.header(), ResponseCode=OK)

    # What the engine asks

    def opens(self, stream: int) -> frozenset[Kind]:
        return self.beside.opens(stream)

    def joins(self, session_id: bytes) -> bool:
        """Only a vehicle that shows its certificate can be known again; any other gets a new session, and no hint.
        [V2G20-2545], [V2G20-2626], [V2G20-2627]"""
        peer = self.station.transport.peer
        paused = self.station.sessions.take(session_id, self.rules.name, peer) if peer else None
        self.joined = paused is not None
        if paused is not None:
            self.selected = paused.memory
        return self.joined

    def winding_down(self, request: Any) -> bool:
        return isinstance(request, SessionStopReq | VehicleCheckOutReq) or (
            isinstance(request, PowerDeliveryReq) and request.ChargeProgress is ChargeProgress.Stop
        )

    def can_tell(self, request: Any) -> bool:
        return isinstance(request, ScheduleExchangeReq | PowerDeliveryReq | ChargeLoopReq) or self.winding_down(request)

    def refuse(self, request: Any, code: str) -> Any | None:
        """The shortest answer with this code: mandatory elements only. [V2G20-736]"""
        phrase = self.refusals().get(type(request))
        return None if phrase is None else phrase(ResponseCode(code))

    def refusals(self) -> Mapping[Kind, Callable[[ResponseCode], Any]]:
        """The failed answers to each request that all modes have."""
        return {
            **{kind: self._refusal(answer) for kind, answer in REFUSALS.items()},
            SessionSetupReq: self._session_setup,
            ServiceDiscoveryReq: lambda code: ServiceDiscoveryRes(
                Header=self.header(),
                ResponseCode=code,
                ServiceRenegotiationSupported=False,
                EnergyTransferServiceList=self.offers.energy(),
            ),
            ScheduleExchangeReq: lambda code: self._schedule_exchange(code, finished=True),
            VehicleCheckOutReq: lambda code: self.beside.check_out(code, completed=True),
        }

    def _session_setup(self, code: ResponseCode) -> SessionSetupRes:
        return SessionSetupRes(Header=self.header(), ResponseCode=code, EVSEID=self.station.settings.evse_id())

    def _refusal(self, answer: Callable[..., Any]) -> Callable[[ResponseCode], Any]:
        return lambda code: answer(Header=self.header(), ResponseCode=code)

    # Notifications

    def ask(self, notice: EVSENotification) -> None:
        """Let the vehicle know in the charge loop what the station wants, until it does so. An end, a pause and a new
        schedule are asked of the machine."""
        self.notice = notice

    def done(self, notice: EVSENotification) -> None:
        """The vehicle does what was wanted."""
        if notice is EVSENotification.ScheduleRenegotiation:
            self.station.renegotiation = None
        if self.notice is notice:
            self.notice = None

    def status(self) -> EVSEStatus | None:
        """What the station wants of the vehicle; None: nothing."""
        station, notice = self.station, self.notice
        if station.renegotiation is not None and notice is None and not self.dynamic:
            notice = EVSENotification.ScheduleRenegotiation
        if station.stopping is None and station.doomed is None:
            return None if notice is None else EVSEStatus(NotificationMaxDelay=0, EVSENotification=notice)
        if not station.pausing or station.doomed is not None:
            return EVSEStatus(NotificationMaxDelay=0, EVSENotification=EVSENotification.Terminate)
        if self._told_since is None:
            self._told_since = station.now
        left = max(0, PAUSE_DELAY_S - int(station.now - self._told_since))
        return EVSEStatus(NotificationMaxDelay=left, EVSENotification=EVSENotification.Pause)

    # Parts of answers

    def header(self) -> MessageHeader:
        """The header of an answer."""
        return MessageHeader(SessionID=self.station.session_id or bytes(8), TimeStamp=self.time())

    def time(self) -> int:
        """Seconds since 1970; where nobody knows them, since some other moment."""
        clock = self.station.clock
        return int(self.station.now if clock is None else clock())

    @property
    def dynamic(self) -> bool:
        """Whether the station chooses the power."""
        return self.selected is not None and self.selected.terms.control is Control.DYNAMIC

    @property
    def bidirectional(self) -> bool:
        """Whether energy may flow back."""
        return self.selected is not None and self.selected.service.bidirectional

    def limit(self) -> float:
        """What may flow to the vehicle now, W, as it was agreed."""
        return 0.0 if self.standing_by else self.plans.limit()

    def ceiling(self) -> float:
        """The same, and no more than the energy management wants. Where it wants energy back, that is told by the point
        at which the vehicle is run, if the vehicle can."""
        managed = self.station.outlet.wanted_watts()
        if managed is None or (managed < 0 and self.bidirectional):
            return self.limit()
        return min(self.limit(), max(0.0, managed))

    def limit_back(self) -> float:
        """What may flow from it, W."""
        return self.plans.limit_back() if self.bidirectional and not self.standing_by else 0.0

    def loop_fields(self, request: ChargeLoopReq) -> dict[str, Any]:
        """What the answers of all charge loops have. Raises `Refusal`."""
        if not self.delivering and not self.standing_by:
            raise Refusal(ResponseCode.FAILED_SequenceError, "energy does not flow", "V2G20-459")
        wanted = request.MeterInfoRequested or self.notice is EVSENotification.MeteringConfirmation
        shown = None
        if wanted or not self.beside.readings:  # [V2G20-1082], [V2G20-1083], [V2G20-1833]
            shown = self.beside.read_meter()
        return {
            "Header": self.header(),
            "ResponseCode": self.loop_code(),
            "EVSEStatus": self.status(),
            "MeterInfo": shown,
        }

    def loop_code(self) -> ResponseCode:
        """What is said in the charge loop to a vehicle that does as it may, or not."""
        return OK

    def _start(self, request: PowerDeliveryReq) -> ResponseCode:
        """What is said to a start, be it the first or one after standby. Raises `Refusal`."""
        if self.delivering and not self.standing_by:
            raise Refusal(ResponseCode.FAILED, "power is already delivered")
        channel = self.selected.terms.channel if self.selected is not None else None
        if request.BPT_ChannelSelection is not None and channel is not Channel.SEPARATED:
            self.station.note("the vehicle selects a channel, and there is one for both directions")
        return self.plans.agree(request.EVPowerProfile)

    def _schedule_exchange(
        self, code: ResponseCode, *, finished: bool, go_to_pause: bool = False
    ) -> ScheduleExchangeRes:
        return ScheduleExchangeRes(
            Header=self.header(),
            ResponseCode=code,
            EVSEProcessing=Processing.Finished if finished else Processing.Ongoing,
            GoToPause=True if go_to_pause else None,
            **self.plans.told(),
        )

    # Ends

    def renew(self) -> None:
        """Services are chosen anew: nothing of the last choice holds."""
        self.selected = None
        self.plans = Plans(self)
        self.notice = None
        self.beside.readings.clear()
        self.station.end_asides()

    def _pause(self) -> None:
        station = self.station
        if not self.settings.pause:
            raise Refusal(ResponseCode.FAILED_PauseNotAllowed, "a pause is not allowed here", blame=Blame.SETUP)
        if self.selected is None:
            station.note("a pause before services were selected is an end")
            return
        assert station.session_id is not None
        station.paused = Paused(station.session_id, self.rules.name, station.transport.peer, self.selected)
        station.sessions.keep(station.paused)
