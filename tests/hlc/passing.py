"""Programs of asyncio in time that passes as soon as everybody waits, and an Ethernet cable in memory for them."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any


class Passing(selectors.SelectSelector):
    """Where a loop would wait, the time has come already."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing is waited for any more"
            self.now += max(0.0, timeout)
        return ready


class PassingLoop(asyncio.SelectorEventLoop):
    """A loop without waiting."""

    def __init__(self) -> None:
        self._passing = Passing()
        super().__init__(self._passing)

    def time(self) -> float:
        return self._passing.now


class Wire:
    """An Ethernet cable in memory: what is sent on one end is heard on the other."""

    def __init__(self, mac: bytes, name: str = "plc") -> None:
        self.mac = mac
        self.name = name
        self.peer: Wire | None = None
        self.heard: Callable[[bytes], None] = lambda frame: None
        self.failed: Callable[[Any], None] = lambda error: None

    def listen(self, heard: Callable[[bytes], None], failed: Callable[[Any], None]) -> None:
        self.heard, self.failed = heard, failed

    def send(self, frame: bytes) -> None:
        assert self.peer is not None
        asyncio.get_running_loop().call_soon(self.peer.heard, frame)

    def close(self) -> None:
        self.heard = lambda frame: None


def wire(mac: bytes) -> tuple[Any, Any]:
    ends = Wire(mac), Wire(mac)
    ends[0].peer, ends[1].peer = ends[1], ends[0]
    return ends
