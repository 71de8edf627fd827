"""What `hlc powerline` makes of its words, and how it tells what happens."""

from __future__ import annotations

import json
from typing import Any

import pytest

import slac
from hlc.cli import main, parser_for
from hlc.commands import powerline
from hlc.runtime.errors import WrongUsage
from slac.powerline import Carried, Joined, Left, Rekeyed, Unsent

PARM = slac.make("CM_SLAC_PARM.REQ", destination=b"\xff" * 6, source=b"\x02" * 6)
VERSION = slac.make("VS_GET_VERSION.REQ", destination=b"\xff" * 6, source=b"\x02" * 6)


def options(words: str) -> Any:
    arguments = ["powerline", *words.split()]
    return parser_for(arguments).parse_args(arguments)


def distances(words: str) -> dict[str, float]:
    """Attenuation between those who hear each other."""
    line, _ = powerline.build(options(words))
    pairs = [(a, b, line.path(a, b)) for a in line.modems for b in line.modems if a.name < b.name]
    return {f"{a.name} {b.name}": path.db for a, b, path in pairs if path is not None}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("c:ev o:evse", {"c o": 12.0}),
        ("c:ev o:evse --attenuation 20", {"c o": 20.0}),
        ("c:ev o:evse --attenuation 20 --attenuation o,c=7", {"c o": 7.0}),
        (
            "c:ev d:ev o:evse p:evse",
            {"c o": 12.0, "d p": 12.0, "o p": 25.0, "c p": 37.0, "d o": 37.0, "c d": 49.0},
        ),
        ("c:ev o:evse p:evse --attenuation c,p=35", {"c o": 12.0, "o p": 25.0, "c p": 35.0}),
        ("c:ev d:ev o:evse --attenuation d,o=30", {"c o": 12.0, "d o": 30.0, "c d": 42.0}),
        ("o:evse p:evse", {"o p": 25.0}),
        (
            "c:ev l:listener o:evse p:evse",
            {"c o": 12.0, "l o": 12.0, "o p": 25.0, "c l": 24.0, "c p": 37.0, "l p": 37.0},
        ),
        ("l:listener:qca7420 o:evse --attenuation o,l=20", {"l o": 20.0}),
        ("c:ev o:evse --attenuation c,o=200", {}),  # for a vehicle that hears nobody
    ],
)
def test_who_hears_whom(words: str, expected: dict[str, float]) -> None:
    assert distances(words) == expected


def test_the_other_options_reach_the_line() -> None:
    line, modems = powerline.build(options("c:ev:cg5317 o:evse --loss 20 --delay 8 --join 3 --seed 5"))
    assert (line.conditions.loss, line.conditions.delay_s) == (0.2, 0.008)
    assert modems["c"].family.name == "cg5317"
    assert {modem.family.restart_s + modem.family.join_s for modem in modems.values()} == {3.0}
    _, modems = powerline.build(options("c:ev o:evse:qca7420"))
    assert modems["o"].family.restart_s == 5.0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("c:ev", "a line needs two interfaces at least, one of them an outlet"),
        ("c:ev d:ev", "a line needs two interfaces at least, one of them an outlet"),
        ("c:ev c:evse", "interface c is named twice"),
        ("c:ev d:ev o:evse", "d hears no outlet: say where it is plugged in, as in --attenuation d,o=12"),
        ("c:ev o:evse --attenuation c,x=3", "--attenuation names x, which is not among c, o"),
        ("c:ev o:evse --attenuation c,c=3", "--attenuation names c twice: it is between two of c, o"),
    ],
)
def test_a_line_that_makes_no_sense(words: str, says: str) -> None:
    with pytest.raises(WrongUsage, match=says):
        powerline.build(options(words))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("c", "'c' is no interface with its role: write mev0:ev or mse0:evse:qca7000"),
        ("c:car", "'c:car' is no interface with its role"),
        (":ev", "':ev' is no interface with its role"),
        ("c:ev:qca7000:x", "'c:ev:qca7000:x' is no interface with its role"),
        ("c:ev:qca", "there is no family 'qca'; there are qca7000, qca7420, mse102x, cg5317, st"),
        ("c:ev o:evse --attenuation near", "'near' is no attenuation: write 14, or mev0,mse1=35 (dB)"),
        ("c:ev o:evse --attenuation c=3", "'c=3' is no attenuation"),
        ("c:ev o:evse --attenuation nan", "'nan' is no attenuation"),
        ("c:ev o:evse --loss 101", "--loss: 101 is not a percentage from 0 to 100"),
    ],
)
def test_wrong_words_are_one_line_and_exit_code_2(words: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["powerline", *words.split()])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


def test_an_interface_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["powerline", "nowhere0:ev", "o:evse"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("hlc powerline: there is no interface nowhere0; this machine has ")
    assert told.count("\n") == 1


def test_events_are_told_in_a_line() -> None:
    assert [powerline.told(event, 100.0) for event in EVENTS] == [
        "    1.500  c -> o: CM_SLAC_PARM.REQ; lost on the way to p",
        "    1.500  c -> nobody: CM_SLAC_PARM.REQ",
        None,
        None,
        "    1.600  c does not send CM_SLAC_PARM.REQ: it restarts",
        "    2.000  c has a new key, NID 01020304050607",
        "    3.000  c has joined the network of o",
        "    4.000  c has left its network",
    ]


def test_events_are_told_to_machines() -> None:
    told = [json.loads(powerline.as_json(event)) for event in EVENTS]
    assert told[0] == {
        "event": "carried",
        "at": 101.5,
        "sender": "c",
        "frame": PARM.hex(),
        "heard": ["o"],
        "lost": ["p"],
        "name": "CM_SLAC_PARM.REQ",
    }
    assert told[2]["name"] is None
    assert told[4] == {
        "event": "unsent",
        "at": 101.6,
        "modem": "c",
        "frame": PARM.hex(),
        "why": "it restarts",
        "name": "CM_SLAC_PARM.REQ",
    }
    assert told[5] == {"event": "rekeyed", "at": 102.0, "modem": "c", "nid": "01020304050607"}
    assert told[6] == {"event": "joined", "at": 103.0, "modem": "c", "coordinator": "o"}
    assert told[7] == {"event": "left", "at": 104.0, "modem": "c"}


EVENTS = [
    Carried(101.5, "c", PARM, ("o",), ("p",)),
    Carried(101.5, "c", PARM, (), ()),
    Carried(101.5, "c", b"\xff" * 12 + b"\x86\xdd" + bytes(46), ("o",), ()),
    Carried(101.5, "c", VERSION, (), ()),
    Unsent(101.6, "c", PARM, "it restarts"),
    Rekeyed(102.0, "c", bytes(range(1, 8))),
    Joined(103.0, "c", "o"),
    Left(104.0, "c"),
]


def test_who_is_there_is_described() -> None:
    line, _ = powerline.build(options("l:listener o:evse"))
    assert powerline.described(line)[0] == "l: a listener, qca7000 00:b0:52:12:00:01; in range: o 12 dB"
    line, _ = powerline.build(options("c:ev o:evse"))
    assert powerline.described(line) == [
        "c: a vehicle, qca7000 00:b0:52:12:00:01; in range: o 12 dB",
        "o: an outlet, qca7000 00:b0:52:12:00:02; in range: c 12 dB",
    ]
