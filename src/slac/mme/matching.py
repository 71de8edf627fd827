"""The messages of a matching run, in its order (ISO 15118-3 annex A; HomePlug Green PHY 11.5)."""

from __future__ import annotations

from typing import Final

from construct import Default, If, Int8ul, Int16ul, Struct, this

from slac.mme.fields import BROADCAST, KEY, MAC, NID, NONCE, U8, U16, Format, count, message, numbers, octets, several

SOUNDS: Final = Default(Int8ul, 10)
"""C_EV_match_MNBC"""
TIME_OUT: Final = Default(Int8ul, 6)
"""TT_EVSE_match_MNBC, unit 100 ms"""
TO_STATION: Final = Default(Int8ul, 1)
"""RESP_TYPE: 1 results go to another Green PHY station, 0 to the host of this one"""
RUN_ID: Final = octets(8)
STATION_ID: Final = octets(17)
"""Always zero: vehicles and outlets are told apart by their MAC addresses."""
SECURED: Final = this.security_type == 1

FORMATS: Final[list[Format]] = [
    *message(
        "CM_SLAC_PARM",
        0x6064,
        REQ=Struct(
            "application_type" / U8,  # 0 PEV-EVSE matching
            "security_type" / U8,  # 0 none, 1 public key
            "run_id" / RUN_ID,
            "cipher_suite_set_size" / If(SECURED, count("cipher_suites")),
            "cipher_suites" / If(SECURED, several("cipher_suite_set_size", Int16ul)),
        ),
        CNF=Struct(
            "m_sound_target" / Default(MAC, BROADCAST),
            "num_sounds" / SOUNDS,
            "time_out" / TIME_OUT,
            "resp_type" / TO_STATION,
            "forwarding_sta" / MAC,  # the EV
            "application_type" / U8,
            "security_type" / U8,
            "run_id" / RUN_ID,
            "cipher_suite" / If(SECURED, U16),
        ),
    ),
    *message(
        "CM_START_ATTEN_CHAR",
        0x606A,
        IND=Struct(
            "application_type" / U8,
            "security_type" / U8,
            "num_sounds" / SOUNDS,
            "time_out" / TIME_OUT,
            "resp_type" / TO_STATION,
            "forwarding_sta" / MAC,  # the EV
            "run_id" / RUN_ID,
        ),
    ),
    *message(
        "CM_MNBC_SOUND",
        0x6076,
        IND=Struct(
            "application_type" / U8,
            "security_type" / U8,
            "sender_id" / STATION_ID,
            "cnt" / U8,  # sounds that follow: 9 to 0
            "run_id" / RUN_ID,
            "rsvd" / octets(8),
            "rnd" / octets(16),
        ),
    ),
    # From the EVSE's modem to its host, once for each sound it heard; without run id. num_groups 0: nothing measured.
    *message(
        "CM_ATTEN_PROFILE",
        0x6086,
        IND=Struct(
            "pev_mac" / MAC,
            "num_groups" / count("aag"),
            "rsvd" / U8,
            "aag" / numbers("num_groups"),  # dB for each group of carriers
        ),
    ),
    *message(
        "CM_ATTEN_CHAR",
        0x606E,
        IND=Struct(
            "application_type" / U8,
            "security_type" / U8,
            "source_address" / MAC,  # the EV
            "run_id" / RUN_ID,
            "source_id" / STATION_ID,
            "resp_id" / STATION_ID,
            "num_sounds" / SOUNDS,  # sounds in the average
            "num_groups" / count("aag"),
            "aag" / numbers("num_groups"),  # average attenuation of each group of carriers, dB
        ),
        RSP=Struct(
            "application_type" / U8,
            "security_type" / U8,
            "source_address" / MAC,  # the EV
            "run_id" / RUN_ID,
            "source_id" / STATION_ID,
            "resp_id" / STATION_ID,
            "result" / U8,  # 0 success
        ),
    ),
    *message(
        "CM_VALIDATE",
        0x6078,
        REQ=Struct(
            "signal_type" / U8,  # 0 toggles of S2 on the control pilot
            "timer" / U8,  # length of the toggles / 100 ms, less 1; 0 in step 1
            "result" / Default(Int8ul, 1),  # 0 not ready, 1 ready, 2 success, 3 failure, 4 not required
        ),
        CNF=Struct(
            "signal_type" / U8,
            "toggle_num" / U8,  # toggles counted
            "result" / U8,  # as above
        ),
    ),
    *message(
        "CM_SLAC_MATCH",
        0x607C,
        REQ=Struct(
            "application_type" / U8,
            "security_type" / U8,
            "mvf_length" / Default(Int16ul, 0x3E),  # octets that follow
            "pev_id" / STATION_ID,
            "pev_mac" / MAC,
            "evse_id" / STATION_ID,
            "evse_mac" / MAC,
            "run_id" / RUN_ID,
            "rsvd1" / octets(8),
        ),
        CNF=Struct(
            "application_type" / U8,
            "security_type" / U8,
            "mvf_length" / Default(Int16ul, 0x56),  # octets that follow
            "pev_id" / STATION_ID,
            "pev_mac" / MAC,
            "evse_id" / STATION_ID,
            "evse_mac" / MAC,
            "run_id" / RUN_ID,
            "rsvd1" / octets(8),
            "nid" / NID,
            "rsvd2" / U8,
            "nmk" / KEY,
        ),
    ),
    # To the own modem: the key of the network to join. Real modems confirm with result 1, the specification says 0.
    *message(
        "CM_SET_KEY",
        0x6008,
        REQ=Struct(
            "key_type" / Default(Int8ul, 1),  # 0 DAK, 1 NMK, 2 NEK, 3 TEK, 4 hash key, 5 nonce only
            "my_nonce" / NONCE,
            "your_nonce" / NONCE,
            "pid" / Default(Int8ul, 4),  # 4 protocol of the host
            "prn" / U16,
            "pmn" / U8,
            "cco_capability" / U8,  # 0 never CCo, 1 CCo, 2 proxy CCo, 3 backup CCo
            "nid" / NID,
            "new_eks" / Default(Int8ul, 1),  # 1 NMK
            "new_key" / KEY,
        ),
        CNF=Struct(
            "result" / U8,
            "my_nonce" / NONCE,  # the modem's
            "your_nonce" / NONCE,  # that of the request
            "pid" / Default(Int8ul, 4),
            "prn" / U16,
            "pmn" / Default(Int8ul, 0xFF),
            "cco_capability" / U8,
        ),
    ),
]
