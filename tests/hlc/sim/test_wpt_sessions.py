"""Whole sessions over a pad: two real machines, in virtual time, with everything that may get in the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import exi
from exi.messages.iso15118_20 import wpt
from exi.messages.iso15118_20.types import EVSENotification
from hlc import evcc, sap, secc
from hlc.evcc.iso15118_20.settings import Settings20
from hlc.flow import Transport
from hlc.ports import Offset
from hlc.rules.iso15118_20.services import Control
from hlc.rules.iso15118_20.values import rational
from hlc.sim import Battery
from hlc.sim.pair import Delivery, Pair
from hlc.sim.wpt import SimulatedPad, SimulatedReceiver
from hlc.trace.events import Event, Fault, Frame, Message, Note, Side

Act = Callable[[Pair], Any]
TLS = Transport("1.3", b"a certificate")
APPROACH = ["WPT_FinePositioningSetup", "WPT_FinePositioning", "WPT_Pairing"]
SERVICES = ["AuthorizationSetup", "Authorization", "ServiceDiscovery", "ServiceDetail", "ServiceSelection"]


def at(name: str, act: Act, *more: tuple[str, Act]) -> Callable[[Pair, int, Delivery], None]:
    """Acts one after the other, each when a message of this name is next on the wire."""
    pending = [(name, act), *more]

    def tamper(pair: Pair, number: int, delivery: Delivery) -> None:
        if pending and pair.messages[-1] == pending[0][0]:
            pending.pop(0)[1](pair)

    return tamper


def charge(tamper: Any = None, *, dynamic: bool = False, **others: Any) -> tuple[Pair, list[Event]]:
    """A short charge, and its events."""
    events: list[Event] = []
    others.setdefault("transport", Transport("1.3"))
    settings = evcc.Settings(iso15118_20=Settings20(control=Control.DYNAMIC)) if dynamic else None
    pair = Pair(
        others.pop("vehicle", None) or SimulatedReceiver(Battery(soc=79.95, capacity_wh=30_000.0)),
        others.pop("pad", None) or SimulatedPad(),
        protocol="iso15118_20_wpt",
        tamper=tamper,
        trace=events.append,
        vehicle_settings=settings,
        **others,
    )
    return pair, events


def ran(tamper: Any = None, **others: Any) -> tuple[Pair, str]:
    """A charge that keeps the invariants, and what was noted or wrong."""
    pair, events = charge(tamper, **others)
    pair.run()
    assert not pair.invariants.violations
    assert not pair.ev.contactors
    assert not pair.ev.locked
    assert pair.outlet.field_watts == 0.0
    return pair, "\n".join(event.text for event in events if isinstance(event, Fault | Note))


def order(pair: Pair) -> list[str]:
    """The exchanges, each run of the same ones once."""
    names: list[str] = []
    for name in pair.messages:
        if name.endswith("Req") and names[-1:] != [name[:-3]]:
            names.append(name[:-3])
    return names


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_charge(dynamic: bool) -> None:
    pair, said = ran(dynamic=dynamic)
    assert pair.station.good
    assert pair.vehicle.good
    assert order(pair) == [
        "supportedAppProtocol",
        "SessionSetup",
        *APPROACH,
        *SERVICES,
        "WPT_ChargeParameterDiscovery",
        "WPT_AlignmentCheck",
        "ScheduleExchange",
        "PowerDelivery",
        "WPT_ChargeLoop",
        "PowerDelivery",
        "SessionStop",
    ]
    assert pair.ev.soc() == pytest.approx(80.0, abs=0.02)
    assert 0.85 * pair.outlet.energy_wh() < pair.ev.energy_wh() < pair.outlet.energy_wh()
    assert not said
    assert pair.states[Side.EVCC] == [0, 1, 6, 2, 3, 4, 7, 11, 7, 8, 13, 8, 15]
    assert pair.states[Side.SECC] == [0, 1, 6, 2, 3, 7, 11, 7, 8, 13, 8, 17, 201]


def test_it_begins_with_discovery_over_wlan() -> None:
    pair, _ = charge()
    events = list(pair.events())
    found = [event for event in events if isinstance(event, Message)][:3]
    assert [(event.name, event.id) for event in found] == [
        ("SECCDiscoveryWirelessReq", 52),
        ("SECCDiscoveryWirelessRes", 53),
        ("supportedAppProtocolReq", 80),
    ]
    assert [event.payload_type for event in events if isinstance(event, Frame)][:2] == [0x9002, 0x9003]
    assert found[0].message.coupling == found[1].message.coupling == 0x10


def test_in_dynamic_control_the_energy_management_leads() -> None:
    pad = SimulatedPad()
    pad.managed_watts = 2_000.0
    pair, _ = charge(pad=pad, dynamic=True)
    most = 0.0
    for _ in pair.events():
        most = max(most, pad.field_watts)
    assert pair.vehicle.good
    assert most == pytest.approx(2_000.0)
    assert not pair.invariants.violations


def test_who_parks_badly_tries_again() -> None:
    vehicle = SimulatedReceiver(Battery(soc=79.95, capacity_wh=30_000.0))
    vehicle.parks_at = [Offset(220.0, 0.0), Offset(-180.0, 0.0), Offset(30.0, 0.0)]
    pair, said = ran(vehicle=vehicle)
    assert pair.vehicle.good
    assert order(pair)[2:8] == APPROACH[:2] * 2 + APPROACH[:2]
    assert said.count("once more") == 2


def test_and_leaves_after_three_times() -> None:
    vehicle = SimulatedReceiver()
    vehicle.parks_at = [Offset(220.0, 0.0)]
    pair, said = ran(vehicle=vehicle)
    assert "tried 3 times" in said
    assert not pair.vehicle.good
    assert pair.station.good
    assert "WPT_PairingReq" not in pair.messages


def test_a_driver_who_never_parks_ends_it_after_ten_minutes() -> None:
    vehicle = SimulatedReceiver()
    vehicle.rolls = True
    pair, said = ran(vehicle=vehicle)
    assert "does not find its place" in said
    assert 600 < pair.now < 620


def test_a_vehicle_that_thinks_it_stands_well_is_told_better() -> None:
    pad = SimulatedPad()
    pad.blind = True
    pair, said = ran(pad=pad)
    assert "does not see the vehicle in its place" in said
    assert pair.messages.count("WPT_FinePositioningSetupReq") == 3


def test_over_the_wrong_device_it_is_an_association_error() -> None:
    pair, said = ran(at("WPT_FinePositioningSetupReq", lambda p: setattr(p.cable, "crossed", True)))
    assert "FAILED_AssociationError" in said
    assert not pair.station.good
    assert not pair.vehicle.good
    assert "AuthorizationSetupReq" not in pair.messages


def test_an_object_that_is_taken_away_only_interrupts() -> None:
    tamper = at(
        "WPT_ChargeLoopReq",
        lambda p: setattr(p.outlet, "foreign_object", True),
        ("WPT_FinePositioningSetupReq", lambda p: setattr(p.outlet, "foreign_object", False)),
    )
    pair, said = ran(tamper)
    assert pair.station.good
    assert pair.vehicle.good
    assert "SPCFODDetected" in said
    steps = order(pair)
    again = steps[steps.index("WPT_ChargeLoop") :]
    assert again[:7] == [
        "WPT_ChargeLoop",
        "WPT_AlignmentCheck",
        *APPROACH,
        "WPT_AlignmentCheck",
        "PowerDelivery",
    ]
    assert pair.ev.soc() == pytest.approx(80.0, abs=0.02)


def test_an_object_that_is_gone_before_the_check_costs_no_new_approach() -> None:
    tamper = at(
        "WPT_ChargeLoopReq",
        lambda p: setattr(p.outlet, "living_object", True),
        ("WPT_AlignmentCheckReq", lambda p: setattr(p.outlet, "living_object", False)),
    )
    pair, _ = ran(tamper)
    assert pair.vehicle.good
    assert pair.messages.count("WPT_FinePositioningSetupReq") == 1
    assert pair.messages.count("PowerDeliveryReq") == 3
    assert pair.messages.count("ScheduleExchangeRes") == pair.messages.count("ScheduleExchangeReq")


def test_an_object_that_stays_ends_it() -> None:
    pair, said = ran(at("WPT_ChargeLoopReq", lambda p: setattr(p.outlet, "foreign_object", True)))
    assert "tried 3 times" in said
    assert not pair.vehicle.good
    assert pair.station.good


def test_an_object_before_the_start_is_a_warning_too() -> None:
    """[V2G20-5061]"""
    tamper = at(
        "ScheduleExchangeReq",
        lambda p: setattr(p.outlet, "foreign_object", True),
        ("PowerDeliveryRes", lambda p: setattr(p.outlet, "foreign_object", False)),
    )
    pair, _ = ran(tamper)
    assert pair.vehicle.good
    assert order(pair).count("WPT_FinePositioningSetup") == 2


def test_a_vehicle_that_moves_stops() -> None:
    pair, said = ran(at("WPT_ChargeLoopReq", lambda p: setattr(p.ev, "rolls", True)))
    assert "has left its place" in said
    assert not pair.vehicle.good


def test_a_vehicle_that_is_too_hot_ends_in_order() -> None:
    pair, said = ran(at("WPT_ChargeLoopReq", lambda p: setattr(p.ev, "overheated", True)))
    assert "EVPCTempOverheatDetected" in said
    assert pair.messages[-4:] == ["PowerDeliveryReq", "PowerDeliveryRes", "SessionStopReq", "SessionStopRes"]
    assert not pair.vehicle.good


@pytest.mark.parametrize("side", [Side.SECC, Side.EVCC])
@pytest.mark.parametrize("name", ["WPT_FinePositioningReq", "WPT_AlignmentCheckReq", "WPT_ChargeLoopRes"])
def test_either_side_may_stop(side: Side, name: str) -> None:
    pair, _ = ran(at(name, lambda p: p.later(lambda: p.stop(side, "enough"))))
    assert pair.vehicle.finished
    if side is Side.EVCC or name == "WPT_ChargeLoopRes":
        assert pair.station.good
        assert pair.vehicle.good
    assert pair.messages.count("WPT_ChargeLoopReq") < 10


def test_devices_of_different_height_do_not_fit() -> None:
    pad = SimulatedPad()
    pad.supply = pad.supply._replace(max_clearance_mm=120.0)
    pair, said = ran(pad=pad)
    assert "FAILED_WrongChargeParameter" in said
    assert not pair.vehicle.good


def test_a_pause_keeps_the_place_and_the_check_is_made_again() -> None:
    sessions = secc.PausedSessions()
    tamper = at("WPT_ChargeLoopRes", lambda p: p.later(lambda: p.stop(Side.EVCC, "later", pause=True)))
    first, _ = ran(tamper, transport=TLS, sessions=sessions)
    assert first.vehicle.paused is not None
    again = {"transport": TLS, "sessions": sessions, "resume": first.vehicle.paused, "start": first.now + 600.0}
    second, _ = ran(vehicle=first.ev, pad=first.outlet, **again)
    assert second.vehicle.good
    assert second.station.good
    assert order(second)[2:6] == [
        "WPT_ChargeParameterDiscovery",
        "WPT_AlignmentCheck",
        "ScheduleExchange",
        "PowerDelivery",
    ]


def test_a_vehicle_that_left_during_the_pause_is_found_out() -> None:
    sessions = secc.PausedSessions()
    tamper = at("WPT_ChargeLoopRes", lambda p: p.later(lambda: p.stop(Side.EVCC, "later", pause=True)))
    first, _ = ran(tamper, transport=TLS, sessions=sessions)
    first.ev.place = Offset(200.0, 0.0)
    again = {"transport": TLS, "sessions": sessions, "resume": first.vehicle.paused, "start": first.now + 600.0}
    second, said = ran(vehicle=first.ev, pad=first.outlet, **again)
    assert "not over the primary device" in said
    assert second.vehicle.good  # it has parked again
    assert "WPT_PairingReq" in second.messages


def test_services_may_be_chosen_anew() -> None:
    def ask(pair: Pair) -> None:
        conversation: Any = pair.station.conversation
        conversation.ask(EVSENotification.ServiceRenegotiation)

    pair, _ = ran(at("WPT_ChargeLoopRes", ask))
    assert pair.vehicle.good
    steps = order(pair)
    again = steps[steps.index("SessionStop") + 1 :]
    assert again[:3] == SERVICES[2:]
    assert again[3:7] == ["WPT_ChargeParameterDiscovery", "WPT_AlignmentCheck", "ScheduleExchange", "PowerDelivery"]


@pytest.mark.parametrize("side", list(Side))
def test_a_schedule_is_renegotiated_beside_the_loop(side: Side) -> None:
    pair, events = charge(at("WPT_ChargeLoopRes", lambda p: p.later(lambda: p.renegotiate(side, "prices"))))
    pair.run()
    assert pair.vehicle.good
    beside = [event.payload for event in events if isinstance(event, Frame) and event.payload_type == 0x8101]
    assert len(beside) == 4


# --- answers that a station would not give ----------------------------------------------------------------------------


def altered(name: str, change: Callable[[Any], Any]) -> Callable[[Pair, int, Delivery], Any]:
    """Changes every message of this name on its way."""

    def tamper(pair: Pair, number: int, delivery: Delivery) -> Any:
        if pair.messages[-1] != name:
            return None
        schema = exi.schema(sap.PROTOCOLS[pair.protocol].schemas[delivery.payload_type])
        document: Any = schema.decode(delivery.payload)
        change(document)
        return [(0.0, delivery._replace(payload=schema.encode(document)))]

    return tamper


def alternatives(answer: Any) -> None:
    answer.AlternativeSECCList = wpt.AlternativeSECCList(AlternativeSECC=[wpt.AlternativeSECC(SSID="next door")])


def two_methods(answer: Any) -> None:
    methods = answer.PrimaryDevicePairingMethodList.WPT_PairingMethod
    methods.append(wpt.WPT_PairingMethod.Optical)


def unknown_method(answer: Any) -> None:
    answer.PrimaryDevicePairingMethodList.WPT_PairingMethod[0] = wpt.WPT_PairingMethod.Proprietary


def high(answer: Any) -> None:
    answer.SDMinGroundClearanceSupport, answer.SDMaxGroundClearanceSupport = 300, 400


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        ("WPT_FinePositioningSetupRes", two_methods, "chooses LPE, Optical"),
        ("WPT_FinePositioningSetupRes", unknown_method, "chooses Proprietary"),
        ("WPT_PairingRes", alternatives, "names 1 others"),
        ("WPT_PairingRes", lambda answer: setattr(answer, "ObservedIDCode", 99), "sees vehicle 99, this is 815"),
        ("WPT_ChargeParameterDiscoveryRes", high, "300 to 400 mm"),
        (
            "WPT_AlignmentCheckRes",
            lambda answer: setattr(answer, "PowerTransmitted", rational(900.0)),
            "too little arrives",
        ),
    ],
)
def test_what_a_vehicle_does_not_accept(name: str, change: Any, text: str) -> None:
    pair, said = ran(altered(name, change))
    assert text in said
    assert not pair.vehicle.good
    assert pair.messages[-1] == "SessionStopRes"
    assert "WPT_ChargeLoopReq" not in pair.messages


def test_of_a_station_that_does_not_say_what_it_transmits_the_place_must_do() -> None:
    pair, _ = ran(altered("WPT_AlignmentCheckRes", lambda answer: setattr(answer, "PowerTransmitted", None)))
    assert pair.vehicle.good


# --- faults at any message --------------------------------------------------------------------------------------------


def broken(hardware: Any, *getters: str) -> None:
    """These getters raise from now on."""

    def raising() -> Any:
        raise RuntimeError("the driver does not answer")

    for getter in getters:
        setattr(hardware, getter, raising)


TROUBLES: dict[str, Act] = {
    "lost": lambda p: p.break_connection(),
    "silent": lambda p: setattr(p, "silent", True),
    "emergency": lambda p: p.outlet.press_emergency_stop(),
    "no energy": lambda p: setattr(p.outlet, "no_energy", True),
    "refused": lambda p: setattr(p.outlet, "refused", True),
    "moves": lambda p: setattr(p.ev, "rolls", True),
    "object": lambda p: setattr(p.outlet, "foreign_object", True),
    "animal": lambda p: setattr(p.outlet, "living_object", True),
    "unseen": lambda p: setattr(p.outlet, "blind", True),
    "crossed": lambda p: setattr(p.cable, "crossed", True),
    "hot": lambda p: setattr(p.ev, "overheated", True),
    "welded": lambda p: setattr(p.ev, "welded", True),
    "operator": lambda p: p.later(lambda: p.stop(Side.SECC, "operator")),
    "driver": lambda p: p.later(lambda: p.stop(Side.EVCC, "driver")),
    "broken outlet": lambda p: broken(p.outlet, "trouble", "limits"),
    "broken vehicle": lambda p: broken(p.ev, "soc", "limits"),
}


def garbled(delivery: Delivery) -> list[tuple[float, Delivery]]:
    """One bit is another one."""
    octets = bytearray(delivery.payload)
    octets[len(octets) // 2] ^= 4
    return [(0.0, delivery._replace(payload=bytes(octets)))]


WIRE: dict[str, Callable[[Delivery], list[tuple[float, Delivery]]]] = {
    "late": lambda delivery: [(61.0, delivery)],
    "noise": lambda delivery: [(0.0, delivery._replace(payload=b"\x7f\x55\xaa"))],
    "garbled": garbled,
}
MESSAGES = 192


@pytest.mark.parametrize("trouble", [*TROUBLES, *WIRE])
def test_whatever_happens_it_is_safe_and_comes_to_an_end(trouble: str) -> None:
    first = sorted([*TROUBLES, *WIRE]).index(trouble)
    for number in range(first, MESSAGES, 32):

        def tamper(pair: Pair, count: int, delivery: Delivery, number: int = number) -> Any:
            if count != number:
                return None
            if trouble in WIRE:
                pair.invariants.told = trouble != "garbled"
                return WIRE[trouble](delivery)
            TROUBLES[trouble](pair)
            return None

        pair, events = charge(tamper)
        pair.run()
        assert not pair.invariants.violations, (trouble, number)
        ours = [event.text for event in events if isinstance(event, Fault) and event.blame == "local"]
        assert trouble.startswith("broken") or not ours, (trouble, number, ours)
