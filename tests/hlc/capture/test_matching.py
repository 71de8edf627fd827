"""Matching runs as they come in captures: whole, with a step missing, with strangers in between, one half unheard."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from line import ALL, EV, EVSE, MODEM, NID, NMK, OTHER, OWN, RUN, Line

from hlc.capture.decoder import Decoder
from hlc.capture.files import Captured
from hlc.capture.lines import Lines
from hlc.capture.matchings import RUNS
from hlc.capture.report import MATCHINGS, JsonLines, JsonSummary
from slac.mme.registry import FORMATS


@pytest.fixture
def tell(decode: Callable[..., Any], to_pcap: Callable[..., bytes]) -> Callable[[Line], Any]:
    """Decode what was heard."""
    return lambda line: decode(to_pcap(line.script))


def notes(verdict: Any) -> str:
    return "\n".join(finding.text for finding in verdict.findings if not finding.cause)


def test_a_whole_run(tell: Callable[[Line], Any]) -> None:
    line = Line().set_key(EVSE).up_to_key().discovery(EV).discovery(EVSE, 0.1).silence(30)
    ((run, verdict),) = tell(line).matchings
    assert verdict.outcome == "matched"
    assert verdict.reason == "with 02:00:00:00:00:02 at 15.0 dB, link seen after 2.0 s (SECCDiscoveryReq)"
    assert (run.ev, run.run_id, run.number) == (EV, RUN, 1)
    assert run.sounds == set(range(10))
    (modem,) = run.modems.values()
    assert (modem.best.count, modem.attenuation) == (10, 25.0)
    assert run.derived
    assert not verdict.findings


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (Line().request(0.2, 45), "no station answered CM_SLAC_PARM.REQ (45 times in 8.8 s)"),
        (
            Line().request().answer(run_id=EV + b"\0\0").request().answer(run_id=EV + b"\0\0"),
            "02:00:00:00:00:02 answered CM_SLAC_PARM.REQ (2 times in 0.2 s) with another run id, 0200000000010000: "
            "the vehicle, whose run id is 5445534C41204556, ignores that",
        ),
        (Line().request().answer(), "the vehicle did not go on after CM_SLAC_PARM.CNF of 02:00:00:00:00:02"),
        (Line().request().answer().announce(), "no CM_MNBC_SOUND.IND followed CM_START_ATTEN_CHAR.IND"),
        (
            Line().request().answer().announce().sounds(measured=None),
            "no station reported an attenuation: no modem told of sounds that it heard",
        ),
        (
            Line().request().answer().announce().sounds(measured=()),
            "no station reported an attenuation: modem 02:00:00:00:00:04 heard the sounds and measured nothing",
        ),
        (
            Line().request().answer().announce().sounds(),
            "no station reported an attenuation, though modem 02:00:00:00:00:04 measured 25.0 dB",
        ),
        (
            Line().up_to_report().report(after=0.2).report(after=0.2),
            "the vehicle did not answer CM_ATTEN_CHAR.IND of 02:00:00:00:00:02",
        ),
        (
            Line().up_to_report().confirm(),
            "the vehicle asked for no match with 02:00:00:00:00:02 at 15.0 dB: "
            "it may have chosen a station that is not heard here",
        ),
        (
            Line().request().answer().announce().sounds().report(55).confirm(),
            "the vehicle asked for no match: none is near enough, 02:00:00:00:00:02 at 55.0 dB",
        ),
        (
            Line().up_to_report().report(18, OTHER).confirm().confirm(OTHER),
            "the vehicle asked for no match: stations at similar attenuation, "
            "02:00:00:00:00:02 at 15.0 dB, 02:00:00:00:00:03 at 18.0 dB",
        ),
        (
            Line()
            .up_to_report()
            .confirm()
            .say(0.1, "CM_VALIDATE.REQ", EV, EVSE, timer=5)
            .say(0.8, "CM_VALIDATE.CNF", EVSE, EV, result=3),
            "the vehicle asked for no match: 02:00:00:00:00:02 did not validate its toggles",
        ),
        (
            Line().up_to_report().confirm().ask().ask(after=0.2).ask(after=0.2),
            "02:00:00:00:00:02 did not answer CM_SLAC_MATCH.REQ: it gave no key",
        ),
        (
            Line().up_to_key().link(False).link(False, 10.0),
            "02:00:00:00:00:02 gave the key, but after 13.0 s there is still no link, 12 s allowed",
        ),
        (
            Line().up_to_key().set_key(EVSE, 12.5, bytes(16)),
            "02:00:00:00:00:02 gave the key, but the link did not come up: "
            "02:00:00:00:00:02 took another key after 12.5 s",
        ),
        (
            Line().up_to_key().say(1.0, "STP_CPSTATE.IND", EVSE, OWN, cp_state=1),
            "the link did not come up: the control pilot went to A after 1.0 s",
        ),
    ],
)
def test_the_missing_step_is_named(line: Line, words: str, tell: Callable[[Line], Any]) -> None:
    ((_, verdict),) = tell(line.silence(90)).matchings
    assert verdict.outcome == "failed"
    assert words in verdict.reason
    assert [finding.text for finding in verdict.findings if finding.cause] == [verdict.reason]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (Line().request(), "the capture ends before it was decided: no station answered"),
        (Line().up_to_key(), "gave the key; the capture ends before the link"),
        (Line().up_to_key().silence(80), "nothing in the capture tells whether the link came up"),
        (Line().answer().report(), "only a station's half is in the capture"),
        (Line().request().announce().sounds(measured=None).silence(30), "a station that is not heard here"),
    ],
)
def test_what_the_capture_does_not_show_is_no_failure(line: Line, words: str, tell: Callable[[Line], Any]) -> None:
    ((_, verdict),) = tell(line).matchings
    assert verdict.outcome == "unfinished"
    assert words in verdict.reason


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (Line().request().answer(0.3), "CM_SLAC_PARM.CNF took 0.300 s, 0.2 s allowed (TT_match_response)"),
        (Line().request().answer().announce(0.5), "CM_START_ATTEN_CHAR.IND took 0.500 s, 0.4 s allowed"),
        (Line().request().answer(num_sounds=8, resp_type=0), "wants 8 sounds in 600 ms, RESP_TYPE 0, where 10 sounds"),
        (Line().request().answer().announce(time_out=10), "announces 10 sounds in 1000 ms"),
        (Line().request().answer().announce().sounds(7), "7 of 10 sounds are in the capture"),
        (Line().request().answer().announce().sounds(10, 0.11), "0.110 s between two sounds"),
        (Line().request().answer().announce().sounds(10, 0.08), "4 sounds came later than 0.6 s after"),
        (Line().request().answer().announce().sounds().report(num_sounds=9), "counts 9 of 10 sounds"),
        (Line().request().answer().announce().sounds().report(0), "reports 0 dB in every group"),
        (Line().request().answer().announce().sounds(measured=()).report(9), "02 reports was not measured"),
        (Line().request().answer().announce().sounds().report(aag=[]), "reports no groups of carriers"),
        (Line().up_to_report().report(after=0.3).confirm(), "sent CM_ATTEN_CHAR.IND 2 times until it was answered"),
        (
            Line().up_to_report().report(12, OTHER).confirm().confirm(OTHER).ask().give(),
            "the vehicle chose 02:00:00:00:00:02 at 15.0 dB, though 02:00:00:00:00:03 at 12.0 dB is nearer",
        ),
        (
            Line().up_to_report().report(19, OTHER).confirm().confirm(OTHER).ask().give(),
            "02:00:00:00:00:03 at 19.0 dB is hardly farther than 02:00:00:00:00:02 at 15.0 dB",
        ),
        (Line().up_to_report().confirm().ask().give(nid=bytes(7)), "the NID does not follow from the NMK"),
        (Line().set_key(EVSE, nmk=bytes(16)).up_to_key(), "gave another key than it last set in its modem, in frame 1"),
        (Line().up_to_key().set_key(OTHER), "02:00:00:00:00:03 set this key in its modem; it is neither"),
        (
            Line().up_to_key().say(0.1, "CM_SET_KEY.REQ", EV, OWN, nid=NID, new_key=NMK),
            "no modem answered CM_SET_KEY.REQ of 02:00:00:00:00:01",
        ),
        (
            Line().up_to_report().confirm().answer(station=OTHER, run_id=bytes(8)),
            "CM_SLAC_PARM.CNF of 02:00:00:00:00:03 with another run id, 0000000000000000, once",
        ),
    ],
)
def test_what_is_worth_knowing(line: Line, words: str, tell: Callable[[Line], Any]) -> None:
    ((_, verdict),) = tell(line).matchings
    assert words in notes(verdict)


def test_a_run_begins_anew(tell: Callable[[Line], Any]) -> None:
    """With the same run id after sounding, with another one at any time; repeated requests are of the same run."""
    line = Line().request(0.2, 5).answer().request(0.01).answer().announce()
    line.request().answer().announce()
    line.request(run_id=b"another!")
    first, second, third = tell(line.silence(5)).matchings
    assert [run.number for run, _ in (first, second, third)] == [1, 2, 3]
    assert first[0].request.count == 6
    assert first[1].reason.endswith("no CM_MNBC_SOUND.IND followed CM_START_ATTEN_CHAR.IND; the vehicle began again")
    assert third[0].run_id == b"another!"


def test_plugged_in_again_with_the_same_run_id(tell: Callable[[Line], Any]) -> None:
    line = Line().up_to_key().discovery(EV).silence(100).up_to_key().discovery(EV)
    assert [verdict.outcome for _, verdict in tell(line).matchings] == ["matched", "matched"]


def test_a_vehicle_that_begins_again_has_no_link(tell: Callable[[Line], Any]) -> None:
    _, (_, verdict) = tell(Line().request(run_id=bytes(8)).up_to_key().request(14.0)).matchings[:2]
    assert verdict.reason.endswith("the link did not come up: the vehicle began again after 14.0 s")


@pytest.mark.parametrize(
    ("name", "fields", "linked"),
    [
        ("VS_PL_LNK_STATUS.CNF", {"link_status": 1}, True),
        ("CC_DISCOVER_LIST.CNF", {"stas": [{"same_network": 1}]}, True),
        ("CC_DISCOVER_LIST.CNF", {"stas": [{"same_network": 0}]}, False),
        ("VS_GET_STATUS.CNF", {"link_state": 1}, True),
        ("STP_LINK_STATUS.IND", {"link_status": 1}, True),
        ("NSCM_D_LINK_READY.IND", {"status": 1}, True),
        ("NSCM_HOST_MESSAGE_STATUS.IND", {"host_message_status": 1}, False),
        ("VS_NW_INFO.CNF", {"avlns": [{"nid": NID, "stas": [{}]}]}, True),
        ("VS_NW_INFO.CNF", {"avlns": [{"nid": bytes(7), "stas": [{}]}]}, False),
    ],
)
def test_what_shows_the_link(name: str, fields: Any, linked: bool, tell: Callable[[Line], Any]) -> None:
    ((run, verdict),) = tell(Line().up_to_key().say(2.0, name, MODEM, EVSE, **fields)).matchings
    assert (verdict.outcome == "matched") is linked
    assert (run.link is not None) is linked


def test_another_modem_that_answers_is_in_the_network(tell: Callable[[Line], Any]) -> None:
    line = Line().up_to_key().set_key(EV)
    line.say(1.0, "CM_GET_KEY.CNF", MODEM, EV, result=0, nid=NID)
    assert tell(line).matchings[0][1].outcome == "unfinished"
    line.say(1.0, "CM_GET_KEY.CNF", OTHER, EV, result=1, nid=NID)
    assert "CM_GET_KEY.CNF of 02:00:00:00:00:03" in tell(line).matchings[0][1].reason


def test_what_a_vehicle_says_into_the_void_is_no_link(tell: Callable[[Line], Any]) -> None:
    """In a capture made at the vehicle its request is there, heard or not; the station's answer shows the link."""
    line = Line().up_to_key().set_key(EV).discovery(EV)
    assert tell(line).matchings[0][1].outcome == "unfinished"
    assert "SECCDiscoveryRes" in tell(line.discovery(EVSE)).matchings[0][1].reason


