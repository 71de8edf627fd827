"""HomePlug management messages for a reader and for machines: what matters of one in a line, and one as plain data.

`PHRASES` is the whole taste, as in `hlc.trace.describe`. A message that is not in it shows its fields as they are; one
of which only the header is known shows its octets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from hlc import ids
from hlc.trace.describe import MOST, clean, mac, text
from hlc.trace.events import Mme, Side

OCTETS: Final = 32
"""So many octets of a message are shown in a line."""

ADDRESSES: Final = {b"\xff" * 6: "all", bytes.fromhex("00B052000001"): "own modem", bytes(6): "?"}
"""Addresses with a meaning. Zero: the capture does not have it."""

SIDES: Final = {
    "CM_SLAC_PARM.REQ": Side.EVCC,
    "CM_SLAC_PARM.CNF": Side.SECC,
    "CM_START_ATTEN_CHAR.IND": Side.EVCC,
    "CM_MNBC_SOUND.IND": Side.EVCC,
    "CM_ATTEN_CHAR.IND": Side.SECC,
    "CM_ATTEN_CHAR.RSP": Side.EVCC,
    "CM_VALIDATE.REQ": Side.EVCC,
    "CM_VALIDATE.CNF": Side.SECC,
    "CM_SLAC_MATCH.REQ": Side.EVCC,
    "CM_SLAC_MATCH.CNF": Side.SECC,
}
"""Who sends what. All else is between a host and its own modem, at either end."""

CONTROL_PILOT: Final = {1: "A", 3: "B", 5: "C", 7: "D", 9: "E", 10: "F"}
"""As STP_CPSTATE.IND tells it; other numbers are between two states."""
ROLES: Final = {0: "station", 1: "proxy CCo", 2: "CCo"}
STATUS: Final = {0: "unassociated", 1: "associated", 2: "authenticated"}
HOST_MESSAGES: Final = {1: "ready to join", 2: "joined a network", 3: "disconnected"}
VALIDATION: Final = {0: "not ready", 1: "ready", 2: "success", 3: "failure", 4: "not required"}


class Phrase(NamedTuple):
    """A field behind a word; left out where it is absent or has a value in `quiet`."""

    word: str
    field: str
    show: Callable[[Any], str] = text
    quiet: tuple[Any, ...] = ()
    unit: str = ""


def groups(value: Any) -> str:
    """Attenuation of each group of carriers, dB."""
    if not value:
        return "no groups: nothing measured"
    return f"{average(value):.1f} dB on average, {min(value)} to {max(value)} dB in {len(value)} groups"


def average(value: Any) -> float:
    """Of the attenuation of all groups, dB."""
    return float(sum(value) / len(value))


def _stations(value: Any) -> str:
    return _several(value, lambda each: mac(each["mac"]) + ("" if each["same_network"] else " (another network)"))


def _macs(value: Any) -> str:
    return _several(value, lambda each: mac(each["mac"]))


def _networks(value: Any) -> str:
    return _several(value, lambda each: text(each["nid"]))


def _memberships(value: Any) -> str:
    def one(each: Mapping[str, Any]) -> str:
        role = each.get("station_role", each.get("role"))
        others = each.get("stas")
        many = f", {len(others)} other station{'' if len(others) == 1 else 's'}" if others is not None else ""
        return f"NID {text(each['nid'])} as {ROLES.get(role, role)}, CCo {mac(each['cco_mac'])}{many}"

    return _several(value, one)


def _several(value: Any, show: Callable[[Any], str]) -> str:
    shown = [show(each) for each in value[:4]]
    return ", ".join(shown) + (", ..." if len(value) > 4 else "") if shown else "none"


def _named(names: Mapping[int, str]) -> Callable[[Any], str]:
    return lambda value: names.get(value, f"code {value}")


LINK: Final = _named({0: "no link", 1: "link", 2: "ready to link"})
RUN: Final = Phrase("run", "run_id")
SOUNDING: Final = (
    Phrase("", "num_sounds", unit=" sounds"),
    Phrase("in", "time_out", lambda value: f"{value * 100} ms"),
    Phrase("RESP_TYPE", "resp_type", quiet=(1,)),
)
NETWORK: Final = Phrase("NID", "nid")
GROUPS: Final = Phrase("", "aag", groups)
PROFILE: Final = (Phrase("EV", "pev_mac", mac), GROUPS)
PWM: Final = (
    Phrase("", "duty_cycle", lambda value: f"{value / 10:g} %"),
    Phrase("", "frequency", unit=" Hz"),
    Phrase("", "voltage", unit=" mV"),
)

PHRASES: Final[Mapping[str, tuple[Phrase, ...]]] = {
    "CM_SLAC_PARM.REQ": (RUN, Phrase("SECURITY_TYPE", "security_type", quiet=(0,))),
    "CM_SLAC_PARM.CNF": (RUN, *SOUNDING),
    "CM_START_ATTEN_CHAR.IND": (RUN, *SOUNDING),
    "CM_MNBC_SOUND.IND": (RUN, Phrase("", "cnt", unit=" to come")),
    "CM_ATTEN_PROFILE.IND": PROFILE,
    "VS_ATTENUATION_CHARACTERISTICS.IND": PROFILE,
    "CM_ATTEN_CHAR.IND": (
        RUN,
        Phrase("EV", "source_address", mac),
        Phrase("", "num_sounds", unit=" sounds"),
        GROUPS,
    ),
    "CM_ATTEN_CHAR.RSP": (RUN, Phrase("result", "result", quiet=(0,))),
    "CM_VALIDATE.REQ": (
        Phrase("", "result", _named(VALIDATION)),
        Phrase("toggles for", "timer", lambda value: f"{(value + 1) / 10:g} s", quiet=(0,)),
    ),
    "CM_VALIDATE.CNF": (
        Phrase("", "result", _named(VALIDATION)),
        Phrase("", "toggle_num", unit=" toggles", quiet=(0,)),
    ),
    "CM_SLAC_MATCH.REQ": (
        RUN,
        Phrase("MVFLength", "mvf_length", quiet=(0x3E,)),
        Phrase("EV", "pev_mac", mac),
        Phrase("EVSE", "evse_mac", mac),
    ),
    "CM_SLAC_MATCH.CNF": (
        RUN,
        Phrase("MVFLength", "mvf_length", quiet=(0x56,)),
        NETWORK,
        Phrase("NMK", "nmk"),
    ),
    "CM_SET_KEY.REQ": (Phrase("key type", "key_type", quiet=(1,)), NETWORK, Phrase("NMK", "new_key")),
    "CM_SET_KEY.CNF": (Phrase("result", "result"),),
    "CM_GET_KEY.REQ": (NETWORK,),
    "CM_GET_KEY.CNF": (
        Phrase("", "result", _named({0: "granted", 1: "refused"})),
        NETWORK,
        Phrase("key", "key", quiet=(bytes(16),)),
    ),
    "CM_AMP_MAP.REQ": (Phrase("", "am_len", unit=" carriers"),),
    "CC_DISCOVER_LIST.CNF": (Phrase("stations", "stas", _stations), Phrase("networks", "nets", _networks)),
    "CM_NW_INFO.CNF": (Phrase("", "nwinfo", _memberships),),
    "VS_NW_INFO.CNF": (Phrase("", "avlns", _memberships),),
    "CM_BRG_INFO.CNF": (Phrase("bridge to", "bda", lambda value: _several(value, mac)),),
    "VS_SW_VER.CNF": (Phrase("", "version"),),
    "VS_OP_ATTRIBUTES.CNF": (Phrase("", "length", unit=" octets of attributes"),),
    "VS_PL_LNK_STATUS.CNF": (Phrase("", "link_status", LINK),),
    "STP_LINK_STATUS.CNF": (Phrase("", "link_status", LINK),),
    "STP_LINK_STATUS.IND": (Phrase("", "link_status", LINK),),
    "STP_CPSTATE.IND": (
        Phrase("control pilot", "cp_state", _named(CONTROL_PILOT)),
        Phrase("", "pwm_duty", unit=" %"),
        Phrase("", "pwm_freq", unit=" Hz", quiet=(0,)),
        Phrase("", "cp_voltage", lambda value: f"{value / 1000:.1f} V"),
    ),
    "NSCM_GET_D_LINK_STATUS.CNF": (Phrase("", "link_status", LINK),),
    "NSCM_D_LINK_READY.IND": (Phrase("", "status", LINK),),
    "NSCM_HOST_MESSAGE_STATUS.IND": (Phrase("", "host_message_status", _named(HOST_MESSAGES)),),
    "VS_GET_VERSION.CNF": (Phrase("", "av_stack_version"),),
    "VS_GET_STATUS.CNF": (Phrase("", "status", _named(STATUS)), Phrase("", "link_state", LINK)),
    "VS_GET_NW_INFO.CNF": (NETWORK, Phrase("CCo", "cco_mac", mac), Phrase("stations", "stas", _macs)),
    "VS_GET_PWM_STATS.CNF": PWM,
    "VS_GET_PWM_STATS.IND": PWM,
    "DSPACE_SCS_DIAG.IND": (Phrase("", "text", lambda value: shortened(value.rpartition("|")[2])),),
}


def side(name: str) -> Side | None:
    """Whose message it is, where its name tells."""
    return SIDES.get(name)


def message_id(name: str) -> int | None:
    """Its documented number in the CCS binding."""
    bare = name.removeprefix("NSCM_").replace("GET_D_LINK", "D_LINK").replace("HOST_MESSAGE_STATUS", "HOST_MESSAGE")
    for table, known in (("slac", name), ("vendor", name), ("lumissil", bare if bare != name else "")):
        number = ids.message_id(table, known)
        if number is not None:
            return number
    return None


def address(value: bytes) -> str:
    """A MAC address, or what it stands for."""
    return ADDRESSES.get(value) or mac(value)


def headline(event: Mme) -> str:
    """The documented number and the name: "  1 CM_SLAC_PARM.REQ"."""
    number = message_id(event.name)
    return f"{number if number is not None else '':>3} {event.name or 'HomePlug frame'}"


def describe(event: Mme) -> str:
    """Who to whom, and the fields that matter."""
    message = event.message
    tag = f"  VLAN {message.vlan & 0xFFF}" if message is not None and message.vlan is not None else ""
    ends = f"{address(event.source)} > {address(event.destination)}{tag}"
    return clean(f"{ends}  {told(event)}".rstrip())


def told(event: Mme) -> str:
    """The fields that matter, or the octets where they are not known."""
    message = event.message
    if message is None:
        return f"{event.fault}: {octets(event.frame)}"
    if "payload" in message.fields:
        oui = f", OUI {message.oui.hex(':').upper()}" if message.oui else ""
        part = "" if message.fragment == (0, 1) else f"{message.note}, "
        return f"{part}MMTYPE 0x{message.mmtype:04X}, MMV {message.mmv}{oui}, {octets(message.fields['payload'])}"
    phrases = PHRASES.get(event.name)
    said = event.source, event.destination  # the addresses that need not be repeated
    shown = _fields(message.fields) if phrases is None else "  ".join(_phrased(message.fields, phrases, said))
    return f"{shown}  and {len(message.tail)} octets more".strip() if any(message.tail) else shown


def _phrased(fields: Mapping[str, Any], phrases: tuple[Phrase, ...], said: tuple[Any, ...]) -> list[str]:
    return [
        f"{phrase.word} {phrase.show(fields[phrase.field])}{phrase.unit}".strip()
        for phrase in phrases
        if phrase.field in fields and fields[phrase.field] not in (*phrase.quiet, *said)
    ]


def _fields(fields: Mapping[str, Any]) -> str:
    """All fields, without the reserved ones."""
    parts = []
    for name, value in fields.items():
        if not name.startswith("rsvd"):
            parts.append(f"{name} {len(value) if isinstance(value, list) else text(_plain(value))}")
    return shortened("  ".join(parts))


def shortened(line: str) -> str:
    """A line of bearable length."""
    return line if len(line) <= MOST else line[: MOST - 3] + "..."


def octets(data: bytes) -> str:
    """Octets for a line: the first ones, without the zeros at the end."""
    bare = data.rstrip(b"\0")
    shown = bare[:OCTETS].hex().upper()
    return f"{len(data)} octets" + (f" {shown}{'...' if len(bare) > OCTETS else ''}" if shown else ", all zero")


def record(event: Mme) -> dict[str, Any]:
    """The JSON of a management message: octets in hexadecimal, MAC addresses with colons."""
    entry: dict[str, Any] = {
        "schema": "mme",
        "name": event.name or None,
        "id": message_id(event.name),
        "source": mac(event.source),
        "destination": mac(event.destination),
    }
    message = event.message
    if message is None:
        return entry | {"undecoded": event.fault, "octets": event.frame.hex().upper()}
    if message.vlan is not None:
        entry["vlan"] = message.vlan & 0xFFF
    entry |= {"mmtype": f"0x{message.mmtype:04X}", "mmv": message.mmv}
    if message.oui is not None:
        entry["oui"] = message.oui.hex(":").upper()
    if message.fragment != (0, 1):
        entry["fragment"] = {"number": message.fragment[0] + 1, "of": message.fragment[1], "fmsn": message.fmsn}
    entry["fields"] = {
        name: value.hex().upper() if name == "payload" else _plain(value) for name, value in message.fields.items()
    }
    if any(message.tail):
        entry["tail"] = message.tail.hex().upper()
    if message.note:
        entry["note"] = message.note
    return entry


def _plain(value: Any) -> Any:
    """Numbers, text, lists and mappings, ready for JSON."""
    if isinstance(value, bytes):
        return mac(value) if len(value) == 6 else value.hex().upper()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


def tree(event: Mme) -> list[str]:
    """A management message as indented lines."""
    lines = [f"mme: {event.name or 'HomePlug frame'}"]

    def walk(value: Any, name: str, depth: int) -> None:
        indent = "  " * depth
        if isinstance(value, dict):
            lines.append(f"{indent}{name}")
            for key, each in value.items():
                walk(each, key, depth + 1)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for each in value:
                walk(each, name, depth)
        else:
            shown = " ".join(map(str, value)) or "(none)" if isinstance(value, list) else value
            lines.append(f"{indent}{name}: {shown}")

    for name, value in record(event).items():
        if name not in ("schema", "name") and value is not None:
            walk(value, name, 1)
    return [clean(line) for line in lines]
