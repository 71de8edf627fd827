"""A host and its own modem: what can be asked of it, by family, one request at a time.

    modem = Modem(host_mac)
    effects = modem.identify(now)                       finds the family and the address
    effects = modem.set_key(nid, nmk, now)              a new key; the latest one wins
    effects = modem.ask(Purpose.NETWORK, now)           and LINK, NEIGHBOURS, PWM, PWM_CONF, SET_PWM, RESET
    effects = modem.watch(0.5, now)                     looks at the link again and again; None: no more
    effects = modem.receive(mme, now), modem.expire(now); modem.next_deadline()

Besides `Send` and `Remark`, effects are `Answer`: to a request (its value None: the modem said nothing), or unasked.

The result in CM_SET_KEY.CNF is 1 from most modems that obey and 0 in the specification, and the answer may be lost or
late. So it decides nothing: the key is read back where that is wanted, or the link proves it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from slac.effects import Kind, Remark, Send
from slac.families import (
    ACTIONS,
    FAMILIES,
    IDENTIFIED,
    LOCAL,
    LUMISSIL_HEADER,
    UNASKED,
    Family,
    Fields,
    Identity,
    Network,
    Purpose,
    as_it_is,
)
from slac.mme import Mme, make
from slac.timing import Timers

PATIENCE_S: Final = 0.4
"""For an answer of the modem."""
KEY_PATIENCE_S: Final = 1.0
"""For CM_SET_KEY.CNF; it is asked three times."""
KEY_TRIES: Final = 3
READ_BACK_S: Final = 0.5
"""Between attempts to read a new key back while the modem settles."""


class KeySet(NamedTuple):
    """Of `Purpose.SET_KEY`."""

    nid: bytes
    nmk: bytes
    confirmed: bool
    """Whether the modem answered."""
    verified: bool | None
    """Whether it has that key; None: it was not asked, or does not say."""


class Answer(NamedTuple):
    """What the modem says; `value` as `Purpose` tells, None: it says nothing."""

    purpose: Purpose
    value: Any


Heard = Send | Remark | Answer

HEARD: Final = frozenset(
    {f"{ask.name}.CNF" for family in FAMILIES for ask in family.asks.values()}
    | {"CM_SET_KEY.CNF", "CM_GET_KEY.CNF", "VS_HOST_ACTION.IND", *UNASKED}
)
"""The messages that are the modem's."""


class _Request:
    """Something asked or to be asked. `answers`: by the name of the confirmation, how it is read, and whose it is."""

    def __init__(
        self,
        purpose: Purpose,
        frames: list[bytes],
        answers: Mapping[str, tuple[Callable[[Fields], Any], Family | None]],
        patience_s: float = PATIENCE_S,
        tries: int = 2,
        key: tuple[bytes, bytes] = (b"", b""),
        verify: bool = False,
    ) -> None:
        self.purpose = purpose
        self.frames = frames
        self.answers = answers
        self.patience_s = patience_s
        self.tries = tries
        self.key = key
        self.verify = verify
        self.reading_back = False
        self.confirmed = False
        self.fallback: Identity | None = None


