"""Recorded vehicles drive our station, and recorded stations drive our vehicle.

The recorded peer says what it said then; our end decides by itself. What belongs to the hardware of our end is taken
from the recording, for there it was the recording's hardware too:

- Our station's outlet is as far as the recorded station's was at the same request (user authorized, parameters known,
  isolation measured), and follows every wish at once. Only the session ID is put in place of the recorded one.
- Our vehicle has a battery at the voltage at which the recorded vehicle left precharge. Each of its requests is
answered with
  the next recorded answer of the wanted kind; where such answers are used up the recording ends. The last answer in
  precharge may be given again, for our contactors close in their own time. The recorded driver's decision to stop is
  ours too: when the recorded charge loop is about to end, our driver stops.

Where our end does not stay in sequence the table says why; the reason must be the recording's.
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import exi
from exi.messages import din70121 as din
from exi.messages.din70121 import EVSEProcessing
from hlc.capture.decoder import Decoder
from hlc.capture.files import Capture
from hlc.capture.seen import Seen
from hlc.decisions import value
from hlc.evcc import Vehicle
from hlc.flow import Close, Effect, Send, failed
from hlc.ports import Authorization, ControlPilot, Isolation, SupplyLimits, Trouble
from hlc.rules.din70121 import RULES, wrap
from hlc.secc import Station
from hlc.sim import Battery, SimulatedVehicle
from hlc.trace.events import Blame, Event, Fault, Message, Side

EXI = 0x8001
"""Payload type."""


class Heard(NamedTuple):
    """A recorded message."""

    at: float
    side: Side
    payload: bytes
    body: Any

    @property
    def name(self) -> str:
        return type(self.body).__name__


SESSIONS = {
    "2022-11-25_v0.2_ABB_until_ChargeParamDiscovery.pcapng": 1,
    "2022-12-13_compleo_with_bulb.pcapng": 1,
    "2022-12-20_alpi_currentDemandSequenceErrorShutdown.pcapng": 1,
    "2023-04-19_compleo_pyPlc_lightbulb_failedBadRegulation.pcapng": 2,
    "2023-04-24_atHome_Ioniq_without_and_with_60W_bulbs.pcapng": 3,
    "2023-05-24_pyPlc_with_Ioniq93prcSoc.pcapng": 1,
    "2024-04-20_ModelY_pyPLC_stop_in_precharge.pcapng": 1,
    "2024-06-18_Griffigroen_pyPLC_polestar2_discharging_with_additional_prechargeCircuit.pcapng": 1,
    "2026-02-03_pyPLC_FoccciCape_with_Ioniq_runs_10_minutes.pcap": 2,
    "DIN_DC_DS5366_Josev.pcapng": 1,
    "spi_ioniq_alpiHYC150_makerspace_landsberg_left_small_2024-04-03_ok.csv.pcap": 1,
}
"""Every capture with sessions of DIN 70121, and how many."""
ALL = [(name, number) for name, count in SESSIONS.items() for number in range(count)]
LABELS = [f"{name[:30]}-{number}" for name, number in ALL]


@pytest.fixture(scope="module")
def recorded(reference: Path) -> dict[str, list[list[Heard]]]:
    """The messages of every session, in order."""
    found = {}
    for name in SESSIONS:
        path = reference / "captures" / name
        if not path.exists():
            pytest.skip(f"no {path}")
        found[name] = sessions(path)
    return found


def sessions(path: Path) -> list[list[Heard]]:
    """The messages in a capture, by session."""
    heard: dict[int, list[Heard]] = {}

    def emit(seen: Seen) -> None:
        event = seen.event
        if seen.session is not None and isinstance(event, Message) and event.schema in ("sap", "din70121"):
            payload = exi.schema(event.schema).encode(event.message)
            body = event.message if event.schema == "sap" else event.message.Body.BodyElement
            heard.setdefault(seen.session.number, []).append(Heard(event.at, event.side, payload, body))

    decoder = Decoder(emit, lambda session, verdict: None)
    with path.open("rb") as stream:
        for captured in Capture(stream, path.name):
            decoder.frame(captured)
    decoder.close()
    return [heard[key] for key in sorted(heard)]


class RecordedOutlet:
    """The outlet as the recording shows it: `answer` is what the recorded station answered to the request at hand."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.set_volts = 0.0
        self.relays = False
        self.outputs: list[tuple[float, float]] = []

    def tick(self, now: float) -> None: ...

    def limits(self) -> SupplyLimits:
        return SupplyLimits(1000.0, 500.0, 350_000.0, 50.0, 0.0, 1.0, 1.0)

    def volts(self) -> float:
        return self.set_volts

    def amps(self) -> float:
        return 0.0

    def energy_wh(self) -> float:
        return 0.0

    def relays_closed(self) -> bool:
        return self.relays

    def control_pilot(self) -> ControlPilot | None:
        return None

    @property
    def ongoing(self) -> bool:
        return getattr(self.answer, "EVSEProcessing", None) is EVSEProcessing.Ongoing

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


