"""Where the secrets of TLS come from: a file of them, or what a capture discloses further on."""

from __future__ import annotations

import os
from typing import Final

from hlc.capture.files import Capture, CaptureError, Octets
from hlc.capture.headers import Udp, parse
from hlc.security.keylog import CONNECTIONS, Secrets

CHUNK: Final = 1 << 20
LONGEST_LINE: Final = 1 << 12


def take_file(path: str, secrets: Secrets) -> str:
    """Take the secrets of a key log. Returns what is to be said about the file. Raises `OSError`."""
    rest = b""
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK):
            lines, _, rest = (rest + chunk).rpartition(b"\n")
            secrets.add(lines)
            rest = rest[-LONGEST_LINE:]
    secrets.add(rest)
    if not secrets.count:
        return f"{path} holds no secrets of TLS: they are lines like CLIENT_RANDOM 0123... 4567..."
    if secrets.dropped:
        return f"{path} holds the secrets of more than {CONNECTIONS} connections: the last ones are used"
    return ""


class GrowingLog:
    """A key log to which a running program adds lines. It may begin later, be cut, or be replaced by another."""

    def __init__(self, path: str | os.PathLike[str], secrets: Secrets) -> None:
        self.path = path
        self.trouble = ""
        """Why it cannot be read at the moment."""
        self._secrets = secrets
        self._file: tuple[int, int] | None = None
        self._offset = 0
        self._rest = b""

    def look(self) -> None:
        """Take what was added."""
        try:
            with open(self.path, "rb") as stream:
                about = os.fstat(stream.fileno())
                if (about.st_dev, about.st_ino) != self._file or about.st_size < self._offset:
                    self._file, self._offset, self._rest = (about.st_dev, about.st_ino), 0, b""
                if about.st_size == self._offset:
                    return
                stream.seek(self._offset)
                chunk = stream.read(CHUNK)
        except OSError as error:
            self.trouble = error.strerror or str(error)
            return
        self.trouble = ""
        self._offset += len(chunk)
        lines, _, rest = (self._rest + chunk).rpartition(b"\n")
        self._rest = rest[-LONGEST_LINE:]
        self._secrets.add(lines + b"\n")


def look_ahead(stream: Octets, secrets: Secrets) -> None:
    """Take the secrets that a capture discloses anywhere: in its blocks of secrets and in datagrams."""
    try:
        capture = Capture(stream, "", secrets.add)
    except CaptureError:
        return
    for captured in capture:
        datagram = parse(captured.link, captured.data)
        if isinstance(datagram, Udp):
            secrets.add(datagram.data)
