"""Faults for simulated sessions: what may go wrong on the wire and in the world, and how either side has to end then.

A `Fault` strikes at one message, counted from 0 in the order in which both sides send them. `Striker` is its `tamper`
for a `Pair`; what is expected of either side is known when it has struck.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from random import Random
from typing import Any, Final, NamedTuple

import exi
from exi.messages import din70121 as din
from exi.messages.sap import ResponseCode as SapCode
from exi.messages.sap import supportedAppProtocolRes
from hlc import sap
from hlc.ports import Trouble
from hlc.rules.answers import finished
from hlc.rules.din70121 import RULES, wrap
from hlc.sim.pair import Delivery, Pair
from hlc.trace.events import Side

FOREVER_S: Final = 61.0
"""Longer than any deadline for one message."""
SLOW_S: Final = 0.2
"""Shorter than any timeout."""


class Kind(Enum):
    """What goes wrong."""

    NOTHING = "nothing"
    # On the wire
    LOST_CONNECTION = "lost connection"
    DELAYED = "delayed past its timeout"
    SLOW = "delayed within its timeout"
    WRONG_SESSION = "wrong session ID"
    WRONG_SEQUENCE = "wrong sequence"
    FAILED = "FAILED"
    GARBAGE = "garbage bytes"
    DAMAGED = "one bit changed"
    # In the world
    ISOLATION = "isolation fault"
    STUCK = "precharge that never matches"
    EMERGENCY = "emergency stop"
    MALFUNCTION = "malfunction of the outlet"
    UTILITY = "utility interrupt"
    NO_ENERGY = "no energy"
    REFUSED = "user not authorized"
    UNPLUGGED = "unplugged"
    PILOT = "the vehicle leaves state C"
    NEVER_READY = "the vehicle never shows state C"
    VEHICLE_ERROR = "the vehicle reports an error"
    WELDED = "welded contactors"
    OPERATOR = "the operator stops"
    DRIVER = "the driver stops"
    BROKEN_OUTLET = "an exception in the outlet's driver"
    BROKEN_VEHICLE = "an exception in the vehicle's driver"


class Expected(NamedTuple):
    """Whether each side ends well; None: both are right."""

    station: bool | None
    vehicle: bool | None


WELL: Final = Expected(True, True)
BAD: Final = Expected(False, False)
EITHER: Final = Expected(None, None)


class Hit(NamedTuple):
    """The message that a fault strikes, as it was sent and not yet delivered."""

    pair: Pair
    random: Random
    delivery: Delivery
    document: Any
    body: Any

    @property
    def name(self) -> str:
        """Name of the message."""
        return type(self.body).__name__

    @property
    def unusable(self) -> Expected:
        """What follows where the receiver cannot use it: after SessionStopRes the station has ended well already."""
        return Expected(True, False) if self.name == "SessionStopRes" else BAD

    @property
    def before_session(self) -> bool:
        """The vehicle does not know its session yet."""
        return self.name.startswith(("supportedAppProtocol", "SessionSetup"))

    @property
    def before_status(self) -> bool:
        """The station's next answer has no room for a status: it can only fail."""
        if self.name == "ContractAuthenticationRes":
            return not finished(self.body)
        early = ("ServiceDiscovery", "ServicePaymentSelection", "ContractAuthentication")
        return self.before_session or self.name.startswith(early)

    @property
    def delivery_ended(self) -> bool:
        """The station has answered the end of power delivery, or needs no more than to end."""
        return self.pair.messages.count("PowerDeliveryRes") == 2 or "SessionStopReq" in self.pair.messages

    def altered(self, schema: str, document: Any) -> list[tuple[float, Delivery]]:
        """Another document arrives instead."""
        return [(0.0, self.delivery._replace(payload=exi.schema(schema).encode(document)))]


Arriving = list[tuple[float, Delivery]] | None


