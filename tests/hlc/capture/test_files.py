"""Capture files in every form, whole and damaged: nothing intact is lost, and nothing raises."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlc.capture.files import Capture, CaptureError

Frames = list[tuple[float, bytes]]
Charge = tuple[bytes, list[str]]


def blocks(octets: bytes) -> list[tuple[int, int]]:
    """Offset and length of each block of a pcapng."""
    found, offset = [], 0
    while offset < len(octets):
        size = struct.unpack_from("<I", octets, offset + 4)[0]
        found.append((offset, size))
        offset += size
    return found


def read(octets: bytes) -> tuple[list[bytes], Capture]:
    capture = Capture(BytesIO(octets), "it")
    return [captured.data for captured in capture], capture


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_pcap(frames: Frames, to_pcap: Callable[..., bytes], order: str, nano: bool) -> None:
    capture = Capture(BytesIO(to_pcap(frames, order, nano)), "it")
    found = list(capture)
    assert [captured.data for captured in found] == [data for _, data in frames]
    assert [captured.at for captured in found] == pytest.approx([at for at, _ in frames], abs=2e-6)
    assert [captured.number for captured in found] == list(range(1, len(frames) + 1))
    assert {captured.link for captured in found} == {1}
    assert not capture.damage


def swapped(octets: bytes) -> bytes:
    """A pcapng of the writer in the other byte order."""
    out = b""
    for offset, size in blocks(octets):
        kind = struct.unpack_from("<I", octets, offset)[0]
        body = octets[offset + 8 : offset + size - 4]
        if kind == 0x0A0D0D0A:
            body = struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1)
            size = len(body) + 12
        elif kind == 1:
            body = struct.pack(">HHI", 1, 0, 1 << 18) + struct.pack(">HHB3x", 9, 1, 6) + bytes(4)
        else:
            body = struct.pack(">5I", *struct.unpack_from("<5I", body)) + body[20:]
        out += struct.pack(">II", kind, size) + body + struct.pack(">I", size)
    return out


def test_pcapng_in_either_order(charge: Charge, frames: Frames) -> None:
    for octets in (charge[0], swapped(charge[0]), charge[0] + swapped(charge[0])):
        found, capture = read(octets)
        assert found[: len(frames)] == [data for _, data in frames]
        assert len(found) % len(frames) == 0
        assert not capture.damage


def of_scapy(octets: bytes) -> list[tuple[float, int, bytes]]:
    """Time, link type and octets of each frame, as another reader has them."""
    from scapy.utils import RawPcapNgReader, RawPcapReader

    if octets.startswith(b"\n\r\r\n"):
        return [
            (((about.tshigh << 32) + about.tslow) / about.tsresol, about.linktype, data)
            for data, about in RawPcapNgReader(BytesIO(octets))  # type: ignore[arg-type]
        ]
    reader: Any = RawPcapReader(BytesIO(octets))  # type: ignore[arg-type]
    parts = 10**9 if reader.nano else 10**6
    return [(about.sec + about.usec / parts, reader.linktype, data) for data, about in reader]


def test_scapy_reads_the_same(charge: Charge, frames: Frames, to_pcap: Callable[..., bytes]) -> None:
    for octets in (charge[0], swapped(charge[0]), to_pcap(frames), to_pcap(frames, ">", True)):
        assert [(captured.at, captured.link, captured.data) for captured in Capture(BytesIO(octets), "it")] == of_scapy(
            octets
        )


def test_scapy_reads_the_same_in_recordings(reference: Path) -> None:
    for path in sorted((reference / "captures").glob("*.pcap*")):
        if path.suffix in (".pcap", ".pcapng"):
            octets = path.read_bytes()
            capture = Capture(BytesIO(octets), path.name)
            found = [(captured.at, captured.link, captured.data) for captured in capture]
            expected = of_scapy(octets)
            assert found[: len(expected)] == expected, path.name
            assert len(found) == len(expected) or capture.damage


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A block of a pcapng."""
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int, options: bytes = b"", kept: int = 0, order: str = "<") -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, kept) + options, order)


