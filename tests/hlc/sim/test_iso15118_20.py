"""Whole sessions of ISO 15118-20 in virtual time: every mode and control, both directions, pauses, renegotiations, side
streams."""

from __future__ import annotations

from typing import Any

import pytest

import exi
from exi.messages.iso15118_20.types import EVSENotification
from hlc import evcc, secc
from hlc.decisions.schedules import Slot
from hlc.evcc.iso15118_20.settings import Settings20 as VehicleSettings20
from hlc.flow import Refusal, Transport
from hlc.ports import Mode, Trouble
from hlc.rules.iso15118_20.services import Control, Intended, Mobility, Pricing, Service
from hlc.rules.iso15118_20.values import number, rational
from hlc.secc.iso15118_20.settings import Settings20 as StationSettings20
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.ac import SimulatedAcOutlet, SimulatedAcVehicle
from hlc.sim.pair import Delivery, Pair
from hlc.trace.events import Event, Fault, Message, Note, Side

MODES = (Mode.DC, Mode.DC_BPT, Mode.MCS, Mode.MCS_BPT, Mode.AC, Mode.AC_BPT)
TLS = Transport("1.3", b"a certificate")


def pair(
    mode: Mode = Mode.DC,
    control: Control = Control.SCHEDULED,
    *,
    soc: float = 79.9,
    target: float = 80.0,
    vehicle: dict[str, Any] | None = None,
    station: dict[str, Any] | None = None,
    vehicle20: dict[str, Any] | None = None,
    station20: dict[str, Any] | None = None,
    **others: Any,
) -> Pair:
    """A short charge of 60 Wh."""
    modes = frozenset({mode})
    ac = mode in (Mode.AC, Mode.AC_BPT)
    battery = Battery(soc=soc, max_discharge_amps=50.0, max_discharge_watts=15_000.0)
    ev: SimulatedVehicle
    outlet: SimulatedOutlet | SimulatedAcOutlet
    if ac:
        ev = SimulatedAcVehicle(battery, target_soc=target, minimum_soc=20.0, max_discharge_amps=16.0, modes=modes)
        outlet = SimulatedAcOutlet(modes=modes, back_amps=10.0)
    else:
        ev = SimulatedVehicle(battery, target_soc=target, minimum_soc=20.0, modes=modes)
        outlet = SimulatedOutlet(modes=modes, back_kilowatts=11.0)
    return Pair(
        ev,
        outlet,
        protocol="iso15118_20_ac" if ac else "iso15118_20_dc",
        station_settings=secc.Settings(iso15118_20=StationSettings20(**station20 or {}), **station or {}),
        vehicle_settings=evcc.Settings(
            iso15118_20=VehicleSettings20(control=control, **vehicle20 or {}), **vehicle or {}
        ),
        **others,
    )


def well(one: Pair) -> None:
    """Both sides are content, and nothing dangerous was seen."""
    assert one.invariants.violations == []
    assert (one.station.reason, one.station.good) == (one.station.reason, True)
    assert (one.vehicle.reason, one.vehicle.good) == (one.vehicle.reason, True)
    assert not one.ev.locked


def notes(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Note | Fault)]


def sent(events: list[Event], name: str) -> list[Any]:
    """The messages of this name, each once."""
    side = Side.EVCC if name.endswith("Req") else Side.SECC
    return [e.message for e in events if isinstance(e, Message) and e.name == name and e.side is side]


def act(one: Pair, message: str, number: int, action: Any) -> Pair:
    """Play the session; do something when this message has been sent so many times."""
    seen = 0
    for event in one.events(discovery=False):
        if isinstance(event, Message) and event.name == message:
            seen += 1
            if seen == number:
                action()
    return one


@pytest.mark.parametrize("control", list(Control), ids=lambda control: control.name)
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
def test_a_charge(mode: Mode, control: Control) -> None:
    one = pair(mode, control).run()
    well(one)
    conversation: Any = one.station.conversation
    assert conversation.selected.service is Service[mode.name]
    assert conversation.selected.terms.control is control
    assert one.ev.soc() == pytest.approx(80.0, abs=0.02)
    assert one.ev.energy_wh() == pytest.approx(one.outlet.energy_wh(), rel=0.01)
    assert one.outlet.returned_wh() == 0.0


