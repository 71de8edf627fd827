"""What a session came to."""

from __future__ import annotations

from hlc.ids import ChargePointState, VehicleState
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.pair import Pair
from hlc.trace.console import Paint
from hlc.trace.events import Blame, Fault, Measurement, SessionEnded, Side, StateEntered
from hlc.trace.summary import CURVE, MAX_SAMPLES, Summary, clock, seconds


def lines(summary: Summary, *, unicode: bool = True) -> str:
    return "\n".join(summary.lines(Paint(False), unicode=unicode))


def test_a_whole_session() -> None:
    summary = Summary()
    ev = SimulatedVehicle(Battery(soc=25.0, capacity_wh=300.0), target_soc=90.0)
    for event in Pair(ev, SimulatedOutlet()).events():
        summary(event)
    assert summary.good
    text = lines(summary)
    assert "ended well: charging complete" in text
    assert "by the station's meter" in text
    assert "by the vehicle's meter" in text
    assert "Session Stop                       15    17" in text
    phases = [line.split() for line in text.splitlines() if " s " in line and "Demand" in line]
    messages = sum(int(line.split()[-1]) for line in text.split("messages\n")[1].splitlines() if line)
    assert len(phases) == 1
    assert messages == summary.messages.total() - 2  # but for discovery, which comes before any state
    curve = next(line for line in text.splitlines() if line.startswith("  Power       "))
    assert len(curve.split()[-1]) == CURVE
    assert "▁" not in lines(summary, unicode=False)
    assert "█" not in lines(summary, unicode=False)


def test_a_session_that_failed_names_its_faults() -> None:
    summary = Summary()
    summary(StateEntered(at=10.0, side=Side.SECC, state=ChargePointState.SESSION_SETUP))
    for number in range(7):
        summary(Fault(at=11.0, side=Side.SECC, blame=Blame.REMOTE, text=f"fault {number}"))
    summary(SessionEnded(at=12.5, side=Side.SECC, good=False, reason="timeout", energy_wh=0.0))
    text = lines(summary)
    assert not summary.good
    assert "did not end well: timeout" in text
    assert "SECC: fault 4" in text
    assert "SECC: fault 5" not in text
    assert "and 2 more faults" in text
    assert "Session Setup                             1     0.000 s     2.500 s         0" in text


def test_no_session_at_all() -> None:
    summary = Summary()
    assert not summary.good
    assert "it never began" in lines(summary)


def test_one_side_that_fails_spoils_it() -> None:
    summary = Summary()
    for side, good in ((Side.EVCC, True), (Side.SECC, False)):
        summary(SessionEnded(at=1.0, side=side, good=good, reason="x", energy_wh=0.0))
    assert not summary.good


def test_memory_is_bounded_and_the_curve_keeps_its_shape() -> None:
    summary = Summary()
    summary(StateEntered(at=0.0, side=Side.EVCC, state=VehicleState.CURRENT_DEMAND))
    count = 10 * MAX_SAMPLES
    for number in range(count):
        summary(Measurement(at=float(number), side=Side.SECC, volts=400.0, amps=100.0 * number / count))
        assert len(summary.samples) < MAX_SAMPLES
    curve = next(line for line in lines(summary).splitlines() if line.startswith("  Power       ")).split()[-1]
    assert list(curve) == sorted(curve)
    assert curve[0] == "▁"
    assert curve[-1] == "█"


def test_durations() -> None:
    assert clock(3725.4) == "1:02:05"
    assert (seconds(0.5), seconds(1234.56)) == ("0.500 s", "1234.6 s")
