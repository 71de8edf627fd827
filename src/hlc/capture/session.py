"""What is known of one recorded session: the facts that a verdict is made of. Pure: messages and closings go in.

The facts are bounded however long the session is: one record per kind of message, first and last occurrences, extremes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from hlc import rules
from hlc.capture import protocol
from hlc.decisions import matched
from hlc.trace.describe import GRAVE, document, leaves
from hlc.trace.events import Message, Side

ALARMS: Final = 32
"""Different alarms that are kept of a session."""


class Where(NamedTuple):
    """A moment in a capture."""

    at: float
    frame: int


class Closing(NamedTuple):
    """How one side ended the TCP connection: "closed" (FIN) or "reset" (RST)."""

    side: Side
    how: str
    where: Where


@dataclass
class Alarm:
    """Something that a side reported, from its first occurrence on."""

    side: Side
    message: str
    kind: str
    """Name of the element: "ResponseCode", "EVSEStatusCode", "EVErrorCode", "EVSENotification", ..."""
    value: str
    first: Where
    count: int = 1


NOWHERE: Final = Where(0.0, 0)


@dataclass
class Phase:
    """All exchanges of one kind: CableCheck, PreCharge, ..."""

    first: Where
    last: Where
    requests: int = 0
    answers: int = 0
    slow: int = 0
    """Answers later than the vehicle's timeout."""
    worst_s: float = 0.0
    worst: Where = NOWHERE


@dataclass
class Electrical:
    """Electrical values over the session."""

    soc_first: int | None = None
    soc_last: int | None = None
    target_volts: float | None = None
    target_amps: float | None = None
    volts: float | None = None
    amps: float | None = None
    peak_volts: float = 0.0
    peak_amps: float = 0.0
    asked_amps: float = 0.0
    """Most that the vehicle asked for in the charge loop."""
    energy_wh: float = 0.0
    """Integral of the station's reported voltage and current; in AC, by its meter."""
    meter_first: int | None = None
    """The first reading of that meter, Wh."""
    nearest_volts: float | None = None
    """In precharge, the reported voltage that came nearest to the target then asked for."""
    nearest_target: float | None = None
    nearest: Where = NOWHERE
    matched: Where | None = None
    """When the reported precharge voltage first came within the limit of the target."""
    overshoot: tuple[float, float, Where] | None = None
    """Reported voltage, target and moment of the worst excess over the target in the charge loop."""
    metered_at: float | None = None


class Pending(NamedTuple):
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


class Overrun(NamedTuple):
    """A deadline over several exchanges that was not kept."""

    timer: str
    limit_s: float
    took_s: float
    where: Where
    """When the phase ended at last."""
    clause: str | None


@dataclass
class Attempts:
    """TCP connections in a row to one station that came to nothing in the same way."""

    station: str
    """Address and port."""
    outcome: str
    """"refused", "unanswered", "closed without a message", ... """
    count: int
    first: Where
    last: Where
    announced: list[str] = field(default_factory=list)
    """What SDP had announced by then."""


