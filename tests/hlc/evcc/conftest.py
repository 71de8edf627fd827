"""A station by hand: answers one at a time to a vehicle with a simulated battery."""

from __future__ import annotations

from typing import Any

import pytest

import exi
from exi.messages import din70121 as din
from exi.messages.sap import ResponseCode as SapCode
from exi.messages.sap import supportedAppProtocolRes
from hlc.evcc import Settings, Vehicle
from hlc.flow import Close, Effect, Send
from hlc.rules.din70121 import wrap
from hlc.sim import Battery, SimulatedVehicle
from hlc.trace.events import Event, Fault, Note, StateEntered, TimerExpired

EXI = 0x8001
"""Payload type."""
SESSION = b"\1\2\3\4"
"""As short as a Tesla Supercharger's."""
LATER_S = 0.005


def volts(number: float) -> din.PhysicalValue:
    return din.PhysicalValue(Multiplier=-1, Unit=din.UnitSymbol.V, Value=round(number * 10))


def amps(number: float) -> din.PhysicalValue:
    return din.PhysicalValue(Multiplier=-1, Unit=din.UnitSymbol.A, Value=round(number * 10))


def status(
    code: din.DC_EVSEStatusCode = din.DC_EVSEStatusCode.EVSE_Ready,
    notification: din.EVSENotification = din.EVSENotification.None_,
    level: din.IsolationLevel | None = din.IsolationLevel.Valid,
) -> din.DC_EVSEStatus:
    return din.DC_EVSEStatus(
        EVSEIsolationStatus=level, EVSEStatusCode=code, NotificationMaxDelay=0, EVSENotification=notification
    )


def parameter(max_volts: float = 500, max_amps: float = 125, **others: Any) -> din.DC_EVSEChargeParameter:
    return din.DC_EVSEChargeParameter(
        DC_EVSEStatus=others.pop("status", status()),
        EVSEMaximumCurrentLimit=amps(max_amps),
        EVSEMaximumVoltageLimit=volts(max_volts),
        EVSEMinimumCurrentLimit=amps(0),
        EVSEMinimumVoltageLimit=volts(150),
        EVSEPeakCurrentRipple=amps(1),
        **others,
    )


