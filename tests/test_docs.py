"""The page on the codec: its examples print what stands below them, and its tables and links are right."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

import exi

PAGE = Path(__file__).resolve().parent.parent / "docs" / "exi.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^ *```python\n(.*?)^ *```\n(?:\n *```\n(.*?)^ *```\n)?", re.DOTALL | re.MULTILINE)


def test_examples_print_what_stands_below_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All in one module, as a reader would type them: declarations look up their annotations there."""
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    examples = list(EXAMPLE.finditer(TEXT))
    assert len(examples) == TEXT.count("```python")
    for found in examples:
        line = TEXT.count("\n", 0, found.start(1))
        code = compile("\n" * line + dedent(found[1]), str(PAGE), "exec", dont_inherit=True)
        exec(code, module.__dict__)
        assert capsys.readouterr().out == dedent(found[2] or ""), f"the example below line {line}"


def test_every_schema_is_listed() -> None:
    rows = re.findall(r"^\| `([a-z0-9_]+)` \|.*\| `(exi\.messages\.[a-z0-9_.]+)` \|$", TEXT, re.MULTILINE)
    assert [name for name, _ in rows] == list(exi.schema_names())
    assert [importlib.import_module(module).SCHEMA.name for _, module in rows] == list(exi.schema_names())


def test_every_method_is_listed() -> None:
    [table] = re.findall(r"^\| of a schema \|.*?\n\n", TEXT, re.DOTALL | re.MULTILINE)
    named = re.findall(r"`([a-z_]+)\(", " ".join(row.split("|")[1] for row in table.splitlines() if row))
    assert set(named) == {name for name in dir(exi.Schema) if not name.startswith("_")} - {"grammar"}


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    anchors = {re.sub("[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for link in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert link[1:] in anchors if link.startswith("#") else (PAGE.parent / link).exists(), link


def test_every_column_for_analysis_is_listed() -> None:
    from hlc.capture.views.rows import COLUMNS

    page = (PAGE.parent / "analysis.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(["file", *COLUMNS, "message"])
