"""Messages as XML, and what is refused on the way back."""

from __future__ import annotations

import pytest

import exi
from exi.messages import din70121 as din

SCHEMA = exi.schema("din70121")
HEADER = din.MessageHeader(SessionID=b"\xab\xcd")
STOP = din.V2G_Message(Header=HEADER, Body=din.Body(BodyElement=din.SessionStopReq()))
STOP_XML = (
    '<v2g:V2G_Message xmlns:bd="urn:din:70121:2012:MsgBody" xmlns:v2g="urn:din:70121:2012:MsgDef"'
    ' xmlns:hd="urn:din:70121:2012:MsgHeader"><v2g:Header><hd:SessionID>ABCD</hd:SessionID></v2g:Header>'
    "<v2g:Body><bd:SessionStopReq></bd:SessionStopReq></v2g:Body></v2g:V2G_Message>"
)


def scoped(scope: str) -> din.V2G_Message:
    return din.V2G_Message(Header=HEADER, Body=din.Body(BodyElement=din.ServiceDiscoveryReq(ServiceScope=scope)))


def test_a_message_is_one_line_of_xml() -> None:
    assert SCHEMA.to_xml(STOP) == STOP_XML
    assert SCHEMA.from_xml(STOP_XML) == STOP


def test_white_space_between_elements_means_nothing() -> None:
    assert SCHEMA.from_xml(STOP_XML.replace("><", ">\n  <")) == STOP


@pytest.mark.parametrize("text", ["", " a ", "<&>\"'", "\r\n\t", "]]>", "é€\U0001f50c"])
def test_text_survives(text: str) -> None:
    assert SCHEMA.from_xml(SCHEMA.to_xml(scoped(text))) == scoped(text)


def test_what_xml_cannot_carry_is_refused_with_its_place() -> None:
    message = SCHEMA.decode(SCHEMA.encode(scoped("\x00")))
    with pytest.raises(exi.EncodeError, match=r"ServiceDiscoveryReq.ServiceScope: XML cannot carry U\+0000"):
        SCHEMA.to_xml(message)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("</v2g:V2G_Message>", "", "no well-formed XML"),
        ("urn:din:70121:2012:MsgDef", "urn:x", "V2G_Message: no element of din70121; its namespace is 'urn:x'"),
        ("ABCD", "ABC", "V2G_Message.Header.SessionID: hexadecimal"),
        ("ABCD", "00" * 9, "V2G_Message.Header.SessionID: 9 octets, more than 8"),
        ("<hd:SessionID>ABCD</hd:SessionID>", "", "V2G_Message.Header: the end stands where SessionID belongs"),
        ("bd:SessionStopReq", "bd:SessionStopped", "V2G_Message.Body: SessionStopped stands where BodyElement or "),
        ("<v2g:Body>", "<v2g:Body>x", "V2G_Message.Body: text stands where"),
        ("<v2g:Body>", "<v2g:Body a='1'>", "V2G_Message.Body: a stands where"),
        ("<hd:SessionID>", "<hd:SessionID a='1'>", "V2G_Message.Header: SessionID holds a value alone"),
        ("<hd:SessionID>ABCD", "<hd:SessionID><x/>", "V2G_Message.Header: SessionID holds a value alone"),
    ],
)
def test_xml_that_the_schema_forbids_is_refused_with_its_place(old: str, new: str, error: str) -> None:
    assert old in STOP_XML
    with pytest.raises(exi.DecodeError) as caught:
        SCHEMA.from_xml(STOP_XML.replace(old, new))
    assert str(caught.value).startswith(error)


@pytest.mark.parametrize("text", ["true", " 1\n"])
def test_numbers_and_booleans_have_the_lexical_forms_of_xml_schema(text: str) -> None:
    xml = SCHEMA.to_xml(
        din.V2G_Message(Header=HEADER, Body=din.Body(BodyElement=din.PowerDeliveryReq(ReadyToChargeState=True)))
    )
    assert SCHEMA.from_xml(xml.replace("true", text)) == SCHEMA.from_xml(xml)
    with pytest.raises(exi.DecodeError, match="ReadyToChargeState: 'yes' is neither true nor false"):
        SCHEMA.from_xml(xml.replace("true", "yes"))
