"""`hlc decode` as people use it, and misuse it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import exi
from exi.messages import din70121
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
        (["/"], 2, "is a directory"),
        (["809a0z11d0"], 2, "not hexadecimal: 'z' at character 6"),
        (["809a011"], 2, "7 hexadecimal digits"),
        (["80 9a 02 1g"], 2, "'g' at character 11"),
        (["ffffffff"], 1, "no schema that is built fits"),
        ([SAP, "--schema", "din70121"], 1, "no DIN 70121 message"),
        ([SAP, "--schema", "iso15118_20_wpt"], 2, "ISO 15118-20 WPT is not built yet"),
        ([SAP, "--schema", "din"], 2, "there is no schema din; there are sap, din70121"),
        ([SAP, "--summary"], 2, "--summary is for captures"),
        ([SAP, "--keylog", "keys"], 2, "not built yet"),
        ([SAP, "--json", "--xml"], 2, "not allowed with"),
        (["01fe8001000000ff" + SAP], 0, "announces 255 octets, 34 are there"),
        (["01fe900100000002ffff"], 1, "SECCDiscoveryRes of 2 octets"),
    ],
)
def test_misuse_gets_one_line(arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    if "iso15118_20_wpt" in arguments:
        exi = pytest.importorskip("exi")
        if "iso15118_20_wpt" in exi.schema_names():
            pytest.skip("it is built now")
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
    monkeypatch.setattr("hlc.capture.command.PROGRESS_S", -1.0)
    monkeypatch.setattr("hlc.capture.command.FRAMES_BETWEEN", 10)
    _, out, err = run(capsys, path, "--summary")
    assert "%" in err
    assert "\r" not in out
