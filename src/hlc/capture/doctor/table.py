"""THE table: every rule by which the doctor judges, in the order in which findings of the same rank are told."""

from __future__ import annotations

from typing import Any, Final

from hlc.capture.doctor import (
    connection,
    delivery,
    discovery,
    electrical,
    known,
    matching,
    parameters,
    quality,
    sequence,
    stages,
    status,
    timing,
    tls,
)
from hlc.capture.finding import Evidence, Finding, Rule, Severity, Verdict, Who, ranked
from hlc.capture.matching import Matching
from hlc.capture.plugin import PlugIn
from hlc.capture.session import Session
from hlc.capture.totals import Totals

MATCHING: Final[tuple[Rule, ...]] = matching.RULES
SESSION: Final[tuple[Rule, ...]] = (
    *connection.RULES,
    *tls.RULES,
    *electrical.RULES,
    *sequence.RULES,
    *status.RULES,
    *parameters.RULES,
    *delivery.RULES,
    *timing.RULES,
    *quality.SESSION,
    *known.RULES,
)
PLUG_IN: Final[tuple[Rule, ...]] = (*quality.PLUG_IN, *discovery.RULES)
CAPTURE: Final[tuple[Rule, ...]] = quality.CAPTURE
OF_PLUG_IN: Final = frozenset(rule.name for rule in PLUG_IN)
"""Names of the rules on plug-ins as a whole."""
TABLE: Final = {"matching run": MATCHING, "plug-in": PLUG_IN, "session": SESSION, "capture": CAPTURE}
"""By what they look at."""


def examined(rules: tuple[Rule, ...], subject: Any, last_at: float) -> list[Finding]:
    """All findings on a subject, the most telling first."""
    return ranked([finding for rule in rules for finding in rule.findings(subject, last_at)])


def judge_matching(run: Matching, last_at: float) -> Verdict:
    """The verdict on a matching run; `last_at` is the time of the last frame of the capture so far."""
    return stages.verdict(run, examined(MATCHING, run, last_at), last_at)


def judge(session: Session, last_at: float) -> Verdict:
    """The verdict on a session, or on attempts to begin one, likewise."""
    findings = examined(SESSION, session, last_at)
    causes = [finding for finding in findings if finding.cause]
    if causes:  # what a listener did not hear did not fail
        heard = any(finding.who is not Who.LISTENER for finding in causes)
        return Verdict("failed" if heard else "unfinished", causes[0].text, findings)
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


def judge_capture(totals: Totals) -> list[Finding]:
    """What is to be said of a capture as a whole."""
    return examined(CAPTURE, totals, totals.last_at)


def judge_plug_in(plug: PlugIn, last_at: float) -> Verdict:
    """The verdict on a plug-in as a whole: the findings on all that belongs to it, what came to a good end in a later
    try being none of its causes of failure."""
    findings = ranked([*examined(PLUG_IN, plug, last_at), *_of_matchings(plug), *_of_sessions(plug)])
    causes = [finding for finding in findings if finding.cause]
    if any(finding.who is not Who.LISTENER for finding in causes):
        return Verdict("failed", causes[0].text, findings)
    if causes:
        return Verdict("unfinished", causes[0].text, findings)
    if any(verdict.good for _, verdict in plug.sessions):
        poor = [finding for finding in findings if finding.severity is Severity.POOR]
        return Verdict("poor", poor[0].text, findings) if poor else Verdict("good", "nothing wrong", findings)
    if plug.sessions:
        return Verdict("unfinished", plug.sessions[-1][1].reason, findings)
    if plug.matchings:
        run, verdict = plug.matchings[-1]
        said = f"{verdict.outcome} {verdict.reason}" if run.link is not None else verdict.reason
        return Verdict("unfinished", said, findings)
    return Verdict("unfinished", "the capture shows only discovery", findings)


def _of_matchings(plug: PlugIn) -> list[Finding]:
    """A run that failed does no harm where a later one made the link. What befell several runs is told once."""
    last = max((run.number for run, _ in plug.matchings if run.link is not None), default=0)
    found: dict[tuple[str, Severity, Who], Finding] = {}
    for run, verdict in plug.matchings:
        several: dict[str, int] = {}
        for finding in verdict.findings:
            severity = Severity.REMARK if run.number < last else finding.severity
            # A run may have several findings by one rule: the first is that of earlier runs, and so on.
            several[finding.rule] = nth = several.get(finding.rule, 0) + 1
            key = f"{finding.rule} {nth}", severity, finding.who
            before = found.get(key)
            if before is None:
                found[key] = finding._replace(severity=severity)
            else:
                again = Evidence(finding.where, f"again in matching {run.number}")
                found[key] = before._replace(evidence=(*before.evidence, again))
    return list(found.values())


def _of_sessions(plug: PlugIn) -> list[Finding]:
    """Attempts do no harm where a session followed; a session that failed makes the plug-in a poor one where a good one
    followed."""
    found = []
    for number, (session, verdict) in enumerate(plug.sessions):
        later = plug.sessions[number + 1 :]
        least = Severity.CAUSE
        if session.attempts is not None and any(other.attempts is None for other, _ in later):
            least = Severity.REMARK
        elif any(other.good for _, other in later):
            least = Severity.POOR
        found += [finding._replace(severity=max(finding.severity, least)) for finding in verdict.findings]
    return found
