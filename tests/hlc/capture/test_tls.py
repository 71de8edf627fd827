"""TLS as a listener reads it: every suite, in whatever pieces, with late secrets, behind holes, and damaged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from talk import NO_ENCRYPT_THEN_MAC, NO_EXTENDED_MASTER_SECRET, STATION, VEHICLE, Talk

from hlc.capture import tls
from hlc.capture.reassembly import Piece
from hlc.capture.tls import Plain, Said, TlsConnection
from hlc.capture.where import Where
from hlc.security import keylog, records
from hlc.security.certificate import der
from hlc.security.handshake import Version
from hlc.security.keylog import Secrets
from hlc.security.profiles import Role
from hlc.security.registry import SUITES
from hlc.trace.events import Side

OLD = [
    ("ECDHE-ECDSA-AES128-SHA256", 0),
    ("ECDHE-ECDSA-AES128-SHA256", NO_ENCRYPT_THEN_MAC),
    ("ECDHE-ECDSA-AES128-SHA256", NO_ENCRYPT_THEN_MAC | NO_EXTENDED_MASTER_SECRET),
    ("ECDHE-ECDSA-AES256-SHA384", NO_ENCRYPT_THEN_MAC),
    ("ECDHE-ECDSA-AES128-SHA", 0),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", 0),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", NO_EXTENDED_MASTER_SECRET),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", 0),
    ("ECDHE-ECDSA-AES128-CCM", 0),
    ("ECDHE-ECDSA-AES256-CCM8", 0),
]
NEW = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
]
ALL = [(Version.TLS12, suite, options) for suite, options in OLD] + [(Version.TLS13, suite, 0) for suite in NEW]
SAID = [(n % 2 == 0, bytes([n]) * (10 * n + 1)) for n in range(12)]


def talk(version: Version = Version.TLS12, suite: str = OLD[0][0], options: int = 0, **more: Any) -> Talk:
    """A conversation in which `SAID` was said."""
    found = Talk(version, suite, options=options, **more)
    for vehicle, data in SAID:
        found.say(vehicle, data)
    found.close()
    return found


class Heard:
    """What a listener made of it."""

    def __init__(self, secrets: Secrets | bytes) -> None:
        if isinstance(secrets, bytes):
            secrets, known = Secrets(), secrets
            secrets.add(known)
        self.secrets = secrets
        self.connection = TlsConnection((VEHICLE, STATION), None, Where(0.0, 1), secrets)
        self.out: list[Plain | Said] = []
        self.frame = 0

    def feed(self, heard: Iterable[tuple[bool, bytes]], lost: int = 0) -> Heard:
        for vehicle, data in heard:
            self.frame += 1
            piece = Piece(data, float(self.frame), self.frame, lost)
            self.out += self.connection.feed(VEHICLE if vehicle else STATION, piece)
            lost = 0
        return self

    def close(self) -> Heard:
        self.out += self.connection.close()
        return self

    @property
    def plain(self) -> list[tuple[bool, bytes]]:
        return [(each.sender == VEHICLE, each.piece.data) for each in self.out if isinstance(each, Plain)]

    @property
    def notes(self) -> list[str]:
        return [each.text for each in self.out if isinstance(each, Said) and each.name == "note"]

    def said(self, name: str) -> list[Said]:
        return [each for each in self.out if isinstance(each, Said) and each.name == name]


@pytest.mark.parametrize(("version", "suite", "options"), ALL)
def test_every_suite_is_read(version: Version, suite: str, options: int) -> None:
    heard = talk(version, suite, options)
    found = Heard(heard.secrets).feed(heard.heard).close()
    assert found.plain == SAID
    assert found.notes == []
    facts = found.connection.facts
    assert (facts.version, facts.unopened, facts.finished) == (version, 0, set(Side))
    assert re.split("[-_]", suite)[-1].replace("POLY1305", "SHA256").replace("CCM8", "8") in SUITES[facts.suite or 0]
    [hello], [answer] = found.said("ClientHello"), found.said("ServerHello")
    assert answer.text.startswith(f"TLS 1.{version - 0x301} TLS_")
    assert "secp256r1" in hello.text


@pytest.mark.parametrize("version", list(Version))
def test_the_facts_of_the_handshake(version: Version) -> None:
    from talk import credential

    suite = OLD[0][0] if version is Version.TLS12 else NEW[0]
    heard = talk(version, suite, mutual=True)
    facts = Heard(heard.secrets).feed(heard.heard).close().connection.facts
    for side, role in ((Side.SECC, Role.SECC), (Side.EVCC, Role.VEHICLE)):
        assert facts.chains[side].chain == tuple(der(one) for one in credential(role).chain)
        assert facts.schemes[side] == 0x0403
    assert facts.certificate_asked
    assert facts.group == 23
    assert facts.hello is not None
    assert facts.hello.groups == (23,)
    assert not facts.hello.server_name
    assert [(alert.side, alert.description) for alert in facts.alerts] == [(Side.EVCC, 0), (Side.SECC, 0)]


def test_each_message_has_the_frame_in_which_its_record_ended() -> None:
    heard = talk()
    cut = [(vehicle, data[at : at + 7]) for vehicle, data in heard.heard for at in range(0, len(data), 7)]
    ends, frame = [], 0
    for _vehicle, data in heard.heard:
        frame += -(-len(data) // 7)
        ends.append(frame)
    found = Heard(heard.secrets).feed(cut).close()
    assert found.plain == SAID
    frames = [each.piece.frame for each in found.out if isinstance(each, Plain)]
    assert frames == ends[-len(SAID) - 2 : -2]


CUTS = {version: talk(version, suite) for version, suite in ((Version.TLS12, OLD[5][0]), (Version.TLS13, NEW[0]))}


@given(st.sampled_from(list(Version)), st.lists(st.integers(1, 900), min_size=1, max_size=8))
@settings(max_examples=30)
def test_segments_may_be_cut_anywhere(version: Version, sizes: list[int]) -> None:
    cut = []
    for n, (vehicle, data) in enumerate(CUTS[version].heard):
        while data:
            size = sizes[n % len(sizes)]
            cut.append((vehicle, data[:size]))
            data = data[size:]
    assert Heard(CUTS[version].secrets).feed(cut).close().plain == SAID


def test_a_second_client_hello_is_the_one_that_counts() -> None:
    heard = talk(Version.TLS13, NEW[0], groups=("x448:secp521r1", "secp521r1"))
    found = Heard(heard.secrets).feed(heard.heard).close()
    assert found.plain == SAID
    assert found.connection.facts.retried
    assert len(found.said("ClientHello")) == 2
    assert "wants another ClientHello" in found.said("ServerHello")[0].text


@pytest.mark.parametrize(("version", "suite", "options"), [ALL[0], ALL[5], *ALL[-5:-2]])
def test_secrets_may_come_late(version: Version, suite: str, options: int) -> None:
    """As where a test system discloses them a moment after: what waits for them comes in order, with its own frames."""
    heard = talk(version, suite, options)
    found = Heard(Secrets()).feed(heard.heard[:-4])
    assert found.plain == []
    found.secrets.add(heard.secrets)
    found.feed(heard.heard[-4:]).close()
    assert found.plain == SAID
    assert found.notes == []
    frames = [each.piece.frame for each in found.out if isinstance(each, Plain)]
    assert frames == sorted(frames)


def test_secrets_that_come_at_the_very_end() -> None:
    heard = talk(Version.TLS13, NEW[0])
    found = Heard(Secrets()).feed(heard.heard)
    found.secrets.add(heard.secrets)
    assert found.close().plain == SAID


@pytest.mark.parametrize("version", list(Version))
def test_what_waits_has_a_bound_and_what_follows_is_read(version: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "WAITING", 300)
    heard = CUTS[version]
    found = Heard(Secrets()).feed(heard.heard[:-4])
    assert any("no secret for this connection (client random" in note for note in found.notes)
    found.secrets.add(heard.secrets)
    found.feed(heard.heard[-4:]).close()
    assert found.plain == SAID[-2:]


def test_traffic_secrets_suffice() -> None:
    """Some key logs lack the handshake's: the messages are read all the same."""
    heard = CUTS[Version.TLS13]
    lines = "".join(line + "\n" for line in heard.keylog if "HANDSHAKE" not in line).encode()
    found = Heard(lines).feed(heard.heard).close()
    assert found.plain == SAID
    assert "the secret of the handshake is missing" in found.notes[0]


