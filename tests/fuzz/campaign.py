"""Fuzz both engines for some seconds, and tell what came of it: `make fuzz SECONDS=60`.

Two runs of build/fuzz/target share a corpus in build/fuzz/corpus, which stays for the next time. "C" asks the C engine
alone; "both" holds it against the Python engine (see target.c for what each proves). With one core they run one after
the other, each for half of the time. A finding is a file in build/fuzz/findings; the exit status is then 1.

    make fuzz INPUT=build/fuzz/findings/crash-...     run one input again
    make fuzz-corpus                                  make the found inputs the corpus in tests/fuzz/corpus, minimised
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Final, NamedTuple

import corpus

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build" / "fuzz"
TARGET, FOUND, FINDINGS = BUILD / "target", BUILD / "corpus", BUILD / "findings"
KEPT, GROWN = BUILD / "kept", BUILD / "grown"
"""What tests/fuzz/corpus holds; what is grown from the grammars, with the vectors."""

LIMITS: Final = ["-timeout=20", "-rss_limit_mb=2048", "-malloc_limit_mb=64"]
"""Seconds and memory for one input; more is a finding."""
SMALL: Final = 250
"""Octets of the longest input that the corpus in the source tree keeps."""
BEAT: Final = 60
"""Seconds between two signs of life."""


class Mode(NamedTuple):
    engines: str
    longest: int
    """Octets of the longest input made. The longest real message known has 4,595."""
    environment: dict[str, str]
    grown: bool
    """Whether it begins with what is grown, too: thousands of inputs."""


MODES: Final = (
    Mode("C", 6000, {"PYTHONMALLOC": "malloc"}, grown=True),
    # Python's own allocator is faster, but LeakSanitizer does not see into it.
    Mode("both", 1500, {"FUZZ_ENGINES": "both", "ASAN_OPTIONS": "detect_leaks=0"}, grown=False),
)


def environment(mode: Mode) -> dict[str, str]:
    paths = os.pathsep.join([str(ROOT / "src"), str(Path(__file__).parent)])
    return {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", **mode.environment}


class Run:
    """One run of the target, and what its log says."""

    def __init__(self, mode: Mode, seconds: int) -> None:
        self.mode = mode
        self.log_path = BUILD / f"{mode.engines}.log"
        command = [TARGET, f"-max_total_time={seconds}", f"-max_len={mode.longest}", f"-artifact_prefix={FINDINGS}/"]
        command += ["-print_final_stats=1", "-reload=10", *LIMITS, FOUND, KEPT, *[GROWN] * mode.grown]
        self.log: IO[str] = self.log_path.open("w", encoding="utf-8")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=environment(mode), cwd=BUILD)

    def text(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def number(self, pattern: str) -> int:
        """The last number that the log has for it."""
        found: list[str] = re.findall(pattern, self.text())
        return int(found[-1]) if found else 0

    def executions(self) -> int:
        return self.number(r"number_of_executed_units: (\d+)") or self.number(r"(?m)^#(\d+)")

    def row(self) -> list[str]:
        edges = self.number(r"cov: (\d+)"), self.number(r"\((\d+) inline 8-bit counters\)")
        reached = re.search(r"REACHED: (\d+ of \d+)", self.text())
        speed, size = self.number(r"average_exec_per_sec: +(\d+)"), self.number(r"corp: (\d+)")
        memory = self.number(r"peak_rss_mb: +(\d+)")
        return [
            self.mode.engines,
            f"{self.executions():,}",
            f"{speed:,}",
            "{} of {}".format(*edges),
            reached[1] if reached else "-",
            f"{size:,}",
            f"{memory:,} MB",
        ]

    def failed(self) -> bool:
        return self.process.returncode != 0

    def tell(self) -> None:
        """Say what was found, and how to see it again."""
        text = self.text()
        why = re.search(r"FINDING: .*|ERROR: \w+Sanitizer: .*|.*: runtime error: .*|ERROR: libFuzzer: .*", text)
        wrong = re.findall(r"(?m)^(?:AssertionError|[A-Za-z_.]*(?:Error|Exception)): .*", text)
        print(f"\n{self.mode.engines}: {why[0] if why else 'the target failed'}")
        for line in wrong[:1]:
            print(f"  {line[:500]}")
        written = re.findall(r"Test unit written to (.*)", text)
        for path in written:
            shown = os.path.relpath(path, ROOT)
            print(f"  {describe(Path(path))}\n  again with: make fuzz INPUT={shown}")
        print(f"  log: {os.path.relpath(self.log_path, ROOT)}")


HEADINGS: Final = ["engines", "executions", "per second", "edges", "productions", "corpus", "memory"]


def describe(path: Path) -> str:
    found = corpus.unpack(path.read_bytes()) if path.stat().st_size else None
    return f"{path.name}: {found.schema} {found.line()}" if found else f"{path.name}: empty"


def table(rows: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        print("  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])]))


def prepare() -> None:
    corpus.spread(corpus.everything(), KEPT)
    corpus.spread([*corpus.grown(), *corpus.vectors()], GROWN)
    FOUND.mkdir(parents=True, exist_ok=True)
    FINDINGS.mkdir(parents=True, exist_ok=True)


def fuzz(seconds: int) -> int:
    prepare()
    started = time.monotonic()
    runs: list[Run] = []
    if len(os.sched_getaffinity(0)) > 1:
        runs = [Run(mode, seconds) for mode in MODES]
        watch(runs, started)
    else:
        for mode in MODES:
            runs.append(Run(mode, max(1, seconds // len(MODES))))
            watch(runs, started)
    table([HEADINGS, *(run.row() for run in runs)])
    bad = [run for run in runs if run.failed()]
    for run in bad:
        run.tell()
    print(f"\n{len(bad) or 'no'} finding{'s' * (len(bad) != 1)} in {time.monotonic() - started:.0f} seconds")
    return 1 if bad else 0


def watch(runs: list[Run], started: float) -> None:
    """Wait for the end, with a sign of life now and then."""
    beat = started + BEAT
    while any(run.process.poll() is None for run in runs):
        time.sleep(0.2)
        if time.monotonic() > beat:
            beat += BEAT
            counts = ", ".join(f"{run.mode.engines} {run.executions():,}" for run in runs)
            print(f"after {time.monotonic() - started:.0f} seconds: {counts} executions", flush=True)


def again(path: Path) -> int:
    """Run one input in both modes."""
    print(describe(path), flush=True)
    status = 0
    for mode in MODES:
        print(f"\n== {mode.engines}", flush=True)
        status |= subprocess.call([TARGET, *LIMITS, path], env=environment(mode)) != 0
    return status


def minimise() -> int:
    """Keep in the source tree what reaches anything new: of the corpus, of what was found, and of the vectors."""
    prepare()
    merged = BUILD / "merged"
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir()
    command = [TARGET, "-set_cover_merge=1", f"-max_len={SMALL}", merged, KEPT, FOUND, GROWN]
    subprocess.run(command, check=True, env=environment(MODES[0]), stderr=subprocess.DEVNULL)
    corpus.keep(merged, SMALL)
    for path in sorted(corpus.CORPUS.glob("*.txt")):
        print(f"{path.relative_to(ROOT)}: {len(list(corpus.lines(path)))} inputs, {path.stat().st_size:,} octets")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz both engines, and tell what came of it.")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--input", type=Path, help="run this input again")
    parser.add_argument("--minimise", action="store_true", help="renew the corpus in the source tree")
    options = parser.parse_args()
    if options.minimise:
        return minimise()
    return again(options.input) if options.input else fuzz(options.seconds)


if __name__ == "__main__":
    sys.exit(main())
