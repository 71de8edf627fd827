"""ISO 15118-20, what the vehicle asks where a pantograph or the like brings the contacts: positioning, connecting,
status, disconnecting. In between it is DC, see there.

The vehicle is immobilised before it calls the contacts, and until they have left. While a voltage may be on its rails
it looks between messages whether they are still touched, and whether it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from exi.messages.iso15118_20.acdp import (
    ACDP_ConnectReq,
    ACDP_ConnectRes,
    ACDP_DisconnectReq,
    ACDP_DisconnectRes,
    ACDP_SystemStatusReq,
    ACDP_SystemStatusRes,
    ACDP_VehiclePositioningReq,
    ACDP_VehiclePositioningRes,
    ElectricalChargingDeviceStatus,
    ErrorCode,
    EVTechnicalStatus,
    MechanicalChargingDeviceStatus,
)
from exi.messages.iso15118_20.common import AuthorizationSetupReq, SessionSetupRes, SessionStopReq
from exi.messages.iso15118_20.dc import DC_WeldingDetectionReq, DC_WeldingDetectionRes
from exi.messages.iso15118_20.types import ResponseCode
from hlc.evcc.iso15118_20 import dc
from hlc.evcc.iso15118_20.common import percent
from hlc.ports import AcdpEV, Mode, Offset
from hlc.rules import Kind
from hlc.rules.answers import finished
from hlc.rules.iso15118_20.acdp import RULES, connected, positioned
from hlc.trace.events import Blame
from hlc.v2gtp import PayloadType

if TYPE_CHECKING:
    from hlc.evcc.vehicle import Vehicle

STATUS_S: Final = 0.5
"""So often the vehicle tells its status, at most. No source gives the cycle."""
POSITIONING_S: Final = 600.0
"""Who has not parked by then does not want to. The standard gives a driver all the time of the world."""
ERRORS: Final = {
    "NO_ERROR": ErrorCode.OK_NoEVError,
    "FAILED_RESSTemperatureInhibit": ErrorCode.FAILED_RESSTemperatureInhibit,
    "FAILED_EVRESSMalfunction": ErrorCode.FAILED_RESS,
    "FAILED_ChargingCurrentdifferential": ErrorCode.FAILED_ChargingCurrentDifferential,
    "FAILED_ChargingVoltageOutOfRange": ErrorCode.FAILED_ChargingVoltageOutOfRange,
}
"""By the names of DC_EVErrorCode; what has none here is FAILED."""


class Conversation(dc.Conversation):
    """One session with a pantograph or the like in the vehicle."""

    rules = RULES
    modes = frozenset({Mode.ACDP, Mode.ACDP_BPT})
    after_stop = (*dc.Conversation.after_stop, ACDP_DisconnectRes)
    paces: ClassVar[Mapping[Kind, float]] = {
        **dc.Conversation.paces,
        ACDP_VehiclePositioningReq: 0.2,
        ACDP_ConnectReq: 0.2,
        ACDP_DisconnectReq: 0.2,
    }

    def __init__(self, vehicle: Vehicle) -> None:
        super().__init__(vehicle)
        self.bus = cast(AcdpEV, vehicle.ev)
        self.connecting = False
        """From the first answer to ACDP_ConnectReq until the contacts have left."""
        self._told_at = -STATUS_S

    def choices(self) -> Mapping[Kind, Callable[[Any, Any], Kind | None]]:
        return {
            **super().choices(),
            ACDP_VehiclePositioningRes: self.after_vehicle_positioning,
            ACDP_ConnectRes: self.after_connect,
            ACDP_DisconnectRes: lambda req, res: SessionStopReq if finished(res) else ACDP_DisconnectReq,
        }

    def requests(self) -> Mapping[Kind, Callable[[], Any]]:
        return {
            **super().requests(),
            ACDP_VehiclePositioningReq: lambda: ACDP_VehiclePositioningReq(
                Header=self.header(), EVMobilityStatus=self.bus.moving(), EVPositioningSupport=True
            ),
            ACDP_ConnectReq: lambda: ACDP_ConnectReq(
                Header=self.header(), EVElectricalChargingDeviceStatus=self._electrical()
            ),
            ACDP_DisconnectReq: lambda: ACDP_DisconnectReq(
                Header=self.header(), EVElectricalChargingDeviceStatus=self._electrical()
            ),
        }

    # Choices

    def end_before_delivery(self, request: Any, response: Any, allowed: frozenset[Kind]) -> Kind | None:
        if isinstance(response, ACDP_ConnectRes):
            return ACDP_DisconnectReq
        return super().end_before_delivery(request, response, allowed)

    def after_session_setup(self, request: Any, response: SessionSetupRes) -> Kind | None:
        joined = response.ResponseCode is ResponseCode.OK_OldSessionJoined
        return super().after_session_setup(request, response) if joined else ACDP_VehiclePositioningReq

    def after_vehicle_positioning(self, request: Any, response: ACDP_VehiclePositioningRes) -> Kind | None:
        if positioned(response):
            return AuthorizationSetupReq
        if self.waited("positioning") >= POSITIONING_S:
            return self.leave("the vehicle does not find its place")
        return ACDP_VehiclePositioningReq

    def approach(self) -> Kind | None:
        self.ev.lock_connector()
        return ACDP_ConnectReq if self.ev.connector_locked() else None

    def after_connect(self, request: Any, response: ACDP_ConnectRes) -> Kind | None:
        if not connected(response):
            return ACDP_ConnectReq
        return super().approach() if self.bus.contact() else None

    def after_welding_detection(self, request: DC_WeldingDetectionReq, response: DC_WeldingDetectionRes) -> Kind | None:
        following = super().after_welding_detection(request, response)
        return ACDP_DisconnectReq if following is SessionStopReq else following

    # What an answer says beside its purpose

    def answered(self, request: Any, response: Any) -> None:
        super().answered(request, response)
        if isinstance(response, ACDP_VehiclePositioningRes):
            self.bus.guided(Offset(float(response.EVRelativeXDeviation), float(response.EVRelativeYDeviation)))
        elif isinstance(response, ACDP_ConnectRes):
            self.connecting = True
        elif isinstance(response, ACDP_DisconnectRes) and finished(response):
            self.connecting = False

    def look(self) -> None:
        super().look()
        if not self.vehicle.live:
            return
        if not self.bus.contact():
            self.vehicle.emergency(Blame.REMOTE, "the contacts have left the rails")
        elif self.bus.moving():
            self.vehicle.emergency(Blame.SETUP, "the vehicle moves")

    # Status

    def asides(self) -> Iterable[tuple[int, Kind]]:
        yield from super().asides()
        if self.connecting and self.vehicle.now - self._told_at >= STATUS_S:
            yield PayloadType.ACDP_SYSTEM_STATUS, ACDP_SystemStatusReq

    def build_aside(self, stream: int, kind: Kind) -> Any:
        if kind is not ACDP_SystemStatusReq:
            return super().build_aside(stream, kind)
        self._told_at = self.vehicle.now
        return ACDP_SystemStatusReq(
            Header=self.header(),
            EVTechnicalStatus=EVTechnicalStatus(
                EVReadyToCharge=self.vehicle.live,
                # What this asks of the other side no source says; while the contacts are on the rails it is true.
                EVImmobilizationRequest=True,
                EVImmobilized=self.ev.connector_locked() and not self.bus.moving(),
                EVSOC=percent(self.ev.soc()),
                EVErrorCode=ERRORS.get(self.ev.error(), ErrorCode.FAILED),
            ),
        )

    def answered_aside(self, stream: int, request: Any, response: Any) -> None:
        if isinstance(response, ACDP_SystemStatusRes):
            self._heed_status(response)
        else:
            super().answered_aside(stream, request, response)

    def _heed_status(self, status: ACDP_SystemStatusRes) -> None:
        vehicle = self.vehicle
        away = status.EVSEMechanicalChargingDeviceStatus is not MechanicalChargingDeviceStatus.EndPosition
        reasons = {
            "the station reports an emergency shutdown": status.EVSEEmergencyShutdown,
            "the station reports a malfunction": status.EVSEMalfunction,
            "the station sees another vehicle": not status.EVAssociationStatus,
            "the station does not see the vehicle in its place": vehicle.live and not status.EVInChargePosition,
            "the station says that the contacts have left": vehicle.live and away,
        }
        if reason := next((text for text, so in reasons.items() if so), None):
            if vehicle.live or vehicle.stopping is None:
                vehicle.emergency(Blame.REMOTE, reason)
        elif vehicle.stopping is None and (status.EVSEDisabled or status.EVSEUtilityInterruptEvent):
            vehicle.stopping = "stopped by the station (EVSEDisabled)" if status.EVSEDisabled else "utility interrupt"
            vehicle.note(vehicle.stopping)

    def _electrical(self) -> ElectricalChargingDeviceStatus:
        if not self.bus.contact():
            return ElectricalChargingDeviceStatus.State_A
        ready = self.vehicle.live
        return ElectricalChargingDeviceStatus.State_C if ready else ElectricalChargingDeviceStatus.State_B
