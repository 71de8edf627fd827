"""The choice among the services of a station."""

from __future__ import annotations

import pytest

from exi.messages.iso15118_20 import common
from exi.messages.iso15118_20.types import MessageHeader, RationalNumber, ResponseCode
from hlc.evcc.iso15118_20.services import Choice
from hlc.evcc.iso15118_20.settings import Settings20
from hlc.rules.iso15118_20.services import (
    Channel,
    Control,
    Intended,
    Mobility,
    Pricing,
    Service,
    Terms,
    parameters,
    terms,
)

HEADER = MessageHeader(SessionID=bytes(8), TimeStamp=0)
OK = ResponseCode.OK


def discovered(*services: int, beside: tuple[int, ...] = ()) -> common.ServiceDiscoveryRes:
    entries = [common.Service(ServiceID=each, FreeService=False) for each in services]
    others = [common.Service(ServiceID=each, FreeService=True) for each in beside]
    return common.ServiceDiscoveryRes(
        Header=HEADER,
        ResponseCode=OK,
        ServiceRenegotiationSupported=True,
        EnergyTransferServiceList=common.ServiceList(Service=entries),
        VASList=common.ServiceList(Service=others) if others else None,
    )


def detailed(service: Service, *offered: Terms, first: int = 0) -> common.ServiceDetailRes:
    sets = [
        common.ParameterSet(ParameterSetID=number, Parameter=parameters(service, each, connector=2))
        for number, each in enumerate(offered, start=first)
    ]
    return common.ServiceDetailRes(
        Header=HEADER,
        ResponseCode=OK,
        ServiceID=int(service),
        ServiceParameterList=common.ServiceParameterList(ParameterSet=sets),
    )


def choice(*wanted: Service, others: tuple[int, ...] = (), **settings: object) -> Choice:
    return Choice(wanted, others, Settings20(**settings))  # type: ignore[arg-type]


SCHEDULED, DYNAMIC = Terms(Control.SCHEDULED), Terms(Control.DYNAMIC)
SHARED = Terms(Control.DYNAMIC, Mobility.BOTH)


def test_what_can_do_most_is_liked_best() -> None:
    one = choice(Service.DC, Service.DC_BPT, Service.MCS)
    assert one.discovered(discovered(1, 2, 8, 6)) is None
    assert one.next == Service.DC_BPT


def test_nothing_in_common() -> None:
    why = choice(Service.DC).discovered(discovered(1, 44))
    assert why == "the station offers AC, 44, this vehicle takes DC"


@pytest.mark.parametrize("first", [0, 1, 7])
@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({}, 0),
        ({"control": Control.DYNAMIC}, 1),
        ({"control": Control.DYNAMIC, "mobility": Mobility.BOTH}, 2),
        ({"mobility": Mobility.BOTH}, 0),
    ],
)
def test_the_set_that_suits(settings: dict[str, object], place: int, first: int) -> None:
    one = choice(Service.DC, **settings)
    one.discovered(discovered(2))
    assert one.detailed(detailed(Service.DC, SCHEDULED, DYNAMIC, SHARED, first=first)) is None
    assert one.chosen is not None
    assert one.chosen.parameter_set == first + place
    assert one.next is None


def test_a_set_that_says_nothing_of_control_is_passed_over() -> None:
    one = choice(Service.DC)
    one.discovered(discovered(2))
    response = detailed(Service.DC, SCHEDULED, SCHEDULED)
    first = response.ServiceParameterList.ParameterSet[0]
    first.Parameter = [entry for entry in first.Parameter if entry.Name != "ControlMode"]
    assert one.detailed(response) is None
    assert one.chosen is not None
    assert one.chosen.parameter_set == 1


def test_no_set_suits() -> None:
    one = choice(Service.DC, control=Control.DYNAMIC)
    one.discovered(discovered(2))
    assert one.detailed(detailed(Service.DC, SCHEDULED)) == "service 2 has no parameter set for dynamic control"


def test_parking_is_taken_beside() -> None:
    one = choice(Service.DC, others=(66,))
    one.discovered(discovered(2, beside=(65, 66)))
    one.detailed(detailed(Service.DC, SCHEDULED))
    assert one.next == 66
    parking = [common.Parameter(Name="IntendedService", intValue=2)]
    one.detailed(
        common.ServiceDetailRes(
            Header=HEADER,
            ResponseCode=OK,
            ServiceID=66,
            ServiceParameterList=common.ServiceParameterList(
                ParameterSet=[common.ParameterSet(ParameterSetID=3, Parameter=parking)]
            ),
        )
    )
    assert one.intended == {Intended.CHECK_OUT}
    selected = one.selected()
    assert selected is not None
    assert [(each.ServiceID, each.ParameterSetID) for each in selected.SelectedService] == [(66, 3)]


@pytest.mark.parametrize("service", [Service.AC, Service.AC_BPT, Service.DC, Service.DC_BPT, Service.MCS_BPT])
@pytest.mark.parametrize("pricing", list(Pricing))
def test_terms_are_read_as_they_are_written(service: Service, pricing: Pricing) -> None:
    channel = Channel.UNIFIED if service.bidirectional else None
    offered = Terms(Control.DYNAMIC, Mobility.BOTH, pricing, channel, 1)
    entries = parameters(service, offered, connector=1, volts=230.0)
    assert len(entries) <= 8
    assert terms(common.ParameterSet(ParameterSetID=1, Parameter=entries), service) == offered


def test_numbers_of_any_type_are_understood() -> None:
    entries = [
        common.Parameter(Name="ControlMode", byteValue=2),
        common.Parameter(Name="MobilityNeedsMode", shortValue=2),
        common.Parameter(Name="Pricing", rationalNumber=RationalNumber(Exponent=0, Value=1)),
    ]
    read = terms(common.ParameterSet(ParameterSetID=1, Parameter=entries), 2)
    assert read == Terms(Control.DYNAMIC, Mobility.BOTH, Pricing.ABSOLUTE)
    entries[0].byteValue = 77
    assert terms(common.ParameterSet(ParameterSetID=1, Parameter=entries), 2) is None
