"""From message classes to the compiled grammar.

Content models are turned into states by the classic follow sets of their particles; a repeated element has up to three
states (more are required, more are allowed, no more are allowed), told apart by a counter and not by copies, so a list
of a thousand items costs no more than one of two.
"""

from __future__ import annotations

import functools
import inspect
import operator
import sys
import types
import typing
from enum import Enum
from typing import Any, Final

import msgspec

from exi.declare import (
    HOME,
    AnyElement,
    Binary,
    Choice,
    Group,
    Integer,
    Message,
    Namespace,
    Occurs,
    OtherElement,
    SchemaSet,
    String,
    attribute,
    mixed,
    ref,
    simple_content,
)
from exi.grammar import (
    Event,
    Field,
    Grammar,
    Kind,
    Production,
    QName,
    Simple,
    State,
    TypeGrammar,
    qname,
    states_of,
)

NARROW: Final = 4096
"""Integer ranges of at most this many values are n-bit unsigned numbers (EXI 1.0, 7.1.9)."""


class Particle(msgspec.Struct):
    """A leaf of a content model: one field, or one alternative of a repeated choice."""

    field: Field
    productions: list[Production]
    order: int
    optional: bool


EMPTY: Final = Group("sequence", ())


class Compiler:
    """Compiles the classes of one schema. Use `compile_schema`."""

    def __init__(self, schema: SchemaSet) -> None:
        self.namespaces = schema.namespaces
        self.types: dict[type[Message], TypeGrammar] = {}
        self.simples: dict[Any, Simple] = {}

    def grammar_of(self, cls: type[Message]) -> TypeGrammar:
        if cls not in self.types:
            grammar = self.types[cls] = TypeGrammar(cls, HOME[cls])
            self.fill(grammar)
        return self.types[cls]

    def fill(self, grammar: TypeGrammar) -> None:
        """Compile the fields of a class: particles first, then states."""
        cls = grammar.cls
        hints = {name: hint for base in reversed(cls.__mro__) for name, hint in written_in(base).items()}
        attributes: list[tuple[Production, bool]] = []
        particles: dict[str, Particle] = {}
        parts: list[str | Group] = []
        text: Production | None = None
        character: Production | None = None
        last_choice: Choice | None = None
        for index, name in enumerate(cls.__struct_fields__):
            base, optional, marks = unwrap(hints[name])
            occurrence = next((m for m in marks if isinstance(m, Occurs)), None)
            place = Field(name, index)
            if occurrence:
                (base,) = typing.get_args(base)
                place.repeated, place.minimum, place.maximum = True, occurrence.minimum, occurrence.maximum
                optional = occurrence.minimum == 0
            grammar.fields.append(place)
            if attribute in marks:
                home = declaring_namespace(cls, name)
                label = (name, home.uri if home.qualified_attributes else "")
                attributes.append((Production(Event.ATTRIBUTE, label, place, self.simple(base, marks)), optional))
                continue
            if simple_content in marks:
                text = Production(Event.TEXT, ("", ""), place, self.simple(base, marks))
                continue
            if mixed in marks:
                character = Production(Event.MIXED, ("", ""), place, Simple(Kind.STRING))
            home = declaring_namespace(cls, name)
            branches = alternatives(base)
            if place.repeated and (len(branches) > 1 or mixed in marks or issubclass(branches[0], AnyElement)):
                names = []
                for branch in branches:
                    leaf = Particle(place, self.alternative(branch, place, home), len(particles), False)
                    particles[branch.__name__] = leaf
                    names.append(branch.__name__)
                parts.append(Group("choice", tuple(names), optional, repeat=True))
                continue
            place.counted = place.repeated
            productions = self.element(name, home, base, marks, place)
            chosen = next((m for m in marks if isinstance(m, Choice)), None)
            alone = optional and not chosen and cls.CONTENT is None  # else the choice or model says what may be absent
            particles[name] = Particle(place, productions, len(particles), alone)
            if chosen and chosen == last_choice:
                group = parts.pop()
                assert isinstance(group, Group)
                parts.append(Group("choice", (*group.parts, name), chosen.optional))
            else:
                parts.append(Group("choice", (name,), chosen.optional) if chosen else name)
            last_choice = chosen
        model = cls.CONTENT or Group("sequence", tuple(parts))
        end = State([Production(Event.END, ("", ""))])
        if text:
            text.next = end
            content = State([text])
        else:
            content = Automaton(model, particles, character).start
        grammar.start = with_attributes(attributes, content)

    def element(self, name: str, home: Namespace, base: Any, marks: list[Any], place: Field) -> list[Production]:
        """The productions of an element field: one, or one for each member of a substitution group."""
        if not is_message(base):
            return [Production(Event.ELEMENT, local_name(name, home), place, self.simple(base, marks))]
        if ref not in marks:
            return [Production(Event.ELEMENT, local_name(name, home), place, type=self.grammar_of(base))]
        members = sorted((c for ns in self.namespaces for c in ns.elements if issubclass(c, base)), key=qname)
        return [Production(Event.ELEMENT, qname(c), place, type=self.grammar_of(c)) for c in members]

    def alternative(self, branch: type[Message], place: Field, home: Namespace) -> list[Production]:
        if issubclass(branch, AnyElement):
            return [Production(Event.ANY, ("*", home.uri if branch is OtherElement else ""), place)]
        return [Production(Event.ELEMENT, qname(branch), place, type=self.grammar_of(branch))]

    def simple(self, base: Any, marks: list[Any]) -> Simple:
        facet = next((m for m in marks if isinstance(m, Integer | String | Binary)), None)
        key = (base, facet)
        if key not in self.simples:
            self.simples[key] = simple_type(base, facet)
        return self.simples[key]


