"""Frame by frame, a copy of a capture without identities.

What is understood is written with pseudonyms in its place: V2G messages, discovery, HomePlug, neighbour discovery, and
TCP as far as it carries V2G. All else is left out, and counted. A frame waits until it is known what stands in it, so
that the copy has the order and the times of the original.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Final, NamedTuple

from hlc import sdp, v2gtp
from hlc.capture import reading
from hlc.capture.conversation import Conversation, Endpoint
from hlc.capture.copying import Copy, FrameWriter
from hlc.capture.files import Capture, Captured, CaptureError, Octets, Stamp
from hlc.capture.headers import ETHERNET, KNOWN_LINKS, TCP, UDP, Flags, HomePlug, Tcp, Udp, parse
from hlc.capture.redact import frames, messages
from hlc.capture.redact.frames import Packet
from hlc.capture.redact.pseudonyms import Pseudonyms
from hlc.capture.redact.streams import Streams
from hlc.security.keylog import Secrets
from slac import Mme, MmeError
from slac import parse as parse_homeplug

WAITING_FRAMES: Final = 1 << 16
WAITING_OCTETS: Final = 1 << 26
"""What may wait for what stands in it."""
EMPTY: Final = bytes(12) + b"\x88\xb5" + bytes(46)
"""From nobody to nobody, of the type that is for everybody's experiments."""
CONNECTIONS: Final = 1 << 10
"""Connections that are looked up; those of them that are over are forgotten."""


class Waiting(NamedTuple):
    """A frame that is to be written: finished, or a TCP segment."""

    link: int
    stamp: Stamp
    octets: bytes
    """Of a finished one."""
    why_not: str = ""
    """What it is, where it is left out."""
    tcp: Tcp | None = None
    packet: Packet | None = None
    streams: Streams | None = None

    @property
    def size(self) -> int:
        return len(self.octets) + (len(self.tcp.data) if self.tcp is not None else 0)

    def ready(self) -> bool:
        if self.tcp is None or self.streams is None:
            return True
        return self.streams.ready(self.tcp.source, self.tcp.sequence, len(self.tcp.data))


