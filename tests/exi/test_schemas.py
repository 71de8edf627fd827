"""Every declaration against the XML schema (XSD) that it stands for.

Both are read into the same small model, `xsd.Model`, and the two models are compared property by property: every global
element and type, used or not, every content model, simple type, attribute, extension and substitution group. What one
side has and the other has not is a difference, too. The XSDs belong to others and are reference data.

Not compared is what changes neither a byte nor a value: `abstract`, `processContents`, where in a choice its wildcard
stands, which kind of string a string is (string, anyURI, ID, IDREF), and named simple types that no element uses.
"""

from __future__ import annotations

import enum
import importlib
import itertools
import random
import sys
import typing
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import pytest
from tests.exi.xsd import (
    Attribute,
    Complex,
    Document,
    Group,
    Leaf,
    Model,
    Simple,
    XsdReader,
    clark,
    content,
    damages,
    group,
    leaves,
    load,
    local,
    namespace,
)

from exi import declare
from exi.compiler import alternatives, declaring_namespace, is_message, unwrap
from exi.declare import UNBOUNDED, AnyElement, Binary, Integer, Message, Namespace, OtherElement, SchemaSet, String
from exi.engine import SCHEMAS

ENTRIES: Final = {
    "sap": "V2G_CI_AppProtocol.xsd",
    "din70121": "din_spec/V2G_CI_MsgDef.xsd",
    "xmldsig": "xmldsig-core-schema.xsd",
    "iso15118_2": "iso15118_2/V2G_CI_MsgDef.xsd",
    "iso15118_20_common": "iso15118_20/V2G_CI_CommonMessages.xsd",
    "iso15118_20_ac": "iso15118_20/V2G_CI_AC.xsd",
    "iso15118_20_dc": "iso15118_20/V2G_CI_DC.xsd",
    "iso15118_20_wpt": "iso15118_20/V2G_CI_WPT.xsd",
    "iso15118_20_acdp": "iso15118_20/V2G_CI_ACDP.xsd",
}
"""The XSD of every schema set, in the folder `schemas` of the reference data."""

SAMPLE: Final = 40
"""Damages of a schema that are tried; `--thorough` tries all."""


# The model of declarations


