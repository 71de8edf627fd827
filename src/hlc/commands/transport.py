"""What `--tls`, `--pki` and `--keylog` come to for a station and a vehicle, and by which discovery they meet."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from hlc import sap
from hlc.commands import options as shared
from hlc.commands.output import say
from hlc.ports import Mode
from hlc.runtime import pki as directory
from hlc.runtime.errors import WrongUsage
from hlc.runtime.policy import Policy
from hlc.sdp import Coupling, Positioning, SdpWirelessRequest
from hlc.security.handshake import Version
from hlc.security.layer import PLAIN, Security

PANTOGRAPH: Final = SdpWirelessRequest(
    positioning=Positioning.PPD_INFRASTRUCTURE, coupling=Coupling.INVERSE_PANTOGRAPH_CROSS_RAIL
)
WIRELESS: Final = {
    Mode.WPT: SdpWirelessRequest(positioning=Positioning.PPD_INFRASTRUCTURE, coupling=Coupling.WPT),
    Mode.ACDP: PANTOGRAPH,
    Mode.ACDP_BPT: PANTOGRAPH,
}
"""How a vehicle asks for a station that it reaches by WLAN, by mode."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "--tls",
        metavar="WORD",
        help="never, allow (TLS where both can, plain otherwise) or require; default: allow with --pki, else never",
    )
    parser.add_argument(
        "--pki", metavar="DIR", type=Path, help="certificates and roots; hlc pki create makes test ones"
    )
    parser.add_argument("--keylog", metavar="FILE", type=Path, help="append the keys of TLS to FILE, for Wireshark")


def policy(options: Any) -> Policy:
    """Whether there is TLS. Raises `WrongUsage` where the options contradict each other."""
    word = options.tls or ("never" if options.pki is None else "allow")
    protocols = shared.protocols(options)
    if word == Policy.NEVER:
        if options.strict and all(protocol.tls_only for protocol in protocols):
            raise WrongUsage("--strict has no ISO 15118-20 without TLS: give --pki DIR; hlc pki create DIR makes one")
        if options.keylog is not None:
            raise WrongUsage("--keylog is of no use without TLS: give --pki DIR, and leave --tls never out")
        return Policy.NEVER
    if not versions(protocols):
        what = f"--tls {word}" if options.tls else "--pki DIR"
        raise WrongUsage(f"{what} is of no use with these --protocols: DIN SPEC 70121 knows no TLS")
    if options.pki is None:
        raise WrongUsage(f"--tls {word} needs certificates: --pki DIR; hlc pki create DIR makes some for tests")
    return Policy(word)


def versions(protocols: list[sap.Protocol]) -> list[Version]:
    """The versions of TLS that protocols want: ISO 15118-2 1.2, ISO 15118-20 1.3."""
    modern = any(protocol.tls_only for protocol in protocols)
    return [Version.TLS13] * modern + [Version.TLS12] * (sap.ISO15118_2 in protocols)


def of_station(options: Any, closing: ExitStack) -> Security:
    """How a station protects its connections. Raises `SetupError`."""
    if (wanted := policy(options)) is Policy.NEVER:
        return PLAIN
    from hlc.runtime.tls import station_security  # it loads the library of TLS, which others need not wait for

    pki, keylog = _pki("secc", options), _keylog(options, closing)
    able = versions(shared.protocols(options))
    return station_security(pki, able, plain=wanted is Policy.ALLOW, keylog=keylog, strict=options.strict)


def of_vehicle(options: Any, closing: ExitStack) -> Security:
    """How a vehicle protects its connections where the station has TLS. Raises `SetupError`."""
    if policy(options) is Policy.NEVER:
        return PLAIN
    from hlc.runtime.tls import vehicle_security

    pki, keylog = _pki("evcc", options), _keylog(options, closing)
    return vehicle_security(pki, versions(shared.protocols(options)), keylog=keylog, strict=options.strict)


def wireless(options: Any) -> SdpWirelessRequest | None:
    """How a vehicle asks that has nothing but wireless modes; None: by the wired variant."""
    modes = shared.modes(options)
    return WIRELESS[modes[0]] if shared.WIRELESS.issuperset(modes) else None


def _pki(command: str, options: Any) -> Any:
    from hlc.security.pki import load

    pki = load(directory.read(options.pki))
    for problem in pki.problems:
        say(command, f"--pki {options.pki}: {problem}")
    return pki


def _keylog(options: Any, closing: ExitStack) -> Any:
    from hlc.runtime.tls import KeyLogFile

    return None if options.keylog is None else closing.enter_context(KeyLogFile(options.keylog))
