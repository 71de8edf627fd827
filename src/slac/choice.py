"""Which of the outlets that a vehicle heard is the one it is plugged into, as far as attenuation tells.

Lower attenuation is nearer. On the same cable 8 to 37 dB have been measured, at a neighbour's outlet 30 to 50.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from slac.effects import Reason


class Limits(NamedTuple):
    """Averages over all groups of carriers, in dB."""

    direct_db: float = 20.0
    """C_EV_match_signalattn_direct: nearer than this is the own outlet."""
    indirect_db: float = 40.0
    """C_EV_match_signalattn_indirect: farther than this is not."""
    similar_db: float = 5.0
    """Outlets that differ by less cannot be told apart."""


class Candidate(msgspec.Struct):
    """An outlet that was heard."""

    mac: bytes
    answered: bool = False
    """By CM_SLAC_PARM.CNF."""
    sounds: int = 0
    groups: tuple[int, ...] | None = None
    """Attenuation of each group of carriers, dB. Empty: it measures nothing. None: it did not report."""
    verdict: str = ""
    """What became of it."""

    @property
    def average(self) -> float:
        """dB; infinite where nothing was measured."""
        return sum(self.groups) / len(self.groups) if self.groups else float("inf")

    def __str__(self) -> str:
        return f"{self.mac.hex(':')} at {self.average:.1f} dB" if self.groups else self.mac.hex(":")


class Choice(NamedTuple):
    """One of `found`, `reason`, or, with neither, all of `possible`."""

    found: Candidate | None
    reason: Reason | None
    why: str
    possible: list[Candidate]
    """Near enough, the nearest first."""

    @property
    def certain(self) -> bool:
        """Whether more answers would change nothing that is likely."""
        return self.found is not None and self.why == DIRECT


DIRECT = "near, and no other is similar"


def choose(candidates: Iterable[Candidate], limits: Limits, *, validation: bool) -> Choice:
    """Which one? `validation`: whether the vehicle can ask those that are possible who sees it toggle."""
    heard = list(candidates)
    ranking = sorted((each for each in heard if each.groups), key=lambda each: (each.average, each.mac))
    named = ", ".join(str(each) for each in ranking or heard)
    possible = [each for each in ranking if each.average <= limits.indirect_db]
    if not ranking:
        return Choice(None, Reason.NO_ATTENUATION, f"no attenuation was reported by {named}", [])
    if not possible:
        return Choice(None, Reason.NO_EVSE, f"all are farther than {limits.indirect_db:g} dB: {named}", [])
    best = ranking[0]
    unmeasured = ", ".join(str(each) for each in heard if not each.groups)
    similar = len(ranking) > 1 and ranking[1].average < best.average + limits.similar_db
    if best.average <= limits.direct_db and not similar:
        return Choice(best, None, DIRECT, possible)
    if validation:
        return Choice(None, None, "validation will tell", possible)
    if similar:
        return Choice(None, Reason.AMBIGUOUS, f"heard were {named}", possible)
    if unmeasured:
        why = f"{unmeasured} reported no attenuation and may be as near as {best}"
        return Choice(None, Reason.NO_ATTENUATION, why, possible)
    return Choice(best, None, "the only one" if len(ranking) == 1 else "clearly nearer than the others", possible)
