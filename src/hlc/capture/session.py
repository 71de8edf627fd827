"""What is known of one recorded session: the facts that a verdict is made of. Pure: messages and closings go in.

The facts are bounded however long the session is: one record per kind of message, first and last occurrences, extremes.
Order and deadlines are held against the rules of the protocol, each stream of exchanges by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from hlc import rules
from hlc.capture import protocol
from hlc.capture.electrical import LOOP_ANSWERS, Electrical
from hlc.capture.reading import Reading
from hlc.capture.tls_facts import TlsFacts
from hlc.capture.where import NOWHERE
from hlc.capture.where import Where as Where
from hlc.rules import MAIN
from hlc.trace.describe import GRAVE
from hlc.trace.events import Side

ALARMS: Final = 32
"""Different alarms that are kept of a session."""
NAMES: Final = 128
"""Different messages of which one is kept; no protocol has as many."""
FIRST: Final = frozenset({"SessionSetupReq"})
"""What follows the handshake in every protocol."""
SEQUENCE_TIMEOUT_S: Final = 60.0
"""V2G_SECC_Sequence_Timeout after supportedAppProtocol, in every protocol."""
SAP_TIMEOUT_S: Final = 2.0
"""V2G_EVCC_Msg_Timeout of supportedAppProtocol, in every protocol."""
STALE: Final = "taken for an older one on the same ports"
"""How a connection went whose SYN was answered as if the one before stood still; the client then resets it."""
EXAMPLES: Final = 8
"""Places that are kept of what may occur often."""


class Closing(NamedTuple):
    """How one side ended the TCP connection: "closed" (FIN) or "reset" (RST)."""

    side: Side
    how: str
    where: Where


class Alarm(msgspec.Struct):
    """Something that a side reported, from its first occurrence on."""

    side: Side
    message: str
    kind: str
    """Name of the element: "ResponseCode", "EVSEStatusCode", "EVErrorCode", "EVSENotification", ..."""
    value: str
    first: Where
    last: Where
    count: int = 1
    asked: Where = NOWHERE
    """Of an answer: the request."""
    allowed: bool | None = None
    """Of an answer: whether the request might be sent there; None: not known."""
    stopping: bool = False
    """The end of the session was agreed on already."""


class Phase(msgspec.Struct):
    """All exchanges of one kind: CableCheck, PreCharge, ..."""

    first: Where
    last: Where
    requests: int = 0
    answers: int = 0
    slow: int = 0
    """Answers later than the vehicle's timeout."""
    worst_s: float = 0.0
    worst: Where = NOWHERE
    late: int = 0
    """Requests later than the station's sequence timeout."""
    idle_s: float = 0.0
    """The longest time from the answer before to a request of this kind."""
    idle: Where = NOWHERE
    idle_limit_s: float = 0.0


class Pending(msgspec.Struct, frozen=True, gc=False):
    """A request without its answer."""

    name: str
    where: Where
    limit_s: float | None


class OutOfSequence(NamedTuple):
    """A request that may not be sent where it was sent."""

    request: str
    after: str
    """The answer that it followed."""
    where: Where
    allowed: tuple[str, ...]
    clause: str
    because: str = ""
    """What in the exchange before did not allow it."""


class Overrun(NamedTuple):
    """A deadline over several exchanges that was not kept."""

    phase: rules.Phase
    began: Where
    ended: Where
    by: str
    """The message that ended the phase at last."""

    @property
    def took_s(self) -> float:
        return self.ended.at - self.began.at


class Kept(msgspec.Struct, frozen=True):
    """A message and its place."""

    where: Where
    body: Any


class Stream(msgspec.Struct):
    """How far the exchanges of one stream have come."""

    allowed: frozenset[str] | None = None
    """What may be asked next."""
    clause: str = ""
    """The clause that says so."""
    request: Any = None
    exchange: tuple[Any, Where, Any] | None = None
    """The last one: request, its place, answer."""
    answer: str = ""
    answered: Where | None = None
    sequence_s: float = 0.0
    """How long the station waits after that answer; 0: not known."""
    pending: Pending | None = None


class Attempts(msgspec.Struct):
    """TCP connections in a row to one station that came to nothing in the same way."""

    station: str
    """Address and port."""
    outcome: str
    """"refused", "unanswered", "closed without a message", ... """
    count: int
    first: Where
    last: Where
    announced: list[str] = []
    """What SDP had announced by then."""


