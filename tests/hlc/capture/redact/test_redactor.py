"""A copy without identities: none of them is anywhere in it, and it tells the same story."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from cryptography import x509
from talk import STATION, VEHICLE, Talk, announcement, datagram, frames

import slac
from hlc import cli, v2gtp
from hlc.capture import headers
from hlc.capture.checksum import over_ip
from hlc.capture.copying import FrameWriter
from hlc.capture.decoder import Decoder
from hlc.capture.files import Capture
from hlc.capture.headers import HomePlug, Tcp, Udp, parse
from hlc.capture.redact.pseudonyms import OWN_MODEM, Pseudonyms
from hlc.capture.redact.redactor import Redactor, learn
from hlc.capture.redact.streams import REMEMBERED, Lane, Part
from hlc.capture.seen import Seen
from hlc.security.handshake import Version
from hlc.security.keylog import Secrets
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.pair import Pair
from hlc.trace.events import Frame, Message, Side

CAPTURES = (
    "ISO-2_DC_PnC_TLS_CertInstallation_DS5366_RiseV2G.pcapng",
    "ISO-20_TLS13_DC_DS5366_Josev.pcapng",
    "DIN_DC_DS5366_Josev.pcapng",
    "2022-12-13_compleo_with_bulb.pcapng",
    "2023-04-19_compleo_pyPlc_lightbulb_failedBadRegulation.pcapng",
    "2024-06-18_Griffigroen_pyPLC_polestar2_discharging_with_additional_prechargeCircuit.pcapng",
    "vw-ac-iso2.pcap",
)
NAMES = frozenset(
    "SessionID EVCCID eMAID ContractID Certificate OEMProvisioningCert GenChallenge MeterID SigMeterReading "
    "DHpublickey ContractSignatureEncryptedPrivateKey SignatureValue DigestValue X509IssuerName".split()
)


class Made(NamedTuple):
    copy: bytes
    redactor: Redactor


def redacted(source: bytes, path: Path, secrets: Secrets | None = None, *, ahead: bool = True) -> Made:
    """The copy of a capture."""
    names, secrets = Pseudonyms(bytes(range(32))), secrets or Secrets()
    if ahead:
        learn(BytesIO(source), names)
    redactor = Redactor(names, FrameWriter(path), secrets)
    decoder = Decoder(lambda seen: None, lambda session, verdict: None, secrets=secrets)
    decoder.watch = redactor.watch
    capture = Capture(BytesIO(source), "", secrets.add)
    for captured in capture:
        decoder.frame(captured)
        redactor.frame(captured, capture.stamp)
    decoder.close()
    redactor.close()
    return Made(path.read_bytes(), redactor)


def story(result: Any) -> Any:
    """What a reader learns from a capture."""
    return (
        dict(result.totals.messages),
        dict(result.totals.mme),
        result.totals.sdp,
        dict(result.totals.undecoded),
        [(session.messages, verdict.outcome, rules(verdict)) for session, verdict in result.sessions],
        [(verdict.outcome, rules(verdict)) for _, verdict in result.matchings],
        [(verdict.outcome, rules(verdict)) for _, verdict in result.plug_ins],
    )


def rules(verdict: Any) -> list[str]:
    """The rules that found something, but for those of TLS: a redacted copy is plain."""
    return [each.rule for each in verdict.findings if not each.rule.startswith(("tls_", "contract_without_tls"))]


def of_message(value: Any, name: str = "") -> Iterator[bytes]:
    if isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            kind = type(value).__name__
            yield from of_message(getattr(value, field), kind if field == "value" and kind in NAMES else field)
    elif isinstance(value, list):
        for each in value:
            yield from of_message(each, name)
    elif name in NAMES and isinstance(value, bytes | str):
        octets = value.encode() if isinstance(value, str) else value
        yield octets
        if "Certificate" in name or name == "OEMProvisioningCert":
            serial = x509.load_der_x509_certificate(octets).serial_number
            yield serial.to_bytes(-(-serial.bit_length() // 8), "big")


def of_field(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict):
        for each in value.values():
            yield from of_field(each)
    elif isinstance(value, list):
        for each in value:
            yield from of_field(each)
    elif isinstance(value, bytes) and len(value) >= 6:
        yield value


def identities(source: bytes, seen: list[Seen]) -> set[bytes]:
    """MAC addresses, keys, names and certificates in a capture, found without the code that replaces them."""
    found: set[bytes] = set()
    for captured in Capture(BytesIO(source), ""):
        found |= {captured.data[:6], captured.data[6:12]}
        parsed = parse(captured.link, captured.data)
        if isinstance(parsed, Tcp | Udp):
            found |= {end[0][8:] for end in (parsed.source, parsed.destination) if len(end[0]) == 16}
        elif isinstance(parsed, HomePlug):
            found |= set(of_field(slac.parse(parsed.frame).fields))
    for each in seen:
        if isinstance(each.event, Message):
            found |= set(of_message(each.event.message))
    ordinary = {OWN_MODEM, b"0" * 10}
    return {
        each
        for each in found
        if len(each) >= 6 and len(set(each)) > 2 and not (len(each) == 6 and each[0] & 1) and each not in ordinary
        if not any(each in known for known in ordinary) and each[:6].strip(b"\0")
    }


def shifted(data: bytes) -> list[bytes]:
    """The octets at each of the eight places at which EXI may begin them."""
    number = int.from_bytes(data, "big")
    return [(number >> bits).to_bytes(len(data), "big") for bits in range(8)]


def leaks(copy: bytes, wanted: set[bytes]) -> list[bytes]:
    content = b"".join(captured.data for captured in Capture(BytesIO(copy), ""))
    return [each for view in shifted(content) for each in wanted if each in view]


@pytest.mark.parametrize("name", CAPTURES)
def test_recordings(name: str, reference: Path, decode: Callable[..., Any], tmp_path: Path) -> None:
    source = (reference / "captures" / name).read_bytes()
    original = decode(source)
    wanted = identities(source, original.seen)
    assert len(wanted) > 8
    assert leaks(source, wanted)  # they are found where they are
    made = redacted(source, tmp_path / "copy.pcapng")
    assert leaks(made.copy, wanted) == []
    assert story(decode(made.copy)) == story(original)
    assert made.redactor.zeros == {}


# Simulated


@pytest.fixture(scope="module")
def exchange() -> list[tuple[bool, bytes]]:
    """The messages of a charge, and whether they are of the vehicle."""
    battery = Battery(soc=79.9, capacity_wh=60_000.0, max_amps=350.0, max_watts=120_000.0)
    outlet = SimulatedOutlet(kilowatts=150.0, max_volts=500.0, max_amps=400.0)
    pair = Pair(SimulatedVehicle(battery, target_soc=80.0), outlet, protocol="iso15118_2")
    sent = [event for event in pair.events() if isinstance(event, Frame) and event.payload_type < 0x9000]
    return [(event.side is Side.EVCC, v2gtp.frame(event.payload_type, event.payload)) for event in sent]


def capture(to_pcap: Callable[..., bytes], found: list[bytes]) -> bytes:
    return to_pcap([(1.7e9 + n / 100, frame) for n, frame in enumerate(found)])


@pytest.mark.parametrize("size", [1440, 37])
def test_messages_in_pieces_out_of_order_and_again(
    exchange: list[tuple[bool, bytes]], size: int, to_pcap: Any, decode: Any, tmp_path: Path
) -> None:
    found = [announcement(), *frames(exchange, size=size)]
    for n in range(10, len(found) - 10, 25):
        found[n], found[n + 1] = found[n + 1], found[n]
        found.insert(n + 9, found[n])
    del found[60]  # and one that nobody has
    source = capture(to_pcap, found)
    original = decode(source)
    made = redacted(source, tmp_path / "copy.pcapng")
    assert story(decode(made.copy)) == story(original)
    assert leaks(made.copy, identities(source, original.seen)) == []
    stamps = [each.at for each in Capture(BytesIO(made.copy), "")]
    assert stamps == [each.at for each in Capture(BytesIO(source), "")]


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize("hole", [0, 30])
def test_tls_becomes_plain(
    version: Version, hole: int, exchange: list[tuple[bool, bytes]], to_pcap: Any, decode: Any, tmp_path: Path
) -> None:
    suite = {Version.TLS12: "ECDHE-ECDSA-AES128-SHA256", Version.TLS13: "TLS_AES_256_GCM_SHA384"}[version]
    talk = Talk(version, suite, mutual=True)
    for vehicle, data in exchange:
        talk.say(vehicle, data)
    found = [announcement(), *frames(talk.heard)]
    if hole:
        del found[hole]
    source = capture(to_pcap, found)
    secrets = Secrets()
    secrets.add(talk.secrets)
    original = decode(source, secrets)
    made = redacted(source, tmp_path / "copy.pcapng", secrets)
    result = decode(made.copy)
    assert story(result) == story(original)
    assert result.totals.tls == 0
    [(session, _)] = original.sessions
    certificates = {der for shown in session.tls.chains.values() for der in shown.chain}
    assert len(certificates) == 6
    assert leaks(made.copy, certificates | identities(source, original.seen)) == []
    assert secrets_in(made.copy) == 0
    assert set(made.redactor.left_out) == {"TCP segments in which TLS says nothing of V2G"}
    assert all(each.octets for each in segments(made.copy))


class Segment(NamedTuple):
    flags: int
    octets: bytes


def segments(copy: bytes) -> list[Segment]:
    """TCP segments that push data, by their flags."""
    found = [parse(captured.link, captured.data) for captured in Capture(BytesIO(copy), "")]
    return [Segment(each.flags, each.data) for each in found if isinstance(each, Tcp) and each.flags == 24]


def secrets_in(copy: bytes) -> int:
    found = Secrets()
    found.add(copy)
    return found.count


def test_tls_without_secrets_is_left_out(to_pcap: Any, decode: Any, tmp_path: Path) -> None:
    talk = Talk()
    talk.say(True, b"something")
    made = redacted(capture(to_pcap, [announcement(), *frames(talk.heard)]), tmp_path / "copy.pcapng")
    assert set(made.redactor.left_out) == {"frames of TLS connections without secrets"}
    assert decode(made.copy).totals.tls == 0
    assert sum(1 for _ in Capture(BytesIO(made.copy), "")) == 2  # discovery, and the mark of the end


def test_what_is_not_understood_is_left_out(
    exchange: list[tuple[bool, bytes]], to_pcap: Any, decode: Any, tmp_path: Path
) -> None:
    secret = b"a name and a number"
    request = struct.pack("!HHIIBBHHH", 51000, 80, 7, 0, 0x50, 24, 65535, 0, 0) + secret
    foreign = [
        datagram(secret, 5353, 5353),
        tcp_to(request),
        bytes(12) + b"\x08\x06" + secret + bytes(30),
        bytes(12) + b"\x86\xdd" + b"\x60" + bytes(5) + b"\x00\x40" + bytes(32) + secret,
    ]
    found = [announcement(), *frames(exchange)]
    source = capture(to_pcap, [*foreign, *found[:10], *foreign, *found[10:], *foreign])
    original = decode(source)
    made = redacted(source, tmp_path / "copy.pcapng")
    assert secret not in made.copy
    assert story(decode(made.copy)) == story(original)
    assert sorted(made.redactor.left_out.values()) == [3, 3, 3, 3]
    stamps = [each.at for each in Capture(BytesIO(made.copy), "")]
    assert stamps[0] == next(iter(Capture(BytesIO(source), ""))).at  # an empty frame marks the beginning
    assert stamps[-1] == [each.at for each in Capture(BytesIO(source), "")][-1]


def tcp_to(segment: bytes) -> bytes:
    packet = struct.pack("!IHBB", 6 << 28, len(segment), 6, 64) + VEHICLE[0] + STATION[0] + segment
    return bytes(12) + b"\x86\xdd" + packet


def test_an_unreadable_message_is_zeros(exchange: list[tuple[bool, bytes]], to_pcap: Any, tmp_path: Path) -> None:
    broken = v2gtp.frame(0x8001, b"\x80\x98" + b"a name and a number")
    source = capture(to_pcap, [announcement(), *frames([*exchange[:6], (True, broken)])])
    made = redacted(source, tmp_path / "copy.pcapng")
    assert made.redactor.zeros == {"not understood": 1}
    assert leaks(made.copy, {b"a name and"}) == []
    assert any("zeros in the copy: 1 messages not understood" in line for line in made.redactor.story())


def test_what_waits_has_a_bound(
    exchange: list[tuple[bool, bytes]], to_pcap: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a message, and then nothing but frames that come behind it."""
    monkeypatch.setattr("hlc.capture.redact.redactor.WAITING_FRAMES", 10)
    half = (True, exchange[0][1][:-4])
    source = capture(to_pcap, [announcement(), *frames([half])[:-3], *[datagram(b"x", 1, 2)] * 50])
    made = redacted(source, tmp_path / "copy.pcapng")
    assert leaks(made.copy, {exchange[0][1][8:-4]}) == []
    assert made.redactor.left_out == {"UDP datagrams that are no discovery": 50}


