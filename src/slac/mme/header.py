"""The header of every HomePlug management message.

    octet 0     ODA, destination
    octet 6     OSA, source
    (12)        802.1Q tag, 4 octets, optional; what follows moves by 4
    octet 12    EtherType 0x88E1
    octet 14    MMV, management message version: 0 AV 1.0, 1 AV 1.1 and Green PHY, 2 AV 2.0
    octet 15    MMTYPE, little endian
    octet 17    FMI, unless MMV is 0: number of fragments - 1 in the high nibble, this fragment's number in the low one
    octet 18    FMSN, unless MMV is 0: sequence number that the fragments of a message share
    ...         OUI, 3 octets, in manufacturer and vendor specific messages
    ...         the message

The OUI is read by those who know the messages: one vendor message goes without.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

ETHERTYPE: Final = 0x88E1
TAGGED: Final = 0x8100
MINIMUM: Final = 60
"""Octets of the shortest Ethernet frame, without FCS; what is shorter is filled up with zeros."""

# struct, not construct: this stands in the path of every frame, and construct is twenty times slower.
ADDRESSES: Final = struct.Struct("!6s6sH")
TAG: Final = struct.Struct("!HH")
VERSION: Final = struct.Struct("<BH")
FRAGMENT: Final = struct.Struct("BB")


class MmeError(Exception):
    """What was received is no HomePlug frame, or its message is shorter than it says.

    `name` is the message's, empty where it is no HomePlug frame at all.
    """

    def __init__(self, reason: str, name: str = "") -> None:
        super().__init__(f"{name}: {reason}" if name else reason)
        self.name = name


class Header(NamedTuple):
    destination: bytes
    source: bytes
    vlan: int | None
    """The tag's 16 bits, priority and VLAN number; None without tag."""
    mmv: int
    mmtype: int
    fragment: tuple[int, int]
    """This fragment's number, from 0, and how many there are: (0, 1) is a message in one piece."""
    fmsn: int

    @property
    def whole(self) -> bool:
        return self.fragment == (0, 1)

    def build(self) -> bytes:
        """The octets. Raises `struct.error` for numbers that do not fit."""
        number, of = self.fragment
        if len(self.destination) != 6 or len(self.source) != 6:
            raise ValueError("a MAC address has 6 octets")
        if not (0 <= number <= 15 and 1 <= of <= 16):
            raise ValueError(f"no fragment number: {number} of {of}")
        if not self.mmv and not (self.whole and self.fmsn == 0):
            raise ValueError("there are no fragments in MMV 0")
        if self.vlan is None:
            start = ADDRESSES.pack(self.destination, self.source, ETHERTYPE)
        else:
            start = ADDRESSES.pack(self.destination, self.source, TAGGED) + TAG.pack(self.vlan, ETHERTYPE)
        start += VERSION.pack(self.mmv, self.mmtype)
        return start + FRAGMENT.pack(of - 1 << 4 | number, self.fmsn) if self.mmv else start


def parse(frame: bytes) -> tuple[Header, int]:
    """The header, and the offset at which it ends. Raises `MmeError`."""
    try:
        destination, source, kind = ADDRESSES.unpack_from(frame)
        offset = ADDRESSES.size
        vlan = None
        if kind == TAGGED:
            vlan, kind = TAG.unpack_from(frame, offset)
            offset += TAG.size
        if kind != ETHERTYPE:
            raise MmeError(f"EtherType 0x{kind:04X} is not HomePlug's, 0x{ETHERTYPE:04X}")
        mmv, mmtype = VERSION.unpack_from(frame, offset)
        offset += VERSION.size
        fmi = fmsn = 0
        if mmv:
            fmi, fmsn = FRAGMENT.unpack_from(frame, offset)
            offset += FRAGMENT.size
    except struct.error:
        raise MmeError(f"{len(frame)} octets are too few for a HomePlug header") from None
    return Header(destination, source, vlan, mmv, mmtype, (fmi & 15, (fmi >> 4) + 1), fmsn), offset
