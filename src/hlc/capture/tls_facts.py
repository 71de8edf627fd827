"""What a listener knows of a TLS connection besides its messages: what was offered, chosen and shown, and the alerts.

Bounded: a hello is one record of numbers, chains and alerts have a greatest length.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from hlc.capture.where import NOWHERE, Where
from hlc.security.handshake import Certificates, Hello
from hlc.trace.events import Side

ALERTS: Final = 16
CHAIN: Final = 10
"""Certificates of a chain that are kept; in V2G there are three at most."""


class AlertSeen(NamedTuple):
    """An alert of TLS."""

    side: Side
    """Who sent it."""
    fatal: bool
    description: int | None
    """As in `hlc.security.alerts.Alert`; None: it is encrypted and was not read."""
    where: Where


class TlsFacts(msgspec.Struct):
    """One TLS connection. Numbers are those of the registries; `hlc.security.registry` names them."""

    start: Where
    hello: Hello | None = None
    """What the vehicle offered, in its last ClientHello."""
    hello_at: Where = NOWHERE
    chosen_at: Where = NOWHERE
    """When the station chose, in its last ServerHello."""
    retried: bool = False
    """The station wanted another ClientHello (HelloRetryRequest)."""
    version: int | None = None
    suite: int | None = None
    group: int | None = None
    """Of the key exchange."""
    schemes: dict[Side, int] = {}
    """By which algorithm each side signed the handshake."""
    chains: dict[Side, Certificates] = {}
    """The certificates that each side showed, leaf first, with the OCSP responses to them."""
    certificate_asked: bool = False
    """The station asked for the vehicle's certificate."""
    finished: set[Side] = msgspec.field(default_factory=set)
    """Who sent a Finished that was read: after both the handshake is over."""
    alerts: list[AlertSeen] = []
    opened: int = 0
    """Records that were decrypted."""
    unopened: int = 0
    """Encrypted records that were not."""
    changed: int = 0
    """Octets of such as do not authenticate, though their secret is there."""
    reason: str = ""
    """Why not, the first time."""

    @property
    def closed(self) -> bool:
        """There were encrypted records, and none of them was read."""
        return bool(self.unopened) and not self.opened

    @property
    def spoken(self) -> bool:
        """Something of it was read."""
        return self.hello is not None or self.version is not None or bool(self.opened)

    def show(self, side: Side, shown: Certificates) -> None:
        """A side showed its certificates."""
        self.chains[side] = Certificates(shown.chain[:CHAIN], shown.ocsp[:CHAIN])

    def alert(self, alert: AlertSeen) -> None:
        """Another alert."""
        if len(self.alerts) < ALERTS:
            self.alerts.append(alert)
