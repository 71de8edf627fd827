"""Peers that are not ours: Python's ssl module in memory, and the openssl command on a socket.

They judge our certificates by the common rules, so the time is the present.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hlc.security import hierarchy
from hlc.security.handshake import Version
from hlc.security.pki import Pki, load
from hlc.security.profiles import Role, Root
from hlc.security.tls import ClientTls, ServerTls, _Tls
from hlc.security.trust import Trust

NOW = datetime.now(UTC)
CIPHER = "ECDHE-ECDSA-AES128-SHA256"
OPENSSL = shutil.which("openssl")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pki")
    for name, data in hierarchy.files(NOW).items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return made


@pytest.fixture(scope="module")
def pki(folder: Path) -> Pki:
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return load(files)


def our_station(pki: Pki) -> ServerTls:
    roots = pki.anchors(Role.VEHICLE)
    return ServerTls(pki.credentials(Role.SECC), roots, Trust(Role.VEHICLE, roots, lambda: NOW))


def our_vehicle(pki: Pki, version: Version) -> ClientTls:
    roots = pki.roots(Root.V2G)
    return ClientTls((version,), pki.credentials(Role.VEHICLE), roots, Trust(Role.SECC, roots, lambda: NOW))


class Other:
    """An end by Python's ssl module."""

    def __init__(self, context: ssl.SSLContext, *, server: bool) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server)
        self.established = False
        self.plaintext = b""

    def step(self, data: bytes) -> bytes:
        self.incoming.write(data)
        with suppress(ssl.SSLWantReadError):
            if not self.established:
                self.tls.do_handshake()
                self.established = True
            self.plaintext += self.tls.read(65536)
        return self.outgoing.read()


def talk(ours: _Tls, other: Other) -> None:
    """Handshake, and a few words in either direction."""
    to_other = ours.start()
    for _ in range(6):
        to_other = ours.receive(other.step(to_other)).to_send
    assert ours.established
    assert other.established
    other.step(ours.send(b"ours"))
    assert other.plaintext == b"ours"
    other.tls.write(b"theirs")
    assert ours.receive(other.outgoing.read()).plaintext == b"theirs"


PROFILES = [(Version.TLS12, ""), (Version.TLS13, ".p521"), (Version.TLS13, ".ed448")]


@pytest.mark.parametrize(("version", "tag"), PROFILES)
def test_our_station_and_a_vehicle_by_the_ssl_module(pki: Pki, folder: Path, version: Version, tag: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(folder / "roots/v2g.pem")
    context.minimum_version = context.maximum_version = ssl.TLSVersion(version)
    context.set_ciphers(CIPHER)
    if version is Version.TLS13:
        context.load_cert_chain(folder / f"vehicle{tag}.chain.pem", folder / f"vehicle{tag}.key.pem")
    station = our_station(pki)
    talk(station, Other(context, server=False))
    assert station.version is version
    assert bool(station.peer_certificate) is (version is Version.TLS13)


@pytest.mark.parametrize(("version", "tag"), PROFILES)
def test_our_vehicle_and_a_station_by_the_ssl_module(pki: Pki, folder: Path, version: Version, tag: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"secc{tag}.chain.pem", folder / f"secc{tag}.key.pem")
    context.minimum_version = context.maximum_version = ssl.TLSVersion(version)
    context.set_ciphers(CIPHER)
    if version is Version.TLS13:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "roots/oem.pem")
    vehicle, other = our_vehicle(pki, version), Other(context, server=True)
    talk(vehicle, other)
    assert vehicle.version is version
    assert bool(other.tls.getpeercert(binary_form=True)) is (version is Version.TLS13)


# The command


@pytest.fixture
def plug() -> Iterator[Path]:
    """The path of a socket on which one end listens. It is short: s_server cannot accept by one of 32 characters."""
    if OPENSSL is None:
        pytest.skip("the openssl command is not installed")
    with TemporaryDirectory(prefix="h") as folder:
        path = Path(folder) / "s"
        if len(str(path)) >= 32:
            pytest.skip(f"the name {path} is too long for s_server")
        yield path


