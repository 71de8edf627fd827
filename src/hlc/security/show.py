"""What there is in a PKI directory, or in a heap of certificates and keys of any maker, and what is wrong with it.

A directory of ours is read by its names, each chain checked for the role that its name says. Anything else is put
together by what the certificates say: chains by names and signatures, roles by their marks, keys by the certificates
that they fit. The result is a `Report`; how it is told is somewhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, NamedTuple

from cryptography.x509 import Certificate

from hlc.security import identifiers, revocation
from hlc.security.certificate import Facts, PkiError, der, read, signed
from hlc.security.pki import CHAIN, ROOTS, Pki, certificates, is_directory, load, matches, private_key, rank
from hlc.security.profiles import TEST_MARK, THROW_AWAY_MARK, WHOSE, Role
from hlc.security.verify import MOST_SENT, Finding, Link, Rule, alone, build, issuer_of, marked, verify

MOST_PASSWORDS: Final = 16
LONGEST_PASSWORD: Final = 256

MEANT: Final = {Role.CONTRACT: "eMAID", Role.PROVISIONING: "PCID", Role.VEHICLE: "EVCCID", Role.SECC: "SECC ID"}
"""What the common name of a leaf is."""


class Shown(NamedTuple):
    """A chain, and what is wrong with it."""

    files: tuple[str, ...]
    """Where its leaf, or its lowest certificate, was found."""
    role: Role | None
    links: tuple[Link, ...]
    """The leaf first."""
    key: str | None
    """Of its key; None where none is expected."""
    revocation: tuple[str, ...]
    """For each certificate whose issuer is known what its OCSP response says; empty without responses."""
    findings: tuple[Finding, ...]

    @property
    def what(self) -> str:
        """Whose it is, in words."""
        if self.role is not None:
            return WHOSE[self.role]
        return "a CA without a leaf" if self.links[0].facts.ca else "nobody's that is known here"


class Report(NamedTuple):
    """What was found."""

    chains: tuple[Shown, ...]
    roots: tuple[tuple[str, Facts], ...]
    """Each root and its file."""
    problems: tuple[str, ...]
    """What is wrong with files."""
    notes: tuple[str, ...]
    """What is worth knowing of files and wrong with none."""

    @property
    def wrong(self) -> int:
        """How many things are wrong."""
        return len(self.problems) + sum(one.fatal for chain in self.chains for one in chain.findings)

    @property
    def noted(self) -> int:
        """How many things depart from a profile and do no harm."""
        return len(self.notes) + sum(not one.fatal for chain in self.chains for one in chain.findings)

    @property
    def test(self) -> bool:
        """Whether we have made any of it: nobody may trust it outside a bench."""
        every = [facts for _, facts in self.roots] + [link.facts for chain in self.chains for link in chain.links]
        return any(facts.organization in (TEST_MARK, THROW_AWAY_MARK) for facts in every)


def report(files: Mapping[str, bytes], now: datetime) -> Report:
    """What is in the files of a directory, by their names relative to it. Never raises."""
    return _directory(files, now) if is_directory(files) else heap(files, now)


def _directory(files: Mapping[str, bytes], now: datetime) -> Report:
    pki = load(files)
    chains = []
    for role in Role:
        for name in sorted(files, key=rank):
            found = CHAIN.fullmatch(name)
            if found is None or found[1] != role:
                continue
            try:
                chain = certificates(name, files[name])
            except PkiError:
                continue  # it is among the problems
            chains.append(_of_directory(name, role, chain, pki, now))
    roots = [(name, read(root)) for name, kind in ROOTS.items() for root in pki.roots(kind)]
    return Report(tuple(chains), tuple(roots), (*pki.problems, *_idle(roots, chains, now)), ())


def _idle(roots: Sequence[tuple[str, Facts]], chains: Sequence[Shown], now: datetime) -> list[str]:
    """What is wrong with roots that no chain here ends in."""
    used = {link.facts.certificate for chain in chains for link in chain.links}
    return [
        f"{name}: {finding}"
        for name, facts in roots
        if facts.certificate not in used
        for finding in alone(Link(facts, "root"), now)
        if finding.fatal
    ]


def _of_directory(name: str, role: Role, chain: tuple[Certificate, ...], pki: Pki, now: datetime) -> Shown:
    credential = next((one for one in pki.credentials(role) if one.chain == chain), None)
    ocsp = credential.ocsp if credential is not None and any(credential.ocsp) else None
    key = "no key that fits" if credential is None else "its key fits"
    return _shown((name,), role, chain, pki.anchors(role), now, key=key, ocsp=ocsp, lenient=not pki.anchors(role))


def _shown(
    files: tuple[str, ...],
    role: Role | None,
    chain: Sequence[Certificate],
    roots: Sequence[Certificate],
    now: datetime,
    *,
    key: str | None,
    ocsp: Sequence[bytes | None] | None = None,
    lenient: bool,
) -> Shown:
    """`lenient`: a root that is not there is not the chain's fault."""
    path = build(chain, roots)
    findings = verify(chain, roots, now, role, ocsp=ocsp)
    if lenient:
        findings = [
            one._replace(fatal=False, do="to check the chain to its end, give that one too")
            if one.rule is Rule.ISSUER and one.fatal
            else one
            for one in findings
        ]
    told = []
    if ocsp is not None:
        answers = dict(zip(chain, ocsp, strict=False))
        for subject, issuer in pairwise(path.links):
            if not signed(subject.facts, issuer.facts):
                break
            response = answers.get(subject.facts.certificate)
            told.append(revocation.judge(response, subject.facts, issuer.facts, now).text)
    return Shown(files, role, path.links, key, tuple(told), tuple(findings))


