"""Voltage and current: precharge that fails, regulation that is bad, limits that are exceeded.

Both are known only as the two report them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlc.capture.doctor.about import alarms, deadline_of, first_closing, the_phase, went_well
from hlc.capture.electrical import Excess, Reading
from hlc.capture.finding import Deadline, Evidence, Finding, Rule, Severity, Who
from hlc.capture.session import Phase, Session
from hlc.decisions import MATCH_VOLTS, SAFE_VOLTS

OVERSHOOT_VOLTS: Final = 20.0
"""Reported voltage above the target from which on a station is said to regulate badly."""
SHORT_S: Final = 3.0
"""So long a supply may take to reach a voltage."""
FEW: Final = 3
"""After fewer exchanges what is reported may lag behind what the vehicle measures."""
OFF: Final = 0.1
"""A supply that comes to no more than this share of its target is off."""
WELDED_S: Final = 1.0
"""A voltage that does not fall in this time is held by somebody (IEC 61851-23: the time to discharge)."""
HELD: Final = 0.5
"""An outlet that keeps more than this share of its voltage has not begun to discharge."""
IMPLAUSIBLE: Final = 8.0
"""A value that exceeds its limit so many times is no value but a wrong multiplier or unit."""


def precharge_missed(session: Session, last_at: float) -> Iterator[Finding]:
    state = session.electrical.precharge
    phase = _unfinished(session)
    if phase is None or state.matched is not None or state.nearest is None:
        return
    if session.end.at - phase.first.at < SHORT_S:
        return  # it ended before it could get anywhere
    length, deadline = _length(session, phase)
    volts, target, where = state.nearest
    text = f"precharge never reached its voltage: {volts:.1f} V where {target:.1f} V were asked for, {length}"
    advice = ""
    if state.most_volts <= OFF * target:
        text += ": the supply seems to be off"
        advice = "See why the station's supply gives no voltage: switched off, relays open, output short-circuited."
    seen = [
        Evidence(phase.first, "the first PreChargeReq"),
        Evidence(where, f"PreChargeRes: {volts:.1f} V, the nearest"),
    ]
    if state.first_volts is not None and state.first != where:
        seen.append(Evidence(state.first, f"the first PreChargeRes: {state.first_volts:.1f} V"))
    yield Finding(where, Who.STATION, text, deadline=deadline, evidence=tuple(seen), advice=advice)


def precharge_left(session: Session, last_at: float) -> Iterator[Finding]:
    state = session.electrical.precharge
    phase = _unfinished(session)
    if phase is None or state.matched is None or state.nearest is None:
        return
    if any(alarm.value.startswith("FAILED") for alarm in alarms(session, "ResponseCode")):
        return  # it was sent away
    closing = first_closing(session)
    stopped = session.last_request == "SessionStopReq"
    left = closing is not None and Who.of(closing.side) is Who.VEHICLE
    long = deadline_of(session, "PreChargeReq")
    took = session.end.at - phase.first.at
    if not stopped and not left and (long is None or took <= long.timeout_s):
        return
    length, deadline = _length(session, phase)
    first = state.matched.at - phase.first.at
    what = "stopped in precharge" if stopped else "left in precharge" if left else "stayed in precharge"
    text = (
        f"the vehicle {what} instead of asking for power: {length}; the station reported a voltage "
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


def _unfinished(session: Session) -> Phase | None:
    """Precharge that did not lead to power delivery."""
    phase = the_phase(session, "PreCharge")
    if phase is None or not phase.answers or "PowerDelivery" in session.phases:
        return None
    return phase


def _length(session: Session, phase: Phase) -> tuple[str, Deadline | None]:
    """How long it took, in words."""
    took = (session.end.at if session.last_request.endswith("PreChargeReq") else phase.last.at) - phase.first.at
    length = f"{phase.requests} PreCharge exchanges in {took:.1f} s"
    limit = deadline_of(session, "PreChargeReq")
    if limit is None or took <= limit.timeout_s:
        return length, None
    return f"{length} ({limit.timeout_s:g} s allowed)", Deadline(limit.evcc, took, limit.timeout_s)


def precharge_unmatched(session: Session, last_at: float) -> Iterator[Finding]:
    state = session.electrical.precharge
    phase = the_phase(session, "PreCharge")
    if phase is None or "PowerDelivery" not in session.phases or state.matched is not None or state.nearest is None:
        return
    if phase.answers < FEW or not state.steady:
        return
    volts, target, where = state.nearest
    text = (
        f"the vehicle went on from precharge though the station reported {volts:.1f} V where {target:.1f} V were "
        f"asked for: its contactors close without harm only within {MATCH_VOLTS:g} V"
    )
    seen = (Evidence(where, f"PreChargeRes: {volts:.1f} V, the nearest to the target"),)
    yield Finding(where, Who.VEHICLE, text, Severity.REMARK, evidence=seen)


def precharge_overshoot(session: Session, last_at: float) -> Iterator[Finding]:
    over = session.electrical.precharge.over
    if over is None or over.over <= OVERSHOOT_VOLTS or session.electrical.precharge.moved:
        return
    text = f"in precharge the station reported {over.value:.1f} V where {over.limit:.1f} V were asked for"
    severity = Severity.CAUSE if _unfinished(session) is not None else Severity.REMARK
    yield Finding(over.where, Who.STATION, text, severity, evidence=(_reading("PreChargeRes", over),))


def overshoot(session: Session, last_at: float) -> Iterator[Finding]:
    worst = session.electrical.overshoot
    if worst is None or worst.over <= OVERSHOOT_VOLTS:
        return
    volts, target, where = worst
    text = f"bad regulation: the station reported {volts:.1f} V where the vehicle asked for {target:.1f} V"
    trouble = alarms(session, "EVSEStatusCode", "EVErrorCode") or not session.stop_answered
    severity = Severity.CAUSE if trouble and not went_well(session) else Severity.REMARK
    yield Finding(where, Who.STATION, text, severity, evidence=(_reading("answer of the charge loop", worst),))


def _reading(name: str, reading: Reading, unit: str = "V") -> Evidence:
    return Evidence(
        reading.where, f"{name}: {reading.value:.1f} {unit}, {reading.limit:.1f} {unit} allowed or asked for"
    )


LIMITS: Final = (
    ("amps > ev_amps", Who.STATION, "A", "the station delivers {value} where the vehicle allows {limit} at most"),
    ("volts > ev_volts", Who.STATION, "V", "the station delivers {value} where the vehicle allows {limit} at most"),
    ("amps > evse_amps", Who.STATION, "A", "the station delivers {value}, above its own limit of {limit}"),
    ("amps > target amps", Who.STATION, "A", "the station delivers {value} where the vehicle asks for {limit}"),
)
"""What the station may not exceed, the most telling first."""
WISHES: Final = (
    ("target volts > evse_volts", "V", "the vehicle asks for {value} where the station gives {limit} at most"),
    ("target volts > ev_volts", "V", "the vehicle asks for {value}, above its own limit of {limit}"),
    ("target amps > ev_amps", "A", "the vehicle asks for {value}, above its own limit of {limit}"),
)
"""What the vehicle should not ask for."""


def _excess(session: Session, what: str) -> Excess | None:
    excess = session.electrical.excess.get(what)
    return excess if excess is not None and excess.worst is not None else None


def _told(words: str, unit: str, reading: Reading) -> str:
    return words.format(value=f"{reading.value:.1f} {unit}", limit=f"{reading.limit:.1f} {unit}")


def limits_exceeded(session: Session, last_at: float) -> Iterator[Finding]:
    for what, who, unit, words in LIMITS:
        excess = _excess(session, what)
        if excess is None or excess.worst is None or _meaningless(session, unit):
            continue
        text = f"{_told(words, unit, excess.worst)}, for {excess.lasted_s:.1f} s"
        severity = Severity.POOR if went_well(session) else Severity.CAUSE
        seen = (Evidence(excess.first, "it begins"), _reading("the worst", excess.worst, unit))
        yield Finding(excess.first, who, text, severity, evidence=seen)
        return  # one excess is seen against several limits


def _implausible(reading: Reading) -> bool:
    return reading.limit > 0 and reading.value > IMPLAUSIBLE * reading.limit


def _meaningless(session: Session, unit: str) -> bool:
    """Whether what the station reports in this unit cannot be meant."""
    found = [_excess(session, what) for what, _, known, _ in LIMITS if known == unit]
    return any(excess is not None and excess.worst is not None and _implausible(excess.worst) for excess in found)


def implausible(session: Session, last_at: float) -> Iterator[Finding]:
    for what in ("amps > target amps", "amps > evse_amps", "amps > ev_amps", "volts > ev_volts"):
        excess = _excess(session, what)
        if excess is None or excess.worst is None or not _implausible(excess.worst):
            continue
        unit = "V" if what.startswith("volts") else "A"
        value, limit, where = excess.worst
        text = (
            f"the station reports {value:.1f} {unit} where no more than {limit:.1f} {unit} can be meant: a wrong "
            "multiplier or unit, probably"
        )
        yield Finding(where, Who.STATION, text, Severity.REMARK, evidence=(_reading("the worst", excess.worst, unit),))
        return


def wishes_exceeded(session: Session, last_at: float) -> Iterator[Finding]:
    for what, unit, words in WISHES:
        excess = _excess(session, what)
        if excess is None or excess.worst is None:
            continue
        text = _told(words, unit, excess.worst)
        severity = Severity.REMARK if session.charged else Severity.CAUSE
        yield Finding(excess.first, Who.VEHICLE, text, severity, evidence=(_reading("it asks", excess.worst, unit),))


def welding(session: Session, last_at: float) -> Iterator[Finding]:
    last = session.electrical.welding_volts
    phase = the_phase(session, "WeldingDetection")
    if phase is None or last is None or last.value <= max(SAFE_VOLTS, HELD * session.electrical.peak_volts):
        return
    took = phase.last.at - phase.first.at
    if took >= WELDED_S:
        text = (
            f"in {took:.1f} s of the welding detection the voltage did not fall below {last.value:.1f} V: contactors "
            "of the vehicle are welded, or the station holds the voltage"
        )
        yield Finding(last.where, Who.EITHER, text, Severity.POOR, evidence=(_reading("WeldingDetectionRes", last),))
        return
    text = (
        f"at the last WeldingDetectionRes the outlet still had {last.value:.1f} V, and the vehicle went on: a "
        f"connector is unlocked below {SAFE_VOLTS:g} V only"
    )
    yield Finding(last.where, Who.EITHER, text, Severity.REMARK, evidence=(_reading("WeldingDetectionRes", last),))


# fmt: off
RULES: Final = (
    Rule("precharge_missed", "Precharge never reaches the voltage that the vehicle asks for.", precharge_missed,
         "See whether the power supply is on, follows EVTargetVoltage of every request, and is not held down by a load "
         "on the cable.", "V2G_EVCC_PreCharge_Timeout"),
    Rule("precharge_left", "The voltage of precharge is reached, and the vehicle does not go on.", precharge_left,
         "Measure the voltage at the inlet against what the station reports: most vehicles close their contactors on "
         "their own measurement only, within 20 V, and some want it steady.", "V2G_EVCC_PreCharge_Timeout"),
    Rule("precharge_unmatched", "The vehicle goes on though the precharge voltage was not reached.",
         precharge_unmatched,
         "Close the contactors only when inlet and battery differ by less than 20 V."),
    Rule("precharge_overshoot", "The voltage of precharge exceeds what was asked for.", precharge_overshoot,
         "Bring the output below 60 V after the cable check, and regulate precharge without load."),
    Rule("overshoot", "In the charge loop the reported voltage exceeds what the vehicle asks for.", overshoot,
         "See how the supply regulates without load: the vehicle should close its contactors before the first "
         "CurrentDemandReq."),
    Rule("limit_exceeded", "The station delivers more than a limit, or than is asked for.", limits_exceeded,
         "Clamp set-points to the limits of both sides in every message; reduce at once, raise with a ramp."),
    Rule("implausible_value", "A reported value that cannot be meant.", implausible,
         "See multiplier and unit of EVSEPresentCurrent and EVSEPresentVoltage."),
    Rule("wish_exceeds_limit", "The vehicle asks for more than it or the station may have.", wishes_exceeded,
         "A station clamps what is asked for and sets the LimitAchieved flags; a vehicle should keep to its limits."),
    Rule("welding_voltage", "The welding detection ends with a dangerous voltage.", welding,
         "Repeat WeldingDetection until the voltage has fallen, for a few seconds at most."),
)
# fmt: on
"""Of voltage and current."""