class Striker:
    """Strikes once. `struck` is the name of the message that was hit; None: the session was too short for it."""

    def __init__(self, kind: Kind, at: int, random: Random) -> None:
        self.kind = kind
        self.at = at
        self.random = random
        self.struck: str | None = None
        self.expected = WELL

    def __call__(self, pair: Pair, number: int, delivery: Delivery) -> Arriving:
        if number != self.at:
            return None
        sap_exchange = number < 2
        document: Any = exi.schema("sap" if sap_exchange else "din70121").decode(delivery.payload)
        body = document if sap_exchange else document.Body.BodyElement
        hit = Hit(pair, self.random, delivery, document, body)
        self.struck = hit.name
        if self.kind in WIRE:
            arriving, self.expected = WIRE[self.kind](hit)
            return arriving
        self.expected = WORLD[self.kind](hit)
        return None


# --- on the wire ------------------------------------------------------------------------------------------------------


def lost_connection(hit: Hit) -> tuple[Arriving, Expected]:
    hit.pair.break_connection()
    return [], hit.unusable


def delayed(hit: Hit) -> tuple[Arriving, Expected]:
    return [(FOREVER_S, hit.delivery)], hit.unusable


def slow(hit: Hit) -> tuple[Arriving, Expected]:
    return [(hit.random.uniform(0.0, SLOW_S), hit.delivery)], WELL


def wrong_session(hit: Hit) -> tuple[Arriving, Expected]:
    # SAP has no session, and the station does not care what SessionSetupReq brings. What SessionSetupRes brings, the
    # vehicle adopts: then the station finds it wrong.
    if hit.before_session and hit.name != "SessionSetupRes":
        return None, WELL
    old = hit.document.Header.SessionID
    new = hit.random.choice((bytes(8), b"\0", old[:4], bytes(octet ^ 0x55 for octet in old)))
    return hit.altered("din70121", wrap(new, hit.body)), hit.unusable


def wrong_sequence(hit: Hit) -> tuple[Arriving, Expected]:
    if hit.name.startswith("supportedAppProtocol"):
        return hit.altered("sap", SAP_RESPONSE if hit.name.endswith("Req") else SAP_REQUEST), hit.unusable
    if type(hit.body) in RULES.by_request:
        kinds = [kind for kind in REQUESTS if kind not in hit.pair.station.expected]
        other: Any = REQUESTS[hit.random.choice(kinds)]
    else:
        other = RESPONSE if hit.name == "SessionSetupRes" else OTHER_RESPONSE
    return hit.altered("din70121", wrap(hit.document.Header.SessionID, other)), hit.unusable


def failed(hit: Hit) -> tuple[Arriving, Expected]:
    if hit.delivery.to is Side.SECC:
        return None, WELL
    if hit.name == "supportedAppProtocolRes":
        return hit.altered("sap", SAP_RESPONSE), hit.unusable
    hit.body.ResponseCode = din.ResponseCode.FAILED
    return hit.altered("din70121", hit.document), hit.unusable


def garbage(hit: Hit) -> tuple[Arriving, Expected]:
    size = hit.random.choice((0, 1, 7, len(hit.delivery.payload), 300))
    # With 0x80 in front, noise is a message now and then.
    noise = b"\x7f" + hit.random.randbytes(size) if size else b""
    return [(0.0, hit.delivery._replace(payload=noise))], hit.unusable


def damaged(hit: Hit) -> tuple[Arriving, Expected]:
    octets = bytearray(hit.delivery.payload)
    octets[hit.random.randrange(len(octets))] ^= 1 << hit.random.randrange(8)
    hit.pair.invariants.told = False
    return [(0.0, hit.delivery._replace(payload=bytes(octets)))], EITHER


# --- in the world -----------------------------------------------------------------------------------------------------


def isolation(hit: Hit) -> Expected:
    hit.pair.outlet.isolation_ohm = 50_000.0
    check = getattr(getattr(hit.pair.station.conversation, "dc", None), "check", None)
    return WELL if check is not None and check.measured else BAD


