"""The checksum of the Internet protocols. (RFC 1071)"""

from __future__ import annotations

import struct


def checksum(octets: bytes) -> bytes:
    """That of these octets, in which its own place holds zeros."""
    octets += bytes(len(octets) % 2)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF or 0xFFFF)


def over_ip(source: bytes, destination: bytes, protocol: int, content: bytes) -> bytes:
    """That of TCP, UDP and ICMPv6, with the pseudo header of IPv6 or IPv4."""
    layout = "!HH" if len(source) == 4 else "!II"
    numbers = (protocol, len(content)) if len(source) == 4 else (len(content), protocol)
    return checksum(source + destination + struct.pack(layout, *numbers) + content)