def seal(keys: Any, sequence: int, kind: int, data: bytes) -> bytes:
    """A record of TLS 1.3 under these keys."""
    inner = data + bytes([kind]) + bytes(3)
    header = b"\x17\3\3" + (len(inner) + 16).to_bytes(2, "big")
    aead: AESGCM = keys._aead
    return header + aead.encrypt((keys._iv ^ sequence).to_bytes(12, "big"), inner, header)


@pytest.mark.parametrize("lost", [False, True])
def test_keys_may_be_updated(lost: bool) -> None:
    heard = Talk(Version.TLS13, NEW[0])
    secrets = Secrets()
    secrets.add(heard.secrets)
    suite = records.suite(0x1302)
    assert suite is not None
    client_random = heard.heard[0][1][11:43]
    secret = secrets.find(client_random, keylog.APPLICATION[0])
    assert secret is not None
    keys = records.Modern(suite, secret)
    follow = keys.updated()
    said = [seal(keys, 0, 23, b"before"), seal(keys, 1, 22, bytes.fromhex("1800000100")), seal(follow, 0, 23, b"after")]
    found = Heard(secrets).feed(heard.heard).feed([(True, said[0])])
    if lost:
        found.feed([(True, said[2])], lost=len(said[1]))
    else:
        found.feed([(True, said[1] + said[2])])
    assert [data for _, data in found.plain] == [b"before", b"after"]


