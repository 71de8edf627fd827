"""`hlc powerline`: a simulated powerline between real interfaces."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from typing import Any, Final, NamedTuple

import msgspec

import slac
from hlc.commands import options as shared
from hlc.commands.output import STDERR, STDOUT, say
from hlc.runtime.errors import SetupError, WrongUsage
from hlc.runtime.interfaces import known
from hlc.runtime.powerline import Bridge
from hlc.runtime.signals import interrupts
from hlc.trace.jsonl import lost_lines
from hlc.trace.output import BackgroundWriter
from slac.link import Link, LinkError
from slac.powerline import (
    FAMILIES,
    SLAC,
    Carried,
    Event,
    Joined,
    Left,
    Powerline,
    Rekeyed,
    Role,
    SimulatedModem,
    Unsent,
)

EXAMPLES: Final = """\
examples:
  sudo hlc powerline mev0:ev mse0:evse           a vehicle behind mev0, plugged in at the outlet behind mse0
  hlc powerline mev0:ev:cg5317 mse0:evse:qca7420 --loss 10
  hlc powerline mev0:ev mse0:evse mls0:listener     and somebody who listens: hlc sniff --join
  hlc powerline mev0:ev mse0:evse mse1:evse --attenuation 14 --attenuation mev0,mse1=35

The programs of vehicle and outlet run on the other ends of veth pairs, best in a network namespace each, so that
there is no other way between them:
  ip netns add car && ip link add mev0 type veth peer name ev0 netns car
  ip netns add outlet && ip link add mse0 type veth peer name se0 netns outlet
  ip link set mev0 up; ip -n car link set ev0 up; ip link set mse0 up; ip -n outlet link set se0 up

A listener's modem joins a network as a vehicle's does, and hands its host also what others in it say to each other. It
is plugged in at the first outlet. A third modem as it is sold is one of a vehicle; a qca7420 overhears matchings.
Ethernet ports, taps and macvlans serve as well: whatever is on the far side is the host of the modem.

