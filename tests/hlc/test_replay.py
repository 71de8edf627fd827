"""Recorded vehicles drive our station, and recorded stations drive our vehicle, in DIN SPEC 70121: see `replay`.

Where our end does not stay in sequence the table says why; the reason must be the recording's.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from replay import RAMP, TO_THE_END, End, Recorded, RecordedOutlet, drive, ends_without, load, serve

from exi.messages import din70121 as din
from hlc.decisions import value
from hlc.flow import failed
from hlc.trace.events import Blame, Side

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
def recorded(reference: Path) -> dict[str, list[Recorded]]:
    """Every session."""
    return load(reference / "captures", list(SESSIONS), "din70121")


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
def test_recorded_vehicles_are_served_in_sequence(recorded: dict[str, list[Recorded]], name: str, number: int) -> None:
    heard = recorded[name][number].heard
    station, events, exchanges = serve(recorded[name][number])
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


NO_WELDING = "the recorded vehicle left WeldingDetection out, which it may"
UNTIL_THEN = "the recording, or the vehicle in it, breaks off in the charge loop"
EMERGENCY = "the Compleo reported an emergency (a lamp for a battery), pyPLC went on until it was cut off"
NO_VOLTAGE = "there was no voltage at the Tesla's inlet: it never left precharge"
ABB = ("2022-11-25_v0.2_ABB_until_ChargeParamDiscovery.pcapng", 0)
LAMP = "2023-04-19_compleo_pyPlc_lightbulb_failedBadRegulation.pcapng"
LAMPS = "2023-04-24_atHome_Ioniq_without_and_with_60W_bulbs.pcapng"
POLESTAR = "2024-06-18_Griffigroen_pyPLC_polestar2_discharging_with_additional_prechargeCircuit.pcapng"
FOCCCI = "2026-02-03_pyPLC_FoccciCape_with_Ioniq_runs_10_minutes.pcap"
ALPITRONIC = "spi_ioniq_alpiHYC150_makerspace_landsberg_left_small_2024-04-03_ok.csv.pcap"


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
def test_recorded_stations_are_asked_in_sequence(recorded: dict[str, list[Recorded]], name: str, number: int) -> None:
    driven = drive(recorded[name][number])
    assert not [fault for fault in driven.trace.faults() if fault.blame is Blame.LOCAL]
    ENDS[name, number].holds(driven)


def test_the_recorded_loops_are_followed(recorded: dict[str, list[Recorded]]) -> None:
    """An Ioniq's whole charge at an Alpitronic: each of its answers in the loop is used but the last few."""
    vehicle, _, asked, _ = drive(recorded[ALPITRONIC][0])
    loop = sum(isinstance(request, din.CurrentDemandReq) for request in asked)
    assert loop > 367 - RAMP
    assert vehicle.session_id is not None
    assert vehicle.session_id.hex() == "0000000032a24651"
