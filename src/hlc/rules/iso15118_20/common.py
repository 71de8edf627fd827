"""ISO 15118-20, what all energy modes share: rows of the main stream, side streams, phases.

Deadlines: ISO 15118-20 tables 215 to 218. The station's share of the phases is the vehicle's less the time in which its
answer still arrives. A mode's file says what comes between ServiceSelection and SessionStop.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from exi.messages.iso15118_20.common import (
    AuthorizationReq,
    AuthorizationRes,
    AuthorizationSetupReq,
    AuthorizationSetupRes,
    CertificateInstallationReq,
    CertificateInstallationRes,
    ChargeProgress,
    ChargingSession,
    MeteringConfirmationReq,
    MeteringConfirmationRes,
    PowerDeliveryReq,
    PowerDeliveryRes,
    ScheduleExchangeReq,
    ScheduleExchangeRes,
    ServiceDetailReq,
    ServiceDetailRes,
    ServiceDiscoveryReq,
    ServiceDiscoveryRes,
    ServiceSelectionReq,
    ServiceSelectionRes,
    SessionSetupReq,
    SessionSetupRes,
    SessionStopReq,
    SessionStopRes,
    VehicleCheckInReq,
    VehicleCheckInRes,
    VehicleCheckOutReq,
    VehicleCheckOutRes,
)
from exi.messages.iso15118_20.types import Processing, ResponseCode
from hlc.ids import ChargePointState as Secc
from hlc.ids import VehicleState as Evcc
from hlc.rules import SETUP, Kind, Phase, Rule, Rules
from hlc.rules.answers import finished
from hlc.v2gtp import PayloadType

row = partial(Rule, payload_type=PayloadType.MAINSTREAM)
loop = partial(Rule, performance_s=0.25, timeout_s=0.5, sequence_s=0.5, sequence_performance_s=0.25)
"""The row of a charge loop. After its answer the station waits half a second for the next request, for the contactors
are closed. [V2G20-1500], [V2G20-1502]"""

NONE: Final[frozenset[Kind]] = frozenset()
STOP: Final[frozenset[Kind]] = frozenset({SessionStopReq})

Then = Callable[[Any, Any], frozenset[Kind]]


CP_OSCILLATOR_RETAIN_S: Final = 1.5
"""So long the station keeps the 5 % duty cycle after a session, as in DIN SPEC 70121 and ISO 15118-2."""


def then(*kinds: Kind) -> frozenset[Kind]:
    """What may follow before the flow of energy: `kinds`, and the end. [V2G20-1484] ff., 8.6"""
    return frozenset((*kinds, SessionStopReq))


def warns(response: Any) -> bool:
    """Whether an answer is no refusal, and no plain yes."""
    return str(response.ResponseCode.value).startswith("WARNING")


def unwrap(document: Any) -> tuple[bytes, Any]:
    """Session ID and message of a document: the header is inside of every message."""
    return document.Header.SessionID, document


def after_authorization(request: Any, response: Any) -> frozenset[Kind]:
    """A warning is a refusal after which another way may be tried. [V2G20-2219], [V2G20-2226] to [V2G20-2230]"""
    if not finished(response):
        return then(AuthorizationReq)
    if warns(response):
        return then(AuthorizationReq, CertificateInstallationReq)
    return then(ServiceDiscoveryReq)


def after_session_stop(request: Any, response: Any) -> frozenset[Kind]:
    """Service renegotiation is no end: services are chosen anew. [V2G20-1477]"""
    again = request.ChargingSession is ChargingSession.ServiceRenegotiation
    return frozenset({ServiceDiscoveryReq}) if again else NONE


# fmt: off
def opening(discovery: Kind, *, first: Kind = AuthorizationSetupReq) -> tuple[Rule, ...]:
    """From the beginning to the charge parameter discovery; `first` follows the set-up of a new session."""
    return (
        # A session that is resumed goes on where it knows enough: authorization and services stay valid. [V2G20-1032],
        # [V2G20-1843], [V2G20-2097]
        row(SessionSetupReq, SessionSetupRes, secc=Secc.SESSION_SETUP, evcc=Evcc.SESSION_SETUP,
            clause="V2G20-1486, V2G20-2097",
            then=lambda req, res: then(discovery if res.ResponseCode is ResponseCode.OK_OldSessionJoined else first)),
        row(AuthorizationSetupReq, AuthorizationSetupRes, secc=Secc.AUTHORIZATION, evcc=Evcc.AUTHORIZATION,
            clause="V2G20-1970",
            then=lambda req, res: then(AuthorizationReq, CertificateInstallationReq)
                                  if res.CertificateInstallationService else then(AuthorizationReq)),
        row(CertificateInstallationReq, CertificateInstallationRes, secc=Secc.PAYMENT_DETAILS_OR_CERTIFICATE,
            evcc=Evcc.CERTIFICATE_INSTALLATION, clause="V2G20-2225", performance_s=4.5, timeout_s=5.0,
            then=lambda req, res: then(AuthorizationReq, CertificateInstallationReq)),
        row(AuthorizationReq, AuthorizationRes, secc=Secc.AUTHORIZATION, evcc=Evcc.AUTHORIZATION, clause="V2G20-1582",
            then=after_authorization),
        row(ServiceDiscoveryReq, ServiceDiscoveryRes, secc=Secc.SERVICE_DISCOVERY, evcc=Evcc.SERVICE_DISCOVERY,
            clause="V2G20-1980",
            then=lambda req, res: then(ServiceDetailReq)),
        row(ServiceDetailReq, ServiceDetailRes, secc=Secc.SERVICE_DISCOVERY, evcc=Evcc.SERVICE_DETAILS,
            clause="V2G20-1980", performance_s=4.5, timeout_s=5.0,
            then=lambda req, res: then(ServiceDetailReq, ServiceSelectionReq)),
        row(ServiceSelectionReq, ServiceSelectionRes, secc=Secc.SERVICE_PAYMENT_SELECTION,
            evcc=Evcc.SERVICE_PAYMENT_SELECTION, clause="V2G20-1980",
            then=lambda req, res: then(discovery)),
    )


def charge_parameters(request: Kind, response: Kind, payload_type: int) -> Rule:
    """The row of a mode's charge parameter discovery."""
    return Rule(request, response, payload_type, secc=Secc.CHARGE_PARAMETER_DISCOVERY,
                evcc=Evcc.CHARGE_PARAMETER_DISCOVERY, clause="V2G20-2098",
                then=lambda req, res: then(request, ScheduleExchangeReq))


