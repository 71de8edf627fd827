"""What comes in the place of a wildcard: elements that the schema does not know, with EXI's tables of names and its
built-in grammars, which learn as they are used (EXI 1.0, 7.3.1 and 8.4.3).

XML Signature has wildcards; no V2G message is known to use one. So the Python engine alone reads and writes them. Not
read are xsi:type and xsi:nil, and names in namespaces of which the schema does not declare all names that EXI's tables
hold (`Namespace.type_names`).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from exi.bits import BitReader, BitWriter, Malformed
from exi.declare import AnyElement, Message
from exi.grammar import ITEM, Event, Grammar, Kind, QName, Simple, qname, states_of

if TYPE_CHECKING:
    from exi.codec import Decoder, Encoder

XML: Final = "http://www.w3.org/XML/1998/namespace"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
XSD: Final = "http://www.w3.org/2001/XMLSchema"


ANY_TEXT: Final = Simple(Kind.STRING)

COST: Final = 512
ATTRIBUTE_COST: Final = 128
"""Octets of memory that an `AnyElement` and an attribute of it may take, without their text."""


def known_names(grammar: Grammar) -> dict[str, list[str] | None]:
    """The names in the tables at the start of a document (EXI 1.0, D.1 and D.3); None where not all are known."""
    found: dict[str, set[str]] = {"": set(), XML: {"base", "id", "lang", "space"}}
    found |= {space.uri: set(space.type_names) for space in grammar.namespaces if space.type_names}
    names = set(grammar.globals)
    for type_grammar in grammar.types:
        for state in states_of(type_grammar):
            names |= {p.name for p in state.productions if p.event in (Event.ATTRIBUTE, Event.ELEMENT)}
    for local, uri in names:
        if uri in found:
            found[uri].add(local)
    uris = ["", XML, XSI, XSD, *sorted(space.uri for space in grammar.namespaces)]
    return {uri: sorted(found[uri]) if uri in found else None for uri in uris}


class Names:
    """The tables of namespaces and local names of one document."""

    def __init__(self, grammar: Grammar) -> None:
        if grammar.known_names is None:
            grammar.known_names = known_names(grammar)
        self.locals = {uri: None if names is None else list(names) for uri, names in grammar.known_names.items()}
        self.uris = list(self.locals)

    def of(self, uri: str) -> list[str]:
        if uri not in self.locals:
            self.uris.append(uri)
            self.locals[uri] = []
        names = self.locals[uri]
        if names is None:
            raise Malformed(f"names of {uri} are not read and not written in the place of a wildcard")
        return names

    def read(self, reader: BitReader) -> QName:
        index = reader.bits(len(self.uris).bit_length())
        if index > len(self.uris):
            raise Malformed(f"namespace {index} of {len(self.uris)}")
        uri = self.uris[index - 1] if index else reader.characters(reader.unsigned())
        names = self.of(uri)
        length = reader.unsigned()
        if length:
            local = reader.characters(length - 1)
            names.append(local)
            return local, uri
        place = reader.bits((len(names) - 1).bit_length()) if names else 0
        if place >= len(names):
            raise Malformed(f"name {place} of {len(names)} in {uri!r}")
        return names[place], uri

    def write(self, writer: BitWriter, name: QName) -> None:
        local, uri = name
        bits = len(self.uris).bit_length()
        if uri in self.locals:
            writer.bits(self.uris.index(uri) + 1, bits)
        else:
            writer.bits(0, bits)
            writer.unsigned(len(uri))
            writer.characters(uri)
        names = self.of(uri)
        if local in names:
            writer.unsigned(0)
            writer.bits(names.index(local), (len(names) - 1).bit_length())
        else:
            writer.unsigned(len(local) + 1)
            writer.characters(local)
            names.append(local)


class What(Enum):
    """Events of a built-in grammar."""

    ATTRIBUTE = auto()
    ELEMENT = auto()
    TEXT = auto()
    END = auto()


Learned = tuple[What, QName | None]
START: Final = (What.END, What.ATTRIBUTE, What.ELEMENT, What.TEXT)
CONTENT: Final = (What.ELEMENT, What.TEXT)


class Builtin:
    """One state of a built-in grammar: what it has learned, newest first, then one code for all that it has not."""

    def __init__(self, learned: list[Learned], other: tuple[What, ...]) -> None:
        self.learned = learned
        self.other = other
        self.nameless = {what for what, _ in learned}
        """Events without a name that are among the learned; such are learned once."""

    def learn(self, what: What, name: QName | None) -> None:
        if name is None:
            if what in self.nameless:
                return
            self.nameless.add(what)
        self.learned.insert(0, (what, name))

    def read(self, reader: BitReader) -> tuple[What, QName | None, bool]:
        """The event, its name where it was learned, and whether it was."""
        code = reader.bits(len(self.learned).bit_length())
        if code < len(self.learned):
            return *self.learned[code], True
        if code > len(self.learned):
            raise Malformed(f"event code {code} stands for nothing here")
        return self.other[reader.bits((len(self.other) - 1).bit_length())], None, False

    def write(self, writer: BitWriter, what: What, name: QName | None) -> bool:
        """Write the code; whether the event had been learned."""
        bits = len(self.learned).bit_length()
        if (what, name) in self.learned:
            writer.bits(self.learned.index((what, name)), bits)
            return True
        writer.bits(len(self.learned), bits)
        writer.bits(self.other.index(what), (len(self.other) - 1).bit_length())
        return False


class Wild:
    """What the reader and the writer of one document have in common."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.names = Names(grammar)
        self.states: dict[QName, tuple[Builtin, Builtin]] = {}

    def of(self, name: QName) -> tuple[Builtin, Builtin]:
        """The built-in grammar of an element: before its first child or text, and after."""
        if name not in self.states:
            self.states[name] = Builtin([], START), Builtin([(What.END, None)], CONTENT)
        return self.states[name]


