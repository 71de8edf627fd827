"""The engine's parts that no session shows."""

from __future__ import annotations

from exi.messages import din70121 as din
from exi.messages.sap import ResponseCode, supportedAppProtocolRes
from hlc.flow import Timers, failed


def test_timers_pass_in_the_order_of_their_times() -> None:
    timers = Timers()
    timers.start("b", "second", 0.0, 2.0)
    timers.start("a", "first", 0.0, 1.0)
    timers.start("c", "third", 0.0, 3.0)
    assert timers.next() == 1.0
    assert timers.due(0.9) == []
    assert timers.due(2.0) == [("a", "first", 1.0), ("b", "second", 2.0)]
    assert "b" not in timers
    assert timers.next() == 3.0


def test_timers_start_again_and_stop() -> None:
    timers = Timers()
    timers.start("a", "a", 0.0, 1.0)
    timers.start("a", "a", 5.0, 1.0)
    assert timers.next() == 6.0
    timers.cancel("a")
    timers.cancel("a")
    assert timers.next() is None
    timers.start("a", "a", 0.0, 1.0)
    timers.clear()
    assert timers.due(9.0) == []


def test_failed_in_both_spellings() -> None:
    assert failed(din.SessionStopRes(ResponseCode=din.ResponseCode.FAILED_SequenceError))
    assert not failed(din.SessionStopRes(ResponseCode=din.ResponseCode.OK_CertificateExpiresSoon))
    assert failed(supportedAppProtocolRes(ResponseCode=ResponseCode.Failed_NoNegotiation))