def packet(number: int, ticks: int, data: bytes, order: str = "<") -> bytes:
    head = struct.pack(order + "5I", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block(6, head + data + bytes(-len(data) % 4) + bytes.fromhex("0100020041410000"), order)  # and a comment


def test_every_form_of_a_pcapng_frame() -> None:
    """Clocks of any resolution and offset, several interfaces and sections, old blocks; others are passed over."""
    offset = struct.pack("<HHq", 14, 8, 1_000_000)
    octets = (
        section()
        + interface(1, struct.pack("<HH4s", 9, 1, b"\x09\0\0\0") + offset + bytes(4))
        + interface(113, struct.pack("<HH4s", 9, 1, b"\x8a\0\0\0"), kept=5)
        + block(4, bytes(4))
        + block(10, struct.pack("<II", 0x544C534B, 8) + b"secrets ")
        + packet(0, 2_500_000_000, b"first")
        + packet(1, 3 * 1024, b"second")
        + block(2, struct.pack("<HHIIII", 1, 0, 0, 4096, 5, 5) + b"third")
        + block(3, struct.pack("<I", 6) + b"fourth")
        + section(">")
        + interface(276, order=">")
        + packet(0, 5_000_000, b"fifth", ">")
    )
    capture = Capture(BytesIO(octets), "it")
    assert [(captured.at, captured.link, captured.data) for captured in capture] == [
        (1_000_002.5, 1, b"first"),
        (3.0, 113, b"second"),
        (4.0, 113, b"third"),
        (4.0, 1, b"fourth"),
        (5.0, 276, b"fifth"),
    ]
    assert not capture.damage


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("place", [4, 5, 6, 8, 9, 11, 12, 24])
def test_a_damaged_section_header_costs_no_frame(order: str, place: int) -> None:
    octets = bytearray(section(order) + interface(1, order=order) + packet(0, 5_000_000, b"one frame", order))
    octets[place] ^= 0x55
    found, _ = read(bytes(octets))
    assert found == [b"one frame"]


def test_frames_of_interfaces_that_are_not_described() -> None:
    found, capture = read(section() + packet(0, 5, b"one") + packet(7, 5, b"two"))
    assert found == [b"one", b"two"]
    assert len(capture.damage) == 2


@pytest.mark.parametrize("octets", [b"", b"GIF89a whatever", b"PK\x03\x04", b"\x00", b"\n\r\r"])
def test_what_is_no_capture(octets: bytes) -> None:
    with pytest.raises(CaptureError, match=r"^it (is empty|is no pcap)"):
        Capture(BytesIO(octets), "it")


def test_truncation_keeps_what_is_whole(charge: Charge, frames: Frames, to_pcap: Callable[..., bytes]) -> None:
    for octets in (charge[0], to_pcap(frames)):
        for cut in range(len(octets) - 400, len(octets) - 1, 7):
            found, capture = read(octets[:cut])
            whole = [data for _, data in frames][: len(found)]
            assert found[:-1] == whole[:-1]
            assert whole[-1].startswith(found[-1])
            assert len(found) >= len(frames) - 6
            ends_between = cut in {offset for offset, _ in blocks(charge[0])} if octets is charge[0] else False
            assert capture.damage or ends_between or found[-1] == whole[-1]


@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_block_costs_itself_only(charge: Charge, frames: Frames, data: st.DataObject) -> None:
    """Any octets of one block's header or trailer overwritten: all other frames are found."""
    octets = bytearray(charge[0])
    number = data.draw(st.integers(0, len(frames) - 1))
    offset, size = blocks(charge[0])[number + 2]
    places = [offset + place for place in (0, 1, 2, 3, 4, 5, 6, 7)] + [offset + size - 4 + place for place in range(4)]
    for place in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=4)):
        octets[place] = data.draw(st.integers(0, 255))
    found, _ = read(bytes(octets))
    others = [frame for index, (_, frame) in enumerate(frames) if index != number]
    assert [frame for frame in found if frame != frames[number][1]] == [
        frame for frame in others if frame != frames[number][1]
    ]


@settings(max_examples=60)
@given(data=st.data(), order=st.sampled_from("<>"))
def test_a_damaged_record_costs_itself_only(
    frames: Frames, to_pcap: Callable[..., bytes], data: st.DataObject, order: str
) -> None:
    """The length of one pcap record is damaged: all other frames are found."""
    octets = bytearray(to_pcap(frames, order))
    number = data.draw(st.integers(0, len(frames) - 2))
    offset = 24 + sum(16 + len(frame) for _, frame in frames[:number])
    bit = data.draw(st.integers(0, 31))
    octets[offset + 8 + bit // 8] ^= 1 << bit % 8
    found, capture = read(bytes(octets))
    assert capture.damage
    assert {frame for index, (_, frame) in enumerate(frames) if index != number} <= set(found)


@settings(max_examples=40)
@given(st.binary(max_size=400), st.sampled_from([b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x0a\x0d\x0d\x0a"]))
def test_random_octets_raise_nothing(octets: bytes, magic: bytes) -> None:
    list(Capture(BytesIO(magic + octets), "it"))


@settings(max_examples=60)
@given(data=st.data())
def test_bit_flips_raise_nothing(
    charge: Charge, frames: Frames, to_pcap: Callable[..., bytes], decode: Callable[[bytes], Any], data: st.DataObject
) -> None:
    octets = bytearray(data.draw(st.sampled_from([charge[0], to_pcap(frames)])))
    for _ in range(data.draw(st.integers(1, 40))):
        octets[data.draw(st.integers(4, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    decode(bytes(octets[: data.draw(st.integers(5, len(octets)))]))


def test_a_disk_that_fails_is_told(frames: Frames, to_pcap: Callable[..., bytes]) -> None:
    class Failing(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 2000:
                raise OSError("input/output error")
            return super().read(1000)

    capture = Capture(Failing(to_pcap(frames)), "it")
    assert len(list(capture)) > 5
    assert "input/output error" in capture.damage[-1]
