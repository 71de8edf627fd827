"""Recorded vehicles drive our station, and recorded stations drive our vehicle, in ISO 15118-2: see `replay`.

Where our end does not stay in sequence the table says why; the reason must be the recording's.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from replay import TO_THE_END, End, Recorded, drive, ends_without, load, serve

from exi.messages import iso15118_2 as iso
from hlc.decisions import value
from hlc.flow import failed
from hlc.trace.events import Blame, Measurement, Side

AC_TEST_SYSTEM = "ISO-2_AC_DS5366.pcapng"
DC_TEST_SYSTEM = "ISO-2_DC_DS5366.pcapng"
RENEGOTIATION = "ISO-2_DC_Renegotiation_DS5366_RiseV2G.pcapng"
JOSEV = "ISO-2_DC_multi_EVSE_SLAC_DS5366_Josev.pcapng"
AUDI = "audi-dc-iso2.pcap"
PORSCHE = "porsche-taycan-4s-driverside-ac-iso2.pcap"
VOLKSWAGEN = "vw-ac-iso2.pcap"
NAMES = [AC_TEST_SYSTEM, DC_TEST_SYSTEM, RENEGOTIATION, JOSEV, AUDI, PORSCHE, VOLKSWAGEN]
"""Every capture with a session in plain ISO 15118-2: one each."""

ENDS = {
    AC_TEST_SYSTEM: End("SessionStopReq", "", "recorded driver", TO_THE_END),
    DC_TEST_SYSTEM: ends_without("WeldingDetection", "the recorded vehicle left WeldingDetection out, which it may"),
    RENEGOTIATION: ends_without("CurrentDemand", "the recorded station reports 150 A to the end, our ramp waits"),
    JOSEV: End("SessionStopReq", "", "recorded driver", TO_THE_END),
    AUDI: ends_without("WeldingDetection", "the Audi stopped at 264 V, we wait for the voltage to fall"),
    PORSCHE: End("SessionStopReq", "", "recorded driver", TO_THE_END),
    VOLKSWAGEN: ends_without("ChargingStatus", "the Volkswagen stopped right after PowerDeliveryReq(Start)"),
}


@pytest.fixture(scope="module")
def recorded(reference: Path) -> dict[str, Recorded]:
    """The session of every capture."""
    found = load(reference / "captures", NAMES, "iso15118_2")
    assert all(len(sessions) == 1 for sessions in found.values())
    return {name: sessions[0] for name, sessions in found.items()}


@pytest.mark.parametrize("name", NAMES)
def test_recorded_vehicles_are_served_in_sequence(recorded: dict[str, Recorded], name: str) -> None:
    station, trace, exchanges = serve(recorded[name])
    assert trace.faults() == []
    requests = [message for message in recorded[name].heard if message.side is Side.EVCC]
    assert len(exchanges) == len(requests)
    assert all(not failed(response) for _, response in exchanges)
    assert isinstance(requests[-1].body, iso.SessionStopReq)
    assert station.closed
    assert station.good


def test_a_recorded_renegotiation_begins_again_with_the_cable_check(recorded: dict[str, Recorded]) -> None:
    _, _, exchanges = serve(recorded[RENEGOTIATION])
    names = [type(request).__name__ for request, _ in exchanges]
    renegotiation = next(
        i for i, (request, _) in enumerate(exchanges) if getattr(request, "ChargeProgress", "") == "Renegotiate"
    )
    assert names[renegotiation + 1 : renegotiation + 3] == ["ChargeParameterDiscoveryReq", "CableCheckReq"]
    assert "CurrentDemandReq" in names[renegotiation + 3 :]


def test_a_volkswagen_that_stops_at_once_is_let_go(recorded: dict[str, Recorded]) -> None:
    """Its station called it a sequence error, and kept the connector for 22 s."""
    station, _, exchanges = serve(recorded[VOLKSWAGEN])
    assert recorded[VOLKSWAGEN].all("SessionStopRes")[0].ResponseCode is iso.ResponseCode.FAILED_SequenceError
    assert exchanges[-1][1].ResponseCode is iso.ResponseCode.OK
    assert not station.outlet.relays_closed()


@pytest.mark.parametrize("name", NAMES)
def test_recorded_stations_are_asked_in_sequence(recorded: dict[str, Recorded], name: str) -> None:
    driven = drive(recorded[name])
    assert not [fault for fault in driven.trace.faults() if fault.blame is Blame.LOCAL]
    ENDS[name].holds(driven)


def test_a_recorded_ac_station_is_followed(recorded: dict[str, Recorded]) -> None:
    """The Porsche's station told a limit in every answer: our charger stays below it."""
    driven = drive(recorded[PORSCHE])
    told = [value(each.EVSEMaxCurrent) for each in recorded[PORSCHE].all("ChargingStatusRes") if each.EVSEMaxCurrent]
    drawn = [event.amps / 3 for event in driven.trace.events if isinstance(event, Measurement)]
    assert 6.0 < max(drawn) <= max(told) + 0.1
