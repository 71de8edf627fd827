"""A station with a pad: each handler, each refusal, each obstacle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from exi.messages.iso15118_20 import common, wpt
from exi.messages.iso15118_20.common import ChargeProgress, PowerDeliveryReq, ScheduleExchangeReq
from exi.messages.iso15118_20.types import Processing, ResponseCode
from hlc.decisions.schedules import Slot
from hlc.rules.iso15118_20.values import number, rational
from hlc.sim.wpt import METHODS

Make = Callable[..., Any]
DONE, ONGOING = Processing.Finished, Processing.Ongoing
OK, WARNING = ResponseCode.OK, ResponseCode.WARNING_WPT
UNKNOWN, SUCCESS, FAILED = wpt.WPT_EVResult


def test_the_station_picks_one_method_of_each_kind(over_pad: Make) -> None:
    """[V2G20-5006]"""
    talk = over_pad()
    assert talk.setup(processing=ONGOING).PrimaryDevicePairingMethodList.WPT_PairingMethod == [
        "LPE",
        "External confirmation",
    ]
    answer = talk.setup(METHODS._replace(pairing=("Optical", "External confirmation"), alignment=("LPE",)))
    assert answer.PrimaryDeviceFinePositioningMethodList.WPT_FinePositioningMethod == ["LPE"]
    assert answer.PrimaryDevicePairingMethodList.WPT_PairingMethod == ["External confirmation"]
    assert answer.PrimaryDeviceAlignmentCheckMethodList.WPT_AlignmentCheckMethod == ["LPE"]


def test_without_a_method_in_common_it_ends(over_pad: Make) -> None:
    talk = over_pad()
    answer = talk.setup(METHODS._replace(pairing=("Optical",)))
    assert answer.ResponseCode is ResponseCode.FAILED_AssociationError
    assert "pairing" in talk.faults()[0]
    assert talk.closed


def test_positioning_goes_on_until_the_vehicle_is_done(over_pad: Make) -> None:
    talk = over_pad()
    talk.setup()
    assert talk.position(ONGOING, UNKNOWN).EVSEProcessing is ONGOING
    assert talk.allows(wpt.WPT_FinePositioningReq)
    talk.ev.start_positioning()
    talk.wait(6.0)
    assert talk.position().ResponseCode is OK
    assert talk.allows(wpt.WPT_PairingReq)


def test_a_vehicle_that_is_not_where_it_says_is_warned_and_may_try_again(over_pad: Make) -> None:
    talk = over_pad()
    talk.setup()
    assert talk.position().ResponseCode is WARNING
    assert talk.allows(wpt.WPT_FinePositioningSetupReq)
    assert not talk.allows(wpt.WPT_PairingReq)
    assert talk.setup().ResponseCode is OK
    assert talk.position(DONE, FAILED).ResponseCode is OK
    assert not talk.allows(wpt.WPT_PairingReq)


def test_a_vehicle_over_another_device_is_refused(over_pad: Make) -> None:
    talk = over_pad()
    talk.park()
    answer = talk.pair(talk.pad.code() + 1)
    assert answer.ResponseCode is ResponseCode.FAILED_AssociationError
    assert talk.closed


def test_a_vehicle_that_has_seen_no_code_is_not_paired(over_pad: Make) -> None:
    talk = over_pad()
    talk.park()
    assert talk.pair(None, ONGOING, UNKNOWN).ResponseCode is OK
    assert talk.allows(wpt.WPT_PairingReq)
    assert talk.pair(None).ResponseCode is ResponseCode.FAILED_AssociationError


@pytest.mark.parametrize("method", ["LF_TxEV", "Optical"])
def test_where_the_station_looks_for_the_code_it_takes_its_time(over_pad: Make, method: str) -> None:
    talk = over_pad()
    methods = METHODS._replace(pairing=(method,))
    talk.pad.methods = lambda: methods  # type: ignore[method-assign]
    talk.setup(methods)
    talk.ev.start_positioning()
    talk.wait(6.0)
    talk.position()
    first = talk.pair()
    assert (first.EVSEProcessing, first.ObservedIDCode) == (ONGOING, None)
    talk.wait(1.0)
    second = talk.pair()
    assert (second.EVSEProcessing, second.ObservedIDCode) == (DONE, talk.ev.code())
    assert talk.allows(common.AuthorizationSetupReq)


def test_where_somebody_else_confirms_no_code_is_needed(over_pad: Make) -> None:
    talk = over_pad()
    talk.setup(METHODS._replace(pairing=("External confirmation",)))
    talk.ev.start_positioning()
    talk.wait(6.0)
    talk.position()
    assert talk.pair(None, ONGOING, UNKNOWN).EVSEProcessing is DONE
    assert talk.allows(wpt.WPT_PairingReq)
    assert talk.pair().EVSEProcessing is DONE
    assert talk.allows(common.AuthorizationSetupReq)


def test_how_long_a_vehicle_takes_to_pair_is_not_the_station_s_affair(over_pad: Make) -> None:
    talk = over_pad()
    talk.park()
    for _ in range(3):
        assert talk.pair(None, ONGOING, UNKNOWN).ResponseCode is OK
        talk.wait(50.0)
    assert talk.pair(talk.pad.code()).ResponseCode is OK
    assert not talk.faults()


def test_a_station_that_sees_no_code_says_so_in_time(over_pad: Make) -> None:
    talk = over_pad()
    methods = METHODS._replace(pairing=("LF_TxEV",))
    talk.pad.methods = lambda: methods
    talk.pad.observed_code = lambda: None
    talk.setup(methods)
    talk.ev.start_positioning()
    talk.wait(6.0)
    talk.position()
    for _ in range(7):
        answer = talk.pair()
        talk.wait(10.0)
    assert answer.ResponseCode is ResponseCode.FAILED
    assert "V2G_SECC_Ongoing_Performance_Time" in talk.faults()[0]


def test_pairing_that_failed_leads_back(over_pad: Make) -> None:
    talk = over_pad()
    talk.park()
    assert talk.pair(None, DONE, FAILED).EVSEProcessing is DONE
    assert talk.allows(wpt.WPT_FinePositioningSetupReq)
    assert not talk.allows(common.AuthorizationSetupReq)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"watts": 50.0}, "100 W at least"),
        ({"watts": -5.0}, "100 W at least"),
        ({"low": 260, "high": 300}, "260 to 300 mm"),
        ({"low": 50, "high": 90}, "50 to 90 mm"),
        ({"low": 210, "high": 140}, "210 to 140 mm"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(over_pad: Make, fields: dict[str, Any], text: str) -> None:
    talk = over_pad()
    talk.park()
    talk.pair(talk.pad.code())
    talk.services(3)
    assert talk.parameters(**fields).ResponseCode is ResponseCode.FAILED_WrongChargeParameter
    assert text in talk.faults()[0]


def test_the_alignment_check_is_a_weak_trial(over_pad: Make) -> None:
    talk = over_pad()
    talk.approach()
    answer = talk.align_well()
    assert 0 < number(answer.PowerTransmitted) < 400
    assert 1.9 < number(answer.SupplyDeviceCurrent) <= 2.0
    talk.wait(0.5)
    assert talk.pad.transmitted_watts() == 0.0
    assert talk.allows(ScheduleExchangeReq)


def test_a_target_beyond_a_trial_is_no_target(over_pad: Make) -> None:
    talk = over_pad()
    talk.approach()
    for _ in range(5):
        talk.align(TargetCoilCurrent=rational(60.0))
    assert talk.pad.coil_amps() <= 2.0


def test_a_trial_that_nobody_asks_about_ends_and_may_begin_anew(over_pad: Make) -> None:
    talk = over_pad()
    talk.approach()
    talk.align()
    talk.wait(0.7)
    assert talk.pad.transmitted_watts() > 0.0
    talk.wait(0.5)
    assert talk.pad.transmitted_watts() == 0.0
    assert not talk.closed
    talk.align_well()


@pytest.mark.parametrize("trouble", ["foreign_object", "living_object", "blind"])
def test_an_obstacle_ends_the_alignment_check(over_pad: Make, trouble: str) -> None:
    talk = over_pad()
    talk.approach()
    talk.align()
    assert talk.pad.transmitted_watts() > 0.0
    setattr(talk.pad, trouble, True)
    talk.wait(0.06)
    assert talk.pad.transmitted_watts() == 0.0
    assert talk.align(DONE, SUCCESS).ResponseCode is WARNING
    assert talk.allows(wpt.WPT_FinePositioningSetupReq)
    assert not talk.allows(ScheduleExchangeReq)
    assert not talk.closed


def test_an_alignment_check_that_the_vehicle_calls_failed_leads_back(over_pad: Make) -> None:
    talk = over_pad()
    talk.approach()
    talk.align()
    talk.wait(0.5)
    assert talk.align(DONE, FAILED).ResponseCode is OK
    assert talk.allows(wpt.WPT_FinePositioningSetupReq)
    assert not talk.allows(PowerDeliveryReq)


def test_no_power_without_an_alignment_check(over_pad: Make) -> None:
    """The check may come before the schedules or after them; without it there is nothing. [V2G20-5061]"""
    talk = over_pad()
    talk.approach()
    profile = talk.schedule()
    assert talk.deliver(ChargeProgress.Start, profile).ResponseCode is WARNING
    assert "has not been checked" in talk.notes()
    assert talk.pad.transmitted_watts() == 0.0
    assert talk.allows(wpt.WPT_FinePositioningSetupReq)
    assert not talk.allows(wpt.WPT_ChargeLoopReq)


def test_the_check_may_come_after_the_schedules(over_pad: Make) -> None:
    talk = over_pad()
    talk.approach()
    profile = talk.schedule()
    talk.align_well()
    assert talk.deliver(ChargeProgress.Start, profile).ResponseCode is OK


def test_an_obstacle_at_the_start_is_a_warning(over_pad: Make) -> None:
    """[V2G20-5061]"""
    talk = over_pad()
    talk.approach()
    talk.align_well()
    profile = talk.schedule()
    talk.pad.foreign_object = True
    assert talk.deliver(ChargeProgress.Start, profile).ResponseCode is WARNING
    assert "SPCFODDetected" in talk.notes()
    assert talk.allows(wpt.WPT_FinePositioningSetupReq)


def test_a_charge(over_pad: Make) -> None:
    talk = over_pad()
    talk.charge()
    answer = talk.loop()
    assert number(answer.SPCMaxOutputPowerLimit) == 7000.0  # what the vehicle receives
    assert number(answer.EVPCPowerRequest) == 5000.0
    assert number(answer.SDPowerInput) == pytest.approx(5000.0, rel=0.01)
    assert answer.SPCChargeDiagnostics == "SPCNoIssue"
    assert talk.loop(9000.0).ResponseCode is OK
    talk.wait(0.3)
    talk.loop(9000.0)
    assert talk.pad.transmitted_watts() == pytest.approx(7000.0)
    assert talk.deliver(ChargeProgress.Stop).ResponseCode is OK
    talk.wait(0.5)
    assert talk.pad.transmitted_watts() == 0.0
    assert talk.stop().ResponseCode is OK
    assert talk.station.good
    assert not talk.faults()


def test_power_follows_schedule_and_energy_management(over_pad: Make) -> None:
    talk = over_pad(schedules=((Slot(3600.0, 4000.0),),))
    talk.approach()
    talk.align_well()
    talk.deliver(ChargeProgress.Start, talk.schedule())
    for _ in range(10):
        answer = talk.loop(7000.0)
    assert number(answer.SPCMaxOutputPowerLimit) == 4000.0
    assert talk.pad.transmitted_watts() == pytest.approx(4000.0)
    talk.pad.managed_watts = 1500.0
    talk.loop(7000.0)
    talk.loop(7000.0)
    assert talk.pad.transmitted_watts() == pytest.approx(1500.0)
    talk.pad.managed_watts = -1500.0  # it takes nothing back
    talk.loop(7000.0)
    talk.loop(7000.0)
    assert talk.pad.transmitted_watts() == 0.0


def test_a_wish_below_what_the_device_can_transmit_is_none(over_pad: Make) -> None:
    talk = over_pad()
    talk.charge()
    talk.loop(50.0)
    talk.wait(0.2)
    assert talk.loop(-50.0).ResponseCode is OK
    assert talk.pad.transmitted_watts() == 0.0


def test_standby_rests(over_pad: Make) -> None:
    talk = over_pad()
    profile = talk.charge()
    assert talk.deliver(ChargeProgress.Standby).ResponseCode is OK
    talk.wait(0.3)
    assert talk.pad.transmitted_watts() == 0.0
    assert talk.loop().ResponseCode is OK
    talk.wait(0.3)
    assert talk.pad.transmitted_watts() == 0.0
    assert talk.deliver(ChargeProgress.Start, profile).ResponseCode is OK
    for _ in range(9):
        talk.loop()
    assert talk.pad.transmitted_watts() == pytest.approx(5000.0)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [("foreign_object", "SPCFODDetected"), ("living_object", "SPCLOPDetected"), ("blind", "not over the primary")],
)
def test_an_obstacle_in_the_loop_cuts_the_power_before_the_next_message(
    over_pad: Make, trouble: str, said: str
) -> None:
    """[V2G20-5058]"""
    talk = over_pad()
    profile = talk.charge()
    setattr(talk.pad, trouble, True)
    talk.wait(0.06)
    assert talk.pad.transmitted_watts() == 0.0
    answer = talk.loop()
    assert answer.ResponseCode is WARNING
    assert said in talk.notes()
    assert answer.SPCChargeDiagnostics == talk.pad.diagnosis()
    talk.wait(0.2)
    assert talk.pad.transmitted_watts() == 0.0
    assert talk.allows(wpt.WPT_AlignmentCheckReq)
    assert talk.allows(wpt.WPT_PairingReq)
    # It is taken away; the check says that all is well again.
    setattr(talk.pad, trouble, False)
    talk.align_well()
    assert talk.deliver(ChargeProgress.Start, profile).ResponseCode is OK
    for _ in range(9):
        assert talk.loop().ResponseCode is OK
    assert talk.pad.transmitted_watts() == pytest.approx(5000.0)
    assert not talk.faults()


def test_after_an_interruption_it_may_pair_again(over_pad: Make) -> None:
    talk = over_pad()
    talk.charge()
    talk.pad.blind = True
    assert talk.loop().ResponseCode is WARNING
    talk.pad.blind = False
    assert talk.pair(talk.pad.code()).EVSEProcessing is DONE
    assert talk.allows(wpt.WPT_AlignmentCheckReq)


def test_a_vehicle_that_reports_an_anomaly_gets_nothing_and_is_told_to_end(over_pad: Make) -> None:
    talk = over_pad()
    talk.charge()
    answer = talk.loop(5000.0, wpt.WPT_EVPCChargeDiagnostics.EVPCTempOverheatDetected)
    assert answer.ResponseCode is OK
    assert talk.loop().EVSEStatus.EVSENotification == "Terminate"
    assert "EVPCTempOverheatDetected" in talk.faults()[0]


def test_silence_in_the_loop_ends_it_at_once(over_pad: Make) -> None:
    talk = over_pad()
    talk.charge()
    talk.wait(0.7)
    assert talk.closed
    assert talk.pad.transmitted_watts() == 0.0


def test_an_emergency_stop_is_an_end(over_pad: Make) -> None:
    talk = over_pad()
    talk.charge()
    talk.pad.press_emergency_stop()
    assert talk.loop().ResponseCode is ResponseCode.FAILED
    assert talk.closed


def test_a_set_up_during_the_approach_begins_it_anew(over_pad: Make) -> None:
    talk = over_pad()
    talk.approach()
    talk.align_well()
    profile = talk.schedule()
    talk.pad.foreign_object = True
    talk.deliver(ChargeProgress.Start, profile)
    talk.pad.foreign_object = False
    talk.park()
    assert not talk.allows(wpt.WPT_AlignmentCheckReq)
    talk.pair(talk.pad.code())
    talk.align_well()
    assert talk.deliver(ChargeProgress.Start, profile).ResponseCode is OK


def test_pairing_is_no_way_around_authorization_and_services(over_pad: Make) -> None:
    one = over_pad()
    one.park()
    assert one.pair(one.pad.code()).EVSEProcessing is DONE
    assert one.align().ResponseCode is ResponseCode.FAILED_SequenceError
    assert one.closed
    assert one.pad.coil_amps() == 0.0


def test_no_power_without_an_exchange_of_schedules(over_pad: Make) -> None:
    one = over_pad()
    one.approach()
    one.align_well()
    assert one.deliver(ChargeProgress.Start).ResponseCode is ResponseCode.FAILED_SequenceError
    assert one.closed
