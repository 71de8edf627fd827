"""What one TCP connection says in the copy: for any place in its streams, which octets stand there, and where.

Messages without TLS keep their places: every octet of a stream has one in the copy, and those that belong to no message
are zeros. Of TLS the copy holds the messages alone, as if there had been none: the segment in which a record ended
carries the message that it completed, and sequence numbers count what the copy holds. Holes stay holes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from hlc.capture import reading
from hlc.capture.reassembly import HEADER, MARK, Found, Piece

if TYPE_CHECKING:
    from hlc.capture.conversation import Conversation, Endpoint
    from hlc.capture.redact.redactor import Redactor

REMEMBERED: Final = 1 << 16
"""Octets of a stream that are kept for retransmissions."""
HOPELESS: Final = 8
"""So many encrypted records and none decrypted: there is no secret."""


class Part(NamedTuple):
    """What the copy has for the octets of the original from `start` to `end`."""

    start: int
    end: int
    octets: bytes
    size: int
    """Octets, also where they are missing."""


class Lane:
    """One direction. Places are counted from the first octet of data."""

    def __init__(self) -> None:
        self.base: int | None = None
        """Sequence number of place 0."""
        self.end = 0
        """Up to here the stream is in order."""
        self.decided = 0
        """Up to here it is known what the copy holds."""
        self.held = bytearray()
        """From `decided` to `end`, without TLS."""
        self.parts: deque[Part] = deque()
        """In order; without TLS, what none of them has is zeros."""
        self.kept = 0
        """Octets in them, and in holes between them."""
        self.octets = 0
        """Without the holes."""
        self.before = 0
        """Octets of the copy before them; TLS alone."""
        self.ends: deque[tuple[int, int]] = deque()
        """Number of a frame, and where in the stream its data ended; TLS alone."""

    def place(self, sequence: int) -> int:
        """The place of a sequence number."""
        if self.base is None:
            return 0
        return self.end + ((sequence - self.base - self.end + 0x80000000 & 0xFFFFFFFF) - 0x80000000)

    def add(self, part: Part) -> None:
        self.parts.append(part)
        self.kept += part.size
        self.octets += len(part.octets)
        while len(self.parts) > 1 and (self.octets > REMEMBERED or len(self.parts) > REMEMBERED // 64):
            gone = self.parts.popleft()
            self.kept -= gone.size
            self.octets -= len(gone.octets)
            self.before += gone.size

    def give_up(self) -> None:
        """What is held belongs to no message."""
        self.decided += len(self.held)
        self.held.clear()

    def covering(self, start: int) -> Iterator[Part]:
        """The parts that end behind `start`, the last one first."""
        for part in reversed(self.parts):
            if part.end <= start:
                return
            yield part


class Streams:
    """Both directions of a connection. The conversation tells what it finds in them."""

    def __init__(self, conversation: Conversation, redactor: Redactor) -> None:
        self._conversation = conversation
        self._redactor = redactor
        self.lanes = {end: Lane() for end in conversation.ends}
        self.over = False
        """Nothing further will be told."""
        self.kept: bool | None = None
        """Whether it goes into the copy; None: that is not known yet."""

    @property
    def tls(self) -> bool:
        """Whether it is TLS."""
        return self._conversation.tls is not None

    @property
    def why_not(self) -> str:
        """What it is, where it is not kept."""
        return "frames of TLS connections without secrets" if self.tls else "TCP segments of other connections"

    # what the conversation tells

    def piece(self, sender: Endpoint, piece: Piece) -> None:
        """Octets in order, before anything is found in them."""
        lane = self.lanes[sender]
        if piece.lost > 0:
            lane.give_up()
            if self.tls:
                lane.add(Part(lane.end, lane.end + piece.lost, b"", piece.lost))
            lane.end += piece.lost
            lane.decided = lane.end
        elif piece.lost:
            lane.give_up()
        if lane.base is None or piece.lost < 0:
            lane.base = piece.sequence - lane.end & 0xFFFFFFFF
        lane.end += len(piece.data)
        if self.tls:
            lane.ends.append((piece.frame, lane.end))
            if len(lane.ends) > REMEMBERED // 16:
                lane.ends.popleft()
        else:
            lane.held += piece.data

    def found(self, sender: Endpoint, found: Found, result: object) -> None:
        """A V2GTP frame was found, and read or not."""
        self.kept = True
        lane = self.lanes[sender]
        new = self._redactor.payload(found.payload, result if isinstance(result, reading.Reading) else None)
        header = HEADER.pack(MARK[0], MARK[1], found.payload_type, len(found.payload))
        if self.tls:
            while len(lane.ends) > 1 and lane.ends[0][0] < found.frame:
                lane.ends.popleft()
            end = lane.ends[0][1] if lane.ends else lane.end
            lane.add(Part(end, end, header + new, len(header + new)))
            return
        start = lane.held.find(header + found.payload)
        if start < 0:
            return  # a frame that is cut short: it stays zeros
        octets = header + new
        begin = lane.decided + start
        lane.decided = begin + len(octets)
        lane.add(Part(begin, lane.decided, octets, len(octets)))
        del lane.held[: start + len(octets)]

    def end(self) -> None:
        """The connection, or its session, is over; more may follow."""
        for lane in self.lanes.values():
            lane.give_up()
        self._decide()
        if self.kept is None:
            self.kept = not self.tls and self._conversation.relevant()

    # what the copy asks

    def _decide(self) -> None:
        conversation = self._conversation
        if self.kept is not None:
            return
        if conversation.tls is not None:
            facts = conversation.tls.facts
            if facts.opened:
                self.kept = True
            elif facts.unopened >= HOPELESS:
                self.kept = False
        elif any(lane.end for lane in self.lanes.values()) and conversation.relevant():
            self.kept = True

    def ready(self, sender: Endpoint, sequence: int, size: int) -> bool:
        """Whether it is known what stands in the place of a segment."""
        self._decide()
        if self.over or self.kept is False:
            return True
        if self.kept is None or (self._conversation.tls is not None and self._conversation.tls.waiting):
            return False
        lane = self.lanes[sender]
        known = lane.end if self.tls else lane.decided
        return not size or lane.place(sequence) + size <= known

    def data(self, sender: Endpoint, sequence: int, size: int) -> bytes:
        """The data of a segment in the copy."""
        lane = self.lanes[sender]
        start = lane.place(sequence)
        end = start + size
        if self.tls:
            said = [part.octets for part in lane.covering(start) if part.end <= end]
            return b"".join(reversed(said))
        octets = bytearray(size)
        for part in lane.covering(start):
            first, last = max(start, part.start), min(end, part.end)
            if first < last:
                octets[first - start : last - start] = part.octets[first - part.start : last - part.start]
        return bytes(octets)

    def number(self, sender: Endpoint, sequence: int) -> int:
        """A sequence number of what `sender` sends, in the copy."""
        lane = self.lanes[sender]
        if not self.tls or lane.base is None:
            return sequence
        place = lane.place(sequence)
        if place <= 0:
            return sequence
        later = sum(part.size for part in lane.covering(place))
        return lane.base + lane.before + lane.kept - later + max(0, place - lane.end)