@dataclass
class Session:
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
    offered: list[str] = field(default_factory=list)
    refused: bool = False
    """The station knows none of the protocols offered."""
    session_id: bytes | None = None
    foreign_id: tuple[Side, str, bytes, Where] | None = None
    """The first message with another session ID than the station gave."""
    messages: int = 0
    undecoded: Counter[str] = field(default_factory=Counter)
    over: bool = False
    encrypted: bool = False
    lost: int = 0
    """Octets that the capture lacks."""
    phases: dict[str, Phase] = field(default_factory=dict)
    alarms: list[Alarm] = field(default_factory=list)
    sequence: list[OutOfSequence] = field(default_factory=list)
    overruns: list[Overrun] = field(default_factory=list)
    disordered: int = 0
    """Messages heard before what they answer, or not between a request and its answer: sequence cannot be judged."""
    pending: Pending | None = None
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
    closings: list[Closing] = field(default_factory=list)
    unacknowledged: Counter[Side] = field(default_factory=Counter)
    """Retransmissions since the last message, by sender."""
    states: dict[Side, Any] = field(default_factory=dict)
    electrical: Electrical = field(default_factory=Electrical)
    _allowed: frozenset[str] | None = None
    """What may be asked next."""
    _clause: str = ""
    """The clause that says so."""
    _request_body: Any = None
    _running: dict[rules.Phase, Where] = field(default_factory=dict)

    def talked(self) -> bool:
        """Whether anything beyond the handshake was decoded."""
        return any(name != "supportedAppProtocol" for name in self.phases) or (not self.phases and bool(self.messages))

    def message(self, event: Message, frame: int) -> None:
        """A decoded message of the session."""
        where = Where(event.at, frame)
        self.end = where
        self.messages += 1
        self.unacknowledged.clear()
        header, element = document(event.message)
        session_id = getattr(header, "SessionID", None)
        if event.name == "SessionSetupRes" or (self.session_id is None and event.name != "SessionSetupReq"):
            self.session_id = session_id or self.session_id
        elif session_id is not None and event.name != "SessionSetupReq" and session_id != self.session_id:
            self.foreign_id = self.foreign_id or (event.side, event.name, session_id, where)
        values = leaves(element)
        if event.name.endswith("Req"):
            self._request(event, where, values, element)
        else:
            self._answer(event, where, values, element)
        self._alarms(event, where, values, header)
        if event.side is Side.EVCC:
            self._vehicle(values, event.name)
        else:
            self._station(values, event.name, where)

    def _request(self, event: Message, where: Where, values: dict[str, Any], body: Any) -> None:
        name = event.name
        allowed, rule = self._allowed, protocol.rule(event.schema, name)
        if allowed is not None and name not in allowed and len(self.sequence) < ALARMS:
            self.sequence.append(OutOfSequence(name, self.last_answer, where, tuple(sorted(allowed)), self._clause))
        if self.pending is not None:
            self.disordered += 1
        self._allowed = None
        self._request_body = body
        self._phase_begins(event.schema, body, where)
        limit = rule.timeout_s if rule else None
        phase = self.phases.setdefault(name.removesuffix("Req"), Phase(where, where))
        phase.requests += 1
        phase.last = where
        self.pending = Pending(name, where, limit)
        self.last_request = name
        if "ReadyToChargeState" in values:
            self.last_ready, self.last_ready_at = bool(values["ReadyToChargeState"]), where
        elif "ChargeProgress" in values:
            self.last_ready, self.last_ready_at = str(values["ChargeProgress"]) != "Stop", where

    def _answer(self, event: Message, where: Where, values: dict[str, Any], body: Any) -> None:
        name = event.name.removesuffix("Res")
        pending, self.pending = self.pending, None
        if pending is None or pending.name != name + "Req":
            self.disordered += 1
        phase = self.phases.get(name)
        if phase is not None:
            phase.answers += 1
            phase.last = where
            if pending is not None and pending.name == name + "Req":
                waited = where.at - pending.where.at
                if waited > phase.worst_s:
                    phase.worst_s, phase.worst = waited, where
                if pending.limit_s is not None and waited > pending.limit_s:
                    phase.slow += 1
        self.last_answer = event.name
        if name == "SessionStop":
            self.stop_answered = str(values.get("ResponseCode", ""))
        self._allowed = protocol.may_follow(event.schema, self._request_body, body)
        self._clause = rule.clause if (rule := protocol.rule(event.schema, event.name)) else ""
        self._request_body = None
        self._phase_begins(event.schema, body, where)

    def _phase_begins(self, schema: str, body: Any, where: Where) -> None:
        """Hold the deadlines over several exchanges against this message."""
        known = protocol.rules(schema)
        if known is None or body is None:
            return
        for phase, began in list(self._running.items()):
            if phase.ends(body):
                del self._running[phase]
                if where.at - began.at > phase.timeout_s and len(self.overruns) < ALARMS:
                    self.overruns.append(Overrun(phase.evcc, phase.timeout_s, where.at - began.at, where, phase.clause))
        for phase in known.beginning.get(type(body), ()):
            if not phase.ends(body):
                self._running.setdefault(phase, where)

    def _alarms(self, event: Message, where: Where, values: dict[str, Any], header: Any) -> None:
        stopping = self.last_ready is False  # from here on a station is to say EVSE_Shutdown (IEC 61851-23 CC.7.5.19)
        for kind, trouble in TROUBLE.items():
            value = values.get(kind)
            if value is None or not trouble(value) or (stopping and value in ORDERLY):
                continue
            if self.stop_asked is None and kind in ("EVSEStatusCode", "EVSENotification"):
                self.stop_asked = where
            self._alarm(Alarm(event.side, event.name, kind, str(value), where))
        notification = getattr(header, "Notification", None)
        if notification is not None:
            text = f"{notification.FaultCode} {notification.FaultMsg or ''}".strip()
            self._alarm(Alarm(event.side, event.name, "Notification", text, where))

    def _alarm(self, alarm: Alarm) -> None:
        for known in self.alarms:
            if (known.kind, known.value, known.message) == (alarm.kind, alarm.value, alarm.message):
                known.count += 1
                return
        if len(self.alarms) < ALARMS:
            self.alarms.append(alarm)

    def _vehicle(self, values: dict[str, Any], name: str) -> None:
        state = self.electrical
        soc = values.get("EVRESSSOC", values.get("PresentSOC"))
        if isinstance(soc, int):
            state.soc_first = soc if state.soc_first is None else state.soc_first
            state.soc_last = soc
        if "EVTargetVoltage" in values:
            state.target_volts = values["EVTargetVoltage"].value
        if "EVTargetCurrent" in values:
            state.target_amps = values["EVTargetCurrent"].value
            if name == "CurrentDemandReq":
                state.asked_amps = max(state.asked_amps, values["EVTargetCurrent"].value)

    def _station(self, values: dict[str, Any], name: str, where: Where) -> None:
        state = self.electrical
        if name in ("CurrentDemandRes", "ChargingStatusRes") and not _failed(str(values.get("ResponseCode", ""))):
            self.charged = True
        if name == "ChargingStatusRes" and isinstance(reading := values.get("MeterReading"), int):
            state.meter_first = reading if state.meter_first is None else state.meter_first
            state.energy_wh = max(0.0, float(reading - state.meter_first))
        if "EVSEPresentVoltage" not in values:
            return
        volts = values["EVSEPresentVoltage"].value
        if "EVSEPresentCurrent" in values:
            amps = values["EVSEPresentCurrent"].value
            if state.metered_at is not None and state.volts is not None and state.amps is not None:
                hours = min(max(0.0, where.at - state.metered_at), METER_GAP_S) / 3600
                state.energy_wh += (state.volts * state.amps + volts * amps) / 2 * hours
            state.metered_at = where.at
            state.amps = amps
            state.peak_amps = max(state.peak_amps, amps)
        state.volts = volts
        state.peak_volts = max(state.peak_volts, volts)
        target = state.target_volts
        if target is None:
            return
        if name == "PreChargeRes":
            far = abs(volts - target)
            if (
                state.nearest_volts is None
                or state.nearest_target is None
                or far < abs(state.nearest_volts - state.nearest_target)
            ):
                state.nearest_volts, state.nearest_target, state.nearest = volts, target, where
            if matched(volts, target) and state.matched is None:
                state.matched = where
        elif name == "CurrentDemandRes" and target > 0:
            worst = state.overshoot
            if worst is None or volts - target > worst[0] - worst[1]:
                state.overshoot = (volts, target, where)


METER_GAP_S: Final = 5.0
"""Energy is not integrated across longer silences."""


def _failed(value: str) -> bool:
    return value.upper().startswith("FAILED")


TROUBLE: Final[dict[str, Callable[[str], bool]]] = {
    "ResponseCode": _failed,
    "EVErrorCode": lambda value: value not in ("NO_ERROR", "NoData"),
    "EVSEStatusCode": lambda value: value in GRAVE,
    "EVSENotification": lambda value: value == "StopCharging",
    "EVSEIsolationStatus": lambda value: value == "Fault",
}
"""Elements whose values tell of trouble or of an end."""

ORDERLY: Final = ("EVSE_Shutdown", "StopCharging")
"""Values by which a station asks for an orderly end, or acknowledges it."""