The first vehicle is plugged in at the first outlet, the second at the second; neighbouring outlets hear each other
at 25 dB. Hosts exchange frames once their modems have the same key; until then they hear only the matching."""

ROLES: Final[dict[str, Role]] = {"ev": "ev", "evse": "evse", "listener": "ev"}
PLUGGED_DB: Final = 12.0
NEIGHBOURS_DB: Final = 25.0


class Port(NamedTuple):
    """An interface, and the modem that is to be behind it."""

    interface: str
    role: Role
    family: str
    listens: bool = False


class Coupling(NamedTuple):
    """Attenuation between the modems of two interfaces; without interfaces: of every vehicle to its outlet."""

    between: tuple[str, str] | None
    db: float


def port(text: str) -> Port:
    """A type of argument: INTERFACE:ROLE[:FAMILY]."""
    interface, role, family, *more = [*text.split(":"), "", ""][: max(3, text.count(":") + 1)]
    if not interface or role not in ROLES or more:
        raise argparse.ArgumentTypeError(f"{text!r} is no interface with its role: write mev0:ev or mse0:evse:qca7000")
    if family and family not in FAMILIES:
        raise argparse.ArgumentTypeError(f"there is no family {family!r}; there are {', '.join(FAMILIES)}")
    return Port(interface, ROLES[role], family or "qca7000", role == "listener")


def coupling(text: str) -> Coupling:
    """A type of argument: DB, or INTERFACE,INTERFACE=DB."""
    names, equals, number = text.rpartition("=")
    first, comma, second = names.partition(",")
    try:
        db = float(number)
        if not 0.0 <= db <= 255.0 or bool(equals) != bool(comma):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no attenuation: write 14, or mev0,mse1=35 (dB)") from None
    return Coupling((first, second) if equals else None, db)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hlc powerline`."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "ports",
        metavar="IF:ROLE[:FAMILY]",
        nargs="+",
        type=port,
        help=f"an interface; ev, evse or listener; and the modem's family: {', '.join(FAMILIES)} (default: qca7000)",
    )
    parser.add_argument(
        "--attenuation",
        metavar="DB|A,B=DB",
        action="append",
        type=coupling,
        default=[],
        help=f"of vehicles to their outlets (default: {PLUGGED_DB:g}), or between two; between others it adds up",
    )
    percent = shared.number(0, 100, "a percentage from 0 to 100")
    milliseconds = shared.number(0, 10_000, "a time from 0 to 10000 ms")
    seconds = shared.number(0, 60, "a time from 0 to 60 s")
    parser.add_argument("--loss", metavar="PERCENT", type=percent, default=0.0, help="of frames (default: 0)")
    parser.add_argument("--delay", metavar="MS", type=milliseconds, default=5.0, help="one way (default: 5)")
    parser.add_argument("--join", metavar="S", type=seconds, help="from a new key to the link (default: the family's)")
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="for loss, noise and delays (default: 1)")
    parser.add_argument("--json", action="store_true", help="frames and networks, a JSON object per line")


def run(options: Any) -> int:
    """Carry frames until Ctrl-C; the exit code."""
    line, modems = build(options)
    for name in modems:
        known(name)
    try:
        return asyncio.run(_carry(options, line, modems))
    except LinkError as error:
        raise SetupError(str(error)) from error


def build(options: Any) -> tuple[Powerline, dict[str, SimulatedModem]]:
    """The line, and its modems by their interfaces. Raises `WrongUsage`."""
    ports: list[Port] = options.ports
    names = [each.interface for each in ports]
    for name in names:
        if names.count(name) > 1:
            raise WrongUsage(f"interface {name} is named twice")
    line = Powerline(seed=options.seed, loss=options.loss / 100.0, delay_s=options.delay / 1000.0)
    # Half of the time the modem is silent, in the other half it looks for the coordinator.
    quirks = {} if options.join is None else {"restart_s": options.join / 2, "join_s": options.join / 2}
    modems = {
        each.interface: line.modem(each.role, family=each.family, name=each.interface, listens=each.listens, **quirks)
        for each in ports
    }
    outlets = [modem for modem in modems.values() if modem.role == "evse"]
    vehicles = [modem for modem in modems.values() if modem.role == "ev"]
    if not outlets or len(modems) < 2:
        raise WrongUsage("a line needs two interfaces at least, one of them an outlet: hlc powerline mev0:ev mse0:evse")
    _couple(line, modems, outlets, vehicles, options.attenuation)
    return line, modems


def _couple(
    line: Powerline,
    modems: dict[str, SimulatedModem],
    outlets: Sequence[SimulatedModem],
    vehicles: Sequence[SimulatedModem],
    couplings: Sequence[Coupling],
) -> None:
    plugged_db = next((each.db for each in reversed(couplings) if each.between is None), PLUGGED_DB)
    for outlet, neighbour in pairwise(outlets):
        line.attenuation(outlet, neighbour, NEIGHBOURS_DB)
    plugged = [vehicle for vehicle in vehicles if not vehicle.family.listens]
    for vehicle, outlet in zip(plugged, outlets, strict=False):
        line.attenuation(vehicle, outlet, plugged_db)
    for vehicle in vehicles:
        if vehicle.family.listens:
            line.attenuation(vehicle, outlets[0], plugged_db)
    told = set()
    for each in couplings:
        if each.between is not None:
            for name in each.between:
                if name not in modems:
                    raise WrongUsage(f"--attenuation names {name}, which is not among {', '.join(modems)}")
            a, b = (modems[name] for name in each.between)
            if a is b:
                raise WrongUsage(f"--attenuation names {a.name} twice: it is between two of {', '.join(modems)}")
            line.attenuation(a, b, each.db)
            told |= {a, b}
    for vehicle in vehicles:
        # Who says how far away it is may want it to hear nobody.
        if vehicle not in told and not any(line.path(vehicle, outlet) for outlet in outlets):
            where = f"--attenuation {vehicle.name},{outlets[0].name}=12"
            raise WrongUsage(f"{vehicle.name} hears no outlet: say where it is plugged in, as in {where}")


async def _carry(options: Any, line: Powerline, modems: dict[str, SimulatedModem]) -> int:
    with ExitStack() as closing:
        links = {}
        for name, modem in modems.items():
            links[modem] = closing.enter_context(Link(name, everything=True))
        writer = BackgroundWriter(STDOUT, lost_lines) if options.json else BackgroundWriter(STDERR)
        closing.callback(writer.close)
        began = asyncio.get_running_loop().time()

        def observe(event: Event) -> None:
            text = as_json(event) if options.json else told(event, began)
            if text:
                writer.write(text + "\n")

        line.observer = observe
        for text in described(line):
            say("powerline", text)
        say("powerline", "carrying frames; Ctrl-C ends")
        bridging = asyncio.create_task(Bridge(line, links).run())

        def end() -> None:
            bridging.cancel()

        with interrupts(end, end):
            await asyncio.wait({bridging})
        if not bridging.cancelled():
            bridging.result()  # it never ends by itself: raises what ended it
        return 0


def described(line: Powerline) -> list[str]:
    """Who is on the line, and what they hear of each other: a line for each."""
    lines = []
    for modem in line.modems:
        who = "a listener" if modem.family.listens else "a vehicle" if modem.role == "ev" else "an outlet"
        heard = [f"{other.name} {path.db:.0f} dB" for other in line.modems if (path := line.path(modem, other))]
        near = ", ".join(heard) or "nobody"
        lines.append(f"{modem.name}: {who}, {modem.family.name} {modem.mac.hex(':')}; in range: {near}")
    return lines


def told(event: Event, began: float) -> str | None:
    """An event for a person; None for the frames of the hosts' own, which may be many."""
    match event:
        case Carried(_, sender, frame, heard, lost):
            mme = _mme(frame)
            # A question to the own modem that goes to all stations of the network, of which there are none, is no news.
            if mme is None or not (heard or lost or mme.mmtype in SLAC):
                return None
            text = f"{sender} -> {', '.join(heard) or 'nobody'}: {mme.name}"
            if lost:
                text += f"; lost on the way to {', '.join(lost)}"
        case Unsent(_, modem, frame, why):
            mme = _mme(frame)
            if mme is None:
                return None
            text = f"{modem} does not send {mme.name}: {why}"
        case Rekeyed(_, modem, nid):
            text = f"{modem} has a new key, NID {nid.hex()}"
        case Joined(_, modem, coordinator):
            text = f"{modem} has joined the network of {coordinator}"
        case Left(_, modem):
            text = f"{modem} has left its network"
    return f"{event.at - began:9.3f}  {text}"


def as_json(event: Event) -> str:
    """An event for a machine."""
    fields: dict[str, Any] = {"event": type(event).__name__.lower(), **event._asdict()}
    if isinstance(event, Carried | Unsent):
        mme = _mme(event.frame)
        fields["name"] = mme.name if mme else None
    plain = {name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()}
    return msgspec.json.encode(plain).decode()


def _mme(frame: bytes) -> slac.Mme | None:
    """The management message; None for other frames."""
    try:
        return slac.parse(frame)
    except slac.MmeError:
        return None
