"""What each certificate must be: the hierarchies of ISO 15118-2 (annex F) and ISO 15118-20 (annex B) as one table.

Made and checked by the same rows. The days are those of the example hierarchy that the field grew up with, except the
roots', which the standards recommend to last 40 years.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Role(StrEnum):
    """Whose certificate it is at the end of a chain; also the name of its files."""

    SECC = "secc"
    VEHICLE = "vehicle"
    CONTRACT = "contract"
    PROVISIONING = "provisioning"
    CPS = "cps"


class Root(StrEnum):
    """The roots that a directory may hold; also the name of their files."""

    V2G = "v2g"
    OEM = "oem"
    MO = "mo"


class Profile(NamedTuple):
    """One certificate of a hierarchy."""

    name: str
    issuer: str | None
    """None: it signs itself."""
    common_name: str
    domain: str | None
    """Domain component of its subject."""
    usage: frozenset[str]
    """By the names of RFC 5280."""
    path_length: int | None
    """For a CA: how many CAs may follow. None: no bound in a root, no CA in a leaf."""
    days: int
    purpose: str | None = None
    """Extended key usage."""

    @property
    def ca(self) -> bool:
        """Whether it may sign certificates."""
        return "keyCertSign" in self.usage


def _usage(words: str) -> frozenset[str]:
    return frozenset(words.split())


CA: Final = _usage("keyCertSign cRLSign")
SIGNING_CA: Final = _usage("keyCertSign cRLSign digitalSignature nonRepudiation")
"""MO Sub-CA 2 signs the sales tariffs too."""
ENDS: Final = _usage("digitalSignature keyAgreement")
YEARS: Final = 365

PROFILES: Final = (
    #       name                issuer              common name          domain  usage       path  days
    Profile("v2g", None, "V2G Root CA", "V2G", CA, None, 40 * YEARS),
    Profile("cpo-sub-ca-1", "v2g", "CPO Sub-CA 1", "V2G", CA, 1, 4 * YEARS),
    Profile("cpo-sub-ca-2", "cpo-sub-ca-1", "CPO Sub-CA 2", "V2G", CA, 0, 1 * YEARS),
    Profile("secc", "cpo-sub-ca-2", "DEOHCSECC0001", "CPO", ENDS, None, 60, "serverAuth"),
    Profile("prov-sub-ca-1", "v2g", "Prov Sub-CA 1", "CPS", CA, 1, 4 * YEARS),
    Profile("prov-sub-ca-2", "prov-sub-ca-1", "Prov Sub-CA 2", "CPS", CA, 0, 2 * YEARS),
    Profile("cps", "prov-sub-ca-2", "CPS", "CPS", _usage("digitalSignature"), None, 90),
    Profile("mo", None, "MO Root CA", "MO", CA, None, 40 * YEARS),
    Profile("mo-sub-ca-1", "mo", "MO Sub-CA 1", "MO", CA, 1, 4 * YEARS),
    Profile("mo-sub-ca-2", "mo-sub-ca-1", "MO Sub-CA 2", "MO", SIGNING_CA, 0, 4 * YEARS),
    Profile(
        "contract",
        "mo-sub-ca-2",
        "DEOHC1A2B3C4D5C",
        "MO",
        _usage("digitalSignature nonRepudiation keyEncipherment keyAgreement"),
        None,
        2 * YEARS,
    ),
    Profile("oem", None, "OEM Root CA", "OEM", CA, None, 40 * YEARS),
    Profile("oem-sub-ca-1", "oem", "OEM Sub-CA 1", "OEM", CA, 1, 4 * YEARS),
    Profile("oem-sub-ca-2", "oem-sub-ca-1", "OEM Sub-CA 2", "OEM", CA, 0, 4 * YEARS),
    Profile("provisioning", "oem-sub-ca-2", "WMI00000000000001X", "OEM", ENDS, None, 4 * YEARS),
    Profile("vehicle-sub-ca-1", "oem", "Vehicle Sub-CA 1", "OEM", CA, 1, 4 * YEARS),
    Profile("vehicle-sub-ca-2", "vehicle-sub-ca-1", "Vehicle Sub-CA 2", "OEM", CA, 0, 4 * YEARS),
    # [V2G20-2598] its subject has the EVCCID and the maker, nothing else
    Profile("vehicle", "vehicle-sub-ca-2", "HLCV0000000000000001", None, ENDS, None, 4 * YEARS, "clientAuth"),
)
"""Issuers come before what they issue."""

BY_NAME: Final = {profile.name: profile for profile in PROFILES}

ANCHORS: Final = {
    Role.SECC: (Root.V2G,),
    Role.CPS: (Root.V2G,),
    Role.CONTRACT: (Root.MO, Root.V2G),
    Role.PROVISIONING: (Root.OEM, Root.V2G),  # [V2G20-2333]
    Role.VEHICLE: (Root.OEM, Root.V2G),  # [V2G20-2331]
}
"""Under which roots a chain of each role may stand."""

WHOSE: Final = {
    Role.SECC: "a station's (SECC)",
    Role.VEHICLE: "a vehicle's (TLS client)",
    Role.CONTRACT: "a contract",
    Role.PROVISIONING: "an OEM provisioning certificate",
    Role.CPS: "a provisioning service's (CPS)",
}
"""Each role in words, after "this certificate is"."""

MOST_SUB_CAS: Final = 2
OCSP_DAYS: Final = 7  # [V2G20-1021]
"""How long an OCSP response is good for."""

TEST_MARK: Final = "openhlc TEST PKI"
"""Organization in every certificate of a hierarchy that we make: its roots deserve nobody's trust."""
THROW_AWAY_MARK: Final = "openhlc throw-away PKI"
"""Organization in those that a simulation makes for itself; such roots are refused wherever a file holds them."""
