"""What the frames of a session carry."""

from __future__ import annotations

import pytest

import exi
from exi.messages.iso15118_20 import common
from exi.messages.iso15118_20.types import MessageHeader
from hlc import sap
from hlc.documents import Documents
from hlc.rules.din70121 import RULES as DIN
from hlc.rules.iso15118_20.dc import RULES as DC
from hlc.v2gtp import PayloadType

OFFER = sap.offer((sap.DIN70121,))
STOP = common.SessionStopReq(
    Header=MessageHeader(SessionID=bytes(8), TimeStamp=1), ChargingSession=common.ChargingSession.Terminate
)


def test_the_handshake_comes_first() -> None:
    documents = Documents()
    schema, payload = documents.write(PayloadType.EXI, OFFER)
    assert schema == "sap"
    assert documents.read(PayloadType.EXI, payload) == ("sap", (OFFER, 0, False))
    assert PayloadType.MAINSTREAM not in documents


def test_then_a_protocol_is_spoken() -> None:
    documents = Documents()
    documents.speak(sap.DIN70121, DIN)
    with pytest.raises(exi.DecodeError):
        documents.read(PayloadType.EXI, exi.schema("sap").encode(OFFER))
    assert PayloadType.MAINSTREAM not in documents


@pytest.mark.parametrize("kind", [PayloadType.EXI, PayloadType.MAINSTREAM, PayloadType.SCHEDULE_RENEGOTIATION])
def test_where_the_type_does_not_tell_the_root_does(kind: PayloadType) -> None:
    documents = Documents()
    documents.speak(sap.PROTOCOLS["iso15118_20_dc"], DC)
    schema, payload = documents.write(kind, STOP)
    assert schema == "iso15118_20_common"
    assert documents.read(kind, payload) == (schema, (STOP, 0, False))


def test_what_no_schema_reads_is_told_by_the_first() -> None:
    documents = Documents()
    documents.speak(sap.PROTOCOLS["iso15118_20_dc"], DC)
    with pytest.raises(exi.DecodeError):
        documents.read(PayloadType.EXI, b"\x80\xff")
