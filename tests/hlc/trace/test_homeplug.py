"""HomePlug management messages in a line and as data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import slac
from hlc.trace import homeplug
from hlc.trace.events import Mme, Side
from hlc.trace.matching import mme_event

EV, EVSE, MODEM = (bytes.fromhex(f"0200000000{number:02}") for number in (1, 2, 3))
ALL, OWN = b"\xff" * 6, bytes.fromhex("00B052000001")


def event(name: str, source: bytes = EV, destination: bytes = ALL, **fields: object) -> Mme:
    return mme_event(slac.make(name, source=source, destination=destination, **fields), 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (event("CM_SLAC_PARM.REQ", run_id=b"TESLA EV"), "02:00:00:00:00:01 > all  run 5445534C41204556"),
        (
            event("CM_SLAC_PARM.CNF", EVSE, EV, vlan=0x2002, time_out=10, resp_type=0),
            "02:00:00:00:00:02 > 02:00:00:00:00:01  VLAN 2  run 0000000000000000  10 sounds  in 1000 ms  RESP_TYPE 0",
        ),
        (
            event("CM_ATTEN_PROFILE.IND", MODEM, pev_mac=EV, aag=[10, 20]),
            "02:00:00:00:00:03 > all  EV 02:00:00:00:00:01  15.0 dB on average, 10 to 20 dB in 2 groups",
        ),
        (
            event("CM_ATTEN_CHAR.IND", EVSE, EV, source_address=EV),
            "02:00:00:00:00:02 > 02:00:00:00:00:01  run 0000000000000000  10 sounds  no groups: nothing measured",
        ),
        (event("CM_VALIDATE.CNF", EVSE, EV, result=2, toggle_num=3), "…  success  3 toggles"),
        (
            event("CM_SLAC_MATCH.REQ", EV, EVSE, pev_mac=EV, evse_mac=MODEM, mvf_length=0x3E00),
            "…  run 0000000000000000  MVFLength 15872  EVSE 02:00:00:00:00:03",
        ),
        (
            event("CM_SET_KEY.REQ", EV, OWN, nid=b"\1" * 7, new_key=b"\2" * 16),
            f"02:00:00:00:00:01 > own modem  NID {'01' * 7}  NMK {'02' * 16}",
        ),
        (event("CC_DISCOVER_LIST.CNF", MODEM, EV), "…  stations none  networks none"),
        (
            event("STP_CPSTATE.IND", EVSE, OWN, cp_state=3, pwm_duty=5, cp_voltage=8942),
            "…  control pilot B  5 %  8.9 V",
        ),
        (event("VS_PL_LNK_STATUS.CNF", MODEM, EV, link_status=7), "…  code 7"),
        (event("VS_RS_DEV.CNF", MODEM, EV), "…  mstatus 0"),
        (
            event("VS_TONE_MAP_CHAR.CNF", MODEM, EV, payload=bytes(range(40))),
            f"…  MMTYPE 0xA071, MMV 0, OUI 00:B0:52, 40 octets {bytes(range(32)).hex().upper()}...",
        ),
    ],
)
def test_a_line_for_a_reader(made: Mme, line: str) -> None:
    said = homeplug.describe(made)
    assert said == line if not line.startswith("…") else said.endswith(line[1:])


def test_fragments_unknown_and_damaged_messages() -> None:
    fragment = bytes.fromhex("FFFFFFFFFFFF 020000000001 88E1 01 7C60 2100") + b"part"
    assert homeplug.describe(mme_event(fragment, 0.0)).endswith(
        "fragment 2 of 3, MMTYPE 0x607C, MMV 1, 4 octets 70617274"
    )
    unknown = mme_event(bytes.fromhex("FFFFFFFFFFFF 020000000001 88E1 01 9D60 0000"), 0.0)
    assert unknown.name == "CM_0x609D.CNF"
    damaged = mme_event(slac.make("CM_SLAC_PARM.REQ", source=EV, destination=ALL)[:25], 0.0)
    assert (damaged.name, damaged.message) == ("CM_SLAC_PARM.REQ", None)
    assert "run_id is cut off" in homeplug.describe(damaged)
    assert homeplug.record(damaged)["octets"].endswith("88E10164600000000000000000")
    assert homeplug.headline(mme_event(bytes(14), 0.0)).strip() == "HomePlug frame"


def test_text_from_the_line_does_a_terminal_no_harm() -> None:
    assert "\x1b" not in homeplug.describe(event("DSPACE_SCS_DIAG.IND", text="a|\x1b[2J\nb"))
    assert "\x1b" not in "".join(homeplug.tree(event("DSPACE_SCS_DIAG.IND", text="a|\x1b[2J\nb")))


def test_data_for_machines() -> None:
    made = event("CM_SLAC_MATCH.CNF", EVSE, EV, vlan=2, pev_mac=EV, evse_mac=EVSE, run_id=b"12345678", nmk=b"\2" * 16)
    entry = homeplug.record(made)
    assert (entry["schema"], entry["name"], entry["id"], entry["vlan"]) == ("mme", "CM_SLAC_MATCH.CNF", 11, 2)
    assert (entry["source"], entry["mmtype"], entry["mmv"]) == ("02:00:00:00:00:02", "0x607D", 1)
    assert entry["fields"]["pev_mac"] == "02:00:00:00:00:01"
    assert entry["fields"]["run_id"] == "3132333435363738"
    assert entry["fields"]["mvf_length"] == 0x56
    assert homeplug.tree(made)[:2] == ["mme: CM_SLAC_MATCH.CNF", "  id: 11"]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("CM_SLAC_PARM.REQ", 1),
        ("VS_HOST_ACTION.IND", 16),
        ("VS_GET_PWM_STATS.IND", 1404),
        ("NSCM_GET_D_LINK_STATUS.CNF", 1503),
        ("NSCM_HOST_MESSAGE_STATUS.IND", 1504),
        ("CC_DISCOVER_LIST.REQ", None),
    ],
)
def test_documented_numbers(name: str, number: int | None) -> None:
    assert homeplug.message_id(name) == number


def test_every_message_of_the_golden_data_is_told(reference: Path) -> None:
    for row in (reference / "vectors" / "mme" / "mme.jsonl").read_text().splitlines():
        vector = json.loads(row)
        made = mme_event(bytes.fromhex(vector["hex"]), 0.0)
        assert made.name == vector["name"]
        line = homeplug.describe(made)
        assert line.isprintable()
        assert " > " in line
        json.dumps(homeplug.record(made))
        assert homeplug.tree(made)[0] == f"mme: {vector['name']}"


def test_who_says_what() -> None:
    assert homeplug.side("CM_SLAC_MATCH.REQ") is Side.EVCC
    assert homeplug.side("CM_ATTEN_CHAR.IND") is Side.SECC
    assert homeplug.side("CM_SET_KEY.REQ") is None
