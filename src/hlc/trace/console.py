"""Trace events for a reader at a terminal or in a log file: one line per thing that happened, loops folded.

    Cable Check
         0.42 s  EVCC  11  114 CableCheckReq             SoC 20 %
         0.42 s  SECC  11  115 CableCheckRes             Ongoing
         4.40 s  SECC  11  115 CableCheckRes             Finished  isolation Valid

Behind each sender stands the documented code of the state that it is in. Of messages that are repeated, those are shown
that say something new in other than figures; the figures go to a status line, which a terminal rewrites in place and a
file gets now and then.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import Any, Final

from hlc.trace.describe import alarm, describe, document, headline, leaves, news
from hlc.trace.events import (
    Event,
    Fault,
    Frame,
    Matched,
    MatchingFailed,
    MatchingRemark,
    MatchingState,
    Measurement,
    Message,
    Note,
    SessionEnded,
    Side,
    StateEntered,
    TimerExpired,
    Unmatched,
)
from hlc.trace.screen import Screen, Stream, clipped

BAR: Final = 24
"""Characters of the bar that shows the state of charge."""
STATUS_EVERY_S: Final = 60.0
"""How often a file gets a status line, in the session's time."""
VALUES: Final = 55
"""Column in which the values of messages begin."""
NARROWEST: Final = 24
"""A terminal with less room for values gets them cut off."""

COLOURS: Final = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    Side.EVCC: "36",
    Side.SECC: "35",
}


class Paint:
    """Colours, where they are wanted: on a terminal, unless NO_COLOR is set."""

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted

    def __call__(self, colour: str, text: str) -> str:
        """The text in a colour."""
        return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if self.wanted and text else text


