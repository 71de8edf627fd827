"""A vehicle on an interface: it finds the station by SDP, connects, and runs one session."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Final

from hlc.flow import Machine
from hlc.runtime.connection import Connection
from hlc.runtime.discovery import Found
from hlc.runtime.errors import SetupError
from hlc.security.layer import PLAIN, Security
from hlc.trace.events import Trace

CONNECT_TIMEOUT_S: Final = 5.0
"""For the TCP connection alone. What the vehicle allows for the set-up as a whole, its machine counts."""


async def connect(found: Found, machine: Machine, trace: Trace, security: Security = PLAIN) -> Connection:
    """Connect to a station and start the session. Raises `SetupError` if nobody answers there."""
    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    sock.setblocking(False)
    where = f"[{found.address}]:{found.port}"
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await loop.sock_connect(sock, (found.address, found.port, 0, found.scope))
    except TimeoutError as error:
        sock.close()
        raise SetupError(f"no station answers at {where}: nothing within {CONNECT_TIMEOUT_S:g} s") from error
    except OSError as error:
        sock.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise SetupError(f"no station answers at {where}: {reason}") from error
    _, connection = await loop.create_connection(lambda: Connection(machine, trace, security=security), sock=sock)
    return connection
