"""SDP, the SECC discovery: a vehicle asks all nodes of the link where the station listens, by IPv6 UDP to port 15118.

This file holds the payloads, wired and wireless; the V2GTP frame around them is in `v2gtp`, sending, repeating and
waiting is the runtime's. What is sent is as the standard says; what is received is accepted in every form that stacks
of the field are known to send, and anything else is an `SdpError`. (ISO 15118-2 7.10.1; ISO 15118-20 7.10.1, 7.10.3)
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum, IntFlag
from ipaddress import AddressValueError, IPv6Address
from typing import Any, ClassVar, Final, Self

import msgspec
from construct import Bytes, ConstructError, Int8ub, Int16ub, Struct

from hlc import v2gtp
from hlc.v2gtp import PayloadType

PORT: Final = 15118
"""UDP port of the SDP server."""
ALL_NODES: Final = "ff02::1"
"""Destination of requests: all nodes of the link."""
REQUEST_INTERVAL_S: Final = 0.25  # [V2G2-159]
"""A vehicle waits at least this long for an answer before it asks again."""
MAX_REQUESTS: Final = 50  # [V2G2-161]
"""Requests without an answer after which discovery has failed."""
TCP_PORTS: Final = range(49152, 65536)
"""Ports that a station may announce. Others are accepted on receipt."""


class SdpError(Exception):
    """What was received is no SDP request or response."""


class Security(IntEnum):
    """Transport security, asked for or announced."""

    TLS = 0x00
    NONE = 0x10


class Transport(IntEnum):
    """Transport protocol. UDP is reserved: no V2G message ever runs on it."""

    TCP = 0x00
    UDP = 0x10


class Positioning(IntFlag):
    """P2PS / PPD bits of the wireless request: means of pairing and positioning, at the station or at the vehicle."""

    PPD_INFRASTRUCTURE = 0x0100
    PPD_EV = 0x0200
    WPT_LF_INFRASTRUCTURE = 0x0400
    WPT_LF_EV = 0x0800
    WPT_CAM_EV = 0x1000
    ACD_U_INFRARED = 0x2000
    ACD_DIRECTED_WLAN = 0x4000


class Coupling(IntEnum):
    """Coupling types of the wireless variant."""

    INVERSE_PANTOGRAPH_CROSS_RAIL = 0x00
    INVERSE_PANTOGRAPH_IN_LINE = 0x01
    INVERSE_PANTOGRAPH_CONTACT_DOME = 0x02
    EV_MOUNTED_PANTOGRAPH = 0x03
    UNDERNEATH = 0x04
    SIDE_OR_ROOF = 0x05
    WPT = 0x10
    ACD_U_MANIPULATOR_INFRASTRUCTURE = 0x20
    ACD_U_MANIPULATOR_EV = 0x21
    ACD_S = 0x30
    CONDUCTIVE_MANUAL = 0x40
    NOT_AVAILABLE = 0xFF


COUPLINGS: Final = frozenset(Coupling)


class DiagStatus(IntEnum):
    """How far a station is with pairing; the vehicle repeats its request while it is ONGOING."""

    ONGOING = 0x00
    FINISHED_WITH_EVSEID = 0x01
    FINISHED_WITHOUT_EVSEID = 0x02
    ERROR_NO_SECC = 0x10


EVID_LENGTH: Final = 20
EVSEID_LENGTHS: Final = (36, 37)
"""The sources disagree on the length of the EVSEID: the first is sent, both are accepted."""
EVID_UNKNOWN: Final = "ZZ00000"  # [V2G20-2281]

REQUEST: Final = Struct("security" / Int8ub, "transport" / Int8ub)
RESPONSE: Final = Struct("address" / Bytes(16), "port" / Int16ub, "security" / Int8ub, "transport" / Int8ub)


def _wireless_request(evseid: int) -> Struct:
    return Struct(
        "security" / Int8ub,
        "transport" / Int8ub,
        "positioning" / Int16ub,
        "coupling" / Int8ub,
        "evid" / Bytes(EVID_LENGTH),
        "evseid" / Bytes(evseid),
    )


def _wireless_response(evseid: int) -> Struct:
    return Struct(
        "address" / Bytes(16),
        "port" / Int16ub,
        "security" / Int8ub,
        "transport" / Int8ub,
        "diag_status" / Int8ub,
        "coupling" / Int8ub,
        "evseid" / Bytes(evseid),
    )


WIRELESS_REQUEST: Final = {25 + length: _wireless_request(length) for length in EVSEID_LENGTHS}
"""Formats by payload length: 61 and 62 octets."""
WIRELESS_RESPONSE: Final = {22 + length: _wireless_response(length) for length in EVSEID_LENGTHS}
"""Formats by payload length: 58 and 59 octets."""


class SdpMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the four messages. `build()` and `parse()` deal with the payload, `frame()` adds the V2GTP header."""

    name: ClassVar[str]
    payload_type: ClassVar[PayloadType]
    formats: ClassVar[dict[int, Struct]]

    def build(self) -> bytes:
        """The payload. Raises `ValueError` for values that the standard does not allow to be sent."""
        raise NotImplementedError

    def frame(self) -> bytes:
        """The datagram: V2GTP header and payload."""
        return v2gtp.frame(self.payload_type, self.build())

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """The message in a payload. Raises `SdpError`."""
        if len(payload) not in cls.formats:
            expected = " or ".join(map(str, cls.formats))
            raise SdpError(f"{cls.name} of {len(payload)} octets, expected {expected}")
        try:
            fields = cls.formats[len(payload)].parse(payload)
            return cls(**{name: _read(name, value) for name, value in fields.items() if name != "_io"})
        except (ConstructError, ValueError, AddressValueError) as error:
            raise SdpError(f"{cls.name}: {error}") from error


