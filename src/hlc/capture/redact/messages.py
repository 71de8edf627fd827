"""V2G messages, discovery and HomePlug messages without identities, each as long as it was.

Octets in a V2G message are an identity unless their name says otherwise: session IDs, certificates, signatures,
challenges, keys, contract data. Texts and numbers are one where their name is in a table. Everything else is what the
session was about, and stays: EVSEIDs (they are of the station), services, prices, times, meter readings, limits.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import msgspec

import exi
from exi.declare import AnyElement
from hlc import sdp
from hlc.capture.redact.pseudonyms import Pseudonyms
from slac import Mme

KEPT_OCTETS: Final = frozenset({"EVSEID"})
TEXTS: Final = frozenset(
    """
    BSSID ContractID EMAID EVCCID GenChallenge IPAddress MeterID RootCertificateID SSID X509IssuerName eMAID Target
    """.split()
)
"""Elements whose text is an identity."""
VALUES: Final = frozenset({"EMAID", "KeyName", "MgmtData", "X509SubjectName", "XPath"})
"""Types whose content is."""
IDS: Final = frozenset({"Id", "URI"})
NUMBERS: Final = frozenset({"X509SerialNumber"})

KEYS: Final = frozenset({"nmk", "new_key", "key", "dak"})
KEPT: Final = frozenset({"ef", "oui"})
"""Octets of HomePlug messages that tell what a modem can do."""


ADDRESS: Final = 16
"""Octets of the station's address, which come first in an answer of discovery."""
EVID: Final = 5
"""Where the name of the vehicle stands in a wireless request."""


class Foreign(Exception):  # noqa: N818 - it says what is the case
    """The message holds elements that no schema describes."""


def payload(names: Pseudonyms, schema: str, message: Any, octets: bytes, surplus: int) -> bytes | None:
    """The payload of a V2G message without identities, as long as `octets`; None where it cannot be.

    `surplus` octets behind the message are zeros in it.
    """
    try:
        new = exi.schema(schema).encode(_value(names, message, "", ""))
    except (Foreign, exi.EncodeError):
        return None
    return new + bytes(surplus) if len(new) == len(octets) - surplus else None


def _value(names: Pseudonyms, value: Any, name: str, kind: str) -> Any:
    """A value of the element `name` in the type `kind`."""
    if isinstance(value, AnyElement):
        raise Foreign
    if isinstance(value, msgspec.Struct):
        kind = type(value).__name__
        old = {field: getattr(value, field) for field in value.__struct_fields__}
        changed = {field: _value(names, each, field, kind) for field, each in old.items()}
        return msgspec.structs.replace(value, **{field: new for field, new in changed.items() if new is not old[field]})
    if isinstance(value, list):
        return [_value(names, each, name, kind) for each in value]
    if isinstance(value, bytes):
        if name in KEPT_OCTETS:
            return value
        return names.evccid(value) if name == "EVCCID" else names.octets(value)
    if isinstance(value, str) and not isinstance(value, Enum):
        if name in TEXTS or name == "content" or (name == "value" and kind in VALUES):
            return names.text(value)
        if name in IDS:
            return names.id(value)
    if isinstance(value, int) and name in NUMBERS:
        return names.number(value)
    if hasattr(value, "_fields"):  # Element: a name and its value
        return value._replace(value=_value(names, value.value, value.name, kind))
    return value


def discovery(names: Pseudonyms, kind: int, payload: bytes) -> bytes:
    """The payload of a message of discovery: the address of the station is an identity, and so is the name of the
    vehicle. Raises `sdp.SdpError` for what is none."""
    message = sdp.parse(kind, payload)
    if isinstance(message, sdp.SdpResponse | sdp.SdpWirelessResponse):
        return names.address(payload[:ADDRESS]) + payload[ADDRESS:]
    if isinstance(message, sdp.SdpWirelessRequest) and message.evid != sdp.EVID_UNKNOWN:
        new = names.text(message.evid).encode()
        return payload[:EVID] + new + payload[EVID + len(new) :]
    return payload


def homeplug(names: Pseudonyms, mme: Mme) -> Mme:
    """A HomePlug message: MAC addresses, run IDs, keys, NIDs. What is not understood of it is zeros."""
    return msgspec.structs.replace(
        mme,
        source=names.mac(mme.source),
        destination=names.mac(mme.destination),
        fields={name: _field(names, name, each) for name, each in mme.fields.items()},
        filler={name: bytes(len(each)) for name, each in mme.filler.items()},
        tail=bytes(len(mme.tail)),
    )


def _field(names: Pseudonyms, name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _field(names, key, each) for key, each in value.items()}
    if isinstance(value, list):
        return [_field(names, name, each) for each in value]
    if name in ("payload", "text"):
        return bytes(len(value)) if isinstance(value, bytes) else " " * len(value)
    if not isinstance(value, bytes) or name in KEPT:
        return value
    if name in KEYS:
        return names.nmk(value)
    if name == "nid":
        return names.nid(value)
    if name == "run_id":
        return names.run_id(value)
    return names.mac(value) if len(value) == 6 else names.octets(value)


def learn(names: Pseudonyms, mme: Mme) -> None:
    """Look at the keys in a HomePlug message, so that a NID which comes before its key gets the right pseudonym."""
    for name, value in mme.fields.items():
        if name in KEYS and isinstance(value, bytes):
            names.nmk(value)
