"""ISO 15118-2 in the vehicle: every choice, every request, what it heeds and what it leaves."""

from __future__ import annotations

from typing import Any

import pytest
from iso2 import (
    DONE,
    OK,
    RENEGOTIATE,
    START,
    STOP,
    Host,
    ac_status,
    dc_status,
    parameters,
    physical,
    schedule,
    services,
)

from exi.messages import iso15118_2 as iso
from hlc.decisions import value
from hlc.evcc.iso15118_2 import Memory
from hlc.flow import Paused, Transport
from hlc.trace.events import Blame, Fault

HOUR = 3600
BOTH = pytest.mark.parametrize("ac", [False, True], ids=["dc", "ac"])


def loop(host: Host, **changes: Any) -> Any:
    """A good answer in the loop, with changes; `status` is the outlet's."""
    status = changes.pop("status", None)
    response = host.good(host.request)
    for name, new in changes.items():
        setattr(response, name, new)
    if status is not None:
        setattr(response, "AC_EVSEStatus" if host.ac else "DC_EVSEStatus", status)
    return response


def in_loop(host: Host) -> Any:
    return host.reach(iso.ChargingStatusReq if host.ac else iso.CurrentDemandReq)


def status(host: Host, notification: str) -> Any:
    return ac_status(notification) if host.ac else dc_status(notification=notification)


COMMON = ["SessionSetupReq", "ServiceDiscoveryReq", "PaymentServiceSelectionReq", "AuthorizationReq"]


@pytest.mark.parametrize(
    ("ac", "rest"),
    [
        (
            False,
            [
                "ChargeParameterDiscoveryReq",
                "CableCheckReq",
                "PreChargeReq",
                "PowerDeliveryReq",
                "CurrentDemandReq",
                "PowerDeliveryReq",
                "WeldingDetectionReq",
                "SessionStopReq",
            ],
        ),
        (
            True,
            [
                "ChargeParameterDiscoveryReq",
                "PowerDeliveryReq",
                "ChargingStatusReq",
                "PowerDeliveryReq",
                "SessionStopReq",
            ],
        ),
    ],
    ids=["dc", "ac"],
)
def test_a_charge(ac: bool, rest: list[str]) -> None:
    host = Host(ac=ac)
    first = type(host.request).__name__
    in_loop(host)
    host.ev.wanted_soc = 50.0
    host.finish()
    names = [first, *(type(request).__name__ for request in host.asked[1:])]
    assert [name for i, name in enumerate(names) if i == 0 or name != names[i - 1]] == COMMON + rest
    assert host.vehicle.good
    assert host.session_ids[0] == bytes(8)
    assert set(host.session_ids[1:]) == {Host.SESSION}
    progress = [request.ChargeProgress for request in host.asked if isinstance(request, iso.PowerDeliveryReq)]
    assert progress == [START, STOP]


# Services


def test_a_station_that_takes_contracts_only_is_left() -> None:
    host = Host()
    host.reach(iso.ServiceDiscoveryReq)
    host.answer(services(["DC_extended"], payment="Contract"))
    assert isinstance(host.request, iso.SessionStopReq)
    assert "the station does not offer external payment" in host.faults()


@pytest.mark.parametrize(
    ("ac", "modes", "chosen"),
    [
        (False, ["DC_core", "DC_extended"], "DC_extended"),
        (False, ["DC_core", "DC_unique"], "DC_core"),
        (True, ["AC_single_phase_core", "AC_three_phase_core"], "AC_three_phase_core"),
        (True, ["AC_single_phase_core"], "AC_single_phase_core"),
    ],
)
def test_the_best_mode_of_those_offered_is_taken(ac: bool, modes: list[str], chosen: str) -> None:
    host = Host(ac=ac)
    host.overrides[iso.ServiceDiscoveryReq] = services(modes)
    assert host.reach(iso.ChargeParameterDiscoveryReq).RequestedEnergyTransferMode == chosen


