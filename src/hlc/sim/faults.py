"""Faults for simulated sessions: what may go wrong on the wire and in the world, and how either side has to end then.

A fault strikes at one message, named by its `Place`. `Striker` is its `tamper` for a `Pair`; what is expected of either
side is known when it has struck. What each does is in `wire_faults` and `world_faults`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from functools import cached_property
from random import Random
from typing import Any, Final, NamedTuple

from hlc.ports import Mode
from hlc.rules import MAIN
from hlc.rules.answers import finished
from hlc.sim.pair import Delivery, Pair
from hlc.trace.events import Message, Side


class Kind(Enum):
    """What goes wrong; or nothing does, and somebody wants something."""

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
    # In every world
    EMERGENCY = "emergency stop"
    MALFUNCTION = "malfunction of the outlet"
    UTILITY = "utility interrupt"
    NO_ENERGY = "no energy"
    REFUSED = "user not authorized"
    UNPLUGGED = "unplugged"
    VEHICLE_ERROR = "the vehicle reports an error"
    OPERATOR = "the operator stops"
    DRIVER = "the driver stops"
    OPERATOR_PAUSES = "the operator wants a pause"
    DRIVER_PAUSES = "the driver wants a pause"
    OPERATOR_RENEGOTIATES = "the operator wants a new schedule"
    DRIVER_RENEGOTIATES = "the driver wants a new schedule"
    BROKEN_OUTLET = "an exception in the outlet's driver"
    BROKEN_VEHICLE = "an exception in the vehicle's driver"
    # With a control pilot
    PILOT = "the vehicle leaves state C"
    NEVER_READY = "the vehicle never shows state C"
    # DC
    ISOLATION = "isolation fault"
    STUCK = "precharge that never matches"
    WELDED = "welded contactors"
    # AC
    CONTACTOR_STUCK = "a contactor that does not close"
    CONTACTOR_WELDED = "a contactor that does not open"
    RCD = "the residual current device trips"
    # WPT
    OBJECT = "an object in the field"
    OTHER_PAD = "the vehicle stands over another pad"
    MISPARKED = "the vehicle parks beside the pad at first"
    OVERHEATED = "the vehicle's device overheats"
    # ACDP
    LIFTED = "the contacts leave the rails"
    STUCK_ON_ITS_WAY = "a pantograph stuck on its way"
    OTHER_VEHICLE = "another vehicle stands there"
    # Where nothing is plugged in
    ROLLS = "the vehicle rolls away"


PILOTED: Final = (Kind.PILOT, Kind.NEVER_READY)
CONDUCTED: Final = (Kind.ISOLATION, Kind.STUCK, Kind.WELDED)
OWN: Final[Mapping[str, tuple[Kind, ...]]] = {
    "dc": (*PILOTED, *CONDUCTED),
    "mcs": (*PILOTED, *CONDUCTED),
    "ac": (*PILOTED, Kind.CONTACTOR_STUCK, Kind.CONTACTOR_WELDED, Kind.RCD),
    "wpt": (Kind.WELDED, Kind.OBJECT, Kind.OTHER_PAD, Kind.MISPARKED, Kind.OVERHEATED, Kind.ROLLS),
    "acdp": (*CONDUCTED, Kind.LIFTED, Kind.STUCK_ON_ITS_WAY, Kind.OTHER_VEHICLE, Kind.ROLLS),
}
"""What goes wrong in one kind of world alone."""


def kinds(mode: Mode) -> tuple[Kind, ...]:
    """What may go wrong where energy is transferred so."""
    other = {kind for own in OWN.values() for kind in own}
    own = OWN[mode.value.removesuffix("_bpt")]
    return tuple(kind for kind in Kind if kind not in other or kind in own)


class Expected(NamedTuple):
    """Whether each side ends well; None: both are right."""

    station: bool | None
    vehicle: bool | None


WELL: Final = Expected(True, True)
BAD: Final = Expected(False, False)
EITHER: Final = Expected(None, None)

WITH_STATUS: Final = frozenset(
    {
        *("ChargeParameterDiscovery", "CableCheck", "PreCharge", "PowerDelivery", "CurrentDemand", "ChargingStatus"),
        *("MeteringReceipt", "WeldingDetection", "SessionStop"),
    }
)
WITH_STATUS_20: Final = frozenset(
    {
        *("ScheduleExchange", "PowerDelivery", "AC_ChargeLoop", "DC_ChargeLoop", "WPT_ChargeLoop"),
        *("DC_WeldingDetection", "ACDP_Disconnect", "SessionStop"),
    }
)
"""Exchanges whose answer has room for the station's wish to stop, or leads to the end anyway; in ISO 15118-20 they are
fewer."""
LOOPS: Final = ("CurrentDemand", "ChargingStatus", "AC_ChargeLoop", "DC_ChargeLoop", "WPT_ChargeLoop")


class Hit:
    """The message that a fault strikes, as it was sent and not yet delivered; and how far the two have come."""

    def __init__(self, pair: Pair, random: Random, delivery: Delivery, number: int) -> None:
        self.pair = pair
        self.random = random
        self.delivery = delivery
        self.message = pair.said[number]
        self.said = pair.said[: number + 1]
        self.station, self.vehicle = pair.station, pair.vehicle

    @property
    def name(self) -> str:
        """Name of the message."""
        return self.message.name

    @property
    def exchange(self) -> str:
        """Of request and answer."""
        return self.name[:-3]

    @cached_property
    def body(self) -> Any:
        """The message without what is around it."""
        return body(self.pair, self.message)

    @property
    def request(self) -> bool:
        """Whether it goes to the station."""
        return self.delivery.to is Side.SECC

    @property
    def aside(self) -> bool:
        """Whether it is of a side stream."""
        rules = self.station.rules
        return rules is not None and rules.stream(self.delivery.payload_type) != MAIN

    @property
    def iso20(self) -> bool:
        return self.pair.protocol.startswith("iso15118_20")

    @property
    def looping(self) -> bool:
        """Whether it belongs to the charge loop."""
        return self.exchange in LOOPS

    @property
    def before_session(self) -> bool:
        """The vehicle does not know its session yet."""
        return self.name.startswith(("supportedAppProtocol", "SessionSetup"))

    @property
    def unusable(self) -> Expected:
        """What follows where the receiver cannot use it."""
        if self.station.closed:  # it has answered SessionStopReq, and ended well
            return Expected(True, False)
        return EITHER if self.aside and self.over else BAD

    @property
    def orderly(self) -> Expected:
        """What follows where the station wants an end: one in order, if its next answer has room to say so."""
        if self.station.closed:
            return WELL
        if self.before_session:
            return BAD
        if self.request and not self.aside:
            following = {self.exchange}
        else:
            following = {kind.__name__[:-3] for kind in self.station.expected} - {"SessionStop"}
        silent = following - (WITH_STATUS_20 if self.iso20 else WITH_STATUS)
        if not silent:
            return WELL
        # From there on there is a status beside the messages.
        if "ACDP_ConnectReq" in self.pair.messages or "ACDP_Connect" in following:
            return EITHER
        return BAD if silent == following else EITHER

    # How far the two have come

    @cached_property
    def authorized(self) -> bool:
        return any(
            each.name in ("AuthorizationRes", "ContractAuthenticationRes") and finished(body(self.pair, each))
            for each in self.said
        )

    @cached_property
    def progress(self) -> str:
        """Of the flow of energy: "", "asked", "agreed", "ending", "ended"."""
        found = ""
        for each in self.said:
            if each.name == "PowerDeliveryReq":
                found = power_delivery(body(self.pair, each), found)
            elif each.name == "PowerDeliveryRes":
                found = {"asked": "agreed", "ending": "ended"}.get(found, found)
            elif each.name == "SessionStopReq" and goes_on(body(self.pair, each)):
                found = ""
        return found

    @property
    def agreed(self) -> bool:
        """The flow of energy is agreed on, and its end is not asked for."""
        return self.progress == "agreed"

    @property
    def ended(self) -> bool:
        """The station has answered the end of power delivery, or needs no more than to end."""
        return self.progress == "ended" or self.over

    @cached_property
    def over(self) -> bool:
        """SessionStopReq has been sent."""
        asked = [body(self.pair, each) for each in self.said if each.name == "SessionStopReq"]
        return bool(asked) and not goes_on(asked[-1])


def body(pair: Pair, message: Message) -> Any:
    """A message without what is around it."""
    if message.schema == "sap" or pair.station.rules is None:
        return message.message
    return pair.station.rules.unwrap(message.message)[1]


def goes_on(request: Any) -> bool:
    """Whether a SessionStopReq is no end: services are chosen anew."""
    session = getattr(request, "ChargingSession", None)
    return session is not None and session.value == "ServiceRenegotiation"


def power_delivery(request: Any, before: str) -> str:
    """How far the two are with this request."""
    ready = getattr(request, "ReadyToChargeState", None)
    progress = request.ChargeProgress.value if ready is None else "Start" if ready else "Stop"
    return {"Start": "asked", "Stop": "ending", "Renegotiate": ""}.get(progress, before)


class Place(NamedTuple):
    """The message that is struck: the `nth` of this name."""

    name: str
    nth: int


Arriving = list[tuple[float, Delivery]] | None
Strike = Callable[[Hit], tuple[Arriving, Expected]]


class Striker:
    """Strikes once. `struck` says whether the message came up; if it did not, the session ends well."""

    def __init__(self, strike: Strike, place: Place, random: Random) -> None:
        self.strike = strike
        self.place = place
        self.random = random
        self.struck = False
        self.expected = WELL
        self._seen = 0

    def __call__(self, pair: Pair, number: int, delivery: Delivery) -> Arriving:
        if self.struck or pair.messages[number] != self.place.name:
            return None
        self._seen += 1
        if self._seen < self.place.nth:
            return None
        self.struck = True
        arriving, self.expected = self.strike(Hit(pair, self.random, delivery, number))
        return arriving


__all__ = ["BAD", "EITHER", "WELL", "Arriving", "Expected", "Hit", "Kind", "Place", "Striker", "kinds"]