class Session(msgspec.Struct):
    """One session, from its first frame to its last; or attempts to begin one, that came to nothing."""

    number: int
    start: Where
    evcc: str = ""
    secc: str = ""
    attempts: Attempts | None = None
    """There was no session, only these."""
    matching: int | None = None
    """The number of the matching run that made its link."""
    whole: bool = True
    """The capture shows the connection being made."""
    end: Where = NOWHERE
    protocol: str | None = None
    """Name of the protocol as in `hlc.sap.PROTOCOLS`, or the namespace of one that is not known."""
    offered: list[str] = []
    refused: bool = False
    """The station knows none of the protocols offered."""
    session_id: bytes | None = None
    foreign_id: tuple[Side, str, bytes, Where] | None = None
    """The first message with another session ID than the station gave."""
    messages: int = 0
    undecoded: Counter[str] = msgspec.field(default_factory=Counter)
    unread: list[tuple[Where, Side, str]] = []
    """The first of those that are not what their protocol prescribes, and why."""
    oddities: dict[str, tuple[Where, Side, int]] = {}
    """What was tolerated in reading them, where first, of whom, and how often."""
    over: bool = False
    encrypted: bool = False
    """It is encrypted, and nothing of it was decrypted."""
    tls: TlsFacts | None = None
    """What is known of its TLS connection, where it has one."""
    lost: int = 0
    """Octets that the capture lacks."""
    lost_at: Where = NOWHERE
    """Where the first of them are missing."""
    phases: dict[str, Phase] = {}
    first: dict[str, Kept] = {}
    """The first message of each name, by name."""
    last: dict[str, Kept] = {}
    """The last one."""
    alarms: list[Alarm] = []
    isolation: list[tuple[Where, str, str]] = []
    """How the isolation status changed: message and value."""
    sequence: list[OutOfSequence] = []
    overruns: list[Overrun] = []
    running: dict[rules.Phase, Where] = {}
    """Deadlines over several exchanges that have begun and not ended."""
    mismatched: list[tuple[Where, str, str]] = []
    """Answers that belong to another request than the one before: place, request, answer."""
    disordered: int = 0
    """Messages heard before what they answer, or not between a request and its answer: sequence cannot be judged."""
    last_request: str = ""
    last_answer: str = ""
    last_ready: bool | None = None
    """Whether the last PowerDeliveryReq was one to go on (ReadyToChargeState, ChargeProgress)."""
    last_ready_at: Where = NOWHERE
    charged: bool = False
    """The charge loop ran."""
    stop_answered: str = ""
    """ResponseCode of SessionStopRes."""
    stop_asked: Where | None = None
    """When the station first asked the vehicle to stop."""
    closings: list[Closing] = []
    unacknowledged: Counter[Side] = msgspec.field(default_factory=Counter)
    """Retransmissions since the last message, by sender."""
    states: dict[Side, Any] = {}
    electrical: Electrical = msgspec.field(default_factory=Electrical)
    streams: dict[int, Stream] = {}
    calm: dict[str, Mapping[str, Any]] = {}
    """By message name, the values of one that told of no trouble."""

    @property
    def pending(self) -> Pending | None:
        """The request of the main stream that has no answer yet."""
        stream = self.streams.get(MAIN)
        return stream.pending if stream is not None else None

    def talked(self) -> bool:
        """Whether anything beyond the handshake was decoded."""
        return any(name != "supportedAppProtocol" for name in self.phases) or (not self.phases and bool(self.messages))

    def message(self, read: Reading, side: Side, where: Where, payload_type: int) -> None:
        """A message of the session, from `side`."""
        self.end = where
        self.messages += 1
        self.unacknowledged.clear()
        name, header, values = read.name, read.header, read.values
        session_id = getattr(header, "SessionID", None)
        if name == "SessionSetupRes" or (self.session_id is None and name != "SessionSetupReq"):
            self.session_id = session_id or self.session_id
        elif session_id is not None and name != "SessionSetupReq" and session_id != self.session_id:
            self.foreign_id = self.foreign_id or (side, name, session_id, where)
        kept = Kept(where, read.element)
        if name not in self.first and len(self.first) < NAMES:
            self.first[name] = kept
        if name in self.first:
            self.last[name] = kept
        known = None if read.schema == "sap" else protocol.rules(self.protocol or "")
        number = known.stream(payload_type) if known is not None else MAIN
        stream = self.streams.get(number)
        if stream is None:
            stream = self.streams[number] = Stream()
        if name.endswith("Req"):
            self._request(read, side, where, known, number, stream)
        else:
            self._answer(read, side, where, known, number, stream)
        if side is Side.EVCC:
            self.electrical.vehicle(values, name, where)
        else:
            self.electrical.station(values, name, where)
        if header is not None:
            self._notification(name, side, where, header)

    def _request(
        self, read: Reading, side: Side, where: Where, known: rules.Rules | None, number: int, stream: Stream
    ) -> None:
        name, body, values = read.name, read.element, read.values
        allowed, row = stream.allowed, known.streams[number].get(type(body)) if known is not None else None
        if allowed is not None and name not in allowed and len(self.sequence) < ALARMS:
            because = _because(*stream.exchange) if stream.exchange is not None else ""
            wrong = OutOfSequence(name, stream.answer, where, tuple(sorted(allowed)), stream.clause, because)
            self.sequence.append(wrong)
        if stream.pending is not None:
            self.disordered += 1
        stream.request = body
        if known is not None:
            self._phases(known, body, name, where)
        phase = self.phases.get(name.removesuffix("Req"))
        if phase is None:
            phase = self.phases[name.removesuffix("Req")] = Phase(where, where)
        phase.requests += 1
        phase.last = where
        if stream.answered is not None and stream.pending is None and stream.sequence_s:
            waited = where.at - stream.answered.at
            if waited > phase.idle_s:
                phase.idle_s, phase.idle, phase.idle_limit_s = waited, where, stream.sequence_s
            phase.late += waited > stream.sequence_s
        limit = row.timeout_s if row is not None else SAP_TIMEOUT_S if read.schema == "sap" else None
        stream.pending = Pending(name, where, limit)
        if number == MAIN:
            self.last_request = name
            self.stop_answered = ""
            if "ReadyToChargeState" in values:
                self.last_ready, self.last_ready_at = bool(values["ReadyToChargeState"]), where
            elif "ChargeProgress" in values:
                self.last_ready, self.last_ready_at = str(values["ChargeProgress"]) != "Stop", where
        self._alarms(read, side, where, NOWHERE, None)

    def _answer(
        self, read: Reading, side: Side, where: Where, known: rules.Rules | None, number: int, stream: Stream
    ) -> None:
        body, values = read.element, read.values
        name = read.name.removesuffix("Res")
        pending, stream.pending = stream.pending, None
        answers = pending is not None and pending.name == name + "Req"
        if not answers:
            self.disordered += 1
            if pending is not None and len(self.mismatched) < EXAMPLES:
                self.mismatched.append((where, pending.name, read.name))
        phase = self.phases.get(name)
        if phase is not None:
            phase.answers += 1
            phase.last = where
            if pending is not None and answers:
                waited = where.at - pending.where.at
                if waited > phase.worst_s:
                    phase.worst_s, phase.worst = waited, where
                if pending.limit_s is not None and waited > pending.limit_s:
                    phase.slow += 1
        code = str(values.get("ResponseCode", ""))
        failed = _failed(code)
        allowed = None
        if answers and stream.allowed is not None and pending is not None:
            allowed = pending.name in stream.allowed
        if number == MAIN:
            self.last_answer = read.name
            if name == "SessionStop":
                self.stop_answered = code
        row = known.streams[number].get(type(stream.request)) if known is not None else None
        stream.answer, stream.answered = read.name, where
        stream.allowed, stream.clause = None, ""
        stream.sequence_s = SEQUENCE_TIMEOUT_S if read.schema == "sap" else 0.0
        if read.schema == "sap" and not failed:
            stream.allowed, stream.clause = FIRST, "V2G-DC-437, V2G2-543, V2G20-1484"
        if known is not None:
            if row is not None:
                stream.clause = row.clause
            # After a refusal nothing is to follow; what does is no matter of sequence.
            if not failed and self.protocol is not None:
                following = protocol.may_follow(self.protocol, stream.request, body, number)
                stream.allowed = following if following or number == MAIN else None  # aside it may begin anew
            waits = row.sequence_s if row is not None and row.sequence_s is not None else known.sequence_timeout_s
            stream.sequence_s = waits if number == MAIN else 0.0
            self._phases(known, body, read.name, where)
        stream.exchange = (stream.request, pending.where, body) if answers and pending is not None else None
        stream.request = None
        if read.name in LOOP_ANSWERS and not failed:
            self.charged = True
        status = values.get("EVSEIsolationStatus")
        changed = status is not None and (not self.isolation or self.isolation[-1][2] != status)
        if changed and len(self.isolation) < ALARMS:
            self.isolation.append((where, read.name, str(status)))
        self._alarms(read, side, where, pending.where if pending is not None else NOWHERE, allowed)

    def _phases(self, known: rules.Rules, body: Any, name: str, where: Where) -> None:
        """Hold the deadlines over several exchanges against this message."""
        running = self.running
        if running:
            for phase, began in list(running.items()):
                if phase.ends(body):
                    del running[phase]
                    if where.at - began.at > phase.timeout_s and len(self.overruns) < ALARMS:
                        self.overruns.append(Overrun(phase, began, where, name))
        for phase in known.beginning.get(type(body), ()):
            if phase not in running and not phase.ends(body):
                running[phase] = where

    def _alarms(self, read: Reading, side: Side, where: Where, asked: Where, allowed: bool | None) -> None:
        values, name = read.values, read.name
        if values is self.calm.get(name):  # it says the same again
            return
        calm = True
        stopping = self.last_ready is False  # from here on a station is to say EVSE_Shutdown (IEC 61851-23 CC.7.5.19)
        for kind, value in values.items():
            trouble = TROUBLE.get(kind)
            if trouble is None or not trouble(value):
                continue
            calm = False
            if stopping and value in ORDERLY:
                continue
            if self.stop_asked is None and kind in ("EVSEStatusCode", "EVSENotification"):
                self.stop_asked = where
            self._alarm(Alarm(side, name, kind, str(value), where, where, 1, asked, allowed, stopping))
        if calm and len(self.calm) < NAMES:
            self.calm[name] = values

    def _notification(self, name: str, side: Side, where: Where, header: Any) -> None:
        notification = getattr(header, "Notification", None)
        if notification is not None:
            text = f"{notification.FaultCode} {notification.FaultMsg or ''}".strip()
            self._alarm(Alarm(side, name, "Notification", text, where, where))

    def _alarm(self, alarm: Alarm) -> None:
        for known in self.alarms:
            if (known.kind, known.value, known.message) == (alarm.kind, alarm.value, alarm.message):
                known.count += 1
                known.last = alarm.first
                return
        if len(self.alarms) < ALARMS:
            self.alarms.append(alarm)

    def odd(self, text: str, side: Side, where: Where) -> None:
        """Something that was tolerated in reading a message."""
        first, who, count = self.oddities.get(text, (where, side, 0))
        if count or len(self.oddities) < EXAMPLES:
            self.oddities[text] = first, who, count + 1


