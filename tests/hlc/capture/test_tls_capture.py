"""A charge over TLS in a capture: the messages are those that were sent, wherever the secrets come from."""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from talk import Talk, announcement, datagram, frames

from hlc import cli, v2gtp
from hlc.capture.seen import Tls
from hlc.capture.tls_facts import TlsFacts
from hlc.security.handshake import Version
from hlc.security.keylog import Secrets
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.pair import Pair
from hlc.trace.events import Frame, Message, Side

SUITES = {Version.TLS12: "ECDHE-ECDSA-AES128-SHA256", Version.TLS13: "TLS_AES_256_GCM_SHA384"}
Capture = Callable[..., bytes]


class Charge(NamedTuple):
    """A charge, and how a listener hears it."""

    messages: list[str]
    talk: Talk

    def capture(self, to_pcap: Capture, *others: tuple[int, bytes], announced: bool = True) -> bytes:
        """As a pcap; `others` are further frames, each before the frame of this number."""
        found = [announcement()] * announced + frames(self.talk.heard)
        for place, frame in sorted(others, reverse=True):
            found.insert(place, frame)
        return to_pcap([(1.7e9 + n / 100, frame) for n, frame in enumerate(found)])


@pytest.fixture(scope="module", params=list(Version))
def charge(request: pytest.FixtureRequest) -> Charge:
    """A charge by ISO 15118-2 over either version of TLS."""
    battery = Battery(soc=79.9, capacity_wh=60_000.0, max_amps=350.0, max_watts=120_000.0)
    outlet = SimulatedOutlet(kilowatts=150.0, max_volts=500.0, max_amps=400.0)
    pair = Pair(SimulatedVehicle(battery, target_soc=80.0), outlet, protocol="iso15118_2")
    heard = Talk(request.param, SUITES[request.param])
    for event in pair.events():
        if isinstance(event, Frame) and event.payload_type < 0x9000:
            heard.say(event.side is Side.EVCC, v2gtp.frame(event.payload_type, event.payload))
    heard.close()
    return Charge(list(pair.messages), heard)


def messages(result: Any) -> list[str]:
    return [seen.event.name for seen in result.seen if isinstance(seen.event, Message) and seen.event.schema != "sdp"]


def secrets(charge: Charge) -> Secrets:
    found = Secrets()
    found.add(charge.talk.secrets)
    return found


def test_a_charge_is_decoded(charge: Charge, to_pcap: Capture, decode: Callable[..., Any]) -> None:
    result = decode(charge.capture(to_pcap), secrets(charge))
    assert messages(result) == charge.messages
    [(session, verdict)] = result.sessions
    assert verdict.outcome == "good", verdict.reason
    assert (session.encrypted, session.lost) == (False, 0)
    assert isinstance(session.tls, TlsFacts)
    told = [seen.event.name for seen in result.seen if isinstance(seen.event, Tls)]
    assert told == ["ClientHello", "ServerHello", "alert", "alert"]
    assert (result.totals.tls, dict(result.totals.encrypted)) == (1, {})


def test_a_port_that_was_not_announced_is_told_by_its_messages(
    charge: Charge, to_pcap: Capture, decode: Callable[..., Any]
) -> None:
    result = decode(charge.capture(to_pcap, announced=False), secrets(charge))
    assert messages(result) == charge.messages
    assert next(seen.event.name for seen in result.seen if isinstance(seen.event, Tls)) == "ClientHello"


def test_tls_of_others_is_no_session(charge: Charge, to_pcap: Capture, decode: Callable[..., Any]) -> None:
    """A laptop that calls home beside the session."""
    result = decode(charge.capture(to_pcap, announced=False))
    assert result.sessions == []
    assert result.seen == []
    assert (result.totals.tls, dict(result.totals.encrypted)) == (1, {"no secret for this connection": 1})


