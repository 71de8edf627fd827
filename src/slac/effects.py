"""What the matching machines ask for and report: frozen values without behaviour.

`Send`, `Toggle` and `Pilot` are to be carried out. `Linked`, `Unlinked` and `Failed` are what the layers above are told
(ISO 15118-3 D-LINK_READY). `Remark` is for the trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple


class State(StrEnum):
    """Where a machine stands, at either end."""

    STARTING = "starting"
    """The modem is being found and, at an EVSE, given its key."""
    UNMATCHED = "unmatched"
    """Waiting for a vehicle, or for a charger that asks for digital communication."""
    MATCHING = "matching"
    JOINING = "joining"
    """The key is known at both ends; the link is not up yet."""
    MATCHED = "matched"
    RESUMING = "resuming"
    """The link is to come back with the same key: after a pause, or after it was lost."""
    PAUSED = "paused"
    FAILED = "failed"
    """Given up, until the control pilot or the modem gives a reason to begin again."""


class ControlPilot(StrEnum):
    """States of the control pilot (IEC 61851-1 annex A)."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    F = "F"

    @property
    def connected(self) -> bool:
        return self in "BCD"


class Reason(StrEnum):
    """Why matching was given up."""

    NO_MODEM = "no modem"
    WRONG_ROLE = "wrong modem role"
    NO_CCO = "no coordinator"
    NO_DUTY_CYCLE = "no 5 % duty cycle"
    NO_EVSE = "no EVSE in range"
    NO_ATTENUATION = "no attenuation measured"
    AMBIGUOUS = "several EVSEs at similar attenuation"
    NOT_VALIDATED = "no EVSE saw the toggles"
    NO_EV = "no vehicle answers"
    NOT_CHOSEN = "the vehicle chose another EVSE"
    PEER_SILENT = "the peer fell silent"
    LINK_NOT_UP = "key set, link not up"
    LINK_LOST = "link lost"
    INTERFERENCE = "frames from somebody else's session"


ADVICE: Final[Mapping[Reason, str]] = {
    Reason.NO_MODEM: "Check the name of the interface, the modem's power and its cable or SPI connection.",
    Reason.WRONG_ROLE: "Write the right configuration into the modem: EV (station) in a vehicle, EVSE (CCo) in an "
    "outlet.",
    Reason.NO_CCO: "Check that the modem at the outlet has power and is configured as EVSE, and the coupling of both "
    "modems to the control pilot.",
    Reason.NO_DUTY_CYCLE: "The outlet offers no digital communication: measure the control pilot, which should show "
    "1 kHz with 5 %.",
    Reason.NO_EVSE: "Check that the outlet's SLAC program runs, and the coupling of its modem to the control pilot.",
    Reason.NO_ATTENUATION: "The outlet's modem must measure: use a Green PHY modem configured as EVSE, not a network "
    "adapter.",
    Reason.AMBIGUOUS: "Cables lie side by side, or a neighbouring modem couples in: move or shield them, or let the "
    "vehicle validate by toggling.",
    Reason.NOT_VALIDATED: "Check that the vehicle's toggling of S2 reaches the control pilot of the outlet.",
    Reason.NO_EV: "The vehicle may want no digital communication; otherwise check the coupling of the modem to the "
    "control pilot.",
    Reason.NOT_CHOSEN: "If the vehicle is plugged in here, the attenuation to its own outlet is too high: check the "
    "coupling.",
    Reason.PEER_SILENT: "Frames are lost: look for noise on the line, or for a peer that stopped.",
    Reason.LINK_NOT_UP: "Check that the modem took the key (hlc modem INTERFACE info), and that both ends have the "
    "same NID and NMK.",
    Reason.LINK_LOST: "Look for noise on the line, or for a modem that restarted.",
    Reason.INTERFERENCE: "Neighbouring sessions are heard, the own one is not: check the coupling to the own control "
    "pilot.",
}
"""What to do next."""


class Kind(StrEnum):
    """What a remark is about."""

    STATE = "state"
    STEP = "step"
    TIMER = "timer"
    MODEM = "modem"
    CANDIDATE = "candidate"
    """At an EV: what an EVSE reported. At an EVSE: what a vehicle's sounds gave."""
    DECISION = "decision"
    BAD_FRAME = "bad frame"
    FOREIGN = "foreign"
    """Of another session or another modem: ignored."""
    UNEXPECTED = "unexpected"
    """Valid, but not now: ignored."""
    INVALID = "invalid"
    """A field that is not as the standard says; what was done about it is in the text."""
    REPEATED = "repeated"
    NO_GROUPS = "no groups"
    NID_NOT_DERIVED = "NID not derived"
    KEY = "key"
    AMP_MAP = "amplitude map"
    RETRY = "retry"


class Send(NamedTuple):
    """Send an Ethernet frame."""

    frame: bytes


class Toggle(NamedTuple):
    """EV: move the control pilot from B to C and back, so often, each state for so long; beginning at once."""

    times: int
    half_period_s: float


class Pilot(NamedTuple):
    """EVSE: what the control pilot should show from now on.

    `state` E or F, then `duty` means nothing; or None: the vehicle decides, and `duty` is in percent, 100 for no PWM.
    """

    state: ControlPilot | None
    duty: float


class Linked(NamedTuple):
    """D-LINK_READY, link established: the two hosts can talk IPv6."""

    peer: bytes
    """MAC address of the peer's host."""
    run_id: bytes
    nid: bytes
    nmk: bytes
    attenuation_db: float | None = None
    """Average over all groups of carriers."""


class Unlinked(NamedTuple):
    """D-LINK_READY, no link: lost, or left."""

    reason: str


class Failed(NamedTuple):
    """Matching is given up. `text` says what happened and what to do next."""

    reason: Reason
    text: str


class Remark(NamedTuple):
    """For the trace."""

    kind: Kind
    text: str
    data: Mapping[str, Any] = {}


Effect = Send | Toggle | Pilot | Linked | Unlinked | Failed | Remark


def failure(reason: Reason, what: str) -> Failed:
    """A `Failed` whose text says what happened and what to do next."""
    return Failed(reason, f"{what}. {ADVICE[reason]}")
