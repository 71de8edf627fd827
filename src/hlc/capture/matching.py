"""What is known of one recorded matching run (SLAC): the facts that a verdict is made of. Pure: messages go in.

A run is told by the vehicle's MAC address and its run id. The facts are bounded however many messages it has: of each
kind the first, the last and their number, and at most `STATIONS` stations, modems and strangers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from hlc.capture.where import Where
from hlc.trace.events import Side
from slac import Mme
from slac.timing import Timing

STATIONS: Final = 16
COPY_S: Final = 0.01
"""A vehicle's message on another VLAN within this time is the same one, heard by another modem."""
TIMING: Final = Timing()


class Step(msgspec.Struct):
    """All messages of one kind."""

    first: Where
    last: Where
    count: int = 1


def again(step: Step | None, where: Where) -> Step:
    """One more of them."""
    if step is None:
        return Step(where, where)
    step.last = where
    step.count += 1
    return step


class Took(NamedTuple):
    """How long a step took after the one that it follows."""

    seconds: float
    where: Where


class Sounding(NamedTuple):
    """What CM_SLAC_PARM.CNF and CM_START_ATTEN_CHAR.IND agree on."""

    sounds: int = 10
    time_out: int = 6
    """Unit 100 ms."""
    response_type: int = 1

    def __str__(self) -> str:
        return f"{self.sounds} sounds in {self.time_out * 100} ms, RESP_TYPE {self.response_type}"


USUAL: Final = Sounding()
"""What every station and vehicle in the field uses; some accept nothing else."""


class Station(msgspec.Struct):
    """An EVSE in a run, by the MAC address of its host."""

    mac: bytes
    vlan: int | None = None
    answer: Step | None = None
    """CM_SLAC_PARM.CNF"""
    answered: Took | None = None
    offer: Sounding = USUAL
    report: Step | None = None
    """CM_ATTEN_CHAR.IND"""
    reported: Took | None = None
    sounds: int = 0
    """That it counts."""
    groups: tuple[int, ...] = ()
    """Attenuation of each group of carriers, dB; empty: none reported."""
    confirm: Step | None = None
    """CM_ATTEN_CHAR.RSP"""
    confirmed: Took | None = None
    validate: Step | None = None
    """CM_VALIDATE.REQ"""
    validated: Step | None = None
    """CM_VALIDATE.CNF"""
    validation: int | None = None
    """The result in the last of them."""
    toggles: int = 0
    ask: Step | None = None
    """CM_SLAC_MATCH.REQ"""
    asked: Took | None = None
    give: Step | None = None
    """CM_SLAC_MATCH.CNF"""
    given: Took | None = None

    @property
    def attenuation(self) -> float | None:
        """Average over all groups, dB."""
        return sum(self.groups) / len(self.groups) if self.groups else None


class Profiles(msgspec.Struct):
    """What a modem measured, by messages of one name."""

    count: int = 0
    measured: int = 0
    """Those that had groups."""
    sums: list[int] = []


class Modem(msgspec.Struct):
    """An EVSE's modem that heard sounds. Nothing tells for certain whose it is."""

    mac: bytes
    vlan: int | None
    profiles: dict[str, Profiles] = {}
    """Some tell each sound twice, by two names."""

    @property
    def best(self) -> Profiles:
        return max(self.profiles.values(), key=lambda each: (each.measured, each.count))

    @property
    def attenuation(self) -> float | None:
        """Average over all sounds and groups, dB."""
        best = self.best
        return sum(best.sums) / len(best.sums) / best.measured if best.measured else None


class KeySet(msgspec.Struct):
    """CM_SET_KEY of a host to its modem."""

    host: bytes
    nid: bytes
    nmk: bytes
    where: Where
    modem: bytes | None = None
    """Who confirmed it."""
    result: int | None = None
    """As it was confirmed; modems in the field say 1 for success."""


class Pilot(NamedTuple):
    """The control pilot as a host tells it."""

    state: str
    """Empty: between two states."""
    duty: float
    """%, 100 for no PWM."""
    where: Where
    """Since when it is so."""

    @property
    def digital(self) -> bool:
        """Whether it asks for digital communication: 5 %."""
        return 3.0 <= self.duty <= 7.0

    def __str__(self) -> str:
        return f"{self.state or 'between states'} {'without PWM' if self.duty >= 100 else f'{self.duty:g} %'}"


class Sign(NamedTuple):
    """What shows that the two modems are in one network, or that the run is over without."""

    where: Where
    text: str
    side: Side = Side.EVCC
    """Who gave it."""


