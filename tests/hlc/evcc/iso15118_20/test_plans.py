"""What a vehicle makes of the schedules of ISO 15118-20."""

from __future__ import annotations

from typing import Any

import pytest

from exi.messages.iso15118_20 import common
from exi.messages.iso15118_20.types import MessageHeader, Processing, ResponseCode
from hlc.decisions.schedules import Slot
from hlc.evcc.iso15118_20.plans import choose, with_returns
from hlc.rules.iso15118_20.values import rational

NOW = 50.0
STATION = 1_700_000_000
"""The station's time."""


def schedule(*slots: Slot, anchor: int = STATION, tolerance: float | None = None) -> common.ChargingSchedule:
    entries = [common.PowerScheduleEntry(Duration=int(each.seconds), Power=rational(each.watts)) for each in slots]
    rules = [
        common.PriceRuleStack(
            Duration=int(each.seconds),
            PriceRule=[
                common.PriceRule(EnergyFee=rational(each.price or 0.0), PowerRangeStart=rational(0.0)),
                common.PriceRule(EnergyFee=rational(9.0), PowerRangeStart=rational(50_000.0)),
            ],
        )
        for each in slots
    ]
    return common.ChargingSchedule(
        PowerSchedule=common.PowerSchedule(
            TimeAnchor=anchor,
            PowerTolerance=None if tolerance is None else rational(tolerance),
            PowerScheduleEntries=common.PowerScheduleEntryList(PowerScheduleEntry=entries),
        ),
        AbsolutePriceSchedule=common.AbsolutePriceSchedule(
            TimeAnchor=anchor,
            PriceScheduleID=1,
            Currency="EUR",
            Language="en",
            PriceAlgorithm="urn:iso:std:iso:15118:-20:PriceAlgorithm:1-Power",
            PriceRuleStacks=common.PriceRuleStackList(PriceRuleStack=rules),
        ),
    )


def answer(*tuples: common.ScheduleTuple) -> common.ScheduleExchangeRes:
    return common.ScheduleExchangeRes(
        Header=MessageHeader(SessionID=bytes(8), TimeStamp=STATION),
        ResponseCode=ResponseCode.OK,
        EVSEProcessing=Processing.Finished,
        Scheduled_SEResControlMode=common.Scheduled_SEResControlMode(ScheduleTuple=list(tuples)),
    )


def one(number: int, *slots: Slot, **others: Any) -> common.ScheduleTuple:
    back = others.pop("back", None)
    return common.ScheduleTuple(
        ScheduleTupleID=number, ChargingSchedule=schedule(*slots, **others), DischargingSchedule=back
    )


def plan(*tuples: common.ScheduleTuple, **others: Any) -> Any:
    wanted = {"watts": 10_000.0, "back_watts": 5000.0, "energy_wh": 5000.0, "departure_s": None, **others}
    return choose(answer(*tuples), NOW, **wanted)


def test_the_cheaper_one_in_time() -> None:
    found = plan(one(7, Slot(3600, 10_000, 0.4)), one(9, Slot(3600, 8000, 0.2)), departure_s=3600)
    assert found.id == 9
    assert found.watts(NOW) == 8000.0
    sent = found.message()
    assert sent.Scheduled_EVPPTControlMode.SelectedScheduleTupleID == 9
    assert sent.TimeAnchor == STATION
    assert sent.Scheduled_EVPPTControlMode.PowerToleranceAcceptance is None


def test_a_price_from_a_power_on_does_not_bind_who_takes_less() -> None:
    found = plan(one(1, Slot(3600, 60_000, 0.4)), one(2, Slot(3600, 60_000, 0.5)), departure_s=3600)
    assert found.id == 1


@pytest.mark.parametrize(
    ("anchor", "watts"),
    [(STATION, 1000.0), (STATION - 100, 2000.0), (STATION + 100, 0.0), (0, 1000.0)],
    ids=["now", "begun", "to come", "no time at all"],
)
def test_when_a_schedule_begins(anchor: int, watts: float) -> None:
    found = plan(one(1, Slot(60, 1000.0), Slot(3600, 2000.0), anchor=anchor))
    assert found.watts(NOW) == watts


def test_a_tolerance_is_accepted() -> None:
    sent = plan(one(1, Slot(60, 1000.0), tolerance=100.0)).message()
    assert sent.Scheduled_EVPPTControlMode.PowerToleranceAcceptance == "PowerToleranceConfirmed"


@pytest.mark.parametrize("sign", [1, -1])
def test_energy_goes_back_where_it_pays(sign: int) -> None:
    back = schedule(Slot(60, sign * 3000.0, 0.9), Slot(3540, sign * 3000.0, 0.1))
    found = plan(one(1, Slot(3600, 10_000.0, 0.3), back=back))
    assert found.watts(NOW) == -3000.0
    assert found.watts(NOW + 61) == 10_000.0


def test_nothing_goes_back_from_who_cannot() -> None:
    back = schedule(Slot(3600, 3000.0, 0.9))
    assert plan(one(1, Slot(3600, 10_000.0, 0.3), back=back), back_watts=0.0).watts(NOW) == 10_000.0


def test_what_the_vehicle_can_is_the_limit() -> None:
    found = with_returns((Slot(10, 0.0),), (Slot(10, 0.0),), (Slot(10, 9000.0),), 4000.0)
    assert found == (Slot(10, -4000.0),)


def test_no_schedule() -> None:
    response = answer(one(1, Slot(60, 1.0)))
    response.Scheduled_SEResControlMode = None
    wanted = {"watts": 1.0, "back_watts": 0.0, "energy_wh": 1.0, "departure_s": None}
    assert choose(response, NOW, **wanted) is None  # type: ignore[arg-type]


def test_many_entries_are_no_burden() -> None:
    slots = [Slot(1, float(number % 7) * 1000, float(number % 5)) for number in range(1024)]
    found = plan(one(1, *slots), departure_s=900)
    assert len(found.message().EVPowerProfileEntries.EVPowerProfileEntry) <= 2048