def test_one_phase_can_be_had_of_an_outlet_that_offers_three() -> None:
    host = Host(ac=True)
    host.ev.charger = host.ev.charger._replace(phases=1)
    host.overrides[iso.ServiceDiscoveryReq] = services(["AC_three_phase_core"])
    assert host.reach(iso.ChargeParameterDiscoveryReq).RequestedEnergyTransferMode == "AC_three_phase_core"
    [entry] = host.reach(iso.PowerDeliveryReq).ChargingProfile.ProfileEntry
    assert (value(entry.ChargingProfileEntryMaxPower), entry.ChargingProfileEntryMaxNumberOfPhasesInUse) == (3680.0, 1)


@pytest.mark.parametrize(("ac", "modes"), [(False, ["AC_three_phase_core"]), (True, ["DC_extended"])])
def test_a_station_of_the_other_kind_is_left(ac: bool, modes: list[str]) -> None:
    host = Host(ac=ac)
    host.reach(iso.ServiceDiscoveryReq)
    assert isinstance(host.answer(services(modes)), iso.SessionStopReq)
    assert not host.vehicle.good


def test_services_that_are_wanted_are_taken() -> None:
    host = Host(services=frozenset({3, 4, 60_000}))
    offered = services(["DC_extended"], (3, "Internet"), (4, "OtherCustom"), (5, "OtherCustom"))
    host.overrides[iso.ServiceDiscoveryReq] = offered
    assert host.reach(iso.ServiceDetailReq).ServiceID == 3
    sets = [
        iso.ParameterSet(ParameterSetID=number, Parameter=[iso.Parameter(Name="Port", intValue=port)])
        for number, port in ((1, 80), (4, 443))
    ]
    host.answer(
        iso.ServiceDetailRes(
            ResponseCode=OK, ServiceID=3, ServiceParameterList=iso.ServiceParameterList(ParameterSet=sets)
        )
    )
    assert host.request.ServiceID == 4
    host.answer()
    chosen = host.request.SelectedServiceList.SelectedService
    assert [(each.ServiceID, each.ParameterSetID) for each in chosen] == [(1, None), (3, 4), (4, None)]


def test_the_charge_service_is_called_what_the_station_calls_it() -> None:
    host = Host()
    host.reach(iso.ServiceDiscoveryReq)
    offered = services(["DC_extended"])
    offered.ChargeService.ServiceID = 7
    host.answer(offered)
    assert host.request.SelectedServiceList.SelectedService[0].ServiceID == 7


# Authorization and parameters


def test_a_user_is_awaited_without_end() -> None:
    host = Host()
    host.reach(iso.AuthorizationReq)
    waiting = iso.AuthorizationRes(
        ResponseCode=OK, EVSEProcessing=iso.EVSEProcessing.Ongoing_WaitingForCustomerInteraction
    )
    began = host.now
    while host.now - began < 200:
        host.answer(waiting)
    assert isinstance(host.request, iso.AuthorizationReq)
    assert host.request == iso.AuthorizationReq()
    assert not host.vehicle.closed


@pytest.mark.parametrize(
    ("kind", "response"),
    [
        (
            iso.AuthorizationReq,
            iso.AuthorizationRes(ResponseCode=OK, EVSEProcessing=iso.EVSEProcessing.Ongoing),
        ),
        (iso.ChargeParameterDiscoveryReq, parameters(ac=False, schedules=None, processing="Ongoing")),
    ],
)
def test_a_station_that_goes_on_for_ever_is_left(kind: Any, response: Any) -> None:
    host = Host()
    host.reach(kind)
    began = host.now
    while not host.vehicle.closed:
        host.answer(response)
    assert host.now - began == pytest.approx(60.0, abs=1.0)
    assert host.timers() == ["V2G_EVCC_Ongoing_Timeout"]


@BOTH
def test_what_the_vehicle_says_of_itself(ac: bool) -> None:
    request = Host(ac=ac, departure_s=7200.0).reach(iso.ChargeParameterDiscoveryReq)
    parameter = request.EVChargeParameter
    assert 7100 < parameter.DepartureTime <= 7200
    assert request.MaxEntriesSAScheduleTuple is None
    if ac:
        assert value(parameter.EAmount) == pytest.approx(18_000, rel=0.001)
        assert [value(each) for each in (parameter.EVMaxCurrent, parameter.EVMinCurrent)] == [16.0, 6.0]
    else:
        assert value(parameter.EVEnergyRequest) == pytest.approx(18_000, rel=0.001)
        assert (parameter.FullSOC, parameter.DC_EVStatus.EVReady) == (100, False)


