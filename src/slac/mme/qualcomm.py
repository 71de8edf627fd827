"""Messages of Intellon, Atheros and Qualcomm modems: INT6000, QCA7000, QCA7005, QCA7420. Version 0, without FMI.

The OUI is followed by a status in most answers; 0 is success.
"""

from __future__ import annotations

from typing import Any, Final

from construct import Default, Int8ul, Int16ul, PrefixedArray, Struct

from slac.mme.fields import (
    EMPTY,
    KEY,
    MAC,
    NID,
    U8,
    U16,
    U32,
    Format,
    count,
    entries,
    numbers,
    octets,
    octets_of,
    of_vendor,
    optional,
    rest,
    text,
)

QUALCOMM: Final = bytes.fromhex("00B052")
NO_OUI: Final = bytes(3)
"""In the attenuation characteristics of some firmwares."""

NW_INFO_OCTETS, STATION_OCTETS = 32, 24
"""Of an entry and of a station in the long form of VS_NW_INFO."""


def _length(this: Any) -> int:
    """What data_length counts: the octets behind it, without the reserved one."""
    avlns = this.get("avlns") or ()
    return 1 + 1 + sum(NW_INFO_OCTETS + STATION_OCTETS * len(each.get("stas") or ()) for each in avlns)


NW_INFO_SHORT: Final = Struct(
    "num_avlns" / count("avlns"),
    "avlns"
    / entries(
        "num_avlns",
        "nid" / NID,
        "snid" / U8,
        "tei" / U8,
        "role" / U8,  # 0 station, 1 proxy CCo, 2 CCo
        "cco_mac" / MAC,
        "cco_tei" / U8,
        "stas"
        / Default(
            PrefixedArray(
                Int8ul,
                Struct(
                    "mac" / MAC,
                    "tei" / U8,
                    "bda" / MAC,  # an address that it is a bridge to
                    "avg_tx" / U8,  # Mbit/s
                    "avg_rx" / U8,
                ),
            ),
            (),
        ),
    ),
)
NW_INFO_LONG: Final = Struct(
    "sub_version" / U8,
    "rsvd" / U8,
    "data_length" / Default(Int16ul, _length),
    "rsvd2" / U8,
    "num_avlns" / count("avlns"),
    "avlns"
    / entries(
        "num_avlns",
        "nid" / NID,
        "rsvd1" / octets(2),
        "snid" / U8,
        "tei" / U8,
        "rsvd2" / octets(4),
        "role" / U8,
        "cco_mac" / MAC,
        "cco_tei" / U8,
        "rsvd3" / octets(3),
        "num_stas" / count("stas"),
        "rsvd4" / octets(5),
        "stas"
        / entries(
            "num_stas",
            "mac" / MAC,
            "tei" / U8,
            "rsvd1" / octets(3),
            "bda" / MAC,
            "avg_tx" / U16,  # Mbit/s
            "rsvd2" / octets(2),  # coupling, reserved
            "avg_rx" / U16,
            "rsvd3" / octets(2),
        ),
    ),
)

ATTENUATION: Final = Struct(
    "pev_mac" / MAC,
    "num_groups" / count("aag"),  # 0: nothing measured
    "rsvd0" / U8,
    "carriers_per_group" / Default(Int8ul, 16),
    "rsvd1" / octets(7),
    "aag" / numbers("num_groups"),  # dB for each group of carriers
)

ATTRIBUTES: Final = Struct(
    "hardware" / text(16),
    "software" / text(16),
    "version_major" / U32,
    "version_minor" / U32,
    "version_pib" / U32,
    "version_build" / U32,
    "reserved" / U32,
    "date" / text(8),
    "release" / text(12),
)

qualcomm = of_vendor(QUALCOMM, mmv=0)