def serve(heard: list[Heard]) -> tuple[Station, Traced, list[tuple[Any, Any]]]:
    """Our station and the recorded vehicle: station, its trace, the exchanges up to the end."""
    outlet, events = RecordedOutlet(), Traced([])
    station = Station(outlet, random=lambda count: bytes(range(1, count + 1)), trace=events.events.append)
    station.start(heard[0].at)
    exchanges: list[tuple[Any, Any]] = []
    for index, message in enumerate(heard):
        if message.side is not Side.EVCC or station.closed:
            continue
        following = heard[index + 1 : index + 3]
        outlet.answer = next((other.body for other in following if other.side is Side.SECC), None)
        payload = message.payload
        if index > 0 and not isinstance(message.body, din.SessionSetupReq):
            assert station.session_id is not None
            payload = exi.schema("din70121").encode(wrap(station.session_id, message.body))
        sent = [effect for effect in station.receive(EXI, payload, message.at) if isinstance(effect, Send)]
        assert len(sent) == 1, f"{len(sent)} answers to {message.name}"
        document: Any = exi.schema("din70121" if index > 0 else "sap").decode(sent[0].payload)
        exchanges.append((message.body, document.Body.BodyElement if index > 0 else document))
    return station, events, exchanges


OUT_OF_SEQUENCE = {
    ("2022-11-25_v0.2_ABB_until_ChargeParamDiscovery.pcapng", 0): (
        "ChargeParameterDiscoveryReq",
        "the early pyPLC left ContractAuthenticationReq out; the ABB did not answer it either",
    ),
    ("2022-12-20_alpi_currentDemandSequenceErrorShutdown.pcapng", 0): (
        "CurrentDemandReq",
        "pyPLC meant to start and sent ReadyToChargeState false; the Alpitronic answered the same error",
    ),
}
"""Where our station refuses a recorded request: which, and why that is the recording's doing."""


@pytest.mark.parametrize(("name", "number"), ALL, ids=LABELS)
def test_recorded_vehicles_are_served_in_sequence(
    recorded: dict[str, list[list[Heard]]], name: str, number: int
) -> None:
    heard = recorded[name][number]
    station, events, exchanges = serve(heard)
    outlet = station.outlet
    assert isinstance(outlet, RecordedOutlet)
    wishes = [value(request.EVTargetCurrent) for request, _ in exchanges if isinstance(request, din.CurrentDemandReq)]
    assert max([amps for _, amps in outlet.outputs], default=0.0) <= max([2.0, *wishes])
    assert not [fault for fault in events.faults() if fault.blame is Blame.LOCAL]
    requests = [message for message in heard if message.side is Side.EVCC]
    refused, _reason = OUT_OF_SEQUENCE.get((name, number), (None, ""))
    if refused is not None:
        request, response = exchanges[-1]
        assert type(request).__name__ == refused
        assert response.ResponseCode is din.ResponseCode.FAILED_SequenceError
        assert all(not failed(response) for _, response in exchanges[:-1])
        assert station.closed
        return
    assert len(exchanges) == len(requests)
    assert all(not failed(response) for _, response in exchanges)
    assert "V2G-DC-390" not in events.clauses()
    assert "V2G-DC-391" not in events.clauses()
    stopped = isinstance(requests[-1].body, din.SessionStopReq)
    assert station.closed is stopped
    if not stopped:
        station.lost(requests[-1].at + 1.0, "the recording ends")
    assert station.closed


AGAIN = 3
"""So often the last answer in precharge is given again."""
RAMP = 36
"""Our driver stops so many answers before the end of the recorded charge loop, or at half of it."""


class Recording:
    """Answers of a recorded station, in order."""

    def __init__(self, heard: list[Heard]) -> None:
        self.heard = heard
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
        if kind is din.PreChargeRes and isinstance(last.body, kind) and self.repeated < AGAIN:
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