@BOTH
def test_parameters_of_the_other_kind_are_left(ac: bool) -> None:
    host = Host(ac=ac)
    host.reach(iso.ChargeParameterDiscoveryReq)
    assert isinstance(host.answer(parameters(ac=not ac, schedules=host.schedules)), iso.SessionStopReq)
    assert not host.vehicle.good


def test_mains_without_a_voltage_are_left() -> None:
    host = Host(ac=True)
    host.reach(iso.ChargeParameterDiscoveryReq)
    assert isinstance(host.answer(parameters(ac=True, schedules=host.schedules, volts=0)), iso.SessionStopReq)


@BOTH
def test_a_station_without_energy_is_left_in_order(ac: bool) -> None:
    host = Host(ac=ac)
    host.reach(iso.ChargeParameterDiscoveryReq)
    host.answer(parameters(ac=ac, schedules=host.schedules, status=status(host, "StopCharging")))
    assert host.request == iso.SessionStopReq(ChargingSession=iso.ChargingSession.Terminate)
    host.answer()
    assert host.vehicle.good


# Schedules

CHEAP_LATER = schedule(5, (0, 11_000), prices=((0, 3), (HOUR, 1), (5 * HOUR, 2)))
DEAR = schedule(5, (0, 11_000), prices=((0, 2),))
CHEAP_NOW = schedule(6, (0, 5000), prices=((0, 1),))


def profile(host: Host) -> list[tuple[int, float]]:
    request = host.reach(iso.PowerDeliveryReq)
    return [
        (entry.ChargingProfileEntryStart, value(entry.ChargingProfileEntryMaxPower))
        for entry in request.ChargingProfile.ProfileEntry
    ]


def test_without_tls_tariffs_count_for_nothing() -> None:
    host = Host(ac=True, departure_s=12.0 * HOUR)
    host.schedules = [CHEAP_NOW, CHEAP_LATER]
    assert profile(host) == [(0, 11_000.0)]
    assert host.request.SAScheduleTupleID == 5  # the faster one


def test_the_cheap_hours_are_used_where_there_is_time() -> None:
    host = Host(ac=True, departure_s=12.0 * HOUR, transport=Transport("1.2"))
    host.schedules = [CHEAP_LATER]
    assert profile(host) == [(0, 0.0), (HOUR, 11_000.0), (5 * HOUR - 1, 0.0), (12 * HOUR - 1, 11_000.0)]


def test_the_cheapest_schedule_is_taken_that_is_fast_enough() -> None:
    for departure_s, chosen in ((12.0 * HOUR, 6), (2.0 * HOUR, 5)):
        host = Host(ac=True, departure_s=departure_s, transport=Transport("1.2"))
        host.schedules = [DEAR, CHEAP_NOW]
        assert host.reach(iso.PowerDeliveryReq).SAScheduleTupleID == chosen


def test_what_cannot_be_had_before_the_departure_is_said() -> None:
    host = Host(ac=True, departure_s=float(HOUR))
    host.reach(iso.PowerDeliveryReq)
    assert any("kWh will be missing at the departure" in note for note in host.notes())


def test_a_profile_has_24_entries_at_most() -> None:
    host = Host(ac=True)
    host.schedules = [schedule(1, *((600 * i, 5000 + 100 * i) for i in range(40)))]
    found = profile(host)
    assert len(found) == 24
    limits = {start: 5000.0 + start / 6 for start in range(0, 24_000, 600)}
    assert all(watts <= limits[start] for start, watts in found)


def test_a_profile_keeps_to_its_schedule_wherever_its_times_begin() -> None:
    """After ten seconds of cable check: with a schedule that goes up and down again."""
    host = Host()
    host.schedules = [schedule(1, (0, 10_000), (600, 30_000), (1200, 5000))]
    host.reach(iso.CableCheckReq)
    began = host.now
    while host.now - began < 10.4:
        host.answer(
            iso.CableCheckRes(ResponseCode=OK, DC_EVSEStatus=dc_status(), EVSEProcessing=iso.EVSEProcessing.Ongoing)
        )
    found = profile(host)
    passed = host.now - began
    assert found[:2] == [(0, 10_000.0), (600, 30_000.0)]
    start, watts = found[2]
    assert watts == 5000.0
    assert 1200 - passed - 1 <= start <= 1200 - passed


