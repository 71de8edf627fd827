"""The session engine: what every state of every protocol repeats. The only machinery; the protocols are data
(`rules`) and handlers (`secc`, `evcc`).

A `Machine` is one end of one connection, without I/O: messages and the time go in, effects come out.

    effects = machine.start(now, transport)                 the connection stands
    effects = machine.receive(payload_type, payload, now)
    effects = machine.expire(now)                           when now >= machine.next_deadline()
    effects = machine.lost(now, reason)                     the connection closed or broke
    effects = machine.stop(now, reason)                     operator or driver asks for an orderly end
    effects = machine.renegotiate(now, reason)              operator or driver wants a new schedule
    effects = machine.make_way(now)                         another session waits for the hardware
    when = machine.yields_at()                              from when on it would make way, as things are

After `Close` the connection is to be closed, and the machine still watches until the hardware is safe: go on calling
`expire` until `finished`. `good` and `reason` stand from `Close` on.

The station's half (`secc.Station`) adds session ID, sequence and failed answers; the vehicle's (`evcc.Vehicle`) one
outstanding request, its timeout and the pace of repeated ones. An exception in our own code is a fault of ours: the
hardware is made safe, a FAILED answer sent where one is owed, the connection closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, NamedTuple

import msgspec

from exi.errors import DecodeError
from hlc import quirks, sap
from hlc.documents import Documents
from hlc.ids import ChargePointState, VehicleState, message_id
from hlc.quirks import Quirk, Shown
from hlc.rules import Phase, Rules
from hlc.trace.events import (
    Blame,
    Fault,
    Frame,
    Margin,
    Message,
    Note,
    SessionEnded,
    Side,
    StateEntered,
    TimerExpired,
    Trace,
    ignore,
)
from hlc.v2gtp import PayloadType

WATCH_S: Final = 0.05
"""While a voltage may be present, the hardware is looked at so often between messages."""
SETTLE_S: Final = 3.0
"""After this time hardware that is not safe yet is a fault of the installation."""


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send a V2GTP frame."""

    payload_type: int
    payload: bytes


class Close(msgspec.Struct, frozen=True, gc=False):
    """Close the connection, after all that was sent before."""

    reason: str


Effect = Send | Close


class Transport(NamedTuple):
    """What carries the messages."""

    tls: str = ""
    """Version of TLS: "1.2", "1.3"; empty: plain TCP."""
    peer: bytes = b""
    """The peer's own certificate, DER; empty where it showed none."""
    name: str = ""
    """The EVCCID in the certificate that this end has shown; empty: it has shown none, or that has none."""


PLAIN: Final = Transport()


class Paused(NamedTuple):
    """A session that was paused, at either end: what is needed to go on with it."""

    session_id: bytes
    protocol: str
    """Name, as in `sap.PROTOCOLS`."""
    peer: bytes
    """The peer's certificate as it was in the session; empty without one."""
    memory: Any
    """What the protocol's file keeps."""


class Refusal(Exception):  # noqa: N818 (it is an answer, not an error)
    """Raised by a handler whose answer is a failed one: the response code, why, the clause, whose fault."""

    def __init__(self, code: str, text: str, clause: str | None = None, *, blame: Blame = Blame.REMOTE) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.clause = clause
        self.blame = blame


class Timers:
    """Deadlines by key: what they are called in the trace, when they pass, how long they are."""

    def __init__(self) -> None:
        self._at: dict[Any, tuple[float, str, float]] = {}

    def start(self, key: Any, name: str, now: float, seconds: float) -> None:
        """Start, or start again."""
        self._at[key] = (now + seconds, name, seconds)

    def cancel(self, key: Any) -> tuple[float, str, float] | None:
        """What is cancelled, as (when it would have passed, name, length); None: it was not running."""
        return self._at.pop(key, None)

    def clear(self) -> None:
        self._at.clear()

    def next(self) -> float | None:
        """When the first one passes."""
        return min(self._at.values())[0] if self._at else None

    def due(self, now: float) -> list[tuple[Any, str, float]]:
        """Those that have passed, as (key, name, length); they are removed."""
        passed = [(at, key, name, length) for key, (at, name, length) in self._at.items() if at <= now]
        for _, key, _, _ in passed:
            del self._at[key]
        return [(key, name, length) for _, key, name, length in sorted(passed, key=lambda entry: entry[0])]

    def __contains__(self, key: Any) -> bool:
        return key in self._at


