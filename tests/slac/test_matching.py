"""Two machines, and more, against each other in virtual time: good ends, bad ends, and who is told what."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

import slac
from slac.choice import Limits
from slac.effects import Failed, Kind, Linked, Pilot, Reason, Remark, State, Toggle, Unlinked
from slac.evse import EvseSettings
from slac.run import EvSettings
from slac.timing import PERFORMANCE, Timing

TIMING = Timing()


def linked(*hosts: Any) -> bool:
    return all(host.machine.state is State.MATCHED for host in hosts)


def match(wire: Any, ev: Any, evse: Any) -> None:
    wire.plug(ev, evse)
    assert wire.run(20, until=lambda: linked(ev, evse)), (ev.log[-3:], evse.log[-3:])


def runs(ev: Any) -> int:
    """So many that it has begun."""
    return len({mme.fields["run_id"] for _, mme in ev.sent("CM_SLAC_PARM.REQ")})


def failed(host: Any) -> Failed:
    [end] = [each for each in host.ends if isinstance(each, Failed)]
    assert end.text.count(". ") >= 1, "what happened, and what to do"
    return end


# The straight run


def test_both_ends_agree(pair: Any) -> None:
    wire, ev, evse = pair
    match(wire, ev, evse)
    [car], [outlet] = ev.ends, evse.ends
    assert (car.peer, outlet.peer) == (evse.machine.mac, ev.machine.mac)
    assert (car.run_id, car.nid, car.nmk) == (outlet.run_id, outlet.nid, outlet.nmk)
    assert car.nid == slac.keys.nid_from_nmk(car.nmk)
    assert car.attenuation_db == pytest.approx(12, abs=0.5)
    assert ev.machine.link == car


def test_the_run_is_that_of_the_standard(pair: Any) -> None:
    wire, ev, evse = pair
    match(wire, ev, evse)
    names = [mme.name for _, mme in wire.frames if mme.mmtype in range(0x6064, 0x6088)]
    assert names == [
        "CM_SLAC_PARM.REQ",
        "CM_SLAC_PARM.CNF",
        *["CM_START_ATTEN_CHAR.IND"] * 3,
        *["CM_MNBC_SOUND.IND"] * 10,
        "CM_ATTEN_CHAR.IND",
        "CM_ATTEN_CHAR.RSP",
        "CM_SLAC_MATCH.REQ",
        "CM_SLAC_MATCH.CNF",
    ]
    assert [mme.fields["cnt"] for _, mme in ev.sent("CM_MNBC_SOUND.IND")] == list(range(9, -1, -1))
    assert len({mme.fields["rnd"] for _, mme in ev.sent("CM_MNBC_SOUND.IND")}) == 10
    [(_, report)] = evse.sent("CM_ATTEN_CHAR.IND")
    assert (report.fields["num_sounds"], report.fields["num_groups"]) == (10, 58)


@pytest.mark.parametrize("seed", range(5))
def test_own_performance_times_are_kept(new_wire: Any, seed: int) -> None:
    wire = new_wire(seed, delay_s=0.0)
    both = {"validation": True}
    ev, evse = wire.ev(EvSettings(**both, amp_map=(1,))), wire.evse(EvseSettings(**both))
    wire.start()
    wire.db[ev, evse] = 30.0  # not clear at once
    match(wire, ev, evse)

    def at(host: Any, name: str) -> list[float]:
        return [when for when, _ in host.sent(name)]

    def kept(name: str, *pairs: tuple[float, float]) -> None:
        least, most = PERFORMANCE[name]
        assert all(least <= round(b - a, 6) <= most for a, b in pairs), (name, pairs)

    [parm], [confirmed] = at(ev, "CM_SLAC_PARM.REQ"), at(evse, "CM_SLAC_PARM.CNF")
    starts, sounds = at(ev, "CM_START_ATTEN_CHAR.IND"), at(ev, "CM_MNBC_SOUND.IND")
    [report], [thanks], [asked] = (
        at(evse, "CM_ATTEN_CHAR.IND"),
        at(ev, "CM_ATTEN_CHAR.RSP"),
        at(ev, "CM_SLAC_MATCH.REQ"),
    )
    [given], validate = at(evse, "CM_SLAC_MATCH.CNF"), at(ev, "CM_VALIDATE.REQ")
    toggle, seen = ev.of(Toggle)[0], at(evse, "CM_VALIDATE.CNF")
    link = at(ev, "VS_NW_INFO.REQ")[-1]
    ready = next(when for when, each in ev.log if isinstance(each, Linked))
    kept("TP_EV_SLAC_init", (1.0, parm))
    kept("TP_match_response", (parm, confirmed), (report, thanks), (asked, given), (validate[0], seen[0]))
    kept("TP_match_sequence", (confirmed, starts[0]), (seen[0], validate[1]), (seen[1], asked))
    kept("TP_EV_batch_msg_interval", *pairwise(starts + sounds))
    kept("TP_EVSE_avg_atten_calc", (sounds[-1], report))
    kept("TP_EV_match_session", (thanks, validate[0]))
    kept("TP_EV_vald_state_duration", (0, toggle.half_period_s))
    kept("TP_EV_vald_toggle", (validate[1], seen[1]))
    kept("TP_amp_map_exchange", (link, at(ev, "CM_AMP_MAP.REQ")[0]))
    kept("TP_link_ready_notification", (link, ready))
    assert [each.duty for each in evse.of(Pilot)] == [100.0, 5.0]


def test_next_deadline_is_never_none_while_something_is_waited_for(pair: Any) -> None:
    wire, ev, evse = pair
    wire.plug(ev, evse)
    while not linked(ev, evse):
        for host in (ev, evse):
            waits = host.machine.state not in (State.UNMATCHED,)
            assert not waits or host.machine.next_deadline() is not None
        wire.run(0.01)
    assert ev.machine.next_deadline() is not None  # the link is watched


@pytest.mark.parametrize("result", [0, 1, None])
def test_the_result_of_set_key_decides_nothing(pair: Any, result: int | None) -> None:
    wire, ev, evse = pair
    ev.modem.result = result
    match(wire, ev, evse)
    assert bool([each for each in ev.of(Kind.KEY) if "confirm" in each.text]) is (result is None)


def test_a_modem_that_does_not_take_the_key(pair: Any) -> None:
    """CM_SET_KEY.CNF says success, and the link never comes."""
    wire, ev, evse = pair
    ev.modem.obeys = False
    wire.plug(ev, evse)
    assert wire.run(120, until=lambda: bool(ev.of(Failed)))
    assert failed(ev).reason is Reason.LINK_NOT_UP
    assert not ev.of(Linked)


def test_a_link_in_another_network_is_not_believed(pair: Any) -> None:
    wire, ev, evse = pair
    ev.modem.linked = lambda: True  # with whomever
    evse.modem.linked = lambda: True
    ev.modem.obeys = False
    wire.plug(ev, evse)
    wire.run(10)
    assert ev.machine.state is State.JOINING
    assert [each for each in ev.of(Kind.MODEM) if "another network" in each.text]


# Loss


@pytest.mark.parametrize(
    "name",
    [
        "CM_SLAC_PARM.REQ",
        "CM_SLAC_PARM.CNF",
        "CM_START_ATTEN_CHAR.IND",
        "CM_ATTEN_CHAR.IND",
        "CM_ATTEN_CHAR.RSP",
        "CM_SLAC_MATCH.REQ",
        "CM_SLAC_MATCH.CNF",
    ],
)
def test_one_of_each_lost(pair: Any, name: str) -> None:
    wire, ev, evse = pair
    left = [1]

    def lose(sender: Any, receiver: Any, mme: slac.Mme) -> bool:
        left[0] -= mme.name == name
        return mme.name == name and left[0] >= 0

    wire.lose = lose
    match(wire, ev, evse)
    assert not ev.of(Failed)


def test_the_indication_is_repeated_and_answered_again(pair: Any) -> None:
    wire, ev, evse = pair
    lost = iter([True, True])
    wire.lose = lambda sender, receiver, mme: mme.name == "CM_ATTEN_CHAR.RSP" and next(lost, False)
    match(wire, ev, evse)
    reports = evse.sent("CM_ATTEN_CHAR.IND")
    # The vehicle went on to ask for the key, which says as much as its answer.
    assert len({mme.build() for _, mme in reports}) == 1
    assert len(ev.sent("CM_ATTEN_CHAR.RSP")) == len(reports)


def test_the_key_is_repeated_identically(pair: Any) -> None:
    wire, ev, evse = pair
    lost = iter([True, True])
    wire.lose = lambda sender, receiver, mme: mme.name == "CM_SLAC_MATCH.CNF" and next(lost, False)
    match(wire, ev, evse)
    confirmations = evse.sent("CM_SLAC_MATCH.CNF")
    assert len(confirmations) == 3
    assert len({mme.build() for _, mme in confirmations}) == 1
    assert len(evse.of(Kind.REPEATED)) == 2


@pytest.mark.parametrize("arrive", range(10))
def test_few_sounds_are_enough(pair: Any, arrive: int) -> None:
    wire, ev, evse = pair
    wire.lose = lambda sender, receiver, mme: mme.name == "CM_MNBC_SOUND.IND" and mme.fields["cnt"] >= arrive
    wire.plug(ev, evse)
    wire.run(30, until=lambda: linked(ev, evse) or bool(ev.of(Failed)))
    if arrive:
        assert linked(ev, evse)
        assert evse.sent("CM_ATTEN_CHAR.IND")[0][1].fields["num_sounds"] == arrive
    else:
        assert failed(ev).reason is Reason.NO_ATTENUATION


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_lost_it_ends(new_wire: Any, seed: int) -> None:
    """With neighbours, loss up to 20 % and validation: the right outlet or a named reason, and never a hang."""
    wire = new_wire(seed, loss=(seed % 5) * 0.05)
    evs = [wire.ev(EvSettings(validation=True)) for _ in range(3)]
    evses = [wire.evse(EvseSettings(validation=True)) for _ in range(3)]
    for ev in evs:
        for evse in evses:
            wire.db[ev, evse] = wire.random.uniform(30, 50)
    for ev, evse in zip(evs, evses, strict=True):
        wire.db[ev, evse] = wire.random.uniform(8, 25)
    wire.start()
    for ev, evse in zip(evs, evses, strict=True):
        wire.at(wire.random.uniform(0, 2), lambda ev=ev, evse=evse: wire.plug(ev, evse))
    assert wire.run(100, until=lambda: all(ev.of(Linked) or ev.of(Failed) for ev in evs))
    for ev, evse in zip(evs, evses, strict=True):
        assert all(end.peer == evse.machine.mac for end in ev.of(Linked))
        assert all(end.peer == ev.machine.mac for end in evse.of(Linked))


def test_the_same_seed_gives_the_same_run(new_wire: Any) -> None:
    logs = []
    for _ in range(2):
        wire = new_wire(7, loss=0.2)
        ev, evse = wire.ev(), wire.evse()
        wire.start()
        wire.plug(ev, evse)
        wire.run(20)
        logs.append([ev.log, evse.log])
    assert logs[0] == logs[1]


# Several outlets


def neighbours(wire: Any, *decibels: float, ev: EvSettings | None = None, evse: EvseSettings | None = None) -> Any:
    """A vehicle at the first of several outlets; the others are neighbours that wait for a vehicle of their own."""
    car, outlets = wire.ev(ev), [wire.evse(evse) for _ in decibels]
    for outlet, db in zip(outlets, decibels, strict=True):
        wire.db[car, outlet] = db
    wire.start()
    for outlet in outlets[1:]:
        wire.occupy(outlet)
    wire.plug(car, outlets[0])
    return car, outlets


def test_the_nearest_is_chosen_and_all_are_answered(wire: Any) -> None:
    car, outlets = neighbours(wire, 32, 45, 12)
    wire.unplug(car)
    wire.occupy(outlets[0])
    outlets[2].occupied = False
    wire.plug(car, outlets[2])
    assert wire.run(20, until=lambda: linked(car, outlets[2]))
    assert {mme.destination for _, mme in car.sent("CM_ATTEN_CHAR.RSP")} == {each.machine.mac for each in outlets}
    assert len(car.machine.candidates) == 3
    assert len(car.machine.candidates[outlets[1].machine.mac].groups) == 58
    wire.run(11)  # TT_EVSE_match_session
    for other in outlets[:2]:
        assert not other.machine.sessions
        assert not other.of(Failed)
        assert [each.data["reason"] for each in other.of(Kind.RETRY)][-1] is Reason.NOT_CHOSEN


def test_an_unclear_choice_takes_its_time(wire: Any) -> None:
    """The own outlet's CM_SLAC_PARM.CNF is lost and its report comes late: the neighbour is not taken for it."""
    car, [own, other] = neighbours(wire, 15, 35)
    late = iter([True])
    wire.lose = lambda sender, receiver, mme: (
        sender is own and (mme.name == "CM_SLAC_PARM.CNF" or (mme.name == "CM_ATTEN_CHAR.IND" and next(late, False)))
    )
    assert wire.run(20, until=lambda: linked(car, own))
    assert not other.sent("CM_SLAC_MATCH.CNF")


