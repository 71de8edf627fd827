"""Frames heard live: reported as a recording, judged also when nobody speaks, written also when too many come."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hlc.capture import live
from hlc.capture.copying import FrameWriter
from hlc.capture.decoder import Decoder
from hlc.capture.files import Captured
from hlc.capture.lines import Lines
from hlc.capture.live import Live, SteadyClock

Frames = list[tuple[float, bytes]]


class Listening:
    """A `Live` and the lines that its report has printed."""

    def __init__(self, writer: FrameWriter | None = None) -> None:
        self.lines: list[str] = []
        report = Lines(self.lines.append, colour=False, summary=False)
        self.live = Live(Decoder(report.event, report.finished, report.matched), report, writer)

    def hears(self, frames: Frames) -> None:
        self.live.take(frames)
        assert not self.live.work(60.0)


def test_it_reports_what_is_reported_of_a_recording(frames: Frames) -> None:
    listening = Listening()
    for frame in frames:
        listening.hears([frame])
    listening.live.close([])
    recorded: list[str] = []
    report = Lines(recorded.append, colour=False, summary=False)
    report.zero = frames[0][0]
    decoder = Decoder(report.event, report.finished, report.matched)
    for number, (at, frame) in enumerate(frames, 1):
        decoder.frame(Captured(number, at, 1, frame))
    decoder.close()
    report.totals(decoder.totals, [])
    assert listening.lines == recorded
    assert any("good: the vehicle ended the session in order" in line for line in listening.lines)


def test_a_session_is_judged_when_its_end_is_past_though_nobody_speaks(frames: Frames) -> None:
    listening = Listening()
    listening.hears(frames)
    last = frames[-1][0]
    listening.live.quiet(last + 0.5)
    assert not any("good:" in line for line in listening.lines)
    for tenths in range(10, 50):
        listening.live.quiet(last + tenths / 10)
    assert any("good:" in line for line in listening.lines)


def test_silence_within_a_session_is_judged_when_it_was_long_enough(frames: Frames) -> None:
    listening = Listening()
    half = frames[: len(frames) // 2]
    listening.hears(half)
    listening.live.quiet(half[-1][0] + 100.0)
    assert not any("failed" in line for line in listening.lines)
    listening.live.quiet(half[-1][0] + 121.0)
    assert any("failed" in line for line in listening.lines)


def test_a_summary_tells_each_session_when_it_is_over(frames: Frames) -> None:
    lines: list[str] = []
    report = Lines(lines.append, colour=False, summary=True, live=True)
    listening = Live(Decoder(report.event, report.finished, report.matched), report)
    listening.take(frames)
    listening.work(60.0)
    listening.quiet(frames[-1][0] + 3.0)
    assert "good: the vehicle ended the session in order" in lines[-1]


def test_what_is_left_is_counted(frames: Frames) -> None:
    listening = Listening()
    listening.live.take(frames)
    assert listening.live.waiting == len(frames)
    listening.live.leave()
    assert (listening.live.waiting, listening.live.skipped) == (0, len(frames))
    assert not listening.live.work(60.0)


def test_an_error_of_our_own_costs_one_frame(frames: Frames, monkeypatch: pytest.MonkeyPatch) -> None:
    listening = Listening()
    decoder: Any = listening.live._decoder
    decode = decoder.frame

    def faulty(captured: Captured) -> None:
        if captured.number == 30:
            raise ZeroDivisionError("one divided by nothing")
        decode(captured)

    monkeypatch.setattr(decoder, "frame", faulty)
    listening.hears(frames)
    listening.live.close([])
    assert listening.live.fault == "frame 30: internal error: ZeroDivisionError: one divided by nothing"
    assert any("SessionStopRes" in line for line in listening.lines)


def test_nothing_is_judged_while_frames_wait(frames: Frames) -> None:
    listening = Listening()
    listening.hears(frames[:-1])
    listening.live.take(frames[-1:])
    listening.live.quiet(frames[-1][0] + 1000.0)
    assert not any("good:" in line or "failed" in line for line in listening.lines)


def test_quiet_before_the_first_frame_is_nothing() -> None:
    listening = Listening()
    listening.live.quiet(1e9)
    listening.live.close([])
    assert listening.lines[-2].startswith("0 frames")


def test_work_stops_when_its_time_is_over_and_goes_on_later(frames: Frames) -> None:
    listening = Listening()
    listening.live.take(frames)
    assert listening.live.work(0.0)
    rounds = 1
    while listening.live.work(0.0):
        rounds += 1
    assert rounds == len(frames) - 1


def test_what_comes_faster_than_it_is_decoded_is_written_all_the_same(
    frames: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decode: Callable[..., Any]
) -> None:
    monkeypatch.setattr(live, "WAITING", 10_000)
    writer = FrameWriter(tmp_path / "all.pcapng")
    listening = Listening(writer)
    listening.live.take(frames)
    assert 0 < listening.live.skipped < listening.live.heard == len(frames)
    assert not listening.live.work(60.0)
    before = listening.live.skipped
    listening.live.take(frames[:1])  # there is room again
    assert listening.live.skipped == before
    writer.close()
    assert decode(tmp_path / "all.pcapng").totals.frames == len(frames) + 1


class Clocks:
    """The clocks of a machine, to be set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.boot = 1000.0, 10.0
        monkeypatch.setattr(time, "time", lambda: self.wall)
        monkeypatch.setattr(time, "clock_gettime", lambda which: self.boot)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.boot += seconds


def test_a_clock_that_is_set_moves_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch)
    clock = SteadyClock()
    clocks.passes(5.0)
    assert (clock.look(), clock.now()) == (0.0, 1005.0)
    clocks.wall += 1_700_000_000.0
    assert clock.look() == 1_700_000_000.0
    clocks.passes(5.0)
    assert (clock.look(), clock.now()) == (0.0, 1010.0)
    clocks.wall -= 3600.0
    assert clock.look() == -3600.0
    assert clock.now() == 1010.0


def test_a_clock_that_is_moved_slowly_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch)
    clock = SteadyClock()
    for _ in range(20):
        clocks.wall += 0.5
        assert clock.look() == 0.0
    assert clock.now() == 1010.0