@pytest.mark.parametrize(("version", "suite", "options"), ALL)
def test_behind_a_hole_reading_goes_on(version: Version, suite: str, options: int) -> None:
    """Whatever is missing but the hellos: every record that is whole in the capture is read."""
    heard = talk(version, suite, options)
    first = next(n for n, (vehicle, data) in enumerate(heard.heard) if n and vehicle)
    for n in range(first, len(heard.heard)):
        found, lost = Heard(heard.secrets), {True: 0, False: 0}
        for m, (vehicle, data) in enumerate(heard.heard):
            if m == n:
                lost[vehicle] = len(data)
                continue
            found.feed([(vehicle, data)], lost=lost[vehicle])
            lost[vehicle] = 0
        found.close()
        missing = n - (len(heard.heard) - len(SAID) - 2)
        expected = [each for m, each in enumerate(SAID) if m != missing]
        assert found.plain == expected, n
        assert found.connection.facts.changed == 0


def test_behind_a_long_hole_reading_goes_on() -> None:
    for version, suite, options in (ALL[0], ALL[7], ALL[-5]):
        heard = Talk(version, suite, options=options)
        for n in range(1000):
            heard.say(True, b"%d" % n)
        start = len(heard.heard) - 1000
        found = Heard(heard.secrets).feed(heard.heard[: start + 10])
        lost = sum(len(data) for _, data in heard.heard[start + 10 : -5])
        found.feed(heard.heard[-5:], lost=lost)
        assert [data for _, data in found.plain[-6:]] == [b"9", *(b"%d" % n for n in range(995, 1000))]


def test_a_hole_in_the_middle_of_a_record() -> None:
    """What begins behind it, in the middle of a segment or over two, is found."""
    heard = talk()
    stream = b"".join(data for vehicle, data in heard.heard[-15:] if vehicle)
    ends = [found.start() for found in re.finditer(rb"\x17\x03\x03", stream)]
    shake = heard.heard[: len(heard.heard) - len(SAID) - 2]
    found = Heard(heard.secrets).feed(shake)
    third = ends[2] + 40
    found.feed([(True, stream[: ends[1] + 20])])
    found.feed([(True, stream[ends[1] + 50 : third])], lost=30)
    found.feed([(True, stream[third:])]).close()
    spoken = [data for vehicle, data in SAID if vehicle]
    assert [data for vehicle, data in found.plain] == [spoken[0], *spoken[2:]]


def without_hello(heard: list[tuple[bool, bytes]]) -> list[tuple[bool, bytes]]:
    return heard[1:]


