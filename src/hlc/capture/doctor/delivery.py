"""Whether energy flowed as it might have, and what held it back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlc.capture.doctor.about import bidirectional, went_well
from hlc.capture.electrical import Electrical
from hlc.capture.finding import Evidence, Finding, Rule, Severity, Who
from hlc.capture.session import Session

ENOUGH_S: Final = 10.0
"""A charge loop that is shorter tells nothing about the power."""
ASKED_AMPS: Final = 2.0
SHARE: Final = 0.7
"""Less than this share of what was asked for is poor."""
NOTHING_AMPS: Final = 0.5
DERATED: Final = 0.8
IDLE_S: Final = 60.0
"""An AC session whose meter stands still for so long delivers nothing."""


def nothing_delivered(session: Session, last_at: float) -> Iterator[Finding]:
    state = session.electrical
    if state.charging_s < ENOUGH_S / 2 or state.peak_amps > NOTHING_AMPS or state.asked_amps < ASKED_AMPS:
        return
    text = (
        f"nothing was delivered: the vehicle asked for up to {state.asked_amps:.1f} A for {state.charging_s:.0f} s, at "
        f"most {state.peak_amps:.1f} A flowed"
    )
    text, who = _because(state, text)
    severity = Severity.POOR if went_well(session) else Severity.REMARK
    yield Finding(session.end, who, text, severity, evidence=_limits(session))


def little_current(session: Session, last_at: float) -> Iterator[Finding]:
    state = session.electrical
    if state.charging_s < ENOUGH_S or state.peak_amps <= NOTHING_AMPS:
        return
    asked, flowed = state.asked_as / state.charging_s, state.flowed_as / state.charging_s
    if asked < ASKED_AMPS or flowed >= SHARE * asked:
        return
    text = f"the vehicle asked for {asked:.1f} A on average, {flowed:.1f} A flowed"
    text, who = _because(state, text)
    severity = Severity.POOR if went_well(session) else Severity.REMARK
    yield Finding(session.end, who, text, severity, evidence=_limits(session))


def _because(state: Electrical, text: str) -> tuple[str, Who]:
    """What held the current back."""
    asked = state.asked_amps
    amps, watts, volts = state.limits.get("evse_amps"), state.limits.get("evse_watts"), state.volts or state.peak_volts
    if amps is not None and amps < SHARE * asked:
        return f"{text}: the station's limit is {amps:.1f} A", Who.STATION
    if watts is not None and volts and watts / volts < SHARE * asked:
        return (
            f"{text}: the station's limit is {watts / 1000:.1f} kW, {watts / volts:.1f} A at {volts:.0f} V",
            Who.STATION,
        )
    own = state.limits.get("ev_amps")
    if own is not None and own < SHARE * asked:
        return f"{text}: the vehicle's own limit is {own:.1f} A", Who.VEHICLE
    reached = [what for what, count in state.limited.items() if count > state.loops / 2]
    if reached:
        return f"{text}: the station says that its {' and '.join(reached)} limit is reached", Who.STATION
    return f"{text}, though no limit that was told forbids more", Who.STATION


def _limits(session: Session) -> tuple[Evidence, ...]:
    """The last exchange of the charge loop."""
    found = []
    for name in ("CurrentDemandReq", "DC_ChargeLoopReq", "CurrentDemandRes", "DC_ChargeLoopRes"):
        kept = session.last.get(name)
        if kept is not None:
            found.append(Evidence(kept.where, f"the last {name}"))
    return tuple(found)


def derated(session: Session, last_at: float) -> Iterator[Finding]:
    state = session.electrical
    for what, unit, name in (("evse_amps", "A", "current"), ("evse_watts", "W", "power")):
        least = state.least.get(what)
        if least is None or least.limit <= 0 or least.value >= DERATED * least.limit or bidirectional(session):
            continue
        text = (
            f"the station lowered its {name} limit from {least.limit:g} {unit} to {least.value:g} {unit} while charging"
        )
        yield Finding(least.where, Who.STATION, text, Severity.REMARK, evidence=(Evidence(least.where, text),))
        return


def ac_nothing(session: Session, last_at: float) -> Iterator[Finding]:
    loop = session.phases.get("ChargingStatus") or session.phases.get("AC_ChargeLoop")
    if loop is None or not session.charged:
        return
    state = session.electrical
    took = loop.last.at - loop.first.at
    limit = state.limits.get("ac_amps")
    severity = Severity.POOR if went_well(session) else Severity.REMARK
    if limit is not None and limit < 6.0:
        text = f"the station allows {limit:.1f} A, and no vehicle charges with less than 6 A"
        yield Finding(loop.last, Who.STATION, text, severity, evidence=(Evidence(loop.last, "the last answer"),))
    elif took > IDLE_S and state.energy_wh <= 0 and (state.meter_first is not None or state.watts is not None):
        seen = (Evidence(loop.first, "the charge loop begins"), Evidence(loop.last, "the last exchange of it"))
        source = "the meter did not move" if state.meter_first is not None else "the vehicle reports no power"
        text = f"nothing was delivered in {took:.0f} s of the charge loop: {source}"
        yield Finding(loop.last, Who.EITHER, text, severity, evidence=seen)


# fmt: off
RULES: Final = (
    Rule("nothing_delivered", "The vehicle asks for current, and none flows.", nothing_delivered,
         "See whether the station's supply is on and both contactors are closed; some stations deliver nothing unless "
         "CurrentDemandReq has the vehicle's maxima."),
    Rule("little_current", "Much less current flows than the vehicle asks for.", little_current,
         "Compare the limits of both sides; a station whose limit is momentary may give more later."),
    Rule("derated", "The station lowers its limit while charging.", derated,
         "Ask the operator: load management, temperature, another vehicle at the same station."),
    Rule("ac_nothing_delivered", "In AC nothing is delivered.", ac_nothing,
         "See whether the station's contactor is closed, its current limit is 6 A or more, and what the vehicle waits "
         "for (timer, schedule)."),
)
# fmt: on
"""Of the delivery of energy."""
