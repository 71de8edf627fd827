"""The arrows between the rooms: who may import whom, and which rooms may touch the world.

Read from the source by `ast`, not by importing. A new room is drawn here first.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src"

SESSION = "exi hlc.ids hlc.v2gtp hlc.sap hlc.rules hlc.ports hlc.decisions hlc.quirks hlc.flow hlc.trace.events"
"""What a machine is made of."""

ARROWS = {
    "exi": "",
    "slac.keys": "",
    "slac.mme": "",
    "slac": "slac.keys slac.mme",
    "hlc": "",
    "hlc.ids": "",
    "hlc.v2gtp": "",
    "hlc.sdp": "hlc.v2gtp",
    "hlc.sap": "exi hlc.v2gtp",
    "hlc.rules": "exi hlc.ids hlc.v2gtp",
    "hlc.ports": "",
    "hlc.quirks": "",
    "hlc.decisions": "hlc.ports",
    "hlc.trace": "",
    "hlc.trace.events": "hlc.ids",
    "hlc.documents": "exi hlc.v2gtp hlc.sap hlc.rules",
    "hlc.flow": "exi hlc.ids hlc.v2gtp hlc.sap hlc.rules hlc.documents hlc.ports hlc.quirks hlc.trace.events",
    "hlc.secc": SESSION,
    "hlc.evcc": SESSION,
    "hlc.trace.matching": "slac hlc.trace.events",
    "hlc.sim": f"{SESSION} slac hlc.trace.matching hlc.sdp hlc.secc hlc.evcc",
    "hlc.trace.describe": "hlc.ids hlc.trace.events",
    "hlc.security": "hlc.trace.describe",
    "hlc.trace.screen": "",
    "hlc.trace.console": "hlc.ids hlc.trace.events hlc.trace.describe hlc.trace.screen",
    "hlc.trace.summary": "hlc.ids hlc.trace.events hlc.trace.describe hlc.trace.console",
    "hlc.trace.plain": "hlc.ids hlc.v2gtp hlc.trace.describe",
    "hlc.trace.record": "exi hlc.trace.plain",
    "hlc.trace.output": "hlc.trace.events",
    "hlc.trace.values": "hlc.trace.describe",
    "hlc.trace.homeplug": "hlc.ids hlc.trace.events hlc.trace.describe",
    "hlc.trace.jsonl": "hlc.trace.events hlc.trace.plain hlc.trace.homeplug",
    "hlc.trace.chart": "",
    "hlc.runtime": f"{SESSION} slac hlc.security hlc.trace.matching hlc.sdp hlc.secc hlc.evcc",
    "hlc.capture": "exi slac slac.keys hlc.ids hlc.v2gtp hlc.sdp hlc.sap hlc.rules hlc.decisions hlc.quirks "
    "hlc.trace.events hlc.trace.describe hlc.trace.console hlc.trace.plain hlc.trace.record hlc.trace.values "
    "hlc.trace.homeplug hlc.trace.chart hlc.trace.matching hlc.trace.screen hlc.security",
    "hlc.commands": f"{SESSION} slac slac.keys hlc.security hlc.sdp hlc.secc hlc.evcc hlc.sim hlc.runtime hlc.capture "
    "hlc.trace.describe hlc.trace.console hlc.trace.summary hlc.trace.jsonl hlc.trace.output hlc.trace.record "
    "hlc.trace.screen",
    "hlc.cli": "hlc.commands hlc.runtime hlc.capture",
}
"""For each room, the others that it may import."""

HOMES = {
    "msgspec": ("exi", "hlc", "slac"),
    "construct": ("slac.mme", "hlc.v2gtp", "hlc.sdp"),
    "scapy": ("hlc.capture",),
    "pyroute2": ("slac.link", "hlc.runtime"),
    "asyncio_dgram": ("hlc.runtime",),
    "cryptography": ("hlc.security",),
    "OpenSSL": ("hlc.security",),
}
"""For each library, its home: the only modules, and those below them, that may import it."""

LATE = {"scapy"}
"""Libraries that are slow to import: inside a function only."""

EDGES = ("hlc.runtime", "hlc.capture", "hlc.hardware", "hlc.commands", "hlc.cli", "slac.link")
"""The modules, and those below them, that may touch the world. All others are handed the time and the random bytes."""

WORLD = set(
    """
    asyncio concurrent ctypes curses fcntl glob http mmap multiprocessing os pathlib pty queue random secrets select
    selectors shutil signal socket socketserver ssl subprocess tempfile termios threading time tty urllib uuid
    """.split()
)
"""Modules of the standard library for sockets, files, clocks, randomness, processes and concurrency."""

NOW = {"now", "utcnow", "today"}
"""Methods of datetime and date that look at the clock."""

ALLOWED = {
    ("exi.engine", "os"): "reads the variable OPENHLC_EXI",
    ("hlc.quirks", "pathlib"): "reads the files that stand beside it, a part of the program like its modules",
    ("hlc.sim", "random.Random"): "a seeded generator: the same number gives the same session",
    ("slac.powerline", "random.Random"): "a seeded generator: the same number gives the same line",
    ("hlc.trace.console", "os"): "asks what the terminal can show",
    ("hlc.trace.console", "shutil"): "asks how wide the terminal is",
    ("hlc.trace.screen", "os"): "asks what the terminal can show",
    ("hlc.trace.screen", "shutil"): "asks how wide it is",
    ("hlc.trace.output", "os"): "writes lines to the stream it is given",
    ("hlc.trace.output", "threading"): "keeps a stalled reader from holding a session up",
    ("hlc.trace.output", "queue"): "likewise",
}
"""Exceptions, with their reasons."""


class Use(NamedTuple):
    """A module's use of another, or of something that touches the world."""

    module: str
    line: int
    name: str
    """A dotted name: a module, a name in it, or a builtin."""
    late: bool
    """Inside a function."""


