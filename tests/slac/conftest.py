"""A tiny line in virtual time: machines, a modem for each that answers the least, and cables between them.

`slac.powerline` is the real simulator. This one is small enough to be wrong in no interesting way.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

import pytest

import slac
from slac.effects import ControlPilot, Effect, Failed, Kind, Linked, Pilot, Remark, Send, State, Toggle, Unlinked
from slac.ev import Ev
from slac.evse import Evse, EvseSettings
from slac.run import EvSettings

LOCAL = bytes.fromhex("00B052000001")
BROADCAST = b"\xff" * 6
ANSWERED = "CM_SET_KEY CM_GET_KEY VS_SW_VER VS_PL_LNK_STATUS VS_NW_INFO CC_DISCOVER_LIST VS_RS_DEV".split()


class StubModem:
    """A Qualcomm modem that knows its host, its key, and whether somebody else has the same."""

    def __init__(self, wire: Wire, mac: bytes, role: int) -> None:
        self.wire, self.mac, self.role = wire, mac, role
        self.nid, self.nmk = bytes(7), mac + bytes(10)
        self.keyed_at = -100.0
        self.keys: list[tuple[float, bytes]] = []
        self.result: int | None = 1
        self.present = True
        self.cut = False
        self.groups: int | None = 58
        """0: profiles without groups. None: no profiles."""
        self.vendor_profiles = False
        self.obeys = True

    def linked(self) -> bool:
        return not self.cut and any(
            other is not self and other.nmk == self.nmk and other.nid == self.nid and not other.cut
            and self.wire.now >= max(self.keyed_at, other.keyed_at) + self.wire.join_s
            for other in (host.modem for host in self.wire.hosts)
        )  # fmt: skip

    def answer(self, mme: slac.Mme) -> dict[str, Any] | None:
        match mme.name.partition(".")[0]:
            case "CM_SET_KEY":
                self.keys.append((self.wire.now, mme.fields["new_key"]))
                if self.obeys:
                    self.nid, self.nmk, self.keyed_at = mme.fields["nid"], mme.fields["new_key"], self.wire.now
                return None if self.result is None else {"result": self.result, "your_nonce": mme.fields["my_nonce"]}
            case "CM_GET_KEY":
                return {"nid": self.nid, "key": self.nmk}
            case "VS_SW_VER":
                return {"version": "stub"}
            case "VS_PL_LNK_STATUS":
                return {"link_status": int(self.linked())}
            case "VS_NW_INFO":
                joined = self.linked() or self.role == 2
                return {"avlns": [{"nid": self.nid, "role": self.role, "cco_mac": self.mac}] if joined else []}
            case "CC_DISCOVER_LIST":
                heard = [h for h in self.wire.hosts if h.modem is not self and h.modem.role == 2 and not h.modem.cut]
                return {"nets": [{"nid": host.modem.nid} for host in heard]}
            case _:
                return {}


class Host:
    """A machine, its modem, and what came of it."""

    def __init__(self, wire: Wire, machine: Ev | Evse, modem: StubModem) -> None:
        self.wire, self.machine, self.modem = wire, machine, modem
        self.log: list[tuple[float, Effect]] = []
        self.plugged: Host | None = None
        self.occupied = False
        """By a vehicle that is not on the line."""

    def do(self, effects: list[Effect]) -> None:
        for effect in effects:
            self.log.append((self.wire.now, effect))
            if isinstance(effect, Send):
                self.wire.carry(self, effect.frame)
            elif isinstance(effect, Toggle):
                self.wire.toggle(self, effect)
            elif isinstance(effect, Pilot):
                self.wire.show(self, effect)

    def hear(self, frame: bytes) -> None:
        self.do(self.machine.receive(frame, self.wire.now))

    def of(self, kind: type | Kind) -> list[Any]:
        """Effects of a type, or remarks of a kind."""
        if isinstance(kind, Kind):
            return [each for _, each in self.log if isinstance(each, Remark) and each.kind is kind]
        return [each for _, each in self.log if isinstance(each, kind)]

    def sent(self, name: str) -> list[tuple[float, slac.Mme]]:
        found = [(at, slac.parse(each.frame)) for at, each in self.log if isinstance(each, Send)]
        return [(at, mme) for at, mme in found if mme.name == name]

    @property
    def ends(self) -> list[Any]:
        return [each for _, each in self.log if isinstance(each, Linked | Unlinked | Failed)]


class Wire:
    """`loss`: of frames between hosts. `lose`: takes sender, receiver and name, and tells what is lost besides."""

    def __init__(self, seed: int = 1, *, loss: float = 0.0, delay_s: float = 0.008, join_s: float = 1.0) -> None:
        self.random = Random(seed)
        self.loss, self.delay_s, self.join_s = loss, delay_s, join_s
        self.now = 0.0
        self.hosts: list[Host] = []
        self.db: dict[tuple[Host, Host], float] = {}
        self.lose: Callable[[Host, Host, slac.Mme], bool] = lambda sender, receiver, mme: False
        self.frames: list[tuple[float, slac.Mme]] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()

    def ev(self, settings: EvSettings | None = None, mac: bytes | None = None) -> Host:
        mac = mac or bytes([0x02, 0xEE, 0, 0, 0, len(self.hosts)])
        return self._host(Ev(mac, self.random.randbytes, settings), 0)

    def evse(self, settings: EvseSettings | None = None, mac: bytes | None = None) -> Host:
        mac = mac or bytes([0x02, 0x5E, 0, 0, 0, len(self.hosts)])
        return self._host(Evse(mac, self.random.randbytes, settings), 2)

    def _host(self, machine: Ev | Evse, role: int) -> Host:
        modem = StubModem(self, bytes([0x00, 0xB0, 0x52, 9, 9, len(self.hosts)]), role)
        host = Host(self, machine, modem)
        self.hosts.append(host)
        return host

    def start(self, settle_s: float = 1.0) -> None:
        for host in self.hosts:
            host.do(host.machine.start(self.now))
        self.run(settle_s)

    def plug(self, ev: Host, evse: Host) -> None:
        ev.plugged, evse.plugged = evse, ev
        evse.do(evse.machine.pilot("B", evse.machine.duty, self.now))
        ev.do(ev.machine.pilot("B", evse.machine.duty, self.now))

    def occupy(self, evse: Host) -> None:
        """Plug in a vehicle that says nothing."""
        evse.occupied = True
        evse.do(evse.machine.pilot("B", evse.machine.duty, self.now))

    def unplug(self, ev: Host) -> None:
        evse, ev.plugged = ev.plugged, None
        assert evse is not None
        evse.plugged = None
        ev.do(ev.machine.pilot("A", 100.0, self.now))
        evse.do(evse.machine.pilot("A", evse.machine.duty, self.now))

    def attenuation(self, ev: Host, evse: Host) -> float:
        return self.db.get((ev, evse), 12.0 if ev.plugged is evse else 45.0)

    def at(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._number), what))

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass, at most so long."""
        end = self.now + seconds
        while not until():
            deadlines = [host.machine.next_deadline() for host in self.hosts]
            times = [at for at in deadlines if at is not None] + [each[0] for each in self._events[:1]]
            if not times or min(times) > end:
                self.now = end
                return until()
            before, self.now = self.now, max(self.now, min(times))
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
            for host in self.hosts:
                deadline = host.machine.next_deadline()
                if deadline is not None and deadline <= self.now:
                    host.do(host.machine.expire(self.now))
                    after = host.machine.next_deadline()
                    assert after is None or after > self.now, f"{host.machine.state} does not wait at {before}"
        return True

    def carry(self, sender: Host, frame: bytes) -> None:
        mme = slac.parse(frame)
        self.frames.append((self.now, mme))
        if mme.name.partition(".")[0] in ANSWERED and mme.destination in (LOCAL, sender.modem.mac, BROADCAST):
            fields = sender.modem.answer(mme) if sender.modem.present else None
            if fields is not None:
                name = mme.name.replace("REQ", "CNF")
                self._tell(sender, name, sender.machine.mac, **fields)
        elif mme.mmtype in range(0x6064, 0x6088) or mme.name.startswith("CM_AMP_MAP"):
            for host in self.hosts:
                if host is sender:
                    continue
                lost = self.random.random() < self.loss or self.lose(sender, host, mme)
                if not lost and not host.modem.cut and not sender.modem.cut:
                    self.at(self.delay_s, lambda host=host: self._arrive(sender, host, mme, frame))

    def _arrive(self, sender: Host, host: Host, mme: slac.Mme, frame: bytes) -> None:
        if isinstance(sender.machine, Ev) == isinstance(host.machine, Ev):
            return
        host.hear(frame)
        groups = host.modem.groups
        if mme.name == "CM_MNBC_SOUND.IND" and groups is not None and isinstance(host.machine, Evse):
            db = self.attenuation(sender, host)
            measured = [max(0, round(db + self.random.uniform(-1, 1))) for _ in range(groups)]
            fields = {"pev_mac": mme.source, "aag": measured}
            self._tell(host, "CM_ATTEN_PROFILE.IND", BROADCAST, **fields)
            if host.modem.vendor_profiles:
                self._tell(host, "VS_ATTENUATION_CHARACTERISTICS.IND", BROADCAST, **fields)

    def _tell(self, host: Host, name: str, destination: bytes, **fields: Any) -> None:
        frame = slac.make(name, destination=destination, source=host.modem.mac, **fields)
        self.at(0.001, lambda: host.hear(frame))

    def toggle(self, ev: Host, toggle: Toggle) -> None:
        for number in range(2 * toggle.times):
            state = "BC"[(number + 1) % 2]
            self.at(number * toggle.half_period_s, lambda state=state: self._state(ev, state))

    def _state(self, ev: Host, state: str) -> None:
        evse = ev.plugged
        for host in (ev, evse):
            if host is not None:
                host.do(host.machine.pilot(state, host.machine.duty, self.now))

    def show(self, evse: Host, pilot: Pilot) -> None:
        """After a moment, both ends see it."""
        self.at(0.01, lambda: self._shown(evse, pilot))

    def _shown(self, evse: Host, pilot: Pilot) -> None:
        ev = evse.plugged
        state = pilot.state or (ControlPilot.B if ev or evse.occupied else ControlPilot.A)
        for host in (evse, ev):
            if host is not None:
                host.do(host.machine.pilot(state, pilot.duty, self.now))


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture(scope="session")
def new_wire() -> type[Wire]:
    """To make several, or others."""
    return Wire


@pytest.fixture
def pair(wire: Wire) -> tuple[Wire, Host, Host]:
    """A vehicle and an outlet, both ready, not plugged in."""
    ev, evse = wire.ev(), wire.evse()
    wire.start()
    assert {ev.machine.state, evse.machine.state} == {State.UNMATCHED}
    return wire, ev, evse
