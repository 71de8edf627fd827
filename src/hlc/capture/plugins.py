"""To which plug-in belongs what a capture shows, and when a plug-in is over. In constant memory.

Matching runs go by the vehicle's MAC address. What is said above the link goes by the run that made the link, and where
that is not known by the vehicle's IP address.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from hlc import sdp
from hlc.capture.finding import Verdict
from hlc.capture.matching import Matching
from hlc.capture.plugin import MOST, Answer, PlugIn
from hlc.capture.session import Session
from hlc.capture.where import Where
from hlc.trace.events import Side

OPEN: Final = 64
"""Plug-ins that are followed at a time; the one that was silent longest is let go."""
IDLE_S: Final = 120.0
"""A plug-in of which nothing is seen for so long is over."""
RETRY_S: Final = 60.0
"""A run that begins so soon after one without a link is another try in the same plug-in."""
GROUP: Final = 0x01
"""The bit of a MAC address that goes to many."""


class PlugIns:
    """All plug-ins of a capture."""

    def __init__(self) -> None:
        self.over: list[PlugIn] = []
        """Those that are over and that nobody has been told of; whoever asks takes them out."""
        self._open: OrderedDict[int, PlugIn] = OrderedDict()
        self._by_run: dict[int, PlugIn] = {}
        self._by_session: dict[int, PlugIn] = {}
        self._count = 0

    def begins(self, run: Matching) -> None:
        """A matching run begins."""
        before = next((plug for plug in self._open.values() if plug.ev == run.ev and not plug.left), None)
        if before is not None and self._goes_on(before, run):
            plug = before
        else:
            if before is not None:
                self._leave(before)
            plug = self._new(run.start)
            plug.ev = run.ev
            if before is not None:
                plug.address = before.address
        if plug.run is not None and not plug.open_runs:
            self._by_run.pop(plug.run.number, None)
        plug.run = run
        plug.open_runs += 1
        self._by_run[run.number] = plug
        self._seen(plug, run.start)

    def matched(self, run: Matching, verdict: Verdict) -> None:
        """A matching run is over."""
        plug = self._by_run.get(run.number)
        if plug is None or plug.number not in self._open:
            return
        plug.open_runs -= 1
        if plug.run is not run:
            del self._by_run[run.number]
        if len(plug.matchings) < MOST:
            plug.matchings.append((run, verdict))
        else:
            plug.left_out["matchings"] += 1
        self._seen(plug, run.end)
        self._close_left(plug)

    def asks(self, message: sdp.SdpMessage, vehicle: bytes, run: int | None, where: Where) -> None:
        """An SDP request."""
        plug = self._of(run, vehicle, where)
        found = plug.discovery
        security = getattr(message, "security", sdp.Security.NONE)
        if not found.requests:
            found.first = where
        found.requests += 1
        found.last = where
        found.asked[security.name] += 1
        found.waiting = where, security

    def answers(self, message: sdp.SdpMessage, station: str, vehicle: bytes, run: int | None, where: Where) -> None:
        """An SDP response; `station` is the address and port that it names."""
        if not isinstance(message, (sdp.SdpResponse, sdp.SdpWirelessResponse)):
            return
        plug = self._of(run, vehicle, where)
        found = plug.discovery
        found.answers += 1
        waiting, found.waiting = found.waiting, None
        took = where.at - waiting[0].at if waiting is not None else None
        asked = waiting[1] if waiting is not None else None
        if getattr(message, "diag_status", None) == sdp.DiagStatus.ERROR_NO_SECC:
            found.refused = where
        offer = next(
            (each for each in found.offers if (each.station, each.security) == (station, message.security)), None
        )
        if offer is None:
            if len(found.offers) >= MOST:
                return
            host = message.address
            offer = Answer(
                station, message.port, host.is_link_local, host.is_loopback, message.security, asked, where, 0
            )
            found.offers.append(offer)
        offer.count += 1
        if took is not None and (offer.took_s is None or took > offer.took_s):
            offer.took_s, offer.slowest = took, where

    def malformed(self, text: str, side: Side, vehicle: bytes, run: int | None, where: Where) -> None:
        """A datagram to or from the port of SDP that is none."""
        found = self._of(run, vehicle, where).discovery
        if len(found.malformed) < MOST:
            found.malformed.append((where, side, text))

    def connects(self, vehicle: bytes, run: int | None, where: Where) -> PlugIn:
        """A vehicle opens a connection to a station. Who asks tells when it is over."""
        plug = self._of(run, vehicle, where)
        plug.connected += 1
        plug.open_connections += 1
        return plug

    def disconnected(self, plug: PlugIn) -> None:
        """Such a connection is over."""
        plug.open_connections -= 1
        self._close_left(plug)

    def opened(self, session: Session, vehicle: bytes, plug: PlugIn | None) -> None:
        """A session begins, or attempts to begin one; `plug` is known where its connection was seen being made."""
        if plug is None or plug.number not in self._open:
            plug = self._of(session.matching, vehicle, session.start)
            plug.connected += 1
        if vehicle and not plug.address:
            plug.address = vehicle
        plug.open_sessions += 1
        self._by_session[session.number] = plug

    def finished(self, session: Session, verdict: Verdict) -> None:
        """It is over."""
        plug = self._by_session.pop(session.number, None)
        if plug is None or plug.number not in self._open:
            return
        plug.open_sessions -= 1
        if len(plug.sessions) < MOST:
            plug.sessions.append((session, verdict))
            plug.sessions.sort(key=lambda entry: entry[0].start)
        else:
            plug.left_out["sessions"] += 1
        self._seen(plug, session.end)
        self._close_left(plug)

    def heard(self, source: bytes, destination: bytes) -> None:
        """Another frame on Ethernet: of a vehicle or station whose key is known it tells what a listener hears."""
        for plug in reversed(self._open.values()):
            run = plug.run
            if run is None or run.giver is None or source not in (run.ev, run.giver.mac):
                continue
            side = Side.EVCC if source == run.ev else Side.SECC
            plug.heard[side, bool(destination[:1] and destination[0] & GROUP)] += 1
            return

    def look(self, at: float) -> None:
        """End those that have long been silent."""
        for plug in list(self._open.values()):
            if plug.idle and at - plug.end.at > IDLE_S:
                self._close(plug)

    def close(self) -> None:
        """The end of the capture."""
        for plug in list(self._open.values()):
            self._close(plug)

    # Inside

    def _goes_on(self, plug: PlugIn, run: Matching) -> bool:
        """Whether a run is another try in a plug-in."""
        if plug.linked is not None or plug.talked:
            return False
        return run.start.at - plug.end.at <= RETRY_S

    def _of(self, run: int | None, vehicle: bytes, where: Where) -> PlugIn:
        """The plug-in of what is said above the link."""
        plug = self._by_run.get(run) if run is not None else None
        if plug is None or plug.number not in self._open:
            plug = next(
                (
                    each
                    for each in reversed(self._open.values())
                    if vehicle and each.address == vehicle and not each.left
                ),
                None,
            )
        if plug is None:
            plug = self._new(where)
        if vehicle and not plug.address:
            plug.address = vehicle
        self._seen(plug, where)
        return plug

    def _new(self, where: Where) -> PlugIn:
        self._count += 1
        plug = self._open[self._count] = PlugIn(self._count, where, where)
        while len(self._open) > OPEN:
            self._close(next(iter(self._open.values())))
        return plug

    def _seen(self, plug: PlugIn, where: Where) -> None:
        plug.end = max(plug.end, where)
        if plug.number in self._open:
            self._open.move_to_end(plug.number)

    def _leave(self, plug: PlugIn) -> None:
        plug.left = True
        self._close_left(plug)

    def _close_left(self, plug: PlugIn) -> None:
        if plug.left and plug.idle:
            self._close(plug)

    def _close(self, plug: PlugIn) -> None:
        if self._open.pop(plug.number, None) is None:
            return
        for table in (self._by_run, self._by_session):
            for key in [key for key, value in table.items() if value is plug]:
                del table[key]
        self.over.append(plug)
