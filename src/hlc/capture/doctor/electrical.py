"""Voltage and current: precharge that fails, regulation that is bad, energy that does not flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlc.capture.doctor.about import alarms, deadline_of, the_phase
from hlc.capture.finding import Deadline, Evidence, Finding, Rule, Severity, Who
from hlc.capture.session import Session
from hlc.decisions import MATCH_VOLTS

OVERSHOOT_VOLTS: Final = 20.0
"""Reported voltage above the target from which on a station is said to regulate badly."""


def precharge_missed(session: Session, last_at: float) -> Iterator[Finding]:
    found = _precharge(session)
    state = session.electrical.precharge
    if found is None or state.matched is not None or state.nearest is None:
        return
    length, deadline = found
    volts, target, where = state.nearest
    text = f"precharge never reached its voltage: {volts:.1f} V where {target:.1f} V were asked for, {length}"
    seen = (Evidence(where, f"PreChargeRes: {volts:.1f} V, the nearest to the target"),)
    yield Finding(where, Who.STATION, text, deadline=deadline, evidence=seen)


def precharge_left(session: Session, last_at: float) -> Iterator[Finding]:
    found = _precharge(session)
    state = session.electrical.precharge
    if found is None or state.matched is None or state.nearest is None or session.last_request != "SessionStopReq":
        return
    length, deadline = found
    phase = the_phase(session, "PreCharge")
    assert phase is not None
    first = state.matched.at - phase.first.at
    text = (
        f"the vehicle stopped in precharge instead of asking for power: {length}; the station reported a voltage "
        f"within {MATCH_VOLTS:g} V of the target of {state.nearest.limit:.1f} V from {first:.1f} s on, so "
        f"the vehicle either measured another voltage at its inlet or found something else wrong"
    )
    seen = (
        Evidence(phase.first, "the first PreChargeReq"),
        Evidence(state.matched, "PreChargeRes: the reported voltage is within the limit"),
        Evidence(state.nearest.where, f"PreChargeRes: {state.nearest.value:.1f} V, the nearest to the target"),
        Evidence(phase.last, "the last PreChargeRes"),
    )
    yield Finding(phase.last, Who.VEHICLE, text, deadline=deadline, evidence=seen)


def _precharge(session: Session) -> tuple[str, Deadline | None] | None:
    """How long precharge took, in words, where it did not lead to power delivery."""
    phase = the_phase(session, "PreCharge")
    if phase is None or not phase.answers or "PowerDelivery" in session.phases:
        return None
    took = (session.end.at if session.last_request.endswith("PreChargeReq") else phase.last.at) - phase.first.at
    length = f"{phase.requests} PreCharge exchanges in {took:.1f} s"
    limit = deadline_of(session, "PreChargeReq")
    deadline = None
    if limit is not None and took > limit.timeout_s:
        length += f" ({limit.timeout_s:g} s allowed)"
        deadline = Deadline(limit.evcc, took, limit.timeout_s)
    return length, deadline


def overshoot(session: Session, last_at: float) -> Iterator[Finding]:
    worst = session.electrical.overshoot
    if worst is None or worst.over <= OVERSHOOT_VOLTS:
        return
    volts, target, where = worst
    text = f"bad regulation: the station reported {volts:.1f} V where the vehicle asked for {target:.1f} V"
    trouble = alarms(session, "EVSEStatusCode", "EVErrorCode")
    severity = Severity.CAUSE if trouble else Severity.REMARK
    seen = (Evidence(where, f"CurrentDemandRes: {volts:.1f} V, target {target:.1f} V"),)
    yield Finding(where, Who.STATION, text, severity, evidence=seen)


def no_current(session: Session, last_at: float) -> Iterator[Finding]:
    state = session.electrical
    if session.charged and state.asked_amps >= 2 and state.peak_amps < 0.25 * state.asked_amps:
        text = f"the vehicle asked for up to {state.asked_amps:.1f} A, at most {state.peak_amps:.1f} A flowed"
        yield Finding(session.end, Who.STATION, text, Severity.REMARK)


# fmt: off
RULES: Final = (
    Rule("precharge_missed", "Precharge never reaches the voltage that the vehicle asks for.", precharge_missed,
         "See whether the power supply is on, follows EVTargetVoltage of every request, and is not held down by a load "
         "on the cable."),
    Rule("precharge_left", "The voltage of precharge is reached, and the vehicle stops instead of going on.",
         precharge_left,
         "Measure the voltage at the inlet against what the station reports: most vehicles close their contactors on "
         "their own measurement only (within 20 V)."),
    Rule("overshoot", "The reported voltage exceeds what the vehicle asks for.", overshoot,
         "See how the supply regulates without load: the vehicle should close its contactors before the first "
         "CurrentDemandReq."),
    Rule("little_current", "Much less current flows than the vehicle asks for.", no_current,
         "Compare the limits of both sides in the messages."),
)
# fmt: on
"""Of electrical values."""