def misses(outlet: Any, number: int) -> Any:
    """The first so many requests of a run do not come to that outlet."""
    left = iter([True] * number)
    return lambda sender, receiver, mme: receiver is outlet and mme.name == "CM_SLAC_PARM.REQ" and next(left, False)


@pytest.mark.parametrize("missed", [1, 2])
def test_an_outlet_that_missed_the_request_is_asked_again(wire: Any, missed: int) -> None:
    """In the same run and before the sounds; neighbours at 35 dB are not taken for it, and no time is lost."""
    car, [own, other] = neighbours(wire, 30, 36)
    wire.lose = misses(own, missed)
    assert wire.run(20, until=lambda: linked(car, own))
    assert runs(car) == 1
    times = [at for at, _ in car.sent("CM_SLAC_PARM.REQ")]
    [(confirmed, _), *_] = other.sent("CM_SLAC_PARM.CNF")
    begun = car.sent("CM_START_ATTEN_CHAR.IND")[0][0]
    assert begun - confirmed - wire.delay_s <= PERFORMANCE["TP_match_sequence"][1]
    assert len(times) == 1 + missed
    assert all(at < begun for at in times)


@pytest.mark.parametrize("silent", [False, True])
def test_a_neighbour_is_not_taken_for_an_outlet_that_missed_the_run(wire: Any, silent: bool) -> None:
    """Where the modem does not tell what it hears, that takes one more run, and two neighbours to give the warning."""
    car, [own, other, third] = neighbours(wire, 30, 36, 42)
    if silent:
        answer = car.modem.answer
        car.modem.answer = lambda mme: None if mme.name == "CC_DISCOVER_LIST.REQ" else answer(mme)
    wire.lose = misses(own, 3)
    assert wire.run(20, until=lambda: linked(car, own))
    assert not other.sent("CM_SLAC_MATCH.CNF") + third.sent("CM_SLAC_MATCH.CNF")
    assert runs(car) == 2 + silent
    assert {each.data["reason"] for each in car.of(Kind.RETRY)} == {Reason.AMBIGUOUS}


