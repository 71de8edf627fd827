"""Messages of MSE102x modems (SPiDCOM, MStar, MediaTek, Vertexcom): those that measure the control pilot."""

from __future__ import annotations

from typing import Any, Final

from construct import Struct

from slac.mme.fields import EMPTY, I64, MAC, NID, U8, U16, U32, U64, Format, count, entries, of_vendor, optional, text

VERTEXCOM: Final = bytes.fromhex("0013D7")

RESULT: Final = Struct("result" / U8)  # 0 success

vertexcom = of_vendor(VERTEXCOM, mmv=1)


def _pwm_conf(*before: Any, period: Any) -> Struct:
    return Struct(
        *before,
        "mode" / U8,  # 0 off, 1 on
        "method" / U8,  # 0 the host asks, 1 the modem reports changes
        period,  # ms
        "freq_threshold" / U16,  # Hz
        "duty_threshold" / U16,  # 0.1 %
        "volt_threshold" / U16,
        "cal_slope" / U16,  # steps of the converter
        "cal_bias" / U16,  # mV
    )


FORMATS: Final[list[Format]] = [
    *vertexcom(
        "VS_GET_VERSION",
        0xA000,
        REQ=EMPTY,
        CNF=Struct(
            "result" / U8,
            "device_id" / U16,  # 0 MSE1000, 1 SPC300
            "image_index" / U8,
            "app_version" / text(16),
            "av_stack_version" / text(64),
            "alternate" / text(16),
            "bootloader_version" / text(64),
        ),
    ),
    *vertexcom("VS_RESET", 0xA008, REQ=EMPTY, CNF=RESULT, IND=EMPTY, RSP=EMPTY),
    *vertexcom("VS_SET_KEY", 0xA00C, REQ=None, CNF=None),
    *vertexcom(
        "VS_GET_ETH_PHY",
        0xA020,
        REQ=EMPTY,
        CNF=Struct(
            "result" / U8,
            "link" / U8,  # 0 down, 1 up, 2 unknown
            "speed" / U8,  # 0 10 Mbit/s, 1 100 Mbit/s, 2 1000 Mbit/s
            "duplex" / U8,  # 1 full
            "phy_address" / U8,
        ),
    ),
    *vertexcom(
        "VS_ETH_STATS",
        0xA024,
        REQ=Struct("command" / U8),  # 0 get, 1 reset
        CNF=Struct(
            "result" / U8,
            "rx_packets" / U32,
            "rx_good" / U32,
            "rx_unicast" / U32,
            "rx_multicast" / U32,
            "rx_broadcast" / U32,
            "rx_errors" / U32,
            "rx_fifo_overflow" / U32,
            "tx_packets" / U32,
            "tx_good" / U32,
            "tx_unicast" / U32,
            "tx_multicast" / U32,
            "tx_broadcast" / U32,
            "tx_errors" / U32,
            "tx_fifo_underflow" / U32,
            "tx_collisions" / U32,
            "tx_carrier_errors" / U32,
        ),
    ),
    *vertexcom(
        "VS_GET_STATUS",
        0xA030,
        REQ=EMPTY,
        CNF=Struct(
            "result" / U8,
            "status" / U8,  # 0 unassociated, 1 associated, 2 authenticated
            "cco" / U8,
            "preferred_cco" / U8,
            "backup_cco" / U8,
            "proxy_cco" / U8,
            "simple_connect" / U8,
            "link_state" / U8,  # 0 disconnected, 1 connected, 2 ready to connect
            "ready" / U8,  # for communication on the line
            "freq_error" / I64,  # 0.001 ppm
            "freq_offset" / I64,
            "uptime" / U64,  # s
            "auth_time" / U64,  # s
            "auth_count" / U16,
        ),
    ),
    *vertexcom(
        "VS_GET_NW_INFO",
        0xA0FC,
        REQ=EMPTY,
        CNF=Struct(
            "nid" / NID,
            "snid" / U8,
            "cco_tei" / U8,
            "cco_mac" / MAC,
            "num_stas" / count("stas"),
            "stas"
            / entries(
                "num_stas",
                "tei" / U8,
                "mac" / MAC,
                "tx_coded" / U16,  # Mbit/s
                "tx_raw" / U16,
                "rx_coded" / U16,
                "rx_raw" / U16,
                "agc_gain" / U8,
            ),
        ),
    ),
    *vertexcom(
        "VS_GET_PWM_STATS",
        0xA10C,
        REQ=EMPTY,
        CNF=Struct(
            "result" / U8,  # 0 success, 1 the monitor is off, 2 no PWM
            "frequency" / U16,  # Hz
            "duty_cycle" / U16,  # 0.1 %
            "voltage" / U16,  # mV; steps of the converter where it is not calibrated
            "saradc" / U16,  # the converter's reading, 0 to 1023
        ),
        IND=Struct(
            "result" / U8,  # reason: 0 initial; beyond its threshold bit 0 frequency, bit 1 duty cycle, bit 2 voltage
            "frequency" / U16,
            "duty_cycle" / U16,
            "voltage" / U16,
        ),
    ),
    # 14 octets from modems; 12 in another description, without the period. Padding hides which, then it is the first.
    *vertexcom("VS_GET_PWM_CONF", 0xA110, REQ=EMPTY, CNF=_pwm_conf(period=optional("period", U16, behind=10))),
    *vertexcom(
        "VS_SET_PWM_CONF",
        0xA114,
        # op_code: what to set; bit 0 mode, 1 method, 2 period, 3 to 5 the thresholds, 6 calibration
        REQ=_pwm_conf("op_code" / U8, period="period" / U16),
        CNF=RESULT,  # 1 failure, 0xFF prohibited
    ),
    *vertexcom(
        "VS_PWM_GENERATION",
        0xA118,
        REQ=Struct("mode" / U8, "frequency" / U16, "duty_cycle" / U16),  # Hz, 0.1 %
        CNF=RESULT,
    ),
]
