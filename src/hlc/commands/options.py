"""Options that commands share, what values they take, and which of those are built.

An option of the design that is not built yet is accepted by the parser and refused in one line: never silently ignored.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, Final, NamedTuple

from hlc import sap
from hlc.commands.output import say
from hlc.ports import Mode
from hlc.rules.iso15118_20.services import Control
from hlc.runtime.errors import WrongUsage
from hlc.runtime.interfaces import Interface


class Choice(NamedTuple):
    """An option that names what is to be spoken or done: all that it may name, and what of it is built."""

    option: str
    words: tuple[str, ...]
    built: tuple[str, ...]


PROTOCOLS: Final = ("din70121", "iso15118-2", "iso15118-20")
MODES: Final = tuple(mode.value for mode in Mode)

CONTROLS: Final = tuple(control.name.lower() for control in Control)

OR_NO_SLAC: Final = "; or leave SLAC out with --no-slac, where the powerline link stands already"
"""Behind what keeps SLAC from running."""

CHOICES: Final = {
    "protocol": Choice("--protocol", PROTOCOLS, PROTOCOLS),
    "protocols": Choice("--protocols", PROTOCOLS, PROTOCOLS),
    "mode": Choice("--mode", MODES, MODES),
    "modes": Choice("--modes", MODES, MODES),
    "auth": Choice("--auth", ("eim", "pnc"), ("eim",)),
    "tls": Choice("--tls", ("never", "allow", "require"), ("never", "allow", "require")),
    "control": Choice("--control", CONTROLS, CONTROLS),
}
"""By the name of the attribute. Those that take several words take them separated by commas."""

NOT_BUILT: Final = {
    "config": "--config FILE is not built yet: the hardware is simulated; leave it out",
}


BY_MODE: Final = {
    mode: f"iso15118_20_{'dc' if mode in (Mode.MCS, Mode.MCS_BPT) else mode.value.removesuffix('_bpt')}"
    for mode in Mode
}
"""The protocol of ISO 15118-20 for each mode."""
WIRELESS: Final = frozenset({Mode.WPT, Mode.ACDP, Mode.ACDP_BPT})
"""Modes in which the two talk over WLAN."""


def check_choices(options: Any) -> None:
    """Refuse what is unknown or not built. Raises `WrongUsage`."""
    for name, choice in CHOICES.items():
        for word in words(getattr(options, name, None)):
            if word not in choice.words and not (name in ("mode", "modes") and word.replace("-", "_") in choice.words):
                raise WrongUsage(f"{choice.option} knows no {word!r}; it takes {', '.join(choice.words)}")
            if word.replace("-", "_") not in choice.built and word not in choice.built:
                instead = f"only {', '.join(choice.built)} is" if choice.built else "leave it out"
                raise WrongUsage(f"{choice.option} {word} is not built yet: {instead}")
    for name, text in NOT_BUILT.items():
        if getattr(options, name, None) is not None:
            raise WrongUsage(text)


def taking(name: str) -> str:
    """The help of an option that names what is to be done."""
    choice = CHOICES[name]
    return f"of {', '.join(choice.words)}; built: {', '.join(choice.built) or 'none yet'}"


def words(value: str | None) -> list[str]:
    """The words of a list separated by commas."""
    return [] if value is None else [word.strip().lower() for word in value.split(",")]


def modes(options: Any) -> list[Mode]:
    """How energy is transferred."""
    return [Mode(word.replace("-", "_")) for word in words(options.modes)]


def control(options: Any) -> Control | None:
    """Who chooses the power in ISO 15118-20; None: no matter."""
    return None if options.control is None else Control[options.control.upper()]


def protocols(options: Any) -> list[sap.Protocol]:
    """The protocols to speak. ISO 15118-20 is negotiated by kind of energy transfer."""
    found = []
    for name in words(options.protocols):
        if name == "iso15118-20":
            found += [sap.PROTOCOLS[each] for each in dict.fromkeys(BY_MODE[mode] for mode in modes(options))]
        else:
            found.append(sap.PROTOCOLS[name.replace("-", "_")])
    return found


def add_session_arguments(parser: argparse.ArgumentParser, who: str) -> None:
    """The options that station and vehicle share; `who` is the one that is simulated."""
    more = "; once more for each further outlet" * (who == "outlet")
    parser.add_argument(
        "--interface",
        metavar="IF",
        action="append",
        help=f"network interface: eth1, or lo to try both ends on one machine{more}",
    )
    parser.add_argument("--no-slac", action="store_true", help="no matching: the powerline link stands already")
    parser.add_argument("--protocols", metavar="A,B", default="din70121", help=taking("protocols"))
    parser.add_argument("--modes", metavar="A,B", default="dc", help=taking("modes"))
    parser.add_argument("--control", metavar="WORD", help=taking("control"))
    parser.add_argument("--auth", metavar="A,B", default="eim", help=taking("auth"))
    parser.add_argument("--config", metavar="FILE", type=Path, help=f"a real {who} (not built yet)")
    parser.add_argument(
        "--strict", action="store_true", help="to the letter of the standards, and no quirks (docs/tolerance.md)"
    )
    parser.add_argument("--once", action="store_true", help="end after the first session: exit code 0 if it ended well")
    parser.add_argument("--json", action="store_true", help="trace events on standard output, a JSON object per line")


def slac_wanted(options: Any, command: str, interface: Interface | None) -> bool:
    """Whether to match first. Where that cannot be, it is said."""
    if options.no_slac:
        return False
    if interface is None or interface.loopback:
        say(command, "without an Ethernet interface there is no powerline: SLAC is left out, as with --no-slac")
        return False
    if set(modes(options)) <= WIRELESS:
        say(command, f"with --modes {options.modes} nothing is plugged in: SLAC is left out, as with --no-slac")
        return False
    return True


def number(low: float, high: float, what: str) -> Callable[[str], float]:
    """A type of argument: a number within bounds."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not {what}")
        return value

    return read


def port(text: str) -> int:
    """A type of argument: a port that a station may announce."""
    if not text.isdecimal() or not 49152 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port that a station may announce: 49152 to 65535")
    return int(text)


class Address(NamedTuple):
    """Where a station listens. `zone` is the interface named behind the address: fe80::1%eth1."""

    address: IPv6Address
    port: int
    zone: str | None


def address(text: str) -> Address:
    """A type of argument: [ADDR]:PORT."""
    host, colon, digits = text.rpartition(":")
    try:
        if not colon or not (host.startswith("[") and host.endswith("]")):
            raise ValueError
        plain, percent, zone = host[1:-1].partition("%")
        found = Address(IPv6Address(plain), int(digits), zone if percent else None)
        if not 0 < found.port < 65536:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no address of a station: write [ADDRESS]:PORT, as in [fe80::1]:50000"
        ) from None
    return found
