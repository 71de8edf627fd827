"""How long a station serves, and what its exit code says."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from passing import PassingLoop

from hlc.commands import secc
from hlc.flow import Paused
from hlc.ports import ControlPilot
from hlc.runtime.errors import SetupError
from hlc.runtime.matching import Matching, Outcome
from hlc.security.layer import PLAIN
from hlc.sim import SimulatedOutlet
from hlc.trace.events import ignore
from slac.effects import Failed, Linked, Reason, Unlinked


class FakeServer:
    """Servers that serve nothing by themselves."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.ended: asyncio.Queue[Any] = asyncio.Queue()
        self.sessions: list[Any] = []
        self.failure = failure

    async def run(self) -> None:
        if self.failure is not None:
            raise self.failure
        await asyncio.Event().wait()

    def session(self, *, good: bool, paused: object = None) -> None:
        self.ended.put_nowait(SimpleNamespace(good=good, paused=paused))


class FakeBay(secc.Bay):
    """An interface that is served by a fake server, after these failures."""

    def __init__(self, name: str, server: FakeServer, *failures: str, plug: secc.Plug | None = None) -> None:
        options = SimpleNamespace(once=False, modes="dc", protocols="din70121")
        super().__init__(name, options, SimpleNamespace(trace=ignore), PLAIN, alone=True)  # type: ignore[arg-type]
        self.opened = 0
        self._failures = list(failures)
        self._fake: Any = server, plug

    async def open(self) -> None:
        self.opened += 1
        if self._failures:
            raise SetupError(self._failures.pop(0))
        self.server, self.plug = self._fake


class FakeConnection:
    """A session that ends when it is told to."""

    def __init__(self, *, good: bool, obeys: bool = True) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.machine = SimpleNamespace(good=good)
        self.started = True
        self.told: list[str] = []
        self._obeys = obeys

    def stop(self, reason: str) -> None:
        if self.told:
            return
        self.told.append(f"stop: {reason}")
        if self._obeys:
            self.closed.set_result(None)
        else:
            interrupt()

    def drop(self, reason: str) -> None:
        self.told.append(f"drop: {reason}")
        self.closed.set_result(None)


class FakeMatching:
    """The powerline end, as far as it is told what to do."""

    def __init__(self, *, wired: bool) -> None:
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.machine = SimpleNamespace(link=LINKED)
        self.wired = wired
        self.did: list[str] = []

    def start(self) -> None:
        self.did.append("start")

    def again(self) -> None:
        self.did.append("again")

    def part(self) -> None:
        self.did.append("part")

    def pause(self) -> None:
        self.did.append("pause")

    def renew_pilot(self) -> None:
        self.did.append("renew pilot")

    async def leave(self) -> None:
        self.did.append("leave")

    unless_broken = Matching.unless_broken


Sessions = Callable[[], list[FakeConnection]]
LINKED = Linked(bytes(6), bytes(8), bytes(7), bytes(16), 12.0)


class FakeLink:
    mac = bytes.fromhex("020000000002")


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def serve(server: FakeServer, *, once: bool, interrupted: bool = False, sessions: Sessions = list) -> int:
    """The exit code."""

    async def run() -> int:
        server.sessions = sessions()
        if interrupted:
            asyncio.get_running_loop().call_later(0.02, interrupt)
        async with asyncio.timeout(5):
            return await secc._until_done([FakeBay("plc", server)], once=once)

    return asyncio.run(run())


@pytest.mark.parametrize(("good", "code"), [(True, 0), (False, 1)])
def test_once_ends_with_the_first_session(good: bool, code: int) -> None:
    server = FakeServer()
    server.session(good=good)
    assert serve(server, once=True) == code


def test_without_once_it_serves_until_ctrl_c() -> None:
    server = FakeServer()
    for good in (False, True, True):
        server.session(good=good)
    assert serve(server, once=False, interrupted=True) == 0


def test_ctrl_c_before_any_session() -> None:
    assert serve(FakeServer(), once=False, interrupted=True) == 0
    assert serve(FakeServer(), once=True, interrupted=True) == 1  # what was asked for did not happen


