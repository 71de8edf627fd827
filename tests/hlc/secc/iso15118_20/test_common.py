"""What the station answers in every mode, and in DC and AC: refusals, response codes, side streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from exi.messages.iso15118_20 import ac, common, dc
from exi.messages.iso15118_20.common import ChargeProgress, ChargingSession, PowerDeliveryReq
from exi.messages.iso15118_20.types import EVSENotification, ListOfRootCertificateIDs, Processing, ResponseCode
from exi.messages.xmldsig import X509IssuerSerial
from hlc.decisions.schedules import Slot
from hlc.flow import failed
from hlc.ports import ControlPilot, Mode
from hlc.rules.iso15118_20.services import Intended
from hlc.rules.iso15118_20.values import number, rational
from hlc.secc.iso15118_20.settings import Settings20
from hlc.sim import SimulatedOutlet
from hlc.sim.ac import SimulatedAcOutlet
from hlc.trace.events import Fault, Note
from hlc.v2gtp import PayloadType

DONE, ONGOING = Processing.Finished, Processing.Ongoing
Talk = Any


def limits(*, back: bool = False, **others: float) -> Any:
    """What a vehicle says in DC_ChargeParameterDiscoveryReq."""
    values = {
        "EVMaximumChargePower": 80_000.0,
        "EVMinimumChargePower": 0.0,
        "EVMaximumChargeCurrent": 200.0,
        "EVMinimumChargeCurrent": 0.0,
        "EVMaximumVoltage": 420.0,
        "EVMinimumVoltage": 270.0,
    }
    if back:
        values |= {
            "EVMaximumDischargePower": 9000.0,
            "EVMinimumDischargePower": 0.0,
            "EVMaximumDischargeCurrent": 20.0,
            "EVMinimumDischargeCurrent": 0.0,
        }
    kind = dc.BPT_DC_CPDReqEnergyTransferMode if back else dc.DC_CPDReqEnergyTransferMode
    return kind(**{name: rational(value) for name, value in {**values, **others}.items()})


def wish(amps: float, volts: float = 400.0, *, back: bool = False, **others: float) -> Any:
    """What it asks for in the charge loop."""
    kind = dc.BPT_Scheduled_DC_CLReqControlMode if back else dc.Scheduled_DC_CLReqControlMode
    said = {name: rational(value) for name, value in others.items()}
    return kind(EVTargetCurrent=rational(amps), EVTargetVoltage=rational(volts), **said)


class Dc:
    """A vehicle by hand at a DC outlet."""

    def __init__(self, new: Callable[..., Talk], *, back: bool = False, **settings: Any) -> None:
        self.back = back
        modes = frozenset({Mode.DC_BPT if back else Mode.DC})
        self.outlet = SimulatedOutlet(
            modes=modes, back_kilowatts=5.0, authorization_s=0.0, preparation_s=0.0, isolation_test_s=0.2
        )
        self.talk = new(self.outlet, "iso15118_20_dc", **settings)
        self.ask = self.talk.ask
        self.ask(common.SessionSetupReq, EVCCID="EV")

    def parameters(self, **others: float) -> Any:
        said = limits(back=self.back, **others)
        return self.ask(dc.DC_ChargeParameterDiscoveryReq, DC_CPDReqEnergyTransferMode=said)

    def charging(self) -> None:
        """As far as the charge loop."""
        self.talk.services(6 if self.back else 2)
        assert not failed(self.parameters())
        profile = self.talk.schedule()
        while self.ask(dc.DC_CableCheckReq).EVSEProcessing is not DONE:
            pass
        for _ in range(8):
            self.precharge(ONGOING)
        self.precharge(DONE)
        assert self.talk.deliver(ChargeProgress.Start, profile).ResponseCode is ResponseCode.OK

    def precharge(self, processing: Processing) -> Any:
        volts = rational(400.0)
        return self.ask(dc.DC_PreChargeReq, EVProcessing=processing, EVPresentVoltage=volts, EVTargetVoltage=volts)

    def loop(self, mode: Any, *, meter: bool = False) -> Any:
        return self.ask(
            dc.DC_ChargeLoopReq, MeterInfoRequested=meter, EVPresentVoltage=rational(400.0), CLReqControlMode=mode
        )


@pytest.fixture
def station(talk_with: Callable[..., Talk]) -> Callable[..., Dc]:
    """Makes a station with a DC outlet, and a vehicle by hand; what is given are settings."""
    return lambda **settings: Dc(talk_with, **settings)


class TestServices:
    def test_what_is_not_offered_has_no_details(self, station: Callable[..., Dc]) -> None:
        one = station()
        authorize(one.talk)
        one.ask(common.ServiceDiscoveryReq)
        assert one.ask(common.ServiceDetailReq, ServiceID=6).ResponseCode is ResponseCode.FAILED_ServiceIDInvalid

    @pytest.mark.parametrize(
        ("service", "parameter_set", "code"),
        [
            (2, 9, ResponseCode.FAILED_ServiceSelectionInvalid),
            (6, 1, ResponseCode.FAILED_ServiceSelectionInvalid),
            (65, 1, ResponseCode.FAILED_NoEnergyTransferServiceSelected),
        ],
    )
    def test_pairs_that_were_not_told(
        self, station: Callable[..., Dc], service: int, parameter_set: int, code: ResponseCode
    ) -> None:
        one = station()
        authorize(one.talk)
        one.ask(common.ServiceDiscoveryReq)
        one.ask(common.ServiceDetailReq, ServiceID=2)
        chosen = common.SelectedService(ServiceID=service, ParameterSetID=parameter_set)
        assert one.ask(common.ServiceSelectionReq, SelectedEnergyTransferService=chosen).ResponseCode is code
        assert one.talk.closed

    @pytest.mark.parametrize("wanted", [2, 66])
    def test_the_filter_is_for_the_other_services(self, station: Callable[..., Dc], wanted: int) -> None:
        one = station(iso15118_20=Settings20(intended=(Intended.CHECK_IN,)))
        authorize(one.talk)
        answer = one.ask(common.ServiceDiscoveryReq, SupportedServiceIDs=common.ServiceIDList(ServiceID=[wanted]))
        assert (answer.VASList is not None) is (wanted == 66)
        assert [entry.ServiceID for entry in answer.EnergyTransferServiceList.Service] == [2]

    def test_a_contract_is_not_offered(self, station: Callable[..., Dc]) -> None:
        one = station()
        one.ask(common.AuthorizationSetupReq)
        answer = one.ask(
            common.AuthorizationReq,
            SelectedAuthorizationService=common.Authorization.PnC,
            EIM_AReqAuthorizationMode=common.EIM_AReqAuthorizationMode(),
        )
        assert answer.ResponseCode is ResponseCode.WARNING_AuthorizationSelectionInvalid
        assert answer.EVSEProcessing is DONE
        authorize(one.talk, setup=False)  # another way may be tried

    def test_after_a_warning_a_certificate_is_another_way_only_where_it_was_offered(
        self, station: Callable[..., Dc]
    ) -> None:
        one = station()
        one.ask(common.AuthorizationSetupReq)
        pnc = {
            "SelectedAuthorizationService": common.Authorization.PnC,
            "EIM_AReqAuthorizationMode": common.EIM_AReqAuthorizationMode(),
        }
        one.ask(common.AuthorizationReq, **pnc)
        issuer = X509IssuerSerial(X509IssuerName="CN=root", X509SerialNumber=1)
        answer = one.ask(
            common.CertificateInstallationReq,
            OEMProvisioningCertificateChain=common.SignedCertificateChain(Id="id1", Certificate=b"1"),
            ListOfRootCertificateIDs=ListOfRootCertificateIDs(RootCertificateID=[issuer]),
            MaximumContractCertificateChains=1,
        )
        assert answer.ResponseCode is ResponseCode.FAILED_SequenceError
        assert one.talk.closed
        assert one.talk.faults() == ["FAILED_SequenceError: certificate installation was not offered"]

    @pytest.mark.parametrize(
        ("setting", "told"), [(b"DE*ABC*E12", "DE*ABC*E12"), (b"+49*123*456789", "ZZ00000"), (b"\xff" * 9, "ZZ00000")]
    )
    def test_an_evse_id_of_another_form_is_not_sent(
        self, talk_with: Callable[..., Talk], setting: bytes, told: str
    ) -> None:
        talk = talk_with(SimulatedOutlet(), "iso15118_20_dc", EVSEID=setting)
        answer = talk.ask(common.SessionSetupReq, EVCCID="EV")
        assert told == answer.EVSEID


def authorize(talk: Talk, *, setup: bool = True) -> None:
    if setup:
        talk.ask(common.AuthorizationSetupReq)
    answer = talk.ask(
        common.AuthorizationReq,
        SelectedAuthorizationService=common.Authorization.EIM,
        EIM_AReqAuthorizationMode=common.EIM_AReqAuthorizationMode(),
    )
    assert answer.EVSEProcessing is DONE


def ask_for_ac(talk: Talk) -> None:
    """Up to the charge parameters, which are accepted."""
    talk.ask(common.SessionSetupReq, EVCCID="EV")
    talk.services(1)
    mode = ac.AC_CPDReqEnergyTransferMode(
        EVMaximumChargePower=rational(11_000.0), EVMinimumChargePower=rational(1400.0)
    )
    assert not failed(talk.ask(ac.AC_ChargeParameterDiscoveryReq, AC_CPDReqEnergyTransferMode=mode))


class TestParameters:
    @pytest.mark.parametrize("back", [False, True])
    def test_types_of_the_other_service(self, station: Callable[..., Dc], back: bool) -> None:
        one = station(back=back)
        one.talk.services(6 if back else 2)
        said = limits(back=not back)
        answer = one.ask(dc.DC_ChargeParameterDiscoveryReq, DC_CPDReqEnergyTransferMode=said)
        assert answer.ResponseCode is ResponseCode.FAILED_WrongChargeParameter

    def test_a_vehicle_that_does_not_fit(self, station: Callable[..., Dc]) -> None:
        one = station()
        one.talk.services(2)
        answer = one.parameters(EVMaximumVoltage=100.0)
        assert answer.ResponseCode is ResponseCode.FAILED_WrongChargeParameter


class TestSchedules:
    def test_the_other_control_mode(self, station: Callable[..., Dc]) -> None:
        one = station()
        one.talk.services(2)
        one.parameters()
        needs = {f"EV{which}EnergyRequest": rational(0.0) for which in ("Target", "Maximum", "Minimum")}
        dynamic = common.Dynamic_SEReqControlMode(DepartureTime=1, **needs)
        answer = one.ask(common.ScheduleExchangeReq, MaximumSupportingPoints=12, Dynamic_SEReqControlMode=dynamic)
        assert answer.ResponseCode is ResponseCode.FAILED

    def test_no_more_entries_than_the_vehicle_can_take(self, station: Callable[..., Dc]) -> None:
        one = station(schedules=(tuple(Slot(60.0, 1000.0 + number) for number in range(40)),))
        one.talk.services(2)
        one.parameters()
        answer = one.ask(
            common.ScheduleExchangeReq,
            MaximumSupportingPoints=12,
            Scheduled_SEReqControlMode=common.Scheduled_SEReqControlMode(),
        )
        [offered] = answer.Scheduled_SEResControlMode.ScheduleTuple
        assert len(offered.ChargingSchedule.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry) == 12

    @pytest.mark.parametrize(
        ("strict", "accepted", "code"),
        [
            (False, True, ResponseCode.OK_PowerToleranceConfirmed),
            (False, False, ResponseCode.WARNING_PowerToleranceNotConfirmed),
            (True, False, ResponseCode.FAILED_PowerToleranceNotConfirmed),
        ],
    )
    def test_a_power_tolerance(
        self, talk_with: Callable[..., Talk], strict: bool, accepted: bool, code: ResponseCode
    ) -> None:
        outlet = SimulatedAcOutlet(authorization_s=0.0, preparation_s=0.0)
        talk = talk_with(outlet, "iso15118_20_ac", strict=strict, iso15118_20=Settings20(power_tolerance_watts=50.0))
        ask_for_ac(talk)
        profile = talk.schedule()
        if accepted:
            yes = common.PowerToleranceAcceptance.PowerToleranceConfirmed
            profile.Scheduled_EVPPTControlMode.PowerToleranceAcceptance = yes
        assert talk.later(ChargeProgress.Start, profile).ResponseCode is code

    @pytest.mark.parametrize("strict", [False, True])
    def test_a_profile_above_the_schedule(self, station: Callable[..., Dc], strict: bool) -> None:
        one = station(schedules=((Slot(3600.0, 500.0),),))
        one.talk.station.settings = replace(one.talk.station.settings, strict=strict)
        one.talk.services(2)
        one.parameters()
        profile = one.talk.schedule()  # of 1000 W
        while one.ask(dc.DC_CableCheckReq).EVSEProcessing is not DONE:
            pass
        for processing in (*[ONGOING] * 8, DONE):
            one.precharge(processing)
        answer = one.talk.deliver(ChargeProgress.Start, profile)
        assert (answer.ResponseCode is ResponseCode.FAILED_EVPowerProfileInvalid) is strict
        assert ("1000 W" in one.talk.notes()) is not strict


class TestChargeLoop:
    def test_never_beyond_either_sides_limits(self, station: Callable[..., Dc]) -> None:
        one = station()
        one.charging()
        answer = one.loop(wish(500.0))
        assert answer.EVSECurrentLimitAchieved
        assert one.outlet.set_amps <= 125.0
        one.loop(wish(500.0, EVMaximumChargeCurrent=30.0))
        assert one.outlet.set_amps == 30.0
        one.loop(wish(-20.0))
        assert one.outlet.set_amps == 0.0

    def test_back_within_both_sides_limits(self, station: Callable[..., Dc]) -> None:
        one = station(back=True)
        one.charging()
        one.loop(wish(-10.0, back=True))
        assert one.outlet.set_amps == pytest.approx(-10.0)
        one.loop(wish(-500.0, back=True))
        assert -5000.0 / 350.0 < one.outlet.set_amps < 0.0
        one.loop(wish(-10.0, back=True, EVMaximumDischargeCurrent=0.0))
        assert one.outlet.set_amps == 0.0

    def test_types_of_the_other_service(self, station: Callable[..., Dc]) -> None:
        one = station()
        one.charging()
        assert failed(one.loop(wish(10.0, back=True)))
        assert not one.outlet.relays or one.outlet.set_amps == 0.0

    def test_the_meter(self, station: Callable[..., Dc]) -> None:
        one = station(MeterID="M1")
        one.charging()
        told = [one.loop(wish(10.0), meter=meter).MeterInfo for meter in (False, False, True)]
        assert [reading is not None for reading in told] == [True, False, True]
        assert told[0].MeterID == "M1"

    @pytest.mark.parametrize("pause", [False, True])
    def test_a_stop_is_told(self, station: Callable[..., Dc], pause: bool) -> None:
        one = station()
        one.charging()
        assert one.loop(wish(10.0)).EVSEStatus is None
        one.talk.station.stop(one.talk.now, "enough", pause=pause)
        told = one.loop(wish(10.0)).EVSEStatus
        assert told.EVSENotification is (EVSENotification.Pause if pause else EVSENotification.Terminate)
        assert told.NotificationMaxDelay == (60 if pause else 0)

    def test_standby_without_current(self, station: Callable[..., Dc]) -> None:
        one = station()
        one.charging()
        one.loop(wish(10.0))
        assert one.talk.deliver(ChargeProgress.Standby).ResponseCode is ResponseCode.OK
        one.loop(wish(10.0))
        assert one.outlet.set_amps == 0.0
        assert one.talk.deliver(ChargeProgress.Start).ResponseCode is ResponseCode.OK
        one.loop(wish(10.0))
        assert one.outlet.set_amps == 10.0

    def test_silence_is_cut_off(self, station: Callable[..., Dc]) -> None:
        one = station()
        one.charging()
        one.loop(wish(10.0))
        one.talk.wait(0.6)
        assert one.talk.closed
        assert one.outlet.set_amps == 0.0


class TestEnds:
    def test_precharge_is_left_by_finished_alone(self, station: Callable[..., Dc]) -> None:
        one = station()
        one.talk.services(2)
        one.parameters()
        profile = one.talk.schedule()
        while one.ask(dc.DC_CableCheckReq).EVSEProcessing is not DONE:
            pass
        one.precharge(ONGOING)
        answer = one.talk.deliver(ChargeProgress.Start, profile)
        assert answer.ResponseCode is ResponseCode.FAILED_SequenceError
        assert not one.outlet.relays

    def test_services_are_not_renegotiated_where_it_was_not_offered(self, station: Callable[..., Dc]) -> None:
        one = station(iso15118_20=Settings20(service_renegotiation=False))
        one.talk.services(2)
        answer = one.ask(common.SessionStopReq, ChargingSession=ChargingSession.ServiceRenegotiation)
        assert answer.ResponseCode is ResponseCode.FAILED_NoServiceRenegotiationSupported

    @pytest.mark.parametrize("authorizing", [False, True])
    def test_another_choice_of_services_is_no_way_around_the_authorization(
        self, station: Callable[..., Dc], authorizing: bool
    ) -> None:
        one = station()
        if authorizing:
            one.ask(common.AuthorizationSetupReq)
        answer = one.ask(common.SessionStopReq, ChargingSession=ChargingSession.ServiceRenegotiation)
        assert answer.ResponseCode is ResponseCode.FAILED_SequenceError
        assert one.talk.closed

    def test_another_choice_of_services(self, station: Callable[..., Dc]) -> None:
        one = station()
        one.talk.services(2)
        one.parameters()
        answer = one.ask(common.SessionStopReq, ChargingSession=ChargingSession.ServiceRenegotiation)
        assert answer.ResponseCode is ResponseCode.OK
        assert one.talk.station.expected == frozenset({common.ServiceDiscoveryReq})

    def test_power_is_not_delivered_without_a_cable_check(self, station: Callable[..., Dc]) -> None:
        one = station()
        one.outlet.no_energy = True
        one.talk.services(2)
        one.parameters()
        profile = one.talk.schedule()  # it sends the vehicle to pause
        answer = one.talk.deliver(ChargeProgress.Start, profile)
        assert answer.ResponseCode is ResponseCode.FAILED_PowerDeliveryNotApplied

    def test_there_is_no_schedule_to_renegotiate_before_power(self, station: Callable[..., Dc]) -> None:
        one = station()
        one.outlet.no_energy = True
        one.talk.services(2)
        one.parameters()
        profile = one.talk.schedule()
        answer = one.talk.deliver(ChargeProgress.ScheduleRenegotiation, profile)
        assert answer.ResponseCode is ResponseCode.FAILED_ScheduleRenegotiation

    def test_another_session_is_unknown(self, station: Callable[..., Dc]) -> None:
        one = station()
        one.talk.services(2)
        one.talk.station.session_id, mine = bytes(range(8)), one.talk.station.session_id
        answer = one.talk.foreign(common.ServiceDetailReq, mine, ServiceID=2)
        assert answer.ResponseCode is ResponseCode.FAILED_UnknownSession
        assert one.talk.closed


class TestBeside:
    def test_nothing_is_renegotiated_before_energy_flows(self, station: Callable[..., Dc]) -> None:
        one = station()
        one.talk.services(2)
        one.parameters()
        assert one.talk.station.conversation.opens(PayloadType.SCHEDULE_RENEGOTIATION) == frozenset()
        assert one.talk.station.conversation.opens(PayloadType.METERING_CONFIRMATION) == frozenset()
        assert one.talk.station.conversation.opens(PayloadType.PARKING_STATUS) == frozenset()

    @pytest.mark.parametrize("later", [0, 3, 20])
    @pytest.mark.parametrize("right", [False, True])
    def test_what_is_confirmed_must_be_what_was_told(self, station: Callable[..., Dc], right: bool, later: int) -> None:
        one = station()
        one.outlet._delivered = 1000.0
        one.charging()
        told = one.loop(wish(10.0)).MeterInfo
        for _ in range(later):  # meanwhile other readings are told
            one.outlet._delivered += 10.0
            assert one.loop(wish(10.0), meter=True).MeterInfo != told
        if not right:
            told.ChargedEnergyReadingWh += 1
        data = common.SignedMeteringData(
            Id="id1",
            SessionID=one.talk.station.session_id,
            MeterInfo=told,
            Dynamic_SMDTControlMode=common.Dynamic_SMDTControlMode(),
        )
        answer = one.ask(common.MeteringConfirmationReq, SignedMeteringData=data)
        wanted = ResponseCode.OK if right and later < 16 else ResponseCode.FAILED_MeteringSignatureNotValid
        assert answer.ResponseCode is wanted

    @pytest.mark.parametrize("progress", [ChargeProgress.Start, ChargeProgress.Stop, ChargeProgress.Standby])
    def test_beside_the_loop_nothing_begins_or_ends(self, station: Callable[..., Dc], progress: ChargeProgress) -> None:
        one = station()
        one.charging()
        one.loop(wish(10.0))
        self.exchange(one)
        answer = one.talk.beside(PowerDeliveryReq, EVProcessing=DONE, ChargeProgress=progress)
        assert answer.ResponseCode is ResponseCode.FAILED_SequenceError
        assert one.talk.closed
        assert not one.outlet.relays

    def test_what_was_not_finished_beside_the_loop_does_not_outlive_a_choice_of_services(
        self, station: Callable[..., Dc]
    ) -> None:
        one = station()
        one.charging()
        one.loop(wish(10.0))
        self.exchange(one)
        assert one.talk.deliver(ChargeProgress.Stop).ResponseCode is ResponseCode.OK
        one.ask(dc.DC_WeldingDetectionReq, EVProcessing=DONE)
        one.ask(common.SessionStopReq, ChargingSession=ChargingSession.ServiceRenegotiation)
        answer = one.talk.beside(
            PowerDeliveryReq, EVProcessing=DONE, ChargeProgress=ChargeProgress.ScheduleRenegotiation
        )
        assert answer.ResponseCode is ResponseCode.FAILED_SequenceError

    def test_no_voltage_above_that_of_the_cable_check(self, station: Callable[..., Dc]) -> None:
        one = station()
        one.charging()
        one.loop(wish(10.0))
        said = limits(EVMaximumVoltage=490.0, EVMaximumChargeCurrent=5.0)
        answer = one.talk.beside(dc.DC_ChargeParameterDiscoveryReq, "dc", DC_CPDReqEnergyTransferMode=said)
        assert answer.ResponseCode is ResponseCode.OK
        one.loop(wish(10.0, volts=480.0))
        assert (one.outlet.set_volts, one.outlet.set_amps) == (470.0, 5.0)  # 50 V above what the vehicle said then

    def exchange(self, one: Dc) -> None:
        """The first half of a renegotiation."""
        answer = one.talk.beside(
            common.ScheduleExchangeReq,
            MaximumSupportingPoints=12,
            Scheduled_SEReqControlMode=common.Scheduled_SEReqControlMode(),
        )
        assert answer.EVSEProcessing is DONE


class TestAc:
    def charging(self, new: Callable[..., Talk]) -> tuple[Talk, SimulatedAcOutlet]:
        outlet = SimulatedAcOutlet(authorization_s=0.0, preparation_s=0.0)
        talk = new(outlet, "iso15118_20_ac")
        ask_for_ac(talk)
        return talk, outlet

    def test_the_contactor_closes_before_the_answer(self, talk_with: Callable[..., Talk]) -> None:
        talk, outlet = self.charging(talk_with)
        profile = talk.schedule()
        assert not outlet.relays
        assert talk.later(ChargeProgress.Start, profile).ResponseCode is ResponseCode.OK
        assert outlet.relays
        mode = ac.Scheduled_AC_CLReqControlMode(EVPresentActivePower=rational(0.0))
        talk.ask(ac.AC_ChargeLoopReq, MeterInfoRequested=False, CLReqControlMode=mode)
        assert talk.later(ChargeProgress.Stop).ResponseCode is ResponseCode.OK
        assert not outlet.relays

    def test_a_contactor_that_does_not_close(self, talk_with: Callable[..., Talk]) -> None:
        talk, outlet = self.charging(talk_with)
        outlet.stuck = True
        profile = talk.schedule()
        began = talk.now
        assert talk.later(ChargeProgress.Start, profile).ResponseCode is ResponseCode.FAILED_ContactorError
        assert talk.now - began < 1.5 + 0.2

    def test_a_vehicle_that_stays_in_state_b(self, talk_with: Callable[..., Talk]) -> None:
        talk, outlet = self.charging(talk_with)
        outlet.control_pilot = lambda: ControlPilot.B  # type: ignore[method-assign]
        assert talk.later(ChargeProgress.Start, talk.schedule()).ResponseCode is ResponseCode.FAILED
        assert not outlet.relays

    @pytest.mark.parametrize("strict", [False, True])
    def test_state_c_before_the_wish_for_power(self, talk_with: Callable[..., Talk], strict: bool) -> None:
        outlet = SimulatedAcOutlet(authorization_s=0.0, preparation_s=0.0)
        talk = talk_with(outlet, "iso15118_20_ac", strict=strict)
        ask_for_ac(talk)
        outlet.control_pilot = lambda: ControlPilot.C  # type: ignore[method-assign]
        if strict:
            scheduled = common.Scheduled_SEReqControlMode()
            answer = talk.ask(
                common.ScheduleExchangeReq, MaximumSupportingPoints=12, Scheduled_SEReqControlMode=scheduled
            )
            assert answer.ResponseCode is ResponseCode.FAILED
        else:
            assert talk.later(ChargeProgress.Start, talk.schedule()).ResponseCode is ResponseCode.OK
        told = [event.text for event in talk.events if isinstance(event, Fault if strict else Note)]
        text = "the vehicle is in state C before it asks for power"
        assert told == [f"FAILED: {text}" if strict else text]

    def test_state_c_with_the_wish_for_power(self, talk_with: Callable[..., Talk]) -> None:
        talk, outlet = self.charging(talk_with)
        profile = talk.schedule()
        outlet.control_pilot = lambda: ControlPilot.C  # type: ignore[method-assign]
        assert talk.later(ChargeProgress.Start, profile).ResponseCode is ResponseCode.OK
        assert not [event.text for event in talk.events if isinstance(event, Note) and "state C" in event.text]

    @pytest.mark.parametrize(
        ("ready_s", "stuck", "code"),
        [
            (0.8, False, ResponseCode.OK),
            (0.8, True, ResponseCode.FAILED_ContactorError),
            (1.2, False, ResponseCode.FAILED),
        ],
    )
    def test_a_vehicle_that_is_slow_to_state_c_is_answered_in_time(
        self, talk_with: Callable[..., Talk], ready_s: float, stuck: bool, code: ResponseCode
    ) -> None:
        talk, outlet = self.charging(talk_with)
        profile, began = talk.schedule(), talk.now
        outlet.stuck = stuck
        outlet.control_pilot = lambda: ControlPilot.C if talk.now - began >= ready_s else ControlPilot.B  # type: ignore[method-assign]
        assert talk.later(ChargeProgress.Start, profile).ResponseCode is code
        assert talk.now - began <= 1.5
        assert outlet.relays is (code is ResponseCode.OK)

    def test_a_target_where_there_is_less(self, talk_with: Callable[..., Talk]) -> None:
        talk, outlet = self.charging(talk_with)
        talk.later(ChargeProgress.Start, talk.schedule())
        mode = ac.Scheduled_AC_CLReqControlMode(EVPresentActivePower=rational(0.0))
        outlet.available = 8.0
        answer = talk.ask(ac.AC_ChargeLoopReq, MeterInfoRequested=False, CLReqControlMode=mode)
        assert number(answer.CLResControlMode.EVSETargetActivePower) == pytest.approx(8.0 * 230.0 * 3, rel=0.001)

    def test_a_vehicle_that_goes_on_to_take_too_much(self, talk_with: Callable[..., Talk]) -> None:
        talk, outlet = self.charging(talk_with)
        talk.later(ChargeProgress.Start, talk.schedule())
        outlet.amps = lambda: 60.0  # type: ignore[method-assign]
        outlet.available = 8.0
        mode = ac.Scheduled_AC_CLReqControlMode(EVPresentActivePower=rational(0.0))
        codes = []
        while not talk.closed:
            answer = talk.ask(ac.AC_ChargeLoopReq, MeterInfoRequested=False, CLReqControlMode=mode)
            codes.append(answer.ResponseCode.value)
        assert list(dict.fromkeys(codes)) == ["OK", "WARNING_EVPowerProfileViolation", "FAILED_EVPowerProfileViolation"]
        assert not outlet.relays