# --- a heap -----------------------------------------------------------------------------------------------------------


def heap(files: Mapping[str, bytes], now: datetime) -> Report:
    """What is in files of any names. Never raises."""
    problems: list[str] = []
    where: dict[Certificate, list[str]] = {}
    keys: dict[str, bytes] = {}
    passwords = [data.strip() for name, data in sorted(files.items()) if _is_password(name, data)][:MOST_PASSWORDS]
    for name, data in sorted(files.items()):
        if _is_password(name, data):
            continue
        try:
            for one in certificates(name, data):
                names = where.setdefault(one, [])
                names += [name] if name not in names else []
        except PkiError as error:
            if b"PRIVATE KEY-----" in data or (b"-----BEGIN" not in data and name.endswith((".key", ".der"))):
                keys[name] = data
            else:
                problems.append(str(error))
    facts = {one: read(one) for one in where}
    roots = [one for one in where if facts[one].self_issued and facts[one].ca]
    cas = [facts[one] for one in where if facts[one].ca and not facts[one].self_issued]
    fitting, notes = _keys(keys, list(where), passwords, problems)
    lines = [_line(facts[one], cas) for one in where if not facts[one].ca]
    used = {one.certificate for line in lines for one in line}
    # What is left are Sub-CAs without a leaf: the lowest of them stands for those above it.
    for ca in sorted(cas, key=lambda ca: ca.path_length if ca.path_length is not None else MOST_SENT):
        if ca.certificate not in used:
            lines.append(_line(ca, cas))
            used |= {above.certificate for above in lines[-1]}
    chains = []
    for line in lines:
        first = line[0]
        key = None
        if not first.ca and keys:
            key = (
                ", ".join(f"its key is {name}" for name in fitting.get(first.certificate, ())) or "its key is not here"
            )
        chains.append(
            _shown(
                tuple(where[first.certificate]),
                None if first.ca else marked(first),
                [one.certificate for one in line],
                roots,
                now,
                key=key,
                lenient=True,
            )
        )
    found = [(where[one][0], facts[one]) for one in roots]
    return Report(tuple(chains), tuple(found), (*problems, *_idle(found, chains, now)), tuple(notes))


def _is_password(name: str, data: bytes) -> bool:
    return "password" in name.lower() and len(data) <= LONGEST_PASSWORD


def _line(lowest: Facts, cas: Sequence[Facts]) -> list[Facts]:
    """A certificate and those above it, without the root."""
    line = [lowest]
    while len(line) < MOST_SENT and (above := issuer_of(line[-1], [one for one in cas if one not in line])):
        line.append(above)
    return line


def _keys(
    keys: Mapping[str, bytes], every: Sequence[Certificate], passwords: Sequence[bytes], problems: list[str]
) -> tuple[dict[Certificate, list[str]], list[str]]:
    """The files of the keys that fit each certificate, and notes on the others."""
    fitting: dict[Certificate, list[str]] = {}
    notes = []
    for name, data in keys.items():
        key: Any = None
        error = None
        for password in (None, *passwords):
            try:
                key = private_key(name, data, password, "a file with password in its name")
                break
            except PkiError as raised:
                error = error or raised
        if key is None:
            problems.append(str(error))
            continue
        fits = [one for one in every if matches(key, one)]
        for one in fits:
            fitting.setdefault(one, []).append(name)
        if not fits and every:
            problems.append(f"{name}: a private key that belongs to no certificate here")
        elif not every:
            notes.append(f"{name}: a private key, and no certificate beside it")
    return fitting, notes


# --- for machines -----------------------------------------------------------------------------------------------------


def identifier(link: Link, role: Role | None) -> dict[str, str]:
    """What the common name of a leaf is by its role."""
    name = link.facts.common_name
    if link.place != "leaf" or role not in MEANT or name is None:
        return {}
    if role is Role.CONTRACT:
        name = identifiers.emaid(name) or name
    return {MEANT[role]: name}


def record(found: Report, now: datetime) -> dict[str, Any]:
    """A report as an object for machines."""
    return {
        "wrong": found.wrong,
        "test": found.test,
        "problems": list(found.problems),
        "notes": list(found.notes),
        "roots": [{"file": name, **_certificate(facts, now)} for name, facts in found.roots],
        "chains": [
            {
                "files": list(chain.files),
                "role": chain.role,
                "key": chain.key,
                "certificates": [
                    {"place": link.place, **identifier(link, chain.role), **_certificate(link.facts, now)}
                    for link in chain.links
                ],
                "revocation": list(chain.revocation),
                "findings": [
                    {
                        "rule": one.rule.name.lower(),
                        "clause": one.rule.value,
                        "certificate": one.certificate,
                        "text": one.text,
                        "do": one.do,
                        "wrong": one.fatal,
                    }
                    for one in chain.findings
                ],
            }
            for chain in found.chains
        ],
    }


def _certificate(facts: Facts, now: datetime) -> dict[str, Any]:
    return {
        "name": facts.name,
        "organization": facts.organization,
        "domain": list(facts.domains),
        "key": facts.key,
        "serial": f"{facts.serial:x}",
        "not_before": facts.not_before.isoformat() if facts.not_before is not None else None,
        "not_after": facts.not_after.isoformat() if facts.not_after is not None else None,
        "days_left": (facts.not_after - now).days if facts.not_after is not None else None,
        "ca": facts.ca,
        "path_length": facts.path_length,
        "key_usage": sorted(facts.usage) if facts.usage is not None else None,
        "extended_key_usage": sorted(facts.purposes) if facts.purposes is not None else None,
        "octets": len(der(facts.certificate)),
        "ocsp": list(facts.responders),
    }
