"""One machine on one TCP connection, with TLS or without: bytes in, effects out, the deadline armed.

The machine starts when the connection is ready for messages: at once, or after the handshake of TLS. A station that
serves both tells by the first octet. A handshake that fails or takes too long ends the connection before it has begun.
Where the connection has to ask first (`ask`), the machine starts when a vehicle's first message has come and it is let
in; until then the machine is left alone, for its outlet may be another's.

Whatever the peer or the network does ends here in a call to the machine: bytes, the end of the stream, a broken
connection, a peer that does not read. An exception in our own code is reported, the machine made safe, and the
connection closed; no other connection notices.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import exi
from exi.messages.sap import supportedAppProtocolReq
from hlc.flow import Close, Effect, Machine, Transport
from hlc.security.handshake import HANDSHAKE, Version
from hlc.security.layer import PLAIN, Layer, Security, TlsError
from hlc.trace.events import Blame, Fault, Note, Trace
from hlc.v2gtp import Frame, PayloadType, Splitter, V2gtpError, frame

log = logging.getLogger(__name__)

LINGER_S: Final = 2.0
"""How long a station waits for the vehicle to close first, so that the last answer is not lost to a reset."""
HANDSHAKE_S: Final = 10.0
"""So long a connection may take until it is ready for messages. Vehicles allow 20 s for the set-up as a whole."""
SILENCE_S: Final = 18.0
"""So long it may be silent then, where it has to ask: what a station has for the set-up of a session."""
VERSIONS: Final = {Version.TLS12: "1.2", Version.TLS13: "1.3"}
MAX_UNSENT: Final = 256 * 1024
"""Octets that a peer may leave unread before it counts as lost."""


class Connection(asyncio.Protocol):
    """Runs `machine` on a connection, and after the connection has closed until the hardware is safe.

    `finished` is done when the machine has finished, `closed` when the connection has closed besides. `linger_s` is how
    long the peer may take to close after we have ended the session; 0 closes at once. `ask` is called when the peer has
    sent a supportedAppProtocolReq, with which every session begins; whoever is asked calls `let_in` or `drop`, now or
    later.
    """

    def __init__(
        self,
        machine: Machine,
        trace: Trace,
        *,
        security: Security = PLAIN,
        linger_s: float = 0.0,
        ask: Callable[[Connection], None] | None = None,
    ) -> None:
        self.machine = machine
        self.peer = ""
        """The peer's address, without scope."""
        self.spoke = False
        """Whether the peer has sent anything."""
        self.heard = 0
        """So many messages came to the machine."""
        self.heard_at = 0.0
        """The last of them, on the loop's clock."""
        self.started = False
        """Whether it came to a session: TLS stands, or was done without; and it was let in, where it had to ask."""
        self.tls: Layer | None = None
        self._loop = asyncio.get_running_loop()
        self.finished: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._trace = trace
        self._security = security
        self._linger_s = linger_s
        self._ask = ask
        self._carrier: Transport | None = None
        """What carries the messages, as soon as they may flow."""
        self._early: list[Frame] = []
        """What the peer said before it was let in."""
        self._splitter = Splitter()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self._waiting: asyncio.TimerHandle | None = None

    # what asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport  # asyncio has set TCP_NODELAY
        self.peer = peer_address(transport)
        if self._security.tls is None:
            self._ready(Transport())
            return
        self._expect(HANDSHAKE_S, f"the handshake of TLS was not over after {HANDSHAKE_S:g} s")
        if not self._security.plain:
            self.tls = self._security.tls()
            transport.write(self.tls.start())

    def data_received(self, data: bytes) -> None:
        first, self.spoke = not self.spoke, True
        if self.tls is None and self._carrier is None and self._security.tls is not None:
            if data[0] == HANDSHAKE:
                self.tls = self._security.tls()
            else:
                self._ready(Transport())
        if self.tls is not None:
            data = self._decrypted(self.tls, data)
        try:
            frames, fault = self._splitter.feed(data), None
        except V2gtpError as error:
            frames, fault = error.frames, str(error)
            if first and self.tls is None and data[0] == HANDSHAKE:
                fault = "it begins with TLS, which is not offered here: see --tls and --pki"
        if self._ask is not None and not self.started:
            frames, fault = self._from_sap_on(frames, fault)
        if frames and self._ask is not None and not self.started:
            self._early = frames
            if self._waiting is not None:
                self._waiting.cancel()
            if self._transport is not None:
                self._transport.pause_reading()
            self._ask(self)
        else:
            self._serve(frames)
        if fault is not None and not self.over:
            self._fault(Blame.REMOTE, fault)
            self._lose(fault)
        if self.tls is not None and self.tls.ended:
            self._lose("the peer closed it")

    def eof_received(self) -> bool:
        """The peer closed. What it sent before has been served; nothing more will come."""
        self._lose("the peer closed it")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        for timer in (self._lingering, self._waiting):
            if timer is not None:
                timer.cancel()
        self._lose(str(exc) if exc else "it was closed")
        if self.tls is not None:
            self.tls.release()
            self.tls = None

    # what the station says

    @property
    def over(self) -> bool:
        """Whether nothing more will be said."""
        return self.machine.closed or self.finished.done()

    def let_in(self) -> None:
        """Start the machine, and serve what the peer has said meanwhile."""
        self._start()
        early, self._early = self._early, []
        self._serve(early)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def make_way(self) -> None:
        """Another session waits for the outlet."""
        self._run(self.machine.make_way)

    # what the operator asks

    def stop(self, reason: str) -> None:
        """End the session in the orderly way; `closed` is done when that has happened."""
        if self.started:
            self._run(lambda now: self.machine.stop(now, reason))
        else:
            self.drop(reason)

    def drop(self, reason: str) -> None:
        """End the session at once: everything made safe, nothing said to the peer."""
        self._lose(reason)
        if self._transport is not None:
            self._transport.abort()

    # TLS

    def _ready(self, transport: Transport) -> None:
        """Messages may flow."""
        self._carrier = transport
        if self._waiting is not None:
            self._waiting.cancel()
        if self._ask is None:
            self._start()
        else:
            self._expect(SILENCE_S, f"nothing whole was said for {SILENCE_S:g} s")

    def _decrypted(self, tls: Layer, data: bytes) -> bytes:
        """The plain text in what was received; the machine is started when the handshake is over."""
        try:
            received = tls.receive(data)
        except TlsError as error:
            self._insecure(error)
            return b""
        self._write(received.to_send)
        self._tell_notes()
        if tls.established and self._carrier is None and tls.version is not None and not self.over:
            self._note(f"{tls.version} with {tls.cipher}, {tls.group}")
            self._ready(Transport(VERSIONS[tls.version], tls.peer_certificate, tls.name))
        return received.plaintext

    def _insecure(self, error: TlsError) -> None:
        """TLS failed: the connection is over."""
        if self._transport is not None and not self._transport.is_closing():
            self._write(error.to_send)
            self._transport.close()
        self._tell_notes()
        if not self.over:
            self._fault(Blame.REMOTE, str(error))
            self._lose("TLS failed")

    def _tell_notes(self) -> None:
        while self.tls is not None and self.tls.notes:
            self._note(self.tls.notes.pop(0))

    # before the machine is started

    def _from_sap_on(self, frames: list[Frame], fault: str | None) -> tuple[list[Frame], str | None]:
        """The frames that begin a session, and a fault if there is one before or behind them. What means nothing before
        a session is passed over."""
        for number, (payload_type, payload) in enumerate(frames):
            if payload_type != PayloadType.EXI:
                self._note(f"discarded a frame of payload type 0x{payload_type:04X}, which means nothing here")
                continue
            try:
                message = exi.schema("sap").examine(payload).message
            except exi.DecodeError as error:
                return [], f"not a sap message: {error}"
            if isinstance(message, supportedAppProtocolReq):
                return frames[number:], fault
            return [], f"{type(message).__name__} where a session begins with supportedAppProtocolReq"
        return [], fault

    def _expect(self, seconds: float, otherwise: str) -> None:
        self._waiting = self._loop.call_later(seconds, self._too_late, otherwise)

    def _too_late(self, text: str) -> None:
        self._fault(Blame.REMOTE, text)
        self.drop(text)

    # how the machine is run

    def _start(self) -> None:
        carrier = self._carrier or Transport()
        self.started = True
        self._run(lambda now: self.machine.start(now, carrier))

    def _serve(self, frames: list[Frame]) -> None:
        for payload_type, payload in frames:  # a machine that has closed ignores the rest
            self.heard, self.heard_at = self.heard + 1, self._loop.time()
            self._run(partial(self.machine.receive, payload_type, payload))

    def _run(self, step: Callable[[float], Sequence[Effect]]) -> None:
        """One step of the machine at the present time, its effects, and its next deadline."""
        try:
            for effect in step(self._loop.time()):
                self._carry_out(effect)
        except Exception as error:
            self._broken(error)
        self._arm()

    def _carry_out(self, effect: Effect) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if isinstance(effect, Close):
            self._close(self._transport)
            return
        data = frame(effect.payload_type, effect.payload)
        try:
            self._write(data if self.tls is None else self.tls.send(data))
        except TlsError as error:
            self._insecure(error)

    def _write(self, data: bytes) -> None:
        if not data or self._transport is None:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            # Its requests must not pile up answers here. The machine hears of it when the transport has gone.
            self._fault(Blame.REMOTE, "the peer does not read what it is sent")
            self._transport.abort()

    def _close(self, transport: asyncio.Transport) -> None:
        if self.tls is not None and self._lingering is None:
            self._write(self.tls.close())
        if self._linger_s and self._lingering is None and transport.can_write_eof():
            with suppress(OSError):  # the peer was quicker, and the kernel knows it before asyncio does
                transport.write_eof()
            self._lingering = self._loop.call_later(self._linger_s, transport.abort)
        elif not self._linger_s:
            transport.close()

    def _lose(self, reason: str) -> None:
        if self._ask is not None and not self.started:
            if self._transport is not None:
                self._transport.close()
            self._settle()
        elif not self.machine.finished:
            self._run(lambda now: self.machine.lost(now, reason))
        else:
            self._settle()

    def _arm(self) -> None:
        """See to it that the machine is called at its next deadline.

        A deadline moves with every message, nearly always to a later time: the timer is left as it is then, and set
        anew when it fires.
        """
        deadline = self.machine.next_deadline()
        if self._timer is not None and (deadline is None or deadline < self._timer.when()):
            self._timer.cancel()
            self._timer = None
        if deadline is not None and self._timer is None:
            self._timer = self._loop.call_at(deadline, self._fire)
        if self.machine.finished:
            self._settle()

    def _fire(self) -> None:
        self._timer = None
        deadline = self.machine.next_deadline()
        # The loop may be early by its clock's resolution, so the machine is told the time that it waited for.
        if deadline is not None and deadline <= self._loop.time() + 0.001:
            self._run(lambda now: self.machine.expire(max(now, deadline)))
        else:
            self._arm()

    def _settle(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)
        if self._transport is None and not self.closed.done():
            self.closed.set_result(None)

    def _broken(self, error: Exception) -> None:
        """Our own code failed where even the machine did not expect it: say so, make it safe, close the connection."""
        log.debug("exception in a session", exc_info=error)
        reason = f"internal error: {type(error).__name__}: {error}"
        self._fault(Blame.LOCAL, reason)
        try:
            self.machine.lost(self._loop.time(), reason)
        except Exception as second:
            log.debug("exception in making safe", exc_info=second)
            self._fault(Blame.LOCAL, f"making safe failed too: {type(second).__name__}: {second}")
            self.machine.finished = True
        if self._transport is not None:
            self._transport.abort()

    def _note(self, text: str) -> None:
        self._trace(Note(at=self._loop.time(), side=self.machine.side, text=text))

    def _fault(self, blame: Blame, text: str) -> None:
        self._trace(Fault(at=self._loop.time(), side=self.machine.side, blame=blame, text=text))


def peer_address(transport: asyncio.BaseTransport) -> str:
    """The address at the other end, without scope; empty if it has gone already."""
    name = transport.get_extra_info("peername")
    return str(name[0]).partition("%")[0] if name else ""
