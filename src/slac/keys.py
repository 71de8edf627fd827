"""Keys of a HomePlug network: NMK and DAK from a password, NID from an NMK.

In matching the NMK is drawn at random and the NID derived from it. A vehicle uses the NID it is given: not every
station derives it.
Open-plc-utils, pyslac and EVerest agree on the NID where the wording of HomePlug AV 4.4.3.1 does not.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

DAK_SALT: Final = bytes.fromhex("08856DAF7CF58185")
NMK_SALT: Final = bytes.fromhex("08856DAF7CF58186")
PASSWORD_ROUNDS: Final = 1000
NID_ROUNDS: Final = 5


def nmk_from_password(password: str) -> bytes:
    """Network membership key, 16 octets, of a network password."""
    return _hashed(password.encode() + NMK_SALT, PASSWORD_ROUNDS)[:16]


def dak_from_password(password: str) -> bytes:
    """Device access key, 16 octets, of the password printed on a device."""
    return _hashed(password.encode() + DAK_SALT, PASSWORD_ROUNDS)[:16]


def nid_from_nmk(nmk: bytes, level: int = 0) -> bytes:
    """Network identifier, 7 octets, 54 bits. Security level 0 (simple connect) is that of matching, 1 is secure."""
    if len(nmk) != 16:
        raise ValueError(f"an NMK has 16 octets, not {len(nmk)}")
    if level not in (0, 1):
        raise ValueError(f"security level {level}: there are 0 and 1")
    digest = _hashed(nmk, NID_ROUNDS)
    return digest[:6] + bytes([digest[6] >> 4 | level << 4])


def _hashed(data: bytes, rounds: int) -> bytes:
    for _ in range(rounds):
        data = sha256(data).digest()
    return data