def _because(request: Any, where: Where, response: Any) -> str:
    """What in an exchange decides on what may follow."""
    name = type(request).__name__
    ready = getattr(request, "ReadyToChargeState", None)
    if ready is not None:
        return f"the {name} in frame {where.frame} said ReadyToChargeState " + (
            "true, which means start" if ready else "false, which means stop"
        )
    progress = getattr(request, "ChargeProgress", None)
    if str(getattr(request, "EVProcessing", "Finished")) != "Finished":
        return f"the {name} in frame {where.frame} said EVProcessing {request.EVProcessing}"
    if progress is not None:
        return f"the {name} in frame {where.frame} said {progress}"
    processing = str(getattr(response, "EVSEProcessing", "Finished"))
    if processing != "Finished":
        return f"{type(response).__name__} said EVSEProcessing {processing}"
    status = getattr(response, "DC_EVSEStatus", None)
    if type(response).__name__ == "CableCheckRes" and status is not None:
        level = status.EVSEIsolationStatus or "not told"
        return f"CableCheckRes finished with isolation {level} and {status.EVSEStatusCode}"
    return ""


def _failed(value: str) -> bool:
    return value.startswith(("FAILED", "Failed"))


TROUBLE: Final[dict[str, Callable[[Any], bool]]] = {
    "ResponseCode": lambda value: str(value).startswith(("FAILED", "WARNING")),
    "EVErrorCode": lambda value: value not in ("NO_ERROR", "NoData", "OK_NoEVError"),
    "EVSEStatusCode": lambda value: value in GRAVE,
    "EVSENotification": lambda value: value in ("StopCharging", "Terminate", "Pause"),
    "EVSEIsolationStatus": lambda value: value == "Fault",
    "GoToPause": bool,
    "RCD": bool,
    "EVTerminationCode": bool,
    "EVSEEmergencyShutdown": bool,
    "EVSEMalfunction": bool,
    "EVSEUtilityInterruptEvent": bool,
    "EVSEDisabled": bool,
    "EVAssociationStatus": lambda value: value is False,
    "EVImmobilized": lambda value: value is False,
    "SPCChargeDiagnostics": lambda value: value not in ("SPCNoIssue",),
    "EVPCChargeDiagnostics": lambda value: value not in ("EVPCNoIssue",),
}
"""Elements whose values tell of trouble or of an end."""

ORDERLY: Final = ("EVSE_Shutdown", "StopCharging", "Terminate", "Pause")
"""Values by which a station asks for an orderly end, or acknowledges it."""
