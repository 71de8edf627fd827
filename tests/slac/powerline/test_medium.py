"""The line: attenuation, loss, delay, duplicates, order, faults; the same for the same seed."""

from __future__ import annotations

from typing import Any

import pytest

RUN = b"run id 1"


def sounds(world: Any, car: Any, number: int = 10, name: str = "CM_MNBC_SOUND.IND") -> None:
    for left in reversed(range(number)):
        car.send(name, run_id=RUN, **({"cnt": left} if name == "CM_MNBC_SOUND.IND" else {}))
        world.run(0.025)


def averages(outlet: Any) -> list[float]:
    """Of each profile that the outlet's host has got, the mean over its groups."""
    profiles = [mme.fields["aag"] for mme in outlet.mmes if mme.name == "CM_ATTEN_PROFILE.IND"]
    return [sum(profile) / len(profile) for profile in profiles]


def test_an_outlet_measures_what_lies_between(world: Any) -> None:
    outlet, car = world.pair(db=17.0)
    sounds(world, car)
    assert len(averages(outlet)) == 10
    assert sum(averages(outlet)) / 10 == pytest.approx(17.0, abs=0.3)


def test_each_group_of_carriers_has_its_attenuation(make_world: Any) -> None:
    world = make_world(noise_db=0.0)
    outlet, car = world.host("evse"), world.host("ev")
    world.near(outlet, car, 20.0, tilt_db=10.0)
    sounds(world, car, 1)
    [aag] = [mme.fields["aag"] for mme in outlet.mmes if mme.name == "CM_ATTEN_PROFILE.IND"]
    assert len(aag) == 58
    assert (aag[0], aag[57]) == (15, 25)
    assert aag == sorted(aag)


def test_attenuation_adds_up_along_the_way_to_the_neighbours(world: Any) -> None:
    own, next_door, far = (world.host("evse") for _ in range(3))
    car = world.host("ev")
    world.near(car, own, 12.0)
    world.near(own, next_door, 20.0)
    world.near(next_door, far, 13.0)
    sounds(world, car)
    for outlet, db in ((own, 12.0), (next_door, 32.0), (far, 45.0)):
        assert sum(averages(outlet)) / 10 == pytest.approx(db, abs=0.3)
    world.near(car, far, 25.0)  # and by a shorter way, if there is one
    far.heard.clear()
    sounds(world, car)
    assert sum(averages(far)) / 10 == pytest.approx(25.0, abs=0.3)


def test_beyond_the_limit_nothing_is_heard(world: Any) -> None:
    outlet, car = world.pair(db=61.0)
    far = world.host("evse")
    car.send("CM_SLAC_PARM.REQ", run_id=RUN)
    world.run()
    assert outlet.heard == far.heard == []


def test_an_unplugged_vehicle_is_not_heard(world: Any) -> None:
    outlet, car = world.pair()
    world.join(outlet, car)
    world.line.cut(car.modem, outlet.modem, world.now)
    assert not car.modem.linked
    assert not outlet.modem.linked
    car.send("CM_SLAC_PARM.REQ", run_id=RUN)
    car.send_ipv6(1)
    world.run()
    assert outlet.heard == []
    world.line.rewire(car.modem, outlet.modem, 14.0, world.now)
    world.run(3.0)
    assert car.modem.linked  # with the key that it still has


def test_frames_take_their_time_and_keep_their_order(make_world: Any) -> None:
    world = make_world(delay_s=0.005, jitter_s=0.02)
    outlet, car = world.pair(first_start_only=False)
    world.join(outlet, car)
    began = world.now
    for number in range(200):
        car.send_ipv6(number)
    world.run()
    assert outlet.numbers == list(range(200))
    times = [each.at - began for each in outlet.heard]
    assert min(times) > 0.005
    assert max(times) < 0.026


def test_reordering_is_asked_for(make_world: Any) -> None:
    world = make_world(reorder=0.3)
    outlet, car = world.pair()
    world.join(outlet, car)
    for number in range(100):
        car.send_ipv6(number)
        world.run(0.01)
    world.run()
    assert outlet.numbers != sorted(outlet.numbers)
    assert sorted(outlet.numbers) == list(range(100))


