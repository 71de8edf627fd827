"""The families of modems: what each understands, and how its answers are read. One table.

`modem` asks; this file knows by which message, and what the answer means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

LOCAL: Final = bytes.fromhex("00B052000001")
"""The address that means "my own modem"; not understood by MSE102x."""
BROADCAST: Final = b"\xff" * 6


class Purpose(StrEnum):
    """What is asked, and the type of the value in the `Answer`."""

    IDENTIFY = "identity"  # Identity
    SET_KEY = "key"  # KeySet, never None
    HELD_KEY = "held key"  # bytes, the NMK
    LINK = "link"  # bool
    NETWORK = "network"  # Network
    NEIGHBOURS = "neighbours"  # Neighbours
    PWM = "PWM statistics"  # Pwm
    PWM_CONF = "PWM configuration"  # the fields of the answer; so are the following two
    SET_PWM = "set PWM configuration"
    RESET = "reset"


class Identity(NamedTuple):
    family: Family
    mac: bytes
    version: str


class Network(NamedTuple):
    """That of which the modem is a member."""

    nid: bytes
    """Empty: it is a member of none."""
    cco: bytes = b""
    """The coordinator's modem."""
    coordinator: bool | None = False
    """Whether it is the coordinator itself. None: the answer does not tell; `modem` compares its address with `cco`."""
    stations: tuple[bytes, ...] = ()
    """The others, as far as it tells."""


class Neighbours(NamedTuple):
    """What the modem hears, besides its own network."""

    networks: int
    stations: int


class Pwm(NamedTuple):
    """The control pilot as the modem measures it."""

    frequency_hz: int
    duty: float
    """%"""
    volts: float
    """Of the positive half; meaningless where the modem is not calibrated."""


Fields = Mapping[str, Any]


class Ask(NamedTuple):
    """A request of a family and how its confirmation is read."""

    name: str
    read: Callable[[Fields], Any]
    fields: Mapping[str, Any] = {}


class Family(NamedTuple):
    """What one maker's modems understand."""

    name: str
    asks: Mapping[Purpose, Ask]
    settle_s: float
    """Silence that is to be expected after a new key."""
    address: bytes = LOCAL
    """Where it is looked for."""
    reset_answered: bool = True
    proof: bool = True
    """Whether an answer to IDENTIFY proves the family; otherwise another family's answer in the same time counts."""


# How answers are read


def as_it_is(fields: Fields) -> Fields:
    return fields


def _qualcomm_network(fields: Fields) -> Network:
    for each in fields["avlns"]:
        return Network(each["nid"], each["cco_mac"], each["role"] == 2, tuple(sta["mac"] for sta in each["stas"]))
    return Network(b"")


def _vertexcom_network(fields: Fields) -> Network:
    if not any(fields["nid"]) or not any(fields["cco_mac"]):  # the NID stands there before it has joined
        return Network(b"")
    return Network(fields["nid"], fields["cco_mac"], None, tuple(sta["mac"] for sta in fields["stas"]))


def _standard_network(fields: Fields) -> Network:
    for each in fields["nwinfo"]:
        return Network(each["nid"], each["cco_mac"], each["station_role"] == 2)
    return Network(b"")


def _lumissil_version(fields: Fields) -> str:
    return ".".join(str(fields[f"version_{part}"]) for part in ("major", "minor", "patch", "build"))


def _pwm(fields: Fields) -> Pwm:
    return Pwm(fields["frequency"], fields["duty_cycle"] / 10, fields["voltage"] / 1000)


def _neighbours(fields: Fields) -> Neighbours:
    return Neighbours(len(fields["nets"]), len(fields["stas"]))


def _held_key(fields: Fields) -> bytes | None:
    # The NID is that of the question: captured modems give the key whatever it is.
    granted = fields["result"] == 0 and fields["requested_key_type"] == 1
    return bytes(fields["key"]) if granted else None


def _members(fields: Fields) -> bool:
    return any(each["same_network"] for each in fields["stas"])


COMMON: Final[Mapping[Purpose, Ask]] = {
    Purpose.HELD_KEY: Ask("CM_GET_KEY", _held_key),
    Purpose.NETWORK: Ask("CM_NW_INFO", _standard_network),
    Purpose.NEIGHBOURS: Ask("CC_DISCOVER_LIST", _neighbours),
}
LUMISSIL_HEADER: Final = {"main_version": 1, "request_id": 1}

