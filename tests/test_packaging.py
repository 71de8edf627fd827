"""What is packaged is what is there: dependencies, version, licence, and the commands that the README names."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import hlc

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def imported_libraries(folder: str) -> set[str]:
    """Every top-level module that is imported there and that is neither ours nor Python's."""
    found = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    folders = ("tests/fuzz", "tests/hlc", "benchmarks")
    shared = {path.stem for each in folders for path in (ROOT / each).glob("*.py")}
    return found - sys.stdlib_module_names - {"exi", "hlc", "slac", "tests"} - shared


IMPORTED_AS = {"pyOpenSSL": "OpenSSL"}
"""Libraries that are imported by another name than they are installed by."""


RUNNERS = {"pytest_xdist"}
"""What the tests need and do not import."""


def names(requirements: list[str]) -> set[str]:
    found = {re.split("[<>=!~ ;]", line)[0].replace("-", "_") for line in requirements}
    return {IMPORTED_AS.get(name, name) for name in found}


def test_dependencies_are_what_is_imported() -> None:
    declared = names(PROJECT["dependencies"])
    assert declared == imported_libraries("src")
    extras = {name: names(lines) for name, lines in PROJECT["optional-dependencies"].items()}
    extra, optional = extras["test"], extras["all"]
    assert optional == extras["plot"] | extras["parquet"] | extras["dask"]
    assert optional <= extra
    assert imported_libraries("tests") - declared - optional == extra - optional - RUNNERS
    assert imported_libraries("benchmarks") <= declared | extra


def test_every_package_is_typed() -> None:
    packages = [path.parent for path in (ROOT / "src").glob("*/__init__.py")]
    assert {package.name for package in packages} >= {"exi", "hlc"}
    assert [package.name for package in packages if not (package / "py.typed").exists()] == []


def test_the_version_is_told() -> None:
    said = subprocess.run([sys.executable, "-m", "hlc.cli", "--version"], capture_output=True, text=True, check=True)
    try:
        importlib.metadata.distribution(PROJECT["name"])
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("openhlc is not installed")
    assert PROJECT["version"] in said.stdout


def test_the_changelog_knows_the_version() -> None:
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_licence_is_there() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]


@pytest.mark.parametrize("path", ["README.md", "docs/architecture.md", "benchmarks/README.md", "hardware/README.md"])
def test_links_and_targets_exist(path: str) -> None:
    """Relative links lead somewhere, and `make` has the targets that are named."""
    text = (ROOT / path).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [link for link in links if not ((ROOT / path).parent / link).exists()] == []
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", text)) <= targets


def test_the_readme_names_commands_and_options_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    helps: dict[str, str] = {}
    for command, rest in re.findall(r"^\s*hlc ([a-z]+)(.*)$", text, re.MULTILINE):
        if command not in helps:
            asked = [sys.executable, "-m", "hlc.cli", command, "--help"]
            helps[command] = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        for option in re.findall(r"(?<!\S)--[a-z-]+", rest.partition("#")[0]):
            assert option in helps[command], f"hlc {command} has no {option}"
    assert {"secc", "evcc", "decode"} <= helps.keys()


def test_rooms_of_the_page_on_architecture_are_there() -> None:
    rooms = re.findall(r"^\| `([a-z_/.]+)` \|", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE)
    assert len(rooms) > 10
    assert [room for room in rooms if not (ROOT / "src" / room).exists()] == []


def test_hlc_is_imported_from_this_checkout() -> None:
    assert hlc.__file__ is not None
    assert Path(hlc.__file__).is_relative_to(ROOT)


def test_the_example_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    [example] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert "EVCCID" in capsys.readouterr().out
