"""`hlc decode` as people use it, and misuse it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import exi
import slac
from exi.messages import din70121, xmldsig
from hlc.capture.reading import Reading, candidates
from hlc.cli import main

Charge = tuple[bytes, list[str]]

SAP = "8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040"
RES = "809a0211d01808000000000000000000"
CABLE_CHECK = "01fe80010000000f 809a01c00000000000001010471900"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    try:
        code = main(["decode", *arguments])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


@pytest.fixture(scope="module")
def path(charge: Charge, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("captures") / "charge.pcapng"
    path.write_bytes(charge[0])
    return str(path)


def test_people_read_it(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, path)
    assert (code, err) == (0, "")
    assert "Session 1: 2023-11-14 22:13:20" in out
    assert "EVCC [fe80::ff:fe00:1]:49152  SECC [fe80::2:1]:50000" in out
    assert "118 CurrentDemandReq" in out
    assert "EV target" in out
    assert "EVCC enters state 13 Current Demand" in out
    assert "good: the vehicle ended the session in order (DIN 70121" in out
    assert "\x1b" not in out


def test_a_summary_of_sessions_without_end_is_bounded(
    frames: list[tuple[float, bytes]],
    to_pcap: Callable[..., bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is held back for the table of sessions is told when there is too much of it."""
    monkeypatch.setattr("hlc.capture.lines.HELD", 12)
    capture = tmp_path / "many.pcap"
    capture.write_bytes(to_pcap([(at + 600 * number, frame) for number in range(9) for at, frame in frames]))
    code, out, _ = run(capsys, str(capture), "--summary")
    assert code == 0
    lines = out.splitlines()
    [head] = [number for number, line in enumerate(lines) if "protocol" in line and "reason" in line]
    told = [number for number, line in enumerate(lines) if line.startswith("Session ")]
    assert head == 0
    assert len(told) == 9
    assert 2 <= told[0] < 9  # so many rows the table has


def test_summary_for_machines(path: str, charge: Charge, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, path, "--summary", "--json")
    summary = json.loads(out)
    assert code == 0
    assert Counter({name.partition(":")[2]: n for name, n in summary["messages"].items()}) == Counter(charge[1])
    assert summary["undecoded"] == 0
    assert summary["sdp"] == 2
    assert summary["mme"] == {}
    (session,) = summary["sessions"]
    assert session["outcome"] == "good"
    assert session["protocol"] == "din70121"
    assert session["messages"] == len(charge[1])
    assert session["soc_start"] <= session["soc_end"]


def test_a_line_of_json_for_each_message(path: str, charge: Charge, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, path, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["name"] for line in lines if line["schema"] != "sdp"] == charge[1]
    demand = next(line for line in lines if line["name"] == "CurrentDemandReq")
    assert (demand["id"], demand["side"], demand["session"]) == (118, "EVCC", 1)
    body = demand["message"]["Body"]["CurrentDemandReq"]
    assert set(body["EVTargetCurrent"]) >= {"Multiplier", "Value"}
    assert len(demand["message"]["Header"]["SessionID"]) == 16
    parameters = next(line for line in lines if line["name"] == "ChargeParameterDiscoveryRes")["message"]["Body"]
    assert "DC_EVSEChargeParameter" in parameters["ChargeParameterDiscoveryRes"]


def test_a_line_of_xml_for_each_message(path: str, charge: Charge, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, path, "--xml")
    lines = out.splitlines()
    assert len(lines) == len(charge[1])
    assert all(line.startswith("<") and line.endswith(">") for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        (SAP,),
        ("0x" + SAP,),
        (SAP.upper(),),
        (" ".join(SAP[n : n + 2] for n in range(0, len(SAP), 2)),),
        (SAP[:10], SAP[10:]),
    ],
)
def test_a_payload(text: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *text)
    assert (code, err) == (0, "")
    assert "sap: 80 supportedAppProtocolReq" in out
    assert "ProtocolNamespace: urn:din:70121:2012:MsgDef" in out