def test_the_nearest_of_all_runs_counts(wire: Any) -> None:
    """The own outlet misses the second run: the neighbour that was found there is the farther one."""
    car, [own, other] = neighbours(wire, 30, 36)
    wire.evse()  # silent: there is doubt in every run
    wire.hosts[-1].do(wire.hosts[-1].machine.start(wire.now))
    wire.lose = lambda sender, receiver, mme: receiver is own and mme.name == "CM_SLAC_PARM.REQ" and runs(car) == 2
    assert wire.run(20, until=lambda: linked(car, own))
    assert runs(car) == 3
    assert not other.sent("CM_SLAC_MATCH.CNF")


def test_an_outlet_among_silent_ones_is_found_twice(wire: Any) -> None:
    """Outlets without a vehicle do not answer: nobody can tell them from one that missed the request."""
    car, own = wire.ev(), wire.evse()
    wire.evse()
    wire.db[car, own] = 30
    wire.start()
    match(wire, car, own)
    assert runs(car) == 2


@pytest.mark.parametrize("silent", [False, True])
def test_a_lone_outlet_is_matched_at_once(wire: Any, silent: bool) -> None:
    """However far it is, and whatever the modem tells of its surroundings."""
    car, [own] = neighbours(wire, 37)
    if silent:
        answer = car.modem.answer
        car.modem.answer = lambda mme: None if mme.name == "CC_DISCOVER_LIST.REQ" else answer(mme)
    assert wire.run(4, until=lambda: linked(car, own))
    assert len(car.sent("CM_SLAC_PARM.REQ")) == 1


def test_an_outlet_that_does_not_measure_may_be_the_own(wire: Any) -> None:
    car, [own, other] = neighbours(wire, 12, 35)
    own.modem.groups = 0
    assert wire.run(20, until=lambda: bool(car.of(Failed)))
    assert failed(car).reason is Reason.NO_ATTENUATION
    assert not other.sent("CM_SLAC_MATCH.CNF")


def test_similar_outlets_are_ambiguous(wire: Any) -> None:
    car, _ = neighbours(wire, 14, 16)
    assert wire.run(20, until=lambda: bool(car.of(Failed)))
    assert failed(car).reason is Reason.AMBIGUOUS
    assert "14.0 dB" in failed(car).text
    assert "16.0 dB" in failed(car).text
    assert not car.sent("CM_SLAC_MATCH.REQ")


