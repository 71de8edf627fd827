"""What the codes that a peer sends mean, whose fault they tell of, and what to do: for a reader who does not have the
standards at hand."""

from __future__ import annotations

from typing import Final, NamedTuple

from hlc.capture.finding import Severity, Who


class Code(NamedTuple):
    """What a code tells."""

    meaning: str
    who: Who
    advice: str
    severity: Severity = Severity.CAUSE


VEHICLE, STATION, EITHER = Who.VEHICLE, Who.STATION, Who.EITHER
WARNS: Final = Severity.REMARK

RESPONSE: Final[dict[str, Code]] = {
    "FAILED": Code(
        "no more special code fits: the user or an emergency stop, an isolation fault, a contactor", STATION,
        "Read the station's log at this moment: it alone knows which of its checks failed."),
    "FAILED_SequenceError": Code(
        "this request may not follow the one before", VEHICLE,
        "Mend the order of the vehicle's requests."),
    "FAILED_UnknownSession": Code(
        "the session ID is not the one that the station gave", VEHICLE,
        "Echo the session ID of SessionSetupRes octet for octet, in its length, in every later message."),
    "FAILED_ServiceIDInvalid": Code(
        "the station has no service of this number", VEHICLE,
        "Ask for details of services that ServiceDiscoveryRes lists, and of no others."),
    "FAILED_ServiceSelectionInvalid": Code(
        "a service or parameter set was chosen that the station did not offer, or more than one", VEHICLE,
        "Select a pair of service and parameter set that was offered; the charge service is number 1 in DIN 70121."),
    "FAILED_PaymentSelectionInvalid": Code(
        "a way of paying was chosen that the station did not offer", VEHICLE,
        "Choose from PaymentOptions; in DIN 70121 there is ExternalPayment alone, and Contract goes over TLS only."),
    "FAILED_NoChargeServiceSelected": Code(
        "the charge service is not among the services selected", VEHICLE,
        "Select the service of ServiceDiscoveryRes.ChargeService, besides any value-added ones."),
    "FAILED_NoEnergyTransferServiceSelected": Code(
        "no service of energy transfer is selected", VEHICLE,
        "Select an energy transfer service besides any value-added ones."),
    "FAILED_WrongChargeParameter": Code(
        "the vehicle's limits are missing, do not fit the station's, or are of another energy mode", VEHICLE,
        "Compare the limits in ChargeParameterDiscoveryReq with those of the station; a BPT service wants the BPT "
        "types."),
    "FAILED_WrongEnergyTransferType": Code(
        "the station cannot deliver in the way that the vehicle asked for", VEHICLE,
        "Request an energy transfer type that ServiceDiscoveryRes offers."),
    "FAILED_WrongEnergyTransferMode": Code(
        "the station cannot deliver in the way that the vehicle asked for", VEHICLE,
        "Request an energy transfer mode that ServiceDiscoveryRes offers."),
    "FAILED_PowerDeliveryNotApplied": Code(
        "the station is not ready to deliver", STATION,
        "See why the station's supply or contactor was not ready; a vehicle may try again after a new cable check."),
    "FAILED_TariffSelectionInvalid": Code(
        "the vehicle chose a schedule that the station did not offer", VEHICLE,
        "Echo an SAScheduleTupleID of ChargeParameterDiscoveryRes."),
    "FAILED_ScheduleSelectionInvalid": Code(
        "the vehicle chose a schedule that the station did not offer", VEHICLE,
        "Echo a ScheduleTupleID of the last ScheduleExchangeRes."),
    "FAILED_ChargingProfileInvalid": Code(
        "the vehicle's charging profile exceeds the schedule", VEHICLE,
        "Keep the profile below PMax at every time; stations should round PMax up to the nominal product, 3 x 230 V x "
        "16 A being 11040 W."),
    "FAILED_EVPowerProfileInvalid": Code(
        "the vehicle's power profile exceeds the schedule", VEHICLE,
        "Keep the profile below the schedule at every time."),
    "FAILED_EVPowerProfileViolation": Code(
        "the vehicle takes more than its profile says", VEHICLE,
        "Keep to the profile that was sent, or renegotiate it."),
    "FAILED_EVSEPresentVoltageToLow": Code(
        "the voltage at the outlet is too low", STATION,
        "See why the station's supply does not reach the voltage that is asked for."),
    "FAILED_ContactorError": Code(
        "a contactor of the station did not close or open within 3 s", STATION,
        "Check the contactor, its feedback contact and its supply.", ),
    "FAILED_MeteringSignatureNotValid": Code(
        "the signature of the meter receipt does not verify", VEHICLE,
        "Sign the meter data as received, unchanged, with the contract key."),
    "FAILED_SignatureError": Code(
        "a signature is missing or does not verify", VEHICLE,
        "Compare digest and signature: the fragment's grammar (of the whole schema set or of XML Signature alone), the "
        "namespace, r and s as raw octets."),
    "FAILED_ChallengeInvalid": Code(
        "the challenge is not the one that was sent", VEHICLE,
        "Echo GenChallenge of the last PaymentDetailsRes, 16 octets."),
    "FAILED_CertificateExpired": Code(
        "the certificate has expired, or is not valid yet", VEHICLE,
        "Renew the certificate; see whether both clocks are right."),
    "FAILED_CertificateRevoked": Code(
        "the certificate is revoked", VEHICLE,
        "Ask the mobility provider for a new contract certificate."),
    "FAILED_CertChainError": Code(
        "the certificate chain does not lead to a root that the station knows", VEHICLE,
        "Send leaf and all Sub-CAs, and see whether the station has the provider's root."),
    "FAILED_CertificateNotAllowedAtThisEVSE": Code(
        "this contract may not be used here", VEHICLE,
        "Ask the operator about roaming with this mobility provider."),
    "FAILED_NoCertificateAvailable": Code(
        "there is no certificate for this vehicle, or none in time", STATION,
        "See whether the provider has a contract for this vehicle's PCID and whether the backend was reached."),
    "FAILED_ContractCanceled": Code(
        "the contract is cancelled", VEHICLE,
        "Ask the mobility provider."),
    "FAILED_AssociationError": Code(
        "another vehicle is at the device", VEHICLE,
        "See which vehicle stands at this device, and pair anew."),
    "FAILED_NoServiceRenegotiationSupported": Code(
        "the station does not renegotiate services", VEHICLE,
        "Ask for it only where ServiceDiscoveryRes says ServiceRenegotiationSupported."),
    "FAILED_PauseNotAllowed": Code(
        "the station allows no pause here", VEHICLE,
        "Pause after PowerDelivery(Stop) only, or terminate."),
    "FAILED_PowerToleranceNotConfirmed": Code(
        "the power tolerance was not confirmed", VEHICLE,
        "Send PowerToleranceAcceptance where the schedule has a PowerTolerance."),
    "FAILED_ScheduleRenegotiation": Code(
        "the renegotiation of the schedule failed", EITHER,
        "See which side refused, and what of the new schedule."),
    "Failed_NoNegotiation": Code(
        "the station speaks none of the protocols that the vehicle offers", STATION,
        "Offer what both speak."),
    # Warnings of ISO 15118-20: the session goes on
    "WARNING_AuthorizationSelectionInvalid": Code(
        "an authorization service was chosen that the station did not offer", VEHICLE,
        "Choose from AuthorizationServices of AuthorizationSetupRes; without TLS there is EIM alone.", WARNS),
    "WARNING_CertificateExpired": Code(
        "the contract certificate has expired", VEHICLE, "Renew the contract certificate, or pay otherwise.", WARNS),
    "WARNING_CertificateNotYetValid": Code(
        "the contract certificate is not valid yet", VEHICLE, "See whether both clocks are right.", WARNS),
    "WARNING_CertificateRevoked": Code(
        "the contract certificate is revoked", VEHICLE, "Ask the mobility provider for a new one.", WARNS),
    "WARNING_CertificateValidationError": Code(
        "the certificate chain does not verify", VEHICLE,
        "Send leaf and all Sub-CAs, and see whether the station has the provider's root.", WARNS),
    "WARNING_ChallengeInvalid": Code(
        "the challenge is not the one that was sent", VEHICLE, "Echo GenChallenge of AuthorizationSetupRes.", WARNS),
    "WARNING_EIMAuthorizationFailure": Code(
        "the user was not authorized, or cancelled", EITHER,
        "Ask the operator why card or app was refused; the vehicle may ask again.", WARNS),
    "WARNING_eMSPUnknown": Code(
        "the station does not know the mobility provider", EITHER,
        "Ask the operator about roaming with this provider, or pay otherwise.", WARNS),
    "WARNING_GeneralPnCAuthorizationError": Code(
        "Plug & Charge was refused", EITHER, "Ask the operator or provider why, or pay otherwise.", WARNS),
    "WARNING_NoCertificateAvailable": Code(
        "there is no contract certificate for this vehicle, or none in time", STATION,
        "See whether the provider has a contract for this vehicle and whether the backend was reached.", WARNS),
    "WARNING_NoContractMatchingPCIDFound": Code(
        "no contract fits this vehicle's PCID", EITHER, "Ask the mobility provider to assign the contract.", WARNS),
    "WARNING_EVPowerProfileViolation": Code(
        "the vehicle takes more than its profile says", VEHICLE,
        "Keep to the profile that was sent, or renegotiate it.", WARNS),
    "WARNING_PowerToleranceNotConfirmed": Code(
        "the power tolerance was not confirmed", VEHICLE,
        "Send PowerToleranceAcceptance where the schedule has a PowerTolerance.", WARNS),
    "WARNING_ScheduleRenegotiationFailed": Code(
        "the renegotiation failed, and the old schedule stays", EITHER, "See which side refused.", WARNS),
    "WARNING_StandbyNotAllowed": Code(
        "the station allows no standby", VEHICLE, "Stop or go on charging instead.", WARNS),
    "WARNING_WPT": Code(
        "no energy can flow as the vehicle stands, or something lies under it", EITHER,
        "Clear the gap and park anew over the pad; see what the diagnostics of the charge loop say.", WARNS),
}  # fmt: skip
"""Response codes of all protocols that tell of trouble."""

