"""Talking ISO 15118-2 by hand: good requests, a vehicle by hand to our station, a station by hand to our vehicle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import exi
from exi.messages import iso15118_2 as iso
from exi.messages import xmldsig
from hlc import decisions, evcc, sap, secc
from hlc.flow import PLAIN, Close, Effect, Machine, Paused, Send, Transport
from hlc.ports import ControlPilot
from hlc.rules.iso15118_2 import wrap
from hlc.secc.station import PausedSessions
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.ac import SimulatedAcOutlet, SimulatedAcVehicle
from hlc.trace.events import Event, Fault, Note, StateEntered, TimerExpired

EXI = 0x8001
"""Payload type."""
OK = iso.ResponseCode.OK
DONE = iso.EVSEProcessing.Finished
START, STOP, RENEGOTIATE = iso.ChargeProgress.Start, iso.ChargeProgress.Stop, iso.ChargeProgress.Renegotiate


def physical(number: float, unit: str) -> iso.PhysicalValue:
    multiplier, mantissa = decisions.scaled(number)
    return iso.PhysicalValue(Multiplier=multiplier, Unit=iso.UnitSymbol(unit), Value=mantissa)


READY = iso.DC_EVStatus(EVReady=True, EVErrorCode=iso.DC_EVErrorCode.NO_ERROR, EVRESSSOC=50)


def selection(*services: tuple[int, int | None], payment: str = "ExternalPayment") -> iso.PaymentServiceSelectionReq:
    return iso.PaymentServiceSelectionReq(
        SelectedPaymentOption=iso.PaymentOption(payment),
        SelectedServiceList=iso.SelectedServiceList(
            SelectedService=[iso.SelectedService(ServiceID=each, ParameterSetID=number) for each, number in services]
        ),
    )


def dc_parameter(volts: float = 420, amps: float = 200, **others: Any) -> iso.DC_EVChargeParameter:
    return iso.DC_EVChargeParameter(
        DC_EVStatus=others.pop("status", READY),
        EVMaximumCurrentLimit=physical(amps, "A"),
        EVMaximumVoltageLimit=physical(volts, "V"),
        **others,
    )


def ac_parameter(volts: float = 230, amps: float = 16, least: float = 6, **others: Any) -> iso.AC_EVChargeParameter:
    return iso.AC_EVChargeParameter(
        EAmount=physical(10_000, "Wh"),
        EVMaxVoltage=physical(volts, "V"),
        EVMaxCurrent=physical(amps, "A"),
        EVMinCurrent=physical(least, "A"),
        **others,
    )


def discovery(mode: str, parameter: Any = None, **others: Any) -> iso.ChargeParameterDiscoveryReq:
    if parameter is None:
        parameter = ac_parameter() if mode.startswith("AC") else dc_parameter()
    return iso.ChargeParameterDiscoveryReq(
        RequestedEnergyTransferMode=iso.EnergyTransferMode(mode), EVChargeParameter=parameter, **others
    )


def power(progress: iso.ChargeProgress = START, schedule: int = 1, *profile: tuple[int, float]) -> iso.PowerDeliveryReq:
    entries = [
        iso.ProfileEntry(ChargingProfileEntryStart=start, ChargingProfileEntryMaxPower=physical(watts, "W"))
        for start, watts in profile
    ]
    return iso.PowerDeliveryReq(
        ChargeProgress=progress,
        SAScheduleTupleID=schedule,
        ChargingProfile=iso.ChargingProfile(ProfileEntry=entries) if entries else None,
    )


def demand(volts: float = 400, amps: float = 10, **others: Any) -> iso.CurrentDemandReq:
    return iso.CurrentDemandReq(
        DC_EVStatus=others.pop("status", READY),
        EVTargetCurrent=physical(amps, "A"),
        ChargingComplete=False,
        EVTargetVoltage=physical(volts, "V"),
        **others,
    )


CHAIN = iso.CertificateChain(Certificate=b"\1")
ROOTS = iso.ListOfRootCertificateIDs(
    RootCertificateID=[xmldsig.X509IssuerSerial(X509IssuerName="CN=root", X509SerialNumber=1)]
)

COMMON: tuple[Any, ...] = (
    iso.SessionSetupReq(EVCCID=bytes(6)),
    iso.ServiceDiscoveryReq(),
    selection((1, None)),
    iso.AuthorizationReq(),
)
DC: tuple[Any, ...] = (
    *COMMON,
    discovery("DC_extended"),
    iso.CableCheckReq(DC_EVStatus=READY),
    iso.PreChargeReq(DC_EVStatus=READY, EVTargetVoltage=physical(400, "V"), EVTargetCurrent=physical(1, "A")),
    power(),
    demand(),
    iso.WeldingDetectionReq(DC_EVStatus=READY),
    iso.SessionStopReq(ChargingSession=iso.ChargingSession.Terminate),
)
AC: tuple[Any, ...] = (*COMMON, discovery("AC_three_phase_core"), power(), iso.ChargingStatusReq(), DC[-1])
OTHERS: tuple[Any, ...] = (
    iso.ServiceDetailReq(ServiceID=3),
    iso.MeteringReceiptReq(SessionID=bytes(8), MeterInfo=iso.MeterInfo(MeterID="1")),
    iso.PaymentDetailsReq(eMAID="DE8AA1A2B3C4D5", ContractSignatureCertChain=CHAIN),
    iso.CertificateInstallationReq(Id="id", OEMProvisioningCert=b"\1", ListOfRootCertificateIDs=ROOTS),
    iso.CertificateUpdateReq(
        Id="id", ContractSignatureCertChain=CHAIN, eMAID="DE8AA1A2B3C4D5", ListOfRootCertificateIDs=ROOTS
    ),
)
REQUESTS: dict[Any, Any] = {type(request): request for request in (*DC, *AC, *OTHERS)}
"""A good request of every kind."""
STEP_S = 0.1


class End:
    """One machine of ours, and what it sent and told. `now` moves with `ask`, `answer` and `wait`."""

    machine: Machine

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.now = 100.0
        self.effects: list[Effect] = []

    def took(self, effects: list[Effect]) -> list[Effect]:
        self.effects += effects
        return effects

    def wait(self, seconds: float) -> None:
        """Time passes, and the machine is called when it wants to be."""
        until = self.now + seconds
        while (deadline := self.machine.next_deadline()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.took(self.machine.expire(self.now))
        self.now = until

    def faults(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Fault)]

    def clauses(self) -> list[str | None]:
        return [event.clause for event in self.events if isinstance(event, Fault)]

    def notes(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Note)]

    def timers(self) -> list[str]:
        return [event.timer for event in self.events if isinstance(event, TimerExpired)]

    def states(self) -> list[int]:
        return [int(event.state) for event in self.events if isinstance(event, StateEntered)]

    @property
    def closes(self) -> list[str]:
        return [effect.reason for effect in self.effects if isinstance(effect, Close)]


class DcOutlet(SimulatedOutlet):
    """A simulated outlet without a vehicle, and with the pilot that a test sets."""

    def __init__(self) -> None:
        super().__init__(authorization_s=0.0, preparation_s=0.0, isolation_test_s=0.2)
        self.pilot: ControlPilot | None = None

    def control_pilot(self) -> ControlPilot | None:
        return self.pilot


class AcOutlet(SimulatedAcOutlet):
    """The same in AC."""

    def __init__(self) -> None:
        super().__init__(authorization_s=0.0, preparation_s=0.0)
        self.pilot: ControlPilot | None = None

    def control_pilot(self) -> ControlPilot | None:
        return self.pilot


class Talk(End):
    """Our station and what a test says to it."""

    def __init__(self, *, ac: bool = False, transport: Transport = PLAIN, now: float = 100.0, **others: Any) -> None:
        super().__init__()
        self.now = now
        self.order = AC if ac else DC
        self.outlet: Any = AcOutlet() if ac else DcOutlet()
        self.sessions = others.pop("sessions", None) or PausedSessions()
        self.settings = secc.Settings(**others)
        self.station = self.machine = secc.Station(
            self.outlet,
            random=lambda count: bytes(range(1, count + 1)),
            clock=lambda: 1_700_000_000.5,
            protocols=(sap.ISO15118_2,),
            settings=self.settings,
            sessions=self.sessions,
            trace=self.events.append,
        )
        self.took(self.station.start(self.now, transport))
        request = sap.offer((sap.ISO15118_2,))
        self.took(self.station.receive(EXI, exi.schema("sap").encode(request), self.now))

    def send(self, request: Any, session_id: bytes | None = None) -> list[Any]:
        """A request; the answers that come at once."""
        known = self.station.session_id or bytes(8)
        payload = exi.schema("iso15118_2").encode(wrap(known if session_id is None else session_id, request))
        return self.answers(self.took(self.station.receive(EXI, payload, self.now)))

    def answers(self, effects: list[Effect]) -> list[Any]:
        sent = [effect.payload for effect in effects if isinstance(effect, Send)]
        return [exi.schema("iso15118_2").decode(payload).Body.BodyElement for payload in sent]  # type: ignore[attr-defined]

    def ask(self, request: Any, session_id: bytes | None = None) -> Any:
        """A request; its answer, which may take a while. The next request is a step later."""
        before = len(self.effects)
        self.send(request, session_id)
        for _ in range(100):
            found = self.answers(self.effects[before:])
            if found:
                break
            self.wait(0.05)
        assert len(found) == 1, f"{len(found)} answers to {type(request).__name__}"
        self.wait(STEP_S)
        return found[0]

    def repeat(self, request: Any) -> Any:
        """Ask until the answer is final."""
        for _ in range(100):
            response = self.ask(request)
            if getattr(response, "EVSEProcessing", DONE) is DONE:
                return response
        raise AssertionError("Ongoing for ever")

    def reach(self, kind: Any) -> None:
        """Go on until this request may come next."""
        for request in self.order:
            if kind in self.station.expected:
                return
            if isinstance(request, iso.WeldingDetectionReq | iso.SessionStopReq):
                self.ask(power(STOP))
            elif type(request) in self.station.expected:
                self.repeat(request)
            if isinstance(request, iso.PreChargeReq):
                for _ in range(6):
                    self.ask(request)
        assert kind in self.station.expected

    def deliver(self) -> Any:
        """Go on into the charge loop; its first answer."""
        kind = iso.ChargingStatusReq if self.order is AC else iso.CurrentDemandReq
        self.reach(kind)
        return self.ask(REQUESTS[kind])

    @property
    def is_off(self) -> bool:
        """Nothing is switched on, at this moment."""
        self.outlet.tick(self.now)
        return not self.outlet.relays


def dc_status(code: str = "EVSE_Ready", notification: str = "None", level: str | None = "Valid") -> iso.DC_EVSEStatus:
    return iso.DC_EVSEStatus(
        EVSEIsolationStatus=None if level is None else iso.IsolationLevel(level),
        EVSEStatusCode=iso.DC_EVSEStatusCode(code),
        NotificationMaxDelay=0,
        EVSENotification=iso.EVSENotification(notification),
    )


def ac_status(notification: str = "None", *, rcd: bool = False) -> iso.AC_EVSEStatus:
    return iso.AC_EVSEStatus(NotificationMaxDelay=0, EVSENotification=iso.EVSENotification(notification), RCD=rcd)


def schedule(number: int, *entries: tuple[int, float], end: int = 86400, prices: Any = ()) -> iso.SAScheduleTuple:
    def interval(kinds: Any, index: int, start: int) -> iso.RelativeTimeInterval:
        last = index == len(kinds) - 1
        return iso.RelativeTimeInterval(start=start, duration=end - start if last else None)

    tariff = [
        iso.SalesTariffEntry(TimeInterval=interval(prices, index, start), EPriceLevel=level)
        for index, (start, level) in enumerate(prices)
    ]
    return iso.SAScheduleTuple(
        SAScheduleTupleID=number,
        PMaxSchedule=iso.PMaxSchedule(
            PMaxScheduleEntry=[
                iso.PMaxScheduleEntry(TimeInterval=interval(entries, index, start), PMax=physical(watts, "W"))
                for index, (start, watts) in enumerate(entries)
            ]
        ),
        SalesTariff=iso.SalesTariff(SalesTariffID=number, SalesTariffEntry=tariff) if tariff else None,
    )


class Host(End):
    """Our vehicle and what a test answers to it: good answers, or those in `overrides`."""

    SESSION = b"\1\2\3\4\5\6\7\x08"

    def __init__(
        self, *, ac: bool = False, transport: Transport = PLAIN, resume: Paused | None = None, **settings: Any
    ) -> None:
        super().__init__()
        self.ac = ac
        battery = Battery(soc=50.0)
        self.ev: Any = SimulatedAcVehicle(battery) if ac else SimulatedVehicle(battery)
        self.vehicle = self.machine = evcc.Vehicle(
            self.ev,
            protocols=(sap.ISO15118_2,),
            settings=evcc.Settings(**settings),
            resume=resume,
            trace=self.events.append,
        )
        self.asked: list[Any] = []
        self.session_ids: list[bytes] = []
        self.overrides: dict[Any, Any] = {}
        self.schedules = [schedule(1, (0, 50_000))]
        self.took(self.vehicle.start(self.now, transport))
        response = sap.negotiate(sap.offer((sap.ISO15118_2,)), (sap.ISO15118_2,))[0]
        self.took(self.vehicle.receive(EXI, exi.schema("sap").encode(response), self.now))

    def took(self, effects: list[Effect]) -> list[Effect]:
        for effect in effects:
            if isinstance(effect, Send) and self.vehicle.rules is not None:
                document: Any = exi.schema("iso15118_2").decode(effect.payload)
                self.session_ids.append(document.Header.SessionID)
                self.asked.append(document.Body.BodyElement)
        return super().took(effects)

    @property
    def request(self) -> Any:
        """What the vehicle asked last."""
        return self.asked[-1]

    def good(self, request: Any) -> Any:
        """A good station's answer."""
        volts = physical(self.ev.battery_volts(), "V")
        status = ac_status() if self.ac else dc_status()
        modes = ["AC_three_phase_core", "AC_single_phase_core"] if self.ac else ["DC_extended"]
        answers: dict[Any, Callable[[], Any]] = {
            iso.SessionSetupReq: lambda: iso.SessionSetupRes(
                ResponseCode=iso.ResponseCode.OK_NewSessionEstablished, EVSEID="ZZ00000"
            ),
            iso.ServiceDiscoveryReq: lambda: services(modes),
            iso.ServiceDetailReq: lambda: iso.ServiceDetailRes(ResponseCode=OK, ServiceID=request.ServiceID),
            iso.PaymentServiceSelectionReq: lambda: iso.PaymentServiceSelectionRes(ResponseCode=OK),
            iso.AuthorizationReq: lambda: iso.AuthorizationRes(ResponseCode=OK, EVSEProcessing=DONE),
            iso.ChargeParameterDiscoveryReq: lambda: parameters(ac=self.ac, schedules=self.schedules),
            iso.CableCheckReq: lambda: iso.CableCheckRes(ResponseCode=OK, DC_EVSEStatus=status, EVSEProcessing=DONE),
            iso.PreChargeReq: lambda: iso.PreChargeRes(ResponseCode=OK, DC_EVSEStatus=status, EVSEPresentVoltage=volts),
            iso.PowerDeliveryReq: lambda: iso.PowerDeliveryRes(ResponseCode=OK, EVSEStatus=status),
            iso.CurrentDemandReq: lambda: iso.CurrentDemandRes(
                ResponseCode=OK,
                DC_EVSEStatus=status,
                EVSEPresentVoltage=volts,
                EVSEPresentCurrent=request.EVTargetCurrent,
                EVSECurrentLimitAchieved=False,
                EVSEVoltageLimitAchieved=False,
                EVSEPowerLimitAchieved=False,
                EVSEID="ZZ00000",
                SAScheduleTupleID=1,
            ),
            iso.ChargingStatusReq: lambda: iso.ChargingStatusRes(
                ResponseCode=OK,
                EVSEID="ZZ00000",
                SAScheduleTupleID=1,
                EVSEMaxCurrent=physical(32, "A"),
                AC_EVSEStatus=status,
            ),
            iso.MeteringReceiptReq: lambda: iso.MeteringReceiptRes(ResponseCode=OK, EVSEStatus=status),
            iso.WeldingDetectionReq: lambda: iso.WeldingDetectionRes(
                ResponseCode=OK, DC_EVSEStatus=status, EVSEPresentVoltage=physical(0, "V")
            ),
            iso.SessionStopReq: lambda: iso.SessionStopRes(ResponseCode=OK),
        }
        return answers[type(request)]()

    def answer(self, response: Any = None) -> Any:
        """Answer the last request, with a good answer or this one; the request that follows at once, or later."""
        if response is None:
            response = self.overrides.get(type(self.request)) or self.good(self.request)
        count = len(self.asked)
        self.now += 0.005
        payload = exi.schema("iso15118_2").encode(wrap(self.SESSION, response))
        self.took(self.vehicle.receive(EXI, payload, self.now))
        while len(self.asked) == count and not self.vehicle.closed:
            deadline = self.vehicle.next_deadline()
            assert deadline is not None
            self.now = max(self.now, deadline)
            self.took(self.vehicle.expire(self.now))
        return self.request

    def reach(self, kind: Any, progress: iso.ChargeProgress | None = None) -> Any:
        """Answer well until the vehicle asks this."""
        for _ in range(300):
            fits = progress is None or getattr(self.request, "ChargeProgress", None) is progress
            if isinstance(self.request, kind) and fits:
                return self.request
            assert not self.vehicle.closed, self.vehicle.reason
            self.answer()
        raise AssertionError(f"{kind.__name__} is not reached")

    def finish(self) -> list[str]:
        """Answer well to the end; the names of what is asked on the way, without repetitions."""
        names = [type(self.request).__name__]
        while not self.vehicle.closed:
            name = type(self.answer()).__name__
            if name != names[-1]:
                names.append(name)
        return names


