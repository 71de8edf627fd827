"""Schemas as the rest of the world uses them, on the native engine or the Python one.

The native engine says yes or no; where it says no, the Python engine reads the same input once more and says why. So
an error is the same on both, word for word.
"""

from __future__ import annotations

import importlib
import os
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple

from exi.codec import Decoder, Encoder
from exi.declare import Message, SchemaSet
from exi.errors import DecodeError, EncodeError
from exi.grammar import Grammar, compile_schema
from exi.pack import pack

EngineName = Literal["native", "python"]

SCHEMAS: Final = {
    "sap": "exi.messages.sap",
    "din70121": "exi.messages.din70121",
    "iso15118_2": "exi.messages.iso15118_2",
    "iso15118_20_common": "exi.messages.iso15118_20.common",
    "iso15118_20_ac": "exi.messages.iso15118_20.ac",
    "iso15118_20_dc": "exi.messages.iso15118_20.dc",
    "iso15118_20_wpt": "exi.messages.iso15118_20.wpt",
    "iso15118_20_acdp": "exi.messages.iso15118_20.acdp",
    "xmldsig": "exi.messages.xmldsig",
}
"""Every schema that is built, and the module that declares it."""


def _choose() -> EngineName:
    wanted = os.environ.get("OPENHLC_EXI", "")
    if wanted not in ("", "native", "python"):
        raise ImportError(f"OPENHLC_EXI={wanted}: it may be native or python")
    if wanted == "python":
        return "python"
    try:
        importlib.import_module("exi._native")
    except ImportError:
        if wanted == "native":
            raise ImportError("OPENHLC_EXI=native, but the C engine was not built; is there a C compiler?") from None
        return "python"
    return "native"


_CHOSEN: Final[EngineName] = _choose()
engine: Final = _CHOSEN
"""The engine in use."""


class Examined(NamedTuple):
    """A decoded document and what was remarkable about its bytes."""

    message: Message
    surplus: int
    """Octets after the end of the document. A Tesla Model Y sends one after its ContractAuthenticationReq."""
    lenient: bool
    """Whether a list of full length ended with the two-bit code that some peers write."""


class Schema:
    """One schema. Get it by `exi.schema(name)`."""

    def __init__(self, declared: SchemaSet, engine: EngineName) -> None:
        self.name = declared.name
        self.roots = declared.roots
        self.engine = engine
        self._declared = declared

    @cached_property
    def grammar(self) -> Grammar:
        """The compiled grammar; compiled when first needed."""
        return compile_schema(self._declared)

    @cached_property
    def _native(self) -> Any:
        """The C engine loaded with the grammar; None on the Python engine."""
        if self.engine == "python":
            return None
        words, objects = pack(self.grammar)
        return importlib.import_module("exi._native").Grammar(words, objects)

    def decode(self, data: bytes) -> Message:
        """The message in one EXI document; octets after its end are ignored.

        Raises `DecodeError` for anything that is no document of this schema.
        """
        if self._native is not None and type(data) is bytes and (found := self._native.decode(data, False, False)):
            message: Message = found[0]
            return message
        return self.examine(data).message

    def examine(self, data: bytes) -> Examined:
        """Decode, and tell about surplus octets and list ends in the form of some peers."""
        return self._read(data, fragment=False)

    def decode_fragment(self, data: bytes) -> Message:
        """The element in one EXI fragment, as it is signed."""
        return self._read(data, fragment=True).message

    def _read(self, data: bytes, *, fragment: bool) -> Examined:
        data = bytes(data)
        # By the specification first, then in the peers' form; the error is that of the specification.
        if self._native is not None:
            for lenient in (False, True):
                if found := self._native.decode(data, fragment, lenient):
                    return Examined(found[0], len(data) - (found[1] + 7) // 8, lenient)
        error: DecodeError | None = None
        for lenient in (False, True):
            decoder = Decoder(self.grammar, data, lenient=lenient)
            try:
                message = decoder.fragment() if fragment else decoder.document()
                return Examined(message, len(data) - (decoder.reader.bit + 7) // 8, lenient)
            except DecodeError as failure:
                error = error or failure
        assert error is not None
        raise error

    def encode(self, message: Message) -> bytes:
        """The EXI document of a message. Raises `EncodeError` for what the schema forbids."""
        if self._native is not None:
            data: bytes | None = self._native.encode(message, False)
            if data is not None:
                return data
        return Encoder(self.grammar).document(message)

    def encode_fragment(self, element: Message) -> bytes:
        """The EXI fragment of an element: the octets that are digested when it is signed."""
        if self._native is not None:
            data: bytes | None = self._native.encode(element, True)
            if data is not None:
                return data
        return Encoder(self.grammar).fragment(element)

    def to_xml(self, message: Message) -> str:
        """The message as XML text, without white space; namespaces as in the schema.

        Raises `EncodeError` for what the schema forbids, or XML cannot carry.
        """
        from exi import xml  # here and below: a session never needs it, and its parser is slow to import

        return xml.to_xml(self.grammar, message)

    def from_xml(self, text: str) -> Message:
        """The message in XML text. Raises `DecodeError` with the path of what the schema forbids."""
        from exi import xml

        return xml.from_xml(self.grammar, text)


_made: dict[tuple[str, EngineName], Schema] = {}


def schema_names() -> tuple[str, ...]:
    """The names of the schemas that are built."""
    return tuple(SCHEMAS)


def schema(name: str, engine: EngineName | None = None) -> Schema:
    """The schema of a name; `engine` overrides the engine in use. Raises `KeyError` for a schema that is not built."""
    if name not in SCHEMAS:
        raise KeyError(f"no schema {name!r}; there are {', '.join(SCHEMAS)}")
    key = (name, engine or _CHOSEN)
    if key not in _made:
        _made[key] = Schema(importlib.import_module(SCHEMAS[name]).SCHEMA, key[1])
    return _made[key]


__all__ = ["DecodeError", "EncodeError", "Examined", "Schema", "engine", "schema", "schema_names"]
