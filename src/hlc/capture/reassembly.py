"""TCP segments -> octets in order -> V2GTP frames, as a listener sees them.

A listener is not the receiver: it may have missed what the receiver has, start in the middle, or hear things twice and
out of order. So a hole is given up once the receiver has acknowledged what was in it (or too much waits behind it), and
after a hole, or where a header is damaged, reading goes on at the next octets that are a V2GTP header. Sequence numbers
may be damaged too: one segment in the wrong place is nothing, two that fit each other, or one that is acknowledged,
say where the stream is. No I/O and no clock.
"""

from __future__ import annotations

from collections import deque
from struct import Struct
from typing import Final

import msgspec

from hlc.v2gtp import PayloadType

WAITING: Final = 1 << 18
"""Octets that may wait behind a hole before it is given up."""
SEGMENTS: Final = 512
"""Segments that may; each one that comes is looked for among them."""
PATIENCE_S: Final = 1.0
"""How long an acknowledged hole may still be filled: captures taken at two places show segments late."""
WINDOW: Final = 1 << 24
"""Sequence numbers further ahead than this belong to no window in use: damage."""
HOLES: Final = 8
"""Holes of a stream that are remembered after they were given up."""
LONGEST: Final = 1 << 16
"""Octets of a payload; the largest real message is below 5,000."""

KNOWN: Final = frozenset(int(kind) for kind in PayloadType)
HEADER: Final = Struct("!BBHI")
MARK: Final = b"\x01\xfe"


class Piece(msgspec.Struct, frozen=True, gc=False):
    """Octets in order, from one frame of the capture. `lost` octets are missing before them; -1: unknown how many."""

    data: bytes
    at: float
    frame: int
    lost: int = 0
    sequence: int = 0
    """The sequence number of the first octet."""


