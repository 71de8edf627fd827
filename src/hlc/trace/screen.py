"""Lines that scroll, and below them one that is renewed in place, where the stream is a terminal.

What the lines say is decided by whoever writes them; here is how a terminal is told.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import Any, Final, Protocol

RENEW_EVERY_S: Final = 0.05
"""How often the last line is renewed at most, in real time; `clock` tells it."""
ESCAPE: Final = re.compile(r"(\x1b\[[0-9;]*m)")


class Stream(Protocol):
    """What is written to."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...
    def isatty(self) -> bool: ...


class Screen:
    """A stream as lines. `clock` gives real time, so that the last line is not renewed too often; without one it is
    renewed whenever it is told anew. Lines that are too long for a terminal are cut, unless `whole`."""

    def __init__(self, stream: Stream, clock: Any = None, *, whole: bool = False) -> None:
        self._stream = stream
        self._whole = whole
        self._clock = clock
        self.live = stream.isatty() and os.environ.get("TERM") != "dumb"
        """Whether a line can be renewed."""
        self._status = ""
        self._drawn = False
        self._renewed = -1.0

    def line(self, text: str) -> None:
        """A line that stays."""
        self._wipe()
        if self.live and not self._whole:
            text = clipped(text, shutil.get_terminal_size().columns)
        self._stream.write(text + "\n")
        if self._status:
            self._draw()

    def status(self, text: str) -> None:
        """What the last line says from now on."""
        self._status = text
        now = self._clock() if self._clock is not None else None
        if self.live and (now is None or now - self._renewed >= RENEW_EVERY_S):
            self._renewed = now or 0.0
            self._draw()

    def clear(self) -> None:
        """No such line any more."""
        self._status = ""
        self._wipe()

    def _wipe(self) -> None:
        if self._drawn:
            self._drawn = False
            self._stream.write("\r\x1b[K")

    def _draw(self) -> None:
        if self.live:
            line = clipped(self._status, shutil.get_terminal_size().columns - 1)
            self._stream.write(f"\r{line}\x1b[K")
            self._drawn = True
            self._stream.flush()


def clipped(line: str, width: int) -> str:
    """A line cut to a width; escape sequences take none."""
    pieces = ESCAPE.split(line)  # text and escape sequences in turns
    if sum(map(len, pieces[::2])) <= width:
        return line
    out, room = [], width - 1
    for piece in pieces:
        if piece.startswith("\x1b"):
            out.append(piece)
        else:
            out.append(piece[:room])
            if len(piece) > room:
                return "".join(out) + "…" + ("\x1b[0m" if len(pieces) > 1 else "")
            room -= len(piece)
    return "".join(out)