def below(name: str, *tops: str) -> bool:
    return any(name == top or name.startswith(f"{top}.") for top in tops)


def room(module: str) -> str:
    """The room that a module stands in: the longest that is drawn."""
    parts = module.split(".")
    names = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return next((name for name in names if name in ARROWS and name != "hlc"), ".".join(parts[:2]))


def uses(tree: ast.AST, module: str, late: bool = False) -> Iterator[Use]:
    for node in ast.iter_child_nodes(tree):
        inside = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}:{node.lineno}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            first = node.args[0] if node.args else None
            if called in ("importlib.import_module", "import_module", "__import__"):
                names = [first.value] if isinstance(first, ast.Constant) and isinstance(first.value, str) else []
            elif called in ("open", "input"):
                names = [f"{called}()"]
            elif called.rpartition(".")[2] in NOW and called.split(".")[0] in ("datetime", "date"):
                names = ["time"]
        yield from (Use(module, getattr(node, "lineno", 0), name, inside) for name in names)
        yield from uses(node, module, inside)


def read(source: Path) -> list[Use]:
    """Every use in every module below a folder."""
    found: list[Use] = []
    for path in sorted(source.rglob("*.py")):
        module = ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
        found += uses(ast.parse(path.read_text(encoding="utf-8")), module)
    return found


def violations(source: Path) -> list[str]:
    """A line for each use that the arrows forbid."""
    return [f"{use.module}:{use.line}: {fault}" for use in read(source) if (fault := fault_of(use))]


