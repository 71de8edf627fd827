"""Every rule of the table finds what it is for: a recording that triggers it, and whose fault it then is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from line import EV, EVSE, NID, NMK, OTHER, OWN, Line
from script import Script, amount
from talk import Talk, announcement, frames

import exi
from exi.messages import din70121
from hlc import sdp
from hlc.capture.doctor import TABLE, judge_capture
from hlc.capture.finding import Finding
from hlc.capture.plugin import Discovery, PlugIn
from hlc.capture.session import Closing, Session
from hlc.capture.tls_facts import TlsFacts
from hlc.capture.where import NOWHERE, Where
from hlc.security.handshake import Certificates, Hello, Version
from hlc.security.keylog import Secrets
from hlc.trace.events import Frame, Side

ISO2: Final = "iso15118-2 dc"
AC: Final = "iso15118-2 ac"
ISO20: Final = "iso15118-20 dc scheduled"


def volts(value: float) -> Any:
    return amount(value, "V")


def amps(value: float) -> Any:
    return amount(value, "A")


def asks(value: float) -> dict[str, Any]:
    """A vehicle that asks for this current, and may have it."""
    return {"EVTargetCurrent": amps(value), "EVMaximumCurrentLimit": amps(2 * value)}


def loop(script: Script, count: int, after: float = 0.2, **changes: Any) -> Script:
    return script.up_to("PowerDelivery").times(count, "CurrentDemand", after, took=0.01, **changes)


def charge(count: int = 60, **changes: Any) -> Script:
    """A charge of DIN 70121 to its good end, with something odd in its loop."""
    return loop(Script(), count, **changes).stop()


def precharge(count: int, **changes: Any) -> Script:
    return Script().up_to("CableCheck").times(count, "PreCharge", 0.3, **changes)


SCRIPTS: Final[dict[str, tuple[str, Callable[[], Script]]]] = {
    # Discovery
    "sdp_slow": ("station", lambda: Script().discover(took=0.9).up_to("PowerDelivery")),
    "sdp_address": ("station", lambda: Script().discover(address="2001:db8::1").up_to("SessionSetup")),
    "sdp_downgrade": ("station", lambda: Script().discover(asked=sdp.Security.TLS).up_to("SessionSetup")),
    "sdp_tls_only": ("station", lambda: Script().discover(security=sdp.Security.TLS).wait(9.0)),
    "sdp_not_connected": ("vehicle", lambda: Script().discover().wait(9.0)),
    "setup_late": ("either side", lambda: late_setup()),
    # Connections and the handshake
    "no_common_protocol": (
        "station",
        lambda: Script().exchange("supportedAppProtocol", ResponseCode="Failed_NoNegotiation", SchemaID=None).close(),
    ),
    "protocol_not_offered": ("station", lambda: Script().exchange("supportedAppProtocol", SchemaID=77).close()),
    "closed_early": ("vehicle", lambda: Script().up_to("CableCheck").close()),
    # The order of messages
    "sequence_error": (
        "vehicle",
        lambda: Script().up_to("ServiceDiscovery").exchange("PreCharge", ResponseCode="FAILED_SequenceError").close(),
    ),
    "stopped_without_power_delivery": (
        "vehicle",
        lambda: loop(Script(), 5).exchange("SessionStop", ResponseCode="FAILED_SequenceError").close(),
    ),
    "wrong_sequence_error": (
        "station",
        lambda: Script().up_to("CableCheck").exchange("SessionStop", ResponseCode="FAILED_SequenceError").close(),
    ),
    "out_of_sequence": ("vehicle", lambda: Script().up_to("ServiceDiscovery").say("CableCheckReq").close(Side.SECC)),
    "wrong_answer": ("station", lambda: Script().up_to("CableCheck").say("PreChargeReq").say("CableCheckRes").close()),
    "foreign_session_id": (
        "vehicle",
        lambda: Script().up_to("CableCheck").say("PreChargeReq", session_id=b"\7\7").close(Side.SECC),
    ),
    "wrong_unknown_session": (
        "station",
        lambda: Script().up_to("CableCheck").exchange("PreCharge", ResponseCode="FAILED_UnknownSession").close(),
    ),
    # What they say of themselves
    "station_status": (
        "station",
        lambda: loop(Script(), 3).times(2, "CurrentDemand", DC_EVSEStatus__EVSEStatusCode="EVSE_Malfunction").close(),
    ),
    "isolation_fault": (
        "either side",
        lambda: (
            Script()
            .up_to("ChargeParameterDiscovery")
            .exchange("CableCheck", DC_EVSEStatus__EVSEIsolationStatus="Fault")
            .close()
        ),
    ),
    "isolation_unproven": (
        "station",
        lambda: (
            Script()
            .up_to("ChargeParameterDiscovery")
            .exchange("CableCheck", DC_EVSEStatus__EVSEIsolationStatus="Invalid")
            .stop("SessionStop")
        ),
    ),
    "isolation_warning": ("either side", lambda: charge(DC_EVSEStatus__EVSEIsolationStatus="Warning")),
    "vehicle_error": (
        "vehicle",
        lambda: loop(Script(), 3).times(2, "CurrentDemand", DC_EVStatus__EVErrorCode="FAILED_EVShiftPosition").close(),
    ),
    "vehicle_reason": (
        "vehicle",
        lambda: (
            Script(ISO20)
            .up_to("DC_CableCheck")
            .stop("SessionStop", SessionStop={"EVTerminationCode": "17", "EVTerminationExplanation": "the lid is open"})
        ),
    ),
    "residual_current": (
        "either side",
        lambda: Script(AC).up_to("PowerDelivery").exchange("ChargingStatus", AC_EVSEStatus__RCD=True).close(),
    ),
    "wireless_diagnostics": (
        "station",
        lambda: (
            Script("iso15118-20 wpt scheduled")
            .up_to("PowerDelivery")
            .exchange("WPT_ChargeLoop", SPCChargeDiagnostics="SPCFODDetected")
            .close()
        ),
    ),
    "other_vehicle": (
        "either side",
        lambda: (
            Script("iso15118-20 acdp scheduled")
            .up_to("ACDP_Connect")
            .exchange("ACDP_SystemStatus", EVAssociationStatus=False)
            .close()
        ),
    ),
    "failed_code": (
        "either side",
        lambda: Script().up_to("ChargeParameterDiscovery").exchange("CableCheck", ResponseCode="FAILED").close(),
    ),
    "warning_code": (
        "either side",
        lambda: (
            Script(ISO20)
            .up_to("AuthorizationSetup")
            .exchange("Authorization", ResponseCode="WARNING_EIMAuthorizationFailure")
            .stop("SessionStop")
        ),
    ),
    "header_notification": ("station", lambda: notified()),
    "station_stop": (
        "station",
        lambda: (
            Script()
            .up_to("CableCheck", CableCheck={"DC_EVSEStatus__EVSENotification": "StopCharging"})
            .stop("SessionStop")
        ),
    ),
    "no_charge": ("vehicle", lambda: Script().up_to("PreCharge").stop("SessionStop")),
    # Parameters
    "limits_zero": (
        "station",
        lambda: Script().up_to(
            "ChargeParameterDiscovery",
            ChargeParameterDiscovery={"EVSEChargeParameter__EVSEMaximumCurrentLimit": amps(0.0)},
        ),
    ),
    "limits_unfit": (
        "either side",
        lambda: Script().up_to(
            "ChargeParameterDiscovery",
            ChargeParameterDiscovery={"EVSEChargeParameter__EVSEMinimumVoltageLimit": volts(900.0)},
        ),
    ),
    "schedule": ("station", lambda: Script().up_to("ChargeParameterDiscovery", ChargeParameterDiscovery=tuple_zero())),
    "power_rounded": ("station", lambda: rounded()),
    "unit": ("vehicle", lambda: charge(3, EVTargetCurrent=amount(30.0, "V"))),
    "evseid_form": (
        "station",
        lambda: Script(ISO2).up_to("SessionSetup", SessionSetup={"EVSEID": "station 7"}).close(),
    ),
    "evccid_form": ("vehicle", lambda: Script().up_to("SessionSetup", SessionSetup={"EVCCID": bytes(6)}).close()),
    "session_id_form": ("station", lambda: short_session()),
    "clock": ("station", lambda: Script(ISO2).up_to("SessionSetup", SessionSetup={"EVSETimeStamp": 1577836800})),
    "transfer_mode": (
        "vehicle",
        lambda: Script(ISO2).up_to(
            "ChargeParameterDiscovery", ChargeParameterDiscovery={"RequestedEnergyTransferMode": "AC_three_phase_core"}
        ),
    ),
    "contract_without_tls": (
        "vehicle",
        lambda: (
            Script(ISO2)
            .discover()
            .up_to("PaymentServiceSelection", PaymentServiceSelection={"SelectedPaymentOption": "Contract"})
        ),
    ),
    "known_quirk": (
        "station",
        lambda: Script().up_to("ServiceDiscovery", SessionSetup={"EVSEID": b"\0"}).close(),
    ),
    # Voltage and current
    "precharge_missed": (
        "station",
        lambda: precharge(20, EVTargetVoltage=volts(400.0), EVSEPresentVoltage=volts(120.0)).stop("SessionStop"),
    ),
    "precharge_left": (
        "vehicle",
        lambda: precharge(20, EVTargetVoltage=volts(400.0), EVSEPresentVoltage=volts(399.0)).stop("SessionStop"),
    ),
    "precharge_unmatched": (
        "vehicle",
        lambda: precharge(5, EVTargetVoltage=volts(400.0), EVSEPresentVoltage=volts(120.0)).exchange(
            "PowerDelivery", ReadyToChargeState=True
        ),
    ),
    "precharge_overshoot": (
        "station",
        lambda: precharge(5, EVTargetVoltage=volts(400.0), EVSEPresentVoltage=volts(460.0)).exchange(
            "PowerDelivery", ReadyToChargeState=True
        ),
    ),
    "overshoot": ("station", lambda: charge(9, EVTargetVoltage=volts(300.0), EVSEPresentVoltage=volts(360.0))),
    "limit_exceeded": (
        "station",
        lambda: charge(40, EVMaximumCurrentLimit=amps(20.0), EVTargetCurrent=amps(20.0), EVSEPresentCurrent=amps(60.0)),
    ),
    "implausible_value": (
        "station",
        lambda: charge(40, EVTargetCurrent=amps(20.0), EVSEPresentCurrent=amps(2000.0)),
    ),
    "wish_exceeds_limit": (
        "vehicle",
        lambda: charge(40, EVMaximumVoltageLimit=volts(400.0), EVTargetVoltage=volts(450.0)),
    ),
    "welding_voltage": (
        "either side",
        lambda: (
            loop(Script(), 5, EVSEPresentVoltage=volts(400.0))
            .exchange("PowerDelivery")
            .times(8, "WeldingDetection", 0.5, EVSEPresentVoltage=volts(390.0))
            .stop("SessionStop")
        ),
    ),
    "nothing_delivered": ("station", lambda: charge(60, **asks(60.0), EVSEPresentCurrent=amps(0.0))),
    "little_current": ("station", lambda: charge(60, **asks(60.0), EVSEPresentCurrent=amps(10.0))),
    "derated": (
        "station",
        lambda: (
            loop(Script(), 5, EVSEMaximumCurrentLimit=amps(200.0))
            .times(5, "CurrentDemand", EVSEMaximumCurrentLimit=amps(50.0))
            .stop()
        ),
    ),
    "ac_nothing_delivered": (
        "station",
        lambda: (
            Script(AC)
            .up_to("PowerDelivery")
            .times(9, "ChargingStatus", EVSEMaxCurrent=amount(3.0, "A", "iso15118_2"))
            .stop("PowerDelivery", "SessionStop")
        ),
    ),
    # Deadlines
    "unanswered": ("station", lambda: Script().up_to("CableCheck").say("PreChargeReq").close(after=2.0)),
    "sequence_timeout": ("vehicle", lambda: Script().up_to("CableCheck").close(Side.SECC, after=60.0)),
    "phase_overrun": ("station", lambda: ongoing(90).stop("SessionStop")),
    "slow_answers": ("station", lambda: Script().up_to("CableCheck").exchange("PreCharge", took=2.4).close()),
    "late_requests": ("vehicle", lambda: Script().up_to("CableCheck").exchange("PreCharge", 61.0).close()),
    # The capture
    "one_direction": ("listener", lambda: halved()),
    "unreadable": (
        "station",
        lambda: Script().up_to("CableCheck").say("PreChargeReq").octets("Res", 0x8001, b"\x7f" * 9),
    ),
    "undecoded": ("either side", lambda: Script().up_to("CableCheck").octets("PreChargeReq", 0x8003, b"\x80\0\0")),
}
"""Rules on sessions and discovery: whose fault, and a session that shows it."""


def late_setup() -> Script:
    script = Script().discover()
    script.now += 25.0
    return script.up_to("SessionSetup")


def notified() -> Script:
    script = Script().up_to("CableCheck").say("PreChargeReq")
    notification = din70121.Notification(FaultCode=din70121.FaultCode.ParsingError)
    document = script.rules.wrap(script.session_id, script.words["PreChargeRes"].body)
    document.Header.Notification = notification
    return script.octets("PreChargeRes", 0x8001, exi.schema("din70121").encode(document)).close()


def tuple_zero() -> dict[str, Any]:
    def zero(tuples: Any) -> Any:
        tuples[0].SAScheduleTupleID = 0
        return tuples

    return {"SASchedules__SAScheduleTuple": zero}


def rounded() -> Script:
    def less(tuples: Any) -> Any:
        tuples[0].PMaxSchedule.PMaxScheduleEntry[0].PMax = amount(1100.0, "W", "iso15118_2")
        tuples[0].PMaxSchedule.PMaxScheduleEntry[0].PMax.Multiplier = 0
        return tuples

    return Script(AC).up_to(
        "ChargeParameterDiscovery",
        ChargeParameterDiscovery={
            "RequestedEnergyTransferMode": "AC_three_phase_core",
            "SASchedules__SAScheduleTuple": less,
            "EVSEChargeParameter__EVSEMaxCurrent": amount(16.0, "A", "iso15118_2"),
            "EVSEChargeParameter__EVSENominalVoltage": amount(230.0, "V", "iso15118_2"),
        },
    )


def short_session() -> Script:
    script = Script()
    script.session_id = b"\1\2\3\4"
    return script.up_to("PreCharge")


def ongoing(count: int) -> Script:
    script = Script().up_to("ChargeParameterDiscovery")
    return script.times(count, "CableCheck", 0.5, EVSEProcessing="Ongoing")


def halved() -> Script:
    script = Script().up_to("PreCharge")
    script.events = [event for event in script.events if not isinstance(event, Frame) or event.side is Side.SECC]
    return script


LINES: Final[dict[str, Callable[[], Line]]] = {
    "slac_unanswered": lambda: Line().request(0.2, 9),
    "slac_other_run_id": lambda: Line().request().answer(run_id=bytes(8)),
    "slac_vehicle_left": lambda: Line().request().answer(),
    "slac_no_sounds": lambda: Line().request().answer().announce(),
    "slac_no_attenuation": lambda: Line().request().answer().announce().sounds(),
    "slac_not_confirmed": lambda: Line().up_to_report(),
    "slac_not_validated": lambda: (
        Line()
        .up_to_report()
        .confirm()
        .say(0.1, "CM_VALIDATE.REQ", EV, EVSE, timer=5)
        .say(0.8, "CM_VALIDATE.CNF", EVSE, EV, result=3)
    ),
    "slac_alike": lambda: Line().up_to_report().report(18, OTHER).confirm().confirm(OTHER),
    "slac_no_choice": lambda: Line().request().answer().announce().sounds().report(55).confirm(),
    "slac_no_key": lambda: Line().up_to_report().confirm().ask(),
    "slac_no_link": lambda: Line().up_to_key().link(False).link(False, 10.0),
    "slac_late": lambda: Line().request().answer(0.3),
    "slac_unusual_sounding": lambda: Line().request().answer(num_sounds=8),
    "slac_sounds": lambda: Line().request().answer().announce().sounds(7),
    "slac_attenuation": lambda: Line().request().answer().announce().sounds().report(0),
    "slac_report_repeated": lambda: Line().up_to_report().report(after=0.3).confirm(),
    "slac_wrong_choice": lambda: Line().up_to_report().report(12, OTHER).confirm().confirm(OTHER).ask().give(),
    "slac_network": lambda: Line().up_to_report().confirm().ask().give(nid=bytes(7)),
    "slac_key_setting": lambda: Line().up_to_key().say(0.1, "CM_SET_KEY.REQ", EV, OWN, nid=NID, new_key=NMK),
    "slac_stranger": lambda: Line().up_to_report().confirm().answer(station=OTHER, run_id=bytes(8)),
    "listener_deaf": lambda: Line().up_to_report().confirm().ask().give().set_key(OTHER),
    "nothing_said": lambda: Line().set_key(EVSE).up_to_key().set_key(EVSE).link(True, 3.0, EVSE),
    "sdp_unanswered": lambda: Line().up_to_key().discovery(EV).discovery(EV, 0.3),
    "pilot": lambda: Line().say(0.1, "STP_CPSTATE.IND", EVSE, OWN, cp_state=3, pwm_duty=22),
    "nothing_heard": lambda: Line().silence(1.0),
}
"""Rules on matching runs and what follows them."""

TALKS: Final[dict[str, Callable[[], Talk]]] = {
    "tls_alert": lambda: Talk(offer="ECDHE-ECDSA-AES128-GCM-SHA256"),
    "tls_suite": lambda: Talk(suite="ECDHE-ECDSA-AES128-GCM-SHA256"),
    "tls_certificate": Talk,
    "tls_not_read": lambda: Talk(Version.TLS13, "TLS_AES_256_GCM_SHA384"),
}
"""Rules on TLS. The certificates are those of 2030, and the capture is older."""

ELSEWHERE: Final = {
    "tcp_elsewhere",
    "tcp_failed",
    "peer_gone",
    "listener_broadcasts_only",
    "tls_unfinished",
    "tls_version",
    "tls_no_ocsp",
    "tls_no_client_certificate",
    "sdp_refused",
    "sdp_malformed",
    "soc_range",
    "unknown_link",
    "hole",
}
"""Rules with a test of their own, here or on recordings of real cars."""


def test_no_rule_is_without_a_test() -> None:
    names = {rule.name for rules in TABLE.values() for rule in rules}
    assert names == {*SCRIPTS, *LINES, *TALKS} | ELSEWHERE


def found(result: Any) -> dict[str, Finding]:
    """The findings of all plug-ins and of the capture, by their rules."""
    findings = [finding for _, verdict in result.plug_ins for finding in verdict.findings]
    return {finding.rule: finding for finding in [*judge_capture(result.totals), *findings]}


@pytest.mark.parametrize("name", SCRIPTS)
def test_rules_on_sessions(name: str, tmp_path: Path, decode: Callable[..., Any]) -> None:
    who, make = SCRIPTS[name]
    told = found(decode(make().write(tmp_path / "session.pcapng")))
    assert name in told, sorted(told)
    assert told[name].who.value == who
    assert all(seen.text for seen in told[name].evidence)
    assert told[name].evidence


@pytest.mark.parametrize("name", LINES)
def test_rules_on_matching_runs(name: str, decode: Callable[..., Any], to_pcap: Callable[..., bytes]) -> None:
    line = LINES[name]()
    # A frame of the vehicle would be heard.
    line = line.say(90.0, "VS_SW_VER.REQ", OTHER, OWN) if name == "listener_deaf" else line.silence(90)
    told = found(decode(to_pcap(line.script)))
    assert name in told, sorted(told)
    assert all(seen.text for seen in told[name].evidence)


@pytest.mark.parametrize("name", TALKS)
def test_rules_on_tls(name: str, decode: Callable[..., Any], to_pcap: Callable[..., bytes]) -> None:
    made = TALKS[name]()
    if not made.failed:
        made.close()
    secrets = Secrets()
    if name != "tls_not_read":
        secrets.add(made.secrets)
    heard = [announcement(), *frames(made.heard)]
    told = found(decode(to_pcap([(1.7e9 + n / 100, frame) for n, frame in enumerate(heard)]), secrets))
    assert name in told, sorted(told)


def test_a_hole_in_the_capture(
    frames: list[tuple[float, bytes]], decode: Callable[..., Any], to_pcap: Callable[..., bytes]
) -> None:
    told = found(decode(to_pcap(frames[:40] + frames[41:])))
    assert not told["hole"].cause
    assert told["hole"].who.value == "listener"


def test_a_link_type_that_is_not_known(decode: Callable[..., Any], to_pcap: Callable[..., bytes]) -> None:
    octets = bytearray(to_pcap([(1.0, bytes(60))]))
    octets[20:24] = (147).to_bytes(4, "little")
    assert "unknown_link" in found(decode(bytes(octets)))


@pytest.mark.parametrize("word", ["refused", "unanswered"])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_connections_that_come_to_nothing(
    frames: list[tuple[float, bytes]],
    decode: Callable[..., Any],
    to_pcap: Callable[..., bytes],
    word: str,
    elsewhere: bool,
) -> None:
    """To what SDP announced, and to the port of SDP itself."""
    syn, answer = bytearray(frames[2][1]), bytearray(frames[3][1])
    if elsewhere:
        syn[56:58] = answer[54:56] = sdp.PORT.to_bytes(2, "big")
    answer[14 + 40 + 13] = 0x14
    tried = [bytes(syn)] if word == "unanswered" else [bytes(syn), bytes(answer)]
    heard = [*(frame for _, frame in frames[:2]), *tried]
    told = found(decode(to_pcap([(1.7e9 + n / 100, frame) for n, frame in enumerate(heard)])))
    rule = "tcp_elsewhere" if elsewhere else "tcp_failed"
    assert word in told[rule].text
    assert told[rule].cause
    assert not {"tcp_elsewhere", "tcp_failed"} - {rule} & set(told)


def test_a_peer_that_is_gone(
    frames: list[tuple[float, bytes]], decode: Callable[..., Any], to_pcap: Callable[..., bytes]
) -> None:
    """Its last answer is sent again and again."""
    last = frames[59]
    again = [(last[0] + 0.2 * n, last[1]) for n in range(1, 6)]
    told = found(decode(to_pcap([*frames[:60], *again])))
    assert "retransmitted 5 times" in told["peer_gone"].text


def plug_in(**discovery: Any) -> PlugIn:
    """A plug-in with this in its discovery."""
    return PlugIn(1, NOWHERE, Where(2.0, 2), discovery=Discovery(requests=1, first=HERE, last=HERE, **discovery))


HERE: Final = Where(1.0, 1)


def by_hand(subject: Any, kind: str, last_at: float = 99.0) -> dict[str, Finding]:
    """The findings on facts that no capture here shows."""
    return {finding.rule: finding for rule in TABLE[kind] for finding in rule.findings(subject, last_at)}


def test_discovery_that_is_refused_or_cannot_be_read() -> None:
    assert by_hand(plug_in(refused=HERE), "plug-in")["sdp_refused"].cause
    told = by_hand(plug_in(malformed=[(HERE, Side.SECC, "20 octets expected")]), "plug-in")["sdp_malformed"]
    assert told.who.value == "station"


def test_a_station_on_the_same_machine_has_the_address_that_it_has(decode: Callable[..., Any], tmp_path: Path) -> None:
    script = Script().discover(address="::1").up_to("SessionSetup")
    assert "sdp_address" not in found(decode(script.write(tmp_path / "session.pcapng")))


def test_a_limit_that_is_odd_is_shown(decode: Callable[..., Any], tmp_path: Path) -> None:
    def kilowatts(tuples: Any) -> Any:
        tuples[0].PMaxSchedule.PMaxScheduleEntry[0].PMax = 50
        return tuples

    changes = {"SASchedules__SAScheduleTuple": kilowatts}
    script = Script().up_to("ChargeParameterDiscovery", ChargeParameterDiscovery=changes)
    verdict = decode(script.write(tmp_path / "session.pcapng")).plug_ins[0][1]
    [told] = [each for each in verdict.findings if each.text.startswith("PMax is 50 W")]
    assert [seen.text for seen in told.evidence] == ["schedule 0: PMax 50 W"]


def test_a_state_of_charge_that_cannot_be() -> None:
    session = Session(1, HERE)
    session.electrical.soc_first = session.electrical.soc_last = 120
    assert "120 %" in by_hand(session, "session")["soc_range"].text


def handshake(**facts: Any) -> Session:
    """A session of ISO 15118-20 over TLS of which this is known."""
    hello = Hello((0x0304, 0x0303), (0x1302,), (0x0603,), (), (), True, True)
    known = {"hello": hello, "hello_at": HERE, "chosen_at": HERE, "suite": 0x1302, "version": 0x0304, **facts}
    session = Session(1, HERE, protocol="iso15118_20_dc", tls=TlsFacts(HERE, **known))
    session.closings = [Closing(Side.EVCC, "closed", HERE)]
    return session


def test_handshakes_by_hand() -> None:
    assert by_hand(handshake(), "session")["tls_unfinished"].who.value == "vehicle"
    assert by_hand(handshake(version=0x0303, opened=9), "session")["tls_version"].cause
    both = set(Side)
    assert not by_hand(handshake(opened=9, finished=both), "session")["tls_no_client_certificate"].cause
    shown = {Side.SECC: Certificates((b"leaf", b"above"), (None, None))}
    told = by_hand(handshake(opened=9, finished=both, chains=shown, certificate_asked=True), "session")
    assert "tls_no_ocsp" in told
    assert "tls_no_client_certificate" not in told
