"""One TCP connection between a vehicle and a station: segments in, events out.

The protocol is the one that the handshake chose: the entry whose SchemaID was answered. Where the capture begins
after the handshake, the first messages are tried in every schema that is built. A protocol that is not built is said
to be so, message by message; nothing is guessed past that.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import exi
from hlc import ids, sap
from hlc.capture import protocol, reading
from hlc.capture.headers import Flags, Tcp
from hlc.capture.plugin import PlugIn
from hlc.capture.reassembly import Found, Framing, Piece, Stream, is_frame, is_tls
from hlc.capture.seen import Seen, Tls, Unread
from hlc.capture.session import EXAMPLES, STALE, Closing, Session
from hlc.capture.tls import Plain, Said, TlsConnection
from hlc.capture.tls_facts import TlsFacts
from hlc.capture.where import NOWHERE, Where
from hlc.rules import MAIN
from hlc.security.keylog import Secrets
from hlc.trace.events import Message, Note, Side, StateEntered
from hlc.v2gtp import PayloadType

if TYPE_CHECKING:
    from hlc.capture.redact.streams import Streams

Endpoint = tuple[bytes, int]

LINGER_S: Final = 2.0
"""How long after both sides have closed a message may still turn up: captures are not always in order."""
UNTOLD: Final = 16
"""Events of TLS that are kept until it is known whether they are of a session."""
COPY_S: Final = 60.0
"""A SYN repeated later than this is no copy: a capture written twice, or a vehicle that counts anew."""


class Unreadable(NamedTuple):
    """Why a payload was not decoded; see `Unread`."""

    reason: str
    detail: str = ""
    damaged: bool = False


def address(endpoint: Endpoint) -> str:
    """An endpoint as people write it: "[fe80::1]:15118"."""
    host = ip_address(endpoint[0])
    return f"[{host}]:{endpoint[1]}" if host.version == 6 else f"{host}:{endpoint[1]}"


class Direction:
    """What one end sent."""

    def __init__(self) -> None:
        self.stream = Stream()
        self.framing = Framing()
        self.finished = False


class Conversation:
    """A connection. `emit` gets its events; `open_session` makes the record of a new session."""

    def __init__(
        self,
        first: Tcp,
        where: Where,
        emit: Callable[[Seen], None],
        open_session: Callable[[Where, Conversation], Session],
        announced: Callable[[Endpoint], bool],
        secrets: Secrets,
    ) -> None:
        self.ends = {first.source: Direction(), first.destination: Direction()}
        self.key = frozenset(self.ends)
        self.ways = ((first.source, first.destination), (first.destination, first.source))
        """Source and destination of its segments."""
        self.client: Endpoint | None = None
        self.server: Endpoint | None = None
        self.first = where
        self.last_at = where.at
        self.session: Session | None = None
        self.whole = False
        """The capture shows the connection being made."""
        self.answered = False
        """The SYN was answered by SYN-ACK."""
        self._opening: int | None = None
        """Sequence number of the SYN."""
        self.plug: PlugIn | None = None
        """The plug-in in which it was made, where that is known."""
        self.watch: Streams | None = None
        """Who is told what is found, where somebody wants to know."""
        self.judged = False
        """It was looked at as a connection that came to nothing."""
        self.active = False
        """It is one of those that whoever keeps it looks at: it has a session, or is about to end."""
        self.over_at: float | None = None
        """When both sides had closed, or one had reset."""
        self._emit = emit
        self._open_session = open_session
        self._announced = announced
        self._secrets = secrets
        self.tls: TlsConnection | None = None
        self._counted = False
        self._untold: list[Said] = []
        """About TLS, before it is known whether this is a session."""
        self._offers: list[Any] = []
        self._handshake = False
        self._protocol: sap.Protocol | None = None
        self._unknown = ""
        """Namespace that was agreed on, if it is none of ours."""
        self._closings: list[tuple[Endpoint, str, Where]] = []

    # TCP

    def segment(self, tcp: Tcp, where: Where) -> None:
        """A segment of this connection."""
        self.last_at = where.at
        source, flags = tcp.source, tcp.flags
        if flags == Flags.ACK and not tcp.data:  # every second one
            self._acknowledged(tcp, where)
            return
        if flags & Flags.SYN:
            self.ends[source].stream.synchronize(tcp.sequence)
            acknowledged = bool(flags & Flags.ACK)
            if acknowledged:
                self.ends[tcp.destination].stream.answered(tcp.acknowledged)
            else:
                self._opening = tcp.sequence
            self._is_client(tcp.destination if acknowledged else source)
            self.whole = True
            self.answered |= acknowledged
        direction = self.ends[source]
        if tcp.data and not flags & Flags.SYN:
            before = direction.stream.retransmitted
            pieces = direction.stream.segment(tcp.sequence, tcp.data, where.at, where.frame)
            if pieces:
                self._pieces(source, pieces)
            elif direction.stream.retransmitted > before and self.session is not None and len(tcp.data) > 1:
                self.session.unacknowledged[self._side(source)] += 1
        if flags & Flags.ACK:
            self._acknowledged(tcp, where)
        if flags & Flags.RST:
            self._closed(source, "reset", where)
            self.over_at = where.at if self.over_at is None else self.over_at
        elif flags & Flags.FIN and not direction.finished:
            direction.finished = True
            self._closed(source, "closed", where)
            if all(end.finished for end in self.ends.values()) and self.over_at is None:
                self.over_at = where.at

    def _acknowledged(self, tcp: Tcp, where: Where) -> None:
        opposite = self.ends[tcp.destination].stream
        if opposite.waiting:
            self._pieces(tcp.destination, opposite.acknowledged(tcp.acknowledged, where.at))

    def flush(self) -> None:
        """Nothing follows: read what waits behind holes."""
        for endpoint, direction in self.ends.items():
            self._pieces(endpoint, direction.stream.close())
        if self.tls is not None:
            self._decrypted(self.tls.close())
        for endpoint, direction in self.ends.items():
            for found in direction.framing.close():
                self._frame(endpoint, found)

    def end(self) -> Session | None:
        """The session of this connection is over: hand over its record. What still comes makes a new one."""
        session, self.session = self.session, None
        self.judged = True
        if session is not None:
            session.closings = [Closing(self._side(end), how, where) for end, how, where in self._closings]
            for direction in self.ends.values():
                session.lost += direction.framing.skipped
                direction.framing.skipped = 0
            if self.tls is not None:
                session.lost += self.tls.facts.changed
                session.encrypted = self.tls.facts.closed
            self._closings.clear()
            self.whole = False
        return session

    def reopened(self, syn: Tcp, at: float) -> bool:
        """Whether a SYN on these ports opens another connection than this one, and is no late copy of its own."""
        if self.over_at is not None:
            return True
        again = syn.sequence != self._opening or at - self.first.at > COPY_S
        return again and (self.session is not None or self.judged)

    def relevant(self) -> bool:
        """Whether this is a connection to a station, though no message was seen on it."""
        return self.server is not None and self._announced(self.server)

    def new_tls(self) -> TlsFacts | None:
        """What is known of its TLS, asked for the first time; None where there is none."""
        counted, self._counted = self._counted, True
        return self.tls.facts if self.tls is not None and not counted else None

    @property
    def vehicle(self) -> bytes:
        """The IP address of the vehicle."""
        return next((end[0] for end in self.ends if self._side(end) is Side.EVCC), b"")

    def outcome(self) -> str:
        """How a connection without messages went."""
        by_server = [how for end, how, _ in self._closings if end == self.server]
        if not self.answered:
            if "reset" in by_server:
                return "refused"
            return STALE if any(how == "reset" for _, how, _ in self._closings) else "unanswered"
        if "reset" in by_server:
            return "accepted and reset at once"
        return "closed without a message" if self._closings else "left without a message"

    def _is_client(self, client: Endpoint) -> None:
        if self.client is None:
            self.client = client
            self.server = next(end for end in self.ends if end != client) if len(self.ends) > 1 else client

    def _side(self, endpoint: Endpoint) -> Side:
        if endpoint == self.client:
            return Side.EVCC
        if self.client is None:  # not known yet: the station is where SDP says, or the lower port
            low = min(self.ends, key=lambda end: (not self._announced(end), end[1]))
            return Side.SECC if endpoint == low else Side.EVCC
        return Side.SECC

    def _closed(self, endpoint: Endpoint, how: str, where: Where) -> None:
        if len(self._closings) < 4:
            self._closings.append((endpoint, how, where))

    def _pieces(self, endpoint: Endpoint, pieces: list[Piece]) -> None:
        framing = self.ends[endpoint].framing
        for piece in pieces:
            if piece.lost > 0 and self.session is not None:
                self.session.lost += piece.lost
                if self.session.lost_at is NOWHERE:
                    self.session.lost_at = Where(piece.at, piece.frame)
                self._note(endpoint, Where(piece.at, piece.frame), f"the capture lacks {piece.lost} octets before this")
            if self.tls is None and not framing.begun and is_tls(piece.data):
                first, second = self.ends
                self.tls = TlsConnection((first, second), self.client, self.first, self._secrets)
                if self.session is None and self.relevant():
                    self.session = self._opened(self.first)
            elif self.tls is not None and not self.tls.facts.spoken and is_frame(piece.data):
                self.tls = None  # what began like a record was damage
                if self.session is not None:
                    self.session.tls = None
            if self.watch is not None:
                self.watch.piece(endpoint, piece)
            if self.tls is not None:
                self._decrypted(self.tls.feed(endpoint, piece))
                continue
            for found in framing.feed(piece):
                self._frame(endpoint, found)
        if self.tls is not None and pieces and self.session is not None and not self.session.messages:
            self.session.end = Where(pieces[-1].at, pieces[-1].frame)

    def _decrypted(self, found: list[Plain | Said]) -> None:
        """What TLS gave."""
        if self.tls is not None and self.client is None and self.tls.client is not None:
            self._is_client(self.tls.client)
        for each in found:
            if isinstance(each, Plain):
                for frame in self.ends[each.sender].framing.feed(each.piece):
                    self._frame(each.sender, frame)
            elif self.session is not None:
                self._tell(each)
            elif len(self._untold) < UNTOLD:
                self._untold.append(each)

    def _tell(self, said: Said) -> None:
        event = Tls(at=said.where.at, side=self._side(said.sender), name=said.name, text=said.text, grave=said.grave)
        self._emit(Seen(said.where.frame, self.session, event))

    # V2GTP

    def _opened(self, where: Where) -> Session:
        session = self._open_session(where, self)
        session.whole = self.whole
        session.tls = self.tls.facts if self.tls is not None else None
        self._name_peers(session)
        if self._protocol is not None:
            session.protocol = self._protocol.name
        return session

    def _name_peers(self, session: Session) -> None:
        for end in self.ends:
            if self._side(end) is Side.EVCC:
                session.evcc = address(end)
            else:
                session.secc = address(end)

    def _frame(self, endpoint: Endpoint, found: Found) -> None:
        where = Where(found.at, found.frame)
        result = self._read(found)
        if isinstance(result, reading.Reading) and self.client is None:
            ends = list(self.ends)
            other = ends[1] if ends[0] == endpoint else ends[0]
            self._is_client(endpoint if result.name.endswith("Req") else other)
        side = self._side(endpoint)
        if self.watch is not None:
            self.watch.found(endpoint, found, result)
        if self.session is None:
            self.session = self._opened(where)
        session = self.session
        for said in self._untold:
            self._tell(said)
        self._untold.clear()
        if not session.messages:
            self._name_peers(session)
        if found.fault:
            self._note(endpoint, where, f"V2GTP: {found.fault}")
        if isinstance(result, Unreadable):
            session.undecoded[result.reason] += 1
            if result.damaged and len(session.unread) < EXAMPLES:
                session.unread.append((where, side, f"{result.reason}: {result.detail}"))
            session.end = where
            event = Unread(
                at=found.at,
                side=side,
                payload_type=found.payload_type,
                payload=found.payload,
                reason=result.reason,
                detail=result.detail,
                damaged=result.damaged,
            )
            self._emit(Seen(found.frame, session, event))
            return
        self._message(side, result, where, found.payload_type, found.payload)

    def _read(self, found: Found) -> reading.Reading | Unreadable:
        """The payload as a message, or why it is not one."""
        kind, payload = found.payload_type, found.payload
        if kind == 0x8001 and not self._handshake and self.whole:
            with suppress(
                exi.DecodeError
            ):  # a capture may lack the handshake although it shows the connection being made
                return reading.read("sap", payload)
        if self._protocol is not None:
            schema = self._protocol.schemas.get(kind)
            if schema is None:
                return self._of_any_schema(self._protocol, kind, payload)
            try:
                return reading.read(schema, payload)
            except exi.DecodeError as error:
                failure = error
            if kind == 0x8001 and not self._offers:  # the handshake, heard after what follows it
                with suppress(exi.DecodeError):
                    return reading.read("sap", payload)
            return Unreadable(f"no {title(schema)} message", str(failure), damaged=True)
        return self._guess(kind, payload)

    def _of_any_schema(self, known: sap.Protocol, kind: int, payload: bytes) -> reading.Reading | Unreadable:
        """A message whose payload type does not tell its schema: that of a schedule renegotiation, and of ISO 15118-20
        the one that other protocols use, which some vehicles send. It belongs to the first schema by which it is a
        message of the protocol's rules."""
        found = protocol.rules(known.name)
        if found is None or kind not in (PayloadType.SCHEDULE_RENEGOTIATION, PayloadType.EXI):
            return Unreadable(f"payload type 0x{kind:04X} is not part of {title(known.name)}")
        failure = ""
        for schema in dict.fromkeys(known.schemas.values()):
            try:
                result = reading.read(schema, payload)
            except exi.DecodeError as error:
                failure = failure or str(error)
                continue
            if protocol.rule(known.name, result.name) is not None:
                return result
        return Unreadable(f"no {title(known.name)} message", failure, damaged=True)

    def _guess(self, kind: int, payload: bytes) -> reading.Reading | Unreadable:
        """Read a payload whose protocol is not known: in every schema that is built."""
        schemas = reading.candidates(kind)
        found = reading.plausible(reading.readings(payload, schemas))
        if self._unknown and not (found and found[0].exact):
            return Unreadable(f"{self._unknown} is no protocol known here")
        if not found and kind == PayloadType.EXI and self.whole and not self._handshake:
            return Unreadable("no supportedAppProtocol message", "and no other one", damaged=True)
        if not found:
            return Unreadable("no schema that is built fits" if schemas else "its protocol is not built yet")
        best = found[0]
        if best.schema in sap.PROTOCOLS and best.exact:
            self._protocol, self._unknown = sap.PROTOCOLS[best.schema], ""
            if self.session is not None:
                self.session.protocol = best.schema
        return best

    def _message(self, side: Side, result: reading.Reading, where: Where, payload_type: int, payload: bytes) -> None:
        session = self.session
        assert session is not None
        event = Message(
            at=where.at,
            side=side,
            schema=result.schema,
            name=result.name,
            id=ids.message_id(
                "schedule_renegotiation" if payload_type == PayloadType.SCHEDULE_RENEGOTIATION else result.schema,
                result.name,
            ),
            message=result.message,
        )
        if result.schema == "sap":
            self._negotiated(result.message, session)
        elif session.protocol is None:
            session.protocol = result.schema
        session.message(result, side, where, payload_type)
        self._emit(Seen(where.frame, session, event, payload=payload))
        if result.surplus:
            surplus = f"{result.surplus} surplus octet{'s' if result.surplus > 1 else ''} after the message, ignored"
            session.odd("surplus octets after messages", side, where)
            self._emit(Seen(where.frame, session, Note(at=where.at, side=side, text=surplus)))
        if result.lenient:
            text = "a list of full length ends in the form of some peers, not as EXI says"
            session.odd(text, side, where)
            self._emit(Seen(where.frame, session, Note(at=where.at, side=side, text=text)))
        self._state(side, result, where, payload_type)

    def _negotiated(self, message: Any, session: Session) -> None:
        offers = getattr(message, "AppProtocol", None)
        if offers is not None:
            self._offers = list(offers)
            session.offered = [
                f"{offer.ProtocolNamespace} {offer.VersionNumberMajor}.{offer.VersionNumberMinor}"
                for offer in sorted(offers, key=lambda offer: offer.Priority)
            ]
            return
        self._handshake = True
        if str(message.ResponseCode).startswith("Failed"):
            session.refused = True
            return
        chosen = [offer for offer in self._offers if offer.SchemaID == message.SchemaID]
        if message.SchemaID is None and len(self._offers) == 1:
            chosen = self._offers
        if not chosen:
            return  # its request is not in the capture: the messages themselves tell
        entry = chosen[0]
        for known in sap.PROTOCOLS.values():
            if (known.namespace, known.major) == (entry.ProtocolNamespace, entry.VersionNumberMajor):
                self._protocol = known
                session.protocol = known.name
                return
        # one of a maker's own, or the handshake is damaged: what is plainly of a known protocol is still read
        self._unknown = f"{entry.ProtocolNamespace} {entry.VersionNumberMajor}.{entry.VersionNumberMinor}"
        session.protocol = self._unknown

    def _state(self, side: Side, result: reading.Reading, where: Where, payload_type: int) -> None:
        """The documented state that a side shows to be in by what it sends in the main stream."""
        session = self.session
        known = protocol.rules(session.protocol or "") if session is not None else None
        if session is None or known is None or result.schema == "sap" or known.stream(payload_type) != MAIN:
            return
        rule = known.by_name.get(result.name)
        if rule is None:
            return
        state = rule.evcc if side is Side.EVCC else rule.secc
        if str(result.values.get("ResponseCode", "")).startswith("FAILED"):
            state = ids.ChargePointState.ERROR
        if session.states.get(side) != state:
            session.states[side] = state
            self._emit(Seen(where.frame, session, StateEntered(at=where.at, side=side, state=state)))

    def _note(self, endpoint: Endpoint, where: Where, text: str) -> None:
        self._emit(Seen(where.frame, self.session, Note(at=where.at, side=self._side(endpoint), text=text)))


def title(name: str) -> str:
    """A protocol or schema as people call it."""
    return reading.TITLES.get(name, name)
