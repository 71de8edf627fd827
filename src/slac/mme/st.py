"""Messages of STMicroelectronics and IoTecha modems."""

from __future__ import annotations

from typing import Any, Final

from construct import Array, Default, If, Int16ul, Struct, this

from slac.mme.fields import KEY, U8, U16, Format, octets, of_vendor

ST: Final = bytes.fromhex("0080E1")


def _message(*fields: Any) -> Struct:
    """The maker's header and the fields behind it."""
    return Struct("mme_version" / U8, "rsvd" / octets(3), "message_version" / U8, *fields)


LINK_STATUS: Final = _message(
    "link_status" / U8,  # 0 no link, 1 link
    "dev_mode" / U8,  # 0 unavailable; station 1 unassociated, 2 associated, 3 authenticated; CCo 4, 5, 6 likewise
)

st = of_vendor(ST, mmv=1)

FORMATS: Final[list[Format]] = [
    *st("STP_AUTH_SET_NMK", 0x8000, REQ=_message("nmk" / KEY), CNF=_message("status" / U8)),
    *st("STP_LINK_STATUS", 0x8004, REQ=_message(), CNF=LINK_STATUS, IND=LINK_STATUS),
    *st("STP_DISCOVER_LOCAL", 0x8008, REQ=None, CNF=None),
    *st("STP_SET_MAXGAIN", 0x800C, REQ=None, CNF=None),
    *st(
        "STP_CPSTATE",
        0xA22E,
        IND=_message(
            "cp_state" / U8,  # 1 A, 3 B, 5 C, 7 D, 9 E, 10 F; other numbers are ambiguous
            "pwm_duty" / U8,  # %
            "pwm_freq" / U16,  # Hz
            "cp_voltage" / U16,  # mV
            "adc_bitmask" / U8,  # converters that were read
            # mV of each of them
            "adc" / If(this.adc_bitmask, Default(Array(lambda this: this.adc_bitmask.bit_count(), Int16ul), ())),
        ),
    ),
]
