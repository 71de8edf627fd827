"""The doctor: how matching runs and recorded sessions ended, and why. Pure: facts go in, findings with their evidence
come out.

`table` holds every rule, by name; each area has a file with its functions. What the rules look at are the facts that
`session` and `matching` keep while a capture is read; nothing is judged before it is over.
"""

from hlc.capture.doctor.finding import Deadline, Evidence, Finding, Rule, Severity, Verdict, Who
from hlc.capture.doctor.table import TABLE, judge, judge_matching

__all__ = [
    "TABLE",
    "Deadline",
    "Evidence",
    "Finding",
    "Rule",
    "Severity",
    "Verdict",
    "Who",
    "judge",
    "judge_matching",
]
