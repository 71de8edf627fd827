"""Sessions of every protocol, energy mode and control mode, with every fault at every message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from hlc.ports import Mode
from hlc.rules.iso15118_20.services import Control
from hlc.sim.course import spoken
from hlc.sim.faults import BAD, WELL, Kind, kinds
from hlc.sim.soak import main, play
from hlc.sim.wire_faults import WIRE
from hlc.sim.world_faults import WORLD
from hlc.sim.worlds import SERVED, WORLDS, World

EACH = {"din70121": 100, "iso15118-2": 75, "iso15118-20": 12}
"""Sessions in each world, by protocol."""
PARTS = [(world, part) for world in WORLDS for part in range(max(1, EACH[world.protocol] // 25))]


def name(value: object) -> str:
    return value.name if isinstance(value, World) else str(value)


@pytest.mark.parametrize(("world", "part"), PARTS, ids=name)
def test_faulty_sessions_end_as_they_should(world: World, part: int) -> None:
    each = min(25, EACH[world.protocol])
    for seed in range(part * each, (part + 1) * each):
        outcome = play(world, seed)
        assert not outcome.problems, outcome


FOUND = [
    ("iso15118-20 dc_bpt scheduled", 20266044),
    ("iso15118-20 dc_bpt dynamic", 20261311),
    ("iso15118-20 mcs_bpt dynamic", 20270153),
    ("iso15118-20 acdp scheduled", 20262812),
    ("iso15118-20 acdp scheduled", 900176),
    ("iso15118-20 acdp scheduled", 870006938),
]
"""What a long soak found: a broken driver of a vehicle that gives energy back, an end told beside the messages,
contacts that leave while the answer to the end of power is on its way, a reading that is confirmed while the next one
is told."""


@pytest.mark.parametrize(("where", "seed"), FOUND)
def test_what_was_found_once(where: str, seed: int) -> None:
    (world,) = (world for world in WORLDS if world.name == where)
    assert not play(world, seed).problems


@pytest.mark.parametrize("world", WORLDS, ids=name)
def test_a_good_session_says_all_that_is_to_be_struck(world: World) -> None:
    said = spoken(world)
    assert {"SessionSetupReq", "PowerDeliveryRes", "SessionStopRes"} <= said.utterances.keys()
    assert Counter(said.messages)["SessionStopReq"] == 1
    assert all(name[-3:] in ("Req", "Res") for name in said.messages)
    if world.control is not None:
        parking = "VehicleCheckInReq" if world.control is Control.SCHEDULED else "VehicleCheckOutReq"
        assert {"MeteringConfirmationReq", parking} <= said.utterances.keys()


def test_every_fault_has_its_world_and_a_seed_is_one_session() -> None:
    assert set(WIRE) | set(WORLD) == set(Kind)
    assert not set(WIRE) & set(WORLD)
    assert {kind for mode in Mode for kind in kinds(mode)} == set(Kind)
    world = WORLDS[0]
    assert play(world, 3) == play(world, 3)
    assert play(world, 3) != play(world, 4)
    assert WELL != BAD
    assert {play(world, seed).kind for seed in range(250)} == set(kinds(Mode.DC))


def test_the_command_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sessions", "3", "--seed", "11"]) == 0
    written = capsys.readouterr().out
    for protocol in SERVED:
        assert f"{protocol} (" in written
    assert "iso15118-2 (dc, ac): 3 sessions from seed 11" in written
    assert written.count("3 ended as they should, 0 did not") == 3


def test_one_world_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sessions", "1", "--protocol", "iso15118-20", "--mode", "wpt", "--control", "dynamic"]) == 0
    assert capsys.readouterr().out.startswith("iso15118-20 (wpt): 1 sessions")


def test_a_session_that_does_not_end_as_it_should_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hlc.sim.soak.unexpected", lambda pair, expected: ["a defect"])
    options = ["--sessions", "1", "--seed", "5", "--protocol", "iso15118-20", "--mode", "dc", "--control", "scheduled"]
    assert main(options) == 1
    assert "--protocol iso15118-20 --mode dc --control scheduled --seed 5 --sessions 1: " in capsys.readouterr().out


def nothing(*words: object, **others: object) -> None:
    return None


PLANTED: tuple[tuple[str, Kind, int, str, Callable[..., object], str], ...] = (
    (
        "iso15118-20 dc scheduled",
        Kind.REFUSED,
        0,
        "hlc.secc.station.Station.make_safe",
        nothing,
        "a voltage is switched",
    ),
    ("iso15118-20 dc dynamic", Kind.PILOT, 25, "hlc.secc.station.Station._watch_pilot", nothing, "not show state C"),
    ("iso15118-2 dc", Kind.ISOLATION, 1, "hlc.evcc.vehicle.Vehicle.make_safe", nothing, "after the vehicle's end"),
    ("iso15118-2 dc", Kind.WELDED, 0, "hlc.decisions.matched", lambda a, b: True, "contactors closed"),
    ("iso15118-2 ac", Kind.OPERATOR, 7, "hlc.evcc.iso15118_2_ac.Ac.wanted", lambda self: 9e4, "the current is above"),
    ("iso15118-2 ac", Kind.GARBAGE, 5, "hlc.secc.station.Station.make_safe", nothing, "the contactor is closed"),
    (
        "iso15118-20 ac scheduled",
        Kind.DRIVER_RENEGOTIATES,
        1,
        "hlc.evcc.iso15118_20.ac.Conversation._mine",
        lambda self, said, name: 9e4,
        "the current is above",
    ),
    (
        "iso15118-20 dc_bpt scheduled",
        Kind.STUCK,
        39,
        "hlc.evcc.iso15118_20.common.Conversation.may_give",
        lambda self: True,
        "at its least",
    ),
    (
        "iso15118-20 wpt scheduled",
        Kind.OBJECT,
        0,
        "hlc.secc.iso15118_20.approach.Approach.obstacle",
        nothing,
        "something lies in the field",
    ),
    (
        "iso15118-20 wpt dynamic",
        Kind.BROKEN_OUTLET,
        0,
        "hlc.secc.iso15118_20.wpt.Conversation._ceiling",
        lambda self: 9e4,
        "leave the coil",
    ),
    (
        "iso15118-20 acdp dynamic",
        Kind.OTHER_VEHICLE,
        5,
        "hlc.secc.iso15118_20.acdp.Conversation.obstacle",
        nothing,
        "another vehicle stands there",
    ),
    (
        "iso15118-20 acdp scheduled",
        Kind.DELAYED,
        10,
        "hlc.secc.iso15118_20.acdp.Conversation.settled",
        lambda self: True,
        "not called home",
    ),
)
"""World, fault, first seed, what is replaced in our own machines, by what, and what the invariants say to it."""


@pytest.mark.parametrize(
    ("world", "fault", "seed", "target", "broken", "text"),
    PLANTED,
    ids=[f"{world} {target.rpartition('.')[2]}" for world, _, _, target, _, _ in PLANTED],
)
def test_a_defect_of_ours_is_seen(
    world: str,
    fault: Kind,
    seed: int,
    target: str,
    broken: Callable[..., object],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [where] = [each for each in WORLDS if each.name == world]
    spoken(where)  # a good session, as long as the machines are
    monkeypatch.setattr(target, broken)
    problems = (problem for number in range(seed, seed + 12) for problem in play(where, number, fault).problems)
    assert any(text in problem for problem in problems)
