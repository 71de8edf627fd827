"""What --tls, --pki and --keylog come to."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hlc import sap
from hlc.commands import transport
from hlc.runtime.errors import SetupError, WrongUsage
from hlc.runtime.policy import Policy
from hlc.security import hierarchy
from hlc.security.certificate import Curve
from hlc.security.handshake import Version
from hlc.security.layer import PLAIN

ISO = "iso15118_2,iso15118_20_dc"


def options(**given: Any) -> SimpleNamespace:
    return SimpleNamespace(
        **{"tls": None, "pki": None, "keylog": None, "protocols": ISO, "modes": "dc", "strict": False, **given}
    )


@pytest.mark.parametrize(
    ("given", "policy"),
    [
        ({}, Policy.NEVER),
        ({"pki": Path("x")}, Policy.ALLOW),
        ({"pki": Path("x"), "tls": "require"}, Policy.REQUIRE),
        ({"pki": Path("x"), "tls": "never"}, Policy.NEVER),
        ({"pki": Path("x"), "tls": "never", "protocols": "din70121"}, Policy.NEVER),
    ],
)
def test_policy(given: dict[str, Any], policy: Policy) -> None:
    assert transport.policy(options(**given)) is policy


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"tls": "allow"}, "--tls allow needs certificates: --pki DIR; hlc pki create DIR makes some for tests"),
        ({"tls": "never", "keylog": Path("x")}, "--keylog is of no use without TLS"),
        ({"pki": Path("x"), "protocols": "din70121"}, "--pki DIR is of no use with these --protocols"),
        ({"strict": True, "protocols": "iso15118-20"}, "--strict has no ISO 15118-20 without TLS: give --pki DIR"),
    ],
)
def test_contradictions(given: dict[str, Any], why: str) -> None:
    with pytest.raises(WrongUsage, match=why):
        transport.policy(options(**given))


def test_versions_follow_from_protocols() -> None:
    assert transport.versions([sap.DIN70121]) == []
    assert transport.versions([sap.ISO15118_2, sap.DIN70121]) == [Version.TLS12]
    assert transport.versions([sap.ISO15118_2, sap.ISO15118_20_AC]) == [Version.TLS13, Version.TLS12]


def test_both_ends_from_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, data in hierarchy.files(datetime(2030, 1, 1, tzinfo=UTC), (Curve.P256,)).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    given = options(pki=tmp_path, keylog=tmp_path / "keys.log")
    with ExitStack() as closing:
        station = transport.of_station(given, closing)
        vehicle = transport.of_vehicle(given, closing)
        assert station.tls is not None
        assert station.plain
        assert vehicle.tls is not None
        assert not vehicle.plain
        given.strict = True
        for end in (transport.of_station, transport.of_vehicle):
            with pytest.raises(SetupError, match="wants certificates on secp521r1 or Ed448, and there are none"):
                end(given, closing)
        given.protocols = "iso15118-2"
        for strict in (False, True):  # a missing OCSP response is noted, or a reason to leave
            given.strict = strict
            security = transport.of_vehicle(given, closing)
            assert security.tls is not None
            judge = security.tls()._judge  # type: ignore[attr-defined]
            assert judge.strict is strict
        given.tls, given.strict = "require", False
        assert not transport.of_station(given, closing).plain
    assert transport.of_station(options(), closing) is transport.of_vehicle(options(), closing) is PLAIN
    assert capsys.readouterr().err == ""
    (tmp_path / "secc.key.pem").unlink()
    with pytest.raises(SetupError, match=r"TLS needs the station's certificate.*: secc\.key\.pem is missing"):
        transport.of_station(options(pki=tmp_path), ExitStack())
    assert "hlc secc: --pki" in capsys.readouterr().err


@pytest.mark.parametrize(("modes", "asks"), [("dc", False), ("wpt", True), ("dc,wpt", False), ("wpt,acdp", True)])
def test_wireless_discovery_is_for_who_has_no_wire(modes: str, asks: bool) -> None:
    assert (transport.wireless(options(modes=modes)) is not None) is asks