def simple_type(base: Any, facet: Integer | String | Binary | None) -> Simple:
    if base is bool:
        return Simple(Kind.BOOLEAN)
    if isinstance(base, type) and issubclass(base, Enum):
        members = tuple(base)
        return Simple(Kind.ENUM, bits=(len(members) - 1).bit_length(), members=members)
    if isinstance(facet, Integer):
        low, high = facet.minimum, facet.maximum
        if low is not None and high is not None and high - low < NARROW:
            return Simple(Kind.BITS, low, high, bits=(high - low).bit_length())
        return Simple(Kind.UNSIGNED if low is not None and low >= 0 else Kind.INTEGER, low, high)
    if isinstance(facet, Binary):
        return Simple(Kind.BINARY, facet.min_length, facet.max_length, hexadecimal=facet.hexadecimal)
    if isinstance(facet, String):
        return Simple(Kind.STRING, facet.min_length, facet.max_length)
    if base is str:
        return Simple(Kind.STRING, 0)
    raise TypeError(f"no simple type: {base!r} with {facet!r}")


def unwrap(hint: Any) -> tuple[Any, bool, list[Any]]:
    """Split an annotation into what it holds, whether None may stand for it, and its marks."""
    marks: list[Any] = []
    optional = False
    while True:
        if typing.get_origin(hint) is typing.Annotated:
            hint, *more = typing.get_args(hint)
            marks += more
        elif is_union(hint) and types.NoneType in typing.get_args(hint):
            optional = True
            rest = [a for a in typing.get_args(hint) if a is not types.NoneType]
            hint = functools.reduce(operator.or_, rest)
        elif typing.get_origin(hint) is list and typing.get_origin(typing.get_args(hint)[0]) is typing.Annotated:
            item, *more = typing.get_args(typing.get_args(hint)[0])
            marks += more
            hint = types.GenericAlias(list, (item,))
        else:
            return hint, optional, marks


def alternatives(base: Any) -> list[type[Message]]:
    """The element classes in a union; characters of mixed content are no element."""
    if is_union(base):
        return [a for a in typing.get_args(base) if a is not str]
    return [base]


def is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def is_message(base: Any) -> bool:
    return isinstance(base, type) and issubclass(base, Message)