def test_all_too_far(wire: Any) -> None:
    car, _ = neighbours(wire, 55, 60)
    assert wire.run(20, until=lambda: bool(car.of(Failed)))
    assert failed(car).reason is Reason.NO_EVSE


def test_the_limits_are_the_makers_choice(wire: Any) -> None:
    car, [own] = neighbours(wire, 55, ev=EvSettings(limits=Limits(indirect_db=60)))
    assert wire.run(20, until=lambda: linked(car, own))


# Validation

VALIDATES = EvSettings(validation=True)


@pytest.mark.parametrize("seed", range(6))
def test_toggles_find_the_own_outlet(new_wire: Any, seed: int) -> None:
    wire = new_wire(seed)
    car, [own, other] = neighbours(wire, 16, 15, ev=VALIDATES, evse=EvseSettings(validation=True))
    assert wire.run(20, until=lambda: linked(car, own))
    assert not other.sent("CM_SLAC_MATCH.CNF")
    first, second = car.of(Toggle)
    assert 1 <= first.times <= 3
    assert 0.2 <= second.half_period_s <= 0.4
    timers = [mme.fields["timer"] for _, mme in car.sent("CM_VALIDATE.REQ")]
    assert [bool(each) for each in timers] == [False, True, False, False, True]
    assert all(5 <= each <= 34 for each in timers if each)
    # What was toggled for the neighbour was seen at the own outlet too, and is not to be counted there.
    assert [mme.fields["result"] for _, mme in own.sent("CM_VALIDATE.CNF")] == [0, 1, 2]
    assert own.sent("CM_VALIDATE.CNF")[-1][1].fields["toggle_num"] == second.times


def test_toggles_of_a_vehicle_whose_request_was_lost_are_not_counted_for_another(wire: Any) -> None:
    """The neighbour toggles thrice at its own outlet; we would toggle twice there, and two are left to be seen."""
    car, [own, other] = neighbours(wire, 30, 35, ev=VALIDATES, evse=EvseSettings(validation=True))
    car.machine.random = lambda n: bytes([1] * n)  # two toggles
    wire.lose = lambda sender, receiver, mme: receiver is own

    def state(pilot: str) -> None:
        other.do(other.machine.pilot(pilot, 5.0, wire.now))

    def begin(*_: Any) -> bool:
        return bool(car.sent("CM_ATTEN_CHAR.RSP"))

    assert wire.run(5, until=begin)
    for half in range(6):  # from here on it would be asked in 0.45 s
        wire.at(0.1 + half * 0.25, lambda half=half: state("CB"[half % 2]))
    assert wire.run(60, until=lambda: bool(car.of(Failed)))
    assert not other.sent("CM_SLAC_MATCH.CNF")
    assert other.sent("CM_VALIDATE.CNF")[0][1].fields["result"] == 0
    assert failed(car).reason is Reason.NOT_VALIDATED


def test_an_answer_that_comes_twice_says_nothing_of_toggles(wire: Any) -> None:
    """That it is ready, said again, is not that it saw nothing."""
    car, [own] = neighbours(wire, 30, ev=VALIDATES, evse=EvseSettings(validation=True))
    ready = slac.make("CM_VALIDATE.CNF", destination=car.machine.mac, source=own.machine.mac, toggle_num=0, result=1)
    assert wire.run(5, until=lambda: bool(car.of(Toggle)))
    wire.at(0.05, lambda: car.hear(ready))
    early = slac.make("CM_VALIDATE.CNF", destination=car.machine.mac, source=own.machine.mac, toggle_num=9, result=2)
    wire.at(0.1, lambda: car.hear(early))
    assert wire.run(20, until=lambda: linked(car, own))
    assert len(car.of(Toggle)) == 1


def test_nobody_sees_the_toggles(wire: Any) -> None:
    car, _ = neighbours(wire, 16, 15, ev=VALIDATES, evse=EvseSettings(validation=True))
    wire.toggle = lambda ev, toggle: None
    assert wire.run(40, until=lambda: bool(car.of(Failed)))
    assert failed(car).reason is Reason.NOT_VALIDATED


def test_outlets_that_cannot_validate(wire: Any) -> None:
    car, _ = neighbours(wire, 16, 15, ev=VALIDATES)
    assert wire.run(40, until=lambda: bool(car.of(Failed)))
    assert failed(car).reason is Reason.AMBIGUOUS
    assert not car.of(Toggle)


def test_the_only_outlet_need_not_validate(wire: Any) -> None:
    car, [own] = neighbours(wire, 30, ev=VALIDATES)
    assert wire.run(20, until=lambda: linked(car, own))
    assert runs(car) == 1


def test_the_only_outlet_is_believed_when_it_is_silent_twice(wire: Any) -> None:
    """There are outlets that do not know CM_VALIDATE; but the own one may have missed the first run."""
    wire.lose = lambda sender, receiver, mme: mme.name == "CM_VALIDATE.REQ"
    car, [own] = neighbours(wire, 30, ev=VALIDATES)
    assert wire.run(20, until=lambda: linked(car, own))
    assert runs(car) == 2
    assert [each.data["reason"] for each in car.of(Kind.RETRY)] == [Reason.PEER_SILENT]


def test_a_silent_neighbour_is_not_taken_for_the_own_outlet(wire: Any) -> None:
    wire.lose = lambda sender, receiver, mme: (
        (receiver is own and wire.now < 2 and mme.name == "CM_SLAC_PARM.REQ")
        or (receiver is other and mme.name == "CM_VALIDATE.REQ")
    )
    car, [own, other] = neighbours(wire, 30, 35, ev=VALIDATES, evse=EvseSettings(validation=True))
    assert wire.run(20, until=lambda: linked(car, own))
    assert not other.sent("CM_SLAC_MATCH.CNF")


