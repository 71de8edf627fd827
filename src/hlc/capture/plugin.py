"""What belongs to one plug-in: matching runs, discovery, connections that came to nothing, sessions. Facts only.

A plug-in is what a vehicle does from its first matching run, or where there is none from its first SDP request or TCP
connection, until it begins to match again after its link had stood. Bounded: of each kind the first `MOST` are kept.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from hlc import sdp
from hlc.capture.finding import Verdict
from hlc.capture.matching import Matching
from hlc.capture.session import Session
from hlc.capture.where import NOWHERE, Where
from hlc.trace.events import Side

MOST: Final = 32
"""Runs, sessions, and different answers of a plug-in that are kept."""


class Answer(msgspec.Struct):
    """What a station says of itself in discovery."""

    station: str
    """Address and port."""
    port: int
    link_local: bool
    loopback: bool
    security: sdp.Security
    asked: sdp.Security | None
    """What the vehicle had asked for; None: its request is not in the capture."""
    first: Where
    count: int = 1
    took_s: float | None = None
    """The longest time from request to answer."""
    slowest: Where = NOWHERE


class Discovery(msgspec.Struct):
    """SDP of a plug-in."""

    requests: int = 0
    answers: int = 0
    first: Where = NOWHERE
    last: Where = NOWHERE
    """Of requests."""
    asked: Counter[str] = msgspec.field(default_factory=Counter)
    """What security was asked for, how often."""
    waiting: tuple[Where, sdp.Security] | None = None
    """The last request, unless it was answered."""
    offers: list[Answer] = []
    malformed: list[tuple[Where, Side, str]] = []
    """What is no SDP."""
    refused: Where | None = None
    """A wireless station says that it has no controller for this vehicle."""


class PlugIn(msgspec.Struct, eq=False):
    """One plug-in."""

    number: int
    start: Where
    end: Where
    ev: bytes = b""
    """The vehicle's MAC address, where matching tells it."""
    address: bytes = b""
    """Its IP address, where it has talked."""
    matchings: list[tuple[Matching, Verdict]] = []
    discovery: Discovery = msgspec.field(default_factory=Discovery)
    sessions: list[tuple[Session, Verdict]] = []
    """Those that are over, and attempts to begin one, in the order in which they began."""
    left_out: Counter[str] = msgspec.field(default_factory=Counter)
    """How many more there were of what is kept in part: "matchings", "sessions"."""
    run: Matching | None = None
    """The last matching run."""
    open_runs: int = 0
    open_sessions: int = 0
    connected: int = 0
    """TCP connections and attempts at them."""
    open_connections: int = 0
    heard: Counter[tuple[Side, bool]] = msgspec.field(default_factory=Counter)
    """After the key was given: other frames of either side, by whether they go to many."""
    left: bool = False
    """The vehicle has begun another plug-in."""

    @property
    def idle(self) -> bool:
        """Whether nothing of it goes on."""
        return not self.open_runs and not self.open_sessions and not self.open_connections

    @property
    def linked(self) -> Matching | None:
        """The matching run that made the link."""
        for run, _ in reversed(self.matchings):
            if run.link is not None:
                return run
        return self.run if self.run is not None and self.run.link is not None else None

    @property
    def talked(self) -> bool:
        """Whether anything was said above the link."""
        return bool(self.discovery.requests or self.discovery.answers or self.connected)

    @property
    def charged(self) -> bool:
        """Whether there was a session in which energy flowed."""
        return any(session.charged for session, _ in self.sessions)
