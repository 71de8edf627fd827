"""Networks to test on: the machine's loopback, or, for who may make them, network namespaces of our own."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from hlc.runtime.interfaces import link_local

SRC = Path(__file__).parents[3] / "src"


@pytest.fixture(scope="module", autouse=True)
def _only_what_is_new() -> None:
    """What is there by now need not be looked at whenever a test asks whether something is left."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def own_network() -> Iterator[str | None]:
    """A network namespace with nothing but loopback in it; None where we may not make one."""
    if os.geteuid() != 0:
        yield None
        return
    from pyroute2 import NetNS, netns

    name = f"openhlc-{os.getpid()}-lo"
    try:
        netns.create(name)
    except OSError:
        yield None
        return
    try:
        with NetNS(name) as space:
            space.link("set", index=space.link_lookup(ifname="lo")[0], state="up")
        yield name
    finally:
        netns.remove(name)


@pytest.fixture
def loopback(own_network: str | None) -> Iterator[str]:
    """A loopback interface with IPv6: one of our own where possible, so that nobody else answers."""
    if own_network is None:
        if link_local("lo") is None:
            pytest.skip("the loopback interface has no IPv6")
        yield "lo"
        return
    from pyroute2 import netns

    netns.pushns(own_network)
    try:
        yield "lo"
    finally:
        netns.popns()


@pytest.fixture
def play() -> Callable[[Coroutine[Any, Any, None]], None]:
    """Run a coroutine, for a bounded time."""

    def run(test: Coroutine[Any, Any, None]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(60):
                await test

        asyncio.run(bounded())

    return run


Cable = Callable[..., Coroutine[Any, Any, None]]


@pytest.fixture
def cable(own_network: str | None) -> Iterator[Cable]:
    """`await cable("a")` joins a0 and a1, interfaces of a network of our own; with `cut` they are taken away."""
    if own_network is None:
        pytest.skip("network namespaces need root")
    from pyroute2 import IPRoute, netns

    netns.pushns(own_network)
    laid: list[str] = []

    def lay(name: str, cut: bool) -> None:
        with IPRoute() as routes:
            if cut:
                routes.link("del", index=routes.link_lookup(ifname=f"{name}0")[0])
                laid.remove(name)
                return
            routes.link("add", ifname=f"{name}0", kind="veth", peer={"ifname": f"{name}1"})
            laid.append(name)
            for end in "01":
                with suppress(OSError):  # or it takes a second until the kernel is sure of the address
                    Path(f"/proc/sys/net/ipv6/conf/{name}{end}/accept_dad").write_text("0")
            for end in "01":
                routes.link("set", index=routes.link_lookup(ifname=f"{name}{end}")[0], state="up")

    async def soon(name: str, *, cut: bool = False) -> None:
        await asyncio.to_thread(lay, name, cut)

    try:
        yield soon
        for name in list(laid):
            lay(name, cut=True)
    finally:
        netns.popns()


@pytest.fixture(scope="session")
def link() -> Iterator[tuple[str, str]]:
    """Two network namespaces joined by a link, with one interface "plc" in each; their names."""
    if os.geteuid() != 0 or not Path("/proc/self/ns/net").exists():
        pytest.skip("network namespaces need root")
    from pyroute2 import IPRoute, NetNS, netns

    names = tuple(f"openhlc-{os.getpid()}-{end}" for end in ("ev", "se"))
    try:
        for name in names:
            netns.create(name)
    except OSError as error:
        pytest.skip(f"network namespaces cannot be made here: {error}")
    try:
        with IPRoute() as routes:
            routes.link("add", ifname=f"oh{os.getpid()}", kind="veth", peer={"ifname": "plc", "net_ns_fd": names[1]})
            index = routes.link_lookup(ifname=f"oh{os.getpid()}")[0]
            routes.link("set", index=index, net_ns_fd=names[0])
        for name, ifname in zip(names, (f"oh{os.getpid()}", "plc"), strict=True):
            with NetNS(name) as space:
                index = space.link_lookup(ifname=ifname)[0]
                space.link("set", index=index, ifname="plc")
                space.link("set", index=index, state="up")
                space.link("set", index=space.link_lookup(ifname="lo")[0], state="up")
        yield names[0], names[1]
    finally:
        for name in names:
            netns.remove(name)


class Ends:
    """Network namespaces with an interface "plc" in each, and `hlc powerline` between them."""

    def __init__(self, spaces: dict[str, str], process: subprocess.Popen[bytes], out: Path) -> None:
        self.spaces = spaces
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

    def run(self, end: str, folder: Path, *words: str) -> subprocess.Popen[bytes]:
        """Start a command at one end; what it writes is in END.out and END.log."""
        from pyroute2 import netns

        with (folder / f"{end}.out").open("w") as out, (folder / f"{end}.log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "hlc.cli", *words],
                stdout=out,
                stderr=log,
                preexec_fn=lambda: netns.setns(self.spaces[end]),
                env={**os.environ, "PYTHONPATH": str(SRC)},
            )

    def until(self, text: str, times: int = 1, path: Path | None = None) -> None:
        """Wait until the powerline tells this, or it stands in a file."""
        path = path or self.out
        give_up = time.monotonic() + 20
        while path.read_text().count(text) < times:
            if time.monotonic() > give_up or self.process.poll() is not None:
                pytest.fail(f"not {times} x {text} in {path.read_text()}")
            time.sleep(0.02)


@pytest.fixture(scope="module")
def powerline(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """`with powerline("mev0:ev", "mse0:evse", ...) as ends`: a simulated line between network namespaces, whose names
    are car, outlet and, where there is an mls0, listener."""
    if os.geteuid() != 0 or not Path("/proc/self/ns/net").exists():
        pytest.skip("network namespaces need root")
    return contextmanager(lambda *words: _powerline(tmp_path_factory.mktemp("powerline") / "out", words))


def _powerline(out: Path, words: tuple[str, ...]) -> Iterator[Ends]:
    from pyroute2 import NetNS, netns

    ports = {"mev0": "car", "mse0": "outlet", "mls0": "listener"}
    ports = {ifname: end for ifname, end in ports.items() if any(word.startswith(f"{ifname}:") for word in words)}
    spaces = {end: f"openhlc-{os.getpid()}-{end}" for end in ports.values()}
    line = f"openhlc-{os.getpid()}-line"
    made = []
    process = None
    try:
        for name in (*spaces.values(), line):
            try:
                netns.create(name)
            except OSError as error:
                pytest.skip(f"network namespaces cannot be made here: {error}")
            made.append(name)
        with NetNS(line) as space:
            for ifname, end in ports.items():
                space.link("add", ifname=ifname, kind="veth", peer={"ifname": "plc", "net_ns_fd": spaces[end]})
                space.link("set", index=space.link_lookup(ifname=ifname)[0], state="up")
        for name in spaces.values():
            with NetNS(name) as space:
                space.link("set", index=space.link_lookup(ifname="plc")[0], state="up")
        with out.open("w") as stream, out.with_name("log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "hlc.cli", "powerline", *words, "--json"],
                stdout=stream,
                stderr=log,
                preexec_fn=lambda: netns.setns(line),
                env={**os.environ, "PYTHONPATH": str(SRC)},
            )
        found = Ends(spaces, process, out)
        found.until("carrying frames", path=out.with_name("log"))
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