def test_one_message_heard_by_two_modems_counts_once(tell: Callable[[Line], Any]) -> None:
    line = Line()
    line.vlans = (1, 2)
    line.request().answer().announce().sounds(measured=None).report().confirm().ask().give()
    ((run, _),) = tell(line).matchings
    assert run.request.count == 1
    assert run.announcement.count == 3
    (station,) = run.stations.values()
    assert (station.vlan, station.confirm.count, station.ask.count) == (1, 1, 1)


def test_two_vehicles_at_a_time(tell: Callable[[Line], Any]) -> None:
    mine, other = Line().up_to_key().discovery(EV), Line()
    other.now += 0.033
    theirs = other.up_to_key().script
    swapped = [(at, frame.replace(EV, b"\2\0\0\0\0\x0a").replace(EVSE, b"\2\0\0\0\0\x0b")) for at, frame in theirs]
    mine.script = sorted(mine.script + swapped)
    (_, first), (_, second) = tell(mine).matchings
    assert (first.outcome, second.outcome) == ("matched", "unfinished")
    assert not first.findings + second.findings


def test_the_story_in_a_narrow_ascii_terminal(tell: Callable[[Line], Any]) -> None:
    line = Line().say(0.0, "STP_CPSTATE.IND", EVSE, OWN, cp_state=3, pwm_duty=5).up_to_key().set_key(EV).link(True)
    out: list[str] = []
    report = Lines(out.append, colour=False, summary=False, width=40, unicode=False)
    decoder = Decoder(report.event, report.finished, report.matched)
    for number, (at, frame) in enumerate(line.script):
        decoder.frame(Captured(number + 1, at, 1, frame))
    decoder.close()
    text = "\n".join(out)
    assert text.isascii()
    assert "Matching 1: EV 02:00:00:00:00:01  run 5445534C41204556" in text
    assert "B 5 %" in text
    assert "10 of 10 sounds                       0.360 of 0.6 s  TT_EVSE_match_MNBC" in text
    assert "station  02:00:00:00:00:02  15.0 dB (15 to 15), 10 sounds, chosen" in text
    assert f"key      NID {NID.hex().upper()}" in text
    assert "   5   |" + "#" * 29 in text