def test_a_station_without_a_schedule_is_taken_as_one_without_limit() -> None:
    host = Host()
    host.reach(iso.ChargeParameterDiscoveryReq)
    host.answer(parameters(ac=False, schedules=None))
    assert host.reach(iso.PowerDeliveryReq).SAScheduleTupleID == 1
    assert any("no schedule" in note for note in host.notes())


def test_the_profile_is_kept_in_dc() -> None:
    host = Host()
    host.schedules = [schedule(1, (0, 50_000), (60, 4000))]
    in_loop(host)
    host.answer()
    assert value(host.request.EVTargetCurrent) > 100
    host.wait(0.0)
    while host.now < 180:
        host.answer()
    assert value(host.request.EVTargetCurrent) * host.ev.battery_volts() == pytest.approx(4000, rel=0.02)


# AC


def test_state_c_comes_with_the_wish_for_power_and_goes_after_its_end() -> None:
    host = Host(ac=True)
    host.reach(iso.ChargeParameterDiscoveryReq)
    assert not host.ev.state.ready
    host.reach(iso.PowerDeliveryReq)
    assert host.ev.state.ready
    in_loop(host)
    host.ev.wanted_soc = 50.0
    host.reach(iso.PowerDeliveryReq, STOP)
    assert host.ev.state.ready
    host.wait(0.25)
    assert not host.ev.state.ready


def test_the_limit_of_the_station_is_followed() -> None:
    host = Host(ac=True)
    in_loop(host)
    host.answer(loop(host, EVSEMaxCurrent=physical(10, "A")))
    assert host.ev.set_watts == pytest.approx(6900.0)
    host.answer(loop(host, EVSEMaxCurrent=None))  # as with a contract: the last one holds
    assert host.ev.set_watts == pytest.approx(6900.0)
    host.answer(loop(host, EVSEMaxCurrent=physical(5.9, "A")))
    assert host.ev.set_watts == 0.0
    host.answer(loop(host, EVSEMaxCurrent=physical(63, "A")))
    assert host.ev.set_watts == pytest.approx(11_040.0)


@pytest.mark.parametrize("amps", [0.0, 5.9, -29.7])
def test_a_station_that_has_nothing_yet_may_have_it_later(amps: float) -> None:
    host = Host(ac=True)
    host.overrides[iso.ChargeParameterDiscoveryReq] = parameters(ac=True, schedules=host.schedules, amps=amps)
    in_loop(host)
    host.answer(loop(host, EVSEMaxCurrent=physical(amps, "A")))
    assert host.ev.set_watts == 0.0
    host.answer(loop(host, EVSEMaxCurrent=physical(10, "A")))
    assert host.ev.set_watts == pytest.approx(6900.0)


def test_a_tripped_rcd_is_an_emergency() -> None:
    host = Host(ac=True)
    in_loop(host)
    host.answer(loop(host, status=ac_status(rcd=True)))
    assert not host.ev.state.ready
    host.reach(iso.PowerDeliveryReq, STOP)
    host.finish()
    assert not host.vehicle.good


# Renegotiation


@BOTH
def test_the_station_wants_to_renegotiate(ac: bool) -> None:
    host = Host(ac=ac)
    in_loop(host)
    host.answer(loop(host, status=status(host, "ReNegotiation")))
    request = host.reach(iso.PowerDeliveryReq, RENEGOTIATE)
    assert request.ChargingProfile is None
    assert host.ev.amps() < 2.0 or ac
    host.answer()
    assert isinstance(host.request, iso.ChargeParameterDiscoveryReq)
    assert host.ev.state.ready is ac
    assert host.ev.contactors is False
    host.schedules = [schedule(9, (0, 5000))]
    host.answer()
    assert isinstance(host.request, iso.PowerDeliveryReq if ac else iso.CableCheckReq)
    assert host.reach(iso.PowerDeliveryReq, START).SAScheduleTupleID == 9
    in_loop(host)
    # A station that goes on asking for it is not listened to at once.
    host.answer(loop(host, status=status(host, "ReNegotiation")))
    assert isinstance(host.request, iso.ChargingStatusReq if ac else iso.CurrentDemandReq)


