"""What a report is, what there is to say of a session and of a capture, and the reports for machines: JSON and XML.

Everything here consumes events and finished sessions; nothing is found out here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

import exi
from hlc.capture import matching_report, tls_report
from hlc.capture.conversation import title
from hlc.capture.doctor import Verdict, judge_capture
from hlc.capture.matching import Matching
from hlc.capture.plugin import PlugIn
from hlc.capture.seen import Seen, Unread
from hlc.capture.session import Session
from hlc.capture.totals import Totals
from hlc.trace import homeplug
from hlc.trace.describe import Quantity, text
from hlc.trace.events import Message, Mme, Side
from hlc.trace.record import record as message_record

Print = Callable[[str], None]

SESSIONS: Final = 10_000
"""Sessions of which a summary tells: whoever listens for months does so in bounded memory."""
MATCHINGS: Final = 1000
"""Matching runs of which a summary tells; they take no end where somebody plays tricks."""


def clock(at: float) -> str:
    """A time of capture, UTC."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"
    except (OverflowError, ValueError, OSError):
        return f"{at:.3f} s since 1970"


class Report:
    """Base of the reports: they get every event, then every session when it is over, then the totals."""

    def __init__(self, out: Print) -> None:
        self.out = out
        self.zero: float | None = None
        """Time of the first frame: times are counted from there, as Wireshark does."""
        self.last_frame = sys.maxsize
        """The frame behind which nothing is of interest any more."""
        self.complaint = ""
        """Why what was asked for did not happen, known at the end."""

    def event(self, seen: Seen) -> None:
        """An event."""

    def finished(self, session: Session, verdict: Verdict) -> None:
        """A session is over."""

    def matched(self, run: Matching, verdict: Verdict) -> None:
        """A matching run is over."""

    def plugged(self, plug: PlugIn, verdict: Verdict) -> None:
        """A plug-in is over, and all that belongs to it."""

    def totals(self, totals: Totals, damage: list[str]) -> None:
        """The end of the capture."""

    def abandon(self) -> None:
        """The capture is not read to its end: leave no file that looks as if it were."""


class Several(Report):
    """Hands everything on to several reports."""

    def __init__(self, reports: list[Report]) -> None:
        super().__init__(lambda line: None)
        self._reports = reports
        self.last_frame = max(report.last_frame for report in reports)

    def event(self, seen: Seen) -> None:
        for report in self._reports:
            report.zero = self.zero
            report.event(seen)

    def finished(self, session: Session, verdict: Verdict) -> None:
        for report in self._reports:
            report.zero = self.zero
            report.finished(session, verdict)

    def matched(self, run: Matching, verdict: Verdict) -> None:
        for report in self._reports:
            report.zero = self.zero
            report.matched(run, verdict)

    def plugged(self, plug: PlugIn, verdict: Verdict) -> None:
        for report in self._reports:
            report.zero = self.zero
            report.plugged(plug, verdict)

    def totals(self, totals: Totals, damage: list[str]) -> None:
        for report in self._reports:
            report.totals(totals, damage)
        self.complaint = next((report.complaint for report in self._reports if report.complaint), "")

    def abandon(self) -> None:
        for report in self._reports:
            report.abandon()


class JsonLines(Report):
    """One JSON object per line and message."""

    def event(self, seen: Seen) -> None:
        event = seen.event
        entry: dict[str, Any] = {
            "frame": seen.frame,
            "time": event.at,
            "session": seen.session.number if seen.session is not None else None,
        }
        if isinstance(event, Message):
            entry |= {"side": event.side} | message_record(event.schema, event.name, event.id, event.message)
        elif isinstance(event, Unread):
            entry |= {
                "side": event.side,
                "undecoded": event.text,
                "payload_type": f"0x{event.payload_type:04X}",
                "payload": event.payload.hex().upper(),
            }
        elif isinstance(event, Mme):
            entry["matching"] = seen.matching.number if seen.matching is not None else None
            side = homeplug.side(event.name)
            entry |= ({"side": side} if side is not None else {}) | homeplug.record(event)
        else:
            return
        self.out(msgspec.json.encode(entry).decode())


class XmlLines(Report):
    """One line of XML per message, in the notation of its schema."""

    def event(self, seen: Seen) -> None:
        event = seen.event
        if isinstance(event, Message) and event.schema != "sdp":
            try:
                self.out(exi.schema(event.schema).to_xml(event.message))
            except exi.EncodeError as error:
                self.out(f"<!-- frame {seen.frame}: {event.name} cannot be written as XML: {error} -->")


class JsonSummary(Report):
    """One JSON object about the capture."""

    def __init__(self, out: Print) -> None:
        super().__init__(out)
        self.sessions: list[dict[str, Any]] = []
        """The first `SESSIONS` ones."""
        self.matchings: list[dict[str, Any]] = []
        """The first `MATCHINGS` ones."""

    def finished(self, session: Session, verdict: Verdict) -> None:
        if len(self.sessions) < SESSIONS:
            self.sessions.append(record(session, verdict, self.zero or 0.0))

    def matched(self, run: Matching, verdict: Verdict) -> None:
        if len(self.matchings) < MATCHINGS:
            self.matchings.append(matching_report.record(run, verdict, findings(verdict, self.zero or 0.0)))

    def totals(self, totals: Totals, damage: list[str]) -> None:
        self.out(msgspec.json.encode(self.summary(totals, damage)).decode())

    def summary(self, totals: Totals, damage: list[str]) -> dict[str, Any]:
        """The object as plain data."""
        return {
            "frames": totals.frames,
            "messages": {name: count for name, count in sorted(totals.messages.items()) if not name.startswith("sdp:")},
            "undecoded": sum(totals.undecoded.values()),
            "undecoded_reasons": dict(totals.undecoded),
            "sdp": totals.sdp,
            "mme": dict(sorted(totals.mme.items())),
            "tls": totals.tls,
            "encrypted": totals.encrypted.total(),
            "sessions": self.sessions,
            "matchings": self.matchings,
            "damage": damage,
            "notes": overall(totals),
        }


