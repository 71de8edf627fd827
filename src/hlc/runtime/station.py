"""A station on an interface: it announces itself by SDP and serves vehicles over TCP.

Each connection has a machine of its own; whatever happens on one connection, the server goes on. A connection is
nobody's until a vehicle's first message has come on it, so that neither silence nor noise keeps a vehicle out. Then:

- There is an outlet free: it is served. Where the session before has not left it safe yet, the message waits.
- The same vehicle (its link-local address) has a session: it has lost the old connection, which is dropped; unless it
  goes on talking there, which it has a moment for.
- Another has a session, nothing is live there, and nothing is said any more: it makes way. The message waits for a
  moment whether that happens.
- Otherwise it is refused, with a note in the trace.

Where SLAC runs, nobody is served who is not matched: `linked` tells whether somebody is.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
from collections import deque
from collections.abc import Callable
from typing import Final

from hlc import sdp
from hlc.flow import Machine
from hlc.runtime.connection import LINGER_S, Connection, peer_address
from hlc.runtime.discovery import DiscoveryServer
from hlc.runtime.errors import SetupError
from hlc.runtime.interfaces import Interface, watch
from hlc.sdp import TCP_PORTS
from hlc.security.layer import PLAIN, Security
from hlc.trace.events import Event, Note, Side, Trace

ATTEMPTS: Final = 20
"""Random ports tried before giving up."""
BACKLOG: Final = 512
"""Connections that the kernel keeps for us: one more would be heard a second later."""
AT_ONCE: Final = 16
"""So many are taken from it at once: sessions that go on must not wait for a crowd."""
IDLE: Final = 256
"""So many connections may be open that have no session yet, or none any more."""
OPENING: Final = 1
"""With so many messages a session has not begun yet, and its vehicle has no reason to be silent."""
DOUBT_S: Final = 0.6
"""So long a vehicle may take to show that it has not lost its session: a charging loop turns faster."""
PATIENCE_S: Final = 1.2
"""So long a vehicle waits whether another makes way: its answer is due 1.5 s after its message."""
LOOK_S: Final = 0.05
"""It is looked so often whether one does."""
TOLD_PER_S: Final = 20
"""Events of connections that have no session: the trace gets so many of them in a second at most."""


class StationServer:
    """The servers of one outlet, or of as many as `outlets` says, where each machine has one of its own. `make_machine`
    gives a fresh machine for each connection. A vehicle whose TLS fails may come again, with TLS or without: that was
    no session.

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
        outlets: int = 1,
    ) -> None:
        self.interface = interface
        self.ended: asyncio.Queue[Machine] = asyncio.Queue()
        """Machines of sessions whose connections have closed."""
        self._security = security
        self._make_machine = make_machine
        self._trace = trace
        self._aside = Sparing(trace)
        self._linked = linked
        self._outlets = outlets
        self._open: dict[Connection, None] = {}
        """Every connection, the oldest first."""
        self._unheard: deque[asyncio.Transport] = deque()
        """Those that are not listened to yet."""
        self._last_first = True
        """Who of them is next."""
        self._sessions: dict[Connection, asyncio.Task[None]] = {}
        """Those that came to a session, or wait for their outlet, until they have closed."""
        self._holding: dict[Connection, None] = {}
        """Of these those whose outlets are not free yet."""
        self._asking: dict[Connection, float] = {}
        """Those with a vehicle's first message for whom no outlet is free, and until when they wait."""
        self._looking: asyncio.TimerHandle | None = None
        self._silenced: deque[str] = deque(maxlen=IDLE)
        """Addresses of those who fell silent and had to make way, the last ones."""
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
        """Serve until cancelled; sessions go on then. Raises `SetupError` when the interface is gone."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Arrival(self), sock=self._socket, backlog=AT_ONCE)
        self._socket.listen(BACKLOG)  # asyncio has set it to AT_ONCE, which has both meanings there
        tasks = [loop.create_task(each) for each in (self._discovery.run(), watch(self.interface))]
        try:
            for task in (await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED))[0]:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            server.close()
            for connection in self._open.keys() - self._sessions.keys():
                connection.drop("the station ends")

    @property
    def sessions(self) -> list[Connection]:
        """The connections of the sessions that go on, or whose outlets are made safe still."""
        return list(self._sessions)

    def arrive(self, transport: asyncio.Transport) -> None:
        """A new connection: listen to it, unless it would be refused anyway."""
        peer = peer_address(transport)
        refusal = "no vehicle is matched" if not self._linked() else self._taken(peer)
        if refusal:
            self._note(f"refused a connection from {peer}: {refusal}")
            transport.close()
            return
        self._make_room()
        connection = self._connection(self._make_machine())
        self._open[connection] = None
        connection.closed.add_done_callback(lambda _: self._open.pop(connection, None))
        transport.set_protocol(connection)
        connection.connection_made(transport)
        transport.pause_reading()
        if not self._unheard:
            asyncio.get_running_loop().call_soon(self._listen)
        self._unheard.append(transport)

    def _listen(self) -> None:
        """To one of those who have come, in turns the last and the first: TLS takes milliseconds for each, and a crowd
        that comes and comes must delay neither a session that goes on, nor who has just come, nor who has waited."""
        transport = self._unheard.pop() if self._last_first else self._unheard.popleft()
        self._last_first = not self._last_first
        if self._unheard:
            asyncio.get_running_loop().call_soon(self._listen)
        transport.resume_reading()

    def _connection(self, machine: Machine) -> Connection:
        def trace(event: Event) -> None:
            if connection.started:
                machine.trace(event)
            else:
                self._aside(event)

        connection = Connection(machine, trace, security=self._security, linger_s=LINGER_S, ask=self._asked)
        return connection

    def _make_room(self) -> None:
        """Who says nothing, or has ended and does not close, makes way when there are too many of them."""
        if len(self._open) - len(self._holding) >= IDLE:
            oldest = next(connection for connection in self._open if connection not in self._holding)
            self._note(f"dropped the connection of {oldest.peer}: no session, and {IDLE} more of that kind")
            del self._open[oldest]
            oldest.drop("others came")

    def _taken(self, peer: str) -> str:
        """Why a vehicle cannot be served; empty: it can."""
        if len(self._holding) < self._outlets:
            return ""
        live = self._live()
        if len(live) < self._outlets or self._before(peer) is not None or self._silent(live) is not None:
            return ""
        return self._full(live)

    def _full(self, live: list[Connection]) -> str:
        return f"the outlet serves {live[0].peer}" if self._outlets == 1 else f"all {self._outlets} outlets are taken"

    def _before(self, peer: str) -> Connection | None:
        """The session of the same vehicle. On loopback everybody has the same address: it does not tell who comes."""
        if self.interface.loopback:
            return None
        return next(
            (connection for connection in self._holding if not connection.over and connection.peer == peer), None
        )

    def _asked(self, connection: Connection) -> None:
        """A vehicle's first message has come on a connection."""
        loop = asyncio.get_running_loop()
        before = self._before(connection.peer)
        if before is None:
            self._asking[connection] = loop.time() + PATIENCE_S
            self._look()
            return
        since = before.heard_at if before.heard <= OPENING else loop.time()
        loop.call_at(since + DOUBT_S, self._doubted, before, before.heard, connection)

    def _doubted(self, before: Connection, heard: int, connection: Connection) -> None:
        """A vehicle that has a session has come anew, and had time to show whether it is still there."""
        if connection.over:
            return
        if before.over:
            self._asked(connection)
        elif before.heard > heard:
            self._refuse(connection, "the vehicle goes on with its session on another connection")
        else:
            why = "the vehicle opened a new connection"
            self._note(f"dropped the connection of {before.peer}: {why}")
            before.drop(why)
            self._asked(connection)

    def _live(self) -> list[Connection]:
        """Those who hold outlets, and have not ended."""
        return [connection for connection in self._holding if not connection.over]

    def _silent(self, live: list[Connection]) -> tuple[float, Connection] | None:
        """The first of them that would make way, and when."""
        found = [(at, each) for each in live if (at := each.machine.yields_at()) is not None]
        return min(found, key=lambda entry: entry[0], default=None)

    def _look(self) -> None:
        """Who has asked is let in, waits on or is refused. Who came last is first, for nobody is to wait for a crowd;
        who had an outlet before and fell silent is last."""
        loop = asyncio.get_running_loop()
        if self._looking is not None:
            self._looking.cancel()
        self._asking = {each: until for each, until in self._asking.items() if not each.over}
        asking = [each for each in reversed(self._open) if each in self._asking]
        for connection in sorted(asking, key=lambda each: each.peer in self._silenced):
            live = self._live()
            silent = self._silent(live) if len(live) >= self._outlets else None
            if silent is not None and loop.time() < silent[0] <= self._asking[connection]:
                continue
            del self._asking[connection]
            if silent is not None and silent[0] <= loop.time():
                self._silenced.append(silent[1].peer)
                silent[1].make_way()
                live = self._live()
            if len(live) < self._outlets:
                self._admit(connection)
            else:
                self._refuse(connection, self._full(live))
        self._looking = loop.call_later(LOOK_S, self._look) if self._asking else None

    def _refuse(self, connection: Connection, why: str) -> None:
        self._note(f"refused a connection from {connection.peer}: {why}")
        connection.drop(why)

    def _admit(self, connection: Connection) -> None:
        """An outlet is free, or will soon be."""
        busy = [session for session in self._holding if not session.finished.done()]
        if len(busy) >= self._outlets:
            for session in busy:
                if session.over:
                    session.make_way()
            busy = [session for session in busy if not session.finished.done()]
        self._holding[connection] = None
        connection.finished.add_done_callback(lambda _: self._holding.pop(connection))
        if len(busy) < self._outlets:
            connection.let_in()
        self._sessions[connection] = asyncio.get_running_loop().create_task(self._attend(connection, busy))

    async def _attend(self, connection: Connection, busy: list[Connection]) -> None:
        """See a session through, from when its outlet is safe."""
        if not connection.started:
            ends = [session.finished for session in (*busy, connection)]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not connection.finished.done():
                connection.let_in()
        await connection.closed
        del self._sessions[connection]
        if connection.started:
            self.ended.put_nowait(connection.machine)

    def _note(self, text: str) -> None:
        self._aside(Note(at=asyncio.get_running_loop().time(), side=Side.SECC, text=text))


class Sparing:
    """A trace that leaves events out when too many come: those of people who are no vehicle must not fill a log."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._second = 0
        self._told = 0

    def __call__(self, event: Event) -> None:
        if int(event.at) != self._second:
            self._second, self._told = int(event.at), 0
        self._told += 1
        if self._told <= TOLD_PER_S:
            self._trace(event)


class _Arrival(asyncio.Protocol):
    """A connection of which it is not decided yet whether it is served."""

    def __init__(self, station: StationServer) -> None:
        self._station = station

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._station.arrive(transport)


def listening_socket(interface: Interface, port: int | None) -> socket.socket:
    """A TCP socket on the interface's own address; without `port` on a free one of those a station may announce."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    candidates = [port] if port else [secrets.choice(TCP_PORTS) for _ in range(ATTEMPTS)]
    for candidate in candidates:
        try:
            sock.bind((str(interface.address), candidate, 0, interface.scope))
            sock.listen(BACKLOG)
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
