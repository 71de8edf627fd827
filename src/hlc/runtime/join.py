"""A listener's modem follows the keys that are heard: it is told each, and so joins the network that others make.

What is heard comes in by `hears`; the modem behind the interface is asked by `hlc.runtime.modem`. What happens is told
as lines of text. Whether the modem then shows what the others say to each other is its own affair: docs/listening.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

import slac
from hlc.runtime.errors import SetupError
from hlc.runtime.modem import ModemShell
from slac.families import Identity, Network, Purpose
from slac.link import Link, LinkError
from slac.timing import Timing

JOIN_S: Final = Timing().TT_match_join
"""From the key to the link, beside the time in which the modem restarts."""
WAITING_S: Final = 0.5
"""How often a link that is waited for is asked for."""
WATCHING_S: Final = 2.0
"""How often one that stands is."""
AGAIN_S: Final = 1.0
"""After trouble with the interface."""
NMK_KEY: Final = 1
"""Of the kinds of keys in CM_SET_KEY.REQ."""


class Key(NamedTuple):
    """What makes a network, and who said it."""

    nid: bytes
    nmk: bytes
    said: str

    def same(self, other: Key | None) -> bool:
        """Whether it is the key of the same network."""
        return other is not None and (self.nid, self.nmk) == (other.nid, other.nmk)


def key_in(mme: slac.Mme) -> Key | None:
    """The key that a message discloses: a station gives it to its vehicle, or a host to a modem."""
    fields = mme.fields
    if mme.name == "CM_SLAC_MATCH.CNF" and "nmk" in fields:
        nid, nmk = fields["nid"], fields["nmk"]
    elif mme.name == "CM_SET_KEY.REQ" and (fields.get("key_type"), fields.get("new_eks")) == (NMK_KEY, NMK_KEY):
        nid, nmk = fields["nid"], fields["new_key"]
    else:
        return None
    return Key(nid, nmk, f"{mme.name} of {mme.source.hex(':')} to {mme.destination.hex(':')}")


class Joiner:
    """Follows the keys. `remark` is told what happens. `link` is the interface, opened."""

    def __init__(self, link: Link, remark: Callable[[str], None]) -> None:
        self.mac = link.mac
        """Of the interface: what comes from it or goes to it is between us and our modem."""
        self._link: Link | None = link
        self._name = link.name
        self._remark = remark
        self._key: Key | None = None
        """The latest that was heard."""
        self._news = asyncio.Event()

    def hears(self, mme: slac.Mme) -> None:
        """A message was heard."""
        if self.mac in (mme.source, mme.destination):
            return
        key = key_in(mme)
        if key is not None and not key.same(self._key):
            self._key = key
            self._news.set()

    async def run(self) -> None:
        """Follow until cancelled. Raises `SetupError` where no modem answers to begin with."""
        identity: Identity | None = None
        trouble = ""
        while True:
            shell = None
            try:
                shell = ModemShell(self._opened(), self._remark)
                identity = await self._introduced(shell, identity)
                trouble = ""
                while True:
                    await self._follow(shell, identity)
            except (SetupError, LinkError) as error:
                if identity is None:
                    raise
                if str(error) != trouble:
                    trouble = str(error)
                    self._remark(f"join: {trouble}; the modem is tried again")
                self._news.set()  # what it has is not known
            finally:
                if shell is not None:
                    shell.close()
            await asyncio.sleep(AGAIN_S)

    def _opened(self) -> Link:
        link, self._link = self._link, None
        return Link(self._name) if link is None else link

    async def _introduced(self, shell: ModemShell, known: Identity | None) -> Identity:
        """Who the modem is."""
        identity = await shell.identify()
        if identity is None:
            raise SetupError(
                f"no modem answers on {self._name}: check its power and its connection, and that this is its interface"
            )
        if known is None:
            said = f"{identity.family.name} {identity.mac.hex(':')}, {identity.version}"
            self._remark(f"join: the modem is {said}; it joins the network whose key is heard next")
        return identity

    async def _follow(self, shell: ModemShell, identity: Identity) -> None:
        """Wait for a key, give it to the modem, and watch what comes of it until there is another."""
        await self._news.wait()
        self._news.clear()
        key = self._key
        if key is None:
            return
        self._remark(f"join: heard {key.said}: NID {key.nid.hex().upper()}, NMK {key.nmk.hex().upper()}")
        done = await shell.set_key(key.nid, key.nmk)
        if done.verified is False:
            self._remark("join: the modem has another key still: it did not take this one")
        elif done.confirmed or done.verified:
            how = "read back from it" if done.verified else "it says so"
            self._remark(f"join: the modem has the key ({how})")
        else:
            self._remark("join: the modem did not answer to the key")
        if self._news.is_set():
            return
        if Purpose.LINK not in identity.family.asks:
            self._remark("join: this modem does not tell whether there is a link")
            return
        await self._watch(shell, identity)

    async def _watch(self, shell: ModemShell, identity: Identity) -> None:
        """Tell when the link comes and goes, until another key is heard."""
        loop = asyncio.get_running_loop()
        began, up, patient = loop.time(), False, True
        while not self._news.is_set():
            now_up = bool(await shell.ask(Purpose.LINK))
            passed = loop.time() - began
            if now_up and not up:
                self._remark(f"join: the link is up after {passed:.1f} s{await self._members(shell)}")
            elif up and not now_up:
                self._remark("join: the link is gone; the next key is waited for")
                self._key = None  # the same one, heard again, is another matching
            elif patient and not up and passed > JOIN_S + identity.family.settle_s:
                patient = False
                self._remark(
                    f"join: no link in {passed:.0f} s: no coordinator with this key is heard; looked for still"
                )
            up = now_up
            await self._pause(WATCHING_S if up or not patient else WAITING_S)

    async def _pause(self, seconds: float) -> None:
        """Wait, but not beyond the next key."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass

    async def _members(self, shell: ModemShell) -> str:
        """Who is in the network, as far as the modem tells."""
        network: Network | None = await shell.ask(Purpose.NETWORK)
        if network is None or not network.nid:
            return ""
        stations = ", ".join(mac.hex(":") for mac in network.stations if mac != network.cco) or "none that it tells"
        return f"; coordinator {network.cco.hex(':')}, other stations: {stations}"


__all__ = ["Joiner", "Key", "key_in"]