@pytest.mark.parametrize("seen", [1, 2])
def test_who_saw_other_toggles_is_asked_no_more(wire: Any, seen: int) -> None:
    """A neighbour's vehicle may well toggle as often as we do, the next time."""
    car, [own, other] = neighbours(wire, 16, 15, ev=VALIDATES, evse=EvseSettings(validation=True))
    car.machine.random = lambda n: bytes([0] * n)  # one toggle

    def answer(mme: slac.Mme) -> bool:
        if mme.name == "CM_VALIDATE.REQ" and mme.fields["timer"]:  # as if another vehicle toggled there
            count = seen if not told else 1
            told.append(count)
            fields = {"toggle_num": count, "result": 2}
            frame = slac.make("CM_VALIDATE.CNF", destination=car.machine.mac, source=other.machine.mac, **fields)
            wire.at(0.7, lambda: car.hear(frame))
        return True

    told: list[int] = []
    wire.lose = lambda sender, receiver, mme: (
        (receiver is other and mme.name == "CM_VALIDATE.REQ" and bool(mme.fields["timer"]) and answer(mme))
        or (receiver is own and mme.name == "CM_VALIDATE.REQ" and wire.now < 5)
    )
    assert wire.run(20, until=lambda: bool(car.of(Linked)) or bool(car.of(Failed)))
    if seen == 1:
        assert car.ends[0].peer == other.machine.mac
    else:
        assert linked(car, own) or wire.run(5, until=lambda: linked(car, own))
        assert len(told) == 1


def test_when_all_have_seen_other_toggles(wire: Any) -> None:
    car, [own] = neighbours(wire, 30, ev=VALIDATES, evse=EvseSettings(validation=True))
    wire.toggle = lambda ev, toggle: None
    assert wire.run(40, until=lambda: bool(car.of(Failed)))
    assert failed(car).reason is Reason.NOT_VALIDATED
    assert "saw 0 of" in failed(car).text
    assert len(car.of(Toggle)) == 1
    assert runs(car) == TIMING.C_conn_max_match
    wire.toggle = type(wire).toggle.__get__(wire)
    wire.unplug(car)
    wire.run(1)
    wire.plug(car, own)  # a new phase: all are asked again
    assert wire.run(20, until=lambda: linked(car, own))


def test_a_lost_confirmation_is_counted_from_the_beginning(wire: Any) -> None:
    car, [own] = neighbours(wire, 30, ev=VALIDATES, evse=EvseSettings(validation=True))
    lost = iter([True])
    wire.lose = lambda sender, receiver, mme: (
        mme.name == "CM_VALIDATE.CNF" and mme.fields["result"] == 2 and next(lost, False)
    )
    assert wire.run(20, until=lambda: linked(car, own))
    assert len(car.of(Toggle)) == 2


def test_one_validation_at_a_time(wire: Any) -> None:
    """There is one control pilot: the second vehicle is told to wait."""
    settings = EvSettings(validation=True)
    evse = wire.evse(EvseSettings(validation=True))
    cars = [wire.ev(settings), wire.ev(settings)]
    for car in cars:
        wire.db[car, evse] = 30
    wire.start()
    wire.plug(cars[0], evse)
    wire.at(0.1, lambda: cars[1].do(cars[1].machine.pilot("B", 5.0, wire.now)))
    assert wire.run(30, until=lambda: linked(cars[0], evse))
    results = [
        mme.fields["result"] for _, mme in evse.sent("CM_VALIDATE.CNF") if mme.destination == cars[1].machine.mac
    ]
    assert results[0] == 0


# Modems that measure strangely


def test_profiles_of_both_kinds_count_once(pair: Any) -> None:
    wire, ev, evse = pair
    evse.modem.vendor_profiles = True
    match(wire, ev, evse)
    assert evse.sent("CM_ATTEN_CHAR.IND")[0][1].fields["num_sounds"] == 10


@pytest.mark.parametrize(("groups", "why"), [(0, "measures nothing"), (None, "no profile of the own modem")])
def test_a_modem_that_does_not_measure(pair: Any, groups: int | None, why: str) -> None:
    wire, ev, evse = pair
    evse.modem.groups = groups
    wire.plug(ev, evse)
    assert wire.run(30, until=lambda: bool(ev.of(Failed)))
    assert failed(ev).reason is Reason.NO_ATTENUATION
    assert not evse.sent("CM_ATTEN_CHAR.IND")
    assert wire.run(150, until=lambda: bool(evse.of(Failed)))
    assert failed(evse).reason is Reason.NO_ATTENUATION
    assert why in failed(evse).text


def test_a_modem_that_does_not_measure_can_be_told_a_value(wire: Any) -> None:
    ev, evse = wire.ev(), wire.evse(EvseSettings(unmeasured_db=38))
    evse.modem.groups = 0
    wire.start()
    match(wire, ev, evse)
    assert ev.ends[0].attenuation_db == 38


def test_the_offset_of_an_outlet(wire: Any) -> None:
    ev, evse = wire.ev(), wire.evse(EvseSettings(offset_db=-5))
    wire.db[ev, evse] = 17
    wire.start()
    match(wire, ev, evse)
    assert ev.ends[0].attenuation_db == pytest.approx(12, abs=0.5)


# Who is told what when it fails


def test_no_evse_answers(wire: Any) -> None:
    ev, evse = wire.ev(), wire.evse()
    wire.start()
    wire.lose = lambda sender, receiver, mme: sender is evse
    wire.plug(ev, evse)
    assert wire.run(20, until=lambda: bool(ev.of(Failed)))
    assert failed(ev).reason is Reason.NO_EVSE
    assert 9.5 <= wire.now - 1 <= 12  # TT_matching_repetition
    runs = {mme.fields["run_id"] for _, mme in ev.sent("CM_SLAC_PARM.REQ")}
    assert len(runs) >= 9
    assert len(ev.sent("CM_SLAC_PARM.REQ")) == 3 * len(runs)


