"""Quirks: how files are read, of whom they are known, and what each of them changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from din import REQUESTS
from msgspec.structs import replace
from replay import Recorded, sessions

import exi
from exi.messages import din70121
from exi.messages.sap import AppProtocol, supportedAppProtocolReq
from hlc import evcc, quirks, sap, secc
from hlc.flow import Send
from hlc.ports import Mode
from hlc.quirks import Quirk, Shown, Shows, known
from hlc.rules.din70121 import wrap
from hlc.rules.iso15118_20.services import Control, Pricing, Service
from hlc.secc.iso15118_20.settings import Settings20
from hlc.security.profiles import BY_NAME
from hlc.sim import Battery, SimulatedOutlet, worlds
from hlc.sim.pair import Delivery, Pair
from hlc.trace.events import Event, Note

QUIRKS = {quirk.name: quirk for quirk in [*known("station"), *known("vehicle")]}
PAGE = Path(__file__).parents[2] / "docs" / "tolerance.md"
TEXT = """
end = "station"
about = "It does so."
source = "seen"
[shows]
namespace = "urn:x"
[settings]
pace_s = 0.1
"""
JOSEV = "WMIV1234567890ABCDEX"
TESLA = "urn:tesla:din:2018:MsgDef"


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_quirk_is_read() -> None:
    [quirk] = quirks.read({"x.toml": TEXT})
    assert quirk == Quirk(
        name="x",
        end="station",
        about="It does so.",
        source="seen",
        shows=Shows(namespace="urn:x"),
        settings={"pace_s": 0.1},
    )


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("end =", "end", "x.toml: "),
        ('"station"', '"both"', "x.toml: Invalid enum value 'both'"),
        ('source = "seen"', "", "x.toml: Object missing required field `source`"),
        ("namespace", "name_space", "x.toml: Object contains unknown field `name_space`"),
        ('namespace = "urn:x"', "", "x.toml: it says nothing of what the peer shows"),
    ],
)
def test_what_is_no_quirk_is_said(old: str, new: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}"):
        quirks.read({"x.toml": TEXT.replace(old, new)})


def test_settings_are_changed() -> None:
    settings = secc.Settings(MeterID="7")
    new = quirks.changed(settings, {"pace_s": 1, "iso15118_20": {"pricing": 2}})
    assert new == secc.Settings(MeterID="7", pace_s=1.0, iso15118_20=Settings20(pricing=Pricing.LEVELS))
    assert settings == secc.Settings(MeterID="7")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pace": 1}, "there is no setting pace"),
        ({"iso15118_20": {"pace_s": 1}}, "there is no setting pace_s"),
        ({"pace_s": "1"}, "pace_s: Expected `float`, got `str`"),
    ],
)
def test_what_is_no_setting_is_said(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        quirks.changed(secc.Settings(), changes)


SHOWN = Shown(
    protocol="din70121",
    namespaces=frozenset({"urn:x", "urn:y"}),
    EVCCID=b"\x98\xed\x5c\x01\x02\x03",
    EVSEID="DE*PNX*E1",
    SessionID=b"ABB7",
)


@pytest.mark.parametrize(
    ("shows", "fits"),
    [
        (Shows(protocol=("iso15118_2", "din70121")), True),
        (Shows(protocol=("iso15118_2",)), False),
        (Shows(namespace="urn:y"), True),
        (Shows(namespace="urn:"), False),
        (Shows(EVCCID=("98ED5c",)), True),
        (Shows(EVCCID=("ed5c",)), False),
        (Shows(EVCCID=("ed5c", "98")), True),
        (Shows(EVSEID=("de*pnx",)), True),
        (Shows(EVSEID=("DE*PNX*E12",)), False),
        (Shows(SessionID=("414242",)), True),
        (Shows(namespace="urn:y", SessionID=("00",)), False),
    ],
)
def test_a_peer_is_known_by_all_that_is_said(shows: Shows, fits: bool) -> None:
    assert shows.fit(SHOWN) is fits
    assert not shows.fit(Shown())


# --- those that come with the package ---------------------------------------------------------------------------------


@pytest.mark.parametrize("quirk", QUIRKS.values(), ids=QUIRKS)
def test_each_changes_settings_that_are_there(quirk: Quirk) -> None:
    before: Any = {"station": secc.Settings(), "vehicle": evcc.Settings()}[quirk.end]
    assert quirks.changed(before, quirk.settings) != before
    assert set(quirk.shows.protocol) <= set(sap.PROTOCOLS)
    assert quirk.about.endswith(".")


def test_the_page_lists_them() -> None:
    rows = [f"| `{each.name}` | {each.end} | {each.about} | {each.source} |" for each in QUIRKS.values()]
    assert re.findall(r"^\| `[a-z0-9-]+` \| (?:station|vehicle) \|.*$", PAGE.read_text(encoding="utf-8"), re.M) == rows


RECORDED = {
    ("2024-04-20_ModelY_pyPLC_stop_in_precharge.pcapng", "din70121"): {"tesla"},
    ("2022-11-25_v0.2_ABB_until_ChargeParamDiscovery.pcapng", "din70121"): {"abb", "din-slow"},
    ("2022-12-13_compleo_with_bulb.pcapng", "din70121"): {"din-slow"},
    ("2022-12-20_alpi_currentDemandSequenceErrorShutdown.pcapng", "din70121"): {"din-slow"},
    ("porsche-taycan-4s-driverside-ac-iso2.pcap", "iso15118_2"): set[str](),
    ("ISO-2_AC_DS5366.pcapng", "iso15118_2"): set[str](),
}
"""Captures, and the quirks that the peers in them have."""


@pytest.mark.parametrize(("name", "protocol"), RECORDED)
def test_recorded_peers_are_known(reference: Path, name: str, protocol: str) -> None:
    path = reference / "captures" / name
    if not path.exists():
        pytest.skip(f"no {path}")
    shown = shows(sessions(path, protocol)[0])
    assert {quirk.name for quirk in QUIRKS.values() if quirk.shows.fit(shown)} == RECORDED[name, protocol]


def shows(recorded: Recorded) -> Shown:
    """What the peers of a recording show."""
    [offer] = recorded.all("supportedAppProtocolReq")
    [request], [response] = recorded.all("SessionSetupReq"), recorded.all("SessionSetupRes")
    index = next(index for index, heard in enumerate(recorded.heard) if heard.body is response)
    document: Any = exi.schema(recorded.rules.name).decode(recorded.heard[index].payload)
    return Shown(
        protocol=recorded.rules.name,
        namespaces=frozenset(entry.ProtocolNamespace for entry in offer.AppProtocol),
        EVCCID=request.EVCCID,
        EVSEID=response.EVSEID,
        SessionID=document.Header.SessionID,
    )


# --- sessions with them -----------------------------------------------------------------------------------------------


class Session:
    """A simulated session, with what happens on the wire in the hands of a test."""

    def __init__(self, world: worlds.World, *, strict: bool = False, soc: float = 79.9, **pair: Any) -> None:
        self.events: list[Event] = []
        self.delays: dict[str, float] = {}
        """How much later messages arrive, s, by name."""
        self.offer: supportedAppProtocolReq | None = None
        """In place of what the vehicle offers."""
        self.EVCCID = ""
        """In place of what the vehicle says, in ISO 15118-20."""
        self.pair = Pair(
            worlds.vehicle(world.mode, Battery(soc=soc)),
            worlds.outlet(world.mode),
            protocol=world.negotiated,
            station_settings=world.station_settings(strict=strict),
            vehicle_settings=world.vehicle_settings(strict=strict),
            trace=self.events.append,
            tamper=self._tampered,
            **pair,
        )
        if not strict:
            self.pair.station.quirks, self.pair.vehicle.quirks = list(known("station")), list(known("vehicle"))

    def _tampered(self, pair: Pair, number: int, delivery: Delivery) -> list[tuple[float, Delivery]]:
        name = pair.messages[-1]
        if name == "supportedAppProtocolReq" and self.offer is not None:
            delivery = delivery._replace(payload=exi.schema("sap").encode(self.offer))
        if name == "SessionSetupReq" and self.EVCCID:
            schema = exi.schema("iso15118_20_common")
            request = replace(schema.decode(delivery.payload), EVCCID=self.EVCCID)
            delivery = delivery._replace(payload=schema.encode(request))
        return [(self.delays.get(name, 0.0), delivery)]

    def run(self) -> bool:
        """Whether it ends well at both ends."""
        self.pair.run()
        return self.pair.station.good and self.pair.vehicle.good

    def quirks(self) -> set[str]:
        """Those that were noted."""
        texts = [event.text for event in self.events if isinstance(event, Note)]
        return {text.split()[1].rstrip(":") for text in texts if text.startswith("quirk ")}


DIN = worlds.World("din70121", Mode.DC)
AC_20 = worlds.World("iso15118-20", Mode.AC, Control.SCHEDULED)
DC_20 = worlds.World("iso15118-20", Mode.DC, Control.SCHEDULED)


@pytest.mark.parametrize("tesla", [False, True])
def test_a_tesla_is_not_answered_faster_than_every_100_ms(tesla: bool) -> None:
    """The order, SchemaIDs and priorities are those that a Model Y offers."""
    session = Session(DIN)
    [din] = sap.offer([sap.DIN70121]).AppProtocol
    own = AppProtocol(ProtocolNamespace=TESLA, VersionNumberMajor=0, VersionNumberMinor=7, SchemaID=2, Priority=1)
    session.offer = supportedAppProtocolReq(AppProtocol=[replace(din, Priority=2), own] if tesla else [din])
    session.pair.run()
    assert ("tesla" in session.quirks()) is tesla
    assert session.pair.station.settings.pace_s == (0.1 if tesla else 0.0)


def test_answers_are_held_back_and_never_too_long() -> None:
    """A vehicle that asks again 15 ms after each answer."""
    station = secc.Station(
        SimulatedOutlet(authorization_s=1e9),
        random=lambda count: bytes(range(1, count + 1)),
        settings=secc.Settings(pace_s=0.1),
    )
    din = exi.schema("din70121")
    now = 0.0
    station.start(now)
    station.receive(0x8001, exi.schema("sap").encode(sap.offer([sap.DIN70121])), now)

    def ask(kind: Any) -> float:
        """A request; how long its answer took."""
        nonlocal now
        now += 0.015
        asked = now
        payload = din.encode(wrap(station.session_id or bytes(8), REQUESTS[kind]))
        effects = station.receive(0x8001, payload, now)
        while not effects:
            deadline = station.next_deadline()
            assert deadline is not None
            now = deadline
            effects = station.expire(now)
        assert isinstance(effects[0], Send)
        return now - asked

    for kind in (din70121.SessionSetupReq, din70121.ServiceDiscoveryReq, din70121.ServicePaymentSelectionReq):
        assert ask(kind) == 0.0
    assert ask(din70121.ContractAuthenticationReq) == 0.0
    assert [ask(din70121.ContractAuthenticationReq) for _ in range(3)] == pytest.approx([0.085] * 3)
    assert ask(din70121.SessionStopReq) == 0.0


def test_what_shows_with_the_session_changes_settings_of_the_protocol() -> None:
    session = Session(DC_20)
    settings = {"iso15118_20": {"standby": False, "intended": [1]}}
    quirk = Quirk(name="x", end="station", about="", source="", shows=Shows(EVCCID=("0200",)), settings=settings)
    session.pair.station.quirks = [quirk]
    assert session.run()
    [answer] = [each.message for each in session.pair.said if each.name == "ServiceDiscoveryRes"]
    assert [each.ServiceID for each in answer.VASList.Service] == [Service.PARKING_STATUS]


def test_a_vehicle_with_a_certificate_of_hlc_pki_create_is_not_taken_for_another_make() -> None:
    EVCCID = BY_NAME["vehicle"].common_name  # noqa: N806 (the standard's name)
    for protocol in sap.PROTOCOLS:
        shown = Shown(protocol=protocol, EVCCID=EVCCID)
        assert not [name for name, quirk in QUIRKS.items() if quirk.end == "station" and quirk.shows.fit(shown)]


@pytest.mark.parametrize("josev", [False, True])
@pytest.mark.parametrize("world", [AC_20, DC_20])
def test_josev_may_take_530_ms_in_the_charge_loop(world: worlds.World, josev: bool) -> None:
    session = Session(world)
    session.EVCCID = JOSEV if josev else "WMIV1234567890ABCDEF"
    session.delays[f"{world.mode.value.upper()}_ChargeLoopReq"] = 0.53
    session.pair.vehicle.settings = replace(session.pair.vehicle.settings, patience_s=1.0)
    assert session.run() is josev
    assert ("josev-vehicle" in session.quirks()) is josev


@pytest.mark.parametrize("EVSEID", [b"UK123E1234", b"UK124E1234"])
def test_stations_of_josev_are_waited_for_in_the_loop(EVSEID: bytes) -> None:  # noqa: N803 (the standard's name)
    session = Session(worlds.World("iso15118-2", Mode.DC))
    session.pair.station.settings = replace(session.pair.station.settings, EVSEID=EVSEID)
    session.delays["CurrentDemandRes"] = 0.45
    josev = EVSEID == b"UK123E1234"
    assert session.run() is josev
    assert ("josev-station" in session.quirks()) is josev


@pytest.mark.parametrize("abb", [False, True])
def test_an_abb_is_not_asked_for_welding_detection(abb: bool) -> None:
    session = Session(DIN)
    session.pair.station.random = lambda count: b"ABB00006" if abb else b"ABC00006"
    assert session.run()
    assert ("abb" in session.quirks()) is abb
    assert ("WeldingDetectionReq" in session.pair.messages) is not abb


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    "name", ["ChargeParameterDiscoveryRes", "CableCheckRes", "PowerDeliveryRes", "CurrentDemandRes"]
)
def test_slow_stations_of_din_are_waited_for(name: str, strict: bool) -> None:
    session = Session(DIN, strict=strict, soc=79.99)
    session.delays[name] = 2.2
    assert session.run() is not strict
    assert session.quirks() == (set() if strict else {"din-slow"})


def test_a_quirk_is_noted_once() -> None:
    session = Session(DIN)
    session.run()
    texts = [event.text for event in session.events if isinstance(event, Note)]
    assert [text for text in texts if text.startswith("quirk")] == [f"quirk din-slow: {QUIRKS['din-slow'].about}"]
