"""Schedules, profiles, and the choice among them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlc.decisions import schedules
from hlc.decisions.schedules import Schedule, Slot

HOUR_S = 3600.0
slot_lists = st.lists(
    st.builds(
        Slot,
        seconds=st.integers(60, 40_000).map(float),
        watts=st.integers(0, 22_000).map(float),
        price=st.one_of(st.none(), st.integers(0, 5).map(float)),
    ),
    min_size=1,
    max_size=8,
)


def energy(slots: tuple[Slot, ...]) -> float:
    return sum(slot.seconds * slot.watts for slot in slots) / HOUR_S


def night(*prices: float, watts: float = 10_000.0) -> Schedule:
    """A slot of an hour for each price."""
    return Schedule(1, tuple(Slot(HOUR_S, watts, price) for price in prices))


def test_starts_and_back() -> None:
    slots = (Slot(60.0, 5.0), Slot(30.0, 6.0), Slot(10.0, 7.0))
    assert schedules.starts(slots) == [0.0, 60.0, 90.0]
    entries = list(zip(schedules.starts(slots), [5.0, 6.0, 7.0], strict=True))
    assert schedules.from_starts(entries, 100.0) == slots


def test_entries_out_of_order_do_not_make_time_run_back() -> None:
    assert schedules.from_starts([(0, 1), (50, 2), (20, 3)], 60) == (Slot(20, 1), Slot(40, 3))
    assert schedules.from_starts([(0, 1), (50, 2)], 10) == (Slot(50, 1), Slot(0, 2))
    assert schedules.from_starts([(30, 1), (50, 2)], 60) == (Slot(50, 1), Slot(10, 2))
    assert schedules.from_starts([], 10) == ()


@pytest.mark.parametrize(("moment", "watts"), [(-1.0, 1), (0.0, 1), (59.9, 1), (60.0, 2), (89.0, 2), (1e9, 2)])
def test_what_holds_when(moment: float, watts: float) -> None:
    assert schedules.at((Slot(60.0, 1.0), Slot(30.0, 2.0)), moment).watts == watts


def test_what_is_left() -> None:
    slots = (Slot(60.0, 1.0), Slot(30.0, 2.0))
    assert schedules.after(slots, 0.0) == slots
    assert schedules.after(slots, 20.0) == (Slot(40.0, 1.0), Slot(30.0, 2.0))
    assert schedules.after(slots, 60.0) == (Slot(30.0, 2.0),)
    assert schedules.after(slots, 500.0) == (Slot(1.0, 2.0),)


@given(slot_lists, st.integers(1, 200_000))
def test_a_schedule_lasts_as_long_as_it_is_made_to(slots: list[Slot], seconds: int) -> None:
    assert schedules.length(schedules.lasting(slots, float(seconds))) == pytest.approx(seconds)


def test_prices_have_a_time_of_their_own() -> None:
    slots = (Slot(60.0, 1.0), Slot(60.0, 2.0))
    assert schedules.priced(slots, [(90.0, 7.0), (10.0, 3.0)]) == (
        Slot(60.0, 1.0, 7.0),
        Slot(30.0, 2.0, 7.0),
        Slot(30.0, 2.0, 3.0),
    )
    assert schedules.priced(slots, []) == slots


@given(slot_lists, st.integers(1, 8))
def test_a_coarser_profile_is_nowhere_above_the_finer(slots: list[Slot], entries: int) -> None:
    coarse = schedules.coarsened(slots, entries)
    assert len(coarse) <= entries
    assert schedules.length(coarse) == pytest.approx(schedules.length(slots))
    assert schedules.misfit(coarse, Schedule(1, tuple(slots))) is None


def test_what_is_joined_loses_least() -> None:
    slots = (Slot(10.0, 100.0), Slot(10.0, 90.0), Slot(10.0, 5.0))
    assert schedules.coarsened(slots, 2) == (Slot(20.0, 90.0), Slot(10.0, 5.0))


# The station


def test_without_settings_all_the_power_is_offered_for_a_day() -> None:
    assert schedules.offered((), watts=50_000.0, departure_s=None) == [Schedule(1, (Slot(86_400.0, 50_000.0),))]


def test_an_offer_lasts_until_the_departure() -> None:
    [offer] = schedules.offered((), watts=50_000.0, departure_s=7200.0)
    assert offer.slots == (Slot(7200.0, 50_000.0),)


def test_the_operators_schedules_are_offered_from_now_on_and_within_the_outlets_power() -> None:
    setting = (Slot(3600.0, 5000.0, 2.0), Slot(3600.0, 99_000.0, 1.0))
    one, two = schedules.offered((setting, setting[:1]), watts=22_000.0, departure_s=10_000.0, elapsed_s=600.0)
    assert one == Schedule(1, (Slot(3000.0, 5000.0, 2.0), Slot(7000.0, 22_000.0, 1.0)))
    assert two == Schedule(2, (Slot(10_000.0, 5000.0, 2.0),))


def test_an_offer_has_no_more_entries_than_the_vehicle_can_hold() -> None:
    setting = tuple(Slot(600.0, 1000.0 * number) for number in range(1, 9))
    [offer] = schedules.offered((setting,), watts=22_000.0, departure_s=None, entries=3)
    assert len(offer.slots) == 3


@pytest.mark.parametrize(
    ("profile", "fits"),
    [
        ((Slot(HOUR_S, 10_000.0),), True),
        ((Slot(HOUR_S, 10_005.0),), True),
        ((Slot(HOUR_S, 10_020.0),), False),
        ((Slot(2 * HOUR_S, 10_000.0),), False),
        ((Slot(HOUR_S, 10_000.0), Slot(HOUR_S, 5000.0)), True),
        ((Slot(HOUR_S + 1, 10_000.0), Slot(HOUR_S, 5000.0)), False),
        ((Slot(HOUR_S, 0.0), Slot(10 * HOUR_S, 5000.0)), True),
        ((Slot(2 * HOUR_S + 1, 0.0), Slot(HOUR_S, 0.0)), False),
    ],
)
def test_a_profile_stays_within_its_schedule(profile: tuple[Slot, ...], fits: bool) -> None:
    schedule = Schedule(1, (Slot(HOUR_S, 10_000.0), Slot(HOUR_S, 5000.0)))
    assert (schedules.misfit(profile, schedule) is None) is fits


# The vehicle


def test_without_a_departure_it_charges_at_once() -> None:
    plan = schedules.planned(night(3, 1, 2), watts=7000.0, energy_wh=5000.0)
    assert [slot.watts for slot in plan.profile] == [7000.0] * 3
    assert plan.finished_s == pytest.approx(5 / 7 * HOUR_S)
    assert plan.cost == pytest.approx(15_000.0)


def test_with_a_departure_it_waits_for_the_cheap_hours() -> None:
    plan = schedules.planned(night(3, 1, 2), watts=10_000.0, energy_wh=15_000.0, departure_s=3 * HOUR_S)
    assert [slot.watts for slot in plan.profile] == [0.0, 10_000.0, 10_000.0]
    assert plan.cost == pytest.approx(10_000 * 1 + 5000 * 2)
    assert plan.missing_wh == 0.0


def test_it_does_not_wait_for_hours_after_the_departure() -> None:
    plan = schedules.planned(night(3, 1, 1), watts=10_000.0, energy_wh=15_000.0, departure_s=1.5 * HOUR_S)
    assert plan.missing_wh == 0.0
    assert [slot.watts for slot in plan.profile][:2] == [10_000.0, 10_000.0]
    late = schedules.planned(night(1, 2), watts=10_000.0, energy_wh=15_000.0, departure_s=HOUR_S)
    assert late.missing_wh == pytest.approx(5000.0)
    assert late.profile[-1].watts == 10_000.0


def test_power_too_small_to_charge_with_is_none() -> None:
    schedule = Schedule(1, (Slot(HOUR_S, 1000.0), Slot(HOUR_S, 5000.0)))
    plan = schedules.planned(schedule, watts=11_000.0, energy_wh=1000.0, least_watts=1400.0)
    assert [slot.watts for slot in plan.profile] == [0.0, 5000.0]
    assert plan.finished_s > HOUR_S


@given(slot_lists, st.integers(1, 60_000), st.one_of(st.none(), st.integers(1, 200_000)))
def test_a_plan_is_within_its_schedule_and_the_vehicles_power(
    slots: list[Slot], energy_wh: int, departure_s: int | None
) -> None:
    schedule = Schedule(1, tuple(slots))
    plan = schedules.planned(
        schedule, watts=11_000.0, energy_wh=float(energy_wh), departure_s=departure_s, least_watts=1380.0
    )
    assert schedules.misfit(plan.profile, schedule) is None
    assert max(slot.watts for slot in plan.profile) <= 11_000.0
    assert 0.0 <= plan.missing_wh <= energy_wh
    until = schedules.length(slots) if departure_s is None else min(departure_s, schedules.length(slots))
    assert energy(schedules.lasting(plan.profile, until)) >= (energy_wh - plan.missing_wh) * 0.999


def test_the_cheapest_is_chosen_that_delivers_in_time() -> None:
    cheap = Schedule(1, (Slot(10 * HOUR_S, 1000.0, 1.0),))
    middle = Schedule(2, (Slot(10 * HOUR_S, 5000.0, 2.0),))
    dear = Schedule(3, (Slot(10 * HOUR_S, 11_000.0, 3.0),))
    everything = (dear, middle, cheap)

    def choice(energy_wh: float, departure_s: float | None) -> int:
        return schedules.chosen(everything, watts=11_000.0, energy_wh=energy_wh, departure_s=departure_s).schedule.id

    assert choice(5000.0, 9 * HOUR_S) == 1
    assert choice(20_000.0, 9 * HOUR_S) == 2
    assert choice(20_000.0, 2 * HOUR_S) == 3
    assert choice(60_000.0, 2 * HOUR_S) == 3


def test_without_prices_the_fastest_is_chosen_and_among_equals_the_first() -> None:
    slow, fast = Schedule(7, (Slot(HOUR_S, 5000.0),)), Schedule(9, (Slot(HOUR_S, 9000.0, 1.0),))
    assert schedules.chosen((slow, fast), watts=11_000.0, energy_wh=1000.0).schedule is fast
    assert schedules.chosen((slow, slow._replace(id=8)), watts=11_000.0, energy_wh=1000.0).schedule is slow


@given(slot_lists, slot_lists)
def test_the_lowest_of_two_is_above_neither(one: list[Slot], other: list[Slot]) -> None:
    found = schedules.lowest(one, other)
    assert schedules.length(found) == pytest.approx(max(schedules.length(one), schedules.length(other)))
    for slots in (one, other):
        assert schedules.misfit(found, Schedule(1, tuple(schedules.lasting(slots, schedules.length(found))))) is None
    for start in schedules.starts(found):
        assert schedules.at(found, start).watts == min(schedules.at(slots, start).watts for slots in (one, other))