def stuck(hit: Hit) -> Expected:
    if "PreChargeReq" in hit.pair.messages:
        return WELL
    hit.pair.outlet.precharge_stuck_at = 200.0
    return BAD


def trouble(kind: Trouble) -> Callable[[Hit], Expected]:
    def strike(hit: Hit) -> Expected:
        if kind is Trouble.EMERGENCY:
            hit.pair.outlet.press_emergency_stop()
        else:
            hit.pair.outlet.fault = kind
        if hit.pair.station.closed:
            return WELL
        return Expected(False, hit.delivery_ended)

    return strike


def utility(hit: Hit) -> Expected:
    hit.pair.outlet.fault = Trouble.UTILITY
    return BAD if hit.before_status else WELL


def no_energy(hit: Hit) -> Expected:
    hit.pair.outlet.no_energy = True
    return WELL


def refused(hit: Hit) -> Expected:
    hit.pair.outlet.refused = True
    return BAD if hit.before_status else WELL


def unplugged(hit: Hit) -> Expected:
    hit.pair.cable.plugged = False
    hit.pair.silent = True
    return Expected(hit.pair.station.closed, False)


def pilot(hit: Hit) -> Expected:
    if not hit.pair.ev.state.ready:
        return WELL
    hit.pair.ev.show_ready(ready=False)
    if hit.name == "PowerDeliveryReq" and not hit.body.ReadyToChargeState:
        return Expected(False, True)
    if hit.name == "CurrentDemandRes":  # the vehicle may be about to end anyway
        return Expected(False, None)
    # The station switched off before it sent the answer: it does not look any more.
    return WELL if hit.delivery_ended else BAD


def never_ready(hit: Hit) -> Expected:
    hit.pair.ev.never_ready = True
    return WELL if "CableCheckReq" in hit.pair.messages else BAD


def vehicle_error(hit: Hit) -> Expected:
    hit.pair.ev.trouble = din.DC_EVErrorCode.FAILED_EVRESSMalfunction.value
    # In the charge loop the station hears of it, elsewhere it hears SessionStopReq.
    flowing = "PowerDeliveryReq" in hit.pair.messages and not hit.delivery_ended
    return Expected(None if flowing else True, False)


def welded(hit: Hit) -> Expected:
    hit.pair.ev.welded = True
    opened = hit.delivery_ended and not hit.pair.ev.contactors
    return WELL if opened else Expected(True, False)


def operator(hit: Hit) -> Expected:
    hit.pair.later(lambda: hit.pair.stop(Side.SECC, Kind.OPERATOR.value))
    if hit.pair.station.closed:
        return WELL
    return BAD if hit.before_status else WELL


def driver(hit: Hit) -> Expected:
    hit.pair.later(lambda: hit.pair.stop(Side.EVCC, Kind.DRIVER.value))
    return BAD if hit.before_session else WELL


def broken_outlet(hit: Hit) -> Expected:
    break_driver(hit.pair.outlet, "trouble", "limits", "volts")
    return WELL if hit.pair.station.closed else BAD


def broken_vehicle(hit: Hit) -> Expected:
    break_driver(hit.pair.ev, "error", "limits", "soc")
    # It is looked at when the next answer comes: that to SessionStopReq is the station's good end.
    return Expected(hit.name.startswith("SessionStop"), False)


class BrokenError(Exception):
    """What a broken driver raises."""


def break_driver(hardware: Any, *getters: str) -> None:
    """These getters raise from now on; its switches still work."""

    def raising() -> Any:
        raise BrokenError("the driver does not answer")

    for getter in getters:
        setattr(hardware, getter, raising)


