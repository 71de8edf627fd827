"""What a vehicle asks beside the main stream: a new schedule, the confirmation of a meter reading, and where it is
parked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from exi.messages.iso15118_20.common import (
    ChargeProgress,
    Dynamic_SMDTControlMode,
    EVCheckInStatus,
    EVCheckOutStatus,
    MeteringConfirmationReq,
    MeteringConfirmationRes,
    ParkingMethod,
    PowerDeliveryReq,
    Scheduled_SMDTControlMode,
    ScheduleExchangeReq,
    ScheduleExchangeRes,
    SignedMeteringData,
    VehicleCheckInReq,
    VehicleCheckInRes,
    VehicleCheckOutReq,
    VehicleCheckOutRes,
)
from exi.messages.iso15118_20.types import MeterInfo
from hlc.rules import Kind
from hlc.rules.answers import finished
from hlc.rules.iso15118_20.common import warns
from hlc.rules.iso15118_20.services import Intended
from hlc.v2gtp import PayloadType

if TYPE_CHECKING:
    from hlc.evcc.iso15118_20.common import Conversation


class Beside:
    """Of one choice of services."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.vehicle = conversation.vehicle
        self.to_confirm: MeterInfo | None = None
        """The reading of which the station wants a confirmation."""
        self._schedule: Kind | None = None
        """What is asked next in a renegotiation of the schedule."""
        self._before = conversation.plan
        """What was followed before it."""
        self.parking: Kind | None = None
        """What is to be told of the parking place, until it is answered."""

    def renegotiate(self) -> None:
        """A new schedule is wanted."""
        if self.conversation.plan is None:
            self.vehicle.renegotiation = None  # there is none
        elif self._schedule is None and not self.conversation.leaving():
            self._schedule, self._before = ScheduleExchangeReq, self.conversation.plan

    def park(self, intended: Intended) -> None:
        """The vehicle has come, or is about to leave."""
        if intended in self.conversation.choice.intended and not self.conversation.renewing:
            self.parking = VehicleCheckInReq if intended is Intended.CHECK_IN else VehicleCheckOutReq

    def asides(self) -> Iterable[tuple[int, Kind]]:
        """What to ask now, as payload type and kind."""
        if self._schedule is not None and self.conversation.delivering:
            yield PayloadType.SCHEDULE_RENEGOTIATION, self._schedule
        if self.to_confirm is not None:
            yield PayloadType.METERING_CONFIRMATION, MeteringConfirmationReq
        if self.parking is not None:
            yield PayloadType.PARKING_STATUS, self.parking

    def build(self, kind: Kind) -> Any:
        """A request."""
        header = self.conversation.header()
        if kind is PowerDeliveryReq:
            return self.conversation.power_delivery(ChargeProgress.ScheduleRenegotiation)
        if kind is MeteringConfirmationReq:
            return self._metering_confirmation()
        if kind is VehicleCheckInReq:
            return VehicleCheckInReq(
                Header=header, EVCheckInStatus=EVCheckInStatus.Completed, ParkingMethod=ParkingMethod.Manual
            )
        if kind is VehicleCheckOutReq:
            status = EVCheckOutStatus.Completed
            return VehicleCheckOutReq(Header=header, EVCheckOutStatus=status, CheckOutTime=header.TimeStamp)
        return self.conversation.build(kind)

    def answered(self, request: Any, response: Any) -> None:
        """An answer that is none of FAILED."""
        if isinstance(response, MeteringConfirmationRes):
            self.to_confirm = None
        elif isinstance(response, VehicleCheckInRes | VehicleCheckOutRes):
            self.parking = None
        elif isinstance(response, ScheduleExchangeRes) and not warns(response):
            if finished(response) and self.conversation.take_schedules(response):
                self._schedule = PowerDeliveryReq
        else:
            if warns(response):
                self.vehicle.note(f"the schedule stays as it was: {response.ResponseCode.value}")
                self.conversation.plan = self._before
            self._schedule = None
            self.vehicle.renegotiation = None

    def _metering_confirmation(self) -> MeteringConfirmationReq:
        reading, session_id = self.to_confirm, self.vehicle.session_id
        assert reading is not None
        assert session_id is not None
        # Without a contract there is no key to sign it with.
        self.vehicle.note("the meter reading is confirmed without a signature")
        mode: dict[str, Any] = {"Dynamic_SMDTControlMode": Dynamic_SMDTControlMode()}
        if self.conversation.plan is not None:
            scheduled = Scheduled_SMDTControlMode(SelectedScheduleTupleID=self.conversation.plan.id)
            mode = {"Scheduled_SMDTControlMode": scheduled}
        return MeteringConfirmationReq(
            Header=self.conversation.header(),
            SignedMeteringData=SignedMeteringData(Id="id1", SessionID=session_id, MeterInfo=reading, **mode),
        )