@pytest.mark.parametrize(("good", "code"), [(True, 0), (False, 1)])
def test_ctrl_c_ends_the_session_that_goes_on(good: bool, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    server = FakeServer()
    assert serve(server, once=True, interrupted=True, sessions=lambda: [FakeConnection(good=good)]) == code
    assert server.sessions[0].told == ["stop: stopped by the operator"]
    assert "Ctrl-C again to end it at once" in capsys.readouterr().err


def test_sessions_that_go_on_are_ended_in_order_and_awaited() -> None:
    server = FakeServer()
    code = serve(server, once=False, interrupted=True, sessions=lambda: [FakeConnection(good=True) for _ in "ab"])
    assert (code, [session.told for session in server.sessions]) == (0, [["stop: stopped by the operator"]] * 2)
    server = FakeServer()
    mixed = (True, False)
    assert serve(server, once=False, interrupted=True, sessions=lambda: [FakeConnection(good=good) for good in mixed])
    server = FakeServer()
    server.session(good=True)  # the first, which is what was asked for
    assert serve(server, once=True, sessions=lambda: [FakeConnection(good=False)]) == 0
    assert server.sessions[0].told == ["stop: the station ends"]


def test_a_second_ctrl_c_forces() -> None:
    server = FakeServer()
    code = serve(server, once=False, interrupted=True, sessions=lambda: [FakeConnection(good=False, obeys=False)])
    assert code == 1
    assert server.sessions[0].told == ["stop: stopped by the operator", "drop: stopped by the operator, at once"]


def test_what_ends_the_servers_is_told() -> None:
    with pytest.raises(SetupError, match="no socket"):
        serve(FakeServer(SetupError("no socket")), once=False)


def matched(
    server: FakeServer,
    *outcomes: Outcome,
    once: bool,
    sessions: Sessions = list,
    broken: bool = False,
    link: Linked | None = LINKED,
    wired: bool = False,
) -> tuple[int, list[str], FakeServer]:
    """Exit code, and what the powerline end did while this was told of the link."""
    did: list[list[str]] = []

    async def run() -> int:
        loop = asyncio.get_running_loop()
        plug = secc.Plug(FakeLink(), lambda event: None, SimulatedOutlet(), once=once)  # type: ignore[arg-type]
        plug.matching = matching = FakeMatching(wired=wired)  # type: ignore[assignment]
        did.append(matching.did)
        plug._told(LINKED)
        matching.machine.link = link
        server.sessions = sessions()
        for outcome in outcomes:
            loop.call_later(0.01, plug._told, outcome)
        if broken:
            loop.call_later(0.01, matching.failure.set_exception, SetupError("interface plc went down"))
        elif not once:
            loop.call_later(0.03, interrupt)
        async with asyncio.timeout(5):
            return await secc._until_done([FakeBay("plc", server, plug=plug)], once=once)

    return asyncio.run(run()), did[0], server


FAILED = Failed(Reason.LINK_NOT_UP, "the key was set, and no link within 12 s")
MISSING = Failed(Reason.NO_MODEM, "no modem answers on this interface")


@pytest.mark.parametrize(("good", "code", "did"), [(True, 0, "part"), (False, 1, "again")])
def test_after_a_session_the_network_is_left_for_the_next_vehicle(good: bool, code: int, did: str) -> None:
    server = FakeServer()
    server.session(good=good)
    assert matched(server, once=False)[:2] == (code, ["start", did, "leave"])


def test_a_vehicle_that_has_paused_finds_the_network_again() -> None:
    server = FakeServer()
    server.session(good=True, paused="the session")
    assert matched(server, once=False)[:2] == (0, ["start", "pause", "leave"])


def test_the_link_stays_while_the_vehicle_has_come_again() -> None:
    server = FakeServer()
    server.session(good=False)
    code, did, _ = matched(server, once=False, sessions=lambda: [FakeConnection(good=True)])
    assert (code, did) == (0, ["start", "leave"])


@pytest.mark.parametrize("link", [None, LINKED._replace(run_id=b"12345678")])
def test_the_next_vehicle_is_not_disturbed(link: Linked | None) -> None:
    server = FakeServer()
    server.session(good=True)
    assert matched(server, once=False, link=link)[:2] == (0, ["start", "renew pilot", "leave"])


def test_a_session_ends_with_its_link() -> None:
    code, _, server = matched(
        FakeServer(), Unlinked("noise"), once=False, sessions=lambda: [FakeConnection(good=False)]
    )
    assert code == 1
    assert server.sessions[0].told[0] == "drop: the powerline link is gone: noise"


def test_a_failed_matching_is_for_the_next_vehicle_to_better() -> None:
    assert matched(FakeServer(), FAILED, once=False)[:2] == (0, ["start", "again", "leave"])
    # A control pilot tells when to begin again.
    assert matched(FakeServer(), FAILED, once=False, wired=True)[:2] == (0, ["start", "leave"])
    # For a modem that is missing the machine looks by itself.
    assert matched(FakeServer(), MISSING, once=False)[:2] == (0, ["start", "leave"])


@pytest.mark.parametrize("outcome", [FAILED, MISSING])
def test_once_ends_with_a_failed_matching(outcome: Failed) -> None:
    assert matched(FakeServer(), outcome, once=True)[:2] == (1, ["start", "leave"])


def test_an_interface_that_is_gone_ends_it() -> None:
    with pytest.raises(SetupError, match="interface plc went down"):
        matched(FakeServer(), once=False, broken=True)


def test_who_was_unplugged_has_no_paused_session() -> None:
    async def run() -> None:
        bay = FakeBay("plc", FakeServer())
        bay._paused.keep(Paused(b"12345678", "iso15118_2", b"", None))
        serving = asyncio.create_task(bay.keep([bay], asyncio.Queue()))
        await asyncio.sleep(3600.0)
        assert bay._paused.known == 1
        bay._outlet.control_pilot = lambda: ControlPilot.A
        await asyncio.sleep(1.0)
        assert bay._paused.known == 0
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    with asyncio.Runner(loop_factory=PassingLoop) as runner:
        runner.run(run())


def keep(*bays: Callable[[], FakeBay], once: bool = False, interrupted: bool = True) -> tuple[int, list[FakeBay]]:
    """Exit code, and the interfaces that were served."""
    made: list[FakeBay] = []

    async def run() -> int:
        made.extend(make() for make in bays)
        if interrupted:
            asyncio.get_running_loop().call_later(0.1, interrupt)
        async with asyncio.timeout(5):
            return await secc._until_done(made, once=once)

    return asyncio.run(run()), made


def test_an_interface_that_fails_is_tried_again_while_there_is_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(secc, "RETRY_S", 0.01)
    code, (first, second) = keep(
        lambda: FakeBay("eth1", FakeServer(), "eth1 is down", "eth1 is down", "eth1 is gone"),
        lambda: FakeBay("eth2", FakeServer()),
    )
    assert (code, first.opened, second.opened) == (0, 4, 1)
    assert capsys.readouterr().err.splitlines() == [
        "hlc secc: eth1 is down; trying again every 0.01 s",
        "hlc secc: eth1 is gone; trying again every 0.01 s",
    ]


def test_when_no_interface_is_left_that_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secc, "RETRY_S", 1e6)
    with pytest.raises(SetupError, match="eth1 is gone"):
        keep(
            lambda: FakeBay("eth1", FakeServer(SetupError("eth1 is gone"))),
            lambda: FakeBay("eth2", FakeServer(), "eth2 is down"),
        )


@pytest.mark.parametrize(("good", "code"), [(True, 0), (False, 1)])
def test_once_ends_with_the_first_session_on_any_interface(good: bool, code: int) -> None:
    server = FakeServer()
    server.session(good=good)
    assert keep(lambda: FakeBay("eth1", FakeServer()), lambda: FakeBay("eth2", server), once=True)[0] == code


def test_a_session_that_ends_with_its_interface_has_been_one() -> None:
    """With `once` it was the one."""

    def gone() -> FakeBay:
        server = FakeServer(SetupError("eth1 is gone"))
        session = FakeConnection(good=False)
        server.sessions = [session]
        session.closed.add_done_callback(lambda _: server.session(good=False))
        return FakeBay("eth1", server)

    code, (first, _) = keep(gone, lambda: FakeBay("eth2", FakeServer()), once=True, interrupted=False)
    assert code == 1
    assert first._fake[0].sessions[0].told == ["drop: eth1 is gone"]
