"""How long a station serves, and what its exit code says."""

from __future__ import annotations

import asyncio
import os
import signal
from types import SimpleNamespace
from typing import Any

import pytest

from hlc.commands import secc
from hlc.runtime.errors import SetupError


class FakeServer:
    """Servers that serve nothing by themselves."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.ended: asyncio.Queue[Any] = asyncio.Queue()
        self.current: Any = None
        self.failure = failure

    async def run(self) -> None:
        if self.failure is not None:
            raise self.failure
        await asyncio.Event().wait()

    def session(self, *, good: bool) -> None:
        self.ended.put_nowait(SimpleNamespace(good=good))


class FakeConnection:
    """A session that ends when it is told to."""

    def __init__(self, *, good: bool, obeys: bool = True) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.machine = SimpleNamespace(good=good)
        self.spoke = True
        self.told: list[str] = []
        self._obeys = obeys

    def stop(self, reason: str) -> None:
        self.told.append(f"stop: {reason}")
        if self._obeys:
            self.closed.set_result(None)
        else:
            interrupt()

    def drop(self, reason: str) -> None:
        self.told.append(f"drop: {reason}")
        self.closed.set_result(None)


class FakeOutput:
    """Counts the sessions that it is told of."""

    def __init__(self) -> None:
        self.sessions = 0

    def session_ended(self) -> None:
        self.sessions += 1


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def serve(server: FakeServer, *, once: bool, interrupted: bool = False, current: Any = None) -> tuple[int, int]:
    """Exit code, and the number of sessions that were told."""
    out = FakeOutput()

    async def run() -> int:
        if current is not None:
            server.current = current()
        if interrupted:
            asyncio.get_running_loop().call_later(0.02, interrupt)
        async with asyncio.timeout(5):
            return await secc._until_done(server, out, once=once)  # type: ignore[arg-type]

    return asyncio.run(run()), out.sessions


@pytest.mark.parametrize(("good", "code"), [(True, 0), (False, 1)])
def test_once_ends_with_the_first_session(good: bool, code: int) -> None:
    server = FakeServer()
    server.session(good=good)
    assert serve(server, once=True) == (code, 1)


def test_without_once_it_serves_until_ctrl_c() -> None:
    server = FakeServer()
    for good in (False, True, True):
        server.session(good=good)
    assert serve(server, once=False, interrupted=True) == (0, 3)


def test_ctrl_c_before_any_session() -> None:
    assert serve(FakeServer(), once=False, interrupted=True) == (0, 0)
    assert serve(FakeServer(), once=True, interrupted=True) == (1, 0)  # what was asked for did not happen


@pytest.mark.parametrize(("good", "code"), [(True, 0), (False, 1)])
def test_ctrl_c_ends_the_session_that_goes_on(good: bool, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    server = FakeServer()
    assert serve(server, once=True, interrupted=True, current=lambda: FakeConnection(good=good)) == (code, 1)
    assert server.current.told == ["stop: stopped by the operator"]
    assert "Ctrl-C again to end it at once" in capsys.readouterr().err


def test_a_second_ctrl_c_forces() -> None:
    server = FakeServer()
    code, _ = serve(server, once=False, interrupted=True, current=lambda: FakeConnection(good=False, obeys=False))
    assert code == 1
    assert server.current.told == ["stop: stopped by the operator", "drop: stopped by the operator, at once"]


def test_what_ends_the_servers_is_told() -> None:
    with pytest.raises(SetupError, match="no socket"):
        serve(FakeServer(SetupError("no socket")), once=False)
