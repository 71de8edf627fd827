"""Real cars at real chargers: every message is found, and each session's end is what the recording shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import exi
from hlc.capture import reading

CAPTURES: dict[str, tuple[str, ...]] = {
    "2022-11-25_v0.2_ABB_until_ChargeParamDiscovery.pcapng": ("failed",),
    "2022-12-13_compleo_with_bulb.pcapng": ("failed", "failed"),
    "2022-12-20_alpi_currentDemandSequenceErrorShutdown.pcapng": ("failed", "failed"),
    "2023-04-19_compleo_pyPlc_lightbulb_failedBadRegulation.pcapng": ("failed",) * 6,
    "2023-04-24_atHome_Ioniq_without_and_with_60W_bulbs.pcapng": ("failed",) * 3,
    "2023-05-24_pyPlc_with_Ioniq93prcSoc.pcapng": ("failed",),
    "2024-04-20_ModelY_pyPLC_stop_in_precharge.pcapng": ("failed",),
    "2024-06-18_Griffigroen_pyPLC_polestar2_discharging_with_additional_prechargeCircuit.pcapng": ("good",),
    "2025-01-21_listenMode_02_mac_spoofing_some_frames_visible.pcapng": ("unfinished",),
    "2026-02-03_pyPLC_FoccciCape_with_Ioniq_runs_10_minutes.pcap": ("failed", "failed"),
    "DIN_DC_DS5366_Josev.pcapng": ("good",),
    "spi_ioniq_alpiHYC150_makerspace_landsberg_left_small_2024-04-03_ok.csv.pcap": ("good",),
    # no message in these
    "2022-11-25_v0.2_alpi_SDP_ok_TCP_fail.pcapng": ("failed",),
    "2022-10-26_WP4_networkEstablishedButHiddenCommunication.pcapng": (),
    "2023-05-03_TaycanLeftside_slacFail.pcapng": (),
    "2025-01-21_listenMode_01_slow_and_only_broadcast_visible.pcapng": (),
    "2025-01-21_listenMode_05_cutted_tx_path_no_joining.pcapng": (),
    "IEC61851_AC_PWM_Basic.pcapng": (),
}
"""Captures of DIN 70121, and of no session at all, with the outcomes of their sessions and connection attempts."""

OTHERS = (
    "ISO-2_AC_DS5366.pcapng",
    "ISO-2_DC_DS5366.pcapng",
    "ISO-2_DC_Renegotiation_DS5366_RiseV2G.pcapng",
    "ISO-2_DC_multi_EVSE_SLAC_DS5366_Josev.pcapng",
    "audi-dc-iso2.pcap",
    "porsche-taycan-4s-driverside-ac-iso2.pcap",
    "vw-ac-iso2.pcap",
)
"""Captures of ISO 15118-2: their messages are read; the order of them is not judged yet."""

CUT = "2022-12-20_alpi_currentDemandSequenceErrorShutdown.pcapng"
"""The one recording that ends within a frame."""

REASONS = [
    ("ABB_until", 0, "ChargeParameterDiscoveryReq came after ServicePaymentSelectionRes", 472),
    ("SDP_ok_TCP_fail", 0, "15118 was refused, 5 times: SDP had announced [fe80::9419:7eff:fed2:2269]:51111", 186),
    ("compleo_with_bulb", 0, "precharge never reached its voltage: 95.5 V where 230.0 V", 671),
    ("SequenceErrorShutdown", 0, "FAILED_SequenceError", 2722),
    ("SequenceErrorShutdown", 0, "frame 2706 said ReadyToChargeState false, which means stop", 2722),
    ("SequenceErrorShutdown", 1, "was refused, 19 times", 2772),
    (
        "failedBadRegulation",
        0,
        "bad regulation: the station reported 416.5 V where the vehicle asked for 230.0 V",
        1064,
    ),
    ("failedBadRegulation", 2, "was unanswered, 17 times", 1617),
    ("failedBadRegulation", 3, "EVSE_EmergencyShutdown in CurrentDemandRes", 3028),
    ("without_and_with_60W", 0, "got no answer: the station reset the connection after 0.19 s", 140),
    ("without_and_with_60W", 1, "FAILED_ChargingCurrentdifferential", 12094),
    ("Ioniq93prcSoc", 0, "the station closed the connection after CurrentDemandRes, without SessionStop", 728),
    ("stop_in_precharge", 0, "stopped in precharge", 581),
    ("runs_10_minutes", 1, "the vehicle fell silent: CurrentDemandRes was retransmitted 7 times", 14124),
]
"""What went wrong: capture, which of its sessions, words of the reason, and the frame that proves it."""


@pytest.fixture(scope="session")
def decoded(reference: Path, decode: Callable[..., Any]) -> Callable[[str], Any]:
    """A capture of the reference data, decoded once."""
    known: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in known:
            paths = sorted((reference / "captures").glob(f"*{name}*"))
            known[name] = decode(next(path for path in paths if path.suffix in (".pcap", ".pcapng")))
        return known[name]

    return get


@pytest.fixture(scope="session")
def counts(reference: Path) -> Any:
    return json.loads((reference / "captures" / "counts.json").read_text())


@pytest.mark.parametrize("name", [*CAPTURES, *OTHERS])
def test_every_message_is_found(name: str, decoded: Callable[[str], Any], counts: Any) -> None:
    result = decoded(name)
    expected = counts[name]
    assert result.messages == expected["by_message"]
    assert not result.totals.undecoded
    assert result.totals.sdp == sum(
        count for kind, count in expected["v2gtp_by_payload_type"].items() if kind.startswith("0x9")
    )
    assert bool(result.damage) is (name == CUT)


@pytest.mark.parametrize("name", [*CAPTURES, *OTHERS])
def test_every_message_is_written_as_it_was_sent(
    name: str, reference: Path, decode: Callable[..., Any], counts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    read = reading.read

    def spy(schema: str, payload: bytes, **guess: Any) -> reading.Reading:
        found = read(schema, payload, **guess)
        written.append(exi.schema(schema).encode(found.message) == payload[: len(payload) - found.surplus])
        return found

    monkeypatch.setattr(reading, "read", spy)
    decode(reference / "captures" / name)
    if "spoofing" not in name:  # one stray message there: every schema is tried
        assert all(written)
    assert len(written) >= counts[name]["exi_decoded"]


@pytest.mark.parametrize("name", CAPTURES)
def test_outcomes(name: str, decoded: Callable[[str], Any]) -> None:
    assert tuple(verdict.outcome for _, verdict in decoded(name).sessions) == CAPTURES[name]


@pytest.mark.parametrize(("capture", "session", "words", "frame"), REASONS)
def test_reasons(capture: str, session: int, words: str, frame: int, decoded: Callable[[str], Any]) -> None:
    name = next(name for name in CAPTURES if capture in name)
    verdict = decoded(name).sessions[session][1]
    assert words in verdict.reason
    assert verdict.findings[0].where.frame == frame


@pytest.mark.parametrize("name", [name for name, outcomes in CAPTURES.items() if outcomes == ("good",)])
def test_good_sessions_have_no_cause_of_failure(name: str, decoded: Callable[[str], Any]) -> None:
    assert not [finding for _, verdict in decoded(name).sessions for finding in verdict.causes]


def test_the_station_that_asks_to_stop_is_named(decoded: Callable[[str], Any]) -> None:
    assert "the station asked to stop" in decoded("polestar2").sessions[0][1].reason
    session = decoded("alpiHYC150").sessions[0][0]
    assert (session.electrical.soc_first, session.electrical.soc_last) == (57, 58)
    assert session.electrical.peak_amps == pytest.approx(172.0, abs=0.1)
    assert 300 < session.electrical.energy_wh < 600


def test_surplus_octets_of_a_tesla_are_noted(decoded: Callable[[str], Any]) -> None:
    notes = [seen.event.text for seen in decoded("ModelY").seen if hasattr(seen.event, "text")]
    assert "1 surplus octet after the message, ignored" in notes


def test_states_bear_their_codes(decoded: Callable[[str], Any]) -> None:
    entered = [
        (seen.event.side.value, int(seen.event.state))
        for seen in decoded("DIN_DC").seen
        if type(seen.event).__name__ == "StateEntered"
    ]
    evcc = [1, 2, 4, 6, 7, 11, 12, 8, 13, 8, 14, 15]
    secc = [1, 2, 3, 6, 7, 11, 12, 8, 13, 8, 14, 17]
    assert [code for side, code in entered if side == "EVCC"] == evcc
    assert [code for side, code in entered if side == "SECC"] == secc


def test_encrypted_sessions_are_said_to_be_encrypted(decoded: Callable[[str], Any]) -> None:
    result = decoded("ISO-2_DC_PnC_TLS_Contract_DS5366_RiseV2G.pcapng")
    assert result.totals.encrypted == 1
    session, verdict = result.sessions[0]
    assert session.encrypted
    assert verdict.outcome == "unfinished"
    assert "encrypted" in verdict.reason
