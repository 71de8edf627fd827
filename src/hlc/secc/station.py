"""The station's end of a connection: SAP, then the session in the protocol that was chosen.

This file does what every request of every protocol repeats: session ID, sequence, deadlines, failed answers, the
watch over the outlet. What is answered is decided in the protocol's own file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from exi.messages.sap import supportedAppProtocolReq
from hlc import sap
from hlc.flow import Machine, Paused, Refusal, failed
from hlc.ids import ChargePointState
from hlc.ports import COMMUNICATION, NO_PWM, ControlPilot, Outlet, Trouble
from hlc.quirks import Quirk
from hlc.rules import MAIN, SETUP, Kind, Phase, Rules
from hlc.rules.din70121 import RULES as DIN70121
from hlc.secc import din70121, iso15118_2
from hlc.secc.conversation import LATER, Conversation, Handler
from hlc.secc.iso15118_20 import ac as iso15118_20_ac
from hlc.secc.iso15118_20 import acdp as iso15118_20_acdp
from hlc.secc.iso15118_20 import dc as iso15118_20_dc
from hlc.secc.iso15118_20 import wpt as iso15118_20_wpt
from hlc.secc.settings import Settings
from hlc.trace.events import Blame, Measurement, Side, Trace, ignore

SEQUENCE: Final = "V2G_SECC_Sequence_Timeout"
PACE: Final = "pace"
OSCILLATOR: Final = "V2G_SECC_CPOscillator_Retain_Time"
STOP_PATIENCE: Final = "patience with a vehicle that was told to stop"
STOP_PATIENCE_S: Final = 15.0
"""So long a vehicle may go on after it was told to stop: then the outlet is switched off. Not a time of the standards;
longer than the 10 s of NotificationMaxDelay that stations of the field grant."""
SILENT_S: Final = 5.0
TALK: Final = frozenset(
    {
        "SessionSetupReq",
        "ServiceDiscoveryReq",
        "ServiceDetailReq",
        "ServicePaymentSelectionReq",
        "PaymentServiceSelectionReq",
        "AuthorizationSetupReq",
        "ServiceSelectionReq",
    }
)
"""Requests after which a vehicle has nothing to wait for: what follows it says by itself."""
TALKING_S, ACTING_S = 0.6, 1.2
"""So long a vehicle may be silent after those, and after others, where another one waits for the outlet. Cars have been
recorded to take 0.52 s after those; while they wait for the user or the station, some ask again only after 1.05 s."""


CONVERSATIONS: Final[Mapping[str, Callable[[Station], Conversation]]] = {
    "din70121": din70121.Conversation,
    "iso15118_2": iso15118_2.Conversation,
    "iso15118_20_acdp": iso15118_20_acdp.Conversation,
    "iso15118_20_ac": iso15118_20_ac.Conversation,
    "iso15118_20_dc": iso15118_20_dc.Conversation,
    "iso15118_20_wpt": iso15118_20_wpt.Conversation,
}
"""The protocols that are built."""


PAUSED: Final = 16
"""So many paused sessions an outlet remembers, the last ones."""


class PausedSessions:
    """The paused sessions of an outlet, by session ID. It outlives the connections."""

    def __init__(self) -> None:
        self._sessions: dict[bytes, Paused] = {}

    def keep(self, paused: Paused) -> None:
        """Remember a session; the oldest ones are forgotten."""
        self._sessions[paused.session_id] = paused
        while len(self._sessions) > PAUSED:
            del self._sessions[next(iter(self._sessions))]

    @property
    def known(self) -> int:
        """So many are remembered."""
        return len(self._sessions)

    def forget(self) -> None:
        """The vehicle was unplugged: who is plugged in next has no session here, whatever ID it says."""
        self._sessions.clear()

    def take(self, session_id: bytes, protocol: str, peer: bytes) -> Paused | None:
        """The session, if there is one with this ID, in this protocol and of this peer; it is not remembered any
        more."""
        paused = self._sessions.get(session_id)
        if paused is None or (paused.protocol, paused.peer) != (protocol, peer):
            return None
        return self._sessions.pop(session_id)


class Station(Machine):
    """One connection of a vehicle to an outlet.

    `random(n)` gives n unpredictable octets (session IDs); `clock()` the seconds since 1970, for the vehicle's clock.
    `sessions` are the paused ones of this outlet; `quirks` are known of vehicles.
    """

    side = Side.SECC
    peer = Side.EVCC
    error_state = ChargePointState.ERROR

    def __init__(
        self,
        outlet: Outlet,
        *,
        random: Callable[[int], bytes],
        clock: Callable[[], float] | None = None,
        protocols: Sequence[sap.Protocol] = (sap.DIN70121,),
        settings: Settings | None = None,
        sessions: PausedSessions | None = None,
        quirks: Sequence[Quirk] = (),
        trace: Trace = ignore,
    ) -> None:
        super().__init__(protocols, clock, quirks, trace)
        self.outlet = outlet
        self.random = random
        self.settings: Settings = settings or Settings()
        self.sessions = sessions or PausedSessions()
        self.conversation: Conversation | None = None
        self.live = False
        """Whether there may be a voltage at the contacts: from the beginning of the cable check until it is switched
        off."""
        self.doomed: str | None = None
        """Why every further request but those that wind down is answered with FAILED."""
        self._doomed_code = "FAILED"
        self._asked_at = 0.0
        self._answered: tuple[Kind, float] | None = None
        """The last request of the main stream that was answered, and when."""
        self._pilot_was_ready = False
        self.expected: frozenset[Kind] = frozenset()
        """The requests that may come next in the main stream."""
        self._expected_aside: dict[int, frozenset[Kind]] = {}
        """The same in side streams in which an exchange goes on."""
        self._handlers: Mapping[int, Mapping[Kind, Handler]] = {}
        """By stream and request."""
        self._owed: tuple[int, Any] | None = None
        """The request that is being answered, and its payload type."""
        self._waiting: tuple[int, Any] | None = None
        """Likewise, where its handler could not answer yet."""

    # Hardware

    def tick(self) -> None:
        self.outlet.tick(self.now)

    def make_safe(self, *, emergency: bool) -> None:
        self.live = False
        self.outlet.off(emergency=emergency)

    def is_safe(self) -> bool:
        return not self.outlet.relays_closed()

    def yields_at(self) -> float | None:
        if self.closed or self.state is None or self.live or self._waiting is not None:
            return None  # not one with anything live, nor while the vehicle waits for us
        talks = self._answered is None or self._answered[0].__name__ in TALK
        return self._asked_at + (TALKING_S if talks else ACTING_S)

    def is_settled(self) -> bool:
        return self.conversation is None or (self.is_safe() and self.conversation.settled())

    def meters(self) -> tuple[float, float]:
        return self.outlet.energy_wh(), self.outlet.returned_wh()

    def measured(self) -> None:
        """Trace what the outlet measures."""
        volts, amps = self.outlet.volts(), self.outlet.amps()
        self.trace(Measurement(at=self.now, side=self.side, volts=volts, amps=amps))

    def go_live(self) -> None:
        """From now on there may be a voltage: watch the outlet between messages."""
        self.live = True
        self._pilot_was_ready = False
        self.watch()

    def end_asides(self) -> None:
        """No exchange goes on beside the main stream any more."""
        self._expected_aside.clear()

    def doom(self, blame: Blame, reason: str, code: str = "FAILED") -> None:
        """Current off at once; the next request hears this code, unless it winds down."""
        if self.doomed is None:
            self.doomed, self._doomed_code = reason, code
            self.fault(blame, reason)
            self.make_safe(emergency=True)

    def stop_for_vehicle(self, error: str) -> None:
        """The vehicle reports an error while energy flows: it ends in order, and the session has failed."""
        if self.faulty is None:
            self.fault(Blame.REMOTE, error)
        self._stop(error)

    def _look(self) -> None:
        self._look_at = None
        trouble = self.outlet.trouble()
        if trouble is Trouble.UTILITY:
            self._stop(trouble.value)
        elif trouble is not None:
            self.doom(Blame.SETUP, f"the outlet reports: {trouble.value}")
        if self.live and not self.closed:
            self._watch_pilot()
        if self.live and not self.closed and self.conversation is not None:
            self.conversation.look()
            self.watch()
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        if self._waiting is not None and not self.closed:
            payload_type, request = self._waiting
            self._serve(payload_type, request, self._handle, MAIN, request)

    def _watch_pilot(self) -> None:
        """The pilot is faster than any message: a vehicle that leaves state C wants no current, whatever it says."""
        pilot = self.outlet.control_pilot()
        if pilot is None or pilot.ready:
            self._pilot_was_ready = pilot is not None
        elif not pilot.connected:
            unplugged = pilot is ControlPilot.A
            reason = "the vehicle was unplugged" if unplugged else f"the control pilot is in state {pilot.value}"
            self.fault(Blame.REMOTE if unplugged else Blame.SETUP, reason)
            self.end(reason)
        elif (self._pilot_was_ready or self.outlet.relays_closed()) and self.doomed is None:
            reason = f"the vehicle went to state {pilot.value}"
            conversation = self.conversation
            if conversation is not None and conversation.delivering and not conversation.stops_by_pilot:
                self.doom(Blame.REMOTE, f"{reason} while energy flowed")
            else:  # it may be about to say that it stops, which is its right
                self.doomed = reason
                self.note(reason)
                self.make_safe(emergency=True)

    # Steps

    def _start(self) -> None:
        self._asked_at = self.now
        self._meters_at_start = self.meters()
        self.outlet.show_pilot(COMMUNICATION)
        self.enter(ChargePointState.INITIAL)
        self._open.append(SETUP)
        self._begin(SETUP)
        self._await_request(DIN70121)

    def _await_request(self, rules: Rules, seconds: float | None = None) -> None:
        allowed = rules.sequence_timeout_s if seconds is None else seconds
        self.timers.start(SEQUENCE, SEQUENCE, self.now, allowed + self.settings.patience_s)

    def _begin(self, phase: Phase) -> None:
        if phase.secc is not None:
            self.timers.start(phase, phase.secc, self.now, phase.performance_s)

    def _stop(self, reason: str) -> None:
        if self.stopping is not None:
            return
        self.stopping = reason
        self.note(f"stopping: {reason}")
        if self.session_id is None:
            self.end(reason)
        else:
            self.timers.start(STOP_PATIENCE, STOP_PATIENCE, self.now, STOP_PATIENCE_S)

    def _timeout(self, key: Any, name: str, length: float) -> None:
        if key == PACE:
            self._serve_waiting()
            return
        if key == OSCILLATOR:
            self.outlet.show_pilot(NO_PWM)
            self._settle()
            return
        self.expired(name, length)
        if key == SEQUENCE:
            self.fault(Blame.REMOTE, f"no request within {length:g} s")
            self.end(name)
        elif key == STOP_PATIENCE:
            reason = f"the vehicle did not stop within {length:g} s of being told to"
            self.doom(Blame.REMOTE, reason)
            if self.now - self._asked_at > SILENT_S:  # nobody is there to be told any more
                self.end(reason)
        elif self.session_id is None:
            self.fault(Blame.REMOTE, f"no session was set up within {length:g} s")
            self.end(name)
        else:
            code = self.conversation.late_code(key) if self.conversation is not None else "FAILED"
            self.doom(Blame.SETUP, f"{name}: not done within {length:g} s", code)

    def closing(self) -> None:
        retain_s = self.conversation.oscillator_retain_s if self.conversation is not None else 0.0
        self.timers.start(OSCILLATOR, OSCILLATOR, self.now, retain_s)

    def _finish(self) -> None:
        self.enter(ChargePointState.WAITING_FOR_NEW_SESSION)
        super()._finish()

    # Requests

    def _receive(self, payload_type: int, payload: bytes) -> None:
        decoded = self._decode(payload_type, payload)
        if decoded is None:
            return
        schema, document = decoded
        self._asked_at = self.now
        if self.rules is None:
            self.met(SEQUENCE, type(document).__name__)
            self._look()
            if not self.closed:
                self._negotiate(payload_type, document)
            return
        session_id, request = self.rules.unwrap(document)
        if request is None:
            self.fault(Blame.REMOTE, "a message without a body")
            self.end("a message without a body")
            return
        self._trace_message(self.peer, payload_type, schema, document, request)
        stream = self.rules.stream(payload_type)
        if stream == MAIN:
            self.met(SEQUENCE, type(request).__name__)
        assert self.conversation is not None
        self._owed = payload_type, request
        self._look()
        if self.closed:
            return
        self._serve(payload_type, request, self._answer, stream, session_id, request)

    def _serve(self, payload_type: int, request: Any, answer: Callable[..., Any], *args: Any) -> None:
        """Answer a request, now or later."""
        assert self.conversation is not None
        try:
            response = answer(*args)
        except Refusal as refusal:
            response = self.conversation.refuse(request, refusal.code)
            if response is not None:
                self.fault(refusal.blame, f"{refusal.code}: {refusal.text}", refusal.clause)
        if response is LATER:
            self._waiting = payload_type, request
            self.watch()
            return
        if self._waiting is not None and self._waiting[1] is request:
            self._waiting = None
        if response is None:
            self.fault(Blame.REMOTE, f"{type(request).__name__} is no request")
            self.end("not a request")
        else:
            self._reply(payload_type, request, response)

    def _negotiate(self, payload_type: int, request: Any) -> None:
        self._trace_message(self.peer, payload_type, "sap", request, request)
        if not isinstance(request, supportedAppProtocolReq):
            self.fault(Blame.REMOTE, f"{type(request).__name__} is no request")
            self.end("not a request")
            return
        usable = sap.over(self.protocols, self.transport.tls, strict=self.settings.strict)
        response, protocol = sap.negotiate(request, usable)
        self._emit(payload_type, response, response)
        if protocol is None:
            offered = ", ".join(entry.ProtocolNamespace for entry in request.AppProtocol)
            self.fault(Blame.REMOTE, f"nothing in common: the vehicle offers {offered}", "V2G2-172")
            self.end("no protocol in common")
            return
        namespaces = frozenset(entry.ProtocolNamespace for entry in request.AppProtocol)
        self._shows(protocol=protocol.name, namespaces=namespaces)
        conversation = self._converse(protocol)
        self._speak(protocol, conversation.rules)
        self.expected = frozenset({conversation.rules.first})
        self._await_request(conversation.rules)

    def _converse(self, protocol: sap.Protocol) -> Conversation:
        """Begin a session in this protocol, by the settings as they are now."""
        self.conversation = conversation = CONVERSATIONS[protocol.name](self)
        self._handlers = {MAIN: conversation.handlers(), **conversation.aside_handlers()}
        return conversation

    def _answer(self, stream: int, session_id: bytes, request: Any) -> Any:
        """The answer to a request. Raises `Refusal`."""
        assert self.rules is not None
        assert self.conversation is not None
        kind = type(request)
        name, clauses = kind.__name__, self.rules.clauses
        first = kind is self.rules.first
        # An unknown session is worse than a wrong sequence.
        if not first and self.session_id is not None and session_id != self.session_id:
            text = f"{name} for session {session_id.hex() or 'without ID'}, this is {self.session_id.hex()}"
            raise Refusal("FAILED_UnknownSession", text, clauses["session"])
        if stream == MAIN:
            allowed = self.expected if self._waiting is None else frozenset()
        else:
            allowed = self._expected_aside.get(stream) or self.conversation.opens(stream)
        if kind not in allowed:
            wanted = ", ".join(sorted(expected.__name__ for expected in allowed))
            text = f"{name} is out of sequence: expected {wanted or 'nothing'}"
            raise Refusal("FAILED_SequenceError", text, clauses["sequence"])
        if stream == MAIN:
            self.enter(self.rules.by_request[kind].secc)
            self._phases(request)
        if first:
            assert self.protocol is not None
            if self._shows(EVCCID=request.EVCCID):
                self._converse(self.protocol)
            self.session_id = session_id if self.conversation.joins(session_id) else self._new_session_id()
        return self._handle(stream, request)

    def _handle(self, stream: int, request: Any) -> Any:
        """What the handler says, unless the session cannot go on. Raises `Refusal`."""
        assert self.conversation is not None
        if self.doomed is not None and not self.conversation.winding_down(request):
            return self.conversation.refuse(request, self._doomed_code)  # why has been traced
        # What is said beside goes on: the main stream will tell.
        if stream == MAIN and self.stopping is not None and not self.conversation.can_tell(request):
            raise Refusal("FAILED", self.stopping, blame=Blame.SETUP)
        if stream == MAIN and self._hastens(type(request)):
            return LATER
        return self._handlers[stream][type(request)](request)

    def _hastens(self, kind: Kind) -> bool:
        """Whether a repeated request came so early that its answer is held back."""
        last, at = self._answered or (None, 0.0)
        due = at + self.settings.pace_s
        if kind is not last or self.now >= due:
            return False
        self.timers.start(PACE, PACE, self.now, due - self.now)
        return True

    def _new_session_id(self) -> bytes:
        """Eight unpredictable octets, not all zero: zero is what a vehicle without a session sends. [V2G-DC-393]"""
        while not any(session_id := self.random(8)):
            pass
        return session_id

    def _reply(self, payload_type: int, request: Any, response: Any) -> None:
        assert self.rules is not None
        bad = failed(response)
        if bad:  # before the answer is built and sent: the outlet is safe even if nobody hears of it
            self.make_safe(emergency=True)
        self._send(payload_type, request, response)
        if bad:
            self.faulty = self.faulty or f"{type(response).__name__}: {response.ResponseCode.value}"
            self.end(self.doomed or self.faulty, safe=True)
            return
        stream = self.rules.stream(payload_type)
        if stream != MAIN:
            self._expected_aside[stream] = self.rules.then(request, response, stream)
            return
        self._answered = type(request), self.now
        self._phases(response)
        self.expected = self.rules.then(request, response)
        if self.expected:
            self._await_request(self.rules, self.rules.by_request[type(request)].sequence_s)
        else:
            self.end(self.doomed or self.stopping or "stopped by the vehicle", good=True)

    def _send(self, payload_type: int, request: Any, response: Any) -> None:
        assert self.rules is not None
        rule = self.rules.streams[self.rules.stream(payload_type)].get(type(request))
        answer_type = rule.payload_type if rule is not None else payload_type
        self._emit(answer_type, self.rules.wrap(self.session_id or bytes(8), response), response)
        self._owed = None

    def _owe_nothing(self) -> None:
        owed, self._owed = self._owed, None
        if owed is not None and self.conversation is not None:
            payload_type, request = owed
            response = self.conversation.refuse(request, "FAILED")
            if response is not None:
                self._send(payload_type, request, response)
