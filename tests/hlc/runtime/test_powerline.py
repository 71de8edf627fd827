"""A powerline between real interfaces: `hlc powerline` as a process, and unmodified programs on both ends of it."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest

import slac
from hlc.runtime.interfaces import link_local
from slac.link import Link

Ends = Any
"""See conftest.py."""
Powerline = Any

NMK = bytes(range(16))
LOCAL = bytes.fromhex("00B052000001")
BROADCAST = b"\xff" * 6


@pytest.fixture(scope="module")
def ends(powerline: Powerline) -> Iterator[Ends]:
    with powerline("mev0:ev", "mse0:evse:qca7420", "--join", "0.2", "--delay", "1") as found:
        yield found


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
    words = ("--interface", "plc", "--no-slac", "--once")
    station = ends.run("outlet", tmp_path, "secc", *words)
    vehicle = ends.run("car", tmp_path, "evcc", *words, "--soc", "50", "--target-soc", "50.02")
    try:
        assert [process.wait(40) for process in (station, vehicle)] == [0, 0], (tmp_path / "car.log").read_text()
    finally:
        for process in (station, vehicle):
            process.kill()