class DeclarationReader:
    """Makes the model of a schema set as `exi.grammar` reads it, and lists what is at odds within the declarations."""

    def __init__(self, schema: SchemaSet) -> None:
        self.model = Model(roots={self.name(cls) for cls in schema.roots})
        self.problems: list[str] = []
        self.elements = [cls for space in schema.namespaces for cls in space.elements]
        self.classes = [cls for space in schema.namespaces for cls in space.classes]
        self.used: set[Any] = set(self.elements)
        for space in schema.namespaces:
            self.model.namespaces[space.uri] = {
                "elementFormDefault": "qualified" if space.qualified else "unqualified",
                "attributeFormDefault": "qualified" if space.qualified_attributes else "unqualified",
            }
            if space.type_names:  # they are declared where wildcards need them
                self.model.namespaces[space.uri]["type names"] = set(space.type_names)
        for name in (names := [self.name(cls) for cls in self.classes]):
            if names.count(name) > 1:
                self.problems.append(f"{local(name)}: several classes of this name are declared in {namespace(name)}")
        for cls in self.elements:
            self.model.elements[self.name(cls)] = self.type_of(cls, [])
            self.model.members[self.name(cls)] = {self.name(c) for c in self.elements if issubclass(c, cls)}
        for cls in self.classes:
            if not self.is_simple(cls):
                self.model.types[self.name(cls)] = self.complex(cls)
        for cls in self.classes:
            if self.is_simple(cls) and cls not in self.used:
                self.problems.append(f"{cls.__name__}: is declared, but nothing has it")
        for module in {cls.__module__ for cls in self.classes}:
            for found in vars(sys.modules[module]).values():
                if isinstance(found, type) and issubclass(found, enum.Enum) and found.__module__ == module:
                    self.model.enumerations[values_of(found)] = found.__name__

    def name(self, cls: type[Message]) -> str:
        return clark(declare.HOME[cls].uri, cls.__name__)

    def is_simple(self, cls: type[Message]) -> bool:
        """Whether a class is an element of simple type: all it has is its text."""
        hints = typing.get_type_hints(cls, include_extras=True)
        return [declare.simple_content in unwrap(hints[name])[2] for name in cls.__struct_fields__] == [True]

    def type_of(self, base: Any, marks: list[Any]) -> Simple | str:
        if not is_message(base):
            return self.simple(base, marks)
        self.used.add(base)
        if base not in self.classes:
            self.problems.append(f"{base.__name__}: is used, but in none of the schema's namespaces")
        if self.is_simple(base):
            (hint,) = (typing.get_type_hints(base, include_extras=True)[name] for name in base.__struct_fields__)
            inner, _, marks = unwrap(hint)
            return self.simple(inner, marks)
        return self.name(base)

    def simple(self, base: Any, marks: list[Any]) -> Simple:
        facets = [mark for mark in marks if isinstance(mark, Integer | String | Binary)]
        match base, facets:
            case type(), [] if base is bool:
                return Simple("boolean")
            case type(), [] if issubclass(base, enum.Enum):
                self.used.add(base)
                return Simple("enumeration", values=values_of(base), name=base.__name__)
            case type(), [] if base is str:
                return Simple("string", 0)
            case type(), [Integer(low, high)] if base is int:
                return Simple("integer", low, high)
            case type(), [String(low, high)] if base is str:
                return Simple("string", low, high)
            case type(), [Binary(low, high, hexadecimal)] if base is bytes:
                return Simple("hexBinary" if hexadecimal else "base64Binary", low, high)
        raise TypeError(f"no simple type: {base!r} with {facets}")

    def complex(self, cls: type[Message]) -> Complex:
        """What a class adds to its base."""
        whole = self.whole(cls)
        bases = [base for base in cls.__bases__ if base is not Message]
        if not bases:
            return whole
        (base, *others) = bases
        if others or base not in self.classes:
            self.problems.append(f"{cls.__name__}: its bases must be one class of the schema's namespaces")
            return whole
        inherited = self.whole(base)
        cut = len(inherited.content)
        if whole.content[:cut] != inherited.content or not set(inherited.attributes) <= set(whole.attributes):
            self.problems.append(f"{cls.__name__}: does not begin with what its base {base.__name__} has")
            return whole
        return whole._replace(
            base=self.name(base),
            attributes=tuple(a for a in whole.attributes if a not in inherited.attributes),
            content=whole.content[cut:],
        )

    @cache  # noqa: B019  the reader lives no longer than what it reads
    def whole(self, cls: type[Message]) -> Complex:
        """A class with all that it inherits."""
        hints = typing.get_type_hints(cls, include_extras=True)
        mixed, text, attributes = False, None, []
        parts: list[tuple[declare.Choice | None, Leaf | Group]] = []
        particles: dict[str, Leaf] = {}
        of_field: dict[str, tuple[bool, set[str]]] = {}
        for name in cls.__struct_fields__:
            base, optional, marks = unwrap(hints[name])
            occurrence = next((mark for mark in marks if isinstance(mark, declare.Occurs)), None)
            chosen = next((mark for mark in marks if isinstance(mark, declare.Choice)), None)
            home = declaring_namespace(cls, name)
            if occurrence:
                (base,) = typing.get_args(base)
                if optional:
                    self.problems.append(f"{cls.__name__}.{name}: a list is empty, not None")
                optional = occurrence.minimum == 0
            if declare.attribute in marks:
                label = clark(home.uri if home.qualified_attributes else "", name)
                attributes.append(Attribute(label, self.simple(base, marks), not optional))
                of_field[name] = optional, set()
                continue
            if declare.simple_content in marks:
                text = self.simple(base, marks)
                of_field[name] = optional, set()
                if optional:
                    self.problems.append(f"{cls.__name__}.{name}: text may be empty, not None")
                continue
            branches = alternatives(base)
            if (declare.mixed in marks) != (str in typing.get_args(base)):
                self.problems.append(f"{cls.__name__}.{name}: str and mixed go together")
            mixed = mixed or declare.mixed in marks
            if occurrence and (len(branches) > 1 or declare.mixed in marks or issubclass(branches[0], AnyElement)):
                found = {branch.__name__: self.alternative(branch) for branch in branches}
                particles |= found
                of_field[name] = optional, {leaf.name for leaf in found.values()}
                parts.append((None, group("choice", found.values(), occurrence.minimum, occurrence.maximum)))
                continue
            alone = not chosen and cls.CONTENT is None
            leaf = self.element(cls, name, home, base, marks)
            if occurrence:
                leaf = leaf._replace(minimum=occurrence.minimum, maximum=occurrence.maximum)
            elif optional and alone:
                leaf = leaf._replace(minimum=0)
            particles[name] = leaf
            of_field[name] = optional, {leaf.name}
            parts.append((chosen, leaf))
        if cls.CONTENT is None:
            found_content = content(*in_choices(parts))
        else:
            found_content = content(self.converted(cls.CONTENT, particles))
            for name in set(particles) - set(mentioned(cls.CONTENT)):
                self.problems.append(f"{cls.__name__}: CONTENT says nothing of {name}")
        for name, (optional, names) in of_field.items():
            self.check_absence(cls, name, may_lack(found_content, names) if names else optional, optional)
        return Complex(None, mixed, text, tuple(attributes), found_content)

    def check_absence(self, cls: type[Message], name: str, absent: bool, optional: bool) -> None:
        """Whether a field's annotation and default fit what the content model says."""
        (required,) = (f.required for f in msgspec.structs.fields(cls) if f.name == name)
        if absent != optional:
            may = "may" if absent else "may not"
            self.problems.append(f"{cls.__name__}.{name}: {may} be absent, but its annotation says otherwise")
        if absent == required:
            self.problems.append(f"{cls.__name__}.{name}: {'must' if absent else 'may not'} have a default")

    def element(self, cls: type[Message], name: str, home: Namespace, base: Any, marks: list[Any]) -> Leaf:
        if declare.ref not in marks:
            return Leaf(clark(home.uri if home.qualified else "", name), self.type_of(base, marks))
        if base not in self.elements or base.__name__ != name:
            self.problems.append(f"{cls.__name__}.{name}: refers to no element of this name")
        return Leaf(self.name(base), self.type_of(base, marks), True)

    def alternative(self, branch: type[Message]) -> Leaf:
        if issubclass(branch, AnyElement):
            return Leaf("any", "##other" if branch is OtherElement else "##any")
        return Leaf(self.name(branch), self.type_of(branch, []), branch in self.elements)

    def converted(self, model: declare.Group, particles: dict[str, Leaf]) -> Leaf | Group:
        parts = [particles[p] if isinstance(p, str) else self.converted(p, particles) for p in model.parts]
        return group(model.kind, parts, 0 if model.optional else 1, UNBOUNDED if model.repeat else 1)