FORMATS: Final[list[Format]] = [
    *qualcomm(
        "VS_SW_VER",
        0xA000,
        REQ=EMPTY,
        CNF=Struct(
            "mstatus" / U8,
            "device_id" / U8,  # 0x20 QCA7420, 0x22 QCA7000 and QCA7005
            "ver_len" / U8,
            "version" / text(64),
            optional("upgradable", U8),
        ),
    ),
    *qualcomm("VS_RS_DEV", 0xA01C, REQ=EMPTY, CNF=Struct("mstatus" / U8)),
    *qualcomm("VS_LNK_STATS", 0xA030, REQ=None, CNF=None),
    *qualcomm("VS_NW_INFO", 0xA038, versions=range(1), REQ=EMPTY, CNF=NW_INFO_SHORT),
    *qualcomm("VS_NW_INFO", 0xA038, mmv=1, versions=range(1, 256), REQ=EMPTY, CNF=NW_INFO_LONG),
    *qualcomm("VS_LOOPBACK", 0xA048, REQ=None, CNF=None),
    *qualcomm(
        "VS_SET_KEY",
        0xA050,
        REQ=Struct(
            "eks" / Default(Int8ul, 1),  # 1 NMK
            "nmk" / KEY,
            "peks" / Default(Int8ul, 0x0F),  # 0x0F the local modem, 0 a remote one by its DAK
            "rda" / MAC,  # the remote one
            "dak" / KEY,
        ),
        CNF=Struct("mstatus" / U8),  # 0x10 invalid eks, 0x11 invalid peks
    ),
    # A modem without flash asks for its firmware (action 0), again and again. The short form has a major and a minor
    # number behind the action; the long one session id, retries outstanding (2 octets), retry timer (2, unit 10 ms).
    *qualcomm(
        "VS_HOST_ACTION",
        0xA062,
        IND=Struct("host_action" / U8, optional("session_id_or_major", U8), "rest_raw" / rest(4)),
        RSP=Struct(
            "mstatus" / U8,
            optional("host_action", U8),
            optional("session_id", U8),
            optional("outstanding_retries", U16),
        ),
    ),
    *qualcomm(
        "VS_OP_ATTRIBUTES",
        0xA068,
        REQ=Struct("cookie" / U32, "rtype" / U8),  # rtype 0: binary
        CNF=Struct(
            "mstatus" / U16,
            "cookie" / U32,
            "rtype" / U8,
            "length" / count("data", Int16ul),
            "data" / octets_of("length"),  # see `operating_attributes`
        ),
    ),
    *qualcomm("VS_ENET_SETTINGS", 0xA06C, REQ=None, CNF=None),
    *qualcomm("VS_TONE_MAP_CHAR", 0xA070, REQ=None, CNF=None),
    *qualcomm("VS_RX_TONE_MAP_CHAR", 0xA090, REQ=None, CNF=None),
    *qualcomm("VS_MODULE_OPERATION", 0xA0B0, REQ=None, CNF=None),
    *qualcomm(
        "VS_PL_LNK_STATUS",
        0xA0B8,
        REQ=EMPTY,
        CNF=Struct("mstatus" / U8, "link_status" / U8),  # 1: in a network with another station
    ),
    *qualcomm("VS_GET_PROPERTY", 0xA0F8, REQ=None, CNF=None),
    # The same as CM_ATTEN_PROFILE.IND, and besides it: each sound counts once.
    *qualcomm("VS_ATTENUATION_CHARACTERISTICS", 0xA14E, IND=ATTENUATION),
    *qualcomm("VS_ATTENUATION_CHARACTERISTICS", 0xA14E, oui=NO_OUI, IND=ATTENUATION),
]


def operating_attributes(data: bytes) -> dict[str, Any]:
    """The binary report of VS_OP_ATTRIBUTES.CNF as far as it is told here: chip, firmware, date and release."""
    read = ATTRIBUTES.parse(bytes(data).ljust(72, b"\0"))
    return {name: str(value) if isinstance(value, str) else value for name, value in read.items() if name != "_io"}
