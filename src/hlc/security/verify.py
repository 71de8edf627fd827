"""Whether a chain is good for what it is shown for: from the leaf to a root that is trusted, by the standards' rules.

The chain is what the peer sent: hostile until it is proven, in any order after the leaf; only the roots that are handed
in are trusted. Every fault is a finding, and nothing here raises. What a caller does about findings is his: those that
are `fatal` end a handshake or an authorization, the others are departures from a profile that the field shows and that
do no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum
from itertools import pairwise
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.x509 import Certificate

from hlc.security import identifiers, revocation
from hlc.security.certificate import ALGORITHMS, Curve, Facts, read, shown, signed
from hlc.security.profiles import MOST_SUB_CAS, WHOSE, Role

MOST_SENT: Final = 10
"""Certificates of a chain that are looked at; schemas allow five."""

MOST_OCTETS: Final = {Curve.P256: 800, Curve.P521: 1600, Curve.ED448: 1600}
"""Size of a certificate in messages (certificateType of ISO 15118-2 and ISO 15118-20)."""


class Rule(Enum):
    """What may be wrong, and where it is written."""

    READABLE = "RFC 5280 4.1"
    EXTENSION = "RFC 5280 4.2"
    ISSUER = "RFC 5280 6.1; [V2G2-875], [V2G20-1240]"
    UNTRUSTED = "RFC 5280 6.1; [V2G2-924], [V2G20-1240]"
    SIGNATURE = "RFC 5280 6.1.3 (a)(1)"
    EXPIRED = "RFC 5280 4.1.2.5; [V2G2-875]"
    NOT_YET_VALID = "RFC 5280 4.1.2.5; [V2G2-824]"
    REVOKED = "RFC 6960; [V2G2-875], [V2G20-1240]"
    REVOCATION_UNKNOWN = "[V2G2-873], [V2G20-2388]"
    PATH_LENGTH = "RFC 5280 4.2.1.9; ISO 15118-2 annex F"
    CA = "RFC 5280 4.2.1.9"
    KEY_USAGE = "RFC 5280 4.2.1.3; ISO 15118-2 annex F"
    PURPOSE = "RFC 5280 4.2.1.12; ISO 15118-20 annex B"
    ROLE = "ISO 15118-2 annex F; [V2G20-2598]"
    CURVE = "ISO 15118-2 annex F; [V2G20-2674], [V2G20-2319]"
    ALGORITHM = "ISO 15118-2 annex F; ISO 15118-20 annex B"
    SIZE = "certificateType of the message schemas"
    IDENTIFIER = "ISO 15118-2 annex H; ISO 15118-20 annex C"
    ROOT_SENT = "RFC 5246 7.4.2, RFC 8446 4.4.2"


class Finding(NamedTuple):
    """Something wrong with a chain."""

    rule: Rule
    certificate: str
    """Which one: its place and its name."""
    text: str
    """What is wrong."""
    do: str
    """What to do about it."""
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.certificate}: {self.text}: {self.do} ({self.rule.value})"


class Link(NamedTuple):
    """A certificate of a path and its place in it."""

    facts: Facts
    place: str

    @property
    def label(self) -> str:
        """How a finding names it."""
        return f"{self.place} {self.facts.name}"


class Path(NamedTuple):
    """A chain in order."""

    links: tuple[Link, ...]
    """The leaf first, the root last where it was found; of a broken chain whatever was sent."""
    complete: bool
    """Whether it ends in a trusted root."""
    findings: tuple[Finding, ...]


def verify(
    chain: Sequence[Certificate],
    roots: Sequence[Certificate],
    now: datetime,
    role: Role | None,
    *,
    curves: Sequence[Curve] = tuple(Curve),
    ocsp: Sequence[bytes | None] | None = None,
) -> list[Finding]:
    """What is wrong with a chain that is shown as a role's. Never raises.

    `chain` has the leaf first. `roots` are the trusted ones for this role. `now` is aware of its time zone. `role` is
    None where nobody knows it; then it is not looked at. `curves` are those that the protocol allows. `ocsp` is one
    response per certificate of the chain, None where none came; without `ocsp` revocation is not looked at.
    """
    if not chain:
        text = "no certificate was sent"
        return [Finding(Rule.ISSUER, "chain", text, "the peer must send its leaf and its Sub-CAs")]
    path = build(chain, roots)
    found = list(path.findings)
    for link in path.links:
        found += alone(link, now)
    found += _lengths(path)
    found += _keys(path.links, curves)
    if role is not None or not path.links[0].facts.ca:
        found += _leaf(path.links[0], role)
    if ocsp is not None:
        found += _revocation(path, dict(zip(chain, ocsp, strict=False)), now)
    return found


# --- path -------------------------------------------------------------------------------------------------------------


def build(chain: Sequence[Certificate], roots: Sequence[Certificate]) -> Path:
    """The chain in order, from its leaf to a trusted root, by the names and signatures of what was sent."""
    sent = [read(one) for one in chain[:MOST_SENT]]
    trusted = [read(one) for one in roots]
    links = [Link(sent[0], "Sub-CA" if sent[0].ca else "leaf")]
    left = sent[1:]
    findings = []
    if len(chain) > MOST_SENT:
        text = f"{len(chain)} certificates were sent, {MOST_SENT} are looked at"
        findings.append(Finding(Rule.ISSUER, "chain", text, "the peer must send its leaf and its Sub-CAs, no more"))
    current = sent[0]
    complete = any(root.certificate == current.certificate for root in trusted)
    while not complete:
        if root := issuer_of(current, trusted):
            links.append(Link(root, "root"))
            complete = True
        elif above := issuer_of(current, [one for one in left if not one.self_issued]):
            left.remove(above)
            links.append(Link(above, "Sub-CA"))
            current = above
        else:
            findings.append(_broken(links[-1], left, trusted))
            break
    path = [link.facts for link in links]
    for one in left:
        if any(root.certificate == one.certificate for root in trusted):
            text, do = "the chain that was sent holds the root", "the peer should leave it out; it gains no trust by it"
            findings.append(Finding(Rule.ROOT_SENT, f"root {one.name}", text, do, fatal=False))
        elif not complete:
            links.append(Link(one, "root (not trusted)" if one.self_issued else "Sub-CA"))
        elif one not in path:
            text, do = "it belongs to no part of the chain", "the peer should leave it out"
            findings.append(Finding(Rule.ISSUER, f"certificate {one.name}", text, do, fatal=False))
    return Path(tuple(links), complete, tuple(findings))


def issuer_of(facts: Facts, candidates: Sequence[Facts]) -> Facts | None:
    """Who has signed a certificate, of those who bear its issuer's name."""
    return next((one for one in candidates if one.subject == facts.issuer is not None and signed(facts, one)), None)


