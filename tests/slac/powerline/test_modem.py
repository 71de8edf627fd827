"""A modem: membership, what it lets through, and what it answers whatever its family."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slac
from slac.mme.registry import BY_NUMBER
from slac.powerline import FAMILIES, Carried, Joined, Left, Rekeyed, Unsent

RUN = b"run id 1"
NMK = bytes(range(16))
LOCAL = bytes.fromhex("00B052000001")
BROADCAST = b"\xff" * 6


def test_hosts_with_one_key_hear_each_other_after_a_while(world: Any) -> None:
    outlet, car = world.pair()
    outlet.set_key(NMK)
    car.set_key(NMK)
    world.run(1.9)  # 1 s restart, 1 s to join
    car.send_ipv6(1)
    world.run(0.05)
    assert outlet.numbers == []
    world.run(0.1)
    car.send_ipv6(2, to=outlet)
    outlet.send_ipv6(3)
    world.run(0.1)
    assert (outlet.numbers, car.numbers) == ([2], [3])
    kinds = [type(event) for event in world.events]
    assert kinds[:3] == [Rekeyed, Rekeyed, Joined]


def test_hosts_with_other_keys_do_not(world: Any) -> None:
    outlet, car = world.pair()
    outlet.set_key(NMK)
    car.set_key(NMK, nid=bytes(7))  # the same NMK under another NID is another network
    world.run(10.0)
    car.send_ipv6(1)
    outlet.send_ipv6(2)
    outlet.send("CM_AMP_MAP.REQ", to=car, am_len=2, am_data=[1, 2])
    world.run()
    assert outlet.numbers == car.numbers == []
    assert "CM_AMP_MAP.REQ" not in car.names
    assert not outlet.modem.linked


def test_two_pairs_on_one_line_keep_to_themselves(world: Any) -> None:
    outlets = [world.host("evse") for _ in range(2)]
    cars = [world.host("ev") for _ in range(2)]
    for outlet, car, key in zip(outlets, cars, (b"a" * 16, b"b" * 16), strict=True):
        world.near(outlet, car)
        outlet.set_key(key)
        car.set_key(key)
    world.near(outlets[0], outlets[1], 20.0)
    world.run(10.0)
    cars[0].send_ipv6(1)
    cars[1].send_ipv6(2)
    world.run()
    assert [outlet.numbers for outlet in outlets] == [[1], [2]]
    assert [car.numbers for car in cars] == [[], []]


def test_a_new_key_at_the_outlet_ends_the_link(world: Any) -> None:
    outlet, car = world.pair()
    world.join(outlet, car)
    outlet.set_key(bytes(16))
    world.run(0.01)
    assert not car.modem.linked
    assert not outlet.modem.linked
    assert any(isinstance(event, Left) for event in world.events)
    world.run(10.0)
    assert not car.modem.linked


def test_a_modem_that_loses_power_is_gone_and_comes_back_with_its_key(world: Any) -> None:
    outlet, car = world.pair()
    world.join(outlet, car)
    car.modem.power(False, world.now)
    assert not outlet.modem.linked
    assert car.ask("VS_SW_VER.REQ") is None
    world.run(20.0)
    car.modem.power(True, world.now)
    assert car.ask("VS_SW_VER.REQ") is None  # it boots
    world.run(5.0)
    assert car.ask("VS_SW_VER.REQ") is not None
    assert outlet.modem.linked


def test_a_restart_in_the_middle_of_another_counts_once(world: Any) -> None:
    outlet, car = world.pair()
    outlet.set_key(NMK)
    car.set_key(bytes(16))
    world.run(0.5)
    car.set_key(NMK)
    world.run(1.4)
    assert not car.modem.linked
    world.run(1.0)
    assert car.modem.linked


def test_a_vehicle_without_a_coordinator_in_range_says_nothing(world: Any) -> None:
    outlet, car = world.pair()
    outlet.set_key(NMK)
    world.run(0.2)  # it restarts: no beacons
    car.send("CM_SLAC_PARM.REQ", run_id=RUN)
    world.run(0.5)
    assert "CM_SLAC_PARM.REQ" not in outlet.names
    assert not any(isinstance(event, Carried) for event in world.events)
    world.run(1.0)
    car.send("CM_SLAC_PARM.REQ", run_id=RUN)
    world.run(0.5)
    assert "CM_SLAC_PARM.REQ" in outlet.names


def test_each_side_hears_only_the_other(world: Any) -> None:
    outlet, neighbour = world.host("evse"), world.host("evse")
    car, other = world.host("ev"), world.host("ev")
    for a in (outlet, neighbour):
        for b in (car, other):
            world.near(a, b)
    car.send("CM_SLAC_PARM.REQ", run_id=RUN)
    car.send("CM_MNBC_SOUND.IND", run_id=RUN)
    outlet.send("CM_ATTEN_CHAR.IND", run_id=RUN, aag=[1])
    world.run()
    assert other.names == car.names == ["CM_ATTEN_CHAR.IND"]
    assert neighbour.names == outlet.names
    assert neighbour.names[:2] == ["CM_SLAC_PARM.REQ", "CM_MNBC_SOUND.IND"]


def test_what_is_for_one_host_reaches_no_other(world: Any) -> None:
    outlet, car, other = world.host("evse"), world.host("ev"), world.host("ev")
    world.near(outlet, car)
    world.near(outlet, other)
    outlet.send("CM_SLAC_PARM.CNF", to=car, run_id=RUN)
    world.join(outlet, car, other)
    outlet.send("CM_SLAC_PARM.CNF", to=car, run_id=RUN)
    outlet.send_ipv6(1, to=car)
    car.send_ipv6(2, to=bytes.fromhex("020000000077"))  # nobody knows that one: all get it
    world.run()
    assert other.numbers == [2]
    assert outlet.numbers == [2]
    assert car.names[0] == "CM_SLAC_PARM.CNF"
    assert car.numbers == [1]
    assert "CM_SLAC_PARM.CNF" not in other.names


def test_a_qca7420_for_vehicles_overhears_what_stations_say_and_no_more(world: Any) -> None:
    outlet, car = world.host("evse"), world.host("ev")
    third, ordinary = world.host("ev", family="qca7420"), world.host("ev")
    for each in (car, third, ordinary):
        world.near(outlet, each)
    for name in ("CM_SLAC_PARM.CNF", "CM_ATTEN_CHAR.IND", "CM_SLAC_MATCH.CNF"):
        outlet.send(name, to=car, run_id=RUN)
    car.send("CM_SLAC_MATCH.REQ", to=outlet, run_id=RUN)
    world.run()
    assert third.names == ["CM_SLAC_PARM.CNF", "CM_ATTEN_CHAR.IND", "CM_SLAC_MATCH.CNF"]
    assert ordinary.names == []
    world.join(outlet, car, third)
    outlet.send_ipv6(1, to=car)
    car.send_ipv6(2, to=outlet)
    car.send_ipv6(3)
    world.run()
    assert third.numbers == [3]  # of the network, what goes to all


def test_a_listener_hears_all_that_it_can_decrypt(world: Any) -> None:
    outlet, car, listener = world.host("evse"), world.host("ev"), world.host("ev", listens=True)
    world.near(outlet, car)
    world.near(outlet, listener)
    outlet.send("CM_SLAC_PARM.CNF", to=car, run_id=RUN)
    for _ in range(3):
        car.send("CM_START_ATTEN_CHAR.IND", run_id=RUN)
    car.send("CM_MNBC_SOUND.IND", run_id=RUN)
    world.run()
    assert sorted(listener.names) == ["CM_MNBC_SOUND.IND", "CM_SLAC_PARM.CNF", *["CM_START_ATTEN_CHAR.IND"] * 3]
    world.join(outlet, car)
    outlet.send_ipv6(1, to=car)
    world.run()
    assert listener.numbers == []  # it has not the key
    world.join(outlet, car, listener)
    outlet.send_ipv6(2, to=car)
    car.send_ipv6(3, to=outlet)
    world.run()
    assert sorted(listener.numbers) == [2, 3]


def test_a_sound_comes_with_its_profile(world: Any) -> None:
    outlet, car = world.pair()
    car.send("CM_MNBC_SOUND.IND", run_id=RUN)
    world.run()
    sound, profile, vendor = outlet.mmes
    assert (sound.name, sound.source) == ("CM_MNBC_SOUND.IND", car.mac)
    assert (profile.name, profile.source) == ("CM_ATTEN_PROFILE.IND", outlet.modem.mac)
    assert profile.destination == BROADCAST
    assert profile.fields["pev_mac"] == car.mac
    assert vendor.name == "VS_ATTENUATION_CHARACTERISTICS.IND"
    assert vendor.fields["aag"] == profile.fields["aag"]


@pytest.mark.parametrize(
    ("quirks", "names"),
    [
        ({"vendor_profile": False}, ["CM_MNBC_SOUND.IND", "CM_ATTEN_PROFILE.IND"]),
        ({"vendor_profile": False, "profile_first": True}, ["CM_ATTEN_PROFILE.IND", "CM_MNBC_SOUND.IND"]),
        ({"profile_loss": 1.0}, ["CM_MNBC_SOUND.IND"]),
    ],
)
def test_quirks_of_measuring(world: Any, quirks: dict[str, Any], names: list[str]) -> None:
    outlet, car = world.pair(**quirks)
    car.send("CM_MNBC_SOUND.IND", run_id=RUN)
    world.run()
    assert outlet.names == names


def test_a_modem_that_does_not_measure_gives_no_groups(world: Any) -> None:
    outlet, car = world.pair(family="qca7420")
    car.send("CM_MNBC_SOUND.IND", run_id=RUN)
    world.run()
    assert [mme.fields["aag"] for mme in outlet.mmes if "aag" in mme.fields] == [[], []]


@pytest.mark.parametrize(("first_only", "number"), [(True, 1), (False, 3)])
def test_how_many_start_indications_come_through(world: Any, first_only: bool, number: int) -> None:
    outlet, car = world.pair(first_start_only=first_only)
    for _ in range(3):
        car.send("CM_START_ATTEN_CHAR.IND", forwarding_sta=car.mac, run_id=RUN)
        world.run(0.025)
    assert len(outlet.heard) == number
    world.run(2.0)
    car.send("CM_START_ATTEN_CHAR.IND", forwarding_sta=car.mac, run_id=RUN)  # of another try
    car.send("CM_START_ATTEN_CHAR.IND", forwarding_sta=car.mac, run_id=b"run id 2")
    world.run()
    assert len(outlet.heard) == number + 2


def test_a_tagged_frame_stays_tagged(world: Any) -> None:
    outlet, car = world.pair()
    car.send("CM_SLAC_PARM.REQ", run_id=RUN, vlan=5)
    assert car.ask("CM_GET_KEY.REQ", vlan=5).vlan == 5
    world.run()
    assert outlet.mmes[0].vlan == 5


# Keys


@pytest.mark.parametrize("to", ["own", "local", "broadcast"])
def test_set_key_is_confirmed_and_obeyed(world: Any, to: str) -> None:
    _, car = world.pair()
    address = {"own": car.modem.mac, "local": LOCAL, "broadcast": BROADCAST}[to]
    nid = slac.keys.nid_from_nmk(NMK)
    answer = car.ask("CM_SET_KEY.REQ", to=address, my_nonce=b"abcd", nid=nid, new_key=NMK)
    assert answer.name == "CM_SET_KEY.CNF"
    assert (answer.source, answer.destination) == (car.modem.mac, car.mac)
    assert (answer.fields["result"], answer.fields["pmn"]) == (1, 0xFF)
    assert answer.fields["your_nonce"] == b"abcd"
    assert answer.fields["my_nonce"] != bytes(4)
    assert (car.modem.nmk, car.modem.nid) == (NMK, nid)


def test_what_set_key_is_answered_can_be_chosen(world: Any) -> None:
    by_the_book, silent = world.host("evse", set_key_result=0), world.host("evse", set_key_result=None)
    assert by_the_book.ask("CM_SET_KEY.REQ", new_key=NMK, nid=bytes(7)).fields["result"] == 0
    assert silent.ask("CM_SET_KEY.REQ", new_key=NMK, nid=bytes(7)) is None
    assert silent.modem.nmk == NMK


def test_another_kind_of_key_is_refused(world: Any) -> None:
    _, car = world.pair()
    before = car.modem.nmk
    assert car.ask("CM_SET_KEY.REQ", key_type=0, new_key=NMK).fields["result"] == 0
    assert car.modem.nmk == before


def test_another_member_answers_too_but_neither_takes_nor_tells_a_key(world: Any) -> None:
    outlet, car = world.pair()
    world.join(outlet, car)
    car.send("CM_GET_KEY.REQ", requested_key_type=1)
    car.send("VS_SW_VER.REQ")
    world.run()
    answers = {(mme.name, mme.source): mme.fields for mme in car.mmes}
    assert answers["CM_GET_KEY.CNF", car.modem.mac]["key"] == car.modem.nmk
    assert answers["CM_GET_KEY.CNF", car.modem.mac]["result"] == 0
    assert answers["CM_GET_KEY.CNF", outlet.modem.mac]["key"] == bytes(16)
    assert answers["CM_GET_KEY.CNF", outlet.modem.mac]["result"] == 1
    assert ("VS_SW_VER.CNF", outlet.modem.mac) in answers
    assert outlet.heard == []  # its host is not bothered
    car.send("CM_SET_KEY.REQ", to=outlet.modem.mac, nid=bytes(7), new_key=bytes(16))
    world.run()
    assert car.mmes[-1].source == outlet.modem.mac
    assert car.mmes[-1].fields["result"] == 0
    assert outlet.modem.linked


def test_the_local_address_is_never_forwarded(world: Any) -> None:
    outlet, car = world.pair()
    world.join(outlet, car)
    car.send("VS_SW_VER.REQ", to=LOCAL)
    car.send("CM_SET_KEY.REQ", to=LOCAL, nid=bytes(7), new_key=bytes(16))
    world.run()
    assert outlet.heard == []
    assert {mme.source for mme in car.mmes} == {car.modem.mac}


# Anything


def test_rubbish_does_no_harm(world: Any) -> None:
    outlet, car = world.pair()
    world.join(outlet, car)
    for length in range(80):
        for head in (b"", BROADCAST + car.mac + b"\x88\xe1", LOCAL + car.mac + b"\x88\xe1\x01\x08\x60\x00\x00"):
            car.modem.from_host((head + bytes(80))[:length], world.now)
    car.modem.from_host(BROADCAST + BROADCAST + b"\x86\xdd" + bytes(46), world.now)
    world.run()
    assert car.modem.linked
    assert set(car.modem.hosts) == {car.mac, bytes(6)}


@given(data=st.data(), family=st.sampled_from(sorted(FAMILIES)), member=st.booleans())
@settings(max_examples=300)
def test_whatever_a_host_sends_does_no_harm(make_world: Any, data: st.DataObject, family: str, member: bool) -> None:
    world = make_world(seed=1)
    outlet, car = world.host("evse", family=family), world.host("ev", family=family)
    world.near(outlet, car)
    if member:
        world.join(outlet, car)
    for _ in range(data.draw(st.integers(1, 5))):
        host, peer = data.draw(st.sampled_from([(outlet, car), (car, outlet)]))
        to = data.draw(st.sampled_from([BROADCAST, LOCAL, host.modem.mac, peer.modem.mac, peer.mac]))
        number, oui = data.draw(st.sampled_from(sorted(BY_NUMBER, key=str)))
        head = data.draw(st.sampled_from(["00", "010000", "020000", "011000", "011100"]))
        kind = bytes.fromhex(head[:2]) + number.to_bytes(2, "little") + bytes.fromhex(head[2:])
        tag = data.draw(st.sampled_from([b"", bytes.fromhex("81000005")]))
        body = data.draw(st.binary(max_size=80))
        host.modem.from_host(to + host.mac + tag + b"\x88\xe1" + kind + (oui or b"") + body, world.now)
    world.run(20.0)
    assert world.line.next_deadline() is None


def test_only_so_many_addresses_are_remembered(world: Any) -> None:
    outlet, car = world.pair()
    for number in range(1000):
        car.modem.from_host(BROADCAST + b"\x02" + number.to_bytes(5, "big") + b"\x86\xdd" + bytes(46), world.now)
    assert len(car.modem.hosts) == 64
    del outlet


@pytest.mark.parametrize("family", ["qca7000", "qca7420"])  # the latter does not hear its host meanwhile
def test_what_a_modem_does_not_send_is_told(world: Any, family: str) -> None:
    outlet, car = world.host("evse"), world.host("ev", family=family)
    car.send("CM_SLAC_PARM.REQ", run_id=RUN)
    world.near(outlet, car)
    car.send("CM_SLAC_PARM.REQ", run_id=RUN)
    car.set_key(NMK)
    world.run(0.1)
    car.send("CM_SLAC_PARM.REQ", run_id=RUN)
    car.send_ipv6(1)
    car.modem.power(False, world.now)
    car.send("CM_SLAC_PARM.REQ", run_id=RUN)
    unsent = [event.why for event in world.events if isinstance(event, Unsent)]
    assert unsent == ["it hears no coordinator", "it restarts", "it is off"]
    assert outlet.names == ["CM_SLAC_PARM.REQ"]
