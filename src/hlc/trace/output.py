"""How events get out without holding a session up: fan-out to several consumers, lines written behind its back.

A consumer that fails is dropped and named once; a reader that stalls (a paused terminal, a full pipe) loses lines,
not the session.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final

from hlc.trace.events import Event, Trace

MAX_WAITING: Final = 10_000
"""Lines that may wait for a stalled reader."""
MAX_OCTETS: Final = 16 << 20
"""Octets that may wait for it."""


def fan_out(*consumers: Trace) -> Trace:
    """A trace that hands each event to every consumer, and drops those that raise."""
    listening = list(consumers)

    def trace(event: Event) -> None:
        for consumer in list(listening):
            try:
                consumer(event)
            except Exception as error:
                listening.remove(consumer)
                name = type(consumer).__name__
                print(f"hlc: {name} failed and is left out from here on: {error!r}", file=sys.stderr)

    return trace


class Deferred:
    """A trace that keeps events until the work in hand is done: an answer leaves before anything is written about it.

    `schedule` is told once per batch to call `flush` soon (`loop.call_soon`).
    """

    def __init__(self, trace: Trace, schedule: Callable[[Callable[[], None]], object]) -> None:
        self._trace = trace
        self._schedule = schedule
        self._waiting: deque[tuple[Trace, Event]] = deque()

    def __call__(self, event: Event) -> None:
        self._keep(self._trace, event)

    def to(self, trace: Trace) -> Trace:
        """The same for another trace: the order of all events is kept."""
        return partial(self._keep, trace)

    def flush(self) -> None:
        """Hand on everything that waits."""
        while self._waiting:
            trace, event = self._waiting.popleft()
            trace(event)

    def _keep(self, trace: Trace, event: Event) -> None:
        if not self._waiting:
            self._schedule(self.flush)
        self._waiting.append((trace, event))


def too_slow(lost: int) -> str:
    """What stands in the place of lines that were lost."""
    return f"({lost} lines lost: the reader was too slow)"


class BackgroundWriter:
    """Lines written to a file descriptor by a thread of their own; a text stream as far as `print` needs one.

    `instead` gives the line that stands for so many that were lost.
    """

    def __init__(self, descriptor: int, instead: Callable[[int], str] = too_slow) -> None:
        self._descriptor = descriptor
        self._instead = instead
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._queued = 0
        self._written = 0
        """Octets; each counted by one thread only."""
        self._lost = 0
        self.lost = 0
        """Lines, all in all."""
        self.broken = False
        """Whether the reader has gone."""
        self._thread = threading.Thread(target=self._write_all, name="writer", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Queue text; when too much waits already it is lost, and its loss noted in the output."""
        if self._queue.qsize() >= MAX_WAITING or self._queued - self._written >= MAX_OCTETS:
            self._lost += 1
            self.lost += 1
        else:
            if self._lost:
                text = f"{self._instead(self._lost)}\n{text}"
                self._lost = 0
            data = text.encode("utf-8", "replace")
            self._queued += len(data)
            self._queue.put(data)
        return len(text)

    def flush(self) -> None:
        """The thread writes as it can."""

    @property
    def encoding(self) -> str:
        """That of standard error: what a terminal is set to."""
        return sys.stderr.encoding

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return os.isatty(self._descriptor)

    def close(self, patience_s: float = 1.0) -> None:
        """Write what waits, unless the reader stalls for longer than `patience_s`."""
        if self._lost:
            self._queue.put(f"{self._instead(self._lost)}\n".encode())
        self._queue.put(None)
        self._thread.join(patience_s)

    def _write_all(self) -> None:
        last = False
        while not last:
            pieces = [self._queue.get()]
            try:
                while True:
                    pieces.append(self._queue.get_nowait())
            except Empty:
                pass
            last = None in pieces
            data = b"".join(piece for piece in pieces if piece is not None)
            size = len(data)
            while data and not self.broken:
                try:
                    data = data[os.write(self._descriptor, data) :]
                except OSError:
                    self.broken = True
            self._written += size