class SdpRequest(SdpMessage, frozen=True, kw_only=True):
    """SECCDiscoveryReq: the vehicle asks for a station."""

    name = "SECCDiscoveryReq"
    payload_type = PayloadType.SDP_REQUEST
    formats: ClassVar[dict[int, Struct]] = {2: REQUEST}

    security: Security = Security.NONE
    transport: Transport = Transport.TCP

    def build(self) -> bytes:
        return _built(REQUEST, self)


class SdpResponse(SdpMessage, frozen=True, kw_only=True):
    """SECCDiscoveryRes: the station's address, without scope, and its TCP port."""

    name = "SECCDiscoveryRes"
    payload_type = PayloadType.SDP_RESPONSE
    formats: ClassVar[dict[int, Struct]] = {20: RESPONSE}

    address: IPv6Address
    port: int
    security: Security = Security.NONE
    transport: Transport = Transport.TCP

    def build(self) -> bytes:
        _sendable(self.port)
        return _built(RESPONSE, self)


class SdpWirelessRequest(SdpMessage, frozen=True, kw_only=True):
    """SECCDiscoveryReq of ISO 15118-20 over WLAN (ACDP, WPT).

    The bits and coupling types that are not documented stay plain numbers.
    """

    name = "SECCDiscoveryWirelessReq"
    payload_type = PayloadType.SDP_REQUEST_WIRELESS
    formats = WIRELESS_REQUEST

    security: Security = Security.TLS
    transport: Transport = Transport.TCP
    positioning: Positioning = Positioning(0)
    coupling: Coupling | int = Coupling.NOT_AVAILABLE
    evid: str = EVID_UNKNOWN
    evseid: str = ""

    def build(self) -> bytes:
        return _built(WIRELESS_REQUEST[25 + EVSEID_LENGTHS[0]], self)


class SdpWirelessResponse(SdpMessage, frozen=True, kw_only=True):
    """SECCDiscoveryRes of ISO 15118-20 over WLAN (ACDP, WPT)."""

    name = "SECCDiscoveryWirelessRes"
    payload_type = PayloadType.SDP_RESPONSE_WIRELESS
    formats = WIRELESS_RESPONSE

    address: IPv6Address
    port: int
    security: Security = Security.TLS
    transport: Transport = Transport.TCP
    diag_status: DiagStatus
    coupling: Coupling | int = Coupling.NOT_AVAILABLE
    evseid: str = ""

    def build(self) -> bytes:
        _sendable(self.port)
        return _built(WIRELESS_RESPONSE[22 + EVSEID_LENGTHS[0]], self)


MESSAGES: Final[dict[int, type[SdpMessage]]] = {
    kind.payload_type: kind for kind in (SdpRequest, SdpResponse, SdpWirelessRequest, SdpWirelessResponse)
}


def parse(payload_type: int, payload: bytes) -> SdpMessage:
    """The message in a payload of type 0x9000 to 0x9003. Raises `SdpError`."""
    kind = MESSAGES.get(payload_type)
    if kind is None:
        raise SdpError(f"payload type 0x{payload_type:04X} is no SDP message")
    return kind.parse(payload)


def answer(
    request: SdpMessage,
    *,
    address: IPv6Address,
    port: int,
    offers: Collection[Security] = (Security.NONE,),
    wireless: bool = False,
    evseid: str = "",
) -> SdpResponse | SdpWirelessResponse | None:
    """What a station says to a request; None: it stays silent.

    Where it does not offer the security that is asked for, it says what it does offer: whether to go on is the
    vehicle's decision. [V2G20-1238] To the wireless variant a station answers that is `wireless`.
    """
    if not isinstance(request, SdpRequest | SdpWirelessRequest) or request.transport is not Transport.TCP:
        return None
    security = request.security if request.security in offers else next(iter(offers))
    if isinstance(request, SdpRequest):
        return SdpResponse(address=address, port=port, security=security)
    if not wireless:
        return None
    return SdpWirelessResponse(
        address=address,
        port=port,
        security=security,
        diag_status=DiagStatus.FINISHED_WITH_EVSEID if evseid else DiagStatus.FINISHED_WITHOUT_EVSEID,
        coupling=request.coupling,
        evseid=evseid,
    )


def _read(name: str, value: Any) -> Any:
    """The typed value of a field. Raises `ValueError`."""
    match name:
        case "security":
            return Security(value)
        case "transport":
            return Transport(value)
        case "diag_status":
            return DiagStatus(value)
        case "address":
            return IPv6Address(value)
        case "positioning":
            return Positioning(value)
        case "coupling":
            return Coupling(value) if value in COUPLINGS else value
        case "evid" | "evseid":
            return value.decode("ascii").rstrip("\0 ")
        case "port" if not value:
            raise ValueError("port 0")
        case _:
            return value


def _built(layout: Struct, message: SdpMessage) -> bytes:
    """`message` in a format. Identifiers are filled up with NUL. Raises `ValueError`."""
    values = msgspec.structs.asdict(message)
    for name, length in (("evid", EVID_LENGTH), ("evseid", EVSEID_LENGTHS[0])):
        if name in values:
            text = values[name].encode("ascii")
            if len(text) > length:
                raise ValueError(f"{name} of {len(text)} characters, at most {length} fit")
            values[name] = text.ljust(length, b"\0")
    if "address" in values:
        values["address"] = values["address"].packed
    try:
        return bytes(layout.build(values))
    except ConstructError as error:
        raise ValueError(str(error)) from error


def _sendable(port: int) -> None:
    """Raises `ValueError` for a port that no station may announce."""
    if port not in TCP_PORTS:
        raise ValueError(f"port {port} may not be announced: a station listens on {TCP_PORTS[0]} to {TCP_PORTS[-1]}")
