"""The choice of the protocol, with document order, SchemaID and priority all different."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import exi
from exi.messages.sap import AppProtocol, ResponseCode, supportedAppProtocolReq, supportedAppProtocolRes
from hlc.flow import Close, Send, Transport
from hlc.sap import DIN70121, ISO15118_2, ISO15118_20_DC, PROTOCOLS, Protocol, chosen, negotiate, offer
from hlc.secc import Station
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.pair import Pair


def entry(namespace: str, major: int, minor: int, schema_id: int, priority: int) -> AppProtocol:
    return AppProtocol(
        ProtocolNamespace=namespace,
        VersionNumberMajor=major,
        VersionNumberMinor=minor,
        SchemaID=schema_id,
        Priority=priority,
    )


DIN = "urn:din:70121:2012:MsgDef"
ISO2 = "urn:iso:15118:2:2013:MsgDef"
TESLA = supportedAppProtocolReq(AppProtocol=[entry(DIN, 2, 0, 1, 2), entry("urn:tesla:din:2018:MsgDef", 0, 7, 2, 1)])


def test_proprietary_protocol_at_priority_1_is_skipped() -> None:
    response, protocol = negotiate(TESLA, [DIN70121])
    assert (response.ResponseCode, response.SchemaID) == (ResponseCode.OK_SuccessfulNegotiation, 1)
    assert protocol is DIN70121


def test_priority_decides_whatever_the_order() -> None:
    request = supportedAppProtocolReq(AppProtocol=[entry(DIN, 2, 0, 9, 20), entry(ISO2, 2, 0, 4, 3)])
    response, protocol = negotiate(request, [DIN70121, ISO15118_2])
    assert (response.SchemaID, protocol) == (4, ISO15118_2)


def test_filter_comes_before_rank() -> None:
    request = supportedAppProtocolReq(AppProtocol=[entry(ISO2, 2, 0, 4, 3), entry(DIN, 2, 0, 9, 20)])
    response, protocol = negotiate(request, [DIN70121])
    assert (response.SchemaID, protocol) == (9, DIN70121)


def test_minor_deviation() -> None:
    request = supportedAppProtocolReq(AppProtocol=[entry(DIN, 2, 1, 7, 1)])
    response, protocol = negotiate(request, [DIN70121])
    assert response.ResponseCode is ResponseCode.OK_SuccessfulNegotiationWithMinorDeviation
    assert (response.SchemaID, protocol) == (7, DIN70121)


@pytest.mark.parametrize("offered", [entry(DIN, 1, 0, 1, 1), entry(ISO2, 2, 0, 1, 1), entry("", 2, 0, 1, 1)])
def test_nothing_in_common(offered: AppProtocol) -> None:
    response, protocol = negotiate(supportedAppProtocolReq(AppProtocol=[offered]), [DIN70121])
    assert response == supportedAppProtocolRes(ResponseCode=ResponseCode.Failed_NoNegotiation)
    assert response.SchemaID is None
    assert protocol is None


def test_an_offer_meets_its_answer() -> None:
    protocols = [ISO15118_2, ISO15118_20_DC, DIN70121]
    for protocol in protocols:
        response, chosen_by_station = negotiate(offer(protocols), [protocol])
        assert chosen_by_station is protocol
        assert chosen(protocols, response) is protocol


def test_answers_that_choose_nothing() -> None:
    ok = ResponseCode.OK_SuccessfulNegotiation
    assert chosen([DIN70121], supportedAppProtocolRes(ResponseCode=ResponseCode.Failed_NoNegotiation)) is None
    assert chosen([DIN70121], supportedAppProtocolRes(ResponseCode=ok, SchemaID=0)) is None
    assert chosen([DIN70121], supportedAppProtocolRes(ResponseCode=ok, SchemaID=2)) is None
    assert chosen([DIN70121, ISO15118_2], supportedAppProtocolRes(ResponseCode=ok)) is None


def test_one_offer_may_be_answered_without_schema_id() -> None:
    response = supportedAppProtocolRes(ResponseCode=ResponseCode.OK_SuccessfulNegotiation)
    assert chosen([DIN70121], response) is DIN70121


def test_names_and_namespaces_are_unique() -> None:
    assert len({protocol.namespace for protocol in PROTOCOLS.values()}) == len(PROTOCOLS)
    assert all(name == protocol.name for name, protocol in PROTOCOLS.items())
    assert not any("Common" in protocol.namespace for protocol in PROTOCOLS.values())


NAMESPACES = [
    *(protocol.namespace for protocol in PROTOCOLS.values()),
    "urn:tesla:din:2018:MsgDef",
    "urn:iso:15118:2:2010:MsgDef",
    "urn:iso:std:iso:15118:-20:CommonMessages",
    "urn:iso:std:iso:15118:-20:AC-DER-IEC",
]


@st.composite
def offers(draw: Any) -> list[AppProtocol]:
    """Any list of a vehicle: priorities and SchemaIDs in no order."""
    count = draw(st.integers(1, 20))
    return [
        entry(draw(st.sampled_from(NAMESPACES)), draw(st.integers(0, 3)), draw(st.integers(0, 2)), schema_id, priority)
        for schema_id, priority in zip(
            draw(st.permutations(range(256)))[:count], draw(st.permutations(range(1, 21)))[:count], strict=True
        )
    ]


@given(offers(), st.sets(st.sampled_from(sorted(PROTOCOLS))))
def test_of_every_offer_the_best_that_can_be_served(entries: list[AppProtocol], served: set[str]) -> None:
    response, protocol = negotiate(
        supportedAppProtocolReq(AppProtocol=entries), [PROTOCOLS[name] for name in sorted(served)]
    )
    versions = {PROTOCOLS[name].namespace: PROTOCOLS[name].major for name in served}
    for each in sorted(entries, key=lambda each: each.Priority):
        if versions.get(each.ProtocolNamespace) == each.VersionNumberMajor:
            assert protocol is not None
            assert (response.SchemaID, protocol.namespace) == (each.SchemaID, each.ProtocolNamespace)
            deviates = each.VersionNumberMinor != 0
            assert response.ResponseCode.value.endswith("MinorDeviation" if deviates else "Negotiation")
            return
    assert (response.ResponseCode, response.SchemaID, protocol) == (ResponseCode.Failed_NoNegotiation, None, None)


@given(offers())
def test_an_offer_is_answered_on_the_wire_and_leads_to_a_session_or_an_end(entries: list[AppProtocol]) -> None:
    every = [PROTOCOLS[name] for name in ("din70121", "iso15118_2", "iso15118_20_dc")]
    station = Station(SimulatedOutlet(), random=bytes, protocols=every)
    station.start(0.0, Transport("1.3", b"certificate"))
    request = supportedAppProtocolReq(AppProtocol=entries)
    sent, *rest = station.receive(0x8001, exi.schema("sap").encode(request), 0.1)
    assert isinstance(sent, Send)
    answer: Any = exi.schema("sap").decode(sent.payload)
    _, protocol = negotiate(request, every[1:])  # DIN SPEC 70121 knows no TLS
    assert (answer.SchemaID is None) is (protocol is None)
    assert station.protocol is protocol
    assert [type(effect) for effect in rest] == ([Close] if protocol is None else [])


ALL_DC = [ISO15118_20_DC, ISO15118_2, DIN70121]


@pytest.mark.parametrize(
    ("transport", "liked", "spoken"),
    [
        (Transport(), [DIN70121, ISO15118_2], DIN70121),
        (Transport(), [ISO15118_2, DIN70121], ISO15118_2),
        (Transport("1.2"), [ISO15118_20_DC, DIN70121, ISO15118_2], ISO15118_2),
        (Transport("1.3", b"certificate"), [DIN70121, ISO15118_2, ISO15118_20_DC], ISO15118_2),
        (Transport("1.3", b"certificate"), [DIN70121, ISO15118_20_DC, ISO15118_2], ISO15118_20_DC),
    ],
)
def test_a_station_that_serves_all_and_a_vehicle_that_offers_many(
    transport: Transport, liked: list[Protocol], spoken: Protocol
) -> None:
    pair = Pair(SimulatedVehicle(Battery(soc=79.9)), SimulatedOutlet(), protocol=spoken.name, transport=transport)
    pair.station.protocols, pair.vehicle.protocols = tuple(ALL_DC), tuple(liked)
    pair.run()
    assert (pair.station.good, pair.vehicle.good) == (True, True)
    assert pair.station.protocol is pair.vehicle.protocol is spoken
    assert pair.invariants.violations == []