@pytest.mark.parametrize("link", [headers.SLL, headers.SLL2, headers.RAW, headers.NULL])
def test_other_links(link: int, exchange: list[tuple[bool, bytes]], to_pcap: Any, decode: Any, tmp_path: Path) -> None:
    def cooked(frame: bytes) -> bytes:
        source, kind, rest = frame[6:12], frame[12:14], frame[14:]
        match link:
            case headers.SLL:
                return b"\0\0\0\1\0\6" + source + b"\0\0" + kind + rest
            case headers.SLL2:
                return kind + b"\0\0\0\0\0\1\0\1\0\6" + source + b"\0\0" + rest
            case headers.NULL:
                return b"\x1e\0\0\0" + rest
        return rest

    mme = slac.make("CM_SLAC_PARM.REQ", destination=b"\xff" * 6, source=b"\x64\x4d\x70\1\3\xbf", run_id=bytes(range(8)))
    found = [announcement(), *frames(exchange)] + [mme] * (link in (headers.SLL, headers.SLL2))
    source = bytearray(capture(to_pcap, [cooked(each) for each in found]))
    source[20:24] = struct.pack("<I", link)
    original = decode(bytes(source))
    made = redacted(bytes(source), tmp_path / "copy.pcapng")
    assert story(decode(made.copy)) == story(original)
    assert sum(original.totals.messages.values()) > 50
    assert leaks(made.copy, {mme[6:12], bytes(range(8))}) == []
    assert made.redactor.left_out == {}


