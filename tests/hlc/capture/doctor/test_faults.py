"""Simulated sessions with every kind of fault: the first finding names what was planted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Final

import pytest

from hlc.capture.finding import Severity
from hlc.rules.iso15118_20.services import Control
from hlc.sim.course import spoken
from hlc.sim.faults import Kind, kinds
from hlc.sim.worlds import WORLDS, World

GONE: Final = {"unanswered", "sequence_timeout", "closed_early"}
"""Somebody is not there any more, or went without a word."""
SAID: Final = {"failed_code", "station_status", "station_stop"}
"""The station says it, as far as the protocol lets it."""

EXPECTED: Final[dict[Kind, set[str]]] = {
    Kind.LOST_CONNECTION: {"unanswered", "sequence_timeout"},
    Kind.DELAYED: {"unanswered", "closed_early", "precharge_left"},
    Kind.WRONG_SESSION: {"foreign_session_id", "wrong_unknown_session"},
    Kind.WRONG_SEQUENCE: {"sequence_error", "wrong_answer", "out_of_sequence"},
    Kind.FAILED: {"failed_code", "no_common_protocol"},
    Kind.GARBAGE: {"unreadable"},
    Kind.EMERGENCY: SAID | GONE,
    Kind.MALFUNCTION: SAID | GONE,
    Kind.UTILITY: SAID | GONE,
    Kind.NO_ENERGY: {"station_stop", "failed_code"},
    Kind.REFUSED: {"failed_code", "warning_code"},
    Kind.UNPLUGGED: {"unanswered", "sequence_timeout"},
    Kind.VEHICLE_ERROR: {"vehicle_error", "vehicle_reason", "no_charge"},
    Kind.OPERATOR: SAID | GONE,
    Kind.DRIVER: {"no_charge"} | GONE,
    Kind.OPERATOR_PAUSES: SAID | GONE,
    Kind.DRIVER_PAUSES: {"no_charge"} | GONE,
    Kind.BROKEN_OUTLET: SAID | GONE,
    Kind.BROKEN_VEHICLE: GONE | {"no_charge"},
    Kind.PILOT: {"failed_code", "station_status"},
    Kind.NEVER_READY: {"failed_code"},
    Kind.ISOLATION: {"isolation_fault", "failed_code"},
    Kind.STUCK: {"precharge_missed"},
    Kind.WELDED: {"welding_voltage"},
    Kind.CONTACTOR_STUCK: {"failed_code"},
    Kind.CONTACTOR_WELDED: {"failed_code"},
    Kind.RCD: {"residual_current", "failed_code"},
    Kind.OBJECT: {"warning_code", "wireless_diagnostics"},
    Kind.OTHER_PAD: {"failed_code"},
    Kind.OVERHEATED: {"wireless_diagnostics", "no_charge"},
    Kind.LIFTED: {"failed_code"},
    Kind.STUCK_ON_ITS_WAY: {"failed_code"},
    Kind.OTHER_VEHICLE: {"other_vehicle", "failed_code"},
    Kind.ROLLS: {"no_charge", "failed_code", "warning_code"},
}
"""Rules of which one has to tell it first, where the session ends badly or energy is kept from flowing."""
UNSEEN: Final = {Kind.OVERHEATED, Kind.ROLLS, Kind.BROKEN_VEHICLE, Kind.VEHICLE_ERROR, Kind.WELDED, Kind.MALFUNCTION}
UNSEEN |= {Kind.EMERGENCY, Kind.WRONG_SESSION}
"""What need not show in messages: it comes when the energy has flowed, or one side alone knows of it."""
LEFT_OUT: Final = ("supportedAppProtocol", "VehicleCheck", "MeteringConfirmation")
ALIKE: Final = [
    world
    for world in WORLDS
    if world.control in (None, Control.SCHEDULED) and world.mode.value in ("ac", "dc", "wpt", "acdp")
]
"""Worlds that differ in what goes wrong."""


def places(world: World, kind: Kind) -> list[str]:
    """Messages that are struck, always the same ones, of those that every session has."""
    names = [name for name in Counter(spoken(world).messages) if not name.startswith(LEFT_OUT)]
    return Random(f"{world.name} {kind.name}").sample(names, 2)


CASES: Final = [
    pytest.param(world, kind, name, id=f"{world.name}: {kind.value} at {name}")
    for world in ALIKE
    for kind in kinds(world.mode)
    if kind in EXPECTED
    for name in places(world, kind)
]


@pytest.mark.parametrize(("world", "kind", "name"), CASES)
def test_the_first_finding_names_the_fault(
    world: World, kind: Kind, name: str, recorded: Callable[..., Any], decode: Callable[..., Any]
) -> None:
    made = recorded(world, kind, name)
    assert made.struck
    ((_, verdict),) = decode(made.path).plug_ins
    first = verdict.findings[0] if verdict.findings else None
    if verdict.outcome in ("failed", "unfinished"):
        assert first is not None
        assert first.rule in EXPECTED[kind], (first.text, made.pair.station.reason, made.pair.vehicle.reason)
        assert first.advice
        assert first.evidence
    elif verdict.outcome == "poor":
        assert first is not None
        assert first.rule in EXPECTED[kind] | {"little_current"}
    else:
        assert verdict.outcome == "good"
        both = made.pair.station.good and made.pair.vehicle.good
        assert both or kind in UNSEEN, (made.pair.station.reason, made.pair.vehicle.reason)
        assert all(finding.severity is Severity.REMARK for finding in verdict.findings)


@pytest.mark.parametrize("kind", [Kind.NOTHING, Kind.SLOW])
@pytest.mark.parametrize("world", ALIKE, ids=lambda world: world.name)
def test_what_does_no_harm_is_no_finding(
    world: World, kind: Kind, recorded: Callable[..., Any], decode: Callable[..., Any]
) -> None:
    for name in places(world, kind):
        ((_, verdict),) = decode(recorded(world, kind, name).path).plug_ins
        assert verdict.outcome == "good"
        assert {finding.rule for finding in verdict.findings} <= {"tls_version"}  # the recordings are without TLS


@pytest.mark.parametrize("seed", range(12))
def test_a_bit_that_was_changed_breaks_nothing(
    seed: int, recorded: Callable[..., Any], decode: Callable[..., Any]
) -> None:
    world = ALIKE[seed % len(ALIKE)]
    name = Random(seed).choice(list(Counter(spoken(world).messages)))
    for _, verdict in decode(recorded(world, Kind.DAMAGED, name, seed=seed).path).plug_ins:
        assert verdict.reason
