"""Makes of vehicles and stations whose quirks are known, by what they show of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hlc import quirks
from hlc.capture.doctor.about import went_well
from hlc.capture.finding import Evidence, Finding, Rule, Severity, Who
from hlc.capture.session import Session


def quirk(session: Session, last_at: float) -> Iterator[Finding]:
    if not session.phases or went_well(session):
        return
    for each in (*quirks.known("station"), *quirks.known("vehicle")):
        # A quirk that concerns our vehicle is one of stations.
        who = Who.STATION if each.end == "vehicle" else Who.VEHICLE
        if each.shows.fit(_shown(session, who)):
            name = "SessionSetupRes" if who is Who.STATION else "SessionSetupReq"
            where = session.first[name].where if name in session.first else session.start
            text = f"the {who} is of a make with a known quirk ({each.name}): {each.about}"
            seen = (Evidence(where, f"known by {_by(each.shows)}; source: {each.source}"),)
            yield Finding(where, who, text, Severity.REMARK, evidence=seen)


def _shown(session: Session, who: Who) -> quirks.Shown:
    """What a side shows of itself."""
    protocol = session.protocol or ""
    if who is Who.STATION:
        return quirks.Shown(
            protocol=protocol, EVSEID=_of(session, "SessionSetupRes", "EVSEID"), SessionID=session.session_id or b""
        )
    namespaces = frozenset(offer.rpartition(" ")[0] for offer in session.offered)
    return quirks.Shown(protocol=protocol, namespaces=namespaces, EVCCID=_of(session, "SessionSetupReq", "EVCCID"))


def _of(session: Session, message: str, element: str) -> Any:
    kept = session.first.get(message)
    return getattr(kept.body, element, "") if kept is not None else ""


def _by(shows: quirks.Shows) -> str:
    return ", ".join(f"{name} {value}" for name in shows.__struct_fields__ if (value := getattr(shows, name)))


RULES: Final = (
    Rule(
        "known_quirk",
        "A make of vehicle or station whose quirk is known.",
        quirk,
        "See docs/tolerance.md: our ends allow for it unless they are --strict.",
    ),
)
"""Of makes."""
