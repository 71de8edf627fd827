"""The own modem, asked over raw Ethernet: one question at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import slac
from hlc.runtime.errors import SetupError
from slac.effects import Kind, Remark, Send
from slac.families import Identity, Purpose
from slac.link import Link, LinkError
from slac.modem import HEARD, Answer, Heard, KeySet, Modem


class ModemShell:
    """Asks the modem behind a link. `remark` is told what is worth knowing besides the answers."""

    def __init__(self, link: Link, remark: Callable[[str], None]) -> None:
        self._link = link
        self._remark = remark
        self._modem = Modem(link.mac)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._asked: tuple[Purpose, asyncio.Future[Any]] | None = None
        self._failure: SetupError | None = None
        """Why nothing is heard any more."""
        link.listen(self._heard, self._broken)

    async def identify(self) -> Identity | None:
        """Who it is; None: nobody answers. Before anything else is asked."""
        found: Identity | None = await self._answer(Purpose.IDENTIFY, self._modem.identify)
        return found

    async def ask(self, purpose: Purpose, **fields: Any) -> Any:
        """As `Purpose` tells; None: it says nothing."""
        return await self._answer(purpose, lambda now: self._modem.ask(purpose, now, **fields))

    async def set_key(self, nid: bytes, nmk: bytes) -> KeySet:
        """Give it a key, and read it back."""
        done: KeySet = await self._answer(Purpose.SET_KEY, lambda now: self._modem.set_key(nid, nmk, now, verify=True))
        return done

    def close(self) -> None:
        """Hear nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._link.close()

    async def _answer(self, purpose: Purpose, step: Callable[[float], Iterable[Heard]]) -> Any:
        if self._failure is not None:
            raise self._failure
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._asked = purpose, answer
        self._run(step)
        return await answer

    def _heard(self, frame: bytes) -> None:
        try:
            mme = slac.parse(frame)
        except slac.MmeError:
            return
        if mme.destination == self._link.mac and mme.name in HEARD and "payload" not in mme.fields:
            self._run(lambda now: self._modem.receive(mme, now))

    def _broken(self, error: LinkError) -> None:
        self._failure = SetupError(str(error))
        if self._asked is not None and not self._asked[1].done():
            self._asked[1].set_exception(self._failure)

    def _run(self, step: Callable[[float], Iterable[Heard]]) -> None:
        for each in step(self._loop.time()):
            match each:
                case Send(frame):
                    try:
                        self._link.send(frame)
                    except LinkError as error:
                        self._broken(error)
                case Remark(kind, text):
                    if kind is not Kind.UNEXPECTED:  # asked in several ways at once, it may answer several times
                        self._remark(text)
                case Answer(purpose, value):
                    if self._asked is not None and self._asked[0] is purpose and not self._asked[1].done():
                        self._asked[1].set_result(value)
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._modem.next_deadline()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._expire, deadline)

    def _expire(self, deadline: float) -> None:
        self._run(lambda now: self._modem.expire(max(now, deadline)))
