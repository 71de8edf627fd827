"""What a vehicle makes of the schedules that it is offered in ISO 15118-20."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

from exi.messages.iso15118_20.common import (
    ChargingSchedule,
    Dynamic_EVPPTControlMode,
    EVPowerProfile,
    EVPowerProfileEntryList,
    PowerScheduleEntry,
    PowerToleranceAcceptance,
    Scheduled_EVPPTControlMode,
    ScheduleExchangeRes,
    ScheduleTuple,
)
from hlc.decisions import schedules
from hlc.decisions.schedules import Schedule, Slot
from hlc.rules.iso15118_20.values import maybe, number, rational

CLOCKS_APART_S: Final = 86400.0
"""A schedule whose TimeAnchor is further from the message's TimeStamp is from a station that gives none: it begins
now."""
LONGEST_S: Final = 2**32 - 1
MOST_ENTRIES: Final = 2048


class Plan(NamedTuple):
    """The schedule that the vehicle follows, and what it takes of it; negative: gives back."""

    id: int
    profile: tuple[Slot, ...]
    since: float
    """When it begins, on the machine's clock."""
    anchor: int
    """The same on the station's, in seconds since 1970."""
    tolerance: bool
    """Whether the station wants to know that the vehicle stays near its profile."""

    def watts(self, now: float) -> float:
        """What is planned for this time."""
        return schedules.at(self.profile, now - self.since).watts

    def next_s(self, now: float) -> float:
        """How long that holds."""
        passed = now - self.since
        ends = accumulate(slot.seconds for slot in self.profile)
        return next((end - passed for end in ends if end > passed), float("inf"))

    def message(self) -> EVPowerProfile:
        """The profile as it is sent."""
        accepted = PowerToleranceAcceptance.PowerToleranceConfirmed if self.tolerance else None
        return EVPowerProfile(
            TimeAnchor=self.anchor,
            Scheduled_EVPPTControlMode=Scheduled_EVPPTControlMode(
                SelectedScheduleTupleID=self.id, PowerToleranceAcceptance=accepted
            ),
            EVPowerProfileEntries=EVPowerProfileEntryList(
                EVPowerProfileEntry=[
                    PowerScheduleEntry(Duration=min(LONGEST_S, round(slot.seconds)), Power=rational(slot.watts))
                    for slot in self.profile[:MOST_ENTRIES]
                ]
            ),
        )


def anything(anchor: int, seconds: float, watts: float) -> EVPowerProfile:
    """The profile of a vehicle that leaves the power to the station."""
    return EVPowerProfile(
        TimeAnchor=anchor,
        Dynamic_EVPPTControlMode=Dynamic_EVPPTControlMode(),
        EVPowerProfileEntries=EVPowerProfileEntryList(
            EVPowerProfileEntry=[PowerScheduleEntry(Duration=max(1, round(seconds)), Power=rational(watts))]
        ),
    )


def choose(
    response: ScheduleExchangeRes,
    now: float,
    *,
    watts: float,
    back_watts: float,
    energy_wh: float,
    departure_s: float | None,
) -> Plan | None:
    """The best of the schedules of an answer; None: it has none. `back_watts` is what the vehicle can give back."""
    mode = response.Scheduled_SEResControlMode
    if mode is None:
        return None
    offered = {entry.ScheduleTupleID: entry for entry in mode.ScheduleTuple}
    at = response.Header.TimeStamp
    charging = [Schedule(key, slots(each.ChargingSchedule, at, watts)) for key, each in offered.items()]
    best = schedules.chosen(charging, watts=watts, energy_wh=energy_wh, departure_s=departure_s)
    chosen = offered[best.schedule.id]
    profile = best.profile
    if chosen.DischargingSchedule is not None and back_watts > 0:
        profile = with_returns(
            profile, best.schedule.slots, slots(chosen.DischargingSchedule, at, back_watts), back_watts
        )
    return Plan(best.schedule.id, profile, now, at, tolerance=_tolerance(chosen))


def with_returns(
    profile: Sequence[Slot], charging: Sequence[Slot], discharging: Sequence[Slot], watts: float
) -> tuple[Slot, ...]:
    """A profile with energy given back where the station wants it: where it pays more for it than it asks, or lets
    none be taken."""
    bounds = sorted({0.0, *(start for part in (profile, charging, discharging) for start in schedules.starts(part))})
    end = schedules.length(profile)
    found = []
    for start, stop in zip(bounds, [*bounds[1:], max(end, bounds[-1] + 1.0)], strict=True):
        take, give = schedules.at(charging, start), schedules.at(discharging, start)
        pays = take.price is not None and give.price is not None and give.price > take.price
        planned = schedules.at(profile, start).watts
        if give.watts > 0 and (pays or take.watts <= 0):
            planned = -min(give.watts, watts)
        found.append(Slot(stop - start, planned))
    return tuple(found)


def slots(schedule: ChargingSchedule, at: int, watts: float) -> tuple[Slot, ...]:
    """A schedule from now on, with prices: of a kWh at this power, or levels. The power of a discharging schedule may
    be negative or not: stations disagree."""
    power = schedule.PowerSchedule
    found = tuple(Slot(float(entry.Duration), _power(entry)) for entry in power.PowerScheduleEntries.PowerScheduleEntry)
    found = schedules.priced(found, _prices(schedule, watts))
    passed = at - power.TimeAnchor
    if 0 < passed < CLOCKS_APART_S:
        return schedules.after(found, float(passed))
    if -CLOCKS_APART_S < passed < 0:
        return (Slot(float(-passed), 0.0, found[0].price), *found)
    return found


def _power(entry: Any) -> float:
    return abs(number(entry.Power) + maybe(entry.Power_L2, 0.0) + maybe(entry.Power_L3, 0.0))


def _prices(schedule: ChargingSchedule, watts: float) -> list[tuple[float, float]]:
    if (levels := schedule.PriceLevelSchedule) is not None:
        entries = levels.PriceLevelScheduleEntries.PriceLevelScheduleEntry
        return [(float(entry.Duration), float(entry.PriceLevel)) for entry in entries]
    if (absolute := schedule.AbsolutePriceSchedule) is not None:
        found = []
        for stack in absolute.PriceRuleStacks.PriceRuleStack:
            rules = [rule for rule in stack.PriceRule if number(rule.PowerRangeStart) <= watts] or stack.PriceRule
            found.append((float(stack.Duration), number(rules[-1].EnergyFee)))
        return found
    return []


def _tolerance(chosen: ScheduleTuple) -> bool:
    return chosen.ChargingSchedule.PowerSchedule.PowerTolerance is not None
