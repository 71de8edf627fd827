"""Both state machines against time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hlc.capture.session import Session, Where
from hlc.capture.views.timeline import GAP, STAYS, Axis, Course, TimelineReport
from hlc.capture.views.timeline import lines as chart
from hlc.ids import ChargePointState, VehicleState
from hlc.trace.events import Side, StateEntered

Run = Callable[..., Any]


def test_each_state_of_either_side_has_a_row(hlc_decode: Run, charge_path: Path) -> None:
    found = hlc_decode(charge_path, "--timeline")
    assert found.code == 0
    lines = found.out.splitlines()
    evcc = lines[next(n for n, line in enumerate(lines) if line.startswith("  EVCC")) :]
    cable_check = next(line for line in evcc if "Cable Check" in line)
    assert cable_check.split()[0] == str(int(VehicleState.CABLE_CHECK))
    assert "█" in cable_check
    order = [line.index("█") for line in evcc if "█" in line and line.startswith("  ")]
    half = len(order) // 2
    assert order[:half] == sorted(order[:half])


def test_states_of_iso_15118_20(hlc_decode: Run, charge_20_path: Path) -> None:
    [session] = [json.loads(line) for line in hlc_decode(charge_20_path, "--timeline", "--json").out.splitlines()]
    names = [state["name"] for state in session["states"]["EVCC"]]
    assert names[:2] == ["Session Setup", "Authentication / Authorization"]
    assert names[-1] == "Session Stop"


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 160])
def test_it_is_as_wide_as_the_terminal(hlc_decode: Run, charge_path: Path, columns: int) -> None:
    found = hlc_decode(charge_path, "--timeline", columns=columns)
    widest = max(map(len, found.out.splitlines()))
    assert widest <= max(columns, 50)
    if columns >= 80:
        assert widest > columns - 15


def test_for_machines(hlc_decode: Run, charge_path: Path) -> None:
    [session] = [json.loads(line) for line in hlc_decode(charge_path, "--timeline", "--json").out.splitlines()]
    secc = session["states"]["SECC"]
    assert [state["name"] for state in secc[:2]] == ["Session Setup", "Service Discovery"]
    assert [state["time"] for state in secc] == sorted(state["time"] for state in secc)
    assert session["protocol"] == "din70121"
    assert session["more"] == {"EVCC": 0, "SECC": 0}


def test_it_has_no_xml(hlc_decode: Run, charge_path: Path) -> None:
    found = hlc_decode(charge_path, "--timeline", "--xml")
    assert (found.code, found.out) == (2, "")
    assert "--timeline has no XML form" in found.err
    assert hlc_decode("809a0211", "--timeline").err == "hlc decode: --timeline is for captures; this is one payload\n"
    assert hlc_decode(charge_path, "--timeline", "--timing").code == 2


def test_a_long_time_without_change_is_cut_short() -> None:
    axis = Axis(0.0, 3610.0, [0.0, 2.0, 5.0, 3605.0], 50)
    assert axis.cut is not None
    assert axis.column(5.0) - axis.column(2.0) > 5
    assert axis.column(3610.0) == pytest.approx(50)
    bar = axis.bar(5.0, 3605.0, unicode=True)
    assert bar.count("┄") == GAP
    assert axis.bar(5.0, 3605.0, unicode=False).count(".") == GAP


def test_a_short_time_is_not() -> None:
    axis = Axis(0.0, 10.0, [1.0, 4.0, 6.0, 9.0], 50)
    assert axis.cut is None
    assert axis.column(4.0) == pytest.approx(20)
    assert axis.bar(4.0, 6.0, unicode=True) == " " * 20 + "█" * 10
    assert axis.bar(4.0, 4.0, unicode=True) == " " * 20 + "▏"


@pytest.mark.parametrize("began", [0.0, 1e9, 1e16])
@pytest.mark.parametrize("lasted", [0.0, 1e-7, 1e16])
def test_sessions_of_odd_length(began: float, lasted: float) -> None:
    axis = Axis(began, began + lasted, [began - 1e9, began, began + lasted / 3, began + 2e9], 30)
    assert 0 <= axis.column(began - 1e12) <= axis.column(began + 1e12) <= 30
    assert len(axis.bar(began, began + lasted, unicode=True)) <= 30
    assert len(axis.ruler()) <= 30


def test_memory_is_bounded(hlc_decode: Run) -> None:
    """A charge loop with receipts enters two states in every exchange."""
    course = Course()
    for n in range(3 * STAYS):
        state = ChargePointState.CURRENT_DEMAND if n % 2 else ChargePointState.METERING_RECEIPT
        course.enter(StateEntered(at=float(n), side=Side.SECC, state=state), n)
    assert len(course.stays[Side.SECC]) == STAYS
    session = Session(1, Where(0.0, 1), end=Where(3.0 * STAYS, 9))
    from hlc.capture.doctor import Verdict

    text = [line for line, _ in chart(course, session, Verdict("good", "over", []), 100)]
    assert f"      and {2 * STAYS} more" in text


def test_a_session_of_which_nothing_was_decoded() -> None:
    from hlc.capture.doctor import Verdict

    said: list[str] = []
    report = TimelineReport(said.append, json=False, paint=lambda colour, text: text, width=80, unicode=True)
    report.finished(Session(1, Where(0.0, 1), end=Where(1.0, 2)), Verdict("unfinished", "it is encrypted", []))
    assert "no state is known" in "\n".join(said)
