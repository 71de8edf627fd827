"""Raw Ethernet on a named interface: what a host hears from its modem, and what it sends to it.

    link = Link("eth1")                         # HomePlug frames only, sorted out in the kernel
    link.listen(machine_hears, link_failed)     # in a running asyncio loop
    link.send(frame)

    tap = Tap("eth1")                           # HomePlug and IPv6, whoever sends it, this machine too
    for at, frame in tap.read(): ...            # `at` as the kernel has stamped it

Frames are whole Ethernet frames without FCS, with their 802.1Q tag where they have one. A `Link` never hears its own.
This is for Linux (AF_PACKET, packet(7)) and needs CAP_NET_RAW.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import socket
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

HOMEPLUG: Final = 0x88E1
"""EtherType of management messages."""
IPV6: Final = 0x86DD
VLAN: Final = 0x8100
SERVICE_VLAN: Final = 0x88A8

# Of Linux (if_packet.h, if_ether.h, sockios.h, if_arp.h, virtio_net.h); Python's socket module names few of them.
ETH_P_ALL: Final = 0x0003
SOL_PACKET: Final = 263
PACKET_ADD_MEMBERSHIP: Final = 1
PACKET_STATISTICS: Final = 6
PACKET_AUXDATA: Final = 8
PACKET_VNET_HDR: Final = 15
PACKET_MR_PROMISC: Final = 1
PACKET_OUTGOING: Final = 4
SO_ATTACH_FILTER: Final = 26
SO_RCVBUFFORCE: Final = 33
SO_TIMESTAMPNS: Final = 35
SIOCGIFFLAGS: Final = 0x8913
IFF_UP: Final = 1
IFF_LOOPBACK: Final = 8
ARPHRD_ETHER: Final = 1
ARPHRD_LOOPBACK: Final = 772
AUXDATA: Final = struct.Struct("=IIIHHHH")
"""status, length, captured length, offset of the MAC header, offset of the network header, VLAN TCI, VLAN TPID"""
VLAN_VALID, VLAN_TPID_VALID = 0x10, 0x40
VNET: Final = struct.Struct("=BBHHHH")
"""flags, GSO type, header length, segment size, start of the checksum's octets, place of the checksum in them"""

BUFFER: Final = 4 << 20
"""Octets that the kernel keeps for us: some 5,000 short frames, whatever else the program does meanwhile."""
TAP_BUFFER: Final = 32 << 20
"""Some 40,000 short frames: whoever decodes them may be held up for longer."""
BATCH: Final = 64
"""Frames read at a stretch before the other tasks of the loop have their turn."""
LONGEST: Final = 1 << 17
"""Room for one frame: what the kernel has put together from segments may have more octets than an Ethernet frame."""


class LinkError(Exception):
    """The interface cannot be used, or no longer: one line that says why and what to do."""


class LinkDownError(LinkError):
    """The interface was set down. It is heard again when it is up."""


class Unfinished(bytes):
    """A frame of a program on this machine whose checksum or segmentation the kernel has left to the network card.

    `rest` is what is left to do (a virtio-net header). `Link.send` hands it on with the frame.
    """

    rest: bytes


class _Raw:
    """A raw socket on an interface, not bound yet. Raises `LinkError`."""

    def __init__(self, interface: str) -> None:
        self.name = interface
        self._dropped = 0
        self._buffer = bytearray(LONGEST)
        self._views = [memoryview(self._buffer)]
        self._socket = self._open()
        self._index = 0
        try:
            self._prepare()
        except OSError as error:
            self._socket.close()
            raise LinkError(f"interface {interface} cannot be used: {error.strerror or error}") from error
        except LinkError:
            self._socket.close()
            raise

    def _open(self) -> socket.socket:
        try:
            # Protocol 0 hears nothing yet: no frame slips in before the filter is there.
            return socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        except PermissionError as error:
            raise LinkError(
                f"raw Ethernet on {self.name} is not permitted: it needs CAP_NET_RAW "
                "(run as root, or: setcap cap_net_raw+ep on the Python that runs this)"
            ) from error
        except OSError as error:
            raise LinkError(f"there is no raw Ethernet here: {error.strerror or error}") from error

    def _prepare(self) -> None:
        """Make the socket ready, and bind it."""
        raise NotImplementedError

    def _find(self) -> None:
        """The interface, which must be there and up."""
        name = self.name
        try:
            self._index = socket.if_nametoindex(name)
        except OSError as error:
            there = ", ".join(known for _, known in socket.if_nameindex())
            raise LinkError(f"there is no interface {name}; this machine has {there}") from error
        if not self._flags() & IFF_UP:
            raise LinkError(f"interface {name} is down: ip link set {name} up")

    def _flags(self) -> int:
        """Of the interface."""
        request = fcntl.ioctl(self._socket, SIOCGIFFLAGS, self.name.encode().ljust(40, b"\0"))  # struct ifreq
        return int(struct.unpack_from("=H", request, 16)[0])

    def _room(self, octets: int) -> None:
        """Let the kernel keep so much for us."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, octets)
        except PermissionError:  # needs CAP_NET_ADMIN: without it as much as net.core.rmem_max allows
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)

    def _promiscuous(self) -> None:
        """Hear what goes to other stations."""
        membership = struct.pack("=IHH8s", self._index, PACKET_MR_PROMISC, 0, b"")
        self._socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)

    def _bind(self) -> tuple[int, bytes]:
        """Hear from now on. The kind of hardware, and its address."""
        self._socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self._socket.bind((self.name, ETH_P_ALL))
        *_, hardware, mac = self._socket.getsockname()
        return hardware, mac

    @property
    def dropped(self) -> int:
        """Frames lost because we did not read in time."""
        # The kernel begins anew after each answer.
        statistics = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        self._dropped += struct.unpack("=II", statistics)[1]
        return self._dropped

    def fileno(self) -> int:
        """For `select` and event loops: readable when frames wait, or something is wrong."""
        return self._socket.fileno()

    def close(self) -> None:
        """Hear nothing any more."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _lost(self, error: OSError) -> LinkError:
        if self._there():
            return LinkDownError(f"interface {self.name} went down: {error.strerror or error}")
        return LinkError(f"interface {self.name} is gone")

    def _there(self) -> bool:
        return (self._index, self.name) in socket.if_nameindex()


