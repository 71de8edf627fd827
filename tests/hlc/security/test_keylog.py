"""Key logs: lines among anything, once for all, within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hlc.security import keylog
from hlc.security.keylog import Secrets

RANDOM = bytes(range(32))
MASTER = f"CLIENT_RANDOM {RANDOM.hex()} {'ab' * 48}"
TRAFFIC = f"SERVER_TRAFFIC_SECRET_0 {RANDOM.hex().upper()} {'CD' * 32}"


def test_lines_are_found_among_anything() -> None:
    secrets = Secrets()
    text = f"# a comment\r\n{MASTER}\r\nEXPORTER_SECRET {RANDOM.hex()} {'00' * 32}\n\0\xff{TRAFFIC}"
    assert secrets.add(text.encode("latin-1")).decode().splitlines() == [MASTER, TRAFFIC]
    assert secrets.find(RANDOM, keylog.CLIENT_RANDOM) == b"\xab" * 48
    assert secrets.find(RANDOM, keylog.APPLICATION[1]) == b"\xcd" * 32
    assert secrets.find(RANDOM, keylog.APPLICATION[0]) is None
    assert secrets.find(bytes(32), keylog.CLIENT_RANDOM) is None


def test_secrets_of_a_wrong_length_are_none() -> None:
    secrets = Secrets()
    for line in (
        MASTER[:-2],
        MASTER + "0",
        MASTER[:-32],
        TRAFFIC + "0",
        TRAFFIC[:-2],
        MASTER.replace(RANDOM.hex(), "00"),
    ):
        assert secrets.add(line.encode()) == b"", line
    assert secrets.count == 0


def test_what_came_first_stays() -> None:
    """A datagram cannot take away what a key log gave."""
    secrets = Secrets()
    secrets.add(MASTER.encode())
    secrets.add(MASTER.replace("ab", "00").encode())
    assert secrets.find(RANDOM, keylog.CLIENT_RANDOM) == b"\xab" * 48


def test_those_that_came_first_are_let_go() -> None:
    secrets = Secrets()
    many = keylog.CONNECTIONS + 3
    secrets.add(b"\n".join(b"CLIENT_RANDOM %064x %096x" % (n, n) for n in range(many)))
    assert secrets.dropped == 3
    assert secrets.find((2).to_bytes(32, "big"), keylog.CLIENT_RANDOM) is None
    assert secrets.find((3).to_bytes(32, "big"), keylog.CLIENT_RANDOM) == (3).to_bytes(48, "big")


def test_one_looks_ahead_once() -> None:
    looks = []

    def ahead(secrets: Secrets) -> None:
        looks.append(secrets.final)
        secrets.add(MASTER.encode())

    secrets = Secrets(ahead)
    assert secrets.find(RANDOM, keylog.CLIENT_RANDOM) == b"\xab" * 48
    assert secrets.find(bytes(32), keylog.CLIENT_RANDOM) is None
    assert looks == [False]
    assert secrets.final


def test_what_was_met_is_told_once() -> None:
    secrets = Secrets()
    secrets.add(MASTER.encode())
    secrets.add(MASTER.replace(RANDOM.hex(), "00" * 32).encode())
    assert secrets.fresh() == b""  # nobody spoke yet
    secrets.meet(RANDOM)
    assert secrets.fresh().decode() == f"{MASTER}\n"
    assert secrets.fresh() == b""
    secrets.add(TRAFFIC.encode())
    again = Secrets()
    again.add(secrets.fresh())
    assert (again.count, again.find(RANDOM, keylog.APPLICATION[1])) == (1, b"\xcd" * 32)


@given(st.binary())
def test_any_text_may_come(text: bytes) -> None:
    Secrets().add(b"CLIENT_RANDOM " + text)
