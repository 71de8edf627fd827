"""Real cars at real chargers: every message is found, and each session's end is what the recording shows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import exi
from hlc.capture import reading
from hlc.capture.files import Capture
from hlc.capture.matching_steps import timeline
from hlc.capture.report import overall
from hlc.capture.secrets import take_file
from hlc.security.keylog import Secrets
from hlc.trace import homeplug
from hlc.trace.describe import mac
from hlc.trace.events import Mme, Side

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

ISO15118_2: dict[str, tuple[str, ...]] = {
    "ISO-2_AC_DS5366.pcapng": ("good",),
    "ISO-2_DC_DS5366.pcapng": ("good",),
    "ISO-2_DC_Renegotiation_DS5366_RiseV2G.pcapng": ("good",),
    "ISO-2_DC_multi_EVSE_SLAC_DS5366_Josev.pcapng": ("good",),
    "audi-dc-iso2.pcap": ("good",),  # though it knocks at another port in the session
    "porsche-taycan-4s-driverside-ac-iso2.pcap": ("good",),
    "vw-ac-iso2.pcap": ("failed", "failed"),
}
"""Captures of ISO 15118-2, likewise."""
TLS: dict[str, tuple[str, ...]] = {
    "ISO-2_DC_PnC_TLS_CertInstallation_DS5366_RiseV2G.pcapng": ("good",),
    "ISO-2_DC_PnC_TLS_Contract_DS5366_RiseV2G.pcapng": ("good",),
    "ISO-20_TLS13_DC_DS5366_Josev.pcapng": ("good",),
}
"""Captures of TLS whose secrets a test system disclosed in datagrams, likewise."""
OUTCOMES = {**CAPTURES, **ISO15118_2, **TLS}

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


MATCHINGS: dict[str, tuple[tuple[str, str, str, float | None, bool | None, str], ...]] = {
    "2022-10-26_WP4": (("matched", "04:65:65:00:64:C3", "62:57:25:18:44:BE", 9.8, True, "VS_SW_VER.CNF of BC:F2:AF"),),
    "2022-11-25_v0.2_ABB": (("matched", "DC:0E:A1:11:67:08", "54:10:EC:A1:F3:E2", 22.1, True, "CM_GET_KEY.CNF of BC"),),
    "2022-11-25_v0.2_alpi": (
        ("matched", "DC:0E:A1:11:67:08", "96:19:7E:D2:22:69", 11.7, True, "CM_GET_KEY.CNF of BC:F2:AF:F3:13:68"),
    ),
    "2022-12-13_compleo": (("matched", "DC:0E:A1:11:67:08", "80:1F:12:E8:E6:47", 21.0, True, "CM_GET_KEY.CNF of BC"),),
    "2022-12-20_alpi": (("matched", "DC:0E:A1:11:67:08", "6A:79:9C:3A:13:58", 8.7, True, "CM_GET_KEY.CNF of BC"),),
    "2023-04-19_compleo": (
        ("matched", "DC:0E:A1:11:67:08", "80:1F:12:E8:E6:47", 18.9, True, "link seen after 6.6 s (CM_GET_KEY.CNF"),
        ("matched", "DC:0E:A1:11:67:08", "80:1F:12:E8:E6:47", 18.5, True, "link seen after 6.8 s (TCP connection)"),
        ("failed", "DC:0E:A1:11:67:08", "", None, None, "no station answered CM_SLAC_PARM.REQ (9 times in 12.0 s)"),
    ),
    "2023-04-24_atHome": (
        ("matched", "04:65:65:00:64:C3", "DC:0E:A1:11:67:08", 9.6, False, "link seen after 4.1 s (SECCDiscoveryReq)"),
    )
    * 3,
    "2023-05-03_Taycan": (
        (
            "failed",
            "00:18:87:00:A1:D6",
            "",
            None,
            None,
            "DC:0E:A1:11:67:08 answered CM_SLAC_PARM.REQ (3 times in 0.4 s) with another run id, 00188700A1D60000: "
            "the vehicle, whose run id is 944DC3D0ED5ABF0A, ignores that",
        ),
        ("failed", "00:18:87:00:A1:D6", "", None, None, "whose run id is F43DDF1BD990A3A8, ignores that"),
    ),
    "2023-05-24_pyPlc": (("matched", "04:65:65:00:64:C3", "DC:0E:A1:11:67:08", 9.6, False, "SECCDiscoveryReq"),),
    "2024-04-20_ModelY": (("matched", "98:ED:5C:DA:D9:98", "DC:0E:A1:11:67:08", 9.6, False, "SECCDiscoveryReq"),),
    "2024-06-18_Griffi": (("matched", "48:C5:8D:B1:E4:3E", "B8:27:EB:D3:1E:5A", 9.6, False, "SECCDiscoveryReq"),),
    "listenMode_01": (("unfinished", "02:35:30:69:20:43", "B8:27:EB:27:33:53", 9.6, False, "gave the key; nothing"),),
    "listenMode_02": (("matched", "02:35:30:69:20:43", "B8:27:EB:27:33:53", 9.6, False, "6.5 s (TCP connection)"),),
    "listenMode_05": (("unfinished", "02:35:30:69:20:43", "B8:27:EB:27:33:53", 9.6, False, "gave the key; nothing"),),
    "2026-02-03_pyPLC": (("matched", "04:65:65:00:64:C3", "BA:F0:F2:E5:43:A4", 9.6, False, "SECCDiscoveryReq"),) * 2,
    "DIN_DC_DS5366": (
        ("failed", "00:E0:4C:68:00:1D", "", None, None, "did not go on after CM_SLAC_PARM.CNF of 64:4D:70:01:03:BF"),
        ("matched", "00:E0:4C:68:00:1D", "64:4D:70:01:03:BF", 11.0, False, "5.4 s (CC_DISCOVER_LIST.CNF)"),
    ),
    "spi_ioniq": (("matched", "E0:0E:E1:FF:D3:E2", "52:AD:92:07:32:8B", 19.4, True, "4.2 s (SECCDiscoveryRes)"),),
    "IEC61851": (),
    "ISO-20_TLS13": (("matched", "00:E0:4C:68:00:1D", "64:4D:70:01:03:BF", 10.1, False, "CC_DISCOVER_LIST.CNF"),),
    "ISO-2_AC_DS5366": (("matched", "64:4D:70:01:02:C8", "64:4D:70:01:03:BF", 15.6, False, "8.4 s (CC_DISCOVER"),),
    "ISO-2_DC_DS5366": (("matched", "64:4D:70:01:02:C8", "64:4D:70:01:03:BF", 13.8, False, "8.4 s (CC_DISCOVER"),),
    "CertInstallation": (("matched", "00:E0:4C:68:00:1D", "64:4D:70:01:03:BF", 11.8, False, "CC_DISCOVER_LIST.CNF"),),
    "TLS_Contract": (("matched", "00:E0:4C:68:00:1D", "64:4D:70:01:03:BF", 11.8, False, "CC_DISCOVER_LIST.CNF"),),
    "Renegotiation": (("matched", "00:E0:4C:68:00:1D", "64:4D:70:01:03:BF", 11.9, False, "CC_DISCOVER_LIST.CNF"),),
    "multi_EVSE": (("matched", "A0:CE:C8:CA:5F:A2", "64:4D:70:01:06:0E", 25.8, False, "3.4 s (CC_DISCOVER_LIST.CNF)"),),
    "audi-dc": (("matched", "00:7D:FA:07:5E:4A", "E6:04:D1:72:E8:CA", 18.2, True, "6.1 s (SECCDiscoveryReq)"),),
    "porsche": (("matched", "00:18:87:00:1C:11", "16:E2:FB:88:41:E9", 31.6, True, "3.5 s (SECCDiscoveryReq)"),),
    "vw-ac": (("matched", "00:7D:FA:06:AB:91", "A2:BF:18:3D:0A:0B", 26.2, True, "3.3 s (SECCDiscoveryReq)"),),
}
"""The matching runs in captures: outcome, vehicle, station that gave the key, its attenuation in dB, whether the NID
follows from the NMK, and words of the reason."""

NOTES = [
    (
        "2022-10-26_WP4",
        0,
        "DC:0E:A1:11:67:08 set this key in its modem; it is neither the vehicle nor the station",
    ),
    ("2022-11-25_v0.2_ABB", 0, "CM_START_ATTEN_CHAR.IND announces 10 sounds in 1000 ms"),
    ("2023-04-19_compleo", 1, "0.552 s between two sounds"),
    ("2023-04-19_compleo", 1, "1 sound came later than 0.6 s after CM_START_ATTEN_CHAR.IND"),
    ("2023-04-19_compleo", 1, "80:1F:12:E8:E6:47 counts 9 of 10 sounds"),
    ("2023-04-19_compleo", 1, "80:1F:12:E8:E6:47 sent CM_ATTEN_CHAR.IND 3 times until it was answered"),
    ("2023-04-24_atHome", 0, "98:48:27:5A:3C:E4 measured nothing, so what DC:0E:A1:11:67:08 reports was not measured"),
]
"""What is worth knowing of them: capture, which run, words."""


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


@pytest.mark.parametrize("name", list(OUTCOMES))
def test_every_message_is_found(name: str, decoded: Callable[[str], Any], counts: Any) -> None:
    result = decoded(name)
    expected = counts[name]
    assert result.messages == expected["by_message"]
    assert not result.totals.undecoded
    assert result.totals.sdp == sum(
        count for kind, count in expected["v2gtp_by_payload_type"].items() if kind.startswith("0x9")
    )
    assert bool(result.damage) is (name == CUT)


@pytest.mark.parametrize("name", list(OUTCOMES))
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


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcomes(name: str, decoded: Callable[[str], Any]) -> None:
    assert tuple(verdict.outcome for _, verdict in decoded(name).sessions) == OUTCOMES[name]


@pytest.mark.parametrize(("capture", "session", "words", "frame"), REASONS)
def test_reasons(capture: str, session: int, words: str, frame: int, decoded: Callable[[str], Any]) -> None:
    name = next(name for name in CAPTURES if capture in name)
    verdict = decoded(name).sessions[session][1]
    assert words in verdict.reason
    assert verdict.findings[0].where.frame == frame


@pytest.mark.parametrize("name", [name for name, outcomes in OUTCOMES.items() if outcomes == ("good",)])
def test_good_sessions_have_no_cause_of_failure(name: str, decoded: Callable[[str], Any]) -> None:
    assert not [finding for _, verdict in decoded(name).sessions for finding in verdict.causes]


def test_the_energy_of_an_ac_charge_is_that_of_the_meter(decoded: Callable[[str], Any]) -> None:
    session = decoded("porsche").sessions[0][0]
    assert session.charged
    assert session.electrical.energy_wh == 134


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


@pytest.fixture(scope="session", params=list(TLS))
def undisclosed(request: pytest.FixtureRequest, reference: Path, to_pcap: Callable[..., bytes]) -> tuple[Path, bytes]:
    """A capture of TLS, and the same without the secrets in it."""
    path = reference / "captures" / request.param
    with path.open("rb") as stream:
        frames = [(each.at, each.data) for each in Capture(stream, "") if b"_SECRET" not in each.data]
    return path, to_pcap([(at, data) for at, data in frames if b"CLIENT_RANDOM" not in data])


def test_encrypted_sessions_are_said_to_be_encrypted(
    undisclosed: tuple[Path, bytes], decode: Callable[..., Any]
) -> None:
    result = decode(undisclosed[1])
    assert result.messages == {}
    assert (result.totals.tls, result.totals.encrypted) == (1, {"no secret for this connection": 1})
    session, verdict = result.sessions[0]
    assert session.encrypted
    assert verdict.outcome == "unfinished"
    assert "encrypted" in verdict.reason


def test_a_key_log_decrypts_them(undisclosed: tuple[Path, bytes], decode: Callable[..., Any], counts: Any) -> None:
    path, capture = undisclosed
    secrets = Secrets()
    assert take_file(f"{path}.keylog", secrets) == ""
    result = decode(capture, secrets)
    assert result.messages == counts[path.name]["by_message"]
    assert not result.totals.undecoded
    assert not result.totals.encrypted


def test_what_is_known_of_their_handshakes(decoded: Callable[[str], Any]) -> None:
    facts = decoded("ISO-20_TLS13").sessions[0][0].tls
    assert (facts.version, facts.suite, facts.group) == (0x0304, 0x1302, 0x0017)
    assert [len(facts.chains[side].chain) for side in (Side.SECC,)] == [3]
    assert (facts.finished, facts.unopened) == (set(Side), 0)
    facts = decoded("TLS_Contract").sessions[0][0].tls
    assert (facts.version, facts.suite, facts.schemes) == (0x0303, 0xC023, {Side.SECC: 0x0403})
    assert facts.hello.status_request
    assert not facts.hello.server_name
    assert next((alert.side, alert.fatal, alert.description) for alert in facts.alerts) == (Side.EVCC, False, 0)


def matchings(name: str, decoded: Callable[[str], Any]) -> Any:
    return decoded(name).matchings


@pytest.mark.parametrize("name", MATCHINGS)
def test_matching_runs(name: str, decoded: Callable[[str], Any]) -> None:
    runs = matchings(name, decoded)
    assert len(runs) == len(MATCHINGS[name])
    for (run, verdict), (outcome, ev, evse, attenuation, derived, words) in zip(runs, MATCHINGS[name], strict=True):
        assert verdict.outcome == outcome
        assert mac(run.ev) == ev
        assert words in verdict.reason
        if not evse:
            assert run.giver is None
            continue
        assert mac(run.giver.mac) == evse
        assert run.giver.attenuation == pytest.approx(attenuation, abs=0.05)
        assert len(run.giver.groups) == 58
        assert run.derived is derived
        noted = "the NID does not follow" in "".join(finding.text for finding in verdict.findings)
        assert noted is (not derived and outcome != "matched")
        if outcome == "matched" and run.vehicle_heard and run.request is not None:
            assert run.sounds == set(range(10))


@pytest.mark.parametrize(("capture", "number", "words"), NOTES)
def test_what_is_worth_knowing_of_them(capture: str, number: int, words: str, decoded: Callable[[str], Any]) -> None:
    _, verdict = matchings(capture, decoded)[number]
    assert any(words in finding.text and not finding.cause for finding in verdict.findings)


def test_of_two_stations_the_nearer_is_chosen(decoded: Callable[[str], Any]) -> None:
    ((run, _),) = matchings("multi_EVSE", decoded)
    assert [(station.mac[-1], round(station.attenuation, 1), station.vlan) for station in run.ranking] == [
        (0x0E, 25.8, 2),
        (0x10, 31.3, 1),
    ]
    assert [(modem.best.count, round(modem.attenuation, 1), modem.vlan) for modem in run.modems.values()] == [
        (10, 29.1, 2),
        (10, 34.9, 1),
    ]
    assert all(station.confirm.count == 1 for station in run.ranking)  # though it is heard on both VLANs
    assert run.pilot.digital
    rows = {row.name: row for row in timeline(run)}
    assert rows["CM_SLAC_PARM.REQ"].took_s == pytest.approx(0.594, abs=0.001)
    assert rows["CM_ATTEN_CHAR.IND"].took_s == pytest.approx(0.319, abs=0.001)
    assert not any(row.limit_s is not None and row.took_s > row.limit_s for row in rows.values())


def test_a_neighbours_modem_is_heard_measuring(decoded: Callable[[str], Any]) -> None:
    ((run, _),) = matchings("spi_ioniq", decoded)
    assert [(mac(modem.mac), modem.best.count, round(modem.attenuation)) for modem in run.modems.values()] == [
        ("BC:F2:AF:F1:86:CE", 10, 30),
        ("BC:F2:AF:FF:CE:8F", 8, 51),
    ]


def test_basic_charging_needs_no_matching(decoded: Callable[[str], Any]) -> None:
    totals = decoded("IEC61851").totals
    assert totals.duties == {22.0}
    assert overall(totals) == [
        "the control pilot showed 22 % and never 5 %: basic charging, up to 13.2 A, for which no matching is needed"
    ]


@pytest.mark.parametrize("name", MATCHINGS)
def test_every_homeplug_frame_is_named_and_shown(name: str, decoded: Callable[[str], Any]) -> None:
    result = decoded(name)
    shown = [seen.event for seen in result.seen if isinstance(seen.event, Mme)]
    assert len(shown) == sum(result.totals.mme.values()) > 0
    assert Counter(event.name for event in shown) == result.totals.mme
    assert all(event.message is not None and event.message.name for event in shown)
    assert all(homeplug.describe(event).isprintable() for event in shown)


@pytest.mark.parametrize("name", MATCHINGS)
def test_a_session_follows_the_matching_that_made_its_link(name: str, decoded: Callable[[str], Any]) -> None:
    result = decoded(name)
    runs = {run.number: run for run, _ in result.matchings}
    for session, _ in result.sessions:
        if session.matching is not None:
            assert runs[session.matching].link.where.at <= session.start.at
        elif session.messages or session.encrypted:
            assert not any(run.link for run in runs.values())
