"""Where nothing went wrong nothing is found: simulated sessions of every protocol, mode and control."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hlc.capture.doctor import Severity
from hlc.capture.writer import PcapngWriter
from hlc.sim.course import course, wishes
from hlc.sim.worlds import WORLDS, World

REMARKS = {"little_current", "tls_version"}
"""What may be said of a session with a small outlet, and of one whose messages stand in the capture without TLS."""


@pytest.mark.parametrize("everything", [False, True], ids=["plain", "with everything beside the charge"])
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_nothing_is_found_in_a_good_session(
    world: World, everything: bool, decode: Callable[..., Any], tmp_path: Path
) -> None:
    random = Random(world.name)
    wanted = wishes(world, random, twice=everything, all_of_them=everything)
    pair = course(world, random, wanted, lambda pair, number, delivery: None).pair
    writer = PcapngWriter(tmp_path / "charge.pcapng", wall=lambda: 1_700_000_000.0)
    for event in pair.events():
        writer(event)
    writer.close()
    result = decode(tmp_path / "charge.pcapng")
    ((session, verdict),) = result.sessions
    assert verdict.outcome == "good"
    assert [(judged.outcome, judged.reason) for _, judged in result.plug_ins] == [("good", "nothing wrong")]
    assert {finding.rule for finding in verdict.findings} <= REMARKS
    assert all(seen.text for finding in verdict.findings for seen in finding.evidence)
    assert ("tls_version" in {finding.rule for finding in verdict.findings}) is world.negotiated.startswith(
        "iso15118_20"
    )
    assert all(finding.severity is Severity.REMARK for finding in verdict.findings)
    assert session.protocol == world.negotiated
    assert sum(result.messages.values()) == len(pair.messages)
    assert not result.totals.undecoded
