"""Which secrets a TLS connection is under whose beginning is not in the capture, or damaged: found by trial.

A record authenticates under its own keys and number alone, so what opens it is what it was closed by. In TLS 1.3 the
secrets are enough; in TLS 1.2 the random of the ServerHello is part of the keys, and without it nothing helps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from hlc.capture.tls_records import Record
from hlc.security import keylog
from hlc.security.handshake import ServerHello, Version

if TYPE_CHECKING:
    from hlc.security.keylog import Secrets
    from hlc.security.records import Keys

MODERN: Final = (0x1302, 0x1301, 0x1303, 0x1304, 0x1305)
"""Suites of TLS 1.3."""
RANDOMS: Final = 64
"""Connections whose secrets are tried, the last ones of the key log."""
NUMBERS: Final = 1 << 12
"""Numbers that a record may have: so many were not seen before it."""
TRIES: Final = 1 << 14
"""Attempts for one record."""


class Trial(msgspec.Struct, frozen=True):
    """Keys that a record may be under, and in the end is."""

    random: bytes
    """Of the ClientHello."""
    suite: int
    by_client: bool
    """The client sent it."""
    application: bool
    """TLS 1.3: it is no part of the handshake."""
    keys: Keys
    pair: tuple[Keys, Keys] | None = None
    """TLS 1.2: keys of client and server."""
    number: int = 0


def trial(secrets: Secrets, chosen: ServerHello | None, senders: tuple[bool, ...], record: Record) -> Trial | None:
    """What opens a record; None where nothing does. `senders`: whether a client may have sent it, or a server."""
    candidates = list(_candidates(secrets, chosen, senders))
    if not candidates:
        return None
    for number in range(min(NUMBERS, TRIES // len(candidates))):
        for each in candidates:
            if secrets.trials <= 0:
                return None
            secrets.trials -= 1
            if each.keys.open(number, record.header, record.body) is not None:
                return msgspec.structs.replace(each, number=number)
    return None


def _candidates(secrets: Secrets, chosen: ServerHello | None, senders: tuple[bool, ...]) -> Iterator[Trial]:
    from hlc.security import records

    if chosen is not None and chosen.version not in (Version.TLS12, Version.TLS13):
        return
    for random in secrets.randoms(RANDOMS):
        if chosen is not None and chosen.version == Version.TLS12:
            master, suite = secrets.find(random, keylog.CLIENT_RANDOM), records.suite(chosen.cipher_suite)
            if master is not None and suite is not None:
                pair = records.keys12(suite, master, random, chosen.random, outside=chosen.encrypt_then_mac)
                for client in senders:
                    yield Trial(random, chosen.cipher_suite, client, False, pair[not client], pair)
            continue
        for client in senders:
            for labels in (keylog.APPLICATION, keylog.HANDSHAKE):
                secret = secrets.find(random, labels[not client])
                for number in MODERN if chosen is None else (chosen.cipher_suite,):
                    suite = records.suite(number)
                    if secret is not None and suite is not None and len(secret) == records.SECRET[suite.hash]:
                        keys = records.Modern(suite, secret)
                        yield Trial(random, number, client, labels is keylog.APPLICATION, keys)