def facts(session: Session) -> list[str]:
    """What is known of a session, in a few words each."""
    told = [title(session.protocol)] if session.protocol else []
    told.append(f"{session.messages} messages in {session.end.at - session.start.at:.1f} s")
    state = session.electrical
    if state.soc_first is not None:
        told.append(f"SoC {state.soc_first}{f' to {state.soc_last}' if state.soc_last != state.soc_first else ''} %")
    energy = str(Quantity(round(state.energy_wh), "Wh"))
    if session.charged and state.peak_volts:
        told.append(f"{energy}, up to {state.peak_volts:.1f} V and {state.peak_amps:.1f} A reported")
    elif session.charged:  # in AC nothing but the meter is reported
        told.append(energy)
    return told


def mode(session: Session) -> str | None:
    """How energy is transferred, in the standard's words: "AC", "DC", "DC_BPT", "MCS", "WPT", ...; None: not known."""
    selected = session.first.get("ServiceSelectionReq")
    if selected is not None:
        from hlc.rules.iso15118_20.services import Service  # it takes the messages of that protocol to import

        number = selected.body.SelectedEnergyTransferService.ServiceID
        return Service(number).name if number in set(Service) else str(number)
    asked = session.first.get("ChargeParameterDiscoveryReq")
    wanted = getattr(asked.body, "RequestedEnergyTransferMode", None) if asked is not None else None
    if wanted is not None:
        return str(wanted.value).partition("_")[0]
    if session.protocol == "din70121":
        return "DC"
    return (session.protocol or "").partition("_20_")[2].upper() or None


def record(session: Session, verdict: Verdict, zero: float) -> dict[str, Any]:
    """A finished session as plain data; times in seconds since 1970."""
    state = session.electrical
    entry: dict[str, Any] = {
        "number": session.number,
        "matching": session.matching,
        "start": session.start.at,
        "end": session.end.at,
        "first_frame": session.start.frame,
        "last_frame": session.end.frame,
        "evcc": session.evcc or None,
        "secc": session.secc or None,
        "protocol": session.protocol,
        "mode": mode(session),
        "session_id": text(session.session_id) if session.session_id else None,
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "messages": session.messages,
        "undecoded": sum(session.undecoded.values()),
        "encrypted": session.encrypted,
        "tls": None if session.tls is None else tls_report.record(session.tls),
        "closed_by": min(session.closings, key=lambda closing: closing.where).side if session.closings else None,
        "states": {side: int(session.states[side]) for side in Side if side in session.states},
        "soc_start": state.soc_first,
        "soc_end": state.soc_last,
        "energy_wh": round(state.energy_wh, 1),
        "peak_voltage": state.peak_volts,
        "peak_current": state.peak_amps,
        "findings": findings(verdict, zero),
    }
    return entry


ROW: Final = ("number", "matching", "start", "end", "evcc", "secc", "protocol", "mode", "session_id", "outcome",
              "reason", "messages", "undecoded", "closed_by", "soc_start", "soc_end", "energy_wh", "peak_voltage",
              "peak_current")  # fmt: skip
"""What a table of sessions has of each, besides the rule that it broke and its version of TLS."""


def row(session: Session, verdict: Verdict, zero: float) -> dict[str, Any]:
    """What a table has of a finished session."""
    entry = record(session, verdict, zero)
    causes = [{"rule": finding["rule"], "cause": True} for finding in entry["findings"] if finding["cause"]]
    tls = None if entry["tls"] is None else {"version": entry["tls"]["version"]}
    return {name: entry[name] for name in ROW} | {"findings": causes[:1], "tls": tls}


def findings(verdict: Verdict, zero: float) -> list[dict[str, Any]]:
    """The findings of a verdict as plain data."""
    return [
        {
            "frame": finding.where.frame,
            "time": finding.where.at,
            "after_s": round(finding.where.at - zero, 3),
            "rule": finding.rule,
            "severity": finding.severity.word,
            "side": finding.who.side,
            "text": finding.text,
            "clause": finding.clause or None,
            "cause": finding.cause,
        }
        for finding in verdict.findings
    ]


def overall(totals: Totals) -> list[str]:
    """What is to be said of the capture as a whole."""
    lines = []
    if totals.sessions > SESSIONS:
        lines.append(f"{totals.sessions} sessions; a summary in JSON has the first {SESSIONS}")
    if totals.runs > MATCHINGS:
        lines.append(f"{totals.runs} matching runs; a summary in JSON has the first {MATCHINGS}")
    lines += tls_report.overall(totals)
    for reason, count in totals.undecoded.items():
        lines.append(f"{count} messages not decoded: {reason}")
    return [*lines, *(finding.text for finding in judge_capture(totals))]
