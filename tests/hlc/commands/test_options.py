"""Options that commands share: what they come to."""

from __future__ import annotations

from argparse import Namespace
from ipaddress import IPv6Address

import pytest

from hlc.commands import options as shared
from hlc.commands.transport import WIRELESS
from hlc.runtime.interfaces import Interface

ETHERNET = Interface("eth1", 2, IPv6Address("fe80::1"))
LOOPBACK = Interface("lo", 1, IPv6Address("::1"))


@pytest.mark.parametrize(
    ("modes", "interface", "no_slac", "wanted", "said"),
    [
        ("dc", ETHERNET, False, True, ""),
        ("dc,wpt", ETHERNET, False, True, ""),
        ("dc", ETHERNET, True, False, ""),
        ("dc", LOOPBACK, False, False, "there is no powerline"),
        ("dc", None, False, False, "there is no powerline"),
        ("wpt", ETHERNET, False, False, "with --modes wpt nothing is plugged in"),
        ("acdp, acdp-bpt", ETHERNET, False, False, "nothing is plugged in"),
    ],
)
def test_matching_is_for_who_has_a_plug(
    modes: str,
    interface: Interface | None,
    no_slac: bool,
    wanted: bool,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = Namespace(modes=modes, no_slac=no_slac)
    assert shared.slac_wanted(options, "evcc", interface) is wanted
    told = capsys.readouterr().err
    assert said in told
    assert bool(told) is bool(said)


def test_who_talks_over_wlan_says_what_he_is() -> None:
    assert set(WIRELESS) == shared.WIRELESS
