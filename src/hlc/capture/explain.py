"""What the codes that a peer sends mean, for a reader who does not have the standard at hand."""

from __future__ import annotations

from typing import Final

RESPONSE: Final = {
    "FAILED": "no more special code fits: the user or an emergency stop, an isolation fault, a contactor",
    "FAILED_SequenceError": "this request may not follow the one before",
    "FAILED_ServiceIDInvalid": "the station has no service of this number",
    "FAILED_UnknownSession": "the session ID is not the one that the station gave",
    "FAILED_ServiceSelectionInvalid": "a service was chosen that the station did not offer, or more than one",
    "FAILED_PaymentSelectionInvalid": "a way of paying was chosen that the station did not offer",
    "FAILED_WrongChargeParameter": "the vehicle's limits are missing, or do not fit the station's",
    "FAILED_WrongEnergyTransferType": "the station cannot deliver in the way that the vehicle asked for",
    "FAILED_PowerDeliveryNotApplied": "the station is not ready to deliver",
    "FAILED_TariffSelectionInvalid": "the vehicle chose a schedule that the station did not offer",
    "FAILED_ChargingProfileInvalid": "the vehicle's charging profile exceeds the schedule",
    "FAILED_EVSEPresentVoltageToLow": "the voltage at the outlet is too low",
    "FAILED_CertificateExpired": "the contract certificate has expired",
    "FAILED_SignatureError": "the signature does not verify",
    "FAILED_NoCertificateAvailable": "there is no certificate for this vehicle",
    "FAILED_CertChainError": "the certificate chain does not lead to a known root",
    "FAILED_ChallengeInvalid": "the challenge is not the one that was sent",
    "FAILED_ContractCanceled": "the contract is cancelled",
    "FAILED_MeteringSignatureNotValid": "the signature of the meter receipt does not verify",
}
"""Response codes (DIN SPEC 70121 and ISO 15118-2)."""

STATUS: Final = {
    "EVSE_Shutdown": "the station or its operator ends the session; the vehicle is to ramp down",
    "EVSE_UtilityInterruptEvent": "the grid side interrupts",
    "EVSE_EmergencyShutdown": "emergency stop: current to zero at once",
    "EVSE_Malfunction": "the station is out of order",
}
"""DC_EVSEStatusCodes that end a session."""

VEHICLE: Final = {
    "FAILED_RESSTemperatureInhibit": "the battery's temperature does not allow charging",
    "FAILED_EVShiftPosition": "the vehicle is not in park",
    "FAILED_ChargerConnectorLockFault": "the connector is not locked",
    "FAILED_EVRESSMalfunction": "the battery is faulty",
    "FAILED_ChargingCurrentdifferential": "the vehicle measures another current than was agreed",
    "FAILED_ChargingVoltageOutOfRange": "the vehicle measures a voltage out of range",
    "FAILED_ChargingSystemIncompatibility": "the vehicle finds the station's limits incompatible with its own",
}
"""DC_EVErrorCodes."""
