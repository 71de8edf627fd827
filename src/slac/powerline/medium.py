"""The line: who hears whom, how weakly, when, and what goes wrong on the way."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from slac.mme import MmeError, parse
from slac.powerline.families import FAMILIES
from slac.powerline.modem import Role, SimulatedModem
from slac.powerline.observe import Carried, Event
from slac.powerline.pilot import PilotWire

GROUPS: Final = 58
"""Groups of 16 carriers each, for which attenuation is measured."""
QUEUED_OCTETS: Final = 16 << 20
"""Frames on their way have no more octets than this together: what is beyond is lost."""
TRIES: Final = 4
"""Within a network a modem repeats a lost frame to one receiver; what has no network is sent once."""


class Conditions(msgspec.Struct):
    """What happens to frames in one direction between two modems."""

    loss: float = 0.0
    """Probability that a frame is not received."""
    delay_s: float = 0.005
    jitter_s: float = 0.003
    """Up to so much is added to the delay. Frames do not overtake each other by it."""
    duplicate: float = 0.0
    """Probability that a frame arrives twice."""
    reorder: float = 0.0
    """Probability that a frame is held back so that later ones overtake it."""
    held_s: float = 0.05
    """For how long, at most."""


class Path(NamedTuple):
    """Attenuation between two modems, dB: the mean over all carriers, and by how much the last group is worse than
    the first."""

    db: float
    tilt_db: float

    def group(self, number: int) -> float:
        """Of one group of carriers."""
        return self.db + self.tilt_db * (number / (GROUPS - 1) - 0.5)


class Fault(msgspec.Struct):
    """Something that happens to the MMEs of one name, by their numbers: the first is 1."""

    name: str
    numbers: Container[int]
    drop: bool
    copies: int
    late_s: float
    sender: SimulatedModem | None
    receiver: SimulatedModem | None
    seen: int = 0
    struck: int = 0


class Strike(NamedTuple):
    """What the faults do to one frame."""

    copies: int = 1
    late_s: float = 0.0
    everywhere: bool = False
    """Nobody gets it."""
    lost_at: tuple[SimulatedModem, ...] = ()
    """These do not get it."""

    def copies_for(self, receiver: SimulatedModem) -> int:
        return 0 if self.everywhere or receiver in self.lost_at else self.copies


class Powerline:
    """Modems on a line. `limit_db` is the attenuation above which nothing is heard; `noise_db` the standard deviation
    of a measurement; the other options hold for every pair that `disturb` says nothing else of."""

    def __init__(
        self,
        *,
        seed: int = 1,
        loss: float = 0.0,
        delay_s: float = 0.005,
        jitter_s: float = 0.003,
        duplicate: float = 0.0,
        reorder: float = 0.0,
        noise_db: float = 1.0,
        limit_db: float = 60.0,
        observer: Callable[[Event], None] | None = None,
    ) -> None:
        self.random = Random(seed)
        self.conditions = Conditions(loss, delay_s, jitter_s, duplicate, reorder)
        self.noise_db = noise_db
        self.limit_db = limit_db
        self.observer = observer
        self.modems: list[SimulatedModem] = []
        self.faults: list[Fault] = []
        self.overflows = 0
        """Frames lost because too many were on their way."""
        self._edges: dict[SimulatedModem, dict[SimulatedModem, Path]] = {}
        self._paths: dict[SimulatedModem, dict[SimulatedModem, Path]] = {}
        self._special: dict[tuple[SimulatedModem, SimulatedModem], Conditions] = {}
        self._latest: dict[tuple[SimulatedModem, SimulatedModem], float] = {}
        self._queue: list[tuple[float, int, int, Callable[[float], None]]] = []
        self._octets = 0
        self._number = 0
        self._to_hosts: list[tuple[SimulatedModem, bytes]] = []

    # Building

    def modem(
        self,
        role: Role,
        *,
        family: str = "qca7000",
        host_mac: bytes | None = None,
        name: str | None = None,
        pilot: PilotWire | None = None,
        nmk: bytes | None = None,
        nid: bytes | None = None,
        **quirks: Any,
    ) -> SimulatedModem:
        """A modem on the line, near nobody yet. `quirks` are fields of `Family` that are otherwise with this one.

        The host's address is learnt from its frames unless given. Without `nmk` it has a network of its own.
        """
        made = SimulatedModem(
            self,
            name or f"{role}{1 + sum(each.role == role for each in self.modems)}",
            role,
            FAMILIES[family]._replace(**quirks),
            serial=len(self.modems) + 1,
            host_mac=host_mac,
            pilot=pilot or PilotWire(),
            nmk=nmk or self.random.randbytes(16),
            nid=nid,
        )
        self.modems.append(made)
        self._edges[made] = {}
        self._paths.clear()
        return made

    def attenuation(self, a: SimulatedModem, b: SimulatedModem, db: float, *, tilt_db: float = 0.0) -> None:
        """What lies between two modems, in either direction. Between others it is the sum along the way: a vehicle on
        12 dB of cable is 37 dB from an outlet that is 25 dB from its own."""
        self._edges[a][b] = self._edges[b][a] = Path(db, tilt_db)
        self._paths.clear()

    def cut(self, a: SimulatedModem, b: SimulatedModem, now: float) -> None:
        """Nothing lies between them any more: the plug is out."""
        self._edges[a].pop(b, None)
        self._edges[b].pop(a, None)
        self._paths.clear()
        self.changed(now)

    def rewire(self, a: SimulatedModem, b: SimulatedModem, db: float, now: float, *, tilt_db: float = 0.0) -> None:
        """As `attenuation`, while the modems are at work."""
        self.attenuation(a, b, db, tilt_db=tilt_db)
        self.changed(now)

    def disturb(self, sender: SimulatedModem, receiver: SimulatedModem, **conditions: float) -> None:
        """Other `Conditions` in this one direction."""
        self._special[sender, receiver] = msgspec.structs.replace(self._between(sender, receiver), **conditions)

    def fault(
        self,
        name: str,
        numbers: Container[int] = (1,),
        *,
        drop: bool = False,
        copies: int = 1,
        late_s: float = 0.0,
        sender: SimulatedModem | None = None,
        receiver: SimulatedModem | None = None,
    ) -> Fault:
        """What is to happen to the n-th MMEs of a name: lost, doubled, late.

        They are counted as modems send them, on the line or to their own hosts; `sender` counts one modem's only;
        with `receiver` it befalls only what arrives there.
        """
        made = Fault(name, numbers, drop, copies, late_s, sender, receiver)
        self.faults.append(made)
        return made

    # Running

    def next_deadline(self) -> float | None:
        """When something happens next."""
        return self._queue[0][0] if self._queue else None

    def expire(self, now: float) -> list[tuple[SimulatedModem, bytes]]:
        """All that happens until now; the frames that reach hosts, in their order."""
        while self._queue and self._queue[0][0] <= now:
            at, _, octets, action = heapq.heappop(self._queue)
            self._octets -= octets
            action(at)
        reached, self._to_hosts = self._to_hosts, []
        return reached

    def path(self, a: SimulatedModem, b: SimulatedModem) -> Path | None:
        """What is between two modems; None where they do not hear each other."""
        if a not in self._paths:
            self._paths[a] = self._paths_from(a)
        return self._paths[a].get(b)

    # For modems

    def at(self, when: float, action: Callable[[float], None], octets: int = 0) -> None:
        """Do something at a time. What carries octets is lost when too many are on their way."""
        if octets and self._octets + octets > QUEUED_OCTETS:
            self.overflows += 1
            return
        self._octets += octets
        self._number += 1
        heapq.heappush(self._queue, (when, self._number, octets, action))

    def changed(self, now: float) -> None:
        """Somebody came, went, or has another key: everybody looks who is there."""
        for modem in self.modems:
            modem.look_around(now)
        for modem in self.modems:
            modem.look_at_link(now)

    def transmit(self, sender: SimulatedModem, frame: bytes, network: bytes | None, now: float) -> None:
        """Put a frame on the line, encrypted for a network, or for everybody."""
        strike = self._strike(sender, frame)
        heard, lost = [], []
        for receiver in self._receivers(sender, frame, network):
            conditions = self._between(sender, receiver)
            once = network is None or frame[0] & 1
            copies = strike.copies_for(receiver)
            if not copies or self.random.random() < (conditions.loss if once else conditions.loss**TRIES):
                lost.append(receiver.name)
                continue
            heard.append(receiver.name)
            for _ in range(copies + (self.random.random() < conditions.duplicate)):
                self._deliver(sender, receiver, frame, network, conditions, now + strike.late_s)
        if self.observer is not None:
            self.observer(Carried(now, sender.name, frame, tuple(heard), tuple(lost)))

    def to_host(self, modem: SimulatedModem, frame: bytes, when: float, *, own: bool = False) -> None:
        """A frame reaches the host of a modem; `own`: the modem itself has made it."""
        strike = self._strike(modem, frame) if own else Strike()
        for _ in range(strike.copies_for(modem)):
            self.at(when + strike.late_s, lambda at: self._to_hosts.append((modem, frame)), len(frame))

    # Inside

    def _receivers(self, sender: SimulatedModem, frame: bytes, network: bytes | None) -> list[SimulatedModem]:
        """Those who can hear a frame and care for it."""
        near = [each for each in self.modems if each is not sender and self.path(sender, each)]
        if network is None:
            return [each for each in near if each.up]
        known = [each for each in self.modems if frame[:6] == each.mac or frame[:6] in each.hosts]
        return [
            each for each in near if each.network == network and (not known or each in known or each.family.listens)
        ]

    def _deliver(
        self,
        sender: SimulatedModem,
        receiver: SimulatedModem,
        frame: bytes,
        network: bytes | None,
        conditions: Conditions,
        now: float,
    ) -> None:
        at = now + conditions.delay_s + self.random.random() * conditions.jitter_s
        if self.random.random() < conditions.reorder:
            at += self.random.random() * conditions.held_s
        else:
            at = self._latest[sender, receiver] = max(at, self._latest.get((sender, receiver), at))
        self.at(at, lambda at: receiver.heard(sender, frame, network, at), len(frame))

    def _between(self, sender: SimulatedModem, receiver: SimulatedModem) -> Conditions:
        return self._special.get((sender, receiver), self.conditions)

    def _strike(self, sender: SimulatedModem, frame: bytes) -> Strike:
        """What the faults do to a frame."""
        if not self.faults:
            return Strike()
        try:
            name = parse(frame).name
        except MmeError:
            return Strike()
        found = [fault for fault in self.faults if fault.name == name and fault.sender in (None, sender)]
        striking = []
        for fault in found:
            fault.seen += 1
            if fault.seen in fault.numbers:
                fault.struck += 1
                striking.append(fault)
        return Strike(
            copies=max((fault.copies for fault in striking), default=1),
            late_s=sum(fault.late_s for fault in striking),
            everywhere=any(fault.drop and fault.receiver is None for fault in striking),
            lost_at=tuple(fault.receiver for fault in striking if fault.drop and fault.receiver is not None),
        )

    def _paths_from(self, start: SimulatedModem) -> dict[SimulatedModem, Path]:
        """The least attenuated way to each modem that is near enough (Dijkstra)."""
        found: dict[SimulatedModem, Path] = {}
        ways: list[tuple[float, int, SimulatedModem, float]] = [(0.0, 0, start, 0.0)]
        number = 0
        while ways:
            db, _, here, tilt_db = heapq.heappop(ways)
            if here in found or db > self.limit_db:
                continue
            found[here] = Path(db, tilt_db)
            for there, edge in self._edges[here].items():
                number += 1
                heapq.heappush(ways, (db + edge.db, number, there, tilt_db + edge.tilt_db))
        del found[start]
        return found


__all__ = ["Conditions", "Fault", "Path", "Powerline"]
