"""A line with hosts on it that keep what they hear."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

import slac
from slac.powerline import Event, Powerline, Role, SimulatedModem

BROADCAST = b"\xff" * 6
LOCAL = bytes.fromhex("00B052000001")


class Heard(NamedTuple):
    at: float
    frame: bytes


class Host:
    """A program behind a modem."""

    def __init__(self, world: World, modem: SimulatedModem, mac: bytes) -> None:
        self.world, self.modem, self.mac = world, modem, mac
        self.heard: list[Heard] = []

    def send(self, name: str, *, to: bytes | Host = BROADCAST, **fields: Any) -> None:
        destination = to.mac if isinstance(to, Host) else to
        self.modem.from_host(slac.make(name, destination=destination, source=self.mac, **fields), self.world.now)

    def send_ipv6(self, number: int, *, to: bytes | Host = BROADCAST) -> None:
        destination = to.mac if isinstance(to, Host) else to
        self.modem.from_host(destination + self.mac + b"\x86\xdd" + number.to_bytes(4, "big"), self.world.now)

    def ask(self, name: str, *, to: bytes = LOCAL, **fields: Any) -> slac.Mme | None:
        """What the own modem answers at once."""
        self.heard.clear()
        self.send(name, to=to, **fields)
        self.world.run(0.01)
        return self.mmes[0] if self.heard else None

    def set_key(self, nmk: bytes, *, nid: bytes | None = None) -> None:
        self.send("CM_SET_KEY.REQ", to=self.modem.mac, nid=nid or slac.keys.nid_from_nmk(nmk), new_key=nmk)

    @property
    def mmes(self) -> list[slac.Mme]:
        return [slac.parse(each.frame) for each in self.heard if each.frame[12:14] != b"\x86\xdd"]

    @property
    def names(self) -> list[str]:
        return [mme.name for mme in self.mmes]

    @property
    def numbers(self) -> list[int]:
        """Of the frames that are no MMEs."""
        return [int.from_bytes(each.frame[14:18], "big") for each in self.heard if each.frame[12:14] == b"\x86\xdd"]


class World:
    """A powerline and the time."""

    def __init__(self, **settings: Any) -> None:
        self.events: list[Event] = []
        self.line = Powerline(observer=self.events.append, **settings)
        self.now = 0.0
        self.hosts: dict[SimulatedModem, Host] = {}

    def host(self, role: Role, **settings: Any) -> Host:
        modem = self.line.modem(role, **settings)
        host = Host(self, modem, bytes([2, 0, 0, 0, 0, len(self.line.modems)]))
        modem.hosts[host.mac] = None
        self.hosts[modem] = host
        return host

    def near(self, a: Host, b: Host, db: float = 12.0, **settings: Any) -> None:
        self.line.attenuation(a.modem, b.modem, db, **settings)

    def run(self, seconds: float = 1.0) -> None:
        end = self.now + seconds
        while (at := self.line.next_deadline()) is not None and at <= end:
            self.now = at
            for modem, frame in self.line.expire(at):
                self.hosts[modem].heard.append(Heard(at, frame))
        self.now = end

    def pair(self, db: float = 12.0, **settings: Any) -> tuple[Host, Host]:
        """A vehicle at an outlet."""
        outlet, car = self.host("evse", **settings), self.host("ev")
        self.near(outlet, car, db)
        return outlet, car

    def join(self, *hosts: Host, nmk: bytes = bytes(range(16))) -> None:
        """Give all the same key and wait."""
        for host in hosts:
            host.set_key(nmk)
        self.run(10.0)
        for host in hosts:
            assert host.modem.linked
            host.heard.clear()


@pytest.fixture(scope="session")
def make_world() -> type[World]:
    return World


@pytest.fixture
def world() -> World:
    return World(seed=1)