def local_name(name: str, home: Namespace) -> QName:
    return name, home.uri if home.qualified else ""


@functools.cache
def written_in(cls: type) -> dict[str, Any]:
    """The annotations that are written in a class. `typing.get_type_hints` would read those of its bases each time."""
    written = inspect.get_annotations(cls)
    return {name: meaning(cls.__module__, text) if isinstance(text, str) else text for name, text in written.items()}


@functools.cache
def meaning(module: str, text: str) -> Any:
    """What an annotation says. A schema writes the same few again and again."""
    return eval(text, vars(sys.modules[module]))


def declaring_namespace(cls: type[Message], name: str) -> Namespace:
    """The namespace of the class in which a field is written: that of its element."""
    for base in cls.__mro__:
        if name in written_in(base):
            return HOME[base]
    raise TypeError(f"{cls.__name__} has no field {name}")


class Automaton:
    """The states of a content model."""

    def __init__(self, model: Group, particles: dict[str, Particle], character: Production | None) -> None:
        self.particles = particles
        self.character = character
        self.follow: dict[str, set[str]] = {name: set() for name in particles}
        first, last, nullable = self.scan(model)
        self.last = last
        self.states: dict[tuple[str, bool, bool], State] = {}
        self.start = self.state(first, nullable)

    def scan(self, part: str | Group) -> tuple[set[str], set[str], bool]:
        """First and last particles of a part, and whether it may be absent; notes who may follow whom."""
        if isinstance(part, str):
            return {part}, {part}, self.particles[part].optional
        first: set[str] = set()
        last: set[str] = set()
        nullable = part.kind == "sequence"
        for child in part.parts:
            child_first, child_last, child_nullable = self.scan(child)
            if part.kind == "choice":
                first |= child_first
                last |= child_last
                nullable |= child_nullable
                continue
            for name in last:
                self.follow[name] |= child_first
            if nullable:
                first |= child_first
            last = last | child_last if child_nullable else child_last
            nullable &= child_nullable
        if part.repeat:
            for name in last:
                self.follow[name] |= first
        return first, last, nullable or part.optional

    def state(self, names: set[str], may_end: bool) -> State:
        """A state from the particles that may come next."""
        state = State()
        self.fill(state, names, may_end)
        return state

    def fill(self, state: State, names: set[str], may_end: bool) -> None:
        # EXI 1.0, 8.5.4.3: elements in schema order, then wildcards, then the end, then characters
        ordered = sorted(names, key=lambda n: (self.is_wildcard(n), self.particles[n].order))
        for name in ordered:
            particle = self.particles[name]
            after = self.after(name)
            for production in particle.productions:
                state.productions.append(
                    Production(
                        production.event,
                        production.name,
                        production.field,
                        production.simple,
                        production.type,
                        next=after,
                        again=self.after(name, required=True),
                        full=self.after(name, full=True),
                    )
                )
        if may_end:
            state.productions.append(Production(Event.END, ("", "")))
        if self.character:
            character = self.character
            state.productions.append(
                Production(Event.MIXED, character.name, character.field, character.simple, next=state)
            )
        state.bits = len(state.productions).bit_length()

    def is_wildcard(self, name: str) -> bool:
        return self.particles[name].productions[0].event is Event.ANY

    def after(self, name: str, *, required: bool = False, full: bool = False) -> State:
        """The state after an item of a particle; `required`: more items must, `full`: no more items may come."""
        counted = self.particles[name].field.counted
        key = (name, required and counted, full and counted)
        if key not in self.states:
            state = self.states[key] = State()
            if key[1]:
                self.fill(state, {name}, False)
            else:
                follow = self.follow[name] | ({name} if counted and not key[2] else set())
                self.fill(state, follow, name in self.last)
        return self.states[key]


