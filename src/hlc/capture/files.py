"""Frames out of a capture file: pcap and pcapng, either byte order, from a file or a pipe, in constant memory.

This module finds where each record begins, and finds it again behind damage; scapy reads what is in a record. A record
whose length cannot be is skipped up to the next one that fits, and `damage` says so: nothing intact is lost.
"""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final, NamedTuple, Protocol

LONGEST: Final = 1 << 18
"""Octets of a frame; no capture program writes longer ones (its snap length)."""
LONGEST_BLOCK: Final = 1 << 24
"""Octets of a pcapng block: frames are shorter, embedded secrets and name tables may be long."""
CHUNK: Final = 1 << 18
DAY_S: Final = 86400

PCAP: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 10**6),
    b"\xa1\xb2\xc3\xd4": (">", 10**6),
    b"\x4d\x3c\xb2\xa1": ("<", 10**9),
    b"\xa1\xb2\x3c\x4d": (">", 10**9),
}
"""Magic number of a pcap file: byte order and parts of a second."""
PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
BYTE_ORDER: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}

SECTION, INTERFACE, PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
FRAMES: Final = (PACKET, SIMPLE_PACKET, ENHANCED_PACKET)
ETHERNET: Final = 1

SHORT_RECORD: Final = {
    "<": re.compile(rb"(?=.{8}(?!\0\0)..\0\0(?!\0\0)..\0\0)", re.DOTALL),
    ">": re.compile(rb"(?=.{8}\0\0(?!\0\0)..\0\0(?!\0\0)..)", re.DOTALL),
}
"""Where a pcap record with two lengths below 65,536 may begin."""


class CaptureError(Exception):
    """The input is no capture at all; one line for a person."""


class Octets(Protocol):
    """What a capture is read from: an open file, a pipe."""

    def read(self, size: int, /) -> bytes | None:
        """At most `size` octets; none at the end."""


class Captured(NamedTuple):
    """One frame of a capture."""

    number: int
    """As Wireshark counts: the first frame is 1."""
    at: float
    """Seconds since 1970."""
    link: int
    """Link type (the registry of tcpdump.org): 1 is Ethernet."""
    data: bytes


class Buffered:
    """A stream of octets that can be looked at before it is taken. Holds what is needed, no more."""

    def __init__(self, stream: Octets) -> None:
        self._stream = stream
        self._held = bytearray()
        self._ended = False
        self.offset = 0
        """Of the first octet held, from the beginning of the file."""
        self.broken = ""
        """Why reading ended early, where the operating system says so."""

    def peek(self, count: int) -> bytearray:
        """At least the next `count` octets; fewer only at the end of the file. Not a copy."""
        while len(self._held) < count and not self._ended:
            try:
                chunk = self._stream.read(CHUNK) or b""
            except (OSError, ValueError) as error:
                chunk, self.broken = b"", str(error)
            self._held += chunk
            self._ended = not chunk
        return self._held

    def take(self, count: int) -> bytes:
        """The next `count` octets, fewer at the end."""
        octets = bytes(self.peek(count)[:count])
        del self._held[: len(octets)]
        self.offset += len(octets)
        return octets


