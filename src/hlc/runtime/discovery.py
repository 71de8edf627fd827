"""SDP on the wire: the station's server and the vehicle's client, each on one named interface.

Requests go to ff02::1. A loopback interface has no multicast (the kernel answers "network is unreachable"), so there
the vehicle asks ::1, and the server, which listens on every address of its interface, hears it just the same.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import IPv6Address
from typing import Any, Final, NamedTuple

import asyncio_dgram
import msgspec

from hlc import ids, sdp
from hlc.runtime.errors import SetupError
from hlc.runtime.interfaces import Interface
from hlc.runtime.policy import Policy
from hlc.sdp import (
    SdpError,
    SdpMessage,
    SdpRequest,
    SdpResponse,
    SdpWirelessRequest,
    SdpWirelessResponse,
    Security,
)
from hlc.trace.events import Frame, Message, Note, Side, Trace
from hlc.v2gtp import V2gtpError, unframe

NOTES_PER_S: Final = 1.0
"""Garbage is noted at most this often: it must not fill a log."""
TOLD_PER_S: Final = 50
"""So many requests with their answers are traced in a second. A vehicle asks four times."""
NEWCOMERS: Final = 16
"""Senders that have not been answered before, in each quarter of a second: the kernel looks for each of them for three
seconds if he does not exist, and for a thousand at once."""
KNOWN: Final = 256
"""So many senders are remembered."""
BUFFER: Final = 4 << 20
"""Octets that the kernel keeps for the server: thousands of requests at once, and the good one behind them."""
SO_RCVBUFFORCE: Final = 33  # socket(7); Python's socket module does not name it

PAIRED: Final = (sdp.DiagStatus.FINISHED_WITH_EVSEID, sdp.DiagStatus.FINISHED_WITHOUT_EVSEID)
PLAIN_EVERY: Final = 5
"""A vehicle that can do without TLS asks so every fifth time, that is once in 1.25 s: a station may answer only to
that."""


class Found(NamedTuple):
    """Where a station listens; `scope` is that of the interface by which it was found."""

    address: str
    port: int
    scope: int
    tls: bool = False
    """Whether it is to be spoken to by TLS."""


class DiscoveryServer:
    """Answers every valid request, repeated ones too, until cancelled. Nothing that arrives ends it.

    `offers` is the transport security that the station has, the one that it likes best first; with `wireless` it
    answers requests of that variant too. `linked` tells whether there is a powerline link by which a vehicle can come;
    until then nobody is answered. Raises `SetupError` if port 15118 cannot be had.
    """

    def __init__(
        self,
        interface: Interface,
        port: int,
        trace: Trace,
        *,
        offers: Sequence[Security] = (Security.NONE,),
        wireless: bool = False,
        linked: Callable[[], bool] = lambda: True,
    ) -> None:
        self._interface = interface
        self._port = port
        self._offers = offers
        self._wireless = wireless
        self._linked = linked
        self._trace = trace
        self._socket = server_socket(interface)
        self._stream: Any = None
        self._noted = -1.0
        self._known: dict[str, None] = {}
        """Senders who have been answered."""
        self._window = 0
        self._newcomers = 0
        """In this window of time."""
        self._second = 0
        self._told = 0
        """Requests in this second."""

    async def run(self) -> None:
        """Serve until cancelled."""
        self._stream = await asyncio_dgram.from_socket(self._socket)
        try:
            while True:
                try:
                    datagram, peer = await self._stream.recv()
                    await self._serve(datagram, peer)
                except OSError as error:
                    # An answer that could not be delivered, an interface that went down for a while.
                    self._note(f"SDP: {error.strerror or error}")
        finally:
            self._stream.close()

    async def _serve(self, datagram: bytes, peer: tuple[Any, ...]) -> None:
        if peer[3] not in (0, self._interface.index):
            return  # it came by another interface, where we have no outlet, or another server
        try:
            payload_type, payload = unframe(datagram)
            request = sdp.parse(payload_type, payload)
        except (V2gtpError, SdpError) as error:
            self._note(f"SDP: ignored a datagram from {peer[0]}: {error}")
            return
        if not isinstance(request, SdpRequest | SdpWirelessRequest):
            return  # our own answer, or another station's
        if not self._linked():
            self._note(f"SDP: ignored a request from {peer[0]}: no vehicle is matched")
            return
        if not self._welcome(peer[0]):
            self._note(f"SDP: ignored a request from {peer[0]}: too many others ask for the first time")
            return
        response = sdp.answer(
            request, address=self._interface.address, port=self._port, offers=self._offers, wireless=self._wireless
        )
        if response is not None:
            await self._send(response.frame(), peer)
        self._tell(request, response)

    def _welcome(self, sender: str) -> bool:
        """Whether a sender is answered. Those who do not exist must not keep the kernel from reaching who does."""
        if sender not in self._known:
            window = int(_now() / sdp.REQUEST_INTERVAL_S)
            if window != self._window:
                self._window, self._newcomers = window, 0
            self._newcomers += 1
            if self._newcomers > NEWCOMERS:
                return False
            self._known[sender] = None
            if len(self._known) > KNOWN:
                del self._known[next(iter(self._known))]
        return True

    async def _send(self, datagram: bytes, peer: tuple[Any, ...]) -> None:
        """From a socket of its own: an answer to who does not exist stays in it until the kernel has given up looking
        for him, which takes seconds, and one socket has room for a few hundred. Loopback has no such trouble."""
        if self._interface.loopback:
            await self._stream.send(datagram, peer)
            return
        with _socket(self._interface) as sock:
            sock.bind((str(self._interface.address), sdp.PORT, 0, self._interface.index))
            sock.sendto(datagram, peer)

    def _tell(self, request: SdpMessage, response: SdpMessage | None) -> None:
        if int(_now()) != self._second:
            self._second, self._told = int(_now()), 0
        self._told += 1
        if self._told <= TOLD_PER_S:
            report(self._trace, Side.EVCC, request)
            if response is not None:
                report(self._trace, Side.SECC, response)
        elif self._told == TOLD_PER_S + 1:
            text = f"SDP: more than {TOLD_PER_S} requests in a second; the rest is not told"
            self._trace(Note(at=_now(), side=Side.SECC, text=text))

    def _note(self, text: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._noted >= NOTES_PER_S:
            self._noted = now
            self._trace(Note(at=now, side=Side.SECC, text=text))


async def discover(
    interface: Interface, trace: Trace, policy: Policy = Policy.NEVER, *, wireless: SdpWirelessRequest | None = None
) -> Found | None:
    """Ask for a station until one answers; None after 50 requests without an answer.

    Asked for is TLS unless the policy is never; with `wireless`, which says what the vehicle is, in that variant.
    Raises `SetupError` where one answers that does not speak with the security that the policy wants.
    """
    destination = (str(sdp.ALL_NODES), sdp.PORT, 0, interface.index)
    if interface.loopback:
        destination = (str(interface.address), sdp.PORT, 0, 0)
    stream: Any = await asyncio_dgram.from_socket(client_socket(interface))
    trouble = ""
    try:
        for attempt in range(1, sdp.MAX_REQUESTS + 1):
            plainly = policy is Policy.NEVER or (policy is Policy.ALLOW and attempt % PLAIN_EVERY == 0)
            security = Security.NONE if plainly else Security.TLS
            request = (
                SdpRequest(security=security)
                if wireless is None
                else msgspec.structs.replace(wireless, security=security)
            )
            report(trace, Side.EVCC, request)
            with suppress(TimeoutError):
                async with asyncio.timeout(sdp.REQUEST_INTERVAL_S):
                    try:
                        await stream.send(request.frame(), destination)
                        return await _answer(stream, interface, trace, policy)
                    except OSError as error:
                        if str(error) != trouble:
                            trouble = str(error)
                            trace(Note(at=_now(), side=Side.EVCC, text=f"SDP: {error.strerror or error}"))
                        await asyncio.sleep(sdp.REQUEST_INTERVAL_S)
    finally:
        stream.close()
    return None


async def _answer(stream: Any, interface: Interface, trace: Trace, policy: Policy) -> Found:
    """The first valid answer that arrives; whatever else arrives is ignored. Raises `SetupError`."""
    while True:
        datagram, _ = await stream.recv()
        with suppress(V2gtpError, SdpError):
            response = sdp.parse(*unframe(datagram))
            if isinstance(response, SdpResponse | SdpWirelessResponse) and response.transport is sdp.Transport.TCP:
                report(trace, Side.SECC, response)
                if isinstance(response, SdpWirelessResponse) and response.diag_status not in PAIRED:
                    continue  # it is still pairing, or has no station for this vehicle: asked again
                tls = response.security is Security.TLS
                if policy is (Policy.NEVER if tls else Policy.REQUIRE):
                    raise SetupError(
                        f"the station at {response.address} speaks {'only with' if tls else 'without'} TLS, and "
                        f"--tls {policy} is for the opposite: it does not serve this vehicle"
                    )
                # The answer carries no scope: the interface's own is the one by which the station is reached.
                scope = interface.scope if response.address.is_link_local else 0
                return Found(str(response.address), response.port, scope, tls)


def server_socket(interface: Interface) -> socket.socket:
    """A socket on port 15118 that hears what is sent to ff02::1 and to the addresses of this interface."""
    sock = _socket(interface)
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    except PermissionError:  # needs CAP_NET_ADMIN: without it as much as net.core.rmem_max allows
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    try:
        sock.bind(("::", sdp.PORT))
        if not interface.loopback:
            group = IPv6Address(sdp.ALL_NODES).packed + struct.pack("@I", interface.index)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise SetupError(
                f"UDP port {sdp.PORT} is in use by a program that does not share it: another station runs here; "
                f"stop it (ss -ulpn sport = :{sdp.PORT} shows it)"
            ) from error
        raise SetupError(f"cannot listen for SDP on {interface.name}: {error.strerror or error}") from error
    return sock


def client_socket(interface: Interface) -> socket.socket:
    """A socket on a free port that sends by this interface."""
    sock = _socket(interface)
    sock.bind(("::", 0))
    return sock


def _socket(interface: Interface) -> socket.socket:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    # Stations on other interfaces of this machine use the same port. Each is bound to its own interface, where the
    # kernel lets us (old ones want a privilege for that; then all of them hear everything that is sent to ff02::1).
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with suppress(PermissionError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.name.encode())
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, interface.index)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
    return sock


def report(trace: Trace, side: Side, message: SdpMessage) -> None:
    """Trace an SDP message as frame and as message."""
    now = _now()
    trace(Frame(at=now, side=side, payload_type=message.payload_type, payload=message.build()))
    trace(
        Message(
            at=now,
            side=side,
            schema="sdp",
            name=message.name,
            id=ids.message_id("sdp", message.name),
            message=message,
        )
    )


def _now() -> float:
    return asyncio.get_running_loop().time()