def with_attributes(attributes: list[tuple[Production, bool]], content: State) -> State:
    """Put the states of the attributes before those of the content. Attributes come sorted by name (8.5.4.1.3)."""
    state = content
    following: list[Production] = []
    reachable = True
    for production, optional in sorted(attributes, key=lambda pair: pair[0].name, reverse=True):
        production.next = state
        following = [production, *(following if optional else [])]
        reachable = reachable and optional
        state = State([*following, *(content.productions if reachable else [])])
    return state


def compile_schema(schema: SchemaSet) -> Grammar:
    compiler = Compiler(schema)
    classes = [c for namespace in schema.namespaces for c in namespace.classes]
    for cls in classes:
        compiler.grammar_of(cls)
    elements = sorted((c for namespace in schema.namespaces for c in namespace.elements), key=qname)
    document = State(
        [
            Production(Event.ELEMENT if c in schema.roots else Event.REFUSED, qname(c), type=compiler.types[c])
            for c in elements
        ]
    )
    types = list(compiler.types.values())
    return Grammar(
        schema.name,
        document,
        fragment_state(types, document.productions),
        types,
        {qname(c): compiler.types[c] for c in elements},
        schema.namespaces,
    )


def fragment_state(types: list[TypeGrammar], documents: list[Production]) -> State:
    """The names of all elements, global and local. A name that is declared with several types has a type of its own,
    which is added to `types`."""
    declared: dict[QName, list[Production]] = {p.name: [p] for p in documents}
    attributes: set[QName] = set()
    for grammar in types:
        for state in states_of(grammar):
            for production in state.productions:
                if production.event is Event.ATTRIBUTE:
                    attributes.add(production.name)
                elif production.event is Event.ELEMENT:
                    known = declared.setdefault(production.name, [])
                    if not any(p.type is production.type and p.simple == production.simple for p in known):
                        known.append(production)
    names = sorted(declared)
    productions = []
    for name in names:
        (first, *others) = declared[name]
        if others:
            relaxed = relaxed_type(declared[name], sorted(attributes), names)
            types.append(relaxed)
            productions.append(Production(Event.ELEMENT, name, type=relaxed))
        else:
            productions.append(Production(Event.ELEMENT, name, simple=first.simple, type=first.type))
    return State(productions)


def relaxed_type(declared: list[Production], attributes: list[QName], elements: list[QName]) -> TypeGrammar:
    """The relaxed grammar of an element that is declared with several types (EXI 1.0, 8.5.3).

    It has codes for every attribute and element of the schema. What may come of them is what one of the declared types
    has, the one with attributes: a signed element has an Id. V2G schemas have one such name, eMAID of ISO 15118-2: text
    with and without an Id.
    """
    (base,) = (p.type for p in declared if p.type is not None)
    fields = [msgspec.structs.replace(f) for f in base.fields]
    own = {p.name: p for state in states_of(base) for p in state.productions if p.event is Event.ATTRIBUTE}
    (text,) = (p for state in states_of(base) for p in state.productions if p.event is Event.TEXT)
    assert text.simple is not None
    assert text.simple.kind is Kind.STRING
    children = [Production(Event.REFUSED, name) for name in (*elements, ("*", ""))]
    after_text = State([*children, Production(Event.END, ("", "")), Production(Event.REFUSED, ("", ""))])

    def before_text(read: frozenset[QName]) -> State:
        state = State()
        for name in (*attributes, ("*", "")):
            if name in own and name not in read:
                place = own[name].field
                assert place is not None
                after = before_text(read | {name})
                state.productions.append(
                    Production(Event.ATTRIBUTE, name, fields[place.index], own[name].simple, next=after)
                )
            else:
                state.productions.append(Production(Event.REFUSED, name))
        state.productions += [*children, Production(Event.REFUSED, ("", ""))]
        if read == set(own):
            assert text.field is not None
            state.productions.append(
                Production(Event.TEXT, ("", ""), fields[text.field.index], text.simple, next=after_text)
            )
        else:
            state.productions.append(Production(Event.REFUSED, ("", "")))
        state.bits = len(state.productions).bit_length()
        return state

    return TypeGrammar(base.cls, base.namespace, fields, before_text(frozenset()))
