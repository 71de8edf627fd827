"""What every request repeats at the station: negotiation, deadlines, what cannot be decoded, our own errors."""

from __future__ import annotations

from typing import Any

import iso2
import pytest
from din import REQUESTS

import exi
from exi.messages import din70121 as din
from exi.messages import iso15118_2 as iso
from exi.messages.sap import AppProtocol, ResponseCode, supportedAppProtocolReq, supportedAppProtocolRes
from hlc import sap
from hlc.flow import Send
from hlc.ids import ChargePointState
from hlc.ports import COMMUNICATION, NO_PWM, ControlPilot
from hlc.rules import MAIN
from hlc.rules.din70121 import RULES, wrap
from hlc.secc import Station
from hlc.secc.station import ACTING_S, TALKING_S
from hlc.sim import SimulatedOutlet
from hlc.trace.events import Blame, Frame, Message, SessionEnded, Side, StateEntered

Talk = Any
"""The `Talk` of conftest.py, which no test can import."""

STATES = list(RULES.by_request)


def states(talk: Talk) -> list[int]:
    return [int(event.state) for event in talk.events if isinstance(event, StateEntered)]


def test_a_whole_session_goes_through_the_documented_states(talk: Talk) -> None:
    talk.reach(din.WeldingDetectionReq)
    talk.ask(REQUESTS[din.WeldingDetectionReq])
    talk.ask(din.SessionStopReq())
    talk.wait(5.0)
    assert states(talk) == [0, 1, 2, 3, 6, 7, 11, 12, 8, 13, 8, 14, 17, 201]
    assert talk.station.finished
    assert talk.station.good
    [ended] = [event for event in talk.events if isinstance(event, SessionEnded)]
    assert ended.good
    assert ended.energy_wh > 0


def test_every_message_is_traced_with_its_frame_and_number(talk: Talk) -> None:
    talk.reach(din.ServiceDiscoveryReq)
    messages = [(event.side, event.name, event.id) for event in talk.events if isinstance(event, Message)]
    assert messages == [
        (Side.EVCC, "supportedAppProtocolReq", 80),
        (Side.SECC, "supportedAppProtocolRes", 81),
        (Side.EVCC, "SessionSetupReq", 100),
        (Side.SECC, "SessionSetupRes", 101),
    ]
    assert [event.side for event in talk.events if isinstance(event, Frame)] == [side for side, _, _ in messages]


def test_the_protocol_is_chosen_among_unknown_ones(talk: Talk) -> None:
    """As a Tesla Model Y offers them: its own protocol first."""
    tesla = AppProtocol(
        ProtocolNamespace="urn:tesla:din:2018:MsgDef",
        VersionNumberMajor=0,
        VersionNumberMinor=7,
        SchemaID=2,
        Priority=1,
    )
    [known] = sap.offer((sap.DIN70121,)).AppProtocol
    known.Priority = 2
    [effect] = talk.send(exi.schema("sap").encode(supportedAppProtocolReq(AppProtocol=[known, tesla])))
    assert isinstance(effect, Send)
    answer = exi.schema("sap").decode(effect.payload)
    assert answer == supportedAppProtocolRes(ResponseCode=ResponseCode.OK_SuccessfulNegotiation, SchemaID=1)


def test_nothing_in_common_is_answered_and_closed(talk: Talk) -> None:
    effects = talk.send(exi.schema("sap").encode(sap.offer((sap.ISO15118_2,))))
    assert isinstance(effects[0], Send)
    answer: Any = exi.schema("sap").decode(effects[0].payload)
    assert answer.ResponseCode is ResponseCode.Failed_NoNegotiation
    assert talk.closes == ["no protocol in common"]
    talk.wait(5.0)
    assert talk.station.finished
    assert not talk.station.good


@pytest.mark.parametrize("state", STATES[1:], ids=lambda kind: kind.__name__)
def test_a_silent_vehicle_is_left_after_60_seconds(state: Any, talk: Talk) -> None:
    talk.reach(state)
    asked = talk.now - 0.1
    while not talk.closes:
        deadline = talk.station.next_deadline()
        assert deadline is not None
        talk.wait(deadline - talk.now)
    assert talk.timers()[-1] == "V2G_SECC_Sequence_Timeout"
    assert talk.now - asked == pytest.approx(60.0, abs=0.01)
    assert talk.is_off
    assert not any(isinstance(effect, Send) for effect in talk.effects[-1:])


@pytest.mark.parametrize("negotiated", [False, True])
def test_a_session_is_set_up_within_18_seconds(negotiated: bool, talk: Talk) -> None:
    if negotiated:
        talk.hello()
    talk.wait(17.9)
    assert not talk.closes
    talk.wait(0.2)
    assert talk.closes == ["V2G_SECC_CommunicationSetup_Performance_Time"]


