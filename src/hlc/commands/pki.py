"""`hlc pki create` makes a test hierarchy; `hlc pki show` explains certificates and says what is wrong with them.

Exit code 0 when all is well, 1 when something shown is wrong or cannot be made, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from hlc.runtime import pki as reading
from hlc.runtime.errors import SetupError, WrongUsage
from hlc.security import hierarchy, show
from hlc.security.bad import BAD
from hlc.security.certificate import Facts, PkiError
from hlc.security.profiles import TEST_MARK
from hlc.security.show import Report, Shown
from hlc.security.verify import Link
from hlc.trace.describe import clean

EXAMPLES: Final = """\
examples:
  hlc pki create pki                       a test hierarchy for stations, vehicles and contracts, in the folder pki
  hlc pki create pki --bad expired         the same, but the station's certificate has expired
  hlc pki create pki --bad revoked:contract       the contract is revoked
  hlc pki show pki                         every chain as a tree, and what is wrong with it
  hlc pki show leaf.pem subca.der root.crt leaf.key    files of any maker: chains and keys are put together
  hlc pki show pki --json                  the same for machines

bad credentials (--bad KIND or KIND:NAME, where NAME is secc, vehicle, contract, provisioning or cps):
"""
KINDS: Final = "\n".join(f"  {kind:<16}{bad.text}" for kind, bad in BAD.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hlc pki`."""
    parser.epilog = EXAMPLES + KINDS
    parser.add_argument("action", metavar="create|show", choices=["create", "show"], help="what to do")
    parser.add_argument("paths", metavar="DIR|FILE", nargs="+", help="the directory to make; what to explain")
    parser.add_argument("--bad", metavar="KIND", help="create: one credential is bad, in this one way (see below)")
    parser.add_argument("--json", action="store_true", help="show: an object of JSON on standard output")


def run(options: Any) -> int:
    """Create or show; the exit code. Raises `SetupError`."""
    paths = [Path(path) for path in options.paths]
    now = datetime.now(UTC)
    if options.action == "create":
        if options.json:
            raise WrongUsage("--json is for show")
        if len(paths) > 1:
            raise WrongUsage("create makes one directory")
        return _create(paths[0], options.bad, now)
    if options.bad is not None:
        raise WrongUsage("--bad is for create")
    alone = len(paths) == 1 and paths[0].is_dir()
    found = show.report(_directory(paths[0]), now) if alone else show.heap(_files(paths), now)
    if options.json:
        print(json.dumps(show.record(found, now), indent=2))
    else:
        unicode = "utf" in (sys.stdout.encoding or "").lower()
        print("\n".join(clean(line) for line in lines(found, now, unicode=unicode)))
    return 1 if found.wrong else 0


# --- create -----------------------------------------------------------------------------------------------------------


def _create(directory: Path, kind: str | None, now: datetime) -> int:
    try:
        bad = hierarchy.bent(kind) if kind is not None else None
    except PkiError as error:
        raise WrongUsage(str(error)) from None
    files = hierarchy.files(now, bad=bad)
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise SetupError(f"{directory} is there already and nothing is overwritten: name another, or remove it")
        for name, data in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, data, secret=name.endswith(".key.pem"))
    except OSError as error:
        raise SetupError(f"{directory}: {error.strerror or error}") from None
    print(f"{clean(str(directory))}: a TEST hierarchy, {len(files)} files; its subjects say {TEST_MARK!r}.")
    print("Its keys are in these files: nothing outside a test bench may trust its roots.")
    print("OCSP responses are good for 7 days, the station's certificate for 60; then make a new one.")
    if bad is not None:
        print(f"Bad on request: {bad.role}: {BAD[bad.kind].text}.")
    return 0


def _write(path: Path, data: bytes, *, secret: bool) -> None:
    """A file that was not there; a secret one is nobody else's from its first octet on."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)


# --- show -------------------------------------------------------------------------------------------------------------


def _directory(path: Path) -> dict[str, bytes]:
    found = reading.read(path)
    if not found:
        raise SetupError(f"{path} holds no certificates and no keys: such files end in {', '.join(reading.KINDS)}")
    return found


def _files(paths: list[Path]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for path in paths:
        if not path.exists():
            raise WrongUsage(f"{path}: there is no such file or directory")
        if path.is_dir():
            files |= {str(path / name): data for name, data in reading.read(path).items()}
        else:
            files[str(path)] = reading.octets(path)
    return files


def lines(report: Report, now: datetime, *, unicode: bool) -> list[str]:
    """A report for a reader."""
    told = []
    if report.test:
        told += [f"a TEST hierarchy ({TEST_MARK}): nothing outside a test bench may trust it", ""]
    for chain in report.chains:
        told += [*_chain(chain, now, unicode=unicode), ""]
    used = {link.facts.certificate for chain in report.chains for link in chain.links}
    idle = [(name, facts) for name, facts in report.roots if facts.certificate not in used]
    if idle:
        told.append("roots that no chain here ends in")
        told += [f"  {_line(facts, now)}  ({name})" for name, facts in idle] + [""]
    told += [f"wrong: {problem}" for problem in report.problems]
    told += [f"note: {note}" for note in report.notes]
    wrong = "nothing is wrong" if not report.wrong else f"wrong: {_things(report.wrong)}"
    told.append(wrong + (f", noted: {_things(report.noted)}" if report.noted else ""))
    return told


def _things(count: int) -> str:
    return "1 thing" if count == 1 else f"{count} things"


def _chain(chain: Shown, now: datetime, *, unicode: bool) -> list[str]:
    """A chain as a tree, the root on top, and what is wrong with it below."""
    head = f"{', '.join(chain.files)}: {chain.what}"
    told = [f"{head}; {chain.key}" if chain.key is not None else head]
    turn = "└ " if unicode else "`- "
    top = len(chain.links) - 1
    for depth, link in enumerate(reversed(chain.links)):
        indent = "  " + ("  " * (depth - 1) + turn if depth else "")
        about = [*_about(link, chain)]
        place = top - depth
        if place < len(chain.revocation):
            about.append(chain.revocation[place])
        told.append(f"{indent}{_line(link.facts, now)}")
        told += [f"  {'  ' * (depth + 1)}{text}" for text in about]
    told += [f"  {'wrong' if one.fatal else 'note'}: {one}" for one in chain.findings]
    return told


def _line(facts: Facts, now: datetime) -> str:
    """A certificate in one line: who, which key, how long."""
    if facts.not_after is None or facts.not_before is None:
        return f"{facts.name}  {facts.key}  (its validity cannot be read)"
    left = (facts.not_after - now).days
    lasts = f"{left} days left" if left >= 0 else "expired"
    if facts.not_before > now:
        lasts = "not valid yet"
    return f"{facts.name}  {facts.key}  {facts.not_before:%Y-%m-%d} to {facts.not_after:%Y-%m-%d} ({lasts})"


def _about(link: Link, chain: Shown) -> list[str]:
    """What else a certificate says of itself: of a leaf all, of a CA what sets it apart."""
    facts = link.facts
    said = [f"{what} {name}" for what, name in show.identifier(link, chain.role).items()]
    if facts.organization:
        said.append(f"O={facts.organization}"[:80])
    said += [f"DC={domain}"[:80] for domain in facts.domains]
    if facts.path_length is not None:
        said.append(f"at most {facts.path_length} CA below" if facts.path_length else "no CA below")
    if not facts.ca:
        said.append("for " + (", ".join(sorted(facts.usage)) if facts.usage else "no keyUsage"))
        said += sorted(facts.purposes or ())
        said.append(f"{facts.size} octets")
    return [", ".join(said)] if said else []
