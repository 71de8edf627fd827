"""One capture, read from its beginning to its end into a report: the one that is asked for, or each of many."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from hlc.capture.decoder import Decoder, Watch
from hlc.capture.files import Capture, Captured
from hlc.capture.report import Report
from hlc.capture.secrets import look_ahead
from hlc.capture.totals import Totals
from hlc.security.keylog import Secrets


class Rest:
    """A stream of which the beginning was read already. `waits` is called before more is read."""

    def __init__(
        self, head: bytes, read: Callable[[int], bytes | None], waits: Callable[[], None] = lambda: None
    ) -> None:
        self._head = head
        self._read = read
        self._waits = waits

    def read(self, size: int = -1) -> bytes:
        """The rest of the beginning, then what follows."""
        if self._head:
            head, self._head = self._head, b""
            return head
        self._waits()
        return self._read(size) or b""


def opened(stream: Any, name: str) -> tuple[Capture, Secrets]:
    """A capture and what decrypts it. Raises `CaptureError` for what is none."""
    secrets = Secrets(partial(_further, name) if os.path.isfile(name) else None)
    return Capture(stream, name, secrets.add), secrets


def _further(name: str, secrets: Secrets) -> None:
    """Look through a whole capture for secrets that it discloses behind what they are for."""
    with suppress(OSError), open(name, "rb") as stream:
        look_ahead(stream, secrets)


def read(
    capture: Capture,
    secrets: Secrets,
    report: Report,
    each: Callable[[Captured], None] = lambda captured: None,
    watch: Watch | None = None,
) -> Totals:
    """Read a capture into a report, to its end or to the last frame that the report wants.

    `each` is told of every frame when it was decoded; `watch` is asked for every connection (see `Decoder`).

    Whatever happens before the end is raised, after the report has abandoned what it began.
    """
    decoder = Decoder(report.event, report.finished, report.matched, secrets, report.plugged)
    decoder.watch = watch
    try:
        for captured in capture:
            if report.zero is None:
                report.zero = captured.at
            decoder.frame(captured)
            each(captured)
            if captured.number >= report.last_frame:
                break
        decoder.close()
        report.totals(decoder.totals, capture.damage)
    except BaseException:
        report.abandon()
        raise
    return decoder.totals