def test_power_is_reached_within_148_seconds(talk: Talk) -> None:
    talk.outlet.authorization_s = 1000.0
    talk.reach(din.ContractAuthenticationReq)
    begun = talk.now
    while not talk.closes:
        response = talk.ask(din.ContractAuthenticationReq())
    assert response.ResponseCode is din.ResponseCode.FAILED
    assert talk.timers() == ["V2G_SECC_ReadyToCharge_Performance_Time"]
    assert talk.now - begun == pytest.approx(148.0, abs=0.5)


def test_the_oscillator_is_kept_for_one_and_a_half_seconds(talk: Talk) -> None:
    talk.reach(din.ServiceDiscoveryReq)
    talk.ask(din.SessionStopReq())
    assert talk.closes
    talk.wait(1.3)
    assert talk.outlet.shown == COMMUNICATION
    assert not talk.station.finished
    talk.wait(0.2)
    assert talk.outlet.shown == NO_PWM
    assert talk.station.finished
    assert talk.station.next_deadline() is None


def test_a_session_that_has_ended_makes_way_for_the_next_as_soon_as_the_outlet_is_safe(talk: Talk) -> None:
    talk.reach(din.CurrentDemandReq)
    talk.station.make_way(talk.now)
    assert not talk.station.closed  # one that goes on does not
    talk.station.lost(talk.now, "reset")
    talk.outlet.relays = True  # they stick
    talk.station.make_way(talk.now)
    talk.wait(1.0)
    assert not talk.station.finished
    talk.outlet.relays = False
    talk.wait(0.1)
    assert talk.station.finished
    assert talk.outlet.shown == COMMUNICATION  # for the next


LIVE = {din.PreChargeReq, din.PowerDeliveryReq, din.CurrentDemandReq, din.SessionStopReq}
"""Before these there may be a voltage; the last is said here out of the charge loop."""
TALKED_OVER = {
    din.SessionSetupReq,
    din.ServiceDiscoveryReq,
    din.ServicePaymentSelectionReq,
    din.ContractAuthenticationReq,
}


@pytest.mark.parametrize("state", STATES, ids=lambda kind: kind.__name__)
def test_a_silent_vehicle_makes_way_unless_anything_is_live(state: Any, talk: Talk) -> None:
    talk.reach(state)
    asked = talk.station._asked_at
    talk.wait((TALKING_S if state in TALKED_OVER else ACTING_S) - (talk.now - asked) - 0.01)
    talk.station.make_way(talk.now)
    assert not talk.closes
    talk.wait(0.02)
    talk.station.make_way(talk.now)
    talk.wait(0.0)
    assert talk.station.closed is (state not in LIVE)
    if state not in LIVE:
        assert talk.is_off
        assert talk.station.finished
        assert not talk.station.good
        text = "the peer fell silent, and another session waits for the hardware"
        assert [(fault.blame, fault.text) for fault in talk.faults()] == [(Blame.REMOTE, text)]
    else:
        assert talk.station.yields_at() is None
        assert not talk.faults()


def test_a_vehicle_that_asks_again_every_second_is_not_silent(talk: Talk) -> None:
    """As pyPLC does while the user is not authorized."""
    talk.outlet.authorization_s = 20.0
    talk.reach(din.ContractAuthenticationReq)
    for _ in range(10):
        talk.ask(din.ContractAuthenticationReq())
        talk.wait(0.95)
        talk.station.make_way(talk.now)
        talk.wait(0.04)
        talk.station.make_way(talk.now)
    assert not talk.closes


def test_a_vehicle_that_waits_for_a_contactor_is_not_silent() -> None:
    talk = iso2.Talk(ac=True)
    talk.outlet.pilot = ControlPilot.B
    talk.reach(iso.PowerDeliveryReq)
    talk.send(iso2.REQUESTS[iso.PowerDeliveryReq])
    talk.wait(0.9)  # state C has not come yet, so nothing is live
    assert not talk.station.live
    assert talk.station.yields_at() is None
    talk.outlet.pilot = ControlPilot.C
    talk.wait(0.3)
    assert talk.station.live
    assert talk.station.yields_at() is None


