"""Who saw the vehicle toggle (CM_VALIDATE): which outlet to ask next, and what its answer means. `run` asks."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, IntEnum

from slac.choice import Candidate


class Result(IntEnum):
    """In CM_VALIDATE."""

    NOT_READY = 0
    READY = 1
    SUCCESS = 2
    FAILURE = 3
    NOT_REQUIRED = 4


class Next(Enum):
    """What an answer leads to."""

    TOGGLE = "toggle, and ask what it saw"
    WAIT = "ask it again later"
    GO_ON = "ask the next one"
    MATCH = "it is the outlet"


class Validation:
    """Of one run. Each outlet is asked whether it can validate, then what it saw; `verdict` says what came of it."""

    def __init__(self, possible: Iterable[Candidate], busy_tries: int) -> None:
        self.waiting = list(possible)
        """Still to be asked; the first one is being asked."""
        self.unable: list[Candidate] = []
        """Who cannot validate."""
        self.silent: list[Candidate] = []
        """Who does not answer, which may be an outlet that does not know the question, or loss."""
        self.wrong: list[Candidate] = []
        """Who did not see what was toggled: it watches another vehicle."""
        self.toggles = 0
        """So many that the first one should see; 0: it has not said that it is ready."""
        self._busy_tries = self._busy_left = busy_tries

    def heard(self, result: int, seen: int) -> Next:
        """CM_VALIDATE.CNF of the first one."""
        toggles, self.toggles = self.toggles, 0
        if result == Result.NOT_REQUIRED:
            return self._matches("it requires no validation")
        if toggles:
            if result == Result.SUCCESS and seen == toggles:
                return self._matches(f"it saw {seen} toggles")
            text = f"saw {seen} of {toggles} toggles" if result == Result.SUCCESS else "failed to validate"
            return self._goes(self.wrong, text)
        if result == Result.READY:
            return Next.TOGGLE
        if result == Result.NOT_READY and self._busy_left:
            self._busy_left -= 1
            return Next.WAIT
        return self._goes(self.unable, "cannot validate" if result else "was never ready to validate")

    def not_heard(self) -> None:
        """The first one does not answer, however often it is asked."""
        self._goes(self.silent, "does not answer CM_VALIDATE.REQ")

    def _matches(self, verdict: str) -> Next:
        self.waiting[0].verdict = verdict
        return Next.MATCH

    def _goes(self, where: list[Candidate], verdict: str) -> Next:
        candidate = self.waiting.pop(0)
        candidate.verdict = verdict
        where.append(candidate)
        self._busy_left = self._busy_tries
        return Next.GO_ON
