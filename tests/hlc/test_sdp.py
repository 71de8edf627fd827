"""SDP payloads: exact when sent, both known lengths when received, `SdpError` for anything else."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlc import sdp
from hlc.sdp import (
    Coupling,
    DiagStatus,
    Positioning,
    SdpError,
    SdpRequest,
    SdpResponse,
    SdpWirelessRequest,
    SdpWirelessResponse,
    Security,
    Transport,
)

ADDRESS = IPv6Address("fe80::1234:5678")


def test_request_bytes() -> None:
    assert SdpRequest(security=Security.TLS).frame() == bytes.fromhex("01FE 9000 00000002 00 00")
    assert SdpRequest(security=Security.NONE).frame() == bytes.fromhex("01FE 9000 00000002 10 00")


def test_response_bytes() -> None:
    response = SdpResponse(address=ADDRESS, port=50000)
    assert response.frame() == bytes.fromhex("01FE 9001 00000014 FE80 0000 0000 0000 0000 0000 1234 5678 C350 10 00")
    assert SdpResponse.parse(response.build()) == response


def test_ports_outside_the_range_are_read_but_never_sent() -> None:
    response = SdpResponse(address=ADDRESS, port=15118)
    with pytest.raises(ValueError, match="port 15118 may not be announced"):
        response.build()
    raw = ADDRESS.packed + (15118).to_bytes(2, "big") + b"\x10\x00"
    assert SdpResponse.parse(raw) == response


@pytest.mark.parametrize(
    ("payload_type", "payload", "reason"),
    [
        (0x9000, "", "0 octets, expected 2"),
        (0x9000, "100000", "3 octets, expected 2"),
        (0x9000, "0100", "1 is not a valid Security"),
        (0x9000, "1001", "1 is not a valid Transport"),
        (0x9001, "10", "1 octets, expected 20"),
        (0x9001, ADDRESS.packed.hex() + "0000 10 00", "port 0"),
        (0x9002, "00" * 60, "60 octets, expected 61 or 62"),
        (0x9003, "00" * 60, "60 octets, expected 58 or 59"),
        (0x8001, "1000", "payload type 0x8001"),
    ],
)
def test_what_is_refused(payload_type: int, payload: str, reason: str) -> None:
    with pytest.raises(SdpError, match=reason):
        sdp.parse(payload_type, bytes.fromhex(payload))


def test_wireless_request_is_sent_short_and_read_long_too() -> None:
    request = SdpWirelessRequest(
        positioning=Positioning.WPT_LF_EV | Positioning.PPD_EV,
        coupling=Coupling.WPT,
        evid="DE12345",
        evseid="DE*ABC*E1",
    )
    payload = request.build()
    assert len(payload) == 61
    assert payload[:5].hex() == "00000a0010"
    assert SdpWirelessRequest.parse(payload) == request
    assert SdpWirelessRequest.parse(payload + b"\0") == request


def test_wireless_response_is_sent_short_and_read_long_too() -> None:
    response = SdpWirelessResponse(address=ADDRESS, port=50000, diag_status=DiagStatus.ONGOING, coupling=0x77)
    payload = response.build()
    assert len(payload) == 58
    assert SdpWirelessResponse.parse(payload) == response
    assert SdpWirelessResponse.parse(payload + b"\0") == response


def test_identifiers_too_long_are_not_sent() -> None:
    with pytest.raises(ValueError, match="evid of 21 characters, at most 20 fit"):
        SdpWirelessRequest(evid="x" * 21).build()


@given(
    st.sampled_from([0x9000, 0x9001, 0x9002, 0x9003]),
    st.one_of(st.binary(max_size=64), st.binary(min_size=58, max_size=62)),
)
def test_garbage_is_a_message_or_an_sdp_error(payload_type: int, payload: bytes) -> None:
    try:
        message = sdp.parse(payload_type, payload)
    except SdpError:
        return
    assert message.payload_type == payload_type


@given(st.sampled_from(list(Security)), st.integers(49152, 65535), st.ip_addresses(v=6))
def test_round_trip(security: Security, port: int, address: IPv6Address) -> None:
    response = SdpResponse(address=address, port=port, security=security)
    assert sdp.parse(0x9001, response.build()) == response


TLS, NONE = Security.TLS, Security.NONE


@pytest.mark.parametrize("kind", [SdpRequest, SdpWirelessRequest])
@pytest.mark.parametrize(
    ("asked", "offers", "answered"),
    [
        (TLS, (TLS, NONE), TLS),
        (TLS, (NONE, TLS), TLS),  # [V2G20-1238] whatever it likes best
        (TLS, (TLS,), TLS),
        (TLS, (NONE,), NONE),
        (NONE, (TLS, NONE), NONE),
        (NONE, (TLS,), TLS),
        (NONE, (NONE,), NONE),
    ],
)
def test_which_security_is_announced(
    kind: type[sdp.SdpMessage], asked: Security, offers: tuple[Security, ...], answered: Security
) -> None:
    request: Any = kind(security=asked)  # type: ignore[call-arg]
    answer = sdp.answer(request, address=ADDRESS, port=50000, offers=offers, wireless=True)
    assert answer is not None
    assert (answer.security, answer.address, answer.port) == (answered, ADDRESS, 50000)
    assert isinstance(answer, SdpResponse) is (kind is SdpRequest)


def test_no_answer_to_who_wants_udp_and_to_answers() -> None:
    for request in (
        SdpRequest(transport=Transport.UDP),
        SdpWirelessRequest(transport=Transport.UDP),
        SdpResponse(address=ADDRESS, port=50000),
    ):
        assert sdp.answer(request, address=ADDRESS, port=50000, wireless=True) is None


def test_a_wired_station_is_silent_to_the_wireless_variant() -> None:
    request = sdp.SdpWirelessRequest(coupling=sdp.Coupling.ACD_S)
    where: dict[str, Any] = {"address": ADDRESS, "port": 50000}
    assert sdp.answer(request, **where) is None
    response = sdp.answer(request, **where, offers=(Security.NONE,), wireless=True, evseid="DE*ABC*E1")
    assert isinstance(response, sdp.SdpWirelessResponse)
    assert (response.security, response.evseid) == (Security.NONE, "DE*ABC*E1")
    assert response.diag_status is sdp.DiagStatus.FINISHED_WITH_EVSEID