def test_no_coordinator_is_heard(wire: Any) -> None:
    ev = wire.ev()
    wire.start()
    ev.do(ev.machine.pilot("B", 5.0, wire.now))
    assert wire.run(20, until=lambda: bool(ev.of(Failed)))
    assert failed(ev).reason is Reason.NO_CCO


def test_the_vehicles_modem_is_configured_for_an_outlet(wire: Any) -> None:
    ev = wire.ev()
    ev.modem.role = 2
    wire.start()
    ev.do(ev.machine.pilot("B", 5.0, wire.now))
    assert wire.run(20, until=lambda: bool(ev.of(Failed)))
    assert failed(ev).reason is Reason.WRONG_ROLE


@pytest.mark.parametrize("linked_elsewhere", [True, False])
def test_the_outlets_modem_is_configured_for_a_vehicle(wire: Any, linked_elsewhere: bool) -> None:
    evse = wire.evse()
    evse.modem.role = 0
    evse.modem.linked = lambda: linked_elsewhere
    wire.start()
    wire.occupy(evse)
    assert wire.run(200, until=lambda: bool(evse.of(Failed)))
    assert failed(evse).reason is Reason.WRONG_ROLE


def test_what_an_outlet_did_tells_more_than_that_later_runs_heard_none(pair: Any) -> None:
    wire, ev, evse = pair
    ev.modem.obeys = False
    wire.plug(ev, evse)
    wire.run(8)
    assert ev.machine.state is State.JOINING
    evse.modem.cut = True
    assert wire.run(40, until=lambda: bool(ev.of(Failed)))
    assert failed(ev).reason is Reason.LINK_NOT_UP
    assert "no link within 12 s" in failed(ev).text
    assert "no EVSE answered" in failed(ev).text


def test_somebody_elses_answers(wire: Any) -> None:
    ev, evse = wire.ev(), wire.evse()
    wire.start()
    wire.lose = lambda sender, receiver, mme: sender is evse
    wire.plug(ev, evse)
    frame = slac.make(
        "CM_SLAC_PARM.CNF", destination=ev.machine.mac, source=b"\x02neigh", run_id=b"neighbor", forwarding_sta=bytes(6)
    )
    for tenths in range(100):
        wire.at(tenths / 10, lambda: ev.hear(frame))
    assert wire.run(20, until=lambda: bool(ev.of(Failed)))
    assert failed(ev).reason is Reason.INTERFERENCE
    assert ev.of(Kind.FOREIGN)


def test_no_modem_and_then_one(wire: Any) -> None:
    ev, evse = wire.ev(), wire.evse()
    ev.modem.present = evse.modem.present = False
    wire.start(30.0)
    assert failed(ev).reason is failed(evse).reason is Reason.NO_MODEM
    wire.plug(ev, evse)
    ev.modem.present = evse.modem.present = True
    assert wire.run(20, until=lambda: linked(ev, evse))


def test_a_modem_without_firmware_is_named(wire: Any) -> None:
    ev = wire.ev()
    ev.modem.present = False
    asks = slac.make("VS_HOST_ACTION.IND", destination=ev.machine.mac, source=ev.modem.mac, host_action=0)
    wire.at(0.1, lambda: ev.hear(asks))
    wire.start(5.0)
    assert "has not booted" in failed(ev).text


def test_the_outlet_offers_no_communication(wire: Any) -> None:
    ev = wire.ev()
    wire.start()
    ev.do(ev.machine.pilot("B", 53.0, wire.now))
    assert wire.run(10, until=lambda: bool(ev.of(Failed)))
    assert failed(ev).reason is Reason.NO_DUTY_CYCLE
    assert "53 %" in failed(ev).text
    ev.do(ev.machine.pilot("B", 5.0, wire.now))
    assert ev.machine.state is State.MATCHING


def test_the_chosen_outlet_falls_silent(pair: Any) -> None:
    wire, ev, evse = pair
    wire.lose = lambda sender, receiver, mme: mme.name == "CM_SLAC_MATCH.REQ"
    wire.plug(ev, evse)
    assert wire.run(20, until=lambda: bool(ev.of(Failed)))
    assert failed(ev).reason is Reason.PEER_SILENT
    assert len({mme.fields["run_id"] for _, mme in ev.sent("CM_SLAC_PARM.REQ")}) == TIMING.C_conn_max_match


def test_no_vehicle_asks(wire: Any) -> None:
    """E or F, 5 % again, twice; then no PWM."""
    evse = wire.evse()
    wire.start()
    wire.occupy(evse)
    assert wire.run(200, until=lambda: bool(evse.of(Failed)))
    assert failed(evse).reason is Reason.NO_EV
    shown = [(each.state or "", each.duty) for each in evse.of(Pilot)]
    assert shown == [("", 100), ("", 5), *[("F", 0), ("", 100), ("", 5)] * 2, ("", 100)]
    times = [at for at, each in evse.log if isinstance(each, Pilot) and each.state]
    assert 4 + 40 <= times[1] - times[0] <= 46


def test_a_vehicle_that_needs_e_or_f(pair: Any) -> None:
    """It does not ask before the outlet has shown F and 5 % again."""
    wire, ev, evse = pair
    wire.lose = lambda sender, receiver, mme: mme.name == "CM_SLAC_PARM.REQ" and wire.now < 30
    wire.plug(ev, evse)
    wire.run(60)
    assert failed(ev).reason is Reason.NO_EVSE
    assert wire.run(20, until=lambda: linked(ev, evse))


# Strangers


def test_five_vehicles_at_a_time(wire: Any) -> None:
    evse = wire.evse()
    cars = [wire.ev() for _ in range(5)]
    wire.start()
    wire.plug(cars[2], evse)
    for car in cars:
        if car is not cars[2]:
            wire.db[car, evse] = 41
            car.do(car.machine.pilot("B", 5.0, wire.now))
    wire.run(0.8)
    assert len({mme.destination for _, mme in evse.sent("CM_ATTEN_CHAR.IND")}) == 5
    assert wire.run(10, until=lambda: linked(cars[2], evse))
    assert evse.ends[0].peer == cars[2].machine.mac