class Modem:
    """The modem of the host with this MAC address. `accepted`: the results in CM_SET_KEY.CNF that mean success."""

    def __init__(self, host: bytes, accepted: tuple[int, ...] = (0, 1)) -> None:
        self.host = host
        self.accepted = accepted
        self.identity: Identity | None = None
        self.key: tuple[bytes, bytes] | None = None
        """NID and NMK that it was told last."""
        self.wants: int | None = None
        """The host action that it asked for."""
        self._timers = Timers()
        self._queue: deque[_Request] = deque()
        self._pending: _Request | None = None
        self._every: float | None = None
        self._out: list[Heard] = []
        self._now = 0.0

    # What can be asked

    def identify(self, now: float, tries: int = 4) -> list[Heard]:
        """Ask for all families at once; the one that answers is it."""
        self.identity = None
        asks = [(family, family.asks[Purpose.IDENTIFY]) for family in FAMILIES]
        frames = [self._make(f"{ask.name}.REQ", family.address, **ask.fields) for family, ask in asks]
        # Another stack found CG5317 that take version 0 alone.
        frames.append(self._make("NSCM_GET_VERSION.REQ", LOCAL, mmv=0, **LUMISSIL_HEADER))
        answers = {f"{ask.name}.CNF": (ask.read, family) for family, ask in asks}
        return self._enqueue(_Request(Purpose.IDENTIFY, frames, answers, PATIENCE_S, tries), now)

    def set_key(self, nid: bytes, nmk: bytes, now: float, *, verify: bool = False) -> list[Heard]:
        """Set NID and NMK. There is never a second request before the first is answered or given up; of several that
        wait, the latest counts. `verify`: read it back, and set it once more where it is not there."""
        self._now = max(now, self._now)
        self.key = (nid, nmk)
        if self._pending and self._pending.reading_back:  # nobody needs that key any more
            self._done(KeySet(*self._pending.key, self._pending.confirmed, None))
        self._queue = deque(each for each in self._queue if each.purpose is not Purpose.SET_KEY)
        frame = self._make("CM_SET_KEY.REQ", nid=nid, new_key=nmk)
        answers = {"CM_SET_KEY.CNF": (as_it_is, None)}
        request = _Request(Purpose.SET_KEY, [frame], answers, KEY_PATIENCE_S, KEY_TRIES, key=(nid, nmk), verify=verify)
        return self._enqueue(request, now)

    def ask(self, purpose: Purpose, now: float, **fields: Any) -> list[Heard]:
        """Any other purpose. The answer is None at once where the family has no such request."""
        ask = self.identity.family.asks.get(purpose) if self.identity else None
        self._now = max(now, self._now)
        if ask is None:
            self._out.append(Answer(purpose, None))
            return self._flush()
        request = _Request(
            purpose, [self._make(f"{ask.name}.REQ", **{**ask.fields, **fields})], {f"{ask.name}.CNF": (ask.read, None)}
        )
        if purpose is Purpose.RESET and self.identity and not self.identity.family.reset_answered:
            request.tries, request.patience_s = 1, 0.0
        return self._enqueue(request, now)

    def watch(self, every_s: float | None, now: float) -> list[Heard]:
        """Look at the link now, and again `every_s` after each answer."""
        self._now = max(now, self._now)
        self._every = every_s
        self._queue = deque(each for each in self._queue if each.purpose is not Purpose.LINK)
        self._timers.cancel("poll")
        if every_s is not None:
            self._timers.start("poll", now, 0.0)
            self._expire()
        return self._flush()

    @property
    def busy(self) -> bool:
        """Whether a key is being set."""
        return any(each.purpose is Purpose.SET_KEY for each in (self._pending, *self._queue) if each)

    # The machine

    def receive(self, mme: Mme, now: float) -> list[Heard]:
        """One of the messages that are `HEARD`."""
        self._now = max(now, self._now)
        if self.identity and mme.source != self.identity.mac:
            if mme.name not in IDENTIFIED:  # one family is asked by broadcast: the peer's modem hears it too
                self._remark(Kind.FOREIGN, f"{mme.name} of the modem {mme.source.hex(':')}, which is not ours")
        elif mme.name == "VS_HOST_ACTION.IND":
            self._host_action(mme.fields["host_action"])
        elif mme.name in UNASKED:
            purpose, read = UNASKED[mme.name]
            if (value := read(mme.fields)) is not None:
                self._out.append(Answer(purpose, value))
        elif self._pending and mme.name in self._pending.answers:
            self._answered(self._pending, mme)
        elif mme.name not in IDENTIFIED:
            self._remark(Kind.UNEXPECTED, f"{mme.name} of the modem, unasked or late")
        return self._flush()

    def expire(self, now: float) -> list[Heard]:
        self._now = max(now, self._now)
        self._expire()
        return self._flush()

    def next_deadline(self) -> float | None:
        return self._timers.next()

    def _enqueue(self, request: _Request, now: float) -> list[Heard]:
        self._now = max(now, self._now)
        self._queue.append(request)
        self._next()
        return self._flush()

    def _next(self) -> None:
        if self._pending is None and self._queue:
            self._pending = self._queue.popleft()
            self._send(self._pending)

    def _send(self, request: _Request) -> None:
        request.tries -= 1
        self._out += [Send(frame) for frame in request.frames]
        self._timers.start("answer", self._now, request.patience_s)

    def _expire(self) -> None:
        while passed := self._timers.pop(self._now):
            if passed[0] == "poll":
                ask = self.identity.family.asks[Purpose.LINK] if self.identity else None
                if ask:
                    frame = self._make(f"{ask.name}.REQ", **ask.fields)
                    self._queue.append(_Request(Purpose.LINK, [frame], {f"{ask.name}.CNF": (ask.read, None)}, tries=1))
                    self._next()
            elif request := self._pending:
                if request.fallback:
                    self._identified(request.fallback)
                elif request.tries > 0:
                    self._send(request)
                elif request.purpose is not Purpose.SET_KEY:
                    self._done(None)
                elif request.verify and not request.reading_back:
                    self._read_back(request)
                else:
                    self._done(KeySet(*request.key, request.confirmed, None))

    def _answered(self, request: _Request, mme: Mme) -> None:
        read, family = request.answers[mme.name]
        if request.purpose is Purpose.IDENTIFY and family:
            identity = Identity(family, mme.source, str(read(mme.fields)) or "unknown version")
            if family.proof:
                self._identified(identity)
            else:
                request.fallback = identity
        elif request.purpose is not Purpose.SET_KEY:
            value = read(mme.fields)
            if isinstance(value, Network) and value.coordinator is None:
                value = value._replace(coordinator=value.cco == mme.source)
            self._done(value)
        elif request.reading_back:
            self._key_read(request, mme.fields)
        elif mme.fields["result"] not in self.accepted:
            self._remark(Kind.MODEM, f"the modem refused the key: result {mme.fields['result']}")
            self._done(KeySet(*request.key, False, None))
        else:
            request.confirmed = True
            if request.verify:
                self._read_back(request)
            else:
                self._done(KeySet(*request.key, True, None))

    def _identified(self, identity: Identity) -> None:
        self.identity = identity
        self._done(identity)

    def _read_back(self, request: _Request) -> None:
        """Ask for the key until the modem, which restarts, answers."""
        request.reading_back = True
        request.frames = [self._make("CM_GET_KEY.REQ", nid=request.key[0])]
        request.answers = {"CM_GET_KEY.CNF": (as_it_is, None)}
        request.patience_s = READ_BACK_S
        request.tries = 1 + round((self.identity.family.settle_s if self.identity else 0.0) / READ_BACK_S)
        self._send(request)

    def _key_read(self, request: _Request, fields: Fields) -> None:
        nid, nmk = request.key
        granted = fields["result"] == 0 and fields["requested_key_type"] == 1
        same = fields["nid"] == nid and fields["key"] == nmk
        if granted and not same and request.confirmed:
            self._remark(Kind.MODEM, "the modem confirmed the key and has another: it is set once more")
            request.frames = [self._make("CM_SET_KEY.REQ", nid=nid, new_key=nmk)]
            request.answers = {"CM_SET_KEY.CNF": (as_it_is, None)}
            request.reading_back = request.confirmed = False
            request.verify = False
            request.patience_s, request.tries = KEY_PATIENCE_S, KEY_TRIES
            self._send(request)
        else:
            self._done(KeySet(nid, nmk, request.confirmed, same if granted else None))

    def _done(self, value: Any) -> None:
        assert self._pending is not None
        self._out.append(Answer(self._pending.purpose, value))
        if self._pending.purpose is Purpose.LINK and self._every is not None:
            self._timers.start("poll", self._now, self._every)
        self._pending = None
        self._timers.cancel("answer")
        self._next()

    def _host_action(self, action: int) -> None:
        if action != self.wants:
            self.wants = action
            self._remark(Kind.MODEM, f"the modem asks {ACTIONS.get(action, f'for action {action}')}")

    def _make(self, name: str, destination: bytes | None = None, **fields: Any) -> bytes:
        if destination is None:
            destination = self.identity.mac if self.identity else LOCAL
        return make(name, destination=destination, source=self.host, **fields)

    def _remark(self, kind: Kind, text: str) -> None:
        self._out.append(Remark(kind, text))

    def _flush(self) -> list[Heard]:
        out, self._out = self._out, []
        return out
