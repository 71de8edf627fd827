"""Real cars at real chargers: the first finding on each plug-in is what the recording shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hlc.capture.doctor import judge_capture

FAILED: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "2022-10-26_WP4": (("unfinished", "listener_broadcasts_only", "listener", "heard 1 frame"),),
    "2022-11-25_v0.2_ABB": (
        ("failed", "out_of_sequence", "vehicle", "ChargeParameterDiscoveryReq came after ServicePaymentSelectionRes"),
    ),
    "2022-11-25_v0.2_alpi": (("failed", "tcp_elsewhere", "vehicle", "]:51111, the vehicle went elsewhere"),),
    "2022-12-13_compleo": (("failed", "precharge_missed", "station", "95.5 V where 230.0 V were asked for"),),
    "2022-12-20_alpi": (
        ("failed", "sequence_error", "vehicle", "the PowerDeliveryReq in frame 2706 said ReadyToChargeState false"),
    ),
    "2023-04-19_compleo": (
        ("failed", "overshoot", "station", "416.5 V where the vehicle asked for 230.0 V"),
        ("failed", "station_status", "station", "EVSE_EmergencyShutdown"),
        ("failed", "slac_unanswered", "station", "9 times in 12.0 s"),
    ),
    "2023-04-24_atHome": (
        ("failed", "unanswered", "station", "reset the connection after 0.19 s"),
        ("failed", "vehicle_error", "either side", "FAILED_ChargingCurrentdifferential"),
        ("failed", "vehicle_error", "either side", "FAILED_ChargingCurrentdifferential"),
    ),
    "2023-05-03_Taycan": (("failed", "slac_other_run_id", "station", "whose run id is 944DC3D0ED5ABF0A"),),
    "2023-05-24_pyPlc": (("failed", "closed_early", "station", "closed the connection after CurrentDemandRes"),),
    "2024-04-20_ModelY": (("failed", "precharge_left", "vehicle", "stopped in precharge"),),
    "listenMode_01": (("unfinished", "listener_broadcasts_only", "listener", "heard 64 frames"),),
    "listenMode_02": (("unfinished", "one_direction", "listener", "all of them answers"),),
    "listenMode_05": (("unfinished", "listener_deaf", "listener", "for 42 s"),),
    "2026-02-03_pyPLC": (
        ("failed", "vehicle_error", "either side", "FAILED_ChargingCurrentdifferential"),
        ("failed", "peer_gone", "vehicle", "retransmitted 7 times"),
    ),
    "vw-ac": (("failed", "stopped_without_power_delivery", "vehicle", "after PowerDeliveryReq (start)"),),
}
"""Captures in which something went wrong, with their plug-ins: outcome, first finding's rule, whose fault, words."""

POOR = {
    "2024-06-18_Griffigroen": ("little_current", "asked for 19.5 A on average, 1.0 A flowed: the station says that")
}
"""Sessions that ended well and did not serve their purpose as well as they might."""
GOOD = (
    "DIN_DC_DS5366",
    "spi_ioniq_alpiHYC150",
    "ISO-2_AC_DS5366",
    "ISO-2_DC_DS5366",
    "ISO-2_DC_Renegotiation",
    "ISO-2_DC_multi_EVSE",
    "audi-dc",
    "porsche",
    "ISO-20_TLS13",
    "PnC_TLS_CertInstallation",
    "PnC_TLS_Contract",
)


@pytest.fixture(scope="session")
def plug_ins(reference: Path, decode: Callable[..., Any]) -> Callable[[str], Any]:
    """The plug-ins of a capture of the reference data, decoded once."""
    known: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in known:
            paths = sorted((reference / "captures").glob(f"*{name}*"))
            known[name] = decode(next(path for path in paths if path.suffix in (".pcap", ".pcapng"))).plug_ins
        return known[name]

    return get


@pytest.mark.parametrize("name", FAILED)
def test_the_first_finding_is_the_right_one(name: str, plug_ins: Callable[[str], Any]) -> None:
    found = plug_ins(name)
    assert len(found) == len(FAILED[name])
    for (_, verdict), (outcome, rule, who, words) in zip(found, FAILED[name], strict=True):
        first = verdict.findings[0]
        assert (verdict.outcome, first.rule, first.who.value) == (outcome, rule, who)
        assert words in first.text
        assert first.text == verdict.reason
        assert first.advice


@pytest.mark.parametrize("name", GOOD)
def test_nothing_is_wrong_with_a_good_session(name: str, plug_ins: Callable[[str], Any]) -> None:
    ((_, verdict),) = plug_ins(name)
    assert (verdict.outcome, verdict.reason) == ("good", "nothing wrong")
    assert {finding.severity.word for finding in verdict.findings} <= {"remark"}


@pytest.mark.parametrize("name", POOR)
def test_poor_sessions(name: str, plug_ins: Callable[[str], Any]) -> None:
    ((_, verdict),) = plug_ins(name)
    rule, words = POOR[name]
    assert verdict.outcome == "poor"
    assert verdict.findings[0].rule == rule
    assert words in verdict.reason


def test_a_run_that_failed_before_the_link_came_is_no_cause(plug_ins: Callable[[str], Any]) -> None:
    ((plug, verdict),) = plug_ins("DIN_DC_DS5366")
    assert [judged.outcome for _, judged in plug.matchings] == ["failed", "matched"]
    remark = next(finding for finding in verdict.findings if finding.rule == "slac_vehicle_left")
    assert not remark.cause


def test_a_station_still_held_the_connection_before(plug_ins: Callable[[str], Any]) -> None:
    ((_, verdict),) = plug_ins("vw-ac")
    remark = next(finding for finding in verdict.findings if finding.rule == "tcp_failed")
    assert not remark.cause
    assert remark.who.value == "vehicle"
    assert "taken for an older one" in remark.text
    assert "another port" in remark.advice


def test_basic_charging(reference: Path, decode: Callable[..., Any]) -> None:
    result = decode(reference / "captures" / "IEC61851_AC_PWM_Basic.pcapng")
    assert not result.plug_ins
    (finding,) = judge_capture(result.totals)
    assert finding.rule == "pilot"
    assert not finding.cause
