"""Which outlet, by attenuation alone; and how an outlet averages what its modem measured."""

from __future__ import annotations

import pytest

from slac.choice import Candidate, Choice, Limits, choose
from slac.effects import Reason
from slac.session import Session, average


def heard(*decibels: float | None) -> list[Candidate]:
    """None: an outlet that measures nothing."""
    return [
        Candidate(bytes([2, 0, 0, 0, 0, number]), groups=() if db is None else (round(db),) * 58)
        for number, db in enumerate(decibels)
    ]


def choice(*decibels: float | None, validation: bool = False) -> Choice:
    return choose(heard(*decibels), Limits(), validation=validation)


@pytest.mark.parametrize(
    ("decibels", "found", "certain"),
    [
        ((12,), 0, True),
        ((45, 12, 30), 1, True),
        ((36,), 0, False),
        ((26, 31), 0, False),  # so in a recorded run with two outlets
        ((None, 19), 1, True),
    ],
)
def test_the_nearest(decibels: tuple[float, ...], found: int, certain: bool) -> None:
    chosen = choice(*decibels)
    assert chosen.found is not None
    assert chosen.found.mac[5] == found
    assert chosen.certain is certain
    assert chosen.reason is None


@pytest.mark.parametrize(
    ("decibels", "reason"),
    [
        ((41, 60), Reason.NO_EVSE),
        ((), Reason.NO_ATTENUATION),
        ((None, None), Reason.NO_ATTENUATION),
        ((12, 14), Reason.AMBIGUOUS),
        ((33, 36, 60), Reason.AMBIGUOUS),
        ((33, None), Reason.NO_ATTENUATION),
    ],
)
def test_none(decibels: tuple[float, ...], reason: Reason) -> None:
    assert choice(*decibels).reason is reason
    assert choice(*decibels).found is None


def test_validation_where_it_is_not_clear() -> None:
    unclear = choice(30, 17, 16, 41, None, validation=True)
    assert unclear.found is unclear.reason is None
    assert [each.average for each in unclear.possible] == [16, 17, 30]
    assert choice(12, 30, validation=True).certain
    assert choice(45, validation=True).reason is Reason.NO_EVSE


@pytest.mark.parametrize(
    ("profiles", "offset", "expected"),
    [
        ([], 0, ()),
        ([(10, 20)], 0, (10, 20)),
        ([(10, 20), (11, 20)], 0, (11, 20)),
        ([(10,), (10,), (11,)], 0, (10,)),
        ([(10, 20), (30, 40), (7,)], 0, (20, 30)),
        ([(0, 0)], 0, (1, 1)),
        ([(10, 250)], -12, (1, 238)),
        ([(10, 250)], 12, (22, 255)),
    ],
)
def test_average(profiles: list[tuple[int, ...]], offset: int, expected: tuple[int, ...]) -> None:
    assert average(profiles, offset) == expected


def test_each_sound_counts_once() -> None:
    session = Session((bytes(6), bytes(8)))
    session.expected = 2
    for name in ("CM_ATTEN_PROFILE.IND", "VS_ATTENUATION_CHARACTERISTICS.IND"):
        session.profile(name, [10, 20])
        assert not session.complete
    session.profile("VS_ATTENUATION_CHARACTERISTICS.IND", [12, 20])
    assert session.complete
    assert average(session.best) == (11, 20)
