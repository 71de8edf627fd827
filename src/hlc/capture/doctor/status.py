"""What the two say of themselves: response codes, status and error codes, isolation, reasons to stop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlc.capture import protocol
from hlc.capture.doctor.about import alarms, before_stop, went_well
from hlc.capture.doctor.codes import DIAGNOSTICS, ERRORS, PLAIN, RESPONSE, STATUS
from hlc.capture.finding import Evidence, Finding, Rule, Severity, Who
from hlc.capture.session import ORDERLY, Alarm, Session
from hlc.trace.describe import leaves

OF_ORDER: Final = ("FAILED_SequenceError", "FAILED_UnknownSession")
"""Codes with rules of their own."""


def failed(session: Session, last_at: float) -> Iterator[Finding]:
    known = protocol.rules(session.protocol or "")
    clause = known.clauses.get("failed", "") if known is not None else ""
    for alarm in alarms(session, "ResponseCode"):
        if alarm.value in OF_ORDER or not alarm.value.startswith("FAILED"):
            continue
        code = RESPONSE.get(alarm.value)
        if alarm.value == "FAILED":
            code = PLAIN.get(alarm.message.partition("_")[2] or alarm.message, code)
        text = f"{alarm.message} says {alarm.value}: {code.meaning if code else 'the station gives no reason'}"
        yield Finding(
            alarm.first,
            code.who if code else Who.STATION,
            text,
            clause=clause,
            evidence=_exchange(session, alarm),
            advice=code.advice if code else "",
        )


def _exchange(session: Session, alarm: Alarm) -> tuple[Evidence, ...]:
    """A request and its answer, with what in them matters."""
    request = alarm.message.removesuffix("Res") + "Req"
    seen = []
    if alarm.asked.frame:
        seen.append(Evidence(alarm.asked, request + _said(session, request, alarm.asked.frame)))
    seen.append(Evidence(alarm.first, f"{alarm.message}: {alarm.value}"))
    return tuple(seen)


SAID: Final = (
    "RequestedEnergyTransferMode",
    "EVRequestedEnergyTransferType",
    "SelectedPaymentOption",
    "ChargeProgress",
    "ReadyToChargeState",
    "SAScheduleTupleID",
    "ServiceID",
    "ParameterSetID",
    "EVMaximumVoltageLimit",
    "EVMaximumCurrentLimit",
    "EVTargetVoltage",
    "EVTargetCurrent",
)
"""Elements of a request that may be why it is refused."""


def _said(session: Session, name: str, frame: int) -> str:
    for kept in (session.last.get(name), session.first.get(name)):
        if kept is not None and kept.where.frame == frame:
            values = leaves(kept.body)
            return "".join(f", {element} {values[element]}" for element in SAID if element in values)
    return ""


def warned(session: Session, last_at: float) -> Iterator[Finding]:
    for alarm in alarms(session, "ResponseCode"):
        if not alarm.value.startswith("WARNING"):
            continue
        code = RESPONSE.get(alarm.value)
        text = f"{alarm.message} says {alarm.value}: {code.meaning if code else 'the station gives no reason'}"
        severity = Severity.REMARK if session.charged or not session.stop_answered else Severity.CAUSE
        yield Finding(
            alarm.first,
            code.who if code else Who.EITHER,
            text,
            severity,
            evidence=_exchange(session, alarm),
            advice=code.advice if code else "",
        )


def _first_of_each(found: list[Alarm]) -> dict[str, Alarm]:
    said: dict[str, Alarm] = {}
    for alarm in found:
        said.setdefault(alarm.value, alarm)
    return said


def _reported(alarm: Alarm) -> tuple[Evidence, ...]:
    seen = [Evidence(alarm.first, f"{alarm.message}: {alarm.kind} {alarm.value}")]
    if alarm.count > 1:
        seen.append(Evidence(alarm.last, f"the last of {alarm.count} such {alarm.message}"))
    return tuple(seen)


def station_status(session: Session, last_at: float) -> Iterator[Finding]:
    for value, alarm in _first_of_each(alarms(session, "EVSEStatusCode")).items():
        if value != "EVSE_Shutdown":
            text = f"the station reports {value} in {alarm.message}: {STATUS.get(value, '')}"
            yield Finding(alarm.first, Who.STATION, text, _late(session, alarm), evidence=_reported(alarm))
    for kind in ("EVSEEmergencyShutdown", "EVSEMalfunction", "EVSEUtilityInterruptEvent"):
        for alarm in alarms(session, kind)[:1]:
            text = f"the station reports {kind} in {alarm.message}: {STATUS[kind]}"
            yield Finding(alarm.first, Who.STATION, text, _late(session, alarm), evidence=_reported(alarm))


def _late(session: Session, alarm: Alarm) -> Severity:
    """What came when the end was agreed on already took nothing from the session, and the grid may end it in order."""
    grid = "Utility" in alarm.value or "Utility" in alarm.kind
    return Severity.POOR if (alarm.stopping or grid) and went_well(session) else Severity.CAUSE


def station_stop(session: Session, last_at: float) -> Iterator[Finding]:
    asked = [
        alarm
        for alarm in alarms(session, "EVSEStatusCode", "EVSENotification", "EVSEDisabled", "GoToPause")
        if (alarm.value in ORDERLY or alarm.kind in ("EVSEDisabled", "GoToPause")) and not alarm.stopping
    ]
    if not asked:
        return
    first = min(asked, key=lambda alarm: alarm.first)
    how = first.value if first.value in ORDERLY else first.kind
    text = f"the station asks the vehicle to stop ({how} in {first.message})"
    severity = Severity.REMARK
    refused = any(alarm.value.startswith("FAILED") for alarm in alarms(session, "ResponseCode"))
    if not session.charged:
        text += ", before any energy flowed"
        severity = Severity.REMARK if refused else Severity.CAUSE
    yield Finding(first.first, Who.STATION, text, severity, evidence=tuple(_reported(each)[0] for each in asked[:4]))


def isolation_fault(session: Session, last_at: float) -> Iterator[Finding]:
    for alarm in alarms(session, "EVSEIsolationStatus")[:1]:
        text = f"{alarm.message} reports an isolation fault"
        history = [Evidence(where, f"{message}: isolation {value}") for where, message, value in session.isolation]
        before = [seen for seen in history if seen.where.at <= alarm.first.at]
        yield Finding(alarm.first, Who.EITHER, text, evidence=tuple(before[-4:]))


def isolation_unproven(session: Session, last_at: float) -> Iterator[Finding]:
    kept = session.last.get("CableCheckRes")
    if kept is None or session.charged or alarms(session, "EVSEIsolationStatus"):
        return
    if str(kept.body.ResponseCode).startswith("FAILED"):
        return
    status = kept.body.DC_EVSEStatus
    level = status.EVSEIsolationStatus
    if str(kept.body.EVSEProcessing) != "Finished" or level in ("Valid", "Warning", None):
        return
    if any(name.endswith("PreCharge") and phase.first.at > kept.where.at for name, phase in session.phases.items()):
        return
    text = f"the cable check finished with isolation {level} and {status.EVSEStatusCode}: no vehicle goes on after that"
    seen = (Evidence(kept.where, f"CableCheckRes: Finished, isolation {level}, {status.EVSEStatusCode}"),)
    yield Finding(kept.where, Who.STATION, text, evidence=seen)


def isolation_warning(session: Session, last_at: float) -> Iterator[Finding]:
    for where, message, value in session.isolation:
        if value == "Warning":
            text = f"{message} reports an isolation warning: the isolation is low, and charging goes on"
            yield Finding(where, Who.EITHER, text, Severity.REMARK, evidence=(Evidence(where, text),))
            return


def vehicle_error(session: Session, last_at: float) -> Iterator[Finding]:
    for value, alarm in _first_of_each(alarms(session, "EVErrorCode")).items():
        code = ERRORS.get(value)
        text = f"the vehicle reports {value} in {alarm.message}" + (f": {code.meaning}" if code else "")
        yield Finding(
            alarm.first,
            code.who if code else Who.VEHICLE,
            text,
            _late(session, alarm),
            evidence=_reported(alarm),
            advice=code.advice if code else "",
        )


def vehicle_reason(session: Session, last_at: float) -> Iterator[Finding]:
    for alarm in alarms(session, "EVTerminationCode")[:1]:
        kept = session.last.get("SessionStopReq")
        why = getattr(kept.body, "EVTerminationExplanation", None) if kept is not None else None
        text = f"the vehicle stops with termination code {alarm.value}" + (f": {why}" if why else "")
        severity = Severity.REMARK if went_well(session) else Severity.CAUSE
        yield Finding(alarm.first, Who.VEHICLE, text, severity, evidence=_reported(alarm))


def residual_current(session: Session, last_at: float) -> Iterator[Finding]:
    for alarm in alarms(session, "RCD")[:1]:
        text = f"{alarm.message} says that the residual current device has tripped"
        yield Finding(alarm.first, Who.EITHER, text, evidence=_reported(alarm))


def diagnostics(session: Session, last_at: float) -> Iterator[Finding]:
    for value, alarm in _first_of_each(alarms(session, "SPCChargeDiagnostics", "EVPCChargeDiagnostics")).items():
        text = f"{alarm.message} says {value}: {DIAGNOSTICS.get(value, 'something is out of order')}"
        severity = Severity.POOR if went_well(session) else Severity.CAUSE
        yield Finding(alarm.first, Who.of(alarm.side), text, severity, evidence=_reported(alarm))


def other_vehicle(session: Session, last_at: float) -> Iterator[Finding]:
    for alarm in alarms(session, "EVAssociationStatus")[:1]:
        text = f"{alarm.message} says that another vehicle is at the device"
        yield Finding(alarm.first, Who.EITHER, text, evidence=_reported(alarm))


def header_notification(session: Session, last_at: float) -> Iterator[Finding]:
    for alarm in alarms(session, "Notification"):
        text = f"{alarm.message} carries the notification {alarm.value}: its sender could not process what it got"
        yield Finding(alarm.first, Who.of(alarm.side), text, evidence=_reported(alarm))


def no_charge(session: Session, last_at: float) -> Iterator[Finding]:
    if session.stop_answered.startswith("OK") and not session.charged and session.whole:
        text = f"the vehicle stopped the session after {before_stop(session)}, before any energy flowed"
        kept = session.last.get("SessionStopReq")
        where = kept.where if kept is not None else session.end
        yield Finding(where, Who.VEHICLE, text, evidence=(Evidence(where, "SessionStopReq"),))


# fmt: off
RULES: Final = (
    Rule("station_status", "The station reports an emergency, a malfunction or a utility interrupt.", station_status,
         "Read the station's log at this moment: emergency stop, its own faults, the grid."),
    Rule("isolation_fault", "The station reports an isolation fault.", isolation_fault,
         "Measure the isolation of outlet, cable and vehicle each alone; moisture in inlet or plug is a common reason.",
         "IEC 61851-23 CC.4.1"),
    Rule("isolation_unproven", "The cable check finishes without a proven isolation.", isolation_unproven,
         "Answer Finished with isolation Valid and EVSE_Ready, or FAILED.", "V2G-DC-499"),
    Rule("isolation_warning", "The station reports an isolation warning.", isolation_warning,
         "Measure the isolation before it becomes a fault."),
    Rule("vehicle_error", "The vehicle reports an error code.", vehicle_error,
         "Read the vehicle's fault memory."),
    Rule("vehicle_reason", "The vehicle gives a reason for its stop (ISO 15118-20).", vehicle_reason,
         "Read the vehicle's fault memory."),
    Rule("residual_current", "The residual current device has tripped.", residual_current,
         "Measure the isolation of cable and vehicle, then reset the device."),
    Rule("wireless_diagnostics", "Pad or vehicle report trouble of the wireless transfer.", diagnostics,
         "Clear the gap, let the device cool down, and park anew."),
    Rule("other_vehicle", "Another vehicle stands at the device.", other_vehicle,
         "See which vehicle stands at this device, and pair anew."),
    Rule("failed_code", "The station answers with a FAILED code.", failed,
         "Read the station's log at this moment."),
    Rule("warning_code", "The station answers with a WARNING code (ISO 15118-20).", warned,
         "A warning is a refusal after which another way may be tried."),
    Rule("header_notification", "A message's header says that what was received could not be processed.",
         header_notification,
         "Compare what was sent with the schema: `hlc decode HEX --bits` shows every bit of it."),
    Rule("station_stop", "The station asks the vehicle to stop.", station_stop,
         "Ask the operator: stop at the station or by app, an end of the paid time, a limit of the site."),
    Rule("no_charge", "An orderly end that no energy came before.", no_charge,
         "Ask the vehicle why: user, timer or full battery, or parameters of the station that it does not accept.",
         symptom=True),
)
# fmt: on
"""Of codes and status."""