class Stream:
    """One direction of a TCP connection."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._first = 0
        """The sequence number at which it began for this listener."""
        self._last = b""
        """The octets that were given last."""
        self._pending: dict[int, Piece] = {}
        self._stray: Piece | None = None
        """The last segment that is in no place where the stream can be."""
        self._holes: deque[tuple[int, int]] = deque(maxlen=HOLES)
        """The last ones that were given up: where they begin and end."""
        self.waiting = 0
        """Octets behind a hole, and of a stray segment."""
        self._given_up_at: float | None = None
        self._before = 0
        self.retransmitted = 0
        """Segments that brought nothing new."""

    def synchronize(self, sequence: int) -> None:
        """SYN: the first octet of data is the one after `sequence`. A copy of it that comes late changes nothing."""
        if self._next is None:
            self._next = self._first = sequence + 1 & 0xFFFFFFFF

    def answered(self, acknowledged: int) -> None:
        """The SYN was answered: where the receiver saw another one than this listener, the first octets will tell."""
        if not self._last and not self._pending and self._next != acknowledged:
            self._next = None

    def segment(self, sequence: int, data: bytes, at: float, frame: int) -> list[Piece]:
        """A segment arrived: the octets that are now in order."""
        if self._next is None:  # the capture begins inside the connection
            self._begin(sequence)
        if sequence == self._next and data and not self._pending:  # nearly every segment
            before, self._before = self._before, 0
            self._next = sequence + len(data) & 0xFFFFFFFF
            self._last = data
            self._given_up_at = None
            return [Piece(data, at, frame, before, sequence)]
        piece = Piece(data, at, frame, 0, sequence)
        ahead = self._distance(sequence)
        behind = ahead + len(data) <= 0
        if not -WINDOW < ahead < WINDOW or (behind and self._unseen(piece)):
            return self._elsewhere(piece)
        if ahead < 0 < ahead + len(data) and not self._last:
            self._begin(sequence)
        if behind and len(data) > 1 and self._contradicts(data, -ahead):
            self._next, self._last = _end(piece), data
            return [msgspec.structs.replace(piece, lost=-1)]
        known = self._pending.get(sequence)
        if behind or (known is not None and len(known.data) >= len(data)):
            self.retransmitted += 1
            return []
        self.waiting += len(data) - (len(known.data) if known else 0)
        self._pending[sequence] = piece
        pieces = self._in_order()
        while self._pending and (self.waiting > WAITING or len(self._pending) > SEGMENTS):
            pieces += self._skip()
        return pieces

    def acknowledged(self, sequence: int, at: float) -> list[Piece]:
        """The receiver has everything up to `sequence`: a hole before it will not be filled for this listener."""
        if self._stray is not None and sequence == _end(self._stray):
            return self._restart()
        if not self._pending or self._next is None:
            return []
        first = min(self._distance(start) for start in self._pending)
        if self._distance(sequence) < first:
            return []
        if self._given_up_at is None:
            self._given_up_at = at + PATIENCE_S
        return self._skip() if at >= self._given_up_at else []

    def close(self) -> list[Piece]:
        """No more will come: what waits behind holes."""
        pieces: list[Piece] = []
        while self._pending:
            pieces += self._skip()
        return pieces

    def _begin(self, sequence: int) -> None:
        """Nothing was given yet, and this is where the stream begins."""
        self._next = self._first = sequence
        self._before = -1

    def _distance(self, sequence: int) -> int:
        """How far a sequence number is ahead of what is in order."""
        assert self._next is not None
        return _signed(sequence - self._next)

    def _unseen(self, piece: Piece) -> bool:
        """Whether what is behind was never given: it is from before the beginning, or of a hole that was given up.

        A single octet there asks whether anybody is alive.
        """
        if len(piece.data) < 2:
            return False
        if _signed(piece.sequence - self._first) < 0:
            return True
        return any(
            _signed(piece.sequence - begin) >= 0 and _signed(_end(piece) - end) <= 0 for begin, end in self._holes
        )

    def _elsewhere(self, piece: Piece) -> list[Piece]:
        """A segment in no place where the stream can be. Together with the one before it, which it continues, it says
        that the stream is there: the place that it was thought to have came from damage."""
        stray = self._stray
        if stray is not None and _end(stray) == piece.sequence:
            return self._restart() + self.segment(piece.sequence, piece.data, piece.at, piece.frame)
        self.waiting += len(piece.data) - (len(stray.data) if stray is not None else 0)
        self._stray = piece
        return []

    def _restart(self) -> list[Piece]:
        """The stream goes on with the stray segment."""
        assert self._stray is not None
        pieces = self.close()
        stray, self._stray = self._stray, None
        self.waiting -= len(stray.data)
        self._begin(_end(stray))
        self._before, self._last = 0, stray.data
        return [*pieces, msgspec.structs.replace(stray, lost=-1)]

    def _in_order(self) -> list[Piece]:
        pieces: list[Piece] = []
        while self._pending and self._next is not None:
            piece = self._pending.pop(self._next, None)
            start = self._next
            if piece is None:  # an overlapping segment may begin before
                start = min(self._pending, key=self._distance)
                if self._distance(start) > 0:
                    break
                piece = self._pending.pop(start)
            self.waiting -= len(piece.data)
            known = -self._distance(start)
            if known and self._contradicts(piece.data, known):  # one is in a wrong place: each is given as it came
                pieces.append(msgspec.structs.replace(piece, lost=-1))
            elif known >= len(piece.data):
                continue
            else:
                fresh = piece.data[known:]
                pieces.append(msgspec.structs.replace(piece, data=fresh, sequence=self._next, lost=self._before))
            self._before = 0
            self._last = pieces[-1].data
            self._next = _end(piece)
        if pieces:
            self._given_up_at = None
        return pieces

    def _contradicts(self, data: bytes, known: int) -> bool:
        """Whether of `data`, which begins `known` octets before what comes next, some were others when they were
        given."""
        before = len(self._last) - known
        given, again = self._last[max(0, before) :], data[max(0, -before) :]
        size = min(len(given), len(again))
        return given[:size] != again[:size]

    def _skip(self) -> list[Piece]:
        """Give up the hole before the first octets that wait."""
        assert self._next is not None
        start = min(self._pending, key=self._distance)
        self._holes.append((self._next, start))
        self._before = self._distance(start)
        self._next = start
        self._given_up_at = None
        return self._in_order()


def _signed(difference: int) -> int:
    """The difference of two sequence numbers, the shorter way round."""
    return (difference + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def _end(piece: Piece) -> int:
    """The sequence number behind a piece."""
    return piece.sequence + len(piece.data) & 0xFFFFFFFF


class Found(msgspec.Struct, frozen=True, gc=False):
    """A V2GTP frame in a stream. `at` and `frame` are those of the segment that completed it."""

    payload_type: int
    payload: bytes
    at: float
    frame: int
    fault: str = ""
    """What is wrong with the frame itself, where it had to be guessed at."""


class Framing:
    """V2GTP frames of one direction, from pieces in order."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._lost = False
        """Out of step: a header has to be looked for."""
        self._last = Piece(b"", 0.0, 0)
        self.skipped = 0
        """Octets that belong to no frame."""
        self.begun = False
        """A frame was found, or began."""

    def feed(self, piece: Piece) -> list[Found]:
        """The frames that `piece` completes."""
        data = piece.data
        if not self._held and not self._lost and not piece.lost and len(data) >= 8:
            version, inverse, kind, length = HEADER.unpack_from(data)
            if version == 1 and inverse == 0xFE and length == len(data) - 8 <= LONGEST and kind in KNOWN:
                self.begun = True  # nearly every segment is one message
                return [Found(kind, data[8:], piece.at, piece.frame)]
        found: list[Found] = []
        if piece.lost:
            found += self.close()
            self._lost = True
        elif self._held and len(data) >= 8 and plausible(data):
            # a segment begins with a header while another frame is open: the length of that one is damaged
            found += self._cut_short()
        self._last = piece
        self._held += data
        found += self._frames()
        self.begun = self.begun or bool(found) or (bool(self._held) and not self._lost)
        return found

    def close(self) -> list[Found]:
        """No more octets follow the ones so far."""
        found = self._cut_short() if self._held else []
        self.skipped += len(self._held)
        self._held.clear()
        return found

    def _cut_short(self) -> list[Found]:
        """The open frame as far as it came, if it has any payload."""
        held, last = bytes(self._held), self._last
        self._held.clear()
        if len(held) <= 8 or not plausible(held):
            self.skipped += len(held)
            return []
        length = HEADER.unpack_from(held)[3]
        fault = f"the header claims {length} octets, {len(held) - 8} are there"
        return [Found(HEADER.unpack_from(held)[2], held[8:], last.at, last.frame, fault)]

    def _frames(self) -> list[Found]:
        found: list[Found] = []
        held = self._held
        while held:
            if (self._lost or not plausible(held)) and not self._find():
                break
            if len(held) < 8:
                break
            _, _, kind, length = HEADER.unpack_from(held)
            if len(held) < 8 + length:
                break
            found.append(Found(kind, bytes(held[8 : 8 + length]), self._last.at, self._last.frame))
            del held[: 8 + length]
        return found

    def _find(self) -> bool:
        """Drop octets up to the next header; True when one (or the beginning of one) is at the front."""
        held = self._held
        place = 0
        while True:
            place = held.find(MARK[:1], place)
            if place < 0:
                self.skipped += len(held)
                held.clear()
                self._lost = True
                return False
            if plausible(held[place : place + 8]):
                self.skipped += place
                del held[:place]
                self._lost = len(held) < 8
                return len(held) >= 8
            place += 1


def plausible(octets: bytes | bytearray) -> bool:
    """Whether `octets` are a V2GTP header of known type and sane length, or, being fewer, may become one."""
    if octets[:2] != MARK[: len(octets)]:
        return False
    if len(octets) < 4:
        return True
    kind = octets[2] << 8 | octets[3]
    return kind in KNOWN and (len(octets) < 8 or HEADER.unpack_from(octets)[3] <= LONGEST)


def is_frame(octets: bytes) -> bool:
    """Whether a segment is one V2GTP frame, whole: such octets are nothing else."""
    return len(octets) > 8 and plausible(octets) and HEADER.unpack_from(octets)[3] == len(octets) - 8


def is_tls(octets: bytes | bytearray) -> bool:
    """Whether a stream that begins so is TLS: a handshake or data record of version 3.x."""
    return len(octets) >= 3 and octets[0] in (0x14, 0x15, 0x16, 0x17) and octets[1] == 3 and octets[2] <= 4
