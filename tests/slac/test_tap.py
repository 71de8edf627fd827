"""A tap on an interface: both directions, each frame once, with its time; what becomes of interfaces that go away."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from slac import link
from slac.link import Link, LinkDownError, LinkError, Tap

BROADCAST = b"\xff" * 6
STRANGER = bytes.fromhex("02aabbccddee")
SPACE = f"openhlc-{os.getpid()}-tap"


def frame(source: bytes, number: int = 0, *, ethertype: int = 0x88E1, to: bytes = BROADCAST, tag: str = "") -> bytes:
    """A numbered frame of 60 octets or a few more; `tag` is an 802.1Q tag in hex."""
    head = to + source + bytes.fromhex(tag) + struct.pack("!H", ethertype)
    return head + number.to_bytes(4, "big") + bytes(60 - 18)


def heard(tap: Tap) -> list[bytes]:
    return [octets for _, octets in tap.read()]


@pytest.fixture(scope="module")
def space() -> Iterator[Any]:
    """A network namespace of our own, in which the tests run, with two joined interfaces: left and right."""
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
            netns.pushns(SPACE)
            try:
                for name in ("left", "right"):  # nobody but us is to speak there
                    with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w") as setting:
                        setting.write("1")
                for name in ("lo", "left", "right"):
                    space.link("set", index=space.link_lookup(ifname=name)[0], state="up")
                yield space
            finally:
                netns.popns()
    finally:
        netns.remove(SPACE)


@pytest.fixture
def change(space: Any) -> Callable[[str, str], None]:
    """Set an interface up or down."""
    return lambda name, state: space.link("set", index=space.link_lookup(ifname=name)[0], state=state)


def test_both_directions_are_heard_whoever_speaks_to_whom(space: Any) -> None:
    with Link("left") as left, Link("right") as right, Tap("right") as tap:
        sent = [frame(left.mac, 1), frame(STRANGER, 2, to=b"\2" * 6), frame(left.mac, 3, to=right.mac)]
        for each in sent:
            left.send(each)
        right.send(answer := frame(right.mac, 4, to=STRANGER))
        assert heard(tap) == [*sent, answer]
        assert heard(tap) == []


def test_frames_bear_the_time_at_which_they_came(space: Any) -> None:
    with Link("left") as left, Tap("right") as tap:
        time.sleep(0.05)  # the kernel begins to stamp a moment after it was asked
        before = time.time()
        left.send(frame(left.mac))
        after = time.time()
        time.sleep(0.02)  # it waits for us: its time is none the later
        [(at, _)] = tap.read()
    assert before - 0.001 <= at <= after + 0.001


@pytest.mark.parametrize("tag", ["", "81000005", "8100e00f", "88a80005"])
def test_homeplug_and_ipv6_come_through_the_filter_tagged_or_not(space: Any, tag: str) -> None:
    with Link("left") as left, Tap("right") as tap:
        for ethertype in (0x0800, 0x0806, 0x86DD, 0x88CC, 0x88E1, 0x8912, 0x88E2):
            left.send(frame(left.mac, ethertype=ethertype, tag=tag))
        assert heard(tap) == [frame(left.mac, ethertype=each, tag=tag) for each in (0x86DD, 0x88E1)]


def test_on_the_loopback_interface_a_frame_is_heard_once(space: Any) -> None:
    with Tap("lo") as tap, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"\1\xfe\x90\0\0\0\0\2\x10\0", ("::1", 15118))
        datagrams = [each for each in heard(tap) if each[20] == 17]  # an ICMPv6 error follows: nobody is there
    assert len(datagrams) == 1
    assert datagrams[0].endswith(b"\1\xfe\x90\0\0\0\0\2\x10\0")


def test_frames_wait_and_what_is_lost_is_counted(space: Any) -> None:
    with Link("left") as left, Tap("right") as tap:
        for n in range(5000):
            left.send(frame(left.mac, n))
        found: list[bytes] = []
        while batch := heard(tap):
            found += batch
        assert [int.from_bytes(each[14:18], "big") for each in found] == list(range(5000))
        assert tap.dropped == 0
        for n in range(100_000):
            left.send(frame(left.mac, n))
        assert tap.dropped > 0


def test_an_interface_that_is_down_is_heard_again_when_it_is_up(space: Any, change: Callable[[str, str], None]) -> None:
    with Tap("right") as tap:
        assert tap.fault() is None
        change("right", "down")
        with pytest.raises(LinkDownError, match="interface right went down"):
            tap.read()
        assert isinstance(tap.fault(), LinkDownError)
        with pytest.raises(LinkError, match="interface right is down: ip link set right up"):
            Tap("right")
        change("right", "up")
        assert tap.fault() is None
        with Link("left") as left:
            for number in range(100):  # the carrier may take a moment
                left.send(frame(left.mac, number))
                if found := heard(tap):
                    break
                time.sleep(0.01)
        assert found == [frame(left.mac, number)]


def test_frames_before_the_end_are_not_lost_with_it(space: Any, change: Callable[[str, str], None]) -> None:
    with Link("left") as left, Tap("right") as tap:
        for n in range(3):
            left.send(frame(left.mac, n))
        change("right", "down")
        found: list[bytes] = []
        for _ in range(3):
            try:
                found += heard(tap)
            except LinkDownError:
                continue
        change("right", "up")
    assert len(found) == 3


def test_an_interface_that_is_gone_is_told(space: Any) -> None:
    space.link("add", ifname="brief", kind="veth", peer={"ifname": "other"})
    index = space.link_lookup(ifname="brief")[0]
    space.link("set", index=index, state="up")
    with Tap("brief") as tap:
        space.link("del", index=index)
        with pytest.raises(LinkError, match="interface brief is gone"):
            tap.read()
        fault = tap.fault()
        assert fault is not None
        assert not isinstance(fault, LinkDownError)
        space.link("add", ifname="brief", kind="veth", peer={"ifname": "other"})
        assert not isinstance(tap.fault(), LinkDownError)  # another one, though of the same name
        space.link("del", index=space.link_lookup(ifname="brief")[0])


def test_without_the_capability_it_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(link.socket, "socket", refuse)
    with pytest.raises(LinkError, match=r"raw Ethernet on eth1 is not permitted: it needs CAP_NET_RAW"):
        Tap("eth1")
