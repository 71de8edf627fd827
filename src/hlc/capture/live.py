"""Frames as they are heard -> the decoder of recordings, with a clock that moves also when nobody speaks.

Taking frames comes before reading them: `take` writes them to the file and puts them by, `work` decodes for a while.
So whoever is too slow to decode everything still writes everything, and is told what was not decoded. The socket, the
signals and the terminal are the command's.

Frames come from `slac.link.Tap`, not from scapy, whose sockets need libpcap to make a filter, do not tell how many
frames the kernel dropped, keep two hundred frames of a burst, and take four times as long for each.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable
from typing import Final

from hlc.capture.copying import FrameWriter
from hlc.capture.decoder import Decoder
from hlc.capture.files import Captured
from hlc.capture.headers import ETHERNET
from hlc.capture.report import Report

WAITING: Final = 64 << 20
"""Octets of frames that may wait to be decoded, a quarter of a kilobyte each beside their content."""
OVERHEAD: Final = 256
STEP_S: Final = 1.0
"""A clock that moves by more than this against the time that passed was set."""


log = logging.getLogger(__name__)


class SteadyClock:
    """Seconds since 1970 that do not leap when the clock of the machine is set, as one without a battery is at its
    first contact with the network: a leap would look like silence, and end every session."""

    def __init__(self) -> None:
        self._ahead = self._look()
        self.leapt = 0.0
        """By how much the machine's clock was set forward, all in all."""

    @staticmethod
    def _look() -> float:
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)  # which counts the time asleep, too

    def look(self) -> float:
        """Look at the clocks. By how much the machine's was set since the last time; 0.0 where it was not."""
        ahead = self._look()
        leap = ahead - self._ahead
        self._ahead = ahead
        if abs(leap) < STEP_S:
            return 0.0
        self.leapt += leap
        return leap

    def now(self) -> float:
        """The time."""
        return time.time() - self.leapt


class Live:
    """Give it frames by `take`, time to decode by `work`, and by `quiet` the time when there are none."""

    def __init__(
        self, decoder: Decoder, report: Report, writer: FrameWriter | None = None, apart: bytes | None = None
    ) -> None:
        """What goes to or from the address `apart` is written, but it is no part of any session."""
        self.heard = 0
        """Frames; the numbers that they have in the reports and in the file."""
        self.skipped = 0
        """Frames that were not decoded because too many waited."""
        self.fault = ""
        """The first error of our own in decoding: the frame is passed over, and what follows is not lost with it."""
        self._decoder = decoder
        self._report = report
        self._writer = writer
        self._apart = apart
        self._waiting: deque[Captured] = deque()
        self._octets = 0

    def take(self, frames: Iterable[tuple[float, bytes]]) -> None:
        """Frames that were heard, Ethernet, each with its time in seconds since 1970."""
        for at, frame in frames:
            self.heard += 1
            if self._writer is not None:
                self._writer.frame(ETHERNET, int(at * 1e6) * 1000, len(frame), frame)
            if self._apart is not None and self._apart in (frame[:6], frame[6:12]):
                continue
            size = len(frame) + OVERHEAD
            if self._octets + size > WAITING:
                self.skipped += 1
                continue
            self._octets += size
            self._waiting.append(Captured(self.heard, at, ETHERNET, frame))

    def work(self, seconds: float) -> bool:
        """Decode for so long. Whether frames still wait."""
        waiting = self._waiting
        until = time.monotonic() + seconds
        while waiting:
            captured = waiting.popleft()
            self._octets -= len(captured.data) + OVERHEAD
            if self._report.zero is None:
                self._report.zero = captured.at
            try:
                self._decoder.frame(captured)
            except Exception as error:
                self.fault = self.fault or f"frame {captured.number}: internal error: {type(error).__name__}: {error}"
                log.debug("frame %s", captured.number, exc_info=True)
            if time.monotonic() >= until:
                break
        return bool(waiting)

    def quiet(self, now: float) -> None:
        """Nothing more was heard until now: what is over by then is judged."""
        if not self._waiting:
            self._decoder.quiet(now)

    @property
    def waiting(self) -> int:
        """Frames that are still to be decoded."""
        return len(self._waiting)

    def leave(self) -> None:
        """Decode nothing of what waits."""
        self.skipped += len(self._waiting)
        self._waiting.clear()
        self._octets = 0

    def close(self, losses: list[str]) -> None:
        """The end: what is open is judged, and everything summed up."""
        self._decoder.close()
        self._report.totals(self._decoder.totals, losses)
