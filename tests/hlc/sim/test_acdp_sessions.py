"""Whole sessions under a pantograph: two real machines, in virtual time, with everything that may get in the way."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

import exi
from exi.messages.iso15118_20 import acdp
from exi.messages.iso15118_20.types import EVSENotification
from hlc import evcc, sap, secc
from hlc.evcc.iso15118_20.settings import Settings20
from hlc.flow import Transport
from hlc.ports import Mode, Offset, Trouble
from hlc.rules.iso15118_20.services import Control
from hlc.sim import Battery
from hlc.sim.acdp import SimulatedBus, SimulatedPantograph
from hlc.sim.pair import Delivery, Pair
from hlc.trace.events import Event, Fault, Frame, Message, Note, Side

Act = Callable[[Pair], Any]
TLS = Transport("1.3", b"a certificate")
ONE_WAY, BOTH_WAYS = frozenset({Mode.ACDP}), frozenset({Mode.ACDP_BPT})


def at(name: str, act: Act, times: int = 1) -> Callable[[Pair, int, Delivery], None]:
    """Acts once, when a message of this name is on the wire for the so many-th time."""
    done: list[str] = []

    def tamper(pair: Pair, number: int, delivery: Delivery) -> None:
        if not done and pair.messages[-1] == name and pair.messages.count(name) == times:
            done.append(name)
            act(pair)

    return tamper


def charge(
    tamper: Any = None,
    *,
    modes: frozenset[Mode] = ONE_WAY,
    control: Control = Control.SCHEDULED,
    soc: float = 79.95,
    **others: Any,
) -> tuple[Pair, list[Event]]:
    """A short charge, and its events."""
    events: list[Event] = []
    others.setdefault("transport", Transport("1.3"))
    back = 60.0 if modes is BOTH_WAYS else 0.0
    battery = Battery(soc=soc, max_discharge_amps=back, max_discharge_watts=1000.0 * back)
    pair = Pair(
        SimulatedBus(battery, modes=modes, minimum_soc=20.0),
        SimulatedPantograph(modes=modes, back_kilowatts=back),
        protocol="iso15118_20_acdp",
        tamper=tamper,
        trace=events.append,
        vehicle_settings=evcc.Settings(iso15118_20=Settings20(control=control)),
        **others,
    )
    return pair, events


def ran(tamper: Any = None, prepare: Act = lambda p: None, **others: Any) -> tuple[Pair, str]:
    """A session that keeps the invariants, and what was noted or wrong; the pantograph is home in the end."""
    pair, events = charge(tamper, **others)
    prepare(pair)
    pair.run()
    assert not pair.invariants.violations
    assert not pair.ev.contactors
    assert not pair.outlet.relays
    assert pair.outlet.goal == 0.0
    return pair, "\n".join(event.text for event in events if isinstance(event, Fault | Note))


def order(pair: Pair, *, status: bool = False) -> list[str]:
    """The exchanges, each run of the same ones once."""
    names: list[str] = []
    for name in pair.messages:
        if name.endswith("Req") and names[-1:] != [name[:-3]] and (status or name != "ACDP_SystemStatusReq"):
            names.append(name[:-3])
    return names


@pytest.mark.parametrize("modes", [ONE_WAY, BOTH_WAYS], ids=["one way", "both ways"])
@pytest.mark.parametrize("control", list(Control), ids=lambda control: control.name.lower())
def test_a_charge(modes: frozenset[Mode], control: Control) -> None:
    pair, said = ran(modes=modes, control=control)
    assert pair.station.good
    assert pair.vehicle.good
    assert order(pair) == [
        "supportedAppProtocol",
        "SessionSetup",
        "ACDP_VehiclePositioning",
        "AuthorizationSetup",
        "Authorization",
        "ServiceDiscovery",
        "ServiceDetail",
        "ServiceSelection",
        "DC_ChargeParameterDiscovery",
        "ScheduleExchange",
        "ACDP_Connect",
        "DC_CableCheck",
        "DC_PreCharge",
        "PowerDelivery",
        "DC_ChargeLoop",
        "PowerDelivery",
        "DC_WeldingDetection",
        "ACDP_Disconnect",
        "SessionStop",
    ]
    assert pair.ev.soc() == pytest.approx(80.0, abs=0.02)
    assert pair.ev.energy_wh() == pytest.approx(pair.outlet.energy_wh(), rel=0.01)
    assert pair.outlet.way == 0.0
    assert not pair.ev.locked
    assert not said


def test_energy_goes_back() -> None:
    pair, _ = charge(
        at("DC_ChargeLoopRes", lambda p: p.stop(Side.EVCC, "the bus leaves"), 200),
        modes=BOTH_WAYS,
        control=Control.DYNAMIC,
        soc=60.0,
    )
    pair.outlet.managed_watts = -15_000.0
    pair.run()
    assert not pair.invariants.violations
    assert pair.vehicle.good
    assert pair.outlet.returned_wh() > 50.0
    assert pair.ev.soc() < 60.0


def test_it_begins_with_discovery_over_wlan() -> None:
    pair, _ = charge()
    events = list(pair.events())
    found = [event for event in events if isinstance(event, Message)][:2]
    assert [event.id for event in found] == [52, 53]
    assert found[0].message.coupling == found[1].message.coupling == 0x00


def test_the_status_goes_beside_from_connecting_to_disconnecting() -> None:
    pair, events = charge()
    pair.run()
    frames = [event for event in events if isinstance(event, Frame) and event.payload_type == 0x8103]
    requests = [event for event in frames if event.side is Side.EVCC]
    assert len(frames) == 2 * len(requests)
    gaps = [later.at - sooner.at for sooner, later in pairwise(requests)]
    assert all(0.45 < gap < 0.8 for gap in gaps)
    names = [name for name in pair.messages if name.endswith("Req")]
    first, last = names.index("ACDP_SystemStatusReq"), len(names) - names[::-1].index("ACDP_SystemStatusReq") - 1
    assert names[first - 1] == "ACDP_ConnectReq"
    assert names[last - 1] == "ACDP_DisconnectReq"
    told = [e.message.EVTechnicalStatus for e in events if isinstance(e, Message) and e.name == "ACDP_SystemStatusReq"]
    assert all(status.EVImmobilized and status.EVErrorCode == "OK_NoEVError" for status in told)
    assert any(status.EVReadyToCharge for status in told)


@pytest.mark.parametrize(
    ("name", "act", "text"),
    [
        ("DC_ChargeLoopReq", lambda p: setattr(p.outlet, "lifted", True), "do not touch"),
        ("DC_PreChargeReq", lambda p: setattr(p.outlet, "lifted", True), "do not touch"),
        ("DC_CableCheckReq", lambda p: setattr(p.outlet, "other_vehicle", True), "another vehicle"),
        ("ACDP_ConnectReq", lambda p: setattr(p.outlet, "other_vehicle", True), "FAILED_AssociationError"),
        ("ACDP_VehiclePositioningReq", lambda p: setattr(p.outlet, "other_vehicle", True), "FAILED_AssociationError"),
        ("ACDP_ConnectReq", lambda p: setattr(p.ev, "place", Offset(400.0, 0.0)), "left the charging position"),
        ("DC_ChargeLoopReq", lambda p: setattr(p.outlet, "fault", Trouble.MALFUNCTION), "malfunction"),
        ("DC_ChargeLoopReq", lambda p: p.outlet.press_emergency_stop(), "emergency"),
        ("ACDP_ConnectReq", lambda p: setattr(p.outlet, "stuck_at", p.outlet.way), "Ongoing"),
        ("ACDP_ConnectReq", lambda p: setattr(p.outlet, "isolation_ohm", 50_000.0), "isolation fault"),
        ("ACDP_ConnectReq", lambda p: setattr(p.ev, "rolls", True), "left the charging position"),
    ],
)
def test_what_must_not_be_ends_it(name: str, act: Act, text: str) -> None:
    pair, said = ran(at(name, act, 2))
    assert text in said
    assert not pair.station.good
    assert not pair.vehicle.good


@pytest.mark.parametrize("name", ["DC_CableCheckReq", "DC_ChargeLoopReq"])
def test_a_vehicle_that_moves_knows_it_first(name: str) -> None:
    pair, said = ran(at(name, lambda p: setattr(p.ev, "rolls", True), 2))
    assert "the vehicle moves" in said
    assert not pair.vehicle.good


def test_a_vehicle_error_ends_it_in_order() -> None:
    pair, said = ran(at("DC_ChargeLoopReq", lambda p: setattr(p.ev, "trouble", "FAILED_EVRESSMalfunction"), 5))
    assert "FAILED_EVRESSMalfunction" in said
    assert order(pair)[-4:] == ["PowerDelivery", "DC_WeldingDetection", "ACDP_Disconnect", "SessionStop"]
    assert not pair.vehicle.good
    assert pair.outlet.way == 0.0


@pytest.mark.parametrize("side", [Side.SECC, Side.EVCC])
@pytest.mark.parametrize("name", ["ACDP_ConnectReq", "DC_ChargeLoopRes"])
def test_either_side_may_stop(side: Side, name: str) -> None:
    pair, _ = ran(at(name, lambda p: p.later(lambda: p.stop(side, "enough")), 3))
    assert pair.station.good
    assert pair.vehicle.good
    assert order(pair)[-2:] == ["ACDP_Disconnect", "SessionStop"]
    assert pair.outlet.way == 0.0


def test_the_grid_may_end_it() -> None:
    pair, said = ran(at("DC_ChargeLoopReq", lambda p: setattr(p.outlet, "fault", Trouble.UTILITY), 5))
    assert "utility interrupt" in said
    assert order(pair)[-2:] == ["ACDP_Disconnect", "SessionStop"]
    assert pair.vehicle.good


def test_a_bus_that_drives_past_gives_up() -> None:
    def never(pair: Pair) -> None:
        pair.ev.rolls = True

    pair, said = ran(prepare=never)
    assert "does not find its place" in said
    assert "ACDP_ConnectReq" not in pair.messages


def test_a_pause_keeps_the_place() -> None:
    sessions = secc.PausedSessions()
    tamper = at("DC_ChargeLoopRes", lambda p: p.later(lambda: p.stop(Side.EVCC, "later", pause=True)), 5)
    first, _ = ran(tamper, transport=TLS, sessions=sessions)
    assert first.vehicle.paused is not None
    events: list[Event] = []
    second = Pair(
        first.ev,
        first.outlet,
        protocol="iso15118_20_acdp",
        transport=TLS,
        sessions=sessions,
        resume=first.vehicle.paused,
        start=first.now + 600.0,
        trace=events.append,
    ).run()
    assert not second.invariants.violations
    assert second.vehicle.good
    assert second.station.good
    assert order(second)[2:5] == ["DC_ChargeParameterDiscovery", "ScheduleExchange", "ACDP_Connect"]


def test_services_may_be_chosen_anew_and_the_contacts_leave_and_come_again() -> None:
    def ask(pair: Pair) -> None:
        conversation: Any = pair.station.conversation
        conversation.ask(EVSENotification.ServiceRenegotiation)

    pair, _ = ran(at("DC_ChargeLoopRes", ask, 5))
    assert pair.vehicle.good
    assert pair.station.good
    steps = order(pair)
    assert steps.count("ACDP_Connect") == steps.count("ACDP_Disconnect") == steps.count("SessionStop") == 2


# --- answers that a station would not give ----------------------------------------------------------------------------


def altered(name: str, **fields: Any) -> Callable[[Pair, int, Delivery], Any]:
    """Changes one message of this name on its way: the 14th, when a voltage may be on the rails."""

    def tamper(pair: Pair, number: int, delivery: Delivery) -> Any:
        if pair.messages[-1] != name or pair.messages.count(name) != 14:
            return None
        schema = exi.schema(sap.PROTOCOLS[pair.protocol].schemas[delivery.payload_type])
        document: Any = schema.decode(delivery.payload)
        for field, value in fields.items():
            setattr(document, field, value)
        return [(0.0, delivery._replace(payload=schema.encode(document)))]

    return tamper


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"EVSEEmergencyShutdown": True}, "emergency shutdown"),
        ({"EVSEMalfunction": True}, "malfunction"),
        ({"EVAssociationStatus": False}, "another vehicle"),
        ({"EVInChargePosition": False}, "does not see the vehicle in its place"),
        ({"EVSEMechanicalChargingDeviceStatus": acdp.MechanicalChargingDeviceStatus.Moving}, "contacts have left"),
    ],
)
def test_a_status_that_must_not_be_opens_the_contactors(fields: dict[str, Any], text: str) -> None:
    pair, said = ran(altered("ACDP_SystemStatusRes", **fields))
    assert "DC_CableCheckReq" in pair.messages
    assert text in said
    assert not pair.vehicle.good


@pytest.mark.parametrize("field", ["EVSEDisabled", "EVSEUtilityInterruptEvent"])
def test_a_status_that_asks_for_an_end_is_followed_in_order(field: str) -> None:
    pair, _ = ran(altered("ACDP_SystemStatusRes", **{field: True}))
    assert pair.vehicle.good
    assert pair.station.good


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
    "lifted": lambda p: setattr(p.outlet, "lifted", True),
    "stuck": lambda p: setattr(p.outlet, "stuck_at", p.outlet.way),
    "another vehicle": lambda p: setattr(p.outlet, "other_vehicle", True),
    "isolation": lambda p: setattr(p.outlet, "isolation_ohm", 50_000.0),
    "vehicle error": lambda p: setattr(p.ev, "trouble", "FAILED_EVRESSMalfunction"),
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
MESSAGES = 280


@pytest.mark.parametrize("trouble", [*TROUBLES, *WIRE])
def test_whatever_happens_it_is_safe_and_comes_to_an_end(trouble: str) -> None:
    first = sorted([*TROUBLES, *WIRE]).index(trouble)
    for number in range(first, MESSAGES, 47):

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
