"""Faults in the world: what happens to outlet, vehicle and user, and how either side has to end then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hlc.ports import Offset, Trouble
from hlc.sim.acdp import SimulatedBus
from hlc.sim.faults import BAD, EITHER, WELL, Expected, Hit, Kind
from hlc.sim.wpt import AirGap, SimulatedReceiver
from hlc.trace.events import Side

BESIDE: Final = Offset(220.0, 15.0)
"""Too far from a pad."""


def trouble(kind: Trouble) -> Callable[[Hit], Expected]:
    """The outlet can give no energy any more."""

    def strike(hit: Hit) -> Expected:
        if kind is Trouble.EMERGENCY:
            hit.pair.outlet.press_emergency_stop()
        else:
            hit.pair.outlet.fault = kind
        if hit.station.closed:
            return WELL
        if hit.ended:
            # Under a pantograph the vehicle hears of it, in the status.
            return Expected(False, None if hit.pair.protocol == "iso15118_20_acdp" else True)
        # An end that the vehicle wants anyway is answered; where the status says why, it hears of it all the same.
        about_to_end = hit.progress == "ending" or (hit.looping and not hit.request)
        return Expected(False, None if about_to_end and not says_why(hit) else False)

    return strike


def says_why(hit: Hit) -> bool:
    """Whether the status in an answer tells an emergency from a wish to stop."""
    return not hit.iso20 and not ac(hit)


def ac(hit: Hit) -> bool:
    """Whether it is an AC outlet."""
    return hasattr(hit.pair.outlet, "rcd")


def utility(hit: Hit) -> Expected:
    hit.pair.outlet.fault = Trouble.UTILITY
    return hit.orderly


def no_energy(hit: Hit) -> Expected:
    hit.pair.outlet.no_energy = True
    # Told with the parameters the vehicle ends in order; after that an AC outlet closes no contactor.
    return EITHER if ac(hit) and hit.progress in ("", "asked") else WELL


def refused(hit: Hit) -> Expected:
    hit.pair.outlet.refused = True
    if hit.authorized or hit.station.closed:
        return WELL
    # In ISO 15118-20 it is a warning, and the vehicle takes its leave.
    return Expected(True, False) if hit.iso20 else BAD


def unplugged(hit: Hit) -> Expected:
    hit.pair.cable.plugged = False
    hit.pair.silent = True
    return Expected(hit.station.closed, False)


def vehicle_error(hit: Hit) -> Expected:
    hit.pair.ev.trouble = "FAILED_EVRESSMalfunction"
    # In the charge loop the station hears of it, and under a pantograph; elsewhere it hears SessionStopReq.
    heard = (hit.progress and not hit.ended) or (hit.pair.protocol == "iso15118_20_acdp" and not hit.station.closed)
    return Expected(None if heard else True, False)


def operator(hit: Hit) -> Expected:
    hit.pair.later(lambda: hit.pair.stop(Side.SECC, Kind.OPERATOR.value))
    return hit.orderly


def driver(hit: Hit) -> Expected:
    hit.pair.later(lambda: hit.pair.stop(Side.EVCC, Kind.DRIVER.value))
    return BAD if hit.before_session else WELL


def operator_pauses(hit: Hit) -> Expected:
    hit.pair.later(lambda: hit.pair.stop(Side.SECC, Kind.OPERATOR_PAUSES.value, pause=True))
    return hit.orderly


def driver_pauses(hit: Hit) -> Expected:
    hit.pair.later(lambda: hit.pair.stop(Side.EVCC, Kind.DRIVER_PAUSES.value, pause=True))
    return BAD if hit.before_session else WELL


def operator_renegotiates(hit: Hit) -> Expected:
    hit.pair.later(lambda: hit.pair.renegotiate(Side.SECC, Kind.OPERATOR_RENEGOTIATES.value))
    return WELL


def driver_renegotiates(hit: Hit) -> Expected:
    hit.pair.later(lambda: hit.pair.renegotiate(Side.EVCC, Kind.DRIVER_RENEGOTIATES.value))
    return WELL


class BrokenError(Exception):
    """What a broken driver raises."""


def break_driver(hardware: Any, *getters: str) -> None:
    """These getters raise from now on; its switches still work."""

    def raising() -> Any:
        raise BrokenError("the driver does not answer")

    for getter in getters:
        setattr(hardware, getter, raising)


def broken_outlet(hit: Hit) -> Expected:
    break_driver(hit.pair.outlet, "trouble", "limits", "volts")
    return WELL if hit.station.closed else BAD


def broken_vehicle(hit: Hit) -> Expected:
    break_driver(hit.pair.ev, "error", "limits", "soc")
    # It is looked at when the next answer comes: that to SessionStopReq is the station's good end.
    return Expected(hit.over, False)


# With a control pilot


def pilot(hit: Hit) -> Expected:
    if not hit.pair.ev.state.ready:
        return WELL
    hit.pair.ev.show_ready(ready=False)
    if hit.name == "PowerDeliveryReq" and hit.progress == "ending":
        # With AC the pilot may be faster than the message.
        return WELL if ac(hit) else Expected(False, True)
    if hit.looping and not hit.request:  # the vehicle may be about to end anyway
        return Expected(None if ac(hit) else False, None)
    # The station switched off before it sent the answer: it does not look any more.
    return WELL if hit.ended else BAD


def never_ready(hit: Hit) -> Expected:
    hit.pair.ev.never_ready = True
    return WELL if hit.pair.ev.state.ready or hit.ended else BAD


# DC


def isolation(hit: Hit) -> Expected:
    hit.pair.outlet.isolation_ohm = 50_000.0
    conversation: Any = hit.station.conversation
    holder = getattr(conversation, "dc", None) or getattr(conversation, "power", None) or conversation
    check = getattr(getattr(holder, "supply", None), "check", None)
    return WELL if check is not None and check.measured else BAD


def stuck(hit: Hit) -> Expected:
    if any(name.endswith("PreChargeReq") for name in hit.pair.messages):
        return WELL
    hit.pair.outlet.precharge_stuck_at = 200.0
    return BAD


def welded(hit: Hit) -> Expected:
    hit.pair.ev.welded = True
    opened = hit.ended and not hit.pair.ev.contactors
    return WELL if opened else Expected(True, False)


# AC


def contactor_stuck(hit: Hit) -> Expected:
    hit.pair.outlet.stuck = True
    return WELL if hit.pair.outlet.relays or hit.progress not in ("", "asked") else BAD


def contactor_welded(hit: Hit) -> Expected:
    hit.pair.outlet.welded = True
    return WELL if hit.ended and not hit.pair.outlet.relays else BAD


def rcd(hit: Hit) -> Expected:
    hit.pair.outlet.trip_rcd()
    if hit.ended:
        return WELL
    return EITHER if hit.progress == "ending" or (hit.looping and not hit.request) else BAD


# WPT


def foreign_object(hit: Hit) -> Expected:
    setattr(hit.pair.outlet, hit.random.choice(("foreign_object", "living_object")), True)
    if hit.ended:
        return WELL
    # The vehicle tries as often as it may, and takes its leave; it may be about to end anyway.
    return EITHER if hit.agreed or hit.progress == "ending" else Expected(True, False)


def other_pad(hit: Hit) -> Expected:
    assert isinstance(hit.pair.cable, AirGap)
    hit.pair.cable.crossed = True
    paired = any(each.name == "AuthorizationSetupReq" for each in hit.said)
    return WELL if paired else EITHER if hit.name.startswith("WPT_Pairing") else BAD


def misparked(hit: Hit) -> Expected:
    assert isinstance(hit.pair.ev, SimulatedReceiver)
    hit.pair.ev.parks_at.insert(0, BESIDE)
    return WELL


def overheated(hit: Hit) -> Expected:
    assert isinstance(hit.pair.ev, SimulatedReceiver)
    hit.pair.ev.overheated = True
    if hit.ended:
        return WELL
    return EITHER if hit.progress in ("agreed", "ending") else Expected(None, False)


# ACDP


def lifted(hit: Hit) -> Expected:
    hit.pair.outlet.lifted = True
    if hit.ended:  # the vehicle may notice before it hears so
        return EITHER if hit.vehicle.live else WELL
    return EITHER if hit.progress == "ending" or (hit.looping and not hit.request) else BAD


def stuck_on_its_way(hit: Hit) -> Expected:
    way = hit.pair.outlet.way
    hit.pair.outlet.stuck_at = 0.5
    if way > 0.5 or hit.progress:
        return EITHER  # it is needed no more; or the vehicle is not let go
    return BAD


def other_vehicle(hit: Hit) -> Expected:
    hit.pair.outlet.other_vehicle = True
    if hit.ended or hit.progress == "ending" or (hit.looping and not hit.request):
        return EITHER
    # A vehicle that hears of it in its status may leave in order.
    return Expected(None, False) if "ACDP_ConnectReq" in hit.pair.messages else BAD


def rolls(hit: Hit) -> Expected:
    assert isinstance(hit.pair.ev, SimulatedBus | SimulatedReceiver)
    hit.pair.ev.rolls = True
    if hit.over:
        return WELL
    return EITHER if hit.progress else Expected(None, False)


WORLD: Final[Mapping[Kind, Callable[[Hit], Expected]]] = {
    Kind.NOTHING: lambda hit: WELL,
    Kind.EMERGENCY: trouble(Trouble.EMERGENCY),
    Kind.MALFUNCTION: trouble(Trouble.MALFUNCTION),
    Kind.UTILITY: utility,
    Kind.NO_ENERGY: no_energy,
    Kind.REFUSED: refused,
    Kind.UNPLUGGED: unplugged,
    Kind.VEHICLE_ERROR: vehicle_error,
    Kind.OPERATOR: operator,
    Kind.DRIVER: driver,
    Kind.OPERATOR_PAUSES: operator_pauses,
    Kind.DRIVER_PAUSES: driver_pauses,
    Kind.OPERATOR_RENEGOTIATES: operator_renegotiates,
    Kind.DRIVER_RENEGOTIATES: driver_renegotiates,
    Kind.BROKEN_OUTLET: broken_outlet,
    Kind.BROKEN_VEHICLE: broken_vehicle,
    Kind.PILOT: pilot,
    Kind.NEVER_READY: never_ready,
    Kind.ISOLATION: isolation,
    Kind.STUCK: stuck,
    Kind.WELDED: welded,
    Kind.CONTACTOR_STUCK: contactor_stuck,
    Kind.CONTACTOR_WELDED: contactor_welded,
    Kind.RCD: rcd,
    Kind.OBJECT: foreign_object,
    Kind.OTHER_PAD: other_pad,
    Kind.MISPARKED: misparked,
    Kind.OVERHEATED: overheated,
    Kind.LIFTED: lifted,
    Kind.STUCK_ON_ITS_WAY: stuck_on_its_way,
    Kind.OTHER_VEHICLE: other_vehicle,
    Kind.ROLLS: rolls,
}
