"""Consumers hold nothing up: those that fail are dropped, those that stall lose lines."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import pytest

from hlc.trace import output
from hlc.trace.events import Event, Note, Side
from hlc.trace.output import BackgroundWriter, Deferred, fan_out


def note(text: str = "") -> Note:
    return Note(at=0.0, side=Side.SECC, text=text)


def test_a_consumer_that_fails_is_dropped_and_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Event] = []

    def broken(event: Event) -> None:
        raise ZeroDivisionError

    trace = fan_out(broken, seen.append)
    trace(note())
    trace(note())
    assert len(seen) == 2
    assert capsys.readouterr().err.count("left out from here on") == 1


def test_deferred_events_come_in_order_and_are_asked_for_once_per_batch() -> None:
    seen: list[Event] = []
    asked: list[Callable[[], None]] = []
    trace = Deferred(seen.append, asked.append)
    for text in ("a", "b"):
        trace(note(text))
    assert (len(asked), seen) == (1, [])
    asked[0]()
    assert seen == [note("a"), note("b")]
    trace(note("c"))
    assert len(asked) == 2


def test_writer_writes_all_that_waits_before_it_closes() -> None:
    reading, writing = os.pipe()
    writer = BackgroundWriter(writing)
    for number in range(100):
        writer.write(f"{number}\n")
    writer.close()
    os.close(writing)
    with os.fdopen(reading) as file:
        assert file.read().split() == [str(number) for number in range(100)]


def test_a_stalled_reader_loses_lines_but_stalls_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MAX_WAITING", 5)
    free = threading.Event()
    got: list[bytes] = []
    entered = threading.Event()

    def stalled(descriptor: int, data: bytes) -> int:
        entered.set()
        free.wait(5)
        got.append(data)
        return len(data)

    monkeypatch.setattr(os, "write", stalled)
    writer = BackgroundWriter(99)
    writer.write("first\n")
    assert entered.wait(5)
    for number in range(20):
        writer.write(f"{number}\n")
    free.set()
    while writer._queue.qsize():
        time.sleep(0.001)
    writer.write("last\n")
    writer.close()
    text = b"".join(got).decode()
    assert text.startswith("first\n0\n1\n2\n3\n4\n")
    assert "(15 lines lost: the reader was too slow)\n" in text
    assert text.endswith("last\n")


def test_a_reader_that_has_gone_is_no_trouble() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    writer = BackgroundWriter(writing)
    writer.write("nobody reads this\n")
    writer.write("nor this\n")
    writer.close()
    os.close(writing)
    assert not writer._thread.is_alive()