PLAIN: Final[dict[str, Code]] = {
    "ContractAuthenticationRes": Code(
        "the user was not authorized, or stopped", EITHER,
        "Ask the operator why card or app was refused."),
    "AuthorizationRes": Code(
        "the user or contract was not authorized, or somebody stopped", EITHER,
        "Ask the operator why card, app or contract was refused."),
    "CableCheckRes": Code(
        "the isolation is too low, the vehicle did not show state C within 1.5 s, or somebody stopped", EITHER,
        "See on the control pilot whether the vehicle goes to C with its first CableCheckReq; measure the isolation of "
        "outlet, cable and vehicle each alone."),
    "PreChargeRes": Code(
        "the station's supply did not reach the voltage, the vehicle left state C, or somebody stopped", EITHER,
        "See whether the supply follows the target, and what the control pilot shows."),
    "PowerDeliveryRes": Code(
        "the station cannot deliver: a contactor, its supply, the control pilot not in C or D, or somebody stopped",
        EITHER,
        "See on the control pilot whether the vehicle shows C or D; then the station's log."),
    "CurrentDemandRes": Code(
        "the station ends the delivery at once: emergency stop, a fault, the control pilot left C, isolation", EITHER,
        "Read the station's log at this moment, and see what the control pilot showed."),
    "ChargeLoopRes": Code(
        "the station ends the delivery at once: emergency stop, a fault, the control pilot left C, isolation", EITHER,
        "Read the station's log at this moment, and see what the control pilot showed."),
    "ChargingStatusRes": Code(
        "the station ends the delivery at once: emergency stop, a fault, the control pilot left C, residual current",
        EITHER,
        "Read the station's log at this moment, and see what the control pilot showed."),
    "WeldingDetectionRes": Code(
        "the vehicle did not leave state C, or the station finds itself out of order", EITHER,
        "See on the control pilot whether the vehicle goes to B before WeldingDetectionReq."),
    "ConnectRes": Code(
        "the contacts did not get to the vehicle, or another vehicle stands there", EITHER,
        "See what stops the pantograph, and which vehicle stands below it."),
}  # fmt: skip
"""What plain FAILED is likely to mean in an answer; of ISO 15118-20 without the energy mode in front."""

