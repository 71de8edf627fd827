"""Where the secrets of TLS come from: a file of them, or what a capture discloses further on."""

from __future__ import annotations

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
