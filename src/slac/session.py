"""One vehicle's run as an outlet sees it: how far it is, and what its sounds gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from slac.effects import Reason

Key = tuple[bytes, bytes]
"""MAC address of the vehicle, run id. Run ids alone are not unique: one maker's vehicles all have the same."""
Groups = tuple[int, ...]
"""Attenuation of each group of carriers, dB."""


class Step(StrEnum):
    """What is waited for."""

    START = "the announcement of sounds"
    SOUNDS = "sounds"
    RESPONSE = "CM_ATTEN_CHAR.RSP"
    REQUEST = "CM_VALIDATE.REQ or CM_SLAC_MATCH.REQ"
    TOGGLES = "toggles"
    VALIDATED = "CM_SLAC_MATCH.REQ after a validation"
    LINK = "the link"


WITH_RESULTS: Final = (Step.RESPONSE, Step.REQUEST, Step.TOGGLES, Step.VALIDATED)
"""From here a vehicle may ask for validation or for the key, be it that its CM_ATTEN_CHAR.RSP was lost."""

FAILURES: Final = {
    Step.START: (Reason.PEER_SILENT, "sent no CM_START_ATTEN_CHAR.IND"),
    Step.SOUNDS: (Reason.NO_ATTENUATION, "gave no attenuation"),
    Step.RESPONSE: (Reason.PEER_SILENT, "did not answer CM_ATTEN_CHAR.IND"),
    Step.REQUEST: (Reason.NOT_CHOSEN, "did not ask for the key"),
    Step.VALIDATED: (Reason.NOT_CHOSEN, "did not ask for the key after the validation"),
}
"""What it means when that does not come."""


class Session:
    """A run of a vehicle, from its CM_SLAC_PARM.REQ on."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.ev, self.run_id = key
        self.step = Step.START
        self.expected = 0
        """Sounds."""
        self.sounds = 0
        """Heard by the host."""
        self.empty: Counter[str] = Counter()
        """Profiles without groups, by the name of the message: the modem does not measure."""
        self.profiles: dict[str, list[Groups]] = {}
        """By the name of the message. Some modems send two for each sound: only one kind counts."""
        self.groups: Groups = ()
        """The average."""
        self.tries = 0
        self.toggles = 0
        self.validated: tuple[int, bytes] | None = None
        """The timer of CM_VALIDATE.REQ and the frame that answered it."""
        self.answer = b""
        """The frame to repeat: CM_ATTEN_CHAR.IND, then CM_SLAC_MATCH.CNF."""

    def __str__(self) -> str:
        return f"{self.ev.hex(':')} run {self.run_id.hex()}"

    @property
    def why(self) -> str:
        """What explains that there is no attenuation."""
        if self.step is not Step.SOUNDS:
            return ""
        if self.unmeasured:
            return f": the own modem measures nothing, {self.unmeasured} profiles have no groups"
        if self.sounds:
            return f": {self.sounds} sounds came, and no profile of the own modem"
        return ": no sounds came"

    def profile(self, name: str, groups: Sequence[int]) -> None:
        """The modem's report of one sound."""
        if groups:
            self.profiles.setdefault(name, []).append(tuple(groups))
        else:
            self.empty[name] += 1

    @property
    def unmeasured(self) -> int:
        """Sounds of which the modem reported nothing."""
        return max(self.empty.values(), default=0)

    @property
    def best(self) -> list[Groups]:
        """The kind of profile of which there are most."""
        return max(self.profiles.values(), key=len, default=[])

    @property
    def complete(self) -> bool:
        return len(self.best) >= self.expected

    @property
    def decibels(self) -> float | None:
        """Average of all groups."""
        return sum(self.groups) / len(self.groups) if self.groups else None


def average(profiles: Iterable[Groups], offset_db: int = 0) -> Groups:
    """Of each group over all profiles, rounded half up. Profiles with another number of groups than most do not count.

    A vehicle was seen to hang when all are 0: the least is 1.
    """
    sizes = Counter(len(each) for each in profiles)
    if not sizes:
        return ()
    size = sizes.most_common(1)[0][0]
    alike = [each for each in profiles if len(each) == size]
    sums = (sum(group) for group in zip(*alike, strict=True))
    return tuple(max(1, min(255, (2 * each + len(alike)) // (2 * len(alike)) + offset_db)) for each in sums)
