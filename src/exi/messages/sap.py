"""SupportedAppProtocol: the first exchange of every session, in every protocol.

Schema `urn:iso:15118:2:2010:AppProtocol` (ISO 15118-2 annex C.1; DIN SPEC 70121 and ISO 15118-20 use the
same). Local elements bear no namespace.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from exi.declare import Integer, Message, Namespace, SchemaSet, UnsignedByte, UnsignedInt, occurs, string

SAP = Namespace("urn:iso:15118:2:2010:AppProtocol", prefix="sap", qualified=False)

ProtocolNamespace = Annotated[str, string(100)]
Priority = Annotated[int, Integer(1, 20)]


class ResponseCode(StrEnum):
    """The outcome of the negotiation."""

    OK_SuccessfulNegotiation = "OK_SuccessfulNegotiation"
    OK_SuccessfulNegotiationWithMinorDeviation = "OK_SuccessfulNegotiationWithMinorDeviation"
    Failed_NoNegotiation = "Failed_NoNegotiation"


@SAP.type
class AppProtocol(Message, kw_only=True):
    """One protocol that the vehicle offers. Priority 1 is the highest; SchemaID is the vehicle's own number for it."""

    ProtocolNamespace: ProtocolNamespace
    VersionNumberMajor: UnsignedInt
    VersionNumberMinor: UnsignedInt
    SchemaID: UnsignedByte
    Priority: Priority


@SAP.element
class supportedAppProtocolReq(Message, kw_only=True):
    """The vehicle offers its protocols."""

    AppProtocol: Annotated[list[AppProtocol], occurs(1, 20)]


@SAP.element
class supportedAppProtocolRes(Message, kw_only=True):
    """The station chooses one, by the vehicle's SchemaID, or none."""

    ResponseCode: ResponseCode
    SchemaID: UnsignedByte | None = None


SCHEMA = SchemaSet("sap", roots=(supportedAppProtocolReq, supportedAppProtocolRes), namespaces=(SAP,))
