"""Messages as XML text and back: the notation of the standards' own examples."""

from __future__ import annotations

import base64
import binascii
import re
import xml.etree.ElementTree as ElementTree
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from exi.bits import Malformed
from exi.codec import MAX_DEPTH, Cursor, check, walk
from exi.declare import AnyElement, Element, Message
from exi.errors import DecodeError, EncodeError
from exi.grammar import Event, Grammar, Kind, Production, QName, Simple, State, TypeGrammar
from exi.wildcard import XML, allowed, split, wild_name

UNWRITABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot carry."""

ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
ATTRIBUTE_ESCAPES: Final = ESCAPES | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})
"""A parser turns bare white space in attributes into blanks."""


def to_xml(grammar: Grammar, element: Message | Element) -> str:
    """One line of XML; the namespaces in use are declared on the root."""
    writer = XmlWriter(grammar)
    try:
        code, value = grammar.element(element)
    except Malformed as error:
        raise EncodeError("", str(error)) from None
    writer.element(grammar.fragment.productions[code], value)
    declared = "".join(f" xmlns:{prefix}={quoteattr(uri)}" for uri, prefix in sorted(writer.used.items()))
    text = "".join(writer.parts)
    end = re.search("[ >]", text)
    assert end is not None
    return text[: end.start()] + declared + text[end.start() :]


class XmlWriter:
    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.prefixes = {namespace.uri: namespace.prefix for namespace in grammar.namespaces} | {XML: "xml"}
        self.used: dict[str, str] = {}
        """Prefixes by namespace."""
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
        prefix = self.prefixes.setdefault(uri, f"ns{len(self.prefixes)}")
        if uri != XML:
            self.used[uri] = prefix
        return f"{prefix}:{local}"

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
            elif production.event is Event.ANY:
                self.wild(item, production.name[1])
            elif production.event is not Event.END:
                self.parts.append(self.text(production.simple, item).translate(ESCAPES))

    def wild(self, item: Message, excluded: str) -> None:
        """An element in the place of a wildcard."""
        name = wild_name(self.grammar, item)
        allowed(name, excluded)
        if not isinstance(item, AnyElement):
            self.element(Production(Event.ELEMENT, name, type=self.grammar.globals[name]), item)
            return
        label = self.tag(name)
        self.path.append(name[0])
        if len(self.path) > MAX_DEPTH:
            raise Malformed(f"elements are nested deeper than {MAX_DEPTH}")
        self.parts.append(f"<{label}")
        for attribute, value in item.attributes.items():
            self.parts.append(f' {self.tag(split(attribute))}="{writable(value).translate(ATTRIBUTE_ESCAPES)}"')
        self.parts.append(">")
        for child in item.content:
            if isinstance(child, str):
                self.parts.append(writable(child).translate(ESCAPES))
            else:
                self.wild(child, "")
        self.parts.append(f"</{label}>")
        self.path.pop()

    def text(self, simple: Simple | None, value: Any) -> str:
        assert simple is not None
        check(simple, value)
        if simple.kind is Kind.BOOLEAN:
            return "true" if value else "false"
        if simple.kind is Kind.ENUM:
            return str(value.value)
        if simple.kind is Kind.BINARY:
            return value.hex().upper() if simple.hexadecimal else base64.b64encode(value).decode()
        return writable(str(value))


def writable(text: str) -> str:
    if found := UNWRITABLE.search(text):
        raise Malformed(f"XML cannot carry U+{ord(found[0]):04X}")
    return text


def from_xml(grammar: Grammar, text: str) -> Message | Element:
    """The message or element of an XML document whose root is an element of the schema."""
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise DecodeError("", f"no well-formed XML: {error}") from None
    name = split(root.tag)
    for code, production in enumerate(grammar.fragment.productions):
        if production.name == name:
            try:
                return grammar.named(code, XmlReader(grammar).item(production, root, [name[0]]))
            except Malformed as error:
                raise DecodeError(name[0], str(error)) from None
    raise DecodeError(name[0], f"no element of {grammar.name}; its namespace is {name[1]!r}")


class XmlReader:
    """Steps through the same automaton as the codec, so order and occurrence are those of the schema."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar

    def item(self, production: Production, element: ElementTree.Element, path: list[str]) -> Any:
        """What an element holds: a message, or a simple value."""
        if production.type is not None:
            return self.element(production.type, element, path)
        if len(element) or element.attrib:
            raise Malformed(f"{path[-1]} holds a value alone")
        return self.value(production, element.text or "", path)

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
                if production.event is Event.ANY:
                    allowed(child_name, production.name[1])
                    item: Any = self.wild(child, path)
                else:
                    item = self.item(production, child, [*path, child_name[0]])
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

    def wild(self, element: ElementTree.Element, path: list[str]) -> Message:
        """An element in the place of a wildcard."""
        name = split(element.tag)
        path = [*path, name[0]]
        if len(path) > MAX_DEPTH:
            raise Malformed(f"elements are nested deeper than {MAX_DEPTH}")
        if name in self.grammar.globals:
            return self.element(self.grammar.globals[name], element, path)
        found = AnyElement(tag=element.tag, attributes=dict(element.attrib))
        if element.text:
            found.content.append(element.text)
        for child in element:
            found.content.append(self.wild(child, path))
            if child.tail:
                found.content.append(child.tail)
        return found

    def step(self, cursor: Cursor, event: Event, name: QName) -> Production:
        state: State = cursor.state
        for production in state.productions:
            if production.event is event and production.name == name:
                if event is not Event.END:
                    cursor.advance(production)
                return production
        if event is Event.ELEMENT:
            for production in state.productions:
                if production.event is Event.ANY:
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
