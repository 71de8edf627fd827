"""Frames by hand: defaults, tags, tails, fragments, the unknown; and what is no frame."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

import slac
from slac import MmeError
from slac.mme import qualcomm
from slac.mme.fields import Format
from slac.mme.registry import BY_NUMBER, FORMATS

EV, EVSE, ALL = bytes.fromhex("020000000001"), bytes.fromhex("020000000002"), bytes.fromhex("FFFFFFFFFFFF")
RUN_ID = bytes.fromhex("0102030405060708")


def make(name: str, **options: Any) -> bytes:
    return slac.make(name, **{"destination": EVSE, "source": EV, **options})


def raw(octets: str) -> bytes:
    """A frame from the octet of the version on."""
    return ALL + EV + bytes.fromhex("88E1" + octets)


def test_a_request_octet_by_octet() -> None:
    frame = make("CM_SLAC_PARM.REQ", destination=ALL, run_id=RUN_ID)
    assert frame == raw("01 6460 00 00 00 00 0102030405060708").ljust(60, b"\0")
    mme = slac.parse(frame)
    assert (mme.name, mme.mmtype, mme.mmv, mme.destination, mme.source) == ("CM_SLAC_PARM.REQ", 0x6064, 1, ALL, EV)
    assert mme.fields == {"application_type": 0, "security_type": 0, "run_id": RUN_ID}
    assert (mme.vlan, mme.oui, mme.fragment, mme.tail, mme.note) == (None, None, (0, 1), bytes(31), "")


def test_constants_need_not_be_given() -> None:
    fields = slac.parse(make("CM_SLAC_PARM.CNF", forwarding_sta=EV, run_id=RUN_ID)).fields
    assert (fields["m_sound_target"], fields["num_sounds"], fields["time_out"], fields["resp_type"]) == (ALL, 10, 6, 1)
    assert slac.parse(make("CM_SLAC_MATCH.REQ")).fields["mvf_length"] == 62
    assert slac.parse(make("CM_SLAC_MATCH.CNF")).fields["mvf_length"] == 86


def test_mvf_length_covers_the_rest_of_the_message() -> None:
    for name, length in (("CM_SLAC_MATCH.REQ", 62), ("CM_SLAC_MATCH.CNF", 86)):
        assert len(make(name)) == 19 + 4 + length


def test_groups_are_counted() -> None:
    assert slac.parse(make("CM_ATTEN_CHAR.IND", aag=[20] * 58)).fields["num_groups"] == 58
    mme = slac.parse(make("CM_ATTEN_PROFILE.IND", pev_mac=EV))
    assert (mme.fields["num_groups"], mme.fields["aag"]) == (0, [])


def test_cipher_suites_only_where_there_is_security() -> None:
    mme = slac.parse(make("CM_SLAC_PARM.REQ", security_type=1, cipher_suites=[1, 0x0203]))
    assert mme.fields["cipher_suites"] == [1, 0x0203]
    assert mme.build()[29:34] == bytes.fromhex("02 0100 0302")
    assert slac.parse(make("CM_SLAC_PARM.CNF", security_type=1, cipher_suite=5)).fields["cipher_suite"] == 5


@pytest.mark.parametrize("format", FORMATS, ids=lambda each: f"{each.name}-{each.oui and each.oui.hex()}-{each.mmv}")
def test_every_message_can_be_made_of_nothing_and_read(format: Format) -> None:
    given = {} if format.layout else {"payload": bytes(20)}
    mme = slac.parse(make(format.name, oui=format.oui, mmv=format.mmv, **given))
    assert (mme.name, mme.mmtype, mme.oui, mme.mmv) == (format.name, format.mmtype, format.oui, format.mmv)
    assert bool(mme.note) == (format.layout is None)


def test_no_two_formats_for_the_same_message() -> None:
    for formats in BY_NUMBER.values():
        versions = sorted((each.versions for each in formats), key=lambda each: each.start)
        assert all(one.stop == other.start for one, other in pairwise(versions)), formats
        assert (versions[0].start, versions[-1].stop) == (0, 256)


def test_a_tag_shifts_what_follows() -> None:
    frame = make("CM_SLAC_PARM.REQ", vlan=0xE001, run_id=RUN_ID)
    assert frame[12:18] == bytes.fromhex("8100 E001 88E1")
    mme = slac.parse(frame)
    assert (mme.vlan, mme.fields["run_id"], mme.build()) == (0xE001, RUN_ID, frame)


def test_what_follows_the_last_field_is_kept() -> None:
    """A station in the field sends an area of 255 octets for 58 groups."""
    frame = make("CM_ATTEN_CHAR.IND", aag=[27] * 58, tail=bytes(197))
    mme = slac.parse(frame)
    assert (len(frame), len(mme.tail), mme.build()) == (326, 197, frame)


def test_an_unknown_message_is_header_and_octets() -> None:
    mme = slac.parse(raw("01 9D60 00 00 AABBCC"))
    assert (mme.name, mme.note, mme.fields) == ("CM_0x609D.CNF", "unknown message", {"payload": b"\xaa\xbb\xcc"})
    mme = slac.parse(raw("00 00A0 112233 AABBCC"))
    assert (mme.name, mme.oui, mme.fields) == ("VS_0xA000.REQ", b"\x11\x22\x33", {"payload": b"\xaa\xbb\xcc"})
    assert slac.parse(raw("00 02E0 112233")).name == "MME_0xE002.IND"


def test_the_vendor_decides_on_the_meaning() -> None:
    assert slac.parse(raw("00 00A0 00B052")).name == "VS_SW_VER.REQ"
    assert slac.parse(raw("01 00A0 0000 0013D7")).name == "VS_GET_VERSION.REQ"


def test_where_only_the_number_is_known_it_is_said() -> None:
    mme = slac.parse(raw("00 F8A0 00B052 0001"))
    assert (mme.name, mme.fields) == ("VS_GET_PROPERTY.REQ", {"payload": b"\0\1"})
    assert mme.note == "only the number of this message is known"
    assert mme.build() == raw("00 F8A0 00B052 0001")


def test_one_name_of_two_vendors() -> None:
    assert slac.parse(make("VS_SET_KEY.REQ", nmk=bytes(16))).oui == bytes.fromhex("00B052")
    assert slac.parse(make("VS_SET_KEY.REQ", oui=bytes.fromhex("0013D7"), payload=b"")).mmtype == 0xA00C


def test_version_decides_on_the_layout() -> None:
    stations = [{"mac": EV, "tei": 2, "bda": EV, "avg_tx": 9, "avg_rx": 8}]
    for mmv in (0, 1):
        mme = slac.parse(make("VS_NW_INFO.CNF", mmv=mmv, avlns=[{"cco_mac": EVSE, "stas": stations}]))
        [avln] = mme.fields["avlns"]
        assert (avln["cco_mac"], avln["stas"][0]["avg_rx"]) == (EVSE, 8)
        assert mme.fields.get("data_length") == (58 if mmv else None)
    for mmv, rate in ((1, 200), (2, 2000)):
        made = make("CM_NW_STATS.CNF", mmv=mmv, stas=[{"mac": EV, "avg_tx": rate, "avg_rx": rate}])
        assert slac.parse(made).fields["stas"][0]["avg_rx"] == rate


def test_without_fragment_octets_in_version_0() -> None:
    frame = make("NSCM_GET_D_LINK_STATUS.CNF", mmv=0, link_status=1)
    assert frame[17:20] == bytes.fromhex("0016E8")
    assert slac.parse(frame).fields["link_status"] == 1
    assert slac.parse(make("NSCM_GET_D_LINK_STATUS.CNF", link_status=1)).mmv == 1


def test_the_vendor_message_without_oui() -> None:
    mme = slac.parse(raw("01 02A0 0000 01").ljust(60, b"\0"))
    assert (mme.name, mme.oui, mme.fields) == ("NSCM_D_LINK_READY.IND", None, {"status": 1})
    assert slac.parse(raw("01 02A0 0000 00B052 01")).name == "VS_0xA002.IND"


def test_fragments_are_shown_as_fragments() -> None:
    first = slac.parse(raw("01 ADAC 10 07 0016E8 AABB"))
    assert (first.name, first.fragment, first.fmsn) == ("NSCM_DEVICE_INFO.CNF", (0, 2), 7)
    assert (first.note, first.fields) == ("fragment 1 of 2", {"payload": b"\xaa\xbb"})
    second = slac.parse(raw("01 ADAC 11 07 0016E8 AABB"))
    assert (second.name, second.oui, second.note) == ("VS_0xACAD.CNF", None, "fragment 2 of 2")
    assert second.fields == {"payload": bytes.fromhex("0016E8AABB")}
    assert slac.parse(raw("01 6E60 F3 01 00")).note == "fragment 4 of 16"
    assert [each.build()[14:] for each in (first, second)] == [
        bytes.fromhex("01 ADAC 10 07 0016E8 AABB"),
        bytes.fromhex("01 ADAC 11 07 0016E8 AABB"),
    ]


@pytest.mark.parametrize(
    ("entry", "carriers"),
    [
        ("0500 2143 05", [1, 2, 3, 4, 5]),
        ("0500 2143 65", [1, 2, 3, 4, 5, 6]),  # padding that is not zero is not lost
        ("0600 2143 05", [1, 2, 3, 4, 5, 0]),
        ("9503 2143", [1, 2, 3, 4]),  # announces 917, brings four
        ("0000", []),
    ],
)
def test_amplitude_map(entry: str, carriers: list[int]) -> None:
    frame = raw("02 1C60 0000" + entry)
    mme = slac.parse(frame)
    assert (mme.fields["am_data"], mme.build()) == (carriers, frame)


def test_amplitude_map_is_counted() -> None:
    assert slac.parse(make("CM_AMP_MAP.REQ", am_data=[3] * 1155)).fields["am_len"] == 1155


def test_the_short_pwm_configuration_has_no_period() -> None:
    short = raw("01 11A1 0000 0013D7 01 00 0100 0200 0300 0400 0500")
    mme = slac.parse(short)
    assert "period" not in mme.fields
    assert (mme.fields["freq_threshold"], mme.fields["cal_bias"], mme.build()) == (1, 5, short)
    assert slac.parse(make("VS_GET_PWM_CONF.CNF", period=1000)).fields["period"] == 1000


def test_short_and_long_host_actions() -> None:
    for entry in ("04", "04 01", "04 01 02", "04 01 0300 6400"):
        frame = raw("00 62A0 00B052" + entry)
        mme = slac.parse(frame)
        assert (mme.fields["host_action"], mme.build()) == (4, frame)
    assert slac.parse(raw("00 63A0 00B052 00")).fields == {"mstatus": 0}


def test_voltages_follow_the_bits_of_the_converters() -> None:
    mme = slac.parse(make("STP_CPSTATE.IND", cp_state=5, adc_bitmask=0b101, adc=[1000, 2000]))
    assert mme.fields["adc"] == [1000, 2000]
    assert "adc" not in slac.parse(make("STP_CPSTATE.IND", cp_state=5)).fields


def test_text_ends_at_its_nul_and_nothing_is_lost() -> None:
    version = b"MAC-QCA7005-1.2\0\xff\xff".ljust(64, b"\0")
    frame = raw("00 01A0 00B052 00 22 10") + version + b"\1"
    mme = slac.parse(frame)
    assert mme.fields["version"] == "MAC-QCA7005-1.2"
    assert type(mme.fields["version"]) is str
    assert (mme.filler["version"][:3], mme.build()) == (b"\0\xff\xff", frame)
    assert replace(mme, filler={}).build()[38:41] == bytes(3)


def test_what_a_qualcomm_modem_says_of_itself() -> None:
    data = b"QCA7005".ljust(16, b"\0") + b"MAC".ljust(16, b"\0") + bytes(20) + b"20140815" + b"CS".ljust(46, b"\0")
    said = qualcomm.operating_attributes(data)
    assert (said["hardware"], said["software"], said["date"], said["release"]) == ("QCA7005", "MAC", "20140815", "CS")
    assert qualcomm.operating_attributes(b"QCA")["hardware"] == "QCA"


@pytest.mark.parametrize(
    ("frame", "text", "name"),
    [
        (b"", "0 octets are too few for a HomePlug header", ""),
        (raw("01 6460 00"), "18 octets are too few for a HomePlug header", ""),
        (raw("00 64"), "16 octets are too few for a HomePlug header", ""),
        (ALL + EV + bytes.fromhex("86DD") + bytes(60), "EtherType 0x86DD is not HomePlug's, 0x88E1", ""),
        (ALL + EV + bytes.fromhex("8100 0001 8100 0001 88E1") + bytes(60), "EtherType 0x8100 is not HomePlug's", ""),
        (
            raw("01 6460 0000 0000 0102"),
            "CM_SLAC_PARM.REQ: run_id is cut off: 4 octets follow the header",
            "CM_SLAC_PARM.REQ",
        ),
        (
            make("CM_ATTEN_CHAR.IND", aag=[27] * 58)[:-1],
            "CM_ATTEN_CHAR.IND: aag is cut off: 109 octets follow the header",
            "CM_ATTEN_CHAR.IND",
        ),
        (
            raw("01 3960 0000 02 0102030405060708"),
            "CM_NW_INFO.CNF: nwinfo.tei is cut off: 9 octets follow the header",
            "CM_NW_INFO.CNF",
        ),
    ],
)
def test_what_is_no_message(frame: bytes, text: str, name: str) -> None:
    with pytest.raises(MmeError) as caught:
        slac.parse(frame)
    assert str(caught.value).startswith(text)
    assert caught.value.name == name


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("CM_SLAC_PARM", {}, "no message 'CM_SLAC_PARM'"),
        ("CM_SLAC_PARM.REQ", {"oui": bytes(3)}, "no message 'CM_SLAC_PARM.REQ' of this vendor and version"),
        ("CM_SLAC_PARM.REQ", {"runid": RUN_ID}, "has no field runid; its fields: application_type, "),
        ("CM_SLAC_PARM.REQ", {"run_id": b"\1"}, "CM_SLAC_PARM.REQ: run_id: bytes object of wrong length"),
        ("CM_SLAC_PARM.REQ", {"source": b"\1"}, "CM_SLAC_PARM.REQ: a MAC address has 6 octets"),
        ("CM_SLAC_PARM.REQ", {"vlan": 0x10000}, "CM_SLAC_PARM.REQ: "),
        ("CM_SLAC_PARM.CNF", {"num_sounds": 256}, "CM_SLAC_PARM.CNF: num_sounds: "),
        ("CM_ATTEN_CHAR.IND", {"aag": [256]}, "CM_ATTEN_CHAR.IND: bytes must be in range"),
        ("CM_ATTEN_CHAR.IND", {"aag": [1], "num_groups": 2}, "CM_ATTEN_CHAR.IND: aag: "),
        ("CM_AMP_MAP.REQ", {"am_data": [16]}, "CM_AMP_MAP.REQ: am_data: numbers of four bits are 0 to 15"),
        ("VS_SW_VER.CNF", {"version": "x" * 65}, "VS_SW_VER.CNF: 65 octets, at most 64 fit"),
        ("VS_GET_PROPERTY.REQ", {}, "VS_GET_PROPERTY.REQ: its fields are not known"),
        ("VS_GET_PROPERTY.REQ", {"status": 1}, "has no field status; its fields: payload"),
    ],
)
def test_what_cannot_be_made(name: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text.replace("(", r"\(")):
        make(name, **options)


def test_there_are_no_fragments_in_version_0() -> None:
    mme = slac.parse(make("VS_SW_VER.REQ"))
    with pytest.raises(ValueError, match="no fragments in MMV 0"):
        replace(mme, fragment=(1, 2)).build()
    with pytest.raises(ValueError, match="no fragment number: 1 of 17"):
        replace(mme, mmv=1, fragment=(1, 17)).build()
