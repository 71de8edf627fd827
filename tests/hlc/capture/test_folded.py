"""On a terminal a loop is one line: what is said anew is a line of its own, and nothing of it is lost."""

from __future__ import annotations

import io
import re

import pytest

import slac
from hlc.capture.decoder import Decoder
from hlc.capture.files import Captured
from hlc.capture.folded import REMEMBERED, FoldedLines
from hlc.capture.lines import Lines
from hlc.trace.screen import Screen

Frames = list[tuple[float, bytes]]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "300")


def shown(frames: Frames, terminal: io.StringIO) -> str:
    screen = Screen(terminal, whole=True)
    report = FoldedLines(screen, colour=False)
    decoder = Decoder(report.event, report.finished, report.matched)
    for number, (at, frame) in enumerate(frames, 1):
        report.zero = report.zero or at
        decoder.frame(Captured(number, at, 1, frame))
    decoder.close()
    report.totals(decoder.totals, [])
    return terminal.getvalue()


def staying(text: str) -> list[str]:
    """The lines that were not renewed."""
    return re.sub(r"\r[^\n]*?\x1b\[K", "", text).splitlines()


def test_a_charge_loop_is_one_line_that_is_renewed(frames: Frames) -> None:
    text = shown(frames, Terminal())
    renewed = re.findall(r"\r +(\d+) +[\d.]+  CurrentDemand \((\d+) more\)  (.*?)\x1b\[K", text)
    assert len(renewed) > 10
    assert sum("CurrentDemand" in line for line in staying(text)) < len(renewed) / 2
    numbers = [int(number) for number, _, _ in renewed]
    assert numbers == sorted(numbers)
    assert "EV target" in renewed[-1][2]
    assert "EVSE " in renewed[-1][2]
    assert "\n" not in renewed[-1][2]


def test_no_message_is_lost_from_the_count(frames: Frames) -> None:
    whole: list[str] = []
    report = Lines(whole.append, colour=False, summary=False)
    decoder = Decoder(report.event, report.finished, report.matched)
    for number, (at, frame) in enumerate(frames, 1):
        report.zero = report.zero or at
        decoder.frame(Captured(number, at, 1, frame))
    decoder.close()
    lines = staying(shown(frames, Terminal()))
    folded = sum(int(count) for line in lines for count in re.findall(r"\((\d+) more messages? that say", line))
    numbered = [line for line in lines if re.match(r" +\d+ +[\d.]+  ", line)]
    assert folded + len(numbered) == len([line for line in whole if re.match(r" +\d+ +[\d.]+  ", line)])
    assert folded > len(numbered)


def test_the_verdict_is_whole_and_the_renewed_line_is_gone_at_the_end(frames: Frames) -> None:
    text = shown(frames, Terminal())
    assert "good: the vehicle ended the session in order" in text
    assert re.search(r"\d+ frames, \d+ messages decoded", text.splitlines()[-1])


def test_what_a_modem_is_asked_again_and_again_is_shown_once() -> None:
    host, modem = b"\2" * 6, bytes.fromhex("00b052000001")
    asked = slac.make("VS_PL_LNK_STATUS.REQ", destination=modem, source=host)
    down, up = (
        slac.make("VS_PL_LNK_STATUS.CNF", destination=host, source=modem, mstatus=0, link_status=state)
        for state in (0, 1)
    )
    sequence = [asked, down] * 50 + [asked, up] * 50
    text = shown([(float(at), frame) for at, frame in enumerate(sequence)], Terminal())
    assert text.count("VS_PL_LNK_STATUS.REQ") == 1
    assert text.count("VS_PL_LNK_STATUS.CNF") == 2
    assert "(99 more messages that say nothing new but figures)" in text
    assert "200 HomePlug frames" in text


def test_what_is_remembered_is_bounded(frames: Frames) -> None:
    screen = Screen(Terminal())
    report = FoldedLines(screen, colour=False)
    decoder = Decoder(report.event, report.finished, report.matched)
    for number in range(3 * REMEMBERED):
        frame = slac.make("CM_GET_KEY.REQ", destination=b"\2" * 6, source=number.to_bytes(6, "big"))
        decoder.frame(Captured(number, float(number), 1, frame))
    assert len(report._said) == REMEMBERED
