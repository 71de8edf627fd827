"""How a station says in ISO 15118-2 what has been decided: quantities, services, schedules, refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from exi.messages import iso15118_2
from exi.messages.iso15118_2 import (
    EMAID,
    AC_EVSEStatus,
    AuthorizationReq,
    AuthorizationRes,
    CableCheckReq,
    CableCheckRes,
    CertificateChain,
    CertificateInstallationReq,
    CertificateInstallationRes,
    CertificateUpdateReq,
    CertificateUpdateRes,
    ChargingStatusReq,
    ChargingStatusRes,
    ContractSignatureEncryptedPrivateKey,
    CurrentDemandReq,
    CurrentDemandRes,
    DC_EVSEStatus,
    DC_EVSEStatusCode,
    DiffieHellmanPublickey,
    EVSENotification,
    EVSEProcessing,
    Parameter,
    ParameterSet,
    PaymentDetailsReq,
    PaymentDetailsRes,
    PaymentServiceSelectionReq,
    PaymentServiceSelectionRes,
    PMaxSchedule,
    PMaxScheduleEntry,
    PreChargeReq,
    PreChargeRes,
    RelativeTimeInterval,
    ResponseCode,
    SalesTariff,
    SalesTariffEntry,
    SAScheduleList,
    SAScheduleTuple,
    Service,
    ServiceCategory,
    ServiceDetailReq,
    ServiceDetailRes,
    ServiceParameterList,
    SessionSetupReq,
    SessionSetupRes,
    SessionStopReq,
    SessionStopRes,
    WeldingDetectionReq,
    WeldingDetectionRes,
)
from hlc import decisions
from hlc.decisions import schedules
from hlc.decisions.schedules import Schedule, Slot
from hlc.rules import Kind
from hlc.secc import settings

CHARGE_SERVICE: Final = 1
ENTRIES: Final = 12
"""So many entries of a schedule at most: codecs of the field (libcbv2g) hold no more."""
LONGEST_ENTRY_S: Final = 86400
"""Of an entry that says how long it lasts."""

SERVICES: Final[Mapping[settings.Service, Service]] = {
    settings.Service.INTERNET: Service(
        ServiceID=3, ServiceName="InternetAccess", ServiceCategory=ServiceCategory.Internet, FreeService=True
    ),
    settings.Service.USE_CASE: Service(
        ServiceID=4, ServiceName="UseCaseInformation", ServiceCategory=ServiceCategory.OtherCustom, FreeService=True
    ),
}
INTERNET_ACCESS: Final = {1: ("ftp", 20), 2: ("ftp", 21), 3: ("http", 80), 4: ("https", 443)}
"""Protocol and port by parameter set."""
PARAMETER_SETS: Final[Mapping[int, ServiceParameterList]] = {
    3: ServiceParameterList(
        ParameterSet=[
            ParameterSet(
                ParameterSetID=number,
                Parameter=[Parameter(Name="Protocol", stringValue=protocol), Parameter(Name="Port", intValue=port)],
            )
            for number, (protocol, port) in INTERNET_ACCESS.items()
        ]
    )
}
"""By service, of those that have any."""


physical: Final = decisions.quantities(iso15118_2)


def wanted_services(
    offered: Iterable[settings.Service], scope: str | None, category: ServiceCategory | None
) -> list[Service]:
    """Those of the offered services that a vehicle wants to hear of. Ours have no scope."""
    return [
        service
        for name, service in SERVICES.items()
        if name in offered and not scope and category in (None, service.ServiceCategory)
    ]


def schedule_list(offered: Sequence[Schedule]) -> SAScheduleList:
    """The schedules, with tariffs if all their slots have a price: all tuples have one or none."""
    prices = sorted({slot.price for schedule in offered for slot in schedule.slots if slot.price is not None})
    priced = all(slot.price is not None for schedule in offered for slot in schedule.slots)
    return SAScheduleList(
        SAScheduleTuple=[
            SAScheduleTuple(
                SAScheduleTupleID=schedule.id,
                PMaxSchedule=PMaxSchedule(
                    PMaxScheduleEntry=[
                        PMaxScheduleEntry(TimeInterval=interval, PMax=physical(slot.watts, "W"))
                        for interval, slot in _intervals(schedule.slots)
                    ]
                ),
                SalesTariff=_tariff(schedule, prices) if priced else None,
            )
            for schedule in offered
        ]
    )


def _tariff(schedule: Schedule, prices: list[float]) -> SalesTariff:
    return SalesTariff(
        SalesTariffID=schedule.id,
        NumEPriceLevels=len(prices),
        SalesTariffEntry=[
            SalesTariffEntry(TimeInterval=interval, EPriceLevel=prices.index(slot.price) + 1)
            for interval, slot in _intervals(schedule.slots)
            if slot.price is not None
        ],
    )


def _intervals(slots: Sequence[Slot]) -> list[tuple[RelativeTimeInterval, Slot]]:
    """Starts, and for the last one its duration; one that is longer than an entry may be goes on in further ones."""
    found = []
    for start, slot in zip(schedules.starts(slots), slots, strict=True):
        found.append((RelativeTimeInterval(start=round(start)), slot))
    last, left = slots[-1], round(slots[-1].seconds)
    while left > LONGEST_ENTRY_S:
        left -= LONGEST_ENTRY_S
        found.append((RelativeTimeInterval(start=found[-1][0].start + LONGEST_ENTRY_S), last))
    found[-1] = (RelativeTimeInterval(start=found[-1][0].start, duration=left), last)
    return found


STOPPING: Final[dict[str, Any]] = {"NotificationMaxDelay": 0, "EVSENotification": EVSENotification.StopCharging}
NO_AC: Final = AC_EVSEStatus(RCD=False, **STOPPING)
NO_DC: Final = DC_EVSEStatus(EVSEStatusCode=DC_EVSEStatusCode.EVSE_NotReady, **STOPPING)
NO_CHAIN: Final = CertificateChain(Certificate=b"")
NO_CERTIFICATE: Final[dict[str, Any]] = {
    "SAProvisioningCertificateChain": NO_CHAIN,
    "ContractSignatureCertChain": NO_CHAIN,
    "ContractSignatureEncryptedPrivateKey": ContractSignatureEncryptedPrivateKey(Id="id1", value=b""),
    "DHpublickey": DiffieHellmanPublickey(Id="id2", value=b""),
    "eMAID": EMAID(Id="id3", value="0" * 14),
}

REFUSALS: Final[Mapping[Kind, Callable[[Any, ResponseCode], Any]]] = {
    SessionSetupReq: lambda request, code: SessionSetupRes(ResponseCode=code, EVSEID=settings.UNKNOWN_EVSEID),
    ServiceDetailReq: lambda request, code: ServiceDetailRes(ResponseCode=code, ServiceID=request.ServiceID),
    PaymentServiceSelectionReq: lambda request, code: PaymentServiceSelectionRes(ResponseCode=code),
    PaymentDetailsReq: lambda request, code: PaymentDetailsRes(
        ResponseCode=code, GenChallenge=bytes(16), EVSETimeStamp=0
    ),
    AuthorizationReq: lambda request, code: AuthorizationRes(ResponseCode=code, EVSEProcessing=EVSEProcessing.Finished),
    SessionStopReq: lambda request, code: SessionStopRes(ResponseCode=code),
    # Of AC at a DC outlet, and the other way round.
    ChargingStatusReq: lambda request, code: ChargingStatusRes(
        ResponseCode=code, EVSEID=settings.UNKNOWN_EVSEID, SAScheduleTupleID=1, AC_EVSEStatus=NO_AC
    ),
    CableCheckReq: lambda request, code: CableCheckRes(
        ResponseCode=code, DC_EVSEStatus=NO_DC, EVSEProcessing=EVSEProcessing.Finished
    ),
    PreChargeReq: lambda request, code: PreChargeRes(
        ResponseCode=code, DC_EVSEStatus=NO_DC, EVSEPresentVoltage=physical(0, "V")
    ),
    CurrentDemandReq: lambda request, code: CurrentDemandRes(
        ResponseCode=code,
        DC_EVSEStatus=NO_DC,
        EVSEPresentVoltage=physical(0, "V"),
        EVSEPresentCurrent=physical(0, "A"),
        EVSECurrentLimitAchieved=False,
        EVSEVoltageLimitAchieved=False,
        EVSEPowerLimitAchieved=False,
        EVSEID=settings.UNKNOWN_EVSEID,
        SAScheduleTupleID=1,
    ),
    WeldingDetectionReq: lambda request, code: WeldingDetectionRes(
        ResponseCode=code, DC_EVSEStatus=NO_DC, EVSEPresentVoltage=physical(0, "V")
    ),
    # Of a session that is paid for by contract.
    CertificateInstallationReq: lambda request, code: CertificateInstallationRes(ResponseCode=code, **NO_CERTIFICATE),
    CertificateUpdateReq: lambda request, code: CertificateUpdateRes(ResponseCode=code, **NO_CERTIFICATE),
}
"""Failed answers that say nothing of this outlet: mandatory elements with the least that the schema allows.
[V2G2-736]"""
