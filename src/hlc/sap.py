"""SAP: which protocol a session speaks. The vehicle offers, the station chooses, once per connection.

This file holds the protocols as a table and the rule of choice. Which of them can be served on a connection at an
outlet (energy mode, transport security) is the caller's to say, by what it passes.
(ISO 15118-2 8.2; DIN SPEC 70121 9.2)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from exi.messages.sap import AppProtocol, ResponseCode, supportedAppProtocolReq, supportedAppProtocolRes
from hlc.v2gtp import PayloadType


class Protocol(NamedTuple):
    """A protocol as it is negotiated. `schemas` says which exi schema each of its payload types carries."""

    name: str
    namespace: str
    major: int
    minor: int
    schemas: Mapping[int, str]

    @property
    def tls_only(self) -> bool:
        """Whether the standard has it over TLS alone. [V2G20-2356]"""
        return self.name.startswith("iso15118_20")


def _iso15118_20(mode: str, schemas: dict[int, str]) -> Protocol:
    common: dict[int, str] = {
        PayloadType.MAINSTREAM: "iso15118_20_common",
        PayloadType.METERING_CONFIRMATION: "iso15118_20_common",
        PayloadType.PARKING_STATUS: "iso15118_20_common",
    }
    return Protocol(
        f"iso15118_20_{mode.lower()}",
        f"urn:iso:std:iso:15118:-20:{mode}",
        1,
        0,
        MappingProxyType({**common, **schemas}),
    )


DIN70121: Final = Protocol(
    "din70121", "urn:din:70121:2012:MsgDef", 2, 0, MappingProxyType({PayloadType.EXI: "din70121"})
)
ISO15118_2: Final = Protocol(
    "iso15118_2", "urn:iso:15118:2:2013:MsgDef", 2, 0, MappingProxyType({PayloadType.EXI: "iso15118_2"})
)
# ISO 15118-20 is negotiated by energy mode. Its CommonMessages namespace is never offered nor accepted.
ISO15118_20_AC: Final = _iso15118_20("AC", {PayloadType.AC_MAINSTREAM: "iso15118_20_ac"})
ISO15118_20_DC: Final = _iso15118_20("DC", {PayloadType.DC_MAINSTREAM: "iso15118_20_dc"})
ISO15118_20_WPT: Final = _iso15118_20("WPT", {PayloadType.WPT_MAINSTREAM: "iso15118_20_wpt"})
ISO15118_20_ACDP: Final = _iso15118_20(
    "ACDP",
    {
        PayloadType.ACDP_MAINSTREAM: "iso15118_20_acdp",
        PayloadType.ACDP_SYSTEM_STATUS: "iso15118_20_acdp",
        PayloadType.DC_MAINSTREAM: "iso15118_20_dc",
    },
)

PROTOCOLS: Final[Mapping[str, Protocol]] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (DIN70121, ISO15118_2, ISO15118_20_AC, ISO15118_20_DC, ISO15118_20_WPT, ISO15118_20_ACDP)
    }
)
"""Every protocol by name. What of them can be spoken is said where sessions are made."""


def over(protocols: Iterable[Protocol], tls: str, *, strict: bool = False) -> list[Protocol]:
    """Those that may be spoken over this version of TLS, "1.2" or "1.3"; empty: plain TCP.

    DIN SPEC 70121 knows no TLS. ISO 15118-20 wants 1.3 and is never spoken over 1.2 [V2G20-2356]; over plain TCP it is
    for tests, which is the caller's to allow, and never where he is `strict`.
    """
    if not tls:
        return [protocol for protocol in protocols if not (strict and protocol.tls_only)]
    return [protocol for protocol in protocols if protocol is ISO15118_2 or (tls == "1.3" and protocol.tls_only)]


def offer(protocols: Sequence[Protocol]) -> supportedAppProtocolReq:
    """The vehicle's request: 1 to 20 protocols, the one that it likes best first."""
    return supportedAppProtocolReq(
        AppProtocol=[
            AppProtocol(
                ProtocolNamespace=protocol.namespace,
                VersionNumberMajor=protocol.major,
                VersionNumberMinor=protocol.minor,
                SchemaID=rank,
                Priority=rank,
            )
            for rank, protocol in enumerate(protocols, start=1)
        ]
    )


def negotiate(
    request: supportedAppProtocolReq, supported: Iterable[Protocol]
) -> tuple[supportedAppProtocolRes, Protocol | None]:
    """The station's answer and the protocol chosen, or None with Failed_NoNegotiation: send it, then close.

    Of the entries whose namespace and major version are supported the vehicle's best priority wins, whatever the order
    of the document, and that entry's own SchemaID is answered. [V2G2-169], [V2G2-172]
    """
    by_version = {(protocol.namespace, protocol.major): protocol for protocol in supported}
    # Cars offer namespaces of their own above the public one (urn:tesla:din:2018:MsgDef 0.7 at priority 1): skip them.
    known = [
        entry for entry in request.AppProtocol if (entry.ProtocolNamespace, entry.VersionNumberMajor) in by_version
    ]
    if not known:
        return supportedAppProtocolRes(ResponseCode=ResponseCode.Failed_NoNegotiation), None
    best = min(known, key=lambda entry: entry.Priority)
    protocol = by_version[best.ProtocolNamespace, best.VersionNumberMajor]
    code = (
        ResponseCode.OK_SuccessfulNegotiation
        if best.VersionNumberMinor == protocol.minor
        else ResponseCode.OK_SuccessfulNegotiationWithMinorDeviation
    )
    return supportedAppProtocolRes(ResponseCode=code, SchemaID=best.SchemaID), protocol


def chosen(
    protocols: Sequence[Protocol], response: supportedAppProtocolRes, *, strict: bool = False
) -> Protocol | None:
    """What a vehicle that sent `offer(protocols)` has been answered; None: nothing that it offered, so it must leave.

    Where one protocol was offered, an answer without SchemaID means that one: older stations leave it out. To who is
    `strict` it means nothing.
    """
    if response.ResponseCode is ResponseCode.Failed_NoNegotiation:
        return None
    if response.SchemaID is None:
        return protocols[0] if len(protocols) == 1 and not strict else None
    if 1 <= response.SchemaID <= len(protocols):
        return protocols[response.SchemaID - 1]
    return None