class Matching(msgspec.Struct, eq=False):
    """One run, from its first frame to the link or to its end."""

    number: int
    ev: bytes
    run_id: bytes
    start: Where
    end: Where
    before: int | None = None
    """The number of the vehicle's run before this one."""
    pilot: Pilot | None = None
    """When it began."""
    vlan: int | None = None
    """That of the vehicle's messages, where there are VLANs: one for each modem that hears them."""
    steps: dict[str, Step] = {}
    """The vehicle's broadcast messages by name."""
    announced: Sounding = USUAL
    started: Took | None = None
    sounds: set[int] = msgspec.field(default_factory=set)
    """The numbers of sounds to come that sounds bore."""
    late_sounds: int = 0
    """Those that came when the time for them was over."""
    gap: Took | None = None
    """The longest time between two sounds."""
    stations: dict[bytes, Station] = {}
    modems: dict[bytes, Modem] = {}
    foreign: dict[tuple[str, bytes, bytes], Step] = {}
    """Messages to or of this vehicle with another run id: name, sender, run id."""
    giver: Station | None = None
    """Who gave the key."""
    nid: bytes = b""
    nmk: bytes = b""
    derived: bool = True
    """The NID follows from the NMK."""
    earlier: KeySet | None = None
    """The last key that the giver had set in its modem before."""
    keys: dict[bytes, KeySet] = {}
    """Who set the key afterwards, by host."""
    link: Sign | None = None
    unlinked: Where | None = None
    """When a modem last said that there is no link."""
    ended: Sign | None = None
    """What ended it other than the link: the vehicle began again, ..."""
    over: bool = False

    @property
    def vehicle_heard(self) -> bool:
        """Whether the capture has the vehicle's half."""
        asked = any(station.confirm or station.ask or station.validate for station in self.stations.values())
        return bool(self.steps) or asked

    @property
    def request(self) -> Step | None:
        return self.steps.get("CM_SLAC_PARM.REQ")

    @property
    def announcement(self) -> Step | None:
        return self.steps.get("CM_START_ATTEN_CHAR.IND")

    @property
    def sounding(self) -> Step | None:
        return self.steps.get("CM_MNBC_SOUND.IND")

    @property
    def ranking(self) -> list[Station]:
        """The stations that reported an attenuation, the nearest first."""
        return sorted(
            (station for station in self.stations.values() if station.groups),
            key=lambda station: (station.attenuation, station.mac),
        )

    def station(self, mac: bytes, vlan: int | None = None) -> Station | None:
        """A station of the run; None when there are too many."""
        if mac not in self.stations and len(self.stations) < STATIONS:
            self.stations[mac] = Station(mac)
        station = self.stations.get(mac)
        if station is not None and vlan is not None and station.vlan is None:
            station.vlan = vlan & 0xFFF
        return station

    def stranger(self, mme: Mme, where: Where) -> None:
        """A message with another run id."""
        key = mme.name, mme.source, bytes(mme.fields.get("run_id", b""))
        if key in self.foreign or len(self.foreign) < STATIONS:
            self.foreign[key] = again(self.foreign.get(key), where)

    def take(self, mme: Mme, where: Where) -> None:
        """A message of the run."""
        self.end = where
        HANDLERS[mme.name](self, mme, where)

    # Of the vehicle

    def _copy(self, mme: Mme, step: Step | None, where: Where) -> bool:
        """Whether this is a vehicle's message that was heard on another VLAN already."""
        if not self.steps and step is None:
            self.vlan = mme.vlan
        return mme.vlan != self.vlan and step is not None and where.at - step.last.at < COPY_S

    def broadcast(self, mme: Mme, where: Where) -> None:
        step = self.steps.get(mme.name)
        if self._copy(mme, step, where):
            return
        fields = mme.fields
        if mme.name == "CM_START_ATTEN_CHAR.IND" and step is None:
            self.announced = Sounding(fields["num_sounds"], fields["time_out"], fields["resp_type"])
            answers = [station.answer.last for station in self.stations.values() if station.answer]
            if answers:
                self.started = Took(where.at - max(answers).at, where)
        if mme.name == "CM_MNBC_SOUND.IND":
            self._sound(fields["cnt"], step, where)
        self.steps[mme.name] = again(step, where)

    def _sound(self, number: int, step: Step | None, where: Where) -> None:
        if step is not None and (self.gap is None or where.at - step.last.at > self.gap.seconds):
            self.gap = Took(where.at - step.last.at, where)
        if number not in self.sounds and self.announcement is not None:
            self.late_sounds += where.at - self.announcement.first.at > TIMING.TT_EVSE_match_MNBC
        self.sounds.add(number)

    def confirms(self, mme: Mme, where: Where) -> None:
        """CM_ATTEN_CHAR.RSP"""
        station = self.station(mme.destination)
        if station is None or self._copy(mme, station.confirm, where):
            return
        if station.confirm is None and station.report is not None:
            station.confirmed = Took(where.at - station.report.last.at, where)
        station.confirm = again(station.confirm, where)

    def validates(self, mme: Mme, where: Where) -> None:
        """CM_VALIDATE.REQ"""
        station = self.station(mme.destination)
        if station is not None and not self._copy(mme, station.validate, where):
            station.validate = again(station.validate, where)

    def asks(self, mme: Mme, where: Where) -> None:
        """CM_SLAC_MATCH.REQ"""
        station = self.station(mme.fields["evse_mac"])
        if station is None or self._copy(mme, station.ask, where):
            return
        if station.ask is None and station.confirm is not None:
            station.asked = Took(where.at - station.confirm.first.at, where)
        station.ask = again(station.ask, where)

    # Of stations

    def answers(self, mme: Mme, where: Where) -> None:
        """CM_SLAC_PARM.CNF"""
        station = self.station(mme.source, mme.vlan)
        if station is None:
            return
        fields = mme.fields
        if station.answer is None:
            station.offer = Sounding(fields["num_sounds"], fields["time_out"], fields["resp_type"])
            if self.request is not None:
                station.answered = Took(where.at - self.request.last.at, where)
        station.answer = again(station.answer, where)

    def reports(self, mme: Mme, where: Where) -> None:
        """CM_ATTEN_CHAR.IND"""
        station = self.station(mme.source, mme.vlan)
        if station is None:
            return
        if station.report is None and self.announcement is not None:
            station.reported = Took(where.at - self.announcement.first.at, where)
        if mme.fields["aag"] or not station.groups:
            station.sounds, station.groups = mme.fields["num_sounds"], tuple(mme.fields["aag"])
        station.report = again(station.report, where)

    def has_validated(self, mme: Mme, where: Where) -> None:
        """CM_VALIDATE.CNF"""
        station = self.station(mme.source, mme.vlan)
        if station is not None:
            station.validated = again(station.validated, where)
            station.validation, station.toggles = mme.fields["result"], mme.fields["toggle_num"]

    def gives(self, mme: Mme, where: Where) -> None:
        """CM_SLAC_MATCH.CNF"""
        station = self.station(mme.source, mme.vlan)
        if station is None:
            return
        if station.give is None and station.ask is not None:
            station.given = Took(where.at - station.ask.last.at, where)
        station.give = again(station.give, where)
        if self.giver is None:
            self.giver, self.nid, self.nmk = station, mme.fields["nid"], mme.fields["nmk"]

    # Of modems

    def measures(self, mme: Mme, where: Where) -> None:
        """CM_ATTEN_PROFILE.IND and its like"""
        if mme.source not in self.modems and len(self.modems) >= STATIONS:
            return
        vlan = mme.vlan & 0xFFF if mme.vlan is not None else None
        modem = self.modems.setdefault(mme.source, Modem(mme.source, vlan))
        profiles = modem.profiles.setdefault(mme.name, Profiles())
        profiles.count += 1
        groups = mme.fields["aag"]
        if groups and len(groups) == len(profiles.sums or groups):
            profiles.measured += 1
            before = profiles.sums or [0] * len(groups)
            profiles.sums = [total + each for total, each in zip(before, groups, strict=True)]


Handler = Callable[[Matching, Any, Where], None]

HANDLERS: Final[dict[str, Handler]] = {
    "CM_SLAC_PARM.REQ": Matching.broadcast,
    "CM_SLAC_PARM.CNF": Matching.answers,
    "CM_START_ATTEN_CHAR.IND": Matching.broadcast,
    "CM_MNBC_SOUND.IND": Matching.broadcast,
    "CM_ATTEN_PROFILE.IND": Matching.measures,
    "VS_ATTENUATION_CHARACTERISTICS.IND": Matching.measures,
    "CM_ATTEN_CHAR.IND": Matching.reports,
    "CM_ATTEN_CHAR.RSP": Matching.confirms,
    "CM_VALIDATE.REQ": Matching.validates,
    "CM_VALIDATE.CNF": Matching.has_validated,
    "CM_SLAC_MATCH.REQ": Matching.asks,
    "CM_SLAC_MATCH.CNF": Matching.gives,
}
"""What becomes of each message of a run."""