@pytest.mark.parametrize("mode", [Mode.DC, Mode.AC], ids=lambda mode: mode.value)
def test_the_documented_states(mode: Mode) -> None:
    one = pair(mode).run()
    if mode is Mode.DC:
        assert one.states[Side.EVCC] == [0, 1, 6, 2, 3, 4, 7, 11, 12, 8, 13, 8, 14, 15]
        assert one.states[Side.SECC] == [0, 1, 6, 2, 3, 7, 11, 12, 8, 13, 8, 14, 17, 201]
    else:
        assert one.states[Side.EVCC] == [0, 1, 6, 2, 3, 4, 7, 8, 9, 8, 15]
        assert one.states[Side.SECC] == [0, 1, 6, 2, 3, 7, 8, 9, 8, 17, 201]


@pytest.mark.parametrize("mode", [Mode.DC_BPT, Mode.MCS_BPT, Mode.AC_BPT], ids=lambda mode: mode.value)
class TestBothWays:
    def test_the_station_takes_what_it_wants(self, mode: Mode) -> None:
        one = pair(mode, Control.DYNAMIC, soc=79.95)
        one.outlet.managed_watts = -4000.0
        loop = "AC_ChargeLoopRes" if mode is Mode.AC_BPT else "DC_ChargeLoopRes"
        act(one, loop, 200, lambda: setattr(one.outlet, "managed_watts", None))
        well(one)
        assert one.outlet.returned_wh() > 15.0
        assert one.outlet.returned_wh() == pytest.approx(one.ev.returned_wh())
        assert one.ev.soc() == pytest.approx(80.0, abs=0.02)

    def test_a_schedule_without_power_one_way_is_one_of_the_other_way(self, mode: Mode) -> None:
        one = pair(mode, station={"schedules": ((Slot(20, 0.0), Slot(3600, 11_000.0)),)}).run()
        well(one)
        assert one.outlet.returned_wh() == pytest.approx(one.ev.returned_wh())
        assert one.outlet.returned_wh() > 20.0
        assert one.ev.soc() == pytest.approx(80.0, abs=0.02)

    def test_energy_goes_back_where_it_is_paid_for(self, mode: Mode) -> None:
        prices = {"discharging": (Slot(15, 5000.0, 3.0), Slot(3600, 5000.0, 0.5)), "pricing": Pricing.ABSOLUTE}
        one = pair(mode, station={"schedules": ((Slot(3600, 11_000.0, 1.0),),)}, station20=prices).run()
        well(one)
        assert one.outlet.returned_wh() > 5.0
        assert one.ev.soc() == pytest.approx(80.0, abs=0.02)

    def test_not_below_the_least(self, mode: Mode) -> None:
        one = pair(mode, Control.DYNAMIC, soc=20.02)
        one.outlet.managed_watts = -5000.0

        def enough() -> None:
            one.outlet.managed_watts = None
            one.stop(Side.EVCC, "the driver leaves")

        loop = "AC_ChargeLoopRes" if mode is Mode.AC_BPT else "DC_ChargeLoopRes"
        act(one, loop, 300, enough)
        well(one)
        assert 19.9 < one.ev.soc() < 20.01
        assert one.outlet.returned_wh() > 3.0


@pytest.mark.parametrize("control", list(Control), ids=lambda control: control.name)
@pytest.mark.parametrize("mode", [Mode.DC, Mode.AC], ids=lambda mode: mode.value)
def test_nothing_goes_back_one_way(mode: Mode, control: Control) -> None:
    one = pair(mode, control)
    one.outlet.managed_watts = -5000.0

    def wants_no_more() -> None:
        assert one.outlet.energy_wh() == pytest.approx(0.0, abs=0.1)
        one.outlet.managed_watts = None

    act(one, "AC_ChargeLoopRes" if mode is Mode.AC else "DC_ChargeLoopRes", 30, wants_no_more)
    well(one)
    assert one.outlet.returned_wh() == 0.0


@pytest.mark.parametrize("mode", [Mode.DC, Mode.AC], ids=lambda mode: mode.value)
def test_the_energy_management_holds_a_vehicle_back(mode: Mode) -> None:
    one = pair(mode)
    one.outlet.managed_watts = 5000.0
    events: list[Event] = []
    one.trace = events.append
    one.run()
    well(one)
    last = sent(events, "DC_ChargeLoopRes" if mode is Mode.DC else "AC_ChargeLoopRes")[20].CLResControlMode
    told = last.EVSEMaximumChargePower if mode is Mode.DC else last.EVSETargetActivePower
    assert told.Value * 10.0**told.Exponent == pytest.approx(5000.0)