def colours_wanted(stream: Stream) -> bool:
    """Whether to colour what goes to this stream."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Console:
    """A trace that writes for a reader.

    `began` is the time that is shown as zero. `clock` gives real time for rewriting the status line; without one it is
    rewritten with every event that changes it.
    """

    def __init__(self, stream: Stream, *, began: float = 0.0, clock: Any = None, faults_only: bool = False) -> None:
        self._stream = stream
        self._screen = Screen(stream, clock)
        self._paint = Paint(colours_wanted(stream))
        self._unicode = "utf" in (getattr(stream, "encoding", None) or sys.stdout.encoding or "").lower()
        self._began = began
        self._faults_only = faults_only
        self._codes: dict[Side, int] = {}
        self._labels: dict[Side, str] = {}
        self._heading = ""
        self._held: Message | None = None
        """A request whose sender's states are not traced: the heading is the answering side's, which comes after it."""
        self._shown: dict[str, Any] = {}
        """What the last message of each name said, figures aside."""
        self._written_at = 0.0
        self._soc: float | None = None
        self._power: dict[Side, tuple[float, float]] = {}

    def __call__(self, event: Event) -> None:
        held = self._held
        if held is not None and not isinstance(event, Frame):
            self._held = None
            if isinstance(event, StateEntered) and event.state < 200:
                self._state(event)
                self._head(event.side)
            self._message(held)
        match event:
            case Fault():
                where = f" [{event.clause}]" if event.clause else ""
                self._line(
                    event.at, event.side, "red", "fault", f"{event.text}{where} (the fault is {BLAME[event.blame]})"
                )
            case MatchingFailed():
                self._line(event.at, event.side, "red", "slac", f"{event.reason}: {event.text}")
            case _ if self._faults_only:
                return
            case Message(side=Side.EVCC, schema=schema) if Side.EVCC not in self._codes and schema not in (
                "sdp",
                "sap",
            ):
                self._held = event
            case Message():
                self._message(event)
            case Measurement():
                self._measured(event)
            case StateEntered():
                self._state(event)
            case TimerExpired():
                self._line(event.at, event.side, "red", "timer", f"{event.timer} of {event.limit_s:g} s passed")
            case Note():
                self._line(event.at, event.side, "yellow", "note", event.text)
            case MatchingState():
                self._line(event.at, event.side, "dim", "slac", event.state)
            case MatchingRemark():
                odd = event.kind in ODD
                self._line(event.at, event.side, "yellow" if odd else "dim", "note" if odd else "slac", event.text)
            case Matched():
                self._line(event.at, event.side, "green", "link", matched(event))
            case Unmatched():
                self._line(event.at, event.side, "yellow", "link", f"down: {event.reason}")
            case SessionEnded():
                self.finish()
                verdict = "ended well" if event.good else "did not end well"
                colour = "green" if event.good else "red"
                energy = f"{event.energy_wh / 1000:.3f} kWh"
                if event.returned_wh > 0:
                    energy += f", {event.returned_wh / 1000:.3f} kWh back"
                self._line(event.at, event.side, colour, "end", f"the session {verdict}: {event.reason}; {energy}")
                self._shown.clear()
                self._heading = ""
            case _:
                pass

    def text(self, line: str = "") -> None:
        """A line of plain text among the events."""
        self._screen.line(line)

    def finish(self) -> None:
        """No status line any more."""
        self._screen.clear()

    # events

    def _message(self, event: Message) -> None:
        values = leaves(document(event.message)[1])
        said_anew = news(values)
        soc = values.get("EVRESSSOC", values.get("PresentSOC"))
        if soc is not None and Side.EVCC not in self._power:
            self._soc = float(soc)
        if self._shown.get(event.name) == said_anew:
            return
        self._shown[event.name] = said_anew
        self._head(event.side)
        said, bad = describe(event), alarm(event)
        if bad and bad not in said:
            said = f"{bad}  {said}"
        first, *more = self._wrapped(said)
        self._screen.line(
            f"{self._stamp(event.at, event.side)}  {headline(event):<31} {self._red(first, bad)}".rstrip()
        )
        for line in more:
            self._screen.line(" " * VALUES + self._red(line, bad))

    def _wrapped(self, said: str) -> list[str]:
        """The values of a message, on as many lines as a terminal needs."""
        room = shutil.get_terminal_size().columns - VALUES
        if not self._screen.live or len(said) <= room or room < NARROWEST:
            return [said]
        return textwrap.wrap(said, room, break_long_words=False, break_on_hyphens=False)

    def _red(self, line: str, bad: str | None) -> str:
        return line.replace(bad, self._paint("red", bad)) if bad else line

    def _state(self, event: StateEntered) -> None:
        self._codes[event.side] = int(event.state)
        self._labels[event.side] = event.state.label
        if event.state >= 200:
            self._line(event.at, event.side, "red" if event.state == 200 else "dim", "state", event.state.label)

    def _head(self, side: Side) -> None:
        """A heading when the session has come to another state."""
        label = self._labels.get(side, "")
        if label and label != self._heading:
            self._heading = label
            self._screen.line(self._paint("bold", label))

    def _measured(self, event: Measurement) -> None:
        self._power[event.side] = event.volts, event.amps
        if event.soc is not None:
            self._soc = event.soc
        # The station's figures are what flows; a vehicle alone has its own.
        if event.side is Side.EVCC and Side.SECC in self._power:
            return
        status = self._status_line(event.at, *self._power[event.side])
        if self._screen.live:
            self._screen.status(status)
        elif event.amps > 1.0 and event.at - self._written_at >= STATUS_EVERY_S:
            self._written_at = event.at
            self._screen.line(status)

    def _status_line(self, at: float, volts: float, amps: float) -> str:
        parts = [f"{at - self._began:9.2f} s  "]
        if self._soc is not None:
            parts.append(f"{self._bar(self._soc)} {self._soc:5.1f} %  ")
        parts.append(f"{volts:6.1f} V  {amps:6.1f} A  {volts * amps / 1000:6.1f} kW")
        return "".join(parts)

    def _bar(self, percent: float) -> str:
        full = round(BAR * min(max(percent, 0.0), 100.0) / 100)
        if not self._unicode:
            return "[" + "#" * full + "." * (BAR - full) + "]"
        return self._paint("green", "━" * full) + self._paint("dim", "─" * (BAR - full))

    # lines

    def _line(self, at: float, side: Side, colour: str, kind: str, text: str) -> None:
        self._screen.line(f"{self._stamp(at, side)}  {self._paint(colour, f'{kind:>5}')} {text}")

    def _stamp(self, at: float, side: Side) -> str:
        code = self._codes.get(side)
        return f"{at - self._began:9.2f} s  {self._paint(side, side.value)} {'' if code is None else code:>3}"


ODD: Final = frozenset(
    ("bad frame", "foreign", "unexpected", "invalid", "repeated", "no groups", "NID not derived", "retry")
)
"""Remarks about what should not be."""


def matched(event: Matched) -> str:
    """With whom, in which network, how near."""
    decibels = "" if event.attenuation_db is None else f", attenuation {event.attenuation_db:.1f} dB"
    return f"matched with {event.peer.hex(':')}, NID {event.nid.hex().upper()}{decibels}"


BLAME: Final = {"local": "ours", "remote": "the other side's", "setup": "the installation's"}


__all__ = ["Console", "Paint", "Stream", "clipped", "colours_wanted", "matched"]
