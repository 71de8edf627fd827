"""Frames of link types that `headers` does not read: the IP packet in them, found by scapy.

WLAN above all (802.11, with radiotap or without), by which vehicles without a plug talk to stations, and PPP. Scapy is
imported with the first such frame, for that takes most of a second; what every capture may hold is in `headers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any


@cache
def _dissectors() -> Mapping[int, Callable[[bytes], Any]]:
    """What reads a frame, by link type (the registry of tcpdump.org)."""
    import logging

    logging.getLogger("scapy").setLevel(logging.CRITICAL)
    from scapy.config import conf
    from scapy.layers import dot11, inet6, l2, ppp  # noqa: F401 - they enter in `conf` what they read

    known: Mapping[int, Callable[[bytes], Any]] = conf.l2types.num2layer
    return known


def known(link: int) -> bool:
    """Whether frames of this link type can be read."""
    return link in _dissectors()


def packet(link: int, data: bytes) -> bytes | None:
    """The octets of the IP packet in a frame; None where there is none, or it is encrypted or damaged."""
    dissect = _dissectors().get(link)
    if dissect is None:
        return None
    try:
        layer = dissect(data)
        found = layer.getlayer("IPv6") or layer.getlayer("IP")
    except Exception:  # whatever a dissector makes of a damaged frame
        return None
    return bytes(found.original) if found is not None else None