def serve(ours: _Tls, line: socket.socket) -> bytes:
    """Run our end on a socket until the other closes; what it said."""
    line.settimeout(10)
    said = b""
    line.sendall(ours.start())
    while data := line.recv(65536):
        received = ours.receive(data)
        line.sendall(received.to_send)
        said += received.plaintext
        if said.endswith(b"\n"):
            line.sendall(ours.send(said.upper()))
            line.sendall(ours.close())
            line.shutdown(socket.SHUT_WR)
            return said
    return said


@pytest.mark.parametrize(("version", "tag"), PROFILES)
def test_our_station_and_openssl_s_client(pki: Pki, folder: Path, plug: Path, version: Version, tag: str) -> None:
    words = ["s_client", "-unix", str(plug), "-CAfile", str(folder / "roots/v2g.pem"), "-verify_return_error"]
    words += ["-status", "-showcerts", "-nocommands", "-tls1_2" if version is Version.TLS12 else "-tls1_3"]
    if version is Version.TLS12:
        words += ["-cipher", CIPHER]
    else:
        chain, key = folder / f"vehicle{tag}.chain.pem", folder / f"vehicle{tag}.key.pem"
        words += ["-cert", str(chain), "-cert_chain", str(chain), "-key", str(key)]
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(plug))
        listening.listen()
        listening.settimeout(10)
        with subprocess.Popen(
            [str(OPENSSL), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"hello\n")
            process.stdin.flush()
            line, _ = listening.accept()
            with line:
                assert serve(our_station(pki), line) == b"hello\n"
            text = process.stdout.read().decode()
            process.stdin.close()
    assert "HELLO" in text
    assert "Verify return code: 0 (ok)" in text
    assert "OCSP Response Status: successful" in text
    assert text.count("BEGIN CERTIFICATE") >= 3


@pytest.mark.parametrize(("version", "tag"), PROFILES)
def test_our_vehicle_and_openssl_s_server(pki: Pki, folder: Path, plug: Path, version: Version, tag: str) -> None:
    chain, key = folder / f"secc{tag}.chain.pem", folder / f"secc{tag}.key.pem"
    words = ["s_server", "-unix", str(plug), "-cert", str(chain), "-cert_chain", str(chain), "-key", str(key)]
    words += ["-status_file", str(folder / f"secc{tag}.ocsp/0.der"), "-rev", "-naccept", "1"]
    if version is Version.TLS12:
        words += ["-tls1_2", "-cipher", CIPHER]
    else:
        words += ["-tls1_3", "-Verify", "4", "-verify_return_error", "-CAfile", str(folder / "roots/oem.pem")]
    with (
        subprocess.Popen(
            [str(OPENSSL), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
        socket.socket(socket.AF_UNIX) as line,
    ):
        assert process.stdout is not None
        while b"ACCEPT" not in process.stdout.readline():
            assert process.poll() is None
        line.settimeout(10)
        line.connect(str(plug))
        vehicle = our_vehicle(pki, version)
        line.sendall(vehicle.start())
        said = b""
        while not said.endswith(b"\n"):
            data = line.recv(65536)
            assert data
            was = vehicle.established
            received = vehicle.receive(data)
            line.sendall(received.to_send)
            said += received.plaintext
            if vehicle.established and not was:
                line.sendall(vehicle.send(b"hello\n"))
        line.sendall(vehicle.close())
        process.terminate()
    [note] = vehicle.notes  # s_server has the leaf's response only; it sends the leaf twice
    assert note.startswith("Sub-CA CPO Sub-CA 2 ")
    assert said == b"olleh\n"
    assert vehicle.certificates.ocsp[0] == pki.credentials(Role.SECC)[0 if not tag else 1 + (tag == ".ed448")].ocsp[0]