@BOTH
def test_the_driver_wants_something_else(ac: bool) -> None:
    host = Host(ac=ac)
    in_loop(host)
    host.answer()
    host.ev.wanted_soc = 90.0
    host.reach(iso.PowerDeliveryReq, RENEGOTIATE)
    in_loop(host)
    assert host.vehicle.renegotiation is None
    assert "renegotiating: the driver wants something else" in host.notes()


@BOTH
def test_an_end_comes_before_a_renegotiation(ac: bool) -> None:
    host = Host(ac=ac)
    in_loop(host)
    host.took(host.vehicle.renegotiate(host.now, "a new schedule"))
    host.took(host.vehicle.stop(host.now, "the driver stops"))
    host.reach(iso.PowerDeliveryReq, STOP)
    host.finish()
    assert host.vehicle.good


@BOTH
def test_an_end_may_come_in_a_renegotiation(ac: bool) -> None:
    host = Host(ac=ac)
    in_loop(host)
    host.took(host.vehicle.renegotiate(host.now, "a new schedule"))
    host.reach(iso.ChargeParameterDiscoveryReq)
    host.took(host.vehicle.stop(host.now, "the driver stops"))
    names = host.finish()
    assert "CurrentDemandReq" not in names
    assert "ChargingStatusReq" not in names
    assert names[-1] == "SessionStopReq"
    assert host.vehicle.good


# Receipts


@BOTH
def test_a_receipt_is_given_where_it_is_required(ac: bool) -> None:
    host = Host(ac=ac)
    request = in_loop(host)
    meter = iso.MeterInfo(MeterID="M", MeterReading=1234)
    host.answer(loop(host, MeterInfo=meter, ReceiptRequired=True, SAScheduleTupleID=3))
    assert host.request == iso.MeteringReceiptReq(SessionID=Host.SESSION, SAScheduleTupleID=3, MeterInfo=meter)
    host.answer()
    assert type(host.request) is type(request)


@BOTH
def test_a_station_that_wants_a_receipt_every_time_keeps_nobody(ac: bool) -> None:
    host = Host(ac=ac)
    in_loop(host)
    host.took(host.vehicle.stop(host.now, "the driver stops"))
    meter = iso.MeterInfo(MeterID="M")
    for _ in range(200):
        if isinstance(host.request, iso.PowerDeliveryReq):
            break
        looping = isinstance(host.request, iso.ChargingStatusReq | iso.CurrentDemandReq)
        host.answer(loop(host, MeterInfo=meter, ReceiptRequired=True) if looping else None)
    assert host.request.ChargeProgress is STOP
    host.finish()
    assert host.vehicle.good


# Ends


def test_what_another_protocol_keeps_of_a_pause_is_of_no_use() -> None:
    host = Host(resume=Paused(bytes(8), "iso15118_20_dc", b"", object()))
    code = iso.ResponseCode.OK_OldSessionJoined
    host.overrides[iso.SessionSetupReq] = iso.SessionSetupRes(ResponseCode=code, EVSEID="ZZ00000")
    assert host.reach(iso.ChargeParameterDiscoveryReq).EVChargeParameter.DepartureTime is None


@BOTH
@pytest.mark.parametrize("pause", [False, True])
def test_the_driver_stops_or_pauses(ac: bool, pause: bool) -> None:
    host = Host(ac=ac)
    in_loop(host)
    host.took(host.vehicle.stop(host.now, "the driver wants it", pause=pause))
    request = host.reach(iso.SessionStopReq)
    assert request.ChargingSession == ("Pause" if pause else "Terminate")
    host.answer()
    assert host.vehicle.good
    paused = host.vehicle.paused
    assert (paused is not None) is pause
    if paused is not None:
        assert (paused.session_id, paused.protocol) == (Host.SESSION, "iso15118_2")


def test_a_pause_before_power_ends_power_delivery_first() -> None:
    host = Host(ac=True)
    host.reach(iso.ChargeParameterDiscoveryReq)
    host.took(host.vehicle.stop(host.now, "later", pause=True))
    host.answer()
    assert host.request.ChargeProgress is STOP
    host.answer()
    assert host.request == iso.SessionStopReq(ChargingSession=iso.ChargingSession.Pause)


