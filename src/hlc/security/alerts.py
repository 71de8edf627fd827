"""Alerts of TLS, and what they and the library's reasons mean for a vehicle and a station, with what to do.
(RFC 8446 6, RFC 6066, RFC 8446 appendix B.2)
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Alert(IntEnum):
    """Descriptions of alerts."""

    CLOSE_NOTIFY = 0
    UNEXPECTED_MESSAGE = 10
    BAD_RECORD_MAC = 20
    RECORD_OVERFLOW = 22
    HANDSHAKE_FAILURE = 40
    BAD_CERTIFICATE = 42
    UNSUPPORTED_CERTIFICATE = 43
    CERTIFICATE_REVOKED = 44
    CERTIFICATE_EXPIRED = 45
    CERTIFICATE_UNKNOWN = 46
    ILLEGAL_PARAMETER = 47
    UNKNOWN_CA = 48
    ACCESS_DENIED = 49
    DECODE_ERROR = 50
    DECRYPT_ERROR = 51
    PROTOCOL_VERSION = 70
    INSUFFICIENT_SECURITY = 71
    INTERNAL_ERROR = 80
    USER_CANCELED = 90
    NO_RENEGOTIATION = 100
    MISSING_EXTENSION = 109
    UNSUPPORTED_EXTENSION = 110
    UNRECOGNIZED_NAME = 112
    BAD_CERTIFICATE_STATUS_RESPONSE = 113
    CERTIFICATE_REQUIRED = 116


MEANINGS: Final = {
    Alert.HANDSHAKE_FAILURE: "no version, suite, group or signature algorithm in common, or no certificate to suit it",
    Alert.BAD_CERTIFICATE: "our certificate, or one above it, is damaged or its signature is wrong",
    Alert.UNSUPPORTED_CERTIFICATE: "our certificate may not be used for this: look at its usages and its curve",
    Alert.CERTIFICATE_REVOKED: "our certificate, or one above it, is revoked: have a new one issued",
    Alert.CERTIFICATE_EXPIRED: "our certificate, or one above it, is out of date, or the clock of one side is wrong",
    Alert.CERTIFICATE_UNKNOWN: "it does not accept our certificate, and does not say why",
    Alert.UNKNOWN_CA: "it does not have our root, or a certificate between was not sent: install the root at its side",
    Alert.ACCESS_DENIED: "our certificate is good, but it does not let us in",
    Alert.DECRYPT_ERROR: "a signature of ours is wrong: does the private key belong to the certificate?",
    Alert.PROTOCOL_VERSION: "it speaks another version of TLS",
    Alert.INSUFFICIENT_SECURITY: "it wants stronger suites than ours",
    Alert.INTERNAL_ERROR: "something went wrong inside it",
    Alert.USER_CANCELED: "somebody there stopped it",
    Alert.BAD_CERTIFICATE_STATUS_RESPONSE: "the OCSP response of our certificate is missing, old or wrong",
    Alert.CERTIFICATE_REQUIRED: "it wants the vehicle's certificate, without which there is no ISO 15118-20",
}
"""What an alert means to who receives it."""

REASONS: Final = {
    "no shared cipher": "no cipher suite in common",
    "no suitable key share": "no group for the key exchange in common",
    "no suitable groups": "no group for the key exchange in common",
    "no suitable signature algorithm": "no signature algorithm in common that suits the certificate",
    "no shared signature algorithms": "no signature algorithm in common",
    "peer did not return a certificate": "it sent no certificate, and ISO 15118-20 wants that of the vehicle",
    "wrong version number": "what it sent is no TLS",
    "unsupported protocol": "it speaks another version of TLS",
    "http request": "it speaks HTTP",
    "packet length too long": "a record is longer than TLS allows",
    "encrypted length too long": "a record is longer than TLS allows",
    "data length too long": "a record is longer than TLS allows",
    "bad record mac": "what it sent was changed on the way, or it has lost the keys",
    "decryption failed or bad record mac": "what it sent was changed on the way, or it has lost the keys",
    "no renegotiation": "it wanted to negotiate again, which is not done here",
    "unexpected message": "a message out of order",
    "wrong signature type": "it signed with an algorithm that was not offered",
    "bad signature": "its signature is wrong: its private key does not belong to its certificate",
    "wrong curve": "the curve of its key was not offered",
}
"""What the library's reasons mean: by the words in which it puts them."""


def name(alert: int) -> str:
    """As the standards write it."""
    return Alert(alert).name.lower() if alert in Alert.__members__.values() else f"{alert}"