def with_another_random(heard: list[tuple[bool, bytes]]) -> list[tuple[bool, bytes]]:
    return [(True, heard[0][1][:20] + b"damaged" + heard[0][1][27:]), *heard[1:]]


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize("change", [without_hello, with_another_random])
def test_the_secrets_are_found_without_the_client_hello(
    version: Version, change: Callable[[list[tuple[bool, bytes]]], list[tuple[bool, bytes]]]
) -> None:
    """Among those of other connections."""
    heard = CUTS[version]
    others = b"".join(talk(version, suite).secrets for suite in ((OLD[5][0],) if version is Version.TLS12 else NEW[:2]))
    found = Heard(others + heard.secrets).feed(change(heard.heard)).close()
    assert found.plain == SAID
    assert found.connection.facts.unopened == 0
    [note] = found.notes
    assert note.startswith("its secrets were found by trial: ")


@pytest.mark.parametrize("suite", NEW)
def test_a_capture_may_begin_within_a_connection(suite: str) -> None:
    """By TLS 1.3: whichever record is the first one, of whichever side."""
    heard = talk(Version.TLS13, suite)
    for start in range(1, len(heard.heard) - 3):
        found = Heard(heard.secrets).feed(heard.heard[start:]).close()
        assert found.plain == SAID[-len(found.plain) :]
        assert len(found.plain) >= len(heard.heard) - 2 - max(start, len(heard.heard) - 2 - len(SAID)), start


@pytest.mark.parametrize("version", list(Version))
def test_a_stream_may_be_found_again_before_where_it_was(version: Version) -> None:
    """What came first was in a wrong place."""
    heard = CUTS[version]
    spoken = [each for each in heard.heard[len(heard.heard) - len(SAID) - 2 : -2] if each[0]]
    found = Heard(heard.secrets).feed(heard.heard[: len(heard.heard) - len(SAID) - 2])
    found.feed(spoken[2:], lost=-1).feed(spoken[:2], lost=-1).close()
    said = [each for each in SAID if each[0]]
    assert found.plain == said[2:] + said[:2]


@pytest.mark.parametrize("version", list(Version))
def test_a_record_that_nothing_opens_leaves_attempts_for_the_next_one(version: Version) -> None:
    heard = CUTS[version]
    spoken = [each for each in heard.heard[len(heard.heard) - len(SAID) - 2 : -2] if each[0]]
    found = Heard(heard.secrets).feed(heard.heard[: len(heard.heard) - len(SAID) - 2])
    found.feed([(True, b"\x17\x03\x03\0\x40" + bytes(64))] * 3, lost=1 << 20).feed(spoken[3:], lost=200).close()
    assert found.plain == [each for each in SAID if each[0]][3:]


def test_trials_end() -> None:
    """The secrets of others are tried for so many records, so many times."""
    heard = CUTS[Version.TLS13]
    secrets = Secrets()
    for number in range(100):
        secrets.add(b"CLIENT_TRAFFIC_SECRET_0 %064x %064x\n" % (number, number))
    before = secrets.trials
    found = Heard(secrets).feed(heard.heard[2:]).close()
    assert found.plain == []
    assert before - 4 * (1 << 14) <= secrets.trials < before
    secrets.trials = 0
    assert Heard(secrets).feed(heard.heard[2:]).close().plain == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda heard: heard[2:], "the capture begins within the connection"),
        (lambda heard: [heard[0], *heard[2:]], "the capture lacks the ServerHello"),
        (lambda heard: [heard[0], (False, heard[1][1].replace(b"\xc0\x2b", b"\xc0\x06")), *heard[2:]], "suite 0xC006"),
        (lambda heard: [heard[0], (False, heard[1][1].replace(b"\3\3", b"\3\1", 2)), *heard[2:]], "TLS 1.0 is not"),
    ],
)
def test_what_cannot_be_decrypted_is_said_once(
    change: Callable[[list[tuple[bool, bytes]]], list[tuple[bool, bytes]]], why: str
) -> None:
    heard = CUTS[Version.TLS12]
    found = Heard(heard.secrets).feed(change(heard.heard)).close()
    assert found.plain == []
    [note] = found.notes
    assert why in note
    assert found.connection.facts.closed


