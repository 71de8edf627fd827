"""Which schema a payload is written in, and what it says.

In a session the handshake and the payload type decide [V2G2-169]; this module is for where they are not known: a
capture that begins inside a session, a payload on the command line. Every schema that is built and may stand behind
the payload type is tried, and a reading that encodes to the same octets again is preferred: chance readings hardly
ever do.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import exi
from hlc import sap
from hlc.trace.describe import document

TITLES: Final = {
    "sap": "supportedAppProtocol",
    "din70121": "DIN 70121",
    "iso15118_2": "ISO 15118-2",
    "iso15118_20_common": "ISO 15118-20 (common messages)",
    "iso15118_20_ac": "ISO 15118-20 AC",
    "iso15118_20_dc": "ISO 15118-20 DC",
    "iso15118_20_wpt": "ISO 15118-20 WPT",
    "iso15118_20_acdp": "ISO 15118-20 ACDP",
    "xmldsig": "XML Signature",
}
"""Schemas and protocols as people call them."""


class Reading(NamedTuple):
    """A payload read by one schema."""

    schema: str
    name: str
    """Of the request or response; of the document where there is none in it."""
    message: Any
    surplus: int
    """Octets after the end of the document."""
    lenient: bool
    exact: bool
    """The message encodes to the same octets again."""


def read(schema: str, payload: bytes) -> Reading:
    """`payload` as a document of `schema`. Raises `exi.DecodeError`, and `KeyError` for a schema that is not built."""
    message, surplus, lenient = exi.schema(schema).examine(payload)
    _, element = document(message)
    name = type(message if element is None else element).__name__
    return Reading(schema, name, message, surplus, lenient, False)


def built(schema: str) -> bool:
    """Whether messages of `schema` can be decoded."""
    return schema in exi.schema_names()


def candidates(payload_type: int | None) -> list[str]:
    """The schemas that are built and may stand behind a payload type, SAP first; every one where it is not known."""
    if payload_type is None:
        return [name for name in exi.schema_names() if name != "xmldsig"]
    names = ["sap"] if payload_type == 0x8001 else []
    for protocol in sap.PROTOCOLS.values():
        if payload_type in protocol.schemas and protocol.schemas[payload_type] not in names:
            names.append(protocol.schemas[payload_type])
    return [name for name in names if built(name)]


def readings(payload: bytes, schemas: list[str]) -> list[Reading]:
    """Every reading of `payload` by `schemas`, the most plausible first."""
    found = []
    for name in schemas:
        try:
            reading = read(name, payload)
            again = exi.schema(name).encode(reading.message)
        except exi.ExiError:
            continue
        found.append(reading._replace(exact=again == payload[: len(payload) - reading.surplus]))
    return sorted(found, key=lambda reading: (not reading.exact, reading.surplus))


def plausible(found: list[Reading]) -> list[Reading]:
    """Of `readings`, those that may be meant: exact ones where there is any, else those with little surplus."""
    exact = [reading for reading in found if reading.exact and reading.surplus <= 8]
    return exact or [reading for reading in found if reading.surplus <= 1]