class Capture:
    """Iterate over the frames of a capture. `CaptureError` from the constructor where it is none."""

    def __init__(self, stream: Octets, name: str) -> None:
        """`stream` is open for reading octets; `name` is for messages."""
        self.name = name
        self.damage: list[str] = []
        """What was wrong with the file itself, in order; at most a dozen lines."""
        self._source = Buffered(stream)
        self._count = 0
        self._last = 0.0
        magic = bytes(self._source.peek(4)[:4])
        if not magic:
            raise CaptureError(f"{name} is empty: {self._source.broken or 'nothing in it'}")
        if magic not in PCAP and magic != PCAPNG:
            begins = bytes(self._source.peek(8)[:8]).hex(" ")
            raise CaptureError(f"{name} is no pcap or pcapng capture (it begins with {begins})")
        self._magic = magic

    @property
    def offset(self) -> int:
        """Octets read so far."""
        return self._source.offset

    def __iter__(self) -> Iterator[Captured]:
        logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
        frames = self._pcapng() if self._magic == PCAPNG else self._pcap()
        yield from frames
        if self._source.broken:
            self._damaged(f"reading stopped: {self._source.broken}")

    def _damaged(self, text: str) -> None:
        if len(self.damage) < 12:
            self.damage.append(f"octet {self._source.offset}: {text}")

    # pcap

    def _pcap(self) -> Iterator[Captured]:
        from scapy.error import Scapy_Exception
        from scapy.utils import RawPcapReader

        source = self._source
        order, parts = PCAP[self._magic]
        header = source.take(24)
        try:
            reader: Any = RawPcapReader(BytesIO(header))  # type: ignore[arg-type]
        except Scapy_Exception:
            self._damaged("the file ends within its header")
            return
        link = reader.linktype & 0xFFFF  # the upper bits tell of checksums at the end of frames
        layout = struct.Struct(order + "4I")
        while True:
            head = source.peek(16)
            if not head:
                return
            if len(head) < 16:
                self._damaged(f"the file ends within a record header ({len(head)} of 16 octets)")
                return
            seconds, part, length, wire = layout.unpack_from(head)
            if length > LONGEST or part >= parts or not self._believable(layout, parts, seconds, length, wire):
                if not self._find_record(layout, parts):
                    return
                continue
            record = source.take(16 + length)
            if len(record) < 16 + length:
                self._damaged(f"the file ends within frame {self._count + 1} ({len(record) - 16} of {length} octets)")
            reader.f = BytesIO(record)
            data, _ = next(reader)
            self._last = seconds + part / parts
            self._count += 1
            yield Captured(self._count, self._last, link, data)

    def _near(self, seconds: int) -> bool:
        """Whether a time of capture fits the one before."""
        return not self._count or abs(seconds - self._last) < DAY_S

    def _believable(self, layout: struct.Struct, parts: int, seconds: int, length: int, wire: int) -> bool:
        """Whether the next record is one, and as long as it says.

        Another one, or the end, follows it; where what follows is damaged too, none begins inside it. A leap in time
        needs another record behind it that confirms it.
        """
        end = 16 + length
        held = self._source.peek(end + 16)
        followed = self._plausible_end(layout, parts, held, end, seconds)
        if not self._near(seconds):
            return followed and 14 <= length <= wire
        if followed and length <= wire:
            return True
        return self._record_in(layout, parts, held, 17, end) is None

    def _record_in(
        self, layout: struct.Struct, parts: int, held: bytearray, first: int, end: int, *, near: bool = True
    ) -> int | None:
        """The first place from `first` to `end` at which a record begins that another one, or the end, follows."""
        for place in SHORT_RECORD[layout.format[0]].finditer(bytes(held[: end + 16]), first):
            position = place.start()
            seconds, part, length, wire = layout.unpack_from(held, position)
            if (
                position < end
                and part < parts
                and 14 <= length <= min(wire, LONGEST)
                and (not near or self._near(seconds))
                and self._plausible_end(layout, parts, held, position + 16 + length, seconds)
            ):
                return position
        return None

    def _find_record(self, layout: struct.Struct, parts: int) -> bool:
        """Skip damage up to the next record: one that fits in time, or else any."""
        source = self._source
        start = source.offset
        source.take(1)
        while True:
            held = source.peek(2 * LONGEST)
            position = self._record_in(layout, parts, held, 0, len(held))
            if position is None:
                position = self._record_in(layout, parts, held, 0, len(held), near=False)
            if position is not None:
                source.take(position)
                self._damaged(f"{source.offset - start} damaged octets were skipped")
                return True
            if len(held) < 2 * LONGEST:
                source.take(len(held))
                self._damaged(f"{source.offset - start} damaged octets up to the end were skipped")
                return False
            source.take(LONGEST)

    @staticmethod
    def _plausible_end(layout: struct.Struct, parts: int, held: bytearray, end: int, before: int) -> bool:
        """Whether at `end` the file ends or another record begins that fits the time `before`."""
        if end == len(held):
            return True
        if end + 16 > len(held):
            return False
        seconds, part, length, wire = layout.unpack_from(held, end)
        return bool(part < parts and 0 < length <= min(wire, LONGEST) and abs(seconds - before) < DAY_S)

    # pcapng

    def _pcapng(self) -> Iterator[Captured]:
        from scapy.error import Scapy_Exception
        from scapy.utils import RawPcapNgReader

        source = self._source
        reader: Any = None
        order = "<"
        while True:
            head = source.peek(12)
            if not head:
                return
            if bytes(head[:4]) == PCAPNG:
                order = BYTE_ORDER.get(bytes(head[8:12]), order)
            size = self._block_size(order)
            if size is None:
                if not self._find_block(order):
                    return
                continue
            kind = struct.unpack_from(order + "I", head)[0]
            block = source.take(size)
            if kind == SECTION:
                try:  # interfaces count anew in each section, so each has a reader of its own
                    reader = RawPcapNgReader(BytesIO(block))  # type: ignore[arg-type]
                except (Scapy_Exception, EOFError, struct.error):
                    self._damaged("a section header that cannot be read")
                continue
            if reader is None:
                self._damaged("a block before the section header was skipped")
                continue
            reader.f = BytesIO(self._known_interface(reader, order, block) if kind == ENHANCED_PACKET else block)
            try:
                data, about = next(reader)
            except StopIteration:
                if kind in FRAMES:
                    self._damaged("a frame that cannot be read")
                continue
            except (Scapy_Exception, EOFError, struct.error, IndexError, ValueError, OverflowError):
                self._damaged("a block that cannot be read")
                continue
            if about.tshigh is not None:
                self._last = ((about.tshigh << 32) | about.tslow) / about.tsresol
            self._count += 1
            yield Captured(self._count, self._last, about.linktype, data)

    def _known_interface(self, reader: Any, order: str, block: bytes) -> bytes:
        """The block of a frame; where the description of its interface is lost, as one of the first interface."""
        interface = struct.unpack_from(order + "I", block, 8)[0] if len(block) >= 32 else 0
        if interface < len(reader.interfaces):
            return block
        self._damaged(f"interface {interface} is not described: taken for the first one, or for Ethernet")
        if not reader.interfaces:
            reader.interfaces.append((ETHERNET, LONGEST, {"tsresol": 10**6}))
        return block[:8] + bytes(4) + block[12:]

    def _block_size(self, order: str, position: int = 0) -> int | None:
        """Length of the block at `position` of what is held; None when no whole block is there."""
        held = self._source.peek(position + 12)
        if len(held) < position + 12:
            return None
        size: int = struct.unpack_from(order + "I", held, position + 4)[0]
        if size < 12 or size % 4 or size > LONGEST_BLOCK:
            return None
        held = self._source.peek(position + size)
        if len(held) < position + size:
            return None
        return size if struct.unpack_from(order + "I", held, position + size - 4)[0] == size else None

    def _find_block(self, order: str) -> bool:
        """Skip damage up to the next frame or section; False at the end of the file."""
        source = self._source
        start = source.offset
        head = source.peek(8)
        claimed = struct.unpack_from(order + "I", head, 4)[0] if len(head) >= 8 else 0
        there = len(source.peek(min(claimed, LONGEST_BLOCK)))
        source.take(1)
        marks = (struct.pack(order + "I", ENHANCED_PACKET), struct.pack(order + "I", SIMPLE_PACKET), PCAPNG)
        while True:
            held = source.peek(LONGEST)
            places = sorted(place for mark in marks for place in _all(held, mark))
            for place in places:
                at_section = held[place : place + 4] == PCAPNG
                found = BYTE_ORDER.get(bytes(held[place + 8 : place + 12]), order) if at_section else order
                if self._block_size(found, place) is not None:
                    source.take(place)
                    self._damaged(f"{source.offset - start} damaged octets were skipped")
                    return True
            if len(held) < LONGEST:
                count = len(source.take(len(held))) + 1
                ends = f"the file ends within a block ({there} of {claimed} octets)"
                self._damaged(
                    ends if there < claimed <= LONGEST_BLOCK else f"{count} damaged octets up to the end were skipped"
                )
                return False
            source.take(len(held) - 3)


def _all(held: bytearray, mark: bytes) -> Iterator[int]:
    """Every place of `mark` in `held`."""
    place = held.find(mark)
    while place >= 0:
        yield place
        place = held.find(mark, place + 1)
