"""A modem between a host and the line: what it answers itself, what it lets through, which network it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from slac import keys
from slac.mme import Mme, MmeError, header, make, parse
from slac.powerline import families
from slac.powerline.families import Family
from slac.powerline.observe import Joined, Left, Rekeyed, Unsent
from slac.powerline.pilot import PilotWire

if TYPE_CHECKING:
    from slac.powerline.medium import Powerline

Role = Literal["ev", "evse"]

BROADCAST: Final = b"\xff" * 6
LOCAL_DEVICE: Final = bytes.fromhex("00B052000001")
"""The address that means "my own modem"."""
HOMEPLUG: Final = header.ETHERTYPE.to_bytes(2, "big")
TAGGED: Final = header.TAGGED.to_bytes(2, "big")
SLAC: Final = range(0x6064, 0x6088)
"""MMTYPEs that are sent without a network, for every modem to hear."""
FROM_EV: Final = {0x6064, 0x606A, 0x6076, 0x606F, 0x6078, 0x607C}
FROM_EVSE: Final = {0x6065, 0x606E, 0x6079, 0x607D}
SHOWN: Final = {"ev": FROM_EVSE, "evse": FROM_EV}
"""What a modem hands on to its host: one that is configured for a vehicle hides what other vehicles say."""
START_ATTEN_CHAR: Final = 0x606A
SOUND: Final = 0x6076
SAME_START_S: Final = 0.5
"""So long repetitions of a CM_START_ATTEN_CHAR.IND belong together."""
HOSTS: Final = 64
"""Addresses that a modem remembers to be on its side."""
HOST_ACTION_S: Final = 1.0
HOST_ACTION_TRIES: Final = 50


class SimulatedModem:
    """A modem; `Powerline.modem` makes it. Its host hands it frames by `from_host`."""

    def __init__(
        self,
        line: Powerline,
        name: str,
        role: Role,
        family: Family,
        *,
        serial: int,
        host_mac: bytes | None,
        pilot: PilotWire,
        nmk: bytes,
        nid: bytes | None,
    ) -> None:
        self.line = line
        self.name = name
        self.role = role
        self.family = family
        self.mac = family.oui + bytes([0x12, 0, serial & 0xFF])
        self.hosts: dict[bytes, None] = {} if host_mac is None else {host_mac: None}
        """Addresses on the host's side, the latest last."""
        self.pilot = pilot
        self.nmk = nmk
        self.nid = nid or keys.nid_from_nmk(nmk)
        self.powered = True
        self.up = True
        """Whether it hears and speaks on the line."""
        self.coordinator: SimulatedModem | None = self if role == "evse" else None
        """That of the network of which this is a member."""
        self.linked = False
        """Whether there is another member."""
        self.asking: int | None = None
        """The host action that it asks for."""
        self.frames_in = self.frames_out = 0
        self.pwm_settings: dict[str, int] = dict(families.PWM_SETTINGS)
        self.pwm_told: dict[str, int] | None = None
        self._deaf = False
        self._restarts = 0
        self._joining: SimulatedModem | None = None
        self._starts: dict[bytes, float] = {}
        pilot.observers.append(lambda now: self._announce("pilot", now))

    def __repr__(self) -> str:
        return f"<{self.family.name} {self.name}>"

    # What happens to it

    def from_host(self, frame: bytes, now: float) -> None:
        """The host sends a frame."""
        if len(frame) < 14:
            return
        head = _head(frame)
        matching = head is not None and head.mmtype in SLAC
        why = self._why_silent() if matching else ""
        if why and self.line.observer is not None:
            self.line.observer(Unsent(now, self.name, frame, why))
        if not self.powered or self._deaf:
            return
        self.frames_in += 1
        self._learn(frame[6:12])
        if matching:
            if not why:
                self.line.transmit(self, frame, None, now)
            return
        if head is not None and self._is_mine(frame[:6]):
            self._answer(frame, now)
            if frame[:6] != BROADCAST:
                return
        if self.up and self.network is not None and frame[:6] not in self.hosts:
            self.line.transmit(self, frame, self.network, now)

    def heard(self, sender: SimulatedModem, frame: bytes, network: bytes | None, now: float) -> None:
        """A frame has come over the line; `network` is that for which it is encrypted."""
        if not self.up or self.line.path(self, sender) is None:
            return
        head = _head(frame)
        if network is not None:
            if self.network != network:
                return
            if head is not None and (frame[:6] == self.mac or (frame[:6] == BROADCAST and self._knows(frame))):
                self._answer_remote(frame, now)
                return
        elif head is None or not (head.mmtype in SHOWN[self.role] or self.family.listens):
            return
        overhears = self.family.listens or (self.family.overhears and network is None)
        if not (overhears or frame[0] & 1 or frame[:6] in self.hosts or not self._elsewhere(frame[:6])):
            return
        if head is not None and head.mmtype == START_ATTEN_CHAR and self._started_already(frame, now):
            return
        if head is not None and head.mmtype == SOUND and self.role == "evse":
            self._sound(sender, frame, now)
        else:
            self._to_host(frame, now)

    def power(self, on: bool, now: float) -> None:
        """Switch it off or on. It keeps its key."""
        self.powered = on
        self._restart(self.family.boot_s if on else None, now, deaf=True)

    def reset(self, now: float) -> None:
        """Start anew, soon: an answer still leaves."""
        self.line.at(now + self.family.answer_s, lambda at: self._restart(self.family.boot_s, at, deaf=True))

    def rekey(self, nmk: bytes, nid: bytes | None, now: float) -> None:
        """Take another key, and leave the network."""

        def take(at: float) -> None:
            self.nmk, self.nid = nmk, nid or keys.nid_from_nmk(nmk)
            if self.line.observer is not None:
                self.line.observer(Rekeyed(at, self.name, self.nid))
            self._restart(self.family.restart_s, at, deaf=self.family.deaf)

        self.line.at(now + self.family.answer_s, take)

    def ask_host(self, action: int, now: float) -> None:
        """Ask the host to do something, again and again until it answers: 0 to load firmware."""
        self.asking = action

        def ask(at: float, left: int) -> None:
            if self.asking != action or not left:
                return
            self._indicate("VS_HOST_ACTION.IND", {"host_action": action}, at)
            self.line.at(at + HOST_ACTION_S, lambda later: ask(later, left - 1))

        ask(now, HOST_ACTION_TRIES)

    # Network

    @property
    def network(self) -> bytes | None:
        """NID and NMK of the network of which it is a member."""
        return self.nid + self.nmk if self.up and self.coordinator is not None else None

    @property
    def tei(self) -> int:
        """Its number within the network: the coordinator is 1."""
        return 1 if self.coordinator is self else 2 + self.line.modems.index(self)

    @property
    def cco_mac(self) -> bytes:
        """Address of the coordinator."""
        return self.coordinator.mac if self.coordinator is not None else bytes(6)

    def heard_members(self) -> list[tuple[SimulatedModem, float]]:
        """The members of any network that it can hear, and how weakly, dB."""
        if not self.up:
            return []
        others = (each for each in self.line.modems if each is not self and each.network is not None)
        return [(each, path.db) for each in others if (path := self.line.path(self, each))]

    def neighbours(self) -> list[SimulatedModem]:
        """The other members of its network that it can hear."""
        if self.network is None:
            return []
        return [each for each, _ in self.heard_members() if each.network == self.network]

    def look_around(self, now: float) -> None:
        """Join the coordinator that has the same key; leave one that is gone."""
        if self.role == "evse":
            return
        if self.coordinator is not None and not self._may_join(self.coordinator):
            self.coordinator = None
            if self.line.observer is not None:
                self.line.observer(Left(now, self.name))
        if self._joining is not None and not self._may_join(self._joining):
            self._joining = None
        if self.coordinator is None and self._joining is None:
            found = next((each for each in self.line.modems if self._may_join(each)), None)
            if found is not None:
                self._joining = found
                self.line.at(now + self.family.join_s, lambda at: self._join(found, at))

    def look_at_link(self, now: float) -> None:
        """Tell the host when the first other member comes or the last goes."""
        linked = bool(self.neighbours())
        if linked != self.linked:
            self.linked = linked
            self._announce("joined" if linked else "left", now)

    def _may_join(self, other: SimulatedModem) -> bool:
        return (
            self.up
            and other.up
            and other.role == "evse"
            and (other.nid, other.nmk) == (self.nid, self.nmk)
            and self.line.path(self, other) is not None
        )

    def _join(self, coordinator: SimulatedModem, now: float) -> None:
        if self._joining is not coordinator:
            return
        self._joining = None
        self.coordinator = coordinator
        if self.line.observer is not None:
            self.line.observer(Joined(now, self.name, coordinator.name))
        self.line.changed(now)

    def _why_silent(self) -> str:
        """Why it does not send what belongs to a matching; empty: it does."""
        if not self.powered:
            return "it is off"
        if not self.up:
            return "it restarts"
        # Without a coordinator's beacon there is no time base to send by.
        return "" if self.role == "evse" or self._hears_coordinator() else "it hears no coordinator"

    def _hears_coordinator(self) -> bool:
        others = (each for each in self.line.modems if each.role == "evse" and each.up)
        return any(self.line.path(self, each) for each in others)

    def _restart(self, seconds: float | None, now: float, *, deaf: bool) -> None:
        """Be silent for so long; None: for good."""
        self._restarts += 1
        number = self._restarts
        self.up, self._deaf, self._joining = False, deaf, None
        self._starts.clear()
        self.line.changed(now)

        def come_up(at: float) -> None:
            if number == self._restarts:
                self.up, self._deaf = True, False
                self._announce("up", at)
                self.line.changed(at)

        if seconds is not None:
            self.line.at(now + seconds, come_up)

    # Frames

    def _is_mine(self, destination: bytes) -> bool:
        return destination in (self.mac, BROADCAST) or (destination == LOCAL_DEVICE and self.family.local_address)

    def _learn(self, source: bytes) -> None:
        if source[0] & 1 or source == self.mac:
            return
        self.hosts.pop(source, None)
        self.hosts[source] = None
        if len(self.hosts) > HOSTS:
            del self.hosts[next(iter(self.hosts))]

    def _elsewhere(self, destination: bytes) -> bool:
        """Whether somebody else is known to have this address on his side."""
        return any(destination == each.mac or destination in each.hosts for each in self.line.modems)

    def _started_already(self, frame: bytes, now: float) -> bool:
        if not self.family.first_start_only or self.role == "ev":
            return False
        self._starts = {start: at for start, at in self._starts.items() if now - at < SAME_START_S}
        if frame not in self._starts and len(self._starts) < HOSTS:
            self._starts[frame] = now
            return False
        return True

    def _sound(self, sender: SimulatedModem, frame: bytes, now: float) -> None:
        """Hand a sound on, with the attenuation that it has been heard with."""
        profiles: list[bytes] = []
        if self.line.random.random() >= self.family.profile_loss:
            measured: dict[str, Any] = {"pev_mac": frame[6:12], "aag": self._measure(sender)}
            profiles.append(make("CM_ATTEN_PROFILE.IND", destination=BROADCAST, source=self.mac, **measured))
            if self.family.vendor_profile:
                name = "VS_ATTENUATION_CHARACTERISTICS.IND"
                profiles.append(make(name, destination=BROADCAST, source=self.mac, **measured))
        if not self.family.profile_first:
            self._to_host(frame, now)
        for each in profiles:
            self._to_host(each, now, own=True)
        if self.family.profile_first:
            self._to_host(frame, now)

    def _measure(self, sender: SimulatedModem) -> list[int]:
        """Attenuation of each group of carriers, dB."""
        path = self.line.path(self, sender)
        assert path is not None, "it has been heard"
        noise = self.line.random.gauss
        return [
            min(255, max(0, round(path.group(number) + noise(0.0, self.line.noise_db))))
            for number in range(self.family.groups)
        ]

    def _to_host(self, frame: bytes, now: float, *, own: bool = False) -> None:
        self.frames_out += 1
        self.line.to_host(self, frame, now + self.family.answer_s, own=own)

    # Management

    def _knows(self, frame: bytes) -> bool:
        """Whether it answers this request."""
        request = _request(frame)
        return request is not None and request.name in self.family.answers

    def _answer(self, frame: bytes, now: float) -> None:
        """What its own host asks."""
        request = _request(frame)
        if request is None:
            return
        answer = self.family.answers.get(request.name)
        if answer is not None:
            fields = answer(self, request, now)
            if fields is not None:
                self._to_host(self._confirmation(request, fields), now, own=True)
        elif self.family.mme_error and request.name.endswith(".REQ"):
            error: dict[str, Any] = {"rx_mmv": request.mmv, "rx_mmtype": request.mmtype}
            told = make("CM_MME_ERROR.IND", destination=request.source, source=self.mac, **error)
            self._to_host(told, now, own=True)

    def _answer_remote(self, frame: bytes, now: float) -> None:
        """What another member of the network asks: it may know the version, but neither have nor set a key."""
        request = _request(frame)
        if request is None:
            return
        fields: dict[str, Any] | None = None
        if request.name == "CM_SET_KEY.REQ":
            fields = families.set_key_confirmation(self, request, refused=True)
        elif request.name == "CM_GET_KEY.REQ":
            fields = families.get_key_confirmation(self, request, key=None)
        elif request.name in ("VS_SW_VER.REQ", "VS_GET_VERSION.REQ", "CM_NW_INFO.REQ"):
            answer = self.family.answers.get(request.name)
            fields = answer(self, request, now) if answer is not None else None
        if fields is not None:
            self.line.transmit(self, self._confirmation(request, fields), self.network, now)

    def _confirmation(self, request: Mme, fields: dict[str, Any]) -> bytes:
        """In the vendor's form and in the version of the request."""
        name = request.name.removesuffix("REQ") + "CNF"
        return make(
            name,
            destination=request.source,
            source=self.mac,
            vlan=request.vlan,
            oui=request.oui,
            mmv=request.mmv,
            **fields,
        )

    def _announce(self, what: str, now: float) -> None:
        if self.powered:
            for name, fields in self.family.announce(self, what):
                self._indicate(name, fields, now)

    def _indicate(self, name: str, fields: dict[str, Any], now: float) -> None:
        """Tell the host something unasked."""
        destination = next(reversed(self.hosts), BROADCAST)
        self._to_host(make(name, destination=destination, source=self.mac, **fields), now, own=True)


def _request(frame: bytes) -> Mme | None:
    """A message that can be understood; None for fragments, for unknown ones, and for what is no message."""
    try:
        mme = parse(frame)
    except MmeError:
        return None
    return None if "payload" in mme.fields else mme


def _head(frame: bytes) -> header.Header | None:
    """The header of a HomePlug frame; None for other frames."""
    if frame[12:14] != HOMEPLUG and not (frame[12:14] == TAGGED and frame[16:18] == HOMEPLUG):
        return None
    try:
        return header.parse(frame)[0]
    except MmeError:
        return None


__all__ = ["Role", "SimulatedModem"]
