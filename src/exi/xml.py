"""Messages as XML text and back: the notation of the standards' own examples."""

from __future__ import annotations

import base64
import binascii
import re
import xml.etree.ElementTree as ElementTree
from typing import Any, Final

from exi.bits import Malformed
from exi.codec import Cursor, check, walk
from exi.declare import Message
from exi.errors import DecodeError, EncodeError
from exi.grammar import Event, Grammar, Kind, Production, QName, Simple, State, TypeGrammar

UNWRITABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot carry."""

ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
ATTRIBUTE_ESCAPES: Final = ESCAPES | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})
"""A parser turns bare white space in attributes into blanks."""


def to_xml(grammar: Grammar, message: Message) -> str:
    """One line of XML; the namespaces in use are declared on the root."""
    root = next((p for p in grammar.document.productions if p.type and p.type.cls is type(message)), None)
    if root is None:
        raise EncodeError("", f"{type(message).__name__} is no element of {grammar.name}")
    writer = XmlWriter(grammar)
    writer.element(root, message)
    declared = "".join(f' xmlns:{writer.prefixes[uri]}="{uri}"' for uri in sorted(writer.used))
    text = "".join(writer.parts)
    end = re.search("[ >]", text)
    assert end is not None
    return text[: end.start()] + declared + text[end.start() :]


class XmlWriter:
    def __init__(self, grammar: Grammar) -> None:
        self.prefixes = {namespace.uri: namespace.prefix for namespace in grammar.namespaces}
        self.used: set[str] = set()
        self.parts: list[str] = []
        self.path: list[str] = []

    def element(self, production: Production, item: Any) -> None:
        tag = self.tag(production.name)
        self.path.append(production.name[0])
        try:
            self.parts.append(f"<{tag}")
            if production.type is None:
                self.parts.append(f">{self.text(production.simple, item).translate(ESCAPES)}")
            else:
                self.children(production.type, item)
        except Malformed as error:
            raise EncodeError(".".join(self.path), str(error)) from None
        self.parts.append(f"</{tag}>")
        self.path.pop()

    def tag(self, name: QName) -> str:
        local, uri = name
        if not uri:
            return local
        self.used.add(uri)
        return f"{self.prefixes[uri]}:{local}"

    def children(self, grammar: TypeGrammar, message: Message) -> None:
        open_tag = True
        for _, _, production, item in walk(grammar, message):
            if production.event is Event.ATTRIBUTE:
                value = self.text(production.simple, item).translate(ATTRIBUTE_ESCAPES)
                self.parts.append(f' {self.tag(production.name)}="{value}"')
                continue
            if open_tag:
                self.parts.append(">")
                open_tag = False
            if production.event is Event.ELEMENT:
                self.element(production, item)
            elif production.event is not Event.END:
                self.parts.append(self.text(production.simple, item).translate(ESCAPES))

    def text(self, simple: Simple | None, value: Any) -> str:
        assert simple is not None
        check(simple, value)
        if simple.kind is Kind.BOOLEAN:
            return "true" if value else "false"
        if simple.kind is Kind.ENUM:
            return str(value.value)
        if simple.kind is Kind.BINARY:
            return value.hex().upper() if simple.hexadecimal else base64.b64encode(value).decode()
        text = str(value)
        if found := UNWRITABLE.search(text):
            raise Malformed(f"XML cannot carry U+{ord(found[0]):04X}")
        return text


def from_xml(grammar: Grammar, text: str) -> Message:
    """The message of an XML document whose root is a document of the schema."""
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise DecodeError("", f"no well-formed XML: {error}") from None
    name = split(root.tag)
    for production in grammar.document.productions:
        if production.name == name and production.type is not None and production.event is Event.ELEMENT:
            return XmlReader().element(production.type, root, [name[0]])
    raise DecodeError(name[0], f"no document of {grammar.name}; its namespace is {name[1]!r}")


def split(tag: str) -> QName:
    """Local name and namespace of a name as ElementTree writes it."""
    uri, found, local = tag[1:].partition("}")
    return (local, uri) if found and tag.startswith("{") else (tag, "")


class XmlReader:
    """Steps through the same automaton as the codec, so order and occurrence are those of the schema."""

    def element(self, grammar: TypeGrammar, element: ElementTree.Element, path: list[str]) -> Message:
        values: dict[str, Any] = {f.name: [] for f in grammar.fields if f.repeated}
        cursor = Cursor(grammar.start)
        try:
            for name, text in sorted((split(name), text) for name, text in element.attrib.items()):
                production = self.step(cursor, Event.ATTRIBUTE, name)
                self.store(values, production, self.value(production, text, [*path, name[0]]))
            self.characters(cursor, values, element.text, path, children=len(element) > 0)
            for child in element:
                child_name = split(child.tag)
                production = self.step(cursor, Event.ELEMENT, child_name)
                inner = [*path, child_name[0]]
                if production.type is not None:
                    item: Any = self.element(production.type, child, inner)
                else:
                    if len(child) or child.attrib:
                        raise Malformed(f"{child_name[0]} holds a value alone")
                    item = self.value(production, child.text or "", inner)
                self.store(values, production, item)
                self.characters(cursor, values, child.tail, path, children=True)
            self.step(cursor, Event.END, ("", ""))
        except Malformed as error:
            raise DecodeError(".".join(path), str(error)) from None
        return grammar.cls(**{f.name: values.get(f.name) for f in grammar.fields})

    def characters(
        self, cursor: Cursor, values: dict[str, Any], text: str | None, path: list[str], *, children: bool
    ) -> None:
        """Text: the value of simple content, an item of mixed content, or white space between elements."""
        events = [p.event for p in cursor.state.productions]
        if Event.TEXT in events:
            production = self.step(cursor, Event.TEXT, ("", ""))
            self.store(values, production, self.value(production, text or "", path))
        elif text and (text.strip() or (Event.MIXED in events and not children)):
            production = self.step(cursor, Event.MIXED, ("", ""))
            self.store(values, production, text)

    def step(self, cursor: Cursor, event: Event, name: QName) -> Production:
        state: State = cursor.state
        for production in state.productions:
            if production.event is event and production.name == name:
                if event is not Event.END:
                    cursor.advance(production)
                return production
        wanted = " or ".join(p.name[0] or p.event.name.lower() for p in state.productions)
        found = {Event.END: "the end", Event.MIXED: "text"}.get(event, name[0])
        raise Malformed(f"{found} stands where {wanted} belongs")

    def store(self, values: dict[str, Any], production: Production, item: Any) -> None:
        field = production.field
        assert field is not None
        if field.repeated:
            values[field.name].append(item)
        else:
            values[field.name] = item

    def value(self, production: Production, text: str, path: list[str]) -> Any:
        assert production.simple is not None
        try:
            value = parse(production.simple, text)
            check(production.simple, value)
        except Malformed as error:
            raise DecodeError(".".join(path), str(error)) from None
        return value


def parse(simple: Simple, text: str) -> Any:
    """A simple value from its text."""
    if simple.kind is Kind.STRING:
        return text
    text = text.strip(" \t\r\n")
    if simple.kind is Kind.BOOLEAN:
        if text not in ("true", "false", "1", "0"):
            raise Malformed(f"{text!r} is neither true nor false")
        return text in ("true", "1")
    if simple.kind is Kind.ENUM:
        member = next((m for m in simple.members if m.value == text), None)
        if member is None:
            check(simple, text)
        return member
    if simple.kind is Kind.BINARY:
        try:
            return bytes.fromhex(text) if simple.hexadecimal else base64.b64decode("".join(text.split()), validate=True)
        except (ValueError, binascii.Error) as error:
            raise Malformed(f"{'hexadecimal' if simple.hexadecimal else 'Base64'}: {error}") from None
    if not re.fullmatch("[+-]?[0-9]{1,1500}", text):
        raise Malformed(f"{text[:40]!r} is no whole number")
    return int(text)
