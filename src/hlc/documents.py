"""Which documents the frames of a session carry: SAP's until a protocol has been chosen, then by payload type.

Behind two payload types of ISO 15118-20 there may be a message of any of its schemas: the document's root decides.
"""

from __future__ import annotations

from typing import Any

import exi
from exi.engine import Examined
from exi.errors import DecodeError
from hlc.rules import Rules
from hlc.sap import Protocol
from hlc.v2gtp import PayloadType


class Documents:
    """Of one session."""

    def __init__(self) -> None:
        self._schemas: dict[int, tuple[exi.Schema, ...]] = {PayloadType.EXI: (exi.schema("sap"),)}
        self._known: frozenset[type] = frozenset()

    def speak(self, protocol: Protocol, rules: Rules) -> None:
        """From now on documents are of this protocol."""
        self._schemas = {kind: (exi.schema(name),) for kind, name in protocol.schemas.items()}
        self._known = frozenset(kind for rule in rules.all_rows for kind in (rule.request, rule.response))
        if PayloadType.EXI not in self._schemas:
            every = tuple(exi.schema(name) for name in dict.fromkeys(protocol.schemas.values()))
            # Some peers (Josev) send messages of the main stream with 0x8001 too.
            self._schemas[PayloadType.SCHEDULE_RENEGOTIATION] = self._schemas[PayloadType.EXI] = every

    def __contains__(self, payload_type: int) -> bool:
        """Whether frames of this type mean anything."""
        return payload_type in self._schemas

    def read(self, payload_type: int, payload: bytes) -> tuple[str, Examined]:
        """A document, behind the name of the schema by which it was read: the first in which it is a message that the
        rules know, for what is none in one schema may look like one. Raises `DecodeError`."""
        schemas = self._schemas[payload_type]
        if len(schemas) == 1:
            return schemas[0].name, schemas[0].examine(payload)
        failure: DecodeError | None = None
        first: tuple[str, Examined] | None = None
        for schema in schemas:
            try:
                found = schema.name, schema.examine(payload)
            except DecodeError as error:
                failure = failure or error
                continue
            if type(found[1].message) in self._known:
                return found
            first = first or found
        if first is None:
            assert failure is not None
            raise failure
        return first

    def write(self, payload_type: int, document: Any) -> tuple[str, bytes]:
        """The octets of a document, behind the name of its schema. Raises `EncodeError`."""
        schemas = self._schemas[payload_type]
        schema = schemas[0] if len(schemas) == 1 else next(each for each in schemas if type(document) in each.roots)
        return schema.name, schema.encode(document)
