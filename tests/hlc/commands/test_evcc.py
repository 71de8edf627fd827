"""A vehicle looks for a station, tries again where that makes sense, and says what became of it."""

from __future__ import annotations

import asyncio
from ipaddress import IPv6Address
from types import SimpleNamespace
from typing import Any

import pytest

from hlc.commands import evcc
from hlc.commands.options import Address
from hlc.runtime.discovery import Found
from hlc.runtime.errors import SetupError
from hlc.runtime.interfaces import Interface
from hlc.runtime.matching import Outcome
from hlc.runtime.policy import Policy
from hlc.sdp import Coupling
from hlc.security.layer import PLAIN, Security
from hlc.trace.events import Event, SessionEnded, Side
from slac.effects import Failed, Linked, Reason, Unlinked

ETH = Interface("eth1", 3, IPv6Address("fe80::2"))


class FakeConnection:
    """A session that has ended already, or one that waits to be stopped."""

    def __init__(self, *, ended: bool = True, started: bool = True) -> None:
        self.started = started
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.told: list[str] = []
        if ended:
            self.closed.set_result(None)

    def stop(self, reason: str) -> None:
        self.told.append(reason)
        self.closed.set_result(None)

    drop = stop


class World:
    """What discovery and connecting come to; `results` says of each session whether it is good."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *results: bool, found: Found | None, ends: bool = True) -> None:
        self.results = list(results)
        self.found = found
        self.ends = ends
        self.reason: str | None = None
        """Why a session ends, where it is told."""
        self.connected: list[Found] = []
        self.asked: list[Any] = []
        """The policy and the variant of each discovery."""
        self.protocols: list[list[str]] = []
        """What each vehicle is to offer."""
        self.tls_works = True
        self.connections: list[FakeConnection] = []
        self.matching: Any = None
        self.events: list[Event] = []
        self.out = SimpleNamespace(session_begins=list, session_ended=list, trace=self.events.append)
        monkeypatch.setattr(evcc, "discover", self.discover)
        monkeypatch.setattr(evcc, "connect", self.connect)
        monkeypatch.setattr(evcc, "RETRY_AFTER_S", 0.0)

    async def discover(self, interface: Interface, trace: object, policy: Policy, *, wireless: Any) -> Found | None:
        self.asked.append((policy, wireless))
        return self.found._replace(tls=policy is not Policy.NEVER) if self.found is not None else None

    async def connect(self, found: Found, machine: Any, trace: object, security: Security) -> FakeConnection:
        assert (security is PLAIN) is not found.tls
        self.connected.append(found)
        self.protocols.append([protocol.name for protocol in machine.protocols])
        machine.good = self.results.pop(0)
        if self.reason is not None:
            machine.trace(SessionEnded(at=1.0, side=Side.EVCC, good=False, reason=self.reason, energy_wh=0.0))
        self.connections.append(FakeConnection(ended=self.ends, started=self.tls_works or not found.tls))
        return self.connections[-1]

    def charge(
        self,
        *outcomes: Outcome,
        once: bool,
        interface: Interface | None = ETH,
        unlinked: Unlinked | None = None,
        **options: Any,
    ) -> int:
        defaults: dict[str, Any] = {"soc": 20.0, "target_soc": 80.0, "protocols": "din70121", "secc": None}
        defaults |= {
            "max_time": None,
            "tls": None,
            "pki": None,
            "keylog": None,
            "modes": "dc",
            "control": None,
            "strict": False,
        }
        given = SimpleNamespace(once=once, **{**defaults, **options})

        async def run() -> int:
            security = PLAIN if given.pki is None else Security(tls=list, plain=False)  # type: ignore[arg-type]
            charge = evcc.Charge(given, interface, self.out, security)  # type: ignore[arg-type]
            if outcomes:
                charge.matching = self.matching = FakeMatching(charge, *outcomes)  # type: ignore[assignment]
            if unlinked is not None:
                asyncio.get_running_loop().call_later(0.01, charge.told, unlinked)
            if options.get("asked"):
                asyncio.get_running_loop().call_later(0.01, charge.ask)
            async with asyncio.timeout(5):
                return await charge.run()

        return asyncio.run(run())


class FakeMatching:
    """The powerline end: what each attempt comes to. A link may go at once when there is a session."""

    def __init__(self, charge: evcc.Charge, *outcomes: Outcome) -> None:
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.machine = SimpleNamespace(absent=False, failed=None)
        self.did: list[str] = []
        self._charge = charge
        self._outcomes = list(outcomes)

    def start(self) -> None:
        self._attempt("start")

    def again(self) -> None:
        self._attempt("again")

    def _attempt(self, what: str) -> None:
        self.did.append(what)
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Failed) and outcome.reason is Reason.NO_MODEM:
            self.machine = SimpleNamespace(absent=True, failed=outcome)
        self._charge.told(outcome)

    async def unless_broken(self, waiting: Any) -> Any:
        return await waiting

    async def leave(self) -> None:
        self.did.append("leave")


FOUND = Found("fe80::1", 50000, 3)


@pytest.mark.parametrize(
    ("once", "results", "code", "sessions"),
    [
        (True, [True], 0, 1),
        (True, [False], 1, 1),
        (False, [True], 0, 1),
        (False, [False, True], 0, 2),
        (False, [False, False, False], 1, 3),
    ],
)
def test_attempts(once: bool, results: list[bool], code: int, sessions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, *results, found=FOUND)
    assert world.charge(once=once) == code
    assert world.connected == [FOUND] * sessions


def test_no_station(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, found=None)
    with pytest.raises(SetupError, match="no station answered 50 discovery requests on eth1: is one running there"):
        world.charge(once=True)


@pytest.mark.parametrize(
    ("address", "interface", "found"),
    [
        ("fe80::9", ETH, Found("fe80::9", 50000, 3)),
        ("::1", None, Found("::1", 50000, 0)),
        ("2001:db8::1", ETH, Found("2001:db8::1", 50000, 0)),
    ],
)
def test_address_given(
    address: str, interface: Interface | None, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch, True, found=None)
    assert world.charge(once=True, interface=interface, secc=Address(IPv6Address(address), 50000, None)) == 0
    assert world.connected == [found]


def test_max_time_stops_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, True, found=FOUND, ends=False)
    assert world.charge(once=True, max_time=0.01) == 0
    assert world.connections[0].told == ["stopped after --max-time 0.01 s"]


def test_ctrl_c_in_a_session_stops_it_and_tries_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, False, found=FOUND, ends=False)
    assert world.charge(once=False, asked=True) == 1
    assert world.connections[0].told == ["stopped by the driver"]


def test_ctrl_c_while_looking_for_a_station(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(monkeypatch, found=FOUND)

    async def searching(interface: Interface, trace: object, policy: Policy, *, wireless: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(evcc, "discover", searching)
    assert world.charge(once=True, asked=True) == 1
    assert capsys.readouterr().err.endswith("hlc evcc: stopped before there was a session\n")


LINKED = Linked(bytes(6), bytes(8), bytes(7), bytes(16), 12.0)
NOBODY = Failed(Reason.NO_EVSE, "no EVSE answered")


def test_matching_comes_first_and_its_network_is_left_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, True, found=FOUND)
    assert world.charge(LINKED, once=True) == 0
    assert (world.matching.did, world.connected) == (["start", "leave"], [FOUND])


def test_matching_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, True, found=FOUND)
    assert world.charge(NOBODY, LINKED, once=False) == 0
    assert world.matching.did == ["start", "again", "leave"]
    world = World(monkeypatch, found=FOUND)
    assert world.charge(NOBODY, once=True) == 1
    assert world.connected == []


def test_without_a_modem_there_is_nothing_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, found=FOUND)
    with pytest.raises(SetupError, match="no modem answers here"):
        world.charge(Failed(Reason.NO_MODEM, "no modem answers here"), once=False)


def test_a_session_ends_with_its_link(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, False, found=FOUND, ends=False)
    assert world.charge(LINKED, once=True, unlinked=Unlinked("noise")) == 1
    assert world.connections[0].told == ["the powerline link is gone: noise"]


@pytest.mark.parametrize(
    ("reason", "unlinked", "told"),
    [
        ("V2G_EVCC_Msg_Timeout", Unlinked("noise"), "the powerline link is gone: noise"),
        ("V2G_EVCC_Msg_Timeout", None, "V2G_EVCC_Msg_Timeout"),
        ("PreChargeRes: FAILED", Unlinked("noise"), "PreChargeRes: FAILED"),
    ],
)
def test_a_station_that_does_not_answer_may_be_out_of_reach(
    reason: str, unlinked: Unlinked | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch, False, found=FOUND)
    monkeypatch.setattr(evcc, "LOSS_S", 0.05 if unlinked is None else 5.0)
    world.reason = reason
    assert world.charge(LINKED, once=True, unlinked=unlinked) == 1
    assert [event.reason for event in world.events if isinstance(event, SessionEnded)] == [told]


WITH_TLS: dict[str, Any] = {"pki": "a directory", "protocols": "iso15118_20_dc,iso15118_2,din70121"}


def test_tls_is_asked_for_with_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, True, found=FOUND)
    assert world.charge(once=True, **WITH_TLS) == 0
    assert world.asked == [(Policy.ALLOW, None)]
    assert world.connected == [FOUND._replace(tls=True)]


def test_where_tls_fails_and_is_no_must_the_vehicle_asks_again_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it offers then is without ISO 15118-20. [V2G20-1237]"""
    world = World(monkeypatch, False, True, found=FOUND)
    world.tls_works = False
    assert world.charge(once=True, **WITH_TLS) == 0
    assert world.asked == [(Policy.ALLOW, None), (Policy.NEVER, None)]
    assert world.protocols == [["iso15118_20_dc", "iso15118_2", "din70121"], ["iso15118_2", "din70121"]]
    assert "trying without TLS, since it is no must" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [{"tls": "require"}, {"protocols": "iso15118_20_dc"}],
)
def test_where_tls_fails_and_is_a_must_that_was_it(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]) -> None:
    world = World(monkeypatch, False, found=FOUND)
    world.tls_works = False
    assert world.charge(once=True, **{**WITH_TLS, **options}) == 1
    assert len(world.connected) == 1


def test_a_session_over_tls_that_ends_badly_is_not_repeated_without(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, False, found=FOUND)
    assert world.charge(once=True, **WITH_TLS) == 1
    assert len(world.connected) == 1


@pytest.mark.parametrize(
    ("modes", "coupling"),
    [
        ("wpt", Coupling.WPT),
        ("acdp", Coupling.INVERSE_PANTOGRAPH_CROSS_RAIL),
        ("acdp-bpt", Coupling.INVERSE_PANTOGRAPH_CROSS_RAIL),
    ],
)
def test_wireless_modes_ask_by_the_wireless_variant(
    monkeypatch: pytest.MonkeyPatch, modes: str, coupling: Coupling
) -> None:
    world = World(monkeypatch, True, found=FOUND)
    assert world.charge(once=True, modes=modes, protocols="iso15118-20") == 0
    [(policy, wireless)] = world.asked
    assert (policy, wireless.coupling) == (Policy.NEVER, coupling)