def test_a_flood_of_requests_does_not_drop_a_vehicle(pair: Any) -> None:
    wire, ev, evse = pair
    wire.plug(ev, evse)
    for number in range(2000):
        fields = {"source": bytes([2, 9, 9, 9, *number.to_bytes(2, "big")]), "run_id": bytes(8)}
        frame = slac.make("CM_SLAC_PARM.REQ", destination=b"\xff" * 6, **fields)
        wire.at(0.15 + number / 1000, lambda frame=frame: evse.hear(frame))
    assert wire.run(20, until=lambda: linked(ev, evse))
    assert len(ev.sent("CM_SLAC_PARM.REQ")) == 1
    wire.run(1)
    assert len(evse.machine.sessions) == 1
    assert len(evse.of(Remark)) < 300


def test_the_same_run_id_of_two_vehicles(wire: Any) -> None:
    """One maker's vehicles all have the same."""
    evse, cars = wire.evse(), [wire.ev(), wire.ev()]
    for car in cars:
        car.machine.random = lambda n: b"TESLA EV"[:n].ljust(n, b"!")
    wire.start()
    wire.db[cars[1], evse] = 41
    wire.plug(cars[0], evse)
    cars[1].do(cars[1].machine.pilot("B", 5.0, wire.now))
    wire.run(0.3)
    assert len(evse.machine.sessions) == 2
    assert wire.run(10, until=lambda: linked(cars[0], evse))


def test_a_matched_outlet_is_not_disturbed(pair: Any) -> None:
    wire, ev, evse = pair
    match(wire, ev, evse)
    stranger = wire.ev()
    stranger.do(stranger.machine.start(wire.now))
    wire.run(1)
    stranger.do(stranger.machine.pilot("B", 5.0, wire.now))
    before = len(evse.sent("CM_SLAC_PARM.CNF"))
    wire.run(15)
    assert linked(ev, evse)
    assert len(evse.sent("CM_SLAC_PARM.CNF")) == before
    assert evse.of(Kind.FOREIGN)


def test_a_key_is_not_given_to_two_vehicles(wire: Any) -> None:
    """The first one got it and never came; it could listen to the second."""
    evse, first, second = wire.evse(EvseSettings(keep_key=True)), wire.ev(), wire.ev()
    first.modem.obeys = False
    wire.start()
    wire.plug(first, evse)
    wire.run(5)
    given = evse.machine.link.nmk
    first.modem.cut = True
    evse.plugged = second
    second.plugged = evse
    assert wire.run(100, until=lambda: linked(second, evse))
    assert evse.machine.link.nmk != given


def test_an_outlet_without_a_vehicle_is_silent(wire: Any) -> None:
    ev, evse = wire.ev(), wire.evse()
    wire.start()
    ev.do(ev.machine.pilot("B", 5.0, wire.now))
    wire.run(2)
    assert not evse.sent("CM_SLAC_PARM.CNF")
    assert evse.of(Kind.FOREIGN)


# After the match


def test_unplugging(pair: Any) -> None:
    wire, ev, evse = pair
    match(wire, ev, evse)
    key = evse.modem.nmk
    wire.unplug(ev)
    wire.run(PERFORMANCE["TP_match_leave"][1])
    assert key not in (ev.modem.nmk, evse.modem.nmk)
    assert [type(each) for each in ev.ends] == [type(each) for each in evse.ends] == [Linked, Unlinked]
    match(wire, ev, evse)
    assert evse.modem.nmk != key


def test_fast_plugging_never_has_two_keys_pending(pair: Any) -> None:
    wire, ev, evse = pair
    evse.modem.result = None  # never answers
    for _ in range(4):
        match(wire, ev, evse)
        wire.unplug(ev)
    wire.run(30)
    times = [at for at, mme in evse.sent("CM_SET_KEY.REQ")]
    assert all(b - a >= 0.5 for a, b in pairwise(times))
    assert evse.machine.key[1] == evse.modem.nmk


def test_a_link_that_comes_back(pair: Any) -> None:
    wire, ev, evse = pair
    match(wire, ev, evse)
    ev.modem.cut = True
    assert wire.run(5, until=lambda: len(ev.ends) == len(evse.ends) == 2)
    assert {ev.machine.state, evse.machine.state} == {State.RESUMING}
    ev.modem.cut = False
    assert wire.run(5, until=lambda: linked(ev, evse))
    assert [type(each) for each in ev.ends] == [Linked, Unlinked, Linked]
    assert ev.ends[0] == ev.ends[2]


def test_a_link_that_is_lost_is_matched_again_without_unplugging(pair: Any) -> None:
    wire, ev, evse = pair
    match(wire, ev, evse)
    key = evse.modem.nmk
    ev.modem.cut = True
    wire.run(10)
    assert ev.machine.state is State.UNMATCHED
    assert "F" in [each.state for each in evse.of(Pilot)]
    ev.modem.cut = False
    assert wire.run(20, until=lambda: linked(ev, evse))
    assert evse.modem.nmk != key


def test_an_error_above_matches_again(pair: Any) -> None:
    wire, ev, evse = pair
    match(wire, ev, evse)
    ev.do(ev.machine.error(wire.now))
    evse.do(evse.machine.error(wire.now))
    assert wire.run(20, until=lambda: linked(ev, evse))


def test_no_new_phase_after_an_error(pair: Any) -> None:
    wire, ev, evse = pair
    match(wire, ev, evse)
    ev.do(ev.machine.error(wire.now))
    wire.plug, ev.plugged, evse.plugged = None, None, None
    wire.run(16)
    assert failed(ev).reason is Reason.LINK_LOST


