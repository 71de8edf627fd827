"""ISO 15118-20, what the station answers beside the main stream: a new schedule while energy flows, the confirmation of
a meter reading, parking."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from exi.messages.iso15118_20.common import (
    ChargeProgress,
    EVSECheckOutStatus,
    MeteringConfirmationReq,
    MeteringConfirmationRes,
    PowerDeliveryReq,
    ScheduleExchangeReq,
    VehicleCheckInReq,
    VehicleCheckInRes,
    VehicleCheckOutReq,
    VehicleCheckOutRes,
)
from exi.messages.iso15118_20.types import EVSENotification, MeterInfo, ResponseCode
from hlc.flow import Refusal
from hlc.rules import Kind
from hlc.rules.iso15118_20.services import Intended
from hlc.secc.conversation import Handler
from hlc.v2gtp import PayloadType

if TYPE_CHECKING:
    from hlc.secc.iso15118_20.common import Conversation

OK: Final = ResponseCode.OK
READINGS: Final = 16
"""So many readings of the meter may be confirmed, the last ones: a confirmation goes its own way, while the charge loop
tells further ones."""
NOTHING: Final[frozenset[Kind]] = frozenset()


class Beside:
    """The side streams of one session."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.station = conversation.station
        self.readings: deque[MeterInfo] = deque(maxlen=READINGS)
        """The meter as it was told, the last times."""

    def handlers(self) -> Mapping[int, Mapping[Kind, Handler]]:
        """By stream, the answer to each request."""
        conversation = self.conversation
        return {
            PayloadType.SCHEDULE_RENEGOTIATION: {
                conversation.discovery: conversation.handlers()[conversation.discovery],
                ScheduleExchangeReq: conversation.schedule_exchange,
                PowerDeliveryReq: self.power_delivery,
            },
            PayloadType.METERING_CONFIRMATION: {MeteringConfirmationReq: self.metering_confirmation},
            PayloadType.PARKING_STATUS: {
                VehicleCheckInReq: self.vehicle_check_in,
                VehicleCheckOutReq: self.vehicle_check_out,
            },
        }

    def opens(self, stream: int) -> frozenset[Kind]:
        """What may be asked now in a stream in which no exchange is going on."""
        conversation = self.conversation
        if conversation.selected is None:
            return NOTHING
        if stream == PayloadType.SCHEDULE_RENEGOTIATION and conversation.delivering and not conversation.dynamic:
            return frozenset({conversation.discovery, ScheduleExchangeReq})
        if stream == PayloadType.METERING_CONFIRMATION and self.readings:
            return frozenset({MeteringConfirmationReq})
        if stream == PayloadType.PARKING_STATUS:
            requests = {Intended.CHECK_IN: VehicleCheckInReq, Intended.CHECK_OUT: VehicleCheckOutReq}
            return frozenset(requests[intended] for intended in conversation.selected.intended)
        return NOTHING

    # Handlers

    def power_delivery(self, request: PowerDeliveryReq) -> Any:
        """Beside the charge loop nothing begins or ends."""
        if request.ChargeProgress is not ChargeProgress.ScheduleRenegotiation:
            text = f"PowerDeliveryReq({request.ChargeProgress.value}) beside the charge loop"
            raise Refusal(ResponseCode.FAILED_SequenceError, text, "V2G20-459")
        return self.conversation.power_delivery(request)

    def metering_confirmation(self, request: MeteringConfirmationReq) -> MeteringConfirmationRes:
        data = request.SignedMeteringData
        if data.SessionID != self.station.session_id or data.MeterInfo not in self.readings:
            text = "what the vehicle confirms is not what it was told"
            raise Refusal(ResponseCode.FAILED_MeteringSignatureNotValid, text)
        # Who pays outside of the session has no certificate whose signature could be checked.
        self.station.note("the vehicle confirms the meter reading; its signature is not checked")
        self.conversation.done(EVSENotification.MeteringConfirmation)
        return MeteringConfirmationRes(Header=self.conversation.header(), ResponseCode=OK)

    def vehicle_check_in(self, request: VehicleCheckInReq) -> VehicleCheckInRes:
        self.station.note(f"check-in: {request.EVCheckInStatus.value}, parking: {request.ParkingMethod.value}")
        return VehicleCheckInRes(Header=self.conversation.header(), ResponseCode=OK)

    def vehicle_check_out(self, request: VehicleCheckOutReq) -> VehicleCheckOutRes:
        self.station.note(f"check-out: {request.EVCheckOutStatus.value}")
        return self.check_out(OK, completed=not self.conversation.delivering)

    # Parts of answers

    def read_meter(self) -> MeterInfo:
        """The meter as it is told now: that may be confirmed."""
        outlet, both_ways = self.station.outlet, self.conversation.bidirectional
        self.readings.append(
            MeterInfo(
                MeterID=self.station.settings.MeterID,
                ChargedEnergyReadingWh=max(0, int(outlet.energy_wh())),
                # Optional, and left out while it is zero: vehicles exist that cannot read it (EcoG iso15118).
                BPT_DischargedEnergyReadingWh=max(0, int(outlet.returned_wh())) or None if both_ways else None,
                MeterTimestamp=self.conversation.time(),
            )
        )
        return self.readings[-1]

    def check_out(self, code: ResponseCode, *, completed: bool) -> VehicleCheckOutRes:
        """Whether the vehicle may leave."""
        status = EVSECheckOutStatus.Completed if completed else EVSECheckOutStatus.Scheduled
        return VehicleCheckOutRes(Header=self.conversation.header(), ResponseCode=code, EVSECheckOutStatus=status)