class TestSchedules:
    SLOTS = ((Slot(5.0, 11_000.0, 2.0), Slot(3600.0, 11_000.0, 1.0)), (Slot(3600.0, 7_000.0, 1.5),))

    @pytest.mark.parametrize("mode", [Mode.DC, Mode.AC], ids=lambda mode: mode.value)
    @pytest.mark.parametrize("pricing", list(Pricing))
    def test_prices(self, mode: Mode, pricing: Pricing) -> None:
        events: list[Event] = []
        one = pair(mode, station={"schedules": self.SLOTS}, station20={"pricing": pricing}, trace=events.append).run()
        well(one)
        offered = sent(events, "ScheduleExchangeRes")[-1].Scheduled_SEResControlMode.ScheduleTuple
        assert [entry.ScheduleTupleID for entry in offered] == [1, 2]
        for entry in offered:
            assert (entry.ChargingSchedule.AbsolutePriceSchedule is not None) is (pricing is Pricing.ABSOLUTE)
            assert (entry.ChargingSchedule.PriceLevelSchedule is not None) is (pricing is not Pricing.ABSOLUTE)

    def test_the_cheapest_in_time_is_taken(self) -> None:
        events: list[Event] = []
        one = pair(station={"schedules": self.SLOTS}, vehicle={"departure_s": 3000.0}, trace=events.append).run()
        well(one)
        profile = sent(events, "PowerDeliveryReq")[0].EVPowerProfile
        assert profile.Scheduled_EVPPTControlMode.SelectedScheduleTupleID == 1
        assert profile.EVPowerProfileEntries.EVPowerProfileEntry[0].Power.Value == 0

    def test_in_dynamic_control_the_profile_is_the_most_that_may_come(self) -> None:
        events: list[Event] = []
        well(pair(control=Control.DYNAMIC, trace=events.append).run())
        first, *_, last = sent(events, "PowerDeliveryReq")
        assert first.EVPowerProfile.Dynamic_EVPPTControlMode is not None
        (entry,) = first.EVPowerProfile.EVPowerProfileEntries.EVPowerProfileEntry
        assert number(entry.Power) > 10_000
        assert first.EVPowerProfile.TimeAnchor == first.Header.TimeStamp
        assert last.EVPowerProfile is None

    def test_a_tolerance_is_confirmed(self) -> None:
        events: list[Event] = []
        well(pair(station20={"power_tolerance_watts": 500.0}, trace=events.append).run())
        assert sent(events, "PowerDeliveryRes")[0].ResponseCode == "OK_PowerToleranceConfirmed"

    def test_shared_mobility(self) -> None:
        events: list[Event] = []
        known = {"departure_s": 7200, "minimum_soc": 30, "target_soc": 80}
        one = pair(
            control=Control.DYNAMIC, vehicle20={"mobility": Mobility.BOTH}, station20=known, trace=events.append
        ).run()
        well(one)
        told = sent(events, "ScheduleExchangeRes")[-1].Dynamic_SEResControlMode
        assert (told.DepartureTime, told.MinimumSOC, told.TargetSOC) == (7200, 30, 80)

    def test_standby_while_there_is_no_power(self) -> None:
        slots = ((Slot(2.0, 11_000.0), Slot(120.0, 0.0), Slot(3600.0, 11_000.0)),)
        events: list[Event] = []
        one = pair(soc=79.9, station={"schedules": slots}, vehicle20={"standby": True}, trace=events.append).run()
        well(one)
        said = [message.ChargeProgress.value for message in sent(events, "PowerDeliveryReq")]
        assert said == ["Start", "Standby", "Start", "Stop"]

    def test_a_standby_that_is_refused(self) -> None:
        slots = ((Slot(2.0, 11_000.0), Slot(90.0, 0.0), Slot(3600.0, 11_000.0)),)
        events: list[Event] = []
        one = pair(
            station={"schedules": slots},
            vehicle20={"standby": True},
            station20={"standby": False},
            trace=events.append,
        ).run()
        well(one)
        said = [message.ChargeProgress.value for message in sent(events, "PowerDeliveryReq")]
        assert said == ["Start", "Standby", "Stop"]
        assert sent(events, "PowerDeliveryRes")[1].ResponseCode == "WARNING_StandbyNotAllowed"


