"""A powerline between real interfaces: `hlc powerline` as a process, and unmodified programs on both ends of it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest

import slac
from hlc.runtime.interfaces import link_local
from slac.link import Link

SRC = Path(__file__).parents[3] / "src"
NMK = bytes(range(16))
LOCAL = bytes.fromhex("00B052000001")
BROADCAST = b"\xff" * 6


class Ends:
    """Two network namespaces with an interface "plc" in each, and `hlc powerline` between them."""

    def __init__(self, car: str, outlet: str, process: subprocess.Popen[bytes], out: Path) -> None:
        self.spaces = {"car": car, "outlet": outlet}
        self.process = process
        self.out = out

    def inside(self, end: str, make: Callable[[], Any]) -> Any:
        """Make something in the namespace of one end; a socket stays there."""
        from pyroute2 import netns

        netns.pushns(self.spaces[end])
        try:
            return make()
        finally:
            netns.popns()

    def until(self, text: str, times: int = 1) -> None:
        """Wait until the powerline tells this."""
        give_up = time.monotonic() + 20
        while self.out.read_text().count(text) < times:
            if time.monotonic() > give_up or self.process.poll() is not None:
                pytest.fail(f"not {times} x {text} in {self.out.read_text()}")
            time.sleep(0.02)


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ends]:
    if os.geteuid() != 0 or not Path("/proc/self/ns/net").exists():
        pytest.skip("network namespaces need root")
    from pyroute2 import NetNS, netns

    car, outlet, line = (f"openhlc-{os.getpid()}-{end}" for end in ("car", "outlet", "line"))
    made = []
    process = None
    out = tmp_path_factory.mktemp("powerline") / "out"
    try:
        for name in (car, outlet, line):
            try:
                netns.create(name)
            except OSError as error:
                pytest.skip(f"network namespaces cannot be made here: {error}")
            made.append(name)
        with NetNS(line) as space:
            for ifname, host in (("mev0", car), ("mse0", outlet)):
                space.link("add", ifname=ifname, kind="veth", peer={"ifname": "plc", "net_ns_fd": host})
                space.link("set", index=space.link_lookup(ifname=ifname)[0], state="up")
        for name in (car, outlet):
            with NetNS(name) as space:
                space.link("set", index=space.link_lookup(ifname="plc")[0], state="up")
        words = ["powerline", "mev0:ev", "mse0:evse:qca7420", "--join", "0.2", "--delay", "1", "--json"]
        with out.open("w") as stream, out.with_name("log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "hlc.cli", *words],
                stdout=stream,
                stderr=log,
                preexec_fn=lambda: netns.setns(line),
                env={**os.environ, "PYTHONPATH": str(SRC)},
            )
        found = Ends(car, outlet, process, out)
        give_up = time.monotonic() + 20
        while "carrying frames" not in out.with_name("log").read_text():
            if time.monotonic() > give_up or process.poll() is not None:
                pytest.fail(out.with_name("log").read_text())
            time.sleep(0.02)
        yield found
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert "Traceback" not in out.with_name("log").read_text()
    finally:
        if process is not None:
            process.kill()
            process.wait()
        for name in made:
            netns.remove(name)


def ask(link: Link, name: str, to: bytes = LOCAL, **fields: Any) -> slac.Mme:
    """The answer of the own modem."""
    link.send(slac.make(name, destination=to, source=link.mac, **fields))
    wanted = name.replace("REQ", "CNF")
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        for frame in link.read():
            mme = slac.parse(frame)
            if mme.name == wanted:
                return mme
        time.sleep(0.01)
    pytest.fail(f"no answer to {name}")


def hear(link: Link, seconds: float = 10.0) -> slac.Mme:
    """The next frame of a matching."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        for frame in link.read():
            return slac.parse(frame)
        time.sleep(0.01)
    pytest.fail("nothing heard")