def test_a_payload_in_its_frame(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, CABLE_CHECK)
    assert (code, err) == (0, "")
    assert "din70121: 114 CableCheckReq" in out
    assert "EVRESSSOC: 100" in out
    code, out, _ = run(capsys, CABLE_CHECK, "--json")
    assert json.loads(out)["message"]["Body"]["CableCheckReq"]["DC_EVStatus"]["EVRESSSOC"] == 100
    code, out, _ = run(capsys, CABLE_CHECK, "--xml", "--schema", "din70121")
    assert out.startswith("<")
    code, out, _ = run(capsys, "01fe9001 00000014 fe800000000000000200000000020001 c350 10 00")
    assert "51 SECCDiscoveryRes" in out
    assert "port: 50000" in out


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("octets", [True, False])
def test_a_payload_in_a_file(framed: bool, octets: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = CABLE_CHECK if framed else CABLE_CHECK[17:]
    file = tmp_path / "payload"
    file.write_bytes(bytes.fromhex(text) if octets else f"0x{text}\n".encode())
    code, out, err = run(capsys, str(file))
    assert (code, err) == (0, "")
    assert out.startswith("din70121: 114 CableCheckReq\n")


def test_every_bit_of_a_payload(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, CABLE_CHECK, "--bits")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert ["8-14", "1001101", "77/7", "SE", "V2G_Message"] in lines
    assert ["18-81", "0000011100000000..", "00000000000000"] in lines
    assert ["107-113", "1100100", "100"] in lines
    code, out, _ = run(capsys, CABLE_CHECK, "--bits", "--json")
    pieces = [json.loads(line) for line in out.splitlines()]
    assert "".join(piece["bits"] for piece in pieces) == f"{int(CABLE_CHECK[17:], 16):0120b}"
    (soc,) = (piece for piece in pieces if piece["event"] == "value" and piece["path"].endswith("EVRESSSOC"))
    assert (soc["bit"], soc["end"], soc["value"], soc["schema"]) == (107, 114, 100, "din70121")


@pytest.mark.parametrize("schema", [(), ("--schema", "din70121")])
def test_every_bit_up_to_the_failure(schema: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    cut = CABLE_CHECK[17:-6]
    code, out, err = run(capsys, cut, "--bits", *schema)
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "DC_EVStatus.EVReady at bit 96: the input ends here" in err
    last, error = out.splitlines()[-2:]
    assert last.split() == ["95", "0", "no"]
    assert error.split()[0] == "96-"
    assert "EVReady at bit 96: the input ends here" in error
    code, out, _ = run(capsys, cut, "--bits", "--json", *schema)
    assert code == 1
    assert json.loads(out.splitlines()[-1]) == {
        "schema": "din70121",
        "bit": 96,
        "event": "error",
        "path": "V2G_Message.Body.CableCheckReq.DC_EVStatus.EVReady",
        "reason": "the input ends here",
    }


def test_how_plausible_a_reading_is(capsys: pytest.CaptureFixture[str]) -> None:
    entry = json.loads(run(capsys, CABLE_CHECK[17:] + "0000", "--json")[1])
    assert (entry["exact"], entry["surplus"], entry["lenient"]) == (True, 2, False)
    code, out, err = run(capsys, CABLE_CHECK[17:] + "0000")
    assert code == 0
    assert "114 CableCheckReq" in out
    assert err == "hlc decode: 2 surplus octets after the message were ignored\n"


def reading(schema: str, **other: Any) -> Reading:
    message = exi.schema("din70121").decode(bytes.fromhex(CABLE_CHECK[17:]))
    return Reading(schema, "CableCheckReq", message, **({"surplus": 0, "lenient": False, "exact": True} | other))


def test_a_better_reading_is_shown_and_a_worse_one_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [reading("din70121"), reading("sap", surplus=1)]
    monkeypatch.setattr("hlc.capture.reading.readings", lambda *_, **__: found)
    code, out, err = run(capsys, "8000")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "2 readings, the best first:"
    assert lines[1].split() == ["din70121", "114", "CableCheckReq", "exact"]
    assert lines[2].split()[-4:] == ["exact,", "1", "surplus", "octet"]
    assert lines[4] == "din70121: 114 CableCheckReq"
    assert run(capsys, "8000", "--xml")[1].count("\n") == 1
    assert [json.loads(line)["schema"] for line in run(capsys, "8000", "--json")[1].splitlines()] == ["din70121", "sap"]


def test_readings_that_are_equally_good_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [reading("din70121"), reading("sap"), reading("xmldsig", surplus=1)]
    monkeypatch.setattr("hlc.capture.reading.readings", lambda *_, **__: found)
    for options, wanted in (((), 0), (("--xml",), 1), (("--bits",), 1), (("--bits", "--json"), 1)):
        code, out, err = run(capsys, "8000", *options)
        assert code == wanted
        assert err == "hlc decode: 2 schemas read it equally well: choose by --schema din70121 or sap\n"
        assert len(out.splitlines()) == (4 if "--xml" not in options and "--json" not in options else 0)


def test_a_header_narrows_the_schemas() -> None:
    assert candidates(0x8001)[:2] == ["sap", "din70121"]
    assert not any("15118_20" in name for name in candidates(0x8001))
    for payload_type, schema in ((0x8002, "common"), (0x8003, "ac"), (0x8004, "dc"), (0x8005, "acdp"), (0x8006, "wpt")):
        names = [f"iso15118_20_{schema}"]
        assert candidates(payload_type) == [name for name in names if name in exi.schema_names()]
    assert candidates(0x9FFF) == []
    assert set(candidates(None)) == set(exi.schema_names())


def test_an_element_as_it_is_signed(capsys: pytest.CaptureFixture[str]) -> None:
    schema = exi.schema("xmldsig")
    payload = schema.encode_fragment(xmldsig.CanonicalizationMethod(Algorithm="urn:a")).hex()
    for more in ((), ("--schema", "xmldsig")):
        code, out, err = run(capsys, payload, "--fragment", *more)
        assert (code, err) == (0, "")
        assert out.splitlines()[:2] == ["xmldsig: - CanonicalizationMethod", "  CanonicalizationMethod"]
    code, out, _ = run(capsys, payload, "--fragment", "--bits")
    assert "ED" in out
    code, _, err = run(capsys, payload, "--schema", "xmldsig")
    assert code == 1
    assert "no XML Signature message" in err


def test_text_that_neither_terminal_nor_xml_can_take(capsys: pytest.CaptureFixture[str]) -> None:
    request = din70121.ServiceDiscoveryReq(ServiceScope="\x1b[31m")
    header = din70121.MessageHeader(SessionID=b"\1")
    message = din70121.V2G_Message(Header=header, Body=din70121.Body(BodyElement=request))
    payload = exi.schema("din70121").encode(message).hex()
    code, out, _ = run(capsys, payload)
    assert code == 0
    assert "\x1b" not in out
    code, out, err = run(capsys, payload, "--xml")
    assert (code, out) == (1, "")
    assert "ServiceScope: XML cannot carry U+001B" in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere.pcap"], 2, "nowhere.pcap: no such file"),
        (["809a0z11d0"], 2, "not hexadecimal: 'z' at character 6"),
        (["809a011"], 2, "7 hexadecimal digits"),
        (["80 9a 02 1g"], 2, "'g' at character 11"),
        (["ffffffff"], 1, "no schema that is built fits"),
        ([SAP, "--schema", "din70121"], 1, "no DIN 70121 message"),
        ([SAP, "--schema", "din"], 2, "there is no schema din; there are sap, din70121"),
        ([SAP, "--summary"], 2, "--summary is for captures"),
        ([SAP, "--keylog", "keys"], 2, "--keylog is for captures"),
        ([SAP, "--json", "--xml"], 2, "not allowed with"),
        ([SAP, "--bits", "--xml"], 2, "--bits has no XML form"),
        (["80ff"], 1, "no schema that is built fits; "),
        (["01fe900100000002ffff", "--bits"], 2, "SDP messages are no EXI"),
        (["01fe0bad00000002ffff"], 1, "no schema that is built fits payload type 0x0BAD"),
        ([SAP, "--schema", "din70121", "--fragment"], 1, "no DIN 70121 fragment: "),
        (["01fe8001000000ff" + SAP], 0, "announces 255 octets, 34 are there"),
        (["01fe900100000002ffff"], 1, "SECCDiscoveryRes of 2 octets"),
    ],
)
def test_misuse_gets_one_line(arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    got, _, err = run(capsys, *arguments)
    assert got == code
    assert words in err
    assert "--json" in arguments or len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("octets", "code", "words"),
    [
        (b"", 1, "is empty"),
        (b"\x7fELF\x02\x01\x01\x00 no capture", 2, "is no pcap or pcapng capture (it begins with 7f 45 4c 46"),
        (b"deadbeef cafe 0011\nlo", 2, "is no capture, and not hexadecimal: 'l' at character 1 of line 2"),
    ],
)
def test_files_that_are_no_captures(
    octets: bytes, code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "it.pcap"
    path.write_bytes(octets)
    got, out, err = run(capsys, str(path))
    assert (got, out) == (code, "")
    assert words in err
    assert len(err.splitlines()) == 1


def test_what_a_capture_has_not(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    for option in (["--bits"], ["--fragment"], ["--schema", "din70121"]):
        code, out, err = run(capsys, path, *option)
        assert (code, out) == (2, "")
        assert f"{option[0]} is for one payload" in err


def test_a_truncated_capture(charge: Charge, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "it.pcapng"
    path.write_bytes(charge[0][:-500])
    code, out, err = run(capsys, str(path), "--summary", "--json")
    summary = json.loads(out)
    assert code == 1
    assert sum(summary["messages"].values()) >= len(charge[1]) - 6
    assert "damaged" in err
    assert "the file ends within a block" in err
    assert summary["damage"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = tmp_path / "it.pcapng"
    secret.write_bytes(b"")
    secret.chmod(0)
    code, _, err = run(capsys, str(secret))
    assert code == 2
    assert "Permission denied" in err


@pytest.mark.parametrize("kind", ["capture", "hex"])
def test_standard_input(
    kind: str, charge: Charge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Input:
        buffer = io.BytesIO(charge[0] if kind == "capture" else SAP.encode() + b"\n")

    monkeypatch.setattr(sys, "stdin", Input())
    code, out, err = run(capsys, "-")
    assert (code, err) == (0, "")
    assert ("118 CurrentDemandReq" if kind == "capture" else "80 supportedAppProtocolReq") in out


def test_a_capture_that_still_grows(
    charge: Charge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What came through a pipe is told before more is waited for, and all of it once."""
    parts = [charge[0][:30], charge[0][30:5000], charge[0][5000:5001], charge[0][5001:], b""]
    told: list[str] = []

    class Pipe:
        def read1(self, size: int = -1, /) -> bytes:
            told.append(capsys.readouterr().out)
            return parts.pop(0)

        read = read1

    class Input:
        buffer = Pipe()

    monkeypatch.setattr(sys, "stdin", Input())
    code, rest, err = run(capsys, "-", "--json")
    assert (code, err) == (0, "")
    assert told[:2] == ["", ""]
    assert '"SECCDiscoveryReq"' in told[2]
    names = [json.loads(line)["name"] for line in ("".join(told) + rest).splitlines()]
    assert [name for name in names if not name.startswith("SECCDisc")] == charge[1]


def test_a_reader_that_has_had_enough(path: str) -> None:
    """`hlc decode FILE | head -1` ends silently."""
    command: Any = [sys.executable, "-c", "import sys; from hlc.cli import main; sys.exit(main())", "decode", path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


def test_colour_and_progress_on_a_terminal(
    path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[" in run(capsys, path, "--summary")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run(capsys, path, "--summary")[1]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("hlc.capture.progress.EVERY_S", -1.0)
    monkeypatch.setattr("hlc.capture.command.FRAMES_BETWEEN", 10)
    _, out, err = run(capsys, path, "--summary")
    assert "%" in err
    assert "\r" not in out


EV, EVSE = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
PARM = slac.make("CM_SLAC_PARM.REQ", source=EV, destination=b"\xff" * 6, vlan=7, run_id=b"TESLA EV").hex()


def test_a_homeplug_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, PARM)
    assert (code, err) == (0, "")
    assert out.startswith("mme: CM_SLAC_PARM.REQ\n")
    assert "    run_id: 5445534C41204556" in out
    code, out, _ = run(capsys, PARM, "--json")
    assert code == 0
    assert json.loads(out)["fields"]["run_id"] == "5445534C41204556"
    file = tmp_path / "frame"
    file.write_bytes(bytes.fromhex(PARM))
    assert run(capsys, str(file), "--json")[1] == out
    code, _, err = run(capsys, PARM[:50])
    assert code == 1
    assert "CM_SLAC_PARM.REQ: run_id is cut off" in err
    assert run(capsys, PARM, "--bits")[0] == 2
    assert "no XML form" in run(capsys, PARM, "--xml")[2]


@pytest.fixture
def matching(to_pcap: Callable[..., bytes], tmp_path: Path) -> str:
    """A capture of a run that no station reports an attenuation in."""
    about = {"source": EV, "destination": b"\xff" * 6, "run_id": b"TESLA EV"}
    frames = [
        slac.make("CM_SLAC_PARM.REQ", **about),
        slac.make("CM_SLAC_PARM.CNF", source=EVSE, destination=EV, run_id=b"TESLA EV", forwarding_sta=EV),
        slac.make("CM_START_ATTEN_CHAR.IND", **about),
        slac.make("CM_MNBC_SOUND.IND", **about),
        slac.make("VS_TONE_MAP_CHAR.REQ", source=EV, destination=EVSE, payload=b"\1\2"),
        b"\xff" * 12 + b"\x08\x06" + bytes(46),
    ]
    file = tmp_path / "matching.pcap"
    file.write_bytes(to_pcap([(1.7e9 + number + (number > 4) * 9, frame) for number, frame in enumerate(frames)]))
    return str(file)


def test_people_read_a_matching_run(matching: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, matching)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    shown = [line for line in lines if " > " in line]
    assert len(shown) == 5
    assert shown[0].split() == "1 0.000 EVCC 1 CM_SLAC_PARM.REQ 02:00:00:00:00:01 > all run 5445534C41204556".split()
    assert shown[4].endswith("MMTYPE 0xA070, MMV 0, OUI 00:B0:52, 40 octets 0102")
    assert lines.count("Matching 1: EV 02:00:00:00:00:01  run 5445534C41204556") == 1
    assert "! 3.000 s, frame 4: no station reported an attenuation: no modem told of sounds that it heard" in out
    assert "1.000 of 0.2 s  TT_match_response  LATE" in out
    code, out, _ = run(capsys, matching, "--summary")
    assert " > " not in out
    assert "  EV 02:00:00:00:00:01  run 5445534C41204556\n  failed\n" in out
    assert "  station  02:00:00:00:00:02  no attenuation\n" in out


def test_machines_read_a_matching_run(matching: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, matching, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["frame"], line["matching"], line.get("side")) for line in lines] == [
        (1, 1, "EVCC"),
        (2, 1, "SECC"),
        (3, 1, "EVCC"),
        (4, 1, "EVCC"),
        (5, None, None),
    ]
    assert {line["schema"] for line in lines} == {"mme"}
    assert lines[4]["fields"]["payload"].startswith("0102")
    _, out, _ = run(capsys, matching, "--summary", "--json")
    summary = json.loads(out)
    (told,) = summary["matchings"]
    assert (told["outcome"], told["ev"], told["run_id"]) == ("failed", "02:00:00:00:00:01", "5445534C41204556")
    assert told["stations"][0]["mac"] == "02:00:00:00:00:02"
    assert [step["name"] for step in told["steps"]] == [
        "CM_SLAC_PARM.REQ",
        "CM_SLAC_PARM.CNF",
        "CM_START_ATTEN_CHAR.IND",
        "CM_MNBC_SOUND.IND",
    ]
    assert told["findings"][0]["cause"]
    assert summary["mme"]["CM_SLAC_PARM.REQ"] == 1
    assert run(capsys, matching, "--xml")[:2] == (0, "")


@pytest.mark.parametrize("columns", [80, 100, 130])
def test_lines_are_folded_on_a_terminal_only(
    path: str, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    whole = run(capsys, path)[1]
    assert max(map(len, whole.splitlines())) > columns
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    folded = run(capsys, path)[1]
    assert max(map(len, folded.splitlines())) <= columns
    assert folded.split() == whole.split()  # nothing is lost
