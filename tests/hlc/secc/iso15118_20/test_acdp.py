"""A station with a pantograph: each handler, each refusal, each loss of what must hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from exi.messages.iso15118_20 import acdp, common, dc
from exi.messages.iso15118_20.common import ChargeProgress
from exi.messages.iso15118_20.types import Processing, ResponseCode
from hlc.ports import Offset, Pantograph, Trouble

Make = Callable[..., Any]
DONE, ONGOING = Processing.Finished, Processing.Ongoing
OK = ResponseCode.OK
STATE_A, STATE_B, *_ = acdp.ElectricalChargingDeviceStatus
HOME, MOVING, END = acdp.MechanicalChargingDeviceStatus


def test_a_vehicle_is_told_how_far_it_is_off(under_pantograph: Make) -> None:
    talk = under_pantograph()
    far = talk.position(moving=True)
    assert far.EVSEProcessing is ONGOING
    assert far.EVRelativeXDeviation < -800
    assert (far.ContactWindowXc, far.ContactWindowYc) == (150, 100)
    assert far.EVSEPositioningSupport
    assert not far.EVInChargePosition
    talk.bus.place = Offset(20.0, 10.0)
    talk.bus.driving = False
    near = talk.position(moving=True)
    assert (near.EVInChargePosition, near.EVSEProcessing) == (True, ONGOING)  # it still rolls
    assert not talk.allows(common.AuthorizationSetupReq)
    assert talk.position().EVSEProcessing is DONE
    assert talk.allows(common.AuthorizationSetupReq)


def test_a_place_beyond_all_numbers_is_the_largest_number(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.bus.place = Offset(-1e9, 1e9)
    answer = talk.position()
    assert (answer.EVRelativeXDeviation, answer.EVRelativeYDeviation) == (-32768, 32767)
    talk.outlet.vehicle_offset = lambda: None  # type: ignore[method-assign]
    talk.outlet.in_position = lambda: False  # type: ignore[method-assign]
    assert talk.position().EVRelativeXDeviation == 32767


def test_another_vehicle_at_the_device_is_an_association_error(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.outlet.other_vehicle = True
    assert talk.position(moving=True).ResponseCode is OK  # it may still come
    talk.bus.place = Offset(20.0, 10.0)
    assert talk.position().ResponseCode is ResponseCode.FAILED_AssociationError
    assert talk.closed
    later = under_pantograph()
    later.prepare()
    later.outlet.other_vehicle = True
    assert later.connect().ResponseCode is ResponseCode.FAILED_AssociationError
    assert later.outlet.goal == 0.0


def test_the_pantograph_comes_down_and_says_where_it_is(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.prepare()
    first = talk.connect()
    assert (first.EVSEProcessing, first.EVSEMechanicalChargingDeviceStatus) == (ONGOING, HOME)
    assert first.EVSEElectricalChargingDeviceStatus is STATE_A
    assert talk.connect().EVSEMechanicalChargingDeviceStatus is MOVING
    assert not talk.allows(dc.DC_CableCheckReq)
    talk.wait(4.5)
    last = talk.connect()
    assert (last.EVSEProcessing, last.EVSEMechanicalChargingDeviceStatus) == (DONE, END)
    assert last.EVSEElectricalChargingDeviceStatus is STATE_B
    assert talk.allows(dc.DC_CableCheckReq)


def test_a_pantograph_that_sticks_is_an_end_and_goes_home(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.prepare()
    talk.outlet.stuck_at = 0.4
    for _ in range(52 * 10):
        assert talk.connect().EVSEProcessing is ONGOING
    for _ in range(40):
        if talk.closed:
            break
        answer = talk.connect()
    assert answer.ResponseCode is ResponseCode.FAILED
    assert talk.outlet.goal == 0.0


def test_at_its_end_without_contact_it_is_not_connected(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.prepare()
    talk.outlet.lifted = True
    talk.connect()
    talk.wait(5.0)
    answer = talk.connect()
    assert (answer.EVSEProcessing, answer.EVSEMechanicalChargingDeviceStatus) == (ONGOING, END)
    assert answer.EVSEElectricalChargingDeviceStatus is STATE_A


def test_a_vehicle_that_leaves_is_not_connected(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.prepare()
    talk.bus.place = Offset(500.0, 0.0)
    assert talk.connect().ResponseCode is ResponseCode.FAILED
    assert talk.outlet.goal == 0.0


def test_the_status_of_both_sides_is_exchanged_while_connected_only(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.prepare()
    assert talk.tell().ResponseCode is ResponseCode.FAILED_SequenceError
    talk = under_pantograph()
    talk.connected()
    answer = talk.tell()
    assert answer.ResponseCode is OK
    assert answer.EVSEMechanicalChargingDeviceStatus is END
    assert answer.EVSEIsolationStatus is acdp.IsolationStatus.Invalid
    assert answer.EVSEReadyToCharge
    assert answer.EVInChargePosition
    assert answer.EVAssociationStatus
    wrong = answer.EVSEDisabled, answer.EVSEUtilityInterruptEvent, answer.EVSEEmergencyShutdown, answer.EVSEMalfunction
    assert not any(wrong)


def test_the_status_tells_of_the_isolation_and_of_trouble(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.checked()
    assert talk.tell().EVSEIsolationStatus is acdp.IsolationStatus.Safe
    talk.station.stop(talk.now, "the operator")
    assert talk.tell().EVSEDisabled
    talk = under_pantograph()
    talk.checked()
    talk.outlet.fault = Trouble.UTILITY
    assert talk.tell().EVSEUtilityInterruptEvent


def test_no_voltage_for_a_vehicle_that_is_not_immobilised(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.connected()
    for _ in range(5):  # its status may be late
        assert talk.ask(dc.DC_CableCheckReq).EVSEProcessing is ONGOING
    assert talk.outlet.set_volts == 0.0
    assert not talk.tell(immobilised=False).EVSEReadyToCharge
    for _ in range(5):
        assert talk.ask(dc.DC_CableCheckReq).EVSEProcessing is ONGOING
    assert talk.outlet.set_volts == 0.0
    talk.tell()
    talk.ask(dc.DC_CableCheckReq)
    assert talk.outlet.set_volts > 0.0


def test_a_vehicle_that_never_says_so_is_refused_in_time(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.connected()
    for _ in range(400):
        answer = talk.ask(dc.DC_CableCheckReq)
        if talk.closed:
            break
    assert answer.ResponseCode is ResponseCode.FAILED
    assert "CableCheck" in talk.faults()[0]


def test_who_leaves_the_element_out_has_said_that_it_stands(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.connected()
    assert talk.tell(immobilised=None).EVSEReadyToCharge


@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        (lambda talk: setattr(talk.outlet, "lifted", True), "do not touch"),
        (lambda talk: setattr(talk.bus, "place", Offset(400.0, 0.0)), "do not touch"),
        (lambda talk: setattr(talk.outlet, "other_vehicle", True), "another vehicle"),
    ],
)
def test_a_contact_that_does_not_hold_cuts_the_current_before_the_next_message(
    under_pantograph: Make, trouble: Any, text: str
) -> None:
    talk = under_pantograph()
    talk.charge()
    trouble(talk)
    talk.wait(0.06)
    assert not talk.outlet.relays
    assert text in talk.faults()[0]
    assert talk.loop().ResponseCode is ResponseCode.FAILED
    talk.wait(5.0)
    assert talk.outlet.pantograph() is Pantograph.HOME


def test_a_vehicle_that_says_it_is_free_to_move_is_cut_off(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.charge()
    assert talk.tell(immobilised=False).ResponseCode is OK
    assert not talk.outlet.relays
    assert talk.loop().ResponseCode is ResponseCode.FAILED


def test_what_a_vehicle_reports_is_heeded(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.charge()
    talk.tell(error=acdp.ErrorCode.OK_NoEVError)
    assert not talk.faults()
    talk.tell(error=acdp.ErrorCode.FAILED_RESS)
    assert talk.loop().EVSEStatus.EVSENotification == "Terminate"
    talk.tell(error=acdp.ErrorCode.FAILED_EmergencyEvent)
    assert not talk.outlet.relays
    assert talk.loop().ResponseCode is ResponseCode.FAILED


def test_the_pantograph_leaves_when_there_is_no_current_and_is_home_at_the_end(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.charge()
    assert talk.deliver(ChargeProgress.Stop).ResponseCode is OK
    talk.bus.open_contactors(emergency=False)
    talk.ask(dc.DC_WeldingDetectionReq, EVProcessing=DONE)
    assert talk.allows(acdp.ACDP_DisconnectReq)
    assert talk.outlet.way == 1.0
    talk.wait(1.0)
    assert talk.disconnect().EVSEProcessing is ONGOING
    assert talk.disconnect().EVSEMechanicalChargingDeviceStatus is MOVING
    talk.wait(4.0)
    last = talk.disconnect()
    assert (last.EVSEProcessing, last.EVSEMechanicalChargingDeviceStatus) == (DONE, HOME)
    assert talk.stop().ResponseCode is OK
    assert talk.station.good


def test_it_does_not_move_while_the_relays_are_closed(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.charge()
    talk.outlet.off = lambda *, emergency: None  # type: ignore[method-assign]
    talk.deliver(ChargeProgress.Stop)
    talk.ask(dc.DC_WeldingDetectionReq, EVProcessing=DONE)
    assert talk.disconnect().EVSEProcessing is ONGOING
    talk.wait(1.0)
    assert talk.outlet.way == 1.0


def test_who_does_not_charge_after_all_may_disconnect(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.prepare()
    talk.connect()
    talk.wait(2.0)
    assert talk.disconnect().EVSEProcessing is ONGOING
    talk.wait(3.0)
    assert talk.disconnect().EVSEProcessing is DONE
    assert talk.stop().ResponseCode is OK


def test_whatever_ends_a_session_the_pantograph_goes_home(under_pantograph: Make) -> None:
    talk = under_pantograph()
    talk.charge()
    talk.station.lost(talk.now, "gone")
    assert not talk.outlet.relays
    talk.wait(0.2)
    assert talk.outlet.goal == 0.0
