"""Network interfaces and the IPv6 address by which a session runs on each.

Sessions use link-local addresses (ISO 15118-2 7.6; DIN SPEC 70121 8.2.1). Loopback interfaces have none: there ::1
serves, so that vehicle and station can be tried on one machine.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final

import msgspec

from hlc.runtime.errors import SetupError, WrongUsage

# The kernel's own table is three columns of text. pyroute2 would give the same for 11 MiB and 0.16 s at every start.
ADDRESSES: Final = Path("/proc/net/if_inet6")
TENTATIVE: Final = 0x40
"""Flag of an address whose uniqueness is still being tested (RFC 4862): it cannot be bound yet."""
PATIENCE_S: Final = 3.0
"""How long an interface that has just come up may take to get its address."""
WATCH_S: Final = 1.0
"""So often an interface in use is looked at."""

LOOPBACK: Final = IPv6Address("::1")
SIOCGIFHWADDR: Final = 0x8927
"""Asks Linux for the hardware address of an interface (netdevice(7))."""


class Interface(msgspec.Struct, frozen=True):
    """An interface that can carry sessions. `scope` is what a link-local address needs besides (0 for ::1)."""

    name: str
    index: int
    address: IPv6Address

    @property
    def loopback(self) -> bool:
        """Whether this is the machine itself: no multicast, no link-local address."""
        return self.address == LOOPBACK

    @property
    def scope(self) -> int:
        """The scope id of this interface's addresses."""
        return 0 if self.loopback else self.index

    def changed(self) -> str:
        """Why its sockets are of no use any more; empty: they are. One that is down may come up again."""
        try:
            index = socket.if_nametoindex(self.name)
        except OSError:
            return f"interface {self.name} is gone"
        present = addresses(self.name)
        if index != self.index or (present and self.address not in present):
            return f"interface {self.name} is another now, or has another address"
        return ""

    def mac(self) -> bytes | None:
        """Its hardware address, 6 octets; None for loopback and for interfaces that have none."""
        request = self.name.encode().ljust(40, b"\0")  # struct ifreq; /sys would show another network namespace's
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                octets = bytes(fcntl.ioctl(sock, SIOCGIFHWADDR, request)[18:24])
        except OSError:
            return None
        return octets if any(octets) else None


def names() -> list[str]:
    """The interfaces of this machine."""
    return [name for _, name in socket.if_nameindex()]


def known(name: str) -> None:
    """Raises `WrongUsage` where there is no such interface."""
    if name not in names():
        raise WrongUsage(f"there is no interface {name}; this machine has {', '.join(names())}")


async def find(name: str) -> Interface:
    """The interface of that name, once its address is usable. Raises `SetupError`."""
    known(name)
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while (address := link_local(name)) is None:
        if asyncio.get_running_loop().time() >= deadline:
            raise SetupError(
                f"interface {name} has no IPv6 link-local address: bring it up (ip link set {name} up) "
                f"and let it have IPv6 (sysctl net.ipv6.conf.{name}.disable_ipv6=0)"
            )
        await asyncio.sleep(0.1)
    return Interface(name, socket.if_nametoindex(name), address)


async def watch(interface: Interface) -> None:
    """Raises `SetupError` when the interface is no longer the one that it was."""
    while True:
        if why := interface.changed():
            raise SetupError(why)
        await asyncio.sleep(WATCH_S)


def link_local(name: str) -> IPv6Address | None:
    """The usable link-local address of an interface, ::1 for a loopback interface, None if there is none (yet)."""
    return next(iter(addresses(name)), None)


def addresses(name: str) -> list[IPv6Address]:
    """Those that a session may use."""
    found = []
    for line in ADDRESSES.read_text().splitlines() if ADDRESSES.exists() else []:
        digits, _, _, _, flags, interface = line.split()
        address = IPv6Address(bytes.fromhex(digits))
        if interface == name and (address.is_link_local or address == LOOPBACK) and not int(flags, 16) & TENTATIVE:
            found.append(address)
    return found