FAMILIES: Final = (
    Family(
        "Qualcomm",  # QCA7000, QCA7005, QCA7420
        {
            **COMMON,
            Purpose.IDENTIFY: Ask("VS_SW_VER", lambda fields: fields["version"]),
            Purpose.LINK: Ask("VS_PL_LNK_STATUS", lambda fields: fields["link_status"] == 1),
            Purpose.NETWORK: Ask("VS_NW_INFO", _qualcomm_network),
            Purpose.RESET: Ask("VS_RS_DEV", as_it_is),
        },
        settle_s=6.0,
    ),
    Family(
        "Vertexcom",  # MSE1021, MSE1022
        {
            **COMMON,
            Purpose.IDENTIFY: Ask("VS_GET_VERSION", lambda fields: fields["av_stack_version"]),
            Purpose.LINK: Ask("VS_GET_STATUS", lambda fields: fields["link_state"] == 1),
            Purpose.NETWORK: Ask("VS_GET_NW_INFO", _vertexcom_network),
            Purpose.PWM: Ask("VS_GET_PWM_STATS", _pwm),
            Purpose.PWM_CONF: Ask("VS_GET_PWM_CONF", as_it_is),
            Purpose.SET_PWM: Ask("VS_SET_PWM_CONF", as_it_is),
            Purpose.RESET: Ask("VS_RESET", as_it_is),
        },
        settle_s=3.0,
        address=BROADCAST,
    ),
    Family(
        "Lumissil",  # CG5317
        {
            **COMMON,
            Purpose.IDENTIFY: Ask("NSCM_GET_VERSION", _lumissil_version, LUMISSIL_HEADER),
            Purpose.LINK: Ask("NSCM_GET_D_LINK_STATUS", lambda fields: fields["link_status"] == 1, LUMISSIL_HEADER),
            Purpose.RESET: Ask("NSCM_RESET_DEVICE", as_it_is, LUMISSIL_HEADER),
        },
        settle_s=3.0,
        reset_answered=False,
    ),
    Family(
        "ST",  # ST GreenPHY, IoTecha
        {
            **COMMON,
            Purpose.IDENTIFY: Ask("STP_LINK_STATUS", lambda fields: "unknown version"),
            Purpose.LINK: Ask("STP_LINK_STATUS", lambda fields: fields["link_status"] == 1),
        },
        settle_s=3.0,
    ),
    Family(
        "HomePlug",  # whatever knows the standard's messages alone
        {
            **COMMON,
            Purpose.IDENTIFY: Ask("CC_DISCOVER_LIST", lambda fields: "unknown version"),
            Purpose.LINK: Ask("CC_DISCOVER_LIST", _members),
        },
        settle_s=6.0,
        proof=False,
    ),
)

IDENTIFIED: Final = frozenset(f"{family.asks[Purpose.IDENTIFY].name}.CNF" for family in FAMILIES)
"""Answers to what is asked for identification. All is asked together, in two framings even: one modem answers twice."""

UNASKED: Final[Mapping[str, tuple[Purpose, Callable[[Fields], Any]]]] = {
    "NSCM_HOST_MESSAGE_STATUS.IND": (
        Purpose.LINK,
        lambda fields: {2: True, 3: False}.get(fields["host_message_status"]),
    ),
    "NSCM_D_LINK_READY.IND": (Purpose.LINK, lambda fields: fields["status"] == 1),
    "STP_LINK_STATUS.IND": (Purpose.LINK, lambda fields: fields["link_status"] == 1),
    "VS_GET_PWM_STATS.IND": (Purpose.PWM, _pwm),
    "STP_CPSTATE.IND": (
        Purpose.PWM,
        lambda fields: Pwm(fields["pwm_freq"], fields["pwm_duty"], fields["cp_voltage"] / 1000),
    ),
}
"""What modems tell unasked."""

ACTIONS: Final = {
    0: "its firmware: it has not booted",
    1: "to store its firmware",
    2: "to store its configuration",
    3: "to store its firmware and configuration",
    4: "its bootloader and memory configuration: it has not booted",
    5: "for the factory settings",
}
