"""Pseudonyms: the same for the same, of the same form and length, and nothing that is no identity."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hlc.capture.redact.pseudonyms import OWN_MODEM, Pseudonyms
from hlc.security import identifiers
from slac.keys import nid_from_nmk

NAMES = Pseudonyms(bytes(range(32)))
MAC = bytes.fromhex("dc0ea1116708")
EUI64 = bytes.fromhex("fe80000000000000de0ea1fffe116708")


def test_what_belongs_together_belongs_together() -> None:
    mac = NAMES.mac(MAC)
    assert (mac[0], len(mac)) == (2, 6)
    assert mac != MAC
    assert NAMES.mac(MAC) == mac
    assert NAMES.address(EUI64) == bytes.fromhex("fe80000000000000") + b"\0" + mac[1:3] + b"\xff\xfe" + mac[3:]
    assert NAMES.run_id(MAC + b"\0\0") == mac + b"\0\0"
    assert NAMES.evccid(MAC) == mac
    assert NAMES.evccid(MAC + b"\0\0") == mac + b"\0\0"
    assert NAMES.evccid(b"\0\0" + MAC) == b"\0\0" + mac
    assert NAMES.text("DC:0E:A1:11:67:08") == mac.hex(":").upper()
    assert NAMES.text("DC0EA1116708") == mac.hex().upper()


def test_the_identifier_of_a_network_follows_from_its_key_again() -> None:
    names = Pseudonyms(bytes(32))
    nmk = bytes(range(16))
    nid = nid_from_nmk(nmk)
    stray = names.nid(nid)  # named before its key
    new = names.nmk(nmk)
    assert names.nid(nid) == nid_from_nmk(new) != stray
    assert names.nid(nid_from_nmk(nmk, 1)) == nid_from_nmk(new, 1)
    other = names.nid(bytes.fromhex("01020304050617"))
    assert other[6] >> 4 == 1


def test_another_key_gives_other_pseudonyms() -> None:
    assert Pseudonyms(bytes(32)).mac(MAC) != NAMES.mac(MAC)


def test_what_is_no_identity_stays() -> None:
    for mac in (b"\xff" * 6, bytes(6), bytes.fromhex("333300000001"), OWN_MODEM):
        assert NAMES.mac(mac) == mac
    for address in (
        "ff020000000000000000000000000001",
        "00" * 16,
        "00" * 15 + "01",
        "e0000001",
        "ffffffff",
        "7f000001",
    ):
        assert NAMES.address(bytes.fromhex(address)).hex() == address
    assert NAMES.octets(bytes(8)) == bytes(8)
    assert NAMES.id("id1") == "id1"
    assert NAMES.id("#ID1") == "#ID1"
    assert NAMES.nid(bytes(7)) == bytes(7)


def test_other_addresses() -> None:
    private = NAMES.address(bytes.fromhex("fe80000000000000c69083f3fbcb980e"))
    assert private[:8] == bytes.fromhex("fe80000000000000")
    assert private[8:] != bytes.fromhex("c69083f3fbcb980e")
    ours = [NAMES.address(bytes.fromhex(f"20010db8{host:024x}")) for host in (1 << 90, 1 << 90 | 1)]
    assert [each[0] for each in ours] == [0xFD, 0xFD]
    assert ours[0][:8] == ours[1][:8]
    assert NAMES.address(bytes([192, 168, 1, 2]))[0] == 10


def test_references_stay_references() -> None:
    name = NAMES.id("_4711abcdefgh0815")
    assert name != "_4711abcdefgh0815"
    assert NAMES.id("#_4711abcdefgh0815") == f"#{name}"


def test_an_emaid_stays_one() -> None:
    for text in ("NN123ABCDEFGHIT", "FR-XYZ-123456789-2", "NN123ABCDEFGHI"):
        new = NAMES.text(text)
        assert new != text
        plain = identifiers.emaid(new)
        assert plain is not None
        assert identifiers.emaid_checks(plain)
        assert [each.isalnum() for each in new] == [each.isalnum() for each in text]
    assert identifiers.evccid(NAMES.text("WMIV1234567890ABCDEX")) is not None


def octets_in_exi(number: int) -> int:
    return max(1, -(-number.bit_length() // 7))


@given(st.text())
def test_a_text_keeps_its_length_in_exi(text: str) -> None:
    new = NAMES.text(text)
    assert [octets_in_exi(ord(each)) for each in new] == [octets_in_exi(ord(each)) for each in text]
    assert NAMES.text(text) == new


@given(st.integers())
def test_a_number_keeps_its_length_in_exi(number: int) -> None:
    new = NAMES.number(number)
    assert (new < 0) == (number < 0)
    assert octets_in_exi(-new - 1 if new < 0 else new) == octets_in_exi(-number - 1 if number < 0 else number)


@given(st.binary())
def test_octets_keep_their_length(data: bytes) -> None:
    assert len(NAMES.octets(data)) == len(data)
