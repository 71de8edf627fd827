"""When matching alone is over, and what its exit code says."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from hlc.commands import slac
from hlc.runtime.matching import Outcome
from slac.effects import Failed, Linked, Reason, Unlinked

LINKED = Linked(bytes(6), bytes(8), bytes(7), bytes(16), 12.0)
NOBODY = Failed(Reason.NO_EV, "no CM_SLAC_PARM.REQ in 40 s of 5 %")
CHOSEN = Failed(Reason.NOT_CHOSEN, "the vehicle did not ask for the key")


class FakeMatching:
    """A machine whose attempts come to what is given; then the user presses Ctrl-C."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.machine: Any = None
        self.outcomes = list(outcomes)
        self.did: list[str] = []

    def start(self) -> None:
        self.did.append("start")

    def again(self) -> None:
        self.did.append("again")

    async def unless_broken(self, waiting: Any) -> Outcome:
        waiting.close()
        if not self.outcomes:
            raise asyncio.CancelledError
        return self.outcomes.pop(0)

    async def leave(self) -> None:
        self.did.append("leave")


@pytest.mark.parametrize(
    ("outcomes", "stay", "code", "did"),
    [
        ([LINKED, CHOSEN], False, 0, ["start"]),
        ([CHOSEN, LINKED], False, 1, ["start"]),
        ([NOBODY, NOBODY, LINKED], False, 0, ["start", "again", "again"]),
        ([NOBODY], False, 1, ["start", "again"]),
        ([LINKED, Unlinked("noise"), LINKED], True, 0, ["start", "leave"]),
        ([CHOSEN, NOBODY, LINKED], True, 0, ["start", "again", "again", "leave"]),
        ([LINKED, CHOSEN], True, 1, ["start", "again", "leave"]),
    ],
)
def test_an_outlet_waits_for_its_vehicle(outcomes: list[Outcome], stay: bool, code: int, did: list[str]) -> None:
    matching = FakeMatching(*outcomes)
    out = SimpleNamespace(result=lambda lines: None)

    async def run() -> int:
        return await slac._until_known(matching, asyncio.Queue(), out, stay=stay)  # type: ignore[arg-type]

    assert asyncio.run(run()) == code
    assert matching.did == did
