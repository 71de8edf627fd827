"""Vehicles by hand, over a pad and under a pantograph: requests one at a time to a station with simulated devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import exi
from exi.messages.iso15118_20 import acdp, common, dc, wpt
from exi.messages.iso15118_20.common import ChargeProgress, PowerDeliveryReq, ScheduleExchangeReq
from exi.messages.iso15118_20.types import MessageHeader, Processing, ResponseCode
from hlc import sap
from hlc.flow import Close, Effect, Send, Transport
from hlc.ports import Offset, WptMethods
from hlc.rules.iso15118_20.values import rational
from hlc.secc import Settings, Station
from hlc.sim import Battery
from hlc.sim.acdp import SimulatedBus, SimulatedPantograph
from hlc.sim.acdp import link as link_acdp
from hlc.sim.wpt import METHODS, SimulatedPad, SimulatedReceiver
from hlc.sim.wpt import link as link_wpt
from hlc.trace.events import Event, Fault, Note

DONE, ONGOING = Processing.Finished, Processing.Ongoing
OK = ResponseCode.OK
UNKNOWN, SUCCESS, _ = wpt.WPT_EVResult
NO_ISSUE = wpt.WPT_EVPCChargeDiagnostics.EVPCNoIssue
STATE_B = acdp.ElectricalChargingDeviceStatus.State_B
STEP_S = 0.1


class Talk:
    """A vehicle by hand: requests one at a time. `now` moves with `ask` and `wait`."""

    def __init__(self, outlet: Any, protocol: str, **settings: Any) -> None:
        self.protocol = sap.PROTOCOLS[protocol]
        self.events: list[Event] = []
        self.station = Station(
            outlet,
            random=lambda count: bytes(range(1, count + 1)),
            clock=lambda: 1_700_000_000.5,
            protocols=(self.protocol,),
            settings=Settings(**settings),
            trace=self.events.append,
        )
        self.now = 100.0
        self.effects: list[Effect] = list(self.station.start(self.now, Transport("1.3")))
        request = exi.schema("sap").encode(sap.offer((self.protocol,)))
        self.effects += self.station.receive(0x8001, request, self.now)
        assert self.station.rules is not None
        self.rows = {rule.request: rule for rule in reversed(self.station.rules.all_rows)}

    def ask(self, kind: Any, **fields: Any) -> Any:
        """A request; its answer, which must be the only one. The next request is a step later."""
        return self.foreign(kind, self.station.session_id or bytes(8), **fields)

    def foreign(self, kind: Any, session_id: bytes, **fields: Any) -> Any:
        """The same with any session ID."""
        header = MessageHeader(SessionID=session_id, TimeStamp=1_700_000_000)
        payload_type = self.rows[kind].payload_type
        schema = exi.schema(self.protocol.schemas[payload_type])
        effects = self.station.receive(payload_type, schema.encode(kind(Header=header, **fields)), self.now)
        self.effects += effects
        [sent] = [effect for effect in effects if isinstance(effect, Send)]
        assert sent.payload_type == payload_type
        self.wait(STEP_S)
        return schema.decode(sent.payload)

    def beside(self, kind: Any, of: str = "common", **fields: Any) -> Any:
        """The same on the side stream for schedules."""
        header = MessageHeader(SessionID=self.station.session_id or bytes(8), TimeStamp=1_700_000_000)
        schema = exi.schema(f"iso15118_20_{of}")
        effects = self.station.receive(0x8101, schema.encode(kind(Header=header, **fields)), self.now)
        self.effects += effects
        [sent] = [effect for effect in effects if isinstance(effect, Send)]
        assert sent.payload_type == 0x8101
        return schema.decode(sent.payload)

    def wait(self, seconds: float) -> None:
        """Time passes, and the station is called when it wants to be."""
        until = self.now + seconds
        while (deadline := self.station.next_deadline()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.effects += self.station.expire(self.now)
        self.now = until
        self.station.outlet.tick(until)

    def allows(self, kind: Any) -> bool:
        return kind in self.station.expected

    def services(self, service: int) -> None:
        """From AuthorizationSetup to the selection of this service, scheduled."""
        self.ask(common.AuthorizationSetupReq)
        authorize = {
            "SelectedAuthorizationService": common.Authorization.EIM,
            "EIM_AReqAuthorizationMode": common.EIM_AReqAuthorizationMode(),
        }
        while self.ask(common.AuthorizationReq, **authorize).EVSEProcessing is not DONE:
            pass
        offered = self.ask(common.ServiceDiscoveryReq).EnergyTransferServiceList.Service
        assert [entry.ServiceID for entry in offered] == [service]
        detail = self.ask(common.ServiceDetailReq, ServiceID=service)
        chosen = detail.ServiceParameterList.ParameterSet[0].ParameterSetID
        selected = common.SelectedService(ServiceID=service, ParameterSetID=chosen)
        assert self.ask(common.ServiceSelectionReq, SelectedEnergyTransferService=selected).ResponseCode is OK

    def schedule(self) -> common.EVPowerProfile:
        """The exchange of schedules; a profile that fits."""
        request = {
            "MaximumSupportingPoints": 12,
            "Scheduled_SEReqControlMode": common.Scheduled_SEReqControlMode(),
        }
        while (answer := self.ask(ScheduleExchangeReq, **request)).EVSEProcessing is not DONE:
            pass
        entry = common.PowerScheduleEntry(Duration=3600, Power=rational(1000.0))
        number = answer.Scheduled_SEResControlMode.ScheduleTuple[0].ScheduleTupleID
        return common.EVPowerProfile(
            TimeAnchor=1_700_000_000,
            Scheduled_EVPPTControlMode=common.Scheduled_EVPPTControlMode(SelectedScheduleTupleID=number),
            EVPowerProfileEntries=common.EVPowerProfileEntryList(EVPowerProfileEntry=[entry]),
        )

    def deliver(self, progress: ChargeProgress, profile: common.EVPowerProfile | None = None) -> Any:
        return self.ask(PowerDeliveryReq, EVProcessing=DONE, ChargeProgress=progress, EVPowerProfile=profile)

    def later(self, progress: ChargeProgress, profile: common.EVPowerProfile | None = None) -> Any:
        """The same where the answer comes when a contactor has moved."""
        header = MessageHeader(SessionID=self.station.session_id or bytes(8), TimeStamp=1_700_000_000)
        request = PowerDeliveryReq(Header=header, EVProcessing=DONE, ChargeProgress=progress, EVPowerProfile=profile)
        schema = exi.schema("iso15118_20_common")
        before = len(self.effects)
        self.effects += self.station.receive(0x8002, schema.encode(request), self.now)
        for _ in range(100):
            sent = [effect for effect in self.effects[before:] if isinstance(effect, Send)]
            if sent:
                return schema.decode(sent[0].payload)
            self.wait(0.05)
        raise AssertionError("no answer")

    def stop(self) -> Any:
        return self.ask(common.SessionStopReq, ChargingSession=common.ChargingSession.Terminate)

    def faults(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Fault)]

    def notes(self) -> str:
        return "\n".join(event.text for event in self.events if isinstance(event, Note))

    @property
    def closed(self) -> bool:
        return any(isinstance(effect, Close) for effect in self.effects)


class OverPad(Talk):
    """A vehicle by hand over a pad; the devices themselves are simulated."""

    def __init__(self, **settings: Any) -> None:
        self.pad = SimulatedPad(authorization_s=0.0, preparation_s=0.0)
        self.ev = SimulatedReceiver(Battery(soc=50.0))
        self.gap = link_wpt(self.pad, self.ev)
        super().__init__(self.pad, "iso15118_20_wpt", **settings)
        self.ask(common.SessionSetupReq, EVCCID="EV")

    def setup(self, methods: WptMethods = METHODS, processing: Processing = DONE) -> Any:
        lists = {
            "EVDeviceFinePositioningMethodList": wpt.WPT_FinePositioningMethodList(
                WPT_FinePositioningMethod=[wpt.WPT_FinePositioningMethod(name) for name in methods.positioning]
            ),
            "EVDevicePairingMethodList": wpt.WPT_PairingMethodList(
                WPT_PairingMethod=[wpt.WPT_PairingMethod(name) for name in methods.pairing]
            ),
            "EVDeviceAlignmentCheckMethodList": wpt.WPT_AlignmentCheckMethodList(
                WPT_AlignmentCheckMethod=[wpt.WPT_AlignmentCheckMethod(name) for name in methods.alignment]
            ),
        }
        return self.ask(wpt.WPT_FinePositioningSetupReq, EVProcessing=processing, NaturalOffset=0, **lists)

    def position(self, processing: Processing = DONE, result: Any = SUCCESS) -> Any:
        return self.ask(wpt.WPT_FinePositioningReq, EVProcessing=processing, EVResultCode=result)

    def pair(self, code: int | None = None, processing: Processing = DONE, result: Any = SUCCESS) -> Any:
        return self.ask(wpt.WPT_PairingReq, EVProcessing=processing, EVResultCode=result, ObservedIDCode=code)

    def park(self) -> None:
        """Up to its place."""
        self.setup()
        self.ev.start_positioning()
        self.wait(6.0)
        self.ev.lock_connector()
        self.wait(0.5)
        assert self.position().ResponseCode is OK

    def approach(self) -> None:
        """Up to the charge parameters, which are accepted."""
        self.park()
        assert self.pair(self.pad.code()).EVSEProcessing is DONE
        self.services(3)
        assert self.parameters().ResponseCode is OK

    def parameters(self, watts: float = 7000.0, low: int = 140, high: int = 210) -> Any:
        return self.ask(
            wpt.WPT_ChargeParameterDiscoveryReq,
            EVPCMaxReceivablePower=rational(watts),
            SDMaxGroundClearence=high,
            SDMinGroundClearence=low,
            EVPCNaturalFrequency=rational(85_000.0),
            EVPCDeviceLocalControl=False,
        )

    def align(self, processing: Processing = ONGOING, result: Any = UNKNOWN, **fields: Any) -> Any:
        return self.ask(wpt.WPT_AlignmentCheckReq, EVProcessing=processing, EVResultCode=result, **fields)

    def align_well(self) -> Any:
        while (answer := self.align()).EVSEProcessing is not DONE:
            pass
        assert self.align(DONE, SUCCESS).ResponseCode is OK
        return answer

    def loop(self, watts: float = 5000.0, issue: Any = NO_ISSUE) -> Any:
        return self.ask(
            wpt.WPT_ChargeLoopReq,
            MeterInfoRequested=False,
            EVPCPowerRequest=rational(watts),
            EVPCPowerOutput=rational(self.ev.received_watts()),
            EVPCChargeDiagnostics=issue,
        )

    def charge(self) -> common.EVPowerProfile:
        """Up to a loop in which power flows."""
        self.approach()
        self.align_well()
        profile = self.schedule()
        assert self.deliver(ChargeProgress.Start, profile).ResponseCode is OK
        self.ev.receive()
        for _ in range(10):
            assert self.loop().ResponseCode is OK
        assert self.pad.transmitted_watts() == pytest.approx(5000.0)
        return profile


class UnderPantograph(Talk):
    """A vehicle by hand under a pantograph; the mechanics are simulated."""

    def __init__(self, **settings: Any) -> None:
        self.outlet = SimulatedPantograph(authorization_s=0.0, preparation_s=0.0, isolation_test_s=0.2)
        self.bus = SimulatedBus(Battery(soc=50.0))
        self.cable = link_acdp(self.outlet, self.bus)
        super().__init__(self.outlet, "iso15118_20_acdp", **settings)
        self.ask(common.SessionSetupReq, EVCCID="EV")

    def position(self, *, moving: bool = False) -> Any:
        return self.ask(acdp.ACDP_VehiclePositioningReq, EVMobilityStatus=moving, EVPositioningSupport=True)

    def connect(self) -> Any:
        return self.ask(acdp.ACDP_ConnectReq, EVElectricalChargingDeviceStatus=STATE_B)

    def disconnect(self) -> Any:
        return self.ask(acdp.ACDP_DisconnectReq, EVElectricalChargingDeviceStatus=STATE_B)

    def tell(self, *, immobilised: bool | None = True, error: Any = None) -> Any:
        status = acdp.EVTechnicalStatus(
            EVReadyToCharge=True, EVImmobilizationRequest=True, EVImmobilized=immobilised, EVErrorCode=error
        )
        return self.ask(acdp.ACDP_SystemStatusReq, EVTechnicalStatus=status)

    def park(self) -> None:
        """Up to its place."""
        self.bus.place = Offset(20.0, 10.0)
        self.bus.driving = False
        self.bus.lock_connector()
        self.wait(0.5)
        answer = self.position()
        assert (answer.EVSEProcessing, answer.EVInChargePosition) == (DONE, True)

    def prepare(self) -> common.EVPowerProfile:
        """Up to the schedules."""
        self.park()
        self.services(4)
        mode = dc.DC_CPDReqEnergyTransferMode(
            EVMaximumChargePower=rational(100_000.0),
            EVMinimumChargePower=rational(0.0),
            EVMaximumChargeCurrent=rational(200.0),
            EVMinimumChargeCurrent=rational(0.0),
            EVMaximumVoltage=rational(450.0),
            EVMinimumVoltage=rational(200.0),
        )
        answer = self.ask(dc.DC_ChargeParameterDiscoveryReq, DC_CPDReqEnergyTransferMode=mode)
        assert answer.ResponseCode is OK
        return self.schedule()

    def connected(self) -> common.EVPowerProfile:
        """Up to the contact."""
        profile = self.prepare()
        while self.connect().EVSEProcessing is not DONE:
            pass
        return profile

    def checked(self) -> common.EVPowerProfile:
        """Up to a cable check that has been passed."""
        profile = self.connected()
        self.tell()
        for _ in range(60):
            if self.ask(dc.DC_CableCheckReq).EVSEProcessing is DONE:
                return profile
        raise AssertionError("a cable check without end")

    def charge(self) -> None:
        """Up to a loop in which current flows."""
        profile = self.checked()
        volts = rational(self.bus.battery_volts())
        for processing in [ONGOING] * 10 + [DONE]:
            self.ask(dc.DC_PreChargeReq, EVProcessing=processing, EVPresentVoltage=volts, EVTargetVoltage=volts)
        self.bus.close_contactors()
        self.wait(0.1)
        assert self.deliver(ChargeProgress.Start, profile).ResponseCode is OK
        for _ in range(10):
            assert self.loop().ResponseCode is OK
        assert self.cable.amps > 45.0

    def loop(self) -> Any:
        return self.ask(
            dc.DC_ChargeLoopReq,
            MeterInfoRequested=False,
            EVPresentVoltage=rational(self.bus.battery_volts()),
            CLReqControlMode=dc.Scheduled_DC_CLReqControlMode(
                EVTargetCurrent=rational(50.0), EVTargetVoltage=rational(440.0)
            ),
        )


@pytest.fixture
def over_pad() -> Callable[..., OverPad]:
    """Makes a station with a pad, and a vehicle by hand; what is given are the station's settings."""
    return OverPad


@pytest.fixture
def under_pantograph() -> Callable[..., UnderPantograph]:
    """The same with a pantograph."""
    return UnderPantograph


@pytest.fixture
def talk_with() -> Callable[..., Talk]:
    """Makes a station with an outlet that is given, and a vehicle by hand; then come protocol and settings."""
    return Talk
