"""Frames out of a capture file: pcap and pcapng, either byte order, from a file or a pipe, in constant memory.

This module finds where each record begins, and finds it again behind damage: a record whose length cannot be is skipped
up to the next one that fits, and `damage` says so; nothing intact is lost. The records are read here, a few octets
each: scapy would take longer to import than most captures take to decode.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final, NamedTuple, Protocol

import msgspec

from hlc.capture import blocks

LONGEST: Final = 1 << 18
"""Octets of a frame; no capture program writes longer ones (its snap length)."""
SHORTEST: Final = 14
"""Octets of a frame that needs no other one to be believed: the header of Ethernet."""
LONGEST_BLOCK: Final = 1 << 24
"""Octets of a pcapng block: frames are shorter, embedded secrets and name tables may be long."""
CHUNK: Final = 1 << 18
LIKELY: Final = 1 << 12
"""Octets within which a frame and the next one are most likely found."""
DAY_S: Final = 86400
COMPLAINTS: Final = 12
"""Lines about damage that are kept."""


class Order(NamedTuple):
    """The numbers of a capture in one byte order."""

    words: Struct
    """The header of a pcap record: seconds, part of a second, octets kept, octets on the wire."""
    file: Struct
    """The header of a pcap file: magic, version, zone, accuracy, snap length, link type."""
    word: Struct
    interface: Struct
    """Link type, snap length."""
    option: Struct
    """Code and length of an option."""
    packet: Struct
    """An enhanced packet: interface, time (two words), octets kept, octets on the wire."""
    old_packet: Struct
    """The same in the form of old programs, with a count of drops behind the interface."""
    offset: Struct
    """What is added to the times of an interface, s."""
    short_record: re.Pattern[bytes]
    """Where a pcap record with two lengths below 65,536 may begin."""
    some_block: re.Pattern[bytes]
    """Where a pcapng block of a frame, an interface or a section may begin."""


LAYOUTS: Final = ("4I", "I2H4I", "I", "H2xI", "2H", "5I", "2H4I", "q")


def _order(mark: str, short_record: bytes, some_block: bytes) -> Order:
    words, file, word, interface, option, packet, old_packet, offset = (Struct(mark + each) for each in LAYOUTS)
    patterns = re.compile(short_record, re.DOTALL), re.compile(some_block, re.DOTALL)
    return Order(words, file, word, interface, option, packet, old_packet, offset, *patterns)


LITTLE: Final = _order(
    "<",
    rb"(?=.{8}(?!\0\0)..\0\0(?!\0\0)..\0\0)",
    rb"(?=[\1\2\3\6]\0\0\0..[\0-\x08]\0|\n\r\r\n)",
)
BIG: Final = _order(
    ">",
    rb"(?=.{8}\0\0(?!\0\0)..\0\0(?!\0\0)..)",
    rb"(?=\0\0\0[\1\2\3\6]\0[\0-\x08]..|\n\r\r\n)",
)

PCAP: Final = {
    b"\xd4\xc3\xb2\xa1": (LITTLE, 10**6),
    b"\xa1\xb2\xc3\xd4": (BIG, 10**6),
    b"\x4d\x3c\xb2\xa1": (LITTLE, 10**9),
    b"\xa1\xb2\x3c\x4d": (BIG, 10**9),
}
"""Magic number of a pcap file: byte order and parts of a second."""
PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
BYTE_ORDER: Final = {b"\x4d\x3c\x2b\x1a": LITTLE, b"\x1a\x2b\x3c\x4d": BIG}

PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 2, 3, blocks.PACKET
FRAMES: Final = (PACKET, SIMPLE_PACKET, ENHANCED_PACKET)
TSRESOL, TSOFFSET = 9, 14
"""Options of an interface."""
ETHERNET: Final = 1


class CaptureError(Exception):
    """The input is no capture at all; one line for a person."""


class Octets(Protocol):
    """What a capture is read from: an open file, a pipe."""

    def read(self, size: int, /) -> bytes | None:
        """At most `size` octets; none at the end."""


class Captured(msgspec.Struct, frozen=True, gc=False):
    """One frame of a capture."""

    number: int
    """As Wireshark counts: the first frame is 1."""
    at: float
    """Seconds since 1970."""
    link: int
    """Link type (the registry of tcpdump.org): 1 is Ethernet."""
    data: bytes


class Stamp(NamedTuple):
    """What a frame says of itself besides, exactly."""

    nanoseconds: int
    """Since 1970."""
    wire: int
    """Octets on the wire, where the capture tells: it may have left some out."""


class Interface(NamedTuple):
    """An interface of a pcapng."""

    link: int = ETHERNET
    longest: int = LONGEST
    """Octets of a frame that are kept."""
    resolution: int = 10**6
    """Parts of a second in which its times count."""
    offset: int = 0
    """What is added to them, s."""


class Buffered:
    """A stream of octets that can be looked at before it is taken. Holds what is needed, no more."""

    def __init__(self, stream: Octets) -> None:
        self._stream = stream
        self._ended = False
        self._before = 0
        self.held = b""
        """With a little of what was taken."""
        self.place = 0
        """In `held`, where the next octet is."""
        self.broken = ""
        """Why reading ended early, where the operating system says so."""

    @property
    def offset(self) -> int:
        """Of the next octet from the beginning of the file."""
        return self._before + self.place

    def ahead(self, count: int) -> int:
        """See to it that the next `count` octets are held. How many are; fewer only at the end of the file."""
        while len(self.held) - self.place < count and not self._ended:
            try:
                chunk = self._stream.read(CHUNK) or b""
            except (OSError, ValueError) as error:
                chunk, self.broken = b"", str(error)
            self._ended = not chunk
            gone = max(0, self.place - LIKELY)  # a little of what was taken is still at hand
            self._before += gone
            self.held = self.held[gone:] + chunk
            self.place -= gone
        return len(self.held) - self.place

    def peek(self, count: int) -> bytes:
        """The next `count` octets, fewer at the end; they are not taken."""
        self.ahead(count)
        return self.held[self.place : self.place + count]

    def skip(self, count: int) -> int:
        """Pass over the next `count` octets, fewer at the end. How many they were."""
        count = min(count, self.ahead(count))
        self.place += count
        return count


class Capture:
    """Iterate over the frames of a capture. `CaptureError` from the constructor where it is none."""

    def __init__(self, stream: Octets, name: str, secrets: Callable[[bytes], object] = len) -> None:
        """`stream` is open for reading octets; `name` is for messages; `secrets` gets the key logs of TLS in it."""
        self.name = name
        self._secrets = secrets
        self.damage: list[str] = []
        """What was wrong with the file itself, in order; at most a dozen lines."""
        self._source = Buffered(stream)
        self._count = 0
        self._last = 0.0
        self._exact = 0, 0, 1, 0
        magic = self._source.peek(4)
        if not magic:
            raise CaptureError(f"{name} is empty: {self._source.broken or 'nothing in it'}")
        if magic not in PCAP and magic != PCAPNG:
            begins = self._source.peek(8).hex(" ")
            raise CaptureError(f"{name} is no pcap or pcapng capture (it begins with {begins})")
        self._magic = magic

    @property
    def offset(self) -> int:
        """Octets read so far."""
        return self._source.offset

    @property
    def stamp(self) -> Stamp:
        """That of the frame which came last."""
        offset, ticks, resolution, wire = self._exact
        return Stamp(offset * 10**9 + ticks * 10**9 // resolution, wire)

    def __iter__(self) -> Iterator[Captured]:
        yield from self._pcapng() if self._magic == PCAPNG else self._pcap()
        if self._source.broken:
            self._damaged(f"reading stopped: {self._source.broken}")

    def _damaged(self, text: str) -> None:
        if len(self.damage) < COMPLAINTS:
            self.damage.append(f"octet {self._source.offset}: {text}")

    # pcap

    def _pcap(self) -> Iterator[Captured]:
        source = self._source
        order, parts = PCAP[self._magic]
        header = source.peek(24)
        source.skip(24)
        if len(header) < 24:
            self._damaged("the file ends within its header")
            return
        link = order.file.unpack(header)[6] & 0xFFFF  # the upper bits tell of checksums at the end of frames
        unpack = order.words.unpack_from
        while True:
            held, place = source.held, source.place
            if len(held) - place < 16:
                if source.ahead(16) < 16:
                    break
                held, place = source.held, source.place
            seconds, part, length, wire = unpack(held, place)
            end = place + 16 + length
            certain = False
            possible = part < parts and length <= LONGEST
            if possible and end + 16 <= len(held) and length <= wire and abs(seconds - self._last) < DAY_S:
                next_seconds, next_part, next_length, next_wire = unpack(held, end)
                certain = (
                    0 < next_length <= next_wire
                    and next_length <= LONGEST
                    and next_part < parts
                    and abs(next_seconds - seconds) < DAY_S
                )
            following = end
            if not certain:
                size = self._size(order, parts) if possible else None
                if size is None:
                    if not self._find_record(order, parts):
                        return
                    continue
                there = source.ahead(16 + length) - 16
                held, place = source.held, source.place
                end, following = place + 16 + length, place + size
                if following < end:
                    self._damaged(f"frame {self._count + 1} claims {length} octets, the next one begins before")
                    if end - following > 16:
                        end = following  # else it is one or the other that lacks some
                elif there < length:
                    self._damaged(f"the file ends within frame {self._count + 1} ({there} of {length} octets)")
            source.place = min(following, len(held))
            self._last = seconds + part / parts
            self._exact = seconds, part, parts, wire
            self._count += 1
            yield Captured(self._count, self._last, link, held[place + 16 : end])
        if there := source.ahead(16):
            self._damaged(f"the file ends within a record header ({there} of 16 octets)")

    def _near(self, seconds: int) -> bool:
        """Whether a time of capture fits the one before."""
        return abs(seconds - self._last) < DAY_S or not self._count

    def _size(self, order: Order, parts: int) -> int | None:
        """How far from the beginning of this record the next one begins; None where this one is none.

        It is as long as it says where another one, or the end, follows, and where none begins inside it. A leap in time
        needs another record behind it that confirms it.
        """
        source = self._source
        seconds, _, length, wire = order.words.unpack(source.peek(16))
        size: int = 16 + length
        source.ahead(size + 16)
        followed = self._plausible_end(order, parts, source.place + size, seconds)
        if not self._near(seconds):
            if not followed or not SHORTEST <= length <= wire:
                return None
            # where octets are missing, what follows fits itself in a wrong place too, but never in time
            source.ahead(size + LIKELY)
            end = source.place + size
            return size if self._record_in(order, parts, source.place + 1, end) is None else None
        if followed and length <= wire:
            return size
        if length < SHORTEST:
            return None
        inside = self._record_in(order, parts, source.place + 17, source.place + size)
        return size if inside is None else inside - source.place

    def _record_in(self, order: Order, parts: int, first: int, end: int, *, near: bool = True) -> int | None:
        """The first place in what is held, from `first` to `end`, at which a record begins that another one, or the
        end, follows."""
        held = self._source.held
        for found in order.short_record.finditer(held, first, end + 16):
            place = found.start()
            seconds, part, length, wire = order.words.unpack_from(held, place)
            if (
                place < end
                and part < parts
                and SHORTEST <= length <= min(wire, LONGEST)
                and (not near or self._near(seconds))
                and self._plausible_end(order, parts, place + 16 + length, seconds)
            ):
                return place
        return None

    def _find_record(self, order: Order, parts: int) -> bool:
        """Skip damage up to the next record: one that fits in time, or else any."""
        source = self._source
        start = source.offset
        source.skip(1)
        while True:
            there = source.ahead(2 * LONGEST)
            end = len(source.held)
            place = self._record_in(order, parts, source.place, end)
            if place is None:
                place = self._record_in(order, parts, source.place, end, near=False)
            if place is not None:
                source.place = place
                self._damaged(f"{source.offset - start} damaged octets were skipped")
                return True
            if there < 2 * LONGEST:
                source.skip(there)
                self._damaged(f"{source.offset - start} damaged octets up to the end were skipped")
                return False
            source.skip(LONGEST)

    def _plausible_end(self, order: Order, parts: int, end: int, before: int) -> bool:
        """Whether at `end` of what is held the file ends or another record begins that fits the time `before`."""
        held = self._source.held
        if end == len(held):
            return True
        if end + 16 > len(held):
            return False
        seconds, part, length, wire = order.words.unpack_from(held, end)
        return bool(part < parts and 0 < length <= min(wire, LONGEST) and abs(seconds - before) < DAY_S)

    # pcapng

    def _pcapng(self) -> Iterator[Captured]:
        source = self._source
        order = LITTLE
        interfaces: list[Interface] = []  # they count anew in each section
        before = 0
        while source.ahead(12):
            if source.held.startswith(PCAPNG, source.place):
                order = self._section_order(order)
            size = self._block_size(order)
            if size is None:
                found = self._find_block(order, before)
                if found is None:
                    return
                order, before = found, 0
                continue
            before = size
            held, place = source.held, source.place
            source.place = end = place + size
            kind = order.word.unpack_from(held, place)[0]
            end -= 4
            if kind == ENHANCED_PACKET and size >= 32:
                number, high, low, length, wire = order.packet.unpack_from(held, place + 8)
                start = place + 28
            elif kind == PACKET and size >= 32:
                number, _, high, low, length, wire = order.old_packet.unpack_from(held, place + 8)
                start = place + 28
            elif kind == SIMPLE_PACKET and size >= 16:
                number, high, low, wire = 0, None, None, order.word.unpack_from(held, place + 8)[0]
                start = place + 12
            else:
                if kind == blocks.SECTION:
                    interfaces = []
                elif kind == blocks.INTERFACE:
                    interfaces.append(self._interface(order, held[place + 8 : end]))
                elif (
                    kind == blocks.SECRETS
                    and size >= 20
                    and order.word.unpack_from(held, place + 8)[0] == blocks.TLS_KEYS
                ):
                    length = order.word.unpack_from(held, place + 12)[0]
                    self._secrets(bytes(held[place + 16 : min(place + 16 + length, end)]))
                elif kind in FRAMES:
                    self._damaged("a frame that cannot be read")
                continue  # blocks of other kinds (names, statistics) are no frames
            if number >= len(interfaces):
                number = self._undescribed(interfaces, number)
            interface = interfaces[number]
            if high is None:  # it has no time of its own, and the whole frame or as much as the interface keeps
                length = min(wire, interface.longest or wire)
                self._exact = *self._exact[:3], wire
            else:
                ticks = high << 32 | low
                self._last = interface.offset + ticks / interface.resolution
                self._exact = interface.offset, ticks, interface.resolution, wire
            self._count += 1
            yield Captured(self._count, self._last, interface.link, held[start : min(start + length, end)])

    def _interface(self, order: Order, body: bytes) -> Interface:
        """An interface by its description; what is damaged in it is as usual."""
        if len(body) < 8:
            self._damaged("the description of an interface cannot be read: taken for Ethernet")
            return Interface()
        link, longest = order.interface.unpack_from(body)
        resolution, offset, place = 10**6, 0, 8
        while place + 4 <= len(body):
            code, length = order.option.unpack_from(body, place)
            place += 4
            if code == TSRESOL and length == 1 and place < len(body):
                resolution = (2 if body[place] & 0x80 else 10) ** (body[place] & 0x7F)
            elif code == TSOFFSET and length == 8 and place + 8 <= len(body):
                offset = order.offset.unpack_from(body, place)[0]
            elif code == 0:
                break
            place += length + -length % 4
        return Interface(link, longest, resolution, offset)

    def _undescribed(self, interfaces: list[Interface], number: int) -> int:
        """Where the description of an interface is lost: it is taken for the first one."""
        self._damaged(f"interface {number} is not described: taken for the first one, or for Ethernet")
        if not interfaces:
            interfaces.append(Interface())
        return 0

    def _section_order(self, order: Order) -> Order:
        """The byte order of the section that begins here; where its mark is damaged, the one that fits."""
        mark = self._source.peek(12)[8:]
        orders = (BYTE_ORDER[mark],) if mark in BYTE_ORDER else (order, LITTLE, BIG)
        return next((each for each in orders if self._block_size(each) is not None), orders[0])

    def _block_size(self, order: Order, ahead: int = 0, longest: int = LONGEST_BLOCK) -> int | None:
        """Length of the block that begins `ahead` octets on; None when no whole block is there."""
        source = self._source
        if source.ahead(ahead + 12) < ahead + 12:
            return None
        size: int = order.word.unpack_from(source.held, source.place + ahead + 4)[0]
        if size < 12 or size % 4 or size > longest or source.ahead(ahead + size) < ahead + size:
            return None
        return size if order.word.unpack_from(source.held, source.place + ahead + size - 4)[0] == size else None

    def _find_block(self, order: Order, before: int) -> Order | None:
        """Skip damage up to the next frame, interface or section. The byte order there; None at the end of the file.

        The block before, of `before` octets, may be what is damaged: those that begin in it are found too.
        """
        source = self._source
        back = min(before, source.place)
        source.place -= back
        marks = order.some_block.finditer(source.held, source.place + 1, source.place + back + 11)
        for place in [mark.start() - source.place for mark in marks]:
            if place < back and self._block_size(order, place, 2 * LONGEST) is not None:
                source.skip(place)
                self._damaged(f"{back - place} octets of the block before belong to others")
                return order
        source.skip(back)
        start = source.offset
        head = source.peek(8)
        claimed = order.word.unpack_from(head, 4)[0] if len(head) >= 8 else 0
        there = source.ahead(min(claimed, LONGEST_BLOCK))
        source.skip(1)
        while True:
            window = source.ahead(LONGEST)
            for each in (order, BIG if order is LITTLE else LITTLE):  # the other where the section's header is lost
                marks = each.some_block.finditer(source.held, source.place, source.place + window)
                for place in [mark.start() - source.place for mark in marks]:
                    found = BYTE_ORDER.get(source.held[source.place + place + 8 : source.place + place + 12], each)
                    if self._block_size(found, place, 2 * LONGEST) is not None:
                        source.skip(place)
                        self._damaged(f"{source.offset - start} damaged octets were skipped")
                        return found
            if window < LONGEST:
                count = source.skip(window) + 1
                ends = f"the file ends within a block ({there} of {claimed} octets)"
                self._damaged(
                    ends if there < claimed <= LONGEST_BLOCK else f"{count} damaged octets up to the end were skipped"
                )
                return None
            source.skip(window - 11)  # a mark of twelve octets may stand across
