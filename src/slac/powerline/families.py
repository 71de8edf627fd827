"""What the families of modems do otherwise than each other: a table of families, and what each answers its host.

An answer takes the modem, the request and the time, and gives the fields of the confirmation, or None for none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from slac import keys
from slac.mme import Mme
from slac.powerline.pilot import FREQUENCY_HZ

if TYPE_CHECKING:
    from slac.powerline.modem import SimulatedModem

Fields = dict[str, Any]
Answer = Callable[["SimulatedModem", Mme, float], Fields | None]
Announcement = tuple[str, Fields]
"""Name and fields of an indication."""

QUALCOMM: Final = bytes.fromhex("00B052")
VERTEXCOM: Final = bytes.fromhex("0013D7")
LUMISSIL: Final = bytes.fromhex("0016E8")
ST: Final = bytes.fromhex("0080E1")
NO_MAC: Final = bytes(6)
RATE_MBITS: Final = 9
"""What captured Green PHY modems say of their links."""


def _nothing(modem: SimulatedModem, what: str) -> list[Announcement]:
    return []


class Family(NamedTuple):
    """A family of modems. Every field but the first three may be chosen otherwise for one modem."""

    name: str
    oui: bytes
    answers: Mapping[str, Answer]
    """By the names of requests."""
    announce: Callable[[SimulatedModem, str], list[Announcement]] = _nothing
    """What it tells its host unasked when it is "up", or "down", when it has "joined" or "left", and on "pilot"."""
    local_address: bool = True
    """Whether it answers to 00:B0:52:00:00:01."""
    set_key_result: int | None = 1
    """What it says to a CM_SET_KEY.REQ that it obeys: Qualcomm 1, the specification 0. None: nothing."""
    answer_s: float = 0.0005
    """Until it answers its host, and until it has handed a frame from the line on to it."""
    restart_s: float = 1.0
    """Silence on the line after a new key."""
    deaf: bool = False
    """Whether it hears its host neither, meanwhile."""
    boot_s: float = 2.0
    """From power, or from a reset, to the first frame."""
    join_s: float = 1.0
    """From hearing a coordinator with the same key to membership."""
    groups: int = 58
    """Groups of carriers in an attenuation profile; 0: it does not measure."""
    vendor_profile: bool = False
    """Whether VS_ATTENUATION_CHARACTERISTICS.IND comes besides."""
    profile_first: bool = False
    """Whether the profile comes before the sound."""
    profile_loss: float = 0.0
    """Probability that a sound gives no profile."""
    first_start_only: bool = False
    """Whether the host of an outlet gets only the first of the three CM_START_ATTEN_CHAR.IND."""
    overhears: bool = False
    """Whether its host also gets what stations and vehicles say to others in their matchings. An AR7420 that was set up
    for a vehicle was seen to hand on every CM_SLAC_PARM.CNF, CM_ATTEN_CHAR.IND and CM_SLAC_MATCH.CNF."""
    listens: bool = False
    """Whether its host gets everything that can be decrypted: what either side says in a matching, and what the other
    members of its network say to each other. No modem is known that does the latter: between two of them frames are
    modulated for these two. It shows what a listener could see at most."""
    mme_error: bool = False
    """Whether an unknown request is answered by CM_MME_ERROR.IND."""


# All families


def _set_key(modem: SimulatedModem, mme: Mme, now: float) -> Fields | None:
    refused = mme.fields["key_type"] != 1 or mme.fields["new_eks"] != 1
    if not refused:
        modem.rekey(mme.fields["new_key"], mme.fields["nid"], now)
    return set_key_confirmation(modem, mme, refused=refused)


def set_key_confirmation(modem: SimulatedModem, mme: Mme, *, refused: bool) -> Fields | None:
    """The answer to CM_SET_KEY.REQ."""
    good = modem.family.set_key_result
    if good is None:
        return None
    return {
        "result": 1 - good if refused else good,
        "my_nonce": modem.line.random.randbytes(4),
        "your_nonce": mme.fields["my_nonce"],
    }


def _get_key(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    return get_key_confirmation(modem, mme, key=modem.nmk)


def get_key_confirmation(modem: SimulatedModem, mme: Mme, *, key: bytes | None) -> Fields:
    """The answer to CM_GET_KEY.REQ; without key it refuses."""
    return {
        "result": 0 if key else 1,
        "requested_key_type": mme.fields["requested_key_type"],
        "my_nonce": modem.line.random.randbytes(4),
        "your_nonce": mme.fields["my_nonce"],
        "nid": modem.nid,
        "eks": 1,
        "key": key or bytes(16),
    }


def _network_info(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    if modem.network is None:
        return {"nwinfo": []}
    role = 2 if modem.coordinator is modem else 0
    network = {"nid": modem.nid, "snid": 1, "tei": modem.tei, "station_role": role, "cco_mac": modem.cco_mac}
    return {"nwinfo": [network]}


def _discovered(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    """Stations that are members of some network and heard here, and the networks that their coordinators announce."""
    stations, networks = [], []
    for other, db in modem.heard_members():
        same = other.network == modem.network
        stations.append(
            {"mac": other.mac, "tei": other.tei, "same_network": int(same), "snid": 1, "avg_ble": RATE_MBITS}
            | {"signal_level": min(15, max(1, round(db / 5)))}  # 1 above -10 dB, 15 below -75 dB, in steps of 5
        )
        if other.coordinator is other and not same:
            networks.append({"nid": other.nid, "snid": 1, "cco_status": 1})
    return {"stas": stations, "nets": networks}


def _amp_map(modem: SimulatedModem, mme: Mme, now: float) -> Fields | None:
    return {"result": 0} if mme.fields["am_len"] else None


COMMON: Final[Mapping[str, Answer]] = {
    "CM_SET_KEY.REQ": _set_key,
    "CM_GET_KEY.REQ": _get_key,
    "CM_NW_INFO.REQ": _network_info,
    "CC_DISCOVER_LIST.REQ": _discovered,
    "CM_AMP_MAP.REQ": _amp_map,
}


# Qualcomm


def _version_of(device: int, version: str) -> Answer:
    return lambda modem, mme, now: {"mstatus": 0, "device_id": device, "ver_len": len(version), "version": version}


def _reset(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    modem.reset(now)
    return {"mstatus": 0}


def _qualcomm_key(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    if mme.fields["eks"] != 1:
        return {"mstatus": 0x10}
    if mme.fields["peks"] != 0x0F:
        return {"mstatus": 0x11}
    modem.rekey(mme.fields["nmk"], None, now)
    return {"mstatus": 0}


def _qualcomm_network(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    if modem.network is None:
        return {"avlns": []}
    rates = {"avg_tx": RATE_MBITS, "avg_rx": RATE_MBITS}
    stations = [
        {"mac": each.mac, "tei": each.tei, "bda": next(iter(each.hosts), NO_MAC), **rates}
        for each in modem.neighbours()
    ]
    network = {
        "nid": modem.nid,
        "snid": 1,
        "tei": modem.tei,
        "role": 2 if modem.coordinator is modem else 0,
        "cco_mac": modem.cco_mac,
        "cco_tei": 1,
        "stas": stations,
    }
    return {"avlns": [network]}


def _attributes_of(hardware: str) -> Answer:
    data = hardware.encode().ljust(16, b"\0") + b"MAC".ljust(16, b"\0") + bytes(82)
    return lambda modem, mme, now: {
        "mstatus": 0,
        "cookie": mme.fields["cookie"],
        "rtype": mme.fields["rtype"],
        "length": len(data),
        "data": data,
    }


def _qualcomm_link(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    return {"mstatus": 0, "link_status": int(modem.linked)}


def _host_action_done(modem: SimulatedModem, mme: Mme, now: float) -> None:
    modem.asking = None


def _qualcomm(hardware: str, device: int, version: str) -> Mapping[str, Answer]:
    return {
        **COMMON,
        "VS_SW_VER.REQ": _version_of(device, version),
        "VS_RS_DEV.REQ": _reset,
        "VS_SET_KEY.REQ": _qualcomm_key,
        "VS_NW_INFO.REQ": _qualcomm_network,
        "VS_OP_ATTRIBUTES.REQ": _attributes_of(hardware),
        "VS_PL_LNK_STATUS.REQ": _qualcomm_link,
        "VS_HOST_ACTION.RSP": _host_action_done,
    }


# Vertexcom


def _vertexcom_version(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    return {"result": 0, "device_id": 1, "app_version": "2.0.1", "av_stack_version": "MSE102x-simulated"}


def _vertexcom_reset(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    modem.reset(now)
    return {"result": 0}


def _vertexcom_status(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    return {
        "result": 0,
        "status": 2 if modem.network else 0,
        "cco": int(modem.coordinator is modem),
        "preferred_cco": int(modem.role == "evse"),
        "link_state": 1 if modem.linked else 2 if modem.up else 0,
        "ready": int(modem.up),
        "uptime": int(now),
    }


def _vertexcom_network(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    rates = {"tx_coded": RATE_MBITS, "tx_raw": RATE_MBITS, "rx_coded": RATE_MBITS, "rx_raw": RATE_MBITS}
    stations = [{"tei": each.tei, "mac": each.mac, "agc_gain": 0, **rates} for each in modem.neighbours()]
    return {"nid": modem.nid, "snid": 1, "cco_tei": 1, "cco_mac": modem.cco_mac, "stas": stations}


def _phy(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    return {"result": 0, "link": 1, "speed": 1, "duplex": 1, "phy_address": 1}


def _ethernet_counts(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    received, sent = modem.frames_in, modem.frames_out
    if mme.fields["command"] == 1:
        modem.frames_in = modem.frames_out = 0
    return {"result": 0, "rx_packets": received, "rx_good": received, "tx_packets": sent, "tx_good": sent}


def pwm(modem: SimulatedModem) -> Fields:
    """What a modem with a wire to the control pilot measures there: Hz, 0.1 %, mV."""
    pilot = modem.pilot
    return {
        "frequency": FREQUENCY_HZ if pilot.oscillating else 0,
        "duty_cycle": round(pilot.duty * 10) if pilot.oscillating else 0,
        "voltage": max(0, round(pilot.volts * 1000)),
    }


PWM_SETTINGS: Final = {
    "mode": 1,
    "method": 0,
    "period": 1000,
    "freq_threshold": 0,
    "duty_threshold": 0,
    "volt_threshold": 0,
    "cal_slope": 1,
    "cal_bias": 0,
}
"""In the order of the message."""
PWM_BITS: Final = (
    (0x01, ("mode",)),
    (0x02, ("method",)),
    (0x04, ("period",)),
    (0x08, ("freq_threshold",)),
    (0x10, ("duty_threshold",)),
    (0x20, ("volt_threshold",)),
    (0x40, ("cal_slope", "cal_bias")),
)
"""What the bits of the operation code of VS_SET_PWM_CONF.REQ select."""


def _pwm_stats(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    measured = pwm(modem)
    result = 1 if not modem.pwm_settings["mode"] else 2 if not measured["frequency"] else 0
    return {"result": result, **measured, "saradc": min(1023, measured["voltage"] * 68 // 1000)}


def _pwm_conf(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    return dict(modem.pwm_settings)


def _set_pwm_conf(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    for bit, names in PWM_BITS:
        if mme.fields["op_code"] & bit:
            modem.pwm_settings.update({name: mme.fields[name] for name in names})
    return {"result": 0}


def _vertexcom_announce(modem: SimulatedModem, what: str) -> list[Announcement]:
    """Measurements of the pilot, where it has been told to push them."""
    settings = modem.pwm_settings
    if what != "pilot" or not (settings["mode"] and settings["method"]):
        return []
    now, before = pwm(modem), modem.pwm_told
    changes = (
        ("frequency", "freq_threshold", 1),
        ("duty_cycle", "duty_threshold", 2),
        ("voltage", "volt_threshold", 4),
    )
    reason = sum(bit for name, limit, bit in changes if before and abs(now[name] - before[name]) > settings[limit])
    if before and not reason:
        return []
    modem.pwm_told = now
    return [("VS_GET_PWM_STATS.IND", {"result": reason, **now})]


VERTEXCOM_ANSWERS: Final[Mapping[str, Answer]] = {
    **COMMON,
    "VS_GET_VERSION.REQ": _vertexcom_version,
    "VS_RESET.REQ": _vertexcom_reset,
    "VS_GET_STATUS.REQ": _vertexcom_status,
    "VS_GET_NW_INFO.REQ": _vertexcom_network,
    "VS_GET_ETH_PHY.REQ": _phy,
    "VS_ETH_STATS.REQ": _ethernet_counts,
    "VS_GET_PWM_STATS.REQ": _pwm_stats,
    "VS_GET_PWM_CONF.REQ": _pwm_conf,
    "VS_SET_PWM_CONF.REQ": _set_pwm_conf,
}


# Lumissil


def _echo(mme: Mme) -> Fields:
    return {"main_version": mme.fields["main_version"], "request_id": mme.fields["request_id"]}


def _lumissil_version(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    return {**_echo(mme), "version_major": 1, "version_minor": 2, "version_patch": 3, "version_build": 4}


def _lumissil_link(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    return {**_echo(mme), "link_status": int(modem.linked)}


def _lumissil_reset(modem: SimulatedModem, mme: Mme, now: float) -> None:
    modem.reset(now)


def _lumissil_announce(modem: SimulatedModem, what: str) -> list[Announcement]:
    status = {"up": 1, "joined": 2, "left": 3}.get(what)
    if status is None:
        return []
    return [("NSCM_HOST_MESSAGE_STATUS.IND", {"main_version": 1, "host_message_status": status})]


LUMISSIL_ANSWERS: Final[Mapping[str, Answer]] = {
    **COMMON,
    "NSCM_GET_VERSION.REQ": _lumissil_version,
    "NSCM_GET_D_LINK_STATUS.REQ": _lumissil_link,
    "NSCM_RESET_DEVICE.REQ": _lumissil_reset,
}


# ST


def _st_key(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    modem.rekey(mme.fields["nmk"], keys.nid_from_nmk(mme.fields["nmk"]), now)
    return {"status": 0}


def st_link(modem: SimulatedModem) -> Fields:
    """Link status and mode: 1 to 3 station, 4 to 6 coordinator, the last of each authenticated."""
    mode = 0 if not modem.up else (6 if modem.coordinator is modem else 3) if modem.linked else 1
    return {"link_status": int(modem.linked), "dev_mode": mode}


def _st_link(modem: SimulatedModem, mme: Mme, now: float) -> Fields:
    return st_link(modem)


CP_STATES: Final = {"A": 1, "B": 3, "C": 5, "D": 7, "E": 9, "F": 10}


def _st_announce(modem: SimulatedModem, what: str) -> list[Announcement]:
    if what in ("joined", "left"):
        return [("STP_LINK_STATUS.IND", st_link(modem))]
    if what != "pilot":
        return []
    measured = pwm(modem)
    return [
        (
            "STP_CPSTATE.IND",
            {
                "cp_state": CP_STATES[modem.pilot.state],
                "pwm_duty": round(measured["duty_cycle"] / 10),
                "pwm_freq": measured["frequency"],
                "cp_voltage": measured["voltage"],
            },
        )
    ]


ST_ANSWERS: Final[Mapping[str, Answer]] = {
    **COMMON,
    "STP_AUTH_SET_NMK.REQ": _st_key,
    "STP_LINK_STATUS.REQ": _st_link,
}

FAMILIES: Final = {
    family.name: family
    for family in (
        Family(
            "qca7000",
            QUALCOMM,
            _qualcomm("QCA7000", 0x22, "MAC-QCA7000-1.1.3.0-simulated"),
            vendor_profile=True,
            first_start_only=True,
        ),
        Family(
            "qca7420",
            QUALCOMM,
            _qualcomm("QCA7420", 0x20, "MAC-QCA7420-1.3.0.0-simulated"),
            restart_s=5.0,
            deaf=True,
            join_s=2.0,
            groups=0,
            vendor_profile=True,
            overhears=True,
        ),
        Family("mse102x", VERTEXCOM, VERTEXCOM_ANSWERS, _vertexcom_announce, local_address=False),
        Family("cg5317", LUMISSIL, LUMISSIL_ANSWERS, _lumissil_announce, boot_s=8.0),
        Family("st", ST, ST_ANSWERS, _st_announce),
    )
}

__all__ = ["FAMILIES", "Family"]
