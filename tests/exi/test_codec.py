"""What is refused, where, and why; and what is tolerated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import pytest

import exi
from exi.declare import Message, Namespace, SchemaSet, UnsignedByte, occurs
from exi.engine import EngineName, Schema
from exi.messages import din70121 as din
from exi.messages import sap, xmldsig

EXI = "http://www.w3.org/TR/canonical-exi/"
SESSION = din.MessageHeader(SessionID=bytes(8))


def document(body: din.BodyElement | None) -> din.V2G_Message:
    return din.V2G_Message(Header=SESSION, Body=din.Body(BodyElement=body))


def volts(value: int) -> din.PhysicalValue:
    return din.PhysicalValue(Multiplier=0, Unit=din.UnitSymbol.V, Value=value)


def status(**other: object) -> din.DC_EVStatus:
    values = {"EVReady": True, "EVErrorCode": din.DC_EVErrorCode.NO_ERROR, "EVRESSSOC": 50} | other
    return din.DC_EVStatus(**values)


def offers(count: int) -> sap.supportedAppProtocolReq:
    one = {"ProtocolNamespace": "urn:din:70121:2012:MsgDef", "VersionNumberMajor": 2, "VersionNumberMinor": 0}
    return sap.supportedAppProtocolReq(
        AppProtocol=[sap.AppProtocol(**one, SchemaID=n, Priority=n % 20 + 1) for n in range(count)]
    )


FORBIDDEN = [
    (status(EVRESSSOC=101), "V2G_Message.Body.CableCheckReq.DC_EVStatus.EVRESSSOC: 101 is above 100"),
    (status(EVRESSSOC=-1), "V2G_Message.Body.CableCheckReq.DC_EVStatus.EVRESSSOC: -1 is below 0"),
    (status(EVRESSSOC=True), "V2G_Message.Body.CableCheckReq.DC_EVStatus.EVRESSSOC: True is no whole number"),
    (status(EVRESSSOC=5.0), "V2G_Message.Body.CableCheckReq.DC_EVStatus.EVRESSSOC: 5.0 is no whole number"),
    (status(EVReady=1), "V2G_Message.Body.CableCheckReq.DC_EVStatus.EVReady: 1 is neither true nor false"),
    (status(EVReady=None), "V2G_Message.Body.CableCheckReq.DC_EVStatus: EVReady is missing"),
    (
        din.DC_EVSEStatus(
            EVSEStatusCode=din.DC_EVSEStatusCode.EVSE_Ready,
            NotificationMaxDelay=0,
            EVSENotification=din.EVSENotification.None_,
        ),
        "V2G_Message.Body.CableCheckReq: DC_EVStatus holds DC_EVSEStatus; it may hold DC_EVStatus",
    ),
]


@pytest.mark.parametrize(("found", "error"), FORBIDDEN, ids=[str(n) for n in range(len(FORBIDDEN))])
def test_a_forbidden_value_is_refused_with_path_value_and_rule(engine: EngineName, found: object, error: str) -> None:
    message = document(din.CableCheckReq(DC_EVStatus=found))
    with pytest.raises(exi.EncodeError) as caught:
        exi.schema("din70121", engine).encode(message)
    assert str(caught.value) == error


def selected(services: object) -> din.ServicePaymentSelectionReq:
    return din.ServicePaymentSelectionReq(
        SelectedPaymentOption=din.PaymentOption.Contract,
        SelectedServiceList=din.SelectedServiceList(SelectedService=services),
    )


FACETS = [
    (din.SessionSetupReq(EVCCID=bytes(9)), "SessionSetupReq.EVCCID: 9 octets, more than 8"),
    (din.SessionSetupReq(EVCCID="00"), "SessionSetupReq.EVCCID: '00' is not bytes"),
    (din.ServiceDiscoveryReq(ServiceScope="x" * 33), "ServiceDiscoveryReq.ServiceScope: 33 characters, more than 32"),
    (din.ServiceDiscoveryReq(ServiceScope="\ud800"), "ServiceDiscoveryReq.ServiceScope: half of a surrogate pair"),
    (
        din.ServiceDiscoveryReq(ServiceCategory="Internet"),
        "ServiceDiscoveryReq.ServiceCategory: 'Internet' is no ServiceCategory: EVCharging",
    ),
    (din.SessionStopRes(ResponseCode="OK"), "SessionStopRes.ResponseCode: 'OK' is no ResponseCode: OK, OK_NewSession"),
    (selected([]), "ServicePaymentSelectionReq.SelectedServiceList: SelectedService has fewer than 1 items"),
    (selected([None]), "ServicePaymentSelectionReq.SelectedServiceList: SelectedService holds NoneType; it may hold"),
    (selected(()), "ServicePaymentSelectionReq.SelectedServiceList: SelectedService is no list"),
]


@pytest.mark.parametrize(("body", "error"), FACETS, ids=[error for _, error in FACETS])
def test_facets_hold(engine: EngineName, body: din.BodyElement, error: str) -> None:
    with pytest.raises(exi.EncodeError) as caught:
        exi.schema("din70121", engine).encode(document(body))
    assert str(caught.value).startswith(f"V2G_Message.Body.{error}")


def test_of_a_choice_one_branch_must_be_there_and_no_second_one(engine: EngineName) -> None:
    def parameter(**branches: object) -> Message:
        one = din.Parameter(Name="n", ValueType=din.ParameterValue.int, **branches)
        sets = [din.ParameterSet(ParameterSetID=1, Parameter=[one])]
        return document(
            din.ServiceDetailRes(
                ResponseCode=din.ResponseCode.OK,
                ServiceID=1,
                ServiceParameterList=din.ServiceParameterList(ParameterSet=sets),
            )
        )

    schema = exi.schema("din70121", engine)
    assert schema.decode(schema.encode(parameter(intValue=1))) == parameter(intValue=1)
    with pytest.raises(exi.EncodeError, match=r"boolValue or byteValue or .* is missing"):
        schema.encode(parameter())
    with pytest.raises(exi.EncodeError, match="intValue may not stand here"):
        schema.encode(parameter(boolValue=True, intValue=1))


def test_lists_hold_as_many_items_as_the_schema_allows(engine: EngineName) -> None:
    schema = exi.schema("sap", engine)
    for count in (1, 2, 19, 20):
        assert schema.decode(schema.encode(offers(count))) == offers(count)
    with pytest.raises(exi.EncodeError, match="supportedAppProtocolReq: AppProtocol has more than 20 items"):
        schema.encode(offers(21))
    with pytest.raises(exi.EncodeError, match="supportedAppProtocolReq: AppProtocol has fewer than 1 items"):
        schema.encode(offers(0))


TOY = Namespace("urn:toy", prefix="toy")


@TOY.element
class Pair(Message, kw_only=True):
    """A list of at most two items, and something after it."""

    Item: Annotated[list[UnsignedByte], occurs(1, 2)]
    Last: UnsignedByte


def test_a_full_list_may_end_in_the_form_of_some_peers(engine: EngineName) -> None:
    """libcbv2g and others write two bits where the specification leaves one event, which takes one."""
    schema = Schema(SchemaSet("toy", roots=(Pair,), namespaces=(TOY,)), engine)
    message = Pair(Item=[1, 2], Last=3)
    item = "0{:08b}0"
    ours = "10000000" + "0" + "0" + item.format(1) + "00" + item.format(2) + "0" + item.format(3) + "0"
    theirs = "10000000" + "0" + "0" + item.format(1) + "00" + item.format(2) + "01" + item.format(3) + "0"
    assert schema.encode(message) == octets(ours)
    assert schema.examine(octets(ours)) == exi.Examined(message, 0, False)
    assert schema.examine(octets(theirs)) == exi.Examined(message, 0, True)


def octets(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def test_surplus_octets_are_ignored_and_counted(engine: EngineName) -> None:
    schema = exi.schema("din70121", engine)
    message = document(din.SessionStopReq())
    data = schema.encode(message)
    assert schema.examine(data + b"\x00\xff") == exi.Examined(message, 2, False)
    assert schema.examine(data).surplus == 0


def test_an_empty_body_and_empty_heads_are_messages(engine: EngineName) -> None:
    schema = exi.schema("din70121", engine)
    for body in (None, din.BodyElement()):
        assert schema.decode(schema.encode(document(body))) == document(body)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", " at bit 0: the input ends here"),
        (b"\x81\x00", "not an EXI document"),
        (b"$EXI\x80\x9a", "not an EXI document"),
        (b"\x80", " at bit 8: the input ends here"),
        (b"\x80\xff\xff", " at bit 8: event code 127 stands for nothing in the schema here"),
        (b"\x80\x00", " at bit 8: event code 0 stands for AC_EVChargeParameter, which may not come here"),
        (b"\x80\x9a\x02\x7f\xff\xff", "V2G_Message.Header.SessionID at bit 18: 9 octets, more than 8"),
    ],
)
def test_a_decode_error_says_where_and_why(engine: EngineName, data: bytes, error: str) -> None:
    with pytest.raises(exi.DecodeError) as caught:
        exi.schema("din70121", engine).decode(data)
    assert error in f" at bit {caught.value.bit}: {caught.value.reason}" or error in str(caught.value)


def test_lengths_are_bounded_by_the_input_before_memory_is_taken(engine: EngineName) -> None:
    """SignatureValue has no maximum length: 2**40 octets are claimed, and three are there."""
    schema = exi.schema("xmldsig", engine)
    method = {"Algorithm": "a"}
    message = xmldsig.SignedInfo(
        CanonicalizationMethod=xmldsig.CanonicalizationMethod(**method),
        SignatureMethod=xmldsig.SignatureMethod(**method),
        Reference=[
            xmldsig.Reference(
                DigestMethod=xmldsig.DigestMethod(**method), DigestValue=xmldsig.DigestValue(value=b"\x01\x02\x03")
            )
        ],
    )
    data = schema.encode_fragment(message)
    bits = f"{int.from_bytes(data, 'big'):0{len(data) * 8}b}"
    where = bits.rindex("00000011" + "00000001" + "00000010" + "00000011")
    claim = "1" + "0000000" + "10000000" * 4 + "00100000"
    forged = (bits[:where] + claim + bits[where + 8 :]).ljust(-(-(len(bits) + 40) // 8) * 8, "0")
    with pytest.raises(exi.DecodeError) as caught:
        schema.decode_fragment(int(forged, 2).to_bytes(len(forged) // 8, "big"))
    assert caught.value.path == "SignedInfo.Reference.DigestValue.value"
    assert caught.value.reason == "the input ends here"


def test_numbers_without_bounds_keep_every_digit(write: Callable[[str, Message], bytes], engine: EngineName) -> None:
    for number in (
        0,
        1,
        -1,
        2**63 - 1,
        2**63,
        -(2**63),
        -(2**63) - 1,
        2**64,
        10**60,
        -(10**60),
        2**4095 - 1,
        -(2**4095),
    ):
        method = xmldsig.SignatureMethod(Algorithm=EXI, content=[xmldsig.HMACOutputLength(value=number)])
        message = xmldsig.Signature(
            SignedInfo=xmldsig.SignedInfo(
                CanonicalizationMethod=xmldsig.CanonicalizationMethod(Algorithm=EXI),
                SignatureMethod=method,
                Reference=[
                    xmldsig.Reference(
                        DigestMethod=xmldsig.DigestMethod(Algorithm=EXI), DigestValue=xmldsig.DigestValue(value=b"")
                    )
                ],
            ),
            SignatureValue=xmldsig.SignatureValue(value=b""),
        )
        assert exi.schema("xmldsig", engine).decode(write("xmldsig", message)) == message
    for number in (2**4095, -(2**4095) - 1):
        method.content[0].value = number
        with pytest.raises(exi.EncodeError, match="the number is longer than 4095 bits"):
            exi.schema("xmldsig", engine).encode(message)


def test_mixed_content_keeps_its_order(write: Callable[[str, Message], bytes], engine: EngineName) -> None:
    content = ["before ", xmldsig.KeyName(value="k"), " between ", xmldsig.MgmtData(value="m"), " after"]
    message = xmldsig.KeyInfo(content=content)
    schema = exi.schema("xmldsig", engine)
    data = exi.schema("xmldsig", "python").encode_fragment(message)
    assert schema.encode_fragment(message) == data
    assert schema.decode_fragment(data) == message


def test_an_object_of_another_schema_is_refused(engine: EngineName) -> None:
    with pytest.raises(exi.EncodeError, match="supportedAppProtocolReq is no document of din70121"):
        exi.schema("din70121", engine).encode(offers(1))
    with pytest.raises(exi.EncodeError, match="SessionStopReq is no document of din70121"):
        exi.schema("din70121", engine).encode(din.SessionStopReq())


def test_a_schema_that_is_not_built_is_named() -> None:
    with pytest.raises(KeyError, match=r"no schema 'iso15118_9'; there are sap, din70121, iso15118_2, .*, xmldsig"):
        exi.schema("iso15118_9")