def values_of(found: type[enum.Enum]) -> tuple[str, ...]:
    return tuple(member.value for member in found)


def in_choices(parts: list[tuple[declare.Choice | None, Leaf | Group]]) -> Iterator[Leaf | Group]:
    """The parts of a content model, neighbours of one choice put into a group."""
    for chosen, run in itertools.groupby(parts, key=lambda part: part[0]):
        found = [part for _, part in run]
        if chosen:
            yield group("choice", found, 0 if chosen.optional else 1)
        else:
            yield from found


def mentioned(model: declare.Group) -> Iterator[str]:
    for part in model.parts:
        if isinstance(part, str):
            yield part
        else:
            yield from mentioned(part)


def may_lack(parts: Iterable[Leaf | Group], names: set[str], kind: str = "sequence") -> bool:
    """Whether content can be without any of the named elements."""
    lacking = (
        part.minimum == 0
        or (part.name not in names if isinstance(part, Leaf) else may_lack(part.parts, names, part.kind))
        for part in parts
    )
    return all(lacking) if kind == "sequence" else any(lacking)


# The comparison

Facts = dict[str, dict[str, Any]]
"""What is to be compared, by place."""


def differences(name: str, xsd: Model, ours: Model) -> list[str]:
    """Every difference of two models in words."""
    same = correspondence(xsd, ours)
    found = compared(name, facts_of_set(xsd, {t: t for t in xsd.types}), facts_of_set(ours, same))
    for root in sorted(ours.roots - xsd.roots):
        found.append(f"{name} {local(root)}: is a root, but no global element of the XSD")
    for type_name, theirs in xsd.types.items():
        classes = [cls for cls, stands_for in same.items() if stands_for == type_name]
        if not classes:
            found.append(f"{name} {type_name}: is a type of the XSD, not declared")
        elements = {element for element, element_type in xsd.elements.items() if element_type == type_name}
        others = set(classes) - elements  # elements that share a type have a class each, and may have a base of it
        if len(classes) > 1 and len(others) > (len(elements) > 1):
            found.append(f"{name} {type_name}: is declared more than once: {', '.join(map(local, classes))}")
        for cls in classes:
            label = f"{name} {local(cls)}"
            if local(cls) != local(type_name).removesuffix("Type"):
                label += f" ({local(type_name)})"
            found += compared(
                label, facts_of_type(theirs, {t: t for t in xsd.types}), facts_of_type(ours.types[cls], same)
            )
    for cls in ours.types:
        if cls not in same:
            found.append(f"{name} {cls}: is declared, not in the XSD")
    for values, label in ours.enumerations.items():
        if values not in xsd.enumerations:
            found.append(f"{name} {label}: is an enumeration that the XSD has not")
    return list(dict.fromkeys(found))