@pytest.mark.parametrize(
    ("transport", "known"), [(TLS._replace(name="WMIV1234"), "WMIV1234"), (Transport(), "020000000001")]
)
def test_a_vehicle_is_called_by_its_certificate(transport: Transport, known: str) -> None:
    events: list[Event] = []
    well(pair(transport=transport, trace=events.append).run())
    [request] = sent(events, "SessionSetupReq")
    assert known == request.EVCCID


class TestPause:
    @pytest.mark.parametrize("mode", [Mode.DC, Mode.AC], ids=lambda mode: mode.value)
    @pytest.mark.parametrize("side", list(Side))
    def test_a_paused_session_goes_on(self, mode: Mode, side: Side) -> None:
        sessions = secc.PausedSessions()
        first = pair(mode, soc=70.0, sessions=sessions, transport=TLS)
        loop = "AC_ChargeLoopRes" if mode is Mode.AC else "DC_ChargeLoopRes"
        act(first, loop, 20, lambda: first.stop(side, "later", pause=True))
        well(first)
        paused = first.vehicle.paused
        assert paused is not None
        assert first.station.paused is not None
        assert paused[:3] == first.station.paused[:3]
        second = pair(mode, sessions=sessions, transport=TLS, resume=paused, seed=2).run()
        well(second)
        assert second.station.session_id == paused.session_id
        assert "AuthorizationReq" not in second.messages
        assert "ServiceSelectionReq" not in second.messages
        assert second.ev.soc() == pytest.approx(80.0, abs=0.02)

    @pytest.mark.parametrize("transport", [Transport(), Transport("1.3", b"another")])
    def test_nobody_else_goes_on_with_it(self, transport: Transport) -> None:
        sessions = secc.PausedSessions()
        first = pair(soc=70.0, sessions=sessions, transport=TLS)
        act(first, "DC_ChargeLoopRes", 20, lambda: first.stop(Side.EVCC, "later", pause=True))
        second = pair(sessions=sessions, transport=transport, resume=first.vehicle.paused, seed=2).run()
        well(second)
        assert second.station.session_id != first.station.session_id
        assert "AuthorizationReq" in second.messages

    def test_a_station_that_joins_another_session_is_left(self) -> None:
        sessions = secc.PausedSessions()
        first = pair(soc=70.0, sessions=sessions, transport=TLS)
        act(first, "DC_ChargeLoopRes", 20, lambda: first.stop(Side.EVCC, "later", pause=True))
        mine = first.vehicle.paused
        assert mine is not None
        second = pair(sessions=sessions, transport=TLS, resume=mine)
        other = mine._replace(session_id=b"12345678")
        act(second, "SessionSetupRes", 1, lambda: setattr(second.vehicle, "resume", other))
        assert not second.vehicle.good
        assert "a session that was not with it" in second.vehicle.reason
        assert "DC_ChargeParameterDiscoveryReq" not in second.messages

    def test_a_station_without_energy_sends_the_vehicle_to_pause(self) -> None:
        one = pair(transport=TLS)
        one.outlet.no_energy = True
        one.run()
        well(one)
        assert one.vehicle.paused is not None
        assert "DC_CableCheckReq" not in one.messages

    def test_a_station_that_allows_none(self) -> None:
        one = pair(station20={"pause": False}, transport=TLS)
        act(one, "DC_ChargeLoopRes", 20, lambda: one.stop(Side.EVCC, "later", pause=True))
        assert not one.vehicle.good
        assert "FAILED_PauseNotAllowed" in one.vehicle.reason
        assert one.invariants.violations == []


