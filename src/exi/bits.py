"""Bit reader and writer of the Python engine: the primitive representations of EXI 1.0, clause 7.1."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 10
"""Octets of an unsigned integer of 64 bits; longer ones are read only where the schema sets no bound."""

BIG: Final = 585
"""Octets of the longest of those, which has 4,095 bits: certificates have serial numbers of 160 at most."""
BIG_BITS: Final = 7 * BIG


class Malformed(ValueError):  # noqa: N818 - it says what the input is
    """Why the input cannot be read here. The engine adds the path and the bit."""


class BitReader:
    """Reads from the most significant bit of the first octet on. `bit` is the position."""

    __slots__ = ("bit", "data", "size")

    def __init__(self, data: bytes, bit: int = 0) -> None:
        self.data = data
        self.size = len(data) * 8
        self.bit = bit

    @property
    def finished(self) -> bool:
        """Whether nothing is left but the zero bits that fill the last octet."""
        left = self.size - self.bit
        return left < 8 and not (left and self.data[-1] & ((1 << left) - 1))

    def bits(self, count: int) -> int:
        """An n-bit unsigned integer (7.1.9)."""
        bit = self.bit
        end = bit + count
        if end > self.size:
            raise Malformed("the input ends here")
        self.bit = end
        if count == 1:
            return self.data[bit >> 3] >> (~bit & 7) & 1
        last = (end + 7) >> 3
        return (int.from_bytes(self.data[bit >> 3 : last], "big") >> ((last << 3) - end)) & ((1 << count) - 1)

    def octets(self, count: int) -> bytes:
        if count > (self.size - self.bit) >> 3:
            raise Malformed("the input ends here")
        return self.bits(count * 8).to_bytes(count, "big")

    def unsigned(self) -> int:
        """An unsigned integer of at most 64 bits: seven bits an octet, the least significant first (7.1.6)."""
        value = 0
        for place in range(LONGEST):
            octet = self.bits(8)
            value |= (octet & 0x7F) << (7 * place)
            if octet < 0x80:
                break
        if octet >= 0x80 or value >> 64:
            raise Malformed("the number is longer than 64 bits")
        return value

    def unbounded(self) -> int:
        """An unsigned integer of at most 4,095 bits."""
        groups = bytearray()
        octet = 0x80
        while octet >= 0x80:
            if len(groups) == BIG:
                raise Malformed(f"the number is longer than {BIG_BITS} bits")
            octet = self.bits(8)
            groups.append(octet & 0x7F)
        # Joined in one pass: shifting them in one by one would take quadratic time.
        return int("".join(format(group, "07b") for group in reversed(groups)), 2)

    def integer(self, *, bounded: bool) -> int:
        """A sign and a magnitude; a negative number's magnitude is one less than its absolute value (7.1.5)."""
        negative = self.bits(1)
        magnitude = self.unsigned() if bounded else self.unbounded()
        return -magnitude - 1 if negative else magnitude

    def string(self, most: int | None) -> str:
        """Characters after their count plus two; the two lowest counts would name a string table entry (7.3.3)."""
        count = self.unsigned() - 2
        if count < 0:
            raise Malformed("a string table entry is named, but V2G documents hold none")
        if most is not None and count > most:
            raise Malformed(f"{count} characters, more than {most}")
        return self.characters(count)

    def characters(self, count: int) -> str:
        start = self.bit
        octets = self.octets(count)  # no character takes less than one
        if octets.isascii():
            return octets.decode("ascii")
        self.bit = start
        return "".join([self.character() for _ in range(count)])

    def character(self) -> str:
        point = self.unsigned()
        if point > 0x10FFFF or 0xD800 <= point < 0xE000:
            raise Malformed(f"{point:#x} is no character")
        return chr(point)


class BitWriter:
    """Writes what `BitReader` reads."""

    __slots__ = ("bit", "value")

    def __init__(self) -> None:
        self.value = bytearray()
        self.bit = 0

    def bits(self, value: int, count: int) -> None:
        free = -self.bit & 7
        self.bit += count
        if count <= free:
            if count:
                self.value[-1] |= value << (free - count)
            return
        if free:
            count -= free
            self.value[-1] |= value >> count
            value &= (1 << count) - 1
        size = (count + 7) >> 3
        self.value += (value << (size * 8 - count)).to_bytes(size, "big")

    def octets(self, value: bytes) -> None:
        self.bits(int.from_bytes(value, "big"), len(value) * 8)

    def unsigned(self, value: int) -> None:
        if value < 0x80:
            return self.bits(value, 8)
        groups = bytearray()
        digits = format(value, "b")
        for end in range(len(digits), 0, -7):
            groups.append(int(digits[max(0, end - 7) : end], 2) | 0x80)
        groups[-1] &= 0x7F
        self.octets(bytes(groups))

    def integer(self, value: int) -> None:
        self.bits(value < 0, 1)
        self.unsigned(-value - 1 if value < 0 else value)

    def string(self, value: str) -> None:
        self.unsigned(len(value) + 2)
        self.characters(value)

    def characters(self, value: str) -> None:
        for character in value:
            self.unsigned(ord(character))

    def bytes(self) -> bytes:
        return bytes(self.value)
