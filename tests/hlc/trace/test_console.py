"""What a reader sees: headings, folded loops, codes, colours only where they are wanted, nothing too wide."""

from __future__ import annotations

import io
import re
from ipaddress import IPv6Address

import pytest

from exi.messages import din70121 as din
from hlc.ids import ChargePointState, VehicleState, message_id
from hlc.sdp import SdpResponse
from hlc.trace.console import Console
from hlc.trace.events import (
    Blame,
    Event,
    Fault,
    Measurement,
    Message,
    Note,
    SessionEnded,
    Side,
    StateEntered,
    TimerExpired,
)

ESCAPES = re.compile(r"\x1b\[[0-9;]*[mK]")


class Terminal(io.StringIO):
    """A terminal of 80 columns."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class File(io.StringIO):
    """A log file."""

    encoding = "utf-8"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


def message(at: float, side: Side, body: din.BodyElement) -> Message:
    document = din.V2G_Message(Header=din.MessageHeader(SessionID=b"\1"), Body=din.Body(BodyElement=body))
    name = type(body).__name__
    number = message_id("din70121", name)
    return Message(at=at, side=side, schema="din70121", name=name, id=number, message=document)


def cable_check(at: float, processing: din.EVSEProcessing, code: str = "OK") -> Message:
    status = din.DC_EVSEStatus(
        EVSEStatusCode=din.DC_EVSEStatusCode.EVSE_Ready,
        NotificationMaxDelay=0,
        EVSENotification=din.EVSENotification("None"),
    )
    body = din.CableCheckRes(ResponseCode=din.ResponseCode(code), DC_EVSEStatus=status, EVSEProcessing=processing)
    return message(at, Side.SECC, body)


def request(at: float, soc: int = 20) -> Message:
    status = din.DC_EVStatus(EVReady=True, EVErrorCode=din.DC_EVErrorCode.NO_ERROR, EVRESSSOC=soc)
    return message(at, Side.EVCC, din.CableCheckReq(DC_EVStatus=status))


def shown(*events: Event, stream: io.StringIO | None = None, **options: object) -> list[str]:
    stream = stream if stream is not None else File()
    console = Console(stream, **options)  # type: ignore[arg-type]
    for event in events:
        console(event)
    return stream.getvalue().splitlines()


ONGOING, FINISHED = din.EVSEProcessing.Ongoing, din.EVSEProcessing.Finished
VEHICLE = StateEntered(at=1.0, side=Side.EVCC, state=VehicleState.CABLE_CHECK)
STATION = StateEntered(at=1.0, side=Side.SECC, state=ChargePointState.CABLE_CHECK)


def test_loops_are_folded_to_what_is_new() -> None:
    loop = [event for at in (1.1, 1.2, 1.3) for event in (request(at, soc=int(at * 10)), cable_check(at, ONGOING))]
    assert shown(VEHICLE, request(1.0), STATION, cable_check(1.0, ONGOING), *loop, cable_check(1.4, FINISHED)) == [
        "Cable Check",
        "     1.00 s  EVCC  11  114 CableCheckReq               SoC 20 %",
        "     1.00 s  SECC  11  115 CableCheckRes               Ongoing",
        "     1.40 s  SECC  11  115 CableCheckRes               Finished",
    ]


def test_a_station_alone_has_the_heading_before_the_request() -> None:
    assert shown(request(1.0), STATION, cable_check(1.0, ONGOING)) == [
        "Cable Check",
        "     1.00 s  EVCC      114 CableCheckReq               SoC 20 %",
        "     1.00 s  SECC  11  115 CableCheckRes               Ongoing",
    ]
    # A request that leads nowhere is shown all the same.
    note = Note(at=1.1, side=Side.SECC, text="no answer")
    assert shown(request(1.0), note)[0].endswith("SoC 20 %")


def test_every_kind_of_event() -> None:
    assert shown(
        Note(at=11.0, side=Side.SECC, text="a limit was clamped"),
        TimerExpired(at=12.0, side=Side.EVCC, timer="V2G_EVCC_Msg_Timeout", limit_s=2.0),
        Fault(at=12.0, side=Side.EVCC, blame=Blame.REMOTE, text="no answer", clause="V2G-DC-391"),
        StateEntered(at=12.0, side=Side.EVCC, state=VehicleState.ERROR),
        SessionEnded(at=13.0, side=Side.EVCC, good=False, reason="timeout", energy_wh=1234.0),
        began=10.0,
    ) == [
        "     1.00 s  SECC       note a limit was clamped",
        "     2.00 s  EVCC      timer V2G_EVCC_Msg_Timeout of 2 s passed",
        "     2.00 s  EVCC      fault no answer [V2G-DC-391] (the fault is the other side's)",
        "     2.00 s  EVCC 200  state Error",
        "     3.00 s  EVCC 200    end the session did not end well: timeout; 1.234 kWh",
    ]


def test_discovery() -> None:
    response = SdpResponse(address=IPv6Address("fe80::1"), port=50000)
    event = Message(at=0.0, side=Side.SECC, schema="sdp", name=response.name, id=51, message=response)
    (line,) = shown(event)
    assert "51 SECCDiscoveryRes" in line
    assert "fe80::1" in line


def test_faults_only() -> None:
    fault = Fault(at=1.0, side=Side.SECC, blame=Blame.SETUP, text="isolation")
    assert len(shown(VEHICLE, request(1.0), fault, faults_only=True)) == 1


def test_a_file_gets_a_status_line_now_and_then() -> None:
    flow = [Measurement(at=float(at), side=Side.SECC, volts=400.0, amps=100.0) for at in range(0, 121, 10)]
    lines = shown(*flow)
    assert [line.split(" s ")[0].strip() for line in lines] == ["60.00", "120.00"]
    assert lines[0].endswith("400.0 V   100.0 A    40.0 kW")
    idle = [Measurement(at=float(at), side=Side.SECC, volts=400.0, amps=0.0) for at in range(0, 200, 10)]
    assert shown(*idle) == []


def test_a_terminal_has_one_status_line_below_the_log() -> None:
    terminal = Terminal()
    measured = Measurement(at=1.0, side=Side.SECC, volts=400.0, amps=100.0, soc=50.0)
    ended = SessionEnded(at=2.0, side=Side.SECC, good=True, reason="done", energy_wh=0.0)
    shown(measured, measured, Note(at=1.5, side=Side.SECC, text="x"), ended, stream=terminal)
    text = ESCAPES.sub("", terminal.getvalue())
    status = "     1.00 s  ━━━━━━━━━━━━────────────  50.0 %   400.0 V   100.0 A    40.0 kW"
    assert text.split("\n")[0].split("\r") == ["", status, status, "     1.50 s  SECC       note x"]
    assert text.split("\n")[-2].endswith("the session ended well: done; 0.000 kWh")
    assert text.endswith("kWh\n")


def test_a_terminal_is_not_redrawn_faster_than_it_can_be_read() -> None:
    terminal = Terminal()
    times = iter([0.0, 0.01, 0.02, 0.06])
    flow = [Measurement(at=1.0, side=Side.SECC, volts=400.0, amps=100.0) for _ in range(4)]
    shown(*flow, stream=terminal, clock=lambda: next(times))
    assert terminal.getvalue().count("\r") == 2


def test_long_values_are_wrapped_on_a_terminal_and_whole_in_a_file() -> None:
    failed = cable_check(1.0, FINISHED, "FAILED_SequenceError")
    response = message(
        1.0,
        Side.EVCC,
        din.ChargeParameterDiscoveryReq(
            EVRequestedEnergyTransferType=din.EVRequestedEnergyTransfer.DC_extended,
            EVChargeParameter=din.DC_EVChargeParameter(
                DC_EVStatus=din.DC_EVStatus(EVReady=True, EVErrorCode=din.DC_EVErrorCode.NO_ERROR, EVRESSSOC=20),
                EVMaximumCurrentLimit=din.PhysicalValue(Multiplier=0, Unit=din.UnitSymbol.A, Value=200),
                EVMaximumVoltageLimit=din.PhysicalValue(Multiplier=0, Unit=din.UnitSymbol.V, Value=420),
            ),
        ),
    )
    terminal = Terminal()
    shown(STATION, VEHICLE, response, failed, stream=terminal)
    lines = ESCAPES.sub("", terminal.getvalue()).splitlines()
    assert max(map(len, lines)) <= 80
    assert "200.0 A" in " ".join(lines)
    assert "\x1b[31mFAILED_SequenceError\x1b[0m" in terminal.getvalue()
    assert any("200.0 A" in line and "DC_extended" in line for line in shown(VEHICLE, response))


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colours_where_they_are_not_wanted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    terminal = Terminal()
    shown(VEHICLE, request(1.0), Fault(at=1.0, side=Side.SECC, blame=Blame.LOCAL, text="x"), stream=terminal)
    assert "\x1b" not in terminal.getvalue()


def test_without_unicode_the_bar_is_ascii() -> None:
    stream = File()
    stream.encoding = "ascii"  # type: ignore[misc]
    flow = Measurement(at=60.0, side=Side.EVCC, volts=400.0, amps=100.0, soc=50.0)
    (line,) = shown(flow, stream=stream)
    assert "[############............]" in line
