"""The choice among the services of a station, and among their parameter sets."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from exi.messages.iso15118_20.common import (
    SelectedService,
    SelectedServiceList,
    ServiceDetailRes,
    ServiceDiscoveryRes,
)
from hlc.evcc.iso15118_20.settings import Settings20
from hlc.rules.iso15118_20.services import Intended, Mobility, Service, Terms, numbers, terms

LIKED: Final = (
    Service.MCS_BPT,
    Service.DC_BPT,
    Service.AC_BPT,
    Service.ACDP_BPT,
    Service.MCS,
    Service.DC,
    Service.AC,
    Service.ACDP,
    Service.WPT,
)
"""Services of energy transfer, the one that can do most first."""


class Chosen(NamedTuple):
    """A service with the parameter set that suits."""

    service: Service
    parameter_set: int
    terms: Terms
    renegotiable: bool
    """Whether the station takes another choice later."""


class Choice:
    """Of one session. `wanted` are the services that the vehicle can use, `others` those that it takes beside."""

    def __init__(self, wanted: Collection[Service], others: Collection[int], settings: Settings20) -> None:
        self.wanted = [service for service in LIKED if service in wanted]
        self.others = others
        self.settings = settings
        self.chosen: Chosen | None = None
        self.intended: frozenset[Intended] = frozenset()
        """What of parking is told to the station."""
        self._pending: list[int] = []
        self._renegotiable = False
        self._beside: list[SelectedService] = []

    def discovered(self, response: ServiceDiscoveryRes) -> str | None:
        """What the station offers; why nothing of it can be used, or None."""
        offered = [entry.ServiceID for entry in response.EnergyTransferServiceList.Service]
        beside = response.VASList.Service if response.VASList is not None else []
        self.chosen, self._beside, self.intended = None, [], frozenset()
        self._renegotiable = response.ServiceRenegotiationSupported
        best = next((service for service in self.wanted if service in offered), None)
        if best is None:
            names = ", ".join(Service(each).name if each in list(Service) else str(each) for each in offered)
            return f"the station offers {names}, this vehicle takes {', '.join(each.name for each in self.wanted)}"
        self._pending = [best, *(entry.ServiceID for entry in beside if entry.ServiceID in self.others)]
        return None

    @property
    def next(self) -> int | None:
        """The service of which the parameter sets are to be asked next; None: all are known."""
        return self._pending[0] if self._pending else None

    def detailed(self, response: ServiceDetailRes) -> str | None:
        """The parameter sets of a service; why none of them suits, or None."""
        service = self._pending.pop(0)
        sets = response.ServiceParameterList.ParameterSet
        if service not in self.wanted:
            chosen = sets[0]
            intended = numbers(chosen.Parameter).get("IntendedService")
            if service == Service.PARKING_STATUS and intended in list(Intended):
                self.intended |= {Intended(intended)}
            self._beside.append(SelectedService(ServiceID=service, ParameterSetID=chosen.ParameterSetID))
            return None
        read = [(each.ParameterSetID, terms(each, service)) for each in sets]
        fitting = [(number, found) for number, found in read if found and found.control is self.settings.control]
        if not fitting:
            return f"service {service} has no parameter set for {self.settings.control.name.lower()} control"
        # Who needs no more than the vehicle knows is content with any; stations exist that offer one alone.
        mobility = self.settings.mobility if self.settings.control.name == "DYNAMIC" else Mobility.EVCC
        number, found = min(fitting, key=lambda each: each[1].mobility is not mobility)
        self.chosen = Chosen(Service(service), number, found, self._renegotiable)
        return None

    def selected(self) -> SelectedServiceList | None:
        """What is taken beside."""
        return SelectedServiceList(SelectedService=self._beside) if self._beside else None
