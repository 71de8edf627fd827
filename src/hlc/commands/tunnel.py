"""TLS between the two ends of a simulation, with certificates that are thrown away after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hlc.flow import Transport
from hlc.runtime.tls import station_security, utc_now, vehicle_security
from hlc.security import hierarchy
from hlc.security.certificate import Curve
from hlc.security.handshake import Version
from hlc.security.layer import Layer
from hlc.sim.pair import Delivery
from hlc.trace.events import Side
from hlc.v2gtp import frame, unframe

CURVES: Final = {Version.TLS12: Curve.P256, Version.TLS13: Curve.P521}
VERSIONS: Final = {"1.2": Version.TLS12, "1.3": Version.TLS13}
FLIGHTS: Final = 10
"""No handshake takes so many."""


class Tunnel:
    """Both ends in memory, in this version of TLS, "1.2" or "1.3". The handshake is over when it is made."""

    def __init__(self, number: str) -> None:
        version = VERSIONS[number]
        pki = hierarchy.throw_away(utc_now(), (CURVES[version],))
        made = {
            Side.SECC: station_security(pki, (version,), plain=False).tls,
            Side.EVCC: vehicle_security(pki, (version,)).tls,
        }
        self.ends: dict[Side, Layer] = {side: make() for side, make in made.items() if make is not None}
        self.flights = self._shake()
        self.transports: Mapping[Side, Transport] = {
            side: Transport(number, end.peer_certificate, end.name) for side, end in self.ends.items()
        }
        self.notes: Sequence[tuple[Side, str]] = [
            (side, f"{end.version} with {end.cipher}, {end.group}") for side, end in reversed(self.ends.items())
        ] + [(side, text) for side, end in self.ends.items() for text in end.notes]

    def _shake(self) -> int:
        """The handshake; how many flights it took."""
        station, vehicle = self.ends[Side.SECC], self.ends[Side.EVCC]
        station.start()
        flight, to, count = vehicle.start(), Side.SECC, 0
        while flight and count < FLIGHTS:
            count += 1
            flight = self.ends[to].receive(flight).to_send
            to = Side.EVCC if to is Side.SECC else Side.SECC
        assert station.established
        assert vehicle.established
        return count

    def carry(self, delivery: Delivery) -> Delivery:
        """Through the tunnel: encrypted at one end, decrypted at the other."""
        sender = self.ends[Side.EVCC if delivery.to is Side.SECC else Side.SECC]
        plain = self.ends[delivery.to].receive(sender.send(frame(delivery.payload_type, delivery.payload))).plaintext
        payload_type, payload = unframe(plain)
        return delivery._replace(payload_type=payload_type, payload=payload)