def fault_of(use: Use) -> str | None:
    top = use.name.split(".")[0]
    here = room(use.module)
    if here not in ARROWS:
        return f"{here} is a room without arrows: draw it in tests/test_arrows.py"
    if top in ("exi", "hlc", "slac"):
        there = room(use.name)
        if there != here and there not in ARROWS[here].split():
            return f"{here} may not import {there}"
    elif top in WORLD or use.name.endswith("()"):
        reasons = [
            why for (module, name), why in ALLOWED.items() if below(use.module, module) and below(use.name, name)
        ]
        if not below(use.module, *EDGES) and not reasons:
            return f"{use.name} touches the world, and {here} is pure"
    elif top in HOMES:
        if not below(use.module, *HOMES[top]):
            return f"{top} has its home in {' and '.join(HOMES[top])}"
        if top in LATE and not use.late:
            return f"{top} is slow to import: do so in the function that needs it"
    elif top not in sys.stdlib_module_names:
        return f"{top} is a library without a home: give it one in tests/test_arrows.py"
    return None


def test_the_arrows_hold() -> None:
    assert violations(SOURCE) == []


def test_the_arrows_make_no_circle() -> None:
    """Every room rests on rooms that are drawn above it."""
    drawn: set[str] = set()
    for here, others in ARROWS.items():
        assert set(others.split()) <= drawn, here
        drawn.add(here)


def test_every_exception_is_in_use() -> None:
    found = read(SOURCE)
    for module, name in ALLOWED:
        assert any(below(use.module, module) and below(use.name, name) for use in found), (module, name)


@pytest.mark.parametrize(
    ("module", "line", "fault"),
    [
        ("exi/codec.py", "from hlc import ids", "exi may not import hlc.ids"),
        ("slac/ev.py", "import exi", "slac may not import exi"),
        ("hlc/ids.py", "import hlc.flow", "hlc.ids may not import hlc.flow"),
        ("hlc/rules/din70121.py", "from hlc.secc import Station", "hlc.rules may not import hlc.secc"),
        ("hlc/secc/din70121.py", "from hlc.evcc.vehicle import Vehicle", "hlc.secc may not import hlc.evcc"),
        ("hlc/flow.py", "from hlc.trace import console", "hlc.flow may not import hlc.trace.console"),
        ("hlc/evcc/vehicle.py", "from time import monotonic", "time.monotonic touches the world, and hlc.evcc is pure"),
        ("hlc/secc/station.py", "def f(p):\n    return open(p)", "open() touches the world, and hlc.secc is pure"),
        ("hlc/sim/pair.py", "import random", "random touches the world, and hlc.sim is pure"),
        ("hlc/decisions/limits.py", "x = datetime.now()", "time touches the world, and hlc.decisions is pure"),
        ("exi/engine.py", "importlib.import_module('hlc.flow')", "exi may not import hlc.flow"),
        ("hlc/runtime/tcp.py", "import scapy", "scapy has its home in hlc.capture"),
        (
            "hlc/capture/live.py",
            "from scapy.all import sniff",
            "scapy is slow to import: do so in the function that needs it",
        ),
        ("hlc/cli.py", "import click", "click is a library without a home: give it one in tests/test_arrows.py"),
        ("hlc/attic/old.py", "import exi", "hlc.attic is a room without arrows: draw it in tests/test_arrows.py"),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, module: str, line: str, fault: str) -> None:
    path = tmp_path / module
    path.parent.mkdir(parents=True)
    path.write_text(f"{line}\n")
    [found] = violations(tmp_path)
    name = module.removesuffix(".py").replace("/", ".")
    assert found in (f"{name}:1: {fault}", f"{name}:2: {fault}")


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("exi/engine.py", "import importlib\nimportlib.import_module('exi._native')"),
        ("hlc/sim/pair.py", "from random import Random"),
        ("hlc/capture/files.py", "def f():\n    from scapy.utils import PcapReader"),
        ("hlc/runtime/station.py", "import asyncio\nfrom hlc.secc.station import Station"),
        ("hlc/sdp.py", "from construct import Struct\nimport msgspec\nfrom datetime import timedelta"),
    ],
)
def test_what_is_allowed_is_let_through(tmp_path: Path, module: str, line: str) -> None:
    path = tmp_path / module
    path.parent.mkdir(parents=True)
    path.write_text(f"{line}\n")
    assert violations(tmp_path) == []