def schedule_exchange(*following: Kind) -> Rule:
    """The row of ScheduleExchange, where these follow its final answer."""
    def after(request: Any, response: Any) -> frozenset[Kind]:
        if not finished(response):
            return then(ScheduleExchangeReq)
        # GoToPause: PowerDelivery(Standby) or (Stop) comes next.
        return then(*following, PowerDeliveryReq) if response.GoToPause else then(*following)

    return row(ScheduleExchangeReq, ScheduleExchangeRes, secc=Secc.CHARGE_PARAMETER_DISCOVERY,
               evcc=Evcc.CHARGE_PARAMETER_DISCOVERY, clause="V2G20-2122", then=after)


def power_delivery(start: Kind, *stop: Kind) -> Rule:
    """The row of PowerDelivery: `start` follows its start, `stop` its end."""
    def after(request: Any, response: Any) -> frozenset[Kind]:
        if request.EVProcessing is not Processing.Finished:  # the power profile is still to come
            return then(PowerDeliveryReq)
        match request.ChargeProgress:
            case ChargeProgress.Stop:
                return then(*stop)
            case ChargeProgress.Standby:  # [V2G20-2113], [V2G20-1391], [V2G20-1393]
                return then(PowerDeliveryReq, start)
            case _:
                return frozenset({start})

    return row(PowerDeliveryReq, PowerDeliveryRes, secc=Secc.POWER_DELIVERY, evcc=Evcc.POWER_DELIVERY,
               clause="V2G20-2113", then=after)


