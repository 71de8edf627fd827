"""Captures to decode: those of the reference data, and ones that a simulated charge wrote."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hlc.capture.decoder import Decoder
from hlc.capture.doctor import Verdict
from hlc.capture.files import Capture
from hlc.capture.matching import Matching
from hlc.capture.plugin import PlugIn
from hlc.capture.seen import Seen
from hlc.capture.session import Session
from hlc.capture.totals import Totals
from hlc.capture.writer import PcapngWriter
from hlc.security.keylog import Secrets
from hlc.sim.battery import Battery
from hlc.sim.outlet import SimulatedOutlet
from hlc.sim.pair import Pair
from hlc.sim.vehicle import SimulatedVehicle


class Decoded(NamedTuple):
    """What a capture gave."""

    seen: list[Seen]
    sessions: list[tuple[Session, Verdict]]
    matchings: list[tuple[Matching, Verdict]]
    plug_ins: list[tuple[PlugIn, Verdict]]
    totals: Totals
    damage: list[str]

    @property
    def messages(self) -> dict[str, int]:
        return {name: count for name, count in self.totals.messages.items() if not name.startswith("sdp:")}


def _decode(source: bytes | Path, secrets: Secrets | None = None) -> Decoded:
    """Decode a capture. `secrets` are those of TLS that are known besides."""
    secrets = Secrets() if secrets is None else secrets
    stream: Any = BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    seen: list[Seen] = []
    sessions: list[tuple[Session, Verdict]] = []
    matchings: list[tuple[Matching, Verdict]] = []
    plug_ins: list[tuple[PlugIn, Verdict]] = []
    with stream:
        capture = Capture(stream, "a capture", secrets.add)
        decoder = Decoder(
            seen.append,
            lambda session, verdict: sessions.append((session, verdict)),
            lambda run, verdict: matchings.append((run, verdict)),
            secrets,
            lambda plug, verdict: plug_ins.append((plug, verdict)),
        )
        for captured in capture:
            decoder.frame(captured)
        decoder.close()
    return Decoded(seen, sessions, matchings, plug_ins, decoder.totals, capture.damage)


def _to_pcap(frames: list[tuple[float, bytes]], order: str = "<", nano: bool = False) -> bytes:
    """A pcap file of Ethernet frames."""
    parts = 10**9 if nano else 10**6
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    octets = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 1 << 18, 1)
    for at, frame in frames:
        seconds = int(at)
        octets += struct.pack(order + "IIII", seconds, int((at - seconds) * parts), len(frame), len(frame)) + frame
    return octets


@pytest.fixture(scope="session")
def charge(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[str]]:
    """A pcapng of a simulated charge, and the names of its messages in order."""
    path = tmp_path_factory.mktemp("charge") / "charge.pcapng"
    writer = PcapngWriter(path, wall=lambda: 1_700_000_000.0)
    battery = Battery(soc=79.9, capacity_wh=60_000.0, max_amps=350.0, max_watts=120_000.0)
    outlet = SimulatedOutlet(kilowatts=150.0, max_volts=500.0, max_amps=400.0)
    pair = Pair(SimulatedVehicle(battery, target_soc=80.0), outlet, protocol="din70121")
    for event in pair.events():
        writer(event)
    writer.close()
    return path.read_bytes(), list(pair.messages)


@pytest.fixture(scope="session")
def frames(charge: tuple[bytes, list[str]]) -> list[tuple[float, bytes]]:
    """The Ethernet frames of that charge with their times."""
    return [(captured.at, captured.data) for captured in Capture(BytesIO(charge[0]), "charge")]


@pytest.fixture(scope="session")
def decode() -> Callable[..., Decoded]:
    """Decode a capture."""
    return _decode


@pytest.fixture(scope="session")
def to_pcap() -> Callable[..., bytes]:
    """Make a pcap file of Ethernet frames."""
    return _to_pcap
