"""ISO 15118-20, what the station answers where a pantograph or the like brings the contacts: positioning, connecting,
status, disconnecting. In between it is DC, see there.

There is no control pilot. What stands for it is seen at the outlet (the vehicle is in its place, the device at its end,
the contacts touch) or told by the vehicle (it is immobilised): where one of them fails there is no voltage. The device
moves while the relays are open, and goes home at the end of every session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

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
    IsolationStatus,
    MechanicalChargingDeviceStatus,
)
from exi.messages.iso15118_20.common import SessionStopReq, SessionStopRes
from exi.messages.iso15118_20.dc import DC_CableCheckReq, DC_CableCheckRes
from exi.messages.iso15118_20.types import Processing, ResponseCode
from hlc.decisions import CableCheckState
from hlc.flow import Refusal
from hlc.ports import AcdpOutlet, Mode, Offset, Pantograph, Trouble
from hlc.rules import Kind
from hlc.rules.iso15118_20.acdp import RULES
from hlc.secc.conversation import Handler
from hlc.secc.iso15118_20 import dc
from hlc.trace.events import Blame
from hlc.v2gtp import PayloadType

if TYPE_CHECKING:
    from hlc.secc.station import Station

OK: Final = ResponseCode.OK
UNSEEN: Final = Offset(32_767.0, 32_767.0)
"""Told of a vehicle that is not seen (yet)."""
ISOLATION: Final[Mapping[CableCheckState | None, IsolationStatus]] = {
    CableCheckState.VALID: IsolationStatus.Safe,
    CableCheckState.WARNING: IsolationStatus.Warning,
    CableCheckState.FAULT: IsolationStatus.Fault,
}


class Conversation(dc.Conversation):
    """One session with a pantograph or the like at the station."""

    rules = RULES
    modes = frozenset({Mode.ACDP, Mode.ACDP_BPT})
    oscillator_retain_s = 0.0

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.device = cast(AcdpOutlet, station.outlet)
        self.connecting = False
        """From the first ACDP_ConnectReq until SessionStopReq: a status may still be on its way when the device is at
        home."""
        self.standing = False
        """Whether the vehicle said last that it does not move."""
        self.immobilised = False
        """Whether it says that it cannot."""

    def handlers(self) -> Mapping[Kind, Handler]:
        return {
            **super().handlers(),
            ACDP_VehiclePositioningReq: self.vehicle_positioning,
            ACDP_ConnectReq: self.connect,
            ACDP_DisconnectReq: self.disconnect,
        }

    def aside_handlers(self) -> Mapping[int, Mapping[Kind, Handler]]:
        status = {ACDP_SystemStatusReq: self.system_status}
        return {**super().aside_handlers(), PayloadType.ACDP_SYSTEM_STATUS: status}

    def opens(self, stream: int) -> frozenset[Kind]:
        if stream == PayloadType.ACDP_SYSTEM_STATUS:
            return frozenset({ACDP_SystemStatusReq}) if self.connecting else frozenset()
        return super().opens(stream)

    def obstacle(self) -> str | None:
        """Why there may be no voltage at the contacts."""
        if self.device.pantograph() is not Pantograph.END_POSITION or not self.device.contact():
            return "the contacts do not touch the vehicle"
        if not self.device.in_position():
            return "the vehicle is not in the charging position"
        if not self.device.associated():
            return "another vehicle stands at the device"
        return None if self.immobilised else "the vehicle does not say that it is immobilised"

    # Handlers

    def vehicle_positioning(self, request: ACDP_VehiclePositioningReq) -> ACDP_VehiclePositioningRes:
        self.standing = not request.EVMobilityStatus
        there = self.device.in_position()
        if there:  # before, nobody can know which vehicle comes
            self._associated()
        return self._positioning(OK, done=there and self.standing)

    def connect(self, request: ACDP_ConnectReq) -> Any:
        self._associated()
        if not self.device.in_position():
            raise Refusal(ResponseCode.FAILED, "the vehicle has left the charging position")
        self.connecting = True
        self.device.connect()
        return self._connect(
            ACDP_ConnectRes, OK, done=self.device.contact() and self._where() is Pantograph.END_POSITION
        )

    def disconnect(self, request: ACDP_DisconnectReq) -> Any:
        self.halt()
        if not self.outlet.relays_closed():
            self.device.disconnect()
        return self._connect(ACDP_DisconnectRes, OK, done=self._where() is Pantograph.HOME)

    def cable_check(self, request: DC_CableCheckReq) -> DC_CableCheckRes:
        if self.supply.check is None and not self.immobilised:  # its status comes on its own way, and may be late
            return DC_CableCheckRes(Header=self.header(), ResponseCode=OK, EVSEProcessing=Processing.Ongoing)
        if obstacle := self.obstacle():
            raise Refusal(ResponseCode.FAILED, obstacle)
        return super().cable_check(request)

    def system_status(self, request: ACDP_SystemStatusReq) -> ACDP_SystemStatusRes:
        self._heed(request.EVTechnicalStatus)
        return self._system_status(OK)

    def _heed(self, status: EVTechnicalStatus) -> None:
        # The element is optional: a vehicle that leaves it out has said before that it stands.
        told = status.EVImmobilized
        self.immobilised = self.standing if told is None else told
        error = status.EVErrorCode
        if error is ErrorCode.FAILED_EmergencyEvent:
            self.station.doom(Blame.REMOTE, "the vehicle reports an emergency")
        elif error is not None and error is not ErrorCode.OK_NoEVError:
            self.station.stop_for_vehicle(f"the vehicle reports {error.value}")
        self._guard()

    def look(self) -> None:
        super().look()
        self._guard()

    def _guard(self) -> None:
        """No voltage at contacts that do not hold, whatever anybody says next."""
        if self.station.live and (obstacle := self.obstacle()):
            self.station.doom(Blame.REMOTE, f"{obstacle}: the current is off")

    def _associated(self) -> None:
        if not self.device.associated():
            text = "the vehicle at the device is not the one that talks"
            raise Refusal(ResponseCode.FAILED_AssociationError, text)

    def session_stop(self, request: SessionStopReq) -> SessionStopRes:
        self.connecting = self.immobilised = False
        return super().session_stop(request)

    # What the engine asks

    def winding_down(self, request: Any) -> bool:
        return isinstance(request, ACDP_DisconnectReq) or super().winding_down(request)

    def can_tell(self, request: Any) -> bool:
        # What a vehicle hears in its status it does not need to hear while it is connected.
        return isinstance(request, ACDP_ConnectReq) or super().can_tell(request)

    def settled(self) -> bool:
        self.device.disconnect()
        return self._where() is Pantograph.HOME

    # Phrases

    def _where(self) -> Pantograph:
        return self.device.pantograph()

    def _positioning(self, code: ResponseCode, *, done: bool) -> ACDP_VehiclePositioningRes:
        offset, window = self.device.vehicle_offset() or UNSEEN, self.device.contact_window()
        return ACDP_VehiclePositioningRes(
            Header=self.header(),
            ResponseCode=code,
            EVSEProcessing=Processing.Finished if done else Processing.Ongoing,
            EVSEPositioningSupport=True,
            EVRelativeXDeviation=_short(offset.x),
            EVRelativeYDeviation=_short(offset.y),
            ContactWindowXc=_short(window.x),
            ContactWindowYc=_short(window.y),
            EVInChargePosition=self.device.in_position(),
        )

    def _connect(self, kind: Kind, code: ResponseCode, *, done: bool) -> Any:
        touching = (
            ElectricalChargingDeviceStatus.State_C if self.station.live else ElectricalChargingDeviceStatus.State_B
        )
        return kind(
            Header=self.header(),
            ResponseCode=code,
            EVSEProcessing=Processing.Finished if done else Processing.Ongoing,
            EVSEElectricalChargingDeviceStatus=touching
            if self.device.contact()
            else ElectricalChargingDeviceStatus.State_A,
            EVSEMechanicalChargingDeviceStatus=MechanicalChargingDeviceStatus(self._where().value),
        )

    def _system_status(self, code: ResponseCode) -> ACDP_SystemStatusRes:
        station, trouble = self.station, self.outlet.trouble()
        return ACDP_SystemStatusRes(
            Header=self.header(),
            ResponseCode=code,
            EVSEMechanicalChargingDeviceStatus=MechanicalChargingDeviceStatus(self._where().value),
            EVSEReadyToCharge=self.outlet.ready() and trouble is None and self.obstacle() is None,
            EVSEIsolationStatus=ISOLATION.get(self.supply.checked, IsolationStatus.Invalid),
            EVSEDisabled=station.stopping is not None or station.doomed is not None,
            EVSEUtilityInterruptEvent=trouble is Trouble.UTILITY,
            EVSEEmergencyShutdown=trouble is Trouble.EMERGENCY,
            EVSEMalfunction=trouble is Trouble.MALFUNCTION,
            EVInChargePosition=self.device.in_position(),
            EVAssociationStatus=self.device.associated(),
        )

    def refusals(self) -> Mapping[Kind, Callable[[ResponseCode], Any]]:
        return {
            **super().refusals(),
            ACDP_VehiclePositioningReq: lambda code: self._positioning(code, done=True),
            ACDP_ConnectReq: lambda code: self._connect(ACDP_ConnectRes, code, done=True),
            ACDP_DisconnectReq: lambda code: self._connect(ACDP_DisconnectRes, code, done=True),
            ACDP_SystemStatusReq: self._system_status,
        }


def _short(millimetres: float) -> int:
    return max(-32_768, min(32_767, round(millimetres)))
