"""Every message that there is a vector of keeps its length and what it is about, and loses its identities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

import exi
import slac
from exi.messages import iso15118_2 as iso2
from exi.messages import xmldsig
from hlc import sdp
from hlc.capture import reading
from hlc.capture.redact import messages
from hlc.capture.redact.pseudonyms import Pseudonyms

VECTORS = Path(__file__).resolve().parents[3] / "vectors"
SCHEMAS = [name for name in exi.schema_names() if (VECTORS / f"{name}.jsonl").exists() and name != "xmldsig"]
NAMES = Pseudonyms(bytes(range(32)))
IDENTITIES = frozenset(
    "SessionID eMAID EMAID ContractID Certificate OEMProvisioningCert GenChallenge MeterID SigMeterReading DHPublicKey "
    "MeterSignature ContractSignatureEncryptedPrivateKey X509IssuerName RootCertificateID".split()
)


def identities(value: Any, name: str = "") -> list[Any]:
    """Identities in a message that are long enough not to come about by chance."""
    if isinstance(value, msgspec.Struct):
        return [found for field in value.__struct_fields__ for found in identities(getattr(value, field), field)]
    if isinstance(value, list):
        return [found for each in value for found in identities(each, name)]
    plain = value.strip(b"\0").strip(b"\xff") if isinstance(value, bytes) else value
    known = name in IDENTITIES and isinstance(value, bytes | str) and len(plain) > 7
    return [value] if known and not (isinstance(value, str) and not any(each.isalnum() for each in value)) else []


@pytest.mark.parametrize("schema", SCHEMAS)
def test_vectors(schema: str) -> None:
    found = 0
    for line in (VECTORS / f"{schema}.jsonl").read_text().splitlines():
        octets = bytes.fromhex(json.loads(line)["exi"])
        read = reading.read(schema, octets)
        new = messages.payload(NAMES, schema, read.message, octets, read.surplus)
        assert new is not None, line[:100]
        assert len(new) == len(octets)
        again = reading.read(schema, new)
        assert again.name == read.name
        assert not set(identities(again.message)) & set(identities(read.message))
        found += len(identities(read.message))
    assert found or schema == "sap"


def test_what_is_behind_a_message_is_zeros() -> None:
    octets = exi.schema("iso15118_2").encode(setup()) + b"\x17"
    new = messages.payload(NAMES, "iso15118_2", setup(), octets, 1)
    assert new is not None
    assert (len(new), new[-1]) == (len(octets), 0)


def test_a_message_of_another_length_is_none() -> None:
    """As where a peer writes what it could write shorter."""
    octets = exi.schema("iso15118_2").encode(setup())
    assert messages.payload(NAMES, "iso15118_2", setup(), octets + b"\0", 0) is None


def setup() -> Any:
    request = iso2.SessionSetupReq(EVCCID=bytes.fromhex("00b052aabbcc"))
    return iso2.V2G_Message(Header=iso2.MessageHeader(SessionID=bytes(8)), Body=iso2.Body(BodyElement=request))


def test_a_session_that_is_still_to_begin_keeps_its_zeros() -> None:
    octets = exi.schema("iso15118_2").encode(setup())
    again = exi.schema("iso15118_2").decode(messages.payload(NAMES, "iso15118_2", setup(), octets, 0) or b"")
    assert again.Header.SessionID == bytes(8)
    assert NAMES.mac(bytes.fromhex("00b052aabbcc")) == again.Body.BodyElement.EVCCID


def test_elements_that_no_schema_describes() -> None:
    signature = xmldsig.Object(content=[exi.declare.AnyElement(tag="{urn:x}vin")])
    with pytest.raises(messages.Foreign):
        messages._value(NAMES, signature, "", "")


def test_discovery() -> None:
    address = bytes.fromhex("fe80000000000000de0ea1fffe116708")
    payload = address + bytes.fromhex("3b0e1000")  # the port of a station that some use, and others would not
    assert messages.discovery(NAMES, 0x9001, payload) == NAMES.address(address) + payload[16:]
    assert messages.discovery(NAMES, 0x9000, b"\x10\0") == b"\x10\0"
    request = sdp.SdpWirelessRequest(evid="WMIV1234567890ABCDEX", evseid="DE*ABC*E1")
    new = sdp.SdpWirelessRequest.parse(messages.discovery(NAMES, request.payload_type, request.build()))
    assert (new.evid, new.evseid) == (NAMES.text(request.evid), request.evseid)
    with pytest.raises(sdp.SdpError):
        messages.discovery(NAMES, 0x9001, b"short")


def test_homeplug() -> None:
    ev, evse, nmk = bytes.fromhex("dc0ea1116708"), bytes.fromhex("644d700103bf"), bytes(range(16))
    frame = slac.make(
        "CM_SLAC_MATCH.CNF",
        destination=ev,
        source=evse,
        pev_mac=ev,
        evse_mac=evse,
        run_id=ev + b"\0\0",
        nid=slac.keys.nid_from_nmk(nmk),
        nmk=nmk,
        tail=b"left over",
    )
    messages.learn(NAMES, slac.parse(frame))
    new = messages.homeplug(NAMES, slac.parse(frame))
    octets = new.build()
    assert len(octets) == len(frame)
    for each in (ev, evse, nmk, slac.keys.nid_from_nmk(nmk), b"left"):
        assert each not in octets
    fields = slac.parse(octets).fields
    assert fields["nid"] == slac.keys.nid_from_nmk(fields["nmk"])
    assert (fields["pev_mac"], fields["run_id"]) == (new.destination, new.destination + b"\0\0")


def test_what_is_not_understood_of_homeplug_is_zeros() -> None:
    frame = bytes.fromhex("644d700103bfdc0ea111670888e101f8a00000b052") + b"a name and a number"
    octets = messages.homeplug(NAMES, slac.parse(frame)).build()
    assert len(octets) == len(frame)
    assert b"name" not in octets
    assert slac.parse(octets).name == slac.parse(frame).name
