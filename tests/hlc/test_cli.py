"""The command line: quick help, one clear line for wrong use, the right exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hlc.cli import COMMANDS, main

SRC = Path(__file__).parents[2] / "src"

WRONG = [
    ("foo", "invalid choice: 'foo'"),
    ("demo --protocol ocpp", "hlc demo: --protocol knows no 'ocpp'; it takes din70121, iso15118-2, iso15118-20\n"),
    ("demo --mode ac", "DIN SPEC 70121 knows DC alone"),
    ("demo --auth pnc", "hlc demo: --auth pnc is not built yet: only eim is\n"),
    ("demo --speed fast", "--speed: 'fast' is no number"),
    ("demo --speed nan", "--speed: nan is not a factor from 0 to 1000000"),
    ("secc", "hlc secc: say where: --interface IF; this machine has lo"),
    ("secc --interface nonesuch", "hlc secc: there is no interface nonesuch; this machine has lo"),
    ("secc --interface lo --port 15118", "--port: '15118' is no port that a station may announce: 49152 to 65535"),
    ("secc --interface lo --tls perhaps", "hlc secc: --tls knows no 'perhaps'; it takes never, allow, require\n"),
    ("secc --interface lo --tls require", "hlc secc: --tls require is of no use with these --protocols: DIN SPEC"),
    ("evcc --interface lo --pki x", "hlc evcc: --pki DIR is of no use with these --protocols: DIN SPEC 70121 knows"),
    ("secc --interface lo --keylog x", "hlc secc: --keylog is of no use without TLS: give --pki DIR"),
    ("secc --interface lo --config x", "hlc secc: --config FILE is not built yet"),
    ("secc --interface lo --control slow", "hlc secc: --control knows no 'slow'; it takes scheduled, dynamic\n"),
    ("secc --interface lo --protocols din70121,ocpp", "hlc secc: --protocols knows no 'ocpp'; it takes din70121, iso"),
    ("secc --interface lo --protocols iso15118-20 --modes dc,ac", "in one way, and back: name one kind of --modes\n"),
    ("secc --interface lo --nonesuch", "hlc secc: unknown: --nonesuch (see hlc secc --help)\n"),
    ("evcc", "hlc evcc: say where: --interface IF; this machine has lo"),
    ("evcc --interface lo --interface eth1", "hlc evcc: a vehicle has one inlet: give one --interface\n"),
    ("evcc --secc nowhere", "'nowhere' is no address of a station: write [ADDRESS]:PORT"),
    ("evcc --secc [::1]:0", "'[::1]:0' is no address of a station"),
    ("evcc --secc [127.0.0.1]:50000", "is no address of a station"),
    ("evcc --secc [fe80::1]:50000", "a link-local address needs its interface: --interface IF"),
    ("evcc --secc [fe80::1%nonesuch]:50000", "there is no interface nonesuch"),
    ("evcc --interface lo --soc 101", "--soc: 101 is not a percentage from 0 to 100"),
    ("evcc --interface lo --max-time -1", "--max-time: -1 is not a time"),
    ("slac ev nonesuch", "hlc slac: there is no interface nonesuch; this machine has lo"),
    ("slac car eth1", "invalid choice: 'car'"),
    ("slac ev", "the following arguments are required: INTERFACE"),
    ("modem nonesuch", "hlc modem: there is no interface nonesuch; this machine has lo"),
    ("modem eth1 smash", "invalid choice: 'smash'"),
    ("modem eth1 --nmk 00", "--nmk: '00' has 1 octet; it takes 16"),
    ("modem eth1 set-key --nid word", "--nid: 'word' is not hexadecimal"),
    ("modem eth1 info --password x", "hlc modem: --nmk, --password and --nid are for set-key\n"),
    ("pki", "the following arguments are required: create|show, DIR|FILE"),
    ("pki destroy x", "invalid choice: 'destroy'"),
    ("pki show nowhere", "hlc pki: nowhere: there is no such file or directory\n"),
    ("sniff nowhere0", "hlc sniff: there is no interface nowhere0; this machine has "),
]


@pytest.mark.parametrize(("arguments", "says"), WRONG, ids=[arguments for arguments, _ in WRONG])
def test_wrong_use_is_one_line_and_exit_code_2(arguments: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(arguments.split())
    except SystemExit as ended:  # argparse
        code = ended.code
    captured = capsys.readouterr()
    assert code == 2
    assert says in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_without_the_permission_it_says_which_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("slac.link.socket.socket", refused)
    for command in ("slac ev lo", "modem lo"):
        assert main(command.split()) == 1
        said = capsys.readouterr().err
        assert f"hlc {command.split()[0]}: raw Ethernet on lo is not permitted: it needs CAP_NET_RAW" in said
        assert said.count("\n") == 1


def test_nobody_listens_at_the_address_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evcc", "--secc", "[::1]:1", "--no-slac"]) == 1
    assert capsys.readouterr().err.splitlines()[1:] == ["hlc evcc: no station answers at [::1]:1: Connection refused"]


def test_without_arguments_it_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    told = capsys.readouterr().out
    assert all(f"hlc {name}" in told for name in ("demo", "secc", "evcc", "decode"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert f"usage: hlc {name}" in told
    assert "examples:" in told


def test_help_imports_nothing_heavy() -> None:
    """Time on a busy machine says little; what is imported says all."""
    program = (
        "import sys, hlc.cli\n"
        "try: hlc.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'asyncio', 'msgspec', 'construct', 'scapy', 'exi', 'hlc.sim'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={"PYTHONPATH": str(SRC)})
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_session_imports_neither_scapy_nor_pyroute2() -> None:
    """They take memory and time that a station on small hardware has not got."""
    program = (
        "import sys, hlc.commands.secc, hlc.commands.evcc\n"
        "print(sorted({'scapy', 'pyroute2', 'cryptography'} & {name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={"PYTHONPATH": str(SRC)})
    assert done.stdout == "[]\n"


def test_an_error_of_ours_is_one_line_and_its_place_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("hlc.commands.demo.charge", broken)
    assert main(["demo"]) == 1
    assert capsys.readouterr().err == "hlc demo: internal error: ZeroDivisionError: a bug (--debug shows where)\n"
    with pytest.raises(ZeroDivisionError):
        main(["demo", "--debug"])
