"""What a connection sees of TLS. It is apart from `tls` so that who needs none does not load the library."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from hlc.security.handshake import Version


class TlsError(Exception):
    """TLS failed: one sentence says at which side, why, and what to do. `to_send` is the alert for the peer."""

    def __init__(self, text: str, to_send: bytes = b"") -> None:
        super().__init__(text)
        self.to_send = to_send


class Received(NamedTuple):
    """What came of received octets."""

    to_send: bytes = b""
    plaintext: bytes = b""


class Layer(Protocol):
    """One end of TLS on one connection: see `tls`."""

    established: bool
    ended: bool
    """The peer has said that it sends no more."""
    version: Version | None
    cipher: str
    group: str
    name: str
    """EVCCID in the certificate that this end has shown; empty: it has shown none, or that has none."""
    notes: list[str]
    """What was tolerated or is worth knowing; whoever reads them takes them out."""

    @property
    def peer_certificate(self) -> bytes:
        """The peer's own certificate, DER; empty where it showed none."""

    def start(self) -> bytes:
        """What is to be sent first."""

    def receive(self, data: bytes) -> Received:
        """Octets from the peer. Raises `TlsError`."""

    def send(self, plaintext: bytes) -> bytes:
        """Plain text for the peer, once the connection is established. Raises `TlsError`."""

    def close(self) -> bytes:
        """End this side of the connection."""

    def release(self) -> None:
        """The connection is gone, and nothing more is asked: give the memory back at once."""


class Security(NamedTuple):
    """How an end of connections protects them."""

    tls: Callable[[], Layer] | None = None
    """Makes the layer of a connection; None: there is no TLS."""
    plain: bool = True
    """Whether a connection may go without. A station that has both goes by the peer's first octet."""


PLAIN = Security()
