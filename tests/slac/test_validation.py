"""What an answer to CM_VALIDATE.REQ leads to, and what becomes of each outlet that is asked."""

from __future__ import annotations

import pytest

from slac.choice import Candidate
from slac.validation import Next, Result, Validation

FIRST, SECOND = Candidate(b"\2first"), Candidate(b"\2other")


def validation(*, toggles: int = 0, busy_tries: int = 2) -> Validation:
    made = Validation((FIRST, SECOND), busy_tries)
    made.toggles = toggles
    return made


@pytest.mark.parametrize(
    ("toggles", "result", "seen", "leads_to", "verdict"),
    [
        (0, Result.READY, 0, Next.TOGGLE, None),
        (0, Result.NOT_READY, 0, Next.WAIT, None),
        (0, Result.NOT_REQUIRED, 0, Next.MATCH, "it requires no validation"),
        (2, Result.NOT_REQUIRED, 0, Next.MATCH, "it requires no validation"),
        (2, Result.SUCCESS, 2, Next.MATCH, "it saw 2 toggles"),
    ],
)
def test_the_one_that_is_asked_stays(toggles: int, result: int, seen: int, leads_to: Next, verdict: str | None) -> None:
    FIRST.verdict = ""
    asked = validation(toggles=toggles)
    assert asked.heard(result, seen) is leads_to
    assert asked.waiting == [FIRST, SECOND]
    assert FIRST.verdict == (verdict or "")


@pytest.mark.parametrize(
    ("toggles", "result", "seen", "where", "verdict"),
    [
        (0, Result.FAILURE, 0, "unable", "cannot validate"),
        (0, Result.SUCCESS, 0, "unable", "cannot validate"),
        (0, 77, 0, "unable", "cannot validate"),
        (2, Result.SUCCESS, 1, "wrong", "saw 1 of 2 toggles"),
        (2, Result.SUCCESS, 0, "wrong", "saw 0 of 2 toggles"),
        (2, Result.FAILURE, 2, "wrong", "failed to validate"),
        (2, Result.READY, 2, "wrong", "failed to validate"),
    ],
)
def test_the_next_one_is_asked(toggles: int, result: int, seen: int, where: str, verdict: str) -> None:
    asked = validation(toggles=toggles)
    assert asked.heard(result, seen) is Next.GO_ON
    assert asked.waiting == [SECOND]
    assert {name: len(getattr(asked, name)) for name in ("unable", "silent", "wrong") if getattr(asked, name)} == {
        where: 1
    }
    assert FIRST.verdict == verdict
    assert not asked.toggles


def test_silence_is_no_answer() -> None:
    asked = validation()
    asked.not_heard()
    assert (asked.waiting, asked.silent, asked.unable) == ([SECOND], [FIRST], [])


def test_patience_with_each_has_an_end() -> None:
    asked = validation(busy_tries=2)
    answers = [asked.heard(Result.NOT_READY, 0) for _ in range(6)]
    assert answers == [Next.WAIT, Next.WAIT, Next.GO_ON] * 2
    assert [each.verdict for each in asked.unable] == ["was never ready to validate"] * 2
