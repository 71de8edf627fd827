"""Schemas as the rest of the world uses them, on the native engine or the Python one.

The native engine says yes or no; where it says no, the Python engine reads the same input once more and says why. So
an error is the same on both, word for word.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple

from exi.bitmap import Traced, trace
from exi.bits import Malformed
from exi.codec import FORMS, Decoder, Encoder
from exi.compiler import compile_schema
from exi.declare import Element, Message, SchemaSet
from exi.errors import DecodeError, EncodeError
from exi.grammar import Event, Grammar
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


Found = tuple[Any, int, int, bool]
"""What was read: the root element's value, the bits read, its event code, and whether nothing is left of the input."""


class Examined(NamedTuple):
    """A decoded document and what was remarkable about its bytes."""

    message: Any
    """The message; for a fragment, what `decode_fragment` gives."""
    surplus: int
    """Octets after the end of the document. A Tesla Model Y sends one after its ContractAuthenticationReq."""
    lenient: bool
    """Whether a list of full length ended with the two-bit code that some peers write."""


class RefusedError(DecodeError):
    """The error of input that no engine reads. Where and why is found out when somebody asks: the Python engine then
    reads the input again. So refusing costs no more than reading, and the error is the same on both engines."""

    def __init__(self, grammar: Grammar, data: bytes, *, fragment: bool) -> None:
        Exception.__init__(self)
        self._decoder = Decoder(grammar, data)
        self._fragment = fragment

    def __getattr__(self, name: str) -> Any:
        if name not in ("path", "reason", "bit"):
            raise AttributeError(name)
        try:
            self._decoder.root(fragment=self._fragment)
            super().__init__("", "refused by the C engine, but not by the Python engine: a defect of openhlc")
        except DecodeError as error:
            super().__init__(error.path, error.reason, error.bit)
        return getattr(self, name)


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
        message: Message = self.examine(data).message
        return message

    @cached_property
    def _document(self) -> Callable[[bytes], Any]:
        """The C engine's quick way to read nearly every message, if there is that engine."""
        return (lambda data: None) if self._native is None else self._native.document

    def examine(self, data: bytes) -> Examined:
        """Decode, and tell about surplus octets and list ends in the form of some peers."""
        message = self._document(data)
        return self._read(data, fragment=False) if message is None else Examined(message, 0, False)

    def decode_fragment(self, data: bytes) -> Message | Element:
        """The element in one EXI fragment, as it is signed: a message, or an `Element` where the name of the element
        does not follow from its value. Raises `DecodeError`.
        """
        element: Message | Element = self.examine_fragment(data).message
        return element

    def examine_fragment(self, data: bytes) -> Examined:
        """What `examine` is to `decode`."""
        return self._read(data, fragment=True)

    def trace(self, data: bytes, *, fragment: bool = False) -> Traced:
        """Every event code and value of a document with its bits; where decoding fails, those before the failure.

        Made by the Python engine, whichever is in use; slow. Raises nothing for what `data` may hold.
        """
        return trace(self.grammar, bytes(data), fragment=fragment)

    def _read(self, data: bytes, *, fragment: bool) -> Examined:
        data = bytes(data)
        best: Examined | None = None
        for form in FORMS:
            found, full = self._attempt(data, fragment, form)
            if found is not None:
                value, bits, code, exact = found
                if exact or best is None:
                    message = self.grammar.named(code, value) if fragment else value
                    best = Examined(message, len(data) - (bits + 7) // 8, form != FORMS[0])
                if exact:
                    break
            if not full:
                break
        if best is None:
            raise RefusedError(self.grammar, data, fragment=fragment)
        return best

    def _attempt(self, data: bytes, fragment: bool, form: int) -> tuple[Found | None, bool]:
        """What is read in one of the `FORMS`, if anything; and whether another form might read something else."""
        if self._native is not None:
            found: Found | Literal[False] | None = self._native.decode(data, fragment, form)
            if found is not False:  # the C engine reads no wildcards
                return found, True
        decoder = Decoder(self.grammar, data, lenient=form)
        try:
            code, value = decoder.root(fragment=fragment)
        except DecodeError:
            return None, decoder.full
        return (value, decoder.reader.bit, code, decoder.reader.finished), decoder.full

    def encode(self, message: Message) -> bytes:
        """The EXI document of a message. Raises `EncodeError` for what the schema forbids."""
        code = self._documents.get(type(message))
        if code is None:
            raise EncodeError("", f"{type(message).__name__} is no document of {self.name}")
        if self._native is not None:
            data: bytes | None = self._native.encode(message, code, False)
            if data is not None:
                return data
        return Encoder(self.grammar).root(code, message, fragment=False)

    @cached_property
    def _documents(self) -> dict[type[Message], int]:
        """The event codes of the documents."""
        productions = self.grammar.document.productions
        return {p.type.cls: code for code, p in enumerate(productions) if p.event is Event.ELEMENT and p.type}

    def encode_fragment(self, element: Message | Element) -> bytes:
        """The EXI fragment of an element: the octets that are digested when it is signed. Raises `EncodeError`.

        A message stands for the global element of its class's name, or for the only element of its type. Any other
        element is an `Element`.
        """
        try:
            code, value = self.grammar.element(element)
        except Malformed as error:
            raise EncodeError("", str(error)) from None
        if self._native is not None:
            data: bytes | None = self._native.encode(value, code, True)
            if data is not None:
                return data
        return Encoder(self.grammar).root(code, value, fragment=True)

    def to_xml(self, message: Message | Element) -> str:
        """The message or element as XML text, without white space; namespaces as in the schema.

        Raises `EncodeError` for what the schema forbids, or XML cannot carry.
        """
        from exi import xml  # here and below: a session never needs it, and its parser is slow to import

        return xml.to_xml(self.grammar, message)

    def from_xml(self, text: str) -> Message | Element:
        """The message or element in XML text, as `decode_fragment` gives it.

        Raises `DecodeError` with the path of what the schema forbids.
        """
        from exi import xml

        return xml.from_xml(self.grammar, text)


_made: dict[tuple[str, EngineName], Schema] = {}


def schema_names() -> tuple[str, ...]:
    """The names of the schemas that are built."""
    return tuple(SCHEMAS)


def schema(name: str, engine: EngineName | None = None) -> Schema:
    """The schema of a name; `engine` overrides the engine in use. Raises `KeyError` for a schema that is not built."""
    key = (name, engine or _CHOSEN)
    made = _made.get(key)
    if made is None:
        if name not in SCHEMAS:
            raise KeyError(f"no schema {name!r}; there are {', '.join(SCHEMAS)}")
        made = _made[key] = Schema(importlib.import_module(SCHEMAS[name]).SCHEMA, key[1])
    return made


__all__ = ["DecodeError", "EncodeError", "Examined", "Schema", "engine", "schema", "schema_names"]
