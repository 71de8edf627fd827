"""The command `hlc`: what it can be asked, and who does it.

Nothing heavy is imported before it is known which command runs: `hlc --help` is there at once.
"""

from __future__ import annotations

import argparse
import gc
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, NoReturn

DESCRIPTION: Final = """\
The talk between electric vehicles and chargers: be the car, be the station, or read what they say.
This version speaks SLAC and DIN SPEC 70121 (DC charging) over TCP."""

EXAMPLES: Final = """\
examples:
  hlc demo                              watch a car charge at a station, both simulated, no hardware needed

  be a station:
  hlc secc --interface eth1             match and serve vehicles on eth1, with a simulated outlet
  hlc secc --interface lo --once        for one session on this machine; then, in another terminal:

  be a vehicle:
  hlc evcc --interface lo --once        find the station on this machine and charge there
  hlc evcc --interface eth1 --soc 35 --target-soc 80

  behind powerline modems (as root):
  hlc slac ev eth1                      match only: with whom, at what attenuation, or what is wrong
  hlc modem eth1                        which modem it is, its network, whom it hears

  without modems:
  hlc powerline mev0:ev mse0:evse       a simulated powerline between two interfaces, for programs as they are

  certificates:
  hlc pki create pki                    a test hierarchy for TLS and Plug & Charge, in the folder pki
  hlc pki show pki                      who is who, how long still, and what is wrong

  read a session:
  hlc sniff eth1                        who says what on an interface, while it happens (as root)
  hlc decode session.pcapng             who said what, when, and what went wrong
  hlc decode 8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040
  hlc encode message.xml                the way back: from XML or JSON to EXI

Every command explains itself: hlc demo --help"""


class Command(NamedTuple):
    """A command: one line of help, and the module that has `add_arguments(parser)` and `run(options) -> exit code`."""

    help: str
    load: Callable[[], tuple[Callable[[argparse.ArgumentParser], None], Callable[[Any], int]]]


def _demo() -> tuple[Callable[[argparse.ArgumentParser], None], Callable[[Any], int]]:
    from hlc.commands import demo

    return demo.add_arguments, demo.run


def _secc() -> tuple[Callable[[argparse.ArgumentParser], None], Callable[[Any], int]]:
    from hlc.commands import secc

    return secc.add_arguments, secc.run


def _evcc() -> tuple[Callable[[argparse.ArgumentParser], None], Callable[[Any], int]]:
    from hlc.commands import evcc

    return evcc.add_arguments, evcc.run


def _decode() -> tuple[Callable[[argparse.ArgumentParser], None], Callable[[Any], int]]:
    from hlc.capture import command

    return command.add_arguments, command.decode


def _encode() -> tuple[Callable[[argparse.ArgumentParser], None], Callable[[Any], int]]:
    from hlc.commands import encode

    return encode.add_arguments, encode.run


def _slac() -> tuple[Callable[[argparse.ArgumentParser], None], Callable[[Any], int]]:
    from hlc.commands import slac

    return slac.add_arguments, slac.run


def _modem() -> tuple[Callable[[argparse.ArgumentParser], None], Callable[[Any], int]]:
    from hlc.commands import modem

    return modem.add_arguments, modem.run


def _powerline() -> tuple[Callable[[argparse.ArgumentParser], None], Callable[[Any], int]]:
    from hlc.commands import powerline

    return powerline.add_arguments, powerline.run


def _pki() -> tuple[Callable[[argparse.ArgumentParser], None], Callable[[Any], int]]:
    from hlc.commands import pki

    return pki.add_arguments, pki.run


def _sniff() -> tuple[Callable[[argparse.ArgumentParser], None], Callable[[Any], int]]:
    from hlc.commands import sniff

    return sniff.add_arguments, sniff.run


COMMANDS: Final = {
    "demo": Command("a whole charge, car and station simulated", _demo),
    "secc": Command("be a station (SECC)", _secc),
    "evcc": Command("be a vehicle (EVCC)", _evcc),
    "decode": Command("decode a recorded session, or one message", _decode),
    "encode": Command("encode messages in XML or JSON", _encode),
    "slac": Command("match vehicle and outlet over the powerline, nothing else", _slac),
    "modem": Command("ask the powerline modem behind an interface, or give it a key", _modem),
    "powerline": Command("a simulated powerline between real interfaces", _powerline),
    "pki": Command("make certificates for tests, or explain certificates", _pki),
    "sniff": Command("decode a session while it happens", _sniff),
}


class Parser(argparse.ArgumentParser):
    """An argument parser that says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser_for(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; of the commands, only the one that is asked for is loaded."""
    parser = Parser(
        prog="hlc",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    named = f"openhlc {version()}" if "--version" in arguments else ""  # finding it takes as long as all the rest
    parser.add_argument("--version", action="version", version=named)
    commands = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True, parser_class=Parser
    )
    asked = next((argument for argument in arguments if argument in COMMANDS), None)
    for name, command in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=command.help,
            description=command.help[0].upper() + command.help[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == asked:
            add_arguments, run = command.load()
            add_arguments(sub)
            sub.add_argument("--debug", action="store_true", help="show where in the program an error came from")
            sub.set_defaults(run=run, debug=False)
    return parser


def version() -> str:
    """The version of this distribution."""
    from importlib import metadata

    try:
        return metadata.version("openhlc")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. The exit code is 0 when what was asked for happened, 2 for wrong usage, 1 otherwise."""
    if arguments is None:
        arguments = sys.argv[1:]
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: whoever ends us wants it done in order
        gc.disable()  # what is loaded stays: until a command runs there is nothing to collect
    if not arguments:
        parser_for(()).print_help()
        return 2
    options, unknown = parser_for(arguments).parse_known_args(arguments)
    if unknown:
        print(
            f"hlc {options.command}: unknown: {' '.join(unknown)} (see hlc {options.command} --help)", file=sys.stderr
        )
        return 2
    if options.debug:
        import logging

        logging.basicConfig(level=logging.DEBUG, format="%(name)s: %(message)s")
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        print(f"hlc {options.command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough. Nothing may be written any more, not even at exit.
        sys.stdout = open("/dev/null", "w")  # noqa: SIM115
        return 1
    except Exception as error:
        if options.debug:
            raise
        code = getattr(error, "exit_code", None)
        if code is None:
            print(
                f"hlc {options.command}: internal error: {type(error).__name__}: {error} (--debug shows where)",
                file=sys.stderr,
            )
            return 1
        print(f"hlc {options.command}: {error}", file=sys.stderr)
        return int(code)


if __name__ == "__main__":
    sys.exit(main())