def correspondence(xsd: Model, ours: Model) -> dict[str, str]:
    """Which type of the XSD a class stands for: found by global elements, then by names, then by fields."""
    same: dict[str, str] = {}
    todo: list[str] = []

    def pair(cls: Any, theirs: Any) -> None:
        if cls not in same and cls in ours.types and theirs in xsd.types:
            same[cls] = theirs
            todo.append(cls)

    for element, found in ours.elements.items():
        pair(found, xsd.elements.get(element))
    for theirs in xsd.types:
        pair(theirs.removesuffix("Type"), theirs)
        pair(theirs, theirs)
    for cls in todo:
        here, there = ours.types[cls], xsd.types[same[cls]]
        pair(here.base, there.base)
        by_name = {label: leaf.type for label, leaf in labelled(there)}
        for label, leaf in labelled(here):
            pair(leaf.type, by_name.get(label))
    return same


def labelled(found: Complex) -> Iterator[tuple[str, Leaf]]:
    """The elements of a type by local name; an element that occurs in several places is numbered."""
    seen: list[str] = []
    for leaf in leaves(found.content):
        label = local(leaf.name)
        seen.append(label)
        yield label if seen.count(label) == 1 else f"{label} ({seen.count(label)})", leaf


def facts_of_set(model: Model, same: dict[str, str]) -> Facts:
    facts: Facts = {f" {uri}": found for uri, found in model.namespaces.items()}
    for name, found in model.elements.items():
        facts[f" element {name}"] = facts_of_content(found, same) | {"substitution group": model.members[name]}
    return facts


def facts_of_type(found: Complex, same: dict[str, str]) -> Facts:
    facts: Facts = {"": {"base": found.base and same.get(found.base, f"class {local(found.base)}")}}
    facts[""] |= {"mixed": found.mixed, "content": ", ".join(map(spelled, found.content))}
    if found.text:
        facts[".value"] = facts_of_content(found.text, same)
    for attribute in found.attributes:
        facts[f"@{local(attribute.name)}"] = {
            "namespace": namespace(attribute.name),
            "use": "required" if attribute.required else "optional",
            **facts_of_content(attribute.type, same),
        }
    for label, leaf in labelled(found):
        facts[f".{label}"] = {
            "namespace": namespace(leaf.name),
            "written as": "ref" if leaf.ref else "name",
            "minOccurs": leaf.minimum,
            "maxOccurs": "unbounded" if leaf.maximum == UNBOUNDED else leaf.maximum,
            **facts_of_content(leaf.type, same),
        }
    return facts


