"""The doctor: how matching runs and recorded sessions ended, and why. Pure: facts go in, findings with their evidence
come out.

`table` holds every rule, by name; each area has a file with its functions. What the rules look at are the facts that
`session` and `matching` keep while a capture is read; nothing is judged before it is over.
"""

from hlc.capture.doctor.table import OF_PLUG_IN, TABLE, judge, judge_capture, judge_matching, judge_plug_in
from hlc.capture.finding import Deadline, Evidence, Finding, Rule, Severity, Verdict, Who

__all__ = [
    "OF_PLUG_IN",
    "TABLE",
    "Deadline",
    "Evidence",
    "Finding",
    "Rule",
    "Severity",
    "Verdict",
    "Who",
    "judge",
    "judge_capture",
    "judge_matching",
    "judge_plug_in",
]
