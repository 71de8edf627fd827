"""The table of rules: every row can be told apart, says what to do, and stands in docs/doctor.md."""

from __future__ import annotations

import re
from pathlib import Path

from hlc.capture.doctor import TABLE, Rule

ROWS: list[tuple[str, Rule]] = [(subject, rule) for subject, rules in TABLE.items() for rule in rules]
PAGE = Path(__file__).resolve().parents[4] / "docs" / "doctor.md"


def test_names_are_stable_words_and_no_two_are_the_same() -> None:
    names = [rule.name for _, rule in ROWS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]+", name) for name in names)


def test_every_rule_says_what_it_looks_for_and_what_to_do() -> None:
    for _, rule in ROWS:
        assert rule.about.endswith("."), rule.name
        assert rule.advice.endswith("."), rule.name
        assert "|" not in rule.about + rule.clause, rule.name


def test_the_page_has_every_rule() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for subject, rules in TABLE.items():
        wanted = "\n".join(f"| `{rule.name}` | {rule.about} | {rule.clause} |" for rule in rules)
        assert wanted in page, f"docs/doctor.md lacks, of a {subject}:\n{wanted}"
    named = set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))
    assert named == {rule.name for _, rule in ROWS}