def session_stop() -> Rule:
    """The row of SessionStop."""
    return row(SessionStopReq, SessionStopRes, secc=Secc.SESSION_STOP, evcc=Evcc.SESSION_STOP, clause="V2G20-1477",
               then=after_session_stop)


def side(discovery: Rule) -> dict[int, tuple[Rule, ...]]:
    """The side streams. What may be asked in one is the conversation's to say; an exchange goes on as the row says."""
    schedule = partial(Rule, payload_type=PayloadType.SCHEDULE_RENEGOTIATION, secc=Secc.RENEGOTIATION,
                       evcc=Evcc.CHARGE_PARAMETER_DISCOVERY, clause="8.6")
    parking = partial(Rule, payload_type=PayloadType.PARKING_STATUS, secc=Secc.INITIAL, evcc=Evcc.INITIAL, clause="8.6",
                      then=lambda req, res: NONE)
    return {
        PayloadType.SCHEDULE_RENEGOTIATION: (
            schedule(discovery.request, discovery.response,
                     then=lambda req, res: frozenset({discovery.request, ScheduleExchangeReq})),
            schedule(ScheduleExchangeReq, ScheduleExchangeRes,
                     then=lambda req, res: frozenset({PowerDeliveryReq if finished(res) else ScheduleExchangeReq})
                                           if not warns(res) else NONE),
            schedule(PowerDeliveryReq, PowerDeliveryRes,
                     then=lambda req, res: NONE if req.EVProcessing is Processing.Finished
                                           else frozenset({PowerDeliveryReq})),
        ),
        PayloadType.METERING_CONFIRMATION: (
            Rule(MeteringConfirmationReq, MeteringConfirmationRes, PayloadType.METERING_CONFIRMATION,
                 secc=Secc.METERING_RECEIPT, evcc=Evcc.METERING_RECEIPT, clause="V2G20-1083",
                 then=lambda req, res: NONE),
        ),
        PayloadType.PARKING_STATUS: (
            parking(VehicleCheckInReq, VehicleCheckInRes),
            parking(VehicleCheckOutReq, VehicleCheckOutRes),
        ),
    }


def _authorized(message: Any) -> bool:
    """A user who is still to show a card has all the time of the world: no 60 s then."""
    if isinstance(message, AuthorizationRes):
        return message.EVSEProcessing is not Processing.Ongoing
    return isinstance(message, ServiceDiscoveryReq | SessionStopReq)


PHASES: Final = (
    SETUP,
    Phase(CertificateInstallationReq, lambda m: isinstance(m, AuthorizationReq | SessionStopReq),
          evcc="V2G_EVCC_Ongoing_Timeout", timeout_s=60.0,
          secc="V2G_SECC_Ongoing_Performance_Time", performance_s=55.0),
    Phase(AuthorizationReq, _authorized,
          evcc="V2G_EVCC_Ongoing_Timeout", timeout_s=60.0,
          secc="V2G_SECC_Ongoing_Performance_Time", performance_s=55.0),
    Phase(ScheduleExchangeReq,
          lambda m: isinstance(m, SessionStopReq) or (isinstance(m, ScheduleExchangeRes) and finished(m)),
          evcc="V2G_EVCC_Ongoing_Timeout", timeout_s=60.0,
          secc="V2G_SECC_Ongoing_Performance_Time", performance_s=55.0),
)
"""Of all modes."""
# fmt: on

rules = partial(
    Rules,
    unwrap=unwrap,
    wrap=lambda session_id, message: message,
    clauses={"sequence": "V2G20-459", "session": "V2G20-460", "failed": "8.6"},
)
