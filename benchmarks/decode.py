"""How long `hlc decode` takes for a capture, beside `tshark -V`, which does not decode EXI: whole processes in turns.

The capture is a recorded session of ten minutes where the reference data is at hand, else one that `hlc demo` writes.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
HLC: Final = [sys.executable, "-m", "hlc.cli"]
RECORDED: Final = "2026-02-03_pyPLC_FoccciCape_with_Ioniq_runs_10_minutes.pcap"
LIMITS: Final = {"hlc decode --json": 1.0, "hlc decode --summary": 0.5}
"""Of the time that tshark takes."""
ROUNDS: Final = 7


def measured(command: list[str]) -> float:
    """CPU seconds of a command; what it prints goes nowhere."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def capture(directory: Path) -> Path:
    """The capture to read."""
    reference = Path(os.environ.get("OPENHLC_REFERENCE", ROOT.parent / "shared")) / "captures" / RECORDED
    if reference.exists():
        return reference
    path = directory / "demo.pcapng"
    subprocess.run([*HLC, "demo", "--speed", "0", "--write", str(path)], stdout=subprocess.DEVNULL, check=True)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is run; the least counts")
    rounds = max(1, parser.parse_known_args()[0].rounds)
    tshark = shutil.which("tshark")
    with tempfile.TemporaryDirectory() as name:
        path = capture(Path(name))
        commands = {
            "hlc decode --json": [*HLC, "decode", str(path), "--json"],
            "hlc decode --summary": [*HLC, "decode", str(path), "--summary"],
        }
        if tshark is not None:
            commands["tshark -V"] = [tshark, "-V", "-r", str(path)]
        times: dict[str, list[float]] = {what: [] for what in commands}
        for _ in range(rounds):
            for what, command in commands.items():
                times[what].append(measured(command))
        print(f"{path.name}, {path.stat().st_size / 1e6:.1f} MB; the least of {rounds} runs")
    least = {what: min(each) for what, each in times.items()}
    print(f"{'':22} {'CPU s':>6}  of tshark   limit")
    for what, seconds in least.items():
        share, limit = seconds / least["tshark -V"] if tshark is not None else None, LIMITS.get(what)
        line = f"{what:22} {seconds:6.2f}"
        if share is not None and limit is not None:
            line += f"  {share:9.2f}  {limit:6.2f}  {'holds' if share <= limit else 'IS EXCEEDED'}"
        print(line)
    if tshark is None:
        print("tshark is not installed: there is nothing to compare with (apt install tshark)")


if __name__ == "__main__":
    main()
