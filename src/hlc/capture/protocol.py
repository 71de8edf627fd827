"""The rules of a protocol, for a recording: those by which stations and vehicles run, where they are built."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from typing import Any

from hlc import sap
from hlc.rules import Rule, Rules
from hlc.trace.describe import document


@cache
def rules(schema: str) -> Rules | None:
    """The rules of the protocol whose messages are in `schema`; None where they are not built."""
    if schema not in sap.PROTOCOLS:
        return None
    name = f"hlc.rules.{schema}"
    if importlib.util.find_spec(name) is None:
        return None
    found: Rules = importlib.import_module(name).RULES
    return found


def rule(schema: str, name: str) -> Rule | None:
    """The row of a request or response."""
    known = rules(schema)
    return known.by_name.get(name) if known is not None else None


def body(message: Any) -> Any:
    """The request or response in a document."""
    return document(message)[1]


def may_follow(schema: str, request: Any, response: Any) -> frozenset[str] | None:
    """Names of the requests that may follow an exchange; None where that is not known."""
    known = rules(schema)
    row = known.by_request.get(type(request)) if known is not None else None
    if row is None or type(response) is not row.response:
        return None  # not an exchange: the capture lacks something, or the answer is a wrong one
    return frozenset(kind.__name__ for kind in row.then(request, response))
