"""Schedules of power in the words of ISO 15118-20, and what a vehicle makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from exi.messages.iso15118_20.common import (
    AbsolutePriceSchedule,
    ChargingSchedule,
    EVPowerProfile,
    PowerSchedule,
    PowerScheduleEntry,
    PowerScheduleEntryList,
    PriceLevelSchedule,
    PriceLevelScheduleEntry,
    PriceLevelScheduleEntryList,
    PriceRule,
    PriceRuleStack,
    PriceRuleStackList,
    ScheduleTuple,
)
from hlc.decisions import schedules
from hlc.decisions.schedules import Schedule, Slot
from hlc.rules.iso15118_20.services import Pricing
from hlc.rules.iso15118_20.values import maybe, number, rational
from hlc.secc.iso15118_20.settings import Settings20

POWER_ALGORITHM: Final = "urn:iso:std:iso:15118:-20:PriceAlgorithm:1-Power"
HIGHEST_LEVEL: Final = 255
NOTHING: Final = (Slot(0.0, 0.0),)
CLOCKS_APART_S: Final = 3600.0
"""A profile whose TimeAnchor is further from ours is from a vehicle without our time: it begins with the schedule."""


class Offer(NamedTuple):
    """Schedules on offer, from the moment `since` on."""

    charging: tuple[Schedule, ...]
    discharging: tuple[Slot, ...]
    """Of all of them; empty: energy does not flow back."""
    since: float
    """On the machine's clock."""
    anchor: int
    """The same in seconds since 1970."""

    def limit(self, schedule: Schedule, now: float) -> float:
        """What may flow to the vehicle at this time, W."""
        return schedules.at(schedule.slots, now - self.since).watts

    def limit_back(self, now: float) -> float:
        """What may flow from it, W."""
        return schedules.at(self.discharging, now - self.since).watts if self.discharging else 0.0


def tuples(offer: Offer, pricing: Pricing, settings: Settings20) -> list[ScheduleTuple]:
    """The schedules as they are sent."""
    found = []
    for schedule in offer.charging:
        levels = sorted({slot.price or 0.0 for slot in (*schedule.slots, *offer.discharging)})
        found.append(
            ScheduleTuple(
                ScheduleTupleID=schedule.id,
                ChargingSchedule=_schedule(schedule.slots, offer.anchor, schedule.id, levels, pricing, settings),
                DischargingSchedule=_schedule(offer.discharging, offer.anchor, schedule.id, levels, pricing, settings)
                if offer.discharging
                else None,
            )
        )
    return found


def _schedule(
    slots: Sequence[Slot], anchor: int, number: int, levels: Sequence[float], pricing: Pricing, settings: Settings20
) -> ChargingSchedule:
    tolerance = settings.power_tolerance_watts
    entries = [PowerScheduleEntry(Duration=round(slot.seconds), Power=rational(slot.watts)) for slot in slots]
    return ChargingSchedule(
        PowerSchedule=PowerSchedule(
            TimeAnchor=anchor,
            PowerTolerance=None if tolerance is None else rational(tolerance),
            PowerScheduleEntries=PowerScheduleEntryList(PowerScheduleEntry=entries),
        ),
        # The text wants prices in each; where none are agreed, levels say the least, and old peers want them.
        # [V2G20-2176]
        **prices(slots, anchor, number, levels, Pricing.LEVELS if pricing is Pricing.NONE else pricing, settings),
    )


def prices(
    slots: Sequence[Slot], anchor: int, number: int, levels: Sequence[float], pricing: Pricing, settings: Settings20
) -> dict[str, Any]:
    """The price schedule of these slots, as the field of the message that takes it. `levels` are the prices that there
    are, the cheapest first."""
    if pricing is Pricing.NONE or not slots:
        return {}
    if pricing is Pricing.LEVELS:
        entries = [
            PriceLevelScheduleEntry(
                Duration=round(slot.seconds), PriceLevel=min(HIGHEST_LEVEL, levels.index(slot.price or 0.0))
            )
            for slot in slots
        ]
        schedule = PriceLevelSchedule(
            TimeAnchor=anchor,
            PriceScheduleID=number,
            NumberOfPriceLevels=min(HIGHEST_LEVEL, len(levels)),
            PriceLevelScheduleEntries=PriceLevelScheduleEntryList(PriceLevelScheduleEntry=entries),
        )
        return {"PriceLevelSchedule": schedule}
    stacks = [
        PriceRuleStack(
            Duration=round(slot.seconds),
            PriceRule=[PriceRule(EnergyFee=rational(slot.price or 0.0), PowerRangeStart=rational(0.0))],
        )
        for slot in slots
    ]
    return {
        "AbsolutePriceSchedule": AbsolutePriceSchedule(
            TimeAnchor=anchor,
            PriceScheduleID=number,
            Currency=settings.Currency,
            Language="en",
            PriceAlgorithm=POWER_ALGORITHM,
            PriceRuleStacks=PriceRuleStackList(PriceRuleStack=stacks),
        )
    }


def profile(message: EVPowerProfile, offer: Offer) -> tuple[Slot, ...]:
    """A vehicle's profile from the beginning of the offer on; negative: back."""
    slots = tuple(
        Slot(float(entry.Duration), number(entry.Power) + maybe(entry.Power_L2, 0.0) + maybe(entry.Power_L3, 0.0))
        for entry in message.EVPowerProfileEntries.EVPowerProfileEntry
    )
    late = message.TimeAnchor - offer.anchor
    if 0 < late < CLOCKS_APART_S:
        return (Slot(float(late), 0.0), *slots)
    if -CLOCKS_APART_S < late < 0:
        return schedules.after(slots, float(-late))
    return slots


def misfit(slots: Sequence[Slot], schedule: Schedule, offer: Offer) -> str | None:
    """Where a profile leaves its schedule, to the vehicle or from it; None: nowhere."""
    to = [slot._replace(watts=max(0.0, slot.watts)) for slot in slots]
    back = [slot._replace(watts=max(0.0, -slot.watts)) for slot in slots]
    limit = schedule._replace(slots=schedules.lasting(offer.discharging or NOTHING, schedules.length(schedule.slots)))
    if found := schedules.misfit(to, schedule):
        return found
    found = schedules.misfit(back, limit)
    return None if found is None else f"back: {found}"