class Link(_Raw):
    """A raw socket on an interface. With `everything`, all frames of all stations are heard (promiscuous), as a bridge
    needs it; else only HomePlug frames.

    Raises `LinkError`.
    """

    def __init__(self, interface: str, *, everything: bool = False) -> None:
        self.everything = everything
        self.unsent = 0
        """Frames that the interface did not take: they are lost, as on any Ethernet."""
        self.mac = b""
        """The interface's own address, 6 octets."""
        self._loop: asyncio.AbstractEventLoop | None = None
        super().__init__(interface)

    def _prepare(self) -> None:
        self._find()
        self._room(BUFFER)
        attach_filter(self._socket, NOT_OUR_OWN + (() if self.everything else ONLY_HOMEPLUG) + ACCEPT)
        if self.everything:
            self._socket.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
            self._promiscuous()
        hardware, self.mac = self._bind()
        if hardware != ARPHRD_ETHER:
            raise LinkError(f"interface {self.name} is no Ethernet: HomePlug messages need one")

    # Sending and hearing

    def send(self, frame: bytes) -> None:
        """Send a whole frame. What the interface does not take at the moment is lost. Raises `LinkError`."""
        if self.everything:
            frame = (frame.rest if isinstance(frame, Unfinished) else bytes(VNET.size)) + frame
        try:
            self._socket.send(frame)
        except OSError as error:
            if error.errno in (errno.ENETDOWN, errno.ENXIO, errno.ENODEV):
                raise self._lost(error) from error
            self.unsent += 1

    def read(self) -> list[bytes]:
        """The frames that wait, at most `BATCH` of them. Raises `LinkError`."""
        frames: list[bytes] = []
        while len(frames) < BATCH:
            try:
                length, auxiliary, _, _ = self._socket.recvmsg_into(self._views, 64)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                raise self._lost(error) from error
            frames.append(self._frame(length, auxiliary))
        return frames

    def listen(self, receive: Callable[[bytes], None], failed: Callable[[LinkError], None]) -> None:
        """Call `receive` with each frame, in the running loop, until `close`; or `failed`, once, and no more."""
        self._loop = asyncio.get_running_loop()

        def readable() -> None:
            try:
                frames = self.read()
            except LinkError as error:
                self._stop()
                failed(error)
                return
            for frame in frames:
                receive(frame)

        self._loop.add_reader(self._socket, readable)

    def close(self) -> None:
        """Stop listening."""
        self._stop()
        self._socket.close()

    # Inside

    def _stop(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._socket)
            self._loop = None

    def _frame(self, length: int, auxiliary: list[tuple[int, int, bytes]]) -> bytes:
        start = VNET.size if self.everything else 0
        frame = bytes(self._buffer[start:length])
        rest = bytes(self._buffer[:start])
        tag = vlan_tag(auxiliary)
        if tag is not None:  # the kernel takes the tag out of the frame
            frame = frame[:12] + tag + frame[12:]
        if not any(rest):
            return frame
        flags, gso, header, size, checksum_start, checksum_place = VNET.unpack(rest)
        moved = len(tag or b"")
        unfinished = Unfinished(frame)
        unfinished.rest = VNET.pack(
            flags, gso, header + moved if gso else header, size, checksum_start + moved, checksum_place
        )
        return unfinished


