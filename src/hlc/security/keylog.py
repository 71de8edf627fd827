"""The secrets of TLS connections, in the text format that NSS made and that everybody writes and reads.

A line is a label, the random of the ClientHello and the secret, in hexadecimal. What is no such line is passed over, so
that a datagram or a file of anything may be looked through. Of the labels those are kept by which records are read:
the master secret of TLS 1.2 and the four traffic secrets of TLS 1.3; exporters and early data are nothing to V2G.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

CONNECTIONS: Final = 1 << 15
"""Connections whose secrets are kept; those that came first are let go."""
TRIALS: Final = 1 << 19
"""Attempts that take some seconds."""
CLIENT_RANDOM: Final = "CLIENT_RANDOM"
"""Label of the master secret of TLS 1.2."""
HANDSHAKE: Final = ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET")
APPLICATION: Final = ("CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0")
"""Labels of TLS 1.3, of the client's secret and of the server's."""
LENGTHS: Final = {CLIENT_RANDOM: (48,), **dict.fromkeys(HANDSHAKE + APPLICATION, (32, 48))}

_LINE: Final = re.compile(
    rb"(CLIENT_RANDOM|(?:CLIENT|SERVER)_(?:HANDSHAKE_TRAFFIC_SECRET|TRAFFIC_SECRET_0))"
    rb"[ \t]+([0-9A-Fa-f]{64})[ \t]+([0-9A-Fa-f]{64,96})(?![0-9A-Fa-f])"
)


class Secrets:
    """The secrets that are known so far. What came first for a connection stays."""

    def __init__(self, ahead: Callable[[Secrets], None] | None = None) -> None:
        """`ahead` looks for further ones where one is missing, once, and adds whatever there is."""
        self._known: dict[bytes, dict[str, bytes]] = {}
        self._ahead = ahead
        self._met: dict[bytes, int] = {}
        """Client randoms of connections that were met, and how many of their secrets `fresh` told."""
        self._news: dict[bytes, None] = {}
        """Those of which it has more to tell."""
        self.final = False
        """No more will come: there is no use in waiting."""
        self.count = 0
        """Secrets that were added, all in all."""
        self.dropped = 0
        """Connections that were let go."""
        self.trials = TRIALS
        """How often secrets may still be tried for connections of which it is not known that they are theirs."""

    def add(self, text: bytes) -> bytes:
        """Take the secrets in a text; the lines that held them, which are none in a text of something else."""
        lines = []
        if b"_SECRET" in text or b"CLIENT_RANDOM" in text:
            for found in _LINE.finditer(text):
                label, client_random = found[1].decode(), bytes.fromhex(found[2].decode())
                secret = bytes.fromhex(found[3].decode()) if len(found[3]) % 2 == 0 else b""
                if len(secret) in LENGTHS[label]:
                    self._keep(client_random, label, secret)
                    lines.append(b" ".join(found.groups()) + b"\n")
        return b"".join(lines)

    def find(self, client_random: bytes, label: str) -> bytes | None:
        """A secret of a connection."""
        secret = self._known.get(client_random, {}).get(label)
        if secret is None and self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            ahead(self)
            self.final = True
            return self.find(client_random, label)
        return secret

    def randoms(self, most: int) -> list[bytes]:
        """The client randoms of the last `most` connections whose secrets are known."""
        self.find(b"", "")
        return list(self._known)[-most:]

    def meet(self, client_random: bytes) -> None:
        """A connection begins, for which secrets are wanted."""
        self._met.setdefault(client_random, 0)
        if len(self._met) > CONNECTIONS:
            oldest = next(iter(self._met))
            del self._met[oldest]
            self._news.pop(oldest, None)
        self.find(client_random, CLIENT_RANDOM)
        self._news[client_random] = None

    def fresh(self) -> bytes:
        """A key log of the secrets of connections that were met, as far as it was not told before."""
        lines = ""
        for client_random in self._news:
            known = list(self._known.get(client_random, {}).items())
            told = self._met.get(client_random, 0)
            lines += "".join(f"{label} {client_random.hex()} {secret.hex()}\n" for label, secret in known[told:])
            self._met[client_random] = len(known)
        self._news.clear()
        return lines.encode()

    def _keep(self, client_random: bytes, label: str, secret: bytes) -> None:
        known = self._known.setdefault(client_random, {})
        if label in known:
            return
        known[label] = secret
        self.count += 1
        if client_random in self._met:
            self._news[client_random] = None
        if len(self._known) > CONNECTIONS:
            del self._known[next(iter(self._known))]
            self.dropped += 1
