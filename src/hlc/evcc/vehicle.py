"""The vehicle's end of a connection: SAP, then the session in the protocol that the station chose.

This file does what every exchange of every protocol repeats: one request outstanding, its timeout, the pace of repeated
ones, the check of session ID and response code, the watch over the vehicle. What is asked is decided in the protocol's
own file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from exi.messages.sap import supportedAppProtocolReq, supportedAppProtocolRes
from hlc import sap
from hlc.evcc import din70121, iso15118_2
from hlc.evcc.conversation import Conversation
from hlc.evcc.iso15118_20 import ac as iso15118_20_ac
from hlc.evcc.iso15118_20 import acdp as iso15118_20_acdp
from hlc.evcc.iso15118_20 import dc as iso15118_20_dc
from hlc.evcc.iso15118_20 import wpt as iso15118_20_wpt
from hlc.evcc.settings import Settings
from hlc.flow import Machine, Paused, failed
from hlc.ids import VehicleState
from hlc.ports import EV
from hlc.quirks import Quirk
from hlc.rules import MAIN, SETUP, Kind, Phase, Rule
from hlc.trace.events import Blame, Measurement, Side, Trace, ignore
from hlc.v2gtp import PayloadType

MESSAGE: Final = "V2G_EVCC_Msg_Timeout"
DECISION: Final = "V2G_EVCC_Sequence_Performance_Time"
PACE: Final = "pace"
SAP_TIMEOUT_S: Final = 2.0


CONVERSATIONS: Final[Mapping[str, Callable[[Vehicle], Conversation]]] = {
    "din70121": din70121.Conversation,
    "iso15118_2": iso15118_2.Conversation,
    "iso15118_20_acdp": iso15118_20_acdp.Conversation,
    "iso15118_20_ac": iso15118_20_ac.Conversation,
    "iso15118_20_dc": iso15118_20_dc.Conversation,
    "iso15118_20_wpt": iso15118_20_wpt.Conversation,
}
"""The protocols that are built."""


class Vehicle(Machine):
    """One connection to a station. `protocols` are offered in this order, the best first. `resume` is a paused session
    that is to go on; `clock()` gives the seconds since 1970; `quirks` are known of stations."""

    side = Side.EVCC
    peer = Side.SECC
    error_state = VehicleState.ERROR

    def __init__(
        self,
        ev: EV,
        *,
        protocols: Sequence[sap.Protocol] = (sap.DIN70121,),
        settings: Settings | None = None,
        resume: Paused | None = None,
        clock: Callable[[], float] | None = None,
        quirks: Sequence[Quirk] = (),
        trace: Trace = ignore,
    ) -> None:
        super().__init__(protocols, clock, quirks, trace)
        self.ev = ev
        self.resume = resume
        self.settings: Settings = settings or Settings()
        self.conversation: Conversation | None = None
        self.live = False
        """Whether the vehicle shows, or has shown, that it is ready for energy."""
        self._asked: Any = None
        """The request of the main stream that waits for its answer."""
        self._asked_aside: dict[int, Any] = {}
        """The same for each side stream."""
        self._asked_at = 0.0
        self._answer: tuple[Any, Any] | None = None
        """The last exchange, while what follows it is being decided."""

    # Hardware

    def tick(self) -> None:
        self.ev.tick(self.now)

    def make_safe(self, *, emergency: bool) -> None:
        self.live = False
        self.ev.show_ready(ready=False)
        self.ev.open_contactors(emergency=emergency)
        self.ev.unlock_connector()

    def is_safe(self) -> bool:
        return not self.ev.contactors_closed()

    def is_settled(self) -> bool:
        return not self.ev.connector_locked()

    def meters(self) -> tuple[float, float]:
        return self.ev.energy_wh(), self.ev.returned_wh()

    def measured(self) -> None:
        """Trace what the vehicle measures at its inlet."""
        ev = self.ev
        volts, amps, soc = ev.inlet_volts(), ev.amps(), ev.soc()
        self.trace(Measurement(at=self.now, side=self.side, volts=volts, amps=amps, soc=soc))

    def go_live(self) -> None:
        """Show that the vehicle is ready for energy, and watch it between messages from now on."""
        if not self.live:
            self.live = True
            self.ev.show_ready(ready=True)
            self.watch()

    def emergency(self, blame: Blame, reason: str) -> None:
        """Open the contactors now, without waiting for messages; then end the session."""
        self.fault(blame, reason)
        self.make_safe(emergency=True)
        self.stopping = self.stopping or reason

    def _look(self) -> None:
        self._look_at = None
        pilot = self.ev.control_pilot()
        if self.live and pilot is not None and not pilot.usable:
            self.fault(Blame.REMOTE, "the control pilot is gone")
            self.end("the control pilot is gone")
            return
        if self.conversation is not None:
            self.conversation.look()
        if self._answer is not None and PACE not in self.timers:
            self._choose()
        if self.live and not self.closed:
            self.watch()

    # Steps

    def _start(self) -> None:
        self._meters_at_start = self.meters()
        self.enter(VehicleState.INITIAL)
        self._open.append(SETUP)
        self._begin(SETUP)
        self.protocols = tuple(sap.over(self.protocols, self.transport.tls, strict=self.settings.strict))
        if not self.protocols:
            over = f"TLS {self.transport.tls}" if self.transport.tls else "plain TCP"
            self.fault(Blame.SETUP, f"over {over} this vehicle speaks none of its protocols")
            self.end("nothing to offer")
            return
        request = sap.offer(self.protocols)
        self._emit(PayloadType.EXI, request, request)
        self._await(request, SAP_TIMEOUT_S)

    def _await(self, request: Any, seconds: float) -> None:
        self._asked, self._asked_at = request, self.now
        self.timers.start(MESSAGE, MESSAGE, self.now, seconds + self.settings.patience_s)

    def _begin(self, phase: Phase) -> None:
        self.timers.start(phase, phase.evcc, self.now, phase.timeout_s)

    def _stop(self, reason: str) -> None:
        self.stopping = reason
        self.note(f"stopping: {reason}")
        if self.session_id is None:
            self.end(reason)

    def _timeout(self, key: Any, name: str, length: float) -> None:
        if key == PACE:
            self._choose()
            return
        self.expired(name, length)
        if name == MESSAGE:
            asked = self._asked if key == MESSAGE else self._asked_aside[key]
            self.fault(Blame.REMOTE, f"no answer to {type(asked).__name__} within {length:g} s")
        elif key == DECISION:
            self.fault(Blame.SETUP, f"the vehicle was not ready to go on within {length:g} s")
        else:
            self.fault(Blame.REMOTE, f"{name}: not done within {length:g} s")
        self.end(name)

    # Answers

    def _receive(self, payload_type: int, payload: bytes) -> None:
        decoded = self._decode(payload_type, payload)
        if decoded is None:
            return
        schema, document = decoded
        if self.rules is None:
            self._negotiated(payload_type, document)
            return
        session_id, response = self.rules.unwrap(document)
        if response is not None:
            self._trace_message(self.peer, payload_type, schema, document, response)
        stream = self.rules.stream(payload_type)
        request = self._asked if stream == MAIN else self._asked_aside.get(stream)
        problem = self._problem(stream, request, session_id, response)
        if problem is not None:
            text, clause = problem
            self.fault(Blame.REMOTE, text, clause)
            self.end(text)
            return
        assert self.conversation is not None
        if stream == MAIN:
            self._asked = None
            self.met(MESSAGE, type(response).__name__)
            if type(request) is self.rules.first:
                self._set_up(response)
            self._phases(response)
            self._answer = (request, response)
            self.conversation.answered(request, response)
            self._look()
        else:
            del self._asked_aside[stream]
            self.met(stream, type(response).__name__)
            self.conversation.answered_aside(stream, request, response)
        self._ask_aside()

    def _problem(self, stream: int, request: Any, session_id: bytes, response: Any) -> tuple[str, str | None] | None:
        """Why an answer ends the session, and the clause."""
        assert self.rules is not None
        name = type(response).__name__ if response is not None else "a message without a body"
        if request is None:
            return f"{name}, but nothing was asked", None
        rule = self.rules.streams[stream][type(request)]
        if not isinstance(response, rule.response):
            return f"{name} in answer to {type(request).__name__}", None
        assert self.conversation is not None
        if failed(response):
            return f"{name}: {response.ResponseCode.value}", self.rules.clauses["failed"]
        if unfit := self.conversation.unfit(response):
            return f"{name}: {unfit}", None
        if self.session_id is None:
            # Whatever its length is, it is echoed as it came: a Tesla Supercharger V3 gives four octets.
            if not session_id:
                return f"{name} gives the session no ID", self.rules.clauses["session"]
            self.session_id = session_id
        elif session_id != self.session_id:
            text = f"{name} for session {session_id.hex()}, this is {self.session_id.hex()}"
            return text, self.rules.clauses["session"]
        return None

    def _negotiated(self, payload_type: int, response: Any) -> None:
        self._trace_message(self.peer, payload_type, "sap", response, response)
        if not isinstance(self._asked, supportedAppProtocolReq) or not isinstance(response, supportedAppProtocolRes):
            self.fault(Blame.REMOTE, f"{type(response).__name__} is no answer")
            self.end("not an answer")
            return
        self.met(MESSAGE, type(response).__name__)
        self._asked = None
        protocol = sap.chosen(self.protocols, response, strict=self.settings.strict)
        if protocol is None:
            text = f"{response.ResponseCode.value}, SchemaID {response.SchemaID}: nothing that was offered"
            self.fault(Blame.REMOTE, text)
            self.end("no protocol in common")
            return
        self._shows(protocol=protocol.name)
        self.conversation = CONVERSATIONS[protocol.name](self)
        self._speak(protocol, self.conversation.rules)
        self._ask(self.conversation.rules.first)

    def _set_up(self, response: Any) -> None:
        """The session stands: the station has shown who it is."""
        assert self.protocol is not None
        if self._shows(EVSEID=response.EVSEID, SessionID=self.session_id):
            self.conversation = CONVERSATIONS[self.protocol.name](self)

    def _choose(self) -> None:
        """Ask what the rules allow and the protocol's file prefers, now or in a while."""
        assert self.rules is not None
        assert self.conversation is not None
        assert self._answer is not None
        request, response = self._answer
        allowed = self.rules.then(request, response)
        if not allowed:
            self.end(self.stopping or "charging complete", good=True)
            return
        kind = self.conversation.choose(request, response, allowed)
        if kind is None:
            if DECISION not in self.timers:
                self.timers.start(DECISION, DECISION, self.now, self.rules.sequence_performance_s)
            self.watch()
            return
        if kind not in allowed:
            raise RuntimeError(f"{kind.__name__} may not follow {type(response).__name__}")
        due = self._asked_at + self.conversation.pace_s(kind) if kind is type(request) else self.now
        if self.now < due:
            self.timers.start(PACE, PACE, self.now, due - self.now)
        else:
            self._ask(kind)

    def _ask(self, kind: Kind) -> None:
        assert self.rules is not None
        assert self.conversation is not None
        self._answer = None
        self.met(DECISION, kind.__name__)
        self.timers.cancel(PACE)
        rule = self.rules.by_request[kind]
        self.enter(rule.evcc)
        request = self.conversation.build(kind)
        self._say(rule, request)
        self._phases(request)
        self._await(request, rule.timeout_s)

    def _ask_aside(self) -> None:
        """Ask in the side streams what there is to be asked."""
        if self.closed:
            return
        assert self.rules is not None
        assert self.conversation is not None
        for stream, kind in self.conversation.asides():
            if stream in self._asked_aside:
                continue
            rule = self.rules.streams[stream][kind]
            request = self._asked_aside[stream] = self.conversation.build_aside(stream, kind)
            self._say(rule, request)
            self.timers.start(stream, MESSAGE, self.now, rule.timeout_s + self.settings.patience_s)

    def _say(self, rule: Rule, request: Any) -> None:
        assert self.rules is not None
        self._emit(rule.payload_type, self.rules.wrap(self.own_session_id, request), request)

    @property
    def own_session_id(self) -> bytes:
        """What to send as session ID: before there is one, that of the paused session, or zeros. [V2G2-750]"""
        if self.session_id is not None:
            return self.session_id
        resume = self.resume
        mine = resume is not None and self.protocol is not None and resume.protocol == self.protocol.name
        return resume.session_id if mine and resume is not None else bytes(8)
