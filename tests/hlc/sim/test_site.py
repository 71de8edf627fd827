"""A charging site in virtual time: who is matched with whom, and what comes after."""

from __future__ import annotations

from typing import Any

import pytest

from hlc.sim import site as module
from hlc.sim.site import Hang, Outlet, Site, Vehicle
from slac.effects import Linked, Reason, State, Toggle, Unlinked
from slac.evse import EvseSettings
from slac.run import EvSettings


def pair(seed: int = 1, *, db: float = 12.0, validation: bool = False, **options: Any) -> tuple[Site, Vehicle, Outlet]:
    """One vehicle, just plugged in at one outlet that has had time to get its key."""
    site = Site(seed=seed, **options)
    outlet = site.outlet(settings=EvseSettings(validation=validation))
    car = site.vehicle(settings=EvSettings(validation=validation))
    site.run(5.0)
    site.plug(car, outlet, db=db)
    return site, car, outlet


def matched(car: Vehicle, outlet: Outlet) -> bool:
    """Whether both say that they are matched with each other, and their modems say so too."""
    return (
        car.machine.state is outlet.machine.state is State.MATCHED
        and car.link is not None
        and outlet.link is not None
        and (car.link.peer, outlet.link.peer) == (outlet.mac, car.mac)
        and car.modem.network == outlet.modem.network
    )


def test_from_plug_to_link() -> None:
    site, car, outlet = pair()
    site.run(30.0, until=site.settled)
    assert matched(car, outlet)
    assert car.link is not None
    assert car.link.attenuation_db == pytest.approx(12.0, abs=1.0)
    assert car.linked_at is not None
    assert car.linked_at - 5.0 < 4.0
    assert site.now == car.linked_at


def test_the_same_seed_tells_the_same_story() -> None:
    def story(seed: int) -> list[Any]:
        site, _, _ = pair(seed, loss=0.2)
        return site.run(20.0).story

    assert story(3) == story(3)
    assert story(3) != story(4)


def test_three_vehicles_at_once_come_to_their_own_outlets() -> None:
    site = Site(seed=2, loss=0.1)
    outlets = [site.outlet(neighbour_db=20.0) for _ in range(3)]
    cars = [site.vehicle() for _ in range(3)]
    site.run(5.0)
    for car, outlet in zip(cars, outlets, strict=True):
        site.plug(car, outlet)
    site.run(60.0, until=site.settled)
    assert all(matched(car, outlet) for car, outlet in zip(cars, outlets, strict=True))
    heard = [candidate for car in cars for candidate in car.machine.candidates]
    assert len(heard) > 3  # they did hear the others


def test_a_doubtful_attenuation_is_validated_by_toggles() -> None:
    site, car, outlet = pair(db=28.0, validation=True)
    site.run(30.0, until=site.settled)
    assert matched(car, outlet)
    toggles = [each.effect for each in site.story if isinstance(each.effect, Toggle)]
    assert len(toggles) == 1
    assert car.wants == "B"  # and it stops


def test_unplugging_ends_the_link_and_the_next_vehicle_is_matched() -> None:
    site, car, outlet = pair()
    site.run(30.0, until=site.settled)
    network = car.modem.network
    site.unplug(car)
    site.run(5.0)
    assert car.link is None
    assert outlet.link is None
    assert not car.modem.linked
    other = site.vehicle()
    site.plug(other, outlet)
    site.run(30.0, until=site.settled)
    assert matched(other, outlet)
    assert other.modem.network != network


@pytest.mark.parametrize("seconds", [2.0, 30.0])
def test_a_link_that_is_lost_comes_back(seconds: float) -> None:
    site, car, outlet = pair()
    site.run(30.0, until=site.settled)
    site.line.cut(car.modem, outlet.modem, site.now)
    site.run(seconds)
    assert any(isinstance(each.effect, Unlinked) for each in site.story)
    site.line.rewire(car.modem, outlet.modem, 12.0, site.now)
    site.run(100.0, until=lambda: matched(car, outlet))
    assert matched(car, outlet)
    assert sum(isinstance(each.effect, Linked) and each.who == car.name for each in site.story) == 2


def test_an_outlet_that_fails_shows_it_to_the_vehicle() -> None:
    """E or F from the outlet, whatever the vehicle wants."""
    site, car, outlet = pair()
    car.modem.power(False, site.now)
    site.run(200.0)
    shown = [each.effect for each in site.story if each.who == outlet.name and type(each.effect).__name__ == "Pilot"]
    assert {str(each.state) for each in shown} == {"F", "None"}
    assert [failed.reason for failed in car.failures][-1] is Reason.NO_MODEM
    assert outlet.failures[-1].reason is Reason.NO_EV


def test_who_turns_in_circles_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS", 50)
    site = Site()
    outlet = site.outlet()
    monkeypatch.setattr(outlet.machine, "next_deadline", lambda: site.now)
    with pytest.raises(Hang, match=r"no end at .*outlet1"):
        site.run(10.0)
