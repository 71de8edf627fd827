"""From a PKI directory to TLS on connections: what a station or a vehicle can, and what is missing.

Apart from `connection`, so that who needs no TLS does not load its library.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TextIO

from hlc.runtime.errors import SetupError
from hlc.security import suites
from hlc.security.certificate import Curve
from hlc.security.handshake import Version
from hlc.security.layer import Security, TlsError
from hlc.security.pki import Credential, Pki
from hlc.security.profiles import Role, Root
from hlc.security.tls import ClientTls, KeyLog, ServerTls, check
from hlc.security.trust import Trust


def utc_now() -> datetime:
    """The wall clock, by which certificates are judged."""
    return datetime.now(UTC)


def station_security(
    pki: Pki,
    versions: Sequence[Version],
    *,
    plain: bool,
    now: Callable[[], datetime] = utc_now,
    keylog: KeyLog | None = None,
    strict: bool = False,
) -> Security:
    """TLS as a station has it, of these versions; `plain`: it serves connections without, too. Raises `SetupError`
    where it can have none."""
    credentials = pki.credentials(Role.SECC)
    if not credentials:
        raise SetupError(_why("TLS needs the station's certificate, secc.chain.pem with secc.key.pem", pki))
    if not any(suites.scheme(credential) for credential in credentials):
        raise SetupError(f"the station's certificate is on none of {', '.join(curve.value for curve in Curve)}")
    _check()
    roots = pki.anchors(Role.VEHICLE)
    p256 = _p256(credentials, versions, strict=strict)
    judge = Trust(Role.VEHICLE, roots, now, p256=p256) if roots else None
    return Security(lambda: ServerTls(credentials, roots, judge, keylog, versions), plain=plain)


def vehicle_security(
    pki: Pki,
    versions: Sequence[Version],
    *,
    now: Callable[[], datetime] = utc_now,
    keylog: KeyLog | None = None,
    strict: bool = False,
) -> Security:
    """TLS as a vehicle has it, of these versions at most: without a certificate of its own there is no 1.3. Raises
    `SetupError` where it can do none."""
    roots, credentials = pki.roots(Root.V2G), pki.credentials(Role.VEHICLE)
    if not roots:
        raise SetupError(_why("TLS needs the roots by which a vehicle knows a station, roots/v2g.pem", pki))
    able = [version for version in versions if credentials or version is not Version.TLS13]
    if not able:
        raise SetupError(
            _why("ISO 15118-20 needs the vehicle's certificate, vehicle.chain.pem with vehicle.key.pem", pki)
        )
    _check()
    p256 = _p256(credentials, able, strict=strict)
    judge = Trust(Role.SECC, roots, now, p256=p256, strict=strict)
    return Security(lambda: ClientTls(able, credentials, roots, judge, keylog), plain=False)


def _p256(credentials: Sequence[Credential], versions: Sequence[Version], *, strict: bool) -> bool:
    """Whether TLS 1.3 must do with secp256r1. Raises `SetupError` where that is not to be."""
    found = suites.tls13(credentials) is suites.TLS13_P256
    if found and strict and Version.TLS13 in versions:
        raise SetupError("--strict: ISO 15118-20 wants certificates on secp521r1 or Ed448, and there are none")
    return found


def _check() -> None:
    """Raises `SetupError` where the library cannot do what is needed: at the start, not with the first vehicle."""
    try:
        check((suites.TLS12, suites.TLS13_P256))
    except TlsError as error:
        raise SetupError(f"{error}; pip install --upgrade cryptography pyOpenSSL") from error


def _why(need: str, pki: Pki) -> str:
    """A need, and the first thing that is wrong with the directory."""
    return f"{need}: " + (pki.problems[0] if pki.problems else "--pki DIR must have it")


class KeyLogFile:
    """The file of `--keylog`: by it Wireshark and `hlc decode` read what was encrypted. Raises `SetupError` where it
    cannot be written."""

    def __init__(self, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise SetupError(f"cannot write --keylog {path}: {error.strerror or error}") from error
        self._file: TextIO = os.fdopen(descriptor, "a", encoding="ascii", errors="replace", buffering=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __call__(self, line: str) -> None:
        """A line in the format of NSS. One that cannot be written ends no session."""
        try:
            self._file.write(f"{line}\n")
        except (OSError, ValueError):  # the disk is full; or the file is closed, and so is every session
            return
