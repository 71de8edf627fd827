"""What can be watched on a simulated powerline. `Powerline.observer` is called with each as it happens."""

from __future__ import annotations

from typing import NamedTuple


class Carried(NamedTuple):
    """A modem has put a frame on the line."""

    at: float
    sender: str
    frame: bytes
    heard: tuple[str, ...]
    """The modems that it reaches."""
    lost: tuple[str, ...]
    """The modems that would have heard it but for loss."""


class Unsent(NamedTuple):
    """A modem has not put a frame of the matching on the line that its host gave it."""

    at: float
    modem: str
    frame: bytes
    why: str


class Rekeyed(NamedTuple):
    """A modem has been given a new key, and leaves its network."""

    at: float
    modem: str
    nid: bytes


class Joined(NamedTuple):
    """A modem has become a member of the network of `coordinator`."""

    at: float
    modem: str
    coordinator: str


class Left(NamedTuple):
    """A modem is no longer a member of the network that it had joined."""

    at: float
    modem: str


Event = Carried | Unsent | Rekeyed | Joined | Left

__all__ = ["Carried", "Event", "Joined", "Left", "Rekeyed", "Unsent"]
