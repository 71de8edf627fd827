"""Faults on the wire: what arrives of a message, and how either side has to end then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

import exi
from exi.messages.sap import ResponseCode as SapCode
from exi.messages.sap import supportedAppProtocolRes
from hlc import sap
from hlc.rules import MAIN
from hlc.sim.faults import EITHER, WELL, Arriving, Expected, Hit, Kind
from hlc.sim.pair import Delivery
from hlc.trace.events import Side

FOREVER_S: Final = 61.0
"""Longer than any deadline for one message."""
SLOW_S: Final = 0.2
"""Shorter than any timeout."""
SAP_REQUEST: Final = sap.offer((sap.DIN70121,))
SAP_RESPONSE: Final = supportedAppProtocolRes(ResponseCode=SapCode.Failed_NoNegotiation)


class Utterance(msgspec.Struct, frozen=True):
    """What was said in a good session: a message that is in order, at its moment."""

    to: Side
    schema: str
    payload_type: int
    body: Any


Utterances = Mapping[str, Utterance]
"""By name."""
Wire = Callable[[Hit, Utterances], tuple[Arriving, Expected]]


def lost_connection(hit: Hit, spoken: Utterances) -> tuple[Arriving, Expected]:
    hit.pair.break_connection()
    return [], hit.unusable


def delayed(hit: Hit, spoken: Utterances) -> tuple[Arriving, Expected]:
    return [(FOREVER_S, hit.delivery)], hit.unusable


def slow(hit: Hit, spoken: Utterances) -> tuple[Arriving, Expected]:
    return [(hit.random.uniform(0.0, SLOW_S), hit.delivery)], WELL


def wrong_session(hit: Hit, spoken: Utterances) -> tuple[Arriving, Expected]:
    # SAP has no session, and the station does not care what SessionSetupReq brings. What SessionSetupRes brings, the
    # vehicle adopts: then the station finds it wrong.
    if hit.before_session and hit.name != "SessionSetupRes":
        return None, WELL
    assert hit.station.rules is not None
    old = hit.station.rules.unwrap(hit.message.message)[0]
    others = [bytes(8), bytes(octet ^ 0x55 for octet in old)]
    if not hit.iso20:  # the schema of ISO 15118-20 wants eight octets
        others += [b"\0", old[:4]]
    return altered(hit, hit.message.schema, within(hit, hit.random.choice(others), hit.body)), hit.unusable


def wrong_sequence(hit: Hit, spoken: Utterances) -> tuple[Arriving, Expected]:
    if hit.name.startswith("supportedAppProtocol"):
        return altered(hit, "sap", SAP_RESPONSE if hit.request else SAP_REQUEST), hit.unusable
    assert hit.station.rules is not None
    session_id = hit.station.rules.unwrap(hit.message.message)[0]
    other = hit.random.choice(_out_of_order(hit, spoken))
    document = within(hit, session_id, other.body)
    return altered(hit, other.schema, document, other.payload_type), hit.unusable


def _out_of_order(hit: Hit, spoken: Utterances) -> Sequence[Utterance]:
    """What may not come now. A message of a side stream gives way to one that is never in order a second time."""
    rules = hit.station.rules
    assert rules is not None
    allowed = {kind.__name__ for kind in hit.station.expected} if hit.request else {hit.name}
    return [
        each
        for name, each in spoken.items()
        if each.to is hit.delivery.to and name not in allowed
        if each.schema != "sap" and rules.stream(each.payload_type) == MAIN
        if not hit.aside or name.startswith("SessionSetup")
    ]


def failed(hit: Hit, spoken: Utterances) -> tuple[Arriving, Expected]:
    if hit.request:
        return None, WELL
    if hit.name == "supportedAppProtocolRes":
        return altered(hit, "sap", SAP_RESPONSE), hit.unusable
    assert hit.station.rules is not None
    session_id = hit.station.rules.unwrap(hit.message.message)[0]
    no = msgspec.structs.replace(hit.body, ResponseCode=type(hit.body.ResponseCode)("FAILED"))
    return altered(hit, hit.message.schema, within(hit, session_id, no)), hit.unusable


def garbage(hit: Hit, spoken: Utterances) -> tuple[Arriving, Expected]:
    size = hit.random.choice((0, 1, 7, len(hit.delivery.payload), 300))
    # With 0x80 in front, noise is a message now and then.
    noise = b"\x7f" + hit.random.randbytes(size) if size else b""
    return [(0.0, hit.delivery._replace(payload=noise))], hit.unusable


def damaged(hit: Hit, spoken: Utterances) -> tuple[Arriving, Expected]:
    octets = bytearray(hit.delivery.payload)
    octets[hit.random.randrange(len(octets))] ^= 1 << hit.random.randrange(8)
    hit.pair.invariants.told = False
    return [(0.0, hit.delivery._replace(payload=bytes(octets)))], EITHER


def within(hit: Hit, session_id: bytes, body: Any) -> Any:
    """The document of a message in this session."""
    assert hit.station.rules is not None
    if hit.iso20:
        body = msgspec.structs.replace(body, Header=msgspec.structs.replace(body.Header, SessionID=session_id))
    return hit.station.rules.wrap(session_id, body)


def altered(hit: Hit, schema: str, document: Any, payload_type: int | None = None) -> list[tuple[float, Delivery]]:
    """Another document arrives instead."""
    kind = hit.delivery.payload_type if payload_type is None else payload_type
    return [(0.0, hit.delivery._replace(payload_type=kind, payload=exi.schema(schema).encode(document)))]


WIRE: Final[Mapping[Kind, Wire]] = {
    Kind.LOST_CONNECTION: lost_connection,
    Kind.DELAYED: delayed,
    Kind.SLOW: slow,
    Kind.WRONG_SESSION: wrong_session,
    Kind.WRONG_SEQUENCE: wrong_sequence,
    Kind.FAILED: failed,
    Kind.GARBAGE: garbage,
    Kind.DAMAGED: damaged,
}
