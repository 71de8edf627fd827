"""What stands in the place of an identity: of the same length and form, the same for the same, and nobody can go back.

Every pseudonym is a keyed hash of the original. Whoever makes the key throws it away with this object. What is no
identity (zeros, broadcast, multicast, the address by which every host reaches its own modem) stays as it is.
"""

from __future__ import annotations

import re
from hashlib import shake_256
from typing import Final

from hlc.security import identifiers
from slac.keys import nid_from_nmk

OWN_MODEM: Final = bytes.fromhex("00B052000001")
"""The address to which the modems of one maker listen, all of them."""
SOLICITED: Final = bytes.fromhex("ff0200000000000000000001ff")
"""How the multicast addresses begin that neighbour discovery makes of an address. (RFC 4291 2.7.1)"""
LINK_LOCAL: Final = bytes.fromhex("fe80000000000000")
ORDINARY_ID: Final = re.compile(r"[A-Za-z_]{0,8}[0-9]{0,4}")
"""Names of elements that are signed: "id1". Others may be made of something."""


class Pseudonyms:
    """By a key of 32 random octets."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._nids: dict[bytes, bytes] = {}

    def _hash(self, kind: str, data: bytes, size: int) -> bytes:
        return shake_256(self._key + kind.encode().ljust(16, b"\0") + data).digest(size)

    def octets(self, data: bytes) -> bytes:
        """Any octets: a session ID, a key, a certificate, a signature."""
        if not data.strip(b"\0") or not data.strip(b"\xff"):
            return data
        return self._hash("octets", data, len(data))

    def mac(self, address: bytes) -> bytes:
        """A MAC address, locally administered."""
        if address[0] & 1 or not any(address) or address == OWN_MODEM:
            return address
        return b"\x02" + self._hash("mac", address, 5)

    def evccid(self, octets: bytes) -> bytes:
        """An EVCCID in octets: a MAC address, alone or filled up with zeros."""
        if len(octets) == 8 and not any(octets[:2]):
            return octets[:2] + self.mac(octets[2:])
        if len(octets) == 8 and not any(octets[6:]):
            return self.mac(octets[:6]) + octets[6:]
        return self.mac(octets) if len(octets) == 6 else self.octets(octets)

    def run_id(self, run_id: bytes) -> bytes:
        """A run ID of a matching; some vehicles make it of their MAC address."""
        return self.mac(run_id[:6]) + run_id[6:] if not any(run_id[6:]) else self.octets(run_id)

    def nmk(self, nmk: bytes) -> bytes:
        """The key of a network. The NID that follows from it follows again."""
        new = self.octets(nmk)
        if new != nmk:
            for level in (0, 1):
                self._nids[nid_from_nmk(nmk, level)] = nid_from_nmk(new, level)
        return new

    def nid(self, nid: bytes) -> bytes:
        """The identifier of a network; 54 bits, the upper ones of which say how it is secured."""
        if nid in self._nids or not nid.strip(b"\0"):
            return self._nids.get(nid, nid)
        new = self._hash("nid", nid, 7)
        return new[:6] + bytes([(new[6] & 0x0F) | (nid[6] & 0xF0)])

    def address(self, address: bytes) -> bytes:
        """An IPv6 or IPv4 address. One that is made of a MAC address is made of its pseudonym again."""
        if len(address) == 4:
            ordinary = address[0] not in (0, 127, 255) and address[0] < 224
            return b"\x0a" + self._hash("ip4", address, 3) if ordinary else address
        if address[0] == 0xFF or not any(address[:15]):
            return address
        prefix, interface = address[:8], address[8:]
        if prefix != LINK_LOCAL:
            prefix = b"\xfd" + self._hash("prefix", prefix, 7)
        if interface[3:5] == b"\xff\xfe":
            mac = self.mac(bytes([interface[0] ^ 2]) + interface[1:3] + interface[5:])
            interface = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
        elif any(interface[:6]):
            interface = self._hash("interface", interface, 8)
        return prefix + interface

    def text(self, text: str) -> str:
        """A text: letters for letters, digits for digits, everything else as it is; a MAC address and an eMAID stay
        such."""
        if (mac := identifiers.mac(text)) is not None:
            digits = iter(self.mac(mac).hex().upper())
            return "".join(next(digits) if each.isalnum() else each for each in text)
        noise = self._hash("text", text.encode("utf-8", "surrogatepass"), 2 * len(text))
        new = "".join(_alike(each, noise[2 * n] << 8 | noise[2 * n + 1]) for n, each in enumerate(text))
        plain = identifiers.emaid(text)
        if plain is not None and len(plain) > identifiers.BODY and identifiers.emaid_checks(plain):
            digit = identifiers.check_digit((identifiers.emaid(new) or plain)[: identifiers.BODY])
            return new[:-1] + digit if new[-1].isalnum() else new
        if identifiers.evccid(text) is not None:
            return new[:3] + text[3] + new[4:]
        return new

    def id(self, name: str) -> str:
        """The Id of an element, or a reference to one."""
        mark = "#" if name.startswith("#") else ""
        bare = name.removeprefix("#")
        return name if ORDINARY_ID.fullmatch(bare) else mark + self.text(bare)

    def number(self, number: int) -> int:
        """A number that takes as many octets in EXI: groups of seven bits."""
        size = -number - 1 if number < 0 else number  # as EXI writes it, beside the sign
        groups = max(1, -(-size.bit_length() // 7))
        low, high = (1 << 7 * (groups - 1) if groups > 1 else 1), 1 << 7 * groups
        drawn = int.from_bytes(self._hash("number", str(number).encode(), groups + 8), "big")
        size = low + drawn % (high - low)
        return -size - 1 if number < 0 else size


def _alike(character: str, noise: int) -> str:
    """A character of the same kind, which takes as many octets in EXI."""
    code = ord(character)
    if "0" <= character <= "9":
        return chr(48 + noise % 10)
    if "A" <= character <= "Z":
        return chr(65 + noise % 26)
    if "a" <= character <= "z":
        return chr(97 + noise % 26)
    if code < 0x80:
        return character
    return chr((0x400 if code < 0x4000 else 0x4E00 if code < 0x20_0000 else code) + noise % 0x100)