def test_checksums_are_right_and_tell_tales_are_gone(
    exchange: list[tuple[bool, bytes]], to_pcap: Any, tmp_path: Path
) -> None:
    made = redacted(capture(to_pcap, [announcement(), *frames(exchange)]), tmp_path / "copy.pcapng")
    count = 0
    for captured in Capture(BytesIO(made.copy), ""):
        packet = captured.data[14:]
        count += 1
        # the sum over what has its checksum in it is zero, which is written as ones
        assert over_ip(packet[8:24], packet[24:40], packet[6], packet[40:]) == b"\xff\xff"
    assert count == len(frames(exchange)) + 1


def test_neighbour_discovery(to_pcap: Any, tmp_path: Path) -> None:
    mac = bytes.fromhex("dc0ea1116708")
    target = bytes.fromhex("fe80000000000000de0ea1fffe116708")
    body = b"\x87\0\0\0\0\0\0\0" + target + b"\1\1" + mac
    group = bytes.fromhex("ff0200000000000000000001ff116708")
    packet = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + target + group + body
    source = capture(to_pcap, [b"\x33\x33\xff\x11\x67\x08" + mac + b"\x86\xdd" + packet] * 2)
    made = redacted(source, tmp_path / "copy.pcapng")
    [frame, _] = [each.data for each in Capture(BytesIO(made.copy), "")]
    new = frame[6:12]
    assert leaks(made.copy, {mac, mac[3:], target[8:]}) == []
    assert frame[:6] == b"\x33\x33\xff" + new[3:]
    assert frame[14 + 24 : 14 + 40] == group[:13] + new[3:]
    assert frame[14 + 48 : 14 + 64][8:] == bytes([new[0] ^ 2]) + new[1:3] + b"\xff\xfe" + new[3:]
    assert frame[-6:] == new


