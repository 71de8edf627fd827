"""A vehicle by hand: requests one at a time to a station with a simulated outlet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from din import REQUESTS

import exi
from exi.messages import din70121 as din
from hlc import sap
from hlc.flow import Close, Effect, Send
from hlc.ports import ControlPilot
from hlc.rules.din70121 import wrap
from hlc.secc import Station
from hlc.sim import SimulatedOutlet
from hlc.trace.events import Event, Fault, Note, TimerExpired

EXI = 0x8001
"""Payload type."""

ORDER: tuple[Any, ...] = (
    din.SessionSetupReq,
    din.ServiceDiscoveryReq,
    din.ServicePaymentSelectionReq,
    din.ContractAuthenticationReq,
    din.ChargeParameterDiscoveryReq,
    din.CableCheckReq,
    din.PreChargeReq,
    din.PowerDeliveryReq,
    din.CurrentDemandReq,
    din.WeldingDetectionReq,
    din.SessionStopReq,
)
STEP_S = 0.1


class Outlet(SimulatedOutlet):
    """A simulated outlet without a vehicle, and with the pilot that a test sets."""

    def __init__(self) -> None:
        super().__init__(authorization_s=0.0, preparation_s=0.0, isolation_test_s=0.2)
        self.pilot: ControlPilot | None = None

    def control_pilot(self) -> ControlPilot | None:
        return self.pilot


class Talk:
    """A station and what a test says to it. `now` moves with `ask` and `wait`."""

    def __init__(self) -> None:
        self.outlet = Outlet()
        self.events: list[Event] = []
        self.station = Station(
            self.outlet,
            random=lambda count: bytes(range(1, count + 1)),
            clock=lambda: 1_700_000_000.5,
            trace=self.events.append,
        )
        self.now = 100.0
        self.effects: list[Effect] = list(self.station.start(self.now))

    def send(self, payload: bytes, payload_type: int = EXI) -> list[Effect]:
        """Octets in, effects out."""
        return self._took(self.station.receive(payload_type, payload, self.now))

    def hello(self) -> Any:
        """SAP."""
        request = sap.offer((sap.DIN70121,))
        [effect] = self.send(exi.schema("sap").encode(request))
        assert isinstance(effect, Send)
        return exi.schema("sap").decode(effect.payload)

    def ask(self, request: Any, session_id: bytes | None = None) -> Any:
        """A request; its answer, which must be the only one. The next request is a step later."""
        known = self.station.session_id or bytes(8)
        document = wrap(known if session_id is None else session_id, request)
        effects = self.send(exi.schema("din70121").encode(document))
        sent = [effect for effect in effects if isinstance(effect, Send)]
        assert len(sent) == 1, f"{len(sent)} answers to {type(request).__name__}"
        assert isinstance(effects[0], Send)
        answer: Any = exi.schema("din70121").decode(sent[0].payload)
        assert answer.Header.SessionID == (self.station.session_id or bytes(8))
        self.wait(STEP_S)
        return answer.Body.BodyElement

    def wait(self, seconds: float) -> None:
        """Time passes, and the station is called when it wants to be."""
        until = self.now + seconds
        while (deadline := self.station.next_deadline()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self._took(self.station.expire(self.now))
        self.now = until

    def reach(self, kind: Any) -> None:
        """Go on until this request may come next."""
        if self.station.rules is None:
            self.hello()
        for request in ORDER[: ORDER.index(kind)]:
            if kind is din.WeldingDetectionReq and request is din.CurrentDemandReq:
                self.ask(REQUESTS[request])
                self.ask(din.PowerDeliveryReq(ReadyToChargeState=False))
                return
            if request in self.station.expected or self.station.session_id is None:
                self.repeat(REQUESTS[request])
            if request is din.PreChargeReq and kind is not din.PreChargeReq:
                for _ in range(6):
                    self.ask(REQUESTS[request])
        assert kind in self.station.expected

    def repeat(self, request: Any) -> Any:
        """Ask until the answer is final."""
        for _ in range(100):
            response = self.ask(request)
            if getattr(response, "EVSEProcessing", None) is not din.EVSEProcessing.Ongoing:
                return response
        raise AssertionError("Ongoing for ever")

    def faults(self) -> list[Fault]:
        return [event for event in self.events if isinstance(event, Fault)]

    def notes(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Note)]

    def timers(self) -> list[str]:
        return [event.timer for event in self.events if isinstance(event, TimerExpired)]

    @property
    def closes(self) -> list[str]:
        return [effect.reason for effect in self.effects if isinstance(effect, Close)]

    @property
    def is_off(self) -> bool:
        """Nothing is switched on, at this moment."""
        return not self.outlet.relays and self.outlet.set_volts == 0

    def _took(self, effects: list[Effect]) -> list[Effect]:
        self.effects += effects
        return effects


@pytest.fixture
def talk() -> Talk:
    """A fresh station, before SAP."""
    return Talk()


@pytest.fixture
def fresh() -> Callable[[], Talk]:
    """Fresh stations, as many as wanted."""
    return Talk
