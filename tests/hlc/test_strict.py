"""What `strict` makes of what is tolerated otherwise, at both ends."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

import exi
from exi.messages import din70121 as din
from exi.messages import iso15118_2 as iso
from exi.messages.sap import ResponseCode, supportedAppProtocolRes
from hlc import evcc, sap, secc
from hlc.flow import PLAIN, Transport
from hlc.ports import Mode
from hlc.rules.iso15118_20.services import Control
from hlc.sim import Battery, worlds
from hlc.sim.pair import Delivery, Pair
from hlc.trace.events import Event, Fault, Note

DIN = worlds.World("din70121", Mode.DC)
ISO_2 = worlds.World("iso15118-2", Mode.DC)
ISO_20 = worlds.World("iso15118-20", Mode.DC, Control.SCHEDULED)
TLS13 = Transport("1.3", b"vehicle")


class Session:
    """A simulated session; `put` takes the place of messages, by name."""

    def __init__(self, world: worlds.World, *, secc: bool = False, evcc: bool = False, **pair: Any) -> None:
        self.events: list[Event] = []
        self.put: dict[str, dict[str, Any]] = {}
        self.world = world
        self.pair = Pair(
            worlds.vehicle(world.mode, Battery(soc=79.9)),
            worlds.outlet(world.mode),
            protocol=world.negotiated,
            station_settings=world.station_settings(strict=secc),
            vehicle_settings=world.vehicle_settings(strict=evcc),
            trace=self.events.append,
            tamper=self._tampered,
            **pair,
        )

    def _tampered(self, pair: Pair, number: int, delivery: Delivery) -> list[tuple[float, Delivery]]:
        fields = self.put.get(pair.messages[-1])
        if fields is not None:
            schema = exi.schema(self.world.negotiated)
            document: Any = schema.decode(delivery.payload)
            body = replace(document.Body.BodyElement, **fields)
            new = replace(document, Body=replace(document.Body, BodyElement=body))
            delivery = delivery._replace(payload=schema.encode(new))
        return [(0.0, delivery)]

    def run(self) -> bool:
        """Whether it ends well at both ends."""
        self.pair.run()
        return self.pair.station.good and self.pair.vehicle.good

    def said(self, kind: type[Fault] | type[Note]) -> str:
        """The texts of these events."""
        return "; ".join(event.text for event in self.events if isinstance(event, kind))


@pytest.mark.parametrize("transport", [PLAIN, TLS13])
def test_iso15118_20_over_plain_tcp_is_noted(transport: Transport) -> None:
    session = Session(ISO_20, transport=transport)
    assert session.run()
    assert ("ISO 15118-20 over plain TCP" in session.said(Note)) is (transport is PLAIN)


def test_what_may_be_spoken_by_the_letter() -> None:
    every = sap.PROTOCOLS.values()
    assert sap.over(every, "", strict=True) == [sap.DIN70121, sap.ISO15118_2]
    for tls in ("1.2", "1.3"):
        assert sap.over(every, tls, strict=True) == sap.over(every, tls)


def test_a_strict_station_has_no_iso15118_20_over_plain_tcp() -> None:
    session = Session(ISO_20, secc=True)
    assert not session.run()
    assert session.pair.messages == ["supportedAppProtocolReq", "supportedAppProtocolRes"]
    assert "nothing in common" in session.said(Fault)


def test_a_strict_vehicle_has_no_iso15118_20_over_plain_tcp() -> None:
    session = Session(ISO_20, evcc=True)
    assert not session.run()
    assert session.pair.messages == []
    assert "over plain TCP this vehicle speaks none of its protocols" in session.said(Fault)


def test_iso15118_20_over_tls_is_what_the_letter_wants() -> None:
    assert Session(ISO_20, secc=True, evcc=True, transport=TLS13).run()


@pytest.mark.parametrize("world", worlds.WORLDS, ids=lambda world: world.name)
def test_our_own_ends_keep_to_the_letter(world: worlds.World) -> None:
    session = Session(world, secc=True, evcc=True, transport=PLAIN if world.control is None else TLS13)
    assert session.run()
    assert session.pair.invariants.violations == []


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("world", "field", "wanted"),
    [
        (DIN, "EVRequestedEnergyTransferType", din.EVRequestedEnergyTransfer.DC_combo_core),
        (DIN, "EVRequestedEnergyTransferType", din.EVRequestedEnergyTransfer.DC_unique),
        (ISO_2, "RequestedEnergyTransferMode", iso.EnergyTransferMode.DC_core),
    ],
)
def test_other_modes_over_the_same_contacts(world: worlds.World, field: str, wanted: Any, strict: bool) -> None:
    session = Session(world, secc=strict)
    session.put["ChargeParameterDiscoveryReq"] = {field: wanted}
    assert session.run() is not strict
    assert ("FAILED_WrongEnergyTransfer" in session.said(Fault)) is strict


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("level", "code"), [(None, "EVSE_Ready"), ("Valid", "EVSE_NotReady"), ("Valid", "EVSE_Ready")], ids=str
)
@pytest.mark.parametrize(("world", "messages"), [(DIN, din), (ISO_2, iso)], ids=["din", "iso2"])
def test_what_proves_the_isolation(
    world: worlds.World, messages: Any, level: str | None, code: str, strict: bool
) -> None:
    session = Session(world, evcc=strict)
    session.put["CableCheckRes"] = {
        "DC_EVSEStatus": messages.DC_EVSEStatus(
            EVSEIsolationStatus=None if level is None else messages.IsolationLevel(level),
            EVSEStatusCode=messages.DC_EVSEStatusCode(code),
            NotificationMaxDelay=0,
            EVSENotification=messages.EVSENotification.None_,
        )
    }
    exact = (level, code) == ("Valid", "EVSE_Ready")
    assert session.run() is (exact or not strict)
    assert ("cable check: isolation" in session.said(Fault)) is (strict and not exact)


@pytest.mark.parametrize("strict", [False, True])
def test_an_answer_to_sap_without_schema_id(strict: bool) -> None:
    answer = supportedAppProtocolRes(ResponseCode=ResponseCode.OK_SuccessfulNegotiation)
    chosen = sap.chosen([sap.DIN70121], answer, strict=strict)
    assert chosen is (None if strict else sap.DIN70121)


def test_the_default_is_tolerant() -> None:
    assert not secc.Settings().strict
    assert not evcc.Settings().strict