class TestRenegotiation:
    @pytest.mark.parametrize("mode", [Mode.DC, Mode.AC], ids=lambda mode: mode.value)
    @pytest.mark.parametrize("side", list(Side))
    def test_of_the_schedule_beside_the_loop(self, mode: Mode, side: Side) -> None:
        events: list[Event] = []
        one = pair(mode, trace=events.append)
        loop = "AC_ChargeLoopRes" if mode is Mode.AC else "DC_ChargeLoopRes"
        act(one, loop, 10, lambda: one.renegotiate(side, "the tariff has changed"))
        well(one)
        said = [message.ChargeProgress.value for message in sent(events, "PowerDeliveryReq")]
        assert said == ["Start", "ScheduleRenegotiation", "Stop"]
        assert one.vehicle.renegotiation is None
        assert one.station.renegotiation is None

    def test_one_that_fails_leaves_all_as_it_was(self) -> None:
        one = pair()
        plans: list[Any] = []

        def ask() -> None:
            conversation: Any = one.station.conversation
            plans.append(one.vehicle.conversation.plan)  # type: ignore[union-attr]

            def refusing(message: Any) -> Any:
                raise Refusal("FAILED_ScheduleSelectionInvalid", "not this one")

            conversation.plans._judge = refusing
            one.renegotiate(Side.EVCC, "the tariff has changed")

        events: list[Event] = []
        one.trace = events.append
        act(one, "DC_ChargeLoopRes", 10, ask)
        well(one)
        codes = [message.ResponseCode for message in sent(events, "PowerDeliveryRes")]
        assert codes == ["OK", "WARNING_ScheduleRenegotiationFailed", "OK"]
        assert one.vehicle.conversation.plan is plans[0]  # type: ignore[union-attr]

    def test_there_is_no_schedule_in_dynamic_control(self) -> None:
        one = pair(control=Control.DYNAMIC)
        act(one, "DC_ChargeLoopRes", 10, lambda: one.renegotiate(Side.EVCC, "the tariff has changed"))
        well(one)
        assert one.messages.count("ScheduleExchangeReq") == 3

    @pytest.mark.parametrize("mode", [Mode.DC, Mode.AC], ids=lambda mode: mode.value)
    def test_of_services(self, mode: Mode) -> None:
        one = pair(mode, soc=79.8)
        loop = "AC_ChargeLoopRes" if mode is Mode.AC else "DC_ChargeLoopRes"
        conversation = lambda: one.station.conversation  # noqa: E731
        act(one, loop, 20, lambda: conversation().ask(EVSENotification.ServiceRenegotiation))  # type: ignore[union-attr]
        well(one)
        assert one.messages.count("ServiceSelectionReq") == 2
        assert one.messages.count("SessionStopReq") == 2
        assert one.messages.count("AuthorizationSetupReq") == 1
        assert one.ev.soc() == pytest.approx(80.0, abs=0.02)


class TestBeside:
    def test_a_meter_reading_is_confirmed(self) -> None:
        events: list[Event] = []
        one = pair(trace=events.append)
        ask = lambda: one.station.conversation.ask(EVSENotification.MeteringConfirmation)  # type: ignore[union-attr]  # noqa: E731
        act(one, "DC_ChargeLoopRes", 10, ask)
        well(one)
        assert one.messages.count("MeteringConfirmationReq") == 1
        confirmed = sent(events, "MeteringConfirmationReq")[0].SignedMeteringData
        assert confirmed.SessionID == one.station.session_id
        assert any("without a signature" in text for text in notes(events))

    def test_the_meter_is_read_first_and_when_asked(self) -> None:
        events: list[Event] = []
        one = pair(soc=79.6, trace=events.append).run()
        told = [message.MeterInfo for message in sent(events, "DC_ChargeLoopRes")]
        asked = [message.MeterInfoRequested for message in sent(events, "DC_ChargeLoopReq")]
        assert [reading is not None for reading in told] == asked
        assert told[0] is not None
        assert asked.count(True) > 1
        assert one.station.good

    def test_check_in_and_check_out(self) -> None:
        intended = (Intended.CHECK_IN, Intended.CHECK_OUT)
        for at, name in enumerate(("VehicleCheckInReq", "VehicleCheckOutReq")):
            one = pair(station20={"intended": intended[at : at + 1]}, vehicle={"services": frozenset({66})}).run()
            well(one)
            assert one.messages.count(name) == 1


