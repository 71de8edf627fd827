"""V2GTP: the frame around every message and every discovery datagram, in all protocols alike.

    octet 0     protocol version, 0x01
    octet 1     inverse protocol version, 0xFE
    octet 2..3  payload type, big endian
    octet 4..7  payload length, big endian, without these 8 octets
    octet 8..   payload

This file cuts a byte stream into frames and builds frames. It does not judge payload types: who receives one that means
nothing to him discards the payload and stays in step. (DIN SPEC 70121 8.3; ISO 15118-2 7.8.3)
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

VERSION: Final = 0x01
INVERSE_VERSION: Final = 0xFE

# The formats of this protocol's neighbours are declared with construct. This one stands in the path of every message:
# construct takes about 20 µs for it in either direction, struct takes 0.2 µs.
HEADER: Final = struct.Struct("!BBHI")

MAX_PAYLOAD: Final = 0x10000
"""Octets that a payload may have. The longest legal messages (certificate installation) stay well below."""


class PayloadType(IntEnum):
    """Payload types (DIN SPEC 70121 table 16; ISO 15118-2 table 10; ISO 15118-20 table 12)."""

    EXI = 0x8001
    """SAP in every protocol, and every message of DIN 70121 and ISO 15118-2."""
    MAINSTREAM = 0x8002
    """ISO 15118-20, common messages."""
    AC_MAINSTREAM = 0x8003
    DC_MAINSTREAM = 0x8004
    ACDP_MAINSTREAM = 0x8005
    WPT_MAINSTREAM = 0x8006
    AC_DER_IEC = 0x8010
    AC_DER_SAE = 0x8011
    SCHEDULE_RENEGOTIATION = 0x8101
    """The only type that does not determine the schema: the document's root does."""
    METERING_CONFIRMATION = 0x8102
    ACDP_SYSTEM_STATUS = 0x8103
    PARKING_STATUS = 0x8104
    SDP_REQUEST = 0x9000
    SDP_RESPONSE = 0x9001
    SDP_REQUEST_WIRELESS = 0x9002
    SDP_RESPONSE_WIRELESS = 0x9003
    SDP_REQUEST_EMSP = 0x9004
    SDP_RESPONSE_EMSP = 0x9005


Frame = tuple[int, bytes]
"""Payload type (any number of 16 bits, known or not) and payload."""


class V2gtpError(Exception):
    """What was received is not V2GTP, or too long. The stream is out of step from there on: close the connection.

    `frames` are the whole frames that came before the fault in the same piece of data.
    """

    def __init__(self, reason: str, frames: list[Frame] | None = None) -> None:
        super().__init__(reason)
        self.frames: list[Frame] = frames or []


def frame(payload_type: int, payload: bytes) -> bytes:
    """The frame around a payload."""
    return HEADER.pack(VERSION, INVERSE_VERSION, payload_type, len(payload)) + payload


def unframe(datagram: bytes) -> Frame:
    """The one frame of a datagram; octets behind it are ignored. Raises `V2gtpError` where there is no whole frame."""
    if len(datagram) < HEADER.size:
        raise V2gtpError(f"{len(datagram)} octets are too few for a V2GTP header of {HEADER.size}")
    payload_type, length = _header(datagram, len(datagram))
    payload = bytes(datagram[HEADER.size : HEADER.size + length])
    if len(payload) < length:
        raise V2gtpError(f"the V2GTP header announces {length} octets, {len(payload)} follow")
    return payload_type, payload


def _header(data: bytes | bytearray, max_payload: int) -> tuple[int, int]:
    """Payload type and length from the 8 octets at the start of `data`."""
    version, inverse, payload_type, length = HEADER.unpack_from(data)
    if version != VERSION or inverse != INVERSE_VERSION:
        raise V2gtpError(
            f"V2GTP version 0x{version:02X} 0x{inverse:02X}, expected 0x{VERSION:02X} 0x{INVERSE_VERSION:02X}"
        )
    if length > max_payload:
        raise V2gtpError(f"V2GTP payload of {length} octets announced, at most {max_payload} are accepted")
    return payload_type, length


class Splitter:
    """Cuts a byte stream into frames, however the stream was torn into pieces.

    Keeps at most one unfinished frame of `max_payload` octets.
    """

    def __init__(self, max_payload: int = MAX_PAYLOAD) -> None:
        self.max_payload = max_payload
        self._buffer = bytearray()
        self._fault: str | None = None

    @property
    def pending(self) -> int:
        """Octets received of a frame that is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes.

        Raises `V2gtpError`, with the frames before the fault, on a wrong version or a length above `max_payload`; then
        on every further call.
        """
        if self._fault is not None:
            raise V2gtpError(self._fault)
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        try:
            while len(buffer) >= HEADER.size:
                payload_type, length = _header(buffer, self.max_payload)
                end = HEADER.size + length
                if len(buffer) < end:
                    break
                frames.append((payload_type, bytes(buffer[HEADER.size : end])))
                del buffer[:end]
        except V2gtpError as error:
            self._fault = str(error)
            buffer.clear()
            error.frames = frames
            raise
        return frames
