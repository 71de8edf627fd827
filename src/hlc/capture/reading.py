"""Which schema a payload is written in, and what it says.

In a session the handshake and the payload type decide [V2G2-169]; this module is for where they are not known: a
capture that begins inside a session, a payload on the command line. Every schema that is built and may stand behind
the payload type is tried, and a reading that encodes to the same octets again is preferred: chance readings hardly
ever do.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import exi
from hlc import sap
from hlc.trace.describe import document, figures
from hlc.v2gtp import PayloadType

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


SURPLUS: Final = 8
"""Octets after the end of a document that a reading may leave and still be plausible. Cars send one."""
REPEATED: Final = 256
"""Different payloads whose readings are remembered: a charge loop says the same again and again."""
SHORT: Final = 128
"""Octets of the payloads that are: those of loops have less, and a hostile one shall not take memory 256 times."""


class Reading(NamedTuple):
    """A payload read by one schema."""

    schema: str
    name: str
    """Of the request or response; of the document where there is none in it; of a fragment's element."""
    message: Any
    surplus: int
    """Octets after the end of the document."""
    lenient: bool
    """A list of full length ends in the form of some peers."""
    exact: bool = False
    """The message encodes to the same octets again; see `weighed`."""
    header: Any = None
    """That of the message, where it has one in its document."""
    element: Any = None
    """The request or response; None where the document has none."""
    values: Mapping[str, Any] = MappingProxyType({})
    """Its simple values, quantities as numbers; see `describe.figures`."""

    @property
    def merit(self) -> tuple[bool, int, bool]:
        """How plausible it is, to be compared: the less the better."""
        return not self.exact, self.surplus, self.lenient


def read(schema: str, payload: bytes, *, fragment: bool = False) -> Reading:
    """`payload` as a document, or fragment, of `schema`.

    Raises `exi.DecodeError`, and `KeyError` for a schema that is not built.
    """
    if len(payload) <= SHORT:
        return _remembered(schema, payload, fragment)
    return _read(schema, payload, fragment)


def _read(schema: str, payload: bytes, fragment: bool) -> Reading:
    codec = exi.schema(schema)
    if fragment:
        message, surplus, lenient = codec.examine_fragment(payload)
        code, _ = codec.grammar.element(message)
        return Reading(schema, codec.grammar.fragment.productions[code].name[0], message, surplus, lenient)
    message, surplus, lenient = codec.examine(payload)
    header, element = document(message)
    name = type(message if element is None else element).__name__
    return Reading(schema, name, message, surplus, lenient, False, header, element, figures(element))


_remembered = lru_cache(REPEATED)(_read)


def weighed(reading: Reading, payload: bytes, *, fragment: bool = False) -> Reading:
    """A reading of `payload` that says whether it is exact."""
    codec = exi.schema(reading.schema)
    try:
        again = codec.encode_fragment(reading.message) if fragment else codec.encode(reading.message)
    except exi.EncodeError:
        return reading
    return reading._replace(exact=again == payload[: len(payload) - reading.surplus])


def built(schema: str) -> bool:
    """Whether messages of `schema` can be decoded."""
    return schema in exi.schema_names()


def unknown(schema: str) -> str:
    """What to say of a schema that is not there."""
    return f"there is no schema {schema}; there are {', '.join(exi.schema_names())}"


def candidates(payload_type: int | None) -> list[str]:
    """The schemas that are built and may stand behind a payload type, SAP first; every one where it is not known."""
    if payload_type is None:
        return list(exi.schema_names())
    names = ["sap"] if payload_type == PayloadType.EXI else []
    for protocol in sap.PROTOCOLS.values():
        if payload_type == PayloadType.SCHEDULE_RENEGOTIATION and PayloadType.MAINSTREAM in protocol.schemas:
            names += protocol.schemas.values()
        elif payload_type in protocol.schemas:
            names.append(protocol.schemas[payload_type])
    return [name for name in dict.fromkeys(names) if built(name)]


def readings(payload: bytes, schemas: list[str], *, fragment: bool = False) -> list[Reading]:
    """Every reading of `payload` by `schemas`, the most plausible first."""
    found = []
    for name in schemas:
        with suppress(exi.DecodeError):
            found.append(weighed(read(name, payload, fragment=fragment), payload, fragment=fragment))
    return sorted(found, key=lambda reading: reading.merit)


def plausible(found: list[Reading]) -> list[Reading]:
    """Of `readings`, those that may be meant: exact ones where there is any, else those with little surplus."""
    exact = [reading for reading in found if reading.exact and reading.surplus <= SURPLUS]
    return exact or [reading for reading in found if reading.surplus <= 1]
