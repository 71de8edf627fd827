"""What holds for every message that can be declared: drawn from the declarations, not from the compiled grammar."""

from __future__ import annotations

import enum
import importlib
import typing
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import exi
from exi.compiler import unwrap
from exi.declare import (
    AnyElement,
    Binary,
    Choice,
    Group,
    Integer,
    Message,
    Occurs,
    SchemaSet,
    String,
    attribute,
    mixed,
    ref,
)
from exi.engine import SCHEMAS as MODULES

Read = Callable[[str, bytes], Any]
Write = Callable[[str, Message], bytes]

SCHEMAS = {name: importlib.import_module(module).SCHEMA for name, module in MODULES.items()}
CASES = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
by_schema = pytest.mark.parametrize("name", SCHEMAS)

FEW = 3
"""Items of a drawn list above its minimum; lists that are bounded below `MANY` are also drawn in full."""
MANY = 8
TEXT = st.characters(exclude_categories=["Cs"])
XML_TEXT = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
"""Characters that XML can carry."""
TAGS = ["{urn:x}a", "{urn:x}b", "{http://example.org/é}Id"]
LABELS = ["Id", "c", "{urn:x}a", "{http://www.w3.org/XML/1998/namespace}lang"]
"""Names of elements and attributes that the schema does not know, and of some that it does."""


# Messages from their declarations


class Place(NamedTuple):
    """A field as it is declared."""

    name: str
    base: Any
    optional: bool
    marks: list[Any]

    def mark(self, kind: type) -> Any:
        return next((m for m in self.marks if isinstance(m, kind)), None)


@cache
def places(cls: type[Message]) -> list[Place]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return [Place(name, *unwrap(hints[name])) for name in cls.__struct_fields__]


def values(base: Any, facet: Any, characters: SearchStrategy[str]) -> SearchStrategy[Any]:
    """Every value of a simple type."""
    if base is bool:
        return st.booleans()
    if isinstance(base, type) and issubclass(base, enum.Enum):
        return st.sampled_from(list(base))
    if base is int:
        low, high = facet.minimum, facet.maximum
        edges = [edge for edge in (low, high) if edge is not None]
        return st.integers(low, high) | st.sampled_from(edges) if edges else st.integers(low, high)
    if base is bytes:
        return st.binary(min_size=facet.min_length, max_size=facet.max_length or 40)
    low, high = (facet.min_length, facet.max_length) if facet else (0, None)
    return st.text(characters, min_size=low, max_size=min(high or 40, 100))


def substitutes(head: type[Message], schema: SchemaSet) -> list[type[Message]]:
    """The classes that may stand for a referenced element."""
    return [c for namespace in schema.namespaces for c in namespace.elements if issubclass(c, head)]


def messages(schema: SchemaSet, cls: type[Message], characters: SearchStrategy[str] = TEXT) -> SearchStrategy[Any]:
    """Every message of a class that the declarations allow, in short lists."""
    if issubclass(cls, AnyElement):
        return unknown(characters)
    strategy: SearchStrategy[Any] = st.deferred(lambda: draw_message(schema, cls, characters))
    return strategy


def unknown(characters: SearchStrategy[str]) -> SearchStrategy[AnyElement]:
    """Elements that no schema knows."""
    text = st.text(characters, min_size=1, max_size=20)
    return st.recursive(
        st.builds(AnyElement, tag=st.sampled_from(TAGS), attributes=st.dictionaries(st.sampled_from(LABELS), text)),
        lambda inner: st.builds(
            AnyElement,
            tag=st.sampled_from(TAGS),
            content=st.lists(st.tuples(inner, text), max_size=3).map(lambda pairs: [i for pair in pairs for i in pair]),
        ),
        max_leaves=6,
    )


@st.composite
def draw_message(draw: Any, schema: SchemaSet, cls: type[Message], characters: SearchStrategy[str]) -> Message:
    fields: dict[str, Any] = {}
    if cls.CONTENT is not None:
        draw_group(draw, schema, cls, cls.CONTENT, characters, fields)
    chosen: dict[str, str | None] = {}
    for place in places(cls):
        choice = place.mark(Choice)
        if choice is not None and choice.name not in chosen:
            branches: list[str | None] = [p.name for p in places(cls) if p.mark(Choice) == choice]
            chosen[choice.name] = draw(st.sampled_from(branches + [None] * choice.optional))
        if cls.CONTENT is not None and place.name not in attributes_of(cls):
            continue
        if place.mark(Occurs) is not None:
            fields[place.name] = draw_list(draw, schema, place, characters)
        elif choice is not None:
            if chosen[choice.name] == place.name:
                fields[place.name] = draw(items(schema, place, characters))
        elif not place.optional or draw(st.booleans()):
            fields[place.name] = draw(items(schema, place, characters))
    return cls(**fields)