def _broken(last: Link, left: Sequence[Facts], trusted: Sequence[Facts]) -> Finding:
    """Why the chain does not go on."""
    facts = last.facts
    issuer = "an issuer without a readable name" if facts.issuer is None else shown(_common(facts.issuer))
    namesakes = [one for one in (*trusted, *left) if one.subject == facts.issuer is not None]
    if facts.algorithm and facts.algorithm not in ALGORITHMS:
        text = f"it is signed by an algorithm that the standards do not know ({facts.algorithm})"
        return Finding(Rule.ALGORITHM, last.label, text, "its issuer must sign with ECDSA or Ed448")
    if facts.self_issued:
        text, do = "it is a root of its own that is not trusted", "put it among the roots if it deserves trust"
        return Finding(Rule.UNTRUSTED, last.label, text, do)
    if any(one in trusted for one in namesakes):
        text = f"its signature is not by the key of the trusted root {issuer}"
        return Finding(
            Rule.SIGNATURE, last.label, text, "the peer's chain hangs on another root of that name, or was altered"
        )
    if namesakes and not all(one.self_issued for one in namesakes):
        text = f"its signature is not by the key of {issuer}, which was sent with it"
        return Finding(Rule.SIGNATURE, last.label, text, "it was altered, or its issuer made anew with another key")
    if namesakes:
        text = f"its root {issuer} is not trusted"
        return Finding(Rule.UNTRUSTED, last.label, text, "put it among the roots if it deserves trust")
    text = f"its issuer {issuer} was not sent and is no trusted root"
    do = "the peer must send its Sub-CAs with its leaf; or put that root among the roots if it deserves trust"
    return Finding(Rule.ISSUER, last.label, text, do)


def _common(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[0].value) if found else "without a common name"


# --- each certificate -------------------------------------------------------------------------------------------------


