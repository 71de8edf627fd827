"""Frames into a pcapng as they were captured: link types and times are kept, and the secrets of TLS are put in, so that
every reader decrypts it without anything else."""

from __future__ import annotations

import os
from pathlib import Path

from hlc.capture import blocks

NANOSECONDS = 9


class FrameWriter:
    """Give it frames in order, and secrets at the latest with the frame that they are for.

    Raises `OSError` where the file cannot be created. What fails later is kept in `error`: reading goes on. `at_once`:
    each block is in the file when the call returns, as for one that grows while others read it.
    """

    def __init__(self, path: str | os.PathLike[str], *, at_once: bool = False) -> None:
        self.path = Path(path)
        self.error: OSError | None = None
        self._at_once = at_once
        self._file = open(self.path, "wb")  # noqa: SIM115
        self._interfaces: dict[int, int] = {}
        self._write(blocks.section())

    def frame(self, link: int, nanoseconds: int, wire: int, data: bytes, keylog: bytes = b"") -> None:
        """A frame of this link type; its time counts from 1970, and it had `wire` octets on the wire.

        `keylog` are secrets of connections that this frame, or one behind it, is of.
        """
        if keylog:
            self._write(blocks.secrets(keylog))
        number = self._interfaces.get(link)
        if number is None:
            number = self._interfaces[link] = len(self._interfaces)
            self._write(blocks.interface(link, NANOSECONDS))
        self._write(blocks.packet(number, nanoseconds, data, wire))

    def close(self) -> None:
        """Close the file; again is allowed."""
        try:
            self._file.close()
        except OSError as error:
            self.error = self.error or error

    def _write(self, octets: bytes) -> None:
        if self.error is not None:
            return
        try:
            self._file.write(octets)
            if self._at_once:
                self._file.flush()
        except OSError as error:
            self.error = error
