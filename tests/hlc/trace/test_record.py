"""The JSON of a message and the way back from it, for every schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import exi
from exi.declare import AnyElement
from exi.messages import din70121 as din
from exi.messages import xmldsig
from hlc.trace.record import from_record, record


def there_and_back(schema: exi.Schema, name: str, message: Any, *, fragment: bool = False) -> Any:
    text = json.dumps(record(schema.name, name, None, message, fragment=fragment))
    return from_record(schema, json.loads(text))


def test_vectors_of_every_schema(reference: Path) -> None:
    seen = set()
    for path in sorted((reference / "vectors" / "exi").glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            rows = [row for line in lines if (row := json.loads(line))["kind"] != "sdp"]
        for row in rows:
            schema, fragment = exi.schema(row["schema"]), row["kind"] == "fragment"
            seen.add((row["schema"], fragment))
            data = bytes.fromhex(row["exi"])
            message = schema.decode_fragment(data) if fragment else schema.decode(data)
            assert there_and_back(schema, row["root"], message, fragment=fragment) == message, row["id"]
    assert {schema for schema, fragment in seen if not fragment} == set(exi.schema_names()) - {"xmldsig"}
    assert ("xmldsig", True) in seen


def test_what_json_might_lose() -> None:
    schema = exi.schema("xmldsig")
    unknown = AnyElement(tag="{urn:x}y", attributes={"a": "b"}, content=["text", AnyElement(tag="z")])
    known = xmldsig.X509IssuerSerial(X509IssuerName="CN=ü\x01", X509SerialNumber=-(2**160))
    for element in (
        xmldsig.KeyInfo(content=["a ", xmldsig.KeyName(value="k"), " b", unknown]),
        xmldsig.X509Data(content=[known, unknown]),
    ):
        assert there_and_back(schema, type(element).__name__, element, fragment=True) == element


MESSAGE = record(
    "din70121",
    "CableCheckReq",
    114,
    din.V2G_Message(
        Header=din.MessageHeader(SessionID=b"\1"),
        Body=din.Body(
            BodyElement=din.CableCheckReq(
                DC_EVStatus=din.DC_EVStatus(EVReady=True, EVErrorCode=din.DC_EVErrorCode.NO_ERROR, EVRESSSOC=50)
            )
        ),
    ),
)


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        ("Body CableCheckReq DC_EVStatus EVRESSSOC", 101, "DC_EVStatus.EVRESSSOC: 101 is above 100"),
        ("Body CableCheckReq DC_EVStatus EVRESSSOC", 5.0, "DC_EVStatus.EVRESSSOC: 5.0 is no whole number"),
        ("Body CableCheckReq DC_EVStatus EVReady", 1, "DC_EVStatus.EVReady: 1 is neither true nor false"),
        ("Body CableCheckReq DC_EVStatus EVReady", None, "DC_EVStatus.EVReady: None is neither true nor false"),
        ("Body CableCheckReq DC_EVStatus EVErrorCode", "X", "EVErrorCode: 'X' is no DC_EVErrorCode: NO_ERROR"),
        ("Body CableCheckReq DC_EVStatus SoC", 5, "DC_EVStatus: there is no SoC here; it may hold EVReady, "),
        ("Body CableCheckReq DC_EVStatus", [], "CableCheckReq.DC_EVStatus: [] stands where an object with elements"),
        ("Body SessionStopReq", {}, "V2G_Message.Body: SessionStopReq stands beside another element in the same place"),
        ("Header SessionID", "0", "V2G_Message.Header.SessionID: '0' is not hexadecimal"),
        ("Header SessionID", "00" * 9, "V2G_Message.Header.SessionID: 9 octets, more than 8"),
        ("Header SessionID", 7, "V2G_Message.Header.SessionID: 7 is not bytes"),
    ],
)
def test_what_the_schema_forbids(path: str, value: Any, error: str) -> None:
    entry = json.loads(json.dumps(MESSAGE))
    *parents, name = path.split()
    place = entry["message"]
    for parent in parents:
        place = place[parent]
    place[name] = value
    with pytest.raises(exi.DecodeError) as caught:
        from_record(exi.schema("din70121"), entry)
    assert error in str(caught.value)


def nested(depth: int) -> Any:
    return {"AnyElement": {"tag": "a", "content": [nested(depth - 1)] if depth else []}}


@pytest.mark.parametrize(
    ("schema", "name", "message", "error"),
    [
        ("sap", "SessionStopReq", {}, "SessionStopReq: sap has no message of this name"),
        ("xmldsig", "KeyInfo", {"content": 5}, "KeyInfo: content is a list, and 5 is none"),
        ("xmldsig", "KeyInfo", {"content": [5]}, "KeyInfo: 5 stands where an object with elements belongs"),
        ("xmldsig", "KeyInfo", {"content": [{}]}, "KeyInfo: 0 names stand where one element belongs"),
        ("xmldsig", "KeyInfo", {"content": [{"Nothing": {}}]}, "KeyInfo: Nothing is no global element of xmldsig"),
        ("xmldsig", "KeyInfo", {"content": [nested(100)]}, "elements are nested deeper than 64"),
        ("xmldsig", "PGPData", {"content": [{"AnyElement": {"attributes": []}}]}, "[] stands where an object"),
        ("xmldsig", "Nothing", {}, "Nothing: xmldsig has no element of this name"),
    ],
)
def test_what_there_is_not(schema: str, name: str, message: Any, error: str) -> None:
    entry = {"schema": schema, "name": name, "message": message, "fragment": schema == "xmldsig"}
    with pytest.raises(exi.DecodeError) as caught:
        from_record(exi.schema(schema), entry)
    assert error in str(caught.value)


def test_no_record_at_all() -> None:
    for entry in ({}, {"name": "x"}, {"message": {}}, {"name": 5, "message": {}}):
        with pytest.raises(exi.DecodeError, match='an object with "schema", "name" and "message"'):
            from_record(exi.schema("sap"), entry)