def test_termination_is_final_until_the_next_phase(pair: Any) -> None:
    wire, ev, evse = pair
    match(wire, ev, evse)
    key = evse.modem.nmk
    ev.do(ev.machine.terminate(wire.now))
    evse.do(evse.machine.terminate(wire.now))
    wire.run(30)
    assert key not in (ev.modem.nmk, evse.modem.nmk)
    assert evse.machine.state is State.UNMATCHED
    assert evse.of(Pilot)[-1].duty == 100
    evse.do(evse.machine.resume(wire.now))
    assert wire.run(20, until=lambda: linked(ev, evse))


def test_pause_keeps_the_key(pair: Any) -> None:
    wire, ev, evse = pair
    match(wire, ev, evse)
    keys = len(ev.modem.keys), len(evse.modem.keys)
    ev.do(ev.machine.pause(wire.now))
    evse.do(evse.machine.pause(wire.now))
    wire.run(300)
    assert {ev.machine.state, evse.machine.state} == {State.PAUSED}
    evse.do(evse.machine.resume(wire.now))
    assert wire.run(TIMING.T_conn_resume, until=lambda: linked(ev, evse))
    assert (len(ev.modem.keys), len(evse.modem.keys)) == keys
    assert len(ev.sent("CM_SLAC_PARM.REQ")) == 1
    assert ev.ends[0] == ev.ends[-1]


def test_a_modem_that_forgot_the_key_asleep(pair: Any) -> None:
    wire, ev, evse = pair
    match(wire, ev, evse)
    for host in (ev, evse):
        host.do(host.machine.pause(wire.now))
    ev.modem.nmk = bytes(16)
    evse.do(evse.machine.resume(wire.now))
    assert wire.run(TIMING.T_conn_resume, until=lambda: linked(ev, evse))


def test_a_pause_that_fails_is_matched_again(pair: Any) -> None:
    wire, ev, evse = pair
    match(wire, ev, evse)
    for host in (ev, evse):
        host.do(host.machine.pause(wire.now))
    linked_before, evse.modem.linked = evse.modem.linked, lambda: False
    evse.do(evse.machine.resume(wire.now))
    wire.at(8, lambda: setattr(evse.modem, "linked", linked_before))
    ev.modem.linked = lambda: wire.now > 20 and type(ev.modem).linked(ev.modem)
    assert wire.run(60, until=lambda: linked(ev, evse)), (ev.log[-5:], evse.log[-5:])
    assert len(ev.sent("CM_SLAC_MATCH.REQ")) > 1


def test_the_modem_stops_answering(pair: Any) -> None:
    wire, ev, evse = pair
    match(wire, ev, evse)
    ev.modem.present = False
    assert wire.run(5, until=lambda: len(ev.ends) == 2)
    assert "stopped answering" in ev.ends[1].reason


@pytest.mark.parametrize("side", ["ev", "evse"])
def test_a_new_run_while_joining(pair: Any, side: str) -> None:
    """The vehicle got no CM_SLAC_MATCH.CNF and begins again, while the outlet waits for the link."""
    wire, ev, evse = pair
    lost = iter([True] * 3)
    wire.lose = lambda sender, receiver, mme: mme.name == "CM_SLAC_MATCH.CNF" and next(lost, False)
    match(wire, ev, evse)
    assert ev.machine.link.run_id == evse.machine.link.run_id


# Amplitude maps


def test_amplitude_maps_are_exchanged_before_the_link_is_ready(wire: Any) -> None:
    ev, evse = wire.ev(EvSettings(amp_map=(1, 2, 3))), wire.evse(EvseSettings(amp_map=(0, 15)))
    lost = iter([True])
    wire.lose = lambda sender, receiver, mme: mme.name == "CM_AMP_MAP.CNF" and next(lost, False)
    wire.start()
    match(wire, ev, evse)
    assert ev.of(Kind.AMP_MAP)[0].data["am_data"] == [0, 15]
    assert evse.of(Kind.AMP_MAP)[0].data["am_data"] == [1, 2, 3]
    for host in (ev, evse):
        ready = next(at for at, each in host.log if isinstance(each, Linked))
        assert all(at < ready for at, _ in host.sent("CM_AMP_MAP.REQ"))


def test_a_peer_that_confirms_no_amplitude_map(wire: Any) -> None:
    ev, evse = wire.ev(EvSettings(amp_map=(1,))), wire.evse()
    wire.lose = lambda sender, receiver, mme: mme.name == "CM_AMP_MAP.REQ"
    wire.start()
    match(wire, ev, evse)
    assert len(ev.sent("CM_AMP_MAP.REQ")) == 3


@pytest.mark.parametrize(("mmv", "carriers", "answers"), [(1, [1], 1), (2, [1, 2], 1), (1, [], 0)])
def test_an_amplitude_map_of_the_peer(pair: Any, mmv: int, carriers: list[int], answers: int) -> None:
    wire, ev, evse = pair
    match(wire, ev, evse)
    for source in (evse.machine.mac, b"\x02other"):
        frame = slac.make("CM_AMP_MAP.REQ", destination=ev.machine.mac, source=source, mmv=mmv, am_data=carriers)
        ev.hear(frame)
    assert [mme.mmv for _, mme in ev.sent("CM_AMP_MAP.CNF")] == [mmv] * answers


# Basic charging


@pytest.mark.parametrize("begun", [False, True])
def test_basic_charging_instead(wire: Any, begun: bool) -> None:
    evse = wire.evse()
    wire.start()
    wire.occupy(evse)
    if begun:
        evse.hear(slac.make("CM_SLAC_PARM.REQ", destination=b"\xff" * 6, source=b"\x02car..", run_id=b"12345678"))
    evse.do(evse.machine.basic(53.0, wire.now))
    wire.run(60)
    last = [(each.state, each.duty) for each in evse.of(Pilot)][-2:]
    assert last == [(None, 100.0) if begun else ("F", 0.0), (None, 53.0)]
    assert evse.machine.state is State.UNMATCHED