def drive(heard: list[Heard]) -> tuple[Vehicle, Traced, list[Any], type | None]:
    """Our vehicle and the recorded station: vehicle, its trace, what it asked, and the kind of answer that was
    missing."""
    precharge = [value(m.body.EVSEPresentVoltage) for m in heard if isinstance(m.body, din.PreChargeRes)]
    if not any(isinstance(m.body, din.PowerDeliveryReq) for m in heard):  # precharge was never left
        precharge = [value(m.body.EVTargetVoltage) for m in heard if isinstance(m.body, din.PreChargeReq)]
    ev = SimulatedVehicle(RecordedBattery(precharge[-1] if precharge else 350.0), target_soc=99.0)
    events = Traced([])
    vehicle = Vehicle(ev, trace=events.events.append)
    recording = Recording(heard)
    ended_recorded = any(isinstance(m.body, din.PowerDeliveryReq) and not m.body.ReadyToChargeState for m in heard)
    ramp = min(RAMP, recording.left(din.CurrentDemandRes) // 2)
    asked: list[Any] = []
    now = 0.0
    pending: list[Effect] = list(vehicle.start(now))
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
        assert isinstance(effect, Send)
        document: Any = exi.schema("din70121" if asked else "sap").decode(effect.payload)
        request = document.Body.BodyElement if asked else document
        asked.append(request)
        wanted = type(heard[1].body) if len(asked) == 1 else RULES.by_request[type(request)].response
        if (
            wanted is din.CurrentDemandRes
            and recording.left(wanted) <= ramp
            and ended_recorded
            and not vehicle.stopping
        ):
            pending += vehicle.stop(now, "the recorded driver stopped here")
        answer = recording.answer(wanted)
        if answer is None:
            return vehicle, events, asked, wanted
        now += 0.005
        pending += vehicle.receive(EXI, answer.payload, now)
    return vehicle, events, asked, None


class End(NamedTuple):
    """How our vehicle's session with a recorded station ends."""

    last: str
    """The last request."""
    missing: str
    """The answer that the recording does not have; empty: it has all, and the session ended with `reason`."""
    reason: str
    why: str


NO_WELDING = "the recorded vehicle left WeldingDetection out, which it may"
TO_THE_END = "the recording goes to the end, and so do we"
UNTIL_THEN = "the recording, or the vehicle in it, breaks off in the charge loop"
EMERGENCY = "the Compleo reported an emergency (a lamp for a battery), pyPLC went on until it was cut off"
NO_VOLTAGE = "there was no voltage at the Tesla's inlet: it never left precharge"
ABB = ("2022-11-25_v0.2_ABB_until_ChargeParamDiscovery.pcapng", 0)
LAMP = "2023-04-19_compleo_pyPlc_lightbulb_failedBadRegulation.pcapng"
LAMPS = "2023-04-24_atHome_Ioniq_without_and_with_60W_bulbs.pcapng"
POLESTAR = "2024-06-18_Griffigroen_pyPLC_polestar2_discharging_with_additional_prechargeCircuit.pcapng"
FOCCCI = "2026-02-03_pyPLC_FoccciCape_with_Ioniq_runs_10_minutes.pcap"
ALPITRONIC = "spi_ioniq_alpiHYC150_makerspace_landsberg_left_small_2024-04-03_ok.csv.pcap"


def ends_without(message: str, why: str) -> End:
    """The recording has no (further) answer to this message."""
    return End(f"{message}Req", f"{message}Res", "", why)


ENDS = {
    ABB: ends_without("ContractAuthentication", "the early pyPLC left ContractAuthenticationReq out"),
    ("2022-12-13_compleo_with_bulb.pcapng", 0): ends_without(
        "SessionStop", "we stop at the emergency shutdown, pyPLC asked on in precharge"
    ),
    ("2022-12-20_alpi_currentDemandSequenceErrorShutdown.pcapng", 0): End(
        "CurrentDemandReq", "", "FAILED_SequenceError", "pyPLC meant to start and sent ReadyToChargeState false"
    ),
    (LAMP, 0): ends_without("PowerDelivery", EMERGENCY),
    (LAMP, 1): ends_without("PowerDelivery", EMERGENCY),
    (LAMPS, 0): ends_without("ChargeParameterDiscovery", "the recorded station fell silent here"),
    (LAMPS, 1): ends_without("WeldingDetection", NO_WELDING),
    (LAMPS, 2): ends_without("WeldingDetection", NO_WELDING),
    ("2023-05-24_pyPlc_with_Ioniq93prcSoc.pcapng", 0): ends_without("CurrentDemand", UNTIL_THEN),
    ("2024-04-20_ModelY_pyPLC_stop_in_precharge.pcapng", 0): ends_without("PowerDelivery", NO_VOLTAGE),
    (POLESTAR, 0): ends_without("WeldingDetection", "the Polestar stopped at 290 V, we wait for the voltage to fall"),
    (FOCCCI, 0): ends_without("WeldingDetection", NO_WELDING),
    (FOCCCI, 1): ends_without("CurrentDemand", UNTIL_THEN),
    ("DIN_DC_DS5366_Josev.pcapng", 0): End("SessionStopReq", "", "recorded driver", TO_THE_END),
    (ALPITRONIC, 0): End("SessionStopReq", "", "recorded driver", TO_THE_END),
}


@pytest.mark.parametrize(("name", "number"), ALL, ids=LABELS)
def test_recorded_stations_are_asked_in_sequence(
    recorded: dict[str, list[list[Heard]]], name: str, number: int
) -> None:
    vehicle, events, asked, missing = drive(recorded[name][number])
    end = ENDS[name, number]
    assert not [fault for fault in events.faults() if fault.blame is Blame.LOCAL]
    assert type(asked[-1]).__name__ == end.last
    assert (missing.__name__ if missing is not None else "") == end.missing
    assert end.reason in vehicle.reason
    assert vehicle.closed is (not end.missing)
    assert vehicle.good is (end.why == TO_THE_END)


def test_the_recorded_loops_are_followed(recorded: dict[str, list[list[Heard]]]) -> None:
    """An Ioniq's whole charge at an Alpitronic: each of its answers in the loop is used but the last few."""
    heard = recorded[ALPITRONIC][0]
    vehicle, _, asked, _ = drive(heard)
    loop = sum(isinstance(request, din.CurrentDemandReq) for request in asked)
    assert loop > 367 - RAMP
    assert vehicle.session_id is not None
    assert vehicle.session_id.hex() == "0000000032a24651"
