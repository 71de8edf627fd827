"""DIN SPEC 70121, what the station answers: one handler per request; which request may come when is in `rules`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from exi.messages import din70121
from exi.messages.din70121 import (
    AC_EVSEStatus,
    CertificateChain,
    CertificateInstallationReq,
    CertificateInstallationRes,
    CertificateUpdateReq,
    CertificateUpdateRes,
    ChargeParameterDiscoveryReq,
    ChargeParameterDiscoveryRes,
    ChargingProfile,
    ChargingStatusReq,
    ChargingStatusRes,
    ContractAuthenticationReq,
    ContractAuthenticationRes,
    EVRequestedEnergyTransfer,
    EVSENotification,
    EVSEProcessing,
    EVSESupportedEnergyTransfer,
    MeteringReceiptReq,
    MeteringReceiptRes,
    PaymentDetailsReq,
    PaymentDetailsRes,
    PaymentOption,
    PaymentOptions,
    PMaxSchedule,
    PMaxScheduleEntry,
    PowerDeliveryReq,
    PowerDeliveryRes,
    PreChargeReq,
    RelativeTimeInterval,
    ResponseCode,
    SAScheduleList,
    SAScheduleTuple,
    ServiceCategory,
    ServiceCharge,
    ServiceDetailReq,
    ServiceDetailRes,
    ServiceDiscoveryReq,
    ServiceDiscoveryRes,
    ServicePaymentSelectionReq,
    ServicePaymentSelectionRes,
    ServiceTag,
    SessionSetupReq,
    SessionSetupRes,
    SessionStopReq,
    SessionStopRes,
    WeldingDetectionReq,
)
from hlc import decisions
from hlc.flow import Refusal
from hlc.rules import Kind, Phase
from hlc.rules.din70121 import CP_OSCILLATOR_RETAIN_S, CP_STATE_DETECTION_S, RULES
from hlc.secc import conversation
from hlc.secc.dc import Dc

if TYPE_CHECKING:
    from hlc.secc.station import Station

OK: Final = ResponseCode.OK
CHARGE_SERVICE: Final = 1
SCHEDULE: Final = 1
"""ID of the one schedule that is offered."""
DAY_S: Final = 86400

DC_TYPES: Final = frozenset({EVRequestedEnergyTransfer.DC_extended, EVRequestedEnergyTransfer.DC_core})
OLD_DC_TYPES: Final = frozenset({EVRequestedEnergyTransfer.DC_combo_core, EVRequestedEnergyTransfer.DC_unique})
"""Old cars ask for these over the same contacts."""


class Conversation(conversation.Conversation):
    """One session of DIN SPEC 70121 at the station."""

    rules = RULES
    oscillator_retain_s = CP_OSCILLATOR_RETAIN_S

    def handlers(self) -> Mapping[Kind, Callable[[Any], Any]]:
        """The answer to each request."""
        return {
            SessionSetupReq: self.session_setup,
            ServiceDiscoveryReq: self.service_discovery,
            ServicePaymentSelectionReq: self.service_payment_selection,
            ContractAuthenticationReq: self.contract_authentication,
            ChargeParameterDiscoveryReq: self.charge_parameter_discovery,
            PowerDeliveryReq: self.power_delivery,
            SessionStopReq: self.session_stop,
            **self.dc.handlers(),
        }

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.dc = Dc(self, din70121, notification=self.notification, pilot_s=CP_STATE_DETECTION_S)
        self.outlet = self.dc.outlet

    # Handlers

    def session_setup(self, request: SessionSetupReq) -> SessionSetupRes:
        clock = self.station.clock
        return SessionSetupRes(
            ResponseCode=ResponseCode.OK_NewSessionEstablished,  # [V2G-DC-393]; resuming is not part of DIN 70121
            EVSEID=evse_id(self.station.settings.EVSEID),
            DateTimeNow=None if clock is None else int(clock()),
        )

    def service_discovery(self, request: ServiceDiscoveryReq) -> ServiceDiscoveryRes:
        return self._services(OK)

    def service_payment_selection(self, request: ServicePaymentSelectionReq) -> ServicePaymentSelectionRes:
        if request.SelectedPaymentOption is not PaymentOption.ExternalPayment:  # [V2G-DC-395]
            text = f"the payment option {request.SelectedPaymentOption} was not offered"
            raise Refusal(ResponseCode.FAILED_PaymentSelectionInvalid, text, "V2G-DC-395")
        chosen = [service.ServiceID for service in request.SelectedServiceList.SelectedService]
        if chosen != [CHARGE_SERVICE]:  # [V2G-DC-635], [V2G-DC-396]
            text = f"services {chosen} selected, offered is {CHARGE_SERVICE} alone"
            raise Refusal(ResponseCode.FAILED_ServiceSelectionInvalid, text, "V2G-DC-396")
        return ServicePaymentSelectionRes(ResponseCode=OK)

    def contract_authentication(self, request: ContractAuthenticationReq) -> ContractAuthenticationRes:
        return ContractAuthenticationRes(ResponseCode=OK, EVSEProcessing=_processing(finished=self.authorized()))

    def charge_parameter_discovery(self, request: ChargeParameterDiscoveryReq) -> ChargeParameterDiscoveryRes:
        wanted = request.EVRequestedEnergyTransferType
        strict = self.station.settings.strict
        if wanted not in DC_TYPES and (strict or wanted not in OLD_DC_TYPES):  # [V2G-DC-397], [V2G-DC-625]
            text = f"{wanted} is asked for, this is a DC outlet"
            raise Refusal(ResponseCode.FAILED_WrongEnergyTransferType, text, "V2G-DC-397")
        self.dc.discover(request.EVChargeParameter)
        return self._parameters(OK, finished=self.prepared())

    def power_delivery(self, request: PowerDeliveryReq) -> PowerDeliveryRes:
        if not request.ReadyToChargeState:
            self.dc.stop()
            return PowerDeliveryRes(ResponseCode=OK, EVSEStatus=self.dc.status(ended=True))
        if self.delivering:
            raise Refusal(ResponseCode.FAILED, "power is already delivered")
        self._judge_profile(request.ChargingProfile)
        self.dc.start(request.EVPowerDeliveryParameter)
        return PowerDeliveryRes(ResponseCode=OK, EVSEStatus=self.dc.status())

    def session_stop(self, request: SessionStopReq) -> SessionStopRes:
        # Legal in every state before the flow of energy.
        self.leaves_loop()
        self.dc.stop()
        return SessionStopRes(ResponseCode=OK)

    # What the engine asks

    def winding_down(self, request: Any) -> bool:
        return isinstance(request, SessionStopReq | WeldingDetectionReq) or (
            isinstance(request, PowerDeliveryReq) and not request.ReadyToChargeState
        )

    def can_tell(self, request: Any) -> bool:
        return not isinstance(
            request,
            SessionSetupReq | ServiceDiscoveryReq | ServicePaymentSelectionReq | ContractAuthenticationReq,
        )

    def late_code(self, phase: Phase) -> str:
        if phase.begins is PreChargeReq and self.outlet.volts() < self.dc.supply.wanted.volts:
            return ResponseCode.FAILED_EVSEPresentVoltageToLow
        return ResponseCode.FAILED

    def look(self) -> None:
        self.dc.look()

    def notification(self) -> tuple[str, int]:
        """What the station wants of the vehicle."""
        return "StopCharging" if self.ending else "None", 0

    # Phrases

    def refuse(self, request: Any, code: str) -> Any | None:
        """The shortest answer with this code: mandatory elements only. [V2G-DC-665]"""
        kind, response_code = type(request), ResponseCode(code)
        if phrase := self.dc.refusals().get(kind):
            return phrase(response_code)
        other = REFUSALS.get(kind)
        return None if other is None else other(self, response_code)

    def _services(self, code: ResponseCode) -> ServiceDiscoveryRes:
        return ServiceDiscoveryRes(
            ResponseCode=code,
            PaymentOptions=PaymentOptions(PaymentOption=[PaymentOption.ExternalPayment]),  # [V2G-DC-252]
            ChargeService=ServiceCharge(  # ServiceName and ServiceScope are not used [V2G-DC-628], [V2G-DC-629]
                ServiceTag=ServiceTag(ServiceID=CHARGE_SERVICE, ServiceCategory=ServiceCategory.EVCharging),
                FreeService=self.station.settings.FreeService,
                EnergyTransferType=EVSESupportedEnergyTransfer.DC_extended,
            ),
        )

    def _parameters(self, code: ResponseCode, *, finished: bool) -> ChargeParameterDiscoveryRes:
        limits = self.outlet.limits()
        entry = PMaxScheduleEntry(
            TimeInterval=RelativeTimeInterval(start=0, duration=DAY_S), PMax=decisions.int16(limits.max_watts)
        )
        schedule = PMaxSchedule(PMaxScheduleID=SCHEDULE, PMaxScheduleEntry=[entry])
        schedules = SAScheduleList(SAScheduleTuple=[SAScheduleTuple(SAScheduleTupleID=SCHEDULE, PMaxSchedule=schedule)])
        return ChargeParameterDiscoveryRes(
            ResponseCode=code,
            EVSEProcessing=_processing(finished=finished),
            # While Ongoing too: the schema wants the element, and its head is abstract. Stations of the field send the
            # empty head, and vehicles whose codec binds XML types end there (EcoG iso15118).
            SASchedules=schedules,
            EVSEChargeParameter=self.dc.parameter(),
        )

    def _judge_profile(self, profile: ChargingProfile | None) -> None:
        """Refuse a profile of an unknown schedule; one above PMax is noted only, unless the station is strict."""
        if profile is None:
            return
        if profile.SAScheduleTupleID != SCHEDULE:
            text = f"schedule {profile.SAScheduleTupleID} was not offered"
            raise Refusal(ResponseCode.FAILED_TariffSelectionInvalid, text, "V2G-DC-400")
        limit = decisions.int16(self.outlet.limits().max_watts)
        if any(entry.ChargingProfileEntryMaxPower > limit for entry in profile.ProfileEntry):
            text = f"the charging profile exceeds the {limit} W offered"
            if self.station.settings.strict:
                raise Refusal(ResponseCode.FAILED_ChargingProfileInvalid, text, "V2G-DC-399")
            self.station.note(text)


def evse_id(setting: bytes) -> bytes:
    """The operator's EVSEID: that of DIN SPEC 91286 with a digit in half an octet and A for the asterisk, else zero.

    Cars leave at any other form (Renault Zoe); all recorded stations send zero.
    """
    digits = setting.removeprefix(b"+").replace(b"*", b"A")
    fits = b"*" in setting and setting[-1:].isdigit() and set(digits) <= set(b"0123456789A") and len(digits) % 2 == 0
    return bytes.fromhex(digits.decode()) if fits and len(digits) <= 64 else b"\0"


def _processing(*, finished: bool) -> EVSEProcessing:
    return EVSEProcessing.Finished if finished else EVSEProcessing.Ongoing


AC_STATUS: Final = AC_EVSEStatus(
    PowerSwitchClosed=False, RCD=False, NotificationMaxDelay=0, EVSENotification=EVSENotification.None_
)
EMPTY_CHAIN: Final = CertificateChain(Certificate=b"")

REFUSALS: Final[Mapping[Kind, Callable[[Conversation, ResponseCode], Any]]] = {
    SessionSetupReq: lambda c, code: SessionSetupRes(ResponseCode=code, EVSEID=b"\0"),
    ServiceDiscoveryReq: lambda c, code: c._services(code),
    ServicePaymentSelectionReq: lambda c, code: ServicePaymentSelectionRes(ResponseCode=code),
    ContractAuthenticationReq: lambda c, code: ContractAuthenticationRes(
        ResponseCode=code, EVSEProcessing=EVSEProcessing.Finished
    ),
    ChargeParameterDiscoveryReq: lambda c, code: c._parameters(code, finished=True),
    PowerDeliveryReq: lambda c, code: PowerDeliveryRes(ResponseCode=code, EVSEStatus=c.dc.status(ended=True)),
    SessionStopReq: lambda c, code: SessionStopRes(ResponseCode=code),
    # Messages of the schema that no session of DIN SPEC 70121 uses: they are always out of sequence.
    ServiceDetailReq: lambda c, code: ServiceDetailRes(ResponseCode=code, ServiceID=CHARGE_SERVICE),
    PaymentDetailsReq: lambda c, code: PaymentDetailsRes(ResponseCode=code, GenChallenge="", DateTimeNow=0),
    ChargingStatusReq: lambda c, code: ChargingStatusRes(
        ResponseCode=code, EVSEID=b"\0", SAScheduleTupleID=0, ReceiptRequired=False, AC_EVSEStatus=AC_STATUS
    ),
    MeteringReceiptReq: lambda c, code: MeteringReceiptRes(ResponseCode=code, AC_EVSEStatus=AC_STATUS),
    CertificateUpdateReq: lambda c, code: CertificateUpdateRes(
        Id="id",
        ResponseCode=code,
        ContractSignatureCertChain=EMPTY_CHAIN,
        ContractSignatureEncryptedPrivateKey=b"",
        DHParams=b"",
        ContractID="",
        RetryCounter=0,
    ),
    CertificateInstallationReq: lambda c, code: CertificateInstallationRes(
        Id="id",
        ResponseCode=code,
        ContractSignatureCertChain=EMPTY_CHAIN,
        ContractSignatureEncryptedPrivateKey=b"",
        DHParams=b"",
        ContractID="",
    ),
}
"""The failed answer that is paired with each request."""
