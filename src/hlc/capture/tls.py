"""One TLS connection of a capture: octets of both directions in, plaintext, alerts and facts out.

The keys come from a key log (`hlc.security.keylog`), `hlc.security.records` opens records with them; this module
decides which keys a record is under, and which number it has. Where the secret of a record is not known yet, what
follows waits for it, within bounds. Behind a hole the number of a record is searched for as far as the hole may reach:
every record that is read is one that authenticates.

Scapy is not used for this: importing its TLS takes half a second; it takes secrets from one setting of the whole
process when a connection begins, so that those which a capture tells later come too late; it does not follow a
KeyUpdate, and has no way on behind a hole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hlc.capture.reassembly import Piece
from hlc.capture.tls_facts import AlertSeen, TlsFacts
from hlc.capture.tls_records import ALERT, CHANGE_CIPHER_SPEC, DATA, HANDSHAKE, UNKNOWN, Record, Records
from hlc.capture.tls_trial import trial
from hlc.capture.where import Where
from hlc.security import alerts, handshake, keylog
from hlc.security.handshake import HandshakeError, HandshakeType, Hello, ServerHello, Version
from hlc.security.registry import GROUPS, SUITES, VERSIONS, listed, named
from hlc.trace.events import Side

if TYPE_CHECKING:
    from hlc.security.records import Keys, Modern, Opened

Endpoint = tuple[bytes, int]

WAITING: Final = 1 << 16
"""Octets of records that may wait for their secret."""
EARLY: Final = 1 << 13
"""Octets that may wait for the hello of the other side, where a hole holds it up."""
SMALLEST: Final = 22
"""Octets of the shortest record under encryption, header included: a hole holds no more records than this tells."""
SEARCH: Final = 1 << 14
"""Record numbers that are tried behind a hole."""
TRIES, MORE_TRIES, MOST_TRIES, LEAST = 1 << 10, 1 << 8, 1 << 16, 8
"""Attempts beyond the first for a record: what a connection has, what each record that is opened adds, the most; half
of them for one record, and what each has in any case."""
TRIALS: Final = 4
"""Records for which secrets are looked for by trial."""
UNSEEN: Final = Hello((), (), (), (), (), False, False)
"""A ClientHello that is not in the capture."""
LONGEST_MESSAGE: Final = 1 << 17
"""Octets of a handshake message."""
REASONS: Final = 8
"""Different reasons for not decrypting that are told of a connection."""


class Plain(NamedTuple):
    """Octets that `sender` sent; `piece.lost` of them are missing before these."""

    sender: Endpoint
    piece: Piece


class Said(NamedTuple):
    """What is to be told about the connection itself."""

    sender: Endpoint
    where: Where
    name: str
    """"ClientHello", "ServerHello", "alert", or "note"."""
    text: str
    grave: bool = False


class End:
    """What one end sent, and under which keys."""

    def __init__(self) -> None:
        self.records = Records()
        self.last = Piece(b"", 0.0, 0)
        self.handshake = bytearray()
        self.protected = False
        """TLS 1.2: it has sent ChangeCipherSpec."""
        self.application = False
        """TLS 1.3: its handshake is over."""
        self.keys: Keys | None = None
        self.sequence = 0
        self.unsure = 0
        """Octets since the last record that was opened: they tell how far off the number of the next may be."""
        self.hole = 0
        """Octets of plaintext that are missing before what comes next."""

    def begin(self) -> None:
        """New keys, which are still to be made; their first record has number 0."""
        self.keys, self.sequence = None, 0


class TlsConnection:
    """Feed it the octets of both ends as they come."""

    def __init__(
        self, ends: tuple[Endpoint, Endpoint], client: Endpoint | None, start: Where, secrets: keylog.Secrets
    ) -> None:
        """`client` is who opened the connection, where that is known."""
        self.facts = TlsFacts(start)
        self.client = client
        self._ends = {end: End() for end in ends}
        self._secrets = secrets
        self._hello: Hello | None = None
        self._chosen: ServerHello | None = None
        self._pair: tuple[Keys, Keys] | None = None
        """Keys of TLS 1.2, of client and server."""
        self._waiting: deque[tuple[Endpoint, Record]] = deque()
        self._octets = 0
        self._patient = True
        self._known = 0
        """Secrets that were known when the waiting was looked at last."""
        self._tries = TRIES
        self._trials = TRIALS
        self._told: set[str] = set()
        self._out: list[Plain | Said] = []

    @property
    def waiting(self) -> bool:
        """Whether records wait for their secret."""
        return bool(self._waiting)

    def feed(self, sender: Endpoint, piece: Piece) -> list[Plain | Said]:
        """What `piece`, sent by `sender`, brings to light, in order."""
        if self._waiting and self._secrets.count != self._known:
            self._look_again()
        end = self._ends[sender]
        end.last = piece
        for record in end.records.feed(piece):
            begun = self._hello, self._chosen
            if self._has_to_wait(sender, record) or not self._read(sender, record, patient=self._patient):
                self._waiting.append((sender, record))
                self._octets += len(record.body)
                if self._octets > (EARLY if self._hello is None or self._chosen is None else WAITING):
                    self._patient = False
                    self._give_up()
            elif self._waiting and begun != (self._hello, self._chosen):
                self._look_again()
        out, self._out = self._out, []
        return out

    def close(self) -> list[Plain | Said]:
        """No more octets follow."""
        self._look_again()
        for sender, end in self._ends.items():
            self._waiting += ((sender, record) for record in end.records.close(end.last))
        self._give_up()
        out, self._out = self._out, []
        return out

    def _has_to_wait(self, sender: Endpoint, record: Record) -> bool:
        """Whether others wait, behind which a record stands: data behind all data, the handshake behind its own."""
        return any(record.kind == DATA or other == sender for other, _ in self._waiting)

    def _look_again(self) -> None:
        self._known = self._secrets.count
        while self._waiting and self._read(*self._waiting[0], patient=True):
            self._octets -= len(self._waiting.popleft()[1].body)

    def _give_up(self) -> None:
        while self._waiting:
            self._read(*self._waiting.popleft(), patient=False)
        self._octets = 0

    # Records

    def _read(self, sender: Endpoint, record: Record, *, patient: bool) -> bool:
        """Read a record; False where it has to wait for its secret."""
        end = self._ends[sender]
        modern = self._version() == Version.TLS13
        encrypted = record.kind == DATA or (end.protected and not modern)
        if encrypted and patient and not self._secrets.final and self._lacks(sender, end):
            return False
        where = Where(record.at, record.frame)
        if record.lost:
            end.unsure = min(UNKNOWN, end.unsure + record.lost)
            end.hole += record.lost
            end.handshake.clear()
        if record.kind == CHANGE_CIPHER_SPEC and not encrypted:
            if self._chosen is not None and not modern:  # in TLS 1.3 it means nothing (RFC 8446 D.4)
                self._changed(end)
        elif not encrypted:
            self._content(sender, record.kind, record.body, where)
        else:
            opened = self._opened(sender, end, record)
            if opened is None:
                self._unopened(sender, end, record, where)
            else:
                self._content(sender, opened.kind, opened.data, where)
        return True

    def _changed(self, end: End) -> None:
        """TLS 1.2: what follows is under the keys of the handshake that was last."""
        end.begin()
        end.protected, self._pair = True, None

    def _version(self) -> int | None:
        return self._chosen.version if self._chosen is not None else None

    def _lacks(self, sender: Endpoint, end: End) -> bool:
        """Whether something may still come by which a record could be opened: a secret, or a hello that is late."""
        if self._hello is None or self._chosen is None:
            return not end.protected
        if self._unreadable():
            return False
        if self._keys(sender, end) is not None:
            return False
        return end.application or self._next_keys(sender, end) is None

    def _keys(self, sender: Endpoint, end: End) -> Keys | None:
        """The keys that `end` should be using; None where their secret is not known."""
        if end.keys is None and self._hello is not None and self._chosen is not None and not self._unreadable():
            if self._chosen.version == Version.TLS13:
                end.keys = self._modern(sender, keylog.APPLICATION if end.application else keylog.HANDSHAKE)
            else:
                end.keys = self._old(sender)
        return end.keys

    def _old(self, sender: Endpoint) -> Keys | None:
        from hlc.security import records

        assert self._hello is not None
        assert self._chosen is not None
        if self._pair is None:
            master = self._secrets.find(self._hello.random, keylog.CLIENT_RANDOM)
            suite = records.suite(self._chosen.cipher_suite)
            if master is None or suite is None:
                return None
            outside = self._chosen.encrypt_then_mac
            self._pair = records.keys12(suite, master, self._hello.random, self._chosen.random, outside=outside)
        return self._pair[sender != self.client]

    def _modern(self, sender: Endpoint, labels: tuple[str, str]) -> Modern | None:
        from hlc.security import records

        assert self._hello is not None
        assert self._chosen is not None
        secret = self._secrets.find(self._hello.random, labels[sender != self.client])
        suite = records.suite(self._chosen.cipher_suite)
        return records.Modern(suite, secret) if secret is not None and suite is not None else None

    def _next_keys(self, sender: Endpoint, end: End) -> Keys | None:
        """The keys that follow those in use, for where their change was not seen."""
        if self._version() != Version.TLS13 or self._hello is None or self._unreadable():
            return None
        if not end.application:
            return self._modern(sender, keylog.APPLICATION)
        current: Any = end.keys
        return current.updated() if current is not None else None

    def _attempts(self, sender: Endpoint, end: End) -> Iterator[tuple[Keys, int]]:
        """Keys and numbers under which the next record may stand, the likely ones first."""
        keys = self._keys(sender, end)
        if keys is not None:
            yield keys, end.sequence
        elif (following := self._next_keys(sender, end)) is not None:
            yield following, 0
        following = self._next_keys(sender, end)
        anywhere = end.unsure >= UNKNOWN  # the stream may even have gone back
        most = self._tries // 2 + LEAST
        for away in range(min(SEARCH, end.unsure // SMALLEST + 2)):
            if keys is not None and away:
                yield keys, end.sequence + away
                if anywhere and away <= end.sequence:
                    yield keys, end.sequence - away
            if following is not None:
                yield following, away
            most -= 1
            self._tries = max(0, self._tries - 1)
            if most <= 0:
                return

    def _opened(self, sender: Endpoint, end: End, record: Record) -> Opened | None:
        for keys, sequence in self._attempts(sender, end):
            opened = keys.open(sequence, record.header, record.body)
            if opened is not None:
                if sequence > end.sequence and not end.hole:
                    end.hole = -1  # a record was taken for another kind
                end.application |= end.keys is not keys
                end.keys, end.sequence, end.unsure, end.protected = keys, sequence + 1, 0, True
                self.facts.opened += 1
                self._tries = min(MOST_TRIES, self._tries + MORE_TRIES)
                return opened
        if self._trials and self._keys(sender, end) is None and self._next_keys(sender, end) is None:
            self._trials -= 1
            if self._found(sender, record):
                return self._opened(sender, end, record)
        return None

    def _found(self, sender: Endpoint, record: Record) -> bool:
        """Look by trial for the secrets of a connection of which a hello is missing or damaged."""
        senders = (True, False) if self.client is None else (sender == self.client,)
        found = trial(self._secrets, self._chosen, senders, record)
        if found is None:
            return False
        where = Where(record.at, record.frame)
        self._say(sender, where, "note", f"its secrets were found by trial: {self._unreadable() or self._no_secret()}")
        self._secrets.meet(found.random)
        self._hello = UNSEEN._replace(random=found.random)
        if self._chosen is None:
            self._chosen = ServerHello(Version.TLS13, b"", found.suite, None, False, False)
            self.facts.version, self.facts.suite = Version.TLS13, found.suite
        self._pair = found.pair
        self.client = next(end for end in self._ends if (end == sender) is found.by_client)
        for each in self._ends.values():
            each.keys, each.application, each.unsure = None, found.application, UNKNOWN
        end = self._ends[sender]
        end.keys, end.sequence, end.unsure = found.keys, found.number, 0
        return True

    def _unopened(self, sender: Endpoint, end: End, record: Record, where: Where) -> None:
        """A record that stays closed: why, and what that means for those behind it."""
        size = len(record.header) + len(record.body)
        facts = self.facts
        facts.unopened += 1
        end.hole += size
        end.handshake.clear()
        if record.kind == ALERT:
            facts.alert(AlertSeen(self.side(sender), False, None, where))
        end.unsure = min(UNKNOWN, end.unsure + size)
        if self._keys(sender, end) is not None:
            facts.changed += size
            self._cannot(sender, where, self._foreign(end))
        elif self._next_keys(sender, end) is not None:
            self._cannot(sender, where, f"the secret of the handshake is missing ({self._random()})")
        else:
            self._cannot(sender, where, self._unreadable() or self._no_secret())

    def _foreign(self, end: End) -> str:
        if not self.facts.opened:
            return f"the secret does not fit: record {end.sequence} does not authenticate ({self._random()})"
        return f"record {end.sequence} does not authenticate: it was changed, or is of another connection"

    def _unreadable(self) -> str:
        """Why no secret helps; empty where one would."""
        if self._hello is None and self._chosen is None:
            return "the capture begins within the connection"
        if self._hello is None:
            return "the capture lacks the ClientHello"
        if self._chosen is None:
            return "the capture lacks the ServerHello"
        if self._chosen.version not in (Version.TLS12, Version.TLS13):
            return f"{named(self._chosen.version, VERSIONS)} is not read here"
        if not _protects(self._chosen.cipher_suite):
            return f"suite {named(self._chosen.cipher_suite, SUITES)} is not read here"
        return ""

    def _no_secret(self) -> str:
        return f"no secret for this connection ({self._random()})"

    def _random(self) -> str:
        return f"client random {self._hello.random.hex().upper()}" if self._hello is not None else ""

    def _cannot(self, sender: Endpoint, where: Where, reason: str) -> None:
        self.facts.reason = self.facts.reason or reason
        kind = reason.split(" (")[0] if "record" not in reason else "record"
        if kind not in self._told and len(self._told) < REASONS:
            self._told.add(kind)
            self._say(sender, where, "note", f"not decrypted: {reason}")

    # Content

    def side(self, sender: Endpoint) -> Side:
        """Vehicles are clients."""
        return Side.EVCC if sender == self.client or self.client is None else Side.SECC

    def _say(self, sender: Endpoint, where: Where, name: str, text: str, *, grave: bool = False) -> None:
        self._out.append(Said(sender, where, name, text, grave))

    def _content(self, sender: Endpoint, kind: int, data: bytes, where: Where) -> None:
        """What is in a record."""
        end = self._ends[sender]
        if kind == DATA:
            if data:
                self._out.append(Plain(sender, Piece(data, where.at, where.frame, end.hole)))
                end.hole = 0
        elif kind == ALERT and len(data) == 2:
            self._alert(sender, data[0] == 2, data[1], where)
        elif kind == CHANGE_CIPHER_SPEC:
            self._changed(end)  # of a second handshake
        elif kind == HANDSHAKE:
            end.handshake += data
            while len(held := end.handshake) >= 4:
                size = int.from_bytes(held[1:4], "big")
                if size > LONGEST_MESSAGE:  # or none: what comes behind a hole may be anything
                    held.clear()
                if len(held) < 4 + size:
                    break
                body = bytes(held[4 : 4 + size])
                message = held[0]
                del held[: 4 + size]
                self._message(sender, end, message, body, where)

    def _alert(self, sender: Endpoint, fatal: bool, description: int, where: Where) -> None:
        self.facts.alert(AlertSeen(self.side(sender), fatal, description, where))
        meaning = alerts.MEANINGS.get(alerts.Alert(description)) if description in set(alerts.Alert) else None
        text = f"{'fatal' if fatal else 'warning'} {alerts.name(description)}"
        if meaning:
            text += f"; to who receives it that means: {meaning}"
        self._say(sender, where, "alert", text, grave=fatal and description != alerts.Alert.CLOSE_NOTIFY)

    def _message(self, sender: Endpoint, end: End, kind: int, body: bytes, where: Where) -> None:
        """A handshake message."""
        read = READERS.get(kind)
        if read is None:
            return
        try:
            read(self, sender, end, body, where)
        except HandshakeError as error:
            name = "".join(part.capitalize() for part in HandshakeType(kind).name.split("_"))
            self._say(sender, where, "note", f"{name} cannot be read: {error}")

    def _client_hello(self, sender: Endpoint, end: End, body: bytes, where: Where) -> None:
        hello = handshake.client_hello(body)
        self._hello = self.facts.hello = hello
        self.facts.hello_at = where
        self._secrets.meet(hello.random)
        self.client = sender
        versions = listed(sorted(hello.versions, reverse=True), VERSIONS)
        text = f"offers {versions} with {listed(hello.cipher_suites, SUITES)}"
        if hello.groups:
            text += f"; {listed(hello.groups, GROUPS)}"
        self._say(sender, where, "ClientHello", text)

    def _server_hello(self, sender: Endpoint, end: End, body: bytes, where: Where) -> None:
        if self._version() == Version.TLS13:
            return  # there is no second one
        chosen = handshake.server_hello(body)
        facts = self.facts
        facts.version, facts.suite, facts.group = chosen.version, chosen.cipher_suite, chosen.group
        facts.chosen_at = where
        text = f"{named(chosen.version, VERSIONS)} {named(chosen.cipher_suite, SUITES)}"
        if chosen.group is not None:
            text += f", {named(chosen.group, GROUPS)}"
        if chosen.retry:
            facts.retried = True
            self._say(sender, where, "ServerHello", f"wants another ClientHello: {text}")
            return
        self._chosen = chosen
        self.client = next(other for other in self._ends if other != sender)
        if chosen.version == Version.TLS13:
            for each in self._ends.values():
                each.begin()
        self._say(sender, where, "ServerHello", text)

    def _certificate(self, sender: Endpoint, end: End, body: bytes, where: Where) -> None:
        shown = handshake.certificate(body, self._version() or Version.TLS12)
        self.facts.show(self.side(sender), shown)

    def _certificate_status(self, sender: Endpoint, end: End, body: bytes, where: Where) -> None:
        side = self.side(sender)
        shown = self.facts.chains.get(side)
        if shown is not None and shown.chain:
            self.facts.chains[side] = shown._replace(ocsp=(handshake.certificate_status(body), *shown.ocsp[1:]))

    def _server_key_exchange(self, sender: Endpoint, end: End, body: bytes, where: Where) -> None:
        group, scheme = handshake.server_key_exchange(body)
        self.facts.group = group
        if scheme is not None:
            self.facts.schemes[self.side(sender)] = scheme

    def _certificate_verify(self, sender: Endpoint, end: End, body: bytes, where: Where) -> None:
        self.facts.schemes[self.side(sender)] = handshake.signature_algorithm(body)

    def _certificate_request(self, sender: Endpoint, end: End, body: bytes, where: Where) -> None:
        self.facts.certificate_asked = True

    def _finished(self, sender: Endpoint, end: End, body: bytes, where: Where) -> None:
        self.facts.finished.add(self.side(sender))
        if self._version() == Version.TLS13 and not end.application:
            end.begin()
            end.application = True

    def _key_update(self, sender: Endpoint, end: End, body: bytes, where: Where) -> None:
        keys: Any = end.keys
        if self._version() == Version.TLS13 and end.application and keys is not None:
            end.keys, end.sequence = keys.updated(), 0


def _protects(number: int) -> bool:
    from hlc.security import records

    return records.suite(number) is not None


READERS: Final[dict[int, Callable[[TlsConnection, Endpoint, End, bytes, Where], None]]] = {
    HandshakeType.CLIENT_HELLO: TlsConnection._client_hello,
    HandshakeType.SERVER_HELLO: TlsConnection._server_hello,
    HandshakeType.CERTIFICATE: TlsConnection._certificate,
    HandshakeType.SERVER_KEY_EXCHANGE: TlsConnection._server_key_exchange,
    HandshakeType.CERTIFICATE_REQUEST: TlsConnection._certificate_request,
    HandshakeType.CERTIFICATE_VERIFY: TlsConnection._certificate_verify,
    HandshakeType.FINISHED: TlsConnection._finished,
    HandshakeType.CERTIFICATE_STATUS: TlsConnection._certificate_status,
    HandshakeType.KEY_UPDATE: TlsConnection._key_update,
}