def names() -> st.SearchStrategy[str]:
    return st.sampled_from([format.name for format in FORMATS if format.name.startswith(("CM_", "VS_ATT", "VS_PL"))])


@settings(max_examples=150)
@given(st.lists(st.tuples(names(), st.binary(min_size=5, max_size=140), st.integers(0, 3), st.integers(0, 3))))
def test_hostile_frames_end_in_no_traceback(frames: list[tuple[str, bytes, int, int]]) -> None:
    """Names of matching, and anything behind them, between few addresses."""
    numbers = {format.name: format.mmtype for format in FORMATS}
    ends = (EV, EVSE, ALL, bytes(6))
    reports = [
        Lines(lambda line: None, colour=False, summary=False),
        JsonLines(lambda line: None),
        JsonSummary(lambda line: None),
    ]
    for report in reports:
        decoder = Decoder(report.event, report.finished, report.matched)
        for number, (name, body, source, destination) in enumerate(frames):
            data = body.replace(b"\1", EV).replace(b"\2", EVSE)
            header = ends[destination] + ends[source] + b"\x88\xe1\1" + struct.pack("<H", numbers[name]) + b"\0\0"
            decoder.frame(Captured(number + 1, number * 0.3, 1, header + data))
        decoder.close()
        report.totals(decoder.totals, [])


def test_memory_stays_bounded() -> None:
    """A vehicle for each frame, and stations, modems and strangers without end in one run."""
    report = JsonSummary(lambda line: None)
    decoder = Decoder(report.event, report.finished, report.matched)

    def frame(number: int, *script: tuple[float, bytes]) -> None:
        for _, data in script:
            decoder.frame(Captured(number, number * 0.001, 1, data))

    for number in range(MATCHINGS + 2 * RUNS):
        vehicle = b"\4\0" + number.to_bytes(4, "big")
        frame(number, *((at, data.replace(EV, vehicle)) for at, data in Line().request().script))
    for number in range(500):
        station = b"\6\0" + number.to_bytes(4, "big")
        heard = Line().answer(station=station).report(station=station).answer(station=station, run_id=station + b"12")
        frame(2000 + number, *Line().request().script if not number else (), *heard.sounds(1).script)
    (run,) = [run for run in decoder._matchings._runs.values() if run.ev == EV]
    assert len(run.stations) == len(run.foreign) == 16
    assert len(decoder._matchings._runs) <= RUNS
    decoder.close()
    assert decoder.totals.runs == MATCHINGS + 2 * RUNS + 1
    assert len(report.matchings) == MATCHINGS