def attributes_of(cls: type[Message]) -> set[str]:
    return {place.name for place in places(cls) if attribute in place.marks}


def items(schema: SchemaSet, place: Place, characters: SearchStrategy[str]) -> SearchStrategy[Any]:
    """One value or message of a field."""
    base = place.base
    if isinstance(base, type) and issubclass(base, Message):
        classes = substitutes(base, schema) if ref in place.marks else [base]
        return st.sampled_from(classes).flatmap(lambda cls: messages(schema, cls, characters))
    facet = next((m for m in place.marks if isinstance(m, Integer | String | Binary)), None)
    return values(base, facet, characters)


def draw_list(draw: Any, schema: SchemaSet, place: Place, characters: SearchStrategy[str]) -> list[Any]:
    """The items of a repeated element, or of a repeated choice with or without mixed content."""
    (base,) = typing.get_args(place.base)
    occurs = place.mark(Occurs)
    branches = list(typing.get_args(base) or (base,))
    if branches == [base] and not issubclass(base, AnyElement):
        sizes = st.integers(occurs.minimum, min(occurs.minimum + FEW, occurs.maximum))
        if occurs.maximum <= MANY:
            sizes |= st.just(occurs.maximum)
        item = items(schema, place._replace(base=base), characters)
        size = draw(sizes)
        return draw(st.lists(item, min_size=size, max_size=size))
    kinds = [b for b in branches if b is not str]
    count = draw(st.integers(occurs.minimum if kinds else 0, occurs.minimum + FEW)) if kinds else 0
    found = [draw(messages(schema, draw(st.sampled_from(kinds)), characters)) for _ in range(count)]
    return with_text(draw, found, characters) if mixed in place.marks else found


def with_text(draw: Any, found: list[Any], characters: SearchStrategy[str]) -> list[Any]:
    """Text before, between and after elements; never two texts in a row, nor blank ones: XML cannot tell them."""
    text = st.text(characters, min_size=1, max_size=20).filter(lambda t: bool(t.strip()))
    whole: list[Any] = []
    for item in [*found, None]:
        if draw(st.booleans()):
            whole.append(draw(text))
        if item is not None:
            whole.append(item)
    return whole


def draw_group(
    draw: Any, schema: SchemaSet, cls: type[Message], part: str | Group, characters: Any, fields: dict[str, Any]
) -> None:
    """A content model of its own: its parts are fields, or alternatives of the field `content`."""
    if isinstance(part, str):
        place = next((p for p in places(cls) if p.name == part), None)
        if place is not None:
            fields[part] = draw(items(schema, place, characters))
            return
        content = next(p for p in places(cls) if p.name == "content")
        (base,) = typing.get_args(content.base)
        branch = next(b for b in (typing.get_args(base) or (base,)) if b.__name__ == part)
        fields.setdefault("content", []).append(draw(messages(schema, branch, characters)))
        return
    if part.optional and not draw(st.booleans()):
        return
    for _ in range(draw(st.integers(1, FEW)) if part.repeat else 1):
        for child in part.parts if part.kind == "sequence" else [draw(st.sampled_from(part.parts))]:
            draw_group(draw, schema, cls, child, characters, fields)


def documents(name: str, characters: SearchStrategy[str] = TEXT) -> SearchStrategy[Any]:
    """Every document of a schema."""
    schema = SCHEMAS[name]
    drawn = st.sampled_from(schema.roots).flatmap(lambda root: messages(schema, root, characters))
    return drawn.filter(lambda message: affordable(name, message))


def affordable(name: str, message: Message) -> bool:
    """Some are all empty lists, and would take more memory than a document of their size may."""
    try:
        exi.schema(name).encode(message)
    except exi.EncodeError as error:
        return "times the memory" not in error.reason
    return True


