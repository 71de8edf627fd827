"""The document around a message in DIN SPEC 70121 and ISO 15118-2: V2G_Message, with the session ID in its Header and
the message in its Body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def wrapping(messages: Any) -> Callable[[bytes, Any], Any]:
    """How session ID and body become a document of these messages, a module."""
    document, header, around = messages.V2G_Message, messages.MessageHeader, messages.Body

    def wrap(session_id: bytes, body: Any) -> Any:
        return document(Header=header(SessionID=session_id), Body=around(BodyElement=body))

    return wrap


def unwrap(document: Any) -> tuple[bytes, Any]:
    """Session ID and body of a document; the body is None where there is none."""
    return document.Header.SessionID, document.Body.BodyElement
