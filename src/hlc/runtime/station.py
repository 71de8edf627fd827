"""A station on an interface: it announces itself by SDP and serves one vehicle at a time over TCP.

Each connection has a machine of its own; whatever happens on one connection, the server goes on. Which connection is
the vehicle's when there are two:

- The session before has ended and only waits for the vehicle to close: the new one is served.
- The same vehicle (its link-local address) comes again: it has lost the old connection, which is dropped.
- Nothing has been said on the old one yet: it makes way, so that nobody holds the outlet by silence.
- Another vehicle: it is refused, with a note in the trace. One outlet serves one vehicle.

Where SLAC runs, nobody is served who is not matched: `linked` tells whether somebody is.

A new session begins when the old one has left the outlet safe; until then the vehicle's first message waits.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
from collections.abc import Callable
from typing import Final

from hlc import sdp
from hlc.flow import Machine
from hlc.runtime.connection import LINGER_S, Connection, peer_address
from hlc.runtime.discovery import DiscoveryServer
from hlc.runtime.errors import SetupError
from hlc.runtime.interfaces import Interface
from hlc.sdp import TCP_PORTS
from hlc.security.layer import PLAIN, Security
from hlc.trace.events import Note, Side, Trace

ATTEMPTS: Final = 20
"""Random ports tried before giving up."""


class StationServer:
    """The servers of one outlet. `make_machine` gives a fresh machine for each connection. A vehicle whose TLS fails
    may come again, with TLS or without: that was no session.

    Raises `SetupError` where the ports cannot be had.
    """

    def __init__(
        self,
        interface: Interface,
        make_machine: Callable[[], Machine],
        trace: Trace,
        *,
        port: int | None = None,
        security: Security = PLAIN,
        wireless: bool = False,
        linked: Callable[[], bool] = lambda: True,
    ) -> None:
        self.interface = interface
        self.ended: asyncio.Queue[Machine] = asyncio.Queue()
        """Machines of connections on which a vehicle has spoken, and TLS stood where it was wanted, when they have
        closed."""
        self._security = security
        self._make_machine = make_machine
        self._trace = trace
        self._linked = linked
        self._current: Connection | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket = listening_socket(interface, port)
        self.port = int(self._socket.getsockname()[1])
        try:
            offers = [sdp.Security.TLS] * (security.tls is not None) + [sdp.Security.NONE] * security.plain
            self._discovery = DiscoveryServer(
                interface, self.port, trace, offers=offers, wireless=wireless, linked=linked
            )
        except SetupError:
            self._socket.close()
            raise

    async def run(self) -> None:
        """Serve until cancelled."""
        server = await asyncio.get_running_loop().create_server(lambda: _Arrival(self), sock=self._socket, backlog=8)
        try:
            await self._discovery.run()
        finally:
            server.close()

    @property
    def current(self) -> Connection | None:
        """The connection of the session that goes on, or still makes its outlet safe."""
        return self._current

    def admit(self, transport: asyncio.Transport) -> None:
        """Serve a new connection, or refuse it."""
        old, peer = self._current, peer_address(transport)
        if not self._linked():
            self._note(f"refused a connection from {peer}: no vehicle is matched")
            transport.close()
            return
        if old is not None and not old.machine.closed:
            # On loopback everybody has the same address: it does not tell who comes.
            same = old.peer == peer and not self.interface.loopback
            if old.spoke and not same:
                self._note(f"refused a connection from {peer}: the outlet serves {old.peer}")
                transport.close()
                return
            why = "the vehicle opened a new connection" if same else "it was silent, and another vehicle came"
            self._note(f"dropped the connection of {old.peer}: {why}")
            old.drop(why)
        connection = Connection(self._make_machine(), self._trace, security=self._security, linger_s=LINGER_S)
        connection.peer = peer
        self._current = connection
        transport.pause_reading()
        task = asyncio.get_running_loop().create_task(self._serve(connection, transport, old))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: Connection, transport: asyncio.Transport, before: Connection | None) -> None:
        if before is not None:
            await before.finished
        if connection.machine.closed:  # dropped in favour of a later one while it waited
            transport.abort()
            return
        transport.set_protocol(connection)
        connection.connection_made(transport)
        if transport.is_closing():
            connection.connection_lost(None)
        else:
            transport.resume_reading()
        await connection.closed
        if self._current is connection:
            self._current = None
        if connection.spoke and connection.started:
            self.ended.put_nowait(connection.machine)

    def _note(self, text: str) -> None:
        self._trace(Note(at=asyncio.get_running_loop().time(), side=Side.SECC, text=text))


class _Arrival(asyncio.Protocol):
    """A connection of which it is not decided yet whether it is served."""

    def __init__(self, station: StationServer) -> None:
        self._station = station

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._station.admit(transport)


def listening_socket(interface: Interface, port: int | None) -> socket.socket:
    """A TCP socket on the interface's own address; without `port` on a free one of those a station may announce."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    candidates = [port] if port else [secrets.choice(TCP_PORTS) for _ in range(ATTEMPTS)]
    for candidate in candidates:
        try:
            sock.bind((str(interface.address), candidate, 0, interface.scope))
            sock.listen(8)
            return sock
        except OSError as error:
            failure = error
            if error.errno != errno.EADDRINUSE:
                break
    sock.close()
    where = f"TCP port {candidate} of {interface.address} on {interface.name}"
    match failure.errno:
        case errno.EADDRINUSE:
            advice = "is in use by another program: choose another with --port, or leave --port out"
        case errno.EACCES:
            advice = f"needs privileges: choose one from {TCP_PORTS[0]} to {TCP_PORTS[-1]}"
        case _:
            advice = f"cannot be listened on: {failure.strerror or failure}"
    raise SetupError(f"{where} {advice}") from failure
