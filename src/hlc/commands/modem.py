"""`hlc modem`: what the modem behind an interface is, has and measures; and a new key for it."""

from __future__ import annotations

import argparse
import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from hlc.commands.output import say
from hlc.runtime.errors import SetupError, WrongUsage
from hlc.runtime.matching import opened
from hlc.runtime.modem import ModemShell
from slac import keys
from slac.families import Identity, Neighbours, Network, Purpose
from slac.link import Link

EXAMPLES: Final = """\
examples:
  sudo hlc modem eth1                               which modem it is, its key and network, whom it hears
  sudo hlc modem eth1 link                          whether there is a link: exit code 0 if so
  sudo hlc modem eth1 set-key --password HomePlugAV the key of a network adapter as it is sold
  sudo hlc modem eth1 set-key                       a random key: it leaves its network
  sudo hlc modem eth1 reset
  sudo hlc modem eth1 pwm                           the control pilot, as modems that can measure it see it

Modems of Qualcomm, Vertexcom, Lumissil and ST are told apart by themselves; others are asked what the standard knows.
It needs CAP_NET_RAW: run it as root, or give that to the Python that runs it."""


def octets(length: int) -> Callable[[str], bytes]:
    """A type of argument: so many octets in hexadecimal."""

    def read(text: str) -> bytes:
        try:
            value = bytes.fromhex(text.replace(":", ""))
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not hexadecimal") from None
        if len(value) != length:
            has = "1 octet" if len(value) == 1 else f"{len(value)} octets"
            raise argparse.ArgumentTypeError(f"{text!r} has {has}; it takes {length}")
        return value

    return read


def network_id(text: str) -> bytes:
    """A type of argument: a NID."""
    nid = octets(7)(text)
    if nid[6] > 0x3F:
        raise argparse.ArgumentTypeError(f"{text!r} is no NID: it has 54 bits, so its last octet is 3F at most")
    return nid


def password(text: str) -> str:
    """A type of argument. The rules want 12 to 64 characters of ASCII; modems are sold with shorter ones."""
    if not text or not (text.isascii() and text.isprintable()):
        raise argparse.ArgumentTypeError(f"{text!r} is no password: it has printable ASCII characters, one at least")
    return text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hlc modem`."""
    parser.epilog = EXAMPLES
    parser.add_argument("interface", metavar="INTERFACE", help="where the modem is: eth1")
    parser.add_argument(
        "action", metavar="ACTION", nargs="?", choices=list(ACTIONS), default="info", help=f"{', '.join(ACTIONS)}"
    )
    key = parser.add_mutually_exclusive_group()
    key.add_argument(
        "--nmk", metavar="HEX", type=octets(16), help="set-key: the key, 16 octets (default: a random one)"
    )
    key.add_argument("--password", metavar="TEXT", type=password, help="set-key: the password that the key is made of")
    parser.add_argument(
        "--nid", metavar="HEX", type=network_id, help="set-key: the network, 7 octets (default: the key's)"
    )
    parser.add_argument("--json", action="store_true", help="an object of JSON on standard output")


def run(options: Any) -> int:
    """Ask; the exit code."""
    if options.action != "set-key" and any((options.nmk, options.password, options.nid)):
        raise WrongUsage("--nmk, --password and --nid are for set-key")
    with opened(options.interface) as link:
        return asyncio.run(_ask(options, link))


async def _ask(options: Any, link: Link) -> int:
    shell = ModemShell(link, lambda text: say("modem", text))
    try:
        identity = await shell.identify()
        if identity is None:
            raise SetupError(
                f"no modem answers on {link.name}: check its power and its connection, and that this is its interface"
            )
        found, code = await ACTIONS[options.action](shell, identity, options)
    finally:
        shell.close()
    if options.json:
        print(msgspec.json.encode(found).decode())
    else:
        for name, value in found.items():
            print(f"{name.replace('_', ' '):<16}{_text(value)}")
    return code


Found = tuple[dict[str, Any], int]
"""What is told, by name, and the exit code."""


async def _info(shell: ModemShell, identity: Identity, options: Any) -> Found:
    network: Network | None = await shell.ask(Purpose.NETWORK)
    heard: Neighbours | None = await shell.ask(Purpose.NEIGHBOURS)
    nmk: bytes | None = await shell.ask(Purpose.HELD_KEY)
    found: dict[str, Any] = {
        "family": identity.family.name,
        "mac": identity.mac.hex(":"),
        "version": identity.version,
        "nmk": None if nmk is None else nmk.hex().upper(),
        "link": await shell.ask(Purpose.LINK),
        "network": None,
        "role": None,
        "coordinator": None,
        "stations": [],
        "stations_heard": None if heard is None else heard.stations,
        "networks_heard": None if heard is None else heard.networks,
    }
    if network is not None and network.nid:
        found["network"] = network.nid.hex().upper()
        found["role"] = "coordinator" if network.coordinator else "station"
        found["coordinator"] = network.cco.hex(":")
        found["stations"] = [mac.hex(":") for mac in network.stations]
    return found, 0


async def _link(shell: ModemShell, identity: Identity, options: Any) -> Found:
    up = await shell.ask(Purpose.LINK)
    return {"link": up}, 0 if up else 1


async def _set_key(shell: ModemShell, identity: Identity, options: Any) -> Found:
    if options.password is not None:
        nmk = keys.nmk_from_password(options.password)
    else:
        nmk = options.nmk or secrets.token_bytes(16)
    nid = options.nid or keys.nid_from_nmk(nmk)
    done = await shell.set_key(nid, nmk)
    found = {
        "nid": nid.hex().upper(),
        "nmk": nmk.hex().upper(),
        "confirmed": done.confirmed,
        "read_back": done.verified,
    }
    return found, 0 if done.verified or (done.confirmed and done.verified is None) else 1


async def _reset(shell: ModemShell, identity: Identity, options: Any) -> Found:
    if Purpose.RESET not in identity.family.asks:
        raise SetupError(f"this modem ({identity.family.name}) knows no message to reset it: take its power away")
    answered = await shell.ask(Purpose.RESET) is not None
    told = answered or not identity.family.reset_answered
    return {"reset": "told, it restarts" if told else "not answered"}, 0 if told else 1


async def _pwm(shell: ModemShell, identity: Identity, options: Any) -> Found:
    measured = await shell.ask(Purpose.PWM)
    if measured is None:
        raise SetupError(f"this modem ({identity.family.name}) does not tell the control pilot")
    return {"frequency_Hz": measured.frequency_hz, "duty_percent": measured.duty, "volts": measured.volts}, 0


ACTIONS: Final[Mapping[str, Callable[[ModemShell, Identity, Any], Awaitable[Found]]]] = {
    "info": _info,
    "link": _link,
    "set-key": _set_key,
    "reset": _reset,
    "pwm": _pwm,
}


def _text(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(value) or "-"
        case _:
            return str(value)
