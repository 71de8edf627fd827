"""Values of the set-up messages that are out of range, do not fit one another, or have a form that peers reject."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from hlc.capture.doctor.about import went_well
from hlc.capture.finding import Evidence, Finding, Rule, Severity, Who
from hlc.capture.session import Kept, Session
from hlc.security import identifiers
from hlc.trace.describe import UNITS, leaves, quantity, text
from hlc.trace.events import Side

DISCOVERY: Final = "ChargeParameterDiscovery"
DAY_S: Final = 86400.0
YEAR_DAYS: Final = 365.0
INT16_MAX: Final = 32767
KILO: Final = 1000.0
"""A power limit of a station below this is one in kW, or none."""
EPOCH: Final = 1_000_000_000.0
"""Captures with times below have no wall clock."""
EXACT: Final = 0.998
NOMINAL: Final = 0.995
"""A limit between these shares of the nominal power is a rounded one."""
DEEPEST: Final = 8
SHOWN: Final = 4
"""Entries of a schedule that are shown."""
ZEROES: Final = (
    "EVMaximumVoltageLimit",
    "EVMaximumCurrentLimit",
    "EVMaximumPowerLimit",
    "EVMaximumVoltage",
    "EVMaximumChargeCurrent",
    "EVMaximumChargePower",
    "EVMaxCurrent",
    "EVSEMaximumVoltageLimit",
    "EVSEMaximumCurrentLimit",
    "EVSEMaximumPowerLimit",
    "EVSEMaximumVoltage",
    "EVSEMaximumChargeCurrent",
    "EVSEMaximumChargePower",
    "EVSEMaxCurrent",
)


def _parameters(session: Session, suffix: str) -> Kept | None:
    """The last charge parameter discovery message of one side, whatever the energy mode."""
    for name, kept in session.last.items():
        if name.endswith(DISCOVERY + suffix):
            return kept
    return None


def _number(value: Any) -> float | None:
    number = getattr(value, "value", value)
    return float(number) if isinstance(number, (int, float)) and not isinstance(number, bool) else None


def _severity(session: Session) -> Severity:
    """Of what keeps a vehicle from going on, where it did not."""
    gone_on = any(name.endswith(("CableCheck", "PowerDelivery", "ScheduleExchange")) for name in session.phases)
    return Severity.REMARK if gone_on else Severity.CAUSE


def zero_limits(session: Session, last_at: float) -> Iterator[Finding]:
    for suffix, who in (("Req", Who.VEHICLE), ("Res", Who.STATION)):
        kept = _parameters(session, suffix)
        if kept is None or str(getattr(kept.body, "ResponseCode", "OK")).startswith("FAILED"):
            continue
        if str(getattr(kept.body, "EVSEProcessing", "Finished")) != "Finished":
            continue
        values = leaves(kept.body)
        zero = [name for name in ZEROES if name in values and (_number(values[name]) or 0.0) <= 0.0]
        if zero:
            told = " and ".join(f"{name} {text(values[name])}" for name in zero)
            said = f"the {who} offers nothing: {told}; peers reject that, or wait for ever"
            name = f"{DISCOVERY}{suffix}"
            yield Finding(
                kept.where, who, said, _severity(session), evidence=(Evidence(kept.where, f"{name}: {told}"),)
            )


def unfit_limits(session: Session, last_at: float) -> Iterator[Finding]:
    asked, offered = _parameters(session, "Req"), _parameters(session, "Res")
    if asked is None or offered is None:
        return
    ev, evse = leaves(asked.body), leaves(offered.body)
    for least, most, unit in (
        ("EVSEMinimumVoltageLimit", "EVMaximumVoltageLimit", "V"),
        ("EVSEMinimumVoltage", "EVMaximumVoltage", "V"),
        ("EVSEMinimumCurrentLimit", "EVMaximumCurrentLimit", "A"),
        ("EVSEMinimumChargeCurrent", "EVMaximumChargeCurrent", "A"),
    ):
        low, high = _number(evse.get(least)), _number(ev.get(most))
        if low is not None and high is not None and low > high > 0:
            said = f"the station gives {low:g} {unit} at least, the vehicle takes {high:g} {unit} at most"
            seen = (
                Evidence(asked.where, f"{most} {high:g} {unit}"),
                Evidence(offered.where, f"{least} {low:g} {unit}"),
            )
            yield Finding(offered.where, Who.EITHER, said, _severity(session), evidence=seen)


def schedules(session: Session, last_at: float) -> Iterator[Finding]:
    kept = _parameters(session, "Res")
    if kept is None or not hasattr(kept.body, "SASchedules"):
        return
    if str(kept.body.EVSEProcessing) != "Finished" or str(kept.body.ResponseCode).startswith("FAILED"):
        return
    tuples = getattr(kept.body.SASchedules, "SAScheduleTuple", None) or []
    if not tuples:
        said = "ChargeParameterDiscoveryRes is Finished and has no SAScheduleList: some vehicles stop at that"
        yield Finding(
            kept.where,
            Who.STATION,
            said,
            _severity(session),
            "V2G2-905",
            evidence=(Evidence(kept.where, "EVSEProcessing Finished"),),
        )
    for each in tuples[:3]:
        for said, shown in _odd_schedule(each):
            which = Evidence(kept.where, f"schedule {each.SAScheduleTupleID}: {shown}")
            yield Finding(kept.where, Who.STATION, said, Severity.REMARK, evidence=(which,))
    request = session.last.get("PowerDeliveryReq")
    chosen = _chosen(request.body) if request is not None else None
    offered = [each.SAScheduleTupleID for each in tuples]
    if request is not None and chosen is not None and offered and chosen not in offered:
        said = f"the vehicle chose schedule {chosen}, where {', '.join(map(str, offered))} was offered"
        severity = Severity.REMARK if session.charged else Severity.CAUSE
        seen = (Evidence(kept.where, f"offered: {offered}"), Evidence(request.where, f"PowerDeliveryReq: {chosen}"))
        yield Finding(request.where, Who.VEHICLE, said, severity, evidence=seen)


def _chosen(request: Any) -> int | None:
    """The schedule that a PowerDeliveryReq names; in DIN 70121 inside the profile."""
    for holder in (request, getattr(request, "ChargingProfile", None)):
        found = getattr(holder, "SAScheduleTupleID", None)
        if isinstance(found, int):
            return found
    return None


def _odd_schedule(offered: Any) -> Iterator[tuple[str, str]]:
    """What is odd about a schedule, and what stands in it."""
    if offered.SAScheduleTupleID == 0:
        yield "SAScheduleTupleID is 0; it is 1 to 255 [V2G2-773]", "SAScheduleTupleID 0"
    entries = getattr(offered.PMaxSchedule, "PMaxScheduleEntry", [])
    limits = [_watts(entry.PMax) for entry in entries]
    if not entries:
        return
    shown = f"PMax {', '.join(f'{limit:g}' for limit in limits[:SHOWN])}{', ...' if len(limits) > SHOWN else ''} W"
    for limit in limits:
        if limit < 0:
            yield f"PMax is {limit:g} W", shown
            break
        if 0 < limit < KILO:
            yield f"PMax is {limit:g} W: kW are meant, probably", shown
            break
    if limits and max(limits) == 0:
        yield "PMax is 0 W: the vehicle may not charge", shown
    starts = [getattr(getattr(entry, "RelativeTimeInterval", None), "start", None) for entry in entries]
    known = [start for start in starts if start is not None]
    if known and (known[0] != 0 or known != sorted(known)):
        begins = f"begin at {', '.join(map(str, known[:SHOWN]))} s"
        yield f"the schedule's entries {begins}: the first at 0, then later ones", f"its entries {begins}"


def _watts(value: Any) -> float:
    found = quantity(value, "Power")
    return found.value if found is not None else float(value)


def rounded_power(session: Session, last_at: float) -> Iterator[Finding]:
    kept = session.last.get("ChargeParameterDiscoveryRes")
    asked = session.last.get("ChargeParameterDiscoveryReq")
    if kept is None or asked is None:
        return
    values = leaves(kept.body)
    volts, amps = _number(values.get("EVSENominalVoltage")), _number(values.get("EVSEMaxCurrent"))
    phases = 3 if "three_phase" in str(getattr(asked.body, "RequestedEnergyTransferMode", "")) else 1
    tuples = getattr(getattr(kept.body, "SASchedules", None), "SAScheduleTuple", None) or []
    if not volts or not amps or not tuples:
        return
    nominal = phases * volts * amps
    most = max((_watts(entry.PMax) for entry in tuples[0].PMaxSchedule.PMaxScheduleEntry), default=0.0)
    if NOMINAL * nominal <= most < EXACT * nominal:
        said = (
            f"PMax is {most:g} W, below {phases} x {volts:g} V x {amps:g} A, which is {nominal:g} W: a vehicle that "
            "computes its profile so exceeds it"
        )
        yield Finding(
            kept.where, Who.STATION, said, Severity.REMARK, evidence=(Evidence(kept.where, f"PMax {most:g} W"),)
        )


def units(session: Session, last_at: float) -> Iterator[Finding]:
    told = set()
    for name, kept in session.first.items():
        for element, unit, wanted in _wrong_units(kept.body, 0):
            if (element, unit) in told:
                continue
            told.add((element, unit))
            side = Side.EVCC if name.endswith("Req") else Side.SECC
            said = f"{name}.{element} is in {unit}, where {wanted} is meant"
            seen = (Evidence(kept.where, f"{element} in {unit}"),)
            yield Finding(kept.where, Who.of(side), said, Severity.REMARK, evidence=seen)


def _wrong_units(element: Any, depth: int) -> Iterator[tuple[str, str, str]]:
    for name in getattr(element, "__struct_fields__", ()):
        value = getattr(element, name)
        if hasattr(value, "Multiplier"):
            wanted = next((unit for word, unit in UNITS if word in name), "")
            unit = value.Unit
            if wanted and unit is not None and str(unit) != wanted:
                yield name, str(unit), wanted
        elif isinstance(value, msgspec.Struct) and depth < DEEPEST:
            yield from _wrong_units(value, depth + 1)


def soc(session: Session, last_at: float) -> Iterator[Finding]:
    state = session.electrical
    for value in (state.soc_first, state.soc_last):
        if value is not None and not 0 <= value <= 100:
            said = f"the vehicle's state of charge is {value} %"
            seen = (Evidence(session.end, f"state of charge {state.soc_first} % to {state.soc_last} %"),)
            yield Finding(session.end, Who.VEHICLE, said, Severity.REMARK, evidence=seen)
            return


def evseid(session: Session, last_at: float) -> Iterator[Finding]:
    kept = session.first.get("SessionSetupRes")
    given = getattr(kept.body, "EVSEID", None) if kept is not None else None
    if kept is None or given is None:
        return
    if isinstance(given, bytes):  # DIN 70121: digits and separators in octets, or zero for none
        shown = given.decode("ascii", "replace")
        # Either the digits of DIN SPEC 91286, packed or as text, or zero where the station has none.
        good = not any(given) or identifiers.evseid(shown) is not None or _packed(given)
    else:
        good = given.startswith("ZZ00000") or identifiers.evseid(given) is not None
    if not good:
        said = f"EVSEID {text(given)} has no form that the standard knows; some vehicles leave at that"
        yield Finding(
            kept.where, Who.STATION, said, _left_at_once(session), evidence=(Evidence(kept.where, text(given)),)
        )


def _packed(given: bytes) -> bool:
    """Digits of DIN SPEC 91286, two in an octet, with A for * and B for + as the first."""
    digits = given.hex().upper().rstrip("0F")
    return bool(digits) and all(digit in "0123456789AB" for digit in digits)


def _left_at_once(session: Session) -> Severity:
    return Severity.REMARK if len(session.phases) > 3 else Severity.CAUSE


def evccid(session: Session, last_at: float) -> Iterator[Finding]:
    kept = session.first.get("SessionSetupReq")
    given = getattr(kept.body, "EVCCID", None) if kept is not None else None
    if kept is None or given is None:
        return
    if isinstance(given, bytes):
        if len(given) == 6 and any(given):
            return
        said = f"EVCCID {text(given)} has {len(given)} octets; it is a MAC address of 6"
        if not any(given):
            said = "EVCCID is zero or empty: some stations abort at that"
    elif identifiers.evccid(given) is not None or identifiers.mac(given) is not None:
        return
    else:
        said = f"EVCCID {text(given)} has no form that the standard knows: maker (WMI), V, number"
    seen = (Evidence(kept.where, f"SessionSetupReq: EVCCID {text(given)}"),)
    yield Finding(kept.where, Who.VEHICLE, said, _left_at_once(session), evidence=seen)


def session_id(session: Session, last_at: float) -> Iterator[Finding]:
    kept = session.first.get("SessionSetupRes")
    given = session.session_id
    if kept is None or given is None:
        return
    seen = (Evidence(kept.where, f"SessionSetupRes: SessionID {text(given)}"),)
    if not any(given):
        said = "the station gives the session ID zero, which means none"
        severity = Severity.REMARK if went_well(session) else Severity.CAUSE
        yield Finding(kept.where, Who.STATION, said, severity, evidence=seen)
    elif len(given) != 8:
        said = f"the station's session ID has {len(given)} octets, {text(given)}: who echoes eight is refused"
        yield Finding(kept.where, Who.STATION, said, Severity.REMARK, evidence=seen)


def clock(session: Session, last_at: float) -> Iterator[Finding]:
    kept = session.first.get("SessionSetupRes")
    if kept is None or kept.where.at < EPOCH:
        return
    told = getattr(kept.body, "EVSETimeStamp", None) or getattr(kept.body, "DateTimeNow", None)
    if not isinstance(told, int) or told == 0:
        return
    behind = (kept.where.at - told) / DAY_S
    if behind > YEAR_DAYS:
        said = f"the station's clock is {behind:.0f} days behind: vehicles set theirs by it, and check certificates"
        yield Finding(kept.where, Who.STATION, said, Severity.REMARK, evidence=(Evidence(kept.where, f"time {told}"),))


def transfer_mode(session: Session, last_at: float) -> Iterator[Finding]:
    offer, request = session.last.get("ServiceDiscoveryRes"), session.last.get("ChargeParameterDiscoveryReq")
    if offer is None or request is None:
        return
    offered = leaves(offer.body)
    modes = offered.get("EnergyTransferMode") or offered.get("EnergyTransferType")
    wanted = getattr(request.body, "RequestedEnergyTransferMode", None)
    if wanted is None or not isinstance(modes, list) or wanted in modes:
        return
    told = ", ".join(map(str, modes))
    said = f"the vehicle requests {wanted}, where the station offers {told}"
    severity = Severity.REMARK if session.charged else Severity.CAUSE
    seen = (Evidence(offer.where, f"offered: {told}"), Evidence(request.where, f"requested: {wanted}"))
    yield Finding(request.where, Who.VEHICLE, said, severity, evidence=seen)


# fmt: off
RULES: Final = (
    Rule("limits_zero", "A side offers no voltage, current or power.", zero_limits,
         "Send what the hardware can do, not what is free at this moment, and lower it in the charge loop: vehicles "
         "take the limits of ChargeParameterDiscovery for the whole session."),
    Rule("limits_unfit", "The limits of the two sides do not meet.", unfit_limits,
         "Nothing can be charged between these two, unless a limit is wrong."),
    Rule("schedule", "A schedule that is missing, odd, or was not offered.", schedules,
         "Offer one tuple with number 1, PMax in W from 0 s on for 24 h; choose a tuple that was offered."),
    Rule("power_rounded", "PMax in AC is a little below the nominal power.", rounded_power,
         "Round PMax up to phases x voltage x current."),
    Rule("unit", "A value has another unit than its element means.", units,
         "Send volts, amperes, watts, watt hours and seconds."),
    Rule("soc_range", "A state of charge that cannot be.", soc,
         "Send 0 to 100 %."),
    Rule("evseid_form", "The station's EVSEID has no form of the standards.", evseid,
         "Send DE*ABC*E123 (ISO 15118) or the digits of +49*123*456 (DIN 70121); ZZ00000, or one octet of zero, where "
         "there is none."),
    Rule("evccid_form", "The vehicle's EVCCID has no form of the standards.", evccid,
         "Send the MAC address of 6 octets; in ISO 15118-20 maker, V and number."),
    Rule("session_id_form", "The station's session ID is zero, or not eight octets.", session_id,
         "Give eight random octets; echo whatever was given, in its length."),
    Rule("clock", "The station's clock is wrong.", clock,
         "Set the station's clock; a time that is not known should be left out where that is allowed."),
    Rule("transfer_mode", "The vehicle requests an energy transfer mode that was not offered.", transfer_mode,
         "Request a mode of ServiceDiscoveryRes.", "V2G2-476"),
)
# fmt: on
"""Of parameters."""
