"""A simulated powerline between real interfaces: each is the host's side of a simulated modem.

Frames that a host sends on an interface reach its modem; what the modem gives its host leaves there. The time is the
loop's.
"""

from __future__ import annotations

import asyncio
from functools import partial

from slac.link import Link, LinkError
from slac.powerline import Powerline, SimulatedModem


class Bridge:
    """A line in real time. `links` are the interfaces of its modems, opened with everything to be heard."""

    def __init__(self, line: Powerline, links: dict[SimulatedModem, Link]) -> None:
        self.line = line
        self.links = links
        self._failed: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Carry frames until cancelled. Raises `LinkError` when an interface fails."""
        self._failed = asyncio.get_running_loop().create_future()
        try:
            for modem, link in self.links.items():
                link.listen(partial(self._heard, modem), self._fail)
            await self._failed
        finally:
            if self._timer is not None:
                self._timer.cancel()
            for link in self.links.values():
                link.close()

    def _heard(self, modem: SimulatedModem, frame: bytes) -> None:
        modem.from_host(frame, asyncio.get_running_loop().time())
        self._move()

    def _move(self) -> None:
        """Hand out what has arrived, and come back for the next."""
        loop = asyncio.get_running_loop()
        for modem, frame in self.line.expire(loop.time()):
            try:
                self.links[modem].send(frame)
            except LinkError as error:
                self._fail(error)
        if self._timer is not None:
            self._timer.cancel()
        deadline = self.line.next_deadline()
        self._timer = None if deadline is None else loop.call_at(deadline, self._move)

    def _fail(self, error: LinkError) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)
