"""The services of an outlet: what is told of them, and the check of what a vehicle selects."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from exi.messages.iso15118_20.common import (
    Parameter,
    ParameterSet,
    SelectedService,
    ServiceList,
    ServiceParameterList,
    ServiceSelectionReq,
)
from exi.messages.iso15118_20.common import Service as ServiceEntry
from exi.messages.iso15118_20.types import ResponseCode
from hlc.flow import Refusal
from hlc.rules.iso15118_20.services import (
    ENERGY,
    HTTPS,
    MANUAL_EXTERNAL,
    Channel,
    Control,
    Intended,
    Mobility,
    Service,
    Terms,
    parameters,
)
from hlc.secc.iso15118_20.settings import Settings20
from hlc.secc.settings import Service as Extra
from hlc.secc.settings import Settings

FIRST_SET: Final = 1
"""ParameterSetID of a service's first parameter set; the others are counted from there."""


class Selected(NamedTuple):
    """What a vehicle has selected."""

    service: Service
    terms: Terms
    intended: frozenset[Intended] = frozenset()
    """What it tells of its parking, beside the charge."""


class Offers:
    """Services of one session. `connector(service)` is what is plugged in."""

    def __init__(
        self,
        services: Collection[Service],
        settings: Settings,
        *,
        connector: Callable[[Service], int | None],
        volts: Callable[[], float],
    ) -> None:
        self.free = settings.FreeService
        intended = settings.iso15118_20.intended
        self.terms = {service: _terms(service, settings.iso15118_20) for service in sorted(services)}
        """Those of each energy service, by their place."""
        self._connector = connector
        self._volts = volts
        self._others: dict[Service, list[list[Parameter]]] = {}
        if Extra.INTERNET in settings.services:
            protocol, port = HTTPS
            internet = [Parameter(Name="Protocol", finiteString=protocol), Parameter(Name="Port", intValue=port)]
            self._others[Service.INTERNET] = [internet]
        if intended:
            self._others[Service.PARKING_STATUS] = [
                [
                    Parameter(Name="IntendedService", intValue=int(each)),
                    Parameter(Name="ParkingStatusType", intValue=MANUAL_EXTERNAL),
                ]
                for each in intended
            ]
        self._intended = intended
        self._told: set[tuple[int, int]] = set()

    def energy(self) -> ServiceList:
        """The list of what transfers energy."""
        return ServiceList(Service=[ServiceEntry(ServiceID=int(each), FreeService=self.free) for each in self.terms])

    def others(self, wanted: Collection[int] | None) -> ServiceList | None:
        """The list of the other services, of those that are wanted. [V2G20-1248], [V2G20-1249]"""
        entries = [
            ServiceEntry(ServiceID=int(each), FreeService=True)
            for each in self._others
            if wanted is None or each in wanted
        ]
        return ServiceList(Service=entries) if entries else None

    def detail(self, service_id: int) -> ServiceParameterList:
        """The parameter sets of a service. Raises `Refusal`."""
        if service_id in self.terms:
            service = Service(service_id)
            connector, volts = self._connector(service), self._volts()
            sets = [parameters(service, each, connector=connector, volts=volts) for each in self.terms[service]]
        elif service_id in self._others:
            sets = self._others[Service(service_id)]
        else:
            text = f"service {service_id} is not offered"
            raise Refusal(ResponseCode.FAILED_ServiceIDInvalid, text, "V2G20-464")
        numbered = list(enumerate(sets, start=FIRST_SET))
        self._told |= {(service_id, number) for number, _ in numbered}
        return ServiceParameterList(
            ParameterSet=[ParameterSet(ParameterSetID=number, Parameter=each) for number, each in numbered]
        )

    def select(self, request: ServiceSelectionReq) -> Selected:
        """What a vehicle selects: pairs of service and parameter set that it was told. Raises `Refusal`."""
        chosen = request.SelectedEnergyTransferService
        if chosen.ServiceID not in ENERGY:
            text = f"service {chosen.ServiceID} transfers no energy"
            raise Refusal(ResponseCode.FAILED_NoEnergyTransferServiceSelected, text, "V2G20-1618")
        others = request.SelectedVASList.SelectedService if request.SelectedVASList is not None else []
        for each in (chosen, *others):
            self._check(each, energy=each is chosen)
        parking = [each.ParameterSetID for each in others if each.ServiceID == Service.PARKING_STATUS]
        service = Service(chosen.ServiceID)
        return Selected(
            service,
            self.terms[service][chosen.ParameterSetID - FIRST_SET],
            frozenset(self._intended[number - FIRST_SET] for number in parking),
        )

    def _check(self, each: SelectedService, *, energy: bool) -> None:
        pair = (each.ServiceID, each.ParameterSetID)
        if pair not in self._told or (each.ServiceID in self.terms) is not energy:
            text = f"parameter set {each.ParameterSetID} of service {each.ServiceID} was not offered"
            raise Refusal(ResponseCode.FAILED_ServiceSelectionInvalid, text, "V2G20-467")


def _terms(service: Service, settings: Settings20) -> list[Terms]:
    """What is offered for an energy service: three parameter sets at most, for codecs of the field have room for
    four."""
    channel = None
    if service.bidirectional:
        channel = Channel.SEPARATED if settings.separated_channels else Channel.UNIFIED
    found = []
    for control in settings.controls:
        found.append(Terms(control, Mobility.EVCC, settings.pricing, channel))
        if control is Control.DYNAMIC:  # [V2G20-2663]
            found.append(Terms(control, Mobility.BOTH, settings.pricing, channel))
    return found