@pytest.mark.parametrize("state", STATES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("payload", [b"", b"\x80", b"\x00" * 40, b"\x80" + b"\xff" * 40], ids=bytes.hex)
def test_what_cannot_be_decoded_closes_without_an_answer(state: Any, payload: bytes, talk: Talk) -> None:
    talk.reach(state)
    assert not [effect for effect in talk.send(payload) if isinstance(effect, Send)]
    assert talk.closes == ["undecodable message"]
    assert talk.is_off
    assert talk.faults()[-1].blame is Blame.REMOTE


@pytest.mark.parametrize("state", STATES, ids=lambda kind: kind.__name__)
def test_a_response_or_an_empty_body_is_no_request(state: Any, talk: Talk) -> None:
    talk.reach(state)
    response = din.SessionStopRes(ResponseCode=din.ResponseCode.OK)
    document = wrap(talk.station.session_id or bytes(8), response)
    assert not [effect for effect in talk.send(exi.schema("din70121").encode(document)) if isinstance(effect, Send)]
    assert talk.closes
    assert talk.is_off


def test_a_message_without_a_body_closes(talk: Talk) -> None:
    talk.reach(din.ServiceDiscoveryReq)
    document = din.V2G_Message(Header=din.MessageHeader(SessionID=b"\1"), Body=din.Body())
    talk.send(exi.schema("din70121").encode(document))
    assert talk.closes == ["a message without a body"]


def test_surplus_octets_are_accepted_and_noted(talk: Talk) -> None:
    talk.reach(din.ServiceDiscoveryReq)
    assert talk.station.session_id is not None
    payload = exi.schema("din70121").encode(wrap(talk.station.session_id, din.ServiceDiscoveryReq()))
    effects = talk.send(payload + b"\0")
    assert len(effects) == 1
    assert "surplus octets after the end of the message, ignored: 1" in talk.notes()[-1]


def test_a_frame_of_another_kind_is_discarded(talk: Talk) -> None:
    talk.reach(din.ServiceDiscoveryReq)
    assert talk.send(b"\1\2\3", payload_type=0x9000) == []
    assert not talk.closes
    assert talk.ask(din.ServiceDiscoveryReq()).ResponseCode is din.ResponseCode.OK


@pytest.mark.parametrize("state", STATES, ids=lambda kind: kind.__name__)
def test_an_error_of_ours_is_answered_failed_and_leaves_the_outlet_off(state: Any, talk: Talk) -> None:
    talk.reach(state)

    def broken(request: Any) -> Any:
        raise ZeroDivisionError("a defect")

    talk.station._handlers = {MAIN: dict.fromkeys(talk.station._handlers[MAIN], broken)}
    response = talk.ask(REQUESTS[state])
    assert response.ResponseCode is din.ResponseCode.FAILED
    assert type(response) is RULES.by_request[state].response
    assert talk.closes == ["an error in this program: a defect"]
    assert talk.is_off
    assert [fault.blame for fault in talk.faults()] == [Blame.LOCAL]
    talk.wait(5.0)
    assert talk.station.finished


def test_an_outlet_that_does_not_switch_off_is_a_fault_of_the_installation(talk: Talk) -> None:
    talk.reach(din.PreChargeReq)
    talk.outlet.off = lambda *, emergency: None  # type: ignore[method-assign]
    talk.station.lost(talk.now, "reset")
    talk.wait(2.9)
    assert not talk.station.finished
    talk.wait(0.3)
    assert talk.station.finished
    assert [fault.blame for fault in talk.faults()] == [Blame.REMOTE, Blame.SETUP]


@pytest.mark.parametrize("state", STATES, ids=lambda kind: kind.__name__)
def test_a_lost_connection_switches_off(state: Any, talk: Talk) -> None:
    talk.reach(state)
    assert talk.station.lost(talk.now, "reset")[-1].__class__.__name__ == "Close"
    assert talk.is_off
    assert talk.station.closed
    assert talk.station.lost(talk.now, "again") == []
    assert talk.station.receive(0x8001, b"\x80", talk.now) == []
    assert talk.station.stop(talk.now, "late") == []
    assert states(talk)[-1] == ChargePointState.ERROR


def test_stop_before_a_session_closes_at_once(talk: Talk) -> None:
    talk.station.stop(talk.now, "closing time")
    talk.wait(1.0)
    assert talk.station.finished
    assert talk.station.reason == "closing time"


def test_expire_before_its_time_does_nothing(talk: Talk) -> None:
    talk.reach(din.ServiceDiscoveryReq)
    before = talk.station.next_deadline()
    assert talk.station.expire(talk.now) == []
    assert talk.station.next_deadline() == before


def test_time_never_goes_back() -> None:
    station = Station(SimulatedOutlet(), random=bytes)
    station.start(50.0)
    station.expire(40.0)
    assert station.now == 50.0


def test_a_session_that_never_began_delivered_nothing() -> None:
    events: list[Any] = []
    outlet = SimulatedOutlet()
    outlet.deliver(5000.0)  # to the vehicle before
    station = Station(outlet, random=bytes, trace=events.append)
    station.lost(1.0, "the vehicle opened a new connection")
    while not station.finished:
        station.expire(station.next_deadline() or 0.0)
    [ended] = [event for event in events if isinstance(event, SessionEnded)]
    assert ended.energy_wh == 0.0
