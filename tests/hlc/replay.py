"""What replaying recorded sessions needs: the messages of a capture, hardware as a recording shows it, the two ways.

The recorded peer says what it said then; our end decides by itself. What belongs to the hardware of our end is taken
from the recording, for there it was the recording's hardware too:

- `serve`: our station, a recorded vehicle. The outlet is as far as the recorded station's was at the same request (user
  authorized, parameters known, isolation measured), and follows every wish at once. Only the session ID is put in place
  of the recorded one.
- `drive`: our vehicle, a recorded station. In DC its battery is at the voltage at which the recorded vehicle left
  precharge. Each of its requests is answered with the next recorded answer of the wanted kind; where such answers are
  used up the recording ends. The last answer in precharge may be given again, for our contactors close in their own
  time. The recorded driver's decision to stop is ours too: when the recorded charge loop is about to end, our driver
  stops.
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

import exi
from exi.messages.sap import supportedAppProtocolReq
from hlc import sap
from hlc.capture.decoder import Decoder
from hlc.capture.files import Capture
from hlc.capture.seen import Seen
from hlc.decisions import value
from hlc.evcc import Settings as VehicleSettings
from hlc.evcc import Vehicle
from hlc.flow import PLAIN, Close, Effect, Send, Transport
from hlc.ports import AcLimits, Authorization, ControlPilot, Isolation, Mode, SupplyLimits, Trouble
from hlc.rules import Rules
from hlc.rules.din70121 import RULES as DIN70121
from hlc.rules.iso15118_2 import RULES as ISO15118_2
from hlc.rules.iso15118_20.dc import RULES as ISO15118_20_DC
from hlc.rules.iso15118_20.values import number
from hlc.secc import Station
from hlc.security.keylog import Secrets
from hlc.sim import Battery, SimulatedVehicle
from hlc.sim.ac import SimulatedAcVehicle
from hlc.trace.events import Event, Fault, Message, Side
from hlc.v2gtp import PayloadType

EXI = 0x8001
"""Payload type."""
RULES = {rules.name: rules for rules in (DIN70121, ISO15118_2, ISO15118_20_DC)}


class Heard(NamedTuple):
    """A recorded message."""

    at: float
    side: Side
    payload: bytes
    body: Any
    payload_type: int = EXI

    @property
    def name(self) -> str:
        return type(self.body).__name__


class Recorded(NamedTuple):
    """A recorded session."""

    rules: Rules
    heard: list[Heard]

    def wanted(self, name: str) -> type:
        """The class of a message of its protocol."""
        rule = self.rules.by_name[name]
        return next(kind for kind in (rule.request, rule.response) if kind.__name__ == name)

    def all(self, name: str) -> list[Any]:
        """The messages of this name."""
        return [message.body for message in self.heard if message.name == name]

    @property
    def ac(self) -> bool:
        wanted = [getattr(each, "RequestedEnergyTransferMode", "") for each in self.all("ChargeParameterDiscoveryReq")]
        return any(mode.startswith("AC") for mode in wanted)


def load(folder: Path, names: list[str], protocol: str) -> dict[str, list[Recorded]]:
    """The sessions of captures, by file."""
    found = {}
    for name in names:
        path = folder / name
        if not path.exists():
            pytest.skip(f"no {path}")
        found[name] = sessions(path, protocol)
    return found


def sessions(path: Path, protocol: str) -> list[Recorded]:
    """The sessions of a protocol in a capture."""
    heard: dict[int, list[Heard]] = {}
    spoken: set[int] = set()
    kinds = {schema: kind for kind, schema in sap.PROTOCOLS[protocol].schemas.items()} | {"sap": EXI}
    if protocol.startswith("iso15118_20"):
        kinds["iso15118_20_common"] = PayloadType.MAINSTREAM

    def emit(seen: Seen) -> None:
        event = seen.event
        if seen.session is not None and isinstance(event, Message) and event.schema in kinds:
            payload = exi.schema(event.schema).encode(event.message)
            body = event.message if event.schema == "sap" else RULES[protocol].unwrap(event.message)[1]
            message = Heard(event.at, event.side, payload, body, kinds[event.schema])
            heard.setdefault(seen.session.number, []).append(message)
            if event.schema != "sap":
                spoken.add(seen.session.number)

    secrets = Secrets()
    decoder = Decoder(emit, lambda session, verdict: None, secrets=secrets)
    with path.open("rb") as stream:
        for captured in Capture(stream, path.name, secrets.add):
            decoder.frame(captured)
    decoder.close()
    found: list[Recorded] = []
    for key in sorted(spoken):
        if isinstance(heard[key][0].body, supportedAppProtocolReq) or not found:
            found.append(Recorded(RULES[protocol], heard[key]))
        else:  # frames are missing in the capture: the same session goes on
            found[-1].heard.extend(heard[key])
    return found


class RecordedOutlet:
    """The outlet as the recording shows it: `answer` is what the recorded station answered to the request at hand."""

    def __init__(self, *, ac: bool = False) -> None:
        self.ac = ac
        self.answer: Any = None
        self.set_volts = 0.0
        self.relays = False
        self.outputs: list[tuple[float, float]] = []

    def tick(self, now: float) -> None: ...

    def modes(self) -> frozenset[Mode]:
        return frozenset({Mode.AC if self.ac else Mode.DC})

    def limits(self) -> SupplyLimits | AcLimits:
        return AcLimits(230.0, 3, 63.0, 6.0) if self.ac else SupplyLimits(1000.0, 500.0, 350_000.0, 50.0, 0.0, 1.0, 1.0)

    def volts(self) -> float:
        return self.set_volts

    def amps(self) -> float:
        return 0.0

    def available_amps(self) -> float:
        return 63.0

    def rcd_tripped(self) -> bool:
        return False

    def energy_wh(self) -> float:
        return 0.0

    def returned_wh(self) -> float:
        return 0.0

    def wanted_watts(self) -> float | None:
        return None

    def relays_closed(self) -> bool:
        return self.relays

    def control_pilot(self) -> ControlPilot | None:
        return None

    @property
    def ongoing(self) -> bool:
        return str(getattr(self.answer, "EVSEProcessing", "")).startswith("Ongoing")

    def authorization(self) -> Authorization:
        return Authorization.PENDING if self.ongoing else Authorization.GRANTED

    def ready(self) -> bool:
        return not self.ongoing

    def energy_available(self) -> bool:
        return True

    def isolation(self) -> Isolation:
        return Isolation.UNKNOWN if self.ongoing else Isolation.VALID

    def trouble(self) -> Trouble | None:
        return None

    def start_isolation_test(self) -> None: ...

    def output(self, volts: float, amps: float) -> None:
        self.set_volts, self.relays = volts, True
        self.outputs.append((volts, amps))

    def close(self) -> None:
        self.relays = True

    def off(self, *, emergency: bool) -> None:
        self.set_volts, self.relays = 0.0, False

    def show_pilot(self, shown: ControlPilot | float) -> None: ...


class Traced(NamedTuple):
    """What an end reported."""

    events: list[Event]

    def faults(self) -> list[Fault]:
        return [event for event in self.events if isinstance(event, Fault)]

    def clauses(self) -> list[str | None]:
        return [fault.clause for fault in self.faults()]


class Served(NamedTuple):
    """How a recorded vehicle fared at our station."""

    station: Station
    trace: Traced
    exchanges: list[tuple[Any, Any]]
    """Up to the end."""


def serve(recorded: Recorded) -> Served:
    """Our station and the recorded vehicle."""
    heard, rules = recorded.heard, recorded.rules
    outlet, trace = RecordedOutlet(ac=recorded.ac), Traced([])
    station = Station(
        outlet,  # type: ignore[arg-type]
        random=lambda count: bytes(range(1, count + 1)),
        protocols=(sap.PROTOCOLS[rules.name],),
        trace=trace.events.append,
    )
    station.start(heard[0].at)
    exchanges: list[tuple[Any, Any]] = []
    for index, message in enumerate(heard):
        if message.side is not Side.EVCC or station.closed:
            continue
        following = heard[index + 1 : index + 3]
        outlet.answer = next((other.body for other in following if other.side is Side.SECC), None)
        payload = message.payload
        if index > 0 and not isinstance(message.body, rules.first):
            assert station.session_id is not None
            payload = exi.schema(rules.name).encode(rules.wrap(station.session_id, message.body))
        sent = [effect for effect in station.receive(EXI, payload, message.at) if isinstance(effect, Send)]
        assert len(sent) == 1, f"{len(sent)} answers to {message.name}"
        document: Any = exi.schema(rules.name if index > 0 else "sap").decode(sent[0].payload)
        exchanges.append((message.body, document.Body.BodyElement if index > 0 else document))
    return Served(station, trace, exchanges)


AGAIN = 3
"""So often the last answer in precharge is given again."""
RAMP = 36
"""Our driver stops so many answers before the end of the recorded charge loop, or at half of it."""


class Answers:
    """Answers of a recorded station, in order."""

    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded
        self.heard = recorded.heard
        self.next = 0
        self.repeated = 0
        self.places: dict[type, list[int]] = {}

    def answer(self, kind: type) -> Heard | None:
        """The next answer of this kind; None: there is none any more."""
        for index in range(self.next, len(self.heard)):
            message = self.heard[index]
            if message.side is Side.SECC and isinstance(message.body, kind):
                self.next = index + 1
                return message
        last = self.heard[self.next - 1]
        if kind.__name__.endswith("PreChargeRes") and isinstance(last.body, kind) and self.repeated < AGAIN:
            self.repeated += 1
            return last
        return None

    def left(self, kind: type) -> int:
        """How many answers of this kind are left."""
        if kind not in self.places:
            answers = (i for i, m in enumerate(self.heard) if m.side is Side.SECC and isinstance(m.body, kind))
            self.places[kind] = list(answers)
        places = self.places[kind]
        return len(places) - bisect_left(places, self.next)


class RecordedBattery(Battery):
    """A battery at the voltage for which the recorded vehicle asked, and far from full."""

    def __init__(self, volts: float) -> None:
        super().__init__(soc=50.0)
        self.recorded_volts = volts

    def volts(self) -> float:
        return self.recorded_volts

    def charge(self, amps: float, seconds: float) -> float:
        return self.recorded_volts * amps * seconds / 3600.0


class Driven(NamedTuple):
    """How our vehicle fared at a recorded station."""

    vehicle: Vehicle
    trace: Traced
    asked: list[Any]
    missing: type | None
    """The kind of answer that the recording does not have; None: it had all."""


def recorded_vehicle(recorded: Recorded) -> SimulatedVehicle:
    """A vehicle like the recorded one, as far as it shows."""
    if recorded.ac:
        return SimulatedAcVehicle(target_soc=99.0)
    precharge = [value(each.EVSEPresentVoltage) for each in recorded.all("PreChargeRes")]
    precharge += [number(each.EVSEPresentVoltage) for each in recorded.all("DC_PreChargeRes")]
    if not recorded.all("PowerDeliveryReq"):  # precharge was never left
        precharge = [value(each.EVTargetVoltage) for each in recorded.all("PreChargeReq")]
    return SimulatedVehicle(RecordedBattery(precharge[-1] if precharge else 350.0), target_soc=99.0)


def ends_power_delivery(request: Any) -> bool:
    """Whether a PowerDeliveryReq is the last one."""
    return getattr(request, "ReadyToChargeState", None) is False or getattr(request, "ChargeProgress", "") == "Stop"


def accepted(answer: Heard) -> bytes:
    """The recorded choice of a protocol, by the number under which we offer it."""
    chosen = 1 if answer.body.SchemaID is not None else None
    return exi.schema("sap").encode(replace(answer.body, SchemaID=chosen))


def drive(recorded: Recorded, transport: Transport = PLAIN, settings: VehicleSettings | None = None) -> Driven:
    """Our vehicle and the recorded station."""
    rules, trace = recorded.rules, Traced([])
    protocol = sap.PROTOCOLS[rules.name]
    vehicle = Vehicle(recorded_vehicle(recorded), protocols=(protocol,), settings=settings, trace=trace.events.append)
    answers = Answers(recorded)
    loops = ("ChargingStatusRes" if recorded.ac else "CurrentDemandRes", "DC_ChargeLoopRes")
    [loop] = [rules.by_name[name] for name in loops if name in rules.by_name]
    ended = any(ends_power_delivery(request) for request in recorded.all("PowerDeliveryReq"))
    ramp = min(RAMP, answers.left(loop.response) // 2)
    asked: list[Any] = []
    now = 0.0
    pending: list[Effect] = list(vehicle.start(now, transport))
    while not vehicle.closed:
        while not pending and not vehicle.closed:
            deadline = vehicle.next_deadline()
            assert deadline is not None
            now = max(now, deadline)
            pending += vehicle.expire(now)
        if vehicle.closed:
            break
        effect = pending.pop(0)
        if isinstance(effect, Close):
            break
        document: Any = exi.schema(protocol.schemas[effect.payload_type] if asked else "sap").decode(effect.payload)
        request = rules.unwrap(document)[1] if asked else document
        asked.append(request)
        wanted = rules.by_request[type(request)].response if len(asked) > 1 else type(recorded.heard[1].body)
        if wanted is loop.response and answers.left(wanted) <= ramp and ended and not vehicle.stopping:
            pending += vehicle.stop(now, "the recorded driver stopped here")
        answer = answers.answer(wanted)
        if answer is None:
            return Driven(vehicle, trace, asked, wanted)
        now += 0.005
        payload = answer.payload if len(asked) > 1 else accepted(answer)
        pending += vehicle.receive(answer.payload_type, payload, now)
    return Driven(vehicle, trace, asked, None)


TO_THE_END = "the recording goes to the end, and so do we"


class End(NamedTuple):
    """How our vehicle's session with a recorded station ends."""

    last: str
    """The last request."""
    missing: str
    """The answer that the recording does not have; empty: it has all, and the session ended with `reason`."""
    reason: str
    why: str

    def holds(self, driven: Driven) -> None:
        """Assert that it is so."""
        vehicle = driven.vehicle
        assert type(driven.asked[-1]).__name__ == self.last
        assert (driven.missing.__name__ if driven.missing is not None else "") == self.missing
        assert self.reason in vehicle.reason
        assert vehicle.closed is (not self.missing)
        assert vehicle.good is (self.why == TO_THE_END)


def ends_without(message: str, why: str) -> End:
    """The recording has no (further) answer to this message."""
    return End(f"{message}Req", f"{message}Res", "", why)
