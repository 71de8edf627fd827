"""Answers that take a while."""

from __future__ import annotations

from typing import Any

import pytest
from din import REQUESTS

import exi
from exi.messages import din70121 as din
from hlc.flow import Refusal, Send
from hlc.ports import Trouble
from hlc.rules.din70121 import wrap
from hlc.secc.conversation import LATER

EXI = 0x8001
KIND = din.PowerDeliveryReq


@pytest.fixture
def slow(talk: Any) -> Any:
    """A station that is asked for power, and whose handler waits for `talk.now` to reach `talk.until`."""
    talk.reach(KIND)
    good = talk.station._handlers[0][KIND]
    talk.until = talk.now + 1.0
    talk.broken = None

    def handler(request: Any) -> Any:
        if talk.station.now < talk.until:
            return LATER
        if talk.broken is not None:
            raise talk.broken
        return good(request)

    talk.station._handlers = {0: {**talk.station._handlers[0], KIND: handler}}
    talk.effects.clear()
    payload = exi.schema("din70121").encode(wrap(talk.station.session_id, REQUESTS[KIND]))
    assert talk.send(payload) == []
    return talk


def answers(talk: Any) -> list[Any]:
    sent = [effect.payload for effect in talk.effects if isinstance(effect, Send)]
    return [exi.schema("din70121").decode(payload).Body.BodyElement for payload in sent]


def test_the_answer_comes_when_the_handler_has_it(slow: Any) -> None:
    slow.wait(0.9)
    assert answers(slow) == []
    slow.wait(0.2)
    [answer] = answers(slow)
    assert isinstance(answer, din.PowerDeliveryRes)
    assert answer.ResponseCode is din.ResponseCode.OK
    assert slow.station.expected == {din.CurrentDemandReq}


def test_a_late_refusal_is_an_answer_too(slow: Any) -> None:
    slow.broken = Refusal("FAILED_PowerDeliveryNotApplied", "the contactor is stuck")
    slow.wait(1.1)
    [answer] = answers(slow)
    assert answer.ResponseCode is din.ResponseCode.FAILED_PowerDeliveryNotApplied
    assert slow.station.closed


@pytest.mark.parametrize("kind", [KIND, din.SessionStopReq])
def test_nothing_may_be_asked_meanwhile(slow: Any, kind: Any) -> None:
    slow.send(exi.schema("din70121").encode(wrap(slow.station.session_id, REQUESTS[kind])))
    [answer] = answers(slow)
    assert answer.ResponseCode is din.ResponseCode.FAILED_SequenceError
    slow.wait(2.0)
    assert len(answers(slow)) == 1


def test_trouble_does_not_wait(slow: Any) -> None:
    slow.outlet.fault = Trouble.EMERGENCY
    slow.wait(0.1)
    [answer] = answers(slow)
    assert answer.ResponseCode is din.ResponseCode.FAILED
    assert slow.station.closed


def test_an_exception_in_the_handler_is_answered(slow: Any) -> None:
    slow.broken = RuntimeError("ours")
    slow.wait(1.1)
    [answer] = answers(slow)
    assert answer.ResponseCode is din.ResponseCode.FAILED
    assert slow.is_off
