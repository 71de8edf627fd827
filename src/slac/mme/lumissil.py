"""Messages of Lumissil modems (CG5317).

Sent in version 1 with FMI, as the maker's host library does. Another stack uses version 0 without: read likewise, and
made with `mmv=0`.
"""

from __future__ import annotations

from typing import Any, Final

from construct import Struct

from slac.mme.fields import U8, U16, Format, message, octets, of_vendor

LUMISSIL: Final = bytes.fromhex("0016E8")


def _message(*fields: Any) -> Struct:
    """The maker's header and the fields behind it."""
    return Struct(
        "main_version" / U16,
        "rsvd0" / octets(4),
        "request_id" / U8,  # of the request, again in its answer
        "rsvd1" / octets(12),
        *fields,
    )


HEADER_ONLY: Final = _message()
D_LINK_READY: Final = 0xA002
"""The only vendor message without OUI."""

lumissil = of_vendor(LUMISSIL, mmv=1)

FORMATS: Final[list[Format]] = [
    *message("NSCM_D_LINK_READY", D_LINK_READY, IND=Struct("status" / U8)),  # 0 no link, 1 link
    *lumissil(
        "NSCM_GET_VERSION",
        0xAC6C,
        REQ=HEADER_ONLY,
        CNF=_message(
            "version_major" / U16,
            "version_minor" / U16,
            "version_patch" / U16,
            "version_build" / U16,
            "reserved" / U16,
        ),
    ),
    *lumissil("NSCM_RESET_DEVICE", 0xAC70, REQ=_message("mode" / U8)),  # 0 normal; never answered
    *lumissil(
        "NSCM_GET_D_LINK_STATUS",
        0xAC9C,
        REQ=HEADER_ONLY,
        CNF=_message("link_status" / U8),  # 0 none, 1 established
    ),
    *lumissil(
        "NSCM_HOST_MESSAGE_STATUS",
        0xACA2,
        IND=_message("host_message_status" / U8),  # 1 ready to join, 2 joined a network, 3 disconnected
    ),
    *lumissil("NSCM_D_LINK_TERMINATE", 0xACA8, REQ=HEADER_ONLY, CNF=HEADER_ONLY),
    *lumissil("NSCM_DEVICE_INFO", 0xACAC, REQ=None, CNF=None),
    *lumissil("NSCM_GET_AMP_MAP", 0xACB0, REQ=None, CNF=None),
]


def is_d_link_ready(mmtype: int, mmv: int, body: bytes) -> bool:
    """Whether this is NSCM_D_LINK_READY.IND: its one octet stands where others have the OUI, and nothing follows."""
    return mmtype == D_LINK_READY and mmv > 0 and body[:1] in (b"\0", b"\1") and not any(body[1:])