class Tap(_Raw):
    """What goes over an interface in either direction, whoever sends it and to whom: HomePlug and IPv6, tagged or not.

    On the loopback interface, where every frame leaves and arrives, each is heard once. Raises `LinkError`.
    """

    def _prepare(self) -> None:
        self._find()
        self._room(TAP_BUFFER)
        loopback = bool(self._flags() & IFF_LOOPBACK)
        attach_filter(self._socket, (NOT_OUR_OWN if loopback else ()) + OF_CHARGING + ACCEPT)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._promiscuous()
        hardware, _ = self._bind()
        if hardware not in (ARPHRD_ETHER, ARPHRD_LOOPBACK):
            raise LinkError(f"interface {self.name} is no Ethernet: what a modem says comes over one")

    def fault(self) -> LinkError | None:
        """What keeps it from hearing: the interface is down, or gone."""
        try:
            if self._there():
                return None if self._flags() & IFF_UP else LinkDownError(f"interface {self.name} is down")
        except OSError:  # it went between the two looks
            pass
        return LinkError(f"interface {self.name} is gone")

    def read(self) -> list[tuple[float, bytes]]:
        """The frames that wait, at most `BATCH` of them, each with its time in seconds since 1970.

        Raises `LinkDownError`, and `LinkError` where the interface is gone.
        """
        frames: list[tuple[float, bytes]] = []
        receive, views, buffer = self._socket.recvmsg_into, self._views, self._buffer
        while len(frames) < BATCH:
            try:
                length, auxiliary, _, _ = receive(views, 128)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                if frames:
                    break  # with this the error is forgotten: `fault` tells it still
                raise self._lost(error) from error
            frame, tag = bytes(buffer[:length]), vlan_tag(auxiliary)
            frames.append((stamp(auxiliary), frame if tag is None else frame[:12] + tag + frame[12:]))
        return frames


def stamp(auxiliary: list[tuple[int, int, bytes]]) -> float:
    """When the kernel saw a frame, in seconds since 1970."""
    for level, kind, data in auxiliary:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack("@ll", data)
            return float(seconds + nanoseconds / 1e9)
    return 0.0


def vlan_tag(auxiliary: list[tuple[int, int, bytes]]) -> bytes | None:
    """The 802.1Q tag that a frame bore, 4 octets."""
    for level, kind, data in auxiliary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA) and len(data) >= AUXDATA.size:
            status, *_, tci, protocol = AUXDATA.unpack_from(data)
            if status & VLAN_VALID:
                return struct.pack("!HH", protocol if status & VLAN_TPID_VALID else VLAN, tci)
    return None


# The filter in the kernel: classic BPF (linux/filter.h)

LOAD_BYTE, LOAD_HALF, IF_EQUAL, RETURN = 0x30, 0x28, 0x15, 0x06
PACKET_TYPE: Final = 0xFFFFF004
"""Not an offset: where the kernel lets a filter read whether the frame is one that we send."""
WHOLE: Final = 0x40000

Instruction = tuple[int, int, int, int]
"""code, instructions to skip if true, if false, operand"""

NOT_OUR_OWN: Final[tuple[Instruction, ...]] = (
    (LOAD_BYTE, 0, 0, PACKET_TYPE),
    (IF_EQUAL, 0, 1, PACKET_OUTGOING),
    (RETURN, 0, 0, 0),
)
ONLY_HOMEPLUG: Final[tuple[Instruction, ...]] = (
    (LOAD_HALF, 0, 0, 12),
    (IF_EQUAL, 5, 0, HOMEPLUG),
    (IF_EQUAL, 1, 0, VLAN),
    (IF_EQUAL, 0, 2, SERVICE_VLAN),
    (LOAD_HALF, 0, 0, 16),
    (IF_EQUAL, 1, 0, HOMEPLUG),
    (RETURN, 0, 0, 0),
)
OF_CHARGING: Final[tuple[Instruction, ...]] = (
    (LOAD_HALF, 0, 0, 12),
    (IF_EQUAL, 7, 0, HOMEPLUG),
    (IF_EQUAL, 6, 0, IPV6),
    (IF_EQUAL, 1, 0, VLAN),
    (IF_EQUAL, 0, 3, SERVICE_VLAN),
    (LOAD_HALF, 0, 0, 16),
    (IF_EQUAL, 2, 0, HOMEPLUG),
    (IF_EQUAL, 1, 0, IPV6),
    (RETURN, 0, 0, 0),
)
ACCEPT: Final[tuple[Instruction, ...]] = ((RETURN, 0, 0, WHOLE),)


def attach_filter(sock: socket.socket, program: tuple[Instruction, ...]) -> None:
    """Let the kernel drop what a program of classic BPF does not accept."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in program))
    pointer = struct.pack("@HP", len(program), ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)


__all__ = ["Link", "LinkDownError", "LinkError", "Tap", "Unfinished"]
