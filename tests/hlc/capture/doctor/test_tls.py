"""Handshakes that failed: the alert is the cause, and the close that follows it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from talk import Talk, announcement, frames

from hlc.capture.finding import Who
from hlc.security.handshake import Version
from hlc.security.keylog import Secrets

Decode = Callable[..., Any]


@pytest.mark.parametrize(
    ("talk", "text", "who", "advice"),
    [
        (
            lambda: Talk(offer="ECDHE-ECDSA-AES128-GCM-SHA256"),
            "the station ends TLS in the handshake with the alert handshake_failure",
            Who.EITHER,
            "To the vehicle this alert means: no version, suite, group",
        ),
        (
            lambda: Talk(Version.TLS13, "TLS_AES_256_GCM_SHA384", trust=False),
            "the vehicle ends TLS in the handshake with the alert unknown_ca",
            Who.EITHER,
            "To the station this alert means: it does not have our root",
        ),
    ],
)
def test_a_failed_handshake_is_the_alerts_fault(
    talk: Callable[[], Talk], text: str, who: Who, advice: str, decode: Decode, to_pcap: Callable[..., bytes]
) -> None:
    made = talk()
    secrets = Secrets()
    secrets.add(made.secrets)
    found = [announcement(), *frames(made.heard)]
    result = decode(to_pcap([(1.7e9 + n / 100, frame) for n, frame in enumerate(found)]), secrets)
    [(_, verdict)] = result.sessions
    assert (verdict.outcome, verdict.reason) == ("failed", text)
    first = verdict.findings[0]
    assert (first.rule, first.who) == ("tls_alert", who)
    assert first.advice.startswith(advice)
    assert any(seen.text.startswith("offered: TLS 1.") for seen in first.evidence)
    assert [finding.rule for finding in verdict.causes[1:]] == ["closed_early"]
    assert verdict.causes[1].symptom


def test_an_orderly_end_accuses_nobody(decode: Decode, to_pcap: Callable[..., bytes]) -> None:
    made = Talk()
    made.close()
    found = [announcement(), *frames(made.heard)]
    secrets = Secrets()
    secrets.add(made.secrets)
    result = decode(to_pcap([(1.7e9 + n / 100, frame) for n, frame in enumerate(found)]), secrets)
    assert "tls_alert" not in {finding.rule for _, verdict in result.sessions for finding in verdict.findings}