WIRE: Final[Mapping[Kind, Callable[[Hit], tuple[Arriving, Expected]]]] = {
    Kind.LOST_CONNECTION: lost_connection,
    Kind.DELAYED: delayed,
    Kind.SLOW: slow,
    Kind.WRONG_SESSION: wrong_session,
    Kind.WRONG_SEQUENCE: wrong_sequence,
    Kind.FAILED: failed,
    Kind.GARBAGE: garbage,
    Kind.DAMAGED: damaged,
}
WORLD: Final[Mapping[Kind, Callable[[Hit], Expected]]] = {
    Kind.NOTHING: lambda hit: WELL,
    Kind.ISOLATION: isolation,
    Kind.STUCK: stuck,
    Kind.EMERGENCY: trouble(Trouble.EMERGENCY),
    Kind.MALFUNCTION: trouble(Trouble.MALFUNCTION),
    Kind.UTILITY: utility,
    Kind.NO_ENERGY: no_energy,
    Kind.REFUSED: refused,
    Kind.UNPLUGGED: unplugged,
    Kind.PILOT: pilot,
    Kind.NEVER_READY: never_ready,
    Kind.VEHICLE_ERROR: vehicle_error,
    Kind.WELDED: welded,
    Kind.OPERATOR: operator,
    Kind.DRIVER: driver,
    Kind.BROKEN_OUTLET: broken_outlet,
    Kind.BROKEN_VEHICLE: broken_vehicle,
}

# --- messages for the wrong moment ------------------------------------------------------------------------------------

SAP_REQUEST: Final = sap.offer((sap.DIN70121,))
SAP_RESPONSE: Final = supportedAppProtocolRes(ResponseCode=SapCode.Failed_NoNegotiation)
STATUS: Final = din.DC_EVStatus(EVReady=True, EVErrorCode=din.DC_EVErrorCode.NO_ERROR, EVRESSSOC=50)
VOLTS: Final = din.PhysicalValue(Multiplier=0, Unit=din.UnitSymbol.V, Value=400)
AMPS: Final = din.PhysicalValue(Multiplier=0, Unit=din.UnitSymbol.A, Value=10)
SERVICES: Final = din.SelectedServiceList(SelectedService=[din.SelectedService(ServiceID=1)])
PARAMETER: Final = din.DC_EVChargeParameter(DC_EVStatus=STATUS, EVMaximumCurrentLimit=AMPS, EVMaximumVoltageLimit=VOLTS)

REQUESTS: Final[Mapping[Any, Any]] = {
    type(request): request
    for request in (
        din.SessionSetupReq(EVCCID=b"\1"),
        din.ServiceDiscoveryReq(),
        din.ServicePaymentSelectionReq(
            SelectedPaymentOption=din.PaymentOption.ExternalPayment, SelectedServiceList=SERVICES
        ),
        din.ContractAuthenticationReq(),
        din.ChargeParameterDiscoveryReq(
            EVRequestedEnergyTransferType=din.EVRequestedEnergyTransfer.DC_extended, EVChargeParameter=PARAMETER
        ),
        din.CableCheckReq(DC_EVStatus=STATUS),
        din.PreChargeReq(DC_EVStatus=STATUS, EVTargetVoltage=VOLTS, EVTargetCurrent=AMPS),
        din.PowerDeliveryReq(ReadyToChargeState=True),
        din.CurrentDemandReq(DC_EVStatus=STATUS, EVTargetCurrent=AMPS, ChargingComplete=False, EVTargetVoltage=VOLTS),
        din.WeldingDetectionReq(DC_EVStatus=STATUS),
        din.SessionStopReq(),
        din.ServiceDetailReq(ServiceID=1),
        din.ChargingStatusReq(),
    )
}
"""A request of every kind that a session uses, and two that none uses."""
RESPONSE: Final = din.SessionStopRes(ResponseCode=din.ResponseCode.OK)
OTHER_RESPONSE: Final = din.SessionSetupRes(ResponseCode=din.ResponseCode.OK, EVSEID=b"\0")

__all__ = ["BAD", "EITHER", "REQUESTS", "WELL", "Expected", "Kind", "Striker"]
