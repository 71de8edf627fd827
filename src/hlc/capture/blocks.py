"""The blocks of a pcapng that are written: section, interface, frame, secrets. In the byte order of the machines that
read them, little-endian."""

from __future__ import annotations

import struct
from typing import Final

SECTION, INTERFACE, PACKET, SECRETS = 0x0A0D0D0A, 1, 6, 10
TLS_KEYS: Final = 0x544C534B
"""The kind of secrets that is a key log of TLS."""
SNAP_LENGTH: Final = 1 << 18
MOST_TICKS: Final = (1 << 64) - 1


def block(kind: int, body: bytes) -> bytes:
    """A block: its length stands before and behind the body, which is filled up to four octets."""
    body += bytes(-len(body) % 4)
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def section() -> bytes:
    """The beginning of a file."""
    name = b"openhlc"
    option = struct.pack("<HH", 4, len(name)) + name + bytes(-len(name) % 4)  # shb_userappl
    return block(SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + option + bytes(4))


def interface(link: int, digits: int) -> bytes:
    """An interface of a link type, whose times are counted in parts of a second with so many digits."""
    option = struct.pack("<HHB3x", 9, 1, digits)  # if_tsresol
    return block(INTERFACE, struct.pack("<HHI", link, 0, SNAP_LENGTH) + option + bytes(4))


def packet(number: int, ticks: int, data: bytes, wire: int = 0) -> bytes:
    """A frame of the interface with this number; `wire` octets long on the wire, where that is more than is there."""
    ticks = min(max(0, ticks), MOST_TICKS)
    head = struct.pack("<5I", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), max(len(data), wire))
    return block(PACKET, head + data)


def secrets(keylog: bytes) -> bytes:
    """A key log of TLS, by which what follows is decrypted."""
    return block(SECRETS, struct.pack("<II", TLS_KEYS, len(keylog)) + keylog)
