"""Frames of a capture -> trace events, and what was in it all in all. In constant memory, however long the capture.

`Decoder.frame` takes one captured frame after the other; each event is handed to `emit` with its frame number and the
session it belongs to. Between sessions it keeps counts and one short record per finished session.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from hlc import ids, sdp, v2gtp
from hlc.capture import doctor, links
from hlc.capture.conversation import LINGER_S, Conversation, Endpoint, address
from hlc.capture.files import Captured
from hlc.capture.headers import ETHERNET, KNOWN_LINKS, RAW, Flags, HomePlug, Tcp, Udp, parse
from hlc.capture.matching import Matching
from hlc.capture.matchings import Matchings
from hlc.capture.plugin import PlugIn
from hlc.capture.plugins import PlugIns
from hlc.capture.seen import Seen, Unread
from hlc.capture.session import Attempts, Session
from hlc.capture.tls_facts import TlsFacts
from hlc.capture.totals import Totals
from hlc.capture.where import Where
from hlc.security.keylog import Secrets
from hlc.trace.events import Message, Note, SessionEnded, Side
from hlc.trace.matching import mme_event

if TYPE_CHECKING:
    from hlc.capture.redact.streams import Streams

Watch = Callable[[Conversation], "Streams"]
"""Asked for each connection: who is to be told what is found in it?"""

CONNECTIONS: Final = 256
"""TCP connections that are followed at a time; the one that was silent longest is let go."""
IDLE_S: Final = 120.0
"""A session without messages for twice the sequence timeout of 60 s is over, whatever TCP says."""
ANNOUNCED: Final = 64
"""Addresses learnt from SDP that are remembered."""
NAMES: Final = 1000
"""Names of HomePlug messages that are counted; there are 65,536 numbers without a name."""
UNANSWERED_S: Final = 30.0
"""A connection to a station on which nothing was said for so long has come to nothing."""
SILENT_S: Final = 5.0
"""A session in which nothing was said for so long is over when its vehicle begins to match again."""


class Decoder:
    """Follows every connection of a capture."""

    def __init__(
        self,
        emit: Callable[[Seen], None],
        done: Callable[[Session, doctor.Verdict], None],
        matched: Callable[[Matching, doctor.Verdict], None] = lambda run, verdict: None,
        secrets: Secrets | None = None,
        plugged: Callable[[PlugIn, doctor.Verdict], None] = lambda plug, verdict: None,
    ) -> None:
        """`emit` gets each event as it is known, `done` each finished session with the verdict on it.

        `matched` gets each matching run with the verdict on it, `plugged` each plug-in, to which they all belong.
        `secrets` are those of TLS that are known from elsewhere; what datagrams disclose is added to them.
        """
        self.totals = Totals()
        self._secrets = Secrets() if secrets is None else secrets
        self.watch: Watch | None = None
        """Where somebody wants to know more than the events."""
        self._matchings = Matchings(self._match)
        self._matched = matched
        self._plug_ins = PlugIns()
        self._plugged = plugged
        self._captured: Captured | None = None
        """The frame in hand."""
        self._emit_to = emit
        self._done = done
        self._connections: OrderedDict[frozenset[Endpoint], Conversation] = OrderedDict()
        self._recent: Conversation | None = None
        """That of the last segment."""
        self._active: dict[frozenset[Endpoint], Conversation] = {}
        """Those that have a session or are about to end."""
        self._announced: OrderedDict[Endpoint, None] = OrderedDict()
        self._attempts: Session | None = None
        """Connections that came to nothing."""
        self._sessions = 0
        self._next_look = 0.0

    def frame(self, captured: Captured) -> None:
        """The next frame."""
        totals = self.totals
        totals.frames += 1
        at = captured.at
        if totals.first_at is None:
            totals.first_at = at
        totals.last_at = at
        link, data = captured.link, captured.data
        if link not in KNOWN_LINKS:
            packet = links.packet(link, data)
            if packet is None:
                totals.unknown_links[link] += not links.known(link)
                return
            link, data = RAW, packet
        if at >= self._next_look or at < self._next_look - 60:
            self._look(at)
        self._captured = captured
        parsed = parse(link, data)
        if isinstance(parsed, Tcp):
            self._tcp(parsed, Where(at, captured.number))
        elif isinstance(parsed, HomePlug):
            self._homeplug(parsed.frame, Where(at, captured.number))
        elif isinstance(parsed, Udp):
            if sdp.PORT in (parsed.source[1], parsed.destination[1]):
                self._udp(parsed, Where(at, captured.number))
            else:
                self._secrets.add(parsed.data)
                self._heard(captured)
        else:
            self._heard(captured)

    def _heard(self, captured: Captured) -> None:
        """A frame that says nothing here but who is heard."""
        if captured.link == ETHERNET:
            self._plug_ins.heard(captured.data[6:12], captured.data[:6])

    def quiet(self, at: float) -> None:
        """No frame has come until `at`: what is over by then is ended, as it would be by the next frame."""
        totals = self.totals
        if totals.first_at is not None and at > totals.last_at:
            totals.last_at = at
            if at >= self._next_look:
                self._look(at)

    def close(self) -> None:
        """The end of the capture."""
        self.totals.duties = self._matchings.duties
        for key, conversation in list(self._connections.items()):
            self._over(key, conversation)
        self._flush_attempts()
        self._matchings.close()
        self._finish_matchings()
        self._plug_ins.close()
        self._finish_plug_ins()

    # HomePlug

    def _homeplug(self, frame: bytes, where: Where) -> None:
        event = mme_event(frame, where.at)
        mme = self.totals.mme
        name = event.name or "unreadable"
        mme[name if name in mme or len(mme) < NAMES else "other"] += 1
        run = None
        if event.message is None:
            self.totals.damaged += 1
        else:
            run = self._matchings.take(event.message, where)
        if run not in self._matchings.finished:
            self._finish_matchings()
        self._emit_to(Seen(where.frame, None, event, run))
        self._finish_matchings()

    def _match(self, run: Matching) -> None:
        """A matching run begins: what its vehicle did before is over."""
        for key, conversation in list(self._active.items()):
            session = conversation.session
            if session is None or session.matching is None or session.matching != run.before:
                continue
            silent = run.start.at - max(session.start.at, session.end.at) >= SILENT_S
            if silent or conversation.over_at is not None:
                self._over(key, conversation, forget=False)
        self._plug_ins.begins(run)

    def _linked(self, what: str, where: Where, *, both: bool = True) -> int | None:
        """Something is said above the link, in the frame in hand. The number of the matching run that made the link.

        `both`: it would not be said if the other side had not been heard.
        """
        run = self._matchings.talk(*self._ends(), what, where, both=both)
        self._finish_matchings()
        return run.number if run is not None else None

    def _ends(self) -> tuple[bytes, bytes]:
        """MAC addresses of source and destination of the frame in hand; empty where it has none."""
        captured = self._captured
        if captured is None or captured.link != ETHERNET:
            return b"", b""
        return captured.data[6:12], captured.data[:6]

    def _finish_matchings(self) -> None:
        """Tell of the runs that are over."""
        finished = self._matchings.finished
        while finished:
            run = finished.pop(0)
            verdict = doctor.judge_matching(run, self.totals.last_at)
            for finding in verdict.findings:
                self._emit_to(Seen(finding.where.frame, None, finding.event(), run))
            self.totals.runs += 1
            self._matched(run, verdict)
            self._plug_ins.matched(run, verdict)
            self._finish_plug_ins()

    def _finish_plug_ins(self) -> None:
        """Tell of the plug-ins that are over."""
        over = self._plug_ins.over
        while over:
            plug = over.pop(0)
            self.totals.plug_ins += 1
            self._plugged(plug, doctor.judge_plug_in(plug, self.totals.last_at))

    # SDP

    def _udp(self, datagram: Udp, where: Where) -> None:
        try:
            kind, payload = v2gtp.unframe(datagram.data)
        except v2gtp.V2gtpError:
            return
        if not 0x9000 <= kind <= 0x9005:
            return
        self.totals.sdp += 1
        request = kind in (0x9000, 0x9002, 0x9004)
        side = Side.EVCC if request else Side.SECC
        vehicle = (datagram.source if request else datagram.destination)[0]
        try:
            message = sdp.parse(kind, payload)
        except sdp.SdpError as error:
            self._emit_to(Seen(where.frame, None, Note(at=where.at, side=side, text=f"SDP not decoded: {error}")))
            self._plug_ins.malformed(str(error), side, vehicle, self._linked("SDP", where, both=not request), where)
            return
        if isinstance(message, (sdp.SdpResponse, sdp.SdpWirelessResponse)):
            self._announced[message.address.packed, message.port] = None
            while len(self._announced) > ANNOUNCED:
                self._announced.popitem(last=False)
        event = Message(
            at=where.at,
            side=side,
            schema="sdp",
            name=message.name,
            id=ids.message_id("sdp", message.name),
            message=message,
        )
        run = self._linked(message.name, where, both=not request)
        if request:
            self._plug_ins.asks(message, vehicle, run, where)
        elif isinstance(message, (sdp.SdpResponse, sdp.SdpWirelessResponse)):
            station = address((message.address.packed, message.port))
            self._plug_ins.answers(message, station, vehicle, run, where)
        self._emit_to(Seen(where.frame, None, event))

    def _is_station(self, endpoint: Endpoint) -> bool:
        return endpoint[1] == sdp.PORT or endpoint in self._announced

    # TCP

    def _tcp(self, tcp: Tcp, where: Where) -> None:
        conversation = self._recent
        if conversation is None or tcp.flags & Flags.SYN or (tcp.source, tcp.destination) not in conversation.ways:
            conversation = self._of(tcp, where)
            if conversation is None:
                return
        answered = conversation.answered
        conversation.segment(tcp, where)
        if conversation.answered and not answered and conversation.client is not None and conversation.relevant():
            self._supersede(conversation.key, conversation.client[0])
        begun = conversation.session is not None or conversation.over_at is not None or conversation.plug is not None
        if begun and not conversation.active:
            conversation.active = True
            self._active[conversation.key] = conversation

    def _of(self, tcp: Tcp, where: Where) -> Conversation | None:
        """The connection of a segment, which may begin it; None where the segment is of none."""
        key = frozenset((tcp.source, tcp.destination))
        conversation = self._connections.get(key)
        opening = tcp.flags & (Flags.SYN | Flags.ACK | Flags.FIN | Flags.RST) == Flags.SYN and not tcp.data
        if conversation is not None and opening and conversation.reopened(tcp, where.at):
            self._over(key, conversation)  # the same ports again
            conversation = None
        if conversation is None:
            if not opening and not tcp.data and not tcp.flags & Flags.SYN:
                return None
            if len(key) < 2:
                return None
            conversation = Conversation(tcp, where, self._emit, self._open_session, self._is_station, self._secrets)
            if self.watch is not None:
                conversation.watch = self.watch(conversation)
            self._connections[key] = conversation
            if opening and self._is_station(tcp.destination):
                run = self._matchings.between(*self._ends())
                number = run.number if run is not None else None
                conversation.plug = self._plug_ins.connects(tcp.source[0], number, where)
            while len(self._connections) > CONNECTIONS:
                oldest, silent = next(iter(self._connections.items()))
                self._over(oldest, silent)
        else:
            self._connections.move_to_end(key)
        self._recent = conversation
        return conversation

    def _supersede(self, key: frozenset[Endpoint], evcc: bytes) -> None:
        """A station lets a vehicle in anew: its earlier connections are over, whether the capture shows that or not.

        One that is refused, or goes to another port than a station's, is made beside the session: an Audi does so.
        """
        for other, conversation in list(self._connections.items()):
            client = conversation.client
            if other == key or client is None or client[0] != evcc or conversation.judged:
                continue
            if conversation.session is not None or conversation.relevant():
                self._over(other, conversation, forget=False)

    def _look(self, at: float) -> None:
        """Once a second of the capture: end what is over."""
        self._next_look = at + 1.0
        self._matchings.look(at)
        self._finish_matchings()
        if self._attempts is not None and at - self._attempts.end.at > IDLE_S:
            self._flush_attempts()
        self._plug_ins.look(at)
        self._finish_plug_ins()
        for key, conversation in list(self._active.items()):
            over, session = conversation.over_at, conversation.session
            closed = over is not None and at - over >= LINGER_S
            silent = session is not None and at - max(session.start.at, session.end.at) >= IDLE_S
            if session is None:
                silent = at - conversation.last_at >= UNANSWERED_S
            if closed or silent:
                self._over(key, conversation, forget=False)

    def _over(self, key: frozenset[Endpoint], conversation: Conversation, *, forget: bool = True) -> None:
        """A connection, or the session on it, is over. One that is not forgotten swallows its retransmissions."""
        conversation.flush()
        self._active.pop(key, None)
        conversation.active = False
        self._count(conversation.new_tls())
        judged = conversation.judged
        session = conversation.end()
        if session is not None:
            self._finish(session)
        elif conversation.relevant() and conversation.whole and not judged:
            self._attempt(conversation)
        plug, conversation.plug = conversation.plug, None
        if plug is not None:
            self._plug_ins.disconnected(plug)
        if conversation.watch is not None:
            conversation.watch.end()
            conversation.watch.over |= forget
        if forget:
            self._connections.pop(key, None)
            if conversation is self._recent:
                self._recent = None

    def _count(self, tls: TlsFacts | None) -> None:
        if tls is not None:
            self.totals.tls += 1
            if tls.closed:
                self.totals.encrypted[tls.reason.split(" (")[0]] += 1

    def _emit(self, seen: Seen) -> None:
        event = seen.event
        if isinstance(event, Message):
            self.totals.messages[f"{event.schema}:{event.name}"] += 1
        elif isinstance(event, Unread):
            self.totals.damaged += event.damaged
        self._emit_to(seen)

    # sessions

    def _open_session(self, where: Where, conversation: Conversation) -> Session:
        self._flush_attempts()
        self._sessions += 1
        session = Session(self._sessions, where, end=where, matching=self._linked("TCP connection", where))
        self._plug_ins.opened(session, conversation.vehicle, conversation.plug)
        return session

    def _finish(self, session: Session) -> None:
        session.over = True
        self.totals.undecoded.update(session.undecoded)
        verdict = doctor.judge(session, self.totals.last_at)
        for finding in verdict.findings:
            self._emit_to(Seen(finding.where.frame, session, finding.event()))
        ended = SessionEnded(
            at=session.end.at,
            side=Side.SECC,
            good=verdict.good,
            reason=verdict.reason,
            energy_wh=session.electrical.energy_wh,
        )
        self._emit_to(Seen(session.end.frame, session, ended))
        self.totals.sessions += 1
        self._done(session, verdict)
        self._plug_ins.finished(session, verdict)
        self._finish_plug_ins()

    def _attempt(self, conversation: Conversation) -> None:
        """A connection to a station that carried nothing: together with others of its kind it makes one record."""
        client, server = conversation.client, conversation.server
        if client is None or server is None:
            return
        evcc, station = address((client[0], 0)).rsplit(":", 1)[0], address(server)
        outcome, where = conversation.outcome(), conversation.first
        known = self._attempts
        if known is not None and known.attempts is not None:
            tried = known.attempts
            if (known.evcc, tried.station, tried.outcome) == (evcc, station, outcome):
                tried.count += 1
                tried.last = known.end = where
                return
        self._flush_attempts()
        self._sessions += 1
        announced = [address(endpoint) for endpoint in self._announced]
        self._attempts = Session(self._sessions, where, end=where, evcc=evcc, secc=station)
        self._attempts.attempts = Attempts(station, outcome, 1, where, where, announced)
        self._plug_ins.opened(self._attempts, client[0], conversation.plug)

    def _flush_attempts(self) -> None:
        attempts, self._attempts = self._attempts, None
        if attempts is None:
            return
        verdict = doctor.judge(attempts, self.totals.last_at)
        for finding in verdict.findings:
            self._emit_to(Seen(finding.where.frame, attempts, finding.event()))
        self.totals.sessions += 1
        self._done(attempts, verdict)
        self._plug_ins.finished(attempts, verdict)
        self._finish_plug_ins()
