"""The log and the results of several sessions at once are told apart."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hlc.commands.output import Output
from hlc.ids import ChargePointState
from hlc.trace.events import Event, Note, SessionEnded, Side, StateEntered


class Written:
    """What was written."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def at(seconds: float, kind: Any, **fields: Any) -> Event:
    event: Event = kind(at=seconds, side=Side.SECC, **fields)
    return event


def sessions(*, as_json: bool, several: bool = False) -> tuple[Written, Written]:
    """Results and log of two sessions at once on an interface, and one more after them; and of one on another."""
    results, log = Written(), Written()

    async def play() -> None:
        out = Output(json=as_json, results=results, log=log)  # type: ignore[arg-type]
        served = out.of("eth1", several=several)
        first, second, third = served.session(), served.session(), served.session()
        served.trace(at(0.0, Note, text="refused"))
        for number, trace in enumerate((first, second), 1):
            trace(at(1.0, StateEntered, state=ChargePointState.INITIAL))
            trace(at(1.0, Note, text=f"of session {number}"))
        for number, trace in enumerate((first, second, third), 1):
            trace(at(2.0, SessionEnded, good=True, reason=f"end {number}", energy_wh=1000.0 * number))
        other = out.of("eth2", several=several).session()
        other(at(3.0, SessionEnded, good=True, reason="end 4", energy_wh=4000.0))
        out.close()

    asyncio.run(play())
    return results, log


def test_lines_of_a_session_that_began_while_another_went_on_have_its_number() -> None:
    results, log = sessions(as_json=False)
    assert [line for line in log.lines if line.startswith("[")] == [line for line in log.lines if "[2] " in line]
    for text, numbered in (("refused", False), ("of session 1", False), ("of session 2", True), ("end 3", False)):
        (line,) = (line for line in log.lines if text in line)
        assert line.startswith("[2] ") is numbered
    told = [line for line in results.lines if "  Session  " in line]
    assert told == [
        "  Session     ended well: end 1",
        "[2]   Session     ended well: end 2",
        "  Session     ended well: end 3",
        "  Session     ended well: end 4",
    ]


def test_with_several_interfaces_every_line_says_which_it_is_about() -> None:
    results, log = sessions(as_json=False, several=True)
    assert {line.partition("]")[0] for line in log.lines} == {"[eth1", "[eth1 2", "[eth2"}
    for text, label in (("refused", "[eth1] "), ("of session 2", "[eth1 2] "), ("end 4", "[eth2] ")):
        (line,) = (line for line in log.lines if text in line)
        assert line.startswith(label)
    told = [line for line in results.lines if "  Session  " in line]
    assert told == [
        "[eth1]   Session     ended well: end 1",
        "[eth1 2]   Session     ended well: end 2",
        "[eth1]   Session     ended well: end 3",
        "[eth2]   Session     ended well: end 4",
    ]


def test_json_has_the_number_of_every_session_and_its_interface() -> None:
    results, _ = sessions(as_json=True)
    events = [json.loads(line) for line in results.lines]
    assert [event.get("session") for event in events] == [None, 1, 1, 2, 2, 1, 2, 3, 4]
    assert [event["interface"] for event in events] == ["eth1"] * 8 + ["eth2"]
    assert [event["reason"] for event in events if event["event"] == "sessionended"] == [
        f"end {number}" for number in (1, 2, 3, 4)
    ]