class Machine:
    """What both ends have in common. Subclasses name the steps (`_start`, `_receive`, `_timeout`, `_look`, ...)."""

    side: ClassVar[Side]
    peer: ClassVar[Side]
    error_state: ClassVar[VehicleState | ChargePointState]
    settings: Any
    """What the owner of this end decides, with what is known of the peer."""

    def __init__(
        self,
        protocols: Sequence[sap.Protocol],
        clock: Callable[[], float] | None,
        quirks: Sequence[Quirk] = (),
        trace: Trace = ignore,
    ) -> None:
        self.protocols = tuple(protocols)
        self.clock = clock
        """Seconds since 1970; None: not known."""
        self.trace = trace
        self.transport = PLAIN
        self.protocol: sap.Protocol | None = None
        """The one that was negotiated."""
        self.now = 0.0
        self.timers = Timers()
        self.rules: Rules | None = None
        """Those of the protocol that was negotiated."""
        self.session_id: bytes | None = None
        self.state: VehicleState | ChargePointState | None = None
        self.stopping: str | None = None
        """Why an orderly end is wanted; None: it is not."""
        self.pausing = False
        """Whether that end is to be a pause."""
        self.renegotiation: str | None = None
        """Why a new schedule is wanted; None: it is not."""
        self.paused: Paused | None = None
        """With what the session can be taken up again, when it has ended with a pause."""
        self.faulty: str | None = None
        """The first fault; a session that had one does not end well."""
        self.closed = False
        self.finished = False
        self.good = False
        self.reason = ""
        self.documents = Documents()
        self.quirks = list(quirks)
        """Those that the peer has not been found to have."""
        self._shown = Shown()
        self._effects: list[Effect] = []
        self._open: list[Phase] = []
        self._look_at: float | None = None
        self._settled_by = 0.0
        self._meters_at_start: tuple[float, float] | None = None

    # The face

    def start(self, now: float, transport: Transport = PLAIN) -> list[Effect]:
        """The connection stands."""
        self.transport = transport
        return self._run(now, self._start)

    def receive(self, payload_type: int, payload: bytes, now: float) -> list[Effect]:
        """A frame arrived."""
        return [] if self.closed else self._run(now, self._receive, payload_type, payload)

    def expire(self, now: float) -> list[Effect]:
        """Time has passed: call it when `now >= next_deadline()`; earlier it does nothing."""
        return [] if self.finished else self._run(now, self._expire)

    def lost(self, now: float, reason: str) -> list[Effect]:
        """The connection closed or broke."""
        return [] if self.closed else self._run(now, self._lost, reason)

    def stop(self, now: float, reason: str, *, pause: bool = False) -> list[Effect]:
        """Somebody wants an orderly end, or a pause. It takes a few messages; a second call changes nothing."""
        if self.closed or self.stopping:
            return []
        self.pausing = pause
        return self._run(now, self._stop, reason)

    def renegotiate(self, now: float, reason: str) -> list[Effect]:
        """Somebody wants a new schedule. It takes a few messages; what cannot renegotiate goes on as it is."""
        if self.closed or self.renegotiation:
            return []
        self.renegotiation = reason
        return self._run(now, self.note, f"a new schedule is wanted: {reason}")

    def make_way(self, now: float) -> list[Effect]:
        """Another session waits for the hardware. One that has ended leaves it as soon as it is safe, whatever else the
        end would take; one that goes on ends when its peer has been silent for too long (`yields_at`)."""
        return [] if self.finished else self._run(now, self._make_way)

    def yields_at(self) -> float | None:
        """When `make_way` would end the session, if its peer goes on to say nothing; None: not as things are."""
        return None

    def next_deadline(self) -> float | None:
        """When to call `expire`; None: nothing is waited for."""
        if self.finished:
            return None
        first = self.timers.next()
        look = self._look_at
        return look if first is None else first if look is None else min(first, look)

    # What subclasses fill in

    def _start(self) -> None:
        raise NotImplementedError

    def _receive(self, payload_type: int, payload: bytes) -> None:
        raise NotImplementedError

    def _stop(self, reason: str) -> None:
        raise NotImplementedError

    def _timeout(self, key: Any, name: str, length: float) -> None:
        raise NotImplementedError

    def _look(self) -> None:
        """Look at the hardware between messages."""
        raise NotImplementedError

    def _owe_nothing(self) -> None:
        """After an exception of ours: answer what is still to be answered."""

    def tick(self) -> None:
        """Tell the hardware the time."""
        raise NotImplementedError

    def make_safe(self, *, emergency: bool) -> None:
        """Order the hardware into its safe state."""
        raise NotImplementedError

    def is_safe(self) -> bool:
        """Whether it is there."""
        raise NotImplementedError

    def is_settled(self) -> bool:
        """Whether what else it does at the end is done; it is waited for, and no fault if it never is."""
        return True

    def meters(self) -> tuple[float, float]:
        """The readings of this side's meters, Wh: to the vehicle, and back from it."""
        raise NotImplementedError

    # The frame around every step

    def _run(self, now: float, step: Callable[..., None], *args: Any) -> list[Effect]:
        self.now = max(now, self.now)
        try:
            self.tick()
            step(*args)
        except Exception as error:
            self._own_fault(error)
        effects, self._effects = self._effects, []
        return effects

    def _own_fault(self, error: Exception) -> None:
        """An exception in our own code, or in the hardware's driver: safe, answered, closed."""
        self.fault(Blame.LOCAL, f"{type(error).__name__}: {error}")
        if self.closed:  # it came while the end was watched: there is nothing more that could be tried
            self._finish()
            return
        for attempt in (self._make_safe_at_once, self._owe_nothing):
            try:
                attempt()
            except Exception as another:
                self.fault(Blame.LOCAL, f"{type(another).__name__}: {another}")
        self.end(f"an error in this program: {error}", safe=True)

    def _make_safe_at_once(self) -> None:
        self.make_safe(emergency=True)

    def _expire(self) -> None:
        if self._look_at is not None and self.now >= self._look_at:
            self.watch()
            if self.closed:
                self._settle()
            else:
                self._look()
        closed = self.closed
        for key, name, length in self.timers.due(self.now):
            if self.finished or self.closed is not closed:  # the end clears the timers, those too that pass with it
                return
            self._timeout(key, name, length)

    def _lost(self, reason: str) -> None:
        self.fault(Blame.REMOTE, f"the connection is gone: {reason}")
        self.end(f"connection lost: {reason}")

    def _make_way(self) -> None:
        at = self.yields_at()
        if at is not None and self.now >= at:
            reason = "the peer fell silent, and another session waits for the hardware"
            self.fault(Blame.REMOTE, reason)
            self.end(reason)
        if self.closed:
            self.timers.clear()
            self._settle()

    def watch(self) -> None:
        """Look at the hardware again soon."""
        self._look_at = self.now + WATCH_S

    def expired(self, name: str, length: float) -> None:
        """Trace a deadline that passed."""
        self.trace(TimerExpired(at=self.now, side=self.side, timer=name, limit_s=length))

    def met(self, key: Any, of: str) -> None:
        """A deadline is met: cancel it, and trace how much of the time was used."""
        timer = self.timers.cancel(key)
        if timer is not None:
            at, name, length = timer
            used = self.now - (at - length)
            self.trace(Margin(at=self.now, side=self.side, timer=name, of=of, used_s=used, limit_s=length))

    def fault(self, blame: Blame, text: str, clause: str | None = None) -> None:
        """Trace what went wrong; the session cannot end well any more."""
        self.faulty = self.faulty or text
        self.trace(Fault(at=self.now, side=self.side, blame=blame, text=text, clause=clause))

    def note(self, text: str) -> None:
        """Trace what is worth knowing and no fault."""
        self.trace(Note(at=self.now, side=self.side, text=text))

    def enter(self, state: VehicleState | ChargePointState) -> None:
        """Trace a state that was entered."""
        if state is not self.state:
            self.state = state
            self.trace(StateEntered(at=self.now, side=self.side, state=state))

    def end(self, reason: str, *, good: bool = False, safe: bool = False) -> None:
        """Close the connection. Whatever led here, the hardware goes into its safe state (`safe`: it was told
        already)."""
        if self.closed:
            return
        self.closed = True
        self.reason = reason
        self.good = good and self.faulty is None
        self._effects.append(Close(reason))
        self.timers.clear()
        self._settled_by = self.now + SETTLE_S
        if not self.good:
            self.enter(self.error_state)
        if not safe:
            self.make_safe(emergency=not self.good)
        self.closing()
        self._settle()

    def closing(self) -> None:
        """What else the end of a session starts."""

    def _settle(self) -> None:
        """Watch until nothing is dangerous and nothing is left to do."""
        safe = self.is_safe()
        if not safe and self.now >= self._settled_by:
            self.fault(Blame.SETUP, f"the hardware is not safe {SETTLE_S:g} s after it was told")
            self.good = False
            safe = True
        settled = self.is_settled() or self.now >= self._settled_by
        if safe and settled and self.timers.next() is None:
            self._finish()
        else:
            self.watch()

    def _finish(self) -> None:
        self.finished = True
        self._look_at = None
        self.timers.clear()
        began = self._meters_at_start
        to, back = (0.0, 0.0) if began is None else (now - then for now, then in zip(self.meters(), began, strict=True))
        ended = SessionEnded(
            at=self.now, side=self.side, good=self.good, reason=self.reason, energy_wh=to, returned_wh=back
        )
        self.trace(ended)

    # Messages

    def _decode(self, payload_type: int, payload: bytes) -> tuple[str, Any] | None:
        """The document in a frame, traced, behind the name of its schema; None: it cannot be used, and what that means
        has been done."""
        self.trace(Frame(at=self.now, side=self.peer, payload_type=payload_type, payload=payload))
        if payload_type not in self.documents:  # discard it: the stream is still in step
            self.note(f"discarded a frame of payload type 0x{payload_type:04X}, which means nothing here")
            return None
        try:
            schema, (document, surplus, lenient) = self.documents.read(payload_type, payload)
        except DecodeError as error:
            # No response code exists for this (ISO 15118-2 8.3.4, DIN SPEC 70121 likewise): the connection is
            # terminated.
            protocol = "sap" if self.rules is None else self.rules.name
            self.fault(Blame.REMOTE, f"not a {protocol} message: {error}")
            self.end("undecodable message")
            return None
        if surplus:
            self.note(f"surplus octets after the end of the message, ignored: {surplus}")
        if lenient:
            self.note("a list of full length ended in the form that some codecs write")
        return schema, document

    def _emit(self, payload_type: int, document: Any, body: Any) -> None:
        """Send a document, traced; `body` is what names it."""
        schema, payload = self.documents.write(payload_type, document)
        self.trace(Frame(at=self.now, side=self.side, payload_type=payload_type, payload=payload))
        self._trace_message(self.side, payload_type, schema, document, body)
        self._effects.append(Send(payload_type, payload))

    def _trace_message(self, side: Side, payload_type: int, schema: str, document: Any, body: Any) -> None:
        name = type(body).__name__
        table = "schedule_renegotiation" if payload_type == PayloadType.SCHEDULE_RENEGOTIATION else schema
        number = message_id(table, name)
        self.trace(Message(at=self.now, side=side, schema=schema, name=name, id=number, message=document))

    def _shows(self, **what: Any) -> bool:
        """The peer has shown this of itself. Whether that is a known quirk, and settings have changed."""
        self._shown = msgspec.structs.replace(self._shown, **what)
        found = [quirk for quirk in self.quirks if quirk.shows.fit(self._shown)]
        for quirk in found:
            self.quirks.remove(quirk)
            self.settings = quirks.changed(self.settings, quirk.settings)
            self.note(f"quirk {quirk.name}: {quirk.about}")
        return bool(found)

    def _speak(self, protocol: sap.Protocol, rules: Rules) -> None:
        """From now on messages are of this protocol."""
        self.protocol, self.rules = protocol, rules
        if not self.transport.tls and protocol.tls_only:
            self.note("ISO 15118-20 over plain TCP: for tests, the standard wants TLS 1.3")
        self.documents.speak(protocol, rules)

    # Phases

    def _phases(self, message: Any) -> None:
        """Begin and end the phases that this message begins and ends."""
        assert self.rules is not None
        for phase in tuple(self._open):
            if phase.ends(message):
                self.kept(phase, message)
                self._open.remove(phase)
        for phase in self.rules.beginning.get(type(message), ()):
            if phase not in self._open:
                self._open.append(phase)
                self._begin(phase)

    def kept(self, phase: Phase, message: Any) -> None:
        """This side has done its share of a phase, by this message at the latest: its deadline is met."""
        self.met(phase, type(message).__name__)

    def _begin(self, phase: Phase) -> None:
        """Start this side's timer of a phase."""
        raise NotImplementedError


def failed(response: Any) -> bool:
    """Whether an answer ends the session. (SAP writes Failed_, the others FAILED_.)"""
    code: str = response.ResponseCode
    return code.startswith(("FAILED", "Failed"))