def day(moment: datetime) -> str:
    """A moment as a person reads it."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def days(span: timedelta) -> str:
    """A span of time, as a person counts it."""
    if span < timedelta(hours=1):
        return "less than an hour"
    if span < timedelta(days=2):
        return f"{span // timedelta(hours=1)} h"
    return f"{span.days} days"


def alone(link: Link, now: datetime) -> list[Finding]:
    """What is wrong with a certificate whatever stands above and below it."""
    facts, found = link.facts, []

    def finding(rule: Rule, text: str, do: str, fatal: bool = True) -> None:
        found.append(Finding(rule, link.label, text, do, fatal))

    for part in facts.unread:
        finding(Rule.READABLE, f"its {part}", "it must be made anew")
    if facts.not_after is not None and facts.not_after < now:
        text = f"expired on {day(facts.not_after)}, {days(now - facts.not_after)} ago"
        finding(Rule.EXPIRED, text, "it must be renewed; if it should be valid, look at this machine's clock")
    if facts.not_before is not None and facts.not_before > now:
        text = f"not valid before {day(facts.not_before)}, in {days(facts.not_before - now)}"
        finding(Rule.NOT_YET_VALID, text, "wait until then; if it should be valid, look at this machine's clock")
    most = MOST_OCTETS[facts.curve or Curve.P521]
    if facts.size > most and not link.place.startswith("root"):
        text = f"{facts.size} octets in DER, where messages carry {most}"
        finding(Rule.SIZE, text, "shorten its names or leave extensions out", fatal=False)
    if facts.foreign:
        # What it bounds is not known here, so it may bound this very use.
        text = f"it has an extension that must be understood and is not ({', '.join(facts.foreign)})"
        finding(Rule.EXTENSION, text, "its issuer must leave it out or mark it as not critical")
    if facts.uncritical:
        rule = Rule.CA if "basicConstraints" in facts.uncritical else Rule.KEY_USAGE
        text = f"{' and '.join(facts.uncritical)} should be critical"
        finding(rule, text, "its issuer should mark them so", fatal=False)
    if link.place != "leaf" or facts.ca:
        if not facts.ca:
            finding(Rule.CA, "it has issued a certificate and is no CA", "its basicConstraints must say CA")
        if facts.usage is None or "keyCertSign" not in facts.usage:
            had = "it has no keyUsage" if facts.usage is None else "it may not sign certificates"
            finding(Rule.KEY_USAGE, had, "its keyUsage must have keyCertSign", fatal=facts.usage is not None)
    return found


def _lengths(path: Path) -> list[Finding]:
    """Bounds that the CAs set on what follows them, and the depth of the whole."""
    found: list[Finding] = []
    if not path.complete:
        return found
    for above, link in enumerate(path.links[1:]):
        bound = link.facts.path_length
        if bound is not None and above > bound:
            text = f"{above} CA{'s' * (above != 1)} below it, where its path length allows {bound}"
            found.append(Finding(Rule.PATH_LENGTH, link.label, text, "the chain must be issued by a CA that may"))
    subs = len(path.links) - 2
    if subs > MOST_SUB_CAS:
        text = f"{subs} Sub-CAs, where the standards have at most {MOST_SUB_CAS}"
        found.append(Finding(Rule.PATH_LENGTH, "chain", text, "some peers will refuse it", fatal=False))
    return found


def _keys(links: Sequence[Link], curves: Sequence[Curve]) -> list[Finding]:
    """Keys and signatures: those of the standards, and one generation from leaf to root."""
    found = []
    leaf = links[0].facts.curve
    allowed = " or ".join(curve.value for curve in curves)
    for place, link in enumerate(links):
        facts = link.facts
        if facts.curve is None or (facts.curve not in curves and place == 0):
            text = f"its key is {facts.key}, where {allowed} is prescribed"
            found.append(Finding(Rule.CURVE, link.label, text, f"it must be made anew with {allowed}"))
        elif leaf is not None and facts.curve != leaf:
            text = f"its key is {facts.key}, its leaf's {leaf.value}"
            found.append(Finding(Rule.CURVE, link.label, text, "one chain should have one kind of key", fatal=False))
    for link, issuer in pairwise(links):
        kind = ALGORITHMS.get(link.facts.algorithm)
        if kind is not None and issuer.facts.curve not in (None, kind) and issuer.facts.subject == link.facts.issuer:
            text = f"its signature is of the kind for {kind.value}, its issuer's key is {issuer.facts.key}"
            do = "its issuer should hash with the algorithm of its curve"
            found.append(Finding(Rule.ALGORITHM, link.label, text, do, fatal=False))
    return found


# --- the leaf ---------------------------------------------------------------------------------------------------------

DOMAINS: Final = {"CPO": Role.SECC, "CPS": Role.CPS, "MO": Role.CONTRACT, "OEM": Role.PROVISIONING}
NEEDED: Final = {Role.SECC: "serverAuth", Role.VEHICLE: "clientAuth"}


def marked(facts: Facts) -> Role | None:
    """Whose certificate it says that it is: by its domain component, its extended key usage, its name; else None."""
    if "clientAuth" in (facts.purposes or ()) and not {"CPO", "CPS", "MO"} & set(facts.domains):
        return Role.VEHICLE
    for domain in facts.domains:
        if domain.upper() in DOMAINS:
            return DOMAINS[domain.upper()]
    if "serverAuth" in (facts.purposes or ()):
        return Role.SECC
    if identifiers.emaid(facts.common_name or ""):
        return Role.CONTRACT
    return Role.PROVISIONING if identifiers.pcid(facts.common_name or "") else None


def _leaf(link: Link, role: Role | None) -> list[Finding]:
    facts, found = link.facts, []

    def finding(rule: Rule, text: str, do: str, fatal: bool = True) -> None:
        found.append(Finding(rule, link.label, text, do, fatal))

    mark = marked(facts)
    if role is None:
        pass
    elif mark is not None and mark is not role:
        finding(Rule.ROLE, f"it is {WHOSE[mark]}, not {WHOSE[role]}", "credentials were mixed up: show the right one")
    elif mark is None:
        # Anything under a V2G root would pass as a station or a provisioning service, were it not for this mark.
        text = f"nothing in it says that it is {WHOSE[role]}"
        fatal = role in (Role.SECC, Role.CPS)
        finding(Rule.ROLE, text, "its subject needs its domain component, or it its extended key usage", fatal)
    if role is Role.VEHICLE and mark is role and facts.domains:
        finding(Rule.ROLE, "its subject has more than EVCCID and maker", "leave the domain component out", fatal=False)
    if facts.ca:
        finding(Rule.CA, "it is a CA, not a leaf", "the leaf comes first in a chain")
    elif facts.usage is None or "digitalSignature" not in facts.usage:
        had = f"it may not sign: keyUsage {', '.join(sorted(facts.usage or ())) or 'empty'}"
        text = "it has no keyUsage" if facts.usage is None else had
        finding(Rule.KEY_USAGE, text, "its keyUsage must have digitalSignature", fatal=facts.usage is not None)
    needed = NEEDED.get(role) if role is not None else None
    if needed is not None and facts.purposes is not None and not {needed, "any"} & facts.purposes:
        had = ", ".join(sorted(facts.purposes))
        finding(Rule.PURPOSE, f"it is for {had}, not for {needed}", f"its extended key usage must have {needed}")
    elif needed is not None and facts.purposes is None and facts.curve in (Curve.P521, Curve.ED448):
        text = f"it has no extended key usage; ISO 15118-20 wants {needed}"
        finding(Rule.PURPOSE, text, "its issuer should add it", fatal=False)
    return found + _identifier(link, role)


def _identifier(link: Link, role: Role | None) -> list[Finding]:
    name = link.facts.common_name or ""
    where = f"its common name {shown(name)!r}"

    def finding(text: str, do: str, fatal: bool = False) -> list[Finding]:
        return [Finding(Rule.IDENTIFIER, link.label, text, do, fatal)]

    match role:
        case Role.CONTRACT:
            plain = identifiers.emaid(name)
            if plain is None:
                return finding(f"{where} is no eMAID", "it must have the contract's eMAID", fatal=True)
            if not identifiers.emaid_checks(plain):
                right = identifiers.check_digit(plain)
                return finding(f"the check digit of its eMAID {plain} is wrong", f"by the standard it is {right}")
        case Role.PROVISIONING if identifiers.pcid(name) is None:
            return finding(f"{where} is no PCID", "it should have the vehicle's PCID, 18 capitals and digits")
        case Role.VEHICLE if identifiers.evccid(name) is None:
            return finding(f"{where} is no EVCCID", "it should have the vehicle's EVCCID: WMI, V, number")
    return []


# --- revocation -------------------------------------------------------------------------------------------------------


def _revocation(path: Path, responses: dict[Certificate, bytes | None], now: datetime) -> list[Finding]:
    """What the OCSP responses say of each certificate whose issuer is known."""
    found: list[Finding] = []
    for link, issuer in pairwise(path.links):
        if not signed(link.facts, issuer.facts):
            continue  # what was sent stops short of a root, and this is no part of the chain
        answer = revocation.judge(responses.get(link.facts.certificate), link.facts, issuer.facts, now)
        if answer.state is revocation.State.REVOKED:
            do = "it must not be used any more: its owner needs a new one"
            found.append(Finding(Rule.REVOKED, link.label, answer.text, do))
        elif answer.state is revocation.State.UNKNOWN:
            do = "whoever shows it must staple a fresh OCSP response"
            found.append(Finding(Rule.REVOCATION_UNKNOWN, link.label, answer.text, do, fatal=False))
    return found