def facts_of_content(found: Simple | str, same: dict[str, str]) -> dict[str, Any]:
    if isinstance(found, str):
        return {"type": found if found.startswith("#") else same.get(found, f"class {local(found)}")}
    bound = "Inclusive" if found.kind == "integer" else "Length"
    return {
        "type": found.kind,
        f"min{bound}": found.minimum,
        f"max{bound}": found.maximum,
        "values": (found.name, found.values),
    }


def spelled(part: Leaf | Group) -> str:
    """A content model as a DTD would spell it, but for the number of an element."""
    if isinstance(part, Leaf):
        return local(part.name)
    marks = {(1, 1): "", (0, 1): "?", (0, UNBOUNDED): "*", (1, UNBOUNDED): "+"}
    occurs = marks.get((part.minimum, part.maximum), f"{{{part.minimum},{part.maximum}}}")
    return f"({(' | ' if part.kind == 'choice' else ', ').join(map(spelled, part.parts))}){occurs}"


def compared(label: str, xsd: Facts, ours: Facts) -> list[str]:
    found = []
    for place in {**xsd, **ours}:
        if place not in ours:
            found.append(f"{label}{place}: is in the XSD, not in the declaration")
        elif place not in xsd:
            found.append(f"{label}{place}: is in the declaration, not in the XSD")
        else:
            for what in {**xsd[place], **ours[place]}:
                theirs, own = xsd[place].get(what), ours[place].get(what)
                if what == "values":
                    found += compared_values(label, theirs, own)
                elif theirs == own or (what == "type names" and own is None):
                    pass
                elif isinstance(theirs, set) and isinstance(own, set):
                    only = f"{sorted(theirs - own)} only in the XSD, {sorted(own - theirs)} only in the declaration"
                    found.append(f"{label}{place}: {what}: {only}")
                else:
                    found.append(f"{label}{place}: {what} is {theirs} in the XSD, {own} in the declaration")
    return found


def compared_values(label: str, xsd: Any, ours: Any) -> list[str]:
    """Differing enumerations, at the first value that differs: once, not for every field that has one."""
    (_, theirs), (name, own) = xsd or ("", ()), ours or ("", ())
    if theirs and own:
        for number, (a, b) in enumerate(itertools.zip_longest(theirs, own), start=1):
            if a != b:
                return [f"{label.split()[0]} {name}: value {number} is {a} in the XSD, {b} in the declaration"]
    return []


def check(name: str, documents: list[Document], ours: DeclarationReader) -> list[str]:
    return [f"{name} {p}" for p in dict.fromkeys(ours.problems)] + differences(
        name, XsdReader(documents).model, ours.model
    )


# The tests


@cache
def declaration(name: str) -> DeclarationReader:
    return DeclarationReader(importlib.import_module(SCHEMAS[name]).SCHEMA)


@pytest.fixture
def schemas(reference: Path) -> Path:
    return reference / "schemas"


def test_every_schema_has_an_xsd() -> None:
    assert set(ENTRIES) == set(SCHEMAS)


@pytest.mark.parametrize("name", ENTRIES)
def test_declarations_are_the_schema(name: str, schemas: Path) -> None:
    if found := check(name, load(schemas / ENTRIES[name]), declaration(name)):
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize("name", ENTRIES)
def test_damage_is_found_and_named(name: str, schemas: Path, thorough: bool) -> None:
    documents = load(schemas / ENTRIES[name])
    ours = declaration(name)
    usual = set(check(name, documents, ours))
    every = list(damages(documents))
    for damage in every if thorough else random.Random(name).sample(every, SAMPLE):
        found = [text for text in damage.done(lambda: check(name, documents, ours)) if text not in usual]
        assert any(damage.word in text for text in found), f"{damage.what}: {found}"
    assert set(check(name, documents, ours)) == usual