def test_modems_answer_matching_passes_and_a_key_joins_the_hosts(ends: Ends) -> None:
    """One test, in its order: the line is one process for all."""
    with ends.inside("car", lambda: Link("plc")) as car, ends.inside("outlet", lambda: Link("plc")) as outlet:
        assert ask(car, "VS_SW_VER.REQ").fields["version"].startswith("MAC-QCA7000")
        assert ask(outlet, "VS_SW_VER.REQ").fields["version"].startswith("MAC-QCA7420")

        car.send(slac.make("CM_SLAC_PARM.REQ", destination=BROADCAST, source=car.mac, run_id=b"12345678"))
        heard = hear(outlet)
        assert (heard.name, heard.source, heard.fields["run_id"]) == ("CM_SLAC_PARM.REQ", car.mac, b"12345678")
        outlet.send(slac.make("CM_SLAC_PARM.CNF", destination=car.mac, source=outlet.mac, run_id=b"12345678"))
        assert hear(car).name == "CM_SLAC_PARM.CNF"
        car.send(slac.make("CM_MNBC_SOUND.IND", destination=BROADCAST, source=car.mac, run_id=b"12345678"))
        assert hear(outlet).name == "CM_MNBC_SOUND.IND"

        for link in (car, outlet):
            key = {"nid": slac.keys.nid_from_nmk(NMK), "new_key": NMK}
            assert ask(link, "CM_SET_KEY.REQ", **key).fields["result"] == 1
        ends.until('"event":"joined"')
        assert ask(car, "VS_PL_LNK_STATUS.REQ").fields["link_status"] == 1
    asyncio.run(transfer(ends))


async def own_address(ends: Ends, end: str) -> IPv6Address:
    """The address of one end, once it may be used."""
    async with asyncio.timeout(10):
        while (address := ends.inside(end, lambda: link_local("plc"))) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return address


async def transfer(ends: Ends) -> None:
    """Much data by TCP in either direction: the kernel leaves checksums and segmentation to the network card."""
    addresses = [await own_address(ends, end) for end in ("outlet", "car")]
    scope = {end: ends.inside(end, lambda: socket.if_nametoindex("plc")) for end in ("car", "outlet")}
    data = os.urandom(300_000)
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.set_result(await reader.readexactly(len(data)))
        writer.write(data)
        await writer.drain()
        writer.close()

    listening = ends.inside("outlet", lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
    listening.bind((str(addresses[0]), 50000, 0, scope["outlet"]))
    server = await asyncio.start_server(serve, sock=listening)
    calling = ends.inside("car", lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
    calling.setblocking(False)
    async with asyncio.timeout(30):
        await asyncio.get_running_loop().sock_connect(calling, (str(addresses[0]), 50000, 0, scope["car"]))
        reader, writer = await asyncio.open_connection(sock=calling)
        writer.write(data)
        assert await reader.readexactly(len(data)) == data
        assert await got == data
        writer.close()
        server.close()


def test_vehicle_and_station_charge_over_it(ends: Ends, tmp_path: Path) -> None:
    """`hlc secc` and `hlc evcc` as they are, over the line that the test before has keyed."""
    from pyroute2 import netns

    def start(end: str, *words: str) -> subprocess.Popen[bytes]:
        with (tmp_path / f"{end}.log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "hlc.cli", *words, "--interface", "plc", "--no-slac", "--once", "--json"],
                stdout=subprocess.DEVNULL,
                stderr=log,
                preexec_fn=lambda: netns.setns(ends.spaces[end]),
                env={**os.environ, "PYTHONPATH": str(SRC)},
            )

    station = start("outlet", "secc")
    vehicle = start("car", "evcc", "--soc", "50", "--target-soc", "50.02")
    try:
        assert [process.wait(40) for process in (station, vehicle)] == [0, 0], (tmp_path / "car.log").read_text()
    finally:
        for process in (station, vehicle):
            process.kill()
