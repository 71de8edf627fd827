"""What each family of modems answers its host, and tells it unasked."""

from __future__ import annotations

from typing import Any

import pytest

import slac
from slac.powerline import FAMILIES, PilotWire

NMK = bytes(range(16))
RESET = {
    "qca7000": "VS_RS_DEV.REQ",
    "qca7420": "VS_RS_DEV.REQ",
    "mse102x": "VS_RESET.REQ",
    "cg5317": "NSCM_RESET_DEVICE.REQ",
    "st": None,
}
LINK = {
    "qca7000": ("VS_PL_LNK_STATUS.REQ", "link_status"),
    "qca7420": ("VS_PL_LNK_STATUS.REQ", "link_status"),
    "mse102x": ("VS_GET_STATUS.REQ", "link_state"),
    "cg5317": ("NSCM_GET_D_LINK_STATUS.REQ", "link_status"),
    "st": ("STP_LINK_STATUS.REQ", "link_status"),
}
IDENTITY = {
    "VS_SW_VER.REQ": {"qca7000", "qca7420"},
    "VS_OP_ATTRIBUTES.REQ": {"qca7000", "qca7420"},
    "VS_GET_VERSION.REQ": {"mse102x"},
    "NSCM_GET_VERSION.REQ": {"cg5317"},
    "STP_LINK_STATUS.REQ": {"st"},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_answer_of_every_family_can_be_built(world: Any, family: str) -> None:
    host = world.host("evse", family=family)
    for name in FAMILIES[family].answers:
        if name.endswith(".REQ"):
            fields: dict[str, Any] = {"am_len": 2, "am_data": [1, 2]} if name == "CM_AMP_MAP.REQ" else {}
            answer = host.ask(name, to=host.modem.mac, **fields)
            if name == "NSCM_RESET_DEVICE.REQ":
                assert answer is None
            else:
                assert answer.name == name.replace("REQ", "CNF"), name
                assert answer.note == ""
                assert answer.source == host.modem.mac
                assert answer.build().ljust(60, b"\0") == host.heard[0].frame
            world.run(20.0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", IDENTITY)
def test_only_its_own_family_answers(world: Any, family: str, name: str) -> None:
    host = world.host("ev", family=family)
    assert (host.ask(name, to=b"\xff" * 6) is not None) == (family in IDENTITY[name])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_local_address_is_known_to_most(world: Any, family: str) -> None:
    host = world.host("ev", family=family)
    assert (host.ask("CM_GET_KEY.REQ") is None) == (family == "mse102x")
    assert host.ask("CM_GET_KEY.REQ", to=host.modem.mac).fields["key"] == host.modem.nmk


@pytest.mark.parametrize("family", FAMILIES)
def test_the_link_is_told_at_both_ends(world: Any, family: str) -> None:
    outlet, car = world.host("evse", family=family), world.host("ev", family=family)
    world.near(outlet, car)
    name, field = LINK[family]
    assert [host.ask(name, to=host.modem.mac).fields[field] == 1 for host in (outlet, car)] == [False, False]
    world.join(outlet, car)
    assert [host.ask(name, to=host.modem.mac).fields[field] for host in (outlet, car)] == [1, 1]
    car.modem.power(False, world.now)
    world.run()
    assert outlet.ask(name, to=outlet.modem.mac).fields[field] != 1


@pytest.mark.parametrize("family", [family for family, name in RESET.items() if name])
def test_a_reset_takes_the_modem_away_for_a_while(world: Any, family: str) -> None:
    outlet, car = world.host("evse", family=family), world.host("ev")
    world.near(outlet, car)
    world.join(outlet, car)
    outlet.ask(RESET[family], to=outlet.modem.mac)
    assert not car.modem.linked
    assert outlet.ask("CM_GET_KEY.REQ", to=outlet.modem.mac) is None
    world.run(FAMILIES[family].boot_s + 2.0)
    assert car.modem.linked
    assert outlet.ask("CM_GET_KEY.REQ", to=outlet.modem.mac) is not None


def test_what_is_heard_of_others_is_told(world: Any) -> None:
    outlet, car = world.pair(db=20.0)
    neighbour = world.host("evse")
    world.near(outlet, neighbour, 30.0)
    told = car.ask("CC_DISCOVER_LIST.REQ").fields
    assert [(each["mac"], each["same_network"], each["signal_level"]) for each in told["stas"]] == [
        (outlet.modem.mac, 0, 4),
        (neighbour.modem.mac, 0, 10),
    ]
    assert [each["nid"] for each in told["nets"]] == [outlet.modem.nid, neighbour.modem.nid]
    world.join(outlet, car)
    told = car.ask("CC_DISCOVER_LIST.REQ").fields
    assert [each["same_network"] for each in told["stas"]] == [1, 0]
    assert [each["nid"] for each in told["nets"]] == [neighbour.modem.nid]
    outlet.modem.power(False, world.now)
    neighbour.modem.power(False, world.now)
    told = car.ask("CC_DISCOVER_LIST.REQ").fields
    assert told["stas"] == told["nets"] == []


# Qualcomm


def test_qualcomm_sets_a_key_in_its_own_way(world: Any) -> None:
    host = world.host("evse")
    assert host.ask("VS_SET_KEY.REQ", eks=1, nmk=NMK, peks=0x0F).fields["mstatus"] == 0
    assert (host.modem.nmk, host.modem.nid) == (NMK, slac.keys.nid_from_nmk(NMK))
    assert host.ask("VS_SET_KEY.REQ", eks=3, peks=0x0F).fields["mstatus"] == 0x10
    assert host.ask("VS_SET_KEY.REQ", eks=1, peks=0).fields["mstatus"] == 0x11
    assert host.modem.nmk == NMK


@pytest.mark.parametrize("mmv", [0, 1])
def test_qualcomm_tells_its_network_in_both_layouts(world: Any, mmv: int) -> None:
    outlet, car = world.pair()
    [alone] = outlet.ask("VS_NW_INFO.REQ", mmv=mmv).fields["avlns"]
    assert alone["stas"] == []
    world.join(outlet, car)
    answer = outlet.ask("VS_NW_INFO.REQ", mmv=mmv)
    assert answer.mmv == mmv
    [network] = answer.fields["avlns"]
    assert (network["role"], network["cco_mac"]) == (2, outlet.modem.mac)
    [station] = network["stas"]
    assert (station["mac"], station["bda"]) == (car.modem.mac, car.mac)
    [network] = car.ask("VS_NW_INFO.REQ", mmv=mmv).fields["avlns"]
    assert (network["role"], network["cco_mac"], network["nid"]) == (0, outlet.modem.mac, car.modem.nid)
    car.set_key(bytes(16))
    world.run(0.1)
    assert car.ask("VS_NW_INFO.REQ", mmv=mmv).fields["avlns"] == []


def test_a_qca7420_hears_nothing_while_it_restarts(world: Any) -> None:
    quick, slow = world.host("evse"), world.host("evse", family="qca7420")
    for host in (quick, slow):
        host.set_key(NMK)
    world.run(0.1)
    assert quick.ask("VS_PL_LNK_STATUS.REQ") is not None
    assert slow.ask("VS_PL_LNK_STATUS.REQ") is None
    world.run(5.0)
    assert slow.ask("VS_PL_LNK_STATUS.REQ") is not None


def test_a_modem_without_flash_asks_for_firmware_until_it_is_answered(world: Any) -> None:
    host = world.host("ev")
    host.modem.ask_host(0, world.now)
    world.run(3.5)
    assert host.names == ["VS_HOST_ACTION.IND"] * 4
    host.send("VS_HOST_ACTION.RSP", to=host.modem.mac)
    world.run(3.5)
    assert len(host.heard) == 4
    host.modem.ask_host(4, world.now)
    world.run(1000.0)
    assert len(host.heard) == 54  # nobody is there: it gives up


# Vertexcom


def vertexcom(world: Any) -> tuple[Any, PilotWire]:
    pilot = PilotWire("A", 100.0)
    return world.host("evse", family="mse102x", pilot=pilot), pilot


def test_vertexcom_measures_the_control_pilot(world: Any) -> None:
    host, pilot = vertexcom(world)

    def measured() -> tuple[int, ...]:
        fields = host.ask("VS_GET_PWM_STATS.REQ", to=host.modem.mac).fields
        return tuple(fields[name] for name in ("result", "frequency", "duty_cycle", "voltage"))

    assert measured() == (2, 0, 0, 12000)
    pilot.change(0.0, state="B", duty=5.0)
    assert measured() == (0, 1000, 50, 9000)
    pilot.change(0.0, state="C")
    assert measured() == (0, 1000, 50, 6000)
    pilot.change(0.0, state="F")
    assert measured() == (2, 0, 0, 0)
    host.ask("VS_SET_PWM_CONF.REQ", to=host.modem.mac, op_code=0x01, mode=0)
    assert measured()[0] == 1


def test_vertexcom_pushes_what_it_is_asked_to_push(world: Any) -> None:
    host, pilot = vertexcom(world)
    pilot.change(0.0, state="B")
    world.run()
    assert host.heard == []
    settings = {"method": 1, "period": 20, "duty_threshold": 10, "volt_threshold": 1000, "cal_bias": 7}
    host.ask("VS_SET_PWM_CONF.REQ", to=host.modem.mac, op_code=0x32, mode=0, **settings)
    told = host.ask("VS_GET_PWM_CONF.REQ", to=host.modem.mac).fields
    assert told["mode"] == 1  # not selected by the operation code
    assert (told["method"], told["period"], told["duty_threshold"], told["cal_bias"]) == (1, 1000, 10, 0)
    host.heard.clear()
    for state, duty in (("B", 5.0), ("C", 5.0), ("C", 5.5), ("C", 100.0)):
        pilot.change(0.0, state=state, duty=duty)
    world.run()
    assert [(mme.name, mme.fields["result"]) for mme in host.mmes] == [
        ("VS_GET_PWM_STATS.IND", 0),  # the first
        ("VS_GET_PWM_STATS.IND", 4),
        ("VS_GET_PWM_STATS.IND", 3),
    ]
    assert [mme.fields["voltage"] for mme in host.mmes] == [9000, 6000, 6000]


def test_vertexcom_counts_frames(world: Any) -> None:
    host, _ = vertexcom(world)
    assert host.ask("VS_ETH_STATS.REQ", to=host.modem.mac).fields["rx_packets"] == 1
    assert host.ask("VS_ETH_STATS.REQ", to=host.modem.mac, command=1).fields["tx_packets"] == 1
    assert host.ask("VS_ETH_STATS.REQ", to=host.modem.mac).fields["rx_packets"] == 1


def test_vertexcom_tells_its_network(world: Any) -> None:
    outlet, car = world.host("evse", family="mse102x"), world.host("ev")
    world.near(outlet, car)
    world.join(outlet, car)
    told = outlet.ask("VS_GET_NW_INFO.REQ", to=outlet.modem.mac).fields
    assert (told["nid"], told["cco_mac"]) == (outlet.modem.nid, outlet.modem.mac)
    assert [station["mac"] for station in told["stas"]] == [car.modem.mac]


# Lumissil, ST


@pytest.mark.parametrize("mmv", [0, 1])
def test_lumissil_answers_in_the_framing_of_the_request(world: Any, mmv: int) -> None:
    host = world.host("ev", family="cg5317")
    answer = host.ask("NSCM_GET_VERSION.REQ", mmv=mmv, request_id=77)
    assert (answer.mmv, answer.fields["request_id"], answer.fields["version_major"]) == (mmv, 77, 1)


def test_lumissil_tells_its_host_where_it_stands(world: Any) -> None:
    outlet, car = world.host("evse"), world.host("ev", family="cg5317")
    world.near(outlet, car)
    outlet.set_key(NMK)
    car.set_key(NMK)
    world.run(5.0)
    outlet.set_key(bytes(16))
    world.run(5.0)
    told = [mme.fields["host_message_status"] for mme in car.mmes if mme.name == "NSCM_HOST_MESSAGE_STATUS.IND"]
    assert told == [1, 2, 3]


def test_st_tells_link_and_control_pilot(world: Any) -> None:
    pilot = PilotWire("A", 100.0)
    outlet, car = world.host("evse", family="st", pilot=pilot), world.host("ev")
    world.near(outlet, car)
    assert outlet.ask("STP_AUTH_SET_NMK.REQ", nmk=NMK).fields["status"] == 0
    car.set_key(NMK)
    outlet.heard.clear()
    world.run(5.0)
    assert [(mme.name, mme.fields["link_status"], mme.fields["dev_mode"]) for mme in outlet.mmes] == [
        ("STP_LINK_STATUS.IND", 1, 6)
    ]
    outlet.heard.clear()
    pilot.change(0.0, state="B", duty=5.0)
    world.run()
    [told] = outlet.mmes
    assert told.name == "STP_CPSTATE.IND"
    fields = ("cp_state", "pwm_duty", "pwm_freq", "cp_voltage")
    assert [told.fields[field] for field in fields] == [3, 5, 1000, 9000]


# Requests that nobody knows


def test_an_unknown_request_is_ignored_or_refused(world: Any) -> None:
    quiet, strict = world.host("ev"), world.host("ev", mme_error=True)
    assert quiet.ask("VS_GET_VERSION.REQ") is None
    refusal = strict.ask("VS_GET_VERSION.REQ")
    assert refusal.name == "CM_MME_ERROR.IND"
    assert (refusal.fields["err_reason"], refusal.fields["rx_mmtype"]) == (0, 0xA000)


def test_a_pilot_has_only_its_states() -> None:
    with pytest.raises(ValueError, match="no state 'X'"):
        PilotWire().change(0.0, state="X")