# What holds for them


@by_schema
@CASES
@given(data=st.data())
def test_what_is_written_is_read(name: str, read: Read, write: Write, data: st.DataObject) -> None:
    message = data.draw(documents(name))
    assert read(name, write(name, message)) == exi.Examined(message, 0, lenient=False)


@by_schema
@CASES
@given(data=st.data())
def test_xml_there_and_back(name: str, data: st.DataObject) -> None:
    message = data.draw(documents(name, XML_TEXT))
    schema = exi.schema(name)
    assert schema.from_xml(schema.to_xml(message)) == message


@by_schema
@CASES
@given(data=st.data())
def test_any_bytes_are_a_message_or_an_error(name: str, read: Read, data: st.DataObject) -> None:
    """Random bytes, and a good document with a piece of it replaced."""
    start = data.draw(st.sampled_from([b"", b"\x80", b"\x80\x9a", b"\x80\x9a\x00", b"\x80\x9a\x01"]))
    read(name, start + data.draw(st.binary(max_size=200)))
    whole = exi.schema(name).encode(data.draw(documents(name)))
    at = data.draw(st.integers(0, len(whole)))
    cut = data.draw(st.integers(0, 4))
    read(name, whole[:at] + data.draw(st.binary(max_size=8)) + whole[at + cut :])


class Leaf(NamedTuple):
    """A simple value in a message."""

    path: str
    holder: Message
    place: Place


def leaves(message: Message, path: str) -> Iterator[Leaf]:
    """Every simple value that occurs once."""
    for place in places(type(message)):
        value = getattr(message, place.name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, AnyElement):
                continue
            if isinstance(item, Message):
                # an element of a substitution group or of a choice bears the name of its class
                named = ref in place.marks or place.name == "content"
                yield from leaves(item, f"{path}.{type(item).__name__ if named else place.name}")
            elif item is not None and not isinstance(value, list):
                yield Leaf(f"{path}.{place.name}", message, place)


def forbidden(place: Place) -> list[Any]:
    """Values that a place does not allow: another type, and what lies just outside its facets."""
    facet = next((m for m in place.marks if isinstance(m, Integer | String | Binary)), None)
    bad: list[Any] = [3.5, [], object()]
    if place.base is not bool:
        bad.append(True)
    if place.base is not bytes:
        bad.append(b"x")
    if place.base is not int:
        bad.append(7)
    if place.base is not str:
        bad.append("nonsense")
    if isinstance(facet, Integer):
        bad += [facet.maximum + 1] if facet.maximum is not None else []
        bad += [facet.minimum - 1] if facet.minimum is not None else []
    if isinstance(facet, String):
        bad += ["x" * (facet.max_length + 1)] if facet.max_length is not None else []
        bad += ["x" * (facet.min_length - 1)] if facet.min_length else []
    if isinstance(facet, Binary) and facet.max_length is not None:
        bad.append(b"x" * (facet.max_length + 1))
    if place.base is str:
        bad.append("\ud800")
    return bad


@by_schema
@CASES
@given(data=st.data())
def test_a_forbidden_value_is_named(name: str, write: Write, data: st.DataObject) -> None:
    """The error says where it stands, on both engines."""
    message = data.draw(documents(name))
    found = list(leaves(message, type(message).__name__))
    assume(found)
    leaf = data.draw(st.sampled_from(found))
    setattr(leaf.holder, leaf.place.name, data.draw(st.sampled_from(forbidden(leaf.place))))
    with pytest.raises(exi.EncodeError) as caught:
        write(name, message)
    assert caught.value.path == leaf.path
    assert caught.value.reason
    with pytest.raises(exi.EncodeError):
        exi.schema(name).to_xml(message)


@by_schema
@CASES
@given(data=st.data())
def test_a_missing_value_is_named(name: str, write: Write, data: st.DataObject) -> None:
    message = data.draw(documents(name))
    required = [
        leaf
        for leaf in leaves(message, type(message).__name__)
        if not leaf.place.optional and not leaf.place.mark(Choice)
    ]
    assume(required)
    leaf = data.draw(st.sampled_from(required))
    setattr(leaf.holder, leaf.place.name, None)
    with pytest.raises(exi.EncodeError) as caught:
        write(name, message)
    assert leaf.path.startswith(caught.value.path)
