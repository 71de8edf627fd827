"""The one JSON of a message, in recordings and live sessions, and the way back from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import exi
from exi.bits import Malformed
from exi.codec import MAX_DEPTH, check
from exi.declare import AnyElement
from exi.grammar import Event, Field, Grammar, Kind, Production, Simple, TypeGrammar, states_of
from hlc.trace.plain import plain


def record(schema: str, name: str, number: int | None, message: Any, *, fragment: bool = False) -> dict[str, Any]:
    """The JSON of a message: its schema, name and documented number, and its elements.

    Of the element in a fragment, that it is one; and its namespace where it is an `exi.Element`.
    """
    entry: dict[str, Any] = {"schema": schema, "name": name, "id": number}
    if fragment:
        entry["fragment"] = True
    if isinstance(message, exi.Element):
        entry["namespace"], message = message.namespace, message.value
    return entry | {"message": plain(message)}


def from_record(schema: exi.Schema, entry: Mapping[str, Any]) -> Any:
    """The message of a `record`, or the element of one of a fragment.

    Raises `exi.DecodeError` with the path of what the schema forbids. What it lacks, the codec will say.
    """
    name = entry.get("name")
    if "message" not in entry or not isinstance(name, str):
        raise exi.DecodeError("", 'a message is an object with "schema", "name" and "message", as hlc decode prints it')
    reader = Reader(schema.grammar)
    try:
        if entry.get("fragment"):
            code, production = element(schema.grammar, name, entry.get("namespace"))
            return schema.grammar.named(code, reader.item(production, name, entry["message"]))
        production = document(schema.grammar, name)
        return reader.item(production, production.name[0], entry["message"])
    except Malformed as error:
        raise exi.DecodeError(".".join(reader.path) or name, str(error)) from None


def document(grammar: Grammar, name: str) -> Production:
    """A document by the name of its message, which may be that of the element in its body."""
    documents = [p for p in grammar.document.productions if p.event is Event.ELEMENT]
    for production in documents:
        if production.name[0] == name:
            return production
    if len(documents) == 1:
        return documents[0]
    raise Malformed(f"{grammar.name} has no message of this name")


def element(grammar: Grammar, name: str, uri: str | None) -> tuple[int, Production]:
    """An element of a fragment and its code. Without a namespace, the name stands for the class of that name."""
    found = [(code, p) for code, p in enumerate(grammar.fragment.productions) if p.name[0] == name]
    if uri is not None:
        found = [(code, p) for code, p in found if p.name[1] == uri]
    elif len(found) > 1:
        found = [(code, p) for code, p in found if p.type is not None and grammar.own_names.get(p.type.cls) == code]
    if len(found) != 1:
        raise Malformed(f"{grammar.name} has {'several elements' if found else 'no element'} of this name")
    return found[0]


class Reader:
    """Plain data -> message, by the names in the grammar. Order and number of the elements are left to the codec."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.path: list[str] = []
        """Where it is, or failed."""
        self._parts: dict[int, dict[str, list[Production]]] = {}

    def parts(self, grammar: TypeGrammar) -> dict[str, list[Production]]:
        """What an object may hold, by key. Of alternatives, all that may stand in the one list of them."""
        if id(grammar) not in self._parts:
            parts: dict[str, list[Production]] = {}
            for state in states_of(grammar):
                for production in state.productions:
                    field = production.field
                    if field is not None:
                        whole = production.event is not Event.ELEMENT or is_alternatives(field)
                        parts.setdefault(field.name if whole else production.name[0], []).append(production)
            self._parts[id(grammar)] = parts
        return self._parts[id(grammar)]

    def item(self, production: Production, name: str, data: Any) -> Any:
        """What a production carries."""
        self.path.append(name)
        if len(self.path) > MAX_DEPTH:
            raise Malformed(f"elements are nested deeper than {MAX_DEPTH}")
        if production.type is not None:
            value = self.message(production.type, data)
        else:
            assert production.simple is not None
            value = simple(production.simple, data)
        self.path.pop()
        return value

    def message(self, grammar: TypeGrammar, data: Any) -> Any:
        values: dict[str, Any] = {f.name: [] if f.repeated else None for f in grammar.fields}
        parts = self.parts(grammar)
        there: set[str] = set()
        for name, value in mapping(data).items():
            if name not in parts:
                raise Malformed(f"there is no {name} here; it may hold {', '.join(parts) or 'nothing'}")
            production = parts[name][0]
            field = production.field
            assert field is not None
            if field.name in there:
                raise Malformed(f"{name} stands beside another element in the same place")
            there.add(field.name)
            if is_alternatives(field):
                values[field.name] = [self.alternative(parts[name], item) for item in sequence(value, name)]
            elif field.repeated:
                values[field.name] = [self.item(production, name, item) for item in sequence(value, name)]
            else:
                values[field.name] = self.item(production, name, value)
        return grammar.cls(**values)

    def alternative(self, productions: list[Production], data: Any) -> Any:
        """Text, or an object with one key: the name of an element."""
        if isinstance(data, str):
            return data
        name, value = single(data)
        for production in productions:
            if production.event is Event.ELEMENT and production.name[0] == name:
                return self.item(production, name, value)
        if all(production.event is not Event.ANY for production in productions):
            raise Malformed(f"there is no {name} here; it may hold {', '.join({p.name[0]: 0 for p in productions})}")
        return self.wild(name, value)

    def wild(self, name: str, data: Any) -> Any:
        """What stands in the place of a wildcard: a global element of the schema, or an `AnyElement`."""
        if name != AnyElement.__name__:
            for (local, _), kind in self.grammar.globals.items():
                if local == name:
                    return self.item(Production(Event.ELEMENT, (name, ""), type=kind), name, data)
            raise Malformed(f"{name} is no global element of {self.grammar.name}")
        self.path.append(name)
        if len(self.path) > MAX_DEPTH:
            raise Malformed(f"elements are nested deeper than {MAX_DEPTH}")
        fields = mapping(data)
        content = [
            item if isinstance(item, str) else self.wild(*single(item))
            for item in sequence(fields.get("content", []), "content")
        ]
        attributes = dict(mapping(fields.get("attributes", {})))
        self.path.pop()
        return AnyElement(tag=fields.get("tag", ""), attributes=attributes, content=content)


def is_alternatives(field: Field) -> bool:
    """Whether a field is a list of alternatives, each of which is named."""
    return field.repeated and not field.counted


def mapping(data: Any) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise Malformed(f"{data!r:.40} stands where an object with elements belongs")
    return data


def sequence(data: Any, name: str) -> list[Any]:
    if not isinstance(data, list):
        raise Malformed(f"{name} is a list, and {data!r:.40} is none")
    return data


def single(data: Any) -> tuple[str, Any]:
    entries = list(mapping(data).items())
    if len(entries) != 1:
        raise Malformed(f"{len(entries)} names stand where one element belongs")
    return entries[0]


def simple(kind: Simple, data: Any) -> Any:
    """A simple value from what `plain` makes of it."""
    if kind.kind is Kind.BINARY and isinstance(data, str):
        try:
            data = bytes.fromhex(data)
        except ValueError:
            raise Malformed(f"{data!r:.40} is not hexadecimal") from None
    elif kind.kind is Kind.ENUM:
        data = next((member for member in kind.members if plain(member) == data), data)
    check(kind, data)
    return data