def services(modes: list[str], *others: tuple[int, str], payment: str = "ExternalPayment") -> iso.ServiceDiscoveryRes:
    offered = [
        iso.Service(ServiceID=number, ServiceCategory=iso.ServiceCategory(category), FreeService=True)
        for number, category in others
    ]
    return iso.ServiceDiscoveryRes(
        ResponseCode=OK,
        PaymentOptionList=iso.PaymentOptionList(PaymentOption=[iso.PaymentOption(payment)]),
        ChargeService=iso.ChargeService(
            ServiceID=1,
            ServiceCategory=iso.ServiceCategory.EVCharging,
            FreeService=False,
            SupportedEnergyTransferMode=iso.SupportedEnergyTransferMode(
                EnergyTransferMode=[iso.EnergyTransferMode(mode) for mode in modes]
            ),
        ),
        ServiceList=iso.ServiceList(Service=offered) if offered else None,
    )


def parameters(
    *, ac: bool, schedules: list[iso.SAScheduleTuple] | None, processing: str = "Finished", **others: Any
) -> iso.ChargeParameterDiscoveryRes:
    parameter: Any
    if ac:
        parameter = iso.AC_EVSEChargeParameter(
            AC_EVSEStatus=others.pop("status", ac_status()),
            EVSENominalVoltage=physical(others.pop("volts", 230), "V"),
            EVSEMaxCurrent=physical(others.pop("amps", 32), "A"),
        )
    else:
        parameter = iso.DC_EVSEChargeParameter(
            DC_EVSEStatus=others.pop("status", dc_status()),
            EVSEMaximumCurrentLimit=physical(125, "A"),
            EVSEMaximumPowerLimit=physical(50_000, "W"),
            EVSEMaximumVoltageLimit=physical(others.pop("volts", 500), "V"),
            EVSEMinimumCurrentLimit=physical(0, "A"),
            EVSEMinimumVoltageLimit=physical(150, "V"),
            EVSEPeakCurrentRipple=physical(1, "A"),
        )
    return iso.ChargeParameterDiscoveryRes(
        ResponseCode=OK,
        EVSEProcessing=iso.EVSEProcessing(processing),
        SASchedules=None if schedules is None else iso.SAScheduleList(SAScheduleTuple=schedules),
        EVSEChargeParameter=parameter,
    )
