"""`hlc encode` as people use it, and misuse it."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

import exi
from exi.messages import xmldsig
from hlc.cli import main

PAYLOADS = (
    "8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040",
    "809a01c00000000000001010471900",
)


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str, given: str | bytes = ""
) -> tuple[int, str, str]:
    """Exit code, standard output, standard error of `hlc` with `given` on standard input."""

    class Input:
        buffer = io.BytesIO(given if isinstance(given, bytes) else given.encode())

    monkeypatch.setattr(sys, "stdin", Input())
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("form", ["--json", "--xml"])
def test_there_and_back(
    payload: str, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, message, _ = run(capsys, monkeypatch, "decode", payload, form)
    assert code == 0
    assert run(capsys, monkeypatch, "encode", "-", given=message) == (0, f"{payload}\n", "")
    file = tmp_path / "message"
    file.write_text(f"\ufeff \n{message}", encoding="utf-8")
    assert run(capsys, monkeypatch, "encode", str(file)) == (0, f"{payload}\n", "")


def test_a_line_for_each_message(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [run(capsys, monkeypatch, "decode", payload, "--json")[1] for payload in PAYLOADS]
    code, out, err = run(capsys, monkeypatch, "encode", "-", given="\n".join(lines))
    assert (code, out.split(), err) == (0, list(PAYLOADS), "")
    lines[1] = lines[1].replace("100", "101")
    code, out, err = run(capsys, monkeypatch, "encode", "-", given="".join(lines))
    assert (code, out.split()) == (1, [PAYLOADS[0]])
    path = "V2G_Message.Body.CableCheckReq.DC_EVStatus.EVRESSSOC"
    assert err == f"hlc encode: standard input, line 2: {path}: 101 is above 100\n"


def test_an_element_as_it_is_signed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    schema = exi.schema("xmldsig")
    element = xmldsig.CanonicalizationMethod(Algorithm="urn:a")
    payload = schema.encode_fragment(element).hex()
    message = run(capsys, monkeypatch, "decode", payload, "--fragment", "--json")[1]
    assert run(capsys, monkeypatch, "encode", "-", given=message) == (0, f"{payload}\n", "")
    text = schema.to_xml(element)
    options = ("--schema", "xmldsig", "--fragment")
    assert run(capsys, monkeypatch, "encode", "-", *options, given=text) == (0, f"{payload}\n", "")
    code, out, err = run(capsys, monkeypatch, "encode", "-", "--schema", "xmldsig", given=text)
    assert (code, out) == (1, "")
    assert "CanonicalizationMethod is no document of xmldsig" in err


XML = '<a:V2G_Message xmlns:a="urn:din:70121:2012:MsgDef"/>'


@pytest.mark.parametrize(
    ("given", "options", "code", "words"),
    [
        ("", "", 2, "standard input is empty: a message in XML begins with <, one in JSON with {"),
        (PAYLOADS[0], "", 2, "standard input begins with '8000dbab9371'"),
        (b"\x80\x9a\xff", "", 2, "hlc encode takes XML or JSON, hlc decode takes EXI"),
        ("<a/>", "", 2, "a is the root of no message: add --schema NAME, one of sap, din70121"),
        ("<a/>", "--schema sap", 1, "a: no element of sap"),
        ("<a", "", 1, "no well-formed XML"),
        (XML, "", 1, "V2G_Message: the end stands where Header belongs"),
        (XML, "--schema din", 2, "there is no schema din; there are sap, din70121"),
        ("{", "", 1, "no well-formed JSON"),
        ("{}", "", 2, "it has no field schema: add --schema NAME, one of sap, din70121"),
        ("{}", "--schema sap", 1, 'a message is an object with "schema", "name" and "message"'),
        ('{"schema": "sdp"}', "", 2, "there is no schema sdp"),
        ('{"schema": ["sap"]}', "", 2, "there is no schema ['sap']"),
        ('{"schema": "sap", "schema": "sap"}', "", 1, "schema comes twice in one object"),
        ('{"schema": "din70121", "name": "x", "message": {}}', "", 1, "V2G_Message: Header is missing"),
        ('{"a":' * 100_000, "", 1, "no well-formed JSON"),
        ('{"a": ' + "9" * 5000 + "}", "", 1, "no well-formed JSON"),
    ],
)
def test_misuse_gets_one_line(
    given: str | bytes,
    options: str,
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    got, out, err = run(capsys, monkeypatch, "encode", "-", *options.split(), given=given)
    assert (got, out) == (code, "")
    assert words in err
    assert err.startswith("hlc encode: ")
    assert err.count("\n") == 1


def test_files_that_are_not_there(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(capsys, monkeypatch, "encode", "/nowhere")[::2] == (
        2,
        "hlc encode: /nowhere: No such file or directory\n",
    )
    assert run(capsys, monkeypatch, "encode", "/")[::2] == (2, "hlc encode: /: Is a directory\n")
    assert run(capsys, monkeypatch, "encode", "a\0b")[0] == 2
