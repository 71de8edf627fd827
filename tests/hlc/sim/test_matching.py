"""The soak of matchings: a sample of it holds, a site can be played again, and what is wrong is found."""

from __future__ import annotations

from random import Random

import pytest

from hlc.sim import matching
from hlc.sim.matching import main, play, soak
from hlc.sim.site import Happened, Site
from hlc.sim.troubles import STRIKE, Trouble
from slac.effects import Kind, Linked, Remark, State, Toggle


def test_a_sample_is_as_it_should_be(thorough: bool) -> None:
    outcomes = soak(2000 if thorough else 40, 1)
    assert [outcome.problems for outcome in outcomes if outcome.problems] == []
    assert any(outcome.matched for outcome in outcomes)


@pytest.mark.parametrize("seed", [1499, 100576])
def test_sites_that_once_were_not(seed: int) -> None:
    """A neighbour's toggles, counted for us; an answer that came twice."""
    outcome = play(seed)
    assert outcome.problems == ()
    if seed == 100576:
        assert outcome.matched == outcome.vehicles


def test_a_number_stands_for_one_site() -> None:
    assert play(7) == play(7)


def test_every_trouble_has_its_deed() -> None:
    assert set(STRIKE) == set(Trouble)


def test_a_wrong_match_is_found() -> None:
    """Plugged in at one outlet, but better coupled to another: no program can know."""
    site = Site(seed=1)
    own, other = site.outlet(), site.outlet()
    car, second = site.vehicle(), site.vehicle()
    site.run(5.0)
    site.line.attenuation(car.modem, other.modem, 8.0)
    site.plug(car, own, db=30.0)
    site.plug(second, other, db=30.0)
    site.run(60.0)
    found = matching.judged(car, own)
    assert f"vehicle1 was matched with {other.mac.hex(':')}" in found[0][1]
    assert matching.alike(site) == set()


@pytest.mark.parametrize(
    ("times", "seconds", "decision", "mistaken"),
    [
        (2, 0.1, "it saw 2 toggles", True),
        (3, 0.1, "it saw 2 toggles", False),
        (2, 0.6, "it saw 2 toggles", False),
        (2, 0.1, "the only one", False),
    ],
)
def test_who_toggles_alike_cannot_be_told_apart(times: int, seconds: float, decision: str, mistaken: bool) -> None:
    site = Site(seed=1)
    own, other = site.outlet(), site.outlet()
    car, neighbour = site.vehicle(), site.vehicle()
    site.plug(car, own)
    site.plug(neighbour, other)
    site.story = [
        Happened(1.0, car.name, Toggle(2, 0.25)),
        Happened(1.0 + seconds, neighbour.name, Toggle(times, 0.25)),
        Happened(2.5, car.name, Remark(Kind.DECISION, decision)),
        Happened(5.0, car.name, Linked(other.mac, bytes(8), bytes(7), bytes(16))),
    ]
    assert matching.alike(site) == ({car, other} if mistaken else set())


def test_a_hang_is_found() -> None:
    site = Site(seed=1)
    outlet, car = site.outlet(), site.vehicle()
    site.run(5.0)
    site.plug(car, outlet)
    site.run(1.0)
    assert car.machine.state is State.JOINING
    assert matching.judged(car, outlet)[0] == (car, f"vehicle1 hangs in joining ({car.machine.next_deadline()})")


def test_a_slow_match_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "allowed_s", lambda site, car, validations: 0.5)
    problems = [problem for outcome in soak(10, 1) for problem in outcome.problems]
    assert any("0.50 s are allowed" in problem for problem in problems)


def test_a_defect_in_a_machine_is_found_and_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(random: Random, trouble: Trouble) -> Site:
        site = Site(seed=1)
        site.outlet()
        site.at(1.0, lambda: 1 // 0)  # type: ignore[arg-type, return-value]
        return site

    monkeypatch.setattr(matching, "make", broken)
    monkeypatch.setattr(Random, "sample", lambda self, of, number: of[:number])
    outcome = play(1)
    assert outcome.problems == ("ZeroDivisionError: integer division or modulo by zero",)
    monkeypatch.setattr(matching, "play", lambda seed: outcome._replace(seed=seed, vehicles=1))
    assert main(["--matches", "2", "--seed", "5"]) == 1
    told = capsys.readouterr().out
    assert "seed 6: " in told
    assert "0 sites are as they should be, 2 are not" in told


def test_it_says_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--matches", "10", "--seed", "1"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("10 matches from seed 1 on\ntrouble: sites, vehicles, matched\n")
    assert "not matched, because" in told
    assert told.endswith("sites are as they should be, 0 are not\n")