class TestEnds:
    @pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
    @pytest.mark.parametrize("control", list(Control), ids=lambda control: control.name)
    @pytest.mark.parametrize("side", list(Side))
    def test_either_side_stops(self, mode: Mode, control: Control, side: Side) -> None:
        one = pair(mode, control, soc=50.0)
        loop = "AC_ChargeLoopRes" if mode.value.startswith("ac") else "DC_ChargeLoopRes"
        act(one, loop, 15, lambda: one.stop(side, "enough"))
        well(one)
        assert one.now < 30.0

    @pytest.mark.parametrize(
        ("volts", "said", "tries"),
        [
            (40.0, "the station says that it gives 40 V at most: not believed", True),
            (250.0, "the station gives 250 V at most, the battery is at 358 V", False),
        ],
    )
    def test_a_station_with_too_little_voltage(self, volts: float, said: str, tries: bool) -> None:
        events: list[Event] = []
        one = pair(soc=50.0, trace=events.append)
        one.outlet.supply = one.outlet.supply._replace(max_volts=volts)
        one.run()
        assert said in notes(events)
        assert ("DC_PreChargeReq" in one.messages) is tries
        assert one.invariants.violations == []
        assert not one.vehicle.good

    @pytest.mark.parametrize("control", list(Control), ids=lambda control: control.name)
    def test_a_station_without_any_power(self, control: Control) -> None:
        """What it can give at most is not told again: nobody waits for more."""
        schema = exi.schema("iso15118_20_ac")

        def tamper(pair: Pair, count: int, delivery: Delivery) -> Any:
            if pair.messages[-1] != "AC_ChargeParameterDiscoveryRes":
                return None
            document: Any = schema.decode(delivery.payload)
            document.AC_CPDResEnergyTransferMode.EVSEMaximumChargePower = rational(0.0)
            return [(0.0, delivery._replace(payload=schema.encode(document)))]

        events: list[Event] = []
        one = pair(Mode.AC, control, trace=events.append, tamper=tamper)
        one.run()
        assert "the station says that it has no power at all" in notes(events)
        assert "AC_ChargeLoopReq" not in one.messages
        assert one.invariants.violations == []
        assert not one.vehicle.good

    def test_a_user_who_is_not_authorized(self) -> None:
        events: list[Event] = []
        one = pair(trace=events.append)
        one.outlet.refused = True
        one.run()
        assert sent(events, "AuthorizationRes")[-1].ResponseCode == "WARNING_EIMAuthorizationFailure"
        assert sent(events, "AuthorizationRes")[-1].EVSEProcessing == "Finished"
        assert one.messages[-1] == "SessionStopRes"
        assert not one.vehicle.good

    @pytest.mark.parametrize("mode", [Mode.DC_BPT, Mode.AC_BPT], ids=lambda mode: mode.value)
    @pytest.mark.parametrize("watts", [None, -5000.0])
    @pytest.mark.parametrize("trouble", list(Trouble))
    def test_trouble_at_the_outlet(self, mode: Mode, watts: float | None, trouble: Trouble) -> None:
        one = pair(mode, Control.DYNAMIC, soc=60.0)
        one.outlet.managed_watts = watts

        def strike() -> None:
            if trouble is Trouble.EMERGENCY:
                one.outlet.press_emergency_stop()
            else:
                one.outlet.fault = trouble

        loop = "AC_ChargeLoopRes" if mode is Mode.AC_BPT else "DC_ChargeLoopRes"
        act(one, loop, 40, strike)
        assert one.invariants.violations == []
        assert one.station.good is (trouble is Trouble.UTILITY)

    @pytest.mark.parametrize("mode", [Mode.DC_BPT, Mode.AC_BPT], ids=lambda mode: mode.value)
    def test_a_link_that_is_lost_while_energy_flows_back(self, mode: Mode) -> None:
        one = pair(mode, Control.DYNAMIC, soc=60.0)
        one.outlet.managed_watts = -5000.0
        loop = "AC_ChargeLoopRes" if mode is Mode.AC_BPT else "DC_ChargeLoopRes"
        act(one, loop, 40, one.break_connection)
        assert one.invariants.violations == []
        assert not one.station.good
        assert not one.vehicle.good

    @pytest.mark.parametrize("mode", [Mode.DC, Mode.AC], ids=lambda mode: mode.value)
    def test_a_silent_vehicle_is_cut_off_in_half_a_second(self, mode: Mode) -> None:
        one = pair(mode, soc=60.0)
        loop = "AC_ChargeLoopRes" if mode is Mode.AC else "DC_ChargeLoopRes"
        went = 0.0

        def silence() -> None:
            nonlocal went
            one.silent, went = True, one.now

        act(one, loop, 40, silence)
        assert one.invariants.violations == []
        assert one.station.reason == "V2G_SECC_Sequence_Timeout"
        assert one.station.now - went < 5.0
