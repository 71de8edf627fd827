"""THE table: every rule by which the doctor judges, in the order in which findings of the same rank are told."""

from __future__ import annotations

from typing import Any, Final

from hlc.capture.doctor import connection, electrical, matching, quality, sequence, timing
from hlc.capture.doctor.finding import Finding, Rule, Verdict, ranked
from hlc.capture.matching import Matching
from hlc.capture.session import Session

MATCHING: Final[tuple[Rule, ...]] = matching.RULES
SESSION: Final[tuple[Rule, ...]] = (
    *connection.RULES,
    *electrical.RULES,
    *sequence.RULES,
    *timing.RULES,
    *quality.RULES,
)
TABLE: Final = {"Matching": MATCHING, "Session": SESSION}
"""By what they look at."""


def examined(rules: tuple[Rule, ...], subject: Any, last_at: float) -> list[Finding]:
    """All findings on a subject, the most telling first."""
    return ranked([finding for rule in rules for finding in rule.findings(subject, last_at)])


def judge_matching(run: Matching, last_at: float) -> Verdict:
    """The verdict on a matching run; `last_at` is the time of the last frame of the capture so far."""
    return matching.verdict(run, examined(MATCHING, run, last_at), last_at)


def judge(session: Session, last_at: float) -> Verdict:
    """The verdict on a session, or on attempts to begin one, likewise."""
    findings = examined(SESSION, session, last_at)
    if findings and findings[0].cause:
        return Verdict("failed", findings[0].text, findings)
    return Verdict(*_ended(session), findings)


def _ended(session: Session) -> tuple[str, str]:
    """How a session went in which no cause of failure was found."""
    if session.stop_answered.startswith("OK") and session.charged:
        if session.stop_asked is not None:
            return "good", "the station asked to stop, the vehicle ended the session in order"
        return "good", "the vehicle ended the session in order"
    if session.encrypted:
        return "unfinished", "the session is encrypted (TLS) and not decoded"
    if session.undecoded and not session.talked():
        return "unfinished", f"not decoded: {session.undecoded.most_common(1)[0][0]}"
    if not session.whole:
        return "unfinished", "the capture shows only a part of the session"
    return "unfinished", f"the capture ends after {session.last_answer or 'the connection was made'}"