def test_duplication(make_world: Any) -> None:
    world = make_world(duplicate=0.5)
    outlet, car = world.pair()
    world.join(outlet, car)
    for number in range(100):
        car.send_ipv6(number)
    world.run()
    assert set(outlet.numbers) == set(range(100))
    assert 130 < len(outlet.numbers) < 170


def test_loss_strikes_what_is_sent_to_all_and_is_repaired_within_a_network(make_world: Any) -> None:
    world = make_world(loss=0.2)
    outlet, car = world.pair()
    world.join(outlet, car)
    for number in range(1000):
        car.send_ipv6(number)
        car.send_ipv6(number + 1000, to=outlet)
    world.run()
    broadcast = [number for number in outlet.numbers if number < 1000]
    assert 750 < len(broadcast) < 850
    assert len(outlet.numbers) - len(broadcast) > 990


def test_conditions_may_hold_in_one_direction_only(world: Any) -> None:
    outlet, car = world.pair()
    world.line.disturb(car.modem, outlet.modem, loss=1.0)
    car.send("CM_SLAC_PARM.REQ", run_id=RUN)
    outlet.send("CM_SLAC_PARM.CNF", to=car, run_id=RUN)
    world.run()
    assert outlet.heard == []
    assert car.names == ["CM_SLAC_PARM.CNF"]


def test_a_fault_strikes_the_nth_message_of_its_name(world: Any) -> None:
    outlet, car = world.pair()
    fault = world.line.fault("CM_MNBC_SOUND.IND", (2, 5), drop=True)
    sounds(world, car)
    counts = [mme.fields["cnt"] for mme in outlet.mmes if mme.name == "CM_MNBC_SOUND.IND"]
    assert counts == [9, 7, 6, 4, 3, 2, 1, 0]
    assert (fault.seen, fault.struck) == (10, 2)


def test_a_fault_may_strike_one_receiver_or_one_sender_only(world: Any) -> None:
    outlet, other = world.host("evse"), world.host("evse")
    car, neighbour = world.host("ev"), world.host("ev")
    for a in (outlet, other):
        for b in (car, neighbour):
            world.near(a, b)
    world.line.fault("CM_SLAC_PARM.REQ", range(1, 99), drop=True, sender=car.modem, receiver=outlet.modem)
    car.send("CM_SLAC_PARM.REQ", run_id=RUN)
    neighbour.send("CM_SLAC_PARM.REQ", run_id=RUN)
    world.run()
    assert [mme.source for mme in outlet.mmes] == [neighbour.mac]
    assert [mme.source for mme in other.mmes] == [car.mac, neighbour.mac]


def test_a_fault_may_double_a_message_or_make_it_late(world: Any) -> None:
    outlet, car = world.pair()
    world.line.fault("CM_SLAC_PARM.REQ", copies=3)
    world.line.fault("CM_SET_KEY.CNF", late_s=4.0)
    car.send("CM_SLAC_PARM.REQ", run_id=RUN)
    car.set_key(bytes(16))
    world.run(5.0)
    assert outlet.names == ["CM_SLAC_PARM.REQ"] * 3
    [confirmation] = car.heard
    assert car.names == ["CM_SET_KEY.CNF"]
    assert confirmation.at == pytest.approx(4.0, abs=0.01)


def test_what_no_host_takes_is_bounded(world: Any) -> None:
    outlet, car = world.pair()
    world.join(outlet, car)
    for number in range(20_000):
        car.modem.from_host(b"\xff" * 6 + car.mac + b"\x86\xdd" + number.to_bytes(4, "big") + bytes(1400), world.now)
    assert world.line.overflows > 5_000
    world.run()
    assert outlet.numbers == list(range(20_000 - world.line.overflows))


def test_the_same_seed_gives_the_same_frames_at_the_same_times(make_world: Any) -> None:
    def story(seed: int) -> list[Any]:
        world = make_world(seed=seed, loss=0.2, duplicate=0.1, reorder=0.1)
        outlet, car = world.pair()
        car.set_key(b"k" * 16)
        outlet.set_key(b"k" * 16)
        sounds(world, car)
        world.run(5.0)
        car.send_ipv6(1)
        world.run(1.0)
        return [*outlet.heard, *car.heard, *world.events]

    assert story(5) == story(5)
    assert story(5) != story(6)
