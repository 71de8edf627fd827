"""Bad credentials on request: each departs in one thing from a good one, so that whoever refuses it refuses that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, ed448

from hlc.security.profiles import Profile, Role


class Draft(NamedTuple):
    """A certificate before it is signed."""

    profile: Profile
    not_before: datetime
    not_after: datetime
    key: Any
    signer: Any
    """Key that signs it."""


class Bad(NamedTuple):
    """One kind of bad credential."""

    text: str
    """What is wrong with it."""
    role: Role = Role.SECC
    """Whose credential it is where nobody says."""
    roles: tuple[Role, ...] = tuple(Role)
    """Whose it may be."""
    above: int = 0
    """The certificate that departs: 0 the leaf, 1 its issuer, 2 that one's."""
    change: Callable[[Draft], Draft] | None = None
    """How the certificate departs; None: something besides the certificate does, see `hierarchy`."""


def _expired(draft: Draft) -> Draft:
    span = timedelta(days=draft.profile.days)
    return draft._replace(not_before=draft.not_before - span, not_after=draft.not_before)


def _not_yet_valid(draft: Draft) -> Draft:
    ahead = timedelta(days=30)
    return draft._replace(not_before=draft.not_before + ahead, not_after=draft.not_after + ahead)


def _profile(**fields: Any) -> Callable[[Draft], Draft]:
    return lambda draft: draft._replace(profile=draft.profile._replace(**fields))


def _wrong_purpose(draft: Draft) -> Draft:
    return _profile(purpose="OCSPSigning")(draft)


def _wrong_domain(draft: Draft) -> Draft:
    return _profile(domain="CPS" if draft.profile.domain != "CPS" else "CPO")(draft)


def _weak_curve(draft: Draft) -> Draft:
    return draft._replace(key=ec.generate_private_key(ec.SECP224R1()))


def _other_root(draft: Draft) -> Draft:
    """As if a root of the same name but another key had signed."""
    return draft._replace(signer=another(draft.signer))


def another(key: Any) -> Any:
    """A new key of the same kind."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ec.generate_private_key(key.curve)
    return ed448.Ed448PrivateKey.generate()


SWAPS: Final = {
    Role.VEHICLE: Role.PROVISIONING,
    Role.PROVISIONING: Role.VEHICLE,
    Role.SECC: Role.CPS,
    Role.CPS: Role.SECC,
    Role.CONTRACT: Role.PROVISIONING,
}
"""Whose credential stands in the place of whose."""

BAD: Final = {
    "expired": Bad("the leaf expired yesterday", change=_expired),
    "not-yet-valid": Bad("the leaf is valid from 29 days ahead", change=_not_yet_valid),
    "revoked": Bad("the OCSP response says that the leaf is revoked"),
    "wrong-usage": Bad("the leaf may not sign", change=_profile(usage=frozenset({"nonRepudiation"}))),
    "wrong-purpose": Bad(
        "the leaf's extended key usage is not that of a TLS end",
        roles=(Role.SECC, Role.VEHICLE),
        change=_wrong_purpose,
    ),
    "wrong-domain": Bad("the leaf's domain component is another's", change=_wrong_domain),
    "wrong-root": Bad("the chain hangs on another root of the same name", above=2, change=_other_root),
    "wrong-key": Bad("the key is not the leaf's"),
    "swapped-roles": Bad("another role's credential stands in its place", role=Role.VEHICLE),
    "weak-curve": Bad("the leaf's key is on secp224r1", change=_weak_curve),
    "path-length": Bad("Sub-CA 1 allows no CA below it", above=2, change=_profile(path_length=0)),
    "bad-signature": Bad("one bit of the leaf's signature is wrong"),
    "no-sub-cas": Bad("the chain is the leaf alone"),
}
"""Each by its name."""
