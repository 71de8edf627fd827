"""A host and its modem: who answers, one thing at a time, and a key that is really there."""

from __future__ import annotations

from typing import Any

import pytest

import slac
from slac.effects import Kind, Remark, Send
from slac.families import BROADCAST, FAMILIES, LOCAL, Network, Purpose, Pwm
from slac.modem import KEY_PATIENCE_S, Answer, KeySet, Modem
from slac.timing import Timers

HOST = bytes.fromhex("02aaaaaaaaaa")
MAC = bytes.fromhex("02bbbbbbbbbb")
REMOTE = bytes.fromhex("02cccccccccc")
NMK = bytes(range(16))
NID = slac.keys.nid_from_nmk(NMK)

IDENTITIES = {
    "Qualcomm": ("VS_SW_VER.CNF", {"version": "MAC-QCA7000"}),
    "Vertexcom": ("VS_GET_VERSION.CNF", {"av_stack_version": "MSE102x"}),
    "Lumissil": ("NSCM_GET_VERSION.CNF", {"version_major": 2}),
    "ST": ("STP_LINK_STATUS.CNF", {}),
    "HomePlug": ("CC_DISCOVER_LIST.CNF", {}),
}


class Talk:
    """A modem and what was said."""

    def __init__(self, family: str | None = None) -> None:
        self.modem = Modem(HOST)
        self.now = 0.0
        self.log: list[Any] = []
        if family:
            self.do(self.modem.identify(0.0))
            self.hear(IDENTITIES[family][0], **IDENTITIES[family][1])
            self.wait(1.0)
            self.log.clear()

    def do(self, effects: list[Any]) -> None:
        self.log += effects

    def hear(self, name: str, *, source: bytes = MAC, mmv: int | None = None, **fields: Any) -> None:
        frame = slac.make(name, destination=HOST, source=source, mmv=mmv, **fields)
        self.do(self.modem.receive(slac.parse(frame), self.now))

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (deadline := self.modem.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.do(self.modem.expire(self.now))
        self.now = end

    def ask(self, purpose: Purpose, **fields: Any) -> None:
        self.do(self.modem.ask(purpose, self.now, **fields))

    @property
    def sent(self) -> list[slac.Mme]:
        return [slac.parse(each.frame) for each in self.log if isinstance(each, Send)]

    @property
    def answers(self) -> list[Answer]:
        return [each for each in self.log if isinstance(each, Answer)]

    @property
    def remarks(self) -> list[Remark]:
        return [each for each in self.log if isinstance(each, Remark)]


@pytest.mark.parametrize("family", IDENTITIES)
def test_each_family_is_found(family: str) -> None:
    talk = Talk()
    talk.do(talk.modem.identify(0.0))
    asked = {(mme.name, mme.destination) for mme in talk.sent}
    assert asked == {(f"{each.asks[Purpose.IDENTIFY].name}.REQ", each.address) for each in FAMILIES}
    talk.hear(IDENTITIES[family][0], **IDENTITIES[family][1])
    talk.wait(1.0)
    [answer] = talk.answers
    assert answer.value.family.name == family
    assert answer.value.mac == MAC
    assert talk.modem.next_deadline() is None


def test_both_framings_of_lumissil_are_tried() -> None:
    talk = Talk()
    talk.do(talk.modem.identify(0.0))
    assert {mme.mmv for mme in talk.sent if mme.name == "NSCM_GET_VERSION.REQ"} == {0, 1}
    talk.hear("NSCM_GET_VERSION.CNF", mmv=0)
    assert talk.modem.identity is not None
    talk.hear("NSCM_GET_VERSION.CNF", mmv=1)
    assert not talk.remarks


def test_a_maker_says_more_than_the_standard() -> None:
    talk = Talk()
    talk.do(talk.modem.identify(0.0))
    talk.hear("CC_DISCOVER_LIST.CNF")
    talk.hear("VS_SW_VER.CNF")
    assert talk.answers[0].value.family.name == "Qualcomm"


def test_no_modem() -> None:
    talk = Talk()
    talk.do(talk.modem.identify(0.0))
    talk.wait(10)
    assert talk.answers == [Answer(Purpose.IDENTIFY, None)]
    assert len([mme for mme in talk.sent if mme.name == "VS_SW_VER.REQ"]) == 4


@pytest.mark.parametrize(
    ("family", "name", "fields", "value"),
    [
        ("Qualcomm", "VS_PL_LNK_STATUS", {"link_status": 1}, True),
        ("Vertexcom", "VS_GET_STATUS", {"link_state": 2}, False),
        ("Lumissil", "NSCM_GET_D_LINK_STATUS", {"link_status": 1}, True),
        ("ST", "STP_LINK_STATUS", {"link_status": 0}, False),
        ("HomePlug", "CC_DISCOVER_LIST", {"stas": [{"same_network": 1}]}, True),
    ],
)
def test_link(family: str, name: str, fields: dict[str, Any], value: bool) -> None:
    talk = Talk(family)
    talk.ask(Purpose.LINK)
    assert [(mme.name, mme.destination) for mme in talk.sent] == [(f"{name}.REQ", MAC)]
    talk.hear(f"{name}.CNF", **fields)
    assert talk.answers == [Answer(Purpose.LINK, value)]


@pytest.mark.parametrize(
    ("family", "name", "mmv", "fields", "value"),
    [
        ("Qualcomm", "VS_NW_INFO", 0, {"avlns": [{"nid": NID, "role": 2, "cco_mac": MAC}]}, Network(NID, MAC, True)),
        (
            "Qualcomm",
            "VS_NW_INFO",
            1,
            {"avlns": [{"nid": NID, "cco_mac": REMOTE, "stas": [{"mac": REMOTE}]}]},
            Network(NID, REMOTE, False, (REMOTE,)),
        ),
        ("Qualcomm", "VS_NW_INFO", 0, {}, Network(b"")),
        (
            "Vertexcom",
            "VS_GET_NW_INFO",
            1,
            {"nid": NID, "cco_mac": REMOTE, "stas": [{"mac": REMOTE}]},
            Network(NID, REMOTE, False, (REMOTE,)),
        ),
        ("Vertexcom", "VS_GET_NW_INFO", 1, {"nid": NID, "cco_mac": MAC}, Network(NID, MAC, True)),
        ("Vertexcom", "VS_GET_NW_INFO", 1, {"nid": NID}, Network(b"")),  # it has a key and has not joined
        ("Lumissil", "CM_NW_INFO", 1, {"nwinfo": [{"nid": NID, "station_role": 2}]}, Network(NID, bytes(6), True)),
        ("ST", "CM_NW_INFO", 1, {}, Network(b"")),
    ],
)
def test_network(family: str, name: str, mmv: int, fields: dict[str, Any], value: Network) -> None:
    talk = Talk(family)
    talk.ask(Purpose.NETWORK)
    talk.hear(f"{name}.CNF", mmv=mmv, **fields)
    assert talk.answers == [Answer(Purpose.NETWORK, value)]


def test_pwm_is_measured_by_some() -> None:
    talk = Talk("Vertexcom")
    talk.ask(Purpose.PWM)
    talk.hear("VS_GET_PWM_STATS.CNF", frequency=1000, duty_cycle=50, voltage=9000)
    talk.hear("VS_GET_PWM_STATS.IND", frequency=1000, duty_cycle=1000, voltage=6000)
    talk.ask(Purpose.SET_PWM, op_code=3, mode=1, method=1)
    assert talk.sent[-1].fields["op_code"] == 3
    talk.hear("VS_SET_PWM_CONF.CNF", result=0)
    assert [each.value for each in talk.answers] == [Pwm(1000, 5.0, 9.0), Pwm(1000, 100.0, 6.0), {"result": 0}]
    other = Talk("Qualcomm")
    other.ask(Purpose.PWM)
    assert other.answers == [Answer(Purpose.PWM, None)]
    assert not other.sent


def test_reset_is_not_answered_by_all() -> None:
    for family, name in (("Qualcomm", "VS_RS_DEV"), ("Vertexcom", "VS_RESET"), ("Lumissil", "NSCM_RESET_DEVICE")):
        talk = Talk(family)
        talk.ask(Purpose.RESET)
        if family != "Lumissil":
            talk.hear(f"{name}.CNF")
        talk.wait(0.1)
        assert [mme.name for mme in talk.sent] == [f"{name}.REQ"]
        assert [each.purpose for each in talk.answers] == [Purpose.RESET]


# Keys


@pytest.mark.parametrize("result", [0, 1])
def test_a_key(result: int) -> None:
    talk = Talk("Qualcomm")
    talk.do(talk.modem.set_key(NID, NMK, talk.now))
    [request] = talk.sent
    assert (request.fields["nid"], request.fields["new_key"], request.fields["pid"]) == (NID, NMK, 4)
    talk.hear("CM_SET_KEY.CNF", result=result)
    assert talk.answers == [Answer(Purpose.SET_KEY, KeySet(NID, NMK, True, None))]


def test_results_can_be_told_apart() -> None:
    talk = Talk("Qualcomm")
    talk.modem.accepted = (1,)
    talk.do(talk.modem.set_key(NID, NMK, talk.now))
    talk.hear("CM_SET_KEY.CNF", result=0)
    assert talk.answers[0].value.confirmed is False


def test_a_key_without_answer() -> None:
    talk = Talk("Qualcomm")
    talk.do(talk.modem.set_key(NID, NMK, talk.now))
    talk.wait(20)
    assert len(talk.sent) == 3
    assert talk.answers == [Answer(Purpose.SET_KEY, KeySet(NID, NMK, False, None))]
    talk.hear("CM_SET_KEY.CNF", result=1)
    assert talk.remarks[-1].kind is Kind.UNEXPECTED


def test_a_key_is_read_back_after_the_restart() -> None:
    talk = Talk("Qualcomm")
    talk.do(talk.modem.set_key(NID, NMK, talk.now, verify=True))
    talk.hear("CM_SET_KEY.CNF", result=1)
    talk.wait(5.0)  # it restarts
    assert not talk.answers
    talk.hear("CM_GET_KEY.CNF", nid=NID, key=NMK)
    assert talk.answers[0].value == KeySet(NID, NMK, True, True)


def test_a_key_that_is_not_there_is_set_again() -> None:
    talk = Talk("Qualcomm")
    talk.do(talk.modem.set_key(NID, NMK, talk.now, verify=True))
    talk.hear("CM_SET_KEY.CNF", result=1)
    talk.hear("CM_GET_KEY.CNF", nid=bytes(7), key=bytes(16))
    talk.hear("CM_SET_KEY.CNF", result=1)
    assert [mme.name for mme in talk.sent] == ["CM_SET_KEY.REQ", "CM_GET_KEY.REQ", "CM_SET_KEY.REQ"]
    assert talk.answers[0].value.confirmed


def test_a_modem_that_does_not_show_its_key() -> None:
    talk = Talk("Qualcomm")
    talk.do(talk.modem.set_key(NID, NMK, talk.now, verify=True))
    talk.hear("CM_SET_KEY.CNF", result=1)
    talk.hear("CM_GET_KEY.CNF", result=1)
    assert talk.answers[0].value == KeySet(NID, NMK, True, None)


def test_two_keys_are_never_pending() -> None:
    talk = Talk("Qualcomm")
    others = [bytes([number]) * 16 for number in range(3)]
    for nmk in (NMK, *others):
        talk.do(talk.modem.set_key(NID, nmk, talk.now))
    assert len(talk.sent) == 1
    talk.hear("CM_SET_KEY.CNF", result=1)
    assert [mme.fields["new_key"] for mme in talk.sent] == [NMK, others[-1]]
    talk.hear("CM_SET_KEY.CNF", result=1)
    assert [each.value.nmk for each in talk.answers] == [NMK, others[-1]]
    assert not talk.modem.busy


def test_a_newer_key_does_not_wait_until_the_older_is_read_back() -> None:
    talk = Talk("Qualcomm")
    talk.do(talk.modem.set_key(NID, NMK, talk.now, verify=True))
    talk.hear("CM_SET_KEY.CNF", result=1)
    talk.do(talk.modem.set_key(NID, bytes(16), talk.now, verify=True))
    assert talk.sent[-1].fields["new_key"] == bytes(16)


def test_requests_wait_for_each_other() -> None:
    talk = Talk("Qualcomm")
    talk.do(talk.modem.set_key(NID, NMK, talk.now))
    talk.ask(Purpose.LINK)
    talk.do(talk.modem.watch(0.5, talk.now))
    assert [mme.name for mme in talk.sent] == ["CM_SET_KEY.REQ"]
    talk.wait(KEY_PATIENCE_S / 2)
    talk.hear("CM_SET_KEY.CNF", result=1)
    assert [mme.name for mme in talk.sent] == ["CM_SET_KEY.REQ", "VS_PL_LNK_STATUS.REQ"]


# Watching


def test_the_link_is_watched() -> None:
    talk = Talk("Qualcomm")
    talk.do(talk.modem.watch(0.5, talk.now))
    for up in (1, 0):
        talk.hear("VS_PL_LNK_STATUS.CNF", link_status=up)
        talk.wait(0.5)
    talk.wait(0.4)  # the third is not answered
    assert [each.value for each in talk.answers] == [True, False, None]
    talk.do(talk.modem.watch(None, talk.now))
    talk.wait(10)
    assert talk.modem.next_deadline() is None


@pytest.mark.parametrize(
    ("family", "name", "fields", "values"),
    [
        ("Lumissil", "NSCM_HOST_MESSAGE_STATUS.IND", {"host_message_status": 1}, []),
        ("Lumissil", "NSCM_HOST_MESSAGE_STATUS.IND", {"host_message_status": 2}, [True]),
        ("Lumissil", "NSCM_HOST_MESSAGE_STATUS.IND", {"host_message_status": 3}, [False]),
        ("Lumissil", "NSCM_D_LINK_READY.IND", {"status": 1}, [True]),
        ("ST", "STP_LINK_STATUS.IND", {"link_status": 1}, [True]),
        ("ST", "STP_CPSTATE.IND", {"pwm_freq": 1000, "pwm_duty": 5, "cp_voltage": 9000}, [Pwm(1000, 5, 9.0)]),
    ],
)
def test_what_modems_tell_unasked(family: str, name: str, fields: dict[str, Any], values: list[Any]) -> None:
    talk = Talk(family)
    talk.hear(name, **fields)
    assert [each.value for each in talk.answers] == values


def test_answers_of_other_modems_are_not_taken() -> None:
    """In a network, remote modems answer what is sent to all."""
    talk = Talk("Qualcomm")
    talk.ask(Purpose.LINK)
    talk.hear("VS_PL_LNK_STATUS.CNF", source=REMOTE, link_status=1)
    assert not talk.answers
    assert talk.remarks[0].kind is Kind.FOREIGN


def test_that_remote_modems_answer_who_they_are_is_no_news() -> None:
    talk = Talk("Qualcomm")
    own = talk.modem.identity
    talk.hear("VS_GET_VERSION.CNF", source=REMOTE)
    assert talk.log == []
    assert talk.modem.identity is own


def test_host_actions_are_remarked_once() -> None:
    talk = Talk("Qualcomm")
    for _ in range(5):
        talk.hear("VS_HOST_ACTION.IND", host_action=0)
    [remark] = talk.remarks
    assert "firmware" in remark.text


def test_a_modem_that_is_not_known_yet_is_addressed_locally() -> None:
    talk = Talk()
    talk.do(talk.modem.set_key(NID, NMK, 0.0))
    assert talk.sent[0].destination == LOCAL
    assert BROADCAST in {family.address for family in FAMILIES}


def test_timers() -> None:
    timers = Timers()
    assert timers.next() is timers.pop(5.0) is None
    timers.start("b", 0.0, 2.0)
    timers.start("a", 0.0, 1.0, of=7)
    assert "a" in timers
    assert timers.next() == 1.0
    assert timers.pop(0.5) is None
    assert timers.pop(2.0) == ("a", 7)
    timers.start("c", 2.0, 1.0, of=7)
    timers.cancel_of(7)
    timers.cancel("b", "never")
    assert timers.next() is None


def test_the_key_that_a_modem_holds() -> None:
    talk = Talk("Qualcomm")
    talk.ask(Purpose.HELD_KEY)
    assert [mme.name for mme in talk.sent] == ["CM_GET_KEY.REQ"]
    talk.hear("CM_GET_KEY.CNF", result=0, nid=NID, key=NMK)
    talk.ask(Purpose.HELD_KEY)
    talk.hear("CM_GET_KEY.CNF", result=1, nid=NID)
    assert talk.answers == [Answer(Purpose.HELD_KEY, NMK), Answer(Purpose.HELD_KEY, None)]