def test_a_foreign_secret_is_said_to_be_one() -> None:
    heard = CUTS[Version.TLS12]
    label, client_random, secret = heard.keylog[0].split()
    wrong = f"{label} {client_random} {secret[::-1]}\n".encode()
    found = Heard(wrong).feed(heard.heard).close()
    assert found.plain == []
    assert "the secret does not fit: record 0 does not authenticate" in found.notes[0]
    assert len(found.notes) == 1


@pytest.mark.parametrize(("version", "suite", "options"), [ALL[0], ALL[1], ALL[5], ALL[-5]])
def test_a_changed_record_is_left_out(version: Version, suite: str, options: int) -> None:
    heard = talk(version, suite, options)
    start = len(heard.heard) - len(SAID) - 2
    changed = list(heard.heard)
    vehicle, data = changed[start + 4]
    changed[start + 4] = vehicle, data[:20] + bytes([data[20] ^ 1]) + data[21:]
    found = Heard(heard.secrets).feed(changed).close()
    assert found.plain == SAID[:4] + SAID[5:]
    assert "does not authenticate" in found.notes[0]
    assert found.connection.facts.changed == len(data)
    [hole] = [each for each in found.out if isinstance(each, Plain) and each.piece.lost]
    assert (hole.piece.data, hole.piece.lost) == (SAID[6][1], len(data))


@given(st.sampled_from(list(Version)), st.data())
@settings(max_examples=60)
def test_damage_never_gives_what_was_not_said(version: Version, data: st.DataObject) -> None:
    heard = list(CUTS[version].heard)
    for _ in range(data.draw(st.integers(1, 3))):
        n = data.draw(st.integers(0, len(heard) - 1))
        vehicle, octets = heard[n]
        place = data.draw(st.integers(0, len(octets) - 1))
        match data.draw(st.sampled_from(("flip", "cut", "insert"))):
            case "flip":
                octets = (
                    octets[:place] + bytes([octets[place] ^ 1 << data.draw(st.integers(0, 7))]) + octets[place + 1 :]
                )
            case "cut":
                octets = octets[:place] or b"\0"
            case _:
                octets = octets[:place] + data.draw(st.binary(min_size=1, max_size=20)) + octets[place:]
        heard[n] = vehicle, octets
    found = Heard(CUTS[version].secrets).feed(heard).close()
    rest = iter(SAID)
    assert all(each in rest for each in found.plain if each[1])  # in order, each once, nothing else


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=400)), max_size=20), st.binary(max_size=8))
@settings(max_examples=60)
def test_any_octets_may_come(pieces: list[tuple[bool, bytes]], begin: bytes) -> None:
    found = Heard(Secrets()).feed([(True, b"\x16\3\1" + begin), *pieces]).close()
    assert found.plain == []


def test_octets_that_look_like_headers_cost_little() -> None:
    """Each candidate behind a hole is looked at once; the attempts to open something have a bound."""
    heard = CUTS[Version.TLS12]
    found = Heard(heard.secrets).feed(heard.heard[:4])
    found.feed([(True, b"\x17\3\3\x40\0" * 20000)], lost=1 << 20).close()
    small = [(True, (b"\x17\3\3\0\x20" + bytes(32)) * 30)] * 30
    found.feed(small, lost=1 << 20).close()
    assert found.connection._tries <= 0


def test_a_failed_handshake_shows_its_alert() -> None:
    heard = Talk(offer="ECDHE-ECDSA-AES128-GCM-SHA256")
    assert heard.failed
    found = Heard(b"").feed(heard.heard).close()
    [alert] = found.said("alert")
    assert alert.text.startswith("fatal handshake_failure; to who receives it that means: no version, suite, group")
    assert alert.grave
    assert alert.sender == STATION
    assert not found.connection.facts.closed  # nothing was encrypted


def test_an_encrypted_alert_is_read() -> None:
    heard = Talk(Version.TLS13, NEW[0], trust=False)
    assert heard.failed
    found = Heard(heard.secrets).feed(heard.heard).close()
    [alert] = found.connection.facts.alerts
    assert (alert.side, alert.fatal, alert.description) == (Side.EVCC, True, 48)
