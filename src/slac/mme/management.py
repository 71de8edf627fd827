"""The standard messages besides those of a matching run: networks, stations, keys, amplitude map."""

from __future__ import annotations

from typing import Any, Final

from construct import Construct, Default, If, Int8ul, Int16ul, Struct, this

from slac.mme.fields import (
    EMPTY,
    KEY,
    MAC,
    NID,
    NONCE,
    U8,
    U16,
    Format,
    count,
    entries,
    message,
    octets,
    octets_of,
    several,
)


class _Nibbles(Construct):  # type: ignore[misc]  # construct has no types
    """Numbers of four bits, the first in the low half of an octet, as many as `am_len` says and the frame holds.

    Padding in the last half octet is left out where it is zero, and is one number more where it is not.
    """

    def _parse(self, stream: Any, context: Any, path: str) -> list[int]:
        data = stream.read((context.am_len + 1) // 2)
        found = [half for octet in data for half in (octet & 15, octet >> 4)]
        if len(found) > context.am_len and not found[-1]:
            found.pop()
        return found

    def _build(self, obj: list[int], stream: Any, context: Any, path: str) -> list[int]:
        if not all(0 <= each <= 15 for each in obj):
            raise ValueError("am_data: numbers of four bits are 0 to 15")
        padded = [*obj, 0]
        stream.write(bytes(padded[at] | padded[at + 1] << 4 for at in range(0, len(obj), 2)))
        return obj


CAPABILITIES: Final = Struct(
    "green_phy_capability" / U8,  # 1 Green PHY alone
    "power_save_capability" / U8,
    "gp_pref_alloc_capability" / U8,
    "repeating_routing_capability" / U8,
    "homeplug_av_version" / U8,  # 0 AV 1.1, 1 AV 2.0, 0xFF no AV
    "efl" / count("ef"),
    "ef" / octets_of("efl"),
)


def _statistics(rate: Any) -> Struct:
    return Struct(
        "num_stas" / count("stas"), "stas" / entries("num_stas", "mac" / MAC, "avg_tx" / rate, "avg_rx" / rate)
    )


FORMATS: Final[list[Format]] = [
    *message("CC_LINK_INFO", 0x0008, REQ=None, CNF=None, IND=None, RSP=None),
    *message(
        "CC_DISCOVER_LIST",
        0x0014,
        REQ=EMPTY,
        CNF=Struct(
            "num_stas" / count("stas"),
            "stas"
            / entries(
                "num_stas",
                "mac" / MAC,
                "tei" / U8,
                "same_network" / U8,
                "snid" / U8,
                "caps" / U8,
                "signal_level" / U8,
                "avg_ble" / U8,
            ),
            "num_nets" / count("nets"),
            "nets"
            / entries(
                "num_nets",
                "nid" / NID,
                "snid" / U8,
                "hybrid_mode" / U8,
                "num_beacon_slots" / U8,
                "cco_status" / U8,
                "beacon_offset" / U16,
            ),
        ),
    ),
    *message(
        "CC_ASSOC",
        0x0030,
        REQ=Struct(
            "req_type" / U8,  # 0 new, 1 renewal
            "nid" / NID,
            "cco_capability" / U8,
            "pnc" / U8,  # can serve as proxy
        ),
        CNF=Struct(
            "result" / U8,  # 0 associated, 1 no room now, 2 no room ever, 3 other failure
            "nid" / NID,
            "snid" / U8,
            "sta_tei" / U8,
            "lease_time" / U16,  # minutes
        ),
    ),
    *message(
        "CC_SET_TEI_MAP",
        0x0038,
        REQ=EMPTY,
        IND=Struct(
            "mode" / U8,  # 0 the whole list, 1 add, 2 remove
            "num" / count("entries"),
            "entries"
            / entries(
                "num",
                "tei" / U8,
                "mac" / MAC,
                "status" / U8,  # 0 associated, 1 authenticated, 2 disassociated
            ),
        ),
    ),
    *message("CM_UNASSOCIATED_STA", 0x6002, IND=Struct("nid" / NID, "cco_capability" / U8)),
    # What is encrypted is the tail, `len` octets of it and padding.
    *message(
        "CM_ENCRYPTED_PAYLOAD",
        0x6006,
        IND=Struct(
            "peks" / U8,  # key that it is encrypted with
            "avln_status" / U8,
            "pid" / U8,
            "prn" / U16,
            "pmn" / U8,
            "iv" / octets(16),
            "len" / U16,
        ),
        RSP=Struct(
            "result" / U8,  # 0 success, 1 failure, 2 aborted or not supported
            "pid" / U8,
            "prn" / U16,
        ),
    ),
    *message(
        "CM_GET_KEY",
        0x600C,
        REQ=Struct(
            "request_type" / U8,  # 0 direct
            "requested_key_type" / Default(Int8ul, 1),  # 1 NMK
            "nid" / NID,
            "my_nonce" / NONCE,
            "pid" / Default(Int8ul, 4),  # 4 protocol of the host
            "prn" / U16,
            "pmn" / U8,
        ),
        CNF=Struct(
            "result" / U8,  # 0 granted
            "requested_key_type" / Default(Int8ul, 1),
            "my_nonce" / NONCE,
            "your_nonce" / NONCE,
            "nid" / NID,
            "eks" / Default(Int8ul, 1),
            "pid" / Default(Int8ul, 4),
            "prn" / U16,
            "pmn" / Default(Int8ul, 0xFF),
            "key" / KEY,
        ),
    ),
    # Version 1 in older stacks, 2 in newer ones. Whether am_len counts carriers or octets is disputed: carriers here.
    *message(
        "CM_AMP_MAP",
        0x601C,
        REQ=Struct(
            "am_len" / count("am_data", Int16ul),  # 0 is invalid: no answer is due
            "am_data" / Default(_Nibbles(), ()),  # 0 to 15 for each carrier; the reduction in steps of 2 dB
        ),
        CNF=Struct("result" / U8),  # 0 success, 1 failure
    ),
    *message(
        "CM_BRG_INFO",
        0x6020,
        REQ=EMPTY,
        CNF=Struct(
            "bsf" / U8,  # 1 bridging; the fields below are there then
            "btei" / If(this.bsf == 1, U8),
            "nbda" / If(this.bsf == 1, count("bda")),
            "bda" / If(this.bsf == 1, several("nbda", MAC)),  # addresses that it is a bridge to
        ),
    ),
    *message(
        "CM_NW_INFO",
        0x6038,
        REQ=EMPTY,
        CNF=Struct(
            "num_nwinfo" / count("nwinfo"),
            "nwinfo"
            / entries(
                "num_nwinfo",
                "nid" / NID,
                "snid" / U8,
                "tei" / U8,
                "station_role" / U8,  # 0 station, 1 proxy CCo, 2 CCo
                "cco_mac" / MAC,
                "access" / U8,
                "num_cord" / U8,  # coordinating networks
            ),
        ),
    ),
    *message("CM_HFID", 0x6040, REQ=None, CNF=None),
    *message(
        "CM_MME_ERROR",
        0x6046,
        IND=Struct(
            "err_reason" / U8,  # 0 not supported, 1 invalid fields, 2 unsupported feature
            "rx_mmv" / U8,
            "rx_mmtype" / U16,
            "invalid_offset" / U16,  # octet where the fault is
        ),
    ),
    # Average rates on the line, Mbit/s.
    *message("CM_NW_STATS", 0x6048, versions=range(2), REQ=EMPTY, CNF=_statistics(U8)),
    *message("CM_NW_STATS", 0x6048, mmv=2, versions=range(2, 256), REQ=EMPTY, CNF=_statistics(U16)),
    *message("CM_STA_IDENTIFY", 0x6060, REQ=EMPTY, CNF=CAPABILITIES, IND=CAPABILITIES, RSP=EMPTY),
]
