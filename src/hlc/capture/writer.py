"""A trace consumer that writes a session as a capture: what a tap on the link would have seen, as a pcapng.

The trace knows V2GTP frames; the Ethernet, IPv6, UDP and TCP around them are made here so that every tool reads it
as a real capture: hosts and ports that SDP announced, a handshake, sequence numbers, acknowledgements, checksums,
and the end of the connection. Each block is written whole and at once, so the file is valid whenever the run ends.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final

from hlc import sdp, v2gtp
from hlc.capture import blocks
from hlc.capture.checksum import over_ip
from hlc.capture.headers import ETHERNET, Flags
from hlc.trace.events import Event, Frame, Matched, Mme, SessionEnded, Side

SEGMENT: Final = 1440
"""Octets of data in a TCP segment: 1500 of Ethernet less the headers of IPv6 and TCP."""
WINDOW: Final = 65535
UNACKNOWLEDGED: Final = 32768
"""A sender that talks on is acknowledged after so many octets."""
ALL_NODES: Final = IPv6Address(sdp.ALL_NODES).packed
ALL_NODES_MAC: Final = bytes.fromhex("333300000001")
STATION_PORT: Final = 61341
"""TCP port of the station where no SDP response announced one."""
FIRST_PORT: Final = 49152
"""TCP port of the vehicle in its first session; UDP port of its discovery."""
EPOCH: Final = 10**9
"""Times above this are seconds since 1970 already; below, they are of a monotonic or virtual clock."""
MICROSECONDS: Final = 6


class Host:
    """One end of the link."""

    def __init__(self, mac: bytes, port: int) -> None:
        self.known_as(mac)
        self.port = port
        self.sequence = 0
        self.acknowledged = 0
        """Octets of this host that the other has acknowledged, as a sequence number."""

    def known_as(self, mac: bytes) -> None:
        """Its MAC address, and the link-local address that follows from it (RFC 4291, appendix A)."""
        self.mac = mac
        self.address = bytes.fromhex("fe80000000000000") + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]


class PcapngWriter:
    """Give it the events of one session or of many: `Frame`, `Mme` and `SessionEnded` are written; from `Matched` it
    takes the addresses of the hosts; others are passed over.

    Raises `OSError` where the file cannot be created. What fails later is kept in `error`: a full disk ends no session.
    """

    def __init__(self, path: str | os.PathLike[str], *, wall: Callable[[], float] = time.time) -> None:
        self.path = Path(path)
        self.error: OSError | None = None
        self._file = open(self.path, "wb", buffering=0)  # noqa: SIM115
        self._wall = wall
        self._offset: float | None = None
        self._last_us = 0
        self._vehicle = Host(bytes.fromhex("020000000001"), FIRST_PORT - 1)
        self._station = Host(bytes.fromhex("020000000002"), STATION_PORT)
        self._connected = False
        self._ended: tuple[float, bool] | None = None
        self._write(blocks.section() + blocks.interface(ETHERNET, MICROSECONDS))

    def __call__(self, event: Event) -> None:
        """An event of the trace."""
        if self._file.closed:
            return
        if isinstance(event, Frame):
            if 0x9000 <= event.payload_type <= 0x9FFF:
                self._datagram(event)
            else:
                self._message(event)
        elif isinstance(event, Mme):
            self._ethernet(event.at, event.frame)
        elif isinstance(event, Matched):
            (self._station if event.side is Side.EVCC else self._vehicle).known_as(event.peer)
        elif isinstance(event, SessionEnded) and self._connected and self._ended is None:
            self._ended = (event.at, event.good)

    def close(self) -> None:
        """End what is open and close the file; again is allowed."""
        if self._file.closed:
            return
        self._disconnect()
        self._file.close()

    # Sessions

    def _message(self, frame: Frame) -> None:
        if self._ended is not None and frame.side is Side.EVCC:
            self._disconnect()  # the vehicle begins anew
        if not self._connected:
            self._connect(frame.at)
        sender, receiver = self._ends(frame.side)
        data = v2gtp.frame(frame.payload_type, frame.payload)
        for start in range(0, len(data), SEGMENT):
            part = data[start : start + SEGMENT]
            self._segment(frame.at, sender, receiver, Flags.PSH | Flags.ACK, part)
            sender.sequence = sender.sequence + len(part) & 0xFFFFFFFF
            if (sender.sequence - sender.acknowledged) & 0xFFFFFFFF > UNACKNOWLEDGED:
                self._segment(frame.at, receiver, sender, Flags.ACK)

    def _connect(self, at: float) -> None:
        vehicle, station = self._vehicle, self._station
        vehicle.port = vehicle.port + 1 if vehicle.port < 65535 else FIRST_PORT
        vehicle.sequence, station.sequence = vehicle.port * 1000, vehicle.port * 1000 + 500
        vehicle.acknowledged, station.acknowledged = vehicle.sequence, station.sequence
        self._connected, self._ended = True, None
        self._segment(at, vehicle, station, Flags.SYN)
        vehicle.sequence += 1
        self._segment(at, station, vehicle, Flags.SYN | Flags.ACK)
        station.sequence += 1
        self._segment(at, vehicle, station, Flags.ACK)

    def _disconnect(self) -> None:
        """The vehicle closes, as it does after a session; the station follows."""
        if not self._connected:
            return
        self._connected = False
        ended, self._ended = self._ended, None
        if ended is None:
            return  # the run was interrupted: nobody closed
        at = ended[0]
        vehicle, station = self._vehicle, self._station
        self._segment(at, vehicle, station, Flags.FIN | Flags.ACK)
        vehicle.sequence += 1
        self._segment(at, station, vehicle, Flags.FIN | Flags.ACK)
        station.sequence += 1
        self._segment(at, vehicle, station, Flags.ACK)

    def _ends(self, side: Side) -> tuple[Host, Host]:
        return (self._vehicle, self._station) if side is Side.EVCC else (self._station, self._vehicle)

    def _datagram(self, frame: Frame) -> None:
        """SDP: the request to all nodes, the response to who asked."""
        if frame.side is Side.EVCC and self._ended is not None:
            self._disconnect()
        data = v2gtp.frame(frame.payload_type, frame.payload)
        vehicle, station = self._vehicle, self._station
        if frame.side is Side.EVCC:
            self._udp(frame.at, vehicle, FIRST_PORT, ALL_NODES_MAC, ALL_NODES, sdp.PORT, data)
            return
        if len(frame.payload) >= 18 and not self._connected:
            station.address = frame.payload[:16]
            station.port = int.from_bytes(frame.payload[16:18], "big")
        self._udp(frame.at, station, sdp.PORT, vehicle.mac, vehicle.address, FIRST_PORT, data)

    # Layers

    def _segment(self, at: float, sender: Host, receiver: Host, flags: int, data: bytes = b"") -> None:
        acknowledged = receiver.sequence if flags & Flags.ACK else 0
        if flags & Flags.ACK:
            receiver.acknowledged = receiver.sequence
        header = struct.pack(
            "!HHIIBBHHH", sender.port, receiver.port, sender.sequence, acknowledged, 5 << 4, flags, WINDOW, 0, 0
        )
        sum_ = over_ip(sender.address, receiver.address, 6, header + data)
        segment = header[:16] + sum_ + header[18:] + data
        self._packet(at, sender, receiver.mac, receiver.address, 6, segment)

    def _udp(self, at: float, sender: Host, port: int, mac: bytes, address: bytes, to: int, data: bytes) -> None:
        header = struct.pack("!HHHH", port, to, 8 + len(data), 0)
        sum_ = over_ip(sender.address, address, 17, header + data)
        self._packet(at, sender, mac, address, 17, header[:6] + sum_ + data)

    def _packet(self, at: float, sender: Host, mac: bytes, address: bytes, protocol: int, content: bytes) -> None:
        hops = 1 if address == ALL_NODES else 64
        ip = struct.pack("!IHBB", 6 << 28, len(content), protocol, hops) + sender.address + address
        self._ethernet(at, mac + sender.mac + b"\x86\xdd" + ip + content)

    def _ethernet(self, at: float, octets: bytes) -> None:
        us = self._microseconds(at)
        self._write(blocks.packet(0, us, octets))

    def _microseconds(self, at: float) -> int:
        """The wall clock for an event, never going back."""
        if self._offset is None:
            self._offset = 0.0 if at > EPOCH else self._wall() - at
        self._last_us = max(self._last_us, round((at + self._offset) * 1e6))
        return self._last_us

    def _write(self, octets: bytes) -> None:
        if self.error is not None:
            return
        try:
            while octets:
                octets = octets[self._file.write(octets) :]
        except OSError as error:
            self.error = error
