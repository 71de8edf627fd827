"""Every state meets every message, at both ends: each ends in an answer or in a clean close.

A state is what either side awaits when a message of a good session is on its way. Instead of it arrives each message
of the protocol in turn, requests and responses, and some that belong elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from iso2 import REQUESTS

import exi
from exi.messages.iso15118_20 import common
from exi.messages.iso15118_20.types import ListOfRootCertificateIDs, MessageHeader, ResponseCode
from exi.messages.xmldsig import X509IssuerSerial
from hlc import sap
from hlc.flow import failed
from hlc.rules import MAIN, Rules
from hlc.secc.iso15118_20.refusals import REFUSALS
from hlc.sim.course import Wishes, course, spoken
from hlc.sim.faults import body
from hlc.sim.pair import Delivery, Pair
from hlc.sim.wire_faults import Utterance
from hlc.sim.worlds import WORLDS, World
from hlc.trace.events import Blame, Message, Side
from hlc.v2gtp import PayloadType

NAMES: Final = (
    "din70121 dc",
    "iso15118-2 dc",
    "iso15118-2 ac",
    "iso15118-20 ac dynamic",
    "iso15118-20 dc_bpt scheduled",
    "iso15118-20 wpt scheduled",
    "iso15118-20 acdp dynamic",
)
CHOSEN: Final = [world for world in WORLDS if world.name in NAMES]
HEADER: Final = MessageHeader(SessionID=bytes(8), TimeStamp=1)
ASIDE: Final = frozenset(
    {
        PayloadType.SCHEDULE_RENEGOTIATION,
        PayloadType.METERING_CONFIRMATION,
        PayloadType.PARKING_STATUS,
        PayloadType.ACDP_SYSTEM_STATUS,
    }
)
STRANGERS: Final = 3
"""Messages of other energy modes, and of those that the other end takes, that are met too: they are all alike."""

INSTALLATION: Final = common.CertificateInstallationReq(
    Header=HEADER,
    OEMProvisioningCertificateChain=common.SignedCertificateChain(Id="id1", Certificate=b"1"),
    ListOfRootCertificateIDs=ListOfRootCertificateIDs(
        RootCertificateID=[X509IssuerSerial(X509IssuerName="CN=root", X509SerialNumber=1)]
    ),
    MaximumContractCertificateChains=1,
)
"""What none of our vehicles says."""


class Meeting(NamedTuple):
    """What came of a message at a moment that is not its own."""

    pair: Pair
    local: list[str]
    """Faults of our own."""
    awaited: frozenset[str]
    """Names of the requests that might have come, in the stream of this message."""
    answers: list[Message]
    """Of the end that it met, up to the end of the session."""


def catalogue(world: World, to: Side) -> Mapping[str, Utterance]:
    """A message of each kind that this end takes in the schemas of this world, and a few that it does not."""
    found: dict[str, Utterance] = {}
    for other in WORLDS:
        if other.protocol == world.protocol and other.control is world.control:
            found = {**spoken(other).utterances, **found}
    found = {**found, **spoken(world).utterances}
    if world.control is not None:
        never = [INSTALLATION] + [phrase(Header=HEADER, ResponseCode=ResponseCode.OK) for phrase in REFUSALS.values()]
        schema, kind = "iso15118_20_common", PayloadType.MAINSTREAM
    else:
        never = list(REQUESTS.values()) if world.protocol == "iso15118-2" else []
        schema, kind = "iso15118_2", PayloadType.EXI
    for message in never:
        name = type(message).__name__
        receiver = Side.SECC if name.endswith("Req") else Side.EVCC
        found.setdefault(name, Utterance(receiver, schema, kind, message))
    mine = sap.PROTOCOLS[world.negotiated].schemas.values()
    known = {name: each for name, each in found.items() if each.schema != "sap"}
    strangers = [name for name, each in known.items() if each.schema not in mine]
    others = [name for name, each in known.items() if each.schema in mine and each.to is not to]
    return {name: each for name, each in known.items() if name not in strangers[STRANGERS:] + others[STRANGERS:]}


def meet(world: World, moment: str, met: Utterance) -> Meeting | None:
    """A session in which `met` arrives instead of the first message called `moment`; None: that did not come."""
    hits: list[tuple[Side, int, frozenset[str]]] = []

    def tamper(pair: Pair, number: int, delivery: Delivery) -> list[tuple[float, Delivery]] | None:
        message = pair.said[number]
        if hits or message.name != moment:
            return None
        rules = pair.station.rules
        assert rules is not None
        session_id = rules.unwrap(message.message)[0]
        hits.append((delivery.to, number, awaited(pair, rules.stream(met.payload_type))))
        pair.invariants.told = False
        payload = exi.schema(met.schema).encode(within(rules, session_id, met.body))
        return [(0.0, Delivery(delivery.to, met.payload_type, payload))]

    played = course(world, Random(world.name), Wishes(), tamper)
    pair = played.pair
    pair.run()
    if not hits:
        return None
    to, number, names = hits[0]
    # What goes on beside goes on.
    others = {"ACDP_SystemStatusReq", "ACDP_SystemStatusRes"} - {type(met.body).__name__[:-3] + "Res"}
    answers = [message for message in pair.said[number + 1 :] if message.side is to and message.name not in others]
    return Meeting(pair, [fault.text for fault in played.faults if fault.blame is Blame.LOCAL], names, answers)


def awaited(pair: Pair, stream: int) -> frozenset[str]:
    """Names of the requests that the station would answer now."""
    station = pair.station
    assert station.conversation is not None
    beside = station._expected_aside.get(stream) or station.conversation.opens(stream)
    return frozenset(kind.__name__ for kind in (station.expected if stream == MAIN else beside))


def within(rules: Rules, session_id: bytes, message: Any) -> Any:
    """The document of a message in this session."""
    header = getattr(message, "Header", None)
    if header is not None:
        message = msgspec.structs.replace(message, Header=msgspec.structs.replace(header, SessionID=session_id))
    return rules.wrap(session_id, message)


def meetings(world: World, to: Side) -> Iterator[tuple[str, str, Utterance, Meeting]]:
    """Every message at every moment of the main stream at this end."""
    ending = "Req" if to is Side.SECC else "Res"
    said = spoken(world)
    every = catalogue(world, to)
    moments = [name for name in said.messages if name.endswith(ending) and name in every]
    if "wpt" in world.name or "acdp" in world.name:  # what they share with DC is met there
        [dc] = [other for other in CHOSEN if other.name.startswith("iso15118-20 dc")]
        moments = [name for name in moments if name not in spoken(dc).utterances]
    for moment in dict.fromkeys(moments):
        for name, met in every.items():
            meeting = meet(world, moment, met) if name != moment and every[moment].payload_type not in ASIDE else None
            if meeting is None:
                continue
            where = f"{name} instead of {moment}"
            assert meeting.local == [], where
            assert meeting.pair.ended, where
            assert meeting.pair.invariants.violations == [], where
            yield where, name, met, meeting


@pytest.mark.parametrize("world", CHOSEN, ids=lambda world: world.name)
def test_at_the_station(world: World) -> None:
    count = 0
    for where, name, met, (pair, _, allowed, answers) in meetings(world, Side.SECC):
        count += 1
        station = pair.station
        rules = station.rules
        assert rules is not None
        rule = next((rule for rule in rules.all_rows if rule.request.__name__ == name), None)
        if rule is None:
            discarded = met.payload_type not in station.documents
            assert answers == [], where
            assert not station.good, where
            assert ("no request" in str(station.faulty)) is not discarded, where
            continue
        assert answers[0].name == rule.response.__name__, where
        if name not in allowed:
            answer = body(pair, answers[0])
            assert failed(answer), where
            assert answer.ResponseCode.value == "FAILED_SequenceError", where
            assert len(answers) == 1, where
            assert not station.good, where
    assert count > 60


@pytest.mark.parametrize("world", CHOSEN, ids=lambda world: world.name)
def test_at_the_vehicle(world: World) -> None:
    count = 0
    for where, _, met, (pair, _, _, answers) in meetings(world, Side.EVCC):
        count += 1
        vehicle = pair.vehicle
        if met.payload_type in vehicle.documents:
            assert answers == [], where
        assert not vehicle.good, where
        assert vehicle.faulty, where
    assert count > 60