class Redactor(Copy):
    """Writes what is left of each frame. The decoder of the same frames asks `watch` for each connection."""

    def __init__(self, names: Pseudonyms, writer: FrameWriter, secrets: Secrets) -> None:
        super().__init__(writer, secrets)
        self.left_out: Counter[str] = Counter()
        """Frames that are not in the copy, by what they are."""
        self.written = 0
        self.zeros: Counter[str] = Counter()
        """Payloads that are zeros in the copy, by why."""
        self._names = names
        self._streams: dict[frozenset[Endpoint], Streams] = {}
        self._last: Stamp | None = None
        """Of the last frame, where it is not in the copy."""
        self._waiting: deque[Waiting] = deque()
        self._octets = 0

    def watch(self, conversation: Conversation) -> Streams:
        """The connection begins."""
        if len(self._streams) >= CONNECTIONS:
            self._streams = {key: each for key, each in self._streams.items() if not each.over}
        found = self._streams[frozenset(conversation.ends)] = Streams(conversation, self)
        return found

    def payload(self, octets: bytes, read: reading.Reading | None) -> bytes:
        """A payload without identities."""
        if read is None:
            self.zeros["not understood"] += 1
            return bytes(len(octets))
        new = messages.payload(self._names, read.schema, read.message, octets, read.surplus)
        if new is None:
            self.zeros["of another length with pseudonyms"] += 1
            return bytes(len(octets))
        return new

    def frame(self, captured: Captured, stamp: Stamp) -> None:
        """The next frame, which the decoder has seen."""
        entry = self._entry(captured, stamp)
        if isinstance(entry, str):
            entry = Waiting(ETHERNET, stamp, b"", why_not=entry)
        self._waiting.append(entry)
        self._octets += entry.size
        while self._waiting:
            too_many = len(self._waiting) > WAITING_FRAMES or self._octets > WAITING_OCTETS
            if not too_many and not self._waiting[0].ready():
                break
            self._write(self._waiting.popleft())

    def close(self) -> None:
        """The end of the capture, which the decoder has seen."""
        while self._waiting:
            self._write(self._waiting.popleft())
        if self._last is not None:
            self._mark(self._last)
        super().close()

    def story(self) -> list[str]:
        lines = [f"{self.written} frames are in the copy, with pseudonyms"]
        lines += [f"left out: {count} {what}" for what, count in sorted(self.left_out.items())]
        lines += [f"zeros in the copy: {count} messages {why}" for why, count in sorted(self.zeros.items())]
        return lines

    # Frames

    def _entry(self, captured: Captured, stamp: Stamp) -> Waiting | str:
        """What is left of a frame, or what it is that is left out."""
        link, data = captured.link, captured.data
        if link not in KNOWN_LINKS:
            return "frames of unknown links"
        parsed = parse(link, data)
        if isinstance(parsed, HomePlug):
            new = self._homeplug(link, data, parsed.frame)
            return Waiting(link, stamp, new) if new is not None else "HomePlug frames that cannot be read"
        packet = frames.packet(link, data)
        if packet is None:
            return "frames that are neither HomePlug nor IP, or have extensions"
        if isinstance(parsed, Tcp) and packet.protocol == TCP:
            if len(packet.content) < 4 * (packet.content[12] >> 4):
                return "TCP segments that are cut within their header"
            streams = self._streams.get(frozenset((parsed.source, parsed.destination)))
            if streams is None:
                return "TCP segments of no connection"
            return Waiting(link, stamp, b"", "", parsed, packet._replace(content=packet.content[:60]), streams)
        if isinstance(parsed, Udp) and packet.protocol == UDP:
            new = self._datagram(link, packet, parsed)
            return Waiting(link, stamp, new) if new is not None else "UDP datagrams that are no discovery"
        if packet.protocol == frames.ICMPV6 and (found := frames.neighbour(self._names, packet)) is not None:
            return Waiting(link, stamp, frames.built(self._names, link, packet, *found))
        return "other IP packets"

    def _homeplug(self, link: int, data: bytes, frame: bytes) -> bytes | None:
        try:
            mme = parse_homeplug(frame)
            new = messages.homeplug(self._names, mme).build()
        except (MmeError, ValueError):
            return None
        if link == ETHERNET:
            return new
        start = 16 if mme.vlan is None else 20
        before = frames.link_header(self._names, link, data[:20] if data[:2] == b"\x88\xe1" else data[:start])
        return before + new[start - 2 :]

    def _datagram(self, link: int, packet: Packet, datagram: Udp) -> bytes | None:
        """Discovery; None for anything else."""
        if sdp.PORT not in (datagram.source[1], datagram.destination[1]):
            return None
        try:
            kind, payload = v2gtp.unframe(datagram.data)
            new = v2gtp.frame(kind, messages.discovery(self._names, kind, payload))
        except (v2gtp.V2gtpError, sdp.SdpError):
            return None
        content = frames.datagram(packet.content, new)
        return frames.built(self._names, link, packet, self._names.address(packet.destination), content)

    def _write(self, entry: Waiting) -> None:
        self._octets -= entry.size
        octets, cut, why_not = entry.octets, 0, entry.why_not
        if entry.tcp is not None and entry.packet is not None and entry.streams is not None:
            if not entry.ready():
                entry.streams.end()  # too much waits: what is not known is zeros
            if entry.streams.kept:
                cut = 0 if entry.streams.tls else entry.tcp.cut
                octets = self._segment(entry.link, entry.tcp, entry.packet, entry.streams, cut)
                why_not = "" if octets else "TCP segments in which TLS says nothing of V2G"
            else:
                why_not = entry.streams.why_not
        if why_not:
            self.left_out[why_not] += 1
            self._last = entry.stamp
            if not self.written:
                self._mark(entry.stamp)
            return
        self._last = None
        self._writer.frame(entry.link, entry.stamp.nanoseconds, len(octets) + cut, octets)
        self.written += 1

    def _mark(self, stamp: Stamp) -> None:
        """An empty frame: the capture began, or ended, with one that is left out."""
        self._writer.frame(ETHERNET, stamp.nanoseconds, len(EMPTY), EMPTY)
        self.written += 1

    def _segment(self, link: int, tcp: Tcp, packet: Packet, streams: Streams, cut: int) -> bytes:
        said = tcp.data if not tcp.flags & Flags.SYN else b""
        data = streams.data(tcp.source, tcp.sequence, len(said))
        if said and not data and not tcp.flags & (Flags.FIN | Flags.RST):
            return b""  # part of a handshake or of a record: it would look like a copy of the one before
        sequence = streams.number(tcp.source, tcp.sequence)
        acknowledged = streams.number(tcp.destination, tcp.acknowledged) if tcp.flags & Flags.ACK else 0
        content = frames.segment(packet.content, sequence, acknowledged, data)
        return frames.built(self._names, link, packet, self._names.address(packet.destination), content, cut)


def learn(stream: Octets, names: Pseudonyms) -> None:
    """Look through a capture for the keys of networks: a network may be named before its key is told."""
    try:
        capture = Capture(stream, "")
    except CaptureError:
        return
    for captured in capture:
        parsed = parse(captured.link, captured.data)
        if isinstance(parsed, HomePlug):
            mme = _read(parsed.frame)
            if mme is not None:
                messages.learn(names, mme)


def _read(frame: bytes) -> Mme | None:
    try:
        return parse_homeplug(frame)
    except MmeError:
        return None
