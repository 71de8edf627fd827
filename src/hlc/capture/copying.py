"""Frames into a pcapng as they were captured: link types and times are kept, and the secrets of TLS are put in, so that
every reader decrypts it without anything else."""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path
from typing import Final

from hlc.capture import blocks
from hlc.capture.decoder import Watch
from hlc.capture.files import Captured, Stamp
from hlc.security.keylog import Secrets

NANOSECONDS: Final = 9
STATISTICS: Final = 5
"""The kind of a block that tells how many frames were received and dropped."""
GATHERED: Final = 1 << 18
"""Octets that are gathered before they are written."""


class FrameWriter:
    """Give it frames in order, and secrets at the latest with the frame that they are for, or when it is flushed.

    Frames are gathered before they are written: who listens live and calls `flush` once a second loses no more than a
    second, whatever happens. Raises `OSError` where the file cannot be created. What fails later is kept in `error`:
    reading goes on.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.error: OSError | None = None
        self.frames = 0
        self._file = open(self.path, "wb", buffering=0)  # noqa: SIM115
        self._interfaces: dict[int, int] = {}
        self._waiting = bytearray(blocks.section())
        self.flush()

    def frame(self, link: int, nanoseconds: int, wire: int, data: bytes, keylog: bytes = b"") -> None:
        """A frame of this link type; its time counts from 1970, and it had `wire` octets on the wire.

        `keylog` are secrets of connections that this frame, or one behind it, is of.
        """
        if keylog:
            self._waiting += blocks.secrets(keylog)
        number = self._interfaces.get(link)
        if number is None:
            number = self._interfaces[link] = len(self._interfaces)
            self._waiting += blocks.interface(link, NANOSECONDS)
        self._waiting += blocks.packet(number, nanoseconds, data, wire)
        self.frames += 1
        if len(self._waiting) >= GATHERED:
            self.flush()

    def flush(self, keylog: bytes = b"") -> None:
        """Write what there is. `keylog` are secrets that became known meanwhile: they stand before the frames that were
        gathered, for a reader that reads once needs them there."""
        if keylog:
            self._waiting[:0] = blocks.secrets(keylog)
        if self.error is None:
            try:
                while self._waiting:
                    del self._waiting[: self._file.write(self._waiting)]
            except OSError as error:
                self.error = error
        self._waiting.clear()

    def close(self, dropped: int | None = None) -> None:
        """Close the file; again is allowed. `dropped`: so many frames were lost before they came here."""
        if self._file.closed:
            return
        if dropped is not None and self._interfaces:
            now = time.time_ns()
            head = struct.pack("<3I", 0, now >> 32, now & 0xFFFFFFFF)
            counts = struct.pack("<HHQHHQ4x", 4, 8, self.frames + dropped, 5, 8, dropped)  # isb_ifrecv, isb_ifdrop
            self._waiting += blocks.block(STATISTICS, head + counts)
        self.flush()
        try:
            self._file.close()
        except OSError as error:
            self.error = self.error or error


class Copy:
    """A copy of a whole capture, frame by frame as the decoder has seen them."""

    def __init__(self, writer: FrameWriter, secrets: Secrets) -> None:
        self._writer = writer
        self._secrets = secrets

    def frame(self, captured: Captured, stamp: Stamp) -> None:
        """The next frame."""
        self._writer.frame(captured.link, *stamp, captured.data, self._secrets.fresh())

    @property
    def watch(self) -> Watch | None:
        """What the decoder is to ask for each connection."""
        return None

    def close(self) -> None:
        """The end of the capture, which the decoder has seen."""
        self._writer.close()

    def story(self) -> list[str]:
        """What is to be said of the copy, in lines."""
        return []

    @property
    def error(self) -> OSError | None:
        """Why the copy is not complete."""
        return self._writer.error
