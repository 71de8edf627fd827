"""A vehicle and a station that talk TLS in memory, by OpenSSL: what a listener hears of it, and the key log."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from OpenSSL import SSL

from hlc import sdp, v2gtp
from hlc.security import hierarchy, openssl
from hlc.security.certificate import Curve
from hlc.security.handshake import Version
from hlc.security.pki import Credential
from hlc.security.profiles import Role

NO_ENCRYPT_THEN_MAC, NO_EXTENDED_MASTER_SECRET = 1 << 19, 1 << 0
VEHICLE, STATION = (
    (bytes.fromhex("fe80") + bytes(13) + b"\1", 50000),
    (bytes.fromhex("fe80") + bytes(13) + b"\2", 60000),
)
MACS = {VEHICLE: bytes.fromhex("020000000001"), STATION: bytes.fromhex("020000000002")}


@cache
def credential(role: Role) -> Credential:
    return hierarchy.throw_away(datetime(2030, 1, 1, tzinfo=UTC), (Curve.P256,)).credentials(role)[0]


class Talk:
    """Both ends, and the handshake between them. `trust`: the vehicle accepts the station's certificate."""

    def __init__(
        self,
        version: Version = Version.TLS12,
        suite: str = "ECDHE-ECDSA-AES128-SHA256",
        *,
        options: int = 0,
        groups: tuple[str, str] = ("secp256r1", "secp256r1"),
        mutual: bool = False,
        trust: bool = True,
        offer: str = "",
    ) -> None:
        self.heard: list[tuple[bool, bytes]] = []
        """What was sent, and whether by the vehicle."""
        self.keylog: list[str] = []
        self._held: list[Any] = []
        self.ends: dict[bool, SSL.Connection] = {}
        for vehicle in (True, False):
            context = SSL.Context(SSL.TLS_METHOD)
            context.set_min_proto_version(version)
            context.set_max_proto_version(version)
            named = offer if vehicle and offer else suite
            if version is Version.TLS13:
                context.set_tls13_ciphersuites(named.encode())
            context.set_cipher_list(f"{'ALL' if version is Version.TLS13 else named}:@SECLEVEL=0".encode())
            context.set_options(SSL.OP_NO_TICKET | options)
            openssl.set_groups(context, groups[not vehicle].split(":"))
            if vehicle:
                context.set_keylog_callback(lambda connection, line: self.keylog.append(line.decode()))
            if vehicle and not trust:
                context.set_verify(SSL.VERIFY_PEER, None)
            if mutual and not vehicle:
                context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *about: True)
            connection = SSL.Connection(context, None)
            if not vehicle or mutual:
                shown = credential(Role.VEHICLE if vehicle else Role.SECC)
                openssl.show(connection, shown.chain, shown.key)
            (connection.set_connect_state if vehicle else connection.set_accept_state)()
            self.ends[vehicle] = connection
        self.failed = False
        for _ in range(8):
            for vehicle in (True, False):
                try:
                    self.ends[vehicle].do_handshake()
                except SSL.WantReadError:
                    pass
                except SSL.Error:
                    self.failed = True
                self._carry(vehicle)

    def say(self, vehicle: bool, data: bytes) -> None:
        """Send plaintext to the other side."""
        self.ends[vehicle].send(data)
        self._carry(vehicle)
        assert self.ends[not vehicle].recv(1 << 17) == data

    def close(self) -> None:
        """Both say that they send no more, the vehicle first."""
        for vehicle in (True, False):
            self.ends[vehicle].shutdown()
            self._carry(vehicle)

    def _carry(self, vehicle: bool) -> None:
        """What one end has to send, to the other and to the listener."""
        while True:
            try:
                data = self.ends[vehicle].bio_read(1 << 16)
            except SSL.WantReadError:
                return
            self.heard.append((vehicle, data))
            self.ends[not vehicle].bio_write(data)

    @property
    def secrets(self) -> bytes:
        """The key log as a file."""
        return "".join(line + "\n" for line in self.keylog).encode()


def ethernet(source: tuple[bytes, int], destination: tuple[bytes, int], protocol: int, content: bytes) -> bytes:
    """An Ethernet frame with an IPv6 packet; checksums are the reader's to ignore."""
    packet = struct.pack("!IHBB", 6 << 28, len(content), protocol, 64) + source[0] + destination[0] + content
    return MACS.get(destination, b"\x33\x33\0\0\0\1") + MACS[source] + b"\x86\xdd" + packet


def datagram(data: bytes, port: int, to: int) -> bytes:
    """A UDP datagram of the station."""
    header = struct.pack("!HHHH", port, to, 8 + len(data), 0)
    return ethernet(STATION, (b"\xff\x02" + bytes(13) + b"\1", to), 17, header + data)


def announcement() -> bytes:
    """The station's answer in discovery: there is TLS at its port."""
    payload = STATION[0] + STATION[1].to_bytes(2, "big") + b"\0\0"
    return datagram(v2gtp.frame(0x9001, payload), sdp.PORT, 50001)


def frames(heard: Iterable[tuple[bool, bytes]], *, size: int = 1440) -> list[bytes]:
    """A TCP connection with these octets, from SYN to FIN, in segments of `size` octets."""
    sequence = {True: 1000, False: 5000}

    def segment(vehicle: bool, flags: int, data: bytes = b"") -> bytes:
        ends = (VEHICLE, STATION) if vehicle else (STATION, VEHICLE)
        header = struct.pack(
            "!HHIIBBHHH", ends[0][1], ends[1][1], sequence[vehicle], sequence[not vehicle], 0x50, flags, 65535, 0, 0
        )
        sequence[vehicle] += len(data) + bool(flags & 3)
        return ethernet(*ends, 6, header + data)

    found = [segment(True, 2), segment(False, 18), segment(True, 16)]
    for vehicle, data in heard:
        found += [segment(vehicle, 24, data[at : at + size]) for at in range(0, len(data), size)]
    return [*found, segment(True, 17), segment(False, 17), segment(True, 16)]
