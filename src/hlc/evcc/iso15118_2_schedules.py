"""What the schedules of a station say in ISO 15118-2."""

from __future__ import annotations

from typing import Any

from exi.messages.iso15118_2 import CostKind, RelativeTimeInterval, SalesTariff, SAScheduleList
from hlc.decisions import schedules, value
from hlc.decisions.schedules import Schedule


def read(offered: SAScheduleList, *, tariffs: bool) -> list[Schedule]:
    """The schedules; their tariffs only where they can be trusted."""
    found = []
    for entry in offered.SAScheduleTuple:
        limits = [(_start(each), value(each.PMax)) for each in entry.PMaxSchedule.PMaxScheduleEntry]
        slots = schedules.from_starts(limits, _end(entry.PMaxSchedule.PMaxScheduleEntry[-1]))
        if tariffs and entry.SalesTariff is not None:
            slots = schedules.priced(slots, _prices(entry.SalesTariff))
        if schedules.length(slots) > 0:
            found.append(Schedule(entry.SAScheduleTupleID, slots))
    return found


def _prices(tariff: SalesTariff) -> list[tuple[float, float]]:
    """Seconds and price, where every entry has one."""
    entries = tariff.SalesTariffEntry
    prices = [_price(each) for each in entries]
    if None in prices:
        return []
    starts = [(_start(each), price or 0.0) for each, price in zip(entries, prices, strict=True)]
    return [(slot.seconds, slot.watts) for slot in schedules.from_starts(starts, _end(entries[-1]))]


def _price(entry: Any) -> float | None:
    """The price level of an entry, else what it costs in relation to the base price."""
    if entry.EPriceLevel is not None:
        return float(entry.EPriceLevel)
    for consumption in entry.ConsumptionCost:
        for cost in consumption.Cost:
            if cost.costKind is CostKind.relativePricePercentage:
                return float(cost.amount * 10.0 ** (cost.amountMultiplier or 0))
    return None


def _start(entry: Any) -> float:
    interval = entry.TimeInterval
    return float(interval.start) if isinstance(interval, RelativeTimeInterval) else 0.0


def _end(entry: Any) -> float:
    """Of the last entry; a day from now where it does not say how long it lasts."""
    duration = getattr(entry.TimeInterval, "duration", None)
    return schedules.DAY_S if duration is None else _start(entry) + duration
