"""Raw Ethernet: on a pair of interfaces of our own, where we may make one; what goes wrong, everywhere."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from slac import link
from slac.link import Link, LinkError, Unfinished

BROADCAST = b"\xff" * 6
OTHER = bytes.fromhex("02aabbccddee")
SPACE = f"openhlc-{os.getpid()}-wire"


def frame(source: bytes, number: int = 0, *, ethertype: int = 0x88E1, to: bytes = BROADCAST, tag: str = "") -> bytes:
    """A numbered frame of 60 octets or a few more; `tag` is an 802.1Q tag in hex."""
    head = to + source + bytes.fromhex(tag) + struct.pack("!H", ethertype)
    return head + number.to_bytes(4, "big") + bytes(60 - 18)


def number(octets: bytes) -> int:
    return int.from_bytes(octets[14:18], "big")


@pytest.fixture(scope="module")
def wire() -> Iterator[Callable[[str, str], None]]:
    """A network namespace with two interfaces, left and right, that are joined. The function sets one up or down."""
    if os.geteuid() != 0:
        pytest.skip("interfaces of our own need root")
    from pyroute2 import NetNS, netns

    try:
        netns.create(SPACE)
    except OSError as error:
        pytest.skip(f"network namespaces cannot be made here: {error}")
    try:
        with NetNS(SPACE) as space:
            space.link("add", ifname="left", kind="veth", peer={"ifname": "right"})

            def set_state(name: str, state: str) -> None:
                space.link("set", index=space.link_lookup(ifname=name)[0], state=state)

            netns.pushns(SPACE)
            try:
                for name in ("left", "right"):  # nobody but us is to speak there
                    with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w") as setting:
                        setting.write("1")
                    set_state(name, "up")
                yield set_state
            finally:
                netns.popns()
    finally:
        netns.remove(SPACE)


@pytest.fixture
def ends(wire: Any) -> Iterator[tuple[Link, Link]]:
    with Link("left") as left, Link("right") as right:
        yield left, right


def test_the_interface_tells_its_address(ends: tuple[Link, Link]) -> None:
    left, right = ends
    assert len(left.mac) == 6
    assert left.mac != right.mac
    assert not left.mac[0] & 1


def test_what_one_sends_the_other_hears_octet_for_octet(ends: tuple[Link, Link]) -> None:
    left, right = ends
    sent = [frame(left.mac, n, to=to) for n, to in enumerate((BROADCAST, right.mac, OTHER))]
    for each in sent:
        left.send(each)
    assert right.read() == sent
    assert right.read() == []


def test_own_frames_are_not_heard(ends: tuple[Link, Link]) -> None:
    left, _ = ends
    left.send(frame(left.mac))
    assert left.read() == []


def test_only_homeplug_frames_come_through_the_filter(ends: tuple[Link, Link]) -> None:
    left, right = ends
    for ethertype in (0x0800, 0x86DD, 0x88E1, 0x8912, 0x88E2):
        left.send(frame(left.mac, ethertype, ethertype=ethertype))
    assert [number(each) for each in right.read()] == [0x88E1]


@pytest.mark.parametrize("tag", ["81000005", "8100e00f", "88a80005"])
def test_a_tagged_frame_keeps_its_tag(ends: tuple[Link, Link], tag: str) -> None:
    left, right = ends
    left.send(frame(left.mac, ethertype=0x86DD, tag=tag))
    left.send(tagged := frame(left.mac, 7, tag=tag))
    assert right.read() == [tagged]


def test_a_bridge_hears_everything_but_itself(wire: Any) -> None:
    with Link("left") as left, Link("right", everything=True) as right:
        sent = [frame(left.mac, ethertype=0x86DD, to=OTHER), frame(left.mac), frame(left.mac, tag="81000005")]
        for each in sent:
            left.send(each)
        assert right.read() == sent
        right.send(answer := frame(OTHER, to=left.mac))
        assert right.read() == []
        assert left.read() == [answer]


def test_a_bridge_hands_on_what_the_kernel_has_left_unfinished(wire: Any) -> None:
    """A datagram of this machine has no checksum yet when it leaves the stack."""
    with Link("right", everything=True) as right:
        rest = link.VNET.pack(1, 0, 0, 0, 34, 6)  # VIRTIO_NET_HDR_F_NEEDS_CSUM
        header = bytes.fromhex("4500001e00004000401100000a0000010a000002")
        made = Unfinished(OTHER + right.mac + b"\x08\x00" + header + bytes.fromhex("1000 2000 000a 0000") + b"hi")
        made.rest = rest
        with Link("left", everything=True) as left:
            right.send(made)
            [heard] = left.read()
        assert heard == made
        assert isinstance(heard, Unfinished)
        assert heard.rest == rest


def test_the_loop_hears_frames_in_order_and_by_batches(ends: tuple[Link, Link]) -> None:
    left, right = ends
    heard: list[int] = []

    async def listen() -> None:
        done = asyncio.Event()

        def receive(octets: bytes) -> None:
            heard.append(number(octets))
            if len(heard) == 200:
                done.set()

        right.listen(receive, pytest.fail)
        for n in range(200):
            left.send(frame(left.mac, n))
        async with asyncio.timeout(10):
            await done.wait()

    asyncio.run(listen())
    assert heard == list(range(200))
    assert right.dropped == 0


def test_frames_wait_while_the_program_is_busy_and_what_is_lost_is_counted(ends: tuple[Link, Link]) -> None:
    left, right = ends
    for n in range(1000):  # a second's worth
        left.send(frame(left.mac, n))
    heard = [octets for _ in range(40) for octets in right.read()]
    assert [number(each) for each in heard] == list(range(1000))
    assert right.dropped == 0
    for n in range(20_000):
        left.send(frame(left.mac, n))
    assert right.dropped > 0
    before = right.dropped
    assert right.dropped == before  # the kernel forgets; we do not
    while right.read():
        pass


def test_an_interface_that_goes_down_is_told_once(wire: Callable[[str, str], None]) -> None:
    failures: list[LinkError] = []

    async def listen() -> None:
        with Link("right") as right:
            done = asyncio.Event()

            def failed(error: LinkError) -> None:
                failures.append(error)
                done.set()

            right.listen(lambda octets: None, failed)
            await asyncio.to_thread(wire, "right", "down")
            async with asyncio.timeout(10):
                await done.wait()
            with pytest.raises(LinkError, match="interface right went down"):
                right.send(frame(right.mac))
            with pytest.raises(LinkError, match="interface right is down: ip link set right up"):
                Link("right")

    try:
        asyncio.run(listen())
    finally:
        wire("right", "up")
    assert [str(error) for error in failures] == ["interface right went down: Network is down"]


def test_an_interface_that_is_gone_is_told(wire: Callable[[str, str], None]) -> None:
    from pyroute2 import NetNS

    with NetNS(SPACE) as space:
        space.link("add", ifname="brief", kind="veth", peer={"ifname": "other"})
        index = space.link_lookup(ifname="brief")[0]
        space.link("set", index=index, state="up")
        with Link("brief") as brief:
            space.link("del", index=index)
            with pytest.raises(LinkError, match="interface brief is gone"):
                brief.read()


def test_a_frame_that_does_not_fit_is_lost_and_counted(ends: tuple[Link, Link]) -> None:
    left, right = ends
    left.send(frame(left.mac) + bytes(2000))
    assert left.unsent == 1
    assert right.read() == []


def test_loopback_is_no_ethernet(wire: Callable[[str, str], None]) -> None:
    wire("lo", "up")
    with pytest.raises(LinkError, match="lo is no Ethernet"):
        Link("lo")


def test_an_unknown_interface_is_told_with_those_that_there_are(wire: Any) -> None:
    with pytest.raises(LinkError, match=r"there is no interface nonesuch; this machine has .*lo"):
        Link("nonesuch")


def test_without_the_capability_it_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(link.socket, "socket", refuse)
    with pytest.raises(LinkError, match=r"raw Ethernet on eth1 is not permitted: it needs CAP_NET_RAW"):
        Link("eth1")
