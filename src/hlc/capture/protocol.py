"""The rules of a protocol, for a recording: those by which stations and vehicles run."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from hlc import sap
from hlc.rules import MAIN, Rule, Rules
from hlc.trace.describe import document


@cache
def rules(protocol: str) -> Rules | None:
    """The rules of a protocol by its name in `sap.PROTOCOLS`; None for any other name."""
    if protocol not in sap.PROTOCOLS:
        return None
    family, _, mode = protocol.partition("_20_")
    found: Rules = importlib.import_module(f"hlc.rules.{family}_20.{mode}" if mode else f"hlc.rules.{family}").RULES
    return found


def rule(protocol: str, name: str) -> Rule | None:
    """The row of a request or response, in whichever stream."""
    known = rules(protocol)
    if known is None:
        return None
    return known.by_name.get(name) or _aside(protocol).get(name)


@cache
def _aside(protocol: str) -> dict[str, Rule]:
    """The rows of the side streams."""
    known = rules(protocol)
    rows = known.all_rows if known is not None else ()
    return {kind.__name__: row for row in rows for kind in (row.request, row.response)}


def body(message: Any) -> Any:
    """The request or response in a document."""
    return document(message)[1]


def may_follow(protocol: str, request: Any, response: Any, stream: int = MAIN) -> frozenset[str] | None:
    """Names of the requests that may follow an exchange in its stream; None where that is not known."""
    known = rules(protocol)
    row = known.streams[stream].get(type(request)) if known is not None else None
    if row is None or type(response) is not row.response:
        return None  # not an exchange: the capture lacks something, or the answer is a wrong one
    return _names(row.then(request, response))


@cache
def _names(kinds: frozenset[type]) -> frozenset[str]:
    return frozenset(kind.__name__ for kind in kinds)
