"""What the capture does not show, and what in it could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlc.capture.doctor.finding import Finding, Rule, Severity, Who
from hlc.capture.session import Session


def holes(session: Session, last_at: float) -> Iterator[Finding]:
    if session.lost:
        text = f"{session.lost} octets of the connection are not in the capture or belong to no message"
        yield Finding(session.end, Who.LISTENER, text, Severity.REMARK)


def undecoded(session: Session, last_at: float) -> Iterator[Finding]:
    for reason, count in session.undecoded.items():
        text = f"{count} message{'s' if count > 1 else ''} not decoded: {reason}"
        yield Finding(session.end, Who.EITHER, text, Severity.REMARK)


# fmt: off
RULES: Final = (
    Rule("hole", "Octets of the connection are not in the capture.", holes,
         "Capture nearer to the link, or with a larger buffer."),
    Rule("undecoded", "Messages that could not be decoded.", undecoded,
         "See what they are: `hlc decode FILE` shows why each was not decoded."),
)
# fmt: on
"""Of the capture."""
