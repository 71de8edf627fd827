"""What stations, vehicles and sniffers report: frozen events, one stream.

Machines hand events to a callable that they are given (`Trace`); console, log, capture writer and page consume them.
An event carries no behaviour. `at` is in seconds on the clock of whoever made the trace: monotonic time in a live
session, the time of capture (seconds since 1970) in a recording.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

from hlc.ids import ChargePointState, VehicleState


class Side(StrEnum):
    """Who an event is about."""

    EVCC = "EVCC"
    SECC = "SECC"


class Blame(StrEnum):
    """Whose fault a fault is."""

    LOCAL = "local"
    """Ours: an error in this program."""
    REMOTE = "remote"
    """The peer's."""
    SETUP = "setup"
    """The installation's: configuration, wiring, missing authorization."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=str.lower):
    """Base of all events."""

    at: float


class Frame(Event, frozen=True, kw_only=True):
    """A V2GTP frame as sent by `side`; SDP frames are those with payload types 0x9000 to 0x9003."""

    side: Side
    payload_type: int
    payload: bytes


class Message(Event, frozen=True, kw_only=True):
    """A decoded message as sent by `side`."""

    side: Side
    schema: str
    """Name of the exi schema, or "sdp"."""
    name: str
    """Element name: "CurrentDemandReq", "supportedAppProtocolReq", "SECCDiscoveryReq"."""
    id: int | None
    """The documented message ID of the CCS binding."""
    message: Any
    """The decoded document (with header), or the SDP request or response."""


class Mme(Event, frozen=True, kw_only=True):
    """A HomePlug management message, of whichever end or modem."""

    name: str
    """As in "CM_SLAC_PARM.REQ"; empty where not even the header can be read."""
    source: bytes
    destination: bytes
    frame: bytes
    """The whole Ethernet frame without FCS."""
    message: Any
    """The `slac.Mme`; None where it is cut off."""
    fault: str = ""
    """Why there is no message."""


class StateEntered(Event, frozen=True, kw_only=True):
    """A documented state was entered."""

    side: Side
    state: VehicleState | ChargePointState


class TimerExpired(Event, frozen=True, kw_only=True):
    """A deadline passed."""

    side: Side
    timer: str
    """The standard's name: "V2G_SECC_Sequence_Timeout"."""
    limit_s: float


class Measurement(Event, frozen=True, kw_only=True):
    """What one side measures at its own terminals."""

    side: Side
    volts: float
    amps: float
    soc: float | None = None
    """State of charge, %; vehicles only."""


class Margin(Event, frozen=True, kw_only=True):
    """A deadline that was met: the time used of the time allowed."""

    side: Side
    """Whose timer it is."""
    timer: str
    """The standard's name: "V2G_EVCC_Msg_Timeout"."""
    of: str
    """The message or exchange that it is about: "CurrentDemandRes"."""
    used_s: float
    limit_s: float


class Note(Event, frozen=True, kw_only=True):
    """Something tolerated or worth knowing that is no fault: surplus bytes, a limit clamped."""

    side: Side
    text: str


class Fault(Event, frozen=True, kw_only=True):
    """Something went wrong."""

    side: Side
    blame: Blame
    text: str
    """What happened, and where it helps: why, and what to do."""
    clause: str | None = None
    """The clause that is broken: "V2G-DC-391"."""


class MatchingState(Event, frozen=True, kw_only=True):
    """A SLAC machine has come to another state: "unmatched", "matching", "joining", "matched" ... (`slac.effects`)."""

    side: Side
    state: str


class MatchingRemark(Event, frozen=True, kw_only=True):
    """Something worth knowing about a matching that goes on: a step, an attenuation, a frame that was ignored."""

    side: Side
    kind: str
    """The stable name of what it is about: "control pilot", or "step", "candidate" ... (`slac.effects.Kind`)."""
    text: str
    data: dict[str, Any]


class Matched(Event, frozen=True, kw_only=True):
    """The powerline link to the peer is up: from here on the hosts can talk."""

    side: Side
    peer: bytes
    """MAC address of the peer's host."""
    run_id: bytes
    nid: bytes
    attenuation_db: float | None
    """Average over all groups of carriers; None: not known."""


class Unmatched(Event, frozen=True, kw_only=True):
    """The powerline link is gone: lost, or left."""

    side: Side
    reason: str


class MatchingFailed(Event, frozen=True, kw_only=True):
    """Matching was given up."""

    side: Side
    reason: str
    """A word for machines (`slac.effects.Reason`)."""
    text: str
    """What happened, and what to do next."""


class SessionEnded(Event, frozen=True, kw_only=True):
    """The end of a session, once per side."""

    side: Side
    good: bool
    """It ended as the standard says that a good session ends."""
    reason: str
    energy_wh: float
    """Energy through this side's terminals towards the vehicle, integrated by its own meter."""
    returned_wh: float = 0.0
    """The same, back from the vehicle."""


Trace = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The trace of who wants none."""