@pytest.mark.parametrize("place", [1, 7, 9, 11])
def test_datagrams_may_disclose_the_secrets(
    charge: Charge, place: int, to_pcap: Capture, decode: Callable[..., Any]
) -> None:
    """Each secret in one of its own, before or a moment behind what it is for."""
    lines = [(place, datagram(line.encode(), 52345, 52345)) for line in charge.talk.keylog]
    assert messages(decode(charge.capture(to_pcap, *lines))) == charge.messages


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = cli.main(["decode", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_file_is_looked_through_for_secrets_that_come_later(
    charge: Charge, to_pcap: Capture, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "late.pcap"
    path.write_bytes(charge.capture(to_pcap, (10**6, datagram(charge.talk.secrets, 1, 2))))
    code, out, err = run(capsys, path, "--json")
    assert (code, err) == (0, "")
    assert out.count('"schema":"iso15118_2"') + out.count('"schema":"sap"') == len(charge.messages)


def test_a_key_log(charge: Charge, to_pcap: Capture, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, keys = tmp_path / "charge.pcap", tmp_path / "charge.pcap.keylog"
    path.write_bytes(charge.capture(to_pcap))
    keys.write_bytes(charge.talk.secrets)
    code, out, err = run(capsys, path)  # what stands beside it is not read unasked
    assert (code, err) == (0, "")
    assert "1 TLS connection not decrypted: no secret for this connection; give --keylog FILE" in out
    assert "not decrypted: no secret for this connection (client random" in out
    assert "unfinished: the session is encrypted (TLS) and not decoded" in out
    code, out, err = run(capsys, path, "--keylog", keys)
    assert (code, err) == (0, "")
    assert "EVCC     TLS ClientHello                  offers TLS 1." in out
    assert f"{len(charge.messages)} messages decoded, 0 not decoded" in re.sub(r"\x1b\[\d+m", "", out)
    code, out, err = run(capsys, path, "--keylog", keys, "--summary", "--json")
    assert '"records":' in out
    assert '"encrypted":0' in out


def test_what_is_wrong_with_a_key_log_is_said(
    charge: Charge, to_pcap: Capture, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "charge.pcap"
    path.write_bytes(charge.capture(to_pcap))
    code, _, err = run(capsys, path, "--keylog", tmp_path / "none")
    assert (code, err) == (2, f"hlc decode: --keylog {tmp_path / 'none'}: No such file or directory\n")
    code, _, err = run(capsys, path, "--keylog", path)
    assert code == 0
    assert err == f"hlc decode: {path} holds no secrets of TLS: they are lines like CLIENT_RANDOM 0123... 4567...\n"
    code, _, err = run(capsys, "809a0211", "--keylog", path)
    assert (code, err) == (2, "hlc decode: --keylog is for captures; this is one payload\n")


def block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + size + body + size


def test_blocks_of_secrets_in_the_capture(charge: Charge, to_pcap: Capture, decode: Callable[..., Any]) -> None:
    """Several, one of another kind among them, and one that says that it is longer than it is."""
    found = [announcement(), *frames(charge.talk.heard)]
    capture = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", 1, 0, 0))
    capture += block(10, struct.pack("<II", 0x57474B4C, 4) + b"wg=0")
    for n, line in enumerate(charge.talk.keylog):
        text = line.encode() + b"\n"
        capture += block(10, struct.pack("<II", 0x544C534B, 10**6 if n == 0 else len(text)) + text)
    for n, frame in enumerate(found):
        capture += block(6, struct.pack("<5I", 0, 0x60000, n * 1000, len(frame), len(frame)) + frame)
    result = decode(capture)
    assert messages(result) == charge.messages
    assert result.damage == []


def test_a_hole_in_the_capture_loses_what_is_in_it(
    charge: Charge, to_pcap: Capture, decode: Callable[..., Any]
) -> None:
    heard = charge.talk.heard
    start = len(heard) - len(charge.messages) - 2
    whole = [announcement(), *frames(heard)]
    sizes = [max(1, -(-len(data) // 1440)) for _, data in heard]
    place = 4 + sum(sizes[: start + 20])  # the message with this number, behind discovery and the handshakes
    lacking = whole[:place] + whole[place + sizes[start + 20] :]
    result = decode(to_pcap([(1.7e9 + n / 100, frame) for n, frame in enumerate(lacking)]), secrets(charge))
    expected = charge.messages[:20] + charge.messages[21:]
    assert Counter(messages(result)) == Counter(expected)  # what follows the hole waits for what may still fill it
    assert result.sessions[0][0].lost == len(heard[start + 20][1])


def changed(frame: bytes, place: int, octets: bytes) -> bytes:
    return frame[:place] + octets + frame[place + len(octets) :]


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4, 5, 20])
def test_a_damaged_record_costs_its_own_message(
    charge: Charge, place: int, to_pcap: Capture, decode: Callable[..., Any]
) -> None:
    """The type, the version, the length or the content: the next record of that side is read, and all of the other."""
    heard = frames(charge.talk.heard)
    for number in (40, 41, 77):
        for mask in (1, 2, 4, 0x80):
            octet = bytes([heard[number][74 + place] ^ mask])
            damaged = [*heard[:number], changed(heard[number], 74 + place, octet), *heard[number + 1 :]]
            found = messages(
                decode(to_pcap([(1.7e9 + n / 10, frame) for n, frame in enumerate(damaged)]), secrets(charge))
            )
            assert Counter(charge.messages) - Counter(found) == Counter([charge.messages[place_of(charge, number)]])


def place_of(charge: Charge, number: int) -> int:
    """Which message is in a frame: each is in one, and the last frames close the connection."""
    return number - (len(frames(charge.talk.heard)) - len(charge.messages) - 5)


@pytest.mark.parametrize("junk", [b"\x17\x03\x03", b"\x17\x03\x03\x01\x40", b"\x15\x03", bytes(7)])
def test_octets_before_a_record_cost_nothing(
    charge: Charge, junk: bytes, to_pcap: Capture, decode: Callable[..., Any]
) -> None:
    """Also such as look like the header of a record."""
    place = len(charge.talk.heard) - 30
    heard = list(charge.talk.heard)
    heard[place] = (heard[place][0], junk + heard[place][1])
    found = decode(to_pcap([(1.7e9 + n / 10, frame) for n, frame in enumerate(frames(heard))]), secrets(charge))
    assert Counter(messages(found)) == Counter(charge.messages)


def test_a_hello_that_is_held_up_costs_nothing(charge: Charge, to_pcap: Capture, decode: Callable[..., Any]) -> None:
    """The station's first segment is damaged: its ServerHello waits behind a hole that is none, and the vehicle has
    said more meanwhile."""
    heard = frames(charge.talk.heard)
    sequence = int.from_bytes(heard[1][58:62], "big")
    heard[1] = changed(heard[1], 58, (sequence - 1000).to_bytes(4, "big"))
    found = decode(to_pcap([(1.7e9 + n / 20, frame) for n, frame in enumerate(heard)]), secrets(charge))
    assert Counter(messages(found)) == Counter(charge.messages)


def test_a_capture_may_begin_within_a_record(charge: Charge, to_pcap: Capture, decode: Callable[..., Any]) -> None:
    """Of the station's, as its first octets; by TLS 1.3, for of TLS 1.2 the ServerHello is needed."""
    heard = list(charge.talk.heard[len(charge.talk.heard) - len(charge.messages) - 1 :])
    heard[0] = (heard[0][0], heard[0][1][9:])
    found = decode(to_pcap([(1.7e9 + n / 20, frame) for n, frame in enumerate(frames(heard)[3:])]), secrets(charge))
    modern = charge.talk.ends[True].get_protocol_version() == Version.TLS13
    assert messages(found) == (charge.messages[len(charge.messages) - len(messages(found)) :] if modern else [])
    assert len(messages(found)) >= (len(charge.messages) - 3) * modern
