"""The choice of the protocol, with document order, SchemaID and priority all different."""

from __future__ import annotations

import pytest

from exi.messages.sap import AppProtocol, ResponseCode, supportedAppProtocolReq, supportedAppProtocolRes
from hlc.sap import DIN70121, ISO15118_2, ISO15118_20_DC, PROTOCOLS, chosen, negotiate, offer


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