STATUS: Final[dict[str, str]] = {
    "EVSE_Shutdown": "the station or its operator ends the session; the vehicle is to ramp down",
    "EVSE_UtilityInterruptEvent": "the grid side interrupts",
    "EVSE_EmergencyShutdown": "emergency stop: current to zero at once",
    "EVSE_Malfunction": "the station is out of order",
    "EVSEEmergencyShutdown": "emergency stop: current to zero at once",
    "EVSEMalfunction": "the station is out of order",
    "EVSEUtilityInterruptEvent": "the grid side interrupts",
    "EVSEDisabled": "the station is disabled",
}
"""Status codes of stations that end a session."""

ERRORS: Final[dict[str, Code]] = {
    "FAILED_RESSTemperatureInhibit": Code(
        "the battery's temperature does not allow charging", VEHICLE,
        "Let the battery warm up or cool down, and try again."),
    "FAILED_EVShiftPosition": Code("the vehicle is not in park", VEHICLE, "Put it in park."),
    "FAILED_ChargerConnectorLockFault": Code(
        "the connector is not locked", VEHICLE, "Put the plug in again; check the lock of the inlet and its feedback."),
    "FAILED_EVRESSMalfunction": Code("the battery is faulty", VEHICLE, "Read the vehicle's fault memory."),
    "FAILED_ChargingCurrentdifferential": Code(
        "the vehicle measures another current than the station reports, or than was asked for", EITHER,
        "Compare EVSEPresentCurrent with a measurement of your own: a station that reports current that does not flow, "
        "or delivers none, is left like this."),
    "FAILED_ChargingVoltageOutOfRange": Code(
        "the vehicle measures a voltage out of range", EITHER,
        "Compare EVSEPresentVoltage with a measurement at the inlet."),
    "FAILED_ChargingSystemIncompatibility": Code(
        "the vehicle finds the station's limits incompatible with its own", EITHER,
        "Compare the limits of both sides in ChargeParameterDiscovery."),
}  # fmt: skip
"""EVErrorCodes."""

DIAGNOSTICS: Final[dict[str, str]] = {
    "SPCFODDetected": "a foreign object lies in the field",
    "SPCLOPDetected": "a living object is in the field",
    "SPCTempOverheatDetected": "the pad is too hot",
    "SPCPowerTransferAnomalyDetected": "the pad finds the power transfer out of order",
    "SPCAnomalyDetected": "the pad is out of order",
    "EVPCTempOverheatDetected": "the vehicle's device is too hot",
    "EVPCPowerTransferAnomalyDetected": "the vehicle finds the power transfer out of order",
    "EVPCAnomalyDetected": "the vehicle's device is out of order",
}
"""Diagnostics of wireless charging."""