def allowed(name: QName, excluded: str) -> None:
    """A wildcard of ##other takes no element of its own namespace, and none without a namespace."""
    if excluded and name[1] in ("", excluded):
        raise Malformed(f"{name[0]} of namespace {name[1]!r} may not come in the place of this wildcard")


def tag(name: QName) -> str:
    local, uri = name
    return f"{{{uri}}}{local}" if uri else local


def split(tag: str) -> QName:
    """Local name and namespace of a name as ElementTree writes it."""
    uri, found, local = tag[1:].partition("}")
    return (local, uri) if found and tag.startswith("{") else (tag, "")


def check_text(value: object) -> None:
    if type(value) is not str:
        raise Malformed(f"{value!r} is no text")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise Malformed("half of a surrogate pair is no character")


def wild_name(grammar: Grammar, item: Message) -> QName:
    """The name of an element that is to stand in the place of a wildcard."""
    if isinstance(item, AnyElement):
        if type(item.attributes) is not dict or type(item.content) is not list:
            raise Malformed("attributes are a dict, and content is a list")
        for text in (item.tag, *item.attributes, *item.attributes.values()):
            check_text(text)
        for child in item.content:
            if not isinstance(child, Message):
                check_text(child)
        name = split(item.tag)
        if name in grammar.globals:
            raise Malformed(f"{name[0]} is an element of the schema: write it as one")
        return name
    name = qname(type(item))
    if name not in grammar.globals:
        raise Malformed(f"{name[0]} is no global element of {grammar.name}")
    return name


class WildReader(Wild):
    def __init__(self, decoder: Decoder) -> None:
        super().__init__(decoder.grammar)
        self.decoder = decoder

    def read(self, excluded: str) -> Message:
        """What follows SE(*)."""
        name = self.names.read(self.decoder.reader)
        allowed(name, excluded)
        return self.element(name)

    def element(self, name: QName) -> Message:
        decoder = self.decoder
        decoder.path.append(name[0])
        if name in self.grammar.globals:
            message = decoder.message(self.grammar.globals[name])
        else:
            message = self.unknown(name)
        decoder.path.pop()
        return message

    def unknown(self, name: QName) -> AnyElement:
        decoder, reader = self.decoder, self.decoder.reader
        decoder.enter(COST)
        found = AnyElement(tag=tag(name))
        state, content = self.of(name)
        while True:
            decoder.start = reader.bit
            what, inner, learned = state.read(reader)
            if what in (What.ATTRIBUTE, What.ELEMENT) and inner is None:
                inner = self.names.read(reader)
            if not learned:
                state.learn(what, inner)
            if what is What.END:
                return found
            if what is What.ATTRIBUTE:
                assert inner is not None
                if tag(inner) in found.attributes:
                    raise Malformed(f"attribute {inner[0]} comes twice")
                decoder.enter(ATTRIBUTE_COST)
                found.attributes[tag(inner)] = self.text()
                continue
            state = content
            if what is What.TEXT:
                found.content.append(self.text())
            else:
                assert inner is not None
                found.content.append(self.element(inner))

    def text(self) -> str:
        text = self.decoder.reader.string(None)
        self.decoder.take(ANY_TEXT.cost(text) + ITEM)
        return text


class WildWriter(Wild):
    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder.grammar)
        self.encoder = encoder

    def write(self, item: Message, excluded: str) -> None:
        """What follows SE(*)."""
        name = wild_name(self.grammar, item)
        allowed(name, excluded)
        self.names.write(self.encoder.writer, name)
        self.element(name, item)

    def element(self, name: QName, item: Message) -> None:
        encoder = self.encoder
        encoder.path.append(name[0])
        if isinstance(item, AnyElement):
            self.unknown(name, item)
        else:
            encoder.message(self.grammar.globals[name], item)
        encoder.path.pop()

    def unknown(self, name: QName, item: AnyElement) -> None:
        encoder = self.encoder
        encoder.enter(COST)
        if type(item.attributes) is not dict or type(item.content) is not list:
            raise Malformed("attributes are a dict, and content is a list")
        state, content = self.of(name)
        for label, value in sorted((split(label), value) for label, value in item.attributes.items()):
            encoder.enter(ATTRIBUTE_COST)
            self.event(state, What.ATTRIBUTE, label)
            self.text(value)
        for child in item.content:
            if isinstance(child, str):
                self.event(state, What.TEXT, None)
                self.text(child)
            else:
                inner = wild_name(self.grammar, child)
                self.event(state, What.ELEMENT, inner)
                self.element(inner, child)
            state = content
        self.event(state, What.END, None)

    def text(self, text: str) -> None:
        self.encoder.writer.string(text)
        self.encoder.cost += ANY_TEXT.cost(text) + ITEM

    def event(self, state: Builtin, what: What, name: QName | None) -> None:
        if not state.write(self.encoder.writer, what, name):
            if name is not None:
                self.names.write(self.encoder.writer, name)
            state.learn(what, name)
