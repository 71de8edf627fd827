"""Networks to test on: the machine's loopback, or, for who may make them, network namespaces of our own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from hlc.runtime.interfaces import link_local


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
            async with asyncio.timeout(20):
                await test

        asyncio.run(bounded())

    return run


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