class Host:
    """A vehicle and what a test answers to it. `battery_volts` is reached by the answers in precharge."""

    def __init__(self, *, settings: Settings | None = None, target_soc: float = 80.0) -> None:
        self.ev = SimulatedVehicle(Battery(soc=50.0), target_soc=target_soc)
        self.events: list[Event] = []
        self.vehicle = Vehicle(self.ev, settings=settings, trace=self.events.append)
        self.now = 100.0
        self.closes: list[str] = []
        self.asked: list[Any] = []
        self.asked_at: list[float] = []
        self.session_ids: list[bytes] = []
        self._took(self.vehicle.start(self.now))
        self.overrides: dict[Any, Any] = {}

    def answers(self) -> dict[Any, Any]:
        """A good station's answer to each request."""
        ok, done = din.ResponseCode.OK, din.EVSEProcessing.Finished
        battery = self.ev.battery_volts()
        return {
            din.SessionSetupReq: din.SessionSetupRes(
                ResponseCode=din.ResponseCode.OK_NewSessionEstablished, EVSEID=b"\0"
            ),
            din.ServiceDiscoveryReq: din.ServiceDiscoveryRes(
                ResponseCode=ok,
                PaymentOptions=din.PaymentOptions(PaymentOption=[din.PaymentOption.ExternalPayment]),
                ChargeService=din.ServiceCharge(
                    ServiceTag=din.ServiceTag(ServiceID=1, ServiceCategory=din.ServiceCategory.EVCharging),
                    FreeService=False,
                    EnergyTransferType=din.EVSESupportedEnergyTransfer.DC_extended,
                ),
            ),
            din.ServicePaymentSelectionReq: din.ServicePaymentSelectionRes(ResponseCode=ok),
            din.ContractAuthenticationReq: din.ContractAuthenticationRes(ResponseCode=ok, EVSEProcessing=done),
            din.ChargeParameterDiscoveryReq: din.ChargeParameterDiscoveryRes(
                ResponseCode=ok,
                EVSEProcessing=done,
                SASchedules=din.SASchedules(),
                EVSEChargeParameter=parameter(),
            ),
            din.CableCheckReq: din.CableCheckRes(ResponseCode=ok, DC_EVSEStatus=status(), EVSEProcessing=done),
            din.PreChargeReq: din.PreChargeRes(
                ResponseCode=ok, DC_EVSEStatus=status(), EVSEPresentVoltage=volts(battery)
            ),
            din.PowerDeliveryReq: din.PowerDeliveryRes(ResponseCode=ok, EVSEStatus=status()),
            din.CurrentDemandReq: din.CurrentDemandRes(
                ResponseCode=ok,
                DC_EVSEStatus=status(),
                EVSEPresentVoltage=volts(battery),
                EVSEPresentCurrent=amps(self._wanted_amps()),
                EVSECurrentLimitAchieved=False,
                EVSEVoltageLimitAchieved=False,
                EVSEPowerLimitAchieved=False,
            ),
            din.WeldingDetectionReq: din.WeldingDetectionRes(
                ResponseCode=ok, DC_EVSEStatus=status(), EVSEPresentVoltage=volts(0)
            ),
            din.SessionStopReq: din.SessionStopRes(ResponseCode=ok),
        }

    @property
    def request(self) -> Any:
        """What the vehicle asked last."""
        return self.asked[-1]

    def answer(self, response: Any = None, session_id: bytes = SESSION) -> Any:
        """Answer the last request, with a good answer or this one; the request that follows at once, or later."""
        if response is None:
            override = self.overrides.get(type(self.request))
            response = override if override is not None else self.answers()[type(self.request)]
        count = len(self.asked)
        self.now += LATER_S
        self._took(self.vehicle.receive(EXI, exi.schema("din70121").encode(wrap(session_id, response)), self.now))
        while len(self.asked) == count and not self.vehicle.closed:
            self.wait_once()
        return self.request

    def hello(self, schema_id: int | None = 1, code: SapCode = SapCode.OK_SuccessfulNegotiation) -> None:
        """Answer SAP."""
        response = supportedAppProtocolRes(ResponseCode=code, SchemaID=schema_id)
        self.now += LATER_S
        self._took(self.vehicle.receive(EXI, exi.schema("sap").encode(response), self.now))

    def reach(self, kind: Any, ready: bool | None = None) -> Any:
        """Answer well until the vehicle asks this (PowerDeliveryReq: to begin or to end)."""
        if self.vehicle.rules is None:
            self.hello()
        for _ in range(300):
            wanted = isinstance(self.request, kind)
            if wanted and (ready is None or self.request.ReadyToChargeState is ready):
                return self.request
            if kind in (din.WeldingDetectionReq, din.SessionStopReq) and isinstance(self.request, din.CurrentDemandReq):
                self._took(self.vehicle.stop(self.now, "the driver stops"))
            assert not self.vehicle.closed, self.vehicle.reason
            self.answer()
        raise AssertionError(f"{kind.__name__} is not reached")

    def wait_once(self) -> None:
        """Until the vehicle's next deadline."""
        deadline = self.vehicle.next_deadline()
        assert deadline is not None, "the vehicle waits for nothing"
        self.now = max(self.now, deadline)
        self._took(self.vehicle.expire(self.now))

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while (deadline := self.vehicle.next_deadline()) is not None and deadline <= until:
            self.wait_once()
        self.now = until

    def faults(self) -> list[Fault]:
        return [event for event in self.events if isinstance(event, Fault)]

    def notes(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Note)]

    def timers(self) -> list[str]:
        return [event.timer for event in self.events if isinstance(event, TimerExpired)]

    def states(self) -> list[int]:
        return [int(event.state) for event in self.events if isinstance(event, StateEntered)]

    def _wanted_amps(self) -> float:
        request = self.request if self.asked else None
        if not isinstance(request, din.CurrentDemandReq):
            return 0.0
        return float(min(125.0, request.EVTargetCurrent.Value * 10.0**request.EVTargetCurrent.Multiplier))

    def _took(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Close):
                self.closes.append(effect.reason)
            elif isinstance(effect, Send):
                document: Any = exi.schema("din70121" if self.asked else "sap").decode(effect.payload)
                if self.asked:
                    self.session_ids.append(document.Header.SessionID)
                self.asked.append(document.Body.BodyElement if self.asked else document)
                self.asked_at.append(self.now)


@pytest.fixture
def host() -> Host:
    """A vehicle that has just offered its protocol."""
    return Host()


@pytest.fixture
def make_host() -> type[Host]:
    """Vehicles, as many as wanted."""
    return Host


@pytest.fixture
def say() -> Any:
    """Phrases of a station: `say.status(...)`, `say.parameter(...)`, `say.volts(...)`."""

    class Say:
        pass

    Say.status, Say.parameter = staticmethod(status), staticmethod(parameter)  # type: ignore[attr-defined]
    Say.volts, Say.amps = staticmethod(volts), staticmethod(amps)  # type: ignore[attr-defined]
    return Say