@pytest.mark.parametrize(
    ("path", "damage", "difference"),
    [
        (
            "*[@name='CertificateChainType']//*[@name='Certificate']",
            {"minOccurs": "0"},
            "CertificateChain.Certificate: minOccurs is 0 in the XSD, 1 in the declaration",
        ),
        (
            "*[@name='certificateType']//*[@value='1200']",
            {"value": "800"},
            "CertificateChain.Certificate: maxLength is 800 in the XSD, 1200 in the declaration",
        ),
        (
            "*[@name='costKindType']//*[@value='CarbonDioxideEmission']",
            {"value": "Smoke"},
            "CostKind: value 3 is Smoke in the XSD, CarbonDioxideEmission in the declaration",
        ),
        (
            "*[@name='ParameterType']/*[@name='Name']",
            {"use": "optional"},
            "Parameter@Name: use is optional in the XSD, required in the declaration",
        ),
        (
            "*[@name='IntervalType']",
            {"mixed": "true"},
            "TimeInterval (IntervalType): mixed is True in the XSD, False in the declaration",
        ),
        (
            "*[@name='PhysicalValueType']//*[@name='Unit']",
            {"name": "Units"},
            "PhysicalValue: content is Multiplier, Units, Value in the XSD, Multiplier, Unit, Value in the declaration",
        ),
        (
            "*[@name='EVStatus']",
            {"substitutionGroup": "Entry"},
            "element {urn:din:70121:2012:MsgDataTypes}Entry: substitution group: "
            "['{urn:din:70121:2012:MsgDataTypes}DC_EVStatus', '{urn:din:70121:2012:MsgDataTypes}EVStatus'] "
            "only in the XSD, [] only in the declaration",
        ),
    ],
)
def test_words(path: str, damage: dict[str, str], difference: str, schemas: Path) -> None:
    documents = load(schemas / ENTRIES["din70121"])
    (element,) = (found for document in documents for found in document.root.findall(path))
    element.attrib.update(damage)
    assert f"din70121 {difference}" in check("din70121", documents, declaration("din70121"))


TOY = """
<schema xmlns="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:toy" targetNamespace="urn:toy">
  <element name="Head" type="t:HeadType"/>
  <complexType name="HeadType">
    <sequence><element name="A" type="byte" minOccurs="0"/></sequence>
  </complexType>
  <element name="Member" type="t:MemberType" substitutionGroup="t:Head"/>
  <complexType name="MemberType">
    <complexContent>
      <extension base="t:HeadType"><sequence><element name="B" type="string"/></sequence></extension>
    </complexContent>
  </complexType>
</schema>
"""


def toy(change: str) -> SchemaSet:
    """A declaration of the toy schema that is changed in one way, or in none."""
    space = Namespace("urn:toy", prefix="t", qualified=change == "qualified")

    def cls(name: str, *fields: Any, base: type[Message] = Message) -> Any:
        return msgspec.defstruct(name, fields, bases=(base,), kw_only=True)

    a = ("A", declare.Byte | None) if change == "no default" else ("A", declare.Byte | None, None)
    b = ("B", str, "") if change == "a default" else ("B", str)
    head = space.element(cls("Head", a))
    member = cls("Member", a, b) if change == "no base" else cls("Member", b, base=head)
    (space.type if change == "no element" else space.element)(member)
    if change == "twice":
        space.type(cls("HeadType", a))
    if change == "more":
        space.type(cls("More"))
    if change == "unused text":
        space.type(cls("More", ("value", Annotated[str, declare.simple_content])))
    return SchemaSet("toy", roots=(member,), namespaces=(space,))


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("none", ""),
        ("qualified", "Head.A: namespace is none in the XSD, urn:toy in the declaration"),
        ("no default", "Head.A: must have a default"),
        ("a default", "Member.B: may not have a default"),
        ("no base", "Member: base is {urn:toy}HeadType in the XSD, None in the declaration"),
        ("no element", "element {urn:toy}Member: is in the XSD, not in the declaration"),
        ("twice", "{urn:toy}HeadType: is declared more than once: Head, HeadType"),
        ("more", "{urn:toy}More: is declared, not in the XSD"),
        ("unused text", "More: is declared, but nothing has it"),
    ],
)
def test_wrong_declarations_are_named(change: str, difference: str, tmp_path: Path) -> None:
    (tmp_path / "toy.xsd").write_text(TOY)
    found = check("toy", load(tmp_path / "toy.xsd"), DeclarationReader(toy(change)))
    assert f"toy {difference}" in found if difference else not found, found