def test_options_that_tell_of_the_machine_are_gone() -> None:
    from hlc.capture.redact.frames import segment

    options = b"\2\4\5\xa0\4\2\x08\x0a\x11\x22\x33\x44\0\0\0\0\1\3\3\7"
    header = struct.pack("!HHIIBBHHH", 1, 2, 3, 4, (20 + len(options)) << 2, 2, 65535, 9, 9) + options
    new = segment(header, 5, 6, b"data")
    assert new[:16] == struct.pack("!HHIIBBH", 1, 2, 5, 6, (20 + len(options)) << 2, 2, 65535)
    assert new[20:] == b"\2\4\5\xa0\4\2" + b"\1" * 11 + b"\3\3\7" + b"data"
    for junk in (b"\x08\x00\2\2", b"\x08", b"\x02\xff\xff\xff"):
        assert segment(header[:20] + junk.ljust(20, b"\0"), 5, 6, b"")[20:] == b"\1" * 20


def test_the_command(
    exchange: list[tuple[bool, bytes]], to_pcap: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, copy = tmp_path / "in.pcap", tmp_path / "out.pcapng"
    source.write_bytes(capture(to_pcap, [announcement(), *frames(exchange), datagram(b"x", 1, 2)]))
    assert cli.main(["decode", str(source), "--redact"]) == 2
    assert "--redact is about the copy: say --write FILE.pcapng" in capsys.readouterr().err
    assert cli.main(["decode", str(source), "--write", str(copy), "--redact", "--summary"]) == 0
    out, err = capsys.readouterr()
    assert f"{len(exchange)} messages decoded" in out
    assert "left out: 1 UDP datagrams that are no discovery" in err
    first = copy.read_bytes()
    assert cli.main(["decode", str(copy), "--summary"]) == 0
    assert f"{len(exchange)} messages decoded" in capsys.readouterr().out
    assert cli.main(["decode", str(source), "--write", str(copy), "--redact", "--summary"]) == 0
    assert copy.read_bytes() != first  # the pseudonyms are of one run


def test_a_hole_takes_no_room() -> None:
    """A damaged sequence number claims one of any size; what was found before it is still there."""
    lane = Lane()
    lane.add(Part(0, 10, b"0123456789", 10))
    lane.add(Part(10, 10 + (1 << 20), b"", 1 << 20))
    assert [part.octets for part in lane.covering(0)] == [b"", b"0123456789"]
    assert lane.kept == 10 + (1 << 20)
    for number in range(40):
        lane.add(Part(number, number + 1, bytes(1 << 13), 1 << 13))
    assert lane.octets <= REMEMBERED
