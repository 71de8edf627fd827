"""Octets of one direction of a TLS connection -> records, as a listener sees them.

A record whose header cannot be is skipped, and so is what stands behind a hole, up to the next header that another
one, or the end of the segment, confirms. Each octet is looked at a bounded number of times.
"""

from __future__ import annotations

import re
from struct import Struct
from typing import Final, NamedTuple

from hlc.capture.reassembly import Piece

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
"""Content types."""
LONGEST: Final = (1 << 14) + 2048
"""Octets in a record, what encryption adds included. (RFC 5246 6.2.3)"""
UNKNOWN: Final = 1 << 24
"""Octets lost where their number is not known: more than any hole that is followed."""

HEADER: Final = Struct("!BBBH")
MARK: Final = re.compile(rb"[\x14-\x17](?:\x03(?:[\x01-\x04]|\Z)|\Z)")
"""Where a header, or the beginning of one, may be."""


class Record(NamedTuple):
    """A record; `at` and `frame` are those of the segment in which it ended."""

    kind: int
    header: bytes
    body: bytes
    at: float
    frame: int
    lost: int
    """Octets before it that belong to no record that was found."""


class Records:
    """Records of one direction, from pieces in order."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._lost = 0
        self._seeking = False

    def feed(self, piece: Piece) -> list[Record]:
        """The records that `piece` completes."""
        held = self._held
        found: list[Record] = []
        if piece.lost:
            self._drop(len(held))
            self._lost = min(UNKNOWN, self._lost + (piece.lost if piece.lost > 0 else UNKNOWN))
            self._seeking = len(piece.data) < 3 or not plausible(piece.data)
        elif held and self._confirmed(piece.data, 0):
            # a record begins with a segment while another is open: the length of that one is damaged, or it is none
            self._seeking = True
            found = self.close(piece)
            self._seeking = False
        held += piece.data
        return found + self._complete(piece)

    def close(self, last: Piece) -> list[Record]:
        """Nothing follows `last`: what was taken for the beginning of a record behind damage is none."""
        found: list[Record] = []
        while self._held and self._seeking:
            self._drop(1)
            found += self._complete(last)
        return found

    def _complete(self, piece: Piece) -> list[Record]:
        held = self._held
        found: list[Record] = []
        while held:
            if not plausible(held):
                self._seeking = True
            if self._seeking and not self._find():
                break
            if len(held) < HEADER.size:
                break
            size = HEADER.size + HEADER.unpack_from(held)[3]
            if len(held) < size:
                break
            octets = bytes(held[:size])
            header, body = octets[: HEADER.size], octets[HEADER.size :]
            found.append(Record(octets[0], header, body, piece.at, piece.frame, self._lost))
            self._lost = 0
            del held[:size]
        return found

    def _drop(self, count: int) -> None:
        del self._held[:count]
        self._lost = min(UNKNOWN, self._lost + count)

    def _find(self) -> bool:
        """Skip octets up to the next record; False while that cannot be told."""
        held = self._held
        for mark in MARK.finditer(bytes(held)):
            place = mark.start()
            if not plausible(held[place : place + HEADER.size]):
                continue
            if len(held) < place + HEADER.size or len(held) < place + HEADER.size + HEADER.unpack_from(held, place)[3]:
                self._drop(place)
                return False  # what follows will tell
            if self._confirmed(held, place):
                self._drop(place)
                self._seeking = False
                return True
        self._drop(len(held))
        return False

    @staticmethod
    def _confirmed(octets: bytes | bytearray, place: int) -> bool:
        """Whether a whole record stands at `place` that another one, or the end, follows."""
        if len(octets) < place + HEADER.size or not plausible(octets[place : place + HEADER.size]):
            return False
        end = place + HEADER.size + HEADER.unpack_from(octets, place)[3]
        return end == len(octets) or (end < len(octets) and plausible(octets[end : end + HEADER.size]))


def plausible(octets: bytes | bytearray) -> bool:
    """Whether `octets` begin with the header of a record, or, being fewer, may become one."""
    if not CHANGE_CIPHER_SPEC <= octets[0] <= DATA or octets[1:2] not in (b"", b"\x03"):
        return False
    if len(octets) > 2 and not 1 <= octets[2] <= 4:
        return False
    return len(octets) < HEADER.size or 0 < HEADER.unpack_from(octets)[3] <= LONGEST