def test_a_pause_that_is_not_possible_is_an_end() -> None:
    host = Host()
    host.reach(iso.CableCheckReq)
    host.took(host.vehicle.stop(host.now, "later", pause=True))
    host.answer()
    assert host.request == iso.SessionStopReq(ChargingSession=iso.ChargingSession.Terminate)


PAUSED = Paused(Host.SESSION, "iso15118_2", b"", Memory(departs_at=1000.0))


@pytest.mark.parametrize("joined", [True, False])
def test_a_paused_session_is_taken_up(joined: bool) -> None:
    host = Host(resume=PAUSED, departure_s=7200.0)
    assert host.session_ids == [Host.SESSION]
    code = iso.ResponseCode.OK_OldSessionJoined if joined else iso.ResponseCode.OK_NewSessionEstablished
    host.overrides[iso.SessionSetupReq] = iso.SessionSetupRes(ResponseCode=code, EVSEID="ZZ00000")
    request = host.reach(iso.ChargeParameterDiscoveryReq)
    expected = 1000 - host.now if joined else 7200
    assert request.EVChargeParameter.DepartureTime == pytest.approx(expected, abs=2)
    assert any("does not know the paused session" in note for note in host.notes()) is not joined


def test_a_session_that_is_another_one_is_not_the_paused_one() -> None:
    host = Host(resume=PAUSED._replace(session_id=b"another"), departure_s=7200.0)
    code = iso.ResponseCode.OK_OldSessionJoined
    host.overrides[iso.SessionSetupReq] = iso.SessionSetupRes(ResponseCode=code, EVSEID="ZZ00000")
    assert host.reach(iso.ChargeParameterDiscoveryReq).EVChargeParameter.DepartureTime == pytest.approx(7200, abs=2)


@pytest.mark.parametrize(
    ("ac", "how"),
    [
        (True, "StopCharging"),
        (False, "StopCharging"),
        (False, "EVSE_Shutdown"),
        (False, "EVSE_EmergencyShutdown"),
        (False, "EVSE_Malfunction"),
    ],
)
def test_the_station_stops(ac: bool, how: str) -> None:
    host = Host(ac=ac)
    in_loop(host)
    said = status(host, how) if how == "StopCharging" else dc_status(code=how)
    host.answer(loop(host, status=said))
    host.reach(iso.PowerDeliveryReq, STOP)
    host.finish()
    assert host.vehicle.good is (how in ("StopCharging", "EVSE_Shutdown"))


@pytest.mark.parametrize("code", [code for code in iso.ResponseCode if code.startswith("FAILED")])
def test_every_failed_answer_ends_the_session(code: Any) -> None:
    for ac in (False, True):
        host = Host(ac=ac)
        in_loop(host)
        host.answer(loop(host, ResponseCode=code))
        assert host.vehicle.closed
        assert not host.vehicle.good
        host.wait(1.0)
        assert not host.ev.state.ready
        assert not host.ev.contactors_closed()


def test_an_isolation_fault_leads_to_no_precharge() -> None:
    host = Host()
    host.reach(iso.CableCheckReq)
    host.answer(iso.CableCheckRes(ResponseCode=OK, DC_EVSEStatus=dc_status(level="Fault"), EVSEProcessing=DONE))
    assert isinstance(host.request, iso.SessionStopReq)


@pytest.mark.parametrize("progress", [START, STOP])
@BOTH
def test_the_status_of_the_other_kind_of_outlet_is_the_stations_fault(ac: bool, progress: Any) -> None:
    host = Host(ac=ac)
    if progress is STOP:
        in_loop(host)
        host.took(host.vehicle.stop(host.now, "enough"))
    host.reach(iso.PowerDeliveryReq, progress)
    host.answer(iso.PowerDeliveryRes(ResponseCode=OK, EVSEStatus=dc_status() if ac else ac_status()))
    assert host.vehicle.closed
    assert not host.vehicle.good
    assert [event.blame for event in host.events if isinstance(event, Fault)] == [Blame.REMOTE]
    host.wait(2.0)
    assert not host.ev.contactors_closed()
